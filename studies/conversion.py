"""Does the interval of the cohort win rate hold the true share as often as it says?"""

import numpy as np
import pandas as pd
from scipy.stats import gamma

from salesanalysis.statistics import proportions, survival

AGE, WINDOW, AS_OF = 90, 150, 160  # days: age read, days in which deals are created, day observed
WON_DAYS, LOST_DAYS = 60, 45  # mean time to the outcome, gamma distributed with shape 2
SIZES = ((0.05, 15), (0.05, 60), (0.25, 30), (0.25, 200))  # final win rate, deals


def coverage(runs: int, seed: int) -> pd.DataFrame:
    """
    Simulate cohorts of which most deals are still young, and count how often an interval holds the truth.

    Returns
    -------
    DataFrame, one row per final win rate and number of deals
        ``what``, ``runs``, ``coverage`` and, for comparison, ``plain_coverage`` (Wilson on won / closed at any age).
    """
    rng = np.random.default_rng(seed)
    rows = []
    for rate, n in SIZES:
        truth = rate * gamma.cdf(AGE + 1, 2, scale=WON_DAYS / 2)  # days are whole, rounded down
        age, cause = _deals(rng, runs, n, rate)
        found = survival.incidence_of_groups(_counts(age, cause))
        holds = found["rate_low"].le(truth) & found["rate_high"].ge(truth)
        won, closed = (cause == 1).sum(axis=1), (cause > 0).sum(axis=1)
        low, high = proportions.wilson(won, np.maximum(closed, 1))
        rows.append(
            {
                "what": f"cohort win rate at {AGE} days, {rate:.0%} won in the end, {n} deals",
                "runs": int(found["rate"].notna().sum()),
                "coverage": holds[found["rate"].notna()].mean(),
                "plain_coverage": ((low <= truth) & (truth <= high)).mean(),
            }
        )
    return pd.DataFrame(rows)


def _deals(rng, runs: int, n: int, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Age (whole days) and cause of each deal, closed or open on the day observed."""
    created = rng.integers(0, WINDOW, (runs, n))
    is_won = rng.random((runs, n)) < rate
    days = np.floor(rng.gamma(2, np.where(is_won, WON_DAYS, LOST_DAYS) / 2)).astype(int)
    followed = AS_OF - created
    cause = np.where(days > followed, 0, np.where(is_won, 1, 2))
    return np.minimum(days, followed), cause


def _counts(age: np.ndarray, cause: np.ndarray) -> np.ndarray:
    counts = np.zeros((len(age), 3, AGE + 2))
    np.add.at(counts, (np.arange(len(age))[:, None], cause, np.minimum(age, AGE + 1)), 1)
    return counts
