"""
The words that charts, tables, sentences and page templates show to a reader.

Names that data carry (columns, outcomes, kinds of finding) become words here and nowhere else.
Every text passes `translate` when it is asked for, so that the language can be chosen late.
One word per thing: deal 商机, stage 阶段, won 赢单, lost 丢单, cohort 批次, as-of 截止时点.
"""

import gettext
from typing import NamedTuple

_language = "en"
_translations: gettext.NullTranslations = gettext.NullTranslations()


def use(language: str) -> None:
    """
    Show words in ``language`` from now on; "en" is the language the texts are written in.

    Raises
    ------
    ValueError
        There are no words in that language.
    """
    global _language, _translations
    if language != "en":
        raise ValueError(f'language must be one of "en", but is "{language}"')
    _language, _translations = language, gettext.NullTranslations()


def language() -> str:
    """
    Give the language in use.

    Examples
    --------
    >>> language()
    'en'
    """
    return _language


def translate(text: str) -> str:
    """
    Give ``text`` in the language in use.

    Examples
    --------
    >>> translate("Source")
    'Source'
    """
    return _translations.gettext(text)


def translate_n(one: str, many: str, n: float) -> str:
    """
    Give the form of a text that goes with the number ``n`` in the language in use.

    Examples
    --------
    >>> translate_n("{n} deal", "{n} deals", 2)
    '{n} deals'
    """
    return _translations.ngettext(one, many, n)


_ = translate


class Measure(NamedTuple):
    """What a reader must know of a number before using it."""

    name: str
    definition: str
    numerator: str
    denominator: str
    source: str
    caveats: tuple[str, ...]
    not_for: str


def label(column: str) -> str:
    """
    Name a column of a metric table for a reader, with its unit.

    Raises
    ------
    KeyError
        The column has no words yet.

    Examples
    --------
    >>> label("median_days")
    'Median (days)'
    """
    labels = {**_labels_of_places(), **_labels_of_counts(), **_labels_of_rates()}
    labels |= {**_labels_of_times_and_amounts(), **_labels_of_people(), **_labels_of_quality()}
    if column not in labels:
        raise KeyError(f'column "{column}" has no label; give it one in present/words.py')
    return labels[column]


def _labels_of_places() -> dict[str, str]:
    return {
        "group": _("Group"),
        "kind": _("Kind"),
        "region": _("Region"),
        "product": _("Product"),
        "team": _("Team"),
        "owner": _("Owner"),
        "source": _("Source of the deal"),
        "segment": _("Segment"),
        "pipeline": _("Pipeline"),
        "stage": _("Stage"),
        "state": _("Stage or end state"),
        "cohort": _("Created in"),
        "month": _("Month"),
        "month_won": _("Month won"),
    }


def _labels_of_counts() -> dict[str, str]:
    return {
        "entries": _("Entries"),
        "advanced": _("Advanced"),
        "skipped": _("Skipped ahead"),
        "moved_back": _("Moved back"),
        "lost": _("Lost"),
        "handed_off": _("Handed off"),
        "removed": _("Removed"),
        "open": _("Still open"),
        "out": _("Sum of outcomes"),
        "starts": _("Started here"),
        "advanced_in": _("Advanced in"),
        "skipped_in": _("Skipped in"),
        "moved_back_in": _("Moved back in"),
        "handed_in": _("Handed in"),
        "reopened": _("Reopened"),
        "in": _("Sum of inflows"),
        "balance": _("In = entries = out"),
        "n_deals": _("Deals"),
        "n_entries": _("Entries"),
        "n_advanced": _("Went on"),
        "n_lost": _("Lost"),
        "n_open": _("Still open"),
        "n_removed": _("Removed"),
        "n_won": _("Won"),
        "n_created": _("Created"),
        "n_closed": _("Closed"),
        "n_cohort": _("Deals created"),
        "n_reached": _("Any-stage: touched it"),
        "n_reached_all": _("All-stages: touched it and all before"),
        "n_reached_filled": _("Linear fill: touched it or a later one"),
        "n_passed_over": _("Passed over (fill − any)"),
        "n_at_risk": _("Still followed, not closed"),
        "n_eff": _("Worth fully observed deals"),
        "n_handed": _("Changed hands"),
    }


def _labels_of_rates() -> dict[str, str]:
    return {
        "interval": _("95 % interval"),
        "k_of_n": _("k/n"),
        "advanced_rate": _("Next-step conversion"),
        "amount_rate": _("Same by amount"),
        "reached_rate": _("Cumulative conversion"),
        "amount_reached_rate": _("Same by amount"),
        "difference": _("Against the rest (points)"),
        "p_value": _("p"),
        "q_value": _("q"),
        "won_rate": _("Won"),
        "won_fraction": _("Won (fraction)"),
        "lost_rate": _("Lost"),
        "lost_fraction": _("Lost (fraction)"),
        "open_rate": _("Still open"),
        "rate": _("Rate"),
        "closed_rate": _("Closed win rate"),
        "created_rate": _("Created win rate"),
        "cohort_rate": _("Cohort win rate"),
        "closed_k_of_n": _("Won/closed"),
        "created_k_of_n": _("Won/created"),
        "win_rate": _("Which win rate"),
        "is_mature": _("Maturity"),
        "lost": _("Lost"),
        "won": _("Won"),
        "share_of_deals": _("Share of deals"),
        "share_of_entries": _("Share of entries"),
    }


