"""R14: the reports of the past, made twice, are the same bytes; what is unchanged is left alone."""

import datetime
import json
import random
import re
import shutil

import nbformat
import pytest
from export import ROOT, STAGES, write_export

from salesanalysis import cli, crm
from salesanalysis.report import ledger
from salesanalysis.report.run import backfill

NOTEBOOKS = ("sales_funnel", "cohort_conversion")
SUITE = """\
as_of: "last_month_end"
timezone: "Asia/Shanghai"
crm: "data/crm.duckdb"
title: "Monthly"
freshness_days: 60
reports:
  - notebook: "sales_funnel"
  - notebook: "cohort_conversion"
"""
FIRST, LAST = datetime.date(2021, 1, 1), datetime.date(2024, 12, 31)


def company(root, n_deals):
    """A project with two of our notebooks and four years of deals, drawn from a fixed seed."""
    for folder in ("notebooks", "params", "data"):
        (root / folder).mkdir()
    for name in NOTEBOOKS:
        shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", root / "notebooks")
        shutil.copy(ROOT / "params" / f"{name}.yaml", root / "params")
    draw = random.Random(14)
    deals, events = [], []
    for number in range(n_deals):
        begun = FIRST + datetime.timedelta(days=draw.randrange((LAST - FIRST).days - 60))
        deal = {
            "deal_id": f"D{number}",
            "created_at": f"{begun} 09:00:00",
            "owner": draw.choice("甲乙丙"),
        }
        deal |= {
            "status": "open",
            "stage": "A",
            "amount": str(draw.randrange(1, 90) * 1000),
            "closed_at": "",
        }
        events.append({"deal_id": deal["deal_id"], "stage": "A", "entered_at": f"{begun} 09:00:00"})
        if draw.random() < 0.8:
            closed = begun + datetime.timedelta(days=draw.randrange(1, 60))
            won = draw.random() < 0.3
            deal |= {
                "status": "won" if won else "lost",
                "closed_at": f"{closed} 15:00:00",
                "stage": "",
            }
        deals.append(deal)
    mapping = write_export(
        root / "export",
        {"stages": STAGES, "deals": deals, "stage_events": events},
        extracted_on=f"{LAST}",
        timezone="Asia/Shanghai",
    )
    crm.load(root / "export", mapping, root / "data/crm.duckdb", say=lambda text: None)
    suite = root / "params/monthly.yaml"
    suite.write_text(SUITE, "utf-8")
    return suite


def published(root):
    """Every file that a reader can see, by its path."""
    out = root / "reports"
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not path.relative_to(out).parts[0].startswith((".", "latest"))
    }


def without_stamp(files):
    """The same without the time of building, and without the names and sums that follow from it."""
    sets = {
        json.loads(content)["set"]
        for name, content in files.items()
        if name.endswith("manifest.json")
    }
    stamp = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d\+08:00 Asia/Shanghai")
    sums = re.compile(rb'"(sha256|bytes)": ("[0-9a-f]{64}"|\d+)')
    names = re.compile("|".join(sorted(sets)).encode())
    return {
        names.sub(b"SET", name.encode()): sums.sub(
            b"", names.sub(b"SET", stamp.sub(b"STAMP", content))
        )
        for name, content in files.items()
    }


def test_the_past_made_twice_is_the_same(tmp_path, monkeypatch, n, record):
    """
    Every date is published; a second go leaves all as it is; made again an hour later only the stamp differs.
    """
    n_months = n(short=3, full=36)
    suite = company(tmp_path, n_deals=400)
    last = f"{2021 + (n_months + 11) // 12}-12"
    first = f"{int(last[:4]) - (n_months - 1) // 12}-{12 - (n_months - 1) % 12:02}"
    quiet = {"progress": lambda text: None}

    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1783000000")
    done = backfill(suite, first, last, **quiet)
    once = published(tmp_path)
    again = backfill(suite, first, last, skip_unchanged=True, **quiet)
    twice = published(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1783003600")
    later = backfill(suite, first, last, **quiet)
    thrice = published(tmp_path)

    assert len(done) == n_months and all(one.index and not one.error for one in done)
    assert all(one.is_unchanged for one in again) and twice == once
    assert not any(one.is_unchanged for one in later) and thrice.keys() != once.keys()
    assert without_stamp(thrice) == without_stamp(once)
    titles = {re.search(rb"<h1>(.*?)</h1>", content)[1] for name, content in once.items()
              if name.endswith("sales_funnel.html")}  # fmt: skip
    assert len(titles) > n_months / 2  # they do differ from month to month
    record("R14", "backfill, skipped, and made again with another stamp", n_months * 2,
           f"{len(once):,} files, 0 bytes differ")  # fmt: skip


def test_a_changed_notebook_is_made_again_and_nothing_else(tmp_path, monkeypatch, capsys):
    """
    What goes into a date decides whether it is unchanged: here a notebook, then a damaged page of one date.
    """
    suite = company(tmp_path, n_deals=400)
    suite.write_text(SUITE.replace('  - notebook: "cohort_conversion"\n', ""), "utf-8")
    span = ["backfill", str(suite), "--from", "2022-02", "--to", "2022-03"]

    def statuses():
        return [book["status"] for book in ledger.read(tmp_path / "reports")[-2:]]

    cli.main(span)
    first = statuses()
    cli.main(span)
    second = statuses()
    page = next((tmp_path / "reports/2022-02-28").rglob("sales_funnel.html"))
    page.write_bytes(page.read_bytes() + b" ")
    cli.main(span)
    third = statuses()
    notebook = tmp_path / "notebooks/sales_funnel.ipynb"
    changed = nbformat.read(notebook, as_version=4)
    changed.cells[0].source += "\n\nA word more."
    nbformat.write(changed, notebook)
    cli.main(span)

    assert (first, second) == (["published"] * 2, ["unchanged"] * 2)
    assert third == ["published", "unchanged"]
    assert statuses() == ["published"] * 2
    assert "2022-03-31/index.html" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("span", "match"),
    [
        (("2024-03", "2024-01"), "to must not lie before from"),
        (("2024-01", "2999-01"), "to must not lie after today"),
        (("last month", "2024-01"), "from must be a month"),
    ],
)
def test_a_span_that_is_none_is_refused(tmp_path, capsys, span, match):
    """
    Before anything runs, with the exit code of wrong usage.
    """
    suite = company(tmp_path, n_deals=5)

    with pytest.raises(SystemExit) as left:
        cli.main(["backfill", str(suite), "--from", span[0], "--to", span[1]])

    assert left.value.code == 2
    assert match in capsys.readouterr().err
    assert not (tmp_path / "reports").exists()
