"""The columns of the tables of counting."""

from kanbefair.report.columns import Column, declare
from kanbefair.report.shared_columns import COUNTS, MODEL, named

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
    "a point of the picture of one spline layer (`design.spline_layer`)",
    Column("part", "what it is a point of: knot, basis, marked (a basis that is not zero at the marked x), or edge"),
    Column(
        "name",
        "of a knot: grid or extension; of a basis: its number from 1 to G+K; of an edge: shortcut (base weight times it), "
        "spline (scale times it) or sum",
    ),
    Column("x", "input of the layer"),
    Column("y", "value there: of the basis or of the part of the edge; 0 for a knot"),
)
