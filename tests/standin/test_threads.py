"""Threads: who is in them, what archives and locks them, and what is refused then."""

from __future__ import annotations

from datetime import timedelta

import discord
import pytest
from discord import http as discord_http

from peerbot.clock import Clock
from peerbot.rehearsal import people, posting
from peerbot.rehearsal.application import Application
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.posting import Draft
from peerbot.rehearsal.wire import PRIVATE_THREAD
from peerbot.rehearsal.world import World
from tests.standin.conftest import Connect
from tests.standin.test_guilds import bots_role, join, refusal


@pytest.fixture
async def server(connect: Connect) -> discord.Guild:
    """The server, as the bot's client knows it."""
    return (await connect()).guilds[0]


async def test_a_private_thread_is_for_its_members(server: discord.Guild, world: World, guild: Guild) -> None:
    maya, noah = join(guild, world), join(guild, world, "Noah")
    room = server.text_channels[0]

    thread = await room.create_thread(name="Your messages", type=discord.ChannelType.private_thread, invitable=False)
    await thread.add_user(discord.Object(maya))

    assert thread.is_private()
    assert guild.can_see(maya, guild.threads[thread.id])
    assert not guild.can_see(noah, guild.threads[thread.id])
    assert {member.id for member in await thread.fetch_members()} == {maya, server.me.id}

    sent = await thread.send("Your meeting starts")
    assert world.message(thread.id, sent.id)["channel_id"] == str(thread.id)
    await thread.remove_user(discord.Object(maya))
    assert not guild.can_see(maya, guild.threads[thread.id])
    lines = [message.type.name for message in [one async for one in thread.history(oldest_first=True)]]
    assert lines == ["recipient_add", "default", "recipient_remove"]


async def test_naming_somebody_takes_them_into_a_thread(server: discord.Guild, world: World, guild: Guild) -> None:
    maya = join(guild, world)
    thread = await server.text_channels[0].create_thread(name="Talk", type=discord.ChannelType.private_thread)

    await thread.send(f"<@{maya}>", allowed_mentions=discord.AllowedMentions.none())
    assert not guild.can_see(maya, guild.threads[thread.id])
    await thread.send(f"<@{maya}>")
    assert guild.can_see(maya, guild.threads[thread.id])


async def test_a_message_that_went_with_its_thread_is_not_sent_again_under_its_nonce(server: discord.Guild) -> None:
    room, private = server.text_channels[0], discord.ChannelType.private_thread
    thread, other = [await room.create_thread(name=name, type=private) for name in ("For you", "For you, too")]
    await thread.send("News", nonce="pb1")
    assert (await other.send("News", nonce="pb1")).channel.id == other.id
    await thread.delete()

    assert await refusal(other.send("News", nonce="pb1")) == (404, 10008)


async def test_a_thread_starts_from_a_message_once(server: discord.Guild) -> None:
    message = await server.text_channels[0].send("Talk about it")

    thread = await message.create_thread(name="Talk")

    assert thread.id == message.id
    assert await refusal(message.create_thread(name="Again")) == (400, 160004)


async def test_an_archived_thread_wakes_when_somebody_writes(server: discord.Guild, guild: Guild) -> None:
    room = server.text_channels[0]
    thread = await room.create_thread(name="Talk", type=discord.ChannelType.public_thread)

    await thread.edit(archived=True)
    assert [one.id async for one in room.archived_threads()] == [thread.id]
    assert await server.active_threads() == []
    assert await refusal(thread.add_user(discord.Object(guild.owner_id))) == (400, 50083)

    await thread.send("Still here")
    assert not guild.threads[thread.id]["thread_metadata"]["archived"]


async def test_a_locked_thread_is_for_moderators(server: discord.Guild, guild: Guild) -> None:
    thread = await server.text_channels[0].create_thread(name="Talk", type=discord.ChannelType.public_thread)
    await thread.edit(locked=True, archived=True)

    guild.edit_role(bots_role(guild), permissions=str(int(Bit.SEND_MESSAGES_IN_THREADS)))

    assert await refusal(thread.send("hello")) == (400, 160005)


