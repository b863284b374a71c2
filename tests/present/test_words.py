"""Words: one place, chosen when asked for."""

import gettext
import re
from pathlib import Path

import pytest

from salesanalysis.present import tables, words

BARE = re.compile(r"(?<!closed )(?<!created )(?<!cohort )(?<!with-stale )win rate", re.IGNORECASE)


def test_an_unknown_column_is_named_in_the_error():
    """
    A column without words stops the page and says where to give it some.
    """
    with pytest.raises(KeyError, match=r'"mood" has no label; give it one in present/words\.py'):
        words.label("mood")


def test_an_unknown_language_is_refused_and_changes_nothing():
    """
    A language without words is an error that lists those there are.
    """
    with pytest.raises(ValueError, match='language must be one of "en", but is "tlh"'):
        words.use("tlh")

    assert words.language() == "en"


def test_words_are_looked_up_when_asked_for(monkeypatch):
    """
    A language chosen after the import reaches labels, marks, measures and plurals.
    """

    class Shouting(gettext.NullTranslations):
        def gettext(self, message):
            return message.upper()

        def ngettext(self, msgid1, msgid2, n):
            return (msgid1 if n == 1 else msgid2).upper()

    monkeypatch.setattr(words, "_translations", Shouting())

    assert words.label("stage") == "STAGE"
    assert words.win_rate("closed") == "CLOSED WIN RATE"
    assert words.immature() == "未满期 NOT YET MATURE"
    assert words.measure("rank").name == "RANK INTERVAL"
    assert words.translate_n("one", "many", 2) == "MANY"


@pytest.mark.parametrize("name", ["cohort", "closed", "created", "with_stale"])
def test_each_win_rate_carries_its_label(name):
    """
    The bare words stand in no label, and the meaning says what is divided by what.
    """
    assert not BARE.search(words.win_rate(name))
    assert words.win_rate(name).lower().startswith(name.replace("_", "-"))
    meaning = words.win_rate_meaning(name, age_days="90 days", stale_days="200 days")
    assert "{" not in meaning
    assert ("90 days" in meaning) == (name == "cohort")
    assert ("200 days" in meaning) == (name == "with_stale")


@pytest.mark.parametrize("notebook", ["sales_funnel", "cohort_conversion", "rep_ranking"])
def test_every_measure_is_defined_with_its_limits(notebook):
    """
    Each measure of a notebook has a question, a definition, a source, a caveat and a misuse.
    """
    for name in words.MEASURES[notebook]:
        measure = words.measure(name)
        assert all([measure.name, measure.what, measure.definition, measure.source])
        assert measure.caveats
        assert measure.not_for


def test_the_outcomes_and_inflows_of_an_entry_have_names():
    """
    Each of the seven outcomes and six inflows of the identity has a label of its own.
    """
    assert len({words.label(name) for name in tables.OUTCOMES}) == 7
    assert len({words.label(name) for name in tables.INFLOWS}) == 6


def test_a_value_of_the_data_is_shown_as_it_is():
    """
    Only a missing or empty value is replaced; a person called "nan" keeps the name.
    """
    assert words.value("nan") == "nan"
    assert [words.value(missing) for missing in (None, float("nan"), "")] == ["(empty)"] * 3


def test_end_states_have_words_and_stages_keep_theirs():
    """
    A canonical end state is named in the reader's language, a stage as the CRM does.
    """
    assert [words.stage(name) for name in ("won", "lost", "removed")] == ["Won", "Lost", "Removed"]
    assert words.stage("Closed Won") == "Closed Won"


REASONS = re.compile(
    r"""["'](not_[a-z_]+|missing|year_out_of_range|time_does_not_exist|duplicate
    |unknown_[a-z]+|closed_(?:without|before)_[a-z]+|ends_before_it_begins|wrong_field_count|empty_row)["']""",
    re.VERBOSE,
)


def test_every_reason_of_the_load_has_words():
    """
    Each slug that the load can set a row aside under reads as words of its own.
    """
    room = Path(words.__file__).parents[1] / "crm"
    files = [room / f"{name}.py" for name in ("convert", "accept", "read", "load")]
    slugs = {slug for file in files for slug in REASONS.findall(file.read_text("utf-8"))}
    kinds = {f"not_{kind}" for kind in ("ts", "date", "money", "share", "int", "number", "bool")}

    assert len(slugs) >= 11
    unworded = {slug for slug in slugs | kinds if words.problem(slug) == words.plain_slug(slug)}
    assert unworded == {"ends_before_it_begins"}  # words already


def test_known_findings_are_sentences_and_bare_numbers_are_explained():
    """
    A kind of finding reads as words, and the number in its detail says what it counts.
    """
    assert words.finding("unknown_value") == "Value that the reference list does not hold"
    assert words.finding("no_open_deals").startswith("A rep without an open deal")
    assert words.finding_detail("no_open_deals", "24 %") == "24 % of the other reps' deals are open"
    assert words.finding_detail("left_truncation", "518") == (
        "first closing on the day named; about 518 earlier ones expected"
    )
