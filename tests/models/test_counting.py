import math

import numpy
import pytest
import torch

from kanbefair import models
from kanbefair.errors import InputError
from kanbefair.models import Shape, count, match, networks
from kanbefair.models.counting import COUNTS, live_parameters, matmul_flops
from kanbefair.specs import ACTIVATIONS, SHORTCUTS
from kanbefair.studies.released import rows as released_rows

SIZES = {
    "Bank": (16, 2),
    "Bean": (16, 7),
    "Income": (14, 2),
    "Rice": (7, 2),
    "Spam": (57, 2),
    "Wine": (11, 7),
    "FMNIST": (784, 10),
}
"""Inputs and outputs of the datasets of the released rows; those not named are functions of two variables."""
SPLINE = {"grid": 20, "order": 5}
SHAPES = [
    *(Shape(family="KAN", widths=(6, 4, 3, 2), grid=5, order=3, shortcut=shortcut) for shortcut in SHORTCUTS),
    *(
        Shape(family="MLP", widths=(6, 4, 3, 2), activation=activation, batch_norm=norm)
        for activation in ACTIVATIONS
        for norm in (False, True)
    ),
    *(
        Shape(family=family, widths=(6, 4, 3, 2), grid=4, order=2, batch_norm=norm)
        for family in ("BSpline_MLP", "BSpline_First_MLP")
        for norm in (False, True)
    ),
    *(
        Shape(family=family, widths=(6, 4, 3, 2), layer_norm=norm)
        for family in ("RBF_KAN", "Chebyshev_KAN", "Rational_KAN")
        for norm in (False, True)
    ),
]


def test_the_papers_example():
    kan = count(Shape(family="KAN", widths=(784, 10, 10, 10), shortcut="silu", **SPLINE))
    mlp = count(Shape(family="MLP", widths=(784, 10, 10, 10), activation="relu"))
    assert (kan.parameters, kan.flops) == (225150, 10198740)
    assert (mlp.parameters, mlp.flops) == (8070, 16110)


@pytest.mark.parametrize(
    ("shape", "parameters", "flops"),
    [
        # 3 -> 2 -> 1, worked by hand from docs/protocol.md; the spline term 9K(G+1.5K)+2G-2.5K+1 is 34 for G=2, K=1
        (Shape(family="KAN", widths=(3, 2, 1), grid=2, order=1, shortcut="zero"), 6 * 5 + 2 + 2 * 5 + 1, 8 * 34),
        (Shape(family="KAN", widths=(3, 2, 1), grid=2, order=1, shortcut="identity"), 6 * 6 + 2 + 2 * 6 + 1, 8 * 34 + 16),
        (Shape(family="KAN", widths=(3, 2, 1), grid=2, order=1, shortcut="silu"), 51, 8 * 34 + 16 + 5 * 5),
        (Shape(family="MLP", widths=(3, 2, 1), activation="gelu"), 11, 12 + 28 + 4 + 14),
        (Shape(family="MLP", widths=(3, 2, 1), activation="gelu", batch_norm=True), 11 + 6, 58 + 12),
        (Shape(family="BSpline_MLP", widths=(3, 2, 1), grid=2, order=1), 8 + 6 + 3 + 3, 12 + 2 * 32 + 4 + 32),
        (Shape(family="BSpline_First_MLP", widths=(3, 2, 1), grid=2, order=1), 8 + 9 + 3 + 6, 12 + 3 * 32 + 4 + 2 * 32),
        (Shape(family="BSpline_MLP", widths=(3, 2, 1), grid=2, order=1, batch_norm=True), 20 + 6, 112 + 12),
    ],
)
def test_formulas_worked_by_hand(shape, parameters, flops):
    counts = count(shape)
    assert (counts.parameters, counts.flops) == (parameters, flops)


