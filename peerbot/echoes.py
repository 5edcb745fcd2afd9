"""What a change of a series comes to, for a facilitator to read before they confirm it; nothing is stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import news, timetables
from peerbot.breaks import Dated, Foreseen, dated
from peerbot.models import Meeting, Series
from peerbot.recurrence import instant, occurrences
from peerbot.rights import Actor, guild_of
from peerbot.series import AT_ONCE, future
from peerbot.successions import midnight, off_days
from peerbot.timetables import Plan


@dataclass(frozen=True)
class Hearing:
    """How many people would be told of a change, and whether at once."""

    people: int
    at_once: bool


@dataclass(frozen=True)
class Outcome:
    """What becomes of dates that people expect when a series is changed, and who is told.

    Some fall out, also of those that were `moved`; of the new ones some stay off, as that day was off before.
    """

    heard: Hearing
    falls_out: tuple[Dated, ...] = ()
    moved: tuple[Dated, ...] = ()
    stays_off: tuple[Dated, ...] = ()
    on_again: tuple[Dated, ...] = ()


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


async def change(session: AsyncSession, actor: Actor, series_id: int, plan: Plan, *, now: datetime) -> Outcome:
    """Return what becomes of dates if a plan takes the place of a series, and who is told. Raises like `hearing`."""
    heard = await hearing(session, actor, series_id, plan, now=now)
    series, _group = await timetables.locked_series(session, actor, series_id)
    zone = (await guild_of(session, actor.guild_id)).time_zone
    if not timetables.keeps_time(series, plan, now):
        return await _instead(session, series, plan, heard, zone, now=now)
    if series.rule == plan.rule.text():
        return Outcome(heard)
    off, on = await timetables.ending(session, series, plan.rule.until, now)
    falls_out, moved = _parted(off, zone)
    return Outcome(heard, falls_out, moved, on_again=tuple(dated(each, zone) for each in on))


async def _instead(
    session: AsyncSession, series: Series, plan: Plan, heard: Hearing, zone: str, *, now: datetime
) -> Outcome:
    """Return what becomes of dates where another series comes instead."""
    expected = await future(session, series, now)
    off = await off_days(session, series, now=now)
    ends = [instant(dated(each, zone).local, zone) for each in expected]
    ends += [midnight(off.last + timedelta(days=1), zone)] if off.last is not None else []
    most = (max(ends, default=now) - now).days + 2
    new = occurrences(plan.rule, plan.first, zone, after=now, limit=most)
    at = {each.at for each in new if off.why(each.local.date()) is None}
    falls_out, moved = _parted([each for each in expected if dated(each, zone).at not in at], zone)
    stays_off = tuple(Dated(each.at, each.at, each.local) for each in new if off.why(each.local.date()) is not None)
    return Outcome(heard, falls_out, moved, stays_off)


def _parted(several: Iterable[Meeting], zone: str) -> tuple[tuple[Dated, ...], tuple[Dated, ...]]:
    """Return when meetings are: those that are as their series says, and those that were moved."""
    dates = [dated(each, zone) for each in several]
    return tuple(each for each in dates if not each.was_moved), tuple(each for each in dates if each.was_moved)


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
