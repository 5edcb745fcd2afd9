"""Single meetings: cancel one, move one, take it back; what members answer; and what can be seen of them.

A meeting that is off or elsewhere keeps its row and its card, so that it is seen to be off. Members see counts; who
said what is for the group's facilitators. Every rule that changes a meeting locks its group first.

Invariant: an answer is to one start of a meeting. While the meeting is at another time it counts nowhere, and when the
meeting is back there it counts again, so that what is undone is undone for whoever has answered too (`counts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, and_, bindparam, delete, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from peerbot import cards, members
from peerbot.access import SEATED
from peerbot.clashes import require_free
from peerbot.errors import CalledOff, MeetingOff, MeetingUnknown, NotMember, NotValid
from peerbot.making import LOCAL
from peerbot.models import Facilitator, Group, Meeting, Member, Membership, Response, Series
from peerbot.recurrence import instant
from peerbot.rights import Actor, facilitates, guild_of, locked_for, seen_by
from peerbot.series import LONGEST_AHEAD, UNDO, cancelled, parse, planned_again, set_time, touch
from peerbot.successions import STAYS_OFF, came_instead
from peerbot.text import _
from peerbot.types import KEEPS_KEY, UTCDateTime, insert_into

GOING, CANT = "going", "cant"
LATELY = timedelta(hours=8)
"""How long a meeting that has begun is still shown: longer than the longest."""
CHOICES = 25
"""Choices that Discord shows while somebody types."""


@dataclass(frozen=True)
class MeetingView:
    """What anyone in the group may see of a meeting: counts, never names. `local` is wall time in `zone`.

    `next_at` is the group's next planned meeting after this one. `going` and `cant` are counts.
    """

    meeting_id: int
    series_id: int
    group_id: int
    group_name: str
    room_id: int | None
    channel_id: int | None
    link: str
    topic: str
    starts_at: datetime
    ends_at: datetime
    zone: str
    local: datetime
    original: datetime
    state: str
    why: str | None
    rev: int
    going: int
    cant: int
    here_at: datetime | None
    next_at: datetime | None

    @property
    def was_moved(self) -> bool:
        """Whether it is not when its series says."""
        return self.local != self.original

    @property
    def place_id(self) -> int | None:
        """The channel in which it takes place."""
        return self.channel_id or self.room_id


@dataclass(frozen=True)
class Scene:
    """A meeting at a moment of its time, with what it belongs to.

    `at` is when the moment was due (a standing one: this look); up to `since`, the meeting had been looked after before
    that.
    """

    meeting: Meeting
    series: Series
    group: Group
    at: datetime
    now: datetime
    since: datetime


# what facilitators do to one meeting


async def cancel(session: AsyncSession, actor: Actor, meeting_id: int, *, why: str = "one", now: datetime) -> Meeting:
    """Cancel one meeting that is not over. Raises NotAllowed or MeetingUnknown."""
    meeting = await _locked(session, actor, meeting_id, now=now)
    if meeting.state == "planned":
        await cancelled(session, meeting, why, now=now)
    return meeting


async def move(
    session: AsyncSession, actor: Actor, meeting_id: int, local: datetime, *, rev: int | None = None, now: datetime
) -> Meeting:
    """Move one meeting to another wall time in its series' zone; a cancelled one is on again there.

    Why that one was off is kept, so that it is off again when the move is undone. `rev` is the change of it that the
    actor has seen; a meeting that is there already stays as it is. Raises NotAllowed, MeetingUnknown, or NotValid for a
    time that is past or too far away, or when somebody else changed it.
    """
    meeting = await _locked(session, actor, meeting_id, now=now)
    series = await session.get_one(Series, meeting.series_id, populate_existing=True)
    if series.state != "active":
        raise MeetingUnknown
    local = local.replace(second=0, microsecond=0)
    if rev is not None and meeting.rev != rev:
        if meeting.state == "planned" and parse(meeting.moved_local or meeting.original_local) == local:
            return meeting
        raise NotValid(_("Somebody changed this meeting meanwhile. I changed nothing. /meeting list shows it."))
    # Compared as wall time first: a year at the end of time has no instant.
    near = abs(local - now.replace(tzinfo=None)) < LONGEST_AHEAD
    starts_at = instant(local, series.zone) if near else now
    if not now < starts_at:
        raise NotValid(_("Please choose a time that lies ahead, within two years."))
    was = meeting.starts_at if meeting.state == "planned" else None  # nobody comes to one that is off
    words = local.strftime(LOCAL)
    meeting.state = "planned"
    meeting.moved_local = None if words == meeting.original_local else words
    if meeting.moved_local is None or meeting.why == "nobody":
        meeting.why = None
    _put(meeting, starts_at, series.minutes, now=now)
    await touch(session, meeting, now=now, tells=True, was=was)
    return meeting


async def undo(
    session: AsyncSession, actor: Actor, meeting_id: int, *, rev: int | None = None, now: datetime
) -> Meeting:
    """Take back what was last done to a meeting: a cancellation, or a move, also of one that was off before.

    `rev` is the change that the actor wants to undo. Raises NotAllowed, MeetingUnknown, CalledOff, or NotValid when
    its time has passed, when that was undone or overtaken already, or the group has another meeting at that time.
    """
    meeting = await _locked(session, actor, meeting_id, now=now, over_too=True)
    require_rev(meeting, rev)
    if was_empty(meeting, now):
        raise CalledOff
    series = await session.get_one(Series, meeting.series_id, populate_existing=True)
    if series.state != "active":
        raise MeetingUnknown
    if meeting.state == "cancelled":
        if meeting.ends_at <= now:
            raise NotValid(_("Its time has passed. Nothing was changed."))
        await planned_again(session, meeting, now=now)
    elif meeting.moved_local is not None:
        starts_at = instant(parse(meeting.original_local), series.zone)
        if starts_at <= now - UNDO:
            raise NotValid(_("Its first time has passed. You can move it to another one."))
        was, meeting.moved_local = meeting.starts_at, None
        _put(meeting, starts_at, series.minutes, now=now - UNDO)  # what came in the minute in which it was elsewhere
        meeting.state = "planned" if meeting.why is None else "cancelled"
        await touch(session, meeting, now=now, tells=True, was=was)
    if meeting.state == "planned":
        await require_free(session, [meeting])
    return meeting


def require_rev(meeting: Meeting | MeetingView, rev: int | None) -> None:
    """Raise NotValid when a meeting has changed since somebody has seen `rev` of it."""
    if rev is None or meeting.rev == rev:
        return
    if meeting.state == "planned" and not is_moved(meeting):
        raise NotValid(_("It is on at its usual time already. I changed nothing."))
    raise NotValid(_("This meeting has changed since then. I changed nothing. /meeting list shows how it is now."))


def is_moved(meeting: Meeting | MeetingView) -> bool:
    """Return whether a meeting is not when its series says."""
    return meeting.was_moved if isinstance(meeting, MeetingView) else meeting.moved_local is not None


def was_empty(meeting: Meeting, now: datetime) -> bool:
    """Return whether a meeting is off because nobody was there, and would still go on."""
    return meeting.state == "cancelled" and meeting.why == "nobody" and now < meeting.ends_at


def _put(meeting: Meeting, starts_at: datetime, minutes: int, *, now: datetime) -> None:
    """Let a meeting be at another time, of which nothing was seen to."""
    set_time(meeting, starts_at, minutes)
    meeting.here_at, meeting.turned_at = None, now


# what members answer


def counts(meeting: Any = Meeting) -> ColumnElement[bool]:
    """Return the condition for answers to a meeting, as a query names it, that are to the time that it has."""
    return and_(Response.meeting_id == meeting.meeting_id, Response.starts_at == meeting.starts_at)


async def answer_of(session: AsyncSession, meeting: Meeting | MeetingView, member_id: int) -> str | None:
    """Return what a member answered to the time that a meeting has."""
    found = await session.get(Response, (meeting.meeting_id, member_id))
    return found.answer if found is not None and found.starts_at == meeting.starts_at else None


async def respond(
    session: AsyncSession, actor: Actor, meeting_id: int, answer: str | None, *, now: datetime
) -> Meeting:
    """Keep what somebody with a seat, or a facilitator, answers to a meeting; None takes the answer back.

    Raises MeetingUnknown (also when it is over), MeetingOff, or NotMember.
    """
    meeting = await find(session, actor.guild_id, meeting_id)
    if meeting is None:
        raise MeetingUnknown
    # Locked as whoever moves it does: an answer that came in meanwhile would stand for a time that nobody was asked of.
    group = await session.get(Group, meeting.group_id, with_for_update=KEEPS_KEY)
    meeting = await session.scalar(_one(actor.guild_id, meeting_id).execution_options(populate_existing=True))
    if meeting is None or meeting.ends_at <= now or meeting.state == "over":
        raise MeetingUnknown
    if group is None or group.state != "open":
        raise MeetingUnknown
    if meeting.state == "cancelled" and answer is not None:
        raise MeetingOff
    member = await members.find(session, actor.guild_id, actor.user_id)
    if member is None or not await takes_part(session, group, member, actor):
        raise NotMember(group.name)
    mine = (Response.meeting_id == meeting_id, Response.member_id == member.member_id)
    if answer is None:
        await session.execute(delete(Response).where(*mine))
    else:
        values: dict[str, Any] = {"answer": answer, "at": now, "starts_at": meeting.starts_at}
        kept = insert_into(session, Response).values(meeting_id=meeting_id, member_id=member.member_id, **values)
        await session.execute(kept.on_conflict_do_update(index_elements=["meeting_id", "member_id"], set_=values))
    await cards.mark(session, actor.guild_id, cards.of_meeting(meeting_id), now=now)
    return meeting


async def takes_part(session: AsyncSession, group: Group, member: Member, actor: Actor) -> bool:
    """Return whether somebody has a seat in a group or looks after it.

    Who is listed to look after it takes part without the role: in a direct message nobody has one.
    """
    seat = select(Membership.member_id).where(
        Membership.group_id == group.group_id,
        Membership.member_id == member.member_id,
        Membership.state.in_(SEATED),
    )
    listed = select(Facilitator.member_id).where(
        Facilitator.group_id == group.group_id, Facilitator.member_id == member.member_id
    )
    if await session.scalar(seat.union_all(listed).limit(1)) is not None:
        return True
    return await facilitates(session, await guild_of(session, actor.guild_id), group, actor)


async def answers_of(session: AsyncSession, guild_id: int, user_id: int, meeting_ids: Sequence[int]) -> dict[int, str]:
    """Return what a person answered to some meetings."""
    me = await members.find(session, guild_id, user_id)
    if me is None:
        return {}
    mine = select(Response).join(Meeting, counts()).where(
        Response.member_id == me.member_id, Response.meeting_id.in_(meeting_ids)
    )  # fmt: skip
    return {response.meeting_id: response.answer for response in await session.scalars(mine)}


async def answered(session: AsyncSession, actor: Actor, meeting_id: int) -> dict[str, list[int]]:
    """Return the user ids of who answered what, for facilitators of the group. Raises NotAllowed or MeetingUnknown."""
    meeting = await find(session, actor.guild_id, meeting_id)
    if meeting is None:
        raise MeetingUnknown
    await seen_by(session, actor, meeting.group_id, closed_too=True)
    rows = select(Response.answer, Member).join(Member, Member.member_id == Response.member_id).join(Meeting, counts())
    rows = rows.where(Response.meeting_id == meeting_id).order_by(Response.at)
    people: dict[str, list[int]] = {GOING: [], CANT: []}
    for answer, member in await session.execute(rows):
        people[answer].append(members.user_id(session, member))
    return people


# what is seen


async def find(session: AsyncSession, guild_id: int, meeting_id: int) -> Meeting | None:
    """Return a meeting of a server."""
    return await session.scalar(_one(guild_id, meeting_id))


def _one(guild_id: int, meeting_id: int) -> Select[Meeting]:
    return select(Meeting).where(Meeting.meeting_id == meeting_id, Meeting.guild_id == guild_id)


async def view(session: AsyncSession, guild_id: int, meeting_id: int, *, is_open: bool = False) -> MeetingView:
    """Return a meeting of a server, or only one of an open group; raise MeetingUnknown."""
    which = (Meeting.meeting_id == meeting_id, *([Group.state == "open"] if is_open else []))
    found = await _views(session, _meetings(guild_id).where(*which))
    if not found:
        raise MeetingUnknown
    return found[0]


async def several(session: AsyncSession, guild_id: int, meeting_ids: Sequence[int]) -> tuple[MeetingView, ...]:
    """Return some meetings of a server, the soonest first."""
    these = _meetings(guild_id).where(Meeting.meeting_id.in_(meeting_ids))
    return await _views(session, these.order_by(Meeting.starts_at, Meeting.meeting_id))


async def coming(
    session: AsyncSession,
    guild_id: int,
    *,
    now: datetime,
    group_ids: Sequence[int] | None = None,
    states: tuple[str, ...] = ("planned",),
    limit: int = CHOICES,
) -> tuple[MeetingView, ...]:
    """Return the next meetings of a server's open groups that are not over, the soonest first."""
    ahead = _meetings(guild_id).where(
        Meeting.ends_at > now, Meeting.starts_at > now - LATELY, Meeting.state.in_(states), Group.state == "open",
        # A day that was off in a series that has another time now is shown by that one.
        or_(Meeting.state == "planned", Meeting.why.not_in(STAYS_OFF), Series.state == "active"),
    )  # fmt: skip
    if group_ids is not None:
        ahead = ahead.where(Meeting.group_id.in_(group_ids))
    return await _views(session, ahead.order_by(Meeting.starts_at, Meeting.meeting_id).limit(limit))


