"""Let deliveries go out while the processes that carry them are killed at instants that nobody chose, and count.

What is counted is what people can see: a delivery is lost when its message is not in its channel at the end, and seen
twice when its marker stands there more than once.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from cogs._help import help_now_button
from cogs._outbox import MARKER, Post
from peerbot import members, schema, setup
from peerbot.bot import PeerBot
from peerbot.config import Settings
from peerbot.database import BACKGROUND, Database, connect
from peerbot.models import Delivery
from peerbot.rehearsal.application import Application
from peerbot.rehearsal.ground import Happening
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.server import Discord
from peerbot.rehearsal.wire import Wire
from peerbot.rights import Actor
from peerbot.text import Reader
from tests.process import programs
from tests.process.programs import Program

NOTE = "test.note"
DONE = 2
NEEDED = int(Bit.VIEW_CHANNEL | Bit.SEND_MESSAGES | Bit.READ_MESSAGE_HISTORY | Bit.MANAGE_CHANNELS | Bit.MANAGE_ROLES)
CHANNELS = 20
LONGEST_PAUSE = 0.03
"""Seconds after a message within which a process dies, unless it dies in the very moment of the message."""
DRAINED_WITHIN = 120.0
LOOK_AGAIN = 0.1
NONCE_FORGOTTEN = timedelta(minutes=10)
SHORT_LEASE = timedelta(seconds=4)
"""The lease of processes that are frozen, so that nobody has to wait for three quarters of a minute."""


class NotingBot(PeerBot):
    """peerbot with one more kind of message, which says nothing but which it is."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.outbox.message(NOTE, self._render)

    async def _render(self, delivery: Delivery) -> Post | None:
        async with self.db.read(wait=BACKGROUND) as session:
            guild = await setup.find(session, delivery.guild_id)
        if guild is None:
            return None
        button = help_now_button(guild.help_countries, Reader(guild.locale))
        return Post(f"Note {delivery.subject_id}", [button])


WITH_NOTES: dict[str, Any] = {"peerbot.__main__.PeerBot": NotingBot}
FREEZABLE: dict[str, Any] = WITH_NOTES | {
    "peerbot.deliveries.LEASE": SHORT_LEASE,
    "peerbot.dispatcher.LONGEST_RUN": SHORT_LEASE * 0.75,
    "peerbot.processes.ALIVE": SHORT_LEASE,
    "peerbot.processes.BEAT": 0.5,
    "peerbot.dispatcher.SWEEP": 0.5,
}


@dataclass
class Result:
    """What came of a run.

    `taken_up` are deliveries that a process had claimed and another one brought to their end; `absorbed` are requests
    that Discord recognised by their nonce, and made no message of. Most were found in their channel before that.
    """

    deliveries: int
    processes: int
    ends: int = 0
    lost: list[int] = field(default_factory=list[int])
    twice: list[int] = field(default_factory=list[int])
    taken_up: int = 0
    absorbed: int = 0
    seconds: float = 0.0
    last_words: str = ""
    traces: list[str] = field(default_factory=list[str])


