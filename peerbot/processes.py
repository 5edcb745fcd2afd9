"""Which process of several answers people.

On PostgreSQL several processes may run for one bot. Discord tells all of them of every press, so one answers: the
living one with the lowest number. A process is alive for half a minute after it last said so, and no longer than it
holds its lock: one that was killed is replaced within seconds, one that is frozen or out of touch after that time, and
it comes back with a new number. All of them deliver. On SQLite there is one process, which answers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import owners
from peerbot.database import SCHEMA_LOCK, Database
from peerbot.errors import DatabaseBusy, OutcomeUnknown
from peerbot.models import Process
from peerbot.types import insert_into

log = logging.getLogger(__name__)

ALIVE = timedelta(seconds=30)
"""How long a process is taken to be alive after it last said so."""
BEAT = 5.0
"""Seconds between two times that it says so."""


@dataclass(frozen=True)
class Standing:
    """Whether a process answers people, and how many are alive."""

    leads: bool
    living: int


async def beat(session: AsyncSession, owner: str) -> Standing:
    """Say that a process is alive, forget those that are not, and return where this one stands (PostgreSQL)."""
    moment = func.clock_timestamp()
    # One that was killed is gone at once, with its lock; one that is frozen holds it, and is gone when its time is up.
    killed = (Process.owner != owner) & owners.is_gone(Process.owner, lock=SCHEMA_LOCK)
    await session.execute(delete(Process).where((Process.alive_until < moment) | killed))
    mine = insert_into(session, Process).values(owner=owner, alive_until=moment + ALIVE)
    mine = mine.on_conflict_do_update(index_elements=["owner"], set_={"alive_until": moment + ALIVE})
    number = await session.scalar(mine.returning(Process.process_id))
    living, first = (await session.execute(select(func.count(), func.min(Process.process_id)))).one()
    return Standing(number == first, living)


async def leave(session: AsyncSession, owner: str) -> None:
    """Forget a process that ends, so that another one answers at once."""
    await session.execute(delete(Process).where(Process.owner == owner))


class Presence:
    """Keep this process known to the others while `in_touch` says that Discord can reach it."""

    def __init__(self, db: Database, owner: str, in_touch: Callable[[], bool]) -> None:
        self._db = db
        self._owner = owner
        self._in_touch = in_touch
        self._shared = db.writer.dialect.name == "postgresql"
        self._standing = Standing(leads=not self._shared, living=1)
        self._until = 0.0
        self._task: asyncio.Task[None] | None = None
        self.changed: Callable[[Standing], None] = lambda _standing: None

    @property
    def leads(self) -> bool:
        """Whether this process answers people, as far as it knows."""
        return not self._shared or (self._standing.leads and asyncio.get_running_loop().time() < self._until)

    async def may_answer(self) -> bool:
        """Return whether this process answers a press that it was told of; ask again if it knows nothing fresh.

        While the database is away, nobody can know: then it answers, because twice is better than never, and Discord
        takes one answer only.
        """
        if self._shared and asyncio.get_running_loop().time() >= self._until:
            try:
                await self.say_alive()
            except (DatabaseBusy, OutcomeUnknown):
                return True
        return not self._shared or self._standing.leads

    async def say_alive(self) -> None:
        """Say once that this process is alive. Raises DatabaseBusy or OutcomeUnknown."""
        if not self._shared:
            return
        asked_at = asyncio.get_running_loop().time()
        async with self._db.begin() as session:
            standing = await beat(session, self._owner)
        self._until = asked_at + ALIVE.total_seconds()
        if standing != self._standing:
            log.info("%d processes are alive; %s answers people.", standing.living, _who(standing))
            self._standing = standing
            self.changed(standing)

    def start(self) -> None:
        """Begin to say so again and again."""
        if self._shared:
            self._task = asyncio.create_task(self._keep(), name="presence")

    async def stop(self) -> None:
        """Say no more, and let another process answer."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        self._standing = Standing(leads=False, living=self._standing.living)
        try:
            async with self._db.begin() as session:
                await leave(session, self._owner)
        except (DatabaseBusy, OutcomeUnknown):
            log.info("The others were not told that I stop; they will notice.")

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(BEAT)  # noqa: TID251 - monotonic, so that a moved wall clock changes nothing
            if not self._in_touch():
                continue  # whoever Discord cannot reach shall not be the one who answers
            try:
                await self.say_alive()
            except (DatabaseBusy, OutcomeUnknown):
                log.warning("The database does not answer; I could not say that I am alive.")


def _who(standing: Standing) -> str:
    return "this one" if standing.leads else "another one"
