"""Channels, overwrites, roles, members and threads, with Discord's permissions and order of roles."""

from __future__ import annotations

import discord
import pytest
from discord import http as discord_http

from peerbot.rehearsal.application import Application
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.world import World
from tests.standin.conftest import Connect


@pytest.fixture
async def server(connect: Connect) -> discord.Guild:
    """The server, as the bot's client knows it."""
    return (await connect()).guilds[0]


def join(guild: Guild, world: World, name: str = "Maya", *roles: int) -> int:
    """Let a person join, and return their id."""
    return int(guild.add_member(world.person(name), *roles)["user"]["id"])


def bots_role(guild: Guild) -> int:
    """Return the role that Discord manages for the bot."""
    return next(int(role["id"]) for role in guild.roles.values() if role["managed"])


async def refusal(awaitable: object) -> tuple[int, int]:
    """Return status and code with which a request is refused."""
    with pytest.raises(discord.HTTPException) as refused:
        await awaitable  # type: ignore[misc]
    return refused.value.status, refused.value.code


# channels


async def test_a_private_room_is_made_changed_and_deleted(server: discord.Guild, world: World, guild: Guild) -> None:
    maya = await server.fetch_member(join(guild, world))
    closed: dict[discord.Role | discord.Member | discord.Object, discord.PermissionOverwrite] = {
        server.default_role: discord.PermissionOverwrite(view_channel=False),
        maya: discord.PermissionOverwrite(view_channel=True),
    }
    category = await server.create_category("Groups")
    room = await server.create_text_channel("Tuesday Group", overwrites=closed, category=category, topic="Hello")

    assert (room.name, room.category_id, room.topic) == ("tuesday-group", category.id, "Hello")
    assert guild.can_see(maya.id, guild.channels[room.id])
    assert not guild.can_see(join(guild, world, "Noah"), guild.channels[room.id])

    # The bot has hidden the room from itself, too: only those who are named see it.
    assert await refusal(room.edit(name="wednesday")) == (403, 50001)
    guild.set_overwrite(room.id, bots_role(guild), 0, int(Bit.VIEW_CHANNEL), 0)
    changed = await room.edit(name="wednesday", reason="moved")
    assert changed is not None
    assert changed.name == "wednesday"
    assert world.audit[-1] | {"by": 0} == {
        "guild_id": guild.id,
        "by": 0,
        "action": "CHANNEL_UPDATE",
        "target_id": room.id,
        "reason": "moved",
    }
    await room.delete()
    assert room.id not in guild.channels


async def test_a_room_takes_the_overwrites_of_its_category(server: discord.Guild, guild: Guild) -> None:
    category = guild.add_channel("Groups", 4)
    guild.set_overwrite(int(category["id"]), guild.id, 0, 0, int(Bit.SEND_MESSAGES))

    room = await server.create_text_channel("tuesday", category=discord.Object(int(category["id"])))  # type: ignore[arg-type]

    assert (
        guild.channels[room.id]["permission_overwrites"] == guild.channels[category_id(guild)]["permission_overwrites"]
    )


def category_id(guild: Guild) -> int:
    return next(int(channel["id"]) for channel in guild.channels.values() if channel["type"] == 4)


async def test_a_category_holds_fifty_channels(server: discord.Guild, guild: Guild) -> None:
    category = guild.add_channel("Groups", 4)
    for number in range(50):
        guild.add_channel(f"room-{number}", parent_id=int(category["id"]))

    place = discord.Object(int(category["id"]))
    assert await refusal(server.create_text_channel("one more", category=place)) == (400, 50035)  # type: ignore[arg-type]


async def test_access_is_given_and_taken_for_one_member(server: discord.Guild, world: World, guild: Guild) -> None:
    maya = await server.fetch_member(join(guild, world))
    room = await server.create_text_channel("tuesday")
    guild.set_overwrite(room.id, guild.id, 0, 0, int(Bit.VIEW_CHANNEL))
    guild.set_overwrite(room.id, bots_role(guild), 0, int(Bit.VIEW_CHANNEL), 0)

    assert not guild.can_see(maya.id, guild.channels[room.id])
    await room.set_permissions(maya, view_channel=True)
    assert guild.can_see(maya.id, guild.channels[room.id])
    await room.set_permissions(maya, overwrite=None)
    assert not guild.can_see(maya.id, guild.channels[room.id])
    assert await refusal(room.set_permissions(maya, overwrite=None)) == (404, 10009)


