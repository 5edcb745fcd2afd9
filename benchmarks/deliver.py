"""What the outbox carries: a burst against Discord's limits, as much as it can without them, and a hundred thousand."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import func, insert, select

from benchmarks.bots import Bot
from benchmarks.databases import SQLITE
from benchmarks.persons import TimedPerson
from benchmarks.run import Run
from benchmarks.tables import Table, aimed, median, mib, ms, percentile
from benchmarks.town import LETTER, NOTE, ROWS_AT_ONCE, Target, Town, know_direct, rows_for
from peerbot.config import Settings
from peerbot.database import BACKGROUND, connect
from peerbot.models import Delivery
from peerbot.rehearsal.ground import Happening
from peerbot.rehearsal.rate_limits import RateLimits, Verdict
from peerbot.rehearsal.server import Discord
from peerbot.rehearsal.world import World

DONE = 2
SERVERS, GROUPS = 200, 20
BUDGET = 45.0
OVERALL, PER_CHANNEL, WINDOW = 50, 5, 5.0
DIRECT = 0.4
"""The share of channels that are direct ones."""
OVER = timedelta(minutes=1)
PACE = 0.5
"""Seconds between two commands of somebody who looks at the list of groups meanwhile."""
URGENT = 5
RATE_AIM, URGENT_AIM, BLOCK_AIM, SLOWER_AIM = 0.95, 1.0, 0.1, 2.0
LOOK_AGAIN = 0.02
PATIENCE = 1800.0


class DiscordsLimits(RateLimits):
    """50 requests a second for a bot, 5 messages in 5 seconds for a channel; answers to people are not counted."""

    def count(self, application_id: int, method: str, template: str, path: Mapping[str, str]) -> Verdict:
        """Count a request and say whether it may pass."""
        self.limit = PER_CHANNEL if template == "/channels/{channel_id}/messages" and method == "POST" else None
        return super().count(application_id, method, template, path)


@dataclass
class Sendings:
    """The messages that arrived: when, and which."""

    world: World
    at: list[float] = field(default_factory=list[float])
    texts: dict[str, float] = field(default_factory=dict[str, float])
    twice: int = 0

    def __post_init__(self) -> None:
        """Begin to note them."""
        self.stop = self.world.listen(self._note)

    def _note(self, happening: Happening) -> None:
        if happening.kind != "message":
            return
        now = time.monotonic()
        said = str(happening.details["message"]["content"])
        if not said.startswith("Note "):
            return
        self.twice += said in self.texts
        self.texts[said] = now
        self.at.append(now)

    @property
    def rate(self) -> float:
        """Messages a second, from the first to the last."""
        return (len(self.at) - 1) / max(self.at[-1] - self.at[0], 0.001)

    @property
    def fullest_second(self) -> int:
        """The most messages in any one second of the clock."""
        return max(Counter(int(each) for each in self.at).values())


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
            idle = await _look_at_groups(discord, town, lambda looked: looked >= run.size(60, 4))
            table = await _burst(run, discord, town, bot, url=url, targets=_again(targets, count), idle=idle)
    return [table]


async def _burst(
    run: Run, discord: Discord, town: Town, bot: Bot, *, url: str, targets: list[Target], idle: list[float]
) -> Table:
    settings = run.databases.settings(url)
    now = town.world.clock.now()
    spread = OVER * min(1.0, len(targets) / 10_000)
    due = [now + timedelta(seconds=1) + spread * (number / len(targets)) for number in range(len(targets))]
    discord.rate_limits = DiscordsLimits(per=WINDOW, overall=OVERALL)
    await write(settings, rows_for(targets, due, now, key="burst"))
    await bot.ask("watch")
    sendings = Sendings(town.world)
    run.say(f"{len(targets)} deliveries are due within {spread.total_seconds():.0f} s")
    looking = asyncio.create_task(_look_at_groups(discord, town, lambda _looked: len(sendings.at) >= len(targets)))
    urgent: list[float] = []
    rooms = _rooms(town)
    for number in range(URGENT):
        await _until(lambda so_far=number: len(sendings.at) > len(targets) * (so_far + 2) / (URGENT + 4))
        urgent.append(await _urgent(bot, sendings, rooms[number], number))
    await _until(lambda: len(sendings.at) >= len(targets) + URGENT)
    meanwhile = await looking
    await bot.ask("idle")
    sendings.stop()
    blocked: float = await bot.ask("block")
    left = await _not_done(settings)
    table = Table(f"{len(targets)} deliveries due within {spread.total_seconds():.0f} s", _COLUMNS)
    share = sendings.rate / BUDGET
    table.add(
        "share of the budget that was used", f"{share:.1%}", f"{RATE_AIM:.0%}", aimed(share, RATE_AIM, at_least=True)
    )
    table.add("requests a second", f"{sendings.rate:.1f}", f"{BUDGET:.0f} are the budget", "")
    table.add(
        "most in one second of the clock", sendings.fullest_second, OVERALL, aimed(sendings.fullest_second, OVERALL)
    )
    table.add("refused with 429", discord.rate_limits.refused, 0, aimed(discord.rate_limits.refused, 0))
    table.add("not delivered, delivered twice", f"{left}, {sendings.twice}", "0, 0", aimed(left + sendings.twice, 0))
    worst = max(urgent)
    table.add("an urgent one in the middle, the slowest", ms(worst), ms(URGENT_AIM), aimed(worst, URGENT_AIM))
    table.add("longest block of the bot's loop", ms(blocked), ms(BLOCK_AIM), aimed(blocked, BLOCK_AIM))
    slower = median(meanwhile) / median(idle)
    table.add("/groups meanwhile, p50, against idle", f"x {slower:.2f}", f"x {SLOWER_AIM}", aimed(slower, SLOWER_AIM))
    table.notes.append(
        f"{len(set(targets))} channels, {DIRECT:.0%} of them direct; 50 requests a second and 5 messages in 5 seconds "
        f"for a channel. Urgent: from its commit until the message is there, {URGENT} times. "
        f"/groups: p50 {ms(median(idle))} idle ({len(idle)} times), {ms(median(meanwhile))} meanwhile "
        f"({len(meanwhile)} times), p99 {ms(percentile(meanwhile, 99))}. SQLite, one process."
    )
    return table


_COLUMNS = ("What", "measured", "aim", "kept")


async def _urgent(bot: Bot, sendings: Sendings, target: Target, number: int) -> float:
    planned_at, delivery_id = await bot.ask(
        "plan", key=f"urgent-{number}", targets=[(target.guild_id, target.channel_id)], urgent=True
    )
    said = f"Note {delivery_id}."
    await _until(lambda: said in sendings.texts)
    return max(sendings.texts[said] - planned_at, 0.0)


def _again(targets: list[Target], count: int) -> list[Target]:
    return [targets[number % len(targets)] for number in range(count)]


def _rooms(town: Town, count: int | None = None) -> list[Target]:
    """Return rooms of all servers, all of them or so many."""
    found = [Target(place.server.id, int(room["id"])) for place in town.places for room in place.rooms]
    step = len(found) / (count or len(found))
    return [found[int(number * step)] for number in range(count or len(found))]


async def _targets(town: Town, settings: Settings, count: int) -> list[Target]:
    """Return channels of all servers, some of them direct, well mixed and always in the same order."""
    direct = await know_direct(town, settings, int(count * DIRECT), town.world.clock.now())
    found = [*direct, *_rooms(town, count - len(direct))]
    return [found[number * 7919 % len(found)] for number in range(len(found))]


async def _look_at_groups(discord: Discord, town: Town, enough: Callable[[int], bool]) -> list[float]:
    place = town.places[0]
    person = TimedPerson(discord.world, town.newcomer(place), place.server, town.peerbot)
    taken: list[float] = []
    while not enough(len(taken)):
        await person.slash("/groups")
        taken.append(person.took)
        await asyncio.sleep(PACE)
    return taken


async def write(settings: Settings, rows: list[dict[str, Any]]) -> None:
    """Write rows of the outbox from outside, a chunk at a time, so that the bot can go on."""
    db = connect(settings)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        async with db.begin(wait=BACKGROUND) as session:
            await session.execute(insert(Delivery), rows[start : start + ROWS_AT_ONCE])
    await db.close()


async def _not_done(settings: Settings) -> int:
    db = connect(settings)
    async with db.read(wait=BACKGROUND) as session:
        waiting = select(func.count()).where(Delivery.kind.in_((NOTE, LETTER)), Delivery.state != DONE)
        left = (await session.scalars(waiting)).one()
    await db.close()
    return left


async def _until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > deadline:
            raise RuntimeError("the deliveries do not arrive")
        await asyncio.sleep(LOOK_AGAIN)


async def throughput(run: Run) -> list[Table]:
    """Send as many messages as possible with all limits off, through the outbox and past it."""
    count = run.size(5_000, 150)
    table = Table(
        f"{count} messages with all limits off",
        ("How", "messages a second", "share of the floor", "not delivered, twice"),
    )
    async with run.town(servers=run.size(20, 2), groups=GROUPS, seated=0) as (discord, town):
        targets = _again(_rooms(town), count)
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
                await _until(lambda seen=sendings: len(seen.at) >= count)
                await bot.ask("idle")
                sendings.stop()
            left = await _not_done(settings)
            share = f"{sendings.rate / floor:.2f}"
            table.add(f"claim, send, acknowledge: {engine}", f"{sendings.rate:.0f}", share, f"{left}, {sendings.twice}")
    table.notes.append("From the first message to the last. Both databases write to the disk at each commit.")
    return [table]


async def endurance(run: Run) -> list[Table]:
    """Watch the memory of the bot over very many deliveries, planned by itself and sent at once."""
    waves, wave = 10, run.size(10_000, 40)
    table = Table(f"Memory over {waves * wave} deliveries", ("After", "memory", "since the first tenth"))
    async with run.town(servers=run.size(20, 2), groups=GROUPS, seated=0) as (discord, town):
        rooms = [(each.guild_id, each.channel_id) for each in _rooms(town)]
        url = await run.seeded(town, SQLITE)
        async with run.peerbot(discord, town, url, unlimited=True) as bot:
            await bot.ready()
            await bot.ask("compared")
            held: list[int] = []
            for number in range(waves):
                await bot.ask("plan", key=f"wave-{number}", targets=[rooms[n % len(rooms)] for n in range(wave)])
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
