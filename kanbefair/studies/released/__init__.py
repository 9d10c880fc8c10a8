"""The rows that the authors released, and our re-runs of them."""
