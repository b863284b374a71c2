"""
Shares of several units, what their true values may be, and how far they can be ranked.

Data are cells: ``n`` deals of one unit and one pattern of covariates, ``wins`` of them won.
The model is logit P(win) = eta + u, with the offset eta of the cell and the effect u of the
unit, u ~ N(0, tau squared). Rank 1 is the best.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit, logit, logsumexp, ndtr
from scipy.stats import chi2 as chi2_distribution

from salesanalysis.statistics.proportions import two_sided_z

EFFECTS = np.linspace(-3, 3, 241)
_STEP = EFFECTS[1] - EFFECTS[0]
SPREADS = np.geomspace(0.03, 1.5, 30)
# A Gamma(2) prior, proportional to tau, keeps tau off 0; so the grid point tau = 0, which
# only sets the width of the first cell, has no weight and is left out.
_SPREAD_PRIOR = SPREADS * np.gradient(np.append(0, SPREADS))[1:]

# On standardised columns: keeps a slope finite where every deal of a pattern is won, or none,
# and determined where columns depend on each other.
_SLOPE_RIDGE = 1e-6
_FEW = 5  # expected wins, or not won, below which chi-square is not trusted for a unit
_MANY = 0.2  # share of such units above which the null twin gives the p-value
_BLOCK = 2_000_000  # numbers held at once
_TINY = 1e-100  # stands for a variance of 0 where the difference over it is 0 too


def within_unit_offset(unit, covariates, n, wins, *, ridge: float = 1.0) -> np.ndarray:
    """
    Predict each cell on the logit scale from its covariates, as if units were equal.

    Slopes come from comparisons within units: each unit has its own intercept, held together
    by a ridge so that a unit with no win or only wins has one too. The intercepts are then
    dropped for one that makes expected and observed wins equal.

    Parameters
    ----------
    unit : array_like
        Unit of each cell.
    covariates : array_like, cells x covariates
        Numbers; may have no columns. A column may be constant or a combination of others: a
        tiny ridge on the slopes then shares the slope among them, and eta is the same.
    n, wins : array_like
        Deals, and won deals, of each cell.
    ridge : float
        Weight of the ridge on the intercepts.

    Returns
    -------
    ndarray
        eta of each cell: logit of the share expected of it.

    Raises
    ------
    ValueError
        Shapes differ, a value is missing, ``wins`` is not between 0 and ``n``, or there is no
        win or no deal that is not won: then nothing can be compared.

    Examples
    --------
    >>> eta = within_unit_offset(["a", "a", "b"], [[0], [1], [1]], [40, 40, 20], [10, 20, 10])
    >>> (1 / (1 + np.exp(-eta))).round(3).tolist()
    [0.25, 0.5, 0.5]
    """
    codes, units, n, wins = _cells(unit, n, wins)
    covariates = np.asarray(covariates, dtype=float)
    if covariates.ndim != 2 or len(covariates) != len(n):
        raise ValueError(
            f"covariates must have one row for each of the {len(n)} cells, but have shape "
            f"{covariates.shape}"
        )
    if not np.isfinite(covariates).all():
        raise ValueError(
            "covariates must be numbers, but "
            f"{(~np.isfinite(covariates)).sum()} of {covariates.size} are missing or infinite"
        )
    covariates = _standardised(covariates, n)
    slopes = _slopes(codes, len(units), covariates, n, wins, ridge)
    return _centred(covariates @ slopes, n, wins)


@dataclass(frozen=True)
class Posterior:
    """
    What is known of the units, as `posterior` gives it.

    Attributes
    ----------
    units : DataFrame, indexed by unit
        ``n_deals``, ``n_won``, ``expected`` (wins, were the unit like the others),
        ``observed_over_expected`` (NaN where none are expected), ``rate`` (posterior mean of
        the share it would have on the deals of all), ``rate_low``, ``rate_high``,
        ``reliability`` (0 to 1), ``effect`` and ``effect_se`` (mean and SD of u from its own
        deals alone, for `rank_sets`; the SD is at least that of one step of the grid).
    tau_mean : float
        Posterior mean of tau, the spread of the units on the logit scale.
    tau : ndarray
        p(tau | data) on `SPREADS`.
    effect : ndarray, units x effects
        P(u | data) on `EFFECTS`.
    effect_given_tau : ndarray, spreads x units x effects
        P(u | tau, data).
    """

    units: pd.DataFrame
    tau_mean: float
    tau: np.ndarray
    effect: np.ndarray
    effect_given_tau: np.ndarray


def posterior(unit, eta, n, wins, *, confidence: float = 0.95) -> Posterior:
    """
    Compute what the deals say of each unit, by exact sums over a grid.

    Parameters
    ----------
    unit, n, wins : array_like
        Unit, deals and won deals of each cell.
    eta : array_like
        Offset of each cell, as `within_unit_offset` gives.
    confidence : float
        Level of the interval of the rate.

    Returns
    -------
    Posterior
        The rate is standardised to the deals of all units together.

    Raises
    ------
    ValueError
        As for `within_unit_offset`, or ``eta`` is not finite.

    References
    ----------
    Gelman et al., Bayesian Data Analysis (2013), chapter 5; prior of tau: Chung et al.,
    Psychometrika 78 (2013), 685-709.

    Examples
    --------
    >>> known = posterior(["a", "b", "c"], [0, 0, 0], [40, 40, 40], [12, 20, 28])
    >>> known.units.loc["a", ["rate", "rate_low", "rate_high"]].round(2).tolist()
    [0.33, 0.2, 0.47]
    """
    codes, units, n, wins = _cells(unit, n, wins)
    eta = _offsets(eta, len(n))
    log_likelihood, rate_of_effect = _on_effect_grid(codes, len(units), eta, n, wins)
    log_prior = -0.5 * (EFFECTS / SPREADS[:, None]) ** 2
    log_prior -= logsumexp(log_prior, axis=1, keepdims=True)
    joint = log_likelihood + log_prior[:, None, :]
    log_marginal = logsumexp(joint, axis=2)
    effect_given_tau = np.exp(joint - log_marginal[:, :, None])
    log_tau = np.log(_SPREAD_PRIOR) + log_marginal.sum(axis=1)
    tau = np.exp(log_tau - logsumexp(log_tau))
    effect = np.tensordot(tau, effect_given_tau, axes=1)
    tail = ndtr(-two_sided_z(confidence))
    low, high = _quantiles(effect, [tail, 1 - tail])
    own = np.exp(log_likelihood - logsumexp(log_likelihood, axis=1, keepdims=True))
    own_mean, own_variance = _moments(own)
    expected = _per_unit(codes, len(units), n * expit(eta))
    won = _per_unit(codes, len(units), wins)
    frame = pd.DataFrame(
        {
            "n_deals": _per_unit(codes, len(units), n).astype(int),
            "n_won": won.astype(int),
            "expected": expected,
            "observed_over_expected": won / np.where(expected > 0, expected, np.nan),
            "rate": effect @ rate_of_effect,
            "rate_low": np.interp(low, EFFECTS, rate_of_effect),
            "rate_high": np.interp(high, EFFECTS, rate_of_effect),
            "reliability": np.clip(1 - _moments(effect)[1] / (tau @ SPREADS**2), 0, 1),
            "effect": own_mean,
            "effect_se": np.sqrt(np.maximum(own_variance, _STEP**2 / 12)),
        },
        index=units,
    )
    return Posterior(frame, float(tau @ SPREADS), tau, effect, effect_given_tau)


def gate(unit, eta, n, wins, *, seed: int, draws: int = 999) -> dict:
    """
    Test whether the units differ at all; only if they do may they be ranked.

    Chi-square of observed against expected wins. Where more than a fifth of the units expect
    fewer than 5 wins, or fewer than 5 deals not won, the p-value is that of the null twin:
    outcomes of the same deals, simulated as if the units were equal.

    Parameters
    ----------
    unit, eta, n, wins : array_like
        As for `posterior`.
    seed, draws : int
        Of the null twin.

    Returns
    -------
    dict
        ``chi2``, ``df``, ``p_value``, ``is_open`` (p-value below .05), ``method`` ("chi2" or
        "twin"). With fewer than two units that have deals the p-value is NaN, the gate shut.

    Raises
    ------
    ValueError
        As for `posterior`.

    Examples
    --------
    >>> verdict = gate(["a", "b", "c"], [0, 0, 0], [40, 40, 40], [12, 20, 28], seed=1)
    >>> verdict["df"], round(verdict["p_value"], 4), verdict["is_open"]
    (2, 0.0017, True)
    """
    codes, _, n, wins = _cells(unit, n, wins)
    eta = _offsets(eta, len(n))
    has_deals = np.flatnonzero(n > 0)
    order = has_deals[np.argsort(codes[has_deals], kind="stable")]
    codes, eta, n, wins = codes[order], eta[order], n[order], wins[order]
    first = np.flatnonzero(np.diff(codes, prepend=-1))
    expected = np.add.reduceat(n * expit(eta), first)
    seen = float(_chi2(wins, eta, n, first))
    df = len(first) - 1
    other = np.add.reduceat(n, first) - expected
    method = "twin" if np.mean(np.minimum(expected, other) < _FEW) > _MANY else "chi2"
    if df < 1:
        p_value = np.nan
    elif method == "chi2":
        p_value = float(chi2_distribution.sf(seen, df))
    else:
        twin = _null_chi2(eta, n, first, draws, np.random.default_rng(seed))
        p_value = float((1 + np.sum(twin >= seen - 1e-9)) / (draws + 1))
    return {
        "chi2": seen,
        "df": df,
        "p_value": p_value,
        "is_open": bool(p_value < 0.05),
        "method": method,
    }


def rank_draws(known: Posterior, *, seed: int, draws: int = 10_000) -> pd.DataFrame:
    """
    Draw the units' effects together and rank each draw.

    Parameters
    ----------
    known : Posterior
        As `posterior` gives.
    seed, draws : int
        Of the random numbers.

    Returns
    -------
    DataFrame, indexed by unit
        ``rank_low``, ``rank_high`` (the 5 % and 95 % quantiles of the rank, 1 is best) and
        ``top_quartile_share`` (share of draws in which the unit is in the best quarter; NaN
        with fewer than 4 units, where no quarter is a whole unit).

    Examples
    --------
    >>> known = posterior(list("abcd"), [0] * 4, [90] * 4, [20, 40, 45, 80])
    >>> ranks = rank_draws(known, seed=1)
    >>> ranks["rank_low"].tolist(), ranks["rank_high"].tolist()
    ([4, 2, 2, 1], [4, 3, 3, 1])
    """
    rng = np.random.default_rng(seed)
    n_units = len(known.units)
    effects = np.empty((draws, n_units))
    which_tau = rng.choice(len(SPREADS), size=draws, p=known.tau)
    shift = np.arange(n_units)
    for k in np.unique(which_tau):
        rows = which_tau == k
        # One search serves all units: unit i looks for i + uniform among i + its own sums.
        sums = known.effect_given_tau[k].cumsum(axis=1)
        sums /= sums[:, -1:]
        found = np.searchsorted(
            (sums + shift[:, None]).ravel(), rng.random((rows.sum(), n_units)) + shift
        )
        effects[rows] = EFFECTS[np.clip(found - shift * len(EFFECTS), 0, len(EFFECTS) - 1)]
    # Without the jitter ties on the grid would be broken by index and favour the first unit.
    effects += rng.uniform(-_STEP / 2, _STEP / 2, effects.shape)
    ranks = np.empty((draws, n_units), dtype=np.int32)
    np.put_along_axis(ranks, np.argsort(-effects, axis=1), np.arange(1, n_units + 1), axis=1)
    low, high = np.quantile(ranks, [0.05, 0.95], axis=0, method="inverted_cdf")
    quarter = n_units // 4
    top = (ranks <= quarter).mean(axis=0) if quarter else np.full(n_units, np.nan)
    return pd.DataFrame(
        {
            "rank_low": low.astype(int),
            "rank_high": high.astype(int),
            "top_quartile_share": top,
        },
        index=known.units.index,
    )


def rank_sets(x, se, *, seed: int, draws: int = 40_000, confidence: float = 0.95) -> pd.DataFrame:
    """
    Bound the ranks of all units at once, by step-down tests of all pairs.

    Time grows with draws times units squared; for more than about 100 units `rank_sets_holm`
    gives sets hardly wider without random numbers.

    Parameters
    ----------
    x, se : array_like or Series
        Independent estimates (the greatest is the best) and their standard errors.
    seed, draws : int
        Of the random numbers.
    confidence : float
        Probability that every set holds the true rank of its unit.

    Returns
    -------
    DataFrame, indexed as ``x``
        ``rank_low``, ``rank_high``: 1 + number of units shown to be better, number of units -
        number shown to be worse.

    Raises
    ------
    ValueError
        Lengths differ, or a standard error is not above 0.

    References
    ----------
    Mogstad, Romano, Shaikh and Wilhelm, Review of Economic Studies 91 (2024), 476-518.

    Examples
    --------
    >>> rank_sets([3.0, 1.0, 1.1], [0.2, 0.2, 0.2], seed=1)
       rank_low  rank_high
    0         1          1
    1         2          3
    2         2          3
    """
    statistic, spread, se, index = _pairs(x, se, confidence)
    noise, bound = _noise(se, draws, seed)
    is_active = ~np.eye(len(se), dtype=bool)
    is_better = np.zeros_like(is_active)
    while is_active.any():
        critical = _critical(noise, bound, spread, is_active, confidence)
        found = is_active & (statistic > critical)
        if not found.any():
            break
        is_better |= found
        is_active &= ~found
    return _rank_bounds(is_better, index)


def rank_sets_holm(x, se, *, confidence: float = 0.95) -> pd.DataFrame:
    """
    Bound the ranks of all units at once, by Holm's tests of all pairs.

    Parameters, result and errors as for `rank_sets`; needs no random numbers.

    References
    ----------
    Holm, Scandinavian Journal of Statistics 6 (1979), 65-70.

    Examples
    --------
    >>> rank_sets_holm([3.0, 1.0, 1.1], [0.2, 0.2, 0.2])["rank_high"].tolist()
    [1, 3, 3]
    """
    statistic, _, se, index = _pairs(x, se, confidence)
    rows, columns = np.nonzero(~np.eye(len(se), dtype=bool))
    p_values = ndtr(-statistic[rows, columns])
    order = np.argsort(p_values)
    adjusted = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    found = order[adjusted <= 1 - confidence]
    is_better = np.zeros_like(statistic, dtype=bool)
    is_better[rows[found], columns[found]] = True
    return _rank_bounds(is_better, index)


def _cells(unit, n, wins):
    codes, units = pd.factorize(pd.Series(unit), sort=True)
    n, wins = np.asarray(n, dtype=float), np.asarray(wins, dtype=float)
    if not len(codes) == len(n) == len(wins):
        raise ValueError(
            "unit, n and wins must have the same length, but have "
            f"{len(codes)}, {len(n)} and {len(wins)}"
        )
    if (codes < 0).any():
        raise ValueError(
            f"unit must be given, but is missing in {(codes < 0).sum()} of {len(codes)} cells, "
            f"the first at position {int(np.flatnonzero(codes < 0)[0])}"
        )
    is_wrong = ~((wins >= 0) & (wins <= n) & np.isfinite(n))
    if is_wrong.any():
        first = int(np.flatnonzero(is_wrong)[0])
        raise ValueError(
            f"wins must lie between 0 and n, but {is_wrong.sum()} of {len(n)} do not, "
            f"the first at position {first}: {wins[first]:g} of {n[first]:g}"
        )
    if not 0 < wins.sum() < n.sum():
        raise ValueError(
            "some deals must be won and some not, or nothing can be compared; "
            f"found {wins.sum():g} wins of {n.sum():g} deals"
        )
    return codes, units.rename("unit"), n, wins


def _offsets(eta, length):
    eta = np.asarray(eta, dtype=float)
    if eta.shape != (length,) or not np.isfinite(eta).all():
        raise ValueError(
            f"eta must be one finite number for each of the {length} cells, but has shape "
            f"{eta.shape} and {(~np.isfinite(eta)).sum()} values that are not finite"
        )
    return eta


def _per_unit(codes, n_units, values):
    return np.bincount(codes, weights=values, minlength=n_units)


def _standardised(covariates, n):
    """Columns with mean 0 and SD 1 over the deals; constant ones are left out."""
    centred = covariates - np.average(covariates, axis=0, weights=n)
    scale = np.sqrt(np.average(centred**2, axis=0, weights=n))
    varies = scale > 1e-12 * np.abs(covariates).max(axis=0, initial=1)
    return centred[:, varies] / scale[varies]


def _slopes(codes, n_units, x, n, wins, ridge):
    """Newton's method for unit intercepts with a ridge around their mean, and slopes."""
    intercepts = np.full(n_units, logit(wins.sum() / n.sum()))
    slopes = np.zeros(x.shape[1])
    if not len(slopes):
        return slopes

    def fit(intercepts, slopes):
        linear = intercepts[codes] + x @ slopes
        penalty = ridge * intercepts.var() * n_units + _SLOPE_RIDGE * slopes @ slopes
        return wins @ linear - n @ np.logaddexp(0, linear) - penalty / 2

    for _ in range(200):
        d_intercepts, d_slopes, gain = _newton_step(codes, x, n, wins, ridge, intercepts, slopes)
        share = 1.0
        if gain > 1e-12 * n.sum():  # else rounding decides, and a full step is safe
            before = fit(intercepts, slopes)
            while fit(intercepts + share * d_intercepts, slopes + share * d_slopes) < before:
                share /= 2
        intercepts = intercepts + share * d_intercepts
        slopes = slopes + share * d_slopes
        # Where every deal of a pattern is won the fit is nearly flat: its slope moves on, but
        # matters no more once there is nothing to gain.
        if gain < 1e-16 * n.sum() or max(np.abs(d_slopes).max(), np.abs(d_intercepts).max()) < 1e-8:
            return slopes
    raise RuntimeError("the slopes of the covariates did not settle in 200 steps")


