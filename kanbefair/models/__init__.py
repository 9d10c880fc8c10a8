"""The networks of the comparison: bases, layers, one file per family, how they count, and the size that meets a budget.

Read basis, layers, plain_splines, spline_layers, counting, networks, then the families: kan, mlp, spline_mlp, lookup_table.
"""

from kanbefair.models import kan, lookup_table, mlp, spline_mlp
from kanbefair.models.counting import LayerCount, Shape, count
from kanbefair.models.matching import Match, match
from kanbefair.models.networks import Network, build, network, register
from kanbefair.models.paper import (
    MLP,
    BSpline_First_MLP,
    BSpline_First_MLP_Text,
    BSpline_MLP,
    BSpline_MLP_Text,
    KANbeFair,
    KANbeFair_Text,
    MLP_Text,
)

__all__ = [
    "MLP",
    "BSpline_First_MLP",
    "BSpline_First_MLP_Text",
    "BSpline_MLP",
    "BSpline_MLP_Text",
    "KANbeFair",
    "KANbeFair_Text",
    "LayerCount",
    "MLP_Text",
    "Match",
    "Network",
    "Shape",
    "build",
    "count",
    "kan",
    "lookup_table",
    "match",
    "mlp",
    "network",
    "register",
    "spline_mlp",
]
