"""Words for days and periods in a whole run: resolved once, by the clock of the suite's zone, and kept in what is published."""

import json
from datetime import UTC, datetime

import nbformat
import pytest

from salesanalysis.report.exits import Exit, RunError
from salesanalysis.report.run import run

from .tiny import CELLS, PARAMETERS

PERIOD = (CELLS[0], f'{PARAMETERS}period: str = ""\nyear_starts: int = 1\n', *CELLS[2:])


@pytest.fixture
def ran(project, no_kernel, monkeypatch):
    """Run a suite at an instant; gives the name of the folder published, and the parameters of its first page."""

    def _ran(instant, *, zone="Asia/Shanghai", as_of="last_month_end", line="", period=""):
        seconds = datetime.fromisoformat(instant).replace(tzinfo=UTC).timestamp()
        monkeypatch.setenv("SOURCE_DATE_EPOCH", f"{seconds:.0f}")
        project.notebook("sales_funnel", PERIOD)
        project.write("params/sales_funnel.yaml", f'period: "{period}"')
        text = project.suite.read_text().replace("Asia/Shanghai", zone)
        project.write("params/monthly.yaml", line + text.replace("2026-06-30", as_of))
        index = run(project.suite, progress=lambda text: None)
        found = max(index.parent.rglob("sales_funnel.ipynb"))
        parameters = next(
            entry["parameters"] for entry in pages(index.parent) if entry["name"] == "sales_funnel"
        )
        assert nbformat.read(found, as_version=4).cells
        return index.parent.name, parameters

    return _ran


def pages(dated):
    """Entries of the pages in the manifest of a date, whichever name it has."""
    manifest = next(path for path in dated.iterdir() if path.suffix == ".json")
    return json.loads(manifest.read_text("utf-8"))["reports"]


@pytest.mark.parametrize(
    ("instant", "zone", "as_of", "expected"),
    [
        ("2026-06-30T16:00:00", "Asia/Shanghai", "last_month_end", "2026-06-30"),
        ("2026-06-30T15:59:59", "Asia/Shanghai", "last_month_end", "2026-05-31"),
        ("2026-06-30T16:00:00", "UTC", "last_month_end", "2026-05-31"),
        ("2026-11-01T04:00:00", "America/New_York", "last_month_end", "2026-10-31"),
        ("2026-11-01T03:59:59", "America/New_York", "yesterday", "2026-10-30"),
        ("2026-10-25T23:00:00", "Europe/Berlin", "last_week_end", "2026-10-25"),
        ("2026-06-30T16:00:00", "Asia/Shanghai", "last_quarter_end", "2026-06-30"),
    ],
)
def test_a_run_is_of_the_day_of_its_zone(ran, instant, zone, as_of, expected):
    """The folder is named by it, and the notebook is told so."""
    folder, parameters = ran(instant, zone=zone, as_of=as_of)

    assert (folder, parameters["as_of"]) == (expected, expected)


def test_a_run_is_of_the_companys_year(ran):
    """The year starts in February: its last quarter over, and the half over by that day, named by their months."""
    folder, parameters = ran(
        "2026-06-30T16:00:00",
        as_of="last_quarter_end",
        line='fiscal_year_starts: "02"\n',
        period="last_half",
    )

    assert folder == "2026-04-30"
    assert (parameters["period"], parameters["year_starts"]) == ("2025-08..2026-01", 2)


def test_a_period_is_over_by_the_as_of_day_not_by_the_clock(ran):
    """A report of the past is of its own last quarter."""
    _folder, parameters = ran("2026-11-25T00:00:00", as_of="2025-06-30", period="last_quarter")

    assert (parameters["period"], parameters["year_starts"]) == ("2025-Q2", 1)


def test_a_misspelt_period_stops_the_run_before_it_begins(ran, project):
    """Nothing is published, not even a folder of the date."""
    with pytest.raises(RunError, match="sales_funnel: period must be one of last_month") as caught:
        ran("2026-06-30T16:00:00", period="last_qarter")

    assert caught.value.code == Exit.USAGE
    assert not list((project.root / "reports").glob("2*"))
