import math

import pytest
from fair_runs import final, nothing, study, tries

from kanbefair.studies.fairness import answer, findings, space

pytestmark = pytest.mark.usefixtures("all_have_run")

FIVE = (1.0, 2.0, 3.0, 4.0, 5.0)


def said(own):
    return answer.sentences(findings.by_domain(own), findings.by_dataset(own)).data.splitlines()


def row(label, metric="accuracy", estimate=-1.0, low=-1.5, high=-0.5, **fields):
    own = {"first": "KAN", "second": "MLP", "label": label, "metric": metric, "margin": 0.5 if metric == "accuracy" else 0.0414}
    return own | {"estimate": estimate, "low": low, "high": high} | fields


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (row("MLP"), "**MLP** ahead by 1.00 points [0.50, 1.50]"),
        (row("KAN", estimate=1.0, low=0.5, high=1.5), "**KAN** ahead by 1.00 points [0.50, 1.50]"),
        (row("undecided"), "**undecided**, KAN − MLP -1.00 points [-1.50, -0.50], margin 0.5 points"),
        (
            row("equivalent", estimate=0.1, low=-0.2, high=0.4),
            "**equivalent**, KAN − MLP +0.10 points [-0.20, +0.40], margin 0.5 points",
        ),
        (row("KAN", "mae", 0.30103, 0.0, 0.60206), "**KAN** ahead, MLP's error is 2 times KAN's [1, 4]"),
        (row("MLP", "mae", -0.30103, -0.60206, 0.0), "**MLP** ahead, KAN's error is 2 times MLP's [1, 4]"),
        (
            row("undecided", "mae", 0.0, -0.30103, 0.30103),
            "**undecided**, MLP's error is 1 times KAN's [0.5, 2], margin 1.1 times",
        ),
        (
            row("undecided", low=-math.inf, high=math.inf),
            "**undecided**, KAN − MLP -1.00 points (no interval), margin 0.5 points",
        ),
    ],
)
def test_a_label_in_words_is_seen_from_the_side_of_who_is_ahead(own, words):
    assert answer.decision(own) == words


def test_a_domain_has_a_line_with_unit_and_number():
    (line,) = [line for line in said(study(final(FIVE))) if line.startswith("- **text**")]
    assert line.startswith("- **text**, equal values trained: **KAN** ahead by 3.00 points [")
    assert "95 % interval over 5 sources, Holm's correction over 1 test; KAN better on 5 of 5 datasets" in line
    assert line.endswith("KAN better on 5 of 5 datasets.")


def test_fewer_sources_are_said_to_be_no_domain_yet():
    lines = said(study(final(FIVE[:2], kinds=("flops", "values"))))
    place = lines.index("- text: 2 of 8 sources are in; it speaks as a domain when all are. Each dataset for itself:")
    assert lines[place + 1].startswith("  - d0, equal values trained: ")
    assert ". At equal FLOPs executed: " in lines[place + 1]
    assert lines[place + 2].startswith("  - d1, ")
    assert "- symbolic: nothing yet; 45 sources are to come." in lines


def test_images_and_sounds_never_speak_as_a_domain():
    lines = said(study(final(FIVE[:4], domain="vision")))
    assert "- vision: of too few sources to speak as a domain. Each dataset for itself:" in lines


def test_runs_at_chance_are_said_of_the_family_that_has_them():
    runs = final(FIVE)
    runs.loc[(runs["family"] == "MLP") & (runs["dataset"] == "d0"), "outcome"] = "at chance"
    (line,) = [line for line in said(study(runs)) if line.startswith("- **text**")]
    assert line.endswith("failed or at chance, and scored as the constant predictor: MLP 6 of 30 runs.")


def test_nothing_is_said_of_nothing():
    assert all("nothing yet" in line for line in said(nothing()))
    assert answer.kept_rules(nothing()).data == "Nothing has run yet."
    assert "- vision: none of 4 datasets has run." in answer.run_so_far(nothing()).data


def test_broken_rules_are_said_in_bold(monkeypatch):
    own = study(final([1.0]), tries([80.0, 81.0], size=1060.0))
    lines = answer.kept_rules(own).data.splitlines()
    assert lines[0] == "- Tries in a cell: 2 to 2; **not as the rule asks** (24 and 24)."
    assert lines[1] == "- Sizes are off their budget by at most 6.0 %; **not as the rule asks** (5 %)."
    assert lines[2] == "- New seeds in every division: 2 or more; **not as the rule asks** (10)."
    assert lines[3] == "- Levels: 3 or more; as the rule asks (3)."
    monkeypatch.setattr(space, "TRIES", 2)
    assert answer.kept_rules(study(final([1.0]))).data.startswith("- Tries in a cell: 2 to 2; as the rule asks (2 and 2).")


def test_large_classes_and_late_gainers_are_named():
    own = study(final([1.0]), largest=90.0)
    own.datasets["late"] = 30.0
    words = answer.kept_rules(own).data
    assert "One class holds over 80 % of the test rows of d0 (90 %)." in words
    assert "On d0 these are over 20 %." in words
    shown = answer.uneven(findings.by_dataset(own))
    assert shown.loc[("d0", "values"), "balanced (%), KAN"] == 60


def test_the_search_space_has_equally_many_dimensions_for_each_family():
    own = answer.search_space()
    assert own.groupby("family").size().to_dict() == {"all": 4} | dict.fromkeys(space.OWN, 5)
