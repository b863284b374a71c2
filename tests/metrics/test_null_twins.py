"""The null twin of a company: what it is made of read deal by deal, its edge cases by name, a company without change."""

import datetime
import math
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from plain import age, assert_same, grouped, incidence, share, value_of, wilson

from salesanalysis import crm
from salesanalysis.crm import sample
from salesanalysis.metrics import quality, reps, twins
from salesanalysis.statistics import twins as statistics

MAPPING = Path(__file__).parents[2] / "params" / "sources" / "sample.yaml"
DEAL = {"created_at": "2026-01-05 09:00:00", "status": "open", "owner": "a"}
FIGURES = ["best_rate", "worst_rate", "spread", "n_flagged_low", "chi2"]


def first_of(day, months_back):
    """First day of the month so many months before that of a day."""
    for _ in range(months_back):
        day = day.replace(day=1) - datetime.timedelta(days=1)
    return day.replace(day=1)


def figures_of(deals, day):
    """Won so far / created and mean days of the won, as a dashboard has them."""
    cases = [age(deal, day) for deal in deals]
    won = [days for days, cause in cases if cause == 1]
    return {
        "won_created_rate": share(len(won), len(cases)),
        "mean_cycle_days": share(sum(won), len(won)),
    }


def as_known(deals, day):
    """Exits as they stood at the end of a day, counted."""
    exits = Counter()
    for deal in deals:
        is_closed = deal.closed_on is not None and deal.closed_on <= day
        last = deal.closed_on if is_closed else day
        cause = {"won": 1, "lost": 2}[deal.status] if is_closed else 0
        exits[(last - deal.created_on).days, cause] += 1
    return [[*exit_, n] for exit_, n in exits.items()]


@pytest.mark.parametrize("recent_months", [2, 6])
def test_months_read_deal_by_deal(view, recent_months):
    """
    Earlier deals as known the day before, recent ones for as long as they were followed, both figures as of now.
    """
    begin = first_of(view.day, recent_months - 1)
    first = quality.truncated_before(view.seen)
    counted = [
        deal
        for deal in view.deals
        if age(deal, view.day) and (pd.isna(first) or deal.created_on >= first.date())
    ]
    earlier = [deal for deal in counted if deal.created_on < begin]
    recent = [deal for deal in counted if deal.created_on >= begin]
    if not (earlier and recent):
        assert twins.months(view.seen, recent_months=recent_months).empty
        return
    before, seen = figures_of(earlier, view.day), figures_of(recent, view.day)
    exits = as_known(earlier, begin - datetime.timedelta(days=1))
    followed = [(view.day - deal.created_on).days for deal in recent]
    drawn = statistics.before_after(*zip(*exits, strict=True), followed, seed=3, draws=199)
    last = max(exits_age for exits_age, _, _ in exits)
    still_open = incidence([(at, cause) for at, cause, n in exits for _ in range(n)], last)["open"]
    if still_open * sum(days > last for days in followed) / len(followed) > 0.02:
        drawn = drawn * math.nan
    expected = []
    for figure in ("won_created_rate", "mean_cycle_days"):
        ours, theirs = seen[figure], before[figure]
        place = statistics.place(
            math.nan if ours is None else ours,
            drawn[figure],
            larger_is_claim=bool(ours and ours > theirs),
        )
        row = {"before_value": theirs, "seen_value": ours, "p_value": place.p_value}
        row |= {f"twin_{name}": getattr(place, name) for name in ("median", "low", "high")}
        expected.append({"figure": figure} | {name: value_of(value) for name, value in row.items()})

    table = twins.months(view.seen, recent_months=recent_months, seed=3, draws=199)

    assert_same(table, expected, ["figure"])


def closed(status, created, on, number):
    """A deal with its days."""
    return DEAL | {
        "deal_id": number, "created_at": f"{created} 09:00:00", "status": status,
        "closed_at": f"{on} 09:00:00" if on else "",
    }  # fmt: skip


def test_months_end_and_begin_where_calendar_months_do(see):
    """
    The deal of 31 March is earlier, that of 1 April recent; the win of 1 April was not known before the recent months.
    """
    deals = [
        closed("won", "2026-03-01", "2026-03-31", "known"),
        closed("won", "2026-03-31", "2026-04-01", "not known yet"),
        closed("lost", "2026-01-01", "2026-01-11", "lost"),
        closed("won", "2026-04-01", "2026-04-05", "recent"),
        closed("open", "2026-06-10", None, "as young as can be"),
        closed("removed", "2026-05-01", "2026-05-03", "removed"),
    ]
    seen = see({"deals": deals}, "2026-06-10")

    table = twins.months(seen, draws=50).set_index("figure")

    assert table.loc["won_created_rate", ["before_value", "seen_value"]].tolist() == [2 / 3, 1 / 2]
    assert table.loc["mean_cycle_days", ["before_value", "seen_value"]].tolist() == [15.5, 4]
    kept = twins._known_before(seen, twins._recent_days(seen, 3), 10**6)
    assert sorted(kept.itertuples(index=False, name=None)) == [(0, 0, 1), (10, 2, 1), (30, 1, 1)]


