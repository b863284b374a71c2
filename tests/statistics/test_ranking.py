"""Ranking: against published tables, a GLM, plain sums, exact enumeration and simulations."""

from itertools import product
from math import comb, exp, log
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from scipy.special import expit

from salesanalysis.statistics.ranking import (
    gate,
    posterior,
    rank_draws,
    rank_sets,
    rank_sets_holm,
    within_unit_offset,
)

REFERENCE = Path(__file__).parents[1] / "reference"


def cells(seed, *, units=6, patterns=5, deals=25):
    """Random cells of units that differ, with two covariates that differ between units."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(units), patterns)
    covariates = np.column_stack(
        [rng.normal(unit / units, 1), rng.random(len(unit)) < 0.3 + unit / units / 3]
    )
    n = rng.integers(5, 2 * deals, len(unit))
    true = -1 + rng.normal(0, 0.4, units)[unit] + covariates @ [0.6, -0.5]
    return unit, covariates, n, rng.binomial(n, expit(true))


def glm_with_unit_dummies(unit, covariates, n, wins):
    """Slopes of a binomial GLM with one dummy per unit, by reweighted least squares."""
    design = np.column_stack([unit[:, None] == np.unique(unit), covariates]).astype(float)
    linear = np.log((wins + 0.5) / (n - wins + 0.5))
    for _ in range(50):
        share = 1 / (1 + np.exp(-linear))
        weight = n * share * (1 - share)
        working = linear + (wins - n * share) / weight
        root = np.sqrt(weight)
        fitted = np.linalg.lstsq(design * root[:, None], working * root, rcond=None)[0]
        linear = design @ fitted
    return fitted[-covariates.shape[1] :]


@pytest.mark.parametrize("seed", range(5))
def test_offset_without_ridge_has_the_slopes_of_a_glm(seed):
    """With next to no ridge the differences of eta are those of a GLM with unit dummies."""
    unit, covariates, n, wins = cells(seed, deals=60)
    expected = covariates @ glm_with_unit_dummies(unit, covariates, n, wins)

    eta = within_unit_offset(unit, covariates, n, wins, ridge=1e-9)

    assert_allclose(eta - eta[0], expected - expected[0], atol=1e-6)


def test_offset_maximises_the_fit_with_its_ridge():
    """With ridge 1 no nearby slope fits better, the intercepts fitted anew to each slope."""
    unit, covariates, n, wins = cells(3)
    eta = within_unit_offset(unit, covariates, n, wins)
    slopes = np.linalg.lstsq(covariates - covariates[0], eta - eta[0], rcond=None)[0]

    def fit(slopes):
        intercepts = np.full(6, -1.0)
        for _ in range(3000):  # plain ascent, small steps
            share = expit(intercepts[unit] + covariates @ slopes)
            pull = np.bincount(unit, wins - n * share) - (intercepts - intercepts.mean())
            intercepts = intercepts + pull / np.bincount(unit, n)
        linear = intercepts[unit] + covariates @ slopes
        spread = np.sum((intercepts - intercepts.mean()) ** 2)
        return wins @ linear - n @ np.log1p(np.exp(linear)) - spread / 2

    best = fit(slopes)
    for shift in ([0.01, 0], [-0.01, 0], [0, 0.01], [0, -0.01], [0.01, 0.01]):
        assert fit(slopes + shift) < best - 1e-5


@pytest.mark.parametrize("seed", range(5))
def test_offset_expects_as_many_wins_as_there_are(seed):
    """Summed over the cells, expected wins are wins."""
    unit, covariates, n, wins = cells(seed, units=40)

    eta = within_unit_offset(unit, covariates, n, wins)

    assert_allclose(n @ expit(eta), wins.sum(), rtol=0, atol=1e-8)


def test_offset_without_covariates_is_the_overall_rate():
    """Without covariates every cell expects the share all deals have."""
    eta = within_unit_offset(["a", "b"], np.empty((2, 0)), [30, 50], [3, 17])

    assert_allclose(expit(eta), 0.25, atol=1e-12)


def test_offset_takes_no_notice_of_columns_that_add_nothing():
    """Constant columns, copies and sums of others leave the offsets as they are."""
    unit, covariates, n, wins = cells(1)
    extra = np.column_stack([np.ones(len(n)), covariates, covariates.sum(axis=1) * 7 - 2])

    assert_allclose(
        within_unit_offset(unit, extra, n, wins),
        within_unit_offset(unit, covariates, n, wins),
        atol=1e-6,
    )


@pytest.mark.parametrize("share_won", [0, 1])
def test_offset_survives_a_pattern_with_one_outcome(share_won):
    """A source of which all or no deals are won gets an extreme, finite offset."""
    unit, _, n, wins = cells(2)
    is_rare = np.arange(len(n)) % 5 == 0
    wins = np.where(is_rare, share_won * n, wins)

    eta = within_unit_offset(unit, is_rare[:, None], n, wins)

    assert np.isfinite(eta).all()
    assert_allclose(expit(eta[is_rare]), share_won, atol=1e-4)
    assert_allclose(n @ expit(eta), wins.sum(), atol=1e-8)
    assert np.isfinite(gate(unit, eta, n, wins, seed=1)["chi2"])


def test_offset_settles_where_a_full_newton_step_overshoots():
    """Nearly all deals in a pattern that is always won: still as many wins as there are."""
    unit, pattern = np.repeat(range(4), 2), np.tile([[0], [1]], (4, 1))
    n, wins = np.tile([100, 9000], 4), np.tile([50, 9000], 4)

    eta = within_unit_offset(unit, pattern, n, wins)

    assert_allclose(expit(eta), np.tile([0.5, 1], 4), atol=1e-4)


def test_offset_gives_units_with_one_outcome_an_intercept():
    """A unit with no win and one with only wins do not disturb the slope of the others."""
    unit = ["none", "none", "all", "all", "x", "x", "y", "y"]
    pattern = [[0], [1]] * 4

    eta = within_unit_offset(
        unit, pattern, [9, 9, 9, 9, 40, 40, 40, 40], [0, 0, 9, 9] + [10, 20] * 2
    )

    assert abs((eta[1] - eta[0]) - log(3)) < 0.2


def test_slope_is_learnt_within_units():
    """Where the good units get the good deals, the slope is that within units, not overall."""
    unit = ["good"] * 2 + ["bad"] * 2
    pattern, n = [[0], [1], [0], [1]], np.array([100, 900, 900, 100])
    wins = n * [0.5, 0.5, 0.1, 0.1]  # the pattern makes no difference

    eta = within_unit_offset(unit, pattern, n, wins)

    assert abs(eta[1] - eta[0]) < 0.05  # pooled over units it would be 1.65


def row_level(unit, covariates, n, wins):
    """The same deals one to a row, shuffled."""
    rows = np.repeat(np.arange(len(n)), n)
    won = np.concatenate([np.arange(k) < w for k, w in zip(n, wins, strict=True)])
    order = np.random.default_rng(0).permutation(len(rows))
    rows, won = rows[order], won[order]
    return unit[rows], covariates[rows], np.ones(len(rows)), won


def test_grouped_equals_row_level():
    """Cells and single deals give the same offsets, rates and chi-square."""
    grouped = cells(4)
    unit, covariates, n, wins = row_level(*grouped)

    eta, eta_row = within_unit_offset(*grouped), within_unit_offset(unit, covariates, n, wins)
    rates = posterior(grouped[0], eta, *grouped[2:]).units
    rates_row = posterior(unit, eta_row, n, wins).units

    match = {tuple(x): e for x, e in zip(grouped[1], eta, strict=True)}
    assert_allclose(eta_row, [match[tuple(x)] for x in covariates], rtol=0, atol=1e-10)
    assert_frame_equal(rates, rates_row, rtol=1e-10, atol=1e-10)
    assert_allclose(
        gate(grouped[0], eta, *grouped[2:], seed=1)["chi2"],
        gate(unit, eta_row, n, wins, seed=1)["chi2"],
        rtol=1e-10,
    )


def test_permuting_the_cells_changes_nothing():
    """Units are found by name: order of rows changes no rate, no draw and no p-value."""
    data = cells(5)
    order = np.random.default_rng(1).permutation(len(data[0]))
    eta = within_unit_offset(*data)
    unit, covariates, n, wins = (x[order] for x in data)
    eta_shuffled = within_unit_offset(unit, covariates, n, wins)

    seen, shuffled = posterior(data[0], eta, *data[2:]), posterior(unit, eta_shuffled, n, wins)

    assert_allclose(eta_shuffled, eta[order], atol=1e-10)
    assert_frame_equal(seen.units, shuffled.units)
    assert_frame_equal(rank_draws(seen, seed=2), rank_draws(shuffled, seed=2))
    one, two = gate(data[0], eta, *data[2:], seed=1), gate(unit, eta_shuffled, n, wins, seed=1)
    assert_allclose(one["chi2"], two["chi2"], rtol=1e-10)


def test_renaming_the_units_permutes_the_results():
    """A unit's rate depends on its deals, not on its place in the alphabet."""
    unit, covariates, n, wins = cells(6)
    renamed = np.array(["f", "b", "e", "a", "d", "c"])[unit]
    eta = within_unit_offset(unit, covariates, n, wins)

    seen, other = posterior(unit, eta, n, wins), posterior(renamed, eta, n, wins)

    assert_frame_equal(
        seen.units.reset_index(drop=True), other.units.loc[list("fbeadc")].reset_index(drop=True)
    )
    ranks, others = rank_draws(seen, seed=1), rank_draws(other, seed=1).loc[list("fbeadc")]
    assert_allclose(ranks["top_quartile_share"], others["top_quartile_share"], atol=0.03)


