"""The columns of the tables of the five domains, of the verdict on all of them, and of counting."""

from kanbefair.report.columns import Column, declare
from kanbefair.report.shared_columns import COUNTS, DATASET, DOMAIN, GAIN, METRIC, MODEL, RUNS, SCORE, VERDICT, interval, named

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

WIDTH = Column("width", "width of the only hidden layer", "units")
SHORTCUT = Column("shortcut", "function of a KAN's shortcut: silu or zero (none)")

declare(
    "counting",
    "a model and a budget, with the network of one hidden layer that comes nearest to it",
    MODEL,
    Column("budget", "parameters that are asked for, by the paper's formula", "values"),
    WIDTH,
    Column("ratio", "parameters over the budget"),
    COUNTS,
)
declare(
    "counting_checks",
    "a network of widths 784, 10, 10, 10",
    MODEL,
    SHORTCUT,
    Column("batch_norm", "whether an MLP has batch normalisation"),
    Column("formula_live", "values that are trained, by formula", "values"),
    Column("live", "values that are trained, counted from the network's own layers", "values"),
    Column("matmul", "FLOPs of the matrix products for one row of input, by PyTorch's counter", "FLOPs"),
    named(COUNTS, "parameters", "flops", "flops_shared", "flops_local"),
)
declare(
    "counting_excess",
    "a network of `counting_checks`",
    MODEL,
    SHORTCUT,
    Column("excess", "parameters by the paper's formula beyond those that are trained", "values"),
    Column("percent", "the same as a share of those that are trained", "percent"),
)
declare(
    "counting_ratios",
    "a KAN of one hidden layer on 784 inputs",
    WIDTH,
    Column("grid", "number of grid intervals G", "intervals"),
    Column("order", "polynomial order K"),
    Column("over_shared", "flops over flops_shared: the paper's formula over bases computed once an input"),
    Column("over_local", "flops over flops_local: the paper's formula over non-zero bases in closed form"),
)
declare(
    "spline_layer",
    "a point of the picture of one spline layer (`layer_picture.spline_layer`)",
    Column("part", "what it is a point of: knot, basis, marked (a basis that is not zero at the marked x), or edge"),
    Column(
        "name",
        "of a knot: grid or extension; of a basis: its number from 1 to G+K; of an edge: shortcut (base weight times it), "
        "spline (scale times it) or sum",
    ),
    Column("x", "input of the layer"),
    Column("y", "value there: of the basis or of the part of the edge; 0 for a knot"),
)
