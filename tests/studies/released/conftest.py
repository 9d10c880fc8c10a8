import pytest

from kanbefair.specs import grid
from kanbefair.studies.domains import design

NAMES = ["Special_ellipkinc", "Special_sphharm01"]


@pytest.fixture
def small(monkeypatch):
    """Two functions and two short runs of each stand for the paper's datasets and grid."""
    own = {"symbolic": NAMES, "tabular": [], "vision": []}
    monkeypatch.setattr(design, "PAPER_DATASETS", own)
    kinds = {"protocol": "published", "widths": (3,), "epochs": 2}

    def specs(section, profile, names):
        return [*grid(dataset=names, model="MLP", **kinds), *grid(dataset=names, model="KAN", **kinds)]

    monkeypatch.setattr(design, "specs", specs)
