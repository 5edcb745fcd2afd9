"""Interactions as an application meets them over HTTP: deadlines, tokens, answers of every kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine
from datetime import timedelta
from typing import Any, Protocol

import aiohttp
import pytest

from peerbot.clock import Clock
from peerbot.rehearsal import commands, people
from peerbot.rehearsal.application import Application
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.interactions import Interaction
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.seen import NoAnswer, Seen, Shown
from peerbot.rehearsal.server import Discord
from peerbot.rehearsal.wire import PUBLIC_THREAD
from peerbot.rehearsal.world import World

EPHEMERAL, LOADING = 64, 128
HELLO = {"type": 4, "data": {"content": "hello"}}
PRESS = [{"type": 1, "components": [{"type": 2, "style": 1, "label": "Press", "custom_id": "press"}]}]
MODAL = {
    "type": 9,
    "data": {
        "title": "A form",
        "custom_id": "form",
        "components": [{"type": 18, "label": "Name", "component": {"type": 4, "style": 1, "custom_id": "name"}}],
    },
}


class Ask(Protocol):
    """Send a request below /api/v10 and return its status and body."""

    async def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]: ...


@pytest.fixture
async def ask(standin: Discord) -> AsyncIterator[Ask]:
    async with aiohttp.ClientSession() as session:

        async def send(method: str, path: str, body: Any = None) -> tuple[int, Any]:
            async with session.request(method, f"{standin.url}/api/v10{path}", json=body) as response:
                return response.status, await response.json() if response.status != 204 else None

        yield send


@pytest.fixture
def maya(world: World, guild: Guild, application: Application) -> Person:
    """A member who is offered /hello."""
    commands.replace_all(world, application, None, [{"name": "hello", "description": "Say hello"}])
    return people.join(world, guild, "Maya")


@pytest.fixture
def leo(world: World, guild: Guild) -> Person:
    return people.join(world, guild, "Leo")


async def opened(world: World, deed: Coroutine[Any, Any, Shown]) -> tuple[Interaction, asyncio.Task[Shown]]:
    """Begin what a person does, and return the interaction before it is answered."""
    before = set(world.open_interactions)
    task = asyncio.create_task(deed)
    [interaction] = await world.until(lambda: world.open_interactions - before)
    return interaction, task


def callback(interaction: Interaction) -> str:
    return f"/interactions/{interaction.id}/{interaction.token}/callback"


def webhook(interaction: Interaction, rest: str = "") -> str:
    return f"/webhooks/{interaction.application.id}/{interaction.token}{rest}"


async def answered(world: World, ask: Ask, deed: Coroutine[Any, Any, Shown], body: Any) -> tuple[Interaction, Shown]:
    interaction, task = await opened(world, deed)
    status, refusal = await ask("POST", callback(interaction), body)
    assert status == 204, refusal
    return interaction, await task


async def code_of(answer: Awaitable[tuple[int, Any]]) -> tuple[int, int]:
    status, body = await answer
    return status, body["code"]


async def test_a_reply_is_seen_by_everyone_in_the_channel(world: World, ask: Ask, maya: Person, leo: Person) -> None:
    _, reply = await answered(world, ask, maya.slash("/hello"), HELLO)

    assert reply.text == "hello"
    assert [each.text for each in leo.sees()] == ["hello"]
    assert leo.sees()[0].wire["interaction_metadata"]["user"]["id"] == str(maya.user_id)


async def test_an_ephemeral_reply_is_seen_by_nobody_else(world: World, ask: Ask, maya: Person, leo: Person) -> None:
    body = {"type": 4, "data": {"content": "hello", "flags": EPHEMERAL}}
    _, reply = await answered(world, ask, maya.slash("/hello"), body)

    assert reply.ephemeral
    assert [each.text for each in maya.sees()] == ["hello"]
    assert leo.sees() == []
    with pytest.raises(AssertionError, match="no longer sees"):
        leo.look(reply)


async def test_a_second_callback_is_refused(world: World, ask: Ask, maya: Person) -> None:
    interaction, _ = await answered(world, ask, maya.slash("/hello"), HELLO)

    assert await code_of(ask("POST", callback(interaction), HELLO)) == (400, 40060)


async def test_after_three_seconds_the_person_is_told_and_the_callback_is_refused(
    world: World, ask: Ask, maya: Person
) -> None:
    interaction, task = await opened(world, maya.slash("/hello"))

    with pytest.raises(NoAnswer, match="did not respond"):
        await task
    assert await code_of(ask("POST", callback(interaction), HELLO)) == (404, 10062)
    await world.settle()


async def test_an_unknown_token_is_refused(world: World, ask: Ask, maya: Person, application: Application) -> None:
    interaction, _ = await answered(world, ask, maya.slash("/hello"), HELLO)

    assert await code_of(ask("POST", f"/interactions/{interaction.id}/wrong/callback", HELLO)) == (404, 10062)
    assert await code_of(ask("POST", f"/webhooks/{application.id}/wrong", {"content": "x"})) == (404, 10015)
    assert await code_of(ask("POST", f"/webhooks/1/{interaction.token}", {"content": "x"})) == (404, 10015)


async def test_a_followup_before_the_first_answer_is_refused(world: World, ask: Ask, maya: Person) -> None:
    interaction, task = await opened(world, maya.slash("/hello"))

    assert await code_of(ask("POST", webhook(interaction), {"content": "x"})) == (404, 10015)
    await ask("POST", callback(interaction), HELLO)
    await task


async def test_a_token_lives_fifteen_minutes_of_world_time(world: World, ask: Ask, maya: Person, clock: Clock) -> None:
    interaction, _ = await answered(world, ask, maya.slash("/hello"), HELLO)

    clock.move(timedelta(minutes=14, seconds=50))
    status, _ = await ask("POST", webhook(interaction), {"content": "more"})
    clock.move(timedelta(seconds=20))

    assert status == 200
    assert await code_of(ask("POST", webhook(interaction), {"content": "more"})) == (401, 50027)
    assert await code_of(ask("PATCH", webhook(interaction, "/messages/@original"), {"content": "x"})) == (401, 50027)


async def test_a_deferred_answer_is_thinking_until_the_original_is_edited(
    world: World, ask: Ask, maya: Person, leo: Person
) -> None:
    interaction, task = await opened(world, maya.slash("/hello"))
    await ask("POST", callback(interaction), {"type": 5})
    [waiting] = leo.sees()
    await ask("PATCH", webhook(interaction, "/messages/@original"), {"content": "done"})

    assert waiting.loading
    assert (await task).text == "done"
    assert [each.loading for each in leo.sees()] == [False]


async def test_the_first_followup_after_a_deferral_fills_the_placeholder(
    world: World, ask: Ask, maya: Person, leo: Person
) -> None:
    interaction, task = await opened(world, maya.slash("/hello"))
    await ask("POST", callback(interaction), {"type": 5, "data": {"flags": EPHEMERAL}})
    [waiting] = maya.sees()
    _, message = await ask("POST", webhook(interaction), {"content": "one"})
    await ask("POST", webhook(interaction), {"content": "two"})

    assert (await task).ephemeral
    assert int(message["id"]) == waiting.message_id
    assert [(each.text, each.ephemeral) for each in maya.sees()] == [("one", True), ("two", False)]
    assert [each.text for each in leo.sees()] == ["two"]


async def test_a_deferral_that_nothing_follows_leaves_the_person_waiting(
    world: World, ask: Ask, maya: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "DEFERRED_SECONDS", 0.05)
    interaction, task = await opened(world, maya.slash("/hello"))
    await ask("POST", callback(interaction), {"type": 5})

    with pytest.raises(NoAnswer, match="put off"):
        await task


async def test_with_response_tells_the_message_and_not_for_a_deferral(world: World, ask: Ask, maya: Person) -> None:
    interaction, task = await opened(world, maya.slash("/hello"))
    _, told = await ask("POST", callback(interaction) + "?with_response=1", HELLO)
    deferred, later = await opened(world, maya.slash("/hello"))
    _, promised = await ask("POST", callback(deferred) + "?with_response=true", {"type": 5})
    await ask("DELETE", webhook(deferred, "/messages/@original"))
    later.cancel()

    assert told["resource"]["message"]["content"] == "hello"
    assert told["interaction"]["response_message_id"] == told["resource"]["message"]["id"]
    assert "resource" not in promised
    assert promised["interaction"]["response_message_loading"] is True
    await task


async def test_the_original_is_got_edited_and_deleted(world: World, ask: Ask, maya: Person) -> None:
    interaction, _ = await answered(world, ask, maya.slash("/hello"), HELLO)
    original = webhook(interaction, "/messages/@original")

    await ask("PATCH", original, {"content": "changed"})
    _, got = await ask("GET", original)
    status, _ = await ask("DELETE", original)

    assert (got["content"], status) == ("changed", 204)
    assert maya.sees() == []
    assert await code_of(ask("GET", original)) == (404, 10008)


async def test_a_followup_is_edited_and_deleted_by_its_id(world: World, ask: Ask, maya: Person) -> None:
    interaction, _ = await answered(world, ask, maya.slash("/hello"), HELLO)
    _, more = await ask("POST", webhook(interaction), {"content": "more", "flags": EPHEMERAL})
    path = webhook(interaction, f"/messages/{more['id']}")

    await ask("PATCH", path, {"content": "changed"})
    assert [each.text for each in maya.sees()] == ["hello", "changed"]
    await ask("DELETE", path)
    assert [each.text for each in maya.sees()] == ["hello"]


async def test_a_token_reaches_no_message_of_another_interaction(
    world: World, ask: Ask, maya: Person, leo: Person
) -> None:
    _, mine = await answered(world, ask, maya.slash("/hello"), HELLO)
    interaction, _ = await answered(world, ask, leo.slash("/hello"), HELLO)
    path = webhook(interaction, f"/messages/{mine.message_id}")

    assert await code_of(ask("PATCH", path, {"content": "x"})) == (404, 10008)


async def test_a_press_updates_the_message_it_stands_on(world: World, ask: Ask, maya: Person, leo: Person) -> None:
    body = {"type": 4, "data": {"content": "before", "components": PRESS}}
    _, card = await answered(world, ask, maya.slash("/hello"), body)
    _, after = await answered(world, ask, leo.press(card, "Press"), {"type": 7, "data": {"content": "after"}})

    assert after.message_id == card.message_id
    assert after.text == "after"
    assert after.labels == ["Press"]


async def test_a_deferred_update_changes_the_message_later(world: World, ask: Ask, maya: Person) -> None:
    body = {"type": 4, "data": {"content": "before", "components": PRESS, "flags": EPHEMERAL}}
    _, card = await answered(world, ask, maya.slash("/hello"), body)
    interaction, task = await opened(world, maya.press(card, "Press"))
    await ask("POST", callback(interaction), {"type": 6})
    await ask("PATCH", webhook(interaction, "/messages/@original"), {"content": "after", "components": []})

    after = await task
    assert (after.text, after.labels, after.ephemeral) == ("after", [], True)


@pytest.mark.parametrize("kind", [1, 6, 7, 8, 3])
async def test_an_answer_of_the_wrong_kind_is_refused(world: World, ask: Ask, maya: Person, kind: int) -> None:
    interaction, task = await opened(world, maya.slash("/hello"))

    assert await code_of(ask("POST", callback(interaction), {"type": kind, "data": {}})) == (400, 50035)
    await ask("POST", callback(interaction), HELLO)
    await task


async def test_a_bad_answer_is_refused_and_a_better_one_is_taken(world: World, ask: Ask, maya: Person) -> None:
    interaction, task = await opened(world, maya.slash("/hello"))

    assert await code_of(ask("POST", callback(interaction), {"type": 4, "data": {"content": ""}})) == (400, 50006)
    await ask("POST", callback(interaction), HELLO)
    assert (await task).text == "hello"


async def test_a_form_may_not_answer_a_form(world: World, ask: Ask, maya: Person) -> None:
    _, form = await answered(world, ask, maya.slash("/hello"), MODAL)
    interaction, task = await opened(world, form.send({"Name": "Tuesday"}))

    assert await code_of(ask("POST", callback(interaction), MODAL)) == (400, 50035)
    await ask("POST", callback(interaction), HELLO)
    await task


async def test_what_a_form_brings_forth_names_what_opened_it(world: World, ask: Ask, maya: Person) -> None:
    trigger, form = await answered(world, ask, maya.slash("/hello"), MODAL)
    interaction, task = await opened(world, form.send({"Name": "Tuesday"}))
    _, told = await ask("POST", callback(interaction) + "?with_response=1", HELLO)
    await task

    [sent] = interaction.data["components"]
    assert sent["component"]["value"] == "Tuesday"
    metadata = told["resource"]["message"]["interaction_metadata"]
    assert metadata["triggering_interaction_metadata"]["id"] == str(trigger.id)


async def test_a_form_from_a_button_can_update_the_buttons_message(world: World, ask: Ask, maya: Person) -> None:
    body = {"type": 4, "data": {"content": "before", "components": PRESS}}
    _, card = await answered(world, ask, maya.slash("/hello"), body)
    _, form = await answered(world, ask, maya.press(card, "Press"), MODAL)
    _, after = await answered(world, ask, form.send({"Name": "x"}), {"type": 7, "data": {"content": "after"}})

    assert (after.text, after.message_id) == ("after", card.message_id)


async def test_an_answer_pings_people_and_neither_roles_nor_everyone(
    world: World, ask: Ask, maya: Person, leo: Person, guild: Guild
) -> None:
    role = guild.add_role("Helpers", mentionable=True)
    nora = people.join(world, guild, "Nora", role)
    words = f"{leo.mention} <@&{role['id']}> @everyone"
    _, reply = await answered(world, ask, maya.slash("/hello"), {"type": 4, "data": {"content": words}})

    assert leo.pings == [reply.message_id]
    assert nora.pings == []


async def test_the_payload_says_who_where_and_what_they_may(world: World, ask: Ask, maya: Person, guild: Guild) -> None:
    maya.speaks("de")
    told: list[dict[str, Any]] = []
    world.listen(lambda happening: told.append(happening.details))
    await answered(world, ask, maya.slash("/hello"), HELLO)

    [payload] = [each["payload"] for each in told if each.get("name") == "INTERACTION_CREATE"]
    assert payload["member"]["user"]["id"] == str(maya.user_id)
    assert int(payload["member"]["permissions"]) == guild.permissions_of(maya.user_id, maya.home)
    assert payload["channel"]["id"] == maya.home["id"]
    assert (payload["locale"], payload["guild_locale"], payload["context"]) == ("de", "en-US", 0)
    assert payload["authorizing_integration_owners"] == {"0": str(guild.id)}
    assert payload["data"]["name"] == "hello"


async def test_a_command_in_a_direct_message_comes_from_a_user(
    world: World, ask: Ask, maya: Person, leo: Person, application: Application
) -> None:
    told: list[dict[str, Any]] = []
    world.listen(lambda happening: told.append(happening.details))
    await answered(world, ask, maya.slash("/hello", in_=maya.dm(application)), HELLO)

    [payload] = [each["payload"] for each in told if each.get("name") == "INTERACTION_CREATE"]
    assert (payload["user"]["id"], payload["context"]) == (str(maya.user_id), 1)
    assert "member" not in payload
    assert [each.text for each in maya.inbox] == ["hello"]
    assert leo.inbox == []


async def test_choices_beyond_twenty_five_are_refused(
    world: World, ask: Ask, maya: Person, application: Application
) -> None:
    option = {"type": 3, "name": "group", "description": "Which", "autocomplete": True}
    commands.replace_all(world, application, None, [{"name": "find", "description": "Find", "options": [option]}])
    choices = [{"name": str(number), "value": str(number)} for number in range(26)]
    task = asyncio.create_task(maya.autocomplete("/find", group="1"))
    [interaction] = await world.until(lambda: world.open_interactions)

    assert await code_of(ask("POST", callback(interaction), {"type": 8, "data": {"choices": choices}})) == (400, 50035)
    await ask("POST", callback(interaction), {"type": 8, "data": {"choices": choices[:2]}})
    assert await task == ["0", "1"]


async def test_a_forged_press_arrives_as_it_was_sent(world: World, ask: Ask, maya: Person) -> None:
    _, card = await answered(world, ask, maya.slash("/hello"), HELLO)
    assert isinstance(card, Seen)
    interaction, task = await opened(world, maya.forged(card, "group:join:999"))
    await ask("POST", callback(interaction), HELLO)
    await task

    assert interaction.data["custom_id"] == "group:join:999"


async def test_an_answer_in_a_thread_that_was_archived_cannot_be_changed(
    world: World, ask: Ask, maya: Person, guild: Guild
) -> None:
    thread = guild.add_thread(int(maya.home["id"]), "Talk", guild.owner_id, PUBLIC_THREAD)
    interaction, _ = await answered(world, ask, maya.slash("/hello", in_=thread), HELLO)

    guild.set_archived(int(thread["id"]), archived=True)

    change = ask("PATCH", webhook(interaction, "/messages/@original"), {"content": "x"})
    assert await code_of(change) == (400, 50083)


async def test_a_chosen_channel_says_what_the_bot_may_do_there(
    world: World, ask: Ask, maya: Person, guild: Guild, application: Application
) -> None:
    option = {"type": 7, "name": "room", "description": "Where"}
    commands.replace_all(world, application, None, [{"name": "go", "description": "Go", "options": [option]}])
    hidden = guild.add_channel("hidden")
    guild.set_overwrite(int(hidden["id"]), application.bot_id, 1, 0, int(Bit.VIEW_CHANNEL))
    told: list[Any] = []
    world.listen(lambda each: told.append(each.details.get("payload")))

    await answered(world, ask, maya.slash("/go", room=hidden), HELLO)

    [payload] = [each for each in told if each and each.get("data", {}).get("name") == "go"]
    channel = payload["data"]["resolved"]["channels"][hidden["id"]]
    assert (channel["name"], channel["app_permissions"]) == ("hidden", "0")


async def test_a_suggestion_has_the_type_of_its_option(
    world: World, ask: Ask, maya: Person, application: Application
) -> None:
    option = {"type": 4, "name": "week", "description": "Which", "autocomplete": True}
    commands.replace_all(world, application, None, [{"name": "go", "description": "Go", "options": [option]}])
    before = set(world.open_interactions)
    task = asyncio.create_task(maya.autocomplete("/go", week=""))
    [interaction] = await world.until(lambda: world.open_interactions - before)

    wrong = {"type": 8, "data": {"choices": [{"name": "One", "value": "1"}]}}
    right = {"type": 8, "data": {"choices": [{"name": "One", "value": 1}]}}

    assert await code_of(ask("POST", callback(interaction), wrong)) == (400, 50035)
    assert (await ask("POST", callback(interaction), right))[0] == 204
    assert [choice.value for choice in await task] == [1]
