"""The leader's summary: by hand, against a plain reading of random companies, and identities that must hold to the cent."""

import datetime
import itertools
import math

import numpy as np
import pandas as pd
import pytest
from plain import Z, first_age, incidence, staying, wilson
from scipy.stats import binomtest, norm

from salesanalysis.crm.errors import ParameterError
from salesanalysis.metrics import summary
from salesanalysis.metrics.periods import Period

QUARTER, BEFORE = "2026-05-10", "2026-02-10"  # days in the last quarter and in the one before
AS_OF = "2026-06-30"
STEPS = ["volume", "mix", "rate", "amount"]
FEW = 20


def deals(n, status, closed, *, created="2025-09-01", **cells):
    """Deals that all went the same way on one day; open ones without a day of closing."""
    first = f"{status} {closed} {created} {sorted(cells.items())}"
    row = {"created_at": f"{created} 09:00:00", "status": status, "amount": "100"} | cells
    row |= {"closed_at": f"{closed} 12:00:00"} if closed else {}
    return [row | {"deal_id": f"{first}-{number}"} for number in range(n)]


def bridge_of(seen, **settings):
    return summary.bridge(seen, **settings).set_index("step")


# By hand


def test_more_deals_and_another_mix_by_hand(see):
    """
    Kind A: 20 closed, 10 won at 100, in both quarters. Kind B: 20 closed, 5 won at 400, then 60 and 15. A deal brings
    75, then 87.5: volume 40 x (75 + 87.5)/2 = 3,250, mix 12.5 x (40 + 80)/2 = 750, together 7,000 - 3,000.
    """
    rows = []
    for day, n, k in ((BEFORE, 20, 5), (QUARTER, 60, 15)):
        rows += deals(10, "won", day, segment="A") + deals(10, "lost", day, segment="A")
        rows += deals(k, "won", day, segment="B", amount="400")
        rows += deals(n - k, "lost", day, segment="B")

    table = bridge_of(see({"deals": rows}, AS_OF))

    assert table.loc["before", "value"] == pytest.approx(3000)
    assert table.loc["after", "value"] == pytest.approx(7000)
    assert table.loc[STEPS, "value"].tolist() == pytest.approx([3250, 750, 0, 0], abs=1e-9)
    assert table.loc["change", "value"] == pytest.approx(4000)
    assert table.loc["volume", ["start", "end"]].tolist() == pytest.approx([3000, 6250])
    assert table.loc["amount", "end"] == pytest.approx(7000)
    assert table["why_not"].isna().all()


def test_number_rate_and_amount_by_hand(see):
    """
    40 closed, 20 won at 100, then 50, 20 at 150: by Das Gupta's formula of three factors 10 (110/3 + 115/6),
    -0.1 (11,500/3 + 11,000/6) and 50 (40/3 + 41/6); all deals are of one kind, so that there is no mix.
    """
    rows = deals(20, "won", BEFORE) + deals(20, "lost", BEFORE)
    rows += deals(20, "won", QUARTER, amount="150") + deals(30, "lost", QUARTER)

    table = bridge_of(see({"deals": rows}, AS_OF))

    volume, rate = 10 * (110 / 3 + 115 / 6), -0.1 * (11500 / 3 + 11000 / 6)
    amount = 50 * (40 / 3 + 41 / 6)
    found = table.loc[STEPS, "value"].tolist()
    assert [found[0], *found[2:]] == pytest.approx([volume, rate, amount])
    assert math.isnan(found[1])
    assert table.loc["mix", "why_not"] == "one_kind"
    assert volume + rate + amount == pytest.approx(1000)


def test_a_kind_that_comes_is_all_mix_and_number(see):
    """
    A: 20 closed, 10 won at 100, in both quarters; B comes with 20 and 10 at 300. A deal brings 50, then 100: number 20 x
    75, mix 50 x 30; B's share won and amount are taken to have been what they are. The same backwards when it goes.
    """
    rows = []
    for day in (BEFORE, QUARTER):
        rows += deals(10, "won", day, segment="A") + deals(10, "lost", day, segment="A")
    coming, going = (
        deals(10, "won", day, segment="B", amount="300") + deals(10, "lost", day, segment="B")
        for day in (QUARTER, BEFORE)
    )

    came = bridge_of(see({"deals": rows + coming}, AS_OF))
    went = bridge_of(see({"deals": rows + going}, AS_OF))

    assert came.loc[STEPS, "value"].tolist() == pytest.approx([1500, 1500, 0, 0], abs=1e-9)
    assert went.loc[STEPS, "value"].tolist() == pytest.approx([-1500, -1500, 0, 0], abs=1e-9)
    assert came.loc["mix", "low"] < 1500 < came.loc["mix", "high"]


