"""
The words that charts, tables, sentences and page templates show to a reader.

Names that data carry (columns, outcomes, kinds of finding) become words here and nowhere else.
Every text passes `translate` when it is asked for, so that the language can be chosen late.
One word per thing: deal 商机, stage 阶段, won 赢单, lost 丢单, cohort 批次, as-of 截止时点.
"""

import gettext
import math
from typing import Any, NamedTuple

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


def text(both: Any) -> str:
    """
    Give a text of the process file, which has both languages (``en``, ``zh``), in the language in use.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> text(SimpleNamespace(en="Discovery", zh="需求确认"))
    'Discovery'
    """
    return both.zh if _language.startswith("zh") else both.en


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
    "sales_funnel": (
        *("stage_accounting", "step_conversion", "cumulative", "time_in_stage"),
        *("stage_lever", "opportunity_point", "velocity"),
    ),
    "cohort_conversion": ("cohort_rate", "closed_rate", "sales_cycle", "null_twin"),
    "rep_ranking": ("shrunk_rate", "rank", "attainment", "null_twin"),
    "scorecard": ("score", "evidence", "score_rank"),
    "kpi_audit": ("reliability", "leading", "influence"),
    "process_conformance": ("actions_in_time", "off_the_path", "worth"),
    "account_history": ("outstanding", "contact", "account_satisfaction"),
    "attention": ("value_at_stake", "needs_attention"),
    "incentives": ("payout", "clawback", "near_a_step"),
    "pipeline_forecast": (
        *("forecast_range", "forecast_trust", "pipeline_movements", "pipeline_coverage"),
        *("slip_rate", "push_count"),
    ),
    "change_impact": (
        *("change_verdict", "change_won", "change_days", "change_turnover", "change_satisfaction"),
        *("against_others", "null_twin"),
    ),
    "executive_summary": ("bookings_measure", "bridge_measure", "chance_measure", "worth_measure"),
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
    labels |= _labels_of_conformance()
    labels |= _labels_of_accounts()
    labels |= _labels_of_attention()
    labels |= _labels_of_incentives()
    labels |= _labels_of_summary()
    labels |= _labels_of_bottlenecks()
    labels |= _labels_of_twins()
    labels |= _labels_of_impact()
    labels |= _labels_of_forecast()
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


def _labels_of_accounts() -> dict[str, str]:
    return {
        "event": _("Event"),
        "event_day": _("Day"),
        "event_what": _("What"),
        "event_person": _("By, or about"),
        "deal_id": _("Deal"),
        "deal_created": _("Deal created"),
        "stage_entered": _("Stage entered"),
        "activity_planned": _("Activity planned"),
        "activity_done": _("Activity done"),
        "activity_overdue": _("Activity due, not done since"),
        "owner_changed": _("New owner"),
        "amount_changed": _("Amount changed"),
        "close_moved": _("Expected close moved"),
        "forecast_changed": _("Forecast category changed"),
        "probability_changed": _("Probability changed"),
        "satisfaction_asked": _("Asked about satisfaction"),
        "satisfaction_answered": _("Answered about satisfaction"),
        "paid": _("Paid"),
        "refunded": _("Refunded"),
        "created_on": _("Created"),
        "closed_on": _("Closed"),
        "expected_close": _("Expected close"),
        "n_pushes": _("Pushed back (times)"),
        "loss_reason": _("Reason of the loss"),
        "paid_amount": _("Paid"),
        "outstanding_amount": _("Outstanding"),
        "excess_amount": _("Paid beyond"),
        "n_activities": _("Activities done"),
        "n_planned": _("Planned"),
        "n_overdue": _("Of them overdue"),
        "last_contact_on": _("Last contact"),
        "entered_on": _("Entered"),
        "exited_on": _("Left"),
        "stay_days": _("Stay (days)"),
        "stay_outcome": _("Went"),
        "step": _("What to do"),
        "step_day": _("Day meant"),
        "step_days": _("Days since"),
        "step_person": _("Who"),
        "activity": _("Activity"),
        "person_name": _("Person"),
        "person_roles": _("Part in it"),
        "n_open_owned": _("Open deals owned now"),
        "first_on": _("First day"),
        "last_on": _("Last day"),
    }


def _labels_of_attention() -> dict[str, str]:
    return {
        "deal_at_stake": _("Deal"),
        "deal_number": _("Deal number"),
        "account": _("Account"),
        "listed_person": _("Who"),
        "listed_person_id": _("Id"),
        "task_rank": _("Rank of the person's"),
        "due": _("Due"),
        "action": _("What to do"),
        "action_and_why": _("What to do, and why"),
        "why_listed": _("Why"),
        "why_not": _("Why not"),
        "counts_when": _("An open deal counts when"),
        "currency": _("Currency"),
        "value_at_stake": _("At stake"),
        "won_from_here": _("Won from here"),
        "won_from_here_low": _("Won from here, lower limit"),
        "won_from_here_high": _("Won from here, upper limit"),
        "n_open_deals": _("Open deals"),
        "n_open_then": _("Deals open then"),
        "days": _("Days since entering"),
        "n_today": _("Today"),
        "n_waiting": _("Waiting"),
        "value_waiting": _("At stake in these"),
        "last_due": _("The last one comes up"),
    }


