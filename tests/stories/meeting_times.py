"""Meetings of a story: made as a facilitator's command makes them, and time that passes up to them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from peerbot import timetables
from peerbot.models import Group, Meeting
from peerbot.recurrence import Rule
from peerbot.rehearsal.people import Person
from peerbot.rights import Actor
from tests.stories.stage import Stage

NEW_YORK = ZoneInfo("America/New_York")


def facilitator(stage: Stage, person: Person | None = None) -> Actor:
    """Return a facilitator as rules know them."""
    return Actor(stage.guild.id, (person or stage.ana).user_id, frozenset({int(stage.facilitators["id"])}))


async def meet(stage: Stage, hour: int = 18, minute: int = 30, *, days: int = 1, many: bool = False) -> list[Meeting]:
    """Have the group meet at an hour of New York some days from now, once or every day; return its meetings."""
    assert stage.db is not None
    now = stage.clock.now()
    day = (now.astimezone(NEW_YORK) + timedelta(days=days)).date()
    first = datetime.combine(day, datetime.min.time()).replace(hour=hour, minute=minute)
    async with stage.db.begin() as session:
        group_id = (await session.scalars(select(Group.group_id))).one()
        rule = Rule("daily") if many else Rule("once")
        plan = timetables.Plan.checked(group_id=group_id, first=first, rule=rule)
        await timetables.create(session, facilitator(stage), plan, now=now)
    await stage.world.settle()
    async with stage.db.read() as session:
        return list(await session.scalars(select(Meeting).order_by(Meeting.starts_at)))


async def change(stage: Stage, rule: Any, *what: Any) -> None:
    """Have a facilitator change a meeting by a rule."""
    assert stage.db is not None
    async with stage.db.begin() as session:
        await rule(session, facilitator(stage), *what, now=stage.clock.now())
    await stage.world.settle()


async def before(stage: Stage, meeting: Meeting, **by: float) -> None:
    """Let time pass until so long before a meeting."""
    await stage.later(seconds=(meeting.starts_at - timedelta(**by) - stage.clock.now()).total_seconds())
