"""Audit of KPIs: against R's values, hand-worked cases, other formulas and simulations."""

from math import atanh, comb, sqrt, tanh
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import pearsonr, spearmanr
from scipy.stats import t as student

from salesanalysis.statistics.audit import (
    cronbach_alpha,
    effective_number,
    heaping,
    influence,
    spearman,
    split_half,
    vif,
    within_slope,
)
from salesanalysis.statistics.scores import aggregate

REFERENCE = Path(__file__).parents[1] / "reference"
NAN = float("nan")
Z = 1.959963984540054


def test_split_half_by_hand():
    """Halves that correlate .8: 1.6 / 1.8; limits tanh(atanh(.8) ± z / sqrt 2), stepped up likewise."""
    found = split_half([1, 2, 3, 4, 5], [2, 1, 4, 3, 5])

    low, high = (tanh(atanh(0.8) + side * Z / sqrt(2)) for side in (-1, 1))
    assert low < 0  # no reliability at all cannot be excluded
    assert_allclose(found, [1.6 / 1.8, 0, 2 * high / (1 + high), 5])


def test_split_half_takes_r_from_pearson():
    """On random halves it is Pearson's r stepped up, at any level, and lies between its limits."""
    odd, even = np.random.default_rng(1).multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], 60).T
    r = pearsonr(odd, even)

    found = split_half(odd, even, confidence=0.8)

    low, high = r.confidence_interval(0.8)
    assert_allclose(found[:3], [2 * x / (1 + x) for x in (r.statistic, low, high)])
    assert found.low < found.value < found.high


def test_split_half_recovers_a_known_reliability():
    """Halves with noise as large as skill have whole-period reliability 2/3, and 95 % of intervals hold it."""
    rng, held, values = np.random.default_rng(2), 0, []
    for _ in range(1000):
        skill = rng.normal(size=40)
        found = split_half(skill + rng.normal(size=40), skill + rng.normal(size=40))
        held += found.low <= 2 / 3 <= found.high
        values.append(found.value)

    assert abs(np.median(values) - 2 / 3) < 0.02
    assert abs(held / 1000 - 0.95) < 3 * sqrt(0.05 * 0.95 / 1000)


def test_halves_that_disagree_show_no_reliability():
    """A correlation of 0 or below gives 0, even -1, where the formula divides by 0."""
    assert split_half([1, 2, 3, 4, 5], [3, 1, 2, 1, 2]).value == 0
    found = split_half([1, 2, 3, 4], [4, 3, 2, 1])
    assert found.value == 0
    assert np.isnan(found[1:3]).all()


def test_split_half_needs_units_that_differ():
    """Fewer than four complete pairs, or a half alike for all, tells nothing; equal halves are 1 without limits."""
    for halves in ([[1, 2, 3, NAN], [1, 3, 2, 4]], [[0.1] * 5, [1, 2, 3, 4, 5]], [[], []]):
        assert np.isnan(split_half(*halves)[:3]).all()
    assert split_half([1, 2, 3, NAN, 5], [1, 3, 2, 4, NAN]).n == 3
    assert_array_equal(split_half([1, 2, 3, 5], [1, 2, 3, 5]), [1, NAN, NAN, 4])
    odd = np.array([5.0, 6.0, 9.6, 7.2, 6.2, 5.4])  # rounding leaves r a little below 1
    assert_array_equal(split_half(odd, 3 * odd + 0.1), [1, NAN, NAN, 6])
    assert np.isnan(split_half([0.1 + 0.2, 0.3, 0.3, 0.3], [1, 2, 3, 4]).value)
    with pytest.raises(ValueError, match=r"odd and even must hold one value .* \(2,\) and \(3,\)"):
        split_half([1, 2], [1, 2, 3])


