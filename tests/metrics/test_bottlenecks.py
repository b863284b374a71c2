"""What a stage is worth, velocity, opportunities: by hand, and against the definitions read deal by deal."""

import datetime
import math

import numpy as np
import plain
import pytest
from export import ROOT
from pandas.testing import assert_frame_equal

from salesanalysis import crm
from salesanalysis.crm import sample
from salesanalysis.crm.errors import ParameterError
from salesanalysis.metrics import bottlenecks

DAY = datetime.date(2026, 6, 30)
MONTH = 365.25 / 12
STAGES = [
    {"stage": "A", "stage_order": "1"},
    {"stage": "B", "stage_order": "2"},
    {"stage": "Won", "stage_order": "3", "is_won": "true"},
    {"stage": "Lost", "stage_order": "4", "is_lost": "true"},
]
PEOPLE = [{"person_id": name, "name": name.upper(), "team": name} for name in ("north", "south")]


def before(days):
    """Noon so many days before the day of the report."""
    return f"{DAY - datetime.timedelta(days=days)} 12:00:00"


class Export:
    """Tables of an export, a deal at a time."""

    def __init__(self):
        self.tables = {"stages": STAGES, "people": PEOPLE, "deals": [], "stage_events": []}

    def deals(self, n, *, path, team="north", status=None, **fields):
        """`n` deals alike; `path` is (stage, days before the report) in order, an end state last where there is one."""
        end, at = path[-1]
        status = status or {"Won": "won", "Lost": "lost"}.get(end, "open")
        for _ in range(n):
            deal_id = f"d{len(self.tables['deals'])}"
            self.tables["deals"].append(
                {"deal_id": deal_id, "created_at": before(path[0][1]), "status": status, "owner": team,
                 "closed_at": "" if status == "open" else before(at), **fields}
            )  # fmt: skip
            self.tables["stage_events"] += [
                {"deal_id": deal_id, "stage": stage, "entered_at": before(days)}
                for stage, days in path
            ]

    def activities(self, deal_ids, *, done, n=1):
        """`n` activities of each of the deals, done so many days before the report."""
        rows = self.tables.setdefault("activities", [])
        rows += [
            {"activity_id": f"a{len(rows) + k}", "deal_id": deal_id, "type": "call",
             "created_at": before(done), "done_at": before(done)}
            for k, deal_id in enumerate(np.repeat(deal_ids, n))
        ]  # fmt: skip


def two_teams(scale=1, **fields):
    """
    Of 200 deals per team, north takes 150 to B and wins 100, south takes 100 to B and wins 80; all 300 days ago.
    """
    export = Export()
    for team, to_b, won in (("north", 150, 100), ("south", 100, 80)):
        path = [("A", 300), ("B", 290)]
        export.deals(won * scale, team=team, path=[*path, ("Won", 280)], amount="50", **fields)
        export.deals((to_b - won) * scale, team=team, path=[*path, ("Lost", 280)], **fields)
        export.deals((200 - to_b) * scale, team=team, path=[("A", 300), ("Lost", 290)], **fields)
    return export


def test_the_gain_of_a_stage_by_hand(see):
    """
    400 leads in 301 days; 250 of 400 go on from A, 180 of 250 from B, so W = 0.45, as observed. North reaches the
    benchmark of A, south that of B; a gain is leads a month x W x (benchmark / rate - 1), and its amount 50 a win.
    """
    table = bottlenecks.levers(see(two_teams().tables, DAY), within_days=30)

    assert table["stage"].tolist() == ["A", "B"]
    assert table["advanced_rate"].tolist() == pytest.approx([250 / 400, 180 / 250])
    assert table["n_deals"].tolist() == [400, 250]
    assert table["n_advanced"].tolist() == [250, 180]
    assert table["product_rate"].tolist() == pytest.approx([0.45, 0.45])
    assert table["won_rate"].tolist() == pytest.approx([0.45, 0.45])
    leads = 400 / (301 / MONTH)
    assert table["leads_per_month"].tolist() == pytest.approx([leads, leads])
    assert table["wins_per_month"].tolist() == pytest.approx([0.45 * leads] * 2)
    assert table["benchmark_groups"].tolist() == ["north", "south"]
    assert table["n_groups"].tolist() == [2, 2]
    for row, best, own in zip(
        table.itertuples(), (150 / 200, 80 / 100), (250 / 400, 0.72), strict=True
    ):
        assert (
            own < row.benchmark_rate < best
        )  # shrunk, and three quarters of the way from the lower to the higher
        gain = 0.45 * leads * (row.benchmark_rate / own - 1)
        assert row.gain_per_month == pytest.approx(gain, rel=0.05)
        assert row.gain_low < gain < row.gain_high
        assert row.amount_per_month == pytest.approx(50 * row.gain_per_month)
    assert table["top_share"].sum() == pytest.approx(1, abs=0.01)


