"""The run sheet: what somebody who hosts has in hand during a meeting. Nothing of it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import access, meetings, members, reminders
from peerbot.errors import MeetingUnknown
from peerbot.hosting import require_host
from peerbot.meetings import MeetingView
from peerbot.models import Member, Response
from peerbot.rights import Actor, guild_of
from peerbot.setup import Agreement, agreement_of


@dataclass(frozen=True)
class Sheet:
    """What somebody who hosts has in hand during a meeting. Nothing of it is stored."""

    meeting: MeetingView
    agreement: Agreement
    new: tuple[int, ...]
    round: tuple[int, ...]


async def sheet(session: AsyncSession, actor: Actor, meeting_id: int, *, now: datetime) -> Sheet:
    """Return what a host needs at hand; raise MeetingUnknown, or NotAllowed unless they host or look after the group.

    It is there until an hour after the meeting.
    """
    guild = await guild_of(session, actor.guild_id)
    meeting = await meetings.find(session, actor.guild_id, meeting_id)
    if meeting is None or meeting.state == "cancelled" or now > meeting.ends_at + access.COVERED:
        raise MeetingUnknown
    await require_host(session, guild, meeting, actor)
    newcomers = await reminders.newcomers(session, meeting)
    answered = (Response.meeting_id == meeting_id, Response.starts_at == meeting.starts_at)
    cant = select(Response.member_id).where(*answered, Response.answer == meetings.CANT)
    new = select(Member).where(
        Member.member_id.in_(newcomers), Member.away_since.is_(None), Member.member_id.not_in(cant)
    )
    going = select(Member).join(Response, Response.member_id == Member.member_id).where(
        *answered, Response.answer == meetings.GOING, Member.away_since.is_(None)
    )  # fmt: skip
    return Sheet(
        await meetings.view(session, actor.guild_id, meeting_id),
        agreement_of(guild),
        tuple(members.user_id(session, each) for each in await session.scalars(new.order_by(Member.member_id))),
        tuple(members.user_id(session, each) for each in await session.scalars(going.order_by(Member.member_id))),
    )
