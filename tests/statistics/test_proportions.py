"""Shares: against R's values, published tables and formulas written another way."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binomtest, chi2_contingency

from salesanalysis.statistics.proportions import (
    difference,
    false_discovery,
    pooled_p_value,
    two_sided_z,
    wilson,
)
from salesanalysis.statistics.survival import incidence_at

REFERENCE = Path(__file__).parents[1] / "reference"


def test_wilson_equals_r():
    """Wilson's limits are those of R, for 0 of n and n of n too."""
    expected = pd.read_csv(REFERENCE / "wilson_ref_R.csv")

    low, high = wilson(expected["x"], expected["n"])

    assert_allclose(low, expected["lower"], rtol=0, atol=1e-12)
    assert_allclose(high, expected["upper"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.99])
def test_wilson_equals_scipy_at_other_levels(confidence):
    """The level asked for is the level given."""
    limits = binomtest(7, 45).proportion_ci(confidence, method="wilson")

    assert_allclose(wilson(7, 45, confidence=confidence), limits, atol=1e-12)


def test_wilson_limits_enclose_the_share_exactly():
    """The limits of no and of only successes end at exactly 0 and 1; all enclose the share."""
    trials = np.repeat([1, 3, 7.5, 1e7], 3)
    successes = trials * np.tile([0, 0.3, 1], 4)

    low, high = wilson(successes, trials)

    share = successes / trials
    assert ((low >= 0) & (low <= share) & (share <= high) & (high <= 1)).all()
    assert_array_equal(low[share == 0], 0)
    assert_array_equal(high[share == 1], 1)


def test_wilson_of_nothing_is_unknown():
    """Without trials, or with a missing count, there is no interval."""
    low, high = wilson([0, np.nan, 1], [0, 5, np.nan])

    assert np.isnan(low).all()
    assert np.isnan(high).all()


def test_wilson_refuses_impossible_counts():
    """More successes than trials, negative counts and impossible levels are errors."""
    with pytest.raises(ValueError, match="2 of 3 do not, the first at position 1: 6 of 5"):
        wilson([1, 6, -1], [5, 5, 5])
    with pytest.raises(ValueError, match="but is 95; write 95 % as 0.95"):
        wilson(1, 5, confidence=95)


def test_normal_quantile():
    """The 95 % quantile is the one printed in every table."""
    assert_allclose(two_sided_z(0.95), 1.959963984540054, rtol=1e-15)


def newcombe(k1, n1, k2, n2):
    """Newcombe's interval of k2/n2 - k1/n1, limits as roots of Wilson's quadratic."""
    z2 = 1.959963984540054**2

    def roots(k, n):
        return sorted(np.roots([1 + z2 / n, -(2 * k / n + z2 / n), (k / n) ** 2]).real)

    p1, p2 = k1 / n1, k2 / n2
    (l1, u1), (l2, u2) = roots(k1, n1), roots(k2, n2)
    low = (p2 - p1) - ((p2 - l2) ** 2 + (u1 - p1) ** 2) ** 0.5
    high = (p2 - p1) + ((u2 - p2) ** 2 + (p1 - l1) ** 2) ** 0.5
    return p2 - p1, low, high


@pytest.mark.parametrize("counts", [(56, 70, 48, 80), (9, 10, 3, 10), (1, 200, 30, 40)])
def test_difference_of_closed_counts_is_newcombes(counts):
    """On counts the interval is Newcombe's, its limits found as roots of a quadratic."""
    k1, n1, k2, n2 = counts
    first, second = wilson(k1, n1), wilson(k2, n2)

    found = difference(k1 / n1, *first, k2 / n2, *second)

    assert_allclose(found, newcombe(*counts), atol=1e-12)


def test_difference_equals_newcombes_published_example():
    """56/70 against 48/80 gives .2000 (.0524, .3339), Newcombe 1998, table II, method 10."""
    found = difference(48 / 80, *wilson(48, 80), 56 / 70, *wilson(56, 70))

    assert_allclose(found, [0.2, 0.0524, 0.3339], atol=5e-5)


def test_difference_of_differences_is_unknown_where_one_is():
    """A missing limit makes the limits that need it missing, and no warning."""
    change, low, high = difference(0.2, 0.1, np.nan, 0.5, 0.4, 0.6)

    assert_allclose(change, 0.3)
    assert np.isnan(low)
    assert_allclose(high, 0.3 + np.hypot(0.1, 0.1))


def test_pooled_p_value_is_the_chi_square_test_of_the_table():
    """The score test of two shares is the chi-square test of the four-fold table."""
    table = np.array([[12, 38], [30, 45]])

    p_value = pooled_p_value(12 / 50, 50, 30 / 75, 75)

    assert_allclose(p_value, chi2_contingency(table, correction=False).pvalue, rtol=1e-12)


def test_pooled_p_value_is_unknown_without_both_outcomes():
    """Where all or none succeed, or nothing was seen, no test can be made."""
    found = pooled_p_value([0, 1, np.nan, 0.5], [9, 9, 9, 0], [0, 1, 0.5, 0.5], [5, 5, 5, 0])

    assert np.isnan(found).all()


def test_false_discovery_equals_r_on_the_published_p_values():
    """The 1995 paper's p-values give R's adjusted ones; four are below .05."""
    expected = pd.read_csv(REFERENCE / "bh1995_ref_R.csv").sample(frac=1, random_state=1)

    q_values = false_discovery(expected["p"])

    assert_allclose(q_values, expected["bh"], rtol=0, atol=1e-12)
    assert (q_values <= 0.05).sum() == 4


def test_false_discovery_does_not_count_tests_that_were_not_made():
    """NaN stays NaN and makes no other q-value larger."""
    found = false_discovery([0.01, np.nan, 0.04, np.nan])

    assert_allclose(found, [0.02, np.nan, 0.04, np.nan])
    assert np.isnan(false_discovery([np.nan])).all()
    assert false_discovery([]).size == 0


def test_false_discovery_refuses_what_is_no_p_value():
    """A p-value above 1 is an error, not a large q-value."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        false_discovery([0.5, 1.2])


def cohort(rng, n):
    """Deals created evenly over 150 days, seen on day 160; a quarter is won in the end."""
    is_won = rng.random(n) < 0.25
    closed = np.ceil(rng.gamma(2, np.where(is_won, 30, 22.5)))
    last_seen = 160 - np.floor(rng.uniform(0, 150, n))
    cause = np.where(closed <= last_seen, np.where(is_won, 1, 2), 0)
    return np.minimum(closed, last_seen), cause, np.ones(n)


def test_pooled_p_value_has_its_size_on_censored_deals():
    """Without a difference about 1 test in 20 rejects, on effective numbers."""
    sizes = pd.read_csv(REFERENCE / "sim_segment_test_size.csv")
    size = sizes.query("n_segment == 60")["reject_pooled_score"].item()
    rng, runs, rejected = np.random.default_rng(7), 400, 0

    for _ in range(runs):
        one = incidence_at(*cohort(rng, 60), [90]).iloc[0]
        rest = incidence_at(*cohort(rng, 300), [90]).iloc[0]
        rejected += pooled_p_value(one["rate"], one["n_eff"], rest["rate"], rest["n_eff"]) < 0.05

    assert abs(rejected / runs - size) < 3 * np.sqrt(size * (1 - size) * (1 / runs + 1 / 2000))