def test_a_stage_gains_only_what_passes_through_it(see):
    """
    Where as many win past B as through it, its gain counts by half; one that fewer than half of the winners were in is
    no factor of the product, which then is the rate of A.
    """
    half, fewer = two_teams(), two_teams()
    half.deals(90, path=[("A", 300), ("Won", 280)], team="north")
    half.deals(90, path=[("A", 300), ("Won", 280)], team="south")
    fewer.deals(200, path=[("A", 300), ("Won", 280)], team="south")

    shared = bottlenecks.levers(see(half.tables, DAY), within_days=30).set_index("stage")
    rare = bottlenecks.levers(see(fewer.tables, DAY), within_days=30).set_index("stage")

    assert shared["won_through_share"].tolist() == [1, 0.5]
    own, leads = 0.72, shared.loc["B", "leads_per_month"]
    product = (250 + 180) / 580 * own
    assert shared.loc["B", "product_rate"] == pytest.approx(product)
    expected = 0.5 * leads * product * (shared.loc["B", "benchmark_rate"] / own - 1)
    assert shared.loc["B", "gain_per_month"] == pytest.approx(expected, rel=0.05)
    assert rare.loc["B", "won_through_share"] == pytest.approx(180 / 380)
    assert rare["product_rate"].tolist() == pytest.approx([450 / 600] * 2)
    assert rare["won_rate"].tolist() == pytest.approx([380 / 600] * 2)


def test_each_stage_may_have_days_of_its_own(see):
    """
    A step after 10 days counts within 10 and not within 9; the days of one stage say nothing of another.
    """
    seen = see(two_teams().tables, DAY)

    quick = bottlenecks.levers(seen, within_days={"A": 9, "B": 10})

    assert quick["within_days"].tolist() == [9, 10]
    assert quick["advanced_rate"].tolist() == pytest.approx([0, 0.72])
    with pytest.raises(ParameterError, match="days for every stage, but has none for B"):
        bottlenecks.levers(seen, within_days={"A": 9})


def test_only_the_last_months_count(see):
    """
    Deals that entered before the period, and amounts won before it, are no part of any column; leads are by month of the
    whole period where the history is longer.
    """
    export = two_teams()
    export.deals(400, path=[("A", 900), ("B", 890), ("Won", 880)], team="south", amount="9000")

    table = bottlenecks.levers(see(export.tables, DAY), within_days=30)

    assert table["n_deals"].tolist() == [400, 250]
    assert table["leads_per_month"].tolist() == pytest.approx([400 / (365 / MONTH)] * 2)
    assert (table["amount_per_month"] / table["gain_per_month"]).tolist() == pytest.approx([50, 50])
    longer = bottlenecks.levers(see(export.tables, DAY), within_days=30, period_months=36)
    assert longer["n_deals"].tolist() == [800, 650]


def test_a_group_with_few_deals_has_no_part_in_the_benchmark(see):
    """
    Ten deals at a stage are enough, nine are not; with fewer than two groups there is no benchmark and no gain.
    """
    for n, groups in ((10, 2), (9, 1)):
        export = Export()
        export.deals(40, path=[("A", 300), ("Lost", 280)], team="north")
        export.deals(20, path=[("A", 300), ("Won", 280)], team="north")
        export.deals(n, path=[("A", 300), ("Won", 280)], team="south")

        table = bottlenecks.levers(see(export.tables, DAY), within_days=30)

        assert table["n_groups"].tolist() == [groups]
        assert math.isnan(table["gain_per_month"].iloc[0]) == (groups == 1)
        assert (table["benchmark_groups"].iloc[0] == "") == (groups == 1)


