"""What is kept of a run."""

import math

import torch

from kanbefair.data import Task
from kanbefair.models import Network, count
from kanbefair.models.counting import COUNTS, live_parameters
from kanbefair.provenance import provenance
from kanbefair.specs import RunSpec


def common_fields(network: Network, run: int, task: Task, device: str | torch.device) -> dict[str, object]:
    """What every record says of run number `run`: task, counts, device and versions."""
    counts = count(network.shape(run))
    fields = {name: getattr(counts, name) for name in COUNTS}
    name = torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else str(device)
    return {
        "domain": task.domain,
        "metric": task.metric,
        "input_size": task.input_size,
        "output_size": task.output_size,
        "train_rows": len(task.x_train),
        **fields,
        "live_parameters": live_parameters(network, run),
        "device": name,
        **provenance(),
    }


def _record(spec: RunSpec, curves: dict[str, list[float]], diverged: float, epochs: dict[str, int]) -> dict:
    record = spec.as_dict() | {"key": spec.key, "diverged": None if math.isinf(diverged) else int(diverged)}
    for moment, epoch in epochs.items():
        if moment != "last":
            record[f"epoch_{moment}"] = epoch or None
        for name, curve in curves.items():
            record[f"{name}_{moment}"] = curve[epoch - 1] if epoch else math.nan
    return record | {"curves": curves}
