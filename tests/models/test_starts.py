"""How the values of a KAN layer start, against the formulas of their sources and against pykan where it is installed."""

import math

import pytest
import torch
from helpers import drawn

from kanbefair.models.activations import activation
from kanbefair.models.spline_layers import KANLinear

WIDE = 300
"""Inputs and outputs of a layer large enough to measure standard deviations to a per cent or so."""


def layer(start, inputs=WIDE, outputs=WIDE, grid=5, order=3, shortcut="silu", **options):
    ends = [(-1.0, 1.0)] * 3
    base = None if shortcut is None else activation(shortcut)
    return drawn(KANLinear(inputs, outputs, grid=grid, order=order, grid_ranges=ends, shortcut=base, start=start, **options))


def test_power_law():
    found = layer("power_law")
    assert found.base.std().item() == pytest.approx((WIDE * 9) ** -0.25, rel=0.02)
    assert found.coefficients.std().item() == pytest.approx((WIDE * 9) ** -1.75, rel=0.02)
    assert found.base.mean().item() == pytest.approx(0, abs=1e-3)
    assert (found.scale == 1).all()


def test_power_law_without_a_shortcut_has_a_term_less():
    found = layer("power_law", shortcut=None)
    assert found.coefficients.std().item() == pytest.approx((WIDE * 8) ** -1.75, rel=0.02)
    mixed = layer("power_law", with_shortcut=[True, False, True])
    terms = [round(own.std().item() ** (-1 / 1.75) / WIDE) for own in mixed.coefficients]
    assert terms == [9, 8, 9]


def test_pykans_start_has_mean_zero():
    found = layer("pykan")
    edge = 1 / math.sqrt(WIDE)
    assert found.base.mean().item() == pytest.approx(0, abs=edge / 100)
    assert found.base.abs().max().item() == pytest.approx(edge, rel=1e-3)
    assert found.base.std().item() == pytest.approx(edge / math.sqrt(3), rel=0.02)
    assert found.scale.unique().tolist() == pytest.approx([edge])


def test_pykans_start_is_pykans():
    kan = pytest.importorskip("kan.KANLayer", reason="pykan, an extra, is not installed")
    torch.manual_seed(0)
    theirs = kan.KANLayer(WIDE, WIDE, num=5, k=3, noise_scale=0.3)
    found = layer("pykan")
    assert found.base.std().item() == pytest.approx(theirs.scale_base.std().item(), rel=0.02)
    assert found.scale.unique().item() == pytest.approx(theirs.scale_sp.unique().item())
    own, other = found.coefficients[0], theirs.coef.permute(0, 2, 1)
    torch.testing.assert_close(own.std((0, 2)), other.std((0, 2)), rtol=0.05, atol=0)


def test_the_papers_start_is_the_default():
    assert torch.equal(layer(None).base, layer("paper").base)
    assert layer(None).base.mean().item() == pytest.approx(1 / math.sqrt(WIDE) - 0.1, abs=1e-3)
