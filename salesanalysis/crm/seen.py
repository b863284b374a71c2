"""The gate: what was known at the end of a day, and nothing that came later."""

import datetime
import zoneinfo
from pathlib import Path
from typing import Self

import pandas as pd

from salesanalysis.crm.errors import InputRefused, ParameterError
from salesanalysis.crm.store import Session, open_store, quoted
from salesanalysis.crm.tables import SEGMENTS

DEFAULT_STORE = "data/crm.duckdb"


class Seen:
    """
    The canonical tables as they were known at the end of the day `as_of`.

    Metric SQL speaks of these views: ``deals`` (one row per deal known: ``deal_key``, ``pipeline``, ``status``,
    ``stage``, ``owner``, ``team``, ``amount``, the segments, ``created_on``, ``cohort`` (first day of the month),
    ``closed_on``, ``cause`` 0 open 1 won 2 lost, ``exit_age`` days from creation to closing or as-of,
    ``days_since_created``, ``is_handed``), ``stays``, ``first_visits``, ``stages``, ``people`` (one row per person),
    ``quotas``, ``credits``, ``activities``, ``satisfaction``.
    """

    def __init__(self, session: Session, as_of: datetime.date, source: dict[str, str]):
        self._session = session
        self._frames: dict[tuple, pd.DataFrame] = {}
        self.as_of = as_of
        self.source = source

    def frame(self, sql: str, parameters: tuple = ()) -> pd.DataFrame:
        """Rows of a query on the views; parameters are bound to its ``?``. The same query is run once."""
        if (sql, parameters) not in self._frames:
            self._frames[sql, parameters] = self._session.frame(sql, parameters)
        return self._frames[sql, parameters].copy()

    def reason(self, table: str) -> str | None:
        """Why the source cannot give a canonical table, or ``deals.<segment>``; None where it gives it."""
        rows = self._session.rows('SELECT reason FROM file.impossible WHERE "table" = ?', (table,))
        return rows[0][0] if rows else None

    def segment(self, name: str) -> str:
        """
        Quote a segment column for a query.

        Raises
        ------
        ParameterError
            Not one of the segments.
        """
        if name not in SEGMENTS:
            raise ParameterError(f"by must be one of {', '.join(SEGMENTS)}, found {name!r}")
        return quoted(name)

    def book(self, name: str) -> pd.DataFrame:
        """The load's own books: ``ledger``, ``rejected`` or ``findings``."""
        if name not in ("ledger", "rejected", "findings"):
            raise ValueError(f"book must be ledger, rejected or findings, found {name!r}")
        return self._session.frame(f"SELECT * FROM file.{name} ORDER BY ALL")

    def close(self) -> None:
        """Release the store."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def observe(crm: str | Path, as_of: str | datetime.date) -> Seen:
    """
    Open a store as of the end of a day.

    Parameters
    ----------
    crm : path of a store; a relative one is looked for from the working folder upwards
    as_of : the last day observed, as a date or text like 2026-06-30; a local day of the source's time zone

    Raises
    ------
    InputRefused
        No such store, nothing was known on that day, or the day lies after the export.
    ValueError
        `as_of` is not a day.
    """
    day = as_of if isinstance(as_of, datetime.date) else datetime.date.fromisoformat(as_of)
    session = open_store(find_store(crm))
    source = dict(session.rows("SELECT key, value FROM file.about"))
    extracted_on = datetime.date.fromisoformat(source["extracted_on"])
    if day > extracted_on:
        session.close()
        raise InputRefused(
            f"as_of must not lie after {extracted_on}, the day of the export of {source['name']}: later days "
            f"were not observed; found {day}"
        )
    _make_views(session, day, _end_of_day(day, source["timezone"]), is_present=day == extracted_on)
    if not session.one("SELECT count(*) FROM deals"):
        first = session.one("SELECT min(created_on) FROM file.deals")
        session.close()
        raise InputRefused(
            f"as_of must not lie before the first deal of {source['name']}, which was created on {first}; found {day}"
        )
    return Seen(session, day, source)


def find_store(crm: str | Path) -> Path:
    """Resolve a store's path: as given, else from the nearest folder above the working folder that has it."""
    path = Path(crm)
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / path).is_file():
            return folder / path
    return path


def _end_of_day(day: datetime.date, timezone: str) -> str:
    """First instant after the local day, in UTC."""
    midnight = datetime.datetime.combine(day + datetime.timedelta(days=1), datetime.time())
    local = midnight.replace(tzinfo=zoneinfo.ZoneInfo(timezone))
    return local.astimezone(datetime.UTC).strftime("TIMESTAMP '%Y-%m-%d %H:%M:%S'")


