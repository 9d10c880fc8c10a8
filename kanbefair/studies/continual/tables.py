"""The columns of the tables of continual learning, and of the claims of all studies."""

from kanbefair.report.columns import Column, declare
from kanbefair.report.shared_columns import (
    CLAIM,
    COUNTS,
    DATASET,
    LIVE,
    LR,
    METRIC,
    NARROW,
    PROVENANCE,
    RECORD,
    SCORE,
    SEEDS,
    SPEC,
    TASK,
    interval,
    over_seeds,
)

CHANGE = "points, or the target's unit, by `metric`"
PLACE = (DATASET, Column("stream_name", "stream of tasks, in words"))
KIND = (
    Column("strategy", "what is done against forgetting: naive (nothing), joint, replay, ewc or knots"),
    Column("optimizer_state", "the optimiser's memory from task to task: carried or reset"),
)
NETWORK = Column("network", "network, as the study names it")
REMEDY = (
    Column("strength", "strength of the pull to earlier parameters (ewc and knots)", optional=True),
    Column("buffer", "rows of earlier tasks that are trained on again (replay)", "rows", optional=True),
)
LOST = Column("lost", "runs without a score, as they diverged or failed; they are in no mean", "runs")
OVERLAP = Column("overlap", "share of their knots that two tasks use alike, mean over pairs; empty without splines")

MEANINGS = {
    "average": ("metric after the last task, mean over tasks", SCORE),
    "learned": ("metric on each task when it has just been trained on, mean over tasks", SCORE),
    "backward": ("backward transfer: what tasks but the last gained since they were learned, their mean", CHANGE),
    "backward_paper": ("the same sum divided by the number of all tasks, as in the paper", CHANGE),
    "forgetting": ("what was lost since it was known best, mean over tasks but the last", CHANGE),
}
"""Of what the matrix R of a run says (`training.continual.metrics.summary`); for errors losses count as positive, too."""

declare(
    "{continual,peaks}_runs",
    "a run over a stream of tasks",
    SPEC,
    RECORD,
    Column("stream", "kind of stream: classes, permuted or peaks"),
    Column("groups", "classes of each task, tasks apart by |", optional=True),
    Column("tasks", "number of tasks of a permuted stream", "tasks", optional=True),
    PLACE[1],
    KIND,
    REMEDY,
    Column("grid_update", "whether grids are laid anew over the rows of each task"),
    (Column(f"{{valid,test}}_{name}", f"on that part: {words}", unit) for name, (words, unit) in MEANINGS.items()),
    Column("test_{1,2,…}_{1,2,…}", "test metric after the task of the first number on the task of the second", SCORE),
    OVERLAP,
    TASK,
    COUNTS,
    PROVENANCE,
)
declare(
    "{continual,peaks}_summary",
    "a network, stream, strategy and optimiser, at the learning rate and strength that validation chooses",
    PLACE,
    KIND,
    Column("method", "optimiser; on the peaks with what becomes of its memory"),
    NETWORK,
    METRIC,
    LR,
    REMEDY,
    LIVE,
    OVERLAP,
    SEEDS,
    (Column(name, f"test part, mean over seeds: {words}", unit) for name, (words, unit) in MEANINGS.items()),
    (column for name, (_, unit) in MEANINGS.items() for column in interval(name, unit, f"{name}_low", f"{name}_high")),
    Column("at_chance", "runs of the chosen setting that are at chance", "runs"),
    LOST,
)
declare(
    "continual_matrices",
    "a cell of the matrix R of a network, stream and strategy, mean over seeds",
    PLACE,
    NETWORK,
    KIND[0],
    METRIC,
    Column("after", "number of the task that was trained on last, from 1"),
    Column("on", "number of the task that is tested, from 1"),
    Column("value", "test metric", SCORE),
)
declare(
    "continual_plasticity",
    "a network, stream and learning rate under naive training",
    PLACE,
    NETWORK,
    LR,
    *(Column(f"test_{name}", f"mean over seeds: {MEANINGS[name][0]}", "percent") for name in ("learned", "average")),
    Column("at_chance", "runs that are at chance", "runs"),
    LOST,
)
declare(
    "continual_gaps",
    "a stream, strategy, optimiser state and measure",
    PLACE,
    KIND,
    Column("measure", "what is compared: forgetting, average or learned"),
    Column("effect", "KAN minus MLP (relu), seed by seed, their mean", "points"),
    interval("effect over seeds", "points"),
    SEEDS,
)
declare(
    "continual_remedies",
    "a stream, strategy and network",
    PLACE,
    KIND[0],
    Column("network", "network, as the study names it; KAN − MLP relu: how much more the strategy adds for KAN"),
    Column("gain", "what the strategy adds to the average after the last task over naive training", "points"),
    interval("gain over seeds", "points"),
    NARROW,
    SEEDS,
)
declare(
    "peaks_pictures",
    "a point of what a network of one input says, for the first seed",
    NETWORK,
    Column("after", "number of the task that was trained on last, from 1"),
    Column("x", "input"),
    Column("y", "output"),
)
declare("continual_claims", "a comparison on a stream, or on several", CLAIM)
declare("claims", "a row of `ablation_claims` or `continual_claims`", CLAIM, over_seeds(optional=True))
