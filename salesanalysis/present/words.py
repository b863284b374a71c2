"""
The words that charts, tables, sentences and page templates show to a reader.

Names that data carry (columns, outcomes, kinds of finding) become words here and nowhere else.
Every text passes `translate` when it is asked for, so that the language can be chosen late.
One word per thing: deal 商机, stage 阶段, won 赢单, lost 丢单, cohort 批次, as-of 截止时点.
"""

import gettext
import math
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
    what: str
    definition: str
    numerator: str
    denominator: str
    source: str
    caveats: tuple[str, ...]
    not_for: str


MEASURES = {
    "sales_funnel": ("stage_accounting", "step_conversion", "cumulative", "time_in_stage"),
    "cohort_conversion": ("cohort_rate", "closed_rate", "sales_cycle"),
    "rep_ranking": ("shrunk_rate", "rank", "attainment"),
}
"""The measures that each notebook defines."""


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
        "n_neither": _("Neither by then"),
        "n_followed_less": _("Followed for less"),
        "n_removed": _("Removed"),
        "n_won": _("Won"),
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
        "is_mature": _("Maturity"),
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
        "outcome": _("Outcome"),
        "column": _("Column"),
        "line": _("First line"),
        "found": _("Found there"),
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
    is_missing = name is None or (isinstance(name, float) and math.isnan(name))
    return _("(empty)") if is_missing or str(name) == "" else str(name)


def person_or_team(name: object) -> str:
    """
    Show the name of a rep or a team; without one it is "(none)".

    Examples
    --------
    >>> person_or_team("王芳"), person_or_team(None)
    ('王芳', '(none)')
    """
    text = value(name)
    return _("(none)") if text == _("(empty)") else text


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


def incomplete() -> str:
    """
    Mark a month whose early closings are missing from the source.

    Examples
    --------
    >>> incomplete()
    '不完整 incomplete'
    """
    return _("不完整 incomplete")


def incomplete_mark() -> str:
    """
    Give the short form of `incomplete`, for a cell of a grid.

    Examples
    --------
    >>> incomplete_mark()
    '不完整'
    """
    return _("不完整")


def plain_slug(slug: str) -> str:
    """
    Read a slug as words.

    Examples
    --------
    >>> plain_slug("negative_age")
    'Negative age'
    """
    return slug.replace("_", " ").replace("-", " ").capitalize()


def finding(kind: str) -> str:
    """
    Say what a kind of data finding means; a kind without a sentence shows its own name.

    Examples
    --------
    >>> finding("merged_rows"), finding("brand_new_kind")
    ('Several rows were one deal and count once', 'Brand new kind')
    """
    return {
        "merged_rows": _("Several rows were one deal and count once"),
        "collapsed_events": _("Entries into the stage a deal was in already: one stay"),
        "unused_columns": _("Columns of the file that no report reads"),
        "unknown_value": _("Value that the reference list does not hold"),
        "empty_values": _("Empty cells: these rows fall out of views by that column"),
        "guessed_encoding": _("Encoding not declared, recognised from the bytes"),
        "removed_deals": _("Deals removed in the CRM"),
        "zero_span": _("Deals closed on the day they were created"),
        "no_history": _("Deals without stage history"),
        "created_closed": _("Deals created in an end state: they entered no stage"),
        "tied_events": _("Deals that entered several stages at one instant"),
        "reopened": _("Deals opened again after they were closed"),
        "before_creation": _("Stage entries before the deal was created"),
        "stage_disagrees": _("Deals whose stage is not that of their last event"),
        "unknown_owner": _("Owner who is not among the people"),
        "people_without_deals": _("People without a deal"),
        "credits_not_whole": _("Deals whose revenue shares do not sum to 100 %"),
        "left_truncation": _(
            "Deals created before the first recorded closing: their early closings are missing"
        ),
        "older_than_any_closed": _("Open deals older than any deal was when it closed"),
        "no_open_deals": _(
            "A rep without an open deal: open deals may be missing from the export, which makes "
            "this rep's rate look too high"
        ),
        "after_extraction": _("Records dated after the declared day of the export"),
        "unknown_stage": _("Deals whose stage the list of stages does not hold"),
    }.get(kind, plain_slug(kind))


def finding_detail(kind: str, detail: str) -> str:
    """
    Say what the detail of a finding means where it is a bare number.

    Examples
    --------
    >>> finding_detail("older_than_any_closed", "138"), finding_detail("merged_rows", "in a.csv")
    ('the longest took 138 days to close', 'in a.csv')
    """
    sentence = {
        "left_truncation": _("first closing on the day named; about {n} earlier ones expected"),
        "older_than_any_closed": _("the longest took {n} days to close"),
        "no_open_deals": _("{n} of the other reps' deals are open"),
    }.get(kind)
    return sentence.format(n=detail) if sentence else detail


