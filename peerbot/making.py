"""Making meetings of series, some time ahead.

A meeting is known by the wall time at which its series puts it, so that making meetings again makes nothing twice.
Making is done for very many series one after another, beside a loop that must not wait: what it asks and writes are few
statements, built once, however many series they are for.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import Executable, Row, Select, bindparam, func, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value

from peerbot import cards, deliveries, many
from peerbot.deliveries import Priority
from peerbot.models import Guild, Meeting, Series
from peerbot.recurrence import Occurrence, Rule, instant, occurrences

AHEAD = timedelta(days=15)
"""How far ahead meetings are made: longer than the earliest card or reminder, and the look of each day."""
AT_LEAST = 2
"""Meetings ahead that there are always, however far away they are, so that "the next one" can be named."""
USUAL = 4
"""As many as a weekly series has in that time."""
LOOK = timedelta(days=1)
"""How often a server's series are looked at."""
FIRST_TURN = timedelta(days=8)
"""How long before a meeting it is looked after for the first time: before the earliest card."""
TURN = "meetings.turn"
"""The step that sees to what belongs to the time of a meeting."""
EVENT = "meetings.event"
"""The effect by which the next meeting of a series stands among Discord's own events."""
LOCAL = "%Y-%m-%dT%H:%M"


async def make(session: AsyncSession, several: Sequence[Series | Row[Any]], *, until: datetime, now: datetime) -> None:
    """Make the meetings of some series up to a moment, at least two, and have each looked after in its time."""
    await session.flush()
    rows: dict[tuple[int, str], dict[str, Any]] = {}
    reached: list[dict[str, Any]] = []
    for series in several:
        if series.made_until < until:
            coming, made_until = _to_make(series, until, now)
            reached.append({"of": series.series_id, "until": made_until})
            rows |= {(series.series_id, row["original_local"]): row for row in _rows(series, coming, now)}
            if isinstance(series, Series):
                set_committed_value(series, "made_until", made_until)
    engine = session.get_bind().dialect.name
    if reached:
        await session.execute(_reaching(engine), many.rows(engine, ("of", "until"), reached))
    if not rows:
        return
    made = await session.execute(_making(engine), many.rows(engine, _NAMES, list(rows.values()), alike=_ALIKE))
    turns = [_first_turn(meeting_id, rows[series_id, local], now) for meeting_id, series_id, local in made]
    await deliveries.plan_many(session, TURN, turns, now=now, priority=Priority.START)
    servers = sorted({row["guild_id"] for row in rows.values()})
    await cards.mark_everywhere(session, servers, cards.BOARD, now=now)
    for guild_id in (await session.scalars(_mirroring(), {"servers": servers})).all():
        theirs = {series.series_id: series.group_id for series in several if series.guild_id == guild_id}
        await mirror(session, guild_id, theirs, now=now)


async def see_ahead(session: AsyncSession, series_ids: Collection[int], *, now: datetime) -> None:
    """Make more meetings of those series of which fewer than two are planned ahead, because others are off."""
    await session.flush()
    ahead = (
        Meeting.series_id == Series.series_id,
        Meeting.state == literal_column("'planned'"),
        Meeting.starts_at > now,
    )
    planned = select(func.count()).where(*ahead).scalar_subquery()
    last = select(func.max(Meeting.original_local)).where(Meeting.series_id == Series.series_id).scalar_subquery()
    few = select(Series, planned, last).where(
        Series.series_id.in_(series_ids), Series.state == literal_column("'active'"), planned < AT_LEAST
    )  # fmt: skip
    for series, there, made in (await session.execute(few)).all():
        after = max(instant(parse(made), series.zone), now) if made else now
        limit = AT_LEAST - there
        coming = occurrences(_rule(series.rule), parse(series.first_local), series.zone, after=after, limit=limit)
        if coming:
            await make(session, [series], until=coming[-1].at, now=now)


