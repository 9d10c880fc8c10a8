"""What happened to a run, in one word."""

DONE = "done"
DIVERGED = "diverged"
AT_CHANCE = "at chance"
FAILED = "failed"
OUTCOMES = (DONE, DIVERGED, AT_CHANCE, FAILED)
"""Every run has one of them; only records of failed runs are not kept."""