async def mine(
    session: AsyncSession,
    guild_id: int,
    user_id: int,
    *,
    group_id: int | None = None,
    states: tuple[str, ...] = ("planned", "cancelled"),
    now: datetime,
    limit: int,
) -> tuple[MeetingView, ...]:
    """Return the next meetings, planned or off, of the groups in which a person has a seat or that they look after.

    Or only those of one of these groups.
    """
    me = await members.find(session, guild_id, user_id)
    if me is None:
        return ()
    seats = select(Membership.group_id).where(Membership.member_id == me.member_id, Membership.state.in_(SEATED))
    tended = select(Facilitator.group_id).where(Facilitator.member_id == me.member_id)
    group_ids = (await session.scalars(seats.union(tended))).all()
    group_ids = [each for each in group_ids if group_id in (None, each)]
    return await coming(session, guild_id, now=now, group_ids=group_ids, states=states, limit=limit)


async def next_of(session: AsyncSession, group_id: int, *, after: datetime) -> datetime | None:
    """Return when a group's next planned meeting begins."""
    return await session.scalar(NEXT, {"group_id": group_id, "after": after})


async def choices(
    session: AsyncSession,
    actor: Actor,
    *,
    like: str = "",
    group_id: int | None = None,
    ended_too: bool = False,
    offset: int = 0,
    limit: int = CHOICES,
    now: datetime,
) -> tuple[MeetingView, ...]:
    """Return the next meetings of groups that the actor may change, whose name contains some letters.

    One that goes on is the first. Those that are off because their series has ended are among them where that is asked,
    unless another series has come instead of it.
    """
    guild = await guild_of(session, actor.guild_id)
    ahead = _meetings(actor.guild_id).where(
        Meeting.ends_at > now, Meeting.starts_at > now - LATELY, Meeting.state != "over", Group.state == "open",
        Group.name.icontains(like, autoescape=True),
    )  # fmt: skip
    newer = aliased(Series)
    followed = exists().where(came_instead(newer))
    ahead = ahead.where((Series.state == "active") | ~followed if ended_too else Series.state == "active")
    if group_id is not None:
        ahead = ahead.where(Meeting.group_id == group_id)
    if not actor.manages:
        me = await members.find(session, actor.guild_id, actor.user_id)
        if guild.facilitator_role_id not in actor.role_ids or me is None:
            return ()
        tended = select(Facilitator.group_id).where(Facilitator.member_id == me.member_id)
        ahead = ahead.where(Meeting.group_id.in_(tended))
    page = ahead.order_by(Meeting.starts_at, Meeting.meeting_id).offset(offset).limit(limit)
    return await _views(session, page)


