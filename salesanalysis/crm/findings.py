"""What the load noticed beyond rows set aside: each kind once per subject, with a count."""

import difflib

from salesanalysis.crm.accept import WON
from salesanalysis.crm.convert import clean
from salesanalysis.crm.mapping import Mapping
from salesanalysis.crm.store import Session, literal, quoted
from salesanalysis.crm.tables import TABLES


def record(session: Session, rules: Mapping, files: dict[str, dict]) -> None:
    """Write the ``findings`` of the load: kind (slug), subject, number of rows, detail."""
    for name, table in rules.tables.items():
        _unknown_values(session, name, table, files)
        _empty_values(session, name, table)
    for file, about in files.items():
        _unused_columns(session, file, about, [t for t in rules.tables.values() if t.file == file])
        if rules.encoding is None and about["encoding"] != "parquet":
            _add(session, "guessed_encoding", file, about["n_in"], about["encoding"])
    _deal_findings(session)
    _date_findings(session, rules)
    if "stages" in rules.tables:
        _stage_findings(session)
    if "stage_events" in rules.tables:
        _history_findings(session)
    if "people" in rules.tables:
        _people_findings(session)
    if "credits" in rules.tables:
        _credit_findings(session)


def _add(session: Session, kind: str, subject: str, n_rows: int, detail: str | None = None) -> None:
    if n_rows:
        session.run("INSERT INTO findings VALUES (?, ?, ?, ?)", (kind, subject, n_rows, detail))


def _unused_columns(session: Session, file: str, about: dict, tables: list) -> None:
    used = {column.column for table in tables for column in table.columns.values()}
    used |= {name for table in tables for name in table.ignore}
    unused = [name for name in about["columns"] if name not in used]
    if tables and unused:
        _add(session, "unused_columns", file, len(unused), ", ".join(unused))


def _unknown_values(session: Session, name: str, table, files: dict[str, dict]) -> None:
    """Values that a reference list does not hold, with the nearest one that it does."""
    for column, spec in table.columns.items():
        if not spec.known_from:
            continue
        text = clean(quoted(spec.known_from["column"]))
        listed = [
            row[0]
            for row in session.rows(
                f"SELECT DISTINCT {text} FROM {files[spec.known_from['file']]['relation']} ORDER BY 1"
            )
            if row[0]
        ]
        counts = session.rows(
            f"SELECT {column}, count(*) FROM {name} WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY 1"
        )
        for value, count in counts:
            if value not in listed:
                near = difflib.get_close_matches(value, listed, n=1)
                detail = f"not in {spec.known_from['file']}" + (
                    f"; nearest: {near[0]}" if near else ""
                )
                _add(session, "unknown_value", f"{column} “{value}”", count, detail)


def _empty_values(session: Session, name: str, table) -> None:
    """Empty cells of mapped columns of deals: they fall out of views by that column."""
    if name != "deals":
        return
    watched = [
        c.name
        for c in TABLES["deals"]
        if c.name in table.columns
        and c.name
        in ("created_at", "owner", "amount", "account_id", "source", "segment", "product", "region")
    ]
    for column in watched:
        _add(
            session,
            "empty_values",
            f"deals.{column}",
            session.one(f"SELECT count(*) FROM deals WHERE {column} IS NULL"),
            table.columns[column].optional,
        )


def _deal_findings(session: Session) -> None:
    _add(
        session,
        "removed_deals",
        "deals",
        session.one("SELECT count(*) FROM deals WHERE status = 'removed'"),
    )
    _add(
        session,
        "zero_span",
        "deals",
        session.one(
            "SELECT count(*) FROM deals WHERE status IN ('won', 'lost') AND closed_on = created_on"
        ),
    )


def _date_findings(session: Session, rules: Mapping) -> None:
    """Records dated after the declared day of the export: the day, a clock or a time zone is wrong."""
    columns = {"deals": ("created_on", "closed_on"), "stage_events": ("entered_on",)}
    for name, days in columns.items():
        for day in days:
            if name in rules.tables:
                later = f"SELECT count(*) FROM {name} WHERE {day} > ?"
                detail = f"after {rules.extracted_on}"
                _add(
                    session,
                    "after_extraction",
                    f"{name}.{day}",
                    session.one(later, (rules.extracted_on,)),
                    detail,
                )


def _stage_findings(session: Session) -> None:
    rows = session.rows(
        "SELECT stage, count(*) FROM deals d WHERE stage IS NOT NULL AND NOT EXISTS (SELECT 1 FROM stages s "
        "WHERE s.stage = d.stage AND s.pipeline = d.pipeline) GROUP BY 1 ORDER BY 1"
    )
    for stage, count in rows:
        _add(session, "unknown_stage", f"stage “{stage}”", count)


def _history_findings(session: Session) -> None:
    counts = {
        "no_history": (
            "deals",
            "SELECT count(*) FROM deals WHERE deal_key NOT IN (SELECT deal_key FROM histories)",
        ),
        "created_closed": ("deals", f"SELECT count(*) FROM histories WHERE lowest >= {WON}"),
        "reopened": (
            "deals",
            "SELECT count(DISTINCT deal_key) FROM stays WHERE inflow = 'reopened'",
        ),
        "before_creation": (
            "stage_events",
            (
                "SELECT count(*) FROM stage_events e JOIN deals d ON d.deal_key = e.deal_key "
                "WHERE e.entered_on < d.created_on"
            ),
        ),
        "stage_disagrees": (
            "deals",
            f"""
            SELECT count(*) FROM deals d JOIN histories e ON e.deal_key = d.deal_key
            LEFT JOIN stages s ON s.stage_no = e.last
            WHERE d.status <> 'removed' AND CASE WHEN e.last >= {WON}
              THEN d.status <> CASE e.last WHEN {WON} THEN 'won' ELSE 'lost' END
              ELSE d.status <> 'open' OR d.stage <> s.stage END
            """,
        ),
    }
    for kind, (subject, sql) in counts.items():
        _add(session, kind, subject, session.one(sql))


def _people_findings(session: Session) -> None:
    rows = session.rows(
        "SELECT owner, count(*) FROM deals WHERE owner IS NOT NULL "
        "AND owner NOT IN (SELECT person_id FROM people) GROUP BY 1 ORDER BY 1"
    )
    for owner, count in rows:
        _add(session, "unknown_owner", f"owner “{owner}”", count)
    idle = session.rows(
        "SELECT DISTINCT name FROM people WHERE person_id NOT IN "
        "(SELECT owner FROM deals WHERE owner IS NOT NULL) ORDER BY 1"
    )
    _add(
        session, "people_without_deals", "people", len(idle), ", ".join(row[0] for row in idle[:10])
    )


def _credit_findings(session: Session) -> None:
    _add(
        session,
        "credits_not_whole",
        "credits",
        session.one(
            f"SELECT count(*) FROM (SELECT deal_key FROM credits WHERE type = {literal('revenue')} "
            "GROUP BY 1 HAVING abs(sum(share) - 1) > 0.0001)"
        ),
    )
