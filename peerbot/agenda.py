"""What belongs to a meeting's time: its card, reminders, run sheet, start, the look for a facilitator, its end.

Each meeting has one row in the outbox, which is due at the next moment of these, does what has come, and is planned
anew for the moment after. A moment that passed while nobody could look is seen to only as far as it is still of use.

Invariant: what goes wrong with one thing leaves no trace of it and stops nothing else. It is tried again by a row of
its own, like any other delivery, for as long as it is of use; if it never works, facilitators are told.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import (
    arrivals,
    cards,
    debriefs,
    deliveries,
    handovers,
    hosting,
    meetings,
    notices,
    reminders,
    series,
    staff,
)
from peerbot.database import is_away
from peerbot.deliveries import Priority
from peerbot.meetings import Scene
from peerbot.models import Delivery, Group, Meeting, Series
from peerbot.types import KEEPS_KEY

log = logging.getLogger(__name__)

ACT = "meetings.act"
"""The step that tries again what went wrong."""
AGAIN = timedelta(seconds=5)
"""How long after that."""
Act = Callable[[AsyncSession, Scene], Awaitable[None]]
Do = Callable[[AsyncSession, "Moment", Scene], Awaitable[None]]


@dataclass(frozen=True)
class Moment:
    """Something that is done `before` a meeting starts (negative: after), unless it is later than `of_use` by then.

    `at_end` counts from the end of the meeting instead. One that is `standing` is seen to at each look from then on for
    as long as it is of use, so also for a meeting that was made or moved after its time; what it does may run twice.
    """

    name: str
    act: Act
    before: timedelta
    of_use: timedelta
    at_end: bool = False
    standing: bool = False

    def at(self, meeting: Meeting) -> datetime:
        """Return when the moment comes."""
        return (meeting.ends_at if self.at_end else meeting.starts_at) - self.before


MOMENTS: tuple[Moment, ...] = (
    Moment("reminders", reminders.remind, reminders.WINDOW, reminders.WINDOW, standing=True),
    # Looks at who has come since, a little before most letters are due.
    Moment("reminders of an hour", reminders.remind, timedelta(minutes=64), timedelta(minutes=3)),
    Moment("hosts", handovers.look_ahead, handovers.AHEAD, handovers.LOOK_OF_USE),
    Moment("link", notices.show_link, notices.LINK_BEFORE, notices.LINK_OF_USE),
    Moment("reminders of ten minutes", reminders.remind, timedelta(minutes=11), timedelta(minutes=1)),
    Moment("soon", handovers.call_hosts, handovers.SOON, timedelta(minutes=8)),
    Moment("start", reminders.start, timedelta(), reminders.START_OF_USE),
    Moment("late", arrivals.look_late, -arrivals.LATE, arrivals.CALL_OF_USE),
    Moment("empty", arrivals.look_empty, -arrivals.EMPTY, arrivals.ON_TIME),
    Moment("debrief", debriefs.ask, timedelta(), timedelta(hours=12), at_end=True),
)


async def turn(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Step: see to the moments of a meeting that have come, and plan the next look.

    All of it is done together; only when something fails, it is taken back and each thing done apart from the others.
    """
    try:
        async with _or_nothing(session):
            await _see_to(session, delivery, now, _together)
    except Exception as problem:
        if is_away(problem):
            raise  # nothing of this works now
        await _see_to(session, delivery, now, _apart)


async def _see_to(session: AsyncSession, delivery: Delivery, now: datetime, do: Do) -> None:
    group = await session.get(Group, delivery.group_id, with_for_update=KEEPS_KEY)
    meeting = await session.get(Meeting, delivery.subject_id, populate_existing=True)
    if group is None or meeting is None or meeting.state == "over":
        return
    if group.state != "open":
        await handovers.put_away(session, meeting, now=now)
        return
    belongs_to = await session.get_one(Series, meeting.series_id)
    scene = Scene(meeting, belongs_to, group, now, now, meeting.turned_at)
    await do(session, CARD, scene)
    if meeting.state == "planned":
        for moment in sorted(MOMENTS, key=lambda each: each.at(meeting)):
            at = moment.at(meeting)
            is_new = moment.standing or scene.since < at
            if is_new and at <= now <= at + moment.of_use:
                due_at = max(at, delivery.due_at) if moment.standing else at
                await do(session, moment, replace(scene, at=due_at))
            if meeting.state != "planned":
                break  # what was just done has cancelled it
        else:
            # Never back: what was seen to stays seen to when the clock is set back. While a meeting is off, nothing is.
            meeting.turned_at = max(meeting.turned_at, now)
    if now >= meeting.ends_at:
        meeting.state = "over" if meeting.state == "planned" else meeting.state
        await do(session, END, scene)
    await session.flush()
    await do(session, HOSTS, scene)
    if now >= meeting.starts_at:
        await do(session, POST, scene)
    await _look_again(session, group, meeting, now)


