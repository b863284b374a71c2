"""Runs of a whole suite, with real kernels where it matters and without where it does not."""

import hashlib
import json
import re
import stat
from datetime import UTC, datetime

import nbformat
import pytest

from salesanalysis.report import execute, publish, settings
from salesanalysis.report.exits import Exit, RunError
from salesanalysis.report.run import run, run_days

from .tiny import ANSWER, CELLS, PARAMETERS, Project

EPOCH = "1783000000"  # 2026-07-02 13:46:40 UTC
HOSTILE = [
    CELLS[0],
    PARAMETERS,
    "import os, warnings\nfrom salesanalysis.present import html",
    "warnings.warn('odd')\nname = '<script>alert(1)</script>王小明'",
    ANSWER,
    """html.table(caption="Reps", columns=[("Rep", "text"), ("Days", "number")],
                  rows=[[name, str(within_days)]],
                  note=f"{rep_id!r} {share} {is_detailed} {ages}")""",
    """assert os.path.exists(crm)
html.paragraphs(f"{hash('x')} {os.environ['MPLBACKEND']} {os.path.basename(os.getcwd())}")""",
    "html.end()",
]


def quiet(text):
    """Drop progress."""


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """
    A project whose two reports were made by real kernels, once for this module.
    """
    project = Project(tmp_path_factory.mktemp("project"))
    project.notebook("sales_funnel", HOSTILE)
    project.write("params/sales_funnel.yaml", 'within_days: 30\nrep_id: "0123"\nages: [7]\n')
    progress = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", EPOCH)
        project.index = run(project.suite, progress=progress.append)
    project.progress = "".join(progress)
    return project


def test_a_run_publishes_pages_notebooks_and_indexes(published):
    """
    The dated folder holds them all, and the path of its index comes back.
    """
    assert published.index == published.root / "reports/2026-06-30/index.html"
    set_ = json.loads((published.index.parent / "manifest.json").read_text())["set"]
    pages = [
        f"{name}.{kind}" for name in ("sales_funnel", "rep_ranking") for kind in ("html", "ipynb")
    ]
    assert set(published.published()) == {
        *("index.html", "2026-06-30/index.html", "2026-06-30/manifest.json"),
        *(f"2026-06-30/{set_}/{name}" for name in pages),
    }
    lines = re.sub(r"\d+\.\d s", "… s", published.progress).splitlines()
    assert [line[:5] for line in lines] == ["[1/2]", "[2/2]"]
    assert {line[6:] for line in lines} == {"sales_funnel: … s, warnings: 1", "rep_ranking: … s"}


def test_parameters_reach_the_notebook_with_their_types(published):
    """
    Values of the file, the runner's as-of date and the defaults arrive as declared.
    """
    document = published.pages()["2026-06-30/sales_funnel.html"].decode()

    assert "<h1>27 % as of 2026-06-30</h1>" in document
    assert '<td class="number">30</td>' in document
    assert "&#39;0123&#39; 0.5 False [7]" in document


def test_a_kernel_is_always_in_the_same_state(published):
    """
    Hashes are fixed, charts need no screen, and the working folder is the notebook's.
    """
    document = published.pages()["2026-06-30/sales_funnel.html"].decode()

    assert re.search(r"<p>-?\d+ agg notebooks</p>", document)


def test_a_hostile_value_is_text_on_every_page(published):
    """
    A name with markup is escaped in the page, and no page has a script.
    """
    pages = {
        name: content.decode() for name, content in published.pages().items()
        if name.endswith(".html")
    }  # fmt: skip

    assert "&lt;script&gt;alert(1)&lt;/script&gt;王小明" in pages["2026-06-30/sales_funnel.html"]
    assert "Monthly &lt;reports&gt;" in pages["2026-06-30/index.html"]
    for document in pages.values():
        assert "<script" not in document and "Content-Security-Policy" in document


def test_nothing_published_names_this_machine_or_the_hour(published):
    """
    No path, no time of execution, no warning with a path is in any published file.
    """
    for name, content in published.published().items():
        text = content.decode()
        assert str(published.root) not in text, name
        assert "papermill" not in text and "iopub" not in text and "UserWarning" not in text, name
    notebook = json.loads(published.pages()["2026-06-30/sales_funnel.ipynb"])
    assert 'crm = "../data/crm.duckdb"' in "".join(notebook["cells"][2]["source"])


def test_the_manifest_accounts_for_every_file(published):
    """
    manifest.json holds what was asked, what came out, the name of the set and the sum of each file.
    """
    files = published.published()
    manifest = json.loads(files["2026-06-30/manifest.json"])

    assert manifest["as_of"] == "2026-06-30" and manifest["title"] == "Monthly <reports>"
    assert manifest["built_at"] == "2026-07-02 21:46+08:00 Asia/Shanghai"
    assert manifest["suite_sha256"] == hashlib.sha256(published.suite.read_bytes()).hexdigest()
    assert manifest["files"] == {
        name.removeprefix("2026-06-30/"): {
            "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()
        }
        for name, content in files.items() if name.startswith("2026") and "manifest" not in name
    }  # fmt: skip
    first = manifest["reports"][0]
    assert (first["name"], first["status"], first["n_warnings"]) == ("sales_funnel", "published", 1)
    assert first["parameters"] == {
        "within_days": 30, "rep_id": "0123", "ages": [7],
        "as_of": "2026-06-30", "crm": "../data/crm.duckdb",
    }  # fmt: skip


