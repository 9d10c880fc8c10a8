"""The study in words, from its tables: who is ahead where and by how much, and whether the runs are as the rule asks."""

import math

import pandas
from IPython.display import Markdown

from kanbefair.report import outcomes
from kanbefair.report.decision import EQUIVALENT, UNDECIDED
from kanbefair.studies.fairness import space
from kanbefair.studies.fairness.datasets import CONFIRMATORY, DOMAINS
from kanbefair.studies.fairness.design import PAIR, SEEDS
from kanbefair.studies.fairness.findings import Study, checks, coverage, planned
from kanbefair.studies.fairness.runner import MOST_LATE
from kanbefair.studies.fairness.sizes import LEVELS, TOLERANCE

KINDS = {"values": "equal values trained", "flops": "equal FLOPs executed"}
"""Kinds of budget in words."""


def sentences(domains: pandas.DataFrame, datasets: pandas.DataFrame, pair: tuple[str, str] = PAIR) -> Markdown:
    """The labels of a pair in words: a line a domain and kind of budget, and of what does not speak as a domain a line a
    dataset. What has not run is said.

    Args:
        domains, datasets: the tables `fairness_domains` and `fairness_by_dataset`.
        pair: the families.
    """
    domains, datasets = (table[(table["first"] == pair[0]) & (table["second"] == pair[1])] for table in (domains, datasets))
    lines = []
    for domain in DOMAINS:
        own, each = domains[domains["domain"] == domain], datasets[datasets["domain"] == domain]
        if len(own):
            lines += [_domain_line(row, each) for row in _by_kind(own)]
        else:
            lines += [_why_not(domain, each), *(f"  {_dataset_line(rows)}" for _, rows in each.groupby("dataset", sort=False))]
    return Markdown("\n".join(lines))


def _by_kind(rows: pandas.DataFrame) -> list[dict[str, object]]:
    return rows.sort_values("budget_kind", key=lambda kinds: kinds.map(list(KINDS).index)).to_dict("records")


def _domain_line(row: dict[str, object], each: pandas.DataFrame) -> str:
    own = each.loc[each["budget_kind"] == row["budget_kind"], "estimate"]
    tests = f"Holm's correction over {counted(row['tests'], 'test')}"
    said = [
        f"- **{row['domain']}**, {KINDS[row['budget_kind']]}: {decision(row, ('holm_low', 'holm_high'))}",
        f"95 % interval over {counted(row['sources'], 'source')}, {tests}",
        f"{row['first']} better on {(own > 0).sum()} of {counted(len(own), 'dataset')}",
    ]
    return "; ".join([*said, *_bad(row)]) + "."


def _why_not(domain: str, each: pandas.DataFrame) -> str:
    """Why nothing is said of a domain."""
    sources, of = each["source"].nunique(), planned(domain)
    if not sources:
        return f"- {domain}: nothing yet; {counted(of, 'source')} are to come."
    if domain in CONFIRMATORY:
        return f"- {domain}: {sources} of {of} sources are in; it speaks as a domain when all are. Each dataset for itself:"
    left = "" if sources == of else f"; {sources} of {of} sources are in"
    return f"- {domain}: of too few sources to speak as a domain{left}. Each dataset for itself:"


def _dataset_line(rows: pandas.DataFrame) -> str:
    """A dataset under each kind of budget."""
    parts = ["; ".join([f"{KINDS[row['budget_kind']]}: {decision(row)}", *_bad(row)]) for row in _by_kind(rows)]
    return f"- {rows['dataset'].iloc[0]}, {'. At '.join(parts)}."


def _bad(row: dict[str, object]) -> list[str]:
    """How many frozen runs of each family have no result of their own."""
    counts = {row[place]: row[f"no_result_{place}"] for place in ("first", "second") if row[f"no_result_{place}"]}
    named = ", ".join(
        f"{family} {count:.0f} of {row['runs_' + place]:.0f}"
        for place in ("first", "second")
        for family, count in counts.items()
        if family == row[place]
    )
    return [f"failed or at chance, and scored as the constant predictor: {named} runs"] if counts else []


def decision(row: dict[str, object], wide: tuple[str, str] = ("low", "high")) -> str:
    """The label with the mean difference and its 95 % interval, seen from the side of a family that is ahead."""
    first, second, label = row["first"], row["second"], row["label"]
    estimate, low, high = (row[name] for name in ("estimate", *wide))
    if label in (EQUIVALENT, UNDECIDED):
        size = (
            f"{second}'s error is {_times(estimate)} times {first}'s"
            if row["metric"] != "accuracy"
            else (f"{first} − {second} {estimate:+.2f} points")
        )
        return f"**{label}**, {size} {_interval(row['metric'], low, high, '+.2f')}, margin {_margin(row)}"
    if label == second:
        first, second, estimate, low, high = second, first, -estimate, -high, -low
    if row["metric"] == "accuracy":
        return f"**{label}** ahead by {estimate:.2f} points {_interval('accuracy', low, high)}"
    return f"**{label}** ahead, {second}'s error is {_times(estimate)} times {first}'s {_interval(row['metric'], low, high)}"


def _interval(metric: str, low: float, high: float, points: str = ".2f") -> str:
    if not math.isfinite(high - low):
        return "(no interval)"
    ends = (format(end, points) if metric == "accuracy" else _times(end) for end in (low, high))
    return f"[{', '.join(ends)}]"


def _margin(row: dict[str, object]) -> str:
    return f"{row['margin']:.2g} points" if row["metric"] == "accuracy" else f"{_times(row['margin'])} times"


