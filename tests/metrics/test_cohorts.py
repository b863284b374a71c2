"""Cohort tables against the definitions read deal by deal, and their edge cases by name."""

import datetime

import pytest
from plain import age, assert_same, grouped, incidence, quantile, share, wilson

from salesanalysis.metrics import cohorts

AGES = [0, 7, 30, 60, 90, 200, 400]
STALE = 120


def cases_of(deals, day):
    """Age and cause of the deals that rates count."""
    return [case for case in (age(deal, day) for deal in deals) if case]


def bounds(name, k, n):
    """A closed-form rate with its interval."""
    low, high = wilson(k, n)
    return {name: share(k, n), f"{name}_low": low, f"{name}_high": high}


def cohort_bounds(name, at):
    """A rate of `plain.incidence` under another name."""
    return {name: at["rate"], f"{name}_low": at["low"], f"{name}_high": at["high"]}


def months_of(deals, day):
    """Deals that rates count by the first day of the month of creation."""
    counted = [deal for deal in deals if age(deal, day)]
    return grouped(counted, "month", lambda deal: {"month": deal.created_on.replace(day=1)})


@pytest.mark.parametrize("by", [None, "source", "owner", "team"])
def test_conversion_lets_won_and_lost_compete(view, by):
    """
    At each age the shares won and lost are the Aalen-Johansen ones of the deals, open deals censored at their age.
    """
    expected = []
    for group, deals in grouped(view.deals, by).items():
        cases = cases_of(deals, view.day)
        if not cases:
            continue
        last = [max((at for at, cause in cases if cause), default=0)]
        for at in sorted({*AGES, *(last if any(cause for _, cause in cases) else [])}):
            won, lost = incidence(cases, at), incidence(cases, at, of=2)
            row = {
                "group": group,
                "age_days": at,
                "n_deals": len(cases),
                "n_at_risk": sum(a >= at for a, _ in cases),
                "n_won": sum(a <= at and cause == 1 for a, cause in cases),
                "n_lost": sum(a <= at and cause == 2 for a, cause in cases),
                "n_eff": won["n_eff"],
                "open_rate": won["open"],
            }
            expected.append(row | cohort_bounds("won_rate", won) | cohort_bounds("lost_rate", lost))

    table = cohorts.conversion(view.seen, ages=AGES, by=by)

    assert_same(table, expected, ["group", "age_days"])


def test_the_curve_is_conversion_at_every_age_with_a_closing(view):
    """
    A step function from age 0 that never falls, and has the values of the incidence at each closing age.
    """
    cases = cases_of(view.deals, view.day)
    expected = [
        {
            "age_days": at,
            "n_at_risk": sum(a >= at for a, _ in cases),
            "lost_rate": incidence(cases, at, of=2)["rate"],
            **cohort_bounds("won_rate", incidence(cases, at)),
        }
        for at in sorted({0, *(a for a, cause in cases if cause)})
    ]

    table = cohorts.curve(view.seen)

    assert_same(table, expected, ["age_days"])
    assert table["won_rate"].is_monotonic_increasing


def test_a_month_is_mature_when_its_youngest_deal_is_old_enough(view):
    """
    Cells of the grid hold the incidence of the month's deals; younger cells keep their counts but have no rate.
    """
    months = months_of(view.deals, view.day)
    expected = []
    for month in sorted(months)[-5:]:
        cases = cases_of(months[month], view.day)
        youngest = max(deal.created_on for deal in months[month])
        for at in (7, 30, 60, 90):
            is_mature = (view.day - youngest).days >= at
            rates = cohort_bounds("won_rate", incidence(cases, at))
            expected.append(
                {
                    "cohort": month,
                    "age_days": at,
                    "n_deals": len(cases),
                    "n_won": sum(a <= at and cause == 1 for a, cause in cases),
                    "is_mature": is_mature,
                    **(rates if is_mature else dict.fromkeys(rates)),
                }
            )

    table = cohorts.grid(view.seen, ages=[7, 30, 60, 90], months=5)

    assert_same(table, expected, ["cohort", "age_days"])


