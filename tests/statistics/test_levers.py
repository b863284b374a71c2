"""Stage levers: the published reference, draws written out plainly, calibration, and the pace of events in clusters."""

import itertools
import math
import random

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from salesanalysis.statistics.levers import benchmark, levers, ratio_of_paces

N = np.array([300, 167, 106, 50])
RATE = np.array([167, 106, 50, 34]) / N
OTHERS = np.array([0.60, 0.66, 0.62, 0.64])
NAN = float("nan")


def test_the_reference_of_four_steps():
    """At the third step 100 W gains 3.49 (1.23 to 6.07), and it is the top lever with probability .947."""
    table = levers(RATE, N, OTHERS, seed=1, weight=100)

    assert_allclose(table.loc[2, ["gain", "gain_low", "gain_high"]], [3.49, 1.23, 6.07], atol=0.05)
    assert table.loc[2, "top_share"] == pytest.approx(0.947, abs=0.006)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_draws_written_out(seed):
    """Drawing beta variates one by one in plain Python gives the same quantiles and shares of first places."""
    rng = random.Random(seed)
    rates = [rng.uniform(0.3, 0.9) for _ in range(4)]
    n = [rng.randint(20, 400) for _ in range(4)]
    others = [rate + rng.uniform(-0.05, 0.1) for rate in rates]
    gains, firsts = [[] for _ in range(4)], [0] * 4
    for _ in range(20_000):
        p = [
            rng.betavariate(rate * of + 0.5, of - rate * of + 0.5)
            for rate, of in zip(rates, n, strict=True)
        ]
        gain = [math.prod(p) * max(b / one - 1, 0) for b, one in zip(others, p, strict=True)]
        for step in range(4):
            gains[step].append(gain[step])
        if max(gain) > 0:
            firsts[gain.index(max(gain))] += 1

    table = levers(rates, n, others, seed=1)

    wide = [sorted(part)[-500] for part in gains]
    for name, place in (("gain", 10_000), ("gain_low", 500), ("gain_high", 19_500)):
        expected = [sorted(part)[place] for part in gains]
        assert_allclose(table[name], expected, atol=0.05 * max(wide))
    assert_allclose(table["top_share"], [count / 20_000 for count in firsts], atol=0.02)


def test_the_lowest_rate_is_often_not_the_truly_lowest():
    """
    With 100, 300 and 1000 leads the lowest observed rate is the truly lowest in 57, 74 and 94 % of runs; where a step
    is called first with probability 1/2 or more it is right more often than that, and nearly always above .9.
    """
    truth = np.array([0.60, 0.66, 0.55, 0.64])
    rng = np.random.default_rng(4)
    for leads, published in ((100, 0.57), (300, 0.74), (1000, 0.94)):
        right, called, sure = [], [], []
        for _ in range(500):
            n = [leads]
            for p in truth:
                n.append(int(rng.binomial(n[-1], p)))
            rate = np.array([k / of if of else NAN for of, k in itertools.pairwise(n)])
            right.append(np.nanargmin(rate) == 2)
            table = levers(rate, n[:-1], OTHERS, seed=1, draws=1000)
            top = table["top_share"].fillna(0)
            if top.max() >= 0.5:
                called.append(top.idxmax() == 2)
            if top.max() >= 0.9:
                sure.append(top.idxmax() == 2)
        assert np.mean(right) == pytest.approx(published, abs=3 * math.sqrt(0.25 / 500))
        assert np.mean(called) >= np.mean(right) - 0.02
        assert np.mean(sure) > 0.9


