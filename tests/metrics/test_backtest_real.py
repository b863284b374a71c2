"""The forecast looked back at in two real companies: where it is better than a simple one, and where it is not."""

import datetime

import pandas as pd
import pytest
from export import ROOT

from salesanalysis import crm
from salesanalysis.metrics import forecast

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def stores(shared, tmp_path_factory):
    """Stores of the help-desk log and of Maven."""
    folder = tmp_path_factory.mktemp("real")
    sources = ROOT / "params" / "sources"
    return {
        name: crm.load(
            shared / "data" / data,
            sources / f"{name}.yaml",
            folder / f"{name}.duckdb",
            say=lambda text: None,
        )
        for name, data in (("helpdesk", "helpdesk_log"), ("maven", "maven_crm"))
    }


@pytest.mark.parametrize("day", ["2012-12-31", "2014-01-03"])
def test_of_the_help_desk_it_beats_both_simple_forecasts(stores, day):
    """Tickets closed in 13 weeks, though their number went from 500 to 100 a quarter and up and down again."""
    with crm.observe(stores["helpdesk"], day) as seen:
        found = forecast.backtest(seen)

    scores = found.scores.set_index("method")
    assert (scores["n"] == 8).all()
    assert scores.loc["weighted_pipeline", "skill"] > 0.6
    assert scores.loc["last_quarter", "skill"] > 0.3
    assert scores.loc["simulation", "brier"] < 0.4 * scores.loc["weighted_pipeline", "brier"]
    assert scores.loc["simulation", "coverage80"] >= 5 / 8
    assert 1.0 <= scores.loc["simulation", "bias"] < 1.3
    assert found.widening == 1 or scores.loc["simulation", "coverage80"] < 0.8


def test_tickets_are_counted_and_have_no_team(stores):
    """There are no amounts: each ticket counts 1; what is won since the quarter began is booked."""
    day = datetime.date(2013, 11, 15)
    with crm.observe(stores["helpdesk"], day) as seen:
        found = forecast.forecast(seen)
        closed = seen.frame("SELECT closed_on FROM deals WHERE cause = 1")["closed_on"]

    assert found.value == "count" and found.why_not is None and found.history_weeks == 52
    assert found.totals["period"].tolist() == ["2013-Q4", "2014-Q1"]
    assert found.totals["booked"].tolist() == [(closed >= pd.Timestamp(2013, 10, 1)).sum(), 0]


def test_maven_is_too_short_for_snapshots_six_weeks_apart(stores):
    """Closings are recorded from March 2017 on, so only one snapshot has half a year before and a quarter after it."""
    with crm.observe(stores["maven"], "2017-12-31") as seen:
        assert forecast.backtest(seen).why_not == "too_few_snapshots"


def test_of_maven_it_promises_too_much(stores):
    """
    A week apart there are 5 snapshots, hardly more than one: the deals created since July were closed less often than those
    before, so all totals came out below the range, last quarter was nearer, and the ranges are widened. It still tells deals
    apart better than one rate for all.
    """
    with crm.observe(stores["maven"], "2017-12-31") as seen:
        found = forecast.backtest(seen, apart_days=7)
        made = forecast.forecast(seen)

    scores = found.scores.set_index("method")
    own = scores.loc["simulation"]
    assert len(found.rows) == 5 and own["n_below80"] == 5
    assert 1.2 < own["bias"] < 1.4
    assert scores.loc["last_quarter", "skill"] < 0
    assert own["brier"] < 0.65 * scores.loc["weighted_pipeline", "brier"]
    assert found.widening > 3
    assert (
        made.n_without_amount == len(made.deals) == 1589
    )  # of 2,089 open ones 500 have no day of creation
    assert made.deals["stage"].isna().all()