def posterior_written_out(deals):
    """Rates, reliability and mean tau by plain sums over the grid, tau = 0 included."""
    effects = [-3 + k * 0.025 for k in range(241)]
    spreads = [0.0] + [0.03 * (1.5 / 0.03) ** (k / 29) for k in range(30)]
    widths = [(spreads[min(k + 1, 30)] - spreads[k - 1]) / (2 if k < 30 else 1) for k in range(31)]
    normals = [[float(abs(u) < 1e-9) for u in effects]]
    for tau in spreads[1:]:
        heights = [exp(-(u**2) / (2 * tau**2)) for u in effects]
        normals.append([h / sum(heights) for h in heights])

    def p(eta, u):
        return 1 / (1 + exp(-(eta + u)))

    likelihood = {}
    for unit, eta, n, w in deals:
        row = likelihood.setdefault(unit, [1.0] * 241)
        for k, u in enumerate(effects):
            row[k] *= p(eta, u) ** w * (1 - p(eta, u)) ** (n - w)
    marginal = {
        i: [sum(l * h for l, h in zip(row, normal, strict=True)) for normal in normals]
        for i, row in likelihood.items()
    }
    weights = [
        tau * width * np.prod([marginal[i][t] for i in marginal])
        for t, (tau, width) in enumerate(zip(spreads, widths, strict=True))
    ]
    weights = [w / sum(weights) for w in weights]
    total = sum(n for _, _, n, _ in deals)
    rate_at = [sum(n * p(eta, u) for _, eta, n, _ in deals) / total for u in effects]
    rates, reliability = {}, {}
    for i, row in likelihood.items():
        mix = [
            sum(w * normals[t][k] / marginal[i][t] for t, w in enumerate(weights))
            for k in range(241)
        ]
        share = [l * m for l, m in zip(row, mix, strict=True)]
        rates[i] = sum(s * r for s, r in zip(share, rate_at, strict=True))
        mean = sum(s * u for s, u in zip(share, effects, strict=True))
        variance = sum(s * (u - mean) ** 2 for s, u in zip(share, effects, strict=True))
        square = sum(w * tau**2 for w, tau in zip(weights, spreads, strict=True))
        reliability[i] = min(max(1 - variance / square, 0), 1)
    return rates, reliability, sum(w * tau for w, tau in zip(weights, spreads, strict=True))