def differ(table):
    """The released rows whose parameters or FLOPs are not what is counted here."""
    found = []
    for row in table.itertuples():
        inputs, outputs = SIZES.get(row.dataset, (2, 1))
        widths = (inputs, *map(int, str(row.widths).split("_")), outputs)
        if row.model == "KAN":
            own = {"grid": int(row.grid), "order": int(row.order), "shortcut": row.shortcut}
        else:
            own = {"activation": row.activation}
        counts = count(Shape(family=row.model, widths=widths, **own))
        if (counts.parameters, counts.flops) != (row.parameters, row.flops):
            found.append((row.Index, counts.parameters, row.parameters, counts.flops, row.flops))
    return found


def test_every_quoted_row():
    quoted = released_rows.quoted()
    assert quoted.groupby("model").size().to_dict() == {"KAN": 38, "MLP": 12}
    assert differ(quoted) == []
    assert len(differ(quoted.assign(parameters=quoted["parameters"] + 1))) == len(quoted)
    assert len(differ(quoted.assign(flops=quoted["flops"] + 1))) == len(quoted)


def test_every_released_row(published_rows):
    assert len(published_rows) > 6000
    assert differ(published_rows) == []


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_live_count_is_what_receives_a_gradient(shape):
    network = models.network(shape)
    network(torch.randn(8, 6)).square().sum().backward()
    reached = sum(p.numel() for p in network.parameters() if p.grad is not None)
    assert count(shape).live_parameters == live_parameters(network) == reached


def test_a_stack_counts_as_one_run(toy):
    from kanbefair.specs import RunSpec

    specs = [RunSpec(dataset="toy", model="KAN", widths=(3,), seed=seed) for seed in range(5)]
    stack = models.build(specs, toy())
    assert live_parameters(stack) == live_parameters(models.build(specs[:1], toy()))


def test_embeddings_are_live_but_not_in_the_papers_count(toy):
    from kanbefair.specs import RunSpec

    network = models.build([RunSpec(dataset="toy", model="MLP", widths=(3,))], toy("text"))
    assert live_parameters(network) - count(network.shape()).live_parameters == 10 * 3


@pytest.mark.parametrize("rows", [2, 7])
def test_matrix_products_agree_with_torchs_counter(rows):
    x = torch.zeros(rows, 6)
    mlp = Shape(family="MLP", widths=(6, 4, 3, 2), activation="relu")
    products = 6 * 4 + 4 * 3 + 3 * 2
    plain = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Linear(4, 3), torch.nn.Linear(3, 2))
    assert matmul_flops(models.network(mlp), x) == matmul_flops(plain, x) == 2 * products * rows
    # the paper charges the matrix products and, per output, the activation
    assert count(mlp).flops * rows == matmul_flops(models.network(mlp), x) + (4 + 3 + 2) * rows
    for family in ("BSpline_MLP", "BSpline_First_MLP"):
        assert (
            matmul_flops(models.network(Shape(family=family, widths=(6, 4, 3, 2), grid=4, order=2)), x) == 2 * products * rows
        )


@pytest.mark.parametrize("widths", [(2, 1), (1, 3)])
@pytest.mark.parametrize("family", networks.FAMILIES)
def test_the_matrix_products_of_many_rows_and_runs_are_those_of_one_times_their_number(family, widths):
    shape = Shape(family=family, widths=widths, grid=4, order=2, shortcut="silu", activation="relu")
    edges = widths[0] * widths[1]
    by_hand = {
        "KAN": edges * (4 + 2 + 1),
        "LocalBasis": (4 + 2) ** widths[0] * widths[1],
        "RBF_KAN": edges * (8 + 1),
        "Chebyshev_KAN": edges * (4 + 1),
    }.get(family, edges)
    alone, stack = models.network(shape), networks.FAMILIES[family]([shape] * 3)
    for rows in (1, 2, 7):
        assert matmul_flops(alone, torch.zeros(rows, widths[0])) == 2 * by_hand * rows
        assert matmul_flops(stack, torch.zeros(rows, widths[0])) == 2 * by_hand * rows * 3


