"""The line in any order of events, on a real database: never over capacity, order kept, no seat asleep.

Every event is one transaction, as a press or a delivery is one. After each, what must always hold is checked; what was
given or offered by it is checked against who was ahead. No seat may be free and unoffered while somebody waits who
could have it, unless the step that offers it is due.
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
from builders import AGREED, GUILD, actor, details, facilitator, make_group, make_guild, settings_for
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from lines import NOON, run_next
from sqlalchemy import select

from peerbot import deliveries, departures, groups, members, pauses, seats
from peerbot.database import connect
from peerbot.errors import PeerbotError
from peerbot.models import Delivery, Group, Member, Membership

PEOPLE = range(2000, 2007)
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
"""Where a commit need not wait for a disk."""
PICKS = st.integers(0, 6)
HOLDING = {"active", "paused", "offered"}
ANY: tuple[str, ...] = ()
EVENTS: dict[str, tuple[int, tuple[str, ...]]] = {
    "asks": (6, ANY),
    "asks_from_the_line": (2, ("waiting",)),
    "takes_it": (2, ("offered",)),
    "leaves": (5, ("active", "paused")),
    "rests": (1, ("active",)),
    "says_not_now": (3, ("offered",)),
    "leaves_the_line": (2, ("waiting", "offered")),
    "leaves_the_server": (2, ("active", "waiting", "offered")),
    "comes_back": (2, ANY),
    "is_removed": (2, ("active", "waiting", "offered")),
    "is_let_back": (2, ("removed",)),
    "gets_another_number_of_seats": (2, ANY),
    "closes": (1, ANY),
    "hours_pass": (2, ANY),
    "days_pass": (2, ("offered",)),
    "an_outage_passes": (1, ANY),
    "some_deliveries_run": (3, ANY),
}
"""What can happen, how often, and which states of people it needs."""


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
    group: ClassVar[Group]

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.exists() else None)
        file = Path(self.folder.name) / "peerbot.db"
        shutil.copyfile(self.template, file)
        self.runner = asyncio.Runner()
        self.db = connect(settings_for(f"sqlite:///{file}"))
        self.now = NOON
        self.before: dict[int, Row] = {}
        self.seats = 2

    def teardown(self) -> None:
        try:
            if self.before:
                self.settle(letters=True)
                self.close()
                self.settle(letters=True)
        finally:
            self.runner.run(self.db.close())
            self.runner.close()
            self.folder.cleanup()

    # what happens

    @initialize(more=st.integers(0, 2))
    def begin(self, more: int) -> None:
        """Begin with a full group of two and some in line: what is told here is about lines."""
        self.before, *_rest = self.run(self.look())
        for who in PEOPLE[4 : 4 + more]:
            self.ask(who, waits=True)

    # One rule for all, because Hypothesis leaves whole rules out of a story: most would have no line, or no offer.
    @rule(number=st.integers(0, 99), pick=PICKS)
    def goes_on(self, number: int, pick: int) -> None:
        possible = [what for what, (weight, of) in EVENTS.items() if not of or self.those(*of) for _ in range(weight)]
        what = possible[number % len(possible)]
        note(f"{what} ({pick})")
        getattr(self, what)(pick)

    def asks(self, pick: int) -> None:
        """Whoever has nothing asks for a seat, mostly also if that means to wait."""
        outside = [who for who in PEOPLE if who not in self.before]
        self.ask(outside[pick % len(outside)] if outside else PEOPLE[pick], waits=pick != 0)

    def asks_from_the_line(self, pick: int) -> None:
        self.ask(self.one_of(pick, "waiting"))

    def takes_it(self, pick: int) -> None:
        self.ask(self.one_of(pick, "offered"))

    def ask(self, who: int, *, waits: bool = False) -> None:
        """Join, take, or wait in line: one rule. Whoever presses in the server is there."""

        async def do(session: Any) -> None:
            await departures.come_back(session, GUILD, who, now=self.now)
            await groups.sign_up(session, actor(who), self.group.group_id, agreed=AGREED, waits=waits, now=self.now)

        self.happens(do)

    def leaves(self, pick: int) -> None:
        """A seat is given up; what follows runs at once or later."""
        who = self.one_of(pick, "active", "paused")
        self.happens(lambda session: groups.leave(session, actor(who), self.group.group_id, now=self.now))
        self.some_deliveries_run(pick // 2)

    def rests(self, pick: int) -> None:
        who = self.one_of(pick, "active")
        self.happens(lambda session: pauses.pause(session, actor(who), self.group.group_id, now=self.now))

    def says_not_now(self, pick: int) -> None:
        who = self.one_of(pick, "offered")
        self.happens(lambda session: seats.pass_on(session, actor(who), self.group.group_id, now=self.now))

    def leaves_the_line(self, pick: int) -> None:
        who = self.one_of(pick, "waiting", "offered")
        self.happens(lambda session: seats.leave_line(session, actor(who), self.group.group_id, now=self.now))

    def leaves_the_server(self, pick: int) -> None:
        who = self.one_of(pick, "active", "waiting", "offered")
        self.happens(lambda session: departures.leave(session, GUILD, who, now=self.now))

    def comes_back(self, pick: int) -> None:
        away = [row.user_id for row in self.before.values() if row.away] or [PEOPLE[pick]]
        who = away[pick % len(away)]
        self.happens(lambda session: departures.come_back(session, GUILD, who, now=self.now))

    def is_removed(self, pick: int) -> None:
        who = self.one_of(pick, "active", "waiting", "offered")

        async def remove(session: Any) -> None:
            member_id = await self.member_id(session, who)
            await groups.remove(session, facilitator(), self.group.group_id, member_id, now=self.now)

        self.happens(remove)

    def is_let_back(self, pick: int) -> None:
        who = self.one_of(pick, "removed")

        async def let_back(session: Any) -> None:
            member_id = await self.member_id(session, who)
            await groups.let_back(session, facilitator(), self.group.group_id, member_id)

        self.happens(let_back)

    def gets_another_number_of_seats(self, pick: int) -> None:
        seats_now = details(capacity=1 + pick % 4)
        self.happens(lambda session: groups.edit(session, facilitator(), self.group.group_id, seats_now, now=self.now))

    def closes(self, pick: int) -> None:
        if pick == 0:  # a story about a group that is closed is a short one
            self.close()

    def close(self) -> None:
        self.happens(lambda session: groups.close(session, facilitator(), self.group.group_id, now=self.now))

    def hours_pass(self, pick: int) -> None:
        self.now += timedelta(hours=(1, 9, 24, 30, 24 * 8, 24 * 8, 24 * 7 * 13)[pick])
        self.settle(letters=True)

    def days_pass(self, pick: int) -> None:
        """Most offers of which people were told come to their end."""
        self.now += timedelta(hours=(49, 58)[pick % 2])
        self.settle(letters=True)

    def an_outage_passes(self, pick: int) -> None:
        """Deliveries of the line are run, but none can be sent."""
        self.now += timedelta(hours=(1, 24, 49)[pick % 3])
        self.settle(letters=False)

    def settle(self, *, letters: bool) -> None:
        while self.run(run_next(self.db, self.now, letters=letters)) is not None:
            self.check()

    def some_deliveries_run(self, pick: int) -> None:
        for _ in range(pick):
            if self.run(run_next(self.db, self.now)) is None:
                break
            self.check()

    # what holds

    def check(self) -> None:
        """After each event: never over capacity; places kept; given and offered in order."""
        rows, capacity, is_open, is_promised = self.run(self.look())
        before, self.before = self.before, rows
        frees = capacity > self.seats or any(
            was.state in HOLDING and (who not in rows or rows[who].state not in HOLDING) for who, was in before.items()
        )
        self.seats = capacity
        held = [row for row in rows.values() if row.state in HOLDING]
        assert len(held) <= capacity
        if not is_open:
            assert {row.state for row in rows.values()} <= {"active", "paused", "removed"}
            return
        could = sorted(row.place for row in rows.values() if row.could_take and row.place)
        assert not could or len(held) == capacity or is_promised, "a free seat is offered, or will be at once"
        for row in rows.values():
            was = before.get(row.user_id)
            in_line = row.state in {"waiting", "offered"}
            assert (row.place is not None) == in_line
            if was is not None and was.place is not None and in_line:
                assert row.place == was.place, "whoever stays in line keeps the place"
                assert row.passed >= was.passed or frees, "nobody is asked again about the seat that they let go"
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

        self.run(do())
        self.check()

    @staticmethod
    async def member_id(session: Any, who: int) -> int:
        member = await members.find(session, GUILD, who)
        assert member is not None
        return member.member_id

    async def look(self) -> tuple[dict[int, Row], int, bool, bool]:
        offering = select(Delivery).where(
            Delivery.kind == "seats.free", Delivery.state == deliveries.PENDING, Delivery.next_at <= self.now
        )
        everyone = (
            select(Group, Membership, Member, offering.exists())
            .outerjoin(Membership, Membership.group_id == Group.group_id)
            .outerjoin(Member, Member.member_id == Membership.member_id)
            .where(Group.group_id == self.group.group_id)
            .order_by(Membership.membership_id)
        )
        async with self.db.read() as session:
            found = (await session.execute(everyone)).all()
            group, *_one, is_promised = found[0]
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
                for _group, each, member, _promised in found
                if each  # none in a group that nobody is in
            }
        return rows, group.capacity, group.state == "open", is_promised


async def begun(file: Path) -> Group:
    """Fill a database with a full group of two seats, and two in line."""
    db = connect(settings_for(f"sqlite:///{file}"))
    async with db.begin() as session:
        await make_guild(session, now=NOON)
        group = await make_group(session, now=NOON, capacity=2)
        for who in PEOPLE[:4]:
            await groups.sign_up(session, actor(who), group.group_id, agreed=AGREED, waits=True, now=NOON)
    await db.close()
    return group


@pytest.mark.timeout(300)  # where it fails, the shortest story is looked for
def test_whatever_happens_in_any_order_no_seat_sleeps_and_nobody_is_overlooked(
    sqlite_template: Path, tmp_path: Path
) -> None:
    TheLine.template = Path(shutil.copyfile(sqlite_template, tmp_path / "begun.db"))
    TheLine.group = asyncio.run(begun(TheLine.template))
    machine: Any = TheLine
    usual = settings(
        max_examples=25,
        stateful_step_count=30,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )

    run_state_machine_as_test(machine, settings=usual)
