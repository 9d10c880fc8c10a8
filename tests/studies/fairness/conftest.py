import pytest

from kanbefair.studies.fairness import datasets


@pytest.fixture
def all_have_run(monkeypatch):
    """Every domain is whole with the datasets that a table has."""
    monkeypatch.setattr(datasets, "names_of", lambda domain: [])
