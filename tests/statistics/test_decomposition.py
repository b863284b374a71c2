"""Splits of a change: published tables, all orders written out, games with known shares, coverage."""

from itertools import permutations
from math import prod, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from salesanalysis.statistics.decomposition import (
    is_simpson,
    mix_and_rate,
    mix_and_rate_draws,
    shapley,
)

REFERENCE = Path(__file__).parents[1] / "reference"
SEEDS = range(8)
NAN = float("nan")


def product(**factors):
    """A figure that is the product of its factors."""
    return prod(factors.values())


@pytest.mark.parametrize("example", ["dg2.1", "dg2.2", "dg2.3", "dg2.4"])
def test_effects_equal_das_guptas(example):
    """Examples 2.1 to 2.4 of the Census Bureau's handbook, as printed and to 1e-9."""
    inputs = pd.read_csv(REFERENCE / "dasgupta_eg2_inputs.csv").query("example == @example")
    table = pd.read_csv(REFERENCE / "dasgupta_published.csv").query("example == @example")
    before, after = (
        dict(zip(inputs["factor"], inputs[f"population_{k}"], strict=True)) for k in (1, 2)
    )

    effects = shapley(product, before, after)

    printed = table[table["factor"] != "crude"].set_index("factor")
    assert list(effects) == list(printed.index)
    found = np.array(list(effects.values()))
    assert (np.abs(found - printed["published_effect"]) <= printed["tolerance_vs_published"]).all()
    assert_allclose(found, printed["computed_effect"], rtol=0, atol=1e-9)
    assert_allclose(found.sum(), table["computed_effect"].iloc[-1], rtol=0, atol=1e-9)


def headship():
    """Shares and rates of 13 age groups in 1970 and 1985."""
    groups = pd.read_csv(REFERENCE / "dasgupta_eg5_1_data.csv")
    old, new = (groups[groups["pop"] == year] for year in (1970, 1985))
    return old["share"], old["rate"], new["share"], new["rate"]


def test_mix_and_rate_equal_das_guptas():
    """Example 5.1, headship rates 1970 and 1985: mix 1.2269 and rate 1.7403."""
    assert_allclose(mix_and_rate(*headship()), [1.2269, 1.7403], rtol=0, atol=1e-9)


def test_mix_and_rate_are_shapleys_of_shares_and_rates():
    """The same two effects come from the general function with two factors."""
    shares1, rates1, shares2, rates2 = (np.array(x) for x in headship())

    effects = shapley(
        lambda shares, rates: (shares * rates).sum(),
        {"shares": shares1, "rates": rates1},
        {"shares": shares2, "rates": rates2},
    )

    assert_allclose(list(effects.values()), [1.2269, 1.7403], rtol=0, atol=1e-9)


def admissions():
    """Applicants and admitted per department, women first, as second comes men."""
    table = pd.read_csv(REFERENCE / "ucb_admissions_data.csv")
    return table["female_n"], table["female_adm"], table["male_n"], table["male_adm"]


def test_mix_and_rate_equal_kitagawas_on_berkeleys_admissions():
    """Men were admitted 14.2 points more: +17.8 by department, -3.6 within departments."""
    expected = pd.read_csv(REFERENCE / "ucb_kitagawa_ref.csv", index_col="name")["value"]
    n1, k1, n2, k2 = admissions()

    mix, rate = mix_and_rate(n1 / n1.sum(), k1 / n1, n2 / n2.sum(), k2 / n2)

    assert_allclose([mix, rate], expected[["mix_effect", "rate_effect"]], rtol=0, atol=1e-9)
    assert_allclose(mix + rate, expected["diff"], rtol=0, atol=1e-9)
    assert is_simpson(mix + rate, rate)


def test_draws_on_berkeleys_admissions_enclose_the_split():
    """With the table's own counts the intervals hold the split, and Simpson's flag is up."""
    expected = pd.read_csv(REFERENCE / "ucb_kitagawa_ref.csv", index_col="name")["value"]

    found = mix_and_rate_draws(*admissions(), seed=1)

    assert_allclose(found.mix, expected["mix_effect"], rtol=0, atol=1e-9)
    assert_allclose(found.rate, expected["rate_effect"], rtol=0, atol=1e-9)
    assert found.mix_low < found.mix < found.mix_high
    assert found.rate_low < found.rate < found.rate_high < 0.01
    assert found.is_simpson


def test_glove_game_has_its_known_shares():
    """One left glove and two right ones: the left is worth 2/3 of a pair, each right one 1/6."""
    effects = shapley(
        lambda left, right1, right2: min(left, right1 + right2),
        {"left": 0, "right1": 0, "right2": 0},
        {"left": 1, "right1": 1, "right2": 1},
    )

    assert_allclose(list(effects.values()), [2 / 3, 1 / 6, 1 / 6], rtol=0, atol=1e-12)


