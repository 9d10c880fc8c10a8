import numpy
import pytest
import torch

from kanbefair.data import load
from kanbefair.errors import InputError
from kanbefair.specs import RunSpec
from kanbefair.training import RightRowsSpec, train
from kanbefair.training.right_rows import pack, unpack

COMMON = {"dataset": "WineRecognition", "model": "MLP", "widths": (6,), "epochs": 4, "lr": 1e-2}


def test_packed_rows_come_back():
    right = torch.tensor([True, False, True, True, False, False, True, False, True, True, False])
    assert unpack(pack(right), 11).tolist() == right.tolist()


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_the_rows_kept_are_those_that_make_the_accuracy_at_the_selected_epoch(optimizer):
    task = load("WineRecognition")
    specs = [RightRowsSpec(**COMMON, seed=seed, optimizer=optimizer) for seed in (1, 2)]
    records = train(specs, task)
    for record in records:
        rows = unpack(record["curves"]["right_rows"], len(task.y_test))
        assert 100 * rows.mean() == pytest.approx(record["test_metric_selected"])
    plain = train([RunSpec(**COMMON, seed=seed, optimizer=optimizer) for seed in (1, 2)], task)
    assert [own["test_metric_selected"] for own in records] == [own["test_metric_selected"] for own in plain]
    assert not numpy.array_equal(*(unpack(own["curves"]["right_rows"], 36) for own in records)) or optimizer == "lbfgs"


def test_a_run_that_keeps_rows_has_a_key_of_its_own():
    assert RightRowsSpec(**COMMON).key != RunSpec(**COMMON).key


def test_numbers_and_blind_runs_have_no_right_rows():
    with pytest.raises(InputError, match="has numbers as targets"):
        train([RightRowsSpec(**COMMON | {"dataset": "Special_jv"})], load("Special_jv"))
    with pytest.raises(InputError, match="does not read the test part"):
        RightRowsSpec(**COMMON, blind=True)