def test_alpha_by_hand():
    """Variances 20/3 and 14/3, of their sum 62/3: 2 (1 - 34/62); limits by printed F of 3 and 3 df, 15.439."""
    found = cronbach_alpha([[2, 4], [4, 6], [6, 5], [8, 9]])

    value = 2 * (1 - 34 / 62)
    assert_allclose(found.value, value)
    assert_allclose(found.low, 1 - (1 - value) * 15.439, atol=1e-4)
    assert_allclose(found.high, 1 - (1 - value) / 15.439, atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_alpha_equals_the_covariance_formula(seed):
    """k times the mean covariance over the mean of the whole covariance matrix."""
    rng = np.random.default_rng(seed)
    items = rng.normal(size=(25, 1)) + rng.normal(0, 1.5, (25, 4)) + [0, 50, -20, 7]
    covariance = np.cov(items.T)
    between = covariance[~np.eye(4, dtype=bool)].mean()

    found = cronbach_alpha(np.vstack([items, [NAN, 1, 2, 3]]))

    assert_allclose(found.value, between / covariance.mean(), rtol=1e-12)
    assert found.n == 25
    assert found.low < found.value < found.high


def test_alpha_of_equal_items_is_one_and_of_independent_ones_about_zero():
    """Copies measure one thing, unrelated KPIs none; opposed ones go below 0."""
    rng = np.random.default_rng(1)
    column = rng.normal(size=200)

    assert_allclose(cronbach_alpha(np.column_stack([column, column, column])).value, 1)
    assert abs(cronbach_alpha(rng.normal(size=(5000, 3))).value) < 0.1
    assert cronbach_alpha(np.column_stack([column, -0.5 * column])).value < 0


def test_alpha_limits_hold_their_level():
    """Four parallel KPIs of reliability .5 have alpha .8; 95 % of intervals hold it."""
    rng, held = np.random.default_rng(3), 0
    for _ in range(1000):
        found = cronbach_alpha(rng.normal(size=(20, 1)) + rng.normal(size=(20, 4)))
        held += found.low <= 0.8 <= found.high

    assert abs(held / 1000 - 0.95) < 3 * sqrt(0.05 * 0.95 / 1000)


def test_alpha_is_unknown_where_nothing_varies():
    """One KPI, two units, or a sum alike for all gives NaN."""
    for items in ([[1], [2], [3]], [[1, 2], [2, 3]], [[1, 2], [2, 1], [0, 3]], np.ones((5, 2))):
        assert np.isnan(cronbach_alpha(items)[:3]).all()
    with pytest.raises(ValueError, match=r"units x KPIs, but have shape \(3,\)"):
        cronbach_alpha([1, 2, 3])
    with pytest.raises(ValueError, match="write 95 % as 0.95"):
        cronbach_alpha(np.eye(4), confidence=95)


def test_vif_equals_r_on_longleys_data():
    """Six series that nearly determine each other: GNP 1788.513 and the rest, to 1e-6."""
    data = pd.read_csv(REFERENCE / "longley_data.csv")
    expected = pd.read_csv(REFERENCE / "longley_vif_ref_R.csv").set_index("var")["vif"]

    found = vif(data[expected.index])

    assert_allclose(found, expected, rtol=1e-6)
    assert_allclose(vif(data[expected.index] * 1000 + 7), expected, rtol=1e-6)


def test_vif_of_what_cannot_be_told_apart():
    """Combinations of others are infinite, constants NaN, independent columns 1."""
    rng = np.random.default_rng(1)
    a, b, c = np.linalg.qr(np.column_stack([np.ones(30), rng.normal(size=(30, 3))]))[0][:, 1:].T

    assert_allclose(vif(np.column_stack([a, b, c])), 1)
    found = vif(np.column_stack([a, b, a + 2 * b, c, np.full(30, 0.1)]))
    assert_array_equal(found[:3], np.inf)
    assert_allclose(found[3], 1)
    assert np.isnan(found[4])


def test_vif_needs_more_units_than_kpis():
    """With as few units as KPIs every KPI could be written by the others; missing rows do not count."""
    rng = np.random.default_rng(1)
    items = rng.normal(size=(4, 3))

    assert np.isfinite(vif(items)).all()
    items[0, 0] = NAN
    assert np.isnan(vif(items)).all()
    assert np.isnan(vif(np.empty((0, 2)))).all()
    assert_allclose(vif(rng.normal(size=(5, 1))), 1)


def test_spearman_equals_scipy_with_ties():
    """The coefficient is scipy's; its limits are Bonett and Wright's formula."""
    rng = np.random.default_rng(4)
    x = rng.integers(0, 6, 30)
    y = x + rng.integers(0, 6, 30)
    r = spearmanr(x, y).statistic
    half = 1.2815515655446004 * sqrt((1 + r**2 / 2) / 27)

    found = spearman(np.append(x, NAN), np.append(y, 3), confidence=0.8)

    assert_allclose(found, [r, tanh(atanh(r) - half), tanh(atanh(r) + half), 30])


def test_spearman_interval_holds_its_level_in_small_samples():
    """With 16 pairs of true rank correlation .48 it covers .95 to .96, as simulated before."""
    rng = np.random.default_rng(5)
    true = 6 / np.pi * np.arcsin(0.5 / 2)
    held = 0
    for _ in range(2000):
        x, y = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], 16).T
        found = spearman(x, y)
        held += found.low <= true <= found.high

    assert abs(held / 2000 - 0.955) < 0.005 + 3 * sqrt(0.045 * 0.955 / 2000)