@pytest.mark.parametrize(
    ("as_of", "recent_months", "days"),
    [("2026-06-30", 3, 91), ("2026-06-01", 1, 1), ("2026-02-15", 3, 77), ("2026-03-31", 13, 396)],
)
def test_recent_months_are_calendar_months(see, as_of, recent_months, days):
    """
    The month of the as-of date is the last of them, whole or not; a year may begin within.
    """
    seen = see({"deals": [closed("open", "2025-01-05", None, "1")]}, as_of)

    assert twins._recent_days(seen, recent_months) == days


@pytest.mark.parametrize("created", ["2026-01-05", "2026-05-05"])
def test_months_need_both_sides(see, created):
    """
    Without an earlier or without a recent deal there is nothing to compare: no rows, the columns are there.
    """
    table = twins.months(see({"deals": [closed("open", created, None, "1")]}, "2026-06-30"))

    assert table.empty
    assert table.columns[:3].tolist() == ["figure", "before_value", "seen_value"]


def test_deals_created_before_closings_were_recorded_are_left_out(see):
    """
    Of a source whose early closings are missing only deals created since the first recorded closing count.
    """
    early = [closed("open", "2025-01-10", None, f"early {n}") for n in range(200)]
    later = [
        closed("won" if n % 2 else "lost", "2025-06-01", f"2025-06-{n % 5 + 2:02d}", f"later {n}")
        for n in range(40)
    ]
    others = [
        closed("lost", "2025-06-01", "2025-06-01", "first closing recorded"),
        closed("open", "2025-06-01", None, "followed for long"),
        closed("open", "2026-06-01", None, "recent"),
    ]
    seen = see({"deals": early + later + others}, "2026-06-30")

    table = twins.months(seen, recent_months=1, draws=50).set_index("figure")

    assert quality.truncated_before(seen) == pd.Timestamp("2025-06-01")
    assert table.loc["won_created_rate", "before_value"] == 20 / 42


@pytest.mark.parametrize("recent_months", [0, -1, 1.5, "3"])
def test_recent_months_must_be_whole_months(see, recent_months):
    """
    No month, part of one or a text is refused, with what was found.
    """
    seen = see({"deals": [closed("open", "2026-01-05", None, "1")]}, "2026-06-30")

    with pytest.raises(ValueError, match="recent_months must be whole months from 1 on, found"):
        twins.months(seen, recent_months=recent_months)


BEFORE = pd.DataFrame({"exit_age": [10, 30, 200], "cause": [1, 2, 0], "n": [20, 40, 40]})
AFTER = pd.DataFrame({"follow_up_days": [5, 20, 90], "n": [30, 30, 40]})


def test_the_claim_is_what_goes_away_from_the_earlier_figure():
    """
    A figure above the earlier one claims more, one below claims less; without an earlier one better is claimed.
    """
    naive = {"won_created_rate": 0.16, "mean_cycle_days": 10.0, "won_closed_rate": 0.3}
    more = {"won_created_rate": 0.1, "mean_cycle_days": 5.0, "won_closed_rate": 0.2}
    less = {"won_created_rate": 0.2, "mean_cycle_days": 15.0, "won_closed_rate": 0.4}

    above, below, better = (
        twins.before_after(BEFORE, AFTER, naive, earlier=earlier, seed=1).set_index("figure")
        for earlier in (more, less, None)
    )

    drawn = statistics.before_after(*BEFORE.T.to_numpy(), [5] * 30 + [20] * 30 + [90] * 40, seed=1)
    for figure, value in naive.items():
        p_more = (1 + (drawn[figure] >= value - 1e-9).sum()) / 1000
        p_less = (1 + (drawn[figure] <= value + 1e-9).sum()) / 1000
        assert above.loc[figure, "p_value"] == pytest.approx(p_more)
        assert below.loc[figure, "p_value"] == pytest.approx(p_less)
        expected = p_less if figure == "mean_cycle_days" else p_more
        assert better.loc[figure, "p_value"] == pytest.approx(expected)
    assert above["before_value"].to_dict() == more
    assert better["before_value"].isna().all()


@pytest.mark.parametrize(
    ("last", "n_open", "n_long", "is_known"),
    [
        (90, 40, 40, True),
        (89, 40, 40, False),
        (89, 3, 40, True),
        (89, 4, 40, False),
        (89, 40, 3, True),
        (40, 0, 40, True),
    ],
)
def test_the_twin_is_silent_where_the_earlier_deals_were_followed_for_less(
    last, n_open, n_long, is_known
):
    """
    Of 100 later deals, those followed 90 days and open where the earlier follow-up ends may be 2 %.

    40 of 100 earlier deals open there times 40 of 100 later ones followed on are 16 %; 3 of 63 times 40 are 1.9 %,
    4 of 64 times 40 are 2.5 %; 40 of 100 times 3 are 1.2 %.
    """
    before = BEFORE.assign(exit_age=[10, 30, last], n=[20, 40, n_open])
    after = AFTER.assign(n=[30, 70 - n_long, n_long])

    table = twins.before_after(before, after, {"won_created_rate": 0.1}, seed=1, draws=50)

    assert (
        table[["twin_median", "twin_low", "twin_high", "p_value"]].notna().all(axis=None)
        == is_known
    )
    assert table["seen_value"].tolist() == [0.1]


