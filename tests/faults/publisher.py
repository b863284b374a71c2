"""
Publish reports in child processes of one warm process, and break them: kill -9, a disk that refuses, a lock that is held.

    python -m faults.publisher kills ROUNDS SEED      killed at random moments, a line of JSON for each round
    python -m faults.publisher kill_each EVERY        killed before each (second, third …) step of one publication
    python -m faults.publisher refuse_each EVERY      the disk refuses a step
    python -m faults.publisher full_disks EVERY DIR   real disks that are too small; for root
    python -m faults.publisher locks ROUNDS           two at once, and one after a kill

No kernel runs: pages are made from notebooks that are ready. What is judged is what is on the disk.
"""

import errno
import json
import mmap
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from report.tiny import make_notebook, shown

from salesanalysis.present import html
from salesanalysis.report import page, publish, site
from salesanalysis.report.exits import Exit, RunError
from salesanalysis.report.readers import Reader

from .sets import complaints, left_over

REPS = [Reader("rep", f"E-{number}", f"Name {number}") for number in range(3)]
NEW = Reader("rep", "E-9", "Name 9")
TEAM = Reader("team", "T", "Team")
JUNE = "2026-06-30"
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where folders to break stand: kill -9 does not care whether it is a disk, and nobody waits for one."""

EVENTS = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.symlink", "shutil.copyfile"}
"""What Python tells a hook before it asks the system for it; opening to write counts too."""


def ready(stamp):
    """A notebook as a kernel left it; its page and the file beside it say when they were made."""
    notebook = make_notebook()
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    answer = html.answer(message=stamp, truth=[stamp], cards=[{"label": "a", "value": stamp}] * 3)
    notebook.cells[-2].outputs = [shown(answer)]
    notebook.cells[-1].outputs = [shown(html.end())]
    return notebook


def make(out, *, day, suite, stamp, names, reps=(), team=None, files=False):
    """Publish a suite's pages of a day: ``names`` for everyone, and for each rep, the team and the leadership."""
    readers = [*reps, *([team] if team else [])]
    places = [(".", name) for name in names]
    places += [(reader.folder, f"of_{reader.kind}") for reader in readers]
    places += [("leadership", "appraisal")] if readers else []
    dated = out / day
    with publish.exclusive(out), publish.workspace(out) as work:
        before = site.manifests(dated)
        pages = site.kept(before, dated, suite=suite, dropped=None)
        for folder, name in places:
            notebook = ready(f"{stamp} {folder}")
            if files:
                notebook.cells[2].outputs = [
                    shown(html.files("F", {f"{name}.csv": f"a\r\n{stamp}\r\n"}))
                ]
            path = work / "site" / folder / f"{name}.ipynb"
            path.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook, path)
            entry = page.facts(notebook) | {
                "name": name, "suite": suite, "store_sha256": stamp, "built_at": stamp, "version": "1",
                "for": "rep",
            }  # fmt: skip
            pages.setdefault(folder, []).append(site.Page(entry, path))
        facts = {"suite": suite, "title": suite, "store_sha256": stamp, "built_at": stamp,
                 "version": "1", "run": stamp}  # fmt: skip
        known = before.get(".", {}).get("suites", [])
        others = [other for other in known if other["suite"] != suite]
        site.write(
            work / "site",
            dated,
            before=before,
            pages={
                folder: sorted(pages[folder], key=lambda one: one.entry["name"])
                for folder in sorted(pages)
            },
            run={"as_of": day, **facts},
            suites=sorted([facts, *others], key=lambda one: one["suite"]),
            readers=readers,
        )
        publish.commit(work / "site", dated)


def change(chance, number, n_dates):
    """
    Draw what a round does: a suite made again, with fewer readers or pages, a new date, the oldest date removed.

    One date at a time: of several, a run that is killed may have removed some.
    """
    stamp = f"round {number}"
    names = chance.choice([["funnel"], ["funnel", "ranking"]])
    kind = chance.choice(["monthly", "quarterly", "quarterly", "fewer", "new date", "prune"])
    if kind == "prune":
        return lambda out: publish.prune(out, max(2, n_dates - 1))
    if kind == "monthly":
        return lambda out: make(out, day=JUNE, suite="monthly", stamp=stamp, names=names)
    if kind == "new date":
        day = f"2026-{1 + number % 5:02}-28"
        return lambda out: make(out, day=day, suite="quarterly", stamp=stamp, names=["overview"],
                                reps=REPS[:1])  # fmt: skip
    reps = chance.sample(REPS, 1 if kind == "fewer" else 2)
    team = TEAM if chance.random() < 0.7 else None
    return lambda out: make(out, day=JUNE, suite="quarterly", stamp=stamp, names=["overview"], reps=reps,
                            team=team, files=True)  # fmt: skip


