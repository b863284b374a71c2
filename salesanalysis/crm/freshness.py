"""How new a store is: the days on which anything was recorded, and what the load counted."""

import datetime
from pathlib import Path
from typing import Any

from salesanalysis.crm.seen import find_file
from salesanalysis.crm.store import Session, literal, open_store
from salesanalysis.crm.tables import on

_RECORDED = {  # what is written down when it happens; dates that are planned, and people and quotas, are not
    "deals": ("created_at", "closed_at"),
    "stage_events": ("entered_at",),
    "owner_history": ("valid_from",),
    "deal_changes": ("changed_at",),
    "leads": ("created_at", "converted_at"),
    "activities": ("created_at", "done_at"),
    "satisfaction": ("asked_at", "answered_at"),
    "payments": ("paid_at",),
}
_YEAR = datetime.timedelta(days=365)


def record_days(store: str | Path, as_of: datetime.date) -> list[datetime.date]:
    """
    Give the days on which anything was recorded, in the year that ends with the newest of them.

    Parameters
    ----------
    store : path of a store, as for `observe`
    as_of : date
        The last day looked at; what was recorded later does not count.

    Returns
    -------
    list of date, in order
        Local days of the source's time zone on which a deal was created or closed, entered a stage, got another owner
        or value, or on which a lead, an activity, an answer or a payment was entered. The last one is the newest; empty
        where nothing was recorded by then.

    Raises
    ------
    InputRefused
        No such store.
    """
    session = open_store(find_file(store))
    try:
        columns = _columns(session)
        found = [
            session.one(f"SELECT max({day}) FROM file.{table} WHERE {day} <= ?", (as_of,))
            for table, day in columns
        ]
        newest = max((day for day in found if day), default=None)
        if newest is None:
            return []
        parts = [
            f"SELECT DISTINCT {day} AS day FROM file.{table} WHERE {day} BETWEEN $first AND $last"
            for table, day in columns
        ]
        union = " UNION ".join(parts).replace("$first", "?").replace("$last", "?")
        rows = session.rows(f"{union} ORDER BY day", (newest - _YEAR, newest) * len(parts))
        return [day for (day,) in rows]
    finally:
        session.close()


def newest(store: str | Path, as_of: datetime.date) -> datetime.date | None:
    """Give the newest day by `as_of` on which anything was recorded, as `record_days` says; None without one."""
    return max(record_days(store, as_of), default=None)


def about(store: str | Path) -> dict[str, Any]:
    """
    Say what a store is and what its load counted.

    Returns
    -------
    dict
        ``source`` (its name), ``timezone``, ``extracted_on`` and ``first_on`` (date: day of the export, and of the first
        deal; the as-of date must lie between them), ``mapping_sha256``, and ``tables``: for each canonical table
        ``file``, ``n_in`` = ``n_accepted`` + ``n_quarantined`` + ``n_refused`` rows.

    Raises
    ------
    InputRefused
        No such store.
    """
    session = open_store(find_file(store))
    try:
        known = dict(session.rows("SELECT key, value FROM file.about"))
        names = ("file", "n_in", "n_accepted", "n_quarantined", "n_refused")
        rows = session.rows(
            f'SELECT "table", {", ".join(names)} FROM file.ledger ORDER BY position'
        )
        return {
            "source": known["name"],
            "timezone": known["timezone"],
            "extracted_on": datetime.date.fromisoformat(known["extracted_on"]),
            "first_on": session.one("SELECT min(created_on) FROM file.deals"),
            "mapping_sha256": known["mapping_sha256"],
            "tables": {table: dict(zip(names, counts, strict=True)) for table, *counts in rows},
        }
    finally:
        session.close()


def _columns(session: Session) -> list[tuple[str, str]]:
    """Table and SQL of the local day, of what this store holds; a table that was not loaded may lack the day."""
    zone = session.one("SELECT value FROM file.about WHERE key = 'timezone'")
    loaded = {
        name
        for (name,) in session.rows(
            "SELECT table_name FROM information_schema.tables WHERE table_catalog = 'file'"
        )
    }
    found = []
    for table, columns in _RECORDED.items():
        held = session.types(f"file.{table}") if table in loaded else {}
        for column in columns:
            local = f"CAST(timezone({literal(zone)}, timezone('UTC', {column})) AS DATE)"
            if column in held or on(column) in held:
                found.append((table, on(column) if on(column) in held else local))
    return found
