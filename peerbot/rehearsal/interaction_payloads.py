"""Build what an application receives when a person does something.

The payload has every key that Discord documents for it (developers/interactions/receiving-and-responding.mdx,
"Interaction Object"), and what somebody may do is computed anew each time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from peerbot.rehearsal import permissions
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.wire import Wire

if TYPE_CHECKING:
    from peerbot.rehearsal.interactions import Interaction
    from peerbot.rehearsal.world import World

ATTACHMENT_LIMIT_BYTES = 10 * 1024 * 1024
IN_GUILD, IN_BOT_DM = 0, 1
_NOT_IN_RESOLVED_MEMBERS = ("user", "deaf", "mute")
_CHANNEL_KEYS = (
    "id",
    "type",
    "guild_id",
    "name",
    "position",
    "topic",
    "nsfw",
    "flags",
    "parent_id",
    "last_message_id",
    "rate_limit_per_user",
    "thread_metadata",
    "owner_id",
    "member_count",
    "message_count",
    "total_message_sent",
    "recipients",
)


def build(world: World, interaction: Interaction) -> Wire:
    """Return the INTERACTION_CREATE payload of an interaction."""
    guild, channel, user_id = interaction.guild, interaction.channel, interaction.user_id
    bot_id = interaction.application.bot_id
    granted = permissions.IN_DIRECT_MESSAGES if guild is None else guild.permissions_of(bot_id, channel)
    payload: Wire = {
        "id": str(interaction.id),
        "application_id": str(interaction.application.id),
        "type": int(interaction.kind),
        "token": interaction.token,
        "version": 1,
        "data": _with_app_permissions(interaction.data, guild, bot_id),
        "channel_id": channel["id"],
        "channel": partial_channel(guild, channel, user_id),
        "app_permissions": str(int(granted)),
        "locale": world.interactions.locales.get(user_id, "en-US"),
        "entitlements": [],
        "authorizing_integration_owners": owners(guild),
        "context": IN_BOT_DM if guild is None else IN_GUILD,
        "attachment_size_limit": ATTACHMENT_LIMIT_BYTES,
    }
    if interaction.message is not None:
        payload["message"] = interaction.message
    if guild is None:
        return payload | {"user": world.users[user_id]}
    return payload | {
        "guild_id": str(guild.id),
        "guild_locale": guild.fields["preferred_locale"],
        "guild": {
            "id": str(guild.id),
            "locale": guild.fields["preferred_locale"],
            "features": guild.fields["features"],
        },
        "member": guild.members[user_id] | {"permissions": str(guild.permissions_of(user_id, channel))},
    }


def _with_app_permissions(data: Wire, guild: Guild | None, bot_id: int) -> Wire:
    """Return an interaction's data in which each chosen channel says what the bot may do there."""
    channels: dict[str, Wire] = data.get("resolved", {}).get("channels", {})
    if guild is None or not channels or bot_id not in guild.members:
        return data
    places = guild.channels | guild.threads
    told = {
        key: one | {"app_permissions": str(guild.permissions_of(bot_id, places[int(key)]))}
        for key, one in channels.items()
    }
    return data | {"resolved": data["resolved"] | {"channels": told}}


def owners(guild: Guild | None) -> Wire:
    """Return who installed the application that answers: the guild, or "0" in a direct message with its bot."""
    return {"0": "0" if guild is None else str(guild.id)}


def partial_channel(guild: Guild | None, channel: Wire, user_id: int) -> Wire:
    """Return the part of a channel that interactions carry, with what the person may do in it."""
    granted = permissions.IN_DIRECT_MESSAGES if guild is None else guild.permissions_of(user_id, channel)
    return {key: channel[key] for key in _CHANNEL_KEYS if key in channel} | {"permissions": str(int(granted))}


def resolve(
    world: World,
    guild: Guild | None,
    user_id: int,
    *,
    users: Iterable[int] = (),
    roles: Iterable[int] = (),
    channels: Iterable[int] = (),
    messages: Iterable[Wire] = (),
    attachments: Iterable[Wire] = (),
) -> Wire:
    """Return the `resolved` object for the ids that a person chose; empty kinds are left out."""
    people = list(dict.fromkeys(users))
    resolved: Wire = {"users": {str(each): world.users[each] for each in people}}
    if guild is not None:
        resolved["members"] = {str(each): _partial_member(guild, each) for each in people if each in guild.members}
        resolved["roles"] = {str(each): guild.roles[each] for each in roles}
        places = guild.channels | guild.threads
        resolved["channels"] = {str(each): partial_channel(guild, places[each], user_id) for each in channels}
    resolved["messages"] = {each["id"]: each for each in messages}
    resolved["attachments"] = {each["id"]: each for each in attachments}
    return {kind: found for kind, found in resolved.items() if found}


def _partial_member(guild: Guild, user_id: int) -> Wire:
    member = guild.members[user_id]
    kept = {key: value for key, value in member.items() if key not in _NOT_IN_RESOLVED_MEMBERS}
    return kept | {"permissions": str(guild.permissions_of(user_id))}