def test_the_probability_is_calibrated_and_the_interval_covers():
    """
    With true rates drawn from the prior a step said to be first with probability P is first in P of the cases, and the
    95 % interval holds the true gain in 95 %.
    """
    rng = np.random.default_rng(7)
    others = np.array([0.6, 0.7, 0.5])
    said, happened, covered = [], [], []
    for _ in range(800):
        p = rng.beta(0.5, 0.5, 3)
        n = np.array([60, 40, 30])
        table = levers(rng.binomial(n, p) / n, n, others, seed=int(rng.integers(1e9)), draws=1000)
        gain = p.prod() * np.maximum(others / p - 1, 0)
        said += table["top_share"].tolist()
        happened += [bool(gain.max() > 0 and step == gain.argmax()) for step in range(3)]
        covered += ((table["gain_low"] <= gain) & (gain <= table["gain_high"])).tolist()

    said, happened = np.array(said), np.array(happened)
    for low, high in ((0, 0.1), (0.1, 0.5), (0.5, 0.9), (0.9, 1.01)):
        part = (said >= low) & (said < high)
        error = 3 * math.sqrt(0.25 / part.sum()) + 0.01
        assert part.sum() > 50
        assert happened[part].mean() == pytest.approx(said[part].mean(), abs=error)
    # Where the truth gains nothing an interval from exactly 0 holds it: the coverage may be above.
    assert np.mean(covered) > 0.95 - 3 * math.sqrt(0.05 * 0.95 / 800)


def test_gains_are_worth_their_weight():
    """Weights scale gain and interval and decide which step is first; equal ones leave the shares as they are."""
    one = levers(RATE, N, OTHERS, seed=1)
    ten = levers(RATE, N, OTHERS, seed=1, weight=10)
    last = levers(RATE, N, OTHERS, seed=1, weight=[1, 1, 0, 1])

    for name in ("gain", "gain_low", "gain_high"):
        assert_allclose(ten[name], 10 * one[name], rtol=1e-12)
    assert_allclose(ten["top_share"], one["top_share"], atol=0)
    assert last.loc[2, "gain"] == last.loc[2, "top_share"] == 0
    assert last.loc[0, "top_share"] > 0.4


def test_bounds_hold_and_shares_add_up_to_at_most_one():
    """low <= gain <= high, nothing below 0; shares of first places sum to 1 less the draws in which no step gains."""
    table = levers(RATE, N, OTHERS, seed=1)
    nothing = levers(RATE, N * 1000, RATE - 0.1, seed=1)

    assert (table["gain_low"] >= 0).all()
    assert (table["gain_low"] <= table["gain"]).all()
    assert (table["gain"] <= table["gain_high"]).all()
    assert 0.99 < table["top_share"].sum() <= 1 + 1e-12
    assert (nothing[["gain", "gain_high", "top_share"]] == 0).all(axis=None)


def test_many_cases_give_the_plain_formula():
    """With a million cases a step the gain is W (b / p - 1), and only the largest is first."""
    table = levers(RATE, [1e6] * 4, OTHERS, seed=1)

    expected = RATE.prod() * np.maximum(OTHERS / RATE - 1, 0)
    assert_allclose(table["gain"], expected, atol=2e-4)
    assert table["top_share"].tolist() == [0, 0, 1, 0]


def test_chains_are_multiplied_apart_and_compete():
    """Two chains with equal steps gain alike and share the first places; the rates of one are no factor of the other."""
    table = levers([0.5, 0.5], [1e6, 1e6], [0.6, 0.6], seed=1, chain=["x", "y"])

    assert_allclose(table["gain"], [0.1, 0.1], atol=1e-3)
    assert_allclose(table["top_share"], [0.5, 0.5], atol=0.02)
    together = levers([0.5, 0.5], [1e6, 1e6], [0.6, 0.6], seed=1)
    assert_allclose(together["gain"], [0.05, 0.05], atol=1e-3)


def test_a_step_that_few_pass_is_no_factor():
    """A step outside of the product leaves W to the others and gains W (b / p - 1) itself."""
    table = levers([0.5, 0.8], [1e6, 1e6], [0.6, 0.9], seed=1, is_common=[True, False])

    assert_allclose(table["gain"], [0.5 * 0.2, 0.5 * 0.125], atol=1e-3)


