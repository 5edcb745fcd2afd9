"""The send budget: how fast requests to Discord may begin, and who goes first when there are more.

Discord takes 50 requests a second from one bot, whatever process they come from (topics/rate-limits.mdx). Invariant:
the processes of one bot together begin no more than `MOST` in any `LOOKED_AT` seconds, so that none is refused, and of
those that wait the most urgent begins first.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import deque
from contextvars import ContextVar
from itertools import count

RATE = 45.0
"""Requests a second; five less than Discord takes, for a clock or a network that is not quite even."""
BURST = 4.0
"""Requests that may begin at once after a pause."""
MOST, LOOKED_AT = 49, 1.1
"""How many may begin in how many seconds. Discord counts seconds of its own, by when requests arrive: some are late,
and fall into one second with those that began after them."""

NEARLY = 1 - 1e-6
"""What counts as a whole request; parts of one do not always add up to exactly 1."""

urgency: ContextVar[int] = ContextVar("urgency", default=0)
"""How urgent what this task asks of Discord is; lower goes first. A person who waits is most urgent."""
not_after: ContextVar[float] = ContextVar("not_after", default=math.inf)
"""The moment (of the loop's clock) after which this task asks nothing of Discord: its lease is over, others have taken
over, and Discord may have forgotten the nonce."""


def require_in_time() -> None:
    """Raise TimeoutError when this task may ask nothing of Discord any more, such as after the process was frozen."""
    if asyncio.get_running_loop().time() > not_after.get():
        raise TimeoutError("its lease is over")


class SendBudget:
    """Let requests of this process begin at its share of the rate."""

    def __init__(self, rate: float = RATE, burst: float = BURST, most: int = MOST) -> None:
        self._rate, self._burst, self._most = rate, burst, most
        self._processes = 1
        self._begun = deque[float]()
        self._left, self._counted_at = burst, -1.0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()
        self._timer: asyncio.TimerHandle | None = None

    def share_with(self, processes: int) -> None:
        """Take this process's share of so many living ones."""
        self._refill()
        self._processes = max(processes, 1)

    async def take(self) -> None:
        """Wait until one request may begin."""
        self._refill()
        if not self._waiting and self._wait() <= 0:
            self._begin()
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (urgency.get(), next(self._order), place))
        self._serve()
        await place

    def _refill(self) -> None:
        now = asyncio.get_running_loop().time()
        passed = now - self._counted_at if self._counted_at >= 0 else 0.0
        self._counted_at = now
        self._left = min(self._left + passed * self._rate / self._processes, max(self._burst / self._processes, 1.0))
        while self._begun and self._begun[0] <= now - LOOKED_AT:
            self._begun.popleft()

    def _wait(self) -> float:
        """Return the seconds until another request may begin."""
        wait = 0.0 if self._left > NEARLY else (1 - self._left) * self._processes / self._rate
        if len(self._begun) >= max(self._most // self._processes, 1):
            wait = max(wait, self._begun[0] + LOOKED_AT - self._counted_at)
        return wait

    def _begin(self) -> None:
        self._left -= 1
        self._begun.append(self._counted_at)

    def _serve(self) -> None:
        self._refill()
        while self._waiting and (self._waiting[0][2].done() or self._wait() <= 0):
            place = heapq.heappop(self._waiting)[2]
            if not place.done():  # else whoever waited has given up
                place.set_result(None)
                self._begin()
        if self._waiting and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(max(self._wait(), 0.001), self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._serve()
