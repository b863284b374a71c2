"""The bookings forecast on a store: counts against a plain reading, companies by hand, snapshots that know no later day."""

import datetime
import math

import numpy as np
import pandas as pd
import plain
import pytest
from export import ROOT
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal

from salesanalysis import crm
from salesanalysis.crm import sample
from salesanalysis.crm.errors import ParameterError
from salesanalysis.metrics import credit, forecast
from salesanalysis.statistics import verification
from salesanalysis.statistics.forecast import LOST, STAYED, WON

STAGES = [
    {"stage": "A", "stage_order": "1"},
    {"stage": "B", "stage_order": "2"},
    {"stage": "Won", "stage_order": "3", "is_won": "true"},
    {"stage": "Lost", "stage_order": "4", "is_lost": "true"},
]
PEOPLE = [
    {"person_id": "a", "name": "Alice", "team": "North"},
    {"person_id": "b", "name": "Bob", "team": "South"},
]
MONDAY = datetime.date(2025, 1, 6)
WEEK = datetime.timedelta(days=7)


def at(day):
    """The instant of a day as an export writes it."""
    return f"{day} 09:00:00"


def deal(number, created, closed=None, status="won", **cells):
    """A deal that is in stage A from its creation, open unless closed on a day."""
    row = {"deal_id": f"D{number:04d}", "created_at": at(created), "status": "open", "stage": "A"}
    if closed:
        row |= {"status": status, "closed_at": at(closed)}
    return row | {"owner": "a", "amount": "100"} | cells


def tables(deals, **others):
    """Each deal has been in A since it was created."""
    events = [
        {"deal_id": row["deal_id"], "stage": "A", "entered_at": row["created_at"]} for row in deals
    ]
    return {"stages": STAGES, "deals": deals, "stage_events": events, "people": PEOPLE} | others


def clockwork(weeks, as_of, **cells):
    """A deal every Monday that is won on the Monday three weeks later, as known on a day."""
    days = [MONDAY + WEEK * week for week in range(weeks)]
    return [
        deal(k, day, day + 3 * WEEK if day + 3 * WEEK <= as_of else None, **cells)
        for k, day in enumerate(days)
        if day <= as_of
    ]


