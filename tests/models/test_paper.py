from argparse import Namespace

import pytest
import torch
from helpers import generators
from torch import nn

from kanbefair.errors import InputError
from kanbefair.models import MLP, KANbeFair, KANbeFair_Text, MLP_Text

SPLINE = {"kan_bspline_grid": 4, "kan_bspline_order": 3, "kan_grid_range": [-1, 1]}


def args(**fields):
    return Namespace(**({"input_size": 5, "layers_width": [3, 4], "output_size": 2} | fields))


def test_the_papers_snippet():
    kan = KANbeFair(
        Namespace(
            input_size=28 * 28,
            layers_width=[10, 10],
            output_size=10,
            kan_bspline_grid=20,
            kan_bspline_order=5,
            kan_shortcut_function=torch.nn.SiLU(),
            kan_grid_range=[-1, 1],
        )
    )
    assert (kan.total_parameters(), kan.total_flops()) == (225150, 10198740)
    mlp = MLP(Namespace(input_size=28 * 28, layers_width=[10, 10], output_size=10, batch_norm=False, activation=torch.nn.ReLU))
    assert (mlp.total_parameters(), mlp.total_flops()) == (8070, 16110)
    assert kan(torch.randn(4, 784)).shape == mlp(torch.randn(4, 784)).shape == (4, 10)


@pytest.mark.parametrize("given", [{"activation": nn.Tanh}, {"activation": nn.Tanh()}, {"activation_name": "tanh"}])
def test_an_activation_is_a_class_a_module_or_a_name(given):
    assert MLP(args(batch_norm=False, **given)).shape().activation == "tanh"


@pytest.mark.parametrize(
    "given",
    [
        {"kan_shortcut_function": nn.Identity()},
        {"kan_shortcut_function": "identity"},
        {"kan_shortcut_name": "identity"},
    ],
)
def test_a_shortcut_is_a_module_or_a_name(given):
    assert KANbeFair(args(**SPLINE, **given)).shape().shortcut == "identity"


@pytest.mark.parametrize(
    "make",
    [
        lambda: MLP(args(batch_norm=False, activation=nn.GLU())),
        lambda: MLP(args(batch_norm=False, activation="softmax")),
        lambda: KANbeFair(args(**SPLINE, kan_shortcut_function=nn.ReLU())),
    ],
)
def test_an_unknown_function_is_refused(make):
    with pytest.raises(InputError, match="unknown function .*; give one of .*identity"):
        make()


def test_a_single_network_obeys_the_global_seed():
    def first_weight(seed):
        torch.manual_seed(seed)
        return KANbeFair(args(**SPLINE)).layers[0].coefficients

    assert torch.equal(first_weight(1), first_weight(1))
    assert not torch.equal(first_weight(1), first_weight(2))


def test_a_text_network_is_an_embedding_bag_and_its_vector_twin():
    tokens = torch.tensor([[4, 2, 2, -1], [0, -1, -1, -1]], dtype=torch.int32)
    text = MLP_Text(args(input_size=9, batch_norm=False, activation="tanh"))
    text.reset(generators([7]))
    torch.manual_seed(7)
    bag = nn.EmbeddingBag(9, 3, mode="mean")
    plain = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    expected = plain(bag(torch.tensor([4, 2, 2, 0]), torch.tensor([0, 3])))
    torch.testing.assert_close(text(tokens), expected)
    single = KANbeFair_Text(args(input_size=9, **SPLINE))
    assert single(tokens).shape == (2, 2)
    assert single.total_parameters() == KANbeFair(args(input_size=3, layers_width=[3, 4], **SPLINE)).total_parameters()
