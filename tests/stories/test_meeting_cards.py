"""Cards of meetings: in the room some days before, answered with a tap, marked in place; the board; calendar files."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from icalendar import Calendar

from peerbot import meetings, times, timetables
from peerbot.rehearsal import posting, wire
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.seen import Seen
from peerbot.text import Reader
from peerbot.times import when, words
from tests.stories.meets import AHEAD, ZONE, actor, board, card, cards, change, first_of, meeting_ids, meets, schedule
from tests.stories.stage import Stage

__all__ = ["meets"]  # pytest finds fixtures by their names here

NEW_YORK = "America/New_York"
WEEK = timedelta(days=7)
COMMON = ["Going", "Can't", "My choices", "Help now"]


def named(stage: Stage, *people: Person) -> set[str]:
    """Return what would tell of people in a text."""
    return {name for person in people or (stage.maya, stage.sam) for name in (person.name, person.mention)}


async def comes_near(stage: Stage) -> None:
    """Let time pass until the first card stands."""
    await stage.later(days=2, hours=1)


async def test_a_card_stands_in_the_room_some_days_before_and_is_edited_as_people_answer(meets: Stage) -> None:
    assert cards(meets) == []
    await comes_near(meets)
    posted = card(meets)
    starts_at = meets.clock.now() + AHEAD - timedelta(days=2, hours=1)
    assert words(starts_at, NEW_YORK, Reader()) in posted
    assert ":R>" in posted
    assert f"With {meets.ana.mention}." in posted, "facilitators are named, as on the group's card"
    assert "1 hour. Here in this room." in posted
    assert posted.labels == COMMON
    seen = await meets.maya.press(posted, "Going")
    assert seen.ephemeral
    assert "You're down as going. You can change it here or in /my." in seen
    seen = await meets.maya.press(seen, "Can't")
    assert "Your answer: **can't**. That is fine." in seen
    await meets.world.settle()
    await meets.later(seconds=30)
    assert "\n1 can't" in card(meets)
    seen = await meets.maya.press(seen, "Take it back")
    assert "You can still come, and answer later." in seen
    await meets.maya.press(await meets.maya.press(card(meets), "My choices"), "Going")
    await meets.later(seconds=30)
    now = card(meets)
    assert now.message_id == posted.message_id
    assert "\n1 going\n" in f"{now.text}\n"
    assert not any(name in each for name in named(meets) for each in (now, board(meets)))


async def test_only_facilitators_of_the_group_see_who_answered(meets: Stage) -> None:
    await comes_near(meets)
    (first, *_later) = await meeting_ids(meets)
    await meets.maya.press(card(meets), "Going")
    choices = await meets.maya.press(card(meets), "My choices")
    assert "Who answered" not in choices.labels
    seen = await meets.ana.press(await meets.ana.press(card(meets), "My choices"), "Who answered")
    assert seen.ephemeral
    assert f"**Going**\n- {meets.maya.mention}" in seen
    for nosy in (meets.maya, meets.joe):
        seen = await nosy.forged(meets.panel_card(), f"meetings:answered:{first}")
        assert "Only facilitators of **Tuesday meeting** can do this." in seen
        assert meets.maya.mention not in seen


async def test_who_has_no_part_in_the_group_answers_nothing_and_gets_no_file(meets: Stage) -> None:
    await comes_near(meets)
    (first, *_later) = await meeting_ids(meets)
    for verb in ("going", "cant", "choices"):
        seen = await meets.lee.forged(meets.panel_card(), f"meetings:{verb}:{meets.guild.id}.{first}")
        assert "You are not in **Tuesday meeting** any more. Nothing was changed." in seen
    for verb in ("file", "group-file"):
        seen = await meets.lee.forged(meets.panel_card(), f"meetings:{verb}:{first}")
        assert "You are not in **Tuesday meeting** any more." in seen
        assert not isinstance(seen, Seen) or not seen.files
    await meets.later(seconds=30)
    assert "going," not in card(meets)


async def test_a_cancelled_meeting_is_marked_where_it_stands_and_comes_back(meets: Stage) -> None:
    await comes_near(meets)
    posted, (first, *_later) = card(meets), await meeting_ids(meets)
    next_at = meets.clock.now() + AHEAD - timedelta(days=2, hours=1) + WEEK
    await change(meets, meetings.cancel, first)
    await meets.later(seconds=30)
    off = card(meets)
    assert off.message_id == posted.message_id
    assert "## CANCELLED: ~~Tuesday meeting~~" in off
    assert f"Next: {words(next_at, NEW_YORK, Reader())}" in off
    assert off.labels == ["Help now"]
    seen = await meets.maya.forged(posted, f"meetings:choices:{meets.guild.id}.{first}")
    assert "**This meeting is off.**" in seen
    assert words(next_at, NEW_YORK, Reader()) in board(meets)
    await change(meets, meetings.undo, first)
    await meets.later(seconds=30)
    assert card(meets).labels == COMMON


async def test_a_moved_meeting_says_where_it_was_and_forgets_what_was_answered(meets: Stage) -> None:
    await comes_near(meets)
    posted, (first, *_later) = card(meets), await meeting_ids(meets)
    await meets.maya.press(posted, "Going")
    was = meets.clock.now() + AHEAD - timedelta(days=2, hours=1)
    await change(meets, meetings.move, first, first_of(meets, after=timedelta(days=4)))
    await meets.later(seconds=30)
    moved = card(meets)
    assert moved.message_id == posted.message_id
    assert f"**Moved from** {words(was, NEW_YORK, Reader())}." in moved
    assert f"Next: {words(was + WEEK, NEW_YORK, Reader())}" in moved
    assert "going," not in moved


async def test_a_link_is_shown_from_a_quarter_of_an_hour_before_to_the_end(stage: Stage) -> None:
    await stage.new_group()
    await schedule(stage, after=timedelta(hours=3), link="https://meet.example/tuesday", topic="Sleep")
    assert "Sleep" in card(stage)
    assert "The link comes here 15 minutes before." in card(stage)
    assert "meet.example" not in str(card(stage).wire)
    await stage.later(minutes=1)
    await stage.later(hours=2, minutes=45)
    assert card(stage).links == {"Open the link": "https://meet.example/tuesday"}
    await stage.later(hours=1, minutes=30)
    await stage.later(minutes=1)
    over = card(stage)
    assert "This meeting is over." in over
    assert (over.labels, over.links) == (["Help now"], {})


async def test_a_voice_channel_is_linked_and_a_deleted_card_is_posted_again(stage: Stage) -> None:
    await stage.new_group()
    voice = stage.guild.add_channel("talk", 2)
    await schedule(stage, after=timedelta(hours=3), channel_id=int(voice["id"]))
    posted = card(stage)
    assert f"In <#{voice['id']}>." in posted
    assert posted.links == {"Open the room": f"https://discord.com/channels/{stage.guild.id}/{voice['id']}"}
    posting.delete(stage.world, stage.room(), [posted.message_id])
    (first, *_later) = await meeting_ids(stage)
    await change(stage, meetings.move, first, first_of(stage, after=timedelta(hours=4)))
    await stage.later(seconds=30)
    assert card(stage).message_id != posted.message_id
    await stage.stop()
    stage.guild.remove_channel(int(voice["id"]))
    await stage.start()
    await stage.later(seconds=30)
    assert f"<#{voice['id']}>" not in card(stage), "a channel that was deleted meanwhile is nowhere to meet"


async def test_the_board_shows_when_groups_meet_and_their_seats_in_one_edit_a_change(meets: Stage) -> None:
    posted = board(meets)
    assert "**Tuesday meeting**" in posted
    assert "11 seats free" in posted
    assert posted.labels == ["Tuesday meeting", "Find a group", "My groups", "Help now"]
    await meets.later(hours=1)
    made: list[int] = []
    for more in range(2):
        names = [f"Group {more} {number}" for number in range(4 * more)]
        await meets.groups_without_rooms(*names)
        for name in names:
            await schedule(meets, name)
        await meets.later(minutes=5)
        with meets.requests() as requests:
            await meets.join((meets.sam, meets.kim)[more])
            await meets.later(minutes=1)
        edits = [
            each for each in requests if each == f"PATCH /channels/{meets.panel['id']}/messages/{posted.message_id}"
        ]
        made.append(len(edits))
    assert made == [1, 1]
    assert "9 seats free" in board(meets)
    assert "Group 1 3" in board(meets)
    seen = await meets.lee.press(board(meets), "Tuesday meeting")
    assert "Join" in seen.labels


async def test_the_board_follows_meetings_as_they_pass_and_says_kindly_when_there_is_none(meets: Stage) -> None:
    posted, starts_at = board(meets), meets.clock.now() + AHEAD
    await meets.later(days=5, hours=2)
    assert words(starts_at + WEEK, NEW_YORK, Reader()) in board(meets)
    assert words(starts_at, NEW_YORK, Reader()) not in board(meets)
    assert meets.db is not None
    async with meets.db.begin() as session:
        await timetables.end(session, actor(meets, meets.ana), 1, now=meets.clock.now())
    await meets.later(minutes=1)
    assert "No meeting is planned right now. Please look again soon." in board(meets)
    assert board(meets).message_id == posted.message_id


async def test_my_shows_the_next_meetings_with_answers_and_leads_to_choices(meets: Stage) -> None:
    starts_at = meets.clock.now() + AHEAD
    seen = await meets.maya.slash("/my")
    assert when(starts_at, NEW_YORK, Reader())[:30] in seen
    assert "Your answer" not in seen
    label = next(each for each in seen.labels if each.endswith((" am", " pm")))
    choices = await meets.maya.press(seen, label)
    assert choices.labels == [
        "Going", "Can't", "Calendar file", "All dates as a file", "Change reminders", "My groups",
        "Help now",
    ]  # fmt: skip
    await meets.maya.press(choices, "Can't")
    assert "Your answer: can't" in await meets.maya.slash("/my")
    (first, *_later) = await meeting_ids(meets)
    await change(meets, meetings.cancel, first)
    assert " is off." in await meets.maya.slash("/my")
    assert "Calendar file" not in (await meets.lee.slash("/my")).labels


async def test_who_comes_back_from_a_rest_sees_what_became_of_the_next_meetings(meets: Stage) -> None:
    stage, maya = meets, meets.maya
    rested = await maya.press(await maya.slash("/my"), "Pause")
    first, second = await meeting_ids(stage)
    starts_at = stage.clock.now().replace(second=0, microsecond=0) + AHEAD
    moved_to = first_of(stage, after=AHEAD + timedelta(days=8))
    await change(stage, meetings.cancel, first)
    await change(stage, meetings.move, second, moved_to)
    voice = stage.guild.add_channel("Voice", wire.VOICE)
    assert stage.db is not None
    async with stage.db.begin() as session:
        series_id = (await meetings.view(session, stage.guild.id, first)).series_id
        who, now = actor(stage, stage.ana), stage.clock.now()
        plan = replace(await timetables.plan_of(session, who, series_id, now=now), channel_id=int(voice["id"]))
        await timetables.change(session, who, series_id, plan, now=now)
    await stage.later(minutes=2)
    assert maya.inbox == []
    back = await maya.press(rested, "I'm back")
    day = times.short(starts_at, NEW_YORK, Reader())
    assert f"**Tuesday meeting**: {day} is off." in back
    assert when(moved_to.replace(tzinfo=ZONE), NEW_YORK, Reader())[:30] in back
    assert f"Moved from {times.short(starts_at + timedelta(days=7), NEW_YORK, Reader())}." in back
    assert f"Where: <#{voice['id']}>" in back


async def test_a_calendar_file_comes_privately_and_is_read_back(meets: Stage) -> None:
    await comes_near(meets)
    starts_at = meets.clock.now() + AHEAD - timedelta(days=2, hours=1)
    choices = await meets.maya.press(card(meets), "My choices")
    for seen, label in ((choices, "Calendar file"), (choices, "All dates as a file"), (None, "Calendar file")):
        given = await meets.maya.press(seen or await meets.maya.slash("/my"), label)
        assert isinstance(given, Seen)
        assert given.ephemeral
        assert given.files == ["group-meeting.ics"]
        content = meets.maya.opens(given, "group-meeting.ics")
        event: Any
        (event,) = Calendar.from_ical(content).walk("VEVENT")
        assert event["summary"] == "Group meeting"
        assert abs(event["dtstart"].dt - starts_at) < timedelta(minutes=2)
        assert b"Tuesday" not in content
