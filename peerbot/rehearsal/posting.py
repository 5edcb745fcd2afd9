"""Make, change and remove messages, whoever writes them.

A message is stored as REST returns it. Whether somebody may write it is asked before, by the routes and by people;
what a message may contain is asked here (limits), because it holds for everyone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from peerbot.rehearsal import limits, mentions, wire
from peerbot.rehearsal.mentions import EVERY_KIND, Mentions
from peerbot.rehearsal.refusals import Refusal
from peerbot.rehearsal.routing import Upload
from peerbot.rehearsal.stored_components import stored
from peerbot.rehearsal.wire import Wire
from peerbot.rehearsal.world import World

EPHEMERAL, COMPONENTS_V2, SUPPRESS_NOTIFICATIONS = 1 << 6, 1 << 15, 1 << 12
# What a sender may set: suppress embeds, ephemeral (interactions only), silent, voice message, components V2.
SETTABLE = (1 << 2) | EPHEMERAL | SUPPRESS_NOTIFICATIONS | (1 << 13) | COMPONENTS_V2
EDITABLE = (1 << 2) | COMPONENTS_V2
DEFAULT, REPLY = 0, 19
ADDED, REMOVED, PINNED, THREAD_OPENED = 1, 2, 6, 18  # lines that Discord writes itself


@dataclass(frozen=True)
class Draft:
    """What somebody wants to post: Discord's request body, the files beside it, and where it comes from.

    `mentioning` are the kinds that are mentioned when the body does not say; `extra` are further keys of the message
    (application_id, webhook_id, interaction_metadata, ...).
    """

    body: Wire
    files: Mapping[int, Upload] = field(default_factory=dict[int, Upload])
    mentioning: tuple[str, ...] = EVERY_KIND
    extra: Wire = field(default_factory=dict[str, Any])


def build(world: World, channel: Wire, author: Wire, draft: Draft, message_id: int | None = None) -> Wire:
    """Return a message without storing or announcing it; raises Refusal for what Discord does not take."""
    body = draft.body
    limits.check_message(body | {"attachments": _named(draft, [])})
    message: Wire = {
        "id": str(message_id or world.new_id()),
        "channel_id": channel["id"],
        "author": author,
        "timestamp": world.moment(),
        "edited_timestamp": None,
        "type": REPLY if body.get("message_reference") else DEFAULT,
        "tts": bool(body.get("tts")),
        "pinned": False,
        "flags": (body.get("flags") or 0) & SETTABLE,
        **draft.extra,
    }
    if reference := body.get("message_reference"):
        message |= _referenced(world, channel, reference)
    if body.get("nonce") is not None:
        message["nonce"] = body["nonce"]
    _write(world, channel, message, draft)
    return message


def post(world: World, channel: Wire, author: Wire, draft: Draft) -> Wire:
    """Build a message, store it, announce it and notify whom it mentions."""
    return publish(world, channel, build(world, channel, author, draft), draft)


def publish(world: World, channel: Wire, message: Wire, draft: Draft) -> Wire:
    """Store a built message in its channel, announce it and notify whom it mentions."""
    channel_id, guild = int(channel["id"]), world.guild_of(channel)
    world.messages.setdefault(channel_id, {})[int(message["id"])] = message
    channel["last_message_id"] = message["id"]
    found = _mentions(world, channel, message, draft)
    if guild is not None and channel["type"] in wire.THREADS:
        _keep_thread_alive(world, channel, message, found)
        found = _mentions(world, channel, message, draft)  # who has just been taken in hears of it
    if not message["flags"] & SUPPRESS_NOTIFICATIONS:
        world.pings += [(int(message["id"]), user_id) for user_id in sorted(found.notified)]
    announce(world, "MESSAGE_CREATE", channel, message)
    world.note("message", message=message, channel=channel)
    return message


def tell(world: World, channel: Wire, author: Wire, kind: int, *, about: Wire | None = None, content: str = "") -> Wire:
    """Post one of Discord's own lines ("Ana added Maya to the thread") into a channel."""
    message = build(world, channel, author, Draft({"content": content or "."}))
    message |= {"type": kind, "content": content, "mentions": [about] if about else []}
    publish(world, channel, message, Draft({"allowed_mentions": {"parse": []}}))
    if about is not None and kind == ADDED:
        world.pings.append((int(message["id"]), int(about["id"])))
    return message


