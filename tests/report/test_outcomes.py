import math

import pandas
import pytest
from helpers import runs

from kanbefair.report import outcomes

MEMORY = "it needs about 40 GB of memory"


def table(*happened):
    """A run per (model, outcome, message)."""
    rows = [{"key": str(number), "model": m, "outcome": o, "message": why} for number, (m, o, why) in enumerate(happened)]
    return pandas.DataFrame(rows)


DONE = ("KAN", "done", None)
ALL = (DONE, ("MLP", "diverged", None), ("KAN", "at chance", None), ("KAN", "at chance", None), ("KAN", "failed", MEMORY))


def test_what_happened_is_said_and_counted_by_model():
    assert outcomes.words(table(*ALL)) == (f"1 of 5 runs diverged (MLP 1); 2 are at chance (KAN 2); 1 failed (KAN 1: {MEMORY})")
    assert outcomes.words(table(*ALL[1:2], *ALL[2:3], ("MLP", "at chance", None)), by="model") == (
        "1 of 3 runs diverged (MLP 1); 2 are at chance (KAN 1, MLP 1)"
    )


@pytest.mark.parametrize(
    ("happened", "said"),
    [
        ([DONE, ALL[2]], "1 of 2 runs is at chance (KAN 1)"),
        ([("KAN", "failed", "a"), ("KAN", "failed", "b"), ("KAN", "failed", "a")], "3 of 3 runs failed (KAN 2: a, KAN 1: b)"),
    ],
)
def test_one_is_one_and_every_message_is_there(happened, said):
    assert outcomes.words(table(*happened)) == said


def test_where_all_are_done_or_nothing_is_known_nothing_is_said():
    assert outcomes.words(table(DONE, DONE)) == ""
    assert outcomes.words(table(*ALL).drop(columns="outcome")) == ""
    assert outcomes.noted(table(DONE)) == ""


def test_a_figure_says_it_without_messages_and_what_open_marks_are():
    assert outcomes.noted(table(*ALL)) == (
        "1 of 5 runs diverged (MLP 1); 2 are at chance (KAN 2); 1 failed (KAN 1). Open marks: at chance."
    )
    assert outcomes.noted(table(DONE, ALL[1])) == "1 of 2 runs diverged (MLP 1)"


def test_a_run_that_stands_in_two_rows_is_counted_once():
    twice = pandas.concat([table(*ALL), table(*ALL)])
    assert [outcomes.count(twice, name) for name in ("diverged", "at chance", "failed")] == [1, 2, 1]
    assert math.isnan(outcomes.count(runs().drop(columns="outcome"), "failed"))


def test_numbers_without_a_total():
    assert outcomes.counted({"diverged": {"KAN": 0, "MLP": 1}, "failed": {"KAN": 1200.0, "MLP": math.nan}}) == (
        "1 run diverged (MLP 1); 1,200 failed (KAN 1,200)"
    )
    assert outcomes.counted({"at chance": {"KAN": 2, "MLP": 1}}) == "3 runs are at chance (KAN 2, MLP 1)"


def test_names_in_words():
    assert [outcomes.names(names) for names in ("A", "AB", "ABC")] == ["A", "A and B", "A, B and C"]


def test_a_remark_names_places_where_all_are_at_chance_and_counts_what_has_no_score():
    runs = table(*ALL[2:4], DONE, DONE)
    places = pandas.Series(["A", "B", "B", "C"])
    assert outcomes.remark("KAN", runs, places, 0) == ["KAN is at chance on A"]
    assert outcomes.remark("KAN", runs, pandas.Series(["A", "B", "C", "C"]), 1) == [
        "KAN is at chance on A and B",
        "1 run of KAN has no score",
    ]
    assert outcomes.remark("KAN", runs[2:], places[2:], 2) == ["2 runs of KAN have no score"]
    assert outcomes.remark("KAN", runs[:0], places[:0], 0) == []
