"""Answer the routes by which an application keeps its commands, and lock out every other application."""

from __future__ import annotations

from typing import Any

from peerbot.rehearsal import commands
from peerbot.rehearsal.refusals import Refusal, missing_access
from peerbot.rehearsal.routing import Answer, Call, Routes

routes = Routes()

GLOBAL = "/applications/{application_id}/commands"
IN_GUILD = "/applications/{application_id}/guilds/{guild_id}/commands"


def _place(call: Call) -> int | None:
    if call.number("application_id") != call.application.id:
        raise Refusal(403, 20012, "You are not authorized to perform this action on this application")
    if "guild_id" not in call.path:
        return None
    guild = call.world.guilds.get(call.number("guild_id"))
    if guild is None or call.application.id not in guild.applications:
        raise missing_access()
    return guild.id


@routes("GET", GLOBAL)
@routes("GET", IN_GUILD)
async def listing(call: Call) -> Any:
    """List the commands of one place."""
    return list(commands.shelf(call.application, _place(call)).values())


@routes("PUT", GLOBAL)
@routes("PUT", IN_GUILD)
async def replace_all(call: Call) -> Any:
    """Replace all commands of one place."""
    return commands.replace_all(call.world, call.application, _place(call), call.body or [])


@routes("POST", GLOBAL)
@routes("POST", IN_GUILD)
async def create(call: Call) -> Any:
    """Make or overwrite one command."""
    command, new = commands.put(call.world, call.application, _place(call), call.body)
    return Answer(201 if new else 200, command)


@routes("GET", f"{IN_GUILD}/permissions")
async def all_permissions(call: Call) -> Any:
    """List the overrides that a guild's owner has set for any command."""
    guild_id = _place(call)
    found = call.world.interactions.command_permissions
    return [
        {"id": str(command_id), "application_id": str(call.application.id), "guild_id": str(guild), "permissions": said}
        for (guild, command_id), said in found.items()
        if guild == guild_id
    ]


@routes("GET", f"{GLOBAL}/{{command_id}}")
@routes("GET", f"{IN_GUILD}/{{command_id}}")
async def one(call: Call) -> Any:
    """Return one command."""
    return commands.get(call.application, _place(call), call.number("command_id"))


@routes("PATCH", f"{GLOBAL}/{{command_id}}")
@routes("PATCH", f"{IN_GUILD}/{{command_id}}")
async def edit(call: Call) -> Any:
    """Change one command."""
    return commands.edit(call.world, call.application, _place(call), call.number("command_id"), call.body)


@routes("DELETE", f"{GLOBAL}/{{command_id}}")
@routes("DELETE", f"{IN_GUILD}/{{command_id}}")
async def delete(call: Call) -> None:
    """Remove one command."""
    commands.delete(call.world, call.application, _place(call), call.number("command_id"))


@routes("GET", f"{IN_GUILD}/{{command_id}}/permissions")
async def permissions(call: Call) -> Any:
    """Return the overrides for one command; 10066 when there are none."""
    guild_id, command_id = _place(call), call.number("command_id")
    said = call.world.interactions.command_permissions.get((guild_id or 0, command_id))
    if said is None:
        raise Refusal(404, 10066, "Unknown application command permissions")
    return {
        "id": str(command_id),
        "application_id": str(call.application.id),
        "guild_id": str(guild_id),
        "permissions": said,
    }
