import itertools

import numpy
import pandas
import pytest
from scipy import stats

baycomp = pytest.importorskip("baycomp", reason="baycomp is not installed")
scikit_posthocs = pytest.importorskip("scikit_posthocs", reason="scikit-posthocs is not installed")

from kanbefair.studies.fairness import descriptive, inference  # noqa: E402 (needs both)

FAMILIES = ("Spline", "Plain", "Radial", "Rational")
PAIR = FAMILIES[:2]


@pytest.fixture(scope="module")
def final():
    """Runs of four families in domains of six, three and seven sources; the last two datasets of each are of one."""
    generator = numpy.random.default_rng(0)
    rows = []
    for domain, metric, size in (("text", "accuracy", 7), ("audio", "accuracy", 4), ("symbolic", "mae", 8)):
        axes = (range(size), FAMILIES, ("values", "flops"), range(1, 4), range(2), range(3))
        for number, family, kind, level, division, seed in itertools.product(*axes):
            better = 0.3 * FAMILIES[::-1].index(family) + number % 3 + generator.normal()
            rows.append(
                (domain, metric, f"{domain}{number}", f"{min(number, size - 2)}", family, kind, level, division, seed, better)
            )
    names = ["domain", "metric", "dataset", "source", "family", "budget_kind", "level", "division", "seed", "better"]
    runs = pandas.DataFrame(rows, columns=names).assign(test_rows=1000)
    return runs.assign(score=numpy.where(runs["metric"] == "accuracy", 80 + runs["better"], 10 ** -(runs["better"] / 10)))


def by_source(final, domain="text", kind="values"):
    """Mean values of sources (rows) and families, by pandas alone: the runs are balanced."""
    own = final[(final["domain"] == domain) & (final["budget_kind"] == kind)]
    value = own["score"] if domain != "symbolic" else -numpy.log10(own["score"])
    table = own.assign(value=value).pivot_table("value", ["source", "dataset"], "family")
    return table.groupby("source").mean()[list(FAMILIES)]


def row(table, domain="text", kind="values", **others):
    found = table[(table["domain"] == domain) & (table["budget_kind"] == kind)]
    for name, value in others.items():
        found = found[found[name] == value]
    assert len(found) == 1
    return found.iloc[0]


@pytest.mark.parametrize("domain", ["text", "symbolic"])
def test_signed_ranks_are_baycomps(final, domain):
    found = row(descriptive.signed_rank(final, PAIR, draws=500, seed=3), domain)
    table = by_source(final, domain)
    first, second = (table[family].to_numpy() for family in PAIR)
    margin = {"text": 0.5, "symbolic": numpy.log10(1.1)}[domain]
    expected = baycomp.two_on_multiple(first, second, rope=margin, nsamples=500, random_state=3)
    assert found[["first", "equivalent", "second"]].tolist() == pytest.approx(list(expected))
    assert found["sources"] == len(table)


def test_a_family_far_ahead_is_so_in_the_signed_ranks_too(final):
    ahead = final.assign(score=final["score"] + 9 * (final["family"] == PAIR[0]))
    assert row(descriptive.signed_rank(ahead, PAIR, draws=200))["first"] > 0.95
    assert row(descriptive.signed_rank(ahead, PAIR[::-1], draws=200))["second"] > 0.95


def test_without_skewness_the_corrected_interval_is_the_plain_one(final):
    gap = final["source"].map({"0": -1.0, "1": -0.5, "2": 0.5, "3": 1.0, "4": 0.0, "5": 0.0, "6": 0.0})
    runs = final.assign(score=80 + 2 + gap * (final["family"] == PAIR[0]) - 2 * (final["family"] == PAIR[1]))
    plain = row(inference.domains(runs, PAIR))
    found = row(descriptive.skew_corrected(runs, PAIR))
    assert found["skewness"] == pytest.approx(0, abs=1e-9)
    assert found[["estimate", "low", "high"]].tolist() == pytest.approx(plain[["estimate", "low", "high"]].tolist())


