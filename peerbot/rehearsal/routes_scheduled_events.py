"""Answer for the scheduled events of a guild (developers/resources/guild-scheduled-event.mdx).

An event elsewhere starts and ends by itself; it is seen to when somebody asks. One in a channel waits for somebody to
start it. Stages and recurrence are not supported here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from peerbot.rehearsal import wire
from peerbot.rehearsal.form_errors import FormErrors
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.refusals import Refusal, invalid_form, unknown
from peerbot.rehearsal.routing import Call, Routes
from peerbot.rehearsal.wire import Wire

IN_VOICE, ELSEWHERE = 2, 3
SCHEDULED, ACTIVE, COMPLETED, CANCELLED = 1, 2, 3, 4
GUILD_ONLY = 2
MOST_EVENTS, LONGEST_NAME, LONGEST_DESCRIPTION, LONGEST_LOCATION = 100, 100, 1000, 100
NEXT_STATUS = {SCHEDULED: (ACTIVE, CANCELLED), ACTIVE: (COMPLETED,)}
EVENTS = "/guilds/{guild_id}/scheduled-events"
EVENT = EVENTS + "/{guild_scheduled_event_id}"

routes = Routes()


@routes("GET", EVENTS)
async def list_events(call: Call) -> list[Wire]:
    """Return the events that are to come or under way, as far as the bot sees their channels."""
    guild = call.guild()
    _let_time_pass(guild)
    return [_counted(call, event) for event in guild.events.values() if _sees(call, guild, event)]


@routes("GET", EVENT)
async def get_event(call: Call) -> Wire:
    """Return one event."""
    return _counted(call, _event(call, call.guild()))


@routes("POST", EVENTS)
async def create_event(call: Call) -> Wire:
    """Make an event (CREATE_EVENTS; in a voice channel also VIEW_CHANNEL and CONNECT)."""
    guild, body = call.guild(), call.body or {}
    _let_time_pass(guild)
    if body.get("entity_type") not in (IN_VOICE, ELSEWHERE):
        raise invalid_form("entity_type", "This kind of event is not supported here.", kind="BASE_TYPE_CHOICES")
    event: Wire = {
        "id": "0",
        "guild_id": str(guild.id),
        "creator_id": str(call.application.bot_id),
        "creator": call.application.bot,
        "image": None,
        "status": SCHEDULED,
        "entity_id": None,
        "recurrence_rule": None,
        "guild_scheduled_event_exceptions": [],
        "name": None,
        "description": None,
        "channel_id": None,
        "scheduled_end_time": None,
        "entity_metadata": None,
        "privacy_level": None,
        "scheduled_start_time": None,
    } | _given(body)
    _check(call, guild, event, body)
    if len(guild.events) >= MOST_EVENTS:
        raise Refusal(400, 30038, "Maximum number of uncompleted guild scheduled events reached (100)")
    event["id"] = str(call.world.new_id())
    call.record(guild, "GUILD_SCHEDULED_EVENT_CREATE", event["id"])
    return guild.keep_event(event)


@routes("PATCH", EVENT)
async def edit_event(call: Call) -> Wire:
    """Change an event: one's own with CREATE_EVENTS, others' with MANAGE_EVENTS."""
    guild, body = call.guild(), call.body or {}
    event = _event(call, guild)
    _require_own(call, guild, event)
    changed = event | _given(body)
    status = body.get("status")
    if status is not None and status != event["status"]:
        if status not in NEXT_STATUS.get(event["status"], ()):
            raise invalid_form("status", "This status cannot follow.", kind="GUILD_SCHEDULED_EVENT_INVALID_STATUS")
        changed["status"] = status
    _check(call, guild, changed, body)
    call.record(guild, "GUILD_SCHEDULED_EVENT_UPDATE", event["id"])
    return guild.keep_event(changed)


@routes("DELETE", EVENT)
async def delete_event(call: Call) -> None:
    """Remove an event."""
    guild = call.guild()
    event = _event(call, guild)
    _require_own(call, guild, event)
    call.record(guild, "GUILD_SCHEDULED_EVENT_DELETE", event["id"])
    guild.remove_event(int(event["id"]))


def _event(call: Call, guild: Guild) -> Wire:
    _let_time_pass(guild)
    event = guild.events.get(call.number("guild_scheduled_event_id"))
    if event is None or not _sees(call, guild, event):
        raise unknown("Guild Scheduled Event")
    return event


def _sees(call: Call, guild: Guild, event: Wire) -> bool:
    channel = guild.channels.get(int(event["channel_id"] or 0))
    return event["channel_id"] is None or (channel is not None and guild.can_see(call.application.bot_id, channel))


def _counted(call: Call, event: Wire) -> Wire:
    asked = call.query.get("with_user_count", "").lower() in {"1", "true"}
    return event | ({"user_count": 0} if asked else {})


def _require_own(call: Call, guild: Guild, event: Wire) -> None:
    own = event["creator_id"] == str(call.application.bot_id)
    held = guild.permissions_of(call.application.bot_id, guild.channels.get(int(event["channel_id"] or 0)))
    if not held & Bit.MANAGE_EVENTS:
        call.require(guild, Bit.CREATE_EVENTS if own else Bit.MANAGE_EVENTS)


def _given(body: Wire) -> Wire:
    known = ("name", "description", "channel_id", "entity_metadata", "privacy_level", "entity_type")
    given: dict[str, Any] = {key: body[key] for key in known if key in body}
    for key in ("scheduled_start_time", "scheduled_end_time"):
        if body.get(key) is not None:
            given[key] = wire.moment(_moment(key, body[key]))
        elif key in body:
            given[key] = None
    return given


def _moment(key: str, written: object) -> datetime:
    try:
        at = datetime.fromisoformat(str(written))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise invalid_form(key, f'Could not parse "{written}". Should be ISO8601.', kind="DATE_TIME_TYPE_PARSE")
    return at


def _check(call: Call, guild: Guild, event: Wire, body: Wire) -> None:
    """Refuse an event that Discord would not take as it would be; `body` is what is new."""
    in_voice = event["entity_type"] == IN_VOICE
    channel = guild.channels.get(int(event["channel_id"] or 0))
    needed = Bit.CREATE_EVENTS | (Bit.VIEW_CHANNEL | Bit.CONNECT if in_voice and channel else 0)
    call.require(guild, int(needed), channel)
    errors = FormErrors()
    if errors.required("name", event["name"]):
        errors.text("name", event["name"], 1, LONGEST_NAME)
    errors.text("description", event["description"], 0, LONGEST_DESCRIPTION)
    if event["privacy_level"] != GUILD_ONLY:
        errors.add("privacy_level", "BASE_TYPE_CHOICES", "Value must be one of {2}.")
    if in_voice and (channel is None or channel["type"] != wire.VOICE):
        errors.add("channel_id", "CHANNEL_INVALID", "A voice channel is required")
    if not in_voice:
        if event["channel_id"] is not None:
            errors.add("channel_id", "BASE_TYPE_CHOICES", "An event elsewhere has no channel")
        location = (event["entity_metadata"] or {}).get("location")
        if errors.required("entity_metadata.location", location):
            errors.text("entity_metadata.location", location, 1, LONGEST_LOCATION)
        errors.required("scheduled_end_time", event["scheduled_end_time"])
    if errors.required("scheduled_start_time", event["scheduled_start_time"]):
        _check_times(guild, event, body, errors)
    errors.refuse_any()


def _check_times(guild: Guild, event: Wire, body: Wire, errors: FormErrors) -> None:
    starts_at = datetime.fromisoformat(event["scheduled_start_time"])
    if "scheduled_start_time" in body and starts_at <= guild.ground.clock.now():
        problem = "Cannot schedule event in the past."
        errors.add("scheduled_start_time", "GUILD_SCHEDULED_EVENT_SCHEDULE_PAST", problem)
    end = event["scheduled_end_time"]
    if end is not None and datetime.fromisoformat(end) <= starts_at:
        problem = "Cannot schedule event to end before it starts."
        errors.add("scheduled_end_time", "GUILD_SCHEDULED_EVENT_END_BEFORE_START", problem)


def _let_time_pass(guild: Guild) -> None:
    """Start and end the events elsewhere whose time has come."""
    now = guild.ground.clock.now()
    for event in list(guild.events.values()):
        if event["entity_type"] != ELSEWHERE:
            continue
        if datetime.fromisoformat(event["scheduled_end_time"]) <= now:
            guild.keep_event(event | {"status": COMPLETED})
        elif datetime.fromisoformat(event["scheduled_start_time"]) <= now and event["status"] == SCHEDULED:
            guild.keep_event(event | {"status": ACTIVE})
