"""Meetings at the same time: of one group, or of several with the same facilitator.

Whoever makes something new is shown what is at the same time, and decides. Whoever takes something back sees no dates,
so what would come upon another meeting of its group is not done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, or_, select, union
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from peerbot.errors import NotValid
from peerbot.models import Facilitator, Group, Host, Meeting, Member, Series
from peerbot.recurrence import Rule, occurrences
from peerbot.text import _, timestamp

LONGEST = timedelta(hours=8)
"""How long a meeting can be; by when others begin, which has an index, those are found that may still go on."""
LOOKED_AHEAD = timedelta(weeks=8)
"""From its first meeting on, how far a plan is compared with others, whether their meetings are made or not."""
MOST_MEETINGS = 60
"""As many as a daily series has in that time."""
MOST_SERIES = 25
MOST_CLASHES = 3


@dataclass(frozen=True)
class Clash:
    """Another meeting at the same time: of the same group, or of a facilitator of it."""

    group_name: str
    starts_at: datetime
    same_group: bool


async def at_once(
    session: AsyncSession,
    group: Group,
    rule: Rule,
    first: datetime,
    *,
    minutes: int,
    zone: str,
    instead_of: int,
    now: datetime,
) -> list[Clash]:
    """Return the first meeting of each other series, of the group or of a facilitator of it, at the time of a new one.

    They need not be made yet: what a series will have is worked out from its rule. A series counts where it would not
    be replaced (`instead_of`).
    """
    coming = [each.at for each in occurrences(rule, first, zone, after=now, limit=MOST_MEETINGS)]
    coming = [at for at in coming if at < coming[0] + LOOKED_AHEAD]
    if not coming:
        return []
    ours = select(Facilitator.member_id).where(Facilitator.group_id == group.group_id)
    shared = select(Facilitator.group_id).where(Facilitator.member_id.in_(ours))
    others = (
        select(Series, Group.name)
        .join(Group, Group.group_id == Series.group_id)
        .where(Series.guild_id == group.guild_id, Series.state == "active", Group.state == "open")
        .where(or_(Series.group_id == group.group_id, Series.group_id.in_(shared)), Series.series_id != instead_of)
        .order_by(Series.group_id != group.group_id, Series.series_id)
        .limit(MOST_SERIES)
    )
    rows = (await session.execute(others)).all()
    made = await _made(session, [series.series_id for series, _name in rows], now)
    length = timedelta(minutes=minutes)
    found: list[Clash] = []
    for series, name in rows:
        theirs = sorted(_times(series, made.get(series.series_id, []), coming[0] - LONGEST, coming[-1] + LONGEST))
        same = [begins for begins, ends in theirs if any(begins < at + length and ends > at for at in coming)]
        if same:
            found.append(Clash(name, same[0], series.group_id == group.group_id))
    return sorted(found, key=lambda each: (not each.same_group, each.starts_at))[:MOST_CLASHES]


async def _made(session: AsyncSession, series_ids: Sequence[int], now: datetime) -> dict[int, list[Meeting]]:
    """Return the meetings of some series that are made, by series; also those that are off."""
    ahead = select(Meeting).where(Meeting.series_id.in_(series_ids), Meeting.ends_at > now)
    made: dict[int, list[Meeting]] = {}
    for meeting in await session.scalars(ahead):
        made.setdefault(meeting.series_id, []).append(meeting)
    return made


def _times(
    series: Series, made: Sequence[Meeting], first: datetime, last: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """Yield when the meetings of a series begin and end: as they are, or, where they are not made, as its rule says."""
    known = {meeting.original_local for meeting in made}
    yield from ((each.starts_at, each.ends_at) for each in made if each.state == "planned")
    rule, begin = Rule.parse(series.rule), datetime.fromisoformat(series.first_local)
    # Those that are over are made, and not read.
    after = max(first, min([series.made_until, *(meeting.starts_at for meeting in made)]) - LONGEST)
    for each in occurrences(rule, begin, series.zone, after=after, limit=MOST_MEETINGS + 2):
        if each.at > last:
            return
        if each.local.isoformat(timespec="minutes") not in known:
            yield each.at, each.at + timedelta(minutes=series.minutes)


async def hosting_elsewhere(session: AsyncSession, meeting: Meeting) -> set[int]:
    """Return the members who host a meeting of another group while a meeting is: they cannot come to both."""
    said = exists().where(Host.meeting_id == Meeting.meeting_id, Host.member_id == Member.member_id)
    at_once = (
        Meeting.guild_id == meeting.guild_id,
        Meeting.group_id != meeting.group_id,
        Meeting.state == "planned",
        Meeting.starts_at.between(meeting.starts_at - LONGEST, meeting.ends_at),
        Meeting.starts_at < meeting.ends_at,
        Meeting.ends_at > meeting.starts_at,
        Member.away_since.is_(None),
    )
    usual = (
        select(Member.member_id)
        .join(Facilitator, Facilitator.member_id == Member.member_id)
        .join(Meeting, Meeting.group_id == Facilitator.group_id)
        .where(*at_once, ~said, or_(Member.off_duty_until.is_(None), Member.off_duty_until <= Meeting.starts_at))
    )
    covers = (
        select(Member.member_id)
        .join(Host, Host.member_id == Member.member_id)
        .join(Meeting, Meeting.meeting_id == Host.meeting_id)
        .where(*at_once, Host.part == "cover")
    )
    return set(await session.scalars(union(usual, covers)))


async def require_free(session: AsyncSession, several: Sequence[Meeting]) -> None:
    """Raise NotValid when one of these meetings, planned by now, is at the time of another series of its group."""
    if not several:
        return
    await session.flush()
    first, last = min(each.starts_at for each in several), max(each.ends_at for each in several)
    other = aliased(Meeting)
    at_once = (
        select(other.starts_at)
        .join(Meeting, Meeting.group_id == other.group_id)
        .where(
            Meeting.meeting_id.in_([meeting.meeting_id for meeting in several]),
            Meeting.state == "planned",
            other.state == "planned",
            other.series_id != Meeting.series_id,
            other.starts_at.between(first - LONGEST, last),
            other.starts_at < Meeting.ends_at,
            other.ends_at > Meeting.starts_at,
        )
        .order_by(other.starts_at)
        .limit(1)
    )
    found = await session.scalar(at_once)
    if found is not None:
        raise NotValid(
            _(
                "This group has another meeting at that time: {when}. Nothing was changed. "
                "Cancel or move that one first, if you want this one back.",
                when=timestamp(found, "F"),
            )
        )
