"""The columns of the tables of the five domains, and of the verdict on all of them."""

from kanbefair.report.columns import Column, declare
from kanbefair.report.shared_columns import DATASET, DOMAIN, GAIN, METRIC, MODEL, RUNS, SCORE, VERDICT, interval

declare("{symbolic,tabular,vision,text,audio}_runs", "a run", RUNS)
declare(
    "{symbolic,tabular,vision,text,audio}_matched",
    "a dataset, a kind of budget and one of four budgets (`statistics.matched`)",
    DATASET,
    METRIC,
    Column("budget", "what both models have equally much of: parameters or flops"),
    Column("at", "how much of it", "that of `budget`"),
    Column("{KAN,MLP}", "test score of the best choice within the budget, mean over seeds", SCORE),
    Column("{KAN,MLP}_{low,high}", "ends of the 95 % interval of that score over seeds", SCORE),
    Column("gain", "gain of KAN over MLP, mean over seeds, positive where KAN is better", GAIN),
    interval("gain over seeds", GAIN, "gain_low", "gain_high"),
)
declare("{symbolic,tabular,vision,text,audio}_verdict", "a kind of budget (`statistics.verdict`)", VERDICT)
declare("verdict", "a domain and a kind of budget (`statistics.verdict`)", VERDICT)
declare(
    "verdict_bars",
    "a domain, source and model (`statistics.beside_published`)",
    DOMAIN,
    Column("source", "whose number it is: paper (its headline figure) or here"),
    MODEL,
    METRIC,
    Column(
        "score", "what the model reaches whatever its size: mean over datasets and seeds, of errors the geometric one", SCORE
    ),
    interval("score over seeds, in rows of the paper score itself", SCORE),
)
