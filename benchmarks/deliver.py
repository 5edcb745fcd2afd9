"""What the outbox carries: a burst against Discord's limits, as much as it can without them, and a hundred thousand."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy import func, select

from benchmarks.bots import Bot
from benchmarks.databases import SQLITE
from benchmarks.pressure import (
    COLUMNS,
    URGENT,
    DiscordsLimits,
    Sendings,
    Strain,
    add_pace,
    look_at_groups,
    rate,
    rooms,
    until,
    urgent_one,
    write,
)
from benchmarks.run import Run
from benchmarks.tables import Table, aimed, mib
from benchmarks.town import LETTER, NOTE, Target, Town, know_direct, rows_for
from peerbot.config import Settings
from peerbot.database import BACKGROUND, connect
from peerbot.models import Delivery
from peerbot.rehearsal.server import Discord

DONE = 2
SERVERS, GROUPS = 200, 20
DIRECT = 0.4
"""The share of channels that are direct ones."""
OVER = timedelta(minutes=1)


async def burst(run: Run) -> list[Table]:
    """Let many deliveries be due within a minute, with Discord's limits on."""
    count = run.size(10_000, 300)
    servers = run.size(SERVERS, 5)
    async with run.town(servers=servers, groups=GROUPS, seated=0) as (discord, town):
        url = await run.seeded(town, SQLITE)
        targets = await _targets(town, run.databases.settings(url), servers * GROUPS)
        async with run.peerbot(discord, town, url) as bot:
            await bot.ready()
            await bot.ask("compared")
            idle = await look_at_groups(discord, town, lambda looked: looked >= run.size(60, 4))
            table = await _burst(run, discord, town, bot, url=url, targets=_again(targets, count), idle=idle)
    return [table]


async def _burst(
    run: Run, discord: Discord, town: Town, bot: Bot, *, url: str, targets: list[Target], idle: list[float]
) -> Table:
    settings = run.databases.settings(url)
    now = town.world.clock.now()
    spread = OVER * min(1.0, len(targets) / 10_000)
    due = [now + timedelta(seconds=1) + spread * (number / len(targets)) for number in range(len(targets))]
    limits = discord.rate_limits = DiscordsLimits()
    await write(settings, rows_for(targets, due, now, key="burst"))
    await bot.ask("watch")
    sendings = Sendings(town.world)
    run.say(f"{len(targets)} deliveries are due within {spread.total_seconds():.0f} s")
    looking = asyncio.create_task(look_at_groups(discord, town, lambda _looked: len(sendings.at) >= len(targets)))
    urgent: list[float] = []
    found = rooms(town)
    for number in range(URGENT):
        await until(lambda so_far=number: len(sendings.at) > len(targets) * (so_far + 2) / (URGENT + 4))
        urgent.append(await urgent_one(bot, sendings, found[number], number))
    await until(lambda: len(sendings.at) >= len(targets) + URGENT)
    meanwhile = await looking
    await bot.ask("idle")
    sendings.stop()
    blocked: float = await bot.ask("block")
    left = await _not_done(settings)
    table = Table(f"{len(targets)} deliveries due within {spread.total_seconds():.0f} s", COLUMNS)
    add_pace(table, [at for at in limits.at if at <= sendings.at[-1]])  # when it was asked, not when it was there
    table.add("not delivered, delivered twice", f"{left}, {sendings.twice}", "0, 0", aimed(left + sendings.twice, 0))
    Strain(limits.refused, urgent, blocked, idle, meanwhile).add_to(table)
    table.notes.append(f"{len(set(targets))} channels, {DIRECT:.0%} of them direct.")
    return table


def _again(targets: list[Target], count: int) -> list[Target]:
    return [targets[number % len(targets)] for number in range(count)]


async def _targets(town: Town, settings: Settings, count: int) -> list[Target]:
    """Return channels of all servers, some of them direct, well mixed and always in the same order."""
    direct = await know_direct(town, settings, int(count * DIRECT), town.world.clock.now())
    found = [*direct, *rooms(town, count - len(direct))]
    return [found[number * 7919 % len(found)] for number in range(len(found))]


async def _not_done(settings: Settings) -> int:
    db = connect(settings)
    async with db.read(wait=BACKGROUND) as session:
        waiting = select(func.count()).where(Delivery.kind.in_((NOTE, LETTER)), Delivery.state != DONE)
        left = (await session.scalars(waiting)).one()
    await db.close()
    return left


async def throughput(run: Run) -> list[Table]:
    """Send as many messages as possible with all limits off, through the outbox and past it."""
    count = run.size(5_000, 150)
    table = Table(
        f"{count} messages with all limits off",
        ("How", "messages a second", "share of the floor", "not delivered, twice"),
    )
    async with run.town(servers=run.size(20, 2), groups=GROUPS, seated=0) as (discord, town):
        targets = _again(rooms(town), count)
        async with run.bare(discord, town) as bare:
            await bare.ready()
            await bare.ask("send", channel_ids=[each.channel_id for each in targets[:50]])
            took = await bare.ask("send", channel_ids=[each.channel_id for each in targets])
        floor = count / took
        table.add("the bare bot, 32 at once, no database", f"{floor:.0f}", "1.00", "")
        for engine in run.databases.engines:
            town.world.nonces.clear()  # another database counts from one again
            url = await run.seeded(town, engine)
            settings = run.databases.settings(url)
            now = town.world.clock.now()
            due = [now + timedelta(seconds=1)] * count
            async with run.peerbot(discord, town, url, unlimited=True) as bot:
                await bot.ready()
                await bot.ask("compared")
                sendings = Sendings(town.world)
                await write(settings, rows_for(targets, due, now, key="all"))
                await until(lambda seen=sendings: len(seen.at) >= count)
                await bot.ask("idle")
                sendings.stop()
            left = await _not_done(settings)
            share = f"{rate(sendings.at) / floor:.2f}"
            table.add(
                f"claim, send, acknowledge: {engine}", f"{rate(sendings.at):.0f}", share, f"{left}, {sendings.twice}"
            )
    table.notes.append("From the first message to the last. Both databases write to the disk at each commit.")
    return [table]


async def endurance(run: Run) -> list[Table]:
    """Watch the memory of the bot over very many deliveries, planned by itself and sent at once."""
    waves, wave = 10, run.size(10_000, 40)
    table = Table(f"Memory over {waves * wave} deliveries", ("After", "memory", "since the first tenth"))
    async with run.town(servers=run.size(20, 2), groups=GROUPS, seated=0) as (discord, town):
        found = [(each.guild_id, each.channel_id) for each in rooms(town)]
        url = await run.seeded(town, SQLITE)
        async with run.peerbot(discord, town, url, unlimited=True) as bot:
            await bot.ready()
            await bot.ask("compared")
            held: list[int] = []
            for number in range(waves):
                await bot.ask("plan", key=f"wave-{number}", targets=[found[n % len(found)] for n in range(wave)])
                await bot.ask("idle")
                for shelf in (town.world.messages, town.world.nonces):
                    shelf.clear()  # the stand-in shall not be what grows
                held.append(bot.memory)
                run.say(f"{(number + 1) * wave} deliveries")
                table.add(f"{(number + 1) * wave}", mib(held[-1]), f"{(held[-1] - held[0]) / 2**20:+.1f} MiB")
        left = await _not_done(run.databases.settings(url))
    each = (held[-1] - held[0]) / (wave * (waves - 1))
    table.notes.append(f"{each:+.0f} bytes for each delivery after the first tenth. Not delivered: {left}.")
    return [table]
