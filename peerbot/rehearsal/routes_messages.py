"""Answer for messages: send, read, change, delete, pin."""

from __future__ import annotations

from datetime import timedelta

from peerbot.rehearsal import posting, wire
from peerbot.rehearsal.application import CONTENT_INTENT
from peerbot.rehearsal.events import without_content
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.posting import Draft
from peerbot.rehearsal.refusals import Refusal, invalid_form, unknown
from peerbot.rehearsal.routing import Call, Routes
from peerbot.rehearsal.wire import Wire
from peerbot.rehearsal.world import World

# "The past few minutes" (developers/resources/message.mdx, "Create Message"); the real length is not published.
NONCE_WINDOW = timedelta(seconds=150)
MOST_PINS, MOST_IN_BULK = 250, 100
BULK_AGE = timedelta(days=14)
OLD = timedelta(hours=1)
RETRY_OLD_EDIT_AFTER = 0.02  # real seconds, short because clients wait for them; the real length is not published
# An ordinary message, a reply, and what commands and menus bring forth; all others are Discord's own lines.
WRITTEN_BY_SOMEBODY = (posting.DEFAULT, posting.REPLY, 20, 23)

routes = Routes()


@routes("POST", "/channels/{channel_id}/messages")
async def create_message(call: Call) -> Wire:
    """Send a message; with enforce_nonce, one that was sent with the same nonce is returned instead."""
    channel, body = call.channel(), call.body or {}
    _require_sending(call, channel, body)
    if body.get("flags", 0) and body["flags"] & posting.EPHEMERAL:
        body = body | {"flags": body["flags"] & ~posting.EPHEMERAL}
    if (sent := _sent_before(call, body)) is not None:
        return sent
    draft = Draft(body, call.files, extra={"application_id": str(call.application.id)})
    message = posting.post(call.world, channel, call.application.bot, draft)
    if body.get("nonce") is not None:
        key = (call.application.bot_id, str(body["nonce"]))
        call.world.nonces[key] = (int(channel["id"]), int(message["id"]), call.world.clock.now())
    return message


def _require_sending(call: Call, channel: Wire, body: Wire) -> None:
    if channel["type"] == wire.CATEGORY:
        raise Refusal(400, 50008, "Cannot send messages in a non-text channel")
    if channel["type"] == wire.DM:
        require_open_dm(call.world, channel)
        return
    in_thread = channel["type"] in wire.THREADS
    needed = int(Bit.SEND_MESSAGES_IN_THREADS if in_thread else Bit.SEND_MESSAGES)
    if call.files:
        needed |= Bit.ATTACH_FILES
    if body.get("tts"):
        needed |= Bit.SEND_TTS_MESSAGES
    if body.get("message_reference"):
        needed |= Bit.READ_MESSAGE_HISTORY
    call.require_in(channel, needed)
    require_unlocked(call, channel)


def require_unlocked(call: Call, channel: Wire) -> None:
    """Refuse what only moderators may do in a locked thread."""
    if channel["type"] not in wire.THREADS or not channel["thread_metadata"]["locked"]:
        return
    guild = call.world.guilds[int(channel["guild_id"])]
    if not guild.permissions_of(call.application.bot_id, channel) & Bit.MANAGE_THREADS:
        raise Refusal(400, 160005, "Thread is locked")


def _count_old_edit(call: Call, message: Wire) -> None:
    written = call.world.moment_of(int(message["id"]))
    left = call.world.old_edits_until_too_many
    if left is None or call.world.clock.now() - written <= OLD:
        return
    if left == 0:
        problem = "Maximum number of edits to messages older than 1 hour reached. Try again later."
        raise Refusal(429, 30046, problem, retry_after=RETRY_OLD_EDIT_AFTER)
    call.world.old_edits_until_too_many = left - 1


def require_open_dm(world: World, channel: Wire) -> None:
    """Refuse a direct message that its recipient does not take, or to someone who shares no server with the bot."""
    bot_id, user_id = world.dm_bots[int(channel["id"])], int(channel["recipients"][0]["id"])
    application = next(one for one in world.applications.values() if one.bot_id == bot_id)
    shared = any(bot_id in guild.members and user_id in guild.members for guild in world.guilds.values())
    if not shared:
        raise Refusal(403, 50278, "Cannot send messages to this user due to having no mutual guilds")
    if user_id in application.dms_closed_by:
        raise Refusal(403, 50007, "Cannot send messages to this user")


