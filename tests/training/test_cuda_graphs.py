import logging

import pytest
import torch
from helpers import KINDS, StandIn, named, spec

from kanbefair.models import compiled
from kanbefair.training import cuda_graphs, fit


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
