import math

import pytest
import torch
from helpers import RANGES, SEEDS, drawn, inputs
from torch import nn

from kanbefair.models.activations import activation
from kanbefair.models.layers import BatchNorm, Dropout, LayerNorm, Linear, MeanEmbedding
from kanbefair.models.spline_layers import KANLinear, SplineActivation


@pytest.mark.parametrize(("rows", "columns"), [(4, 7), (1, 3), (5, 1), (1, 1), (784, 10)])
def test_linear_is_torchs(rows, columns):
    layer = drawn(Linear(rows, columns, stack=3))
    x = inputs(3, 6, rows)
    (layer(x) ** 2).sum().backward()
    for run, seed in enumerate(SEEDS):
        torch.manual_seed(seed)
        reference = nn.Linear(rows, columns)
        assert torch.equal(layer.weight[run], reference.weight.T)
        assert torch.equal(layer.bias[run], reference.bias)
        y = reference(x[run])
        (y**2).sum().backward()
        torch.testing.assert_close(layer(x)[run], y)
        torch.testing.assert_close(layer.weight.grad[run], reference.weight.grad.T, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(layer.bias.grad[run], reference.bias.grad, rtol=1e-4, atol=1e-5)


def test_a_gain_multiplies_the_weights_alone():
    plain, enlarged = drawn(Linear(4, 3, stack=3)), drawn(Linear(4, 3, stack=3, gain=2.5))
    assert torch.equal(enlarged.weight, plain.weight * 2.5)
    assert torch.equal(enlarged.bias, plain.bias)


def test_layer_norm_is_torchs():
    layer, x = drawn(LayerNorm(5, stack=3)), inputs(3, 6, 5)
    reference = nn.LayerNorm(5)
    torch.testing.assert_close(layer(x), reference(x))
    with torch.no_grad():
        reference.weight.copy_(torch.arange(5.0))
        reference.bias.fill_(0.5)
        layer.weight[1], layer.bias[1] = reference.weight, reference.bias
    torch.testing.assert_close(layer(x)[1], reference(x[1]))
    assert layer.learned(0) == 10


def test_dropout_leaves_out_its_share_and_keeps_the_mean():
    layer, x = drawn(Dropout(0.3, stack=3)), torch.ones(3, 400, 50)
    y = layer(x)
    assert sorted(y.unique().tolist()) == pytest.approx([0, 1 / 0.7])
    assert (y == 0).float().mean((1, 2)).tolist() == pytest.approx([0.3] * 3, abs=0.01)
    assert y.mean().item() == pytest.approx(1, abs=0.01)
    again = layer(x)
    assert not torch.equal(y, again)
    assert len({tuple(run.flatten()[:100].tolist()) for run in (*y, *again)}) == 6
    assert torch.equal(layer.eval()(x), x)


def test_dropout_depends_on_the_run_alone():
    together, alone = Dropout(0.5, stack=3), Dropout(0.5)
    for run in range(3):
        together.reset_run(run, torch.Generator().manual_seed(run))
    alone.reset_run(0, torch.Generator().manual_seed(2))
    x = inputs(3, 6, 5)
    for _ in range(3):
        assert torch.equal(together(x)[2:], alone(x[2:]))
    state = alone.state_dict()
    expected = alone(x[2:])
    resumed = Dropout(0.5)
    resumed.load_state_dict(state | {"batches": state["batches"] - 1})
    assert torch.equal(resumed(x[2:]), expected)


@pytest.mark.parametrize(
    "make",
    [
        lambda stack: Linear(5, 3, stack=stack),
        lambda stack: KANLinear(5, 3, grid=4, order=3, grid_ranges=RANGES[:stack], shortcut=activation("silu")),
        lambda stack: nn.Sequential(
            Linear(5, 4, stack=stack), SplineActivation(4, grid=4, order=2, grid_ranges=RANGES[:stack])
        ),
    ],
)
def test_shared_inputs_are_the_same_for_every_run(make):
    layer = make(3)
    for module in layer.modules():
        if hasattr(module, "reset_run"):
            drawn(module)
    x = inputs(8, 5)
    assert layer(x).shape[:2] == (3, 8)
    assert torch.equal(layer(x), layer(x.expand(3, 8, 5)))


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_is_torchs(training):
    layer = drawn(BatchNorm(5, stack=3)).train(training)
    references = [nn.BatchNorm1d(5).train(training) for _ in SEEDS]
    with torch.no_grad():
        for run, reference in enumerate(references):
            for name in ("weight", "bias"):
                getattr(reference, name).copy_(inputs(5, seed=run))
                getattr(layer, name)[run] = getattr(reference, name)
    for step in range(3):
        x = inputs(3, 7, 5, seed=step) * 3 + 1
        ys = [reference(x[run]) for run, reference in enumerate(references)]
        torch.testing.assert_close(layer(x), torch.stack(ys), rtol=1e-5, atol=1e-5)
    for run, reference in enumerate(references):
        torch.testing.assert_close(layer.running_mean[run], reference.running_mean)
        torch.testing.assert_close(layer.running_var[run], reference.running_var)


def test_batch_norm_takes_a_batch_of_one_row():
    layer = drawn(BatchNorm(2, stack=3))
    x = inputs(3, 1, 2)
    torch.testing.assert_close(layer(x), x / math.sqrt(1 + 1e-5))


def test_mean_embedding_is_torchs_embedding_bag():
    layer = drawn(MeanEmbedding(9, 4, stack=3))
    texts = [[0, 3, 3], [8], [], [1, 2, 3, 4, 5]]
    tokens = torch.full((4, 6), -1, dtype=torch.int32)
    for row, text in enumerate(texts):
        tokens[row, : len(text)] = torch.tensor(text, dtype=torch.int32)
    flat = torch.tensor([token for text in texts for token in text])
    offsets = torch.tensor([0, 3, 4, 4])
    y = layer(tokens)
    (y**2).sum().backward()
    for run, seed in enumerate(SEEDS):
        torch.manual_seed(seed)
        reference = nn.EmbeddingBag(9, 4, mode="mean")
        assert torch.equal(layer.weight[run], reference.weight)
        expected = reference(flat, offsets)
        (expected**2).sum().backward()
        torch.testing.assert_close(y[run], expected)
        torch.testing.assert_close(layer.weight.grad[run], reference.weight.grad)
    assert (y[:, 2] == 0).all()
    torch.testing.assert_close(layer(tokens.expand(3, 4, 6)), y)
