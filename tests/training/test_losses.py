import numpy
import pytest
import torch
from helpers import spec

from kanbefair.errors import InputError
from kanbefair.training import fit
from kanbefair.training.losses import run_losses


@pytest.mark.parametrize("classes", [2, 10, 15, 16, 47])
@pytest.mark.parametrize(("runs", "rows"), [(1, 1), (3, 37), (2, 64)])
def test_the_cross_entropy_of_each_run_by_its_definition(classes, runs, rows):
    generator = torch.Generator().manual_seed(classes)
    logits = torch.randn(runs, rows, classes, generator=generator).requires_grad_()
    y = torch.randint(classes, (rows,), generator=generator)
    passed, layouts = logits * 1, []
    passed.register_hook(lambda gradient: layouts.append(gradient.is_contiguous()))
    losses = run_losses(passed, y, "cross_entropy")
    losses.sum().backward()
    assert layouts == [True], "products with it would be summed in another order"
    shares = numpy.exp(logits.detach().double().numpy())
    shares /= shares.sum(-1, keepdims=True)
    hit = numpy.eye(classes)[y]
    numpy.testing.assert_allclose(losses.detach(), -numpy.log((shares * hit).sum(-1)).mean(1), rtol=1e-6)
    numpy.testing.assert_allclose(logits.grad, (shares - hit) / rows, rtol=2e-5, atol=1e-8)
    with torch.no_grad():
        for run in range(runs):
            assert torch.equal(run_losses(logits[run : run + 1], y, "cross_entropy"), losses[run : run + 1])


def test_mean_squared_error_on_classes(toy):
    (record,) = fit.train([spec(loss="mse", epochs=15, lr=0.03)], toy("classes"))
    assert record["loss"] == "mse"
    assert record["train_metric_last"] > 60


def test_cross_entropy_needs_classes(toy):
    with pytest.raises(InputError, match="'cross_entropy' needs classes, but toy numbers has numbers.*use 'mse'"):
        fit.train([spec(loss="cross_entropy")], toy())