def _labels_of_bottlenecks() -> dict[str, str]:
    return {
        "benchmark_rate": _("Benchmark"),
        "benchmark_groups": _("Reached by"),
        "gain_per_month": _("Wins gained a month"),
        "top_share": _("Gains most: probability"),
        "amount_per_month": _("Amount gained a month"),
        "velocity_lever": _("Lever"),
        "velocity_meaning": _("What it is"),
        "velocity_value": _("Value"),
        "rest_rate": _("The rest"),
        "little_attention": _("What it gets little of"),
        "extra_wins_per_month": _("Wins more a month"),
        "extra_amount_per_month": _("Amount more a month"),
    }


def _labels_of_forecast() -> dict[str, str]:
    return {
        "forecast_period": _("Quarter"),
        "forecast_booked": _("Won already"),
        "forecast_median": _("Estimate"),
        "forecast_range80": _("Likely (80 %)"),
        "forecast_range95": _("Range (95 %)"),
        "reach_quota_share": _("Quota reached in"),
        "from_open": _("From deals open now"),
        "from_new": _("From deals not created yet"),
        "largest_deal_share": _("Largest deal decides"),
        "win_share": _("Chance to be won by then"),
        "expected_amount": _("Amount × chance"),
        "snapshot_on": _("Made at the end of"),
        "actual": _("What came"),
        "weighted_pipeline": _("Weighted pipeline said"),
        "last_quarter": _("Last 13 weeks said"),
        "forecast_method": _("Way of forecasting"),
        "crps": _("Typical miss"),
        "forecast_skill": _("Simulation better than this"),
        "forecast_bias": _("Said / came"),
        "forecast_held80": _("80 % range held"),
        "forecast_held95": _("95 % range held"),
        "brier": _("Chance score"),
        "said_share": _("Chance said"),
        "said_mean": _("Said on average"),
        "happened_rate": _("Came true"),
        "waterfall_step": _("Step"),
        "amount_before": _("Amount before"),
        "amount_after": _("Amount after"),
        "close_before": _("Expected close before"),
        "close_after": _("Expected close after"),
        "seen_on": _("Pipeline at the end of"),
        "n_open_due": _("Open and due"),
        "amount_open_due": _("Open and due, amount"),
        "n_from": _("Won from it"),
        "n_other": _("Won from others"),
        "amount_from": _("Won from it"),
        "amount_other": _("Won from others"),
        "yield_ratio": _("Yield"),
        "remaining_quota": _("Left of the quota"),
        "coverage": _("Coverage"),
        "n_slipped": _("Slipped"),
        "slipped_rate": _("Slip rate"),
        "due_won_rate": _("Won of those due"),
        "amount_due": _("Amount due"),
        "amount_slipped": _("Amount slipped"),
        "pushes": _("Moved to a later day"),
        "push_open": _("Open now"),
        "push_won": _("Won"),
        "push_lost": _("Lost"),
    }


def _labels_of_incentives() -> dict[str, str]:
    return {
        "plan": _("Plan"),
        "counted_amount": _("Amount that counts"),
        "tier": _("Tier"),
        "gross": _("Gross"),
        "gate": _("Gates"),
        "cap": _("Cap"),
        "clawback": _("Taken back"),
        "payout": _("Payout"),
        "pay": _("Pays"),
        "credit": _("Credit"),
        "deal_amount": _("Amount of the deal"),
        "counts_on": _("Counts on"),
        "n_people": _("People"),
        "n_paid": _("Paid more than nothing"),
        "payout_share": _("Share of the amount that counts"),
        "pay_share": _("Share of the gross"),
        "next_step": _("Next step"),
        "step_at": _("Step at"),
        "next_rate": _("Rate from there"),
        "missing": _("Missing to it"),
        "jump": _("Jump on reaching it"),
        "at_least": _("At least"),
        "pays": _("Left if closed"),
    }


def _labels_of_impact() -> dict[str, str]:
    return {
        "impact_measure": _("Measure"),
        "impact_verdict": _("Verdict"),
        "impact_before": _("Before"),
        "impact_after": _("Since"),
        "impact_effect": _("Change"),
        "impact_joint_range": _("Likely"),
        "impact_control_before": _("Comparison group, before"),
        "impact_control_after": _("Comparison group, since"),
        "impact_against_control": _("Change beyond the comparison group"),
        "impact_n_both": _("Number, before → since"),
        "impact_usual_figure": _("Usual figure"),
        "impact_naive_before": _("Dashboard, before"),
        "impact_naive_after": _("Dashboard, since"),
        "impact_naive_p_value": _("p of the usual test"),
        "impact_twin_median": _("Since, if nothing had changed (median)"),
        "impact_twin_span": _("95 % of the time within"),
        "impact_twin_p_value": _("p of the twin"),
        "impact_at_equal_age": _("Verdict at equal age"),
        "impact_arm": _("Which"),
        "impact_period_of_change": _("When"),
        "impact_cell": _("Kind of deal"),
        "impact_placebo_day": _("If the change had been on"),
        "impact_placebo_range": _("97.5 % interval"),
        "impact_is_found": _("Found"),
        "impact_is_true_day": _("Is it the change?"),
        "impact_mix_effect": _("By the mix (points)"),
        "impact_mix_rate_effect": _("By the rate (points)"),
        "shown_age": _("By age (days)"),
        "n_treated": _("Deals, changed"),
        "treated_rate": _("Won, changed"),
        "n_control": _("Deals, did not change"),
        "control_rate": _("Won, did not change"),
        "n_before": _("Deals before"),
        "n_after": _("Deals since"),
        "share_before": _("Share of deals before"),
        "share_after": _("Share of deals since"),
        "rate_before": _("Won before"),
        "rate_after": _("Won since"),
        "before_rate": _("Won before"),
        "expected_rate": _("Expected without an effect"),
        "after_rate": _("Won since"),
    }