def test_posterior_agrees_with_the_sums_written_out():
    """Rates over the mix of all deals, reliability and spread are those of plain loops."""
    deals = [("a", -1.0, 20, 2), ("a", 0.5, 10, 4), ("b", -1.0, 5, 3), ("c", 0.0, 40, 30)]
    rates, reliability, tau_mean = posterior_written_out(deals)

    found = posterior(*zip(*deals, strict=True))

    assert_allclose(found.units["rate"], list(rates.values()), atol=1e-10)
    assert_allclose(found.units["reliability"], list(reliability.values()), atol=1e-10)
    assert_allclose(found.tau_mean, tau_mean, atol=1e-10)


def test_own_effect_is_the_flat_posterior():
    """Effect and error of a unit's own deals are mean and SD of a flat prior's posterior."""
    u = np.linspace(-3, 3, 241)
    weight = expit(u) ** 30 * (1 - expit(u)) ** 20
    mean = np.average(u, weights=weight)

    found = posterior(["a", "b"], [0, 0], [50, 10], [30, 5]).units.loc["a"]

    assert_allclose(found["effect"], mean, atol=1e-10)
    assert_allclose(found["effect_se"], np.sqrt(np.average((u - mean) ** 2, weights=weight)))
    assert_allclose(found["observed_over_expected"], 30 / 25)


