"""Facilitators of a meeting: who hosts, cover, the run sheet, nobody there, and what comes after."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from peerbot import meetings, members, timetables
from peerbot.models import Group, Membership, Series
from peerbot.recurrence import Rule
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.seen import Seen
from peerbot.rehearsal.wire import VOICE, Wire
from peerbot.rights import Actor
from tests.stories.hellos import board, said
from tests.stories.stage import Stage

ZONE = ZoneInfo("America/New_York")
NAME = "Tuesday meeting"


@pytest.fixture
async def weekly(stage: Stage) -> Stage:
    """It is noon in New York, and Ana's group meets at half past six tomorrow, and weekly from then on, by voice."""
    now = stage.clock.now().astimezone(ZONE)
    noon = datetime.combine(now.date() + timedelta(days=1), now.time().replace(12, 0, 0, 0), ZONE)
    stage.clock.move(noon - now)
    await stage.world.settle()
    await stage.new_group()
    await meets(stage)
    return stage


async def meets(
    stage: Stage, name: str = NAME, *, by: Person | None = None, hour: int = 18, in_voice: bool = True
) -> None:
    """Have a group meet tomorrow at half past an hour, and weekly from then on, in a voice channel or in its room."""
    assert stage.db is not None
    channel_id = int(stage.guild.add_channel("voice", VOICE)["id"]) if in_voice else None
    tomorrow = stage.clock.now().astimezone(ZONE).date() + timedelta(days=1)
    async with stage.db.begin() as session:
        group = (await session.scalars(select(Group).where(Group.name == name))).one()
        plan = timetables.Plan.checked(
            group_id=group.group_id, first=datetime.combine(tomorrow, datetime.min.time().replace(hour, 30)),
            rule=Rule("weekly", weekdays=(tomorrow.weekday(),)), channel_id=channel_id,
        )  # fmt: skip
        await timetables.create(session, actor(stage, by or stage.ana), plan, now=stage.clock.now())
    await stage.world.settle()


def actor(stage: Stage, person: Person) -> Actor:
    """Return a person as rules know them."""
    roles = frozenset(int(role) for role in stage.guild.members[person.user_id]["roles"])
    return Actor(stage.guild.id, person.user_id, roles, locale="en-US")


def voice(stage: Stage) -> Wire:
    """Return the meeting's voice channel."""
    return next(each for each in stage.guild.channels.values() if each["name"] == "voice")


async def until(stage: Stage, hour: int, minute: int = 0) -> None:
    """Let time pass until the clock in New York shows this, tomorrow's if it is past today."""
    now = stage.clock.now().astimezone(ZONE)
    then = datetime.combine(now.date(), now.time().replace(hour, minute, 0, 0), ZONE)
    then = then if then > now else then + timedelta(days=1)
    stage.clock.move(then - now)
    await stage.world.settle()


async def eve(stage: Stage, hour: int, minute: int = 0) -> None:
    """Let time pass until this hour of the day on which the group meets."""
    await until(stage, 23, 59)
    await until(stage, hour, minute)


def in_thread(stage: Stage, words: str) -> list[Seen]:
    """Return what stands in the task thread and says something."""
    return [seen for seen in said(stage, board(stage)) if words in seen]


def hosts_card(stage: Stage, name: str = NAME) -> Seen:
    """Return the card of who hosts the next meeting."""
    (card,) = in_thread(stage, f"## {name}")
    return card


def in_room(stage: Stage, words: str) -> list[Seen]:
    """Return what stands in the group's room and says something."""
    return [seen for seen in said(stage, stage.room()) if words in seen]


async def cover_is_asked(stage: Stage) -> Seen:
    """Have Ana need cover, and return the message that asks for it."""
    await stage.ana.press(hosts_card(stage), "I need cover")
    await stage.later(minutes=1, seconds=1)
    (asks,) = in_thread(stage, "Can you host?")
    return asks