def _sent_before(call: Call, body: Wire) -> Wire | None:
    if not body.get("enforce_nonce"):
        return None
    if body.get("nonce") is None:
        raise invalid_form("nonce", "This field is required", kind="BASE_TYPE_REQUIRED")
    known = call.world.nonces.get((call.application.bot_id, str(body["nonce"])))
    if known is None or call.world.clock.now() - known[2] > NONCE_WINDOW:
        return None
    # A message that was deleted meanwhile, with or without its channel, cannot be returned; none is made in its place.
    if call.world.find_channel(known[0]) is None:
        raise unknown("Message")
    return call.world.message(known[0], known[1])


@routes("GET", "/channels/{channel_id}/messages/{message_id}")
async def get_message(call: Call) -> Wire:
    """Return one message (READ_MESSAGE_HISTORY)."""
    channel = call.channel()
    call.require_in(channel, Bit.READ_MESSAGE_HISTORY)
    return _shown(call, channel, call.world.message(int(channel["id"]), call.number("message_id")))


@routes("GET", "/channels/{channel_id}/messages")
async def list_messages(call: Call) -> list[Wire]:
    """Return messages, the newest first; none without READ_MESSAGE_HISTORY."""
    channel = call.channel()
    guild = call.world.guild_of(channel)
    allowed = guild is None or guild.permissions_of(call.application.bot_id, channel) & Bit.READ_MESSAGE_HISTORY
    if not allowed:
        return []
    ids = sorted(call.world.messages.get(int(channel["id"]), {}), reverse=True)
    limit = call.asked("limit", 50, 1, 100)
    edge = {key: call.asked(key, 0, 0, 1 << 63) for key in ("before", "after", "around") if key in call.query}
    if len(edge) > 1:
        raise invalid_form("before", "before, after and around exclude each other", kind="BASE_TYPE_CHOICES")
    if "around" in edge:
        newer = [one for one in ids if one > edge["around"]][-(limit // 2) :] if limit > 1 else []
        older = [one for one in ids if one <= edge["around"]]
        ids = [*newer, *older][:limit]
    elif "after" in edge:
        ids = [one for one in ids if one > edge["after"]][-limit:]
    else:
        ids = [one for one in ids if one < edge.get("before", 1 << 63)][:limit]
    return [_shown(call, channel, call.world.messages[int(channel["id"])][one]) for one in ids]


def _shown(call: Call, channel: Wire, message: Wire) -> Wire:
    """Return a message as this bot reads it: without others' words unless it may read message content."""
    may_read = call.application.privileged & CONTENT_INTENT or channel["type"] == wire.DM
    return message if may_read else without_content(message, call.application.bot["id"])


@routes("PATCH", "/channels/{channel_id}/messages/{message_id}")
async def edit_message(call: Call) -> Wire:
    """Change a message of the bot's own; of others' only the flags (MANAGE_MESSAGES)."""
    channel, body = call.channel(), call.body or {}
    message = call.world.message(int(channel["id"]), call.number("message_id"))
    if message["author"]["id"] != call.application.bot["id"]:
        if set(body) - {"flags"}:
            raise Refusal(403, 50005, "Cannot edit a message authored by another user")
        call.require_in(channel, Bit.MANAGE_MESSAGES)
    elif message["type"] not in WRITTEN_BY_SOMEBODY:
        raise Refusal(400, 50021, "Cannot execute action on a system message")
    if channel["type"] in wire.THREADS and channel["thread_metadata"]["archived"]:
        raise Refusal(400, 50083, "Thread is archived")
    require_unlocked(call, channel)
    _count_old_edit(call, message)
    return posting.edit(call.world, channel, message, Draft(body, call.files))


@routes("DELETE", "/channels/{channel_id}/messages/{message_id}")
async def delete_message(call: Call) -> None:
    """Delete a message; one by somebody else needs MANAGE_MESSAGES."""
    channel, message_id = call.channel(), call.number("message_id")
    message = call.world.message(int(channel["id"]), message_id)
    if message["author"]["id"] != call.application.bot["id"]:
        if channel["type"] == wire.DM:
            raise Refusal(403, 50003, "Cannot execute action on a DM channel")
        call.require_in(channel, Bit.MANAGE_MESSAGES)
    posting.delete(call.world, channel, [message_id])


@routes("POST", "/channels/{channel_id}/messages/bulk-delete")
async def delete_messages(call: Call) -> None:
    """Delete 2 to 100 messages of the last two weeks (MANAGE_MESSAGES); ids that are no messages are passed over."""
    guild, channel = call.guild_channel()
    call.require(guild, Bit.MANAGE_MESSAGES, channel)
    ids = [int(one) for one in (call.body or {}).get("messages", [])]
    if not 2 <= len(ids) <= MOST_IN_BULK:  # noqa: PLR2004
        raise Refusal(
            400, 50016, "Provided too few or too many messages to delete. Must provide at least 2 and at most 100"
        )
    if len(set(ids)) < len(ids):
        raise invalid_form("messages", "The set contains duplicates", kind="SET_TYPE_ALREADY_CONTAINS_VALUE")
    oldest = call.world.snowflake(call.world.clock.now() - BULK_AGE)
    if min(ids) < oldest:
        raise Refusal(400, 50034, "You can only bulk delete messages that are under 14 days old.")
    known = call.world.messages.get(int(channel["id"]), {})
    if found := [one for one in dict.fromkeys(ids) if one in known]:
        posting.delete(call.world, channel, found)


@routes("PUT", "/channels/{channel_id}/pins/{message_id}")
@routes("PUT", "/channels/{channel_id}/messages/pins/{message_id}")
async def pin_message(call: Call) -> None:
    """Pin a message (PIN_MESSAGES)."""
    channel = call.channel()
    call.require_in(channel, Bit.PIN_MESSAGES)
    message = call.world.message(int(channel["id"]), call.number("message_id"))
    if len(_pinned(call, channel)) >= MOST_PINS:
        raise Refusal(400, 30003, "Maximum number of pins reached (250)")
    if not message["pinned"]:
        _set_pinned(call, channel, message, pinned=True)
        posting.tell(call.world, channel, call.application.bot, posting.PINNED)


@routes("DELETE", "/channels/{channel_id}/pins/{message_id}")
@routes("DELETE", "/channels/{channel_id}/messages/pins/{message_id}")
async def unpin_message(call: Call) -> None:
    """Unpin a message (PIN_MESSAGES)."""
    channel = call.channel()
    call.require_in(channel, Bit.PIN_MESSAGES)
    _set_pinned(call, channel, call.world.message(int(channel["id"]), call.number("message_id")), pinned=False)


@routes("GET", "/channels/{channel_id}/messages/pins")
async def list_pins(call: Call) -> Wire:
    """Return the pinned messages, the last pinned first; none without READ_MESSAGE_HISTORY."""
    channel = call.channel()
    items = [{"pinned_at": one["timestamp"], "message": one} for one in _readable_pins(call, channel)]
    return {"items": items[: call.asked("limit", 50, 1, 50)], "has_more": False}


@routes("GET", "/channels/{channel_id}/pins")
async def list_all_pins(call: Call) -> list[Wire]:
    """Return the pinned messages by the older route."""
    return _readable_pins(call, call.channel())


def _readable_pins(call: Call, channel: Wire) -> list[Wire]:
    guild = call.world.guild_of(channel)
    may_read = guild is None or guild.permissions_of(call.application.bot_id, channel) & Bit.READ_MESSAGE_HISTORY
    return [_shown(call, channel, one) for one in _pinned(call, channel)] if may_read else []


def _pinned(call: Call, channel: Wire) -> list[Wire]:
    found = [one for one in call.world.messages.get(int(channel["id"]), {}).values() if one["pinned"]]
    return found[::-1]


def _set_pinned(call: Call, channel: Wire, message: Wire, *, pinned: bool) -> None:
    message["pinned"] = pinned
    guild_id = int(channel["guild_id"]) if "guild_id" in channel else None
    payload: Wire = {"channel_id": channel["id"], "last_pin_timestamp": call.world.moment()}
    call.world.emit("CHANNEL_PINS_UPDATE", payload, guild_id=guild_id, channel=channel)
    posting.announce(call.world, "MESSAGE_UPDATE", channel, message)
