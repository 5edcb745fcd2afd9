"""Answer for threads: opening, joining, listing.

The rules are those of developers/topics/threads.mdx: a private thread is opened in a text channel, its members and
those who manage threads see it, and only a thread that is not archived takes members.
"""

from __future__ import annotations

from typing import Any

from peerbot.rehearsal import channel_forms, posting, wire
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.refusals import Refusal, missing_permissions, unknown
from peerbot.rehearsal.routes_messages import require_unlocked
from peerbot.rehearsal.routing import Answer, Call, Routes
from peerbot.rehearsal.wire import Wire

routes = Routes()


def _thread(call: Call) -> tuple[Guild, Wire]:
    guild, thread = call.guild_channel()
    if thread["type"] not in wire.THREADS:
        raise Refusal(400, 50024, "Cannot execute action on this channel type")
    return guild, thread


def _open_thread(call: Call) -> tuple[Guild, Wire]:
    guild, thread = _thread(call)
    if thread["thread_metadata"]["archived"]:
        raise Refusal(400, 50083, "Thread is archived")
    return guild, thread


@routes("POST", "/channels/{channel_id}/threads")
async def open_thread(call: Call) -> Answer:
    """Open a thread that starts from no message; private unless the request says otherwise."""
    guild, channel = call.guild_channel()
    body = call.body or {}
    if channel["type"] != wire.TEXT:
        raise Refusal(400, 50024, "Cannot execute action on this channel type")
    kind = body.get("type") or wire.PRIVATE_THREAD
    if kind not in (wire.PUBLIC_THREAD, wire.PRIVATE_THREAD):
        raise Refusal(400, 50024, "Cannot execute action on this channel type")
    private = kind == wire.PRIVATE_THREAD
    call.require(guild, Bit.CREATE_PRIVATE_THREADS if private else Bit.CREATE_PUBLIC_THREADS, channel)
    thread = _opened(call, guild, channel, kind, None)
    if not private:
        posting.tell(call.world, channel, call.application.bot, posting.THREAD_OPENED, content=thread["name"])
    return Answer(201, thread)


@routes("POST", "/channels/{channel_id}/messages/{message_id}/threads")
async def open_thread_from_message(call: Call) -> Answer:
    """Open a public thread that starts from a message and has its id."""
    guild, channel = call.guild_channel()
    if channel["type"] != wire.TEXT:
        raise Refusal(400, 50024, "Cannot execute action on this channel type")
    message = call.world.message(int(channel["id"]), call.number("message_id"))
    call.require(guild, Bit.CREATE_PUBLIC_THREADS, channel)
    if int(message["id"]) in guild.threads:
        raise Refusal(400, 160004, "A thread has already been created for this message")
    thread = _opened(call, guild, channel, wire.PUBLIC_THREAD, int(message["id"]))
    message["flags"] |= 1 << 5
    message["thread"] = thread
    posting.announce(call.world, "MESSAGE_UPDATE", channel, message)
    return Answer(201, thread)


def _opened(call: Call, guild: Guild, channel: Wire, kind: int, message_id: int | None) -> Wire:
    body, bot_id = call.body or {}, call.application.bot_id
    name = channel_forms.thread_name(body.get("name"))
    duration = channel_forms.archive_duration(body.get("auto_archive_duration"))
    thread = guild.add_thread(
        int(channel["id"]),
        name,
        bot_id,
        kind,
        thread_id=message_id,
        auto_archive_duration=duration,
        invitable=body.get("invitable") is not False,
    )
    call.record(guild, "THREAD_CREATE", thread["id"])
    return thread | {"member": guild.thread_members[int(thread["id"])][bot_id]}


@routes("PUT", "/channels/{channel_id}/thread-members/@me")
async def join_thread(call: Call) -> None:
    """Let the bot join a thread that it can see."""
    guild, thread = _open_thread(call)
    require_unlocked(call, thread)
    guild.join_thread(int(thread["id"]), call.application.bot_id)


@routes("DELETE", "/channels/{channel_id}/thread-members/@me")
async def leave_thread(call: Call) -> None:
    """Let the bot leave a thread."""
    guild, thread = _open_thread(call)
    guild.leave_thread(int(thread["id"]), call.application.bot_id)


@routes("PUT", "/channels/{channel_id}/thread-members/{user_id}")
async def add_to_thread(call: Call) -> None:
    """Put a member into a thread (SEND_MESSAGES_IN_THREADS); they must see the channel above it."""
    guild, thread = _open_thread(call)
    call.require(guild, Bit.SEND_MESSAGES_IN_THREADS, thread)
    require_unlocked(call, thread)
    user_id, bot_id = call.number("user_id"), call.application.bot_id
    if user_id not in guild.members:
        raise unknown("Member") if user_id in call.world.users else unknown("User")
    if not guild.can_see(user_id, guild.parent_of(thread)):
        raise Refusal(403, 50001, "Missing Access")
    manages = guild.permissions_of(bot_id, thread) & Bit.MANAGE_THREADS
    closed = thread["type"] == wire.PRIVATE_THREAD and not thread["thread_metadata"].get("invitable", True)
    if closed and not manages and int(thread["owner_id"]) != bot_id:
        raise missing_permissions()
    if user_id not in guild.thread_members[int(thread["id"])]:
        guild.join_thread(int(thread["id"]), user_id)
        posting.tell(call.world, thread, call.application.bot, posting.ADDED, about=call.world.users[user_id])


