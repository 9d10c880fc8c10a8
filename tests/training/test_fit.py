import math
from dataclasses import replace

import numpy
import pytest
import torch
from helpers import KINDS, named, spec
from scipy import special
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kanbefair import models
from kanbefair.data import load
from kanbefair.errors import InputError
from kanbefair.models import networks
from kanbefair.specs import RunSpec
from kanbefair.training import best_epoch, evaluation, fit

MODELS = ("KAN", "MLP", "BSpline_MLP", "BSpline_First_MLP")
MOMENTS = ("last", "selected", "best")


def values(network, run):
    return {name: tensor[run].clone() for name, tensor in network.state_dict().items()}


@pytest.fixture
def trained(monkeypatch):
    """The networks that are built, in order, so that a test can look at what was trained."""
    built = []

    def keeping(network):
        class Kept(network):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                built.append(self)

        return Kept

    for name, network in networks.FAMILIES.items():
        monkeypatch.setitem(networks.FAMILIES, name, keeping(network))
    return built


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


def test_a_published_kan_starts_from_seed_0_whatever_its_seed(toy):
    task = toy("numbers", "published")
    records = [fit.train([spec(model="KAN", protocol="published", seed=seed)], task)[0] for seed in (0, 521, 1314)]
    assert records[0]["curves"] == records[1]["curves"] == records[2]["curves"]
    fair = [fit.train([spec(model="KAN", seed=seed)], toy())[0] for seed in (521, 1314)]
    assert fair[0]["curves"] != fair[1]["curves"]


# ----- stacks


@pytest.mark.parametrize("widths", [(7,), (5, 3), (1,), (33,)], ids=str)
@pytest.mark.parametrize("kind", KINDS, ids=named)
def test_a_run_is_bitwise_the_same_alone_and_in_any_stack(toy, trained, kind, widths):
    task = toy()
    run = spec(**kind, widths=widths, epochs=2, seed=1)
    others = [replace(run, seed=2, lr=1e-3), replace(run, lr=3e-3), replace(run, seed=3)]
    if run.grid_range:
        others[1] = replace(others[1], grid_range=(-4, 4))
    assert len(task.x_train) % run.batch_size not in (0, 1), "the last batch is to be a partial one"
    alone = fit.train([run], task)[0]
    first = fit.train([run, *others], task)[0]
    last = fit.train([*others[:2], run], task)[2]
    assert alone["curves"] == first["curves"] == last["curves"]
    expected = values(trained[0], 0)
    for network, place in ((trained[1], 0), (trained[2], 2)):
        for name, tensor in values(network, place).items():
            assert torch.equal(tensor, expected[name]), name


@pytest.mark.parametrize("domain", ["classes", "text"])
@pytest.mark.parametrize("model", MODELS)
def test_stacks_of_classifiers_and_of_texts(toy, trained, model, domain):
    task = toy(domain)
    runs = [spec(model=model, widths=(5,), seed=seed, lr=lr) for seed in (1, 2) for lr in (1e-2, 1e-3)]
    together = fit.train(runs, task)
    for place, run in enumerate(runs):
        alone = fit.train([run], task)[0]
        assert alone["curves"] == together[place]["curves"]
        for name, tensor in values(trained[-1], 0).items():
            assert torch.equal(tensor, values(trained[0], place)[name]), name


def test_batches_shared_by_runs_of_one_seed_meet_several_grid_ranges(toy):
    runs = [spec(model="BSpline_First_MLP", grid_range=(-end, end)) for end in (1, 2, 4)]
    together = fit.train(runs, toy())
    assert [record["curves"] for record in together] == [fit.train([run], toy())[0]["curves"] for run in runs]


def test_runs_that_share_no_stack_are_refused(toy):
    with pytest.raises(InputError, match="do not share a stack key"):
        fit.train([spec(widths=(7,)), spec(widths=(8,))], toy())


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
    (record,) = fit.train([spec(lr=1e25, activation="identity")], toy())
    if record["diverged"] == 1:
        assert record["epoch_selected"] is None
        assert record["epoch_best"] is None
        assert math.isnan(record["test_metric_best"])
    else:
        assert record["epoch_best"] < record["diverged"]


# ----- seeds and batches


