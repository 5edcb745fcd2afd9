"""The top of an hour: very many meetings start, end and are reminded of in one minute, and boards and cards follow.

Of each five groups two start at that moment (and the card of their next week is due), one ends, one starts ten minutes
later and one an hour later. Everyone with a seat wants to be reminded an hour and ten minutes before.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, insert, select, update

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
    rooms,
    until,
    urgent_one,
)
from benchmarks.run import Run
from benchmarks.tables import Table, aimed
from benchmarks.town import Town
from peerbot import series
from peerbot.clock import Clock
from peerbot.config import Settings
from peerbot.database import BACKGROUND, connect
from peerbot.models import Card, Delivery, Group, Meeting, Member, Series
from peerbot.recurrence import Rule
from peerbot.rehearsal import posting
from peerbot.rehearsal.ground import Happening
from peerbot.rehearsal.server import Discord
from peerbot.rehearsal.world import World

SERVERS, GROUPS, SEATED = 20, 40, 12
ZONE = "Europe/Berlin"
LEAD = timedelta(minutes=9)
"""How long before the hour the bot is started; when all is quiet the clock is moved on. Ten minutes before, those who
meet at the hour would be reminded."""
JUST_BEFORE = timedelta(seconds=3)
ENDS, STARTS, SOON, LATER = timedelta(hours=-1), timedelta(), timedelta(minutes=10), timedelta(hours=1)
PARTS = (STARTS, STARTS, ENDS, SOON, LATER)
"""When groups meet, counted from the hour, one after the other."""
MADE_AHEAD = timedelta(hours=2)
OLD = timedelta(weeks=50)
CARD_DAYS = 7
START, REMINDER, CALL = "meetings.start", "meetings.reminder", "meetings.soon"
START_AIM = 15.0
"""Seconds after which the last room has read that it is time."""
DONE = 2


async def measure(run: Run) -> list[Table]:
    """Let the hour come, and look at what arrives when, and what it took."""
    servers, groups = run.size(SERVERS, 2), run.size(GROUPS, 10)
    file = run.folder / "clock-of-the-hour"
    clock, hour = Clock(file), next_hour(datetime.now(UTC))
    clock.move(hour - LEAD - clock.now())
    async with run.town(servers=servers, groups=groups, seated=SEATED, clock=clock) as (discord, town):
        url = await run.seeded(town, SQLITE)
        settings = run.databases.settings(url)
        expected = await arrange(town, settings, hour, _parts(servers * groups))
        limits = discord.rate_limits = DiscordsLimits()
        async with run.peerbot(discord, town, url, clock_offset_file=str(file)) as bot:
            await bot.ready()
            run.say("cards are posted")
            await bot.ask("compared")
            idle = await look_at_groups(discord, town, lambda looked: looked >= run.size(60, 4))
            await _at_rest(bot, settings, clock)
            seen = await _pass(
                run, discord, town, bot, limits=limits, settings=settings, hour=hour, expected=expected, idle=idle
            )
    return [seen.arrived(), seen.took()]


def next_hour(now: datetime) -> datetime:
    """Return a full hour ahead at which nobody in the zone sleeps."""
    return (now + timedelta(days=1)).replace(hour=16, minute=0, second=0, microsecond=0)


def _parts(groups: int) -> list[timedelta]:
    return [PARTS[number % len(PARTS)] for number in range(groups)]


async def arrange(town: Town, settings: Settings, hour: datetime, parts: list[timedelta]) -> Counter[str]:
    """Let each group meet weekly, at its part of the hour; return how many messages of each kind belong to that."""
    now = town.world.clock.now()
    db = connect(settings)
    rows = [
        _series(int(place.server.id), group_id, hour + parts[group_id - 1], hour)
        for place in town.places
        for group_id in (town.groups[int(room["id"])] for room in place.rooms)
    ]
    boards = [_board(town, number) for number in range(len(town.places))]
    people = [
        {"member_id": member_id, "reach": "dm", "dm_channel_id": int(town.world.dm(town.peerbot, user_id)["id"])}
        for (_guild_id, user_id), member_id in town.member_ids.items()
    ]
    tend = {town.member_ids[place.server.id, place.facilitator] for place in town.places}
    people = [{**each, "reminders": "" if each["member_id"] in tend else "60 10"} for each in people]
    async with db.begin(wait=BACKGROUND) as session:
        await session.execute(insert(Series), rows)
        await session.execute(insert(Card), boards)
        await session.execute(update(Member), people)
        await session.execute(update(Group).values(card_days=CARD_DAYS))
    made = 1
    while made:
        async with db.begin(wait=BACKGROUND) as session:
            made = await series.materialise(session, now=hour - MADE_AHEAD)
            await session.execute(update(Meeting).values(turned_at=now))
    await db.close()
    reminded = sum(part in (SOON, LATER) for part in parts) * SEATED
    count = Counter(parts)
    return Counter({START: count[STARTS], REMINDER: reminded, CALL: count[SOON]})


def _series(guild_id: int, group_id: int, starts_at: datetime, hour: datetime) -> dict[str, object]:
    """Return the row of a weekly series that is made up to shortly before the hour."""
    local = starts_at.astimezone(ZoneInfo(ZONE)).replace(tzinfo=None)
    return {
        "series_id": group_id, "guild_id": guild_id, "group_id": group_id, "zone": ZONE,
        "rule": Rule("weekly", weekdays=(local.weekday(),)).text(),
        "first_local": (local - OLD).isoformat(timespec="minutes"), "made_until": hour - MADE_AHEAD,
        "tz_version": series.tz_version(ZONE), "created_at": hour - OLD,
    }  # fmt: skip


def _board(town: Town, number: int) -> dict[str, object]:
    """Post the board of a server, and return its row."""
    place = town.places[number]
    card = {"flags": posting.COMPONENTS_V2, "components": [{"type": 10, "content": "Next meetings"}]}
    message = posting.post(town.world, place.panel, town.peerbot.bot, posting.Draft(card))
    where = {"channel_id": int(place.panel["id"]), "message_id": int(message["id"]), "posts": 1}
    return {"guild_id": place.server.id, "subject": "board", "group_id": None, **where}


@dataclass
class Arrivals:
    """When messages arrived."""

    world: World
    at: dict[int, float] = field(default_factory=dict[int, float])

    def __post_init__(self) -> None:
        """Begin to note them."""
        self.stop = self.world.listen(self._note)

    def _note(self, happening: Happening) -> None:
        if happening.kind == "message" and not happening.details["message"]["flags"] & posting.EPHEMERAL:
            self.at[int(happening.details["message"]["id"])] = time.monotonic()


@dataclass
class Seen:
    """What was seen of an hour: of each kind how late messages were, how many are missing, and what it all took."""

    meetings: int
    expected: Counter[str]
    late: dict[str, list[float]]
    twice: int
    last_at: float
    limits: DiscordsLimits
    counted: dict[str, int]
    strain: Strain

    def arrived(self) -> Table:
        """Return what arrived and when."""
        table = Table(f"{self.meetings} meetings at the top of the same hour", COLUMNS)
        add_pace(table, [at for at in self.limits.at if at <= self.last_at])
        lost = sum((self.expected - Counter({kind: len(late) for kind, late in self.late.items()})).values())
        table.add("not delivered, delivered twice", f"{lost}, {self.twice}", "0, 0", aimed(lost + self.twice, 0))
        worst = {kind: max(late, default=0.0) for kind, late in self.late.items()}
        aims = (f"{START_AIM:.0f} s", aimed(worst[START], START_AIM))
        table.add("the last room that read that it is time", f"{worst[START]:.1f} s", *aims)
        for kind, what in ((CALL, "call for facilitators"), (REMINDER, "reminder")):
            table.add(f"the last {what}", f"{worst[kind]:.1f} s", "", "")
        self.strain.add_to(table)
        table.add("queries for each meeting", f"{self.counted['outbox queries'] / self.meetings:.1f}", "", "")
        table.add("commits for each meeting", f"{self.counted['outbox commits'] / self.meetings:.1f}", "", "")
        table.add("requests for each meeting", f"{len(self.limits.at) / self.meetings:.1f}", "", "")
        says = ", ".join(f"{many} {kind.removeprefix('meetings.')}" for kind, many in sorted(self.expected.items()))
        table.notes.append(
            f"Of five groups two start, one ends, one starts ten minutes later and one an hour later; {SEATED} people "
            f"in each, all of whom are reminded. {says}. Late: after the minute for which it was planned."
        )
        return table

    def took(self) -> Table:
        """Return what each kind of delivery asked of the database, and Discord by each route."""
        table = Table("What that took", ("Kind of delivery", "runs", "queries each", "commits each", "queries"))
        kinds = [name.removesuffix(" runs") for name in self.counted if name.endswith(" runs")]
        queries = {kind: self.counted.get(f"{kind} queries", 0) for kind in kinds}
        for kind in sorted(kinds, key=lambda each: -queries[each]):
            runs, commits = self.counted[f"{kind} runs"], self.counted.get(f"{kind} commits", 0)
            table.add(kind, runs, f"{queries[kind] / runs:.1f}", f"{commits / runs:.1f}", queries[kind])
        looks = self.counted.get("looks queries", 0)
        table.add("looking for what is due", "", "", "", looks)
        routes = ", ".join(f"{many} {route}" for route, many in self.limits.routes.most_common())
        table.notes.append(f"Requests: {routes}.")
        return table


async def _pass(
    run: Run, discord: Discord, town: Town, bot: Bot, *, limits: DiscordsLimits, settings: Settings, hour: datetime,
    expected: Counter[str], idle: list[float],
) -> Seen:  # fmt: skip
    limits.forget()
    arrivals, sendings, over = Arrivals(town.world), Sendings(town.world), asyncio.Event()
    await bot.ask("counts")
    await bot.ask("watch")
    if town.world.clock.now() > hour - JUST_BEFORE:
        raise RuntimeError("the hour has come before all was quiet; this machine does something else")
    town.world.clock.move(hour - JUST_BEFORE - town.world.clock.now())
    moved, begun = town.world.clock.now(), time.monotonic()
    run.say(f"the hour comes: {sum(expected.values())} messages")
    looking = asyncio.create_task(look_at_groups(discord, town, lambda _looked: over.is_set()))
    urgent: list[float] = []
    found = rooms(town)
    for number in range(URGENT):
        part = sum(expected.values()) * (number + 2) / (URGENT + 4)
        await until(lambda part=part: len(arrivals.at) > part)
        urgent.append(await urgent_one(bot, sendings, found[-1 - number], number))
    await _at_rest(bot, settings, town.world.clock)
    counted = await bot.ask("counts")
    over.set()
    strain = Strain(limits.refused, urgent, await bot.ask("block"), idle, await looking)
    for listening in (arrivals, sendings):
        listening.stop()
    late, twice, last_at = await _late(settings, arrivals, expected, since=(moved, begun))
    return Seen(len(found), expected, late, twice, last_at, limits, counted, strain)


async def _at_rest(bot: Bot, settings: Settings, clock: Clock) -> None:
    """Wait until nothing is due any more, also of what was put off for a moment."""
    while True:
        await bot.ask("idle")
        soon = clock.now() + timedelta(seconds=30)
        if not await _count(settings, Delivery.state < DONE, Delivery.next_at < soon, Delivery.attempts > 0):
            return
        await asyncio.sleep(1)


async def _count(settings: Settings, *which: ColumnElement[bool]) -> int:
    db = connect(settings)
    async with db.read(wait=BACKGROUND) as session:
        found = (await session.scalars(select(func.count()).select_from(Delivery).where(*which))).one()
    await db.close()
    return found


async def _late(
    settings: Settings, arrivals: Arrivals, expected: Counter[str], *, since: tuple[datetime, float]
) -> tuple[dict[str, list[float]], int, float]:
    """Return by how much messages of each kind came late, how many are of no row, and when the last of them came."""
    moved, begun = since
    db = connect(settings)
    sent = select(Delivery.kind, Delivery.due_at, Delivery.message_id).where(Delivery.message_id.in_(arrivals.at))
    async with db.read(wait=BACKGROUND) as session:
        rows = (await session.execute(sent)).all()
    await db.close()
    late: dict[str, list[float]] = {kind: [] for kind in expected}
    for kind, due_at, message_id in rows:
        if kind in late and message_id is not None:
            late[kind].append(arrivals.at[message_id] - begun - max((due_at - moved).total_seconds(), 0.0))
    last_at = max(arrivals.at[message_id] for kind, _due_at, message_id in rows if kind in late and message_id)
    return late, len(arrivals.at) - len(rows), last_at
