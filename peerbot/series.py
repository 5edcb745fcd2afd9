"""Series and their meetings: looked at each day, changed together, told of, deleted in the end.

A series is wall time, zone and rule; the instants of its meetings are derived. The zone is that of the server: when it
changes, or its rules do, wall times stay and instants follow. A meeting that this puts at another instant is like one
that was moved (answers to the old time are forgotten, people are told once); where nothing moves, nothing is told. What
people are told of a change waits a minute, so that an undo is told to nobody.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import TZPATH

from sqlalchemy import (
    ColumnElement,
    Executable,
    Row,
    and_,
    bindparam,
    exists,
    literal_column,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import cards, deliveries, many
from peerbot.deliveries import Priority
from peerbot.making import AHEAD, LOOK, TURN, make, mirror, parse, see_ahead
from peerbot.models import Delivery, Group, Meeting, Series
from peerbot.recurrence import Rule, instant, occurrences
from peerbot.remains import PURGED, purge
from peerbot.rights import guild_of
from peerbot.types import KEEPS_KEY

EXTEND, TELL = "meetings.extend", "meetings.tell"
CHUNK = 200
"""Series that are looked at in one transaction, so that nobody waits long for the database."""
UNDO = timedelta(minutes=1)
"""How long a change can be undone before anyone is told."""
AT_ONCE = timedelta(minutes=30)
"""So close to a meeting, people are told at once."""
LONGEST_AHEAD = timedelta(days=730)
WAS = "was %y%m%dT%H%M"
"""What `told` says of a meeting whose instant has changed while its wall time did not: when it was."""
PLACE = "@"
"""Stands in `told` before the place that people know (`place_of`), while the series has another one."""


_NEEDED = (
    Series.series_id,
    Series.guild_id,
    Series.group_id,
    Series.rule,
    Series.first_local,
    Series.zone,
    Series.tz_version,
    Series.minutes,
    Series.made_until,
)
"""What making meetings reads of a series: a row of it takes a fifth of the time of an object."""


async def extend(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Step: once a day, make the meetings of a server that have come near, look at zones anew, delete what is old."""
    guild = await guild_of(session, delivery.guild_id)
    zone = guild.time_zone
    here = {"guild_id": guild.guild_id, "zone": zone, "rules": tz_version(zone)}
    some = await _locked(session, "here", now=now, limit=CHUNK, given=here)
    anew = [each.series_id for each in some if (each.zone, each.tz_version) != (zone, tz_version(zone))]
    await make(session, [each for each in some if each.series_id not in anew], until=now + AHEAD, now=now)
    off = (Meeting.guild_id == guild.guild_id, Meeting.starts_at > now, Meeting.state == literal_column("'cancelled'"))
    await see_ahead(session, set(await session.scalars(select(Meeting.series_id).where(*off).distinct())), now=now)
    if anew:
        theirs = select(Series).where(Series.series_id.in_(anew)).order_by(Series.series_id)
        several = await session.scalars(theirs.execution_options(populate_existing=True))
        await recompute(session, several.all(), zone, now=now)
    gone = await purge(session, guild.guild_id, now=now)
    again = timedelta() if len(some) == CHUNK or gone == PURGED else LOOK
    await look_again(session, guild.guild_id, now=now, due_at=now + again)


async def look_again(session: AsyncSession, guild_id: int, *, now: datetime, due_at: datetime | None = None) -> None:
    """Have a server's series looked at, now or at a moment."""
    await deliveries.plan(
        session, EXTEND, "all", guild_id=guild_id, now=now, due_at=due_at, again=True, priority=Priority.ACCESS,
    )  # fmt: skip


async def look_daily(session: AsyncSession, guild_id: int, *, now: datetime) -> None:
    """Make sure that a server's series are looked at each day."""
    # A row that waits or runs is left alone: the step that runs it waits for groups, and whoever asks holds one.
    key = f"{guild_id}:{EXTEND}:all"
    state = await session.scalar(select(Delivery.state).where(Delivery.dedupe_key == key))
    if state not in (deliveries.PENDING, deliveries.LEASED):
        await look_again(session, guild_id, now=now, due_at=now + LOOK)


async def look_everywhere(session: AsyncSession, guild_ids: Collection[int], *, now: datetime) -> None:
    """Have the series of some servers looked at now, whatever became of the look of each day."""
    here = select(Series.guild_id).where(Series.guild_id.in_(guild_ids), Series.state == "active").distinct()
    looks = [deliveries.Planned("all", guild_id, now) for guild_id in sorted(await session.scalars(here))]
    await deliveries.plan_many(session, EXTEND, looks, now=now, priority=Priority.ACCESS, again=True)