def test_a_kind_first_won_is_all_share_won(see):
    """B is closed 20 times in both quarters and won 10 times at 300 in one: 3,000, all of it the share won."""
    rows = []
    for day in (BEFORE, QUARTER):
        rows += deals(10, "won", day, segment="A") + deals(10, "lost", day, segment="A")
        rows += deals(20, "lost", day, segment="C", amount="999999")
    rows += deals(20, "lost", BEFORE, segment="B")
    rows += deals(10, "won", QUARTER, segment="B", amount="300") + deals(10, "lost", QUARTER, segment="B")  # fmt: skip
    seen = see({"deals": rows}, AS_OF)

    table = bridge_of(seen)

    assert table.loc[STEPS, "value"].tolist() == pytest.approx([0, 0, 3000, 0], abs=1e-9)
    kinds = summary.kinds(seen).set_index(["kind", "which"])
    assert math.isnan(kinds.loc[(("C",), "this"), "mean_amount"])
    assert kinds.loc[(("B",), "before"), "won_rate"] == 0


def test_rare_kinds_are_one(see):
    """A kind with 20 deals closed in both quarters together stands alone, two with 19 are put together."""
    rows = deals(10, "won", BEFORE, segment="A") + deals(10, "lost", QUARTER, segment="A")
    rows += deals(19, "won", BEFORE, segment="B") + deals(19, "won", QUARTER, segment="C")
    seen = see({"deals": rows}, AS_OF)

    table = summary.kinds(seen)

    assert set(table["kind"]) == {("A",), ()}
    rare = table[table["kind"] == ()].set_index("which")
    assert rare["n_won"].to_dict() == {"before": 19, "this": 19}


def test_a_won_deal_without_an_amount_is_left_out_and_counted(see):
    """It is neither in the bookings nor among the deals closed of the bridge, and it is said how many there are."""
    rows = deals(20, "won", BEFORE) + deals(20, "won", QUARTER) + deals(5, "lost", QUARTER)
    rows += deals(3, "won", QUARTER, amount="")
    seen = see({"deals": rows}, AS_OF)

    this = summary.bookings(seen).set_index("which").loc["this"]

    assert (this["bookings"], this["n_won"], this["n_no_amount"]) == (2000, 23, 3)
    assert bridge_of(seen).loc["after", "value"] == 2000
    assert summary.kinds(seen).query("which == 'this'")["n_closed"].sum() == 25


def test_bookings_against_target_and_other_quarters(see):
    """
    Team quotas are the target where there are any, persons' are not added; a quarter that began before the first deal
    was created is not 0 but unknown, one without a win is 0.
    """
    quota = {"period_start": "2026-04-01", "period_end": "2026-06-30", "measure": "amount"}
    quotas = [
        {"holder_type": "team", "holder_id": "N", "value": "3000", **quota},
        {"holder_type": "team", "holder_id": "S", "value": "1000", **quota},
        {"holder_type": "person", "holder_id": "p", "value": "700", **quota},
        {"holder_type": "team", "holder_id": "N", "value": "9", **quota, "measure": "count"},
    ]
    rows = deals(10, "won", QUARTER) + deals(30, "lost", BEFORE)
    seen = see({"deals": rows, "quotas": quotas}, AS_OF)

    table = summary.bookings(seen).set_index("which")

    assert table["period"].to_dict() == {"this": "2026-Q2", "before": "2026-Q1", "year_ago": "2025-Q2"}  # fmt: skip
    this = table.loc["this"]
    assert (this["bookings"], this["target"], this["target_of"]) == (1000, 4000, "teams")
    assert this["attainment"] == 0.25
    assert table.loc["before", "bookings"] == 0
    assert table.loc["before", "change"] == 1000
    assert math.isnan(table.loc["before", "change_share"])
    assert math.isnan(table.loc["year_ago", "bookings"])


def test_persons_quotas_without_those_of_managers_are_the_target_where_teams_have_none(see):
    """The manager's quota holds what the reports are asked for, and is not added to theirs."""
    quota = {"period_start": "2026-04-01", "period_end": "2026-06-30", "measure": "amount"}
    people = [
        {"person_id": "m", "name": "M"},
        *({"person_id": name, "name": name, "manager_id": "m"} for name in "ab"),
    ]
    quotas = [
        {"holder_type": "person", "holder_id": name, "value": value, **quota}
        for name, value in (("m", "900"), ("a", "500"), ("b", "400"))
    ]
    seen = see({"deals": deals(9, "won", QUARTER), "people": people, "quotas": quotas}, AS_OF)

    this = summary.bookings(seen).iloc[0]

    assert (this["target"], this["target_of"], this["attainment"]) == (900, "persons", 1.0)


# What the source cannot tell


def test_a_source_of_won_deals_only_has_no_share_won(see):
    """Nothing lost is recorded: the rate is not said, number and amount are, and no cohort can be judged."""
    rows = deals(30, "won", BEFORE) + deals(40, "won", QUARTER, amount="50")
    seen = see({"deals": rows}, AS_OF)

    table = bridge_of(seen)

    assert table.loc["rate", "why_not"] == "only_won"
    assert math.isnan(table.loc["rate", "value"])
    assert table.loc["volume", "value"] == pytest.approx(10 * 75)
    assert table.loc["amount", "value"] == pytest.approx(-50 * 35)
    assert set(summary.cohorts(seen)["why_not"]) == {"only_won"}