def test_indexes_say_what_the_reports_say(published):
    """
    The date's index has the message and key facts of each page, the other one links all dates.
    """
    of_date = published.pages()["2026-06-30/index.html"].decode()
    of_all = published.pages()["index.html"].decode()
    set_ = json.loads((published.index.parent / "manifest.json").read_text())["set"]

    assert f'<a href="{set_}/sales_funnel.html">Where do deals get lost?</a>' in of_date
    assert "<p>27 % as of 2026-06-30</p>" in of_date
    assert '<dt>Won</dt><dd class="value">27 %</dd>' in of_date
    assert '<a href="2026-06-30/index.html">2026-06-30</a>' in of_all
    assert f'<a href="2026-06-30/{set_}/rep_ranking.html">' in of_all


def test_the_same_inputs_give_the_same_bytes(published, monkeypatch):
    """
    A page made once more, beside the one that is kept, changes no byte of what is published.
    """
    before = published.published()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)

    run(published.suite, only="sales_funnel", progress=quiet)

    assert published.published() == before


@pytest.mark.parametrize(
    ("last", "match", "code", "seconds"),
    [
        ("x = 1\nraise ValueError('no\\nrows')", r"cell 5 failed with ValueError: no rows",
         Exit.UNEXPECTED, 60),
        ("import time; time.sleep(60)", "cell 5 took too long", Exit.TIMEOUT, 1),
        ("import os; os._exit(1)", "the kernel died in cell 5", Exit.KERNEL_DIED, 60),
    ],
    ids=["error", "timeout", "death"],
)  # fmt: skip
def test_a_notebook_that_fails_publishes_nothing(published, last, match, code, seconds):
    """
    The last good reports stay byte for byte; the message leads to the notebook, which is kept.
    """
    before = published.published()
    published.notebook("rep_ranking", [*CELLS[:4], last, "html.end()"])

    with pytest.raises(RunError, match=f"^rep_ranking.ipynb: {match}.*nothing was") as caught:
        run(published.suite, only="rep_ranking", cell_seconds=seconds, progress=quiet)

    assert caught.value.code == code
    assert published.published() == before
    kept = published.root / "reports/.failed/2026-06-30/rep_ranking.ipynb"
    assert str(kept) in str(caught.value)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert last.splitlines()[0] in kept.read_text()
    assert not list((published.root / "reports").glob(".work-*"))


def test_a_notebook_without_its_end_mark_publishes_nothing(project, monkeypatch):
    """
    What papermill calls a success is not believed: only the last code cell's mark is.
    """
    project.notebook("sales_funnel", CELLS[:-1])
    monkeypatch.setattr(
        execute.papermill, "execute_notebook",
        lambda source, *_args, **_kwargs: nbformat.read(source, as_version=4),
    )  # fmt: skip

    with pytest.raises(RunError, match="the last code cell must show .*end") as caught:
        run(project.suite, progress=quiet)

    assert caught.value.code == Exit.UNEXPECTED
    assert project.published() == {}


@pytest.mark.parametrize(
    ("arguments", "match", "code"),
    [
        ({"only": "funnel"}, "only must be one of .*sales_funnel, rep_ranking", Exit.USAGE),
        ({"as_of": "last week"}, "as_of must be a day", Exit.USAGE),
        ({"crm": "none.duckdb"}, "there is no store at none.duckdb", Exit.INPUT_REFUSED),
    ],
)
def test_wrong_arguments_are_refused_before_anything_runs(
    project, no_kernel, arguments, match, code
):
    """
    An unknown notebook, a day that is none and a store that is not there have their exit codes.
    """
    with pytest.raises(RunError, match=match) as caught:
        run(project.suite, progress=quiet, **arguments)

    assert caught.value.code == code
    assert not (project.root / "reports").exists()


def test_a_run_while_another_runs_is_refused(project, no_kernel):
    """
    The second run ends with the code for a held lock and publishes nothing.
    """
    with (
        publish.exclusive(project.root / "reports"),
        pytest.raises(RunError, match="another run") as caught,
    ):
        run(project.suite, progress=quiet)

    assert caught.value.code == Exit.LOCKED
    assert project.published() == {}


def test_a_disk_that_refuses_keeps_the_last_good_reports(project, no_kernel, monkeypatch):
    """
    An error of the disk while publishing has its own exit code and changes nothing.
    """
    run(project.suite, progress=quiet)
    before = project.published()

    def refuse(*paths):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publish.disk, "flush", refuse)
    with pytest.raises(RunError, match="No space left.*last good reports are kept") as caught:
        run(project.suite, progress=quiet)

    assert caught.value.code == Exit.NOT_PUBLISHED
    assert project.published() == before


