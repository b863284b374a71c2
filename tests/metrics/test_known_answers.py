"""
Two real data sets, and what is known of them (the README beside the data), through mapping, load and metrics.

Maven CRM Sales Opportunities: recomputed there, agreeing with public write-ups; a help-desk log: counts of its rows.
"""

import csv
import datetime
from collections import Counter

import pytest

from salesanalysis import crm
from salesanalysis.metrics import cohorts, funnel, quality, reps

pytestmark = pytest.mark.shared


def loaded(shared, tmp_path_factory, folder, name, sources):
    """The store of one data set."""
    into = tmp_path_factory.mktemp(name) / "crm.duckdb"
    return crm.load(shared / "data" / folder, sources / f"{name}.yaml", into, say=lambda text: None)


@pytest.fixture(scope="module")
def sources(pytestconfig):
    """The mapping files of the project."""
    return pytestconfig.rootpath / "params" / "sources"


@pytest.fixture(scope="module")
def maven(shared, tmp_path_factory, sources):
    """The Maven export as of its last day."""
    store = loaded(shared, tmp_path_factory, "maven_crm", "maven", sources)
    with crm.observe(store, "2017-12-31") as seen:
        yield seen


@pytest.fixture(scope="module")
def helpdesk(shared, tmp_path_factory, sources):
    """The help-desk log as of its last day."""
    store = loaded(shared, tmp_path_factory, "helpdesk_log", "helpdesk", sources)
    with crm.observe(store, "2014-01-03") as seen:
        yield seen


def found(seen, kind):
    """Findings of one kind by subject: rows and detail."""
    rows = quality.findings(seen)
    rows = rows[rows["kind"] == kind]
    return {row.subject: (row.n_rows, row.detail) for row in rows.itertuples()}


def test_maven_counts_by_state(maven):
    """
    8,800 deals: 4,238 won, 2,473 lost, 1,589 engaging, 500 prospecting; 10,005,534 won.
    """
    now = funnel.status_now(maven).set_index("stage")

    assert now["n_deals"].to_dict() == {
        "Prospecting": 500,
        "Engaging": 1589,
        "won": 4238,
        "lost": 2473,
    }
    assert now.loc["won", "amount"] == 10_005_534


def test_maven_win_rates_differ_by_what_they_divide_by(maven):
    """
    Won / closed .63150; won / all .48159 counts 500 deals never dated, won / engaged 4,238 / 8,300.
    """
    rates = cohorts.win_rates(maven, age_days=90, stale_days=138).set_index("label")

    assert rates.loc["closed", ["n_won", "n_deals"]].tolist() == [4238, 6711]
    assert rates.loc["closed", "rate"] == pytest.approx(0.63150, abs=5e-6)
    assert rates.loc["created", ["n_won", "n_deals"]].tolist() == [4238, 8300]
    assert rates.loc["with_stale", "n_deals"] == 6711 + 1291
    assert quality.exclusions(maven).to_numpy().tolist() == [["no_created_on", 500], ["used", 8300]]
    assert pytest.approx(0.48159, abs=5e-6) == 4238 / (8300 + 500)


def test_maven_sales_cycle(maven):
    """
    Days from engagement to won: median 57, mean 51.782; not the 37.7 or 133 days that have been published.
    """
    whole = cohorts.sales_cycle(maven).iloc[-1]

    assert whole["n_won"] == 4238
    assert whole["p50_days"] == 57
    assert whole["mean_days"] == pytest.approx(51.782, abs=5e-4)


def test_maven_closed_rate_by_month(maven):
    """
    It swings because losses close fast and wins slowly; March to December 2017.
    """
    monthly = cohorts.monthly(maven, age_days=90).set_index("month").loc["2017-03":]

    assert monthly["closed_rate"].round(4).tolist() == [
        *(0.8207, 0.4863, 0.5441, 0.8284, 0.4912),
        *(0.5682, 0.7921, 0.4929, 0.5286, 0.7849),
    ]


@pytest.mark.parametrize(
    ("age_days", "won", "lost"),
    [
        (7, 0.09108, 0.07916),
        (30, 0.21899, 0.16221),
        (60, 0.26473, 0.18550),
        (90, 0.39701, 0.25212),
        (138, 0.51944, 0.30174),
    ],
)
def test_maven_cumulative_incidence(maven, age_days, won, lost):
    """
    Aalen-Johansen from engagement, 8,300 engaged: won and lost by age, to five digits.
    """
    table = cohorts.conversion(maven, ages=[7, 30, 60, 90]).set_index("age_days")

    row = table.loc[age_days]
    assert row["n_deals"] == 8300
    assert (round(row["won_rate"], 5), round(row["lost_rate"], 5)) == (won, lost)


