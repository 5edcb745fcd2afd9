"""When a group meets: make a series, change it, skip weeks, end it; and make its single meetings some time ahead.

A series is wall time, zone and rule; the instants of its meetings are derived. A meeting is known by the wall time at
which the series puts it, so that making meetings again makes nothing twice. Every rule that changes a series locks its
group first. What people are told of a change waits a minute, so that an undo is told to nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from importlib.metadata import version
from itertools import pairwise
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import cards, deliveries
from peerbot.deliveries import Priority
from peerbot.errors import MeetingUnknown, NotValid
from peerbot.models import Delivery, Facilitator, Group, Meeting, Series
from peerbot.recurrence import Occurrence, Rule, clock_change_between, instant, kind_of, occurrences
from peerbot.rights import Actor, guild_of, locked_for
from peerbot.text import _, clean
from peerbot.types import KEEPS_KEY, insert_into

AHEAD = timedelta(days=15)
"""How far ahead meetings are made: longer than the earliest card or reminder, and the look of each day."""
AT_LEAST = 2
"""Meetings ahead that there are always, however far away they are."""
LOOK = timedelta(days=1)
"""How often a server's series are looked at."""
FIRST_TURN = timedelta(days=8)
"""How long before a meeting it is looked after for the first time: before the earliest card."""
TURN = "meetings.turn"
CHUNK = 50
"""Series that are looked at in one transaction, so that nobody waits long for the database."""
MOST_CLASHES = 3
UNDO = timedelta(minutes=1)
"""How long a change can be undone before anyone is told."""
AT_ONCE = timedelta(minutes=30)
"""So close to a meeting, people are told at once."""
LONGEST_AHEAD = timedelta(days=730)
LENGTHS = (15, 240)
LONGEST = {"topic": 60, "link": 300}
LONGEST_SKIP = timedelta(days=370)
LOCAL = "%Y-%m-%dT%H:%M"


@dataclass(frozen=True)
class Plan:
    """When, how long and where a group is to meet. `first` is wall time in the server's zone."""

    group_id: int
    first: datetime
    rule: Rule
    minutes: int = 60
    channel_id: int | None = None
    link: str = ""
    topic: str = ""

    @classmethod
    def checked(
        cls,
        *,
        group_id: int,
        first: datetime,
        rule: Rule,
        minutes: str = "60",
        channel_id: int | None = None,
        link: str = "",
        topic: str = "",
    ) -> Plan:
        """Return the plan, cleaned; raise NotValid that names what is wrong."""
        topic, link, length = clean(topic), clean(link), minutes.strip()
        if not length.isdecimal() or not LENGTHS[0] <= int(length[:4]) <= LENGTHS[1]:
            shortest, longest = LENGTHS
            raise NotValid(_("Please give a length from {a} to {b} minutes.", a=shortest, b=longest))
        if len(topic) > LONGEST["topic"]:
            raise NotValid(_("That topic is too long. {limit} letters are the most.", limit=LONGEST["topic"]))
        if link and (not link.startswith("https://") or " " in link or len(link) > LONGEST["link"]):
            raise NotValid(_("Please give a link that begins with https://"))
        return cls(group_id, first.replace(second=0, microsecond=0), rule, int(length), channel_id, link, topic)


@dataclass(frozen=True)
class Clash:
    """Another meeting at the same time: of the same group, or of a facilitator of it."""

    group_name: str
    starts_at: datetime
    same_group: bool


@dataclass(frozen=True)
class Preview:
    """What a plan would come to, for a facilitator to confirm. `wall` is "plain", "gap" or "fold" (recurrence.kind_of).

    `change_at` is the first of the next dates that comes after clocks change.
    """

    group_name: str
    zone: str
    next: tuple[Occurrence, ...]
    wall: str
    change_at: datetime | None
    clashes: tuple[Clash, ...]


