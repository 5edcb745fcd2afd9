"""When a group meets, as its facilitators say it: make a series, change it, end it, and take that back.

A plan is looked at before anything is stored, and every rule that changes a series locks its group first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import cards, successions
from peerbot.clashes import Clash, at_once, require_free
from peerbot.errors import MeetingUnknown, NotValid
from peerbot.making import LOCAL
from peerbot.models import Delivery, Group, Guild, Meeting, Series
from peerbot.recurrence import Occurrence, Rule, clock_change_between, kind_of, occurrences
from peerbot.rights import Actor, guild_of, locked_for, seen_by
from peerbot.series import (
    AHEAD,
    LONGEST_AHEAD,
    all_cancelled,
    all_planned_again,
    end_series,
    future,
    look_daily,
    make,
    parse,
    place_code,
    place_of,
    placed,
    recompute,
    to_come,
    touch_all,
    tz_version,
)
from peerbot.text import _, clean
from peerbot.types import KEEPS_KEY

LENGTHS = (15, 240)
LONGEST = {"topic": 60, "link": 300}
YEARS = (1971, 9000)
"""Years in which every zone has every wall time."""
LINK = re.compile(
    r"https://(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9](?::[0-9]{1,5})?"
    r"(?:[/?#][a-z0-9._~:/?#@!$&*+,;=%-]*)?",
    re.ASCII | re.IGNORECASE,
)
"""A plain address: a named host in plain letters, nobody's password, nothing that ends a link early in Discord."""


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
        shortest, longest = LENGTHS
        if len(length) > len(str(longest)) or not length.isdecimal() or not shortest <= int(length) <= longest:
            raise NotValid(_("Please give a length from {a} to {b} minutes.", a=shortest, b=longest))
        if len(topic) > LONGEST["topic"]:
            raise NotValid(_("That topic is too long. {limit} letters are the most.", limit=LONGEST["topic"]))
        if len(link) > LONGEST["link"] or (link and not LINK.fullmatch(link)):
            raise NotValid(_("Please give a plain link that begins with https://, like https://example.org/room"))
        return cls(group_id, first.replace(second=0, microsecond=0), rule, int(length), channel_id, link, topic)


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
    room_id: int | None = None


async def look(session: AsyncSession, actor: Actor, plan: Plan, *, now: datetime, instead_of: int = 0) -> Preview:
    """Return what a plan would come to; nothing is stored. `instead_of` is the series that it would replace.

    Raises NotAllowed, GroupUnknown, GroupClosed, or NotValid for a time that is past, too far, or never comes.
    """
    group = await seen_by(session, actor, plan.group_id)
    zone = (await guild_of(session, actor.guild_id)).time_zone
    coming = _coming(plan, zone, now, 3)
    changes = (b.at for a, b in pairwise(coming) if clock_change_between(zone, a.at, b.at))
    return Preview(
        group_name=group.name,
        zone=zone,
        next=tuple(coming),
        wall=kind_of(coming[0].local, zone),
        change_at=next(changes, None),
        clashes=tuple(
            await at_once(
                session, group, plan.rule, plan.first, minutes=plan.minutes, zone=zone, instead_of=instead_of, now=now
            )
        ),
        room_id=group.room_id,
    )


async def create(session: AsyncSession, actor: Actor, plan: Plan, *, now: datetime) -> Series:
    """Store a plan and make its next meetings; the same plan again stands already. Raises like `look`."""
    group = await locked_for(session, actor, plan.group_id)
    return await standing(session, actor, plan) or await _store(session, group, plan, now=now)


async def standing(session: AsyncSession, actor: Actor, plan: Plan) -> Series | None:
    """Return the series of a group that has the time and length of a plan already. Raises NotAllowed."""
    group = await locked_for(session, actor, plan.group_id)
    same = select(Series).where(
        Series.group_id == group.group_id, Series.state == "active", Series.rule == plan.rule.text(),
        Series.first_local == plan.first.strftime(LOCAL), Series.minutes == plan.minutes,
    )  # fmt: skip
    return await session.scalar(same.order_by(Series.series_id).limit(1))


async def plan_of(session: AsyncSession, actor: Actor, series_id: int, *, now: datetime) -> Plan:
    """Return what a series is, as a plan that begins with its next meeting. Raises NotAllowed or MeetingUnknown."""
    series, group = await locked_series(session, actor, series_id)
    rule, first = Rule.parse(series.rule), parse(series.first_local)
    coming = occurrences(rule, first, series.zone, after=now, limit=1)
    return Plan(
        group.group_id, coming[0].local if coming else first, rule, series.minutes, series.channel_id, series.link,
        series.topic,
    )  # fmt: skip


