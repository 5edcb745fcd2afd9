"""What went wrong is said truly, and has a way back: stepping back, rooms, channels and roles that are gone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cogs._outbox import what_to_do
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.refusals import Refusal, missing_permissions
from peerbot.rehearsal.seen import Seen, Shown
from peerbot.rehearsal.wire import Wire
from peerbot.staff import CHANNEL_GONE, Trouble
from peerbot.text import Reader
from tests.stories.conftest import NEEDED
from tests.stories.stage import Stage

ALL_WELL = "I have all the permissions that I need."
OUTSIDE = "It stands outside the panel's category, which is full: Discord allows 50."


def messages(channel_id: str) -> str:
    """Return the path to which a channel's messages are posted."""
    return f"/channels/{channel_id}/messages"


@pytest.fixture
async def group(stage: Stage) -> Stage:
    """There is a group, and everything about it has been done."""
    await stage.new_group()
    await stage.later(seconds=6)
    return stage


async def about(stage: Stage, name: str, *, by: Person) -> Shown:
    """Have a facilitator choose a person of the group."""
    people = await stage.people_of(by=by)
    assert isinstance(people, Seen)
    return await by.choose(people, "Choose a person", name)


async def test_who_steps_back_is_told_that_it_is_done(group: Stage) -> None:
    back = await group.ana.press(await about(group, "Ana", by=group.ana), "Take off the list")
    assert "You no longer look after **Tuesday meeting**." in back
    assert "Only facilitators" not in back
    assert "still see the room" not in back
    await group.world.settle()
    assert not group.ana.can_see(group.room())


async def test_who_steps_back_and_still_sees_the_room_is_told_so(group: Stage) -> None:
    path = f"/channels/{group.room()['id']}/permissions/{group.ana.user_id}"
    group.discord.faults.next("DELETE", path, refusal=missing_permissions())
    back = await group.ana.press(await about(group, "Ana", by=group.ana), "Take off the list")
    assert "You may still see the room. I keep trying to close it." in back


async def test_the_owner_who_takes_somebody_off_the_list_sees_who_is_left(group: Stage) -> None:
    seen = await group.olive.press(await about(group, "Ana", by=group.olive), "Take off the list")
    assert "People in Tuesday meeting" in seen


async def test_a_role_of_facilitators_that_was_deleted_is_pointed_out_and_another_one_counts(group: Stage) -> None:
    card = await (await group.olive.slash("/setup")).send({})
    group.guild.remove_role(int(group.facilitators["id"]))
    await group.world.settle()
    checked = await group.olive.press(card, "Check again")
    assert "The role of facilitators is gone. Press *Change* and choose one." in checked
    assert ALL_WELL not in checked
    assert "Next: give" not in checked
    hosts = group.guild.add_role("Hosts", int(Bit.MANAGE_EVENTS))
    form = await group.olive.press(checked, "Change")
    changed = await form.send({"Who facilitates? (role)": hosts})
    assert ALL_WELL in changed
    assert "is gone" not in changed


async def test_a_group_without_a_room_gets_one_from_the_card_of_its_people(group: Stage) -> None:
    await group.join(group.maya)
    assert "Make a new room" not in (await group.people_of()).labels
    group.guild.remove_channel(int(group.room()["id"]))
    await group.world.settle()
    people = await group.people_of()
    assert "This group has no room." in people
    assert "There is a new room." in await group.ana.press(people, "Make a new room")
    await group.world.settle()
    assert group.maya.can_see(group.room())
    assert "Make a new room" not in (await group.people_of()).labels


async def test_facilitators_hear_once_a_day_of_a_group_without_a_room(group: Stage) -> None:
    group.guild.remove_channel(int(group.room()["id"]))
    await group.world.settle()
    assert ["was deleted" in note for note in group.told()] == [True]
    await group.restart()
    await group.world.settle()
    assert len(group.told()) == 1, "they heard of it a moment ago"
    group.clock.move(timedelta(days=1, seconds=1))
    await group.restart()
    await group.world.settle()
    assert "**Tuesday meeting** has no room." in group.told()[-1]
    await group.restart()
    await group.world.settle()
    assert len(group.told()) == 2
    assert "There is a new room." in await group.ana.press(group.told()[-1], "Make a new room")
    group.clock.move(timedelta(days=1, seconds=1))
    await group.restart()
    await group.world.settle()
    assert len(group.told()) == 2


