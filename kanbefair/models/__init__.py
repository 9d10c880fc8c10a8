"""The networks of the comparison: bases, layers, one file per family, how they count, and the size that meets a budget.

Read basis, layers, plain_splines, spline_layers, counting, networks, then the families: kan, mlp, spline_mlp, lookup_table,
radial_kan, chebyshev_kan, rational_kan.
"""

from kanbefair.models import chebyshev_kan, kan, lookup_table, mlp, radial_kan, rational_kan, spline_mlp
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
    "chebyshev_kan",
    "count",
    "kan",
    "lookup_table",
    "match",
    "mlp",
    "network",
    "radial_kan",
    "rational_kan",
    "register",
    "spline_mlp",
]
