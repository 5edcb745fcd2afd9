"""People and rooms that go away and come back, while peerbot watches and while it does not."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import departures, members
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.permissions import Bit
from tests.stories.hellos import asks, task_card
from tests.stories.stage import Stage

WELCOME = "You're in. Glad you are here."
WEEK = timedelta(days=7)
IN_ROOM = int(Bit.VIEW_CHANNEL | Bit.SEND_MESSAGES | Bit.READ_MESSAGE_HISTORY)


@pytest.fixture
async def joined(stage: Stage) -> Stage:
    """Maya has the only seat of a group."""
    await stage.new_group("Tuesday meeting", Seats="1")
    await stage.join(stage.maya)
    await stage.later(seconds=6)
    return stage


def shut_out(stage: Stage, person: Person) -> None:
    """Take somebody's permission on the room by hand."""
    stage.guild.remove_overwrite(int(stage.room()["id"]), person.user_id)


def let_in(stage: Stage, person: Person) -> None:
    """Let somebody into the room by hand."""
    stage.guild.set_overwrite(int(stage.room()["id"]), person.user_id, 1, IN_ROOM, 0)


async def test_who_leaves_the_server_keeps_the_seat_for_seven_days(joined: Stage) -> None:
    joined.maya.leaves()
    await joined.later(days=6, hours=23)
    card = await joined.sam.press(await joined.sam.slash("/groups"), "Tuesday meeting")
    assert "1 of 1 seats taken. Full right now." in card
    joined.maya.rejoins()
    await joined.world.settle()
    assert joined.maya.can_see(joined.room())
    assert "Tuesday meeting" in await joined.maya.slash("/my")
    await joined.later(days=2)
    assert joined.maya.can_see(joined.room())


@pytest.mark.both_databases
async def test_after_seven_days_the_seat_is_somebody_elses(joined: Stage) -> None:
    joined.maya.leaves()
    await joined.world.settle()
    await joined.later(days=7, seconds=1)
    assert WELCOME in await joined.join(joined.sam)
    joined.maya.rejoins()
    await joined.world.settle()
    assert not joined.maya.can_see(joined.room())
    assert "You are in no group right now" in await joined.maya.slash("/my")


async def test_who_comes_back_gets_the_room_and_the_role_again(stage: Stage) -> None:
    quiet = stage.guild.add_role("Quiet")
    form = await stage.olive.slash("/group new", role=quiet)
    await form.send({"Name": "Quiet hour"})
    await stage.join(stage.maya, "Quiet hour")
    stage.maya.leaves()
    await stage.world.settle()
    shut_out_of = stage.room("quiet-hour")
    stage.guild.remove_overwrite(int(shut_out_of["id"]), stage.maya.user_id)
    stage.maya.rejoins()
    await stage.world.settle()
    assert stage.maya.can_see(shut_out_of)
    assert str(quiet["id"]) in stage.guild.members[stage.maya.user_id]["roles"]


async def test_a_facilitator_who_leaves_and_returns_still_looks_after_the_group(joined: Stage) -> None:
    joined.ana.leaves()
    await joined.later(days=2)
    joined.ana.rejoins()
    joined.guild.give_role(joined.ana.user_id, int(joined.facilitators["id"]))
    await joined.world.settle()
    assert joined.ana.can_see(joined.room())
    assert "Maya" in await joined.people_of()


async def test_somebody_who_is_away_is_shown_as_such_and_named_nowhere(joined: Stage) -> None:
    joined.maya.leaves()
    await joined.world.settle()
    roster = await joined.people_of()
    assert "someone who left the server" in roster
    assert "Maya" not in roster


async def test_somebody_who_left_is_no_stranger_in_the_room(joined: Stage) -> None:
    joined.maya.leaves()
    await joined.world.settle()
    await joined.restart()
    await joined.world.settle()
    assert joined.told() == []