SUNDAY = datetime.date(2026, 5, 17)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A sample company of 1,200 deals."""
    folder = tmp_path_factory.mktemp("small")
    return loaded(folder)


def loaded(folder, **options):
    """Write a sample company and load it."""
    sample.write(folder / "export", deals=1200, seed=5, **options)
    mapping = ROOT / "params" / "sources" / "sample.yaml"
    return crm.load(folder / "export", mapping, folder / "crm.duckdb", say=lambda text: None)


@pytest.fixture(scope="module")
def seen(small):
    """The sample company on its last day."""
    with crm.observe(small, "2026-06-30") as seen:
        yield seen


def where(case, day):
    """Number of the spell a deal is in at the end of a day, what that is, and since when; None before there is one."""
    if case.created_on is None or (case.created_on > day and case.states[:1] == []):
        return None
    found = None
    for number, (instant, pipeline, stage) in enumerate(case.states):
        if instant.date() <= day:
            found = number, stage if plain.is_end(stage) else (pipeline, stage), instant.date()
    if found is None and case.created_on <= day:
        found = -1, (case.pipeline, None), case.created_on
    return found


def test_the_weeks_are_counted_as_a_plain_reading_does(view):
    """Deal-weeks by stage, age and what became of them, and arrivals by week, on random awkward companies."""
    basis = forecast._basis(view.seen)
    stages, _ = forecast._spells(view.seen)
    code = {
        (pipeline, stage or None): k
        for k, (pipeline, stage) in enumerate(stages[["pipeline", "stage"]].itertuples(index=False))
    }
    place = code | {"won": WON, "lost": LOST, "removed": LOST}
    weeks = len(basis.counts.arrivals)
    moves, inflow = np.zeros_like(basis.counts.moves), np.zeros_like(basis.counts.inflow)
    arrivals = np.zeros(weeks)
    for week in range(weeks):
        day = view.day - WEEK * (weeks - week)
        for case in view.deals:
            now, then = where(case, day), where(case, day + WEEK)
            if then is None:
                continue
            is_open = now and now[1] in code
            if is_open:
                age = sum((day - now[2]).days // 7 >= first for first in (2, 4, 8, 13, 26))
                stays = now[0] == then[0]
                moves[code[now[1]], age, STAYED if stays else place[then[1]]] += 1
            elif now is None or then[1] in code or (then[1] == "won" and now[0] != then[0]):
                inflow[place[then[1]]] += 1
                arrivals[week] += 1

    assert weeks >= 12
    np.testing.assert_array_equal(basis.counts.moves, moves)
    np.testing.assert_array_equal(basis.counts.inflow, inflow)
    np.testing.assert_array_equal(basis.counts.arrivals, arrivals)


def test_open_deals_have_their_stage_days_amount_and_team(view):
    """Those with a day of creation, as a plain reading finds them; nothing is known of deals without one."""
    found, value = forecast._basis(view.seen).deals, forecast._basis(view.seen).value
    ids = view.seen.frame("SELECT deal_key, deal_id FROM details").set_index("deal_key")["deal_id"]
    expected = []
    for case in view.deals:
        if case.status == "open" and case.created_on is not None:
            _, (pipeline, stage), since = where(case, view.day)
            team = case.segments["team"] or ""
            amount = case.amount if value == "amount" else 1.0
            expected.append((case.deal_id, pipeline, stage or "", (view.day - since).days, amount, team))  # fmt: skip

    rows = [
        (ids[row.deal_key], row.pipeline, row.stage, row.days_in_stage, plain.value_of(row.amount), row.team)
        for row in found.itertuples()
    ]  # fmt: skip
    assert sorted(rows, key=str) == sorted(expected, key=str)
    assert (found["age_weeks"] == found["days_in_stage"] // 7).all()


@pytest.mark.parametrize(
    ("as_of", "periods", "booked"),
    [
        (SUNDAY, ["2026-Q2", "2026-Q3"], 6),  # won on 6 April to 11 May
        (datetime.date(2026, 3, 31), ["2026-Q2", "2026-Q3"], 0),
        (datetime.date(2026, 3, 30), ["2026-Q1", "2026-Q2"], 13),
        (datetime.date(2025, 12, 31), ["2026-Q1", "2026-Q2"], 0),
    ],
)
def test_a_clockwork_company_books_a_deal_a_week(see, as_of, periods, booked):
    """The quarter of the day after, with what is booked in it, and about a deal for each Monday left."""
    seen = see(tables(clockwork(100, as_of)), as_of.isoformat())

    found = forecast.forecast(seen, paths=1000)

    now, later = (row for row in found.totals.itertuples() if row.team == "")
    assert [now.period, later.period] == periods
    assert (later.first_on - now.last_on).days == 1
    assert now.first_on <= as_of + datetime.timedelta(days=1) <= now.last_on
    assert (now.booked, later.booked) == (100.0 * booked, 0.0)
    assert now.n_open == 3 and found.history_weeks == 52 - (as_of.year == 2025)
    left = (now.last_on - as_of).days / 7
    assert abs(now.mean - 100 * (booked + left)) < 80
    assert abs(later.mean - 1300) < 80
    assert now.low95 <= now.low80 <= now.median <= now.high80 <= now.high95


def test_a_quarter_begins_on_its_first_day(see):
    """What is won on it is booked, what is won the day before is not."""
    extra = [
        deal(900, SUNDAY - 30 * WEEK, "2026-04-01", amount="7"),
        deal(901, SUNDAY - 30 * WEEK, "2026-03-31", amount="5"),
    ]

    totals = forecast.forecast(see(tables([*clockwork(100, SUNDAY), *extra]), f"{SUNDAY}")).totals

    assert totals["booked"].tolist() == [607, 607, 0, 0]


def test_weeks_before_closings_are_recorded_teach_nothing(see):
    """Forty deals were made in weeks of which no closing is known: the history begins with the first closing known."""
    first = MONDAY + 60 * WEEK
    slow = [
        deal(900 + k, MONDAY + k * WEEK, first + 2 * WEEK + datetime.timedelta(days=k % 7))
        for k in range(40)
    ]
    as_of = first + 35 * WEEK
    known = [row for row in clockwork(100, as_of) if row["created_at"] >= f"{first}"]

    found = forecast.forecast(see(tables([*known, *slow]), f"{as_of}"))

    assert found.why_not is None and found.history_weeks == 33


def test_open_deals_are_won_when_clockwork_says(see):
    """Three weeks before the quarter's end all three open ones are won in it; with 13 days left, those of two weeks."""
    days = [datetime.date(2026, 6, 7), datetime.date(2026, 6, 17)]

    parts = [forecast.forecast(see(tables(clockwork(100, day)), f"{day}")).deals for day in days]

    assert (parts[0]["win_share"] > 0.9).all()
    chances = parts[1].sort_values("days_in_stage")
    assert chances["days_in_stage"].tolist() == [2, 9, 16]
    assert chances["win_share"].iloc[0] < 0.1 < 0.8 < chances["win_share"].iloc[1]
    assert (chances["win_share"] + chances["win_share_next"] > 0.9).all()


