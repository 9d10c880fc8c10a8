import math

import numpy
import pandas
import pytest
from helpers import runs
from matplotlib import pyplot
from matplotlib.figure import Figure

from kanbefair.report import statistics, style
from kanbefair.report.tables import Outputs
from kanbefair.studies.domains import figures
from kanbefair.studies.released import figures as released_figures


def verdicts(*metrics):
    tables = [statistics.verdict(runs(metric), f"domain {i}") for i, metric in enumerate(metrics)]
    return pandas.concat(tables, ignore_index=True)


def bars():
    rows = [
        (domain, source, model, metric, score, score * 0.9, score * 1.1)
        for domain, metric, score in (("symbolic", "mae", 0.01), ("vision", "accuracy", 80.0))
        for source in ("paper", "here")
        for model in ("KAN", "MLP")
    ]
    return pandas.DataFrame(rows, columns=["domain", "source", "model", "metric", "score", "low", "high"])


def counts():
    rows = [
        {
            "model": model,
            "budget": budget,
            "parameters": budget * 1.02,
            "flops": budget * factor,
            "flops_shared": budget * factor / 3,
            "flops_local": budget * factor / 9,
        }
        for model, factor in (("KAN", 20), ("MLP", 2))
        for budget in (1e3, 1e4, 1e5)
    ]
    return pandas.DataFrame(rows)


def pairs(points=True, ratio=True):
    generator = numpy.random.RandomState(0)
    return pandas.DataFrame(
        {
            "domain": "tabular",
            "model": ["KAN"] * 20 + ["MLP"] * 20,
            "pair": ["ours", "theirs"] * 20,
            "points": generator.randn(40) if points else math.nan,
            "ratio": 1 + generator.randn(40) / 100 if ratio else math.nan,
        }
    )


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
    "counting": lambda: figures.counting(counts()),
    "agreement": lambda: released_figures.agreement(pairs()),
    "agreement of accuracies": lambda: released_figures.agreement(pairs(ratio=False)),
}


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_and_saved_twice_to_the_same_bytes(name, tmp_path):
    saved = []
    for attempt in ("first", "second"):
        outputs = Outputs("smoke", tmp_path / attempt)
        figure = FIGURES[name]()
        assert isinstance(figure, Figure)
        assert style.save(figure, outputs, "figure") is figure
        assert sorted(path.name for path in outputs.figures.iterdir()) == ["figure.pdf", "figure.png"]
        saved.append([(outputs.figures / f"figure.{kind}").read_bytes() for kind in ("pdf", "png")])
    assert saved[0] == saved[1]
    assert all(len(content) > 3000 for content in saved[0])
    assert saved[0][0].startswith(b"%PDF")


def test_saving_closes_the_figure(tmp_path):
    style.save(FIGURES["agreement"](), Outputs("smoke", tmp_path), "figure")
    assert pyplot.get_fignums() == []


def test_other_data_give_another_file(tmp_path):
    outputs = Outputs("smoke", tmp_path)
    for name, table in (("a", pairs()), ("b", pairs().assign(points=lambda t: t["points"] * 2))):
        style.save(released_figures.agreement(table), outputs, name)
    assert (outputs.figures / "a.png").read_bytes() != (outputs.figures / "b.png").read_bytes()


def test_agreement_is_shown_of_like_and_like():
    table = pandas.DataFrame(
        [
            ("vision", "KAN", "ours", 0.0, math.nan),
            ("vision", "KAN", "ours", 0.01, math.nan),
            ("vision", "MLP", "ours", 0.0, math.nan),
            ("vision", "KAN", "twice", -0.02, math.nan),
            ("symbolic", "KAN", "ours", math.nan, 0.98),
        ],
        columns=["domain", "model", "pair", "points", "ratio"],
    )
    panels = {axes.get_title(): axes for axes in visible(released_figures.agreement(table))}
    shares = {
        (domain, line.get_label()): dict(line.get_xydata().round(9).tolist())
        for domain, axes in panels.items()
        for line in axes.lines
    }
    assert shares == {
        ("vision", "KAN, ours (2)"): {0.005: 50, 0.01: 100, 10: 100},
        ("vision", "MLP, ours (1)"): {0.005: 100, 10: 100},
        ("vision", "KAN, twice (1)"): {0.02: 100, 10: 100},
        ("symbolic", "KAN, ours (1)"): {0.02: 100, 10: 100},
    }
    styles = {line.get_label(): (line.get_color(), line.get_linestyle()) for line in panels["vision"].lines}
    assert styles["KAN, ours (2)"] == (style.COLORS["KAN"], "-") and styles["KAN, twice (1)"] == (style.COLORS["KAN"], "--")


def visible(figure):
    return [axes for axes in figure.axes if axes.get_visible()]


def test_every_run_is_a_point_and_every_model_has_a_line():
    table = runs(datasets=("A",))
    figure = figures.budgets(table)
    assert len(visible(figure)) == 2
    for axes, kind in zip(visible(figure), ("parameters", "flops"), strict=True):
        points = [(x, y) for line in axes.lines if line.get_linestyle() == "None" for x, y in line.get_xydata()]
        expected = table[[kind, "test_metric_selected"]].to_numpy().tolist()
        assert sorted(points) == sorted(map(tuple, expected))
        assert len([line for line in axes.lines if line.get_linestyle() != "None"]) == 2
        assert axes.get_xscale() == "log"
        assert axes.get_xlabel() == style.LABELS[kind]


def test_the_line_is_the_median_envelope():
    table = runs(datasets=("A",))
    axes = visible(figures.budgets(table))[0]
    steps = statistics.envelope(table, "parameters")
    for model, color in (("KAN", style.COLORS["KAN"]), ("MLP", style.COLORS["MLP"])):
        (line,) = [own for own in axes.lines if own.get_linestyle() != "None" and own.get_color() == color]
        own = steps[steps["model"] == model]
        at_100 = [statistics.at(seed, numpy.array([400.0]))[0] for _, seed in own.groupby("seed")]
        x, y = line.get_xdata(), line.get_ydata()
        assert y[numpy.searchsorted(x, 400, side="right") - 1] == pytest.approx(numpy.median(at_100))


def test_unused_panels_are_hidden():
    assert len(visible(figures.budgets(runs(datasets="ABCDEFG")))) == 14


def labels(table):
    return [text.get_text() for axes in figures.verdict(table).axes for text in axes.texts if text.get_text()]


def test_the_verdict_figure_says_who_wins_and_by_how_much():
    table = verdicts("accuracy").assign(winner=["KAN", "tie"], gain=[2.5, 0.1], low=[1.0, -1.0], high=[4.0, 1.0])
    first, second = labels(table)
    assert "KAN wins" in first
    assert "2.5 points" in first
    assert "tie" in second
    assert "wins" not in second
    table = verdicts("mae").assign(winner=["MLP", "KAN"], gain=[-1.0, 0.5], low=[-2.0, 0.1], high=[-0.5, 1.0])
    first, second = labels(table)
    assert "MLP wins" in first
    assert "10×" in first
    assert "KAN wins" in second
    assert "3.2×" in second


@pytest.mark.parametrize(("name", "title"), [("Special_jv", "jv"), ("Special_yv_bounded", "yv bounded"), ("Digits", "Digits")])
def test_short_names(name, title):
    assert style.short(name) == title