async def test_who_left_while_peerbot_was_away_keeps_the_seat_from_then_on(joined: Stage) -> None:
    await joined.stop()
    joined.maya.leaves()
    joined.clock.move(WEEK)
    await joined.start()
    await joined.world.settle()
    await joined.later(days=6)
    joined.maya.rejoins()
    await joined.world.settle()
    assert "Tuesday meeting" in await joined.maya.slash("/my")
    joined.maya.leaves()
    await joined.world.settle()
    await joined.later(days=7, seconds=1)
    assert WELCOME in await joined.join(joined.sam)


async def test_who_returned_while_peerbot_was_away_is_back(joined: Stage) -> None:
    joined.maya.leaves()
    await joined.world.settle()
    await joined.stop()
    shut_out(joined, joined.maya)
    joined.maya.rejoins()
    await joined.start()
    await joined.world.settle()
    assert joined.maya.can_see(joined.room())
    await joined.later(days=8)
    assert joined.maya.can_see(joined.room())


async def test_who_returned_in_time_is_back_however_late_peerbot_is(joined: Stage) -> None:
    joined.maya.leaves()
    await joined.world.settle()
    await joined.stop()
    joined.maya.rejoins()
    joined.clock.move(2 * WEEK)
    await joined.start()
    await joined.world.settle()
    assert "Tuesday meeting" in await joined.maya.slash("/my")


async def test_who_came_back_unseen_is_asked_for_before_the_seat_lapses(joined: Stage) -> None:
    member = joined.guild.members[joined.maya.user_id]
    joined.maya.leaves()
    await joined.world.settle()
    joined.guild.members[joined.maya.user_id] = member  # without the event that would tell of it
    await joined.later(days=7, seconds=1)
    assert "Tuesday meeting" in await joined.maya.slash("/my")
    assert joined.maya.can_see(joined.room())


async def test_who_came_back_unseen_and_joins_another_group_has_both(joined: Stage) -> None:
    await joined.new_group("Owls")
    member = joined.guild.members[joined.maya.user_id]
    joined.maya.leaves()
    await joined.world.settle()
    shut_out(joined, joined.maya)
    joined.guild.members[joined.maya.user_id] = member  # without the event that would tell of it
    card = await joined.maya.press(await joined.maya.slash("/groups"), "Owls")
    assert WELCOME in await joined.maya.press(card, "Join")
    await joined.world.settle()
    mine = await joined.maya.slash("/my")
    assert "Owls" in mine
    assert "Tuesday meeting" in mine
    assert joined.maya.can_see(joined.room())
    assert joined.maya.can_see(joined.room("owls"))


@pytest.mark.parametrize(("leaves", "is_in"), [(1, True), (5, False)], ids=["once more", "each time"])
async def test_who_is_noted_as_gone_again_while_they_join_gets_the_seat_or_a_sentence(
    joined: Stage, monkeypatch: pytest.MonkeyPatch, leaves: int, *, is_in: bool
) -> None:
    await joined.new_group("Owls")
    assert joined.db is not None
    back, left = departures.come_back, 0

    async def come_back(session: AsyncSession, guild_id: int, user_id: int, *, now: datetime) -> None:
        nonlocal left
        await back(session, guild_id, user_id, now=now)
        left += 1
        if left <= leaves:
            await departures.leave(session, guild_id, user_id, now=now)

    async with joined.db.begin() as session:  # as if nobody had been there to see them come back
        await departures.leave(session, joined.guild.id, joined.maya.user_id, now=joined.clock.now())
    card = await joined.maya.press(await joined.maya.slash("/groups"), "Owls")
    monkeypatch.setattr(departures, "come_back", come_back)
    seen = await joined.maya.press(card, "Join")  # she has agreed before
    assert (WELCOME if is_in else "You are not in that server right now.") in seen
    assert left == 2, "and no more often than that"
    await joined.world.settle()
    assert joined.maya.can_see(joined.room("owls")) is is_in


