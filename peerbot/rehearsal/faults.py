"""Misbehave on demand: the answers that Discord gives on a bad day.

A fault waits for the next requests of its method and path and is used up by them; nothing else is touched. In a path
`{}` stands for any one part.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal

from peerbot.rehearsal.refusals import Refusal


@dataclass
class Fault:
    """What goes wrong with the next `times` requests.

    `drop` loses the connection before or after the request is carried out; `delay` is in real seconds; `retry_after`
    goes with status 429.
    """

    method: str
    path: str
    times: int
    status: int | None = None
    refusal: Refusal | None = None
    drop: Literal["before", "after"] | None = None
    delay: float = 0
    retry_after: float = 0.05
    hold: Hold | None = None

    def matches(self, method: str, path: str) -> bool:
        """Say whether a request is meant."""
        wanted, actual = self.path.strip("/").split("/"), path.strip("/").split("/")
        same = len(wanted) == len(actual) and all(
            one in ("{}", other) for one, other in zip(wanted, actual, strict=True)
        )
        return same and self.times > 0 and method == self.method


@dataclass
class Hold:
    """A request that is kept waiting: `arrived` says that it is there, `release` lets it go on."""

    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        """Let the request go on."""
        self.released.set()


class Faults:
    """The faults that wait for their requests."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []

    def next(
        self,
        method: str,
        path: str,
        *,
        times: int = 1,
        status: int | None = None,
        refusal: Refusal | None = None,
        drop: Literal["before", "after"] | None = None,
        delay: float = 0,
        retry_after: float = 0.05,
    ) -> None:
        """Let the next requests fail: with a status, a refusal, a lost connection, or late by so many real seconds."""
        self.waiting.append(
            Fault(
                method,
                path,
                times,
                status=status,
                refusal=refusal,
                drop=drop,
                delay=delay,
                retry_after=retry_after,
            )
        )

    def hold(self, method: str, path: str) -> Hold:
        """Keep the next such request waiting before it is carried out."""
        hold = Hold()
        self.waiting.append(Fault(method, path, 1, hold=hold))
        return hold

    def take(self, method: str, path: str) -> Fault | None:
        """Use up the first fault that is meant for a request."""
        for fault in self.waiting:
            if fault.matches(method, path):
                fault.times -= 1
                if fault.times == 0:
                    self.waiting.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        """Forget the faults that wait."""
        self.waiting.clear()
