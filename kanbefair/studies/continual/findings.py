"""What the study of continual learning says: tables, claim 4 of protocol.md, and an answer in words."""

import os
from collections.abc import Sequence

import numpy
import pandas
from IPython.display import Markdown

from kanbefair.report import statistics
from kanbefair.studies.continual.design import Peak, Try
from kanbefair.sweep import Store
from kanbefair.training.continual.loop import PICTURE_POINTS

MEASURES = ("average", "learned", "backward", "backward_paper", "forgetting")
"""See `loop.summary`."""
PLACE = ["dataset", "stream_name"]
KIND = ["strategy", "optimizer_state"]
PAIR = ("KAN", "MLP relu")
NOTICED = 0.01
"""Growth of a mean absolute error that is called forgetting; a peak's surroundings have a mean height of 0.18."""


def placed(runs: pandas.DataFrame, tried: Sequence[Try | Peak]) -> pandas.DataFrame:
    """The table of runs with each run's place in front: its network and, for peaks, its optimiser (`method`)."""
    rows = [{"network": t.network, "method": getattr(t, "optimizer", "Adam"), "key": t.spec.key} for t in tried]
    return pandas.DataFrame(rows).merge(runs.drop_duplicates("key"), on="key", validate="one_to_one")


def chosen(table: pandas.DataFrame) -> pandas.DataFrame:
    """Of the rows of `placed` those with the learning rate and strength that validation chooses for each network, stream,
    strategy and optimiser: the best mean over seeds of the average after the last task. Settings of which a run diverged
    are not chosen."""
    strength = table["strength"] if "strength" in table else pandas.Series(numpy.nan, table.index)
    table = table.assign(tried=strength.fillna(-1.0))
    parts = []
    for _, own in table.groupby([*PLACE, "network", "method", *KIND], sort=False):
        means = own.groupby(["lr", "tried"])["valid_average"].agg(lambda v: v.mean(skipna=False))
        lr, value = means.idxmax() if own["metric"].iloc[0] == "accuracy" else means.idxmin()
        parts.append(own[(own["lr"] == lr) & (own["tried"] == value)])
    return pandas.concat(parts, ignore_index=True).drop(columns="tried")


def summary(best: pandas.DataFrame) -> pandas.DataFrame:
    """One row per group of `chosen`: what was chosen, and mean and 95 % interval over seeds of each of `MEASURES`."""
    rows = []
    for names, own in best.groupby([*PLACE, *KIND, "method", "network"], sort=False):
        row = dict(zip([*PLACE, *KIND, "method", "network"], names, strict=True))
        row |= {name: own[name].iloc[0] for name in ("metric", "lr", "strength", "buffer", "live_parameters") if name in own}
        row |= {"overlap": own["overlap"].mean(), "seeds": len(own)}
        for name in MEASURES:
            row[name], row[f"{name}_low"], row[f"{name}_high"] = statistics.interval(own[f"test_{name}"])
        rows.append(row)
    return pandas.DataFrame(rows)


def plasticity(table: pandas.DataFrame) -> pandas.DataFrame:
    """Naive training at every learning rate: what was just learned and what is left, means over seeds."""
    own = table[(table["strategy"] == "naive") & (table["optimizer_state"] == "carried")]
    groups = own.groupby([*PLACE, "network", "lr"], sort=False)
    return groups[["test_learned", "test_average"]].mean().reset_index()


def matrices(best: pandas.DataFrame, networks: Sequence[str], strategies: Sequence[str]) -> pandas.DataFrame:
    """The mean over seeds of R in long form: place, network, strategy, after task `after`, on task `on`, `value`."""
    rows = []
    shown = best[best["network"].isin(networks) & best["strategy"].isin(strategies) & (best["optimizer_state"] == "carried")]
    for names, own in shown.groupby([*PLACE, "network", "strategy"], sort=False):
        values = own.filter(regex=r"^test_\d+_\d+$").mean().dropna()
        for name, value in values.items():
            after, on = map(int, name.split("_")[1:])
            rows.append((*names, own["metric"].iloc[0], after, on, value))
    return pandas.DataFrame(rows, columns=[*PLACE, "network", "strategy", "metric", "after", "on", "value"])


