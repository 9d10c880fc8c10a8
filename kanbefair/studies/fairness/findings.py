"""What the study says: the differences of families by domain and by dataset, and whether the runs are what the rule asks for.

All is computed from the committed tables (`read`), which may be incomplete: of a domain that has not run on `SOURCES` sources
there is no row, and a pair of families is compared on the datasets that have both.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy
import pandas

from kanbefair.folders import PROJECT
from kanbefair.report.columns import Column
from kanbefair.report.style import in_order
from kanbefair.studies.fairness import choice, descriptive, inference, space, tables
from kanbefair.studies.fairness.committed import Tables
from kanbefair.studies.fairness.datasets import DATASETS, DOMAINS, names_of, whole
from kanbefair.studies.fairness.design import PAIR, SEEDS, SPLINES
from kanbefair.studies.fairness.inference import DOMAIN

FOLDER = PROJECT / "results" / "extended"
"""Where the committed tables lie."""
LARGE_CLASS = 80.0
"""Where a class holds more percent of the test rows, balanced accuracy and log loss stand beside accuracy."""
OVER = ["domain", "budget_kind"]


@dataclass(frozen=True)
class Study:
    """The tables of the study (`tables`): its tries, frozen runs, datasets, and pairs of families with their test rows."""

    tries: pandas.DataFrame
    final: pandas.DataFrame
    datasets: pandas.DataFrame
    pairs: pandas.DataFrame

    def of(self, families: Sequence[str]) -> "Study":
        """What the study has of some families."""
        tries, final = (table[table["family"].isin(families)] for table in (self.tries, self.final))
        return replace(self, tries=tries, final=final)


def read(folder: Path = FOLDER) -> Study:
    """The study as its tables in a folder hold it; those that are not there are empty."""
    there = Tables(folder)
    declared = {"tries": tables.TRIES, "final": tables.FINAL, "datasets": tables.DATASETS, "pairs": tables.PAIRS}
    found = {name: there.read(f"fairness_{name}") for name in declared}
    return Study(**{name: table if len(table) else _empty(declared[name]) for name, table in found.items()})


def labels(folder: Path = FOLDER) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """The tables `fairness_domains` and `fairness_by_dataset` as notebook 11 has written them; empty if it has not."""
    there = Tables(folder)
    declared = {"domains": tables.DOMAINS, "by_dataset": tables.BY_DATASET}
    found = {name: there.read(f"fairness_{name}") for name in declared}
    return tuple(table if len(table) else _empty(declared[name]) for name, table in found.items())


def _empty(columns: Sequence[Column]) -> pandas.DataFrame:
    return pandas.DataFrame(columns=[column.name for column in columns])


def families(final: pandas.DataFrame) -> list[str]:
    """The families of a table, KAN and MLP first."""
    return in_order(final["family"], (*PAIR, *SPLINES))


def pairs(final: pandas.DataFrame) -> list[tuple[str, str]]:
    """All pairs of families that have a dataset and kind of budget in common."""
    has = {family: set(own[["dataset", "budget_kind"]].itertuples(index=False)) for family, own in final.groupby("family")}
    return [pair for pair in itertools.combinations(families(final), 2) if has[pair[0]] & has[pair[1]]]


def planned(domain: str) -> int:
    """The sources that a domain shall have."""
    return len({entry.source for entry in DATASETS.values() if entry.domain == domain})


def coverage(final: pandas.DataFrame) -> pandas.DataFrame:
    """What has run: a row a domain with its sources and datasets that are in, of how many, and the names of both."""
    rows = []
    for domain in DOMAINS:
        names = names_of(domain)
        there = [name for name in names if name in set(final["dataset"])]
        sources = len({DATASETS[name].source for name in there})
        missing = [name for name in names if name not in there]
        rows.append((domain, sources, planned(domain), len(there), len(names), ", ".join(there), ", ".join(missing)))
    columns = ["domain", "sources", "of sources", "datasets", "of datasets", "in", "missing"]
    return pandas.DataFrame(rows, columns=columns)


def by_domain(study: Study) -> pandas.DataFrame:
    """The label of each pair of families, domain that is whole and of enough sources, and kind of budget, and what stands
    beside it and decides nothing. Holm's correction is over the rows of a pair. Returns the table `fairness_domains`."""
    found = []
    for pair in pairs(study.final):
        final = whole(study.of(pair).final, pair)
        own = inference.domains(final, pair) if len(final) else final
        if len(own):
            final = final.merge(own[DOMAIN])
            beside = [_beside(final, pair), _happened(final, pair, DOMAIN)]
            for other in beside:
                own = own.merge(other, on=DOMAIN, how="left", validate="one_to_one")
            found.append(own.assign(first=pair[0], second=pair[1], tests=len(own)))
    empty = _empty(tables.DOMAINS)
    if not found:
        return empty
    table = pandas.concat(found, ignore_index=True)
    return table.assign(planned=table["domain"].map(planned))[list(empty)]


