"""Amounts, changes and quarters as the summary for leaders says them."""

from typing import Any

import pandas as pd

from . import figures, numbers
from .words import _


def amount(value: float, currency: str | None, *, compact: bool = True) -> str:
    """
    Say bookings: money, or deals where the source has no amounts (``currency`` None).

    Examples
    --------
    >>> amount(7660303.6, "CNY").replace(numbers.NO_BREAK, " "), amount(129, None)
    ('CNY 7.7M', '129 deals')
    """
    if pd.isna(value):
        return numbers.missing()
    if currency is None:
        return figures.deals(value)
    return numbers.money(value, currency, compact=compact)


def signed(value: float, currency: str | None) -> str:
    """
    Say a difference of bookings with its sign, without the currency.

    Examples
    --------
    >>> signed(-2233498, "CNY"), signed(3.0, None), signed(0.25, None)
    ('−2.2M', '+3', '+0.2')
    """
    if pd.isna(value):
        return numbers.missing()
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return sign + plain_amount(abs(value), currency)


def amount_range(low: float, high: float, currency: str | None) -> str:
    """
    Say a range of bookings.

    Examples
    --------
    >>> amount_range(1666475, 5297277, "CNY").replace(numbers.NO_BREAK, " ")
    'CNY 1.7M–5.3M'
    """
    if pd.isna(low) or pd.isna(high):
        return numbers.missing()
    text = f"{plain_amount(low, currency)}–{plain_amount(high, currency)}"
    return f"{currency}{numbers.NO_BREAK}{text}" if currency else text


def plain_amount(value: float, currency: str | None) -> str:
    """Say an amount without its currency; a count with a decimal where it is a small estimate."""
    if currency is not None:
        return numbers.money(value, None, compact=True)
    is_whole = value >= 10 or value == round(value)
    return numbers.count(value) if is_whole else numbers.decimal(value, digits=1)


def signed_percent(share: float) -> str:
    """Say a relative change with its sign."""
    if pd.isna(share):
        return numbers.missing()
    sign = "+" if share > 0 else "−" if share < 0 else ""
    return sign + numbers.percent(abs(share))


def signed_days(value: float) -> str:
    """Say a difference of days with its sign."""
    if pd.isna(value):
        return numbers.missing()
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return sign + numbers.decimal(abs(value), digits=1)


def with_code(text: str, currency: str | None) -> str:
    """Put the code of the currency before a text."""
    return f"{currency}{numbers.NO_BREAK}{text}" if currency else text


def currency_of(bookings: pd.DataFrame, seen: Any) -> str | None:
    """Give the code of the currency; None where deals are counted."""
    return seen.source["currency"] if bookings["measure"].iloc[0] == "amount" else None


def months_of(row: Any) -> str:
    """Name a quarter by its months."""
    return numbers.month_range(row["first_on"], row["last_on"])


def counted(rows: pd.DataFrame) -> str:
    """Say what bookings are: an amount, or deals won."""
    return _("Bookings") if rows["measure"].iloc[0] == "amount" else _("Deals won")


def step_of(bridge: pd.DataFrame, step: str) -> pd.Series:
    """Give one row of the bridge."""
    return bridge.set_index("step").loc[step]


def has_reason(bridge: pd.DataFrame, why_not: str) -> bool:
    """Say whether some step cannot be told for this reason."""
    return bool((bridge["why_not"] == why_not).any())


def is_chance(bridge: pd.DataFrame) -> bool:
    """Say whether the range of the whole change holds none."""
    change = step_of(bridge, "change")
    return bool(change["low"] <= 0 <= change["high"])


def arrow(change: float) -> str:
    """Give the direction of a change."""
    return "▲ " if change > 0 else "▼ " if change < 0 else ""


def unsigned(text: str) -> str:
    """Drop the sign of a number behind an arrow, which is its sign."""
    return text.removeprefix("+").removeprefix("−")
