"""The rows that the authors released, our re-runs of them, and what both say."""
