"""`python -m benchmarks [NAMES] [--quick] [--markdown]`."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import changes, deliver, handlers, hour, idle, machine, materialise, recurrence
from benchmarks.databases import Databases
from benchmarks.run import Benchmark, Run
from benchmarks.tables import Table

BENCHMARKS: dict[str, Benchmark] = {
    "handlers": handlers.measure,
    "burst": deliver.burst,
    "meetings": hour.measure,
    "changes": changes.measure,
    "throughput": deliver.throughput,
    "idle": idle.measure,
    "materialise": materialise.measure,
    "endurance": deliver.endurance,
    "recurrence": recurrence.measure,
}
console = Console(stderr=True)


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Some of: {', '.join(BENCHMARKS)}. All, if none.")] = None,
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small sizes: does it all work? The figures say little.")
    ] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Write the tables as Markdown.")] = False,
) -> None:
    """Measure peerbot beside a bare bot against the stand-in, on this machine."""
    chosen = names or list(BENCHMARKS)
    if unknown := set(chosen) - BENCHMARKS.keys():
        raise typer.BadParameter(f"there is no {', '.join(sorted(unknown))}")
    folder = Path(tempfile.mkdtemp(prefix="peerbot-bench-"))
    try:
        asyncio.run(_measure(chosen, folder, quick=quick, markdown=markdown))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _measure(chosen: list[str], folder: Path, *, quick: bool, markdown: bool) -> None:
    databases = Databases(folder)
    begun = time.monotonic()

    def say(what: str) -> None:
        console.print(f"[{time.monotonic() - begun:6.0f} s] {what}", markup=False, highlight=False)

    _hand_out([machine.describe(databases.postgres)], markdown=markdown)
    for name in chosen:
        say(name)
        _hand_out(await BENCHMARKS[name](Run(folder, databases, quick, say)), markdown=markdown)


def _hand_out(tables: list[Table], *, markdown: bool) -> None:
    for table in tables:
        if markdown:
            sys.stdout.write(f"{table.markdown()}\n")
            sys.stdout.flush()
        else:
            table.show(Console())


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
