"""What a person waits for: commands and presses of peerbot and of the bare bot in turn, in one run.

Also how long both take to start, how much memory they hold, and how much more for each server.
"""

from __future__ import annotations

import sqlite3
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.bots import Bot
from benchmarks.databases import SQLITE
from benchmarks.persons import TimedPerson
from benchmarks.run import Run
from benchmarks.tables import Table, aimed, median, mib, ms, percentile
from benchmarks.town import Place, Town
from peerbot.rehearsal.seen import Shown
from peerbot.rehearsal.server import Discord

GROUPS, SEATED = 20, 12
FEW = 20
"""Servers of the small town, beside which memory for each server is measured."""
STARTS = 3
"""How often the small town is started in: what is resident differs by a MiB or two from one start to the next."""
BOTS = ("bare", "peerbot")
READ_AIM, WRITE_AIM = 0.003, 0.008
MEMORY_AIM = 60 * 2**20
GROWTH_AIM = 1.1
COMMITS = 200
Counted = Callable[[str, Shown], Awaitable[Shown]]


@dataclass(frozen=True)
class Start:
    """How both bots started in a town, and what they held when all was quiet."""

    servers: int
    ready: dict[str, float]
    memory: dict[str, int]


@dataclass
class Times:
    """Seconds that people waited, by what they did and with which bot."""

    taken: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))

    def note(self, what: str, person: TimedPerson) -> None:
        """Note how long somebody waited just now."""
        self.taken[what, person.uses.name].append(person.took)


async def measure(run: Run) -> list[Table]:
    """Measure a big town whole, and a small one for what a server costs."""
    small = _usual([await _start_only(run, servers=run.size(FEW, 1)) for _ in range(run.size(STARTS, 1))])
    servers = run.size(200, 3)
    async with run.town(servers=servers, groups=GROUPS, seated=SEATED) as (discord, town):
        url = await run.seeded(town, SQLITE)
        async with run.bare(discord, town) as bare:
            ready = {"bare": await bare.ready()}
            async with run.peerbot(discord, town, url) as peerbot:
                ready["peerbot"] = await peerbot.ready()
                run.say("waiting until every server has been compared with the database")
                begun = time.monotonic()
                await peerbot.ask("compared")
                compared = time.monotonic() - begun
                big = Start(servers, ready, {"bare": bare.memory, "peerbot": peerbot.memory})
                counted = await _count(run, discord, town, peerbot)
                times = Times()
                for number in range(run.size(400, 8)):
                    await _visit(discord, town, peerbot, times, number)
                after = {"bare": bare.memory, "peerbot": peerbot.memory}
    commit = _bare_commits(run.folder)
    return [_waits(times, commit), counted, _starts(small, big, compared, after)]


def _usual(several: Sequence[Start]) -> Start:
    """Return the medians of several starts of one town."""
    ready, memory = (
        {name: median([start[name] for start in each]) for name in BOTS}
        for each in ([start.ready for start in several], [start.memory for start in several])
    )
    return Start(several[0].servers, ready, {name: int(held) for name, held in memory.items()})


async def _start_only(run: Run, *, servers: int) -> Start:
    async with run.town(servers=servers, groups=GROUPS, seated=SEATED) as (discord, town):
        url = await run.seeded(town, SQLITE)
        async with run.bare(discord, town) as bare:
            ready = {"bare": await bare.ready()}
            async with run.peerbot(discord, town, url) as peerbot:
                ready["peerbot"] = await peerbot.ready()
                await peerbot.ask("compared")
                return Start(servers, ready, {"bare": bare.memory, "peerbot": peerbot.memory})


