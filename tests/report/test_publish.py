"""Publishing: whole folders or nothing, one run at a time, healed after a kill."""

import os
import stat

import pytest

from salesanalysis.report import publish
from salesanalysis.report.exits import Exit, RunError


def folder(path, **files):
    path.mkdir()
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def texts(path):
    return {file.name: file.read_text() for file in path.iterdir()}


def test_a_folder_takes_the_place_of_another(tmp_path):
    """
    Files of the old folder that the new one lacks are gone; nothing else is left.
    """
    site, target = folder(tmp_path / "site", a="2"), folder(tmp_path / "out", a="1", b="1")

    publish.swap(site, target)

    assert texts(target) == {"a": "2"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_refused_rename_leaves_the_last_good_folder(tmp_path, monkeypatch):
    """
    When the disk refuses the new folder, the old one is back in its place.
    """
    site, target = folder(tmp_path / "site", a="2"), folder(tmp_path / "out", a="1")
    replace = os.replace

    def refuse(source, destination):
        if source == site:
            raise OSError(28, "No space left on device")
        replace(source, destination)

    monkeypatch.setattr(os, "replace", refuse)

    with pytest.raises(OSError, match="No space left"):
        publish.swap(site, target)

    assert texts(target) == {"a": "1"}


def test_a_second_run_is_refused(tmp_path):
    """
    While one run holds a folder, another ends at once with its own exit code.
    """
    with (
        publish.exclusive(tmp_path),
        pytest.raises(RunError, match="another run is making reports") as caught,
        publish.exclusive(tmp_path),
    ):
        pass

    assert caught.value.code == Exit.LOCKED
    with publish.exclusive(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    """
    A file in the place of the folder ends the run with its own exit code.
    """
    (tmp_path / "out").write_text("")

    with (
        pytest.raises(RunError, match="reports cannot be written to") as caught,
        publish.exclusive(tmp_path / "out"),
    ):
        pass

    assert caught.value.code == Exit.NOT_PUBLISHED


def test_a_run_killed_between_the_renames_is_healed(tmp_path):
    """
    An old folder without its successor goes back; one with its successor goes away, as does work.
    """
    folder(tmp_path / ".old-2026-05-31", a="1")
    folder(tmp_path / ".old-2026-06-30", a="1")
    folder(tmp_path / "2026-06-30", a="2")
    folder(tmp_path / ".work-x", a="half")
    (tmp_path / ".work-index.html").write_text("half")

    with publish.exclusive(tmp_path):
        pass

    left = {path.name for path in tmp_path.iterdir()} - {".lock"}
    assert left == {"2026-05-31", "2026-06-30"}
    assert texts(tmp_path / "2026-05-31") == {"a": "1"}
    assert texts(tmp_path / "2026-06-30") == {"a": "2"}


@pytest.mark.skipif(os.name != "posix", reason="file modes are those of POSIX")
def test_work_and_failed_notebooks_are_private(tmp_path):
    """
    Only the owner reads the folder of a run at work and what is kept of a failed one.
    """
    with publish.workspace(tmp_path) as work:
        draft = work / "sales_funnel.ipynb"
        draft.write_text("{}")
        modes = [stat.S_IMODE(work.stat().st_mode)]

        kept = publish.keep_failed(tmp_path, draft, as_of="2026-06-30")

    modes += [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / ".failed", kept)]
    assert modes == [0o700, 0o700, 0o600]
    assert kept == tmp_path / ".failed" / "2026-06-30" / "sales_funnel.ipynb"
    assert not work.exists()