def test_maven_lost_deals_are_not_censored(maven):
    """
    With lost deals treated as censored the share won at day 138, the longest closing, would be .67793.
    """
    last = cohorts.conversion(maven, ages=[7]).iloc[-1]

    assert last["age_days"] == 138
    assert last["won_rate"] == pytest.approx(0.51944, abs=5e-6)
    assert cohorts.curve(maven)["won_rate"].max() < 0.6


def test_maven_top_reps(maven):
    """
    By won value Schlecht leads (349 of 553 closed won); the best closed rate is Neloms's, 107 of 152.
    """
    table = reps.totals(maven)

    assert table[["name", "won_amount"]].head(5).to_numpy().tolist() == [
        ["Darcel Schlecht", 1_153_214],
        ["Vicki Laflamme", 478_396],
        ["Kary Hendrixson", 454_298],
        ["Cassey Cress", 450_489],
        ["Donn Cantrell", 445_860],
    ]
    first = table.iloc[0]
    assert (first["n_won"], first["n_won"] + first["n_lost"]) == (349, 553)
    best = table.loc[table["closed_rate"].idxmax()]
    assert (best["name"], best["n_won"], best["n_lost"]) == ("Hayden Neloms", 107, 45)
    assert best["closed_rate"] == pytest.approx(0.7039, abs=5e-5)


def test_maven_managers_and_offices(maven):
    """
    Won value by manager (the team) and by office (the region); Neubert is third, not second.
    """
    managers = reps.totals(maven, by="team")
    offices = reps.totals(maven, by="region")

    assert managers[["group", "won_amount"]].to_numpy().tolist() == [
        ["Melvin Marxen", 2_251_930],
        ["Summer Sewald", 1_964_750],
        ["Rocco Neubert", 1_960_545],
        ["Celia Rouche", 1_603_897],
        ["Cara Losch", 1_130_049],
        ["Dustin Brinkmann", 1_094_363],
    ]
    assert offices[["group", "won_amount"]].to_numpy().tolist() == [
        ["West", 3_568_647],
        ["Central", 3_346_293],
        ["East", 3_090_594],
    ]


def test_maven_dirt_is_found(maven):
    """
    GTXPro, deals without an account, idle reps, the late begin of closings, deals older than any closed one.
    """
    assert found(maven, "unknown_value") == {
        "product “GTXPro”": (1480, "not in products.csv; nearest: GTX Pro")
    }
    assert found(maven, "empty_values")["deals.account_id"][0] == 1425
    assert found(maven, "people_without_deals")["people"][0] == 5
    assert found(maven, "older_than_any_closed") == {"deals": (1291, "138")}
    ((subject, (n_rows, _)),) = found(maven, "left_truncation").items()
    assert subject == "2017-03-01"
    assert n_rows > 0


def test_maven_has_no_stage_history(maven):
    """
    Stage tables have no rows, and the reason stands in the mapping file.
    """
    assert funnel.stage_accounting(maven).empty
    assert funnel.cumulative(maven, within_days=90).empty
    assert reps.attainment(maven).empty
    assert "present stage only" in maven.reason("stage_events")


def test_helpdesk_rows_are_accounted_for(helpdesk):
    """
    21,348 events in, all accepted, and 4,580 cases made of them.
    """
    books = quality.ledger(helpdesk).set_index("table")

    assert books.loc["stage_events", ["n_in", "n_accepted"]].tolist() == [21_348, 21_348]
    assert funnel.status_now(helpdesk)["n_deals"].sum() == 4580


def test_helpdesk_stage_accounting_balances(helpdesk, shared):
    """
    Entries are the runs of equal activities per case (counted here by hand); outcomes and inflows add up to them.
    """
    table = funnel.stage_accounting(helpdesk)

    entries = table.set_index("stage")["entries"].to_dict()
    assert entries == runs(
        shared / "data" / "helpdesk_log" / "helpdesk.csv", table["stage"].tolist()
    )
    outcomes = ["advanced", "skipped", "moved_back", "lost", "handed_off", "removed", "open"]
    inflows = ["starts", "advanced_in", "skipped_in", "moved_back_in", "handed_in", "reopened"]
    assert (table[outcomes].sum(axis=1) == table["entries"]).all()
    assert (table[inflows].sum(axis=1) == table["entries"]).all()


def runs(path, stages):
    """Runs of equal activities per case, by activity; ties in time go by the order of stages."""
    order = {
        stage: place for place, stage in enumerate([*stages, "Closed", "INVALID", "DUPLICATE"])
    }
    cases = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            at = datetime.datetime.fromisoformat(row["time:timestamp"])
            step = (at, order[row["concept:name"]], row["concept:name"])
            cases.setdefault(row["case:concept:name"], []).append(step)
    counts = Counter()
    for steps in cases.values():
        names = [name for _, _, name in sorted(steps)]
        counts.update(
            name for name, before in zip(names, [None, *names], strict=False) if name != before
        )
    return {stage: counts[stage] for stage in stages}
