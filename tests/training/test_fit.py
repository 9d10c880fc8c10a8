import math
from dataclasses import replace

import numpy
import pytest
import torch
from helpers import KINDS, MODELS, named, spec, values
from scipy import special
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kanbefair.data import load
from kanbefair.training import fit

MOMENTS = ("last", "selected", "best")


# ----- the published protocol, against a loop in plain PyTorch


def plain_loop(train, test, network, spec, loss):
    """The paper's program: two data loaders, an optimiser, and an evaluation of both parts after every epoch."""
    loaders = [
        DataLoader(TensorDataset(*train), batch_size=spec.batch_size, shuffle=True),
        DataLoader(TensorDataset(*test), batch_size=spec.batch_size),
    ]
    if spec.optimizer == "adam":
        optimizer = torch.optim.Adam(network.parameters(), lr=spec.lr)
    else:
        optimizer = torch.optim.SGD(network.parameters(), lr=spec.lr)
    curves = ([], [])
    for _ in range(spec.epochs):
        network.train()
        for x, y in loaders[0]:
            optimizer.zero_grad()
            loss(network(x), y).backward()
            optimizer.step()
        network.eval()
        for loader, curve in zip(loaders, curves, strict=True):
            total = 0.0
            with torch.no_grad():
                for x, y in loader:
                    output = network(x)
                    total += (output - y).abs().sum().item() if y.is_floating_point() else (output.argmax(1) == y).sum().item()
            curve.append(total / len(loader.dataset) * (1 if y.is_floating_point() else 100))
    return curves


@pytest.mark.parametrize(("optimizer", "lr"), [("adam", 0.03), ("sgd", 1.0)])
@pytest.mark.parametrize("seed", [0, 1314])
def test_published_is_the_papers_program_on_classes(toy, optimizer, lr, seed):
    task = toy("classes", "published")
    run = spec(protocol="published", seed=seed, epochs=10, optimizer=optimizer, batch_size=32, activation="gelu", lr=lr)
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(4, 7), nn.GELU(), nn.Linear(7, 3))
    train, test = plain_loop(task.part("train"), task.part("test"), network, run, nn.CrossEntropyLoss())
    (record,) = fit.train([run], task, train_curve=True)
    assert len(set(train)) > 5, "curves that say little"
    assert record["curves"]["train_metric"] == pytest.approx(train, abs=1e-9)
    assert record["curves"]["test_metric"] == pytest.approx(test, abs=1e-9)
    assert record["train_metric_last"] == pytest.approx(train[-1])
    assert record["test_metric_best"] == pytest.approx(max(test))
    assert test[record["epoch_best"] - 1] == pytest.approx(max(test))


def test_published_is_the_papers_program_on_a_function():
    seed = 42
    stream = numpy.random.RandomState(seed)
    torch.manual_seed(seed)
    parts = []
    for _ in range(2):
        x = stream.rand(1000, 2)
        y = special.ellipkinc(x[:, 0], x[:, 1])
        parts.append((torch.tensor(x).float(), torch.tensor(y).float()[:, None]))
    network = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 1))
    run = spec(dataset="Special_ellipkinc", protocol="published", seed=seed, widths=(5, 5), batch_size=128, lr=1e-3, epochs=4)
    train, test = plain_loop(*parts, network, run, nn.MSELoss())
    (record,) = fit.train([run], load("Special_ellipkinc", protocol="published", seed=seed), train_curve=True)
    assert record["curves"]["train_metric"] == pytest.approx(train, rel=1e-5)
    assert record["curves"]["test_metric"] == pytest.approx(test, rel=1e-5)


# ----- runs that diverge


@pytest.mark.parametrize("kind", [KINDS[0], KINDS[4], KINDS[6], KINDS[8]], ids=named)
def test_a_diverged_run_is_recorded_and_harms_no_neighbour(toy, trained, kind):
    runs = [spec(**kind, seed=seed, lr=lr, epochs=4) for seed, lr in ((1, 1e-2), (2, 1e25), (3, 1e-3))]
    good, diverged, also_good = fit.train(runs, toy())
    assert isinstance(diverged["diverged"], int)
    assert 1 <= diverged["diverged"] <= 4
    assert math.isnan(diverged["train_metric_last"])
    for name in ("batch_loss", "valid_metric", "test_metric"):
        assert math.isnan(diverged[f"{name}_last"])
        curve = diverged["curves"][name]
        assert [math.isnan(value) for value in curve] == [epoch >= diverged["diverged"] for epoch in range(1, 5)]
    for place, record in ((0, good), (2, also_good)):
        assert record["diverged"] is None
        assert record["curves"] == fit.train([runs[place]], toy())[0]["curves"]
        for name, tensor in values(trained[-1], 0).items():
            assert torch.equal(tensor, values(trained[0], place)[name]), name


