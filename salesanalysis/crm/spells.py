"""
The history of each deal as spells, made once per load, so that "as known on that day" is one comparison per row.

``deal_versions``: the state of a deal (status, owner, team, amount) from ``valid_from`` until ``valid_to``.
``stays``: one row per entry of a deal into a stage, with where it came from and where it went next.
``first_visits``: the first entry of a deal into each stage and how it ended: cause 1 advanced (to any later stage or
won), 2 lost, 0 neither; a deal that was lost and re-opened has one row for each of those spells.
All instants are UTC; a spell holds from ``valid_from`` (included) until ``valid_to`` (excluded).
"""

from salesanalysis.crm.accept import LOST, REMOVED, WON
from salesanalysis.crm.mapping import Mapping
from salesanalysis.crm.store import Session, literal
from salesanalysis.crm.tables import TABLES

EVER = "TIMESTAMP '9999-12-31'"
NEVER = "TIMESTAMP '0001-01-01'"
_CLEARED = "-99999999999999"  # an amount that was emptied; NULL means "not touched" while versions are folded
_SEGMENTS = ("source", "segment", "product", "region")


def _found_in(*columns: str) -> str:
    """SQL of the different values of some columns."""
    parts = (column.split(".") for column in columns)
    union = " UNION ".join(f"SELECT {name} AS word FROM {table}" for table, name in parts)
    return f"SELECT word FROM ({union}) WHERE word IS NOT NULL ORDER BY word"


_WORDS = {  # texts that many rows share are ENUMs: they read as text and are one or two bytes each
    "status": "'open', 'won', 'lost', 'removed'",
    "outcome": "'advanced', 'skipped', 'moved_back', 'lost', 'handed_off', 'removed', 'open'",
    "inflow": "'starts', 'advanced_in', 'skipped_in', 'moved_back_in', 'handed_in', 'reopened'",
    "pipeline": _found_in("deals.pipeline", "stages.pipeline"),
    "stage": _found_in("stages.stage"),
    "owner": _found_in("deals.owner", "owner_history.owner"),
    "team": _found_in("people.team"),
    **{name: _found_in(f"deals.{name}") for name in _SEGMENTS},
}


def build(session: Session, rules: Mapping) -> None:
    """Make ``deal_versions``, ``stays`` and ``first_visits`` from the canonical tables of the store."""
    for name in ("stages", "stage_events", "owner_history", "people", "deal_changes"):
        if name not in rules.tables:
            session.run(_empty(name))
    for name, values in _WORDS.items():
        session.run(f"CREATE TYPE {name}_word AS ENUM ({values})")
    _owner_spells(session)
    _team_spells(session, rules)
    _runs(session)
    _pipeline_moves(session)
    session.run(
        f"CREATE TEMP TABLE winding AS SELECT deal_key FROM runs WHERE prev_no > no OR prev_no = {LOST} "
        "UNION SELECT deal_key FROM pipeline_moves WHERE nth > 1 "
        "UNION SELECT deal_key FROM deals WHERE status = 'removed'"
    )
    _facts(session, rules)
    _versions(session, rules)
    _stays(session)
    _first_visits(session)
    for working in ("runs", "team_spells", "owner_spells", "pipeline_moves", "winding", "facts"):
        session.run(f"DROP TABLE {working}")


def _empty(name: str) -> str:
    if name == "stages":
        return (
            "CREATE TABLE stages (stage_no INTEGER, pipeline VARCHAR, stage VARCHAR, stage_order INTEGER, "
            "is_won BOOLEAN, is_lost BOOLEAN, probability DOUBLE, sla_days BIGINT, goal VARCHAR, "
            "required_actions VARCHAR)"
        )
    if name == "stage_events":
        return (
            "CREATE TABLE stage_events (deal_key BIGINT, stage_no INTEGER, entered_at TIMESTAMP, entered_on DATE, "
            "seq BIGINT, line BIGINT)"
        )
    instants = {"ts": "TIMESTAMP", "date": "DATE"}
    columns = ", ".join(
        f"{column.name} {instants.get(column.kind, 'VARCHAR')}" for column in TABLES[name]
    )
    key = "" if name == "people" else "deal_key BIGINT, "
    return f"CREATE TABLE {name} ({key}{columns})"


