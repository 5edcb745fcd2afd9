"""Say which intents let an event through, and what each event must contain.

The two tables follow developers/events/gateway.mdx ("List of Intents") and gateway-events.mdx. An event without its
keys would kill a client, so that it is refused here before it is sent.
"""

from __future__ import annotations

from peerbot.rehearsal.wire import Wire

GUILDS, MEMBERS, MODERATION, VOICE, MESSAGES, DIRECT_MESSAGES = 1 << 0, 1 << 1, 1 << 2, 1 << 7, 1 << 9, 1 << 12
TYPING, DIRECT_TYPING, CONTENT, PRESENCES, SCHEDULED_EVENTS = 1 << 11, 1 << 14, 1 << 15, 1 << 8, 1 << 16
# Bits 5, 17, 18 and 19, 22, 23 stand for no intent or one that Discord has taken away.
KNOWN = sum(1 << bit for bit in (*range(17), 20, 21, 24, 25))

# event -> (intent in a guild, intent in a direct message); 0 is always sent, None never.
_INTENTS: dict[str, tuple[int | None, int | None]] = {
    **dict.fromkeys(
        (
            "GUILD_CREATE",
            "GUILD_UPDATE",
            "GUILD_DELETE",
            "GUILD_ROLE_CREATE",
            "GUILD_ROLE_UPDATE",
            "GUILD_ROLE_DELETE",
            "CHANNEL_CREATE",
            "CHANNEL_UPDATE",
            "CHANNEL_DELETE",
            "CHANNEL_PINS_UPDATE",
            "THREAD_CREATE",
            "THREAD_UPDATE",
            "THREAD_DELETE",
            "THREAD_MEMBERS_UPDATE",
            "THREAD_LIST_SYNC",
        ),
        (GUILDS, None),
    ),
    **dict.fromkeys(("GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE"), (MEMBERS, None)),
    **dict.fromkeys(
        ("MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK"), (MESSAGES, DIRECT_MESSAGES)
    ),
    **dict.fromkeys(("GUILD_BAN_ADD", "GUILD_BAN_REMOVE"), (MODERATION, None)),
    **dict.fromkeys(
        ("GUILD_SCHEDULED_EVENT_CREATE", "GUILD_SCHEDULED_EVENT_UPDATE", "GUILD_SCHEDULED_EVENT_DELETE"),
        (SCHEDULED_EVENTS, None),
    ),
    "VOICE_STATE_UPDATE": (VOICE, None),
    "TYPING_START": (TYPING, DIRECT_TYPING),
    "INTERACTION_CREATE": (0, 0),
}

_MESSAGE = (
    "id channel_id author content timestamp edited_timestamp tts mention_everyone mentions mention_roles attachments "
    "embeds pinned type components flags"
)
_SCHEDULED_EVENT = (
    "id guild_id channel_id name scheduled_start_time scheduled_end_time privacy_level status entity_type entity_id "
    "entity_metadata"
)
_REQUIRED: dict[str, str] = {
    "READY": "v user guilds session_id resume_gateway_url application",
    "RESUMED": "",
    "GUILD_CREATE": "id name owner_id roles channels threads members member_count joined_at presences voice_states "
    "stage_instances guild_scheduled_events emojis features large",
    "GUILD_UPDATE": "id name owner_id roles",
    "GUILD_DELETE": "id",
    "GUILD_ROLE_CREATE": "guild_id role",
    "GUILD_ROLE_UPDATE": "guild_id role",
    "GUILD_ROLE_DELETE": "guild_id role_id",
    "GUILD_MEMBER_ADD": "guild_id user roles joined_at flags deaf mute",
    "GUILD_MEMBER_UPDATE": "guild_id user roles joined_at flags",
    "GUILD_MEMBER_REMOVE": "guild_id user",
    "GUILD_BAN_ADD": "guild_id user",
    "GUILD_BAN_REMOVE": "guild_id user",
    "GUILD_MEMBERS_CHUNK": "guild_id members chunk_index chunk_count",
    "CHANNEL_CREATE": "id type guild_id name position permission_overwrites",
    "CHANNEL_UPDATE": "id type guild_id name position permission_overwrites",
    "CHANNEL_DELETE": "id type guild_id",
    "CHANNEL_PINS_UPDATE": "channel_id",
    "THREAD_CREATE": "id type guild_id parent_id owner_id name thread_metadata message_count member_count",
    "THREAD_UPDATE": "id type guild_id parent_id owner_id name thread_metadata",
    "THREAD_DELETE": "id type guild_id parent_id",
    "THREAD_MEMBERS_UPDATE": "id guild_id member_count",
    "THREAD_LIST_SYNC": "guild_id threads members",
    "MESSAGE_CREATE": _MESSAGE,
    "MESSAGE_UPDATE": _MESSAGE,
    "MESSAGE_DELETE": "id channel_id",
    "MESSAGE_DELETE_BULK": "ids channel_id",
    "GUILD_SCHEDULED_EVENT_CREATE": _SCHEDULED_EVENT,
    "GUILD_SCHEDULED_EVENT_UPDATE": _SCHEDULED_EVENT,
    "GUILD_SCHEDULED_EVENT_DELETE": _SCHEDULED_EVENT,
    "VOICE_STATE_UPDATE": "guild_id channel_id user_id member session_id deaf mute self_deaf self_mute self_video "
    "suppress request_to_speak_timestamp",
    "TYPING_START": "channel_id user_id timestamp",
    "INTERACTION_CREATE": "id application_id type token version attachment_size_limit entitlements "
    "authorizing_integration_owners",
}


def passes(name: str, intents: int, *, in_guild: bool) -> bool:
    """Say whether a session with these intents receives an event of this name."""
    needed = _INTENTS[name][0 if in_guild else 1]
    return needed is not None and (needed == 0 or bool(intents & needed))


def check(name: str, payload: Wire) -> None:
    """Raise ValueError when an event lacks what clients rely on."""
    missing = [key for key in _REQUIRED[name].split() if key not in payload]
    if missing:
        raise ValueError(f"{name} without {', '.join(missing)}")


def without_content(message: Wire, bot_id: str) -> Wire:
    """Return a guild message as a bot without the message content intent receives it.

    Its own messages and those that mention it are whole (developers/events/gateway.mdx, "Message Content Intent").
    """
    own = message["author"]["id"] == bot_id or any(user["id"] == bot_id for user in message["mentions"])
    return message if own else message | {"content": "", "embeds": [], "attachments": [], "components": []}
