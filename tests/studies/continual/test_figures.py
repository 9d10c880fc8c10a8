"""Figures of estimates, splines, matrices and peaks: what is drawn is what the table says."""

import math

import numpy
import pandas
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from kanbefair.studies.ablation import figures
from kanbefair.studies.ablation.design import CURVES, PUBLISHED_TOPS
from kanbefair.studies.continual import figures as continual_figures


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def shown(figure: Figure) -> list:
    """The axes that are to be seen, colour bars left out, after a draw."""
    figure.canvas.draw()
    return [ax for ax in figure.axes if ax.get_visible() and ax.get_label() != "<colorbar>"]


def points(ax) -> set[tuple[float, float]]:
    """All points that carry a marker."""
    lines = [line for line in ax.get_lines() if line.get_marker() not in ("None", "", None)]
    return {
        (round(float(x), 6), round(float(y), 6))
        for line in lines
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }


def test_curves_are_means_with_intervals_and_errors_are_geometric_means():
    rows = [
        (name, metric, variant, size, 10 * size, seed, score * (1 + size))
        for name, metric, scores in (("Special_jv", "mae", (0.001, 0.1)), ("FMNIST", "accuracy", (10.0, 12.0)))
        for variant in CURVES
        for size in (2, 4)
        for seed, score in enumerate(scores)
    ]
    columns = ["dataset", "metric", "variant", "size", "live_parameters", "seed", "score"]
    errors, accuracy = shown(figures.curves(pandas.DataFrame(rows, columns=columns), PUBLISHED_TOPS))
    assert (20.0, 0.03) in points(errors) and (20.0, 33.0) in points(accuracy)
    assert errors.get_yscale() == "log" and accuracy.get_yscale() == "linear"
    tops = [line.get_ydata()[0] for line in accuracy.get_lines() if line.get_ydata()[0] == line.get_ydata()[-1]]
    assert {89.85, 89.55} <= set(tops)


def test_effects_stand_at_their_values_and_the_axis_reads_ratios_of_errors():
    columns = ["group", "base", "factor", "change", "unit", "effect", "low", "high", "seed_low", "seed_high"]
    rows = [
        (group, base, factor, change, unit, effect, effect - 0.2, effect + 0.2, -math.inf, math.inf)
        for group, unit in (("symbolic functions", "log10 error ratio"), ("classification", "points"))
        for base in ("MLP", "KAN")
        for factor, change, effect in (("everything", "all", 0.7), ("bias", "no bias", -0.4))
    ]
    table = pandas.DataFrame(rows, columns=columns).assign(interval_over="dataset")
    figure = figures.effects(table)
    axes = shown(figure)
    assert all(points(ax) >= {(0.7, 0.0), (-0.4, 1.0)} for ax in axes)
    symbolic = axes[2]
    labels = {label.get_text(): place for label, place in zip(symbolic.get_xticklabels(), symbolic.get_xticks(), strict=True)}
    assert labels["0.5"] == pytest.approx(math.log10(2)) and labels["2"] == pytest.approx(-math.log10(2))
    assert "0.5" not in {label.get_text() for label in axes[3].get_xticklabels()}
    legends = [figure.legends[0], figures.effects(table.assign(interval_over="seed")).legends[0]]
    named = ["95 % over datasets" in [text.get_text() for text in legend.get_texts()] for legend in legends]
    assert named == [True, False]


def _summary(**given) -> pandas.DataFrame:
    table = pandas.DataFrame(given)
    return table.assign(dataset="Digits", stream_name="3 × 2 classes", optimizer_state="carried")


def test_strategies_and_plasticity_show_the_averages():
    table = _summary(
        strategy=["joint", "naive", "naive"],
        network=["KAN", "KAN", "MLP gelu"],
        average=[90.0, 30.0, 40.0],
        average_low=[80.0, 20.0, -math.inf],
        average_high=[95.0, 35.0, math.inf],
    )
    (ax,) = shown(continual_figures.strategies(table))
    assert [label.get_text() for label in ax.get_xticklabels()] == ["naive", "joint"]
    assert {y for _, y in points(ax) if y == y} == {30.0, 90.0, 40.0}
    plane = _summary(network=["KAN"] * 2, lr=[0.1, 0.01], test_learned=[99.0, 50.0], test_average=[20.0, 45.0])
    (ax,) = shown(continual_figures.plasticity(plane))
    assert points(ax) == {(99.0, 20.0), (50.0, 45.0)}


def test_switches_join_what_was_learned_with_what_is_left():
    table = pandas.DataFrame(
        {
            "dataset": ["Peaks_1d"] * 2 + ["Peaks_2d"],
            "network": ["one", "two", "one"],
            "method": ["LBFGS", "Adam, reset", "LBFGS"],
            "learned": [0.001, 0.02, 0.03],
            "average": [0.1, 0.02, 0.3],
        }
    )
    line, square = shown(continual_figures.switches(table))
    assert {(x, round(y)) for x, y in points(line)} == {(0.001, 0), (0.1, 0), (0.02, 1)}
    assert {x for x, _ in points(square)} == {0.03, 0.3}
    assert line.get_title(loc="left") == "five peaks on a line"


def test_matrices_are_heat_maps_in_the_order_of_strategies():
    rows = [
        (network, strategy, after, on, 10.0 * after + on + (50 if strategy == "joint" else 0))
        for network in ("KAN", "MLP relu")
        for strategy in ("joint", "naive")
        for after in (1, 2)
        for on in (1, 2)
    ]
    axes = shown(continual_figures.matrices(pandas.DataFrame(rows, columns=["network", "strategy", "after", "on", "value"])))
    assert [ax.get_ylabel() for ax in axes] == ["naive\nafter task", "", "joint\nafter task", ""]
    assert numpy.array_equal(axes[0].images[0].get_array(), [[11, 12], [21, 22]])
    assert [text.get_text() for text in axes[3].texts] == ["61", "62", "71", "72"]


def test_splines_are_one_curve_an_edge_and_absent_layers_are_hidden():
    rows = [
        ("Digits", model, layer, edge, x, edge + x, 7, -0.5, 0.5)
        for model, layers in (("KAN", (1, 2)), ("BSpline_MLP", (1,)))
        for layer in layers
        for edge in range(3)
        for x in (-1.0, 1.0)
    ]
    columns = ["dataset", "model", "layer", "edge", "x", "y", "count", "low", "high"]
    axes = shown(figures.splines(pandas.DataFrame(rows, columns=columns)))
    titles = [ax.get_title() for ax in axes]
    assert titles == ["layer 1: 3 of 7 edges", "layer 2: 3 of 7 edges", "layer 1: 3 of 7 units"]
    assert [line.get_ydata().tolist() for line in axes[0].get_lines()] == [[-1, 1], [0, 2], [1, 3]]


def test_peaks_show_the_network_beside_the_truth():
    x = numpy.linspace(-1, 1, 5)
    table = pandas.concat(
        [
            pandas.DataFrame({"network": network, "after": after, "x": x, "y": after * x})
            for network in ("KAN, one spline", "MLP tanh")
            for after in (1, 2)
        ]
    )
    axes = shown(continual_figures.peaks(table, [-0.5, 0.5], 100.0))
    assert len(axes) == 4
    truth, answer = axes[3].get_lines()
    assert truth.get_ydata() == pytest.approx([0, 1, 0, 1, 0], abs=1e-6)
    assert answer.get_ydata().tolist() == (2 * x).tolist()
