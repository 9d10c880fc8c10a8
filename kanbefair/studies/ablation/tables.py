"""The columns of the tables of the ablation."""

from kanbefair.report.columns import Column, declare
from kanbefair.report.shared_columns import (
    CLAIM,
    DATASET,
    DATASETS,
    DOMAIN,
    INTERVAL_OVER,
    LIVE,
    LR,
    METRIC,
    MODEL,
    NARROW,
    OUTCOME_OF,
    REMARK,
    RUNS,
    SCORE,
    SEED,
    SEEDS,
    interval,
    over_seeds,
)

declare("ablation_runs", "a run", RUNS)
declare(
    "ablation_drawn",
    "a run whose learned splines are drawn",
    RUNS,
    Column("shown", "splines that are kept of each layer, those that vary most", optional=True),
    Column("points", "points at which a spline is kept", "points"),
)
declare(
    "ablation_scores",
    "a dataset, variant, budget and seed, with the learning rate that validation chooses",
    DATASET,
    DOMAIN,
    METRIC,
    Column("variant", "network, named by what differs from the plain MLP or KAN"),
    Column("size", "the budget, named by the width of the KAN whose trained values the variant meets", "units"),
    Column("focus", "whether this is the budget at which all changes are tried"),
    SEED,
    LR,
    Column("widths", "widths of the hidden layers, joined by _", "units"),
    LIVE,
    Column("score", "test metric at the epoch that validation selects", SCORE),
    OUTCOME_OF,
    Column("lost", "learning rates that have no score, as their runs diverged or failed", "runs"),
)
declare(
    "ablation_tops",
    "a dataset of the paper's ablation figure and a model",
    DATASET,
    MODEL,
    Column("paper", "highest point of the paper's curve, read off the figure", "percent"),
    Column("here", "best mean over seeds among the budgets; empty where the dataset was not trained on", "percent"),
    interval("here over seeds", "percent"),
    SEEDS,
    LIVE,
)
declare(
    "ablation_effects",
    "a group of datasets and a change",
    Column("group", "datasets that are put together: symbolic functions or classification"),
    Column("base", "network that is changed: MLP or KAN"),
    Column("factor", "what the change belongs to; everything is the other network in its place"),
    Column("change", "what is changed"),
    Column("unit", "unit of the effect and its intervals"),
    Column("effect", "score with the change minus score without it, positive where it helps", "that of the column `unit`"),
    interval("effect", "that of the column `unit`"),
    NARROW,
    INTERVAL_OVER,
    over_seeds(),
    DATASETS,
    SEEDS,
    Column("p", "two-sided p of a t test of no effect, over the unit of the interval; empty where that has no width or end"),
    Column("holm", "the same for a single change, adjusted for all of them by Holm's method", optional=True),
    Column("share", "effect over that of everything; empty where the two networks do not differ for certain"),
    REMARK,
)
declare(
    "ablation_splines",
    "a point of a learned activation function",
    DATASET,
    MODEL,
    Column("layer", "number of the layer, from 1"),
    Column("edge", "number of the edge or unit of the layer, from 0, those that vary most first"),
    Column("x", "input, on the range of the grid"),
    Column("y", "what the activation function gives there, shortcut included"),
    Column("count", "edges or units of the layer"),
    Column("{low,high}", "quantiles 0.05 and 0.95 of the inputs of the layer on training rows"),
)
declare("ablation_claims", "a comparison on a group of datasets", CLAIM, over_seeds())
