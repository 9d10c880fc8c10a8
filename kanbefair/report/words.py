"""Results in words."""

import pandas
from IPython.display import Markdown

EQUAL = {
    "parameters": "equal parameters",
    "flops": "equal FLOPs",
    "stack_seconds": "equal time in a stack",
    "alone_seconds": "equal time alone",
}
"""Budgets in words."""


def sentences(verdict: pandas.DataFrame) -> Markdown:
    """The verdict table in words."""
    lines = []
    for _, row in verdict.iterrows():
        budget = EQUAL[row["budget"]]
        who = "**a tie**" if row["winner"] == "tie" else f"**{row['winner']}** wins"
        if row["metric"] == "mae":
            low, gain, high = (f"{10 ** row[name]:.2g}" for name in ("low", "gain", "high"))
            size = f"the MLP's error is {gain} times KAN's [{low}, {high}]"
        else:
            size = f"KAN's accuracy minus MLP's is {row['gain']:+.2f} points [{row['low']:+.2f}, {row['high']:+.2f}]"
        over = f"95 % interval over {row['units']} {row['interval_over']}s"
        if row["units"] < 2:
            who, over, size = "**no verdict**", f"one {row['interval_over']}, so no interval", size.split(" [")[0]
        tries = f"{row['tries_KAN']} and {row['tries_MLP']} tries"
        lines.append(f"- {row['domain']}, {budget}: {who}; {size} ({over}; {tries}).")
    return Markdown("\n".join(lines))
