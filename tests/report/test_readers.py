"""
Pages for reps, teams and leadership: each in a folder of its own that names nobody else.

The sums in `FOLDERS` are openssl's: ``printf 'rep\\0E-01' | openssl dgst -sha256 -hmac "a secret key"``.
"""

import csv
import hashlib
import json
import os
import re
import shutil
import stat
import struct
import subprocess
import sys

import pytest
from export import ROOT, STAGES, write_export

from salesanalysis import crm
from salesanalysis.metrics.audiences import audiences
from salesanalysis.present import html
from salesanalysis.report import publish, readers, settings
from salesanalysis.report.exits import Exit, RunError
from salesanalysis.report.run import run

from .tiny import CELLS, Project

EPOCH = "1783000000"  # 2026-07-02 13:46:40 UTC
KEY = "a secret key"
FOLDERS = {
    ("rep", "E-01"): "reps/991a0a1b01b3",
    ("rep", "E-02"): "reps/d153f0f83698",
    ("rep", "E-03"): "reps/34af9bf7328f",
    ("team", "华东"): "teams/1c4b30292710",
    ("team", "华南"): "teams/18bdab369c1d",
}
PEOPLE = [
    {"person_id": "E-01", "name": "王小明", "team": "华东", "role": "销售"},
    {"person_id": "E-02", "name": "Zoë <Co>", "team": "华东", "role": "销售"},
    {"person_id": "E-03", "name": "=HYPERLINK(1)", "team": "华南", "role": "销售"},
    {"person_id": "E-04", "name": "Left Long-Ago", "team": "华南", "left_on": "2025-01-31"},
]
AMOUNTS = {"E-01": "111777", "E-02": "222888", "E-03": "333999"}
DEALS = [
    {"deal_id": f"D{number}", "created_at": "2026-01-10 09:00:00", "status": "open", "stage": "A",
     "owner": person, "amount": amount}
    for number, (person, amount) in enumerate(AMOUNTS.items())
]  # fmt: skip
SUITE = """\
as_of: "2026-06-30"
timezone: "Asia/Shanghai"
crm: "data/crm.duckdb"
process: "params/process.yaml"
freshness_days: 180
title: "Appraisal"
reports:
  - notebook: "scorecard"
    for: "rep"
  - notebook: "team_review"
    for: "team"
  - notebook: "appraisal"
    for: "leadership"
  - notebook: "sales_funnel"
"""
DECLARED = 'as_of: str = "2026-03-31"\ncrm: str = "../data/crm.duckdb"  # the store\n'
# The default is somebody's id, as it is in a notebook that runs on the sample.
SCORECARD = [
    "# How am I doing?",
    DECLARED + 'process: str = "../params/process.yaml"\nrep: str = "E-02"  # 谁\n',
    "assert 'left_over' not in globals(), left_over\nleft_over = rep",
    """import os, pathlib
from salesanalysis.crm import observe
from salesanalysis.present import html""",
    """assert 'SALESANALYSIS_ID_KEY' not in os.environ
assert 'kpis:' in pathlib.Path(process).read_text('utf-8')""",
    """seen = observe(crm, as_of)
mine = seen.frame('SELECT p.name, d.amount FROM people p JOIN deals d ON d.owner = p.person_id '
                  'WHERE p.person_id = ?', (rep,)).iloc[0]""",
    """html.answer(message=f"{mine['name']}: {mine['amount']:.0f}", truth=[rep],
            cards=[{"label": "Open", "value": f"{mine['amount']:.0f}"}] * 3)""",
    """html.files("My deals", {"my_deals.csv": f"owner,amount\\r\\n{rep},{mine['amount']:.0f}\\r\\n"})""",
    "html.end()",
]
TEAM_REVIEW = [
    "# How is the team doing?",
    DECLARED + 'team: str = "华南"\n',
    "import os, warnings\nfrom salesanalysis.present import html",
    # A module shows a warning once; here each page has it.
    """warnings.warn_explicit('odd', UserWarning, 'x.py', 1, registry=vars(os).setdefault('_shown', {}))""",
    """html.answer(message=f"Team {team}", truth=["x"], cards=[{"label": "a", "value": "b"}] * 3)""",
    "html.end()",
]
APPRAISAL = [
    "# Who is doing how?",
    DECLARED,
    "from salesanalysis.present import html",
    """html.answer(message="王小明 leads", truth=["x"], cards=[{"label": "a", "value": "b"}] * 3)""",
    "html.end()",
]