def test_without_amounts_deals_are_counted(see):
    """Bookings are deals won; the amount is no cause, and there is no target of money to compare with."""
    quota = {"holder_type": "team", "holder_id": "N", "period_start": "2026-04-01", "period_end": "2026-06-30", "measure": "amount", "value": "5"}  # fmt: skip
    rows = deals(30, "won", BEFORE, amount="") + deals(20, "lost", BEFORE, amount="")
    rows += deals(40, "won", QUARTER, amount="") + deals(10, "lost", QUARTER, amount="")
    seen = see({"deals": rows, "quotas": [quota]}, AS_OF)

    table, this = bridge_of(seen), summary.bookings(seen).iloc[0]

    assert (this["measure"], this["bookings"], this["n_no_amount"]) == ("count", 40, 0)
    assert math.isnan(this["target"])
    assert table.loc["rate", "value"] == pytest.approx(10)
    assert table.loc["amount", "why_not"] == "no_amount"
    assert math.isnan(table.loc["amount", "value"])


def test_kinds_alike_explain_nothing(see):
    """Where every deal counts 1 and none is lost, two kinds are no mix: only the number is known, and no driver."""
    rows = deals(30, "won", BEFORE, amount="", segment="A")
    rows += deals(40, "won", QUARTER, amount="", segment="B")
    seen = see({"deals": rows}, AS_OF)

    table = summary.bridge(seen)

    assert table.set_index("step")["why_not"].dropna().to_dict() == {
        "mix": "kinds_alike", "rate": "only_won", "amount": "no_amount",
    }  # fmt: skip
    assert summary.driver(table) is None


def test_a_quarter_not_recorded_whole_gives_no_bridge_and_no_movers(see):
    """The first deal was created within the quarter before: its bookings are not compared with."""
    rows = deals(40, "won", QUARTER, created="2026-02-01", segment="A")
    rows += deals(40, "won", BEFORE, created="2026-02-01", segment="B")
    seen = see({"deals": rows}, AS_OF)

    assert summary.bridge(seen).empty
    assert summary.driver(summary.bridge(seen)) is None
    assert summary.movers(seen).empty
    assert math.isnan(summary.bookings(seen)["bookings"][1])


@pytest.mark.parametrize("cells", [["owner"], ["segment", "stage"]])
def test_a_person_or_a_stranger_is_no_kind(see, cells):
    """Kinds are of segments, never of owners."""
    with pytest.raises(ParameterError, match="cells must be of region, product, team"):
        summary.bridge(see({"deals": deals(30, "won", QUARTER)}, AS_OF), cells=cells)


# Random companies


