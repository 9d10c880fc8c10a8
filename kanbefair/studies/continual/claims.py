"""What the study of continual learning says of claim 4 (docs/protocol.md: Claims): KAN forgets more."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas

from kanbefair.report import outcomes, statistics
from kanbefair.studies.continual.pairs import DIFFERENCE, PAIR, PLACE, equal_learning, naive, paired


@dataclass(frozen=True)
class Comparison:
    """KAN minus MLP (relu) in one measure, and the verdicts for an interval above zero and one below."""

    measure: str
    above: str
    below: str

    @property
    def name(self) -> str:
        """The comparison in the table of claims."""
        return f"{DIFFERENCE}, {self.measure}"


EQUAL = Comparison("average at equal learning", "KAN keeps more", "KAN keeps less")
"""The average after the last task where both have learned each task at least up to the same level (`pairs.equal_learning`)."""
COMPARISONS = (
    Comparison("forgetting", "KAN forgets more", "KAN forgets less"),
    Comparison("average", "KAN knows more", "KAN knows less"),
    EQUAL,
)
NOTICED = 0.01
"""Growth of a mean absolute error that is called forgetting; a peak's surroundings have a mean height of 0.18."""
ON_PEAKS = ("KAN, one spline", "with all but grid updates")
"""The networks whose forgetting on the peaks is claimed: the KAN paper's set-up, and a whole KAN."""


def claims(table: pandas.DataFrame, best: pandas.DataFrame, peaks: pandas.DataFrame) -> pandas.DataFrame:
    """The study's rows of the table of claims: per stream and over the streams for each of `COMPARISONS`, and on the peaks.

    `table` holds all runs (`findings.placed`), `best` the chosen ones (`findings.chosen`), `peaks` the chosen ones on the
    peaks. Columns: claim, comparison, on, unit, effect, low, high (95 %), interval_over ("seed" or "stream"), datasets,
    seeds, verdict, remark.
    """
    rows = []
    for comparison in COMPARISONS:
        equal = comparison is EQUAL
        rows += _on_streams(
            comparison,
            equal_learning(table).dropna() if equal else paired(naive(best), comparison.measure),
            naive(table if equal else best),
        )
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


def _on_streams(comparison: Comparison, differences: pandas.DataFrame, runs: pandas.DataFrame) -> list[dict[str, object]]:
    """A row per stream, with its interval over seeds, and one for all of them, over streams, if there are several. `runs` are
    those behind the differences."""
    places = differences.groupby(PLACE, sort=False)
    samples = [(f"{dataset}, {stream}", own["difference"], "seed", own) for (dataset, stream), own in places]
    if len(samples) > 1:
        samples.append((f"{len(samples)} streams", places["difference"].mean(), "stream", differences))
    rows = []
    for on, values, over, own in samples:
        row = _row(comparison.name, on, "points", values, over, own)
        verdict = comparison.above if row["low"] > 0 else comparison.below if row["high"] < 0 else "no difference shown"
        rows.append(row | {"verdict": verdict, "remark": remark(runs, PAIR, own)})
    return rows


def _on_peaks(peaks: pandas.DataFrame) -> list[dict[str, object]]:
    """How much the error of each of `ON_PEAKS` grows on the peaks in one dimension."""
    flat = peaks[(peaks["dataset"] == "Peaks_1d") & (peaks["method"] == "LBFGS")]
    rows = []
    for network in ON_PEAKS:
        own = flat[flat["network"] == network]
        row = _row(f"{network}: growth of the error", "Peaks_1d", "mean |error|", own["test_forgetting"], "seed", own)
        verdict = "does not forget" if row["high"] < NOTICED else "forgets" if row["low"] > NOTICED else "not decided"
        rows.append(row | {"verdict": verdict, "remark": remark(own, [network], own)})
    return rows


def _row(comparison: str, on: str, unit: str, values: pandas.Series, over: str, runs: pandas.DataFrame) -> dict[str, object]:
    """A claim without its verdict: mean and interval of `values`, and the datasets and seeds of the `runs` behind them."""
    effect, low, high = statistics.interval(values)
    return {
        "claim": 4,
        "comparison": comparison,
        "on": on,
        "unit": unit,
        "effect": effect,
        "low": low,
        "high": high,
        "interval_over": over,
        "datasets": runs["dataset"].nunique(),
        "seeds": runs["seed"].nunique(),
    }


def all_claims(*tables: pandas.DataFrame | None) -> pandas.DataFrame:
    """The tables of claims that there are, one below the other, in order of the claims."""
    return pandas.concat([t for t in tables if t is not None]).sort_values("claim", kind="stable", ignore_index=True)