def test_before_after_without_a_side_has_no_rows():
    """
    No earlier or no later deal: nothing to compare.
    """
    none = {"won_created_rate": 0.1}

    assert twins.before_after(BEFORE.assign(n=0), AFTER, none).empty
    assert twins.before_after(BEFORE, AFTER.iloc[:0], none).empty


def test_ranking_read_deal_by_deal(view):
    """
    Largest and smallest share of a rep, their distance, reps below the share of all, and the twin of these reps.
    """
    old = [
        deal
        for deal in view.deals
        if age(deal, view.day)
        and deal.segments["owner"]
        and (view.day - deal.created_on).days >= 30
    ]
    counts = {}
    for owner, deals in grouped(old, "owner").items():
        cases = [age(deal, view.day) for deal in deals]
        counts[owner] = (len(cases), sum(cause == 1 and days <= 30 for days, cause in cases))
    n, wins = zip(*counts.values(), strict=True)
    overall, shares = sum(wins) / sum(n), [k / m for m, k in counts.values()]
    eta = [math.log(overall / (1 - overall))] * len(n)
    drawn = statistics.ranking(list(counts), eta, n, wins, seed=7, draws=99)
    expected = {
        "best_rate": max(shares),
        "worst_rate": min(shares),
        "spread": max(shares) - min(shares),
        "n_flagged_low": sum(wilson(k, m)[1] < overall for m, k in counts.values()),
        "chi2": sum(
            (k - m * overall) ** 2 / (m * overall * (1 - overall)) for m, k in counts.values()
        ),
    }

    table = twins.ranking(view.seen, age_days=30, case_mix=[], seed=7, draws=99)

    assert table["figure"].tolist() == FIGURES
    for row in table.itertuples():
        values = drawn[row.figure]
        is_beyond = values <= expected[row.figure] + 1e-9
        if row.figure != "worst_rate":
            is_beyond = values >= expected[row.figure] - 1e-9
        assert row.seen_value == pytest.approx(expected[row.figure])
        assert row.twin_median == pytest.approx(values.median())
        assert row.twin_low == pytest.approx(values.quantile(0.025))
        assert row.twin_high == pytest.approx(values.quantile(0.975))
        assert row.p_value == pytest.approx((1 + is_beyond.sum()) / 100)


def test_the_twin_of_the_list_has_the_case_mix_of_the_gate(view):
    """
    With case mix the chi-square is that of the ranking's gate, and a p-value near the gate's.
    """
    mix = {"age_days": 30, "case_mix": ["product", "source"]}
    _, gate = reps.ranking(view.seen, **mix, draws=200)

    table = twins.ranking(view.seen, **mix).set_index("figure")

    assert table.loc["chi2", "seen_value"] == pytest.approx(gate["chi2"].item())
    assert table.loc["chi2", "p_value"] == pytest.approx(gate["p_value"].item(), abs=0.08)


@pytest.mark.parametrize("statuses", [["open", "open"], ["won", "won"], ["won"]])
def test_ranking_without_a_comparison_has_no_rows(see, statuses):
    """
    No win, no deal not won, or one rep only: nothing to compare, as in the ranking itself.
    """
    deals = [
        closed(status, "2026-01-05", "2026-01-20" if status == "won" else None, f"{n}")
        | {"owner": f"r{n}"}
        for n, status in enumerate(statuses)
    ]

    table = twins.ranking(see({"deals": deals}, "2026-06-30"), age_days=90, case_mix=[])

    assert table.empty
    assert table.columns.tolist() == [
        "figure",
        "seen_value",
        "twin_median",
        "twin_low",
        "twin_high",
        "p_value",
    ]


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory):
    """A sample company in which nothing changed, halfway through its last year."""
    folder = tmp_path_factory.mktemp("unchanged")
    sample.write(folder / "export", deals=3000, changed=False, dirt=0)
    crm.load(folder / "export", MAPPING, folder / "crm.duckdb", say=lambda _: None)
    with crm.observe(folder / "crm.duckdb", "2026-06-30") as seen:
        yield seen


def test_a_company_in_which_nothing_changed_looks_changed_and_the_twin_says_why(unchanged):
    """
    The recent months show a far shorter cycle and a lower created win rate, and so does the twin.
    """
    table = twins.months(unchanged).set_index("figure")

    assert (table["seen_value"] < 0.8 * table["before_value"]).all()
    assert (table["twin_high"] < table["before_value"]).all()
    assert table["seen_value"].between(table["twin_low"], table["twin_high"]).all()
    assert (table["p_value"] > 0.025).all()
