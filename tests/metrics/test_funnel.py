"""Funnel tables against the definitions read deal by deal, and by hand on small histories."""

import math

import pytest
from plain import (
    assert_same,
    first_age,
    first_visits,
    grouped,
    incidence,
    quantile,
    share,
    stage_orders,
    staying,
    total,
    wilson,
)

from salesanalysis.metrics import funnel

OUTCOMES = ["advanced", "skipped", "moved_back", "lost", "handed_off", "removed", "open"]
INFLOWS = ["starts", "advanced_in", "skipped_in", "moved_back_in", "handed_in", "reopened"]
STAGE = ["group", "pipeline", "stage"]
SEGMENTS = ("region", "product", "team", "owner", "source", "segment")
SOME_SEGMENTS = [None, "region", "team", "owner"]
WITHIN = 21


def stage_of(entry):
    return entry.pipeline, entry.stage, entry.order


def by_stage(things, by, entry_of=lambda thing: thing):
    """Things by segment at the instant of the entry, and stage."""
    groups = {}
    for group, part in grouped(things, by, lambda thing: entry_of(thing).segments).items():
        for thing in part:
            groups.setdefault((group, *stage_of(entry_of(thing))), []).append(thing)
    return {
        (("group", group), ("pipeline", pipeline), ("stage", stage), ("stage_order", order)): part
        for (group, pipeline, stage, order), part in groups.items()
    }


@pytest.mark.parametrize("by", SOME_SEGMENTS)
def test_stage_accounting_counts_each_entry_once(view, by):
    """
    Every entry is counted under the outcome and the inflow that its neighbours in the deal's history give it.
    """
    entries = [entry for deal in view.deals for entry in deal.entries]
    expected = [
        dict(stage)
        | {"entries": len(part)}
        | {name: sum(entry.outcome == name for entry in part) for name in OUTCOMES}
        | {name: sum(entry.inflow == name for entry in part) for name in INFLOWS}
        for stage, part in by_stage(entries, by).items()
    ]

    table = funnel.stage_accounting(view.seen, by=by)

    assert_same(table, expected, STAGE)


@pytest.mark.parametrize("by", [None, *SEGMENTS])
def test_outcomes_and_inflows_add_up_to_the_entries(view, by):
    """
    Per stage and segment the seven outcomes, and the six inflows, sum to the entries exactly; so do the segments.
    """
    table = funnel.stage_accounting(view.seen, by=by)

    assert (table[OUTCOMES].sum(axis=1) == table["entries"]).all()
    assert (table[INFLOWS].sum(axis=1) == table["entries"]).all()
    assert table["entries"].sum() == sum(len(deal.entries) for deal in view.deals)


@pytest.mark.parametrize("by", SOME_SEGMENTS)
def test_step_conversion_is_the_incidence_of_going_on(view, by):
    """
    One count per deal and stage touched; reaching a later stage or won competes with lost; open is censored.
    """
    visits = [
        visit
        for deal in view.deals
        if deal.status != "removed"
        for visit in first_visits(deal, view.day)
    ]
    expected = []
    for stage, part in by_stage(visits, by, lambda visit: visit.entry).items():
        at = incidence([(visit.age, visit.cause) for visit in part], WITHIN)
        expected.append(
            dict(stage)
            | {
                "n_deals": len(part),
                "n_advanced": sum(v.cause == 1 and v.age <= WITHIN for v in part),
                "n_lost": sum(v.cause == 2 and v.age <= WITHIN for v in part),
                "n_open": sum(v.cause == 0 and v.age < WITHIN for v in part),
                "within_days": WITHIN,
                "advanced_rate": at["rate"],
                "advanced_rate_low": at["low"],
                "advanced_rate_high": at["high"],
                "n_eff": at["n_eff"],
            }
        )

    table = funnel.step_conversion(view.seen, within_days=WITHIN, by=by)

    assert_same(table, expected, STAGE)


