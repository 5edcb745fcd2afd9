"""The command line, and the one place where everything is put together."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import discord
from sqlalchemy.exc import DBAPIError

from peerbot import config, deliveries, members, schema
from peerbot.bot import PeerBot
from peerbot.clock import Clock
from peerbot.config import Settings
from peerbot.database import BACKGROUND, SCHEMA_LOCK, Database, ProcessLock, connect
from peerbot.errors import (
    ConfigurationWrong,
    DatabaseBusy,
    DatabaseUnreachable,
    DiscordRefuses,
    OutcomeUnknown,
    StartRefused,
)
from peerbot.logs import set_up_logging

log = logging.getLogger("peerbot")

REFUSED = 2
"""The exit code when something about the set-up must be changed first."""
INTERRUPTED = 128 + signal.SIGINT
"""The exit code of what Ctrl+C ended, as shells have it."""
CONNECT_AGAIN = 5.0
"""Seconds between tries to reach Discord."""
NOT_READY_AFTER = 30.0
"""Seconds without a ready gateway after which the log says so."""
CLOSE_WITHIN = 1.5
"""Seconds that the connection to Discord gets to close, after the three of the dispatcher."""
LEAVE_AFTER = 4.7
"""Seconds after which a bot that was told to stop is gone, whatever still hangs."""

AUTHENTICATION_FAILED = 4004
"""The gateway's close code for a bad token (topics/opcodes-and-status-codes.mdx)."""
Opened = TypeVar("Opened")


def main() -> None:
    """Run the command line; a refused start is one line and exit code 2, and Ctrl+C is no mistake of anybody's."""
    set_up_logging("WARNING")
    try:
        command_line()
    except KeyboardInterrupt:  # a hundred lines of Python's otherwise
        sys.stderr.write("Stopped.\n")
        sys.exit(INTERRUPTED)
    except StartRefused as refusal:
        sys.stderr.write(f"{refusal}\n")
        sys.exit(REFUSED)
    except Exception:  # Python would write the traceback itself, with whatever ids stand in it
        log.exception("peerbot ends because of a mistake of its own.")
        sys.exit(1)


def command_line() -> None:
    """Do what the command line asks for; without a command, say which there are."""
    parser = argparse.ArgumentParser("peerbot", description="Coordinate peer-support groups in a Discord server.")
    commands = parser.add_subparsers(metavar="COMMAND")
    database = commands.add_parser("db", help="Look after the database.", description="Look after the database.")
    of_database = database.add_subparsers(metavar="COMMAND")
    for unfinished in (parser, database):
        unfinished.set_defaults(act=partial(_say_what_there_is, unfinished))
    for within, name, act in (
        (commands, "run", run),
        (commands, "rehearse", rehearse),
        (commands, "doctor", doctor),
        (commands, "new-key", new_key),
        (of_database, "rekey", rekey),
    ):
        command = within.add_parser(name, help=act.__doc__, description=act.__doc__)
        command.set_defaults(act=act)
        if act is rehearse:
            command.add_argument("--stay", action="store_true", help="Keep the made-up server running after the tour.")
    given = vars(parser.parse_args())
    given.pop("act")(**given)


def _say_what_there_is(parser: argparse.ArgumentParser) -> None:
    parser.print_help(sys.stderr)
    sys.exit(REFUSED)


def run() -> None:
    """Run the bot until it is told to stop."""
    settings = config.load()
    os.umask(0o077)  # the database and its lock are for this account alone
    set_up_logging(settings.log_level)
    asyncio.run(run_bot(settings))


def doctor() -> None:
    """Check the whole set-up line by line, and say what to do about what is not right."""
    from peerbot.doctor import examine

    sys.exit(0 if examine() else 1)


def new_key() -> None:
    """Make a key for PEERBOT_DATA_KEY and print it."""
    sys.stdout.write(f"{members.new_key()}\n")


