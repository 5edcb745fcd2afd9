"""Calendar files: meetings as RFC 5545 writes them, so that any calendar shows them at the right instants.

A file lies on phones and in shared calendars, therefore it names nothing but "Group meeting" and the room: no group, no
topic, no link to a meeting, nobody. A series has one UID for ever, and a SEQUENCE that grows with each change of it or
of one of its meetings. A cancelled meeting of a series is an EXDATE, which every calendar understands; a moved one
overrides the occurrence that its RECURRENCE-ID names. Single meetings have a UID of their own, because calendars take
an override without its series badly. Times stay wall times: the file brings the rules of its zones along.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from itertools import groupby, pairwise
from typing import TYPE_CHECKING
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import meetings, members
from peerbot.access import SEATED
from peerbot.errors import MeetingUnknown, NotMember, NotValid
from peerbot.models import Facilitator, Group, Meeting, Membership, Series
from peerbot.recurrence import DAYS, Occurrence, Rule, instant, occurrences
from peerbot.rights import Actor
from peerbot.series import parse
from peerbot.text import _

if TYPE_CHECKING:
    from icalendar import Event, Timezone

PRODUCT = "-//peerbot//peerbot//EN"
OURS = UUID("6f1b7a52-95c4-4d0e-9d5e-0a3c4f1e7b60")
"""The name space of our UIDs (RFC 9562, 6.5). They are made of ids, so that two bots never give the same."""
YEARS_AHEAD = 10
"""For how many years the clock changes of a zone are looked up; where they follow a rule, it is written without end."""
STEP = timedelta(days=7)
"""Between two looks at a zone; no clocks are changed twice in a week."""


@dataclass(frozen=True)
class Repeating:
    """A series as a calendar has it: from `first` on (an occurrence, as all that follow), `off` and `moved` excepted.

    `rule` is "once" for a single meeting. All times are wall time in `zone`. `url` is the room.
    """

    uid: UUID
    sequence: int
    zone: str
    rule: Rule
    first: datetime
    minutes: int
    url: str = ""
    is_off: bool = False
    off: tuple[datetime, ...] = ()
    moved: dict[datetime, datetime] = field(default_factory=dict[datetime, datetime])


# who gets which file


async def of_groups(
    session: AsyncSession, actor: Actor, *, group_id: int | None = None, title: str, now: datetime
) -> bytes:
    """Return the coming meetings of a group in which the actor has a part, or of all such groups.

    Raises NotMember, or NotValid when no meeting lies ahead.
    """
    me = await members.find(session, actor.guild_id, actor.user_id)
    member_id = me.member_id if me is not None else 0
    seats = select(Membership.group_id).where(Membership.member_id == member_id, Membership.state.in_(SEATED))
    tended = select(Facilitator.group_id).where(Facilitator.member_id == member_id)
    theirs = select(Group).where(Group.guild_id == actor.guild_id, Group.group_id.in_(seats.union(tended)))
    if group_id is not None:
        theirs = theirs.where(Group.group_id == group_id)
    groups = {group.group_id: group for group in await session.scalars(theirs)}
    if group_id is not None and group_id not in groups:
        name = await session.scalar(
            select(Group.name).where(Group.group_id == group_id, Group.guild_id == actor.guild_id)
        )
        raise NotMember(name) if name is not None else MeetingUnknown
    found = await _repeating(session, groups, now)
    if not found:
        raise NotValid(_("There is no meeting ahead right now. Please look again later."))
    return write(found, title=title, now=now)


async def of_meeting(session: AsyncSession, actor: Actor, meeting_id: int, *, title: str, now: datetime) -> bytes:
    """Return one meeting, cancelled or not. Raises MeetingUnknown or NotMember."""
    meeting = await meetings.find(session, actor.guild_id, meeting_id)
    if meeting is None:
        raise MeetingUnknown
    group = await session.get_one(Group, meeting.group_id)
    me = await members.find(session, actor.guild_id, actor.user_id)
    if me is None or not await meetings.takes_part(session, group, me, actor):
        raise NotMember(group.name)
    series = await session.get_one(Series, meeting.series_id)
    one = Repeating(
        uid=uuid5(OURS, f"{series.guild_id}/{series.series_id}/{meeting.original_local}"),
        sequence=series.version + meeting.rev,
        zone=series.zone,
        rule=Rule("once"),
        first=parse(meeting.moved_local or meeting.original_local),
        minutes=(meeting.ends_at - meeting.starts_at) // timedelta(minutes=1),
        url=_room(group, series),
        is_off=meeting.state == "cancelled",
    )
    return write([one], title=title, now=now)


async def _repeating(session: AsyncSession, groups: dict[int, Group], now: datetime) -> list[Repeating]:
    ahead = select(Meeting.series_id).where(Meeting.ends_at > now)
    wanted = select(Series).where(
        Series.group_id.in_(groups), or_(Series.state == "active", Series.series_id.in_(ahead))
    )
    several = (await session.scalars(wanted.order_by(Series.series_id))).all()
    ids = [series.series_id for series in several]
    unusual = or_(Meeting.ends_at > now, Meeting.moved_local.is_not(None), Meeting.state == "cancelled")
    made = select(Meeting).where(Meeting.series_id.in_(ids), unusual).order_by(Meeting.series_id)
    by_series = {key: list(each) for key, each in groupby(await session.scalars(made), lambda each: each.series_id)}
    changes = select(Meeting.series_id, func.sum(Meeting.rev - 1)).where(Meeting.series_id.in_(ids))
    changed = {key: int(many) for key, many in await session.execute(changes.group_by(Meeting.series_id))}
    found = (
        _repeated(series, groups[series.group_id], by_series.get(series.series_id, []), changed, now)
        for series in several
    )
    return [each for each in found if each is not None]


def _repeated(
    series: Series, group: Group, made: Sequence[Meeting], changed: dict[int, int], now: datetime
) -> Repeating | None:
    """Return a series from its first meeting on that is not over; None when nothing lies ahead."""
    rule, started = Rule.parse(series.rule), now - timedelta(minutes=series.minutes)
    is_off = series.state == "ended" or (rule.freq == "once" and any(each.state == "cancelled" for each in made))
    off = {parse(each.original_local) for each in made if each.state == "cancelled"}
    ahead = {parse(each.original_local) for each in made if each.ends_at > now and each.state != "over"}
    near: list[Occurrence] = []
    if series.state == "active":
        near = occurrences(rule, parse(series.first_local), series.zone, after=started, limit=len(off) + 1)
    starts = ({each.local for each in near} | ahead) - off or (ahead if is_off else set[datetime]())
    if not starts:
        return None
    first = min(starts)
    later = [each for each in made if parse(each.original_local) >= first]
    return Repeating(
        uid=uuid5(OURS, f"{series.guild_id}/{series.series_id}"),
        sequence=series.version + changed.get(series.series_id, 0),
        zone=series.zone,
        rule=rule,
        first=first,
        minutes=series.minutes,
        url=_room(group, series),
        is_off=is_off,
        off=tuple(sorted(parse(each.original_local) for each in later if each.state == "cancelled")),
        moved={
            parse(each.original_local): parse(each.moved_local)
            for each in later
            if each.moved_local is not None and each.state != "cancelled"
        },
    )


def _room(group: Group, series: Series) -> str:
    place_id = series.channel_id or group.room_id
    return f"https://discord.com/channels/{group.guild_id}/{place_id}" if place_id is not None else ""


# what stands in a file


def write(several: Iterable[Repeating], *, title: str, now: datetime) -> bytes:
    """Return a calendar file with these series; `title` is what calendars show."""
    from icalendar import Calendar

    several = list(several)
    calendar = Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", PRODUCT)
    calendar.add("calscale", "GREGORIAN")
    years = {each.zone: min(other.first.year for other in several if other.zone == each.zone) for each in several}
    for zone, year in years.items():
        if zone != "UTC":  # written as UTC itself, which needs no rules
            calendar.add_component(_timezone(zone, year))
    for each in several:
        for event in _events(each, title, now):
            calendar.add_component(event)
    return calendar.to_ical()


def _events(each: Repeating, title: str, now: datetime) -> Iterable[Event]:
    zone = ZoneInfo(each.zone)
    if each.rule.freq == "once":
        yield _event(each, each.moved.get(each.first, each.first), title, now)
        return
    master = _event(each, each.first, title, now)
    master.add("rrule", _rrule(each.rule, each.zone))
    if each.off and not each.is_off:
        master.add("exdate", [local.replace(tzinfo=zone) for local in each.off])
    yield master
    for original, local in sorted(each.moved.items()):
        moved = _event(each, local, title, now)
        moved.add("recurrence-id", original.replace(tzinfo=zone))
        yield moved


def _event(each: Repeating, local: datetime, title: str, now: datetime) -> Event:
    from icalendar import Event

    event = Event()
    zone = ZoneInfo(each.zone)
    event.add("uid", str(each.uid))
    event.add("dtstamp", now.astimezone(UTC))
    event.add("sequence", each.sequence)
    event.add("dtstart", local.replace(tzinfo=zone))
    event.add("duration", timedelta(minutes=each.minutes))  # an end would be wall time, which clocks may skip
    event.add("summary", title)
    event.add("status", "CANCELLED" if each.is_off else "CONFIRMED")
    event.add("class", "PRIVATE")
    if each.url:
        event.add("url", each.url)
    return event


def _rrule(rule: Rule, zone: str) -> dict[str, list[object]]:
    """Return a rule as RFC 5545 (3.3.10) wants it beside a start with a zone: its end is an instant, in UTC."""
    parts: dict[str, list[object]] = {"FREQ": [rule.freq.upper()]}
    if rule.interval > 1:
        parts["INTERVAL"] = [rule.interval]
    if rule.weekdays:
        parts["BYDAY"] = [DAYS[day] for day in rule.weekdays]
    if rule.weekday is not None:
        parts["BYDAY"] = [f"{rule.nth}{DAYS[rule.weekday]}"]
    if rule.until is not None:
        parts["UNTIL"] = [instant(datetime.combine(rule.until, time(23, 59, 59)), zone)]
    return parts


# the rules of a zone


@dataclass(frozen=True)
class Change:
    """A change of clocks: the wall time at which it comes, by the old offset, and both offsets."""

    local: datetime
    before: timedelta
    after: timedelta
    name: str

    @property
    def nth(self) -> int:
        """Which of its weekday in the month it is on, 1 to 5."""
        return (self.local.day - 1) // 7 + 1

    @property
    def is_last(self) -> bool:
        """Whether it is on the last of its weekday in the month."""
        return (self.local + timedelta(days=7)).month != self.local.month


def _timezone(zone: str, year: int) -> Timezone:
    """Return the VTIMEZONE of a zone from the beginning of the year before `year`; raises for a zone that is none."""
    from icalendar import Timezone, TimezoneDaylight, TimezoneStandard

    described = Timezone()
    described.add("tzid", zone)
    changes = _changes(zone, year - 1)
    offset = datetime(year - 1, 1, 1, tzinfo=ZoneInfo(zone)).utcoffset() or timedelta()
    name = datetime(year - 1, 1, 1, tzinfo=ZoneInfo(zone)).tzname() or zone
    begin = Change(datetime(year - 1, 1, 1), offset, offset, name)  # noqa: DTZ001 - wall time
    kinds: dict[tuple[timedelta, timedelta, str], list[Change]] = {}
    for change in changes:
        kinds.setdefault((change.before, change.after, change.name), []).append(change)
    for alike in [[begin], *kinds.values()]:
        kind = TimezoneDaylight if alike[0].after > alike[0].before else TimezoneStandard
        observance = kind()
        observance.add("dtstart", alike[0].local)
        observance.add("tzoffsetfrom", alike[0].before)
        observance.add("tzoffsetto", alike[0].after)
        observance.add("tzname", alike[0].name)
        rule = _yearly(alike)
        if rule is not None:
            observance.add("rrule", rule)
        elif len(alike) > 1:
            observance.add("rdate", [each.local for each in alike[1:]])
        described.add_component(observance)
    return described


def _yearly(alike: Sequence[Change]) -> dict[str, list[object]] | None:
    """Return the rule that changes follow each year, on a weekday of a month at one time; None if they do not."""
    first = alike[0]
    days = {(each.local.month, each.local.weekday(), each.local.time()) for each in alike}
    each_year = all(b.local.year - a.local.year == 1 for a, b in pairwise(alike))
    if len(alike) < YEARS_AHEAD or len(days) > 1 or not each_year:
        return None
    if len({each.nth for each in alike}) == 1:
        nth = first.nth
    elif all(each.is_last for each in alike):
        nth = -1
    else:
        return None
    return {"FREQ": ["YEARLY"], "BYMONTH": [first.local.month], "BYDAY": [f"{nth}{DAYS[first.local.weekday()]}"]}


@lru_cache(maxsize=64)
def _changes(zone: str, year: int) -> tuple[Change, ...]:
    """Return when the clocks of a zone change from a year on, for ten years and what is left of the last."""
    info = ZoneInfo(zone)
    at, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + YEARS_AHEAD + 1, 1, 1, tzinfo=UTC)
    found: list[Change] = []
    while at < end:
        later = at + STEP
        if _offset(info, at) != _offset(info, later):
            exact = _bisected(info, at, later)
            before, after = _offset(info, at), _offset(info, later)
            local = (exact + before).replace(tzinfo=None)
            found.append(Change(local, before, after, exact.astimezone(info).tzname() or zone))
        at = later
    return tuple(found)


def _bisected(info: ZoneInfo, early: datetime, late: datetime) -> datetime:
    """Return the first second between two instants at which the offset is that of the later one."""
    low, high = 0, int((late - early).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(info, early + timedelta(seconds=middle)) == _offset(info, early):
            low = middle
        else:
            high = middle
    return early + timedelta(seconds=high)


def _offset(info: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(info).utcoffset() or timedelta()
