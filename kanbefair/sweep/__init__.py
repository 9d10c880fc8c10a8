"""Sweeps: which runs are missing, which train together, on which workers, at what cost; the store of records."""

from kanbefair.sweep.failed import RunsFailed
from kanbefair.sweep.identity import Identity, identify
from kanbefair.sweep.stacks import plan, stack_task, stack_values, task_of
from kanbefair.sweep.store import Store, table
from kanbefair.sweep.workers import Interrupted, check_device, missing, run, worker_count

__all__ = [
    "Identity",
    "Interrupted",
    "RunsFailed",
    "Store",
    "check_device",
    "identify",
    "missing",
    "plan",
    "run",
    "stack_task",
    "stack_values",
    "table",
    "task_of",
    "worker_count",
]
