"""What people are told is true, what moderators decided stays, and nobody is handed what is not theirs."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from cogs.groups import _people as people
from peerbot import directory, dispatcher
from peerbot.errors import DatabaseBusy
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.refusals import missing_permissions, unknown
from peerbot.rehearsal.wire import Wire
from tests.stories.stage import Stage

IN_ROOM = int(Bit.VIEW_CHANNEL | Bit.SEND_MESSAGES | Bit.READ_MESSAGE_HISTORY)
PERMISSIONS = "/channels/{}/permissions/{}"


@pytest.fixture
async def group(stage: Stage) -> Stage:
    """There is a group, and everything about it has been done."""
    await stage.new_group()
    await stage.later(seconds=6)
    return stage


def own(channel: Wire, user_id: int) -> Wire | None:
    return next((o for o in channel["permission_overwrites"] if o["id"] == str(user_id)), None)


# Sent or not, and how often.


@pytest.mark.both_databases
async def test_a_greeting_lost_in_an_outage_is_looked_for_before_it_is_sent_again(group: Stage) -> None:
    messages = f"/channels/{group.room()['id']}/messages"
    group.discord.faults.next("POST", messages, drop="after")
    await group.join(group.maya)
    group.discord.faults.next("POST", messages, drop="before", times=3)
    await group.later(seconds=10)
    group.discord.faults.clear()
    group.discord.faults.next("GET", messages, status=503, times=2)
    with group.requests() as made:
        await group.later(minutes=30)
        await group.later(minutes=30)
    assert f"POST {messages}" not in made
    assert [seen.text for seen in group.posted(group.room())].count(group.posted(group.room())[0].text) == 1


async def test_a_request_that_hangs_does_not_overtake_what_came_later(
    group: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = await group.maya.press(await group.maya.slash("/groups"), "Tuesday meeting")
    agreement = await group.maya.press(card, "Join")
    hold = group.discord.faults.hold("PUT", PERMISSIONS)
    with monkeypatch.context() as first_run:
        first_run.setattr(dispatcher, "LONGEST_RUN", timedelta(seconds=0.3))
        assert "You're in" in await group.maya.press(agreement, "I agree")
    assert hold.arrived.is_set()
    hold.release()
    await group.later(seconds=5)
    assert group.maya.can_see(group.room())
    sure = await group.maya.press(await group.maya.slash("/my"), "Leave")
    await group.maya.press(sure, "Leave")
    await group.later(seconds=10)
    assert not group.maya.can_see(group.room())
    assert own(group.room(), group.maya.user_id) is None


# What is said is so.


@pytest.mark.parametrize("way", ["Pause", "new"])
async def test_what_was_saved_is_not_called_unchanged(group: Stage, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    await group.join(group.maya)
    mine = await group.maya.slash("/my")
    form = await group.ana.slash("/group new")

    async def away(*_args: object, **_details: object) -> None:
        raise DatabaseBusy

    monkeypatch.setattr(directory, "seats" if way == "Pause" else "room_of", away)
    if way == "Pause":
        answer = await group.maya.press(mine, "Pause")
    else:
        answer = await form.send({"Name": "Second", "How do you meet?": "Text", "Seats": "3"})
    assert "It is saved" in answer
    assert "Nothing was changed" not in answer


async def test_a_removal_whose_room_does_not_follow_says_so(group: Stage) -> None:
    await group.join(group.maya)
    person = await group.ana.choose(await group.people_of(), "Choose a person", "Maya")
    group.discord.faults.next("DELETE", PERMISSIONS, refusal=missing_permissions(), times=9)
    answer = await (await group.ana.press(person, "Remove")).send({})
    assert "the room has not followed" in answer
    assert group.maya.can_see(group.room())
    group.discord.faults.clear()
    await group.world.settle()
    assert "Done." in await group.ana.press(group.told()[0], "Try again")
    assert not group.maya.can_see(group.room())


async def test_slow_names_are_not_called_people_who_left(group: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await group.join(group.maya)
    monkeypatch.setattr(people, "NAME_WAIT", 0.0)
    card = await group.people_of()
    assert group.maya.mention in card
    assert "left the server" not in card
    assert "name not loaded" in card.choices
    form = await group.ana.press(card, "Add a facilitator")
    assert "Discord does not answer right now" in await form.send({"Who?": group.joe})


async def test_an_old_card_of_a_closed_group_offers_no_seat(group: Stage) -> None:
    groups = await group.maya.slash("/groups")
    await group.join(group.sam)
    sure = await group.ana.slash("/group close", group="Tuesday meeting")
    await group.ana.press(sure, "Close the group")
    card = await group.maya.press(groups, "Tuesday meeting")
    assert "This group has closed" in card
    assert "Join" not in card.labels
    mine = await group.sam.slash("/my")
    assert "This group has closed" in mine
    assert "Pause" not in mine.labels


async def test_check_again_posts_the_panel_that_could_not_be_posted(empty_stage: Stage) -> None:
    stage = empty_stage
    stage.forbid_in(stage.panel, Bit.SEND_MESSAGES)
    await stage.start()
    card = await stage.set_up()
    assert "I still need something from you" in card
    assert stage.posted(stage.panel) == []
    stage.forbid_in(stage.panel, Bit(0))
    await stage.world.settle()
    assert "I have all the permissions that I need" in await stage.olive.press(card, "Check again")
    await stage.world.settle()
    assert len(stage.posted(stage.panel)) == 1


async def test_many_troubles_of_one_kind_are_told_once_and_mended_at_once(group: Stage) -> None:
    group.discord.faults.next("PUT", PERMISSIONS, refusal=missing_permissions(), times=99)
    for person in (group.maya, group.sam, group.lee):
        await group.join(person)
    await group.world.settle()
    (note,) = group.told()
    group.discord.faults.clear()
    assert "Done." in await group.ana.press(note, "Try again")
    assert all(person.can_see(group.room()) for person in (group.maya, group.sam, group.lee))


# More than fits.


async def test_seven_groups_have_pages_and_each_can_be_left(stage: Stage) -> None:
    names = [f"Group {letter}" for letter in "ABCDEFG"]
    await stage.groups_without_rooms(*names)
    for name in names[:6]:
        await stage.join(stage.maya, name)
    last = await stage.maya.press(await stage.maya.press(await stage.maya.slash("/groups"), "More"), names[6])
    await stage.maya.press(last, "Join")
    mine = await stage.maya.slash("/my")
    assert "Group E" in mine
    assert "Group F" not in mine
    more = await stage.maya.press(mine, "More")
    assert "Group G" in more
    assert mine.labels.count("Leave") + more.labels.count("Leave") == 7
    assert "Group A" in await stage.maya.press(more, "Back")


# What is somebody else's.


@pytest.mark.parametrize("denied", [Bit.VIEW_CHANNEL, Bit.SEND_MESSAGES])
async def test_what_a_moderator_denied_somebody_stays_denied(group: Stage, denied: Bit) -> None:
    await group.join(group.maya)
    room_id = int(group.room()["id"])
    group.guild.set_overwrite(room_id, group.maya.user_id, 1, IN_ROOM & ~int(denied), int(denied))
    with group.requests() as made:
        await group.restart()
        await group.world.settle()
    assert [each for each in made if "/permissions/" in each] == [], "a decision is no drift"
    group.maya.leaves()
    group.maya.rejoins()
    await group.world.settle()
    mine = own(group.room(), group.maya.user_id)
    assert mine is not None
    assert int(mine["deny"]) == denied
    assert group.told() == []


async def test_a_room_is_not_recognised_by_what_anybody_can_write(group: Stage) -> None:
    topic = group.room()["topic"]
    public = group.guild.add_channel("public", topic=topic)
    group.guild.remove_channel(int(group.room()["id"]))
    await group.world.settle()
    await group.ana.press(group.told()[0], "Make a new room")
    await group.world.settle()
    assert group.room()["id"] != public["id"]
    assert own(public, group.ana.user_id) is None


async def quiet_hour(stage: Stage) -> int:
    """Create a group whose members get a role; return the role's id."""
    quiet = stage.guild.add_role("Quiet")
    form = await stage.olive.slash("/group new", role=quiet)
    await form.send({"Name": "Quiet hour", "How do you meet?": "Text", "Seats": "3"})
    return int(quiet["id"])


