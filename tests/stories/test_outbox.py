"""What was promised happens once, over lost connections, late answers and missing permissions."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, literal_column, select

from peerbot.deliveries import DONE
from peerbot.models import Delivery
from peerbot.rehearsal import posting
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.refusals import Refusal, missing_permissions
from peerbot.rehearsal.wire import Wire
from tests.stories.conftest import NEEDED
from tests.stories.stage import Stage

GREETING = "Someone new is here. Welcome!"
ROOM_CLOSED = "Your room is not open yet. I keep trying"


def messages(channel: Wire) -> str:
    """Return the path to which a channel's messages are posted."""
    return f"/channels/{channel['id']}/messages"


def permissions(channel: Wire) -> str:
    """Return the path of a channel's permissions."""
    return f"/channels/{channel['id']}/permissions/{{}}"


@pytest.fixture
async def group(stage: Stage) -> Stage:
    """There is a group, and everything about it has been done."""
    await stage.new_group()
    await stage.later(seconds=6)
    return stage


def greetings(stage: Stage) -> int:
    """Return how often the room was greeted."""
    return sum(GREETING in seen for seen in stage.posted(stage.room()))


async def states(stage: Stage, kind: str) -> list[int]:
    """Return the states of all deliveries of a kind."""
    assert stage.db is not None
    async with stage.db.read() as session:
        return list(await session.scalars(select(Delivery.state).where(Delivery.kind == kind)))


@pytest.mark.both_databases
async def test_a_greeting_whose_answer_was_lost_is_not_sent_twice(group: Stage) -> None:
    group.discord.faults.next("POST", messages(group.room()), drop="after")
    await group.join(group.maya)
    assert greetings(group) == 1
    with group.requests() as made:
        await group.later(seconds=5)
    assert made.count(f"POST {messages(group.room())}") == 1, "it is tried again, with the same nonce"
    assert greetings(group) == 1
    await group.later(minutes=10)
    assert greetings(group) == 1


async def test_a_greeting_is_found_by_its_mark_when_the_nonce_is_too_old(group: Stage) -> None:
    group.discord.faults.next("POST", messages(group.room()), drop="after")
    await group.join(group.maya)
    await group.stop()
    group.clock.move(timedelta(minutes=10))
    with group.requests() as made:
        await group.start()
        await group.later(seconds=1)
    assert f"GET {messages(group.room())}" in made
    assert f"POST {messages(group.room())}" not in made
    assert greetings(group) == 1


async def test_a_greeting_is_found_although_the_machines_clock_is_ahead_of_discords(group: Stage) -> None:
    group.discord.faults.next("POST", messages(group.room()), drop="after")
    await group.join(group.maya)
    assert group.db is not None
    async with group.db.begin() as session:
        for each in await session.scalars(select(Delivery).where(Delivery.kind == "groups.welcome")):
            assert each.first_send_at is not None
            each.first_send_at += timedelta(seconds=20)
    with group.requests() as made:
        await group.later(minutes=10)
    assert f"GET {messages(group.room())}" in made
    assert f"POST {messages(group.room())}" not in made
    assert greetings(group) == 1


async def test_a_greeting_that_never_arrived_is_sent_when_the_nonce_is_too_old(group: Stage) -> None:
    group.discord.faults.next("POST", messages(group.room()), drop="before")
    await group.join(group.maya)
    assert greetings(group) == 0
    await group.stop()
    group.clock.move(timedelta(minutes=10))
    await group.start()
    await group.later(seconds=1)
    assert greetings(group) == 1


async def test_a_greeting_that_a_moderator_deleted_before_it_was_known_is_not_sent_again(group: Stage) -> None:
    group.discord.faults.next("POST", messages(group.room()), drop="after")
    card = await group.maya.press(await group.maya.slash("/groups"), "Tuesday meeting")
    await group.maya.press(await group.maya.press(card, "Join"), "I agree")
    await group.world.until(lambda: greetings(group) == 1)
    (greeting,) = [seen for seen in group.posted(group.room()) if GREETING in seen]
    posting.delete(group.world, group.room(), [greeting.message_id])
    await group.world.settle()
    await group.later(seconds=20)
    assert greetings(group) == 0
    assert await states(group, "groups.welcome") == [DONE]
    assert group.told() == []


async def test_when_discord_has_enough_of_all_requests_they_come_later_and_once(group: Stage) -> None:
    group.discord.rate_limits.overall = 3
    crowd = [group.newcomer(f"Guest {number}") for number in range(6)]
    await asyncio.gather(*(group.join(person) for person in crowd))
    await group.later(seconds=30)
    assert greetings(group) == len(crowd)
    assert all(person.can_see(group.room()) for person in crowd)


