"""Check one server: what was set up, and what the bot may do there.

Everything is asked of Discord's REST API as the bot itself; what it may do is worked out by discord.py from that, never
from a gateway that a running bot might be using.
"""

from __future__ import annotations

from dataclasses import dataclass

import discord
from discord.abc import GuildChannel

from peerbot import permissions
from peerbot.findings import Report
from peerbot.health import Known
from peerbot.models import Group, Guild
from peerbot.permissions import IN_ROOM
from peerbot.text import Reader, Text

CHOOSE = "In the server choose another one: /setup, *Change*."


@dataclass(frozen=True)
class Seen:
    """A server as the bot sees it now; `hidden` are those channels looked for that are there, but not for the bot."""

    server: discord.Guild
    me: discord.Member
    channels: dict[int, GuildChannel]
    hidden: frozenset[int]


async def look(client: discord.Client, guild_id: int, known: Known | None) -> Seen:
    """Ask Discord for a server, and for the channels that the database names. Raises what discord.py raises."""
    assert client.user is not None, "who logged in has a user"  # noqa: S101
    server = await client.fetch_guild(guild_id, with_counts=False)
    me = await server.fetch_member(client.user.id)
    channels: dict[int, GuildChannel] = {channel.id: channel for channel in await server.fetch_channels()}
    hidden: set[int] = set()
    # Discord leaves out what the bot cannot view; only asking for one channel tells whether it is there at all.
    for channel_id in sorted(_named(known) - channels.keys()):
        try:
            await server.fetch_channel(channel_id)
        except discord.Forbidden:
            hidden.add(channel_id)
        except discord.NotFound:
            continue
    return Seen(server, me, channels, frozenset(hidden))


def _named(known: Known | None) -> set[int]:
    if known is None:
        return set()
    guild = known.guild
    ids = {guild.panel_channel_id, guild.staff_channel_id, guild.threads_channel_id}
    ids |= {group.room_id for group in known.groups}
    return {channel_id for channel_id in ids if channel_id is not None}


def check_stored(report: Report, known: Known) -> None:
    """Check what the database says of a server, which needs no Discord."""
    countries = known.guild.help_countries
    if countries:
        report.ok("Help lines", f"those of {countries} come first.")
    else:
        remedy = "In the server name the countries of most members: /setup, *Help lines*."
        report.to_do("Help lines", "No countries are chosen, so the panel shows no number.", remedy)
    if known.dead:
        what = "1 thing" if known.dead == 1 else f"{known.dead} things"
        remedy = "In the staff channel do what peerbot's message says, and press *Try again*."
        report.to_do("Deliveries", f"{what} that peerbot promised could not be done.", remedy)
    else:
        report.ok("Deliveries", "none has failed.")


def check_permissions(report: Report, seen: Seen, known: Known | None) -> None:
    """Check what the bot may do in the whole server."""
    needed = permissions.in_server(known.guild if known is not None else None)
    missing = permissions.lacking(seen.me.guild_permissions, needed)
    if missing:
        remedy = f"Server Settings, Roles, the bot's role: switch on {_listed(missing)}."
        report.to_do("Server permissions", f"The bot lacks {_listed(missing)}.", remedy)
    else:
        report.ok("Server permissions", "the bot has all that it needs.")


def check_places(report: Report, seen: Seen, known: Known) -> None:
    """Check the role and the channels that were chosen in the setup, and the rooms of the groups."""
    guild = known.guild
    _check_role(report, seen, guild)
    needed = permissions.in_channels(guild)
    _check_channel(report, seen, "Panel", guild.panel_channel_id, needed[guild.panel_channel_id])
    if _check_channel(report, seen, "Staff channel", guild.staff_channel_id, needed[guild.staff_channel_id]):
        _check_private(report, seen, "Staff channel", guild.staff_channel_id, "Facilitators write there about members.")
    above = permissions.threads_channel(guild)
    if above != guild.panel_channel_id:
        _check_channel(report, seen, "Channel for private threads", above, needed[above])
    _check_for_members(report, seen, guild)
    for group in known.groups:
        _check_group(report, seen, group)
    if not known.groups:
        report.ok("Rooms", "there is no open group yet.")