def plain_quarter(day, back=0):
    """First and last day of the last quarter over by a day, or of one so many before."""
    after = day + datetime.timedelta(days=1)
    count = after.year * 4 + (after.month - 1) // 3 - 1 - back
    first = datetime.date(count // 4, count % 4 * 3 + 1, 1)
    count += 1
    return first, datetime.date(count // 4, count % 4 * 3 + 1, 1) - datetime.timedelta(days=1)


def closed_in(view, back):
    """Won and lost deals of a quarter, without the won that have no amount."""
    first, last = plain_quarter(view.day, back)
    return [
        deal
        for deal in view.deals
        if deal.status in ("won", "lost") and first <= deal.closed_on <= last
        and not (deal.status == "won" and deal.amount is None)
    ]  # fmt: skip


def is_unrecorded(view, back):
    """Whether a quarter began before the first deal was created."""
    begun = min(deal.created_on for deal in view.deals if deal.created_on)
    return plain_quarter(view.day, back)[0] < begun


def plain_factors(closed, kinds, kind_of):
    """Number, and per kind share of the closed, share won and mean amount (None: unknown)."""
    of = {kind: [deal for deal in closed if kind_of(deal) == kind] for kind in kinds}
    won = {kind: [deal.amount for deal in of[kind] if deal.status == "won"] for kind in kinds}
    return {
        "volume": len(closed),
        "mix": {kind: len(of[kind]) / len(closed) for kind in kinds},
        "rate": {kind: len(won[kind]) / len(of[kind]) if of[kind] else None for kind in kinds},
        "amount": {kind: sum(won[kind]) / len(won[kind]) if won[kind] else None for kind in kinds},
    }


def plain_effects(before, after, kinds):
    """Effect of each factor, averaged over the 24 orders in which they can change."""

    def value(factors):
        total = 0.0
        for kind in kinds:
            rate, amount = (
                next(x for x in (factors[name][kind], before[name][kind], after[name][kind], 0.0) if x is not None)
                for name in ("rate", "amount")
            )  # fmt: skip
            total += factors["volume"] * factors["mix"][kind] * rate * amount
        return total

    effects = dict.fromkeys(STEPS, 0.0)
    for order in itertools.permutations(STEPS):
        now = dict(before)
        for name in order:
            then, now = value(now), now | {name: filled(after, before, name, kinds)}
            effects[name] += (value(now) - then) / 24
    return effects, value(before), value(after)


def filled(factors, others, name, kinds):
    """A factor with the values of the other quarter where it has none."""
    if name in ("volume", "mix"):
        return factors[name]
    return {
        kind: others[name][kind] if factors[name][kind] is None else factors[name][kind]
        for kind in kinds
    }


def test_bridge_is_the_average_over_all_orders_deal_by_deal(view):
    """
    On random companies each effect is the plain average over orders, and the effects add up to the change to the
    cent; a quarter before the records gives no rows.
    """
    table = bridge_of(view.seen)

    closed = [closed_in(view, back) for back in (1, 0)]
    if is_unrecorded(view, 1):
        assert table.empty
        return
    counts = {}
    for deal in itertools.chain(*closed):
        kind = (deal.segments["segment"], deal.segments["product"])
        counts[kind] = counts.get(kind, 0) + 1

    def kind_of(deal):
        kind = (deal.segments["segment"], deal.segments["product"])
        return kind if counts[kind] >= FEW else ()

    kinds = sorted({kind_of(deal) for deal in itertools.chain(*closed)}, key=str)
    before, after = (plain_factors(part, kinds, kind_of) for part in closed)
    effects, start, end = plain_effects(before, after, kinds)
    if len(kinds) == 1:
        assert table.loc["mix", "why_not"] == "one_kind"
        effects["mix"] = math.nan
    for name in STEPS:
        assert table.loc[name, "value"] == pytest.approx(effects[name], abs=1e-6, nan_ok=True)
    assert table.loc["before", "value"] == pytest.approx(start, abs=1e-6)
    assert table.loc["after", "value"] == pytest.approx(end, abs=1e-6)
    total = table.loc[STEPS, "value"].sum()
    assert abs(total - table.loc["change", "value"]) < 0.005
    assert abs(table.loc["change", "value"] - (end - start)) < 0.005


def test_bookings_of_random_companies(view):
    """Bookings, deals won and closed of the three quarters are what a plain reading of the deals gives."""
    table = summary.bookings(view.seen).set_index("which")

    begun = min(deal.created_on for deal in view.deals if deal.created_on)
    for which, back in (("this", 0), ("before", 1), ("year_ago", 4)):
        first, last = plain_quarter(view.day, back)
        row = table.loc[which]
        closed = [
            d for d in view.deals if d.status in ("won", "lost") and first <= d.closed_on <= last
        ]
        won = [deal for deal in closed if deal.status == "won"]
        assert (row["first_on"].date(), row["last_on"].date()) == (first, last)
        assert (row["n_won"], row["n_closed"]) == (len(won), len(closed))
        assert row["n_no_amount"] == sum(deal.amount is None for deal in won)
        if first >= begun:
            assert row["bookings"] == pytest.approx(sum(d.amount or 0 for d in won), abs=1e-6)
        elif first.year < 2025:
            assert math.isnan(row["bookings"])


def test_movers_of_random_companies(view):
    """
    Change and the reach of chance of every team, segment and product: z of all groups together times the root of the
    summed squares, no more than the sum; the largest change first.
    """
    table = summary.movers(view.seen)

    table = table[table["against"] == "before"]
    if is_unrecorded(view, 1):
        assert table.empty
        return
    before, now = (
        [deal for deal in closed_in(view, back) if deal.status == "won"] for back in (1, 0)
    )
    expected = {}
    for kind in ("team", "segment", "product"):
        groups = {deal.segments[kind] for deal in before + now}
        for group in groups if len(groups) > 1 else ():
            amounts = [
                [deal.amount for deal in part if deal.segments[kind] == group]
                for part in (before, now)
            ]
            expected[kind, group] = (sum(amounts[0]), sum(amounts[1]), sum(x * x for x in itertools.chain(*amounts)))  # fmt: skip
    z = norm.ppf(1 - 0.05 / len(expected) / 2)
    assert set(zip(table["kind"], table["group"], strict=True)) == set(expected)
    for row in table.itertuples():
        then, after, squares = expected[row.kind, row.group]
        chance = min(z * math.sqrt(squares), then + after)
        assert (row.bookings_then, row.bookings) == pytest.approx((then, after))
        assert row.change == pytest.approx(after - then)
        assert row.chance == pytest.approx(chance)
        assert row.is_clear == (abs(after - then) > chance)
        assert math.isnan(row.change_share) if not then else row.change_share == pytest.approx(after / then - 1)  # fmt: skip
    assert table["change"].abs().is_monotonic_decreasing
    assert set(table["n_compared"]) == {len(expected)}


# Invariance, seeds, ranges


def busy(share_won=0.3, *, factor=1, n=200):
    """Two quarters of two kinds of deals, the later one with `factor` times the amounts."""
    rows = []
    for day, times in ((BEFORE, 1), (QUARTER, factor)):
        for kind, amount in (("A", 100), ("B", 900)):
            k = round(n * share_won)
            rows += deals(k, "won", day, segment=kind, amount=str(amount * times))
            rows += deals(n - k, "lost", day, segment=kind)
    return rows


def test_the_order_of_rows_and_cells_changes_nothing(see):
    """Deals written backwards and cells named the other way round give the same effects."""
    rows = busy(factor=2)
    one = bridge_of(see({"deals": rows}, AS_OF))
    other = bridge_of(see({"deals": rows[::-1]}, AS_OF), cells=["product", "segment"])

    pd.testing.assert_series_equal(one["value"], other["value"], rtol=1e-12)


def test_the_seed_decides_the_ranges_and_nothing_else(see):
    """The same seed gives the same ranges, another one other ranges and the same effects."""
    rows = [row | {"amount": str(100 + 7 * (i % 13))} for i, row in enumerate(busy())]
    first, second = see({"deals": rows}, AS_OF), see({"deals": rows}, AS_OF)

    same, again = bridge_of(first, seed=1), bridge_of(second, seed=1)
    other = bridge_of(second, seed=2)

    pd.testing.assert_frame_equal(same, again)
    assert (same.loc[STEPS, "low"] != other.loc[STEPS, "low"]).all()
    pd.testing.assert_series_equal(same["value"], other["value"])


def test_ranges_hold_the_effect_and_shrink_with_more_deals(see):
    """Low is at most the effect and high at least; four times the deals make ranges of the rate about half as wide."""
    few, many = (bridge_of(see({"deals": busy(n=n)}, AS_OF)) for n in (100, 400))

    for table in (few, many):
        assert (table["low"] <= table["value"]).all()
        assert (table["value"] <= table["high"]).all()
    widths = [
        (table.loc["rate", "high"] - table.loc["rate", "low"]) / table.loc["before", "value"]
        for table in (few, many)
    ]
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.12)


def test_the_range_of_the_number_is_that_of_two_counts(see):
    """
    With amounts all alike and the share won fixed by many deals, bookings differ as the numbers do: the range of volume
    is about 1.96 times the root of both counts, in bookings per deal.
    """
    table = bridge_of(see({"deals": busy(n=200)}, AS_OF), draws=20_000)

    per_deal = 0.3 * 500
    assert table.loc["volume", "high"] == pytest.approx(Z * math.sqrt(800) * per_deal, rel=0.06)
    assert table.loc["volume", "low"] == pytest.approx(-Z * math.sqrt(800) * per_deal, rel=0.06)
    assert table.loc["amount", ["low", "high"]].tolist() == pytest.approx([0, 0], abs=1e-6)


def test_the_range_of_the_mix_is_that_of_two_shares(see):
    """
    Half of 400 deals closed bring 270 each and half 30 each on average: the share of a quarter has a standard error of
    root(0.25/400), and the mix moves by 1.96 times that of the difference of two, times 240 x 400.
    """
    table = bridge_of(see({"deals": busy(n=200)}, AS_OF), draws=20_000)

    half = Z * math.sqrt(2 * 0.25 / 400) * 240 * 400
    assert table.loc["mix", "high"] == pytest.approx(half, rel=0.08)
    assert table.loc["mix", "low"] == pytest.approx(-half, rel=0.08)


def test_the_range_of_amounts_is_that_of_two_means(see):
    """
    With amounts of 50 and 150 the mean of 120 wins has a standard error of about 50/root(120); the range of the amount
    is 1.96 times that of the difference of two such means, times 120 wins.
    """
    rows = busy(n=400)
    rows = [row | {"segment": "A", "amount": ("50", "150")[i % 2]} for i, row in enumerate(rows)]
    table = bridge_of(see({"deals": rows}, AS_OF), draws=20_000)

    n_won = 240
    half = Z * 50 / math.sqrt(n_won) * math.sqrt(2) * n_won
    assert table.loc["amount", "high"] == pytest.approx(half, rel=0.06)
    assert table.loc["amount", "low"] == pytest.approx(-half, rel=0.06)


@pytest.mark.parametrize("seed", range(3))
def test_ranges_cover_the_true_change(seed):
    """
    Companies drawn from known rates and log-normal amounts: the range of the change holds the true one in about 95 of
    100 (three standard errors of 150 runs below).
    """
    rng = np.random.default_rng(seed)
    truth = [(400, np.array([0.5, 0.3, 0.2]), np.array([0.3, 0.2, 0.1])),
             (500, np.array([0.4, 0.3, 0.3]), np.array([0.35, 0.2, 0.15]))]  # fmt: skip
    means = np.array([20.0, 80.0, 300.0])
    change = np.diff([n * (mix * rate * means).sum() for n, mix, rate in truth])[0]

    hits = sum(covers(truth, means, change, rng) for _ in range(150))

    assert hits >= 150 * (0.95 - 3 * math.sqrt(0.95 * 0.05 / 150))


def covers(truth, means, change, rng):
    """Draw both quarters and say whether the range of the change holds the true one."""
    sides = []
    for n, mix, rate in truth:
        closed = rng.multinomial(rng.poisson(n), mix)
        won = rng.binomial(closed, rate)
        amounts = [mean * np.exp(0.6 * rng.standard_normal(k) - 0.18) for mean, k in zip(means, won, strict=True)]  # fmt: skip
        side = pd.DataFrame({"n_closed": closed, "n_won": won})
        side["total"] = [part.sum() for part in amounts]
        side["squares"] = [(part**2).sum() for part in amounts]
        side["mean_amount"] = side["total"] / side["n_won"].where(side["n_won"] > 0)
        sides.append(side)
    spread = summary._relative_variance(pd.concat(sides))
    drawn = summary._factors([summary._drawn(side, rng, 400, spread, {}) for side in sides])
    low, high = np.quantile(summary._effects(drawn)["change"], [0.025, 0.975])
    return low <= change <= high


# The driver


def steps_of(change=-100.0, low=-300.0, high=90.0, **effects):
    """A bridge with these effects."""
    effects = {"volume": 0.0, "mix": 0.0, "rate": 0.0, "amount": 0.0} | effects
    rows = [{"step": name, "value": value, "even_value": value} for name, value in effects.items()]
    rows.append({"step": "change", "value": change, "low": low, "high": high})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        ({"rate": -80.0, "amount": -20.0}, ("rate", 0.8, False, "volume")),
        ({"rate": -110.0, "amount": 10.0}, ("rate", 1.1, False, "amount")),
        ({"volume": -50.0, "amount": -50.0}, ("volume", 0.5, False, "rate")),
        ({"volume": -30.0, "mix": -25.0, "rate": -25.0, "amount": -20.0}, ("volume", 0.3, False, None)),
        ({"volume": math.nan, "mix": math.nan, "rate": -100.0}, ("rate", 1.0, False, "amount")),
    ],
)  # fmt: skip
def test_the_driver_is_the_largest_share_and_what_it_is_not(effects, expected):
    """The largest share of the change, whether it went up, and the first cause that explains less than a tenth of it."""
    found = summary.driver(steps_of(**effects))

    assert (found.step, round(found.share, 6), found.is_up, found.not_step) == expected


