"""The page of one rep, run as a whole: nothing in it names anybody else."""

import json

import papermill
import pytest
from export import ROOT

from salesanalysis import crm
from salesanalysis.crm import sample


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A small sample company."""
    folder = tmp_path_factory.mktemp("attention")
    sample.write(folder / "export", deals=600)
    mapping = ROOT / "params" / "sources" / "sample.yaml"
    return crm.load(folder / "export", mapping, folder / "crm.duckdb", say=lambda _: None)


def test_a_reps_page_and_its_files_name_nobody_else(store, tmp_path):
    """
    No other person's name or id stands in text, chart, alternative text, files or parameters; the own ones do.
    """
    with crm.observe(store, "2026-06-30") as seen:
        people = seen.frame("SELECT person_id, name FROM people ORDER BY person_id")
        busiest = seen.frame(
            "SELECT owner, count(*) AS n FROM deals WHERE cause = 0 GROUP BY 1 ORDER BY 2 DESC, 1"
        )["owner"].iloc[0]

    parameters = {"crm": str(store), "process": str(ROOT / "params" / "process.yaml")}
    made = papermill.execute_notebook(
        ROOT / "notebooks" / "attention.ipynb",
        tmp_path / "out.ipynb",
        parameters=parameters | {"rep": busiest, "per_person": 2},
        progress_bar=False,
        log_output=False,
    )

    text = json.dumps(made, ensure_ascii=False)
    own = people[people["person_id"] == busiest].iloc[0]
    others = people[people["person_id"] != busiest]
    assert 'data-end=\\"ok\\"' in text
    assert "attention.ics" in text and "BEGIN:VTODO" in text
    assert own["name"] in text and own["person_id"] in text
    assert len(others) > 10
    assert [name for name in (*others["name"], *others["person_id"]) if name in text] == []