def test_a_source_without_history_or_groups_has_no_lever(see):
    """
    Without stage history there are no rows; without teams rates and leads, and no gain; without amounts no amount.
    """
    export = two_teams()
    no_people = {name: rows for name, rows in export.tables.items() if name != "people"}
    no_amounts = {
        **export.tables,
        "deals": [{k: v for k, v in d.items() if k != "amount"} for d in export.tables["deals"]],
    }

    nothing = bottlenecks.levers(see({"deals": no_people["deals"]}, DAY), within_days=30)
    no_team = bottlenecks.levers(see(no_people, DAY), within_days=30)
    no_amount = bottlenecks.levers(see(no_amounts, DAY), within_days=30)

    assert nothing.empty
    assert list(nothing.columns) == list(no_team.columns)
    assert no_team["n_groups"].tolist() == [0, 0]
    assert no_team["advanced_rate"].notna().all()
    assert no_team[["benchmark_rate", "gain_per_month", "top_share"]].isna().all(axis=None)
    assert no_amount["amount_per_month"].isna().all()
    assert no_amount["gain_per_month"].notna().all()


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"by": "owner"}, "by must be a segment that names no person"),
        ({"by": "mood"}, "by must be one of"),
        ({"within_days": -1}, "within_days must be whole days"),
        ({"within_days": {"A": 1, "B": 1.5}}, "within_days must be whole days"),
        ({"period_months": 0}, "period_months must be a whole number from 1 on, found 0"),
    ],
)
def test_impossible_parameters_are_refused(see, keywords, message):
    """
    A benchmark of persons, a strange segment, days and months that cannot be.
    """
    export = Export()
    export.deals(1, path=[("A", 30), ("B", 20)])

    with pytest.raises(ParameterError, match=message):
        bottlenecks.levers(see(export.tables, DAY), **{"within_days": 30} | keywords)


def test_months_of_the_other_tables_are_checked_too(see):
    """
    Velocity and opportunities refuse months that cannot be, opportunities an age.
    """
    export = Export()
    export.deals(1, path=[("A", 30), ("B", 20)])
    seen = see(export.tables, DAY)

    with pytest.raises(ParameterError, match="period_months"):
        bottlenecks.velocity(seen, period_months=0)
    with pytest.raises(ParameterError, match="period_months"):
        bottlenecks.compared(seen, recent_months=1.5)
    with pytest.raises(ParameterError, match="age_days"):
        bottlenecks.opportunities(seen, age_days=-3)


WINDOW = round(4 * MONTH)


def test_levers_agree_with_the_definitions(view, monkeypatch):
    """
    On random companies: step rates, benchmark groups, leads, wins and shares of the last four months deal by deal, the
    benchmark on the grid written out, and gains by draws of the test's own.
    """
    monkeypatch.setattr(bottlenecks, "FEWEST_DEALS", 3)
    deals = [deal for deal in view.deals if deal.status != "removed"]
    visits = [(deal, visit) for deal in deals for visit in plain.first_visits(deal, view.day)]
    starts = {}
    for deal, visit in visits:
        key = deal.deal_id, visit.entry.pipeline
        starts[key] = min(starts.get(key, view.day), visit.entry.entered_on)
    longest = max(
        (view.day - v.entry.entered_on).days for d in view.deals for v in plain.first_visits(d, view.day)
    )  # fmt: skip
    leads = {}
    for deal in deals:
        for (deal_id, pipeline), day in starts.items():
            if deal_id == deal.deal_id and (view.day - day).days < WINDOW:
                leads.setdefault(pipeline, []).append((deal, day))
    expected = []
    places = {(v.entry.pipeline, v.entry.stage, v.entry.order) for _, v in visits}
    for pipeline, stage, order in sorted(places):
        part = [
            visit
            for _, visit in visits
            if (visit.entry.pipeline, visit.entry.stage) == (pipeline, stage)
            and (view.day - visit.entry.entered_on).days < WINDOW
        ]
        if part:
            key = {"pipeline": pipeline, "stage": stage, "stage_order": order}
            months = min(WINDOW, longest + 1) / MONTH
            expected.append(
                key | stage_row(part) | lead_row(leads.get(pipeline, []), part, view, months)
            )

    table = bottlenecks.levers(view.seen, within_days=21, period_months=4, seed=11)

    plain.assert_same(table, expected, ["pipeline", "stage"])
    agree_with_own_draws(table)


def stage_row(part):
    """Rates and benchmark of one stage."""
    at = plain.incidence([(visit.age, visit.cause) for visit in part], 21)
    groups = plain.grouped(part, "team", lambda visit: visit.entry.segments)
    read = {
        name: (len(own), plain.incidence([(visit.age, visit.cause) for visit in own], 21))
        for name, own in groups.items()
        if name
    }
    known = {
        name: (one["rate"], one["n_eff"])
        for name, (n, one) in sorted(read.items())
        if n >= 3 and one["rate"] is not None
    }
    value, reached = None, []
    if len(known) > 1:
        means = posterior_means(*zip(*known.values(), strict=True))
        ordered, place = sorted(means), 0.75 * (len(means) - 1)
        low, share = ordered[int(place)], place - int(place)
        value = low + share * (ordered[math.ceil(place)] - low)
        reached = [name for name, mean in zip(known, means, strict=True) if mean >= value - 1e-12]
    return {
        "n_deals": len(part),
        "n_advanced": sum(visit.cause == 1 and visit.age <= 21 for visit in part),
        "within_days": 21,
        "advanced_rate": at["rate"],
        "advanced_rate_low": at["low"],
        "advanced_rate_high": at["high"],
        "n_eff": at["n_eff"],
        "n_groups": len(known),
        "benchmark_rate": value,
        "benchmark_groups": ", ".join(reached),
    }


