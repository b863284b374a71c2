"""Comparisons: values of R, scipy and statsmodels, exact sums, hand-worked cases, size and coverage."""

from fractions import Fraction
from math import comb, exp, hypot, inf, log, sqrt
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.special import ndtr
from scipy.stats import ttest_ind
from scipy.stats.contingency import odds_ratio

from salesanalysis.statistics.comparisons import (
    Comparison,
    _ar1,
    clustered,
    combine,
    design_effect,
    interrupted,
    interrupted_rate,
    logrank,
    per_unit,
    rates,
    ratio_of_rates,
    shift,
)
from salesanalysis.statistics.proportions import difference, wilson

REFERENCE = Path(__file__).parents[1] / "reference"
SEEDS = range(8)
NAN = float("nan")


def allowed(share, runs):
    """Three Monte Carlo errors of a share seen in so many runs."""
    return 3 * sqrt(share * (1 - share) / runs)


# ---- log-rank


def leukaemia():
    """Remission times of both groups, as `logrank` takes them."""
    patients = pd.read_csv(REFERENCE / "freireich_data.csv")
    groups = (patients[patients["group"] == name] for name in ("6-MP", "placebo"))
    return [x for g in groups for x in (g["time"], g["event"], np.ones(len(g)))]


def test_logrank_equals_r_on_the_leukaemia_data():
    """16.79 on one degree of freedom, p 4.17e-5."""
    expected = pd.read_csv(REFERENCE / "freireich_tests_ref_R.csv", index_col="name")["value"]

    chi2, p_value = logrank(*leukaemia())

    assert_allclose(chi2, expected["logrank_chisq"], rtol=0, atol=1e-6)
    assert_allclose(p_value, expected["logrank_p"], rtol=1e-6)


def observed_less_expected(first, second):
    """Mantel's statistic in exact fractions, one day after the other."""
    gap, variance = Fraction(0), Fraction(0)
    for day in sorted({a for a, e in first + second if e}):
        n1, n2 = (sum(1 for a, _ in group if a >= day) for group in (first, second))
        d1, d2 = (sum(1 for a, e in group if a == day and e) for group in (first, second))
        n, d = n1 + n2, d1 + d2
        gap += d1 - Fraction(d * n1, n)
        if n > 1:
            variance += Fraction(d * n1 * n2 * (n - d), n * n * (n - 1))
    return float(gap**2 / variance)


@pytest.mark.parametrize("seed", SEEDS)
def test_logrank_agrees_with_the_formula_written_out(seed):
    """On random tied exits, given as counts, it is Mantel's statistic."""
    rng = np.random.default_rng(seed)
    sides = [(rng.integers(0, 8, 12), rng.random(12) < 0.6, rng.integers(0, 4, 12)) for _ in "ab"]
    by_case = [
        [(int(a), bool(e)) for a, e, n in zip(*side, strict=True) for _ in range(n)]
        for side in sides
    ]

    chi2, _ = logrank(*sides[0], *sides[1])

    assert_allclose(chi2, observed_less_expected(*by_case), rtol=1e-9)
    assert_allclose(logrank(*sides[1], *sides[0])[0], chi2, rtol=1e-9)


def test_logrank_of_what_tells_nothing_is_unknown():
    """An empty group, no event, events only while one group is at risk, and all leaving on one day give NaN."""
    nobody = ([], [], [])
    for first, second in [
        (nobody, ([3], [1], [2])),
        (([3], [0], [4]), ([5], [0], [4])),
        (([9], [1], [4]), ([5], [0], [4])),
        (([9], [1], [4]), ([9], [1], [3])),
    ]:
        assert np.isnan(logrank(*first, *second)).all()


def test_logrank_refuses_impossible_input():
    """Negative ages, parts of cases and lengths that differ are errors."""
    with pytest.raises(ValueError, match="age must be 0 or more days.*: -1"):
        logrank([-1], [1], [1], [2], [1], [1])
    with pytest.raises(ValueError, match="n must be whole numbers.*: 1.5"):
        logrank([1], [1], [1], [2], [1], [1.5])
    with pytest.raises(ValueError, match="same length"):
        logrank([1, 2], [1], [1], [2], [1], [1])


# ---- rates


def test_rates_equal_r():
    """Ratio, exact limits and p-value are those of R's poisson.test."""
    for row in pd.read_csv(REFERENCE / "poisson_rate_ratio_ref_R.csv").itertuples():
        found = rates(row.x1, row.t1, row.x2, row.t2)

        expected = [row.ratio, row.lower, row.upper, row.p]
        assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_rates_turn_with_the_groups():
    """Swapped, ratio and limits are the reciprocals, and the p-value is the same."""
    found, turned = rates(7, 50, 12, 40), rates(12, 40, 7, 50)

    assert_allclose([1 / turned.value, 1 / turned.high, 1 / turned.low], found[:3])
    assert_allclose(turned.p_value, found.p_value)


def test_rates_without_an_event_on_one_side():
    """None against 5 in equal time: 0, up to the odds at which 5 of 5 fall to the second in 2.5 %."""
    share = 0.025 ** (1 / 5)

    none = rates(0, 10, 5, 10)
    only = rates(5, 10, 0, 10)

    assert_allclose(none[:3], [0, 0, (1 - share) / share], atol=1e-12)
    assert_allclose(none.p_value, 2 * 0.5**5)
    assert only.value == only.high == inf
    assert_allclose(only.low, share / (1 - share))


def test_rates_of_nothing_are_unknown():
    """No event at all, no exposure and missing numbers give NaN."""
    for numbers in [(0, 10, 0, 10), (3, 0, 2, 5), (3, 5, 2, 0), (NAN, 5, 2, 5), (3, NAN, 2, 5)]:
        assert np.isnan(rates(*numbers)).all()


