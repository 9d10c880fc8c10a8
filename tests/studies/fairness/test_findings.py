import numpy
import pandas
import pytest
from fair_runs import final, nothing, study, tries
from scipy import stats

from kanbefair.report import columns
from kanbefair.studies.fairness import findings, inference

pytestmark = pytest.mark.usefixtures("all_have_run")

FIVE = (1.0, 2.0, 3.0, 4.0, 5.0)


def test_a_domain_of_five_sources_has_the_row_that_inference_finds():
    runs = final(FIVE, noise=0.1)
    (row,) = findings.by_domain(study(runs)).to_dict("records")
    expected = inference.domains(runs, ("KAN", "MLP")).iloc[0]
    for name in ("estimate", "holm_low", "holm_high", "low_90", "margin", "label", "sources"):
        assert row[name] == expected[name]
    assert (row["first"], row["second"], row["tests"], row["planned"]) == ("KAN", "MLP", 1, 8)
    assert (row["runs_first"], row["runs_second"], row["no_result_first"], row["late"]) == (30, 30, 0, 0)
    assert row["middle"] == pytest.approx(stats.trim_mean(_by_source(runs), 0.25))
    assert row["improvement"] == 1


def _by_source(runs):
    means = runs.pivot_table("score", "source", "family")
    return (means["KAN"] - means["MLP"]).to_numpy()


def test_fewer_sources_are_no_domain_and_each_dataset_has_its_difference():
    own = study(final(FIVE[:3]))
    assert findings.by_domain(own).empty
    table = findings.by_dataset(own)
    assert table["estimate"].tolist() == pytest.approx([1, 2, 3])
    assert table["score_first"].tolist() == pytest.approx([81, 82, 83])
    assert table["score_second"].tolist() == pytest.approx([80, 80, 80])


def test_errors_are_ratios_and_their_means_geometric():
    table = findings.by_dataset(study(final([0.3], "mae", domain="symbolic")))
    assert table["estimate"].item() == pytest.approx(0.3)
    assert table["score_second"].item() == pytest.approx(0.1)
    assert table["score_first"].item() == pytest.approx(0.1 / 10**0.3)


def test_any_pair_of_families_is_compared_where_both_have_run():
    runs = final(FIVE, families=("KAN", "MLP", "Other"))
    runs = runs[(runs["family"] != "Other") | (runs["dataset"] == "d1")]
    own = study(runs)
    assert findings.pairs(runs) == [("KAN", "MLP"), ("KAN", "Other"), ("MLP", "Other")]
    assert set(findings.by_domain(own)["second"]) == {"MLP"}
    others = findings.by_dataset(own)
    others = others[others["second"] == "Other"].set_index("first")["estimate"]
    assert others.to_dict() == pytest.approx({"KAN": 2, "MLP": 0})
    assert findings.by_domain(study(runs[runs["family"] == "KAN"])).empty


def test_what_declared_tables_say_is_what_is_written():
    own = study(final(FIVE))
    for name, table in (("fairness_domains", findings.by_domain(own)), ("fairness_by_dataset", findings.by_dataset(own))):
        columns.check(f"extended/{name}", table.columns)
        assert len(table)
        again = getattr(findings, "by_domain" if name == "fairness_domains" else "by_dataset")(nothing())
        assert again.empty and list(again) == list(table)


def test_runs_without_a_result_and_late_gainers_are_counted_by_family():
    runs = final(FIVE)
    runs.loc[(runs["family"] == "MLP") & (runs["dataset"] == "d0"), "outcome"] = "at chance"
    runs.loc[runs["family"] == "KAN", "late"] = True
    row = findings.by_domain(study(runs)).iloc[0]
    assert (row["no_result_first"], row["no_result_second"], row["late"]) == (0, 6, 50)


def test_balanced_accuracy_stands_beside_where_a_class_is_large():
    runs = final(FIVE[:1])
    assert findings.by_dataset(study(runs, largest=80.0))["balanced_first"].isna().all()
    row = findings.by_dataset(study(runs, largest=80.1)).iloc[0]
    assert (row["balanced_first"], row["balanced_second"], row["loss_first"]) == (60, 61, 0.5)