async def test_a_deleted_panel_channel_is_told_at_once_and_once(group: Stage) -> None:
    await group.later(seconds=6)
    group.guild.remove_channel(int(group.guild.add_channel("lounge")["id"]))
    group.guild.remove_channel(int(group.panel["id"]))
    await group.world.settle()
    (note,) = group.told()
    assert "The panel's channel was deleted" in note
    assert note.labels == ["Change"]
    await group.new_group("Quiet hour")
    await group.later(days=1, seconds=1)
    assert len(group.told()) == 1, "a card that cannot be drawn there is no news"
    assert "Only someone with the Manage Server permission" in await group.ana.press(note, "Change")
    plaza = group.guild.add_channel("plaza")
    await (await group.olive.press(note, "Change")).send({"Where should members find groups?": plaza})
    await group.world.settle()
    assert ["Quiet hour" in seen for seen in group.posted(plaza)] == [True]


async def test_somebody_can_be_removed_from_a_closed_group_until_its_room_closes(group: Stage) -> None:
    await group.join(group.maya)
    await group.join(group.sam)
    await group.ana.press(await group.ana.slash("/group close", group="Tuesday meeting"), "Close the group")
    await group.later(days=1)
    assert await group.ana.autocomplete("/group people", group="") == ["Tuesday meeting"]
    assert await group.ana.autocomplete("/group edit", group="") == []
    people = await group.people_of()
    assert "This group has closed." in people
    assert "Add a facilitator" not in people.labels
    form = await group.ana.press(await about(group, "Maya", by=group.ana), "Remove")
    left = await form.send({})
    assert "Removed" in left
    await group.world.settle()
    assert not group.maya.can_see(group.room())
    assert group.sam.can_see(group.room())
    assert "You no longer look after" in await group.ana.press(
        await about(group, "Ana", by=group.ana), "Take off the list"
    )
    await group.later(days=6)
    assert "I can't find that group" in await group.people_of(by=group.olive)
    assert await group.olive.autocomplete("/group people", group="") == []


async def test_an_open_group_is_meant_before_a_closed_one_of_its_name(group: Stage) -> None:
    await group.join(group.maya)
    await group.ana.press(await group.ana.slash("/group close", group="Tuesday meeting"), "Close the group")
    await group.new_group()
    people = await group.people_of()
    assert "0 of 12 seats taken." in people
    assert "has closed" not in people


async def another_staff_channel(stage: Stage) -> Wire:
    """Have the owner choose a new private channel for facilitators; return it."""
    hidden = {"id": str(stage.guild.id), "type": 0, "allow": "0", "deny": str(int(Bit.VIEW_CHANNEL))}
    ours = {"id": str(stage.application.bot_id), "type": 1, "allow": str(int(Bit.VIEW_CHANNEL)), "deny": "0"}
    den = stage.guild.add_channel("den", overwrites=[hidden, ours])
    await (await stage.olive.slash("/setup")).send({"Where do facilitators talk?": den})
    await stage.world.settle()
    return den


@pytest.mark.both_databases
async def test_what_nobody_could_be_told_is_told_in_the_next_staff_channel(group: Stage) -> None:
    await group.new_group("Quiet hour")
    group.guild.remove_channel(int(group.staff["id"]))
    group.guild.remove_channel(int(group.room("quiet-hour")["id"]))
    path = f"/channels/{group.room()['id']}/permissions/{{}}"
    group.discord.faults.next("PUT", path, refusal=missing_permissions(), times=2)
    await group.join(group.maya)
    await group.join(group.sam)
    den = await another_staff_channel(group)
    access, room = sorted(group.posted(den), key=lambda note: note.labels, reverse=True)
    assert "I could not change who can see the room of **Tuesday meeting**." in access
    assert "**Quiet hour** has no room." in room
    assert "Done." in await group.olive.press(access, "Try again")
    assert group.maya.can_see(group.room())
    assert group.sam.can_see(group.room())
    await group.later(seconds=2)
    await (await group.olive.slash("/setup")).send({})
    await group.world.settle()
    assert len(group.posted(den)) == 2, "the same answers again are no news"


