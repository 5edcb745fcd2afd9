"""Kill the bot at a named point, start it again, and look at what there is."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any

from sqlalchemy import select

from peerbot import members
from peerbot.database import BACKGROUND
from peerbot.models import Member, Membership
from peerbot.rehearsal.faults import Hold
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.seen import Seen
from tests.process.conftest import Harbour
from tests.process.programs import PATIENCE, Program

GROUP = "Tuesday meeting"
ROOM = "tuesday-meeting"
KILLED = -signal.SIGKILL
LEASED, DONE = 1, 2


def delivery(kind: str, state: int, where: str = "") -> str:
    """Return the question whether there is a delivery of this kind in this state."""
    return f"SELECT 1 FROM deliveries WHERE kind = '{kind}' AND state = {state} {where}"  # noqa: S608


async def dies_while(harbour: Harbour, bot: Program, *actions: Coroutine[Any, Any, object]) -> None:
    """Let people do something until the bot dies of it; they never get an answer, and give up."""
    acting = [asyncio.create_task(action) for action in actions]
    assert await bot.ends() == KILLED, bot.said
    for task in acting:
        task.cancel()
    await asyncio.gather(*acting, return_exceptions=True)
    for interaction in list(harbour.world.open_interactions):
        harbour.world.interactions.close(interaction)


def kill_when(harbour: Harbour, bot: Program, happened: Callable[[], bool]) -> None:
    """Kill the bot in the moment in which Discord has done something and has not yet said so."""

    def listener(_happening: object) -> None:
        if happened():
            stop()
            bot.tell(signal.SIGKILL)

    stop = harbour.world.listen(listener)


async def kill_at_arrival(harbour: Harbour, bot: Program, hold: Hold) -> None:
    """Kill the bot when a request of it has arrived and nothing was done about it."""
    await harbour.world.until(hold.arrived.is_set, PATIENCE, what="the request that is held")
    bot.tell(signal.SIGKILL)


async def start_again(harbour: Harbour) -> None:
    """Start the bot with nothing but the database, and let it finish what was begun."""
    harbour.stage.discord.faults.clear()
    await harbour.start()
    await harbour.settle()


async def open_group(harbour: Harbour, **how: Any) -> Program:
    """Start the bot, set the server up and create a group with a room."""
    bot = await harbour.start(**how)
    await harbour.stage.set_up()
    await harbour.stage.new_group()
    return bot


async def agreement(person: Person) -> Seen:
    """Bring somebody to the last press before they have a seat."""
    groups = await person.slash("/groups")
    card = await person.press(groups, GROUP)
    asked = await person.press(card, "Join")
    assert isinstance(asked, Seen)
    return asked


async def last_press(person: Person) -> Seen:
    """Bring somebody to the question whether they are sure to leave."""
    mine = await person.slash("/my")
    sure = await person.press(mine, "Leave")
    assert isinstance(sure, Seen)
    return sure


async def seated(harbour: Harbour) -> set[int]:
    """Return the user ids of everyone who has a seat."""
    async with harbour.db.read(wait=BACKGROUND) as session:
        found = await session.scalars(select(Member).join(Membership, Membership.member_id == Member.member_id))
        return {members.user_id(session, member) for member in found}


def rooms(harbour: Harbour) -> int:
    """Return how many rooms the group has."""
    return sum(channel["name"] == ROOM for channel in harbour.stage.guild.channels.values())


def welcomes(harbour: Harbour) -> list[Seen]:
    """Return the greetings in the room."""
    return [seen for seen in harbour.stage.ana.sees(harbour.stage.room()) if "Someone new is here" in seen]


def panels(harbour: Harbour) -> list[Seen]:
    """Return what stands in the panel channel."""
    return harbour.stage.olive.sees(harbour.stage.panel)