@pytest.mark.parametrize("protocol", ["published", "fair"])
@pytest.mark.parametrize("model", MODELS)
def test_a_seed_decides_everything(toy, model, protocol):
    task = toy("numbers", protocol)
    runs = [spec(model=model, protocol=protocol, seed=seed) for seed in (5, 5, 6)]
    first, again, other = (fit.train([run], task)[0]["curves"] for run in runs)
    assert first == again
    assert (first == other) == (model == "KAN" and protocol == "published")


def test_the_global_generator_is_neither_read_nor_moved(toy):
    torch.manual_seed(1)
    first = fit.train([spec()], toy())[0]["curves"]
    after = torch.rand(3)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(3), after)
    torch.manual_seed(2)
    assert fit.train([spec()], toy())[0]["curves"] == first


@pytest.fixture
def batches(monkeypatch):
    """What networks see while they train: (model, inputs), in order."""
    seen = []

    def watching(name, network):
        class Watched(network):
            def forward(self, x):
                if self.training:
                    seen.append((name, x.clone()))
                return super().forward(x)

        return Watched

    for name, network in networks.FAMILIES.items():
        monkeypatch.setitem(networks.FAMILIES, name, watching(name, network))
    return seen


def test_all_models_of_a_seed_see_the_same_batches_under_fair(toy, batches):
    for model in MODELS:
        fit.train([spec(model=model, seed=9, epochs=2)], toy())
    by_model = [[x for name, x in batches if name == model] for model in MODELS]
    first, *others = by_model
    assert len(first) == 2 * math.ceil(len(toy().x_train) / 50)
    for other in others:
        assert all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_every_epoch_shows_every_training_row_once_and_nothing_else(toy, batches):
    task = toy()
    fit.train([spec(seed=1, epochs=2), spec(seed=2, epochs=2)], task)
    seen = torch.cat([x for _, x in batches], dim=1)
    rows = len(task.x_train)
    orders = [seen[run, epoch * rows : (epoch + 1) * rows] for run in range(2) for epoch in range(2)]
    expected = sorted(task.x_train.tolist())
    assert all(sorted(order.tolist()) == expected for order in orders)
    assert not any(torch.equal(orders[i], orders[j]) for i in range(4) for j in range(i))


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


def test_metrics_are_what_the_trained_network_gives(toy, trained):
    task = toy()
    (record,) = fit.train([spec()], task)
    with torch.no_grad():
        error = trained[0].eval()(task.x_test)[0] - task.y_test
    assert record["test_metric_last"] == pytest.approx(error.abs().mean().item(), rel=1e-6)
    assert record["test_rmse_last"] == pytest.approx(error.square().mean().sqrt().item(), rel=1e-6)
    task = toy("classes")
    (record,) = fit.train([spec()], task, evaluation_rows=7)
    with torch.no_grad():
        right = trained[1].eval()(task.x_test)[0].argmax(1) == task.y_test
    assert record["test_metric_last"] == pytest.approx(100 * right.double().mean().item())


def test_a_record_names_its_run_counts_and_origin(toy):
    run = spec(model="KAN")
    (record,) = fit.train([run], toy())
    assert RunSpec.from_dict(record) == run
    assert record["key"] == run.key
    assert (record["domain"], record["metric"]) == ("symbolic", "mae")
    assert (record["input_size"], record["output_size"], record["train_rows"]) == (4, 2, 125)
    assert record["parameters"] == 4 * 7 * 11 + 7 + 7 * 2 * 11 + 2
    assert record["live_parameters"] == record["parameters"] - 4 * 7 - 7 * 2
    assert record["flops"] > record["flops_shared"] > record["flops_local"]
    assert record["device"] == "cpu"
    assert record["torch"] == torch.__version__.split("+")[0]
    assert record["kanbefair"]
    assert record["python"]
    assert record["commit"]
    assert record["train_seconds"] > 0


# ----- optimisers and losses


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("optimizer", "lr", "epochs"), [("adam", 0.05, 15), ("lbfgs", 0.5, 3), ("sgd", 0.5, 25)])
def test_every_optimiser_trains_every_model(toy, optimizer, lr, epochs, model):
    task = toy()
    (record,) = fit.train([spec(model=model, optimizer=optimizer, lr=lr, epochs=epochs)], task)
    constant = task.y_train.var(dim=0).mean().sqrt()
    assert record["diverged"] is None
    assert record["train_rmse_last"] < 0.9 * constant


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