def _owner_spells(session: Session) -> None:
    """Owner of each deal without a gap; a deal without owner history has its present owner throughout."""
    session.run(
        f"""
        CREATE TEMP TABLE owner_spells AS
        WITH listed AS (
          SELECT deal_key, CAST(owner AS owner_word) AS owner, valid_from,
                 row_number() OVER w AS nth, lag(owner) OVER w AS owner_before
          FROM owner_history WHERE deal_key IS NOT NULL
          WINDOW w AS (PARTITION BY deal_key ORDER BY valid_from, valid_to NULLS LAST, owner)
        )
        SELECT deal_key, owner, CASE WHEN nth = 1 THEN {NEVER} ELSE valid_from END AS valid_from,
               coalesce(lead(valid_from) OVER (PARTITION BY deal_key ORDER BY nth), {EVER}) AS valid_to
        FROM listed WHERE nth = 1 OR owner <> owner_before
        UNION ALL
        SELECT deal_key, CAST(owner AS owner_word), {NEVER}, {EVER} FROM deals
        WHERE deal_key NOT IN (SELECT deal_key FROM listed)
        """
    )


def _team_spells(session: Session, rules: Mapping) -> None:
    """Team of each owner without a gap; a person's first team also holds before, the last one after."""
    begin = f"timezone('UTC', timezone({literal(rules.timezone)}, CAST(valid_from AS TIMESTAMP)))"
    session.run(
        f"""
        CREATE TEMP TABLE team_spells AS
        WITH listed AS (
          SELECT TRY_CAST(person_id AS owner_word) AS owner, CAST(team AS team_word) AS team, {begin} AS valid_from,
                 row_number() OVER w AS nth, lead({begin}) OVER w AS next_from
          FROM people
          WINDOW w AS (PARTITION BY person_id ORDER BY valid_from NULLS FIRST)
        )
        SELECT owner, team, CASE WHEN nth = 1 THEN {NEVER} ELSE valid_from END AS valid_from,
               coalesce(next_from, {EVER}) AS valid_to
        FROM listed WHERE owner IS NOT NULL
        """
    )


def _runs(session: Session) -> None:
    """
    Every change of stage or end state of every deal, equal neighbours collapsed.

    A deal that is closed or removed by its own row, and whose history does not end so, gets that move added.
    """
    events = "SELECT deal_key, CAST(stage_no AS SMALLINT) AS no, entered_at AS moved_at, entered_on AS day, seq FROM stage_events"
    session.run(f"CREATE TEMP TABLE runs AS {_in_order(events, 'moved_at, coalesce(seq, 0), no')}")
    session.run(
        "CREATE TEMP TABLE histories AS SELECT deal_key, min(no) AS lowest, arg_max(no, pos) AS last "
        "FROM runs GROUP BY 1"
    )
    session.run(
        "INSERT INTO findings SELECT 'tied_events', 'stage_events', count(*), NULL FROM "
        "(SELECT DISTINCT deal_key, moved_at FROM runs WHERE next_at = moved_at AND next_no <> no) HAVING count(*) > 0"
    )
    session.run(
        f"""
        CREATE TEMP TABLE ends AS
        WITH own AS (
          SELECT deal_key, CASE status WHEN 'won' THEN {WON} WHEN 'lost' THEN {LOST} ELSE {REMOVED} END AS no,
                 coalesce(closed_at, created_at) AS moved_at, coalesce(closed_on, created_on) AS day
          FROM deals WHERE status <> 'open'
        )
        SELECT o.deal_key, o.no, greatest(o.moved_at, r.moved_at) AS moved_at, o.day, r.no AS prev_no,
               coalesce(r.pos, 0) + 1 AS pos
        FROM own o LEFT JOIN runs r ON r.deal_key = o.deal_key AND r.next_no IS NULL
        WHERE r.no IS NULL OR r.no < {WON} OR o.no = {REMOVED}
        """
    )
    session.run(
        "UPDATE runs SET next_no = e.no, next_at = e.moved_at, next_day = e.day FROM ends e "
        "WHERE runs.deal_key = e.deal_key AND runs.next_no IS NULL"
    )
    session.run("INSERT INTO runs BY NAME SELECT * FROM ends")
    session.run("DROP TABLE ends")
    _collapse(session)