def edit(world: World, channel: Wire, message: Wire, draft: Draft) -> Wire:
    """Change a message in place and announce it; what the body leaves out stays."""
    revise(world, channel, message, draft)
    announce(world, "MESSAGE_UPDATE", channel, message)
    return message


def revise(world: World, channel: Wire, message: Wire, draft: Draft) -> Wire:
    """Change a message in place without announcing it; edits mention nobody anew."""
    body = draft.body
    flags = message["flags"]
    if body.get("flags") is not None:
        # Components V2 cannot be taken back; other flags are settled when a message is posted.
        flags = (flags & (COMPONENTS_V2 | ~EDITABLE)) | (body["flags"] & EDITABLE)
    kept: Wire = {key: message[key] for key in ("content", "embeds", "components", "attachments")}
    whole = kept | {key: value for key, value in body.items() if key in kept} | {"flags": flags}
    limits.check_message(whole | {"attachments": _named(draft, message["attachments"])})
    message["flags"] = flags
    _write(world, channel, message, Draft(whole | {"allowed_mentions": body.get("allowed_mentions")}, draft.files))
    message["edited_timestamp"] = world.moment()
    return message


def delete(world: World, channel: Wire, message_ids: list[int]) -> None:
    """Remove messages from a channel and announce it."""
    for message_id in message_ids:
        del world.messages[int(channel["id"])][message_id]
    if channel["type"] in wire.THREADS:
        channel["message_count"] = max(0, channel["message_count"] - len(message_ids))
    guild_id = int(channel["guild_id"]) if "guild_id" in channel else None
    place: Wire = {"channel_id": channel["id"]} | ({"guild_id": str(guild_id)} if guild_id else {})
    if len(message_ids) == 1:
        world.emit("MESSAGE_DELETE", place | {"id": str(message_ids[0])}, guild_id=guild_id, channel=channel)
    else:
        ids = [str(one) for one in message_ids]
        world.emit("MESSAGE_DELETE_BULK", place | {"ids": ids}, guild_id=guild_id, channel=channel)


def announce(world: World, name: str, channel: Wire, message: Wire) -> None:
    """Tell the gateway of a message, with the author's membership where there is one."""
    guild = world.guild_of(channel)
    if guild is None:
        world.emit(name, message | {"channel_type": wire.DM}, channel=channel)
        return
    payload = message | {"guild_id": str(guild.id), "channel_type": channel["type"]}
    if member := guild.members.get(int(message["author"]["id"])):
        payload["member"] = {key: value for key, value in member.items() if key != "user"}
    world.emit(name, payload, guild_id=guild.id, channel=channel)


def _write(world: World, channel: Wire, message: Wire, draft: Draft) -> None:
    body = draft.body
    message["content"] = (body.get("content") or "").strip()
    message["attachments"] = _attachments(world, channel, message, draft)
    message["embeds"] = [_embed(one) for one in body.get("embeds") or []]
    urls = {f"attachment://{one['filename']}": one for one in message["attachments"]}

    def media(url: str) -> Wire:
        attachment = urls.get(url)
        if url.startswith("attachment://") and attachment is None:
            raise Refusal(400, 50035, "Invalid Form Body", {"components": {"_errors": [_not_attached(url)]}})
        found = attachment["url"] if attachment else url
        media_id = attachment["id"] if attachment else str(world.new_id())
        return {"id": media_id, "url": found, "proxy_url": found, "width": None, "height": None, "content_type": None}

    message["components"] = stored(body.get("components"), media)
    found = _mentions(world, channel, message, draft)
    message["mentions"] = [world.users[user_id] for user_id in found.users]
    message["mention_roles"] = [str(role_id) for role_id in found.roles]
    message["mention_everyone"] = found.everyone


def _not_attached(url: str) -> Wire:
    return {
        "code": "UNFURLED_MEDIA_ITEM_ATTACHMENT_NOT_FOUND",
        "message": f"The specified attachment ({url}) was not found",
    }


