"""The six cards of the summary for leaders, each against target and last period, with its range."""

from typing import Any

import pandas as pd

from . import figures, numbers
from .summary_words import (
    amount,
    amount_range,
    arrow,
    counted,
    currency_of,
    is_chance,
    months_of,
    signed_days,
    unsigned,
)
from .words import _


def cards(
    table: pd.DataFrame,
    *,
    bridge: pd.DataFrame,
    cohorts: pd.DataFrame,
    people: pd.DataFrame,
    required: pd.DataFrame,
    forecast: Any,
    seen: Any,
) -> list[dict[str, str]]:
    """
    Make the cards of ``html.answer``.

    Parameters
    ----------
    table, bridge, cohorts, people : as ``summary.bookings``, ``bridge``, ``cohorts`` and ``people`` give
    required : as ``pipeline.required`` gives
    forecast : as ``forecast.forecast`` gives
    seen : what ``observe`` gives
    """
    rows, currency = table.set_index("which"), currency_of(table, seen)
    return [
        _bookings(rows, bridge, currency),
        _win_rate(_figure(cohorts, "win_rate")),
        _cycle(_figure(cohorts, "cycle")),
        _pipeline(required, currency),
        _forecast(forecast, rows.loc["this"], seen),
        _people(people.iloc[0]),
    ]


def _card(
    label: str, value: str, range: str = "", comparison: str = "", tone: str = "neutral"
) -> dict[str, str]:
    return {
        "label": label,
        "value": value,
        "range": range,
        "comparison": comparison,
        "tone": tone,
    }


def _tone(is_better: Any) -> str:
    return {True: "good", False: "bad"}.get(is_better, "neutral")


def _bookings(rows: pd.DataFrame, bridge: pd.DataFrame, currency: str | None) -> dict[str, str]:
    now, before = rows.loc["this"], rows.loc["before"]
    target = _("no target in the source")
    if not pd.isna(now["attainment"]):
        target = _("{share} of the target of {target}").format(
            share=numbers.percent(now["attainment"]), target=amount(now["target"], currency)
        )
    name = f"{counted(rows)}, {months_of(now)}"
    value = amount(now["bookings"], currency)
    if pd.isna(before["change"]):
        return _card(name, value, target, _("the quarter before was not recorded whole"))
    change = numbers.percent(abs(before["change_share"]))
    if pd.isna(before["change_share"]):
        change = amount(abs(before["change"]), currency)
    text = _("{arrow}{change} against {months}").format(
        arrow=arrow(before["change"]), change=change, months=months_of(before)
    )
    if bridge.empty:
        return _card(name, value, target, text)
    if is_chance(bridge):
        return _card(name, value, target, _("{change}: could be chance").format(change=text))
    text = _("{change}: more than chance").format(change=text)
    return _card(name, value, target, text, _tone(bool(before["change"] > 0)))


def _win_rate(row: pd.Series) -> dict[str, str]:
    name = _("Cohort win rate at {age}").format(age=numbers.days(row["until_days"]))
    if row["why_not"]:
        return _card(name, numbers.missing(), comparison=_why_no_cohort(row["why_not"], row))
    likely = _("likely {range}, deals of {months}").format(
        range=numbers.percent_range(row["low"], row["high"]), months=_cohort_months(row)
    )
    change = _("{n} points against {months}").format(
        n=unsigned(numbers.points(row["change"])), months=_cohort_months(row, before=True)
    )
    span = numbers.points_range(row["change_low"], row["change_high"])
    value = numbers.percent(row["value"], digits=1)
    return _card(name, value, likely, _compared(row, change, span), _tone(row["is_better"]))


def _cycle(row: pd.Series) -> dict[str, str]:
    name = _("Half the deals are closed within")
    if row["why_not"]:
        return _card(name, numbers.missing(), comparison=_why_no_cohort(row["why_not"], row))
    likely = _("likely {range}, deals of {months}").format(
        range=numbers.span_range(row["low"], row["high"]), months=_cohort_months(row)
    )
    if pd.isna(row["low"]):
        likely = _("deals of {months}").format(months=_cohort_months(row))
    change = _("{n} days open, of the first {until}, against {months}").format(
        n=unsigned(signed_days(row["change"])),
        until=numbers.count(row["until_days"]),
        months=_cohort_months(row, before=True),
    )
    span = _("{low} to {high}").format(
        low=signed_days(row["change_low"]), high=signed_days(row["change_high"])
    )
    return _card(
        name,
        numbers.days(row["value"]),
        likely,
        _compared(row, change, span),
        _tone(row["is_better"]),
    )


def _figure(table: pd.DataFrame, name: str) -> pd.Series:
    return table.set_index("figure").loc[name]


def _cohort_months(row: pd.Series, *, before: bool = False) -> str:
    prefix = "before_" if before else ""
    return numbers.month_range(row[f"{prefix}first_on"], row[f"{prefix}last_on"])


def _compared(row: pd.Series, change: str, span: str) -> str:
    """A change with its range, and whether it is clear."""
    if row["why_no_change"] or pd.isna(row["change"]):
        return _why_no_change(row["why_no_change"])
    text = _("{arrow}{change} ({range})").format(
        arrow=arrow(row["change"]), change=change, range=span
    )
    return text if row["is_better"] is not None else _("{text}: no clear change").format(text=text)