def quiet(text):
    """Drop progress."""


class Company(Project):
    """A tiny project with a real store of three reps in two teams."""

    def __init__(self, root):
        super().__init__(root)
        mapping = write_export(
            root / "export", {"stages": STAGES, "deals": DEALS, "people": PEOPLE}
        )
        crm.load(root / "export", mapping, root / "data/crm.duckdb", say=quiet)
        shutil.copy(ROOT / "params" / "process.yaml", root / "params")
        self.notebook("scorecard", SCORECARD)
        self.notebook("team_review", TEAM_REVIEW)
        self.notebook("appraisal", APPRAISAL)
        self.suite = self.write("params/quarterly.yaml", SUITE)
        self.monthly = self.root / "params/monthly.yaml"
        self.write(
            "params/monthly.yaml",
            self.monthly.read_text().replace('  - notebook: "sales_funnel"\n', ""),
        )

    def of(self, folder):
        """The files of one folder of the date, by name; those of its set too."""
        start = f"2026-06-30/{folder}/" if folder else "2026-06-30/"
        return {
            name.removeprefix(start): content
            for name, content in self.pages().items()
            if name.startswith(start) and "/" not in name.removeprefix(start)
        }


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv(readers.KEY, KEY)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """
    A company whose suite was run once for this module, by the command line and real kernels.
    """
    company = Company(tmp_path_factory.mktemp("company"))
    environment = os.environ | {readers.KEY: KEY, "SOURCE_DATE_EPOCH": EPOCH}
    company.done = subprocess.run(
        [sys.executable, "-m", "salesanalysis", "run", str(company.suite)],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert company.done.returncode == 0, company.done.stderr
    return company


@pytest.fixture
def small(tmp_path, no_kernel):
    """
    The same company, with notebooks that start no kernel.
    """
    return Company(tmp_path)


def make(company, suite=None, **arguments):
    """Run a suite of a company quietly."""
    return run(suite or company.suite, **{"audiences": audiences, "progress": quiet} | arguments)


def test_each_reader_has_a_folder_of_its_own(company):
    """
    Pages, notebooks, files, index and manifest stand in folders that carry no names.
    """
    files = set(company.pages())

    expected = {"index.html", "2026-06-30/index.html", "2026-06-30/manifest.json"}
    expected |= {f"2026-06-30/sales_funnel.{kind}" for kind in ("html", "ipynb")}
    expected |= {f"2026-06-30/leadership/{name}" for name in (
        "index.html", "manifest.json", "pages.csv", "appraisal.html", "appraisal.ipynb",
    )}  # fmt: skip
    for (kind, _id), folder in FOLDERS.items():
        stem = {"rep": "scorecard", "team": "team_review"}[kind]
        names = ["index.html", "manifest.json", f"{stem}.html", f"{stem}.ipynb"]
        names += ["my_deals.csv"] if kind == "rep" else []
        expected |= {f"2026-06-30/{folder}/{name}" for name in names}
    assert files == expected


def test_progress_is_a_line_per_notebook_with_its_count(company):
    """
    A log gets whole lines; the path of the index is the last line printed.
    """
    lines = company.done.stderr.splitlines()

    assert [line[:5] for line in lines] == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]
    assert sorted(re.sub(r"\d+\.\d s", "… s", line[6:]) for line in lines) == [
        "appraisal: … s",
        "sales_funnel: … s",
        "scorecard, 3 pages: … s",
        "team_review, 2 pages: … s, warnings: 2",
    ]
    assert company.done.stdout == f"{company.root / 'reports/2026-06-30/index.html'}\n"


