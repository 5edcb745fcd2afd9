"""Answer for the members of a guild."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from peerbot.rehearsal import application, permissions, posting, requested_members
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.refusals import invalid_form, missing_access, missing_permissions, unknown
from peerbot.rehearsal.routing import Call, Routes
from peerbot.rehearsal.wire import Wire

LONGEST_NICK = 32
LONGEST_TIMEOUT = timedelta(days=28)
MOST_DELETED_SECONDS = 7 * 24 * 3600

routes = Routes()


def _member(call: Call, guild: Guild) -> Wire:
    user_id = call.number("user_id")
    if user_id in guild.members:
        return guild.members[user_id]
    raise unknown("Member") if user_id in call.world.users else unknown("User")


@routes("GET", "/guilds/{guild_id}/members")
async def list_members(call: Call) -> list[Wire]:
    """Return members by rising id; only with the members intent switched on in the portal."""
    guild = call.guild()
    if not call.application.privileged & application.MEMBERS_INTENT:
        raise missing_access()
    after, limit = call.asked("after", 0, 0, 1 << 63), call.asked("limit", 1, 1, 1000)
    return [guild.members[user_id] for user_id in sorted(guild.members) if user_id > after][:limit]


@routes("GET", "/guilds/{guild_id}/members/search")
async def search_members(call: Call) -> list[Wire]:
    """Return members one of whose names starts with the query."""
    guild, query = call.guild(), call.query.get("query", "")
    if not query:
        raise invalid_form("query", "This field is required", kind="BASE_TYPE_REQUIRED")
    return requested_members.matching(guild, query)[: call.asked("limit", 1, 1, 1000)]


@routes("GET", "/guilds/{guild_id}/members/{user_id}")
async def get_member(call: Call) -> Wire:
    """Return one member."""
    return _member(call, call.guild())


@routes("PATCH", "/guilds/{guild_id}/members/@me")
async def edit_own_member(call: Call) -> Wire:
    """Change the bot's own nick (CHANGE_NICKNAME)."""
    guild, body = call.guild(), call.body or {}
    if "nick" in body:
        call.require(guild, Bit.CHANGE_NICKNAME)
        guild.edit_member(call.application.bot_id, nick=_nick(body["nick"]))
    return guild.members[call.application.bot_id]


@routes("PATCH", "/guilds/{guild_id}/members/{user_id}")
async def edit_member(call: Call) -> Wire:
    """Change a member: nick, roles, timeout; each needs its own permission and a higher role."""
    guild, body = call.guild(), call.body or {}
    member = _member(call, guild)
    changes: dict[str, Any] = {}
    if "nick" in body:
        call.require(guild, Bit.MANAGE_NICKNAMES)
        _require_higher(call, guild, member)
        changes["nick"] = _nick(body["nick"])
    if body.get("roles") is not None:
        changes["roles"] = _roles(call, guild, member, [str(one) for one in body["roles"]])
    if "communication_disabled_until" in body:
        call.require(guild, Bit.MODERATE_MEMBERS)
        _require_higher(call, guild, member)
        if permissions.of(guild.wire(), member) & Bit.ADMINISTRATOR:
            raise missing_permissions()
        changes["communication_disabled_until"] = _timeout(call, body["communication_disabled_until"])
    call.record(guild, "MEMBER_UPDATE", member["user"]["id"])
    return guild.edit_member(int(member["user"]["id"]), **changes)


def _nick(given: Any) -> str | None:
    if given is not None and len(given) > LONGEST_NICK:
        raise invalid_form("nick", f"Must be {LONGEST_NICK} or fewer in length.", kind="BASE_TYPE_MAX_LENGTH")
    return given or None


def _timeout(call: Call, given: Any) -> str | None:
    if given is None:
        return None
    try:
        until = datetime.fromisoformat(given)
    except ValueError:
        raise invalid_form(
            "communication_disabled_until", "Could not parse as a timestamp.", kind="DATE_TIME"
        ) from None
    if until > call.world.clock.now() + LONGEST_TIMEOUT:
        problem = "Cannot exceed 28 days from now."
        raise invalid_form("communication_disabled_until", problem, kind="DATE_TIME_MAX")
    return given


def _require_higher(call: Call, guild: Guild, member: Wire) -> None:
    own = guild.members[call.application.bot_id]
    if own is not member and not permissions.outranks(guild.wire(), own, member):
        raise missing_permissions()


def _roles(call: Call, guild: Guild, member: Wire, wanted: list[str]) -> list[str]:
    for role_id in set(wanted) ^ set(member["roles"]):
        _require_manageable(call, guild, int(role_id))
    return list(dict.fromkeys(wanted))


