"""The null twin: against every resample written out, plain loops, binomial tables and simulations."""

import math
from collections import Counter
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal
from scipy.optimize import brentq
from scipy.stats import binom, chi2

from salesanalysis.statistics import twins

REFERENCE = Path(__file__).parents[1] / "reference"
WON, LOST, OPEN = 1, 2, 0


def incidence_written_out(deals):
    """Share that left at each age with each cause, by the product-limit argument, in fractions."""
    still_open, leaving = Fraction(1), {}
    for age in sorted({age for age, _ in deals}):
        at_risk = sum(exit_age >= age for exit_age, _ in deals)
        for cause in (WON, LOST):
            leaving[age, cause] = still_open * Fraction(deals.count((age, cause)), at_risk)
        closed = sum(deals.count((age, cause)) for cause in (WON, LOST))
        still_open *= 1 - Fraction(closed, at_risk)
    return leaving


def outcomes_of_all_resamples(deals, follow_up):
    """Probability of each (won, lost, sum of days of the won), every resample and every fate written out."""
    total = Counter()
    for picked in product(range(len(deals)), repeat=len(deals)):
        leaving = incidence_written_out([deals[i] for i in picked])
        fates = [*leaving.items(), ((math.inf, OPEN), 1 - sum(leaving.values()))]
        for drawn in product(fates, repeat=len(follow_up)):
            chance = Fraction(1, len(deals) ** len(deals)) * math.prod(p for _, p in drawn)
            seen = [
                fate for (fate, _), days in zip(drawn, follow_up, strict=True) if fate[0] <= days
            ]
            won = [age for age, cause in seen if cause == WON]
            total[len(won), len(seen) - len(won), sum(won)] += chance
    return {outcome: float(chance) for outcome, chance in total.items() if chance}


@pytest.mark.parametrize(
    ("deals", "follow_up"),
    [
        ([(3, WON), (3, LOST)], [5, 5, 5]),
        ([(2, WON), (2, OPEN), (4, LOST)], [1, 3, 9]),
        ([(0, WON), (2, OPEN), (2, LOST), (7, WON)], [0, 2, 7]),
        ([(1, LOST), (5, WON), (5, WON), (9, OPEN)], [4, 5]),
        ([(6, OPEN), (6, WON), (2, WON)], [2, 8]),
    ],
)
def test_before_after_has_the_distribution_of_all_resamples(deals, follow_up):
    """
    Every outcome comes as often as over all resamples of the earlier deals and all fates of the later ones.
    """
    expected = outcomes_of_all_resamples(deals, follow_up)
    ages, causes = zip(*deals, strict=True)

    drawn = twins.before_after(ages, causes, [1] * len(deals), follow_up, seed=5, draws=40_000)

    found = Counter(zip(drawn["n_won"], drawn["n_lost"], drawn["sum_days"], strict=True))
    assert found.keys() <= expected.keys()
    for outcome, chance in expected.items():
        error = math.sqrt(chance * (1 - chance) / len(drawn))
        assert found[outcome] / len(drawn) == pytest.approx(chance, abs=4.5 * error + 1e-9)