def test_airport_game_has_its_known_shares():
    """Three planes need runways of 1, 2 and 3: they pay 1/3, 5/6 and 11/6."""
    effects = shapley(
        lambda **planes: max(planes.values()),
        {"small": 0, "middle": 0, "large": 0},
        {"small": 1, "middle": 2, "large": 3},
    )

    assert_allclose(list(effects.values()), [1 / 3, 5 / 6, 11 / 6], rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_effects_are_the_mean_over_all_orders(seed):
    """On a random figure of five factors each effect is its mean gain over all 120 orders."""
    rng = np.random.default_rng(seed)
    names = list("abcde")
    table = rng.normal(size=(2,) * 5)
    gains = dict.fromkeys(names, 0.0)
    for order in permutations(range(5)):
        state = [0] * 5
        for j in order:
            old = table[tuple(state)]
            state[j] = 1
            gains[names[j]] += (table[tuple(state)] - old) / 120

    effects = shapley(
        lambda a, b, c, d, e: table[a, b, c, d, e], dict.fromkeys(names, 0), dict.fromkeys(names, 1)
    )

    assert list(effects) == names
    assert_allclose(list(effects.values()), list(gains.values()), atol=1e-12)


def test_effects_of_twelve_factors_add_up():
    """As many factors as allowed: effects add up to the change, and what did not change has none."""
    rng = np.random.default_rng(4)
    before = {f"step {k}": x for k, x in enumerate(rng.uniform(0.3, 0.9, 12))}
    after = {name: x * rng.uniform(0.9, 1.2) for name, x in before.items()}
    after["step 3"] = before["step 3"]

    effects = shapley(product, before, after)

    assert_allclose(sum(effects.values()), product(**after) - product(**before), rtol=1e-12)
    assert effects["step 3"] == 0


def test_effects_of_many_draws_are_those_of_each():
    """Where factors are arrays of draws every draw is split by itself."""
    rng = np.random.default_rng(5)
    before, after = ({name: rng.random(3) for name in "abc"} for _ in range(2))

    effects = shapley(product, before, after)

    for draw in range(3):
        alone = shapley(
            product, *({name: x[draw] for name, x in side.items()} for side in (before, after))
        )
        assert_allclose([x[draw] for x in effects.values()], list(alone.values()), rtol=1e-12)


def test_shapley_changes_none_of_its_arguments():
    """The two dicts are as they were."""
    before, after = {"a": 1, "b": 2}, {"b": 3, "a": 4}

    effects = shapley(product, before, after)

    assert effects == {"a": 7.5, "b": 2.5}
    assert (before, after) == ({"a": 1, "b": 2}, {"b": 3, "a": 4})


def test_shapley_refuses_factors_that_do_not_match():
    """Other factors after than before, none, and thirteen are errors."""
    thirteen = dict.fromkeys("abcdefghijklm", 1)
    with pytest.raises(ValueError, match=r"same factors.*\['a'\] and \['b'\]"):
        shapley(product, {"a": 1}, {"b": 1})
    with pytest.raises(ValueError, match="1 to 12 of them"):
        shapley(product, {}, {})
    with pytest.raises(ValueError, match="group factors that belong together"):
        shapley(product, thirteen, thirteen)


@pytest.mark.parametrize("seed", SEEDS)
def test_mix_and_rate_add_up_and_turn_with_the_periods(seed):
    """They add up to the change of the overall rate, and change their sign if the periods are swapped."""
    rng = np.random.default_rng(seed)
    shares1, shares2 = rng.dirichlet(np.ones(6), 2)
    rates1, rates2 = rng.random((2, 6))

    found = mix_and_rate(shares1, rates1, shares2, rates2)
    turned = mix_and_rate(shares2, rates2, shares1, rates1)

    assert_allclose(sum(found), shares2 @ rates2 - shares1 @ rates1, atol=1e-12)
    assert_allclose(turned, np.negative(found), atol=1e-15)


def test_one_kind_of_change_has_one_kind_of_effect():
    """Equal rates in both periods leave only mix, equal shares only rate."""
    shares, other, rates = [0.7, 0.3], [0.4, 0.6], [0.1, 0.5]

    assert_allclose(mix_and_rate(shares, rates, other, rates), [0.12, 0], atol=1e-15)
    assert_allclose(mix_and_rate(shares, rates, shares, [0.2, 0.6]), [0, 0.1], atol=1e-15)


def test_a_group_that_came_is_all_mix():
    """It has no rate before; taken as its later rate, its arrival moves the overall rate by mix alone."""
    came = mix_and_rate([1, 0], [0.1, NAN], [0.5, 0.5], [0.1, 0.3])
    went = mix_and_rate([0.5, 0.5], [0.1, 0.3], [1, 0], [0.1, NAN])

    assert_allclose(came, [0.1, 0], atol=1e-15)
    assert_allclose(went, [-0.1, 0], atol=1e-15)


def test_a_group_without_cases_does_not_matter():
    """No cases in either period: its missing rates change nothing."""
    found = mix_and_rate([0.5, 0.5, 0], [0.1, 0.3, NAN], [0.2, 0.8, 0], [0.2, 0.3, NAN])

    assert_allclose(found, mix_and_rate([0.5, 0.5], [0.1, 0.3], [0.2, 0.8], [0.2, 0.3]))


def test_cases_without_a_rate_leave_the_split_unknown():
    """A group with cases whose rate is in no period known gives NaN, not 0."""
    assert np.isnan(mix_and_rate([0.5, 0.5], [0.1, NAN], [0.4, 0.6], [0.2, NAN])).all()


def test_mix_and_rate_refuse_shares_that_are_none():
    """Counts instead of shares are an error."""
    with pytest.raises(ValueError, match="shares2 must add up to 1.*: 5"):
        mix_and_rate([0.5, 0.5], [0.1, 0.2], [2, 3], [0.1, 0.2])


@pytest.mark.parametrize(
    ("total", "rate", "expected"),
    [(1, -1, True), (-1, 1, True), (1, 1, False), (-1, -1, False), (0, -1, False), (NAN, 1, False)],
)
def test_simpsons_flag_is_up_where_signs_differ(total, rate, expected):
    """Up for opposite signs only; nothing, and what is not known, has no sign."""
    assert is_simpson(total, rate) is expected


def test_draws_repeat_with_their_seed():
    """The same seed gives the same interval, another seed another one close by."""
    counts = [80, 40], [16, 20], [60, 60], [15, 33]

    first, again, other = (mix_and_rate_draws(*counts, seed=seed) for seed in (1, 1, 2))

    assert first == again != other
    assert_allclose(first[:6], other[:6], atol=0.01)


def test_more_confidence_widens_the_interval_of_draws():
    """A higher level gives wider limits of both."""
    counts = [80, 40], [16, 20], [60, 60], [15, 33]

    wide, narrow = (mix_and_rate_draws(*counts, seed=1, confidence=c) for c in (0.95, 0.5))

    assert wide.mix_low < narrow.mix_low < narrow.mix_high < wide.mix_high
    assert wide.rate_low < narrow.rate_low < narrow.rate_high < wide.rate_high


def test_draws_have_the_variance_of_the_textbook():
    """Many cases: the interval is the normal one of the delta method."""
    n1, n2 = np.array([8000, 2000]), np.array([5000, 5000])
    r1, r2 = np.array([0.1, 0.4]), np.array([0.1, 0.3])
    c1, c2 = n1 / 1e4, n2 / 1e4
    mean_rate, mean_share = (r1 + r2) / 2, (c1 + c2) / 2
    step = mean_rate[1] - mean_rate[0]
    of_rates = r1 * (1 - r1) / n1 + r2 * (1 - r2) / n2
    of_shares = (c1 * (1 - c1) / 1e4 + c2 * (1 - c2) / 1e4)[1]
    mix_variance = step**2 * of_shares + (((c2 - c1) / 2) ** 2 * of_rates).sum()
    gap = (r2 - r1)[1] - (r2 - r1)[0]
    rate_variance = (mean_share**2 * of_rates).sum() + (gap / 2) ** 2 * of_shares

    found = mix_and_rate_draws(n1, n1 * r1, n2, n2 * r2, seed=1, draws=40_000)

    half = 1.96 * np.sqrt([mix_variance, rate_variance])
    assert_allclose([found.mix_high - found.mix, found.rate_high - found.rate], half, rtol=0.04)
    assert_allclose([found.mix - found.mix_low, found.rate - found.rate_low], half, rtol=0.04)


@pytest.mark.parametrize("n", [6, 20])
def test_rates_of_small_groups_spread_as_their_numbers_do(n):
    """One group, half of few won: the rate effect has the normal half-width 1.96 root(2 / 4n)."""
    found = mix_and_rate_draws([n], [n / 2], [n], [n / 2], seed=1, draws=40_000)

    assert found.mix == found.mix_low == found.mix_high == 0
    assert_allclose(found.rate_high, 1.96 * sqrt(0.5 / n), rtol=0.04)
    assert_allclose(found.rate_low, -1.96 * sqrt(0.5 / n), rtol=0.04)


def test_the_mix_is_as_certain_as_the_sizes_are_large():
    """Rates known from many, shares from few or many: the interval of the mix is that of the shares."""
    counts = [80_000, 20_000], [8_000, 8_000], [50_000, 50_000], [5_000, 20_000]

    few = mix_and_rate_draws(*counts, seed=1, size1=[80, 20], size2=[50, 50])
    many = mix_and_rate_draws(*counts, seed=1)

    error = 0.3 * sqrt(0.8 * 0.2 / 100 + 0.5 * 0.5 / 100)
    assert_allclose(few.mix_high - few.mix_low, 2 * 1.96 * error, rtol=0.04)
    assert many.mix_high - many.mix_low < 0.1 * (few.mix_high - few.mix_low)


def test_mix_against_a_larger_rate_effect_is_no_paradox():
    """Mix and rate differ in sign, but the total goes with the rates: no flag."""
    found = mix_and_rate_draws([80, 20], [8, 8], [70, 30], [21, 18], seed=1)
    turned = mix_and_rate_draws([70, 30], [14, 18], [80, 20], [24, 14], seed=1)

    assert found.mix > 0 and found.rate > 0 and not found.is_simpson
    assert turned.mix < 0 < turned.rate and turned.mix + turned.rate > 0
    assert not turned.is_simpson


def test_shares_come_from_sizes_where_rates_rest_on_fewer():
    """Effective numbers carry the rates, all cases the shares."""
    found = mix_and_rate_draws(
        [40, 10], [4, 4], [10, 30], [1, 9], seed=1, size1=[80, 20], size2=[50, 50]
    )

    assert_allclose(
        [found.mix, found.rate], mix_and_rate([0.8, 0.2], [0.1, 0.4], [0.5, 0.5], [0.1, 0.3])
    )


def test_a_group_that_came_is_drawn_as_all_mix():
    """Its rate is drawn once, for both periods: it adds nothing to the rate effect."""
    found = mix_and_rate_draws([1000, 0], [100, 0], [500, 500], [50, 400], seed=1)

    assert_allclose(found.mix, 0.35)
    assert 0.31 < found.mix_low < found.mix_high < 0.39
    assert -0.03 < found.rate_low < 0 < found.rate_high < 0.03


def test_draws_without_cases_are_unknown():
    """A period without a case has no split, and no flag."""
    found = mix_and_rate_draws([0, 0], [0, 0], [3, 4], [1, 1], seed=1)

    assert np.isnan(found[:6]).all()
    assert found.is_simpson is False


def test_draws_refuse_impossible_counts():
    """More successes than cases, sizes without numbers and lengths that differ are errors."""
    with pytest.raises(ValueError, match="k2 must lie between 0 and n2.*position 1: 5, 4"):
        mix_and_rate_draws([3, 4], [1, 1], [3, 4], [1, 5], seed=1)
    with pytest.raises(ValueError, match="size1 must be 0 or more, and 0 where n1 is 0"):
        mix_and_rate_draws([3, 0], [1, 0], [3, 4], [1, 1], seed=1, size1=[3, 1])
    with pytest.raises(ValueError, match="one per group"):
        mix_and_rate_draws([3], [1], [3, 4], [1, 1], seed=1)
    with pytest.raises(ValueError, match="write 95 % as 0.95"):
        mix_and_rate_draws([3], [1], [3], [1], seed=1, confidence=95)


@pytest.mark.parametrize(
    ("groups", "n_before", "n_after", "lift"),
    [(4, 300, 300, 0.08), (20, 120, 120, 0.08), (20, 600, 100, 0), (6, 365, 90, 0)],
)
def test_intervals_of_mix_and_rate_cover_the_truth(groups, n_before, n_after, lift):
    """
    In 500 runs both intervals hold the truth in 95 % or more, within 3 Monte Carlo errors.

    With a handful of deals a group too, and with far fewer deals after a change than before it.
    """
    rng = np.random.default_rng(groups)
    c1, c2 = rng.dirichlet(np.full(groups, 3), 2)
    r1 = rng.beta(3, 17, groups)
    r2 = np.minimum(r1 + lift, 0.9)
    truth = mix_and_rate(c1, r1, c2, r2)
    held = np.zeros(2)
    for run in range(500):
        n1, n2 = rng.multinomial(n_before, c1), rng.multinomial(n_after, c2)
        counts = n1, rng.binomial(n1, r1), n2, rng.binomial(n2, r2)
        found = mix_and_rate_draws(*counts, seed=run, draws=600)
        held += [
            found.mix_low <= truth.mix <= found.mix_high,
            found.rate_low <= truth.rate <= found.rate_high,
        ]

    assert (held / 500 > 0.95 - 3 * sqrt(0.95 * 0.05 / 500)).all()