@pytest.mark.parametrize("rep", AMOUNTS)
def test_a_page_for_a_rep_holds_nothing_of_another(company, rep):
    """
    No file of the folder has another rep's id, name, amount, folder or team; it has the own ones.
    """
    own = next(person for person in PEOPLE if person["person_id"] == rep)
    files = company.of(FOLDERS["rep", rep])
    foreign = [str(company.root), *(folder.split("/")[1] for folder in FOLDERS.values())]
    for person in PEOPLE:
        if person is not own:
            foreign += [person["person_id"], person["name"], person["name"].replace("<", "&lt;")]
            foreign += [person["team"]] if person["team"] != own["team"] else []
    foreign += [amount for person, amount in AMOUNTS.items() if person != rep]

    assert len(files) == 5
    for name, content in files.items():
        found = [text for text in foreign if text.encode() in content]
        assert found == [], name
    assert AMOUNTS[rep] in files["scorecard.html"].decode()
    assert files["my_deals.csv"] == f"owner,amount\r\n{rep},{AMOUNTS[rep]}\r\n".encode()
    for name in ("scorecard.ipynb", "manifest.json"):
        assert own["name"] in files[name].decode() and rep in files[name].decode()


def test_whoever_may_open_the_date_learns_only_how_many_pages_there_are(company):
    """
    Indexes and manifest of the date tell no name, id, folder, message or amount of anybody.
    """
    told = [*company.of("").items(), ("all dates", company.published()["index.html"])]
    indexes = [content.decode() for name, content in told if name in ("index.html", "all dates")]
    private = [*AMOUNTS, *AMOUNTS.values(), "王小明", "Zoë", "HYPERLINK", "华东", "华南", "Team"]
    private += [folder.split("/")[1] for folder in FOLDERS.values()]

    assert len(told) == 5
    for name, content in told:
        found = [text for text in private if text.encode() in content]
        assert found == [], name
    for document in indexes:
        assert "<li>How am I doing? (3 pages, one per rep)</li>" in document
        assert "<li>How is the team doing? (2 pages, one per team)</li>" in document
        assert "<li>Who is doing how? (for leadership)</li>" in document
    manifest = json.loads(company.of("")["manifest.json"])
    assert [entry["name"] for entry in manifest["reports"]] == ["sales_funnel"]
    counts = {count["notebook"]: count["n_pages"] for count in manifest["suites"][0]["pages"]}
    assert counts == {"scorecard": 3, "team_review": 2, "appraisal": 1}


def links(document):
    return re.findall(r'href="([^"#]*)"', document.replace('href="data:,"', ""))


@pytest.mark.parametrize("folder", [*FOLDERS.values(), "leadership"])
def test_pages_of_a_reader_link_only_each_other(company, folder):
    """
    Every link leads to a file of the folder itself; only the leadership's index leads elsewhere.
    """
    root = (company.root / "reports/2026-06-30" / folder).resolve()

    for page in (page for page in root.rglob("*.html")):
        addresses = links(page.read_text("utf-8"))
        assert addresses
        if page == root / "index.html" and folder == "leadership":
            addresses = [address for address in addresses if not address.startswith("../")]
        for address in addresses:
            target = (page.parent / address).resolve()
            assert target.is_file() and target.is_relative_to(root), (page, address)


def test_the_leadership_finds_every_folder(company):
    """
    Its index links them by name, and pages.csv says whose they are, with no live formula.
    """
    files = company.of("leadership")
    document = files["index.html"].decode()

    for folder in FOLDERS.values():
        assert f'href="../{folder}/index.html"' in document
    assert "王小明 (华东)" in document and "Zoë &lt;Co&gt;" in document
    rows = list(csv.reader(files["pages.csv"].decode("utf-8-sig").splitlines()))
    assert rows == [
        ["kind", "id", "name", "team", "folder"],
        ["rep", "E-02", "Zoë <Co>", "华东", "reps/d153f0f83698"],
        ["rep", "E-01", "王小明", "华东", "reps/991a0a1b01b3"],
        ["rep", "E-03", "'=HYPERLINK(1)", "华南", "reps/34af9bf7328f"],
        ["team", "华东", "华东", "", "teams/1c4b30292710"],
        ["team", "华南", "华南", "", "teams/18bdab369c1d"],
    ]
    assert 'href="leadership/index.html"' in company.of("")["index.html"].decode()