async def test_the_card_says_who_hosts_and_that_two_are_the_wish(weekly: Stage) -> None:
    card = hosts_card(weekly)
    assert f"Hosts: {weekly.ana.mention}" in card
    assert "One facilitator so far. Two is the wish." in card
    assert "6:30" in card
    assert "New York" in card
    assert card.labels == ["I need cover", "I can host", "Run sheet", "I'm here"]
    assert "It is a bit early" in await weekly.ana.press(card, "I'm here")
    assert "with" in await weekly.joe.press(card, "I can host")
    await weekly.later(seconds=6)
    assert f"Hosts: {weekly.ana.mention}, {weekly.joe.mention}" in hosts_card(weekly)
    assert hosts_card(weekly).labels == ["I need cover", "Run sheet", "I'm here"]
    assert weekly.joe.can_see(weekly.room())
    for label in ("I need cover", "I'm here", "Run sheet"):
        pressed = await weekly.maya.forged(weekly.panel_card(), {
            "I need cover": "meetings:away:1", "I'm here": "meetings:here:1", "Run sheet": "meetings:sheet:1",
        }[label])  # fmt: skip
        assert "Only" in pressed


async def test_cover_is_asked_by_name_and_the_first_to_accept_is_shown(weekly: Stage) -> None:
    await weekly.new_group("Owls", by=weekly.joe)
    kim = weekly.newcomer("Kit", weekly.facilitators)
    pressed = await weekly.ana.press(hosts_card(weekly), "I need cover")
    assert "That is fine. No reason needed." in pressed
    assert "I ask the others on duty in a minute." in pressed
    await weekly.later(seconds=6)
    assert "Nobody hosts this meeting yet." in hosts_card(weekly)
    assert in_thread(weekly, "Can you host?") == [], "a tap by mistake calls nobody"
    await weekly.later(minutes=1)
    (asks,) = in_thread(weekly, "Can you host?")
    assert weekly.joe.pings[-1:] == [asks.message_id]
    assert weekly.maya.pings == []
    assert "Thank you. You host this meeting." in await weekly.joe.press(asks, "I can host")
    await weekly.later(seconds=6)
    taken = in_thread(weekly, f"{weekly.joe.mention} hosts. Thank you.")
    assert [seen.message_id for seen in taken] == [asks.message_id]
    assert taken[0].labels == []
    assert f"Hosts: {weekly.joe.mention}" in hosts_card(weekly)
    assert len(in_room(weekly, f"With {weekly.joe.mention}.")) == 1, "the group reads who hosts"
    assert "hosts this one already. Thank you for offering." in await kim.forged(asks, "meetings:cover:1.ask")
    assert weekly.joe.can_see(weekly.room())
    await eve(weekly, 19, 40)
    assert weekly.joe.can_see(weekly.room())
    await until(weekly, 20, 31)
    assert not weekly.joe.can_see(weekly.room()), "an hour after the meeting"
    weekly.expected_mentions = ["Joe"]


async def test_who_hosts_elsewhere_at_that_time_is_called_only_if_nobody_else_holds_the_role(weekly: Stage) -> None:
    kit = weekly.newcomer("Kit", weekly.facilitators)
    await weekly.new_group("Owls", by=weekly.joe)
    await weekly.new_group("Wrens", by=kit)
    await meets(weekly, "Wrens", by=kit)
    asks = await cover_is_asked(weekly)
    assert (weekly.joe.pings[-1:], kit.pings) == ([asks.message_id], [])
    await weekly.ana.press(hosts_card(weekly), "I can host")
    weekly.guild.take_role(weekly.joe.user_id, int(weekly.facilitators["id"]))
    await weekly.later(minutes=11)
    await weekly.ana.press(hosts_card(weekly), "I need cover")
    await weekly.later(minutes=1, seconds=1)
    assert len(kit.pings) == 1
    weekly.guild.give_role(weekly.joe.user_id, int(weekly.facilitators["id"]))
    await eve(weekly, 17, 31)
    (unhosted,) = in_thread(weekly, "nobody hosts it yet.** Can you?")
    assert weekly.joe.mention in unhosted
    weekly.guild.take_role(weekly.joe.user_id, int(weekly.facilitators["id"]))
    await until(weekly, 18, 35)
    (call,) = [each for each in in_thread(weekly, "I see no facilitator there.") if NAME in each]
    assert kit.mention in call, "Ana, who asked for cover, is not all that is called"
    weekly.expected_mentions = ["Joe", "Kit", "Ana, Joe, Olive", "Ana, Kit", "Ana, Kit"]


