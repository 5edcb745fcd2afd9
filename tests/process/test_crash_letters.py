"""Killed while a member is written to: the letter comes once, by direct message or in the thread, never in both."""

from __future__ import annotations

from datetime import timedelta

import pytest

from peerbot.rehearsal.seen import Seen
from tests.process.conftest import Harbour
from tests.process.crashing import DONE, LEASED, delivery, dies_while, kill_at_arrival, kill_when, start_again
from tests.process.launcher import KillPoint
from tests.process.programs import Program
from tests.stories.correspondence import choose, threads_of

WAYS = {"dm": "By DM", "thread": "In a private thread"}
ADDRESSED = delivery("reach.test", LEASED, "AND channel_id IS NOT NULL")
POINTS = {
    "before the choice is saved": KillPoint("before", "SELECT 1 FROM members WHERE reach IS NOT NULL"),
    "after the choice is saved": KillPoint("after", "SELECT 1 FROM members WHERE reach IS NOT NULL"),
    "after it is claimed": KillPoint("after", delivery("reach.test", LEASED)),
    "before it is saved where it goes": KillPoint("before", ADDRESSED),
    "after it is saved where it goes": KillPoint("after", ADDRESSED),
    "before it is saved that it was sent": KillPoint("before", delivery("reach.test", DONE)),
    "after it is saved that it was sent": KillPoint("after", delivery("reach.test", DONE)),
}
CLOSED = {
    "before it is saved that direct messages are closed": KillPoint(
        "before", "SELECT 1 FROM members WHERE reach_problem = 'dm_closed'"
    ),
    "after it is saved that direct messages are closed": KillPoint(
        "after", "SELECT 1 FROM members WHERE reach_problem = 'dm_closed'"
    ),
    "before it is saved that it goes into the thread": KillPoint(
        "before", "SELECT 1 FROM members WHERE thread_id IS NOT NULL"
    ),
    "after it is saved that it goes into the thread": KillPoint(
        "after", "SELECT 1 FROM members WHERE thread_id IS NOT NULL"
    ),
    "before it is saved that it was sent": POINTS["before it is saved that it was sent"],
}


def letters(harbour: Harbour) -> tuple[list[Seen], list[Seen]]:
    """Return the test messages that Maya sees: by direct message, and in her threads."""
    maya = harbour.stage.maya
    inside = [seen for thread in threads_of(harbour.stage, maya) for seen in maya.sees(thread)]
    return [each for each in maya.inbox if "This is a test" in each], [each for each in inside if "a test" in each]


async def set_up(harbour: Harbour, kill_point: KillPoint | None = None) -> Program:
    """Start the bot in a server that is set up."""
    bot = await harbour.start(kill_point=kill_point)
    await harbour.stage.set_up()
    return bot


@pytest.mark.both_databases
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("point", POINTS)
async def test_a_letter_whose_sending_was_killed_comes_once(harbour: Harbour, way: str, point: str) -> None:
    bot = await set_up(harbour, POINTS[point])
    card = await harbour.stage.maya.press(await harbour.stage.maya.slash("/my"), "Messages")
    await dies_while(harbour, bot, choose(harbour.stage.maya, WAYS[way], from_=card))
    await start_again(harbour)
    by_dm, inside = letters(harbour)
    expected = 0 if point == "before the choice is saved" else 1
    assert (len(by_dm), len(inside)) == ((expected, 0) if way == "dm" else (0, expected))
    assert len(harbour.stage.guild.threads) == (expected if way == "thread" else 0)


@pytest.mark.parametrize("point", CLOSED)
async def test_a_letter_on_its_way_from_closed_direct_messages_into_the_thread_comes_once(
    harbour: Harbour, point: str
) -> None:
    harbour.stage.maya.closes_dms()
    bot = await set_up(harbour, CLOSED[point])
    card = await harbour.stage.maya.press(await harbour.stage.maya.slash("/my"), "Messages")
    await dies_while(harbour, bot, choose(harbour.stage.maya, "By DM", from_=card))
    await start_again(harbour)
    by_dm, inside = letters(harbour)
    assert (len(by_dm), len(inside), len(harbour.stage.guild.threads)) == (0, 1, 1)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("minutes", [0, 5])
async def test_a_letter_that_was_sent_and_never_heard_of_is_not_sent_again(
    harbour: Harbour, way: str, minutes: int
) -> None:
    bot = await set_up(harbour)
    card = await harbour.stage.maya.press(await harbour.stage.maya.slash("/my"), "Messages")
    kill_when(harbour, bot, lambda: any(letters(harbour)))
    await dies_while(harbour, bot, choose(harbour.stage.maya, WAYS[way], from_=card))
    harbour.stage.clock.move(timedelta(minutes=minutes))
    await start_again(harbour)
    by_dm, inside = letters(harbour)
    assert len(by_dm) + len(inside) == 1
    assert await harbour.rows("SELECT 1 FROM deliveries WHERE kind = 'reach.test' AND state != 2") == []


async def test_a_letter_that_was_sent_by_direct_message_and_never_heard_of_does_not_come_in_the_thread(
    harbour: Harbour,
) -> None:
    bot = await set_up(harbour)
    card = await harbour.stage.maya.press(await harbour.stage.maya.slash("/my"), "Messages")
    kill_when(harbour, bot, lambda: any(letters(harbour)))
    await dies_while(harbour, bot, choose(harbour.stage.maya, "By DM", from_=card))
    harbour.stage.maya.closes_dms()
    await start_again(harbour)
    by_dm, inside = letters(harbour)
    assert (len(by_dm), len(inside)) == (1, 0)


async def test_a_thread_that_was_deleted_after_the_kill_is_made_anew_for_the_letter(harbour: Harbour) -> None:
    bot = await set_up(harbour)
    card = await harbour.stage.maya.press(await harbour.stage.maya.slash("/my"), "Messages")
    hold = harbour.stage.discord.faults.hold("PUT", "/channels/{}/thread-members/{}")
    await dies_while(
        harbour,
        bot,
        choose(harbour.stage.maya, "In a private thread", from_=card),
        kill_at_arrival(harbour, bot, hold),
    )
    for thread_id in list(harbour.stage.guild.threads):
        harbour.stage.guild.remove_thread(thread_id)
    hold.release()
    await start_again(harbour)
    by_dm, inside = letters(harbour)
    assert (len(by_dm), len(inside), len(harbour.stage.guild.threads)) == (0, 1, 1)


async def test_a_thread_that_was_made_and_never_heard_of_is_taken_and_not_made_again(harbour: Harbour) -> None:
    bot = await set_up(harbour)
    card = await harbour.stage.maya.press(await harbour.stage.maya.slash("/my"), "Messages")
    kill_when(harbour, bot, lambda: bool(harbour.stage.guild.threads))
    await dies_while(harbour, bot, choose(harbour.stage.maya, "In a private thread", from_=card))
    await start_again(harbour)
    assert len(harbour.stage.guild.threads) == 1
    assert len(letters(harbour)[1]) == 1
