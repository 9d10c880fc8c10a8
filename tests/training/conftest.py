import pytest

from kanbefair.models import networks


@pytest.fixture
def trained(monkeypatch):
    """The networks that are built, in order, so that a test can look at what was trained."""
    built = []

    def keeping(network):
        class Kept(network):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                built.append(self)

        return Kept

    for name, network in networks.FAMILIES.items():
        monkeypatch.setitem(networks.FAMILIES, name, keeping(network))
    return built
