import pytest
from matplotlib import pyplot


@pytest.fixture(autouse=True)
def closed():
    """No figure outlives its test: matplotlib warns of many open ones."""
    yield
    pyplot.close("all")
