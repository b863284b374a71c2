"""How often the company's own deals were won from where a deal stands now."""

import numpy as np
import pandas as pd

from salesanalysis.crm.seen import Seen
from salesanalysis.statistics import survival

FEWEST_OPEN = 20  # deals still open after so many days; with fewer nothing is said
_AT_ONCE = 128  # days computed at a time, so that memory stays small


def won_from_here(seen: Seen) -> pd.DataFrame:
    """
    Estimate the share of deals won from here, by stage and days since they first entered it.

    Aalen-Johansen incidence of won from the first entry into the stage, lost competing, open deals censored, given
    that the deal is open after so many days: (F(end) - F(days)) / S(days), end being the longest follow-up. It is
    read as the incidence among the deals that were open then, which is the same number and has an interval.

    Parameters
    ----------
    seen : Seen

    Returns
    -------
    DataFrame, one row per pipeline, stage and day, then per day of all stages together
        ``pipeline``, ``stage`` (both missing for all stages together, where a deal counts once per stage it was
        in), ``days`` (since the first entry; without stage history since creation, and only all deals together),
        ``n_open`` (deals open after so many days, known to be), ``won_rate`` with the 95 % interval
        ``won_rate_low``, ``won_rate_high``. A day has no row where fewer than 20 deals were open after it, as beyond
        the longest follow-up. Removed deals, and stages entered after the deal was closed, are left out.
    """
    return seen.once("chances.won_from_here", lambda: _won_from_here(seen))


def _won_from_here(seen: Seen) -> pd.DataFrame:
    rows = _exits(seen)
    rows = rows[rows["age"] >= 0]
    parts = [
        _landmarks(part).assign(pipeline=pipeline, stage=stage)
        for (pipeline, stage), part in rows.groupby(["pipeline", "stage"])
    ]
    parts.append(_landmarks(rows).assign(pipeline=None, stage=None))
    places = {"pipeline": object, "stage": object}
    table = pd.concat([part.astype(places) for part in parts], ignore_index=True)
    return table[["pipeline", "stage", *_COLUMNS]]


_COLUMNS = ["days", "n_open", "won_rate", "won_rate_low", "won_rate_high"]


def _exits(seen: Seen) -> pd.DataFrame:
    """Deals by stage, days from first entering it to closing (or to now) and how they closed."""
    if seen.reason("stage_events"):
        rows = seen.frame(
            "SELECT exit_age AS age, cause, count(*) AS n FROM deals WHERE cause IS NOT NULL GROUP BY 1, 2"
        )
        return rows.assign(pipeline=None, stage=None)
    return seen.frame(
        """
        SELECT v.pipeline, v.stage,
               CASE WHEN d.cause = 0 THEN v.days_since_entered
                    ELSE date_diff('day', CAST(v.entered_on AS DATE), CAST(d.closed_on AS DATE)) END AS age,
               d.cause, count(*) AS n
        FROM first_visits v JOIN deals d ON d.deal_key = v.deal_key WHERE d.cause IS NOT NULL GROUP BY 1, 2, 3, 4
        """
    )


def _landmarks(rows: pd.DataFrame) -> pd.DataFrame:
    end = int(rows["age"].max()) if len(rows) else 0
    cause, age = rows["cause"].to_numpy(dtype=int), rows["age"].to_numpy(dtype=int)
    counts = np.zeros((3, end + 2))
    np.add.at(counts, (cause, age), rows["n"].to_numpy())
    n_open = counts.sum() - counts.sum(axis=0).cumsum()
    days = np.flatnonzero(n_open >= FEWEST_OPEN)
    if not len(days):
        return pd.DataFrame(columns=_COLUMNS, dtype=float)
    parts = [days[first : first + _AT_ONCE] for first in range(0, len(days), _AT_ONCE)]
    is_later = [np.arange(end + 2) > part[:, None] for part in parts]
    read = pd.concat(
        [survival.incidence_of_groups(counts * later[:, None, :]) for later in is_later],
        ignore_index=True,
    ).add_prefix("won_")
    return read.assign(days=days.astype(float), n_open=n_open[days].astype(int))[_COLUMNS]