def test_what_is_not_known_is_missing():
    """
    Without a benchmark a step has no gain and the others do; an unknown rate takes its chain along, but not another
    chain, and not its own chain where it is no factor.
    """
    no_benchmark = levers(RATE, N, [0.6, NAN, 0.62, 0.64], seed=1)
    rates = [0.5, NAN, 0.5]
    in_chain = levers(rates, [50] * 3, [0.6] * 3, seed=1, chain=["a", "a", "b"])
    beside = levers(rates[:2], [50] * 2, [0.6] * 2, seed=1, is_common=[True, False])

    assert no_benchmark.isna().all(axis=1).tolist() == [False, True, False, False]
    assert no_benchmark["top_share"].sum() > 0.95
    assert in_chain.isna().all(axis=1).tolist() == [True, True, False]
    assert in_chain.loc[2, "top_share"] > 0.8
    assert beside.isna().all(axis=1).tolist() == [False, True]
    assert levers([0.5], [0], [0.6], seed=1).isna().all(axis=None)
    assert levers([], [], [], seed=1).empty


def test_confidence_draws_and_seed_matter():
    """A higher level is wider; one seed gives one result, another a slightly different one."""
    narrow, wide = (levers(RATE, N, OTHERS, seed=1, confidence=level) for level in (0.5, 0.99))

    assert (wide["gain_high"] > narrow["gain_high"]).all()
    assert wide.loc[2, "gain_low"] < narrow.loc[2, "gain_low"]
    pd.testing.assert_frame_equal(narrow, levers(RATE, N, OTHERS, seed=1, confidence=0.5))
    assert levers(RATE, N, OTHERS, seed=2).loc[2, "gain"] != narrow.loc[2, "gain"]


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"rate": [0.5, 1.2]}, "rate must lie between 0 and 1, but 1 of 2 are not, the first at position 1: 1.2"),
        ({"n": [-3, 5]}, "n must be 0 or more, but 1 of 2 are not, the first at position 0: -3"),
        ({"weight": -1}, "weight must be 0 or more, but 2 of 2"),
        ({"draws": 10}, "draws must be 1000 or more, but is 10"),
        ({"confidence": 95}, "confidence must lie between 0 and 1"),
    ],
)  # fmt: skip
def test_impossible_numbers_are_refused(keywords, message):
    """Rates, counts, weights, draws and levels that cannot be are named, with what was found."""
    given = {"rate": [0.5, 0.6], "n": [10, 10], "benchmark_rate": [0.6, 0.6], "seed": 1} | keywords
    with pytest.raises(ValueError, match=message):
        levers(given.pop("rate"), given.pop("n"), given.pop("benchmark_rate"), **given)


def posterior_means(rates, n):
    """Posterior mean rates of a normal-logit model on the grid of the guide, in plain loops."""
    overall = sum(r * of for r, of in zip(rates, n, strict=True)) / sum(n)
    offset = math.log(overall / (1 - overall))
    effects = np.linspace(-3, 3, 241)
    taus = np.concatenate([[0], np.geomspace(0.03, 1.5, 30)])
    share = 1 / (1 + np.exp(-(offset + effects)))
    prior = []
    for tau in taus[1:]:
        density = np.exp(-((effects / tau) ** 2) / 2)
        prior.append(density / density.sum())
    likelihood = [
        share ** (r * of) * (1 - share) ** (of - r * of) for r, of in zip(rates, n, strict=True)
    ]
    likelihood = [one / one.max() for one in likelihood]
    weight = (taus * np.gradient(taus))[1:]
    for one in likelihood:
        weight = weight * np.array([(one * of_tau).sum() for of_tau in prior])
    weight /= weight.sum()
    means = []
    for one in likelihood:
        mean = 0.0
        for of_tau, w in zip(prior, weight, strict=True):
            posterior = one * of_tau
            mean += w * (posterior * share).sum() / posterior.sum()
        means.append(mean)
    return means


@pytest.mark.parametrize("seed", range(3))
def test_the_benchmark_is_the_quantile_of_the_posterior_means(seed):
    """On random groups, effective numbers that are not whole included, it is the grid posterior written out."""
    rng = np.random.default_rng(seed)
    n = rng.uniform(5, 300, 7)
    rates = rng.beta(20, 20, 7)
    means = posterior_means(rates, n)

    value, groups = benchmark(list("abcdefg"), rates, n)

    assert_allclose(groups["rate"], means, atol=1e-9)
    ordered = sorted(means)
    assert value == pytest.approx(ordered[4] + 0.5 * (ordered[5] - ordered[4]), abs=1e-9)
    assert groups.index[groups["is_reached"]].tolist() == sorted(
        name for name, mean in zip("abcdefg", means, strict=True) if mean >= value
    )


