"""How long each run of a section takes, in a stack and alone."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy
import pandas

from kanbefair import sweep
from kanbefair.measure import one_thread
from kanbefair.report import statistics
from kanbefair.specs import RunSpec
from kanbefair.sweep import cost

BUDGETS = (*statistics.BUDGETS, "stack_seconds", "alone_seconds")
"""What KAN and MLP are compared at: the budgets of all sections, and the seconds of a run."""


def measure(specs: Sequence[RunSpec], *, data_dir: str, device: str, batches: int, repeats: int) -> pandas.DataFrame:
    """Measured seconds of each run, evaluations included: a row per run with its `key`.

    `stack` is the number of runs in its stack, as a sweep makes it; `stack_seconds` is the run's share of the stack's time,
    `alone_seconds` its time when it is trained by itself. Both are medians over epochs of up to `batches` batches, `repeats`
    in each of two turns, scaled to the whole run.
    """
    stacks = sweep.plan(specs, data_dir)
    times: dict[tuple[int, int], list[float]] = defaultdict(list)
    with one_thread():
        for _ in range(2):
            for number, stack in enumerate(stacks):
                for size in {1, len(stack)}:
                    task = sweep.stack_task(stack[:size], data_dir)
                    small = cost.cut(task, batches * stack[0].batch_size)
                    share = cost.steps(stack[:1], small) / cost.steps(stack[:1], task)
                    whole = stack[0].epochs / share / size
                    epochs, *_ = cost.epoch_seconds(stack[:size], small, device, repeats)
                    times[number, size] += [whole * value for value in epochs]
    rows = []
    for number, stack in enumerate(stacks):
        own = {
            "stack": len(stack),
            "stack_seconds": numpy.median(times[number, len(stack)]),
            "alone_seconds": numpy.median(times[number, 1]),
        }
        rows += [{"key": spec.key} | own for spec in stack]
    return pandas.DataFrame(rows)


def timed(runs: pandas.DataFrame, specs: Sequence[RunSpec], **how: object) -> pandas.DataFrame:
    """The table `runs` of the runs `specs` with the columns of `measure`, to which `how` goes.

    Only the first dataset is measured; runs on datasets of other sizes are left out.
    """
    first = specs[0].dataset
    twins = {spec.key: replace(spec, dataset=first).key for spec in specs}
    sizes = ["input_size", "output_size", "train_rows"]
    like = runs.loc[runs["dataset"] == first, sizes].iloc[0]
    kept = runs[(runs[sizes] == like).all(axis=1)].assign(twin=lambda table: table["key"].map(twins))
    seconds = measure([spec for spec in specs if spec.dataset == first], **how)
    return kept.merge(seconds.rename(columns={"key": "twin"}), on="twin").drop(columns="twin")
