"""Series in any order of events, on a real database: what is ahead is what the rule says, once, and looked after."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from builders import GUILD, PANEL, ROLE, STAFF, facilitator, make_guild, owner, settings_for
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from timetabling import NOW, meetings_of, pending, run_due, tuesdays

from peerbot import breaks, making, meetings, series, setup, timetables
from peerbot.database import Database, connect
from peerbot.errors import PeerbotError
from peerbot.models import Break, Meeting, Series
from peerbot.recurrence import Rule, occurrences
from peerbot.rights import guild_of

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
RULES = (Rule("daily"), Rule("weekly", weekdays=(1,)), Rule("weekly", 2, (1, 4)), Rule("monthly", nth=1, weekday=1))
ZONES = ("Europe/Berlin", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/New_York")
EVENTS = st.tuples(
    st.sampled_from(["skip", "unskip", "move", "cancel", "undo", "extend", "end", "go_on", "zone", "length", "wait"]),
    st.integers(0, 3),
)


async def happen(session: AsyncSession, what: str, number: int, series_id: int, now: datetime) -> None:
    by, own = facilitator(), await meetings_of(session)
    ahead = [each for each in own if each.ends_at > now] or own
    chosen = ahead[number % len(ahead)]
    day = now.date() + timedelta(days=number * 4)
    row = await session.get_one(Series, series_id)
    local = series.parse(chosen.original_local) + timedelta(days=number - 1, hours=2)
    answers: dict[str, Any] = {"facilitator_role_id": ROLE, "panel_channel_id": PANEL, "staff_channel_id": STAFF}
    there = (await session.scalars(select(Break.break_id).order_by(Break.break_id))).all()
    kept = timetables.Plan.checked(
        group_id=row.group_id, first=series.parse(row.first_local), rule=Rule.parse(row.rule), minutes="90"
    )
    events: dict[str, Callable[[], Awaitable[object]]] = {
        "skip": lambda: breaks.skip(session, by, series_id, day, day + timedelta(days=9), now=now),
        "unskip": lambda: breaks.unskip(session, by, there[number % len(there)] if there else 0, now=now),
        "move": lambda: meetings.move(session, by, chosen.meeting_id, local, now=now),
        "cancel": lambda: meetings.cancel(session, by, chosen.meeting_id, now=now),
        "undo": lambda: meetings.undo(session, by, chosen.meeting_id, now=now),
        "extend": lambda: series.look_again(session, GUILD, now=now),
        "end": lambda: timetables.end(session, by, series_id, now=now),
        "go_on": lambda: timetables.go_on(session, by, series_id, now=now),
        "length": lambda: timetables.change(session, by, series_id, kept, now=now),
        "zone": lambda: setup.save(
            session, owner(), time_zone=ZONES[number], locale="en-US", now=now, **answers
        ),
        "wait": lambda: guild_of(session, GUILD),
    }  # fmt: skip
    await events[what]()


async def holds(db: Database, series_id: int, now: datetime) -> None:
    async with db.read() as session:
        row, all_of_it = await session.get_one(Series, series_id), await meetings_of(session)
        turns = {turn.subject_id for turn in await pending(session, series.TURN)}
    locals_ = [each.original_local for each in all_of_it]
    assert len(locals_) == len(set(locals_))
    ahead = [each for each in all_of_it if each.starts_at > now]
    assert all(each.meeting_id in turns for each in ahead if each.state != "over"), "each is looked after"
    if row.state == "active":
        planned: list[Meeting] = [each for each in ahead if each.moved_local is None]
        expected = occurrences(
            Rule.parse(row.rule), series.parse(row.first_local), row.zone, after=now, limit=len(all_of_it) + 20
        )
        at = {each.local.strftime(making.LOCAL): each.at for each in expected}
        assert {each.original_local: each.starts_at for each in planned}.items() <= at.items()
        near = {local for local, moment in at.items() if moment < now + series.AHEAD - series.LOOK}
        assert near <= set(locals_), "none that is near is missing"
    assert all(each.told == series.standing(each) for each in ahead), "people know how things stand"


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(rule=st.sampled_from(RULES), events=st.lists(EVENTS, min_size=3, max_size=8))
def test_whatever_happens_what_is_ahead_is_what_the_series_says(
    sqlite_template: Path, rule: Rule, events: list[tuple[str, int]]
) -> None:
    folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))

    async def play() -> None:
        shutil.copyfile(sqlite_template, folder / "peerbot.db")
        db, now = connect(settings_for(f"sqlite:///{folder / 'peerbot.db'}")), NOW
        try:
            async with db.begin() as session:
                await make_guild(session, now=now)
                made = await tuesdays(session, rule=rule)
            for what, number in events:
                now += timedelta(hours=[1, 7, 30, 100][number] if what == "wait" else 0, minutes=2)
                with suppress(PeerbotError):
                    async with db.begin() as session:
                        await happen(session, what, number, made.series_id, now)
                for _minute in range(2):  # what a step changes is told a minute after it
                    now += series.UNDO
                    await run_due(db, now)
                await holds(db, made.series_id, now)
        finally:
            await db.close()

    try:
        asyncio.run(play())
    finally:
        shutil.rmtree(folder)
