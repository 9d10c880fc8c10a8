import math
from functools import partial, partialmethod, wraps
from types import SimpleNamespace

import numpy
import pytest
import torch

from kanbefair.models.mlp import MLPStack
from kanbefair.sweep import own_code


def defined(text, **names):
    """The names that a user's text defines, in a module of their own."""
    space = {"__name__": "own_module"} | names
    exec(compile(text, "own", "exec"), space)
    return space


NETWORK = """
import math, torch
WIDTH = 3
def helper(x): return x * {factor}
class Layer(torch.nn.Module):
    scale = {scale}
    def forward(self, x): return helper(x) + WIDTH
class Network:
    def layer(self, number): return [Layer() for _ in range(number)]
"""


def of(**values):
    text = NETWORK.format(**({"factor": 2, "scale": 1} | values))
    return own_code.digest([defined(text)["Network"]])


def test_what_is_the_packages_own_or_a_librarys_has_no_digest():
    assert own_code.digest([MLPStack, torch.relu, math.sin, len, torch.nn.Linear]) is None


def test_it_is_the_same_for_the_same_code_and_other_for_code_that_is_used_anywhere():
    assert of() == of() != of(factor=3)
    assert of() != of(scale=2)
    assert len(of()) == 16


def test_comments_and_line_breaks_do_not_count():
    text = NETWORK.format(factor=2, scale=1)
    longer = text.replace("def helper(x): return x", "def helper(x):\n    # twice\n\n    return x")
    assert own_code.digest([defined(longer)["Network"]]) == of()


def test_a_changed_global_number_or_table_counts():
    def loader(text):
        return own_code.digest([defined(text)["loader"]])

    numbers = "TABLE = {numbers}\ndef loader(request): return TABLE"
    assert loader(numbers.format(numbers="[1, 2]")) != loader(numbers.format(numbers="[1, 3]"))
    assert loader(numbers.format(numbers="{'a': 1}")) != loader(numbers.format(numbers="{'a': 2}"))


def test_defaults_partials_and_closures_count():
    def made(number):
        return lambda request: number

    def loader(request, seed=0):
        return seed

    def other(request, seed=1):
        return seed

    other.__qualname__ = loader.__qualname__
    assert own_code.digest([made(1)]) == own_code.digest([made(1)]) != own_code.digest([made(2)])
    assert own_code.digest([loader]) != own_code.digest([other])
    assert own_code.digest([partial(loader, seed=1)]) != own_code.digest([partial(loader, seed=2)])


def test_functions_that_call_each_other_end():
    space = defined("def first(n): return second(n)\ndef second(n): return first(n)")
    assert own_code.digest([space["first"]]) == own_code.digest([space["second"]]) is not None


HELD = {
    "a tensor": "W = torch.tensor([{0}.0])\ndef loader(request): return W",
    "an array in a list": "W = [numpy.array([{0}.0])]\ndef loader(request): return W",
    "an object": "class Settings:\n    def __init__(self): self.a = {0}\nS = Settings()\ndef loader(request): return S.a",
    "a namespace": "S = SimpleNamespace(a={0})\ndef loader(request): return S.a",
    "a module of torch": "L = torch.nn.Linear(1, 1, bias=False)\nL.weight.data.fill_({0})\ndef loader(request): return L",
    "a lambda in a dictionary": "F = {{'f': lambda x: x * {0}}}\ndef loader(request): return F['f'](1)",
    "a lambda in a class": "class A:\n    layers = [lambda x: x * {0}]\ndef loader(request): return A",
    "a decorator": """
def twice(f):
    @wraps(f)
    def g(request): return {0} * f(request)
    return g
@twice
def loader(request): return 1
""",
    "a partial method": "class A:\n    def f(self, n): pass\n    g = partialmethod(f, n={0})\ndef loader(request): return A",
    "a bound method": "class A:\n    def f(self, request): return {0}\nloader = A().f",
    "a default": "def loader(request, f=lambda x: x + {0}): return f(1)",
}


@pytest.mark.parametrize("text", HELD.values(), ids=list(HELD))
def test_what_code_holds_counts(text):
    names = {"torch": torch, "numpy": numpy, "SimpleNamespace": SimpleNamespace, "wraps": wraps, "partialmethod": partialmethod}

    def of(value):
        return own_code.digest([defined(text.format(value), **names)["loader"]])

    assert of(1) == of(1) is not None
    assert of(1) != of(2)


def test_attributes_that_are_called_as_a_global_do_not_count():
    text = "widths = {0}\ndef loader(request): return request.widths"
    assert own_code.digest([defined(text.format(1))["loader"]]) == own_code.digest([defined(text.format(2))["loader"]])
