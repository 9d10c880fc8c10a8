"""Layers of other packages: which are measured, and that they compute what ours does."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from kanbefair.models.basis import basis
from kanbefair.studies.speed import layers, other_layers
from kanbefair.studies.speed.design import Size


def test_absent_peers_are_named_with_the_extra_that_brings_them(monkeypatch):
    monkeypatch.setattr(other_layers, "installed", lambda peer: peer.package == "inkan")
    assert list(other_layers.available()) == ["inkan"]
    assert other_layers.note() == (
        "Not measured, as not installed: pykan, efficient-kan. They come with the extra `speed`: pip install -e '.[speed]'."
    )


def test_peers_that_are_there_are_named(monkeypatch):
    monkeypatch.setattr(other_layers, "installed", lambda peer: True)
    assert other_layers.note() == "Peers measured: pykan, efficient-kan, inkan."


def test_whether_a_package_is_installed():
    torch_like, missing = (other_layers.Peer(name, "", None, None, None) for name in ("torch", "no-such-package"))
    assert other_layers.installed(torch_like)
    assert not other_layers.installed(missing)


def test_a_peer_competes_where_it_knows_the_order(monkeypatch):
    linear = other_layers.Peer(
        "", "torch", lambda module, i, o, g, k: module.nn.Linear(i, o), None, lambda f, x: f(x), orders=(3,)
    )
    monkeypatch.setattr(other_layers, "available", lambda: {"peer": linear})
    sizes = Size(2, 5, 3, 4, 3), Size(2, 5, 3, 4, 2)
    assert ["peer" in layers.contestants(size, "silu", "cpu") for size in sizes] == [True, False]
    assert "peer" not in layers.contestants(sizes[0], None, "cpu")
    assert layers.contestants(sizes[0], "silu", "cpu")["peer"][1](torch.zeros(2, 5)).shape == (2, 3)


class StandIn(nn.Module):
    """A cubic layer on 5 intervals with the values of a peer under the names and in the layout of its package."""

    def __init__(self, **shapes):
        super().__init__()
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.zeros(shape)))


def spline_and_base(x, coefficients, scale, base):
    """Outputs (B, out) of inputs (B, in): coefficients (in, out, G+K), scale and base (in, out)."""
    table = basis(x, -1.0, 1.0, 5, 3)
    return torch.einsum("big,iog,io->bo", table, coefficients, scale) + functional.silu(x) @ base


STAND_INS = {
    "pykan": (
        StandIn(coef=(7, 4, 8), scale_sp=(7, 4), scale_base=(7, 4)),
        lambda layer, x: spline_and_base(x, layer.coef, layer.scale_sp, layer.scale_base),
    ),
    "efficient-kan": (
        StandIn(spline_weight=(1, 4, 7, 8), spline_scaler=(1, 4, 7), base_weight=(1, 4, 7)),
        lambda layer, x: spline_and_base(
            x, layer.spline_weight[0].transpose(0, 1), layer.spline_scaler[0].T, layer.base_weight[0].T
        ),
    ),
    "inkan": (
        StandIn(weight=(4, 7 * 8 + 7)),
        lambda layer, x: spline_and_base(
            x,
            layer.weight[:, : 7 * 8].unflatten(1, (7, 8)).transpose(0, 1),
            torch.ones(7, 4),
            layer.weight[:, 7 * 8 :].T,
        ),
    ),
}
"""What each package keeps where, and how its layer computes."""


@pytest.mark.parametrize("name", other_layers.PEERS)
def test_our_values_laid_out_as_a_peers_give_our_outputs(name):
    layer, call = STAND_INS[name]
    ours = layers.kan(Size(1, 7, 4, 5, 3), "silu")
    other_layers.PEERS[name].copy(layer, ours)
    x = torch.rand(50, 7) * 1.98 - 0.99
    torch.testing.assert_close(call(layer, x), ours(x)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", other_layers.PEERS)
@pytest.mark.parametrize(("grid", "order"), [(5, 3), (8, 2)])
def test_a_peer_with_our_values_gives_our_outputs_on_the_grid(name, grid, order):
    peer = other_layers.PEERS[name]
    if not other_layers.installed(peer):
        pytest.skip(f"{peer.package} is not installed (extra `speed`)")
    if order not in peer.orders:
        with pytest.raises(ValueError, match="spline_order"):
            peer.layer(7, 4, grid, order)
        return
    ours = layers.kan(Size(1, 7, 4, grid, order), "silu")
    layer = peer.layer(7, 4, grid, order)
    peer.copy(layer, ours)
    x = torch.rand(50, 7) * 1.98 - 0.99
    torch.testing.assert_close(peer.call(layer, x), ours(x)[0], rtol=1e-4, atol=1e-5)
