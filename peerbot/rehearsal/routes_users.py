"""Answer for users, applications, direct channels and the gateway's address."""

from __future__ import annotations

from peerbot.rehearsal.refusals import Refusal, unknown
from peerbot.rehearsal.routing import Call, Routes
from peerbot.rehearsal.wire import Wire

routes = Routes()


@routes("GET", "/users/@me")
async def get_own_user(call: Call) -> Wire:
    """Return the bot's user."""
    return call.application.bot | {"mfa_enabled": False, "locale": "en-US", "verified": True, "email": None}


@routes("GET", "/users/{user_id}")
async def get_user(call: Call) -> Wire:
    """Return anybody's user."""
    if (user := call.world.users.get(call.number("user_id"))) is None:
        raise unknown("User")
    return user


@routes("GET", "/applications/@me")
@routes("GET", "/oauth2/applications/@me")
async def get_own_application(call: Call) -> Wire:
    """Return the application whose bot asks."""
    guilds = sum(call.application.id in guild.applications for guild in call.world.guilds.values())
    return call.application.wire() | {"approximate_guild_count": guilds}


@routes("GET", "/gateway", authorized=False)
async def get_gateway(call: Call) -> Wire:
    """Return where the gateway is."""
    return {"url": call.gateway_url}


@routes("GET", "/gateway/bot")
async def get_gateway_for_bot(call: Call) -> Wire:
    """Return where the gateway is and how many shards and sessions it takes."""
    limit = {"total": 1000, "remaining": call.sessions_left, "reset_after": 86_400_000, "max_concurrency": 1}
    return {"url": call.gateway_url, "shards": 1, "session_start_limit": limit}


@routes("GET", "/users/@me/guilds")
async def get_own_guilds(call: Call) -> list[Wire]:
    """Return the guilds that the bot is in."""
    bot_id = call.application.bot_id
    keys = ("id", "name", "icon", "banner", "features")
    return [
        {key: guild.fields[key] for key in keys}
        | {"owner": guild.owner_id == bot_id, "permissions": str(guild.permissions_of(bot_id))}
        for guild in sorted(call.world.guilds.values(), key=lambda one: one.id)
        if bot_id in guild.members and guild.id > call.asked("after", 0, 0, 1 << 63)
    ][: call.asked("limit", 200, 1, 200)]


@routes("DELETE", "/users/@me/guilds/{guild_id}")
async def leave_guild(call: Call) -> None:
    """Let the bot leave a guild."""
    call.guild().uninstall(call.application)


@routes("POST", "/users/@me/channels")
async def open_direct_channel(call: Call) -> Wire:
    """Open the direct channel to a person, or return the one there is."""
    recipient = str((call.body or {}).get("recipient_id", ""))
    if not recipient.isdecimal() or int(recipient) not in call.world.users:
        raise unknown("User")
    if int(recipient) == call.application.bot_id:
        raise Refusal(400, 50007, "Cannot send messages to this user")
    left, before = call.world.dms_until_too_fast, len(call.world.dms)
    if left == 0 and not call.world.has_dm(call.application, int(recipient)):
        raise Refusal(400, 40003, "You are opening direct messages too fast")
    channel = call.world.dm(call.application, int(recipient))
    if left and len(call.world.dms) > before:
        call.world.dms_until_too_fast = left - 1
    return channel
