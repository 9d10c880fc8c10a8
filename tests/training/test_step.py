from dataclasses import replace

import pytest
import torch
from helpers import KINDS, StandIn, named, spec
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from kanbefair import models
from kanbefair.data.task import feature_moments, make_task
from kanbefair.specs import RunSpec
from kanbefair.training import cuda_graphs, fit, optimizers
from kanbefair.training.step import Step


class OnDevice(TorchDispatchMode):
    """Refuses what no recording may contain: data that come from the host. That the host reads a value, `meta` refuses."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, kwargs, found)) if isinstance(leaf, torch.Tensor)]
        assert all(t.device.type == "meta" for t in tensors), f"{function} meets the host's memory"
        return found


@pytest.mark.parametrize("kind", KINDS, ids=named)
@pytest.mark.parametrize("data", ["classes", "numbers", "pixels"])
def test_a_step_on_a_device_stays_there(toy, monkeypatch, kind, data):
    """The device `meta`, which holds no values, stands for a GPU that need not be there."""
    StandIn(monkeypatch)
    monkeypatch.setattr(cuda_graphs, "DEVICES", {"meta"})
    task = toy("classes" if data == "pixels" else data).to("meta")
    if data == "pixels":
        moments = {"mean": torch.zeros(4, device="meta"), "std": torch.ones(4, device="meta")}
        task = replace(task, x_train=task.x_train.to(torch.uint8), **moments)
    runs = [spec(**kind, seed=seed) for seed in (1, 2)]
    network = models.build(runs, task).to("meta")
    step = Step(
        network, optimizers.make_optimizer(network, runs), task, "cross_entropy" if task.metric == "accuracy" else "mse"
    )
    assert step.recorded is not None
    for shape in ((2, 20), (20,)):
        rows = torch.zeros(shape, dtype=torch.int64, device="meta")
        step._train_on(rows)  # a warm-up may bring constants to the device
        with OnDevice():
            step._train_on(rows)


def test_a_value_that_the_host_reads_is_noticed():
    with pytest.raises(RuntimeError, match="meta"):
        torch.zeros(3, device="meta").sum().item()
    with pytest.raises(AssertionError, match="host's memory"), OnDevice():
        torch.zeros(3, device="meta") + torch.zeros((), device="cpu")


def test_a_search_that_float32_cannot_hold_makes_the_run_diverge_whatever_follows():
    """PyTorch's search keeps half a state after the overflow, on which its next call would fail."""
    x = 2 * torch.rand(1000, 2, generator=torch.Generator().manual_seed(0)) - 1
    y = (x.square().sum(dim=1) < 0.6).long()
    task = make_task("Disc", "tabular", "fair", (x[:800], y[:800]), (x[800:], y[800:]), moments=feature_moments)
    run = RunSpec(dataset="Disc", model="MLP", widths=(5,), optimizer="lbfgs", lr=1e30, epochs=3)
    (record,) = fit.train([run], task)
    assert (record["outcome"], record["diverged"]) == ("diverged", 1)
