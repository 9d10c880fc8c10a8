"""Continual learning: one network meets the tasks of a stream one after the other."""