def posterior_means(rates, n):
    """The grid posterior of the guide, in loops over groups and spreads."""
    overall = sum(r * of for r, of in zip(rates, n, strict=True)) / sum(n)
    if overall in (0, 1):
        return [overall] * len(rates)
    effects, taus = np.linspace(-3, 3, 241), np.append(0, np.geomspace(0.03, 1.5, 30))
    share = 1 / (1 + np.exp(-(math.log(overall / (1 - overall)) + effects)))
    likelihood = [share ** (r * of) * (1 - share) ** (of - r * of) for r, of in zip(rates, n, strict=True)]  # fmt: skip
    prior = [np.exp(-((effects / tau) ** 2) / 2) for tau in taus[1:]]
    prior = [density / density.sum() for density in prior]
    weight = (taus * np.gradient(taus))[1:]
    for one in likelihood:
        weight = weight * [float(one @ density) for density in prior]
    weight = weight / weight.sum()
    return [
        sum(w * (one * d) @ share / (one @ d) for w, d in zip(weight, prior, strict=True))
        for one in likelihood
    ]


def lead_row(leads, part, view, months):
    """Leads, their wins and what of these passed a stage."""
    code = {"open": 0, "won": 1, "lost": 2}
    cases = [(((deal.closed_on or view.day) - day).days, code[deal.status]) for deal, day in leads]
    known = [(age, cause) for age, cause in cases if age >= 0]
    at = plain.incidence(known, max(age for age, _ in known)) if known else {}
    entry = part[0].entry
    won = [deal for deal, _ in leads if deal.status == "won"]
    through = [
        deal
        for deal in won
        if any((e.pipeline, e.stage) == (entry.pipeline, entry.stage) for e in deal.entries)
    ]
    per_month = len(leads) / months if leads else None
    rate = at.get("rate")
    return {
        "leads_per_month": per_month,
        "won_rate": rate,
        "won_rate_low": at.get("low"),
        "won_rate_high": at.get("high"),
        "wins_per_month": rate * per_month if rate is not None else None,
        "won_through_share": len(through) / len(won) if won else 1.0,
    }


def agree_with_own_draws(table):
    """Gain and probability of each stage again, from beta draws of the test."""
    rng = np.random.default_rng(5)
    n = table["n_eff"].fillna(0).to_numpy()
    k = (table["advanced_rate"].fillna(0) * n).to_numpy()
    p = rng.beta(k + 0.5, n - k + 0.5, (40_000, len(table)))
    p[:, table["advanced_rate"].isna()] = np.nan
    gain = np.empty_like(p)
    for row in table.itertuples():
        chain = (table["pipeline"] == row.pipeline) & (table["won_through_share"] >= 0.5)
        weight = row.leads_per_month * row.won_through_share
        improved = np.maximum(row.benchmark_rate / p[:, row.Index] - 1, 0)
        gain[:, row.Index] = p[:, chain].prod(axis=1) * improved * weight
        rates = table.loc[chain, "advanced_rate"]
        product = rates.prod(skipna=False) if len(rates) else np.nan
        assert row.product_rate == pytest.approx(product, nan_ok=True)
    expected = np.quantile(gain, [0.5, 0.025, 0.975], axis=0)
    widest = np.nanmax(np.append(gain.std(axis=0), 1e-9))
    for name, values in zip(("gain_per_month", "gain_low", "gain_high"), expected, strict=True):
        np.testing.assert_allclose(table[name], values, atol=0.2 * widest)
    first = np.nan_to_num(gain).argmax(axis=1)
    some = np.nan_to_num(gain).max(axis=1) > 0
    for row in table.itertuples():
        share = (
            np.nan if np.isnan(gain[:, row.Index]).any() else ((first == row.Index) & some).mean()
        )
        assert row.top_share == pytest.approx(share, abs=0.02, nan_ok=True)


