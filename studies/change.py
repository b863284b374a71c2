"""Is a change found where there was one, and not where there was none?"""

import multiprocessing
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import gamma

from salesanalysis import crm
from salesanalysis.crm import sample
from salesanalysis.crm.sample import truth as truth_of
from salesanalysis.metrics import impact

MAPPING = Path(__file__).parents[1] / "params" / "sources" / "sample.yaml"
DAYS = ("2025-11-30", "2026-02-28", "2026-06-30")  # three, six and ten months after the change
FIRST_SEED = 1000
CHANGED = ("cause_open", "against_control")
WIN_RATE = {
    False: (0.15, 60),
    True: (0.32, 35),
}  # true final share won, mean days, after the change


def verdicts(companies: int, *, changed: bool, processes: int = 2) -> pd.DataFrame:
    """
    Make sample companies, with the change or without, and judge them as the page does.

    Returns
    -------
    DataFrame, one row per company, day and measure
        ``seed``, ``as_of`` and the columns of `impact.measures`.
    """
    tasks = [(FIRST_SEED + number, changed) for number in range(companies)]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return pd.concat(pool.imap(_company, tasks), ignore_index=True)


def _company(task: tuple[int, bool]) -> pd.DataFrame:
    seed, changed = task
    found = []
    with tempfile.TemporaryDirectory() as folder:
        truth = sample.write(Path(folder) / "export", seed=seed, changed=changed)
        store = crm.load(
            Path(folder) / "export", MAPPING, Path(folder) / "crm.duckdb", say=lambda text: None
        )
        for day in DAYS:
            with crm.observe(store, day) as seen:
                change = impact.read_change(
                    seen,
                    changed_on=truth["change"]["date"],
                    by="team",
                    treated=truth["change"]["treated_teams"],
                    control=[],
                )
                found.append(impact.measures(seen, change).assign(seed=seed, as_of=day))
    return pd.concat(found, ignore_index=True)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """
    Count what the pages of the companies would have said.

    Returns
    -------
    DataFrame, one row per day
        ``companies``; shares of companies: ``any_changed`` (a measure is called changed), ``against_control``
        (one is called changed against the comparison group), ``win_rate_against_control``,
        ``cycle_against_control`` (these are), ``naive_shorter`` (the mean cycle of the won deals
        created since is shorter), ``naive_significant`` (and its t-test says so, p < .05).
    """
    rows = []
    for day, part in table.groupby("as_of"):
        by_company = part.groupby("seed")["verdict"]
        cycle = part[part["measure"] == "cycle"]
        shorter = cycle["naive_after"] < cycle["naive_before"]
        rows.append(
            {
                "as_of": day,
                "companies": by_company.ngroups,
                "any_changed": by_company.agg(lambda found: found.isin(CHANGED).any()).mean(),
                "against_control": by_company.agg(
                    lambda found: found.eq("against_control").any()
                ).mean(),
                **{
                    f"{name}_against_control": part.loc[part["measure"] == name, "verdict"]
                    .eq("against_control")
                    .mean()
                    for name in ("win_rate", "cycle")
                },
                "naive_shorter": shorter.mean(),
                "naive_significant": (shorter & (cycle["naive_p_value"] < 0.05)).mean(),
            }
        )
    return pd.DataFrame(rows)


def by_measure(table: pd.DataFrame) -> pd.DataFrame:
    """Share of companies by day, measure and verdict, wide."""
    counts = table.groupby(["as_of", "measure"])["verdict"].value_counts(normalize=True)
    return counts.unstack(fill_value=0.0).reset_index()


INSIDE = {
    "win_rate_before": "share won, before",
    "win_rate_after": "share won, after",
    "cycle_before": "days open, before",
    "cycle_after": "days open, after",
}
"""What `truth_inside` counts, in words."""


def truth_inside(table: pd.DataFrame, *, changed: bool) -> pd.DataFrame:
    """
    Count the companies whose ranges hold what the company was made with.

    Share won by the age read, and mean days open of the first so many (deals that go stale, 4 % of all, stay open).

    Returns
    -------
    DataFrame, one row per day
        ``as_of`` and the shares of `INSIDE`.
    """
    rows = []
    for day, part in table.groupby("as_of"):
        row = {"as_of": day}
        for name in INSIDE:
            measure, side = name.rsplit("_", 1)
            of = part[part["measure"] == measure].dropna(subset=[side])
            known = _truth(measure, of["age_days"], changed and side == "after")
            row[name] = (of[f"{side}_low"].le(known) & of[f"{side}_high"].ge(known)).mean()
        rows.append(row)
    return pd.DataFrame(rows)


def _truth(measure: str, age_days: pd.Series, is_new: bool) -> np.ndarray:
    """Expected value of a measure, from the parameters of the sample company."""
    cell = 2 if is_new else 0
    rate, won, lost = truth_of.WIN_RATE[cell], truth_of.WON_DAYS[cell], truth_of.LOST_DAYS[cell]
    age = age_days.to_numpy(dtype=float)
    if measure == "win_rate":
        return rate * gamma.cdf(age, 2, scale=won / 2)
    stale = truth_of.STALE
    open_days = [_mean_up_to(age, mean) for mean in (won, lost)]
    return rate * open_days[0] + (1 - rate - stale) * open_days[1] + stale * age


def _mean_up_to(age: np.ndarray, mean: float) -> np.ndarray:
    """E min(T, age) of gamma times with shape 2."""
    return mean * gamma.cdf(age, 3, scale=mean / 2) + age * gamma.sf(age, 2, scale=mean / 2)
