"""The audit's page on a few rows: verdicts, steps, texts of every test, reasons of what is missing."""

import datetime
import html as markup
import re
from types import SimpleNamespace

import pandas as pd
import pytest

from salesanalysis.crm.process import Kpi, Process, Text
from salesanalysis.present import kpi_audit as page

NAN = float("nan")
PERIOD = SimpleNamespace(first=datetime.date(2017, 10, 1), last=datetime.date(2017, 12, 31))
SLUGS = {
    *("too_few", "no_process", "no_customer", "no_team", "weight", "unchanged", "reliability", "floor"),
    *("ceiling", "heaped", "sample", "redundant", "vif", "influence", "too_many", "one_construct"),
    *("weights", "mirrors_skill"),
}  # fmt: skip
PROCESS = Process(
    name=Text("Rules", "x"), goal=Text("g", "x"), segments=("s",), default_role="rep", ramp_months=3, stages=(),
    scorecards=(), plans=(), development=(), sha256="0",
    kpis=tuple(
        Kpi(id_, Text(f"{id_} <b>&", "x"), "result", "quota_attainment", {}, "own", 0.0, 1.0, 0.5, "rep <b>", "any",
            Text("s", "x"), datetime.date(2017, 1, 1))
        for id_ in ("calls", "quota")
    ),
)  # fmt: skip


def audit_rows():
    """One row for most kinds: a fault of the set, two of a KPI, a pair, one that leads, one not made."""
    rows = [
        ("", "", "no_customer", 0.0, NAN, NAN, 2, 1.0, True),
        ("", "", "weights", 0.6, NAN, NAN, 20, 0.5, True),
        ("", "", "too_many", 1.9, NAN, NAN, 20, 1.0, False),
        ("calls", "", "weight", 0.05, NAN, NAN, 2, 0.1, True),
        ("calls", "", "unchanged", 400.0, NAN, NAN, 2, 365.0, True),
        ("calls", "", "reliability", 0.42, 0.1, 0.66, 20, 0.7, True),
        ("calls", "quota", "redundant", 0.3, -0.1, 0.6, 20, 0.8, False),
        ("calls", "quota", "mirrors_skill", 1.2, 0.4, 2.0, 20, 0.0, False),
        ("quota", "", "reliability", NAN, NAN, NAN, 3, 0.7, False),
        ("quota", "", "heaped", 0.004, NAN, NAN, 9, 0.01, False),
        ("quota", "", "weight", 0.5, NAN, NAN, 2, 0.1, False),
    ]
    columns = ["kpi", "other", "test", "value", "low", "high", "n", "threshold", "is_flagged"]
    return pd.DataFrame(rows, columns=columns).assign(role="rep <b>")


def verdict_rows():
    """One to mend, one that cannot be judged."""
    return pd.DataFrame(
        {"role": "rep <b>", "kpi": ["calls", "quota"], "n_tests": [5, 2], "n_flagged": [3, 0],
         "flagged": [("weight", "unchanged", "reliability"), ()], "verdict": ["mend", "cannot_judge"]}
    )  # fmt: skip


def text(shown):
    """The words of a page part."""
    plain = re.sub(r"<svg.*?</svg>", " ", str(shown), flags=re.DOTALL)
    return re.sub(r"[\s\u00a0]+", " ", markup.unescape(re.sub(r"<[^>]*>", " ", plain))).strip()


@pytest.fixture
def whole(seen):
    """What every part of the page takes."""
    return {"seen": seen, "process": PROCESS, "period": PERIOD}


def test_the_answer_says_what_to_change_first(whole, metric):
    """
    Counts of verdicts, the gravest finding, the two cards of the set.
    """
    made = page.answer(audit_rows(), verdicts=verdict_rows(), ledger=metric.ledger, **whole)

    words = text(made)
    assert (
        "1 of 2 KPIs need a change in Oct–Dec 2017, 0 can stay; first of all: no reliable signal in 1/2"
        in words
    )
    assert "Can stay 0/2" in words
    assert "Cannot be judged yet 1/2" in words
    assert "Order depends on the weights 60 % of neighbours, rep <b>" in words
    assert "Independent KPIs 1.9" in words
    assert "<b>" not in str(made)