@pytest.mark.parametrize("shortcut", SHORTCUTS)
def test_a_kans_matrix_products_are_within_its_flops(shortcut):
    shape = Shape(family="KAN", widths=(6, 4, 3, 2), grid=5, order=3, shortcut=shortcut)
    assert matmul_flops(models.network(shape), torch.zeros(1, 6)) < count(shape).flops_shared < count(shape).flops


def test_shared_and_local_flops_worked_by_hand():
    # G=2, K=1: bases 9·1·(2+1.5-0.5)=27 shared, 4+2·1·2=8 local; an edge sums 2·3+1=7, or 2·2+1=5
    kan = count(Shape(family="KAN", widths=(3, 2), grid=2, order=1, shortcut="silu"))
    assert kan.flops_shared == 3 * 27 + 6 * 7 + 3 * 5 + 12
    assert kan.flops_local == 3 * 8 + 6 * 5 + 3 * 5 + 12
    mlp = count(Shape(family="MLP", widths=(3, 2, 1), activation="relu", batch_norm=True))
    assert mlp.flops_shared == mlp.flops_local == 12 + 2 + 8 + 4


def test_how_far_the_definitions_part_on_the_papers_grid():
    counts = [
        count(Shape(family="KAN", widths=(784, width, 10), grid=grid, order=order, shortcut="silu"))
        for width in (2, 4, 8, 16)
        for grid in (3, 5, 10, 20)
        for order in (2, 3, 5)
    ]
    shared = [c.flops / c.flops_shared for c in counts]
    local = [c.flops / c.flops_local for c in counts]
    assert 1.7 < min(shared) < 2
    assert 9 < max(shared) < 12
    assert 3 < min(local) < 7
    assert 50 < max(local) < 70


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sharing_never_costs_more(shape):
    counts = count(shape)
    assert counts.flops_local <= counts.flops_shared <= counts.flops


FAMILIES = [
    ("MLP", {"activation": "gelu"}),
    ("KAN", {"grid": 5, "order": 3, "shortcut": "silu"}),
    ("BSpline_MLP", {"grid": 10, "order": 5}),
    ("BSpline_First_MLP", {"grid": 3, "order": 2}),
]


@pytest.mark.parametrize("vary", ["width", "depth", "grid"])
@pytest.mark.parametrize(("family", "fields"), FAMILIES)
@pytest.mark.parametrize("kind", COUNTS)
def test_match_finds_what_trying_all_sizes_finds(kind, family, fields, vary):
    if vary == "grid":
        if "grid" not in fields or kind == "flops_local":
            with pytest.raises(InputError, match="do not grow with the grid"):
                match(1000, kind, family, input_size=6, output_size=3, vary=vary, **fields)
            return
        fields = {name: value for name, value in fields.items() if name != "grid"}
    sizes = range(1, 90)

    def value(size):
        width, depth = (size if vary == "width" else 4), (size if vary == "depth" else 2)
        own = fields | ({"grid": size} if vary == "grid" else {})
        return getattr(count(Shape(family=family, widths=(6, *[width] * depth, 3), **own)), kind)

    values = numpy.array([value(size) for size in sizes])
    for budget in numpy.geomspace(values[0], values[70], 9) * 1.03:
        found = match(budget, kind, family, input_size=6, output_size=3, vary=vary, width=4, depth=2, **fields)
        nearest = values[numpy.abs(numpy.log(values / budget)).argmin()]
        assert abs(math.log(found.ratio)) == pytest.approx(abs(math.log(nearest / budget)))
        assert found.count == getattr(count(found.shape), kind)
        assert found.ratio == found.count / budget


