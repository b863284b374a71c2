"""
The words of the page on a change: measures, verdicts, groups, and values with their units.

A row is one of ``impact.measures``: its ``form`` (rate, days, per_year, score) says the unit.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from . import html, numbers, tables, words
from .html import Html
from .words import _

MOST_NAMES = 4  # of groups in a sentence


def measure_name(row: Any) -> str:
    """
    Name a measure with the days it is about.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> measure_name(SimpleNamespace(measure="win_rate", age_days=90.0))
    'Won by 90 days'
    """
    text = {
        "win_rate": _("Won by {days}"),
        "cycle": _("Days open, of the first {n}"),
        "days_to_win": _("Days to the win"),
        "turnover": _("People who leave, a year"),
        "satisfaction": _("Satisfaction, share of full marks"),
        "response_rate": _("Survey response rate"),
    }.get(row.measure, words.plain_slug(row.measure))
    return text.format(days=numbers.days(row.age_days), n=numbers.count(row.age_days))


def verdict_name(slug: str) -> str:
    """
    Name a verdict.

    Examples
    --------
    >>> verdict_name("cause_open"), verdict_name("no_change")
    ('changed, cause open', 'compatible with no change')
    """
    return {
        "not_estimable": _("not estimable"),
        "artefact_possible": _("artefact possible"),
        "no_change": _("compatible with no change"),
        "cause_open": _("changed, cause open"),
        "against_control": _("changed against the comparison group"),
    }[slug]


def level(row: Any, column: str, *, digits: int = 0) -> str:
    """
    Say the value of a measure in its unit.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> row = SimpleNamespace(form="days", before=61.25)
    >>> level(row, "before")
    '61 days'
    """
    value = getattr(row, column)
    if row.form == "days":
        return whole_days(value)
    return numbers.percent(value, digits=digits)


def level_range(row: Any, column: str) -> str:
    """
    Say the range of a value.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> level_range(SimpleNamespace(form="days", after_low=31.2, after_high=38.9), "after")
    '31–39'
    """
    low, high = getattr(row, f"{column}_low"), getattr(row, f"{column}_high")
    if row.form == "days":
        return numbers.count_range(low, high)
    return numbers.percent_range(low, high)


def effect(row: Any, column: str) -> str:
    """
    Say a change: in points, in days, or of a ratio as a factor.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> row = SimpleNamespace(form="days", is_ratio=False, effect=-26.3)
    >>> effect(row, "effect"), effect(SimpleNamespace(form="per_year", is_ratio=True, effect=0.32), "effect")
    ('−26 days', '× 0.32')
    """
    value = getattr(row, column)
    if pd.isna(value) or np.isinf(value):
        return numbers.missing()
    if row.is_ratio:
        return _("× {factor}").format(factor=_factor(value))
    return with_unit(row, bare(row, value), value)


def effect_range(row: Any, column: str) -> str:
    """
    Say the range of a change.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> row = SimpleNamespace(form="rate", is_ratio=False, effect_low=0.131, effect_high=0.208)
    >>> effect_range(row, "effect")
    '+13 to +21 points'
    """
    low, high = getattr(row, f"{column}_low"), getattr(row, f"{column}_high")
    if pd.isna(low) or pd.isna(high):
        return numbers.missing()
    if row.is_ratio and np.isinf(high):
        return _("× {low} or more").format(low=_factor(low))
    if row.is_ratio:
        return _("× {low} to {high}").format(low=_factor(low), high=_factor(high))
    both = _("{low} to {high}").format(low=bare(row, low), high=bare(row, high))
    return with_unit(row, both, float("nan"))


def level_and_range(row: Any, column: str) -> str:
    """
    Say a value with its range, the unit once.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> row = SimpleNamespace(form="days", after=34.9, after_low=31.2, after_high=38.9)
    >>> level_and_range(row, "after")
    '35 days (31–39)'
    """
    return _("{value} ({range})").format(
        value=level(row, column),
        range=level_range(row, column).removesuffix(f"{numbers.NO_BREAK}%"),
    )


def effect_and_range(row: Any, column: str) -> str:
    """
    Say a change with its range, the unit once; only the range where the change has no limit.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> row = SimpleNamespace(form="rate", is_ratio=False, effect=0.22, effect_low=0.14, effect_high=0.29)
    >>> effect_and_range(row, "effect")
    '+22 (+14 to +29) points'
    """
    value, low, high = (getattr(row, f"{column}{end}") for end in ("", "_low", "_high"))
    if row.is_ratio or pd.isna(low) or pd.isna(high):
        parts = [effect(row, column), effect_range(row, column)]
        known = [part for part in parts if part != numbers.missing()]
        if len(known) < len(parts):
            return known[0] if known else numbers.missing()
        return _("{value} ({range})").format(value=known[0], range=known[1])
    text = _("{value} ({low} to {high})").format(
        value=bare(row, value), low=bare(row, low), high=bare(row, high)
    )
    return with_unit(row, text, float("nan"))


def named(groups: Sequence[str]) -> str:
    """
    Name groups in a sentence, the first few of many.

    Examples
    --------
    >>> named(["A", "B"]), named(list("ABCDEF"))
    ('A, B', 'A, B, C, D and 2 more')
    """
    names = ", ".join(words.person_or_team(name) for name in groups[:MOST_NAMES])
    more = len(groups) - MOST_NAMES
    return (
        _("{names} and {n} more").format(names=names, n=numbers.count(more)) if more > 0 else names
    )


def groups_word(by: str) -> str:
    """
    Say what the groups are.

    Examples
    --------
    >>> groups_word("team")
    'teams'
    """
    return {
        "team": _("teams"),
        "region": _("regions"),
        "source": _("sources of deals"),
        "segment": _("segments"),
        "product": _("products"),
    }[by]


def short_level(row: Any, column: str) -> str:
    """A value without its unit, where the next one has it."""
    if row.form == "days":
        return numbers.count(getattr(row, column))
    return level(row, column).removesuffix(f"{numbers.NO_BREAK}%")


def others_word(change: Any) -> str:
    """
    Name those that did not change.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> others_word(SimpleNamespace(by="team"))
    'the teams that did not change'
    """
    return _("the {groups} that did not change").format(groups=groups_word(change.by))


def whole_days(value: float) -> str:
    """
    Say a span in whole days.

    Examples
    --------
    >>> whole_days(43.27), whole_days(float("nan"))
    ('43 days', 'n/a')
    """
    return numbers.missing() if pd.isna(value) else numbers.days(round(float(value)))


def bare(row: Any, value: float) -> str:
    """A change without its unit: points of a share, or days."""
    return signed(value) if row.form == "days" else numbers.points(value, digits=0)


def with_unit(row: Any, text: str, value: float) -> str:
    """A change, or its range (no value), with its unit."""
    is_days = row.form == "days"
    n = round(abs(value) * (1 if is_days else 100)) if pd.notna(value) else 2
    if is_days:
        return words.translate_n("{n} day", "{n} days", n).format(n=text)
    return words.translate_n("{n} point", "{n} points", n).format(n=text)


def _factor(value: float) -> str:
    return numbers.decimal(value, digits=2 if value < 10 else 0)


def signed(value: float) -> str:
    """
    Say a whole number with its sign.

    Examples
    --------
    >>> signed(-18.1), signed(3.4), signed(0.2)
    ('−18', '+3', '0')
    """
    number = round(float(value))
    sign = "+" if number > 0 else "−" if number < 0 else ""
    return sign + numbers.count(abs(number))


def arm_name(arm: str) -> str:
    """
    Name those that changed and those that did not.

    Examples
    --------
    >>> arm_name("treated"), arm_name("control")
    ('Changed', 'Did not change')
    """
    return {"treated": _("Changed"), "control": _("Did not change")}[arm]


def period_name(period: str) -> str:
    """
    Name the time before and since.

    Examples
    --------
    >>> period_name("after")
    'since'
    """
    return {"before": _("before"), "after": _("since")}[period]


def upper_first(text: str) -> str:
    """Begin a sentence."""
    return text[:1].upper() + text[1:]


def nothing(what: str, change: Any, seen: Any, reason: str | None = None) -> Html:
    """Say why a section is empty; where the change itself cannot be looked at, the top of the page says it."""
    if change.problem:
        return html.paragraphs(_("Nothing to show: the top of the page says why."))
    return tables.missing(what, seen=seen, reason=reason)
