import numpy
import pandas
import pytest
from scipy import stats

from kanbefair.errors import InputError
from kanbefair.report.decision import EQUIVALENT, UNDECIDED
from kanbefair.studies.fairness import inference

PAIR = ("Spline", "Plain")
FIVE = (1.0, 2.0, 3.0, 4.0, 5.0)


def final(differences=FIVE, metric="accuracy", noise=0.0, seeds=2, divisions=1, **fields):
    """Runs whose first family is ahead by the given differences, a dataset and source each, plus noise."""
    generator = numpy.random.default_rng(0)
    rows = []
    for number, difference in enumerate(differences):
        for family, ahead in zip(PAIR, (difference, 0), strict=True):
            for level, division, seed in numpy.ndindex(3, divisions, seeds):
                value = 80 + ahead if metric == "accuracy" else 0.1 * 10**-ahead
                rows.append(
                    {
                        "domain": "text",
                        "dataset": f"d{number}",
                        "source": f"s{number}",
                        "family": family,
                        "budget_kind": "values",
                        "level": level + 1,
                        "seed": seed,
                        "division": division,
                        "metric": metric,
                        "score": value + noise * generator.normal(),
                        "test_rows": 1000,
                    }
                )
    return pandas.DataFrame(rows).assign(**fields)


def test_differences_of_five_sources_worked_by_hand():
    row = inference.domains(final(), PAIR).iloc[0]
    # mean 3; variance (4 + 1 + 0 + 1 + 4) / 4 = 2.5; standard error sqrt(2.5 / 5) = 0.70711; t of 4 degrees 2.77645, 2.13185
    assert row["estimate"] == pytest.approx(3)
    assert (row["low"], row["high"]) == pytest.approx((3 - 1.96324, 3 + 1.96324), abs=1e-5)
    assert (row["low_90"], row["high_90"]) == pytest.approx((3 - 1.50744, 3 + 1.50744), abs=1e-5)
    assert (row["sources"], row["datasets"], row["margin"], row["label"]) == (5, 5, 0.5, "Spline")
    turned = inference.domains(final(), PAIR[::-1]).iloc[0]
    assert (turned["estimate"], turned["label"]) == (pytest.approx(-3), "Spline")


@pytest.mark.parametrize("metric", ["accuracy", "mae"])
def test_a_domain_is_tested_as_scipy_tests_its_sources(metric):
    runs = final(numpy.linspace(-0.5, 1, 7), metric, noise=1e-4, seeds=3, divisions=2)
    values = runs["score"] if metric == "accuracy" else -numpy.log10(runs["score"])
    means = runs.assign(value=values).pivot_table("value", "source", "family")
    expected = stats.ttest_rel(means[PAIR[0]], means[PAIR[1]])
    row = inference.domains(runs, PAIR).iloc[0]
    assert row["p"] == pytest.approx(expected.pvalue)
    assert row["error"] == pytest.approx(stats.sem(means[PAIR[0]] - means[PAIR[1]]))
    for names, level in ((("low", "high"), 0.95), (("low_90", "high_90"), 0.90)):
        assert [row[name] for name in names] == pytest.approx(list(expected.confidence_interval(level)))


def test_an_error_ten_times_lower_is_one_ahead():
    table = inference.differences(final([1.0], "mae"), PAIR)
    assert table["difference"].tolist() == pytest.approx([1])
    assert table["margin"].tolist() == pytest.approx([numpy.log10(1.1)])


def test_seeds_are_averaged_within_divisions_these_within_levels():
    runs = final([0.0], seeds=2, divisions=2)
    first = runs["family"] == PAIR[0]
    runs.loc[first & (runs["level"] == 1) & (runs["division"] == 1), "score"] += 12
    more = runs[first & (runs["level"] == 1) & (runs["division"] == 1)].assign(seed=7)
    fewer = runs[(runs["level"] < 3) | (runs["division"] == 0)]
    table = inference.differences(pandas.concat([fewer, more]), PAIR)
    assert table["difference"].tolist() == pytest.approx([12 / 2 / 3])


def test_a_level_that_one_family_lacks_is_left_out():
    runs = final([2.0])
    table = inference.differences(runs[(runs["family"] == PAIR[1]) | (runs["level"] > 1)], PAIR)
    assert table["levels"].tolist() == [2]
    assert table["difference"].tolist() == pytest.approx([2])


