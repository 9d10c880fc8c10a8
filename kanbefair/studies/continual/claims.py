"""What the study of continual learning says of claim 4 (docs/protocol.md: Claims): KAN forgets more."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas

from kanbefair.report import decision, outcomes, statistics
from kanbefair.report.decision import UNDECIDED
from kanbefair.studies.continual.pairs import DIFFERENCE, PAIR, PLACE, equal_learning, naive, paired


@dataclass(frozen=True)
class Comparison:
    """KAN minus MLP (relu) in one measure, and the verdicts where KAN has more and where it has less."""

    measure: str
    above: str
    below: str

    @property
    def name(self) -> str:
        """The comparison in the table of claims."""
        return f"{DIFFERENCE}, {self.measure}"


REACHED = Comparison("average at levels that both reach", "KAN knows more", "KAN knows less")
"""The average after the last task where each has learned the tasks at least up to a level (`pairs.equal_learning`)."""
LEARNED = Comparison("just learned at these levels", "KAN had learned more", "KAN had learned less")
"""How much more of the tasks the same KANs had just learned: the levels are a least, so that this need not be equal."""
COMPARISONS = (
    Comparison("forgetting", "KAN forgets more", "KAN forgets less"),
    Comparison("average", "KAN knows more", "KAN knows less"),
    REACHED,
    LEARNED,
)
NOTICED = 0.01
"""Growth of a mean absolute error that is called forgetting; a peak's surroundings have a mean height of 0.18."""
ON_PEAKS = ("KAN, one spline", "with all but grid updates")
"""The networks whose forgetting on the peaks is claimed: the KAN paper's set-up, and a whole KAN."""


def claims(
    table: pandas.DataFrame, best: pandas.DataFrame, peaks: pandas.DataFrame, test_rows: float = math.inf
) -> pandas.DataFrame:
    """The study's rows of the table of claims: per stream and over the sources of the streams for each of `COMPARISONS`, and
    on the peaks.

    `table` holds all runs (`findings.placed`), `best` the chosen ones (`findings.chosen`), `peaks` the chosen ones on the
    peaks. `test_rows` are the fewest of the datasets (`decision.margin`). Streams of one dataset are one source, as they share
    their rows: over several streams the interval is over sources. Columns: those of
    `shared_columns.CLAIM`.
    """
    rows = []
    least = decision.margin("accuracy", test_rows)
    levels = equal_learning(table)
    reached = {REACHED: levels, LEARNED: levels.assign(difference=levels["learned"])}
    for comparison in COMPARISONS:
        if comparison in reached:
            rows += _on_streams(comparison, reached[comparison], naive(table), least)
        else:
            rows += _on_streams(comparison, paired(naive(best), comparison.measure), naive(best), least)
    return pandas.DataFrame([*rows, *_on_peaks(peaks)])


def remark(runs: pandas.DataFrame, networks: Sequence[str], on: pandas.DataFrame) -> str | None:
    """What a reader of a claim must know of the compared runs of these networks on streams (rows with PLACE): of whom all are
    at chance on which stream, and how many runs have no score. None if there is nothing."""
    said = []
    for network in networks:
        own = runs[runs["network"] == network].merge(on[PLACE].drop_duplicates())
        # of chosen runs all have a score, and each group says how many others had none
        lost = own.drop_duplicates(PLACE)["lost"].sum() if "lost" in own else own["valid_average"].isna().sum()
        said += outcomes.remark(network, own, own["dataset"] + ", " + own["stream_name"], lost)
        if own.empty:
            said.append(f"no run of {network} has a score")
    return "; ".join(said) or None


def _on_streams(
    comparison: Comparison, all_differences: pandas.DataFrame, runs: pandas.DataFrame, least: float
) -> list[dict[str, object]]:
    """A row per stream, with its interval over seeds, and one for all of them, if there are several, over their sources.
    `runs` are those behind the differences; seeds without one are remarked on. `least` is the margin. Few
    sources decide nothing (`statistics.DATASETS_TO_GENERALISE`)."""
    differences = all_differences.dropna(subset="difference")
    places = differences.groupby(PLACE, sort=False)
    samples = [(f"{dataset}, {stream}", own["difference"], "seed", own) for (dataset, stream), own in places]
    if len(samples) > 1:
        means = places["difference"].mean().groupby("dataset").mean()
        on = f"{len(samples)} streams of {len(means)} {'source' if len(means) == 1 else 'sources'}"
        samples.append((on, means, "source", differences))
    rows = []
    for on, values, over, own in samples:
        row = _row(comparison.name, on, "points", values, over, own, least)
        ends = [(row[f"{kind}low"], row[f"{kind}high"]) for kind in ("", "narrow_")]
        verdict = decision.label(comparison.above, comparison.below, row["effect"], *ends, least)
        few = over == "source" and len(values) < statistics.DATASETS_TO_GENERALISE
        here = all_differences.merge(own[PLACE].drop_duplicates())
        lost = here["difference"].isna().sum()
        said = [
            "these are too few sources to decide" if few else None,
            remark(runs, PAIR, own),
            f"{lost} of {len(here)} seeds have no level that both reach" if lost else None,
        ]
        rows.append(row | {"verdict": UNDECIDED if few else verdict, "remark": "; ".join(filter(None, said)) or None})
    return rows


def _on_peaks(peaks: pandas.DataFrame) -> list[dict[str, object]]:
    """How much the error of each of `ON_PEAKS` grows on the peaks in one dimension."""
    flat = peaks[(peaks["dataset"] == "Peaks_1d") & (peaks["method"] == "LBFGS")]
    rows = []
    for network in ON_PEAKS:
        own = flat[flat["network"] == network]
        row = _row(f"{network}: growth of the error", "Peaks_1d", "mean |error|", own["test_forgetting"], "seed", own, NOTICED)
        decided = math.isfinite(row["high"] - row["low"]) and row["low"] < row["high"]
        verdict = "does not forget" if row["high"] < NOTICED else "forgets" if row["low"] > NOTICED else UNDECIDED
        verdict = verdict if decided else UNDECIDED
        rows.append(row | {"verdict": verdict, "remark": remark(own, [network], own)})
    return rows


def _row(
    comparison: str, on: str, unit: str, values: pandas.Series, over: str, runs: pandas.DataFrame, least: float
) -> dict[str, object]:
    """A claim without its verdict: mean and intervals of `values`, and the datasets and seeds of the `runs` behind them."""
    effect, low, high = statistics.interval(values)
    _, narrow_low, narrow_high = statistics.interval(values, statistics.NARROW)
    return {
        "claim": 4,
        "comparison": comparison,
        "on": on,
        "unit": unit,
        "effect": effect,
        "low": low,
        "high": high,
        "narrow_low": narrow_low,
        "narrow_high": narrow_high,
        "margin": least,
        "interval_over": over,
        "datasets": runs["dataset"].nunique(),
        "seeds": runs["seed"].nunique(),
    }


def all_claims(*tables: pandas.DataFrame | None) -> pandas.DataFrame:
    """The tables of claims that there are, one below the other, in order of the claims."""
    return pandas.concat([t for t in tables if t is not None]).sort_values("claim", kind="stable", ignore_index=True)
