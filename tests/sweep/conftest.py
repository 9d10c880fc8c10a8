import pytest

from kanbefair import data


@pytest.fixture
def task(own_registries, toy):
    """The toy tasks under the names Toy (numbers) and ToyClasses, for this test."""
    for name, kind in (("Toy", "numbers"), ("ToyClasses", "classes")):
        data.register(name, domain="tabular")(lambda request, kind=kind: toy(kind, request.protocol))
