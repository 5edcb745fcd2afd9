"""What is typed to find a meeting, or to move it."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta

import pytest
from test_meeting_words import ENGLISH, MEETING

from cogs.meetings import _forms as forms
from cogs.meetings import _plan_buttons as buttons
from cogs.meetings._singles import SEARCHED, fitting
from peerbot.errors import NotValid

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
TUESDAY = date(2026, 11, 3)


def read(text: str) -> datetime:
    return forms.read_moment(text, now=NOW, zone="Europe/Berlin", day=TUESDAY)


@pytest.mark.parametrize("typed", ["7 pm", "19:00", "at 7 pm", "7:00 PM."])
def test_a_time_alone_moves_a_meeting_on_its_own_day(typed: str) -> None:
    assert read(typed) == datetime(2026, 11, 3, 19)
    assert read("today 7 pm") == datetime(2026, 11, 2, 19), "a day that is written counts"


@pytest.mark.parametrize(
    "typed",
    ["every other thursday 6:30 pm", "soon 7 pm", "every second friday 7 pm", "fifth monday 7 pm"],
)
def test_what_cannot_be_read_as_one_moment_is_refused_with_examples_that_can(typed: str) -> None:
    with pytest.raises(NotValid) as refused:
        read(typed)
    said = ENGLISH.say(refused.value.text)
    examples = said.split("**")[1::2]
    assert len(examples) == 2
    assert [read(each) for each in [*examples, *forms.MOVE_EXAMPLE.split(", or ")]]


def test_a_time_alone_on_a_day_that_is_over_is_refused() -> None:
    with pytest.raises(NotValid, match="has passed"):
        forms.read_moment("7 am", now=NOW, zone="Europe/Berlin", day=NOW.date())


@pytest.mark.parametrize("typed", ["t " * 3000, "m " * 3000, "t" * 6000, ", " * 3000])
def test_no_text_to_find_a_meeting_by_holds_everyone_up(typed: str) -> None:
    fitting([MEETING], typed, ENGLISH)  # what is worked out once
    views = [MEETING] * SEARCHED
    names = time.process_time()
    fitting(views, "tuesday", ENGLISH)
    usual = time.process_time() - names
    begun = time.process_time()
    fitting(views, typed, ENGLISH)
    assert time.process_time() - begun < 3 * usual + timedelta(milliseconds=20).total_seconds()


def test_a_meeting_is_found_by_words_of_its_name_and_date_in_any_order() -> None:
    assert fitting([MEETING], "dec tues, 1", ENGLISH) == [MEETING]
    assert fitting([MEETING], "dec 2", ENGLISH) == []


def test_nothing_beside_a_question_is_called_cancel() -> None:
    assert buttons.DropButton(0, ENGLISH).label == "No, leave it"
