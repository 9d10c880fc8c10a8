import math

import numpy
import pandas
import pytest
from drawings import check_saved, shown

from kanbefair.report import style
from kanbefair.studies.released import figures


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
    "agreement": lambda: figures.agreement(pairs()),
    "agreement of accuracies": lambda: figures.agreement(pairs(ratio=False)),
    "agreement of errors": lambda: figures.agreement(pairs(points=False)),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_and_saved_twice_to_the_same_bytes(name, tmp_path):
    check_saved(FIGURES[name], tmp_path)


def test_a_few_pairs_are_named_and_have_no_curve():
    (axes,) = shown(figures.agreement(pairs()[:25]))
    drawn = {line.get_label(): len(line.get_xdata()) for line in axes.lines}
    assert drawn == {"KAN, ours (10): too few": 0, "KAN, theirs (10): too few": 0, "MLP, ours (3): too few": 0} | {
        "MLP, theirs (2): too few": 0
    }


def test_agreement_is_shown_of_like_and_like(monkeypatch):
    monkeypatch.setattr(figures, "FEW", 1)
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
    panels = {axes.get_title(): axes for axes in shown(figures.agreement(table))}
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
    lines = {line.get_label(): (line.get_color(), line.get_linestyle()) for line in panels["vision"].lines}
    assert lines["KAN, ours (2)"] == (style.look("KAN").color, "-")
    assert lines["KAN, twice (1)"] == (style.look("KAN").color, "--")
