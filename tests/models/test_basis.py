import numpy
import pytest
import torch
from scipy.interpolate import BSpline

from kanbefair.models.basis import basis, blending_matrix, fit_coefficients, local_basis, locate
from kanbefair.models.kan import fit_as_released

ORDERS = [2, 3, 5]
GRIDS = [3, 5, 10, 20, 50]
RANGES = [(-1.0, 1.0), (-2.0, 2.0), (-4.0, 4.0), (0.3, 1.7)]
PAPER = [(order, grid) for order in ORDERS for grid in GRIDS]


def scipy_splines(low, high, grid, order) -> BSpline:
    """All G+K bases as one vector-valued spline. K more knots with coefficient 0 on both sides make the whole extended
    grid scipy's base interval; outside it the values are NaN."""
    knots = low + (high - low) / grid * numpy.arange(-2 * order, grid + 2 * order + 1)
    zeros = numpy.zeros((order, grid + order))
    return BSpline(knots, numpy.vstack([zeros, numpy.eye(grid + order), zeros]), order, extrapolate=False)


def points(low, high, grid, order) -> numpy.ndarray:
    """Points within the grid, in its extension and outside; every knot, and both ends with their neighbours in float."""
    step = (high - low) / grid
    spread = numpy.random.RandomState(order * 100 + grid).uniform(low - (order + 2) * step, high + (order + 2) * step, 200)
    knots = low + step * numpy.arange(-order, grid + order + 1)
    ends = [numpy.nextafter(end, way) for end in (low, high) for way in (-9, end, 9)]
    return numpy.concatenate([spread, knots, ends, [low - 100, high + 100]])


