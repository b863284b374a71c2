"""Scores of forecasts: hand-worked cases, plain loops, identities and coverage."""

from math import sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from salesanalysis.statistics.verification import (
    brier,
    coverage,
    crps,
    reliability,
    skill,
    widening,
)

REFERENCE = Path(__file__).parents[1] / "reference"
SEEDS = range(8)
NAN = float("nan")


def test_crps_equals_the_hand_worked_case():
    """Five values against one that came."""
    for row in pd.read_csv(REFERENCE / "crps_hand.csv").itertuples():
        values = [float(x) for x in row.ens.split()]

        assert_allclose(crps(values, row.y), row.crps, rtol=0, atol=1e-12)
        assert_allclose(crps(values[::-1], row.y), row.crps, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_crps_agrees_with_both_of_its_definitions(seed):
    """Mean distances over all pairs, and the area between the two distribution functions squared."""
    rng = np.random.default_rng(seed)
    values, came = rng.integers(0, 20, 9), int(rng.integers(-3, 24))
    pairs = np.abs(values - came).mean() - np.abs(np.subtract.outer(values, values)).mean() / 2
    grid = np.arange(-5, 26)
    area = sum(((values <= x).mean() - (came <= x)) ** 2 for x in grid)

    found = crps(values, came)

    assert_allclose(found, pairs, atol=1e-12)
    assert_allclose(found, area, atol=1e-12)


def test_crps_of_many_forecasts_is_that_of_each():
    """Forecasts stand in rows; each row is scored by itself, and a NaN spoils only its own."""
    values, came = np.random.default_rng(1).normal(size=(4, 50)), np.array([0.0, 1, -2, NAN])

    found = crps(values, came)

    assert found.shape == (4,)
    assert_allclose(found[:3], [crps(values[k], came[k]) for k in range(3)])
    assert np.isnan(found[3])
    assert values[0, 0] != values[0].min()  # not sorted in place


def test_crps_of_a_single_value_is_the_absolute_error():
    """A forecast without spread."""
    assert_allclose(crps([[7.0], [7.0]], [4, 9]), [3, 2])


def test_crps_prefers_the_true_spread():
    """On average the distribution that the outcomes come from scores lower than a narrow or wide one."""
    rng = np.random.default_rng(2)
    came = rng.normal(size=4000)
    base = rng.normal(size=(4000, 60))

    right, narrow, wide = (crps(base * s, came).mean() for s in (1, 0.4, 2.2))

    assert right < narrow
    assert right < wide
    assert_allclose(right, 1 / sqrt(np.pi), atol=0.02)  # of normal forecasts


def test_crps_refuses_shapes_that_do_not_match():
    """No values, and as many outcomes as values instead of forecasts, are errors."""
    with pytest.raises(ValueError, match="last axis, but has shape"):
        crps(np.ones((3, 5)), np.ones(5))
    with pytest.raises(ValueError, match="last axis"):
        crps([], 1.0)


def test_brier_by_hand():
    """(0.01 + 0.04 + 0.25) / 3, and a forecast that is missing does not count."""
    assert_allclose(brier([0.1, 0.8, 0.5, NAN], [0, 1, 1, 1]), 0.1)
    assert_allclose(brier([0.1, 0.8, 0.5, 0.3], [0, 1, 1, NAN]), 0.1)


def test_brier_of_the_overall_share_is_its_variance():
    """Saying 0.3 to ten of which three happen scores 0.3 x 0.7; certainty that is right scores 0."""
    happened = [1] * 3 + [0] * 7

    assert_allclose(brier([0.3] * 10, happened), 0.21)
    assert brier(happened, happened) == 0
    assert np.isnan(brier([], []))


def test_brier_refuses_what_are_no_probabilities():
    """Per cent, other outcomes and lengths that differ are errors."""
    with pytest.raises(ValueError, match="p must lie between 0 and 1.*: 20"):
        brier([20, 0.5], [0, 1])
    with pytest.raises(ValueError, match="outcome must be 0 or 1.*: 2"):
        brier([0.2, 0.5], [0, 2])
    with pytest.raises(ValueError, match="same length, but are: p"):
        brier([0.2], [0, 1])


def test_reliability_by_hand():
    """Six forecasts in two bins of three, with Wilson's limits of 1 and 2 of 3."""
    table = reliability([0.9, 0.1, 0.2, 0.6, 0.7, 0.1], [1, 0, 1, 1, 0, 0], 2)

    assert table["n"].tolist() == [3, 3]
    assert_allclose(table["from_share"], [0.1, 0.6])
    assert_allclose(table["to_share"], [0.2, 0.9])
    assert_allclose(table["said_share"], [0.4 / 3, 2.2 / 3])
    assert table["n_happened"].tolist() == [1, 2]
    assert_allclose(table["happened_rate"], [1 / 3, 2 / 3])
    assert_allclose(table["happened_rate_low"], [0.061492, 0.207660], atol=1e-6)
    assert_allclose(table["happened_rate_high"], [0.792340, 0.938508], atol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_reliability_puts_every_forecast_in_one_bin(seed):
    """Bins do not overlap, hold about equally many, and their sums are those of all forecasts."""
    rng = np.random.default_rng(seed)
    p = rng.random(300)
    outcome = rng.random(300) < p

    table = reliability(p, outcome)

    assert table["n"].tolist() == [30] * 10
    assert (table["from_share"].to_numpy()[1:] > table["to_share"].to_numpy()[:-1]).all()
    assert_allclose((table["said_share"] * table["n"]).sum(), p.sum())
    assert table["n_happened"].sum() == outcome.sum()


def test_equal_probabilities_stay_together():
    """Ten forecasts with two different probabilities make two bins, however many are asked for."""
    table = reliability([0.2] * 7 + [0.6] * 3, [0, 1] * 5, 5)

    assert table["n"].tolist() == [7, 3]
    assert table["said_share"].tolist() == pytest.approx([0.2, 0.6])


def test_reliability_of_nothing_is_an_empty_table():
    """No forecasts, the same columns."""
    table = reliability([], [])

    assert len(table) == 0
    assert list(table) == list(reliability([0.5], [1]))


def test_reliability_takes_its_level_and_refuses_no_bins():
    """A higher level gives wider limits; less than one bin is an error."""
    wide, narrow = (reliability([0.5] * 9, [1, 0, 1] * 3, confidence=c) for c in (0.95, 0.5))

    assert wide["happened_rate_low"][0] < narrow["happened_rate_low"][0]
    with pytest.raises(ValueError, match="n_bins must be 1 or more, but is 0"):
        reliability([0.5], [1], 0)


def test_coverage_by_hand():
    """Three known outcomes, one on the edge, one outside: 2 of 3."""
    found = coverage([1, 2, 3, 4], [5, 6, 7, 8], [3, 6, 9, NAN])

    assert (found.n, found.n_covered) == (3, 2)
    assert_allclose(found[2:], [2 / 3, 0.207660, 0.938508], atol=1e-6)
    assert coverage([1], [5], [1]).n_covered == 1


def test_coverage_of_nothing_is_unknown():
    """No forecast with a known outcome has no rate."""
    found = coverage([NAN], [5], [3])

    assert found[:2] == (0, 0)
    assert np.isnan(found[2:]).all()


def test_coverage_refuses_limits_that_are_swapped():
    """A lower limit above the upper one is an error, and so is a level in per cent."""
    with pytest.raises(ValueError, match="low must not be above high.*: 6, 5"):
        coverage([6], [5], [5])
    with pytest.raises(ValueError, match="write 95 % as 0.95"):
        coverage([1], [5], [5], confidence=95)


def test_skill_by_hand():
    """Scores 2 3 4 3 against 5 6 6 7: 1 - 12/24; half the score everywhere is 0.5 without doubt."""
    found = skill([2, 3, 4, 3], [5, 6, 6, 7], seed=1)

    assert (found.value, found.n) == (0.5, 4)
    assert found.low < 0.5 < found.high
    assert_allclose(skill([1, 2, 3], [2, 4, 6], seed=1), [0.5, 0.5, 0.5, 3])


def test_skill_resamples_occasions_in_pairs():
    """A baseline that fails on the same occasions leaves less doubt than one that fails on others."""
    score, baseline = np.arange(1, 21.0), 1.5 * np.arange(1, 21.0) + 1

    paired, crossed = skill(score, baseline, seed=1), skill(score, baseline[::-1], seed=1)

    assert paired.value == pytest.approx(crossed.value)
    assert paired.high - paired.low < 0.2 * (crossed.high - crossed.low)


def test_skill_leaves_out_what_was_scored_once():
    """An occasion without one of the scores does not count."""
    found = skill([2, NAN, 4, 3], [4, 6, NAN, 6], seed=1)

    assert_allclose(found[:3], 0.5)
    assert found.n == 2


def test_skill_without_a_baseline_that_fails_is_unknown():
    """A perfect baseline cannot be beaten; one occasion has no interval; none has nothing."""
    assert np.isnan(skill([1, 2], [0, 0], seed=1)[:3]).all()
    assert np.isnan(skill([], [], seed=1)[:3]).all()
    single = skill([1], [4], seed=1)
    assert single.value == 0.75
    assert np.isnan([single.low, single.high]).all()
    assert np.isnan(skill([1, 2], [0, 4], seed=1).low)


def test_skill_repeats_with_its_seed_and_takes_its_level():
    """Seeds decide the draws, a higher level gives wider limits, negative scores are errors."""
    scores = [2, 3, 4, 9, 3], [5, 6, 6, 7, 4]
    first, again, other = (skill(*scores, seed=s) for s in (1, 1, 2))
    narrow = skill(*scores, seed=1, confidence=0.5)

    assert first == again != other
    assert first.low < narrow.low < narrow.high < first.high
    with pytest.raises(ValueError, match="scores must be 0 or more"):
        skill([-1], [1], seed=1)


def test_interval_of_skill_covers_the_truth():
    """Of 500 back-tests with 60 occasions about 95 % hold the true skill of 0.4."""
    rng = np.random.default_rng(7)
    held = 0
    for run in range(500):
        baseline = rng.gamma(3, 1, 60)
        score = baseline * 0.6 * rng.gamma(8, 1 / 8, 60)
        found = skill(score, baseline, seed=run, draws=500)
        held += found.low <= 0.4 <= found.high

    assert (
        abs(held / 500 - 0.95) < 3 * sqrt(0.95 * 0.05 / 500) + 0.01
    )  # percentile limits are a little short


def test_widening_by_hand():
    """Distances 0 1 2 3 5 10 at half-width 2: the 80 % quantile, the fifth of six, is 2.5 half-widths."""
    assert widening([10] * 6, [2] * 6, [10, 11, 12, 13, 15, 20]) == 2.5
    assert widening([10] * 6, [2] * 6, [10, 9, 8, 7, 5, 0]) == 2.5


def test_widening_never_narrows():
    """Intervals that held more than 80 % keep their width; without forecasts too."""
    assert widening([10] * 3, [5] * 3, [10, 11, 12]) == 1
    assert widening([], [], []) == 1
    assert widening([NAN, 10], [5, 0], [3, 20]) == 1


def test_widened_intervals_hold_80_percent():
    """Multiplied by the factor the intervals hold 80 % of the outcomes they were measured on."""
    rng = np.random.default_rng(3)
    median, half = rng.normal(size=201), rng.uniform(0.2, 0.5, 201)
    came = median + rng.normal(size=201)

    factor = widening(median, half, came)

    found = coverage(median - half * factor, median + half * factor, came)
    assert factor > 2
    assert_array_equal(found.n_covered, 161)


def test_widening_refuses_negative_widths():
    """A half-width below 0 is an error."""
    with pytest.raises(ValueError, match="half_width must be 0 or more.*: -1"):
        widening([1], [-1], [1])
