"""Do the ranges of reps' win rates and ranks hold the true ones, and how often is luck ranked?"""

import numpy as np
import pandas as pd

from salesanalysis.statistics import ranking

REPS, MEAN, SD = 50, 0.25, 0.06  # true rates are beta distributed
DEALS = (20, 40, 150)  # per rep, on average


def coverage(runs: int, seed: int) -> pd.DataFrame:
    """
    Simulate companies of 50 reps that differ, and such whose reps are equal.

    Returns
    -------
    DataFrame, one row per number of deals
        ``what``, ``runs``, ``coverage`` (95 % interval of the win rate), ``rank_coverage`` (90 % rank interval),
        ``gate_open`` (share of companies called different), ``gate_open_if_equal``, ``leader_is_best``.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for deals in DEALS:
        found = pd.DataFrame([_company(rng, deals) for _ in range(runs)])
        rows.append({"what": f"{REPS} reps, {deals} deals each", "runs": runs} | dict(found.mean()))
    return pd.DataFrame(rows)


def _company(rng, deals: int) -> dict[str, float]:
    spread = MEAN * (1 - MEAN) / SD**2 - 1
    truth = rng.beta(MEAN * spread, (1 - MEAN) * spread, REPS)
    n = rng.poisson(deals, REPS).clip(min=1)
    unit, eta = np.arange(REPS), np.zeros(REPS)
    won = rng.binomial(n, truth)
    known = ranking.posterior(unit, _offset(n, won), n, won)
    ranks = ranking.rank_draws(known, seed=int(rng.integers(2**31)), draws=2_000)
    place = np.argsort(np.argsort(-truth)) + 1
    equal = rng.binomial(n, MEAN)
    return {
        "coverage": (known.units["rate_low"].le(truth) & known.units["rate_high"].ge(truth)).mean(),
        "rank_coverage": (ranks["rank_low"].le(place) & ranks["rank_high"].ge(place)).mean(),
        "gate_open": ranking.gate(unit, _offset(n, won), n, won, seed=1)["is_open"],
        "gate_open_if_equal": ranking.gate(unit, eta + _offset(n, equal), n, equal, seed=1)[
            "is_open"
        ],
        "leader_is_best": np.argmax(won / n) == np.argmax(truth),
    }


def _offset(n: np.ndarray, won: np.ndarray) -> np.ndarray:
    return ranking.within_unit_offset(np.arange(len(n)), np.empty((len(n), 0)), n, won)