def test_of_skewed_differences_the_corrected_interval_covers_more():
    generator = numpy.random.default_rng(0)
    quantiles = stats.t.ppf([0.025, 0.975], 9)
    samples = generator.exponential(size=(2000, 10)) - 1
    statistics = stats.ttest_1samp(samples, 0, axis=1).statistic
    ends = numpy.array([descriptive._unskewed(quantiles, skewness, 10) for skewness in stats.skew(samples, axis=1, bias=False)])
    assert ((quantiles[0] < statistics) & (statistics < quantiles[1])).mean() < 0.91
    assert 0.93 < ((ends[:, 0] < statistics) & (statistics < ends[:, 1])).mean() < 0.96


def test_the_transformation_is_halls():
    quantile, skewness, number = numpy.array([-2.0, 0.3, 2.0]), 1.3, 12
    x = descriptive._unskewed(quantile, skewness, number)
    back = x + skewness * x**2 / 3 / number**0.5 + skewness**2 * x**3 / 27 / number + skewness / 6 / number**0.5
    assert back == pytest.approx(quantile)


def test_the_bootstrap_is_about_the_mean_and_the_interquartile_mean(final):
    table = descriptive.bootstrap(final, PAIR, draws=2000)
    found = by_source(final)
    gap = (found[PAIR[0]] - found[PAIR[1]]).to_numpy()
    assert row(table, statistic="mean")["estimate"] == pytest.approx(gap.mean())
    assert row(table, statistic="interquartile mean")["estimate"] == pytest.approx(stats.trim_mean(gap, 0.25))
    assert (table["low"] < table["estimate"]).all()
    assert (table["estimate"] < table["high"]).all()


def test_the_bootstrap_draws_the_datasets_of_a_source(final):
    runs = final[final["dataset"].isin(["text5", "text6"])]
    assert set(runs["source"]) == {"5"}
    ahead = 80 + 2.0 * ((runs["dataset"] == "text6") & (runs["family"] == PAIR[0]))
    found = row(descriptive.bootstrap(runs.assign(score=ahead), PAIR), statistic="mean")
    assert found[["estimate", "low", "high"]].tolist() == pytest.approx([1, 0, 2])


def test_where_runs_do_not_differ_the_bootstrap_is_scipys_over_sources(final):
    steady = final[final["dataset"] != "symbolic7"].assign(score=lambda runs: 10.0 ** -(runs["dataset"].str[-1].astype(int)))
    steady.loc[steady["family"] == PAIR[1], "score"] = 1.0
    found = row(descriptive.bootstrap(steady, PAIR, draws=20_000), "symbolic", statistic="mean")
    expected = stats.bootstrap((numpy.arange(7.0),), numpy.mean, n_resamples=20_000, method="percentile", rng=0)
    assert (found["low"], found["high"]) == pytest.approx(tuple(expected.confidence_interval), abs=0.1)


def test_where_sources_do_not_differ_the_bootstrap_has_the_spread_of_seeds(final):
    own = final[final["metric"] == "accuracy"]
    even = own.assign(score=80 + (own["seed"] == 0))
    found = row(descriptive.bootstrap(even, PAIR, draws=4000), statistic="mean")
    # a cell's mean of 3 of the values 1, 0, 0 has variance 2/27; of 2 families, 6 cells, 5 datasets and half a source's 2 = 5.5
    deviation = numpy.sqrt(2 * 2 / 27 / 6 / 6)
    assert (found["low"], found["high"]) == pytest.approx((-1.96 * deviation, 1.96 * deviation), rel=0.15)


def test_improvement_counts_pairs_of_runs_and_halves_of_ties(final):
    runs = final[(final["domain"] == "text") & (final["level"] == 1) & (final["division"] == 0) & (final["dataset"] == "text0")]
    runs = runs[runs["budget_kind"] == "values"].sort_values(["family", "seed"])
    runs.loc[runs["family"] == PAIR[0], "score"] = [1.0, 2.0, 3.0]
    runs.loc[runs["family"] == PAIR[1], "score"] = [0.0, 2.0, 4.0]
    assert descriptive.improvement(runs, PAIR)["probability"].tolist() == pytest.approx(
        [(1 + 0 + 0 + 1 + 0.5 + 0 + 1 + 1 + 0) / 9]
    )
    there, back = (descriptive.improvement(final, pair)["probability"] for pair in (PAIR, PAIR[::-1]))
    assert (there + back).tolist() == pytest.approx([1] * 6)


