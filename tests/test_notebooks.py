"""Every notebook runs top to bottom on its defaults, as nbval and as plain papermill."""

import os
import shutil
import subprocess
import sys

import nbformat
import papermill
import pytest
from export import ROOT

from salesanalysis import crm
from salesanalysis.crm import sample

NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the notebooks beside a small sample store, so that no store of the developer's own is used."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".*"))
    shutil.copytree(ROOT / "params", folder / "params")
    sample.write(folder / "data" / "sample", deals=1200)
    mapping = folder / "params" / "sources" / "sample.yaml"
    crm.load(
        folder / "data" / "sample", mapping, folder / "data" / "crm.duckdb", say=lambda _: None
    )
    return folder


def test_every_notebook_runs_on_its_defaults(project):
    """nbval opens each notebook in its own folder, as JupyterLab does, and no cell fails."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--nbval-lax",
            "-q",
            "-p",
            "no:cacheprovider",
            "notebooks",
        ],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )

    cells = sum(
        cell.cell_type == "code"
        for name in NOTEBOOKS
        for cell in nbformat.read(project / "notebooks" / f"{name}.ipynb", as_version=4).cells
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"{cells} passed" in done.stdout


def test_plain_papermill_runs_a_notebook_with_its_parameter_file(project, monkeypatch):
    """`papermill notebooks/sales_funnel.ipynb out.ipynb -f params/sales_funnel.yaml` needs no runner of ours."""
    monkeypatch.chdir(project)

    done = subprocess.run(
        [sys.executable, "-m", "papermill", "notebooks/sales_funnel.ipynb", "out.ipynb", "-f",
         "params/sales_funnel.yaml", "--no-progress-bar"],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-3000:]
    assert 'data-end="ok"' in (project / "out.ipynb").read_text("utf-8").replace('\\"', '"')


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_parameter_files_hold_parameters_of_their_notebook(name):
    """Each notebook has a parameter file of its name, with known names and the notebook's own defaults."""
    import yaml

    known = papermill.inspect_notebook(str(ROOT / "notebooks" / f"{name}.ipynb"))
    given = yaml.safe_load((ROOT / "params" / f"{name}.yaml").read_text("utf-8"))

    assert set(given) == set(known) - {"crm", "as_of", "process", "year_starts"}
    assert {key: eval(known[key]["default"]) for key in given} == given