def pictures(best: pandas.DataFrame, networks: Sequence[str], method: str, runs: str | os.PathLike) -> pandas.DataFrame:
    """What networks of one input say on [-1, 1] after each task, for the first seed: network, after, x, y."""
    store = Store(runs)
    x = numpy.linspace(-1, 1, PICTURE_POINTS)
    own = best[(best["method"] == method) & best["network"].isin(networks)].drop_duplicates(["dataset", "network"])
    parts = []
    for network, key in zip(own["network"], own["key"], strict=True):
        for after, y in enumerate(store.read(key).get("curves", {}).get("picture", []), start=1):
            parts.append(pandas.DataFrame({"network": network, "after": after, "x": x, "y": y}))
    return pandas.concat(parts, ignore_index=True)


def _paired(best: pandas.DataFrame, measure: str) -> pandas.DataFrame:
    """First minus second network of `PAIR`, a row per place, kind and seed, in column `difference`."""
    wide = best.pivot_table(index=[*PLACE, *KIND, "seed"], columns="network", values=f"test_{measure}")
    return (wide[PAIR[0]] - wide[PAIR[1]]).dropna().rename("difference").reset_index()


def gaps(best: pandas.DataFrame) -> pandas.DataFrame:
    """KAN minus MLP (relu), seed by seed, for every stream, strategy and optimiser state: forgetting, average, learned."""
    rows = []
    for measure in ("forgetting", "average", "learned"):
        for names, own in _paired(best, measure).groupby([*PLACE, *KIND], sort=False):
            effect, low, high = statistics.interval(own["difference"])
            rows.append((*names, measure, effect, low, high, len(own)))
    return pandas.DataFrame(rows, columns=[*PLACE, *KIND, "measure", "effect", "low", "high", "seeds"])


def remedies(best: pandas.DataFrame) -> pandas.DataFrame:
    """What each strategy adds to the average after the last task over `naive`, seed by seed, for every network; and in the
    rows of the network "KAN − MLP relu" how much more it adds for KAN."""
    carried = best[best["optimizer_state"] == "carried"]
    wide = carried.pivot_table(index=[*PLACE, "network", "seed"], columns="strategy", values="test_average")
    gains = wide.drop(columns="naive").sub(wide["naive"], axis=0).reset_index()
    gains = gains.melt([*PLACE, "network", "seed"], var_name="strategy", value_name="gain").dropna()
    pair = gains.pivot_table(index=[*PLACE, "strategy", "seed"], columns="network", values="gain")
    more = (pair[PAIR[0]] - pair[PAIR[1]]).dropna().rename("gain").reset_index().assign(network=" − ".join(PAIR))
    rows = []
    for names, own in pandas.concat([gains, more]).groupby([*PLACE, "strategy", "network"], sort=False):
        rows.append((*names, *statistics.interval(own["gain"]), len(own)))
    return pandas.DataFrame(rows, columns=[*PLACE, "strategy", "network", "gain", "low", "high", "seeds"])


def kept(line: pandas.DataFrame, levels: numpy.ndarray) -> numpy.ndarray:
    """What is left after the last task when each task has been learned at least to a level: of the rows (one per learning
    rate) whose `valid_learned` reaches the level, the `test_average` of the one with the best `valid_average`."""
    ranked = line.sort_values("valid_average", ascending=False)
    reached = ranked["valid_learned"].to_numpy() >= levels[:, None]
    return ranked["test_average"].to_numpy()[reached.argmax(1)]