def _in_order(moves: str, order: str) -> str:
    return f"""
    SELECT deal_key, no, moved_at, day, lag(no) OVER w AS prev_no, lead(no) OVER w AS next_no,
           lead(moved_at) OVER w AS next_at, lead(day) OVER w AS next_day, CAST(row_number() OVER w AS INTEGER) AS pos
    FROM ({moves}) WINDOW w AS (PARTITION BY deal_key ORDER BY {order})
    """


def _collapse(session: Session) -> None:
    collapsed = session.one("SELECT count(*) FROM runs WHERE prev_no = no")
    if not collapsed:
        return
    session.run(
        "CREATE TEMP TABLE kept AS SELECT deal_key, no, moved_at, day, pos FROM runs "
        "WHERE prev_no IS DISTINCT FROM no AND deal_key IN (SELECT deal_key FROM runs WHERE prev_no = no)"
    )
    session.run("DELETE FROM runs WHERE deal_key IN (SELECT deal_key FROM kept)")
    session.run(f"INSERT INTO runs {_in_order('SELECT * FROM kept', 'pos')}")
    session.run("DROP TABLE kept")
    session.run(
        "INSERT INTO findings VALUES ('collapsed_events', 'stage_events', ?, NULL)", (collapsed,)
    )


def _pipeline_moves(session: Session) -> None:
    """The pipelines of each deal in turn, where there is more than one to be in."""
    several = session.one("SELECT count(DISTINCT pipeline) FROM stages") > 1
    session.run(
        f"""
        CREATE TEMP TABLE pipeline_moves AS
        WITH placed AS (
          SELECT r.deal_key, r.moved_at, r.pos, s.pipeline, lag(s.pipeline) OVER w AS before
          FROM runs r JOIN stages s ON s.stage_no = r.no WHERE r.no < {WON} AND {several}
          WINDOW w AS (PARTITION BY r.deal_key ORDER BY r.pos)
        )
        SELECT deal_key, moved_at, CAST(pipeline AS pipeline_word) AS pipeline,
               row_number() OVER (PARTITION BY deal_key ORDER BY pos) AS nth
        FROM placed WHERE before IS NULL OR before <> pipeline
        """
    )


def _facts(session: Session, rules: Mapping) -> None:
    """
    What of a deal never changes, and the first instant it is known.

    That is its creation, else its first event, else the day of the export.
    """
    zone = literal(rules.timezone)
    words = ", ".join(f"CAST(d.{name} AS {name}_word) AS {name}" for name in _SEGMENTS)
    session.run(
        f"""
        CREATE TEMP TABLE facts AS
        SELECT d.deal_key, d.created_on, d.amount, {words}, CAST(d.pipeline AS pipeline_word) AS pipeline,
               coalesce(d.created_at, e.first_at,
                        timezone('UTC', timezone({zone}, TIMESTAMP '{rules.extracted_on}'))) AS born_at,
               CASE WHEN d.status = 'removed' THEN coalesce(d.closed_at, d.created_at) END AS removed_at,
               d.deal_key NOT IN (SELECT deal_key FROM winding) AS is_straight
        FROM deals d LEFT JOIN (
          SELECT deal_key, min(moved_at) AS first_at FROM runs
          WHERE deal_key IN (SELECT deal_key FROM deals WHERE created_at IS NULL) GROUP BY deal_key
        ) e ON e.deal_key = d.deal_key
        """
    )


