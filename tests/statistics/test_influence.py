"""
What each case contributes to an estimate: against the estimators themselves, and against moving a weight by hand.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from salesanalysis.statistics import influence, survival

UNTIL = 40


def cases(seed, n=60):
    """Ages with many ties, and causes."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 50, n), rng.integers(0, 3, n)


def weighted_share(age, cause, weight, value):
    """Sum of a value by age over the incidence of cause 1, with weights, written out age by age."""
    open_share = total = 0.0
    open_share = 1.0
    for t in range(UNTIL + 1):
        at_risk = weight[age >= t].sum()
        if at_risk <= 0:
            break
        total += value(t) * open_share * weight[(age == t) & (cause == 1)].sum() / at_risk
        open_share *= 1 - weight[(age == t) & (cause > 0)].sum() / at_risk
    return total


def weighted_days(age, cause, weight):
    """Area under the product-limit curve up to the age, with weights, written out day by day."""
    open_share, days = 1.0, 0.0
    for t in range(UNTIL):
        at_risk = weight[age >= t].sum()
        if at_risk > 0:
            open_share *= 1 - weight[(age == t) & (cause > 0)].sum() / at_risk
        days += open_share
    return days


def weighted_mean_age(age, cause, weight):
    """Mean age of the won under their incidence, with weights."""
    share = weighted_share(age, cause, weight, lambda t: 1)
    return weighted_share(age, cause, weight, lambda t: t) / share


PLAIN = {
    "incidence": lambda age, cause, weight: weighted_share(age, cause, weight, lambda t: 1),
    "mean_age": weighted_mean_age,
    "restricted_mean": weighted_days,
}


def read(name, age, cause):
    """The function of that name; the restricted mean takes whether a case left."""
    left = cause > 0 if name == "restricted_mean" else cause
    return getattr(influence, name)(age, left, until=UNTIL)


@pytest.mark.parametrize("name", sorted(PLAIN))
@pytest.mark.parametrize("seed", range(4))
def test_influences_are_derivatives_by_the_weight_of_a_case(name, seed):
    """
    Value and influences are those of the formula written out, with one case's weight moved up and down a little.
    """
    age, cause = cases(seed)
    step = 1e-6

    found = read(name, age, cause)

    assert_allclose(found.value, PLAIN[name](age, cause, np.ones(len(age))), atol=1e-12)
    for i in range(len(age)):
        up, down = np.ones(len(age)), np.ones(len(age))
        up[i] += step
        down[i] -= step
        slope = (PLAIN[name](age, cause, up) - PLAIN[name](age, cause, down)) / (2 * step)
        assert_allclose(found.by_case[i], slope, atol=1e-6)


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_influences_add_up_to_nothing(name):
    """
    Giving every case the same more weight moves no estimate.
    """
    age, cause = cases(7, n=500)

    found = read(name, age, cause)

    assert abs(found.by_case.sum()) < 1e-9
    assert found.variance == pytest.approx((found.by_case**2).sum())


@pytest.mark.parametrize("seed", range(5))
def test_values_and_variances_are_those_of_the_survival_estimators(seed):
    """
    The values are the Aalen-Johansen rate and the restricted mean; the variances agree within a few per cent at 2,000
    cases.
    """
    age, cause = cases(seed, n=2000)
    n = np.ones(len(age))

    share = influence.incidence(age, cause, until=UNTIL)
    days = influence.restricted_mean(age, cause > 0, until=UNTIL)

    of_share = survival.incidence_at(age, cause, n, [UNTIL]).iloc[0]
    of_days = survival.restricted_mean(age, cause > 0, n, until=UNTIL)
    assert_allclose(share.value, of_share["rate"], atol=1e-12)
    assert_allclose(share.variance, of_share["variance"], rtol=0.03)
    assert_allclose(days.value, of_days.value, atol=1e-9)
    assert_allclose(np.sqrt(days.variance), of_days.se, rtol=0.03)