def test_a_group_with_few_cases_does_not_set_the_benchmark():
    """Three of three beside groups of hundreds at 50 % leaves the benchmark near 50 %."""
    value, groups = benchmark(["a", "b", "c", "tiny"], [0.5, 0.52, 0.48, 1.0], [400, 400, 400, 3])

    assert value < 0.53
    assert groups.loc["tiny", "rate"] < 0.56


def test_a_higher_quantile_is_reached_by_fewer():
    """The median is reached by half of the groups, the maximum by one; equal groups all reach theirs."""
    units, rates, n = list("abcd"), [0.4, 0.5, 0.6, 0.7], [200] * 4
    half, most = (benchmark(units, rates, n, quantile=level) for level in (0.5, 1.0))

    assert half[1]["is_reached"].sum() == 2
    assert most[1]["is_reached"].sum() == 1
    assert most[0] > half[0]
    assert benchmark(units, [0.5] * 4, n)[1]["is_reached"].all()


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_where_all_or_none_pass_that_is_the_benchmark(rate):
    """There is nothing to reach beyond; one group alone has no benchmark at all."""
    value, groups = benchmark(["a", "b"], [rate, rate], [20, 3])

    assert value == rate
    assert groups["is_reached"].tolist() == [True, True]
    alone, none = benchmark(["a"], [0.5], [20])
    assert math.isnan(alone)
    assert none.empty


def clustered_cases(rng, n, pace):
    """Events and time of cases of which each has a pace of its own."""
    time = rng.uniform(1, 15, n)
    return rng.poisson(pace * rng.gamma(2, 0.5, n) * time), time


def sums(events, time):
    return [events.sum(), time.sum(), (events**2).sum(), (events * time).sum(), (time**2).sum()]


def jackknife_variance(events, time):
    """Variance of the logarithm of a pace, each case left out once."""
    left = [
        math.log((events.sum() - e) / (time.sum() - t)) for e, t in zip(events, time, strict=True)
    ]
    return (len(left) - 1) * np.var(left)


def test_the_variance_of_a_pace_is_that_between_cases():
    """The interval is that of the jackknife over cases, which knows no formula of a variance."""
    rng = np.random.default_rng(3)
    one, other = clustered_cases(rng, 80, 0.5), clustered_cases(rng, 400, 0.8)
    half = 1.959963984540054 * math.sqrt(jackknife_variance(*one) + jackknife_variance(*other))
    expected = (one[0].sum() / one[1].sum()) / (other[0].sum() / other[1].sum())

    ratio, low, high = ratio_of_paces([sums(*one)], [sums(*other)])

    assert_allclose(ratio, expected, rtol=1e-12)
    assert_allclose(
        np.log([low[0], high[0]]), np.log(expected) + np.array([-half, half]), rtol=0.03
    )


def test_the_interval_of_a_ratio_covers_though_events_go_together():
    """With cases of very different pace the 95 % interval holds the true ratio in about 95 %; half the level in half."""
    rng = np.random.default_rng(5)
    runs = [
        (sums(*clustered_cases(rng, 60, 0.4)), sums(*clustered_cases(rng, 300, 0.5)))
        for _ in range(600)
    ]
    here, rest = (np.array(side) for side in zip(*runs, strict=True))
    for level in (0.5, 0.95):
        _, low, high = ratio_of_paces(here, rest, confidence=level)

        covered = ((low <= 0.8) & (high >= 0.8)).mean()
        assert covered == pytest.approx(level, abs=3 * math.sqrt(level * (1 - level) / 600) + 0.015)


def test_without_events_or_time_there_is_no_ratio():
    """Missing, not 0 and not an error."""
    some = [12, 20, 44, 60, 100]

    for here, rest in (([0, 20, 0, 0, 100], some), (some, [0, 0, 0, 0, 0])):
        assert np.isnan(ratio_of_paces([here], [rest])).all()
