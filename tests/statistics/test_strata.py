"""Differences within strata: the formula written out, identities, coverage."""

import math

import numpy as np
import pytest

from salesanalysis.statistics.strata import risk_difference

Z = 1.959963984540054


def written_out(strata):
    """Estimate, and variance of Sato, Greenland and Robins, stratum by stratum."""
    top = weight = apart = mixed = 0.0
    for k1, n1, k2, n2 in strata:
        if n1 and n2:
            n = n1 + n2
            top += k2 * n1 / n - k1 * n2 / n
            weight += n1 * n2 / n
            apart += k1 * (n2 / n) ** 2 - k2 * (n1 / n) ** 2 + n2 / n * n1 / n * (n1 - n2) / 2
            mixed += k2 * (n1 - k1) / n + k1 * (n2 - k2) / n
    return top / weight, math.sqrt(top / weight * apart + mixed / 2) / weight


BCG = [  # 13 trials of the vaccine against tuberculosis: cases and others, vaccinated and not
    (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761),
    (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232),
    (17, 1699, 65, 1600), (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825),
]  # fmt: skip


def test_agrees_with_the_published_analysis():
    """
    Colditz et al., JAMA 271 (1994), as R's metafor has it: -.0033 (-.0039, -.0027), z -11.4708.
    """
    cases, others, control_cases, control_others = np.array(BCG).T

    value, low, high, n_strata = risk_difference(
        control_cases, control_cases + control_others, cases, cases + others
    )

    assert (value, low, high) == pytest.approx((-0.0033, -0.0039, -0.0027), abs=5e-5)
    assert value / ((high - low) / 2 / Z) == pytest.approx(-11.4708, abs=5e-5)
    assert n_strata == 13


@pytest.mark.parametrize("seed", range(10))
def test_agrees_with_the_formula_written_out(seed):
    """
    Also with strata in which one group has no case, or nobody or everybody succeeded.
    """
    rng = np.random.default_rng(seed)
    n1, n2 = rng.integers(0, 9, 40), rng.integers(0, 9, 40)
    k1, k2 = rng.binomial(n1, 0.4), rng.binomial(n2, 0.6)
    value, error = written_out(zip(k1, n1, k2, n2, strict=True))

    found = risk_difference(k1, n1, k2, n2)

    assert found[:3] == pytest.approx((value, value - Z * error, value + Z * error), abs=1e-12)
    assert found[3] == sum((n1 > 0) & (n2 > 0))


def test_one_stratum_is_the_plain_difference():
    """
    300 of 1,000 and 1,200 of 2,000: .6 - .3, with the usual standard error.
    """
    error = math.sqrt(0.3 * 0.7 / 1000 + 0.6 * 0.4 / 2000)

    found = risk_difference([300], [1000], [1200], [2000])

    assert found[0] == pytest.approx(0.3)
    assert found[2] - found[0] == pytest.approx(Z * error, rel=0.02)


def test_a_reversal_between_strata_does_not_get_in():
    """
    Within both strata the groups are equal; together the second looks 36 points higher.
    """
    k1, n1, k2, n2 = [8, 10], [80, 20], [2, 40], [20, 80]

    assert sum(k2) / sum(n2) - sum(k1) / sum(n1) == pytest.approx(0.24)
    assert risk_difference(k1, n1, k2, n2)[0] == pytest.approx(0)


def test_a_stratum_with_one_group_changes_nothing():
    """
    It says nothing about the difference.
    """
    with_both = risk_difference([2, 5], [10, 10], [4, 8], [10, 10])

    assert risk_difference([2, 5, 3], [10, 10, 7], [4, 8, 0], [10, 10, 0]) == with_both


def test_without_a_stratum_of_both_groups_nothing_is_said():
    """
    NaN is an answer.
    """
    *values, n_strata = risk_difference([1, 0], [5, 0], [0, 2], [0, 4])

    assert np.isnan(values).all()
    assert n_strata == 0


def test_more_confidence_is_wider():
    """
    The level matters.
    """
    counts = [2, 5], [10, 10], [4, 8], [10, 10]

    _, low, high, _ = risk_difference(*counts)
    _, lower, higher, _ = risk_difference(*counts, confidence=0.99)

    assert lower < low < high < higher


def test_many_sparse_strata_are_covered():
    """
    Strata of two to eight cases with base rates from .1 to .6 and a common difference of .2: 95 % within Monte Carlo error.
    """
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(500):
        base = rng.uniform(0.1, 0.6, 120)
        n1, n2 = rng.integers(1, 5, 120), rng.integers(1, 5, 120)
        _, low, high, _ = risk_difference(
            rng.binomial(n1, base), n1, rng.binomial(n2, base + 0.2), n2
        )
        covered += low <= 0.2 <= high

    assert abs(covered / 500 - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 500)


def test_impossible_counts_are_refused():
    """
    The message names the count and its place.
    """
    with pytest.raises(
        ValueError, match=r"k2 must lie between 0 and its cases.*position 1: 5 of 4"
    ):
        risk_difference([1, 1], [2, 2], [1, 5], [4, 4])
    with pytest.raises(ValueError, match="one value per stratum"):
        risk_difference([1], [2, 2], [1, 1], [4, 4])