def _make_views(session: Session, day: datetime.date, end: str, *, is_present: bool) -> None:
    today = f"DATE '{day.isoformat()}'"
    loaded = {
        row[0]
        for row in session.rows(
            "SELECT table_name FROM information_schema.tables WHERE table_catalog = 'file'"
        )
    }
    has_history = not session.one(
        "SELECT count(*) FROM file.impossible WHERE \"table\" = 'stage_events'"
    )
    views = {
        "stages": "SELECT * FROM file.stages",
        "deals": _deals(today, end, is_stage_known=is_present and not has_history),
        "stays": _stays(today, end),
        "first_visits": _first_visits(today, end),
        "people": _people(today),
        "quotas": f"SELECT * FROM file.quotas WHERE period_start <= {today}",
        "credits": "SELECT c.* FROM file.credits c JOIN deals d ON d.deal_key = c.deal_key WHERE d.status = 'won'",
        "activities": (
            f"SELECT * REPLACE (CASE WHEN done_at < {end} THEN done_at END AS done_at, "
            f"CASE WHEN done_at < {end} THEN done_on END AS done_on, "
            f"CASE WHEN done_at < {end} THEN outcome END AS outcome, "
            f"CASE WHEN done_at < {end} THEN duration_min END AS duration_min) "
            f"FROM file.activities WHERE created_at < {end}"
        ),
        "satisfaction": (
            f"SELECT * REPLACE (CASE WHEN answered_at < {end} THEN answered_at END AS answered_at, "
            f"CASE WHEN answered_at < {end} THEN answered_on END AS answered_on, "
            f"CASE WHEN answered_at < {end} THEN score END AS score) FROM file.satisfaction WHERE asked_at < {end}"
        ),
    }
    for name, sql in views.items():
        if name in loaded:
            session.run(f"CREATE VIEW {name} AS {sql}")


def _deals(today: str, end: str, *, is_stage_known: bool) -> str:
    """One version per deal; without stage history its stage is known on the day of the export only."""
    stage = (
        "CASE WHEN v.status = 'open' THEN f.stage END"
        if is_stage_known
        else "CAST(NULL AS VARCHAR)"
    )
    join = "JOIN file.deals f ON f.deal_key = v.deal_key" if is_stage_known else ""
    return f"""
    SELECT v.deal_key, v.pipeline, v.status, {stage} AS stage, v.owner, v.team, v.amount,
           v.source, v.segment, v.product, v.region, v.created_on, v.closed_on,
           date_trunc('month', v.created_on) AS cohort,
           CASE v.status WHEN 'open' THEN 0 WHEN 'won' THEN 1 WHEN 'lost' THEN 2 END AS cause,
           date_diff('day', v.created_on, coalesce(v.closed_on, {today})) AS exit_age,
           date_diff('day', v.created_on, {today}) AS days_since_created,
           v.is_handed
    FROM file.deal_versions v {join}
    WHERE v.valid_from < {end} AND v.valid_to >= {end}
    """


def _stays(today: str, end: str) -> str:
    return f"""
    SELECT deal_key, pipeline, stage, stage_order, entered_on,
           CASE WHEN exited_at < {end} THEN exited_on END AS exited_on,
           CASE WHEN exited_at < {end} THEN outcome ELSE 'open' END AS outcome, inflow,
           date_diff('day', entered_on, CASE WHEN exited_at < {end} THEN exited_on ELSE {today} END) AS stay_days,
           owner, team, source, segment, product, region
    FROM file.stays WHERE entered_at < {end}
    """


def _first_visits(today: str, end: str) -> str:
    return f"""
    SELECT deal_key, pipeline, stage, stage_order, entered_on,
           CASE WHEN ended_at < {end} THEN cause ELSE 0 END AS cause,
           date_diff('day', entered_on, CASE WHEN ended_at < {end} THEN ended_on ELSE {today} END) AS exit_age,
           date_diff('day', entered_on, {today}) AS days_since_entered,
           date_diff('day', created_on, {today}) AS days_since_created,
           date_diff('day', created_on, entered_on) AS age_at_entry,
           CASE WHEN all_before_at < {end} THEN date_diff('day', created_on, all_before_on) END AS age_all_before,
           CASE WHEN removed_at < {end} THEN 1 ELSE 0 END AS is_removed,
           owner, team, source, segment, product, region
    FROM file.first_visits WHERE valid_from < {end} AND valid_to >= {end}
    """


def _people(today: str) -> str:
    """One row per person known that day: the latest spell that had begun."""
    return f"""
    SELECT person_id, name, team, manager_id, role, hired_on,
           CASE WHEN left_on <= {today} THEN left_on END AS left_on
    FROM (SELECT *, row_number() OVER (PARTITION BY person_id ORDER BY valid_from DESC NULLS LAST) AS nth
          FROM file.people
          WHERE coalesce(hired_on, DATE '1900-01-01') <= {today}
            AND coalesce(valid_from, DATE '1900-01-01') <= {today})
    WHERE nth = 1
    """
