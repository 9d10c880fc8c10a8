import pytest
import torch
from helpers import drawn
from torch import nn

from kanbefair import models
from kanbefair.models import compiled
from kanbefair.models.layers import Linear
from kanbefair.training import cuda_graphs
from kanbefair.training.optimizers import StackAdam, StackSGD

RATES = [1e-1, 1e-3, 3e-2]


@pytest.mark.parametrize(("stacked", "single"), [(StackAdam, torch.optim.Adam), (StackSGD, torch.optim.SGD)])
def test_every_run_steps_as_torchs_optimiser_with_its_own_learning_rate(stacked, single):
    network = nn.Sequential(Linear(4, 5, stack=3), nn.Tanh(), Linear(5, 1, stack=3))
    references = []
    for run in range(3):
        torch.manual_seed(run)
        reference = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1))
        for layer in (0, 2):
            network[layer].reset_run(run, torch.Generator().manual_seed(100 * run + layer))
            with torch.no_grad():
                reference[layer].weight.copy_(network[layer].weight[run].T)
                reference[layer].bias.copy_(network[layer].bias[run])
        references.append((reference, single(reference.parameters(), lr=RATES[run])))
    optimizer = stacked(network, torch.tensor(RATES))
    for step in range(30):
        x = torch.randn(3, 8, 4, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        (network(x) - x[..., :1]).square().mean((1, 2)).sum().backward()
        optimizer.step()
        for run, (reference, own) in enumerate(references):
            own.zero_grad()
            (reference(x[run]) - x[run, :, :1]).square().mean().backward()
            own.step()
    for run, (reference, _) in enumerate(references):
        for layer in (0, 2):
            torch.testing.assert_close(network[layer].weight[run], reference[layer].weight.T, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(network[layer].bias[run], reference[layer].bias, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_decay_and_schedule_are_torchs_adamw_and_cosine(schedule):
    network = drawn(Linear(3, 2, stack=3))
    start = network.weight.detach().clone()
    optimizer = StackAdam(network, torch.tensor(RATES), weight_decay=0.3, schedule=schedule)
    reference = [nn.Parameter(values.clone()) for values in start]
    own = [torch.optim.AdamW([p], lr=rate, weight_decay=0.3) for p, rate in zip(reference, RATES, strict=True)]
    rates = [torch.optim.lr_scheduler.CosineAnnealingLR(adam, T_max=7) for adam in own]
    for epoch in range(7):
        optimizer.schedule(epoch, 7)
        for step in range(4):
            gradient = torch.randn(3, 3, 2, generator=torch.Generator().manual_seed(10 * epoch + step))
            optimizer.zero_grad()
            network.weight.grad += gradient
            optimizer.step()
            for run, adam in enumerate(own):
                reference[run].grad = gradient[run]
                adam.step()
        for rate in rates if schedule == "cosine" else ():
            rate.step()
    torch.testing.assert_close(network.weight.detach(), torch.stack(reference).detach(), rtol=1e-5, atol=1e-6)
    assert not torch.equal(network.weight, start)


@pytest.mark.parametrize(("stacked", "single"), [(StackAdam, torch.optim.Adam), (StackSGD, torch.optim.SGD)])
def test_a_step_with_given_gradients_is_torchs_to_the_last_bits(stacked, single):
    network = Linear(3, 2, stack=2)
    network.reset_run(0, torch.Generator().manual_seed(0))
    network.reset_run(1, torch.Generator().manual_seed(1))
    reference = [nn.Parameter(network.weight.detach()[run].clone()) for run in range(2)]
    own = [single([parameter], lr=rate) for parameter, rate in zip(reference, RATES, strict=False)]
    optimizer = stacked(network, torch.tensor(RATES[:2]))
    for step in range(50):
        gradient = torch.randn(2, 3, 2, generator=torch.Generator().manual_seed(step)) * 10.0 ** (step % 5 - 2)
        optimizer.zero_grad()
        network.weight.grad += gradient
        optimizer.step()
        for run in range(2):
            reference[run].grad = gradient[run]
            own[run].step()
    torch.testing.assert_close(network.weight.detach(), torch.stack(reference).detach(), rtol=1e-6, atol=1e-7)


def test_the_networks_values_are_kept_when_the_optimiser_takes_them_over():
    network = Linear(3, 2, stack=2)
    network.reset_run(0, torch.Generator().manual_seed(0))
    network.reset_run(1, torch.Generator().manual_seed(1))
    before = [parameter.detach().clone() for parameter in network.parameters()]
    optimizer = StackSGD(network, torch.tensor([0.1, 0.1]))
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), before, strict=True))
    optimizer.zero_grad()
    optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), before, strict=True))


def test_the_fused_step_is_the_plain_one():
    networks = [Linear(3, 2, stack=2), Linear(3, 2, stack=2)]
    for network in networks:
        for run in range(2):
            network.reset_run(run, torch.Generator().manual_seed(run))
    fast, slow = (StackAdam(network, torch.tensor(RATES[:2])) for network in networks)
    for step in range(50):
        gradient = torch.randn(fast.gradient.shape, generator=torch.Generator().manual_seed(step)) * 10.0 ** (step % 5 - 2)
        fast.gradient.copy_(gradient)
        slow.gradient.copy_(gradient)
        fast.step()
        with compiled.plain():
            slow.step()
    torch.testing.assert_close(fast.values, slow.values, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(fast.square, slow.square, rtol=1e-6, atol=0)


def test_adam_that_counts_its_steps_on_the_device_is_pytorchs(monkeypatch):
    monkeypatch.setattr(cuda_graphs, "DEVICES", {"cpu"})
    network = models.network(models.Shape(family="MLP", widths=(3, 4, 2), activation="relu"))
    single = [p.detach().clone().requires_grad_() for p in network.parameters()]
    ours, theirs = StackAdam(network, torch.tensor([0.01])), torch.optim.Adam(single, lr=0.01)
    generator = torch.Generator().manual_seed(0)
    with compiled.plain():
        for _ in range(60):
            for own, other in zip(network.parameters(), single, strict=True):
                other.grad = torch.randn(other.shape, generator=generator)
                own.grad.copy_(other.grad)
            ours.step()
            theirs.step()
    assert ours.steps.item() == 60
    for own, other in zip(network.parameters(), single, strict=True):
        torch.testing.assert_close(own, other, rtol=2e-6, atol=1e-7)
