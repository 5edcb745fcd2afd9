"""Who hosts a meeting: the group's facilitators but those who need cover, and whoever covers for them.

Two for each meeting are the wish. Needing cover needs no reason and takes no right away; any facilitator of the server
may cover, the first to accept does, and sees the group's room until the meeting is over. Facilitators find it all on a
card in the task thread. Rules lock the meeting's group first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Select, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import access, cards, clashes, deliveries, duty, meetings, members, reminders
from peerbot.deliveries import Priority
from peerbot.errors import CalledOff, CoverTaken, MeetingUnknown, NotAllowed
from peerbot.meetings import MeetingView
from peerbot.models import Delivery, Facilitator, Group, Guild, Host, Meeting, Member, Response
from peerbot.rights import Actor, facilitates, guild_of, locked, require_facilitator
from peerbot.series import AT_ONCE, UNDO
from peerbot.successions import SAID_FOR
from peerbot.text import _
from peerbot.types import insert_into

One = TypeVar("One")
AWAY, COVER = "away", "cover"
WISH = 2
"""Facilitators that each meeting should have; NAMI's and DBSA's groups are led by two."""
ASK, SECOND, LATE = "ask", "second", "late"
"""Why somebody offers to host: another asked for cover, two are the wish, or nobody is there."""
MOST_CALLED = 12
"""People whom one message calls."""
LOOKED_AT = 200
AGAIN = timedelta(minutes=10)
"""Within this time, somebody who asks for cover twice calls others once."""


@dataclass(frozen=True)
class Hosts:
    """Who hosts a meeting, as user ids, the longest listed first; `wanted` says that cover was asked and not found.

    `covered_by` is who accepted last; `on_the_way` is who offered to come when nobody was there.
    """

    meeting: MeetingView
    user_ids: tuple[int, ...]
    wanted: bool
    covered_by: int | None
    on_the_way: int | None

    @property
    def may_be_more(self) -> bool:
        """Whether one more is welcome."""
        return self.wanted or len(self.user_ids) < WISH


@dataclass(frozen=True)
class Asking:
    """How many others on duty are asked for cover, and whether that is at once or in a minute."""

    others: int
    at_once: bool


# what facilitators press


async def need_cover(session: AsyncSession, actor: Actor, meeting_id: int, *, now: datetime) -> Hosts:
    """Let the actor be who does not host a meeting after all, and have the others on duty asked.

    Raises MeetingUnknown, or NotAllowed unless they host it.
    """
    _guild, group, meeting = await pressed(session, actor, meeting_id, now=now)
    me = await members.find(session, actor.guild_id, actor.user_id)
    mine = await session.get(Host, (meeting_id, me.member_id)) if me is not None else None
    listed = await session.get(Facilitator, (group.group_id, me.member_id)) if me is not None else None
    if me is None or (listed is None and (mine is None or mine.part != COVER)):
        raise NotAllowed(_("Only who hosts this meeting can ask for cover."))
    await ask_cover(session, group, meeting, me, now=now)
    return await hosts_of(session, actor.guild_id, meeting_id)


async def ask_cover(session: AsyncSession, group: Group, meeting: Meeting, member: Member, *, now: datetime) -> None:
    """Write down that a host of a meeting, its group locked, needs cover, and have others asked a minute later."""
    mine = await session.get(Host, (meeting.meeting_id, member.member_id))
    if mine is not None and mine.part == AWAY:
        return
    if await session.get(Facilitator, (group.group_id, member.member_id)) is not None:
        await _put(session, meeting, member, AWAY, now)
    elif mine is not None:  # who covered gives it back
        await session.delete(mine)
        await session.flush()
        await access.follow(session, group, member.member_id, now=now)
    await redraw(session, meeting, now=now)
    about = int(now.timestamp() // AGAIN.total_seconds())
    await call_others(session, meeting, member.member_id, about, now=now)


async def come_after_all(session: AsyncSession, actor: Actor, meeting_id: int, *, now: datetime) -> Hosts:
    """Let the actor host a meeting for which they had asked for cover. Raises MeetingUnknown or NotAllowed.

    Once it has begun and nobody is there, they are on the way.
    """
    _guild, group, meeting = await pressed(session, actor, meeting_id, now=now)
    me = await members.find(session, actor.guild_id, actor.user_id)
    if me is not None:
        await comes(session, group, meeting, me, now=now)
    return await hosts_of(session, actor.guild_id, meeting_id)


async def comes(session: AsyncSession, group: Group, meeting: Meeting, member: Member, *, now: datetime) -> None:
    """Let somebody host a meeting, its group locked, if they look after the group, whatever they had said of it.

    Once it has begun and nobody is there, that they come is written down, so that they are waited for.
    """
    cant = (Response.meeting_id == meeting.meeting_id, Response.member_id == member.member_id)
    await session.execute(delete(Response).where(*cant, Response.answer == meetings.CANT))
    listed = await session.get(Facilitator, (group.group_id, member.member_id)) is not None
    if listed and (is_awaited(meeting, now) or is_off(member, meeting)):
        await _put(session, meeting, member, COVER, now)
    else:
        away = (Host.meeting_id == meeting.meeting_id, Host.member_id == member.member_id, Host.part == AWAY)
        await session.execute(delete(Host).where(*away))
        await reminders.follow_member(session, member, now=now)
    await redraw(session, meeting, now=now)


async def answered(
    session: AsyncSession, actor: Actor, meeting_id: int, answer: str | None, *, now: datetime
) -> Asking | None:
    """See to it that what a host has just answered to a meeting, like a member, is so; return how others are asked.

    "Can't" is asking for cover, and "going" taking that back, by somebody's place in the group alone: in a direct
    message nobody has a role. None: they are no host, or others are not asked. The group is locked.
    """
    meeting = await meetings.find(session, actor.guild_id, meeting_id)
    me = await members.find(session, actor.guild_id, actor.user_id)
    if meeting is None or me is None:
        return None
    group = await session.get_one(Group, meeting.group_id)
    listed = await session.get(Facilitator, (group.group_id, me.member_id)) is not None
    mine = await session.get(Host, (meeting_id, me.member_id), populate_existing=True)
    if not listed and (mine is None or mine.part != COVER):
        return None
    if answer == meetings.CANT:
        await ask_cover(session, group, meeting, me, now=now)
        return await asking(session, actor.guild_id, meeting_id, now=now)
    if (mine is not None and mine.part == AWAY) or (answer == meetings.GOING and is_awaited(meeting, now)):
        await comes(session, group, meeting, me, now=now)
    return None


def is_awaited(meeting: Meeting, now: datetime) -> bool:
    """Return whether a meeting has begun, and nobody is known to be there."""
    return meeting.starts_at <= now and meeting.here_at is None


async def accept(session: AsyncSession, actor: Actor, meeting_id: int, why: str, *, now: datetime) -> tuple[Hosts, int]:
    """Let the actor host a meeting; return who hosts it, and the delivery of their access to the room (0: none needed).

    Whoever accepts once it has begun, while nobody is there, is on the way, by whichever button they say so. Raises
    MeetingUnknown, NotAllowed unless they hold the role, or CoverTaken when somebody was faster.
    """
    _guild, group, meeting = await pressed(session, actor, meeting_id, now=now)
    me = await members.of(session, actor.guild_id, actor.user_id, now=now, locale=actor.locale)
    mine = await session.get(Host, (meeting_id, me.member_id))
    listed = await session.get(Facilitator, (group.group_id, me.member_id)) is not None
    before = await hosts_of(session, actor.guild_id, meeting_id)
    awaited = is_awaited(meeting, now)
    if why == LATE and now >= meeting.starts_at:  # else it is an old press: the meeting was moved since
        if not awaited or before.on_the_way not in (None, actor.user_id):
            raise CoverTaken(before.on_the_way)
    elif listed:
        await comes(session, group, meeting, me, now=now)
        return await hosts_of(session, actor.guild_id, meeting_id), 0
    elif mine is not None and mine.part == COVER:
        if not awaited:
            return before, 0
    elif not before.wanted and before.user_ids and (why == ASK or len(before.user_ids) >= WISH):
        raise CoverTaken(before.covered_by or before.user_ids[0])
    await _put(session, meeting, me, COVER, now)
    await reminders.follow_member(session, me, now=now)
    planned = 0
    if not listed:
        planned = await access.follow(session, group, me.member_id, at_once=True, now=now)
        await plan_end(session, meeting, now=now)
    await redraw(session, meeting, now=now)
    return await hosts_of(session, actor.guild_id, meeting_id), planned


async def _put(session: AsyncSession, meeting: Meeting, member: Member, part: str, now: datetime) -> None:
    values: dict[str, Any] = {"part": part, "at": now}
    row = insert_into(session, Host).values(meeting_id=meeting.meeting_id, member_id=member.member_id, **values)
    await session.execute(row.on_conflict_do_update(index_elements=["meeting_id", "member_id"], set_=values))
    await session.get(Host, (meeting.meeting_id, member.member_id), populate_existing=True)
    await note_time(session, meeting, now=now)


async def note_time(session: AsyncSession, meeting: Meeting, *, again: bool = False, now: datetime) -> None:
    """Remember for which time of a meeting its hosts have said what they said: `again` for the one that it has now.

    The row itself is the memory: it is due when the meeting begins, and nothing is done then.
    """
    await deliveries.plan(
        session, SAID_FOR, str(meeting.meeting_id), guild_id=meeting.guild_id, now=now, due_at=meeting.starts_at,
        again=again, group_id=meeting.group_id, subject_id=meeting.meeting_id,
    )  # fmt: skip


async def require_host(session: AsyncSession, guild: Guild, meeting: Meeting, actor: Actor) -> None:
    """Raise NotAllowed unless the actor may host a meeting: they look after its group, or cover with the role."""
    group = await session.get_one(Group, meeting.group_id)
    if await facilitates(session, guild, group, actor):
        return
    me = await members.find(session, actor.guild_id, actor.user_id)
    mine = await session.get(Host, (meeting.meeting_id, me.member_id)) if me is not None else None
    if mine is None or mine.part != COVER or guild.facilitator_role_id not in actor.role_ids:
        raise NotAllowed(_("Only who hosts this meeting can do this."))


async def pressed(
    session: AsyncSession, actor: Actor, meeting_id: int, *, now: datetime
) -> tuple[Guild, Group, Meeting]:
    """Return a meeting that goes on or lies ahead, its group locked, to somebody who holds the role.

    Raises NotAllowed, MeetingUnknown or CalledOff.
    """
    guild = await guild_of(session, actor.guild_id)
    require_facilitator(guild, actor)
    meeting = await meetings.find(session, actor.guild_id, meeting_id)
    if meeting is None:
        raise MeetingUnknown
    group = await locked(session, actor.guild_id, meeting.group_id)
    await session.refresh(meeting)
    if meetings.was_empty(meeting, now):
        raise CalledOff
    if meeting.state != "planned" or meeting.ends_at <= now:
        raise MeetingUnknown
    return guild, group, meeting


# who hosts


async def hosting(session: AsyncSession, meeting: Meeting) -> list[Member]:
    """Return who hosts a meeting: its group's facilitators in the server but those away, then those who cover.

    Who is off duty when it begins is away too, unless they said that they host this one.
    """
    away = select(Host.member_id).where(Host.meeting_id == meeting.meeting_id, Host.part == AWAY)
    usual = select(Member).join(Facilitator, Facilitator.member_id == Member.member_id).where(
        Facilitator.group_id == meeting.group_id, Member.away_since.is_(None), Member.member_id.not_in(away),
        Member.off_duty_until.is_(None) | (Member.off_duty_until <= meeting.starts_at),
    )  # fmt: skip
    covers = select(Member).join(Host, Host.member_id == Member.member_id).where(
        Host.meeting_id == meeting.meeting_id, Host.part == COVER, Member.away_since.is_(None)
    )  # fmt: skip
    found = [
        *(await session.scalars(usual.order_by(Facilitator.since, Member.member_id))),
        *(await session.scalars(covers.order_by(Host.at, Member.member_id))),
    ]
    return list({member.member_id: member for member in found}.values())


async def hosts_of(session: AsyncSession, guild_id: int, meeting_id: int) -> Hosts:
    """Return who hosts a meeting of a server, and whether cover is wanted; raise MeetingUnknown."""
    seen = await meetings.view(session, guild_id, meeting_id)
    meeting = await session.get_one(Meeting, meeting_id)
    hosts = await hosting(session, meeting)
    sayings = select(Host.part, Host.at, Member).join(Member, Member.member_id == Host.member_id)
    rows = [(part, at, member) for part, at, member in await session.execute(
        sayings.where(Host.meeting_id == meeting_id).order_by(Host.at, Host.part)
    )]  # fmt: skip
    covers = [(at, members.user_id(session, member)) for part, at, member in rows if part == COVER]
    late = [user_id for at, user_id in covers if at >= meeting.starts_at]
    tending = (await session.scalars(select(Member).where(Member.member_id.in_(_listed(meeting))))).all()
    listed = {member.member_id for member in tending}
    said = {member.member_id for _part, _at, member in rows}
    off = [AWAY for member in tending if is_off(member, meeting) and member.member_id not in said]
    parts = [part for part, _at, member in rows if part == AWAY or member.member_id not in listed]
    return Hosts(
        seen,
        tuple(members.user_id(session, member) for member in hosts),
        wanted=_lacking([*off, *parts]) > 0,
        covered_by=covers[-1][1] if covers else None,
        on_the_way=late[0] if late else None,
    )


def _lacking(parts: Sequence[str]) -> int:
    """Return for how many of those who asked for cover nobody has accepted since; the parts are in order of time.

    Somebody who was a host before that, as the second, is none who covers.
    """
    lacking = 0
    for part in parts:
        lacking = lacking + 1 if part == AWAY else max(lacking - 1, 0)
    return lacking


def is_off(member: Member, meeting: Meeting) -> bool:
    """Return whether somebody is off duty when a meeting begins."""
    return not duty.is_on(member, meeting.starts_at) and member.away_since is None


async def call_others(session: AsyncSession, meeting: Meeting, member_id: int, about: object, *, now: datetime) -> None:
    """Have others asked to cover for somebody, a minute later or at once; once for the same thing `about` them."""
    soon = meeting.starts_at - now < AT_ONCE
    await to_thread(
        session, "meetings.cover", f"{key(meeting)}:{member_id}:{about}", meeting, now=now,
        due_at=now if soon else now + UNDO, not_after=meeting.ends_at, member_id=member_id,
    )  # fmt: skip


def _listed(meeting: Meeting) -> Select[int]:
    return select(Facilitator.member_id).where(Facilitator.group_id == meeting.group_id)


@dataclass(frozen=True)
class Call:
    """Whom to call for a meeting, in this order.

    Of their members' ids, `busy` are those who host a meeting elsewhere at that time, and `spoken` those who host this
    one or have asked for cover at it.
    """

    people: list[Member]
    busy: set[int]
    spoken: set[int]


async def called(session: AsyncSession, meeting: Meeting, *, now: datetime, others: bool = False) -> Call:
    """Return whom to call for a meeting: facilitators on duty, its group's first, of the others not always the same.

    Last come those who are busy, and are to be spared (`spared`). `others`: not who has spoken.
    """
    own = [member.member_id for member in await duty.on_duty(session, meeting.group_id, now=now)]
    there = await duty.in_server(session, meeting.guild_id, now=now, limit=LOOKED_AT)
    # Who covers may look after no group at all.
    hosts = await hosting(session, meeting)
    here = {member.member_id for member in hosts}
    known = list(dict.fromkeys([*own, *there, *(member.member_id for member in hosts if duty.is_on(member, now))]))
    shift = meeting.meeting_id % max(len(known), 1)
    busy = await clashes.hosting_elsewhere(session, meeting) - here
    turned = sorted(known[shift:] + known[:shift], key=lambda member_id: (member_id in busy, member_id not in own))
    said = await session.scalars(select(Host.member_id).where(Host.meeting_id == meeting.meeting_id))
    spoken = {*said, *here}
    chosen = [member_id for member_id in turned if not (others and member_id in spoken)][:MOST_CALLED]
    found = await session.scalars(select(Member).where(Member.member_id.in_(chosen)))
    return Call(sorted(found, key=lambda member: chosen.index(member.member_id)), busy, spoken)


def spared(several: Sequence[One], busy: Collection[One], spoken: Collection[One] = ()) -> list[One]:
    """Return whom to call of several: not who is busy, unless no others (than those of `spoken`) would be called."""
    free = [each for each in several if each not in busy]
    return free if any(each not in spoken for each in free) else list(several)


async def asking(session: AsyncSession, guild_id: int, meeting_id: int, *, now: datetime) -> Asking:
    """Return how others are asked for cover at a meeting. Raises MeetingUnknown."""
    meeting = await meetings.find(session, guild_id, meeting_id)
    if meeting is None:
        raise MeetingUnknown
    call = await called(session, meeting, now=now, others=True)
    others = spared([member.member_id for member in call.people], call.busy)
    return Asking(len(others), at_once=meeting.starts_at - now < AT_ONCE)


# what the task thread shows


def key(meeting: Meeting) -> str:
    """Return the key of what is planned once for a meeting as it is now."""
    return f"{meeting.meeting_id}:{meeting.rev}"


async def planned(session: AsyncSession, kind: str, meeting: Meeting) -> Delivery | None:
    """Return what was planned of a kind for a meeting as it is now."""
    row = select(Delivery).where(Delivery.dedupe_key == f"{meeting.guild_id}:{kind}:{key(meeting)}")
    return await session.scalar(row)


async def still(session: AsyncSession, delivery: Delivery) -> Meeting | None:
    """Return the meeting of a delivery, if it is planned as it was when that was planned."""
    meeting = await meetings.find(session, delivery.guild_id, delivery.subject_id or 0)
    if meeting is None or meeting.state != "planned":
        return None
    mine = f"{delivery.guild_id}:{delivery.kind}:{key(meeting)}"
    return meeting if f"{delivery.dedupe_key}:".startswith(f"{mine}:") else None


async def to_thread(
    session: AsyncSession, kind: str, name: str, meeting: Meeting, *, now: datetime, **more: Any
) -> None:
    """Plan a message in the task thread, or in the staff channel itself while there is no thread."""
    guild = await guild_of(session, meeting.guild_id)
    await deliveries.plan(
        session, kind, name, guild_id=meeting.guild_id, now=now, priority=Priority.START, group_id=meeting.group_id,
        channel_id=guild.task_thread_id or guild.staff_channel_id, subject_id=meeting.meeting_id, **more,
    )  # fmt: skip


async def redraw(session: AsyncSession, meeting: Meeting, *, now: datetime) -> None:
    """Have what shows a meeting's hosts drawn again: both of its cards, and the messages that ask for cover."""
    await session.flush()
    of_both = (cards.of_hosts(meeting.meeting_id), cards.of_meeting(meeting.meeting_id))
    await cards.mark(session, meeting.guild_id, *of_both, now=now)
    if await asked(session, meeting.guild_id, meeting.meeting_id):
        await deliveries.plan(
            session, "meetings.cover_draw", str(meeting.meeting_id), guild_id=meeting.guild_id, now=now, again=True,
            priority=Priority.CARD, group_id=meeting.group_id, subject_id=meeting.meeting_id,
        )  # fmt: skip


async def asked(session: AsyncSession, guild_id: int, meeting_id: int) -> Sequence[Delivery]:
    """Return the messages of some days that ask for cover at a meeting."""
    group_id = select(Meeting.group_id).where(Meeting.meeting_id == meeting_id).scalar_subquery()
    sent = select(Delivery).where(
        Delivery.guild_id == guild_id, Delivery.kind == "meetings.cover", Delivery.group_id == group_id,
        Delivery.subject_id == meeting_id, Delivery.message_id.is_not(None),
    )  # fmt: skip
    return (await session.scalars(sent.order_by(Delivery.delivery_id))).all()


async def plan_end(session: AsyncSession, meeting: Meeting, *, now: datetime) -> None:
    """Have whoever covers at a meeting let go of its room some time after its end."""
    await deliveries.plan(
        session, "meetings.let_go", str(meeting.meeting_id), guild_id=meeting.guild_id, now=now, again=True,
        due_at=meeting.ends_at + access.COVERED, group_id=meeting.group_id, subject_id=meeting.meeting_id,
    )  # fmt: skip
