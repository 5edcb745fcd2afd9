"""Planning meetings, as facilitators live it: in plain words or by a form, always shown before it is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from peerbot.clock import Clock
from peerbot.models import Meeting, Series
from peerbot.rehearsal import wire
from peerbot.rehearsal.forms import Form
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.seen import Seen, Shown
from tests.stories.stage import Stage

NOW = datetime(2027, 3, 3, 12, tzinfo=UTC)
"""A Wednesday; clocks in New York change on March 14 and November 7."""
TUESDAY, QUIET = "Tuesday meeting", "Quiet hour"
TUESDAYS = "every tuesday 6:30 pm"
HOSTILE = "A *walk* <@1> [x](https://x.example) @everyone \\ end"
LINK = "https://meet.example/a_b*c?d=1&e=~x~"
OLD = "This button is from an older time."


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.move(NOW - clock.now())
    return clock


@pytest.fixture
async def stage(empty_stage: Stage) -> Stage:
    """The stage with a group of Ana's."""

    await empty_stage.start()
    await empty_stage.set_up()
    await empty_stage.new_group()
    return empty_stage


async def shown(stage: Stage, when: str = TUESDAYS, *, by: Person | None = None, **options: Any) -> Shown:
    """Have somebody write when a group meets."""
    written: dict[str, Any] = {"group": TUESDAY, "when": when, **options}
    return await (by or stage.ana).slash("/meeting new", **written)


async def planned(stage: Stage, when: str = TUESDAYS, *, by: Person | None = None, **options: Any) -> Shown:
    """Have somebody plan meetings and confirm them."""
    done = await (by or stage.ana).press(await shown(stage, when, by=by, **options), "Yes, schedule it")
    await stage.world.settle()
    return done


async def card_of(stage: Stage, command: str, typed: str = "") -> Shown:
    """Have Ana use a command for the first meeting that is suggested."""
    first = (await stage.ana.autocomplete(command, meeting=typed))[0]
    return await stage.ana.slash(command, meeting=first)


async def all_series(stage: Stage) -> list[Series]:
    assert stage.db is not None
    async with stage.db.read() as session:
        return list(await session.scalars(select(Series).order_by(Series.series_id)))


async def standing(stage: Stage) -> list[tuple[str, str]]:
    """Return the wall time of each meeting, and how it stands."""
    assert stage.db is not None
    async with stage.db.read() as session:
        found = await session.scalars(select(Meeting).order_by(Meeting.starts_at))
        return [(meeting.moved_local or meeting.original_local, meeting.state) for meeting in found]


def form(seen: Shown) -> Form:
    assert isinstance(seen, Form)
    return seen


def values(seen: Shown) -> dict[str, object]:
    return {label: field.value for label, field in form(seen).fields.items()}


async def test_plain_words_are_shown_confirmed_and_kept_once(stage: Stage) -> None:
    card = await shown(stage)
    assert card.text.split("\n") == [
        "## Tuesday meeting",
        "**Every Tuesday**, 1 hour",
        "First: Tuesday, March 9, 6:30 pm (New York) · <t:1804635000:F> for you, <t:1804635000:R>",
        "Then: Tuesday, March 16; Tuesday, March 23",
        "Clocks change on Sunday, March 14. The meeting stays at 6:30 pm (New York).",
        "Where: in the group's room. Only in a voice channel can I see if a facilitator comes.",
        "Nothing is kept yet. Is this right?",
    ]
    assert card.ephemeral
    assert await all_series(stage) == []
    await stage.restart()
    done = await stage.ana.press(card, "Yes, schedule it")
    assert "It is scheduled" in done
    await stage.world.settle()
    (series,) = await all_series(stage)
    assert (series.rule, series.zone, series.minutes) == ("FREQ=WEEKLY;BYDAY=TU", "America/New_York", 60)
    button = card.button("Yes, schedule it")["custom_id"]  # type: ignore[attr-defined]
    assert isinstance(done, Seen)
    again = await stage.ana.forged(done, button)
    assert "It stands already" in again
    assert "stay as they were" not in again
    other = await stage.ana.press(await shown(stage, link=LINK), "Yes, schedule it")
    assert "Its place, link and topic stay as they were. Below you can change them." in other
    assert len(await all_series(stage)) == 1
    assert await standing(stage) == [("2027-03-09T18:30", "planned"), ("2027-03-16T18:30", "planned")]


