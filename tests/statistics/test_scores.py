"""Scores: hand-worked cases, published and simulated weightings, plain loops, calibration."""

import ast
from itertools import permutations
from math import exp, log
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from scipy.stats import beta, gamma

from salesanalysis.statistics.rates import mean, poisson_rate, weighted_sum
from salesanalysis.statistics.scores import (
    aggregate,
    amount_draws,
    mean_draws,
    parts_that_add_up,
    peer_band,
    points,
    rank_intervals,
    rate_draws,
    score_draws,
    share_draws,
    weight_robustness,
)

REFERENCE = Path(__file__).parents[1] / "reference"
NAN = float("nan")


def test_points_by_hand():
    """From floor to target in a straight line, 0 below, 100 above, either way round."""
    assert_allclose(points([10, 20, 35, 50, 60], 20, 50), [0, 0, 50, 100, 100])
    assert_allclose(points([10, 20, 35, 50, 60], 50, 20), [100, 100, 50, 0, 0])


def test_points_stop_at_the_cap():
    """A cap of 1.2 pays up to 120 points, one of .8 stops before the target."""
    assert_allclose(points([80, 110, 130], 0, 100, cap=1.2), [80, 110, 120])
    assert_allclose(points([70, 110], 0, 100, cap=0.8), [70, 80])


def test_points_of_a_missing_value_are_missing():
    """Not judged is not 0; an infinite value is at one end."""
    assert_array_equal(points([NAN, np.inf, -np.inf], 0, 1), [NAN, 100, 0])


def test_points_depend_on_the_own_value_only():
    """Somebody who joins moves nobody."""
    values = np.random.default_rng(1).normal(30, 9, 12)

    alone, joined = points(values, 20, 45), points(np.append(values, 500), 20, 45)

    assert_array_equal(joined[:-1], alone)


def test_points_take_anchors_of_each_kpi():
    """Anchors may differ by column."""
    found = points([[0.3, 30], [0.5, 90]], [0.2, 60], [0.4, 20])

    assert_allclose(found, [[50, 75], [100, 0]])


def test_points_refuse_anchors_that_span_nothing():
    """Equal or missing anchors, and a cap of 0, are errors."""
    with pytest.raises(ValueError, match=r"two different numbers, but are 5.0 and 5.0; correct"):
        points(3, 5, 5)
    with pytest.raises(ValueError, match=r"two different numbers, but are \[0.0, nan\]"):
        points([1, 2], [0, NAN], [1, 1])
    with pytest.raises(ValueError, match="cap must be a number above 0, but is 0; 1 stops"):
        points(3, 0, 5, cap=0)


def test_arithmetic_score_by_hand():
    """.5 * 80 + .3 * 40 + .2 * 100 = 72; weights in any proportion."""
    made = aggregate([80, 40, 100], [50, 30, 20])

    assert_allclose(made.score, 72)
    assert_allclose(made.contributions, [40, 12, 20])
    assert made.judged_share == 1


def test_geometric_score_by_hand():
    """Two KPIs of equal weight: the root of their product; points below 1 count as 1."""
    made = aggregate([[90, 40], [81, 0], [0, 0.5]], [1, 1], "geometric")

    assert_allclose(made.score, [60, 9, 1])
    assert_allclose(made.contributions[1], [9, 0], atol=1e-12)
    assert_allclose(made.contributions[2], [0.5, 0.5])


def test_contributions_of_a_geometric_score_are_shapley_shares_of_its_logarithm():
    """Each is the mean, over all orders in which KPIs come in, of the log it adds, scaled to the score."""
    row, weights = [90, 40, 55], np.array([0.5, 0.3, 0.2])
    added = np.zeros(3)
    for order in permutations(range(3)):
        value = 0.0
        for k in order:
            added[k] += weights[k] * log(row[k]) / 6
            value += weights[k] * log(row[k])

    made = aggregate(row, weights, "geometric")

    assert_allclose(made.contributions, exp(value) * added / value, rtol=1e-12)


def random_points(seed):
    """Points of 30 units on 5 KPIs, some at the ends, some not judged; one unit not judged at all."""
    rng = np.random.default_rng(seed)
    table = np.clip(rng.normal(55, 45, (30, 5)), 0, 100)
    table[rng.random(table.shape) < 0.2] = NAN
    table[7] = NAN
    return table, rng.dirichlet(np.ones(5))


