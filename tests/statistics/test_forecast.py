"""The bookings forecast: against matrix powers, a deal-by-deal simulation, hand-worked chains and a simulated company."""

import math
import random
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import ks_2samp

from salesanalysis.statistics import forecast as simulation
from salesanalysis.statistics.forecast import LOST, STAYED, WON, Counts

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "tests" / "reference"
LAST_WEEK = 26  # and more: weeks in a stage that are not told apart beyond
SURE = 1e12  # so many deal-weeks that rates are as good as known
SEEDS = range(6)


def bin_of(age):
    """Age bin of weeks in the stage, as the guide lists them."""
    return sum(age >= first for first in (2, 4, 8, 13, 26))


def random_counts(seed, *, scale=1.0, n_stages=3):
    """Counts of a made-up process in which deals skip, go back and enter their stage anew."""
    rng = np.random.default_rng(seed)
    moves = rng.integers(0, 8, (n_stages, 6, n_stages + 3)) + 40 * (
        np.arange(n_stages + 3) == n_stages
    )
    inflow = rng.integers(1, 30, n_stages + 3).astype(float)
    inflow[STAYED] = 0
    arrivals = rng.poisson(inflow.sum() / 52, 52).astype(float)
    is_last = np.arange(n_stages) == n_stages - 1
    return Counts(moves * scale, inflow * scale, arrivals, is_last)


def open_deals(*rows):
    """Open deals from (state, weeks in it, amount, team)."""
    return pd.DataFrame(rows, columns=["state", "age_weeks", "amount", "team"])


def one_step(rates):
    """Matrix of one week over (stage, age), won and lost."""
    n_stages = rates.shape[0]
    place = {
        (stage, age): stage * (LAST_WEEK + 1) + age
        for stage in range(n_stages)
        for age in range(LAST_WEEK + 1)
    }
    matrix = np.zeros((len(place) + 2, len(place) + 2))
    for (stage, age), row in place.items():
        rate = rates[stage, bin_of(age)]
        for later in range(n_stages):
            matrix[row, place[later, 0]] += rate[later]
        matrix[row, place[stage, min(age + 1, LAST_WEEK)]] += rate[n_stages]
        matrix[row, -2] += rate[n_stages + 1]
        matrix[row, -1] += rate[n_stages + 2]
    matrix[-2, -2] = matrix[-1, -1] = 1
    return matrix, place


def mean_rates(counts):
    """Posterior mean of the weekly rates, term by term."""
    n_stages = len(counts.moves)
    rates = np.zeros(counts.moves.shape)
    for stage in range(n_stages):
        of_stage = counts.moves[stage].sum(axis=0)
        for part in range(6):
            weights = []
            for target in range(n_stages + 3):
                follows = n_stages + 1 if counts.is_last[stage] else stage + 1
                is_possible = of_stage[target] > 0 or target in (n_stages, n_stages + 2, follows)
                share = of_stage[target] / of_stage.sum() if of_stage.sum() else 0
                weights.append(counts.moves[stage, part, target] + 2 * share + 0.01 * is_possible)
            rates[stage, part] = np.array(weights) / sum(weights)
    return rates


