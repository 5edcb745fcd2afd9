"""What belongs to a meeting's time: its card, reminders, run sheet, start, the look for a facilitator, its end.

Each meeting has one row in the outbox, which is due at the next moment of these, does what has come, and is planned
anew for the moment after. A moment that passed while nobody could look is seen to only as far as it is still of use.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import arrivals, cards, debriefs, deliveries, hosting, notices, reminders, series
from peerbot.deliveries import Priority
from peerbot.meetings import Scene
from peerbot.models import Delivery, Group, Meeting, Series
from peerbot.types import KEEPS_KEY

Act = Callable[[AsyncSession, Scene], Awaitable[None]]


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
    Moment("link", notices.show_link, notices.LINK_BEFORE, notices.LINK_OF_USE),
    Moment("reminders of ten minutes", reminders.remind, timedelta(minutes=11), timedelta(minutes=1)),
    Moment("soon", hosting.call_hosts, hosting.SOON, timedelta(minutes=8)),
    Moment("start", reminders.start, timedelta(), reminders.START_OF_USE),
    Moment("late", arrivals.look_late, -arrivals.LATE, arrivals.CALL_OF_USE),
    Moment("empty", arrivals.look_empty, -arrivals.EMPTY, arrivals.ON_TIME),
    Moment("debrief", debriefs.ask, timedelta(), timedelta(hours=12), at_end=True),
)


async def turn(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Step: see to the moments of a meeting that have come, and plan the next look."""
    group = await session.get(Group, delivery.group_id, with_for_update=KEEPS_KEY)
    meeting = await session.get(Meeting, delivery.subject_id, populate_existing=True)
    if group is None or meeting is None or meeting.state == "over":
        return
    if group.state != "open":
        await hosting.put_away(session, meeting, now=now)
        return
    belongs_to = await session.get_one(Series, meeting.series_id)
    await _show(session, group, meeting, now)
    if meeting.state == "planned":
        for moment in sorted(MOMENTS, key=lambda each: each.at(meeting)):
            at = moment.at(meeting)
            is_new = moment.standing or meeting.turned_at < at
            if is_new and at <= now <= at + moment.of_use:
                await moment.act(session, Scene(meeting, belongs_to, group, at, now))
            if meeting.state != "planned":
                break  # what was just done has cancelled it
        else:
            # Never back: what was seen to stays seen to when the clock is set back. While a meeting is off, nothing is.
            meeting.turned_at = max(meeting.turned_at, now)
    if now >= meeting.ends_at:
        meeting.state = "over" if meeting.state == "planned" else meeting.state
        await cards.mark(session, meeting.guild_id, cards.BOARD, cards.of_meeting(meeting.meeting_id), now=now)
        await series.end_if_done(session, belongs_to, now=now)
        await series.mirror(session, meeting.guild_id, {meeting.series_id: meeting.group_id}, now=now)
    await session.flush()
    await hosting.look_after(session, group, meeting, now=now)
    await _look_again(session, group, meeting, now)


async def _show(session: AsyncSession, group: Group, meeting: Meeting, now: datetime) -> None:
    """Post the card of a meeting that is near enough, in the group's room, and in the new one when that has changed."""
    subject = cards.of_meeting(meeting.meeting_id)
    near = meeting.starts_at - timedelta(days=group.card_days) <= now < meeting.ends_at
    if group.room_id is None or now >= meeting.ends_at:
        return
    stands_in = await cards.channel_of(session, group.guild_id, subject)
    if stands_in != group.room_id if stands_in is not None else near and meeting.state == "planned":
        await cards.place(session, group.guild_id, subject, group.room_id, group_id=group.group_id, now=now)


async def _look_again(session: AsyncSession, group: Group, meeting: Meeting, now: datetime) -> None:
    moments = [moment.at(meeting) for moment in MOMENTS] if meeting.state == "planned" else []
    moments += [meeting.starts_at - timedelta(days=group.card_days), meeting.ends_at]
    ahead = [at for at in moments if at > now]
    if ahead:
        await deliveries.plan(
            session, series.TURN, str(meeting.meeting_id), guild_id=meeting.guild_id, now=now, due_at=min(ahead),
            again=True, priority=Priority.START, group_id=group.group_id, subject_id=meeting.meeting_id,
        )  # fmt: skip