async def test_an_undo_within_a_minute_is_told_to_nobody(weekly: Stage) -> None:
    pressed = await weekly.ana.press(hosts_card(weekly), "I need cover")
    assert "Nobody else is on duty, so I can call nobody." in pressed
    assert pressed.labels == ["I can come after all", "Cancel a meeting"]
    assert "You host this meeting." in await weekly.ana.press(pressed, "I can come after all")
    await weekly.later(seconds=6)
    (card,) = in_room(weekly, f"With {weekly.ana.mention}.")
    pressed = await weekly.ana.press(card, "Can't")
    assert "You host this one. Nobody else is on duty" in pressed
    await weekly.ana.press(pressed, "Going")
    await weekly.later(minutes=2)
    assert in_thread(weekly, "cover") == []
    assert f"Hosts: {weekly.ana.mention}" in hosts_card(weekly)


async def test_ten_minutes_before_the_hosts_get_the_run_sheet(weekly: Stage) -> None:
    for person in (weekly.maya, weekly.sam, weekly.lee):
        await weekly.join(person)
    assert weekly.db is not None
    async with weekly.db.begin() as session:
        (first, *_more) = await meetings.coming(session, weekly.guild.id, now=weekly.clock.now())
        for person in (weekly.maya, weekly.sam):
            answers = actor(weekly, person)
            await meetings.respond(session, answers, first.meeting_id, meetings.GOING, now=weekly.clock.now())
        lee = await members.find(session, weekly.guild.id, weekly.lee.user_id)
        assert lee is not None
        place = (await session.scalars(select(Membership).where(Membership.member_id == lee.member_id))).one()
        place.says_new = True
    await eve(weekly, 18, 20)
    (soon,) = in_thread(weekly, "begins in 10 minutes")
    assert weekly.ana.pings[-1:] == [soon.message_id]
    sheet = await weekly.ana.press(soon, "Run sheet")
    assert sheet.ephemeral
    assert "Nothing of it is saved." in sheet
    assert "What is said here stays here" in sheet
    assert f"{weekly.lee.mention}. A warm hello is enough." in sheet
    assert "Anyone can pass." in sheet
    assert "Ten minutes left" in sheet
    order = [person for person in (weekly.maya, weekly.sam) if f"1. **{person.mention}**, now" in sheet]
    assert len(order) == 1
    onward = await weekly.ana.press(sheet, "Next")
    assert f"1. {order[0].mention}" in onward
    assert "**, now" in onward
    assert "Good that you are here" in await weekly.ana.press(onward, "I'm here")
    assert "Only facilitators of" not in await weekly.ana.press(onward, "Another order")
    await weekly.later(minutes=20)
    assert "A facilitator is there." in hosts_card(weekly)
    assert in_room(weekly, "late") == []
    weekly.expected_mentions = ["Ana"]