async def test_a_role_that_is_gone_keeps_nobody_out(stage: Stage) -> None:
    role_id = await quiet_hour(stage)
    stage.guild.remove_role(role_id)
    await stage.world.settle()
    await stage.join(stage.maya, "Quiet hour")
    assert stage.maya.can_see(stage.room("quiet-hour"))
    assert stage.told() == []


async def test_a_role_that_goes_as_it_is_given_keeps_nobody_out(stage: Stage) -> None:
    role_id = await quiet_hour(stage)
    await stage.world.settle()
    route = f"/guilds/{stage.guild.id}/members/{stage.maya.user_id}/roles/{role_id}"
    stage.discord.faults.next("PUT", route, refusal=unknown("Role"))
    await stage.join(stage.maya, "Quiet hour")
    await stage.world.settle()
    assert stage.maya.can_see(stage.room("quiet-hour"))
    assert stage.told() == []


async def test_a_role_that_goes_while_the_room_is_being_opened_keeps_nobody_out(stage: Stage) -> None:
    role_id = await quiet_hour(stage)
    await stage.world.settle()
    room = stage.room("quiet-hour")
    held = stage.discord.faults.hold("PUT", PERMISSIONS.format(room["id"], stage.maya.user_id))
    joining = asyncio.create_task(stage.join(stage.maya, "Quiet hour"))
    await held.arrived.wait()
    stage.guild.remove_role(role_id)
    assert stage.bot is not None
    (server,) = stage.bot.guilds
    await stage.world.until(lambda: server.get_role(role_id) is None)
    held.release()
    await joining
    await stage.world.settle()
    assert stage.maya.can_see(room)
    assert stage.told() == []


