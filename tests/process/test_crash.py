"""Killed at a named point: what was begun is either not there or whole after the next start.

Each test names a point, lets the process die there as in a power cut, starts it again, and looks at Discord and at the
database: who has a seat has access, nobody else has, and what happens once has happened once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from peerbot.rehearsal.faults import Fault, Hold
from tests.process.conftest import Harbour
from tests.process.crashing import (
    DONE,
    LEASED,
    agreement,
    delivery,
    dies_while,
    kill_at_arrival,
    kill_when,
    last_press,
    open_group,
    panels,
    rooms,
    seated,
    start_again,
    welcomes,
)
from tests.process.launcher import KillPoint

MEMBERS_ONE = "AND member_id IN (SELECT member_id FROM memberships)"
SEAT = "SELECT 1 FROM memberships"
GRANT = "SELECT 1 FROM grants"
GRANTED = "AND member_id IN (SELECT member_id FROM grants)"
JOIN = {
    "before the seat is saved": KillPoint("before", SEAT),
    "after the seat is saved, with its grant and its claim": KillPoint(
        "after", delivery("groups.access", LEASED, f"{MEMBERS_ONE} {GRANTED}")
    ),
    "before it is saved that access was given": KillPoint("before", delivery("groups.access", DONE, MEMBERS_ONE)),
    "after it is saved that access was given": KillPoint("after", delivery("groups.access", DONE, MEMBERS_ONE)),
    "before it is saved that the welcome was posted": KillPoint("before", delivery("groups.welcome", DONE)),
    "after it is saved that the welcome was posted": KillPoint("after", delivery("groups.welcome", DONE)),
}

MADE = "SELECT 1 FROM groups WHERE room_id IS NOT NULL"
ROOM = {
    "before the group is saved": KillPoint("before", "SELECT 1 FROM groups"),
    "after the group is saved": KillPoint("after", "SELECT 1 FROM groups"),
    "after the room is claimed": KillPoint("after", delivery("groups.room", LEASED)),
    "before it is saved where the room is": KillPoint("before", MADE),
    "after it is saved where the room is": KillPoint("after", MADE),
    "before it is saved that the room was made": KillPoint("before", delivery("groups.room", DONE)),
    "before the facilitator's grant is written down": KillPoint("before", GRANT),
    "after the facilitator's grant is written down": KillPoint("after", GRANT),
}

PANEL = {
    "before the server is saved": KillPoint("before", "SELECT 1 FROM guilds"),
    "after the server is saved": KillPoint("after", "SELECT 1 FROM guilds"),
    "after the panel is claimed": KillPoint("after", delivery("card.post", LEASED)),
    "before it is saved that the panel was posted": KillPoint("before", delivery("card.post", DONE)),
    "after it is saved that the panel was posted": KillPoint("after", delivery("card.post", DONE)),
}

AGREED = "(SELECT member_id FROM members WHERE agreed IS NOT NULL)"
GONE = "AND NOT EXISTS (SELECT 1 FROM memberships)"
LEFT = f"SELECT 1 FROM members WHERE agreed IS NOT NULL {GONE}"  # noqa: S608
TAKEN = f"{LEFT} AND member_id NOT IN (SELECT member_id FROM grants)"  # noqa: S608
LEAVE = {
    "before it is saved that the seat is free": KillPoint("before", LEFT),
    "after it is saved that the seat is free": KillPoint("after", LEFT),
    "before the grant is struck out": KillPoint("before", TAKEN),
    "after the grant is struck out": KillPoint("after", TAKEN),
    "before it is saved that access was taken": KillPoint(
        "before", delivery("groups.access", DONE, f"AND member_id IN {AGREED} {GONE}")
    ),
}


async def has_a_seat_with_all_that_goes_with_it(harbour: Harbour) -> None:
    maya = harbour.stage.maya
    assert await seated(harbour) == {maya.user_id}
    assert maya.can_see(harbour.stage.room())
    assert not harbour.stage.sam.can_see(harbour.stage.room())
    assert len(welcomes(harbour)) == 1


async def is_no_member(harbour: Harbour) -> None:
    assert await seated(harbour) == set()
    assert not harbour.stage.maya.can_see(harbour.stage.room())
    assert welcomes(harbour) == []


@pytest.mark.both_databases
@pytest.mark.parametrize("point", JOIN)
async def test_a_join_that_was_killed_leaves_a_member_with_access_or_none(harbour: Harbour, point: str) -> None:
    bot = await open_group(harbour, kill_point=JOIN[point])
    await dies_while(harbour, bot, harbour.stage.join(harbour.stage.maya))
    await start_again(harbour)
    if point == "before the seat is saved":
        await is_no_member(harbour)
        await harbour.stage.join(harbour.stage.maya)
        await harbour.settle()
    await has_a_seat_with_all_that_goes_with_it(harbour)


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/channels/{}/permissions/{}"),
        ("POST", "/channels/{}/messages"),
        ("POST", "/interactions/{}/{}/callback"),
    ],
    ids=["access is asked for", "the welcome is to be posted", "the answer is on its way"],
)
async def test_a_join_that_was_killed_while_discord_had_not_yet_acted_is_made_whole(
    harbour: Harbour, method: str, path: str
) -> None:
    bot = await open_group(harbour)
    agreed = await agreement(harbour.stage.maya)
    hold = Hold()
    harbour.stage.discord.faults.waiting.append(Fault(method, path, 1, hold=hold, drop="before"))
    await dies_while(harbour, bot, harbour.stage.maya.press(agreed, "I agree"), kill_at_arrival(harbour, bot, hold))
    hold.release()
    await start_again(harbour)
    await has_a_seat_with_all_that_goes_with_it(harbour)


@pytest.mark.parametrize("moment", ["access was given", "the welcome was posted"])
async def test_a_join_that_was_killed_before_discord_could_say_that_it_acted_is_made_whole(
    harbour: Harbour, moment: str
) -> None:
    bot = await open_group(harbour)
    happened: dict[str, Callable[[], object]] = {
        "access was given": lambda: harbour.stage.maya.can_see(harbour.stage.room()),
        "the welcome was posted": lambda: welcomes(harbour),
    }
    agreed = await agreement(harbour.stage.maya)
    kill_when(harbour, bot, lambda: bool(happened[moment]()))
    await dies_while(harbour, bot, harbour.stage.maya.press(agreed, "I agree"))
    await start_again(harbour)
    await has_a_seat_with_all_that_goes_with_it(harbour)


async def test_a_welcome_of_which_nobody_knows_is_found_in_the_room_when_its_nonce_is_forgotten(
    harbour: Harbour,
) -> None:
    bot = await open_group(harbour)
    agreed = await agreement(harbour.stage.maya)
    kill_when(harbour, bot, lambda: bool(welcomes(harbour)))
    await dies_while(harbour, bot, harbour.stage.maya.press(agreed, "I agree"))
    harbour.stage.clock.move(timedelta(minutes=30))
    await start_again(harbour)
    await has_a_seat_with_all_that_goes_with_it(harbour)


@pytest.mark.parametrize("point", ROOM)
async def test_a_room_whose_making_was_killed_is_made_once(harbour: Harbour, point: str) -> None:
    bot = await harbour.start(kill_point=ROOM[point])
    await harbour.stage.set_up()
    await dies_while(harbour, bot, harbour.stage.new_group())
    await start_again(harbour)
    if point == "before the group is saved":
        assert rooms(harbour) == 0
        await harbour.stage.new_group()
    assert rooms(harbour) == 1
    assert harbour.stage.ana.can_see(harbour.stage.room())
    assert not harbour.stage.maya.can_see(harbour.stage.room())


async def test_a_room_that_was_made_and_never_heard_of_is_taken_and_not_made_again(harbour: Harbour) -> None:
    bot = await harbour.start()
    await harbour.stage.set_up()
    kill_when(harbour, bot, lambda: rooms(harbour) == 1)
    await dies_while(harbour, bot, harbour.stage.new_group())
    await start_again(harbour)
    assert rooms(harbour) == 1
    assert harbour.stage.ana.can_see(harbour.stage.room())


@pytest.mark.parametrize("point", PANEL)
async def test_a_panel_whose_posting_was_killed_stands_there_once(harbour: Harbour, point: str) -> None:
    bot = await harbour.start(kill_point=PANEL[point])
    await dies_while(harbour, bot, harbour.stage.set_up())
    await start_again(harbour)
    if point == "before the server is saved":
        assert panels(harbour) == []
        await harbour.stage.set_up()
    (panel,) = panels(harbour)
    assert await harbour.rows("SELECT message_id FROM cards") == [(panel.message_id,)]


@pytest.mark.parametrize("point", LEAVE)
async def test_a_leave_that_was_killed_leaves_a_member_with_access_or_none(harbour: Harbour, point: str) -> None:
    bot = await open_group(harbour, kill_point=LEAVE[point])
    maya = harbour.stage.maya
    await harbour.stage.join(maya)
    sure = await last_press(maya)
    await dies_while(harbour, bot, maya.press(sure, "Leave"))
    await start_again(harbour)
    still = point == "before it is saved that the seat is free"
    assert await seated(harbour) == ({maya.user_id} if still else set())
    assert maya.can_see(harbour.stage.room()) is still


async def test_a_leave_whose_access_was_taken_and_never_heard_of_is_finished(harbour: Harbour) -> None:
    bot = await open_group(harbour)
    maya = harbour.stage.maya
    await harbour.stage.join(maya)
    sure = await last_press(maya)
    kill_when(harbour, bot, lambda: not maya.can_see(harbour.stage.room()))
    await dies_while(harbour, bot, maya.press(sure, "Leave"))
    await start_again(harbour)
    assert await seated(harbour) == set()
    assert not maya.can_see(harbour.stage.room())
    assert await harbour.rows("SELECT 1 FROM grants WHERE member_id NOT IN (SELECT member_id FROM facilitators)") == []