def equal_learning(table: pandas.DataFrame) -> pandas.DataFrame:
    """KAN minus MLP (relu) in what is left after the last task where both have learned each task equally well.

    Naive training with the optimiser's state carried over, per place and seed: the mean of the difference of `kept` over
    the levels from `low` to `high`, which the worst learning rate of either passes and the best of both reaches; NaN where
    there are none.
    """
    own = table[(table["strategy"] == "naive") & (table["optimizer_state"] == "carried")]
    rows = []
    for names, seed in own.groupby([*PLACE, "seed"], sort=False):
        lines = [seed[seed["network"] == network] for network in PAIR]
        low = max(line["valid_learned"].min() for line in lines)
        high = min(line["valid_learned"].max() for line in lines)
        levels = numpy.linspace(low, high, 50)
        difference = (kept(lines[0], levels) - kept(lines[1], levels)).mean() if high > low else numpy.nan
        rows.append((*names, low, high, difference))
    return pandas.DataFrame(rows, columns=[*PLACE, "seed", "low", "high", "difference"])


def _row(comparison: str, on: str, unit: str, values: pandas.Series, over: str, seeds: int, datasets: int) -> dict:
    effect, low, high = statistics.interval(values)
    row = {"claim": 4, "comparison": comparison, "on": on, "unit": unit, "effect": effect, "low": low, "high": high}
    return row | {"interval_over": over, "datasets": datasets, "seeds": seeds}


WORDS = {
    "forgetting": ("KAN forgets more", "KAN forgets less"),
    "average": ("KAN knows more", "KAN knows less"),
    "average at equal learning": ("KAN keeps more", "KAN keeps less"),
}


def claims(table: pandas.DataFrame, best: pandas.DataFrame, peaks: pandas.DataFrame) -> pandas.DataFrame:
    """What the study says of claim 4 of protocol.md (KAN forgets more), in the columns of `findings.claims`.

    From all runs, the chosen ones, and the chosen ones on the peaks: KAN minus MLP (relu) per stream and over the streams,
    for naive training with the optimiser's state carried over; and what KAN's one spline forgets on the peaks.
    """
    rows = []
    for measure, (above, below) in WORDS.items():
        own = equal_learning(table).dropna() if measure.endswith("learning") else _paired(best, measure)
        if "strategy" in own:
            own = own[(own["strategy"] == "naive") & (own["optimizer_state"] == "carried")]
        name, unit = f"{' − '.join(PAIR)}, {measure}", "points"
        found = [
            _row(name, f"{dataset}, {stream}", unit, group["difference"], "seed", len(group), 1)
            for (dataset, stream), group in own.groupby(PLACE, sort=False)
        ]
        if len(found) > 1:
            means = own.groupby(PLACE, sort=False)["difference"].mean()
            found.append(
                _row(name, f"{len(found)} streams", unit, means, "stream", own["seed"].nunique(), own["dataset"].nunique())
            )
        rows += [r | {"verdict": above if r["low"] > 0 else below if r["high"] < 0 else "no difference shown"} for r in found]
    flat = peaks[(peaks["dataset"] == "Peaks_1d") & (peaks["method"] == "LBFGS")]
    for network in ("KAN, one spline", "with all but grid updates"):
        values = flat[flat["network"] == network]["test_forgetting"]
        row = _row(f"{network}: growth of the error", "Peaks_1d", "mean |error|", values, "seed", len(values), 1)
        verdict = "does not forget" if row["high"] < NOTICED else "forgets" if row["low"] > NOTICED else "not decided"
        rows.append(row | {"verdict": verdict})
    return pandas.DataFrame(rows)


def all_claims(*tables: pandas.DataFrame | None) -> pandas.DataFrame:
    """The tables of claims that there are, one below the other, in order of the claims."""
    return pandas.concat([t for t in tables if t is not None]).sort_values("claim", kind="stable", ignore_index=True)


def _interval(row: pandas.Series, name: str) -> str:
    return f"{row[name]:+.1f} [{row['low']:+.1f}, {row['high']:+.1f}]"


def _place(row: pandas.Series | tuple) -> str:
    dataset, stream = row[PLACE] if isinstance(row, pandas.Series) else row
    return f"{dataset}, {stream}"


