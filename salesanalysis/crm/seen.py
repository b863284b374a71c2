"""The gate: what was known at the end of a day, and nothing that came later."""

import datetime
import re
import zoneinfo
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, NamedTuple, Self

import pandas as pd

from salesanalysis.crm import shared
from salesanalysis.crm.errors import InputRefused, ParameterError
from salesanalysis.crm.store import Session, literal, open_store, quoted
from salesanalysis.crm.tables import SEGMENTS

DEFAULT_STORE = "data/crm.duckdb"
_ONE_DAY = datetime.timedelta(days=1)
_WORD = re.compile(r"\w+")
_KEPT: dict[tuple, dict[Hashable, Any]] = {}  # what was computed of a store as of a day
_MOST_KEPT = 32  # stores and days at once: a report may look at many days of the past


class Seen:
    """
    The canonical tables as they were known at the end of the day `as_of`.

    Metric SQL speaks of these views: ``deals`` (one row per deal known: ``deal_key``, ``pipeline``, ``status``,
    ``stage``, ``owner``, ``team``, ``amount``, the segments, ``created_on``, ``cohort`` (first day of the month),
    ``closed_on``, ``cause`` 0 open 1 won 2 lost, ``exit_age`` days from creation to closing or as-of,
    ``days_since_created``, ``is_handed``), ``details`` (of each deal: ``deal_id``, ``account_id``, ``account``,
    ``expected_close``, ``n_pushes`` (times it was moved to a later day), ``loss_reason``, ``next_step_on`` (known on
    the day of the export only)), ``starts`` (of each deal: ``owner`` and ``team`` it was given to when it was created),
    ``won_spells`` (each time
    a deal was won: ``won_on``, ``unwon_on``, owner, team and amount), ``state_spells`` (each time a deal was open,
    won, lost or removed: ``spell`` 1, 2, …, ``status``, ``begun_on``, owner and amount when it began), ``stays``, ``first_visits``, ``hand_overs`` (``deal_key``, ``handed_on``, ``from_owner``, ``owner``), ``changes``, ``stages``, ``people`` (one row per person),
    ``people_history`` (one row per person and spell in a team), ``quotas`` (those of a period are known the day before it), ``credits``, ``activities``,
    ``satisfaction``, ``payments``.
    """

    def __init__(
        self,
        session: Session,
        as_of: datetime.date,
        file: "_File",
        of: tuple,
        year_starts: int = 1,
    ):
        self._session = session
        self._file = file
        self._of = of  # what is computed here is computed from this
        self._kept = _kept(of)
        self._views = _views(file, as_of)
        self.as_of = as_of
        self.source = file.about
        self.year_starts = year_starts  # month; the metrics speak of the quarters of that year

    def at(self, as_of: str | datetime.date) -> "Seen":
        """
        Look at the same store as of an earlier day: a snapshot of the past, as it was known then.

        Raises
        ------
        InputRefused
            As for `observe`.
        ValueError
            The day is no day, or lies after the one this was observed on.
        """
        day = _day(as_of)
        if day > self.as_of:
            raise ValueError(
                f"a snapshot must lie on {self.as_of} or before, the day observed, found {day}"
            )
        return _seen(self._session.beside(), self._file, day, self.year_starts)

    def frame(self, sql: str, parameters: tuple = ()) -> pd.DataFrame:
        """Rows of a query on the views; parameters are bound to its ``?``. The same query is run once."""
        return self._found((sql, parameters), lambda: self._rows(sql, parameters), is_query=True)

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """
        Compute something of this store and day once per process, however often it is observed; in a run of the report
        engine, once per run (see `shared`).

        So the pages of many reps share the tables they are rows of. A frame is given as a copy. The key must hold
        every argument that matters.
        """
        return self._found(key, make)

    def _found(self, key: Hashable, make: Callable[[], Any], *, is_query: bool = False) -> Any:
        if key not in self._kept:
            self._kept[key] = shared.computed(self._of, key, make, is_query=is_query)
        found = self._kept[key]
        return found.copy() if isinstance(found, pd.DataFrame) else found

    def _rows(self, sql: str, parameters: tuple) -> pd.DataFrame:
        """Run a query, once the views that it names are there; most days of the past are asked for few of them."""
        for name in self._views.keys() & set(_WORD.findall(sql)):
            self._session.run(f"CREATE VIEW {name} AS {self._views.pop(name)}")
        return self._session.frame(sql, parameters)

    @property
    def knows_deals(self) -> bool:
        """Whether any deal was known on the day."""
        count = "SELECT count(*) AS n FROM deals"
        made = self._found("knows_deals", lambda: self._rows(count, ()), is_query=True)
        return bool(made["n"].iloc[0])

    def reason(self, table: str) -> str | None:
        """Why the source cannot give a canonical table, or ``deals.<segment>``; None where it gives it."""
        return self._file.impossible.get(table)

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


