import pytest

from kanbefair import sweep
from kanbefair.errors import InputError
from kanbefair.specs import grid
from kanbefair.sweep import cost
from kanbefair.training import ContinualSpec


def test_an_estimate_counts_what_is_missing_and_takes_time(tmp_path):
    specs = grid(dataset="WineRecognition", model="MLP", widths=[(4,), (64,)], seed=[1, 2], epochs=50)
    (row,) = cost.estimate(specs, runs=tmp_path, workers=1).to_dict("records")
    assert (row["runs"], row["missing"], row["stacks"]) == (4, 4, 2)
    assert 0 < row["hours"] < 0.1
    assert list(tmp_path.iterdir()) == []


def test_nothing_missing_costs_nothing(tmp_path):
    (row,) = cost.estimate([], runs=tmp_path).to_dict("records")
    assert (row["missing"], row["hours"]) == (0, 0.0)


def tick(monkeypatch, *times):
    ticks = iter(times)
    monkeypatch.setattr(cost, "clock", lambda device: lambda: next(ticks))


def test_epochs_are_told_from_what_is_done_once_and_the_first_is_a_warm_up(monkeypatch):
    stack = grid(dataset="Random_numbers_200_50_3_2", model="MLP", widths=(4,), seed=[1, 2], epochs=100)
    tick(monkeypatch, 9.0, 10.0, 11.0, 13.0, 17.0, 17.5, 18.0)  # start, ends of epochs, last evaluation, end
    epochs, last, once = cost.epoch_seconds(stack, sweep.task_of(stack[0], ""), "cpu", 3)
    assert (epochs, last, once) == ([1.0, 2.0, 4.0], 0.5, 1.5)


def test_a_probe_spreads_what_is_done_once_over_the_whole_run(monkeypatch):
    stack = grid(dataset="Random_numbers_1000_100_3_2", model="MLP", widths=(4,), epochs=50, batch_size=100)
    monkeypatch.setattr(cost, "epoch_seconds", lambda stack, task, device, epochs, train_curve: ([1.0, 2.0, 9.0], 0.25, 100.0))
    seconds = cost.probe(stack, sweep.task_of(stack[0], ""), "cpu", batches=2)  # a fifth of an epoch
    assert seconds == pytest.approx((50 * 5 * 2.0 + 5 * 0.25 + 100) / (50 * 10))


def test_the_cost_of_a_stream_is_not_taken_for_that_of_a_plain_run():
    specs = [ContinualSpec(dataset="Peaks_1d", model="KAN", widths=(), epochs=1, stream="peaks")]
    with pytest.raises(InputError, match="cost of a ContinualSpec cannot be probed"):
        cost.of_stacks([specs])