def test_velocity_agrees_with_the_definitions(view):
    """
    Four levers and what shows that their product cannot find a bottleneck, from the deals of the last four months.
    """

    def recent(day):
        return (view.day - day).days < WINDOW

    dated = [deal for deal in view.deals if deal.created_on and deal.status != "removed"]
    closed = [d for d in dated if d.status != "open" and recent(d.closed_on)]
    closed = [deal for deal in closed if deal.closed_on >= deal.created_on]
    won = [deal for deal in closed if deal.status == "won"]
    amounts = [deal.amount for deal in won if deal.amount is not None]
    still_open = sum(deal.status == "open" for deal in view.deals)
    first = min(deal.created_on for deal in view.deals if deal.created_on)
    created = sum(recent(deal.created_on) for deal in dated)
    a_day = created / min(WINDOW, (view.day - first).days + 1)
    amount = sum(amounts) / len(amounts)
    cycle = plain.quantile([(d.closed_on - d.created_on).days for d in won], 50)
    product = still_open * amount * len(won) / len(closed) / cycle
    expected = {
        "open_deals": (still_open, still_open),
        "mean_won_amount": (amount, len(amounts)),
        "win_rate": (len(won) / len(closed), len(closed)),
        "cycle_days": (cycle, len(won)),
        "velocity": (product, len(won)),
        "created_per_day": (a_day, created),
        "days_open": (still_open / a_day, still_open),
        "open_deals_half_cycle": (still_open / 2, still_open),
        "velocity_half_cycle": (product, len(won)),
    }

    table = bottlenecks.velocity(view.seen, period_months=4).set_index("lever")

    assert table.index.tolist() == list(expected)
    for lever, (value, n) in expected.items():
        assert table.loc[lever, "value"] == pytest.approx(value), lever
        assert table.loc[lever, "n"] == n, lever


def test_velocity_without_wins_amounts_or_days_is_missing(see):
    """
    Nothing won: no amount, no cycle, no product, and a rate of 0 of those closed; without amounts wins a day.
    """
    lost, plain_won, at_once = Export(), Export(), Export()
    lost.deals(4, path=[("A", 40), ("Lost", 20)])
    plain_won.deals(4, path=[("A", 40), ("Won", 20)])
    plain_won.deals(6, path=[("A", 40), ("B", 10)])
    at_once.deals(4, path=[("A", 40), ("Won", 40)])
    at_once.deals(1, path=[("A", 40), ("B", 10)])

    values = [
        bottlenecks.velocity(see(export.tables, DAY)).set_index("lever")["value"]
        for export in (lost, plain_won, at_once)
    ]

    missing = ["mean_won_amount", "cycle_days", "velocity", "velocity_half_cycle"]
    assert values[0][missing].isna().all()
    assert values[0]["win_rate"] == values[0]["open_deals"] == 0
    assert values[1]["velocity"] == pytest.approx(6 * 1.0 / 20)
    assert values[1]["created_per_day"] == pytest.approx(10 / 41)
    assert values[2]["cycle_days"] == 0
    assert math.isnan(values[2]["velocity"])


def shop(n_good=60, *, good_recent=0.5, activities=(1, 3), **fields):
    """
    Deals of two sources, closed after 10 days: "good" wins half, "bulk" one in ten. Half (of "good": `good_recent`) were
    created 120 days ago, the others 365 days ago; so many `activities` per deal, on the third day.
    """
    export = Export()
    export.tables["activities"] = []
    for source, n, share, recent, done in (
        ("good", n_good, 0.5, good_recent, activities[0]),
        ("bulk", 540, 0.1, 0.5, activities[1]),
    ):
        for days, part in ((120, recent), (365, 1 - recent)):
            first, count = len(export.tables["deals"]), round(n * part)
            won = round(count * share)
            for end, size in (("Won", won), ("Lost", count - won)):
                path = [("A", days), (end, days - 10)]
                amount = "200" if end == "Won" else "7"
                export.deals(size, path=path, source=source, amount=amount, **fields)
            ids = [deal["deal_id"] for deal in export.tables["deals"][first:]]
            export.activities(ids, done=days - 3, n=done)
    return export


def test_an_opportunity_by_hand(see):
    """
    "good" has 30 of the 300 new deals, on average a source has half: with half of them, 50 a month, it would have 20 more
    deals a month at 0.5 instead of 0.1. Its deals got one activity where others got three, in the same 11 days.
    """
    table = bottlenecks.opportunities(see(shop().tables, DAY))

    (row,) = table.itertuples()
    assert (row.kind, row.group, row.n_deals) == ("source", "good", 60)
    assert (row.won_rate, row.rest_rate) == (pytest.approx(0.5), pytest.approx(0.1))
    assert row.has_small_share
    assert row.has_few_activities
    assert row.share_now == pytest.approx(0.1)
    assert row.share_before == pytest.approx(0.1)
    assert row.average_share == 0.5
    assert row.n_activities_per_deal == pytest.approx(1)
    assert row.rest_activities_per_deal == pytest.approx(3)
    assert row.n_activities_per_week == pytest.approx(7 / 11)
    assert row.activity_ratio == pytest.approx(1 / 3)
    assert row.new_deals_per_month == pytest.approx(300 / 6)
    assert row.extra_wins_per_month == pytest.approx(0.4 * 50 * 0.4)
    low, high = plain.wilson(30, 60)
    rest_low, rest_high = plain.wilson(54, 540)
    assert row.extra_wins_low == pytest.approx(20 * (0.4 - math.hypot(0.5 - low, rest_high - 0.1)))
    assert row.extra_wins_high == pytest.approx(20 * (0.4 + math.hypot(high - 0.5, 0.1 - rest_low)))
    assert row.extra_amount_per_month == pytest.approx(200 * row.extra_wins_per_month)
    assert row.q_value < 1e-6


