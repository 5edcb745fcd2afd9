"""What people read: plain, translated, without blame, with a label on everything that can be pressed."""

from __future__ import annotations

import ast
import re
import unicodedata
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import discord
import pyphen
import pytest
from discord import ui

from cogs._interactions import COMPONENTS, PersistentButton, PersistentSelect
from cogs._reach import OPEN_DMS as CLOSED
from cogs._reach import messages_card
from cogs.desk import _cards as desk
from cogs.groups import _buttons as buttons
from cogs.groups import _cards as cards
from cogs.groups import _hello_cards as hello_cards
from cogs.groups import _line_cards as line_cards
from cogs.groups import _resting as resting
from cogs.groups import _stepping as stepping
from cogs.groups._people import ROOM_LATER
from cogs.meetings import _cards as meeting_cards
from cogs.meetings import _hosting_cards as hosting
from cogs.meetings import _plan_cards as plan_cards
from cogs.meetings._codes import Draft
from cogs.setup import setup_card
from peerbot.debriefs import Said
from peerbot.directory import GroupView, Page, Person, Roster, Seat, Tended
from peerbot.facilitators import Leaving
from peerbot.groups import SeatChange
from peerbot.hosting import Hosts
from peerbot.joining import Asked, Joined
from peerbot.meetings import MeetingView
from peerbot.models import Guild
from peerbot.notices import ON_BOARD, Choices, Line, Notice
from peerbot.pauses import Rest
from peerbot.reach import Habits
from peerbot.recurrence import Rule, occurrences
from peerbot.seats import Place
from peerbot.setup import Agreement
from peerbot.sheets import Sheet
from peerbot.tasks import LISTED, Desk, TaskView
from peerbot.text import PSEUDO, Reader, _
from peerbot.timetables import Clash, Plan, Preview

ROOT = Path(__file__).parents[1]
SOURCES = [*(ROOT / "peerbot").glob("*.py"), *(ROOT / "cogs").rglob("*.py")]
GRADE = 6
HARDEST = 9.5
SHAME = re.compile(
    r"\b(absent|missed|failed to|streak|rank|late again|no-show|must|forbidden|illegal|invalid)\b", re.IGNORECASE
)
PSEUDO_READER = Reader(PSEUDO)
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
VIEW = GroupView(1, "Tuesday", "About us", "Sleep", "voice", 12, 3, is_open=True, facilitator_ids=(5,))
FULL = GroupView(2, "Owls", "", "", "text", 1, 1, is_open=True, waiting=2, ahead=2)
HELLO = replace(VIEW, hello_first=True)
WORDS = Agreement("1.1", "we call somebody", "evenings")


def guild() -> Guild:
    return Guild(
        guild_id=1,
        facilitator_role_id=2,
        panel_channel_id=3,
        staff_channel_id=4,
        time_zone="UTC",
        locale="en-US",
        help_countries="US",
        danger_policy="",
        reading_hours="",
        words_version=1,
        cancels_empty=True,
        created_at=NOON,
    )


