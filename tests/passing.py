"""Time that passes over the rules: what is due is claimed, steps are run, letters are read as their members would."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import agenda, closings, deliveries, handovers, members, news, reach, reminders, series
from peerbot.database import Database
from peerbot.deliveries import CANCELLED, DONE, EXPIRED
from peerbot.models import Delivery, Member

STEPS = {
    series.TURN: agenda.turn,
    series.TELL: news.tell,
    series.EXTEND: series.extend,
    "meetings.back": reminders.come_back,
    handovers.ANEW: handovers.ask_anew,
    "meetings.closed": closings.follow,
}
Read = Callable[[AsyncSession, Delivery, datetime], Awaitable[Any]]
LETTERS: dict[str, tuple[Read, bool]] = {
    reminders.REMINDER: (lambda session, row, _now: reminders.letter(session, row), True),
    news.NEWS: (lambda session, row, now: news.letter(session, row, now=now), True),
    "meetings.hosts_anew": (lambda session, row, _now: handovers.said_before(session, row), True),
    closings.CLOSED: (lambda session, row, _now: closings.letter(session, row), True),
    news.NEWS_NOW: (lambda session, row, now: news.letter(session, row, now=now), False),
}


@dataclass(frozen=True)
class Came:
    """Something that came: to a person, or (0) to a room."""

    at: datetime
    user_id: int
    kind: str
    what: Any


class Passing:
    """A clock that is moved on, and what came meanwhile."""

    def __init__(self, db: Database, now: datetime) -> None:
        self.db = db
        self.now = now
        self.came: list[Came] = []

    async def until(self, then: datetime, *, asleep: bool = False) -> list[Came]:
        """Let time pass; return what came in it. `asleep`: nobody looks before the end of it."""
        before = len(self.came)
        self.now = then if asleep else self.now
        while True:
            async with self.db.begin() as session:
                due = await deliveries.next_due(session)
                if due is None or due > then:
                    break
                self.now = max(self.now, due)
                rows = await deliveries.claim(session, now=self.now, owner="me", limit=50)
            for row in rows:
                async with self.db.begin() as session:
                    await self._carry(session, row)
        self.now = then
        return self.came[before:]

    async def _carry(self, session: AsyncSession, row: Delivery) -> None:
        now = self.now
        if row.kind in STEPS:
            await deliveries.finish(session, row, DONE, now=now)
            await STEPS[row.kind](session, row, now)
        elif row.not_after is not None and now > row.not_after:
            await deliveries.finish(session, row, EXPIRED, now=now)
        elif row.kind in LETTERS:
            await self._read(session, row)
        else:
            if row.kind == reminders.START and (meeting := await reminders.starting(session, row)) is not None:
                self.came.append(Came(now, 0, row.kind, meeting))
            await deliveries.finish(session, row, DONE, now=now)

    async def _read(self, session: AsyncSession, row: Delivery) -> None:
        read, waits = LETTERS[row.kind]
        match await reach.decide(session, row, waits=waits, now=self.now):
            case reach.Wait(until):
                await deliveries.postpone(session, row, until=until, problem=reach.QUIET_HOURS)
                return
            case reach.Nowhere():
                what = None
            case reach.Way():
                what = await read(session, row, self.now)
        if what is not None:
            member = await session.get_one(Member, row.member_id)
            self.came.append(Came(self.now, members.user_id(session, member), row.kind, what))
        await deliveries.finish(session, row, DONE if what is not None else CANCELLED, now=self.now)