def rekey() -> None:
    """Change the key from PEERBOT_DATA_KEY to PEERBOT_NEW_DATA_KEY, while no bot is running."""
    settings = config.load(discord_token="not needed for this")  # noqa: S106 - stands in for one
    if settings.new_data_key is None:
        raise ConfigurationWrong("PEERBOT_NEW_DATA_KEY is not set. Make one with `peerbot new-key`.")
    count = asyncio.run(_rekey(settings, members.Seal(config.decode_key(settings.new_data_key))))
    sys.stdout.write(
        f"{count} ids are sealed with the new key now. Set PEERBOT_DATA_KEY to it, remove PEERBOT_NEW_DATA_KEY, "
        "and keep the new key outside this machine.\n"
    )


def rehearse(*, stay: bool) -> None:
    """Watch peerbot at work on a made-up Discord server on this machine; no token is needed."""
    sys.exit(asyncio.run(_rehearse(stay=stay)))


async def _rehearse(*, stay: bool) -> int:
    from rich.console import Console

    from peerbot.rehearsal.playing import BotProcess
    from peerbot.rehearsal.rehearse import rehearse as play

    stopping = _stop_signals()
    folder = Path(tempfile.mkdtemp(prefix="peerbot-rehearsal-"))
    child = Child(folder)
    try:
        bot = BotProcess(launch=child.launch, stop=child.stop, kill=child.kill)
        code = await play(Console(), bot, folder, stay=stay, stopping=stopping)
    finally:
        await child.kill()
    if code == 0 and not stay:
        shutil.rmtree(folder)  # whoever stayed was told where it is, and so is whoever looks for what went wrong
    return code


class Child:
    """The bot in a process of its own, with a database and a key of its own, for a rehearsal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = members.new_key()
        self._process: asyncio.subprocess.Process | None = None

    async def launch(self, discord_url: str, token: str) -> None:
        """Start the bot against a stand-in."""
        settings = {
            "DISCORD_TOKEN": token,
            "DISCORD_URL": discord_url,
            "DATA_KEY": self._key,
            "DATABASE_URL": f"sqlite:///{self.folder / 'peerbot.db'}",
            "CLOCK_OFFSET_FILE": str(self.folder / "clock-offset"),
        }
        environment = {name: value for name, value in os.environ.items() if not name.startswith(config.PREFIX)}
        with (self.folder / "bot.log").open("a") as output:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "peerbot", "run"),
                cwd=self.folder,
                env=environment | {f"{config.PREFIX}{name}": value for name, value in settings.items()},
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl+C is for the rehearsal, which then stops the bot
            )

    async def stop(self) -> int:
        """Ask the bot to stop and return its exit code."""
        if self._process is None:
            return 0
        if self._process.returncode is None:
            self._process.terminate()
        return await self._process.wait()

    async def kill(self) -> None:
        """Kill the bot, as a power cut would."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


async def _rekey(settings: Settings, new: members.Seal) -> int:
    lock = ProcessLock(settings)
    db = connect(settings)

    async def seal_anew() -> int:
        await lock.take(alone=True)
        await asyncio.to_thread(schema.bring_up, settings.url)
        async with db.begin(wait=BACKGROUND) as session:
            return await members.rekey(session, new)

    try:
        return await _reached(seal_anew())
    finally:
        await db.close()
        await lock.release()


async def run_bot(settings: Settings, *, http_trace: aiohttp.TraceConfig | None = None) -> None:
    """Bring the database up and run the bot until SIGTERM or SIGINT.

    Raises StartRefused when a token, an intent, a key or the database must be changed first.
    """
    stopping = _stop_signals()
    lock = ProcessLock(settings)
    db = connect(settings)

    def make() -> PeerBot:
        return PeerBot(settings, db, Clock(settings.clock_offset_file), owner=str(lock.owner), http_trace=http_trace)

    async def work() -> None:
        await _reached(lock.take(alone=False))
        await _reached(asyncio.to_thread(schema.bring_up, settings.url))
        await _reached(_take_over(db))
        await _guarded(_stay_connected(make, settings.discord_token.reveal()), lock.keep(lambda: _take_over(db)))

    try:
        await _until(stopping, work())
    finally:
        await db.close()
        await lock.release()


def _stop_signals() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stopping = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopping.set)
    return stopping


