"""What every record says of a run beside its figures: the task, the counts, and how it was computed."""

import torch

from kanbefair.data import Task
from kanbefair.models import Network, compiled, count
from kanbefair.models.counting import COUNTS, live_parameters
from kanbefair.provenance import mkl_setting, processor, provenance


def common_fields(network: Network, run: int, task: Task, device: str | torch.device) -> dict[str, object]:
    """The fields of run number `run`: task, counts, and how it was computed (`computed_with`)."""
    counts = count(network.shape(run))
    return {
        "domain": task.domain,
        "metric": task.metric,
        "input_size": task.input_size,
        "output_size": task.output_size,
        "train_rows": len(task.x_train),
        **{name: getattr(counts, name) for name in COUNTS},
        "live_parameters": live_parameters(network, run),
        **computed_with(device),
    }


def computed_with(device: str | torch.device) -> dict[str, object]:
    """What the bits of a run on `device` depend on beside the run: device, versions, commit, machine.

    `processor` is its name, `capability` the vector instructions that PyTorch uses of it, `mkl` how matrix products round
    (`provenance.mkl_setting`), `form` "compiled" or "plain" (which form of the spline layers was computed with), `threads` how
    many threads PyTorch had.
    """
    on_gpu = torch.device(device).type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else str(device),
        **provenance(),
        "processor": processor(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "mkl": mkl_setting(),
        "form": compiled.form(torch.device(device)),
        "threads": torch.get_num_threads(),
    }
