"""Suite and parameter files: what is read, and what is refused by name and place."""

from datetime import date

import pytest

from salesanalysis.report import settings
from salesanalysis.report.exits import Exit, RunError

from .tiny import CELLS, PARAMETERS


def refused(suite, match):
    with pytest.raises(RunError, match=match) as caught:
        settings.read(suite)
    assert caught.value.code == Exit.USAGE


def test_a_suite_says_what_to_run(project):
    """
    Paths are relative to the project; parameters of the suite win over those of the file.
    """
    project.write("params/rep_ranking.yaml", 'as_of: "2020-01-01"\nwithin_days: 30\nshare: 1')
    project.write(
        "params/monthly.yaml",
        project.suite.read_text() + '    parameters: {within_days: "90", rep_id: "007"}\n',
    )

    suite = settings.read(project.suite)

    assert suite.root == project.root and suite.crm == project.root / "data/crm.duckdb"
    assert (suite.title, suite.as_of) == ("Monthly <reports>", "2026-06-30")
    assert suite.timezone.key == "Asia/Shanghai"
    assert [report.name for report in suite.reports] == ["sales_funnel", "rep_ranking"]
    assert suite.reports[0].parameters == {}
    # as_of is the runner's to set; 1 is a float, as the notebook declares.
    assert suite.reports[1].parameters == {"within_days": 90, "share": 1.0, "rep_id": "007"}
    assert isinstance(suite.reports[1].parameters["share"], float)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("within_days: 30", 30),
        ("within_days: -1", -1),
        ('rep_id: "0123"', "0123"),
        ("rep_id: 王小明", "王小明"),
        ("share: 0.25", 0.25),
        ("share: 1e-3", 0.001),
        ("is_detailed: true", True),
        ("ages: [30, 90]", [30, 90]),
    ],
)
def test_a_value_gets_the_declared_type(project, line, value):
    """
    The notebook's parameters cell decides the type.
    """
    project.write("params/sales_funnel.yaml", line)

    found = settings.read(project.suite).reports[0].parameters[line.split(":")[0]]

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("rep_id: no", 'rep_id must be text, but no without quotes is read as "bool".*line 1'),
        ("rep_id: 0123", 'write "0123"'),
        ("rep_id: 12:30", 'read as "int"'),
        ("rep_id: 2026-06-30", 'read as "timestamp"'),
        ("rep_id: ", 'read as "null"'),
        ("rep_id: [a]", "must be text, but is a list or mapping"),
        ("within_days: 0123", "within_days must be int, but is '0123'"),
        ("within_days: 1_000", "must be int, but is '1_000'"),
        ("within_days: 12:30", "must be int"),
        ("within_days: 1.5", "must be int"),
        ("within_days: ٣", "must be int"),
        ("share: .inf", "share must be float"),
        ("is_detailed: no", "is_detailed must be bool, but is 'no'"),
        ("ages: 30", "ages must be a list"),
        ("ages: [30, x]", "ages must be int, but is 'x'"),
        ("share: !!python/name:os.system 1", "tags are refused"),
        ("within_day: 30", "among those that sales_funnel.ipynb declares .*but within_day is not"),
        ("x=1;open('f'): 30", "but x=1;open"),
        ("within_days: 30\nwithin_days: 60", "each key must occur once.*line 2"),
        ("a: &a 30\nwithin_days: *a", "anchors, aliases and tags are refused .line 1"),
        ("<<: {within_days: 3}", "must be text"),
        ("- within_days", "must hold keys and values"),
        ("within_days: 30\n---\nwithin_days: 60", "cannot be read"),
        ("within_days: [", "cannot be read"),
        ("", "is empty"),
    ],
)
def test_a_value_that_yaml_would_change_is_refused(project, line, match):
    """
    What is not plainly of the declared type, or not declared, is refused before anything runs.
    """
    project.write("params/sales_funnel.yaml", line)

    refused(project.suite, match)


@pytest.mark.parametrize(
    ("before", "after", "match"),
    [
        ('as_of: "2026-06-30"', "as_of: 2026-06-30", 'write "2026-06-30"'),
        ('"Asia/Shanghai"', '"Shanghai"', "timezone must be a name such as"),
        ('title: "Monthly <reports>"\n', "", "title is missing"),
        ("title:", "titel:", "title is missing, titel is unknown"),
        ("rep_ranking", "rep_rank", r"one of \['rep_ranking', 'sales_funnel'\], but is 'rep_rank'"),
        ("rep_ranking", "../notebooks/sales_funnel", "notebook must be one of"),
        ("rep_ranking", "sales_funnel", "each notebook once"),
        ('notebook: "rep_ranking"', 'file: "rep_ranking"', "notebook is missing, file is unknown"),
    ],
)
def test_a_wrong_suite_is_refused(project, before, after, match):
    """
    A suite says everything it must, nothing else, and names notebooks that exist.
    """
    project.write("params/monthly.yaml", project.suite.read_text().replace(before, after))

    refused(project.suite, match)


