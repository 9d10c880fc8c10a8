import math
from functools import partial

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
