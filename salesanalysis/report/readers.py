"""
For whom a page is: everyone who may open the folder of a date, one rep, one team, the leadership.

Each rep and each team has a folder of its own, so that it can be given an access of its own. Names
of folders and files carry no names of people: `opaque_id` makes them from an id and a key.
"""

import hashlib
import hmac
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from salesanalysis.report.exits import Exit, RunError

KEY = "SALESANALYSIS_ID_KEY"
"""
The environment variable with the key of folder names. Without it the key is empty, and whoever
knows an employee number can work out the name of its folder.
"""

EVERYONE = "."
"""Folder, in that of a date, of the pages that are for no one in particular: that of the date."""

LEADERSHIP = "leadership"
"""Folder of the leadership's pages, and the word for them in a suite."""

KINDS = ("rep", "team")
"""Who has a folder of their own; the parameter of their notebooks has the same name."""

Audiences = Callable[[Path, str, Path | None], Mapping[str, Sequence[tuple[str, ...]]]]
"""
Says who the people are: takes the store, the as-of date and the process file (None without one),
gives ``{"rep": [(id, name, team), …], "team": [(id, name), …]}``; a team that is not known is "".
"""


@dataclass(frozen=True)
class Reader:
    """One rep or team."""

    kind: str
    id: str
    name: str
    team: str = ""

    @property
    def folder(self) -> str:
        """The folder of the pages for this reader, in that of a date."""
        return f"{self.kind}s/{opaque_id(self.kind, self.id)}"


def opaque_id(kind: str, id_: str) -> str:
    """
    Name a rep or team so that the name says nothing without the key, on every date the same.

    Returns
    -------
    str
        The first 12 hexadecimal digits of the HMAC-SHA256 of kind and id under the key in `KEY`.

    Examples
    --------
    >>> opaque_id("rep", "007") == opaque_id("team", "007")
    False
    """
    key = os.environ.get(KEY, "").encode()
    return hmac.new(key, f"{kind}\0{id_}".encode(), hashlib.sha256).hexdigest()[:12]


def key_mark() -> str:
    """Tell keys of folder names apart without telling the key."""
    return opaque_id("", "")


def read(
    audiences: Audiences | None, kinds: Sequence[str], *given: Path | str | None
) -> dict[str, list[Reader]]:
    """
    Ask who the readers of each kind are.

    Parameters
    ----------
    audiences : callable
        As `Audiences` says; not asked if there are no kinds.
    kinds : sequence of str
        Those of `KINDS` that a suite has pages for.
    *given
        What ``audiences`` takes.

    Raises
    ------
    RunError
        Code USAGE: nobody can say who they are, or two have one folder. Code INPUT_REFUSED: there
        is none of a kind.
    """
    if not kinds:
        return {}
    if audiences is None:
        raise RunError(
            f"who each {' and '.join(kinds)} is must be given as audiences, but is not",
            Exit.USAGE,
        )
    found = audiences(*given)
    readers = {kind: [Reader(kind, *facts) for facts in found.get(kind, ())] for kind in kinds}
    for kind, those in readers.items():
        if not those:
            raise RunError(
                f"pages for each {kind} need at least one {kind}, but the data name none as of "
                f"{given[1]}; load people with their {kind}s, or take these pages out of the suite",
                Exit.INPUT_REFUSED,
            )
        folders = [reader.folder for reader in those]
        if len(set(folders)) < len(folders):
            raise RunError(
                f"each {kind} must have an id of its own, but of {len(folders)} ids "
                f"{len(folders) - len(set(folders))} come again; correct the people",
                Exit.USAGE,
            )
    return readers