async def materialise(session: AsyncSession, *, now: datetime, guild_id: int | None = None, limit: int = CHUNK) -> int:
    """Make meetings of some series that are not made far enough ahead; return of how many."""
    which, given = ("all", {}) if guild_id is None else ("behind here", {"guild_id": guild_id})
    found = await _locked(session, which, now=now, limit=limit, given=given)
    await make(session, found, until=now + AHEAD, now=now)
    return len(found)


async def _locked(
    session: AsyncSession, which: str, *, now: datetime, limit: int, given: dict[str, Any]
) -> Sequence[Row[Any]]:
    """Return what making needs of some active series, their groups locked, as presses do it, in one order.

    Those that are not made far enough ahead: of "all" servers or "behind here"; or "here", also what is of other zones.
    """
    looking, locking, reading = _looks(session.get_bind().dialect.name, which)
    given = given | {"edge": now + AHEAD - LOOK}
    found = (await session.execute(looking, given | {"most": limit})).all()
    if not found:
        return []
    await session.execute(locking, {"groups": list({group_id for _series_id, group_id in found})})
    return (await session.execute(reading, given | {"ids": [series_id for series_id, _group_id in found]})).all()


@cache
def _looks(engine: str, which: str) -> tuple[Executable, Executable, Executable]:
    """Return the statements that find series, lock their groups, and read of them what still holds then."""
    columns = Series.__table__.c
    looking = select(columns.series_id, columns.group_id).where(*_due(columns, which)).order_by(columns.made_until)
    theirs = select(Group.group_id).where(many.is_among(engine, Group.group_id, "groups"))
    # Read before it is asked whether they are due: PostgreSQL would look for them among all that are.
    these = select(*_NEEDED, Series.state).where(many.is_among(engine, Series.series_id, "ids")).cte("these")
    these = these.prefix_with("MATERIALIZED", dialect="postgresql")
    return (
        looking.limit(bindparam("most")),
        theirs.order_by(Group.group_id).with_for_update(key_share=True),
        select(these).where(*_due(these.c, which)).order_by(these.c.series_id),
    )


def _due(columns: Any, which: str) -> list[ColumnElement[bool]]:
    """Return the conditions for series that are to be looked at."""
    due = columns.made_until < bindparam("edge")
    if which == "here":
        due = or_(due, columns.zone != bindparam("zone"), columns.tz_version != bindparam("rules"))
    where = [columns.state == literal_column("'active'"), due]
    return where if which == "all" else [*where, columns.guild_id == bindparam("guild_id")]


async def recompute(session: AsyncSession, several: Sequence[Series], zone: str, *, now: datetime) -> None:
    """Work out the coming meetings of some series anew in a zone, by the rules of today; wall times stay what they are.

    Their groups are locked. People are told of those meetings whose instant changed, and of no others.
    """
    if not several:
        return
    minutes: dict[int, int] = {}
    for series in several:
        series.version += series.zone != zone
        series.zone, series.tz_version = zone, tz_version(zone)
        series.made_until = now  # in the new zone, one may come before what was the last
        minutes[series.series_id] = series.minutes
    # Also what a zone that was chosen by mistake has put into the past: nobody has met then.
    is_ahead = and_(Meeting.state != "over", Meeting.starts_at > now) | Meeting.told.startswith("was ")
    ahead = select(Meeting).where(Meeting.series_id.in_(minutes), is_ahead).order_by(Meeting.meeting_id)
    changed: list[Meeting] = []
    was: list[datetime] = []
    for meeting in await session.scalars(ahead):
        starts_at = instant(parse(meeting.moved_local or meeting.original_local), zone)
        if starts_at != meeting.starts_at:
            if meeting.state != "cancelled":
                was.append(max(meeting.starts_at, now))
            _note(meeting, starts_at)
            set_time(meeting, starts_at, minutes[meeting.series_id])
            meeting.turned_at, meeting.here_at = now, None
            if meeting.state == "over" and starts_at > now:
                meeting.state = "planned"
            changed.append(meeting)
    await touch_all(session, changed, now=now, tells=True, was=was)
    await make(session, several, until=now + AHEAD, now=now)


def _note(meeting: Meeting, starts_at: datetime) -> None:
    """Write down that people are to be told of another instant, or no longer, if it is the one that they know."""
    knows, at, place = meeting.told.partition(PLACE)
    if knows == starts_at.strftime(WAS):
        knows = standing(meeting)
    elif meeting.state == "planned" and knows == standing(meeting):
        knows = meeting.starts_at.strftime(WAS)
    meeting.told = knows + at + place


def set_time(meeting: Meeting, starts_at: datetime, minutes: int) -> None:
    """Put a meeting at an instant."""
    meeting.starts_at, meeting.ends_at = starts_at, starts_at + timedelta(minutes=minutes)