@cache
def sentences() -> list[str]:
    """Return every text that is marked for translation."""
    found: list[str] = []
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"_", "n_"}:
                found += [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    return found


@cache
def hyphens() -> pyphen.Pyphen:
    return pyphen.Pyphen(lang="en_US", left=1, right=1)


def grade(text: str) -> float:
    """Return the Flesch-Kincaid grade: the years of school that reading it takes (Kincaid et al., 1975)."""
    words = re.findall(r"[A-Za-z']+", text)
    parts = [part for part in re.split(r"[.!?:;\n]+", text) if re.search(r"[A-Za-z]", part)]
    syllables = sum(len(hyphens().positions(word)) + 1 for word in words)
    return 0.39 * len(words) / max(len(parts), 1) + 11.8 * syllables / max(len(words), 1) - 15.59


def readable(text: str) -> str:
    return re.sub(r"\{\w+\}", "it", text).replace("*", "").replace("/", "")


def test_all_words_together_read_at_grade_six_or_below() -> None:
    assert grade("\n".join(readable(text) for text in sentences())) <= GRADE


def test_no_text_is_hard_to_read() -> None:
    assert [text for text in sentences() if len(text.split()) > 7 and grade(readable(text)) > HARDEST] == []


def test_the_grade_can_tell_hard_words_from_plain_ones() -> None:
    assert grade("You can rest. Your seat is safe.") < 3
    assert grade("Participation necessitates acknowledgement of organisational confidentiality.") > 15


def test_no_text_blames_anyone() -> None:
    assert [text for text in sentences() if SHAME.search(text)] == []


def test_no_text_begins_with_or_is_only_a_picture() -> None:
    begins = [text.lstrip("#*-_ ")[:1] for text in sentences()]
    assert [sign for sign in begins if sign and unicodedata.category(sign) == "So"] == []


def test_every_button_has_words() -> None:
    for kind in COMPONENTS.values():
        if issubclass(kind, PersistentButton):
            assert re.search(r"[A-Za-z]{2}", kind.words.message), kind
            assert len(kind.words.message) <= 80


def test_every_button_and_menu_does_something() -> None:
    idle = (PersistentButton.press, PersistentSelect.choose)
    assert [verb for verb, kind in COMPONENTS.items() if getattr(kind, "press", None) in idle] == []
    assert [verb for verb, kind in COMPONENTS.items() if getattr(kind, "choose", None) in idle] == []


def texts(view: ui.LayoutView) -> list[str]:
    """Return every line, label, option and placeholder of a card."""
    found: list[str] = []
    for item in view.walk_children():
        if isinstance(item, ui.TextDisplay):
            found += item.content.splitlines()
        elif isinstance(item, ui.Button):
            found.append(item.label or "")
        elif isinstance(item, ui.Select):
            found += [item.placeholder or "", *(option.description or "" for option in item.options)]
    return [text for text in found if text]


ROSTER = Roster(
    VIEW,
    (
        Person(1, 11, "active"),
        Person(2, 12, "paused"),
        Person(5, 16, "offered", number=1),
        Person(6, 17, "waiting", number=2),
        Person(3, 13, "removed", "asked"),
    ),
    (Person(4, 14, "facilitator"),),
)
NAMES = cards.Names({11: "Maya", 12: "Sam", 13: "Lee", 14: "Ana", 16: "Kim", 17: "Joe"})
SEATS = (
    Seat(1, "Tuesday", 9, is_open=True, is_let_in=True, paused_until=None),
    Seat(2, "Owls", 9, is_open=True, is_let_in=True, paused_until=NOON),
    Seat(3, "Old", None, is_open=False, is_let_in=False, paused_until=None),
    Seat(4, "New", None, is_open=True, is_let_in=False, paused_until=None),
    Seat(5, "Hill", None, is_open=True, is_let_in=False, paused_until=None, state="hello", thread_id=8),
)
PLACES = (
    Place(5, "Rest", 1, offered_until=NOON, can_take=True, reach=None),
    Place(6, "Walk", 2, offered_until=None, can_take=False, reach="thread"),
    Place(7, "Read", 12, offered_until=None, can_take=False, reach="none"),
    Place(8, "Draw", 3, offered_until=None, can_take=True, reach="dm"),
)
TENDED = (
    Tended(9, "Tuesday", 9, is_open=True, may_act=True),
    Tended(10, "Owls", None, is_open=True, may_act=False),
    Tended(11, "Old", 9, is_open=False, may_act=True),
)
SAYING_HELLO = (Seat(6, "Sea", None, is_open=True, is_let_in=False, paused_until=None, state="hello"),)
TASK = TaskView(7, "hello", 1, "Tuesday", NOON, 8, 14, NOON, None, None, is_away=True, channel_id=3, message_id=4)
ASKED = replace(TASK, task_id=8, kind="ask", thread_id=None, claimed_by=None, is_away=False)
TASKS = tuple(replace(TASK, task_id=task_id) for task_id in range(LISTED - 1))
TUESDAYS = Rule("weekly", 2, (1, 3), until=date(2028, 1, 1))
PLAN = Plan(1, datetime(2027, 3, 9, 18, 30), TUESDAYS, 90, 7, "https://example.org/_a", "Sleep")
LOOK = Preview(
    "Tuesday",
    "America/New_York",
    tuple(occurrences(Rule("weekly", weekdays=(6,)), datetime(2027, 3, 14, 2, 30), "America/New_York",
                      after=NOON, limit=3)),
    "gap",
    None,
    (Clash("Tuesday", NOON, same_group=True), Clash("Owls", NOON, same_group=False)),
)  # fmt: skip
TWICE = replace(LOOK, next=tuple(occurrences(Rule("weekly", weekdays=(6,)), datetime(2027, 11, 7, 1, 30),
                                             "America/New_York", after=NOON, limit=3)))  # fmt: skip
DESK_MEETING = MeetingView(
    1, 1, 1, "Tuesday", 9, None, "", "", NOON, NOON, "UTC", datetime(2026, 12, 1, 12), datetime(2026, 12, 1, 12),
    "planned", None, 1, 3, 1, None, None,
)  # fmt: skip
DESK_MOVED = replace(DESK_MEETING, meeting_id=2, original=datetime(2026, 12, 2, 12))
DESK_OFF = replace(DESK_MEETING, meeting_id=3, state="cancelled", why="one")


def planning_cards(reader: Reader) -> dict[str, ui.LayoutView]:
    """Return the cards on which facilitators plan meetings."""
    once = Rule("once")
    many = [replace(each, meeting_id=n) for n, each in enumerate((DESK_MEETING, DESK_MOVED, DESK_OFF) * 2)]
    opening = _("## It is scheduled")
    return {
        "desk, plan": plan_cards.echo_card(PLAN, LOOK, 0, reader),
        "desk, plan instead": plan_cards.echo_card(replace(PLAN, link=""), TWICE, 5, reader, place_gone=True),
        "desk, phrase refused": plan_cards.refused_card(
            _("It is scheduled"), Draft(1), "every tuesday", "https://x.org/_a", reader
        ),
        "desk, planned": plan_cards.scheduled_card(
            opening, "Tuesday", TUESDAYS, reader, first=NOON, series_id=1, zone="UTC"
        ),
        "desk, cancel": plan_cards.cancel_card(DESK_MOVED, TUESDAYS, reader),
        "desk, cancel once": plan_cards.cancel_card(DESK_OFF, once, reader),
        "desk, change": plan_cards.change_card(DESK_MOVED, TUESDAYS, reader),
        "desk, change once": plan_cards.change_card(DESK_MEETING, once, reader),
        "desk, move": plan_cards.move_card(DESK_MEETING, datetime(2027, 3, 14, 2, 30), LOOK, reader),
        "desk, meetings": plan_cards.list_card(many, reader, page=1, has_more=True),
        "desk, no meetings": plan_cards.list_card((), reader),
    }


ROOM_MEETING = MeetingView(
    1, 1, 1, "Tuesday", 9, None, "", "Sleep", NOON, NOON + timedelta(hours=1), "Europe/Berlin",
    datetime(2026, 12, 1, 13), datetime(2026, 12, 1, 13), "planned", None, 1, 3, 1, None, NOON + timedelta(days=7),
)  # fmt: skip
ROOM_MOVED = replace(ROOM_MEETING, meeting_id=2, original=datetime(2026, 12, 2, 13), channel_id=8)
ROOM_OFF = replace(ROOM_MEETING, state="cancelled")
LAST = replace(ROOM_OFF, next_at=None)
OVER = replace(ROOM_MEETING, state="over")
BOARD = tuple(Line(number, "Tuesday", NOON, number) for number in range(ON_BOARD + 1))
AHEAD = ((ROOM_MEETING, "going"), (ROOM_MOVED, "cant"), (replace(ROOM_MEETING, meeting_id=3), None))
MANY = tuple(replace(seat, group_id=seat.group_id + 10 * more) for more in range(2) for seat in SEATS)


def meetings_of(here: Guild, reader: Reader) -> dict[str, ui.LayoutView]:
    def card(meeting: MeetingView, link: str = "", *hosts: int, has_link: bool = False) -> ui.LayoutView:
        notice = Notice(meeting, hosts, link, has_link or bool(link))
        return meeting_cards.meeting_card(notice, here, reader)

    def choices(meeting: MeetingView, answer: str | None, *, may_see: bool = False) -> ui.LayoutView:
        mine = Choices(meeting, answer, may_see, is_over=meeting.state == "over")
        return meeting_cards.choices_card(mine, here, reader, _("Saved."))

    people = {"going": [11, 12], "cant": list[int]()}
    return {
        "meeting": card(ROOM_MEETING, "", 14, 16, 17),
        "meeting, moved": card(ROOM_MOVED, "", 14),
        "meeting with a link": card(ROOM_MEETING, has_link=True),
        "meeting with its link": card(ROOM_MEETING, "https://meet.example/1"),
        "meeting that is off": card(ROOM_OFF),
        "last meeting that is off": card(LAST),
        "meeting that is over": card(OVER),
        "board": meeting_cards.board_card(BOARD, here, reader),
        "empty board": meeting_cards.board_card((), here, reader),
        "choices": choices(ROOM_MEETING, None),
        "choices, going": choices(ROOM_MEETING, "going", may_see=True),
        "choices, can't": choices(ROOM_MOVED, "cant"),
        "choices, off": choices(ROOM_OFF, "going"),
        "choices, over": choices(OVER, None),
        "answered": meeting_cards.answered_card(ROOM_MEETING, people, here, reader),
        "calendar file": meeting_cards.file_card(b"BEGIN", here, reader),
        "mine, meetings ahead": cards.mine_card(MANY, here, reader, ahead=AHEAD, asks=[(1, "Tuesday", 8)]),
        "mine, all off": cards.mine_card(SEATS, here, reader, ahead=((ROOM_OFF, None),)),
        **cards_of_rest(here, reader),
    }


HOSTED = MeetingView(
    meeting_id=3, series_id=2, group_id=1, group_name="Tuesday", room_id=9, channel_id=8, link="", topic="",
    starts_at=NOON, ends_at=NOON, zone="America/New_York", local=NOON.replace(tzinfo=None),
    original=NOON.replace(tzinfo=None), state="planned", why=None, rev=1, going=2, cant=1, here_at=None, next_at=NOON,
)  # fmt: skip
HOSTS = Hosts(HOSTED, (11, 12), wanted=False, covered_by=None, on_the_way=None)
ALONE = replace(HOSTS, user_ids=(11,), wanted=True, on_the_way=12)
SAID = Said(HOSTED, frozenset({"fine", "cover"}), NOON)
SHEET = Sheet(HOSTED, WORDS, new=(13,), round=tuple(range(11, 26)))


def cards_of_hosts(here: Guild, reader: Reader) -> dict[str, ui.LayoutView]:
    return {
        "desk, hosts": hosting.hosts_card(HOSTS, reader),
        "desk, one host": hosting.hosts_card(ALONE, reader),
        "desk, nobody hosts": hosting.hosts_card(replace(HOSTS, user_ids=()), reader),
        "desk, hosts of a cancelled meeting": hosting.hosts_card(
            replace(HOSTS, meeting=replace(HOSTED, state="cancelled")), reader
        ),
        "run sheet": hosting.sheet_card(SHEET, here, reader, seed=7, turn=16),
        "run sheet, nobody said that they come": hosting.sheet_card(
            replace(SHEET, new=(), round=(), agreement=Agreement("1.1", "", "")), here, reader, seed=7, turn=3
        ),
        "debrief": hosting.debrief_card(SAID, here, reader),
        **{
            f"debrief, {word}": hosting.debrief_card(SAID, here, reader, hosting.answers_to(word, SAID, reader))
            for word in hosting.WORDS
        },
        "debrief, talk first": hosting.talk_card(SAID, here, reader),
        "step back": stepping.sure_card(Leaving(1, "Tuesday", is_last=True), here, reader),
    }


REST = Rest(1, "Tuesday", NOON)


def cards_of_rest(here: Guild, reader: Reader) -> dict[str, ui.LayoutView]:
    ways = line_cards.ways(here, reader, in_server=False)
    return {
        "back": resting.back_card("Tuesday", 9, AHEAD, here, reader, is_here=True),
        "back, in a DM": resting.back_card("Tuesday", None, ((ROOM_OFF, None),), here, reader, is_here=False),
        "rest on": resting.rest_card(REST, here, reader),
        "leave after a rest": resting.sure_card("Tuesday", 1, here, reader),
        "left after a rest": cards.left_card("Tuesday", here, reader, is_closed=True, ways=ways),
    }


def desk_cards(reader: Reader) -> dict[str, ui.LayoutView]:
    return {
        "desk": desk.desk_card(Desk((*TASKS, ASKED), 3, None, 2), reader, ROOM_LATER),
        "desk, off duty": desk.desk_card(Desk((), 0, NOON, 1), reader),
        "desk, practice": desk.practice_card("start", reader),
        "desk, sure": desk.sure_card(TASK, reader),
    }


@cache
def every_card(reader: Reader) -> dict[str, ui.LayoutView]:
    here = guild()
    page = Page((VIEW, FULL), 1, has_more=True)
    empty = Page((), 0, has_more=False)
    agree = buttons.AgreeButton("1.1.1", reader)
    asked = Asked(here, VIEW.name, WORDS)
    joined = Joined(here, SeatChange("Tuesday", 9, access_id=1, member_id=1), next_at=None, asks=False)
    return {
        "group": cards.group_card(VIEW, here, reader, private=True),
        "full group": cards.group_card(FULL, here, reader, private=False),
        "agreement": cards.agreement_card(asked, reader, agree=agree, back=buttons.NotNowButton(1, reader)),
        "plain agreement": cards.agreement_card(
            replace(asked, words=Agreement("1.1", "", "")), reader, agree=agree, back=None, waits=True
        ),
        "welcome": cards.welcome_card(joined, reader, is_open=True),
        "waiting": cards.welcome_card(joined, reader, is_open=False),
        "welcome, asked": cards.welcome_card(replace(joined, next_at=NOON, asks=True), reader, is_open=True),
        "messages": messages_card(Habits("dm", None, "Europe/Berlin", None, None), here, reader, []),
        "messages, all": messages_card(
            Habits("thread", "Asia/Tokyo", "Europe/Berlin", 8, None, "1440 60 10"), here, reader, [CLOSED]
        ),
        "messages, none": messages_card(Habits("none", None, "Europe/Berlin", None, None, "60"), here, reader, []),
        "full": cards.full_card(FULL, page, here, reader, line_cards.ways(here, reader, in_server=True)),
        "full everywhere": cards.full_card(FULL, None, here, reader, line_cards.ways(here, reader, in_server=False)),
        "browse": cards.browse_card(page, here, reader, topics=["Sleep", "Work"], free=True, topic="Sleep"),
        "none": cards.browse_card(empty, here, reader, topics=[], free=False, topic=""),
        "panel": cards.panel_card(page, here, reader, reader.say(cards.MEETS_BY["voice"])),
        "empty panel": cards.panel_card(empty, here, reader, reader.say(cards.MEETS_BY["voice"])),
        "place": line_cards.place_card(PLACES[1], page, here, reader, _("That is fine. You keep your place.")),
        "place, twelfth": line_cards.place_card(PLACES[2], None, here, reader),
        "place with an offer": line_cards.place_card(PLACES[0], page, here, reader),
        "place with a seat that nobody wants": line_cards.place_card(PLACES[3], page, here, reader),
        "sure to leave the line": line_cards.leave_line_card(PLACES[0], here, reader),
        "left the line": line_cards.left_line_card("Tuesday", here, reader, in_server=False),
        "mine, in line": cards.mine_card((*PLACES, *SEATS), here, reader),
        "mine, in line only": cards.mine_card((PLACES[0],) * 1 + PLACES[1:], here, reader, page=9),
        "mine": cards.mine_card(SEATS, here, reader),
        "mine, looked after": cards.mine_card(TENDED, here, reader),
        "no groups": cards.mine_card((), here, reader),
        "sure": cards.sure_card("Tuesday", 1, here, reader),
        "left": cards.left_card("Tuesday", here, reader, is_closed=False),
        "people": cards.people_card(ROSTER, NAMES, [15], reader, ROOM_LATER),
        "people, no room": cards.people_card(replace(ROSTER, has_room=False), NAMES, [], reader),
        "people, closed": cards.people_card(replace(ROSTER, group=replace(VIEW, is_open=False)), NAMES, [], reader),
        "people, names not loaded": cards.people_card(ROSTER, cards.Names(None), [], reader),
        "setup": setup_card(reader, here, []),
        "group with a hello": cards.group_card(HELLO, here, reader, private=True),
        "ask first": hello_cards.ask_card(VIEW, here, reader),
        "hello": hello_cards.hello_card(HELLO, "1.1", here, reader),
        "thread": hello_cards.thread_card(8, here, reader, failed=False, is_hello=True),
        "thread on its way": hello_cards.thread_card(None, here, reader, failed=False, is_hello=False),
        "thread failed": hello_cards.thread_card(None, here, reader, failed=True, is_hello=True),
        "saying hello": cards.mine_card(SAYING_HELLO, here, reader, asks=[(1, "Tuesday", 8)]),
        "asked": cards.mine_card((), here, reader, asks=[(1, "Tuesday", 8)]),
        "take back": hello_cards.take_back_card(SAYING_HELLO[0], here, reader),
        **desk_cards(reader),
        **meetings_of(here, reader),
        **planning_cards(reader),
        **cards_of_hosts(here, reader),
    }


TYPED = {
    "Sleep",
    "Work",
    "Maya",
    "Sam",
    "Lee",
    "Ana",
    "Kim",
    "Joe",
    "every tuesday",
    "https\\://example.org/\\_a",
    "https\\://x.org/\\_a",
}


@pytest.mark.parametrize("name", sorted(every_card(Reader())))
async def test_every_line_of_every_card_can_be_translated(name: str) -> None:
    for text in texts(every_card(PSEUDO_READER)[name]):
        assert text.startswith("⟦") or text.endswith("⟧") or text in TYPED, text


@pytest.mark.parametrize("name", sorted(every_card(Reader())))
async def test_every_card_that_a_member_sees_leads_to_help(name: str) -> None:
    labels = [item.label for item in every_card(Reader())[name].walk_children() if isinstance(item, ui.Button)]
    assert "Help now" in labels or name.startswith(("people", "desk")) or name == "setup"


@pytest.mark.parametrize("name", sorted(every_card(Reader())))
async def test_every_card_keeps_discords_limits(name: str) -> None:
    card = every_card(Reader())[name]
    assert card.total_children_count <= 40
    assert card.content_length() <= 4000
    ids = [
        item.custom_id for item in card.walk_children() if isinstance(item, (ui.Button, ui.Select)) and item.custom_id
    ]
    assert len(ids) == len(set(ids))
    assert all(option.label for item in card.walk_children() if isinstance(item, ui.Select) for option in item.options)
    assert isinstance(card, discord.ui.LayoutView)