@pytest.mark.parametrize("by", [None, "team"])
def test_step_conversion_by_value_adds_up_amounts_of_old_enough_entries(view, by):
    """
    The amount rate sums, over deals that entered at least that long ago, the amounts known on the day.
    """
    visits = [
        (deal, visit)
        for deal in view.deals
        if deal.status != "removed"
        for visit in first_visits(deal, view.day)
    ]
    expected = []
    for stage, part in by_stage(visits, by, lambda pair: pair[1].entry).items():
        old = [(d, v) for d, v in part if (view.day - v.entry.entered_on).days >= WITHIN]
        entered = total([deal.amount for deal, _ in old])
        gone = [deal.amount or 0 for deal, visit in old if visit.cause == 1 and visit.age <= WITHIN]
        expected.append(
            dict(stage) | {"amount_entered": entered, "amount_rate": share(sum(gone), entered)}
        )

    table = funnel.step_conversion(view.seen, within_days=WITHIN, by=by)

    assert_same(table, expected, STAGE)


@pytest.mark.parametrize("by", [None, "product", "team"])
def test_cumulative_counts_three_kinds_of_funnel(view, by):
    """
    Of the deals old enough, those that touched a stage in time, touched all up to it, or got at least as far.
    """
    orders = stage_orders(view.world)
    cohort = [
        deal
        for deal in view.deals
        if deal.status != "removed"
        and deal.created_on
        and (view.day - deal.created_on).days >= WITHIN
    ]
    expected = []
    for group, members in grouped(cohort, by).items():
        for pipeline, deals in grouped(members, "p", lambda deal: {"p": deal.pipeline}).items():
            stages = [(stage, order) for (line, stage), order in orders.items() if line == pipeline]
            for stage, order in [*stages, ("Won", None)]:
                key = {"group": group, "pipeline": pipeline, "stage": stage}
                expected.append(key | reached(deals, pipeline, order))

    table = funnel.cumulative(view.seen, within_days=WITHIN, by=by)

    assert_same(table, expected, STAGE)


def reached(deals, pipeline, order):
    """Counts and sums of one stage (no order: of won) of the cumulative funnel."""
    touched = {
        deal.deal_id: {
            e.order
            for e in deal.entries
            if e.pipeline == pipeline and (e.entered_on - deal.created_on).days <= WITHIN
        }
        for deal in deals
    }
    won = [d for d in deals if d.status == "won" and (d.closed_on - d.created_on).days <= WITHIN]
    some = won if order is None else [deal for deal in deals if order in touched[deal.deal_id]]
    every, filled = some, some
    if order is not None:
        every = [d for d in deals if touched[d.deal_id] >= set(range(1, order + 1))]
        filled = [d for d in deals if d in won or max(touched[d.deal_id], default=0) >= order]
    low, high = wilson(len(some), len(deals))
    amount = total([deal.amount for deal in deals])
    return {
        "n_cohort": len(deals),
        "n_reached": len(some),
        "reached_rate": len(some) / len(deals),
        "reached_rate_low": low,
        "reached_rate_high": high,
        "n_reached_all": len(every),
        "n_reached_filled": len(filled),
        "n_passed_over": len(filled) - len(some),
        "amount_cohort": amount,
        "amount_reached_rate": share(total([d.amount for d in some]) or 0.0, amount),
    }


def test_the_three_funnels_are_ordered(view):
    """
    All-stages is at most any-stage, which is at most linear fill, which never grows from stage to stage.
    """
    table = funnel.cumulative(view.seen, within_days=60)

    assert (table["n_reached_all"] <= table["n_reached"]).all()
    assert (table["n_reached"] <= table["n_reached_filled"]).all()
    for _, stages in table.groupby("pipeline"):
        assert stages["n_reached_filled"].is_monotonic_decreasing
        assert stages["stage"].iloc[-1] == "Won"


