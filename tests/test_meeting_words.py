"""What members are written about meetings: the time in words and as their own clock shows it, neutral, translated."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from discord import ui
from test_reading import guild

from cogs._interactions import Card
from cogs._outbox import Post
from cogs.groups._ahead import add_ahead
from cogs.meetings import _letters as letters
from cogs.meetings._cards import board_card, meeting_card
from peerbot import times
from peerbot.meetings import MeetingView
from peerbot.news import AS_USUAL, MOVED, OFF, OTHER_ZONE, Change, News, Where
from peerbot.notices import ON_BOARD, Line, Notice
from peerbot.recurrence import Rule
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


NO_RULE = {"rule": None, "keeps_time": False, "off_at": None}


def told(*changes: Change, **others: object) -> News:
    usual = {"group_id": 1, "group_name": "Tuesday meeting", "changes": changes, "more": 0, "has_ended": False}
    return News(**{**usual, "goes_on": None, **NO_RULE, "dates": (AT,), "zone": MEETING.zone, **others})  # type: ignore[arg-type]


OFF_NOW = replace(MEETING, state="cancelled", why="one")
MOVED_NOW = replace(MEETING, starts_at=AT + timedelta(days=1), local=LOCAL + timedelta(days=1))


def test_a_reminder_says_the_name_and_the_time_and_nothing_else_of_the_group() -> None:
    words = letters.reminder_words(Reminder(MEETING, is_first=False, says_new=False), ENGLISH)
    assert words == f"**Tuesday meeting**: {WHEN}. You can just listen. Late is fine. So is not coming."


def test_the_first_time_it_says_what_to_expect() -> None:
    words = letters.reminder_words(Reminder(MEETING, is_first=True, says_new=False), ENGLISH)
    assert words.startswith(f"**Tuesday meeting**: {WHEN}. It is your first time. Come and listen: that is enough.")
    assert "It takes 90 minutes." in words


NEXT = (AT, AT + timedelta(days=7), AT + timedelta(days=14))
TO = "Wednesday, December 2, 6:30 pm (New York)"
SORRY = "No facilitator could come. I am sorry."


@pytest.mark.parametrize(
    ("change", "alone", "among"),
    [
        (Change(OFF_NOW, AS_USUAL), [f"is off on {WHEN}."], f"- {WHEN}: this one is off."),
        (
            Change(replace(OFF_NOW, why="nobody"), AS_USUAL),
            [f"is off on {WHEN}.", SORRY],
            f"- {WHEN}: no facilitator could come, so it is off.",
        ),
        (
            Change(MEETING, OTHER_ZONE),
            [f"is now on {WHEN}.", "The clocks it goes by have changed."],
            f"- The clocks it goes by have changed. This one is on {WHEN}.",
        ),
        (Change(MEETING, OFF), [f"is on, as usual: {WHEN}."], f"- {WHEN}: this one is on, as usual."),
        (
            Change(MOVED_NOW, AS_USUAL),
            [f"is now on {TO}", f"It was to be on {WHEN}."],
            f"- {WHEN}: this one is now on {TO}",
        ),
        (
            Change(replace(MOVED_NOW, state="over"), AS_USUAL),
            [f"was moved, and is over. It was on {TO}", f"It was to be on {WHEN}. I am sorry that I say it late."],
            f"- {WHEN}: this one was moved, and is over. It was on {TO}",
        ),
        (Change(replace(MOVED_NOW, state="cancelled"), MOVED), [f"is off on {TO}"], f"- {TO}"),
        (
            Change(replace(MOVED_NOW, state="cancelled"), AS_USUAL),
            [f"is off on {WHEN}."],
            f"- {WHEN}: this one is off.",
        ),
    ],
)
def test_one_change_says_itself_and_several_are_a_list_each_with_the_time_that_is_known(
    change: Change, alone: list[str], among: str
) -> None:
    said = letters.news_words(told(change, dates=NEXT), ENGLISH).splitlines()
    is_next = change.meeting == MEETING  # which is not said twice
    assert [line for line in said if line.startswith("Next")] == ([] if is_next else [f"Next: {WHEN}."])
    said = said if is_next else said[:-1]
    assert len(said) == len(alone)
    assert said[0].startswith(f"**Tuesday meeting** {alone[0]}")
    assert all(line.startswith(expected) for line, expected in zip(said[1:], alone[1:], strict=True))
    several = letters.news_words(told(change, Change(OFF_NOW, AS_USUAL), dates=NEXT), ENGLISH).splitlines()
    assert several[0] == "**Tuesday meeting**: some things have changed."
    assert several[1].startswith(among)
    assert several[-2:] == [f"Next: {WHEN}.", "Then: Tue, Dec 8, 6:30 pm; Tue, Dec 15, 6:30 pm."]


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (Where(77, has_link=False, meeting=MEETING), "<#77>."),
        (Where(None, has_link=False, meeting=MEETING), "the group's own room."),
        (Where(77, has_link=True, meeting=MEETING), "a new link. You see it shortly before the start."),
    ],
)
def test_a_new_place_is_said_with_the_way_there_and_never_with_a_link_before_its_time(where: Where, words: str) -> None:
    one = letters.news_words(told(where=where), ENGLISH).splitlines()
    assert one == [f"**Tuesday meeting** has a new place: {words}", "The time stays the same.", f"Next: {WHEN}."]
    among = letters.news_words(told(Change(MOVED_NOW, AS_USUAL), where=where), ENGLISH).splitlines()
    assert among[:2] == ["**Tuesday meeting**: some things have changed.", f"New place: {words}"]
    new = letters.news_words(told(Change(OFF_NOW, AS_USUAL), where=where, has_ended=True, goes_on=MEETING), ENGLISH)
    assert new.splitlines()[1] == f"New place: {words}"
    if where.has_link:
        linked = replace(where, meeting=replace(MEETING, link="https://meet.example/x", channel_id=77))
        for before, shown in ((16, "https://discord.com/channels/1/77"), (15, "https://meet.example/x")):
            post = letters.news_post(told(where=linked), guild(), ENGLISH, AT - timedelta(minutes=before))
            assert links(post) == [shown]


def test_a_new_time_and_an_end_are_said_without_a_list() -> None:
    gone = Change(OFF_NOW, AS_USUAL)
    anew = {"has_ended": True, "goes_on": MEETING, "rule": Rule("weekly", 2, (1,)), "dates": NEXT[::2]}
    rhythm = "From now on: Every 2 weeks on Tuesday, 6:30 pm (New York)."
    off = "The one on Tuesday, December 8, 6:30 pm (New York) is off."
    dates = [f"Next: {WHEN}.", "Then: Tue, Dec 15, 6:30 pm."]
    new = letters.news_words(told(gone, **anew, keeps_time=True, off_at=NEXT[1]), ENGLISH)
    assert new.splitlines() == [f"**Tuesday meeting** has new dates. {rhythm}", off, *dates]
    new = letters.news_words(told(gone, **anew), ENGLISH)
    assert new.splitlines() == [f"**Tuesday meeting** has a new time. {rhythm}", *dates]
    once = letters.news_words(told(gone, has_ended=True, goes_on=MEETING), ENGLISH)
    assert once == f"**Tuesday meeting** has a new time: {WHEN}."
    ended = letters.news_words(told(gone, has_ended=True, dates=()), ENGLISH)
    assert ended == "**Tuesday meeting**: the meetings at this time have ended.\nThere is no next date yet."


def test_of_a_group_that_has_closed_a_letter_and_the_cards_say_that_its_meetings_have_ended() -> None:
    words = letters.closed_post("Tuesday meeting", guild(), ENGLISH).words
    assert words.startswith("**Tuesday meeting** has closed. Its meetings have ended.")
    assert "/groups" in words
    card = meeting_card(Notice(OFF_NOW, (), "", has_link=False, is_last=True), guild(), ENGLISH)
    shown = "\n".join(each.content for each in card.walk_children() if isinstance(each, ui.TextDisplay))
    assert "The group has closed. Its meetings have ended." in shown
    assert "no next date" not in shown


def test_the_board_says_when_there_are_more_groups_than_it_shows() -> None:
    lines = [Line(number, f"Group {number}", AT, 1) for number in range(ON_BOARD + 1)]
    for several, more in ((lines[:-1], False), (lines, True)):
        items = list(board_card(several, guild(), ENGLISH).walk_children())
        shown = "\n".join(each.content for each in items if isinstance(each, ui.TextDisplay))
        assert len(items) <= 40
        assert ("More groups meet later." in shown) is more
        assert f"Group {ON_BOARD}" not in shown


def test_every_letter_is_translated_and_fits_even_with_the_longest_names() -> None:
    reader = Reader(PSEUDO, "Europe/Berlin")
    long = replace(MOVED_NOW, group_name="*" * 60)
    news = letters.news_words(told(*[Change(long, AS_USUAL)] * 5, group_name="*" * 60, more=47), reader)
    first = letters.reminder_words(Reminder(long, is_first=True, says_new=False), reader)
    start = letters.start_post(MEETING, guild(), reader, AT).words
    assert all(line.startswith("⟦") and line.endswith("⟧") for line in [*news.splitlines(), first, start])
    assert max(map(len, (news, first, start))) <= 2000


@pytest.mark.parametrize(
    ("before", "shown"), [(16, "https://discord.com/channels/1/9"), (15, "https://meet.example/x")]
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


def test_among_ones_own_what_is_off_is_said_with_when_the_group_meets_after_all_that_is_off() -> None:
    def shown(*several: MeetingView) -> list[str]:
        card = Card()
        add_ahead(card, [(each, None) for each in several], guild(), ENGLISH)
        (text,) = (each for each in card.walk_children() if isinstance(each, ui.TextDisplay))
        return text.content.splitlines()

    after = times.when(AT + timedelta(days=7), MEETING.zone, ENGLISH)
    off = "**Tuesday meeting**: Tue, Dec 1, 6:30 pm is off."
    assert shown(OFF_NOW) == [off, f"**Tuesday meeting**, next: {after}"]
    assert shown(OFF_NOW, replace(MEETING, group_id=2, link="https://meet.example/x", channel_id=77)) == [
        off, "**Tuesday meeting**", WHEN, "Where: behind a link. You see it shortly before the start.",
        f"**Tuesday meeting**, next: {after}",
    ]  # fmt: skip
    moved = shown(OFF_NOW, replace(MOVED_NOW, channel_id=77))
    assert moved[0] == off
    assert moved[2].startswith(TO)
    assert moved[3:] == ["Moved from Tue, Dec 1, 6:30 pm.", "Where: <#77>"]
