import math

import pandas
import pytest
from helpers import troubled, without_scores

from kanbefair.report import sentences, statistics, trained, words

TABULAR = {
    "domain": "tabular",
    "metric": "accuracy",
    "budget": "parameters",
    "gain": -1.894,
    "low": -3.06,
    "high": -0.71,
    "label": "MLP",
    "interval_over": "seed",
    "margin": 0.5,
    "units": 5,
    "top": 0.25,
    "top_low": -0.5,
    "top_high": 1.0,
    "names": "BreastCancer WineRecognition",
    "gains": "0.6 -4.388",
    "datasets": 2,
    "seeds": 5,
    "tries_KAN": 12,
    "tries_MLP": 24,
    "within_KAN": 12,
    "within_MLP": 8,
    "budget_low": 131.6,
    "budget_high": 3430.2,
}
SYMBOLIC = TABULAR | {
    "domain": "symbolic",
    "metric": "mae",
    "budget": "flops",
    "gain": math.log10(5),
    "low": math.log10(2),
    "high": math.log10(12.4),
    "label": "KAN",
    "interval_over": "dataset",
    "units": 10,
    "margin": math.log10(1.1),
    "top": math.log10(2),
    "top_low": math.log10(0.5),
    "top_high": math.log10(8),
    "names": " ".join("abcdefghij"),
    "gains": "0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 -0.1 -0.2",
}
KAN_AHEAD = {"gain": 1.894, "low": 0.71, "high": 3.06, "label": "KAN"}
MLP_LOWER = {"gain": -math.log10(5), "low": -math.log10(12.4), "high": -math.log10(2), "label": "MLP"}
UNDECIDED = {"low": -0.5, "high": 1.0, "gain": 0.25, "label": "undecided"}
EQUIVALENT = {"low": -0.02, "high": 0.03, "gain": 0.01, "label": "equivalent"}
ALONE = {"units": 1, "low": -math.inf, "high": math.inf, "label": "undecided"}


def line(row):
    (only,) = sentences(pandas.DataFrame([row])).data.splitlines()
    return only


def test_a_line_names_datasets_budgets_gain_interval_and_tries():
    assert line(TABULAR) == (
        "- BreastCancer, WineRecognition (tabular), equal parameters from 132 to 3,430: **MLP** ahead by 1.89 points "
        "[0.71, 3.06]; 95 % interval over 5 seeds, of these datasets only; on BreastCancer KAN − MLP +0.60; on WineRecognition "
        "KAN − MLP -4.39; at the top of the range KAN − MLP +0.25 [-0.50, +1.00]; 12 and 24 tries, "
        "12 and 8 of them within the range."
    )
    assert line(SYMBOLIC) == (
        "- symbolic (ten functions), equal FLOPs (paper's formula) from 132 to 3,430: **KAN** ahead, "
        "MLP's error is 5 times KAN's [2, 12]; "
        "95 % interval over 10 datasets; KAN better on 8 of 10; at the top of the range MLP's error 2× KAN's [0.5×, 8×]; "
        "12 and 24 tries, 12 and 8 of them within the range."
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (TABULAR | KAN_AHEAD, "**KAN** ahead by 1.89 points [0.71, 3.06]; 95 %"),
        (SYMBOLIC | MLP_LOWER, "**MLP** ahead, KAN's error is 5 times MLP's [2, 12]; 95 %"),
        (
            TABULAR | UNDECIDED,
            "**undecided**, KAN's accuracy minus MLP's is +0.25 points [-0.50, +1.00], margin 0.5 points; 95 %",
        ),
        (SYMBOLIC | UNDECIDED, "**undecided**, MLP's error is 1.8 times KAN's [0.32, 10], margin 1.1 times; 95 %"),
        (
            TABULAR | EQUIVALENT,
            "**equivalent** within 0.5 points, KAN's accuracy minus MLP's is +0.01 points [-0.02, +0.03]; 95 %",
        ),
        (SYMBOLIC | EQUIVALENT, "**equivalent** within 1.1 times, MLP's error is 1 times KAN's [0.95, 1.1]; 95 %"),
    ],
)
def test_who_is_ahead_has_the_higher_accuracy_or_the_lower_error(row, said):
    assert f": {said}" in line(row)


