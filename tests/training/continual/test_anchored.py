"""The Fisher information and the pull to the parameters of earlier tasks."""

import torch

from kanbefair.models import build
from kanbefair.training.continual import streams
from kanbefair.training.continual.anchored import Anchored, fisher


def test_fisher_information_of_logistic_regression(digits, spec):
    """For one linear layer the diagonal is E[x²·p(1−p)]: the exact expectation over the answers."""
    own = spec(model="MLP", activation="identity", widths=(4,), strategy="ewc", strength=1.0)
    task = streams.joined(own.tasks_of(digits))
    network = build([own], task)
    network.reset([torch.Generator().manual_seed(0)])
    with torch.no_grad():
        network.layers[2].weight.mul_(3)
    rows = torch.arange(200).expand(1, -1)
    draws = [torch.rand(1, 200, generator=torch.Generator().manual_seed(n)) for n in range(20)]
    anchored = Anchored(network, [own])
    found = sum(fisher(anchored, task, rows, draw) for draw in draws) / len(draws)
    with torch.no_grad():
        inner = network.layers[0](task.x_train[:200])
        p = network.layers[2](inner)[0].softmax(-1)
        expected = (inner[0].square().unsqueeze(2) * (p * (1 - p)).unsqueeze(1)).mean(0)
    weights = network.layers[2].weight
    start = sum(q.numel() for q in network.layers[0].parameters())
    ours = found[start : start + weights.numel()].view_as(weights)[0]
    assert (ours - expected).abs().max() < 0.1 * expected.max()


def test_the_pull_is_the_gradient_of_the_penalty(digits, spec):
    own = spec(strategy="ewc", strength=3.0)
    network = build([own], streams.joined(own.tasks_of(digits)))
    network.reset([torch.Generator().manual_seed(0)])
    anchored = Anchored(network, [own])
    first, omega = anchored.inner.values.clone(), torch.rand_like(anchored.inner.values)
    anchored.hold(omega)
    anchored.inner.values.add_(0.5)
    second, other = anchored.inner.values.clone(), torch.rand_like(omega)
    anchored.hold(other)
    anchored.inner.values.sub_(0.25)
    theta = anchored.inner.values.clone().requires_grad_()
    (1.5 * (omega * (theta - first).square() + other * (theta - second).square()).sum()).backward()
    anchored.zero_grad()
    anchored.inner.step = lambda: None
    anchored.step()
    size = sum(p.numel() for p in network.parameters())
    assert torch.allclose(anchored.inner.gradient[:size], theta.grad[:size], atol=1e-5)
