"""Continual learning: one network meets the tasks of a stream one after the other.

Read streams, strategies, spec, loop. A strategy of your own is a subclass of `Strategy` under `@strategy("name")`.
"""

from kanbefair.training.continual.loop import train
from kanbefair.training.continual.spec import ContinualSpec
from kanbefair.training.continual.strategies import STRATEGIES, Pull, Strategy, strategy

__all__ = ["STRATEGIES", "ContinualSpec", "Pull", "Strategy", "strategy", "train"]