def test_spearman_of_ranks_that_agree_has_no_limits():
    """At 1 and -1 the formula has none; too few pairs or no variation give nothing."""
    assert_array_equal(spearman([1, 2, 3, 9], [2, 3, 50, 60]), [1, NAN, NAN, 4])
    assert_array_equal(spearman([1, 2, 3, 9], [4, 3, 2, -1]), [-1, NAN, NAN, 4])
    assert_array_equal(spearman([1, 2, 3], [2, 1, 3]), [NAN, NAN, NAN, 3])
    assert_array_equal(spearman([1, 1, 1, 1], [2, 1, 3, 4]), [NAN, NAN, NAN, 4])
    with pytest.raises(ValueError, match="x and y must hold one value"):
        spearman([1, 2], [1])


def test_within_slope_by_hand():
    """Three units, two quarters: slope 5.5/3; squared error 1.5 * .791667 / 9, t of 2 df 4.302653."""
    found = within_slope(list("aabbcc"), [1, 2, 5, 7, 3, 4], [1, 3, 9, 12, 5, 8])

    pulls = 1 / 12, -2 / 3, 7 / 12  # sum of kpi times residual, both from the unit's mean
    half = 4.302653 * sqrt(1.5 * sum(pull**2 for pull in pulls) / 3**2)
    assert_allclose(found, [5.5 / 3, 5.5 / 3 - half, 5.5 / 3 + half, 3], atol=1e-5)


def least_squares_with_dummies(unit, x, y):
    """Slope and clustered error from a regression on x and one dummy per unit, by matrices."""
    names = np.unique(unit)
    design = np.column_stack([x, *(unit == name for name in names)]).astype(float)
    inverse = np.linalg.inv(design.T @ design)
    fitted = inverse @ design.T @ y
    rest = y - design @ fitted
    meat = sum(
        np.outer(score, score)
        for score in (design[unit == name].T @ rest[unit == name] for name in names)
    )
    variance = inverse @ meat @ inverse * len(names) / (len(names) - 1)
    return fitted[0], sqrt(variance[0, 0])