def test_the_expected_best_of_three_tries_worked_by_hand():
    table = findings.expected_best(tries([70.0, 73.0, 71.0], families=("MLP",)))
    behind = table.set_index("tries")["behind"]
    # best of one: (70 + 71 + 73) / 3; of two, drawn with replacement: (70 · 1 + 71 · 3 + 73 · 5) / 9
    assert behind[1] == pytest.approx(73 - 214 / 3)
    assert behind[2] == pytest.approx(73 - 648 / 9)
    assert behind[24] == pytest.approx(0, abs=2e-3)


def test_a_try_without_a_result_counts_as_the_worst():
    own = tries([70.0, 73.0, 99.0], families=("MLP",))
    own.loc[own["trial"] == 2, "outcome"] = "failed"
    assert findings.expected_best(own).set_index("tries")["behind"][1] == pytest.approx(73 - (70 + 73 + 70) / 3)


def test_tries_are_behind_the_best_of_all_families_in_ratios_of_errors():
    own = tries([0.1], families=("KAN", "MLP"), metric="mae")
    own.loc[own["family"] == "MLP", "valid"] = 0.2
    table = findings.expected_best(own).set_index(["family", "tries"])["behind"]
    assert table["KAN", 1] == 0
    assert table["MLP", 24] == pytest.approx(numpy.log10(2))


def test_differences_by_level_are_means_over_sources():
    runs = final(FIVE)
    runs.loc[(runs["family"] == "KAN") & (runs["level"] == 3), "score"] += 6
    table = findings.by_level(runs).set_index("level")
    assert table["estimate"].to_dict() == pytest.approx({1: 3, 2: 3, 3: 9})
    assert set(table["sources"]) == {5}


def test_scores_by_level_have_the_range_of_the_seeds():
    runs = final([1.0])
    runs.loc[(runs["family"] == "MLP") & (runs["seed"] == 102), "score"] = 84.0
    row = findings.level_scores(runs).set_index(["family", "level"]).loc[("MLP", 1)]
    assert (row["score"], row["low"], row["high"], row["size"], row["seeds"]) == (82, 80, 84, 1010, 2)


def test_profiles_are_of_the_sources_that_have_all_families():
    runs = final(FIVE)
    runs = runs[(runs["family"] != "MLP") | (runs["dataset"] != "d4")]
    table = findings.profiles(runs)
    assert set(table["sources"]) == {4}
    assert table[(table["family"] == "KAN")]["share"].tolist() == [1.0] * (len(table) // 2)
    assert findings.profiles(nothing().final).empty


def test_checks_count_tries_sizes_seeds_and_levels():
    own = tries([80.0, 81.0, 82.0])
    own.loc[(own["family"] == "MLP") & (own["trial"] == 0), "outcome"] = "at chance"
    table = findings.checks(study(final([1.0]), own)).set_index("family")
    assert table.loc["MLP", ["tries, fewest", "tries, most", "tries without a result"]].tolist() == [3, 3, 1]
    assert table["size off by at most (%)"].tolist() == pytest.approx([3, 3])
    assert table["new seeds, fewest"].tolist() == [2, 2]
    assert table["levels"].tolist() == [3, 3]
    assert table.loc["KAN", "least acceptance (%)"] == 85


def test_what_has_run_is_told_by_domain():
    table = findings.coverage(final([1.0]).replace({"d0": "MR"})).set_index("domain")
    assert table.loc["text", ["sources", "of sources", "datasets", "of datasets", "in"]].tolist() == [1, 8, 1, 10, "MR"]
    assert "SST-2" in table.loc["text", "missing"]
    assert table.loc["vision", "missing"] == "FMNIST, MNIST, Digits, MNIST1D"


def test_tables_that_are_not_there_are_empty(tmp_path):
    own = findings.read(tmp_path)
    assert own.final.empty and own.tries.empty
    assert [len(table) for table in findings.labels(tmp_path)] == [0, 0]


def test_labels_come_back_as_they_were_written(tmp_path):
    table = findings.by_domain(study(final(FIVE, noise=0.1)))
    findings.Tables(tmp_path).write("fairness_domains", table)
    pandas.testing.assert_frame_equal(findings.labels(tmp_path)[0], table, rtol=1e-5, check_dtype=False)
