"""peerbot itself, with its queries counted, a kind of message to be sent in masses, and clocks in its dispatcher."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from discord.ext.tasks import SleepHandle
from sqlalchemy import Engine, event

import peerbot.__main__ as program
from cogs._help import help_now_button
from cogs._outbox import Post
from cogs.groups._cog import Groups
from peerbot import config, deliveries, meetings
from peerbot import setup as settings_of
from peerbot.bot import PeerBot
from peerbot.database import BACKGROUND
from peerbot.deliveries import Priority
from peerbot.logs import set_up_logging
from peerbot.models import Delivery
from peerbot.rights import Actor
from peerbot.text import Reader

if TYPE_CHECKING:
    from benchmarks.child import Control

NOTE, LETTER = "bench.note", "bench.letter"
LOOK_AGAIN = 0.005
PLANNED_AT_ONCE = 500
NO_LIMIT = 1e9
CARRIES = "carries "
"""How the name of a task begins that carries a delivery out; its kind follows."""
LOOKS = "looks"
"""What is asked of the database to know what is due, and whatever else goes on beside deliveries."""


class MeasuredBot(PeerBot):
    """The bot of one process, which answers the questions of a benchmark."""

    control: Control
    unlimited = False

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.add_listener(self._note_ready, "on_ready")
        self.outbox.message(NOTE, self._render)
        self.outbox.letter(LETTER, self._render, waits_for_morning=False)
        if self.unlimited and hasattr(self, "budget"):
            self.budget = type(self.budget)(NO_LIMIT, NO_LIMIT, int(NO_LIMIT))
        self._carries, self.dispatcher._carry = self.dispatcher._carry, self._carry
        questions = {
            "change": self._change,
            "follows": self._follows,
            "idle": self._idle,
            "compared": self._compared,
            "plan": self._plan,
            "wakes": self._wakes,
        }
        self.control.questions |= questions

    async def _note_ready(self) -> None:
        self.control.is_ready()

    async def _render(self, delivery: Delivery) -> Post | None:
        """Read what every message reads, and say as much as a short one says."""
        async with self.db.read(wait=BACKGROUND) as session:
            guild = await settings_of.find(session, delivery.guild_id)
        if guild is None:
            return None
        reader = Reader(guild.locale, guild.time_zone)
        return Post(f"Note {delivery.delivery_id}.", [help_now_button(guild.help_countries, reader)])

    async def _idle(self) -> None:
        """Wait until nothing is due and nothing under way."""
        while not await self.dispatcher.is_idle():  # noqa: ASYNC110 - rows end without an event
            await asyncio.sleep(LOOK_AGAIN)

    async def _compared(self) -> None:
        """Wait until every server has been compared with the database."""
        while not self._has_compared():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(LOOK_AGAIN)

    def _has_compared(self) -> bool:
        groups = self.get_cog("Groups")
        sleeping = groups.catch_up._handle if isinstance(groups, Groups) else None
        return isinstance(sleeping, SleepHandle) and not sleeping.done()

    async def _plan(self, key: str, targets: list[tuple[int, int]], urgent: bool = False) -> tuple[float, int]:  # noqa: FBT001, FBT002
        """Plan a message to each (guild, channel), now; return the moment of the last commit and the last row's id."""
        priority = Priority.HELP if urgent else Priority.NOTE
        planned = 0
        for start in range(0, len(targets), PLANNED_AT_ONCE):
            async with self.db.begin(wait=BACKGROUND) as session:
                for number, (guild_id, channel_id) in enumerate(targets[start : start + PLANNED_AT_ONCE], start=start):
                    planned = await deliveries.plan(
                        session, NOTE, f"{key}-{number}", guild_id=guild_id, now=self.clock.now(), priority=priority,
                        channel_id=channel_id,
                    )  # fmt: skip
        return time.monotonic(), planned

    async def _carry(self, delivery: Delivery, claimed_at: float) -> bool:
        """Carry a delivery out in a task that bears its kind, so that what it asks is put down to it."""
        task = asyncio.current_task()
        assert task is not None
        task.set_name(f"{CARRIES}{delivery.kind}")
        self.control.counts.add(f"{delivery.kind} runs")
        return await self._carries(delivery, claimed_at)

    async def _follows(self) -> None:
        """Look for what is due at once, also where another process moves the clock."""
        self.dispatcher.wake()

    async def _change(self, what: str, guild_id: int, user_id: int, meeting_id: int, to: str = "") -> None:
        """Let somebody who manages a server change one of its meetings, or somebody in its group answer it."""
        actor, now = Actor(guild_id, user_id, manages=what != "going"), self.clock.now()
        async with self.db.begin(wait=BACKGROUND) as session:
            if what == "cancel":
                await meetings.cancel(session, actor, meeting_id, now=now)
            elif what == "move":
                await meetings.move(session, actor, meeting_id, datetime.fromisoformat(to), now=now)
            else:
                await meetings.respond(session, actor, meeting_id, meetings.GOING, now=now)

    async def _wakes(self, times: int) -> list[float]:
        """Return how long each of some looks for what is due took, when nothing is."""
        took: list[float] = []
        for _ in range(times):
            begun = time.perf_counter()
            await self.dispatcher._drain()
            took.append(time.perf_counter() - begun)
        return took


class Counts:
    """Queries and commits since they were last asked for, of whoever answers people and of the outbox."""

    def __init__(self) -> None:
        self._counted: Counter[str] = Counter()
        event.listen(Engine, "before_cursor_execute", self._query)
        event.listen(Engine, "commit", self._commit)

    def add(self, what: str) -> None:
        """Count one of something."""
        self._counted[what] += 1

    async def take(self) -> dict[str, int]:
        """Return the counts, and begin anew."""
        counted, self._counted = self._counted, Counter()
        return dict(counted)

    def _query(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            for who in _who():
                self._counted[f"{who} queries"] += 1

    def _commit(self, _connection: object) -> None:
        for who in _who():
            self._counted[f"{who} commits"] += 1


def _who() -> tuple[str, ...]:
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return ("other",)
    name = task.get_name() if task is not None else ""
    if name == "control":
        return ("control",)
    if name.startswith(CARRIES):
        return ("outbox", name.removeprefix(CARRIES))
    return ("handler",) if name.startswith(("discord.py: on_interaction", "CommandTree-")) else ("outbox", LOOKS)


async def run(control: Control) -> None:
    """Run peerbot as its command line does, until SIGTERM."""
    settings = config.load()
    set_up_logging(settings.log_level)
    logging.getLogger("peerbot").setLevel(settings.log_level)
    MeasuredBot.control = control
    MeasuredBot.unlimited = "BENCH_UNLIMITED" in os.environ
    control.counts = Counts()
    control.questions["counts"] = control.counts.take
    program.PeerBot = MeasuredBot
    await program.run_bot(settings)
