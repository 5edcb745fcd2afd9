"""Joining a group, whole: what somebody who asks for a seat gets, and all that the answer to them shows.

One transaction decides and reads, because the person waits for each question to the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import groups, meetings, reminders
from peerbot.errors import AgreementNeeded
from peerbot.groups import SeatChange
from peerbot.models import Guild
from peerbot.rights import Actor, guild_of
from peerbot.setup import Agreement, agreement_of


@dataclass(frozen=True)
class Joined:
    """A seat that somebody has now; `asks` says that they were not asked yet whether they want reminders."""

    guild: Guild
    seat: SeatChange
    next_at: datetime | None
    asks: bool


@dataclass(frozen=True)
class Waits:
    """A place in line that somebody has now."""


class CameBack(Exception):
    """Somebody asks who is not in the server, as far as the database knows.

    They are, so `departures.come_back` goes first: in a transaction of its own, because it locks all of their groups in
    order, and here one of them is locked already.
    """


@dataclass(frozen=True)
class Asked:
    """The words that somebody agrees to first; nothing was changed."""

    guild: Guild
    group_name: str
    words: Agreement


async def enter(
    session: AsyncSession, actor: Actor, group_id: int, *, agreed: str | None = None, waits: bool = False, now: datetime
) -> Joined | Waits | Asked:
    """Give somebody a seat, or a place in line if they wait, or say what they agree to first.

    Raises CameBack, or like `groups.sign_up`.
    """
    try:
        ready = await groups.ready_to_join(session, actor, group_id, agreed=agreed, waits=waits, now=now)
    except AgreementNeeded as needed:
        guild = await guild_of(session, actor.guild_id)
        return Asked(guild, needed.name, agreement_of(guild))
    member = ready.member
    if member.away_since is not None:
        raise CameBack
    seat = await groups.take_seat(session, actor, ready, waits=waits, now=now)
    if seat is None:
        return Waits()
    await reminders.follow_member(session, member, now=now)
    return Joined(ready.guild, seat, await meetings.next_of(session, group_id, after=now), member.reminders is None)
