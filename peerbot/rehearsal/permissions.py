"""Decide what a member may do, as Discord computes it.

Pure functions on wire objects: `guild` has `id`, `owner_id` and `roles`; `member` has `user` and `roles`; `channel` has
`permission_overwrites`. The order is Discord's (developers/topics/permissions.mdx, "Permission Overwrites"): owner,
@everyone, roles, administrator, overwrite of @everyone, overwrites of roles together, overwrite of the member, implicit
denials. A member whose timeout runs keeps reading only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import IntFlag
from typing import Any

THREADS = (10, 11, 12)  # announcement, public, private


class Bit(IntFlag):
    """One permission, by Discord's own name."""

    CREATE_INSTANT_INVITE = 1 << 0
    KICK_MEMBERS = 1 << 1
    BAN_MEMBERS = 1 << 2
    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_AUDIT_LOG = 1 << 7
    PRIORITY_SPEAKER = 1 << 8
    STREAM = 1 << 9
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    SEND_TTS_MESSAGES = 1 << 12
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_EXTERNAL_EMOJIS = 1 << 18
    VIEW_GUILD_INSIGHTS = 1 << 19
    CONNECT = 1 << 20
    SPEAK = 1 << 21
    MUTE_MEMBERS = 1 << 22
    DEAFEN_MEMBERS = 1 << 23
    MOVE_MEMBERS = 1 << 24
    USE_VAD = 1 << 25
    CHANGE_NICKNAME = 1 << 26
    MANAGE_NICKNAMES = 1 << 27
    MANAGE_ROLES = 1 << 28
    MANAGE_WEBHOOKS = 1 << 29
    MANAGE_GUILD_EXPRESSIONS = 1 << 30
    USE_APPLICATION_COMMANDS = 1 << 31
    REQUEST_TO_SPEAK = 1 << 32
    MANAGE_EVENTS = 1 << 33
    MANAGE_THREADS = 1 << 34
    CREATE_PUBLIC_THREADS = 1 << 35
    CREATE_PRIVATE_THREADS = 1 << 36
    USE_EXTERNAL_STICKERS = 1 << 37
    SEND_MESSAGES_IN_THREADS = 1 << 38
    USE_EMBEDDED_ACTIVITIES = 1 << 39
    MODERATE_MEMBERS = 1 << 40
    VIEW_CREATOR_MONETIZATION_ANALYTICS = 1 << 41
    USE_SOUNDBOARD = 1 << 42
    CREATE_GUILD_EXPRESSIONS = 1 << 43
    CREATE_EVENTS = 1 << 44
    USE_EXTERNAL_SOUNDS = 1 << 45
    SEND_VOICE_MESSAGES = 1 << 46
    SET_VOICE_CHANNEL_STATUS = 1 << 48
    SEND_POLLS = 1 << 49
    USE_EXTERNAL_APPS = 1 << 50
    PIN_MESSAGES = 1 << 51
    BYPASS_SLOWMODE = 1 << 52


ALL = sum(Bit)

# What @everyone has in a server that somebody has just made.
EVERYONE_AT_FIRST = int(
    Bit.CREATE_INSTANT_INVITE
    | Bit.ADD_REACTIONS
    | Bit.STREAM
    | Bit.VIEW_CHANNEL
    | Bit.SEND_MESSAGES
    | Bit.EMBED_LINKS
    | Bit.ATTACH_FILES
    | Bit.READ_MESSAGE_HISTORY
    | Bit.USE_EXTERNAL_EMOJIS
    | Bit.CONNECT
    | Bit.SPEAK
    | Bit.USE_VAD
    | Bit.CHANGE_NICKNAME
    | Bit.USE_APPLICATION_COMMANDS
    | Bit.REQUEST_TO_SPEAK
    | Bit.CREATE_PUBLIC_THREADS
    | Bit.CREATE_PRIVATE_THREADS
    | Bit.USE_EXTERNAL_STICKERS
    | Bit.SEND_MESSAGES_IN_THREADS
    | Bit.USE_EMBEDDED_ACTIVITIES
    | Bit.USE_SOUNDBOARD
    | Bit.USE_EXTERNAL_SOUNDS
    | Bit.SEND_VOICE_MESSAGES
    | Bit.SEND_POLLS
    | Bit.USE_EXTERNAL_APPS
)

# What a person may do in a direct message, where nobody administers anything.
IN_DIRECT_MESSAGES = int(
    Bit.VIEW_CHANNEL
    | Bit.SEND_MESSAGES
    | Bit.EMBED_LINKS
    | Bit.ATTACH_FILES
    | Bit.ADD_REACTIONS
    | Bit.READ_MESSAGE_HISTORY
    | Bit.MENTION_EVERYONE
    | Bit.USE_EXTERNAL_EMOJIS
    | Bit.USE_APPLICATION_COMMANDS
)

