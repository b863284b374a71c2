"""Do the ranges of the bookings forecast hold what comes, and is it better than weighted pipeline and last quarter?"""

import datetime
import tempfile
from pathlib import Path
from typing import NamedTuple

import history
import numpy as np
import pandas as pd

from salesanalysis import crm
from salesanalysis.metrics import forecast
from salesanalysis.statistics import forecast as simulation
from salesanalysis.statistics import verification

STAGES, WEEKS, HORIZON = 4, 182, 13
APART, LOOKS = 6, 8  # weeks between the looks back by which ranges are widened, and how many
NEW_A_WEEK, MEAN_AMOUNT, SPREAD = 6, 10.0, 0.9  # amounts are lognormal
FORWARD = (0.16, 0.14, 0.15, 0.13)  # a week, of a deal new in the stage; it slows down with age
LOST = (0.10, 0.06, 0.05, 0.04)
SLOWER, WAVE = 0.06, 78  # per week in the stage; weeks from one good time to the next
PATHS = 400
LOOKED_BACK_FROM = (  # company, as-of day, days between snapshots
    ("help-desk log", datetime.date(2012, 12, 31), 42),
    ("help-desk log", datetime.date(2014, 1, 3), 42),
    ("Maven CRM", datetime.date(2017, 12, 31), 7),
)


class World(NamedTuple):
    """Where each deal was at the end of each week (weeks × deals): a stage, won, lost, or -9 before it came in."""

    state: np.ndarray
    age: np.ndarray  # weeks in the stage
    amount: np.ndarray


