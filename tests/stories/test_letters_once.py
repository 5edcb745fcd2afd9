"""A letter comes once, whatever is lost on the way or changed meanwhile, and a button in it is no more than a claim."""

from __future__ import annotations

from datetime import timedelta

import pytest

from peerbot import deliveries
from peerbot.rehearsal import people
from tests.stories.conftest import NEEDED
from tests.stories.correspondence import (
    by_dm,
    choose,
    first_tried,
    in_threads,
    noon,
    row,
    write,
)
from tests.stories.stage import Stage

__all__ = ["noon"]  # pytest finds fixtures by their names here


@pytest.mark.parametrize("way", ["By DM", "In a private thread"])
@pytest.mark.parametrize("old", [False, True])
async def test_a_letter_whose_answer_was_lost_is_not_sent_twice(noon: Stage, way: str, *, old: bool) -> None:
    await choose(noon.maya, way)
    noon.discord.faults.next("POST", "/channels/{}/messages", drop="after")
    letter = await write(noon, noon.maya)
    if old:
        await first_tried(noon, letter, noon.clock.now() - timedelta(minutes=10))
        await noon.later(minutes=10)
    await noon.later(seconds=10)
    assert len(by_dm(noon.maya)) + len(in_threads(noon, noon.maya)) == 1
    assert (await row(noon, letter)).state == deliveries.DONE


def hold_up_dms(stage: Stage) -> None:
    """Let every request about Maya's direct messages fail from now on."""
    path = f"/channels/{stage.maya.dm(stage.application)['id']}/messages"
    for method in ("POST", "GET"):
        stage.discord.faults.next(method, path, status=503, times=99)


@pytest.mark.parametrize("change", ["closed", "left", "In a private thread", "No messages"])
@pytest.mark.parametrize("minutes", [0, 10])
async def test_a_letter_that_may_have_come_by_direct_message_does_not_come_in_the_thread_as_well(
    noon: Stage, change: str, minutes: int
) -> None:
    await choose(noon.maya, "By DM")
    noon.discord.faults.next("POST", "/channels/{}/messages", drop="after")
    hold_up_dms(noon)
    letter = await write(noon, noon.maya)
    await noon.stop()
    noon.clock.move(timedelta(minutes=minutes))
    if change == "closed":
        noon.maya.closes_dms()
    elif change == "left":
        noon.maya.leaves()
    await noon.start()
    if change not in {"closed", "left"}:
        await choose(noon.maya, change)
    await noon.world.settle()
    assert (await row(noon, letter)).state == deliveries.PENDING
    noon.discord.faults.clear()
    await noon.later(minutes=5)
    assert in_threads(noon, noon.maya) == []
    assert len(by_dm(noon.maya)) == 1
    assert (await row(noon, letter)).state == deliveries.DONE


@pytest.mark.parametrize("change", ["closed", "left", "In a private thread", "No messages"])
async def test_it_does_not_come_in_the_thread_even_if_discord_knows_its_nonce_in_one_channel_only(
    noon: Stage, change: str
) -> None:
    await choose(noon.maya, "By DM")
    noon.discord.faults.next("POST", "/channels/{}/messages", drop="after")
    path = f"/channels/{noon.maya.dm(noon.application)['id']}/messages"
    noon.discord.faults.next("POST", path, status=503, times=99)
    letter = await write(noon, noon.maya)
    noon.world.nonces.clear()
    if change == "closed":
        noon.maya.closes_dms()
    elif change == "left":
        noon.maya.leaves()
    else:
        await choose(noon.maya, change)
    noon.discord.faults.clear()
    await noon.later(seconds=40)
    assert in_threads(noon, noon.maya) == []
    assert len(by_dm(noon.maya)) == 1
    assert (await row(noon, letter)).state == deliveries.DONE


async def test_a_letter_that_did_not_come_by_direct_message_comes_in_the_thread_that_was_chosen_meanwhile(
    noon: Stage,
) -> None:
    await choose(noon.maya, "By DM")
    noon.discord.faults.next("POST", "/channels/{}/messages", drop="before")
    hold_up_dms(noon)
    await write(noon, noon.maya)
    await choose(noon.maya, "In a private thread")
    noon.discord.faults.clear()
    await noon.later(minutes=5)
    assert by_dm(noon.maya) == []
    assert len(in_threads(noon, noon.maya)) == 1


async def test_a_letter_of_which_nobody_knows_is_sought_before_it_goes_another_way(noon: Stage) -> None:
    await choose(noon.maya, "By DM")
    noon.discord.faults.next("POST", "/channels/{}/messages", drop="after")
    hold_up_dms(noon)
    letter = await write(noon, noon.maya)
    await choose(noon.maya, "In a private thread")
    await noon.later(minutes=5)
    assert (await row(noon, letter)).state == deliveries.PENDING, "as long as it cannot be sought, it is not sent"
    assert in_threads(noon, noon.maya) == []


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("drop", ["before", "after"])
async def test_a_thread_whose_making_was_interrupted_is_made_once(noon: Stage, method: str, drop: str) -> None:
    path = f"/channels/{noon.panel['id']}/threads" if method == "POST" else "/channels/{}/thread-members/{}"
    noon.maya.closes_dms()
    noon.discord.faults.next(method, path, drop=drop)  # pyright: ignore[reportArgumentType] - one of the two
    await write(noon, noon.maya)
    await noon.later(seconds=10)
    assert len(noon.guild.threads) == 1
    assert len(in_threads(noon, noon.maya)) == 1


@pytest.mark.parametrize("server", ["1", "899999999999999999", "8999999999999999999", "9" * 19, "9" * 40])
async def test_a_button_of_another_server_finds_nothing(noon: Stage, server: str) -> None:
    await write(noon, noon.maya)
    (letter,) = by_dm(noon.maya)
    for button in (f"reach:choose:{server}.dm", f"reach:messages:{server}", f"reach:zone:{server}"):
        answers = [await noon.maya.forged(letter, button), await noon.maya.forged(noon.panel_card(), button)]
        assert "This server isn't set up yet" in answers[0] or "from an older time" in answers[0]
        assert "from an older time" in answers[1]
    assert len([seen for seen in noon.maya.inbox if not seen.ephemeral]) == 1


async def test_whoever_has_left_writes_themselves_no_letter_from_an_old_one(noon: Stage) -> None:
    await write(noon, noon.sam)
    (letter,) = by_dm(noon.sam)
    noon.sam.leaves()
    await noon.world.settle()
    for way in ("dm", "thread"):
        assert "It did not work" in await noon.sam.forged(letter, f"reach:choose:{noon.guild.id}.{way}")
    assert noon.guild.threads == {}
    stranger = people.join(noon.world, noon.world.guild("Elsewhere", owner="Otto"), "Nora")
    noon.world.guilds[stranger.guild.id if stranger.guild else 0].install(noon.application, NEEDED)
    for way in ("dm", "thread"):
        refused = await stranger.forged(letter, f"reach:choose:{noon.guild.id}.{way}")
        assert "I can't find you there." in refused or "from an older time" in refused
    assert noon.told() == []
