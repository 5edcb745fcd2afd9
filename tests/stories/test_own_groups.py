"""A person's own card: what is true of each seat, and many of them."""

from __future__ import annotations

from sqlalchemy import select

from peerbot import groups
from peerbot.models import Group
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.seen import Seen
from peerbot.rights import Actor, guild_of
from peerbot.setup import agreement_of
from tests.stories.stage import Stage

NAMES = [f"Group {letter}" for letter in "ABCDEFG"]


async def seat(stage: Stage, person: Person, *names: str) -> None:
    """Write down that somebody is in these groups, which is much faster than joining them."""
    assert stage.db is not None
    await stage.groups_without_rooms(*names)
    actor = Actor(guild_id=stage.guild.id, user_id=person.user_id, locale="en-US")
    now = stage.clock.now()
    async with stage.db.begin() as session:
        guild = await guild_of(session, stage.guild.id)
        for group_id in await session.scalars(select(Group.group_id).order_by(Group.name_key)):
            await groups.sign_up(session, actor, group_id, agreed=agreement_of(guild).version, now=now)
    await stage.world.settle()


def named(card: object) -> list[str]:
    """Return the groups that a card names, in order."""
    assert isinstance(card, Seen)
    return [name for name in NAMES if f"**{name}**" in card]


async def test_each_of_seven_groups_can_be_left(stage: Stage) -> None:
    await seat(stage, stage.maya, *NAMES)
    for left in range(7):
        mine = await stage.maya.slash("/my")
        assert named(mine) == NAMES[left:][:5]
        assert ("More" in mine.labels) == (left < 2)
        if left < 2:
            mine = await stage.maya.press(mine, "More")
            assert named(mine) == NAMES[left + 5 :]
            assert "Back" in mine.labels
            mine = await stage.maya.press(mine, "Back")
        sure = await stage.maya.press(mine, "Leave")
        assert f"Leave {NAMES[left]}?" in sure
        assert f"You have left {NAMES[left]}" in await stage.maya.press(sure, "Leave")
    assert "You are in no group right now" in await stage.maya.slash("/my")


async def test_a_card_from_before_never_opens_an_empty_page(stage: Stage) -> None:
    await seat(stage, stage.maya, *NAMES[:6])
    first = await stage.maya.slash("/my")
    last = await stage.maya.press(await stage.maya.slash("/my"), "More")
    assert named(last) == ["Group F"]
    await stage.maya.press(await stage.maya.press(last, "Leave"), "Leave")
    again = await stage.maya.press(first, "More")
    assert named(again) == NAMES[:5]
    assert "Back" not in again.labels
    assert named(await stage.maya.forged(stage.panel_card(), "groups:mine:999")) == NAMES[:5]


async def test_who_rests_sees_the_group_that_they_rest_from(stage: Stage) -> None:
    await seat(stage, stage.maya, *NAMES)
    last = await stage.maya.press(await stage.maya.slash("/my"), "More")
    rested = await stage.maya.press(last, "Pause")
    assert named(rested) == NAMES[5:]
    assert "You are resting" in rested
    back = await stage.maya.press(rested, "I'm back")
    assert named(back) == NAMES[5:]
    assert "You are resting" not in back


async def test_a_room_that_does_not_let_one_in_yet_has_no_link(stage: Stage) -> None:
    await stage.new_group()
    stage.discord.faults.next("PUT", f"/channels/{stage.room()['id']}/permissions/{{}}", status=503)
    await stage.join(stage.maya)
    mine = await stage.maya.slash("/my")
    assert "Your room is not open yet. Your seat is safe." in mine
    assert "Open the room" not in mine.labels
    await stage.later(seconds=5)
    mine = await stage.maya.slash("/my")
    assert "not open yet" not in mine
    assert "Open the room" in mine.labels


async def test_a_closed_group_can_be_left_and_not_rested_from(stage: Stage) -> None:
    await stage.new_group()
    await stage.join(stage.maya)
    await stage.ana.press(await stage.ana.slash("/group close", group="Tuesday meeting"), "Close the group")
    mine = await stage.maya.slash("/my")
    assert "This group has closed. You can still read there for a few days." in mine
    assert [label for label in mine.labels if label in {"Open the room", "Pause", "Leave"}] == [
        "Open the room",
        "Leave",
    ]
    assert "You have left" in await stage.maya.press(await stage.maya.press(mine, "Leave"), "Leave")
    await stage.world.settle()
    assert not stage.maya.can_see(stage.room())


async def test_who_looks_after_groups_finds_them_and_their_people_there(stage: Stage) -> None:
    await stage.new_group()
    await stage.join(stage.maya)
    mine = await stage.ana.slash("/my")
    assert "You are in no group right now" not in mine
    assert "**Tuesday meeting**\nYou look after this group." in mine
    assert [label for label in mine.labels if label in {"Open the room", "People", "Leave"}] == [
        "Open the room",
        "People",
    ]
    assert "Maya" in await stage.ana.press(mine, "People")
    assert "You look after this group." not in await stage.maya.slash("/my")


async def test_who_lost_the_role_still_finds_the_room_that_lets_them_in(stage: Stage) -> None:
    await stage.new_group()
    stage.guild.take_role(stage.ana.user_id, int(stage.facilitators["id"]))
    mine = await stage.ana.slash("/my")
    assert "You look after this group." in mine
    assert "Open the room" in mine.labels
    assert "People" not in mine.labels


async def test_seats_and_groups_that_one_looks_after_share_the_pages(stage: Stage) -> None:
    await seat(stage, stage.ana, *NAMES[:4])
    await stage.new_group("Group F")
    await stage.new_group("Group G")
    first = await stage.ana.slash("/my")
    assert named(first) == ["Group A", "Group B", "Group C", "Group D", "Group F"]
    assert named(await stage.ana.press(first, "More")) == ["Group G"]