_NEED_SENDING = int(Bit.MENTION_EVERYONE | Bit.SEND_TTS_MESSAGES | Bit.ATTACH_FILES | Bit.EMBED_LINKS | Bit.SEND_POLLS)
_NEED_CONNECTING = int(
    Bit.SPEAK
    | Bit.STREAM
    | Bit.USE_VAD
    | Bit.MUTE_MEMBERS
    | Bit.DEAFEN_MEMBERS
    | Bit.MOVE_MEMBERS
    | Bit.PRIORITY_SPEAKER
)
_KEPT_IN_TIMEOUT = int(Bit.VIEW_CHANNEL | Bit.READ_MESSAGE_HISTORY)
_VOICE = (2, 13)

Wire = Mapping[str, Any]


def of(
    guild: Wire,
    member: Wire,
    channel: Wire | None = None,
    *,
    parent: Wire | None = None,
    now: datetime | None = None,
) -> int:
    """Return the permissions of a member in a guild, or in one of its channels.

    A thread takes the overwrites of its `parent`; who is inside a private thread is not decided here. Without `now` a
    timeout that the member has counts as running.
    """
    granted = in_guild(guild, member)
    if granted & Bit.ADMINISTRATOR:
        return ALL
    if channel is not None:
        granted = _overwritten(granted, guild, member, _holder_of_overwrites(channel, parent))
    if timed_out(member, now):
        granted &= _KEPT_IN_TIMEOUT
    return granted if channel is None else _implied(granted, int(channel.get("type", 0)))


def in_guild(guild: Wire, member: Wire) -> int:
    """Return what a member's roles grant, before channels and timeouts; owner and administrators have it all."""
    if str(guild["owner_id"]) == str(member["user"]["id"]):
        return ALL
    held = {str(guild["id"]), *map(str, member["roles"])}
    granted = 0
    for role in guild["roles"]:
        if str(role["id"]) in held:
            granted |= int(role["permissions"])
    return ALL if granted & Bit.ADMINISTRATOR else granted


def top_role_position(guild: Wire, member: Wire) -> int:
    """Return the position of a member's highest role; @everyone is 0."""
    return _top_rank(guild, member)[0]


def may_manage_role(guild: Wire, member: Wire, role: Wire) -> bool:
    """Tell whether a member may give, take, edit or delete a role: with MANAGE_ROLES, one below their highest."""
    if _owns(guild, member):
        return True
    return bool(in_guild(guild, member) & Bit.MANAGE_ROLES) and _top_rank(guild, member) > _rank(role)


def outranks(guild: Wire, member: Wire, other: Wire) -> bool:
    """Tell whether a member's highest role is above another's; nobody is above the owner."""
    if _owns(guild, other):
        return False
    return _owns(guild, member) or _top_rank(guild, member) > _top_rank(guild, other)


def _owns(guild: Wire, member: Wire) -> bool:
    return str(guild["owner_id"]) == str(member["user"]["id"])


def _rank(role: Wire) -> tuple[int, int]:
    # Of two roles at one position the older stands higher.
    return int(role["position"]), -int(role["id"])


def _top_rank(guild: Wire, member: Wire) -> tuple[int, int]:
    held = set(map(str, member["roles"]))
    ranks = [_rank(role) for role in guild["roles"] if str(role["id"]) in held]
    return max(ranks, default=(0, -int(guild["id"])))


def _holder_of_overwrites(channel: Wire, parent: Wire | None) -> Wire:
    if channel.get("type") not in THREADS:
        return channel
    if parent is None:
        raise ValueError(f"thread {channel['id']} needs its parent channel")
    return parent


def _overwritten(granted: int, guild: Wire, member: Wire, channel: Wire) -> int:
    overwrites = {str(each["id"]): each for each in channel.get("permission_overwrites") or ()}
    everyone = overwrites.get(str(guild["id"]))
    if everyone is not None:
        granted = granted & ~int(everyone["deny"]) | int(everyone["allow"])
    allow = deny = 0
    for role_id in map(str, member["roles"]):
        if role_id in overwrites and role_id != str(guild["id"]):
            allow |= int(overwrites[role_id]["allow"])
            deny |= int(overwrites[role_id]["deny"])
    granted = granted & ~deny | allow
    own = overwrites.get(str(member["user"]["id"]))
    return granted if own is None else granted & ~int(own["deny"]) | int(own["allow"])


def _implied(granted: int, channel_type: int) -> int:
    if not granted & Bit.VIEW_CHANNEL:
        return 0
    if channel_type in _VOICE and not granted & Bit.CONNECT:
        granted &= ~_NEED_CONNECTING
    sending = Bit.SEND_MESSAGES_IN_THREADS if channel_type in THREADS else Bit.SEND_MESSAGES
    return granted if granted & sending else granted & ~_NEED_SENDING


def timed_out(member: Wire, now: datetime | None) -> bool:
    """Tell whether a member is in a timeout at a moment; without one, whether they were given any."""
    until = member.get("communication_disabled_until")
    return bool(until) and (now is None or datetime.fromisoformat(until) > now)