async def cancelled(session: AsyncSession, meeting: Meeting, why: str, *, now: datetime) -> None:
    """Mark a meeting as cancelled, and have people told."""
    await all_cancelled(session, [meeting], why, now=now)


async def all_cancelled(session: AsyncSession, several: Sequence[Meeting], why: str, *, now: datetime) -> None:
    """Mark meetings of one group as cancelled, and have people told."""
    for meeting in several:
        meeting.state, meeting.why = "cancelled", why
    await touch_all(session, several, now=now, tells=True)
    await see_ahead(session, {meeting.series_id for meeting in several}, now=now)


async def planned_again(session: AsyncSession, meeting: Meeting, *, now: datetime) -> None:
    """Take a cancellation back, and have people told who know of it."""
    await all_planned_again(session, [meeting], now=now)


async def all_planned_again(session: AsyncSession, several: Sequence[Meeting], *, now: datetime) -> None:
    """Take cancellations back, and have people told who know of them.

    What belonged to the last minute is still seen to: nobody was told that the meeting was off.
    """
    for meeting in several:
        meeting.state, meeting.why = "planned", None
        meeting.turned_at = max(meeting.turned_at, now - UNDO)
    await touch_all(session, several, now=now, tells=True)


async def touch(
    session: AsyncSession, meeting: Meeting, *, now: datetime, tells: bool = False, was: datetime | None = None
) -> None:
    """Write down that a meeting has changed: redraw what shows it, look at its time anew, tell people if asked.

    `was` is when it would have begun, if that has changed.
    """
    await touch_all(session, [meeting], now=now, tells=tells, was=[was] if was else ())


async def touch_all(
    session: AsyncSession,
    several: Sequence[Meeting],
    *,
    now: datetime,
    tells: bool = False,
    was: Sequence[datetime] = (),
) -> None:
    """Write down that some meetings have changed; in as many statements as for one."""
    if not several:
        return
    for meeting in several:
        meeting.rev += 1
    await session.flush()
    subjects = (cards.of_meeting, cards.of_hosts)
    shown = [subject(meeting.meeting_id) for meeting in several for subject in subjects]
    for guild_id in sorted({meeting.guild_id for meeting in several}):
        await cards.mark(session, guild_id, cards.BOARD, *shown, now=now)
        theirs = {meeting.series_id: meeting.group_id for meeting in several if meeting.guild_id == guild_id}
        await mirror(session, guild_id, theirs, now=now)
    await plan_turns(session, several, now=now)
    if tells:
        await _plan_telling(session, several, was, now=now)


async def _plan_telling(
    session: AsyncSession, several: Sequence[Meeting], was: Sequence[datetime] = (), *, now: datetime
) -> None:
    """Have people told of some meetings in a minute; at once if one begins soon, or would have begun soon."""
    awaited = [meeting.starts_at for meeting in several if meeting.state == "planned" or not was]  # what is off is not
    first = min([*was, *awaited])
    told_at = now if first - now < AT_ONCE else now + UNDO
    changed = {meeting.series_id: meeting for meeting in several}
    news = [
        deliveries.Planned(str(series_id), meeting.guild_id, told_at, meeting.group_id, series_id)
        for series_id, meeting in sorted(changed.items())
    ]
    await deliveries.plan_many(session, TELL, news, now=now, priority=Priority.START, again=True)


async def placed(session: AsyncSession, series: Series, was: str, *, now: datetime) -> None:
    """Have people told that a series takes place elsewhere than before (`was`), unless they know of no other place."""
    where, several = place_of(series), await to_come(session, series, now)
    if where == was or not several:
        return
    for meeting in several:
        knows, _at, place = meeting.told.partition(PLACE)
        place = place or was
        meeting.told = knows if place == where else f"{knows}{PLACE}{place}"
    await session.flush()
    await _plan_telling(session, several, now=now)


async def to_come(session: AsyncSession, series: Series, now: datetime) -> Sequence[Meeting]:
    """Return the meetings of a series to which people come, also one that has begun; if all are off, those."""
    ahead = select(Meeting).where(Meeting.series_id == series.series_id, Meeting.ends_at > now, Meeting.state != "over")
    found = (await session.scalars(ahead.order_by(Meeting.starts_at))).all()
    return [meeting for meeting in found if meeting.state == "planned"] or found


def place_of(series: Series) -> str:
    """Return where a series takes place, as `told` and the keys of letters know it: in three letters."""
    return place_code(series.channel_id, series.link)


def place_code(channel_id: int | None, link: str) -> str:
    """Return the letters for a place."""
    return urlsafe_b64encode(blake2b(f"{channel_id} {link}".encode(), digest_size=3).digest()).decode()[:3]


