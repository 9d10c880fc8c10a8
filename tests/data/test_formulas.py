"""Functions in named families: their values, points, scaling and noise."""

import csv
import math

import numpy
import pytest
import torch
from helpers import SHARED
from scipy import special, stats

from kanbefair import data
from kanbefair.data import formulas
from kanbefair.data.task import together

FEYNMAN_SET = SHARED / "reference/feynman.csv"
BY_VARIABLES = {d: [name for name, formula in formulas.FORMULAS.items() if len(formula.ranges) == d] for d in (1, 2, 3, 4, 5)}


def value(name, *variables):
    """The function at one point of its variables."""
    return float(formulas.FORMULAS[name].function(*map(numpy.float64, variables)))


def test_families_have_as_many_members_as_promised():
    assert {family: len(names) for family, names in formulas.FAMILIES.items()} == {
        "paper": 13,
        "Feynman": 24,
        "piecewise": 4,
        "singular": 4,
        "oscillating": 4,
        "noisy": 4,
    }
    members = [name for names in formulas.FAMILIES.values() for name in names]
    assert len(members) == len(set(members)) and set(members) <= set(data.names("symbolic", embedded=True))
    assert {d: len(names) for d, names in BY_VARIABLES.items()} == {1: 9, 2: 12, 3: 8, 4: 7, 5: 4}


def test_feynman_formulas_and_ranges_are_those_of_the_set():
    if not FEYNMAN_SET.is_file():
        pytest.skip(f"{FEYNMAN_SET} is not here")
    rows = {}
    with FEYNMAN_SET.open(newline="") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["name"], row)  # I.18.4 is there twice; the first is meant
    known = {name: getattr(numpy, name) for name in ("sqrt", "exp", "sin", "cos", "log", "pi")} | {"asin": numpy.arcsin}
    generator = numpy.random.RandomState(1)
    for name, formula in formulas.FEYNMAN.items():
        row = rows[name]
        ranges = [tuple(map(float, pair.split(":"))) for pair in row["ranges"].split(";")]
        assert numpy.array(formula.ranges) == pytest.approx(numpy.array(ranges), rel=1e-5), name
        variables = [generator.uniform(low, high, 500) for low, high in ranges]
        arguments = dict(zip(row["variables"].split(), variables, strict=True))
        expected = eval(row["formula"], {"__builtins__": {}}, known | arguments)
        numpy.testing.assert_allclose(formula.function(*variables), expected, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("name", "variables", "expected"),
    [
        ("I.6.20a", (1.5,), stats.norm.pdf(1.5)),
        ("I.6.20", (0.5, 2), stats.norm.pdf(0.5, scale=2)),
        ("I.26.2", (0.5, math.pi / 2), math.pi / 6),
        ("II.3.24", (math.pi, 0.5), 1),
        ("II.11.28", (1, 1), 2.5),
        ("I.16.6", (0.5, 0.5, 1), 0.8),
        ("I.27.6", (0.5, 1, 2), 1 / 4),
        ("I.30.3", (0.5, 2, math.pi / 2), 1),
        ("I.30.5", (0.75, 1.5, 1), math.pi / 6),
        ("I.37.4", (0.25, 1, math.pi / 3), 1.75),
        ("I.47.23", (0.5, 1, 2), 0.5),
        ("III.8.54", (math.pi, 0.5, 2), 0.5),
        ("III.17.37", (0.5, 0.5, math.pi / 3), 0.625),
        ("I.15.3x", (1, 0.6, 0.5, 1), 0.875),
        ("I.18.4", (0.5, 1, 1, 0.25), 0.5),
        ("I.29.16", (0.3, 0.4, math.pi / 2, 0), 0.5),
        ("I.50.26", (0.5, 0.5, math.pi, 1), -0.25),
        ("II.38.3", (0.5, 0.8, 1, 0.5), 0.8),
        ("III.4.33", (1, 1, 2, 0.5), 1 / (math.e - 1)),
        ("III.10.19", (0.5, 0.2, 0.3, 0.6), 0.35),
        ("I.12.11", (0.5, 0.5, 1, -0.25, math.pi / 2), 0.125),
        ("I.13.12", (1, 0.5, 0.5, 2, 0.5), 0.375),
        ("I.44.4", (1, 0.5, 0.5, 0.5, math.e / 2), 0.25),
        ("II.35.18", (1, 1, 1, 2, 0.5), 1 / (2 * math.cosh(1))),
    ],
)
def test_feynman_formulas_by_hand(name, variables, expected):
    assert value(f"Feynman_{name}", *variables) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "variables", "expected"),
    [
        ("Piecewise_kinks", (-0.37,), -1.2),
        ("Piecewise_kinks", (0.23,), 0.6),
        ("Piecewise_kinks", (0.73,), 0.1),
        ("Piecewise_steps", (-0.5,), math.sin(-1)),
        ("Piecewise_steps", (0,), 1),
        ("Piecewise_steps", (0.5,), math.sin(1) - 1),
        ("Piecewise_stairs", (0.5, 0.5), 2),
        ("Piecewise_stairs", (-0.1, 0.1), -1),
        ("Piecewise_regimes", (0.1, 0.6), math.cos(0.3)),
        ("Piecewise_regimes", (0.1, 0.7), 0.6),
        ("Singular_log", (0.27 + math.exp(-3),), -3),
        ("Singular_root", (-0.29 - 1 / 256,), 2),
        ("Singular_cusp", (0.67, 0.5), math.sqrt(0.8)),
        ("Singular_pole", (0.3, -0.37), 0.05**-0.25),
        ("Oscillating_chirp", (-0.75,), math.sqrt(0.5)),
        ("Oscillating_coherent", (0.13 - 1 / (3 * math.pi),), -1 / (3 * math.pi)),
        ("Oscillating_product", (0.1, 1 / 6), 1),
        ("Oscillating_rings", (0.06, 0.08), special.jv(0, 2)),
        ("Noisy_sine", (0.25,), 1),
        ("Noisy_sigmoid", (-0.25,), math.tanh(-1)),
        ("Noisy_exp_sin", (0.5, 1), math.e**2),
        ("Noisy_product", (0.5, -0.5), -0.25),
    ],
)
def test_irregular_and_noisy_functions_by_hand(name, variables, expected):
    assert value(name, *variables) == pytest.approx(expected, rel=1e-9)


