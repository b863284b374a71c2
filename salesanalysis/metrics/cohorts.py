"""How many deals are won, and by what age (definitions: win rate and time)."""

import numpy as np
import pandas as pd

from salesanalysis.crm.seen import Seen
from salesanalysis.metrics.groups import expect_days, group_column, grouped
from salesanalysis.metrics.quality import truncated_before
from salesanalysis.statistics import proportions, survival

_WON = {"rate": "won_rate", "rate_low": "won_rate_low", "rate_high": "won_rate_high"}
_COHORT = {"rate": "cohort_rate", "rate_low": "cohort_rate_low", "rate_high": "cohort_rate_high"}
_LOST = {"rate": "lost_rate", "rate_low": "lost_rate_low", "rate_high": "lost_rate_high"}


def _exits(seen: Seen, *, by: str | None = None) -> pd.DataFrame:
    """Count deals by age and cause; removed deals and deals without a creation date are left out."""
    return seen.frame(
        f"""
        SELECT {group_column(seen, by)} AS "group", exit_age, cause, count(*) AS n FROM deals
        WHERE cause IS NOT NULL AND exit_age IS NOT NULL GROUP BY 1, 2, 3
        """
    )


def _incidence_at(counts: pd.DataFrame, ages: list[int], *, of: int) -> pd.DataFrame:
    return survival.incidence_at(counts["exit_age"], counts["cause"], counts["n"], ages, of=of)


def conversion(seen: Seen, *, ages: list[int], by: str | None = None) -> pd.DataFrame:
    """
    Estimate the share of deals won, and lost, by given ages: the cohort win rate.

    Aalen-Johansen with won and lost competing; open deals are censored at their present age.

    Parameters
    ----------
    seen : Seen
    ages : list of int, days from creation
    by : segment, optional

    Returns
    -------
    DataFrame, one row per (group and) age
        ``age_days``; ``n_deals`` in all, ``n_at_risk`` still open and observed at that age, ``n_won`` and ``n_lost``
        by that age; ``won_rate``, ``lost_rate`` with ``…_low``, ``…_high`` (Wilson on the effective number of
        deals, ``n_eff``), ``open_rate``. NaN beyond the longest follow-up. The last age at which a deal closed is
        added as a row of its own. No rows where no deal has a creation date.
    """
    expect_days(ages=ages)
    tables = [
        _conversion(part, ages).assign(group=group)
        for group, part in _exits(seen, by=by).groupby("group", dropna=False)
    ]
    return grouped(seen, _stacked(tables, _CONVERSION), by)


_CURVE = ["group", "age_days", "n_at_risk", *_WON.values(), "lost_rate"]
_CONVERSION = [*_CURVE, "n_deals", "n_won", "n_lost", "n_eff", "lost_rate_low", "lost_rate_high"]
_CONVERSION += ["open_rate"]


