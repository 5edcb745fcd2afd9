"""When a group meets, as its facilitators say it: make a series, change it, skip weeks, end it, and take that back.

A plan is looked at before anything is stored, and every rule that changes a series locks its group first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import cards
from peerbot.errors import MeetingUnknown, NotValid
from peerbot.models import Delivery, Facilitator, Group, Meeting, Series
from peerbot.recurrence import Occurrence, Rule, clock_change_between, instant, kind_of, occurrences
from peerbot.rights import Actor, guild_of, locked_for
from peerbot.series import (
    AHEAD,
    LOCAL,
    LONGEST_AHEAD,
    LOOK,
    cancelled,
    end_series,
    future,
    look_again,
    make,
    parse,
    planned_again,
    touch,
    tz_version,
)
from peerbot.text import _, clean
from peerbot.types import KEEPS_KEY

MOST_CLASHES = 3
LENGTHS = (15, 240)
LONGEST = {"topic": 60, "link": 300}
LONGEST_SKIP = timedelta(days=370)


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
        await end_series(session, series, now=now, why="ended")
        return await _store(session, group, plan, now=now)
    series.minutes, series.channel_id, series.link, series.topic = plan.minutes, plan.channel_id, plan.link, plan.topic
    series.version += 1
    for meeting in await future(session, series, now):
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
        for meeting in await future(session, series, now)
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
        for meeting in await future(session, series, now, state="cancelled")
        if meeting.why == "skipped" and first <= parse(meeting.moved_local or meeting.original_local).date() <= last
    ]
    for meeting in back:
        await planned_again(session, meeting, now=now)
    return back


async def end(session: AsyncSession, actor: Actor, series_id: int, *, now: datetime) -> Series:
    """End a series: the meetings ahead are cancelled. Raises NotAllowed or MeetingUnknown."""
    series, _group = await locked_series(session, actor, series_id)
    await end_series(session, series, now=now, why="ended")
    return series


async def go_on(session: AsyncSession, actor: Actor, series_id: int, *, now: datetime) -> Series:
    """Take the end of a series back. Raises NotAllowed or MeetingUnknown."""
    series, _group = await locked_series(session, actor, series_id, ended_too=True)
    if series.state == "ended":
        series.state = "active"
        await session.flush()
        for meeting in await future(session, series, now, state="cancelled"):
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
        await end_series(session, series, now=now, why="ended")


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


def _midnight(day: date, zone: str) -> datetime:
    return instant(datetime.combine(day, time()), zone)
