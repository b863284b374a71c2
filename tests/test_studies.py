"""The studies run, count shares, and their page can be written; what they find is in docs/studies.md."""

import sys

import pytest
from export import ROOT


@pytest.fixture(scope="module")
def studies():
    """The modules of the folder `studies`."""
    sys.path.insert(0, str(ROOT / "studies"))
    import change
    import run

    yield run, change
    sys.path.remove(str(ROOT / "studies"))


@pytest.mark.parametrize("name", ["conversion", "forecast", "lever", "reps"])
def test_a_study_counts_shares_and_has_its_chapter(studies, name):
    """
    With a handful of runs every share lies between 0 and 1, and the chapter has a row for each setting.
    """
    run, _ = studies
    tables = run.STUDIES[name](0.0, ROOT / "no such folder")
    shares = [column for column in tables["table"] if "coverage" in column or column == "is_top"]

    chapter = run.WRITERS[name](tables)

    assert shares
    assert tables["table"][shares].ge(0).all(axis=None)
    assert tables["table"][shares].le(1).all(axis=None)
    assert chapter.startswith("## ") and chapter.count("\n| ") == len(tables["table"]) + 2


def test_a_changed_and_an_unchanged_company_are_judged(studies):
    """
    The first company of each kind: the true change is found on every day, and nothing where nothing changed.
    """
    run, change = studies
    null, real = (change._company((change.FIRST_SEED, changed)) for changed in (False, True))
    tables = {
        "null": change.summary(null),
        "real": change.summary(real),
        "null_by_measure": change.by_measure(null),
        "real_by_measure": change.by_measure(real),
        "null_inside": change.truth_inside(null, changed=False),
        "real_inside": change.truth_inside(real, changed=True),
    }

    assert tables["null"]["as_of"].tolist() == list(change.DAYS)
    assert tables["null"]["any_changed"].tolist() == [0, 0, 0]
    assert tables["real"]["cycle_against_control"].tolist() == [1, 1, 1]
    assert tables["null"]["naive_shorter"].tolist()[:2] == [
        1,
        1,
    ]  # the dashboard says so all the same
    assert "| 2025-11-30 |" in run.WRITERS["change"](tables)


def test_without_the_public_data_the_look_back_says_so(studies):
    """
    The project runs where they are not.
    """
    run, _ = studies

    chapter = run.WRITERS["history"](run.STUDIES["history"](1.0, ROOT / "no such folder"))

    assert "the public data sets are not there" in chapter
