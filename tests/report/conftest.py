"""A tiny project, and a runner that starts no kernel."""

from contextlib import nullcontext

import nbformat
import pytest

from salesanalysis.present import html
from salesanalysis.report import execute, kernels

from .tiny import Project, shown


@pytest.fixture
def project(tmp_path):
    """
    Two notebooks and a suite.
    """
    return Project(tmp_path)


class NoKernel:
    """What a run does to a kernel beside running notebooks in it."""

    n_retries = 0

    def kill(self):
        """There is nothing to end."""


@pytest.fixture
def no_kernel(monkeypatch):
    """
    Notebooks are executed by writing down what a kernel would have shown.
    """

    def executed(notebook, draft, *, parameters, cell_seconds, kernel):
        nb = nbformat.read(notebook, as_version=4)
        nb.cells[-2].outputs = [shown(html.answer(
            message=f"27 % as of {parameters['as_of']}", truth=["41 deals"],
            cards=[{"label": "Won", "value": "27 %"}] * 3,
        ))]  # fmt: skip
        nb.cells[-1].outputs = [shown(html.end())]
        nbformat.write(nb, draft)
        return nb

    monkeypatch.setattr(execute, "execute", executed)
    monkeypatch.setattr(kernels, "started", lambda folder, warm, shared: nullcontext(NoKernel()))
    monkeypatch.setattr(kernels, "warm", lambda notebooks: nullcontext())
