from dataclasses import fields

import pandas
import pytest
from helpers import ROOT

from kanbefair.errors import InputError
from kanbefair.report import columns, tables
from kanbefair.report.columns import Column, check, declare
from kanbefair.report.shared_columns import COUNTS, RUNS, named
from kanbefair.specs import RunSpec
from kanbefair.studies import ablation, continual, counting, domains, fairness, released, speed
from kanbefair.sweep.store import UNTABLED
from kanbefair.training.continual.spec import ContinualSpec
from kanbefair.training.learned_splines import DrawnSpec

STUDIES = (domains, counting, ablation, continual, speed, released, fairness)
RESULTS = ROOT / "results"
COMMITTED = {path.stem: path for path in (RESULTS / "embedded").glob("*.csv")}
COMMITTED |= {f"extended/{path.name.split('.')[0]}": path for path in (RESULTS / "extended").glob("*.csv*")}


@pytest.fixture
def registry(monkeypatch):
    """What a test declares is forgotten after it."""
    monkeypatch.setattr(columns, "_TABLES", dict(columns._TABLES))
    declare("mine", "a model", Column("model", "its name"), Column("score", "its score", "percent"), Column("x", "", "", True))


@pytest.mark.parametrize("name", COMMITTED)
def test_every_column_of_a_committed_table_is_declared(name):
    check(name, pandas.read_csv(COMMITTED[name], nrows=1).columns)


NOT_RUN_YET = {"extended/fairness_sensitivity", "extended/fairness_sensitivity_tries"}
"""Tables of parts of the fair study that take hours and have not been run."""


def test_every_declared_table_is_there():
    assert set(columns._TABLES) - NOT_RUN_YET == set(COMMITTED), "a table that has run is no longer among those that have not"


def test_tables_are_declared_with_their_study():
    for name, table in columns._TABLES.items():
        of_report = name == "notebook_seconds"
        places = [tables.__file__] if of_report else [study.tables.__file__ for study in STUDIES]
        assert str(ROOT / table.place) in places


def test_the_page_shows_the_declarations():
    assert (ROOT / "docs" / "tables.md").read_text() == columns.markdown()


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["model"], "table 'mine' has no column 'score', which is declared in tests/report/test_columns.py"),
        (
            ["model", "scores"],
            r"table 'mine' has a column 'scores' \(did you mean 'score'\?\) that is not declared; "
            "declare it in tests/report/test_columns.py",
        ),
        (["model", "score", "7"], "table 'mine' has a column '7' that is not declared"),
    ],
)
def test_a_table_of_other_columns_than_declared_is_refused(registry, names, words):
    with pytest.raises(InputError, match=words):
        check("mine", names)


def test_optional_columns_and_those_of_how_a_table_was_computed_may_be_there_or_not(registry):
    check("mine", ["model", "score"])
    check("mine", ["score", "x", "model", "processor", "form", "threads"])


def test_a_table_that_is_not_declared_is_refused(registry):
    with pytest.raises(InputError, match="table 'other' is not declared; declare it in kanbefair/studies/<study>/tables.py"):
        check("other", ["model"])


def test_a_table_can_bring_its_columns(registry):
    check("other", ["a", "b"], [Column("{a,b}", "")])
    with pytest.raises(InputError, match="table 'other' has a column 'c' that is not declared"):
        check("other", ["a", "c"], [Column("{a,b}", "")])
    with pytest.raises(InputError, match="table 'mine' is declared in tests/report/test_columns.py; give the one with other"):
        check("mine", ["a"], [Column("a", "")])


def test_a_second_declaration_is_refused_unless_it_is_the_same(registry):
    one, other = Column("a", "first"), Column("a", "second")
    declare("{b,c}", "a thing", one)
    declare("{b,c}", "a thing", [one])
    for name in ("c", "{c,d}", "{b,c}"):
        with pytest.raises(InputError, match="table '[bc]' is declared otherwise in tests/report/test_columns.py"):
            declare(name, "a thing", other)


def test_a_refused_declaration_leaves_nothing_behind(registry):
    declare("b", "a thing", Column("a", ""))
    with pytest.raises(InputError):
        declare("{a,b}", "a thing", Column("c", ""))
    assert not columns.is_declared("a")


def test_no_two_columns_of_a_table_have_one_name(registry):
    with pytest.raises(InputError, match="table 'b' is declared with two columns 'a_1'"):
        declare("b", "a thing", Column("a_1", ""), [Column("{a,b}_{1,2}", "")])


@pytest.mark.parametrize(
    ("name", "stands_for", "not_for"),
    [
        ("a", ["a"], ["b", "aa", ""]),
        ("{KAN,MLP}_low", ["KAN_low", "MLP_low"], ["KAN", "_low", "KAN,MLP_low", "{KAN,MLP}_low"]),
        ("test_{1,2,…}_{1,2,…}", ["test_1_2", "test_12_3"], ["test_1", "test_a_1", "test_1_2_3"]),
        ("agreement{,_drawn}", ["agreement", "agreement_drawn"], ["agreement_"]),
        ("within {0.1,5} %", ["within 0.1 %", "within 5 %"], ["within 0x1 %"]),
    ],
)
def test_alternatives(name, stands_for, not_for):
    column = Column(name, "")
    assert [known for known in (*stands_for, *not_for) if column.stands_for(known)] == stands_for


@pytest.mark.parametrize(
    ("table", "spec"), [("symbolic_runs", RunSpec), ("ablation_drawn", DrawnSpec), ("peaks_runs", ContinualSpec)]
)
def test_a_table_of_runs_has_the_fields_of_their_spec(table, spec):
    declared = {column.name: column for column in columns._TABLES[table].columns}
    for field in fields(spec):
        if field.name not in UNTABLED:
            assert field.name in declared
            assert declared[field.name].optional or field.default is not None


def test_columns_are_named_out_of_a_group():
    assert [column.name for column in named(COUNTS, "flops", "parameters")] == ["flops", "parameters"]
    with pytest.raises(KeyError):
        named(RUNS, "nothing")
