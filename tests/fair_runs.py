"""Frozen runs and tries of made-up studies."""

import numpy
import pandas

from kanbefair.studies.fairness import tables
from kanbefair.studies.fairness.findings import Study

PAIR = ("KAN", "MLP")


def final(differences, metric="accuracy", families=PAIR, kinds=("values",), domain="text", seeds=2, noise=0.0, **fields):
    """Runs whose first family is ahead by the given differences, a dataset and source each; the others are equal."""
    generator = numpy.random.default_rng(0)
    rows = []
    for number, difference in enumerate(differences):
        for place, family in enumerate(families):
            for kind, level, seed in ((k, lv, s) for k in kinds for lv in (1, 2, 3) for s in range(seeds)):
                value = 80.0 + (difference if place == 0 else 0) + noise * generator.normal()
                own = {"domain": domain, "dataset": f"d{number}", "source": f"s{number}", "family": family, "budget_kind": kind}
                own |= {"level": level, "target": 1000.0 * level, "size": 1010.0 * level, "trial": 3, "seed": 101 + seed}
                own |= {"division": 0, "score": value if metric == "accuracy" else 0.1 * 10 ** (80 - value), "loss": 0.5}
                own |= {"balanced": 60.0 + place, "late": False, "test_rows": 1000, "metric": metric, "outcome": "done"}
                rows.append(own)
    return pandas.DataFrame(rows).assign(**fields)


def tries(valid, families=PAIR, metric="accuracy", **fields):
    """Tries of one cell a family, with these validation scores."""
    place = {"domain": "text", "dataset": "d0", "source": "s0", "budget_kind": "values", "level": 1, "target": 1000.0}
    rows = [
        place | {"family": family, "size": 1030.0, "trial": trial, "valid": score, "metric": metric, "outcome": "done"}
        for family in families
        for trial, score in enumerate(valid)
    ]
    return pandas.DataFrame(rows).assign(**fields)


def empty(columns):
    return pandas.DataFrame(columns=[column.name for column in columns])


def study(runs, tried=None, largest=60.0):
    """A study of some runs and tries, with its datasets."""
    names = runs[["domain", "dataset", "source", "metric"]].drop_duplicates()
    about = names.assign(largest=largest, train_rows=2000, late=0.0, values_1_KAN=90.0, values_2_KAN=85.0)
    return Study(tries([80.0, 81.0]) if tried is None else tried, runs, about, empty(tables.PAIRS))


def nothing():
    return Study(empty(tables.TRIES), empty(tables.FINAL), empty(tables.DATASETS), empty(tables.PAIRS))
