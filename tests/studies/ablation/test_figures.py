"""Figures of the ablation: what is drawn is what the table says."""

import math

import pandas
import pytest
from drawings import labels, named, points, shown

from kanbefair.report import style
from kanbefair.studies.ablation import figures
from kanbefair.studies.ablation.design import CURVES, PUBLISHED_TOPS


def scores(errors=(0.001, 0.1), accuracies=(10.0, 12.0)):
    rows = [
        (name, metric, variant, size, 10 * size, seed, score * (1 + size))
        for name, metric, values in (("Special_jv", "mae", errors), ("FMNIST", "accuracy", accuracies))
        for variant in CURVES
        for size in (2, 4)
        for seed, score in enumerate(values)
    ]
    columns = ["dataset", "metric", "variant", "size", "live_parameters", "seed", "score"]
    return pandas.DataFrame(rows, columns=columns).assign(outcome="done", lost=0)


def test_curves_are_means_with_intervals_and_errors_are_geometric_means():
    errors, accuracy = shown(figures.curves(scores(), PUBLISHED_TOPS))
    assert (20.0, 0.03) in points(errors) and (20.0, 33.0) in points(accuracy)
    assert errors.get_yscale() == "log" and accuracy.get_yscale() == "linear"
    assert errors.get_ylabel() == style.LABELS["mae"] and accuracy.get_ylabel() == style.LABELS["accuracy"]
    tops = [line.get_ydata()[0] for line in accuracy.lines if line.get_ydata()[0] == line.get_ydata()[-1]]
    assert {89.85, 89.55} <= set(tops)


def test_curves_of_one_seed_have_no_bars():
    errors, accuracy = shown(figures.curves(scores((0.01,), (10.0,)), PUBLISHED_TOPS))
    for axes in (errors, accuracy):
        assert points(axes)
        assert not any(bar.size for collection in axes.collections for bar in collection.get_segments())


def test_a_dataset_without_a_variant_has_no_curve_of_it():
    table = scores()
    figure = figures.curves(table[table["variant"] != "BSpline_MLP"], PUBLISHED_TOPS)
    assert named(figure) == [name for name in CURVES if name != "BSpline_MLP"]


def effects():
    columns = ["group", "base", "factor", "change", "unit", "effect", "low", "high", "seed_low", "seed_high"]
    rows = [
        (group, base, factor, change, unit, effect, effect - 0.2, effect + 0.2, -math.inf, math.inf)
        for group, unit in (("symbolic functions", "log10 error ratio"), ("classification", "points"))
        for base, other in (("MLP", "KAN"), ("KAN", "MLP"))
        for factor, change, effect in (("everything", other, 0.7), ("bias", "no bias", -0.4))
    ]
    return pandas.DataFrame(rows, columns=columns).assign(interval_over="dataset", remark=None, holm=math.nan)


def test_effects_stand_at_their_values_and_errors_are_ratios_with_the_smaller_on_the_right():
    figure = figures.effects(effects())
    mlp_errors, mlp_points, kan_errors, kan_points = shown(figure)
    for axes in (mlp_points, kan_points):
        assert points(axes) == {(0.7, 0.0), (-0.4, 1.0)}
    for axes in (mlp_errors, kan_errors):
        assert points(axes) == {(round(10**-0.7, 6), 0.0), (round(10**0.4, 6), 1.0)}
        left, right = axes.get_xlim()
        assert left > right
    assert labels(kan_errors.xaxis) == pytest.approx({"0.2×": 0.2, "0.5×": 0.5, "1×": 1.0, "2×": 2.0})
    assert kan_points.get_xlim()[0] < kan_points.get_xlim()[1]
    assert not any("×" in label for label in labels(kan_points.xaxis))
    for axes in (kan_errors, kan_points):
        assert axes.get_xlabel().endswith("← worse     better →")


def test_an_effect_moves_to_the_better_side_in_the_colour_of_the_other_base():
    panels = shown(figures.effects(effects()))
    for axes in panels:
        right = [axes.transData.transform((x, y))[0] for y in (0.0, 1.0) for x, own in points(axes) if own == y]
        assert right[0] > right[1]
    whole = [line for line in panels[0].lines if line.get_marker() == "D"]
    assert [line.get_color() for line in whole] == [style.look("KAN").color]
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["KAN", "no bias"]


def test_points_are_filled_where_an_effect_is_sure_when_all_are_tested_together():
    for holm, face in ((0.04, "0.25"), (0.06, "white"), (math.nan, "white")):
        (dot,) = [line for line in shown(figures.effects(effects().assign(holm=holm)))[0].lines if line.get_marker() == "o"]
        assert dot.get_markerfacecolor() == face


def test_intervals_over_datasets_are_drawn_where_there_are_some():
    legends = [named(figures.effects(effects().assign(interval_over=over))) for over in ("dataset", "seed")]
    assert ["95 % over datasets" in legend for legend in legends] == [True, False]
    ends = [
        sorted(round(float(x), 6) for line in shown(figure)[1].lines for x in line.get_xdata() if line.get_linewidth() == 0.9)
        for figure in (figures.effects(effects()), figures.effects(effects().assign(interval_over="seed")))
    ]
    assert ends == [[-0.6, -0.2, 0.5, 0.9], []]


def test_splines_are_one_curve_an_edge_and_absent_layers_are_hidden():
    rows = [
        ("Digits", model, layer, edge, x, edge + x, 7, -0.5, 0.5)
        for model, layers in (("KAN", (1, 2)), ("BSpline_MLP", (1,)))
        for layer in layers
        for edge in range(3)
        for x in (-1.0, 1.0)
    ]
    columns = ["dataset", "model", "layer", "edge", "x", "y", "count", "low", "high"]
    panels = shown(figures.splines(pandas.DataFrame(rows, columns=columns)))
    titles = [axes.get_title() for axes in panels]
    assert titles == ["layer 1: 3 of 7 edges", "layer 2: 3 of 7 edges", "layer 1: 3 of 7 units"]
    assert [line.get_ydata().tolist() for line in panels[0].lines] == [[-1, 1], [0, 2], [1, 3]]
    assert panels[0].get_xlim() == (-1, 1)


def test_runs_that_are_at_chance_or_without_a_score_are_counted_below():
    table = scores()
    table.loc[:1, "outcome"] = "at chance"
    table.loc[3, "lost"] = 4
    said = figures.curves(table, PUBLISHED_TOPS).get_supxlabel().replace("\n", " ")
    assert said.startswith(
        "Of the chosen runs: 2 of 48 runs are at chance (KAN, silu shortcut 2). Left out, as they have no score"
    )
    noted = effects().assign(remark=["KAN is at chance", *[None] * 7])
    said = figures.effects(noted).get_supxlabel().replace("\n", " ")
    assert said.endswith("(table, column remark): MLP: KAN (symbolic functions).")
    assert figures.effects(effects()).get_supxlabel() == ""
