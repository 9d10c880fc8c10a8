"""Training: what decides the record of a run."""