async def test_a_bot_sees_a_private_thread_when_it_is_taken_in(
    server: discord.Guild, guild: Guild, world: World, application: Application
) -> None:
    guild.edit_role(bots_role(guild), permissions="0")
    room = next(iter(guild.channels))
    thread = guild.add_thread(room, "Ours", guild.owner_id, PRIVATE_THREAD)
    await world.settle()
    assert server.get_thread(int(thread["id"])) is None

    guild.join_thread(int(thread["id"]), application.bot_id)
    await world.settle()
    assert server.get_thread(int(thread["id"])) is not None
    olga = guild.members[guild.owner_id]["user"]
    posting.post(world, guild.threads[int(thread["id"])], olga, Draft({"content": "welcome"}))
    await world.settle()


async def open_thread(server: discord.Guild) -> discord.Thread:
    kind = discord.ChannelType.public_thread
    return await server.text_channels[0].create_thread(name="Talk", type=kind, auto_archive_duration=60)


async def test_who_is_named_in_a_private_thread_hears_of_it(server: discord.Guild, world: World, guild: Guild) -> None:
    maya = join(guild, world)
    thread = await server.text_channels[0].create_thread(name="Talk", type=discord.ChannelType.private_thread)

    sent = await thread.send(f"<@{maya}>")

    assert (sent.id, maya) in world.pings


async def test_a_quiet_thread_is_archived_in_its_time(server: discord.Guild, guild: Guild, clock: Clock) -> None:
    thread = await open_thread(server)
    metadata = guild.threads[thread.id]["thread_metadata"]
    clock.move(timedelta(minutes=40))
    message = await thread.send("Still here")

    clock.move(timedelta(minutes=40))
    assert not guild.threads[thread.id]["thread_metadata"]["archived"]
    clock.move(timedelta(minutes=40))
    assert guild.threads[thread.id]["thread_metadata"]["archived"]
    assert guild.threads[thread.id]["thread_metadata"]["archive_timestamp"] > metadata["archive_timestamp"]

    assert await refusal(message.edit(content="too late")) == (400, 50083)
    await message.delete()
    assert guild.threads[thread.id]["message_count"] == 0


async def test_nothing_can_be_used_in_an_archived_thread(server: discord.Guild, world: World, guild: Guild) -> None:
    thread = await open_thread(server)
    view = discord.ui.View()
    view.add_item(discord.ui.Button(label="Join", custom_id="join"))
    await thread.send("Press", view=view)
    maya = people.join(world, guild, "Maya")
    [card] = maya.sees(guild.threads[thread.id])

    guild.set_archived(thread.id, archived=True)

    with pytest.raises(AssertionError, match="archived"):
        await maya.press(card, "Join")
    maya.says(guild.threads[thread.id], "I am back")
    assert not guild.threads[thread.id]["thread_metadata"]["archived"]


async def test_in_a_locked_thread_only_moderators_write_and_change(
    server: discord.Guild, world: World, guild: Guild
) -> None:
    thread = await open_thread(server)
    message = await thread.send("before")
    await thread.edit(locked=True)
    await message.edit(content="moderators may")
    maya = people.join(world, guild, "Maya")
    guild.edit_role(bots_role(guild), permissions=str(int(Bit.SEND_MESSAGES_IN_THREADS)))

    assert await refusal(message.edit(content="after")) == (400, 160005)
    assert await refusal(thread.send("more")) == (400, 160005)
    with pytest.raises(AssertionError, match="locked"):
        maya.says(guild.threads[thread.id], "hello")


async def test_a_thread_has_a_kind_and_a_time_that_discord_knows(server: discord.Guild) -> None:
    thread, http = await open_thread(server), server._state.http
    news = discord_http.Route("POST", "/channels/{channel_id}/threads", channel_id=server.text_channels[0].id)

    assert await refusal(http.request(news, json={"name": "News", "type": 10})) == (400, 50024)
    assert await refusal(http.edit_channel(thread.id, auto_archive_duration=61)) == (400, 50035)
    assert await refusal(http.edit_channel(thread.id, rate_limit_per_user=21_601)) == (400, 50035)


async def test_a_message_is_told_to_have_a_thread(server: discord.Guild, world: World) -> None:
    message = await server.text_channels[0].send("Talk about it")
    told: list[str] = []
    world.listen(lambda each: told.append(each.details["name"]) if each.kind == "event" else None)

    await message.create_thread(name="Talk")

    assert told == ["THREAD_CREATE", "MESSAGE_UPDATE"]