async def look(session: AsyncSession, actor: Actor, plan: Plan, *, now: datetime, instead_of: int = 0) -> Preview:
    """Return what a plan would come to; nothing is stored. `instead_of` is the series that it would replace.

    Raises NotAllowed, GroupUnknown, GroupClosed, or NotValid for a time that is past, too far, or never comes.
    """
    group = await locked_for(session, actor, plan.group_id)
    zone = (await guild_of(session, actor.guild_id)).time_zone
    coming = _coming(plan, zone, now, 3)
    changes = (b.at for a, b in pairwise(coming) if clock_change_between(zone, a.at, b.at))
    return Preview(
        group_name=group.name,
        zone=zone,
        next=tuple(coming),
        wall=kind_of(coming[0].local, zone),
        change_at=next(changes, None),
        clashes=tuple(await _clashes(session, group, plan, coming, instead_of)),
    )


async def create(session: AsyncSession, actor: Actor, plan: Plan, *, now: datetime) -> Series:
    """Store a plan and make its next meetings. Raises like `look`."""
    group = await locked_for(session, actor, plan.group_id)
    return await _store(session, group, plan, now=now)


async def change(session: AsyncSession, actor: Actor, series_id: int, plan: Plan, *, now: datetime) -> Series:
    """Change all coming meetings of a series; return the series that holds them, a new one where the time changes.

    What was answered to a time that is no longer true is not carried over. Raises like `look`, or MeetingUnknown.
    """
    series, group = await locked_series(session, actor, series_id)
    guild = await guild_of(session, actor.guild_id)
    coming = _coming(plan, guild.time_zone, now, 1)
    same_time = (series.rule, series.zone) == (plan.rule.text(), guild.time_zone) and (
        plan.first == parse(series.first_local) or _holds(series, coming[0].local, now)
    )
    if not same_time:
        await _end(session, series, now=now, why="ended")
        return await _store(session, group, plan, now=now)
    series.minutes, series.channel_id, series.link, series.topic = plan.minutes, plan.channel_id, plan.link, plan.topic
    series.version += 1
    for meeting in await _future(session, series, now):
        meeting.ends_at = meeting.starts_at + timedelta(minutes=plan.minutes)
        await touch(session, meeting, now=now)
    await session.flush()
    return series


async def skip(
    session: AsyncSession, actor: Actor, series_id: int, first: date, last: date, *, now: datetime
) -> list[Meeting]:
    """Cancel all meetings from one local date to another (holidays), also those that are not made yet; return them.

    Raises NotAllowed, MeetingUnknown, or NotValid for a range that is turned round, too long, or holds no meeting.
    """
    series, _group = await locked_series(session, actor, series_id)
    if last < first or last - first > LONGEST_SKIP:
        raise NotValid(_("Please give a first and a last day, at most a year apart."))
    await make(session, [series], until=_midnight(last + timedelta(days=1), series.zone), now=now)
    skipped = [
        meeting
        for meeting in await _future(session, series, now)
        if first <= parse(meeting.moved_local or meeting.original_local).date() <= last
    ]
    if not skipped:
        raise NotValid(_("There is no meeting in these days. Nothing was changed."))
    for meeting in skipped:
        await cancelled(session, meeting, "skipped", now=now)
    await make(session, [series], until=now + AHEAD, now=now)
    return skipped


async def unskip(
    session: AsyncSession, actor: Actor, series_id: int, first: date, last: date, *, now: datetime
) -> list[Meeting]:
    """Take a skip back, as far as its meetings still lie ahead; return them. Raises NotAllowed or MeetingUnknown."""
    series, _group = await locked_series(session, actor, series_id)
    back = [
        meeting
        for meeting in await _future(session, series, now, state="cancelled")
        if meeting.why == "skipped" and first <= parse(meeting.moved_local or meeting.original_local).date() <= last
    ]
    for meeting in back:
        await planned_again(session, meeting, now=now)
    return back


