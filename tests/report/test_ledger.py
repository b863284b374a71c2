"""The books of runs: what went in, what came out page by page, how it ended."""

import hashlib
import json
import os
import stat
from datetime import date

import pytest

from salesanalysis import cli
from salesanalysis.report import ledger, publish
from salesanalysis.report.exits import Exit, RunError
from salesanalysis.report.run import run, run_days

from .tiny import CELLS

TABLES = {
    "deals": {"n_in": 41, "n_accepted": 38, "n_quarantined": 2, "n_refused": 1},
    "people": {"n_in": 5, "n_accepted": 5, "n_quarantined": 0, "n_refused": 0},
}


def quiet(text):
    """Drop progress."""


def look(store, as_of):
    """What the CRM room says of a store: exported on the last day of 2026, last record two days before."""
    return {
        "source": "tiny",
        "extracted_on": date(2026, 12, 31),
        "first_on": date(2026, 1, 1),
        "tables": TABLES,
        "days": [date(2026, 6, 27), date(2026, 6, 28)],
    }


def books(project):
    """The books of a project's runs, oldest first."""
    return ledger.read(project.root / "reports")


def test_a_book_says_what_went_in_and_what_came_out(project, no_kernel):
    """
    Sums of the inputs, versions, parameters, rows, and each page with its seconds and bytes.
    """
    made = run(project.suite, look=look, progress=quiet)

    (book,) = books(project)
    assert (book["suite"], book["as_of"]) == ("monthly.yaml", "2026-06-30")
    assert (book["status"], book["exit_code"], book["warnings"]) == ("published", 0, [])
    assert book["inputs"] == {
        "suite_sha256": hashlib.sha256(project.suite.read_bytes()).hexdigest(),
        "store_sha256": hashlib.sha256(b"a store").hexdigest(),
        "lock_sha256": None,
    }
    assert book["source"]["tables"] == TABLES and book["source"]["extracted_on"] == "2026-12-31"
    assert set(book["versions"]) >= {"python", "salesanalysis", "papermill", "pandas"}
    assert [page["name"] for page in book["reports"]] == ["rep_ranking", "sales_funnel"]
    for page in book["reports"]:
        assert page["status"] == "made" and page["seconds"] > 0
        assert page["bytes"] == len(next(made.parent.rglob(f"{page['name']}.ipynb")).read_bytes())
    published = next(suite for suite in manifest(made)["suites"])
    assert book["run"] == published["run"] and book["seconds"] > 0


def manifest(index):
    """What the manifest beside a date's index says."""
    return json.loads((index.parent / "manifest.json").read_text())


def test_every_line_of_the_log_is_json_with_time_and_event(project, no_kernel):
    """
    A page and the end of the run are events.
    """
    run(project.suite, progress=quiet)

    (file,) = (project.root / "reports" / ledger.FOLDER).glob("*/log.jsonl")
    events = [json.loads(line) for line in file.read_text().splitlines()]
    assert [event["event"] for event in events] == ["page", "page", "published"]
    assert all(event["at"][:3] == "202" for event in events)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_only_their_owner_opens_the_books(project, no_kernel):
    """
    Parameters name people, so nobody else may read them.
    """
    run(project.suite, progress=quiet)

    mode = (project.root / "reports" / ledger.FOLDER).stat().st_mode
    assert stat.S_IMODE(mode) == 0o700


def test_a_run_that_fails_has_a_book_too(project, no_kernel, monkeypatch):
    """
    The book says why, and which page failed.
    """
    project.notebook("rep_ranking", ["# No answer", *CELLS[1:3], "1", "2"])
    monkeypatch.undo()  # a real kernel

    with pytest.raises(RunError, match=r"rep_ranking.ipynb: the last code cell must show"):
        run(project.suite, progress=quiet)

    (book,) = books(project)
    assert (book["status"], book["exit_code"]) == ("failed", 1)
    (page,) = [page for page in book["reports"] if page["status"] == "failed"]
    assert page["name"] == "rep_ranking" and "last code cell" in page["message"]
    assert book["message"].startswith("rep_ranking.ipynb: ")


@pytest.mark.parametrize(
    ("as_of", "match"),
    [
        ("2026-07-31", "newest record must be at most 10 days older"),
        ("2027-01-31", "must not lie after 2026-12-31"),
        ("2025-12-31", "must not lie before the first deal"),
    ],
)
def test_data_that_do_not_reach_the_date_stop_the_run(project, no_kernel, as_of, match):
    """
    No kernel starts, the exit code is that of refused input, and the book says so.
    """
    with pytest.raises(RunError, match=match) as caught:
        run(project.suite, as_of=as_of, look=look, progress=quiet)

    assert caught.value.code == Exit.INPUT_REFUSED
    assert project.published() == {}
    (book,) = books(project)
    assert (book["status"], book["exit_code"], book["reports"]) == ("failed", 3, [])


def test_old_data_are_taken_where_that_is_asked_for(project, no_kernel):
    """
    With it allowed, the reports are made.
    """
    made = run(project.suite, as_of="2026-07-31", look=look, is_stale_allowed=True, progress=quiet)

    assert made.is_file()


def test_a_locked_folder_gets_a_book(project, no_kernel):
    """
    A scheduler's run that met another one can be found later.
    """
    with (
        publish.exclusive(project.root / "reports"),
        pytest.raises(RunError, match="another run"),
    ):
        run(project.suite, progress=quiet)

    (book,) = books(project)
    assert (book["status"], book["exit_code"]) == ("failed", 5)


def test_inputs_that_change_during_the_run_stop_it(project, no_kernel, monkeypatch):
    """
    A store loaded again while notebooks read it would mix two stores: nothing is published, exit 75.
    """
    from salesanalysis.report import execute

    before = execute.execute

    def replaced(notebook, draft, **kwargs):
        if notebook.stem == "rep_ranking":
            (project.root / "data/crm.duckdb").write_bytes(b"another store")
        return before(notebook, draft, **kwargs)

    monkeypatch.setattr(execute, "execute", replaced)
    with pytest.raises(RunError, match="store and process file must stay as they are") as caught:
        run(project.suite, progress=quiet)

    assert caught.value.code == Exit.TRY_LATER
    assert project.published() == {}


def test_the_table_has_a_line_for_each_date(project, no_kernel, capsys):
    """
    Dates, status, pages, rows and reason; a run that was killed is not ended.
    """
    run_days(project.suite, ["2026-06-30", "2026-07-31"], look=look, progress=quiet)
    ledger.Book(project.root / "reports", suite="monthly.yaml", as_of="2026-05-31")

    cli.main(["runs", "--out", str(project.root / "reports")])

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["started", "suite", "as"] and len(lines) == 4
    by_date = {line.split()[2]: line for line in lines[1:]}
    assert by_date["2026-06-30"].split()[3:10] == ["published", "0", "2", "0", "46", "43", "3"]
    assert by_date["2026-07-31"].split()[3:9] == ["failed", "3", "0", "0", "46", "43"]
    assert "newest record must be" in by_date["2026-07-31"]
    assert "not ended" in by_date["2026-05-31"]


def test_without_any_run_the_table_says_so(tmp_path, capsys):
    """
    An empty table would look like a fault.
    """
    cli.main(["runs", "--out", str(tmp_path)])

    assert "no run has written its book" in capsys.readouterr().out
