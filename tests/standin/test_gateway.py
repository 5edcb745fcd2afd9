"""The stand-in's gateway, as discord.py meets it."""

from __future__ import annotations

import socket

import discord
import pytest
import yarl

from peerbot.rehearsal.application import Application
from peerbot.rehearsal.gateway import LOST
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.server import Discord
from peerbot.rehearsal.world import World
from tests.standin.conftest import Client, Connect


async def test_a_client_logs_in_and_gets_its_guild(connect: Connect, guild: Guild) -> None:
    client = await connect()

    assert client.user is not None
    assert client.user.name == "peerbot"
    [found] = client.guilds
    assert (found.id, found.name, found.owner_id) == (guild.id, "Harbour", guild.owner_id)
    assert [channel.name for channel in found.text_channels] == ["general"]
    assert [role.name for role in found.roles] == ["@everyone", "peerbot"]


async def test_a_wrong_token_is_refused_at_login(connect: Connect) -> None:
    with pytest.raises(discord.LoginFailure):
        await connect(token="wrong")


async def test_a_privileged_intent_that_is_switched_off_closes_the_connection(
    connect: Connect, application: Application
) -> None:
    application.privileged = 0

    with pytest.raises(discord.PrivilegedIntentsRequired):
        await connect()


@pytest.mark.parametrize("how", ["asked to reconnect", "closed", "connection lost", "session still valid"])
async def test_a_client_resumes_and_misses_nothing(
    connect: Connect, standin: Discord, world: World, guild: Guild, how: str
) -> None:
    client = await connect()
    gateway = standin.gateway
    match how:
        case "asked to reconnect":
            gateway.ask_to_reconnect()
        case "closed":
            gateway.close(4000)
        case "connection lost":
            gateway.close(LOST)
        case _:
            gateway.invalidate(resumable=True)
    await world.until(lambda: not gateway.connections)

    guild.add_member(world.person("Maya"))

    joined = await client.next("member_join", seconds=20)
    await client.next("resumed")
    assert joined.display_name == "Maya"
    assert gateway.identified == 1


def _happened(client: Client) -> list[tuple[str, tuple[object, ...]]]:
    found: list[tuple[str, tuple[object, ...]]] = []
    while not client.happened.empty():
        found.append(client.happened.get_nowait())
    return found


async def test_people_who_join_and_leave_are_told(connect: Connect, world: World, guild: Guild) -> None:
    client = await connect()

    maya = guild.add_member(world.person("Maya"))
    joined = await client.next("member_join")
    guild.remove_member(int(maya["user"]["id"]))
    left = await client.next("raw_member_remove")

    assert (joined.display_name, left.user.id) == ("Maya", joined.id)


async def test_without_the_members_intent_nobody_is_told(connect: Connect, world: World, guild: Guild) -> None:
    client = await connect(Client(discord.Intents(guilds=True)))

    guild.add_member(world.person("Maya"))
    await world.settle()

    assert "member_join" not in [name for name, _ in _happened(client)]


async def test_a_changed_role_of_its_own_is_told_without_the_members_intent(
    connect: Connect, world: World, guild: Guild, application: Application
) -> None:
    client = await connect(Client(discord.Intents(guilds=True)))

    guild.give_role(application.bot_id, int(guild.add_role("Helpers")["id"]))
    await world.settle()

    assert [role.name for role in client.guilds[0].me.roles] == ["@everyone", "Helpers", "peerbot"]


async def test_members_are_asked_for_by_id_by_name_and_all(connect: Connect, world: World, guild: Guild) -> None:
    maya, _ = [guild.add_member(world.person(name)) for name in ("Maya", "Noah")]
    client = await connect()
    found = client.guilds[0]

    by_id = await found.query_members(user_ids=[int(maya["user"]["id"]), 5])
    by_name = await found.query_members("no")
    everyone = await found.chunk()

    assert [member.display_name for member in by_id] == ["Maya"]
    assert [member.display_name for member in by_name] == ["Noah"]
    assert {member.display_name for member in everyone} == {"Olga", "peerbot", "Maya", "Noah"}


async def test_changes_by_hand_reach_the_clients_cache(connect: Connect, world: World, guild: Guild) -> None:
    client = await connect()
    found = client.guilds[0]

    room = guild.add_channel("tuesday", topic="Every Tuesday")
    guild.edit_channel(int(room["id"]), name="wednesday")
    role = guild.add_role("Facilitators")
    guild.edit_role(int(role["id"]), name="Hosts")
    await world.settle()
    assert [channel.name for channel in found.text_channels] == ["general", "wednesday"]
    assert [one.name for one in found.roles] == ["@everyone", "Hosts", "peerbot"]

    guild.remove_channel(int(room["id"]))
    guild.remove_role(int(role["id"]))
    await world.settle()
    assert [channel.name for channel in found.text_channels] == ["general"]
    assert [one.name for one in found.roles] == ["@everyone", "peerbot"]


async def test_a_bot_that_is_installed_and_removed_hears_of_it(
    connect: Connect, world: World, application: Application
) -> None:
    client = await connect()
    other = world.guild("Lighthouse", owner="Pia")

    other.install(application, 0)
    assert (await client.next("guild_join")).name == "Lighthouse"
    other.uninstall(application)
    assert (await client.next("guild_remove")).name == "Lighthouse"
    assert [one.name for one in client.guilds] == ["Harbour"]


async def test_a_restarted_client_starts_a_new_session(connect: Connect, world: World, standin: Discord) -> None:
    first = await connect()
    await first.close()
    await world.until(lambda: not standin.gateway.connections)

    second = await connect()

    assert second.guilds
    assert standin.gateway.identified == 2


async def test_a_client_that_is_gone_before_the_door_opens_disturbs_nobody(
    standin: Discord, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    gone: list[str] = []
    world.listen(lambda happening: gone.append(happening.kind))
    url = yarl.URL(standin.gateway.url)
    with socket.create_connection((str(url.host), url.port or 0)) as knocking:
        knocking.sendall(
            b"GET /gateway/?v=10 HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )

    await world.until(lambda: gone == ["gone"])

    assert standin.gateway.connections == []
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_sharded_client_asks_where_the_gateway_is_and_uses_the_server(
    connect: Connect, world: World, guild: Guild
) -> None:
    client = discord.AutoShardedClient(intents=discord.Intents(guilds=True), guild_ready_timeout=0.02)
    await connect(client)
    [found] = client.guilds

    voice = await found.create_voice_channel("Room A", user_limit=5)
    await voice.send("written beside the voice")
    assert (await voice.edit(user_limit=9)) is not None
    direct = await (await client.fetch_user(guild.owner_id)).create_dm()
    message = await direct.send("hello")
    await message.edit(content="hello again")
    assert [one.content async for one in direct.history()] == ["hello again"]
    await message.delete()
    assert [one.name async for one in client.fetch_guilds()] == ["Harbour"]

    await found.leave()
    await world.settle()
    assert not client.guilds
