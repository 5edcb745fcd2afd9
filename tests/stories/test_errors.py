"""Trouble at every door: whoever uses one always gets a sentence, and the log says why without saying who."""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from peerbot import directory, groups
from peerbot.config import Secret
from peerbot.errors import DatabaseBusy
from peerbot.logs import Discreet
from peerbot.rehearsal.forms import Form
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.refusals import unknown
from peerbot.rehearsal.seen import NoAnswer, Seen, Shown
from tests.stories.stage import Stage

BUSY = "I'm busy right now. Nothing was changed. Please try again in a minute."
SAVED = "It is saved. I just can't show it right now."
WRONG = "Something went wrong on our side. You did nothing wrong. Reference: "
OLD_BUTTON = "This button is from an older time."
OLD_FORM = "This form is from an older time."
WELCOME = "You're in. Glad you are here."
NO_DATABASE = {"database_url": Secret("postgresql://nobody@127.0.0.1:1/nothing")}
"""A database that refuses every connection at once."""


@pytest.fixture
async def group(stage: Stage) -> Stage:
    """There are two groups of two topics."""
    await stage.new_group()
    await stage.new_group("Quiet hour", Topic="Rest")
    return stage


@asynccontextmanager
async def locked(stage: Stage) -> AsyncGenerator[None]:
    """Hold the one writer of the SQLite file, as soon as nobody else does."""
    file = str(stage.settings.url.database)
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    await asyncio.to_thread(connection.execute, "BEGIN IMMEDIATE")  # the bot must go on, to let go of it
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


async def without_database(stage: Stage) -> None:
    """Start the bot again with a database that does not answer."""
    stage.settings = replace(stage.settings, **NO_DATABASE)
    await stage.restart()


async def card_of(person: Person, name: str = "Tuesday meeting") -> Shown:
    """Have somebody look at a group."""
    return await person.press(await person.slash("/groups"), name)


async def test_every_door_has_a_sentence_when_the_database_is_gone(group: Stage) -> None:
    card, listed = await card_of(group.maya), await group.maya.slash("/groups")
    new, edit = await group.ana.slash("/group new"), await group.ana.slash("/group edit", group="Tuesday meeting")
    setup = await group.olive.slash("/setup")
    await without_database(group)
    assert BUSY in await group.maya.slash("/groups")
    assert BUSY in await group.maya.slash("/my")
    assert BUSY in await group.ana.slash("/group new")
    assert BUSY in await group.ana.slash("/group close", group="Tuesday meeting")
    assert BUSY in await group.olive.slash("/setup")
    assert BUSY in await group.maya.press(card, "Join")
    assert BUSY in await group.maya.press(group.panel_card(), "My groups")
    assert BUSY in await group.maya.choose(listed, "Choose a topic", "Rest")
    assert BUSY in await new.send({"Name": "Another"})
    assert BUSY in await edit.send({})
    assert BUSY in await setup.send({})
    assert await group.ana.autocomplete("/group edit", group="") == []
    assert await group.maya.autocomplete("/groups", topic="") == []
    assert "If you are in danger now" in await group.maya.press(group.panel_card(), "Help now")


async def test_a_writer_that_is_held_up_changes_nothing_and_says_so(group: Stage) -> None:
    agreement = await group.maya.press(await card_of(group.maya), "Join")
    form = await group.ana.slash("/group new")
    async with locked(group):
        answers = await asyncio.gather(group.maya.press(agreement, "I agree"), form.send({"Name": "Another"}))
        assert [BUSY in each for each in answers] == [True, True]
        assert "Tuesday meeting" in await group.sam.slash("/groups"), "reading goes on"
    assert not group.maya.can_see(group.room())
    assert "Another" not in await group.sam.slash("/groups")
    assert WELCOME in await group.maya.press(agreement, "I agree")


