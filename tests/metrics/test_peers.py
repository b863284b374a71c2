"""What peers get wrong (definitions, section 7): ours must not. Items of metrics that exist today."""

import datetime
import math

import pytest
from plain import assert_same, grouped, value_of

from salesanalysis.metrics import cohorts, funnel, quality, reps

STAGES = [
    {"stage": "New", "stage_order": "1"},
    {"stage": "Demo", "stage_order": "2"},
    {"stage": "Offer", "stage_order": "3"},
    {"stage": "Won", "stage_order": "4", "is_won": "true"},
    {"stage": "Lost", "stage_order": "5", "is_lost": "true"},
]
WON = {"status": "won", "closed_at": "2026-02-15 09:00:00"}
LOST = {"status": "lost", "closed_at": "2026-02-15 09:00:00"}


def deal(number, owner="a", **cells):
    """An open deal of 5 January, changed by the cells given."""
    row = {"deal_id": str(number), "created_at": "2026-01-05 09:00:00", "status": "open"}
    return row | {"owner": owner, "amount": "100"} | cells


def went_through(number, *stages):
    """Stage events a week apart, the first with the creation."""
    first = datetime.datetime(2026, 1, 5, 9)
    return [
        {
            "deal_id": str(number),
            "stage": stage,
            "entered_at": (first + datetime.timedelta(weeks=week)).strftime("%Y-%m-%d %H:%M:%S"),
        }
        for week, stage in enumerate(stages)
    ]


def of_stage(table, stage):
    """The row of a stage."""
    return table.set_index("stage").loc[stage]


def test_deals_lost_later_still_reached_the_stage(see):
    """
    Item 1, Frappe CRM get_deal_status_change_counts: 10 deals reach Demo and 6 are lost later; Demo shows 10, not 4.
    """
    lost = {str(number) for number in range(6)}
    deals = [
        deal(n) | (LOST | {"closed_at": "2026-01-19 09:00:00"} if str(n) in lost else {})
        for n in range(10)
    ]
    events = [
        event
        for number in range(10)
        for event in went_through(number, "New", "Demo", *(["Lost"] if str(number) in lost else []))
    ]

    seen = see({"stages": STAGES, "deals": deals, "stage_events": events}, "2026-06-30")

    assert of_stage(funnel.stage_accounting(seen), "Demo")[
        ["entries", "lost", "open"]
    ].tolist() == [10, 6, 4]
    assert of_stage(funnel.cumulative(seen, within_days=60), "Demo")["n_reached"] == 10
    assert of_stage(funnel.step_conversion(seen, within_days=60), "New")["n_advanced"] == 10


def test_a_deal_that_returns_is_one_deal_and_two_entries(see):
    """
    Item 2, the same query counts transitions: a deal that returns to Demo counts once as deal, twice as entries.
    """
    tables = {"stages": STAGES, "deals": [deal(1)]}

    seen = see(
        tables | {"stage_events": went_through(1, "New", "Demo", "New", "Demo")}, "2026-06-30"
    )

    assert of_stage(funnel.stage_accounting(seen), "Demo")["entries"] == 2
    assert of_stage(funnel.time_in_stage(seen), "Demo")["n_entries"] == 2
    assert of_stage(funnel.step_conversion(seen, within_days=30), "Demo")["n_deals"] == 1
    assert of_stage(funnel.cumulative(seen, within_days=60), "Demo")["n_reached"] == 1


def test_the_first_stage_holds_every_starter(see):
    """
    Item 3, the same query reads only the `to` values: our first stage holds the deals that never left it, too.
    """
    events = (
        went_through(1, "New") + went_through(2, "New", "Demo") + went_through(3, "New", "Lost")
    )
    deals = [deal(1), deal(2), deal(3) | LOST]

    seen = see({"stages": STAGES, "deals": deals, "stage_events": events}, "2026-06-30")

    first = of_stage(funnel.stage_accounting(seen), "New")
    assert first[["entries", "starts", "advanced", "lost", "open"]].tolist() == [3, 3, 1, 1, 1]


