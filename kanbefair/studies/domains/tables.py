"""The columns of the tables of the five domains, and of the verdict on all of them."""

from kanbefair.report.columns import Column, declare
from kanbefair.report.shared_columns import DATASET, DOMAIN, GAIN, METRIC, MODEL, RUNS, SCORE, VERDICT, interval

declare("{symbolic,tabular,vision,text,audio}_runs", "a run", RUNS)
declare(
    "{symbolic,tabular,vision,text,audio}_matched",
    "a dataset, a kind of budget and one of four budgets (`statistics.matched`)",
    DATASET,
    METRIC,
    Column("budget", "what both models have equally much of: parameters, live_parameters or flops"),
    Column("at", "how much of it", "that of `budget`"),
    Column("{KAN,MLP}", "test score of the best choice within the budget, mean over seeds", SCORE),
    Column("{KAN,MLP}_{low,high}", "ends of the 95 % interval of that score over seeds", SCORE),
    Column("gain", "gain of KAN over MLP, mean over seeds, positive where KAN is better", GAIN),
    interval("gain over seeds", GAIN, "gain_low", "gain_high"),
    Column("train_{KAN,MLP}", "metric of the same runs on the training part, mean over seeds", SCORE),
    Column("no_score_{KAN,MLP}", "seeds of which the model has no score within the budget; with one there is no mean", "seeds"),
    Column("at_chance_{KAN,MLP}", "seeds of which the chosen run is at chance", "seeds"),
)
declare("{symbolic,tabular,vision,text,audio}_verdict", "a kind of budget (`statistics.verdict`)", VERDICT)
declare("verdict", "a domain and a kind of budget (`statistics.verdict`)", VERDICT)
declare("verdict_flops", "a domain and a definition of FLOPs (`statistics.verdict`)", VERDICT)
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
    Column("no_score", "pairs of dataset and seed of which no run of the model has a score, left out of the mean", "pairs"),
    Column("at_chance", "pairs of dataset and seed of which the chosen run is at chance; empty where it is not said", "pairs"),
)