async def test_what_is_not_clear_is_refused_with_the_form_as_another_way(stage: Stage) -> None:
    refused = await shown(stage, "every tuesday 6:30", link=LINK)
    assert "Is that morning or evening? Please write **6:30 am** or **6:30 pm**." in refused
    opened = await stage.ana.press(refused, "Open the form")
    assert values(opened)["Link"] == LINK
    assert values(opened)["When is the first one?"] == "every tuesday 6:30"
    assert "Is that morning or evening? Please write 6:30 am or 6:30 pm." in form(opened)
    card = await form(opened).send({"When is the first one?": "every tuesday 6:30 pm"})
    assert "**Every Tuesday**" in card
    assert "behind this link" in card
    dropped = await stage.ana.press(card, "No, leave it")
    assert "Nothing was changed." in dropped
    assert await all_series(stage) == []


@pytest.mark.parametrize(
    ("often", "first", "repeats", "date"),
    [
        ("Every two weeks", "mar 12 7 pm", "Every 2 weeks on Friday", "Friday, March 12, 7:00 pm"),
        ("Monthly, the first", "apr 6 19:00", "First Tuesday of each month", "Tuesday, April 6, 7:00 pm"),
        ("Monthly, the last", "friday 7 pm", "Last Friday of each month", "Friday, March 26, 7:00 pm"),
        ("Once", "tomorrow 00:30", "Once", "Thursday, March 4, 12:30 am"),
    ],
)
async def test_the_form_asks_how_often_and_for_the_first_one(
    stage: Stage, often: str, first: str, repeats: str, date: str
) -> None:
    opened = await stage.ana.slash("/meeting new", group=TUESDAY)
    assert values(opened)["How often?"] == ["Every week"]
    card = await form(opened).send({"How often?": often, "When is the first one?": first, "How long?": "90 minutes"})
    assert f"**{repeats}**, 90 minutes" in card
    assert f"First: {date} (New York)" in card
    again = values(await stage.ana.press(card, "Change"))
    assert (again["How often?"], again["How long?"]) == ([often], ["90 minutes"])


async def test_topic_and_link_come_through_the_card_letter_by_letter(stage: Stage) -> None:
    opened = await stage.ana.slash("/meeting new", group=TUESDAY)
    answers = {"When is the first one?": "tuesday 6:30 pm", "Topic": HOSTILE, "Link": LINK}
    card = await form(opened).send(answers)
    assert "@everyone" not in card
    assert "](https" not in card
    again = values(await stage.ana.press(card, "Change"))
    assert (again["Topic"], again["Link"]) == (HOSTILE, LINK)
    await stage.ana.press(card, "Yes, schedule it")
    (series,) = await all_series(stage)
    assert (series.topic, series.link) == (HOSTILE, LINK)


async def test_times_that_clocks_skip_or_show_twice_are_explained(stage: Stage) -> None:
    skipped = await shown(stage, "mar 14 2:30 am")
    assert "On Sunday, March 14, clocks jump over 2:30 am. That one begins at 3:30 am." in skipped
    twice = await shown(stage, "every sunday 1:30 am starting nov 7 2027")
    assert "On Sunday, November 7, 1:30 am comes twice. I take the first one." in twice
    assert "Clocks change on Sunday, November 7. The meeting stays at 1:30 am (New York)." in twice


async def test_a_refused_form_comes_back_as_it_was_typed(stage: Stage) -> None:
    answers = {"How often?": "Once", "When is the first one?": "mar 2 2027 6:30 pm", "Topic": "Rest"}
    refused = await form(await stage.ana.slash("/meeting new", group=TUESDAY)).send(answers)
    assert "That time has passed already." in refused
    again = await stage.ana.press(refused, "Open the form again")
    typed = values(again)
    assert typed["How often?"] == ["Once"]
    assert {key: typed[key] for key in ("When is the first one?", "Topic")} == {
        "When is the first one?": "mar 2 2027 6:30 pm",
        "Topic": "Rest",
    }
    refused = await form(again).send({"When is the first one?": "every tuesday 6:30 pm"})
    assert "Please write only one day and its time here" in refused
    again = await stage.ana.press(refused, "Open the form again")
    assert stage.db is not None
    async with stage.db.begin():
        busy = await form(again).send({"When is the first one?": "mar 9 6:30 pm"})
    assert "I'm busy right now. Nothing was changed." in busy
    card = await form(await stage.ana.press(busy, "Open the form again")).send({})
    assert "First: Tuesday, March 9, 6:30 pm (New York)" in card
    stage.clock.move(NOW.replace(day=10) - NOW)
    assert "That time has passed. Please choose one that lies ahead." in await stage.ana.press(card, "Yes, schedule it")
    assert await all_series(stage) == []