def test_the_network_is_shown_after_its_last_epoch(toy):
    task, states = toy("classes"), []
    runs = [spec(epochs=9, lr=lr, batch_norm=True) for lr in (1.0, 0.1, 0.01)]
    for curve in (True, False):
        records = fit.train(runs, task, train_curve=curve, on_end=lambda network: states.append(network.state_dict()))
    assert min(record["epoch_selected"] for record in records) < 9, "every run is best at the end"
    assert all(torch.equal(values, states[1][name]) for name, values in states[0].items())


def test_the_best_epoch_is_the_first_of_equals_and_never_one_without_a_metric():
    state = torch.zeros(4, 1)
    best = best_epoch.Best("test", 4, [state])
    metrics = [[math.nan, 70, 80, math.nan], [90, 80, 80, math.nan], [90, 80, math.nan, math.nan]]
    losses = [[math.nan, 0.5, 0.4, math.nan], [0.3, 0.6, 0.4, math.nan], [0.3, 0.5, math.nan, math.nan]]
    for epoch, (metric, loss) in enumerate(zip(metrics, losses, strict=True), start=1):
        state.fill_(epoch)
        best.see(epoch, {"test_metric": torch.tensor(metric).double(), "test_loss": torch.tensor(loss).double()})
    assert best.epoch.tolist() == [2, 3, 1, 0]
    with best.restored():
        assert state.squeeze(1).tolist() == [2, 3, 1, 0]
    assert state.squeeze(1).tolist() == [3, 3, 3, 3]


@pytest.mark.parametrize(("widths", "rows"), [((4,), 512), ((40, 64), 256), ((1000,), 128)])
def test_the_wider_a_network_the_fewer_rows_are_evaluated_at_once(toy, widths, rows):
    task = toy("classes")
    assert {evaluation.evaluation_block(models.build([spec(widths=widths)] * runs, task), task) for runs in (1, 9)} == {rows}


def test_the_batch_loss_is_the_mean_over_the_batches_of_an_epoch(toy):
    run, task = spec(model="MLP", lr=1e-12, epochs=2, batch_size=len(toy().x_train)), toy()
    (record,) = fit.train([run], task)  # one batch, and parameters that hardly move
    assert record["curves"]["batch_loss"] == pytest.approx([record["train_rmse_last"] ** 2] * 2, rel=1e-4)
    assert record["batch_loss_last"] == record["curves"]["batch_loss"][-1]


def test_runs_on_several_datasets_need_targets_for_each(toy):
    specs = [RunSpec(dataset=name, model="MLP", widths=(3,), epochs=1) for name in "AB"]
    with pytest.raises(InputError, match="targets for each"):
        fit.train(specs, toy("numbers"))


def test_lbfgs_runs_of_a_stack_are_those_alone(toy):
    runs = [spec(optimizer="lbfgs", lr=lr, seed=seed, epochs=2) for lr, seed in ((0.5, 1), (0.1, 2))]
    counted, shown = [], []
    together = fit.train(runs, toy(), on_epoch=lambda: counted.append(1), on_end=shown.append)
    assert [network.runs for network in shown] == [1, 1]
    assert [r["curves"] for r in together] == [fit.train([run], toy())[0]["curves"] for run in runs]


def test_mean_squared_error_on_classes(toy):
    (record,) = fit.train([spec(loss="mse", epochs=15, lr=0.03)], toy("classes"))
    assert record["loss"] == "mse"
    assert record["train_metric_last"] > 60


def test_cross_entropy_needs_classes(toy):
    with pytest.raises(InputError, match="'cross_entropy' needs classes, but toy numbers has numbers.*use 'mse'"):
        fit.train([spec(loss="cross_entropy")], toy())


def test_on_epoch_is_called_every_epoch(toy):
    calls = []
    fit.train([spec(epochs=4), spec(epochs=4, seed=3)], toy(), on_epoch=lambda: calls.append(1))
    assert len(calls) == 4


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