def test_what_is_no_opportunity(see):
    """
    A segment that gets its share of activities and is growing; one that converts like the rest; one with fewer than 30
    deals. Where activities alone are few there is a point without a number of wins.
    """
    growing = bottlenecks.opportunities(
        see(shop(n_good=100, good_recent=0.9, activities=(3, 3)).tables, DAY)
    )
    alike = shop()
    for deal in alike.tables["deals"]:
        deal["source"] = {"good": "bulk", "bulk": "good"}[deal["source"]]
    tiny = bottlenecks.opportunities(see(shop(n_good=28).tables, DAY))
    many = bottlenecks.opportunities(see(shop(n_good=540, activities=(1, 3)).tables, DAY))

    assert growing.empty
    assert bottlenecks.opportunities(see(alike.tables, DAY))["group"].tolist() == ["bulk"]
    assert tiny.empty
    assert many["group"].tolist() == ["good"]
    assert not many["has_small_share"].iloc[0]
    assert many[["extra_wins_per_month", "extra_amount_per_month"]].isna().all(axis=None)


def test_a_share_is_not_called_small_before_it_is_known_not_to_grow(see):
    """
    Where the data do not go back twice the months nothing is said of growth.
    """
    seen = see(shop(activities=(3, 3)).tables, DAY)

    for months, n in ((6, 1), (7, 0)):
        table = bottlenecks.compared(seen, recent_months=months)

        assert table["has_small_share"].sum() == n
        assert table["share_before"].notna().all() == (n == 1)


def test_activities_are_of_deals_that_had_the_time(see):
    """
    A deal created as many days ago as the age counts, a day later it does not; what was done after the age or after the
    closing is not counted.
    """
    export = Export()
    export.tables["activities"] = []
    for source in ("a", "b"):
        for days, done in ((400, 4), (90, 2), (89, 6)):
            first = len(export.tables["deals"])
            export.deals(30, path=[("A", days), ("B", days - 1)], source=source)
            ids = [deal["deal_id"] for deal in export.tables["deals"][first:]]
            export.activities(ids, done=days - 30, n=done)
            if days == 400:
                export.activities(ids, done=days - 90)
                export.activities(ids, done=days - 91, n=3)
    export.deals(30, path=[("A", 400), ("Lost", 390)], source="b")
    lost = [deal["deal_id"] for deal in export.tables["deals"][-30:]]
    export.activities(lost, done=389, n=5)
    export.activities(lost, done=390)

    table = bottlenecks.compared(see(export.tables, DAY)).set_index("group")

    assert table.loc["a", "n_activities_per_deal"] == pytest.approx((5 + 2) / 2)
    assert table.loc["b", "n_activities_per_deal"] == pytest.approx((5 + 2 + 1) / 3)
    assert table.loc["b", "n_activities_per_week"] == pytest.approx(8 / ((91 + 91 + 11) / 7))


def test_a_pair_is_left_out_where_a_part_is_a_point_already(see):
    """
    "good" in the region "north" is as good as "good" everywhere: one point, unless only the pair is good.
    """
    both = shop()
    for number, deal in enumerate(both.tables["deals"]):
        deal["region"] = "north" if number % 2 else "south"
    seen = see(both.tables, DAY)
    pairs = bottlenecks.compared(seen)

    assert bottlenecks.opportunities(seen)["group"].tolist() == ["good"]
    assert set(pairs["kind"]) == {"source", "region", "source × region"}
    good = pairs[pairs["group"] == "good × north"].iloc[0]
    assert good["average_share"] == 0.25
    assert set(bottlenecks.compared(seen, pairs=False)["kind"]) == {"source", "region"}


