"""Do the ranges of a stage's gain hold the true gain, and is a stage the top lever as often as the page says?"""

import numpy as np
import pandas as pd

from salesanalysis.statistics import levers

STEPS = (0.557, 0.625, 0.48, 0.68)  # true share that goes on from each stage
REACHED = (0.60, 0.66, 0.62, 0.70)  # by the better groups
LEADS = (100, 300, 1000)


def coverage(runs: int, seed: int) -> pd.DataFrame:
    """
    Simulate pipelines with known steps, and steps drawn anew so that P(top) can be checked.

    Returns
    -------
    DataFrame, one row per number of leads
        ``what``, ``runs``, ``coverage`` (95 % ranges of the gain of a stage that hold the true one), ``said_top`` and
        ``is_top`` (mean probability given to the stage named first, and how often it is the top lever; steps drawn
        from Beta(30 p, 30 (1 - p)) for each pipeline), ``lowest_is_lowest`` (the lowest observed step is truly so).
    """
    rng = np.random.default_rng(seed)
    rows = []
    for leads in LEADS:
        found = pd.DataFrame([_pipeline(rng, leads) for _ in range(runs)])
        rows.append({"what": f"{leads} leads", "runs": runs} | dict(found.mean()))
    return pd.DataFrame(rows)


def _pipeline(rng, leads: int) -> dict[str, float]:
    reached = np.array(REACHED)
    truth = np.array(STEPS)
    table, rate = _look(rng, leads, truth)
    gain = _gain(truth)
    other = rng.beta(30 * truth, 30 * (1 - truth))
    drawn, _ = _look(rng, leads, other)
    first = int(drawn["top_share"].argmax())
    return {
        "coverage": (table["gain_low"].le(gain) & table["gain_high"].ge(gain)).mean(),
        "said_top": drawn["top_share"].max(),
        "is_top": first == int(np.argmax(_gain(other))) and (reached > other).any(),
        "lowest_is_lowest": int(np.nanargmin(rate)) == int(np.argmin(truth)),
    }


def _look(rng, leads: int, truth: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """Estimate the gains from the leads of one pipeline."""
    n, passed = [], []
    here = leads
    for p in truth:
        n.append(here)
        here = rng.binomial(here, p)
        passed.append(here)
    rate = np.array(passed) / np.maximum(n, 1)
    rate = np.where(np.array(n) > 0, rate, np.nan)
    return levers.levers(rate, n, REACHED, seed=int(rng.integers(2**31)), draws=20_000), rate


def _gain(truth: np.ndarray) -> np.ndarray:
    return truth.prod() * np.maximum(np.array(REACHED) / truth - 1, 0)
