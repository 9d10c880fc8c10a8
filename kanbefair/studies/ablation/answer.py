"""The ablation's effects in words."""

import math
from collections.abc import Iterator

import pandas
from IPython.display import Markdown

from kanbefair.studies.ablation.effects import RATIO, SURE


def answer(effects: pandas.DataFrame) -> Markdown:
    """Which single change gives an MLP the result of KAN, and a KAN that of the MLP, from the table `effects`."""
    lines = []
    for group, own in effects.groupby("group", sort=False):
        for base, other in (("MLP", "KAN"), ("KAN", "MLP")):
            rows = own[own["base"] == base]
            single = rows[rows["factor"] != "everything"]
            if len(single) == len(rows):
                lines.append(f"- **{group}, from {base}**: {other} in its place has no score to compare with.")
            for _, whole in rows[rows["factor"] == "everything"].iterrows():
                lines.append(f"- **{group}, from {base}**: {other} in its place gives {size(whole)}{_nearest(whole, single)}.")
            lines += _sure(single)
            lines += [f"  - {remark}." for remark in rows["remark"].dropna().unique()]
    return Markdown("\n".join(lines))


def size(row: pandas.Series) -> str:
    """An effect with its interval: a factor of the error, or points of accuracy."""
    values = [row[name] for name in ("effect", "low", "high")]
    if row["unit"] != RATIO:
        return "{:+.1f} points [{:+.1f}, {:+.1f}]".format(*values)
    sign = 1 if row["effect"] > 0 else -1
    factor, *ends = (10 ** (sign * value) for value in values)
    low, high = sorted(ends)
    return f"error {'divided by' if sign > 0 else 'times'} {factor:.2g} [{low:.2g}, {high:.2g}]"


def _nearest(whole: pandas.Series, single: pandas.DataFrame) -> str:
    """The single change whose effect comes nearest to that of the other network, where the two networks differ."""
    if not math.isnan(whole["share"]) and len(single):
        best = single.loc[(single["share"] - 1).abs().idxmin()]
        return (
            f". The single change that comes nearest to it is *{best['change']}*: {size(best)}, {best['share']:.0%} of the way"
        )
    over = f"; whether the two differ is undecided over {whole['interval_over']}s"
    if whole["interval_over"] == "seed":
        return over
    seeds = whole.drop(["low", "high"]).rename({"seed_low": "low", "seed_high": "high"})
    return f"{over} (on these {whole['datasets']} datasets, over seeds: {size(seeds)})"


def _sure(single: pandas.DataFrame) -> Iterator[str]:
    """The changes that certainly help and those that certainly harm, all single changes being tested together."""
    sure = single[single["holm"] < SURE]
    for words, own in (("help", sure[sure["effect"] > 0]), ("harm", sure[sure["effect"] < 0])):
        named = "; ".join(f"*{row['change']}* ({size(row)})" for _, row in own.iterrows())
        yield f"  - Changes that surely {words} (Holm's test of all single changes): {named or 'none'}."
