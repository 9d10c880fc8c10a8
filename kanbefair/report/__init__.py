"""What notebooks stand on: parameters, tables in and out, statistics, the style of figures, results in words."""

from kanbefair.report.notebook import begin, plan
from kanbefair.report.words import sentences, trained

__all__ = ["begin", "plan", "sentences", "trained"]
