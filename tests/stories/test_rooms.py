"""Whose a room is, over hangs, restored databases, roles that cannot be given, and moderators' decisions."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from peerbot import access, dispatcher
from peerbot.models import Grant, Group
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.refusals import missing_permissions
from peerbot.rehearsal.seen import Seen
from peerbot.rehearsal.wire import Wire
from tests.stories.stage import Stage

IN_ROOM = Bit.VIEW_CHANNEL | Bit.SEND_MESSAGES | Bit.READ_MESSAGE_HISTORY


@pytest.fixture
async def group(stage: Stage) -> Stage:
    """There is a group, and everything about it has been done."""
    await stage.new_group()
    await stage.later(seconds=6)
    return stage


def own(channel: Wire, person: Person) -> tuple[Bit, Bit] | None:
    """Return what a channel allows and denies somebody by a permission of their own, if it has one."""
    found = [each for each in channel["permission_overwrites"] if each["id"] == str(person.user_id)]
    return (Bit(int(found[0]["allow"])), Bit(int(found[0]["deny"]))) if found else None


async def recorded(stage: Stage) -> int:
    """Return how many grants are written down."""
    assert stage.db is not None
    async with stage.db.read() as session:
        return len((await session.scalars(select(Grant))).all())


@pytest.mark.both_databases
async def test_who_leaves_while_the_way_in_hangs_is_out_in_the_end(
    group: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "LONGEST_RUN", timedelta(seconds=0.7))
    path = f"/channels/{group.room()['id']}/permissions/{group.maya.user_id}"
    card = await group.maya.press(await group.maya.slash("/groups"), "Tuesday meeting")
    agreement = await group.maya.press(card, "Join")
    assert isinstance(agreement, Seen)
    group_id = agreement.button("I agree")["custom_id"].split(":")[2].split(".")[0]
    hold = group.discord.faults.hold("PUT", path)
    with group.requests() as made:
        joining = asyncio.create_task(group.maya.press(agreement, "I agree"))
        await hold.arrived.wait()
        assert await recorded(group) == 2, "it is written down before it is given"
        left = await group.maya.forged(group.panel_card(), f"groups:leave-sure:{group_id}")
        assert "You may still see the room" in left
        await joining
        assert f"DELETE {path}" not in made, "nothing is taken while the way in may still be given"
        hold.release()
        await group.later(seconds=10)
    assert made.count(f"DELETE {path}") == 1
    assert not group.maya.can_see(group.room())
    assert own(group.room(), group.maya) is None
    assert await recorded(group) == 1, "only Ana's"


async def test_a_room_of_before_is_not_taken_by_a_group_of_a_restored_database(group: Stage) -> None:
    await group.join(group.maya)
    old = group.room()
    assert group.db is not None
    async with group.db.begin() as session:
        (written,) = (await session.scalars(select(Group))).all()
        written.created_at -= timedelta(days=30)
        written.room_id = None
    button = f"groups:new-room:{written.group_id}"
    assert "There is a new room" in await group.ana.forged(group.panel_card(), button)
    await group.world.settle()
    rooms = [each for each in group.guild.channels.values() if each["name"] == old["name"]]
    assert len(rooms) == 2
    async with group.db.read() as session:
        assert (await session.get_one(Group, written.group_id)).room_id == int(rooms[1]["id"])
    assert group.maya.can_see(rooms[1])


@pytest.mark.parametrize("denied", [Bit.VIEW_CHANNEL, Bit.SEND_MESSAGES])
async def test_what_was_denied_before_somebody_joined_stays_denied(group: Stage, denied: Bit) -> None:
    group.guild.set_overwrite(int(group.room()["id"]), group.maya.user_id, 1, 0, int(denied))
    await group.world.settle()
    await group.join(group.maya)
    assert own(group.room(), group.maya) == (IN_ROOM & ~denied, denied)
    sure = await group.maya.press(await group.maya.slash("/my"), "Leave")
    await group.maya.press(sure, "Leave")
    await group.world.settle()
    assert own(group.room(), group.maya) == (Bit(0), denied), "what was not given is not taken"


async def test_a_role_that_cannot_be_given_keeps_nobody_out_of_the_room(stage: Stage) -> None:
    quiet = stage.guild.add_role("Quiet")
    form = await stage.olive.slash("/group new", role=quiet)
    await form.send({"Name": "Quiet hour"})
    stage.guild.move_role(int(quiet["id"]), 99)
    await stage.world.settle()
    assert "Open the room" in (await stage.join(stage.maya, "Quiet hour")).labels
    assert stage.maya.can_see(stage.room("quiet-hour"))
    assert "Open the room" in (await stage.maya.slash("/my")).labels
    assert str(quiet["id"]) not in stage.guild.members[stage.maya.user_id]["roles"]
    assert len(stage.told()) == 1


async def test_a_role_that_is_moved_up_as_it_is_given_or_taken_is_one_trouble_and_the_room_follows(
    stage: Stage,
) -> None:
    quiet = stage.guild.add_role("Quiet")
    await (await stage.olive.slash("/group new", role=quiet)).send({"Name": "Quiet hour"})
    await stage.world.settle()
    route = f"/guilds/{stage.guild.id}/members/{stage.maya.user_id}/roles/{quiet['id']}"
    stage.discord.faults.next("PUT", route, refusal=missing_permissions())
    assert "Open the room" in (await stage.join(stage.maya, "Quiet hour")).labels
    assert stage.maya.can_see(stage.room("quiet-hour"))
    (note,) = stage.told()
    assert "Please move my role above the group's role" in note
    assert "Done." in await stage.ana.press(note, "Try again")
    stage.discord.faults.next("DELETE", route, refusal=missing_permissions())
    sure = await stage.maya.press(await stage.maya.slash("/my"), "Leave")
    assert "You may still see" not in await stage.maya.press(sure, "Leave")
    assert not stage.maya.can_see(stage.room("quiet-hour"))
    assert len(stage.told()) == 1, "one trouble a day"


async def test_a_channel_is_nobody_elses_while_somebody_is_still_let_in(stage: Stage) -> None:
    hidden = {"id": str(stage.guild.id), "type": 0, "allow": "0", "deny": str(int(Bit.VIEW_CHANNEL))}
    ours = {"id": str(stage.application.bot_id), "type": 1, "allow": str(int(IN_ROOM)), "deny": "0"}
    den = stage.guild.add_channel("den", overwrites=[hidden, ours])
    await (await stage.olive.slash("/group new", room=den)).send({"Name": "First"})
    await stage.join(stage.maya, "First")
    await stage.olive.press(await stage.olive.slash("/group close", group="First"), "Close the group")
    taking = f"/channels/{den['id']}/permissions/{stage.maya.user_id}"
    stage.discord.faults.next("DELETE", taking, refusal=missing_permissions())
    await stage.later(days=7, seconds=1)
    assert stage.maya.can_see(den)
    form = await stage.olive.slash("/group new", room=den)
    assert "That channel is the room of **First**" in await form.send({"Name": "Second"})
    (note,) = stage.told()
    assert "Done." in await stage.ana.press(note, "Try again")
    assert not stage.maya.can_see(den)
    form = await stage.olive.slash("/group new", room=den)
    assert "Second is open" in await form.send({"Name": "Second"})


async def test_nobody_looks_after_a_room_whose_farewell_is_over(group: Stage) -> None:
    await group.join(group.maya)
    sure = await group.ana.slash("/group close", group="Tuesday meeting")
    await group.ana.press(sure, "Close the group")
    await group.later(days=7, seconds=1)
    assert group.db is not None
    async with group.db.read() as session:
        assert await access.rooms(session, group.guild.id, now=group.clock.now()) == []
        assert (await session.scalars(select(Group.room_id))).all() == [None]
    assert await recorded(group) == 0
    group.guild.set_overwrite(int(group.room()["id"]), group.maya.user_id, 1, int(IN_ROOM), 0)
    with group.requests() as made:
        await group.restart()
        await group.world.settle()
    assert [each for each in made if "/channels/" in each] == []
    assert group.told() == []
