"""Hide from a bot what it cannot see of a guild's channels.

Since November 2026 the gateway names a channel without VIEW_CHANNEL "___hidden___", with nothing in it but its place,
and REST leaves it out of the list (developers/topics/permissions.mdx, "Channel Visibility"; developers/change-log.mdx,
"Channel Obfuscation for Users and Bots"). Interactions carry it whole.
"""

from __future__ import annotations

from peerbot.rehearsal import wire
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.wire import Wire

OBFUSCATED = 1 << 17
HIDDEN_NAME = "___hidden___"
# After these events a bot may see what it did not see before.
CHANGING_EVERYTHING = frozenset({"GUILD_ROLE_UPDATE", "GUILD_ROLE_DELETE", "GUILD_MEMBER_UPDATE"})
OF_CHANNELS = frozenset({"CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE"})


def visible(guild: Guild, bot_id: int, channel: Wire) -> bool:
    """Say whether a bot sees a channel; a category also shows when one of its channels does."""
    if guild.can_see(bot_id, channel):
        return True
    if channel["type"] != wire.CATEGORY:
        return False
    inside = (one for one in guild.channels.values() if one.get("parent_id") == channel["id"])
    return any(guild.can_see(bot_id, one) for one in inside)


def all_visible(guild: Guild, bot_id: int) -> set[int]:
    """Return the ids of the channels that a bot sees."""
    return {channel_id for channel_id, channel in guild.channels.items() if visible(guild, bot_id, channel)}


def shown(guild: Guild, bot_id: int, channel: Wire) -> Wire:
    """Return a channel as the gateway gives it to a bot."""
    if visible(guild, bot_id, channel):
        return channel
    hidden = channel | {
        "name": HIDDEN_NAME,
        "flags": channel["flags"] | OBFUSCATED,
        "permission_overwrites": [wire.overwrite(guild.id, 0, 0, int(Bit.VIEW_CHANNEL))],
    }
    nothing: Wire = {"topic": None, "last_message_id": None, "nsfw": False, "rate_limit_per_user": 0, "user_limit": 0}
    return hidden | {key: empty for key, empty in nothing.items() if key in channel}
