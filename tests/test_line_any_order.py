"""The line in any order of events, on a real database: never over capacity, order kept, no seat asleep.

Every event is one transaction, as a press or a delivery is one. After each, what must always hold is checked; what was
given or offered by it is checked against who was ahead. Where deliveries are run until none is due, no seat may be free
and unoffered while somebody waits who could have it.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from builders import AGREED, GUILD, actor, details, facilitator, make_group, make_guild
from conftest import settings_for
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from lines import NOON, run_next
from sqlalchemy import select

from peerbot import departures, groups, members, seats
from peerbot.database import connect
from peerbot.errors import PeerbotError
from peerbot.models import Group, Member, Membership

PEOPLE = range(2000, 2007)
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
"""Where a commit need not wait for a disk."""
PICKS = st.integers(0, 6)
HOLDING = {"active", "paused", "offered"}


@dataclass(frozen=True)
class Row:
    """What the database says of one person in the group."""

    user_id: int
    state: str
    place: tuple[datetime, int] | None
    passed: bool
    away: bool
    offer_no: int
    unanswered: int

    @property
    def could_take(self) -> bool:
        return self.state == "waiting" and not self.passed and not self.away


class TheLine(RuleBasedStateMachine):
    """One group, seven people, and everything that can happen to them."""

    template: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.exists() else None)
        file = Path(self.folder.name) / "peerbot.db"
        shutil.copyfile(self.template, file)
        self.runner = asyncio.Runner()
        self.db = connect(settings_for(f"sqlite:///{file}"))
        self.now = NOON
        self.before: dict[int, Row] = {}
        self.group: Group

    def teardown(self) -> None:
        try:
            if self.before:
                self.settle(letters=True)
        finally:
            self.runner.run(self.db.close())
            self.runner.close()
            self.folder.cleanup()

    # what happens

    @initialize(capacity=st.integers(1, 2), waiting=st.integers(2, 4))
    def begin(self, capacity: int, waiting: int) -> None:
        """Begin with a full group and some in line: what is told here is about lines."""

        async def make() -> Group:
            async with self.db.begin() as session:
                await make_guild(session, now=self.now)
                return await make_group(session, now=self.now, capacity=capacity)

        self.group = self.run(make())
        for who in PEOPLE[:capacity]:
            self.ask(who)
        for who in PEOPLE[capacity : capacity + waiting]:
            self.ask(who, waits=True)

    @rule(who=st.sampled_from(PEOPLE), waits=st.booleans())
    def asks(self, who: int, *, waits: bool) -> None:
        self.ask(who, waits=waits)

    @precondition(lambda self: self.those("waiting", "offered"))
    @rule(pick=PICKS)
    def asks_from_the_line(self, pick: int) -> None:
        self.ask(self.one_of(pick, "waiting", "offered"))

    def ask(self, who: int, *, waits: bool = False) -> None:
        """Join, take, or wait in line: one rule. Whoever presses in the server is there."""

        async def do(session: Any) -> None:
            await departures.come_back(session, GUILD, who, now=self.now)
            await groups.sign_up(session, actor(who), self.group.group_id, agreed=AGREED, waits=waits, now=self.now)

        self.happens(do)

    @precondition(lambda self: self.those("active", "paused"))
    @rule(pick=PICKS, pauses=st.integers(0, 4), steps=st.integers(0, 3))
    def leaves(self, pick: int, pauses: int, steps: int) -> None:
        """A seat is given up, or seldom rests; what follows runs at once or later."""
        who = self.one_of(pick, "active", "paused")
        if pauses == 0:
            self.happens(lambda session: groups.pause(session, actor(who), self.group.group_id, now=self.now))
        else:
            self.happens(lambda session: groups.leave(session, actor(who), self.group.group_id, now=self.now))
        self.some_run(steps)

    @precondition(lambda self: self.those("offered"))
    @rule(pick=PICKS)
    def says_not_now(self, pick: int) -> None:
        who = self.one_of(pick, "offered")
        self.happens(lambda session: seats.pass_on(session, actor(who), self.group.group_id, now=self.now))

    @precondition(lambda self: self.those("waiting", "offered"))
    @rule(pick=PICKS)
    def leaves_the_line(self, pick: int) -> None:
        who = self.one_of(pick, "waiting", "offered")
        self.happens(lambda session: seats.leave_line(session, actor(who), self.group.group_id, now=self.now))

    @precondition(lambda self: self.those("active", "waiting", "offered"))
    @rule(pick=PICKS)
    def leaves_the_server(self, pick: int) -> None:
        who = self.one_of(pick, "active", "waiting", "offered")
        self.happens(lambda session: departures.leave(session, GUILD, who, now=self.now))

    @precondition(lambda self: any(row.away for row in self.before.values()))
    @rule(pick=PICKS)
    def comes_back(self, pick: int) -> None:
        away = [row.user_id for row in self.before.values() if row.away]
        who = away[pick % len(away)]
        self.happens(lambda session: departures.come_back(session, GUILD, who, now=self.now))

    @precondition(lambda self: self.those("active", "waiting", "offered", "removed"))
    @rule(pick=PICKS)
    def is_removed_or_let_back(self, pick: int) -> None:
        who = self.one_of(pick, *(["removed"] if self.those("removed") else ["active", "waiting", "offered"]))

        async def change(session: Any) -> None:
            member = await members.find(session, GUILD, who)
            assert member is not None
            if self.before[who].state == "removed":
                await groups.let_back(session, facilitator(), self.group.group_id, member.member_id)
            else:
                await groups.remove(session, facilitator(), self.group.group_id, member.member_id, now=self.now)

        self.happens(change)

    @rule(capacity=st.integers(1, 4))
    def gets_another_number_of_seats(self, capacity: int) -> None:
        seats_now = details(capacity=capacity)
        self.happens(lambda session: groups.edit(session, facilitator(), self.group.group_id, seats_now, now=self.now))

    @precondition(lambda self: len(self.those("waiting", "offered")) > 2)  # one that closes at once is a short story
    @rule(really=st.integers(0, 4))
    def closes(self, really: int) -> None:
        if really == 0:
            self.happens(lambda session: groups.close(session, facilitator(), self.group.group_id, now=self.now))

    @rule(hours=st.sampled_from([1, 9, 24, 49, 49, 80, 24 * 8, 24 * 7 * 13]), letters=st.booleans())
    def time_passes(self, hours: int, *, letters: bool) -> None:
        """Deliveries are run until none is due; without letters, as in an outage, none can be sent."""
        self.now += timedelta(hours=hours)
        self.settle(letters=letters)

    def settle(self, *, letters: bool) -> None:
        while self.run(run_next(self.db, self.now, letters=letters)) is not None:
            self.check()
        self.nobody_waits_beside_a_free_seat()

    @rule(steps=st.integers(1, 3))
    def some_deliveries_run(self, steps: int) -> None:
        self.some_run(steps)

    def some_run(self, steps: int) -> None:
        for _ in range(steps):
            self.run(run_next(self.db, self.now))
            self.check()

    # what holds

    def check(self) -> None:
        """After each event: never over capacity; places kept; given and offered in order."""
        rows, capacity, is_open = self.run(self.look())
        before, self.before = self.before, rows
        held = [row for row in rows.values() if row.state in HOLDING]
        assert len(held) <= capacity
        if not is_open:
            assert {row.state for row in rows.values()} <= {"active", "paused", "removed"}
            return
        could = sorted(row.place for row in rows.values() if row.could_take and row.place)
        for row in rows.values():
            was = before.get(row.user_id)
            in_line = row.state in {"waiting", "offered"}
            assert (row.place is not None) == in_line
            if was is not None and was.place is not None and in_line:
                assert row.place == was.place, "whoever stays in line keeps the place"
            assert not (row.state == "offered" and row.away), "no seat is held for somebody who is not here"
            if row.state == "offered" and (was is None or was.offer_no != row.offer_no):
                assert row.place is not None
                assert was is None or (was.state == "waiting" and not was.passed), "not to whoever let it go"
                assert could[:1] >= [row.place] or not could, "nobody ahead was overlooked"
            is_new = row.state == "active" and (was is None or was.state not in HOLDING)
            # Whoever was away and presses is back, at their place.
            if is_new and (was is None or was.place is None or was.passed):
                assert len(held) + len(could) <= capacity, "nobody jumps the line"
            elif is_new and was is not None and was.place is not None:
                ahead = [place for place in could if place < was.place]
                assert len(held) + len(ahead) <= capacity, "nobody ahead is left without"
            assert row.unanswered < 2

    def nobody_waits_beside_a_free_seat(self) -> None:
        rows, capacity, is_open = self.run(self.look())
        free = capacity - sum(row.state in HOLDING for row in rows.values())
        if is_open:
            assert not (free and [row for row in rows.values() if row.could_take]), "a seat is asleep"

    # how it is done

    def those(self, *states: str) -> list[int]:
        return [row.user_id for row in self.before.values() if row.state in states]

    def one_of(self, pick: int, *states: str) -> int:
        found = self.those(*states)
        return found[pick % len(found)]

    def run(self, what: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(what)

    def happens(self, what: Any) -> None:
        """Let one thing happen in a transaction of its own; what is refused changes nothing."""

        async def do() -> None:
            with suppress(PeerbotError):
                async with self.db.begin() as session:
                    done: Awaitable[Any] = what(session)
                    await done

        self.now += timedelta(seconds=1)
        self.run(do())
        self.check()

    async def look(self) -> tuple[dict[int, Row], int, bool]:
        async with self.db.read() as session:
            group = await session.get_one(Group, self.group.group_id)
            found = await session.execute(
                select(Membership, Member)
                .join(Member, Member.member_id == Membership.member_id)
                .where(Membership.group_id == group.group_id)
                .order_by(Membership.membership_id)
            )
            rows = {
                members.user_id(session, member): Row(
                    user_id=members.user_id(session, member),
                    state=each.state,
                    place=(each.line_at, each.membership_id) if each.line_at is not None else None,
                    passed=each.passed,
                    away=member.away_since is not None,
                    offer_no=each.offer_no,
                    unanswered=each.unanswered,
                )
                for each, member in found
            }
            return rows, group.capacity, group.state == "open"


@pytest.mark.timeout(300)  # where it fails, the shortest story is looked for
def test_whatever_happens_in_any_order_no_seat_sleeps_and_nobody_is_overlooked(sqlite_template: Path) -> None:
    TheLine.template = sqlite_template
    machine: Any = TheLine
    usual = settings(
        max_examples=25,
        stateful_step_count=30,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )

    run_state_machine_as_test(machine, settings=usual)