def test_an_interrupted_run_publishes_nothing(project, no_kernel, monkeypatch):
    """
    Ctrl-C during the second notebook leaves no page of the first.
    """
    before = execute.execute

    def interrupt(notebook, draft, **kwargs):
        if notebook.stem == "rep_ranking":
            raise KeyboardInterrupt
        return before(notebook, draft, **kwargs)

    monkeypatch.setattr(execute, "execute", interrupt)
    with pytest.raises(RunError, match="rep_ranking.ipynb: interrupted; nothing") as caught:
        run(project.suite, progress=quiet)

    assert caught.value.code == Exit.INTERRUPTED
    assert project.published() == {}


def test_only_does_not_mix_two_stores(published, tmp_path):
    """
    A page of another store is not put beside those of this one; nothing changes.
    """
    other = tmp_path / "other.duckdb"
    other.write_bytes(b"another store")
    before = published.published()

    with pytest.raises(RunError, match="must be of the same store") as refusal:
        run(published.suite, only="rep_ranking", crm=other, progress=quiet)

    assert refusal.value.code == Exit.USAGE
    assert published.published() == before


def test_only_keeps_the_other_pages_and_links_them(project, no_kernel, monkeypatch):
    """
    One page is made anew, the others keep their time of building, and all link each other.
    """
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    run(project.suite, only="rep_ranking", progress=quiet)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(EPOCH) + 86400))

    run(project.suite, only="sales_funnel", progress=quiet)

    files = project.pages()
    kept, made = (files[f"2026-06-30/{name}.html"].decode() for name in
                  ("rep_ranking", "sales_funnel"))  # fmt: skip
    assert "Built 2026-07-02" in kept and "Built 2026-07-03" in made
    for document in (kept, made):
        assert document.index('href="sales_funnel.html"') < document.index('"rep_ranking.html"')
    names = [entry["name"] for entry in json.loads(files["2026-06-30/manifest.json"])["reports"]]
    assert names == ["sales_funnel", "rep_ranking"]


def test_a_whole_run_drops_pages_that_left_the_suite(project, no_kernel):
    """
    A report taken out of the suite does not stay in the dated folder.
    """
    run(project.suite, progress=quiet)
    project.write(
        "params/monthly.yaml", project.suite.read_text().replace('  - notebook: "rep_ranking"', "")
    )

    run(project.suite, progress=quiet)

    assert "2026-06-30/rep_ranking.html" not in project.pages()


def test_all_dates_are_listed_newest_first(project, no_kernel):
    """
    Each date keeps its folder; a store and a folder can be named; another day wins over the suite's.
    """
    other = project.root / "data/other.duckdb"
    other.write_bytes(b"x")
    out = project.root / "elsewhere"

    for day in ("2025-12-31", "2026-02-28", "2026-01-31"):
        run(project.suite, as_of=day, crm=other, out=out, progress=quiet)

    text = (out / "index.html").read_text()
    assert re.findall(r'href="([\d-]*)/index.html"', text) == [
        "2026-02-28", "2026-01-31", "2025-12-31",
    ]  # fmt: skip
    manifest = json.loads((out / "2026-01-31/manifest.json").read_text())
    assert manifest["reports"][0]["parameters"]["crm"] == "../data/other.duckdb"
    assert not (project.root / "reports").exists()


def test_a_word_for_a_day_is_resolved_in_the_zone_of_the_suite(project, no_kernel, monkeypatch):
    """
    At 18:00 UTC on the last day of a month it is already the next month in Shanghai.
    """
    epoch = datetime(2026, 6, 30, 18, tzinfo=UTC).timestamp()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(epoch)))

    made = run(project.suite, as_of="last_month_end", progress=quiet)

    assert made.parent.name == "2026-06-30"


def test_another_input_gives_another_run_id(project, no_kernel, monkeypatch):
    """
    The run id changes with the data, and not with the hour.
    """
    ids = []
    for content, epoch in ((b"a", EPOCH), (b"a", "1783999999"), (b"b", EPOCH)):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
        (project.root / "data/crm.duckdb").write_bytes(content)
        made = run(project.suite, progress=quiet)
        ids.append(json.loads((made.parent / "manifest.json").read_text())["run"])

    assert ids[0] == ids[1] != ids[2]


def test_a_file_that_a_parameter_names_is_an_input(project, no_kernel):
    """
    A date is not unchanged when rules to compare with were changed; a long text is no file's name.
    """
    project.write("params/sales_funnel.yaml", 'rep_id: "params/rules.yaml"\n')
    project.write("params/rep_ranking.yaml", f'rep_id: "{"x" * 5000}"\n')
    again = {"skip_unchanged": True, "progress": quiet}
    unchanged = []
    for text in ("a", "a", "b"):
        project.write("params/rules.yaml", text)
        (done,) = run_days(project.suite, [None], **again)
        unchanged.append(done.is_unchanged)

    assert unchanged == [False, True, False]


def test_a_path_with_braces_is_a_path(tmp_path):
    """
    papermill fills in braces; a folder's name must not be filled in.
    """
    root = tmp_path / "{crm} {0}"
    root.mkdir()
    project = Project(root)

    assert settings.read(project.suite).reports[0].notebook.parent.parent == root