def _meetings(guild_id: int) -> Any:
    going, cant = (
        select(func.count()).where(counts(), Response.answer == answer).scalar_subquery() for answer in (GOING, CANT)
    )
    later = _next_after(Meeting.group_id, Meeting.starts_at).scalar_subquery()
    return (
        select(Meeting, Series, Group, going, cant, later)
        .join(Series, Series.series_id == Meeting.series_id)
        .join(Group, Group.group_id == Meeting.group_id)
        .where(Meeting.guild_id == guild_id)
    )


def _next_after(group_id: Any, after: Any) -> Select[datetime]:
    other = aliased(Meeting)
    return select(func.min(other.starts_at)).where(
        other.group_id == group_id, other.state == "planned", other.starts_at > after
    )


NEXT = _next_after(bindparam("group_id"), bindparam("after", type_=UTCDateTime()))


async def _views(session: AsyncSession, rows: Any) -> tuple[MeetingView, ...]:
    return tuple(
        MeetingView(
            meeting_id=meeting.meeting_id, series_id=series.series_id, group_id=group.group_id, group_name=group.name,
            room_id=group.room_id, channel_id=series.channel_id, link=series.link, topic=series.topic,
            starts_at=meeting.starts_at, ends_at=meeting.ends_at, zone=series.zone,
            local=parse(meeting.moved_local or meeting.original_local), original=parse(meeting.original_local),
            state=meeting.state, why=meeting.why, rev=meeting.rev, going=going, cant=cant, here_at=meeting.here_at,
            next_at=next_at,
        )
        for meeting, series, group, going, cant, next_at in cast("list[Any]", (await session.execute(rows)).all())
    )  # fmt: skip


async def _locked(
    session: AsyncSession, actor: Actor, meeting_id: int, *, now: datetime, over_too: bool = False
) -> Meeting:
    """Return a meeting that the actor may change, its group locked; raise NotAllowed or MeetingUnknown."""
    meeting = await find(session, actor.guild_id, meeting_id)
    if meeting is None:
        raise MeetingUnknown
    await locked_for(session, actor, meeting.group_id)
    meeting = await session.scalar(_one(actor.guild_id, meeting_id).execution_options(populate_existing=True))
    if meeting is None or meeting.state == "over" or (meeting.ends_at <= now and not over_too):
        raise MeetingUnknown
    return meeting
