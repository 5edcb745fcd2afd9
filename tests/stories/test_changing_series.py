"""Changing what is planned for good: weeks without meetings, and other times, seen before anything is kept."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from peerbot.clock import Clock
from peerbot.rehearsal.seen import Seen
from tests.stories.stage import Stage
from tests.stories.test_scheduling import all_series, card_of, form, planned, standing, values

NOW = datetime(2027, 3, 3, 12, tzinfo=UTC)
"""A Wednesday; clocks in New York change on March 14."""


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


async def test_some_weeks_are_skipped_and_come_back(stage: Stage) -> None:
    await planned(stage)
    before = await standing(stage)
    card = await card_of(stage, "/meeting cancel")
    opened = await stage.ana.press(card, "Several weeks")
    assert values(opened)["First day"] == "mar 9 2027"
    refused = await form(opened).send({"First day": "mar 10", "Last day": "soon"})
    assert "I can't read that day." in refused
    opened = await stage.ana.press(refused, "Open the form again")
    refused = await form(opened).send({"Last day": "mar 13"})
    assert "There is no meeting in these days. Nothing was changed." in refused
    opened = await stage.ana.press(refused, "Open the form again")
    card = await form(opened).send({"First day": "mar 20", "Last day": "mar 24"})
    assert "1 meeting will be off: Tuesday, March 23." in card
    opened = await stage.ana.press(card, "Change")
    assert values(opened) == {"First day": "mar 20 2027", "Last day": "mar 24 2027"}
    card = await form(opened).send({"Last day": "apr 2"})
    assert card.text.split("\n") == [
        "## Tuesday meeting: a break?",
        "From Saturday, March 20, 2027 to Friday, April 2, 2027.",
        "2 meetings will be off: Tuesday, March 23; Tuesday, March 30.",
        "Then it goes on: Tuesday, April 6, 6:30 pm (New York) · <t:1807050600:F> for you, <t:1807050600:R>",
        "I tell 1 person what changes.",
        "Nothing is changed yet. Is this right?",
    ]
    assert await standing(stage) == before, "nothing is written, not even dates"
    off = await stage.ana.press(card, "Yes, take a break")
    assert "**Tuesday meeting**: 2 meetings are off." in off
    assert "Tuesday, March 23; Tuesday, March 30" in off
    assert "Then it goes on: Tuesday, April 6" in off
    assert ("2027-03-30T18:30", "cancelled") in await standing(stage)
    opened = await stage.ana.press(await card_of(stage, "/meeting change"), "Change all from now on")
    card = await form(opened).send({"When is the first one?": "mar 23 7 pm"})
    assert "First: Tuesday, March 23, 7:00 pm" in card
    assert "Stays off: Tue, Mar 23, 7:00 pm; Tue, Mar 30, 7:00 pm." in card
    assert "Next: Tuesday, April 6, 7:00 pm" in await stage.ana.press(card, "Yes, change it")
    assert "2 meetings are on again." in await stage.ana.press(off, "Undo"), "the new ones have the break"
    assert {state for local, state in await standing(stage) if local.endswith("19:00")} == {"planned"}


async def test_all_meetings_from_now_on_change(stage: Stage) -> None:
    await planned(stage, "every tuesday and thursday 6:30 pm")
    second = (await stage.ana.autocomplete("/meeting change", meeting=""))[1]
    opened = await stage.ana.press(await stage.ana.slash("/meeting change", meeting=second), "Move only this one")
    await stage.ana.press(await form(opened).send({"New day and time": "mar 12 7 pm"}), "Yes, move it")
    opened = await stage.ana.press(await card_of(stage, "/meeting change"), "Change all from now on")
    assert values(opened)["How often?"] == ["As now"]
    assert values(opened)["When is the first one?"] == "mar 4 2027 6:30 pm"
    card = await form(opened).send({"When is the first one?": "mar 8 7 pm", "How often?": "Every week"})
    assert "Nothing is changed yet. These take the place of the old ones." in card
    assert "These dates will be off: Thu, Mar 4, 6:30 pm; " in card
    assert "The date that was moved will be off too: Fri, Mar 12, 7:00 pm." in card
    assert "I tell 1 person what changes." in card
    assert "Look:" not in card
    button = card.button("Yes, change it")["custom_id"]  # type: ignore[attr-defined]
    done = await stage.ana.press(card, "Yes, change it")
    assert "It is changed" in done
    assert isinstance(done, Seen)
    assert "It is changed" in await stage.ana.forged(done, button)
    assert [(each.rule, each.state) for each in await all_series(stage)] == [
        ("FREQ=WEEKLY;BYDAY=TU,TH", "ended"),
        ("FREQ=WEEKLY;BYDAY=MO", "active"),
    ]
    listed = await stage.ana.slash("/meeting list")
    assert listed.labels == ["Change", "Change"], "what was replaced is no longer shown"