def test_no_won_deal_no_time_to_close(see):
    """
    Item 5, Frappe CRM shows a mean time to close of 0 without won deals: ours is missing.
    """
    seen = see({"deals": [deal(1), deal(2) | LOST]}, "2026-06-30")

    assert cohorts.sales_cycle(seen).empty
    assert math.isnan(reps.totals(seen)["cycle_days"].item())


def test_no_closed_deal_no_rate(see):
    """
    Item 6, fivetran owner_performance gives 0 % to a rep with no closed deal: ours is missing, with its interval.
    """
    seen = see({"deals": [deal(1, "nothing closed"), deal(2, "lost one") | LOST]}, "2026-06-30")

    rates = reps.totals(seen).set_index("group")[
        ["closed_rate", "closed_rate_low", "closed_rate_high"]
    ]
    assert rates.loc["nothing closed"].isna().all()
    assert rates.loc["lost one", "closed_rate"] == 0


def test_wins_without_a_loss_are_all(see):
    """
    Item 7, fivetran adds a missing sum, so a rep with wins and no loss gets 0 %: ours gets 100 %, with an interval.
    """
    seen = see({"deals": [deal(number) | WON for number in range(4)]}, "2026-06-30")

    row = reps.totals(seen).iloc[0]
    n, z = 4, 1.959963984540054
    assert row["closed_rate"] == 1
    assert row["closed_rate_low"] == pytest.approx(n / (n + z * z))  # Wilson with all n of n
    assert row["closed_rate_high"] == 1
    assert row[["won_amount", "open_amount"]].tolist() == [400, 0]


def test_no_rate_lies_outside_0_and_1(view):
    """
    Item 8, fivetran manager_performance gave 150 % on toy rows: every rate and bound of ours is a fraction.
    """
    tables = [
        reps.totals(view.seen, by="owner"),
        cohorts.monthly(view.seen, age_days=30),
        cohorts.conversion(view.seen, ages=[0, 30, 90], by="owner"),
        funnel.cumulative(view.seen, within_days=30, by="owner"),
        funnel.step_conversion(view.seen, within_days=30, by="owner"),
    ]

    for table in tables:
        for name in table.columns[table.columns.str.contains("_rate")]:
            values = table[name].dropna().astype(float)
            assert values.between(0, 1).all(), name


def test_days_are_never_negative(see):
    """
    Item 9, fivetran subtracts dates the wrong way round: ours are 0 or more, and impossible dates are set aside.
    """
    backwards = deal(3, status="won", closed_at="2025-12-31 09:00:00")
    deals = [deal(1), deal(2) | WON, backwards]

    seen = see({"deals": deals}, "2026-06-30")

    assert cohorts.sales_cycle(seen)["p50_days"].tolist() == [41.0, 41.0]
    assert seen.frame("SELECT min(exit_age) AS days FROM deals")["days"].item() >= 0
    assert quality.ledger(seen)[["n_in", "n_accepted", "n_quarantined"]].to_numpy().tolist() == [
        [3, 2, 1]
    ]
    rejected = quality.rejected(seen).iloc[0]
    assert rejected[["reason", "line", "value"]].tolist() == [
        "closed_before_created",
        4,
        "2025-12-31 09:00:00",
    ]


def test_all_open_deals_count_whatever_their_category(see):
    """
    Item 11, fivetran lets `MostLikely` fall out of the open pipeline: ours counts every open deal and its amount.
    """
    categories = ["Pipeline", "BestCase", "MostLikely", "Forecast", "Omitted", ""]
    deals = [deal(n, forecast_category=name, stage="New") for n, name in enumerate(categories)]

    seen = see({"stages": STAGES, "deals": deals}, "2026-12-31")

    now = of_stage(funnel.status_now(seen), "New")
    assert now[["n_deals", "amount"]].tolist() == [6, 600]


