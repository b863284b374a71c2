"""The whole appraisal suite on a small sample company: pages, folders, and what one rep's folder may hold."""

import csv
import json
import re
import shutil

import pytest
from export import ROOT

from salesanalysis import crm
from salesanalysis.crm import sample
from salesanalysis.metrics import credit, incentives, periods
from salesanalysis.metrics.audiences import audiences
from salesanalysis.report import publish
from salesanalysis.report.run import run


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project of its own with a small company in it."""
    folder = tmp_path_factory.mktemp("appraisal")
    for name in ("notebooks", "params"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(".*"))
    sample.write(folder / "data" / "sample", deals=700, reps=14)
    mapping = folder / "params" / "sources" / "sample.yaml"
    crm.load(
        folder / "data" / "sample", mapping, folder / "data" / "crm.duckdb", say=lambda _: None
    )
    return folder


@pytest.fixture(scope="module")
def dated(project):
    """The dated folder of the suite with the larger example, made as the command line makes it."""
    suite = project / "params" / "appraisal_quarterly.yaml"
    return run(suite, audiences=audiences, progress=lambda _: None).parent


def people(project):
    """Id and name of everybody in the company."""
    with crm.observe(project / "data" / "crm.duckdb", "2026-06-30") as seen:
        table = seen.frame("SELECT person_id, name FROM people ORDER BY person_id")
    return list(table.itertuples(index=False))


def pages(dated):
    """Rows of ``leadership/pages.csv``."""
    with next((dated / "leadership").rglob("pages.csv")).open(
        encoding="utf-8-sig", newline=""
    ) as file:
        return list(csv.DictReader(file))


def test_each_reader_has_a_folder_with_the_pages_of_the_suite(project, dated):
    """One page per notebook for every rep and team that the process judges; those of the leadership once."""
    expected = audiences(
        project / "data" / "crm.duckdb", "2026-06-30", project / "params" / "process.yaml"
    )
    rows = pages(dated)

    for kind, names in (
        ("rep", {"scorecard_rep", "incentive_statement", "attention"}),
        ("team", {"scorecard", "attention"}),
    ):
        folders = [row["folder"] for row in rows if row["kind"] == kind]
        assert len(folders) == len(expected[kind]) > 3
        for folder in folders:
            found = {path.stem for path in (dated / folder).rglob("*.html")} - {"index"}
            assert found == names
    leadership = {path.stem for path in (dated / "leadership").rglob("*.html")}
    assert publish.check(dated) == []
    assert leadership >= {"scorecard", "incentives", "kpi_audit", "process_conformance"}


def test_a_reps_folder_names_nobody_else(project, dated):
    """No file of it, whatever its kind, holds the id or the name of another person; the own name it does."""
    everybody = people(project)
    checked = 0
    for row in pages(dated):
        if row["kind"] != "rep":
            continue
        texts = {
            path.name: path.read_text("utf-8")
            for path in sorted((dated / row["folder"]).rglob("*"))
            if path.is_file()
        }
        others = [p for p in everybody if p.person_id != row["id"] and p.name not in row["name"]]
        words = [re.escape(word) for p in others for word in (p.person_id, p.name)]
        other = re.compile("|".join(rf"(?<![A-Za-z0-9]){word}(?![A-Za-z0-9])" for word in words))
        for name, text in texts.items():
            assert not other.search(text), (row["folder"], name, other.search(text)[0])
            checked += 1
        assert row["name"] in texts["scorecard_rep.html"]
    assert checked > 50


def test_a_reps_folder_holds_no_deal_and_no_amount_of_another(project, dated):
    """Deal numbers of deals one never had to do with, and what others won and are paid, stand nowhere in it."""
    rules = crm.read_process(project / "params" / "process.yaml")
    with crm.observe(project / "data" / "crm.duckdb", "2026-06-30") as seen:
        quarter = periods.period("", as_of=seen.as_of)
        paid = incentives.payouts(seen, rules, quarter).set_index("person")
        won = credit.attainment(seen, quarter).set_index("person")["credited_amount"]
        deals = seen.frame("SELECT deal_key, deal_id FROM details").set_index("deal_key")["deal_id"]
        touched = seen.frame(
            """
            SELECT deal_key, owner AS person FROM deals UNION SELECT deal_key, owner FROM hand_overs
            UNION SELECT deal_key, from_owner FROM hand_overs UNION SELECT deal_key, owner FROM stays
            UNION SELECT deal_key, person_id FROM credits
            """
        )
    for row in pages(dated):
        if row["kind"] != "rep":
            continue
        own = set(touched.loc[touched["person"] == row["id"], "deal_key"])
        foreign = [deals[key] for key in deals.index if key not in own]
        amounts = [
            *won.drop(row["id"], errors="ignore"),
            *paid["payout"].drop(row["id"], errors="ignore"),
        ]
        mine = {won.get(row["id"]), paid["payout"].get(row["id"])}
        shown = {f"{x:,.{d}f}" for x in amounts if x > 1000 and x not in mine for d in (0, 2)}
        text = "".join(
            path.read_text("utf-8") for path in sorted((dated / row["folder"]).rglob("*.*"))
        )
        numbers = set(re.findall(r"(?<![\d.,])\d[\d.,]*\d", text))

        assert not numbers & shown, row["folder"]
        assert not numbers & set(foreign), row["folder"]


def test_whoever_may_open_the_date_learns_of_nobody(project, dated):
    """The top-level index and ledger count pages and name no person."""
    for name in ("index.html", "manifest.json"):
        text = (dated / name).read_text("utf-8")

        assert not [p for p in people(project) if p.name in text or p.person_id in text]
    suite = json.loads((dated / "manifest.json").read_text("utf-8"))["suites"][0]
    counts = {(page["notebook"], page["for"]): page["n_pages"] for page in suite["pages"]}
    assert counts["attention", "leadership"] == 1
    assert (
        counts["attention", "rep"] == counts["scorecard_rep", "rep"] > counts["scorecard", "team"]
    )


def test_the_leaderships_index_follows_the_suite(dated):
    """Its pages stand in the order of the suite file, although some notebooks come again for others."""
    text = (dated / "leadership" / "index.html").read_text("utf-8")

    found = re.findall(r'<h[23]><a href="[0-9a-f]{16}/([a-z_]+)\.html">', text)
    assert found == [
        *("scorecard", "process_conformance", "incentives", "kpi_audit", "attention"),
        "account_history",
    ]


@pytest.mark.parametrize("notebook", ["scorecard_rep", "process_conformance"])
def test_the_other_example_runs_on_the_same_company(project, notebook, tmp_path):
    """The small team's process file gives the pages too, and each says by which rules it judges."""
    suite = project / "params" / "appraisal_quarterly.yaml"
    process = project / "params" / "process_small_team.yaml"

    dated = run(
        suite,
        process=process,
        out=tmp_path,
        only=notebook,
        audiences=audiences,
        progress=lambda _: None,
    ).parent

    texts = [path.read_text("utf-8") for path in dated.rglob(f"{notebook}.html")]
    assert texts
    assert all("Small B2B team" in text for text in texts)