def test_the_family_of_win_rates(view):
    """
    Each label has its own numerator and denominator.
    """
    cases = cases_of(view.deals, view.day)
    won = sum(cause == 1 for _, cause in cases)
    closed = sum(cause > 0 for _, cause in cases)
    stale = sum(cause == 0 and a > STALE for a, cause in cases)
    by_age = sum(cause == 1 and a <= 60 for a, cause in cases)
    expected = [
        {"label": "cohort", "n_won": by_age, "n_deals": len(cases)}
        | cohort_bounds("rate", incidence(cases, 60)),
        {"label": "closed", "n_won": won, "n_deals": closed} | bounds("rate", won, closed),
        {"label": "created", "n_won": won, "n_deals": len(cases)} | bounds("rate", won, len(cases)),
        {"label": "with_stale", "n_won": won, "n_deals": closed + stale}
        | bounds("rate", won, closed + stale),
    ]

    table = cohorts.win_rates(view.seen, age_days=60, stale_days=STALE)

    assert_same(table, expected, ["label"])


@pytest.mark.parametrize("months", [24, 3])
def test_monthly_rates(view, months):
    """
    The closed rate goes by month of closing, the created and the cohort rate by month of creation.
    """
    created = months_of(view.deals, view.day)
    closed = grouped(
        [deal for deal in view.deals if deal.status in ("won", "lost")],
        "month",
        lambda deal: {"month": deal.closed_on.replace(day=1)},
    )
    expected = []
    for month in sorted({*created, *closed})[-months:]:
        cases = cases_of(created.get(month, []), view.day)
        won = sum(cause == 1 for _, cause in cases)
        won_then = sum(deal.status == "won" for deal in closed.get(month, []))
        youngest = max((deal.created_on for deal in created.get(month, [])), default=view.day)
        is_mature = (view.day - youngest).days >= 45
        at = incidence(cases, 45) if is_mature else dict.fromkeys(("rate", "low", "high"))
        expected.append(
            {
                "month": month,
                "n_created": len(cases),
                "n_closed": len(closed.get(month, [])),
                "n_won_closed": won_then,
                "n_won_created": won,
                "is_mature": is_mature,
                **bounds("closed_rate", won_then, len(closed.get(month, []))),
                **bounds("created_rate", won, len(cases)),
                **cohort_bounds("cohort_rate", at),
            }
        )

    table = cohorts.monthly(view.seen, age_days=45, months=months)

    assert_same(table, expected, ["month"])
    assert table["month"].is_monotonic_increasing


def test_sales_cycle_of_won_deals(view):
    """
    Quantiles and mean of the days to won by month of winning, then of all months.
    """
    won = [deal for deal in view.deals if deal.status == "won" and deal.created_on]
    months = grouped(won, "month", lambda deal: {"month": deal.closed_on.replace(day=1)})
    expected = []
    for month in [*sorted(months)[-4:], None]:
        part = months[month] if month else won
        days = [(deal.closed_on - deal.created_on).days for deal in part]
        row = {"month": month, "n_won": len(days), "mean_days": sum(days) / len(days)}
        expected.append(row | {f"p{p}_days": quantile(days, p) for p in (25, 50, 75, 90)})

    table = cohorts.sales_cycle(view.seen, months=4)

    assert_same(table, expected, ["month"])


DEAL = {"deal_id": "1", "created_at": "2026-01-05 09:00:00", "status": "open", "owner": "a"}
WON = {"status": "won", "closed_at": "2026-01-15 09:00:00"}
LOST = {"status": "lost", "closed_at": "2026-02-05 09:00:00"}


def test_everything_closed_is_the_plain_share(see):
    """
    With nothing censored the cohort rate at the last age equals won / created, and the closed rate as well.
    """
    deals = [DEAL | {"deal_id": str(n)} | (WON if n < 3 else LOST) for n in range(8)]

    seen = see({"deals": deals}, "2026-06-30")

    rates = cohorts.win_rates(seen, age_days=31, stale_days=90).set_index("label")["rate"]
    assert rates.to_dict() == pytest.approx(dict.fromkeys(rates.index, 3 / 8), abs=1e-12)


def test_a_young_cohort_has_no_rate(see):
    """
    Of the two months the young one (created 20 days before) is immature at 30 days, and the family says so too.
    """
    old = [DEAL | {"deal_id": f"o{n}"} | WON for n in range(4)]
    young = [DEAL | {"deal_id": f"y{n}", "created_at": "2026-03-10 09:00:00"} for n in range(4)]

    seen = see({"deals": old + young}, "2026-03-30")

    grid = cohorts.grid(seen, ages=[30])
    assert grid["is_mature"].tolist() == [True, False]
    assert grid["won_rate"].isna().tolist() == [False, True]
    assert cohorts.monthly(seen, age_days=30)["cohort_rate"].isna().tolist() == [False, True]


