"""What a series leaves to the one that takes its place: days that are off, and what was said to the same times.

Invariant: a day that was off is off in the new series too, at whatever time it meets, and so are all days of a break on
which it would meet, but those that somebody put on by hand. Who has answered, hosts, or was seen at the very moment at
which the new one meets as well has not to say it again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from peerbot import deliveries
from peerbot.making import AHEAD
from peerbot.models import Break, Host, Meeting, Response, Series
from peerbot.recurrence import instant
from peerbot.series import all_cancelled, future, known, make, parse

STAYS_OFF = ("skipped", "one")
"""Why a day that is off stays off: not because all has ended."""
SAID_FOR = "meetings.said_for"
"""What remembers for which time of a meeting its hosts have said what they said (hosting.note_time)."""


def came_instead(newer: Any, older: Any = Series) -> ColumnElement[bool]:
    """Return the condition for a series that took the place of another: it was made when that one was ended."""
    return and_(
        newer.group_id == older.group_id,
        newer.series_id > older.series_id,
        newer.created_at == older.made_until,
        older.state == "ended",
    )


async def successor(session: AsyncSession, series: Series) -> Series | None:
    """Return the series that goes on in the place of one that was ended, or None."""
    newer, older = aliased(Series), aliased(Series)
    after: Series | None = series
    while after is not None and after.state == "ended":
        instead = select(newer).join(older, came_instead(newer, older)).where(older.series_id == after.series_id)
        after = await session.scalar(instead.order_by(newer.series_id).limit(1))
    return after if after is not series else None


def day_of(meeting: Meeting) -> date:
    """Return the local day of a meeting."""
    return parse(meeting.moved_local or meeting.original_local).date()


def days_of(meeting: Meeting) -> set[date]:
    """Return the local days of a meeting: where it is, and where its series has it."""
    return {day_of(meeting), parse(meeting.original_local).date()}


def midnight(day: date, zone: str) -> datetime:
    """Return when a local day begins."""
    return instant(datetime.combine(day, time()), zone)


async def breaks_of(session: AsyncSession, series: Series, now: datetime) -> Sequence[Break]:
    """Return the breaks of a series that are not over everywhere on earth."""
    mine = select(Break).where(Break.series_id == series.series_id, Break.last_day >= (now - timedelta(days=1)).date())
    return (await session.scalars(mine.order_by(Break.break_id))).all()


@dataclass(frozen=True)
class DaysOff:
    """Days on which a series is off, and on which the one that takes its place is too: single ones, and breaks.

    Not those days of a break on which there is a meeting all the same, because somebody put it on by hand.
    """

    single: dict[date, Meeting]
    breaks: Sequence[Break]
    put_on: Collection[date]

    @property
    def last(self) -> date | None:
        """The last of them."""
        return max([*self.single, *(each.last_day for each in self.breaks)], default=None)

    def why(self, day: date) -> str | None:
        """Return why a meeting of that day is off; None: it is on."""
        if day in self.single:
            return self.single[day].why or "one"
        if day in self.put_on:
            return None
        return "skipped" if any(each.first_day <= day <= each.last_day for each in self.breaks) else None


async def off_days(session: AsyncSession, series: Series, *, now: datetime) -> DaysOff:
    """Return the days ahead on which a series is off, and would be off in the one that takes its place."""
    off = [each for each in await future(session, series, now, state="cancelled") if each.why in STAYS_OFF]
    single = {day: each for each in off for day in days_of(each)}
    on = {day_of(each) for each in await future(session, series, now)}
    return DaysOff(single, await breaks_of(session, series, now), on)


async def succeed(session: AsyncSession, old: Series, new: Series, off: DaysOff, *, now: datetime) -> list[Meeting]:
    """Let a new series take over from an old one; return what is off in it. Who was told that is told no more."""
    await _take_along(session, old, new)
    await session.execute(
        update(Break).where(Break.break_id.in_([each.break_id for each in off.breaks])).values(series_id=new.series_id),
        execution_options={"synchronize_session": False},
    )
    if off.last is None:
        return []
    until = midnight(off.last + timedelta(days=1), new.zone) + AHEAD
    await make(session, [new], until=until, now=now)
    gone: dict[str, list[Meeting]] = {why: [] for why in STAYS_OFF}
    for meeting in await future(session, new, now):
        before, why = off.single.get(day_of(meeting)), off.why(day_of(meeting))
        if why is not None:
            # Of a day of a break nobody has heard as one on which a meeting takes place.
            meeting.told = "cancelled" if before is None or known(before) == "cancelled" else ""
            gone[why].append(meeting)
    for why, several in gone.items():
        await all_cancelled(session, several, why, now=now)
    return [*gone["skipped"], *gone["one"]]


async def _take_along(session: AsyncSession, old: Series, new: Series) -> None:
    """Let what was said to meetings of an old series hold for those of the new one that begin at the same moment."""
    await session.flush()
    before, after = aliased(Meeting), aliased(Meeting)
    same = (
        before.series_id == old.series_id,
        after.series_id == new.series_id,
        after.starts_at == before.starts_at,
        after.state == "planned",
    )
    pairs = select(before.meeting_id, after.meeting_id, before.here_at).where(*same)
    found = (await session.execute(pairs)).all()
    for table, said in ((Response, (Response.answer, Response.at, Response.starts_at)), (Host, (Host.part, Host.at))):
        rows = select(after.meeting_id, table.member_id, *said).join(before, before.meeting_id == table.meeting_id)
        rows = rows.join(after, literal(True)).where(*same)  # noqa: FBT003
        names = ["meeting_id", "member_id", *(column.key for column in said)]
        await session.execute(insert(table).from_select(names, rows))
    here = {meeting_id: here_at for _before, meeting_id, here_at in found if here_at is not None}
    hosted = select(Host.meeting_id).where(Host.meeting_id.in_([meeting_id for _before, meeting_id, _at in found]))
    hosted_ids = set(await session.scalars(hosted))
    touched = select(Meeting).where(Meeting.meeting_id.in_({*here, *hosted_ids}))
    for meeting in await session.scalars(touched):
        meeting.here_at = here.get(meeting.meeting_id)
        if meeting.meeting_id in hosted_ids:
            await deliveries.plan(
                session, SAID_FOR, str(meeting.meeting_id), guild_id=meeting.guild_id, now=new.created_at,
                due_at=meeting.starts_at, group_id=meeting.group_id, subject_id=meeting.meeting_id,
            )  # fmt: skip
    await session.flush()
