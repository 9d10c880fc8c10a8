"""What is shown beside the tests and decides nothing: other views of the same frozen runs, each one small table.

Values, differences and the table `final` are those of `inference`. Every function takes any families.
"""

import itertools
from collections.abc import Sequence

import baycomp
import numpy
import pandas
import scikit_posthocs
from scipy.stats import friedmanchisquare, mannwhitneyu, sem, skew, studentized_range, t, trim_mean

from kanbefair.studies.fairness.inference import (
    CELL,
    DOMAIN,
    ERROR_RATE,
    ROUNDING,
    cells,
    differences,
    holm,
    over_datasets,
    over_levels,
)

STATISTICS = {"mean": numpy.mean, "interquartile mean": lambda values, axis: trim_mean(values, 0.25, axis)}
"""Of values over an axis; the interquartile mean leaves out the lowest and the highest quarter."""


def signed_rank(final: pandas.DataFrame, pair: tuple[str, str], draws: int = 10_000, seed: int = 0) -> pandas.DataFrame:
    """The Bayesian signed-rank test over sources, the region of equivalence being the domain's margin (baycomp).

    Returns rows (`DOMAIN`, the probability that the first is better, that both are equivalent, that the second is, sources).
    """
    by_source = over_datasets(differences(final, pair)[["difference", "margin"]])
    rows = {}
    for keys, own in by_source.groupby(DOMAIN):
        values = own["difference"].to_numpy()
        sampling = {"rope": own["margin"].mean(), "nsamples": draws, "random_state": seed}
        rows[keys] = *baycomp.two_on_multiple(values, numpy.zeros(len(values)), **sampling), len(values)
    return _table(rows, ["first", "equivalent", "second", "sources"])


def skew_corrected(final: pandas.DataFrame, pair: tuple[str, str]) -> pandas.DataFrame:
    """The mean difference over sources with a 95 % t interval corrected for the skewness of the differences (Hall 1992).

    A plain t interval over few sources is too sure where some of them differ by far more than the others, all to one side.
    Where the two intervals disagree, the plain one leans on its symmetry. Domains of fewer than three sources are left out.

    Returns rows (`DOMAIN`, estimate, low, high, skewness, sources).
    """
    rows = {}
    for keys, own in over_datasets(differences(final, pair)["difference"]).groupby(DOMAIN):
        values = own.to_numpy()
        if len(values) > 2:
            skewness = skew(values, bias=False) if sem(values) > ROUNDING else 0.0
            half = t.ppf(1 - ERROR_RATE / 2, len(values) - 1)
            low, high = values.mean() - sem(values) * _unskewed(numpy.array([half, -half]), skewness, len(values))
            rows[keys] = values.mean(), low, high, skewness, len(values)
    return _table(rows, ["estimate", "low", "high", "skewness", "sources"])


def _unskewed(quantile: numpy.ndarray, skewness: float, number: int) -> numpy.ndarray:
    """Which t statistics of a skewed sample the quantiles of a symmetric one stand for: Hall's transformation, inverted."""
    bend = skewness / (3 * numpy.sqrt(number))
    return (numpy.cbrt(1 + 3 * bend * (quantile - bend / 2)) - 1) / bend if bend else quantile


def bootstrap(final: pandas.DataFrame, pair: tuple[str, str], draws: int = 2000, seed: int = 0) -> pandas.DataFrame:
    """The mean and the interquartile mean of a pair's differences over sources, with 95 % percentile intervals by a
    hierarchical bootstrap: sources are drawn, then the datasets of each, then the runs of each cell and family.

    Returns rows (`DOMAIN`, statistic, estimate, low, high, sources).
    """
    generator = numpy.random.default_rng(seed)
    drawn = _drawn_differences(final, pair, draws, generator)
    seen = over_datasets(differences(final, pair)["difference"])
    rows = {}
    for keys, own in drawn.groupby(DOMAIN):
        by_source = numpy.stack([_drawn(datasets.to_numpy(), generator).mean(0) for _, datasets in own.groupby("source")])
        resampled = _drawn(by_source, generator)
        for name, statistic in STATISTICS.items():
            low, high = numpy.quantile(statistic(resampled, axis=0), [0.025, 0.975])
            rows[(*keys, name)] = statistic(seen[keys].to_numpy(), axis=0), low, high, len(by_source)
    return _table(rows, ["estimate", "low", "high", "sources"], [*DOMAIN, "statistic"])


def _drawn_differences(
    final: pandas.DataFrame, pair: tuple[str, str], draws: int, generator: numpy.random.Generator
) -> pandas.DataFrame:
    """A row a dataset (`DATASET`), a column a draw: the difference when the runs of each cell and family are drawn anew."""
    drawn = {}
    for family, sign in zip(pair, (1, -1), strict=True):
        for keys, values in cells(final, pair)[family, "list"].items():
            chosen = generator.choice(values, (draws, len(values))).mean(1)
            drawn[keys] = drawn.get(keys, 0) + sign * chosen
    return over_levels(pandas.DataFrame(drawn).T.rename_axis(CELL))


