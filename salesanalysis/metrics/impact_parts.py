"""What `impact` compares: the change as it is told, the deals before and after it, and one estimate per measure."""

import datetime
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from salesanalysis.crm.errors import ParameterError
from salesanalysis.crm.seen import Seen
from salesanalysis.metrics import quality, staff
from salesanalysis.statistics import (
    comparisons,
    influence,
    proportions,
    rates,
    survival,
)

BY = ("team", "region", "source", "segment", "product")
FEWEST_DAYS = 60  # before the change and since, below which nothing is compared
FOLLOWED = 20  # deals of each group that must have been seen up to an age, for the age to be used
AGES = (90, 60, 45, 30)  # at which the win rate is read where the one asked for is too high
LONGEST = 180  # days of a deal's life that the cycle is about, at most
SHORTEST = 30
FEWEST_CLOSED, FEWEST_WON = 20, 30  # deals that a mean of days needs of each side
ANSWER_DAYS = 30
FEWEST_ANSWERS = 10
DAYS_OF_A_YEAR = 365.25
ARMS = ("treated", "control")
PERIODS = ("before", "after")


class Change(NamedTuple):
    """A change as it is told: the day, and the groups that changed and those that did not."""

    changed_on: datetime.date | None
    by: str
    treated: tuple[str, ...]  # none: everybody
    control: tuple[str, ...]  # none: nobody
    problem: str | None


def read_change(
    seen: Seen, changed_on: str, by: str, treated: Sequence[str], control: Sequence[str]
) -> Change:
    """
    Check what is said of a change, and find the groups to compare with.

    Parameters
    ----------
    seen : Seen
    changed_on : day on which the change began, such as 2025-09-01; "" if there is none to look at
    by : team (default where ""), region, source, segment or product: what the groups are groups of
    treated : groups that changed; none: everybody
    control : groups that did not; none: all others that have deals before and since

    Returns
    -------
    Change
        ``control`` holds the groups found, and is empty where nobody is left to compare with. ``problem`` says why
        nothing can be compared: not_named (no day; groups are then not looked at), unknown_groups (``treated`` then holds those that the
        source does not know), outside_data (the day is not between the first deal and the as-of date),
        too_short_before, too_short_after (fewer than 60 days); None if it can.

    Raises
    ------
    ParameterError
        Not a day, no such `by`, or a group that is both treated and control.
    """
    by = by or "team"
    treated, control = tuple(dict.fromkeys(treated)), tuple(dict.fromkeys(control))
    if by not in BY:
        raise ParameterError(f"by must be one of {', '.join(BY)}, found {by!r}")
    if not changed_on:
        return Change(None, by, (), (), "not_named")
    day = _day(changed_on)
    if both := sorted({*treated} & {*control}):
        raise ParameterError(
            f"a group must be treated or control, but {', '.join(both)} is named as both"
        )
    spans = _spans(seen, by)
    known = sorted(spans.index)
    if unknown := tuple(group for group in (*treated, *control) if group not in known):
        return Change(day, by, unknown, control, "unknown_groups")
    if treated and not control:
        moment = pd.Timestamp(day)
        is_in_both = (spans["first_on"] < moment) & (spans["last_on"] >= moment)
        control = tuple(group for group in known if group not in treated and is_in_both[group])
    return Change(day, by, treated, control if treated else (), _problem(seen, day))