def test_nothing_has_closed_yet(see):
    """
    Rates with denominator 0 are missing, never 0; there is no sales cycle to show.
    """
    seen = see({"deals": [DEAL]}, "2026-01-20")

    monthly = cohorts.monthly(seen, age_days=10).iloc[0]
    rates = cohorts.win_rates(seen, age_days=10, stale_days=90).set_index("label")["rate"]
    assert monthly["n_closed"] == 0
    assert monthly[["closed_rate", "closed_rate_low", "closed_rate_high"]].isna().all()
    assert rates.isna().to_dict() == {
        "cohort": False,
        "closed": True,
        "created": False,
        "with_stale": True,
    }
    assert cohorts.sales_cycle(seen).empty
    assert cohorts.curve(seen)["won_rate"].tolist() == [0.0]


def test_a_deal_is_stale_when_it_is_older_than_that(see):
    """
    Of two open deals, 90 and 91 days old, one is stale at 90 days; closed deals never are.
    """
    older = DEAL | {"deal_id": "2", "created_at": "2026-01-04 09:00:00"}

    seen = see({"deals": [DEAL, older, DEAL | {"deal_id": "3"} | WON]}, "2026-04-05")

    rates = cohorts.win_rates(seen, age_days=10, stale_days=90).set_index("label")
    assert rates.loc["with_stale", ["n_won", "n_deals"]].tolist() == [1, 2]


def test_no_deal_is_dated(see):
    """
    Without creation dates there is no age: empty tables; only the closed rate by month of closing remains.
    """
    undated = DEAL | {"created_at": ""}

    seen = see({"deals": [undated, undated | {"deal_id": "2"} | WON]}, "2026-12-31")

    assert cohorts.conversion(seen, ages=[30]).empty
    assert cohorts.curve(seen).empty
    assert cohorts.grid(seen, ages=[30]).empty
    assert cohorts.sales_cycle(seen).empty
    assert cohorts.win_rates(seen, age_days=30, stale_days=90)["rate"].isna().all()
    monthly = cohorts.monthly(seen, age_days=30)
    assert monthly[["n_created", "n_closed", "closed_rate"]].to_numpy().tolist() == [[0, 1, 1]]
    assert monthly[["created_rate", "cohort_rate"]].isna().all(axis=None)


def test_a_deal_closed_on_the_day_it_was_created_counts(see):
    """
    Age 0 is an age: of two deals of the day, one won at once, half are won by age 0.
    """
    at_once = WON | {"closed_at": "2026-01-05 17:00:00"}
    seen = see({"deals": [DEAL | at_once, DEAL | {"deal_id": "2"}]}, "2026-01-31")

    assert cohorts.conversion(seen, ages=[0])["won_rate"].tolist() == [0.5]
    assert cohorts.sales_cycle(seen)["p50_days"].tolist() == [0.0, 0.0]


def test_lost_deals_are_not_censored(see):
    """
    Two lost early, one won late, one open: 1/4 won, where censoring the lost deals would say 1/2.
    """
    deals = [
        DEAL | {"status": "lost", "closed_at": "2026-01-10 09:00:00"},
        DEAL | {"deal_id": "2", "status": "lost", "closed_at": "2026-01-11 09:00:00"},
        DEAL | {"deal_id": "3", "status": "won", "closed_at": "2026-01-25 09:00:00"},
        DEAL | {"deal_id": "4"},
    ]

    seen = see({"deals": deals}, "2026-01-31")

    assert cohorts.conversion(seen, ages=[20])["won_rate"].iloc[0] == pytest.approx(0.25)


def test_months_are_local_months(see):
    """
    A deal of 23:30 on 31 January in New York belongs to January, though it is February in UTC.
    """
    deal = DEAL | {"created_at": "2026-01-31 23:30:00"}

    seen = see({"deals": [deal]}, "2026-02-01", timezone="America/New_York")

    grid = cohorts.grid(seen, ages=[1])
    assert grid["cohort"].dt.date.tolist() == [datetime.date(2026, 1, 1)]
    assert grid["is_mature"].tolist() == [True]