def first(out):
    """What a reports folder holds before it is broken: two dates, two suites of one of them."""
    make(out, day="2026-05-31", suite="monthly", stamp="first", names=["funnel"])
    make(out, day=JUNE, suite="monthly", stamp="first", names=["funnel", "ranking"])
    make(out, day=JUNE, suite="quarterly", stamp="first", names=["overview"], reps=REPS, team=TEAM)
    (out / JUNE / REPS[1].folder / "note.txt").write_text("not the runner's")


def tree(out):
    """Everything that is in a reports folder but its lock: bytes of files, targets of links, modes."""
    found = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_symlink():
            found[name] = path.readlink().as_posix()
        elif path.is_file() and name != ".lock":
            found[name] = (path.stat().st_mode, path.read_bytes())
        elif path.is_dir():
            found[name] = path.stat().st_mode
    return found


def mixed(out, old, new):
    """
    Say what a reader sees that is neither the old reports nor the new ones.

    Each index, manifest and list is byte for byte the old or the new one, and each set that one of them names is
    there with exactly its files.
    """
    found = []
    for path in [*out.glob("index.html"), *out.glob("latest"), *out.glob("[0-9]*/**/*")]:
        name = path.relative_to(out).as_posix()
        if "/." in name or (path.is_dir() and not path.is_symlink()):
            continue
        data = (
            path.readlink().as_posix()
            if path.is_symlink()
            else (path.stat().st_mode, path.read_bytes())
        )
        if data not in (old.get(name), new.get(name)):
            found.append(f"{name} is neither old nor new")
    for name in {name for name in (*old, *new) if name.endswith("manifest.json")}:
        if not (out / name).is_file():
            continue
        folder = (out / name).parent
        for shown_, whose in (
            (folder / "index.html", "index"),
            (folder / "manifest.json", "manifest"),
        ):
            if not shown_.is_file():
                continue
            state = next(
                (state for state in (old, new)
                 if state.get(shown_.relative_to(out).as_posix(), (0, b""))[1] == shown_.read_bytes()), None
            )  # fmt: skip
            if state is None:
                continue
            set_ = json.loads(state[name][1])["set"]
            start = (folder / str(set_)).relative_to(out).as_posix() + "/"
            expected = {key: value for key, value in state.items() if key.startswith(start)}
            here = tree(folder / str(set_)) if set_ else {}
            if {start + key: value for key, value in here.items()} != expected:
                found.append(f"{folder}: the set of its {whose} is not whole")
    return found


class Steps:
    """Steps of a child, counted where its parent can see them."""

    def __init__(self):
        self._shared = mmap.mmap(-1, 16)

    def clear(self):
        """Begin anew."""
        self._shared[:] = bytes(16)

    @property
    def n(self):
        """Steps so far."""
        return int.from_bytes(self._shared[:8], "little")

    @property
    def published(self):
        """The step at which there was no way back; 0 if there was none."""
        return int.from_bytes(self._shared[8:], "little")

    def watch(self, at_step=lambda number, event: None):
        """In a child: count, and do something before each step; a hook stays for the rest of the process."""
        pid, fsync = os.getpid(), os.fsync
        self.clear()

        def hook(event, given):
            if event == "open":
                is_step = given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            else:
                is_step = event in EVENTS
            if is_step and os.getpid() == pid:
                name = Path(given[1]).name if event == "os.rename" else ""
                if re.match(r"(\.next-)?20\d\d-", name) and not self.published:
                    self._shared[8:] = self._shared[:8]
                self._step(event, at_step)

        def counted(descriptor):
            self._step("os.fsync", at_step)
            fsync(descriptor)

        sys.addaudithook(hook)
        os.fsync = counted

    def _step(self, event, at_step):
        number = self.n
        self._shared[:8] = (number + 1).to_bytes(8, "little")
        at_step(number, event)


def child(do):
    """Do something in a child process; it ends with the exit code of a run."""
    pid = os.fork()
    if pid:
        return pid
    try:
        do()
        os._exit(0)
    except RunError as error:
        os._exit(error.code)
    except OSError:  # a run makes this of it
        os._exit(Exit.NOT_PUBLISHED)
    finally:
        os._exit(Exit.UNEXPECTED)


