"""Run a notebook in a kernel, and make of it what may be kept and shown."""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode, v4
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from salesanalysis.present.html import MIME, end
from salesanalysis.report import page, redact, settings
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


_ENGINE = "salesanalysis"
# The second line makes a warning that an earlier page showed appear again.
_FORGET = "%reset -f\n__import__('warnings').simplefilter('default', append=True)"


class _RunningKernel(NBClientEngine):
    """papermill's own engine, but in a kernel that runs already and goes on running."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        kernel: Kernel,
        execution_timeout: int,
        begun: list[Any],
        **_others: Any,
    ) -> None:
        """Execute the cells; ``begun`` receives what holds the notebook, also if it fails."""
        begun.append(nb_man)
        client = PapermillNotebookClient(nb_man, km=kernel, timeout=execution_timeout)
        client.kc = kernel.conversation
        client.execute()


papermill_engines.register(_ENGINE, _RunningKernel)


def execute(
    notebook: Path,
    draft: Path,
    *,
    parameters: Mapping[str, Any],
    cell_seconds: int,
    kernel: Kernel,
) -> NotebookNode:
    """
    Run a notebook with parameters in a kernel, and see that it came to its end.

    Parameters
    ----------
    notebook : Path
        Stays as it is.
    draft : Path
        Where the notebook is written as far as it ran, if it fails.
    parameters : mapping
        Values of names that the parameters cell declares.
    cell_seconds : int
        How long one cell may take.
    kernel : Kernel
        As `kernels.started` gives; what a notebook before left in it is cleared.

    Raises
    ------
    papermill.PapermillExecutionError
        A cell failed.
    nbclient.exceptions.CellTimeoutError, nbclient.exceptions.DeadKernelError
        A cell took too long; the kernel died.
    ValueError
        The end mark is missing.
    """
    _forget(kernel, cell_seconds)
    begun: list[Any] = []
    try:
        executed = papermill.execute_notebook(
            settings.for_papermill(notebook),
            None,  # papermill would write it three times, at more cost than running a cell
            dict(parameters),
            engine_name=_ENGINE,
            progress_bar=False,
            execution_timeout=cell_seconds,
            kernel=kernel,
            begun=begun,
        )
        redact.redact_notebook(executed)
        _expect_end(executed)
    except BaseException:
        for manager in begun:
            redact.redact_notebook(manager.nb)
            nbformat.write(manager.nb, draft)
        raise
    return executed


def _forget(kernel: Kernel, cell_seconds: int) -> None:
    """Clear the variables that a notebook left, as silently as if the kernel were new."""
    cell = v4.new_code_cell(_FORGET)
    client = NotebookClient(v4.new_notebook(cells=[cell]), km=kernel, timeout=cell_seconds)
    client.kc = kernel.conversation
    try:
        client.execute_cell(cell, 0, store_history=False)
    except (CellExecutionError, CellTimeoutError) as error:
        raise ValueError(
            f"the variables of the page before must be cleared, but that failed: {error}"
        ) from error


def _expect_end(notebook: NotebookNode) -> None:
    last = [cell for cell in notebook.cells if cell.cell_type == "code"][-1]
    if not any(output.get("data", {}).get(MIME) == str(end()) for output in last.outputs):
        raise ValueError(
            "the last code cell must show salesanalysis.present.html.end(), but did not; "
            "add it, or look why the notebook stopped early"
        )


def reason(error: BaseException, draft: Path) -> tuple[str, Exit]:
    """Say in one line, without secrets, why a notebook failed, and with which exit code the run ends."""
    if isinstance(error, PapermillExecutionError):
        refused = {"InputRefused": Exit.INPUT_REFUSED, "ParameterError": Exit.USAGE}
        if error.ename in refused:
            return " ".join(redact.redact(error.evalue).split()), refused[error.ename]
        if error.ename == "KeyboardInterrupt":  # somebody sent the kernel a signal
            return f"cell {_last_started(draft)} was interrupted", Exit.INTERRUPTED
        found = " ".join(redact.redact(f"{error.ename}: {error.evalue}").split())
        return f"cell {_last_started(draft)} failed with {found[:500]}", Exit.UNEXPECTED
    if isinstance(error, CellTimeoutError):
        return f"cell {_last_started(draft)} took too long and was stopped", Exit.TIMEOUT
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", Exit.INTERRUPTED
    if isinstance(error, RuntimeError):  # DeadKernelError, and a kernel that never answered
        in_cell = isinstance(error, DeadKernelError) and draft.exists()
        place = f" in cell {_last_started(draft)}" if in_cell else ""
        return f"the kernel died{place}; is there enough memory?", Exit.KERNEL_DIED
    return redact.redact(str(error)), Exit.UNEXPECTED


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


def portable(
    notebook: NotebookNode, shown: Mapping[str, str], own: Mapping[str, str]
) -> NotebookNode:
    """
    Leave out of an executed notebook what changes from run to run or names this machine.

    Parameters
    ----------
    notebook : NotebookNode
        Executed; is changed.
    shown : mapping
        What stands in place of a path.
    own : mapping
        Parameters whose default is replaced, as it names someone who is not the page's reader.
    """
    for path in sorted(shown, key=len, reverse=True):  # a path may begin with another
        _replace(notebook.cells, path, shown[path])
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
        if own and tags and "parameters" in tags:
            cell.source = _with_defaults(cell.source, own)
    _count_again(notebook)
    return notebook


def _replace(value: Any, old: str, new: str) -> Any:
    """Replace a text in all texts of a part of a notebook, in place."""
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, dict):
        for key, part in value.items():
            value[key] = _replace(part, old, new)
    elif isinstance(value, list):
        value[:] = [_replace(part, old, new) for part in value]
    return value


def _count_again(notebook: NotebookNode) -> None:
    """Number the executed cells as in a new kernel; the page may be the fortieth of this one."""
    executed = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.execution_count is not None
    ]
    for number, cell in enumerate(executed, start=1):
        cell.execution_count = number
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = number


def _with_defaults(source: str, values: Mapping[str, str]) -> str:
    """
    Put other values into the declarations of a parameters cell.

    Examples
    --------
    >>> print(_with_defaults('rep: str = "乙"  # 谁', {"rep": "甲"}))
    rep: str = '甲'  # 谁
    """
    lines = source.encode().splitlines(keepends=True)  # ast counts columns in bytes
    for node in reversed(ast.parse(source).body):
        if not isinstance(node, ast.AnnAssign | ast.Assign) or node.value is None:
            continue
        name = ast.unparse(node.target if isinstance(node, ast.AnnAssign) else node.targets[0])
        if name in values:
            first, last = node.value.lineno - 1, node.value.end_lineno - 1
            before = lines[first][: node.value.col_offset]
            after = lines[last][node.value.end_col_offset :]
            lines[first : last + 1] = [before + repr(values[name]).encode() + after]
    return b"".join(lines).decode()
