"""The devices that PyTorch can use here."""

import torch

from kanbefair.errors import InputError


def check_device(device: str) -> str:
    """`device` if PyTorch can use it here, else `InputError`."""
    try:
        named = torch.device(device)
    except RuntimeError:
        named = torch.device("meta")
    if named.type not in ("cpu", "cuda") or (named.type == "cpu" and named.index):
        raise InputError(f"unknown device '{device}'; use cpu or cuda")
    if named.type == "cuda":
        _check_gpu(device, named.index or 0)
    return device


def _check_gpu(device: str, index: int) -> None:
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not found:
        raise InputError(f"device '{device}' is not there: PyTorch sees no GPU; use device cpu")
    if index >= found:
        there = ", ".join(f"cuda:{number}" for number in range(found))
        raise InputError(f"device '{device}' is not there: PyTorch sees {there}; use one of them or cpu")
