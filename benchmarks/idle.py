"""What waiting costs: a core's share beside the bare bot, and one look for what is due, with few rows and with many."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from benchmarks.bots import Bot
from benchmarks.pressure import write
from benchmarks.run import Run
from benchmarks.tables import Table, aimed, median, ms, percentile
from benchmarks.town import Target, Town, rows_for

SIZES, QUICK_SIZES = (0, 1_000, 100_000), (0, 1_000, 5_000)
WATCHED = 60.0
SHARE_AIM = 0.005
DEPENDS_AIM = 1.25
"""How many times as long a look may take with many rows as with none: noise. A scan would take a hundred times."""
LATER = timedelta(days=30)


async def measure(run: Run) -> list[Table]:
    """Fill the outbox with rows that are not due, look, and then do nothing for a minute."""
    looks = Table("One look for what is due", ("Database, rows that are not due", "p50", "p99", "against none", "kept"))
    seconds = run.size(int(WATCHED), 3)
    waits = Table(f"Nothing to do for {seconds} s", ("Bot", "share of a core", "aim", "kept"))
    async with run.town(servers=run.size(200, 3), groups=20, seated=0) as (discord, town):
        for engine in run.databases.engines:
            url = await run.seeded(town, engine)
            async with run.bare(discord, town) as bare, run.peerbot(discord, town, url) as bot:
                await bare.ready()
                await bot.ready()
                await bot.ask("compared")
                await bot.ask("idle")
                await _look(run, town, bot, looks, engine=engine, url=url)
                run.say(f"watching for {seconds} s ({engine})")
                shares = await _shares(seconds, bare, bot)
            waits.add(f"bare, beside {engine}", f"{shares[0]:.3%}", "", "")
            most = (QUICK_SIZES if run.quick else SIZES)[-1]
            what = f"peerbot, {engine}, {most} rows that are not due"
            waits.add(what, f"{shares[1]:.3%}", f"{SHARE_AIM:.1%}", aimed(shares[1], SHARE_AIM))
    looks.notes.append(
        "A look asks twice when the first row of each priority is due: to claim what is, and to set the alarm. "
        "The index of 100,000 rows is some pages deeper than that of none; nothing else depends on them."
    )
    waits.notes.append("Processor time of the bot's process; servers and their channels are the same for both.")
    return [looks, waits]


async def _look(run: Run, town: Town, bot: Bot, table: Table, *, engine: str, url: str) -> None:
    now = town.world.clock.now()
    place = town.places[0]
    target = Target(place.server.id, int(place.panel["id"]))
    first: float | None = None
    there = 0
    for size in QUICK_SIZES if run.quick else SIZES:
        due = [now + LATER + timedelta(seconds=number) for number in range(there, size)]
        rows = rows_for([target] * len(due), due, now, key=f"later-{size}")
        await write(run.databases.settings(url), rows)
        there = size
        await bot.ask("wakes", times=5)
        took: list[float] = await bot.ask("wakes", times=run.size(300, 20))
        first = first or median(took)
        ratio = median(took) / first
        cells = (ms(median(took)), ms(percentile(took, 99)), f"x {ratio:.2f}", aimed(ratio, DEPENDS_AIM))
        table.add(f"{engine}, {size}", *cells)


async def _shares(seconds: int, *bots: Bot) -> list[float]:
    before = [await bot.ask("spent") for bot in bots]
    await asyncio.sleep(seconds)
    return [(await bot.ask("spent") - spent) / seconds for bot, spent in zip(bots, before, strict=True)]
