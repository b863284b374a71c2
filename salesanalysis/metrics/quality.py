"""What is wrong or missing in the data behind a report, counted (definitions: data finding)."""

import pandas as pd

from salesanalysis.crm.seen import Seen
from salesanalysis.statistics import survival

_FEWEST_EXPECTED = (
    5  # closings missing before a gap is called one; by chance none of 5 has p < .007
)


def ledger(seen: Seen) -> pd.DataFrame:
    """
    Account for every row of the export.

    Returns
    -------
    DataFrame, one row per canonical table
        ``table``, ``file``, ``n_in`` = ``n_accepted`` + ``n_quarantined`` + ``n_refused``. Rows of the load, not of
        the as-of date.
    """
    return seen.book("ledger").sort_values("position", ignore_index=True).drop(columns="position")


def rejected(seen: Seen) -> pd.DataFrame:
    """
    Count the rows of the export that were not accepted, by reason.

    Returns
    -------
    DataFrame, one row per table, reason and column
        ``table``, ``file``, ``outcome`` (refused, quarantined), ``reason``, ``column``, ``n_rows``, ``line`` (of the
        first one in the file), ``value`` (found there).
    """
    rows = seen.book("rejected").sort_values(["table", "outcome", "reason", "column", "line"])
    keys = ["table", "file", "outcome", "reason", "column"]
    table = rows.groupby(keys, dropna=False).agg(
        n_rows=("line", "size"), line=("line", "first"), value=("value", "first")
    )
    return table.reset_index()


def findings(seen: Seen) -> pd.DataFrame:
    """
    List what was noticed in the data: by the load, and as of the date.

    Returns
    -------
    DataFrame, one row per finding
        ``kind`` (slug), ``subject``, ``n_rows``, ``detail`` (missing where there is nothing to add). As of the date:
        ``left_truncation`` (deals created before the first recorded closing, although closings must have happened:
        subject and detail give the date and the closings expected) and ``older_than_any_closed`` (open deals older
        than any deal was when it closed).
    """
    parts = [seen.book("findings"), _left_truncation(seen), _older_than_any_closed(seen)]
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def _finding(kind: str, subject: str, n_rows: int, detail: str) -> pd.DataFrame:
    return pd.DataFrame([{"kind": kind, "subject": subject, "n_rows": n_rows, "detail": detail}])


def _left_truncation(seen: Seen) -> pd.DataFrame:
    """Are there no closings for so long that the pace of later deals rules it out?"""
    first = seen.frame("SELECT min(closed_on) AS day FROM deals WHERE cause IN (1, 2)")["day"].iloc[
        0
    ]
    if pd.isna(first):
        return pd.DataFrame()
    later = seen.frame(
        """
        SELECT exit_age, CASE WHEN cause = 0 THEN 0 ELSE 1 END AS is_closed, count(*) AS n FROM deals
        WHERE created_on >= ? AND cause IS NOT NULL GROUP BY 1, 2
        """,
        (first.date(),),
    )
    before = seen.frame(
        """
        SELECT created_on, count(*) AS n FROM deals
        WHERE created_on < ? AND cause IS NOT NULL GROUP BY 1
        """,
        (first.date(),),
    )
    if not len(before) or not len(later):
        return pd.DataFrame()
    ages = (first - before["created_on"]).dt.days - 1
    by_then = survival.incidence_at(
        later["exit_age"], later["is_closed"], later["n"], sorted(set(ages)), of=1
    )
    share = by_then.set_index("age_days")["rate"].fillna(0)
    expected = float((share.loc[ages].to_numpy() * before["n"]).sum())
    if expected < _FEWEST_EXPECTED:
        return pd.DataFrame()
    return _finding("left_truncation", f"{first.date()}", int(before["n"].sum()), f"{expected:.0f}")


def _older_than_any_closed(seen: Seen) -> pd.DataFrame:
    longest = seen.frame("SELECT max(exit_age) AS days FROM deals WHERE cause IN (1, 2)")[
        "days"
    ].iloc[0]
    if pd.isna(longest):
        return pd.DataFrame()
    older = seen.frame(
        "SELECT count(*) AS n FROM deals WHERE cause = 0 AND exit_age > ?", (int(longest),)
    )["n"].iloc[0]
    return (
        _finding("older_than_any_closed", "deals", int(older), f"{int(longest)}")
        if older
        else pd.DataFrame()
    )


def exclusions(seen: Seen) -> pd.DataFrame:
    """
    Count the deals that rates leave out, by reason.

    Returns
    -------
    DataFrame, one row per reason that occurs
        ``reason`` (removed, no_created_on), ``n_deals``.
    """
    counts = seen.frame(
        """
        SELECT CASE WHEN status = 'removed' THEN 'removed' WHEN created_on IS NULL THEN 'no_created_on'
                    ELSE 'used' END AS reason, count(*) AS n_deals
        FROM deals GROUP BY 1
        """
    )
    return counts[counts["reason"] != "used"].sort_values("reason", ignore_index=True)
