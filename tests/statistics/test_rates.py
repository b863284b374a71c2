"""Rates, sums, means and medians: against R's values, exact coverage and formulas by hand."""

from math import comb, exp, factorial, log
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import t as student

from salesanalysis.statistics.rates import (
    are_of_amounts,
    mean,
    mean_and_error,
    median,
    poisson_rate,
    weighted_sum,
)

REFERENCE = Path(__file__).parents[1] / "reference"
NAN = float("nan")


def test_poisson_rate_equals_r():
    """Rates per exposure and their limits are those of R, for no event too."""
    expected = pd.read_csv(REFERENCE / "poisson_rate_exact_ref_R.csv")

    rate, low, high = poisson_rate(expected["x"], expected["t"])

    assert_allclose(rate, expected["x"] / expected["t"], rtol=0, atol=1e-15)
    assert_allclose(low, expected["lower"], rtol=0, atol=1e-9)
    assert_allclose(high, expected["upper"], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("events", "low", "high"), [(0, 0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.39)]
)
def test_poisson_rate_equals_the_printed_limits(events, low, high):
    """Limits of a count as printed in Garwood's table and every one since."""
    found = poisson_rate(events, 1)

    assert_allclose(found[1:], [low, high], atol=5e-4)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95])
def test_poisson_limits_leave_half_the_rest_on_each_side(confidence):
    """At its lower limit as many events or more have the tail's probability; so at the upper, or fewer."""
    _, low, high = (float(x) for x in poisson_rate(7, 1, confidence=confidence))

    def at_most(k, expected):
        return sum(exp(-expected) * expected**j / factorial(j) for j in range(k + 1))

    assert_allclose(1 - at_most(6, low), (1 - confidence) / 2, atol=1e-12)
    assert_allclose(at_most(7, high), (1 - confidence) / 2, atol=1e-12)


def test_poisson_interval_covers_at_least_its_level():
    """Summed over all counts the coverage is never below 95 %, whatever the true rate."""
    counts = np.arange(200)
    _, low, high = poisson_rate(counts, 1)
    log_factorial = np.append(0, np.log(counts[1:]).cumsum())

    for true in np.linspace(0.05, 60, 240):
        probability = np.exp(counts * log(true) - true - log_factorial)
        coverage = probability[(low <= true) & (true <= high)].sum()
        assert coverage >= 0.95


def test_poisson_rate_without_exposure_is_unknown():
    """No exposure, or a missing count, gives no rate, never 0."""
    found = poisson_rate([0, np.nan, 3], [0, 5, np.nan])

    assert np.isnan(found).all()


def test_poisson_limits_enclose_the_rate_at_any_level():
    """Even at a level so low that the exact limits would lie to one side."""
    events = np.arange(30)

    rate, low, high = poisson_rate(events, 4, confidence=0.01)

    assert ((low <= rate) & (rate <= high)).all()


def test_poisson_rate_refuses_impossible_input():
    """Parts of events, negative numbers and impossible levels are errors."""
    with pytest.raises(ValueError, match="whole numbers, 0 or more, .*1 of 2 places.* 1: 2.5"):
        poisson_rate([1, 2.5], 4)
    with pytest.raises(ValueError, match="events must be whole .* position 0: -1"):
        poisson_rate(-1, 4)
    with pytest.raises(ValueError, match="exposure must be 0 or more.* position 1: -3"):
        poisson_rate([1, 1], [4, -3])
    with pytest.raises(ValueError, match="write 95 % as 0.95"):
        poisson_rate(1, 4, confidence=95)


def test_weighted_sum_equals_the_published_example():
    """
    Down's syndrome, Michigan 1950-1964, birth order 5 and above: 75.529 (67.702, 188.300).

    Data of table 14.4 in Fleiss, Statistical Methods for Rates and Proportions (1981), the
    example of Fay and Feuer 1997; limits as R's package dsrTest 1.0.0 prints them.
    """
    cases = np.array([0, 8, 63, 112, 262, 295])
    births = np.array([327, 30666, 123419, 149919, 104088, 34392])
    standard = np.array([319933, 931318, 786511, 488235, 237863, 61313])
    weight = 1e5 * standard / births / standard.sum()

    low, high = weighted_sum(weight @ cases, weight**2 @ cases, largest=weight.max())

    assert_allclose(weight @ cases, 75.52901, atol=5e-6)
    assert_allclose([low, high], [67.70212, 188.30017], atol=5e-6)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_weighted_sum_of_ones_is_the_exact_interval(confidence):
    """Where every amount is 1 the limits are Garwood's, and scale with the unit of money."""
    events = np.arange(40)
    _, *expected = poisson_rate(events, 1, confidence=confidence)

    ones = weighted_sum(events, events, largest=1, confidence=confidence)
    thousands = weighted_sum(1000 * events, 1e6 * events, largest=1000, confidence=confidence)

    assert_allclose(ones, expected, rtol=1e-12)
    assert_allclose(thousands, np.multiply(1000, expected), rtol=1e-12)