async def _take_over(db: Database) -> None:
    async with db.begin(wait=BACKGROUND) as session:
        await members.check_key(session)
        await deliveries.release_dead(session, lock=SCHEMA_LOCK)


async def _reached(opening: Awaitable[Opened]) -> Opened:
    try:
        return await opening
    except (DBAPIError, DatabaseBusy, OutcomeUnknown, OSError) as problem:
        raise DatabaseUnreachable("The database in PEERBOT_DATABASE_URL cannot be opened. Is it running?") from problem


async def _until(stopping: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Run something until it ends or the event is set; then end it, and raise what it raised."""
    working, stop = asyncio.create_task(work), asyncio.create_task(stopping.wait())
    await asyncio.wait({working, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not working.done():
        log.info("Stopping.")
        last = threading.Timer(LEAVE_AFTER, _leave)
        last.daemon = True  # not waited for when all goes well
        last.start()
        working.cancel()
    with suppress(asyncio.CancelledError):
        await working


async def _guarded(work: Coroutine[Any, Any, None], guard: Coroutine[Any, Any, None]) -> None:
    """Run something until it ends, or until its guard says that it may not go on; raise what either raised."""
    tasks = [asyncio.create_task(work), asyncio.create_task(guard)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _leave() -> None:
    log.warning("Something does not stop, so I leave without it. What is open is done after the next start.")
    os._exit(0)


async def _stay_connected(make: Callable[[], PeerBot], token: str) -> None:
    """Log in, trying again while Discord cannot be reached, and stay until cancelled."""
    is_loaded = False
    while True:
        bot = make()
        try:
            await _log_in(bot, token)
            log.info("Logged in.")
            if not is_loaded:
                gc.freeze()  # what is loaded by now stays: looking through it for garbage holds everybody up
                is_loaded = True
            await _connect(bot)
        except (aiohttp.ClientError, OSError, discord.HTTPException, discord.GatewayNotFound) as problem:
            why = type(problem).__name__
            log.warning("Discord cannot be reached (%s). Trying again in %d seconds.", why, CONNECT_AGAIN)
        finally:
            await _close(bot)
        await asyncio.sleep(CONNECT_AGAIN)  # noqa: TID251 - the pause between two tries


async def _log_in(bot: PeerBot, token: str) -> None:
    try:
        await bot.login(token)
    except discord.LoginFailure:
        raise ConfigurationWrong(
            "PEERBOT_DISCORD_TOKEN is not accepted by Discord. Copy it anew from the Bot page of the developer portal."
        ) from None


async def _connect(bot: PeerBot) -> None:
    report = asyncio.create_task(_report_until_ready(bot))
    # A task of its own: the library connects inside wait_for, which may forget a cancel before Python 3.12.
    connection = asyncio.create_task(bot.connect())
    try:
        await asyncio.wait({connection})
        connection.result()
    except discord.PrivilegedIntentsRequired:
        raise ConfigurationWrong(
            "Discord refuses the Server Members Intent. Switch it on: developer portal, Bot page, "
            "Privileged Gateway Intents. No other one is needed."
        ) from None
    except discord.ConnectionClosed as closed:
        if closed.code == AUTHENTICATION_FAILED:
            raise ConfigurationWrong("PEERBOT_DISCORD_TOKEN is no longer accepted by Discord. Was it reset?") from None
        # Every code that gets here is one after which Discord asks not to come back (opcodes-and-status-codes.mdx).
        raise DiscordRefuses(f"Discord's gateway closed the connection for good, with code {closed.code}.") from None
    finally:
        report.cancel()
        connection.cancel()


async def _report_until_ready(bot: PeerBot) -> None:
    while True:
        try:
            await asyncio.wait_for(bot.wait_until_ready(), NOT_READY_AFTER)
        except TimeoutError:
            log.warning("Discord's gateway has not let me in yet. Still trying.")
        else:
            log.info("Ready: %d servers.", len(bot.guilds))
            return


async def _close(bot: PeerBot) -> None:
    await bot.leave_work()
    # Not wait_for: it forgets that it was cancelled when what it waits for ends in the same moment (Python 3.11).
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_WITHIN):
            await bot.close()


if __name__ == "__main__":
    main()