def test_deals_stand_in_the_order_of_what_they_bring(seen):
    """Amount times chance, largest first; a chance lies between 0 and 1, and a deal is won once at most."""
    table = forecast.forecast(seen).deals

    worth = table["amount"] * table["win_share"]
    assert worth.is_monotonic_decreasing
    assert table["win_share"].between(0, 1).all() and table["win_share_next"].between(0, 1).all()
    assert (table["win_share"] + table["win_share_next"] <= 1).all()
    assert len(table) == seen.frame("SELECT count(*) AS n FROM deals WHERE cause = 0")["n"][0]


def test_teams_add_up_to_the_company(seen):
    """Booked, open deals and means; and each quarter has a row of every team."""
    totals = forecast.forecast(seen).totals

    for _, part in totals.groupby("period"):
        company, teams = part[part["team"] == ""], part[part["team"] != ""]
        assert len(company) == 1 and teams["team"].nunique() == len(teams) == 4
        for name in ("booked", "mean", "n_open"):
            assert_allclose(teams[name].sum(), company[name].iloc[0])
        assert (teams["high80"] - teams["low80"]).sum() > (company["high80"] - company["low80"]).iloc[0]  # fmt: skip


def test_new_deals_go_where_deals_are_won(see):
    """Both teams get a deal a week; Alice wins all of hers, Bob none: what is to come is hers, but for a few."""
    bobs = [
        row | {"deal_id": f"B{k}", "owner": "b", "status": "lost" if row["status"] == "won" else "open"}
        for k, row in enumerate(clockwork(100, SUNDAY))
    ]  # fmt: skip
    seen = see(tables(clockwork(100, SUNDAY) + bobs), f"{SUNDAY}")

    totals = forecast.forecast(seen).totals.set_index(["period", "team"])

    north, south = (totals.loc[("2026-Q3", team), "mean"] for team in ("North", "South"))
    share = 15 / (52 - 3 + 30)  # of 49 or so deals won and 30 by arrivals
    assert_allclose(south / (north + south), share, atol=0.05)


def test_deals_of_people_without_a_team_are_a_row_of_their_own(see):
    """It has no team; where nobody has one, there is the company alone."""
    some = clockwork(100, SUNDAY) + [
        row | {"deal_id": f"X{k}", "owner": "stranger"}
        for k, row in enumerate(clockwork(100, SUNDAY))
    ]

    found = forecast.forecast(see(tables(some), f"{SUNDAY}"))
    alone = forecast.forecast(
        see(tables(clockwork(100, SUNDAY, owner="stranger")), f"{SUNDAY}")
    ).totals

    assert found.totals["team"].isna().sum() == 2
    assert found.totals["team"].dropna().tolist() == ["", "North", "", "North"]
    assert found.deals["team"].isna().sum() == 3
    assert alone["team"].tolist() == ["", ""]


def test_quotas_of_teams_are_the_mark(see):
    """A quota far below is reached in all paths, one far above in none; the company's is their sum."""
    quotas = [
        {"holder_type": kind, "holder_id": holder, "period_start": "2026-04-01", "period_end": "2026-06-30",
         "measure": "amount", "value": value}
        for kind, holder, value in (("team", "North", "650"), ("team", "South", "1400"), ("person", "a", "7"))
    ]  # fmt: skip
    seen = see(tables(clockwork(100, SUNDAY), quotas=quotas), f"{SUNDAY}")

    totals = forecast.forecast(seen).totals.set_index(["period", "team"])

    assert totals.loc["2026-Q2", "quota"].tolist() == [2050.0, 650.0]
    assert totals.loc["2026-Q2", "reach_quota_share"].round(1).tolist() == [0.0, 1.0]
    assert totals.loc["2026-Q3", ["quota", "reach_quota_share"]].isna().all(axis=None)