def plain_twin(rng, ages, causes, follow_up):
    """One draw with loops: resample, estimate, give each later deal a fate, look as far as it was followed."""
    picked = rng.integers(0, len(ages), len(ages))
    deals = [(int(ages[i]), int(causes[i])) for i in picked]
    leaving = incidence_written_out(deals)
    won, lost = [], 0
    for days in follow_up:
        place, fate = rng.random(), (math.inf, OPEN)
        for candidate, share in leaving.items():
            place -= share
            if place < 0:
                fate = candidate
                break
        if fate[0] <= days and fate[1] == WON:
            won.append(fate[0])
        lost += fate[0] <= days and fate[1] == LOST
    return {
        "n_won": len(won),
        "n_lost": lost,
        "sum_days": sum(won),
        "sum_squared_days": sum(x * x for x in won),
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_before_after_agrees_with_plain_loops(seed):
    """
    On random deals with ties the mean and the spread of each sum are those of a twin written with loops.
    """
    rng = np.random.default_rng(seed)
    ages, causes = rng.integers(0, 12, 14), rng.integers(0, 3, 14)
    follow_up = rng.integers(0, 12, 10)
    slow = pd.DataFrame([plain_twin(rng, ages, causes, follow_up) for _ in range(1500)])

    fast = twins.before_after(ages, causes, [1] * 14, follow_up, seed=seed, draws=20_000)

    for name in slow:
        error = slow[name].std() * math.sqrt(1 / len(slow) + 1 / len(fast))
        assert fast[name].mean() == pytest.approx(slow[name].mean(), abs=4 * error)
        assert fast[name].std() == pytest.approx(slow[name].std(), rel=0.12)


def test_before_after_reads_its_figures_off_its_sums():
    """
    Mean age of the won, won / created and won / closed are quotients of the counts and sums of the same draw.
    """
    drawn = twins.before_after(
        [4, 9, 30, 6], [1, 1, 2, 0], [9, 4, 20, 7], [3, 5, 8, 12, 20], seed=2
    )

    for row in drawn.itertuples():
        closed = row.n_won + row.n_lost
        assert row.won_created_rate == row.n_won / 5
        assert_allclose(row.mean_cycle_days, row.sum_days / row.n_won if row.n_won else math.nan)
        assert_allclose(row.won_closed_rate, row.n_won / closed if closed else math.nan)
        assert row.n_won == 0 or row.sum_squared_days >= row.sum_days**2 / row.n_won - 1e-9


def test_later_figures_worked_by_hand():
    """
    Two won at 10 and 20 days, three lost, of ten created; nothing won and nothing closed have no quotient.
    """
    table = twins.later_figures([2, 0], [3, 0], [30, 0], [500, 0], n_created=10)

    assert table["mean_cycle_days"].tolist() == pytest.approx([15, math.nan], nan_ok=True)
    assert table["won_created_rate"].tolist() == [0.2, 0]
    assert table["won_closed_rate"].tolist() == pytest.approx([0.4, math.nan], nan_ok=True)


def test_before_after_with_one_fate_leaves_nothing_to_chance():
    """
    Where every earlier deal was won on day 5, every later one followed that long is won on day 5.
    """
    drawn = twins.before_after([5], [1], [30], [0, 4, 5, 6, 400], seed=1, draws=50)

    assert (drawn["n_won"] == 3).all()
    assert (drawn["mean_cycle_days"] == 5).all()
    assert (drawn["n_lost"] == 0).all()


def test_before_after_leaves_open_what_was_never_seen():
    """
    Beyond the follow-up of the earlier deals nothing closes, however long the later ones are followed.
    """
    drawn = twins.before_after([10, 20], [1, 0], [10, 10], [5000] * 300, seed=1, draws=200)

    assert drawn["won_created_rate"].mean() == pytest.approx(0.5, abs=0.03)
    assert (drawn["n_lost"] == 0).all()


def test_before_after_takes_no_notice_of_order_and_of_how_cells_are_split():
    """
    Rows in another order, a cell written as two, empty cells: the same draws to the last bit.
    """
    plain = twins.before_after([3, 8, 20], [1, 2, 0], [10, 20, 30], [4, 9, 30], seed=3, draws=99)

    again = twins.before_after(
        [20, 8, 3, 8, 5], [0, 2, 1, 2, 1], [30, 5, 10, 15, 0], [30, 4, 9], seed=3, draws=99
    )

    assert_frame_equal(plain, again)


def test_before_after_looks_only_as_far_as_the_later_deals_were_followed():
    """
    What the earlier deals did after the longest follow-up of the later ones changes nothing.
    """
    early = twins.before_after([3, 8, 20, 90], [1, 2, 0, 0], [9, 9, 9, 9], [15] * 8, seed=3)

    late = twins.before_after([3, 8, 400, 17], [1, 2, 1, 2], [9, 9, 9, 9], [15] * 8, seed=3)

    assert_frame_equal(early, late)


@pytest.mark.parametrize("draws", [1, 7, 999])
def test_draws_are_as_many_as_asked_for(draws):
    """
    One row per draw, of both twins.
    """
    assert len(twins.before_after([3], [1], [9], [5], seed=1, draws=draws)) == draws
    assert len(twins.ranking(["a", "b"], [0, 0], [5, 5], [2, 3], seed=1, draws=draws)) == draws


def test_the_seed_decides():
    """
    The same seed gives the same draws, another seed others, of both twins.
    """
    later = [twins.before_after([3, 9], [1, 2], [9, 9], [5] * 50, seed=seed) for seed in (1, 1, 2)]
    lists = [
        twins.ranking(list("abc"), [0] * 3, [50] * 3, [20] * 3, seed=seed) for seed in (1, 1, 2)
    ]

    for first, again, other in (later, lists):
        assert_frame_equal(first, again)
        assert not first.equals(other)


def test_blocks_are_no_part_of_the_result_but_of_memory(monkeypatch):
    """
    Drawn in small blocks the twin has the same mean and spread.
    """
    deals = ([3, 9, 14, 30], [1, 2, 1, 0], [20, 30, 10, 40], [10, 20, 40] * 10)
    whole = twins.before_after(*deals, seed=1, draws=3000)
    monkeypatch.setattr(twins, "_BLOCK", 100)

    parts = twins.before_after(*deals, seed=1, draws=3000)

    error = whole["n_won"].std() * math.sqrt(2 / 3000)
    assert parts["n_won"].mean() == pytest.approx(whole["n_won"].mean(), abs=4 * error)
    assert parts["n_won"].std() == pytest.approx(whole["n_won"].std(), rel=0.08)


def company(rng, first, last, seen_on):
    """One deal a day, 15 % won, gamma(2) times with mean 60 days to winning and 45 to losing, seen on a day."""
    created = np.arange(first, last)
    is_won = rng.random(len(created)) < 0.15
    days = np.rint(rng.gamma(2, np.where(is_won, 30, 22.5))).astype(int)
    followed = seen_on - created
    cause = np.where(days <= followed, np.where(is_won, WON, LOST), OPEN)
    return np.minimum(days, followed), cause, followed


@pytest.mark.parametrize("after_days", [60, 90, 180])
def test_the_twin_shows_what_a_dashboard_shows_when_nothing_changed(after_days):
    """
    With no change the twin's cycle and ranges are those of the reference simulation, and they hold the dashboard's.
    """
    table = pd.read_csv(REFERENCE / "sim_null_twin_cycle.csv").set_index("after_days")
    expected, runs, reference_runs = table.loc[after_days], 120, 150
    rows = []
    for run in range(runs):
        rng = np.random.default_rng([after_days, run])
        age, cause, _ = company(rng, 0, 365, 364)
        later_age, later_cause, followed = company(rng, 365, 365 + after_days, 365 + after_days)
        twin = twins.before_after(age, cause, np.ones(365), followed, seed=run, draws=399)
        is_won = later_cause == WON
        cycle = later_age[is_won].mean() if is_won.any() else math.nan
        for figure, seen in (("mean_cycle_days", cycle), ("won_created_rate", is_won.mean())):
            place = twins.place(seen, twin[figure], larger_is_claim=False)
            inside = place.low <= seen <= place.high if seen == seen else math.nan
            rows.append((figure, seen, place.median, place.low, place.high, inside, place.p_value))
    found = pd.DataFrame(rows, columns=["figure", "seen", "median", "low", "high", "inside", "p"])
    cycle, won = (part.dropna() for _, part in found.groupby("figure"))
    both = math.sqrt(1 / runs + 1 / reference_runs)

    def agrees(values, reference):
        return abs(values.mean() - reference) <= 3 * values.std() * both + 1e-9

    assert agrees(cycle["seen"], expected["observed_cycle"])
    assert agrees(cycle["median"], expected["twin_cycle"])
    assert agrees(cycle["low"], expected["twin_lo"])
    assert agrees(cycle["high"], expected["twin_hi"])
    assert agrees(won["seen"], expected["observed_won_created"])
    assert agrees(won["low"], expected["twin_wc_lo"])
    assert agrees(won["high"], expected["twin_wc_hi"])
    for part, reference in ((cycle, "inside_cycle"), (won, "inside_won_created")):
        share = expected[reference]
        assert part["inside"].mean() == pytest.approx(
            share, abs=3 * math.sqrt(max(share * (1 - share), 0.02)) * both
        )
    # A p-value says how rarely: below x in about a share x of the runs, and not far less often.
    for level in (0.05, 0.25, 0.5, 0.75):
        error = math.sqrt(level * (1 - level) / len(cycle))
        assert (cycle["p"] <= level).mean() == pytest.approx(level, abs=3.5 * error)


@pytest.mark.parametrize(
    ("deals", "low", "median", "high"), [(40, 0.35, 0.40, 0.50), (150, 0.30, 0.327, 0.373)]
)
def test_the_best_of_fifty_equal_reps(deals, low, median, high):
    """
    Of 50 reps who all win a quarter the best shows 40 % on 40 deals each and 32.7 % on 150, as simulated elsewhere.
    """
    drawn = twins.ranking(
        range(50), [math.log(1 / 3)] * 50, [deals] * 50, [deals // 4] * 50, seed=1
    )

    place = twins.place(0.3, drawn["best_rate"], larger_is_claim=True)
    assert place.median == pytest.approx(median, abs=0.0005)
    assert_allclose([place.low, place.high], [low, high], atol=1.01 / deals)  # a deal of the rep's


@pytest.mark.parametrize(("reps", "deals", "share"), [(50, 40, 0.25), (12, 7, 0.4), (5, 150, 0.1)])
def test_best_and_worst_of_equal_reps_are_extremes_of_binomials(reps, deals, share):
    """
    The best of equal reps is at most k with the binomial probability to the power of the reps; so is the worst.
    """
    eta, draws = math.log(share / (1 - share)), 4000
    drawn = twins.ranking(
        range(reps), [eta] * reps, [deals] * reps, [1] * reps, seed=4, draws=draws
    )

    k = np.arange(deals + 1)
    best = binom.cdf(k, deals, share) ** reps
    worst = 1 - binom.sf(k, deals, share) ** reps
    for name, expected in (("best_rate", best), ("worst_rate", worst)):
        found = (drawn[name].to_numpy()[:, None] <= k / deals + 1e-9).mean(axis=0)
        assert_allclose(found, expected, atol=4.5 * math.sqrt(0.25 / draws))
    assert_allclose(drawn["spread"], drawn["best_rate"] - drawn["worst_rate"], atol=1e-12)


def plain_list(unit, eta, n, wins):
    """The figures of a list written out rep by rep; the common intercept by bisection."""
    total, shift = sum(wins), 0.0
    if 0 < total < sum(n):
        shift = brentq(
            lambda c: sum(m / (1 + math.exp(-c - e)) for m, e in zip(n, eta, strict=True)) - total,
            -60, 60, xtol=1e-13,
        )  # fmt: skip
    rates, flagged, distance = [], 0, 0.0
    for one in sorted(set(unit)):
        own = [i for i, name in enumerate(unit) if name == one and n[i] > 0]
        if not own:
            continue
        deals, won = sum(n[i] for i in own), sum(wins[i] for i in own)
        z, share = 1.959963984540054, won / deals
        half = z * math.sqrt(share * (1 - share) / deals + z * z / (4 * deals * deals))
        upper = (share + z * z / (2 * deals) + half) / (1 + z * z / deals)
        flagged += upper < total / sum(n)
        rates.append(share)
        if 0 < total < sum(n):
            expected = [1 / (1 + math.exp(-shift - eta[i])) for i in own]
            variance = sum(n[i] * p * (1 - p) for i, p in zip(own, expected, strict=True))
            excess = won - sum(n[i] * p for i, p in zip(own, expected, strict=True))
            distance += excess**2 / variance
    return {
        "best_rate": max(rates), "worst_rate": min(rates), "spread": max(rates) - min(rates),
        "n_flagged_low": flagged, "chi2": distance,
    }  # fmt: skip


def random_list(seed):
    """Cells of reps that differ, some without a deal, with offsets that differ widely."""
    rng = np.random.default_rng(seed)
    unit = rng.integers(0, 6, 25)
    n = rng.integers(0, 60, 25)
    eta = rng.normal(-1, 0.8, 25)
    return unit, eta, n, rng.binomial(n, 1 / (1 + np.exp(-eta - 0.8 * (unit - 3))))


@pytest.mark.parametrize("seed", range(8))
def test_ranking_figures_agree_with_a_plain_reading(seed):
    """
    Best, worst, spread, reps marked as low and chi-square, computed rep by rep.
    """
    cells = random_list(seed)

    found = twins.ranking_figures(*cells)

    assert found == pytest.approx(plain_list(*(part.tolist() for part in cells)), abs=1e-8)


@pytest.mark.parametrize("seed", range(2))
def test_ranking_agrees_with_plain_loops(seed):
    """
    Quantiles of each figure are those of lists drawn and read in loops, the intercept fitted to each.
    """
    unit, eta, n, wins = random_list(seed + 20)
    rng = np.random.default_rng(seed)
    share = 1 / (1 + np.exp(-eta))
    slow = pd.DataFrame(
        [
            plain_list(unit.tolist(), eta.tolist(), n.tolist(), rng.binomial(n, share).tolist())
            for _ in range(600)
        ]
    )

    fast = twins.ranking(unit, eta, n, wins, seed=seed, draws=6000)

    for name in slow:
        for level in (0.1, 0.5, 0.9):
            cut = slow[name].quantile(level)
            below = [(table[name] <= cut + 1e-9).mean() for table in (slow, fast)]
            assert below[0] == pytest.approx(below[1], abs=4 * math.sqrt(0.25 / 600))


def test_the_chi_square_of_equal_reps_is_a_chi_square():
    """
    With many deals each, its draws have the mean and the 95 % point of the distribution on reps - 1 degrees of freedom.
    """
    drawn = twins.ranking(range(30), [-1.0] * 30, [400] * 30, [100] * 30, seed=6, draws=4000)[
        "chi2"
    ]

    assert drawn.mean() == pytest.approx(29, abs=4 * math.sqrt(58 / 4000))
    assert (drawn > chi2.ppf(0.95, 29)).mean() == pytest.approx(0.05, abs=0.014)


def test_the_p_value_of_a_list_without_differences_is_uniform():
    """
    Over lists of equal reps the best has p <= x in about a share x of them.
    """
    p_values = []
    for run in range(250):
        wins = np.random.default_rng(run).binomial(60, 0.2, 15)
        cells = (range(15), [math.log(wins.sum() / (900 - wins.sum()))] * 15, [60] * 15, wins)
        drawn = twins.ranking(*cells, seed=run, draws=199)
        seen = twins.ranking_figures(*cells)["chi2"]
        p_values.append(twins.place(seen, drawn["chi2"], larger_is_claim=True).p_value)

    for level in (0.05, 0.2, 0.5, 0.8):
        error = math.sqrt(level * (1 - level) / 250)
        assert np.mean(np.array(p_values) <= level) == pytest.approx(level, abs=3.5 * error)


def test_case_mix_moves_the_twin():
    """
    A rep who was given the easy deals leads the twin's list too, although all are equally good.
    """
    unit, n = ["easy", "hard"], [200, 200]
    drawn = twins.ranking(unit, [0.0, -3.0], n, [100, 10], seed=1)

    assert drawn["best_rate"].median() == pytest.approx(0.5, abs=0.02)
    assert drawn["worst_rate"].median() == pytest.approx(0.047, abs=0.01)
    assert drawn["chi2"].mean() == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("won", [0, 1])
def test_a_list_on_which_all_or_none_are_won_departs_from_nothing(won):
    """
    Without a win, or without a deal not won, expected and seen agree: chi-square 0 and nobody marked.
    """
    found = twins.ranking_figures(["a", "b"], [-1.0, 1.0], [4, 6], [4 * won, 6 * won])

    assert found == {
        "best_rate": won, "worst_rate": won, "spread": 0, "n_flagged_low": 0, "chi2": 0
    }  # fmt: skip


def test_ranking_takes_no_notice_of_the_order_of_cells():
    """
    Cells in another order, and cells without deals, give the same draws to the last bit.
    """
    unit, eta, n, wins = random_list(4)
    order = np.random.default_rng(1).permutation(len(n))
    order = order[n[order] > 0]

    assert_frame_equal(
        twins.ranking(unit, eta, n, wins, seed=1, draws=50),
        twins.ranking(unit[order], eta[order], n[order], wins[order], seed=1, draws=50),
    )


def test_the_wins_seen_are_no_part_of_the_twin():
    """
    The twin knows the reps' deals and offsets, not who won what.
    """
    drawn = [
        twins.ranking(["a", "b"], [-1.0, -1.0], [30, 30], wins, seed=1)
        for wins in ([1, 14], [14, 1])
    ]

    assert_frame_equal(*drawn)


@pytest.mark.parametrize(
    ("seen", "larger", "p"),
    [
        (3.0, True, 3 / 5),  # 3 and 4 are as large
        (3.0, False, 4 / 5),  # 1, 2 and 3 are as small
        (3.0 + 1e-12, True, 3 / 5),  # rounding does not make a difference of equals
        (9.0, True, 1 / 5),
        (9.0, False, 1.0),
        (math.nan, True, math.nan),
    ],
)
def test_place_counts_the_twins_as_extreme_and_one(seen, larger, p):
    """
    p = (1 + twins at least as extreme, ties among them) / (twins + 1), in the direction of the claim.
    """
    place = twins.place(seen, [1, 2, 3, 4], larger_is_claim=larger)

    assert place.p_value == pytest.approx(p, nan_ok=True)
    assert place.median == 2.5


def test_place_gives_the_middle_95_per_cent():
    """
    Median and range are quantiles of the draws; draws without the figure do not count.
    """
    draws = [*range(1001), math.nan, math.nan]

    assert twins.place(0, draws, larger_is_claim=True)[:3] == pytest.approx((500, 25, 975))
    assert twins.place(0, draws, larger_is_claim=False).p_value == pytest.approx(2 / 1002)


def test_place_without_a_draw_says_nothing():
    """
    Where no twin has the figure all is NaN.
    """
    assert all(math.isnan(value) for value in twins.place(1, [math.nan], larger_is_claim=True))


EARLIER = {"age": [3, 9], "cause": [1, 0], "n": [5, 5], "follow_up_days": [4]}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"age": [3, -1]}, r"age must be whole numbers, 0 or more, but 1 of 2 .* position 1: -1"),
        ({"cause": [3, 0]}, r"cause must be whole numbers, 0 to 2, but 1 of 2 .* position 0: 3"),
        ({"n": [0, 0]}, "at least one earlier deal"),
        ({"n": [0.5, 1]}, r"n must be whole numbers"),
        ({"n": [1]}, "must have the same length, but have 2, 2 and 1"),
        ({"follow_up_days": []}, "at least one later deal"),
        ({"follow_up_days": [math.nan]}, r"follow_up_days must be .* position 0: nan"),
    ],
)
def test_before_after_refuses_what_cannot_be(changed, message):
    """
    Impossible ages, causes, counts and follow-ups are named with their place.
    """
    with pytest.raises(ValueError, match=message):
        twins.before_after(**EARLIER | changed, seed=1)


CELLS = {"unit": ["a", "b"], "eta": [0.0, 0.0], "n": [5, 5], "wins": [1, 2]}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"unit": ["a", None]}, r"unit must be given, but is not in 1 of 2 cells, .* position 1"),
        ({"eta": [0.0, math.inf]}, r"eta must be finite, but is not in 1 of 2 cells"),
        ({"wins": [6, 2]}, r"wins must lie between 0 and n, but .* position 0"),
        ({"n": [0, 0], "wins": [0, 0]}, "some unit must have a deal"),
        ({"n": [5]}, "must have the same length, but have 2, 2, 1 and 2"),
    ],
)
def test_ranking_refuses_what_cannot_be(changed, message):
    """
    Missing units, infinite offsets and impossible counts are named with their place.
    """
    with pytest.raises(ValueError, match=message):
        twins.ranking(**CELLS | changed, seed=1)
    with pytest.raises(ValueError, match=message):
        twins.ranking_figures(**CELLS | changed)