def test_more_confidence_widens_the_interval_of_rates():
    """A higher level gives wider limits and the same p-value."""
    wide, narrow = rates(8, 100, 25, 100), rates(8, 100, 25, 100, confidence=0.5)

    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high
    assert wide.p_value == narrow.p_value


def test_rates_refuse_impossible_input():
    """Parts of events, negative exposures and impossible levels are errors."""
    with pytest.raises(ValueError, match="whole numbers, 0 or more.* position 1: 2.5"):
        rates(1, 4, 2.5, 4)
    with pytest.raises(ValueError, match="exposure must be 0 or more.* position 0: -4"):
        rates(1, -4, 2, 4)
    with pytest.raises(ValueError, match="write 95 % as 0.95"):
        rates(1, 4, 2, 4, confidence=95)


def test_interval_of_rates_covers_at_least_its_level():
    """Given 18 events the interval holds every true ratio in 95 % or more, summed exactly."""
    found = [rates(x, 3, 18 - x, 1) for x in range(19)]

    for ratio in np.geomspace(0.05, 20, 40):
        share = 3 * ratio / (3 * ratio + 1)
        held = sum(
            comb(18, x) * share**x * (1 - share) ** (18 - x)
            for x, one in enumerate(found)
            if one.low <= ratio <= one.high
        )
        assert held >= 0.95


# ---- ratio of rates


def tails(a, b, c, d, odds):
    """Exact chance of a or fewer, and of a or more, in a table with these margins and odds ratio."""
    n1, n2, m = a + b, c + d, a + c
    support = range(max(0, m - n2), min(n1, m) + 1)
    weights = {x: comb(n1, x) * comb(n2, m - x) * odds**x for x in support}
    total = sum(weights.values())
    up_to = sum(w for x, w in weights.items() if x <= a)
    return up_to / total, (total - up_to + weights[a]) / total


def solved(tail, level):
    """Odds ratio at which an exact tail has a probability, by halving on the logarithm."""
    low, high = -30.0, 30.0
    rising = tail(exp(high)) > tail(exp(low))
    for _ in range(200):
        middle = (low + high) / 2
        if (tail(exp(middle)) < level) == rising:
            low = middle
        else:
            high = middle
    return exp(low)


def test_ratio_of_rates_equals_fishers_published_example():
    """
    Convictions of like-sex twins of criminals: 2 and 15 against 10 and 3.

    Fisher, JRSS 98 (1935), 39-82; limits as R's fisher.test prints them on this example of its
    documentation: two-sided 95 % (0.003325764, 0.363182271), one-sided 95 % upper limit
    0.2849601. R searches to 1e-4, so small limits are less exact than their digits.
    """
    two_sided = ratio_of_rates([15, 2, 3, 10], [1, 1, 1, 1])
    one_sided = ratio_of_rates([15, 2, 3, 10], [1, 1, 1, 1], confidence=0.9)

    assert_allclose(two_sided.low, 0.003325764, atol=1e-5)
    assert_allclose(two_sided.high, 0.363182271, rtol=1e-4)
    assert_allclose(one_sided.high, 0.2849601, rtol=1e-4)
    assert_allclose(two_sided.value, 2 * 3 / (15 * 10))
    assert_allclose(two_sided.p_value, 2 * 0.0004652, atol=1e-7)


@pytest.mark.parametrize("seed", SEEDS)
def test_ratio_of_rates_solves_the_exact_equations(seed):
    """At each limit one exact tail has 2.5 %; at no difference the smaller tail is half of p."""
    rng = np.random.default_rng(seed)
    before, after, control_before, control_after = rng.integers(2, 15, 4).tolist()
    exposure = rng.uniform(5, 60, 4)
    equal = exposure[1] * exposure[2] / (exposure[0] * exposure[3])
    table = after, before, control_after, control_before

    found = ratio_of_rates([before, after, control_before, control_after], exposure)

    low = solved(lambda odds: tails(*table, odds)[1], 0.025) / equal
    high = solved(lambda odds: tails(*table, odds)[0], 0.025) / equal
    change = (after / exposure[1]) / (before / exposure[0])
    control_change = (control_after / exposure[3]) / (control_before / exposure[2])
    assert_allclose(found.value, change / control_change, rtol=1e-12)
    assert_allclose([found.low, found.high], [low, high], rtol=1e-9)
    conditional = odds_ratio(np.reshape(table, (2, 2)), kind="conditional")
    scipys = conditional.confidence_interval()
    assert_allclose([found.low * equal, found.high * equal], scipys, rtol=1e-6)
    assert_allclose(found.p_value, min(1, 2 * min(tails(*table, equal))), rtol=1e-9)


def test_ratio_of_rates_turns_with_the_groups():
    """Treated and control swapped give reciprocals; a longer control period changes nothing but its rates."""
    found = ratio_of_rates([25, 8, 20, 21], [100, 100, 90, 90])
    turned = ratio_of_rates([20, 21, 25, 8], [90, 90, 100, 100])
    longer = ratio_of_rates([25, 8, 20, 21], [100, 100, 900, 900])

    assert_allclose([1 / turned.value, 1 / turned.high, 1 / turned.low], found[:3], rtol=1e-9)
    assert_allclose(turned.p_value, found.p_value)
    assert_allclose(longer, found)


def test_ratio_of_rates_of_thousands_is_the_normal_interval():
    """With many events the limits are those of the logarithm's usual standard error."""
    found = ratio_of_rates([2500, 800, 2000, 2100], [100, 100, 90, 90])

    half = 1.959964 * sqrt(1 / 2500 + 1 / 800 + 1 / 2000 + 1 / 2100)
    assert_allclose([log(found.value / found.low), log(found.high / found.value)], half, rtol=0.02)