def test_only_the_pair_may_be_good(see):
    """
    Each source wins alike in all, each region too, but one source in one region is better: the pair is the point.
    """
    export = Export()
    export.tables["activities"] = []
    for source, region, n, won in (
        ("a", "x", 40, 24), ("a", "y", 260, 24), ("b", "x", 260, 24), ("b", "y", 240, 56),
    ):  # fmt: skip
        for days in (120, 365):
            for end, size in (("Won", won // 2), ("Lost", (n - won) // 2)):
                path = [("A", days), (end, days - 10)]
                export.deals(size, path=path, source=source, region=region)
    export.activities(["d0"], done=119)

    table = bottlenecks.opportunities(see(export.tables, DAY))

    assert table[["kind", "group"]].to_numpy().tolist() == [["source × region", "a × x"]]


def test_without_activities_nothing_is_said_and_why(see):
    """
    No rows of either table, and the reason of the mapping file; with them there is no reason.
    """
    tables = shop().tables
    seen = see({name: rows for name, rows in tables.items() if name != "activities"}, DAY)

    assert bottlenecks.compared(seen).empty
    assert bottlenecks.opportunities(seen).empty
    assert "activities" in bottlenecks.why_no_opportunities(seen)
    assert bottlenecks.why_no_opportunities(see(tables, DAY)) is None


WORK_DAY = datetime.date(2025, 12, 31)
KINDS = ("source", "segment", "product", "region")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_compared_agrees_with_the_definitions(seed, work_stores, observe, monkeypatch):
    """
    On random companies with awkward activities: rates, activities while open, shares and tests, deal by deal.
    """
    monkeypatch.setattr(bottlenecks, "FEWEST_COMPARED", 4)
    world, store = work_stores[seed]
    deals = [
        deal
        for deal in plain.deals_as_of(world, WORK_DAY)
        if deal.status != "removed" and deal.created_on
        and (deal.closed_on or WORK_DAY) >= deal.created_on
    ]  # fmt: skip
    kinds = [(kind,) for kind in KINDS]
    kinds += [(a, b) for place, a in enumerate(KINDS) for b in KINDS[place + 1 :]]
    expected = []
    for of in kinds:
        groups = {}
        for deal in deals:
            names = [deal.segments[kind] for kind in of]
            if all(names):
                groups.setdefault(" × ".join(names), []).append(deal)
        kept = {name: part for name, part in groups.items() if len(part) >= 4}
        for name, part in kept.items() if len(kept) > 1 else ():
            rest = [deal for deal in deals if deal not in part]
            row = {"kind": " × ".join(of), "group": name, "average_share": 1 / len(kept)}
            expected.append(row | against(part, rest, activities_of(world), deals, 1 / len(kept)))

    table = bottlenecks.compared(observe(store, WORK_DAY), age_days=40, recent_months=3)

    assert len(expected) > 5
    plain.assert_same(table, expected, ["kind", "group"])
    for family in (table["kind"].str.contains("×"), ~table["kind"].str.contains("×")):
        part = table[family]
        p = sorted(part["p_value"].dropna())
        for row in part.dropna(subset="p_value").itertuples():
            q = min(len(p) * one / (place + 1) for place, one in enumerate(p) if one >= row.p_value)
            assert row.q_value == pytest.approx(min(q, 1))


def activities_of(world):
    """Days of the done activities by deal, as known on the day."""
    done = {}
    for row in world.tables["activities"]:
        if row["done_at"] and row["done_at"][:10] <= WORK_DAY.isoformat():
            day = datetime.date.fromisoformat(row["done_at"][:10])
            done.setdefault(row["deal_id"], []).append(day)
    return done


def against(part, rest, done, deals, average):
    """One segment against the rest: the columns of the comparison."""

    def at(some):
        return plain.incidence([plain.age(deal, WORK_DAY) for deal in some], 40)

    here, there = at(part), at(rest)
    row = {"n_deals": len(part), "won_rate": here["rate"], "rest_rate": there["rate"]}
    if here["rate"] is not None and there["rate"] is not None:
        gap = here["rate"] - there["rate"]
        row |= {
            "difference": gap,
            "difference_low": gap
            - math.hypot(here["rate"] - here["low"], there["high"] - there["rate"]),
            "difference_high": gap
            + math.hypot(here["high"] - here["rate"], there["rate"] - there["low"]),
        }
    for side, some in (("n", part), ("rest", rest)):
        n, events, weeks = attention(some, done)
        row[f"{side}_activities_per_deal"] = events / n if events or n else None
        row[f"{side}_activities_per_week"] = events / weeks if weeks else None
    now = [deal for deal in deals if (WORK_DAY - deal.created_on).days < 91]
    earlier = [deal for deal in deals if 91 <= (WORK_DAY - deal.created_on).days < 182]
    share, low, high = share_of(now, part)
    past, _, past_high = share_of(earlier, part)
    grown = share - past - math.hypot(share - low, past_high - past) > 0
    won = [d.amount for d in part if d.status == "won" and d.amount is not None]
    return row | {
        "share_now": share,
        "share_now_low": low,
        "share_now_high": high,
        "share_before": past,
        "has_small_share": high < average and not grown,
        "new_deals_per_month": len(now) / 3,
        "mean_won_amount": sum(won) / len(won) if won else None,
    }


def share_of(deals, part):
    """Share of deals that are of a segment, with its interval."""
    k = sum(deal in part for deal in deals)
    return k / len(deals), *plain.wilson(k, len(deals))


def attention(some, done):
    """Deals old enough, their activities while open up to the age, and the weeks they were open until then."""
    n, events, weeks = 0, 0, 0.0
    for deal in some:
        if (WORK_DAY - deal.created_on).days < 40:
            continue
        until = min(((deal.closed_on or WORK_DAY) - deal.created_on).days, 40)
        days = [(day - deal.created_on).days for day in done.get(deal.deal_id, [])]
        n, weeks = n + 1, weeks + (until + 1) / 7
        events += sum(0 <= day <= until for day in days)
    return n, events, weeks


@pytest.fixture(scope="module")
def companies(tmp_path_factory):
    """The sample company (True), and one in which no team changed its way of working (False), with their recipes."""
    made = {}
    for changed in (True, False):
        folder = tmp_path_factory.mktemp("company")
        truth = sample.write(folder / "export", deals=3000, seed=20260630, changed=changed)
        mapping = ROOT / "params" / "sources" / "sample.yaml"
        store = crm.load(folder / "export", mapping, folder / "crm.duckdb", say=lambda text: None)
        made[changed] = crm.observe(store, DAY), truth
    yield made
    for seen, _ in made.values():
        seen.close()


@pytest.mark.parametrize("changed", [True, False])
def test_the_product_of_the_steps_is_what_the_sample_company_wins(companies, changed):
    """
    Its deals hardly skip: the steps multiplied lie in the range of the share won that was observed; nearly all winners
    passed each stage.
    """
    table = bottlenecks.levers(companies[changed][0], within_days=90)

    assert (table["won_rate_low"] <= table["product_rate"]).all()
    assert (table["product_rate"] <= table["won_rate_high"]).all()
    assert (table["won_through_share"] > 0.95).all()
    assert ((table["gain_low"] >= 0) & (table["gain_low"] <= table["gain_per_month"])).all()
    assert (table["gain_per_month"] <= table["gain_high"]).all()
    assert table["top_share"].sum() <= 1 + 1e-9


def test_teams_that_work_the_new_way_reach_the_benchmarks(companies):
    """
    Where four of eight teams changed, most of those named at the benchmarks are among them, and the best step gains more
    than in the same company where nobody changed.
    """
    seen, truth = companies[True]
    table = bottlenecks.levers(seen, within_days=90)
    same = bottlenecks.levers(companies[False][0], within_days=90)

    treated = set(truth["change"]["treated_teams"])
    named = [name for text in table["benchmark_groups"] for name in text.split(", ")]
    assert sum(name in treated for name in named) > 0.7 * len(named)
    assert table["gain_per_month"].max() > same["gain_per_month"].max()


@pytest.mark.parametrize("changed", [True, False])
def test_the_opportunities_are_segments_that_were_made_to_win_more(companies, changed):
    """
    Sources among the points are those whose deals have better chances by the company's own recipe, and few new deals.
    """
    seen, truth = companies[changed]
    table = bottlenecks.opportunities(seen, pairs=False)

    better = {name for name, effect in truth["case_mix"]["source"].items() if effect > 0}
    assert set(table.loc[table["kind"] == "source", "group"]) <= better
    assert (table["won_rate"] > table["rest_rate"]).all()
    assert (table["share_now"] < table["average_share"])[table["has_small_share"]].all()


def test_the_order_in_which_the_engine_gives_rows_moves_nothing(view, monkeypatch):
    """
    Draws belong to stages, not to places in a result: shuffled counts give the same table, to the last digit.
    """
    expected = bottlenecks.levers(view.seen, within_days=30)
    frame = type(view.seen).frame

    def shuffled(seen, sql, parameters=()):
        rows = frame(seen, sql, parameters)
        if "FROM first_visits" not in sql or "ORDER BY" in sql:
            return rows
        return rows.sample(frac=1, random_state=len(rows)).reset_index(drop=True)

    monkeypatch.setattr(type(view.seen), "frame", shuffled)

    assert_frame_equal(bottlenecks.levers(view.seen, within_days=30), expected)