def rejection(outcome: str) -> str:
    """
    Say what happened to a row that was not accepted.

    Examples
    --------
    >>> rejection("quarantined")
    'Quarantined'
    """
    outcomes = {"quarantined": _("Quarantined"), "refused": _("Refused")}
    return outcomes.get(outcome, plain_slug(outcome))


def problem(reason: str) -> str:
    """
    Say what was wrong with a row that was not accepted; an unknown reason shows its own name.

    Examples
    --------
    >>> problem("not_int"), problem("on_the_moon")
    ('Not a whole number', 'On the moon')
    """
    return {
        "not_ts": _("Not a date and time in the declared notation"),
        "not_date": _("Not a date in the declared notation"),
        "not_money": _("Not an amount in the declared notation"),
        "not_share": _("Neither a number nor a per cent"),
        "not_a_share": _("A share below 0 % or above 100 %"),
        "not_int": _("Not a whole number"),
        "not_number": _("Not a number"),
        "not_bool": _("Neither yes nor no"),
        "missing": _("Empty, but needed"),
        "year_out_of_range": _("A date before 1900 or after 2200"),
        "time_does_not_exist": _("A time of day that the clock skipped in the declared time zone"),
        "not_allowed": _("None of the values that this column may have"),
        "duplicate": _("Its key stands in an earlier row already"),
        "unknown_deal": _("Of a deal that is not among the deals accepted"),
        "unknown_stage": _("In a stage that the list of stages does not hold"),
        "closed_without_date": _("Won or lost, but without a date of closing"),
        "closed_before_created": _("Closed before it was created"),
        "ends_before_it_begins": _("Ends before it begins"),
        "wrong_field_count": _("More or fewer fields than the header"),
        "empty_row": _("An empty line"),
    }.get(reason, plain_slug(reason))


def exclusion(reason: str) -> str:
    """
    Say why deals are left out, or that they are used; an unknown reason shows its own name.

    Examples
    --------
    >>> exclusion("removed"), exclusion("on_the_moon")
    ('Removed in the CRM (deleted or merged)', 'On the moon')
    """
    return {
        "not_accepted": _("Rows of the deals file set aside when it was loaded"),
        "removed": _("Removed in the CRM (deleted or merged)"),
        "no_created_on": _("No date of creation"),
        "no_owner": _("No owner"),
        "too_young": _("Created too recently to have had the time"),
        "used": _("Used"),
    }.get(reason, plain_slug(reason))


def measure(name: str) -> Measure:
    """
    Give the definition of a measure.

    Examples
    --------
    >>> measure("closed_rate").numerator
    'Deals won so far.'
    """
    return {**_funnel_measures(), **_cohort_measures(), **_rep_measures()}[name]


def _funnel_measures() -> dict[str, Measure]:
    return {
        "stage_accounting": Measure(
            name=_("Stage accounting"),
            what=_("How did each stay in a stage begin and end?"),
            definition=_(
                "entries = advanced + skipped + moved back + lost + handed off + removed + open; an "
                "entry is one unbroken stay of a deal in a stage."
            ),
            numerator=_("Entries with one outcome."),
            denominator=_("All entries into the stage."),
            source=_(
                "Stage history: stage events and the order of stages; formula of this project."
            ),
            caveats=(
                _("It counts visits, not deals: a deal that returns counts again."),
                _("Open entries may still end in any way."),
            ),
            not_for=_("Comparing stages by their share lost while many entries are open."),
        ),
        "step_conversion": Measure(
            name=_("Next-step conversion"),
            what=_("Of the deals that enter a stage, how many go on in time?"),
            definition=_(
                "Probability that a deal that entered the stage reaches any later stage or won "
                "within the days given; lost competes, open deals are followed until now."
            ),
            numerator=_("Deals that went on within the days given, one count per deal."),
            denominator=_("Deals that entered the stage; first visit."),
            source=_("First visits from stage history; Aalen-Johansen, Wilson interval."),
            caveats=(
                _("The lowest step is not yet the bottleneck: that depends on volume and value."),
                _("Small stages have wide intervals; read the interval."),
            ),
            not_for=_("Judging a person: what a deal was matters as much as who had it."),
        ),
        "cumulative": Measure(
            name=_("Cumulative conversion"),
            what=_("Of the deals created, how many reach each stage?"),
            definition=_(
                "Deals that touched the stage within the days given of their creation, divided by "
                "deals created at least that long ago (any-stage)."
            ),
            numerator=_("Deals that touched the stage in time."),
            denominator=_("Deals created at least that many days before the date of the report."),
            source=_("Deals and stage history; Wilson interval."),
            caveats=(
                _("Deals that skip a stage are missing there; the table shows two other counts."),
                _("Not the product of the steps."),
            ),
            not_for=_("Deals younger than the days given: they are left out, not failed."),
        ),
        "time_in_stage": Measure(
            name=_("Time in stage"),
            what=_("How long does a stay in each stage last?"),
            definition=_(
                "Kaplan-Meier median of the days from entry to any exit; open stays are followed "
                "until now."
            ),
            numerator="",
            denominator="",
            source=_("Stays from stage history; log-log interval."),
            caveats=(
                _("The median of completed stays alone is too short while the pipeline grows."),
                _("Days are calendar days."),
            ),
            not_for=_("Adding up stages to a sales cycle: medians do not add."),
        ),
    }