def ended(pid):
    """How a child ended: its exit code, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def n_steps(do, steps):
    """Count the steps of something that is not broken."""

    def watched():
        steps.watch()
        do()

    assert ended(child(watched)) == 0
    return steps.n


def phase(out, old, new):
    """Tell from the disk how far publishing had come."""
    laid = [path.name for path in out.glob("[0-9]*/**/.next-*")]
    if any(out.glob(".next-*")):
        if not laid:
            return "sweeping"
        for names, what in (
            (("manifest.json",), "sets or manifests"),
            (("index.html",), "indexes"),
        ):
            if any(name.endswith(names) for name in laid):
                return what
        return "sets or manifests"
    if laid or any(out.glob(".work-2*")):
        return "laying"
    now = tree(out)
    if any(out.glob(".work-*")):
        return (
            "writing"
            if {k: v for k, v in now.items() if not k.startswith(".work-")} == old
            else "done, clearing"
        )
    return "nothing done" if now == old else "done" if now == new else "showing"


def healed(out, do, old, new, *, is_again):
    """Run again, or only take the lock, and say what is wrong then; all or nothing holds exactly."""
    was_published = any(out.glob(".next-*"))
    if is_again:
        do(out)
        allowed = [new]
    else:
        with publish.exclusive(out):
            pass
        allowed = [new] if was_published else [old, new]
    now = tree(out)
    found = complaints_of(out) + left_over(out)
    if now not in allowed:
        differing = sorted({*now.items()} ^ {*allowed[-1].items()}, key=str)
        found.append(f"healed to neither: {[name for name, _ in differing][:9]}")
    for left in out.rglob(".*"):
        if left.name != ".lock":
            found.append(f"{left} is left over")
    return found


def complaints_of(out):
    """Everything that is wrong with a folder that nobody publishes to."""
    return complaints(out) + [wrong for day in out.glob("20*") for wrong in publish.check(day)]


def kills(rounds, seed):
    """Kill a child at a random moment, look, heal, look again; half of the moments are after the point of no return."""
    chance, steps = random.Random(seed), Steps()
    with tempfile.TemporaryDirectory(dir=MEMORY) as root:
        out, twin = Path(root, "out"), Path(root, "twin")
        first(out)
        number = done = 0
        while done < rounds:
            number += 1
            do = change(chance, number, len(list(out.glob("20*"))))
            old = tree(out)
            _copy(out, twin)
            n = n_steps(lambda do=do: do(twin), steps)
            new, begin = tree(twin), steps.published if number % 2 else 0
            code = _killed(
                lambda do=do: do(out),
                steps,
                chance.randrange(begin, n),
                chance.expovariate(1 / 0.0001),
            )
            if code == 0:  # it was faster
                continue
            done += 1
            facts = {"step": steps.n, "of": n, "phase": phase(out, old, new)}
            wrong = [] if code == -signal.SIGKILL else [f"the child ended with {code}"]
            wrong += mixed(out, old, new) + complaints(out)
            tell(**facts, wrong=wrong + healed(out, do, old, new, is_again=done % 4 < 2))


def _copy(source, target):
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True)


def _killed(do, steps, step, seconds):
    """Kill a child some time after it took so many steps."""

    def watched():
        steps.watch()
        do()

    steps.clear()
    pid = child(watched)
    while steps.n <= step and not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        pass
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass
    os.kill(pid, signal.SIGKILL)
    return ended(pid)


def large(out):
    """One publication with everything: a rep is new, two are dropped, all other pages are made again."""
    make(out, day=JUNE, suite="quarterly", stamp="second", names=["overview", "more"], reps=[REPS[0], NEW],
         team=TEAM, files=True)  # fmt: skip


def prepared(root, do=large):
    """A folder to break, what it holds before and after, and how many steps lie between."""
    base, twin, steps = root / "base", root / "twin", Steps()
    first(base)
    _copy(base, twin)
    n = n_steps(lambda: do(twin), steps)
    return base, tree(base), tree(twin), n, steps


def kill_each(every):
    """End a child before each step that it takes: before a rename, a new folder, opening a file, each flush."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as root:
        base, old, new, n, steps = prepared(Path(root))
        out = Path(root, "out")
        for step in range(0, n, every):
            _copy(base, out)

            def watched(step=step):
                steps.watch(
                    lambda number, _: (
                        os.kill(os.getpid(), signal.SIGKILL) if number == step else None
                    )
                )
                large(out)

            code = ended(child(watched))
            facts = {"step": step, "of": n, "phase": phase(out, old, new)}
            wrong = [] if code == -signal.SIGKILL else [f"the child ended with {code}"]
            wrong += mixed(out, old, new) + complaints(out)
            tell(
                **facts, wrong=wrong + healed(out, large, old, new, is_again=step // every % 2 == 0)
            )


NEEDS_SPACE = {"open", "os.mkdir", "os.symlink", "shutil.copyfile", "os.fsync"}
REFUSALS = {  # what the disk says, and which of the steps that come after the first are refused too
    "one error": (errno.EIO, lambda event: False),
    "full": (errno.ENOSPC, lambda event: event in NEEDS_SPACE),
    "over quota": (errno.EDQUOT, lambda event: event in NEEDS_SPACE),
    "read-only": (errno.EROFS, lambda event: True),
}


def refuse_each(every):
    """Let the disk refuse each step, and, depending on why, those after it."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as root:
        base, old, new, n, steps = prepared(Path(root))
        out = Path(root, "out")
        for number, step in enumerate(range(0, n, every)):
            for why, (code, is_refused) in REFUSALS.items():
                _copy(base, out)

                def at_step(number, event, step=step, code=code, is_refused=is_refused):
                    if number == step or (number > step and is_refused(event)):
                        raise OSError(code, os.strerror(code))

                def watched(at_step=at_step):
                    steps.watch(at_step)
                    large(out)

                code = ended(child(watched))
                tell(
                    why=why,
                    step=step,
                    of=n,
                    **_after_refusal(out, code, old, new, is_again=number % 2 == 0),
                )


def _after_refusal(out, code, old, new, *, is_again):
    """What is wrong after a run that the disk refused something."""
    facts = {"code": code, "phase": phase(out, old, new)}
    now = {name: value for name, value in tree(out).items() if "/." not in f"/{name}"}
    wrong = mixed(out, old, new) + complaints(out)
    if code not in (0, 6):
        wrong.append(f"the exit code is {code}")
    if code == 0 and any(now.get(name) != new[name] for name in new):
        wrong.append("the exit code is 0, but not all is published")
    if code == 6 and now != old and not any(out.glob(".next-*")):
        wrong.append("the exit code is 6, but it is not the old reports that are published")
    return facts | {"wrong": wrong + healed(out, large, old, new, is_again=is_again)}


def full_disks(every, folder):
    """
    Publish to real small disks: with so many KB left, so many files left, a limit of the size of files, read-only.

    ``folder`` is where a disk in memory is mounted; only root may do so.
    """
    disk = Path(folder)
    mounted = ["mount", "-t", "tmpfs", "-o", "size=4m,nr_inodes=4k", "tmpfs", str(disk)]
    subprocess.run(mounted, check=True)
    try:
        with tempfile.TemporaryDirectory(dir=MEMORY) as root:
            base, old, new, _, _ = prepared(Path(root))
            out, filler = disk / "out", disk / "filler"
            kinds = [("KB", kb) for kb in range(0, 400, 4)] + [
                ("files", n) for n in range(0, 120, 3)
            ]
            kinds += [("bytes a file", size) for size in range(0, 12_000, 500)] + [("read-only", 0)]
            for number, (kind, left) in enumerate(kinds):
                if number % every and kind != "read-only":
                    continue
                _copy(base, out)

                def limited(kind=kind, left=left):
                    if kind == "bytes a file":
                        resource.setrlimit(resource.RLIMIT_FSIZE, (left, left))
                    large(out)

                _fill(filler, kind, left)
                if kind == "read-only":
                    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
                code = ended(child(limited))
                if kind == "read-only":
                    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
                _fill(filler, None, 0)
                tell(
                    why=kind,
                    left=left,
                    **_after_refusal(out, code, old, new, is_again=number % 2 == 0),
                )
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def _fill(filler, kind, left):
    """Leave so much of the disk that the filler is on."""
    shutil.rmtree(filler, ignore_errors=True)
    filler.mkdir()
    state = os.statvfs(filler)
    if kind == "KB":
        (filler / "all").write_bytes(bytes(state.f_bavail * state.f_frsize - left * 1024))
    if kind == "files":
        for number in range(state.f_ffree - left):
            (filler / f"{number}").touch()


def locks(rounds):
    """Two begin at once: one holds the lock, the other ends; what is killed while it holds it holds it no longer."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as root:
        out = Path(root, "out")
        for number in range(rounds):
            told, tell_ = os.pipe()
            go_on, let_go = os.pipe()

            def hold(tell_=tell_, go_on=go_on):
                with publish.exclusive(out):
                    os.write(tell_, b"%7d" % os.getpid())
                    os.read(go_on, 1)

            both = {child(hold), child(hold)}
            winner = int(os.read(told, 7))
            [loser] = both - {winner}
            wrong = [] if (code := ended(loser)) == 5 else [f"the second run ended with {code}"]
            if number % 2:
                os.kill(winner, signal.SIGKILL)
                ended(winner)
            else:
                os.write(let_go, b"x")
                wrong += (
                    [] if (code := ended(winner)) == 0 else [f"the first run ended with {code}"]
                )
            os.write(let_go, b"x")
            if (code := ended(child(hold))) != 0:
                wrong.append(f"a run after it ended with {code}")
            for descriptor in (told, tell_, go_on, let_go):
                os.close(descriptor)
            tell(killed=number % 2, wrong=wrong)


def tell(**facts):
    """One line for each round."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    os.environ["SALESANALYSIS_ID_KEY"] = "a key of folders"
    modes = {"kills": kills, "kill_each": kill_each, "refuse_each": refuse_each, "full_disks": full_disks,
             "locks": locks}  # fmt: skip
    modes[sys.argv[1]](*(int(text) if text.isdigit() else text for text in sys.argv[2:]))
