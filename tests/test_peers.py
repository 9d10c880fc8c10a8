import pytest
import torch

from kanbefair import layer_speed, peers
from kanbefair.layer_speed import Size


def test_absent_peers_are_named_with_the_extra_that_brings_them(monkeypatch):
    monkeypatch.setattr(peers, "installed", lambda peer: peer.package == "inkan")
    assert list(peers.available()) == ["inkan"]
    assert peers.note() == (
        "Not measured, as not installed: pykan, efficient-kan. They come with the extra `speed`: pip install -e '.[speed]'."
    )


def test_peers_that_are_there_are_named(monkeypatch):
    monkeypatch.setattr(peers, "installed", lambda peer: True)
    assert peers.note() == "Peers measured: pykan, efficient-kan, inkan."


def test_whether_a_package_is_installed():
    torch_like, missing = (peers.Peer(name, "", None, None, None) for name in ("torch", "no-such-package"))
    assert peers.installed(torch_like)
    assert not peers.installed(missing)


def test_a_peer_competes_where_it_knows_the_order(monkeypatch):
    linear = peers.Peer("", "torch", lambda module, i, o, g, k: module.nn.Linear(i, o), None, lambda f, x: f(x), orders=(3,))
    monkeypatch.setattr(peers, "available", lambda: {"peer": linear})
    sizes = Size(2, 5, 3, 4, 3), Size(2, 5, 3, 4, 2)
    assert ["peer" in layer_speed.contestants(size, "silu", "cpu") for size in sizes] == [True, False]
    assert "peer" not in layer_speed.contestants(sizes[0], None, "cpu")
    assert layer_speed.contestants(sizes[0], "silu", "cpu")["peer"][1](torch.zeros(2, 5)).shape == (2, 3)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", peers.PEERS)
@pytest.mark.parametrize(("grid", "order"), [(5, 3), (8, 2)])
def test_a_peer_with_our_values_gives_our_outputs_on_the_grid(name, grid, order):
    peer = peers.PEERS[name]
    if not peers.installed(peer):
        pytest.skip(f"{peer.package} is not installed (extra `speed`)")
    if order not in peer.orders:
        with pytest.raises(ValueError, match="spline_order"):
            peer.layer(7, 4, grid, order)
        return
    ours = layer_speed.kan(Size(1, 7, 4, grid, order), "silu")
    layer = peer.layer(7, 4, grid, order)
    peer.copy(layer, ours)
    x = torch.rand(50, 7) * 1.98 - 0.99
    torch.testing.assert_close(peer.call(layer, x), ours(x)[0], rtol=1e-4, atol=1e-5)
