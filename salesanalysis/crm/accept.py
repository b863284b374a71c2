"""Rows that make sense together become canonical tables; the others are quarantined under a reason."""

from salesanalysis.crm.errors import InputRefused
from salesanalysis.crm.mapping import Mapping
from salesanalysis.crm.read import LINE
from salesanalysis.crm.store import Session, literal
from salesanalysis.crm.tables import TABLES, on

WON, LOST, REMOVED = 30001, 30002, 30003  # stage numbers of the end states, after every stage
END_STATES = {WON: "won", LOST: "lost", REMOVED: "removed"}
_NO_DEAL = (
    "t.deal_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM deals d WHERE d.deal_id = t.deal_id)"
)
_CHECKS: dict[str, list[tuple[str, str, str]]] = {  # test, reason, column to show
    "deals": [
        ("t.status IN ('won', 'lost') AND t.closed_at IS NULL", "closed_without_date", "closed_at"),
        ("t.closed_on < t.created_on", "closed_before_created", "closed_at"),
    ],
    "people": [("t.valid_to < t.valid_from", "ends_before_it_begins", "valid_to")],
    "quotas": [("t.period_end < t.period_start", "ends_before_it_begins", "period_end")],
    "owner_history": [("t.valid_to < t.valid_from", "ends_before_it_begins", "valid_to")],
}


def accept(session: Session, name: str, file: str, rules: Mapping) -> None:
    """
    Make the canonical table `name` from the good rows of ``typed``.

    Rows that contradict themselves or name a deal or stage that was not accepted go to ``rejected``. ``deals``
    gets ``deal_key``, its place by creation; tables about deals carry that key as well. Rows that are the lines of
    one deal become one. Of ``stage_events`` only the rows that `accept_events` left over are looked at.
    """
    if name == "deals" and rules.deals_from_events:
        _complete_deals_from_events(session, file)
    if (
        name == "deals"
        and not rules.deals_from_events
        and "closed_at" not in rules.tables[name].columns
    ):
        closed = session.one(
            "SELECT count(*) FROM typed WHERE _problem IS NULL AND status IN ('won', 'lost')"
        )
        if closed:
            raise InputRefused(
                f"deals need `closed_at` where they are won or lost: {closed:,} rows of {file} are, and the mapping "
                "file names no column for it"
            )
    checks = list(_CHECKS.get(name, []))
    columns = [column.name for column in TABLES[name]]
    if name != "deals" and "deal_id" in columns:
        checks.append((_NO_DEAL, "unknown_deal", "deal_id"))
    if name == "stage_events":
        checks.append(("true", "unknown_stage", "stage"))
    _quarantine(session, name, file, checks, rules)
    if name == "stage_events":
        return
    if rules.tables[name].lines:
        _add_up_lines(session, file, rules)
    session.run(f"CREATE TABLE {name} AS {_selected(name)}")


def _selected(name: str) -> str:
    columns = []
    for column in TABLES[name]:
        columns.append(f"t.{column.name}")
        if column.kind == "ts" and column.name.endswith("_at"):
            columns.append(f"t.{on(column.name)}")
    good = "FROM typed t WHERE t._problem IS NULL"
    if name == "stages":
        return _numbered_stages()
    if name == "deals":
        listed = ", ".join(columns).replace("t.pipeline", "coalesce(t.pipeline, '') AS pipeline")
        keys = (
            f"SELECT {LINE}, row_number() OVER (ORDER BY created_at, deal_id) AS deal_key FROM typed "
            "WHERE _problem IS NULL"
        )
        return f"SELECT k.deal_key, {listed} FROM typed t JOIN ({keys}) k ON k.{LINE} = t.{LINE}"
    if "t.deal_id" in columns:
        return (
            f"SELECT d.deal_key, {', '.join(columns)} FROM typed t LEFT JOIN deals d ON d.deal_id = t.deal_id "
            f"WHERE t._problem IS NULL ORDER BY t.{LINE}"
        )
    return f"SELECT {', '.join(columns)} {good} ORDER BY t.{LINE}"


