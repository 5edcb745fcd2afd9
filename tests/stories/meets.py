"""What stories of meetings do and look at: a series of a group, its card in the room, the board."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from peerbot import timetables
from peerbot.models import Group, Meeting, Series
from peerbot.recurrence import Rule
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.seen import Seen
from peerbot.rights import Actor
from tests.stories.stage import Stage

ZONE = ZoneInfo("America/New_York")
NAME = "Tuesday meeting"
AHEAD = timedelta(days=5)


@pytest.fixture
async def meets(stage: Stage) -> Stage:
    """The stage with a group, Maya in it, that meets each week from five days from now on."""
    await stage.new_group()
    await stage.join(stage.maya)
    await schedule(stage)
    return stage


def actor(stage: Stage, person: Person) -> Actor:
    """Return somebody as the rules know them."""
    roles = frozenset(int(role) for role in stage.guild.members[person.user_id]["roles"])
    return Actor(guild_id=stage.guild.id, user_id=person.user_id, role_ids=roles)


def first_of(stage: Stage, *, after: timedelta = AHEAD) -> datetime:
    """Return the wall time of a first meeting, on a whole minute."""
    return (stage.clock.now() + after).astimezone(ZONE).replace(tzinfo=None, second=0, microsecond=0)


async def schedule(
    stage: Stage, name: str = NAME, *, by: Person | None = None, after: timedelta = AHEAD, **changes: Any
) -> Series:
    """Have a facilitator make a weekly series of a group, without the command."""
    first = first_of(stage, after=after)
    usual: dict[str, Any] = {"first": first, "rule": Rule("weekly", weekdays=(first.weekday(),))}
    assert stage.db is not None
    async with stage.db.begin() as session:
        group_id = (await session.scalars(select(Group.group_id).where(Group.name == name))).one()
        plan = timetables.Plan.checked(group_id=group_id, **usual | changes)
        who = Actor(guild_id=stage.guild.id, user_id=(by or stage.ana).user_id, manages=True)
        made = await timetables.create(session, who, plan, now=stage.clock.now())
    await stage.world.settle()
    return made


async def meeting_ids(stage: Stage) -> list[int]:
    """Return the meetings that there are, the soonest first."""
    assert stage.db is not None
    async with stage.db.read() as session:
        return list(await session.scalars(select(Meeting.meeting_id).order_by(Meeting.starts_at)))


async def change(stage: Stage, rule: Callable[..., Awaitable[Any]], meeting_id: int, *what: Any) -> None:
    """Have a facilitator change a meeting by a rule, without the command."""
    assert stage.db is not None
    async with stage.db.begin() as session:
        await rule(session, actor(stage, stage.ana), meeting_id, *what, now=stage.clock.now())
    await stage.world.settle()


def cards(stage: Stage, room: str = "tuesday-meeting", name: str = NAME) -> list[Seen]:
    """Return the cards of meetings in a group's room."""
    return [seen for seen in stage.posted(stage.room(room)) if seen.text.startswith("## ") and name in seen]


def card(stage: Stage) -> Seen:
    """Return the one card of a meeting in the usual room."""
    (found,) = cards(stage)
    return found


def board(stage: Stage) -> Seen:
    """Return the one board in the panel channel."""
    (found,) = [seen for seen in stage.posted(stage.panel) if "## Next meetings" in seen]
    return found
