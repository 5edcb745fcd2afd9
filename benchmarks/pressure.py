"""Discord's limits, who presses something meanwhile, and what a burst of any kind is held against."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert

from benchmarks.bots import Bot
from benchmarks.persons import TimedPerson
from benchmarks.tables import Table, aimed, median, ms, percentile
from benchmarks.town import ROWS_AT_ONCE, Target, Town
from peerbot.config import Settings
from peerbot.database import BACKGROUND, connect
from peerbot.models import Delivery
from peerbot.rehearsal.ground import Happening
from peerbot.rehearsal.rate_limits import RateLimits, Verdict
from peerbot.rehearsal.server import Discord
from peerbot.rehearsal.world import World

BUDGET = 45.0
OVERALL, PER_CHANNEL, WINDOW = 50, 5, 5.0
PACE = 0.5
"""Seconds between two commands of somebody who looks at the list of groups meanwhile."""
URGENT = 5
RATE_AIM, URGENT_AIM, BLOCK_AIM, SLOWER_AIM = 0.95, 1.0, 0.1, 2.0
LOOK_AGAIN = 0.02
PATIENCE = 1800.0
COLUMNS = ("What", "measured", "aim", "kept")


@dataclass
class DiscordsLimits(RateLimits):
    """50 requests a second for a bot, 5 messages in 5 seconds for a channel; answers to people are not counted.

    `at` is when requests came that count, `routes` how many came by each route.
    """

    per: float = WINDOW
    overall: int | None = OVERALL
    channel: int | None = PER_CHANNEL
    at: list[float] = field(default_factory=list[float])
    routes: Counter[str] = field(default_factory=Counter[str])

    def forget(self) -> None:
        """Begin to count anew, while the windows of Discord go on."""
        self.refused = 0
        self.at.clear()
        self.routes.clear()

    def count(self, application_id: int, method: str, template: str, path: Mapping[str, str]) -> Verdict:
        """Count a request and say whether it may pass."""
        if not template.startswith(("/interactions", "/webhooks")):
            self.at.append(time.monotonic())
            self.routes[f"{method} {template}"] += 1
        self.limit = self.channel if template == "/channels/{channel_id}/messages" and method == "POST" else None
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


@dataclass
class Strain:
    """What was seen of the bot and of people while very much was due."""

    refused: int
    urgent: list[float]
    blocked: float
    idle: list[float]
    meanwhile: list[float]

    def add_to(self, table: Table) -> None:
        """Add what holds for any burst to its table."""
        table.add("refused with 429", self.refused, 0, aimed(self.refused, 0))
        worst = max(self.urgent)
        table.add("an urgent one in the middle, the slowest", ms(worst), ms(URGENT_AIM), aimed(worst, URGENT_AIM))
        table.add("longest block of the bot's loop", ms(self.blocked), ms(BLOCK_AIM), aimed(self.blocked, BLOCK_AIM))
        slower = median(self.meanwhile) / median(self.idle)
        cells = (f"x {slower:.2f}", f"x {SLOWER_AIM}", aimed(slower, SLOWER_AIM))
        table.add("/groups meanwhile, p50, against idle", *cells)
        table.notes.append(
            f"{OVERALL} requests a second and {PER_CHANNEL} messages in {WINDOW:.0f} seconds for a channel. Urgent: "
            f"from its commit until the message is there, {len(self.urgent)} times. /groups: "
            f"p50 {ms(median(self.idle))} idle ({len(self.idle)} times), {ms(median(self.meanwhile))} meanwhile "
            f"({len(self.meanwhile)} times), p99 {ms(percentile(self.meanwhile, 99))}. SQLite, one process."
        )


def rate(at: Sequence[float]) -> float:
    """Return how many things happened a second, from the first of these moments to the last."""
    return (len(at) - 1) / max(at[-1] - at[0], 0.001)


def add_pace(table: Table, at: Sequence[float]) -> None:
    """Add how much of the budget was used by what happened at these moments, and the most in one second."""
    share, fullest = rate(at) / BUDGET, max(Counter(map(int, at)).values())
    kept = aimed(share, RATE_AIM, at_least=True)
    table.add("share of the budget that was used", f"{share:.1%}", f"{RATE_AIM:.0%}", kept)
    table.add("requests a second", f"{rate(at):.1f}", f"{BUDGET:.0f} are the budget", "")
    table.add("most in one second of the clock", fullest, OVERALL, aimed(fullest, OVERALL))


async def urgent_one(bot: Bot, sendings: Sendings, target: Target, number: int) -> float:
    """Plan something urgent, and return the seconds from its commit until it was there."""
    planned_at, delivery_id = await bot.ask(
        "plan", key=f"urgent-{number}", targets=[(target.guild_id, target.channel_id)], urgent=True
    )
    said = f"Note {delivery_id}."
    await until(lambda: said in sendings.texts)
    return max(sendings.texts[said] - planned_at, 0.0)


def rooms(town: Town, count: int | None = None) -> list[Target]:
    """Return rooms of all servers, all of them or so many."""
    found = [Target(place.server.id, int(room["id"])) for place in town.places for room in place.rooms]
    step = len(found) / (count or len(found))
    return [found[int(number * step)] for number in range(count or len(found))]


async def look_at_groups(discord: Discord, town: Town, enough: Callable[[int], bool]) -> list[float]:
    """Let somebody look at the list of groups again and again; return how long it took each time."""
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


async def until(happened: Callable[[], bool]) -> None:
    """Wait until something has happened; raise RuntimeError when it does not."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > deadline:
            raise RuntimeError("the deliveries do not arrive")
        await asyncio.sleep(LOOK_AGAIN)
