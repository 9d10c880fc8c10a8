import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import papermill
import pytest

from kanbefair.folders import PROJECT

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TOKEN = "kanbefair"
PATIENCE = 120

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")


def wait_for(what, condition):
    """The first true value of `condition()`."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.2)
    raise AssertionError(f"waited {PATIENCE} s for {what}")


@pytest.fixture
def lab(tmp_path):
    """JupyterLab on a folder with a smoke copy of 03_symbolic: (its address, the folder)."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    papermill.execute_notebook(
        PROJECT / "notebooks" / "03_symbolic.ipynb",
        folder / "03_symbolic.ipynb",
        prepare_only=True,
        progress_bar=False,
        parameters={"profile": "smoke", "out": str(tmp_path / "out"), "workers": 1},
    )
    places = {
        name: str(tmp_path / name.lower())
        for name in (
            "JUPYTER_CONFIG_DIR",
            "JUPYTER_DATA_DIR",
            "JUPYTER_RUNTIME_DIR",
            "JUPYTERLAB_SETTINGS_DIR",
            "JUPYTERLAB_WORKSPACES_DIR",
            "IPYTHONDIR",
        )
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        "--port=0",
        f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={folder}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]
    with (tmp_path / "jupyter.log").open("w") as log:
        server = subprocess.Popen(command, env=os.environ | places, stdout=log, stderr=log)
        try:
            runtime = Path(places["JUPYTER_RUNTIME_DIR"])
            (info,) = wait_for("JupyterLab", lambda: server.poll() is None and list(runtime.glob("jpserver-*.json")))
            yield json.loads(info.read_text())["url"], folder
        finally:
            server.terminate()
            server.wait(timeout=30)


def kernel_is_idle(address):
    request = urllib.request.Request(f"{address}api/sessions", headers={"Authorization": f"token {TOKEN}"})
    with urllib.request.urlopen(request) as answer:
        sessions = json.load(answer)
    return [session["kernel"]["execution_state"] for session in sessions] == ["idle"]


def test_a_notebook_runs_from_top_to_bottom_in_jupyterlab(lab):
    from playwright.sync_api import sync_playwright

    address, folder = lab
    path = folder / "03_symbolic.ipynb"

    def code_cells():
        return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]

    assert all(cell.execution_count is None and cell.outputs == [] for cell in code_cells())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(f"{address}lab/tree/03_symbolic.ipynb?token={TOKEN}", timeout=PATIENCE * 1000)
        page.locator(".jp-Notebook h1", has_text="Symbolic functions").wait_for(timeout=PATIENCE * 1000)
        wait_for("the kernel", lambda: kernel_is_idle(address))
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()

        def all_have_run():
            page.keyboard.press("Control+s")
            page.wait_for_timeout(500)
            return all(cell.execution_count for cell in code_cells())

        wait_for("the cells", all_have_run)
        assert page.locator(".jp-Notebook img").count() >= 1
        browser.close()
    cells = code_cells()
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not any(output.output_type == "error" for cell in cells for output in cell.outputs)
    shown = [kind for cell in cells for output in cell.outputs for kind in output.get("data", {})]
    assert "image/png" in shown
    assert "text/html" in shown
    assert "text/markdown" in shown
    made = folder.parent / "out"
    assert (made / "figures" / "smoke" / "symbolic_parameters.png").is_file()
    assert (made / "results" / "smoke" / "symbolic_verdict.csv").is_file()
