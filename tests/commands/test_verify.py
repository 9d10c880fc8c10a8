import shutil

import pytest

from kanbefair import execute, verify

HEADER = "dataset,score,commit,python,results_version,processor,capability,mkl,form,threads"
ROWS = (
    "Rice,0.25,a1,3.11.7,v1,Chip A,AVX2,AUTO,compiled,1",
    "Wine,0.50,a1,3.11.7,v1,Chip A,AVX2,AUTO,compiled,1",
)


def write(folder, name="scores", header=HEADER, rows=ROWS):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.csv").write_text("\n".join([header, *rows, ""]))


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A folder with one kept table, which takes the place of the project's."""
    write(tmp_path / "kept")
    monkeypatch.setattr(verify, "KEPT", tmp_path / "kept")
    return tmp_path / "kept"


@pytest.fixture
def made(tmp_path):
    return tmp_path / "made"


def compared(kept, made):
    return str(verify.compare("scores", kept, made))


def test_equal_tables_are_the_same(kept, made):
    write(made)
    assert compared(kept, made) == "scores: same"


def test_another_commit_and_another_python_may_give_the_same(kept, made):
    write(made, rows=[row.replace("a1,3.11.7", "b2+,3.12.1") for row in ROWS])
    assert compared(kept, made) == "scores: same"


def test_one_byte_more_is_different_and_is_named(kept, made):
    write(made, rows=[ROWS[0], ROWS[1].replace("0.50", "0.5")])
    assert compared(kept, made) == "scores: different: row 2, column score: kept is 0.50, made is 0.5"


@pytest.mark.parametrize("rows", [ROWS[:1], (*ROWS, ROWS[0])])
def test_a_row_less_or_more_is_different(kept, made, rows):
    write(made, rows=rows)
    assert compared(kept, made) == f"scores: different: kept are 2 rows, made are {len(rows)}"


def test_another_column_is_different(kept, made):
    write(made, header=HEADER.replace("score", "points"))
    assert compared(kept, made) == "scores: different: kept is column score, made is column points"
    write(made, header=f"{HEADER},device", rows=[f"{row},cpu" for row in ROWS])
    assert compared(kept, made) == "scores: different: kept is column none, made is column device"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("Chip A", "Chip B", "processor is Chip A there and Chip B here"),
        ("v1", "v2", "results_version is v1 there and v2 here"),
        ("AVX2", "AVX512", "capability is AVX2 there and AVX512 here"),
        ("AUTO", "default", "mkl is AUTO there and default here"),
        ("compiled", "plain", "form is compiled there and plain here"),
        (",1", ",2", "threads is 1 there and 2 here"),
        ("v1,Chip A", "v2,Chip B", "results_version is v1 there and v2 here; processor is Chip A there and Chip B here"),
    ],
)
def test_a_table_of_another_place_is_not_compared(kept, made, old, new, why):
    write(made, rows=[row.replace("0.50", "0.51").replace(old, new) for row in ROWS])
    assert compared(kept, made) == f"scores: not compared: {why}"


def test_a_table_made_in_two_places_is_not_compared(kept, made):
    write(kept, rows=[ROWS[0], ROWS[1].replace("Chip A", "Chip B")])
    write(made)
    assert compared(kept, made) == "scores: not compared: processor is Chip A, Chip B there and Chip A here"


def test_a_kept_table_that_does_not_say_where_it_was_made_is_not_compared(kept, made):
    write(kept, header="dataset,score", rows=["Rice,0.25"])
    write(made)
    assert compared(kept, made) == "scores: not compared: the kept table has no column results_version"


def test_a_table_that_was_never_kept_is_different(kept, made):
    write(made, "new")
    assert str(verify.compare("new", kept, made)) == f"new: different: {kept} has no such table"


def test_only_what_was_made_anew_is_compared(kept, made):
    write(kept, verify.TIMES)
    shutil.copytree(kept, made)
    assert verify.compare_new(kept, made) == []
    write(made, "new")
    write(made, verify.TIMES)
    assert [result.table for result in verify.compare_new(kept, made)] == ["new"]