def _mentions(world: World, channel: Wire, message: Wire, draft: Draft) -> Mentions:
    allowed = draft.body.get("allowed_mentions")
    text = mentions.readable_text(message["content"], message["components"])
    found = mentions.resolve(text, allowed, draft.mentioning, world.users)
    author_id, guild = int(message["author"]["id"]), world.guild_of(channel)
    replied = message.get("referenced_message")
    # Without allowed_mentions a reply notifies whom it answers; with it, only if it says so.
    if replied and (allowed is None or allowed.get("replied_user")):
        found.users.append(int(replied["author"]["id"]))
    if guild is not None:
        return mentions.in_guild(found, guild, channel, author_id)
    people = {int(one["id"]) for one in channel["recipients"]} | {world.dm_bots[int(channel["id"])]}
    return Mentions(found.users, notified=people - {author_id})


def _keep_thread_alive(world: World, thread: Wire, message: Wire, found: Mentions) -> None:
    guild, thread_id = world.guilds[int(thread["guild_id"])], int(thread["id"])
    thread["message_count"] += 1
    thread["total_message_sent"] += 1
    if thread["thread_metadata"]["archived"]:
        guild.set_archived(thread_id, archived=False)
    author_id = int(message["author"]["id"])
    for user_id in (author_id, *found.users):
        # Who writes is in; who is named is taken in, if the channel above is theirs to see.
        if user_id in guild.members and guild.can_see(user_id, guild.parent_of(thread)):
            guild.join_thread(thread_id, user_id)


def _referenced(world: World, channel: Wire, reference: Wire) -> Wire:
    replied = world.messages.get(int(channel["id"]), {}).get(int(reference["message_id"]))
    if replied is None and reference.get("fail_if_not_exists", True) is not False:
        problem = {"_errors": [{"code": "REPLIES_UNKNOWN_MESSAGE", "message": "Unknown message"}]}
        raise Refusal(400, 50035, "Invalid Form Body", {"message_reference": problem})
    target: Wire = {"type": 0, "channel_id": channel["id"], "message_id": str(reference["message_id"])}
    if "guild_id" in channel:
        target["guild_id"] = channel["guild_id"]
    return {"message_reference": target, "referenced_message": replied}


def _attachments(world: World, channel: Wire, message: Wire, draft: Draft) -> list[Wire]:
    kept: dict[str, Wire] = {one["id"]: one for one in message.get("attachments", [])}
    found: list[Wire] = []
    for one in _named(draft, list(kept.values())):
        if str(one["id"]) in kept:
            found.append(kept[str(one["id"])] | {key: one[key] for key in ("description",) if one.get(key)})
            continue
        upload = draft.files.get(int(one["id"]))
        if upload is None:
            raise Refusal(400, 50035, "Invalid Form Body", {"attachments": {"_errors": [_not_uploaded(one)]}})
        found.append(_attachment(world, channel, upload, one))
    return found


def _named(draft: Draft, kept: list[Wire]) -> list[Wire]:
    """Return the attachments that a body names; one that names none keeps what is there and adds every file."""
    named: list[Wire] | None = draft.body.get("attachments")
    return [*kept, *({"id": number} for number in draft.files)] if named is None else named


def _not_uploaded(named: Wire) -> Wire:
    return {"code": "ATTACHMENT_NOT_FOUND", "message": f"Attachment data for index {named['id']} was not found"}


def _attachment(world: World, channel: Wire, upload: Upload, named: Wire) -> Wire:
    attachment_id, filename = world.new_id(), named.get("filename") or upload.filename
    url = f"https://cdn.discordapp.com/attachments/{channel['id']}/{attachment_id}/{quote(filename)}"
    attachment: Wire = {
        "id": str(attachment_id),
        "filename": filename,
        "size": len(upload.content),
        "url": url,
        "proxy_url": url,
        "content_type": upload.content_type,
    }
    world.files[attachment_id] = upload.content
    return attachment | ({"description": named["description"]} if named.get("description") else {})


def _embed(embed: Wire) -> Wire:
    kept = {key: value for key, value in embed.items() if value is not None}
    if "fields" in kept:
        kept["fields"] = [{"inline": False} | field for field in kept["fields"]]
    return kept | {"type": "rich"}