async def end(session: AsyncSession, actor: Actor, series_id: int, *, now: datetime) -> Series:
    """End a series: the meetings ahead are cancelled. Raises NotAllowed or MeetingUnknown."""
    series, _group = await locked_series(session, actor, series_id)
    await _end(session, series, now=now, why="ended")
    return series


async def go_on(session: AsyncSession, actor: Actor, series_id: int, *, now: datetime) -> Series:
    """Take the end of a series back. Raises NotAllowed or MeetingUnknown."""
    series, _group = await locked_series(session, actor, series_id, ended_too=True)
    if series.state == "ended":
        series.state = "active"
        await session.flush()
        for meeting in await _future(session, series, now, state="cancelled"):
            if meeting.why == "ended":
                await planned_again(session, meeting, now=now)
        await make(session, [series], until=now + AHEAD, now=now)
    return series


async def end_all(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Step: a group has closed, and its series end with it."""
    group = await session.get(Group, delivery.group_id, with_for_update=KEEPS_KEY)
    if group is None or group.state == "open":
        return
    active = select(Series).where(Series.group_id == group.group_id, Series.state == "active")
    for series in (await session.scalars(active)).all():
        await _end(session, series, now=now, why="ended")


# time goes on


async def extend(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Step: once a day, make the meetings of a server that have come near, and look at zones anew."""
    guild = await guild_of(session, delivery.guild_id)
    made = await materialise(session, now=now, guild_id=guild.guild_id)
    stale = select(Series).where(
        Series.guild_id == guild.guild_id,
        Series.state == "active",
        (Series.zone != guild.time_zone) | (Series.tz_version != tz_version()),
    )
    for series in (await session.scalars(stale.limit(CHUNK).with_for_update())).all():
        await recompute(session, series, guild.time_zone, now=now)
        made += 1
    again = timedelta() if made >= CHUNK else LOOK
    await look_again(session, guild.guild_id, now=now, due_at=now + again)


async def look_again(session: AsyncSession, guild_id: int, *, now: datetime, due_at: datetime | None = None) -> None:
    """Have a server's series looked at, now or at a moment."""
    await deliveries.plan(
        session, "meetings.extend", "all", guild_id=guild_id, now=now, due_at=due_at, again=True,
    )  # fmt: skip


async def materialise(session: AsyncSession, *, now: datetime, guild_id: int | None = None, limit: int = CHUNK) -> int:
    """Make meetings of some series that are not made far enough ahead; return of how many."""
    behind = select(Series).where(Series.state == "active", Series.made_until < now + AHEAD - LOOK)
    if guild_id is not None:
        behind = behind.where(Series.guild_id == guild_id)
    some = behind.order_by(Series.made_until).limit(limit).with_for_update(skip_locked=True)
    found = (await session.scalars(some)).all()
    await make(session, found, until=now + AHEAD, now=now)
    return len(found)


async def recompute(session: AsyncSession, series: Series, zone: str, *, now: datetime) -> None:
    """Work out the coming meetings anew in a zone, by the rules of today; wall times stay what they are."""
    series.zone, series.tz_version = zone, tz_version()
    series.version += 1
    for state in ("planned", "cancelled"):
        for meeting in await _future(session, series, now, state=state):
            starts_at = instant(parse(meeting.moved_local or meeting.original_local), zone)
            if starts_at != meeting.starts_at:
                set_time(meeting, starts_at, series.minutes)
                await touch(session, meeting, now=now, tells=state == "planned")
    await session.flush()


# what other rules of meetings use


def set_time(meeting: Meeting, starts_at: datetime, minutes: int) -> None:
    """Put a meeting at an instant."""
    meeting.starts_at, meeting.ends_at = starts_at, starts_at + timedelta(minutes=minutes)


async def cancelled(session: AsyncSession, meeting: Meeting, why: str, *, now: datetime) -> None:
    """Mark a meeting as cancelled, and have people told."""
    meeting.state, meeting.why = "cancelled", why
    await touch(session, meeting, now=now, tells=True)


async def planned_again(session: AsyncSession, meeting: Meeting, *, now: datetime) -> None:
    """Take a cancellation back, and have people told who know of it."""
    meeting.state, meeting.why = "planned", None
    await touch(session, meeting, now=now, tells=True)


async def touch(session: AsyncSession, meeting: Meeting, *, now: datetime, tells: bool = False) -> None:
    """Write down that a meeting has changed: redraw what shows it, look at its time anew, tell people if asked."""
    meeting.rev += 1
    meeting.turned_at = now
    await session.flush()
    await cards.mark(session, meeting.guild_id, cards.BOARD, cards.of_meeting(meeting.meeting_id), now=now)
    await deliveries.plan(
        session, TURN, str(meeting.meeting_id), guild_id=meeting.guild_id, now=now, again=True,
        priority=Priority.START, group_id=meeting.group_id, subject_id=meeting.meeting_id,
    )  # fmt: skip
    if tells:
        soon = meeting.starts_at - now < AT_ONCE
        await deliveries.plan(
            session, "meetings.tell", str(meeting.series_id), guild_id=meeting.guild_id, now=now, again=True,
            due_at=now if soon else now + UNDO, priority=Priority.START, group_id=meeting.group_id,
            subject_id=meeting.series_id,
        )  # fmt: skip


def standing(meeting: Meeting) -> str:
    """Return how a meeting differs from what its series says, in the way in which `told` keeps it."""
    return "cancelled" if meeting.state == "cancelled" else meeting.moved_local or ""


async def make(session: AsyncSession, several: Sequence[Series], *, until: datetime, now: datetime) -> None:
    """Make the meetings of some series up to a moment, at least two, and have each looked after in its time."""
    rows: list[dict[str, Any]] = []
    for series in several:
        begin = max(series.made_until, now)
        first, days = parse(series.first_local), max((until - begin).days, 0)
        near = occurrences(Rule.parse(series.rule), first, series.zone, after=begin, limit=days + AT_LEAST + 1)
        coming = [each for number, each in enumerate(near) if each.at <= until or number < AT_LEAST]
        rows += [_row(series, each, now) for each in coming]
        series.made_until = max([until, begin, *(each.at for each in coming)])
    await session.flush()
    if rows:
        insert = insert_into(session, Meeting).on_conflict_do_nothing(index_elements=["series_id", "original_local"])
        made = (Meeting.meeting_id, Meeting.guild_id, Meeting.group_id, Meeting.starts_at)
        turns = [
            deliveries.Planned(str(meeting_id), guild_id, max(starts_at - FIRST_TURN, now), group_id, meeting_id)
            for meeting_id, guild_id, group_id, starts_at in await session.execute(insert.returning(*made), rows)
        ]
        await deliveries.plan_many(session, TURN, turns, now=now, priority=Priority.START)
        for guild_id in {series.guild_id for series in several}:
            await cards.mark(session, guild_id, cards.BOARD, now=now)


def _row(series: Series, each: Occurrence, now: datetime) -> dict[str, Any]:
    return {
        "series_id": series.series_id,
        "guild_id": series.guild_id,
        "group_id": series.group_id,
        "original_local": each.local.strftime(LOCAL),
        "starts_at": each.at,
        "ends_at": each.at + timedelta(minutes=series.minutes),
        "turned_at": now,
    }


async def _store(session: AsyncSession, group: Group, plan: Plan, *, now: datetime) -> Series:
    guild = await guild_of(session, group.guild_id)
    _coming(plan, guild.time_zone, now, 1)
    series = Series(
        guild_id=group.guild_id, group_id=group.group_id, rule=plan.rule.text(), first_local=plan.first.strftime(LOCAL),
        zone=guild.time_zone, minutes=plan.minutes, channel_id=plan.channel_id, link=plan.link, topic=plan.topic,
        made_until=now, tz_version=tz_version(), created_at=now,
    )  # fmt: skip
    session.add(series)
    await session.flush()
    await make(session, [series], until=now + AHEAD, now=now)
    board = guild.panel_channel_id
    if not await cards.stands(session, guild.guild_id, cards.BOARD):
        await cards.place(session, guild.guild_id, cards.BOARD, board, now=now)
    await look_again(session, guild.guild_id, now=now, due_at=now + LOOK)
    return series


async def _end(session: AsyncSession, series: Series, *, now: datetime, why: str) -> None:
    series.state = "ended"
    await session.flush()
    for meeting in await _future(session, series, now):
        await cancelled(session, meeting, why, now=now)


async def _future(session: AsyncSession, series: Series, now: datetime, *, state: str = "planned") -> list[Meeting]:
    ahead = select(Meeting).where(
        Meeting.series_id == series.series_id, Meeting.state == state, Meeting.starts_at > now
    )
    return list((await session.scalars(ahead.order_by(Meeting.starts_at))).all())


async def locked_series(
    session: AsyncSession, actor: Actor, series_id: int, *, ended_too: bool = False
) -> tuple[Series, Group]:
    """Return a series of the actor's server and its group, locked, if they may change it.

    Raises NotAllowed, GroupClosed or MeetingUnknown.
    """
    series = await session.get(Series, series_id)
    if series is None or series.guild_id != actor.guild_id:
        raise MeetingUnknown
    group = await locked_for(session, actor, series.group_id)
    await session.refresh(series)
    if series.state != "active" and not ended_too:
        raise MeetingUnknown
    return series, group


def _coming(plan: Plan, zone: str, now: datetime, many: int) -> list[Occurrence]:
    """Return the next meetings of a plan; raise NotValid when there is none, or the first is past or far away."""
    coming = occurrences(plan.rule, plan.first, zone, after=now, limit=many)
    if not coming:
        raise NotValid(_("That time has passed. Please choose one that lies ahead."))
    if coming[0].at > now + LONGEST_AHEAD:
        raise NotValid(_("That is more than two years away. Please choose an earlier day."))
    return coming


async def _clashes(
    session: AsyncSession, group: Group, plan: Plan, coming: Sequence[Occurrence], instead_of: int
) -> list[Clash]:
    """Return meetings at the time of a plan's next ones: of the same group, or of others with the same facilitator."""
    ours = select(Facilitator.member_id).where(Facilitator.group_id == group.group_id)
    shared = select(Facilitator.group_id).where(Facilitator.member_id.in_(ours))
    length = timedelta(minutes=plan.minutes)
    overlaps = or_(*(and_(Meeting.starts_at < each.at + length, Meeting.ends_at > each.at) for each in coming))
    found = (
        select(Group.name, Group.group_id, Meeting.starts_at)
        .join(Group, Group.group_id == Meeting.group_id)
        .where(
            Meeting.guild_id == group.guild_id,
            Meeting.state == "planned",
            Meeting.series_id != instead_of,
            overlaps,
            or_(Meeting.group_id == group.group_id, Meeting.group_id.in_(shared)),
        )
        .order_by(Meeting.starts_at)
        .limit(MOST_CLASHES)
    )
    rows = await session.execute(found)
    return [Clash(name, starts_at, group_id == group.group_id) for name, group_id, starts_at in rows]


def _holds(series: Series, local: datetime, now: datetime) -> bool:
    """Return whether a series has a meeting at a wall time, so that a plan that begins there is no other time."""
    first = parse(series.first_local)
    [*found] = occurrences(Rule.parse(series.rule), first, series.zone, after=now, limit=1)
    return bool(found) and found[0].local == local


def parse(local: str) -> datetime:
    """Return the wall time that a row keeps as text."""
    return datetime.strptime(local, LOCAL)  # noqa: DTZ007 - wall time has no zone


def _midnight(day: date, zone: str) -> datetime:
    return instant(datetime.combine(day, time()), zone)


@cache
def tz_version() -> str:
    """Return by which release of the tz database times are computed."""
    return version("tzdata")
