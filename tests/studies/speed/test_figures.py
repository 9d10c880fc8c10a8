import pandas
import pytest
from drawings import labels, points, shown
from helpers import runs

from kanbefair.report import statistics
from kanbefair.report.style import save
from kanbefair.report.tables import Outputs
from kanbefair.studies.speed import figures, grid_cost, layers, other_layers
from kanbefair.studies.speed.design import Size

SIZE = Size(6, 5, 3, 4, 2)


@pytest.fixture(autouse=True)
def without_peers(monkeypatch):
    monkeypatch.setattr(other_layers, "available", dict)


def rate_rows():
    rows = [
        {
            "run": name,
            "batches": kind,
            "protocol": protocol,
            "train_curve": curve,
            "workers": 2,
            "runs_an_hour": 10.0**i,
            "original": 2.0,
            "arithmetic": 0.5,
            "memory": 0.1,
            "calls": 0.01,
        }
        for i, name in enumerate(("first", "second"))
        for kind, protocol, curve in (
            ("own", "fair", False),
            ("shared", "fair", False),
            ("shared", "published", False),
            ("shared", "published", True),
        )
    ]
    return pandas.DataFrame(rows)


def cost_rows():
    grid = grid_cost.released_grid()
    return grid.assign(stand_in=[grid_cost.kind_of(row) for row in grid.to_dict("records")], hours=grid["rows"] / 100)


def verdict_rows():
    tables = [
        statistics.verdict(runs(metric).assign(stack_seconds=1.0), metric, budgets=("parameters", "flops"))
        for metric in ("mae", "accuracy")
    ]
    return pandas.concat(tables)


FIGURES = {
    "layers": lambda: figures.layers(layers.compare([SIZE], repeats=2)),
    "growth": lambda: figures.growth(layers.growth({"G": [SIZE, SIZE._replace(grid=9)]}, repeats=2)),
    "rates": lambda: figures.rates(rate_rows()),
    "grid cost": lambda: figures.grid_cost(cost_rows()),
    "verdict": lambda: figures.verdict(verdict_rows()),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_and_saved(name, tmp_path):
    outputs = Outputs("smoke", tmp_path)
    save(FIGURES[name](), outputs, "figure")
    assert (outputs.figures / "figure.pdf").read_bytes().startswith(b"%PDF")
    assert (outputs.figures / "figure.png").stat().st_size > 3000


def test_the_cost_figure_says_hours_and_runs_of_each_kind_and_model():
    texts = [text.get_text().strip() for text in figures.grid_cost(cost_rows()).axes[0].texts]
    assert len(texts) == 8
    assert "86 h for 8,640 runs" in texts  # KAN on grey images: five datasets of 1,728 rows


def test_the_verdict_figure_has_a_row_per_budget_and_a_panel_per_domain():
    figure = figures.verdict(verdict_rows())
    titles = ["mae: A_b, Special_c,\nover 3 seeds", "accuracy: A_b, Special_c,\nover 3 seeds"]
    assert [axes.get_title() for axes in figure.axes] == titles
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "equal parameters",
        "equal FLOPs (paper's formula)",
    ]


def test_whiskers_are_the_quartiles_of_the_multiple():
    table = layers.growth({"G": [SIZE, SIZE._replace(grid=9)]}, repeats=2)
    table = table.assign(times=2.0, times_low=1.5, times_high=3.0)
    axes = figures.growth(table).axes[0]
    ends = {tuple(segment[:, 1]) for bars in axes.collections for segment in bars.get_segments()}
    assert ends == {(1.5, 3.0)}


def test_gains_at_equal_budgets_are_ratios_of_errors_and_points_of_accuracy():
    table = verdict_rows().assign(gain=1.0, low=0.0, high=2.0)
    errors, accuracy = shown(figures.verdict(table))
    assert {x for x, _ in points(errors)} >= {10.0, 1.0, 100.0}
    assert {x for x, _ in points(accuracy)} >= {1.0, 0.0, 2.0}
    assert labels(errors.xaxis)["10×"] == 10
    assert errors.get_xlabel() == "error of MLP ÷ error of KAN"
    assert accuracy.get_xlabel() == "accuracy of KAN − MLP, points"
