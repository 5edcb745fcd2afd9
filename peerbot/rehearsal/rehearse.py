"""Run a rehearsal: the stand-in, the bot beside it, the tour, and then perhaps stay."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from peerbot.clock import Clock
from peerbot.rehearsal.ground import StillBusy
from peerbot.rehearsal.playing import BotProcess, Cast, first_moment
from peerbot.rehearsal.printing import Printer
from peerbot.rehearsal.seen import NoAnswer
from peerbot.rehearsal.server import Discord, serve
from peerbot.rehearsal.tour import Tour
from peerbot.rehearsal.tour_meetings import FILE
from peerbot.rehearsal.world import World

DATABASE = "peerbot.db"
"""The name of the rehearsal's database in its folder."""


async def rehearse(console: Console, bot: BotProcess, folder: Path, *, stay: bool, stopping: asyncio.Event) -> int:
    """Play the tour and return the exit code: 0 when every step went as told.

    With `stay`, keep everything running after it until `stopping` is set, which also ends a tour under way. `folder`
    holds the database, the clock and the bot's log.
    """
    clock = Clock(folder / "clock-offset")
    clock.move(first_moment(clock.now()) - clock.now())
    world = World(clock)
    async with serve(world) as discord:
        cast = Cast.assemble(discord)
        paper = Printer(console, world)
        tour, stop = asyncio.ensure_future(_play(cast, bot, paper, folder)), asyncio.ensure_future(stopping.wait())
        await asyncio.wait({tour, stop}, return_when=asyncio.FIRST_COMPLETED)
        if tour.done():
            tour.result()
            _sum_up(console, paper, folder)
            if stay and not stopping.is_set():
                _say_how_to_look_around(console, discord, cast, folder)
                await stop
        else:
            paper.failed.append("The tour was stopped.")
        await _end(tour, stop)
        ended = await bot.stop()
        if ended != 0:
            console.print(f"  [red]The bot ended with exit code {ended}.[/]")
        return 1 if paper.failed or ended != 0 else 0


async def _play(cast: Cast, bot: BotProcess, paper: Printer, folder: Path) -> None:
    try:
        await cast.start(bot)
        await Tour(cast, bot, paper, folder / DATABASE).play()
        paper.check("Nothing was asked that Discord does not know.", holds=not cast.discord.world.unknown_routes)
    except (StillBusy, NoAnswer, AssertionError, TimeoutError) as problem:
        paper.check(f"The tour broke off: {escape(str(problem))}", holds=False)


async def _end(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _sum_up(console: Console, paper: Printer, folder: Path) -> None:
    console.print()
    if paper.failed:
        console.rule("[bold red]Not everything went as told[/]", style="red")
        for words in paper.failed:
            console.print(f"  [red]✗[/] {words}")
        console.print(f"  The bot's log is in {folder / 'bot.log'}")
    else:
        console.rule("[bold green]Everything went as told[/]", style="green")


def _say_how_to_look_around(console: Console, discord: Discord, cast: Cast, folder: Path) -> None:
    console.print(
        f"""
  The server stays up. Look around from another terminal:

    the database      sqlite3 {folder / DATABASE} .dump
    a calendar file   cat {folder / FILE}
    the bot's log     tail -f {folder / "bot.log"}
    the channels      curl -H 'Authorization: Bot {cast.application.token}' \\
                        {discord.url}/api/v10/guilds/{cast.guild.id}/channels
    the panel         curl -H 'Authorization: Bot {cast.application.token}' \\
                        {discord.url}/api/v10/channels/{cast.panel["id"]}/messages

  The token is made up and works only here. Ctrl+C ends the rehearsal.
""",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
