"""Rules at random, and two calculations of what comes next that share nothing with peerbot's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil import rrule
from hypothesis import strategies as st

from peerbot.recurrence import MOST_INTERVAL, NTHS, Occurrence, Rule

INTERVALS = range(1, MOST_INTERVAL + 1)
DAILY = [Rule("daily", interval) for interval in INTERVALS]
WEEKLY = [
    Rule("weekly", interval, tuple(day for day in range(7) if days >> day & 1))
    for interval in INTERVALS
    for days in range(1, 128)
]
MONTHLY = [
    Rule("monthly", interval, nth=nth, weekday=day) for interval in INTERVALS for nth in NTHS for day in range(7)
]
"""All that there are without an end; to draw one of a list is quicker than to draw its parts."""
FIRST_MINUTE = datetime(2008, 1, 1)
ENDLESS = st.one_of(*(st.sampled_from(every) for every in (DAILY, WEEKLY, MONTHLY)))
ENDING = st.builds(
    lambda rule, days: replace(rule, until=FIRST_MINUTE.date() + timedelta(days=days)), ENDLESS, st.integers(0, 7_000)
)
RULES = ENDLESS | ENDLESS | ENDING
FIRSTS = st.integers(0, 13 * 365 * 24 * 60).map(lambda minutes: FIRST_MINUTE + timedelta(minutes=minutes))
AFTERS = st.integers(0, 4_000 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))
"""From the first meeting up to eleven years later."""
FREQS: dict[str, Any] = {"daily": rrule.DAILY, "weekly": rrule.WEEKLY, "monthly": rrule.MONTHLY}


def by_dateutil(rule: Rule, first: datetime) -> Iterator[datetime]:
    """Evaluate a rule as python-dateutil does, from its very beginning."""
    counted: Any = None if rule.weekday is None else rrule.weekday(rule.weekday, rule.nth)
    return iter(
        rrule.rrule(
            FREQS[rule.freq],
            dtstart=first,
            interval=rule.interval,
            wkst=rrule.MO,
            byweekday=rule.weekdays or counted,
            until=datetime.combine(rule.until, time(23, 59)) if rule.until else None,
        )
    )


def by_hand(rule: Rule, first: datetime) -> Iterator[datetime]:
    """Evaluate a rule by asking of each day whether it is one."""
    monday = first.date() - timedelta(days=first.weekday())
    for number in range(366 * 40):
        day = first.date() + timedelta(days=number)
        if rule.until and day > rule.until:
            return
        if rule.freq == "daily":
            is_one = number % rule.interval == 0
        elif rule.freq == "weekly":
            is_one = (day - monday).days // 7 % rule.interval == 0 and day.weekday() in rule.weekdays
        else:
            months = (day.year - first.year) * 12 + day.month - first.month
            nth = -1 if rule.nth == -1 and (day + timedelta(days=7)).month != day.month else (day.day + 6) // 7
            is_one = months % rule.interval == 0 and day.weekday() == rule.weekday and nth == rule.nth
        if is_one:
            yield datetime.combine(day, first.time())


def expected_of(found: Iterator[datetime], zone: str, after: datetime, limit: int) -> list[Occurrence]:
    """Return what comes after an instant, of wall times from the beginning of a series."""
    taken: list[Occurrence] = []
    for local in found:
        at = local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        if at > after and at not in [each.at for each in taken[-1:]]:
            taken.append(Occurrence(local, at))
            if len(taken) == limit:
                break
    return taken
