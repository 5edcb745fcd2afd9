"""What members are written about meetings: the time in words and as their own clock shows it, neutral, translated."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from discord import ui
from test_reading import guild

from cogs._outbox import Post
from cogs.meetings import _letters as letters
from peerbot import times
from peerbot.meetings import MeetingView
from peerbot.news import AS_USUAL, MOVED, OFF, OTHER_ZONE, Change, News
from peerbot.reminders import Reminder
from peerbot.text import PSEUDO, Reader

AT = datetime(2026, 12, 1, 23, 30, tzinfo=UTC)
LOCAL = datetime(2026, 12, 1, 18, 30)
MEETING = MeetingView(
    12, 3, 1, "Tuesday meeting", 9, None, "", "", AT, AT + timedelta(minutes=90), "America/New_York", LOCAL, LOCAL,
    "planned", None, 1, 0, 0, None, AT + timedelta(days=7),
)  # fmt: skip
ENGLISH = Reader("en-US", "Europe/Berlin")
WHEN = times.when(AT, "America/New_York", ENGLISH)


def links(post: Post) -> list[str]:
    """Return where the link buttons of a message lead."""
    return [button.url for button in post.buttons if isinstance(button, ui.Button) and button.url]


def told(*changes: Change, **others: object) -> News:
    usual = {"group_id": 1, "group_name": "Tuesday meeting", "changes": changes, "more": 0, "has_ended": False}
    return News(**{**usual, "goes_on": None, "for_good": False, "next_at": AT, "zone": MEETING.zone, **others})  # type: ignore[arg-type]


OFF_NOW = replace(MEETING, state="cancelled", why="one")
MOVED_NOW = replace(MEETING, starts_at=AT + timedelta(days=1), local=LOCAL + timedelta(days=1))


def test_a_reminder_says_the_name_and_the_time_and_nothing_else_of_the_group() -> None:
    words = letters.reminder_words(Reminder(MEETING, is_first=False, says_new=False), ENGLISH)
    assert words == f"**Tuesday meeting**: {WHEN}. You can just listen. Late is fine. So is not coming."


def test_the_first_time_it_says_what_to_expect() -> None:
    words = letters.reminder_words(Reminder(MEETING, is_first=True, says_new=False), ENGLISH)
    assert words.startswith(f"**Tuesday meeting**: {WHEN}. It is your first time. Come and listen: that is enough.")
    assert "It takes 90 minutes." in words


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (Change(OFF_NOW, AS_USUAL), f"- {WHEN}: this one is off."),
        (Change(replace(OFF_NOW, why="nobody"), AS_USUAL), f"- {WHEN}: no facilitator could come, so it is off."),
        (Change(MEETING, OTHER_ZONE), f"- The clocks it goes by have changed. This one is on {WHEN}."),
        (Change(MEETING, OFF), f"- {WHEN}: this one is on, as usual."),
        (Change(MOVED_NOW, AS_USUAL), f"- {WHEN}: this one is now on Wednesday, December 2, 6:30 pm (New York)"),
        (Change(replace(MOVED_NOW, state="cancelled"), MOVED), "- Wednesday, December 2, 6:30 pm (New York)"),
        (Change(replace(MOVED_NOW, state="cancelled"), AS_USUAL), f"- {WHEN}: this one is off."),
    ],
)
def test_each_change_names_the_time_that_its_reader_knows(change: Change, line: str) -> None:
    lines = letters.news_words(told(change), ENGLISH).splitlines()
    assert lines[0] == "**Tuesday meeting**: something has changed."
    assert lines[1].startswith(line)
    assert lines[-1] == f"Next: {WHEN}."


def test_a_new_time_and_an_end_are_said_without_a_list() -> None:
    gone = Change(OFF_NOW, AS_USUAL)
    new = letters.news_words(told(gone, has_ended=True, goes_on=MOVED_NOW, for_good=True), ENGLISH)
    assert new.startswith("**Tuesday meeting** has a new time. From now on: Wednesday, December 2, 6:30 pm (New York)")
    assert "From now on" not in letters.news_words(told(gone, has_ended=True, goes_on=MOVED_NOW), ENGLISH)
    ended = letters.news_words(told(gone, has_ended=True, next_at=None), ENGLISH)
    assert ended == "**Tuesday meeting**: the meetings at this time have ended.\nThere is no next date yet."


def test_every_letter_is_translated_and_fits_even_with_the_longest_names() -> None:
    reader = Reader(PSEUDO, "Europe/Berlin")
    long = replace(MOVED_NOW, group_name="*" * 60)
    news = letters.news_words(told(*[Change(long, AS_USUAL)] * 5, group_name="*" * 60, more=47), reader)
    first = letters.reminder_words(Reminder(long, is_first=True, says_new=False), reader)
    start = letters.start_post(MEETING, guild(), reader, AT).words
    assert all(line.startswith("⟦") and line.endswith("⟧") for line in [*news.splitlines(), first, start])
    assert max(map(len, (news, first, start))) <= 2000


@pytest.mark.parametrize(
    ("before", "shown"), [(31, "https://discord.com/channels/1/9"), (30, "https://meet.example/x")]
)
def test_a_link_to_another_place_is_shown_only_near_the_start(before: int, shown: str) -> None:
    linked = replace(MEETING, link="https://meet.example/x")
    post = letters.reminder_post(
        Reminder(linked, is_first=False, says_new=False), guild(), ENGLISH, AT - timedelta(minutes=before)
    )
    assert links(post) == [shown]


def test_the_start_leads_to_where_it_takes_place_unless_that_is_here() -> None:
    here = letters.start_post(MEETING, guild(), ENGLISH, AT)
    voice = letters.start_post(replace(MEETING, channel_id=77), guild(), ENGLISH, AT)
    assert (len(here.buttons), links(here)) == (1, [])
    assert links(voice) == ["https://discord.com/channels/1/77"]
