import math

import numpy
import pandas
import pytest
from drawings import check_saved, colors, labels, named, points, shown
from helpers import runs, troubled, without_scores

from kanbefair.report import statistics, style
from kanbefair.studies.domains import figures


def verdicts(*metrics):
    tables = [statistics.verdict(runs(metric), f"domain {i}") for i, metric in enumerate(metrics)]
    return pandas.concat(tables, ignore_index=True)


def bars(models=("KAN", "MLP")):
    rows = [
        (domain, source, model, metric, score, score * 0.9, score * 1.1)
        for domain, metric, score in (("symbolic", "mae", 0.01), ("vision", "accuracy", 80.0))
        for source in ("paper", "here")
        for model in models
    ]
    return pandas.DataFrame(rows, columns=["domain", "source", "model", "metric", "score", "low", "high"])


FIGURES = {
    "budgets of accuracies": lambda: figures.budgets(runs(datasets=("A_b",))),
    "budgets of errors": lambda: figures.budgets(runs("mae", datasets=("A",)), kinds=("live_parameters",)),
    "budgets of published runs of one seed": lambda: figures.budgets(
        runs(datasets=("A",), protocol="published", seeds=(1314,)), kinds=("flops",)
    ),
    "verdict": lambda: figures.verdict(verdicts("mae", "accuracy", "accuracy")),
    "verdict of accuracies": lambda: figures.verdict(verdicts("accuracy")),
    "verdict of one seed, without an interval": lambda: figures.verdict(statistics.verdict(runs(seeds=(1,)), "one seed")),
    "beside": lambda: figures.beside(bars()),
    "budgets of runs at chance": lambda: figures.budgets(troubled("mae")),
    "budgets without a score": lambda: figures.budgets(without_scores(troubled("mae"))),
    "verdict of runs at chance": lambda: figures.verdict(statistics.verdict(troubled(), "audio")),
    "verdict of nothing": lambda: figures.verdict(statistics.verdict(without_scores(troubled()), "audio")),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_and_saved_twice_to_the_same_bytes(name, tmp_path):
    check_saved(FIGURES[name], tmp_path)


@pytest.mark.parametrize("metric", ["accuracy", "mae"])
def test_every_run_is_a_point_and_every_model_has_a_line(metric):
    table = runs(metric, datasets=("A",))
    figure = figures.budgets(table)
    assert len(shown(figure)) == 2
    for axes, kind in zip(shown(figure), ("parameters", "flops"), strict=True):
        drawn = [(x, y) for line in axes.lines if line.get_linestyle() == "None" for x, y in line.get_xydata()]
        expected = table[[kind, "test_metric_selected"]].to_numpy().tolist()
        assert sorted(drawn) == sorted(map(tuple, expected))
        assert len([line for line in axes.lines if line.get_linestyle() != "None"]) == 2
        assert axes.get_xscale() == "log"
        assert axes.get_yscale() == ("log" if metric == "mae" else "linear")
        assert axes.get_xlabel() == style.LABELS[kind]
    assert shown(figure)[0].get_ylabel() == style.LABELS[metric]
    assert named(figure) == ["KAN", "MLP", "budgets compared"]


@pytest.mark.parametrize("metric", ["accuracy", "mae"])
def test_axes_hide_no_run_and_the_budgets_that_are_compared_are_shaded(metric):
    table = runs(metric, datasets=("A",))
    table.loc[table.index[:2], "test_metric_selected"] = [1.0, 99.9] if metric == "accuracy" else [1e-6, 9.0]
    for axes in shown(figures.budgets(table)):
        low, high = axes.get_ylim()
        assert low < table["test_metric_selected"].min() and table["test_metric_selected"].max() < high
        (shade,) = axes.patches
        ends = [100, 1600] if axes.get_xlabel() == style.LABELS["parameters"] else [1000, 16000]
        assert [shade.get_x(), shade.get_x() + shade.get_width()] == pytest.approx(ends)


def test_the_line_is_the_median_envelope():
    table = runs(datasets=("A",))
    axes = shown(figures.budgets(table))[0]
    steps = statistics.envelope(table, "parameters")
    for model in ("KAN", "MLP"):
        lines = [own for own in axes.lines if own.get_linestyle() != "None"]
        (line,) = [own for own in lines if own.get_color() == style.look(model).color]
        own = steps[steps["model"] == model]
        at_400 = [statistics.at(seed, numpy.array([400.0]))[0] for _, seed in own.groupby("seed")]
        x, y = line.get_xdata(), line.get_ydata()
        assert y[numpy.searchsorted(x, 400, side="right") - 1] == pytest.approx(numpy.median(at_400))


def test_panels_are_a_row_per_budget_and_a_column_per_dataset():
    panels = shown(figures.budgets(runs(datasets="ABCDEFG")))
    assert [axes.get_title() for axes in panels] == 2 * list("ABCDEFG")
    assert {axes.get_xlabel() for axes in panels[:7]} == {style.LABELS["parameters"]}


def test_a_family_that_nobody_gave_a_look_is_drawn_beside_the_others(monkeypatch):
    monkeypatch.setattr(style, "LOOKS", dict(style.LOOKS))
    both = runs(datasets=("A",))
    table = pandas.concat([both, both[both["model"] == "MLP"].assign(model="Sine")])
    figure = figures.budgets(table)
    assert named(figure) == ["KAN", "MLP", "Sine", "budgets compared"]
    assert colors(shown(figure)[0]) == {style.look(model).color for model in ("KAN", "MLP", "Sine")}
    beside = shown(figures.beside(bars(("Sine", "MLP"))))[0]
    assert [label.get_text() for label in beside.get_xticklabels()] == ["MLP", "Sine"]


def test_a_model_whose_runs_all_diverged_has_no_line():
    table = runs(datasets=("A",))
    columns = ["valid_metric_selected", "test_metric_selected"]
    table.loc[table["model"] == "KAN", columns] = math.nan
    axes = shown(figures.budgets(table))[0]
    assert len([line for line in axes.lines if line.get_linestyle() != "None"]) == 1


def texts(table):
    return [text.get_text() for axes in figures.verdict(table).axes for text in axes.texts if text.get_text()]


def test_the_verdict_figure_says_what_is_decided_over_which_budgets_and_what_holds_at_the_top():
    table = verdicts("accuracy").assign(label=["KAN", "undecided"], gain=[2.5, 0.1], low=[1.0, -1.0], high=[4.0, 1.0], top=-0.5)
    assert texts(table) == [
        "KAN 2.5 points ahead\nfrom 100 to 1,600, at the top -0.50",
        "undecided (KAN 0.1 points ahead)\nfrom 1,000 to 16,000, at the top -0.50",
    ]
    table = verdicts("mae").assign(label=["MLP", "KAN"], gain=[-1.0, 0.5], low=[-2.0, 0.1], high=[-0.5, 1.0], top=1.0)
    assert texts(table) == [
        "MLP error 10× lower\nfrom 100 to 1,600, at the top 10×",
        "KAN error 3.2× lower\nfrom 1,000 to 16,000, at the top 10×",
    ]
    table = verdicts("mae").assign(
        label="undecided", gain=-1.0, low=-math.inf, high=math.inf, budget_low=100.0, budget_high=100.0, top=-1.0
    )
    assert texts(table) == 2 * ["no verdict (MLP error 10× lower)\nat the top 0.1×"]


def test_dots_are_open_where_the_interval_is_over_seeds_and_strokes_stand_for_each_dataset():
    table = statistics.verdict(runs(datasets=("A", "B")), "tabular")
    for over, face in (("seed", "white"), ("dataset", style.NEUTRAL)):
        figure = figures.verdict(table.assign(interval_over=over, label="undecided"))
        (axes,) = shown(figure)
        dots = [line for line in axes.lines if line.get_marker() in figures.BUDGET_MARKERS.values()]
        assert {line.get_markerfacecolor() for line in dots} == {face}
        strokes = [line.get_xdata() for line in axes.lines if line.get_marker() == "|" and line.get_zorder() == 1]
        assert [" ".join(f"{x:.4g}" for x in drawn) for drawn in strokes] == table["gains"].tolist()
        assert named(figure)[-2:] == [f"95 % {figures.OVER[over]}", "each dataset"]
        said = [label.get_text() for label in axes.get_yticklabels()]
        assert said == ["A\nB\n(tabular)\nover 3 seeds" if over == "seed" else "tabular\nA\nB\nover 3 datasets"]


def test_gains_of_errors_stand_as_ratios_on_a_logarithmic_axis_and_accuracies_as_points():
    table = verdicts("mae", "accuracy").assign(
        gain=[1.0, -1.0, 1.0, -1.0], low=[0.0, -2.0, 0.0, -2.0], high=[2.0, 0.0, 2.0, 0.0]
    )
    accuracy, errors = shown(figures.verdict(table))
    assert {x for x, _ in points(accuracy)} >= {1.0, -1.0, 0.0, 2.0, -2.0}
    assert {x for x, _ in points(errors)} >= {10.0, 0.1, 1.0, 100.0, 0.01}
    assert accuracy.get_xscale() == "linear" and errors.get_xscale() == "log"
    assert labels(errors.xaxis)["0.1×"] == pytest.approx(0.1)
    assert "right of 1×: KAN better" in errors.get_xlabel()
    assert "right of 0: KAN better" in accuracy.get_xlabel()


def test_a_gain_without_an_interval_is_a_dot_alone():
    table = verdicts("mae").assign(label="undecided", gain=1.0, low=-math.inf, high=math.inf, names="A", gains="1")
    (axes,) = shown(figures.verdict(table))
    assert {x for x, _ in points(axes) if math.isfinite(x)} == {10.0}
    low, high = axes.get_xlim()
    assert 0.1 < low < 1 and 10 < high < 100


def test_scores_of_two_sources_have_an_axis_each():
    panels = shown(figures.beside(bars()))
    titles = ["symbolic, paper", "vision, paper", "symbolic, here", "vision, here"]
    assert [axes.get_title() for axes in panels] == titles
    for errors, accuracy in (panels[:2], panels[2:]):
        assert errors.get_yscale() == "log" and accuracy.get_yscale() == "linear"
        assert accuracy.get_ylim() == (0, 102)
        assert [label.get_text() for label in accuracy.get_xticklabels()] == ["KAN", "MLP"]
        assert {(0.0, 80.0), (1.0, 80.0)} <= points(accuracy)
        assert [text.get_text() for text in accuracy.texts] == ["80.0", "80.0"]


def test_runs_at_chance_are_open_marks_and_what_is_left_out_is_counted_below():
    table = troubled()
    figure = figures.budgets(table)
    for axes in shown(figure):
        hollow = [line for line in axes.lines if line.get_markerfacecolor() == "none"]
        own = table[(table["dataset"] == axes.get_title()) & (table["outcome"] == "at chance")]
        assert sum(len(line.get_xdata()) for line in hollow) == len(own)
    assert figure.get_supxlabel() == (
        "9 of 54 runs diverged (MLP 9); 9 are at chance (KAN 9); 3 failed (KAN 3). Open marks: at chance."
    )
    assert figures.budgets(runs()).get_supxlabel() == ""


def test_the_verdict_figure_says_who_is_at_chance():
    said = figures.verdict(statistics.verdict(troubled(), "audio")).get_supxlabel().replace("\n", " ")
    assert said.startswith(
        f"{figures.RIGHT} audio: KAN is at chance at every size on B: it has learned nothing there. MLP has no score on C"
    )
    assert figures.verdict(verdicts("accuracy")).get_supxlabel().replace("\n", " ") == figures.RIGHT
    assert texts(statistics.verdict(without_scores(troubled()), "audio")) == 2 * ["nothing to compare"]


def test_bars_of_runs_at_chance_are_named_below():
    ours = statistics.best(troubled()).assign(domain="audio")
    headline = pandas.DataFrame({"domain": ["audio"], "metric": "accuracy", "KAN": [80.0], "MLP": [81.0]})
    said = figures.beside(statistics.beside_published(ours, headline)).get_supxlabel().replace("\n", " ")
    counted = "Best runs that are at chance: KAN on audio 3. Pairs of dataset and seed without a score: MLP on audio 3."
    assert said == f"{figures.BESIDE} {counted}"
    assert figures.beside(bars()).get_supxlabel().replace("\n", " ") == figures.BESIDE
