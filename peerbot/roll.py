"""Who is in a server: asked of Discord once for everyone who wants to know at about the same time.

Discord takes some 110 questions a minute on one connection (events/gateway.mdx, "Rate Limiting"), and hundreds of
meetings may be due at one minute. Invariant: a server has at most one question under way; ids that come meanwhile are
asked together in the next, as urgently as whoever is in most of a hurry. An answer is remembered for less than a
minute, and no longer when Discord says that the person has changed. All of it is in memory only.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from peerbot import budget
from peerbot.clock import Clock

Person = TypeVar("Person")

AT_ONCE = 100
"""User ids that Discord takes in one question (events/gateway-events.mdx, "Request Guild Members")."""
REMEMBERED = timedelta(seconds=45)
"""How long an answer is used again. What is due at one minute is written within it, so that one answer serves all of
that; the looks at one meeting are minutes apart, so that each of them sees what the one before did not, even if Discord
has not said that somebody changed."""
LEAST = 99
"""Less urgent than anything."""
MOST_REMEMBERED = 2000
"""People who are remembered, all servers together; each takes about a kilobyte."""


@dataclass(eq=False)
class _Question(Generic[Person]):
    """Some users of a server about whom Discord is asked, now or next; `is_open` says that more can be added."""

    guild_id: int
    user_ids: set[int] = field(default_factory=set[int])
    changed: set[int] = field(default_factory=set[int])
    is_open: bool = True
    urgency: int = LEAST
    waiting: int = 0
    answer: asyncio.Task[dict[int, Person | None]] = field(init=False)


@dataclass(eq=False)
class _Server(Generic[Person]):
    """The questions about a server, the first of which is under way."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    questions: list[_Question[Person]] = field(default_factory=list[_Question[Person]])


class Roll(Generic[Person]):
    """Knows who is in each server, or asks.

    `ask` gets a server and at most a hundred user ids, and returns those of them who are there.
    """

    def __init__(self, clock: Clock, ask: Callable[[int, list[int]], Awaitable[Mapping[int, Person]]]) -> None:
        self._clock = clock
        self._ask = ask
        self._servers: dict[int, _Server[Person]] = {}
        self._known: dict[tuple[int, int], tuple[datetime, Person | None]] = {}

    async def present(self, guild_id: int, user_ids: Iterable[int], *, afresh: bool = False) -> list[Person]:
        """Return those of some users who are in a server, in the order of the ids.

        An answer may be 45 seconds old; `afresh` asks Discord after this call. Raises TimeoutError when no answer can
        come any more, and what asking raises, to everyone who waited for that question and to nobody else.
        """
        wanted = list(dict.fromkeys(user_ids))
        found = {} if afresh else self._remembered(guild_id, wanted)
        questions = {self._question(guild_id, each, afresh=afresh) for each in wanted if each not in found}
        for answer in await self._answers(questions):
            found |= answer
        there = [found.get(user_id) for user_id in wanted]
        return [person for person in there if person is not None]

    def has_changed(self, guild_id: int, user_id: int) -> None:
        """Forget what is known of a person who came, left, or was changed; what is under way tells of before."""
        self._known.pop((guild_id, user_id), None)
        server = self._servers.get(guild_id)
        for question in server.questions if server is not None else ():
            if not question.is_open:
                question.changed.add(user_id)

    def begin_anew(self, guild_ids: set[int]) -> None:
        """Forget all of some servers of whose changes nothing was heard for a while, and wait for no answer of then."""
        self._known = {key: known for key, known in self._known.items() if key[0] not in guild_ids}
        for guild_id in guild_ids & self._servers.keys():
            for question in [each for each in self._servers[guild_id].questions if not each.is_open]:
                self._give_up(question)

    def _remembered(self, guild_id: int, user_ids: list[int]) -> dict[int, Person | None]:
        now, found = self._clock.now(), dict[int, Person | None]()
        for user_id in user_ids:
            at, person = self._known.get((guild_id, user_id), (None, None))
            if at is not None and at <= now < at + REMEMBERED:  # a clock may be set back
                found[user_id] = person
        return found

    def _question(self, guild_id: int, user_id: int, *, afresh: bool) -> _Question[Person]:
        """Return the question under way or to come that asks about a user."""
        server = self._servers.setdefault(guild_id, _Server())
        for question in server.questions:
            is_of_use = question.is_open or not (afresh or question.answer.done() or user_id in question.changed)
            if is_of_use and user_id in question.user_ids:
                question.urgency = min(question.urgency, budget.urgency.get())
                return question
        last = server.questions[-1] if server.questions else None
        if last is None or not last.is_open or len(last.user_ids) >= AT_ONCE:
            last = _Question[Person](guild_id)
            last.answer = asyncio.create_task(self._put(server, last), name="who is there")
            last.answer.add_done_callback(lambda _task, asked=last: self._is_over(asked))
            server.questions.append(last)
        last.user_ids.add(user_id)
        last.urgency = min(last.urgency, budget.urgency.get())
        return last

    async def _put(self, server: _Server[Person], question: _Question[Person]) -> dict[int, Person | None]:
        async with server.turn:
            question.is_open = False
            budget.urgency.set(question.urgency)
            budget.not_after.set(math.inf)  # who asked first may be too late, and others are not
            asked_at = self._clock.now()
            there = await self._ask(question.guild_id, sorted(question.user_ids))
        found = {user_id: there.get(user_id) for user_id in question.user_ids}
        for user_id in found.keys() - question.changed:
            key = (question.guild_id, user_id)
            self._known.pop(key, None)  # so that the oldest stay first
            self._known[key] = (asked_at, found[user_id])
        self._tidy()
        return found

    def _tidy(self) -> None:
        now = self._clock.now()
        for key, (at, _person) in list(self._known.items()):
            if len(self._known) <= MOST_REMEMBERED and now < at + REMEMBERED:
                return
            del self._known[key]

    async def _answers(self, questions: Collection[_Question[Person]]) -> list[dict[int, Person | None]]:
        if not questions:
            return []
        for question in questions:
            question.waiting += 1
        try:
            # Not gather: who is cancelled while waiting must not cancel what others wait for.
            tasks = [question.answer for question in questions]
            over, _others = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            if any(task.cancelled() for task in over):
                raise TimeoutError("the connection on which it was asked is gone")
            return [task.result() for task in over]
        finally:
            for question in questions:
                question.waiting -= 1
                if not question.waiting and not question.answer.done():
                    self._give_up(question)

    def _give_up(self, question: _Question[Person]) -> None:
        self._strike(question)
        question.answer.cancel()

    def _is_over(self, question: _Question[Person]) -> None:
        self._strike(question)
        if not question.answer.cancelled():
            question.answer.exception()  # known to those who waited, if anybody still did

    def _strike(self, question: _Question[Person]) -> None:
        server = self._servers.get(question.guild_id)
        if server is not None and question in server.questions:
            server.questions.remove(question)
            if not server.questions:
                del self._servers[question.guild_id]
