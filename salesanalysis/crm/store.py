"""The store: the one module that knows the engine (an embedded DuckDB file)."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from salesanalysis.crm.errors import InputRefused

FORMAT = "2"  # of the store's own tables; a store of another format is loaded again


class Session:
    """One connection; statements in, nothing, rows or frames out."""

    def __init__(self, connection: duckdb.DuckDBPyConnection):
        self._connection = connection
        self.run("SET TimeZone = 'UTC'")
        # It would print into a page's notebook; in a kernel that cannot show it, it is off and cannot be set.
        if self.one("SELECT current_setting('enable_progress_bar')"):
            self.run("SET enable_progress_bar = false")

    def run(self, sql: str, parameters: tuple = ()) -> None:
        """Run a statement and finish it."""
        self._connection.execute(sql, list(parameters)).fetchall()

    def rows(self, sql: str, parameters: tuple = ()) -> list[tuple]:
        """Rows of a query as tuples of Python values."""
        return self._connection.execute(sql, list(parameters)).fetchall()

    def one(self, sql: str, parameters: tuple = ()):
        """The single value of a query of one row and one column."""
        return self.rows(sql, parameters)[0][0]

    def frame(self, sql: str, parameters: tuple = ()) -> pd.DataFrame:
        """Rows of a query as a frame: dates as datetime64 at midnight, decimals as floats."""
        table = self._connection.sql(sql, params=list(parameters)).to_arrow_table()
        frame = pd.DataFrame(
            {
                name: _series(column)
                for name, column in zip(table.column_names, table.columns, strict=True)
            }
        )
        return frame if len(frame) else frame.reset_index(drop=True)

    def append(self, table: str, batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> None:
        """Create a table from Arrow batches without holding them all."""
        reader = pa.RecordBatchReader.from_batches(schema, batches)
        self._connection.register("incoming", reader)
        self.run(f"CREATE TABLE {quoted(table)} AS SELECT * FROM incoming")
        self._connection.unregister("incoming")

    def types(self, relation: str) -> dict[str, str]:
        """Column names and engine types of a table, view or table function."""
        return {row[0]: row[1] for row in self.rows(f"DESCRIBE SELECT * FROM {relation}")}

    def beside(self) -> "Session":
        """Give a session on the same files with no views yet; the files are released when the last one is closed."""
        session = Session(self._connection.cursor())
        name = quoted(uuid.uuid4().hex)
        session.run(f"CREATE SCHEMA memory.{name}")
        session.run(f"USE memory.{name}")
        return session

    def close(self) -> None:
        """Release the file."""
        self._connection.close()


def _series(column: pa.ChunkedArray) -> pd.Series:
    kind = column.type
    if pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    elif pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    elif pa.types.is_date(kind):
        column = column.cast(pa.timestamp("s"))
    elif pa.types.is_integer(kind) and column.null_count:
        column = column.cast(pa.float64())
    return column.to_pandas()


def quoted(name: str) -> str:
    """
    Quote an identifier.

    >>> quoted('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str | None) -> str:
    """
    Quote a text for statements that take no bound parameters.

    >>> literal("it's")
    "'it''s'"
    """
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


@contextmanager
def new_store(path: Path) -> Iterator[Session]:
    """Build a store beside `path` and put it in place only when everything went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{path.name}.*"):
        _remove(left)
    work = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}"
    session = Session(duckdb.connect(str(work), config=_limits(path.parent)))
    try:
        yield session
        session.run("CHECKPOINT")
        session.close()
        os.replace(work, path)
    finally:
        session.close()
        for left in (work, Path(f"{work}.wal")):
            _remove(left)


def _limits(folder: Path) -> dict[str, str]:
    # A load is not slower for spilling: with 600 MB it takes half the peak and the same time as with 10 GB.
    return {
        "temp_directory": str(folder / ".duckdb_temp"),
        "max_temp_directory_size": "20GB",
        "memory_limit": "600MB",
        "preserve_insertion_order": "false",
    }


def _remove(path: Path) -> None:
    if path.is_file():
        path.unlink()


def open_store(path: Path) -> Session:
    """
    Open a store read-only behind an empty session of one's own.

    The store's tables are in the schema ``store``; the session's own views shadow nothing.
    """
    if not path.is_file():
        raise InputRefused(
            f"the store {path} must exist, but there is no such file; make one with "
            "`salesanalysis load SOURCE --mapping FILE --into STORE`"
        )
    session = Session(duckdb.connect(":memory:"))
    session.run(
        "SET disabled_optimizers = 'build_side_probe_side'"
    )  # joins are written big table first
    try:
        session.run(f"ATTACH {literal(str(path))} AS file (READ_ONLY)")
        found = session.rows("SELECT value FROM file.about WHERE key = 'format'")
    except duckdb.Error as error:
        session.close()
        raise InputRefused(f"{path} is not a store of this project: {error}") from error
    if found != [(FORMAT,)]:
        session.close()
        raise InputRefused(
            f"the store {path} has format {found}, this version reads {FORMAT}: load it again"
        )
    return session
