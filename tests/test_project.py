"""The project's own promises: one list of packages, floors, no addresses, a help worth reading."""

import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from export import ROOT

from salesanalysis.report import publish

CONDA_NAMES = {
    "python-duckdb": "duckdb",
    "matplotlib-base": "matplotlib",
    "jupyter_server": "jupyter-server",
    "python-tzdata": "tzdata",
}


def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def name_and_version(text: str) -> tuple[str, str]:
    name, version = re.fullmatch(r"([A-Za-z0-9_.-]+?)((?:[<>=!~].*)?)", text).groups()
    return name, re.sub(r"^==", "=", version)


def test_environment_yml_lists_the_packages_of_pyproject():
    """Names, versions and the Python of environment.yml are those of pyproject.toml, nothing more or less."""
    project = pyproject()
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(name for extra in extras for name in extra)]
    wanted += [f"python{project['requires-python']}", "pip"]

    listed = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]

    conda = [
        (CONDA_NAMES.get(name, name), version) for name, version in map(name_and_version, listed)
    ]
    assert sorted(conda) == sorted(map(name_and_version, wanted))


def test_every_dependency_is_locked_with_a_hash():
    """requirements.lock holds each direct dependency, only exact versions, each with a hash, and no address."""
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    pins = re.split(r"\n(?=[a-z0-9])", lock, flags=re.IGNORECASE)[1:]
    names = {re.match(r"[A-Za-z0-9_.-]+", pin)[0].lower() for pin in pins}
    project = pyproject()
    direct = project["dependencies"] + [
        d for extra in project["optional-dependencies"].values() for d in extra
    ]

    assert {name_and_version(text)[0].lower() for text in direct} <= names
    assert all("==" in pin and "--hash=sha256:" in pin for pin in pins)
    assert "://" not in lock


def test_every_dependency_has_its_reason():
    """Each dependency line of pyproject.toml ends with a comment."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    block = text.split("[project.scripts]")[0].split("dependencies = [", 1)[1]
    lines = [line for line in block.splitlines() if re.match(r'\s+"', line)]

    assert len(lines) > 20
    assert all(re.search(r'",\s+# \w', line) for line in lines)


def cli(*arguments: str, cwd=None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "salesanalysis", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("load", ["SOURCE", "--mapping", "--into", "data/crm.duckdb", "quarantined"]),
        ("process", ["FILE", "params/process.yaml", "incentives", "exit code 2"]),
        (
            "run",
            ["SUITE", "--as-of", "--crm", "--out", "--only", "Exit codes", "--publish", "--stale"],
        ),
        (
            "backfill",
            ["SUITE", "--from", "--to", "--every", "--again", "--keep-going", "--scheduler"],
        ),
        ("runs", ["--out", "--last", ".runs"]),
        ("prune", ["--keep", "--out", "newest"]),
        ("sample", ["--deals", "--reps", "--seed", "--into", "truth.json"]),
    ],
)
def test_help_says_what_a_verb_does(verb, words):
    """Each verb explains itself and every option it has."""
    done = cli(verb, "--help")

    assert done.returncode == 0
    assert [word for word in words if word not in done.stdout] == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "params/none.yaml"], 2, "none.yaml cannot be read"),
        (["run"], 2, "SUITE"),
        (["frobnicate"], 2, "frobnicate"),
        (["run", "params/monthly.yaml", "--as-of", "last_week", "--crm", "x"], 2, "last_week"),
        (["run", "params/monthly.yaml", "--crm", "none.duckdb"], 3, "none.duckdb"),
        (
            [
                "run",
                "params/monthly.yaml",
                "--crm",
                "params/monthly.yaml",
                "--out",
                "{tmp}/reports",
            ],
            3,
            "is not a store",
        ),
        (["backfill", "params/monthly.yaml", "--from", "2024-02", "--to", "2024-01"], 2, "before"),
        (["prune", "--keep", "0"], 2, "must be 1 or more"),
        (["prune", "--keep", "3", "--out", "{tmp}/none"], 2, "there are no reports in"),
        (
            ["load", "no-such-folder", "--mapping", "params/sources/sample.yaml"],
            3,
            "no-such-folder must be a folder",
        ),
        (["load", "params", "--mapping", "params/monthly.yaml"], 2, "monthly.yaml"),
        (
            [
                "load",
                "params",
                "--mapping",
                "params/sources/sample.yaml",
                "--into",
                "{tmp}/x.duckdb",
            ],
            3,
            "stages.csv",
        ),
        (["process", "params/monthly.yaml"], 2, "process file monthly.yaml, as_of: must be a key"),
        (["sample", "--deals", "3", "--into", "{tmp}/sample"], 2, "50"),
    ],
)
def test_a_mistake_ends_in_one_clear_paragraph_and_its_exit_code(
    tmp_path, arguments, code, message
):
    """No traceback; the message names what was wrong."""
    done = cli(*(text.replace("{tmp}", str(tmp_path)) for text in arguments), cwd=ROOT)

    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_process_prints_what_holds_from_each_day():
    """A process file that is right is summed up by the days on which its rules change."""
    done = cli("process", str(ROOT / "params" / "process.yaml"))

    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r"(?m)^from .*", done.stdout) == ["from 2024-07-01", "from 2026-01-01"]
    assert "visits 1 to 4 (weight 10 %)" in done.stdout


def test_sample_load_and_run_make_dated_reports(tmp_path):
    """The road of the README, by its commands, on a small company: the last line printed is the index."""
    assert cli("sample", "--deals", "600", "--into", str(tmp_path / "export")).returncode == 0
    store = tmp_path / "crm.duckdb"
    mapping = str(ROOT / "params" / "sources" / "sample.yaml")
    assert (
        cli("load", str(tmp_path / "export"), "--mapping", mapping, "--into", str(store)).returncode
        == 0
    )

    done = cli("run", str(ROOT / "params" / "monthly.yaml"), "--as-of", "2026-03-31", "--crm", str(store),
               "--out", str(tmp_path / "reports"))  # fmt: skip

    index = tmp_path / "reports" / "2026-03-31" / "index.html"
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, str(index))
    pages = {path.stem: path.read_text("utf-8") for path in index.parent.rglob("*.html")}
    assert set(pages) == {
        *("index", "executive_summary", "sales_funnel", "cohort_conversion", "rep_ranking"),
        *("change_impact", "pipeline_forecast"),
    }
    assert all(f"{name}.html" in pages["executive_summary"] for name in pages)
    assert publish.check(index.parent) == []
    assert all(text.count("<h1") == 1 and "<script" not in text for text in pages.values())
    assert (tmp_path / "reports" / "index.html").is_file()
