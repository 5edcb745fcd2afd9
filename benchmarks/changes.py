"""What one change of a meeting costs, in a server with few meetings and in one with many: it should be the same."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from benchmarks.bots import Bot
from benchmarks.databases import SQLITE
from benchmarks.hour import arrange, next_hour
from benchmarks.pressure import DiscordsLimits
from benchmarks.run import Run
from benchmarks.tables import Table
from benchmarks.town import Town
from peerbot.clock import Clock
from peerbot.config import Settings
from peerbot.database import BACKGROUND, connect
from peerbot.models import Meeting

FEW, MANY = 10, 100
QUICK_FEW, QUICK_MANY = 3, 12
SEATED = 3
AHEAD = timedelta(days=2)
"""When the meetings are: their cards are there, and nothing of them is due meanwhile."""
A_WHILE = timedelta(seconds=70)
"""After this time people are told of a change, and cards may be drawn again."""
ROUNDS = 3
WHAT = {
    "going": "somebody answers that they come",
    "cancel": "one is cancelled, and people are told",
    "move": "one is moved, and people are told",
}


async def measure(run: Run) -> list[Table]:
    """Change a meeting in the same ways in both servers."""
    sizes = (run.size(FEW, QUICK_FEW), run.size(MANY, QUICK_MANY))
    taken = [await _in_server(run, size) for size in sizes]
    columns = [f"{what}, {size} meetings" for what in ("requests", "queries", "commits") for size in sizes]
    table = Table("One change of one meeting", ("What", *columns))
    for what, said in WHAT.items():
        table.add(said, *(each[what][number] for number in range(3) for each in taken))
    table.notes.append(f"Groups of {SEATED} people, who are all written to. With the outbox's looks at what is due.")
    return [table]


async def _in_server(run: Run, groups: int) -> dict[str, tuple[int, int, int]]:
    file = run.folder / f"clock-of-changes-{groups}"
    clock = Clock(file)
    hour = next_hour(clock.now())
    clock.move(hour - clock.now())
    async with run.town(servers=1, groups=groups, seated=SEATED, clock=clock) as (discord, town):
        url = await run.seeded(town, SQLITE)
        settings = run.databases.settings(url)
        await arrange(town, settings, hour, [AHEAD] * groups)
        limits = discord.rate_limits = DiscordsLimits(overall=None, channel=None)
        async with run.peerbot(discord, town, url, unlimited=True, clock_offset_file=str(file)) as bot:
            await bot.ready()
            await bot.ask("compared")
            posted = -1
            while len(limits.at) > posted:  # the cards of many meetings take their turns
                posted = len(limits.at)
                await _pass(bot, clock)
            return {what: await _change(town, bot, limits, settings, what) for what in WHAT}


async def _change(town: Town, bot: Bot, limits: DiscordsLimits, settings: Settings, what: str) -> tuple[int, int, int]:
    place, clock = town.places[0], town.world.clock
    room = list(WHAT).index(what)
    meeting = await _first_of(settings, town.groups[int(place.rooms[room]["id"])])
    to = (meeting.starts_at + timedelta(hours=3)).replace(tzinfo=None).isoformat(timespec="minutes")
    await bot.ask("counts")
    limits.forget()
    who = place.seated[room][0] if what == "going" else place.facilitator
    ids = {"guild_id": place.server.id, "user_id": who, "meeting_id": meeting.meeting_id}
    await bot.ask("change", what=what, to=to, **ids)
    await _pass(bot, clock)
    found: dict[str, int] = await bot.ask("counts")
    queries, commits = (
        sum(found.get(f"{who} {kind}", 0) for who in ("control", "outbox")) for kind in ("queries", "commits")
    )
    return len(limits.at), queries, commits


async def _pass(bot: Bot, clock: Clock) -> None:
    """Let some minutes pass, in which everything that follows is done."""
    for _ in range(ROUNDS):
        await bot.ask("idle")
        clock.move(A_WHILE)
        await bot.ask("follows")
    await bot.ask("idle")


async def _first_of(settings: Settings, group_id: int) -> Meeting:
    db = connect(settings)
    async with db.read(wait=BACKGROUND) as session:
        coming = select(Meeting).where(Meeting.group_id == group_id).order_by(Meeting.starts_at).limit(1)
        found = (await session.scalars(coming)).one()
    await db.close()
    return found