async def test_what_is_at_the_same_time_is_pointed_out(stage: Stage) -> None:
    await stage.new_group(QUIET)
    await planned(stage)
    assert "Look: this group meets already on Tuesday, March 9, 6:30 pm (New York)." in await shown(stage, "mar 9 7 pm")
    other = await shown(stage, "mar 9 7 pm", group=QUIET)
    assert "Look: **Tuesday meeting** meets on Tuesday, March 9, 6:30 pm (New York), with a facilitator" in other
    assert "Look:" not in await shown(stage, "mar 9 7:30 pm", group=QUIET)


async def test_one_meeting_is_cancelled_and_comes_back(stage: Stage) -> None:
    await planned(stage)
    card = await card_of(stage, "/meeting cancel")
    assert card.text.split("\n")[0] == "## Cancel Tuesday meeting?"
    assert "This one, or all? Every Tuesday." in card
    kept = await stage.ana.press(card, "Keep it")
    assert "It stays as it is." in kept
    off = await stage.ana.press(await card_of(stage, "/meeting cancel"), "Only this one")
    assert "is off on Tuesday, March 9, 6:30 pm (New York)." in off
    assert "I tell its members in a minute. If you undo it before, nobody hears of it." in off
    assert "The next one: Tuesday, March 16" in off
    assert await stage.ana.autocomplete("/meeting cancel", meeting="mar 9") == [
        "Tuesday meeting, Tue, Mar 9, 6:30 pm (off)"
    ]
    opened = await stage.ana.press(await card_of(stage, "/meeting change"), "Move only this one")
    assert "It is off now. This puts it on again." in await form(opened).send({"New day and time": "mar 12 7 pm"})
    listed = await stage.ana.slash("/meeting list")
    assert "It is off." in listed
    assert listed.labels == ["Undo", "Change", "Change", "Change"], "two that are on are always ahead"
    back = await stage.ana.press(listed, "Undo")
    assert "is on again" in back
    assert {state for _local, state in await standing(stage)} == {"planned"}
    assert (await stage.ana.press(back, "All meetings")).labels == ["Change"] * 4


async def test_all_meetings_end_and_go_on(stage: Stage) -> None:
    await planned(stage)
    card = await card_of(stage, "/meeting cancel")
    off = await stage.ana.press(card, "All from now on")
    assert "is off from now on: Every Tuesday." in off
    assert {state for _local, state in await standing(stage)} == {"cancelled"}
    assert await stage.ana.autocomplete("/meeting cancel", meeting="") == []
    assert "goes on" in await stage.ana.press(off, "Undo")
    await stage.ana.press(await card_of(stage, "/meeting cancel"), "All from now on")
    listed = await stage.ana.slash("/meeting list", group=TUESDAY)
    assert "is on again" in await stage.ana.press(listed, "Undo")
    assert {state for _local, state in await standing(stage)} == {"planned"}


async def test_one_meeting_moves_if_nobody_else_has_changed_it(stage: Stage) -> None:
    await planned(stage)
    opened = await stage.ana.press(await card_of(stage, "/meeting change"), "Move only this one")
    assert values(opened) == {"New day and time": "mar 9 2027 6:30 pm"}
    refused = await form(opened).send({"New day and time": "next friday 7 pm"})
    assert '"Next" is read in two ways.' in refused
    card = await form(await stage.ana.press(refused, "Open the form again")).send({"New day and time": "mar 16 7 pm"})
    assert "Look: this group meets already on Tuesday, March 16, 6:30 pm (New York)." in card
    card = await form(await stage.ana.press(card, "Change")).send({"New day and time": "mar 9 6:45 pm"})
    assert "Look:" not in card, "it makes room for itself"
    card = await form(await stage.ana.press(card, "Change")).send({"New day and time": "mar 12 7 pm"})
    assert "From: Tuesday, March 9, 6:30 pm (New York)" in card
    assert "To: Friday, March 12, 7:00 pm (New York)" in card
    assert "Look:" not in card
    assert ("2027-03-09T18:30", "planned") in await standing(stage)
    button = card.button("Yes, move it")["custom_id"]  # type: ignore[attr-defined]
    moved = await stage.ana.press(card, "Yes, move it")
    assert "is moved" in moved
    assert isinstance(moved, Seen)
    assert "is moved" in await stage.ana.forged(moved, button), "twice is once"
    listed = await stage.ana.slash("/meeting list")
    assert "Friday, March 12, 7:00 pm (New York)" in listed
    assert "Moved from Tue, Mar 9, 6:30 pm." in listed
    await stage.olive.press(await stage.olive.slash("/meeting list"), "Undo")
    assert ("2027-03-09T18:30", "planned") in await standing(stage)
    assert "Somebody changed this meeting meanwhile." in await stage.ana.forged(moved, button)
    assert ("2027-03-09T18:30", "planned") in await standing(stage)