async def test_a_card_that_was_edited_too_often_today_is_drawn_later(group: Stage) -> None:
    await group.later(hours=2)
    enough = Refusal(429, 30046, "Maximum number of edits to messages older than 1 hour reached.", retry_after=0.01)
    path = f"{messages(group.panel)}/{group.panel_card().message_id}"
    group.discord.faults.next("PATCH", path, refusal=enough, times=5)  # the library tries five times
    await group.join(group.maya)
    await group.later(seconds=21)
    assert "12 seats free" in group.panel_card()
    await group.later(minutes=5)
    assert "11 seats free" in group.panel_card()
    assert group.told() == []


async def test_a_card_that_looks_the_same_is_not_drawn_again(group: Stage) -> None:
    await group.later(seconds=20)
    with group.requests() as made:
        await group.join(group.maya)
        await group.maya.press(await group.maya.press(await group.maya.slash("/my"), "Leave"), "Leave")
        await group.later(seconds=40)
        await group.later(seconds=40)
        await group.later(seconds=40)
    edits = [request for request in made if request.startswith(f"PATCH {messages(group.panel)}")]
    assert len(edits) == 2, "one for the seat that was taken, one for the seat that was free again"


async def test_a_greeting_comes_late_but_not_too_late(group: Stage) -> None:
    group.discord.faults.next("POST", messages(group.room()), drop="before")
    await group.join(group.maya)
    await group.stop()
    group.clock.move(timedelta(days=1, seconds=1))
    await group.start()
    await group.later(seconds=1)
    assert greetings(group) == 0


async def test_nobody_is_greeted_who_has_left_again(group: Stage) -> None:
    group.discord.faults.next("POST", messages(group.room()), status=503)
    await group.join(group.maya)
    sure = await group.maya.press(await group.maya.slash("/my"), "Leave")
    await group.maya.press(sure, "Leave")
    await group.later(minutes=5)
    assert greetings(group) == 0


@pytest.mark.parametrize(
    "trouble",
    [{"status": 503}, {"status": 429}, {"drop": "before"}, {"drop": "after"}],
    ids=["status 503", "status 429", "dropped before", "dropped after"],
)
@pytest.mark.parametrize("effect", ["room", "access", "greeting", "panel", "taking"])
async def test_whatever_goes_wrong_once_is_right_in_the_end(stage: Stage, effect: str, trouble: Wire) -> None:
    faults = stage.discord.faults
    if effect == "room":
        faults.next("POST", f"/guilds/{stage.guild.id}/channels", **trouble)
    if effect == "panel":
        faults.next("PATCH", f"{messages(stage.panel)}/{{}}", **trouble)
    await stage.new_group()
    await stage.later(seconds=20)
    if effect == "access":
        faults.next("PUT", permissions(stage.room()), **trouble)
    if effect == "greeting":
        faults.next("POST", messages(stage.room()), **trouble)
    await stage.join(stage.maya)
    await stage.join(stage.sam)
    if effect == "taking":
        faults.next("DELETE", permissions(stage.room()), **trouble)
    sure = await stage.sam.press(await stage.sam.slash("/my"), "Leave")
    assert "You have left" in await stage.sam.press(sure, "Leave")
    await stage.later(seconds=20)
    await stage.later(seconds=20)
    assert faults.waiting == []
    assert [who.can_see(stage.room()) for who in (stage.ana, stage.maya, stage.sam)] == [True, True, False]
    assert len([c for c in stage.guild.channels.values() if c["name"] == "tuesday-meeting"]) == 1
    assert greetings(stage) in {1, 2}, "Sam may have left before he was greeted"
    assert "11 seats free" in stage.panel_card()
    assert stage.told() == []


async def test_a_member_whose_room_is_late_reads_so_and_finds_it_later(group: Stage) -> None:
    group.discord.faults.next("PUT", permissions(group.room()), status=503)
    welcome = await group.join(group.maya)
    assert "Your seat is safe" in welcome
    assert ROOM_CLOSED in welcome
    assert "Open the room" not in welcome.labels
    await group.later(seconds=5)
    assert group.maya.can_see(group.room())


async def test_a_retry_waits_and_then_goes_on_with_the_clock(group: Stage) -> None:
    path = permissions(group.room())
    group.discord.faults.next("PUT", path, status=503, times=3)
    put = f"PUT {path.replace('{}', str(group.maya.user_id))}"
    with group.requests() as made:
        await group.join(group.maya)
        assert made.count(put) == 1
        await group.later(seconds=2)
        assert made.count(put) == 2
        await group.later(seconds=2)
        assert made.count(put) == 2, "the second wait is longer"
        await group.later(seconds=2)
        assert made.count(put) == 3
        await group.later(seconds=8)
        assert made.count(put) == 4
    assert group.maya.can_see(group.room())