def test_without_censoring_the_mean_age_is_the_plain_mean():
    """
    Where all are followed to the end it is the mean of the won, and its variance that of a mean.
    """
    age, cause = np.array([3, 5, 7, 9, 30]), np.array([1, 1, 1, 2, 1])

    found = influence.mean_age(age, cause, until=UNTIL)

    won = age[cause == 1]
    assert found.value == pytest.approx(won.mean())
    assert found.variance == pytest.approx(((won - won.mean()) ** 2).sum() / len(won) ** 2)


def test_the_mean_age_does_not_shorten_with_the_follow_up():
    """
    Of deals won after 10 or 30 days alike, half of them seen for 20 days only, the mean stays 20.
    """
    age = np.array([10] * 50 + [30] * 50 + [10] * 50 + [20] * 50)
    cause = np.array([1] * 150 + [0] * 50)

    assert influence.mean_age(age, cause, until=UNTIL).value == pytest.approx(20)


def test_without_a_win_there_is_no_mean_age():
    """
    NaN, and NaN of each case.
    """
    found = influence.mean_age([3, 5], [2, 0], until=UNTIL)

    assert np.isnan(found.value)
    assert np.isnan(found.by_case).all()


def by_analysis_of_variance(values, units):
    """The moment estimator for one cell, from the sums of squares as textbooks write them."""
    groups = [values[units == unit] for unit in np.unique(units)]
    n, k = len(values), len(groups)
    between = sum(len(g) * (g.mean() - values.mean()) ** 2 for g in groups) / (k - 1)
    within = sum(((g - g.mean()) ** 2).sum() for g in groups) / (n - k)
    size = (n - sum(len(g) ** 2 for g in groups) / n) / (k - 1)
    return (between - within) / (between + (size - 1) * within)


def test_likeness_of_one_cell_is_that_of_the_analysis_of_variance():
    """
    On units of unlike size, the textbook formula; the scale of the values does not matter.
    """
    rng = np.random.default_rng(1)
    units = np.repeat(np.arange(30), rng.integers(2, 20, 30))
    values = rng.normal(0, 1, 30)[units] + rng.normal(0, 1, len(units))

    found = influence.likeness([(values, units)])

    assert found == pytest.approx(by_analysis_of_variance(values, units), abs=1e-12)
    assert influence.likeness([(7 + 3 * values, units)]) == pytest.approx(found, abs=1e-12)


def test_likeness_pools_cells_and_not_their_differences():
    """
    Cells of other means and spreads count as if each were scaled to itself; equal cells give what one gives.
    """
    rng = np.random.default_rng(2)
    units = np.repeat(np.arange(40), 10)
    values = 0.5 * rng.normal(0, 1, 40)[units] + rng.normal(0, 1, len(units))
    one = influence.likeness([(values, units)])

    both = influence.likeness([(values, units), (100 + 5 * values, units)])

    assert both == pytest.approx(one, abs=1e-12)
    assert 0.1 < one < 0.3  # truth: .25 / 1.25


@pytest.mark.parametrize(
    "cells",
    [
        [],
        [(np.array([1.0, 2.0]), np.array(["a", "a"]))],  # one unit
        [(np.array([1.0, 2.0]), np.array(["a", "b"]))],  # one case a unit
        [(np.array([1.0, 1.0, 1.0]), np.array(["a", "a", "b"]))],  # no spread
        [(np.array([]), np.array([]))],
        [
            (np.array([1.0, -1.0, 1.0, -1.0]), np.array(["a", "a", "b", "b"]))
        ],  # less alike than chance
    ],
)
def test_likeness_is_none_where_it_cannot_be_told(cells):
    """
    0 where no unit has two cases, no cell two units, or cases of a unit are less alike than others.
    """
    assert influence.likeness(cells) == 0


def test_a_case_without_a_unit_is_one_of_its_own():
    """
    Missing owners are not one owner.
    """
    units = np.array(["a", "a", None, None], dtype=object)

    assert influence.design_effect(units, 0.5) == pytest.approx(1 + ((4 + 1 + 1) / 4 - 1) * 0.5)
    assert influence.design_effect(units, 0.0) == 1
    assert np.isnan(influence.design_effect(np.array([], dtype=object), 0.1))