@asynccontextmanager
async def _or_nothing(session: AsyncSession) -> AsyncGenerator[None]:
    """Take back what is done within, and what is noted for after the commit, if it fails."""
    noted = {name: len(session.info[name]) for name in ("planned", "claimed")}
    try:
        async with session.begin_nested():
            yield
            await session.flush()
    except BaseException:
        for name, many in noted.items():
            del session.info[name][many:]
        raise


async def _together(session: AsyncSession, moment: Moment, scene: Scene) -> None:
    await moment.act(session, scene)
    await session.flush()


async def _apart(session: AsyncSession, moment: Moment, scene: Scene) -> None:
    """Do one thing; if that fails, take back what was done of it, and have it tried again by itself."""
    meeting_id = scene.meeting.meeting_id  # read now: what is taken back leaves its rows unread
    try:
        async with _or_nothing(session):
            await moment.act(session, scene)
    except Exception as problem:
        if is_away(problem):
            raise
        log.exception("What belongs to meeting %s failed: %s.", meeting_id, moment.name)
    else:
        return
    for row in (scene.group, scene.series, scene.meeting):
        await session.refresh(row)
    always = moment in ALWAYS
    key = f"{hosting.key(scene.meeting)}:{moment.name}:{0 if always else int(scene.since.timestamp())}"
    await deliveries.plan(
        session, ACT, key, guild_id=scene.group.guild_id, now=scene.now, due_at=scene.now + AGAIN, again=always,
        priority=Priority.START, group_id=scene.group.group_id, subject_id=meeting_id,
    )  # fmt: skip


async def act_again(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Step: do what went wrong, while the meeting is as it was and that is of use."""
    group = await session.get(Group, delivery.group_id, with_for_update=KEEPS_KEY)
    meeting = await session.get(Meeting, delivery.subject_id, populate_existing=True)
    _guild, _kind, _meeting, rev, name, since = delivery.dedupe_key.split(":")
    moment = next((each for each in (*MOMENTS, *ALWAYS) if each.name == name), None)
    if moment is None or group is None or group.state != "open" or meeting is None or meeting.rev != int(rev):
        return
    if meeting.state == "cancelled" and moment not in ALWAYS:
        return
    at = moment.at(meeting)
    if now > at + moment.of_use:
        await staff.give_up(session, delivery, now=now)
        return
    belongs_to = await session.get_one(Series, meeting.series_id)
    looked_at = datetime.fromtimestamp(int(since), UTC)
    await moment.act(session, Scene(meeting, belongs_to, group, at, now, looked_at))


async def _show(session: AsyncSession, scene: Scene) -> None:
    """Post the card of a meeting that is near enough, in the group's room, and in the new one when that has changed."""
    group, meeting, now = scene.group, scene.meeting, scene.now
    subject = cards.of_meeting(meeting.meeting_id)
    near = meeting.starts_at - timedelta(days=group.card_days) <= now < meeting.ends_at
    if group.room_id is None or now >= meeting.ends_at:
        return
    stands_in = await cards.channel_of(session, group.guild_id, subject)
    if stands_in != group.room_id if stands_in is not None else near and meeting.state == "planned":
        await cards.place(session, group.guild_id, subject, group.room_id, group_id=group.group_id, now=now)


async def _end(session: AsyncSession, scene: Scene) -> None:
    """Have what shows a meeting show that it is over, and end a series of which it was the last."""
    meeting, now = scene.meeting, scene.now
    await cards.mark(session, meeting.guild_id, cards.BOARD, cards.of_meeting(meeting.meeting_id), now=now)
    await series.end_if_done(session, scene.series, now=now)
    await series.mirror(session, meeting.guild_id, {meeting.series_id: meeting.group_id}, now=now)


async def _look_after_hosts(session: AsyncSession, scene: Scene) -> None:
    await handovers.look_after(session, scene.group, scene.meeting, now=scene.now)


LONG = timedelta(days=400)
CARD = Moment("card", _show, LONG, LONG + meetings.LATELY)
HOSTS = Moment("hosts", _look_after_hosts, LONG, LONG + timedelta(days=2), standing=True)
END = Moment("over", _end, timedelta(), timedelta(days=2), at_end=True)
POST = Moment("start post", notices.follow_start, LONG, LONG + timedelta(days=2))
ALWAYS = (CARD, HOSTS, POST, END)
"""What is seen to at each look, and at each after the end, also of a meeting that is off; it may run twice."""


async def _look_again(session: AsyncSession, group: Group, meeting: Meeting, now: datetime) -> None:
    moments = [moment.at(meeting) for moment in MOMENTS] if meeting.state == "planned" else []
    moments += [meeting.starts_at - timedelta(days=group.card_days), meeting.ends_at]
    ahead = [at for at in moments if at > now]
    if ahead:
        await deliveries.plan(
            session, series.TURN, str(meeting.meeting_id), guild_id=meeting.guild_id, now=now, due_at=min(ahead),
            again=True, priority=Priority.START, group_id=group.group_id, subject_id=meeting.meeting_id,
        )  # fmt: skip
