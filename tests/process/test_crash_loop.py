"""Killed again and again, at instants that nobody chose, while people come and go.

After it everyone with a seat has access and nobody else, no group has more people than seats, nothing was posted twice,
and the database names nobody.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress

import pytest
from dumps import dump, traces

from peerbot.database import BACKGROUND
from peerbot.rehearsal import people
from peerbot.rehearsal.people import Person
from tests.process.conftest import Harbour
from tests.process.crashing import GROUP, dies_while, kill_when, seated, welcomes
from tests.process.programs import PATIENCE, Program

KILLS = 7
SEATS = 3
CROWD = 6
MOST_HAPPENINGS = 120
"""Requests, events and messages that there may be before a kill: from the start of the bot to a busy minute."""


@pytest.mark.both_databases
async def test_after_many_kills_at_any_instant_seats_and_access_agree_and_nothing_was_said_twice(
    harbour: Harbour, backend: str
) -> None:
    chance = random.Random(f"{backend} 1")  # noqa: S311 - instants, not secrets
    stage = harbour.stage
    bot = await harbour.start()
    await stage.set_up()
    await stage.new_group(GROUP, Seats=str(SEATS))
    crowd = [people.join(harbour.world, stage.guild, f"Guest {number}") for number in range(CROWD)]
    for _ in range(KILLS):
        kill_after(harbour, bot, chance.randrange(1, MOST_HAPPENINGS))
        await dies_while(harbour, bot, *(comes_and_goes(harbour, person) for person in crowd))
        bot = harbour.launch()
    await bot.says("Ready: 1 servers.")
    await harbour.settle()
    await seats_and_access_agree(harbour, crowd)
    await nothing_was_posted_twice(harbour)
    async with harbour.db.read(wait=BACKGROUND) as session:
        everyone = [person.user_id for person in (*crowd, stage.ana, stage.olive)]
        assert traces(await dump(session), everyone) == []


def kill_after(harbour: Harbour, bot: Program, happenings: int) -> None:
    """Kill the bot when so many things have happened."""
    left = happenings

    def enough() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    kill_when(harbour, bot, enough)


async def comes_and_goes(harbour: Harbour, person: Person) -> None:
    """Join and leave, over and over, for as long as there is an answer; nothing is expected of any one try."""
    while True:
        await harbour.world.until(lambda: harbour.online, PATIENCE)
        with suppress(AssertionError):  # the group is full, or the bot is away
            groups = await person.slash("/groups")
            card = await person.press(groups, GROUP)
            asked = await person.press(card, "Join")
            if "I agree" in asked.labels:
                await person.press(asked, "I agree")
        with suppress(AssertionError):  # there is no seat to leave
            mine = await person.slash("/my")
            sure = await person.press(mine, "Leave")
            await person.press(sure, "Leave")


async def seats_and_access_agree(harbour: Harbour, crowd: Sequence[Person]) -> None:
    with_seat = await seated(harbour)
    with_access = {person.user_id for person in crowd if person.can_see(harbour.stage.room())}
    assert with_seat == with_access
    assert len(with_seat) <= SEATS
    assert harbour.stage.ana.can_see(harbour.stage.room())
    assert not harbour.stage.lee.can_see(harbour.stage.room())


async def nothing_was_posted_twice(harbour: Harbour) -> None:
    marks = [seen.current["components"][0]["components"][0]["id"] for seen in welcomes(harbour)]
    assert len(set(marks)) == len(marks)
    posted = {seen.message_id for seen in welcomes(harbour)}
    rows = await harbour.rows("SELECT message_id FROM deliveries WHERE kind = 'groups.welcome' AND state = 2")
    assert {message_id for (message_id,) in rows} <= posted
    assert len(harbour.stage.olive.sees(harbour.stage.panel)) == 1
