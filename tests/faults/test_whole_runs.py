"""R1, whole runs: killed at a random moment, the last complete set opens, nothing stays alive, the next run heals."""

import random
import signal
import sys
import time

import pytest
from export import ROOT

from salesanalysis.report.exits import Exit

from .processes import begin, done, left_alive
from .projects import project
from .sets import complaints, dates, left_over, pages

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

EPOCH = 1_783_000_000
ENDS = {  # what may be seen of a run that was sent a signal
    signal.SIGINT: {
        Exit.INTERRUPTED,
        -signal.SIGINT,
        Exit.PUBLISHED,
    },  # before the command line listens
    signal.SIGKILL: {-signal.SIGKILL, Exit.PUBLISHED},
    signal.SIGTERM: {Exit.TERMINATED, -signal.SIGTERM, Exit.PUBLISHED},
}


class Runs:
    """Runs of one suite into one folder; each differs by the time of building, so each makes another set."""

    def __init__(self, out, *arguments):
        self.out, self.arguments, self.n_begun = out, arguments, 0
        self.seconds = self.seconds_publishing = 0.0  # that the last complete run took

    def _options(self, as_of):
        self.n_begun += 1
        stamp = {"SOURCE_DATE_EPOCH": str(EPOCH + 60 * self.n_begun)}
        return ("run", *self.arguments, "--out", self.out, "--as-of", as_of), {"env": stamp}

    def complete(self, as_of):
        """Make a date whole; everything is well afterwards, and nothing is left over."""
        arguments, options = self._options(as_of)
        run, began, said, times = begin(*arguments, **options), time.monotonic(), [], []
        for line in run.stderr:
            said.append(line)
            times.append(time.monotonic())
        assert run.wait(timeout=60) == Exit.PUBLISHED, b"".join(said).decode()
        run.communicate()
        self.seconds = time.monotonic() - began
        self.seconds_publishing = time.monotonic() - times[-1]
        assert complaints(self.out) == []
        assert left_over(self.out) == []
        assert as_of in dates(self.out)

    def end_early(self, as_of, sent, *, seconds, after=None):
        """
        Send a run a signal after some seconds, counted from a text on stderr if there is one.

        Gives whether the run had published when it ended.
        """
        before = pages(self.out)
        arguments, options = self._options(as_of)
        run = begin(*arguments, **options)
        said = b""
        while after is not None and after not in said:
            line = run.stderr.readline()
            assert line, said.decode()
            said += line
        time.sleep(seconds)
        run.send_signal(sent)
        _, rest = run.communicate(timeout=60)

        assert run.returncode in ENDS[sent], (run.returncode, (said + rest).decode())
        assert left_alive(run.mark) == []
        assert complaints(self.out) == []
        is_new = pages(self.out) != before
        assert set(before) <= set(pages(self.out))
        assert is_new or run.returncode != Exit.PUBLISHED
        return is_new


@pytest.mark.parametrize(
    ("sent", "rounds"),
    [(signal.SIGKILL, {"short": 3, "full": 50}), (signal.SIGINT, {"short": 0, "full": 20}),
     (signal.SIGTERM, {"short": 0, "full": 20})],
    ids=["KILL", "INT", "TERM"],
)  # fmt: skip
def test_a_run_ended_at_any_moment_leaves_the_last_good_reports(tmp_path, n, record, sent, rounds):
    """
    Half of the signals come at any moment of the run, half while it publishes; now and then the date is a new one.
    """
    rounds = n(**rounds) or pytest.skip("only with --full")
    chance = random.Random(sent)
    runs = Runs(tmp_path / "out", project(tmp_path / "project").suite)
    runs.complete("2026-06-30")
    n_new = 0
    for number in range(rounds):
        as_of = f"2026-{1 + number % 5:02}-28" if number % 8 in (3, 6) else "2026-06-30"
        if number % 2:
            moment = {"seconds": chance.uniform(0, runs.seconds)}
        else:
            moment = {"seconds": chance.uniform(0, runs.seconds_publishing), "after": b"[2/2]"}
        n_new += runs.end_early(as_of, sent, **moment)
        if rounds > 3 or number == rounds - 1:
            runs.complete(as_of)
    record("R1", f"{sent.name} to a whole run, any moment", rounds,
           f"0 half, 0 mixed, 0 alive; {n_new} had published; {rounds} × healed")  # fmt: skip


def test_the_monthly_suite_is_killed_at_any_moment(tmp_path, n, record):
    """
    All notebooks of the project on a small company, with pages for reps, teams and leadership.
    """
    rounds = n(short=0, full=4) or pytest.skip("only with --full")
    store = tmp_path / "crm.duckdb"
    for arguments in (
        ("sample", "--deals", 300, "--into", tmp_path / "sample"),
        (
            "load",
            tmp_path / "sample",
            "--mapping",
            ROOT / "params/sources/sample.yaml",
            "--into",
            store,
        ),
    ):
        assert done(*arguments).returncode == 0
    chance = random.Random(4)
    runs = Runs(tmp_path / "out", ROOT / "params/monthly.yaml", "--crm", store)
    runs.complete("2026-06-30")
    n_new = 0
    for _ in range(rounds):
        n_new += runs.end_early(
            "2026-06-30", signal.SIGKILL, seconds=chance.uniform(0, runs.seconds)
        )
    runs.complete("2026-06-30")
    record("R1", "kill -9 of the monthly suite, any moment", rounds,
           f"0 half, 0 mixed, 0 alive; {n_new} had published; healed at the end")  # fmt: skip