def test_the_largest_deal_decides_where_all_hangs_on_it(see):
    """600 are booked, and the target of 5,600 needs one open deal of 5,000 and a little more."""
    quota = {"holder_type": "team", "holder_id": "North", "period_start": "2026-04-01",
             "period_end": "2026-06-30", "measure": "amount", "value": "5600"}  # fmt: skip
    deals = clockwork(100, SUNDAY)
    deals[-3]["amount"] = "5000"

    now = forecast.forecast(see(tables(deals, quotas=[quota]), f"{SUNDAY}")).totals.iloc[0]

    assert now["reach_quota_share"] > 0.9
    assert math.isclose(now["largest_deal_share"], now["reach_quota_share"])


def test_without_a_quota_the_median_is_the_mark(see):
    """All deals are worth the same, so a total on the median would lie below it without any one of them."""
    now = forecast.forecast(see(tables(clockwork(100, SUNDAY)), f"{SUNDAY}")).totals.iloc[0]

    assert 0.1 < now["largest_deal_share"] < 1
    assert np.isnan(now["quota"]) and np.isnan(now["reach_quota_share"])


def test_without_amounts_deals_are_counted(see):
    """Every deal counts 1, and amount quotas say nothing."""
    quota = {"holder_type": "team", "holder_id": "North", "period_start": "2026-04-01",
             "period_end": "2026-06-30", "measure": "amount", "value": "5600"}  # fmt: skip
    seen = see(tables(clockwork(100, SUNDAY, amount=""), quotas=[quota]), f"{SUNDAY}")

    found = forecast.forecast(seen)

    now = found.totals.iloc[0]
    assert found.value == "count" and found.n_without_amount == 0
    assert now["booked"] == 6 and abs(now["mean"] - 12.3) < 0.8 and np.isnan(now["quota"])
    assert now["median"] == round(now["median"])
    assert forecast.backtest(seen).rows["actual"].isin([12, 13, 14]).all()


def test_open_deals_without_an_amount_are_drawn_like_won_ones(see):
    """They are counted, and bring what won deals do."""
    deals = clockwork(100, SUNDAY)
    for row in deals[-3:-1]:
        row["amount"] = ""
    seen = see(tables(deals), f"{SUNDAY}")

    found = forecast.forecast(seen)

    assert found.value == "amount" and found.n_without_amount == 2
    assert found.deals["amount"].isna().sum() == 2
    assert abs(found.totals["mean"].iloc[0] - 1230) < 80


def test_amounts_are_those_of_the_latest_won(see):
    """Of 500 won deals the oldest 100 had another amount: nothing is drawn from them."""
    days = [MONDAY + datetime.timedelta(days=k) for k in range(500)]
    deals = [deal(k, day, day, amount="1" if k < 100 else "7") for k, day in enumerate(days)]

    basis = forecast._basis(see(tables(deals), f"{days[-1]}"))

    assert basis.amounts.tolist() == [7.0] * 400


def test_without_stage_history_the_age_is_that_since_creation(see):
    """One state without a name; the clockwork is seen all the same."""
    deals = clockwork(100, SUNDAY)
    seen = see({"stages": STAGES, "deals": deals, "people": PEOPLE}, f"{SUNDAY}")

    found = forecast.forecast(seen)

    assert found.deals["stage"].isna().all()
    assert sorted(found.deals["days_in_stage"]) == [6, 13, 20]
    assert_allclose(found.totals["mean"], forecast.forecast(see(tables(deals), f"{SUNDAY}")).totals["mean"])  # fmt: skip


def test_deals_without_a_day_of_creation_are_left_out(see):
    """They are no arrivals on the day of the export, and not among the open ones; won ones are booked."""
    undated = [deal(900 + k, SUNDAY, created_at="") for k in range(50)]
    won = deal(990, SUNDAY, SUNDAY, created_at="", amount="1000")
    known = clockwork(100, SUNDAY)

    with_them = forecast.forecast(see(tables([*known, *undated, won]), f"{SUNDAY}"))
    without = forecast.forecast(see(tables(known), f"{SUNDAY}"))

    assert len(with_them.deals) == len(without.deals) == 3
    assert_allclose(with_them.totals["from_new"], without.totals["from_new"], atol=350)
    assert with_them.totals["booked"].iloc[0] == without.totals["booked"].iloc[0] + 1000