def test_more_confidence_widens_the_interval_of_a_ratio_of_rates():
    """A higher level gives wider limits and the same p-value; at no level do they leave the ratio out."""
    levels = [ratio_of_rates([9, 4, 7, 8], [1, 1, 1, 1], confidence=c) for c in (0.01, 0.5, 0.95)]

    assert levels[2].low < levels[1].low < levels[0].low <= levels[0].value
    assert levels[0].value <= levels[0].high < levels[1].high < levels[2].high
    assert len({one.p_value for one in levels}) == 1


def test_ratio_of_rates_without_an_event_in_one_cell():
    """No treated event after the change gives 0 and a finite upper limit; none before, an open end."""
    none = ratio_of_rates([9, 0, 10, 10], [1, 1, 1, 1])
    only = ratio_of_rates([0, 9, 10, 10], [1, 1, 1, 1])

    assert none[:2] == (0, 0)
    assert 0 < none.high < 1
    assert only.value == only.high == inf
    assert_allclose(only.low, 1 / none.high, rtol=1e-6)


def test_ratio_of_rates_of_nothing_is_unknown():
    """A group or a period without an event, no exposure, or a missing number give NaN."""
    even = [1, 1, 1, 1]
    for events in ([0, 0, 3, 4], [3, 4, 0, 0], [0, 3, 0, 4], [3, 0, 4, 0], [3, NAN, 4, 5]):
        assert np.isnan(ratio_of_rates(events, even)).all()
    assert np.isnan(ratio_of_rates([3, 3, 3, 3], [1, 0, 1, 1])).all()


def test_ratio_of_rates_refuses_what_are_not_four():
    """Three numbers are an error, so is a level in per cent."""
    with pytest.raises(ValueError, match="4 numbers each, but have shapes"):
        ratio_of_rates([3, 3, 3], [1, 1, 1])
    with pytest.raises(ValueError, match="write 95 % as 0.95"):
        ratio_of_rates([3, 3, 3, 3], [1, 1, 1, 1], confidence=95)


def test_ratio_of_rates_covers_at_least_its_level_exactly():
    """Given 20 and 30 events of two groups, 24 of them after, every true ratio is held in 95 % or more."""
    exposure = [10, 8, 30, 40]
    equal = 8 * 30 / (10 * 40)
    support = range(21)
    found = [ratio_of_rates([20 - x, x, 6 + x, 24 - x], exposure) for x in support]

    for ratio in np.geomspace(0.05, 20, 25):
        weights = [comb(20, x) * comb(30, 24 - x) * (ratio * equal) ** x for x in support]
        held = sum(w for w, one in zip(weights, found, strict=True) if one.low <= ratio <= one.high)
        assert held / sum(weights) >= 0.95 - 1e-9


@pytest.mark.parametrize("ratio", [0.4, 1])
def test_ratio_of_rates_covers_the_truth_in_simulated_companies(ratio):
    """In 500 companies of 40 and 60 people, a quarter leaving a year, 95 % or more are held, and p agrees."""
    rng = np.random.default_rng(int(10 * ratio))
    exposure = np.array([40, 30, 60, 45])
    expected = exposure * 0.25 * np.array([1, 1.2 * ratio, 1, 1.2])

    found = [ratio_of_rates(rng.poisson(expected), exposure) for _ in range(500)]

    held = np.mean([one.low <= ratio <= one.high for one in found])
    assert held >= 0.95 - allowed(0.95, 500)
    for one in found:
        assert (one.p_value < 0.05) == (not one.low <= 1 <= one.high)


# ---- shift