def _newton_step(codes, x, n, wins, ridge, intercepts, slopes):
    n_units = len(intercepts)
    expected = expit(intercepts[codes] + x @ slopes)
    weight = n * expected * (1 - expected)
    residual = wins - n * expected
    pull_intercepts = _per_unit(codes, n_units, residual) - ridge * (intercepts - intercepts.mean())
    pull_slopes = x.T @ residual - _SLOPE_RIDGE * slopes
    own = _per_unit(codes, n_units, weight) + ridge
    cross = np.column_stack([_per_unit(codes, n_units, weight * column) for column in x.T])
    curvature = x.T @ (weight[:, None] * x) + _SLOPE_RIDGE * np.eye(len(slopes))
    d_slopes = np.linalg.solve(
        curvature - cross.T @ _over_intercepts(own, ridge, cross),
        pull_slopes - cross.T @ _over_intercepts(own, ridge, pull_intercepts),
    )
    d_intercepts = _over_intercepts(own, ridge, pull_intercepts - cross @ d_slopes)
    return d_intercepts, d_slopes, pull_intercepts @ d_intercepts + pull_slopes @ d_slopes


def _over_intercepts(own, ridge, y):
    """Solve (diag(own) - ridge/p) z = y: the ridge leaves the mean free (Sherman-Morrison)."""
    y = (y.T / own).T
    pull = ridge / len(own) / own
    return y + np.multiply.outer(pull, y.sum(axis=0)) / (1 - pull.sum())