def baseball():
    """Efron and Morris's players with the overall rate as offset."""
    table = pd.read_csv(REFERENCE / "efron_morris_baseball.csv")
    return table, (table["player"], np.full(18, log(215 / 595)), table["at_bats"], table["hits"])


@pytest.fixture(scope="module")
def reference():
    """Values and tolerances of the baseball grid."""
    return pd.read_csv(REFERENCE / "efron_morris_grid_ref.csv").set_index("name")


def test_gate_stays_shut_on_the_baseball_data(reference):
    """Eighteen batters with 45 at-bats each cannot be told apart."""
    _, data = baseball()

    found = gate(*data, seed=1)

    assert_allclose(found["chi2"], reference.loc["gate_chi2", "value"], atol=1e-6)
    assert_allclose(found["p_value"], reference.loc["gate_p", "value"], atol=1e-6)
    assert found["df"] == 17
    assert found["method"] == "chi2"
    assert found["is_open"] is False


def test_posterior_equals_the_finer_grid_on_the_baseball_data(reference):
    """Shrunk rates, limits, reliability and ranks of the best and the worst batter."""
    table, data = baseball()

    seen = posterior(*data)
    ranks = rank_draws(seen, seed=1)

    best, worst = seen.units.loc["Clemente"], seen.units.loc["Alvis"]
    found = {
        "tau_posterior_mean": seen.tau_mean,
        "rate_Clemente": best["rate"],
        "lo_Clemente": best["rate_low"],
        "hi_Clemente": best["rate_high"],
        "rate_Alvis": worst["rate"],
        "lo_Alvis": worst["rate_low"],
        "hi_Alvis": worst["rate_high"],
        "reliability_Clemente": best["reliability"],
        "p_top_quartile_Clemente": ranks.loc["Clemente", "top_quartile_share"],
        "p_top_quartile_Alvis": ranks.loc["Alvis", "top_quartile_share"],
        "rank90_lo_Clemente": ranks.loc["Clemente", "rank_low"],
        "rank90_hi_Clemente": ranks.loc["Clemente", "rank_high"],
    }
    for name, value in found.items():
        assert abs(value - reference.loc[name, "value"]) <= reference.loc[name, "tolerance"], name
    rest = table.set_index("player")["rest_of_season"]
    error = ((seen.units["rate"] - rest) ** 2).sum()
    assert abs(error - reference.loc["sse_posterior_mean", "value"]) <= 2e-4


def test_more_confidence_widens_the_interval_of_a_rate():
    """A higher level gives an interval around the lower one; the rate stays."""
    _, data = baseball()

    narrow, wide = (posterior(*data, confidence=level).units for level in (0.5, 0.95))

    assert (wide["rate_low"] < narrow["rate_low"]).all()
    assert (narrow["rate_low"] < narrow["rate"]).all()
    assert (narrow["rate"] < narrow["rate_high"]).all()
    assert (narrow["rate_high"] < wide["rate_high"]).all()
    assert_array_equal(narrow["rate"], wide["rate"])


def test_interval_of_a_half_is_symmetric():
    """Units that win half of what is expected to be half have limits alike on both sides."""
    found = posterior(["a", "b"], [0, 0], [40, 40], [20, 20]).units

    assert_allclose(found["rate"], 0.5)
    assert_allclose(found["rate_low"], 1 - found["rate_high"], atol=1e-12)


def test_units_far_apart_do_not_underflow():
    """Ten thousand deals each, at 3 % to 80 %: rates stay near the raw ones."""
    seen = posterior(["a", "b", "c"], [-1.0] * 3, [10_000] * 3, [300, 5000, 8000])

    assert_allclose(seen.units["rate"], [0.03, 0.5, 0.8], atol=0.005)
    assert_allclose(seen.units["reliability"], 1, atol=0.01)
    assert_array_equal(rank_draws(seen, seed=1)["rank_low"], [3, 2, 1])
    assert_array_equal(
        rank_sets(seen.units["effect"], seen.units["effect_se"], seed=1)["rank_high"], [3, 2, 1]
    )