class Yard:
    """One server with some channels, a database, and processes that carry its deliveries."""

    def __init__(self, discord: Discord, settings: Settings, folder: Path, seed: str) -> None:
        self.discord = discord
        self.world = discord.world
        self.chance = random.Random(seed)  # noqa: S311 - instants, not secrets
        self.server: Guild = self.world.guild("Harbour", owner="Olive")
        self.application: Application = self.world.application("peerbot")
        self.server.install(self.application, NEEDED)
        self.channels: list[Wire] = [self.server.add_channel(f"room-{number}") for number in range(CHANNELS)]
        self.settings = settings
        self.folder = folder
        self.db: Database = connect(settings)
        self.programs: list[Program] = []
        self.ended: list[Program] = []
        self.posted = 0
        self.patience = DRAINED_WITHIN
        self._planned = 0
        self.accepted = 0
        self._watchers: list[Callable[[], None]] = []
        self.world.listen(self._note)

    # what is to be delivered

    async def open(self) -> None:
        """Bring the database up, with the server in it."""
        await asyncio.to_thread(schema.bring_up, self.settings.url)
        async with self.db.begin(wait=BACKGROUND) as session:
            await members.check_key(session)
            await setup.save(
                session,
                Actor(guild_id=self.server.id, user_id=self.server.owner_id, manages=True, locale="en-US"),
                facilitator_role_id=1,
                panel_channel_id=int(self.channels[0]["id"]),
                staff_channel_id=int(self.channels[1]["id"]),
                time_zone="Europe/Berlin",
                locale="en-US",
                now=self.world.clock.now(),
            )

    async def plan(self, count: int) -> None:
        """Write so many deliveries down that are due now."""
        first, self._planned = self._planned, self._planned + count
        async with self.db.begin(wait=BACKGROUND) as session:
            await session.execute(insert(Delivery), [self._row(number) for number in range(first, self._planned)])

    def _row(self, number: int) -> dict[str, Any]:
        now = self.world.clock.now()
        return {
            "dedupe_key": f"{self.server.id}:{NOTE}:{number}",
            "kind": NOTE,
            "guild_id": self.server.id,
            "channel_id": int(self.channels[number % CHANNELS]["id"]),
            "subject_id": number,
            "priority": 4,
            "due_at": now,
            "next_at": now,
            "created_at": now,
        }

    # who delivers

    def launch(self, times: dict[str, Any] = WITH_NOTES) -> Program:
        """Start one more process."""
        environment = {
            "PEERBOT_DISCORD_URL": self.discord.url,
            "PEERBOT_DISCORD_TOKEN": self.application.token,
            "PEERBOT_DATA_KEY": self.settings.data_key.reveal(),
            "PEERBOT_DATABASE_URL": self.settings.database_url.reveal(),
            "PEERBOT_LOG_LEVEL": "INFO",
        }
        if self.settings.clock_offset_file is not None:
            environment["PEERBOT_CLOCK_OFFSET_FILE"] = str(self.settings.clock_offset_file)
        started = programs.fork(["run"], environment, self.folder, times=times)
        self.programs.append(started)
        return started

    async def kill(self, program: Program) -> None:
        """Kill a process, and start another one in its place at once."""
        self.programs.remove(program)
        self.ended.append(program)
        await program.kill()
        self.launch()

    async def close(self) -> None:
        """End all processes."""
        for program in self.programs:
            program.tell(signal.SIGCONT)
            await program.kill()
        await self.db.close()

    # what happens

    def _note(self, happening: Happening) -> None:
        if happening.kind == "message":
            self.posted += 1
            for watcher in list(self._watchers):
                watcher()
        elif happening.kind == "request" and happening.details["method"] == "POST":
            path, status = happening.details["path"], happening.details["status"]
            self.accepted += path.endswith("/messages") and status in {200, 499}

    async def messages_later(self, count: int, *, act: Callable[[], None] = lambda: None) -> None:
        """Wait until so many more messages were posted; `act` is called in the very moment of the last one."""
        goal = self.posted + count
        reached = asyncio.Event()

        def watch() -> None:
            if self.posted >= goal and not reached.is_set():
                act()
                reached.set()

        self._watchers.append(watch)
        try:
            async with asyncio.timeout(DRAINED_WITHIN):
                await reached.wait()
        except TimeoutError:
            raise AssertionError(f"no messages any more. What the processes said:\n{self.last_words()}") from None
        finally:
            self._watchers.remove(watch)

    async def drained(self) -> None:
        """Wait until no delivery waits and none is under way."""
        deadline = time.monotonic() + self.patience
        while await self._left() and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_AGAIN)  # noqa: TID251 - the database tells nobody when it changes

    async def _left(self) -> int:
        async with self.db.read(wait=BACKGROUND) as session:
            open_ones = select(func.count()).where(Delivery.kind == NOTE, Delivery.state.in_((0, 1)))
            return (await session.scalars(open_ones)).one()

    def last_words(self) -> str:
        """Return what the processes said, the last ones that were ended included."""
        return "\n".join(program.said for program in [*self.ended[-2:], *self.programs])

    async def count(self, result: Result) -> None:
        """Compare what the database says with what stands in the channels."""
        markers = Counter(
            component["id"]
            for channel in self.channels
            for message in self.world.messages.get(int(channel["id"]), {}).values()
            for row in message["components"]
            for component in row.get("components", ())
            if component["id"] >= MARKER
        )
        async with self.db.read(wait=BACKGROUND) as session:
            rows = (await session.scalars(select(Delivery).where(Delivery.kind == NOTE))).all()
        result.taken_up = sum(row.claim_no > 1 for row in rows)
        for row in rows:
            there = self.world.messages.get(row.channel_id or 0, {})
            seen = markers[MARKER + row.delivery_id]
            if row.state != DONE or not seen or row.message_id not in there:
                result.lost.append(row.delivery_id)
            if seen > 1:
                result.twice.append(row.delivery_id)
            if row.delivery_id in {*result.lost, *result.twice}:
                result.traces.append(_trace(row, there.values()))
        result.absorbed = self.accepted - self.posted


