import numpy
import pandas
import pytest
import torch

from kanbefair import data, sweep
from kanbefair.errors import InputError
from kanbefair.specs import RunSpec, grid
from kanbefair.studies.domains import design as domains_design
from kanbefair.studies.speed import design, rates
from kanbefair.sweep import cost

LIMITS = {"gflops": 2.0, "gbytes": 4.0, "call_seconds": 1e-6}


def test_a_stand_in_has_the_sizes_in_its_name():
    task = data.load("Random_colour_300_40_12_5")
    assert (task.x_train.shape, task.x_test.shape) == ((300, 12), (40, 12))
    assert (task.metric, task.input_size, task.output_size, task.parts) == ("accuracy", 12, 5, ["train", "test"])
    assert task.x_train.dtype == torch.uint8
    assert task.inputs(task.x_train).std() == pytest.approx(0.2887 / 0.3, rel=0.05)  # uniform pixels over the stated deviation
    assert set(task.y_train.tolist()) == set(range(5))
    numbers = data.load("Random_numbers_200_200_2_0")
    assert (numbers.metric, numbers.output_size, numbers.y_test.shape) == ("mae", 1, (200, 1))
    assert -1 <= numbers.x_train.min() < -0.9 < 0.9 < numbers.x_train.max() <= 1


def test_stand_ins_are_the_same_each_time_and_no_others_are_known():
    first, second = (data.load("Random_numbers_20_5_3_2") for _ in range(2))
    assert torch.equal(first.x_train, second.x_train) and torch.equal(first.y_test, second.y_test)
    with pytest.raises(InputError, match="unknown dataset 'Random_words_20_5_3_2'"):
        data.load("Random_words_20_5_3_2")


def test_the_least_work_of_an_mlp_by_hand():
    spec = RunSpec(dataset="Random_numbers_250_50_3_2", model="MLP", widths=(4,), epochs=7, batch_size=100)
    work = rates.work([spec], sweep.task_of(spec, ""))
    first, second = 2 * 3 * 4 + 4, 2 * 4 * 2  # products and relu; products
    assert work["flops"] == 7 * (250 * (2 * first + 3 * second) + 50 * (first + second)) + 2 * 250 * (first + second)
    parameters = 3 * 4 + 4 + 4 * 2 + 2
    assert work["bytes"] == 4 * ((7 * (2 * 250 + 50) + 2 * 250) * 3 + 7 * 3 * 9 * parameters)
    curve = rates.work([spec], sweep.task_of(spec, ""), train_curve=True)
    assert curve["flops"] - work["flops"] == (7 - 2) * 250 * (first + second)


def test_the_least_work_of_a_kan_counts_only_bases_that_are_not_zero():
    specs = grid(dataset="Random_numbers_100_50_3_2", model="KAN", widths=(4,), grid=[5, 50], order=3, epochs=1)
    few, many = (rates.work([spec], sweep.task_of(spec, "")) for spec in specs)
    assert few["flops"] == many["flops"]
    per_edge, per_input = 2 * 4 + 1 + 2, 4 + 2 * 3 * 4 + 5  # sum over K+1 bases, scale, base; interval, polynomials, silu
    first, second = 12 * per_edge + 3 * per_input, 8 * per_edge + 4 * per_input
    assert few["flops"] == 100 * (2 * first + 3 * second) + 250 * (first + second)


def test_calls_are_those_of_one_training_step():
    stack = grid(dataset="Random_numbers_1000_100_3_2", model="MLP", widths=(4,), seed=[1, 2])
    task = sweep.task_of(stack[0], "")
    calls = rates.calls_per_step(stack, task, "cpu")
    assert 10 < calls < 200
    deeper = [RunSpec(dataset=stack[0].dataset, model="MLP", widths=(4, 4), seed=seed) for seed in (1, 2)]
    assert rates.calls_per_step(deeper, task, "cpu") > calls


@pytest.fixture
def cells():
    fields = {"dataset": "Random_numbers_640_64_3_2", "model": "MLP", "widths": (4,), "epochs": 5}
    return [design.Cell("four", fields, 4, 1.0), design.Cell("one", fields, 1, 1.0)]


