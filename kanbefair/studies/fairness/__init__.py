"""The fair study: sizes that meet budgets, equal tries, new seeds, labels for domains (docs/decision_rule.md).

Read datasets, space, sizes, design, choice, committed, run, then inference, descriptive, simulate, findings,
answer, practitioner.
"""

from kanbefair.studies.fairness import tables

__all__ = ["tables"]
