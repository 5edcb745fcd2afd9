"""The send budget: how fast requests to Discord may begin, and who goes first when there are more.

Discord takes 50 requests a second from one bot, whatever process they come from (topics/rate-limits.mdx). Invariant:
the processes of one bot together begin no more than `RATE` a second, so that none is refused, and of those that wait
the most urgent begins first.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from contextvars import ContextVar
from itertools import count

RATE = 45.0
"""Requests a second; five less than Discord takes, for a clock or a network that is not quite even."""
BURST = 4.0
"""Requests that may begin at once after a pause; with RATE still less than what Discord takes in any second."""

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

    def __init__(self, rate: float = RATE, burst: float = BURST) -> None:
        self._rate, self._burst = rate, burst
        self._processes = 1
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
        if not self._waiting and self._left > NEARLY:
            self._left -= 1
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

    def _serve(self) -> None:
        self._refill()
        while self._waiting and (self._left > NEARLY or self._waiting[0][2].done()):
            place = heapq.heappop(self._waiting)[2]
            if not place.done():  # else whoever waited has given up
                place.set_result(None)
                self._left -= 1
        if self._waiting and self._timer is None:
            wait = (1 - self._left) * self._processes / self._rate
            self._timer = asyncio.get_running_loop().call_later(max(wait, 0.0), self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._serve()
