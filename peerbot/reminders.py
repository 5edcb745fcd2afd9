"""Reminders of meetings: who wants them how long before, when each is due, what is still true of it; and the start.

Invariant: a reminder is due when the member chose, or at the end of their night, or, where that is too late, before
their night begins: never in it. It is sent only if at that moment the meeting stands at the time that the reminder was
planned for, and the member takes part, has not answered "can't", and still wants it. Whoever chooses anew, has another
zone or comes back to the server has theirs planned anew at once. 24 hours are elapsed time: on the day on which clocks
change, the reminder comes an hour earlier or later on the wall.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

from sqlalchemy import ColumnElement, delete, exists, func, literal_column, or_, select, union, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from peerbot import deliveries, meetings, members, reach
from peerbot.access import SEATED
from peerbot.deliveries import Planned, Priority
from peerbot.errors import MeetingUnknown, NotMember, NotValid
from peerbot.meetings import CANT, MeetingView, Scene
from peerbot.models import Delivery, Facilitator, Group, Guild, Host, Meeting, Member, Membership, Response
from peerbot.quiet import after_quiet, before_quiet
from peerbot.rights import Actor
from peerbot.series import UNDO
from peerbot.text import _

REMINDER, START = "meetings.reminder", "meetings.start"
DAY, HOUR, TEN = 1440, 60, 10
MINUTES = (DAY, HOUR, TEN)
"""How long before a meeting somebody can be reminded."""
EARLY = {DAY: timedelta(minutes=15), HOUR: timedelta(minutes=3), TEN: timedelta()}
"""By how much a reminder may come earlier, so that not all of an hour are sent at once."""
OF_USE = {DAY: timedelta(hours=2), HOUR: timedelta(), TEN: timedelta()}
"""How long before the meeting a reminder that is late is of no use any more."""
WINDOW = timedelta(minutes=DAY) + EARLY[DAY]
"""How long before a meeting its first reminder can be due."""
SOON_ENOUGH = timedelta(minutes=5)
"""A reminder that waits for the morning comes at least so long before it is of no use."""
EVENING = timedelta(minutes=5)
"""How long before the quiet hours a reminder is due at the latest that could not wait for their end."""
EVENING_SPREAD = timedelta(minutes=10)
START_OF_USE = timedelta(minutes=15)
NEAR = timedelta(minutes=15)
"""How long before a meeting the link to its place is shown, here as on the meeting's card."""
UNIX_MINUTE = 60


@dataclass(frozen=True)
class Reminder:
    """What a reminder says. `is_first`: no meeting of the group began since the reader joined it.

    `says_new`: the reader lets facilitators see that.
    """

    meeting: MeetingView
    is_first: bool
    says_new: bool


# when


def of_use_until(starts_at: datetime, minutes: int) -> datetime:
    """Return until when a reminder of so many minutes before is of use."""
    return starts_at - OF_USE[minutes]


def due_at(starts_at: datetime, minutes: int, zone: str, spread: float = 0.0) -> datetime:
    """Return when a reminder of so many minutes before is due for a reader in a zone; `spread` is from 0 to 1.

    One that falls into the quiet hours waits for their end, if it is of use then; else it comes before they begin.
    """
    wanted = starts_at - timedelta(minutes=minutes) - EARLY[minutes] * spread
    morning = after_quiet(wanted, zone)
    if morning <= of_use_until(starts_at, minutes) - SOON_ENOUGH:
        return morning
    return before_quiet(wanted, zone) - EVENING - EVENING_SPREAD * spread


def chosen(kept: str | None) -> tuple[int, ...]:
    """Return the minutes that a member's row keeps as text."""
    return tuple(int(word) for word in (kept or "").split())


# what a person chooses


async def choose(
    session: AsyncSession, actor: Actor, minutes: Collection[int], *, is_here: bool, now: datetime
) -> None:
    """Remind a person so many minutes before their meetings; none: never.

    Raises NotSetUp, NotKnown, or NotValid for other minutes than those of MINUTES.
    """
    if not set(minutes) <= set(MINUTES):
        raise NotValid(_("Please choose one day, one hour or ten minutes."))
    member = await reach.person(session, actor, is_here=is_here, now=now)
    member.reminders = " ".join(str(each) for each in MINUTES if each in minutes)
    await session.flush()
    await follow_member(session, member, now=now)