async def test_a_host_in_the_voice_channel_is_there_and_members_in_it_are_not_noted(weekly: Stage) -> None:
    await weekly.join(weekly.maya)
    await eve(weekly, 18, 20)
    weekly.maya.speaks_in(voice(weekly))
    await weekly.world.settle()
    await until(weekly, 18, 31)
    assert "A facilitator is there." not in hosts_card(weekly)
    weekly.ana.speaks_in(voice(weekly))
    await weekly.later(seconds=30)
    assert "A facilitator is there." in hosts_card(weekly)
    await until(weekly, 18, 46)
    assert in_room(weekly, "late") == []
    weekly.expected_mentions = ["Ana"]
    weekly.guild.remove_channel(int(voice(weekly)["id"]))
    await weekly.world.settle()
    assert weekly.db is not None
    async with weekly.db.read() as session:
        assert (await session.scalars(select(Series.channel_id))).all() == [None], "they meet in the group's room"


async def test_a_host_who_came_long_before_is_seen_when_it_is_looked(weekly: Stage) -> None:
    await eve(weekly, 17)
    weekly.ana.speaks_in(voice(weekly))
    await weekly.restart()
    await until(weekly, 18, 36)
    assert in_room(weekly, "late") == []
    assert "A facilitator is there." in hosts_card(weekly)


async def test_nobody_there_others_are_called_members_are_told_then_it_is_cancelled(weekly: Stage) -> None:
    await weekly.new_group("Owls", by=weekly.joe)
    await weekly.join(weekly.maya)
    await eve(weekly, 18, 20)
    await until(weekly, 18, 35)
    (call,) = in_thread(weekly, "I see no facilitator there.")
    assert weekly.joe.pings[-1:] == [call.message_id]
    (late,) = in_room(weekly, "Your facilitators are late. Please wait a moment.")
    assert late.labels == ["Help now"]
    await until(weekly, 18, 45)
    (off,) = in_room(weekly, "Nobody could come to host today, so this meeting is off.")
    assert "It is not because of you." in off
    assert "You meet next:" in off
    assert "This meeting is cancelled." in hosts_card(weekly)
    assert [post.labels for post in in_room(weekly, "It is time.")] == [["Help now"]]
    refused = await weekly.ana.press(call, "I'm here")
    assert "I saw no facilitator there" in refused
    assert "The meeting is on again." in await weekly.ana.press(refused, "We are here after all")
    await weekly.world.settle()
    assert len(in_room(weekly, "A facilitator is here after all, so the meeting is on.")) == 1
    await weekly.later(seconds=30)
    assert "A facilitator is there." in hosts_card(weekly)
    assert [post.labels for post in in_room(weekly, "It is time.")] == [["Open the room", "Help now"]]
    told = [seen for seen in weekly.maya.inbox if f"**{NAME}** is o" in seen]
    assert ["No facilitator could come." in told[0], "is on" in told[1], len(told)] == [True, True, 2]
    await until(weekly, 19, 31)
    assert [post.labels for post in in_room(weekly, "It is time.")] == [["Help now"]]
    weekly.expected_mentions = ["Ana", "Ana, Joe"]


async def test_who_is_off_duty_or_has_lost_the_role_is_announced_nowhere_and_others_are_called_in_time(
    weekly: Stage,
) -> None:
    await weekly.new_group("Owls", by=weekly.joe)
    await meets(weekly, "Owls", by=weekly.joe, hour=20)
    desk = await weekly.ana.slash("/desk")
    off = await weekly.ana.press(desk, "Off duty for a week")
    assert f"You were to host: **{NAME}**" in off
    await weekly.world.settle()
    await weekly.later(minutes=1, seconds=6)
    (asks,) = in_thread(weekly, "Can you host?")
    assert weekly.joe.pings[-1:] == [asks.message_id]
    assert "Nobody hosts this meeting yet." in hosts_card(weekly)
    assert in_room(weekly, "With") == []
    weekly.guild.members[weekly.joe.user_id]["roles"].remove(str(weekly.facilitators["id"]))
    await eve(weekly, 17, 30)
    (call,) = in_thread(weekly, "nobody hosts it yet")
    assert call.labels == ["I can host", "Cancel a meeting"]
    await until(weekly, 18, 20)
    assert len(in_thread(weekly, "Nobody hosts it yet. Can you?")) == 1
    await until(weekly, 18, 35)
    assert len(in_room(weekly, "No facilitator is here yet. I could not reach anybody yet.")) == 1
    await until(weekly, 19, 30)
    assert len(in_thread(weekly, "**Owls**")) == 1, "nobody hosts it since its only host has lost the role"
    weekly.expected_mentions = ["Joe", "Olive", "Olive"]