def test_the_manifest_of_a_folder_accounts_for_its_files(company):
    """
    Each entry says its suite, store and parameters; each file has its sum, those beside a page too.
    """
    files = company.of(FOLDERS["rep", "E-01"])
    manifest = json.loads(files["manifest.json"])
    sums = {
        name if name == "index.html" else f"{manifest['set']}/{name}": {
            "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()
        }
        for name, content in files.items()
        if name != "manifest.json"
    }  # fmt: skip
    store, process = (
        hashlib.sha256((company.root / path).read_bytes()).hexdigest()
        for path in ("data/crm.duckdb", "params/process.yaml")
    )

    assert manifest["files"] == sums
    (entry,) = manifest["reports"]
    assert entry["parameters"] == {
        "rep": "E-01", "as_of": "2026-06-30", "crm": "../data/crm.duckdb",
        "process": "../params/process.yaml",
    }  # fmt: skip
    assert (entry["suite"], entry["for"]) == ("quarterly.yaml", "rep")
    assert (entry["files"], entry["n_warnings"]) == (["my_deals.csv"], 0)
    assert (entry["store_sha256"], entry["process_sha256"]) == (store, process)
    assert entry["built_at"] == "2026-07-02 21:46+08:00 Asia/Shanghai"


@pytest.mark.parametrize("rep", AMOUNTS)
def test_every_page_is_as_if_its_kernel_were_new(company, rep):
    """
    Counts of cells begin at 1 in each notebook; the cell that would see a left-over variable ran.
    """
    notebook = json.loads(company.of(FOLDERS["rep", rep])["scorecard.ipynb"])

    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    results = [
        (output["execution_count"], cell["execution_count"])
        for cell in cells for output in cell["outputs"] if output["output_type"] == "execute_result"
    ]  # fmt: skip
    assert len(results) == 3 and all(own == of_cell for own, of_cell in results)
    declared = "".join(cells[0]["source"])
    assert f"rep: str = '{rep}'  # 谁" in declared and 'as_of: str = "2026-03-31"' in declared


def test_the_same_inputs_give_the_same_bytes(company):
    """
    Pages for reps made once more change no byte, beside those that are kept.
    """
    before = company.published()

    make(company, only="scorecard")

    assert company.published() == before


@pytest.mark.parametrize(
    ("fault", "match", "code"),
    [
        ("raise ValueError('no rows')", "cell 3 failed with ValueError: no rows", Exit.UNEXPECTED),
        ("import os; os._exit(1)", "the kernel died in cell 3", Exit.KERNEL_DIED),
    ],
    ids=["error", "death"],
)
def test_a_page_that_fails_in_the_middle_publishes_nothing(company, fault, match, code):
    """
    The pages before it are not published either; the message names the folder, and not the person.
    """
    before = company.published()
    cells = [*SCORECARD[:2], f"if rep == 'E-02':\n    {fault}", *SCORECARD[3:]]
    company.notebook("scorecard", cells)
    told = []

    with pytest.raises(
        RunError, match=f"^scorecard.ipynb, page in reps/d153f0f83698: {match}"
    ) as caught:
        make(company, only="scorecard", progress=told.append)

    company.notebook("scorecard", SCORECARD)
    assert caught.value.code == code
    assert "E-02" not in str(caught.value) and "Zoë" not in str(caught.value)
    assert company.published() == before
    assert told == ["scorecard, 3 pages failed\n"]
    kept = company.root / "reports/.failed/2026-06-30/scorecard.ipynb"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600 and r"rep = \"E-02\"" in kept.read_text()
    assert not list((company.root / "reports").glob(".work-*"))


