"""The whole study simulated, to see how often its labels err: tries, choice by validation, frozen runs, tests, labels.

Two families of which the true difference is known. On a *source* it is drawn from a distribution over sources, whose mean is
the effect to be found: 0 for identical families. All else is drawn alike for both:

- a try's quality lies below the best that is possible by an exponential draw; its run adds seed noise;
- validation is read from its rows: right answers are counted (binomial), errors have the noise of their rows;
- the best of 24 tries by validation is frozen, and run with ten new seeds in each division (for tables three);
- the test part is the same for both families and all runs. Half of its rows are answered alike by all, so their luck is shared;
  of the others, half are a family's own in all of its runs, and half are drawn anew by every run.

`python -m kanbefair.studies.fairness.simulate` prints what came out, in shares of simulated studies.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy
import pandas

from kanbefair.errors import InputError, choose, exit_status
from kanbefair.folders import PROJECT
from kanbefair.report.decision import EQUIVALENT, UNDECIDED, margin
from kanbefair.studies.fairness.committed import Tables
from kanbefair.studies.fairness.inference import ERROR_RATE, confirm, labels

PAIR = ("first", "second")
BUDGET_KINDS = 2
LEVELS = 3
TRIES = 24
SEEDS = 10
TEST_SHARE = 0.2
VALIDATION_SHARE = 0.2
"""Of all rows, and of the rest."""
ALIKE, OWN = 0.5, 0.25
"""Shares of the test rows which all runs answer alike, and which each family answers in its own way in all of its runs."""
AT_ONCE = 50
"""Studies in memory at a time."""
ANY = "any"


@dataclass(frozen=True)
class Domain:
    """Datasets of one metric; spreads are in points of accuracy or in log10 of an error.

    `rows` are those of each dataset; `shared` says how many of the last datasets are of one source. `between` is the standard
    deviation of the true difference between sources, `tries` the mean distance of a try from the best, `seeds` and `divisions`
    the standard deviations of a frozen run's quality.
    """

    name: str
    metric: str
    rows: tuple[int, ...]
    between: float
    tries: float
    seeds: float
    divisions: float = 0.0
    shared: int = 1

    @property
    def number_of_divisions(self) -> int:
        return 3 if self.divisions else 1

    @property
    def source(self) -> numpy.ndarray:
        """The number of each dataset's source."""
        return numpy.arange(len(self.rows)).clip(max=len(self.rows) - self.shared)

    @property
    def margin(self) -> float:
        """The margin of the domain, as the study has it."""
        own = [margin(self.metric, test) for test in self.parts[0]]
        return pandas.Series(own).groupby(self.source).mean().mean()

    @property
    def parts(self) -> tuple[numpy.ndarray, numpy.ndarray]:
        """Rows of the test part and of the validation part, by dataset."""
        test = numpy.round(TEST_SHARE * numpy.array(self.rows)).astype(int)
        return test, numpy.round(VALIDATION_SHARE * (self.rows - test)).astype(int)


DOMAINS = (
    Domain("symbolic", "mae", (2000,) * 45, between=0.1, tries=0.2, seeds=0.05),
    Domain(
        "tabular classification",
        "accuracy",
        (
            *(178, 351, 569, 846, 891, 990, 1372, 3190, 3810, 4424, 4601, 5404, 6435, 6497),
            *(11183, 13611, 19020, 20000, 30000, 45211, 48842, 58000),
        ),
        between=1.0,
        tries=2.0,
        seeds=0.5,
        divisions=0.5,
    ),
    Domain(
        "tabular regression",
        "mae",
        (308, 442, 768, 1030, 1599, 4177, 8192, 9568, 11934, 45730),
        between=0.1,
        tries=0.1,
        seeds=0.02,
        divisions=0.02,
    ),
    Domain(
        "text",
        "accuracy",
        (3775, 4000, 5952, 7600, 9594, 10000, 10606, 9613, 10662, 11855),
        between=1.0,
        tries=2.0,
        seeds=0.5,
        shared=3,
    ),
)
"""The confirmatory domains, with the real numbers of datasets, rows and sources (SST-2, MR and SST-5 are one)."""

SHAPES: dict[str, Callable] = {
    "normal": lambda generator, size: generator.normal(size=size),
    "heavy": lambda generator, size: generator.standard_t(3, size) / numpy.sqrt(3),
    "skewed": lambda generator, size: generator.exponential(size=size) - 1,
}
"""How true differences are spread over sources, with mean 0 and standard deviation 1; tails are those of Student's t of 3."""


