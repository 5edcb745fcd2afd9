"""`python -m benchmarks.crashes`: kill and freeze peerbot at random instants, and count what was lost or seen twice."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.databases import POSTGRES, SQLITE, Databases
from benchmarks.tables import Table
from peerbot.clock import Clock
from peerbot.rehearsal.server import serve
from peerbot.rehearsal.world import World
from tests.process import killing
from tests.process.killing import Result, Yard

LONGEST_BACK_OFF = 330.0
"""Seconds after which whatever had to be tried often was tried once more: until then it is late, and not lost."""

console = Console(stderr=True)
Scene = Callable[[Yard], Awaitable[Result]]


def scenes(*, quick: bool) -> dict[str, tuple[str, Scene]]:
    """Return what is done, by its name, with the database that it needs."""
    count, kills, freezes = (100, 8, 1) if quick else (2000, 200, 10)

    def killed(processes: int) -> Scene:
        return lambda yard: killing.kill_again_and_again(yard, count=count, processes=processes, kills=kills)

    def frozen(*, past_nonce: bool) -> Scene:
        return lambda yard: killing.freeze_again_and_again(
            yard, count=count // 4, freezes=freezes, past_nonce=past_nonce
        )

    return {
        "SIGKILL, SQLite, 1 process": (SQLITE, killed(1)),
        "SIGKILL, PostgreSQL, 1 process": (POSTGRES, killed(1)),
        "SIGKILL, PostgreSQL, 2 processes": (POSTGRES, killed(2)),
        "SIGKILL, PostgreSQL, 4 processes": (POSTGRES, killed(4)),
        "SIGSTOP beyond the lease, PostgreSQL, 2 processes": (POSTGRES, frozen(past_nonce=False)),
        "SIGSTOP beyond the nonce, PostgreSQL, 2 processes": (POSTGRES, frozen(past_nonce=True)),
    }


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help="Words of the names of what is to be done; all, if none.")
    ] = None,
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Few kills: does it all work?")] = False,
    seed: Annotated[str, typer.Option(help="What the instants are drawn from.")] = "1",
    markdown: Annotated[bool, typer.Option("--markdown", help="Write the table as Markdown.")] = False,
) -> None:
    """Kill and freeze peerbot at random instants; the exit code is 0 when nothing was lost and nothing seen twice."""
    folder = Path(tempfile.mkdtemp(prefix="peerbot-crashes-"))
    try:
        table, well = asyncio.run(_run(names or [], folder, seed, quick=quick))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if markdown:
        sys.stdout.write(f"{table.markdown()}\n")
    else:
        table.show(Console())
    sys.exit(0 if well else 1)


async def _run(names: list[str], folder: Path, seed: str, *, quick: bool) -> tuple[Table, bool]:
    databases = Databases(folder)
    columns = (
        "What",
        "deliveries",
        "kills",
        "lost",
        "seen twice",
        "taken up by another",
        "absorbed by the nonce",
        "seconds",
    )
    table = Table("Killed and frozen at random instants", columns)
    well = True
    for name, (engine, scene) in scenes(quick=quick).items():
        if engine not in databases.engines or not all(word.casefold() in name.casefold() for word in names):
            continue
        console.print(name, highlight=False)
        result = await _play(databases, engine, folder / name.replace(" ", "-"), f"{name} {seed}", scene)
        counts = (result.deliveries, result.ends, len(result.lost), len(result.twice), result.taken_up, result.absorbed)
        table.add(name, *counts, f"{result.seconds:.0f}")
        if result.lost or result.twice:
            well = False
            console.print(f"lost {result.lost}, seen twice {result.twice}\n{result.last_words}", markup=False)
    table.notes.append(
        f"Instants drawn from {seed!r}. Each process is a `peerbot run`; killed ones are started again at once."
    )
    return table, well


async def _play(databases: Databases, engine: str, folder: Path, seed: str, scene: Scene) -> Result:
    await asyncio.to_thread(folder.mkdir)
    settings = databases.settings(databases.fresh(engine))
    offset = folder / "clock-offset"
    async with serve(World(Clock(offset))) as discord:
        yard = Yard(discord, replace(settings, clock_offset_file=offset), folder, seed)
        yard.patience = LONGEST_BACK_OFF
        try:
            return await scene(yard)
        finally:
            await yard.close()


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
