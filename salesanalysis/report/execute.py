"""Run one notebook in a kernel of its own, and make of it what may be kept and shown."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from salesanalysis.present.html import MIME, end
from salesanalysis.report import page, settings
from salesanalysis.report.exits import Exit
from salesanalysis.report.kernels import Kernel

FAILURES = (
    PapermillExecutionError,
    CellTimeoutError,
    RuntimeError,
    ValueError,
    KeyboardInterrupt,
)
"""What `execute` raises, and `reason` explains."""


def execute(
    notebook: Path, draft: Path, *, parameters: Mapping[str, Any], cell_seconds: int
) -> NotebookNode:
    """
    Run a notebook with parameters, in its own folder, and see that it came to its end.

    Parameters
    ----------
    notebook : Path
        Stays as it is.
    draft : Path
        Where the executed notebook is written, cell by cell.
    parameters : mapping
        Values of names that the parameters cell declares.
    cell_seconds : int
        How long one cell may take.

    Raises
    ------
    papermill.PapermillExecutionError
        A cell failed.
    nbclient.exceptions.CellTimeoutError, nbclient.exceptions.DeadKernelError
        A cell took too long; the kernel died.
    ValueError
        The end mark is missing.
    """
    papermill.execute_notebook(
        settings.for_papermill(notebook),
        settings.for_papermill(draft),
        dict(parameters),
        progress_bar=False,
        execution_timeout=cell_seconds,
        kernel_manager_class=Kernel,
        # The kernel's working folder, without changing that of the runner.
        resources={"metadata": {"path": str(notebook.parent)}},
    )
    executed = nbformat.read(draft, as_version=4)
    _expect_end(executed)
    return executed


def _expect_end(notebook: NotebookNode) -> None:
    last = [cell for cell in notebook.cells if cell.cell_type == "code"][-1]
    if not any(output.get("data", {}).get(MIME) == str(end()) for output in last.outputs):
        raise ValueError(
            "the last code cell must show salesanalysis.present.html.end(), but did not; "
            "add it, or look why the notebook stopped early"
        )


def reason(error: BaseException, draft: Path) -> tuple[str, Exit]:
    """Say in one line why a notebook failed, and with which exit code the run ends."""
    if isinstance(error, PapermillExecutionError):
        refused = {"InputRefused": Exit.INPUT_REFUSED, "ParameterError": Exit.USAGE}
        if error.ename in refused:
            return " ".join(error.evalue.split()), refused[error.ename]
        found = " ".join(f"{error.ename}: {error.evalue}".split())
        return f"cell {_last_started(draft)} failed with {found[:500]}", Exit.UNEXPECTED
    if isinstance(error, CellTimeoutError):
        return f"cell {_last_started(draft)} took too long and was stopped", Exit.TIMEOUT
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", Exit.INTERRUPTED
    if isinstance(error, RuntimeError):  # DeadKernelError, and a kernel that never answered
        place = f" in cell {_last_started(draft)}" if isinstance(error, DeadKernelError) else ""
        return f"the kernel died{place}; is there enough memory?", Exit.KERNEL_DIED
    return str(error), Exit.UNEXPECTED


def _last_started(draft: Path) -> int:
    notebook = nbformat.read(draft, as_version=4)
    # papermill marks the failed cell with cells of its own.
    tag = "papermill-error-cell-tag"
    notebook.cells = [cell for cell in notebook.cells if tag not in cell.metadata.get("tags", [])]
    started = [
        number
        for number, cell in enumerate(notebook.cells)
        if cell.metadata.get("papermill", {}).get("start_time")
    ]
    return page.cell_number(notebook, started[-1]) if started else 1


def portable(notebook: NotebookNode, shown: Mapping[str, str]) -> NotebookNode:
    """Leave out of an executed notebook what changes from run to run or names this machine."""
    text = nbformat.writes(notebook)
    for path, instead in shown.items():
        text = text.replace(json.dumps(path, ensure_ascii=False)[1:-1], instead)
    notebook = nbformat.reads(text, as_version=4)
    notebook.metadata = {
        key: notebook.metadata[key]
        for key in ("kernelspec", "language_info")
        if key in notebook.metadata
    }
    for number, cell in enumerate(notebook.cells, start=1):
        cell.id = f"cell-{number}"
        tags = cell.metadata.get("tags")
        cell.metadata = {"tags": tags} if tags else {}
        if cell.cell_type == "code":
            # Warnings name files of this machine; the analyst sees them in JupyterLab.
            cell.outputs = [output for output in cell.outputs if output.output_type != "stream"]
    return notebook
