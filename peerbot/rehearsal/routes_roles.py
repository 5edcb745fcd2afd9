"""Answer for the roles of a guild.

A bot with MANAGE_ROLES changes roles below its highest one, and gives them only permissions that it has itself
(developers/topics/permissions.mdx, "Permission Hierarchy").
"""

from __future__ import annotations

from typing import Any

from peerbot.rehearsal import permissions
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.refusals import Refusal, invalid_form, missing_permissions, unknown
from peerbot.rehearsal.routing import Call, Routes
from peerbot.rehearsal.wire import Wire

MOST_ROLES, LONGEST_NAME, MOST_COLOUR = 250, 100, 0xFFFFFF

routes = Routes()


def _role(call: Call, guild: Guild) -> Wire:
    if (role := guild.roles.get(call.number("role_id"))) is None:
        raise unknown("Role")
    return role


@routes("GET", "/guilds/{guild_id}/roles")
async def get_roles(call: Call) -> list[Wire]:
    """Return every role."""
    return list(call.guild().roles.values())


@routes("GET", "/guilds/{guild_id}/roles/{role_id}")
async def get_role(call: Call) -> Wire:
    """Return one role."""
    return _role(call, call.guild())


@routes("POST", "/guilds/{guild_id}/roles")
async def create_role(call: Call) -> Wire:
    """Make a role (MANAGE_ROLES)."""
    guild, body = call.guild(), call.body or {}
    call.require(guild, Bit.MANAGE_ROLES)
    if len(guild.roles) >= MOST_ROLES:
        raise Refusal(400, 30005, "Maximum number of guild roles reached (250)")
    changes = _changes(call, guild, body)
    # What the request leaves out is as for @everyone.
    granted = int(changes.pop("permissions", guild.roles[guild.id]["permissions"]))
    role = guild.add_role(changes.pop("name", "new role"), granted, **changes)
    call.record(guild, "ROLE_CREATE", role["id"])
    return role


@routes("PATCH", "/guilds/{guild_id}/roles/{role_id}")
async def edit_role(call: Call) -> Wire:
    """Change a role (MANAGE_ROLES, and a higher role of one's own)."""
    guild = call.guild()
    role = _manageable(call, guild, _role(call, guild))
    changes = _changes(call, guild, call.body or {}, role)
    call.record(guild, "ROLE_UPDATE", role["id"])
    return guild.edit_role(int(role["id"]), **changes)


@routes("PATCH", "/guilds/{guild_id}/roles")
async def move_roles(call: Call) -> list[Wire]:
    """Change the positions of roles below one's own."""
    guild = call.guild()
    own_place = permissions.top_role_position(guild.wire(), guild.members[call.application.bot_id])
    for entry in call.body or []:
        if int(entry["id"]) not in guild.roles:
            raise unknown("Role")
        role = _manageable(call, guild, guild.roles[int(entry["id"])])
        if entry.get("position") is None:
            continue
        if entry["position"] >= own_place and call.application.bot_id != guild.owner_id:
            raise missing_permissions()
        guild.move_role(int(role["id"]), entry["position"])
    return list(guild.roles.values())


@routes("DELETE", "/guilds/{guild_id}/roles/{role_id}")
async def delete_role(call: Call) -> None:
    """Delete a role (MANAGE_ROLES, and a higher role of one's own)."""
    guild = call.guild()
    role = _manageable(call, guild, _role(call, guild))
    if role["managed"] or int(role["id"]) == guild.id:
        raise Refusal(400, 50028, "Invalid Role")
    guild.remove_role(int(role["id"]))
    call.record(guild, "ROLE_DELETE", role["id"])


def _manageable(call: Call, guild: Guild, role: Wire) -> Wire:
    call.require(guild, Bit.MANAGE_ROLES)
    if not permissions.may_manage_role(guild.wire(), guild.members[call.application.bot_id], role):
        raise missing_permissions()
    return role


def _changes(call: Call, guild: Guild, body: Wire, role: Wire | None = None) -> dict[str, Any]:
    changes: dict[str, Any] = {key: body[key] for key in ("hoist", "mentionable") if body.get(key) is not None}
    if body.get("name") is not None:
        if len(body["name"]) > LONGEST_NAME:
            raise invalid_form("name", f"Must be {LONGEST_NAME} or fewer in length.", kind="BASE_TYPE_MAX_LENGTH")
        changes["name"] = body["name"] or "new role"
    if body.get("permissions") is not None:
        before = int(role["permissions"]) if role else 0
        own = guild.permissions_of(call.application.bot_id)
        if (int(body["permissions"]) & ~before) & ~own:
            raise missing_permissions()
        changes["permissions"] = str(int(body["permissions"]))
    primary = (body.get("colors") or {}).get("primary_color", body.get("color"))
    if primary is not None:
        if not 0 <= primary <= MOST_COLOUR:
            raise invalid_form("color", "int value should be between 0 and 16777215.", kind="NUMBER_TYPE_MAX")
        changes["color"] = primary
        changes["colors"] = {"primary_color": primary, "secondary_color": None, "tertiary_color": None}
    return changes
