"""Making meetings: very many series that all fall due for it at once, in chunks, beside a loop that must not wait."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select

from benchmarks.run import Run
from benchmarks.tables import Table, aimed, median, ms, percentile
from peerbot import schema, series
from peerbot.database import BACKGROUND, Database, connect
from peerbot.models import Group, Guild, Meeting, Series

SERIES, QUICK_SERIES = 50_000, 500
GROUPS = 20
"""Groups of one server."""
EACH = 2
"""Meetings that are made of each series."""
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "UTC")
RULES = ("FREQ=WEEKLY;BYDAY=TU", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TH", "FREQ=MONTHLY;BYDAY=1TU", "FREQ=WEEKLY;BYDAY=SU")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = "2016-03-01T18:30"
"""When the series began: how old they are may not matter."""
TOTAL_AIM, BLOCK_AIM = 10.0, 0.05
TICK = 0.001


async def measure(run: Run) -> list[Table]:
    """Make the next meetings of very many series, and watch how long the loop is held."""
    many = run.size(SERIES, QUICK_SERIES)
    title = f"Making {EACH} meetings of each of {many} series, {series.CHUNK} series in a transaction"
    table = Table(title, ("Database", "all", "kept", "a chunk, p50", "p99", "loop held at most", "kept"))
    for engine in run.databases.engines:
        run.say(f"seeding {many} series ({engine})")
        settings = run.databases.settings(run.databases.fresh(engine))
        schema.bring_up(settings.url)
        db = connect(settings)
        try:
            await _seed(db, many)
            run.say(f"making meetings ({engine})")
            gc.collect()
            gc.freeze()  # as the process does when it has started
            async with _ticking() as held:
                took = await _make_all(db)
            async with db.read() as session:
                made = (await session.scalars(select(func.count()).select_from(Meeting))).one()
        finally:
            await db.close()
        assert made >= many * EACH, f"{made} meetings of {many} series"
        aims = (aimed(sum(took), TOTAL_AIM), aimed(max(held), BLOCK_AIM))
        cells = (f"{sum(took):.1f} s", aims[0], ms(median(took)), ms(percentile(took, 99)), ms(max(held)), aims[1])
        table.add(f"{engine}, {made} meetings", *cells)
    table.notes.append(
        f"Aims: {TOTAL_AIM:.0f} s for all, {ms(BLOCK_AIM)} for the loop. Each meeting has its row in the outbox."
    )
    return [table]


async def _make_all(db: Database) -> list[float]:
    took: list[float] = []
    while True:
        begun = time.perf_counter()
        async with db.begin(wait=BACKGROUND) as session:
            made = await series.materialise(session, now=NOW)
        if not made:
            return took
        took.append(time.perf_counter() - begun)


@asynccontextmanager
async def _ticking() -> AsyncGenerator[list[float]]:
    """Collect by how much a task that wants to run each millisecond is late."""
    held: list[float] = [0.0]

    async def tick() -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(TICK)
            held.append(time.perf_counter() - begun - TICK)

    task = asyncio.create_task(tick())
    yield held
    task.cancel()


async def _seed(db: Database, many: int) -> None:
    """Write servers, groups and series; a fortnight of the series is made already."""
    servers = range(1, many // GROUPS + 1)
    groups = range(1, many + 1)
    async with db.begin(wait=BACKGROUND) as session:
        await session.execute(insert(Guild), [_guild(number) for number in servers])
        await session.execute(insert(Group), [_group(number) for number in groups])
        await session.execute(insert(Series), [_series(number) for number in groups])


def _guild(number: int) -> dict[str, Any]:
    channels = {"facilitator_role_id": 1, "panel_channel_id": 2, "staff_channel_id": 3}
    return {"guild_id": number, "time_zone": "UTC", "locale": "en-US", "created_at": NOW, **channels}


def _group(number: int) -> dict[str, Any]:
    name = f"Group {number}"
    words = {"name": name, "name_key": name.casefold(), "about": "", "topic": "", "meets_by": "voice", "capacity": 12}
    return {"group_id": number, "guild_id": (number - 1) // GROUPS + 1, "created_at": NOW, **words}


def _series(number: int) -> dict[str, Any]:
    zone = ZONES[number % len(ZONES)]
    return {
        "series_id": number, "guild_id": (number - 1) // GROUPS + 1, "group_id": number, "zone": zone,
        "rule": RULES[number % len(RULES)], "first_local": LONG_AGO, "made_until": NOW - timedelta(days=1),
        "tz_version": series.tz_version(zone), "created_at": NOW,
    }  # fmt: skip
