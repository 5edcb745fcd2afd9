"""What stories of hellos do and look at: saying hello, asking, the private thread, the task thread and its cards."""

from __future__ import annotations

import pytest

from peerbot.rehearsal.people import Person
from peerbot.rehearsal.seen import Seen, Shown
from peerbot.rehearsal.wire import Wire
from tests.stories.stage import Stage

WHO = (
    "Who can read it: you, this group's facilitators, people who manage this server and take this on, "
    "people who can manage threads here, and the bot."
)


@pytest.fixture
async def hello(stage: Stage) -> Stage:
    """The stage with a group that asks for a hello, and Maya having said it."""
    await hello_group(stage)
    await says_hello(stage, stage.maya)
    stage.expected_mentions = ["Ana"]
    return stage


async def hello_group(stage: Stage, name: str = "Tuesday meeting", *, by: Person | None = None) -> None:
    """Have a facilitator create a group that asks for a hello."""
    form = await (by or stage.ana).slash("/group new", hello=True)
    await form.send({"Name": name, "How do you meet?": "Voice", "Seats": "12"})
    await stage.world.settle()


async def says_hello(stage: Stage, person: Person, name: str = "Tuesday meeting") -> Shown:
    """Have somebody join a group that asks for a hello; return what they see last."""
    before = await stage.join(person, name)
    assert WHO in before
    seen = await person.press(before, "Say hello")
    await stage.world.settle()
    return seen


async def asks(stage: Stage, person: Person, name: str = "Tuesday meeting") -> Shown:
    """Have somebody ask a group first; return what they see last."""
    before = await person.press(await person.press(await person.slash("/groups"), name), "Ask first")
    assert WHO in before
    seen = await person.press(before, "Open a private thread")
    await stage.world.settle()
    return seen


def threads_of(person: Person) -> list[Wire]:
    """Return the private threads that somebody sees."""
    return [each for each in person.channels() if each["name"].startswith("Hello ")]


def thread_of(person: Person) -> Wire:
    """Return the one private thread that somebody sees."""
    (thread,) = threads_of(person)
    return thread


def said(stage: Stage, thread: Wire) -> list[Seen]:
    """Return what the bot wrote in a thread, the oldest first."""
    return [seen for seen in stage.posted(thread) if seen.author_id == stage.application.bot_id and seen.text]


def board(stage: Stage) -> Wire:
    """Return the task thread."""
    (found,) = [each for each in stage.guild.threads.values() if each["name"] == "Tasks"]
    return found


def tasks_shown(stage: Stage) -> list[Seen]:
    """Return the cards of the task thread, the oldest first."""
    return [seen for seen in said(stage, board(stage)) if "Hello" in seen or "Question" in seen]


def task_card(stage: Stage) -> Seen:
    """Return the one card of the task thread."""
    (card,) = tasks_shown(stage)
    return card
