import math

import pandas
import pytest
from drawings import check_saved, labels, named, points, shown
from fair_runs import final, nothing, study, tries

from kanbefair.report import style
from kanbefair.studies.fairness import answer, figures, findings

pytestmark = pytest.mark.usefixtures("all_have_run")

FIVE = (1.0, 2.0, 3.0, 4.0, 5.0)
BOTH = ("values", "flops")
THREE = ("KAN", "MLP", "Other")


def verdict(own, pair=("KAN", "MLP")):
    return figures.verdict(findings.by_domain(own), findings.by_dataset(own), pair)


def datasets(own, pair=("KAN", "MLP")):
    return figures.datasets(findings.by_dataset(own), pair)


def levels(own):
    return figures.levels(findings.level_scores(own.final))


def expected(own):
    return figures.tries(findings.expected_best(own.tries))


def profiles(own):
    return figures.profiles(findings.profiles(own.final))


DRAW = [verdict, datasets, levels, expected, profiles]
STUDIES = {
    "a domain": lambda: study(final(FIVE, kinds=BOTH, noise=0.2)),
    "one dataset": lambda: study(final([1.0])),
    "errors": lambda: study(final(FIVE, "mae", domain="symbolic"), tries([0.1, 0.2], metric="mae")),
    "errors far apart": lambda: study(final((-2.0, 0.1, 0.2, 0.3, 3.0), "mae", domain="symbolic"), tries([0.1], metric="mae")),
    "all at chance": lambda: study(final([0.0] * 5, outcome="at chance"), tries([50.0, 50.0], outcome="at chance")),
    "one seed": lambda: study(final([1.0], seeds=1)),
    "a family missing": lambda: study(final([1.0], families=("KAN",)), tries([80.0], families=("KAN",))),
    "a third family": lambda: study(
        final(FIVE, families=("KAN", "MLP", "Other")), tries([80.0], families=("KAN", "MLP", "Other"))
    ),
    "nothing": nothing,
}


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("draw", DRAW, ids=lambda draw: draw.__name__)
def test_odd_tables_are_drawn(draw, name):
    assert shown(draw(STUDIES[name]()))


@pytest.mark.parametrize("draw", DRAW, ids=lambda draw: draw.__name__)
def test_a_figure_is_saved_twice_to_the_same_bytes(draw, tmp_path):
    own = STUDIES["a domain"]()
    check_saved(lambda: draw(own), tmp_path)


@pytest.mark.parametrize("metric", ["accuracy", "mae"])
@pytest.mark.parametrize("draw", DRAW[:3], ids=lambda draw: draw.__name__)
def test_nothing_is_cut(draw, metric):
    for axes in shown(draw(study(final((-3.0, 0.0, 1.0, 2.0, 3.0), metric, noise=0.01)))):
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        places = points(axes)
        assert places
        assert all(left <= x <= right and min(low, high) <= y <= max(low, high) for x, y in places if not math.isnan(x))


def test_the_verdict_shows_estimate_sources_label_and_number():
    (axes,) = shown(verdict(study(final(FIVE, kinds=BOTH))))
    assert {(3.0, -0.2), (3.0, 0.2)} | {(x, -0.2) for x in FIVE} <= points(axes)
    words = [text.get_text() for text in axes.texts]
    assert words == ["KAN, +3.00 points; 5 of 8 sources"] * 2
    assert list(labels(axes.yaxis)) == ["text"]
    assert [(round(bar.get_x(), 6), round(bar.get_width(), 6)) for bar in axes.patches] == [(-0.5, 1.0)] * 2


def test_a_dataset_that_speaks_for_itself_names_its_domain():
    (axes,) = shown(verdict(study(final([1.0]))))
    assert list(labels(axes.yaxis)) == ["d0\n(text)"]
    assert axes.texts[0].get_text().endswith("; this dataset")


def test_errors_stand_below_accuracies_as_ratios():
    runs = pandas.concat([final(FIVE), final((0.1, 0.2, 0.3, 0.4, 0.5), "mae", domain="symbolic")])
    upper, lower = shown(verdict(study(runs)))
    assert upper.get_xscale() == "linear" and lower.get_xscale() == "log"
    assert (round(10**0.3, 6), 0.0) in points(lower)


def test_datasets_are_sorted_and_the_longest_domain_has_the_left_column():
    runs = pandas.concat([final((1.0, 3.0, 2.0)), final([1.0], domain="vision").replace({"d0": "Digits", "s0": "Digits"})])
    right, left = shown(datasets(study(runs)))
    assert list(labels(left.yaxis)) == ["d1", "d2", "d0"]
    assert left.get_title() == "text: 3 datasets of 3 sources"
    assert right.get_title() == "vision: 1 dataset of 1 source"
    assert left.get_position().x0 < right.get_position().x0


def test_families_have_their_looks():
    own = STUDIES["a third family"]()
    for draw in (levels, expected, profiles):
        figure = draw(own)
        assert named(figure) == list(THREE)
        (axes, *_) = shown(figure)
        assert {style.look(family).color for family in THREE} <= {line.get_color() for line in axes.lines}
    assert "Other" in shown(verdict(own, ("KAN", "Other")))[0].get_xlabel()


def test_tries_begin_at_one_and_end_at_all():
    (axes,) = shown(expected(study(final([1.0]), tries([70.0, 80.0]))))
    assert axes.get_title() == "text\n1 source, equal values"
    line = axes.lines[0]
    assert (line.get_xdata()[0], line.get_xdata()[-1]) == (1, 24)
    assert line.get_ydata()[0] == pytest.approx(5)


def simulated():
    rows = [("text", 8, effect, share) for effect, share in enumerate((0.01, 0.3, 0.9))]
    rows += [("any", None, effect, share) for effect, share in enumerate((0.04, 0.5, 1.0))]
    table = pandas.DataFrame(rows, columns=["domain", "sources", "effect", "winner"])
    both = [table.assign(shape="normal", between=1.0), table.assign(shape="skewed", between=4.0, winner=2 * table["winner"])]
    return pandas.concat(both).assign(studies=2000, covered=0.95)


def test_errors_are_drawn_by_domain_and_spread():
    figure = figures.errors(simulated())
    text, every = shown(figure)
    assert text.get_title() == "text, 8 sources" and every.get_title() == "any label of a study"
    assert {(0.0, 1.0), (1.0, 30.0), (2.0, 90.0), (0.0, 2.0)} <= points(text)
    assert named(figure) == ["normal, spread ×1", "skewed, spread ×4", "5 %"]


def test_the_simulation_in_words():
    words = answer.how_often_it_errs(simulated())
    assert words.startswith("Of two families that are the same a single label names one in 1.0 to 2.0 % of the cases")
    assert "in 4.0 % (normal differences) and 4.0 to 8.0 % over all spreads" in words
    assert words.endswith("in 95.0 %.")
