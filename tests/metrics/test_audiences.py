"""Who has pages of their own: those whom KPIs in force judge on the day, and their teams."""

import shutil

import pytest
from export import ROOT, STAGES

from salesanalysis.crm.errors import InputRefused, ParameterError
from salesanalysis.metrics.audiences import audiences

PROCESS = ROOT / "params" / "process.yaml"  # default role 销售; KPIs for 销售 and 销售经理
DEAL = {"deal_id": "1", "created_at": "2024-07-10 09:00:00", "status": "open", "stage": "A",
        "owner": "01"}  # fmt: skip
PEOPLE = [
    {"person_id": "07", "name": "韩梅", "team": "华南", "role": "销售", "hired_on": "2024-01-01"},
    {"person_id": "01", "name": "王小明", "team": "华东", "hired_on": "2024-01-01"},  # no role
    {
        "person_id": "02",
        "name": "李雷",
        "team": "华东",
        "role": "销售经理",
        "left_on": "2025-06-30",
    },
    {"person_id": "03", "name": "Ann", "role": "销售"},  # no team
    {"person_id": "04", "name": "Bo", "team": "后台", "role": "文员"},  # not judged
    {"person_id": "05", "name": "Cy", "team": "华北", "role": "销售", "hired_on": "2025-08-01"},
]


@pytest.fixture
def store(load_tables):
    """One open deal, and people of whom each has something odd."""
    return load_tables({"stages": STAGES, "deals": [DEAL], "people": PEOPLE})


@pytest.mark.parametrize(
    ("day", "reps", "teams"),
    [
        ("2025-06-30", ["01", "02", "03", "07"], ["华东", "华南"]),  # 02's last day
        ("2025-07-01", ["01", "03", "07"], ["华东", "华南"]),
        ("2025-08-01", ["01", "03", "05", "07"], ["华东", "华北", "华南"]),  # 05's first day
    ],
)
def test_reps_are_those_judged_and_there_on_the_day(store, day, reps, teams):
    """
    A role without KPIs, who has left and who is not yet there have no page; no role is the default.
    """
    found = audiences(store, day, PROCESS)

    assert [rep[0] for rep in found["rep"]] == reps
    assert found["team"] == [(team, team) for team in teams]
    assert ("01", "王小明", "华东") in found["rep"] and ("03", "Ann", "") in found["rep"]


def test_a_company_that_nobody_has_left_has_its_pages(load_tables):
    """
    The column of leaving days may be empty throughout.
    """
    people = [row for row in PEOPLE if "left_on" not in row]
    store = load_tables({"stages": STAGES, "deals": [DEAL], "people": people})

    found = audiences(store, "2025-06-30", PROCESS)

    assert [rep[0] for rep in found["rep"]] == ["01", "03", "07"]


def test_a_role_counts_while_its_kpis_are_in_force(store, tmp_path):
    """
    Before the first KPI of any role begins nobody can be judged, and the message says when that is.
    """
    later = shutil.copy(PROCESS, tmp_path / "process.yaml")
    text = PROCESS.read_text("utf-8")
    later.write_text(text.replace('from: "2024-07-01"', 'from: "2025-12-01"'), "utf-8")

    with pytest.raises(
        ParameterError, match="in force on 2025-06-30 .* the first begins on 2025-12-01"
    ):
        audiences(store, "2025-06-30", later)


def test_a_source_without_people_is_refused(load_tables):
    """
    The mapping's own reason is told.
    """
    bare = load_tables(
        {"stages": STAGES, "deals": [DEAL]}, impossible={"people": "not in this export"}
    )

    with pytest.raises(InputRefused, match="there are none: not in this export"):
        audiences(bare, "2025-06-30", PROCESS)


def test_without_a_process_nobody_can_be_judged(store):
    """
    The message says what the suite needs.
    """
    with pytest.raises(ParameterError, match="must name a process file.*--process"):
        audiences(store, "2025-06-30", None)