def test_a_run_that_diverges_at_once_has_no_best_epoch(toy):
    (record,) = fit.train([spec(lr=1e30, activation="identity")], toy())
    assert record["diverged"] == 1
    assert record["epoch_selected"] is None
    assert record["epoch_best"] is None
    assert math.isnan(record["test_metric_best"])


LAST_STEP = [
    ("classes", {"optimizer": "sgd", "lr": 10.0, "activation": "polynomial3"}),
    ("classes", {"optimizer": "adam", "lr": 1e30}),
    ("numbers", {"optimizer": "sgd", "lr": 1e38}),
    ("numbers", {"optimizer": "adam", "lr": 1e30, "batch_norm": True}),
    ("numbers", {"optimizer": "adam", "lr": 1e30, "model": "KAN"}),
    ("text", {"optimizer": "adam", "lr": 1e30}),
]
"""Runs whose network answers NaN after an epoch of one batch, the loss of which was still finite."""


@pytest.mark.parametrize("train_curve", [False, True])
@pytest.mark.parametrize("protocol", ["fair", "published"])
@pytest.mark.parametrize(("kind", "fields"), LAST_STEP)
def test_an_epoch_whose_last_step_is_one_too_many_counts_as_diverged(toy, kind, fields, protocol, train_curve):
    task = toy(kind, protocol)
    run = spec(**fields, protocol=protocol, batch_size=200, epochs=9)
    neighbour = replace(run, lr=1e-2)
    lost, fine = fit.train([run, neighbour], task, train_curve=train_curve)
    epoch = lost["diverged"]
    (before,) = fit.train([replace(run, epochs=epoch)], task, train_curve=train_curve)
    assert before["diverged"] == epoch, "what comes later decides"
    for name, curve in lost["curves"].items():
        gone = [math.isnan(value) for value in curve]
        assert gone[epoch - 1 :] == [True] * (10 - epoch), name
        assert not any(gone[: epoch - 1]) or name.startswith("train"), name
    for moment in MOMENTS:
        if moment != "last":
            assert (lost[f"epoch_{moment}"] or 0) < epoch
        assert math.isnan(lost[f"test_metric_{moment}"]) == (moment == "last" or lost[f"epoch_{moment}"] is None)
    assert fine["diverged"] is None and fine["curves"] == fit.train([neighbour], task, train_curve=train_curve)[0]["curves"]


def test_the_last_epoch_of_a_run_may_be_the_one_that_diverges(toy):
    (record,) = fit.train([spec(lr=1e30, batch_size=200, epochs=1)], toy("classes"))
    assert record["diverged"] == 1 and record["outcome"] == "diverged"
    figures = [value for name, value in record.items() if "_metric_" in name]
    assert len(figures) == 8 and all(map(math.isnan, figures))


# ----- what a record holds


def test_moments_of_a_record(toy):
    for kind in ("numbers", "classes"):
        (record,) = fit.train([spec(epochs=9, lr=0.1)], toy(kind))
        curves = record["curves"]
        chosen = {"selected": "valid", "best": "test"}
        for moment in MOMENTS:
            epoch = 9
            if moment != "last":
                curve = curves[f"{chosen[moment]}_metric"]
                best = (min if kind == "numbers" else max)(curve)
                epoch = record[f"epoch_{moment}"]
                assert curve[epoch - 1] == best
                if kind == "classes":
                    losses = curves[f"{chosen[moment]}_loss"]
                    assert losses[epoch - 1] == min(loss for loss, value in zip(losses, curve, strict=True) if value == best)
            for name, curve in curves.items():
                assert len(curve) == 9
                assert record[f"{name}_{moment}"] == curve[epoch - 1]


def test_a_published_record_has_no_validation(toy):
    (record,) = fit.train([spec(protocol="published")], toy("numbers", "published"))
    assert record["epoch_selected"] is None
    assert not any("valid" in name for name in record)
    assert math.isnan(record["test_metric_selected"])