def _drawn(pools: numpy.ndarray, generator: numpy.random.Generator) -> numpy.ndarray:
    """In each column, of pools (units, draws), as many units drawn with replacement, each with a value of its pool."""
    units, draws = pools.shape
    return pools[generator.integers(units, size=pools.shape), generator.integers(draws, size=pools.shape)]


def improvement(final: pandas.DataFrame, pair: tuple[str, str]) -> pandas.DataFrame:
    """The probability that a run of the first family is better than one of the second in the same cell, ties being half.

    It is Mann and Whitney's U over the number of pairs of runs, averaged as differences are. Returns rows (`DOMAIN`,
    probability, sources).
    """
    values = cells(final, pair).xs("list", axis=1, level=1)
    share = [mannwhitneyu(a, b).statistic / (len(a) * len(b)) for a, b in zip(values[pair[0]], values[pair[1]], strict=True)]
    by_source = over_datasets(over_levels(pandas.Series(share, values.index)))
    return by_source.groupby(DOMAIN).agg(probability="mean", sources="size").reset_index()


def profiles(final: pandas.DataFrame, families: Sequence[str], steps: int = 41) -> pandas.DataFrame:
    """Performance profiles: the share of sources on which a family comes within some distance of the best of the families.

    Returns rows (`DOMAIN`, family, within, share); `within` goes evenly from 0 to the largest distance of the domain, in points
    or as log10 of a ratio of errors (Dolan and Moré 2002).
    """
    table = over_datasets(_means(final, families))
    behind = table.rsub(table.max(axis=1), axis=0)
    rows = {}
    for keys, own in behind.groupby(DOMAIN):
        for within in numpy.linspace(0, own.to_numpy().max(), steps):
            rows |= {(*keys, family, within): (share,) for family, share in (own <= within).mean().items()}
    return _table(rows, ["share"], [*DOMAIN, "family", "within"])


def ranks(final: pandas.DataFrame, families: Sequence[str]) -> pandas.DataFrame:
    """The families' average ranks over sources that have them all; 1 is the best.

    Returns rows (`DOMAIN`, family, rank, sources, friedman_p, critical_distance): Friedman's test that all are the same (NaN
    for two families), and Nemenyi's distance of average ranks beyond which two families differ at 5 % (Demšar 2006).
    """
    rows = {}
    for keys, own in over_datasets(_means(final, families)).groupby(DOMAIN):
        sources, number = own.shape
        p = friedmanchisquare(*own.to_numpy().T).pvalue if number > 2 else numpy.nan
        studentized = studentized_range.ppf(0.95, number, numpy.inf)
        distance = studentized / numpy.sqrt(2) * numpy.sqrt(number * (number + 1) / (6 * sources))
        average = own.rank(axis=1, ascending=False).mean()
        rows |= {(*keys, family): (rank, sources, p, distance) for family, rank in average.items()}
    return _table(rows, ["rank", "sources", "friedman_p", "critical_distance"], [*DOMAIN, "family"])


def pairwise(final: pandas.DataFrame, families: Sequence[str]) -> pandas.DataFrame:
    """All pairs of families compared over sources: p of Nemenyi's test, and Wilcoxon's with Holm's correction over the pairs
    of a domain and budget kind (scikit-posthocs).

    Returns rows (`DOMAIN`, first, second, nemenyi_p, wilcoxon_p).
    """
    rows = {}
    for keys, own in over_datasets(_means(final, families)).groupby(DOMAIN):
        values = own.reset_index(drop=True).rename_axis(columns="family")
        long = values.melt(var_name="family", value_name="value")
        nemenyi = scikit_posthocs.posthoc_nemenyi_friedman(values)
        wilcoxon = scikit_posthocs.posthoc_wilcoxon(long, val_col="value", group_col="family", zero_method="zsplit")
        pairs = list(itertools.combinations(families, 2))
        adjusted, _ = holm(numpy.array([wilcoxon.loc[pair] for pair in pairs]))
        rows |= {(*keys, *pair): (nemenyi.loc[pair], p) for pair, p in zip(pairs, adjusted, strict=True)}
    return _table(rows, ["nemenyi_p", "wilcoxon_p"], [*DOMAIN, "first", "second"])


def _means(final: pandas.DataFrame, families: Sequence[str]) -> pandas.DataFrame:
    """The families' mean values (columns) by dataset."""
    return over_levels(cells(final, families).xs("mean", axis=1, level=1))[list(families)]


def _table(rows: dict[tuple, tuple], columns: Sequence[str], names: Sequence[str] = DOMAIN) -> pandas.DataFrame:
    """Rows by their keys, as a table of keys and columns."""
    return pandas.DataFrame([(*keys, *row) for keys, row in rows.items()], columns=[*names, *columns])
