"""The networks that meet the peaks."""

from kanbefair.data import load
from kanbefair.models import build
from kanbefair.studies.continual import design


def test_the_peaks_compare_networks_of_about_one_size():
    sizes = {}
    for peak in design.peaks("smoke"):
        values = sum(p[0].numel() for p in build([peak.spec], load(peak.spec.dataset)).parameters())
        sizes.setdefault(peak.spec.dataset, []).append(values)
    assert all(max(values) / min(values) < 1.25 for values in sizes.values()), sizes
