import logging
from dataclasses import replace

import numpy
import pytest
import torch
from helpers import KINDS, named, spec
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from kanbefair import models
from kanbefair.models import compiled
from kanbefair.training import cuda_graphs, fit, optimizers
from kanbefair.training.losses import run_losses
from kanbefair.training.optimizers import StackAdam
from kanbefair.training.step import Step


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


# ----- what a GPU does, on a CPU


class StandIn:
    """Takes the place of CUDA's recording on a CPU: a recording is not carried out, and is carried out at each replay."""

    def __init__(self, monkeypatch):
        self.asides, self.recordings, self.replays = 0, 0, 0
        monkeypatch.setattr(cuda_graphs, "DEVICES", {"cpu"})
        monkeypatch.setattr(cuda_graphs, "Side", lambda: self)

    def do(self, work):
        self.asides += 1
        work()

    def record(self, work):
        self.recordings += 1

        def replay():
            self.replays += 1
            work()

        return replay


def test_a_function_is_recorded_after_a_few_calls_and_other_shapes_never(monkeypatch):
    cuda, seen = StandIn(monkeypatch), []
    recorded = cuda_graphs.Recorded()
    batches = [torch.tensor([i, i + 1]) for i in range(6)] + [torch.tensor([9])] + [torch.tensor([7, 8])]
    for batch in batches:
        recorded(lambda given: seen.append((given.data_ptr(), given.tolist())), batch)
    assert [values for _, values in seen] == [batch.tolist() for batch in batches]
    assert (cuda.asides, cuda.recordings, cuda.replays) == (3, 1, 4)
    assert len({place for place, values in seen if len(values) == 2}) == 1, "a recording reads one place in memory"


@pytest.mark.parametrize("kind", KINDS, ids=named)
@pytest.mark.parametrize("data", ["classes", "numbers"])
def test_recorded_steps_train_as_others_do(toy, monkeypatch, kind, data):
    runs = [spec(**kind, seed=seed, lr=lr, batch_size=20) for seed in (1, 2) for lr in (1e-2, 1e-3)]
    task = toy(data)
    with compiled.plain():
        expected = fit.train(runs, task)
        cuda = StandIn(monkeypatch)
        records = fit.train(runs, task)
    steps = 3 * (len(task.x_train) // 20)
    assert (cuda.asides, cuda.recordings, cuda.replays) == (3, 1, steps - 3)
    for record, other in zip(records, expected, strict=True):
        assert set(record["curves"]) == set(other["curves"])
        for name, curve in record["curves"].items():
            assert curve == pytest.approx(other["curves"][name], rel=1e-5)


def test_steps_that_differ_are_not_recorded(toy, monkeypatch):
    cuda = StandIn(monkeypatch)
    fit.train([spec(optimizer="lbfgs", epochs=1)], toy())
    fit.train([spec(epochs=1, batch_size=4)], toy("text"))
    assert (cuda.asides, cuda.recordings, cuda.replays) == (0, 0, 0)


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


class _Cuda:
    """What `graphs` asks of torch.cuda, as far as it can be seen from outside."""

    def __init__(self, fails=False):
        self.log, self.fails = [], fails

    def stream(self, given):
        return self.graph(given)

    def Stream(self):
        return self

    current_stream = CUDAGraph = Stream

    def wait_stream(self, other):
        self.log.append("wait")

    def graph(self, given, stream=None):
        self.log.append("enter")
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.log.append("exit")
        if self.fails:
            raise RuntimeError("cannot be captured\nmore")

    def replay(self):
        self.log.append("replay")


def test_work_is_set_apart_and_recorded_by_cuda(monkeypatch, caplog):
    cuda = _Cuda()
    monkeypatch.setattr(cuda_graphs.torch, "cuda", cuda)
    side = cuda_graphs.Side()
    side.do(lambda: cuda.log.append("work"))
    assert cuda.log == ["wait", "enter", "work", "exit", "wait"]
    cuda.log.clear()
    side.record(lambda: cuda.log.append("work"))()
    assert cuda.log == ["enter", "work", "exit", "replay"]
    assert not caplog.records


def test_work_that_cannot_be_recorded_is_done_after_a_notice(monkeypatch, caplog):
    cuda, done = _Cuda(fails=True), []
    monkeypatch.setattr(cuda_graphs.torch, "cuda", cuda)
    with caplog.at_level(logging.WARNING):
        work = cuda_graphs.Side().record(lambda: done.append(1))
    assert caplog.messages == ["training is slower, as its steps cannot be recorded on this GPU: cannot be captured"]
    work()
    assert len(done) == 2


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