def _cohort_measures() -> dict[str, Measure]:
    return {
        "cohort_rate": Measure(
            name=_("Cohort win rate at an age"),
            what=_("Of the deals created, how many are won by that age?"),
            definition=_(
                "Probability that a deal is won by the age given: Aalen-Johansen incidence with "
                "lost as competing outcome, open deals followed until now."
            ),
            numerator=_("Deals won by that age."),
            denominator=_("Deals created, each for as long as it was followed."),
            source=_("Deals: created, closed, state; Wilson interval on the effective number."),
            caveats=(
                _("A cohort younger than the age is not yet mature: short, not low."),
                _("Deals closed in bulk leave it right, but wreck the closed win rate."),
            ),
            not_for=_("Deals older than any that was followed: beyond, nothing can be said."),
        ),
        "closed_rate": Measure(
            name=_("Closed win rate, beside the created and the with-stale win rate"),
            what=_("What would the usual dashboards say?"),
            definition=_("won / (won + lost), deals closed so far or in the month named."),
            numerator=_("Deals won so far."),
            denominator=_("Deals closed so far: won and lost."),
            source=_("Deals: state and date of closing; Wilson interval."),
            caveats=(
                _("Slow deals are missing, and losses that are logged late flatter it."),
                _("By month of closing it mixes deals of very different ages."),
            ),
            not_for=_("Comparing months or teams: use the cohort win rate at equal age."),
        ),
        "sales_cycle": Measure(
            name=_("Sales cycle"),
            what=_("How long did the won deals take?"),
            definition=_("Days from creation to won, won deals only, by month of winning."),
            numerator="",
            denominator="",
            source=_("Deals: created and closed."),
            caveats=(_("The won deals of a young cohort are the quick ones."),),
            not_for=_("Before-and-after comparisons: use the curve by age."),
        ),
    }


def _rep_measures() -> dict[str, Measure]:
    return {
        "shrunk_rate": Measure(
            name=_("Case-mix adjusted and shrunk rate"),
            what=_("Which share would a rep win of the whole team's deals?"),
            definition=_(
                "Posterior mean of the rep's cohort win rate on the team's deal mix; the fewer "
                "deals a rep has, the nearer to the rate of all."
            ),
            numerator=_("Deals won by the age given, against those expected from the mix."),
            denominator=_("The rep's deals created at least that long ago, closed or not."),
            source=_("Deals with owner and case mix; normal random effect, 95 % interval."),
            caveats=(
                _("It adjusts only for what the data say a rep was given."),
                _("The raw rate stands beside it."),
            ),
            not_for=_(
                "Dismissal or pay by itself: a place among others is not a written criterion."
            ),
        ),
        "rank": Measure(
            name=_("Rank interval"),
            what=_("Which places could a rep hold?"),
            definition=_(
                "5 % and 95 % quantiles of the rank over draws of all reps' rates; shown only "
                "when the reps differ by more than chance (p < 0.05)."
            ),
            numerator="",
            denominator="",
            source=_("The same model; chi² test on wins against expected wins."),
            caveats=(
                _("Neighbours can nearly always change places."),
                _("No rank is shown when the test does not tell the reps apart."),
            ),
            not_for=_("Forced distributions: judge against a criterion fixed before the period."),
        ),
        "attainment": Measure(
            name=_("Quota attainment"),
            what=_("How much of the quota is reached?"),
            definition=_("Credited amount divided by the prorated quota of the period."),
            numerator=_("Amounts of won deals, by the shares credited."),
            denominator=_("Quota, prorated for joining, leaving and ramp."),
            source=_("Quotas, credits and won deals."),
            caveats=(
                _("Persons need not add up to their team."),
                _("A running period is not comparable with a finished one."),
            ),
            not_for=_("Ranking ramping reps with ramped ones."),
        ),
    }
