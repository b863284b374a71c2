"""A tiny project with a suite of notebooks, written by the test that needs it."""

import re

import nbformat
from export import STAGES, write_export
from nbformat import v4

from salesanalysis import crm

PARAMETERS = (
    'as_of: str = "2026-03-31"  # last day observed\n'
    'crm: str = "../data/crm.duckdb"  # the store\n'
    "within_days: int = 60  # days after creation\n"
    'rep_id: str = "007"\n'
    "share: float = 0.5\n"
    "is_detailed: bool = False\n"
    "ages: list[int] = [30, 60]\n"
)
ANSWER = """html.answer(message=f"27 % as of {as_of}", truth=["41 deals"],
            cards=[{"label": "Won", "value": "27 %"}] * 3)"""
CELLS = (
    "# Where do deals get lost?\n\nThe question.",
    PARAMETERS,
    "from salesanalysis.present import html",
    ANSWER,
    "html.end()",
)
SUITE = """\
as_of: "2026-06-30"
timezone: "Asia/Shanghai"
crm: "data/crm.duckdb"
title: "Monthly <reports>"
reports:
  - notebook: "sales_funnel"
  - notebook: "rep_ranking"
"""


def make_notebook(cells=CELLS):
    """Prose begins with #; the second cell declares the parameters."""
    notebook = v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Py", "language": "python"}},
        cells=[
            (v4.new_markdown_cell if cell.startswith("#") else v4.new_code_cell)(cell)
            for cell in cells
        ],
    )
    notebook.cells[1].metadata["tags"] = ["parameters"]
    return notebook


class Project:
    """Files of a project, and what was published."""

    def __init__(self, root):
        self.root = root
        for folder in ("notebooks", "params", "data"):
            (root / folder).mkdir()
        (root / "data" / "crm.duckdb").write_bytes(b"a store")
        self.suite = self.write("params/monthly.yaml", SUITE)
        self.notebook("sales_funnel")
        self.notebook("rep_ranking")

    def write(self, path, text):
        (self.root / path).write_text(text, encoding="utf-8")
        return self.root / path

    def notebook(self, name, cells=CELLS):
        nbformat.write(make_notebook(cells), self.root / "notebooks" / f"{name}.ipynb")

    def load(self):
        """Give it a real store of one deal, as the command line looks into it."""
        deal = {"deal_id": "D", "created_at": "2026-06-25 09:00:00", "status": "open", "stage": "A"}
        mapping = write_export(self.root / "export", {"stages": STAGES, "deals": [deal]})
        crm.load(
            self.root / "export", mapping, self.root / "data/crm.duckdb", say=lambda text: None
        )

    def published(self):
        """Every file that a reader can see, by its path."""
        out = self.root / "reports"
        return {
            path.relative_to(out).as_posix(): path.read_bytes()
            for path in sorted(out.rglob("*"))
            if path.is_file() and not path.relative_to(out).parts[0].startswith(".")
        }

    def pages(self):
        """As `published`, without the names of sets."""
        return {
            re.sub("/[0-9a-f]{16}/", "/", name): data for name, data in self.published().items()
        }


def shown(block):
    """The output that a kernel sends for a block."""
    data, metadata = block._repr_mimebundle_()
    return v4.new_output("display_data", data=data, metadata=metadata)