@pytest.mark.both_databases
async def test_what_fails_for_good_is_told_once_and_can_be_tried_again(group: Stage) -> None:
    path = permissions(group.room())
    group.discord.faults.next("PUT", path, refusal=missing_permissions())
    await group.join(group.maya)
    (note,) = group.told()
    assert "I could not change who can see the room of **Tuesday meeting**." in note
    assert note.labels == ["Try again"]
    await group.later(hours=1)
    assert len(group.told()) == 1
    assert "Done. All of it is as it should be now." in await group.ana.press(note, "Try again")
    assert group.maya.can_see(group.room())
    assert "There is nothing left to do here." in await group.ana.press(note, "Try again")
    assert len(group.told()) == 1


async def test_an_outage_of_many_hours_is_outlasted(group: Stage) -> None:
    group.discord.faults.next("PUT", permissions(group.room()), status=503, times=99)
    await group.join(group.maya)
    for _ in range(12):
        await group.later(hours=1)
    assert not group.maya.can_see(group.room())
    group.discord.faults.clear()
    await group.later(minutes=6)
    assert group.maya.can_see(group.room())
    assert group.told() == []


async def test_only_facilitators_try_again(group: Stage) -> None:
    group.discord.faults.next("PUT", permissions(group.room()), refusal=missing_permissions())
    await group.join(group.maya)
    custom_id = group.told()[0].button("Try again")["custom_id"]
    refused = await group.sam.forged(group.panel_card(), custom_id)
    assert "Only facilitators can do this." in refused
    assert not group.maya.can_see(group.room())


async def test_a_trouble_of_another_server_is_nothing_here(group: Stage) -> None:
    for number in ("1", "999999", "9" * 18):
        assert "There is nothing left to do here." in await group.ana.forged(
            group.panel_card(), f"outbox:again:{number}"
        )


async def test_a_room_that_may_not_be_made_is_told_of_and_made_later(stage: Stage) -> None:
    stage.allow(Bit(NEEDED) & ~Bit.MANAGE_CHANNELS)
    await stage.world.settle()
    created = await stage.new_group()
    assert "I could not prepare its room." in created
    (note,) = stage.told()
    assert "I could not make a room for **Tuesday meeting**" in note
    assert "My role needs more permissions" in note
    stage.allow(Bit(NEEDED))
    await stage.world.settle()
    assert "Done." in await stage.ana.press(note, "Try again")
    await stage.world.settle()
    assert stage.ana.can_see(stage.room())


@pytest.mark.parametrize("way", ["joins", "leaves"])
async def test_access_that_may_not_be_changed_is_told_of_and_changed_later(group: Stage, way: str) -> None:
    if way == "leaves":
        await group.join(group.maya)
    group.allow(Bit(NEEDED) & ~Bit.MANAGE_ROLES)
    await group.world.settle()
    if way == "joins":
        assert ROOM_CLOSED in await group.join(group.maya)
    else:
        sure = await group.maya.press(await group.maya.slash("/my"), "Leave")
        assert "I keep trying to close it" in await group.maya.press(sure, "Leave")
        await group.world.settle()
    (note,) = group.told()
    assert "I could not change who can see the room" in note
    assert "*Manage Roles*" in note
    assert "It still does not work" in await group.ana.press(note, "Try again")
    group.allow(Bit(NEEDED))
    await group.world.settle()
    assert "Done." in await group.ana.press(group.told()[-1], "Try again")
    assert group.maya.can_see(group.room()) == (way == "joins")


async def test_a_role_that_came_to_stand_above_is_told_of_and_given_later(stage: Stage) -> None:
    quiet = stage.guild.add_role("Quiet")
    form = await stage.olive.slash("/group new", role=quiet)
    await form.send({"Name": "Quiet hour"})
    await stage.world.settle()
    stage.guild.move_role(int(quiet["id"]), 99)
    await stage.world.settle()
    await stage.join(stage.maya, "Quiet hour")
    (note,) = stage.told()
    assert "Please move my role above the group's role" in note
    stage.guild.move_role(int(quiet["id"]), 1)
    await stage.world.settle()
    assert "Done." in await stage.ana.press(note, "Try again")
    assert str(quiet["id"]) in stage.guild.members[stage.maya.user_id]["roles"]