def test_the_batch_loss_is_the_mean_over_the_batches_of_an_epoch(toy):
    run, task = spec(model="MLP", lr=1e-12, epochs=2, batch_size=len(toy().x_train)), toy()
    (record,) = fit.train([run], task)  # one batch, and parameters that hardly move
    assert record["curves"]["batch_loss"] == pytest.approx([record["train_rmse_last"] ** 2] * 2, rel=1e-4)
    assert record["batch_loss_last"] == record["curves"]["batch_loss"][-1]


@pytest.mark.parametrize(
    ("protocol", "moment", "kind", "model"),
    [
        ("fair", "selected", "classes", {"model": "MLP", "batch_norm": True}),
        ("published", "best", "classes", {}),
        ("fair", "selected", "numbers", {}),
        ("published", "best", "numbers", {"optimizer": "lbfgs"}),
    ],
)
def test_without_a_train_curve_the_reported_states_are_evaluated_and_nothing_else_changes(toy, protocol, moment, kind, model):
    runs = [spec(epochs=9, protocol=protocol, lr=lr, **model) for lr in (1.0, 0.1, 0.01)]
    task = toy(kind, protocol)
    wholes, shorts = (fit.train(runs, task, train_curve=curve) for curve in (True, False))
    assert len({whole[f"epoch_{moment}"] for whole in wholes} | {9}) > 1, "every run is best at the end"
    for whole, short in zip(wholes, shorts, strict=True):
        curves = {name: curve for name, curve in whole["curves"].items() if not name.startswith("train")}
        assert short["curves"] == curves and len(curves) < len(whole["curves"])
        times = {"curves", "train_seconds", "run_seconds"}
        other = "best" if moment == "selected" else "selected"
        left_out = {name for name in whole if name.startswith("train_") and name.endswith(other)}
        assert {k: v for k, v in whole.items() if k not in times | left_out and v == v} == {
            k: v for k, v in short.items() if k not in times and v == v
        }
        assert short[f"train_metric_{moment}"] == whole["curves"]["train_metric"][whole[f"epoch_{moment}"] - 1]


# ----- training, and who watches it


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("optimizer", "lr", "epochs"), [("adam", 0.05, 15), ("lbfgs", 0.5, 3), ("sgd", 0.5, 25)])
def test_every_optimiser_trains_every_model(toy, optimizer, lr, epochs, model):
    task = toy()
    (record,) = fit.train([spec(model=model, optimizer=optimizer, lr=lr, epochs=epochs)], task)
    constant = task.y_train.var(dim=0).mean().sqrt()
    assert record["diverged"] is None
    assert record["train_rmse_last"] < 0.9 * constant


def test_on_epoch_is_called_every_epoch(toy):
    calls = []
    fit.train([spec(epochs=4), spec(epochs=4, seed=3)], toy(), on_epoch=lambda: calls.append(1))
    assert len(calls) == 4


def test_the_network_is_shown_after_its_last_epoch(toy):
    task, states = toy("classes"), []
    runs = [spec(epochs=9, lr=lr, batch_norm=True) for lr in (1.0, 0.1, 0.01)]
    for curve in (True, False):
        records = fit.train(runs, task, train_curve=curve, on_end=lambda network: states.append(network.state_dict()))
    assert min(record["epoch_selected"] for record in records) < 9, "every run is best at the end"
    assert all(torch.equal(values, states[1][name]) for name, values in states[0].items())


# ----- the test part is looked at, never used


def test_test_labels_change_nothing_but_test_figures(toy):
    task = toy("classes")
    other = replace(task, y_test=(task.y_test + 1) % 3)
    (a,), (b,) = fit.train([spec(epochs=6)], task), fit.train([spec(epochs=6)], other)
    assert a["test_metric_last"] != b["test_metric_last"]
    assert a["epoch_selected"] == b["epoch_selected"]
    assert a["train_metric_last"] == b["train_metric_last"]
    assert a["curves"]["valid_metric"] == b["curves"]["valid_metric"]


def test_validation_rows_change_only_what_is_selected(toy, trained):
    task = toy("classes")
    other = replace(task, x_valid=-task.x_valid, y_valid=(task.y_valid + 1) % 3)
    for part in (task, other):
        fit.train([spec(epochs=3)], part)
    assert all(torch.equal(v, values(trained[1], 0)[n]) for n, v in values(trained[0], 0).items())
