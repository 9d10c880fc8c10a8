"""What time each run takes, in a stack and alone."""

import numpy
import pandas

from kanbefair.specs import grid
from kanbefair.studies.speed import run_seconds
from kanbefair.sweep import cost


def test_measured_seconds_are_joined_to_the_runs_of_datasets_of_equal_sizes():
    names = ["Random_numbers_300_50_3_2", "Random_numbers_300_70_3_2", "Random_numbers_200_50_3_2"]
    specs = grid(dataset=names, model="MLP", widths=[(4,), (8,)], lr=[1e-2, 1e-3], epochs=6, protocol="published")
    rows = [
        {
            "dataset": s.dataset,
            "key": s.key,
            "widths": s.widths[0],
            "input_size": 3,
            "output_size": 2,
            "train_rows": int(s.dataset.split("_")[2]),
        }
        for s in specs
    ]
    table = run_seconds.timed(pandas.DataFrame(rows), specs, data_dir="", device="cpu", batches=2, repeats=2)
    assert sorted(table["key"]) == sorted(s.key for s in specs if s.dataset in names[:2])
    assert (table[["stack_seconds", "alone_seconds"]] > 0).all(axis=None)
    assert (table["stack"] == 2).all()
    assert len(table[["widths", "stack_seconds"]].drop_duplicates()) == 2


def test_seconds_are_of_the_whole_run(monkeypatch):
    epochs = {1: [2.0, 8.0, 3.0], 3: [6.0, 6.0, 9.0]}
    monkeypatch.setattr(cost, "epoch_seconds", lambda stack, task, device, repeats: (epochs[len(stack)], 0.0, 0.0))
    specs = grid(dataset="Random_numbers_1000_50_3_2", model="MLP", widths=(4,), seed=[1, 2, 3], epochs=10)
    table = run_seconds.measure(specs, data_dir="", device="cpu", batches=2, repeats=3)
    assert table["alone_seconds"].tolist() == [3.0 * 10 * 8 / 2] * 3
    assert table["stack_seconds"].tolist() == [6.0 * 10 * 8 / 2 / 3] * 3
    assert numpy.array_equal(table["key"], [spec.key for spec in specs])