async def test_in_a_room_where_nobody_can_be_seen_hosts_are_asked_and_nothing_is_cancelled(weekly: Stage) -> None:
    await weekly.new_group("Owls", by=weekly.joe)
    await meets(weekly, "Owls", by=weekly.joe, hour=20, in_voice=False)
    room = next(each for each in weekly.guild.channels.values() if each["name"] == "owls")
    await eve(weekly, 18, 20)
    await weekly.ana.press(hosts_card(weekly), "I'm here")
    await until(weekly, 20, 20)
    await until(weekly, 20, 35)
    (asks,) = in_thread(weekly, "I can't see there who has come.")
    assert weekly.joe.pings[-1:] == [asks.message_id]
    (told,) = [seen for seen in said(weekly, room) if "I can't see who is here" in seen]
    assert "late" not in told
    await until(weekly, 20, 46)
    (again,) = in_thread(weekly, "nobody has told me that they are there")
    assert weekly.ana.pings[-1:] == [again.message_id]
    assert [seen for seen in said(weekly, room) if "is off" in seen] == []
    await weekly.joe.press(asks, "I'm here")
    await weekly.world.settle()
    assert len([seen for seen in said(weekly, room) if "A facilitator is here now." in seen]) == 1
    weekly.expected_mentions = ["Ana", "Joe", "Joe", "Ana, Joe"]


async def test_somebody_comes_after_the_call_and_the_meeting_goes_on(weekly: Stage) -> None:
    await weekly.new_group("Owls", by=weekly.joe)
    await eve(weekly, 18, 20)
    await until(weekly, 18, 35)
    (call,) = in_thread(weekly, "I see no facilitator there.")
    assert "They wait for you until" in await weekly.joe.press(call, "I can host")
    await weekly.world.settle()
    assert len(in_room(weekly, "A facilitator is on the way.")) == 1
    assert "Thank you for offering." in await weekly.ana.press(call, "I can host")
    await until(weekly, 18, 46)
    assert in_room(weekly, "this meeting is off") == []
    assert "Good that you are here" in await weekly.joe.press(call, "I'm here")
    await weekly.world.settle()
    assert len(in_room(weekly, "A facilitator is here now. Thank you for waiting.")) == 1
    weekly.expected_mentions = ["Ana", "Ana, Joe"]


async def test_somebody_who_says_that_they_come_and_does_not_is_waited_for_a_while(weekly: Stage) -> None:
    await weekly.new_group("Owls", by=weekly.joe)
    await eve(weekly, 18, 20)
    await until(weekly, 18, 35)
    (call,) = in_thread(weekly, "I see no facilitator there.")
    await until(weekly, 18, 42)
    await weekly.joe.press(call, "I can host")
    await until(weekly, 18, 45)
    assert in_room(weekly, "this meeting is off") == []
    await until(weekly, 18, 53)
    assert len(in_room(weekly, "this meeting is off")) == 1
    weekly.expected_mentions = ["Ana", "Ana, Joe"]


@pytest.mark.parametrize("why", ["the owner keeps them", "the bot was away"])
async def test_a_meeting_is_not_cancelled_where(weekly: Stage, why: str) -> None:
    if why == "the owner keeps them":
        form = await weekly.olive.slash("/setup")
        card = await form.send({})
        assert "After 15 minutes I cancel it" in card
        assert "leave the meeting as it is" in await weekly.olive.press(card, "Don't cancel it")
    await eve(weekly, 18, 20)
    await until(weekly, 18, 35)
    assert len(in_room(weekly, "Your facilitators are late.")) == 1
    if why == "the bot was away":
        await weekly.restart()
    await until(weekly, 18, 45)
    assert in_room(weekly, "this meeting is off") == []
    weekly.expected_mentions = ["Ana", "Ana"]