def _beside(final: pandas.DataFrame, pair: tuple[str, str]) -> pandas.DataFrame:
    """What `descriptive` says of a pair, a row a domain and kind of budget."""
    ranked = descriptive.signed_rank(final, pair).drop(columns="sources")
    ranked = ranked.rename(columns={name: f"probability_{name}" for name in ("first", "equivalent", "second")})
    middle = descriptive.bootstrap(final, pair)
    middle = middle[middle["statistic"] == "interquartile mean"].drop(columns=["statistic", "sources"])
    middle = middle.rename(columns={"estimate": "middle", "low": "middle_low", "high": "middle_high"})
    bent = descriptive.skew_corrected(final, pair).rename(columns={"low": "skew_low", "high": "skew_high"})
    better = descriptive.improvement(final, pair).drop(columns="sources").rename(columns={"probability": "improvement"})
    return ranked.merge(middle, on=DOMAIN).merge(bent[[*DOMAIN, "skew_low", "skew_high"]], on=DOMAIN).merge(better, on=DOMAIN)


def _happened(final: pandas.DataFrame, pair: tuple[str, str], by: list[str]) -> pandas.DataFrame:
    """How many frozen runs each of a pair has, how many have no result of their own, and the share that gains late."""
    groups = final.assign(bad=final["outcome"].isin(choice.NO_RESULT), late=100 * final["late"].astype(float)).groupby(by)
    table = groups["late"].mean().to_frame()
    for place, family in zip(("first", "second"), pair, strict=True):
        own = groups.apply(lambda rows, family=family: rows.loc[rows["family"] == family, "bad"].agg(["size", "sum"]))
        table[f"runs_{place}"], table[f"no_result_{place}"] = own["size"], own["sum"]
    return table.reset_index()


def by_dataset(study: Study) -> pandas.DataFrame:
    """The difference of each pair of families by dataset and kind of budget, with intervals over seeds, divisions and test
    rows; its label speaks of the dataset alone. Returns the table `fairness_by_dataset`."""
    found = []
    for pair in pairs(study.final):
        final = study.of(pair).final
        rows = study.pairs[[set(own) == set(pair) for own in zip(study.pairs["first"], study.pairs["second"], strict=True)]]
        own = inference.datasets(final, pair, rows if len(rows) else None)
        keys = inference.DATASET
        for other in (_scores(final, pair), _happened(final, pair, keys), _uneven(study, final, pair)):
            own = own.merge(other, on=keys, how="left", validate="one_to_one")
        found.append(own.assign(first=pair[0], second=pair[1]))
    empty = _empty(tables.BY_DATASET)
    return pandas.concat(found, ignore_index=True)[list(empty)] if found else empty


def _scores(final: pandas.DataFrame, pair: tuple[str, str]) -> pandas.DataFrame:
    """The mean score of each of a pair by dataset, of errors the geometric one, and the fewest test rows."""
    own = inference.cells(final, pair)
    table = pandas.DataFrame(index=own.groupby(inference.DATASET).size().index)
    errors = table.index.get_level_values("metric") != "accuracy"
    for place, family in zip(("first", "second"), pair, strict=True):
        value = inference.over_levels(own[family, "mean"])
        table[f"score_{place}"] = value.where(~errors, 10.0**-value)
    return table.join(final.groupby(inference.DATASET)["test_rows"].min()).reset_index()


def _uneven(study: Study, final: pandas.DataFrame, pair: tuple[str, str]) -> pandas.DataFrame:
    """Balanced accuracy and log loss of each of a pair where one class holds most test rows."""
    uneven = study.datasets.loc[pandas.to_numeric(study.datasets["largest"]) > LARGE_CLASS, "dataset"]
    own = final[final["dataset"].isin(uneven)]
    parts = {
        f"{name}_{place}": own[own["family"] == family].groupby(inference.DATASET)[name].mean()
        for name in ("balanced", "loss")
        for place, family in zip(("first", "second"), pair, strict=True)
    }
    return pandas.DataFrame(parts).rename_axis(inference.DATASET).reset_index()


def by_level(final: pandas.DataFrame, pair: tuple[str, str] = PAIR) -> pandas.DataFrame:
    """The difference of a pair at each level alone, mean over sources: rows (`DOMAIN`, level, estimate, sources)."""
    if pair not in pairs(final):
        return pandas.DataFrame(columns=[*DOMAIN, "level", "estimate", "sources"])
    own = inference.cells(final, pair)
    difference = (own[pair[0], "mean"] - own[pair[1], "mean"]).groupby([*inference.DATASET, "level"]).mean()
    sources = difference.groupby([*DOMAIN, "level", "source"]).mean().groupby([*DOMAIN, "level"])
    return sources.agg(estimate="mean", sources="size").reset_index()


def level_scores(final: pandas.DataFrame) -> pandas.DataFrame:
    """Every family's score at every level: mean over seeds (divisions averaged first; errors as log10) and its spread.

    Returns rows (`DOMAIN`, dataset, family, level, size, score, low, high, seeds); low and high are those of the seeds.
    """
    error = final["metric"] != "accuracy"
    value = final["score"].astype(float).where(~error, numpy.log10(final["score"].astype(float).where(error)))
    keys = [*DOMAIN, "dataset", "family", "level"]
    seeds = final.assign(value=value).groupby([*keys, "seed"])["value"].mean().groupby(keys)
    table = seeds.agg(score="mean", low="min", high="max", seeds="size").join(final.groupby(keys)["size"].mean()).reset_index()
    errors = table["metric"] != "accuracy"
    for name in ("score", "low", "high"):
        table[name] = table[name].where(~errors, 10.0 ** table[name].where(errors))
    return table