def test_a_kernel_that_dies_between_two_pages_publishes_nothing(company):
    """
    There is no cell to name; the pages made before are not published.
    """
    before = company.published()
    deadly = "class Deadly:\n    def __del__(self):\n        os._exit(1)"
    company.notebook(
        "scorecard", [*SCORECARD[:4], f"{deadly}\nfinally_ = Deadly()", *SCORECARD[5:]]
    )

    with pytest.raises(RunError, match="page in reps/.*: the kernel died; is there") as caught:
        make(company, only="scorecard")

    company.notebook("scorecard", SCORECARD)
    assert caught.value.code == Exit.KERNEL_DIED
    assert company.published() == before


def test_ids_of_folders_depend_on_key_kind_and_id_and_on_nothing_else(monkeypatch):
    """
    openssl's sums; without the variable the key is empty.
    """
    assert readers.opaque_id("rep", "E-01") == "991a0a1b01b3"
    assert readers.opaque_id("team", "E-01") == "03da9a89e3af"
    monkeypatch.delenv(readers.KEY)
    assert readers.opaque_id("rep", "E-01") == "62f34d9ce41c"


def test_folders_are_the_same_on_every_date(small):
    """
    A reader's bookmark needs only another date.
    """
    for day in ("2026-05-31", "2026-06-30"):
        make(small, as_of=day)

    days = [{name.partition("/")[2] for name in small.pages() if name.startswith(day)}
            for day in ("2026-05-31", "2026-06-30")]  # fmt: skip
    assert days[0] == days[1] and len(days[0]) > 20


@pytest.mark.parametrize(
    ("given", "match", "code"),
    [
        (None, "who each rep and team is must be given", Exit.USAGE),
        (lambda *_: {"rep": [], "team": [("T", "T")]}, "at least one rep, but", Exit.INPUT_REFUSED),
        (lambda *_: {"rep": [("1", "a", "")]}, "at least one team, but", Exit.INPUT_REFUSED),
        (lambda *_: {"rep": [("1", "a", ""), ("1", "b", "")], "team": [("T", "T")]},
         "an id of its own, but of 2 ids 1 come again", Exit.USAGE),
    ],
    ids=["nobody says", "no rep", "no team", "one id twice"],
)  # fmt: skip
def test_pages_for_people_need_people(small, given, match, code):
    """
    A suite that would publish nobody's page, or two in one folder, is refused before it runs.
    """
    with pytest.raises(RunError, match=match) as caught:
        make(small, audiences=given)

    assert caught.value.code == code
    assert small.published() == {}


def test_audiences_are_asked_with_what_the_notebooks_get(small):
    """
    The store, the day and the process file; and only where someone has pages of their own.
    """
    asked = []

    def listening(*given):
        asked.append(given)
        return audiences(*given)

    make(small, audiences=listening, process=small.root / "params/process.yaml")
    make(small, small.monthly, audiences=listening)

    root = small.root
    assert asked == [(root / "data/crm.duckdb", "2026-06-30", root / "params/process.yaml")]


def test_a_process_file_can_be_named_in_place_of_the_suites(small):
    """
    What is outside of the project is shown by its name; a file that is not there is refused.
    """
    other = small.root / "elsewhere.yaml"
    shutil.copy(small.root / "params/process.yaml", other)

    make(small, process=other, only="scorecard")

    (entry,) = json.loads(small.of(FOLDERS["rep", "E-01"])["manifest.json"])["reports"]
    assert entry["parameters"]["process"] == "../elsewhere.yaml"
    with pytest.raises(RunError, match="no process file at .*none.yaml.*--process") as caught:
        make(small, process="none.yaml")
    assert caught.value.code == Exit.USAGE