def _versions(session: Session, rules: Mapping) -> None:
    """
    Versions of each deal's state.

    A closed deal stays with the owner and team it was closed by, until it is re-opened. Most deals only begin and
    end; what happened to the others in between is folded.
    """
    amount = rules.tables["deals"].columns.get("amount")
    at_close = bool(amount and amount.known_at)
    session.run(
        f"""
        CREATE TEMP TABLE busy AS
        SELECT deal_key FROM owner_spells WHERE valid_from > {NEVER}
        UNION SELECT deal_key FROM deal_changes WHERE field = 'amount' AND deal_key IS NOT NULL
        UNION SELECT deal_key FROM pipeline_moves WHERE nth > 1
        UNION SELECT deal_key FROM runs WHERE prev_no >= {WON}
        """
    )
    _touched(session, at_close)
    _fold(session)
    _plain(session, at_close)
    segments = ", ".join(f"d.{name}" for name in _SEGMENTS)
    session.run(
        f"""
        CREATE TABLE deal_versions AS
        SELECT f.deal_key,
               CASE WHEN f.status = 'open' THEN greatest(f.valid_from, coalesce(t.valid_from, f.valid_from))
                    ELSE f.valid_from END AS valid_from,
               CASE WHEN f.status = 'open' THEN least(f.valid_to, coalesce(t.valid_to, f.valid_to))
                    ELSE f.valid_to END AS valid_to,
               f.pipeline, f.status, d.created_on, CASE WHEN f.status <> 'open' THEN f.day END AS closed_on,
               f.owner, t.team, nullif(f.amount, {_CLEARED}) AS amount, f.is_handed, {segments}
        FROM folded f JOIN facts d ON d.deal_key = f.deal_key
        LEFT JOIN team_spells t ON t.owner = f.owner AND CASE
             WHEN f.status = 'open' THEN t.valid_from < f.valid_to AND t.valid_to > f.valid_from
             ELSE t.valid_from <= f.since AND t.valid_to > f.since END
        WHERE f.valid_from < f.valid_to
        """
    )
    for working in ("folded", "touched", "busy"):
        session.run(f"DROP TABLE {working}")


_STATUS = f"CASE r.no WHEN {WON} THEN 'won' WHEN {LOST} THEN 'lost' WHEN {REMOVED} THEN 'removed' ELSE 'open' END"


def _touched(session: Session, at_close: bool) -> None:
    """What happened to each busy deal, in the order it is to be folded in."""
    first_amount = "NULL" if at_close else f"coalesce(c.first_old, f.amount, {_CLEARED})"
    end_amount = f"coalesce(f.amount, {_CLEARED})" if at_close else "NULL"
    change = "TRY_CAST(nullif(trim({0}), '') AS DECIMAL(18,4))"
    session.run(
        f"""
        CREATE TEMP TABLE touched AS
        WITH changes AS (
          SELECT deal_key, changed_at AS moved_at, coalesce({change.format("old")}, {_CLEARED}) AS old,
                 coalesce({change.format("new")}, {_CLEARED}) AS new
          FROM deal_changes WHERE field = 'amount' AND deal_key IS NOT NULL
        ), first_change AS (
          SELECT deal_key, arg_min(old, moved_at) AS first_old FROM changes GROUP BY deal_key
        )
        SELECT f.deal_key, f.born_at AS moved_at, 0 AS prio, 0 AS pos,
               {_word("status", "open")} AS status, CAST(NULL AS DATE) AS day,
               coalesce(m.pipeline, f.pipeline) AS pipeline, o.owner AS owner,
               CAST({first_amount} AS DECIMAL(18,4)) AS amount, false AS is_handed, f.born_at AS since
        FROM facts f LEFT JOIN first_change c ON c.deal_key = f.deal_key
        LEFT JOIN pipeline_moves m ON m.deal_key = f.deal_key AND m.nth = 1
        JOIN owner_spells o ON o.deal_key = f.deal_key AND o.valid_from = {NEVER}
        WHERE f.deal_key IN (SELECT deal_key FROM busy)
        UNION ALL
        SELECT o.deal_key, greatest(o.valid_from, f.born_at), 1, 0, NULL, NULL, NULL, o.owner, NULL, true, NULL
        FROM owner_spells o JOIN facts f ON f.deal_key = o.deal_key
        WHERE o.valid_from > {NEVER} AND NOT EXISTS (
          SELECT 1 FROM runs r WHERE r.deal_key = o.deal_key AND r.no >= {WON}
          AND r.moved_at < o.valid_from AND coalesce(r.next_at, {EVER}) >= o.valid_from)
        UNION ALL
        SELECT r.deal_key, r.moved_at, 1, r.pos, NULL, NULL, NULL, o.owner, NULL,
               o.valid_from > p.moved_at AND o.valid_from <= r.moved_at, NULL
        FROM runs r JOIN runs p ON p.deal_key = r.deal_key AND p.pos = r.pos - 1
        JOIN owner_spells o ON o.deal_key = r.deal_key AND o.valid_from <= r.moved_at AND o.valid_to > r.moved_at
        WHERE r.prev_no >= {WON} AND r.no < {WON}
        UNION ALL
        SELECT c.deal_key, greatest(c.moved_at, f.born_at), 2, 0, NULL, NULL, NULL, NULL, c.new, false, NULL
        FROM changes c JOIN facts f ON f.deal_key = c.deal_key WHERE NOT {at_close}
        UNION ALL
        SELECT m.deal_key, greatest(m.moved_at, f.born_at), 2, 0, NULL, NULL, m.pipeline, NULL, NULL, false, NULL
        FROM pipeline_moves m JOIN facts f ON f.deal_key = m.deal_key WHERE m.nth > 1
        UNION ALL
        SELECT r.deal_key, greatest(r.moved_at, f.born_at), 3, r.pos, {_STATUS},
               r.day, NULL, NULL, CASE WHEN r.no >= {WON} THEN CAST({end_amount} AS DECIMAL(18,4)) END, false,
               CASE WHEN r.no < {WON} OR r.prev_no IS NULL OR r.prev_no < {WON}
                    THEN greatest(r.moved_at, f.born_at) END
        FROM runs r JOIN facts f ON f.deal_key = r.deal_key
        WHERE (r.no >= {WON} OR r.prev_no >= {WON}) AND r.deal_key IN (SELECT deal_key FROM busy)
        """
    )