@pytest.mark.parametrize("seed", SEEDS)
def test_the_chance_to_be_won_is_a_power_of_the_weekly_matrix(seed):
    """From every stage and week in it, and within every number of weeks."""
    rates = mean_rates(random_counts(seed))
    matrix, place = one_step(rates)

    found = simulation.won_by(rates, 30)

    for week in (0, 1, 2, 13, 30):
        power = np.linalg.matrix_power(matrix, week)
        for (stage, age), row in place.items():
            assert math.isclose(found[week, stage, age], power[row, -2], abs_tol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_new_deals_are_won_as_those_of_each_week_to_come(seed):
    """One deal a week: those that came in j weeks before the end were moved on by j - 1 weeks."""
    counts = random_counts(seed)
    matrix, place = one_step(mean_rates(counts))
    start = np.zeros(len(matrix))
    shares = counts.inflow / counts.inflow.sum()
    for stage in range(3):
        start[place[stage, 0]] = shares[stage]
    start[-2:] = shares[[WON, LOST]]

    found = simulation.new_won_by(shares, simulation.won_by(mean_rates(counts), 20))

    for week in (0, 1, 5, 20):
        one_by_one = [(start @ np.linalg.matrix_power(matrix, j))[-2] for j in range(week)]
        assert math.isclose(found[week], sum(one_by_one), abs_tol=1e-12)


def sure_process():
    """Two stages: a deal stays 3 weeks in the first (it goes on once it was there 2), one in the second, then won."""
    moves = np.zeros((2, 6, 5))
    moves[0, 0, STAYED] = SURE  # 0 and 1 weeks
    moves[0, 1:, 1] = SURE
    moves[1, :, WON] = SURE
    return Counts(moves, np.zeros(5), np.zeros(52), np.array([False, True]))


@pytest.mark.parametrize(
    ("state", "age", "days", "chance"),
    [
        (0, 0, 21, 0),
        (0, 0, 24, 3 / 7),
        (0, 0, 28, 1),
        (0, 1, 21, 1),
        (0, 1, 14, 0),
        (0, 2, 14, 1),
        (0, 300, 13, 6 / 7),
        (1, 0, 7, 1),
        (1, 9, 1, 1 / 7),
        (1, 9, 0, 0),
    ],
)
def test_a_sure_process_is_known_to_the_day(state, age, days, chance):
    """Each deal is won in the week its stage and age say, spread evenly over that week's days."""
    found = simulation.simulate(
        sure_process(),
        open_deals((state, age, 10.0, 0)),
        ends_days=[days],
        team_weights=np.ones(1),
        amounts=np.ones(1),
        paths=50,
        seed=1,
    )

    assert_allclose(found.chances, [[chance]], atol=1e-6)
    assert found.from_new.sum() == 0
    if chance in (0, 1):
        assert_array_equal(found.from_open, np.full((50, 1, 1), 10.0 * chance))


def test_each_deal_is_won_in_one_period_for_its_team_and_amount():
    """In the sure process the first two weeks bring one deal, the next two another, each in its own team."""
    deals = open_deals((0, 0, 8.0, 1), (0, 2, 5.0, 0), (1, 4, np.nan, 0))

    found = simulation.simulate(
        sure_process(),
        deals,
        ends_days=[14, 28, 35],
        team_weights=np.ones(2),
        amounts=np.array([3.0]),
        paths=5,
        seed=1,
    )

    for path in found.from_open:
        assert path.tolist() == [[8.0, 0], [0, 8.0], [0, 0]]
    for path in found.largest:
        assert path.tolist() == [[5.0, 0], [0, 8.0], [0, 0]]
    assert_allclose(found.chances, [[0, 1, 0], [1, 0, 0], [1, 0, 0]], atol=1e-6)


def test_the_largest_deal_may_be_one_to_come():
    """With nothing open each path's largest deal is a new one, and 0 in the periods in which none is won."""
    none = open_deals().astype({"state": int, "age_weeks": int, "amount": float, "team": int})

    found = simulation.simulate(
        random_counts(1), none, ends_days=[7, 14], team_weights=np.ones(2), amounts=np.array([3.0, 4.0]),
        paths=300, seed=1,
    )  # fmt: skip

    is_won = found.from_new > 0
    assert 0 < is_won.mean() < 1
    assert set(found.largest[is_won]) == {3.0, 4.0} and not found.largest[~is_won].any()
    assert (found.largest <= found.from_new).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_mean_of_the_paths_is_the_expected_value(seed):
    """With rates known: amounts times matrix powers, and arrivals times their wins, within 4 Monte Carlo errors."""
    counts = random_counts(seed, scale=SURE)
    deals = open_deals((0, 0, 10.0, 0), (1, 5, 20.0, 0), (2, 30, 5.0, 1), (0, 1, np.nan, 1))
    amounts = np.array([1.0, 2.0, 9.0])
    matrix, place = one_step(counts.moves / counts.moves.sum(axis=-1, keepdims=True))
    shares = counts.inflow / counts.inflow.sum()
    new = [simulation.new_won_by(shares, simulation.won_by(mean_rates(counts), 10))[w] for w in (4, 10)]  # fmt: skip
    per_week = (counts.arrivals.sum() + 0.5) / 52

    found = simulation.simulate(
        counts, deals, ends_days=[28, 70], team_weights=np.array([SURE, 3 * SURE]),
        amounts=amounts, paths=4000, seed=seed,
    )  # fmt: skip

    by_end = np.array([np.linalg.matrix_power(matrix, week)[:, -2] for week in (4, 10)])
    rows = [place[0, 0], place[1, 5], place[2, 26], place[0, 1]]
    chances = np.diff(by_end[:, rows], axis=0, prepend=0)
    assert_allclose(found.chances.T, chances, atol=1e-4)
    worth = chances * [10, 20, 5, 4]
    expected = np.stack([worth[:, :2].sum(axis=1), worth[:, 2:].sum(axis=1)], axis=1)
    close(found.from_open, expected)
    close(found.from_new, np.outer(np.diff(new, prepend=0), [0.25, 0.75]) * per_week * 4)


def close(paths, expected):
    """Means over paths within 4 of their errors."""
    error = paths.std(axis=0, ddof=1) / math.sqrt(len(paths))
    assert (np.abs(paths.mean(axis=0) - expected) <= 4 * error).all()


def drawn_rates(rng, weights):
    """One Dirichlet draw, plainly."""
    parts = [rng.gammavariate(weight, 1) if weight else 0.0 for weight in weights]
    return [part / sum(parts) for part in parts]


def walked(counts, deals, weeks, amounts, rng):
    """Amount won on one path, every deal taken through every week."""
    n_stages, n = len(counts.moves), counts.arrivals.sum()
    posterior = mean_rates(counts)
    rates = np.zeros(posterior.shape)
    for stage in range(n_stages):
        for part in range(6):
            total = counts.moves[stage, part].sum() + 2 + 0.01 * (posterior[stage, part] > 0).sum()
            rates[stage, part] = drawn_rates(rng, posterior[stage, part] * total)
    places = drawn_rates(rng, [k + 0.0 for k in counts.inflow])
    sums = [sum(counts.arrivals[13 * k : 13 * k + 13]) for k in range(4)]
    mean = sum(sums) / 4
    beyond = max(sum((k - mean) ** 2 for k in sums) / 3 - mean, 0)
    level, variance = (n + 0.5) / 52, (n + 0.5) / 52**2 + beyond / 13**2
    per_week = rng.gammavariate(level**2 / variance, variance / level)
    alive = [[deal.state, deal.age_weeks, deal.amount] for deal in deals.itertuples()]
    total = 0.0
    for _ in range(weeks):
        still = []
        for stage, age, amount in alive:
            target = rng.choices(range(n_stages + 3), rates[stage, bin_of(age)])[0]
            if target == n_stages + 1:
                total += amount
            elif target == n_stages:
                still.append([stage, age + 1, amount])
            elif target < n_stages:
                still.append([target, 0, amount])
        for _ in range(poisson(rng, per_week)):
            target, amount = rng.choices(range(n_stages + 3), places)[0], rng.choice(amounts)
            if target == n_stages + 1:
                total += amount
            elif target < n_stages:
                still.append([target, 0, amount])
        alive = still
    return total


def poisson(rng, mean):
    """Arrivals of a week: how many exponential waits it holds."""
    n, waited = 0, rng.expovariate(1)
    while waited < mean:
        n, waited = n + 1, waited + rng.expovariate(1)
    return n


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_walking_every_deal_through_every_week(seed):
    """In distribution (Kolmogorov-Smirnov) and in spread, rates and arrivals being drawn in each path."""
    counts = random_counts(seed, scale=0.2)
    counts = counts._replace(arrivals=np.repeat([0.0, 1, 1, 2], 13))
    deals = open_deals(*[(k % 3, k, 4.0 + k, 0) for k in range(9)])
    amounts = np.array([1.0, 2.5, 9.0, 15.0])
    rng = random.Random(seed)

    found = simulation.simulate(
        counts, deals, ends_days=[49], team_weights=np.ones(1), amounts=amounts, paths=4000, seed=seed,
    )  # fmt: skip

    total = (found.from_open + found.from_new)[:, 0, 0]
    slow = np.array([walked(counts, deals, 7, amounts.tolist(), rng) for _ in range(600)])
    assert ks_2samp(total, slow).pvalue > 0.01
    assert_allclose(total.std(), slow.std(), rtol=0.12)


def test_rates_have_the_posterior_that_is_written_down():
    """Mean and spread of the draws are those of the Dirichlet worked out by hand; what was never seen stays out."""
    counts = random_counts(0)
    moves = counts.moves.copy()
    moves[0, :, [2, WON]] = 0  # nobody skips from the first stage, or is won from it
    moves[0, 5] = 0  # nor was anybody there for so long
    counts = counts._replace(moves=moves)

    drawn = simulation.rate_draws(counts, paths=4000, rng=np.random.default_rng(1))

    mean = mean_rates(counts)
    total = moves.sum(axis=-1) + 2 + 0.01 * (mean > 0).sum(axis=-1)
    spread = np.sqrt(mean * (1 - mean) / (total + 1)[..., None])
    assert_allclose(drawn.sum(axis=-1), 1)
    assert (np.abs(drawn.mean(axis=0) - mean) <= 5 * spread / math.sqrt(4000) + 1e-12).all()
    assert_allclose(drawn.std(axis=0), spread, rtol=0.1, atol=2e-3)
    assert (drawn[:, 0, :, [2, WON]] == 0).all() and (mean[0, :, [2, WON]] == 0).all()


def test_a_stage_nobody_was_in_may_stay_go_on_or_be_lost():
    """Each has the same weight; from the last stage going on is winning, also of a pipeline before another."""
    counts = Counts(np.zeros((3, 6, 6)), np.zeros(6), np.zeros(52), np.array([False, True, True]))

    drawn = simulation.rate_draws(counts, paths=50, rng=np.random.default_rng(1))

    possible = (drawn > 0).any(axis=(0, 2))
    stays, won, lost = 3, 4, 5
    assert [set(np.flatnonzero(row)) for row in possible] == [
        {1, stays, lost},
        {stays, won, lost},
        {stays, won, lost},
    ]


@pytest.mark.parametrize(
    ("arrivals", "beyond"),
    [
        ([2.0] * 52, 0.0),
        ([1.0] * 26 + [3.0] * 26, (4 * 13**2) / 3 - 26),  # quarters of 13, 13, 39, 39
        (
            [5.0] * 8 + [1.0] * 13 + [3.0] * 13,
            26**2 / 2 - 26,
        ),  # the oldest weeks are no whole quarter
        ([9.0] * 12 + [0.0] * 12, 0.0),
    ],
)
def test_arrivals_are_less_sure_where_quarters_differ_beyond_luck(arrivals, beyond):
    """Mean (n + .5)/weeks; variance that of the posterior and what quarters vary above their mean."""
    arrivals = np.array(arrivals)
    weeks, n = len(arrivals), arrivals.sum() + 0.5

    drawn = simulation.arrival_draws(arrivals, paths=40_000, rng=np.random.default_rng(2))

    variance = n / weeks**2 + beyond / 169
    assert_allclose(drawn.mean(), n / weeks, atol=4 * math.sqrt(variance / 40_000))
    assert_allclose(drawn.var(), variance, rtol=0.05)


def test_without_team_weights_new_deals_go_to_all_teams_alike():
    """Nothing says where they go: each team gets the same on average, and together all there is."""
    counts = random_counts(1)
    options = {"ends_days": [91], "amounts": np.ones(1), "paths": 2000, "seed": 3}
    none = open_deals().astype({"state": int, "age_weeks": int, "amount": float, "team": int})

    found = simulation.simulate(counts, none, team_weights=np.zeros(3), **options).from_new[:, 0]

    close(found, [found.sum(axis=1).mean() / 3] * 3)
    assert found.sum() > 0


def test_few_deals_leave_the_shares_of_teams_open():
    """A team's part of the new deals varies more between paths where it rests on few deals."""
    counts = random_counts(1)._replace(arrivals=np.full(52, 50.0))
    none = open_deals().astype({"state": int, "age_weeks": int, "amount": float, "team": int})
    options = {"ends_days": [91], "amounts": np.ones(1), "paths": 2000, "seed": 3}

    few, many = (
        simulation.simulate(counts, none, team_weights=n * np.ones(2), **options).from_new[:, 0]
        for n in (2, 2000)
    )

    assert few[:, 0].std() > 2 * many[:, 0].std()
    assert_allclose(few[:, 0].mean(), many[:, 0].mean(), rtol=0.1)


def test_the_seed_makes_the_paths():
    """The same seed gives the same paths, another one others."""
    counts, deals = random_counts(2), open_deals((0, 0, 10.0, 0), (1, 5, np.nan, 0))
    options = {"ends_days": [30], "team_weights": np.ones(1), "amounts": np.arange(1.0, 9)}

    first, again, other = (
        simulation.simulate(counts, deals, **options, paths=130, seed=seed) for seed in (5, 5, 6)
    )

    for one, same in zip(first, again, strict=True):
        assert_array_equal(one, same)
    assert first.from_open.shape == (130, 1, 1)
    assert (first.from_new != other.from_new).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"paths": 0}, "there must be a path, an amount and a week observed, but there are 0 paths"),
        ({"amounts": np.empty(0)}, "0 amounts"),
        ({"ends_days": []}, "ends_days must ascend from 0 or more, but are"),
        ({"ends_days": [30, 20]}, r"\[30, 20\]"),
        ({"ends_days": [-1]}, r"\[-1\]"),
    ],
)  # fmt: skip
def test_what_cannot_be_simulated_is_refused(change, message):
    """No paths, no amounts, or days that do not ascend."""
    options = {"ends_days": [30], "amounts": np.ones(1), "paths": 5}

    with pytest.raises(ValueError, match=message):
        simulation.simulate(
            random_counts(1),
            open_deals((0, 0, 1.0, 0)),
            team_weights=np.ones(1),
            seed=1,
            **(options | change),
        )