def test_a_rate_of_large_deals_is_told_apart():
    """Where equal amounts would leave less than half of the effect, it is the rate of kinds with large amounts."""
    table = steps_of(rate=-100.0)
    for even, step in ((-51.0, "rate"), (-49.0, "rate_of_large"), (20.0, "rate_of_large")):
        table.loc[table["step"] == "rate", "even_value"] = even

        assert summary.driver(table).step == step


def test_equal_amounts_leave_what_numbers_alone_explain(see):
    """
    The same share is won, but less of the kind that brings 900: with all amounts alike the rate explains nothing.
    """
    rows = []
    for day, (small, large) in ((BEFORE, (20, 40)), (QUARTER, (40, 20))):
        for kind, amount, k in (("A", "100", small), ("B", "900", large)):
            rows += deals(k, "won", day, segment=kind, amount=amount)
            rows += deals(100 - k, "lost", day, segment=kind)
    table = summary.bridge(see({"deals": rows}, AS_OF))

    rate = table.set_index("step").loc["rate"]
    assert rate["value"] == pytest.approx(20 * 100 - 20 * 900)
    assert rate["even_value"] == pytest.approx(0, abs=1e-9)
    assert summary.driver(table).step == "rate_of_large"


@pytest.mark.parametrize(
    ("low", "high", "is_chance"),
    [(-300, 1, True), (-300, -1, False), (1, 300, False), (0, 5, True)],
)
def test_chance_is_said_where_the_range_holds_no_change(low, high, is_chance):
    """A range that holds 0, at its end too, means that chance alone could make the change."""
    assert summary.driver(steps_of(rate=-100.0, low=low, high=high)).is_chance is is_chance