def test_a_stage_entered_before_the_creation_is_known(see):
    """A deal whose stage was noted a week before the deal itself is in that stage, not in one without a name."""
    early = deal(900, SUNDAY - WEEK)
    events = tables(clockwork(100, SUNDAY))["stage_events"] + [
        {"deal_id": "D0900", "stage": "B", "entered_at": at(SUNDAY - 2 * WEEK)}
    ]
    seen = see(tables([*clockwork(100, SUNDAY), early], stage_events=events), f"{SUNDAY}")

    found = forecast.forecast(seen).deals

    assert sorted(found["stage"]) == ["A", "A", "A", "B"]
    assert found.loc[found["stage"] == "B", "days_in_stage"].tolist() == [14]


def test_re_opened_deals_are_arrivals(see):
    """A lost deal that is open again comes in anew; its first life is no arrival once more."""
    first, lost, again = SUNDAY - 40 * WEEK, SUNDAY - 30 * WEEK, SUNDAY - 5 * WEEK
    deals = [*clockwork(100, SUNDAY), deal(900, first)]
    events = tables(deals)["stage_events"] + [
        {"deal_id": "D0900", "stage": "Lost", "entered_at": at(lost)},
        {"deal_id": "D0900", "stage": "B", "entered_at": at(again)},
    ]

    plainly = forecast._basis(see(tables(deals[:-1]), f"{SUNDAY}")).counts
    counts = forecast._basis(see(tables(deals, stage_events=events), f"{SUNDAY}")).counts

    more = counts.arrivals - plainly.arrivals
    assert np.flatnonzero(more).tolist() == [52 - 41, 52 - 6] and more.sum() == 2
    assert counts.inflow[:2].tolist() == [plainly.inflow[0] + 1, 1]
    assert counts.moves[:, :, LOST].sum() == 1


@pytest.mark.parametrize(
    ("weeks", "reason"), [(25, "too_short_history"), (27, "too_few_won"), (36, None)]
)
def test_a_short_history_gives_no_forecast(see, weeks, reason):
    """Fewer than 26 weeks, then fewer than 30 won; the tables are empty and have their columns."""
    as_of = MONDAY + WEEK * weeks - datetime.timedelta(days=1)
    seen = see(tables(clockwork(100, as_of)), f"{as_of}")

    found = forecast.forecast(seen)

    assert found.why_not == reason and found.history_weeks == weeks
    assert bool(len(found.totals)) == bool(len(found.deals)) == (reason is None)
    assert {"period", "team", "low80", "largest_deal_share"} <= set(found.totals.columns)
    assert {"deal_key", "win_share"} <= set(found.deals.columns)


def test_few_snapshots_give_no_backtest(see):
    """A forecast can be made, but was not possible often enough before."""
    as_of = MONDAY + WEEK * 50
    seen = see(tables(clockwork(100, as_of)), f"{as_of}")

    found = forecast.backtest(seen)

    assert forecast.forecast(seen).why_not is None
    assert found.why_not == "too_few_snapshots" and found.widening == 1
    assert not len(found.rows) and not len(found.scores) and not len(found.reliability)
    assert {"crps", "snapshot_on"} <= set(found.rows.columns)
    assert {"method", "coverage80"} <= set(found.scores.columns)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda seen: forecast.forecast(seen, paths=99), "paths must be a whole number from 100 on, found 99"),
        (lambda seen: forecast.forecast(seen, paths=1e3), "found 1000.0"),
        (lambda seen: forecast.backtest(seen, snapshots=0), "snapshots must be a whole number from 1 on"),
        (lambda seen: forecast.backtest(seen, apart_days=0), "apart_days must be a whole number"),
        (lambda seen: forecast.backtest(seen, paths=10), "paths must be"),
    ],
)  # fmt: skip
def test_parameters_that_make_no_sense_are_refused(seen, run, message):
    """Too few paths, no snapshots, no days between them."""
    with pytest.raises(ParameterError, match=message):
        run(seen)


@pytest.fixture(scope="module")
def past(seen):
    """The sample company's back-test."""
    return forecast.backtest(seen)


def test_snapshots_lie_six_weeks_apart_and_end_by_the_day(past):
    """The last one's 13 weeks end on the day observed."""
    days = pd.to_datetime(past.rows["snapshot_on"])

    assert past.rows["last_on"].iloc[-1] == datetime.date(2026, 6, 30)
    assert set(np.diff(days).astype("m8[D]").astype(int)) == {42}
    assert ((pd.to_datetime(past.rows["last_on"]) - days).dt.days == 91).all()
    assert len(past.rows) == 8


