"""Figures of continual learning: what is drawn is what the table says."""

import math

import numpy
import pandas
import pytest
from drawings import colors, named, points, shown

from kanbefair.report import style
from kanbefair.studies.continual import figures


def _summary(**given) -> pandas.DataFrame:
    table = pandas.DataFrame(given | {"at_chance": 0, "lost": 0})
    return table.assign(dataset="Digits", stream_name="3 × 2 classes", optimizer_state="carried")


def test_strategies_and_plasticity_show_the_averages():
    table = _summary(
        strategy=["joint", "naive", "naive"],
        network=["KAN", "KAN", "MLP gelu"],
        average=[90.0, 30.0, 40.0],
        average_low=[80.0, 20.0, -math.inf],
        average_high=[95.0, 35.0, math.inf],
    )
    (axes,) = shown(figures.strategies(table))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["naive", "joint"]
    assert {y for _, y in points(axes) if not math.isnan(y)} == {30.0, 90.0, 40.0}
    plane = _summary(network=["KAN"] * 2, lr=[0.1, 0.01], test_learned=[99.0, 50.0], test_average=[20.0, 45.0])
    (axes,) = shown(figures.plasticity(plane))
    assert points(axes) == {(99.0, 20.0), (50.0, 45.0)}


def test_switches_join_what_was_learned_with_what_is_left():
    table = pandas.DataFrame(
        {
            "dataset": ["Peaks_1d"] * 2 + ["Peaks_2d"],
            "network": ["one", "two", "one"],
            "method": ["LBFGS", "Adam, reset", "LBFGS"],
            "learned": [0.001, 0.02, 0.03],
            "average": [0.1, 0.02, 0.3],
        }
    ).assign(at_chance=0, lost=0)
    line, square = shown(figures.switches(table))
    assert {(x, round(y)) for x, y in points(line)} == {(0.001, 0), (0.1, 0), (0.02, 1)}
    assert {x for x, _ in points(square)} == {0.03, 0.3}
    assert line.get_title(loc="left") == "five peaks on a line"


def _stream(rows):
    """The cells of the matrices of one stream."""
    table = pandas.DataFrame(rows, columns=["network", "strategy", "after", "on", "value"])
    return table.assign(dataset="Digits", stream_name="pairs")


def test_matrices_are_heat_maps_in_the_order_of_strategies():
    rows = [
        (network, strategy, after, on, 10.0 * after + on + (50 if strategy == "joint" else 0))
        for network in ("KAN", "MLP relu")
        for strategy in ("joint", "naive")
        for after in (1, 2)
        for on in (1, 2)
    ]
    panels = shown(figures.matrices(_stream(rows)))
    assert [axes.get_ylabel() for axes in panels] == ["naive\nafter task", "", "joint\nafter task", ""]
    assert numpy.array_equal(panels[0].images[0].get_array(), [[11, 12], [21, 22]])
    assert [text.get_text() for text in panels[3].texts] == ["61", "62", "71", "72"]


def test_peaks_show_the_network_beside_the_truth():
    x = numpy.linspace(-1, 1, 5)
    table = pandas.concat(
        [
            pandas.DataFrame({"network": network, "after": after, "x": x, "y": after * x})
            for network in ("KAN, one spline", "MLP tanh")
            for after in (1, 2)
        ]
    )
    panels = shown(figures.peaks(table, [-0.5, 0.5], 100.0))
    assert len(panels) == 4
    truth, answer = panels[3].lines
    assert truth.get_ydata() == pytest.approx([0, 1, 0, 1, 0], abs=1e-6)
    assert answer.get_ydata().tolist() == (2 * x).tolist()


def test_networks_have_the_colour_of_their_family_and_those_beside_the_plain_one_are_hollow():
    plane = _summary(network=["BSpline_MLP", "MLP silu", "MLP relu", "KAN"], lr=0.1, test_learned=99.0, test_average=20.0)
    figure = figures.plasticity(plane)
    (axes,) = shown(figure)
    assert named(figure) == ["KAN", "MLP relu", "MLP silu", "BSpline_MLP"]
    assert colors(axes) - {"0.5"} == {style.look(family).color for family in ("KAN", "MLP", "BSpline_MLP")}
    hollow = [line.get_marker() for line in axes.lines if line.get_markerfacecolor() == "white"]
    assert hollow == ["P"]


def test_a_panel_per_stream_and_none_left_over():
    tables = [
        _summary(network=["KAN"], lr=[0.1], test_learned=[99.0], test_average=[20.0]).assign(stream_name=f"stream {number}")
        for number in range(4)
    ]
    panels = shown(figures.plasticity(pandas.concat(tables)))
    assert [axes.get_title() for axes in panels] == [f"Digits: stream {number}" for number in range(4)]
    assert [bool(axes.get_xlabel()) for axes in panels] == [False, True, True, True]
    assert [bool(axes.get_ylabel()) for axes in panels] == [True, False, False, True]


def test_answers_on_the_peaks_have_the_colour_of_their_family():
    networks = {"with a base branch": "KAN", "table, linear head": "LocalBasis", "MLP tanh": "MLP"}
    table = pandas.concat(pandas.DataFrame({"network": name, "after": 1, "x": [0.0, 1.0], "y": 0.0}) for name in networks)
    panels = shown(figures.peaks(table, [-0.5, 0.5], 100.0))
    assert [axes.lines[1].get_color() for axes in panels] == [style.look(family).color for family in networks.values()]


def test_runs_at_chance_and_without_a_score_are_counted_below():
    plane = _summary(network=["MLP relu", "KAN", "KAN"], lr=[0.1, 0.1, 0.01], test_learned=99.0, test_average=20.0)
    said = figures.plasticity(plane).get_supxlabel().replace("\n", " ")
    assert said == "Means over seeds; a line joins a network's learning rates from the smallest (ringed) to the largest."
    assert figures.matrices(_stream([("KAN", "naive", 1, 1, 90.0)])).get_supxlabel() == "Digits: pairs"
    figure = figures.plasticity(plane.assign(at_chance=[0, 1, 2], lost=[5, 0, 0]))
    counted = "Runs that are at chance: KAN 3. Runs without a score, left out: MLP relu 5."
    assert figure.get_supxlabel().replace("\n", " ") == f"{said} {counted}"


def test_a_network_without_a_score_has_no_matrix():
    rows = [("KAN", "naive", 1, 1, 90.0), ("KAN", "joint", 1, 1, 80.0), ("MLP relu", "naive", 1, 1, 70.0)]
    panels = shown(figures.matrices(_stream(rows)))
    assert [axes.images[0].get_array().tolist() for axes in panels] == [[[90]], [[70]], [[80]]]
