"""Answer for single channels and their permission overwrites, threads and direct channels included."""

from __future__ import annotations

from peerbot.rehearsal import channel_forms, wire
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.refusals import Refusal, invalid_form, unknown
from peerbot.rehearsal.routing import Call, Routes
from peerbot.rehearsal.wire import Wire

routes = Routes()


@routes("GET", "/channels/{channel_id}")
async def get_channel(call: Call) -> Wire:
    """Return a channel that the bot can see."""
    channel = call.channel()
    guild = call.world.guild_of(channel)
    if guild is None or channel["type"] not in wire.THREADS:
        return channel
    own = guild.thread_members[int(channel["id"])].get(call.application.bot_id)
    return channel | {"member": own} if own else channel


@routes("PATCH", "/channels/{channel_id}")
async def edit_channel(call: Call) -> Wire:
    """Change a channel (MANAGE_CHANNELS; overwrites MANAGE_ROLES) or a thread (its owner, else MANAGE_THREADS)."""
    guild, channel = call.guild_channel()
    if channel["type"] in wire.THREADS:
        return _edit_thread(call, guild, channel)
    body = call.body or {}
    call.require(guild, Bit.MANAGE_CHANNELS, channel)
    changes = channel_forms.rest(body, channel["type"])
    if "name" in body:
        changes["name"] = channel_forms.name(body["name"], channel["type"])
    if "parent_id" in body and channel.get("parent_id") != body["parent_id"]:
        parent_id = channel_forms.parent(guild, body["parent_id"], channel["type"])
        changes["parent_id"] = str(parent_id) if parent_id else None
    if body.get("permission_overwrites") is not None:
        call.require(guild, Bit.MANAGE_ROLES, channel)
        changes["permission_overwrites"] = channel_forms.overwrites(call, guild, body["permission_overwrites"], channel)
    call.record(guild, "CHANNEL_UPDATE", channel["id"])
    return guild.edit_channel(int(channel["id"]), **changes)


def _edit_thread(call: Call, guild: Guild, thread: Wire) -> Wire:
    body, bot_id = call.body or {}, call.application.bot_id
    manages = bool(guild.permissions_of(bot_id, thread) & Bit.MANAGE_THREADS)
    metadata = thread["thread_metadata"]
    opens = set(body) <= {"archived"} and body.get("archived") is False
    if opens and not metadata["locked"]:
        # Anyone who may write in a thread that is not locked may open it again.
        call.require(guild, Bit.SEND_MESSAGES_IN_THREADS, thread)
    elif "locked" in body or metadata["locked"] or int(thread["owner_id"]) != bot_id or "rate_limit_per_user" in body:
        call.require(guild, Bit.MANAGE_THREADS, thread)
    if metadata["archived"] and body.get("archived") is not False and not (manages and set(body) <= {"locked"}):
        raise Refusal(400, 50083, "Thread is archived")
    changes = channel_forms.thread_changes(body, thread)
    if body.get("archived") is not None and body["archived"] != metadata["archived"]:
        changes["thread_metadata"]["archive_timestamp"] = call.world.moment()
    call.record(guild, "THREAD_UPDATE", thread["id"])
    return guild.edit_thread(int(thread["id"]), **changes)


@routes("DELETE", "/channels/{channel_id}")
async def delete_channel(call: Call) -> Wire:
    """Delete a channel (MANAGE_CHANNELS) or a thread (MANAGE_THREADS); a direct channel is only closed."""
    channel = call.channel()
    guild = call.world.guild_of(channel)
    if guild is None:
        return channel
    is_thread = channel["type"] in wire.THREADS
    call.require(guild, Bit.MANAGE_THREADS if is_thread else Bit.MANAGE_CHANNELS, channel)
    call.record(guild, "THREAD_DELETE" if is_thread else "CHANNEL_DELETE", channel["id"])
    return guild.remove_thread(int(channel["id"])) if is_thread else guild.remove_channel(int(channel["id"]))


@routes("PUT", "/channels/{channel_id}/permissions/{overwrite_id}")
async def set_overwrite(call: Call) -> None:
    """Set what a role or a member may do in a channel (MANAGE_ROLES, and every bit that is set)."""
    guild, channel = call.guild_channel()
    if channel["type"] in wire.THREADS:
        raise Refusal(400, 50024, "Cannot execute action on this channel type")
    target_id, body = call.number("overwrite_id"), call.body or {}
    call.require(guild, Bit.MANAGE_ROLES, channel)
    kind, allow, deny = body.get("type"), int(body.get("allow") or 0), int(body.get("deny") or 0)
    if kind not in (0, 1):
        raise invalid_form("type", "Value must be one of {0, 1}.", kind="BASE_TYPE_CHOICES")
    if target_id not in (guild.roles if kind == 0 else guild.members):
        # The same answer for a role that is gone, a member who has left, and one taken for the other.
        raise unknown("Overwrite")
    channel_forms.check_bits(call, guild, allow | deny, channel)
    guild.set_overwrite(int(channel["id"]), target_id, kind, allow, deny)
    call.record(guild, "CHANNEL_OVERWRITE_UPDATE", channel["id"])


@routes("DELETE", "/channels/{channel_id}/permissions/{overwrite_id}")
async def delete_overwrite(call: Call) -> None:
    """Remove the overwrite of a role or member (MANAGE_ROLES)."""
    guild, channel = call.guild_channel()
    call.require(guild, Bit.MANAGE_ROLES, channel)
    target_id = call.number("overwrite_id")
    if all(int(one["id"]) != target_id for one in channel.get("permission_overwrites", [])):
        raise unknown("Overwrite")
    guild.remove_overwrite(int(channel["id"]), target_id)
    call.record(guild, "CHANNEL_OVERWRITE_DELETE", channel["id"])


@routes("POST", "/channels/{channel_id}/typing")
async def type_in_channel(call: Call) -> None:
    """Show that the bot is writing (SEND_MESSAGES)."""
    channel = call.channel()
    in_thread = channel["type"] in wire.THREADS
    call.require_in(channel, Bit.SEND_MESSAGES_IN_THREADS if in_thread else Bit.SEND_MESSAGES)
    bot = call.application.bot["id"]
    seconds = int(call.world.clock.now().timestamp())
    payload: Wire = {"channel_id": channel["id"], "user_id": bot, "timestamp": seconds}
    guild_id = int(channel["guild_id"]) if "guild_id" in channel else None
    if guild_id is not None:
        payload |= {"guild_id": str(guild_id), "member": call.world.guilds[guild_id].members[int(bot)]}
    call.world.emit("TYPING_START", payload, guild_id=guild_id, channel=channel)