def test_no_change_has_no_driver():
    """Effects that cancel out to nothing leave nothing to explain."""
    assert summary.driver(steps_of(change=0.0, rate=-5.0, volume=5.0)) is None


# Cohorts


def cases_of(view, back):
    """Ages and causes of the deals created in a quarter, that many before the latest 30 days old."""
    first, last = plain_quarter(view.day - datetime.timedelta(days=30), back)
    cases = []
    for deal in view.deals:
        if deal.created_on and first <= deal.created_on <= last and deal.status != "removed":
            end = deal.closed_on or view.day
            cause = {"open": 0, "won": 1, "lost": 2}[deal.status]
            cases.append(((end - deal.created_on).days, cause))
    return [case for case in cases if case[0] >= 0]


def area(cases, until):
    """Area under the plain product-limit curve from 0 to an age, and the variance of it."""
    steps = [(0, 1.0)] + [(at, share) for at, share, *_ in staying([(a, c > 0) for a, c in cases])]
    steps = [step for step in steps if step[0] < until]
    ends = [at for at, _ in steps[1:]] + [until]
    pieces = [(end - at) * share for (at, share), end in zip(steps, ends, strict=True)]
    variance = 0.0
    for place, (at, _share) in enumerate(steps[1:], start=1):
        n = sum(a >= at for a, _ in cases)
        d = sum(a == at and cause > 0 for a, cause in cases)
        variance += sum(pieces[place:]) ** 2 * (d / (n * (n - d)) if n > d else 0)
    return sum(pieces), variance


