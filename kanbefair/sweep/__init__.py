"""Sweeps: which runs are missing, which train together, on which workers, at what cost; the store of records."""

from kanbefair.sweep.stacks import plan, stack_task, stack_values, task_of
from kanbefair.sweep.store import Store, table
from kanbefair.sweep.workers import check_device, run, worker_count

__all__ = ["Store", "check_device", "plan", "run", "stack_task", "stack_values", "table", "task_of", "worker_count"]