def test_datasets_of_a_source_are_averaged():
    runs = final((1.0, 2.0, 3.0, 4.0, 5.0, 7.0)).replace({"source": {"s5": "s4"}})
    row = inference.domains(runs, PAIR).iloc[0]
    assert (row["sources"], row["datasets"]) == (5, 6)
    assert row["estimate"] == pytest.approx((1 + 2 + 3 + 4 + 6) / 5)


def test_a_domains_margin_is_the_mean_over_sources():
    runs = final()
    runs.loc[runs["dataset"] == "d0", "test_rows"] = 40
    assert inference.domains(runs, PAIR)["margin"].tolist() == pytest.approx([(4 * 0.5 + 2.5) / 5])


def test_domains_of_fewer_sources_are_not_tested():
    assert inference.domains(final(FIVE[:4]), PAIR).empty
    few = final(FIVE[:4], domain="audio")
    both = inference.domains(pandas.concat([few, final()]), PAIR)
    assert both["domain"].tolist() == ["text"]
    assert both["holm_p"].tolist() == pytest.approx(both["p"].tolist())


def test_holm_by_hand():
    adjusted, divided = inference.holm(numpy.array([0.03, 0.01, numpy.nan, 0.04]))
    assert adjusted == pytest.approx([0.09, 0.04, 1, 0.09])
    assert divided.tolist() == [3, 4, 3, 3]
    adjusted, divided = inference.holm(numpy.array([[0.001, 0.02, 0.024], [0.5, 0.001, 0.2]]))
    assert adjusted == pytest.approx(numpy.array([[0.003, 0.04, 0.04], [0.5, 0.003, 0.4]]))
    assert divided.tolist() == [[3, 2, 1], [2, 3, 2]]


def test_holm_agrees_with_statsmodels():
    multitest = pytest.importorskip("statsmodels.stats.multitest", reason="statsmodels is not installed")
    for p in numpy.random.default_rng(0).beta(0.3, 2, (3, 8)):
        assert inference.holm(p)[0] == pytest.approx(multitest.multipletests(p, method="holm")[1])


def test_holms_interval_leaves_out_0_just_where_its_p_is_low():
    generator = numpy.random.default_rng(0)
    estimate, error = generator.normal(0, 2.5, (500, 8)), numpy.ones((500, 8))
    tests = inference.confirm(estimate, error, numpy.full((500, 8), 10))
    assert ((tests["holm_low"] > 0) | (tests["holm_high"] < 0)).tolist() == (tests["holm_p"] < 0.05).tolist()
    assert (tests["holm_low"] <= tests["low"]).all()


def test_more_tests_make_the_same_difference_undecided():
    runs = final((0.2, 0.4, 0.8, 1.4, 1.6))
    assert inference.domains(runs, PAIR)["label"].tolist() == ["Spline"]
    others = [final((-1.0, 1.0, -2.0, 2.0, 0.1), domain=name) for name in ("symbolic", "vision", "audio")]
    table = inference.domains(pandas.concat([runs, *others]), PAIR).set_index("domain")
    assert table.loc["text", "p"] < 0.05 < table.loc["text", "holm_p"]
    assert table.loc["text", "label"] == UNDECIDED


def test_small_differences_are_equivalent():
    assert inference.domains(final((0.1, -0.1, 0.2, -0.2, 0.0)), PAIR)["label"].tolist() == [EQUIVALENT]
    ratios = numpy.log10([1.01, 1.02, 0.99, 0.98, 1.0])
    assert inference.domains(final(ratios, "mae"), PAIR)["label"].tolist() == [EQUIVALENT]


@pytest.mark.parametrize("difference", [0.0, 0.1, 3.0])
def test_equal_differences_decide_nothing(difference):
    runs = final([difference] * 6, divisions=2)
    runs["score"] += 0.7 * runs["dataset"].str[1:].astype(int) + 0.3 * runs["division"]  # they differ by rounding
    row = inference.domains(runs, PAIR).iloc[0]
    assert row["low"] == row["high"] == pytest.approx(difference)
    assert (row["holm_p"], row["label"]) == (1, UNDECIDED)
    assert set(inference.datasets(runs, PAIR)["label"]) == {UNDECIDED}


def test_one_source_is_no_domain_and_one_seed_decides_nothing():
    assert inference.domains(final([3.0]), PAIR).empty
    pairs = pandas.DataFrame({"dataset": ["d0"], "budget_kind": "values", "level": 1, "row_variance": 0.01})
    for rows in (None, pairs):
        table = inference.datasets(final([3.0], noise=0.1, seeds=1), PAIR, rows)
        assert table["low"].isna().all()
        assert table["label"].tolist() == [UNDECIDED]