async def mirror(session: AsyncSession, guild_id: int, groups: dict[int, int], *, now: datetime) -> None:
    """Have Discord's own events match some series (with the groups that they belong to), where a server wants them."""
    guild = await session.get(Guild, guild_id)
    if guild is None or not guild.native_events:
        return
    events = [
        deliveries.Planned(str(series_id), guild_id, now, group_id, series_id)
        for series_id, group_id in sorted(groups.items())
    ]
    await deliveries.plan_many(session, EVENT, events, now=now, priority=Priority.CARD, again=True)


@cache
def _mirroring() -> Select[int]:
    """Return the query for those of some servers that want Discord's own events."""
    here = Guild.guild_id.in_(bindparam("servers", expanding=True))
    return select(Guild.guild_id).where(here, Guild.native_events.is_(True)).order_by(Guild.guild_id)


@cache
def _making(engine: str) -> Executable:
    """Return the statement that makes meetings; those that are there stay as they are."""
    columns = Meeting.__table__.c
    # In the statement: what the model says would be worked out and sent for each row.
    new = {"state": literal_column("'planned'"), "rev": literal_column("1"), "told": literal_column("''")}
    insert = many.insert(engine, Meeting.__table__, _NAMES, alike=_ALIKE, **new)
    once = insert.on_conflict_do_nothing(index_elements=["series_id", "original_local"])
    return once.returning(columns.meeting_id, columns.series_id, columns.original_local)


@cache
def _reaching(engine: str) -> Executable:
    """Return the statement that notes how far series are made."""
    columns, note = Series.__table__.c, update(Series.metadata.tables["series"])
    if engine == "postgresql":
        given = many.given(of=columns.series_id.type, until=columns.made_until.type)
        these = (many.is_among(engine, columns.series_id, "all_of"), columns.series_id == given.c.of)
        return note.where(*these).values(made_until=given.c.until)
    return note.where(columns.series_id == bindparam("of")).values(made_until=bindparam("until"))


def _to_make(series: Series | Row[Any], until: datetime, now: datetime) -> tuple[list[Occurrence], datetime]:
    """Return what a series has up to a moment and is not made yet, at least two, and how far it is made then."""
    begin = max(series.made_until, now)
    most = max((until - begin).days, 0) + AT_LEAST + 1
    rule, first = _rule(series.rule), parse(series.first_local)
    near = occurrences(rule, first, series.zone, after=begin, limit=USUAL)
    if len(near) == USUAL and near[-1].at <= until:
        near = occurrences(rule, first, series.zone, after=begin, limit=most)
    coming = [each for number, each in enumerate(near) if each.at <= until or number < AT_LEAST]
    made_until = max([until, begin, *(each.at for each in coming)])
    if len(coming) >= AT_LEAST:
        # Looked at again when fewer than two would be ahead; until then nobody need look at it.
        made_until = min(made_until, coming[-AT_LEAST].at + AHEAD - LOOK)
    return coming, made_until


_rule = lru_cache(maxsize=256)(Rule.parse)
"""Very many series have one of few rules."""


_NAMES = ("series_id", "guild_id", "group_id", "original_local", "starts_at", "ends_at", "turned_at")
"""What is given of each new meeting."""
_ALIKE = ("turned_at",)
"""What is the same for all that are made at one moment."""


def _rows(series: Series | Row[Any], coming: Sequence[Occurrence], now: datetime) -> list[dict[str, Any]]:
    lasts = timedelta(minutes=series.minutes)
    return [
        {
            "series_id": series.series_id,
            "guild_id": series.guild_id,
            "group_id": series.group_id,
            "original_local": each.local.isoformat(timespec="minutes"),
            "starts_at": each.at,
            "ends_at": each.at + lasts,
            "turned_at": now,
        }
        for each in coming
    ]


def _first_turn(meeting_id: int, row: dict[str, Any], now: datetime) -> deliveries.Planned:
    due_at = max(row["starts_at"] - FIRST_TURN, now)
    return deliveries.Planned(str(meeting_id), row["guild_id"], due_at, row["group_id"], meeting_id)


def parse(local: str) -> datetime:
    """Return the wall time that a row keeps as text."""
    return datetime.fromisoformat(local)