async def test_a_place_that_is_gone_is_said_and_left_out(stage: Stage) -> None:
    voice = stage.guild.add_channel("Voice", wire.VOICE)
    everyone = {"id": str(stage.guild.id), "type": 0, "allow": "0", "deny": str(int(Bit.VIEW_CHANNEL))}
    seers = [{**everyone, "id": str(each), "type": 1, "allow": everyone["deny"], "deny": "0"}
             for each in (stage.ana.user_id, stage.application.bot_id)]  # fmt: skip
    hidden = stage.guild.add_channel("Hidden", wire.VOICE, overwrites=[everyone])
    staff = stage.guild.add_channel("Staff", wire.VOICE, overwrites=[everyone, *seers])
    await stage.world.settle()
    warning = "Members of this group may not find it."
    assert warning in await shown(stage, channel=staff)
    assert warning not in await shown(stage, channel=stage.room())
    assert "I can't see that channel" in await shown(stage, channel=hidden, unchecked=True)
    card = await shown(stage, channel=voice)
    assert warning not in card
    assert f"Where: <#{voice['id']}>" in card
    stage.guild.remove_channel(int(voice["id"]))
    await stage.world.settle()
    assert "The channel is gone. Nothing was changed." in await stage.ana.press(card, "Yes, schedule it")
    card = await form(await stage.ana.press(card, "Change")).send({})
    assert "Where: in the group's room" in card
    done = await stage.ana.press(card, "Yes, schedule it")
    stand = stage.guild.add_channel("Stand", wire.STAGE)
    await stage.world.settle()
    opened = await stage.ana.press(done, "Length, place, topic")
    card = await form(opened).send({"Where?": [stand], "How long?": "45 minutes", "Topic": "Rest"})
    done = await stage.ana.press(card, "Yes, change it")
    assert "It is changed" in done
    (series,) = await all_series(stage)
    assert (series.channel_id, series.minutes, series.topic) == (int(stand["id"]), 45, "Rest")
    stage.guild.remove_channel(int(stand["id"]))
    await stage.world.settle()
    opened = await stage.ana.press(done, "Length, place, topic")
    assert form(opened).fields["Where?"].component.get("default_values", []) == []
    changed = await stage.ana.press(await card_of(stage, "/meeting change"), "Change all from now on")
    assert "Where: in the group's room" in await form(changed).send({})


async def test_another_length_or_place_is_shown_with_who_is_told_and_kept_when_it_is_confirmed(stage: Stage) -> None:
    voice = stage.guild.add_channel("Voice", wire.VOICE)
    done = await planned(stage)
    opened = await stage.ana.press(done, "Length, place, topic")
    card = await form(opened).send({"How long?": "90 minutes", "Topic": HOSTILE})
    assert "Length: 90 minutes (now 1 hour)" in card
    assert "Where:" not in card
    assert "Nobody gets a message about it. The cards show it." in card
    assert "The times stay. Nothing is changed yet. Is this right?" in card
    opened = await stage.ana.press(card, "Change")
    assert (values(opened)["How long?"], values(opened)["Topic"]) == (["90 minutes"], HOSTILE)
    card = await form(opened).send({"Where?": [voice], "Topic": HOSTILE})
    assert f"Where: <#{voice['id']}> (now the group's room)" in card
    assert "I tell 1 person what changes." in card
    (series,) = await all_series(stage)
    assert (series.minutes, series.channel_id, series.topic) == (60, None, "")
    button = card.button("Yes, change it")["custom_id"]  # type: ignore[attr-defined]
    assert "Only facilitators of **Tuesday meeting** can do this." in await stage.maya.forged(
        stage.panel_card(), button
    )
    done = await stage.ana.press(card, "Yes, change it")
    assert "I tell its members in a minute. If you change it back before, nobody hears of it." in done
    (series,) = await all_series(stage)
    assert (series.minutes, series.channel_id, series.topic) == (90, int(voice["id"]), HOSTILE)
    await stage.later(hours=2)  # it is early in the morning
    (letter,) = stage.ana.inbox
    assert letter.text.startswith(f"**Tuesday meeting** has a new place: <#{voice['id']}>.\nThe time stays the same.")
    assert letter.labels == ["Open the room", "Messages", "Help now"]
    opened = await stage.ana.press(done, "Length, place, topic")
    same = await form(opened).send({})
    assert "It is like that already." in same
    card = await form(await stage.ana.press(same, "Length, place, topic")).send({"Where?": [], "Link": LINK})
    assert f"Where: the link below (now <#{voice['id']}>)" in card
    listed = await stage.olive.press(await stage.olive.slash("/meeting list"), "Change")
    other = await form(await stage.olive.press(listed, "Length, place, topic")).send({"How long?": "30 minutes"})
    await stage.olive.press(other, "Yes, change it")
    assert "Somebody changed these meetings meanwhile." in await stage.ana.press(card, "Yes, change it")
    (series,) = await all_series(stage)
    assert (series.minutes, series.channel_id, series.link) == (30, int(voice["id"]), "")