async def _visit(discord: Discord, town: Town, peerbot: Bot, times: Times, number: int) -> None:
    """Let a newcomer use the bare bot and then peerbot, up to a seat."""
    place = town.places[number % len(town.places)]
    user_id = town.newcomer(place)
    floor = TimedPerson(discord.world, user_id, place.server, town.bare)
    shown = await floor.slash("/groups")
    times.note("command", floor)
    for _ in range(3):
        shown = await floor.press(shown, "Press")
        times.note("press", floor)
    person = TimedPerson(discord.world, user_id, place.server, town.peerbot)
    shown = await person.slash("/groups")
    times.note("/groups", person)
    shown = await person.press(shown, _group_in(shown, number // len(town.places)))
    times.note("a group's card", person)
    shown = await person.press(shown, "Join")
    times.note("Join, up to the agreement", person)
    shown = await person.press(shown, "I agree")
    times.note("I agree, up to the seat", person)
    assert "You're in" in shown, shown
    await peerbot.ask("idle")
    await discord.world.settle(20)


def _group_in(shown: Shown, number: int) -> str:
    names = [label for label in shown.labels if label.startswith("Group ")]
    return names[number % len(names)]


def _waits(times: Times, commit: list[float]) -> Table:
    table = Table(
        "From a press until the final content can be seen",
        ("What", "n", "p50 bare", "p50", "p99 bare", "p99", "over the floor, p50", "aim", "kept"),
    )
    floors = {what: times.taken[what, "bare"] for what in ("command", "press")}
    for (what, name), taken in times.taken.items():
        if name == "bare":
            continue
        floor = floors["command" if what.startswith("/") else "press"]
        aim = WRITE_AIM if "seat" in what else READ_AIM
        over = median(taken) - median(floor)
        quantiles = [ms(each) for each in (median(floor), median(taken), percentile(floor, 99), percentile(taken, 99))]
        table.add(what, len(taken), *quantiles, ms(over), ms(aim), aimed(over, aim))
    table.notes.append(
        f"SQLite with synchronous=FULL; one bare commit of one row takes {ms(median(commit))} (p50), "
        f"{ms(percentile(commit, 99))} (p99) in the same folder. A seat is a request to Discord inside the wait: "
        "the room is open when the person reads that it is."
    )
    return table


def _bare_commits(folder: Path) -> list[float]:
    taken: list[float] = []
    with closing(sqlite3.connect(folder / "commits.db", isolation_level=None)) as connection:
        for statement in ("PRAGMA journal_mode=wal", "PRAGMA synchronous=full", "CREATE TABLE written (number)"):
            connection.execute(statement)
        for number in range(COMMITS):
            begun = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO written VALUES (?)", (number,))
            connection.execute("COMMIT")
            taken.append(time.perf_counter() - begun)
    return taken


async def _count(run: Run, discord: Discord, town: Town, peerbot: Bot) -> Table:
    """Count what each handler asks of the database, and what the outbox does after it."""
    run.say("counting queries")
    table = Table(
        "What each handler asks of the database",
        ("What", "queries", "commits", "queries of the outbox after it", "commits of the outbox"),
    )
    place = town.places[-1]
    person = TimedPerson(discord.world, town.newcomer(place), place.server, town.peerbot)
    ana = TimedPerson(discord.world, place.facilitator, place.server, town.peerbot)

    async def counted(what: str, shown: Shown) -> Shown:
        await discord.world.settle(20)
        await peerbot.ask("idle")
        found: dict[str, int] = await peerbot.ask("counts")
        kinds = ("handler queries", "handler commits", "outbox queries", "outbox commits")
        table.add(what, *(found.get(kind, 0) for kind in kinds))
        return shown

    await peerbot.ask("idle")
    await peerbot.ask("counts")
    await _walk(person, ana, place, counted)
    table.notes.append(
        "Counted by events of SQLAlchemy in the bot's process, BEGIN left out. The outbox's part includes its looks at "
        "what is due."
    )
    return table


async def _walk(person: TimedPerson, ana: TimedPerson, place: Place, counted: Counted) -> None:
    groups = await counted("/groups", await person.slash("/groups"))
    card = await counted("a group's card", await person.press(groups, _group_in(groups, 5)))
    asked = await counted("Join, up to the agreement", await person.press(card, "Join"))
    await counted("I agree, up to the seat", await person.press(asked, "I agree"))
    mine = await counted("/my", await person.slash("/my"))
    mine = await counted("Pause", await person.press(mine, "Pause"))
    mine = await counted("I'm back", await person.press(mine, "I'm back"))
    sure = await counted("Leave, up to the question", await person.press(mine, "Leave"))
    await counted("Leave, for sure", await person.press(sure, "Leave"))
    await counted("/group people", await ana.slash("/group people", group="Group 05", in_=place.staff))
    await counted("/help-now", await person.slash("/help-now"))


def _starts(small: Start, big: Start, compared: float, after: dict[str, int]) -> Table:
    table = Table("Start and memory", ("What", "bare", "peerbot", "difference or ratio", "aim", "kept"))
    for start in (small, big):
        bare, ours = start.ready["bare"], start.ready["peerbot"]
        what = f"start to ready, {start.servers} servers"
        table.add(what, f"{bare:.2f} s", f"{ours:.2f} s", f"+{ours - bare:.2f} s", "", "")
    for start in (small, big):
        _memory(table, f"memory, {start.servers} servers", start.memory)
    _memory(table, f"memory after the visits, {big.servers} servers", after)
    more = big.servers - small.servers
    growth = {name: (big.memory[name] - small.memory[name]) / more for name in BOTS}
    ratio = growth["peerbot"] / growth["bare"]
    cells = [f"{growth[name] / 1024:.0f} KiB" for name in BOTS]
    table.add("memory for each further server", *cells, f"x {ratio:.2f}", f"x {GROWTH_AIM}", aimed(ratio, GROWTH_AIM))
    table.notes.append(
        f"A server has {GROUPS} groups of {SEATED} different people, each with a permission of their own on the room. "
        f"Memory is what the system counts as resident, in the small town the median of {STARTS} starts. After it was "
        "ready, peerbot compared every server with the database"
        f" in {compared:.0f} s, at the pace at which Discord's gateway takes questions; memory is read then."
    )
    return table


def _memory(table: Table, what: str, held: dict[str, int]) -> None:
    over = held["peerbot"] - held["bare"]
    cells = (mib(held["bare"]), mib(held["peerbot"]), f"+{mib(over)}")
    table.add(what, *cells, mib(MEMORY_AIM), aimed(over, MEMORY_AIM))