def test_suites_of_one_date_stand_beside_each_other(small):
    """
    A run keeps the pages of another suite as they are, whichever came first.
    """
    make(small)
    appraised = small.published()
    make(small, small.monthly)
    kept = small.published()
    both = small.pages()

    for folder in FOLDERS.values():
        assert [name for name in appraised if folder in name]
        for name in (name for name in appraised if folder in name):
            assert kept[name] == appraised[name], name
    document = both["2026-06-30/index.html"].decode()
    assert re.findall("<h2>(.*?)</h2>", document) == ["Monthly &lt;reports&gt;", "Appraisal"]
    assert "another state of the CRM data" not in document
    suites = json.loads(both["2026-06-30/manifest.json"])["suites"]
    counts = {suite["suite"]: [page["n_pages"] for page in suite["pages"]] for suite in suites}
    assert counts == {"monthly.yaml": [], "quarterly.yaml": [1, 3, 2]}
    for name in ("sales_funnel", "rep_ranking"):
        page = both[f"2026-06-30/{name}.html"].decode()
        assert 'href="sales_funnel.html"' in page and 'href="rep_ranking.html"' in page
        assert re.search(f'<a href="[0-9a-f]{{16}}/{name}.html">', document)
    shutil.rmtree(small.root / "reports")

    make(small, small.monthly)
    make(small)

    # The manifest of the date says which run was the last; everything else is the same.
    again = small.published()
    differing = {name for name in kept if kept[name] != again.get(name)}
    assert again.keys() == kept.keys()
    assert differing <= {"2026-06-30/manifest.json", "2026-06-30/leadership/manifest.json"}


def test_each_entry_says_its_suite_store_and_time(small, monkeypatch):
    """
    The index says in words which suite was made from another state of the data, and when.
    """
    make(small)
    older = hashlib.sha256((small.root / "data/crm.duckdb").read_bytes()).hexdigest()
    other = small.root / "data/other.duckdb"
    other.write_bytes(b"another state")
    newer = hashlib.sha256(b"another state").hexdigest()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(EPOCH) + 86400))

    make(small, small.monthly, crm=other)

    manifest = json.loads(small.of("")["manifest.json"])
    entries = {entry["name"]: entry for entry in manifest["reports"]}
    facts = {
        name: (entry["suite"], entry["store_sha256"], entry["built_at"][:10])
        for name, entry in entries.items()
    }
    assert facts == {
        "sales_funnel": ("quarterly.yaml", older, "2026-07-02"),
        "rep_ranking": ("monthly.yaml", newer, "2026-07-03"),
    }
    assert (manifest["suite"], manifest["store_sha256"]) == ("monthly.yaml", newer)
    suites = {suite["suite"]: suite["store_sha256"] for suite in manifest["suites"]}
    assert suites == {"quarterly.yaml": older, "monthly.yaml": newer}
    monthly, appraisal = re.findall(
        "<h2>(?:.(?!<h2>))*", small.of("")["index.html"].decode(), re.DOTALL
    )
    words = "Made from another state of the CRM data than the latest reports of this date; built 2026-07-02"
    assert words in appraisal and words not in monthly
    assert "Built 2026-07-02" in small.of("")["sales_funnel.html"].decode()


def test_one_notebook_in_two_suites_is_refused(small):
    """
    Before anything runs, the message names the other suite; nothing changes.
    """
    make(small)
    before = small.published()
    small.monthly.write_text(small.monthly.read_text() + '  - notebook: "sales_funnel"\n')

    with pytest.raises(
        RunError, match="but sales_funnel of 2026-06-30 .* is a page of quarterly.yaml already"
    ) as caught:
        make(small, small.monthly)

    assert caught.value.code == Exit.USAGE
    assert small.published() == before


def test_two_suites_share_a_readers_folder(small):
    """
    Its index lists both; when one suite drops its page, the other's stays and the folder is mended.
    """
    make(small)
    more = small.monthly.read_text() + '  - notebook: "reading"\n    for: "rep"\n'
    plain = small.monthly.read_text()
    small.notebook("reading", SCORECARD)
    small.monthly.write_text(more.replace("title:", 'process: "params/process.yaml"\ntitle:'))

    make(small, small.monthly)

    shared = small.of(FOLDERS["rep", "E-01"])
    assert re.findall('<h3><a href=".*?/(.*?)"', shared["index.html"].decode()) == [
        "reading.html", "scorecard.html",
    ]  # fmt: skip
    assert 'href="reading.html"' in shared["scorecard.html"].decode()
    small.monthly.write_text(plain)

    make(small, small.monthly)

    mended = small.of(FOLDERS["rep", "E-01"])
    assert "reading.html" not in mended and b"reading" not in mended["scorecard.html"]
    assert "<h1>王小明, as of 2026-06-30</h1>" in mended["index.html"].decode()
    assert [entry["name"] for entry in json.loads(mended["manifest.json"])["reports"]] == [
        "scorecard"
    ]