def test_what_came_and_went_before_is_what_was_credited(seen, past):
    """Actuals by credit as of now, last quarters by credit as of then."""

    def between(known, first, last):
        table = credit.credited(known)
        days = table["won_on"]
        return table.loc[(days > pd.Timestamp(first)) & (days <= pd.Timestamp(last)), "amount"].sum()  # fmt: skip

    for row in past.rows.itertuples():
        assert math.isclose(row.actual, between(seen, row.snapshot_on, row.last_on), rel_tol=1e-9)
        with seen.at(row.snapshot_on) as then:
            before = row.snapshot_on - datetime.timedelta(days=91)
            assert math.isclose(row.last_quarter, between(then, before, row.snapshot_on), rel_tol=1e-9)  # fmt: skip


def test_weighted_pipeline_is_amounts_times_the_stages_rates(seen, past):
    """Written out deal by deal for one snapshot, with the share won of the deals closed in the year before."""
    row = past.rows.iloc[-1]
    with seen.at(row["snapshot_on"]) as then:
        stays = then.frame("SELECT deal_key, stage, outcome FROM stays")
        deals = then.frame("SELECT deal_key, cause, closed_on, amount FROM deals")
    deals = deals.set_index("deal_key")
    since = pd.Timestamp(row["snapshot_on"]) - pd.Timedelta(days=364)
    closed = deals[deals["cause"].isin([1, 2]) & (deals["closed_on"] > since)]
    rates = {}
    for stage, part in stays.groupby("stage", observed=True):
        ends = closed.loc[[key for key in part["deal_key"].unique() if key in closed.index], "cause"]  # fmt: skip
        rates[stage] = (ends == 1).mean()
    now = stays[stays["outcome"] == "open"]
    expected = sum(
        deals.loc[key, "amount"] * rates[stage]
        for key, stage in zip(now["deal_key"], now["stage"], strict=True)
    )

    assert row["n_open"] == len(now)
    assert abs(row["weighted_pipeline"] / expected - 1) < 0.02  # visits within a day are not seen


def test_scores_follow_from_the_rows(past):
    """Means, ratios of sums, shares of ranges that held, written out."""
    rows, scores = past.rows, past.scores.set_index("method")

    held = (rows["low80"] <= rows["actual"]) & (rows["actual"] <= rows["high80"])
    assert scores.loc["simulation", "coverage80"] == held.mean()
    above = int((rows["actual"] > rows["high80"]).sum())
    assert scores.loc["simulation", ["n_above80", "n_below80"]].tolist() == [above, 8 - above - held.sum()]  # fmt: skip
    for method, value, score in (
        ("simulation", "mean", "crps"),
        ("weighted_pipeline", "weighted_pipeline", "crps_weighted"),
        ("last_quarter", "last_quarter", "crps_last"),
    ):
        row = scores.loc[method]
        assert math.isclose(row["bias"], rows[value].sum() / rows["actual"].sum())
        assert math.isclose(row["crps"], rows[score].mean())
        if method == "simulation":
            assert math.isnan(row["skill"])
        else:
            assert math.isclose(row["skill"], 1 - rows["crps"].sum() / rows[score].sum())
            assert row["skill_low"] <= row["skill"] <= row["skill_high"]
            assert np.allclose(rows[score], (rows[value] - rows["actual"]).abs())
    pooled = (rows["brier"] * rows["n_open"]).sum() / rows["n_open"].sum()
    assert math.isclose(scores.loc["simulation", "brier"], pooled)
    assert scores.loc["simulation", "brier"] < scores.loc["weighted_pipeline", "brier"]
    assert past.reliability["n"].sum() == rows["n_open"].sum()
    assert past.reliability["n_happened"].sum() == rows["n_won"].sum()


def test_ranges_are_widened_only_where_they_held_too_few(past):
    """By the factor that would have held four in five; by none where they did."""
    rows = past.rows
    half = (rows["high80"] - rows["low80"]) / 2
    good = past.scores.assign(coverage80=[0.8, np.nan, np.nan])
    bad = past.scores.assign(coverage80=[0.79, np.nan, np.nan])

    factor = np.quantile((rows["actual"] - rows["median"]).abs() / half, 0.8)
    assert forecast._widening(rows, bad) == pytest.approx(max(1.0, factor))
    assert forecast._widening(rows, good) == 1.0
    assert past.widening == forecast._widening(rows, past.scores)


