"""Read source files strictly as text: every record is kept or refused with its line."""

import csv
import itertools
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from salesanalysis.crm.errors import InputRefused
from salesanalysis.crm.store import Session, literal, quoted

BATCH = 50_000
LINE = "_line"  # line of the file on which a record ends (of a Parquet file: its row)
_LONGEST_CELL = 1_000_000


def read_file(
    session: Session, path: Path, *, encoding: str | None, delimiter: str, into: str
) -> dict:
    """
    Bring one CSV or Parquet file into a table, unconverted.

    Parameters
    ----------
    session : Session
        Where table `into` is made: the file's columns as text (Parquet: as typed there) and ``_line``.
    path : Path
        ``.parquet`` is read as such, anything else as CSV.
    encoding : str or None
        None tries UTF-8 (with or without mark), then GB18030; the result says which.
    delimiter : str
        One character.

    Returns
    -------
    dict
        ``columns`` (list of text), ``n_in`` (records), ``refused`` (list of line, reason, text), ``encoding``.

    Raises
    ------
    InputRefused
        No such file, not decodable, no header, header names empty or twice, or quotes that never close.
    """
    if not path.is_file():
        raise InputRefused(f"{path} must be a file; there is none")
    if path.suffix == ".parquet":
        return _read_parquet(session, path, into)
    encoding = encoding or _guess(path)
    refused: list[tuple[int, str, str]] = []
    count = itertools.count()
    try:
        with path.open(
            encoding="utf-8-sig" if _is_utf8(encoding) else encoding, newline=""
        ) as lines:
            records = csv.reader(_without_nul(lines, path), delimiter=delimiter, strict=True)
            csv.field_size_limit(_LONGEST_CELL)
            columns = _header(next(records, []), path)
            schema = pa.schema([(name, pa.string()) for name in columns] + [(LINE, pa.int64())])
            failures: list[Exception] = []
            session.append(into, _kept(_batches(records, schema, refused, count), failures), schema)
            for failure in failures:
                raise failure
    except UnicodeDecodeError as error:
        raise InputRefused(
            f"{path.name} must be {encoding} text, but byte {error.start} does not decode ({error.reason}); "
            "declare the right `encoding` in the mapping file"
        ) from error
    except csv.Error as error:
        raise InputRefused(
            f"{path.name}, line {records.line_num}: not readable as CSV with delimiter {delimiter!r} ({error}); "
            "correct the quotes on that line, or those that begin before it"
        ) from error
    return {"columns": columns, "n_in": next(count), "refused": refused, "encoding": encoding}


def _kept(batches: Iterator[pa.RecordBatch], failures: list[Exception]) -> Iterator[pa.RecordBatch]:
    """Keep what goes wrong while the engine pulls; it would wrap it in an error of its own."""
    try:
        yield from batches
    except (csv.Error, UnicodeDecodeError, InputRefused) as failure:
        failures.append(failure)


def _batches(records, schema, refused, count) -> Iterator[pa.RecordBatch]:
    width = len(schema) - 1
    while chunk := list(itertools.islice(((row, records.line_num) for row in records), BATCH)):
        good = []
        for row, line in chunk:
            next(count)
            if len(row) == width:
                good.append((*row, line))
            else:
                reason = "wrong_field_count" if row else "empty_row"
                refused.append((line, reason, f"{len(row)} fields, header has {width}"))
        columns = zip(*good, strict=True) if good else [[]] * len(schema)
        yield pa.record_batch(
            [pa.array(column, kind.type) for column, kind in zip(columns, schema, strict=True)],
            schema=schema,
        )


def _header(cells: list[str], path: Path) -> list[str]:
    names = [unicodedata.normalize("NFC", cell).strip(" \t\u3000\u200b\ufeff") for cell in cells]
    if not names or not any(names):
        raise InputRefused(f"{path.name} must begin with a header line; the first line is empty")
    if "" in names:
        raise InputRefused(
            f"{path.name}: column {names.index('') + 1} of the header has no name; found {names}"
        )
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputRefused(
            f"{path.name}: the header names {twice} stand twice; each must stand once"
        )
    if LINE in names:
        raise InputRefused(f"{path.name}: the column name {LINE} is reserved; rename it")
    return names


def _without_nul(lines, path: Path):
    for number, line in enumerate(lines, start=1):
        if "\0" in line:
            raise InputRefused(
                f"{path.name}, line {number}: holds a NUL character; is the file UTF-16, or cut?"
            )
        yield line


def _is_utf8(encoding: str) -> bool:
    return encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig")


def _guess(path: Path) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            with path.open(encoding=encoding) as lines:
                for _ in lines:
                    pass
        except UnicodeDecodeError:
            continue
        return encoding
    raise InputRefused(
        f"{path.name} is neither UTF-8 nor GB18030; declare its `encoding` in the mapping file"
    )


def _read_parquet(session: Session, path: Path, into: str) -> dict:
    relation = f"read_parquet({literal(str(path))}, file_row_number = true)"
    session.run(
        f"CREATE VIEW {quoted(into)} AS SELECT * EXCLUDE (file_row_number), file_row_number + 1 AS {LINE} "
        f"FROM {relation}"
    )
    columns = [name for name in session.types(quoted(into)) if name != LINE]
    n_in = session.one(f"SELECT count(*) FROM read_parquet({literal(str(path))})")
    return {"columns": columns, "n_in": n_in, "refused": [], "encoding": "parquet"}