def _require_manageable(call: Call, guild: Guild, role_id: int) -> None:
    call.require(guild, Bit.MANAGE_ROLES)
    if role_id not in guild.roles:
        raise unknown("Role")
    role, own = guild.roles[role_id], guild.members[call.application.bot_id]
    if role["managed"] or role_id == guild.id or not permissions.may_manage_role(guild.wire(), own, role):
        raise missing_permissions()


@routes("PUT", "/guilds/{guild_id}/members/{user_id}/roles/{role_id}")
async def add_role(call: Call) -> None:
    """Give a member a role (MANAGE_ROLES, and a higher role of one's own)."""
    guild = call.guild()
    member, role_id = _member(call, guild), call.number("role_id")
    _require_manageable(call, guild, role_id)
    guild.give_role(int(member["user"]["id"]), role_id)
    call.record(guild, "MEMBER_ROLE_UPDATE", member["user"]["id"])


@routes("DELETE", "/guilds/{guild_id}/members/{user_id}/roles/{role_id}")
async def remove_role(call: Call) -> None:
    """Take a role from a member (MANAGE_ROLES, and a higher role of one's own)."""
    guild = call.guild()
    member, role_id = _member(call, guild), call.number("role_id")
    _require_manageable(call, guild, role_id)
    guild.take_role(int(member["user"]["id"]), role_id)
    call.record(guild, "MEMBER_ROLE_UPDATE", member["user"]["id"])


@routes("DELETE", "/guilds/{guild_id}/members/{user_id}")
async def kick_member(call: Call) -> None:
    """Put a member out of the guild (KICK_MEMBERS, and a higher role)."""
    guild = call.guild()
    member = _member(call, guild)
    call.require(guild, Bit.KICK_MEMBERS)
    _require_higher(call, guild, member)
    call.record(guild, "MEMBER_KICK", member["user"]["id"])
    guild.remove_member(int(member["user"]["id"]))


@routes("GET", "/guilds/{guild_id}/bans")
async def list_bans(call: Call) -> list[Wire]:
    """Return the bans by rising id of the user (BAN_MEMBERS)."""
    guild = call.guild()
    call.require(guild, Bit.BAN_MEMBERS)
    before, after = call.asked("before", 1 << 63, 0, 1 << 63), call.asked("after", 0, 0, 1 << 63)
    found = [guild.bans[user_id] for user_id in sorted(guild.bans) if after < user_id < before]
    limit = call.asked("limit", 1000, 1, 1000)
    return found[-limit:] if "before" in call.query else found[:limit]


@routes("GET", "/guilds/{guild_id}/bans/{user_id}")
async def get_ban(call: Call) -> Wire:
    """Return one ban; 10026 for who is not banned."""
    guild = call.guild()
    call.require(guild, Bit.BAN_MEMBERS)
    if (ban := guild.bans.get(call.number("user_id"))) is None:
        raise unknown("Ban")
    return ban


@routes("PUT", "/guilds/{guild_id}/bans/{user_id}")
async def ban(call: Call) -> None:
    """Put somebody out for good (BAN_MEMBERS, and a higher role), and delete what they wrote last if asked."""
    guild, user_id, body = call.guild(), call.number("user_id"), call.body or {}
    call.require(guild, Bit.BAN_MEMBERS)
    if user_id not in call.world.users:
        raise unknown("User")
    if user_id in guild.members:
        _require_higher(call, guild, guild.members[user_id])
    # Discord takes it from the query, too, which is where discord.py puts it.
    seconds = body.get("delete_message_seconds") or call.asked("delete_message_seconds", 0, 0, MOST_DELETED_SECONDS)
    if not 0 <= seconds <= MOST_DELETED_SECONDS:
        problem = f"int value should be less than or equal to {MOST_DELETED_SECONDS}."
        raise invalid_form("delete_message_seconds", problem, kind="NUMBER_TYPE_MAX")
    guild.ban(call.world.users[user_id], call.reason)
    if seconds:
        _delete_last_messages(call, guild, user_id, timedelta(seconds=seconds))
    call.record(guild, "MEMBER_BAN_ADD", user_id)


def _delete_last_messages(call: Call, guild: Guild, user_id: int, age: timedelta) -> None:
    oldest = call.world.snowflake(call.world.clock.now() - age)
    for channel_id, channel in (guild.channels | guild.threads).items():
        written = call.world.messages.get(channel_id, {})
        own = [one for one, found in written.items() if one >= oldest and found["author"]["id"] == str(user_id)]
        if own:
            posting.delete(call.world, channel, own)


@routes("DELETE", "/guilds/{guild_id}/bans/{user_id}")
async def unban(call: Call) -> None:
    """Lift a ban (BAN_MEMBERS)."""
    guild, user_id = call.guild(), call.number("user_id")
    call.require(guild, Bit.BAN_MEMBERS)
    if user_id not in guild.bans:
        raise unknown("Ban")
    guild.unban(user_id)
    call.record(guild, "MEMBER_BAN_REMOVE", user_id)
