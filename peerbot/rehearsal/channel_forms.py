"""Read what a request says about a channel: name, category, overwrites and the fields of its kind.

The limits are those of developers/resources/channel.mdx; an overwrite may only touch permissions that the bot has
itself (developers/topics/permissions.mdx).
"""

from __future__ import annotations

import re
from typing import Any

from peerbot.rehearsal import wire
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.refusals import Refusal, invalid_form, missing_permissions
from peerbot.rehearsal.routing import Call
from peerbot.rehearsal.wire import Wire

LONGEST_NAME, MOST_IN_CATEGORY = 100, 50

# field -> (least, most) for numbers, (0, longest) for texts
_LIMITS: dict[str, tuple[int, int]] = {
    "topic": (0, 1024),
    "rate_limit_per_user": (0, 21_600),
    "bitrate": (8_000, 384_000),
    "user_limit": (0, 99),
    "position": (0, 1 << 31),
}
_OF_KIND = {
    wire.TEXT: ("topic", "rate_limit_per_user", "position", "nsfw", "default_auto_archive_duration"),
    wire.VOICE: ("bitrate", "user_limit", "position", "nsfw", "rate_limit_per_user", "rtc_region"),
    wire.STAGE: ("bitrate", "user_limit", "position", "nsfw", "rate_limit_per_user", "rtc_region"),
    wire.CATEGORY: ("position",),
}


def name(given: Any, kind: int) -> str:
    """Return a channel's name as Discord stores it: text channels in lower case with dashes."""
    if not isinstance(given, str) or not 1 <= len(given.strip()) <= LONGEST_NAME:
        raise invalid_form("name", f"Must be between 1 and {LONGEST_NAME} in length.")
    return re.sub(r"\s+", "-", given.strip().lower()) if kind == wire.TEXT else given.strip()


def parent(guild: Guild, given: Any, kind: int = wire.TEXT) -> int | None:
    """Return the category a channel is to stand in; refuses what is none, one that is full, and one inside another."""
    if given is None:
        return None
    category = guild.channels.get(int(given))
    if category is None or category["type"] != wire.CATEGORY or kind == wire.CATEGORY:
        raise invalid_form("parent_id", "Category does not exist", kind="CHANNEL_PARENT_INVALID")
    if sum(one.get("parent_id") == str(given) for one in guild.channels.values()) >= MOST_IN_CATEGORY:
        problem = f"Maximum number of channels in category reached ({MOST_IN_CATEGORY})"
        raise invalid_form("parent_id", problem, kind="CHANNEL_PARENT_MAX_CHANNELS")
    return int(given)


def overwrites(call: Call, guild: Guild, given: list[Wire] | None, channel: Wire | None = None) -> list[Wire]:
    """Return the overwrites of a request, all of whose changed bits the bot must have."""
    before = {one["id"]: one for one in channel["permission_overwrites"]} if channel else {}
    found = [
        wire.overwrite(int(one["id"]), int(one["type"]), int(one.get("allow") or 0), int(one.get("deny") or 0))
        for one in given or []
    ]
    for one in found:
        if one != before.get(one["id"]):
            check_bits(call, guild, int(one["allow"]) | int(one["deny"]), channel)
    return found


def check_bits(call: Call, guild: Guild, bits: int, channel: Wire | None) -> None:
    """Refuse overwrites of bits that the bot has neither in the guild nor in the category.

    MANAGE_ROLES is for administrators; who has it by an overwrite of this very channel may set every bit there.
    """
    bot_id = call.application.bot_id
    own = guild.permissions_of(bot_id)
    if own & Bit.ADMINISTRATOR or (channel is not None and _has_own_manage_roles(guild, bot_id, channel)):
        return
    if channel is not None and channel.get("parent_id"):
        own |= guild.permissions_of(bot_id, guild.channels[int(channel["parent_id"])])
    if bits & (~own | Bit.MANAGE_ROLES):
        raise missing_permissions()


def _has_own_manage_roles(guild: Guild, bot_id: int, channel: Wire) -> bool:
    targets = {str(bot_id), *guild.members[bot_id]["roles"]}
    return any(
        one["id"] in targets and int(one["allow"]) & Bit.MANAGE_ROLES for one in channel["permission_overwrites"]
    )


def rest(body: Wire, kind: int) -> Wire:
    """Return the other fields that a channel of this kind has, each within its limits."""
    found: Wire = {}
    for key in _OF_KIND[kind]:
        if key not in body or body[key] is None:
            if key in ("topic", "rtc_region") and key in body:
                found[key] = None
            continue
        least, most = _LIMITS.get(key, (0, 1 << 62))
        size = len(body[key]) if isinstance(body[key], str) else int(body[key])
        if not least <= size <= most:
            raise invalid_form(key, f"Must be between {least} and {most}.")
        found[key] = body[key]
    return found


def thread_changes(body: Wire, thread: Wire) -> Wire:
    """Return what a request changes in a thread; archiving and locking live in its metadata."""
    changes: Wire = {}
    if "name" in body:
        changes["name"] = thread_name(body["name"])
    if body.get("rate_limit_per_user") is not None:
        changes |= rest({"rate_limit_per_user": body["rate_limit_per_user"]}, wire.TEXT)
    keys = ("archived", "locked", "invitable", "auto_archive_duration")
    told: Wire = {key: body[key] for key in keys if body.get(key) is not None}
    if "auto_archive_duration" in told:
        archive_duration(told["auto_archive_duration"])
    if "invitable" in told and thread["type"] != wire.PRIVATE_THREAD:
        raise Refusal(400, 50024, "Cannot execute action on this channel type")
    if told:
        changes["thread_metadata"] = thread["thread_metadata"] | told
    return changes


def thread_name(given: Any) -> str:
    """Return a thread's name, kept as it was written."""
    if not isinstance(given, str) or not 1 <= len(given.strip()) <= LONGEST_NAME:
        raise invalid_form("name", f"Must be between 1 and {LONGEST_NAME} in length.")
    return given.strip()


def archive_duration(given: Any) -> int:
    """Return after how many quiet minutes a thread is archived; Discord knows four values."""
    if given is None:
        return 4320
    if given not in (60, 1440, 4320, 10_080):
        raise invalid_form(
            "auto_archive_duration", "Value must be one of (60, 1440, 4320, 10080).", kind="BASE_TYPE_CHOICES"
        )
    return int(given)