def test_no_week_observed_is_refused():
    """Without weeks there are no rates."""
    counts = random_counts(1)._replace(arrivals=np.empty(0))

    with pytest.raises(ValueError, match="0 weeks"):
        simulation.simulate(
            counts,
            open_deals((0, 0, 1.0, 0)),
            ends_days=[7],
            team_weights=np.ones(1),
            amounts=np.ones(1),
            paths=5,
            seed=1,
        )


@pytest.fixture(scope="module")
def study():
    """The study of simulated companies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "studies"))
        import forecast

        yield forecast
        for name in ("forecast", "history"):
            sys.modules.pop(name, None)


@pytest.mark.parametrize("drift", [0.0, 0.1])
def test_ranges_hold_what_comes_as_often_as_in_the_reference(study, drift):
    """
    In companies simulated deal by deal: coverage within 3 Monte Carlo errors of the reference, no bias, and a far
    better score than amounts times stage rates.
    """
    row = pd.read_csv(REFERENCE / "sim_forecast_backtest.csv").set_index("drift").loc[0.0]
    rng = np.random.default_rng(7)
    day = study.WEEKS - study.HORIZON - 1

    found = pd.DataFrame(
        [study.snapshot(study.world(rng, drift), day, rng) for _ in range(60)]
    ).astype(float)

    for level in (80, 95):
        error = math.sqrt(row[f"cov{level}"] * (1 - row[f"cov{level}"]) * (1 / 60 + 1 / 36))
        assert abs(found[f"coverage{level}"].mean() - row[f"cov{level}"]) <= 3 * error
    error = found["forecast"] - found["actual"]
    assert abs(error.mean()) <= 3 * error.std() / math.sqrt(60)
    assert found["crps"].mean() < 0.5 * found["crps_weighted"].mean()
    assert found["brier"].mean() < 0.85 * found["brier_stage"].mean()