async def test_no_reply_speaks_of_a_staff_channel_that_is_gone(stage: Stage) -> None:
    stage.guild.remove_channel(int(stage.staff["id"]))
    stage.allow(Bit(NEEDED) & ~Bit.MANAGE_CHANNELS)
    stage.forbid_in(stage.panel, Bit.SEND_MESSAGES)
    await stage.world.settle()
    created = await stage.new_group()
    posted = await stage.ana.press(created, "Post its card")
    made = await stage.ana.press(await stage.people_of(), "Make a new room")
    for what, seen in (("prepare its room", created), ("post in", posted), ("make a room", made)):
        assert f"I could not {what}" in seen
        assert "the staff channel is gone. /setup can name another one" in seen
        assert "I've written" not in seen
    notes = stage.posted(await another_staff_channel(stage))
    assert ["I could not make a room" in note for note in notes].count(True) == 1
    assert ["has no room" in note for note in notes].count(True) == 0, "one note on one trouble"


async def test_a_room_that_stays_open_after_the_farewell_is_named(group: Stage) -> None:
    await group.join(group.maya)
    await group.ana.press(await group.ana.slash("/group close", group="Tuesday meeting"), "Close the group")
    path = f"/channels/{group.room()['id']}/permissions/{group.maya.user_id}"
    group.discord.faults.next("DELETE", path, refusal=missing_permissions())
    await group.later(days=7, seconds=1)
    (note,) = group.told()
    assert f"*Manage Permissions* in <#{group.room()['id']}> (channel settings)" in note


@pytest.mark.parametrize("what", ["access", "greeting"])
async def test_of_a_room_that_is_gone_the_way_to_a_new_one_is_told(group: Stage, what: str) -> None:
    room = group.room()["id"]
    method, path = ("PUT", f"/channels/{room}/permissions/{{}}") if what == "access" else ("POST", messages(room))
    group.discord.faults.next(method, path, refusal=Refusal(404, 10003, "Unknown Channel"))
    await group.join(group.maya)
    (note,) = group.told()
    assert "The room is gone. /group people shows *Make a new room*." in note
    assert "/setup" not in note


def test_a_place_that_nobody_knows_leaves_no_hole_in_the_sentence() -> None:
    for kind in ("groups.access", "groups.welcome", "desk.post"):
        said = Reader().say(what_to_do(Trouble(1, kind, "forbidden 50013", None, "Tuesday")))
        assert "in that channel (channel settings)" in said.replace("In that", "in that")


def test_of_a_closed_group_whose_room_is_gone_nothing_is_asked() -> None:
    said = Reader().say(what_to_do(Trouble(1, "groups.closed", CHANNEL_GONE, 9, "Tuesday")))
    assert said == "The room is gone, so there is nothing left to do."


async def test_a_room_that_had_to_stand_outside_a_full_category_is_said_to(stage: Stage) -> None:
    category = stage.guild.add_channel("Groups", 4)
    stage.guild.edit_channel(int(stage.panel["id"]), parent_id=category["id"])
    for number in range(48):
        stage.guild.add_channel(f"other-{number}", parent_id=int(category["id"]))
    await stage.world.settle()
    assert OUTSIDE not in await stage.new_group(), "it is the fiftieth"
    assert stage.room()["parent_id"] == category["id"]
    assert OUTSIDE in await stage.new_group("Quiet hour")
    assert stage.room("quiet-hour").get("parent_id") is None
    stage.guild.remove_channel(int(stage.room("quiet-hour")["id"]))
    await stage.world.settle()
    people = await stage.people_of("Quiet hour")
    assert OUTSIDE in await stage.ana.press(people, "Make a new room")
    stage.guild.remove_channel(int(stage.room("quiet-hour")["id"]))
    stage.guild.remove_channel(int(stage.room("other-1")["id"]))
    await stage.world.settle()
    assert OUTSIDE not in await stage.ana.press(await stage.people_of("Quiet hour"), "Make a new room")