@routes("DELETE", "/channels/{channel_id}/thread-members/{user_id}")
async def remove_from_thread(call: Call) -> None:
    """Take a member out of a thread (MANAGE_THREADS, or its owner in a private one)."""
    guild, thread = _open_thread(call)
    own = thread["type"] == wire.PRIVATE_THREAD and int(thread["owner_id"]) == call.application.bot_id
    if not own:
        call.require(guild, Bit.MANAGE_THREADS, thread)
    user_id = call.number("user_id")
    if user_id in guild.thread_members[int(thread["id"])]:
        guild.leave_thread(int(thread["id"]), user_id)
        posting.tell(call.world, thread, call.application.bot, posting.REMOVED, about=call.world.users[user_id])


@routes("GET", "/channels/{channel_id}/thread-members/{user_id}")
async def get_thread_member(call: Call) -> Wire:
    """Return a person's place in a thread; 10007 for who is not in it."""
    guild, thread = _thread(call)
    if (found := guild.thread_members[int(thread["id"])].get(call.number("user_id"))) is None:
        raise unknown("Member")
    return _shown(call, guild, found)


@routes("GET", "/channels/{channel_id}/thread-members")
async def list_thread_members(call: Call) -> list[Wire]:
    """Return who is in a thread."""
    guild, thread = _thread(call)
    inside = guild.thread_members[int(thread["id"])]
    after = call.asked("after", 0, 0, 1 << 63)
    return [_shown(call, guild, inside[user_id]) for user_id in sorted(inside) if user_id > after][
        : call.asked("limit", 100, 1, 100)
    ]


def _shown(call: Call, guild: Guild, place: Wire) -> Wire:
    if call.query.get("with_member", "").lower() not in ("true", "1"):
        return place
    return place | {"member": guild.members[int(place["user_id"])]}


@routes("GET", "/guilds/{guild_id}/threads/active")
async def list_active_threads(call: Call) -> Wire:
    """Return the threads of a guild that the bot can see and that are not archived."""
    guild = call.guild()
    found = [one for one in guild.threads.values() if not one["thread_metadata"]["archived"]]
    return _listed(call, guild, [one for one in found if guild.can_see(call.application.bot_id, one)])


@routes("GET", "/channels/{channel_id}/threads/archived/public")
async def list_archived_public_threads(call: Call) -> Wire:
    """Return archived public threads, the last archived first (READ_MESSAGE_HISTORY)."""
    return _archived(call, wire.PUBLIC_THREAD)


@routes("GET", "/channels/{channel_id}/threads/archived/private")
async def list_archived_private_threads(call: Call) -> Wire:
    """Return archived private threads (READ_MESSAGE_HISTORY and MANAGE_THREADS)."""
    guild, channel = call.guild_channel()
    call.require(guild, Bit.MANAGE_THREADS, channel)
    return _archived(call, wire.PRIVATE_THREAD)


@routes("GET", "/channels/{channel_id}/users/@me/threads/archived/private")
async def list_joined_private_threads(call: Call) -> Wire:
    """Return archived private threads that the bot is in (READ_MESSAGE_HISTORY)."""
    return _archived(call, wire.PRIVATE_THREAD, joined=True)


def _archived(call: Call, kind: int, *, joined: bool = False) -> Wire:
    guild, channel = call.guild_channel()
    call.require(guild, Bit.READ_MESSAGE_HISTORY, channel)
    before, limit = call.query.get("before"), call.asked("limit", 50, 2, 100)

    def archived_at(thread: Wire) -> str:
        return thread["thread_metadata"]["archive_timestamp"]

    found = [
        one
        for one in guild.threads.values()
        if one["parent_id"] == channel["id"]
        and one["type"] == kind
        and one["thread_metadata"]["archived"]
        and (before is None or (one["id"] < before if joined else archived_at(one) < before))
        and (not joined or call.application.bot_id in guild.thread_members[int(one["id"])])
    ]
    found.sort(key=archived_at, reverse=True)
    return _listed(call, guild, found[:limit], has_more=len(found) > limit)


def _listed(call: Call, guild: Guild, threads: list[Wire], *, has_more: bool = False) -> Wire:
    places = [guild.thread_members[int(one["id"])].get(call.application.bot_id) for one in threads]
    listed: dict[str, Any] = {"threads": threads, "members": [place for place in places if place]}
    return listed | {"has_more": has_more}
