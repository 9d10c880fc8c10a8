import pytest
import torch

from kanbefair.devices import check_device
from kanbefair.errors import InputError


@pytest.fixture
def gpus(monkeypatch):
    """`gpus(count)`: PyTorch sees so many GPUs."""

    def see(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return see


@pytest.mark.parametrize(("count", "device"), [(0, "cpu"), (1, "cuda"), (1, "cuda:0"), (3, "cuda:2")])
def test_a_device_that_is_there_is_taken(gpus, count, device):
    gpus(count)
    assert check_device(device) == device


@pytest.mark.parametrize(
    ("count", "device", "words"),
    [
        (0, "cuda", "device 'cuda' is not there: PyTorch sees no GPU; use device cpu"),
        (0, "cuda:0", "device 'cuda:0' is not there: PyTorch sees no GPU; use device cpu"),
        (1, "cuda:7", "device 'cuda:7' is not there: PyTorch sees cuda:0; use one of them or cpu"),
        (2, "cuda:2", "device 'cuda:2' is not there: PyTorch sees cuda:0, cuda:1; use one of them or cpu"),
        (1, "cuda:-1", "unknown device 'cuda:-1'; use cpu or cuda"),
        (1, "cpu:1", "unknown device 'cpu:1'; use cpu or cuda"),
        (1, "meta", "unknown device 'meta'; use cpu or cuda"),
        (1, "", "unknown device ''; use cpu or cuda"),
    ],
)
def test_a_device_that_is_not_there_is_refused(gpus, count, device, words):
    gpus(count)
    with pytest.raises(InputError) as caught:
        check_device(device)
    assert str(caught.value) == words
