"""Scheduled events: who may make them, what Discord takes, and what becomes of them in their time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import discord
import pytest
from discord import EntityType, PrivacyLevel

from peerbot.clock import Clock
from peerbot.rehearsal import wire
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.permissions import Bit
from tests.standin.conftest import USUAL, Client, Connect
from tests.standin.test_guilds import bots_role, refusal


@pytest.fixture
async def client(connect: Connect, guild: Guild) -> Client:
    """A bot that may make events and join voice channels."""
    guild.edit_role(bots_role(guild), permissions=str(USUAL | int(Bit.CREATE_EVENTS | Bit.CONNECT)))
    return await connect(Client(discord.Intents(guilds=True, guild_scheduled_events=True)))


def elsewhere(clock: Clock, **changes: Any) -> dict[str, Any]:
    """Return an event that begins in a day and takes an hour, not in a channel."""
    start = clock.now() + timedelta(days=1)
    usual = {"name": "Owls", "start_time": start, "end_time": start + timedelta(hours=1), "location": "here"}
    return {**usual, "entity_type": EntityType.external, "privacy_level": PrivacyLevel.guild_only, **changes}


async def test_an_event_is_made_changed_and_deleted_and_the_gateway_tells(
    client: Client, guild: Guild, clock: Clock
) -> None:
    server = client.guilds[0]
    made = await server.create_scheduled_event(**elsewhere(clock))
    assert (await client.next("scheduled_event_create")).name == "Owls"
    moved = await made.edit(name="Larks", start_time=made.start_time + timedelta(minutes=5), location="there")
    assert (moved.name, moved.location) == ("Larks", "there")
    assert [each.name for each in await server.fetch_scheduled_events()] == ["Larks"]
    await made.delete()
    assert await server.fetch_scheduled_events() == []
    assert await refusal(server.fetch_scheduled_event(made.id)) == (404, 10070)
    assert guild.events == {}


async def test_an_event_in_a_voice_channel_needs_to_connect_there(client: Client, guild: Guild, clock: Clock) -> None:
    voice = guild.add_channel("talk", wire.VOICE)
    text = guild.add_channel("words")
    server = client.guilds[0]
    start = clock.now() + timedelta(days=1)
    level = PrivacyLevel.guild_only

    def make(channel: wire.Wire) -> Any:
        where = discord.Object(int(channel["id"]))
        return server.create_scheduled_event(
            name="Owls", start_time=start, channel=where, entity_type=EntityType.voice, privacy_level=level
        )

    assert (await make(voice)).channel_id == int(voice["id"])
    assert await refusal(make(text)) == (400, 50035)
    guild.set_overwrite(int(voice["id"]), bots_role(guild), 0, 0, int(Bit.CONNECT))
    assert await refusal(make(voice)) == (403, 50013)


async def test_what_discord_does_not_take_is_refused(client: Client, guild: Guild, clock: Clock) -> None:
    server = client.guilds[0]
    past = clock.now() - timedelta(minutes=1)
    for wrong in (
        {"name": "x" * 101}, {"location": "x" * 101}, {"description": "x" * 1001}, {"start_time": past},
        {"end_time": clock.now()},
    ):  # fmt: skip
        assert await refusal(server.create_scheduled_event(**elsewhere(clock, **wrong))) == (400, 50035)
    made = await server.create_scheduled_event(**elsewhere(clock))
    guild.edit_role(bots_role(guild), permissions=str(USUAL))
    assert await refusal(server.create_scheduled_event(**elsewhere(clock))) == (403, 50013)
    assert await refusal(made.edit(name="Larks")) == (403, 50013)
    guild.edit_role(bots_role(guild), permissions=str(USUAL | int(Bit.CREATE_EVENTS)))
    guild.events |= dict.fromkeys(range(99), guild.events[made.id])
    assert await refusal(server.create_scheduled_event(**elsewhere(clock))) == (400, 30038)


async def test_an_event_elsewhere_starts_and_ends_by_itself(client: Client, clock: Clock) -> None:
    server = client.guilds[0]
    made = await server.create_scheduled_event(**elsewhere(clock))
    clock.move(timedelta(days=1, minutes=1))
    assert (await server.fetch_scheduled_event(made.id)).status is discord.EventStatus.active
    clock.move(timedelta(hours=1))
    assert await refusal(server.fetch_scheduled_event(made.id)) == (404, 10070)