def _centred(linear, n, wins):
    overall = logit(wins.sum() / n.sum())
    intercept = brentq(
        lambda c: n @ expit(c + linear) - wins.sum(),
        overall - linear.max() - 1,
        overall - linear.min() + 1,
        xtol=1e-15,
    )
    return intercept + linear


def _on_effect_grid(codes, n_units, eta, n, wins):
    """Log likelihood of each unit, and the share won by all deals, at each effect."""
    log_likelihood = np.empty((n_units, len(EFFECTS)))
    rate = np.empty(len(EFFECTS))
    for k, effect in enumerate(EFFECTS):
        logits = eta + effect
        log_likelihood[:, k] = _per_unit(
            codes, n_units, wins * logits - n * np.logaddexp(0, logits)
        )
        rate[k] = n @ expit(logits) / n.sum()
    return log_likelihood, rate


def _moments(probabilities):
    mean = probabilities @ EFFECTS
    return mean, probabilities @ EFFECTS**2 - mean**2


def _quantiles(probabilities, levels):
    """Quantiles of each row, its mass spread evenly over each cell of the grid."""
    edges = np.append(EFFECTS - _STEP / 2, EFFECTS[-1] + _STEP / 2)
    return np.array(
        [np.interp(levels, np.append(0, row.cumsum()), edges) for row in probabilities]
    ).T


