"""Formatted numbers: what is missing is "n/a", and nothing is rounded into a claim."""

import datetime

import numpy as np
import pandas as pd
import pytest

from salesanalysis.present import numbers

NAN = float("nan")


@pytest.mark.parametrize(
    "text",
    [
        numbers.count(NAN),
        numbers.decimal(NAN),
        numbers.fraction5(NAN),
        numbers.percent(NAN),
        numbers.percent_range(NAN, 0.3),
        numbers.percent_range(0.2, NAN),
        numbers.points(NAN),
        numbers.points_range(NAN, 0.1),
        numbers.count_range(1, NAN),
        numbers.of(NAN, 3),
        numbers.money(NAN, "CNY"),
        numbers.money(NAN, "CNY", compact=True),
        numbers.days(NAN),
        numbers.span(NAN),
        numbers.span_range(NAN, 3),
        numbers.date(pd.NaT),
        numbers.month(None),
        numbers.p_value(NAN),
        numbers.count(pd.NA),
        numbers.decimal(float("inf")),
    ],
)
def test_what_is_missing_is_never_a_number(text):
    """
    NaN, NaT, None and infinity read "n/a" in every formatter, never 0.
    """
    assert text == "n/a"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (numbers.count(np.int64(10005534)), "10,005,534"),
        (numbers.count(np.float64(0.0)), "0"),
        (numbers.fraction5(0.0910843), "0.09108"),
        (numbers.percent(0.0), "0 %"),
        (numbers.percent(1.0), "100 %"),
        (numbers.percent(0.6315, digits=2), "63.15 %"),
        (numbers.percent_range(0.238, 0.302), "24–30 %"),
        (numbers.percent_range(0.2384, 0.3021, digits=1), "23.8–30.2 %"),
        (numbers.points(-0.0004), "0.0"),
        (numbers.points_range(-0.121, 0.034), "−12.1 to +3.4"),
        (numbers.money(10005534, "USD"), "USD 10,005,534"),
        (numbers.money(1153214, "USD", compact=True), "USD 1.2M"),
        (numbers.money(-1500.4, None), "-1,500"),
        (numbers.money(900, "CNY", compact=True), "CNY 900"),
        (numbers.days(1), "1 day"),
        (numbers.days(29.5), "29.5 days"),
        (numbers.span_range(28, NAN), "28 or more"),
        (numbers.date(datetime.date(2017, 12, 31)), "31 Dec 2017"),
        (numbers.month(pd.Timestamp("2017-03-01")), "Mar 2017"),
        (numbers.p_value(0.0499), "= 0.050"),
        (numbers.p_value(0.0004), "< 0.001"),
        (numbers.p_value(1.0), "= 1.00"),
    ],
)
def test_formats(text, expected):
    """
    Counts, rates, money, days and dates read as a person would write them.
    """
    assert text.replace(numbers.NO_BREAK, " ") == expected


def test_a_number_and_its_unit_stay_on_one_line():
    """
    Between a number and its per cent sign, and a currency and its number, no line can break.
    """
    assert " " not in numbers.percent(0.27)
    assert " " not in numbers.money(1153214, "USD", compact=True)