async def test_an_overwrite_gives_only_what_the_bot_has(server: discord.Guild, world: World, guild: Guild) -> None:
    maya = await server.fetch_member(join(guild, world))

    room = server.text_channels[0]
    assert await refusal(room.set_permissions(maya, manage_messages=True)) == (403, 50013)
    assert await refusal(room.set_permissions(maya, manage_roles=True)) == (403, 50013)
    guild.set_overwrite(room.id, bots_role(guild), 0, int(Bit.MANAGE_ROLES), 0)
    await room.set_permissions(maya, manage_messages=True)


async def test_somebody_who_has_left_gets_no_overwrite(server: discord.Guild, world: World, guild: Guild) -> None:
    maya = await server.fetch_member(join(guild, world))
    guild.remove_member(maya.id)

    assert await refusal(server.text_channels[0].set_permissions(maya, view_channel=True)) == (404, 10009)


async def test_without_its_permission_the_bot_changes_no_channel(server: discord.Guild, guild: Guild) -> None:
    guild.edit_role(bots_role(guild), permissions=str(int(Bit.VIEW_CHANNEL)))

    assert await refusal(server.create_text_channel("tuesday")) == (403, 50013)
    assert await refusal(server.text_channels[0].delete()) == (403, 50013)


async def test_a_deleted_channel_is_unknown(server: discord.Guild, guild: Guild) -> None:
    room = server.text_channels[0]
    guild.remove_channel(room.id)

    assert await refusal(room.send("hello")) == (404, 10003)


async def test_channels_are_moved(server: discord.Guild, guild: Guild) -> None:
    first, second = server.text_channels[0], await server.create_text_channel("tuesday")

    await second.move(beginning=True)

    assert guild.channels[second.id]["position"] < guild.channels[first.id]["position"]


# roles


async def test_a_role_is_made_given_taken_and_deleted(server: discord.Guild, world: World, guild: Guild) -> None:
    maya = await server.fetch_member(join(guild, world))
    role = await server.create_role(name="Facilitators", colour=discord.Colour(0x336699), mentionable=True)

    await maya.add_roles(role)
    assert str(role.id) in guild.members[maya.id]["roles"]
    await maya.remove_roles(role)
    assert guild.members[maya.id]["roles"] == []
    await role.edit(name="Hosts")
    assert guild.roles[role.id]["name"] == "Hosts"
    await role.delete()
    assert role.id not in guild.roles


async def test_a_role_above_the_bots_own_is_out_of_reach(server: discord.Guild, world: World, guild: Guild) -> None:
    maya = await server.fetch_member(join(guild, world))
    high = guild.add_role("Leads")
    guild.move_role(int(high["id"]), 5)
    role = discord.Object(int(high["id"]))

    assert await refusal(maya.add_roles(role)) == (403, 50013)
    assert await refusal((await server.fetch_role(role.id)).delete()) == (403, 50013)


async def test_a_role_gets_only_what_the_bot_has(server: discord.Guild) -> None:
    assert await refusal(server.create_role(permissions=discord.Permissions(administrator=True))) == (403, 50013)


async def test_unknown_roles_and_members_have_their_codes(server: discord.Guild, world: World, guild: Guild) -> None:
    stranger = world.person("Noah")
    maya = await server.fetch_member(join(guild, world))

    assert await refusal(server.fetch_member(int(stranger["id"]))) == (404, 10007)
    assert await refusal(server.fetch_member(5)) == (404, 10013)
    assert await refusal(maya.add_roles(discord.Object(5))) == (404, 10011)


async def test_roles_are_moved_below_the_bots_own(server: discord.Guild, world: World, guild: Guild) -> None:
    guild.add_role("Leads")
    second = await server.create_role(name="Facilitators")
    await world.settle()

    await second.edit(position=2)
    order = sorted(guild.roles.values(), key=lambda role: role["position"])
    assert [role["name"] for role in order] == ["@everyone", "Leads", "Facilitators", "peerbot"]
    await world.settle()
    assert await refusal(second.edit(position=3)) == (403, 50013)