def test_cohorts_of_random_companies(view):
    """
    Share won by 30 days of the latest quarter that old against the one before by Newcombe's and Zou's formula, median
    and mean of the first 30 days open, all from a plain reading.
    """
    table = summary.cohorts(view.seen, age_days=30).set_index("figure")

    now, then = cases_of(view, 0), cases_of(view, 1)
    first = plain_quarter(view.day - datetime.timedelta(days=30), 1)[0]
    begun = min(deal.created_on for deal in view.deals if deal.created_on)
    win, cycle = table.loc["win_rate"], table.loc["cycle"]
    assert (win["n"], win["n_before"]) == (len(now), len(then))
    if len(now) < 10 or win["why_not"]:
        assert win["why_not"] == "no_mature_quarter"
        return
    one = incidence(now, 30)
    assert (win["value"], win["low"], win["high"]) == pytest.approx(
        (one["rate"], one["low"], one["high"])
    )
    steps = staying([(at, cause > 0) for at, cause in now])
    assert cycle["value"] == pytest.approx(first_age(steps, 0.5) or math.nan, nan_ok=True)
    if len(then) < 10 or first < begun:
        assert win["why_no_change"]
        assert math.isnan(win["change"])
        return
    other = incidence(then, 30)
    change = one["rate"] - other["rate"]
    low = change - math.hypot(one["rate"] - one["low"], other["high"] - other["rate"])
    high = change + math.hypot(one["high"] - one["rate"], other["rate"] - other["low"])
    assert (win["change"], win["change_low"], win["change_high"]) == pytest.approx(
        (change, low, high)
    )
    assert win["is_better"] is (True if low > 0 else False if high < 0 else None)
    (mean, variance), (mean_then, variance_then) = area(now, 30), area(then, 30)
    half = Z * math.sqrt(variance + variance_then)
    difference = mean - mean_then
    assert cycle["change"] == pytest.approx(difference)
    assert (cycle["change_low"], cycle["change_high"]) == pytest.approx(
        (difference - half, difference + half)
    )
    assert cycle["is_better"] is (
        False if difference > half else True if difference < -half else None
    )


def test_the_latest_quarter_that_is_old_enough(see):
    """
    On 29 June the first quarter's last deal is 90 days old, and it is the one compared; at 91 days it is the last of
    2025. Fewer than ten deals say nothing.
    """
    rows = deals(20, "won", "2026-04-01", created="2026-01-15")
    rows += deals(20, "lost", "2026-02-01", created="2025-11-15")
    rows += deals(9, "lost", "2025-10-01", created="2025-08-15") + deals(1, "open", "", created="2025-01-15")  # fmt: skip
    seen = see({"deals": rows}, "2026-06-29")

    first, second = (
        summary.cohorts(seen, age_days=age).set_index("figure").loc["win_rate"] for age in (90, 91)
    )

    assert first["first_on"] == pd.Timestamp("2026-01-01")
    assert (first["value"], first["before"], first["is_better"]) == (1.0, 0.0, True)
    assert second["first_on"] == pd.Timestamp("2025-10-01")
    assert second["why_no_change"] == "few_deals"
    assert wilson(0, 20) == pytest.approx((second["low"], second["high"]))


def test_a_quarter_mostly_open_has_no_median_but_a_change(see):
    """Half of the deals are not closed yet: that is said, and the first 30 days are compared all the same."""
    rows = []
    for created, n in (("2026-01-15", 5), ("2025-11-15", 18)):
        end = (datetime.date.fromisoformat(created) + datetime.timedelta(days=10)).isoformat()
        rows += deals(n, "lost", end, created=created) + deals(20 - n, "open", "", created=created)
    rows += deals(1, "open", "", created="2025-01-15")

    cycle = (
        summary.cohorts(see({"deals": rows}, AS_OF), age_days=30).set_index("figure").loc["cycle"]
    )

    assert cycle["why_not"] == "half_open"
    assert math.isnan(cycle["value"])
    assert cycle["before"] == 10
    assert cycle["change"] == pytest.approx((0.75 * 20 + 10) - (0.1 * 20 + 10))
    assert cycle["is_better"] is False


@pytest.mark.parametrize("age", [0, -1, 1.5])
def test_an_age_that_is_none_is_refused(see, age):
    """Deals are compared at an age of whole days from 1 on."""
    with pytest.raises(ParameterError, match="age_days"):
        summary.cohorts(see({"deals": deals(30, "won", QUARTER)}, AS_OF), age_days=age)


# People