@pytest.mark.parametrize("how", ["arithmetic", "geometric"])
@pytest.mark.parametrize("seed", range(10))
def test_contributions_add_up_to_the_score(how, seed):
    """Over the judged KPIs they sum to it to 1e-12; those not judged are NaN, none is negative."""
    table, weights = random_points(seed)

    made = aggregate(table, weights, how)

    judged = ~np.isnan(table).all(axis=1)
    assert_allclose(np.nansum(made.contributions, axis=1)[judged], made.score[judged], atol=1e-12)
    assert_array_equal(np.isnan(made.contributions), np.isnan(table))
    assert (made.contributions[~np.isnan(table)] >= 0).all()
    assert np.isnan(made.score[7])
    assert made.judged_share[7] == 0


@pytest.mark.parametrize("how", ["arithmetic", "geometric"])
def test_scores_equal_a_plain_loop(how):
    """Row by row over the judged KPIs with weights scaled to 1."""
    table, weights = random_points(3)
    expected, judged_share = [], []
    for row in table:
        judged = [(w, s) for w, s in zip(weights, row, strict=True) if s == s]
        total = sum(w for w, _ in judged)
        judged_share.append(total)
        if not judged:
            expected.append(NAN)
        elif how == "arithmetic":
            expected.append(sum(w * s for w, s in judged) / total)
        else:
            expected.append(exp(sum(w * log(max(s, 1)) for w, s in judged) / total))

    made = aggregate(table, weights, how)

    assert_allclose(made.score, expected, rtol=1e-12)
    assert_allclose(made.judged_share, judged_share, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_geometric_score_is_never_above_the_arithmetic(seed):
    """A weak KPI weighs more in it; where all KPIs are equal the two agree."""
    table, weights = random_points(seed)
    table = np.maximum(table, 1)

    arithmetic, geometric = (
        aggregate(table, weights, how).score for how in ("arithmetic", "geometric")
    )

    assert (geometric <= arithmetic + 1e-9)[~np.isnan(arithmetic)].all()
    assert_allclose(aggregate([63, 63], [1, 2], "geometric").score, 63)


def test_scores_without_a_judged_weight_are_unknown():
    """If only KPIs of weight 0 are judged there is no score, and no share of the weights."""
    for how in ("arithmetic", "geometric"):
        made = aggregate([[NAN, 50]], [1, 0], how)
        assert np.isnan(made.score).all()
        assert np.isnan(made.contributions).all()
        assert made.judged_share == 0


def test_aggregate_changes_none_of_its_arguments():
    """The caller's tables are as they were."""
    table, weights = random_points(1)
    copies = table.copy(), weights.copy()

    aggregate(table, weights, "geometric")

    assert_array_equal(table, copies[0])
    assert_array_equal(weights, copies[1])


def test_aggregate_refuses_what_has_no_score():
    """Weights that do not match, are negative or all 0, and an unknown way."""
    with pytest.raises(ValueError, match=r"shape \(1, 2\) and weights \(3,\)"):
        aggregate([[1, 2]], [1, 1, 1])
    with pytest.raises(ValueError, match=r"0 or more, and one above 0, but are \[2.0, -1.0\]"):
        aggregate([[1, 2]], [2, -1])
    with pytest.raises(ValueError, match=r"one above 0, but are \[0.0, 0.0\]"):
        aggregate([[1, 2]], [0, 0])
    with pytest.raises(ValueError, match=r"but are \[nan, 1.0\]"):
        aggregate([[1, 2]], [NAN, 1])
    with pytest.raises(ValueError, match="'arithmetic' or 'geometric', but is 'harmonic'"):
        aggregate([[1, 2]], [1, 1], "harmonic")


def test_weight_robustness_equals_the_closed_form():
    """The shares of the reference table, by another formula, to 1e-9."""
    table = pd.read_csv(REFERENCE / "smaa_pairwise_exact.csv")

    found = [
        weight_robustness(ast.literal_eval(d), np.zeros(len(ast.literal_eval(d))))
        for d in table["d"]
    ]

    assert_allclose(found, table["exact"], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("ahead", "share"),
    [
        ([1, -2], 1 / 3),
        ([1, 1, -1], 3 / 4),
        ([5, 2], 1),
        ([-5, -2], 0),
        ([3, 0], 1),
        ([-3, 0], 0),
        ([0, 0], 0),
    ],
)
def test_weight_robustness_by_hand(ahead, share):
    """Areas of a segment and a triangle; leading nowhere is 0, trailing nowhere is 1."""
    assert_allclose(weight_robustness(np.add(40, ahead), [40] * len(ahead)), share, atol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_weight_robustness_equals_simulated_weightings(seed):
    """Within 4 standard errors of 200 000 weightings, with equal differences among them."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 6, 6) * 20.0, rng.integers(0, 6, 6) * 20.0
    weightings = rng.dirichlet(np.ones(6), 200_000)
    simulated = np.mean(weightings @ a > weightings @ b)

    exact = weight_robustness(a, b)

    assert abs(exact - simulated) < 4 * np.sqrt(0.25 / 200_000)
    assert_allclose(exact + weight_robustness(b, a), 1, atol=1e-9)


def test_weight_robustness_knows_no_unit_and_no_order():
    """Scale of the points and order of the KPIs change nothing."""
    a, b = np.array([70, 20, 55, 90]), np.array([60, 45, 50, 91])
    share = weight_robustness(a, b)

    assert 0 < share < 1
    assert_allclose(weight_robustness(a / 7, b / 7), share, rtol=1e-12)
    assert_allclose(weight_robustness(a[[2, 0, 3, 1]], b[[2, 0, 3, 1]]), share, rtol=1e-12)


def test_weight_robustness_leaves_out_what_is_not_judged_for_both():
    """A KPI missing for either counts for neither; with none left nothing is known."""
    assert_allclose(weight_robustness([60, 40, NAN], [50, 60, 9]), 1 / 3)
    assert np.isnan(weight_robustness([NAN, 40], [50, NAN]))
    with pytest.raises(ValueError, match=r"shapes \(2,\) and \(3,\)"):
        weight_robustness([1, 2], [1, 2, 3])


def spread_of(drawn, expected, draws):
    """Greatest gap between the distribution of draws and the expected one (Kolmogorov), times root draws."""
    drawn = np.sort(drawn)
    steps = np.arange(1, draws + 1) / draws
    return np.abs(expected.cdf(drawn) - steps).max() * np.sqrt(draws)


def test_draws_have_their_distributions():
    """Beta and gamma with half an event more, t around the mean: Kolmogorov's gap below its 0.1 % limit."""
    drawn = {
        "share": (share_draws([3, 40], [20, 50], seed=1), [beta(3.5, 17.5), beta(40.5, 10.5)]),
        "rate": (
            rate_draws([0, 12], [4, 6], seed=2),
            [gamma(0.5, scale=1 / 4), gamma(12.5, scale=1 / 6)],
        ),
    }
    for name, (table, expected) in drawn.items():
        assert table.shape == (10_000, 2), name
        for k, distribution in enumerate(expected):
            assert spread_of(table[:, k], distribution, 10_000) < 1.95, name


def test_mean_draws_hold_the_t_interval():
    """Their quantiles are the limits of the mean, which are exact."""
    sums = (8, 40.0, 260.0)

    drawn = mean_draws(*([x] for x in sums), seed=3, draws=100_000)[:, 0]

    _, low, high = mean(*sums)
    assert_allclose(np.quantile(drawn, [0.025, 0.5, 0.975]), [low, 5, high], atol=0.03)


def test_amount_draws_of_ones_are_the_draws_of_counts():
    """Where every amount is 1, and the usual one too, the sum is a count."""
    events = np.array([0, 3, 20])

    assert_allclose(
        amount_draws(events, events, usual=1, seed=4),
        rate_draws(events, [1, 1, 1], seed=4),
        rtol=1e-12,
    )


def test_amount_draws_match_mean_and_variance():
    """Sum and sum of squares, each with half a usual event more; within the exact interval."""
    total, squares = np.array([60.0, 500.0]), np.array([1400.0, 30_000.0])

    drawn = amount_draws(total, squares, usual=20, seed=5, draws=100_000)

    assert_allclose(drawn.mean(axis=0), total + 10, rtol=0.005)
    assert_allclose(drawn.var(axis=0), squares + 200, rtol=0.03)
    low, high = weighted_sum(total, squares, largest=100)
    assert (np.quantile(drawn, 0.025, axis=0) >= low).all()
    assert (np.quantile(drawn, 0.975, axis=0) <= high).all()


def test_share_and_rate_draws_lie_within_the_exact_intervals():
    """Half an event more keeps the middle 95 % of the draws of a rate inside Garwood's limits."""
    events = np.array([0, 1, 5, 30])
    _, low, high = poisson_rate(events, 3)

    inner = np.quantile(rate_draws(events, [3] * 4, seed=6, draws=40_000), [0.025, 0.975], axis=0)

    assert (inner[0] >= low).all()
    assert (inner[1] <= high).all()


def test_draws_of_what_is_not_known_are_missing():
    """No trials, no exposure, fewer than two values, refunds or missing sums give NaN in every draw."""
    for drawn in (
        share_draws([5, 0, NAN, 2], [9, 0, 5, NAN], seed=1, draws=50),
        rate_draws([5, 0, NAN, 2], [9, 0, 5, NAN], seed=1, draws=50),
        amount_draws([5, 5, -5, NAN], [25, 61, 25, 25], usual=3, seed=1, draws=50),
        mean_draws([5, 1, 0, NAN], [10, 5, 0, 3], [30, 25, 0, 4], seed=1, draws=50),
    ):
        assert np.isfinite(drawn[:, 0]).all()
        assert np.isnan(drawn[:, 1:]).all()


def test_draws_repeat_with_their_seed_and_differ_with_another():
    """Same seed, same draws; KPIs with seeds of their own have errors that do not go together."""
    one, again, other = (
        rate_draws([12] * 40, [6] * 40, seed=seed, draws=500) for seed in ((7, 1), (7, 1), (7, 2))
    )

    assert_array_equal(one, again)
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 4 / np.sqrt(20_000)


def test_draws_refuse_impossible_numbers():
    """More successes than trials, negative counts, sums of nothing, a usual amount of 0, tables."""
    with pytest.raises(ValueError, match="between 0 and trials, .* position 1: 6, 5"):
        share_draws([1, 6], [5, 5], seed=1)
    with pytest.raises(ValueError, match="must be 0 or more, .* position 0: -1, 5"):
        rate_draws([-1], [5], seed=1)
    with pytest.raises(ValueError, match="usual must be an amount above 0, but is 0"):
        amount_draws([5], [25], usual=0, seed=1)
    with pytest.raises(ValueError, match="sum_of_squares must be above 0"):
        amount_draws([5], [0], usual=1, seed=1)
    with pytest.raises(ValueError, match="at least total squared over n"):
        mean_draws([3], [6], [11], seed=1)
    with pytest.raises(ValueError, match=r"one number for each unit is needed, .* \(1, 2\)"):
        rate_draws([[1, 2]], [[5, 5]], seed=1)


def test_score_draws_are_the_scores_of_each_draw():
    """Draw by draw and unit by unit they are what points and aggregate give, also in blocks."""
    rng = np.random.default_rng(2)
    values = rng.normal(30, 25, (400, 3, 2))
    values[:, 1, 1] = NAN
    values[:, 2, :] = NAN
    anchors = [20, 50], [45, 15], [3, 1]

    for how in ("arithmetic", "geometric"):
        drawn = score_draws(values, *anchors, how=how, cap=1.2)

        assert drawn[:, 0].max() > 100
        for draw in range(0, 400, 7):
            for unit in range(3):
                row = [
                    points(values[draw, unit, k], anchors[0][k], anchors[1][k], cap=1.2)
                    for k in range(2)
                ]
                assert_allclose(drawn[draw, unit], aggregate(row, anchors[2], how).score)


def test_score_draws_do_not_depend_on_the_size_of_a_block(monkeypatch):
    """Cut into blocks of one draw the scores are the same."""
    values = np.random.default_rng(2).normal(30, 10, (50, 3, 2))
    whole = score_draws(values, [20, 50], [45, 15], [3, 1])

    monkeypatch.setattr("salesanalysis.statistics.scores._BLOCK", 1)

    assert_array_equal(score_draws(values, [20, 50], [45, 15], [3, 1]), whole)
    with pytest.raises(ValueError, match=r"draws x units x KPIs, but have shape \(3, 2\)"):
        score_draws(values[0], [20, 50], [45, 15], [3, 1])


def test_rank_intervals_by_hand():
    """Three units in four draws: ranks counted, shares of the draws of each above the next."""
    drawn = [[90, 50, 40], [80, 60, 70], [70, 80, 30], [95, 20, 10]]

    found = rank_intervals(drawn, pd.Series([84, 52, 38], ["x", "y", "z"]), seed=1)

    assert found.index.tolist() == ["x", "y", "z"]
    assert found["rank_low"].tolist() == [1, 1, 2]
    assert found["rank_high"].tolist() == [2, 3, 3]
    assert_array_equal(found["above_next_share"], [0.75, 0.75, NAN])


@pytest.mark.parametrize(("ahead", "low"), [(4, 2), (6, 1)])
def test_rank_intervals_leave_a_twentieth_on_each_side(ahead, low):
    """A unit that leads in 4 of 100 draws is second; one that leads in 6 may be first."""
    drawn = np.tile([60.0, 50.0], (100, 1))
    drawn[:ahead] = [50, 60]

    found = rank_intervals(drawn, [60, 50], seed=1)

    assert found.loc[1, ["rank_low", "rank_high"]].tolist() == [low, 2]
    assert found.loc[0, ["rank_low", "rank_high"]].tolist() == [1, 3 - low]


def test_rank_intervals_are_in_order_of_the_score_seen():
    """The highest first, whatever the order given; each keeps its label and its own draws."""
    rng = np.random.default_rng(4)
    drawn = rng.normal([20, 60, 40], 5, (2000, 3))
    score = pd.Series([20.0, 60.0, 40.0], ["low", "high", "middle"])

    found = rank_intervals(drawn, score, seed=1)

    assert found.index.tolist() == ["high", "middle", "low"]
    assert found["score"].tolist() == [60, 40, 20]
    assert_allclose(found["score_low"], [60 - 9.8, 40 - 9.8, 20 - 9.8], atol=0.7)
    assert_allclose(found["score_high"], [60 + 9.8, 40 + 9.8, 20 + 9.8], atol=0.7)
    assert found["rank_low"].tolist() == [1, 2, 3]
    wider = rank_intervals(drawn, score, seed=1, confidence=0.99)
    assert (wider["score_low"] < found["score_low"]).all()
    order = [2, 0, 1]
    moved = rank_intervals(drawn[:, order], score.iloc[order], seed=1)
    assert_frame_equal(
        moved.drop(columns=["rank_low", "rank_high"]), found.drop(columns=["rank_low", "rank_high"])
    )


def test_ranks_of_units_that_tie_do_not_follow_their_place():
    """Ten units at the cap in every draw: each may have any rank, and is above the next half the time."""
    drawn = np.full((4000, 10), 100.0)
    drawn[:, ::2] += 1e-13  # rounding is no lead

    found = rank_intervals(drawn, np.full(10, 100.0), seed=1)

    assert (found["rank_low"] == 1).all()
    assert (found["rank_high"] == 10).all()
    assert_array_equal(found["above_next_share"], [0.5] * 9 + [NAN])


def test_ties_are_broken_only_among_those_that_tie():
    """Two at the cap share ranks 1 and 2 in either order; the third is always third."""
    drawn = np.tile([100.0, 100.0, 99.9999], (1000, 1))

    found = rank_intervals(drawn, [100, 100, 99.9999], seed=1)

    assert found[["rank_low", "rank_high"]].to_numpy().tolist() == [[1, 2], [1, 2], [3, 3]]
    assert found["above_next_share"].tolist()[:2] == [0.5, 1]


def test_units_that_cannot_be_judged_are_not_ranked():
    """They come last, with NaN, and take no rank from the others."""
    drawn = np.random.default_rng(1).normal([50, 0, 40, 60], 1, (500, 4))
    drawn[:, 1] = NAN

    found = rank_intervals(drawn, pd.Series([50, NAN, 40, NAN], list("abcd")), seed=1)

    assert found.index[:2].tolist() == ["a", "c"]
    assert found["rank_high"].iloc[:2].tolist() == [1, 2]
    assert found.iloc[2:].isna().all(axis=None)
    assert np.isnan(found["above_next_share"].iloc[1])
    nobody = rank_intervals(np.full((5, 2), NAN), [NAN, NAN], seed=1)
    assert nobody.isna().all(axis=None)


def test_rank_intervals_refuse_draws_that_do_not_match():
    """One score for each column of the draws, at least one draw, a possible level."""
    with pytest.raises(ValueError, match=r"drawn has shape \(2, 3\) and score \(2,\)"):
        rank_intervals(np.ones((2, 3)), [1, 2], seed=1)
    with pytest.raises(ValueError, match=r"at least one draw, .* \(0, 2\)"):
        rank_intervals(np.ones((0, 2)), [1, 2], seed=1)
    with pytest.raises(ValueError, match="write 95 % as 0.95"):
        rank_intervals(np.ones((2, 2)), [1, 2], seed=1, confidence=95)


def test_ranks_and_order_are_as_certain_as_said():
    """
    Where true values come from the prior the draws assume, what is said happens.

    Of 400 teams of 8, two KPIs each: at least 90 % of rank intervals hold the true rank, 95 %
    of score intervals the true score, and the share said to be above the next one is above.
    """
    rng = np.random.default_rng(12)
    held_rank, held_score, said, happened = [], [], [], []
    for run in range(400):
        shares, rates = rng.beta(0.5, 0.5, 8), rng.gamma(0.5, 20, 8)
        won, events = rng.binomial(40, shares), rng.poisson(rates * 3)
        anchors = [0.0, 0.0], [1.0, 100.0], [1, 1]
        truth = score_draws(np.stack([shares, rates], axis=-1)[None], *anchors)[0]
        values = np.stack(
            [
                share_draws(won, [40] * 8, seed=(run, 1), draws=400),
                rate_draws(events, [3] * 8, seed=(run, 2), draws=400),
            ],
            axis=-1,
        )
        seen = score_draws(values, *anchors)

        found = rank_intervals(seen, seen.mean(axis=0), seed=run)

        truth = truth[found.index]
        rank = 8 - np.argsort(np.argsort(truth))
        held_rank += list((found["rank_low"] <= rank) & (rank <= found["rank_high"]))
        held_score += list((found["score_low"] <= truth) & (truth <= found["score_high"]))
        said += list(found["above_next_share"][:-1])
        happened += list(truth[:-1] > truth[1:])
    said, happened = np.array(said), np.array(happened)

    assert np.mean(held_rank) > 0.9
    assert abs(np.mean(held_score) - 0.95) < 0.015
    for low, high in ((0, 0.7), (0.7, 0.9), (0.9, 1)):
        within = (said >= low) & (said <= high)
        error = np.sqrt(said[within] @ (1 - said[within])) / within.sum()
        assert abs(said[within].mean() - happened[within].mean()) < 3 * error + 0.005


def test_parts_are_rounded_by_the_largest_remainder():
    """Three equal thirds of 100 show 34, 33, 33; the whole unit goes where most was lost."""
    assert parts_that_add_up([100 / 3] * 3, 100, 0).tolist() == [34, 33, 33]
    assert parts_that_add_up([10.2, 20.7, 30.6], 61.5, 0).tolist() == [10, 21, 31]
    assert parts_that_add_up([1250.0, 1250.0], 2500, -3).tolist() == [1000, 1000]


@pytest.mark.parametrize("digits", [0, 1, 2, -1])
@pytest.mark.parametrize("seed", range(10))
def test_rounded_parts_add_up(digits, seed):
    """They sum to the rounded total, each within a unit of its value and on its side of 0."""
    rng = np.random.default_rng(seed)
    values = rng.normal(5, 40, 9) * rng.choice([1, 0.01, 10], 9)
    values[4] = NAN
    parts, unit = values[~np.isnan(values)], 10.0**-digits

    shown = parts_that_add_up(values, parts.sum(), digits)

    assert np.isnan(shown[4])
    shown = shown[~np.isnan(shown)]
    assert_allclose(shown.sum(), round(parts.sum(), digits), atol=1e-9)
    assert (np.abs(shown - parts) < unit).all()
    assert ((np.sign(shown) == np.sign(parts)) | (shown == 0)).all()
    assert not np.signbit(shown[shown == 0]).any()
    assert_allclose(np.round(shown / unit), shown / unit, atol=1e-6)


def test_nothing_is_shown_as_minus_nothing():
    """A part of -0, and a small loss that rounds to 0, are 0 without a sign."""
    shown = parts_that_add_up([-0.0, -0.2, 5.2], 5, 0)

    assert shown.tolist() == [0, 0, 5]
    assert not np.signbit(shown).any()


def test_the_total_is_rounded_as_pages_round_it():
    """Halves go to the even digit of the decimal text, so 2.675 is shown as 2.68 and 2.5 as 2."""
    assert parts_that_add_up([2.675], 2.675, 2).tolist() == [2.68]
    assert parts_that_add_up([1.25, 1.25], 2.5, 0).tolist() == [1, 1]
    assert parts_that_add_up([1.75, 1.75], 3.5, 0).tolist() == [2, 2]


def test_parts_of_a_score_that_is_not_judged_are_missing():
    """No part and no total is no error, but a total without parts is."""
    assert np.isnan(parts_that_add_up([NAN, NAN], NAN, 0)).all()
    with pytest.raises(ValueError, match="add up to 0 and the total is 5"):
        parts_that_add_up([NAN], 5, 0)


def test_parts_that_do_not_add_up_are_refused():
    """Rounding is not to hide that a part is missing."""
    with pytest.raises(ValueError, match="they add up to 60.2 and the total is 60"):
        parts_that_add_up([30.1, 30.1], 60, 0)
    with pytest.raises(ValueError, match="add up to inf and the total is inf"):
        parts_that_add_up([np.inf], np.inf, 0)
    with pytest.raises(ValueError, match="the total is nan"):
        parts_that_add_up([1.0], NAN, 0)


def harrell_davis(values, level):
    """Quantile as a mean of the sorted values, its weights found by counting 400 000 beta draws."""
    n = len(values)
    draws = np.random.default_rng(0).beta((n + 1) * level, (n + 1) * (1 - level), 400_000)
    weights = np.bincount(np.minimum((draws * n).astype(int), n - 1), minlength=n) / len(draws)
    return np.sort(values) @ weights


def test_peer_band_is_harrell_davis_quartiles():
    """Each end is the mean of the sorted values, weighted by a beta distribution cut in n parts."""
    values = [40, 91, 55, 60, 70, 12, 88]

    low, high = peer_band([*values, NAN])

    assert_allclose(
        [low, high], [harrell_davis(values, 0.25), harrell_davis(values, 0.75)], atol=0.2
    )


@pytest.mark.parametrize("seed", range(20))
def test_no_end_of_a_band_is_the_value_of_a_member(seed):
    """Also with the ties that ordinary quartiles would repeat, and it lies within the group."""
    rng = np.random.default_rng(seed)
    values = rng.choice([0.0, 50.0, 62.5, 80.0, 100.0], rng.integers(5, 15))
    values[:2] = 0, 100

    low, high = peer_band(values)

    assert values.min() < low < high < values.max()
    assert np.abs(np.subtract.outer(values, [low, high])).min() > 1e-6
    assert_allclose(peer_band(rng.permutation(values)), [low, high], rtol=1e-12)


def test_bands_of_small_or_equal_groups_are_not_given():
    """Fewer than five judged members, or five alike, would show what they are."""
    assert np.isnan(peer_band([10, 20, 30, 40, NAN, NAN])).all()
    assert np.isnan(peer_band([])).all()
    assert np.isnan(peer_band([70] * 6)).all()
    assert np.isfinite(peer_band([10, 20, 30, 40], least=4)).all()
    assert np.isnan(peer_band([10, 20, 30, 40, 50], least=6)).all()
    with pytest.raises(ValueError, match="least must be 4 or more, but is 3: a member"):
        peer_band([1, 2, 3], least=3)