# members


async def test_members_are_searched_by_the_start_of_a_name(
    server: discord.Guild, world: World, guild: Guild, connect: Connect
) -> None:
    join(guild, world)
    route = discord_http.Route("GET", "/guilds/{guild_id}/members/search", guild_id=guild.id)

    found = await server._state.http.request(route, params={"query": "ma", "limit": 5})

    assert [member["user"]["global_name"] for member in found] == ["Maya"]


async def test_a_guild_without_the_bot_is_unknown(server: discord.Guild, world: World, connect: Connect) -> None:
    other = world.guild("Lighthouse", owner="Pia")
    client = await connect()

    assert await refusal(client.fetch_guild(other.id)) == (404, 10004)
    assert (await client.fetch_guild(server.id)).approximate_member_count == 2


async def test_members_are_listed_with_the_privilege_only(
    server: discord.Guild, world: World, guild: Guild, application: Application
) -> None:
    join(guild, world)

    assert {member.display_name async for member in server.fetch_members()} == {"Olga", "peerbot", "Maya"}
    application.privileged = 0
    assert (await refusal(anext(server.fetch_members())))[1] == 50001


async def test_kicking_needs_permission_and_a_higher_role(server: discord.Guild, world: World, guild: Guild) -> None:
    maya = await server.fetch_member(join(guild, world))
    assert await refusal(maya.kick()) == (403, 50013)

    guild.edit_role(bots_role(guild), permissions=str(int(Bit.KICK_MEMBERS)))
    owner = await server.fetch_member(guild.owner_id)
    assert await refusal(owner.kick()) == (403, 50013)
    await maya.kick()
    assert maya.id not in guild.members


async def test_a_nick_needs_its_permission(server: discord.Guild, world: World, guild: Guild) -> None:
    maya = await server.fetch_member(join(guild, world))
    assert await refusal(maya.edit(nick="M")) == (403, 50013)

    guild.edit_role(bots_role(guild), permissions=str(int(Bit.MANAGE_NICKNAMES)))
    assert (edited := await maya.edit(nick="M")) is not None
    assert edited.nick == "M"


async def test_channels_in_step_with_their_category_follow_it(server: discord.Guild, guild: Guild) -> None:
    category = guild.add_channel("Groups", 4)
    follower = await server.create_text_channel("tuesday", category=discord.Object(int(category["id"])))  # type: ignore[arg-type]
    own = guild.add_channel("wednesday", parent_id=int(category["id"]))
    guild.set_overwrite(int(own["id"]), guild.id, 0, 0, int(Bit.ATTACH_FILES))

    guild.set_overwrite(int(category["id"]), guild.id, 0, 0, int(Bit.SEND_MESSAGES))

    assert guild.channels[follower.id]["permission_overwrites"] == category["permission_overwrites"]
    assert own["permission_overwrites"][0]["deny"] == str(int(Bit.ATTACH_FILES))


async def test_a_category_stands_in_no_category(server: discord.Guild, guild: Guild) -> None:
    category = guild.add_channel("Groups", 4)

    refused = server._state.http.create_channel(server.id, 4, name="Inner", parent_id=int(category["id"]))

    assert await refusal(refused) == (400, 50035)


async def test_a_refused_change_is_not_in_the_audit_log(server: discord.Guild, world: World) -> None:
    role = await server.create_role(name="Facilitators")
    written = len(world.audit)

    everything = discord.Permissions(administrator=True)

    assert await refusal(role.edit(permissions=everything)) == (403, 50013)
    assert len(world.audit) == written


async def test_a_guild_is_changed_with_its_permission(server: discord.Guild, guild: Guild, world: World) -> None:
    assert await refusal(server.edit(name="Haven")) == (403, 50013)
    guild.edit_role(bots_role(guild), permissions=str(int(Bit.MANAGE_GUILD)))

    assert await refusal(server.edit(name="H")) == (400, 50035)
    await server.edit(name="Haven", system_channel=None)
    await world.settle()

    assert (server.name, guild.name) == ("Haven", "Haven")