def _numbered_stages() -> str:
    """Stages with their number over all pipelines; their order becomes 1, 2, …, then won, then lost."""
    return """
    SELECT CAST(row_number() OVER (ORDER BY is_end, pipeline, given, stage) AS INTEGER) AS stage_no,
           pipeline, stage,
           CAST(row_number() OVER (PARTITION BY pipeline ORDER BY is_lost, is_won, given, stage) AS INTEGER)
             AS stage_order,
           is_won, is_lost, probability, sla_days, goal, required_actions
    FROM (SELECT coalesce(t.pipeline, '') AS pipeline, t.stage, t.stage_order AS given,
                 coalesce(t.is_won, false) AS is_won, coalesce(t.is_lost, false) AS is_lost,
                 coalesce(t.is_won, false) OR coalesce(t.is_lost, false) AS is_end,
                 t.probability, t.sla_days, t.goal, t.required_actions
          FROM typed t WHERE t._problem IS NULL)
    """


def accept_events(session: Session, typed: str, source: str) -> str:
    """
    Make ``stage_events`` and return the query of the rows of `source` that are left over.

    By far the longest table: its good rows go into the store as they are converted. They carry keys instead of
    texts: ``deal_key`` and ``stage_no`` (of an end state: its number).
    """
    columns = []
    for column in TABLES["stage_events"]:
        if column.name not in ("deal_id", "pipeline", "stage"):
            columns.append(f"t.{column.name}")
            columns += [f"t.{on(column.name)}"] if column.kind == "ts" else []
    session.run(
        f"""
        CREATE TABLE stage_events AS
        SELECT d.deal_key,
               CAST(CASE WHEN s.is_won THEN {WON} WHEN s.is_lost THEN {LOST} ELSE s.stage_no END AS INTEGER)
                 AS stage_no,
               {", ".join(columns)}, t.{LINE} AS line
        FROM ({typed}) t JOIN deals d ON d.deal_id = t.deal_id
        JOIN stages s ON s.stage = t.stage AND s.pipeline = coalesce(t.pipeline, d.pipeline)
        WHERE t._problem IS NULL
        """
    )
    n_accepted, n_rows = (
        session.one(f"SELECT count(*) FROM {name}") for name in ("stage_events", source)
    )
    if n_accepted == n_rows:
        return f"SELECT * FROM ({typed}) LIMIT 0"
    return f"SELECT * FROM ({typed}) WHERE {LINE} NOT IN (SELECT line FROM stage_events)"


def _local(name: str, column: str, rules: Mapping) -> str:
    """SQL of a value to show, instants as they read in the source's time zone."""
    kind = next(c.kind for c in TABLES[name] if c.name == column)
    zone = literal(rules.timezone)
    return f"timezone({zone}, timezone('UTC', t.{column}))" if kind == "ts" else f"t.{column}"


def _quarantine(
    session: Session, name: str, file: str, checks: list[tuple[str, str, str]], rules: Mapping
) -> None:
    for test, reason, column in checks:
        session.run(
            f"CREATE TEMP TABLE aside AS SELECT t.{LINE}, CAST({_local(name, column, rules)} AS VARCHAR) AS value "
            f"FROM typed t "
            f"WHERE t._problem IS NULL AND ({test})"
        )
        if session.one("SELECT count(*) FROM aside"):
            session.run(
                f"INSERT INTO rejected SELECT 'quarantined', ?, ?, {LINE}, ?, value, ? FROM aside",
                (name, file, column, reason),
            )
            session.run(
                f"UPDATE typed SET _problem = -2 WHERE {LINE} IN (SELECT {LINE} FROM aside)"
            )
        session.run("DROP TABLE aside")