@pytest.mark.parametrize("seed", range(5))
def test_within_slope_equals_a_regression_with_unit_dummies(seed):
    """Slope and clustered error are those of the sandwich formula, units of unequal length."""
    rng = np.random.default_rng(seed)
    unit = rng.permutation(np.repeat(list("abcdefgh"), rng.integers(2, 7, 8)))
    x = rng.normal(size=len(unit))
    y = 0.7 * x + rng.normal(size=len(unit)) * (1 + (unit > "d"))
    slope, error = least_squares_with_dummies(unit, x, y)

    found = within_slope(unit, x, y, confidence=0.9)

    assert_allclose(found.value, slope, rtol=1e-9)
    assert_allclose(found[1:3], student.interval(0.9, 7, slope, error), rtol=1e-9)


def test_within_slope_counts_units_whose_kpi_changed():
    """Units with one row, or the same KPI throughout, add nothing; neither do rows with a NaN."""
    rows = (list("aabbcc"), [1, 2, 5, 7, 3, 4], [1, 3, 9, 12, 5, 8])
    more = (
        [*rows[0], "one", "same", "same", "same", "a"],
        [*rows[1], 40, 0.1, 0.1, 0.1, NAN],
        [*rows[2], 90, 1, 5, 9, 3],
    )

    assert_allclose(within_slope(*more), within_slope(*rows), rtol=1e-9)
    assert_array_equal(within_slope(["a", "a"], [1, 2], [1, 3]), [NAN, NAN, NAN, 1])
    assert_array_equal(within_slope([], [], []), [NAN, NAN, NAN, 0])
    assert_array_equal(within_slope(["a", "b"], [NAN, 1], [1, 3]), [NAN, NAN, NAN, 0])


def test_a_kpi_that_mirrors_skill_is_not_taken_for_a_leading_one():
    """
    40 reps, 4 quarters, KPI and result both follow skill: ranks correlate nearly always, the slope
    within the rep is found in about 5 % of runs; a real lead nearly always.
    """
    rng, runs = np.random.default_rng(6), 300
    unit = np.repeat(np.arange(40), 4)
    mirrored, within, real = 0, 0, 0
    for _ in range(runs):
        skill = np.repeat(rng.normal(size=40), 4)
        kpi, noise = skill + rng.normal(size=160), rng.normal(size=160)
        mirrored += spearman(kpi, skill + noise).low > 0
        slope = within_slope(unit, kpi, skill + noise)
        within += not slope.low <= 0 <= slope.high
        real += within_slope(unit, kpi, skill + 0.5 * kpi + noise).low > 0

    assert mirrored / runs > 0.9
    assert abs(within / runs - 0.05) < 3 * sqrt(0.05 * 0.95 / runs)
    assert real / runs > 0.99