def test_a_fall_can_be_clear_as_well_as_a_rise(see):
    """400 deals of 100 after 100, and the other way round: 30,000 either way is more than 2.2 times root(5,000,000)."""
    rows = deals(400, "won", BEFORE, segment="A") + deals(100, "won", QUARTER, segment="A")
    rows += deals(100, "won", BEFORE, segment="B") + deals(400, "won", QUARTER, segment="B")

    table = summary.movers(see({"deals": rows}, AS_OF)).set_index("group")

    assert table.loc["A", ["change", "is_clear"]].tolist() == [-30000, True]
    assert table.loc["B", ["change", "is_clear"]].tolist() == [30000, True]


def test_one_who_changed_teams_before_leaving_left_once(see):
    """Two spells, one leaver, the years of both."""
    row = {"person_id": "a", "name": "A", "hired_on": "2020-01-01", "left_on": "2025-12-31"}
    people = [row | {"team": "N", "valid_from": "2020-01-01"}, row | {"team": "S", "valid_from": "2025-10-01"}]  # fmt: skip

    found = summary.people(see({"deals": OLD, "people": people + staff_of(("2020-01-01", ""))}, AS_OF))  # fmt: skip

    assert found["n_left"].iloc[0] == 1
    assert found["years"].iloc[0] == pytest.approx((184 + 365) / 365.25)


def staff_of(*spells):
    """People: (hired, left)."""
    return [
        {"person_id": f"p{number}", "name": f"P{number}", "hired_on": hired, "left_on": left}
        for number, (hired, left) in enumerate(spells)
    ]


OLD = deals(1, "open", "", created="2024-06-01")


def test_leavers_of_twelve_months_and_of_the_twelve_before(see):
    """
    Eight are there throughout; one left in the last 12 months, on its first day, three in those before, one longer ago.
    Person-years are days / 365.25, the range that of the exact binomial test given four leavers.
    """
    people = staff_of(
        *[("2020-01-01", "")] * 8,
        *[("2020-01-01", "2025-07-01"), ("2020-01-01", "2025-06-30"), ("2020-01-01", "2024-07-01")],
        *[("2025-01-01", "2025-03-31"), ("2020-01-01", "2024-06-30")],
    )

    row = summary.people(see({"deals": OLD, "people": people}, AS_OF)).iloc[0]

    years = (8 * 365 + 1) / 365.25
    years_before = (8 * 365 + 365 + 365 + 1 + 90) / 365.25
    assert (row["n"], row["n_left"], row["n_left_before"]) == (8, 1, 3)
    assert (row["years"], row["years_before"]) == pytest.approx((years, years_before))
    limits = binomtest(1, 4, years / (years + years_before)).proportion_ci()
    scale = years_before / years
    assert row["ratio"] == pytest.approx(1 / 3 * scale)
    assert row["ratio_low"] == pytest.approx(limits.low / (1 - limits.low) * scale)
    assert row["ratio_high"] == pytest.approx(limits.high / (1 - limits.high) * scale)
    assert row["is_better"] is None
    assert row["why_no_change"] is None


@pytest.mark.parametrize(("left", "left_before", "is_better"), [(1, 20, True), (20, 1, False)])
def test_a_clear_change_of_turnover_is_better_or_worse(see, left, left_before, is_better):
    """Fewer leavers are better where the whole range of the ratio lies below 1, worse where it lies above."""
    people = staff_of(*[("2020-01-01", "")] * 40, *[("2020-01-01", "2025-12-31")] * left, *[("2020-01-01", "2024-12-31")] * left_before)  # fmt: skip

    row = summary.people(see({"deals": OLD, "people": people}, AS_OF)).iloc[0]

    assert row["is_better"] is is_better


@pytest.mark.parametrize(
    ("people", "first_deal", "why"),
    [
        (staff_of(("2020-01-01", "")), "2024-06-01", "nobody_left"),
        (staff_of(("2020-01-01", ""), ("2020-01-01", "2021-01-01")), "2024-06-01", "too_few"),
        (staff_of(("2020-01-01", ""), ("2020-01-01", "2026-01-01")), "2024-07-02", "not_recorded"),
    ],
)
def test_turnover_that_cannot_be_compared_says_why(see, people, first_deal, why):
    """Nobody who ever left, nobody in these 24 months, or records that begin later than them."""
    seen = see({"deals": deals(1, "open", "", created=first_deal), "people": people}, AS_OF)

    row = summary.people(seen).iloc[0]

    assert row["why_no_change"] == why
    assert row["n"] == 1
    assert math.isnan(row["ratio"])


def test_without_people_nothing_is_said_of_them(see):
    """The owners of deals are no list of the people in sales."""
    row = summary.people(see({"deals": deals(5, "won", QUARTER, owner="x")}, AS_OF)).iloc[0]

    assert row["why_not"] == "no_people"
    assert math.isnan(row["n"])


def test_the_quarter_is_the_last_one_over(see):
    """On the last day of a quarter it is over; a day before, the one before it is the last."""
    rows = deals(30, "won", QUARTER)

    assert summary.quarter(see({"deals": rows}, "2026-06-30")) == Period("2026-Q2", datetime.date(2026, 4, 1), datetime.date(2026, 6, 30))  # fmt: skip
    assert summary.quarter(see({"deals": rows}, "2026-06-29")).name == "2026-Q1"
