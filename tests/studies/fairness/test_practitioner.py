import pytest
from fair_runs import final, nothing, study

from kanbefair.studies.fairness import findings, practitioner

pytestmark = pytest.mark.usefixtures("all_have_run")


def page(own):
    return practitioner.page(own, findings.by_domain(own), findings.by_dataset(own))


def line(text, start):
    (found,) = [line for line in text.splitlines() if line.startswith(start)]
    return found


def test_a_domain_says_what_to_use_and_how_sure():
    text = page(study(final((1.0, 2.0, 3.0, 4.0, 5.0))))
    found = line(text, "| text | values trained | KAN |")
    assert "+3.00 [+1.04, +4.96]" in found
    assert found.endswith("| 5 of 8 |")
    assert line(text, "| vision |") == "| vision | – | see the datasets | – | – | 0 of 4 |"


def test_few_sources_are_no_advice_for_a_domain_and_stand_by_dataset():
    text = page(study(final((1.0, 2.0))))
    assert line(text, "| text | – |") == "| text | – | not known yet: not all sources are in | – | – | 2 of 8 |"
    assert line(text, "| d1 |").startswith("| d1 | text | 2,000 | ")


def test_labels_are_counted_by_rows_and_differences_given_by_budget():
    text = page(study(final((1.0, 2.0))))
    assert line(text, "| text | 1,000 to 10,000 |").endswith("| +1.50 |")
    assert line(text, "| text | values trained | 2 |").endswith("| +1.50 (1,000) | +1.50 (2,000) | +1.50 (3,000) |")


def test_errors_are_given_as_ratios():
    text = page(study(final((0.30103,), "mae", domain="symbolic")))
    assert "| 2× (1,000) |" in text


def test_what_is_missing_is_said():
    text = page(nothing())
    assert text.count("Nothing yet.") == 3
    assert "- audio: none of 6 datasets has run." in text


def test_a_dataset_of_just_a_thousand_rows_is_of_the_middle_group():
    own = study(final((1.0,)))
    own.datasets["train_rows"] = 1000
    assert "| text | 1,000 to 10,000 | values trained | 1 |" in page(own)
