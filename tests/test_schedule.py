"""The examples of schedule/: each is read by the scheduler it is for, where that is there, and calls what there is."""

import ast
import importlib.util
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from export import ROOT

from salesanalysis import cli
from salesanalysis.report.exits import Exit

FOLDER = ROOT / "schedule"
COMMAND = "/opt/salesanalysis/.venv/bin/salesanalysis"
PASSING = {Exit.LOCKED, Exit.TRY_LATER, Exit.KERNEL_DIED}
"""What can be over in ten minutes without anybody's doing."""


def cron_lines():
    """The entries of the crontab, split into when and what."""
    text = (FOLDER / "crontab").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [line for line in lines if not re.match(r"[A-Z]+=", line)]


def unit(name):
    """The keys of a unit, each with all its values."""
    found = {}
    for line in (FOLDER / f"salesanalysis-monthly.{name}").read_text("utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def calls():
    """Every call of the command line in the examples: where, and its words."""
    found = [("crontab", re.search(rf"exec {COMMAND} (.*?) >>", line)[1]) for line in cron_lines()]
    found += [
        ("service", line.removeprefix(f"{COMMAND} ")) for line in unit("service")["ExecStart"]
    ]
    words = [(where, shlex.split(line)) for where, line in found]
    tree = ast.parse((FOLDER / "salesanalysis_dag.py").read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "call":
            values = [getattr(one, "value", "/srv/reports") for one in node.args]
            words.append(("dag", values))
    return words


def test_every_example_makes_reports_and_removes_old_ones():
    """
    All three call the same two commands.
    """
    by_place = {}
    for where, words in calls():
        by_place.setdefault(where, []).append(words)

    assert by_place.keys() == {"crontab", "service", "dag"}
    assert [sorted(those) for those in by_place.values()] == [
        [
            ["prune", "--keep", "24", "--out", "/srv/reports"],
            ["run", "params/monthly.yaml", "--as-of", "last_month_end", "--out", "/srv/reports"],
        ]
    ] * 3


@pytest.mark.parametrize(("where", "words"), calls())
def test_the_examples_call_what_there_is(where, words):
    """
    The command line takes each of the calls, and the suite is there.
    """
    options = cli._parser().parse_args(words)

    assert options.out == Path("/srv/reports")
    assert words[0] != "run" or (ROOT / words[1]).is_file()


def test_docs_call_what_there_is():
    """
    So do the examples of docs/schedule.md.
    """
    text = (ROOT / "docs" / "schedule.md").read_text("utf-8")
    lines = re.findall(r"^salesanalysis (.*)$", text, flags=re.MULTILINE)

    assert len(lines) >= 4
    for line in lines:
        cli._parser().parse_args(shlex.split(line, comments=True))


def test_the_crontab_is_one():
    """
    Five fields in their ranges, no % (which cron takes for the end of the line), a command that the shell can read.
    """
    ranges = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]
    text = (FOLDER / "crontab").read_text("utf-8")
    assert text.endswith("\n")
    assert len(cron_lines()) == 2
    for line in cron_lines():
        *when, command = line.split(maxsplit=5)
        for field, (low, high) in zip(when, ranges, strict=True):
            assert field == "*" or low <= int(field) <= high
        assert "%" not in command
        subprocess.run(["sh", "-n", "-c", command], check=True)
        assert (
            command.endswith(">>/var/log/salesanalysis/monthly.log 2>&1") or "prune.log" in command
        )


def run_cron_line(tmp_path, line):
    """Run an entry as cron would, with its folders below another root."""
    command = line.split(maxsplit=5)[5]
    for folder in ("/srv", "/opt", "/etc", "/var"):
        command = command.replace(f" {folder}/", f" {tmp_path}{folder}/").replace(
            f">>{folder}/", f">>{tmp_path}{folder}/"
        )
    environment = {"HOME": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    return subprocess.run(["/bin/sh", "-c", command], env=environment, check=False).returncode


@pytest.mark.parametrize("code", [0, 3, 75])
def test_a_line_of_the_crontab_does_what_it_says(tmp_path, code):
    """
    The command gets its words, the secrets' environment and the project's folder; its exit code is that of the line.
    """
    for folder in (
        "srv/salesanalysis",
        "opt/salesanalysis/.venv/bin",
        "etc/salesanalysis",
        "var/log/salesanalysis",
    ):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/salesanalysis/secrets.env").write_text(
        'SALESANALYSIS_NOTIFY="slack://a/b/c?x=1&y=2 dingtalk://d"\n'
    )
    program = Path(f"{tmp_path}{COMMAND}")
    program.write_text(f'#!/bin/sh\npwd\necho "$@"\necho "$SALESANALYSIS_NOTIFY"\nexit {code}\n')
    program.chmod(0o755)

    assert run_cron_line(tmp_path, cron_lines()[0]) == code

    assert (tmp_path / "var/log/salesanalysis/monthly.log").read_text().splitlines() == [
        str(tmp_path / "srv/salesanalysis"),
        f"run params/monthly.yaml --as-of last_month_end --out {tmp_path}/srv/reports",
        "slack://a/b/c?x=1&y=2 dingtalk://d",
    ]


def test_the_units_are_what_systemd_takes(tmp_path):
    """
    systemd itself reads them, in a root with the program and the targets they name, and has nothing to say.
    """
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze, and there is none")
    units = tmp_path / "etc" / "systemd" / "system"
    program = Path(f"{tmp_path}{COMMAND}")
    units.mkdir(parents=True)
    program.parent.mkdir(parents=True)
    shutil.copy("/bin/true", program)
    for target in (
        "basic",
        "network-online",
        "shutdown",
        "sysinit",
        "time-set",
        "time-sync",
        "timers",
    ):
        (units / f"{target}.target").write_text(f"[Unit]\nDescription={target}\n")
    for name in ("service", "timer"):
        shutil.copy(FOLDER / f"salesanalysis-monthly.{name}", units)
    for name in ("service", "timer"):
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", f"--root={tmp_path}", units / f"salesanalysis-monthly.{name}"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    when = unit("timer")["OnCalendar"][0]
    done = subprocess.run(
        ["systemd-analyze", "calendar", "--base-time=2026-07-02", "--iterations=2", when],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert re.findall(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", done.stdout) == [
        "2026-07-31 22:00:00",
        "2026-08-31 22:00:00",
    ]


def test_the_service_runs_again_only_after_what_can_pass():
    """
    Of all exit codes that are failures, those are left out that need somebody to act.
    """
    service = unit("service")
    prevented = {int(code) for code in service["RestartPreventExitStatus"][0].split()}

    assert {int(code) for code in Exit} - prevented == {int(Exit.PUBLISHED), *map(int, PASSING)}
    assert service["Restart"] == ["on-failure"]
    assert unit("timer")["Persistent"] == ["true"]
    assert service["User"] == ["salesanalysis"]
    assert not any("://" in line for line in service.get("Environment", []))  # no secret in a unit


def test_the_dag_compiles():
    """
    Where Airflow is not installed, this is all that can be said of it.
    """
    source = (FOLDER / "salesanalysis_dag.py").read_text("utf-8")
    compile(source, "salesanalysis_dag.py", "exec")
    tree = ast.parse(source)
    (codes,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "WORTH_ANOTHER_TRY"
    ]
    assert codes.keys() == PASSING


@pytest.fixture
def dag_module(tmp_path, monkeypatch):
    """The DAG's module, imported by Airflow's own packages."""
    pytest.importorskip("airflow.sdk", reason="needs Airflow (docs/schedule.md says how)")
    spec = importlib.util.spec_from_file_location("dag_file", FOLDER / "salesanalysis_dag.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    program = tmp_path / "salesanalysis"
    program.write_text('#!/bin/sh\necho "$@" >>calls\nexit "$CODE"\n')
    program.chmod(0o755)
    monkeypatch.setattr(module, "COMMAND", str(program))
    monkeypatch.setattr(module, "PROJECT", str(tmp_path))
    return module


def test_airflow_reads_the_dag(dag_module):
    """
    Without errors, with its two tasks in order.
    """
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(FOLDER))

    assert bag.import_errors == {}
    (dag,) = bag.dags.values()
    assert dag.dag_id == "salesanalysis_monthly"
    assert dag.get_task("run").downstream_task_ids == {"prune"}
    assert dag.catchup is False


@pytest.mark.parametrize("code", sorted(Exit))
def test_airflow_tries_again_only_what_can_pass(dag_module, monkeypatch, code):
    """
    Other exit codes end the task for good.
    """
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    monkeypatch.setenv("CODE", str(int(code)))

    if code == Exit.PUBLISHED:
        dag_module.call("run")
        return
    with pytest.raises(AirflowException, match=f"exit code {int(code)}") as caught:
        dag_module.call("run")
    assert isinstance(caught.value, AirflowFailException) == (code not in PASSING)