async def test_who_left_and_returned_while_peerbot_was_away_gets_the_role_again(stage: Stage) -> None:
    quiet = stage.guild.add_role("Quiet")
    form = await stage.olive.slash("/group new", role=quiet)
    await form.send({"Name": "Quiet hour"})
    await stage.join(stage.maya, "Quiet hour")
    await stage.stop()
    stage.maya.leaves()
    stage.maya.rejoins()
    await stage.start()
    await stage.world.settle()
    assert str(quiet["id"]) in stage.guild.members[stage.maya.user_id]["roles"]


async def test_a_start_asks_nothing_of_discord_when_nothing_drifted(joined: Stage) -> None:
    await joined.stop()
    with joined.requests() as made:
        await joined.start()
        await joined.world.settle()
    assert [each for each in made if "/channels/" in each or "/guilds/" in each or "/members" in each] == []
    assert joined.maya.can_see(joined.room())


@pytest.mark.both_databases
async def test_a_start_gives_what_is_missing_and_nothing_else(joined: Stage) -> None:
    await joined.stop()
    shut_out(joined, joined.maya)
    with joined.requests() as made:
        await joined.start()
        await joined.world.settle()
    assert joined.maya.can_see(joined.room())
    written = [each for each in made if not each.startswith("GET")]
    assert written == [f"PUT /channels/{joined.room()['id']}/permissions/{joined.maya.user_id}"]


async def test_a_start_takes_only_what_peerbot_gave(joined: Stage) -> None:
    sure = await joined.maya.press(await joined.maya.slash("/my"), "Leave")
    joined.discord.faults.next("DELETE", "/channels/{}/permissions/{}", drop="before")
    await joined.maya.press(sure, "Leave")
    await joined.stop()
    let_in(joined, joined.lee)
    await joined.start()
    await joined.later(seconds=10)
    assert not joined.maya.can_see(joined.room())
    assert joined.lee.can_see(joined.room())


async def test_facilitators_are_told_of_strangers_once_a_day(joined: Stage) -> None:
    let_in(joined, joined.lee)
    for _ in range(2):
        await joined.restart()
        await joined.world.settle()
    (note,) = joined.told()
    assert "lets in someone who has no seat" in note
    assert "Tuesday meeting" in note
    assert joined.lee.mention not in note, "every facilitator reads the staff channel"
    assert joined.lee.can_see(joined.room())
    people = await joined.ana.press(note, "People")
    assert "In the room without a seat" in people
    assert "Lee" in people
    assert "Only facilitators" in await joined.joe.press(note, "People")
    assert joined.world.pings == []


async def test_a_stranger_who_left_the_server_is_a_stranger_no_more(joined: Stage) -> None:
    let_in(joined, joined.lee)
    await joined.world.settle()
    assert "Lee" in await joined.people_of()
    joined.lee.leaves()
    await joined.world.settle()
    people = await joined.people_of()
    assert "In the room without a seat" not in people
    assert "someone who left the server" not in people
    await joined.restart()
    await joined.world.settle()
    assert joined.told() == []


async def test_a_room_that_was_deleted_is_made_anew_when_a_facilitator_wants_it(joined: Stage) -> None:
    joined.guild.remove_channel(int(joined.room()["id"]))
    await joined.world.settle()
    (note,) = joined.told()
    assert "The room of **Tuesday meeting** was deleted" in note
    assert "Your room is not open yet" in await joined.maya.slash("/my")
    assert "Only facilitators" in await joined.joe.press(note, "Make a new room")
    assert "There is a new room" in await joined.ana.press(note, "Make a new room")
    await joined.world.settle()
    assert joined.maya.can_see(joined.room())
    assert joined.ana.can_see(joined.room())
    assert not joined.sam.can_see(joined.room())
    assert "has a room already" in await joined.ana.press(note, "Make a new room")
    assert len([c for c in joined.guild.channels.values() if c["name"] == "tuesday-meeting"]) == 1


async def test_a_room_that_was_deleted_while_peerbot_was_away_is_told_of(joined: Stage) -> None:
    await joined.stop()
    joined.guild.remove_channel(int(joined.room()["id"]))
    await joined.start()
    await joined.world.settle()
    (note,) = joined.told()
    assert "was deleted" in note


