"""What the study says of the paper's claims (docs/protocol.md: Claims), and of one that says the opposite.

Every row has a label, which may be "not run yet", and in `reason` why it is undecided where its interval does not say that.
"""

import math
from collections.abc import Iterator, Sequence

import numpy
import pandas

from kanbefair.report.decision import MARGINS, UNDECIDED, label
from kanbefair.studies.fairness import inference, sizes
from kanbefair.studies.fairness.datasets import CONFIRMATORY, DATASETS, DOMAINS, whole
from kanbefair.studies.fairness.design import PAIR, SPLINES
from kanbefair.studies.fairness.inference import SOURCES
from kanbefair.studies.fairness.sensitivity import NOT_RUN

COLUMNS = [
    *("claim", "domain", "dataset", "budget_kind", "comparison", "published", "effect", "low", "high", "unit", "margin"),
    *("sources", "seeds", "label", "rule", "reason"),
]
FEW = "not all of its datasets have run"
UNITS = {"accuracy": "points", "mae": "log10 of a ratio of errors"}
BARS = {
    "symbolic": math.log10(7.4e-3 / 1.2e-3),
    "tabular classification": 85.96 - 86.16,
    "vision": 77.88 - 85.88,
    "text": 79.95 - 80.45,
    "audio": 15.49 - 17.74,
}
"""KAN over MLP by domain, as the paper's bars have it (docs/protocol.md)."""
HALF_A_ROW = 50.0
"""Percent, over the rows of a test part: the least rate of errors, so that it has a logarithm."""
NOT_INFERIOR, INFERIOR = "not inferior", "inferior"
RULES = {
    "1": "ahead if Holm's 95 % interval over sources leaves out 0 and the effect exceeds the margin, equivalent if the 90 % "
    "interval lies within it; of a dataset without Holm's correction, over seeds, divisions and test rows",
    "2": "not inferior if the 95 % interval over sources lies above minus the margin, inferior if below",
    "3": "Welch's 95 % interval of the difference of two domains' means over sources, Holm's correction over all domains, by "
    "the rule of claim 1; a rate of errors is what accuracy leaves of 100 %",
    "4": "what is left after the last task, interpolated to equal accuracy on tasks just learned, by the rule of claim 1",
    "arXiv 2601.10563": "holds where KAN is ahead, by the rule of claim 1 for a dataset",
}
"""By claim, in words."""
WINES = ("Wine", "WineRecognition")
"""The datasets of the study that can be meant by the wines of arXiv 2601.10563; its other three (a square, a cube, daily
temperatures) are not among them."""
STREAM = ["dataset", "stream_name", "seed"]
POINTS = 50
"""Accuracies at which two curves are compared."""


def claims(final: pandas.DataFrame, pairs: pandas.DataFrame, streams: pandas.DataFrame | None) -> pandas.DataFrame:
    """All rows (`COLUMNS`).

    Args:
        final, pairs: `fairness_final` and `fairness_pairs`, whole, in part or empty.
        streams: the runs of the study of continual learning (`continual_runs`), None if there are none.
    """
    rows = [
        *_ahead(final),
        *_of_datasets("1", [name for name, own in DATASETS.items() if own.domain not in CONFIRMATORY], final, pairs),
        *_as_good(final),
        *_where_splines_matter(final),
        *_what_is_left(streams),
        *_of_datasets("arXiv 2601.10563", WINES, final, pairs),
    ]
    return pandas.DataFrame(rows, columns=COLUMNS)


def _row(claim: str, domain: str, kind: str, pair: Sequence[str], **found: object) -> dict[str, object]:
    """A row; without a label it has not run yet."""
    own = {"claim": claim, "domain": domain, "budget_kind": kind, "comparison": " − ".join(pair), "rule": RULES[claim]}
    return own | ({"label": NOT_RUN} if "label" not in found else {}) | found


def _seeds(final: pandas.DataFrame, pair: Sequence[str], **place: str) -> int:
    """The fewest seeds that a family of a pair has in a place."""
    own = final[final["family"].isin(pair)]
    for name, value in place.items():
        own = own[own[name] == value]
    return int(own.groupby("family")["seed"].nunique().min())


def _ran(final: pandas.DataFrame, pair: Sequence[str]) -> bool:
    return len(final) > 0 and set(pair) <= set(final["family"])