def _trace(row: Delivery, messages: Iterable[Wire]) -> str:
    """Return what is known of a row that went wrong: where it stands, and when its messages were posted."""
    said = f"Note {row.subject_id}"
    posted = [f"{message['id']} at {message['timestamp']}" for message in messages if message["content"] == said]
    claims = f"claim {row.claim_no} of {row.owner}, first tried {row.first_send_at}, ended {row.ended_at}"
    return f"{said}: state {row.state}, {claims}, message {row.message_id}, {row.problem}; posted {posted}"


async def kill_again_and_again(yard: Yard, *, count: int, processes: int, kills: int) -> Result:
    """Deliver everything although one of the processes is killed so many times."""
    result = Result(count, processes)
    begun = time.monotonic()
    await yard.open()
    await yard.plan(count)
    for _ in range(processes):
        yard.launch()
    for left in range(kills, 0, -1):
        between = (count - yard.posted) // (left + 1)  # some are left for after the last kill
        victim = yard.chance.choice(yard.programs)
        at_once = yard.chance.random() < 1 / 3
        strike = (lambda program=victim: program.tell(signal.SIGKILL)) if at_once else (lambda: None)
        await yard.messages_later(yard.chance.randint(1, max(2 * between - 1, 1)), act=strike)
        if not at_once:
            await asyncio.sleep(yard.chance.uniform(0, LONGEST_PAUSE))  # noqa: TID251 - the instant is the point
        await yard.kill(victim)
        result.ends += 1
    await yard.drained()
    return await _finished(yard, result, begun)


async def freeze_again_and_again(yard: Yard, *, count: int, freezes: int, past_nonce: bool = False) -> Result:
    """Deliver everything in waves with two processes, of which one is frozen beyond its lease in each wave.

    `past_nonce` lets so much time pass meanwhile that Discord has forgotten the nonce.
    """
    result = Result(count, 2)
    begun = time.monotonic()
    frozen_for = SHORT_LEASE * 2
    await yard.open()
    for _ in range(2):
        yard.launch(FREEZABLE)
    for _ in range(freezes):
        victim = yard.chance.choice(yard.programs)
        await yard.plan(count // freezes)
        some = yard.chance.randint(1, count // (2 * freezes))
        await yard.messages_later(some, act=lambda program=victim: program.tell(signal.SIGSTOP))
        await asyncio.sleep(frozen_for.total_seconds())  # noqa: TID251 - the lease runs out
        if past_nonce:
            yard.world.clock.move(NONCE_FORGOTTEN)
        victim.tell(signal.SIGCONT)
        result.ends += 1
    await yard.drained()
    return await _finished(yard, result, begun)


async def _finished(yard: Yard, result: Result, begun: float) -> Result:
    result.seconds = time.monotonic() - begun
    await yard.count(result)
    result.last_words = "\n".join([*result.traces, yard.last_words()])
    return result
