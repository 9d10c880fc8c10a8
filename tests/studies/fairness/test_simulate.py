import numpy
import pandas
import pytest

from kanbefair.studies.fairness import inference, simulate
from kanbefair.studies.fairness.simulate import ANY, DOMAINS, PAIR

TABLES = DOMAINS[1]


@pytest.fixture(scope="module")
def identical():
    return simulate.simulate(300, seed=1)


def test_identical_families_seldom_get_a_winner(identical):
    shares = simulate.summary(identical).set_index("domain")
    assert shares.loc[ANY, "surely"] <= 0.08
    assert shares.loc[ANY, "winner"] <= 0.05
    assert (shares["winner"].drop(ANY) <= 0.02).all()
    assert (shares["covered"].drop(ANY).between(0.925, 0.975)).all()
    assert shares.loc[[domain.name for domain in DOMAINS], "sources"].tolist() == [45, 22, 10, 8]


def test_a_large_difference_is_found_and_on_its_own_side():
    shares = simulate.summary(simulate.simulate(100, effect=6)).set_index("domain")
    assert (shares["winner"] > 0.8).all()
    assert (shares["second"] == 0).all()
    assert shares.loc["symbolic", "covered"] > 0.85


def test_families_alike_on_every_source_are_more_often_equivalent(identical):
    alike = [simulate.replace(domain, between=0.0) for domain in DOMAINS]
    shares = [simulate.summary(table).set_index("domain") for table in (identical, simulate.simulate(100, domains=alike))]
    assert (shares[1]["equivalent"] >= shares[0]["equivalent"]).all()
    assert shares[1].loc["symbolic", "equivalent"] > 0.95


@pytest.mark.parametrize("shape", simulate.SHAPES)
def test_differences_over_sources_have_mean_0_and_deviation_1(shape):
    values = simulate.SHAPES[shape](numpy.random.default_rng(0), 1_000_000)
    assert (values.mean(), values.std()) == pytest.approx((0, 1), abs=0.05)


def as_runs(domain, values, study):
    """The frozen runs of one simulated study, as the real one has them."""
    axes = ("budget_kind", "dataset", "family", "level", "division", "seed")
    index = pandas.MultiIndex.from_product([range(size) for size in values.shape[1:]], names=axes)
    runs = pandas.Series(values[study].ravel(), index).rename("score").reset_index()
    return runs.assign(
        domain=domain.name,
        metric=domain.metric,
        family=runs["family"].map(dict(enumerate(PAIR))),
        dataset=domain.name + runs["dataset"].astype(str),
        source=domain.source[runs["dataset"]],
        test_rows=domain.parts[0][runs["dataset"]],
    )


def test_simulated_runs_get_the_labels_that_real_ones_would():
    domains = (*DOMAINS[2:], simulate.Domain("few", "mae", (100,) * 5, between=0.0, tries=0.1, seeds=0.01))
    table = simulate.simulate(3, seed=5, effect=2, domains=domains)
    generator = numpy.random.default_rng(5)
    values = [simulate.scores(domain, 2 * domain.margin, 3, generator, "normal") for domain in domains]
    for study in range(3):
        runs = pandas.concat(as_runs(*each, study) for each in zip(domains, values, strict=True))
        expected = inference.domains(runs, PAIR).sort_values(["budget_kind", "domain"], ignore_index=True)
        found = table[table["study"] == study].reset_index(drop=True)
        found["budget_kind"] = numpy.repeat([0, 1], len(domains))
        found = found.sort_values(["budget_kind", "domain"], ignore_index=True)[expected.columns.drop(["metric", "datasets"])]
        pandas.testing.assert_frame_equal(found, expected.drop(columns=["metric", "datasets"]), check_dtype=False)


def test_the_true_difference_is_in_the_runs():
    domain = simulate.replace(TABLES, between=0.0)
    estimate, error = simulate.estimates(simulate.scores(domain, 3.0, 200, numpy.random.default_rng(0), "normal"), domain)
    assert estimate.mean() == pytest.approx(3.0, abs=0.05)
    assert estimate.std() == pytest.approx(numpy.sqrt((error**2).mean()), rel=0.1)


def test_accuracies_are_counts_of_test_rows_and_luck_is_shared():
    domain = simulate.replace(TABLES, rows=(250,) * 40, between=0.0)
    values = simulate.scores(domain, 0.0, 20, numpy.random.default_rng(0), "normal")
    assert values * 50 / 100 == pytest.approx(numpy.round(values * 50 / 100))
    first, second = numpy.moveaxis(values.mean((4, 5, 6)), 3, 0)
    assert 0.5 < numpy.corrcoef(first.ravel(), second.ravel())[0, 1] < 1


def test_accuracies_are_what_a_dataset_allows():
    domain = simulate.replace(TABLES, rows=(10**6,) * 40, between=0.0, tries=0.01, seeds=0.0, divisions=0.0)
    values = simulate.scores(domain, 0.0, 10, numpy.random.default_rng(0), "normal")
    assert (values.min(), values.max()) == pytest.approx((65, 95), abs=0.5)
    assert values.std() == pytest.approx(30 / 12**0.5, rel=0.1)


def test_datasets_of_one_source_share_their_true_difference():
    domain = simulate.replace(DOMAINS[2], between=10.0, shared=3)
    values = simulate.scores(domain, 0.0, 1, numpy.random.default_rng(0), "normal")
    gap = numpy.subtract(*numpy.log10(values).mean((4, 5, 6))[0, 0].T)
    assert numpy.ptp(gap[-3:]) < 1 < 10 < numpy.ptp(gap[:-3])


def test_a_seed_gives_the_same_studies_again():
    one, other, third = (simulate.simulate(3, seed=seed) for seed in (0, 0, 1))
    pandas.testing.assert_frame_equal(one, other)
    assert (one["estimate"] != third["estimate"]).all()


def test_the_command_prints_shares_and_refuses_what_it_cannot_do(capsys):
    assert simulate.main(["--studies", "2", "--effect", "0", "2", "--between", "0.5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[5:10] == ["surely", "winner", "second", "equivalent", "undecided"]
    assert len(lines) == 1 + 2 * (len(DOMAINS) + 1)
    assert simulate.main(["--studies", "0"]) == 2
    assert capsys.readouterr().err == "error: 0 studies cannot be simulated; their number must be at least 1\n"
    assert simulate.main(["--shape", "heavier"]) == 2
    assert "unknown shape 'heavier'; did you mean 'heavy'?" in capsys.readouterr().err
