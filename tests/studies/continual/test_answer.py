"""The answer in words, from tables made by hand."""

import math

import pandas
from helpers import STREAM

from kanbefair.studies.continual import findings

CLAIM = pandas.DataFrame(
    [
        ("KAN − MLP relu, forgetting", "Digits, threes", "points", 12, 11, 13.5, "seed", "KAN forgets more"),
        ("KAN − MLP relu, forgetting", "2 streams", "points", 3, 2, 4.5, "source", "KAN forgets more"),
        ("KAN − MLP relu, average at levels that both reach", "Digits, threes", "points", 7, 6, 8.5, "seed", "KAN knows more"),
        ("KAN − MLP relu, average at levels that both reach", "2 streams", "points", -5, -6, -3.5, "source", "KAN knows less"),
        ("KAN, one spline: growth of the error", "Peaks_1d", "mean |error|", 99, 98, 100, "seed", "forgets"),
    ],
    columns=["comparison", "on", "unit", "effect", "low", "high", "interval_over", "verdict"],
).assign(remark=None)


SUMMARY = pandas.DataFrame(
    [
        STREAM | {"network": "KAN", "learned": 95.0, "average": 33.0, "overlap": 0.25},
        STREAM | {"network": "MLP relu", "learned": 90.0, "average": 41.0, "overlap": math.nan},
        STREAM | {"network": "BSpline_MLP", "learned": 85.0, "average": 28.0, "overlap": 0.95},
        STREAM | {"network": "KAN", "learned": 70.0, "average": 60.0, "overlap": 0.75, "stream_name": "pairs"},
        STREAM | {"network": "KAN", "learned": 11.0, "average": 12.0, "overlap": 0.01, "strategy": "joint"},
        STREAM | {"network": "KAN", "learned": 13.0, "average": 14.0, "overlap": 0.99, "optimizer_state": "reset"},
    ]
).assign(at_chance=0, seeds=3)


PEAK = {"dataset": "Peaks_1d", "method": "LBFGS", "overlap": math.nan}


PEAKS = pandas.DataFrame(
    [
        PEAK | {"network": "one spline", "learned": 0.002, "average": 0.004, "forgetting_high": 0.0095, "overlap": 0.05},
        PEAK | {"network": "MLP tanh", "learned": 0.01, "average": 0.3, "forgetting_high": 0.0105},
        PEAK | {"network": "unseen", "learned": 0.6, "average": 0.6, "forgetting_high": 0.0, "method": "Adam, reset"},
        PEAK | {"network": "table", "learned": 0.02, "average": 0.02, "forgetting_high": 0.001, "dataset": "Peaks_2d"},
    ]
).assign(at_chance=0, seeds=3)


GAIN = pandas.DataFrame(
    [
        ("KAN − MLP relu", "ewc", 4.0, 1.0, 7.0),
        ("KAN − MLP relu", "knots", -4.0, -7.0, -1.0),
        ("KAN − MLP relu", "replay", 2.0, -1.0, 5.0),
        ("KAN", "joint", 50.0, 49.0, 51.0),
    ],
    columns=["network", "strategy", "gain", "low", "high"],
).assign(
    narrow_low=lambda own: own["low"] + 0.5, narrow_high=lambda own: own["high"] - 0.5, dataset="Digits", stream_name="threes"
)


def part(title: str, claim: pandas.DataFrame = CLAIM) -> tuple[str, list[str]]:
    """The first line of what the answer says under a title, and the lines after it."""
    said = findings.answer(claim, SUMMARY, GAIN, PEAKS).data
    first, *lines = said.split(f"### {title}\n")[1].split("\n\n###")[0].splitlines()
    return first, [line for line in lines if line]


def test_the_answer_to_who_forgets_is_that_over_all_streams_at_levels_that_both_reach():
    first, lines = part("Does KAN forget more?")
    assert first.startswith(
        "KAN minus MLP (relu) in the average after the last task, each having learned at least up to the same level, "
        "over 2 streams: -5.0 [-6.0, -3.5] points: **KAN knows less**. The average holds the task learned last, too"
    )
    assert lines == [
        "- forgetting, points, KAN minus MLP: Digits, threes +12.0 [+11.0, +13.5] (KAN forgets more); "
        "2 streams +3.0 [+2.0, +4.5] (KAN forgets more).",
        "- average at levels that both reach, points, KAN minus MLP: Digits, threes +7.0 [+6.0, +8.5] (KAN knows more); "
        "2 streams -5.0 [-6.0, -3.5] (KAN knows less).",
    ]


def test_where_both_never_reached_one_level_the_answer_says_so():
    first, lines = part("Does KAN forget more?", CLAIM[~CLAIM["comparison"].str.contains("levels")])
    assert first.startswith("At no learning rates that were tried did both learn up to the same level. The average holds")
    assert len(lines) == 1


def test_with_one_stream_the_answer_is_that_of_the_stream():
    first, _ = part("Does KAN forget more?", CLAIM[CLAIM["interval_over"] != "source"])
    assert "up to the same level, over Digits, threes: +7.0 [+6.0, +8.5] points: **KAN knows more**." in first


def test_the_answer_sets_what_was_learned_before_what_is_left():
    assert part("When?")[1] == [
        "- Digits, threes: KAN 95 → 33, MLP relu 90 → 41, BSpline_MLP 85 → 28.",
        "- Digits, pairs: KAN 70 → 60.",
    ]


def test_the_answer_says_who_keeps_the_peaks_and_how_many_knots_tasks_share():
    first, lines = part("Why?")
    assert "a KAN's tasks share 0.25 to 0.75 of their knots" in first
    assert lines == [
        "- Peaks_1d: one spline **keeps** (0.002 → 0.004, knots shared 0.05); MLP tanh forgets (0.01 → 0.3).",
        "- Peaks_2d: table **keeps** (0.02 → 0.02).",
    ]


def test_the_answer_says_which_remedies_do_more_for_kan():
    assert part("Does a remedy help KAN more than MLP?")[1] == [
        "- Digits, threes: ewc +4.0 [+1.0, +7.0] (more for KAN); knots -4.0 [-7.0, -1.0] (less for KAN); "
        "replay +2.0 [-1.0, +5.0] (undecided)."
    ]


def test_the_answer_hands_on_what_is_remarked_and_counts_runs_at_chance():
    remarked = CLAIM.assign(remark=[None, None, None, "KAN is at chance on Digits, threes", None])
    first, lines = part("Does KAN forget more?", remarked)
    assert "points: **KAN knows less**, but KAN is at chance on Digits, threes. The average" in first
    assert "(KAN knows less, but KAN is at chance on Digits, threes)" in lines[1]
    said = findings.answer(CLAIM, SUMMARY.assign(at_chance=[2, 0, 0, 0, 0, 0]), GAIN, PEAKS.assign(at_chance=[0, 1, 0, 0])).data
    assert "- Digits, threes: KAN 95 → 33 (2 of 3 runs at chance), MLP relu 90 → 41" in said
    assert "MLP tanh forgets (0.01 → 0.3, 1 of 3 runs at chance)" in said


def test_of_a_kan_without_a_score_no_knots_are_told():
    said = findings.answer(CLAIM, SUMMARY[SUMMARY["network"] != "KAN"], GAIN[:0], PEAKS).data
    assert "On the streams above a KAN's tasks have no score. On the peaks" in said