async def test_after_the_meeting_its_host_says_how_it_went(weekly: Stage) -> None:
    await (await weekly.ana.press(await weekly.people_of(), "Add a facilitator")).send({"Who?": weekly.joe})
    await eve(weekly, 18, 20)
    await weekly.ana.press(hosts_card(weekly), "I'm here")
    await until(weekly, 19, 36)
    (letter,) = [seen for seen in weekly.ana.inbox if "is over. Thank you for being there." in seen]
    assert letter.labels[:4] == [
        "It went fine", "I need cover next time", "I want to talk", "Safety steps were used",
    ]  # fmt: skip
    fine = await weekly.ana.press(letter, "It went fine")
    assert "Good to hear. Thank you for hosting." in fine
    safety = await weekly.ana.press(fine, "Safety steps were used")
    assert "Tell one of the others, so that you are two." in safety
    assert "Need help now?" in safety
    sure = await weekly.ana.press(safety, "I want to talk")
    assert "They see your name." in sure
    await weekly.ana.press(sure, "No, keep it to myself")
    await weekly.world.settle()
    assert in_thread(weekly, "would like to talk") == []
    sure = await weekly.ana.press(letter, "I want to talk")
    told = await weekly.ana.press(sure, "Yes, show my name")
    await weekly.world.settle()
    (line,) = in_thread(weekly, f"{weekly.ana.mention} would like to talk after")
    assert weekly.joe.pings[-1:] == [line.message_id]
    told = await weekly.ana.press(told, "Take back: I want to talk")
    await weekly.world.settle()
    assert in_thread(weekly, "would like to talk") == []
    cover = await weekly.ana.press(told, "I need cover next time")
    assert "That is fine. You are off for" in cover
    assert "Taken back." in await weekly.ana.press(cover, "Take back: I need cover next time")
    weekly.expected_mentions = ["Ana, Joe", "Joe"]


async def test_stepping_back_needs_no_reason_and_the_last_one_is_told_before(weekly: Stage) -> None:
    mine = await weekly.ana.slash("/my")
    sure = await weekly.ana.press(mine, "Step back")
    assert "No reason needed." in sure
    assert "You are the only one who looks after it." in sure
    gone = await weekly.ana.press(sure, "Step back")
    assert f"You no longer look after **{NAME}**. Thank you. Rest well." in gone
    await weekly.later(seconds=6)
    assert not weekly.ana.can_see(weekly.room())
    (told,) = [seen for seen in weekly.told() if f"Nobody looks after **{NAME}** now." in seen]
    assert told.labels == ["People"]
    assert "Nobody hosts this meeting yet." in hosts_card(weekly)
    assert "You do not look after this group any more." in await weekly.ana.forged(
        weekly.panel_card(), "groups:step-back:1"
    )


async def test_who_hosts_much_gets_a_kind_note_alone(weekly: Stage) -> None:
    for name in ("Owls", "Larks"):
        await weekly.new_group(name)
        await meets(weekly, name)
    await eve(weekly, 20)
    await until(weekly, 12)
    notes = {person.name: [s for s in person.inbox if "there for others a lot lately" in s] for person in weekly.people}
    assert {name: len(found) for name, found in notes.items() if found} == {"Ana": 1}


async def test_a_deleted_task_thread_comes_back_with_its_cards(weekly: Stage) -> None:
    weekly.guild.remove_thread(int(board(weekly)["id"]))
    await weekly.world.settle()
    assert f"Hosts: {weekly.ana.mention}" in hosts_card(weekly)