def test_variables_are_scaled_to_their_ranges():
    formula = formulas.Formula(lambda a, b: a + 100 * b, ((0.5, 2), (-1, 0)))
    assert formula.at(numpy.array([[-1, -1], [0, 0], [1, 1]])).tolist() == [0.5 - 100, 1.25 - 50, 2]


@pytest.mark.parametrize("protocol", data.PROTOCOLS)
@pytest.mark.parametrize("names", BY_VARIABLES.values(), ids=BY_VARIABLES)
def test_functions_of_equally_many_variables_are_learned_together(names, protocol):
    tasks = [data.load(name, protocol=protocol) for name in names]
    joined = together(tasks)
    assert joined.y_train.shape == (len(names), 1000, 1)
    assert torch.equal(joined.x_test, tasks[-1].x_test) and torch.equal(joined.y_test[-1], tasks[-1].y_test)
    assert len(joined.y_train.flatten(1).unique(dim=0)) == len(names)  # no function twice
    assert len(joined.x_valid) == (1000 if protocol == "fair" else 0)


@pytest.mark.parametrize("name", formulas.FORMULAS)
def test_targets_are_the_function_of_the_inputs_in_deviations_of_the_training_part(name):
    task = data.load(name)
    formula = formulas.FORMULAS[name]
    assert task.x_train.shape == (1000, len(formula.ranges)) and 0.99 < task.x_train.abs().max() < 1
    values = {part: formula.at(task.part(part)[0].double().numpy()) for part in task.parts}
    mean, deviation = values["train"].mean(), values["train"].std()
    for part in task.parts:
        y = task.part(part)[1].numpy()[:, 0]
        residual = y - (values[part] - mean) / deviation
        noise = formulas.NOISE.get(name, 0) if part != "test" else 0
        assert (y**2).max() < 0.1 * (y**2).sum()  # no row decides the error
        if noise:
            assert residual.std() == pytest.approx(noise, rel=0.1)
            assert stats.kstest(residual / noise, "norm").pvalue > 1e-3
        else:
            assert numpy.abs(residual).max() < 1e-5
    if name not in formulas.NOISE:
        assert task.y_train.mean().abs() < 1e-5 and task.y_train.std(correction=0) == pytest.approx(1, abs=1e-5)


def test_noise_is_between_a_tenth_and_three_tenths_and_different_for_each_function_and_part():
    assert list(formulas.NOISE) == formulas.FAMILIES["noisy"]
    assert all(0.1 <= share <= 0.3 for share in formulas.NOISE.values())
    drawn = []
    for name, share in formulas.NOISE.items():
        task, clean = data.load(name), formulas.FORMULAS[name]
        values = [clean.at(x.double().numpy()) for x in (task.x_train, task.x_valid)]
        for y, own in zip((task.y_train, task.y_valid), values, strict=True):
            drawn.append((y[:, 0].numpy() - (own - values[0].mean()) / values[0].std()) / share)
    correlations = numpy.corrcoef(drawn) - numpy.eye(8)
    assert numpy.abs(correlations).max() < 0.15


@pytest.mark.parametrize("name", ["Feynman_I.6.20", "Noisy_sine"])
def test_published_points_and_noise_are_drawn_from_the_seed(name):
    first, again, other = (data.load(name, protocol="published", seed=seed) for seed in (1, 1, 2))
    assert first.digest == again.digest and first.parts == ["train", "test"]
    for part in first.parts:
        assert not any(torch.equal(*pair) for pair in zip(first.part(part), other.part(part), strict=True))
    assert data.load(name, seed=1).digest == data.load(name, seed=2).digest


def test_no_point_of_a_part_is_in_another():
    for names in BY_VARIABLES.values():
        task = data.load(names[0])
        points = [set(map(tuple, task.part(part)[0].tolist())) for part in task.parts]
        assert len(points[0] | points[1] | points[2]) == 3000