def _stacked(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def _conversion(counts: pd.DataFrame, ages: list[int]) -> pd.DataFrame:
    closed = counts.loc[counts["cause"] > 0, "exit_age"]
    ages = sorted({*ages, *([int(closed.max())] if len(closed) else [])})
    won, lost = _incidence_at(counts, ages, of=1), _incidence_at(counts, ages, of=2)
    table = won[["age_days", "n_eff"]].assign(n_deals=int(counts["n"].sum()))
    for name, test in (
        ("n_at_risk", lambda age: counts["exit_age"] >= age),
        ("n_won", lambda age: (counts["exit_age"] <= age) & (counts["cause"] == 1)),
        ("n_lost", lambda age: (counts["exit_age"] <= age) & (counts["cause"] == 2)),
    ):
        table[name] = [int(counts.loc[test(age), "n"].sum()) for age in ages]
    table = table.join(won[[*_WON]].rename(columns=_WON)).join(lost[[*_LOST]].rename(columns=_LOST))
    return table.assign(open_rate=won["open_share"])


def curve(seen: Seen, *, by: str | None = None) -> pd.DataFrame:
    """
    Give the whole step function behind `conversion`.

    Returns
    -------
    DataFrame, one row per (group and) age at which a deal closed, and age 0
        ``age_days``, ``n_at_risk``, ``won_rate`` with ``won_rate_low``, ``won_rate_high``, ``lost_rate``.
    """
    tables = []
    for group, part in _exits(seen, by=by).groupby("group", dropna=False):
        ages = sorted({0, *part.loc[part["cause"] > 0, "exit_age"].astype(int)})
        won, lost = _incidence_at(part, ages, of=1), _incidence_at(part, ages, of=2)
        at_risk = [int(part.loc[part["exit_age"] >= age, "n"].sum()) for age in ages]
        table = (
            won[["age_days", *_WON]]
            .rename(columns=_WON)
            .assign(lost_rate=lost["rate"], n_at_risk=at_risk)
        )
        tables.append(table.assign(group=group))
    return grouped(seen, _stacked(tables, _CURVE), by)


def _by_month(seen: Seen) -> pd.DataFrame:
    return seen.frame(
        """
        SELECT cohort, exit_age, cause, count(*) AS n, min(days_since_created) AS youngest_days FROM deals
        WHERE cause IS NOT NULL AND exit_age IS NOT NULL GROUP BY 1, 2, 3
        """
    )


def grid(seen: Seen, *, ages: list[int], months: int = 12) -> pd.DataFrame:
    """
    Estimate the share won by age for each month of creation.

    Returns
    -------
    DataFrame, one row per month (the last `months`) and age
        ``cohort`` (first day of the month), ``n_deals``, ``age_days``, ``n_won`` by that age, ``won_rate`` with
        ``won_rate_low``, ``won_rate_high``, ``is_mature``: every deal of the month is at least that old,
        ``is_truncated``: the month began before the first recorded closing of a source whose early closings are
        missing (`quality.truncated_before`). Immature (未满期) and truncated cells have NaN rates.
    """
    expect_days(ages=ages, months=months)
    first = truncated_before(seen)
    rows = []
    for cohort, part in list(_by_month(seen).groupby("cohort"))[-months:]:
        youngest = part["youngest_days"].min()
        rates = _incidence_at(part, list(ages), of=1)
        for age, (_, at) in zip(ages, rates.iterrows(), strict=True):
            is_mature, is_truncated = bool(youngest >= age), bool(cohort < first)
            won = part[(part["cause"] == 1) & (part["exit_age"] <= age)]
            rows.append(
                {
                    "cohort": cohort,
                    "n_deals": int(part["n"].sum()),
                    "age_days": age,
                    "n_won": int(won["n"].sum()),
                }
                | _read(at, _WON, is_readable=is_mature and not is_truncated)
                | {"is_mature": is_mature, "is_truncated": is_truncated}
            )
    columns = [
        "cohort",
        "n_deals",
        "age_days",
        "n_won",
        *_WON.values(),
        "is_mature",
        "is_truncated",
    ]
    return pd.DataFrame(rows, columns=columns)


def _read(at: pd.Series, names: dict[str, str], *, is_readable: bool) -> dict[str, float]:
    return {ours: at[theirs] if is_readable else np.nan for theirs, ours in names.items()}


def win_rates(seen: Seen, *, age_days: int, stale_days: int) -> pd.DataFrame:
    """
    Give the labelled win rates side by side, for all deals up to the as-of date.

    Returns
    -------
    DataFrame, one row per label
        ``label``: cohort (won by `age_days`, Aalen-Johansen), closed (won / closed), created (won so far / created),
        with_stale (won / closed or open for more than `stale_days`); ``n_won``, ``n_deals`` (numerator and
        denominator; of the cohort rate: won by that age, all deals), ``rate``, ``rate_low``, ``rate_high`` (Wilson;
        NaN with denominator 0).
    """
    expect_days(age_days=age_days, stale_days=stale_days)
    counts = _exits(seen)
    n = counts["n"]
    is_won, is_open = counts["cause"] == 1, counts["cause"] == 0
    won, closed, created = int(n[is_won].sum()), int(n[~is_open].sum()), int(n.sum())
    stale = int(n[is_open & (counts["exit_age"] > stale_days)].sum())
    table = pd.DataFrame(
        [("closed", won, closed), ("created", won, created), ("with_stale", won, closed + stale)],
        columns=["label", "n_won", "n_deals"],
    )
    table["rate"] = table["n_won"] / table["n_deals"].where(table["n_deals"] > 0)
    table["rate_low"], table["rate_high"] = proportions.wilson(table["n_won"], table["n_deals"])
    at = _incidence_at(counts, [age_days], of=1).iloc[0]
    cohort = {
        "label": "cohort",
        "n_won": int(n[is_won & (counts["exit_age"] <= age_days)].sum()),
        "n_deals": created,
    }
    cohort |= {name: at[name] for name in _WON}
    return pd.concat([pd.DataFrame([cohort]), table], ignore_index=True)


def monthly(seen: Seen, *, age_days: int, months: int = 24) -> pd.DataFrame:
    """
    Give closed, created and cohort win rate month by month.

    The closed rate goes by month of closing, the other two by month of creation.

    Returns
    -------
    DataFrame, one row per month with a creation or a closing (the last `months`)
        ``month``, ``n_created``, ``n_closed``, ``n_won_closed``, ``closed_rate``, ``n_won_created``,
        ``created_rate``, ``cohort_rate`` (won by `age_days`; NaN where immature), each with ``…_low``, ``…_high``;
        ``is_mature``, ``is_truncated`` as in `grid`. NaN with denominator 0.
    """
    expect_days(age_days=age_days, months=months)
    first = truncated_before(seen)
    closed = seen.frame(
        """
        SELECT date_trunc('month', closed_on) AS month, sum(CASE WHEN cause = 1 THEN 1 ELSE 0 END) AS n_won_closed,
               count(*) AS n_closed
        FROM deals WHERE cause IN (1, 2) AND closed_on IS NOT NULL GROUP BY 1
        """
    )
    rows = []
    for cohort, part in _by_month(seen).groupby("cohort"):
        is_mature = bool(part["youngest_days"].min() >= age_days)
        at = _incidence_at(part, [age_days], of=1).iloc[0]
        rows.append(
            {
                "month": cohort,
                "n_created": part["n"].sum(),
                "n_won_created": part.loc[part["cause"] == 1, "n"].sum(),
            }
            | _read(at, _COHORT, is_readable=is_mature and not cohort < first)
            | {"is_mature": is_mature}
        )
    columns = ["month", "n_created", "n_won_created", *_COHORT.values(), "is_mature"]
    table = (
        pd.DataFrame(rows, columns=columns)
        .astype({"month": closed["month"].dtype})
        .merge(closed, how="outer", on="month", validate="1:1")
        .sort_values("month")
    )
    counts = ["n_created", "n_won_created", "n_closed", "n_won_closed"]
    table[counts] = table[counts].fillna(0).astype("int64")
    table["is_mature"] = table["is_mature"].eq(True)
    table["is_truncated"] = table["month"] < first
    for label, won, of in (
        ("closed", "n_won_closed", "n_closed"),
        ("created", "n_won_created", "n_created"),
    ):
        table[f"{label}_rate"] = table[won] / table[of].where(table[of] > 0)
        table[f"{label}_rate_low"], table[f"{label}_rate_high"] = proportions.wilson(
            table[won], table[of]
        )
    return table.tail(months).reset_index(drop=True)


def sales_cycle(seen: Seen, *, months: int = 12) -> pd.DataFrame:
    """
    Give the days from creation to won, won deals only, by month of closing.

    Young cohorts have only their quick wins in it: not for comparing before and after.

    Returns
    -------
    DataFrame, one row per month (the last `months`), then one of all months (``month`` missing)
        ``n_won``, ``p25_days``, ``p50_days``, ``p75_days``, ``p90_days``, ``mean_days``; no rows without a won deal.
    """
    counts = seen.frame(
        """
        SELECT date_trunc('month', closed_on) AS month, exit_age, count(*) AS n FROM deals
        WHERE cause = 1 AND exit_age IS NOT NULL GROUP BY 1, 2
        """
    )
    rows = [
        {"month": month, **_spread(part)} for month, part in list(counts.groupby("month"))[-months:]
    ]
    if len(counts):
        rows.append({"month": pd.NaT, **_spread(counts)})
    columns = ["month", "n_won", "p25_days", "p50_days", "p75_days", "p90_days", "mean_days"]
    return pd.DataFrame(rows, columns=columns)


def _spread(counts: pd.DataFrame) -> dict[str, float]:
    days, n = counts["exit_age"].to_numpy(), counts["n"].to_numpy()
    quantiles = np.quantile(days, [0.25, 0.5, 0.75, 0.9], weights=n, method="inverted_cdf")
    names = ("p25_days", "p50_days", "p75_days", "p90_days")
    return {
        "n_won": int(n.sum()),
        **dict(zip(names, quantiles.astype(float), strict=True)),
        "mean_days": float(np.average(days, weights=n)),
    }