def _check_for_members(report: Report, seen: Seen, guild: Guild) -> None:
    """Check that members can see the channels that are for them, and write in their private threads."""
    for channel_id, needed in permissions.of_members(guild).items():
        channel = seen.channels.get(channel_id)
        missing = permissions.lacking_to_all(channel, seen.server.roles, guild, needed) if channel is not None else []
        if channel is not None and missing:
            remedy = f"Edit Channel, Permissions, @everyone or the role of members: allow {_listed(missing)}."
            report.to_do("Channels for members", f"Members may not use #{channel.name} as they must.", remedy)
    _ask_about_threads(report, seen, guild)


def _ask_about_threads(report: Report, seen: Seen, guild: Guild) -> None:
    """Ask whether it is meant so that not everyone can have a private thread and answer there."""
    channel, everyone = seen.channels.get(permissions.threads_channel(guild)), seen.server.default_role
    if channel is None:
        return  # that is a line of its own
    missing = permissions.lacking_to_newcomers(channel, seen.server.roles, everyone, guild)
    if missing is not None:
        effect = "cannot answer there" if channel.permissions_for(everyone).view_channel else "gets none"
        state = f"Not everyone has {_listed([missing])} in #{channel.name}. Whoever has not {effect}."
        report.look("Private threads", state, f"Edit Channel, Permissions, @everyone: allow {_listed([missing])}.")


def _check_role(report: Report, seen: Seen, guild: Guild) -> None:
    role = seen.server.get_role(guild.facilitator_role_id)
    if role is None:
        report.to_do("Facilitators", "Their role is gone.", CHOOSE)
    elif not (role.permissions.manage_events or role.permissions.administrator):
        remedy = f"Server Settings, Roles, {role.name}: switch on Manage Events."
        report.to_do("Facilitators", f"Discord does not show {role.name} the commands for facilitators.", remedy)
    else:
        report.ok("Facilitators", f"{role.name} is there, and sees the commands for facilitators.")


def _check_group(report: Report, seen: Seen, group: Group) -> None:
    check = f"Room of {group.name}"
    if group.room_id is None:
        remedy = "In the staff channel press *Make a new room*, or *Try again* where peerbot says that it failed."
        report.to_do(check, "There is none yet, or it was deleted.", remedy)
    elif _check_channel(report, seen, check, group.room_id, IN_ROOM):
        _check_private(report, seen, check, group.room_id, "It shows who is in the group.")
    if group.role_id is not None:
        _check_group_role(report, seen, group, group.role_id)


def _check_group_role(report: Report, seen: Seen, group: Group, role_id: int) -> None:
    check, role = f"Role of {group.name}", seen.server.get_role(role_id)
    if role is None:
        report.to_do(check, "It was deleted.", "Close the group and make a new one, if its members need the role.")
    elif role >= seen.me.top_role:
        remedy = f"Server Settings, Roles: move the bot's role above {role.name}."
        report.to_do(check, f"The bot cannot give {role.name}, which stands above its own role.", remedy)
    else:
        report.ok(check, f"the bot can give {role.name}.")


def _check_channel(report: Report, seen: Seen, check: str, channel_id: int, needed: dict[str, Text]) -> bool:
    """Check that a channel is there and that the bot may do all that it needs there; return whether it sees it."""
    channel = seen.channels.get(channel_id)
    if channel is None and channel_id not in seen.hidden:
        is_room = needed is IN_ROOM
        remedy = "Start `peerbot run`: it asks in the staff channel whether to make a new one." if is_room else CHOOSE
        report.to_do(check, f"The channel (id {channel_id}) is gone.", remedy)
        return False
    missing = permissions.lacking(channel.permissions_for(seen.me), needed) if channel else [*needed.values()]
    if missing:
        where = f"#{channel.name}" if channel else f"the channel with the id {channel_id}"
        remedy = f"Edit Channel, Permissions, the bot's role: allow {_listed(missing)}."
        report.to_do(check, f"The bot may not use {where} as it must.", remedy)
    elif channel is not None:
        report.ok(check, f"#{channel.name} is there, and the bot may do there what it must.")
    return channel is not None


def _check_private(report: Report, seen: Seen, check: str, channel_id: int, why: str) -> None:
    """Check that not everyone can see a channel."""
    channel = seen.channels[channel_id]
    if channel.permissions_for(seen.server.default_role).view_channel:
        remedy = "Edit Channel, Permissions: make it private."
        report.to_do(check, f"Everyone can read #{channel.name}. {why}", remedy)
    else:
        report.ok(check, f"#{channel.name} is private.")


def _listed(names: list[Text]) -> str:
    return ", ".join(map(Reader().say, names))