def _confirmed(final: pandas.DataFrame, pair: tuple[str, str]) -> dict[tuple[str, str], dict[str, object]]:
    """What `inference.domains` says of a pair, by domain and kind of budget; of too few sources the reason alone."""
    if not _ran(final, pair):
        return {}
    places = inference.differences(final, pair).index
    found = {(own[0], own[2]): {"label": UNDECIDED, "reason": FEW} for own in places}
    ready = whole(final, pair)
    for row in inference.domains(ready, pair).to_dict("records") if len(ready) else ():
        place = row["domain"], row["budget_kind"]
        own = {name: row[name] for name in ("low", "high", "margin", "sources", "label")}
        own |= {"effect": row["estimate"], "unit": UNITS[row["metric"]]}
        seeds = _seeds(final, pair, domain=place[0], budget_kind=place[1])
        found[place] = own | {"holm": (row["holm_low"], row["holm_high"]), "seeds": seeds}
    return found


def _ahead(final: pandas.DataFrame) -> Iterator[dict[str, object]]:
    """Claim 1: who is ahead in each confirmatory domain."""
    found = _confirmed(final, PAIR)
    for domain in CONFIRMATORY:
        for kind in sizes.KINDS:
            own = dict(found.get((domain, kind), {}))
            if "holm" in own:
                own["low"], own["high"] = own.pop("holm")
            yield _row("1", domain, kind, PAIR, published=BARS.get(domain), **own)


def _of_datasets(
    claim: str, datasets: Sequence[str], final: pandas.DataFrame, pairs: pandas.DataFrame
) -> Iterator[dict[str, object]]:
    """Who is ahead on each of some datasets."""
    own = final[final["dataset"].isin(datasets)] if len(final) else final
    found = {}
    if _ran(own, PAIR):
        ours = pairs[(pairs["first"] == PAIR[0]) & (pairs["second"] == PAIR[1])] if len(pairs) else None
        table = inference.datasets(own, PAIR, ours)
        found = {(row["dataset"], row["budget_kind"]): row for row in table.to_dict("records")}
    for name in datasets:
        for kind in sizes.KINDS:
            said = {"dataset": name}
            if claim == "1":
                said["published"] = BARS[DATASETS[name].domain]
            if (name, kind) in found:
                row = found[name, kind]
                said |= {"effect": row["estimate"], "unit": UNITS[row["metric"]], "sources": 1}
                said |= {column: row[column] for column in ("low", "high", "margin", "label")}
                said["seeds"] = _seeds(own, PAIR, dataset=name, budget_kind=kind)
            yield _row(claim, DATASETS[name].domain, kind, PAIR, **said)


def not_inferior(low: float, high: float, margin: float) -> str:
    """The label of a first that claims to be no worse than a second, by the 95 % interval of first − second."""
    if not math.isfinite(low) or not math.isfinite(high) or not low < high:
        return UNDECIDED
    return NOT_INFERIOR if low > -margin else INFERIOR if high < -margin else UNDECIDED


def _as_good(final: pandas.DataFrame) -> Iterator[dict[str, object]]:
    """Claim 2: MLPs of B-splines are no worse than KANs, at equal values."""
    for family in SPLINES:
        pair = (family, "KAN")
        found = _confirmed(final, pair)
        for domain in CONFIRMATORY:
            own = dict(found.get((domain, "values"), {}))
            if own.pop("holm", None):
                own["label"] = not_inferior(own["low"], own["high"], own["margin"])
            yield _row("2", domain, "values", pair, **own)


def as_errors(final: pandas.DataFrame) -> pandas.DataFrame:
    """The runs with rates of errors, in percent, for accuracies: differences of both metrics are then log10 of ratios of
    errors. A rate is at least half a test row."""
    accuracy = final["metric"] == "accuracy"
    rate = numpy.maximum(100 - final["score"], HALF_A_ROW / final["test_rows"])
    return final.assign(score=final["score"].where(~accuracy, rate), metric="mae")


def welch(first: Sequence[float], second: Sequence[float]) -> tuple[float, float, float]:
    """The difference of two means, its standard error, and Satterthwaite's degrees of freedom (1 if nothing varies)."""
    parts = numpy.array([numpy.var(own, ddof=1) / len(own) for own in (first, second)])
    freedom = parts.sum() ** 2 / (parts**2 / [len(first) - 1, len(second) - 1]).sum() if parts.sum() else 1.0
    return float(numpy.mean(first) - numpy.mean(second)), float(numpy.sqrt(parts.sum())), float(freedom)


