"""What a run needs of memory, by estimate, and what the machine has left."""

from contextlib import suppress
from pathlib import Path

import psutil

from kanbefair.data import Task
from kanbefair.models.counting import count
from kanbefair.models.networks import shape_of
from kanbefair.specs import RunSpec

COPIES = {"adam": 8, "sgd": 6, "lbfgs": 30}
"""Numbers held per trained value: itself, its gradient, the best epoch's, the optimiser's, and those it is drawn with."""
HELD = 4
"""Numbers held per unit and row of a batch: forwards, backwards, and in between."""
NUMBER = 4
"""Bytes of a number."""
LEFT_FREE = 0.1
"""The share of free memory that is not planned with."""
CGROUPS = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)
"""Where Linux tells the limit of a container and what it uses of that, version 2 and 1."""


def needed(spec: RunSpec, task: Task) -> float:
    """About how many bytes the training of a run holds at once, the data aside."""
    shape = shape_of(spec, task)
    embedding = 0 if shape.vocabulary is None else shape.vocabulary * shape.widths[0]
    bases = 1 if shape.grid is None else shape.grid + shape.order
    rows = min(spec.batch_size, len(task.x_train))
    values = COPIES[spec.optimizer] * (count(shape).live_parameters + embedding)
    return float(NUMBER * (values + HELD * rows * bases * sum(shape.widths)))


def at_hand() -> float:
    """Bytes that this machine, container or process may still take, less `LEFT_FREE`."""
    free = [psutil.virtual_memory().available]
    for limit, used in CGROUPS:
        with suppress(OSError, ValueError):
            root = Path("/sys/fs/cgroup")
            free.append(int((root / limit).read_text()) - int((root / used).read_text()))
    with suppress(ImportError, AttributeError):
        import resource

        most, _ = resource.getrlimit(resource.RLIMIT_AS)
        if most != resource.RLIM_INFINITY:
            free.append(most - psutil.Process().memory_info().vms)
    return (1 - LEFT_FREE) * max(0, min(free))
