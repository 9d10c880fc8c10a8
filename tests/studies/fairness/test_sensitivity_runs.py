"""The runs of other choices on small datasets: of frozen choices, and of tries of their own."""

import pandas
import pytest

from kanbefair import sweep
from kanbefair.studies.fairness import choice, datasets, design, sensitivity_runs, space
from kanbefair.studies.fairness.datasets import Entry
from kanbefair.studies.fairness.runner import Part, Runner
from kanbefair.studies.fairness.variations import VARIATIONS

CLASSES = Entry("WineRecognition", datasets.TABLES, "WineRecognition")
PLACE = [*choice.CELL, "seed", "division"]


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """A folder with the tables of a study of six tries and two seeds in short runs."""
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(space, "SHAPES", 2)
        patch.setattr(design, "SEEDS", range(101, 103))
        patch.setattr(datasets, "EPOCHS", (10, 10))
        runner_in(folder).group([CLASSES], Part("small", "any", design.PAIR, ("values", "flops")))
        yield folder


def runner_in(folder, runs="runs"):
    return Runner("", folder / "results" / "extended", folder / "results" / runs, 1)


def no_training(*specs, **options):
    raise AssertionError("something is trained")


def test_frozen_choices_run_with_other_settings(judged):
    own = runner_in(judged)
    sensitivity_runs.group(own, VARIATIONS["range"], [CLASSES])
    table, main = own.tables.read("fairness_sensitivity"), own.tables.read("fairness_final")
    table = table[table["variation"] == "range"]
    assert set(table["value"]) == {"half", "double"} and len(table) == 2 * len(main)
    for _, rows in table.groupby("value"):
        both = rows.merge(main, on=PLACE, suffixes=("", "_main"))
        same = both["key"] == both["key_main"]
        assert len(both) == len(main)
        assert same.tolist() == (both["family"] == "MLP").tolist(), "an MLP has no grid: its runs are those of the study"
        assert (both.loc[same, "score"] == both.loc[same, "score_main"]).all()
        assert (both["trial"] == both["trial_main"]).all()


def test_rows_of_the_table_count_as_done(judged, monkeypatch):
    own = runner_in(judged)
    for name in ("range", "lowest"):
        sensitivity_runs.group(own, VARIATIONS[name], [CLASSES])
    before = {name: own.tables.read(f"fairness_{name}") for name in ("sensitivity", "sensitivity_tries")}
    elsewhere = runner_in(judged, "other")
    monkeypatch.setattr(sweep, "run", no_training)
    for name in ("range", "lowest"):
        sensitivity_runs.group(elsewhere, VARIATIONS[name], [CLASSES])
    for name, table in before.items():
        found = elsewhere.tables.read(f"fairness_{name}").sort_values(["key", *PLACE[1:4]], ignore_index=True)
        pandas.testing.assert_frame_equal(found, table.sort_values(["key", *PLACE[1:4]], ignore_index=True))


def test_lower_levels_have_tries_of_their_own(judged):
    own = runner_in(judged)
    sensitivity_runs.group(own, VARIATIONS["lowest"], [CLASSES])
    tries, table = own.tables.read("fairness_sensitivity_tries"), own.tables.read("fairness_sensitivity")
    assert set(tries["level"]) == {0} and (tries.groupby(choice.CELL).size() == 6).all()
    assert (abs(tries["size"] / tries["target"] - 1) <= 0.05).all()
    lowest = own.tables.read("fairness_tries").query("level == 1").groupby("budget_kind")["target"].first()
    assert (tries.groupby("budget_kind")["target"].first() == lowest / 2).all()
    chosen = tries[tries["chosen"]].groupby(choice.CELL)["trial"].first()
    assert (table[table["variation"] == "lowest"].groupby(choice.CELL)["trial"].first() == chosen).all()
    assert not set(own.tables.read("fairness_final")["level"]) & {0}, "the study's own tables stay as they are"


def test_values_that_look_like_numbers_take_each_others_place(judged):
    own = runner_in(judged / "rows")
    table = runner_in(judged).tables.read("fairness_final").assign(variation="rows", value="30")
    for _ in range(2):
        own.tables.put_varied(pandas.DataFrame(), table)
    assert len(own.tables.read("fairness_sensitivity")) == len(table)


def test_few_rows_and_other_optimisers_run(judged):
    own = runner_in(judged)
    for name in ("rows", "optimizer"):
        sensitivity_runs.group(own, VARIATIONS[name], [CLASSES])
    table = own.tables.read("fairness_sensitivity")
    assert set(table[table["variation"] == "rows"]["value"]) == {"30", "100"}, "there are no 300 rows"
    assert set(table[table["variation"] == "optimizer"]["value"]) == {"sgd", "lbfgs"}
    assert "failed" not in set(table["outcome"])


def test_what_is_not_frozen_is_left_out(judged, capsys):
    own = runner_in(judged)
    sensitivity_runs.group(own, VARIATIONS["epochs"], [Entry("Diabetes", datasets.NUMBERS, "Diabetes")])
    assert "Diabetes: its choices are not frozen yet, left out" in capsys.readouterr().out
    sensitivity_runs.group(runner_in(judged / "nothing"), VARIATIONS["epochs"], [CLASSES])
    assert not (judged / "nothing" / "results" / "extended" / "fairness_sensitivity.csv.gz").exists()


@pytest.mark.parametrize(("name", "later"), [("epochs", 0), ("flops", 12 * 2)])
def test_the_cost_counts_what_is_left(judged, monkeypatch, capsys, name, later):
    asked = []

    def estimate(specs, **how):
        asked.extend(spec.key for spec in specs)
        return pandas.DataFrame({"hours": [1.0]})

    monkeypatch.setattr(sensitivity_runs.cost, "estimate", estimate)
    sensitivity_runs.show_cost(runner_in(judged), VARIATIONS[name], [CLASSES])
    assert 48 <= len(set(asked)) == len(asked) <= 72
    assert f"{len(asked) + later} runs are left" in capsys.readouterr().out