def test_who_is_no_rep_any_more_has_no_folder(small):
    """
    A whole run drops the folders of people that it does not know.
    """
    make(small)

    make(small, audiences=lambda *_: {"rep": [("E-01", "王小明", "华东")], "team": [("T", "T")]})

    folders = {name.split("/")[2] for name in small.published() if "/reps/" in name}
    assert folders == {"991a0a1b01b3"}
    assert b"E-02" not in small.of("leadership")["pages.csv"]


def test_another_key_is_refused_beside_folders_of_the_old_one(small, monkeypatch):
    """
    Nobody gets a second folder; a whole run of the only suite names all folders anew.
    """
    make(small)
    monkeypatch.setenv(readers.KEY, "another key")

    with pytest.raises(RunError, match="named with one key.*SALESANALYSIS_ID_KEY") as caught:
        make(small, only="scorecard")

    assert caught.value.code == Exit.USAGE
    make(small, small.monthly)  # makes no page for people, so it needs no key
    monkeypatch.setenv(readers.KEY, KEY)
    make(small, only="scorecard")
    monkeypatch.setenv(readers.KEY, "another key")
    make(small)
    assert not [name for name in small.published() if "991a0a1b01b3" in name]


def test_only_does_not_mix_two_process_files(small):
    """
    A page judged by other rules is not put beside those of the suite.
    """
    make(small)
    rules = small.root / "params/process.yaml"
    rules.write_text(rules.read_text("utf-8") + "\n# changed\n", "utf-8")

    with pytest.raises(RunError, match="must be of the same store and process file"):
        make(small, only="scorecard")


def test_a_date_of_an_older_version_is_refused(small):
    """
    Its reports would vanish from the list of dates; the message names it and says what to do.
    """
    old = small.root / "reports/2026-05-31"
    old.mkdir(parents=True)
    (old / "run.json").write_text("{}")

    with pytest.raises(
        RunError, match="must have manifest.json, but 2026-05-31 has run.json .* another --out"
    ) as caught:
        make(small)

    assert caught.value.code == Exit.USAGE
    assert set(small.published()) == {"2026-05-31/run.json"}


@pytest.mark.skipif(os.name != "posix", reason="file modes are those of POSIX")
def test_a_folder_keeps_the_access_it_was_given(small, monkeypatch):
    """
    What an administrator closed stays closed when its pages are made again, and its pages can be read.
    """
    make(small)
    closed = small.root / "reports/2026-06-30" / FOLDERS["rep", "E-01"]
    closed.chmod(0o700)
    (small.root / "reports/2026-06-30/leadership").chmod(0o750)
    before, mask = closed.stat(), os.umask(0o027)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(EPOCH) + 86400))

    make(small)

    os.umask(mask)
    assert closed.stat().st_ino == before.st_ino
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert stat.S_IMODE((closed.parents[1] / "leadership").stat().st_mode) == 0o750
    modes = {stat.S_IMODE(path.stat().st_mode) for path in closed.rglob("*")}
    assert modes == {0o750, 0o640}  # the set, and files


def access_list(group):
    """A POSIX access list in which one more group may read, as Linux keeps it."""
    entries = [(0x01, 7, -1), (0x04, 0, -1), (0x08, 5, group), (0x10, 5, -1), (0x20, 0, -1)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="access lists as Linux has them")