SETTINGS = [("normal", 1.0), ("normal", 4.0), ("heavy", 1.0), ("skewed", 1.0), ("skewed", 4.0)]
"""What is simulated for the committed table: shape, and factor of the spread over sources."""


def scores(domain: Domain, effect: float, studies: int, generator: numpy.random.Generator, shape: str) -> numpy.ndarray:
    """Scores of frozen runs (percent, or errors), of shape (studies, budgets, datasets, families, levels, divisions, seeds)."""
    accuracy = domain.metric == "accuracy"
    test, valid = (rows[:, None, None] for rows in domain.parts)
    size = (studies, BUDGET_KINDS, len(domain.rows), len(PAIR), LEVELS)
    over_sources = effect + domain.between * SHAPES[shape](generator, (studies, domain.source[-1] + 1))
    ahead = over_sources[:, None, domain.source, None, None] * numpy.array([0.5, -0.5])[:, None]
    best = generator.uniform(65, 95, (studies, 1, len(domain.rows), 1, 1)) if accuracy else numpy.zeros((studies, 1, 1, 1, 1))

    tried = (best + ahead)[..., None] - generator.exponential(domain.tries, (*size, TRIES))
    seen = tried + generator.normal(0, domain.seeds, tried.shape)
    if accuracy:
        seen = generator.binomial(valid[..., None], (seen / 100).clip(0, 1)) / valid[..., None]
    else:
        seen = seen + _error_noise(valid[..., None], seen.shape, generator)
    chosen = numpy.take_along_axis(tried, seen.argmax(-1)[..., None], -1)[..., None]

    by_division = generator.normal(0, domain.divisions, (*size[:-1], 1, domain.number_of_divisions, 1))
    runs = chosen + by_division + generator.normal(0, domain.seeds, (*size, domain.number_of_divisions, SEEDS))
    return _tested(runs, best[..., None, None], test[..., None, None], accuracy, generator)


def _tested(
    runs: numpy.ndarray, best: numpy.ndarray, test: numpy.ndarray, accuracy: bool, generator: numpy.random.Generator
) -> numpy.ndarray:
    """What the test rows show of runs of some quality; the row noise is a mixture of shared, own and new."""
    families = runs.mean((-3, -2, -1), keepdims=True)
    if not accuracy:
        own = numpy.sqrt(OWN) * _error_noise(test, families.shape, generator)
        new = numpy.sqrt(1 - ALIKE - OWN) * _error_noise(test, runs.shape, generator)
        return 10 ** -(runs + own + new)  # what is shared cancels
    alike, own = numpy.round(ALIKE * test).astype(int), numpy.round(OWN * test).astype(int)

    def right(rows: numpy.ndarray, quality: numpy.ndarray) -> numpy.ndarray:
        """Right answers in the rows that tell runs apart: there alone they differ, so there they differ by more."""
        return generator.binomial(rows, ((best + (quality - best) / (1 - alike / test)) / 100).clip(0, 1))

    shared = generator.binomial(alike, best / 100)
    return 100 * (shared + right(own, families) + right(test - alike - own, runs)) / test


def _error_noise(rows: numpy.ndarray, size: tuple[int, ...], generator: numpy.random.Generator) -> numpy.ndarray:
    """Of the log10 of a root mean square over rows: of normal residuals its standard deviation is 1 / √(2 rows), natural."""
    return generator.normal(size=size) / numpy.sqrt(2 * rows) / numpy.log(10)


