"""Real companies looked at as of days in their past: what was estimated then, and what then happened."""

import datetime
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from salesanalysis import crm
from salesanalysis.crm.seen import Seen
from salesanalysis.metrics import chances, forecast
from salesanalysis.statistics import survival

SOURCES = Path(__file__).parents[1] / "params" / "sources"


class Company(NamedTuple):
    """A data set beside the project: its folder, mapping, last day, and how far apart the looks back are."""

    name: str
    folder: str
    mapping: str
    last: datetime.date
    first: datetime.date
    every_days: int
    age_days: int


COMPANIES = (
    Company(
        *("help-desk log", "helpdesk_log", "helpdesk.yaml"),
        *(datetime.date(2014, 1, 3), datetime.date(2011, 1, 1), 60, 60),
    ),
    Company(
        *("Maven CRM", "maven_crm", "maven.yaml"),
        *(datetime.date(2017, 12, 31), datetime.date(2017, 4, 15), 15, 60),
    ),
)


def loaded(company: Company, data: Path, folder: Path) -> Path:
    """The store of a company."""
    return crm.load(
        data / company.folder,
        SOURCES / company.mapping,
        folder / f"{company.folder}.duckdb",
        say=lambda text: None,
    )


def days(company: Company, *, follow_up: int) -> list[datetime.date]:
    """Days looked back at, each with so much time after it."""
    last = company.last - datetime.timedelta(days=follow_up)
    n = (last - company.first).days // company.every_days + 1
    return [company.first + datetime.timedelta(days=company.every_days * k) for k in range(n)]


def young_cohorts(company: Company, seen: Seen) -> pd.DataFrame:
    """
    Estimate, as of each day, what share of the deals of the last days will be won by an age, and wait and see.

    Returns
    -------
    DataFrame, one row per day
        ``as_of``, ``n_deals`` (created in the `age_days` before and on the day, and `age_days` before those: so half
        are younger than the age), ``then`` (share won by the age, known later), ``estimate`` with ``low``, ``high``
        (cohort rate as of the day), ``closed`` and ``created`` (won / closed and won / created as of the day).
    """
    rows = []
    for day in days(company, follow_up=company.age_days):
        first = day - datetime.timedelta(days=2 * company.age_days)
        with seen.at(day) as then:
            known = _recent(then, first)
        later = _recent(seen, first).merge(known[["deal_key"]], on="deal_key")
        at = survival.incidence_at(
            known["exit_age"], known["cause"], np.ones(len(known)), [company.age_days]
        ).iloc[0]
        won, closed = (known["cause"] == 1).sum(), (known["cause"] > 0).sum()
        is_won = (later["cause"] == 1) & (later["exit_age"] <= company.age_days)
        rows.append(
            {
                "as_of": day,
                "n_deals": len(known),
                "then": is_won.mean(),
                "estimate": at["rate"],
                "low": at["rate_low"],
                "high": at["rate_high"],
                "closed": won / closed if closed else np.nan,
                "created": won / len(known),
            }
        )
    return pd.DataFrame(rows)


def _recent(seen: Seen, first: datetime.date) -> pd.DataFrame:
    deals = seen.frame(
        "SELECT deal_key, created_on, exit_age, cause FROM deals WHERE cause IS NOT NULL AND exit_age >= 0"
    )
    return deals[deals["created_on"] >= pd.Timestamp(first)]


def open_deals(company: Company, seen: Seen) -> pd.DataFrame:
    """
    Give each deal open on some day the chance that `chances.won_from_here` said, and what became of it by the end.

    Returns
    -------
    DataFrame, one row per day and deal open on it
        ``as_of``, ``chance``, ``is_won`` (by the last day). Deals without a chance on the day are left out.
    """
    ends = seen.frame("SELECT deal_key, cause FROM deals WHERE cause IS NOT NULL")
    parts = []
    for day in days(company, follow_up=3 * company.age_days):
        with seen.at(day) as then:
            table = chances.won_from_here(then)
            part = _open(then).merge(ends, on="deal_key").assign(as_of=day)
        key = ["stage", "days"] if part["stage"].notna().any() else ["days"]
        known = table[table["stage"].notna()] if "stage" in key else table[table["stage"].isna()]
        known = known.astype({"days": int})[[*key, "won_rate"]].drop_duplicates(key)
        parts.append(part.merge(known, on=key, validate="m:1"))
    found = pd.concat(parts, ignore_index=True)
    return found.assign(chance=found["won_rate"], is_won=found["cause"] == 1)[
        ["as_of", "chance", "is_won"]
    ]


