"""What a bot is told of channels that it cannot see, and when they come into sight."""

from __future__ import annotations

import aiohttp
import discord
import pytest

from peerbot.rehearsal import people
from peerbot.rehearsal.application import Application
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.server import Discord
from peerbot.rehearsal.sight import HIDDEN_NAME
from peerbot.rehearsal.wire import CATEGORY, PUBLIC_THREAD, VOICE, Wire
from peerbot.rehearsal.world import World
from tests.standin.conftest import Client, Connect


@pytest.fixture
def secret(guild: Guild, application: Application) -> Wire:
    """A channel that the bot does not see."""
    channel = guild.add_channel("secret", topic="about Maya")
    guild.set_overwrite(int(channel["id"]), guild.id, 0, 0, int(Bit.VIEW_CHANNEL))
    return channel


def found(client: discord.Client, channel: Wire) -> discord.TextChannel:
    seen = client.get_channel(int(channel["id"]))
    assert isinstance(seen, discord.TextChannel)
    return seen


async def test_a_channel_out_of_sight_has_neither_name_nor_content(
    connect: Connect, secret: Wire, guild: Guild
) -> None:
    client = await connect()

    hidden = found(client, secret)

    assert (hidden.name, hidden.topic, hidden.position) == (HIDDEN_NAME, None, secret["position"])
    assert not hidden.permissions_for(hidden.guild.default_role).view_channel
    assert hidden.id not in {channel.id for channel in await client.guilds[0].fetch_channels()}
    assert secret["name"] == "secret"


async def test_a_change_of_a_channel_out_of_sight_tells_nothing_of_it(
    connect: Connect, secret: Wire, guild: Guild, world: World
) -> None:
    client = await connect()

    guild.edit_channel(int(secret["id"]), name="still-secret", position=9)
    await world.settle()

    assert (found(client, secret).name, found(client, secret).position) == (HIDDEN_NAME, 9)


async def test_an_overwrite_brings_a_channel_and_its_threads_into_sight(
    connect: Connect, secret: Wire, guild: Guild, world: World, application: Application
) -> None:
    thread = guild.add_thread(int(secret["id"]), "Talk", guild.owner_id, PUBLIC_THREAD)
    client = await connect()
    assert client.guilds[0].get_thread(int(thread["id"])) is None

    guild.set_overwrite(int(secret["id"]), application.bot_id, 1, int(Bit.VIEW_CHANNEL), 0)
    await world.settle()

    assert found(client, secret).name == "secret"
    assert client.guilds[0].get_thread(int(thread["id"])) is not None

    guild.remove_overwrite(int(secret["id"]), application.bot_id)
    await world.settle()
    assert found(client, secret).name == HIDDEN_NAME


async def test_a_role_brings_a_channel_into_sight(
    connect: Connect, secret: Wire, guild: Guild, world: World, application: Application
) -> None:
    staff = guild.add_role("Staff")
    guild.set_overwrite(int(secret["id"]), int(staff["id"]), 0, int(Bit.VIEW_CHANNEL), 0)
    client = await connect()
    assert found(client, secret).name == HIDDEN_NAME

    guild.give_role(application.bot_id, int(staff["id"]))
    await world.settle()

    assert found(client, secret).name == "secret"


async def test_a_category_is_seen_with_any_of_its_channels(
    connect: Connect, guild: Guild, world: World, application: Application
) -> None:
    category = guild.add_channel("Staff", CATEGORY)
    guild.set_overwrite(int(category["id"]), guild.id, 0, 0, int(Bit.VIEW_CHANNEL))
    client = await connect()
    seen = client.get_channel(int(category["id"]))
    assert isinstance(seen, discord.CategoryChannel)
    assert seen.name == HIDDEN_NAME

    own = [{"id": str(application.bot_id), "type": 1, "allow": str(int(Bit.VIEW_CHANNEL)), "deny": "0"}]
    guild.add_channel("desk", parent_id=int(category["id"]), overwrites=own)
    await world.settle()

    assert seen.name == "Staff"


async def test_a_channel_out_of_sight_is_refused_when_asked_for_alone(
    standin: Discord, secret: Wire, application: Application
) -> None:
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bot {application.token}"}) as session,
        session.get(f"{standin.url}/api/v10/channels/{secret['id']}") as answer,
    ):
        assert (answer.status, (await answer.json())["code"]) == (403, 50001)


async def test_who_speaks_is_seen_with_the_intent_for_it_and_at_the_start(
    connect: Connect, world: World, guild: Guild, application: Application
) -> None:
    room, hidden = guild.add_channel("voice", VOICE), guild.add_channel("rules")
    maya, leo = (people.join(world, guild, name) for name in ("Maya", "Leo"))
    maya.speaks_in(room)
    client = await connect(Client(discord.Intents(guilds=True, voice_states=True)))
    deaf = await connect(Client(discord.Intents(guilds=True)))
    channel = client.guilds[0].get_channel(int(room["id"]))
    assert isinstance(channel, discord.VoiceChannel)
    assert list(channel.voice_states) == [maya.user_id]
    leo.speaks_in(room)
    member, before, after = await client.next("voice_state_update")
    assert (member.id, before.channel, after.channel) == (leo.user_id, None, channel)
    maya.hangs_up()
    assert (await client.next("voice_state_update"))[2].channel is None
    assert list(channel.voice_states) == [leo.user_id]
    told = [deaf.happened.get_nowait() for _event in range(deaf.happened.qsize())]
    assert "voice_state_update" not in {name for name, _args in told}
    with pytest.raises(AssertionError, match="cannot speak"):
        leo.speaks_in(hidden)