SLEEP = (  # extra hours with two drugs; Student, Biometrika 6 (1908), 20, as in R's data set sleep
    [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
)


def test_shift_equals_r_on_students_sleep_data():
    """
    Welch's limits -0.2054832 and 3.3654832, Mann-Whitney p 0.06933.

    As printed in the documentation of R's t.test and by wilcox.test(exact = FALSE).
    """
    found = shift(*SLEEP)

    assert_allclose(found.mean_difference, 2.33 - 0.75)
    assert_allclose([found.low, found.high], [-0.2054832, 3.3654832], atol=5e-8)
    assert_allclose(found.p_value, 0.06933, atol=5e-6)
    differences = [b - a for a in SLEEP[0] for b in SLEEP[1]]
    assert_allclose(found.hodges_lehmann, median(differences))


@pytest.mark.shared
def test_shift_equals_r_on_the_ozone_data(shared):
    """52 values with ties: all five numbers are those of R, August less May."""
    folder = shared / "reference"
    data = pd.read_csv(folder / "airquality_twosample_data.csv")
    expected = pd.read_csv(folder / "airquality_twosample_ref_R.csv", index_col="name")["value"]
    may, august = (data.loc[data["grp"] == month, "ozone"] for month in ("May", "Aug"))

    found = shift(may, august)

    assert_allclose([found.low, found.high], -expected[["welch_hi", "welch_lo"]], atol=1e-6)
    assert_allclose(found.p_value, expected["p"], rtol=0, atol=1e-6)
    assert_allclose(found.hodges_lehmann, -expected["HL_shift"], rtol=0, atol=1e-3)
    assert_allclose(found.mean_difference, august.mean() - may.mean())


@pytest.mark.parametrize("seed", SEEDS)
def test_counts_of_answers_are_the_answers(seed):
    """Answers counted by score, in any order, give what the single answers give."""
    rng = np.random.default_rng(seed)
    n_first, n_second = rng.integers(0, 5, (2, 10))
    scores = np.arange(1, 11)
    turned = scores[::-1], n_second[::-1]

    found = shift(scores, turned[0], n_first=n_first, n_second=turned[1])

    first, second = np.repeat(scores, n_first), np.repeat(scores, n_second)
    one_by_one = shift(first, rng.permutation(second))
    assert_allclose(found, one_by_one, rtol=1e-12)
    assert_allclose(found.hodges_lehmann, np.median(np.subtract.outer(second, first)))
    welch = ttest_ind(second, first, equal_var=False).confidence_interval()
    assert_allclose([found.low, found.high], welch, rtol=1e-9)


def test_shift_turns_with_the_samples():
    """Swapped, differences change their sign and limits their place; the p-value stays."""
    found, turned = shift(*SLEEP), shift(*SLEEP[::-1])

    assert_allclose(turned[:4], np.negative([found[k] for k in (0, 2, 1, 3)]))
    assert turned.p_value == found.p_value


def test_an_even_number_of_differences_has_the_mean_of_the_middle_two():
    """Differences 1 2 4 5 of two and two values: 3."""
    assert shift([0, 1], [2, 5]).hodges_lehmann == 3


def test_shift_of_a_single_value_has_no_limits():
    """One answer has no variance; no answer has nothing."""
    single = shift([5, 6, 7], [9])

    assert single.mean_difference == single.hodges_lehmann == 3
    assert np.isnan([single.low, single.high]).all()
    assert np.isnan(shift([5, 6, 7], [])).all()
    assert np.isnan(shift([5, 6], [9], n_first=[0, 0])).all()


def test_shift_of_equal_values_has_no_width():
    """All 4 before, all 4 or all 5 after: the difference without width; p is 1 where nothing differs."""
    assert shift([4, 4, 4], [4, 4]) == (0, 0, 0, 0, 1)
    assert shift([0.1] * 3, [0.3] * 3)[:3] == pytest.approx((0.2, 0.2, 0.2))


def test_more_confidence_widens_the_interval_of_a_shift():
    """A higher level gives wider limits."""
    wide, narrow = shift(*SLEEP), shift(*SLEEP, confidence=0.5)

    assert wide.low < narrow.low < narrow.high < wide.high


def test_shift_refuses_what_are_no_answers():
    """A missing score, parts of answers and lengths that differ are errors."""
    with pytest.raises(ValueError, match="second must be finite numbers.*: nan"):
        shift([1, 2], [3, NAN])
    with pytest.raises(ValueError, match="n_first must be whole numbers.*: 0.5"):
        shift([1], [3], n_first=[0.5])
    with pytest.raises(ValueError, match="same length"):
        shift([1, 2], [3], n_first=[1])
    with pytest.raises(ValueError, match="write 95 % as 0.95"):
        shift([], [3], confidence=95)


# ---- treated against control


def test_combine_by_hand():
    """0.15 (0.05, 0.25) less 0.01 (-0.08, 0.10): 0.14 -/+ the root of 0.1² + 0.09²."""
    found = combine(Comparison(0.15, 0.05, 0.25, 0.01), Comparison(0.01, -0.08, 0.10, 0.9))

    assert_allclose(found[:3], [0.14, 0.14 - hypot(0.1, 0.09), 0.14 + hypot(0.1, 0.09)])
    assert np.isnan(found.p_value)


def test_combine_takes_each_end_from_its_side():
    """Of lopsided intervals the lower end has the treated's lower and the control's upper arm."""
    found = combine(Comparison(5, 2, 6, NAN), Comparison(1, 0.5, 5, NAN))

    assert_allclose(found[:3], [4, 4 - hypot(3, 4), 4 + hypot(1, 0.5)])


def test_combine_of_ratios_works_on_their_logarithms():
    """0.4 (0.2, 0.8) over 1.6 (0.8, 3.2): 0.25, with arms of ln 2 each."""
    found = combine(Comparison(0.4, 0.2, 0.8, NAN), Comparison(1.6, 0.8, 3.2, NAN), scale="ratio")

    factor = exp(sqrt(2) * log(2))
    assert_allclose(found[:3], [0.25, 0.25 / factor, 0.25 * factor])


def test_combine_of_an_open_or_unknown_change():
    """A ratio without upper end has none after; NaN stays NaN; another word is refused."""
    open_end = combine(Comparison(2, 1, inf, NAN), Comparison(1, 0.5, 2, NAN), scale="ratio")

    assert_allclose(open_end[:3], [2, exp(log(2) - hypot(log(2), log(2))), inf])
    assert np.isnan(combine(Comparison(*[NAN] * 4), Comparison(1, 0, 2, 1))).all()
    with pytest.raises(ValueError, match="scale must be .*but is 'log'"):
        combine(Comparison(1, 0, 2, 1), Comparison(1, 0, 2, 1), scale="log")


def test_difference_in_differences_of_shares_covers_the_truth():
    """In 2,000 companies whose treated rose 10 points more, MOVER twice holds 10 points in 95 %."""
    rng = np.random.default_rng(8)
    n, p = np.array([90, 60, 150, 100]), np.array([0.15, 0.30, 0.18, 0.23])
    k = rng.binomial(n, p, (2000, 4))
    low, high = wilson(k, n)
    rate = k / n

    changes = [
        difference(rate[:, i], low[:, i], high[:, i], rate[:, j], low[:, j], high[:, j])
        for i, j in ((0, 1), (2, 3))
    ]
    found = [
        combine(Comparison(*t, NAN), Comparison(*c, NAN))
        for t, c in zip(*(np.transpose(change) for change in changes), strict=True)
    ]

    held = np.mean([one.low <= 0.10 <= one.high for one in found])
    assert abs(held - 0.95) < allowed(0.95, 2000)


@pytest.mark.parametrize("seed", SEEDS)
def test_changes_per_unit_equal_welchs_test_in_scipy(seed):
    """Mean change, interval and p-value are Welch's on the units' changes."""
    rng = np.random.default_rng(seed)
    before, after = rng.random((2, 15))
    is_treated = np.arange(15) < 6

    found = per_unit(before, after, is_treated, confidence=0.9)

    change = after - before
    welch = ttest_ind(change[is_treated], change[~is_treated], equal_var=False)
    assert_allclose(found.value, change[is_treated].mean() - change[~is_treated].mean())
    assert_allclose([found.low, found.high], welch.confidence_interval(0.9))
    assert_allclose(found.p_value, welch.pvalue)


def test_units_without_a_figure_are_left_out():
    """A NaN before or after removes the unit only."""
    before, after = [0.1, 0.2, 0.3, 0.2, 0.1, NAN], [0.3, 0.3, NAN, 0.2, 0.2, 0.5]
    is_treated = [1, 1, 1, 0, 0, 0]

    found = per_unit(before, after, is_treated)

    known = [0, 1, 3, 4]
    assert found == per_unit(*(np.array(x)[known] for x in (before, after, is_treated)))


def test_too_few_units_have_no_interval():
    """A single unit on a side has a difference and nothing else; none has nothing."""
    single = per_unit([1, 1, 2], [3, 2, 4], [1, 0, 0])

    assert single.value == 0.5
    assert np.isnan(single[1:]).all()
    assert np.isnan(per_unit([1, 2], [2, 3], [0, 0])).all()


def test_changes_that_do_not_differ_have_no_test():
    """Each side changed by the same in all its units: no width and no p-value."""
    found = per_unit([1, 2, 1, 2], [3, 4, 2, 3], [1, 1, 0, 0])

    assert found[:3] == (1, 1, 1)
    assert np.isnan(found.p_value)


CELLS = {  # made-up means per unit and period; units 3 and 6 are there in one period only
    "y": [0.09, 0.24, 0.8, 0.58, 0.09, 0.43, 0.48, 0.16, 0.73, 0.11, 0.39, 0.52, 0.43, 0.59],
    "n": [6, 22, 22, 28, 23, 9, 10, 19, 19, 21, 26, 9, 28, 1],
    "unit": [0, 0, 1, 1, 2, 2, 3, 4, 4, 5, 5, 6, 7, 7],
    "is_treated": [1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
    "is_after": [0, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 0, 1],
}


def test_clustered_equals_statsmodels():
    """
    Value, limits and p-value are those of a weighted regression clustered by unit.

    statsmodels 0.15.0: WLS(y, X, weights=n).fit(cov_type="cluster", use_t=True).
    """
    found = clustered(**CELLS)

    expected = [-0.20689750999213938, -0.8520065880381796, 0.4382115680539008, 0.472981760079026]
    assert_allclose(found, expected, rtol=1e-9)


def test_clustered_value_is_the_difference_of_differences():
    """It is what the plain means over all cases give."""
    cells = pd.DataFrame(CELLS)
    sums = cells.assign(sum=cells["y"] * cells["n"]).groupby(["is_treated", "is_after"]).sum()
    mean = sums["sum"] / sums["n"]

    found = clustered(**CELLS)

    assert_allclose(found.value, mean[1, 1] - mean[1, 0] - (mean[0, 1] - mean[0, 0]))


def test_order_names_and_empty_rows_do_not_matter():
    """Rows in another order, units with names, and rows without cases or value change nothing."""
    cells = pd.DataFrame(CELLS).astype({"y": float, "n": float})
    named = cells.assign(unit="rep " + cells["unit"].astype(str)).iloc[::-1]
    empty = pd.DataFrame(
        {"y": [0.5, NAN], "n": [0, 4], "unit": "rep 9", "is_treated": 1, "is_after": [0, 1]}
    )

    found = clustered(**pd.concat([named, empty]).to_dict("series"))

    assert_allclose(found, clustered(**CELLS), rtol=1e-12)


def test_clustered_without_enough_to_compare_is_unknown():
    """No cell of a group in a period gives NaN; one unit in a group, or nothing left to vary, no limits."""
    cells = pd.DataFrame(CELLS)
    no_before = cells[(cells["is_treated"] == 0) | (cells["is_after"] == 1)]
    one_unit = cells[(cells["is_treated"] == 0) | (cells["unit"] == 1)]
    exact = cells.assign(y=0.2 + 0.1 * cells["is_after"] * cells["is_treated"])
    four = cells[cells["unit"].isin([3, 6])]

    assert np.isnan(clustered(**no_before.to_dict("series"))).all()
    assert np.isnan(clustered(**four.to_dict("series"))).all()
    for table in (one_unit, exact):
        found = clustered(**table.to_dict("series"))
        assert np.isfinite(found.value)
        assert np.isnan(found[1:]).all()


def test_clustered_refuses_units_that_cannot_be_clustered():
    """A unit in both groups, a missing unit and a negative number are errors."""
    with pytest.raises(ValueError, match="in one group, but 1 are in both, the first is a"):
        clustered([1, 2], [1, 1], [0, 1], [0, 1], ["a", "a"])
    with pytest.raises(ValueError, match="unit must be given in every row"):
        clustered([1, 2], [1, 1], [0, 1], [0, 1], ["a", None])
    with pytest.raises(ValueError, match="n must be 0 or more.*: -1"):
        clustered([1, 2], [-1, 1], [0, 1], [0, 1], ["a", "b"])


def test_clustered_holds_its_level_where_deals_of_a_rep_are_alike():
    """40 reps whose rates drift by themselves: false in 5 % of 500, where the plain z-test is in over 10 %."""
    rng = np.random.default_rng(5)
    unit, is_after = np.repeat(np.arange(40), 2), np.tile([0, 1], 40)
    is_treated = unit < 20
    rejected = np.zeros(2)
    for _ in range(500):
        n = rng.integers(20, 60, 80)
        p = 1 / (1 + np.exp(1.5 - rng.normal(0, 0.45, 80)))
        y = rng.binomial(n, p) / n

        found = clustered(y, n, is_treated, is_after, unit)

        share = y @ n / n.sum()
        cells = [n[(is_treated == t) & (is_after == a)].sum() for t in (0, 1) for a in (0, 1)]
        plain = abs(found.value) / sqrt(share * (1 - share) * sum(1 / c for c in cells))
        rejected += [found.p_value < 0.05, plain > 1.96]

    assert abs(rejected[0] / 500 - 0.05) < allowed(0.05, 500)
    assert rejected[1] / 500 > 0.1


# ---- interrupted series


def autoregressive(rho, length, rng, runs):
    """Series in which a share rho of each value goes on to the next."""
    series = rng.normal(size=(length + 50, runs))
    for now in range(1, length + 50):
        series[now] += rho * series[now - 1]
    return series[50:].T


@pytest.mark.parametrize("length", [18, 24, 36])
@pytest.mark.parametrize("rho", [0, 0.4, 0.6])
def test_interruptions_are_seen_as_often_as_simulated_if_there_is_none(length, rho):
    """False positives of 500 trending series within 3 Monte Carlo errors of the table."""
    table = pd.read_csv(REFERENCE / "sim_its_bootstrap.csv").set_index(["T", "rho"])
    expected = table.loc[(length, rho), "parametric_boot_reject"]
    error = sqrt(expected * (1 - expected) * (1 / 400 + 1 / 500))
    is_after = np.arange(length) >= max(12, length // 2)
    noise = autoregressive(rho, length, np.random.default_rng([length, int(10 * rho)]), 500)

    found = [
        interrupted(5 + 0.1 * np.arange(length) + y, is_after, seed=run)
        for run, y in enumerate(noise)
    ]

    assert abs(np.mean([one.p_value <= 0.05 for one in found]) - expected) < 3 * error
    for one in found:
        assert (one.p_value > 0.05) == (one.low <= 0 <= one.high)


def test_difference_to_a_control_series_keeps_its_level():
    """Treated less control, which share their months: false in the share of the table at rho 0.6."""
    table = pd.read_csv(REFERENCE / "sim_its_bootstrap.csv").set_index(["T", "rho"])
    expected = table.loc[(24, 0.6), "control_diff_ols_reject"]
    rng = np.random.default_rng(3)
    months = autoregressive(0.6, 24, rng, 500)
    treated, control = months + rng.normal(size=(2, 500, 24)) / 3

    found = [
        interrupted(y, np.arange(24) >= 12, seed=run).p_value
        for run, y in enumerate(treated - control)
    ]

    error = sqrt(expected * (1 - expected) * (1 / 400 + 1 / 500))
    assert abs(np.mean(np.array(found) <= 0.05) - expected) < 3 * error


SERIES = (
    5 + 0.1 * np.arange(20) + 2 * (np.arange(20) >= 14) + np.tile([0.2, -0.1, 0.1, -0.3, 0.1], 4)
)


def test_interruption_equals_statsmodels():
    """
    The change of level is that of least squares on 1, time and after: 2.1299, t 13.99.

    statsmodels 0.15.0, OLS. No simulated t is that large, so p is 1/400.
    """
    found = interrupted(SERIES, np.arange(20) >= 14, seed=1)

    assert_allclose(found.value, 2.129931972789115, rtol=1e-12)
    assert found.p_value == 1 / 400


@pytest.mark.parametrize("seed", range(4))
def test_interruption_agrees_with_a_plain_bootstrap(seed):
    """p-value and limits are those of series drawn and fitted one by one, within Monte Carlo error."""
    rng = np.random.default_rng(seed)
    is_after = np.arange(20) >= 13
    y = autoregressive(0.3, 20, rng, 1)[0] + 1.0 * is_after
    design = np.column_stack([np.ones(20), np.arange(20), is_after])

    def fitted(values):
        slopes, squares, *_ = np.linalg.lstsq(design, values)
        error = sqrt(squares[0] / 17 * np.linalg.inv(design.T @ design)[2, 2])
        return slopes[2], error, values - design @ slopes

    value, error, residual = fitted(y)
    lag1 = sum(a * b for a, b in zip(residual[1:], residual[:-1], strict=True)) / sum(residual**2)
    rho = min(max(lag1 + (2 + 0.5 * (1 + 3 * lag1)) / 20, -0.5), 0.9)
    null = []
    for _ in range(3000):
        series, level = [], 0.0
        for shock in rng.normal(size=50):
            level = rho * level + shock
            series.append(level)
        slope, spread, _ = fitted(np.array(series[30:]))
        null.append(abs(slope) / spread)

    found = interrupted(y, is_after, seed=seed, draws=7999)

    share = np.mean(np.array(null) >= abs(value) / error)
    assert_allclose(found.rho, rho, rtol=1e-9)
    assert abs(found.p_value - share) < 3 * sqrt(share * (1 - share) * (1 / 3000 + 1 / 8000))
    assert_allclose(found.value, value)
    assert_allclose(found.high - found.value, np.quantile(null, 0.95) * error, rtol=0.07)
    assert_allclose(found.value - found.low, found.high - found.value)


def test_simulated_series_have_forgotten_their_start():
    """The first simulated month varies as every other: 1 / (1 - rho²) of its shocks."""
    series = _ar1(0.8, 20_000, 3, seed=1)

    assert series.shape == (20_000, 3)
    assert_allclose(series.var(axis=0), 1 / (1 - 0.8**2), rtol=0.04)
    assert_allclose(np.corrcoef(series.T)[0, 1], 0.8, atol=0.02)


@pytest.mark.parametrize(("series", "rho"), [([1, -1] * 12, -0.5), (np.arange(24) ** 2, 0.9)])
def test_rho_keeps_within_its_bounds(series, rho):
    """Months that alternate have rho -0.5, a smooth curve 0.9, at most."""
    assert interrupted(series, np.arange(24) >= 12, seed=1).rho == rho


def test_interruption_does_not_depend_on_the_unit():
    """In thousands, and from another level and trend, the test is the same."""
    is_after = np.arange(20) >= 14
    found = interrupted(SERIES, is_after, seed=1)
    other = interrupted(1000 * SERIES + 7000 - 300 * np.arange(20), is_after, seed=1)

    assert_allclose(np.divide(other[:3], 1000), found[:3], rtol=1e-9)
    assert other.p_value == found.p_value
    assert_allclose(other.rho, found.rho)


def test_an_interruption_needs_twelve_months_before():
    """Eleven months before, none after, or a missing month leave it unknown."""
    gap = SERIES.copy()
    gap[3] = NAN

    assert np.isfinite(interrupted(SERIES, np.arange(20) >= 12, seed=1)).all()
    assert np.isnan(interrupted(SERIES, np.arange(20) >= 11, seed=1)).all()
    assert np.isnan(interrupted(SERIES, np.arange(20) >= 20, seed=1)).all()
    assert np.isnan(interrupted(gap, np.arange(20) >= 14, seed=1)).all()


def test_a_line_without_rest_has_no_test():
    """Months that lie on the line exactly give the value and no chance to judge it."""
    is_after = np.arange(20) >= 14

    found = interrupted(5 + 0.1 * np.arange(20) + 2 * is_after, is_after, seed=1)

    assert_allclose(found.value, 2)
    assert np.isnan(found[1:]).all()


def test_small_noise_on_a_high_level_is_not_taken_for_rounding():
    """A series around a million that moves by thousandths is judged as one that moves by units."""
    noise = np.random.default_rng(2).normal(size=20)
    is_after = np.arange(20) >= 14

    found = interrupted(1e6 + 1e-3 * noise, is_after, seed=1)

    assert found.p_value == interrupted(noise, is_after, seed=1).p_value


def test_more_confidence_widens_the_interval_of_an_interruption():
    """A higher level gives wider limits."""
    wide, narrow = (
        interrupted(SERIES, np.arange(20) >= 14, seed=1, confidence=c) for c in (0.95, 0.5)
    )

    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


def test_interruption_repeats_with_its_seed():
    """The same seed gives the same, another seed another interval."""
    first, again, other = (interrupted(SERIES, np.arange(20) >= 14, seed=s) for s in (1, 1, 2))

    assert first == again != other


def test_interruption_refuses_what_is_no_interruption():
    """A change that is undone, lengths that differ and too few draws are errors."""
    with pytest.raises(ValueError, match="turns false at position 15; sort the rows by date"):
        interrupted(SERIES, (np.arange(20) >= 12) & (np.arange(20) < 15), seed=1)
    with pytest.raises(ValueError, match="same length"):
        interrupted(SERIES, np.arange(19) >= 12, seed=1)
    with pytest.raises(ValueError, match="draws must be at least 99 for a confidence of 0.99"):
        interrupted(SERIES, np.arange(20) >= 14, seed=1, draws=50, confidence=0.99)


EVENTS = [20, 24, 19, 22, 23, 18, 21, 22, 20, 23, 19, 24, 21, 11, 9, 12, 10, 11]
EXPOSURE = [10, 10, 10, 12] + [10] * 14


def test_interrupted_rate_equals_statsmodels():
    """
    The factor is that of a quasi-Poisson regression with the exposure as offset: exp(-0.7262).

    statsmodels 0.15.0, GLM(Poisson, offset=log(exposure)).fit(scale="X2"): standard error
    0.0926085; rho from its Pearson residuals.
    """
    found = interrupted_rate(EVENTS, EXPOSURE, np.arange(18) >= 13, seed=1)

    assert_allclose(found.value, exp(-0.7262259242880437), rtol=1e-9)
    assert found.p_value == 1 / 400
    residual = np.array(
        [
            -0.0594170354,
            0.8035138782,
            -0.3269236776,
            -0.5439435108,
            0.5069957303,
            -0.6142672426,
            0.0196608952,
            0.2139393166,
            -0.2455708999,
            0.382113957,
            -0.5085457878,
            0.5480412654,
            -0.1233826908,
            0.1574647591,
            -0.4756971026,
            0.4301005142,
            -0.2006616781,
            0.0884361673,
        ]
    )
    lag1 = residual[1:] @ residual[:-1] / (residual @ residual)
    assert_allclose(found.rho, max(lag1 + (2 + 0.5 * (1 + 3 * lag1)) / 18, -0.5), rtol=1e-8)


def test_interrupted_rate_has_the_limits_of_a_plain_bootstrap():
    """
    The half-width is the error times the 95 % quantile of |t| of series of the same kind.

    Coefficients and error of statsmodels as above; series and fits one by one.
    """
    is_after = np.arange(18) >= 13
    found = interrupted_rate(EVENTS, EXPOSURE, is_after, seed=1, draws=7999)
    line = np.column_stack([np.ones(18), np.arange(18), is_after])
    slopes = [0.7064331358676251, 0.005202308845717733, -0.7262259242880437]
    design = line * np.sqrt(EXPOSURE * np.exp(line @ slopes))[:, None]
    error_of_one = sqrt(np.linalg.inv(design.T @ design)[2, 2] / 15)

    null = []
    for series in autoregressive(found.rho, 18, np.random.default_rng(4), 3000):
        fitted, squares, *_ = np.linalg.lstsq(design, series)
        null.append(abs(fitted[2]) / (error_of_one * sqrt(squares[0])))

    half = np.quantile(null, 0.95) * 0.092608543603629
    assert_allclose(log(found.high / found.value), half, rtol=0.07)
    assert_allclose(log(found.value / found.low), log(found.high / found.value))


@pytest.mark.parametrize("rho", [0, 0.4])
def test_interrupted_rate_keeps_its_level_nearly(rho):
    """
    Of 500 series of counts, overdispersed and carried over, about as many are false as of plain series.

    The table's series are of numbers, so its 24 months serve as the nearest figures.
    """
    table = pd.read_csv(REFERENCE / "sim_its_bootstrap.csv").set_index(["T", "rho"])
    expected = table.loc[(24, rho), "parametric_boot_reject"]
    rng = np.random.default_rng(int(10 * rho) + 1)
    mean = 40 * np.exp(0.15 * autoregressive(rho, 24, rng, 500) - 0.01 * np.arange(24))
    events = rng.poisson(mean)

    found = [
        interrupted_rate(y, np.ones(24), np.arange(24) >= 12, seed=run)
        for run, y in enumerate(events)
    ]

    error = sqrt(expected * (1 - expected) * (1 / 400 + 1 / 500))
    assert abs(np.mean([one.p_value <= 0.05 for one in found]) - expected) < 3 * error
    for one in found:
        assert (one.p_value > 0.05) == (one.low <= 1 <= one.high)


def test_interrupted_rate_knows_the_exposure():
    """Twice the months' people and events is the same rate; half the people, twice the rate."""
    is_after = np.arange(18) >= 13
    people = np.where(is_after, 5, 10)

    found = interrupted_rate(EVENTS, people, is_after, seed=1)

    even = interrupted_rate(EVENTS, [10] * 18, is_after, seed=1)
    assert_allclose(found.value, 2 * even.value, rtol=1e-9)


def test_interrupted_rate_without_events_is_unknown():
    """No event after, none before, too short, or a missing number: NaN."""
    is_after = np.arange(18) >= 13
    for events in (
        np.where(is_after, 0, EVENTS),
        np.where(is_after, EVENTS, 0),
        [NAN, *EVENTS[1:]],
    ):
        assert np.isnan(interrupted_rate(events, EXPOSURE, is_after, seed=1)).all()
    assert np.isnan(interrupted_rate(EVENTS, EXPOSURE, np.arange(18) >= 11, seed=1)).all()
    assert np.isnan(interrupted_rate(EVENTS, [NAN, *EXPOSURE[1:]], is_after, seed=1)).all()


def test_interrupted_rate_with_few_events_does_not_fail():
    """A count or two in all gives a result or NaN, never an error."""
    for seed in range(200):
        events = np.random.default_rng(seed).poisson(0.15, 18)
        found = interrupted_rate(events, np.ones(18), np.arange(18) >= 13, seed=1)
        assert np.isnan(found).all() or found.value > 0


def test_counts_that_follow_the_line_exactly_have_no_test():
    """The same count every month: no change and no chance to judge it."""
    found = interrupted_rate([7] * 18, [1] * 18, np.arange(18) >= 13, seed=1)

    assert_allclose(found.value, 1)
    assert np.isnan(found[1:]).all()


def test_interrupted_rate_refuses_impossible_input():
    """Negative counts and exposures of 0 are errors."""
    with pytest.raises(ValueError, match="events must be 0 or more.*: -1"):
        interrupted_rate([-1, *EVENTS[1:]], EXPOSURE, np.arange(18) >= 13, seed=1)
    with pytest.raises(ValueError, match="exposure must be above 0.*: 0"):
        interrupted_rate(EVENTS, [0, *EXPOSURE[1:]], np.arange(18) >= 13, seed=1)


# ---- design effect


@pytest.mark.parametrize(("deals", "covered"), [(30, 0.88), (150, 0.68)])
def test_design_effect_explains_the_coverage_that_was_found(deals, covered):
    """At a correlation of 0.019 nominal 95 % is 88 % with 30 deals a rep and 68 % with 150."""
    tau = sqrt(0.019 / (0.25 * 0.75))

    found = design_effect([deals] * 20, tau, 0.25)

    assert_allclose(found, 1 + (deals - 1) * 0.019)
    assert_allclose(2 * ndtr(1.959964 / sqrt(found)) - 1, covered, atol=0.005)


def test_design_effect_of_unequal_units_by_hand():
    """10 and 30 deals: 1000 / 40 = 25 of a size, so 1 + 24 x 0.04 x 0.16."""
    assert_allclose(design_effect([10, 30, 0], 0.2, 0.2), 1 + 24 * 0.04 * 0.16)


def test_design_effect_is_never_below_one():
    """Single deals, half deals, no deals and equal reps: 1."""
    for n, tau in (([1, 1], 0.5), ([0.5, 0.4], 0.5), ([], 0.5), ([9, 9], 0)):
        assert design_effect(n, tau, 0.2) == 1


def test_design_effect_refuses_impossible_input():
    """Negative numbers and a rate in per cent are errors."""
    with pytest.raises(ValueError, match="n_per_unit must be 0 or more"):
        design_effect([-1], 0.2, 0.2)
    with pytest.raises(ValueError, match="rate between 0 and 1, but they are 0.2 and 20"):
        design_effect([1], 0.2, 20)