def observe(crm: str | Path, as_of: str | datetime.date, *, year_starts: int = 1) -> Seen:
    """
    Open a store as of the end of a day.

    Parameters
    ----------
    crm : path of a store; a relative one is looked for from the working folder upwards
    as_of : the last day observed, as a date or text like 2026-06-30; a local day of the source's time zone
    year_starts : month, 1 to 12, in which the company's year starts: its quarters are those the metrics speak of

    Raises
    ------
    InputRefused
        No such store, nothing was known on that day, or the day lies after the export.
    ValueError
        `as_of` is not a day.
    """
    day = _day(as_of)
    path = find_file(crm)
    session = open_store(path)
    return _seen(session, _read(session, path), day, year_starts)


class _File(NamedTuple):
    """What does not depend on the day: the very file, and what its source gives."""

    state: tuple
    about: dict[str, str]
    tables: frozenset[str]
    impossible: dict[str, str]


def _read(session: Session, path: Path) -> _File:
    state = path.stat()
    tables = session.rows(
        "SELECT table_name FROM information_schema.tables WHERE table_catalog = 'file'"
    )
    return _File(
        (path.resolve().as_posix(), state.st_ino, state.st_size, state.st_mtime_ns),
        dict(session.rows("SELECT key, value FROM file.about")),
        frozenset(name for (name,) in tables),
        dict(session.rows('SELECT "table", reason FROM file.impossible')),
    )


def _seen(session: Session, file: _File, day: datetime.date, year_starts: int) -> Seen:
    extracted_on = datetime.date.fromisoformat(file.about["extracted_on"])
    if day > extracted_on:
        session.close()
        raise InputRefused(
            f"as_of must not lie after {extracted_on}, the day of the export of {file.about['name']}: later days "
            f"were not observed; found {day}"
        )
    seen = Seen(session, day, file, (*file.state, day, year_starts), year_starts)
    if not seen.knows_deals:
        first = session.one("SELECT min(created_on) FROM file.deals")
        session.close()
        raise InputRefused(
            f"as_of must not lie before the first deal of {file.about['name']}, which was created on {first}; found {day}"
        )
    return seen


def _day(as_of: str | datetime.date) -> datetime.date:
    return as_of if isinstance(as_of, datetime.date) else datetime.date.fromisoformat(as_of)


def _kept(of: tuple) -> dict[Hashable, Any]:
    """What was computed of this very file, day and calendar; those looked at longest ago are forgotten."""
    _KEPT[of] = _KEPT.pop(of, {})
    for old in list(_KEPT)[:-_MOST_KEPT]:
        del _KEPT[old]
    return _KEPT[of]


def find_file(path: str | Path) -> Path:
    """Resolve a file's path: from the working folder, else from the nearest folder above that has it."""
    path = Path(path)
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / path).is_file():
            return folder / path
    return path


def _literal(day: datetime.date) -> str:
    return f"DATE '{day.isoformat()}'"


