"""Keep the world's time, its ids, and what happens in it.

Everything that happens goes through here once: it is told to the gateway sessions, to those who listen (transcripts),
and to those who wait. Ids are Discord snowflakes of world time and strictly increase, even when the clock moves back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from peerbot.clock import Clock
from peerbot.rehearsal import wire
from peerbot.rehearsal.wire import Wire

DISCORD_EPOCH_MS = 1_420_070_400_000  # developers/reference.mdx, "Snowflakes"

T = TypeVar("T")


@dataclass(frozen=True)
class Event:
    """One gateway event, before it is decided who receives it.

    `channel` limits it to those who can see that channel; `application_id` to one application.
    """

    name: str
    payload: Wire
    guild_id: int | None = None
    channel: Wire | None = None
    application_id: int | None = None


@dataclass(frozen=True)
class Happening:
    """One line for whoever writes down what happened: `kind` is "event", "request", "message", "session" or "gone",
    or "members" when a client asks who is in a server."""

    kind: str
    at: datetime
    details: dict[str, Any]


class Receiver(Protocol):
    """A gateway session, which decides by intents, guilds and sight what it takes."""

    def offer(self, event: Event) -> None:
        """Take the event or leave it."""
        ...

    def caught_up(self) -> bool:
        """Say whether the client has processed everything it was sent."""
        ...

    def ask_how_far(self) -> None:
        """Ask the client to say how far it has read."""
        ...


class StillBusy(AssertionError):
    """The world did not come to rest in time, or what was waited for did not happen."""


@dataclass
class Ground:
    """Time, ids, events and waiting: what the parts of the world share."""

    clock: Clock = field(default_factory=Clock)
    sessions: list[Receiver] = field(default_factory=list[Receiver])
    open_interactions: set[Any] = field(default_factory=set[Any])
    idle_checks: list[Callable[[], Awaitable[bool]]] = field(default_factory=list[Callable[[], Awaitable[bool]]])
    requests_in_flight: dict[int, str] = field(default_factory=dict[int, str])
    _last_id: int = 0
    _listeners: list[Callable[[Happening], None]] = field(default_factory=list[Callable[[Happening], None]])
    _waiting: set[asyncio.Future[None]] = field(default_factory=set["asyncio.Future[None]"])

    def new_id(self) -> int:
        """Return the next snowflake."""
        self._last_id = max(self.snowflake(self.clock.now()), self._last_id + 1)
        return self._last_id

    def snowflake(self, at: datetime) -> int:
        """Return the least id of a moment."""
        return (int(at.timestamp() * 1000) - DISCORD_EPOCH_MS) << 22

    def moment_of(self, snowflake: int) -> datetime:
        """Return when an id was made."""
        return datetime.fromtimestamp(((snowflake >> 22) + DISCORD_EPOCH_MS) / 1000, UTC)

    def moment(self) -> str:
        """Return world time as Discord writes it."""
        return wire.moment(self.clock.now())

    def emit(
        self,
        name: str,
        payload: Wire,
        *,
        guild_id: int | None = None,
        channel: Wire | None = None,
        application_id: int | None = None,
    ) -> None:
        """Offer an event to every gateway session, and tell those who listen and wait."""
        event = Event(name, payload, guild_id, channel, application_id)
        for session in list(self.sessions):
            session.offer(event)
        self.note("event", name=name, payload=payload, guild_id=guild_id)

    def note(self, kind: str, **details: Any) -> None:
        """Tell listeners what happened, and wake everyone who waits for a change."""
        happening = Happening(kind, self.clock.now(), details)
        for listener in list(self._listeners):
            listener(happening)
        self.changed()

    def listen(self, listener: Callable[[Happening], None]) -> Callable[[], None]:
        """Call `listener` with each happening; return a function that stops it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def changed(self) -> None:
        """Wake everyone who waits for a change."""
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def until(self, predicate: Callable[[], T], seconds: float = 5, *, what: str = "") -> T:
        """Wait until the predicate is true and return its value; asked again after each change of the world.

        Raises StillBusy after so many real seconds.
        """
        try:
            async with asyncio.timeout(seconds):
                while not (value := predicate()):
                    await self._next_change()
                return value
        except TimeoutError:
            raise StillBusy(f"not within {seconds} s: {what or predicate}") from None

    async def settle(self, seconds: float = 10) -> None:
        """Wait until nothing is going on: no request, no interaction, no unread event, every idle check content.

        Raises StillBusy with what is still busy.
        """
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self._wait_for_quiet()
                    # A check may let the bot go on for a moment, so what was quiet is looked at once more after them.
                    if await self._is_content() and not self._busy():
                        return
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._next_change(), 0.01)
        except TimeoutError:
            raise StillBusy(f"still busy after {seconds} s: {self._busy() or 'an idle check'}") from None

    async def _is_content(self) -> bool:
        for check in self.idle_checks:
            if not await check():
                return False
        return True

    async def _wait_for_quiet(self) -> None:
        while busy := self._busy():
            for session in self.sessions:
                if not session.caught_up():
                    session.ask_how_far()
            if busy == self._busy():
                await self._next_change()

    def _busy(self) -> list[str]:
        unread = [str(session) for session in self.sessions if not session.caught_up()]
        return [
            *self.requests_in_flight.values(),
            *(f"open interaction {interaction}" for interaction in self.open_interactions),
            *(f"unread events of {session}" for session in unread),
        ]

    async def _next_change(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)
