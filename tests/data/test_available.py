import pytest
import torch

from kanbefair import data
from kanbefair.data import files, text
from kanbefair.data.available import available, some_available
from kanbefair.data.task import make_task
from kanbefair.errors import InputError

COLA_ROWS = "gj04\t0\t*\tHe so said.\n", "gj04\t1\t\tHe said so.\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty data folder and an empty cache; a download is a failure of the test."""
    monkeypatch.setenv("KANBEFAIR_CACHE", str(tmp_path / "cache"))
    for module in (files, text):
        monkeypatch.setattr(module, "fetch", lambda *args: pytest.fail(f"a download of {args}"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def write_cola(folder):
    for source in text.COLA.values():
        path = folder / source.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(COLA_ROWS[row % 2] for row in range(source.rows)))


def test_what_ships_with_the_package_is_available_and_nothing_is_downloaded(folder):
    assert available(["Digits", "CoLA", "MNIST", "Income", "Special_jv"], folder) == ["Digits", "Special_jv"]


def test_files_in_the_data_folder_count_if_they_are_whole(folder):
    write_cola(folder)
    assert available(["CoLA", "AG_NEWS"], folder) == ["CoLA"]
    path = folder / text.COLA["test"].path
    path.write_text(path.read_text()[:-30])
    assert available(["CoLA", "AG_NEWS"], folder) == []


def test_the_order_is_kept_and_each_name_comes_once(folder):
    write_cola(folder)
    assert available(iter(["CoLA", "Digits", "MNIST", "CoLA", "Digits", "Special_jv"]), folder) == [
        "CoLA",
        "Digits",
        "Special_jv",
    ]
    assert available([], folder) == []


def test_the_data_folder_may_come_from_the_environment(folder, monkeypatch):
    write_cola(folder)
    monkeypatch.setenv("KANBEFAIR_DATA", str(folder))
    assert available(["CoLA"]) == available(["CoLA"], "") == ["CoLA"]


def test_downloads_are_allowed_again_afterwards(folder):
    available(["MNIST"], folder)
    assert files._downloads_allowed


def test_wrong_arguments_are_not_answered_with_an_empty_list(folder):
    with pytest.raises(InputError, match="did you mean 'Digits'"):
        available(["Digit"], folder)
    with pytest.raises(InputError, match="does not exist"):
        available(["Digits"], folder / "nowhere")
    with pytest.raises(InputError, match="unknown protocol"):
        available(["Digits"], folder, protocol="faire")


def test_the_protocol_is_the_one_that_is_asked_for(folder, own_registries):
    @data.register("Fair only", domain="tabular")
    def fair_only(request):
        if request.protocol == "published":
            raise InputError("not published")
        x = torch.rand(20, 2)
        return make_task(request.name, "tabular", request.protocol, (x, x), (x, x))

    assert available(["Fair only"], folder) == []
    assert available(["Fair only"], folder, protocol="fair") == ["Fair only"]


def test_other_errors_are_not_hidden(folder, own_registries):
    @data.register("Broken", domain="tabular")
    def broken(request):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        available(["Broken"], folder)
    assert files._downloads_allowed


def test_work_that_needs_a_dataset_is_told_where_they_were_looked_for(folder):
    assert some_available(["MNIST", "Digits"], folder) == ["Digits"]
    with pytest.raises(InputError, match=f"none of MNIST, Income is in '{folder}'; name another folder with data_dir"):
        some_available(iter(["MNIST", "Income"]), folder)