async def plan_turns(session: AsyncSession, several: Sequence[Meeting], *, now: datetime) -> None:
    """Have some meetings looked after now."""
    turns = [
        deliveries.Planned(str(each.meeting_id), each.guild_id, now, each.group_id, each.meeting_id)
        for each in sorted(several, key=lambda each: each.meeting_id)
    ]
    await deliveries.plan_many(session, TURN, turns, now=now, priority=Priority.START, again=True)


def known(meeting: Meeting) -> str:
    """Return how people take a meeting to stand, as `standing` says it, or WAS."""
    return meeting.told.partition(PLACE)[0]


def standing(meeting: Meeting) -> str:
    """Return how a meeting differs from what its series says, in the way in which `told` keeps it."""
    return "cancelled" if meeting.state == "cancelled" else meeting.moved_local or ""


async def end_series(session: AsyncSession, series: Series, *, now: datetime, why: str) -> None:
    """End a series, and cancel the meetings that lie ahead."""
    series.state, series.made_until = "ended", now
    series.version += 1
    await session.flush()
    await all_cancelled(session, await future(session, series, now), why, now=now)


async def end_if_done(session: AsyncSession, series: Series, *, now: datetime) -> None:
    """End a series that has no meeting ahead any more, neither made nor to be made."""
    ahead = exists().where(Meeting.series_id == series.series_id, Meeting.ends_at > now, Meeting.state != "over")
    to_come = occurrences(Rule.parse(series.rule), parse(series.first_local), series.zone, after=now, limit=1)
    if series.state == "active" and not to_come and not await session.scalar(select(ahead)):
        series.state = "ended"
        await session.flush()


async def future(session: AsyncSession, series: Series, now: datetime, *, state: str = "planned") -> list[Meeting]:
    """Return the meetings of a series that lie ahead and are in a state, the soonest first."""
    ahead = select(Meeting).where(
        Meeting.series_id == series.series_id, Meeting.state == state, Meeting.starts_at > now
    )
    return list((await session.scalars(ahead.order_by(Meeting.starts_at))).all())


async def look_at_group(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Step: a group has another name or another room, so whatever shows its meetings is looked at anew."""
    group = await session.get(Group, delivery.group_id, with_for_update=KEEPS_KEY)
    if group is None or group.state != "open":
        return
    ahead = select(Meeting).where(Meeting.group_id == group.group_id, Meeting.ends_at > now, Meeting.state != "over")
    several = (await session.scalars(ahead)).all()
    shown = [cards.of_meeting(meeting.meeting_id) for meeting in several]
    await cards.mark(session, group.guild_id, cards.BOARD, *shown, now=now)
    theirs = {meeting.series_id: meeting.group_id for meeting in several}
    await mirror(session, group.guild_id, theirs, now=now)
    await plan_turns(session, several, now=now)


async def places(session: AsyncSession, guild_ids: Sequence[int]) -> list[tuple[int, int]]:
    """Return the channels, each after its server, in which series of some servers meet."""
    named = (Series.guild_id.in_(guild_ids), Series.channel_id.is_not(None), Series.state == literal_column("'active'"))
    found = await session.execute(select(Series.guild_id, Series.channel_id).where(*named).distinct())
    return [(guild_id, channel_id) for guild_id, channel_id in found if channel_id is not None]


async def place_gone(session: AsyncSession, guild_id: int, channel_id: int, *, now: datetime) -> None:
    """Let series whose channel was deleted meet in their group's room, which is shown and told then."""
    there = (Series.guild_id == guild_id, Series.channel_id == channel_id, Series.state == literal_column("'active'"))
    groups = select(Group.group_id).where(Group.group_id.in_(select(Series.group_id).where(*there)))
    await session.execute(groups.order_by(Group.group_id).with_for_update(key_share=True))
    found = (await session.scalars(select(Series).where(*there).execution_options(populate_existing=True))).all()
    for series in found:
        was, series.channel_id = place_of(series), None
        series.version += 1
        await placed(session, series, was, now=now)
    await session.flush()
    theirs = {series.series_id: series.group_id for series in found}
    ahead = select(Meeting.meeting_id).where(Meeting.series_id.in_(theirs), Meeting.ends_at > now)
    shown = [cards.of_meeting(meeting_id) for meeting_id in await session.scalars(ahead)]
    if shown:
        await cards.mark(session, guild_id, *shown, now=now)
        await mirror(session, guild_id, theirs, now=now)


@cache
def tz_version(zone: str) -> str:
    """Return a digest of the rules of a zone, which changes with them.

    They are the machine's own, or those of the package tzdata, as zoneinfo looks for them.
    """
    found = next((file for folder in TZPATH if (file := Path(folder, zone)).is_file()), None)
    rules = found.read_bytes() if found else files("tzdata").joinpath("zoneinfo", *zone.split("/")).read_bytes()
    return blake2b(rules, digest_size=8).hexdigest()
