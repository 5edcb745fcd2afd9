"""When a meeting comes round: rules, wall time in a zone, the next occurrences.

Decides which rules there are and to which instants they lead. A series is local wall time, a zone and a rule; instants
are worked out from them and can be worked out again. Pure: no clock, no database.

The invariant: what comes after an instant does not depend on how old the series is, neither what it is (an occurrence
is known by its original wall time) nor how long it takes. Every period of every rule here has an occurrence, so that
looking for the next one always ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dateutil import rrule

FREQS = ("once", "daily", "weekly", "monthly")
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
NTHS = (1, 2, 3, 4, -1)
"""Which weekday of a month; a fifth is not in every month, and where it is, it is the last."""
MOST_INTERVAL = 52
LONGEST = 100
"""Characters of a rule; the longest that `Rule.text` writes has 67."""

_NUMBER = re.compile(r"[0-9]{1,2}")
_DATE = re.compile(r"[0-9]{8}")
_NTH_DAY = re.compile(r"(-1|[1-4])([A-Z]{2})")
_OFFSET_BELOW = timedelta(days=1)
"""No zone is as far from UTC (datetime.utcoffset refuses it)."""


class RuleRefused(ValueError):
    """The rule is not one of those that peerbot keeps; the message is for developers."""


@dataclass(frozen=True)
class Rule:
    """How a meeting repeats. Weeks begin on Monday.

    Raises RuleRefused for what is outside the whitelist.
    """

    freq: str
    """One of FREQS."""
    interval: int = 1
    """Every so many periods, 1 to 52."""
    weekdays: tuple[int, ...] = ()
    """Weekly: 0 (Monday) to 6, in order, at least one. Otherwise empty."""
    nth: int | None = None
    """Monthly: which weekday of the month, 1 to 4, or -1 for the last."""
    weekday: int | None = None
    """Monthly: the weekday that `nth` counts."""
    until: date | None = None
    """The last local date that may hold an occurrence."""

    def __post_init__(self) -> None:
        if self.freq not in FREQS:
            raise RuleRefused("no such frequency")
        if not 1 <= self.interval <= MOST_INTERVAL:
            raise RuleRefused("the interval is not 1 to 52")
        if self.freq == "once" and (self.interval != 1 or self.until is not None):
            raise RuleRefused("what happens once has no interval and no end")
        if self.freq == "weekly":
            if not self.weekdays or list(self.weekdays) != sorted(set(self.weekdays) & set(range(7))):
                raise RuleRefused("the weekdays are not one or more of 0 to 6 in order")
        elif self.weekdays:
            raise RuleRefused("only a weekly rule has weekdays")
        if self.freq == "monthly":
            if self.nth not in NTHS or self.weekday not in range(7):
                raise RuleRefused("not the first to fourth or the last of a weekday")
        elif self.nth is not None or self.weekday is not None:
            raise RuleRefused("only a monthly rule counts weekdays")

    def text(self) -> str:
        """Return the rule as RFC 5545 (3.3.10) writes it, or "" for once; UNTIL is a local date."""
        if self.freq == "once":
            return ""
        parts = [f"FREQ={self.freq.upper()}"]
        if self.interval > 1:
            parts.append(f"INTERVAL={self.interval}")
        if self.weekdays:
            parts.append(f"BYDAY={','.join(DAYS[day] for day in self.weekdays)}")
        if self.weekday is not None:
            parts.append(f"BYDAY={self.nth}{DAYS[self.weekday]}")
        if self.until is not None:
            parts.append(f"UNTIL={self.until.year:04}{self.until:%m%d}")
        return ";".join(parts)

    @classmethod
    def parse(cls, text: str) -> Rule:
        """Return the rule that `text` writes; raises RuleRefused for whatever is not on the whitelist."""
        if text == "":
            return cls("once")
        if len(text) > LONGEST:
            raise RuleRefused("too long")
        parts: dict[str, str] = {}
        for part in text.split(";"):
            name, equals, value = part.partition("=")
            if not equals or name in parts or name not in {"FREQ", "INTERVAL", "BYDAY", "UNTIL"}:
                raise RuleRefused("a part that is unknown, or there twice")
            parts[name] = value
        freq = {"DAILY": "daily", "WEEKLY": "weekly", "MONTHLY": "monthly"}.get(parts.get("FREQ", ""))
        if freq is None:
            raise RuleRefused("no such frequency")
        days = parts.get("BYDAY")
        nth, weekday = _nth_day(days) if days is not None and freq == "monthly" else (None, None)
        return cls(
            freq,
            _interval(parts.get("INTERVAL", "1")),
            _weekdays(days) if days is not None and freq != "monthly" else (),
            nth,
            weekday,
            _until(parts["UNTIL"]) if "UNTIL" in parts else None,
        )


def _interval(value: str) -> int:
    if not _NUMBER.fullmatch(value):
        raise RuleRefused("the interval is no number of one or two digits")
    return int(value)


def _weekdays(value: str) -> tuple[int, ...]:
    names = value.split(",")
    if not set(names) <= set(DAYS):
        raise RuleRefused("a weekday that is unknown")
    return tuple(sorted(map(DAYS.index, names)))


def _nth_day(value: str) -> tuple[int, int]:
    found = _NTH_DAY.fullmatch(value)
    if not found or found[2] not in DAYS:
        raise RuleRefused("not the first to fourth or the last of a weekday")
    return int(found[1]), DAYS.index(found[2])


def _until(value: str) -> date:
    if not _DATE.fullmatch(value):
        raise RuleRefused("the end is no date")
    try:
        return date(int(value[:4]), int(value[4:6]), int(value[6:]))
    except ValueError as error:
        raise RuleRefused("the end is no date") from error


@dataclass(frozen=True)
class Occurrence:
    """One meeting of a series."""

    local: datetime
    """The wall time that the rule gives, naive. It names the occurrence, also when this one has been moved."""
    at: datetime
    """The same in UTC, aware."""


def occurrences(rule: Rule, first: datetime, zone: str, *, after: datetime, limit: int) -> list[Occurrence]:
    """Return at most `limit` occurrences that begin later than `after` (aware), in order.

    `first` is the naive wall time from which the rule counts; nothing comes before it, and it is an occurrence itself
    only if the rule says so. Fractions of a second are dropped. Of two wall times that are the same instant (a day that
    a zone left out, Pacific/Apia 2011-12-30) the earlier is kept. Raises TypeError when `first` is aware or `after` is
    naive, ZoneInfoNotFoundError or ValueError for a zone that does not exist.
    """
    if after.tzinfo is None:
        raise TypeError("an occurrence comes after an instant, which a naive datetime is not")
    after = after.astimezone(UTC)
    found: list[Occurrence] = []
    if limit < 1:
        return found
    first = first.replace(microsecond=0, fold=0)
    passed = max(after.replace(tzinfo=None) - first - _OFFSET_BELOW, timedelta())
    low = first + passed
    for local in _wall_times(rule, first, passed):
        if local < low:
            continue
        if local.year == MAXYEAR:
            break
        at = instant(local, zone)
        if at <= after or (found and at == found[-1].at):
            continue
        found.append(Occurrence(local, at))
        if len(found) == limit:
            break
    return found


def _wall_times(rule: Rule, first: datetime, passed: timedelta) -> Iterable[datetime]:
    """Return the wall times of a rule from `first` on; what lies in the time that has passed since may be left out.

    python-dateutil walks from its start, which takes the longer the older a series is. Therefore the start is moved by
    whole intervals, which keeps the phase.
    """
    if rule.freq == "once":
        return (first,)
    until = datetime.combine(rule.until, time.max) if rule.until else None
    if rule.freq == "daily":
        start = first - -passed // timedelta(days=rule.interval) * timedelta(days=rule.interval)
        return rrule.rrule(rrule.DAILY, start, interval=rule.interval, until=until)
    if rule.freq == "weekly":
        start = first + passed // timedelta(weeks=rule.interval) * timedelta(weeks=rule.interval)
        return _weekly(rule, start, until)
    start, low = first, first + passed
    months = (low.year - first.year) * 12 + low.month - first.month
    if skipped := months // rule.interval * rule.interval:
        year, month = divmod(first.year * 12 + first.month - 1 + skipped, 12)
        start = first.replace(year=year, month=month + 1, day=1)
    nth_day = rrule.weekday(rule.weekday or 0, rule.nth)
    return rrule.rrule(rrule.MONTHLY, start, interval=rule.interval, byweekday=nth_day, until=until)


def _weekly(rule: Rule, start: datetime, until: datetime | None) -> Iterable[datetime]:
    """Return what python-dateutil would; most groups meet weekly, and this way takes a fifth of its time."""
    monday = start - timedelta(days=start.weekday())
    every = timedelta(weeks=rule.interval)
    while monday.year < MAXYEAR:
        for weekday in rule.weekdays:
            local = monday + timedelta(days=weekday)
            if until is not None and local > until:
                return
            if local >= start:
                yield local
        monday += every


def instant(local: datetime, zone: str) -> datetime:
    """Return the instant of a naive wall time, in UTC.

    A wall time that a change of clocks skips has the offset from before the change; of one that comes twice the first
    is meant (RFC 5545, 3.3.5). Raises TypeError for an aware one.
    """
    if local.tzinfo is not None:
        raise TypeError("a wall time is naive")
    return local.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)


def kind_of(local: datetime, zone: str) -> str:
    """Return "plain", "gap" for a wall time that a change of clocks skips, "fold" for one that comes twice."""
    if local.tzinfo is not None:
        raise TypeError("a wall time is naive")
    first, second = (local.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return "plain"
    return "fold" if first < second else "gap"


def clock_change_between(zone: str, a: datetime, b: datetime) -> timedelta:
    """Return by how much the clocks of a zone stand further on at instant `b` than at `a`; zero is false."""
    wall_a, wall_b = (at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for at in (a, b))
    return wall_b - wall_a - (b.astimezone(UTC) - a.astimezone(UTC))


def day_of_change(zone: str, before: datetime, after: datetime) -> datetime:
    """Return noon of the day on which clocks change between two instants that have other offsets."""
    place = ZoneInfo(zone)
    noon = before.astimezone(place).replace(hour=12, minute=0, tzinfo=None)
    offset = before.astimezone(place).utcoffset()
    while noon < after.astimezone(place).replace(tzinfo=None):
        if noon.replace(tzinfo=place).utcoffset() != offset:
            return noon.replace(tzinfo=place)
        noon += timedelta(days=1)
    return after