def test_standard_error_of_a_million_deals_is_one_grid_step():
    """Finer than the grid nothing is known: the error of the effect does not sink to 0."""
    units = posterior(["a", "b"], [0, 0], [10**7] * 2, [5 * 10**6, 6 * 10**6]).units

    assert_allclose(units["effect_se"], 0.025 / np.sqrt(12))


def test_a_unit_without_deals_has_the_rate_of_all_and_no_reliability():
    """Nothing known of a unit: its rate is the prior's, and O/E is NaN."""
    unit, n = [*"abcdefghij", "new"], [200] * 10 + [0]
    wins = [40, 45, 48, 50, 52, 53, 55, 58, 60, 65, 0]

    seen = posterior(unit, [-1.0] * 11, n, wins).units.loc["new"]

    assert abs(seen["rate"] - expit(-1.0)) < 0.01
    assert seen["reliability"] < 0.01
    assert np.isnan(seen["observed_over_expected"])


def test_equal_units_share_the_top_quartile_equally():
    """Ties on the grid favour nobody: each of 20 equal units is on top in a quarter of draws."""
    seen = posterior(range(20), [-1.1] * 20, [2000] * 20, [500] * 20)

    found = rank_draws(seen, seed=3)

    assert_allclose(found["top_quartile_share"], 0.25, atol=4 * np.sqrt(0.25 * 0.75 / 10_000))
    assert found["rank_low"].isin([1, 2]).all()
    assert found["rank_high"].isin([19, 20]).all()


def test_rank_draws_agree_with_the_exact_share_of_first_places():
    """Of four units the share of draws on top is the sum over the grid of being above."""
    seen = posterior(list("abcd"), [0] * 4, [30] * 4, [12, 15, 16, 19])
    given = seen.effect_given_tau
    exact = np.zeros(4)
    for tau, weight in enumerate(seen.tau):
        below = given[tau].cumsum(axis=1) - given[tau] / 2  # a tie on the grid is a toss-up
        for i in range(4):
            others = np.prod(np.delete(below, i, axis=0), axis=0)
            exact[i] += weight * (given[tau, i] * others).sum()

    found = rank_draws(seen, seed=1, draws=40_000)

    assert_allclose(found["top_quartile_share"], exact, atol=0.012)
    assert_allclose(found["top_quartile_share"].sum(), 1)


def test_ranks_are_ordered_and_repeatable():
    """Rank intervals lie in 1 to p, the same seed gives the same ones, few units no quarter."""
    unit, covariates, n, wins = cells(7, units=3)
    seen = posterior(unit, within_unit_offset(unit, covariates, n, wins), n, wins)

    found = rank_draws(seen, seed=5, draws=500)

    assert ((found["rank_low"] >= 1) & (found["rank_low"] <= found["rank_high"])).all()
    assert (found["rank_high"] <= 3).all()
    assert found["top_quartile_share"].isna().all()
    assert_frame_equal(found, rank_draws(seen, seed=5, draws=500))


def test_twin_gives_the_exact_p_value_of_few_deals():
    """With 6 deals per unit the p-value is the twin's: that of all outcomes enumerated."""
    n, wins = 6, (0, 2, 4)

    def chi2(won):
        share = sum(won) / 18
        if share in (0, 1):
            return 0
        return sum((w - 6 * share) ** 2 for w in won) / (6 * share * (1 - share))

    exact = sum(
        np.prod([comb(n, w) * (1 / 3) ** w * (2 / 3) ** (n - w) for w in won])
        for won in product(range(7), repeat=3)
        if chi2(won) >= chi2(wins) - 1e-9
    )

    found = gate(list("abc"), [log(1 / 2)] * 3, [n] * 3, wins, seed=1, draws=20_000)

    assert found["method"] == "twin"
    assert_allclose(found["chi2"], chi2(wins))
    assert abs(found["p_value"] - exact) < 4 * np.sqrt(exact * (1 - exact) / 20_000)