async def test_a_closed_groups_channel_is_nobody_elses_until_all_are_out(stage: Stage) -> None:
    hidden = {"id": str(stage.guild.id), "type": 0, "allow": "0", "deny": str(int(Bit.VIEW_CHANNEL))}
    ours = {"id": str(stage.application.bot_id), "type": 1, "allow": str(IN_ROOM), "deny": "0"}
    den = stage.guild.add_channel("den", overwrites=[hidden, ours])
    words = {"Name": "First", "How do you meet?": "Text", "Seats": "3"}
    await (await stage.olive.slash("/group new", room=den)).send(words)
    await stage.join(stage.maya, "First")
    await stage.olive.press(await stage.olive.slash("/group close", group="First"), "Close the group")
    again = await stage.olive.slash("/group new", room=den)
    assert "That channel is the room of **First**" in await again.send(words | {"Name": "Second"})
    await stage.later(days=7, seconds=1)
    assert not stage.maya.can_see(den)
    again = await stage.olive.slash("/group new", room=den)
    assert "Second is open" in await again.send(words | {"Name": "Second"})
    await stage.restart()
    await stage.world.settle()
    assert stage.told() == []
    assert not stage.maya.can_see(den)


async def test_a_groups_room_becomes_no_staff_channel(group: Stage) -> None:
    assert "is the room of **Tuesday meeting**" in await group.set_up(**{"Where do facilitators talk?": group.room()})


async def test_who_else_can_read_the_staff_channel_is_said(group: Stage) -> None:
    curious = group.guild.add_role("Curious")
    group.guild.set_overwrite(int(group.staff["id"]), int(curious["id"]), 0, int(Bit.VIEW_CHANNEL), 0)
    await group.world.settle()
    card = await group.set_up()
    assert f"<@&{curious['id']}> can read" in card
    assert "I still need something" not in card, "it may be meant so"