def _fold(session: Session) -> None:
    """State of each busy deal after each thing that happened."""
    session.run(
        f"""
        CREATE TEMP TABLE folded AS
        SELECT deal_key, moved_at AS valid_from, coalesce(lead(moved_at) OVER w, {EVER}) AS valid_to,
               last_value(status IGNORE NULLS) OVER w AS status,
               last_value(CASE WHEN status IS NOT NULL THEN coalesce(day, DATE '0001-01-01') END IGNORE NULLS)
                 OVER w AS day,
               last_value(since IGNORE NULLS) OVER w AS since,
               last_value(pipeline IGNORE NULLS) OVER w AS pipeline,
               last_value(owner IGNORE NULLS) OVER w AS owner,
               last_value(amount IGNORE NULLS) OVER w AS amount,
               bool_or(is_handed) OVER w AS is_handed
        FROM touched
        WINDOW w AS (PARTITION BY deal_key ORDER BY moved_at, prio, pos
                     ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
        """
    )


def _plain(session: Session, at_close: bool) -> None:
    """Add the states of the deals that were open and, most of them, then closed, and nothing else."""
    known = f"CAST(coalesce(f.amount, {_CLEARED}) AS DECIMAL(18,4))"
    session.run(
        f"""
        INSERT INTO folded BY NAME
        WITH plain AS (
          SELECT f.deal_key, f.born_at, greatest(r.moved_at, f.born_at) AS ended_at, r.no,
                 coalesce(r.day, DATE '0001-01-01') AS day, coalesce(m.pipeline, f.pipeline) AS pipeline, o.owner,
                 {known} AS amount
          FROM facts f JOIN owner_spells o ON o.deal_key = f.deal_key
          LEFT JOIN pipeline_moves m ON m.deal_key = f.deal_key
          LEFT JOIN (SELECT * FROM runs WHERE no >= {WON}) r ON r.deal_key = f.deal_key
          WHERE f.deal_key NOT IN (SELECT deal_key FROM busy)
        )
        SELECT deal_key, born_at AS valid_from, CASE WHEN no IS NULL THEN {EVER} ELSE ended_at END AS valid_to,
               'open' AS status, born_at AS since, pipeline, owner,
               {"NULL" if at_close else "amount"} AS amount, DATE '0001-01-01' AS day, false AS is_handed
        FROM plain
        UNION ALL
        SELECT deal_key, ended_at, {EVER}, {_STATUS.replace("r.no", "no")}, ended_at, pipeline, owner, amount, day, false
        FROM plain WHERE no IS NOT NULL
        """
    )


