"""Breaks: days on which a series does not meet, as its facilitators say it, and their way back.

What a break comes to is shown before it is kept: the dates that fall out of it are worked out from the rule where they
are not made yet, and nothing is written. It is kept only if the same dates fall out then.

Invariant: a break gives back what it took off, as far as that lies ahead and no other break holds the day. A date that
was put on by hand in a break is held by it no more: if a later break takes it off, its way back leads there.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import blake2b

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import deliveries
from peerbot.clashes import require_free
from peerbot.deliveries import CANCELLED, PENDING, Planned, Priority
from peerbot.errors import NotValid
from peerbot.making import AHEAD, LOCAL, make, parse
from peerbot.models import Break, Delivery, Meeting, Series
from peerbot.recurrence import Rule, instant, occurrences
from peerbot.rights import Actor, guild_of
from peerbot.series import LONGEST_AHEAD, all_cancelled, all_planned_again, future
from peerbot.successions import breaks_of, day_of, midnight
from peerbot.text import _
from peerbot.timetables import follow_zone, locked_series

PUT_ON = "meetings.put_on"
"""What remembers that a break does not hold one of its days."""
LONGEST = timedelta(days=370)
AFTER = timedelta(days=370)
"""How far after a break the next date is looked for."""


@dataclass(frozen=True)
class Dated:
    """When a meeting is, made or not, and when its series has it."""

    at: datetime
    usual: datetime
    local: datetime

    @property
    def was_moved(self) -> bool:
        """Whether it is not when its series says."""
        return self.at != self.usual


@dataclass(frozen=True)
class Foreseen:
    """What a break would come to, for a facilitator to confirm.

    Of the dates of these days, some fall out, some are off already, and some stay on, because they were moved out of
    them. `code` is that of what falls out; `known` are those of it that are made.
    """

    group_name: str
    zone: str
    first: date
    last: date
    falls_out: tuple[Dated, ...]
    off_already: tuple[Dated, ...]
    stays_on: tuple[Dated, ...]
    goes_on: datetime | None
    code: str
    known: tuple[Meeting, ...]


@dataclass(frozen=True)
class Skipped:
    """A break that is kept, what is off in it, and when the group meets after it."""

    break_id: int
    meetings: tuple[Meeting, ...]
    goes_on: datetime | None


async def look(
    session: AsyncSession, actor: Actor, series_id: int, first: date, last: date, *, now: datetime
) -> Foreseen:
    """Return what a break from one local date to another would come to; nothing is stored. Raises like `skip`."""
    series, group = await locked_series(session, actor, series_id)
    _require_sane(first, last, now)
    zone = (await guild_of(session, series.guild_id)).time_zone
    mine = select(Meeting).where(
        Meeting.series_id == series_id, or_(Meeting.starts_at > now, Meeting.original_local >= first.isoformat())
    )
    made = (await session.scalars(mine.order_by(Meeting.starts_at))).all()
    dates = {meeting: dated(meeting, zone) for meeting in made}
    ahead = {meeting: each for meeting, each in dates.items() if each.at > now}
    planned = [meeting for meeting in ahead if meeting.state == "planned"]
    known = [meeting for meeting in planned if first <= ahead[meeting].local.date() <= last]
    begin = midnight(max(first, now.date()), zone) - timedelta(seconds=1)
    unmade = _unmade(series, made, zone, max(now, begin), last)
    falls_out = _sorted([*(ahead[meeting] for meeting in known), *unmade])
    if not falls_out:
        raise NotValid(_("There is no meeting in these days. Nothing was changed."))
    off = [meeting for meeting in ahead if meeting.state == "cancelled" and meeting.why != "ended"]
    out = [meeting for meeting in planned if meeting not in known and meeting.moved_local is not None]
    return Foreseen(
        group.name, zone, first, last, falls_out,
        off_already=_sorted(ahead[each] for each in off if first <= ahead[each].local.date() <= last),
        stays_on=_sorted(ahead[each] for each in out if first <= parse(each.original_local).date() <= last),
        goes_on=_next_after(series, made, zone, last, now), code=_code(each.local for each in falls_out),
        known=tuple(known),
    )  # fmt: skip


async def skip(
    session: AsyncSession,
    actor: Actor,
    series_id: int,
    first: date,
    last: date,
    *,
    code: str | None = None,
    now: datetime,
) -> Skipped:
    """Cancel all meetings from one local date to another (holidays), also those that are not made yet.

    Twice is once. `code` is that of what the actor has seen to fall out. Raises NotAllowed, MeetingUnknown, or NotValid
    for a range that is turned round, too long, or holds no meeting, or when something else would fall out by now.
    """
    series, _group = await locked_series(session, actor, series_id)
    _require_sane(first, last, now)
    await follow_zone(session, series, now=now)
    if last >= now.date():
        # Some days further, so that people can be told when the group meets after that.
        until = midnight(last + timedelta(days=1), series.zone) + AHEAD
        await make(session, [series], until=until, now=now)
    skipped = [meeting for meeting in await future(session, series, now) if first <= day_of(meeting) <= last]
    kept = await _same(session, series_id, first, last)
    if not skipped and kept is not None:
        off = [each for each in await future(session, series, now, state="cancelled") if _is_in(each, first, last)]
        return await _skipped(session, series, kept, off, now)
    if code is not None and code != _code(_local(meeting) for meeting in skipped):
        raise NotValid(_("These meetings have changed since then. I changed nothing. /meeting list shows them."))
    if not skipped:
        raise NotValid(_("There is no meeting in these days. Nothing was changed."))
    if kept is None:
        kept = Break(series_id=series_id, first_day=first, last_day=last)
        session.add(kept)
        await session.flush()
    await _note_put_on(session, series, kept, skipped, now)
    await all_cancelled(session, skipped, "skipped", now=now)
    return await _skipped(session, series, kept, skipped, now)


async def unskip(session: AsyncSession, actor: Actor, break_id: int, *, now: datetime) -> list[Meeting]:
    """Take a break back, also one that a series has from the one before it; return what is on again.

    One that was taken back already changes nothing. Raises NotAllowed, MeetingUnknown, or NotValid when the group has
    another meeting at the time of one by now.
    """
    series_id = await session.scalar(select(Break.series_id).where(Break.break_id == break_id))
    if series_id is None:
        return []
    series, _group = await locked_series(session, actor, series_id)
    taken = await session.get(Break, break_id, populate_existing=True)
    if taken is None or taken.series_id != series_id:
        return []
    first, last = taken.first_day, taken.last_day
    rest = [each for each in await breaks_of(session, series, now) if each.break_id != break_id]
    await session.delete(taken)
    off = [each for each in await future(session, series, now, state="cancelled") if _is_in(each, first, last)]
    out = [
        each
        for each in await future(session, series, now)
        if each.why == "skipped" and first <= parse(each.original_local).date() <= last
    ]
    days = {*map(day_of, off), *(parse(each.original_local).date() for each in out)}
    held = await _held(session, series, rest, days)
    back = [meeting for meeting in off if day_of(meeting) not in held]
    for elsewhere in out:
        if parse(elsewhere.original_local).date() not in held:
            elsewhere.why = None
    await all_planned_again(session, back, now=now)
    await require_free(session, back)
    return back


async def _note_put_on(
    session: AsyncSession, series: Series, kept: Break, skipped: Sequence[Meeting], now: datetime
) -> None:
    """Remember which dates that a break takes off were on in others, because somebody had put them on by hand.

    The row itself is the memory: it is due when the meeting begins, and nothing is done then.
    """
    theirs = [each for each in await breaks_of(session, series, now) if each.break_id != kept.break_id]
    again = [_key(series, kept, day_of(meeting)) for meeting in skipped]
    forgotten = update(Delivery).where(Delivery.dedupe_key.in_(again), Delivery.state == PENDING)
    await session.execute(
        forgotten.values(state=CANCELLED, ended_at=now), execution_options={"synchronize_session": False}
    )
    rows = [
        Planned(f"{each.break_id}:{day_of(meeting)}", series.guild_id, meeting.starts_at, series.group_id)
        for meeting in skipped
        for each in theirs
        if each.first_day <= day_of(meeting) <= each.last_day
    ]
    await deliveries.plan_many(session, PUT_ON, rows, now=now, priority=Priority.CARD, again=True)


async def _held(session: AsyncSession, series: Series, several: Sequence[Break], days: Collection[date]) -> set[date]:
    """Return those of some days that one of several breaks holds: lies over, and nobody put the date on by hand."""
    over = {_key(series, each, day): day for each in several for day in days if each.first_day <= day <= each.last_day}
    put_on = select(Delivery.dedupe_key).where(Delivery.dedupe_key.in_(over), Delivery.state == PENDING)
    free = set(await session.scalars(put_on))
    return {day for key, day in over.items() if key not in free}


def _key(series: Series, each: Break, day: date) -> str:
    return f"{series.guild_id}:{PUT_ON}:{each.break_id}:{day}"


def _require_sane(first: date, last: date, now: datetime) -> None:
    if last < first or last - first > LONGEST:
        raise NotValid(_("Please give a first and a last day, at most a year apart."))
    if last > (now + LONGEST_AHEAD).date():
        raise NotValid(_("That is more than two years away. Please choose an earlier day."))


async def _same(session: AsyncSession, series_id: int, first: date, last: date) -> Break | None:
    same = select(Break).where(Break.series_id == series_id, Break.first_day == first, Break.last_day == last)
    return await session.scalar(same.order_by(Break.break_id).limit(1))


async def _skipped(
    session: AsyncSession, series: Series, kept: Break, off: Sequence[Meeting], now: datetime
) -> Skipped:
    await session.flush()
    mine = (await session.scalars(select(Meeting).where(Meeting.series_id == series.series_id))).all()
    goes_on = _next_after(series, mine, series.zone, kept.last_day, now)
    return Skipped(kept.break_id, tuple(off), goes_on)


def _next_after(series: Series, made: Sequence[Meeting], zone: str, last: date, now: datetime) -> datetime | None:
    """Return when a series meets first after a day, as far as a year after it."""
    planned = [dated(each, zone) for each in made if each.state == "planned"]
    coming = [each.at for each in planned if each.at > now and each.local.date() > last]
    begin = max(now, midnight(last + timedelta(days=1), zone) - timedelta(seconds=1))
    coming += [each.at for each in _unmade(series, made, zone, begin, last + AFTER)]
    return min(coming, default=None)


def _unmade(series: Series, made: Sequence[Meeting], zone: str, begin: datetime, last: date) -> list[Dated]:
    """Return what a series has from a moment to a day and what is not made yet."""
    known = {meeting.original_local for meeting in made}
    most = (last - begin.date()).days + 2
    coming = occurrences(Rule.parse(series.rule), parse(series.first_local), zone, after=begin, limit=max(most, 0))
    return [
        Dated(each.at, each.at, each.local)
        for each in coming
        if each.local.date() <= last and each.local.strftime(LOCAL) not in known
    ]


def dated(meeting: Meeting, zone: str) -> Dated:
    """Return when a meeting is by the clocks of a zone."""
    local = _local(meeting)
    return Dated(instant(local, zone), instant(parse(meeting.original_local), zone), local)


def _sorted(several: Iterable[Dated]) -> tuple[Dated, ...]:
    return tuple(sorted(several, key=lambda each: each.at))


def _local(meeting: Meeting) -> datetime:
    return parse(meeting.moved_local or meeting.original_local)


def _code(locals_: Iterable[datetime]) -> str:
    """Return four letters for some wall times, which others do not have."""
    words = " ".join(sorted(each.strftime(LOCAL) for each in locals_))
    return urlsafe_b64encode(blake2b(words.encode(), digest_size=3).digest()).decode()


def _is_in(meeting: Meeting, first: date, last: date) -> bool:
    return meeting.why == "skipped" and first <= day_of(meeting) <= last