def test_what_is_new_in_a_folder_gets_the_folders_default_access(small, monkeypatch):
    """
    A group that an administrator let read a reader's folder reads what is published there later.
    """
    make(small)
    folder = small.root / "reports/2026-06-30" / FOLDERS["rep", "E-01"]
    before = {path: path.stat().st_ino for path in folder.rglob("*") if path.is_file()}
    try:
        os.setxattr(folder, "system.posix_acl_default", access_list(4321))
    except OSError:
        pytest.skip("this file system has no access lists")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(EPOCH) + 86400))

    make(small)

    new = [path for path in folder.rglob("*") if before.get(path) != path.stat().st_ino]
    assert {path.name for path in new} >= {"index.html", "manifest.json", "scorecard.html"}
    for path in new:
        assert struct.pack("<HHi", 0x08, 5, 4321) in os.getxattr(path, "system.posix_acl_access")


def test_a_readers_folder_of_which_nothing_changed_is_not_touched(small):
    """
    A run of another suite makes the date's own pages anew, and no file of a reader.
    """

    def files():
        dated = small.root / "reports/2026-06-30"
        return {path: path.stat().st_ino for path in dated.rglob("*") if path.is_file()}

    make(small)
    before = files()

    make(small, small.monthly)

    after = files()
    readers_ = [path for path in before if re.search("/(reps|teams)/", path.as_posix())]
    assert len(readers_) == 5 * 4
    assert all(after.get(path) == before[path] for path in readers_)
    assert not [path for path in before if path.name == "sales_funnel.html" and path in after]


def test_what_somebody_else_put_into_a_folder_stays(small):
    """
    Folders made ready for readers, notes beside pages and whole folders of others outlive every run.
    """
    make(small)
    dated = small.root / "reports/2026-06-30"
    others = [dated / "notes/0123456789abcdef/x.txt", dated / FOLDERS["rep", "E-02"] / "note.txt",
              dated / "reps/notes/0123456789abcdef/x.txt"]  # fmt: skip
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    ready = dated / "reps/0123456789ab"
    ready.mkdir(mode=0o700)

    make(small, audiences=lambda *_: {"rep": [("E-01", "王小明", "华东")], "team": [("T", "T")]})

    assert all(path.read_text() == "mine" for path in others)
    assert list(ready.iterdir()) == [] and stat.S_IMODE(ready.stat().st_mode) == 0o700
    assert [path.name for path in others[1].parent.iterdir()] == ["note.txt"]
    assert publish.check(dated) == []


def test_a_date_with_nothing_for_everyone_has_no_set_of_its_own(small):
    """
    Its index leads to the leadership's, where the table of folders is.
    """
    small.suite.write_text(SUITE.replace('  - notebook: "sales_funnel"\n', ""))

    made = make(small)

    manifest = json.loads(small.of("")["manifest.json"])
    assert (manifest["set"], list(manifest["files"])) == (None, ["index.html"])
    assert links(made.read_text("utf-8")) == ["../index.html", "leadership/index.html"]
    assert re.search('href="[0-9a-f]{16}/pages.csv"', small.of("leadership")["index.html"].decode())
    assert publish.check(made.parent) == []


def test_two_pages_of_a_folder_cannot_bring_one_file(small, monkeypatch):
    """
    The second notebook that makes a file of the same name is refused; nothing is published.
    """
    small.suite.write_text(
        SUITE.replace('"sales_funnel"', '"sales_funnel"\n  - notebook: "rep_ranking"')
    )
    before = html.answer

    def with_file(**given):
        return html.stack(before(**given), html.files("Data", {"data.json": "{}"}))

    monkeypatch.setattr(html, "answer", with_file)
    with pytest.raises(RunError, match="data.json comes from sales_funnel.ipynb too") as caught:
        make(small)

    assert caught.value.code == Exit.UNEXPECTED
    assert small.published() == {}


def test_a_second_run_is_refused(small):
    """
    Folders of readers are under the same lock.
    """
    make(small)
    before = small.published()

    with publish.exclusive(small.root / "reports"), pytest.raises(RunError, match="another run"):
        make(small)

    assert small.published() == before


def test_a_notebook_for_each_rep_declares_rep(small):
    """
    Without the parameter every page would be the same person's.
    """
    small.notebook("scorecard", CELLS)

    with pytest.raises(RunError, match="scorecard.ipynb must have .* declares rep: str"):
        settings.read(small.suite)
