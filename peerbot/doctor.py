"""Look at a whole set-up, line by line, and say what to do about each thing that is not right.

It speaks REST with Discord, through discord.py, and never enters the gateway: a running bot keeps its session. What
cannot be checked because of something found before is said to be skipped, and why.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp
import discord
from rich.console import Console

from peerbot import health, server_health
from peerbot.bot import LONGEST_WAIT, point_at
from peerbot.clock import Clock
from peerbot.config import ENV_FILE, Settings
from peerbot.findings import Report
from peerbot.health import Known

TOKEN, DISCORD = "PEERBOT_DISCORD_TOKEN", "PEERBOT_DISCORD_URL"
ANSWERS_WITHIN = 20.0
"""Seconds after which something asked of Discord counts as not answered."""
MOST_OFF = timedelta(seconds=30)
"""How far the machine's clock may be from Discord's: the header that tells Discord's time has whole seconds."""
TROUBLE = (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError)
"""What can come between us and Discord."""

Servers = dict[int, Known]


def examine() -> bool:
    """Print what was found, and return whether everything is as it should be."""
    report = Report(Console(highlight=False))
    with report.guarded("peerbot doctor"):
        settings, wrong = health.check_settings(report)
        known: Servers | None = None
        with report.guarded("Database"):
            known = health.check_database(report, settings, wrong)
        asyncio.run(_check_discord(report, settings, wrong, known))
    return report.end()


async def _check_discord(report: Report, settings: Settings, wrong: frozenset[str], known: Servers | None) -> None:
    report.group("Discord")
    unusable = sorted(wrong & {TOKEN, DISCORD, ENV_FILE})
    if unusable:
        report.skipped("Network, token, intent and clock", f"{unusable[0]} is not right")
        _check_stored_alone(report, known, "Discord was not asked")
        return
    point_at(settings.discord_url)
    clock, offsets = Clock(settings.clock_offset_file), list[timedelta]()
    client = discord.Client(
        intents=discord.Intents(guilds=True), max_ratelimit_timeout=LONGEST_WAIT, http_trace=_noting(clock, offsets)
    )
    async with client:
        inside = False
        with report.guarded("Token"):
            inside = await _log_in(report, client, settings.discord_token.reveal())
        if inside:
            _check_intent(report, client.application_flags)
        else:
            report.skipped("Server Members Intent", "the bot is not logged in")
        _check_clock(report, offsets)
        if inside:
            await _check_servers(report, client, known)
    if not inside:
        _check_stored_alone(report, known, "the bot is not logged in")


def _noting(clock: Clock, offsets: list[timedelta]) -> aiohttp.TraceConfig:
    """Return a trace that notes how far our clock was ahead of Discord's at each answer."""
    trace = aiohttp.TraceConfig()

    async def on_answer(_session: object, _context: object, params: aiohttp.TraceRequestEndParams) -> None:
        date = _date(params.response.headers.get("Date"))
        if date is not None:
            offsets.append(clock.now() - date)

    trace.on_request_end.append(on_answer)
    return trace