def test_gate_uses_the_twin_only_where_many_units_expect_few():
    """One unit in six with few expected wins leaves chi-square, two in six do not."""
    unit, n = list("abcdef"), np.array([60, 60, 60, 60, 60, 8])
    eta = np.full(6, log(1 / 3))

    assert gate(unit, eta, n, n // 4, seed=1)["method"] == "chi2"
    n[0] = 8
    assert gate(unit, eta, n, n // 4, seed=1)["method"] == "twin"
    assert gate(unit, -eta, n, n - n // 4, seed=1)["method"] == "twin"


def test_gate_stays_shut_with_one_unit():
    """One unit with deals cannot differ from others; units without deals do not count."""
    found = gate(["a", "b"], [0, 0], [50, 0], [20, 0], seed=1)

    assert found["df"] == 0
    assert np.isnan(found["p_value"])
    assert found["is_open"] is False


def test_gate_takes_a_certain_outcome_as_no_difference():
    """A unit sure to win all its deals, and that did, adds nothing to chi-square."""
    found = gate(list("abc"), [0, 0, 40], [50, 50, 9], [30, 20, 9], seed=1)

    assert_allclose(found["chi2"], 2 * 5**2 / 12.5)
    assert gate(list("abc"), [40, 40, -40], [5, 5, 9], [5, 5, 0], seed=1)["p_value"] == 1


@pytest.mark.parametrize(("deals", "runs", "method"), [(40, 400, "chi2"), (12, 150, "twin")])
def test_gate_opens_falsely_once_in_twenty(deals, runs, method):
    """Fifty equal units open the gate in 3-6 % of runs, whichever way p is found."""
    rng, opened = np.random.default_rng(8), 0
    unit, n = np.arange(50), np.full(50, deals)

    for run in range(runs):
        wins = rng.binomial(n, 0.25)
        eta = within_unit_offset(unit, np.empty((50, 0)), n, wins)
        found = gate(unit, eta, n, wins, seed=run, draws=199)
        assert found["method"] == method
        opened += found["is_open"]

    assert abs(opened / runs - 0.05) < 3 * np.sqrt(0.05 * 0.95 / runs)


def test_intervals_cover_and_the_gate_opens_as_often_as_simulated():
    """Fifty units that differ, 40 deals each: rates, ranks and the gate as in the table."""
    table = pd.read_csv(REFERENCE / "sim_rep_posterior.csv")
    expected = table.query("mean_deals == 40 and sd_true_rate == 0.06").iloc[0]
    rng, unit = np.random.default_rng(9), np.arange(50)
    strength = 0.25 * 0.75 / 0.06**2 - 1  # of a Beta with mean .25 and SD .06
    rows = []

    for run in range(40):
        true = rng.beta(0.25 * strength, 0.75 * strength, 50)
        n = np.maximum(rng.poisson(40, 50), 1)
        wins = rng.binomial(n, true)
        eta = within_unit_offset(unit, np.empty((50, 0)), n, wins)
        seen = posterior(unit, eta, n, wins)
        ranks = rank_draws(seen, seed=run, draws=1000)
        place = (-true).argsort().argsort() + 1
        in_rate = (seen.units["rate_low"] <= true) & (true <= seen.units["rate_high"])
        in_rank = (ranks["rank_low"] <= place) & (place <= ranks["rank_high"])
        is_open = gate(unit, eta, n, wins, seed=run)["is_open"]
        rows.append([in_rate.mean(), in_rank.mean(), is_open, seen.tau_mean])

    names = ["coverage_95", "rank_interval90_coverage", "gate_open", "tau_mean"]
    error = np.std(rows, axis=0) * np.sqrt(1 / len(rows) + 1 / 150)
    assert (np.abs(np.mean(rows, axis=0) - expected[names].to_numpy(float)) < 3 * error).all()


@pytest.fixture
def synthetic():
    """Ten made-up units with their published rank sets."""
    return pd.read_csv(REFERENCE / "rank_sets_synthetic.csv").set_index("unit")


@pytest.mark.parametrize("seed", [1, 2])
def test_rank_sets_equal_csranks(synthetic, seed):
    """Step-down sets are those of the R package, for any seed."""
    found = rank_sets(synthetic["x"], synthetic["se"], seed=seed)

    assert_array_equal(found, synthetic[["stepdown_L", "stepdown_U"]])
    assert list(found.index) == list("ABCDEFGHIJ")


def test_rank_sets_by_holm_equal_the_published_ones(synthetic):
    """Holm's sets differ from the step-down ones in E and I."""
    found = rank_sets_holm(synthetic["x"], synthetic["se"])

    assert_array_equal(found, synthetic[["holm_L", "holm_U"]])


def step_down_written_out(x, se, noise, confidence):
    """Rank sets by computing every pair in every draw, again at each step."""
    pairs = [(i, j) for i in range(len(x)) for j in range(len(x)) if i != j]
    beaten = []
    while pairs:
        spread = {(i, j): (se[i] ** 2 + se[j] ** 2) ** 0.5 for i, j in pairs}
        largest = np.max([(noise[:, i] - noise[:, j]) / spread[i, j] for i, j in pairs], axis=0)
        critical = np.quantile(largest, confidence)
        found = [(i, j) for i, j in pairs if (x[i] - x[j]) / spread[i, j] > critical]
        if not found:
            break
        beaten += found
        pairs = [pair for pair in pairs if pair not in found]
    low = [1 + sum(j == unit for _, j in beaten) for unit in range(len(x))]
    high = [len(x) - sum(i == unit for i, _ in beaten) for unit in range(len(x))]
    return np.column_stack([low, high])


@pytest.mark.parametrize("seed", range(15))
def test_rank_sets_agree_with_all_pairs_written_out(seed):
    """Leaving out draws that cannot matter changes no set."""
    rng = np.random.default_rng(100 + seed)
    x, se = rng.normal(0, 1, 9), rng.uniform(0.1, 0.5, 9)
    noise = np.random.default_rng(seed).standard_normal((3000, 9)) * se

    found = rank_sets(x, se, seed=seed, draws=3000, confidence=0.7)

    assert_array_equal(found, step_down_written_out(x, se, noise, 0.7))


@pytest.mark.parametrize("sets", [rank_sets, rank_sets_holm])
def test_more_confidence_widens_the_rank_sets(synthetic, sets):
    """Sets of a higher level hold those of a lower one, and some are larger."""
    seed = {"seed": 1} if sets is rank_sets else {}

    narrow, wide = (
        sets(synthetic["x"], synthetic["se"], confidence=level, **seed) for level in (0.5, 0.999)
    )

    assert (wide["rank_low"] <= narrow["rank_low"]).all()
    assert (wide["rank_high"] >= narrow["rank_high"]).all()
    assert (wide["rank_high"] - wide["rank_low"]).sum() > (
        narrow["rank_high"] - narrow["rank_low"]
    ).sum()


@pytest.mark.parametrize("sets", [rank_sets, rank_sets_holm])
def test_rank_sets_follow_their_units(synthetic, sets):
    """Units in another order have the same sets."""
    seed = {"seed": 1} if sets is rank_sets else {}
    other = synthetic.sample(frac=1, random_state=3)

    found = sets(other["x"], other["se"], **seed)

    assert_frame_equal(found.sort_index(), sets(synthetic["x"], synthetic["se"], **seed))


def test_ranking_refuses_what_cannot_be_compared():
    """Each refusal says what must hold and what was found."""
    with pytest.raises(ValueError, match="some deals must be won and some not.* 0 wins of 9"):
        within_unit_offset(["a", "b"], [[0], [1]], [4, 5], [0, 0])
    with pytest.raises(ValueError, match="1 of 2 do not, the first at position 1: 6 of 5"):
        posterior(["a", "b"], [0, 0], [4, 5], [0, 6])
    with pytest.raises(ValueError, match="unit must be given, but is missing in 1 of 2"):
        gate(["a", None], [0, 0], [4, 5], [0, 3], seed=1)
    with pytest.raises(ValueError, match="same length, but have 2, 1 and 1"):
        gate(["a", "b"], [0, 0], [4], [0], seed=1)
    with pytest.raises(ValueError, match=r"one row for each of the 2 cells, .* shape \(1, 2\)"):
        within_unit_offset(["a", "b"], [[0, 1]], [4, 5], [1, 2])
    with pytest.raises(ValueError, match="covariates must be numbers, but 1 of 2 are missing"):
        within_unit_offset(["a", "b"], [[0], [np.nan]], [4, 5], [1, 2])
    with pytest.raises(ValueError, match="eta must be one finite number for each of the 2 cells"):
        posterior(["a", "b"], [0, -np.inf], [4, 5], [1, 2])
    with pytest.raises(ValueError, match="1 se are not above 0"):
        rank_sets([1, 2], [0.1, 0], seed=1)
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1"):
        rank_sets_holm([1, 2], [0.1, 0.2], confidence=95)