def _times(logarithm: float) -> str:
    """A ratio of which the logarithm to the base 10 is given."""
    ratio = 10**logarithm
    return f"{ratio:.3g}" if ratio < 100 else f"{ratio:,.0f}"


def counted(number: int, what: str) -> str:
    """A number with what it is of, in the plural where it is not 1."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def run_so_far(study: Study) -> Markdown:
    """Which datasets are in, and which are missing, a line a domain."""
    lines = []
    for row in coverage(study.final).to_dict("records"):
        there = f"{row['datasets']} of {row['of datasets']} datasets"
        named = f"{there} have run" if row["datasets"] else f"none of {row['of datasets']} datasets has run"
        missing = f"; missing: {row['missing']}" if 0 < row["datasets"] < row["of datasets"] else ""
        lines.append(f"- {row['domain']}: {named}{missing}.")
    return Markdown("\n".join(lines))


def kept_rules(study: Study) -> Markdown:
    """Whether tries, sizes, seeds and levels are as docs/decision_rule.md asks; how many runs have no result or gain late."""
    if study.final.empty:
        return Markdown("Nothing has run yet.")
    table = checks(study)
    fewest, most = int(table["tries, fewest"].min()), int(table["tries, most"].max())
    seeds = int(table["new seeds, fewest"].min())
    off = table["size off by at most (%)"].max()
    late = 100 * study.final["late"].astype(float).mean()
    every = {name: int(table[name].sum()) for name in ("tries without a result", "without a result", "frozen runs")}
    lines = [
        f"Tries in a cell: {fewest} to {most}; {_kept(fewest == most == space.TRIES)} ({space.TRIES} and {space.TRIES}).",
        f"Sizes are off their budget by at most {off:.1f} %; {_kept(off <= 100 * TOLERANCE + 1e-9)} ({100 * TOLERANCE:.0f} %).",
        f"New seeds in every division: {seeds} or more; {_kept(seeds >= len(SEEDS))} ({len(SEEDS)}).",
        f"Levels: {int(table['levels'].min())} or more; {_kept((table['levels'] == LEVELS).all())} ({LEVELS}).",
        f"Of the first points at least {table['least acceptance (%)'].min():.0f} % can meet a level, whatever the family.",
        f"Without a result of their own: {every['tries without a result']:,} of {len(study.tries):,} tries and "
        f"{every['without a result']:,} of {every['frozen runs']:,} frozen runs.",
        f"{late:.1f} % of the frozen runs still gain more than the margin in the last tenth of their epochs.{_late(study)}",
        *_uneven(study),
    ]
    return Markdown("\n".join(f"- {line}" for line in lines))


def _kept(is_kept: bool) -> str:
    return "as the rule asks" if is_kept else "**not as the rule asks**"


def _late(study: Study) -> str:
    """On which datasets too many runs gain late, though their epochs were doubled."""
    table = study.datasets
    bad = table.loc[table["late"].astype(float) > 100 * MOST_LATE, "dataset"].tolist()
    return f" On {outcomes.names(bad)} these are over {100 * MOST_LATE:.0f} %." if bad else ""


def _uneven(study: Study) -> list[str]:
    """The datasets of which one class holds most test rows."""
    table = study.datasets
    rows = table[table["largest"].astype(float) > 80]
    named = [f"{row.dataset} ({row.largest:.0f} %)" for row in rows.itertuples()]
    return [f"One class holds over 80 % of the test rows of {outcomes.names(named)}."] if named else []


def uneven(datasets: pandas.DataFrame, pair: tuple[str, str] = PAIR) -> pandas.DataFrame:
    """Balanced accuracy and log loss of a pair where one class holds most test rows, beside accuracy."""
    own = datasets[(datasets["first"] == pair[0]) & (datasets["second"] == pair[1]) & datasets["balanced_first"].notna()]
    names = {
        f"{name}_{place}": f"{words}, {family}"
        for name, words in (("score", "accuracy (%)"), ("balanced", "balanced (%)"), ("loss", "log loss (nats)"))
        for place, family in zip(("first", "second"), pair, strict=True)
    }
    return own.set_index(["dataset", "budget_kind"])[list(names)].rename(columns=names)


def search_space() -> pandas.DataFrame:
    """The dimensions that are searched (`space`): a row each, with the family that has it and what it holds."""
    rows = [("all", own.name, own.words) for own in space.SHARED]
    rows += [(family, own.name, own.words) for family, dimensions in space.OWN.items() for own in dimensions]
    return pandas.DataFrame(rows, columns=["family", "dimension", "values"]).set_index(["family", "dimension"])


def how_often_it_errs(simulated: pandas.DataFrame) -> str:
    """What the simulation says of labels of two families that are the same (`fairness_simulation`), and of its intervals."""
    same = simulated[simulated["effect"] == 0]
    single, whole = same[same["sources"].notna()], same[same["sources"].isna()]
    if single.empty or whole.empty:
        return "Nothing has been simulated yet."
    usual = whole.iloc[0]
    at_usual = f"{100 * usual['winner']:.1f} % ({usual['shape']} differences)"
    return (
        f"Of two families that are the same a single label names one in {_span(single['winner'])} of the cases, and a study of "
        f"all of them has such a label in {at_usual} and {_span(whole['winner'])} over all spreads. "
        f"The 95 % intervals hold the true difference in {_span(simulated['covered'].dropna())}."
    )


def _span(shares: pandas.Series) -> str:
    low, high = (f"{100 * end:.1f}" for end in (shares.min(), shares.max()))
    return f"{low} %" if low == high else f"{low} to {high} %"
