"""People are reminded of meetings as they chose, hear of those that are off, and are welcome the first time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from peerbot import meetings
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.seen import Seen, Shown
from tests.stories.correspondence import threads_of, until
from tests.stories.meeting_times import NEW_YORK, before, change, meet
from tests.stories.stage import Stage

REMINDER = "**Tuesday meeting**: "
PLAIN = "You can just listen. Late is fine. So is not coming."
START = "It is time. Come as you are."
TEST = "This is a test."


@pytest.fixture
async def group(empty_stage: Stage) -> Stage:
    """It is noon in New York, and there is a group."""
    stage = empty_stage
    await stage.start()
    await stage.set_up()
    await stage.new_group()
    await until(stage, 12)
    return stage


def mail(person: Person) -> list[Seen]:
    """Return the letters to somebody by direct message that are no test, and not what answered a press there."""
    return [seen for seen in person.inbox if TEST not in seen and not seen.ephemeral]


async def welcomed(stage: Stage, person: Person, way: str) -> Shown:
    """Have somebody join and answer the question of the welcome."""
    welcome = await stage.join(person)
    assert "Want a reminder one hour before a meeting?" in welcome
    shown = await person.press(welcome, way)
    await stage.world.settle()
    assert "Open the room" in person.look(welcome).labels, "the way to the room stays"
    return shown


async def switch(person: Person, *labels: str) -> Shown:
    """Have somebody switch reminders on their card."""
    card = await person.press(await person.slash("/my"), "Messages")
    for label in labels:
        card = await person.press(card, label)
    return card


async def test_the_first_meeting_from_the_welcome_to_the_answer_in_the_direct_message(group: Stage) -> None:
    stage, maya = group, group.maya
    first, second = (await meet(stage, many=True))[:2]
    welcome = await stage.join(maya)
    assert f"Next meeting: <t:{int(first.starts_at.timestamp())}:F>." in welcome
    shown = await maya.press(welcome, "By DM")
    assert "I've just sent you one. Did it arrive?" in shown
    assert "I remind you of a meeting one hour before." in shown
    assert [TEST in seen for seen in maya.inbox] == [True]

    await before(stage, first, minutes=64)
    assert mail(maya) == []
    await before(stage, first, minutes=60)
    (letter,) = mail(maya)
    assert letter.wire["content"].startswith(REMINDER)
    assert f"6:30 pm (New York) · <t:{int(first.starts_at.timestamp())}:F> for you" in letter
    assert "It is your first time. Come and listen: that is enough." in letter
    assert "depress" not in letter.text.lower()
    assert letter.labels == [
        "Open the room",
        "Can't today",
        "Tell facilitators I'm new",
        "Change reminders",
        "Help now",
    ]
    assert letter.links["Open the room"].endswith(f"/{stage.room()['id']}")

    new = await maya.press(letter, "Tell facilitators I'm new")
    assert "The facilitators see that it is your first time." in new
    assert "do not see" in await maya.press(new, "Don't tell them")
    cant = await maya.press(letter, "Can't today")
    assert "That is fine. No reason needed." in cant
    assert f"<t:{int(second.starts_at.timestamp())}:F>" in cant
    assert "Come as you are." in await maya.press(cant, "I can come")

    await before(stage, second, hours=2)
    await before(stage, second, minutes=60)
    again = mail(maya)[-1]
    assert len(mail(maya)) == 2
    assert PLAIN in again
    assert "Tell facilitators I'm new" not in again.labels
    card = await maya.press(again, "Change reminders")
    assert {"One day: off", "One hour: on", "10 minutes: off"} <= set(card.labels)
    card = await maya.press(card, "10 minutes: off")
    card = await maya.press(card, "One hour: on")
    assert "I remind you of a meeting 10 minutes before." in card
    await before(stage, second, minutes=10)
    assert len(mail(maya)) == 3, "a reminder that was chosen within its hour is not missed"

    later = second.starts_at.astimezone(NEW_YORK).replace(tzinfo=None) + timedelta(hours=2)
    await change(stage, meetings.move, second.meeting_id, later)
    asked = await maya.press(again, "Can't today")
    at = f"<t:{int((second.starts_at + timedelta(hours=2)).timestamp())}:F>"
    assert "This meeting is at another time now" in asked
    assert at in asked
    assert stage.db is not None
    async with stage.db.read() as session:
        assert (await meetings.view(session, stage.guild.id, second.meeting_id)).cant == 0
    assert "That is fine." in await maya.press(asked, "Can't")
    stage.expected_mentions = ["Ana"]


async def test_each_is_reminded_by_their_own_way_and_only_who_wants_it(group: Stage) -> None:
    stage = group
    (meeting,) = await meet(stage)
    assert "here: <#" in await welcomed(stage, stage.maya, "In a private thread")
    assert "That is fine. I don't remind you." in await welcomed(stage, stage.sam, "No thanks")
    stage.lee.closes_dms()
    assert "Your direct messages are closed for me." in await welcomed(stage, stage.lee, "By DM")
    await stage.join(stage.kim)  # says nothing to the question
    await switch(stage.ana, "One hour: off")
    await before(stage, meeting, minutes=59)
    for person in (stage.maya, stage.lee):
        (thread,) = threads_of(stage, person)
        assert sum(REMINDER in seen for seen in person.sees(thread)) == 1
    for person in (stage.maya, stage.lee, stage.sam, stage.kim):
        assert mail(person) == []
    assert threads_of(stage, stage.sam) == threads_of(stage, stage.kim) == []
    (letter,) = mail(stage.ana)
    assert "It is your first time" not in letter
    assert "That is fine." in await stage.ana.press(letter, "Can't today"), "who looks after the group may answer too"
    assert stage.told() == []


@pytest.mark.both_databases
async def test_after_a_night_of_outage_one_message_comes_and_the_start_is_posted_once(group: Stage) -> None:
    stage, maya = group, group.maya
    (meeting,) = await meet(stage, days=2)
    await welcomed(stage, maya, "By DM")
    await switch(maya, "One day: off", "10 minutes: off")
    await before(stage, meeting, hours=25)
    await stage.stop()
    stage.clock.move(timedelta(hours=24, minutes=55))
    await stage.start()
    await stage.world.settle()
    assert len(mail(maya)) == 1

    room = stage.room()
    await before(stage, meeting)
    (post,) = [seen for seen in stage.posted(room) if START in seen]
    assert post.wire["content"].startswith(START)
    assert post.labels == ["Help now"], "who reads it is in the room already"
    assert await maya.press(post, "Help now")
    await stage.restart()
    await stage.later(minutes=5)
    assert len([seen for seen in stage.posted(room) if START in seen]) == 1
    assert len(mail(maya)) == 1
    stage.expected_mentions = ["Ana", "Ana"]  # ten minutes before, and because nobody is there


async def test_nothing_comes_at_night_and_what_is_of_use_comes_before_it(group: Stage) -> None:
    stage, maya = group, group.maya
    (meeting,) = await meet(stage, 23, 30, days=0)
    await welcomed(stage, maya, "By DM")
    await until(stage, 21, 44)
    assert mail(maya) == []
    await until(stage, 21, 56)
    assert len(mail(maya)) == 1
    await before(stage, meeting)
    assert len(mail(maya)) == 1


async def test_a_meeting_that_is_off_is_told_and_one_that_was_only_a_slip_is_not(group: Stage) -> None:
    stage, maya, sam = group, group.maya, group.sam
    first, second = (await meet(stage, many=True))[:2]
    await welcomed(stage, maya, "By DM")
    await welcomed(stage, sam, "No thanks")
    await change(stage, meetings.cancel, first.meeting_id)
    await stage.later(seconds=30)
    await change(stage, meetings.undo, first.meeting_id)
    await stage.later(minutes=5)
    assert mail(maya) == mail(sam) == mail(stage.ana) == []

    await change(stage, meetings.cancel, first.meeting_id)
    await change(stage, meetings.move, second.meeting_id, meetings.parse(second.original_local) + timedelta(hours=1))
    await stage.later(minutes=2)
    for person in (maya, sam, stage.ana):
        (letter,) = mail(person)
        assert letter.wire["content"].startswith("**Tuesday meeting**: some things have changed.")
        assert f"<t:{int(first.starts_at.timestamp())}:R>: this one is off." in letter
        assert "this one is now on" in letter
        assert f"<t:{int((second.starts_at + timedelta(hours=1)).timestamp())}:F> for you" in letter
        assert letter.labels == ["Messages", "Help now"]
    await before(stage, first, minutes=59)
    assert len(mail(maya)) == 1, "of a meeting that is off nobody is reminded"
    await change(stage, meetings.undo, second.meeting_id)
    await stage.later(minutes=2)
    assert mail(maya)[-1].wire["content"].startswith("**Tuesday meeting** is on, as usual: ")
    await before(stage, second, minutes=59)
    assert [PLAIN in seen or "It is your first time" in seen for seen in mail(maya)] == [False, False, True]


async def test_a_room_that_cannot_be_written_to_is_told_to_facilitators_who_can_mend_it(group: Stage) -> None:
    stage = group
    (meeting,) = await meet(stage)
    await before(stage, meeting, minutes=5)
    stage.forbid_in(stage.room(), Bit.SEND_MESSAGES)
    await before(stage, meeting)
    (told,) = stage.told()
    assert "I could not write in the room of **Tuesday meeting** that a meeting began." in told
    stage.forbid_in(stage.room(), Bit(0))
    assert "Done." in await stage.ana.press(told, "Try again")
    assert len([seen for seen in stage.posted(stage.room()) if START in seen]) == 1
    stage.expected_mentions = ["Ana"]