def _open(seen: Seen) -> pd.DataFrame:
    """Open deals with their stage and the days since they first entered it."""
    if seen.reason("stage_events"):
        rows = seen.frame("SELECT deal_key, exit_age AS days FROM deals WHERE cause = 0")
        return rows.assign(stage=None).astype({"stage": object})
    return seen.frame(
        """
        SELECT d.deal_key, s.stage, v.days_since_entered AS days
        FROM deals d JOIN stays s ON s.deal_key = d.deal_key AND s.outcome = 'open'
        JOIN first_visits v ON v.deal_key = d.deal_key AND v.pipeline = s.pipeline AND v.stage = s.stage
        WHERE d.cause = 0
        """
    )


def look_back(data: Path) -> dict[str, pd.DataFrame]:
    """
    Look back in every company whose data are there.

    Returns
    -------
    dict of DataFrame
        ``cohorts``: one row per company: ``company``, ``looks``, ``coverage`` (share of the 95 % ranges that held what
        happened) and mean absolute errors ``error``, ``closed_error``, ``created_error``; ``chances``: one row per
        company: ``company``, ``n``, ``said`` (mean chance), ``happened`` (share won), ``brier``, ``brier_of_mean``
        (everyone given the overall share); ``bins``: said and happened by fifth of the chance; ``forecasts``: one row per
        company and method: scores of `forecast.backtest`.
    """
    young, sure, bins, booked = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for company in COMPANIES:
            if not (data / company.folder).is_dir():
                continue
            with crm.observe(loaded(company, data, Path(folder)), company.last) as seen:
                young.append(_scored(company, young_cohorts(company, seen)))
                deals = open_deals(company, seen)
                booked.append(_forecasts(company, seen))
            sure.append(_calibrated(company, deals))
            fifth = pd.qcut(deals["chance"], 5, duplicates="drop", labels=False)
            by_fifth = deals.groupby(fifth).agg(
                n=("is_won", "size"), said=("chance", "mean"), happened=("is_won", "mean")
            )
            bins.append(by_fifth.reset_index(drop=True).assign(company=company.name))
    return {
        "cohorts": pd.DataFrame(young),
        "chances": pd.DataFrame(sure),
        "bins": _whole(bins),
        "forecasts": _whole(booked),
    }


def _forecasts(company: Company, seen: Seen) -> pd.DataFrame:
    apart = (
        {"apart_days": 7} if company.every_days < 42 else {}
    )  # a short history: the looks overlap
    return forecast.backtest(seen, snapshots=8, **apart).scores.assign(company=company.name)


def _whole(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _scored(company: Company, table: pd.DataFrame) -> dict:
    told = table.dropna(subset=["estimate"])
    errors = {
        name: (told[column] - told["then"]).abs().mean()
        for name, column in (
            ("error", "estimate"),
            ("closed_error", "closed"),
            ("created_error", "created"),
        )
    }
    return {
        "company": f"{company.name}, won by {company.age_days} days",
        "looks": len(told),
        "deals": int(told["n_deals"].sum()),
        "coverage": (told["low"].le(told["then"]) & told["high"].ge(told["then"])).mean(),
        **errors,
    }


def _calibrated(company: Company, deals: pd.DataFrame) -> dict:
    won = deals["is_won"].astype(float)
    return {
        "company": company.name,
        "n": len(deals),
        "said": deals["chance"].mean(),
        "happened": won.mean(),
        "brier": ((deals["chance"] - won) ** 2).mean(),
        "brier_of_mean": ((won.mean() - won) ** 2).mean(),
    }
