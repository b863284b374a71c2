"""What could be done, who would do it by when, and what it is worth in a quarter: read from the tables of the other pages."""

import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from salesanalysis.crm.seen import Seen
from salesanalysis.metrics.summary import measure, recorded_from
from salesanalysis.statistics import proportions

LEVEL = 0.05
QUARTER_DAYS = 365.25 / 4
LARGE_SHARE = 0.9  # a large open deal is at or above this quantile of the amounts
HARDLY_WON = 0.2  # chance below which the quarter should not be built on a deal
_ACTIONS = [
    *("action", "kind", "unit", "worth", "worth_low", "worth_high", "sure", "sure_share"),
    *("who", "groups", "what", "n", "due_on", "page"),
]


def by_worth(
    seen: Seen,
    *,
    change: Any = None,
    impact: pd.DataFrame | None = None,
    levers: pd.DataFrame | None = None,
    opportunities: pd.DataFrame | None = None,
    open_deals: pd.DataFrame | None = None,
    required: pd.DataFrame | None = None,
    findings: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """
    List what could be done, by what it is worth in a quarter.

    Each action has a number from a table given; without that table, or where it says nothing, the action is left out. Worths
    overlap (a better win rate also raises what the pipeline is worth) and must not be added up.

    Parameters
    ----------
    seen : Seen
    change, impact : as ``impact.read_change`` and ``impact.measures`` give
    levers, opportunities : as ``bottlenecks.levers`` and ``bottlenecks.opportunities`` give
    open_deals : as ``pipeline.open_deals`` gives
    required : as ``pipeline.required`` gives
    findings : as ``quality.findings`` gives

    Returns
    -------
    DataFrame, one row per action, the largest ``worth`` first; those in wins after those in money, and what is counted
        on too much (money on paper) after what can be gained or missed
        ``action`` and what its ``worth`` with ``worth_low``, ``worth_high`` is, in ``unit`` (amount or count of wins) a quarter:

        - roll_out: the win rate of the groups that changed rose against the others. kind gain: that effect (its range) ×
          deals the others are given in a quarter × their mean won amount, both of the last 12 months. go_back: it fell;
          the same for the groups that changed.
        - lever: the stage that most likely gains most at a rate that other groups reach. gain × 3 months.
        - opportunity: the segment whose extra wins bring most. gain × 3 months.
        - decide: large open deals (at or above the 90 % quantile) that the CRM expects to close this quarter or before and whose
          chance of that is below 20 %. kind at_stake: amount × chance in this quarter and the next; range of a
          sum of independent deals.
        - build_pipeline: what the pipeline due this quarter will lack of the remaining quota at the mean past yield.
          kind missing; range by the highest and the lowest past yield. Not where more often than not the forecast
          reaches the quota.
        - clean: open deals older than any deal was when it closed. kind overstated: their amounts (where unknown, the mean won
          amount) × share won of the deals closed, which the figures count on; no range.

        ``sure`` says how sure it is: control (compared with groups that did not change),
        control_early (the same, fewer than 90 days after the change), top (``sure_share``: probability that no
        other stage gains more), segments (``sure_share``: q value), simulated, past, counted. ``who``: head, managers,
        operations; ``groups``: tuple of groups it concerns (teams, or one segment), ``what``: stage, or kind of
        segment; ``n``: deals it is about (a quarter); ``due_on``; ``page``: the notebook with the evidence.
    """
    rows = [
        _roll_out(seen, change, impact),
        _lever(seen, levers),
        _opportunity(seen, opportunities),
        _decide(seen, open_deals),
        _build_pipeline(seen, required),
        _clean(seen, findings),
    ]
    table = pd.DataFrame([row for row in rows if row], columns=_ACTIONS)
    table = table.astype(dict.fromkeys(("worth", "worth_low", "worth_high", "sure_share"), float))
    order = table.assign(
        is_paper=table["kind"] == "overstated",
        is_count=table["unit"] == "count",
        size=-table["worth"],
    )
    order = order.sort_values(["is_paper", "is_count", "size", "action"]).index
    return table.loc[order].reset_index(drop=True)


def _action(seen: Seen, action: str, worth: tuple[float, float, float], **more: Any) -> dict | None:
    """One row; none where nothing is to be gained, or not known."""
    if not worth[0] > 0:
        return None
    row = dict.fromkeys(_ACTIONS) | {"action": action, "groups": (), "n": np.nan}
    row |= dict(zip(("worth", "worth_low", "worth_high"), worth, strict=True))
    return row | {"unit": measure(seen), "sure_share": np.nan} | more


def _in_days(seen: Seen, days: int) -> pd.Timestamp:
    return pd.Timestamp(seen.as_of) + pd.Timedelta(days=days)


def _end_of_next_month(seen: Seen) -> pd.Timestamp:
    return pd.Timestamp(seen.as_of) + pd.offsets.MonthBegin(1) + pd.offsets.MonthEnd(0)


def _roll_out(seen: Seen, change: Any, impact: pd.DataFrame | None) -> dict | None:
    if impact is None or impact.empty or change is None:
        return None
    row = impact.set_index("measure").loc["win_rate"]
    if row["verdict"] != "against_control":
        return None
    is_better = bool(row["is_better"])
    groups = change.control if is_better else change.treated
    n, amount = _given(seen, change.by, groups)
    effect = [row[f"against_control{end}"] for end in ("", "_low", "_high")]
    if not is_better:
        effect = [-effect[0], -effect[2], -effect[1]]
    return _action(
        seen,
        "roll_out" if is_better else "go_back",
        tuple(max(float(x), 0.0) * n * amount for x in effect),
        kind="gain",
        sure="control_early" if row["is_provisional"] else "control",
        who="head",
        groups=tuple(groups),
        what=change.by,
        n=n,
        due_on=_end_of_next_month(seen),
        page="change_impact",
    )


def _given(seen: Seen, by: str, groups: Sequence[str]) -> tuple[float, float]:
    """Deals given to groups in a quarter, and the mean amount of their won deals, both of the last 12 months."""
    group = "s.team" if by == "team" else f"d.{seen.segment(by)}"
    since = seen.as_of - datetime.timedelta(days=364)
    rows = seen.frame(
        f"""
        SELECT {group} AS "group", sum(CASE WHEN d.created_on >= ? THEN 1 ELSE 0 END) AS n,
               sum(CASE WHEN d.cause = 1 AND d.closed_on >= ? THEN d.amount END) AS total,
               sum(CASE WHEN d.cause = 1 AND d.closed_on >= ? AND d.amount IS NOT NULL THEN 1 ELSE 0 END) AS n_won
        FROM deals d JOIN starts s ON s.deal_key = d.deal_key WHERE d.cause IS NOT NULL GROUP BY 1
        """,
        (since, since, since),
    )
    rows = rows[rows["group"].isin(groups)]
    begun = recorded_from(seen)
    days = 365 if pd.isna(begun) else min(365, (pd.Timestamp(seen.as_of) - begun).days + 1)
    n_won = rows["n_won"].sum()
    amount = rows["total"].sum() / n_won if n_won else np.nan
    return float(rows["n"].sum() * QUARTER_DAYS / days), (
        float(amount) if measure(seen) == "amount" else 1.0
    )


def _lever(seen: Seen, levers: pd.DataFrame | None) -> dict | None:
    if levers is None or levers.empty or levers["top_share"].isna().all():
        return None
    top = levers.loc[levers["top_share"].astype(float).idxmax()]
    amount = (
        top["amount_per_month"] / top["gain_per_month"] if top["gain_per_month"] > 0 else np.nan
    )
    unit = "count" if np.isnan(amount) else "amount"
    each = 1.0 if unit == "count" else amount
    teams = _teams(seen, top["benchmark_groups"])
    return _action(
        seen,
        "lever",
        tuple(3 * each * float(top[name]) for name in ("gain_per_month", "gain_low", "gain_high")),
        unit=unit,
        kind="gain",
        sure="top",
        sure_share=float(top["top_share"]),
        who="managers",
        groups=teams,
        what=top["stage"],
        n=3 * top["leads_per_month"],
        due_on=_in_days(seen, 14),
        page="sales_funnel",
    )


def _teams(seen: Seen, benchmark_groups: Any) -> tuple[str, ...]:
    """Teams that do not reach the benchmark: those it is about."""
    reached = {name.strip() for name in str(benchmark_groups or "").split(",")}
    now = seen.frame("SELECT DISTINCT team FROM deals WHERE cause = 0 AND team IS NOT NULL")["team"]
    return tuple(sorted(set(now) - reached)) if reached & set(now) else ()


def _opportunity(seen: Seen, opportunities: pd.DataFrame | None) -> dict | None:
    if opportunities is None or opportunities.empty:
        return None
    is_money = measure(seen) == "amount"
    worth = opportunities["extra_amount_per_month" if is_money else "extra_wins_per_month"]
    if worth.isna().all():
        return None
    top = opportunities.loc[worth.astype(float).idxmax()]
    each = top["mean_won_amount"] if is_money else 1.0
    names = ("extra_wins_per_month", "extra_wins_low", "extra_wins_high")
    return _action(
        seen,
        "opportunity",
        tuple(3 * each * float(top[name]) for name in names),
        kind="gain",
        sure="segments",
        sure_share=float(top["q_value"]),
        who="head",
        groups=(top["group"],),
        what=top["kind"],
        n=3 * top["new_deals_per_month"] * top["share_now"],
        due_on=_end_of_next_month(seen),
        page="sales_funnel",
    )


def _decide(seen: Seen, open_deals: pd.DataFrame | None) -> dict | None:
    if open_deals is None or open_deals.empty or open_deals["amount"].isna().all():
        return None
    if measure(seen) == "count":  # no deal is large
        return None
    large = np.nanquantile(open_deals["amount"], LARGE_SHARE)
    is_due = open_deals["due"].isin(("this", "overdue"))
    is_hardly = open_deals["win_share"] < HARDLY_WON
    rows = open_deals[is_due & is_hardly & (open_deals["amount"] >= large)]
    chance = rows["win_share"] + rows["win_share_next"]
    worth = float((rows["amount"] * chance).sum())
    error = float(np.sqrt((rows["amount"] ** 2 * chance * (1 - chance)).sum()))
    half = proportions.two_sided_z(1 - LEVEL) * error
    return _action(
        seen,
        "decide",
        (worth, max(worth - half, 0.0), min(worth + half, float(rows["amount"].sum()))),
        kind="at_stake",
        sure="simulated",
        who="managers",
        groups=tuple(sorted(set(rows["team"].dropna()))),
        n=len(rows),
        due_on=_in_days(seen, 14),
        page="pipeline_forecast",
    )


def _build_pipeline(seen: Seen, required: pd.DataFrame | None) -> dict | None:
    if required is None or required.empty or measure(seen) != "amount":
        return None
    row = required.iloc[0]
    if row["is_reached"]:
        return None
    names = ("required_coverage", "required_coverage_low", "required_coverage_high")
    lacks = [float(row["remaining_quota"] - row["amount_open"] / row[name]) for name in names]
    high = (
        float(row["remaining_quota"]) if np.isnan(lacks[2]) else lacks[2]
    )  # a quarter without a yield
    return _action(
        seen,
        "build_pipeline",
        (lacks[0], max(lacks[1], 0.0), high),
        kind="missing",
        sure="past",
        who="managers",
        n=row["n_open"],
        due_on=_in_days(seen, 14),
        page="pipeline_forecast",
    )


def _clean(seen: Seen, findings: pd.DataFrame | None) -> dict | None:
    if findings is None or findings.empty or "older_than_any_closed" not in set(findings["kind"]):
        return None
    closed = seen.frame(
        "SELECT cause, max(exit_age) AS days, count(*) AS n, count(amount) AS n_amount, sum(amount) AS total "
        "FROM deals WHERE cause IN (1, 2) GROUP BY 1"
    ).set_index("cause")
    if 2 not in closed.index or 1 not in closed.index:
        return None
    old = seen.frame(
        "SELECT count(*) AS n, count(amount) AS n_amount, sum(amount) AS total FROM deals "
        "WHERE cause = 0 AND exit_age > ?",
        (int(closed["days"].max()),),
    ).iloc[0]
    share = closed.loc[1, "n"] / closed["n"].sum()
    won = closed.loc[1]
    mean = won["total"] / won["n_amount"] if won["n_amount"] else 1.0
    known = float(old["total"]) if old["n_amount"] else 0.0
    worth = float(share * (known + (old["n"] - old["n_amount"]) * mean))
    if measure(seen) == "count":
        worth = float(share * old["n"])
    return _action(
        seen,
        "clean",
        (worth, np.nan, np.nan),
        kind="overstated",
        sure="counted",
        who="operations",
        n=int(old["n"]),
        due_on=_in_days(seen, 14),
        page="cohort_conversion",
    )
