"""What is kept of an executed notebook."""

import pytest
from nbformat import v4

from salesanalysis.report import execute

from .tiny import make_notebook


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('rep: str = "乙"  # 谁\nn: int = 1', "rep: str = '甲'  # 谁\nn: int = 1"),
        ('n: int = 1\nrep = "乙"  # type: str\n', "n: int = 1\nrep = '甲'  # type: str\n"),
        ('rep: str = (\n    "乙"\n    "丙"\n)\nteam: str = "T"', "rep: str = (\n    '甲'\n)\nteam: str = 'U'"),
        ('rep: str\nrepeat: str = "乙"', 'rep: str\nrepeat: str = "乙"'),
        ('"""乙"""\r\nrep: str = "乙"\r\n', '"""乙"""\r\nrep: str = \'甲\'\r\n'),
    ],
    ids=["annotated", "comment", "several lines", "no default", "line ends"],
)  # fmt: skip
def test_a_default_that_names_someone_else_is_replaced(source, expected):
    """
    Only the value of the named parameter changes, wherever it stands.
    """
    notebook = make_notebook(["# A question?", source, "1"])

    kept = execute.portable(notebook, {}, {"rep": "甲", "team": "U"})

    assert kept.cells[1].source == expected


def test_a_path_that_begins_another_is_not_cut_out_of_it():
    """
    The longer path is replaced first.
    """
    notebook = v4.new_notebook(cells=[v4.new_code_cell('a = "/x/crm"\nb = "/x/crm.yaml"')])

    kept = execute.portable(notebook, {"/x/crm": "CRM", "/x/crm.yaml": "FILE"}, {})

    assert kept.cells[0].source == 'a = "CRM"\nb = "FILE"'
