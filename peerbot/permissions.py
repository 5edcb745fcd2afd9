"""Which of Discord's permissions peerbot needs, and where; by discord.py's name, with the name that Discord shows.

`/setup` and `peerbot doctor` both read these tables, so that they never ask for different things.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from peerbot.models import Guild
from peerbot.text import Text, _

IN_SERVER: dict[str, Text] = {
    "view_channel": _("View Channels"),
    "send_messages": _("Send Messages"),
    "read_message_history": _("Read Message History"),
    "manage_channels": _("Manage Channels"),
    "manage_roles": _("Manage Roles"),
    "create_public_threads": _("Create Public Threads"),
    "create_private_threads": _("Create Private Threads"),
    "send_messages_in_threads": _("Send Messages in Threads"),
}
FOR_EVENTS: dict[str, Text] = {"create_events": _("Create Events")}
"""In the server, where meetings stand among Discord's own events."""
IN_CHANNEL: dict[str, Text] = {
    "view_channel": _("View Channel"),
    "send_messages": _("Send Messages"),
    "read_message_history": _("Read Message History"),
}
IN_ROOM: dict[str, Text] = IN_CHANNEL | {
    "manage_roles": _("Manage Permissions"),  # in the settings of a channel, Discord calls Manage Roles so
}
"""In a room, members are let in one by one, by permissions of their own."""
IN_STAFF_CHANNEL: dict[str, Text] = IN_CHANNEL | {
    "create_public_threads": _("Create Public Threads"),
    "send_messages_in_threads": _("Send Messages in Threads"),
}
"""In the channel of the facilitators, a thread holds their tasks."""
IN_THREADS_CHANNEL: dict[str, Text] = {
    "view_channel": _("View Channel"),
    "read_message_history": _("Read Message History"),
    "create_private_threads": _("Create Private Threads"),
    "send_messages_in_threads": _("Send Messages in Threads"),
}
"""In the channel under which members have their private threads."""
FOR_MEMBERS: dict[str, Text] = {"view_channel": _("View Channel")}
"""What members need where they find groups, and above their private threads."""
FOR_MEMBERS_IN_THREADS: dict[str, Text] = {"send_messages_in_threads": _("Send Messages in Threads")}


def in_server(guild: Guild | None) -> dict[str, Text]:
    """Return what is needed in a whole server, as it is set up."""
    return IN_SERVER | (FOR_EVENTS if guild is not None and guild.native_events else {})


def threads_channel(guild: Guild) -> int:
    """Return the channel under which members' private threads stand: the one that was chosen, else the panel's."""
    return guild.threads_channel_id or guild.panel_channel_id


def in_channels(guild: Guild) -> dict[int, dict[str, Text]]:
    """Return what is needed in each channel that was chosen in the setup."""
    needed = {guild.panel_channel_id: IN_CHANNEL, guild.staff_channel_id: IN_STAFF_CHANNEL}
    above = threads_channel(guild)
    return needed | {above: needed.get(above, {}) | IN_THREADS_CHANNEL}


def of_members(guild: Guild) -> dict[int, dict[str, Text]]:
    """Return what members need in each channel that was chosen for them in the setup."""
    return {guild.panel_channel_id: FOR_MEMBERS} | {threads_channel(guild): FOR_MEMBERS | FOR_MEMBERS_IN_THREADS}


def lacking_to_all(channel: Any, roles: Iterable[Any], guild: Guild, needed: dict[str, Text]) -> list[Text]:
    """Return what no member has in a channel, whatever their role; nothing if everyone or some role has all of it.

    Roles of facilitators, of bots, and of who manages the server do not count. Channel and roles are discord.py's.
    """
    theirs = [
        role
        for role in roles
        if role.id != guild.facilitator_role_id and not role.managed and not role.permissions.manage_guild
        and not role.permissions.administrator
    ]  # fmt: skip
    return min((lacking(channel.permissions_for(role), needed) for role in theirs), key=len, default=[])


def lacking_to_newcomers(channel: Any, roles: Iterable[Any], everyone: Any, guild: Guild) -> Text | None:
    """Return what whoever has no role lacks first to have a private thread in a channel, and to answer there.

    None if they have it all, and also if no member has it, which `lacking_to_all` tells. Of a channel that they cannot
    see, nothing else counts. Channel, roles and `everyone`, the role that all have, are discord.py's.
    """
    needed = of_members(guild)[threads_channel(guild)]
    missing = lacking(channel.permissions_for(everyone), needed)
    return missing[0] if missing and not lacking_to_all(channel, roles, guild, needed) else None


def lacking(permissions: object, needed: dict[str, Text]) -> list[Text]:
    """Return the names of those needed that are not among `permissions` (discord.py's Permissions)."""
    return [shown for name, shown in needed.items() if not getattr(permissions, name)]
