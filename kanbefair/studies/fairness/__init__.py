"""The fair study: sizes that meet budgets, equal tries, new seeds, labels for domains (docs/decision_rule.md).

Read datasets, space, sizes, design, choice, run, then inference, descriptive, simulate, figures.
"""