def _date(header: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(header or "")
    except ValueError:
        return None
    return date if date.tzinfo is not None else None


async def _log_in(report: Report, client: discord.Client, token: str) -> bool:
    """Check network and token; return whether Discord knows the bot."""
    remedy = f"Copy it anew from the Bot page of the developer portal into {TOKEN}."
    try:
        async with asyncio.timeout(ANSWERS_WITHIN):
            await client.login(token)
    except discord.LoginFailure:
        report.ok("Network", "Discord answers.")
        report.to_do("Token", "Discord does not accept it.", remedy)
        return False
    except TROUBLE as problem:
        report.to_do("Network", *_trouble(problem))
        report.skipped("Token", "Discord does not answer")
        return False
    report.ok("Network", "Discord answers.")
    report.ok("Token", f"Discord accepts it; the bot is {client.user}.")
    return True


def _trouble(problem: BaseException) -> tuple[str, str]:
    """Return what came between us and Discord, and what to do about it."""
    if isinstance(problem, discord.HTTPException):
        later = "Look at discordstatus.com, and run `peerbot doctor` again in some minutes."
        return f"Discord answers with an error ({problem.status}).", later
    if isinstance(problem, discord.DiscordException):
        return f"Discord asks to wait ({type(problem).__name__}).", "Run `peerbot doctor` again in some minutes."
    remedy = "Look at this machine's connection, DNS and firewall: peerbot needs https://discord.com."
    return f"Discord cannot be reached ({type(problem).__name__}).", remedy


def _check_intent(report: Report, flags: discord.ApplicationFlags) -> None:
    if flags.gateway_guild_members or flags.gateway_guild_members_limited:
        report.ok("Server Members Intent", "it is switched on.")
    else:
        remedy = "Switch it on: developer portal, Bot page, Privileged Gateway Intents."
        report.to_do("Server Members Intent", "It is off, and without it Discord refuses the bot.", remedy)


def _check_clock(report: Report, offsets: list[timedelta]) -> None:
    if not offsets:
        report.skipped("Clock", "Discord did not say what time it is")
        return
    seconds = min((offset.total_seconds() for offset in offsets), key=abs)
    if abs(seconds) <= MOST_OFF.total_seconds():
        report.ok("Clock", f"it is within {MOST_OFF.total_seconds():.0f} seconds of Discord's.")
        return
    problem = f"This machine's clock is {abs(seconds):.0f} seconds {'ahead of' if seconds > 0 else 'behind'} Discord's."
    report.to_do("Clock", problem, "Let the machine set it by the network (with systemd: timedatectl set-ntp true).")


def _check_stored_alone(report: Report, known: Servers | None, why: str) -> None:
    """Check of each server what needs no Discord."""
    for guild_id, each in (known or {}).items():
        report.group(f"Server {guild_id}")
        server_health.check_stored(report, each)
    report.group("Servers")
    report.skipped("Roles, channels and permissions", why)


async def _check_servers(report: Report, client: discord.Client, known: Servers | None) -> None:
    """Check every server that the bot is in, and every one that the database knows."""
    names: dict[int, str] = {}
    try:
        async with asyncio.timeout(ANSWERS_WITHIN):
            names = {server.id: server.name async for server in client.fetch_guilds(limit=None, with_counts=False)}
    except TROUBLE as problem:
        report.group("Servers")
        report.to_do("Servers", *_trouble(problem))
        return
    for guild_id in sorted({*names, *(known or ())}):
        report.group(f"Server {names[guild_id]} ({guild_id})" if guild_id in names else f"Server {guild_id}")
        with report.guarded("Server"):
            await _check_server(report, client, guild_id, known, is_in=guild_id in names)
    if not names:
        report.group("Servers")
        remedy = "Invite it: developer portal, OAuth2, URL Generator, scopes bot and applications.commands."
        report.to_do("Servers", "The bot is in no server.", remedy)


async def _check_server(
    report: Report, client: discord.Client, guild_id: int, known: Servers | None, *, is_in: bool
) -> None:
    each = (known or {}).get(guild_id)
    if known is None:
        report.skipped("Setup", "the database cannot be read")
    elif each is None:
        report.to_do("Setup", "This server is not set up.", "Someone who manages it can start with /setup.")
    elif is_in:
        report.ok("Setup", "this server is set up.")
    if each is not None:
        server_health.check_stored(report, each)
    if not is_in:
        remedy = "Invite it again, or let it be: what is kept of the server stays as it is."
        report.to_do("Setup", "It is set up, and the bot has left it.", remedy)
        report.skipped("Roles, channels and permissions", "the bot is not there")
        return
    try:
        async with asyncio.timeout(ANSWERS_WITHIN):
            seen = await server_health.look(client, guild_id, each)
    except TROUBLE as problem:
        report.to_do("Roles, channels and permissions", *_trouble(problem))
        return
    server_health.check_permissions(report, seen, each)
    if each is not None:
        server_health.check_places(report, seen, each)