def _labels_of_twins() -> dict[str, str]:
    return {
        "twin_figure": _("Figure"),
        "twin_seen": _("On your data"),
        "twin_range": _("95 % range"),
        "twin_best_rate": _("Highest share won"),
        "twin_worst_rate": _("Lowest share won"),
        "twin_spread": _("Distance between them (points)"),
        "twin_n_flagged_low": _("Reps marked “below the others”"),
        "twin_chi2": _("Whole list against luck (chi²)"),
        "twin_mean_cycle_days": _("Mean sales cycle of the won (days)"),
        "twin_won_created_rate": _("Created win rate, so far"),
        "twin_won_closed_rate": _("Closed win rate, so far"),
    }


def _labels_of_summary() -> dict[str, str]:
    return {
        "worth_in_a_quarter": _("Worth in a quarter"),
        "who_acts": _("Who"),
        "evidence_page": _("Shown on page"),
        "kind_of_deal": _("Kind of deal"),
        "n_closed": _("Deals closed"),
        "share_won": _("Share won"),
        "mean_amount": _("Mean amount of the won"),
        "bookings": _("Bookings"),
        "target": _("Target"),
        "n_no_amount": _("Won without an amount"),
        "quarter_of_bookings": _("Quarter"),
        "mover": _("Team, segment or product"),
        "change_amount": _("Change"),
        "change_share": _("In per cent"),
        "chance_alone": _("Chance alone"),
        "is_beyond_chance": _("Is it real?"),
        "n_won_both": _("Deals won"),
        "bridge_step": _("Cause"),
        "bridge_value": _("Effect"),
        "bridge_meaning": _("What it is"),
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


def _labels_of_conformance() -> dict[str, str]:
    return {
        "actions": _("Required actions"),
        "n_settled": _("Entries settled"),
        "n_ended_early": _("Ended too early to be judged"),
        "n_judged": _("Judged"),
        "n_done": _("With all actions in time"),
        "n_missed": _("With actions missed"),
        "n_pending": _("Still to be judged"),
        "done_rate": _("Done in time"),
        "expected_done": _("With all actions, expected"),
        "n_entered": _("Entries begun"),
        "n_repeat": _("Entered again"),
        "n_ping_pong": _("Of these straight back"),
        "n_moved_back": _("Left by moving back"),
        "n_arrived": _("Deals that came so far"),
        "n_passed": _("Passed over it"),
        "n_over": _("Stayed longer"),
        "over_rate": _("Stayed longer, share"),
        "over_median_days": _("Days beyond, median"),
        "sla_days": _("Days allowed"),
        "n_matured": _("Deals with the days over"),
        "n_converted": _("Gone on by then"),
        "conversion_rate": _("Gone on within the days"),
        "target_conversion": _("Target"),
        "against_target": _("Against the target"),
        "n_visits": _("Deals that entered"),
        "landmark_days": _("Compared from day"),
        "n_gone": _("Gone by then or too young"),
        "n_with": _("With the actions"),
        "advanced_with": _("Of these gone on"),
        "with_rate": _("Gone on, with"),
        "n_without": _("Without"),
        "advanced_without": _("Of these gone on"),
        "without_rate": _("Gone on, without"),
        "difference_points": _("Difference (points)"),
        "change_points": _("Against the period before (points)"),
        "period_name": _("Period"),
        "crm_stage": _("In the CRM"),
        "goal": _("Goal"),
        "role": _("Responsible"),
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
        "incomplete_lines": _("Deals of which a line was set aside: their amount is not whole"),
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
        "lines_disagree": _("A line that differs from its deal's first line in more than money"),
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
    return {
        **_funnel_measures(),
        **_cohort_measures(),
        **_rep_measures(),
        **_account_measures(),
        **_scorecard_measures(),
        **_conformance_measures(),
        **_audit_measures(),
        **_attention_measures(),
        **_incentive_measures(),
        **_forecast_measures(),
        **_summary_measures(),
        **_bottleneck_measures(),
        **_twin_measures(),
        **_impact_measures(),
    }[name]


def _attention_measures() -> dict[str, Measure]:
    return {
        "value_at_stake": Measure(
            name=_("Value at stake"),
            what=_("How much of a deal's amount is likely to be won, and so can be lost?"),
            definition=_(
                "Amount × share of the company's own deals that were won from the same stage, open after as many days "
                "since they first entered it."
            ),
            numerator="",
            denominator="",
            source=_(
                "Deals and first visits to stages; Aalen-Johansen from entering the stage, lost competing, open deals "
                "followed until now, given that the deal is open after that many days."
            ),
            caveats=(
                _("It knows stage, days and amount only, not the customer."),
                _(
                    "Few deals are followed for long: the chance of an old deal is rough, see its interval."
                ),
                _(
                    "Fewer than 20 deals open that long in the stage: the share of all stages together is taken."
                ),
            ),
            not_for=_("Forecasting a quarter: it says nothing of when."),
        ),
        "needs_attention": Measure(
            name=_("Needs attention"),
            what=_("Which open deals does somebody have to do something about, and who first?"),
            definition=_(
                "Open deals with one reason or more of the list above, ranked by value at stake; those whose value is not "
                "known come last, by number of reasons. The action is that of the first reason; the owner has it, or the "
                "manager of an owner who has left."
            ),
            numerator="",
            denominator="",
            source=_(
                "Deals, stage history, activities and changes; days and actions of the process file."
            ),
            caveats=(
                _(
                    "What was done but not entered is missing here: enter it, and the deal leaves the list."
                ),
                _("A reason is a question to the deal, no fault of a person."),
                _(
                    "Each person gets so many a day; the days are weekdays, public holidays are not known."
                ),
            ),
            not_for=_("Judging a person: a longer list often means more deals, or better records."),
        ),
    }


def _bottleneck_measures() -> dict[str, Measure]:
    return {
        "stage_lever": Measure(
            name=_("Wins gained at a stage"),
            what=_("Which step is worth improving first?"),
            definition=_(
                "Leads a month × share of leads won × (benchmark / own rate − 1), not below 0; the share of leads won is "
                "the product of the step rates. Benchmark: the rate that the better quarter of the groups reaches."
            ),
            numerator="",
            denominator="",
            source=_(
                "First visits from stage history; rates of groups by a normal random effect; range and probability from "
                "draws of the step rates."
            ),
            caveats=(
                _("It says what the rate is worth, not how to raise it, nor what that costs."),
                _("Where deals skip a stage its gain counts only the winners that passed it."),
                _("The benchmark itself is an estimate and taken as given."),
            ),
            not_for=_("Judging a team: what it was given matters as much as how it works."),
        ),
        "opportunity_point": Measure(
            name=_("Opportunity point"),
            what=_("Which segment converts well and gets little attention?"),
            definition=_(
                "A segment whose cohort win rate is above that of the rest (q < 0.05) and which has fewer activities a "
                "week than the rest, or a share of the new deals below the average of its kind that does not grow."
            ),
            numerator="",
            denominator="",
            source=_(
                "Deals and done activities; Aalen-Johansen with MOVER interval; Benjamini-Hochberg."
            ),
            caveats=(
                _("The next deals of a segment may convert less well than those it had so far."),
                _("Chosen because they look good: expect somewhat less."),
            ),
            not_for=_("Proof that more attention brings more wins: try it with some deals first."),
        ),
        "velocity": Measure(
            name=_("Sales velocity, as its four levers"),
            what=_("What do the four numbers of the usual formula stand at?"),
            definition=_("Open deals × mean won amount × closed win rate / cycle days."),
            numerator="",
            denominator="",
            source=_("Deals: state, amount, created and closed."),
            caveats=(_("A longer cycle makes more open deals, which the formula counts as good."),),
            not_for=_("Finding a bottleneck, or comparing teams."),
        ),
    }


def _forecast_measures() -> dict[str, Measure]:
    return {
        "forecast_range": Measure(
            name=_("Forecast of a quarter"),
            what=_("What will be won until the end of the quarter, and how sure is that?"),
            definition=_(
                "What is won already, and what simulated weeks bring: every open deal goes on, is lost or stays as deals of "
                "its stage and time in it did in the last year's weeks, and new deals come in as they did."
            ),
            numerator="",
            denominator="",
            source=_(
                "Stage history and closings of at most 52 weeks, as known on the as-of date; amounts of open deals, of new "
                "ones drawn from the latest won."
            ),
            caveats=(
                _("It takes the weeks to come to be like the last year's: a change shows up late."),
                _("It knows stage, time in it and amount, not the customer nor what a rep knows."),
                _("The estimate is the middle of the range, not a promise."),
            ),
            not_for=_("Judging a person, or setting a quota."),
        ),
        "forecast_trust": Measure(
            name=_("Back-test"),
            what=_("Would such forecasts have come true?"),
            definition=_(
                "The same forecast made as of days of the past, from what was known then, for the 13 weeks after; compared "
                "with what came, beside the weighted pipeline and the last 13 weeks."
            ),
            numerator="",
            denominator="",
            source=_("Snapshots six weeks apart; CRPS, Brier score, Wilson intervals."),
            caveats=(
                _("Neighbouring snapshots share half of their weeks: eight are worth about four."),
                _(
                    "Where past 80 % ranges held less often, they are widened here: a rule of thumb."
                ),
            ),
            not_for=_("A promise that the next one holds."),
        ),
        "pipeline_movements": Measure(
            name=_("Pipeline movements"),
            what=_("Where did the pipeline of a quarter go?"),
            definition=_(
                "Start + created + pulled in + reopened + increased − decreased − pushed out − won − lost − removed = end, "
                "to the cent, of open deals whose expected close lies in the quarter, as known at its start and its end."
            ),
            numerator="",
            denominator="",
            source=_("Deals, changes of amount and of expected close."),
            caveats=(
                _("Net between start and end: a move that was taken back does not show."),
                _("A deal that is won counts as due in the quarter it is won in."),
                _("Open deals without a date, or with one that is over, are counted apart."),
            ),
            not_for=_("Stage conversion: see the sales funnel."),
        ),
        "pipeline_coverage": Measure(
            name=_("Coverage"),
            what=_("Is there enough pipeline for what is left of the quota?"),
            definition=_(
                "Open amount due in the quarter / (quota − won already). What is needed: 1 / mean past yield, yield being all "
                "that was won in the rest of a quarter by its pipeline at the same week."
            ),
            numerator=_("Amount of open deals due in the quarter."),
            denominator=_("Quotas of the teams together, less what is won in the quarter."),
            source=_("Deals, changes of expected close as then known, quotas of teams."),
            caveats=(
                _("“3 × the quota” is folklore: what is needed is the company's own past."),
                _("It is not 1 / win rate: deals created and won within the quarter count too."),
            ),
            not_for=_("Comparing companies, or quarters at different weeks."),
        ),
        "slip_rate": Measure(
            name=_("Slip rate"),
            what=_("How many of the deals due in a quarter were still open at its end?"),
            definition=_(
                "Still open at the end of the quarter / open and due in it as known at its start. Won + lost + removed + "
                "slipped = all."
            ),
            numerator=_("Deals still open at the end."),
            denominator=_("Deals due in the quarter as known at its start."),
            source=_(
                "Deals and changes of expected close, as known on the two days; Wilson interval."
            ),
            caveats=(
                _("The set is fixed at the start: one fixed later hides slips."),
                _("Deals created in the quarter are not in it."),
            ),
            not_for=_("Judging a rep: dates that are entered with care slip too."),
        ),
        "push_count": Measure(
            name=_("Push count"),
            what=_("How often is the expected close moved to a later day?"),
            definition=_("Changes of the expected close to a later day, per deal."),
            numerator="",
            denominator="",
            source=_("Changes of expected close."),
            caveats=(
                _("Deals that live longer have more time to be moved: no cause of anything."),
            ),
            not_for=_("Predicting a single deal."),
        ),
    }


def _incentive_measures() -> dict[str, Measure]:
    return {
        "payout": Measure(
            name=_("Payout"),
            what=_("What do the plans pay a person for a period?"),
            definition=_(
                "Sum over the person's lines: part of an amount in a tier × rate × accelerators, less what gates and "
                "cap withhold and what is taken back. Each amount is rounded to the cent once, a half away from zero."
            ),
            numerator="",
            denominator="",
            source=_(
                "Process file: plans in force on the first day; won deals, credits, quotas, payments. The cents a "
                "split leaves over go to the largest remainders, so that no cent of a deal is lost or paid twice."
            ),
            caveats=(
                _(
                    "A deal counts if it is won at the end of the period; later changes come as lines of their own."
                ),
                _(
                    "An amount or a share of credit that is corrected later changes the statement made again."
                ),
                _(
                    "Who was not there in the period has no plan in it; the quota goes by the days employed."
                ),
            ),
            not_for=_("Paying without a person's approval, or ranking people."),
        ),
        "clawback": Measure(
            name=_("Clawback"),
            what=_("What is taken back, and for what?"),
            definition=_(
                "What the line was paid, after the gates and the cap of its period, × the share refunded, or all of it "
                "where the deal is no longer won; within the plan's days after winning, never more than was paid."
            ),
            numerator="",
            denominator="",
            source=_("Payments below zero, and deals that were won and are not any more."),
            caveats=(
                _("Refunds count against what was paid net, at most the deal's amount."),
                _("A deal won again is paid again only as far as it was taken back."),
            ),
            not_for=_("Deals whose days are over, whatever happens to them."),
        ),
        "near_a_step": Measure(
            name=_("Near the next step"),
            what=_("Who needs little to the next rate?"),
            definition=_(
                "The amount missing to the next step is at most a tenth of the step, steps taken from the quota of the "
                "whole period."
            ),
            numerator="",
            denominator="",
            source=_("The same lines."),
            caveats=(_("A step that pays a jump also rewards moving a deal's date."),),
            not_for=_("Pressing a customer to sign early."),
        ),
    }


def _summary_measures() -> dict[str, Measure]:
    return {
        "bookings_measure": Measure(
            name=_("Bookings of a quarter"),
            what=_("What did we win, against target and the quarter before?"),
            definition=_(
                "Amounts of the deals won as of the day, in the last quarter that is over, by day of winning. "
                "Target: amount quotas of all teams, without these of the persons who manage nobody with one."
            ),
            numerator=_("For the attainment: bookings."),
            denominator=_("For the attainment: the target."),
            source=_("Deals and quotas; where no won deal has an amount, deals are counted."),
            caveats=(
                _("A deal opened again since is not in it."),
                _("One or two large deals can decide a quarter: read the range."),
            ),
            not_for=_("A quarter that the source did not record from its first day: it is n/a."),
        ),
        "bridge_measure": Measure(
            name=_("Why bookings changed"),
            what=_("How much of the change is number, kind, share won or amount of the deals?"),
            definition=_(
                "Bookings = deals closed × sum over kinds of (share of the deals closed × share won × mean amount). Each "
                "cause is what changing it alone does, averaged over all orders (Shapley), so that they add up."
            ),
            numerator="",
            denominator="",
            source=_(
                "Deals closed in both quarters; ranges from draws of the number closed (gamma), shares (Dirichlet), shares "
                "won (beta) and mean amounts (inverse gamma)."
            ),
            caveats=(
                _(
                    "Deals count when they close: losses recorded late lower the share won. The cohort win rate is free of that."
                ),
                _("A cause is arithmetic, not a reason: why fewer were won it does not say."),
            ),
            not_for=_("Judging a team on one quarter."),
        ),
        "chance_measure": Measure(
            name=_("Chance alone, of a team, segment or product"),
            what=_("How large a change says nothing?"),
            definition=_(
                "z × root of the sum of squared amounts of the deals won in both quarters: how far the difference moves if "
                "each could as well have been won in the other one. z for all groups compared together (Bonferroni)."
            ),
            numerator="",
            denominator="",
            source=_("Won deals of both quarters."),
            caveats=(
                _(
                    "The largest changes are shown because they are large: most of them shrink in the next quarter."
                ),
            ),
            not_for=_("Proof that nothing changed where a change is smaller."),
        ),
        "worth_measure": Measure(
            name=_("Worth of an action"),
            what=_("Which action is worth most in a quarter?"),
            definition=_(
                "Rolling a change out: its effect on the win rate against the groups that did not change × deals that the "
                "others are given in a quarter × their mean won amount. A stage: wins gained at the rate others reach. A "
                "segment: wins gained at an average share of the new deals. Deals to decide on: amount × chance in this "
                "quarter and the next. Pipeline: what it lacks of the target at the usual yield. Old deals: amount × share won."
            ),
            numerator="",
            denominator="",
            source=_("The pages named beside each action; the range is that of the effect."),
            caveats=(
                _(
                    "Gained, at stake, missing and counted on too much are not the same, though all are money."
                ),
                _("Worths overlap: they must not be added up."),
            ),
            not_for=_("A promise: what worked there may work less here."),
        ),
    }


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


def _impact_measures() -> dict[str, Measure]:
    return {
        "change_verdict": Measure(
            name=_("Verdict on a change"),
            what=_(
                "Is it more than chance, than the youth of the deals, than what changed everywhere?"
            ),
            definition=_(
                "The first that applies. Not estimable: too few cases, or not followed long enough. Artefact possible: the "
                "range of the change holds none, while the dashboard's usual test finds one and the null twin shows the "
                "same. Compatible with no change: the range holds none, or it is no more than a return to normal. Changed, "
                "cause open: it is more, but nobody is left to compare with, or the others may have moved as well. Changed "
                "against the comparison group: those that changed moved more than the others, the same way."
            ),
            numerator="",
            denominator="",
            source=_(
                "Each measure below; ranges hold for all measures together (Bonferroni), so that where nothing changed, a "
                "page says “changed” of any measure in at most 5 % of cases."
            ),
            caveats=(
                _("Compatible with no change is not the same as proof of none: read the range."),
                _("With less than 90 days since the change every verdict is provisional."),
                _("Whoever changed was not drawn by lot: another reason may lie behind both."),
            ),
            not_for=_("Judging a person, or a promise that the same happens elsewhere."),
        ),
        "change_won": Measure(
            name=_("Share won, before and since"),
            what=_("Are more of the deals created since the change won by the same age?"),
            definition=_(
                "Probability that a deal is won by the age named, lost competing. Deals created before the change are "
                "followed until the day before it, those created since until now."
            ),
            numerator=_("Deals won by that age."),
            denominator=_("Deals created, each for as long as it was followed."),
            source=_(
                "Deals by the group they were given to; Aalen-Johansen, Wilson on the effective number of independent "
                "deals (those of one rep are alike), MOVER for the change."
            ),
            caveats=(
                _("Read at a lower age where the one asked for is not reached."),
                _("Deals stay with the group they were given to, whoever closes them."),
            ),
            not_for=_("Deals that are younger than the age: they are followed, not failed."),
        ),
        "change_days": Measure(
            name=_("Days a deal stays open, and days to the win"),
            what=_("Do deals go faster, young ones and old ones alike?"),
            definition=_(
                "Days open: mean of the first so many days of each deal in which it is open, closed either way (restricted "
                "mean of Kaplan and Meier). Days to the win: mean age at the win of those won within so many days, as if "
                "all had been followed that long."
            ),
            numerator="",
            denominator="",
            source=_(
                "The same deals; normal range, widened by how alike the deals of one rep are."
            ),
            caveats=(
                _("Losing earlier shortens the days open as well: read it with the share won."),
                _("Both are about the first days named, not about the longest deals."),
            ),
            not_for=_(
                "The mean of the won deals on a dashboard, which is short while deals are young."
            ),
        ),
        "change_turnover": Measure(
            name=_("People who leave, a year"),
            what=_("Do fewer people leave?"),
            definition=_("People who left, divided by the years people were in these teams."),
            numerator=_("People who left in the time."),
            denominator=_("Person-years in the time."),
            source=_("People and their spells in teams; exact range of the ratio of two rates."),
            caveats=(
                _("A team loses few people: the range is wide, and one more leaver moves it far."),
            ),
            not_for=_("Saying why somebody left."),
        ),
        "change_satisfaction": Measure(
            name=_("Satisfaction, and who answers"),
            what=_("Are customers more content, and do the same kinds of them answer?"),
            definition=_(
                "Mean score as a share of full marks, of answers within 30 days of asking; beside it the share of those "
                "asked who answer."
            ),
            numerator=_("For the second: answers within 30 days."),
            denominator=_("For the second: questions asked at least 30 days ago."),
            source=_(
                "Satisfaction questions; Welch's range and the rank test of Mann and Whitney."
            ),
            caveats=(
                _("If fewer answer, it may be the discontent who fell silent: read both together."),
            ),
            not_for=_("Comparing with another firm's scale or question."),
        ),
        "against_others": Measure(
            name=_("Beyond the comparison group"),
            what=_("Did those that changed move more than those that did not?"),
            definition=_(
                "Change of those that changed less the change of the others at the same time (for people who leave: one "
                "ratio over the other)."
            ),
            numerator="",
            denominator="",
            source=_(
                "Both changes with their ranges; MOVER on the two, exact for people who leave."
            ),
            caveats=(
                _("It takes out what happened to all, not what happened to one group only."),
                _("Groups that learn from those that changed make the effect look smaller."),
            ),
            not_for=_("Groups that were chosen because of what came afterwards."),
        ),
    }


def _twin_measures() -> dict[str, Measure]:
    return {
        "null_twin": Measure(
            name=_("Null twin"),
            what=_("What would the usual figure have shown if nothing differed?"),
            definition=_(
                "The same deals, dates and groups with outcomes drawn anew, as if all reps were equally good or the "
                "recent deals went like the earlier ones. The figure is computed on each such copy: median and "
                "95 % range."
            ),
            numerator=_(
                "For p: copies that show as much as the data or more, in the direction of the claim, and one."
            ),
            denominator=_("For p: copies drawn, and one."),
            source=_(
                "Deals: owner, case mix, created, closed, state. Equal reps: the case-mix model of the ranking. Nothing "
                "changed: Aalen-Johansen incidence of the earlier deals, these drawn anew in each copy."
            ),
            caveats=(
                _(
                    "A figure inside the range is no proof that nothing differed; it is no evidence that it did."
                ),
                _("A figure outside of it says that something differed, not what."),
            ),
            not_for=_("Naming a cause: seasons, sources and territories differ too."),
        ),
    }


def _account_measures() -> dict[str, Measure]:
    return {
        "outstanding": Measure(
            name=_("Outstanding amount"),
            what=_("What has this customer bought and not paid yet?"),
            definition=_(
                "Amount of each won deal less its payments, never below 0; refunds are negative payments. What was "
                "paid beyond the amount, or for a deal that is not won, stands apart: won + beyond = paid + outstanding."
            ),
            numerator="",
            denominator="",
            source=_("Won deals and payments as known on the day of the report."),
            caveats=(
                _("It knows no terms of payment: outstanding is not yet late."),
                _("A won deal without an amount is in none of the sums; the table shows it."),
            ),
            not_for=_("The balance of an account: invoices and credit notes are not in a CRM."),
        ),
        "contact": Measure(
            name=_("Contact"),
            what=_("When did we last do something with this customer?"),
            definition=_(
                "Day of the last activity recorded as done on one of the customer's deals."
            ),
            numerator="",
            denominator="",
            source=_("Activities with a day done, not later than the day of the report."),
            caveats=(
                _("What was not recorded is not seen; a mail that was not answered counts."),
                _("Activities without a deal belong to no customer here."),
            ),
            not_for=_("Judging a person: the number of activities is easy to raise."),
        ),
        "account_satisfaction": Measure(
            name=_("Satisfaction of the customer"),
            what=_("What did this customer answer?"),
            definition=_("Mean of score / scale over all answers that have both."),
            numerator=_("Sum of score / scale."),
            denominator=_(
                "Answers with a score and its scale; questions not answered are not in it."
            ),
            source=_(
                "Satisfaction questions about the customer's deals or the customer as a whole."
            ),
            caveats=(
                _("A handful of answers: read them one by one in the timeline."),
                _("Who does not answer may think otherwise."),
            ),
            not_for=_("Comparing customers or reps."),
        ),
    }


def _scorecard_measures() -> dict[str, Measure]:
    return {
        "score": Measure(
            name=_("Scorecard score"),
            what=_("How far does a person meet the criteria fixed before the period?"),
            definition=_(
                "Sum of weight × points over the judged KPIs; points = 100 × (value − floor) / (target − floor), from "
                "0 to the cap. Geometric: the weighted geometric mean, points below 1 counted as 1."
            ),
            numerator="",
            denominator="",
            source=_(
                "Process file: KPIs, floors, targets and weights in force on the first day of the period."
            ),
            caveats=(
                _(
                    "It compares with anchors, never with colleagues: a newcomer moves nobody's score."
                ),
                _(
                    "The interval holds the luck of a period: the same work can give any score in it."
                ),
            ),
            not_for=_(
                "Deciding on pay, transfer or dismissal by itself: a person decides, with the evidence."
            ),
        ),
        "evidence": Measure(
            name=_("Evidence"),
            what=_("Is there enough to judge a KPI at all?"),
            definition=_(
                "Cases behind a value in the period, in the unit of its measure. Below the least number of the process "
                "file the KPI cannot be judged, and its weight goes to the others in proportion."
            ),
            numerator="",
            denominator="",
            source=_(
                "The tables each measure is made from; outcomes that need time count when the time is over."
            ),
            caveats=(
                _("With too little of the weight judged the whole score cannot be judged."),
                _("Cannot be judged is a valid result, not a bad one."),
            ),
            not_for=_("Filling a gap with zero points."),
        ),
        "score_rank": Measure(
            name=_("Rank interval of a score"),
            what=_("Which places could a person hold?"),
            definition=_(
                "5 % and 95 % quantiles of the rank when every KPI value is drawn from what its evidence allows."
            ),
            numerator="",
            denominator="",
            source=_("Beta, gamma and t draws of the KPI values; exact shares of weightings."),
            caveats=(
                _("Among people of the same role and ramp state only."),
                _(
                    "Between neighbours the order often depends on the weights; the table says how far."
                ),
            ),
            not_for=_("Forced distributions."),
        ),
    }


def _audit_measures() -> dict[str, Measure]:
    return {
        "reliability": Measure(
            name=_("Reliability of a KPI"),
            what=_("How much of the differences between people is signal, how much is luck?"),
            definition=_(
                "Correlation r of the values of odd and of even weeks over people, stepped up to the whole period: "
                "2r / (1 + r); a negative one shows no signal and counts as 0."
            ),
            numerator="",
            denominator="",
            source=_("Evidence of each KPI by day; Spearman-Brown; 8 or more people or teams."),
            caveats=(
                _("Few people give wide intervals."),
                _("A KPI can be reliable and still measure the wrong thing."),
            ),
            not_for=_(
                "Saying that a person's value is right: that is what the interval of the value says."
            ),
        ),
        "leading": Measure(
            name=_("Leading or mirroring"),
            what=_("Does the result rise after the KPI rose, in the same person?"),
            definition=_(
                "Slope of the next period's result on the KPI, both as deviations from the person's own mean; errors "
                "clustered by person. An interval that holds 0 does not show a leading KPI."
            ),
            numerator="",
            denominator="",
            source=_("KPI values of several periods; the result KPI with the largest weight."),
            caveats=(
                _(
                    "The plain correlation finds a leading KPI wherever able people do more of everything."
                ),
                _("Four periods are few: not shown is not the same as not there."),
            ),
            not_for=_("A promise that more of it brings more results."),
        ),
        "influence": Measure(
            name=_("Influence over weight"),
            what=_("Does a KPI move the score as much as its weight says?"),
            definition=_(
                "cov(points of the score it adds, score) / var(score), over its weight; 1 is as said."
            ),
            numerator="",
            denominator="",
            source=_("Contributions of the people judged on all KPIs compared."),
            caveats=(
                _("A KPI on which all have the same points moves nothing, whatever its weight."),
            ),
            not_for=_("KPIs judged for few people: they are left out."),
        ),
    }


def _conformance_measures() -> dict[str, Measure]:
    return {
        "actions_in_time": Measure(
            name=_("Required actions done in time"),
            what=_("Of the entries into a stage, how many got what the process asks for?"),
            definition=_(
                "Entries with every required action done in the stage and within its days allowed, divided by the "
                "entries judged: on the day they went on, or when the days were over."
            ),
            numerator=_("Entries judged in the period with all required actions in time."),
            denominator=_("Entries judged in the period; lost or removed before that: not judged."),
            source=_(
                "Process file, stage history and done activities of the deal; Wilson interval."
            ),
            caveats=(
                _("What was done and not entered in the CRM counts as not done."),
                _("It counts that something was done, not how well."),
            ),
            not_for=_(
                "A judgement of a person by itself: few entries, and not every deal needs all."
            ),
        ),
        "off_the_path": Measure(
            name=_("Skips, returns and days beyond"),
            what=_("Where do deals leave the path of the process?"),
            definition=_(
                "Passed over: came to a later stage, or won, before it was ever entered. Entered again: a deal that was "
                "in the stage before; straight back: A, B, A. Stayed longer: more days than allowed."
            ),
            numerator="",
            denominator="",
            source=_(
                "Stage history; days beyond: Kaplan-Meier median, open stays followed until now."
            ),
            caveats=(
                _("A stage that many deals pass over may be not needed, or not recorded."),
                _("Reopened deals enter again without anybody's fault."),
            ),
            not_for=_("Blaming a person: it is a fault of the process first."),
        ),
        "worth": Measure(
            name=_("With and without the actions, at equal age"),
            what=_("Do deals that get the required actions go on more often?"),
            definition=_(
                "Deals still in the stage at the end of a fixed day (landmark), by whether the actions were done until "
                "then: share that reaches a later stage or won within the days named after it; difference of the two."
            ),
            numerator=_("Deals that went on within the days named after the landmark."),
            denominator=_(
                "First visits still in the stage at the landmark, each for as long as it was followed."
            ),
            source=_(
                "First visits since the rule began and done activities; Aalen-Johansen, MOVER interval; like with like: "
                "Mantel-Haenszel over stage, team and quarter."
            ),
            caveats=(
                _("An association: who gets the actions is chosen by people who know the deal."),
                _("Deals that leave before the landmark are in neither group."),
            ),
            not_for=_(
                "Proof that an action helps, or a forecast of what more actions would bring."
            ),
        ),
    }
