"""The spline layers as compiled operators for the CPU, built once a machine and kept in a cache folder.

The operators evaluate only the K+1 non-zero bases at each input and add up in an order that depends on the layer's
shape and the values alone: a run's result is bitwise the same whatever else is in the stack, and whether its input is
shared. Where they cannot be built (`library`), `prepare()` is False after one notice, and the layers take their plain form.
So they do where more than values and gradients is asked for (`watched`); gradients of gradients, too, are of the plain form.

Environment: KANBEFAIR_FUSED=0 turns the operators off; the library is kept in KANBEFAIR_CACHE, else
XDG_CACHE_HOME/kanbefair, else ~/.cache/kanbefair.
"""

import contextlib
import logging
import os
from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import Parameter

from kanbefair.models import library

MAX_ORDER = 5
MAX_INTERVALS = 254
SHORTCUTS = {None: 0, "identity": 1, "silu": 2}
"""Shortcut functions that the operator knows, with their numbers there."""

_turned_off = False


@cache
def _load() -> bool:
    if os.environ.get("KANBEFAIR_FUSED") == "0":
        return False
    try:
        library.load()
    except library.NoLibrary as error:
        logging.getLogger("kanbefair").warning("training takes its slower plain form: %s", error)
        os.environ["KANBEFAIR_FUSED"] = "0"  # worker processes need not try, and say, the same
        return False
    return True


def prepare() -> bool:
    """Build the operators (about half a minute, once a machine) or load them; returns whether they can be used. Call it
    before starting worker processes."""
    return _load()


@contextlib.contextmanager
def plain() -> Iterator[None]:
    """Within this context all layers take their plain form."""
    global _turned_off
    before = _turned_off
    _turned_off = True
    try:
        yield
    finally:
        _turned_off = before


def watched() -> bool:
    """Whether more than values and gradients is asked for: within `torch.compile` and `torch.export`, a transform of
    `torch.func`, forward mode, a dispatch mode."""
    return (
        torch.compiler.is_compiling()
        or torch._C._functorch.maybe_current_level() is not None
        or torch._C._len_torch_dispatch_stack() > 0
        or forward_ad._current_level >= 0
    )


def usable_on(x: Tensor) -> bool:
    """Whether there are operators for tensors like x, on the CPU, float32 or float64, where nothing is `watched`."""
    known = x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64) and type(x) in (Tensor, Parameter)
    return not _turned_off and not watched() and known and _load()


def form(device: torch.device) -> str:
    """Which form of the layers computes float32 tensors on `device`: "compiled" or "plain"."""
    return "compiled" if device.type == "cpu" and not _turned_off and _load() else "plain"


def usable(x: Tensor, coefficients: Tensor, grid: int, order: int) -> bool:
    """Whether there is a spline operator for these tensors: as `usable_on`, order up to 5, G+2K up to 254."""
    known = order <= MAX_ORDER and grid + 2 * order <= MAX_INTERVALS
    return known and x.dtype == coefficients.dtype and usable_on(x)


def kan_linear(
    x: Tensor,
    coefficients: Tensor,
    scale: Tensor,
    base: Tensor | None,
    bias: Tensor,
    low: Tensor,
    high: Tensor,
    *,
    grid: int,
    order: int,
    shortcut: str | None,
) -> Tensor:
    """bias_j + Σ_i base_ij·b(x_i) + scale_ij·Σ_g c_igj·B_g(x_i) for each of S runs.

    x is (B, in) or (S, B, in), c (S, in, G+K, out), scale and base (S, in, out), bias (S, out); low and high, the ends
    of the grid, hold S values; b is one of `SHORTCUTS` and has no base if None. Returns (S, B, out).
    """
    base = bias.new_empty(0) if base is None else base
    return torch.ops.kanbefair.kan_linear(x, coefficients, scale, base, bias, low, high, grid, order, SHORTCUTS[shortcut])


def spline_activation(x: Tensor, coefficients: Tensor, low: Tensor, high: Tensor, *, grid: int, order: int) -> Tensor:
    """Σ_g c_ig·B_g(x_i) for each of S runs: x (B, in) or (S, B, in), c (S, in, G+K), to (S, B, in)."""
    return torch.ops.kanbefair.spline_activation(x, coefficients, low, high, grid, order)