async def test_deliveries_go_on_when_the_database_is_back(group: Stage) -> None:
    agreement = await group.maya.press(await card_of(group.maya), "Join")
    room = group.room()
    held = group.discord.faults.hold("PUT", f"/channels/{room['id']}/permissions/{group.maya.user_id}")
    joining = asyncio.create_task(group.maya.press(agreement, "I agree"))
    await held.arrived.wait()
    async with locked(group):
        with group.requests() as made:
            held.release()
            await group.world.until(lambda: any(each.startswith("PUT") for each in made))
            await joining
    await group.world.settle()
    await group.later(seconds=10)
    assert group.maya.can_see(room)
    assert sum("Someone new is here" in seen for seen in group.posted(room)) == 1
    assert group.told() == []


async def test_a_removal_that_was_saved_is_not_called_unchanged(group: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await group.join(group.maya)
    person = await group.ana.choose(await group.people_of(), "Choose a person", "Maya")
    form = await group.ana.press(person, "Remove")

    async def away(*_args: object, **_details: object) -> None:
        raise DatabaseBusy

    with monkeypatch.context() as patch:
        patch.setattr(directory, "roster", away)
        assert SAVED in await form.send({})
        assert BUSY in await group.ana.slash("/group people", group="Tuesday meeting"), "this one saved nothing"
    await group.world.settle()
    assert not group.maya.can_see(group.room())


def broken(*_args: object, **_details: object) -> Awaitable[None]:
    """Fail as no rule should, with words and ids in the message as libraries put them there."""
    raise RuntimeError("row of 1574494410404528129 not found")


async def by_command(stage: Stage, patch: pytest.MonkeyPatch) -> Shown:
    """Use a command whose rule fails."""
    patch.setattr(directory, "page", broken)
    return await stage.maya.slash("/groups")


async def by_button(stage: Stage, patch: pytest.MonkeyPatch) -> Shown:
    """Press a button whose rule fails."""
    panel = stage.panel_card()
    patch.setattr(directory, "seats", broken)
    return await stage.maya.press(panel, "My groups")


async def by_menu(stage: Stage, patch: pytest.MonkeyPatch) -> Shown:
    """Choose in a menu whose rule fails."""
    listed = await stage.maya.slash("/groups")
    patch.setattr(directory, "page", broken)
    return await stage.maya.choose(listed, "Choose a topic", "Rest")


async def by_form(stage: Stage, patch: pytest.MonkeyPatch) -> Shown:
    """Send a form whose rule fails."""
    form = await stage.ana.slash("/group new")
    patch.setattr(groups, "create", broken)
    return await form.send({"Name": "Another"})


@pytest.mark.parametrize("door", [by_command, by_button, by_menu, by_form])
async def test_a_mistake_of_ours_is_a_sentence_with_a_reference_that_the_log_has_too(
    group: Stage,
    door: Callable[[Stage, pytest.MonkeyPatch], Awaitable[Shown]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    group.expected_errors = ["Interaction failed. Reference: "]
    seen = await door(group, monkeypatch)
    assert WRONG in seen
    assert seen.ephemeral
    reference = seen.text.split(WRONG)[1].strip()
    (record,) = [each for each in caplog.records if each.levelname == "ERROR"]
    line = Discreet("%(message)s").format(record)
    assert reference in line
    assert "RuntimeError" in line
    assert "in broken" in line, "the traceback is there"
    assert re.findall(r"\d{17,}|Maya|Ana|Another", line) == []


async def test_a_mistake_while_somebody_types_ends_with_no_suggestions(
    group: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    group.expected_errors = ["Autocomplete failed."]
    monkeypatch.setattr(directory, "choices", broken)
    assert await group.ana.autocomplete("/group edit", group="") == []


async def test_the_log_names_nobody_and_repeats_no_words(group: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await group.join(group.maya)
    await (await group.ana.slash("/group edit", group="Tuesday meeting")).send({"Topic": "Grief"})
    group.maya.leaves()
    await group.world.settle()
    await group.restart()
    await group.world.settle()
    lines = [Discreet("%(message)s").format(record) for record in caplog.records if record.name.startswith("peerbot")]
    ids = {str(person.user_id) for person in (group.maya, group.ana, group.olive)}
    for line in lines:
        assert not any(word in line for word in {"Maya", "Grief", "Tuesday", *ids}), line


MALFORMED = [
    "nothing",
    ":",
    "::::",
    "groups:look",
    "groups:look:",
    "groups:look:-1",
    "groups:look:1.1",
    "groups:look:1:1",
    "groups:look: 1",
    "groups:look:1\n",
    "groups:look:" + "9" * 88,
    "groups:agree:1",
    "groups:browse:x.0.",
    "groups:remove:1",
    "groups:remove:1.",
    "groups:topic:2",
    "groups:erase:1",
    "safety:help:ZZZ",
    "outbox:again:x",
    "form/groups:new/0-0/x",
    "x" * 100,
]


async def test_a_press_that_no_version_knows_is_answered(group: Stage) -> None:
    for custom_id in MALFORMED:
        seen = await group.maya.forged(group.panel_card(), custom_id)
        assert OLD_BUTTON in seen, custom_id
        assert seen.ephemeral


async def test_ids_of_what_is_not_here_are_answered_kindly(group: Stage) -> None:
    verbs = ("look", "join", "pause", "resume", "leave", "leave-sure", "close-sure", "post-card", "people", "new-room")
    for number in ("0", "999999999", "9" * 18):
        for verb in verbs:
            seen = await group.olive.forged(group.panel_card(), f"groups:{verb}:{number}")
            assert "I can't find that group." in seen, verb
    for custom_id in ("groups:let-back:1.999", "groups:browse:999.1.", "groups:browse:0.0.%_"):
        seen = await group.olive.forged(group.panel_card(), custom_id)
        assert WRONG not in seen, custom_id


@pytest.mark.parametrize("values", [[], ["x"], ["active"], ["active.x"], ["a.1.2"], ["member." + "9" * 90]])
async def test_choices_that_no_menu_offers_are_answered(group: Stage, values: list[str]) -> None:
    for custom_id in ("groups:person:1", "groups:topic:0"):
        seen = await group.ana.forged(group.panel_card(), custom_id, kind=3, values=values)
        assert WRONG not in seen, custom_id


async def test_a_menu_that_is_pressed_and_a_button_that_is_chosen_from_are_answered(group: Stage) -> None:
    assert OLD_BUTTON in await group.maya.forged(group.panel_card(), "groups:topic:0")
    seen = await group.maya.forged(group.panel_card(), "groups:mine:0", kind=3, values=["x"])
    assert "My groups" in seen


@pytest.mark.parametrize(
    "custom_id",
    [
        "nothing",
        "form",
        "form//",
        "form/nothing/1/x",
        "form/groups:new//x",
        "form/groups:new/1/x",
        "form/groups:new/a-b/x",
        "form/groups:edit/x/x",
        "form/groups:edit/-1/x",
        "form/groups:remove/1/x",
        "form/groups:add-facilitator/1.1/x",
        "form/setup:basics/9/x",
    ],
)
async def test_a_form_that_no_version_knows_is_answered(group: Stage, custom_id: str) -> None:
    form = await group.ana.slash("/group new")
    assert isinstance(form, Form)
    form.custom_id = custom_id
    assert OLD_FORM in await form.send({"Name": "Another"})


async def test_groups_of_another_server_do_not_exist_here(group: Stage) -> None:
    elsewhere = group.world.guild("Elsewhere", owner="Zoe")
    elsewhere.install(group.application, int(group.bot_role["permissions"]))
    role = elsewhere.add_role("Hosts")
    panel, staff = elsewhere.add_channel("find"), elsewhere.add_channel("hosts")
    zoe = Person(group.world, elsewhere.owner_id, elsewhere)
    await group.world.settle()
    form = await zoe.slash("/setup")
    fields = ("Who facilitates? (role)", "Where should members find groups?", "Where do facilitators talk?")
    await form.send(dict(zip(fields, (role, panel, staff), strict=True)) | {"Time zone": "Berlin"})
    created = await (await zoe.slash("/group new")).send({"Name": "Theirs"})
    assert isinstance(created, Seen)
    people = created.button("People")["custom_id"]
    group_id = people.rsplit(":", 1)[1]
    await group.world.settle()
    for custom_id in (people, *(f"groups:{verb}:{group_id}" for verb in ("look", "join", "close-sure", "post-card"))):
        assert "I can't find that group." in await group.olive.forged(group.panel_card(), custom_id)
    for words in ("Theirs", group_id):
        assert "I can't find that group." in await group.olive.slash("/group people", group=words)
    assert "Theirs" not in await group.maya.slash("/groups")
    assert await group.olive.autocomplete("/group edit", group="Theirs") == []
    assert "Theirs is open" in created


@pytest.mark.both_databases
async def test_old_buttons_menus_and_forms_work_after_a_restart(group: Stage) -> None:
    panel, listed = group.panel_card(), await group.maya.slash("/groups")
    agreement = await group.sam.press(await card_of(group.sam), "Join")
    new, edit = await group.ana.slash("/group new"), await group.ana.slash("/group edit", group="Tuesday meeting")
    setup = await group.olive.slash("/setup")
    await group.restart()
    assert "My groups" in await group.maya.press(panel, "My groups")
    assert "Quiet hour" in (await group.maya.choose(listed, "Choose a topic", "Rest")).labels
    assert WELCOME in await group.sam.press(agreement, "I agree")
    assert "Third room is open" in await new.send({"Name": "Third room"})
    assert "Changed." in await edit.send({"Seats": "7"})
    assert "This server is set up" in await setup.send({})
    await group.world.settle()
    assert group.sam.can_see(group.room())
    assert "1 of 7 seats taken" in await group.people_of()


async def test_two_people_fill_the_same_form_and_each_gets_their_own_answer(group: Stage) -> None:
    first, second = await group.ana.slash("/group new"), await group.joe.slash("/group new")
    assert "Of Joe is open" in await second.send({"Name": "Of Joe"})
    assert "Of Ana is open" in await first.send({"Name": "Of Ana"})
    assert await group.joe.autocomplete("/group edit", group="") == ["Of Joe"]


async def test_what_takes_long_is_put_off_after_a_second_and_then_answered(group: Stage) -> None:
    agreement = await group.maya.press(await card_of(group.maya), "Join")
    room = group.room()
    held = group.discord.faults.hold("PUT", f"/channels/{room['id']}/permissions/{group.maya.user_id}")
    await group.maya.tap(agreement, "I agree")
    assert "I agree" in group.maya.look(agreement).labels, "put off, not answered"
    held.release()
    await group.world.until(lambda: WELCOME in group.maya.look(agreement))
    await group.world.settle()
    assert group.maya.can_see(room)


async def test_a_slow_command_shows_that_something_is_coming(group: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, go_on, real = asyncio.Event(), asyncio.Event(), directory.page

    async def slow(*args: object, **details: object) -> object:
        asked.set()
        await go_on.wait()
        return await real(*args, **details)  # type: ignore[arg-type]

    monkeypatch.setattr(directory, "page", slow)
    waiting = asyncio.create_task(group.maya.slash("/groups"))
    await asked.wait()
    await group.world.until(lambda: any(seen.loading for seen in group.maya.sees()))
    go_on.set()
    assert "Tuesday meeting" in await waiting


async def test_an_interaction_that_expired_is_no_error(group: Stage) -> None:
    group.discord.faults.next("POST", "/interactions/{}/{}/callback", refusal=unknown("Interaction"))
    with pytest.raises(NoAnswer):
        await group.maya.slash("/groups")
    assert "Tuesday meeting" in await group.maya.slash("/groups")


async def test_a_server_error_of_discord_is_outlasted(group: Stage) -> None:
    group.discord.faults.next("POST", "/interactions/{}/{}/callback", status=502)
    assert "Tuesday meeting" in await group.maya.slash("/groups")


async def test_an_answer_that_discord_does_not_take_stops_nobody_else(group: Stage) -> None:
    group.expected_errors = ["Interaction failed. Reference: "]
    group.discord.faults.next("POST", "/interactions/{}/{}/callback", drop="before", times=2)
    with pytest.raises(NoAnswer):
        await group.maya.slash("/groups")
    assert "Tuesday meeting" in await group.sam.slash("/groups")
