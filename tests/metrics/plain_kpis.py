"""
All measures of KPIs once more, deal by deal and day by day in plain Python, from their definitions only.

Reads the text of a `worlds.World` and shares no code with the package; deals as of a day come from `plain`.
"""

import datetime
import itertools
import math
from collections import defaultdict
from typing import NamedTuple

import plain

ONE_DAY = datetime.timedelta(days=1)
MONTH = 365.25 / 12
RATES, AMOUNTS = ("activities", "assists"), ("won_amount", "quota_attainment")


class Fact(NamedTuple):
    """One case of a measure: whose, on which day, for which team it counts, whether as wanted, how much."""

    person: str
    day: datetime.date
    team: str | None
    is_wanted: bool
    size: float


class Company:
    """A world as of a day, read once."""

    def __init__(self, world, day: datetime.date, default_role: str = "rep"):
        self.tables, self.day, self.default_role = world.tables, day, default_role
        self.deals = plain.deals_as_of(world, day)
        self.people = defaultdict(list)
        for row in sorted(self.tables["people"], key=lambda row: row["valid_from"]):
            if max(row["hired_on"], row["valid_from"]) <= day.isoformat():
                self.people[row["person_id"]].append(row)
        self.works = defaultdict(list)  # of each deal: (type, rep, day done)
        for row in self.tables["activities"]:
            if on(row["created_at"]) <= day and row["done_at"] and on(row["done_at"]) <= day:
                work = (row["type"], row["rep"] or None, on(row["done_at"]))
                self.works[row["deal_id"]].append(work)

    def spell(self, person: str, at: datetime.date) -> dict | None:
        """The row that holds for a person on a day; the first one known holds before, too."""
        rows = self.people.get(person, [])
        begun = [row for row in rows if row["valid_from"] <= at.isoformat()]
        return begun[-1] if begun else rows[0] if rows else None

    def team(self, person: str, at: datetime.date) -> str | None:
        """Team of a person on a day."""
        spell = self.spell(person, at)
        return spell["team"] if spell else None

    def is_there(self, person: str, at: datetime.date) -> bool:
        """Whether a person is employed on a day, as far as that is known."""
        spell = self.spell(person, at)
        begun = spell["hired_on"] or spell["valid_from"]
        left = spell["left_on"] if spell["left_on"] <= self.day.isoformat() else ""
        return begun <= at.isoformat() and (not left or at.isoformat() <= left)

    def window(self, first: datetime.date, last: datetime.date) -> list[datetime.date]:
        """Days of a period until the as-of day."""
        last = min(last, self.day)
        return [first + number * ONE_DAY for number in range((last - first).days + 1)]

    def members(self, first, last, ramp_months: int) -> dict[str, dict]:
        """Who was there in a period: team and role of the last day there, days, ramp."""
        found = {}
        for person in self.people:
            days = [day for day in self.window(first, last) if self.is_there(person, day)]
            if days:
                spell = self.spell(person, days[-1])
                months = first.year * 12 + first.month - 1 - ramp_months
                since = datetime.date(months // 12, months % 12 + 1, 1).isoformat()
                found[person] = {
                    "name": spell["name"],
                    "team": spell["team"],
                    "role": spell["role"] or self.default_role,
                    "manager": spell["manager_id"] or None,
                    "days": len(days),
                    "ramp": "ramping" if spell["hired_on"] > since else "ramped",
                }
        return found

    def team_days(self, first, last) -> dict[str, int]:
        """Days of all people in the default role, by the team they were in on each."""
        found = defaultdict(int)
        for person in self.people:
            for day in self.window(first, last):
                spell = self.spell(person, day)
                is_rep = (spell["role"] or self.default_role) == self.default_role
                if is_rep and self.is_there(person, day):
                    found[spell["team"]] += 1
        return found

    def quotas(self, first, last, *, whole: bool = False) -> dict[tuple[str, str], tuple]:
        """Quota, quota for the days employed, and number of quotas, by holder."""
        found = {}
        for row in self.tables["quotas"]:
            begin, end = on(row["period_start"]), on(row["period_end"])
            if row["measure"] != "amount" or begin > self.day:
                continue
            a_day = float(row["value"]) / ((end - begin).days + 1)
            key = row["holder_type"], row["holder_id"]
            asked = worked = 0.0
            for number in range((end - begin).days + 1):
                day = begin + number * ONE_DAY
                if first <= day <= last and (whole or day <= self.day):
                    asked += a_day
                    is_known = key[0] == "person" and key[1] in self.people
                    worked += a_day if not is_known or self.is_there(key[1], day) else 0
            if asked > 0:
                before = found.get(key, (0.0, 0.0, 0))
                found[key] = (before[0] + asked, before[1] + worked, before[2] + 1)
        return found

    def credit(self, deal) -> list[tuple[str, float]]:
        """Who has which share of a won deal."""
        rows = [row for row in self.tables["credits"] if row["deal_id"] == deal.deal_id]
        shares = [(r["person_id"], float(r["share"])) for r in rows if r["type"] == "revenue"]
        owner = deal.segments["owner"]
        return shares or ([(owner, 1.0)] if owner else [])

    def won(self) -> list:
        """Deals that are won on the day."""
        return [deal for deal in self.deals if deal.status == "won"]

    def facts(self, measure: str, arguments: dict, stages: list) -> list[Fact]:
        """Every case of a measure, whenever it happened."""
        found = []
        for person, day, *rest in getattr(self, f"_{measure}")(arguments, stages):
            is_wanted, size, team = (*rest, *(True, 0.0, "own")[len(rest) :])
            if person:
                team = self.team(person, day) if team == "own" else team
                found.append(Fact(person, day, team, is_wanted, size))
        return found

    def _activities(self, arguments, stages):
        for works in self.works.values():
            for kind, rep, day in works:
                if kind in arguments["types"]:
                    yield rep, day

    def _activities_on_time(self, arguments, stages):
        for row in self.tables["activities"]:
            made = on(row["created_at"])
            if made > self.day or not row["due_at"] or on(row["due_at"]) <= made:
                continue
            if row["type"] in arguments.get("types", (row["type"],)):
                due = on(row["due_at"])
                done = on(row["done_at"]) if row["done_at"] else None
                yield row["rep"], due, bool(done and done <= min(due, self.day))

    def _actions_done(self, arguments, stages):
        for stage in stages:
            if not stage.actions or arguments.get("stage", stage.stage) != stage.stage:
                continue
            for deal in self.deals:
                for entry in deal.entries:
                    is_here = entry.stage == stage.stage
                    if is_here and stage.pipeline in (None, entry.pipeline):
                        yield from self._judged(deal, entry, stage)

    def _judged(self, deal, entry, stage):
        stay = ((entry.exited_on or self.day) - entry.entered_on).days
        if stay <= stage.sla_days and entry.outcome in ("open", "lost", "removed"):
            return
        over = entry.entered_on + stage.sla_days * ONE_DAY
        last = min(over, entry.exited_on or over)
        done = [
            kind for kind, _, day in self.works[deal.deal_id] if entry.entered_on <= day <= last
        ]
        has_all = all(
            sum(kind in action.activities for kind in done) >= action.at_least
            for action in stage.actions
        )
        yield entry.segments["owner"], last, has_all

    def _stage_conversion(self, arguments, stages):
        span = arguments["days"] * ONE_DAY
        for deal in self.deals:
            for visit in plain.first_visits(deal, self.day):
                over = visit.entry.entered_on + span
                is_here = visit.entry.stage == arguments["stage"] and deal.status != "removed"
                if is_here and over <= self.day:
                    went_on = visit.cause == 1 and visit.age <= arguments["days"]
                    yield visit.entry.segments["owner"], over, went_on

    def _of_age(self, age_days):
        for deal in self.deals:
            seen = plain.age(deal, self.day)
            if seen and deal.created_on + age_days * ONE_DAY <= self.day:
                is_won = seen[1] == 1 and seen[0] <= age_days
                yield deal, deal.created_on + age_days * ONE_DAY, is_won, seen[0]

    def _cohort_win_rate(self, arguments, stages):
        for deal, day, is_won, _ in self._of_age(arguments["age_days"]):
            yield deal.segments["owner"], day, is_won

    def _sales_cycle(self, arguments, stages):
        for deal, day, is_won, days in self._of_age(arguments["age_days"]):
            if is_won:
                yield deal.segments["owner"], day, True, float(days)

    def _won_amount(self, arguments, stages):
        for deal in self.won():
            if deal.amount is not None:
                for person, share in self.credit(deal):
                    yield person, deal.closed_on, True, deal.amount * share, deal.segments["team"]

    _quota_attainment = _won_amount

    def _satisfaction(self, arguments, stages):
        for row in self.tables["satisfaction"]:
            if on(row["asked_at"]) <= self.day and row["score"] and row["scale_max"]:
                day, share = on(row["answered_at"]), float(row["score"]) / float(row["scale_max"])
                if day <= self.day and 0 <= share <= 1:
                    yield row["person_id"], day, True, share

    def _response_rate(self, arguments, stages):
        for row in self.tables["satisfaction"]:
            over = on(row["asked_at"]) + arguments["days"] * ONE_DAY
            if over <= self.day:
                answered = row["answered_at"] and on(row["answered_at"]) <= over
                yield row["person_id"], over, bool(answered)

    def _assists(self, arguments, stages):
        for deal in self.won():
            owner = deal.segments["owner"]
            rows = [row for row in self.tables["credits"] if row["deal_id"] == deal.deal_id]
            helped = {row["person_id"] for row in rows}
            works = self.works[deal.deal_id]
            helped |= {rep for _, rep, day in works if rep and day <= deal.closed_on}
            for person in helped - {owner} if owner else ():
                yield person, deal.closed_on

    def _credit_shared(self, arguments, stages):
        for deal in self.won():
            owner = deal.segments["owner"]
            people = {person for person, _ in self.credit(deal)}
            yield owner, deal.closed_on, bool(people - {owner})

    def _hand_overs(self, arguments, stages):
        deals = {deal.deal_id: deal for deal in self.deals}
        spells = defaultdict(list)
        for row in sorted(self.tables["owner_history"], key=lambda row: row["valid_from"]):
            spells[row["deal_id"]].append(row)
        for deal_id, rows in spells.items():
            got = {
                (later["owner"], on(later["valid_from"]))
                for earlier, later in itertools.pairwise(rows)
                if later["owner"] != earlier["owner"] and deal_id in deals
            }
            for owner, day in got:
                closed, over = deals[deal_id].closed_on, day + arguments["days"] * ONE_DAY
                if over <= self.day and (closed is None or closed > day):
                    works = self.works[deal_id]
                    yield owner, over, any(r == owner and day <= at <= over for _, r, at in works)

    def _data_hygiene(self, arguments, stages):
        rows = {row["deal_id"]: row for row in self.tables["deals"]}
        closes = {deal.deal_id: self._expected_close(rows[deal.deal_id]) for deal in self.deals}
        reasons = {
            deal.deal_id: deal.status == "lost" and rows[deal.deal_id]["loss_reason"]
            for deal in self.deals
        }
        asks_amount = any(deal.amount is not None for deal in self.deals)
        for deal in self.deals:
            if deal.status not in ("won", "lost"):
                continue
            is_kept = not asks_amount or (deal.amount or 0) > 0
            if any(reasons.values()):
                is_kept &= deal.status == "won" or bool(reasons[deal.deal_id])
            if any(closes.values()):
                close = closes[deal.deal_id]
                is_kept &= bool(close) and (deal.closed_on - close).days <= arguments["days"]
            yield deal.segments["owner"], deal.closed_on, is_kept

    def _expected_close(self, row):
        changes = [
            change
            for change in self.tables["deal_changes"]
            if (change["deal_id"], change["field"]) == (row["deal_id"], "expected_close")
        ]
        changes.sort(key=lambda change: change["changed_at"])
        known = [change for change in changes if on(change["changed_at"]) <= self.day]
        text = (
            known[-1]["new"] if known else changes[0]["old"] if changes else row["expected_close"]
        )
        return on(text) if text else None

    def value(self, kpi, stages, unit: str, first, last) -> dict:
        """One KPI of one person or team in a period."""
        facts = self.facts(kpi.measure, kpi.arguments, stages)
        last = min(last, self.day)
        is_recorded = any(fact.day <= last for fact in facts)
        key = "person" if kpi.whose == "own" else "team"
        facts = [f for f in facts if getattr(f, key) == unit and first <= f.day <= last]
        n, wanted = len(facts), sum(fact.is_wanted for fact in facts)
        sizes = [fact.size for fact in facts]
        if kpi.measure in RATES or kpi.measure == "won_amount":
            if kpi.whose == "own":
                days = sum(self.is_there(unit, day) for day in self.window(first, last))
            else:
                days = self.team_days(first, last).get(unit, 0)
            total = n if kpi.measure in RATES else math.fsum(sizes)
            value = plain.share(total, days / MONTH) if is_recorded else None
            return {"value": value, "n": days or None}
        if kpi.measure == "quota_attainment":
            _, quota, count = self.quotas(first, last).get((key, unit), (0.0, 0.0, 0))
            value = plain.share(math.fsum(sizes), quota) if is_recorded else None
            return {"value": value, "n": count}
        if kpi.measure == "satisfaction":
            return {"value": plain.share(math.fsum(sizes), n), "n": n}
        if kpi.measure == "sales_cycle":
            return {"value": plain.quantile(sizes, 50), "n": n}
        low, high = plain.wilson(wanted, n)
        return {"value": plain.share(wanted, n), "n": n, "low": low, "high": high}


def on(text: str) -> datetime.date:
    """The local day of an instant or day."""
    return datetime.date.fromisoformat(text[:10])