def _labels_of_times_and_amounts() -> dict[str, str]:
    return {
        "age_days": _("Age (days)"),
        "deal_age": _("Age of the deal (days since creation)"),
        "within_days": _("Within (days)"),
        "median_days": _("Median (days)"),
        "p90_days": _("90 % have left by (days)"),
        "completed_median_days": _("Median of completed stays only (days)"),
        "time_in_stage": _("Time in stage (days)"),
        "p25_days": _("25 % by (days)"),
        "p50_days": _("Median (days)"),
        "p75_days": _("75 % by (days)"),
        "p90_won_days": _("90 % by (days)"),
        "mean_days": _("Mean (days)"),
        "cycle_days": _("Sales cycle, median of won (days)"),
        "amount": _("Amount"),
        "amount_entered": _("Amount entered"),
        "amount_advanced": _("Amount that went on"),
        "amount_cohort": _("Amount created"),
        "amount_reached": _("Amount that reached it"),
        "won_amount": _("Won amount"),
        "open_amount": _("Open amount"),
        "credited_amount": _("Credited amount"),
        "quota": _("Quota"),
        "prorated_quota": _("Quota, prorated"),
        "attainment": _("Quota attainment"),
        "is_finished": _("Period"),
        "period": _("From – to"),
    }


def _labels_of_people() -> dict[str, str]:
    return {
        "rep": _("Rep"),
        "name": _("Name"),
        "holder": _("Holder"),
        "holder_type": _("Person or team"),
        "n_mature": _("Deals old enough"),
        "raw_rate": _("Raw cohort win rate"),
        "expected": _("Wins expected"),
        "observed_over_expected": _("Won/expected"),
        "adjusted_rate": _("Case-mix adjusted rate"),
        "shrunk_rate": _("Shrunk rate (estimate)"),
        "reliability": _("Reliability"),
        "rank": _("Rank, 90 % interval"),
        "top_quartile_share": _("In the top quarter: probability"),
    }


def _labels_of_quality() -> dict[str, str]:
    return {
        "table": _("Table"),
        "file": _("File"),
        "n_in": _("Rows read"),
        "n_accepted": _("Accepted"),
        "n_quarantined": _("Quarantined"),
        "n_refused": _("Refused"),
        "n_rows": _("Rows"),
        "finding": _("Finding"),
        "subject": _("Where"),
        "detail": _("Detail"),
        "reason": _("Reason"),
        "parameter": _("Parameter"),
        "value": _("Value"),
    }


def stage(name: object) -> str:
    """
    Name a stage as the CRM does, and an end state in the language in use.

    Examples
    --------
    >>> stage("won"), stage("Proposal"), stage(None)
    ('Won', 'Proposal', '(empty)')
    """
    states = {"won": _("Won"), "lost": _("Lost"), "removed": _("Removed"), "open": _("Open")}
    text = value(name)
    return states.get(text, text)


def value(name: object) -> str:
    """
    Show a value of the data as it is; a missing one is "(empty)".

    Examples
    --------
    >>> value("华东"), value(float("nan"))
    ('华东', '(empty)')
    """
    return _("(empty)") if name is None or name != name or str(name) == "" else str(name)


def holder_type(name: object) -> str:
    """
    Name the kind of a quota's holder.

    Examples
    --------
    >>> holder_type("team")
    'Team'
    """
    return {"person": _("Person"), "team": _("Team")}.get(str(name), value(name))


def win_rate(name: str) -> str:
    """
    Name one of the win-rate labels; the bare words stand nowhere.

    Examples
    --------
    >>> win_rate("with_stale")
    'With-stale win rate'
    """
    return {
        "cohort": _("Cohort win rate"),
        "closed": _("Closed win rate"),
        "created": _("Created win rate"),
        "with_stale": _("With-stale win rate"),
    }[name]


def win_rate_meaning(name: str, *, age_days: str, stale_days: str) -> str:
    """
    Say what a win-rate label divides by what.

    Examples
    --------
    >>> win_rate_meaning("closed", age_days="90 days", stale_days="138 days")
    'won / (won + lost), deals closed so far'
    """
    return {
        "cohort": _("share won by {age}; lost competes, open deals are followed until now"),
        "closed": _("won / (won + lost), deals closed so far"),
        "created": _("won so far / all deals created"),
        "with_stale": _("won / (won + lost + open for more than {stale})"),
    }[name].format(age=age_days, stale=stale_days)


def immature() -> str:
    """
    Mark a cohort that is too young for the age asked for.

    Examples
    --------
    >>> immature()
    '未满期 not yet mature'
    """
    return _("未满期 not yet mature")


def immature_mark() -> str:
    """
    Give the short form of `immature`, for a cell of a grid.

    Examples
    --------
    >>> immature_mark()
    '未满期'
    """
    return _("未满期")


def plain_slug(slug: str) -> str:
    """
    Read a slug as words.

    Examples
    --------
    >>> plain_slug("negative_age")
    'Negative age'
    """
    return slug.replace("_", " ").replace("-", " ").capitalize()