@pytest.mark.parametrize("change", [ALONE, ALONE | {"units": 3}, {"units": 1}])
def test_without_an_interval_there_is_no_verdict(change):
    unit = "1 seed;" if change["units"] == 1 else "3 seeds;"
    said = ": **no verdict**, KAN's accuracy minus MLP's is -1.89 points; no interval from "
    assert f"{said}{unit}" in line(TABULAR | change)
    said = ": **no verdict**, MLP's error is 5 times KAN's; no interval from "
    assert f"{said}{unit}".replace("seed", "dataset") in line(SYMBOLIC | change)


def test_only_an_interval_over_seeds_is_said_to_be_of_these_datasets_and_names_them_before_the_domain():
    over_datasets = line(TABULAR | {"interval_over": "dataset"})
    assert "of these datasets only" not in over_datasets
    assert over_datasets.startswith("- tabular (BreastCancer, WineRecognition), ")
    over_seeds = line(SYMBOLIC | {"interval_over": "seed", "units": 5})
    assert "5 seeds, of these datasets only" in over_seeds and over_seeds.startswith("- ten functions (symbolic), ")


def test_one_dataset_has_no_gains_beside_its_own_and_one_budget_no_top():
    said = line(TABULAR | {"names": "A", "gains": 1.5, "budget_high": 131.6})
    assert said.endswith("of these datasets only; 12 and 24 tries, 12 and 8 of them within the range.")


def test_of_texts_it_is_said_what_counts_the_embedding():
    text = TABULAR | {"domain": "text", "names": "A", "gains": "1"}
    assert ", equal parameters (embedding counted) from 132 to" in line(text | {"budget": "live_parameters"})
    assert ", equal FLOPs (paper's formula), the embedding's lookup free, from 132 to" in line(text | {"budget": "flops"})
    assert ", equal FLOPs (paper's formula) from 132 to" in line(TABULAR | {"budget": "flops"})


@pytest.mark.parametrize(
    ("row", "datasets"),
    [
        (TABULAR | {"names": "A B C D", "gains": "1 2 3 4"}, "A, B, C, D (tabular)"),
        (TABULAR | {"names": "A B C D E"}, "five tables (tabular)"),
        (SYMBOLIC | {"names": " ".join("abcdefghijk")}, "(11 functions)"),
        (TABULAR | {"domain": "own", "names": "A B C D E"}, "five datasets (own)"),
    ],
)
def test_a_few_datasets_are_named_and_many_counted(row, datasets):
    assert datasets in line(row)


@pytest.mark.parametrize(
    ("change", "range_"),
    [
        ({"budget": "alone_seconds", "budget_low": 0.0755, "budget_high": 2.84}, "equal time alone from 0.075 s to 2.8 s:"),
        ({"budget": "stack_seconds", "budget_low": 0.6, "budget_high": 0.6}, "equal time in a stack of 0.6 s:"),
        ({"budget_low": 126.0, "budget_high": 126.0}, "equal parameters of 126:"),
    ],
)
def test_ranges_have_their_unit_and_one_budget_is_no_range(change, range_):
    assert f", {range_}" in line(TABULAR | change)


def test_what_re_runs_say_stands_below_the_lines_of_their_domain():
    again = pandas.DataFrame(
        [TABULAR | UNDECIDED | {"tries_KAN": 388, "interval_over": "dataset"}, SYMBOLIC | {"domain": "vision"}]
    )
    lines = sentences(pandas.DataFrame([TABULAR, SYMBOLIC]), again).data.splitlines()
    assert [text.split("(")[0] for text in lines] == [
        "- BreastCancer, WineRecognition ",
        "- tabular, the paper's own datasets trained again by its protocol ",
        "  - tabular ",
        "- symbolic ",
    ]
    assert "**undecided**" in lines[2] and "388 and 24 tries" in lines[2]


