"""Keep the commands of an application, and decide who is shown which.

A command is shown as Discord's client shows it: by place (guild or DM), by USE_APPLICATION_COMMANDS, then by the
owner's overrides, else by `default_member_permissions`. Being shown a command is no right: the application checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from peerbot.rehearsal import limits
from peerbot.rehearsal.application import Application
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.refusals import unknown
from peerbot.rehearsal.wire import Wire
from peerbot.rehearsal.world import World

CHAT_INPUT, USER_MENU, MESSAGE_MENU = 1, 2, 3
IN_GUILD, IN_BOT_DM = 0, 1
FOR_ROLE, FOR_USER, FOR_CHANNEL = 1, 2, 3

Body = Mapping[str, Any]


def shelf(application: Application, guild_id: int | None) -> dict[int, Wire]:
    """Return the commands of one place: a guild's, or the global ones."""
    if guild_id is None:
        return application.commands
    return application.guild_commands.setdefault(guild_id, {})


def replace_all(world: World, application: Application, guild_id: int | None, bodies: Sequence[Body]) -> list[Wire]:
    """Put these commands in the place of all that were there; one of the same kind and name keeps its id."""
    limits.check_commands(bodies)
    place = shelf(application, guild_id)
    kept = {(each["type"], each["name"]): each for each in place.values()}
    made = [_build(world, application, guild_id, body, kept.get(_key(body))) for body in bodies]
    place.clear()
    place.update({int(each["id"]): each for each in made})
    world.changed()
    return made


def put(world: World, application: Application, guild_id: int | None, body: Body) -> tuple[Wire, bool]:
    """Make a command, or overwrite the one of that kind and name; say whether it is new."""
    limits.check_command(body)
    place = shelf(application, guild_id)
    before = next((each for each in place.values() if (each["type"], each["name"]) == _key(body)), None)
    if before is None:
        limits.check_command_count([*place.values(), body])
    command = _build(world, application, guild_id, body, before)
    place[int(command["id"])] = command
    world.changed()
    return command, before is None


def edit(world: World, application: Application, guild_id: int | None, command_id: int, body: Body) -> Wire:
    """Change some fields of a command; an unknown one is refused with 10063."""
    before = get(application, guild_id, command_id)
    whole = before | {key: value for key, value in body.items() if key != "type"}
    limits.check_command(whole)
    command = _build(world, application, guild_id, whole, before)
    shelf(application, guild_id)[command_id] = command
    world.changed()
    return command


def get(application: Application, guild_id: int | None, command_id: int) -> Wire:
    """Return a command, or refuse with 10063."""
    if (command := shelf(application, guild_id).get(command_id)) is None:
        raise unknown("Application Command")
    return command


def delete(world: World, application: Application, guild_id: int | None, command_id: int) -> None:
    """Remove a command, or refuse with 10063."""
    get(application, guild_id, command_id)
    del shelf(application, guild_id)[command_id]
    world.changed()


def shown_to(world: World, guild: Guild | None, user_id: int, channel: Wire) -> list[tuple[Application, Wire]]:
    """Return every command that a person is shown in a channel, with the application it belongs to."""
    if guild is not None and not guild.permissions_of(user_id, channel) & Bit.USE_APPLICATION_COMMANDS:
        return []
    found = offered_in(world, guild, channel)
    if guild is None:
        return found
    return [(owner, each) for owner, each in found if _allowed(world, guild, user_id, channel, each)]


def offered_in(world: World, guild: Guild | None, channel: Wire) -> list[tuple[Application, Wire]]:
    """Return every command that exists in a channel, whoever may see it; a guild's own come first."""
    if guild is None:
        application = _owner_of_dm(world, channel)
        return [(application, each) for each in application.commands.values() if _works_in(each, IN_BOT_DM)]
    found: list[tuple[Application, Wire]] = []
    for application in guild.applications.values():
        own = application.guild_commands.get(guild.id, {}).values()
        everywhere = (each for each in application.commands.values() if _works_in(each, IN_GUILD))
        found += [(application, each) for each in (*own, *everywhere)]
    return found


def _owner_of_dm(world: World, channel: Wire) -> Application:
    bot_id = world.dm_bots[int(channel["id"])]
    return next(each for each in world.applications.values() if each.bot_id == bot_id)


def _key(body: Body) -> tuple[int, Any]:
    return int(body.get("type") or CHAT_INPUT), body.get("name")


def _works_in(command: Body, context: int) -> bool:
    contexts = command.get("contexts")
    if contexts is not None:
        return context in contexts
    return context == IN_GUILD or bool(command.get("dm_permission", True))


def _allowed(world: World, guild: Guild, user_id: int, channel: Wire, command: Wire) -> bool:
    held = guild.permissions_of(user_id)
    if held & Bit.ADMINISTRATOR:
        return True
    overrides = world.interactions.command_permissions.get((guild.id, int(command["id"])), [])
    said = {(each["type"], int(each["id"])): bool(each["permission"]) for each in overrides}
    everywhere = guild.id - 1  # the id that stands for all channels in an override
    place = int(guild.parent_of(channel)["id"])
    if not said.get((FOR_CHANNEL, place), said.get((FOR_CHANNEL, everywhere), True)):
        return False
    if (FOR_USER, user_id) in said:
        return said[FOR_USER, user_id]
    roles = [said[FOR_ROLE, int(each)] for each in guild.members[user_id]["roles"] if (FOR_ROLE, int(each)) in said]
    if roles:
        return any(roles)
    if (FOR_ROLE, guild.id) in said:
        return said[FOR_ROLE, guild.id]
    needed = command["default_member_permissions"]
    # "0" is for administrators alone.
    return needed is None or (needed != "0" and held & int(needed) == int(needed))


def _build(world: World, application: Application, guild_id: int | None, body: Body, before: Wire | None) -> Wire:
    needed = body.get("default_member_permissions")
    contexts = body.get("contexts")
    command: Wire = {
        "id": before["id"] if before else str(world.new_id()),
        "application_id": str(application.id),
        "version": str(world.new_id()),
        "default_member_permissions": None if needed is None else str(needed),
        "type": int(body.get("type") or CHAT_INPUT),
        "name": body["name"],
        "name_localizations": body.get("name_localizations"),
        "description": body.get("description") or "",
        "description_localizations": body.get("description_localizations"),
        "dm_permission": contexts is None or IN_BOT_DM in contexts,
        "contexts": contexts,
        "integration_types": body.get("integration_types") or [0],
        "nsfw": bool(body.get("nsfw")),
    }
    if body.get("dm_permission") is False and contexts is None:
        command |= {"dm_permission": False, "contexts": [IN_GUILD]}
    if body.get("options"):
        command["options"] = [_build_option(each) for each in body["options"]]
    if guild_id is not None:
        command["guild_id"] = str(guild_id)
        # A guild's command has its place already.
        del command["dm_permission"]
        command["contexts"] = None
    return command


def _build_option(option: Body) -> Wire:
    kept = {key: value for key, value in option.items() if value is not None}
    if option.get("options"):
        kept["options"] = [_build_option(each) for each in option["options"]]
    elif option["type"] in {1, 2}:
        kept.pop("options", None)
    return kept