def _stays(session: Session) -> None:
    """One row per entry into a stage, with its inflow and its outcome (definitions: stage accounting)."""
    segments = ", ".join(f"c.{name}" for name in _SEGMENTS)
    session.run(
        f"""
        CREATE TABLE stays AS
        WITH carriers AS (
          SELECT f.*, o.owner, t.team, greatest(o.valid_from, coalesce(t.valid_from, o.valid_from)) AS valid_from,
                 least(o.valid_to, coalesce(t.valid_to, o.valid_to)) AS valid_to
          FROM facts f JOIN owner_spells o ON o.deal_key = f.deal_key
          LEFT JOIN team_spells t ON t.owner = o.owner AND t.valid_from < o.valid_to AND t.valid_to > o.valid_from
        ), steps AS (
          SELECT stage_no, CAST(s.pipeline AS pipeline_word) AS pipeline, CAST(stage AS stage_word) AS stage,
                 stage_order, last_order
          FROM stages s LEFT JOIN (SELECT pipeline, max(stage_order) AS last_order FROM stages
                                   WHERE NOT is_won AND NOT is_lost GROUP BY pipeline) k ON k.pipeline = s.pipeline
        )
        SELECT r.deal_key, s.pipeline, s.stage, s.stage_order, r.pos, r.moved_at AS entered_at,
               r.day AS entered_on, r.next_at AS exited_at, r.next_day AS exited_on, c.created_on,
               CASE WHEN r.next_no IS NULL THEN {_word("outcome", "open")}
                    WHEN r.next_no = {LOST} THEN {_word("outcome", "lost")}
                    WHEN r.next_no = {REMOVED} THEN {_word("outcome", "removed")}
                    WHEN r.next_no = {WON} AND s.stage_order < s.last_order THEN {_word("outcome", "skipped")}
                    WHEN r.next_no = {WON} THEN {_word("outcome", "advanced")}
                    WHEN n.pipeline <> s.pipeline THEN {_word("outcome", "handed_off")}
                    WHEN n.stage_order = s.stage_order + 1 THEN {_word("outcome", "advanced")}
                    WHEN n.stage_order > s.stage_order THEN {_word("outcome", "skipped")}
                    ELSE {_word("outcome", "moved_back")} END AS outcome,
               CASE WHEN r.prev_no IS NULL THEN {_word("inflow", "starts")}
                    WHEN r.prev_no >= {WON} THEN {_word("inflow", "reopened")}
                    WHEN p.pipeline <> s.pipeline THEN {_word("inflow", "handed_in")}
                    WHEN p.stage_order = s.stage_order - 1 THEN {_word("inflow", "advanced_in")}
                    WHEN p.stage_order < s.stage_order THEN {_word("inflow", "skipped_in")}
                    ELSE {_word("inflow", "moved_back_in")} END AS inflow,
               c.owner, c.team, {segments}, c.is_straight
        FROM runs r
        JOIN carriers c ON c.deal_key = r.deal_key AND c.valid_from <= r.moved_at AND c.valid_to > r.moved_at
        JOIN steps s ON s.stage_no = r.no AND s.last_order IS NOT NULL
        LEFT JOIN steps n ON n.stage_no = r.next_no
        LEFT JOIN steps p ON p.stage_no = r.prev_no
        WHERE r.no < {WON}
        """
    )


def _word(kind: str, word: str) -> str:
    return f"CAST('{word}' AS {kind}_word)"


def _first_visits(session: Session) -> None:
    """First entries only: of most deals the stays themselves; those that wind need a look at what came later."""
    columns = ", ".join(
        (
            "deal_key",
            "pipeline",
            "stage",
            "stage_order",
            "entered_on",
            "created_on",
            "owner",
            "team",
            *_SEGMENTS,
        )
    )
    _winding_visits(session, columns)
    session.run(
        f"""
        CREATE VIEW first_visits AS
        SELECT {columns}, CAST(NULL AS TIMESTAMP) AS removed_at, entered_at AS valid_from, {EVER} AS valid_to,
               exited_at AS ended_at, exited_on AS ended_on,
               CASE outcome WHEN 'advanced' THEN 1 WHEN 'skipped' THEN 1 WHEN 'lost' THEN 2 ELSE 0 END AS cause,
               CASE WHEN pos = stage_order THEN entered_at END AS all_before_at,
               CASE WHEN pos = stage_order THEN entered_on END AS all_before_on
        FROM stays WHERE is_straight
        UNION ALL
        SELECT {columns}, removed_at, valid_from, valid_to, ended_at, ended_on, cause, all_before_at, all_before_on
        FROM winding_visits
        """
    )


