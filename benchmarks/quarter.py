"""`python -m benchmarks.quarter`: let a quarter pass, and hold what people received against what they should.

What is logged as an error counts as a difference: there is none that a quarter should bring.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.databases import POSTGRES, SQLITE, Databases
from benchmarks.tables import Table
from peerbot import schema
from peerbot.clock import Clock
from peerbot.config import Secret, engine_url
from peerbot.rehearsal.server import serve
from peerbot.rehearsal.world import World
from tests.quarter.compare import Verdict, compare
from tests.quarter.play import Play, set_stage
from tests.quarter.script import Script, write

console = Console(stderr=True)
WORST = ("MISSING", "TWICE", "STALE", "NIGHT", "EARLY", "UNWANTED", "WRONG")


def main(
    *,
    seed: Annotated[int, typer.Option(help="What the quarter is drawn from.")] = 1,
    seeds: Annotated[int, typer.Option(help="So many quarters, each with the next seed.")] = 1,
    groups: Annotated[int, typer.Option(help="Groups.")] = 20,
    weeks: Annotated[int, typer.Option(help="Weeks.")] = 13,
    database: Annotated[str, typer.Option(help="sqlite or postgresql (a private one, as the tests have).")] = "sqlite",
    markdown: Annotated[bool, typer.Option("--markdown", help="Write the tables as Markdown.")] = False,
) -> None:
    """Let quarters pass; the exit code is 0 when nothing was missing, twice, stale, or in the night."""
    engine = {"sqlite": SQLITE, "postgresql": POSTGRES}.get(database)
    if engine is None:
        raise typer.BadParameter("sqlite or postgresql")
    folder = Path(tempfile.mkdtemp(prefix="peerbot-quarter-"))
    try:
        tables, well = asyncio.run(_run(folder, engine, range(seed, seed + seeds), groups, weeks))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for table in tables:
        if markdown:
            sys.stdout.write(f"{table.markdown()}\n")
        else:
            table.show(Console())
    sys.exit(0 if well else 1)


async def _run(folder: Path, engine: str, seeds: range, groups: int, weeks: int) -> tuple[list[Table], bool]:
    databases = Databases(folder)
    if engine not in databases.engines:
        raise typer.BadParameter("there is no PostgreSQL on this machine")
    what = (
        "Seed",
        "database",
        "zone",
        "reminders",
        "start posts",
        "letters of news",
        "judged",
        *map(str.lower, WORST),
        "errors",
        "seconds",
    )
    results = Table("What was received, and what was wrong with it", what)
    drawn = Table("What was drawn", ("Seed", "what"))
    well = True
    for seed in seeds:
        script = write(seed, groups=groups, weeks=weeks)
        console.print(f"seed {seed}: {len(script.actions)} actions in {groups} groups, {weeks} weeks", highlight=False)
        begun = time.monotonic()
        with _errors() as errors:
            verdict = await _play(databases, engine, script)
        results.add(str(seed), engine, script.zone, *_counts(verdict), len(errors), f"{time.monotonic() - begun:.0f}")
        drawn.add(str(seed), ", ".join(f"{name}: {count}" for name, count in sorted(script.figures().items())))
        if verdict.problems or errors:
            well = False
            console.print(str(verdict), *errors, sep="\n", markup=False, highlight=False)
    return [results, drawn], well


@contextmanager
def _errors() -> Generator[list[str]]:
    """Collect what is logged as an error, with where it came from."""
    found: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(logging.Formatter("%(name)s: %(message)s").format(record))

    collector = Collector(logging.ERROR)
    logging.getLogger().addHandler(collector)
    try:
        yield found
    finally:
        logging.getLogger().removeHandler(collector)


def _counts(verdict: Verdict) -> list[int | str]:
    found = Counter(next(word for word in WORST if f"{word}: " in problem) for problem in verdict.problems)
    counts = verdict.counts
    must = counts["reminders that must come"] + counts["starts that must come"]
    judged = f"{must} must come, {counts['reminders that may come'] + counts['starts that may come']} may"
    came = [counts[name] for name in ("reminders that came", "starts that came", "letters of news")]
    return [*came, judged, *(found[word] for word in WORST)]


async def _play(databases: Databases, engine: str, script: Script) -> Verdict:
    url = databases.fresh(engine)
    await asyncio.to_thread(schema.bring_up, engine_url(Secret(url)))
    async with serve(World(Clock())) as discord:
        return compare(*await Play(script, set_stage(discord, databases.settings(url), script.begin)).run())


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
