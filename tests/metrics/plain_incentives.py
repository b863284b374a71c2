"""
Incentives computed the slow way from the rule text: day by day, cent by cent, on the records as they were exported.

Nothing of the package is used. A rule is a plain dictionary as the process file has it (per cent as written); a world
is the tables of text of `worlds`. Quarters are named by (year, number).
"""

import datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

_DONE = {}  # what was computed already; the worlds are kept, so that an id means one of them
ONE_DAY = datetime.timedelta(days=1)
DAYS_A_MONTH = Decimal("365.25") / 12


def once(make):
    """Compute something of a world, rules, a quarter and a day once."""

    def made(world, rules, *more):
        key = (make.__name__, id(world), str(rules), more)
        if key not in _DONE:
            _DONE[key] = (make(world, rules, *more), world)
        return _DONE[key][0]

    return made


def day_of(text):
    """The day of a text, or None."""
    return datetime.date.fromisoformat(text[:10]) if text else None


def quarter(day):
    """The quarter of a day."""
    return day.year, (day.month + 2) // 3


def first_day(which):
    """First day of a quarter."""
    return datetime.date(which[0], 3 * which[1] - 2, 1)


def last_day(which):
    """Last day of a quarter."""
    year, number = which
    return first_day((year + number // 4, number % 4 + 1)) - ONE_DAY


def rounded(exact):
    """Nearest whole number, a half away from zero."""
    exact = Fraction(exact)
    sign = -1 if exact < 0 else 1
    whole, rest = divmod(abs(exact.numerator), exact.denominator)
    return sign * (whole + (2 * rest >= exact.denominator))


def cents(text):
    """Cents of an amount of money."""
    return int((Decimal(text) * 100).quantize(Decimal(1), ROUND_HALF_UP))


def rule_on(rules, day):
    """The version of the plan in force in the quarter of a day: that of its first day."""
    start = first_day(quarter(day))
    begun = [rule for rule in rules if day_of(rule["from"]) <= start]
    return begun[-1] if begun else None


def wins_of(world, deal, today):
    """(won on, unwon on, owner) of each time a deal was won."""
    events = [row for row in world["stage_events"] if row["deal_id"] == deal["deal_id"]]
    events = [row for row in events if day_of(row["entered_at"]) <= today]
    events.sort(key=lambda row: row["entered_at"])
    wins = []
    for row in events:
        if row["stage"] == "Won":
            wins.append([day_of(row["entered_at"]), None, owner_of(world, deal, row["entered_at"])])
        elif wins and wins[-1][1] is None:
            wins[-1][1] = day_of(row["entered_at"])
    return wins


def owner_of(world, deal, instant):
    """Owner of a deal at an instant."""
    spells = [row for row in world["owner_history"] if row["deal_id"] == deal["deal_id"]]
    spells.sort(key=lambda row: row["valid_from"])
    begun = [row["owner"] for row in spells if row["valid_from"] <= instant]
    return begun[-1] if begun else deal["owner"]


@once
def counted(world, rules, today):
    """
    What counts for the plan, and what is undone of it.

    Returns rises (dictionaries: deal, win, day, cents, won_on, owner) and falls (rise, day, cause, share before, after).
    """
    rises, falls = [], []
    for deal in world["deals"]:
        amount = cents(deal["amount"])
        payments = [row for row in world["payments"] if row["deal_id"] == deal["deal_id"]]
        wins = wins_of(world, deal, today)
        own, level, day = [], 0, wins[0][0] if wins else today + ONE_DAY
        while day <= today:
            rule = rule_on(rules, day)
            paid = sum(cents(row["amount"]) for row in payments if day_of(row["paid_on"]) <= day)
            before, level = level, min(paid, amount)
            stands = sum(rise["left"] for rise in own)
            if level < before and stands > 0:
                undo(rules, own, day, "refund", min(Fraction(before - level) / stands, 1), falls)
            for number, (_, unwon_on, _) in enumerate(wins):
                if unwon_on == day:
                    of_win = [rise for rise in own if rise["win"] == number]
                    undo(rules, of_win, day, "unwon", Fraction(1), falls)
            number = max(number for number, win in enumerate(wins) if win[0] <= day)
            won_on, unwon_on, owner = wins[number]
            # A statement looks at the end of its quarter: is the deal won then, as far as is known?
            is_won = unwon_on is None or (day <= unwon_on and quarter(unwon_on) > quarter(day))
            if rule and is_won:
                stands = sum(rise["left"] for rise in own)
                new = None
                if rule["basis"] == "booked" and day == won_on:
                    new = rounded(amount - stands)
                    new = new if new > 0 or stands == 0 else None
                elif rule["basis"] == "paid":
                    new = rounded(level - stands)
                    new = new if new > 0 else None
                if new is not None:
                    own.append(
                        {"deal": deal, "win": number, "day": day, "cents": new, "won_on": won_on,
                         "owner": owner, "left": Fraction(new)}
                    )  # fmt: skip
            day += ONE_DAY
        rises += own
    return rises, falls


def undo(rules, own, day, cause, share, falls):
    """Take back a share of what is left of each rise whose rule says so."""
    for rise in own:
        rule = rule_on(rules, rise["day"])
        back = rule.get("clawback", {"days": 0, "when": []})
        if (
            cause in back["when"]
            and day <= rise["won_on"] + back["days"] * ONE_DAY
            and rise["left"]
        ):
            was = 1 - rise["left"] / rise["cents"]
            rise["left"] -= rise["left"] * share
            falls.append((rise, day, cause, was, 1 - rise["left"] / rise["cents"]))


def shared(world, rule, rise):
    """(person, share, cents) of a rise: whole cents first, those left over to the largest remainders."""
    rows = [
        row
        for row in world["credits"]
        if row["deal_id"] == rise["deal"]["deal_id"] and row["type"] == "revenue"
    ]
    if rule.get("splits", "credits") == "owner" or not rows:
        return [(rise["owner"], Fraction(1), rise["cents"])] if rise["owner"] else []
    parts = {}
    for row in sorted(rows, key=lambda row: row["person_id"]):
        parts[row["person_id"]] = parts.get(row["person_id"], 0) + Fraction(row["share"])
    whole = sum(parts.values())
    if abs(whole - 1) <= Fraction(1, 10000):
        parts = {person: share / whole for person, share in parts.items()}
    given = {person: int(rise["cents"] * share // 1) for person, share in parts.items()}
    over = rounded(rise["cents"] * sum(parts.values())) - sum(given.values())
    rest = {person: rise["cents"] * share - given[person] for person, share in parts.items()}
    for _ in range(over):
        most = max(rest, key=lambda person: rest[person])
        given[most] += 1
        rest[most] = -1
    return [(person, share, given[person]) for person, share in parts.items()]


def staff(world, role, which, today):
    """People of a role who were there in a quarter, with the days they were."""
    first, last = first_day(which), min(last_day(which), today)
    found = {}
    for row in world["people"]:
        begin = max(first, day_of(row["hired_on"]) or first)
        left = day_of(row["left_on"])
        end = last if left is None or left > last else left
        if row["role"] == role and begin <= end:
            found[row["person_id"]] = (end - begin).days + 1
    return found


def quota_of(world, person, which, today):
    """Quota in cents: each by the share of its days in the quarter on which the person was employed."""
    total = Decimal(0)
    row = next(row for row in world["people"] if row["person_id"] == person)
    left = day_of(row["left_on"])
    for quota in world["quotas"]:
        start, end = day_of(quota["period_start"]), day_of(quota["period_end"])
        if quota["holder_id"] != person or quota["measure"] != "amount" or start > today:
            continue
        begin = max(start, first_day(which), day_of(row["hired_on"]) or start)
        until = min(end, last_day(which), left if left and left <= today else end)
        days = max((until - begin).days + 1, 0)
        total += Decimal(quota["value"]) * days / ((end - start).days + 1)
    return int((total * 100).quantize(Decimal(1), ROUND_HALF_UP))


def by_tier(rule, steps, start, amount, total):
    """How many cents of an amount lie in each tier, counted one by one."""

    def tier(position):
        return max(number for number, step in enumerate(steps) if step <= max(position, 0))

    if rule.get("tiers_are", "marginal") == "retroactive":
        return [(tier(total), amount)]
    if not amount:
        return [(tier(start), 0)]
    found = []
    for cent in range(amount):
        number = tier(start + cent)
        if found and found[-1][0] == number:
            found[-1] = (number, found[-1][1] + 1)
        else:
            found.append((number, 1))
    return found


@once
def statement(world, rules, which, today):
    """
    One quarter's statement before anything is taken back.

    Returns for each person ``slices`` (deal, win, day, tier, cents, pay), ``gate``, ``cap``, ``gross``, ``net``.
    """
    rule = rule_on(rules, first_day(which))
    if rule is None:
        return {}
    rises = [rise for rise in counted(world, rules, today)[0] if quarter(rise["day"]) == which]
    rises.sort(key=lambda rise: (rise["day"], rise["deal"]["deal_id"], rise["win"]))
    found = {}
    for person, days in staff(world, rule["role"], which, today).items():
        own = [
            (rise, part)
            for rise in rises
            for who, _, part in shared(world, rule, rise)
            if who == person
        ]
        quota = quota_of(world, person, which, today)
        scale = Fraction(quota, 100) if rule["measured_on"] == "quota" else Fraction(100)
        steps = [rounded(Fraction(str(tier["above"])) * scale) for tier in rule["tiers"]]
        total, start, slices = sum(part for _, part in own), 0, []
        for rise, part in own:
            key = (rise["deal"]["deal_id"], rise["win"], rise["day"])
            if not scale:
                slices.append((*key, None, part, 0))
                continue
            factor = Decimal(1)
            for one in rule.get("accelerators", []):
                if rise["deal"][one["field"]] == one["value"]:
                    factor *= Decimal(str(one["factor"]))
            for number, piece in by_tier(rule, steps, start, part, total):
                rate = Decimal(str(rule["tiers"][number]["rate"])) / 100
                pay = (piece * rate * factor).quantize(Decimal(1), ROUND_HALF_UP)
                slices.append((*key, number, piece, int(pay)))
            start += part
        gross = net = sum(row[-1] for row in slices)
        gate = 0
        for one in rule.get("gates", []):
            done = visits(world, person, which, today)
            is_judged = days >= one["least"]
            if is_judged and done / (days / DAYS_A_MONTH) < Decimal(str(one["at_least"])):
                gate += rounded(Fraction(net) * (1 - Fraction(one["pays"], 100)))
                net = gross - gate
        cap = max(0, net - rule["cap"] * 100) if "cap" in rule else 0
        found[person] = {
            "slices": slices, "gate": -gate, "cap": -cap, "gross": gross, "net": net - cap,
        }  # fmt: skip
    return found


def visits(world, person, which, today):
    """Visits done in a quarter."""
    return sum(
        row["rep"] == person
        and row["type"] == "visit"
        and first_day(which) <= day_of(row["done_at"]) <= min(last_day(which), today)
        for row in world["activities"]
    )


def clawbacks(world, rules, which, today):
    """What is taken back in a quarter: (person, day, deal, cause, quarter it was paid in, cents)."""
    found = []
    for rise, day, cause, was, now in counted(world, rules, today)[1]:
        if quarter(day) != which:
            continue
        key = (rise["deal"]["deal_id"], rise["win"], rise["day"])
        for person, own in statement(world, rules, quarter(rise["day"]), today).items():
            paid = sum(row[-1] for row in own["slices"] if row[:3] == key)
            if paid > 0:
                left = int(Fraction(paid) * own["net"] / own["gross"])
                back = rounded(left * now) - rounded(left * was)
                found.append((person, day, key[0], cause, quarter(rise["day"]), back))
    return found


def payout(world, rules, which, today):
    """Cents paid to each person in a quarter."""
    paid = {person: own["net"] for person, own in statement(world, rules, which, today).items()}
    for person, *_, back in clawbacks(world, rules, which, today):
        paid[person] = paid.get(person, 0) - back
    return paid
