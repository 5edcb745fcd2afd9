"""Wake, claim, hand over, acknowledge.

The dispatcher knows no Discord: a `Courier` carries messages and effects out, and steps are rules that run in the
transaction that acknowledges them. The database is the only truth; APScheduler only wakes, and a wait of five monotonic
seconds wakes when it does not. One row that fails never stops the others.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import budget, debriefs, deliveries, members, pacing, reach, tasks
from peerbot.clock import Clock
from peerbot.database import BACKGROUND, Database
from peerbot.deliveries import Priority
from peerbot.errors import DatabaseBusy, OutcomeUnknown
from peerbot.models import Delivery
from peerbot.outbox import (
    LATER,
    Courier,
    Gone,
    Mistake,
    NotNeeded,
    Outbox,
    Outcome,
    Retry,
    Sent,
    TooLate,
    Uncertain,
)

log = logging.getLogger(__name__)

SWEEP = 5.0
"""Seconds after which it looks by itself."""
BATCH = 32
"""Deliveries under way at once; one that takes long keeps its own place and nobody else's. With answers of Discord that
take half a second, fewer would not use up the send budget."""
FOR_HELP = 4
"""Places beyond those that are kept for calls for help: they wait for nothing that is slow."""
REMEMBERED = 60.0
"""Seconds for which somebody may still ask what became of a delivery that this process planned."""
ATTEMPTS = 8
"""Tries that a mistake of our own gets."""
LONGEST_RUN = deliveries.LEASE * 0.75
"""How long one run may take; it ends before its lease does, so that no row runs twice at once."""
NONCE_WINDOW = timedelta(minutes=2)
"""How long a nonce is trusted; Discord says "the past few minutes" (resources/message.mdx)."""
ANSWER_FIRST = 0.02
"""Seconds that whoever waited has for their answer, before the same loop writes down what it is about."""
FIRST_TIDY = timedelta(minutes=5)
GRACE = 3.0
"""Seconds that what is in flight gets at the end."""


@dataclass
class _Waiting:
    """Somebody may wait for what becomes of a delivery: of the run with this claim, or of whichever comes."""

    since: float
    told: asyncio.Future[Outcome]
    claim_no: int | None = None


class Dispatcher:
    """Carry deliveries out while the bot runs."""

    def __init__(self, db: Database, clock: Clock, outbox: Outbox, *, owner: str) -> None:
        self.db = db
        self.clock = clock
        self.outbox = outbox
        self.owner = owner
        self.courier: Courier | None = None
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        self._wake = asyncio.Event()
        self._stopping = False
        self._loop_task: asyncio.Task[None] | None = None
        self._running: dict[asyncio.Task[bool], Delivery] = {}
        self._awaited: set[asyncio.Task[bool]] = set()
        self._tried: dict[int, float] = {}
        self._fresh: list[int] = []
        self._look = True
        self._full = False
        self._waiting: dict[int, _Waiting] = {}
        self._unwatch: Callable[[], None] | None = None

    def start(self, courier: Courier) -> None:
        """Begin to work; call it once, when every kind is registered."""
        self.courier = courier
        self.db.after_commit = self._planned
        self.db.claims_as = self._claims_as
        self.db.carry = self._claimed
        self._unwatch = self.clock.watch(self.wake)
        self._scheduler.add_job(self._tidy, "interval", hours=6, next_run_time=datetime.now(UTC) + FIRST_TIDY)
        self._scheduler.start()
        self._loop_task = asyncio.create_task(self._work(), name="dispatcher")

    def wake(self) -> None:
        """Look for what is due now, without waiting for the next sweep."""
        self._look = True
        self._wake.set()

    async def stop(self) -> None:
        """Claim nothing more, give what is in flight three seconds, leave the rest leased. Once is enough."""
        if self._stopping:
            return
        self._stopping = True
        self._wake.set()
        if self._unwatch is not None:
            self._unwatch()
        if self._loop_task is None:
            return
        self._scheduler.shutdown(wait=False)
        await asyncio.wait({self._loop_task, *self._running}, timeout=GRACE)
        for task in {self._loop_task, *self._running}:
            task.cancel()
        await asyncio.gather(self._loop_task, *self._running, return_exceptions=True)

    async def outcome(self, delivery_id: int, *, within: float = 2.0) -> Outcome | None:
        """Wait some seconds for what became of a delivery that was just planned; None when it is still under way."""
        return (await self.outcomes([delivery_id], within=within))[0]

    async def outcomes(self, delivery_ids: Sequence[int], *, within: float = 2.0) -> list[Outcome | None]:
        """Wait some seconds for what became of several; None for each that is still under way."""
        waiting = {number: self._waiting[number].told for number in delivery_ids if number in self._waiting}
        if waiting:
            await asyncio.wait(waiting.values(), timeout=within)
        outcomes = {number: future.result() for number, future in waiting.items() if future.done()}
        unknown = [number for number in delivery_ids if number not in outcomes]
        if unknown:  # another process may have carried it out
            with suppress(DatabaseBusy):
                async with self.db.read() as session:
                    outcomes |= {row.delivery_id: _told_by(row) for row in await deliveries.ended(session, unknown)}
        return [outcomes.get(number) for number in delivery_ids]

    async def is_idle(self) -> bool:
        """Return whether nothing is due at this moment and nothing is under way."""
        if self._running:
            return False
        async with self.db.read(wait=BACKGROUND) as session:
            return await deliveries.is_drained(session, now=self.clock.now())

    def _claims_as(self) -> str | None:
        return None if self._stopping or len(self._running) >= BATCH else self.owner

    def _claimed(self, rows: Sequence[Delivery], claimed_at: float) -> None:
        """Carry out what a transaction of this process planned and claimed, because somebody waits for it."""
        if self._stopping:
            return
        for row in rows:
            self._expect(row.delivery_id).claim_no = row.claim_no
            self._awaited.add(self._start(row, claimed_at))

    def _planned(self, planned: list[int]) -> None:
        for delivery_id in planned:
            self._expect(delivery_id).claim_no = None
        self._fresh += planned
        if not self._awaited:  # else whoever waits goes first
            self._wake.set()

    def _expect(self, delivery_id: int) -> _Waiting:
        loop = asyncio.get_running_loop()
        return self._waiting.setdefault(delivery_id, _Waiting(loop.time(), loop.create_future()))

    def _forget_unasked(self) -> None:
        """Forget what nobody can be waiting for any more; another process carried it out, or it waits for long."""
        long_ago = asyncio.get_running_loop().time() - REMEMBERED
        for delivery_id, waiting in list(self._waiting.items()):
            if waiting.since > long_ago:
                return  # they are in the order in which they were planned
            del self._waiting[delivery_id]

    async def _work(self) -> None:
        while not self._stopping:
            try:
                await asyncio.wait_for(self._wake.wait(), SWEEP)
            except TimeoutError:
                self._look = True
            self._wake.clear()
            self._forget_unasked()
            try:
                await self._drain()
            except (DatabaseBusy, OutcomeUnknown):
                log.warning("The database does not answer; deliveries wait and are tried again.")
            except Exception:  # whatever it is, the next sweep looks again; ending here would lose every delivery
                log.exception("Deliveries could not be claimed.")

    async def _ring(self) -> None:
        # A coroutine: APScheduler runs a plain function in a thread, where an event of this loop may not be set.
        self.wake()

    async def _drain(self) -> None:
        """Claim what there are places for: what was just planned here, or whatever is due if there may be more."""
        free = BATCH - len(self._running)
        if free <= 0:
            self._full = True  # whoever ends wakes it again
            await self._call_for_help(free + FOR_HELP)
            return
        fresh, self._fresh = self._fresh, []
        look = self._look or self._full or len(fresh) > free
        self._look = False
        claimed_at = asyncio.get_running_loop().time()
        async with self.db.begin(wait=BACKGROUND) as session:
            given: dict[str, Any] = {"now": self.clock.now(), "owner": self.owner, "lease": deliveries.LEASE}
            if look:
                rows = await deliveries.claim(session, limit=free, carried=self._carried_now(), **given)
            else:
                rows = await deliveries.claim_these(session, fresh, **given)
            going = await self._share_out(session, rows, given["now"])
        for row in going:
            self._start(row, claimed_at)
        self._full = len(rows) == free
        if len(going) < len(rows):
            self.wake()  # others have the places, and the alarm is set for what was put back
        elif look and not self._full:
            await self._set_the_alarm()

    async def _share_out(self, session: AsyncSession, rows: Sequence[Delivery], now: datetime) -> list[Delivery]:
        under_way, kinds = self._running.values(), self.outbox.messages
        return await pacing.share_out(session, rows, under_way, kinds, now=now)

    def _carried_now(self) -> list[int]:
        return [row.delivery_id for row in self._running.values()]

    async def _call_for_help(self, free: int) -> None:
        """Claim calls for help, and nothing else, for the places that are kept for them."""
        if free <= 0 or not (self._look or self._fresh):
            return
        claimed_at = asyncio.get_running_loop().time()
        given: dict[str, Any] = {"now": self.clock.now(), "owner": self.owner, "carried": self._carried_now()}
        async with self.db.begin(wait=BACKGROUND) as session:
            rows = await deliveries.claim(session, limit=free, most=Priority.HELP, **given)
        for row in rows:
            self._start(row, claimed_at)

    async def _set_the_alarm(self) -> None:
        async with self.db.read(wait=BACKGROUND) as session:
            due = await deliveries.next_due(session)
        if due is not None and not self._stopping:
            moment = datetime.now(UTC) + max(due - self.clock.now(), timedelta())
            self._scheduler.add_job(self._ring, "date", run_date=moment, id="due", replace_existing=True)

    def _start(self, row: Delivery, claimed_at: float) -> asyncio.Task[bool]:
        task = asyncio.create_task(self._carry(row, claimed_at))
        self._running[task] = row
        task.add_done_callback(self._carried)
        return task

    def _carried(self, task: asyncio.Task[bool]) -> None:
        del self._running[task]
        self._awaited.discard(task)
        if self._fresh and not self._awaited:
            self._wake.set()
        if self._full or task.cancelled() or task.exception() is not None or task.result():
            self.wake()  # others waited for the place, or the row runs again, at once or later

    async def _carry(self, delivery: Delivery, claimed_at: float) -> bool:
        """Carry a delivery out and write down what became of it; return whether it runs again."""
        budget.urgency.set(delivery.priority)
        budget.not_after.set(claimed_at + LONGEST_RUN.total_seconds())
        try:
            async with asyncio.timeout(LONGEST_RUN.total_seconds()):
                outcome = await self._outcome_of(delivery)
        except (DatabaseBusy, OutcomeUnknown):
            outcome = Retry("database")
        except TimeoutError:
            outcome = Uncertain("slow")
        except Exception:  # one that fails must not stop the others; it is tried again, then told
            log.exception("Delivery %s (%s) failed.", delivery.delivery_id, delivery.kind)
            outcome = Mistake()
        waiting = self._waiting.get(delivery.delivery_id)
        has_happened = isinstance(outcome, Sent) and delivery.kind in self.outbox.effects
        if has_happened and waiting is not None and waiting.claim_no == delivery.claim_no:
            self._tell(delivery, outcome)  # before it is written down, which changes nothing about it
            await asyncio.sleep(ANSWER_FIRST)  # noqa: TID251 - who waited answers a person now
        outcome, state = await self._acknowledge(delivery, outcome)
        if state == deliveries.PENDING and not isinstance(outcome, LATER):
            return True  # it was asked for anew meanwhile: whoever waits, waits for that run
        self._tell(delivery, outcome)
        if state != deliveries.PENDING:
            self._tried.pop(delivery.delivery_id, None)
        return state == deliveries.PENDING

    def _tell(self, delivery: Delivery, outcome: Outcome) -> None:
        waiting = self._waiting.pop(delivery.delivery_id, None)
        if waiting is not None and not waiting.told.done():
            waiting.told.set_result(outcome)

    async def _outcome_of(self, delivery: Delivery) -> Outcome:
        now = self.clock.now()
        if delivery.kind in self.outbox.steps:
            return Sent()  # it runs in the transaction that acknowledges it
        if delivery.not_after is not None and now > delivery.not_after:
            return TooLate()
        assert self.courier is not None, "start() gives the courier"  # noqa: S101
        if delivery.kind in self.outbox.messages and not self._nonce_is_known(delivery, now):
            try:
                message_id = await self.courier.find(delivery)
            except OSError as problem:
                return Uncertain(str(problem))
            if message_id is not None:
                return Sent(message_id)
        return await self.courier.send(delivery)

    def _nonce_is_known(self, delivery: Delivery, now: datetime) -> bool:
        """Return whether nobody can have sent this message yet, or Discord recognises it if somebody has.

        Both clocks are asked, because either may have been set meanwhile; what another process tried, nobody knows.
        """
        loop_now = asyncio.get_running_loop().time()
        soon = timedelta() <= now - (delivery.first_send_at or now) <= NONCE_WINDOW
        first = self._tried.setdefault(delivery.delivery_id, loop_now if delivery.attempts == 1 else -math.inf)
        return soon and loop_now - first <= NONCE_WINDOW.total_seconds()

    async def _acknowledge(self, delivery: Delivery, outcome: Outcome) -> tuple[Outcome, int | None]:
        """Write the outcome down; return it, or the mistake in writing it, and the state that the row has then.

        While the database is away, keep trying for as long as the lease holds.
        """
        deadline = asyncio.get_running_loop().time() + deliveries.LEASE.total_seconds() / 2
        while True:
            try:
                async with self.db.begin(wait=BACKGROUND) as session:
                    state = await self._write(session, delivery, outcome)
            except (DatabaseBusy, OutcomeUnknown):
                if self._stopping or asyncio.get_running_loop().time() > deadline:
                    return outcome, None
                await asyncio.sleep(1)  # noqa: TID251 - a pause between two tries
            except Exception:  # the rule's own mistake: tried again, then told, like any other failure
                log.exception("Delivery %s (%s) could not be acknowledged.", delivery.delivery_id, delivery.kind)
                if isinstance(outcome, Mistake):
                    return outcome, None
                outcome = Mistake()
            else:
                return outcome, state

    async def _write(self, session: AsyncSession, delivery: Delivery, outcome: Outcome) -> int | None:
        now = self.clock.now()
        match outcome:
            case Sent(message_id):
                return await self._happened(session, delivery, message_id, now)
            case NotNeeded():
                return await deliveries.finish(session, delivery, deliveries.CANCELLED, now=now)
            case TooLate():
                return await deliveries.finish(session, delivery, deliveries.EXPIRED, now=now)
            case Gone(problem):
                return await self._bury(session, delivery, problem, now)
            case Mistake(problem):
                count = _mistakes(delivery) + 1
                if count >= ATTEMPTS:
                    return await self._bury(session, delivery, problem, now)
                until = now + _back_off(count)
                await deliveries.postpone(session, delivery, until=until, problem=f"{problem} {count}")
            case Retry(problem, after):
                until = now + (after or _back_off(delivery.attempts))
                await deliveries.postpone(session, delivery, until=until, problem=problem)
            case Uncertain(problem):
                until = now + _back_off(delivery.attempts)
                await deliveries.postpone(session, delivery, until=until, problem=problem)
        return deliveries.PENDING

    async def _happened(
        self, session: AsyncSession, delivery: Delivery, message_id: int | None, now: datetime
    ) -> int | None:
        rule = self.outbox.steps.get(delivery.kind) or self.outbox.after.get(delivery.kind)
        if rule is not None:
            await deliveries.hold_group(session, delivery)
        state = await deliveries.finish(session, delivery, deliveries.DONE, now=now, message_id=message_id)
        if state is not None and rule is not None:
            delivery.message_id = message_id
            # It was due when it was claimed, although the clock may have been set back since.
            await rule(session, delivery, max(now, delivery.due_at))
        return state

    async def _bury(self, session: AsyncSession, delivery: Delivery, problem: str, now: datetime) -> int | None:
        state = await deliveries.finish(session, delivery, deliveries.DEAD, now=now, problem=problem)
        if state == deliveries.DEAD:
            log.warning("Delivery %s (%s) cannot be carried out: %s.", delivery.delivery_id, delivery.kind, problem)
            if delivery.kind in self.outbox.letters:  # in this transaction, so that it is said once
                await reach.went_wrong(session, delivery, reach.UNREACHED)
            if self.outbox.failed is not None:
                delivery.problem = problem
                await self.outbox.failed(session, delivery, now)
        return state

    async def _tidy(self) -> None:
        """Delete rows that ended a week ago, some at a time, and then members of whom nothing else is kept."""
        with suppress(DatabaseBusy, OutcomeUnknown):
            while not self._stopping:
                async with self.db.begin(wait=BACKGROUND) as session:
                    now = self.clock.now()
                    await tasks.purge(session, now=now)
                    await debriefs.purge(session, now=now)
                    if not (await deliveries.purge(session, now=now) or await members.forget_idle(session, now=now)):
                        return


def _mistakes(delivery: Delivery) -> int:
    """Return how often a delivery met a mistake of our own in a row; outages in between do not count."""
    word, _, count = (delivery.problem or "").partition(" ")
    return int(count) if word == Mistake.problem and count.isdecimal() else 0


def _back_off(attempts: int) -> timedelta:
    return timedelta(seconds=min(2.0 ** min(attempts, 10), 300.0))


def _told_by(row: Delivery) -> Outcome:
    """Return what became of a delivery, as its row tells."""
    outcomes: dict[int, Outcome] = {
        deliveries.DONE: Sent(row.message_id),
        deliveries.EXPIRED: TooLate(),
        deliveries.CANCELLED: NotNeeded(),
    }
    return outcomes.get(row.state) or Gone(row.problem or "")