def _where_splines_matter(final: pandas.DataFrame) -> Iterator[dict[str, object]]:
    """Claim 3: what splines gain over plain MLPs on formulas, less what they gain elsewhere, at equal values."""
    pair = (SPLINES[0], "MLP")
    own = whole(final[final["budget_kind"] == "values"], pair) if len(final) else final
    gains = {}
    if _ran(own, pair):
        by_source = inference.over_datasets(inference.differences(as_errors(own), pair)["difference"])
        gains = {domain: rows.to_numpy() for domain, rows in by_source.groupby("domain")}
    first, others = DOMAINS[0], DOMAINS[1:]
    enough = [name for name in others if min(len(gains.get(place, ())) for place in (first, name)) >= SOURCES]
    tests = pandas.DataFrame([welch(gains[first], gains[name]) for name in enough], enough, ["estimate", "error", "freedom"])
    table = tests.assign(**inference.confirm(tests["estimate"], tests["error"], tests["freedom"] + 1)) if enough else tests
    for other in others:
        found = {}
        if other in enough:
            row = table.loc[other]
            wide = (row["holm_low"], row["holm_high"])
            said = label(first, other, row["estimate"], wide, (row["low_90"], row["high_90"]), MARGINS["mae"])
            found = {"effect": row["estimate"], "low": wide[0], "high": wide[1], "unit": UNITS["mae"], "label": said}
            found |= {"margin": MARGINS["mae"], "sources": len(gains[first]) + len(gains[other])}
            found["seeds"] = min(_seeds(own, pair, domain=name) for name in (first, other))
        elif first in gains and other in gains:
            found = {"label": UNDECIDED, "reason": FEW}
        yield _row("3", other, "values", [f"gain of {pair[0]} over {pair[1]}: {first}", other], **found)


def left_at_equal_learning(streams: pandas.DataFrame) -> pandas.DataFrame:
    """KAN less MLP (relu) in what is left after the last task, at equal accuracy on tasks just learned.

    Of the naive runs on streams of classes. A network's learning rates are the points of its curve: what is left
    (`test_average`) against what was just learned (`test_learned`), with straight lines between them. Returns rows (`STREAM`,
    difference): the mean over the accuracies that both curves reach, NaN where there are none.
    """
    own = streams[(streams["strategy"] == "naive") & (streams["stream"] == "classes")]
    own = own[(own["optimizer_state"] == "carried") & ~own["grid_update"].astype(bool)]
    own = own.dropna(subset=["test_learned", "test_average"]).sort_values("test_learned")
    kan = own[(own["model"] == "KAN") & (own["shortcut"] == "silu")]
    mlp = own[(own["model"] == "MLP") & (own["activation"] == "relu") & ~own["batch_norm"].fillna(False).astype(bool)]
    curves = [dict(list(network.groupby(STREAM))) for network in (kan, mlp)]
    rows = []
    for place in [place for place in curves[0] if place in curves[1]]:
        both = [own[place] for own in curves]
        low = max(curve["test_learned"].min() for curve in both)
        high = min(curve["test_learned"].max() for curve in both)
        at = numpy.linspace(low, high, POINTS)
        left = [numpy.interp(at, curve["test_learned"], curve["test_average"]) for curve in both]
        rows.append((*place, float((left[0] - left[1]).mean()) if low <= high else math.nan))
    return pandas.DataFrame(rows, columns=[*STREAM, "difference"])


def _what_is_left(streams: pandas.DataFrame | None) -> Iterator[dict[str, object]]:
    """Claim 4: KAN forgets more, over the sources of streams of classes."""
    table = left_at_equal_learning(streams).dropna() if streams is not None else pandas.DataFrame()
    if table.empty:
        yield _row("4", "continual", "", PAIR)
        return
    sources = table.groupby(["dataset", "stream_name"])["difference"].mean().groupby("dataset").mean()
    tests = inference.confirm(numpy.array([sources.mean()]), numpy.array([sources.sem()]), numpy.array([len(sources)]))
    row = {name: float(value[0]) for name, value in tests.items()}
    margin = MARGINS["accuracy"]
    said = label(*PAIR, sources.mean(), (row["low"], row["high"]), (row["low_90"], row["high_90"]), margin)
    enough = len(sources) >= SOURCES
    missing = [name for name in ("MNIST", "FMNIST") if name not in sources.index]
    reasons = [] if enough else [f"{len(sources)} sources ({', '.join(sources.index)}), of which {SOURCES} decide"]
    reasons += [f"no streams of {' and '.join(missing)}"] if missing else []
    yield _row(
        "4",
        "continual",
        "",
        PAIR,
        effect=sources.mean(),
        low=row["low"],
        high=row["high"],
        unit=UNITS["accuracy"],
        margin=margin,
        sources=len(sources),
        seeds=table["seed"].nunique(),
        label=said if enough else UNDECIDED,
        reason="; ".join(reasons) or None,
    )