def test_match_meets_the_papers_mlp_and_says_how_near_it_comes():
    found = match(8070, "parameters", "MLP", input_size=784, output_size=10, depth=2, activation="relu")
    assert found.shape.widths == (784, 10, 10, 10)
    assert found.ratio == 1
    smallest = match(5, "parameters", "MLP", input_size=784, output_size=10, activation="relu", tolerance=None)
    assert smallest.shape.widths == (784, 1, 10)
    assert smallest.ratio == 805 / 5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"budget": 0}, "budget is 0"),
        ({"budget": -4}, "budget is -4"),
        ({"budget": math.nan}, "budget is nan"),
        ({"budget": math.inf}, "budget is inf"),
        ({"kind": "flop"}, "unknown count 'flop'; did you mean 'flops'"),
        ({"family": "KAM"}, "unknown family 'KAM'; did you mean 'KAN'"),
        ({"vary": "widths"}, "unknown size to vary 'widths'; did you mean 'width'"),
    ],
)
def test_match_refuses_what_it_does_not_know(change, words):
    good = {"budget": 100, "kind": "flops", "family": "MLP", "input_size": 3, "output_size": 2, "activation": "relu"}
    with pytest.raises(InputError, match=words.replace("?", ".")):
        match(**(good | change))


KAN_FIELDS = {"grid": 5, "order": 3, "shortcut": "silu"}


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (Shape(family="CNN", widths=(3, 2)), "unknown family 'CNN'"),
        (Shape(family=None, widths=(3, 2)), "unknown family 'None'"),
        (Shape(family="KAN", widths=(2, 3)), "KAN needs 'grid'; give it, as in grid=5"),
        (Shape(family="KAN", widths=(2, 3), grid=5, order=3), "KAN needs 'shortcut'; give it, as in shortcut='silu'"),
        (Shape(family="BSpline_MLP", widths=(2, 3), grid=5), "BSpline_MLP needs 'order'; give it, as in order=3"),
        (Shape(family="MLP", widths=(2, 3)), "MLP needs 'activation'; give it, as in activation='relu'"),
        (Shape(family="MLP", widths=(2, 3), activation="rely"), "unknown activation 'rely'; did you mean 'relu'"),
        (Shape(family="MLP", widths=(2, 3), activation="relu", batch_norm=None), "MLP needs 'batch_norm'"),
        (Shape(family="MLP", widths=(2, 3), activation="relu", batch_norm="no"), "batch_norm is 'no'; it must be True or"),
        (
            Shape(family="KAN", widths=(2, 3), **(KAN_FIELDS | {"shortcut": "sulu"})),
            "unknown shortcut 'sulu'; did you mean 'silu'",
        ),
        (
            Shape(family="KAN", widths=(2, 3), **(KAN_FIELDS | {"grid": 0})),
            "grid is 0; it must be a whole number of at least 1",
        ),
        (Shape(family="KAN", widths=(2, 3), **(KAN_FIELDS | {"order": 2.5})), "order is 2.5; it must be a whole number"),
        (
            Shape(family="KAN", widths=(2, 3), without=("sacle",), **KAN_FIELDS),
            "unknown part to leave out 'sacle'; did you mean",
        ),
        (Shape(family="KAN", widths=(2, 3), without="bias", **KAN_FIELDS), "without is 'bias'; it must be a list or a tuple"),
        (Shape(family="KAN", widths=(2, 0, 3), **KAN_FIELDS), "layer width is 0; it must be a whole number of at least 1"),
        (Shape(family="KAN", widths=(2, "3"), **KAN_FIELDS), "layer width is '3'; it must be a whole number"),
        (Shape(family="KAN", widths=(2,), **KAN_FIELDS), r"widths is \[2\]; give at least the number of inputs and"),
        (Shape(family="KAN", widths=5, **KAN_FIELDS), "widths is 5; it must be a list or a tuple"),
        (Shape(family="KAN", widths=(2, 3), vocabulary=0, **KAN_FIELDS), "vocabulary is 0; it must be a whole number"),
    ],
    ids=repr,
)
def test_a_shape_that_lacks_what_its_family_reads_is_not_counted(shape, words):
    with pytest.raises(InputError, match=words):
        models.count(shape)
