"""What the study of continual learning says: tables, claim 4 of protocol.md, and an answer in words."""

import os
from collections.abc import Sequence

import numpy
import pandas
from IPython.display import Markdown

from kanbefair import stats
from kanbefair.continual import PICTURE_POINTS
from kanbefair.forgetting import Peak, Try
from kanbefair.sweep import Store

MEASURES = ("average", "learned", "backward", "backward_paper", "forgetting")
"""See `continual.summary`."""
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
            row[name], row[f"{name}_low"], row[f"{name}_high"] = stats.interval(own[f"test_{name}"])
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
            effect, low, high = stats.interval(own["difference"])
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
        rows.append((*names, *stats.interval(own["gain"]), len(own)))
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
    effect, low, high = stats.interval(values)
    row = {"claim": 4, "comparison": comparison, "on": on, "unit": unit, "effect": effect, "low": low, "high": high}
    return row | {"interval_over": over, "datasets": datasets, "seeds": seeds}


WORDS = {
    "forgetting": ("KAN forgets more", "KAN forgets less"),
    "average": ("KAN knows more", "KAN knows less"),
    "average at equal learning": ("KAN keeps more", "KAN keeps less"),
}


def claims(table: pandas.DataFrame, best: pandas.DataFrame, peaks: pandas.DataFrame) -> pandas.DataFrame:
    """What the study says of claim 4 of protocol.md (KAN forgets more), in the columns of `effects.claims`.

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


def _with_interval(row: pandas.Series, name: str, digits: int = 1) -> str:
    ends = ("low", "high") if name in ("effect", "gain") else (f"{name}_low", f"{name}_high")
    low, high = (row[end] for end in ends)
    sign = "+" if name in ("effect", "gain") else ""
    return f"{row[name]:{sign}.{digits}f} [{low:{sign}.{digits}f}, {high:{sign}.{digits}f}]"


def answer(claim: pandas.DataFrame, table: pandas.DataFrame, gain: pandas.DataFrame, peaks: pandas.DataFrame) -> Markdown:
    """Does KAN forget more, when, why, and does a remedy help it more than an MLP? From the tables `claims`, `summary`,
    `remedies` and the `summary` of the peaks."""
    lines = ["**Does KAN forget more?** Points of accuracy, KAN minus MLP (relu), naive training:"]
    for measure, own in claim[claim["unit"] == "points"].groupby("comparison", sort=False):
        said = [f"{row['on']} {_with_interval(row, 'effect')}, {row['verdict']}" for _, row in own.iterrows()]
        lines.append(f"- {measure.split(', ')[1]}: {'; '.join(said)}.")
    naive = table[(table["strategy"] == "naive") & (table["optimizer_state"] == "carried")]
    lines.append("\n**When?** Just learned, and left after the last task (%):")
    for names, own in naive.groupby(PLACE, sort=False):
        said = [f"{r['network']} {r['learned']:.0f} → {r['average']:.0f}" for _, r in own.iterrows()]
        lines.append(f"- {names[0]}, {names[1]}: {', '.join(said)}.")
    flat = peaks[peaks["stream_name"].str.contains("peaks")]
    lines.append("\n**Why?** Two tasks share this much of the knots in use (0: none, 1: all), and the error grows by:")
    for dataset, own in flat[flat["method"] == "LBFGS"].groupby("dataset", sort=False):
        for _, row in own.iterrows():
            knots = "no knots" if numpy.isnan(row["overlap"]) else f"knots shared {row['overlap']:.2f}"
            lines.append(f"- {dataset}, {row['network']}: {knots}; error {row['learned']:.2g} → {row['average']:.2g}.")
    kan = naive[naive["network"] == "KAN"]
    lines.append(
        f"- On classes and permuted inputs KAN's tasks share {kan['overlap'].min():.2f} to {kan['overlap'].max():.2f} of their "
        "knots."
    )
    lines.append(
        "\n**Does a remedy help KAN more than MLP?** Points that it adds to the average for KAN, beyond what it adds for MLP:"
    )
    for names, own in gain[gain["network"] == " − ".join(PAIR)].groupby(PLACE, sort=False):
        said = []
        for _, row in own.iterrows():
            who = "more for KAN" if row["low"] > 0 else "less for KAN" if row["high"] < 0 else "no difference shown"
            said.append(f"{row['strategy']} {_with_interval(row, 'gain')} ({who})")
        lines.append(f"- {names[0]}, {names[1]}: {'; '.join(said)}.")
    return Markdown("\n".join(lines))
