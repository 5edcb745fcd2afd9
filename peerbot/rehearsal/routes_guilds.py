"""Answer for guilds and the list of their channels.

A bot is given the channels of its guild that it can see, as Discord does since November 2026.
"""

from __future__ import annotations

from typing import Any

from peerbot.rehearsal import channel_forms, sight, wire
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.refusals import Refusal, invalid_form, unknown
from peerbot.rehearsal.routing import Answer, Call, Routes
from peerbot.rehearsal.wire import Wire

MOST_CHANNELS, LONGEST_NAME = 500, 100
EDITABLE = (
    "name",
    "description",
    "preferred_locale",
    "system_channel_id",
    "rules_channel_id",
    "public_updates_channel_id",
    "verification_level",
    "default_message_notifications",
    "afk_timeout",
)

routes = Routes()


@routes("GET", "/guilds/{guild_id}")
async def get_guild(call: Call) -> Wire:
    """Return a guild with its roles, and its counts when asked."""
    if call.application.bot_id not in call.world.guild_by_id(call.number("guild_id")).members:
        # Here, and only here, a guild without the bot is answered as if there were none.
        raise unknown("Guild")
    guild = call.guild()
    if call.query.get("with_counts") not in ("true", "True", "1"):
        return guild.wire()
    counts = {"approximate_member_count": len(guild.members), "approximate_presence_count": len(guild.members)}
    return guild.wire() | counts


@routes("PATCH", "/guilds/{guild_id}")
async def edit_guild(call: Call) -> Wire:
    """Change a guild (MANAGE_GUILD): its name, description, language and the channels that it names."""
    guild, body = call.guild(), call.body or {}
    call.require(guild, Bit.MANAGE_GUILD)
    if "name" in body and not 2 <= len(str(body["name"]).strip()) <= LONGEST_NAME:  # noqa: PLR2004
        raise invalid_form("name", f"Must be between 2 and {LONGEST_NAME} in length.")
    changes = {key: body[key] for key in EDITABLE if key in body}
    for key, value in changes.items():
        if key.endswith("_channel_id") and value is not None and int(value) not in guild.channels:
            raise invalid_form(key, "Channel does not exist", kind="CHANNEL_INVALID")
    call.record(guild, "GUILD_UPDATE", guild.id)
    return guild.edit(**changes)


@routes("GET", "/guilds/{guild_id}/channels")
async def get_channels(call: Call) -> list[Wire]:
    """Return the channels of a guild that the bot sees, threads left out."""
    guild = call.guild()
    return [one for one in guild.channels.values() if sight.visible(guild, call.application.bot_id, one)]


@routes("POST", "/guilds/{guild_id}/channels")
async def create_channel(call: Call) -> Answer:
    """Make a channel (MANAGE_CHANNELS); overwrites need MANAGE_ROLES where they go beyond what the bot has."""
    guild, body = call.guild(), call.body or {}
    call.require(guild, Bit.MANAGE_CHANNELS)
    kind = body.get("type") or wire.TEXT
    if kind not in (wire.TEXT, wire.VOICE, wire.CATEGORY):
        raise invalid_form("type", "This channel type is not supported here.", kind="BASE_TYPE_CHOICES")
    if len(guild.channels) >= MOST_CHANNELS:
        raise Refusal(400, 30013, "Maximum number of guild channels reached (500)")
    name = channel_forms.name(body.get("name"), kind)
    parent_id = channel_forms.parent(guild, body.get("parent_id"), kind)
    overwrites = channel_forms.overwrites(call, guild, body.get("permission_overwrites"))
    channel = guild.add_channel(
        name, kind, parent_id=parent_id, overwrites=overwrites, **channel_forms.rest(body, kind)
    )
    call.record(guild, "CHANNEL_CREATE", channel["id"])
    return Answer(201, channel)


@routes("PATCH", "/guilds/{guild_id}/channels")
async def move_channels(call: Call) -> None:
    """Change the positions of channels, and their category."""
    guild = call.guild()
    call.require(guild, Bit.MANAGE_CHANNELS)
    for entry in call.body or []:
        channel_id = int(entry["id"])
        if channel_id not in guild.channels:
            raise Refusal(404, 10003, "Unknown Channel")
        changes: dict[str, Any] = {}
        if entry.get("position") is not None:
            changes["position"] = entry["position"]
        if "parent_id" in entry:
            parent_id = channel_forms.parent(guild, entry["parent_id"], guild.channels[channel_id]["type"])
            changes["parent_id"] = str(parent_id) if parent_id else None
            if parent_id and entry.get("lock_permissions"):
                copied = guild.channels[parent_id]["permission_overwrites"]
                changes["permission_overwrites"] = [dict(one) for one in copied]
        guild.edit_channel(channel_id, **changes)
