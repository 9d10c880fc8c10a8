"""How the tasks of a stream are cut from a dataset."""

from dataclasses import replace

import pytest
import torch

from kanbefair import sweep
from kanbefair.data import load
from kanbefair.errors import InputError
from kanbefair.training.continual import streams


def test_class_tasks_hold_their_classes_renumbered_over_shared_outputs(digits):
    tasks = streams.class_tasks(digits, ((7, 2), (0,)))
    assert [torch.unique(task.y_train).tolist() for task in tasks] == [[0, 1], [2]]
    assert {task.output_size for task in tasks} == {3}
    sevens = digits.x_test[digits.y_test == 7]
    assert torch.equal(tasks[0].x_test[tasks[0].y_test == 0], sevens)
    whole = streams.joined(tasks)
    assert len(whole.x_train) == int(torch.isin(digits.y_train, torch.tensor([7, 2, 0])).sum())


def test_permuted_tasks_reorder_the_inputs_alike_in_all_parts(digits):
    tasks = streams.permuted_tasks(digits, 3)
    assert torch.equal(tasks[0].x_train, digits.x_train)
    for task in tasks[1:]:
        assert not torch.equal(task.x_train, digits.x_train)
        assert torch.equal(task.x_test.sort(dim=1).values, digits.x_test.sort(dim=1).values)
        assert torch.equal(task.y_train, digits.y_train)
        order = [int((digits.x_train == column[:, None]).all(0).nonzero()[0]) for column in task.x_train.T[:3]]
        assert torch.equal(task.x_test[:, :3], digits.x_test[:, order])


@pytest.mark.parametrize("name", ["Peaks_1d", "Peaks_2d"])
def test_peak_tasks_are_the_surroundings_of_each_peak(name):
    task = load(name)
    tasks = streams.peak_tasks(task)
    assert len(tasks) == 5 and sum(len(own.x_train) for own in tasks) == len(task.x_train)
    for own in tasks:
        top = own.x_train[own.y_train.argmax()]
        assert own.y_train.max() > 0.9 and (own.x_train - top).norm(dim=1).max() < (0.25 if name == "Peaks_1d" else 1.2)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"groups": ((0, 1), (2, 12))}, "class 12 is not in Digits; it has 0, 1"),
        ({"groups": ((0, 1), (1, 2))}, "class 1 is in two tasks"),
        ({"strategy": "replay", "buffer": 10_000}, "buffer is 10000 rows, but the tasks before the last have only"),
        ({"dataset": "Special_jv"}, "numbers as targets"),
    ],
)
def test_streams_that_cannot_be_cut_are_refused_before_anything_is_trained(given, words, tmp_path, spec):
    with pytest.raises(InputError, match=words):
        sweep.run([spec(), spec(**given)], runs=tmp_path, workers=1, progress=False)
    assert not list(tmp_path.rglob("*.json"))


def test_a_task_without_rows_is_refused(digits):
    ones = digits.y_test != 1
    bare = replace(digits, x_test=digits.x_test[ones], y_test=digits.y_test[ones])
    with pytest.raises(InputError, match="task 2 of the stream has no test rows in Digits"):
        streams.class_tasks(bare, ((0, 2), (1,)))