def test_a_missing_suite_is_refused(project):
    """
    The message names the file and where it was looked for.
    """
    refused(project.root / "params" / "weekly.yaml", "weekly.yaml cannot be read.*looked in")


def test_a_notebook_must_declare_what_the_runner_gives(project):
    """
    A notebook without as_of or crm among its parameters cannot be run as of a day.
    """
    project.notebook("sales_funnel", ["# A question?", 'as_of: str = "2026-06-30"', "1"])

    refused(project.suite, "sales_funnel.ipynb must have a cell tagged parameters .*crm: str")


def people_suite(project, declared, **parameters):
    """A suite with one page for each rep, whose notebook declares what is given."""
    cells = ["# A question?", PARAMETERS + declared, "1"]
    project.notebook("sales_funnel", cells)
    text = project.suite.read_text().replace('"sales_funnel"', '"sales_funnel"\n    for: "rep"')
    project.write("params/monthly.yaml", text)
    return project.suite


def test_a_suite_says_for_whom_a_page_is(project):
    """
    The runner sets rep and process, so what a parameter file says of them is for papermill alone.
    """
    suite = people_suite(project, 'rep: str = ""\nprocess: str = ""\n')
    project.write("params/sales_funnel.yaml", 'rep: "E-1"\nprocess: "x.yaml"\nwithin_days: 30')
    project.write("params/monthly.yaml", 'process: "params/process.yaml"\n' + suite.read_text())

    found = settings.read(suite)

    assert found.process == project.root / "params/process.yaml"
    first, second = found.reports
    assert (first.audience, first.takes_process, first.parameters) == (
        "rep", True, {"within_days": 30},
    )  # fmt: skip
    assert (second.audience, second.takes_process) == (None, False)
    assert settings.read(suite, process=project.root / "other.yaml").process.name == "other.yaml"


@pytest.mark.parametrize(
    ("declared", "match"),
    [
        ("", "sales_funnel.ipynb must have .* declares rep: str, but declares as_of"),
        ("rep: int = 1\n", "declares rep: str"),
        ('rep: str = ""\nprocess: list = []\n', "declares process: str"),
        ('rep: str = ""\nprocess: str = ""\n',
         "declares process, so monthly.yaml must name a process file.*or give --process"),
    ],
    ids=["no rep", "a number", "process is a list", "no process"],
)  # fmt: skip
def test_a_page_for_people_declares_what_it_gets(project, declared, match):
    """
    Without the parameter, each page would be the same; without a process file, it cannot be set.
    """
    refused(people_suite(project, declared), match)


def test_a_page_is_for_someone_known(project):
    """
    The message lists for whom a page can be.
    """
    suite = people_suite(project, 'rep: str = ""\n')
    project.write("params/monthly.yaml", suite.read_text().replace('"rep"', '"reps"'))

    refused(suite, "sales_funnel: for must be one of rep, team, leadership, but is 'reps'")


def suite_with(project, line):
    """The suite with a line of its own."""
    return project.write("params/monthly.yaml", f"{line}\n{project.suite.read_text()}")


def test_a_suite_may_say_when_the_year_starts_and_how_old_data_may_be(project):
    """
    Without them: January, and as the freshness of data is judged where nobody says more.
    """
    before = settings.read(project.suite)

    suite = settings.read(suite_with(project, 'fiscal_year_starts: "04"\nfreshness_days: 3'))

    assert (before.year_starts, before.freshness_days) == (1, None)
    assert (suite.year_starts, suite.freshness_days) == (4, 3)


@pytest.mark.parametrize(("text", "days"), [("0", 0), ("30", 30), ('"30"', 30)])
def test_days_are_a_number_as_of_other_parameters(project, text, days):
    """
    None at all may be meant: a record of the very day is asked for.
    """
    suite = suite_with(project, f"freshness_days: {text}")

    assert settings.read(suite).freshness_days == days


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("fiscal_year_starts: 04", 'must be text, but 04 without quotes .* write "04"'),
        ("fiscal_year_starts: 4", 'write "4"'),
        (
            'fiscal_year_starts: "4"',
            'fiscal_year_starts must be a month, "01" to "12", but is \'4\'',
        ),
        ('fiscal_year_starts: "13"', "must be a month"),
        ('fiscal_year_starts: "00"', "must be a month"),
        ('fiscal_year_starts: ""', "must be a month"),
        ('fiscal_year_starts: "April"', "must be a month"),
        ("freshness_days: -1", "freshness_days must be 0 or more, but is -1 .line 1"),
        ("freshness_days: 1.5", "freshness_days must be int, but is '1.5'"),
        ("freshness_days: no", "must be int"),
        ("freshness_days: 010", "must be int"),
        ("freshness_days: [3]", "must be int"),
        ("freshness_day: 3", "freshness_day is unknown"),
    ],
)
def test_a_wrong_calendar_or_number_of_days_is_refused(project, line, match):
    """
    Months as text of two digits, days as a whole number.
    """
    refused(suite_with(project, line), match)


