"""What moderators do: bans, timeouts, slow mode."""

from __future__ import annotations

from datetime import timedelta

import discord
import pytest

from peerbot.clock import Clock
from peerbot.rehearsal import people
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.world import World
from tests.standin.conftest import USUAL, Client, Connect
from tests.standin.test_guilds import bots_role, refusal


@pytest.fixture
async def client(connect: Connect, guild: Guild) -> Client:
    """A bot that may moderate."""
    guild.edit_role(bots_role(guild), permissions=str(USUAL | int(Bit.BAN_MEMBERS | Bit.MODERATE_MEMBERS)))
    return await connect(Client(discord.Intents(guilds=True, members=True, moderation=True)))


@pytest.fixture
def maya(world: World, guild: Guild) -> Person:
    return people.join(world, guild, "Maya")


async def test_who_is_banned_is_gone_and_cannot_come_back_until_it_is_lifted(
    client: Client, maya: Person, guild: Guild, world: World
) -> None:
    server, user = client.guilds[0], discord.Object(maya.user_id)
    said = maya.says(maya.home, "hello")

    await server.ban(user, reason="insults", delete_message_seconds=3600)

    assert (await client.next("member_ban"))[1].id == maya.user_id
    assert maya.user_id not in guild.members
    assert said.message_id not in world.messages[int(said.channel_id)]
    assert (await server.fetch_ban(user)).reason == "insults"
    assert [ban.user.id async for ban in server.bans()] == [maya.user_id]
    with pytest.raises(AssertionError, match="banned"):
        maya.rejoins()

    await server.unban(user)
    maya.rejoins()
    assert await refusal(server.fetch_ban(user)) == (404, 10026)
    assert await refusal(server.unban(user)) == (404, 10026)


async def test_a_ban_needs_its_permission_and_a_higher_role(client: Client, guild: Guild, maya: Person) -> None:
    server = client.guilds[0]
    assert await refusal(server.ban(discord.Object(guild.owner_id))) == (403, 50013)
    assert await refusal(server.ban(discord.Object(1))) == (404, 10013)

    guild.edit_role(bots_role(guild), permissions="0")
    assert await refusal(server.ban(discord.Object(maya.user_id))) == (403, 50013)


async def test_a_timeout_lasts_at_most_twenty_eight_days(client: Client, maya: Person, clock: Clock) -> None:
    member = await client.guilds[0].fetch_member(maya.user_id)

    assert await refusal(member.timeout(clock.now() + timedelta(days=29))) == (400, 50035)
    await member.timeout(clock.now() + timedelta(days=27))


async def test_slow_mode_makes_people_wait_and_bots_not(
    client: Client, maya: Person, guild: Guild, clock: Clock
) -> None:
    room = client.guilds[0].text_channels[0]
    guild.edit_channel(room.id, rate_limit_per_user=30)
    maya.says(guild.channels[room.id], "one")
    await room.send("one")
    await room.send("two")

    with pytest.raises(AssertionError, match="must wait"):
        maya.says(guild.channels[room.id], "two")

    clock.move(timedelta(seconds=31))
    maya.says(guild.channels[room.id], "two")
    people.owner(maya.world, guild).says(guild.channels[room.id], "one")
    people.owner(maya.world, guild).says(guild.channels[room.id], "two")