def _why_no_cohort(why: str, row: pd.Series) -> str:
    text = {
        "no_mature_quarter": _("no quarter of deals is {age} old yet"),
        "only_won": _("the source records won deals only"),
        "half_open": _("more than half of the deals of {months} are still open"),
    }[why]
    return text.format(age=numbers.days(row["until_days"]), months=_cohort_months(row))


def _why_no_change(why: str | None) -> str:
    return {
        "not_recorded": _("what came before is not recorded whole: nothing to compare with"),
        "few_deals": _("too few deals before to compare with"),
        "nobody_left": _("the source records nobody who left"),
        "too_few": _("nobody left in 24 months"),
        "no_people": _("the source has no people"),
    }.get(why or "", _("cannot be compared"))


def _pipeline(required: pd.DataFrame, currency: str | None) -> dict[str, str]:
    if required.empty:
        text = _("the source does not tell which open deals are due")
        return _card(_("Open pipeline due this quarter"), numbers.missing(), comparison=text)
    row = required.iloc[0]
    name = _("Open pipeline due in {quarter}").format(quarter=row["quarter"])
    value = amount(row["amount_open"], currency) if currency else figures.deals(row["n_open"])
    past = _("no past quarter says how much of it is won")
    if not pd.isna(row["required_coverage"]):
        past = _past_yield(row)
    if pd.isna(row["coverage"]):
        why = _("no target of the quarter in the source")
        return _card(
            name, value, past, _("{n} due; {why}").format(n=figures.deals(row["n_open"]), why=why)
        )
    text = _("{times} times what is left of the target").format(
        times=numbers.decimal(row["coverage"], digits=1)
    )
    if pd.isna(row["required_coverage"]):
        return _card(name, value, past, text)
    is_enough = bool(row["coverage"] >= row["required_coverage"])
    return _card(name, value, past, text, _tone(is_enough))


def _past_yield(row: pd.Series) -> str:
    times = numbers.decimal(row["required_coverage"], digits=1)
    if row["n_quarters"] == 1:
        return _("the one quarter known needed {times} times what it won").format(times=times)
    return _("past quarters needed {times} times what they won ({range})").format(
        times=times,
        range=_times_range(row["required_coverage_low"], row["required_coverage_high"]),
    )


def _times_range(low: float, high: float) -> str:
    if pd.isna(high):
        return _("{low} or more").format(low=numbers.decimal(low, digits=1))
    return f"{numbers.decimal(low, digits=1)}–{numbers.decimal(high, digits=1)}"


def _forecast(forecast: Any, now: pd.Series, seen: Any) -> dict[str, str]:
    if forecast.why_not:
        text = {
            "too_short_history": _(
                "cannot forecast yet: fewer than 26 weeks of closings are recorded"
            ),
            "too_few_won": _("cannot forecast yet: too few deals won to go by"),
        }[forecast.why_not]
        return _card(_("Forecast of this quarter"), numbers.missing(), comparison=text)
    currency = seen.source["currency"] if forecast.value == "amount" else None
    row = forecast.totals.iloc[0]
    name = _("Forecast of {months}").format(months=months_of(row))
    likely = _("80 % range {range}").format(
        range=amount_range(row["low80"], row["high80"], currency)
    )
    value = amount(row["median"], currency) if currency else figures.deals(row["median"])
    parts = [
        _("after {then} in {months}").format(
            then=amount(now["bookings"], currency), months=months_of(now)
        )
    ]
    if row["booked"] > 0:
        parts.insert(0, _("{booked} booked so far").format(booked=amount(row["booked"], currency)))
    if not pd.isna(row["reach_quota_share"]):
        parts.append(
            _("reaches the target with {share}").format(
                share=numbers.percent(row["reach_quota_share"])
            )
        )
    return _card(name, value, likely, "; ".join(parts))


def _people(row: pd.Series) -> dict[str, str]:
    name = _("People in sales")
    if row["why_not"]:
        return _card(name, numbers.missing(), comparison=_why_no_change(row["why_not"]))
    value = numbers.count(row["n"])
    if pd.isna(row["n_left"]):
        return _card(name, value, comparison=_why_no_change(row["why_no_change"]))
    left = _("{n} left in 12 months, {rate} a year").format(
        n=numbers.count(row["n_left"]), rate=numbers.percent(row["rate"])
    )
    if row["why_no_change"]:
        return _card(name, value, left, _why_no_change(row["why_no_change"]))
    text = _("{n} in the 12 before ({rate}); ratio {ratio}").format(
        n=numbers.count(row["n_left_before"]),
        rate=numbers.percent(row["rate_before"]),
        ratio=_ratio(row),
    )
    if row["is_better"] is None:
        text = _("{text}: no clear change").format(text=text)
    return _card(name, value, left, text, _tone(row["is_better"]))


def _ratio(row: pd.Series) -> str:
    span = _times_range(row["ratio_low"], row["ratio_high"])
    if numbers.decimal(row["ratio"]) == numbers.missing():
        return _("at least {low}").format(low=numbers.decimal(row["ratio_low"]))
    return f"{numbers.decimal(row['ratio'], digits=1)} ({span})"
