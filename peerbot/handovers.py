"""What becomes of a meeting's hosts as time goes on and things change around it: its card, its time, who may host.

Facilitators find the hosts of each meeting that is near on a card in the task thread. What somebody said of hosting is
for one time alone: when a meeting has another, whoever covered and whoever had asked for cover are told that it does
not hold any more, unless the change is undone within its minute.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Select, delete, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import access, board, cards, deliveries, meetings, members
from peerbot.deliveries import Priority
from peerbot.hosting import (
    AWAY,
    COVER,
    SAID_FOR,
    ask_cover,
    call_others,
    hosting,
    key,
    note_time,
    plan_end,
    redraw,
    still,
    to_thread,
)
from peerbot.meetings import MeetingView, Scene
from peerbot.models import Card, Delivery, Facilitator, Group, Host, Meeting, Member
from peerbot.rights import Actor, guild_of
from peerbot.series import AT_ONCE, UNDO
from peerbot.types import KEEPS_KEY

AHEAD = timedelta(hours=1)
LOOK_OF_USE = timedelta(minutes=45)
SOON = timedelta(minutes=10)
CARD_AHEAD = timedelta(days=8)
"""How long before a meeting its card may be there at the earliest; groups choose at most a week."""
MOST_SHOWN = 12
MOST_PLACED = 50
"""Cards that are placed in one transaction."""
ANEW = "meetings.ask_anew"


@dataclass(frozen=True)
class SaidBefore:
    """What somebody had said of hosting a meeting when it was at another time, which begins `at`."""

    meeting: MeetingView
    at: datetime
    covered: bool


# the card in the task thread


async def look_after(session: AsyncSession, group: Group, meeting: Meeting, *, now: datetime) -> None:
    """Have facilitators shown who hosts a meeting that is near, and let who covers in; part of a meeting's turn."""
    subject = cards.of_hosts(meeting.meeting_id)
    if meeting.ends_at <= now:
        await put_away(session, meeting, now=now)
    elif _is_near(group, meeting, now) and not await cards.stands(session, meeting.guild_id, subject):
        await board.plan(session, meeting.guild_id, now=now)
    covers = select(Host.member_id).where(Host.meeting_id == meeting.meeting_id, Host.part == COVER)
    member_ids = (await session.scalars(covers.order_by(Host.member_id))).all()
    for member_id in member_ids:
        await access.follow(session, group, member_id, now=now)
    if member_ids:
        await plan_end(session, meeting, now=now)
    await _look_at_time(session, meeting, now=now)


async def put_away(session: AsyncSession, meeting: Meeting, *, now: datetime) -> None:
    """Remove the card of a meeting that has no hosts any more, because it is over or its group has closed."""
    await cards.take_down(session, meeting.guild_id, cards.of_hosts(meeting.meeting_id), now=now)
    await session.flush()


