"""The gate: how late is too late, what the message says, and that only what was observed is reported."""

from datetime import date, timedelta

import pytest

from salesanalysis.report import freshness
from salesanalysis.report.exits import Exit, RunError

ABOUT = {"source": "Sample", "extracted_on": date(2026, 6, 30), "first_on": date(2024, 7, 1)}
AS_OF = date(2026, 6, 30)


def every(n_days, until=AS_OF, times=5):
    """Days with records, always so many days apart, the last one given."""
    return [until - timedelta(days=n_days * n) for n in reversed(range(times))]


@pytest.mark.parametrize(
    ("days", "given", "expected"),
    [
        ([], None, 10),
        ([AS_OF], None, 10),
        (every(1), None, 10),
        (every(10), None, 10),
        (every(11), None, 11),
        (every(31), None, 31),
        (every(31, times=2), None, 10),  # one gap is no rhythm
        (every(31, times=3), None, 31),
        ([*every(1, date(2026, 4, 30)), *every(1)], None, 10),  # one interruption of 57 days
        ([*every(14, date(2026, 3, 31)), *every(1)], None, 14),
        (every(31), 5, 5),
        (every(1), 40, 40),
        (every(1), 0, 0),
    ],
)
def test_a_source_may_be_as_late_as_it_often_is(days, given, expected):
    """At least ten days; the second-longest gap, where that is more; what the suite says holds alone."""
    assert freshness.allowed(days, given) == expected


@pytest.mark.parametrize(
    ("newest", "days", "is_late"),
    [
        ("2026-06-30", 0, False),
        ("2026-06-29", 0, True),
        ("2026-06-20", 10, False),
        ("2026-06-19", 10, True),
    ],
)
def test_the_newest_record_may_be_so_old(newest, days, is_late):
    """The allowed days are included."""
    assert bool(freshness.late(date.fromisoformat(newest), AS_OF, days)) == is_late


def test_the_message_says_what_holds_what_was_found_and_what_to_do():
    """One paragraph, for whoever reads the log in the morning."""
    text = freshness.late(date(2026, 6, 14), AS_OF, 10)

    assert text.startswith("the newest record must be at most 10 days older than 2026-06-30")
    assert "of 2026-06-14, 16 days before" in text and "\n" not in text
    assert all(word in text for word in ("load a newer export", "freshness_days", "--stale"))
    assert "nothing is" in freshness.late(None, AS_OF, 10)


def pass_gate(**settings):
    """Bring a source with records on every day to the gate."""
    about = ABOUT | settings.pop("about", {})
    freshness.expect(about, **{"days": every(1), "as_of": AS_OF} | settings)


def refusal(**settings):
    """What the gate says."""
    with pytest.raises(RunError) as caught:
        pass_gate(**settings)
    assert caught.value.code == Exit.INPUT_REFUSED
    return str(caught.value)


def test_new_data_pass():
    """On the day of the export, and on that of the first deal."""
    pass_gate()
    pass_gate(as_of=ABOUT["first_on"], days=[ABOUT["first_on"]])


def test_old_data_are_refused_unless_wanted():
    """The source is named; with --stale they pass; what the suite allows passes."""
    old = every(1, date(2026, 6, 1))

    assert refusal(days=old).startswith("Sample: the newest record must be at most 10 days")
    pass_gate(days=old, stale=True)
    pass_gate(days=old, given=29)
    assert "at most 28 days" in refusal(days=old, given=28)
    assert "nothing is" in refusal(days=[], about={"first_on": None})


@pytest.mark.parametrize("stale", [False, True])
def test_a_day_that_was_not_observed_is_refused_always(stale):
    """Nobody can want what is not there."""
    after = refusal(as_of=AS_OF + timedelta(days=1), stale=stale)
    before = refusal(as_of=date(2024, 6, 30), days=[], stale=stale)

    assert "as_of must not lie after 2026-06-30, the day of the export of Sample" in after
    assert "it is 2026-07-01" in after and "--stale" not in after
    assert "before the first deal of Sample, which was created on 2024-07-01" in before