@pytest.mark.parametrize("domain", ["text", "symbolic"])
def test_profiles_count_sources_near_the_best(final, domain):
    table = descriptive.profiles(final, FAMILIES, steps=5)
    expected = by_source(final, domain)
    behind = expected.max(axis=1).to_numpy()[:, None] - expected.to_numpy()
    for within, own in table[(table["domain"] == domain) & (table["budget_kind"] == "values")].groupby("within"):
        shares = own.set_index("family")["share"][list(FAMILIES)]
        assert shares.tolist() == pytest.approx((behind <= within + 1e-9).mean(0).tolist())
    assert own["share"].tolist() == [1] * 4
    assert table.loc[table["within"] == 0].groupby(inference.DOMAIN)["share"].sum().tolist() == pytest.approx([1] * 6)


def test_ranks_and_friedmans_test_are_scipys(final):
    table = descriptive.ranks(final, FAMILIES)
    values = by_source(final).to_numpy()
    expected = stats.rankdata(-values, axis=1).mean(0)
    found = table[(table["domain"] == "text") & (table["budget_kind"] == "values")]
    assert found["rank"].tolist() == pytest.approx(expected.tolist())
    assert found["friedman_p"].tolist() == pytest.approx([stats.friedmanchisquare(*values.T).pvalue] * 4)


def test_the_critical_distance_is_demsars(final):
    # Demšar 2006, table 5: q of 4 families at 5 % is 2.569; of two 1.960
    found = row(descriptive.ranks(final, FAMILIES), family="Plain")
    assert found["sources"] == 6
    assert found["critical_distance"] == pytest.approx(2.569 * numpy.sqrt(4 * 5 / (6 * 6)), rel=1e-3)
    two = row(descriptive.ranks(final, PAIR), family="Plain")
    assert two["critical_distance"] == pytest.approx(1.960 * numpy.sqrt(2 * 3 / (6 * 6)), rel=1e-3)
    assert numpy.isnan(two["friedman_p"])


def test_pairs_beyond_the_critical_distance_are_those_that_nemenyi_tells_apart(final):
    spread = final.assign(score=final["score"] * (1 + final["family"].map(dict(zip(FAMILIES, (9, 4, 2, 1), strict=True)))))
    ranks = descriptive.ranks(spread, FAMILIES).set_index([*inference.DOMAIN, "family"])
    for pair in descriptive.pairwise(spread, FAMILIES).itertuples():
        keys = (pair.domain, pair.metric, pair.budget_kind)
        first, second = (ranks.loc[(*keys, family)] for family in (pair.first, pair.second))
        assert (abs(first["rank"] - second["rank"]) > first["critical_distance"]) == (pair.nemenyi_p < 0.05)


def test_pairs_are_compared_as_scikit_posthocs_does(final):
    table = descriptive.pairwise(final, FAMILIES)
    values = by_source(final)
    nemenyi = scikit_posthocs.posthoc_nemenyi_friedman(values.to_numpy())
    wilcoxon = scikit_posthocs.posthoc_wilcoxon(values.to_numpy().T, p_adjust="holm")
    for i, j in itertools.combinations(range(4), 2):
        found = row(table, first=FAMILIES[i], second=FAMILIES[j])
        assert found["nemenyi_p"] == pytest.approx(nemenyi.iloc[i, j])
        assert found["wilcoxon_p"] == pytest.approx(wilcoxon.iloc[i, j])


def test_families_that_are_the_same_are_not_told_apart(final):
    same = final.assign(score=80.0)
    assert descriptive.ranks(same, PAIR)["rank"].tolist() == [1.5] * 12
    table = descriptive.pairwise(same, PAIR)
    assert table["nemenyi_p"].tolist() == pytest.approx([1] * 6)
    assert table["wilcoxon_p"].tolist() == pytest.approx([1] * 6)


def test_one_run_of_one_dataset_is_enough_for_every_view(final):
    runs = final.drop_duplicates(["domain", "family", "budget_kind"])
    assert descriptive.skew_corrected(runs, PAIR).empty
    for view in (descriptive.signed_rank, descriptive.bootstrap, descriptive.improvement):
        assert len(view(runs, PAIR)) in (6, 12)
    for view in (descriptive.profiles, descriptive.ranks, descriptive.pairwise):
        assert set(view(runs, FAMILIES)["domain"]) == {"text", "audio", "symbolic"}