def test_a_snapshot_gives_no_funnel(see):
    """
    Item 12, EspoCRM SalesPipeline makes a funnel of present stages: without history our funnel tables have no rows.
    """
    deals = [deal(1, stage="New"), deal(2, stage="Demo"), deal(3, stage="Won") | WON]

    seen = see({"stages": STAGES, "deals": deals}, "2026-12-31")

    assert funnel.stage_accounting(seen).empty
    assert funnel.step_conversion(seen, within_days=30).empty
    assert funnel.cumulative(seen, within_days=30).empty
    assert funnel.time_in_stage(seen).empty
    assert funnel.segments(seen, within_days=30).empty
    assert funnel.status_now(seen)["n_deals"].tolist() == [1, 1, 1]
    assert seen.reason("stage_events") == "no table of the mapping file fills stage_events"


def test_moving_a_rep_leaves_the_past_with_the_old_team(see):
    """
    Item 13, dbt_hubspot attaches today's team: wins before a move stay with the old team, as of any day.
    """
    deals = [
        deal(1, status="won", closed_at="2026-02-15 09:00:00"),
        deal(2, status="won", closed_at="2026-04-15 09:00:00"),
        deal(3),
    ]
    here = {"person_id": "a", "name": "Ann", "team": "North", "valid_from": "2025-01-01"}
    moved = here | {"team": "South", "valid_from": "2026-03-01"}
    before = see({"deals": deals, "people": [here]}, "2026-02-28")

    told = see({"deals": deals, "people": [here, moved]}, "2026-02-28")
    after = see({"deals": deals, "people": [here, moved]}, "2026-06-30")

    assert reps.totals(told, by="team").equals(reps.totals(before, by="team"))
    teams = reps.totals(after, by="team").set_index("group")
    assert teams[["n_won", "n_open"]].T.to_dict() == {
        "North": {"n_won": 1, "n_open": 0},
        "South": {"n_won": 1, "n_open": 1},
    }


def test_a_mature_cell_never_moves_again(see):
    """
    Item 16, PostHog#3877: a rate moved after its window closed. Ours is the same whenever it is asked for.
    """
    deals = [
        deal(n, status=status, closed_at=f"2026-0{month}-{10 + n} 09:00:00")
        for n, (status, month) in enumerate(
            [("won", 1), ("lost", 2), ("won", 4), ("lost", 5), ("won", 6)]
        )
    ] + [deal(9)]
    cells = []

    for day in ("2026-03-06", "2026-04-30", "2026-12-31"):
        grid = cohorts.grid(see({"deals": deals}, day), ages=[60])
        cells.append(grid.iloc[0].to_dict())

    assert cells[0]["is_mature"]
    assert cells[0]["won_rate"] == pytest.approx(1 / 6)
    assert cells[0] == cells[1] == cells[2]


def test_the_same_rows_in_another_order_give_the_same_tables(random_stores, see):
    """
    Item 16: same input, same output; the order of the rows of the export says nothing.
    """
    world, _ = random_stores[1]
    turned = {name: rows[::-1] for name, rows in world.tables.items()}

    seen, again = (see(tables, "2025-12-31", **world.settings) for tables in (world.tables, turned))

    for metric in (
        lambda s: funnel.cumulative(s, within_days=30, by="team"),
        lambda s: funnel.step_conversion(s, within_days=30, by="owner"),
        lambda s: cohorts.monthly(s, age_days=30),
        lambda s: reps.totals(s),
        lambda s: reps.attainment(s),
        lambda s: reps.ranking(s, age_days=30, case_mix=["source"], draws=200)[0],
    ):
        first, other = metric(seen), metric(again)
        keys = [
            name
            for name in ("group", "pipeline", "stage", "month", "holder", "period_start")
            if name in first
        ]
        rows = [
            dict(zip(other.columns, map(value_of, row), strict=True))
            for row in other.itertuples(index=False)
        ]
        assert_same(first, rows, keys)


def test_groups_are_complete(view):
    """
    Nothing falls out of a view by segment: the groups, the empty one too, add up to the whole.
    """
    for by in ("team", "region"):
        counts = reps.totals(view.seen, by=by)
        assert counts["n_deals"].sum() == len(view.deals)
        assert len(counts) == len(grouped(view.deals, by))
