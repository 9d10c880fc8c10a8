import math

import pytest
import torch
from helpers import MODELS, spec

from kanbefair.models import networks
from kanbefair.training import fit


@pytest.mark.parametrize("protocol", ["published", "fair"])
@pytest.mark.parametrize("model", MODELS)
def test_a_seed_decides_everything(toy, model, protocol):
    task = toy("numbers", protocol)
    runs = [spec(model=model, protocol=protocol, seed=seed) for seed in (5, 5, 6)]
    first, again, other = (fit.train([run], task)[0]["curves"] for run in runs)
    assert first == again
    assert (first == other) == (model == "KAN" and protocol == "published")


def test_a_published_kan_starts_from_seed_0_whatever_its_seed(toy):
    task = toy("numbers", "published")
    records = [fit.train([spec(model="KAN", protocol="published", seed=seed)], task)[0] for seed in (0, 521, 1314)]
    assert records[0]["curves"] == records[1]["curves"] == records[2]["curves"]
    fair = [fit.train([spec(model="KAN", seed=seed)], toy())[0] for seed in (521, 1314)]
    assert fair[0]["curves"] != fair[1]["curves"]


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
