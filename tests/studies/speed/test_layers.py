"""One layer beside `nn.Linear` of equally many parameters."""

import pytest
import torch

from kanbefair.models import compiled
from kanbefair.studies.speed import layers, other_layers
from kanbefair.studies.speed.design import Size
from kanbefair.studies.speed.layers import LINEAR, OURS, PASSES, PLAIN

SMALL = Size(6, 5, 3, 4, 2)


@pytest.fixture(autouse=True)
def no_peers(monkeypatch):
    monkeypatch.setattr(other_layers, "available", dict)


@pytest.mark.parametrize("shortcut", [None, "silu"])
def test_contestants_have_equally_many_parameters(shortcut):
    found = layers.contestants(Size(4, 7, 9, 5, 3), shortcut, "cpu")
    counts = {name: sum(p.numel() for p in layer.parameters()) for name, (layer, _) in found.items()}
    assert set(counts) == {LINEAR, OURS, PLAIN}
    assert counts[OURS] == 7 * 9 * (5 + 3 + 1 + (shortcut is not None)) + 9
    assert abs(counts[LINEAR] - counts[OURS]) <= (7 + 1) / 2


def test_our_two_forms_are_the_same_layer():
    found = layers.contestants(SMALL, "silu", "cpu")
    x = torch.randn(6, 5)
    torch.testing.assert_close(found[OURS][1](x), found[PLAIN][1](x))
    assert found[OURS][0] is found[PLAIN][0]


def test_the_plain_contestant_is_plain(monkeypatch):
    forward = layers.contestants(SMALL, None, "cpu")[PLAIN][1]
    monkeypatch.setattr(compiled, "kan_linear", None)
    assert forward(torch.randn(6, 5)).shape == (1, 6, 3)


def test_passes_make_the_gradients_that_they_name():
    layer, x = torch.nn.Linear(5, 3), torch.randn(6, 5)
    layer.register_parameter("unused", torch.nn.Parameter(torch.zeros(1)))
    weight, bias, inputs = x.sum(0).expand(3, 5), torch.full((3,), 6.0), layer.weight.sum(0).expand(6, 5)
    expected = {PASSES[0]: [], PASSES[1]: [weight, bias], PASSES[2]: [weight, bias, inputs]}
    for kind, values in expected.items():
        run = layers.one_pass(kind, layer, layer, x)
        for found in (run(), run()):
            torch.testing.assert_close([g for g in found if g is not None], values)
    assert layer.weight.grad is None
    assert x.grad is None


def test_the_comparison_is_one_row_per_size_shortcut_pass_and_layer():
    table = layers.compare([SMALL, SMALL._replace(rows=3)], repeats=2)
    names = ["rows", "shortcut", "pass", "layer"]
    assert len(table) == 2 * 2 * 3 * 3 == len(table[names].drop_duplicates())
    assert (table["median_ms"] > 0).all()
    assert (table["low_ms"] <= table["median_ms"]).all() and (table["median_ms"] <= table["high_ms"]).all()
    assert (table.loc[table["layer"] == LINEAR, "ratio"] == 1).all()
    assert (table["threads"] == 1).all()
    assert table["machine"].notna().all()


def test_growth_starts_at_one_and_names_what_varies():
    chosen = {"G": [SMALL, SMALL._replace(grid=9)], "stack": [SMALL, SMALL._replace(runs=4)]}
    table = layers.growth(chosen, repeats=2)
    assert table.groupby("varied")["value"].unique().map(list).to_dict() == {"G": [4, 9], "stack": [1, 4]}
    smallest = table[table["value"] == table.groupby("varied")["value"].transform("min")]
    assert (smallest["times"] == 1).all()
    assert (table["median_ms"] > 0).all()