def test_a_dataset_of_one_level_and_division_is_welchs_test():
    runs = final([1.0], noise=1.0, seeds=10)
    runs = runs[(runs["level"] == 1) & ((runs["family"] == PAIR[0]) | (runs["seed"] < 6))]
    scores = [runs.loc[runs["family"] == family, "score"] for family in PAIR]
    expected = stats.ttest_ind(*scores, equal_var=False)
    row = inference.datasets(runs, PAIR).iloc[0]
    assert row["freedom"] == pytest.approx(expected.df)
    assert (row["low"], row["high"]) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert (row["low_90"], row["high_90"]) == pytest.approx(tuple(expected.confidence_interval(0.90)))


def test_divisions_add_their_variance():
    runs = final([1.0], noise=0.5, seeds=4, divisions=3)
    runs["score"] += numpy.where(runs["family"] == PAIR[0], 0.5 * runs["division"] ** 2, 0)
    means = runs.pivot_table("score", "division", "family")
    divisions = stats.sem(means[PAIR[0]] - means[PAIR[1]]) ** 2
    cells = runs.groupby(["level", "division", "family"])["score"].var() / 4 / 9**2
    row = inference.datasets(runs, PAIR).iloc[0]
    assert (row["variance_seeds"], row["variance_divisions"]) == pytest.approx((cells.sum(), divisions))
    freedom = (cells.sum() + divisions) ** 2 / ((cells**2 / 3).sum() + divisions**2 / 2)
    assert row["freedom"] == pytest.approx(freedom)
    assert row["high"] - row["low"] == pytest.approx(2 * stats.t.ppf(0.975, freedom) * numpy.sqrt(cells.sum() + divisions))


def test_of_one_seed_the_divisions_tell_all():
    runs = final([1.0], noise=0.5, seeds=1, divisions=4)
    means = runs.pivot_table("score", "division", "family")
    expected = stats.ttest_rel(means[PAIR[0]], means[PAIR[1]]).confidence_interval(0.95)
    row = inference.datasets(runs, PAIR).iloc[0]
    assert (row["low"], row["high"]) == pytest.approx(tuple(expected))
    assert numpy.isnan(row["variance_seeds"])


def test_test_rows_add_their_variance():
    runs = final([1.0], noise=1.0, seeds=10)
    pairs = pandas.DataFrame(
        {"dataset": "d0", "budget_kind": ["values"] * 3 + ["flops"], "level": [1, 2, 3, 1], "row_variance": [1, 4, 9, 100]}
    )
    row, without = (inference.datasets(runs, PAIR, table).iloc[0] for table in (pairs, None))
    assert row["variance_rows"] == pytest.approx(((1 + 2 + 3) / 3) ** 2)
    assert numpy.isnan(without["variance_rows"])
    seeds = without["variance_seeds"]
    freedom = (seeds + 4) ** 2 / (seeds**2 / without["freedom"] + 4**2 / 999)
    assert row["freedom"] == pytest.approx(freedom)
    assert row["high"] - row["low"] == pytest.approx(2 * stats.t.ppf(0.975, freedom) * numpy.sqrt(seeds + 4))
    assert (without["label"], row["label"]) == ("Spline", UNDECIDED)


def test_a_datasets_interval_covers_what_it_should():
    generator = numpy.random.default_rng(0)
    runs = final([0.0] * 200, seeds=3, divisions=3)
    for names, deviation in ((["dataset", "family", "division"], 1.0), (["dataset", "family"], 0.5)):
        group = runs.groupby(names).ngroup()
        runs["score"] += generator.normal(0, deviation, group.max() + 1)[group]
    runs["score"] += generator.normal(0, 2.0, len(runs))
    pairs = runs[["dataset", "budget_kind", "level"]].drop_duplicates().assign(row_variance=2 * 0.5**2)
    table = inference.datasets(runs, PAIR, pairs)
    assert 0.93 < ((table["low"] < 0) & (table["high"] > 0)).mean() <= 0.99


def test_scores_that_are_none_are_refused():
    with pytest.raises(InputError, match=r"^a score of Spline on d0 is nan; scores must be finite"):
        inference.domains(final(score=numpy.nan), PAIR)
    with pytest.raises(InputError, match=r"^a score of Spline on d0 is 0.0; .* errors above 0"):
        inference.domains(final(metric="mae", score=0.0), PAIR)
    with pytest.raises(
        InputError, match=r"^no frozen run is of Other; families to compare must be among \['Plain', 'Spline'\]$"
    ):
        inference.differences(final(), ("Spline", "Other"))
