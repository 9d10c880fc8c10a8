"""The released grid and what it would take."""

import pandas
import pytest

from kanbefair import data
from kanbefair.studies.domains import design as domains_design
from kanbefair.studies.released import rows as released_rows
from kanbefair.studies.speed import grid_cost
from kanbefair.sweep import cost


def test_the_released_grid_has_all_its_rows():
    assert grid_cost.released_grid()["rows"].sum() == 21_030


def test_the_released_grid_has_room_for_the_quoted_rows():
    counts = released_rows.quoted().groupby(["dataset", "model"]).agg(rows=("seed", "size"), epochs=("epochs", "max"))
    ours = grid_cost.released_grid().set_index(["dataset", "model"]).loc[counts.index]
    assert (ours["rows"] >= counts["rows"]).all()
    assert ours["epochs"].tolist() == counts["epochs"].tolist()


def test_the_released_grid_has_the_rows_and_epochs_of_every_dataset(published_rows):
    grid = grid_cost.released_grid()
    counts = published_rows.groupby(["dataset", "model"]).agg(rows=("seed", "size"), epochs=("epochs", "median"))
    ours = grid.set_index(["dataset", "model"]).loc[counts.index]
    assert ours["rows"].tolist() == counts["rows"].tolist()
    assert ours["epochs"].tolist() == counts["epochs"].tolist()


@pytest.mark.parametrize("name", [name for name in domains_design.PAPER_DATASETS["symbolic"] if data.dataset(name).embedded])
def test_the_released_grid_has_the_sizes_of_the_formulas(name):
    task = data.load(name, protocol="published")
    row = grid_cost.released_grid().set_index("dataset").loc[name].iloc[0]
    assert (row["train_rows"], row["test_rows"], row["inputs"], row["outputs"]) == (
        len(task.x_train),
        len(task.x_test),
        task.input_size,
        task.output_size,
    )


def test_the_cost_of_the_grid_by_hand(monkeypatch):
    def seconds(stacks, device, probes):
        price = {"KAN": 0.5, "MLP": 0.25}[stacks[0][0].model]
        return pandas.DataFrame({"runs": [len(stack) for stack in stacks], "step_seconds": [price * len(s) for s in stacks]})

    monkeypatch.setattr(cost, "of_stacks", seconds)
    table = grid_cost.hours(device="cpu", workers=4).set_index(["dataset", "model"])
    kan = table.loc[("FMNIST", "KAN")]
    assert kan["hours"] == pytest.approx(1728 * 20 * 469 * 0.5 / 4 / 3600)
    assert kan["stand_in"] == "grey images"
    assert table.loc[("SVHN", "MLP"), "hours"] == pytest.approx(27 * 20 * 573 * 0.25 / 4 / 3600)


def test_the_stand_ins_have_the_inputs_of_what_they_stand_for():
    grid = grid_cost.released_grid()
    for kind, (_, name) in grid_cost.KINDS.items():
        inputs = data.load(name).input_size
        own = grid.loc[[grid_cost.kind_of(row) == kind for row in grid.to_dict("records")], "inputs"]
        assert own.min() <= inputs <= own.max()