def _chi2(wins, eta, n, first):
    """Chi-square of cells in the last axis; each unit starts at a position of ``first``."""
    expected = expit(eta)
    excess = np.add.reduceat(wins - n * expected, first, axis=-1)
    variance = np.add.reduceat(n * expected * (1 - expected), first, axis=-1)
    return (excess**2 / np.maximum(variance, _TINY)).sum(axis=-1)


def _null_chi2(eta, n, first, draws, rng):
    """Chi-square of simulated outcomes, the common intercept fitted anew to each."""
    drawn = []
    size = max(1, _BLOCK // len(n))
    for start in range(0, draws, size):
        shape = (min(size, draws - start), len(n))
        wins = rng.binomial(n.astype(int), expit(eta), size=shape)
        logits = np.broadcast_to(eta, shape)
        for _ in range(8):
            expected = n * expit(logits)
            slope = (expected * (1 - expected / n)).sum(axis=1)
            step = np.clip((wins - expected).sum(axis=1) / np.maximum(slope, _TINY), -1, 1)
            logits = logits + step[:, None]
        drawn.append(_chi2(wins, logits, n, first))
    return np.concatenate(drawn)


def _pairs(x, se, confidence):
    two_sided_z(confidence)
    index = x.index if isinstance(x, pd.Series) else pd.RangeIndex(len(x))
    x, se = np.asarray(x, dtype=float), np.asarray(se, dtype=float)
    if x.shape != se.shape or not np.isfinite(x).all() or not (se > 0).all():
        raise ValueError(
            "x must be numbers and se as many numbers above 0, but "
            f"x has shape {x.shape}, se {se.shape}, and {(~(se > 0)).sum()} se are not above 0"
        )
    spread = np.hypot.outer(se, se)
    return np.subtract.outer(x, x) / spread, spread, se, index


def _noise(se, draws, seed):
    """Draws of the errors, and a bound on their largest standardised difference, descending."""
    noise = np.random.default_rng(seed).standard_normal((draws, len(se)))
    # (Z_i - Z_j) / s_ij <= hypot(Z_i / s_i, Z_j / s_j) when the signs differ (Cauchy-Schwarz),
    # and no more than the larger of the two when they agree.
    bound = np.hypot(np.maximum(noise.max(axis=1), 0), np.minimum(noise.min(axis=1), 0))
    order = np.argsort(-bound)
    return (noise * se)[order], bound[order]


def _critical(noise, bound, spread, is_active, confidence):
    """Quantile over draws of the largest difference; draws bounded below it are not computed."""
    above = len(noise) - int((len(noise) - 1) * confidence)
    largest = bound.copy()
    for start in range(0, len(noise), 1000):
        part = slice(start, start + 1000)
        if np.sum(largest[:start] >= bound[start]) >= above:
            break
        largest[part] = _largest(noise[part], spread, is_active)
    return np.quantile(largest, confidence)


def _largest(noise, spread, is_active):
    """Largest standardised difference over the active pairs, in each draw."""
    noise = np.ascontiguousarray(noise.T)
    largest = np.full(noise.shape[1], -np.inf)
    for i, others in enumerate(is_active):
        if others.any():
            gap = (noise[i] - noise[others]) / spread[i, others][:, None]
            np.maximum(largest, gap.max(axis=0), out=largest)
    return largest


def _rank_bounds(is_better, index):
    return pd.DataFrame(
        {
            "rank_low": 1 + is_better.sum(axis=0),
            "rank_high": len(is_better) - is_better.sum(axis=1),
        },
        index=index,
    )
