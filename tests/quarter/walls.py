"""Time as a person with a calendar and the tz database works it out: walls, nights, and when series meet.

Nothing of the product is used here, so that what it does can be held against it.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = tuple(calendar.month_name)
EVENING, MORNING = time(22), time(8)
"""The night of everyone's own zone, in which nothing comes that can wait."""


def instant(wall: datetime, zone: str) -> datetime:
    """Return when a clock on a wall in a zone shows this."""
    return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def wall(at: datetime, zone: str) -> datetime:
    """Return what a clock on a wall in a zone shows at a moment."""
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def is_night(at: datetime, zone: str) -> bool:
    """Say whether it is night in a zone."""
    shown = wall(at, zone).time()
    return shown >= EVENING or shown < MORNING


def morning_after(at: datetime, zone: str) -> datetime:
    """Return the end of the night that it is in a zone; the moment itself by day."""
    if not is_night(at, zone):
        return at
    shown = wall(at, zone)
    day = shown.date() + timedelta(days=shown.time() >= EVENING)
    return instant(datetime.combine(day, MORNING), zone)


def evening_before(at: datetime, zone: str) -> datetime:
    """Return the beginning of the night that it is in a zone; the moment itself by day."""
    if not is_night(at, zone):
        return at
    shown = wall(at, zone)
    day = shown.date() - timedelta(days=shown.time() < MORNING)
    return instant(datetime.combine(day, EVENING), zone)


@dataclass(frozen=True)
class Pattern:
    """How a series repeats: every so many weeks on the weekday of its first date, or (0) on an nth one of months."""

    weeks: int
    nth: int = 0

    def days(self, first: date, until: date) -> Iterator[date]:
        """Yield the days on which a series meets that begins on this one."""
        day = first
        while day <= until:
            yield day
            day = day + timedelta(weeks=self.weeks) if self.weeks else self._next_month(day)

    def _next_month(self, day: date) -> date:
        year, month = (day.year + 1, 1) if day.month == len(MONTHS) - 1 else (day.year, day.month + 1)
        return nth_weekday(year, month, day.weekday(), self.nth)


def nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    """Return the first, second .. (1, 2 ..) or last (-1) such weekday of a month."""
    last = calendar.monthrange(year, month)[1]
    days = [
        date(year, month, number) for number in range(1, last + 1) if date(year, month, number).weekday() == weekday
    ]
    return days[nth - 1 if nth > 0 else nth]


WRITTEN = re.compile(
    r"(?P<weekday>[A-Z][a-z]+day), (?P<month>[A-Z][a-z]+) (?P<day>\d+), (?P<hour>\d+):(?P<minute>\d\d) (?P<half>[ap]m)"
    r"[^<\n]*<t:(?P<unix>\d+):F>"
)
"""A moment as messages write it: the wall in words, then Discord's own timestamp."""


def moments(text: str, *zones: str) -> list[datetime]:
    """Return the moments that a text writes by the clocks of one of these zones.

    Raises ValueError where words and timestamp differ.
    """
    found: list[datetime] = []
    for written in WRITTEN.finditer(text):
        at = datetime.fromtimestamp(int(written["unix"]), UTC)
        hour = int(written["hour"]) % 12 + 12 * (written["half"] == "pm")
        said = (written["weekday"], written["month"], int(written["day"]), hour, int(written["minute"]))
        shown = [wall(at, zone) for zone in zones]
        if said not in [(DAYS[one.weekday()], MONTHS[one.month], one.day, one.hour, one.minute) for one in shown]:
            raise ValueError(f"the words say {said}, the timestamp {shown[0]}")
        found.append(at)
    return found