@pytest.mark.parametrize("ends", RANGES)
@pytest.mark.parametrize(("order", "grid"), [*PAPER, (1, 4), (4, 6)])
def test_values_are_scipys(order, grid, ends):
    x = points(*ends, grid, order)
    expected = numpy.nan_to_num(scipy_splines(*ends, grid, order)(x))
    table = basis(torch.from_numpy(x), *ends, grid, order)
    assert table.shape == (len(x), grid + order)
    numpy.testing.assert_allclose(table, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize(("order", "grid"), PAPER)
def test_single_precision_is_near(order, grid):
    x = points(-1, 1, grid, order).astype(numpy.float32)
    expected = numpy.nan_to_num(scipy_splines(-1, 1, grid, order)(x.astype(float)))
    table = basis(torch.from_numpy(x), -1.0, 1.0, grid, order)
    assert table.dtype == torch.float32
    numpy.testing.assert_allclose(table, expected, rtol=0, atol=3e-5)


@pytest.mark.parametrize("ends", [(-1.0, 1.0), (0.3, 1.7)])
@pytest.mark.parametrize(("order", "grid"), PAPER)
def test_derivative_is_scipys(order, grid, ends):
    x = torch.from_numpy(points(*ends, grid, order)).requires_grad_()
    coefficients = numpy.random.RandomState(0).randn(grid + order)
    (basis(x, *ends, grid, order) @ torch.from_numpy(coefficients)).sum().backward()
    expected = numpy.nan_to_num(scipy_splines(*ends, grid, order).derivative()(x.detach().numpy())) @ coefficients
    numpy.testing.assert_allclose(x.grad, expected, rtol=1e-9, atol=1e-9 * grid)


@pytest.mark.parametrize("order", [2, 3, 5])
def test_gradcheck(order):
    x = torch.linspace(-1.9, 1.9, 13, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: basis(x, -1.0, 1.0, 4, order), x)


@pytest.mark.parametrize(("order", "grid"), PAPER)
def test_bases_share_out_one_on_the_grid(order, grid):
    x = torch.linspace(-1, 1, 301, dtype=torch.float64)
    table = basis(x, -1.0, 1.0, grid, order)
    assert (table >= -1e-15).all()
    assert ((table > 0).sum(-1) <= order + 1).all()
    torch.testing.assert_close(table.sum(-1), torch.ones_like(x))


@pytest.mark.parametrize("order", ORDERS)
def test_outside_the_extended_grid_all_is_zero(order):
    reach = 1 + order * 2 / 5
    x = torch.tensor([-reach - 1e-3, reach + 1e-3, 1e9, float("inf"), float("-inf")], requires_grad=True)
    table = basis(x, -1.0, 1.0, 5, order)
    table.sum().backward()
    assert (table == 0).all()
    assert (x.grad[:3] == 0).all()


def test_local_basis_names_the_bases_that_are_not_zero():
    x = torch.linspace(-2, 2, 50, dtype=torch.float64).reshape(5, 10)
    number, values = local_basis(x, -1.0, 1.0, 5, 3)
    assert number.shape == values.shape == (5, 10, 4)
    full = basis(x, -1.0, 1.0, 5, 3)
    exists = number < 8
    assert (values[~exists] == 0).all()
    rebuilt = torch.zeros(5, 10, 9, dtype=torch.float64).scatter(-1, number, values)[..., :8]
    assert torch.equal(rebuilt, full)


def test_locate():
    interval, fraction, outside = locate(torch.tensor([-1.0, -0.75, 0.0, 5.0, float("nan")]), -1.0, 1.0, 4, 2)
    assert interval[:3].tolist() == [2, 2, 4]
    assert fraction[:3].tolist() == [0.0, 0.5, 0.0]
    assert outside.tolist() == [False, False, False, True, False]
    assert interval[4] == 0 and fraction[4].isnan()


@pytest.mark.parametrize("order", [2, 3, 5])
def test_at_nan_a_basis_and_its_slope_are_nan(order):
    x = torch.tensor([float("nan"), 0.0], requires_grad=True)
    table = basis(x, -1.0, 1.0, 5, order)
    table.sum().backward()
    assert table.isnan().any(-1).tolist() == x.grad.isnan().tolist() == [True, False]


def test_a_table_first_made_within_a_transform_is_an_ordinary_tensor():
    slopes = torch.func.vmap(torch.func.grad(lambda x: basis(x, 0.0, 1.0, 3, 7)[4]))(torch.rand(4))
    assert slopes.shape == (4,)
    assert not torch._C._functorch.is_functorch_wrapped_tensor(blending_matrix(7, torch.float32, torch.device("cpu")))


def test_each_value_can_have_its_own_range():
    x = torch.rand(3, 4, dtype=torch.float64)
    low, high = torch.tensor([-1.0, -2.0, 0.0]).double()[:, None], torch.tensor([1.0, 2.0, 1.0]).double()[:, None]
    together = basis(x, low, high, 5, 3)
    for run in range(3):
        torch.testing.assert_close(together[run], basis(x[run], float(low[run]), float(high[run]), 5, 3))


def test_blending_matrix_of_a_cubic():
    known = torch.tensor([[1, 4, 1, 0], [-3, 0, 3, 0], [3, -6, 3, 0], [-1, 3, -3, 1]], dtype=torch.float64) / 6
    torch.testing.assert_close(blending_matrix(3), known)


@pytest.mark.parametrize(("order", "grid"), PAPER)
def test_fitted_coefficients_go_through_the_noise_with_the_least_norm(order, grid):
    noise = torch.randn(6, grid + 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    at_points = scipy_splines(0, grid, grid, order)(numpy.arange(grid + 1.0))
    expected = numpy.linalg.lstsq(at_points, noise.numpy().T, rcond=None)[0].T
    found = fit_coefficients(noise, grid, order)
    numpy.testing.assert_allclose(found, expected, atol=1e-8)
    numpy.testing.assert_allclose(found.numpy() @ at_points.T, noise, atol=1e-8)


@pytest.mark.parametrize(("order", "grid"), PAPER)
def test_the_released_start_is_reproducible_and_its_first_spline_exact_where_asked(order, grid):
    noise = torch.rand(5, grid + 1, generator=torch.Generator().manual_seed(0)) * 0.1 / grid
    found = fit_as_released(noise, grid, order, first_exact=True)
    assert torch.equal(found, fit_as_released(noise, grid, order, first_exact=True))
    torch.testing.assert_close(found[0], fit_coefficients(noise[0], grid, order))
    assert torch.equal(found[1:], fit_as_released(noise, grid, order, first_exact=False)[1:])


def test_shared_values_can_meet_several_ranges():
    x = torch.linspace(-1.5, 1.5, 12).reshape(6, 2)
    low, high = torch.tensor([-1.0, -2.0, 0.0])[:, None, None], torch.tensor([1.0, 2.0, 1.0])[:, None, None]
    together = basis(x, low, high, 5, 3)
    assert together.shape == (3, 6, 2, 8)
    for run in range(3):
        torch.testing.assert_close(together[run], basis(x, float(low[run]), float(high[run]), 5, 3))
