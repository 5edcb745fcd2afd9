"""The routes by which an application keeps its commands."""

from __future__ import annotations

import discord
import pytest

from peerbot.rehearsal import people
from peerbot.rehearsal.application import Application
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.world import World
from tests.standin.bots import Bot, Talk
from tests.standin.conftest import Client, Connect


@pytest.fixture
async def bot(connect: Connect) -> Bot:
    made = Bot(Client(discord.Intents(guilds=True)))

    @made.tree.command(description="Find a group")
    async def groups(talk: Talk) -> None:
        await talk.response.send_message("groups")

    await connect(made.client)
    return made


async def test_synced_commands_come_back_and_keep_their_ids(bot: Bot) -> None:
    [first] = await bot.tree.sync()
    [again] = await bot.tree.sync()
    [fetched] = await bot.tree.fetch_commands()

    assert (first.name, first.description) == ("groups", "Find a group")
    assert first.id == again.id == fetched.id


async def test_a_command_that_is_no_longer_synced_is_gone(bot: Bot, application: Application) -> None:
    await bot.tree.sync()
    bot.tree.remove_command("groups")
    await bot.tree.sync()

    assert application.commands == {}


async def test_a_command_of_a_guild_is_offered_there_alone(bot: Bot, world: World, guild: Guild) -> None:
    here, other = discord.Object(guild.id), world.guild("Lighthouse", owner="Lea")
    bot.tree.copy_global_to(guild=here)
    [command] = await bot.tree.sync(guild=here)

    assert command.guild_id == guild.id
    assert people.join(world, guild, "Maya").offered() == ["groups"]
    assert people.join(world, other, "Leo").offered() == []
    with pytest.raises(discord.Forbidden):
        await bot.tree.sync(guild=discord.Object(other.id))


async def test_a_command_is_edited_and_deleted(bot: Bot, application: Application) -> None:
    [command] = await bot.tree.sync()
    edited = await command.edit(description="Find a place")
    [kept] = await bot.tree.fetch_commands()
    await command.delete()

    assert edited.description == kept.description == "Find a place"
    assert application.commands == {}
    with pytest.raises(discord.NotFound) as refusal:
        await command.delete()
    assert refusal.value.code == 10063


async def test_a_bad_command_is_refused_and_nothing_changes(bot: Bot, application: Application) -> None:
    await bot.tree.sync()
    body = [{"name": "Groups", "description": "Find", "type": 1}]
    with pytest.raises(discord.HTTPException) as refusal:
        await bot.client.http.bulk_upsert_global_commands(application.id, body)  # pyright: ignore[reportArgumentType]

    assert refusal.value.code == 50035
    assert [each["name"] for each in application.commands.values()] == ["groups"]


async def test_what_the_owner_overrode_can_be_read(bot: Bot, world: World, guild: Guild) -> None:
    [command] = await bot.tree.sync()
    with pytest.raises(discord.NotFound):
        await command.fetch_permissions(discord.Object(guild.id))
    said = {"id": str(guild.id), "type": 1, "permission": False}
    world.interactions.command_permissions[guild.id, command.id] = [said]

    found = await command.fetch_permissions(discord.Object(guild.id))

    assert [(each.id, each.permission) for each in found.permissions] == [(guild.id, False)]
    assert people.join(world, guild, "Maya").offered() == []


async def test_another_applications_commands_are_out_of_reach(bot: Bot, world: World) -> None:
    other = world.application("other")
    with pytest.raises(discord.Forbidden):
        await bot.client.http.get_global_commands(other.id)
