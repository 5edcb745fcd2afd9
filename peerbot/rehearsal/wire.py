"""Build the objects that Discord sends: users, roles, members, channels, threads.

Pure functions. Every object has all the keys that Discord's OpenAPI document requires of it, so that what the world
stores can be sent as it is. Ids are strings on the wire and integers everywhere else.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

Wire = dict[str, Any]

TEXT, DM, VOICE, CATEGORY, STAGE = 0, 1, 2, 4, 13
ANNOUNCEMENT_THREAD, PUBLIC_THREAD, PRIVATE_THREAD = 10, 11, 12
THREADS = (ANNOUNCEMENT_THREAD, PUBLIC_THREAD, PRIVATE_THREAD)


def moment(at: datetime) -> str:
    """Write a time as Discord does: ISO 8601 with microseconds and offset."""
    return at.isoformat(timespec="microseconds")


def user(user_id: int, name: str, *, bot: bool = False) -> Wire:
    """Return a user whose display name is `name`."""
    return {
        "id": str(user_id),
        "username": re.sub(r"[^a-z0-9_.]", "", name.lower()) or f"user{user_id % 10_000}",
        "global_name": None if bot else name,
        "discriminator": "0",
        "avatar": None,
        "bot": bot,
        "public_flags": 0,
        "flags": 0,
        "primary_guild": None,
    }


def member(user: Wire, joined_at: datetime, roles: list[int] | None = None) -> Wire:
    """Return a member of a guild; the user object is shared, so that a changed name shows everywhere."""
    return {
        "user": user,
        "nick": None,
        "avatar": None,
        "banner": None,
        "roles": [str(role_id) for role_id in roles or []],
        "joined_at": moment(joined_at),
        "premium_since": None,
        "communication_disabled_until": None,
        "deaf": False,
        "mute": False,
        "pending": False,
        "flags": 0,
    }


def role(role_id: int, name: str, permissions: int, position: int) -> Wire:
    """Return a role."""
    return {
        "id": str(role_id),
        "name": name,
        "permissions": str(permissions),
        "position": position,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": False,
        "mentionable": False,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }


def channel(channel_id: int, guild_id: int, name: str, kind: int, position: int) -> Wire:
    """Return a channel of a guild, with the keys of its kind."""
    fields: Wire = {
        "id": str(channel_id),
        "type": kind,
        "guild_id": str(guild_id),
        "name": name,
        "position": position,
        "flags": 0,
        "permission_overwrites": [],
    }
    if kind == CATEGORY:
        return fields
    fields |= {"parent_id": None, "last_message_id": None, "nsfw": False, "rate_limit_per_user": 0}
    if kind in (VOICE, STAGE):
        fields |= {"bitrate": 64000, "user_limit": 0, "rtc_region": None}
        return fields if kind == VOICE else fields | {"topic": None}
    return fields | {"topic": None}


def overwrite(target_id: int, kind: int, allow: int, deny: int) -> Wire:
    """Return a permission overwrite; kind 0 is for a role, 1 for a member."""
    return {"id": str(target_id), "type": kind, "allow": str(allow), "deny": str(deny)}


def thread(thread_id: int, parent: Wire, name: str, kind: int, *, owner_id: int, at: datetime) -> Wire:
    """Return a thread under a channel."""
    metadata: Wire = {
        "archived": False,
        "archive_timestamp": moment(at),
        "auto_archive_duration": 4320,
        "locked": False,
        "create_timestamp": moment(at),
    }
    if kind == PRIVATE_THREAD:
        metadata["invitable"] = True
    return {
        "id": str(thread_id),
        "type": kind,
        "guild_id": parent["guild_id"],
        "parent_id": parent["id"],
        "owner_id": str(owner_id),
        "name": name,
        "flags": 0,
        "last_message_id": None,
        "rate_limit_per_user": 0,
        "message_count": 0,
        "member_count": 0,
        "total_message_sent": 0,
        "thread_metadata": metadata,
    }


def thread_member(thread_id: int, user_id: int, at: datetime) -> Wire:
    """Return a person's place in a thread."""
    return {"id": str(thread_id), "user_id": str(user_id), "join_timestamp": moment(at), "flags": 0}


def dm(channel_id: int, recipient: Wire) -> Wire:
    """Return the direct channel between a bot and a person, as the bot sees it."""
    return {"id": str(channel_id), "type": DM, "flags": 0, "last_message_id": None, "recipients": [recipient]}


def guild(guild_id: int, name: str, owner_id: int) -> Wire:
    """Return a guild's own fields; roles, channels and members are kept beside it."""
    absent = (
        "icon description home_header splash discovery_splash banner application_id afk_channel_id system_channel_id "
        "widget_channel_id max_presences vanity_url_code rules_channel_id safety_alerts_channel_id "
        "public_updates_channel_id incidents_data"
    )
    zeros = (
        "system_channel_flags verification_level default_message_notifications mfa_level explicit_content_filter "
        "premium_tier premium_subscription_count nsfw_level"
    )
    return {
        "id": str(guild_id),
        "name": name,
        "owner_id": str(owner_id),
        "region": "deprecated",
        "preferred_locale": "en-US",
        "afk_timeout": 300,
        "max_members": 500_000,
        "max_stage_video_channel_users": 50,
        "max_video_channel_users": 25,
        "features": [],
        "emojis": [],
        "stickers": [],
        "widget_enabled": False,
        "premium_progress_bar_enabled": False,
        "nsfw": False,
        **dict.fromkeys(absent.split()),
        **dict.fromkeys(zeros.split(), 0),
    }