def test_a_verdict_of_runs_has_all_that_a_line_needs():
    rows = [
        (dataset, model, seed, size, 50.0 + (model == "KAN") * (10 + seed))
        for dataset in ("B", "A")
        for model in ("KAN", "MLP")
        for seed in (1, 2)
        for size in (10, 100)
    ]
    runs = pandas.DataFrame(rows, columns=["dataset", "model", "seed", "parameters", "test_metric_last"])
    runs = runs.assign(key="", protocol="published", metric="accuracy", flops=10 * runs["parameters"])
    runs["live_parameters"] = runs["parameters"] + 1000
    first, second = sentences(statistics.verdict(runs, "text")).data.splitlines()
    assert first.startswith(
        "- A, B (text), equal parameters (embedding counted) from 1,010 to 1,100: **KAN** ahead by 11.50 points ["
    )
    assert second.startswith(
        "- A, B (text), equal FLOPs (paper's formula), the embedding's lookup free, from 100 to 1,000: **KAN** ahead by 11.50"
    )


HAPPENED = (
    " **KAN is at chance** at every size on B: it has learned nothing there. MLP has no score on C: nothing is compared there. "
    "9 runs diverged (MLP 9); 9 are at chance (KAN 9); 3 failed (KAN 3)."
)


@pytest.mark.parametrize("metric", ["accuracy", "mae"])
def test_behind_who_is_ahead_stands_what_happened_to_the_runs(metric, tmp_path):
    table = statistics.verdict(troubled(metric), "audio")
    table.to_csv(tmp_path / "verdict.csv", index=False)
    for own in (table, pandas.read_csv(tmp_path / "verdict.csv")):
        for line in sentences(own).data.splitlines():
            assert line.endswith(f"; 3 and 3 tries, 3 and 3 of them within the range.{HAPPENED}")
        assert words.notes(own) == f"audio:{HAPPENED}".replace("*", "")


def test_how_well_the_compared_runs_know_their_training_rows():
    table = pandas.DataFrame({"dataset": "A", "KAN": [10.0, 20.04], "train_KAN": [10.0, 31.0], "MLP": 50.0, "train_MLP": 99.96})
    assert trained(table).data.splitlines() == [
        "- A, KAN: 10.0 % to 31.0 % in training, 10.0 % to 20.0 % in the test, at the matched budgets.",
        "- A, MLP: 100.0 % in training, 50.0 % in the test, at the matched budgets.",
    ]


def test_where_all_failed_a_sentence_says_so():
    first, _ = sentences(statistics.verdict(without_scores(troubled()), "audio")).data.splitlines()
    assert first == (
        "- A, B, C (audio), equal parameters from 100 to 1,600: **no verdict**, there is nothing to compare; "
        "3 and 3 tries, 3 and 3 of them within the range. "
        "KAN has no score on A, B and C: nothing is compared there. MLP has no score on A, B and C: nothing is compared there. "
        "54 runs failed (KAN 27, MLP 27)."
    )


def test_of_runs_that_are_all_done_nothing_more_is_said():
    assert words.happened(TABULAR) == []
    done = statistics.verdict(troubled().assign(outcome="done"), "audio")
    assert words.happened(done.assign(no_score_MLP=None).iloc[0].to_dict()) == []
    assert words.notes(done.assign(no_score_MLP=None)) == ""


def test_networks_that_were_never_both_built_have_no_range_of_budgets():
    nothing = {"gain": math.nan, "budget_low": math.nan, "budget_high": math.nan, "units": 0, "label": "undecided"}
    assert (
        ", equal parameters: **no verdict**, there is nothing to compare; 12 and 24 tries, 12 and 8 of them within the range."
        in line(TABULAR | nothing)
    )