def _add_up_lines(session: Session, file: str, rules: Mapping) -> None:
    """
    One deal per id: its first row, with the money of all its rows added; unknown where a row does not say it.

    Rows that differ from the first one in anything else are set aside.
    """
    table = rules.tables["deals"]
    good = "FROM typed WHERE _problem IS NULL"
    session.run(
        f"CREATE TEMP TABLE firsts AS SELECT * {good} "
        f"QUALIFY row_number() OVER (PARTITION BY deal_id ORDER BY {LINE}) = 1"
    )
    compared = [column for column in table.columns if column not in table.lines["sum"]]
    differs = (
        "EXISTS (SELECT 1 FROM firsts f WHERE f.deal_id = t.deal_id "
        "AND f.{0} IS DISTINCT FROM t.{0})"
    )
    checks = [(differs.format(column), "lines_disagree", column) for column in compared]
    _quarantine(session, "deals", file, checks, rules)
    sums = ", ".join(
        f"CASE WHEN count({column}) = count(*) THEN sum({column}) END AS {column}"
        for column in table.lines["sum"]
    )
    session.run(
        f"CREATE TEMP TABLE sums AS SELECT min({LINE}) AS line, deal_id, count(*) AS n_lines, {sums} {good} "
        "GROUP BY deal_id"
    )
    session.run(f"DELETE {good} AND {LINE} NOT IN (SELECT line FROM sums)")
    new = ", ".join(f"{column} = s.{column}" for column in table.lines["sum"])
    session.run(f"UPDATE typed SET {new} FROM sums s WHERE typed.{LINE} = s.line")
    n_deals, n_lines = session.rows("SELECT count(*), coalesce(sum(n_lines), 0) FROM sums")[0]
    n_short = session.one(
        "SELECT count(*) FROM sums WHERE deal_id IN (SELECT deal_id FROM typed WHERE _problem IS NOT NULL)"
    )
    for kind, n_rows in (("merged_rows", n_lines - n_deals), ("incomplete_lines", n_short)):
        if n_rows:
            session.run(
                "INSERT INTO findings VALUES (?, 'deals', ?, ?)",
                (kind, n_rows, f"{n_deals} deals in {file}"),
            )
    session.run("DROP TABLE firsts")
    session.run("DROP TABLE sums")


def _complete_deals_from_events(session: Session, file: str) -> None:
    """One deal per id: created with its first event, in the state of its last one."""
    n_rows = session.one("SELECT count(*) FROM typed WHERE _problem IS NULL")
    session.run(
        f"CREATE TEMP TABLE merged AS SELECT * FROM typed t WHERE _problem IS NULL "
        f"QUALIFY row_number() OVER (PARTITION BY deal_id ORDER BY {LINE}) = 1"
    )
    session.run("DELETE FROM typed WHERE _problem IS NULL")
    session.run("INSERT INTO typed SELECT * FROM merged")
    session.run("DROP TABLE merged")
    n_deals = session.one("SELECT count(*) FROM typed WHERE _problem IS NULL")
    session.run(
        "INSERT INTO findings VALUES ('merged_rows', 'deals', ?, ?)",
        (n_rows - n_deals, f"{n_deals} deals in {file}"),
    )
    last = "arg_max({}, (entered_at, coalesce(seq, 0), " + LINE + "))"
    session.run(
        f"""
        UPDATE typed SET created_at = e.first_at, created_on = e.first_on, stage = e.stage,
               status = CASE WHEN s.is_won THEN 'won' WHEN s.is_lost THEN 'lost' ELSE 'open' END,
               closed_at = CASE WHEN s.is_won OR s.is_lost THEN e.last_at END,
               closed_on = CASE WHEN s.is_won OR s.is_lost THEN e.last_on END
        FROM (SELECT deal_id, min(entered_at) AS first_at, min(entered_on) AS first_on,
                     max(entered_at) AS last_at, max(entered_on) AS last_on, {last.format("stage")} AS stage
              FROM typed_events WHERE _problem IS NULL GROUP BY deal_id) e
        LEFT JOIN stages s ON s.stage = e.stage
        WHERE typed.deal_id = e.deal_id AND typed._problem IS NULL
        """
    )
    session.run("UPDATE typed SET status = 'open' WHERE _problem IS NULL AND status IS NULL")