def test_rates_are_of_whole_runs(cells, monkeypatch):
    monkeypatch.setattr(cost, "probe", lambda stack, task, device, batches, train_curve: 0.125)
    monkeypatch.setattr(rates, "calls_per_step", lambda stack, task, device: 30.0)
    table = rates.measure(cells, LIMITS, device="cpu", workers=2, batches=1)
    assert table[["run", "batches", "protocol", "train_curve", "stack"]].to_numpy().tolist() == [
        ["four", "own", "fair", False, 4],
        ["four", "shared", "fair", False, 4],
        ["four", "shared", "published", False, 4],
        ["four", "shared", "published", True, 4],
        ["one", "own", "fair", False, 1],
        ["one", "own", "published", False, 1],
        ["one", "own", "published", True, 1],
    ]
    steps = 5 * 5
    assert table["run_seconds"].tolist() == [0.125 * steps / 4] * 4 + [0.125 * steps] * 3
    assert table["runs_an_hour"].tolist() == [2 * 3600 / (0.125 * steps / 4)] * 4 + [2 * 3600 / (0.125 * steps)] * 3
    assert table["calls"].tolist() == pytest.approx([30 * 1e-6 / 0.125] * 7)
    assert table["arithmetic"].tolist() == pytest.approx((table["gflops"] / 2).tolist())
    assert table["memory"].tolist() == pytest.approx((table["gbytes"] / 4).tolist())


def test_rates_are_measured(cells):
    table = rates.measure(cells[1:], LIMITS, device="cpu", workers=1, batches=2)
    assert (table[["runs_an_hour", "gflops", "gbytes", "calls_per_step"]] > 0).all(axis=None)
    assert (table["threads"] == 1).all()


def test_the_stacks_of_a_cell_differ_in_seeds_or_in_learning_rates(cells):
    own, shared = (rates.stack_of(cells[0], kind) for kind in ("own", "shared"))
    assert (len({spec.seed for spec in own}), len({spec.lr for spec in own})) == (4, 1)
    assert (len({spec.seed for spec in shared}), len({spec.lr for spec in shared})) == (1, 4)


def test_a_quick_look_measures_the_cells_of_small_data():
    assert [cell.name for cell in design.cells("smoke")] == ["symbolic MLP", "symbolic KAN"]
    assert len(design.cells("embedded")) == len(design.CELLS)


def test_the_released_grid_has_all_its_rows_and_the_sizes_of_its_datasets(published_rows):
    grid = rates.released_grid()
    assert grid["rows"].sum() == 21_030
    counts = published_rows.groupby(["dataset", "model"]).agg(rows=("seed", "size"), epochs=("epochs", "median"))
    ours = grid.set_index(["dataset", "model"]).loc[counts.index]
    assert ours["rows"].tolist() == counts["rows"].tolist()
    assert ours["epochs"].tolist() == counts["epochs"].tolist()


@pytest.mark.parametrize("name", [name for name in domains_design.PAPER_DATASETS["symbolic"] if data.dataset(name).embedded])
def test_the_released_grid_has_the_sizes_of_the_formulas(name):
    task = data.load(name, protocol="published")
    row = rates.released_grid().set_index("dataset").loc[name].iloc[0]
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
    table = rates.grid_cost(device="cpu", workers=4).set_index(["dataset", "model"])
    kan = table.loc[("FMNIST", "KAN")]
    assert kan["hours"] == pytest.approx(1728 * 20 * 469 * 0.5 / 4 / 3600)
    assert kan["stand_in"] == "grey images"
    assert table.loc[("SVHN", "MLP"), "hours"] == pytest.approx(27 * 20 * 573 * 0.25 / 4 / 3600)


def test_the_stand_ins_have_the_inputs_of_what_they_stand_for():
    grid = rates.released_grid()
    for kind, (_, name) in rates.KINDS.items():
        inputs = data.load(name).input_size
        own = grid.loc[[rates.kind_of(row) == kind for row in grid.to_dict("records")], "inputs"]
        assert own.min() <= inputs <= own.max()


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
    table = rates.timed(pandas.DataFrame(rows), specs, data_dir="", device="cpu", batches=2, repeats=2)
    assert sorted(table["key"]) == sorted(s.key for s in specs if s.dataset in names[:2])
    assert (table[["stack_seconds", "alone_seconds"]] > 0).all(axis=None)
    assert (table["stack"] == 2).all()
    assert len(table[["widths", "stack_seconds"]].drop_duplicates()) == 2


def test_seconds_are_of_the_whole_run(monkeypatch):
    epochs = {1: [2.0, 8.0, 3.0], 3: [6.0, 6.0, 9.0]}
    monkeypatch.setattr(cost, "epoch_seconds", lambda stack, task, device, repeats: (epochs[len(stack)], 0.0, 0.0))
    specs = grid(dataset="Random_numbers_1000_50_3_2", model="MLP", widths=(4,), seed=[1, 2, 3], epochs=10)
    table = rates.run_seconds(specs, data_dir="", device="cpu", batches=2, repeats=3)
    assert table["alone_seconds"].tolist() == [3.0 * 10 * 8 / 2] * 3
    assert table["stack_seconds"].tolist() == [6.0 * 10 * 8 / 2 / 3] * 3
    assert numpy.array_equal(table["key"], [spec.key for spec in specs])