async def test_only_who_looks_after_the_group_plans_and_only_while_it_is_open(stage: Stage) -> None:
    not_yours = "Only facilitators of **Tuesday meeting** can do this."
    await planned(stage)
    panel = stage.panel_card()
    card = await shown(stage, "every friday 7 pm")
    button = card.button("Yes, schedule it")["custom_id"]  # type: ignore[attr-defined]
    assert not_yours in await stage.maya.forged(panel, button)
    assert not_yours in await shown(stage, by=stage.joe)
    for verb in (
        "cancel-one:1",
        "cancel-all:1",
        "move:1",
        "change-all:1",
        "details:1",
        "manage:1",
        "go-on:1.1",
        "skip-sure:1.20270309.20270309.aaaa",
    ):
        assert not_yours in await stage.joe.forged(panel, f"meetings:{verb}"), verb
    assert "Only facilitators can do this." in await stage.maya.forged(panel, "meetings:list:0.0")
    assert await stage.joe.autocomplete("/meeting cancel", meeting="") == []
    for hostile in ("x", "1.zzzzzz.w99-1.1o.0.0", "1.zzzzzz.w-1.1.0.0", f"{'z' * 13}.1.o.1o.0.0", "1.0.0.1o.0.0"):
        assert OLD in await stage.ana.forged(panel, f"meetings:schedule:{hostile}"), hostile
    for hostile in ("skip:1.20279999", "skip-sure:1.20270309.20279999.aaaa", "unskip:1.20270309.20270309"):
        assert OLD in await stage.ana.forged(panel, f"meetings:{hostile}"), hostile
    assert "This meeting is not there any more." in await stage.ana.forged(panel, "meetings:cancel-one:999")
    closed = await stage.ana.slash("/group close", group=TUESDAY)
    await stage.ana.press(closed, "Close the group")
    assert "**Tuesday meeting** has closed." in await stage.ana.press(card, "Yes, schedule it")


async def test_meetings_are_found_by_name_and_day(stage: Stage) -> None:
    await stage.new_group(QUIET, by=stage.joe)
    await planned(stage)
    await planned(stage, "mar 11 7 pm", group=QUIET, by=stage.joe)
    suggest = stage.ana.autocomplete
    both = ["Tuesday meeting, Tue, Mar 9, 6:30 pm", "Tuesday meeting, Tue, Mar 16, 6:30 pm"]
    assert await suggest("/meeting change", meeting="") == both
    assert await suggest("/meeting change", meeting="tues") == both
    assert await suggest("/meeting change", meeting="mar 16") == both[1:]
    assert await stage.olive.autocomplete("/meeting change", meeting="quiet") == ["Quiet hour, Thu, Mar 11, 7:00 pm"]
    for typed in ("%", "\\", "'; --", "@everyone", "x" * 6000, "9" * 400):
        assert await suggest("/meeting change", meeting=typed) == [], typed
    assert "What do you want to change?" in await stage.ana.slash("/meeting change", meeting="tuesday mar 16")
    assert "Please choose one meeting from the list" in await stage.ana.slash("/meeting change", meeting="tuesday")
    once = await stage.joe.slash("/meeting cancel", meeting="quiet")
    assert once.labels == ["Cancel this meeting", "Keep it"]


async def test_the_list_has_pages(stage: Stage) -> None:
    empty = await stage.ana.slash("/meeting list")
    assert "There are none ahead. /meeting new plans one." in empty
    await planned(stage, "every day 7 pm")
    first = await stage.ana.slash("/meeting list")
    assert first.labels == ["Change"] * 6 + ["More"]
    second = await stage.ana.press(first, "More")
    assert second.labels == ["Change"] * 6 + ["Back", "More"]
    assert "Thursday, March 4" not in second
    managed = await stage.ana.press(await stage.ana.press(second, "Back"), "Change")
    assert "Wednesday, March 3, 7:00 pm" in managed
    assert "Cancel Tuesday meeting?" in await stage.ana.press(managed, "Cancel a meeting")