async def test_a_role_that_is_not_ours_to_take_does_not_keep_the_room_open(stage: Stage) -> None:
    quiet = stage.guild.add_role("Quiet")
    form = await stage.olive.slash("/group new", role=quiet)
    await form.send({"Name": "Quiet hour"})
    await stage.world.settle()
    await stage.join(stage.maya, "Quiet hour")
    stage.guild.move_role(int(quiet["id"]), 99)
    await stage.world.settle()
    left = await stage.maya.press(await stage.maya.press(await stage.maya.slash("/my"), "Leave"), "Leave")
    assert "You may still see the room" not in left
    await stage.world.settle()
    assert not stage.maya.can_see(stage.room("quiet-hour"))
    (note,) = stage.told()
    assert "Please move my role above the group's role" in note
    stage.guild.move_role(int(quiet["id"]), 1)
    await stage.world.settle()
    assert "Done." in await stage.ana.press(note, "Try again")
    assert str(quiet["id"]) not in stage.guild.members[stage.maya.user_id]["roles"]


async def test_a_server_that_sent_the_bot_away_costs_nothing_any_more(group: Stage) -> None:
    agreement = await group.maya.press(
        await group.maya.press(await group.maya.slash("/groups"), "Tuesday meeting"), "Join"
    )
    hold = group.discord.faults.hold("PUT", "/channels/{}/permissions/{}")
    await group.maya.press(agreement, "I agree")
    group.guild.uninstall(group.application)
    hold.release()
    await group.later(seconds=10)
    await group.later(minutes=10)
    with group.requests() as made:
        await group.later(hours=1)
    assert made == []
    assert group.db is not None
    async with group.db.read() as session:
        waits = select(func.count()).where(Delivery.kind == "groups.access", Delivery.state < literal_column("2"))
        assert await session.scalar(waits) == 0


async def test_a_greeting_that_may_not_be_posted_is_told_of_and_posted_later(group: Stage) -> None:
    group.forbid_in(group.room(), Bit.SEND_MESSAGES)
    await group.world.settle()
    await group.join(group.maya)
    notes = [seen for seen in group.told() if "I could not greet someone new" in seen]
    assert len(notes) == 1
    assert "*View Channel* and *Send Messages*" in notes[0]
    group.forbid_in(group.room(), Bit(0))
    await group.world.settle()
    assert "Done." in await group.ana.press(notes[0], "Try again")
    assert greetings(group) == 1


async def test_a_panel_that_may_not_be_posted_is_told_of_and_posted_later(empty_stage: Stage) -> None:
    stage = empty_stage
    stage.forbid_in(stage.panel, Bit.SEND_MESSAGES)
    await stage.start()
    assert "Send Messages" in await stage.set_up()
    (note,) = stage.told()
    assert "I could not post the card that shows your groups." in note
    stage.forbid_in(stage.panel, Bit(0))
    await stage.world.settle()
    assert "Done." in await stage.ana.press(note, "Try again")
    await stage.world.settle()
    assert stage.panel_card()


async def test_a_panel_that_may_not_be_drawn_is_told_of_and_drawn_later(group: Stage) -> None:
    await group.later(seconds=6)
    group.forbid_in(group.panel, Bit.VIEW_CHANNEL)
    await group.world.settle()
    await group.new_group("Quiet hour")
    (note,) = group.told()
    assert "I could not update the card" in note
    group.forbid_in(group.panel, Bit(0))
    await group.world.settle()
    assert "Done." in await group.ana.press(note, "Try again")
    assert "Quiet hour" in group.panel_card()


async def test_a_panel_channel_that_is_gone_is_told_of(group: Stage) -> None:
    await group.later(seconds=6)
    group.guild.remove_channel(int(group.panel["id"]))
    await group.world.settle()
    await group.new_group("Quiet hour")
    (note,) = group.told()
    assert "The panel's channel was deleted" in note
    plaza = group.guild.add_channel("plaza")
    await (await group.olive.slash("/setup")).send({"Where should members find groups?": plaza})
    await group.world.settle()
    assert ["Quiet hour" in seen for seen in group.posted(plaza)] == [True]


async def test_a_staff_channel_that_is_gone_stops_nothing(group: Stage) -> None:
    group.guild.remove_channel(int(group.staff["id"]))
    group.discord.faults.next("PUT", permissions(group.room()), refusal=missing_permissions())
    await group.world.settle()
    assert ROOM_CLOSED in await group.join(group.maya)
    assert "You're in" in await group.join(group.sam)
    assert group.sam.can_see(group.room())
    await group.later(hours=1)
    assert greetings(group) == 2