def test_within_slope_refuses_rows_that_do_not_match():
    """Lengths that differ and rows without a unit are errors."""
    with pytest.raises(ValueError, match=r"shapes \(2,\), \(2,\) and \(3,\)"):
        within_slope(["a", "b"], [1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="missing in 1 of 3 rows, the first at position 1"):
        within_slope(["a", None, "b"], [1, 2, 3], [1, 2, 3])


def test_influence_by_hand():
    """Of two KPIs with half the weight each one moves all, the other nothing."""
    assert_allclose(influence([[30, 10], [10, 10], [20, 10]], [40, 20, 30], [3, 3]), [2, 0])


def test_influence_equals_covariances_and_shares_add_up():
    """Each is cov / var over its share of the weights; weighted by these shares they sum to 1."""
    rng = np.random.default_rng(7)
    weights = np.array([0.5, 0.3, 0.2])
    points = np.clip(rng.normal(60, [5, 20, 40], (50, 3)), 0, 100)
    made = aggregate(points, weights)
    seen = made.contributions, made.score

    found = influence(*seen, 10 * weights)

    covariances = [np.cov(column, made.score)[0, 1] for column in made.contributions.T]
    assert_allclose(found, np.array(covariances) / made.score.var(ddof=1) / weights, rtol=1e-9)
    assert_allclose(found @ weights, 1)
    assert found[0] < 0.5  # the KPI all do alike decides less than its weight says


def test_influence_rests_on_units_judged_on_all_kpis():
    """A unit with a KPI not judged is left out; a KPI without weight has none; equal scores tell nothing."""
    rows, score = [[30, 10], [10, 10], [20, 10]], [40, 20, 30]

    assert_allclose(influence([*rows, [NAN, 90]], [*score, 90], [1, 1]), [2, 0])
    assert_array_equal(influence([[3, 0], [1, 0], [2, 0]], [3, 1, 2], [1, 0]), [1, NAN])
    assert np.isnan(influence(rows[:2], score[:2], [1, 1])).all()
    assert np.isnan(influence([[1, 2], [2, 1], [0, 3]], [3, 3, 3], [1, 1])).all()
    with pytest.raises(ValueError, match=r"shape \(3, 2\), score \(2,\) and weights \(2,\)"):
        influence(rows, score[:2], [1, 1])


@pytest.mark.parametrize(("above", "below"), [(9, 1), (5, 5), (0, 4), (3, 0)])
def test_heaping_is_the_sign_test(above, below):
    """The p-value is the share of coin tosses with at least as many heads, counted."""
    n = above + below
    values = [100 + k / 10 for k in range(above)] + [99.9 - k / 10 for k in range(below)]

    found = heaping([*values, 80, 130, NAN], threshold=100, width=5)

    assert found[:2] == (above, below)
    assert_allclose(found.p_value, sum(comb(n, k) for k in range(above, n + 1)) / 2**n)


def test_heaping_looks_one_width_to_each_side():
    """The threshold itself is met; the far edge belongs to the lower side only; turned round, lower is better."""
    values = [95, 94.9, 99.9, 100, 104.9, 105]

    assert heaping(values, 100, 5)[:2] == (2, 2)
    assert heaping(np.negative([100, 100.5, 99.5]), -100, 1)[:2] == (2, 1)


def test_heaping_of_nothing_is_unknown():
    """No value near the threshold gives no p-value."""
    assert_array_equal(heaping([1, 2, NAN], 100, 5), [0, 0, NAN])
    with pytest.raises(ValueError, match="width one above 0, but they are 100 and 0"):
        heaping([1], 100, 0)
    with pytest.raises(ValueError, match="threshold must be a number .* nan and 5"):
        heaping([1], NAN, 5)


@pytest.mark.parametrize("seed", range(5))
def test_effective_number_equals_that_of_the_eigenvalues(seed):
    """By the eigenvalues themselves it is the same, between 1 and the number of KPIs."""
    rng = np.random.default_rng(seed)
    correlations = np.corrcoef(rng.normal(size=(20, 1)) + rng.normal(size=(20, 6)), rowvar=False)
    l = np.linalg.eigvalsh(correlations)

    found = effective_number(correlations)

    assert_allclose(found, l.sum() ** 2 / (l**2).sum(), rtol=1e-12)
    assert 1 < found < 6


def test_effective_number_at_its_ends():
    """Unrelated KPIs count all, copies once, and a constant one not at all."""
    assert effective_number(np.eye(5)) == 5
    assert effective_number(np.ones((5, 5))) == 1
    with_constant = np.eye(4)
    with_constant[2, :] = with_constant[:, 2] = NAN
    assert effective_number(with_constant) == 3
    assert np.isnan(effective_number(np.full((2, 2), NAN)))
    assert np.isnan(effective_number([[1, NAN], [NAN, 1]]))


def test_effective_number_refuses_other_matrices():
    """A table that is not square, covariances, and one that is not symmetric are errors."""
    with pytest.raises(ValueError, match=r"square matrix, but are \(2, 3\)"):
        effective_number(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"diagonal is \[4.0, 1.0\]"):
        effective_number([[4, 0], [0, 1]])
    with pytest.raises(ValueError, match="must be symmetric"):
        effective_number([[1, 0.5], [0.2, 1]])
    with pytest.raises(ValueError, match="the largest 1.5"):
        effective_number([[1, 1.5], [1.5, 1]])