def test_without_kpis_nothing_is_audited(whole, metric):
    """
    Every part says so, and none fails.
    """
    audit, verdicts = audit_rows().iloc[:0], verdict_rows().iloc[:0]

    assert "No KPI is in force in Oct–Dec 2017: nothing can be audited" in text(
        page.answer(audit, verdicts=verdicts, ledger=metric.ledger, **whole)
    )
    assert (
        text(page.to_do(audit, verdicts=verdicts, **whole))
        == "No test found a fault in the set of KPIs."
    )
    for made in (
        page.verdict_table(verdicts, **whole),
        page.reliability(audit, **whole),
        page.tests(audit, **whole),
    ):
        assert "No KPI of the process file is in force on the first day." in text(made)


def test_steps_come_first_things_first(whole):
    """
    The set, then per KPI the one finding that comes first: reliability before weight and age.
    """
    words = text(page.to_do(audit_rows(), verdicts=verdict_rows(), **whole))

    assert "The set of rep <b> nothing for the customer Add satisfaction or response rate" in words
    assert (
        "calls <b>& rep <b> no reliable signal Judge it over a longer period or for the team"
        in words
    )
    assert "weight under" not in words
    assert "quota" not in words


def test_verdicts_name_all_findings(whole):
    """
    Three findings of one, none of the other.
    """
    words = text(page.verdict_table(verdict_rows(), **whole))

    assert (
        "calls <b>& rep <b> Needs a change 5 weight under 10 %; unchanged for a year; no reliable signal"
        in words
    )
    assert "quota <b>& rep <b> Cannot be judged yet 2 none" in words


def test_every_test_has_value_threshold_and_result(whole):
    """
    Per cent, days or plain numbers; a pair names the other; what leads says so; what was not made says so.
    """
    made = page.tests(audit_rows(), **whole)

    words = text(made)
    assert "the set rep <b> Customer KPIs 0 2 1 nothing for the customer" in words
    assert "calls <b>& rep <b> Weight 5 % 2 10 % weight under 10 %" in words
    assert "Days without a change 400 2 365 unchanged for a year" in words
    assert "Rank correlation: quota <b>& 0.30 -0.10 – 0.60 20 0.80 no fault" in words
    assert "(within the same person): quota <b>& 1.20 0.40 – 2.00 20 0.00 leads" in words
    assert "Reliability (odd against even weeks) n/a 3 0.70 not enough" in words
    assert "Among 10 tests some findings may be chance" in words
    assert "<b>" not in str(made)


def test_reliability_is_drawn_where_it_is_known(whole):
    """
    One KPI of two; with none the reason.
    """
    made = page.reliability(audit_rows(), **whole)
    none = page.reliability(audit_rows()[lambda rows: rows["kpi"] == "quota"], **whole)

    assert "0 of 1 KPIs are reliable enough for their use" in text(made)
    assert "It takes 8 people or teams" in text(none)
    assert "<b>" not in str(made)


@pytest.mark.parametrize("slug", sorted(SLUGS))
def test_every_test_has_a_name_a_finding_and_a_change(slug):
    """
    Three different texts for each.
    """
    texts = {page.test(slug), page._short(slug), page.change(slug)}

    assert len(texts) == 3
    assert all(texts)
    assert page.change(slug).endswith(".")


def test_every_finding_of_a_kpi_has_its_turn():
    """
    The order in which findings are mended holds every test of a single KPI.
    """
    of_the_set = {
        "too_few",
        "no_process",
        "no_customer",
        "no_team",
        "too_many",
        "one_construct",
        "weights",
    }

    assert set(page._FIRST) == SLUGS - of_the_set


def test_measures_are_defined():
    """
    Cards with definition, caveats and what they are not for.
    """
    words = text(page.measure_cards())

    assert "Not for" in words
    assert "Reliability" in words
