"""KAN layers of other packages, each behind a thin adapter. They come with the extra `speed` and are absent by default."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import torch
from torch import Tensor, nn

from kanbefair.models.spline_layers import KANLinear


def _pykan(module: object, inputs: int, outputs: int, grid: int, order: int) -> nn.Module:
    return module.KANLayer(inputs, outputs, num=grid, k=order)


def _load_pykan(layer: nn.Module, coefficients: Tensor, scale: Tensor, base: Tensor) -> None:
    layer.coef.copy_(coefficients.transpose(1, 2))
    layer.scale_sp.copy_(scale)
    layer.scale_base.copy_(base)


def _efficient(module: object, inputs: int, outputs: int, grid: int, order: int) -> nn.Module:
    return module.KANLinear(inputs, outputs, grid, order)


def _load_efficient(layer: nn.Module, coefficients: Tensor, scale: Tensor, base: Tensor) -> None:
    layer.spline_weight.copy_(coefficients.permute(2, 0, 1).unsqueeze(0))
    layer.spline_scaler.copy_(scale.T.unsqueeze(0))
    layer.base_weight.copy_(base.T.unsqueeze(0))


def _inkan(module: object, inputs: int, outputs: int, grid: int, order: int) -> nn.Module:
    return module.KANLayer(inputs, outputs, grid, order)


def _load_inkan(layer: nn.Module, coefficients: Tensor, scale: Tensor, base: Tensor) -> None:
    spline = (coefficients * scale.unsqueeze(1)).permute(2, 0, 1).flatten(1)
    layer.weight.copy_(torch.cat([spline, base.T], dim=1))


@dataclass(frozen=True)
class Peer:
    """Another package's layer on the grid range (−1, 1) with a silu shortcut.

    Args:
        package: name on PyPI.
        module: the module that has the layer.
        build: `build(module, inputs, outputs, grid, order)` makes a layer.
        load: `load(layer, coefficients, scale, base)` gives it those values, laid out as one run of our layer.
        call: `call(layer, x)` maps (B, in) to (B, out).
        orders: the spline orders that it knows.
    """

    package: str
    module: str
    build: Callable[..., nn.Module]
    load: Callable[..., None]
    call: Callable[[nn.Module, Tensor], Tensor]
    orders: tuple[int, ...] = (1, 2, 3, 4, 5)

    def layer(self, inputs: int, outputs: int, grid: int, order: int) -> nn.Module:
        """A new layer with its own initial values."""
        return self.build(importlib.import_module(self.module), inputs, outputs, grid, order)

    @torch.no_grad()
    def copy(self, layer: nn.Module, ours: KANLinear) -> None:
        """Give `layer` the values of the only run of `ours`, whose bias must be zero: other packages' layers have none."""
        self.load(layer, ours.coefficients[0], ours.scale[0], ours.base[0])


PEERS = {
    "pykan": Peer("pykan", "kan", _pykan, _load_pykan, lambda layer, x: layer(x)[0]),
    "efficient-kan": Peer("convkan", "convkan", _efficient, _load_efficient, lambda layer, x: layer(x.unsqueeze(0)).squeeze(0)),
    "inkan": Peer("inkan", "inkan", _inkan, _load_inkan, lambda layer, x: layer(x), orders=(3,)),
}
"""The KAN paper's own layer; that of efficient-kan, which is on PyPI within convkan; and a fast one of order 3."""


def installed(peer: Peer) -> bool:
    """Whether the peer's package is installed."""
    try:
        return bool(version(peer.package))
    except PackageNotFoundError:
        return False


def available() -> dict[str, Peer]:
    """The peers whose packages are installed."""
    return {name: peer for name, peer in PEERS.items() if installed(peer)}


def note() -> str:
    """One sentence on which peers are measured, and how to get those that are not."""
    there = available()
    absent = [name for name in PEERS if name not in there]
    if not absent:
        return f"Peers measured: {', '.join(there)}."
    return f"Not measured, as not installed: {', '.join(absent)}. They come with the extra `speed`: pip install -e '.[speed]'."