async def switch(session: AsyncSession, actor: Actor, minutes: int, *, on: bool, is_here: bool, now: datetime) -> None:
    """Switch one of a person's reminders on or off. Raises like `choose`."""
    member = await reach.person(session, actor, is_here=is_here, now=now)
    rest = {each for each in chosen(member.reminders) if each != minutes}
    await choose(session, actor, rest | ({minutes} if on else set()), is_here=is_here, now=now)


async def follow(session: AsyncSession, actor: Actor, *, now: datetime) -> None:
    """Plan a person's reminders of the meetings that are near, because what they chose or where they are changed."""
    member = await members.find(session, actor.guild_id, actor.user_id)
    if member is not None:
        await follow_member(session, member, now=now)


async def follow_member(session: AsyncSession, member: Member, *, now: datetime) -> None:
    """Plan the reminders of somebody who is known, like `follow`."""
    if chosen(member.reminders):
        await _plan_anew(session, member.guild_id, member.member_id, now=now)


async def come_back(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Step: somebody is in the server again, and nothing was planned for them while they were not."""
    await _plan_anew(session, delivery.guild_id, delivery.member_id or 0, now=now)


async def say_new(session: AsyncSession, actor: Actor, group_id: int, *, on: bool) -> str:
    """Let the facilitators of a group see that a meeting is somebody's first, or no longer; return the group's name.

    Raises NotMember, or MeetingUnknown when there is no such group.
    """
    group = await session.scalar(select(Group).where(Group.group_id == group_id, Group.guild_id == actor.guild_id))
    if group is None:
        raise MeetingUnknown
    member = await members.find(session, actor.guild_id, actor.user_id)
    seat = await _seat(session, group_id, member.member_id) if member is not None else None
    if seat is None or seat.state not in SEATED:
        raise NotMember(group.name)
    seat.says_new = on
    await session.flush()
    return group.name


# what belongs to a meeting's time


async def remind(session: AsyncSession, scene: Scene) -> None:
    """Plan the reminders of a meeting that are not planned yet, and were not due before it was last looked at.

    What is not known before the moment of sending is asked then: answers, pauses, choices that changed.
    """
    meeting, after = scene.meeting, scene.since
    if after >= meeting.starts_at - WINDOW:
        # Looked at before: who was there then has theirs, and to who came since, what was due before that is nothing.
        after = max(after, scene.at - UNDO)
    wanting = _wanting({"group_id": meeting.group_id}, Meeting.meeting_id == meeting.meeting_id)
    await _plan(session, wanting, after=after, now=scene.now)


async def start(session: AsyncSession, scene: Scene) -> None:
    """Have the group's room told that it is time."""
    meeting, room_id = scene.meeting, scene.group.room_id
    if room_id is not None:
        await deliveries.plan(
            session, START, f"{meeting.meeting_id}:{_minute(meeting.starts_at)}", guild_id=meeting.guild_id,
            now=scene.now, not_after=meeting.starts_at + START_OF_USE, priority=Priority.START, channel_id=room_id,
            group_id=meeting.group_id, subject_id=meeting.meeting_id,
        )  # fmt: skip


async def _plan_anew(session: AsyncSession, guild_id: int, member_id: int, *, now: datetime) -> None:
    """Plan one member's reminders of the meetings that are near, at the times that are right for them now."""
    near = (Meeting.guild_id == guild_id, Meeting.starts_at > now, Meeting.starts_at <= now + WINDOW)
    letters = await _letters(session, _wanting({"member_id": member_id}, *near), after=now, now=now)
    await _forget_untimely(session, member_id, letters)
    await _plan_letters(session, letters, now=now)
    is_pending = Delivery.state == literal_column(str(deliveries.PENDING))
    waiting = (is_pending, Delivery.problem == reach.QUIET_HOURS, Delivery.next_at > now)
    # All letters that wait for the end of a night, which may not be theirs any more.
    theirs = update(Delivery).where(Delivery.member_id == member_id, *waiting)
    look = theirs.values(next_at=now).returning(Delivery.delivery_id)
    session.info["planned"] += await session.scalars(look, execution_options={"synchronize_session": False})


async def _plan(session: AsyncSession, wanting: Any, *, after: datetime, now: datetime) -> None:
    await _plan_letters(session, await _letters(session, wanting, after=after, now=now), now=now)


async def _plan_letters(session: AsyncSession, letters: Sequence[Planned], *, now: datetime) -> None:
    if letters:
        await _forget_unsent(session, letters)
    await deliveries.plan_many(session, REMINDER, letters, now=now)


async def _letters(session: AsyncSession, wanting: Any, *, after: datetime, now: datetime) -> list[Planned]:
    """Return the reminders that are due after a moment, and of use still."""
    letters: list[Planned] = []
    rows: Any = await session.execute(wanting)
    for meeting_id, guild_id, group_id, starts_at, member_id, kept, zone in rows:
        spread = crc32(f"{meeting_id}:{member_id}".encode()) / 2**32
        for minutes in chosen(kept):
            due, until = due_at(starts_at, minutes, zone, spread), of_use_until(starts_at, minutes)
            if due <= after or until <= now:
                continue
            # The start and not `rev` is in the key: what changes nothing about the time neither loses nor doubles one.
            about = f"{meeting_id}:{_minute(starts_at)}"
            letters.append(
                Planned(
                    f"{about}:{minutes}:{member_id}", guild_id, due, group_id, meeting_id, member_id,
                    not_after=until, collapse=f"meeting:{about}:{member_id}",
                )
            )  # fmt: skip
    return letters


async def _forget_untimely(session: AsyncSession, member_id: int, letters: Sequence[Planned]) -> None:
    """Forget letters to a member that wait for another moment than they are due at by now, or are wanted no more.

    One that is not wanted would take the place of another that is due together with it, and then not be sent.
    """
    member = await session.get(Member, member_id)
    wanted = chosen(member.reminders) if member is not None else ()
    due = {_key(letter): letter.due_at for letter in letters}
    waiting = (Delivery.state == literal_column(str(deliveries.PENDING)), Delivery.first_send_at.is_(None))
    found = await session.execute(
        select(Delivery.delivery_id, Delivery.dedupe_key, Delivery.due_at).where(
            Delivery.member_id == member_id, Delivery.kind == REMINDER, *waiting
        )
    )
    untimely = [
        delivery_id
        for delivery_id, key, at in found
        if at != due.get(key, at) or int(key.rsplit(":", 2)[1]) not in wanted
    ]
    gone = delete(Delivery).where(Delivery.delivery_id.in_(untimely), *waiting)  # asked twice: it may be claimed by now
    await session.execute(gone, execution_options={"synchronize_session": False})


def _key(letter: Planned) -> str:
    return f"{letter.guild_id}:{REMINDER}:{letter.key}"


async def _forget_unsent(session: AsyncSession, letters: Sequence[Planned]) -> None:
    """Forget letters that were not sent because they were not true at that moment, and are again."""
    keys = [_key(letter) for letter in letters]
    cancelled = Delivery.state == literal_column(str(deliveries.CANCELLED))
    # Not those that another took the place of.
    untrue = (Delivery.dedupe_key.in_(keys), cancelled, Delivery.problem.is_(None), Delivery.channel_id.is_(None))
    await session.execute(delete(Delivery).where(*untrue), execution_options={"synchronize_session": False})


def _wanting(mine: dict[str, int], *which: ColumnElement[bool]) -> Any:
    """Return who of one group, or which one member, is to be reminded of which planned meetings, with their zone."""
    # Narrowed in each part: of a union as a whole the engines would read all seats there are.
    seats = select(Membership.group_id, Membership.member_id).where(Membership.state.in_(SEATED)).filter_by(**mine)
    who = union(seats, select(Facilitator.group_id, Facilitator.member_id).filter_by(**mine)).subquery()
    there = _near(*which).join(who, who.c.group_id == Group.group_id).join(Member, Member.member_id == who.c.member_id)
    covers = _near(*which).join(Host, (Host.meeting_id == Meeting.meeting_id) & (Host.part == "cover"))
    covers = covers.join(Member, Member.member_id == Host.member_id)
    if "member_id" in mine:
        covers = covers.where(Host.member_id == mine["member_id"])
    told = (
        Member.away_since.is_(None), Member.reminders != "", or_(Member.reach.is_(None), Member.reach != reach.NONE),
    )  # fmt: skip
    return union(there.where(*told), covers.where(*told))


def _near(*which: ColumnElement[bool]) -> Any:
    return (
        select(
            Meeting.meeting_id, Meeting.guild_id, Meeting.group_id, Meeting.starts_at,
            Member.member_id, Member.reminders, func.coalesce(Member.zone, Guild.time_zone),
        )
        .select_from(Meeting)
        .join(Group, Group.group_id == Meeting.group_id)
        .join(Guild, Guild.guild_id == Meeting.guild_id)
        .where(Meeting.state == "planned", Group.state == "open", *which)
    )  # fmt: skip


def _minute(at: datetime) -> int:
    return int(at.timestamp()) // UNIX_MINUTE


# what is still true when it is sent


async def letter(session: AsyncSession, delivery: Delivery) -> Reminder | None:
    """Return what a reminder says; None when it is no longer true, or no longer wanted."""
    minute, minutes = (int(part) for part in delivery.dedupe_key.rsplit(":", 3)[1:3])
    meeting = await _stands(session, delivery, minute)
    if meeting is None:
        return None
    rows: Any = await session.execute(_addressed(delivery, meeting))
    found = rows.one_or_none()
    if found is None:
        return None
    kept, seat, says_new, answer, part, held = found
    if minutes not in chosen(kept) or answer == CANT or part == "away":
        return None
    if seat == "active":
        return Reminder(meeting, not held, says_new)
    if part is not None or await session.get(Facilitator, (meeting.group_id, delivery.member_id)) is not None:
        return Reminder(meeting, is_first=False, says_new=False)
    return None


def _addressed(delivery: Delivery, meeting: MeetingView) -> Any:
    """Return the query for what a reader chose and answered, their seat and part, and if they were there before."""
    seat = (Membership.group_id == meeting.group_id) & (Membership.member_id == Member.member_id)
    mine = (Response.meeting_id == meeting.meeting_id) & (Response.member_id == Member.member_id)
    mine &= Response.starts_at == meeting.starts_at  # what was answered to another time says nothing of this one
    hosts = (Host.meeting_id == meeting.meeting_id) & (Host.member_id == Member.member_id)
    held = _held_since(Membership.joined_at, meeting.group_id, meeting.starts_at)
    return (
        select(Member.reminders, Membership.state, Membership.says_new, Response.answer, Host.part, held)
        .outerjoin(Membership, seat)
        .outerjoin(Response, mine)
        .outerjoin(Host, hosts)
        .where(Member.member_id == delivery.member_id, Member.guild_id == delivery.guild_id)
    )


async def starting(session: AsyncSession, delivery: Delivery) -> MeetingView | None:
    """Return the meeting that a start post is about; None when it does not start then any more."""
    return await _stands(session, delivery, int(delivery.dedupe_key.rsplit(":", 1)[1]))


async def newcomers(session: AsyncSession, meeting: Meeting | MeetingView) -> list[int]:
    """Return the member ids of those for whom a meeting is the first, and who let facilitators see that."""
    held = _held_since(Membership.joined_at, meeting.group_id, meeting.starts_at)
    new = select(Membership.member_id).where(
        Membership.group_id == meeting.group_id, Membership.state == "active", Membership.says_new.is_(True), ~held
    )
    return list((await session.scalars(new.order_by(Membership.joined_at))).all())


async def _stands(session: AsyncSession, delivery: Delivery, minute: int) -> MeetingView | None:
    """Return the meeting of a delivery, if it is still to be at the time that the delivery was planned for."""
    try:
        meeting = await meetings.view(session, delivery.guild_id, delivery.subject_id or 0, is_open=True)
    except MeetingUnknown:
        return None
    return meeting if meeting.state == "planned" and _minute(meeting.starts_at) == minute else None


async def _seat(session: AsyncSession, group_id: int, member_id: int) -> Membership | None:
    mine = (Membership.group_id == group_id, Membership.member_id == member_id)
    return await session.scalar(select(Membership).where(*mine))


def _held_since(joined_at: Any, group_id: int, before: datetime) -> ColumnElement[bool]:
    """Return whether a meeting of a group began between somebody's joining and another meeting.

    The last one that was held is kept for as long as the group is open (remains.purge), so this holds for years.
    """
    held = aliased(Meeting)
    return exists().where(
        held.group_id == group_id, held.state != "cancelled", held.starts_at >= joined_at, held.starts_at < before
    )