async def change(
    session: AsyncSession, actor: Actor, series_id: int, plan: Plan, *, version: int | None = None, now: datetime
) -> Series:
    """Change all coming meetings of a series; return the series that holds them, a new one where the time changes.

    Days that are off stay so, and what was answered to a time at which the new one meets too holds (successions). With
    another place answers are kept, and people are told; of another length or topic nobody is told. `version` is of the
    series that the actor has seen. Raises like `look`, or MeetingUnknown, or NotValid when somebody else changed it.
    """
    series, group = await locked_series(session, actor, series_id)
    if plan.group_id != series.group_id:
        raise MeetingUnknown
    if version is not None and series.version != version:
        new = (plan.minutes, channel_of(plan, group), plan.link, plan.topic)
        if new == (series.minutes, series.channel_id, series.link, series.topic):
            return series
        raise NotValid(_("Somebody changed these meetings meanwhile. I changed nothing. /meeting list shows them."))
    await follow_zone(session, series, now=now)
    if not keeps_time(series, plan, now):
        off = await successions.off_days(session, series, now=now)
        await end_series(session, series, now=now, why="ended")
        made = await _store(session, group, plan, now=now)
        await successions.succeed(session, series, made, off, now=now)
        return made
    ends_otherwise, was = series.rule != plan.rule.text(), place_of(series)
    series.rule = plan.rule.text()
    series.minutes, series.link, series.topic = plan.minutes, plan.link, plan.topic
    series.channel_id = channel_of(plan, group)
    series.version += 1
    ahead = await future(session, series, now)
    for meeting in ahead:
        meeting.ends_at = meeting.starts_at + timedelta(minutes=plan.minutes)
    await touch_all(session, ahead, now=now)
    await placed(session, series, was, now=now)
    # Also of one that has begun: people may be waiting at the old place.
    shown = [cards.of_meeting(meeting.meeting_id) for meeting in await to_come(session, series, now)]
    await cards.mark(session, series.guild_id, *shown, now=now)
    for meeting in await future(session, series, now, state="cancelled"):
        meeting.ends_at = meeting.starts_at + timedelta(minutes=plan.minutes)
    if ends_otherwise:
        await _end_at(session, series, plan.rule.until, now=now)
    await session.flush()
    return series


async def concerned(session: AsyncSession, series: Series, group: Group, plan: Plan, *, now: datetime) -> list[Meeting]:
    """Return the meetings of which people are told if a plan takes the place of a series: of their time or place."""
    ahead = await future(session, series, now)
    if not keeps_time(series, plan, now):
        return ahead
    if place_code(channel_of(plan, group), plan.link) != place_of(series):
        return list(await to_come(session, series, now))
    if series.rule == plan.rule.text():
        return []
    off, on = await ending(session, series, plan.rule.until, now)
    return off + on


def keeps_time(series: Series, plan: Plan, now: datetime) -> bool:
    """Return whether a series already comes when a plan does; when it ends may differ."""
    if (series.rule, series.first_local) == (plan.rule.text(), plan.first.strftime(LOCAL)):
        return True
    next_local = _coming(plan, series.zone, now, 1)[0].local
    mine = replace(Rule.parse(series.rule), until=None)
    if mine != replace(plan.rule, until=None):
        return False
    coming = occurrences(mine, parse(series.first_local), series.zone, after=now, limit=1)
    return bool(coming) and coming[0].local == next_local


async def _end_at(session: AsyncSession, series: Series, until: date | None, *, now: datetime) -> None:
    """Let a series end with another day: meetings after it are off, those before it are on."""
    after, before = await ending(session, series, until, now)
    await all_cancelled(session, after, "ended", now=now)
    await all_planned_again(session, before, now=now)
    series.made_until = now
    await make(session, [series], until=now + AHEAD, now=now)


async def ending(
    session: AsyncSession, series: Series, until: date | None, now: datetime
) -> tuple[list[Meeting], list[Meeting]]:
    """Return the meetings of a series that are off when it ends with a day, and those that are on again."""
    last = until or date.max
    after = [each for each in await future(session, series, now) if parse(each.original_local).date() > last]
    off = await future(session, series, now, state="cancelled")
    return after, [each for each in off if each.why == "ended" and parse(each.original_local).date() <= last]


async def follow_zone(session: AsyncSession, series: Series, *, now: datetime) -> None:
    """Work a series out in the zone that its server has by now, if that was not done yet."""
    zone = (await guild_of(session, series.guild_id)).time_zone
    if (series.zone, series.tz_version) != (zone, tz_version(zone)):
        await recompute(session, [series], zone, now=now)


async def end(session: AsyncSession, actor: Actor, series_id: int, *, now: datetime) -> Series:
    """End a series: the meetings ahead are cancelled. Raises NotAllowed or MeetingUnknown."""
    series, _group = await locked_series(session, actor, series_id)
    await end_series(session, series, now=now, why="ended")
    return series