def test_weighted_sum_of_nothing_rests_on_the_largest_amount():
    """Without events low is 0 and high the largest amount times ln(2 / (1 - level))."""
    low, high = weighted_sum([0, 0, 50], [0, 0, 1300], largest=[30, np.nan, np.nan])

    assert_array_equal(low[:2], 0)
    assert_allclose(high[0], -30 * log(0.025))
    assert np.isnan(high[1:]).all()
    assert 0 < low[2] < 50


def test_weighted_sum_of_missing_sums_is_unknown():
    """A missing sum has no limits."""
    assert np.isnan(weighted_sum([np.nan, 50], [3, np.nan], largest=60)).all()


def test_weighted_sum_covers_at_least_its_level():
    """Over 20 000 units with about 6 deals of very unequal size 95 % or more of sums are covered."""
    rng = np.random.default_rng(11)
    amounts = np.array([1, 2, 3, 5, 8, 40])
    counts = rng.poisson(1, (20_000, 6))

    low, high = weighted_sum(counts @ amounts, counts @ amounts**2, largest=40)

    above, below = np.mean(low > 59), np.mean(high < 59)
    error = np.sqrt(0.025 * 0.975 / 20_000)
    assert above < 0.025 + 3 * error
    assert below < 0.025 + 3 * error
    assert above > 0.005  # nor is it so wide that it says nothing


def test_weighted_sum_encloses_the_sum_at_any_level():
    """low <= total <= high, also for a single large deal and at a low level."""
    total = np.array([0, 5, 60, 1e6])
    squares = np.array([0, 25, 1400, 1e12])

    for confidence in (0.01, 0.5, 0.95, 0.999):
        low, high = weighted_sum(total, squares, largest=1e6, confidence=confidence)
        assert ((low >= 0) & (low <= total) & (total <= high)).all()


@pytest.mark.parametrize(
    ("amounts", "largest"),
    [([100, -60], 100), ([-5], 9), ([5, -5], 5), ([100, 100, -50], 100), ([60, 50], 20)],
)
def test_weighted_sum_of_negative_amounts_is_unknown(amounts, largest):
    """With refunds among the amounts, or one above the largest, there is no interval."""
    _, total, squares = sums(amounts)

    assert np.isnan(weighted_sum([total, total], squares, largest=largest)).all()


def test_sums_of_amounts_are_told_from_others():
    """Amounts of 0 or more have a sum of 0 or more and squares of at most its square."""
    found = are_of_amounts(np.array([0, 6, 40, -5, NAN]), np.array([0, 14, 13_600, 25, 25]))

    assert found.tolist() == [True, True, False, False, False]


def test_weighted_sum_with_a_negative_largest_has_no_upper_limit():
    """The largest of a team with refunds only says nothing of a unit without events."""
    low, high = weighted_sum(0, 0, largest=-5)

    assert low == 0
    assert np.isnan(high)


def test_weighted_sum_refuses_sums_no_amounts_have():
    """Squares below 0, or of 0 under a sum that is not 0, are errors, and so is a level of 95."""
    with pytest.raises(ValueError, match="this fails in 1 of 2 places, first at position 1: 0, 5"):
        weighted_sum([5, 5], [25, 0], largest=9)
    with pytest.raises(ValueError, match="sum_of_squares must be above 0 .* 0: -1, 0"):
        weighted_sum(0, -1, largest=9)
    with pytest.raises(ValueError, match="write 95 % as 0.95"):
        weighted_sum(5, 25, largest=9, confidence=95)


def sums(values):
    """Number, sum and sum of squares of some values."""
    values = np.asarray(values, dtype=float)
    return len(values), values.sum(), (values**2).sum()


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_mean_equals_students_interval(confidence):
    """From sums alone, the limits are those scipy finds from the values."""
    values = np.random.default_rng(3).normal(40, 12, 17)
    error = values.std(ddof=1) / np.sqrt(17)

    found = mean(*sums(values), confidence=confidence)

    assert_allclose(found[0], values.mean())
    assert_allclose(found[1:], student.interval(confidence, 16, values.mean(), error), rtol=1e-9)
    assert_allclose(mean_and_error(*sums(values)), [values.mean(), error], rtol=1e-9)


def test_mean_of_students_sleep_data():
    """Extra hours of sleep of ten patients, Student 1908: mean 2.33, 95 % 0.9 to 3.76 by table t 2.262."""
    values = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]

    found = mean(*sums(values))

    assert_allclose(found, [2.33, 2.33 - 2.262 * 0.6331, 2.33 + 2.262 * 0.6331], atol=1e-3)


def test_mean_covers_its_level():
    """Of 20 000 intervals of 5 normal values 95 % hold the true mean."""
    values = np.random.default_rng(5).normal(30, 8, (20_000, 5))

    _, low, high = mean(5, values.sum(axis=1), (values**2).sum(axis=1))

    covered = np.mean((low <= 30) & (high >= 30))
    assert abs(covered - 0.95) < 3 * np.sqrt(0.05 * 0.95 / 20_000)


