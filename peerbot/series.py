"""Series and the meetings that are made of them, some time ahead.

A series is wall time, zone and rule; the instants of its meetings are derived. A meeting is known by the wall time at
which the series puts it, so that making meetings again makes nothing twice. What people are told of a change waits a
minute, so that an undo is told to nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from importlib.metadata import version
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import cards, deliveries
from peerbot.deliveries import Priority
from peerbot.models import Delivery, Meeting, Series
from peerbot.recurrence import Occurrence, Rule, instant, occurrences
from peerbot.rights import guild_of
from peerbot.types import insert_into

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
UNDO = timedelta(minutes=1)
"""How long a change can be undone before anyone is told."""
AT_ONCE = timedelta(minutes=30)
"""So close to a meeting, people are told at once."""
LONGEST_AHEAD = timedelta(days=730)
LOCAL = "%Y-%m-%dT%H:%M"


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
        for meeting in await future(session, series, now, state=state):
            starts_at = instant(parse(meeting.moved_local or meeting.original_local), zone)
            if starts_at != meeting.starts_at:
                set_time(meeting, starts_at, series.minutes)
                await touch(session, meeting, now=now, tells=state == "planned")
    await session.flush()


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


async def end_series(session: AsyncSession, series: Series, *, now: datetime, why: str) -> None:
    """End a series, and cancel the meetings that lie ahead."""
    series.state = "ended"
    await session.flush()
    for meeting in await future(session, series, now):
        await cancelled(session, meeting, why, now=now)


async def future(session: AsyncSession, series: Series, now: datetime, *, state: str = "planned") -> list[Meeting]:
    """Return the meetings of a series that lie ahead and are in a state, the soonest first."""
    ahead = select(Meeting).where(
        Meeting.series_id == series.series_id, Meeting.state == state, Meeting.starts_at > now
    )
    return list((await session.scalars(ahead.order_by(Meeting.starts_at))).all())


def parse(local: str) -> datetime:
    """Return the wall time that a row keeps as text."""
    return datetime.strptime(local, LOCAL)  # noqa: DTZ007 - wall time has no zone


@cache
def tz_version() -> str:
    """Return by which release of the tz database times are computed."""
    return version("tzdata")