async def go_on(
    session: AsyncSession, actor: Actor, series_id: int, *, version: int | None = None, now: datetime
) -> Series:
    """Take the end of a series back; `version` is of the series as it had ended. One that goes on stays as it is.

    Raises NotAllowed, MeetingUnknown, or NotValid when nothing of it lies ahead, when it has changed since, or when the
    group meets then already.
    """
    series, _group = await locked_series(session, actor, series_id, ended_too=True)
    if series.state == "ended":
        if version is not None and series.version != version:
            raise NotValid(_("These meetings have changed since then. I changed nothing. /meeting list shows them."))
        off = [each for each in await future(session, series, now, state="cancelled") if each.why == "ended"]
        rule, first = Rule.parse(series.rule), parse(series.first_local)
        if not off and not occurrences(rule, first, series.zone, after=now, limit=1):
            raise NotValid(_("No meeting of it lies ahead. You can make a new one with /meeting new."))
        series.state, series.made_until = "active", now
        series.version += 1
        await follow_zone(session, series, now=now)
        await all_planned_again(session, off, now=now)
        await make(session, [series], until=now + AHEAD, now=now)
        await require_free(session, await future(session, series, now))
        await look_daily(session, series.guild_id, now=now)
    return series


async def end_all(session: AsyncSession, delivery: Delivery, now: datetime) -> bool:
    """End the series of a group that has closed; return whether there were any."""
    group = await session.get(Group, delivery.group_id, with_for_update=KEEPS_KEY)
    if group is None or group.state == "open":
        return False
    theirs = select(Series).where(Series.group_id == group.group_id, Series.state == "active")
    active = (await session.scalars(theirs)).all()
    for series in active:
        await end_series(session, series, now=now, why="ended")
    return bool(active)


async def _store(session: AsyncSession, group: Group, plan: Plan, *, now: datetime) -> Series:
    guild = await guild_of(session, group.guild_id)
    _coming(plan, guild.time_zone, now, 1)
    series = Series(
        guild_id=group.guild_id, group_id=group.group_id, rule=plan.rule.text(), first_local=plan.first.strftime(LOCAL),
        zone=guild.time_zone, minutes=plan.minutes, channel_id=channel_of(plan, group), link=plan.link,
        topic=plan.topic, made_until=now, tz_version=tz_version(guild.time_zone), created_at=now,
    )  # fmt: skip
    session.add(series)
    await session.flush()
    await make(session, [series], until=now + AHEAD, now=now)
    if not await cards.stands(session, guild.guild_id, cards.BOARD):
        await _place_board(session, guild.guild_id, now=now)
    await look_daily(session, guild.guild_id, now=now)
    return series


def channel_of(plan: Plan, group: Group) -> int | None:
    """Return the channel of a plan, if it is another one than the group's room, which need not be named."""
    return plan.channel_id if plan.channel_id != group.room_id else None


async def _place_board(session: AsyncSession, guild_id: int, *, now: datetime) -> None:
    """Post the board, once, however many groups begin at the same moment."""
    guild = await session.get_one(Guild, guild_id, with_for_update=KEEPS_KEY)
    if not await cards.stands(session, guild_id, cards.BOARD):
        await cards.place(session, guild_id, cards.BOARD, guild.panel_channel_id, now=now)


async def locked_series(
    session: AsyncSession, actor: Actor, series_id: int, *, ended_too: bool = False
) -> tuple[Series, Group]:
    """Return a series of the actor's server and its group, locked, if they may change it.

    Raises NotAllowed, GroupClosed or MeetingUnknown.
    """
    theirs = select(Series).where(Series.series_id == series_id, Series.guild_id == actor.guild_id)
    found = await session.scalar(theirs)
    if found is None:
        raise MeetingUnknown
    group = await locked_for(session, actor, found.group_id)
    series = await session.scalar(theirs.execution_options(populate_existing=True))
    if series is None or (series.state != "active" and not ended_too):
        raise MeetingUnknown
    return series, group


def _coming(plan: Plan, zone: str, now: datetime, many: int) -> list[Occurrence]:
    """Return the next meetings of a plan; raise NotValid when there is none, or the first is past or far away."""
    is_sane = YEARS[0] <= plan.first.year <= YEARS[1]
    coming = occurrences(plan.rule, plan.first, zone, after=now, limit=many) if is_sane else []
    if not coming:
        raise NotValid(_("That time has passed. Please choose one that lies ahead."))
    if coming[0].at > now + LONGEST_AHEAD:
        raise NotValid(_("That is more than two years away. Please choose an earlier day."))
    return coming