def _end_of_day(day: datetime.date, timezone: str) -> str:
    """First instant after the local day, in UTC."""
    midnight = datetime.datetime.combine(day + datetime.timedelta(days=1), datetime.time())
    local = midnight.replace(tzinfo=zoneinfo.ZoneInfo(timezone))
    return local.astimezone(datetime.UTC).strftime("TIMESTAMP '%Y-%m-%d %H:%M:%S'")


def _views(file: _File, day: datetime.date) -> dict[str, str]:
    """Each view that the file's tables can give, by name, as a query."""
    today = _literal(day)
    timezone = file.about["timezone"]
    end = _end_of_day(day, timezone)
    is_present = f"{day}" == file.about["extracted_on"]
    has_history = "stage_events" not in file.impossible
    views = {
        "stages": "SELECT * FROM file.stages",
        "deals": _deals(today, end, is_stage_known=is_present and not has_history),
        "stays": _stays(today, end),
        "first_visits": _first_visits(today, end),
        "people": _people(today),
        "people_history": (
            f"SELECT person_id, name, team, manager_id, role, hired_on, valid_from, "
            f"CASE WHEN valid_to <= {today} THEN valid_to END AS valid_to, "
            f"CASE WHEN left_on <= {today} THEN left_on END AS left_on FROM file.people "
            f"WHERE coalesce(hired_on, DATE '1900-01-01') <= {today} "
            f"AND coalesce(valid_from, DATE '1900-01-01') <= {today}"
        ),
        "changes": f"SELECT * FROM file.deal_changes WHERE changed_at < {end} AND deal_key IS NOT NULL",
        "details": _details(end, is_present=is_present),
        "starts": _starts(end),
        "won_spells": _won_spells(end, timezone),
        "state_spells": _state_spells(end, timezone),
        "hand_overs": _hand_overs(end, timezone),
        "payments": f"SELECT * FROM file.payments WHERE paid_on <= {today}",
        "quotas": f"SELECT * FROM file.quotas WHERE period_start <= {_literal(day + _ONE_DAY)}",
        "credits": (
            "SELECT c.* FROM file.credits c WHERE c.deal_key IN "
            f"(SELECT deal_key FROM file.deal_versions WHERE status = 'won' AND valid_from < {end})"
        ),
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
    made_of = {
        "people_history": "people",
        "changes": "deal_changes",
        "details": "deals",
        "starts": "deals",
        "won_spells": "deals",
        "state_spells": "deals",
        "hand_overs": "owner_history",
    }
    return {name: sql for name, sql in views.items() if made_of.get(name, name) in file.tables}


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
    SELECT deal_key, pos, pipeline, stage, stage_order, entered_at, entered_on,
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


def _details(end: str, *, is_present: bool) -> str:
    """
    What the other metrics of a deal do not need; the expected close date is the one known that day.

    The day of the next step has no history: it is known on the day of the export only.
    """
    next_step = (
        "CASE WHEN v.status = 'open' THEN f.next_step_on END"
        if is_present
        else "CAST(NULL AS DATE)"
    )
    return f"""
    WITH closes AS (
      SELECT deal_key, changed_at, TRY_CAST(nullif(trim(old), '') AS DATE) AS old,
             TRY_CAST(nullif(trim(new), '') AS DATE) AS new
      FROM file.deal_changes WHERE field = 'expected_close' AND deal_key IS NOT NULL
    ), known AS (
      SELECT deal_key, arg_min(old, changed_at) AS first_old, count(*) AS n_all,
             count(CASE WHEN changed_at < {end} THEN 1 END) AS n_known,
             arg_max(CASE WHEN changed_at < {end} THEN new END,
                     CASE WHEN changed_at < {end} THEN changed_at END) AS last_new,
             count(CASE WHEN changed_at < {end} AND new > old THEN 1 END) AS n_pushes
      FROM closes GROUP BY deal_key
    )
    SELECT f.deal_key, f.deal_id, f.account_id, f.account,
           CASE WHEN k.n_known > 0 THEN k.last_new WHEN k.n_all > 0 THEN k.first_old ELSE f.expected_close END
             AS expected_close,
           coalesce(k.n_pushes, 0) AS n_pushes, CASE WHEN v.status = 'lost' THEN f.loss_reason END AS loss_reason,
           {next_step} AS next_step_on
    FROM file.deals f LEFT JOIN known k ON k.deal_key = f.deal_key
    JOIN file.deal_versions v ON v.deal_key = f.deal_key AND v.valid_from < {end} AND v.valid_to >= {end}
    """


def _starts(end: str) -> str:
    """Whom a deal was given to when it was created."""
    return f"""
    SELECT deal_key, arg_min_null(owner, valid_from) AS owner, arg_min_null(team, valid_from) AS team
    FROM file.deal_versions WHERE valid_from < {end} GROUP BY deal_key
    """


def _local_day(instant: str, timezone: str) -> str:
    return f"CAST(timezone({literal(timezone)}, timezone('UTC', {instant})) AS DATE)"


def _won_spells(end: str, timezone: str) -> str:
    """Each time a deal was won, with what was known of it last; a change of amount does not win it again."""
    return f"""
    WITH won AS (
      SELECT *, sum(CASE WHEN is_next THEN 0 ELSE 1 END) OVER (PARTITION BY deal_key ORDER BY valid_from) AS spell
      FROM (SELECT *, coalesce(lag(valid_to) OVER (PARTITION BY deal_key ORDER BY valid_from) = valid_from, false)
                      AS is_next
            FROM file.deal_versions WHERE status = 'won' AND valid_from < {end})
    )
    SELECT deal_key, CAST(spell AS INTEGER) AS spell, min(closed_on) AS won_on,
           CASE WHEN max(valid_to) < {end} THEN {_local_day("max(valid_to)", timezone)} END AS unwon_on,
           arg_max(owner, valid_from) AS owner, arg_max(team, valid_from) AS team,
           arg_max_null(amount, valid_from) AS amount, arg_max(source, valid_from) AS source,
           arg_max(segment, valid_from) AS segment, arg_max(product, valid_from) AS product,
           arg_max(region, valid_from) AS region, min(created_on) AS created_on
    FROM won GROUP BY deal_key, spell
    """


def _state_spells(end: str, timezone: str) -> str:
    """Each unbroken time of a deal in one state; a state that lasted no time is none."""
    return f"""
    WITH told AS (
      SELECT *, sum(CASE WHEN is_same THEN 0 ELSE 1 END) OVER (PARTITION BY deal_key ORDER BY valid_from) AS spell
      FROM (SELECT *, coalesce(lag(status) OVER (PARTITION BY deal_key ORDER BY valid_from) = status, false) AS is_same
            FROM file.deal_versions WHERE valid_from < {end})
    )
    SELECT deal_key, CAST(spell AS INTEGER) AS spell, status, min(valid_from) AS begun_at,
           coalesce(min(closed_on), {_local_day("min(valid_from)", timezone)}) AS begun_on,
           arg_min_null(owner, valid_from) AS owner, arg_min_null(amount, valid_from) AS amount
    FROM told GROUP BY deal_key, spell, status
    """


def _hand_overs(end: str, timezone: str) -> str:
    """Each change of owner."""
    return f"""
    SELECT deal_key, valid_from AS handed_at, {_local_day("valid_from", timezone)} AS handed_on, owner_before AS from_owner, owner
    FROM (SELECT deal_key, owner, valid_from,
                 lag(owner) OVER (PARTITION BY deal_key ORDER BY valid_from, valid_to NULLS LAST, owner) AS owner_before
          FROM file.owner_history WHERE deal_key IS NOT NULL AND valid_from < {end})
    WHERE owner_before IS NOT NULL AND owner_before <> owner
    """