async def test_a_room_that_peerbot_could_not_see_for_a_while_is_its_room_again(joined: Stage) -> None:
    room = joined.room()
    joined.forbid_in(room, Bit.VIEW_CHANNEL)
    await joined.world.settle()
    joined.forbid_in(room, Bit(0))
    await joined.world.settle()
    for note in joined.told():
        assert "There is a new room" in await joined.ana.press(note, "Make a new room")
    await joined.world.settle()
    assert "Open the room" in (await joined.maya.slash("/my")).labels
    assert joined.room() is room
    assert len([c for c in joined.guild.channels.values() if c["name"] == "tuesday-meeting"]) == 1


async def test_somebody_who_joins_without_a_room_reads_that_the_seat_is_safe(joined: Stage) -> None:
    await joined.new_group("Quiet hour")
    joined.guild.remove_channel(int(joined.room("quiet-hour")["id"]))
    await joined.world.settle()
    welcome = await joined.join(joined.sam, "Quiet hour")
    assert "Your seat is safe" in welcome
    assert "Open the room" not in welcome.labels


async def test_peerbot_that_is_put_out_and_asked_back_goes_on(joined: Stage) -> None:
    joined.guild.uninstall(joined.application)
    await joined.world.settle()
    joined.guild.install(joined.application, int(Bit.MANAGE_CHANNELS | Bit.MANAGE_ROLES) | IN_ROOM)
    await joined.world.settle()
    assert "Tuesday meeting" in await joined.maya.slash("/my")
    sure = await joined.maya.press(await joined.maya.slash("/my"), "Leave")
    assert "You have left" in await joined.maya.press(sure, "Leave")


async def test_peerbot_that_is_asked_back_mends_what_drifted_meanwhile(joined: Stage) -> None:
    joined.guild.uninstall(joined.application)
    await joined.world.settle()
    shut_out(joined, joined.maya)
    joined.guild.install(joined.application, int(Bit.MANAGE_CHANNELS | Bit.MANAGE_ROLES) | IN_ROOM)
    await joined.world.settle()
    assert joined.maya.can_see(joined.room())


async def test_two_servers_know_nothing_of_each_other(joined: Stage) -> None:
    elsewhere = joined.world.guild("Elsewhere", owner="Zoe")
    elsewhere.install(joined.application, IN_ROOM)
    await joined.world.settle()
    elsewhere.add_member(joined.maya.user)
    away = Person(joined.world, joined.maya.user_id, elsewhere)
    assert "This server isn't set up yet" in await away.slash("/my")
    elsewhere.remove_member(joined.maya.user_id)
    await joined.world.settle()
    await joined.later(days=8)
    assert "Tuesday meeting" in await joined.maya.slash("/my")


async def test_who_came_back_unseen_is_found_again_without_a_seat_too(stage: Stage) -> None:
    await stage.new_group()
    await stage.maya.press(await stage.maya.press(await stage.maya.slash("/my"), "Messages"), "By DM")
    stage.maya.leaves()
    await stage.world.settle()
    await stage.stop()
    stage.maya.rejoins()
    await stage.start()
    await stage.world.settle()
    assert stage.db is not None
    async with stage.db.read() as session:
        member = await members.find(session, stage.guild.id, stage.maya.user_id)
        assert member is not None
        assert member.away_since is None


async def test_for_a_question_of_somebody_who_came_back_unseen_facilitators_are_called(stage: Stage) -> None:
    await stage.new_group()
    await stage.maya.press(await stage.maya.press(await stage.maya.slash("/my"), "Messages"), "By DM")
    assert stage.db is not None
    async with stage.db.begin() as session:  # as if nobody had been there to see them come back
        await departures.leave(session, stage.guild.id, stage.maya.user_id, now=stage.clock.now())
    await asks(stage, stage.maya)
    assert "They have left the server" not in task_card(stage)
    stage.expected_mentions = ["Ana"]