def estimates(values: numpy.ndarray, domain: Domain) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The mean difference over sources and its standard error, each (studies, budgets), of `scores`."""
    values = values if domain.metric == "accuracy" else -numpy.log10(values)
    by_dataset = numpy.subtract(*numpy.moveaxis(values.mean((-3, -2, -1)), -1, 0))
    member = domain.source == numpy.arange(domain.source[-1] + 1)[:, None]
    by_source = by_dataset @ (member / member.sum(1, keepdims=True)).T
    return by_source.mean(-1), by_source.std(-1, ddof=1) / numpy.sqrt(len(member))


def simulate(
    studies: int = 2000, seed: int = 0, effect: float = 0.0, domains: Sequence[Domain] = DOMAINS, shape: str = "normal"
) -> pandas.DataFrame:
    """Studies of two families of which the first is ahead by `effect` margins in every domain.

    Returns a row a study, domain and budget kind: effect, study, domain, sources, margin, truth (the mean that is to be found),
    estimate, error, those of `inference.confirm`, and label. Raises `InputError` for no studies or an unknown shape.
    """
    choose("shape", shape, SHAPES)
    if studies < 1:
        raise InputError(f"{studies} studies cannot be simulated; their number must be at least 1")
    generator = numpy.random.default_rng(seed)
    sizes = [min(AT_ONCE, studies - done) for done in range(0, studies, AT_ONCE)]
    parts = [
        [estimates(scores(domain, effect * domain.margin, size, generator, shape), domain) for domain in domains]
        for size in sizes
    ]
    estimate, error = numpy.moveaxis(numpy.concatenate(parts, axis=2), 0, -1)  # each of studies, budget kinds and domains
    tests = numpy.tile([(domain.source[-1] + 1, domain.margin) for domain in domains], (BUDGET_KINDS, 1))
    columns = {"estimate": estimate.reshape(studies, -1), "error": error.reshape(studies, -1)}
    columns |= {"sources": tests[:, 0], "margin": tests[:, 1], "truth": effect * tests[:, 1], "effect": effect}
    columns |= confirm(columns["estimate"], columns["error"], columns["sources"])
    columns |= {
        "study": numpy.arange(studies)[:, None],
        "domain": numpy.tile([domain.name for domain in domains], BUDGET_KINDS),
    }
    table = pandas.DataFrame(
        {name: numpy.broadcast_to(value, (studies, len(tests))).ravel() for name, value in columns.items()}
    )
    return table.assign(label=labels(table, PAIR, ("holm_low", "holm_high")))


def summary(table: pandas.DataFrame) -> pandas.DataFrame:
    """The shares of what `simulate` gave, by effect and domain, and of studies (domain `ANY`), which count where a test does.

    Columns: effect (in margins), domain, sources, margin, covered (the 95 % interval holds the true mean), surely (Holm's p is
    below 5 %), and of labels: winner, second (a winner on the wrong side, if there is an effect), equivalent, undecided.
    """
    found = table[["effect", "study", "domain", "sources", "margin"]].copy()
    found["covered"] = (table["low"] <= table["truth"]) & (table["truth"] <= table["high"])
    found["surely"] = table["holm_p"] < ERROR_RATE
    found["winner"] = table["label"].isin(PAIR)
    for name in (PAIR[1], EQUIVALENT, UNDECIDED):
        found[name] = table["label"] == name
    studies = found.groupby(["effect", "study"])[["surely", "winner", PAIR[1], EQUIVALENT, UNDECIDED]].any()
    rows = pandas.concat([found, studies.reset_index().assign(domain=ANY)]).drop(columns="study").astype({"covered": float})
    return rows.groupby(["effect", "domain"], sort=False).mean().sort_index(level="effect", sort_remaining=False).reset_index()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status, 2 for bad input."""
    p = argparse.ArgumentParser(prog="python -m kanbefair.studies.fairness.simulate", description=__doc__.splitlines()[0])
    p.add_argument("--studies", type=int, default=2000, help="number of studies for each effect")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--effect", type=float, nargs="+", default=[0, 1, 2, 3], help="true mean differences, in margins")
    p.add_argument("--between", type=float, default=1.0, help="factor of the differences' spread over sources")
    p.add_argument("--shape", default="normal", help=f"of differences over sources: {', '.join(SHAPES)}")
    p.add_argument(
        "--write", action="store_true", help="simulate all of `SETTINGS` and write results/extended/fairness_simulation.csv"
    )
    args = p.parse_args(argv)

    def shares(shape: str, between: float) -> pandas.DataFrame:
        domains = [replace(domain, between=between * domain.between) for domain in DOMAINS]
        table = pandas.concat(simulate(args.studies, args.seed, effect, domains, shape) for effect in args.effect)
        return summary(table).assign(shape=shape, between=between, studies=args.studies)

    def work() -> None:
        settings = SETTINGS if args.write else [(args.shape, args.between)]
        table = pandas.concat([shares(*setting) for setting in settings])
        print(table.to_string(index=False, float_format="{:.3f}".format, na_rep=""))
        if args.write:
            Tables(PROJECT / "results" / "extended").write("fairness_simulation", table)

    return exit_status(work)


if __name__ == "__main__":
    sys.exit(main())