def _winding_visits(session: Session, columns: str) -> None:
    """
    First visits of deals that moved back, were re-opened, handed on or removed.

    The first later entry into a later stage of the pipeline, or into won, is the advance. Before it, each loss ends
    a spell and each re-opening begins the next.
    """
    columns = ", ".join(f"f.{name}" for name in columns.split(", "))
    session.run(
        f"""
        CREATE TABLE winding_visits AS
        WITH first AS (
          SELECT e.*, s.stage_no AS no, d.removed_at, count(*) OVER w = e.stage_order AS has_all,
                 max(entered_at) OVER w AS all_at, max(entered_on) OVER w AS all_on
          FROM (SELECT * FROM stays WHERE NOT is_straight
                QUALIFY row_number() OVER (PARTITION BY deal_key, pipeline, stage_order ORDER BY pos) = 1) e
          JOIN stages s ON CAST(s.pipeline AS pipeline_word) = e.pipeline AND s.stage_order = e.stage_order
          JOIN facts d ON d.deal_key = e.deal_key
          WINDOW w AS (PARTITION BY e.deal_key, e.pipeline ORDER BY e.stage_order
                       ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
        ), later AS (
          SELECT r.*, s.pipeline FROM runs r LEFT JOIN stages s ON s.stage_no = r.no
          WHERE r.deal_key IN (SELECT deal_key FROM winding)
        ), advance AS (
          SELECT f.deal_key, f.no, min(l.pos) AS pos
          FROM first f JOIN later l ON l.deal_key = f.deal_key AND l.pos > f.pos
          WHERE l.no = {WON} OR (l.no < {WON} AND l.pipeline = f.pipeline AND l.no > f.no)
          GROUP BY f.deal_key, f.no
        ), starts AS (
          SELECT f.deal_key, f.no, f.pos AS from_pos, f.entered_at AS valid_from FROM first f
          UNION ALL
          SELECT f.deal_key, f.no, l.pos, l.moved_at
          FROM first f JOIN later l ON l.deal_key = f.deal_key AND l.pos > f.pos
          LEFT JOIN advance a ON a.deal_key = f.deal_key AND a.no = f.no
          WHERE l.prev_no >= {LOST} AND l.no <= {WON} AND (a.pos IS NULL OR l.pos <= a.pos)
        ), spells AS (
          SELECT *, lead(from_pos) OVER w AS next_pos, coalesce(lead(valid_from) OVER w, {EVER}) AS valid_to
          FROM starts WINDOW w AS (PARTITION BY deal_key, no ORDER BY from_pos)
        ), ends AS (
          SELECT p.deal_key, p.no, p.from_pos, min(l.pos) AS end_pos
          FROM spells p JOIN later l ON l.deal_key = p.deal_key AND l.pos >= p.from_pos
               AND (p.next_pos IS NULL OR l.pos < p.next_pos)
          LEFT JOIN advance a ON a.deal_key = p.deal_key AND a.no = p.no
          WHERE l.pos = a.pos OR (l.no >= {LOST} AND (a.pos IS NULL OR l.pos < a.pos))
          GROUP BY p.deal_key, p.no, p.from_pos
        )
        SELECT {columns}, f.removed_at, p.valid_from, p.valid_to, e.moved_at AS ended_at, e.day AS ended_on,
               CASE WHEN e.no IS NULL THEN 0 WHEN e.no = {LOST} THEN 2 WHEN e.no = {REMOVED} THEN 0 ELSE 1 END AS cause,
               CASE WHEN f.has_all THEN f.all_at END AS all_before_at,
               CASE WHEN f.has_all THEN f.all_on END AS all_before_on
        FROM spells p JOIN first f ON f.deal_key = p.deal_key AND f.no = p.no
        LEFT JOIN ends x ON x.deal_key = p.deal_key AND x.no = p.no AND x.from_pos = p.from_pos
        LEFT JOIN later e ON e.deal_key = x.deal_key AND e.pos = x.end_pos
        """
    )
