"""Restricted means: R's values, sums in exact fractions, hand-worked cases, and their size in a simulation."""

from fractions import Fraction
from math import sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from salesanalysis.statistics.comparisons import restricted_means
from salesanalysis.statistics.survival import Estimate, known_until, restricted_mean

REFERENCE = Path(__file__).parents[1] / "reference"
SEEDS = range(10)
NAN = float("nan")


def freireich(group):
    """Remission times of one group: age, event, and a count of one per patient."""
    patients = pd.read_csv(REFERENCE / "freireich_data.csv").query("group == @group")
    return patients["time"], patients["event"], np.ones(len(patients))


@pytest.mark.parametrize("until", [21, 22])
@pytest.mark.parametrize("group", ["6-MP", "placebo"])
def test_restricted_mean_equals_r_on_the_leukaemia_data(group, until):
    """Mean weeks in remission up to week 21 and 22, and their errors, are those of R."""
    expected = pd.read_csv(REFERENCE / "freireich_tests_ref_R.csv", index_col="name")["value"]
    name = group.replace("-", "")

    found = restricted_mean(*freireich(group), until=until)

    assert_allclose(found.value, expected[f"rmst{until}_{name}"], rtol=0, atol=1e-6)
    assert_allclose(found.se, expected[f"rmst{until}_se_{name}"], rtol=0, atol=1e-6)


def day_by_day(age, is_event, until):
    """Kaplan-Meier added up day by day in exact fractions, and its variance by the textbook."""
    share, shares, steps = Fraction(1), [], []
    for day in range(until):
        n = sum(1 for a in age if a >= day)
        d = sum(1 for a, e in zip(age, is_event, strict=True) if a == day and e)
        if d:
            share *= 1 - Fraction(d, n)
            steps.append((day, d, n))
        shares.append(share)
    variance = sum(
        sum(shares[day:]) ** 2 * Fraction(d, n * (n - d)) for day, d, n in steps if n > d
    )
    return float(sum(shares)), sqrt(variance)


@pytest.mark.parametrize("seed", SEEDS)
def test_restricted_mean_agrees_with_a_sum_over_days(seed):
    """On random tied ages, some at day 0, mean and error are those of the curve added up day by day."""
    rng = np.random.default_rng(seed)
    age, is_event = rng.integers(0, 9, 40), rng.random(40) < 0.6
    until = int(rng.integers(1, age.max() + 1))

    found = restricted_mean(age, is_event, np.ones(40), until=until)

    assert_allclose(found[:2], day_by_day(age.tolist(), is_event, until), atol=1e-12)


def test_restricted_mean_by_hand():
    """Of four, one leaves on day 2: 2 + 3 days x 3/4 up to day 5, variance (9/4)² / (4 x 3)."""
    found = restricted_mean([2, 5, 5], [1, 1, 0], [1, 1, 2], until=5)

    assert_allclose(found[:2], [4.25, sqrt(2.25**2 / 12)], rtol=1e-15)
    assert_allclose(found.low, 4.25 - 1.959964 * sqrt(2.25**2 / 12), atol=1e-6)
    assert found.high == 5  # 5.52 is more than anybody can spend in 5 days


@pytest.mark.parametrize("seed", SEEDS)
def test_restricted_mean_of_all_seen_is_the_plain_mean(seed):
    """If nobody is last seen before the age, mean and error are those of the days up to it."""
    age = np.random.default_rng(seed).integers(1, 60, 25)
    days = np.minimum(age, 30)

    found = restricted_mean(age, np.ones(25), np.ones(25), until=30)

    assert_allclose(found[:2], [days.mean(), days.std() / 5], rtol=1e-12)


def test_order_and_grouping_of_rows_change_no_mean():
    """Rows may be summed up and sorted in any way."""
    age, is_event, n = freireich("6-MP")
    grouped = pd.DataFrame({"age": age, "is_event": is_event, "n": n})
    grouped = grouped.groupby(["age", "is_event"], as_index=False)["n"].sum().iloc[::-1]

    found = restricted_mean(grouped["age"], grouped["is_event"], grouped["n"], until=21)

    assert_allclose(found, restricted_mean(age, is_event, n, until=21), rtol=1e-14)


def test_what_comes_after_the_age_changes_no_mean():
    """Events on the very day and later ones count as still there."""
    early = restricted_mean([2, 5, 9], [1, 1, 1], [1, 2, 1], until=5)
    late = restricted_mean([2, 30, 90], [1, 0, 1], [1, 2, 1], until=5)

    assert early == late


def test_a_mean_beyond_the_follow_up_is_not_known():
    """Up to the last exit it is known, a day later only if none was still there."""
    censored = ([3, 8], [1, 0], [5, 5])
    emptied = ([3, 8, 8], [1, 1, 0], [5, 5, 0])

    assert known_until(*censored) == 8
    assert known_until(*emptied) == float("inf")
    assert known_until([3, 8], [0, 1], [1, 1]) == float("inf")
    assert restricted_mean(*censored, until=8).value == 5.5
    assert np.isnan(restricted_mean(*censored, until=9)).all()
    assert restricted_mean(*emptied, until=900).value == 5.5


def test_a_tie_of_the_last_event_with_a_censored_one_ends_what_is_known():
    """One leaves and one is last seen on the last day: half are still there after it."""
    assert known_until([8, 8], [1, 0], [1, 1]) == 8