@pytest.mark.parametrize("by", [None, "owner"])
def test_time_in_stage_is_the_product_limit_of_leaving(view, by):
    """
    Medians with limits per entry over all exits, open stays censored; the median of completed stays beside it.
    """
    entries = [entry for deal in view.deals for entry in deal.entries]
    expected = []
    for stage, part in by_stage(entries, by).items():
        cases = [
            (((e.exited_on or view.day) - e.entered_on).days, e.outcome != "open") for e in part
        ]
        curve = staying(cases)
        expected.append(
            dict(stage)
            | {
                "n_entries": len(part),
                "n_open": sum(not has_left for _, has_left in cases),
                "median_days": first_age(curve, 0.5),
                "median_days_low": first_age(curve, 0.5, 2),
                "median_days_high": first_age(curve, 0.5, 3),
                "p90_days": first_age(curve, 0.9),
                "completed_median_days": quantile([age for age, has_left in cases if has_left], 50),
            }
        )

    table = funnel.time_in_stage(view.seen, by=by)

    assert_same(table, expected, STAGE)


def test_segments_are_compared_with_the_rest(view):
    """
    Difference by MOVER, pooled score test on effective numbers, Benjamini-Hochberg over every row shown.
    """
    visits = [
        visit
        for deal in view.deals
        if deal.status != "removed"
        for visit in first_visits(deal, view.day)
    ]
    expected = []
    for kind in SEGMENTS:
        if len(grouped(visits, kind, lambda visit: visit.entry.segments)) < 2:
            continue
        for stage, part in by_stage(visits, kind, lambda visit: visit.entry).items():
            place, own = tuple(value for _, value in stage[1:]), set(map(id, part))
            rest = [v for v in visits if stage_of(v.entry) == place and id(v) not in own]
            expected.append(
                {"kind": kind, **dict(stage), "n_deals": len(part), **compared(part, rest)}
            )
    for row, q_value in zip(
        expected, benjamini_hochberg([r["p_value"] for r in expected]), strict=True
    ):
        row["q_value"] = q_value

    table = funnel.segments(view.seen, within_days=WITHIN)

    assert_same(table, expected, ["kind", *STAGE])


def compared(part, rest):
    """One segment and stage against the rest."""
    here = incidence([(visit.age, visit.cause) for visit in part], WITHIN)
    there = incidence([(visit.age, visit.cause) for visit in rest], WITHIN)
    row = {
        f"advanced_rate{end}": here[name]
        for name, end in (("rate", ""), ("low", "_low"), ("high", "_high"))
    }
    names = ("difference", "difference_low", "difference_high", "p_value")
    if here["rate"] is None or there["rate"] is None:
        return row | dict.fromkeys(names)
    gap = here["rate"] - there["rate"]
    low = gap - math.hypot(here["rate"] - here["low"], there["high"] - there["rate"])
    high = gap + math.hypot(here["high"] - here["rate"], there["rate"] - there["low"])
    n1, n2 = here["n_eff"], there["n_eff"]
    pooled = (n1 * here["rate"] + n2 * there["rate"]) / (n1 + n2)
    p_value = None
    if 0 < pooled < 1:
        z = gap / math.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2))
        p_value = math.erfc(abs(z) / math.sqrt(2))
    return row | dict(zip(names, (gap, low, high, p_value), strict=True))


def benjamini_hochberg(p_values):
    """The smallest level at which each test is still rejected."""
    made = sorted(p for p in p_values if p is not None)
    return [
        None
        if p is None
        else min(min(len(made) * q / sum(r <= q for r in made) for q in made if q >= p), 1.0)
        for p in p_values
    ]


def test_status_now_counts_each_deal_where_it_is(view):
    """
    Open deals by present stage, the others by end state; every deal known on the day once.
    """
    expected = {}
    for deal in view.deals:
        stage = deal.status
        if deal.status == "open":
            stage = deal.entries[-1].stage if deal.entries else None
        expected.setdefault((deal.pipeline, stage), []).append(deal.amount)
    expected = [
        {"pipeline": pipeline, "stage": stage, "n_deals": len(part), "amount": total(part)}
        for (pipeline, stage), part in expected.items()
    ]

    table = funnel.status_now(view.seen)

    assert_same(table, expected, ["pipeline", "stage"])
    assert table["n_deals"].sum() == len(view.deals)