async def show(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Step: the task thread is there, and gets the cards of meetings that are near and have none in it."""
    thread_id = (await guild_of(session, delivery.guild_id)).task_thread_id
    if thread_id is None:
        return
    coming = select(Meeting, Group).join(Group, Group.group_id == Meeting.group_id).where(
        Meeting.guild_id == delivery.guild_id, Meeting.state == "planned", Group.state == "open",
        Meeting.starts_at.between(now - meetings.LATELY, now + CARD_AHEAD),
    )  # fmt: skip
    rows = (await session.execute(coming.order_by(Meeting.starts_at, Meeting.meeting_id))).all()
    placed = select(Card.subject).where(Card.guild_id == delivery.guild_id, Card.channel_id == thread_id)
    there = set((await session.scalars(placed)).all())
    near = [
        (meeting, group)
        for meeting, group in rows
        if _is_near(group, meeting, now) and cards.of_hosts(meeting.meeting_id) not in there
    ]
    for meeting, group in near[:MOST_PLACED]:
        name = cards.of_hosts(meeting.meeting_id)
        await cards.place(session, group.guild_id, name, thread_id, group_id=group.group_id, now=now)
    if len(near) > MOST_PLACED:
        await deliveries.plan(session, board.READY, "0", guild_id=delivery.guild_id, now=now, again=True)


def _is_near(group: Group, meeting: Meeting, now: datetime) -> bool:
    near = meeting.starts_at - timedelta(days=group.card_days) <= now < meeting.ends_at
    return near and meeting.state == "planned"


# another time


async def _look_at_time(session: AsyncSession, meeting: Meeting, *, now: datetime) -> None:
    """Have those told who said something of hosting a meeting for a time that it has no more."""
    said_for = await _said_for(session, meeting)
    if said_for is None or not _has_other_time(meeting, said_for):
        return
    if meeting.state == "planned" and await session.scalar(_sayings(meeting).limit(1)) is None:
        await note_time(session, meeting, again=True, now=now)
        return
    soon = min(meeting.starts_at, said_for) - now < AT_ONCE
    await deliveries.plan(
        session, ANEW, str(meeting.meeting_id), guild_id=meeting.guild_id, now=now, again=True,
        due_at=now if soon else now + UNDO, group_id=meeting.group_id, subject_id=meeting.meeting_id,
    )  # fmt: skip


async def ask_anew(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Step: a meeting has another time, or none any more, and what was said of hosting it does not hold."""
    group = await session.get(Group, delivery.group_id, with_for_update=KEEPS_KEY)
    meeting = await meetings.find(session, delivery.guild_id, delivery.subject_id or 0)
    if group is None or meeting is None:
        return
    await session.refresh(meeting)
    said_for = await _said_for(session, meeting)
    if said_for is None or not _has_other_time(meeting, said_for):
        return  # undone
    rows = list(await session.scalars(_sayings(meeting)))
    for host in rows:
        if meeting.state == "cancelled" and await _holds_elsewhere(session, meeting, host):
            continue
        name = f"{key(meeting)}:{host.member_id}:{host.part}:{int(said_for.timestamp())}"
        await deliveries.plan(
            session, "meetings.hosts_anew", name, guild_id=meeting.guild_id, now=now, not_after=meeting.ends_at,
            priority=Priority.START, group_id=group.group_id, member_id=host.member_id, subject_id=meeting.meeting_id,
        )  # fmt: skip
    if meeting.state == "planned":
        for host in rows:
            await session.delete(host)
        await session.flush()
        for host in rows:
            await access.follow(session, group, host.member_id, now=now)
        await note_time(session, meeting, again=True, now=now)
        await redraw(session, meeting, now=now)


async def remembered(_session: AsyncSession, _delivery: Delivery, _now: datetime) -> None:
    """Step: the meeting of which something was said begins, and nothing is left to do."""


async def said_before(session: AsyncSession, delivery: Delivery) -> SaidBefore | None:
    """Return what a letter says to somebody whose word does not hold any more; None when the meeting changed again."""
    meeting = await meetings.find(session, delivery.guild_id, delivery.subject_id or 0)
    if meeting is None:
        return None
    _guild, _kind, _id, rev, _member, part, at = delivery.dedupe_key.split(":")
    if meeting.rev != int(rev) or meeting.state == "over":
        return None
    view = await meetings.view(session, delivery.guild_id, meeting.meeting_id)
    return SaidBefore(view, datetime.fromtimestamp(int(at), UTC), covered=part == COVER)


async def _said_for(session: AsyncSession, meeting: Meeting) -> datetime | None:
    name = f"{meeting.guild_id}:{SAID_FOR}:{meeting.meeting_id}"
    return await session.scalar(select(Delivery.due_at).where(Delivery.dedupe_key == name))


def _has_other_time(meeting: Meeting, said_for: datetime) -> bool:
    if meeting.state == "cancelled":
        return meeting.why == "ended"  # others may have taken its place; that a single one is off is news to all
    return meeting.starts_at != said_for


def _sayings(meeting: Meeting) -> Select[Host]:
    return select(Host).where(Host.meeting_id == meeting.meeting_id).order_by(Host.at, Host.member_id)


async def _holds_elsewhere(session: AsyncSession, meeting: Meeting, host: Host) -> bool:
    """Return whether what somebody said was taken along to a meeting of the group at the same time."""
    same = select(Host.member_id).join(Meeting, Meeting.meeting_id == Host.meeting_id).where(
        Meeting.group_id == meeting.group_id, Meeting.starts_at == meeting.starts_at, Meeting.state == "planned",
        Host.member_id == host.member_id, Host.part == host.part,
    )  # fmt: skip
    return await session.scalar(same.limit(1)) is not None


# what changes around a meeting


async def call_hosts(session: AsyncSession, scene: Scene) -> None:
    """Tell facilitators that a meeting begins soon."""
    meeting = scene.meeting
    late = meeting.starts_at + timedelta(minutes=3)
    await to_thread(session, "meetings.soon", key(meeting), meeting, now=scene.now, not_after=late)


async def listed_anew(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Step: others look after a group, or are off duty; who does no more needs no cover, and cards show who hosts.

    For those who are off duty at a meeting that they would host, cover is asked.
    """
    group = await session.get(Group, delivery.group_id, with_for_update=KEEPS_KEY)
    if group is None:
        return
    listed = select(Facilitator.member_id).where(Facilitator.group_id == group.group_id)
    coming = select(Meeting.meeting_id).where(Meeting.group_id == group.group_id, Meeting.ends_at > now)
    gone = (Host.meeting_id.in_(coming), Host.part == AWAY, Host.member_id.not_in(listed))
    await session.execute(delete(Host).where(*gone), execution_options={"synchronize_session": False})
    ids = (await session.scalars(coming.where(Meeting.starts_at < now + CARD_AHEAD))).all()
    of_both = [of(meeting_id) for meeting_id in ids for of in (cards.of_hosts, cards.of_meeting)]
    await cards.mark(session, group.guild_id, *of_both, now=now)
    said = select(Host.meeting_id).where(Host.meeting_id == Meeting.meeting_id, Host.member_id == Member.member_id)
    off = select(Meeting, Member).join(Member, Member.member_id.in_(listed)).where(
        Meeting.meeting_id.in_(ids), Meeting.state == "planned", Meeting.starts_at > now, ~said.exists(),
        Member.away_since.is_(None), Member.off_duty_until > Meeting.starts_at,
    )  # fmt: skip
    for meeting, member in (await session.execute(off.order_by(Meeting.starts_at, Member.member_id))).all():
        about = f"off{member.off_duty_until:%Y%m%dT%H%M}"
        await call_others(session, meeting, member.member_id, about, now=now)


async def look_ahead(session: AsyncSession, scene: Scene) -> None:
    """Have somebody look, an hour before a meeting, whether those who host it may still do that, and whether any do."""
    meeting = scene.meeting
    await deliveries.plan(
        session, "meetings.look_hosts", key(meeting), guild_id=meeting.guild_id, now=scene.now, priority=Priority.START,
        not_after=scene.at + LOOK_OF_USE, group_id=meeting.group_id, subject_id=meeting.meeting_id,
    )  # fmt: skip


async def hosts_ahead(session: AsyncSession, delivery: Delivery) -> list[int]:
    """Return the users who are to host the meeting of a look, if it is as it was."""
    meeting = await still(session, delivery)
    hosts = await hosting(session, meeting) if meeting is not None else []
    return [members.user_id(session, member) for member in hosts]


async def looked_ahead(session: AsyncSession, delivery: Delivery, unfit: Collection[int], *, now: datetime) -> bool:
    """Ask for cover for hosts who hold the role no more; return whether nobody hosts, and others were called.

    Then whoever had asked for cover is told in private, in time to call the meeting off.
    """
    group = await session.get(Group, delivery.group_id, with_for_update=KEEPS_KEY)
    meeting = await still(session, delivery)
    if group is None or meeting is None:
        return False
    asked = list(await session.scalars(_sayings(meeting).where(Host.part == AWAY)))
    for member in await members.find_all(session, delivery.guild_id, unfit):
        await ask_cover(session, group, meeting, member, now=now)
    if await hosting(session, meeting):
        return False
    until = meeting.starts_at
    await to_thread(session, "meetings.unhosted", key(meeting), meeting, now=now, not_after=until)
    for host in asked:
        await deliveries.plan(
            session, "meetings.not_found", f"{key(meeting)}:{host.member_id}", guild_id=meeting.guild_id,
            priority=Priority.START, group_id=group.group_id, member_id=host.member_id, subject_id=meeting.meeting_id,
            now=now, not_after=until,
        )  # fmt: skip
    return True


async def elsewhere(session: AsyncSession, actor: Actor, meeting_id: int) -> list[str]:
    """Return the names of other groups at whose meetings the actor hosts while this one is."""
    meeting = await meetings.find(session, actor.guild_id, meeting_id)
    me = await members.find(session, actor.guild_id, actor.user_id)
    if meeting is None or me is None:
        return []
    listed = exists().where(Facilitator.group_id == Meeting.group_id, Facilitator.member_id == me.member_id)
    mine = (Host.meeting_id == Meeting.meeting_id, Host.member_id == me.member_id)
    part = [exists().where(*mine, Host.part == each) for each in (AWAY, COVER)]
    then = select(Group.name).join(Meeting, Meeting.group_id == Group.group_id).where(
        Meeting.guild_id == meeting.guild_id, Meeting.group_id != meeting.group_id, Meeting.state == "planned",
        Meeting.starts_at.between(meeting.starts_at - meetings.LATELY, meeting.ends_at),
        Meeting.starts_at < meeting.ends_at, Meeting.ends_at > meeting.starts_at, (listed & ~part[0]) | part[1],
    )  # fmt: skip
    return list((await session.scalars(then.order_by(Meeting.starts_at, Group.name).limit(MOST_SHOWN))).all())


async def off_for(session: AsyncSession, actor: Actor, *, now: datetime) -> tuple[MeetingView, ...]:
    """Return the meetings that the actor would host, but is off duty then."""
    me = await members.find(session, actor.guild_id, actor.user_id)
    if me is None or me.off_duty_until is None:
        return ()
    said = select(Host.meeting_id).where(Host.member_id == me.member_id)
    mine = select(Meeting.meeting_id).join(Facilitator, Facilitator.group_id == Meeting.group_id).where(
        Facilitator.member_id == me.member_id, Meeting.guild_id == actor.guild_id, Meeting.state == "planned",
        Meeting.starts_at > now, Meeting.starts_at < me.off_duty_until, Meeting.meeting_id.not_in(said),
    )  # fmt: skip
    ids = (await session.scalars(mine.order_by(Meeting.starts_at).limit(MOST_SHOWN))).all()
    return await meetings.several(session, actor.guild_id, ids)


async def let_go(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Step: a meeting is over, and whoever covered no longer needs the group's room."""
    group = await session.get(Group, delivery.group_id, with_for_update=KEEPS_KEY)
    covers = select(Host.member_id).where(Host.meeting_id == delivery.subject_id, Host.part == COVER)
    for member_id in (await session.scalars(covers.order_by(Host.member_id))).all():
        if group is not None:
            await access.follow(session, group, member_id, now=now)
