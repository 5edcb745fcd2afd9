"""What is to be done for each kind of delivery, and what may become of one.

A cog registers its kinds in `setup`; whoever carries deliveries to Discord is a `Courier`, and every try ends with one
outcome.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from peerbot.models import Delivery

TELLS = frozenset({"staff.failed", "staff.room_gone", "staff.panel_gone", "staff.strangers"})
"""Kinds that only tell the staff channel. When one of them fails, nobody is told, and no button tries it again."""


@dataclass(frozen=True)
class Sent:
    """It has happened."""

    message_id: int | None = None


@dataclass(frozen=True)
class Gone:
    """It cannot happen: the channel, the member or the permission is not there. `problem` is a word for the log."""

    problem: str


@dataclass(frozen=True)
class Retry:
    """It has not happened, and may later: an outage ends, so it is tried for as long as it is not too late."""

    problem: str
    after: timedelta | None = None


@dataclass(frozen=True)
class Uncertain:
    """It may have happened: the connection was lost after the request was written."""

    problem: str


@dataclass(frozen=True)
class Mistake:
    """Our own code failed; it is tried some times, because the next version or the next minute may mend it."""

    problem: str = "error"


@dataclass(frozen=True)
class NotNeeded:
    """It is no longer true, so nothing was sent."""


@dataclass(frozen=True)
class TooLate:
    """It would be of no use any more, so nothing was sent."""


LATER = (Retry, Uncertain, Mistake)
Outcome = Sent | Gone | Retry | Uncertain | Mistake | NotNeeded | TooLate
Step = Callable[[AsyncSession, Delivery, datetime], Awaitable[None]]


class Courier(Protocol):
    """Whoever carries deliveries to Discord."""

    async def send(self, delivery: Delivery) -> Outcome:
        """Carry one delivery out."""
        ...

    async def find(self, delivery: Delivery) -> int | None:
        """Look for a message that may have been sent, by its marker; raise OSError when nobody can look now."""
        ...


class Outbox:
    """What is to be done for each kind of delivery. A cog registers its kinds in `setup`."""

    def __init__(self) -> None:
        self.messages: dict[str, Callable[[Delivery], Awaitable[Any]]] = {}
        self.effects: dict[str, Callable[[Delivery], Awaitable[Outcome]]] = {}
        self.steps: dict[str, Step] = {}
        self.after: dict[str, Step] = {}
        self.letters: dict[str, bool] = {}
        self.failed: Step | None = None

    def message(self, kind: str, render: Callable[[Delivery], Awaitable[Any]], *, after: Step | None = None) -> None:
        """Register a message: `render` reads current data and returns a card, or None when it is no longer true.

        `after` runs in the transaction that acknowledges it; the delivery carries the message's id by then.
        """
        self._is_new(kind)
        self.messages[kind] = render
        if after is not None:
            self.after[kind] = after

    def letter(
        self,
        kind: str,
        render: Callable[[Delivery], Awaitable[Any]],
        *,
        after: Step | None = None,
        waits_for_morning: bool = True,
    ) -> None:
        """Register a message to one member, planned with their member id and no channel.

        It goes the way that the member chose, and not in their quiet hours unless `waits_for_morning` is False.
        """
        self.message(kind, render, after=after)
        self.letters[kind] = waits_for_morning

    def effect(self, kind: str, apply: Callable[[Delivery], Awaitable[Outcome]]) -> None:
        """Register an effect: `apply` makes Discord match the database and may run more than once."""
        self._is_new(kind)
        self.effects[kind] = apply

    def step(self, kind: str, rule: Step) -> None:
        """Register a step: a rule that runs without Discord."""
        self._is_new(kind)
        self.steps[kind] = rule

    def _is_new(self, kind: str) -> None:
        """Raise ValueError if a kind is registered already: of two, one would never be done."""
        if kind in self.messages or kind in self.effects or kind in self.steps:
            raise ValueError(kind)