def _day(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise ParameterError(
            "changed_on must be the day on which the change began, such as 2025-09-01, "
            f"found {text!r}; leave it empty if there is no change to look at"
        ) from error


def _spans(seen: Seen, by: str) -> pd.DataFrame:
    """First and last day of creation by group."""
    rows = seen.frame(
        f"""
        SELECT {_group(seen, by)} AS "group", min(d.created_on) AS first_on, max(d.created_on) AS last_on
        FROM deals d JOIN starts s ON s.deal_key = d.deal_key WHERE {_group(seen, by)} IS NOT NULL GROUP BY 1
        """
    )
    return rows.set_index("group")


def _group(seen: Seen, by: str) -> str:
    """SQL of what a deal is sorted by: the team it was given to, or a value of its own."""
    return "s.team" if by == "team" else f"d.{seen.segment(by)}"


def first_day(seen: Seen) -> pd.Timestamp:
    """First day of creation that is used: closings of earlier deals may be missing."""
    first = seen.frame("SELECT min(created_on) AS day FROM deals WHERE cause IS NOT NULL")
    days = [first["day"].iloc[0], quality.truncated_before(seen)]
    return max((day for day in days if not pd.isna(day)), default=pd.NaT)


def _problem(seen: Seen, day: datetime.date) -> str | None:
    first = first_day(seen)
    if pd.isna(first) or not first.date() <= day <= seen.as_of:
        return "outside_data"
    if (day - first.date()).days < FEWEST_DAYS:
        return "too_short_before"
    return "too_short_after" if days_after(seen, day) < FEWEST_DAYS else None


def days_after(seen: Seen, day: datetime.date) -> int:
    """Days from the change to the as-of date, both included."""
    return (seen.as_of - day).days + 1


class Deals(NamedTuple):
    """The deals on both sides of a change, in all and by side; and those before it as they are known now."""

    rows: (
        pd.DataFrame
    )  # arm, period, group, owner, source, segment, product, created_on, exit_age, cause, followed
    cells: dict[tuple[str, str], pd.DataFrame]
    now: pd.DataFrame  # as `rows`, of the deals created before, as of now

    def cell(self, arm: str, period: str) -> pd.DataFrame:
        """The deals of one side."""
        return self.cells[arm, period]


def deals(seen: Seen, change: Change, *, before_days: int) -> Deals:
    """
    List the deals to compare, each as long as it was seen under one regime.

    Deals created in the `before_days` before the change are those known on the day before it, as they stood then;
    deals created since stand as they do on the as-of date. So both are young at the end in the same way, and no
    closing on the day of the change or later is used for the deals before.

    Returns
    -------
    Deals
        ``arm``: treated or control, by the group of the deal when it was created; ``period``: before or after;
        ``exit_age`` (days to closing, or to the last day seen), ``cause`` (0 open, 1 won, 2 lost), ``followed``
        (days from creation to the last day seen).
    """
    key = ("impact.deals", change, before_days)
    return seen.once(key, lambda: _deals(seen, change, before_days))


def _deals(seen: Seen, change: Change, before_days: int) -> Deals:
    moment = pd.Timestamp(change.changed_on)
    since = max(first_day(seen), moment - pd.Timedelta(days=before_days))
    with _snapshot(seen, change.changed_on) as then:
        before = rows(then, change, since)
    now = rows(seen, change, since)
    is_after = now["created_on"] >= moment
    both = [before.assign(period="before"), now[is_after].assign(period="after")]
    table = pd.concat(both, ignore_index=True)
    cells = {
        (arm, period): table[(table["arm"] == arm) & (table["period"] == period)]
        for arm in ARMS
        for period in PERIODS
    }
    return Deals(table, cells, now[~is_after].reset_index(drop=True))


def _snapshot(seen: Seen, changed_on: datetime.date) -> Seen:
    return seen.at(changed_on - datetime.timedelta(days=1))


def rows(seen: Seen, change: Change, since: pd.Timestamp) -> pd.DataFrame:
    """Deals of both arms created since a day, as they stand; for columns see `deals`."""
    table = seen.frame(
        f"""
        SELECT d.deal_key, {_group(seen, change.by)} AS "group", s.owner, d.source, d.segment, d.product,
               d.created_on, d.exit_age, d.cause, d.days_since_created AS followed
        FROM deals d JOIN starts s ON s.deal_key = d.deal_key
        WHERE d.cause IS NOT NULL AND d.exit_age IS NOT NULL AND d.created_on >= ?
        """,
        (since.date(),),
    )
    table = table.sort_values("deal_key", ignore_index=True)
    table["arm"] = arms(change, table["group"])
    return table[table["arm"].notna()].reset_index(drop=True)


def arms(change: Change, group: pd.Series) -> pd.Series:
    """Arm by group: treated, control or none."""
    if not change.treated:
        return pd.Series("treated", index=group.index, dtype=object)
    places = dict.fromkeys(change.treated, "treated") | dict.fromkeys(change.control, "control")
    return group.map(places).astype(object)


class Value(NamedTuple):
    """An estimate of one side of one arm, with what it rests on."""

    value: float
    low: float
    high: float
    n: float
    spread: float = np.nan  # n_eff of a rate, standard error of a mean


class Pair(NamedTuple):
    """Both sides of one arm, and the effect: after - before, or after / before."""

    before: Value
    after: Value
    effect: comparisons.Comparison


class Estimate(NamedTuple):
    """What a measure says of a change; `reason` says why there is nothing, `until` up to which age it was read."""

    treated: Pair | None = None
    control: Pair | None = None
    against: comparisons.Comparison | None = None
    reason: str | None = None
    until: int | None = None
    hodges_lehmann: float = np.nan


def reached(found: Deals, *, share: float = 0.0) -> tuple[int, bool]:
    """
    Find the age up to which 20 deals of each side, and a share of them, were followed, and whether the control's count.

    A control that was not followed for 30 days is left out, so that it shortens nothing.
    """
    ages = {
        arm: min(_reached(found.cell(arm, period), share) for period in PERIODS) for arm in ARMS
    }
    has_control = ages["control"] >= SHORTEST
    return min(ages.values()) if has_control else ages["treated"], has_control


def _reached(cell: pd.DataFrame, share: float) -> int:
    followed = np.sort(cell["followed"].to_numpy())
    n = max(FOLLOWED, int(np.ceil(share * len(followed))))
    return int(followed[-n]) if len(followed) >= n else -1


def age_to_read(found: Deals, age_days: int) -> int | None:
    """Age at which the win rate is read: the one asked for, or the highest usual one that was reached."""
    ages = [age_days, *(age for age in AGES if age < age_days)]
    return next((age for age in ages if age <= reached(found)[0]), None)


def days_to_count(found: Deals, *, share: float = 0.0) -> int | None:
    """Days of a deal's life that a mean of days is about: as many as were reached, 30 to 180."""
    last = [_last_seen(found.cell(*key)) for key in _cells(found)]
    days = min([LONGEST, reached(found, share=share)[0], *last])
    return days if days >= SHORTEST else None


def _last_seen(cell: pd.DataFrame) -> float:
    """The age at which the last deal was seen; no limit where none of that age was left open."""
    last = cell[cell["exit_age"] == cell["exit_age"].max()]
    return np.inf if (last["cause"] > 0).all() else int(last["exit_age"].max())


def win_rate(found: Deals, *, age_days: int, confidence: float) -> Estimate:
    """Share of deals won by an age: Aalen-Johansen, Wilson on the effective number of independent deals, MOVER."""
    age = age_to_read(found, age_days)
    if age is None:
        return Estimate(reason=_too_few(found))
    cells = _cells(found)
    effects = _widened(
        found, {key: influence.incidence(*_exits(found.cell(*key)), until=age) for key in cells}
    )
    names = [" ".join(key) for key in cells]
    label = found.rows["arm"] + " " + found.rows["period"]
    read = won_by(found.rows[label.isin(names)], label[label.isin(names)], names, age)
    sizes = label.value_counts()

    def value(key):
        rate, n_eff = read.loc[" ".join(key), ["rate", "n_eff"]] / [1, effects[key]]
        low, high = proportions.wilson(rate * n_eff, n_eff, confidence=confidence)
        return Value(float(rate), float(low), float(high), int(sizes[" ".join(key)]), float(n_eff))

    return _compared(cells, value, _rate_effect, age)


def won_by(rows: pd.DataFrame, group: pd.Series, names: list[str], age: int) -> pd.DataFrame:
    """
    Estimate the share of each group's deals won by an age.

    Aalen-Johansen; where it ends before the age because all deals followed as long are closed, the plain share of
    those.

    Returns
    -------
    DataFrame, one row per name
        ``rate``, ``n_eff``, ``rate_low``, ``rate_high`` (95 %); NaN where no deal was followed as long.
    """
    places = pd.Index(names).get_indexer(group)
    exits = np.minimum(rows["exit_age"].to_numpy(), age + 1)
    counts = np.zeros((len(names), 3, age + 2))
    np.add.at(counts, (places, rows["cause"].to_numpy(), exits), 1)
    read = survival.incidence_of_groups(counts).set_axis(names)
    is_old = rows["followed"].to_numpy() >= age
    is_won = (rows["cause"].to_numpy() == 1) & (rows["exit_age"].to_numpy() <= age)
    n = np.bincount(places[is_old], minlength=len(names))
    won = np.bincount(places[is_old & is_won], minlength=len(names))
    low, high = proportions.wilson(won, n)
    size = np.where(n > 0, n, np.nan)
    plain = {"rate": won / size, "n_eff": size, "rate_low": low, "rate_high": high}
    return read.fillna(pd.DataFrame(plain, index=names))


def _rate_effect(before: Value, after: Value) -> comparisons.Comparison:
    effect = proportions.difference(*before[:3], *after[:3])
    p = proportions.pooled_p_value(before.value, before.spread, after.value, after.spread)
    return comparisons.Comparison(*map(float, effect), float(p))


def cycle(found: Deals, *, confidence: float) -> Estimate:
    """Days a deal stays open, the first so many of each: restricted mean of Kaplan and Meier, closed either way."""
    until = days_to_count(found)
    if until is None:
        return Estimate(reason=_too_few(found))
    cells = _with_enough(found, (1, 2), until, FEWEST_CLOSED)
    if not cells:
        return Estimate(reason="too_few_closed")
    means, influences = {}, {}
    for key in cells:
        age, cause = _exits(found.cell(*key))
        influences[key] = influence.restricted_mean(age, cause > 0, until=until)
        read = survival.restricted_mean(age, cause > 0, np.ones(len(age)), until=until)
        means[key] = (read.value, read.se)
    return _means(found, means, influences, until, confidence)


def days_to_win(found: Deals, *, confidence: float) -> Estimate:
    """
    Mean days to the win, of the deals that are won within so many days, as if all had been followed as long.

    So many days that half of each side's deals were followed: with a few late ones the mean and its error are both
    too low where none of these is won.
    """
    until = days_to_count(found, share=0.5)
    if until is None:
        return Estimate(reason=_too_few(found))
    cells = _with_enough(found, (1,), until, FEWEST_WON)
    if not cells:
        return Estimate(reason="too_few_won")
    influences = {key: influence.mean_age(*_exits(found.cell(*key)), until=until) for key in cells}
    means = {key: (read.value, np.sqrt(read.variance)) for key, read in influences.items()}
    return _means(found, means, influences, until, confidence)


def _with_enough(found: Deals, causes: tuple, until: int, fewest: int) -> list[tuple[str, str]]:
    """Cells of the arms of which both sides have enough deals closed with a cause; none without the treated."""
    few = set()
    for key in _cells(found):
        age, cause = _exits(found.cell(*key))
        if (np.isin(cause, causes) & (age <= until)).sum() < fewest:
            few.add(key[0])
    return [] if "treated" in few else [key for key in _cells(found) if key[0] not in few]


def _means(found: Deals, means: dict, influences: dict, until: int, confidence: float) -> Estimate:
    """Compare means, their errors widened by the likeness of a rep's deals; normal intervals."""
    effects = _widened(found, influences)
    z = proportions.two_sided_z(confidence)

    def value(key):
        mean, se = means[key][0], float(means[key][1] * np.sqrt(effects[key]))
        low, high = max(mean - z * se, 0.0), min(mean + z * se, float(until))
        return Value(mean, low, high, len(found.cell(*key)), se)

    def effect(before, after):
        sides = [
            survival.Estimate(one.value, one.spread, one.low, one.high) for one in (before, after)
        ]
        return comparisons.restricted_means(*sides, confidence)

    return _compared(effects, value, effect, until)


def _exits(cell: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return cell["exit_age"].to_numpy(), cell["cause"].to_numpy()


def _cells(found: Deals) -> list[tuple[str, str]]:
    used = ARMS if reached(found)[1] else ARMS[:1]
    return [(arm, period) for arm in used for period in PERIODS]


def _too_few(found: Deals) -> str:
    """Why nothing can be read: hardly any deals, or hardly any that were followed long enough."""
    sizes = [len(found.cell("treated", period)) for period in PERIODS]
    return "too_few_deals" if min(sizes) < FOLLOWED else "too_short_followed"


def _widened(found: Deals, read: dict) -> dict[tuple[str, str], float]:
    """Design effect by cell: deals of one rep are alike, by as much as all cells say together."""
    owners = {key: found.cell(*key)["owner"].to_numpy(dtype=object) for key in read}
    alike = influence.likeness([(read[key].by_case, owners[key]) for key in read])
    return {key: influence.design_effect(owners[key], alike) for key in read}


def _compared(cells, value, effect, until: int) -> Estimate:
    """Read the cells and compare both sides of each arm."""
    pairs = {}
    for arm in [arm for arm, period in cells if period == "before"]:
        before, after = value((arm, "before")), value((arm, "after"))
        pairs[arm] = Pair(before, after, effect(before, after))
    return _estimate(pairs, "too_few_deals", until)


def turnover(seen: Seen, change: Change, *, before_days: int, confidence: float) -> Estimate:
    """People who left, by person-year in the group's teams: exact ratio, after over before."""
    if seen.reason("people"):
        return Estimate(reason="no_people")
    if change.by != "team" and change.treated:
        return Estimate(reason="not_by_team")
    counts = _leavers(seen, change, before_days)

    def value(key):
        events, years = counts[key]
        rate, low, high = rates.poisson_rate(events, years, confidence=confidence)
        return Value(float(rate), float(low), float(high), years, events)

    used = [arm for arm in ARMS if all(counts[arm, period][1] > 0 for period in PERIODS)]
    if "treated" not in used:
        return Estimate(reason="no_people")
    if not any(counts["treated", period][0] for period in PERIODS):
        return Estimate(reason="nobody_left")
    pairs = {}
    for arm in used:
        before, after = value((arm, "before")), value((arm, "after"))
        ratio = comparisons.rates(
            after.spread, after.n, before.spread, before.n, confidence=confidence
        )
        pairs[arm] = Pair(before, after, ratio)
    if len(pairs) < 2:
        return Estimate(pairs["treated"])
    events, years = np.array([counts[arm, period] for arm in ARMS for period in PERIODS]).T
    against = comparisons.ratio_of_rates(events, years, confidence=confidence)
    return Estimate(pairs["treated"], pairs["control"], against)


def _leavers(seen: Seen, change: Change, before_days: int) -> dict[tuple[str, str], tuple]:
    """People who left and person-years by arm and period, of everybody in the teams, managers too."""
    spells = staff.spells(seen)
    spells["arm"] = arms(change, spells["team"])
    moment, day = pd.Timestamp(change.changed_on), pd.Timedelta(days=1)
    since = max(first_day(seen), moment - before_days * day)
    counts = {}
    for period, first, last in (
        ("before", since, moment - day),
        ("after", moment, pd.Timestamp(seen.as_of)),
    ):
        days = staff.days_between(
            spells, pd.Series(first, spells.index), pd.Series(last, spells.index)
        )
        has_left = (spells["left_on"] == spells["ends_on"]) & spells["left_on"].between(first, last)
        for arm in ARMS:
            mine = spells["arm"] == arm
            years = float(days[mine].sum() / DAYS_OF_A_YEAR)
            counts[arm, period] = (int((mine & has_left).sum()), years)
    return counts


def questions(seen: Seen, change: Change, *, before_days: int) -> pd.DataFrame:
    """
    List the questions about satisfaction that had 30 days to be answered.

    Returns
    -------
    DataFrame, one row per question
        ``arm``, ``period`` (by the day asked), ``is_answered`` (within 30 days), ``score`` (a fraction of its scale;
        NaN without an answer on the scale within 30 days). A question belongs to the group its deal was in when it
        was created; one about no deal, to the team its person was in on the day.
    """
    key = ("impact.questions", change, before_days)
    return seen.once(key, lambda: _questions(seen, change, before_days))


def _questions(seen: Seen, change: Change, before_days: int) -> pd.DataFrame:
    rows = seen.frame(
        f"""
        SELECT q.deal_key, q.person_id, {_group(seen, change.by)} AS "group", q.asked_on, q.answered_on,
               q.score, q.scale_max
        FROM satisfaction q LEFT JOIN deals d ON d.deal_key = q.deal_key LEFT JOIN starts s ON s.deal_key = q.deal_key
        ORDER BY q.asked_on, q.deal_key, q.person_id, q.answered_on, q.score
        """
    )
    if change.by == "team":
        rows["group"] = rows["group"].where(rows["deal_key"].notna(), _team_then(seen, rows))
    moment, day = pd.Timestamp(change.changed_on), pd.Timedelta(days=1)
    since = max(first_day(seen), moment - before_days * day)
    until = pd.Timestamp(seen.as_of) - ANSWER_DAYS * day
    rows = rows[rows["asked_on"].between(since, until)]
    rows = rows.assign(arm=arms(change, rows["group"]))
    rows = rows[rows["arm"].notna()].reset_index(drop=True)
    rows["period"] = np.where(rows["asked_on"] < moment, "before", "after")
    rows["is_answered"] = (rows["answered_on"] - rows["asked_on"]) <= ANSWER_DAYS * day
    is_on_scale = rows["is_answered"] & rows["score"].ge(0) & rows["score"].le(rows["scale_max"])
    score = rows["score"] / rows["scale_max"].where(rows["scale_max"] > 0)
    return rows[["arm", "period", "is_answered"]].assign(score=score.where(is_on_scale))


def _team_then(seen: Seen, rows: pd.DataFrame) -> pd.Series:
    """Team of each question's person on the day it was asked."""
    if seen.reason("people"):
        return pd.Series(None, index=rows.index, dtype=object)
    spells = staff.spells(seen)[["person", "team", "begins_on", "ends_on"]]
    asked = rows[["person_id", "asked_on"]].reset_index()
    both = asked.merge(spells, left_on="person_id", right_on="person")
    is_then = ~(both["begins_on"] > both["asked_on"]) & ~(both["ends_on"] < both["asked_on"])
    found = both[is_then].drop_duplicates("index").set_index("index")["team"]
    return found.reindex(rows.index)


def satisfaction(asked: pd.DataFrame | None, *, confidence: float) -> Estimate:
    """Mean score as a fraction of its scale: Welch's interval, p-value of Mann and Whitney."""
    if asked is None:
        return Estimate(reason="no_satisfaction")
    scores = {
        (arm, period): asked.loc[
            (asked["arm"] == arm) & (asked["period"] == period) & asked["score"].notna(), "score"
        ].to_numpy(dtype=float)
        for arm in ARMS
        for period in PERIODS
    }
    cells = _filled({key: len(values) for key, values in scores.items()})

    def value(key):
        x = scores[key]
        mean, low, high = rates.mean(len(x), x.sum(), (x**2).sum(), confidence=confidence)
        error = rates.mean_and_error(len(x), x.sum(), (x**2).sum())[1]
        return Value(float(mean), max(float(low), 0.0), min(float(high), 1.0), len(x), float(error))

    pairs, middle = {}, {}
    for arm in [arm for arm, period in cells if period == "before"]:
        found = comparisons.shift(
            scores[arm, "before"], scores[arm, "after"], confidence=confidence
        )
        effect = comparisons.Comparison(found.mean_difference, found.low, found.high, found.p_value)
        pairs[arm] = Pair(value((arm, "before")), value((arm, "after")), effect)
        middle[arm] = found.hodges_lehmann
    return _estimate(pairs, "too_few_answers")._replace(
        hodges_lehmann=middle.get("treated", np.nan)
    )


def response_rate(asked: pd.DataFrame | None, *, confidence: float) -> Estimate:
    """Share of questions answered within 30 days: Wilson, MOVER."""
    if asked is None:
        return Estimate(reason="no_satisfaction")
    counts = asked.groupby(["arm", "period"])["is_answered"].agg(["size", "sum"])
    cells = _filled(counts["size"].to_dict())

    def value(key):
        n, k = (int(x) for x in counts.loc[key])
        low, high = proportions.wilson(k, n, confidence=confidence)
        return Value(k / n, float(low), float(high), n, n)

    pairs = {}
    for arm in [arm for arm, period in cells if period == "before"]:
        before, after = value((arm, "before")), value((arm, "after"))
        pairs[arm] = Pair(before, after, _rate_effect(before, after))
    return _estimate(pairs, "too_few_answers")


def _filled(sizes: dict[tuple[str, str], int]) -> list[tuple[str, str]]:
    """Cells of the arms of which both sides have enough to compare."""
    used = [arm for arm in ARMS if all(sizes.get((arm, p), 0) >= FEWEST_ANSWERS for p in PERIODS)]
    return [(arm, period) for arm in used for period in PERIODS]


def _estimate(pairs: dict[str, Pair], reason: str, until: int | None = None) -> Estimate:
    """The pairs of both arms, and the treated's effect less the control's by MOVER."""
    if "treated" not in pairs:
        return Estimate(reason=reason)
    if "control" not in pairs:
        return Estimate(pairs["treated"], until=until)
    against = comparisons.combine(pairs["treated"].effect, pairs["control"].effect)
    return Estimate(pairs["treated"], pairs["control"], against, until=until)
