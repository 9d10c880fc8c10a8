import math
import time

import numpy
import pytest
import torch

from kanbefair import measure


def test_turns_are_taken_one_after_the_other():
    order = []
    times = measure.interleaved({name: lambda name=name: order.append(name) for name in "ab"}, repeats=3, seconds=0)
    assert {name: len(values) for name, values in times.items()} == {"a": 3, "b": 3}
    assert order[:2] == ["a", "b"]
    turns = [name for name, before in zip(order[2:], order[1:], strict=False) if name != before]
    assert turns == ["a", "b"] * 4


def test_a_time_is_that_of_one_call():
    def busy():
        start = time.process_time()
        while time.process_time() < start + 0.01:
            pass

    times = measure.interleaved({"busy": busy}, repeats=2, seconds=0)
    assert (times["busy"] >= 0.01).all()


def test_quick_candidates_get_more_repeats():
    times = measure.interleaved({"quick": lambda: None}, repeats=2, seconds=60)
    assert len(times["quick"]) == 10


def test_quartiles():
    assert measure.quartiles(numpy.array([4.0, 1.0, 2.0, 3.0, 5.0])) == {"median": 3, "low": 2, "high": 4}


@pytest.mark.parametrize("megabytes", [32, 128])
def test_peak_memory_sees_what_is_needed_at_once_by_whom_ever(megabytes):
    values = megabytes * 2**18

    def run():
        first = torch.ones(values)
        numpy.ones(2 * values, dtype=numpy.float32)
        del first
        torch.ones(values)  # when the others are gone

    run()
    assert measure.peak_memory(run) == pytest.approx(3 * megabytes * 2**20, rel=0.1)


def test_peak_memory_is_unknown_without_the_kernels_files(monkeypatch):
    monkeypatch.setattr(measure, "_resident", lambda field: (_ for _ in ()).throw(OSError))
    assert math.isnan(measure.peak_memory(lambda: None))


def test_limits_are_counted_in_operations_and_bytes(monkeypatch):
    monkeypatch.setattr(measure, "interleaved", lambda runs, **_: {name: numpy.array([0.5, 0.25]) for name in runs})
    assert measure.limits(size=100) == {
        "gflops": pytest.approx(2 * 100**3 / 0.25 / 1e9),
        "gbytes": pytest.approx(2 * 4 * 16 * 100**2 / 0.25 / 1e9),
        "call_seconds": 0.25,
    }


def test_limits_of_this_machine_are_above_zero():
    assert all(value > 0 for value in measure.limits(size=32).values())


def test_one_thread_within_and_as_many_as_before_after_it():
    torch.set_num_threads(2)
    try:
        with measure.one_thread():
            assert measure.machine()["threads"] == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_the_machine_is_named():
    assert measure.machine()["machine"]
    assert {"torch", "commit"} <= set(measure.machine())