def _who(claim: pandas.DataFrame) -> list[str]:
    rows = claim[claim["unit"] == "points"]
    equal = rows[rows["comparison"].str.endswith("learning")]
    overall = equal[equal["interval_over"] == "stream"] if (equal["interval_over"] == "stream").any() else equal
    lines = [
        f"KAN minus MLP (relu) in what is left after the last task, at equal learning, over {row['on']}: "
        f"{_interval(row, 'effect')} points: **{row['verdict']}**."
        for _, row in overall.iterrows()
    ] or ["At no learning rates that were tried did both learn equally well."]
    lines[-1] += (
        " `forgetting` and `average` below compare the two at the learning rate that validation chooses for each, and who "
        "learns little has little to forget."
    )
    for comparison, own in rows.groupby("comparison", sort=False):
        said = [f"{row['on']} {_interval(row, 'effect')} ({row['verdict']})" for _, row in own.iterrows()]
        lines.append(f"- {comparison.split(', ')[1]}, points, KAN minus MLP: {'; '.join(said)}.")
    return lines


def _when(naive: pandas.DataFrame) -> list[str]:
    lines = [
        "Accuracy just learned → left after the last task, naive training at the learning rate that validation chooses (%):"
    ]
    for names, own in naive.groupby(PLACE, sort=False):
        said = [f"{row['network']} {row['learned']:.0f} → {row['average']:.0f}" for _, row in own.iterrows()]
        lines.append(f"- {_place(names)}: {', '.join(said)}.")
    return lines


def _why(naive: pandas.DataFrame, peaks: pandas.DataFrame) -> list[str]:
    kan = naive[naive["network"] == "KAN"]["overlap"]
    lines = [
        f"On the streams above a KAN's tasks share {kan.min():.2f} to {kan.max():.2f} of their knots (0: none, 1: all alike). "
        "On the peaks, error just learned → after the last task (LBFGS; a network keeps what it knew where the interval of "
        f"the growth stays below {NOTICED}):"
    ]
    for dataset, own in peaks[peaks["method"] == "LBFGS"].groupby("dataset", sort=False):
        said = []
        for _, row in own.iterrows():
            knots = "" if numpy.isnan(row["overlap"]) else f", knots shared {row['overlap']:.2f}"
            forgets = "**keeps**" if row["forgetting_high"] < NOTICED else "forgets"
            said.append(f"{row['network']} {forgets} ({row['learned']:.1g} → {row['average']:.1g}{knots})")
        lines.append(f"- {dataset}: {'; '.join(said)}.")
    return lines


def _remedy(gain: pandas.DataFrame) -> list[str]:
    lines = ["Points that a strategy adds to the average for KAN beyond what it adds for MLP (relu):"]
    for names, own in gain[gain["network"] == " − ".join(PAIR)].groupby(PLACE, sort=False):
        said = []
        for _, row in own.iterrows():
            more = "more for KAN" if row["low"] > 0 else "less for KAN" if row["high"] < 0 else "no difference shown"
            said.append(f"{row['strategy']} {_interval(row, 'gain')} ({more})")
        lines.append(f"- {_place(names)}: {'; '.join(said)}.")
    return lines


def answer(claim: pandas.DataFrame, table: pandas.DataFrame, gain: pandas.DataFrame, peaks: pandas.DataFrame) -> Markdown:
    """Does KAN forget more, when, why, and does a remedy help it more than an MLP? From the tables `claims`, `summary`,
    `remedies` and the `summary` of the peaks."""
    naive = table[(table["strategy"] == "naive") & (table["optimizer_state"] == "carried")]
    parts = {
        "Does KAN forget more?": _who(claim),
        "When?": _when(naive),
        "Why?": _why(naive, peaks),
        "Does a remedy help KAN more than MLP?": _remedy(gain),
    }
    return Markdown("\n\n".join(f"### {title}\n" + "\n".join([lines[0], "", *lines[1:]]) for title, lines in parts.items()))