def test_a_snapshot_knows_nothing_of_later_days(past, tmp_path):
    """The export of the day of a snapshot gives the same forecast as today's store looked at as of that day."""
    row = past.rows.iloc[4]
    store = loaded(tmp_path, as_of=row["snapshot_on"])

    with crm.observe(store, row["snapshot_on"]) as then:
        basis = forecast._basis(then)
        won = basis.won.iloc[:0]
        found, chances = forecast._looked_back(basis, row["snapshot_on"], won, 400, 1)

    for name in ("mean", "low80", "high95", "weighted_pipeline", "last_quarter", "n_open"):
        assert math.isclose(found[name], row[name], rel_tol=1e-9), name
    assert not chances["is_won"].any()


def test_a_re_opened_deal_counts_as_it_stands_now(see):
    """Won in the last 13 weeks and open again today: nothing came of it, neither as a sum nor as a won deal."""
    deals = [*clockwork(100, SUNDAY), deal(900, SUNDAY - 20 * WEEK, amount="99999")]
    events = tables(deals)["stage_events"] + [
        {"deal_id": "D0900", "stage": "Won", "entered_at": at(SUNDAY - 6 * WEEK)},
        {"deal_id": "D0900", "stage": "B", "entered_at": at(SUNDAY - 2 * WEEK)},
    ]

    seen = see(tables(deals, stage_events=events), f"{SUNDAY}")
    rows = forecast.backtest(seen).rows

    assert rows["actual"].iloc[-1] == 1300
    assert rows["n_open"].iloc[-1] == 4 and rows["n_won"].iloc[-1] == 3


def test_the_same_seed_gives_the_same_tables(small, seen, past):
    """Also in another session that has computed nothing yet; another seed draws other paths."""
    made = forecast.forecast(seen, seed=3)
    with crm.observe(small, "2026-06-30") as again:
        again._kept.clear()
        assert_frame_equal(forecast.forecast(again, seed=3).totals, made.totals)
        assert_frame_equal(forecast.backtest(again).rows, past.rows)
        other = forecast.forecast(again, seed=4).totals

    assert (other["mean"] != made.totals["mean"]).any()
    assert_allclose(other["mean"], made.totals["mean"], rtol=0.15)


def test_the_score_is_that_of_the_paths(seen, past):
    """One snapshot's CRPS and Brier score, with its paths drawn again."""
    row = past.rows.iloc[-1]
    with seen.at(row["snapshot_on"]) as then:
        basis = forecast._basis(then)
    deals = basis.deals.assign(team="")
    found = forecast._simulated(basis._replace(deals=deals), [91], [""], 400, 1)
    total = (found.from_open + found.from_new)[:, 0, 0]

    pairs = np.abs(np.subtract.outer(total, total)).mean()
    assert math.isclose(row["crps"], np.abs(total - row["actual"]).mean() - pairs / 2)
    won = seen.frame("SELECT deal_key, closed_on FROM deals WHERE cause = 1")
    won = won[won["closed_on"] <= pd.Timestamp(row["last_on"])]["deal_key"]
    is_won = deals["deal_key"].isin(won)
    assert math.isclose(row["brier"], verification.brier(found.chances[:, 0], is_won))
    assert row["n_won"] == is_won.sum()


def test_a_source_of_orders_has_no_open_deal_to_score(see):
    """
    Deals won on the day they are created: the forecast is of new ones only, and there is no Brier score, but a CRPS.
    """
    first = datetime.date(2024, 1, 1)
    days = [first + datetime.timedelta(days=3 * k) for k in range(300)]
    deals = [
        {
            "deal_id": f"{k}", "created_at": f"{day} 10:00:00", "closed_at": f"{day} 12:00:00",
            "stage": "won", "status": "won", "owner": "a", "amount": "100",
        }
        for k, day in enumerate(days)
    ]  # fmt: skip
    seen = see({"deals": deals}, "2026-06-15")

    back = forecast.backtest(seen, snapshots=4, paths=100)

    assert back.why_not is None
    assert back.scores["brier"].isna().all()
    assert back.scores["crps"].notna().all()
    assert (back.rows["n_open"] == 0).all()