def coverage(runs: int, seed: int) -> pd.DataFrame:
    """
    Simulate companies, forecast 13 weeks from what was there, and wait for them.

    Rates of new deals and of moving forward are steady, or come in waves of ±10 % and ±25 %, not at the same time.

    Returns
    -------
    DataFrame, one row per kind of company
        ``what``, ``runs``, ``coverage80`` and ``coverage95`` (share of ranges that held the bookings), ``widened80``
        (once the 80 % range is widened by what 8 looks back say), ``widening`` (its mean factor), ``bias``,
        ``weighted_bias`` and ``last_bias`` (forecast / bookings, sums), ``crps`` and those of weighted pipeline and
        last quarter as a multiple of it, ``brier`` and ``stage_brier``.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for drift in (0.0, 0.1, 0.25):
        found = pd.DataFrame([looked_at(world(rng, drift), rng) for _ in range(runs)])
        mean = found.mean()
        rows.append(
            {
                "what": f"company in waves of ±{100 * drift:.0f} %" if drift else "steady company",
                "runs": runs,
                "coverage80": mean["coverage80"],
                "coverage95": mean["coverage95"],
                "widened80": mean["widened80"],
                "widening": mean["widening"],
                "bias": mean["forecast"] / mean["actual"],
                "weighted_bias": mean["weighted"] / mean["actual"],
                "last_bias": mean["last"] / mean["actual"],
                "crps": mean["crps"],
                "weighted_crps_ratio": mean["crps_weighted"] / mean["crps"],
                "last_crps_ratio": mean["crps_last"] / mean["crps"],
                "brier": mean["brier"],
                "stage_brier": mean["brier_stage"],
            }
        )
    return pd.DataFrame(rows)


def world(rng, drift: float) -> World:
    """Let a company run, deal by deal and week by week; arrivals and speed come in waves, not at the same time."""
    phase = rng.uniform(0, 2 * np.pi, 2)
    waves = np.exp(drift * np.sin(2 * np.pi * np.arange(WEEKS)[:, None] / WAVE + phase))
    came_in = np.repeat(np.arange(WEEKS), rng.poisson(NEW_A_WEEK * waves[:, 0]))
    n = len(came_in)
    state, age = np.full((WEEKS, n), -9), np.zeros((WEEKS, n), dtype=int)
    forward, lost = np.array(FORWARD), np.array(LOST)
    for week in range(WEEKS):
        if week:
            state[week], age[week] = state[week - 1], age[week - 1] + 1
        open_now = np.flatnonzero(state[week] >= 0)
        stage, weeks = state[week, open_now], age[week, open_now] - 1
        go = forward[stage] * waves[week, 1] * np.exp(-SLOWER * weeks)
        luck = rng.random(len(open_now))
        later = np.where(stage + 1 < STAGES, stage + 1, simulation.WON)
        is_lost = (luck >= go) & (luck < go + lost[stage])
        new = np.where(luck < go, later, np.where(is_lost, simulation.LOST, stage))
        age[week, open_now] = np.where(new == stage, age[week, open_now], 0)
        state[week, open_now] = new
        state[week, came_in == week] = 0
        age[week, came_in == week] = 0
    return World(state, age, MEAN_AMOUNT * rng.lognormal(-(SPREAD**2) / 2, SPREAD, n))


def looked_at(company: World, rng) -> dict[str, float]:
    """Forecast the last 13 weeks, after looking back."""
    last = WEEKS - HORIZON - 1
    days = [last - HORIZON - APART * k for k in range(LOOKS)]
    past = pd.DataFrame([snapshot(company, day, rng) for day in days])
    now = snapshot(company, last, rng)
    half = (past["high80"] - past["low80"]) / 2
    factor = 1.0
    if past["coverage80"].mean() < 0.8:
        factor = verification.widening(past["median"], half, past["actual"])
    low, high = (
        now["median"] + factor * (now[limit] - now["median"]) for limit in ("low80", "high80")
    )
    return now | {"widening": factor, "widened80": low <= now["actual"] <= high}


def snapshot(company: World, day: int, rng) -> dict[str, float]:
    """Forecast 13 weeks from those up to a day, and score it."""
    state, amount = company.state, company.amount
    is_open = np.flatnonzero(state[day] >= 0)
    deals = pd.DataFrame(
        {
            "state": state[day, is_open],
            "age_weeks": company.age[day, is_open],
            "amount": amount[is_open],
            "team": 0,
        }
    )
    won = state == simulation.WON
    found = simulation.simulate(
        counted(company, day),
        deals,
        ends_days=[7 * HORIZON],
        team_weights=np.ones(1),
        amounts=amount[won[day]][-400:],
        paths=PATHS,
        seed=int(rng.integers(2**31)),
    )
    total = (found.from_open + found.from_new).sum(axis=(1, 2))
    later = won[day + HORIZON]
    actual = amount[later & ~won[day]].sum()
    last = amount[won[day] & ~won[day - HORIZON]].sum()
    rate = _stage_rates(company, day)[deals["state"]]
    weighted = (rate * deals["amount"]).sum()
    is_won = later[is_open]
    low80, high80, low95, high95 = np.quantile(total, [0.1, 0.9, 0.025, 0.975])
    return {
        "actual": actual,
        "forecast": total.mean(),
        "median": np.median(total),
        "low80": low80,
        "high80": high80,
        "weighted": weighted,
        "last": last,
        "coverage80": low80 <= actual <= high80,
        "coverage95": low95 <= actual <= high95,
        "crps": float(verification.crps(total, actual)),
        "crps_weighted": abs(weighted - actual),
        "crps_last": abs(last - actual),
        "brier": verification.brier(found.chances[:, 0], is_won),
        "brier_stage": verification.brier(rate, is_won),
    }


def counted(company: World, day: int) -> simulation.Counts:
    """Count the 52 weeks up to a day, week by week."""
    moves = np.zeros((STAGES, len(simulation.BINS), STAGES + 3))
    arrivals = np.zeros(52)
    for k, week in enumerate(range(day - 52, day)):
        before, after = company.state[week], company.state[week + 1]
        is_open = before >= 0
        bins = np.searchsorted(simulation.BINS, company.age[week], side="right") - 1
        target = np.where(before == after, simulation.STAYED, after)
        np.add.at(moves, (before[is_open], bins[is_open], target[is_open]), 1)
        arrivals[k] = ((before == -9) & (after != -9)).sum()
    inflow = np.zeros(STAGES + 3)
    inflow[0] = arrivals.sum()  # all begin in the first stage
    is_last = np.arange(STAGES) == STAGES - 1
    return simulation.Counts(moves, inflow, arrivals, is_last)


def _stage_rates(company: World, day: int) -> np.ndarray:
    """Share won of the deals closed in the last 52 weeks that had been in each stage."""
    now, then = company.state[day], company.state[day - 52]
    closed = (now < 0) & (now != -9) & ((then >= 0) | (then == -9))
    won = now == simulation.WON
    rates = []
    for stage in range(STAGES):
        visited = closed & (company.state[: day + 1] == stage).any(axis=0)
        rates.append(won[visited].mean() if visited.any() else 0.0)
    return np.array(rates)


def look_back(data: Path) -> pd.DataFrame:
    """
    Back-test the forecast on the real companies whose data are there.

    The Maven export begins too late for snapshots six weeks apart; a week apart they are hardly more than one.

    Returns
    -------
    DataFrame, one row per company and as-of day
        ``what``, ``snapshots``, ``coverage80``, ``coverage95``, ``widening``, ``bias``, ``skill_weighted`` and
        ``skill_last`` (1 - CRPS / that of weighted pipeline, of last quarter), ``brier``, ``stage_brier``.
    """
    companies = {company.name: company for company in history.COMPANIES}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        stores = {
            name: history.loaded(company, data, Path(folder))
            for name, company in companies.items()
            if (data / company.folder).is_dir()
        }
        for name, day, apart in LOOKED_BACK_FROM:
            if name in stores:
                with crm.observe(stores[name], day) as seen:
                    found = forecast.backtest(seen, apart_days=apart)
                rows.append({"what": f"{name}, as of {day}"} | _told(found))
    return pd.DataFrame(rows)


def _told(found: forecast.Backtest) -> dict[str, float]:
    scores = found.scores.set_index("method")
    own, skill = scores.loc["simulation"], scores["skill"]
    return {
        "snapshots": int(own["n"]),
        "coverage80": own["coverage80"],
        "coverage95": own["coverage95"],
        "widening": found.widening,
        "bias": own["bias"],
        "skill_weighted": skill["weighted_pipeline"],
        "skill_last": skill["last_quarter"],
        "brier": own["brier"],
        "stage_brier": scores.loc["weighted_pipeline", "brier"],
    }