def test_the_runner_sets_the_calendar_where_a_notebook_declares_it(project):
    """
    What a parameter file says of it is for papermill alone; a notebook without it gets none.
    """
    cells = (CELLS[0], PARAMETERS + "year_starts: int = 1\n", *CELLS[2:])
    project.notebook("sales_funnel", cells)
    project.write("params/sales_funnel.yaml", "year_starts: 7")

    plain = settings.read(project.suite).reports
    fiscal = settings.read(suite_with(project, 'fiscal_year_starts: "02"')).reports

    assert [report.parameters for report in plain] == [{"year_starts": 1}, {}]
    assert [report.parameters for report in fiscal] == [{"year_starts": 2}, {}]
    refused(suite_with(project, "parameters: {year_starts: 3}"), "none declares year_starts")


def test_the_calendar_is_a_number(project):
    """
    A notebook that declares another type would not get it.
    """
    cells = (CELLS[0], PARAMETERS + 'year_starts: str = "01"\n', *CELLS[2:])
    project.notebook("sales_funnel", cells)

    refused(project.suite, "sales_funnel.ipynb must .* declares year_starts: int, but declares")


def test_a_word_for_a_period_is_resolved_in_that_parameter_alone(project):
    """
    By the as-of date and the company's year; another parameter keeps the same word as text.
    """
    cells = (CELLS[0], PARAMETERS + 'period: str = ""\n', *CELLS[2:])
    project.notebook("sales_funnel", cells)
    project.write("params/sales_funnel.yaml", 'period: "last_quarter"\nrep_id: "last_month"')
    funnel, ranking = settings.read(project.suite).reports
    day = date(2026, 6, 30)

    calendar = settings.dated(funnel, as_of=day, year_starts=1)
    fiscal = settings.dated(funnel, as_of=day, year_starts=2)

    assert calendar.parameters == {"period": "2026-Q2", "rep_id": "last_month"}
    assert fiscal.parameters == {"period": "2026-02..2026-04", "rep_id": "last_month"}
    assert funnel.parameters["period"] == "last_quarter"
    assert settings.dated(ranking, as_of=day, year_starts=2) == ranking


def test_a_misspelt_word_for_a_period_is_refused_by_its_notebook(project):
    """
    The message names the notebook and the words there are; a period that is no text is not looked at.
    """
    report = settings.Report("scorecard", project.suite, {"period": "last_quater"}, None, False)
    number = settings.Report("scorecard", project.suite, {"period": 3}, None, False)

    with pytest.raises(RunError, match="scorecard: period must be one of last_month") as caught:
        settings.dated(report, as_of=date(2026, 6, 30), year_starts=1)

    assert caught.value.code == Exit.USAGE
    assert settings.dated(number, as_of=date(2026, 6, 30), year_starts=1) == number


def test_a_parameter_of_the_suite_reaches_each_notebook_that_declares_it(project):
    """
    It wins over the notebook's file, and the entry's own parameters win over it.
    """
    project.notebook("sales_funnel", (CELLS[0], PARAMETERS + 'team: str = ""\n', *CELLS[2:]))
    project.write("params/rep_ranking.yaml", "within_days: 30\nshare: 1")
    text = project.suite.read_text().replace(
        "reports:", 'parameters: {within_days: 7, team: "a"}\nreports:'
    )
    project.write("params/monthly.yaml", text)

    funnel, ranking = (report.parameters for report in settings.read(project.suite).reports)
    project.write("params/monthly.yaml", text + "    parameters: {within_days: 90}\n")
    own = settings.read(project.suite).reports[1].parameters

    assert funnel == {"within_days": 7, "team": "a"}
    assert ranking == {"within_days": 7, "share": 1.0}
    assert own["within_days"] == 90


@pytest.mark.parametrize(
    ("line", "match"),
    [
        (
            "parameters: {wihtin_days: 7}",
            "parameters must be such that a notebook of the suite declares, but none declares wihtin_days",
        ),
        ("parameters: {within_days: a}", "monthly.yaml: parameters: within_days must be int"),
        ('parameters: {as_of: "2026-01-01"}', "none declares as_of"),
        ("parameters: [1]", "parameters must hold keys and values"),
    ],
)
def test_a_parameter_of_the_suite_that_cannot_be_is_refused(project, line, match):
    """
    A name that no notebook takes is a slip of the pen, and the runner's own are set by the runner.
    """
    refused(project.write("params/monthly.yaml", f"{line}\n{project.suite.read_text()}"), match)