def test_without_cases_no_mean_is_known():
    """No rows, or rows that count nobody, give NaN."""
    assert np.isnan(restricted_mean([], [], [], until=5)).all()
    assert np.isnan(restricted_mean([3], [1], [0], until=2)).all()
    assert known_until([3], [1], [0]) == 0


def test_if_nobody_left_the_mean_is_the_age_itself():
    """The mean is the whole span, without an error."""
    assert restricted_mean([9], [0], [4], until=7) == Estimate(7, 0, 7, 7)


def test_more_confidence_widens_the_interval_of_a_mean():
    """A higher level gives wider limits around the same mean."""
    narrow = restricted_mean(*freireich("6-MP"), until=21, confidence=0.5)
    wide = restricted_mean(*freireich("6-MP"), until=21)

    assert wide.low < narrow.low < narrow.value == wide.value < narrow.high < wide.high


def test_no_limit_of_a_mean_lies_outside_of_what_is_possible():
    """Limits stay between 0 and the age."""
    found = restricted_mean([0, 9], [1, 0], [1, 1], until=9)

    assert found[0] == 4.5
    assert found[2:] == (0, 9)


def test_restricted_mean_refuses_impossible_input():
    """An age of 0, a level in per cent and impossible exits are errors."""
    with pytest.raises(ValueError, match="until must be an age above 0, but is 0"):
        restricted_mean([3], [1], [1], until=0)
    with pytest.raises(ValueError, match="until must be an age above 0, but is nan"):
        restricted_mean([3], [1], [1], until=NAN)
    with pytest.raises(ValueError, match="write 95 % as 0.95"):
        restricted_mean([3], [1], [1], until=3, confidence=95)
    with pytest.raises(ValueError, match="age must be whole days"):
        restricted_mean([-3], [1], [1], until=3)


def test_difference_of_means_by_hand():
    """Errors 3 and 4 give 5; -10 lies two of them below 0."""
    found = restricted_means(Estimate(60, 3, 54, 66), Estimate(50, 4, 42, 58))

    assert_allclose(found, [-10, -19.79982, -0.20018, 0.0455003], atol=5e-6)


def test_difference_of_means_at_another_level():
    """At 90 % the limits are 1.644854 errors away, and the p-value is the same."""
    found = restricted_means(Estimate(60, 3, 54, 66), Estimate(50, 4, 42, 58), 0.9)

    assert_allclose(found, [-10, -18.22427, -1.77573, 0.0455003], atol=5e-6)


def test_means_that_are_not_known_or_certain_have_no_test():
    """A NaN on either side leaves all unknown; without any error there is no p-value."""
    known, unknown = Estimate(60, 3, 54, 66), Estimate(NAN, NAN, NAN, NAN)

    assert np.isnan(restricted_means(known, unknown)).all()
    assert np.isnan(restricted_means(unknown, known)).all()
    found = restricted_means(Estimate(7, 0, 7, 7), Estimate(7, 0, 7, 7))
    assert found[:3] == (0, 0, 0)
    assert np.isnan(found.p_value)


def simulated(scenario):
    """The table of one scenario by days after the change; "null" is a word there, not a missing value."""
    table = pd.read_csv(REFERENCE / "sim_before_after.csv", keep_default_na=False)
    return table[table["scenario"] == scenario].set_index("after_days")


def exits(rng, followed, mean_days):
    """Deals created one a day, closing after a gamma time, seen for the days given."""
    days = np.floor(rng.gamma(2, mean_days / 2, len(followed))).astype(int)
    return np.minimum(days, followed), days <= followed, np.ones(len(followed))


def rejections(after_days, mean_after, *, runs, seed):
    """Share of simulated companies whose restricted means before and after differ at 5 %."""
    rng = np.random.default_rng(seed)
    rejected = 0
    for _ in range(runs):
        before = exits(rng, np.arange(1, 366), 60)
        after = exits(rng, np.arange(1, after_days + 1), mean_after)
        until = int(min(after_days - 5, known_until(*before), known_until(*after)))
        means = [restricted_mean(*side, until=until) for side in (before, after)]
        rejected += restricted_means(*means).p_value < 0.05
    return rejected / runs


@pytest.mark.parametrize("after_days", [60, 90, 180, 365])
def test_means_differ_as_often_as_simulated_if_nothing_changed(after_days):
    """False positives within 3 Monte Carlo errors of the table: near 5 % from 90 days on."""
    table = simulated("null")
    expected = table.loc[after_days, "rmst_reject"]
    error = sqrt(expected * (1 - expected) * (1 / 400 + 1 / 500))

    found = rejections(after_days, 60, runs=500, seed=after_days)

    assert abs(found - expected) < 3 * error


@pytest.mark.parametrize("after_days", [60, 180])
def test_means_show_a_cycle_that_fell_from_60_to_35_days(after_days):
    """Power within 3 Monte Carlo errors of the table: 94 % after 60 days, 100 % after 180."""
    table = simulated("true_change")
    expected = table.loc[after_days, "rmst_reject"]
    error = sqrt(max(expected * (1 - expected), 0.002) * (1 / 400 + 1 / 300))

    found = rejections(after_days, 35, runs=300, seed=after_days)

    assert abs(found - expected) < 3 * error