def test_mean_of_few_values():
    """No values give no mean, one gives a mean without limits, equal ones an interval of no width."""
    centre, low, high = mean([0, 1, 3, np.nan], [0, 5, 0.3, 1], [0, 25, 0.03, 1])

    assert_allclose(centre, [np.nan, 5, 0.1, np.nan])
    assert_allclose(low, [np.nan, np.nan, 0.1, np.nan], atol=1e-8)
    assert_allclose(high, [np.nan, np.nan, 0.1, np.nan], atol=1e-8)


def test_mean_of_equal_values_survives_rounding():
    """Seven times .7 in floating point has squares that sum to a little too little: still no width."""
    n, total, squares = sums([0.7] * 7)
    assert squares < total * (total / n)

    assert_allclose(mean(n, total, squares), [0.7, 0.7, 0.7])


def test_mean_refuses_sums_no_values_have():
    """Squares that sum to too little, sums of nothing and broken counts are errors."""
    with pytest.raises(ValueError, match="at least total squared over n, .* 0: 11, 6, 3"):
        mean(3, 6, 11)
    with pytest.raises(ValueError, match="this fails in 1 of 2 places, first at position 1"):
        mean([2, 0], [3, 3], [5, 9])
    with pytest.raises(ValueError, match="n must be a whole number, 0 or more, .* 0: 1.5"):
        mean(1.5, 3, 9)


@pytest.mark.parametrize(
    ("n", "first", "coverage"),
    [(6, 1, 0.969), (8, 1, 0.992), (10, 2, 0.979), (15, 4, 0.965), (20, 6, 0.959), (25, 8, 0.957)],
)
def test_median_limits_are_the_order_statistics_of_the_tables(n, first, coverage):
    """The position from both ends, and the level it holds, as printed for the sign test."""
    inside = sum(comb(n, k) for k in range(first, n - first + 1)) / 2**n
    assert_allclose(inside, coverage, atol=1e-3)

    _, low, high = median(np.arange(1, n + 1)[::-1])

    assert (low, high) == (first, n + 1 - first)


def plain_median(values, confidence):
    """Median and limits one value at a time, with exact integers."""
    values, n = sorted(values), len(values)
    middle = values[(n + 1) // 2 - 1]
    first = 0
    while 2 * sum(comb(n, k) for k in range(first + 1)) <= (1 - confidence) * 2**n:
        first += 1
    return (middle, values[first - 1], values[n - first]) if first else (middle, np.nan, np.nan)


@pytest.mark.parametrize("seed", range(20))
def test_median_of_counted_values_is_that_of_the_values_written_out(seed):
    """Counts stand for repeated values, in any order, zero counts for none."""
    rng = np.random.default_rng(seed)
    values, counts = rng.permutation(12), rng.integers(0, 6, 12)
    confidence = rng.choice([0.5, 0.9, 0.95, 0.99])

    found = median(values, counts, confidence=confidence)

    assert_array_equal(found, plain_median(np.repeat(values, counts), confidence))
    assert found[0] == np.quantile(np.repeat(values, counts), 0.5, method="inverted_cdf")


def test_median_limits_hold_exactly_their_level_where_they_can():
    """The smallest and largest of six hold 1 - 2/64, which is asked for and given."""
    assert median(range(6), confidence=1 - 2 / 64)[1:] == (0, 5)
    assert np.isnan(median(range(6), confidence=1 - 1.99 / 64)[1:]).all()


def test_median_of_many_values_covers_its_level():
    """Over 2000 samples of 31 skewed values the limits hold the true median in 95 % or a little more."""
    draws = np.random.default_rng(8).exponential(1, (2000, 31))

    limits = np.array([median(row)[1:] for row in draws])

    covered = np.mean((limits[:, 0] <= log(2)) & (log(2) <= limits[:, 1]))
    exact = 1 - 2 * sum(comb(31, k) for k in range(10)) / 2**31
    assert abs(covered - exact) < 3 * np.sqrt(exact * (1 - exact) / 2000)


def test_median_of_too_few_values():
    """No values have no median; five have one, but no limits at 95 %."""
    assert np.isnan(median([])).all()
    assert np.isnan(median([3, 4], [0, 0])).all()
    assert median([5, 4, 3, 2, 1])[0] == 3
    assert np.isnan(median([5, 4, 3, 2, 1])[1:]).all()


def test_median_refuses_what_cannot_be_counted():
    """Missing values, broken counts and lengths that differ are errors."""
    with pytest.raises(ValueError, match="finite numbers, .* 1 of 2 places, .* 1: nan"):
        median([1, np.nan])
    with pytest.raises(ValueError, match="counts must be whole numbers, .* 0: -1"):
        median([1, 2], [-1, 2])
    with pytest.raises(ValueError, match="counts must be whole numbers, .* 1: 0.5"):
        median([1, 2], [1, 0.5])
    with pytest.raises(ValueError, match=r"same length, but have shapes \(2,\) and \(3,\)"):
        median([1, 2], [1, 2, 3])
