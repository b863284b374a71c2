"""What is wrong or missing in the data behind a report, counted (definitions: data finding)."""

import pandas as pd

from salesanalysis.crm.seen import Seen
from salesanalysis.metrics.groups import names
from salesanalysis.statistics import survival

_BEYOND_CHANCE = 0.001
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


_NAMING = ("people_without_deals", "unknown_owner", "no_open_deals")  # findings that name people


def findings(seen: Seen, *, named: bool = True) -> pd.DataFrame:
    """
    List what was noticed in the data: by the load, and as of the date.

    Parameters
    ----------
    seen : Seen
    named : bool
        With the findings that name people; not for a page that others than these and their managers read.

    Returns
    -------
    DataFrame, one row per finding
        ``kind`` (slug), ``subject``, ``n_rows``, ``detail`` (missing where there is nothing to add). As of the date:
        ``left_truncation`` (deals created before the first recorded closing, although closings must have happened:
        subject and detail give the date and the closings expected) and ``older_than_any_closed`` (open deals older
        than any deal was when it closed) and ``no_open_deals`` (per rep: the others' share of open deals makes that
        a gap in the data, not chance).
    """
    parts = [
        seen.book("findings"),
        _left_truncation(seen),
        _older_than_any_closed(seen),
        _no_open_deals(seen),
    ]
    table = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return table if named else table[~table["kind"].isin(_NAMING)].reset_index(drop=True)


def _finding(kind: str, subject: str, n_rows: int, detail: str) -> pd.DataFrame:
    return pd.DataFrame([{"kind": kind, "subject": subject, "n_rows": n_rows, "detail": detail}])


def truncated_before(seen: Seen) -> pd.Timestamp:
    """
    Say from which day on closings are recorded, where earlier ones are missing.

    The closings missing are those expected, by the pace of the deals created since, of the deals created before the
    first recorded closing. Months that began earlier hold only the deals that were slow to close.

    Returns
    -------
    Timestamp
        Day of the first recorded closing if at least 5 earlier ones were to be expected, else NaT.
    """
    first, _, expected = _before_first_closing(seen)
    return first if expected >= _FEWEST_EXPECTED else pd.NaT


def _before_first_closing(seen: Seen) -> tuple[pd.Timestamp, int, float]:
    """Day of the first closing, deals created before it, closings to be expected of them until then."""
    return seen.once("quality.first_closing", lambda: _expected_earlier(seen))


def _expected_earlier(seen: Seen) -> tuple[pd.Timestamp, int, float]:
    first = seen.frame("SELECT min(closed_on) AS day FROM deals WHERE cause IN (1, 2)")["day"].iloc[
        0
    ]
    if pd.isna(first):
        return pd.NaT, 0, 0.0
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
        return first, int(before["n"].sum()), 0.0
    ages = (first - before["created_on"]).dt.days - 1
    by_then = survival.incidence_at(
        later["exit_age"], later["is_closed"], later["n"], sorted(set(ages)), of=1
    )
    share = by_then.set_index("age_days")["rate"].fillna(0)
    return first, int(before["n"].sum()), float((share.loc[ages].to_numpy() * before["n"]).sum())


def _left_truncation(seen: Seen) -> pd.DataFrame:
    first, n_before, expected = _before_first_closing(seen)
    if expected < _FEWEST_EXPECTED:
        return pd.DataFrame()
    return _finding("left_truncation", f"{first.date()}", n_before, f"{expected:.0f}")


def _no_open_deals(seen: Seen) -> pd.DataFrame:
    """Reps still there who have no open deal at all, although by the share of the others that cannot be chance."""
    counts = seen.frame(
        """
        SELECT owner, count(*) AS n, sum(CASE WHEN cause = 0 THEN 1 ELSE 0 END) AS n_open FROM deals
        WHERE cause IS NOT NULL AND owner IS NOT NULL GROUP BY 1
        """
    ).set_index("owner")
    if not seen.reason("people"):
        left = seen.frame("SELECT person_id FROM people WHERE left_on IS NOT NULL")["person_id"]
        counts = counts[~counts.index.isin(left)]
    idle, others = counts[counts["n_open"] == 0], counts[counts["n_open"] > 0]
    share = others["n_open"].sum() / others["n"].sum() if len(others) else 0.0
    idle = idle[(1 - share) ** idle["n"] < _BEYOND_CHANCE].sort_index()
    name = names(seen, idle.index.to_series())
    found = [
        _finding("no_open_deals", name[owner], int(n), f"{share * 100:.0f} %")
        for owner, n in idle["n"].items()
    ]
    return pd.concat(found) if found else pd.DataFrame()


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


def exclusions(
    seen: Seen, *, younger_than_days: int = 0, needs_owner: bool = False
) -> pd.DataFrame:
    """
    Count the deals that a report uses and leaves out, each under its first reason.

    Parameters
    ----------
    seen : Seen
    younger_than_days : deals created more recently are left out
    needs_owner : whether deals without an owner are left out

    Returns
    -------
    DataFrame, one row per reason that occurs, then the deals used
        ``reason``: not_accepted (rows of the export, set aside by the load), removed, no_created_on, no_owner,
        too_young, used; ``n_deals``.
    """
    counts = seen.frame(
        """
        SELECT CASE WHEN status = 'removed' THEN 'removed' WHEN created_on IS NULL THEN 'no_created_on'
                    WHEN owner IS NULL AND ? = 1 THEN 'no_owner' WHEN days_since_created < ? THEN 'too_young'
                    ELSE 'used' END AS reason, count(*) AS n_deals
        FROM deals GROUP BY 1
        """,
        (int(needs_owner), younger_than_days),
    ).set_index("reason")["n_deals"]
    rows = ledger(seen).set_index("table").loc["deals"]
    counts["not_accepted"] = rows["n_quarantined"] + rows["n_refused"]
    table = counts.reindex(_REASONS, fill_value=0).rename_axis("reason").reset_index(name="n_deals")
    return table[(table["n_deals"] > 0) | (table["reason"] == "used")].reset_index(drop=True)


_REASONS = ["not_accepted", "removed", "no_created_on", "no_owner", "too_young", "used"]