def test_a_kept_table_that_its_section_or_that_no_notebook_writes_any_longer_is_different(kept, monkeypatch):
    write(kept, verify.TIMES)
    write(kept, "old")
    write(kept, "others")
    monkeypatch.setattr(execute, "names", lambda: ["01_new", "02_other"])
    monkeypatch.setattr(execute, "tables", {"01_new": {"new", "scores"}, "02_other": {"others"}}.get)
    found = verify.no_longer_written(kept, ["new"], ["01_new"])
    assert [str(one) for one in found] == [
        "old: different: no notebook writes it",
        "scores: different: 01_new has not written it",
    ]
    assert [one.table for one in verify.no_longer_written(kept, ["new", "scores"], ["01_new"])] == ["old"]


@pytest.fixture
def executed(monkeypatch):
    """What `execute_all` was asked for: in its place one table is written, with the rows that stand under "rows".

    What came of the sections stands under "came"; a notebook writes the table "scores".
    """
    asked = {"rows": ROWS, "came": []}
    monkeypatch.setattr(execute, "tables", lambda name: {"scores"} if name == "03_symbolic" else set())

    def write_scores(sections, parameters, at_once):
        asked.update(sections=sections, at_once=at_once, **parameters)
        folder = verify.Path(parameters["out"], "results", "embedded")
        asked["there"] = sorted(path.name for path in folder.iterdir())
        write(folder, rows=asked["rows"])
        return asked["came"]

    monkeypatch.setattr(execute, "execute_all", write_scores)
    return asked


def test_sections_are_executed_in_a_folder_with_copies_of_the_kept_tables_alone(kept, executed, capsys):
    (kept / "notebooks").mkdir()
    assert verify.main(["03_symbolic", "05_vision"]) == 0
    assert (executed["sections"], executed["at_once"]) == (["03_symbolic", "05_vision"], 1)
    assert executed["there"] == ["scores.csv"]
    assert not verify.Path(executed["out"]).exists()
    left_out, found = capsys.readouterr().out.splitlines()
    assert all(name in left_out for name in ("commit", "kanbefair", "python", "notebook_seconds"))
    assert found == "scores: same"


def test_without_names_all_sections_but_those_that_measure_are_executed(kept, executed):
    assert verify.main([]) == 0
    assert set(execute.names()) - set(executed["sections"]) == {"10_speed"}
    assert executed["at_once"] == 2


def test_a_difference_ends_in_exit_1(kept, executed, capsys):
    executed["rows"] = ROWS[:1]
    assert verify.main(["03_symbolic"]) == 1
    assert "scores: different: kept are 2 rows, made are 1" in capsys.readouterr().out


def test_a_section_that_failed_is_named_beside_what_the_others_made(kept, executed, capsys):
    write(kept, "old")
    executed["came"] = [
        execute.Executed("03_symbolic", 3.0),
        execute.Executed("04_tabular", 2.0, failed=2),
        execute.Executed("05_vision", 1.0, error="KeyError: 'x' (see there)"),
    ]
    assert verify.main(["03_symbolic", "04_tabular", "05_vision"]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "scores: same",
        "old: different: no notebook writes it",
        "04_tabular: failed: 2 runs failed",
        "05_vision: failed: KeyError: 'x' (see there)",
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [("03_symbol", "unknown section '03_symbol'"), ("10_speed", "10_speed measures times, which differ from run to run")],
)
def test_a_section_that_cannot_be_verified_ends_in_exit_2(kept, executed, capsys, name, words):
    assert verify.main([name]) == 2
    assert f"error: {words}" in capsys.readouterr().err
    assert "sections" not in executed


def test_a_section_that_writes_no_table_is_not_verified(kept, executed, monkeypatch, capsys):
    (kept / "scores.csv").unlink()
    monkeypatch.setattr(verify, "compare_new", lambda kept, made: [])
    assert verify.main(["03_symbolic"]) == 1
    assert "03_symbolic: different: no table was written" in capsys.readouterr().out
