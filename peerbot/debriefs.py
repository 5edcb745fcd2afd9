"""After a meeting: how its hosts found it, by fixed words alone, and whether somebody does too much.

Words are kept for thirty days. They say nothing about members. Who wants to talk is named to other facilitators only
when they say so. That somebody does much is told to them alone, and seldom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import deliveries, duty, hosting, meetings, members
from peerbot.errors import MeetingUnknown, NotAllowed
from peerbot.hosting import AWAY, COVER
from peerbot.meetings import MeetingView, Scene
from peerbot.models import Debrief, Delivery, Facilitator, Group, Host, Meeting, Member
from peerbot.rights import Actor, guild_of
from peerbot.text import _
from peerbot.types import KEEPS_KEY, insert_into

FINE, NEEDS_COVER, TALK, SAFETY = "fine", "cover", "talk", "safety"
KEEP = timedelta(days=30)
ASKED_AFTER = timedelta(minutes=5)
ASKED_UNTIL = timedelta(days=2)
"""After this time a question about a meeting is only one more thing to do."""
WEEK = timedelta(weeks=1)
MANY = 2
"""Meetings in a week that are not too many. The numbers are judgement, not evidence."""
LONG = 6
"""Weeks in a row after which somebody may need a break."""
QUIET_FOR = timedelta(weeks=4)
"""How long a note that somebody does much stays the only one."""
NOTED_AFTER = timedelta(hours=14)
"""The note comes the next day: right after a meeting it would sound like a judgement of it."""
LOOKED_AT = 100


@dataclass(frozen=True)
class Said:
    """What a host has said of a meeting; `next_at` is the meeting for which cover is sought."""

    meeting: MeetingView
    words: frozenset[str]
    next_at: datetime | None = None


async def ask(session: AsyncSession, scene: Scene) -> None:
    """Have each host of a meeting asked how it went, soon after its end, and look who does too much."""
    meeting = scene.meeting
    for member in await hosting.hosting(session, meeting):
        await deliveries.plan(
            session, "meetings.debrief", f"{meeting.meeting_id}:{member.member_id}", guild_id=meeting.guild_id,
            now=scene.now, due_at=meeting.ends_at + ASKED_AFTER, not_after=meeting.ends_at + ASKED_UNTIL,
            group_id=meeting.group_id, member_id=member.member_id, subject_id=meeting.meeting_id,
        )  # fmt: skip
        await _note_load(session, meeting, member, now=scene.now)


async def said(session: AsyncSession, actor: Actor, meeting_id: int, *, now: datetime) -> Said:
    """Return what the actor has said of a meeting that they host. Raises MeetingUnknown or NotAllowed."""
    _me, meeting = await _own(session, actor, meeting_id, now=now)
    return await _said(session, _me, meeting)


async def say(session: AsyncSession, actor: Actor, meeting_id: int, word: str, *, now: datetime) -> Said:
    """Keep a word that the actor says of a meeting; "cover" has others asked for the group's next one.

    Raises MeetingUnknown, or NotAllowed unless they host it, by their place in the group alone: a press in a direct
    message brings no roles, and all of this is about themselves.
    """
    me, meeting = await _own(session, actor, meeting_id, now=now)
    row = insert_into(session, Debrief).values(meeting_id=meeting_id, member_id=me.member_id, word=word, at=now)
    kept = row.on_conflict_do_nothing(index_elements=["meeting_id", "member_id", "word"]).returning(Debrief.word)
    is_new = await session.scalar(kept) is not None
    if word == NEEDS_COVER:
        coming = await _next(session, me, meeting, now=now)
        if coming is not None:
            group = await session.get_one(Group, meeting.group_id)
            await hosting.ask_cover(session, group, coming, me, now=now)
    if word == TALK and is_new:
        name = f"{meeting_id}:{me.member_id}:{_second(now)}"
        await hosting.to_thread(session, "meetings.talk", name, meeting, now=now, member_id=me.member_id)
    return await _said(session, me, meeting)


async def take_back(session: AsyncSession, actor: Actor, meeting_id: int, word: str, *, now: datetime) -> Said:
    """Forget a word that the actor said; with "cover" they host the next meeting after all. Raises like `say`."""
    me, meeting = await _own(session, actor, meeting_id, now=now)
    mine = (Debrief.meeting_id == meeting_id, Debrief.member_id == me.member_id, Debrief.word == word)
    await session.execute(delete(Debrief).where(*mine))
    if word == TALK:
        await deliveries.plan(
            session, "meetings.talk_back", f"{meeting_id}:{me.member_id}", guild_id=meeting.guild_id, now=now,
            again=True, group_id=meeting.group_id, member_id=me.member_id, subject_id=meeting_id,
        )  # fmt: skip
    if word == NEEDS_COVER:
        coming = await _next(session, me, meeting, now=now)
        if coming is not None:
            away = (Host.meeting_id == coming.meeting_id, Host.member_id == me.member_id, Host.part == AWAY)
            await session.execute(delete(Host).where(*away))
            await hosting.redraw(session, coming, now=now)
    return await _said(session, me, meeting)


async def wants_to_talk(session: AsyncSession, delivery: Delivery, *, now: datetime) -> tuple[Member, list[Member]]:
    """Return who wants to talk after a meeting, if they still do, and the others of the group who are on duty.

    Raises MeetingUnknown when they took it back.
    """
    person = await session.get(Member, delivery.member_id or 0)
    if person is None or not await _is_said(session, delivery):
        raise MeetingUnknown
    others = await duty.on_duty(session, delivery.group_id or 0, now=now)
    return person, [member for member in others if member.member_id != person.member_id]


async def taken_back(session: AsyncSession, delivery: Delivery) -> list[Delivery]:
    """Return the lines in the task thread that say that somebody wants to talk, who took that back."""
    lines = select(Delivery).where(
        Delivery.guild_id == delivery.guild_id, Delivery.kind == "meetings.talk",
        Delivery.group_id == delivery.group_id, Delivery.subject_id == delivery.subject_id,
        Delivery.member_id == delivery.member_id, Delivery.message_id.is_not(None),
    )  # fmt: skip
    return [line for line in await session.scalars(lines) if not await _is_said(session, line)]


async def _is_said(session: AsyncSession, line: Delivery) -> bool:
    """Return whether somebody still says that for which a line was planned, and has not said it anew since."""
    word = await session.get(Debrief, (line.subject_id or 0, line.member_id or 0, TALK))
    return word is not None and line.dedupe_key.endswith(f":{_second(word.at)}")


def _second(at: datetime) -> int:
    return int(at.timestamp())


async def purge(session: AsyncSession, *, now: datetime) -> None:
    """Forget what was said of meetings a month ago."""
    await session.execute(delete(Debrief).where(Debrief.at < now - KEEP))


# who does too much


async def is_much(session: AsyncSession, guild_id: int, member_id: int, *, now: datetime) -> bool:
    """Return whether somebody hosted more than two meetings in a week, or in each of six weeks in a row."""
    listed = exists().where(
        Facilitator.group_id == Meeting.group_id, Facilitator.member_id == member_id,
        Facilitator.since <= Meeting.starts_at,
    )  # fmt: skip
    mine = (Host.meeting_id == Meeting.meeting_id, Host.member_id == member_id)
    hosted = select(Meeting.ends_at).where(
        Meeting.guild_id == guild_id,
        Meeting.starts_at.between(now - (LONG + 1) * WEEK, now),
        Meeting.ends_at.between(now - LONG * WEEK, now),
        Meeting.state != "cancelled",
        or_(exists().where(*mine, Host.part == COVER), listed & ~exists().where(*mine, Host.part == AWAY)),
    )
    ends = (await session.scalars(hosted.order_by(Meeting.starts_at.desc()).limit(LOOKED_AT))).all()
    weeks = [(now - end) // WEEK for end in ends]
    return weeks.count(0) > MANY or set(weeks) >= set(range(LONG))


async def _note_load(session: AsyncSession, meeting: Meeting, member: Member, *, now: datetime) -> None:
    """Plan a kind note to somebody who does much, unless one was planned in the last four weeks."""
    rest = (Delivery.dedupe_key == f"{meeting.guild_id}:{RESTED}:{member.member_id}", Delivery.due_at > now)
    if await session.scalar(select(Delivery.delivery_id).where(*rest)) is not None:
        return
    if not await is_much(session, meeting.guild_id, member.member_id, now=now):
        return
    # The row itself is the memory of the note: it is there until another one may be written.
    await deliveries.plan(
        session, RESTED, str(member.member_id), guild_id=meeting.guild_id, now=now, again=True,
        due_at=now + QUIET_FOR, member_id=member.member_id,
    )  # fmt: skip
    due_at = meeting.ends_at + NOTED_AFTER
    await deliveries.plan(
        session, "meetings.load", f"{member.member_id}:{int(now.timestamp())}", guild_id=meeting.guild_id, now=now,
        due_at=due_at, not_after=due_at + ASKED_UNTIL, member_id=member.member_id,
    )  # fmt: skip


RESTED = "meetings.rested"


async def rested(_session: AsyncSession, _delivery: Delivery, _now: datetime) -> None:
    """Step: four weeks have passed since a note, and nothing is left to do."""


async def _own(session: AsyncSession, actor: Actor, meeting_id: int, *, now: datetime) -> tuple[Member, Meeting]:
    await guild_of(session, actor.guild_id)
    meeting = await meetings.find(session, actor.guild_id, meeting_id)
    if meeting is None or meeting.state == "cancelled" or not meeting.starts_at <= now < meeting.ends_at + KEEP:
        raise MeetingUnknown
    await session.get(Group, meeting.group_id, with_for_update=KEEPS_KEY)
    me = await members.find(session, actor.guild_id, actor.user_id)
    listed = await session.get(Facilitator, (meeting.group_id, me.member_id)) if me is not None else None
    mine = await session.get(Host, (meeting_id, me.member_id)) if me is not None else None
    if me is None or (listed is None and (mine is None or mine.part != COVER)):
        raise NotAllowed(_("Only who hosts this meeting can do this."))
    return me, meeting


async def _next(session: AsyncSession, me: Member, meeting: Meeting, *, now: datetime) -> Meeting | None:
    """Return the group's next meeting, if the person looks after the group."""
    if await session.get(Facilitator, (meeting.group_id, me.member_id)) is None:
        return None
    ahead = select(Meeting).where(
        Meeting.group_id == meeting.group_id,
        Meeting.state == "planned",
        Meeting.starts_at > max(now, meeting.starts_at),
    )
    return await session.scalar(ahead.order_by(Meeting.starts_at).limit(1))


async def _said(session: AsyncSession, me: Member, meeting: Meeting) -> Said:
    mine = select(Debrief.word).where(Debrief.meeting_id == meeting.meeting_id, Debrief.member_id == me.member_id)
    words: Sequence[str] = (await session.scalars(mine)).all()
    sought = (
        select(Meeting.starts_at)
        .join(Host, Host.meeting_id == Meeting.meeting_id)
        .where(Host.member_id == me.member_id, Host.part == AWAY, Meeting.group_id == meeting.group_id)
        .where(Meeting.state == "planned", Meeting.starts_at > meeting.starts_at)
    )
    view = await meetings.view(session, meeting.guild_id, meeting.meeting_id)
    return Said(view, frozenset(words), await session.scalar(sought.order_by(Meeting.starts_at).limit(1)))
