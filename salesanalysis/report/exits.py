"""How a run can end: the exit codes of the command line, and the error that carries one."""

from enum import IntEnum


class Exit(IntEnum):
    """What the exit code of ``salesanalysis`` says to a scheduler."""

    PUBLISHED = 0
    UNEXPECTED = 1
    USAGE = 2  # wrong usage, or a parameter refused
    INPUT_REFUSED = 3  # the data break their contract, are missing, or are too old
    PARTLY = 4  # some reports failed, the others are published
    LOCKED = 5  # another run is at work
    NOT_PUBLISHED = 6  # publishing failed; the last good reports are kept
    TRY_LATER = 75
    TIMEOUT = 124
    INTERRUPTED = 130
    KERNEL_DIED = 138
    TERMINATED = 143


class RunError(Exception):
    """
    A run that did not publish every page.

    Parameters
    ----------
    message : str
        One paragraph: what must hold, what was found, where, what to do.
    code : Exit
        The exit code of the command line.
    """

    def __init__(self, message: str, code: Exit) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple:
        """Go to another process whole."""
        return RunError, (str(self), self.code)
