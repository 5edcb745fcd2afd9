"""What stands about meetings where people look: on a meeting's card, on the board, among somebody's own.

Members see counts and the names of facilitators; the board, which everyone sees, names nobody. A link to a meeting
elsewhere is shown from a quarter of an hour before it to its end, so that it is nowhere to be found in between: it is
taken out of the post that the meeting has begun, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import cards, deliveries, directory, hosting, meetings, members, reminders
from peerbot.deliveries import Priority
from peerbot.errors import NotMember
from peerbot.meetings import MeetingView, Scene
from peerbot.models import Delivery, Group, Meeting
from peerbot.rights import Actor, facilitates, guild_of

LINK_BEFORE = timedelta(minutes=15)
"""How long before a meeting its link is shown."""
START_DRAW = "meetings.start_draw"
DRAWN_WITHIN = timedelta(days=1)
LINK_OF_USE = timedelta(hours=8)
ON_BOARD = 10
"""Groups on the board; Discord takes 40 components."""
MINE = 3
"""Meetings on `/my`."""


@dataclass(frozen=True)
class Notice:
    """What a meeting's card shows. `link` is empty while it is not to be seen yet, and when there is none.

    `is_last`: its group has closed, and there will be no other.
    """

    meeting: MeetingView
    host_ids: tuple[int, ...]
    link: str
    has_link: bool
    is_last: bool = False


@dataclass(frozen=True)
class Line:
    """A group on the board: when it meets next, and its free seats."""

    group_id: int
    name: str
    starts_at: datetime
    free: int


@dataclass(frozen=True)
class Choices:
    """A meeting as one person has it: what they answered, and whether they may see who answered what."""

    meeting: MeetingView
    answer: str | None
    may_see: bool
    is_over: bool


async def notice(session: AsyncSession, guild_id: int, meeting_id: int, *, now: datetime) -> Notice:
    """Return what a meeting's card shows now; raise MeetingUnknown."""
    meeting = await meetings.view(session, guild_id, meeting_id)
    shown = meeting.state == "planned" and meeting.starts_at - LINK_BEFORE <= now < meeting.ends_at
    people = await hosting.hosting(session, await session.get_one(Meeting, meeting_id))
    host_ids = tuple(members.user_id(session, each) for each in people)
    group = await session.get_one(Group, meeting.group_id)
    is_last = group.state != "open"
    return Notice(meeting, host_ids, meeting.link if shown else "", bool(meeting.link), is_last)


async def show_link(session: AsyncSession, scene: Scene) -> None:
    """Have a meeting's card drawn with its link."""
    if scene.series.link:
        meeting = scene.meeting
        await cards.mark(session, meeting.guild_id, cards.of_meeting(meeting.meeting_id), now=scene.now)


async def follow_start(session: AsyncSession, scene: Scene) -> None:
    """Have the post that a meeting has begun drawn without its link when it is over or off, and with it when it is on.

    It is edited once for each: Discord takes few edits of an old message.
    """
    meeting, made, now = scene.meeting, scene.series, scene.now
    has_changed = meeting.rev > 1 or made.version > 1
    has_link = made.link or made.channel_id not in (None, scene.group.room_id)
    is_on = meeting.state == "planned" and now < meeting.ends_at
    if now < meeting.starts_at or not (has_changed or (has_link and not is_on)):
        return
    if await starts(session, meeting.guild_id, meeting.meeting_id):
        name = f"{hosting.key(meeting)}:{'on' if is_on else 'off'}"
        await deliveries.plan(
            session, START_DRAW, name, guild_id=meeting.guild_id, now=now, not_after=now + DRAWN_WITHIN,
            priority=Priority.CARD, group_id=meeting.group_id, subject_id=meeting.meeting_id,
        )  # fmt: skip


async def starts(session: AsyncSession, guild_id: int, meeting_id: int) -> Sequence[Delivery]:
    """Return the posts of some days that a meeting has begun: more than one if it was moved after that."""
    group_id = select(Meeting.group_id).where(Meeting.meeting_id == meeting_id).scalar_subquery()
    sent = select(Delivery).where(
        Delivery.guild_id == guild_id, Delivery.kind == reminders.START, Delivery.group_id == group_id,
        Delivery.subject_id == meeting_id, Delivery.message_id.is_not(None),
    )  # fmt: skip
    return (await session.scalars(sent.order_by(Delivery.delivery_id))).all()


async def board(session: AsyncSession, guild_id: int, *, now: datetime) -> tuple[Line, ...]:
    """Return when the open groups of a server meet next, the soonest first; one more than the board has room for."""
    soonest = func.min(Meeting.starts_at)
    ahead = (
        select(Group.group_id, Group.name, soonest)
        .join(Meeting, Meeting.group_id == Group.group_id)
        .where(Meeting.guild_id == guild_id, Meeting.state == "planned", Meeting.ends_at > now)
        .where(Meeting.starts_at > now - meetings.LATELY, Group.state == "open")
        .group_by(Group.group_id, Group.name)
        .order_by(soonest, Group.group_id)
        .limit(ON_BOARD + 1)
    )
    rows = (await session.execute(ahead)).all()
    seats = await directory.several(session, guild_id, [group_id for group_id, _name, _at in rows])
    return tuple(Line(group_id, name, starts_at, seats[group_id].free) for group_id, name, starts_at in rows)


async def choices(session: AsyncSession, actor: Actor, meeting_id: int, *, now: datetime) -> Choices:
    """Return a meeting as the actor has it; raise MeetingUnknown, or NotMember for who has no part in its group."""
    meeting = await meetings.view(session, actor.guild_id, meeting_id)
    group = await session.get_one(Group, meeting.group_id)
    member = await members.find(session, actor.guild_id, actor.user_id)
    looks_after = await facilitates(session, await guild_of(session, actor.guild_id), group, actor)
    if member is None or not (looks_after or await meetings.takes_part(session, group, member, actor)):
        raise NotMember(group.name)
    mine = await meetings.answers_of(session, actor.guild_id, actor.user_id, [meeting_id])
    return Choices(meeting, mine.get(meeting_id), looks_after, meeting.state == "over" or meeting.ends_at <= now)


async def mine(
    session: AsyncSession, guild_id: int, user_id: int, *, group_id: int | None = None, now: datetime
) -> tuple[tuple[MeetingView, str | None], ...]:
    """Return the next meetings of a person, or in one group of theirs, planned or off, with what they answered.

    One that is on is among them.
    """
    ahead = await meetings.mine(session, guild_id, user_id, group_id=group_id, now=now, limit=MINE)
    if not ahead:
        return ()
    if all(each.state == "cancelled" for each in ahead):
        only: dict[str, Any] = {"group_id": group_id, "states": ("planned",)}
        on = await meetings.mine(session, guild_id, user_id, **only, now=now, limit=1)
        ahead = (*ahead[: MINE - len(on)], *on)
    answers = await meetings.answers_of(session, guild_id, user_id, [each.meeting_id for each in ahead])
    return tuple((each, answers.get(each.meeting_id)) for each in ahead)