def expected_best(tries: pandas.DataFrame) -> pandas.DataFrame:
    """How far behind the best try of all families a family's best of n tries is expected to be, by validation.

    Of N values v₁ ≤ … ≤ v_N the best of n, drawn with replacement, is expected at Σ vᵢ ((i/N)ⁿ − ((i−1)/N)ⁿ) (Dodge et al.
    2019). A try without a result counts as the worst of its level. Means over levels, datasets of a source, then sources.

    Returns rows (`DOMAIN`, family, tries, behind, sources); `behind` is in points, or log10 of a ratio of errors.
    """
    error = tries["metric"] != "accuracy"
    value = tries["valid"].astype(float).where(~error, -numpy.log10(tries["valid"].astype(float).where(error)))
    value = value.mask(tries["outcome"].isin(choice.NO_RESULT))
    own = tries.assign(value=value)
    place = [*inference.DATASET, "level"]
    groups = own.groupby(place)["value"]
    own["behind"] = groups.transform("max") - own["value"].fillna(groups.transform("min"))
    drawn = numpy.arange(1, space.TRIES + 1)
    rows = {}
    for keys, behind in own.dropna(subset="behind").groupby([*place, "family"])["behind"]:
        order = numpy.arange(len(behind) + 1)[:, None] / len(behind)
        rows[keys] = numpy.sort(behind)[::-1] @ numpy.diff(order**drawn, axis=0)
    table = pandas.DataFrame.from_dict(rows, "index", columns=drawn)
    if table.empty:
        return pandas.DataFrame(columns=[*DOMAIN, "family", "tries", "behind", "sources"])
    table.index = pandas.MultiIndex.from_tuples(table.index, names=[*place, "family"])
    by_dataset = table.groupby([*inference.DATASET, "family"]).mean()
    by_source = by_dataset.groupby([*DOMAIN, "source", "family"]).mean().reset_index("source")
    long = by_source.melt("source", var_name="tries", value_name="behind", ignore_index=False)
    groups = long.groupby([*DOMAIN, "family", "tries"])["behind"]
    return groups.agg(behind="mean", sources="size").reset_index()


def profiles(final: pandas.DataFrame) -> pandas.DataFrame:
    """Performance profiles of all families on the sources that have them all (`descriptive.profiles`), with the number of these
    sources; no rows if there are none."""
    own = families(final)
    has = final.groupby([*DOMAIN, "dataset"])["family"].nunique() == len(own)
    final = final.merge(has[has].index.to_frame(index=False))
    if final.empty:
        return pandas.DataFrame(columns=[*DOMAIN, "family", "within", "share", "sources"])
    sources = final.groupby(DOMAIN)["source"].nunique().rename("sources")
    return descriptive.profiles(final, own).join(sources, on=DOMAIN)


def checks(study: Study) -> pandas.DataFrame:
    """Whether the runs are what the rule asks for: a row a domain, kind of budget and family, with the fewest and most tries of
    a cell, the most percent by which a size is off its budget, the fewest and most new seeds of a division, the levels, the
    tries and frozen runs without a result, and the least share of the family's first points that can meet a level."""
    tries, final = study.tries, study.final
    keys = [*OVER, "family"]
    off = (100 * (tries["size"] / tries["target"] - 1).abs()).groupby([tries[name] for name in keys]).max()
    bad = tries.assign(bad=tries["outcome"].isin(choice.NO_RESULT)).groupby(keys)["bad"].sum()
    of_cell = tries.groupby([*keys, "dataset", "level"]).size().groupby(keys)
    new = final[final["seed"].isin(SEEDS)].groupby([*keys, "dataset", "level", "division"])["seed"].nunique().groupby(keys)
    table = pandas.DataFrame({"tries, fewest": of_cell.min(), "tries, most": of_cell.max(), "size off by at most (%)": off})
    table["new seeds, fewest"], table["new seeds, most"] = new.min(), new.max()
    table["levels"] = final.groupby(keys)["level"].nunique()
    table["tries without a result"] = bad
    table["frozen runs"] = final.groupby(keys).size()
    table["without a result"] = final["outcome"].isin(choice.NO_RESULT).groupby([final[name] for name in keys]).sum()
    table["least acceptance (%)"] = [_acceptance(study.datasets, *key) for key in table.index]
    return table.reset_index()


def _acceptance(datasets: pandas.DataFrame, domain: str, kind: str, family: str) -> float:
    """The least share of a family's first points that can meet a level of a domain's datasets, NaN if it is not said."""
    names = [f"{kind}_{level}_{family}" for level in (1, 2, 3)]
    own = datasets.loc[datasets["domain"] == domain].reindex(columns=names)
    return float(own.astype(float).min().min())
