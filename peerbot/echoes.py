"""What a change of a series comes to, for a facilitator to read before they confirm it; nothing is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import news, timetables
from peerbot.breaks import Foreseen
from peerbot.rights import Actor
from peerbot.series import AT_ONCE
from peerbot.timetables import Plan


@dataclass(frozen=True)
class Hearing:
    """How many people would be told of a change, and whether at once."""

    people: int
    at_once: bool


async def hearing(session: AsyncSession, actor: Actor, series_id: int, plan: Plan, *, now: datetime) -> Hearing:
    """Return who would be told if a plan took the place of a series. Raises NotAllowed, MeetingUnknown or NotValid."""
    series, group = await timetables.locked_series(session, actor, series_id)
    several = await timetables.concerned(session, series, group, plan, now=now)
    if not several:
        return Hearing(0, at_once=False)
    keeps_time = timetables.keeps_time(series, plan, now)
    unconcerned = await news.unconcerned_by(session, several, series.zone) if keeps_time else ()
    told = await news.readers(session, group, several, unconcerned)
    return Hearing(len(told), at_once=several[0].starts_at - now < AT_ONCE)


async def hearing_break(
    session: AsyncSession, actor: Actor, series_id: int, seen: Foreseen, *, now: datetime
) -> Hearing:
    """Return who would be told of a break. Raises NotAllowed or MeetingUnknown."""
    series, group = await timetables.locked_series(session, actor, series_id)
    # Nobody has answered to what is not made yet.
    is_all = len(seen.known) == len(seen.falls_out)
    unconcerned = await news.unconcerned_by(session, seen.known, series.zone) if is_all else ()
    told = await news.readers(session, group, seen.known, unconcerned)
    return Hearing(len(told), at_once=seen.falls_out[0].at - now < AT_ONCE)
