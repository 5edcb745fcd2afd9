"""Two things that happen to one line at the same moment: the second waits for the first and sees what it did.

Which one is first is not left to chance: it is held open until the database says that the second one waits for it.
SQLite has one writer, so PostgreSQL alone can fail here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from builders import AGREED, GUILD, actor, details, facilitator, make_group, make_guild, seat
from in_turn import begun
from lines import DAY, NOON, STEPS, TWO_DAYS, run_due, states, wait
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import deliveries, departures, facilitators, groups, members, pauses, seats
from peerbot.config import Settings
from peerbot.database import Database, connect
from peerbot.errors import PeerbotError
from peerbot.models import Delivery, Group, Guild, Member
from peerbot.types import KEEPS_KEY

HOLDER, FIRST, SECOND, STRANGER = 100, 101, 102, 999
END = NOON + TWO_DAYS
Rule = Callable[[AsyncSession, int], Awaitable[Any]]


def joins(user_id: int, **changes: Any) -> Rule:
    asked: dict[str, Any] = {"agreed": AGREED, "now": NOON, **changes}
    return lambda session, group_id: groups.sign_up(session, actor(user_id), group_id, **asked)


def gives_up(user_id: int) -> Rule:
    return lambda session, group_id: groups.leave(session, actor(user_id), group_id, now=NOON)


def rests(user_id: int) -> Rule:
    return lambda session, group_id: pauses.pause(session, actor(user_id), group_id, now=NOON)


def goes_on(user_id: int) -> Rule:
    return lambda session, group_id: pauses.resume(session, actor(user_id), group_id)


def passes(user_id: int) -> Rule:
    return lambda session, group_id: seats.pass_on(session, actor(user_id), group_id, now=NOON)


def leaves_line(user_id: int) -> Rule:
    return lambda session, group_id: seats.leave_line(session, actor(user_id), group_id, now=NOON)


def leaves_server(user_id: int, **changes: Any) -> Rule:
    return lambda session, _group_id: departures.leave(session, GUILD, user_id, **{"now": NOON, **changes})


def comes_back(user_id: int, **changes: Any) -> Rule:
    return lambda session, _group_id: departures.come_back(session, GUILD, user_id, **{"now": NOON, **changes})


def has_seats(capacity: int) -> Rule:
    new = details(capacity=capacity)
    return lambda session, group_id: groups.edit(session, facilitator(), group_id, new, now=NOON)


async def closes(session: AsyncSession, group_id: int) -> None:
    await groups.close(session, facilitator(), group_id, now=NOON)


def removes(user_id: int) -> Rule:
    async def remove(session: AsyncSession, group_id: int) -> None:
        member = await members.find(session, GUILD, user_id)
        assert member is not None
        await groups.remove(session, facilitator(), group_id, member.member_id, now=NOON)

    return remove


def looks_after_it(user_id: int) -> Rule:
    roles = facilitator().role_ids
    return lambda session, group_id: facilitators.add(session, facilitator(), group_id, user_id, roles, now=NOON)


def step(kind: str, now: Any = NOON) -> Rule:
    """Run the last step of a kind that was planned; it is looked for before it is run, as a claimed row is."""

    async def run(session: AsyncSession, _group_id: int) -> None:
        last = select(Delivery).where(Delivery.kind == kind).order_by(Delivery.delivery_id.desc()).limit(1)
        delivery = (await session.scalars(last)).one()
        await STEPS[kind](session, delivery, now)

    return run


OFFERS, EXPIRES = step("seats.free"), step("seats.expire", END)
PAUSE_ENDS = step("groups.pause_over", NOON + pauses.PAUSE)
LAPSES = step("groups.seat_lapses", NOON + 7 * DAY)

LATER = NOON + pauses.PAUSE
"""When all that is told here is due, and nothing that follows it."""
FULL = {HOLDER: "active", FIRST: "waiting", SECOND: "waiting"}
FREED = {FIRST: "waiting", SECOND: "waiting"}
OFFERED = {FIRST: "offered", SECOND: "waiting"}


@dataclass(frozen=True)
class Both:
    """Two things at once, what is said to the second, and how the line is in the end; `before` comes before them."""

    first: Rule
    second: Rule
    said: str
    found: dict[int, str]
    before: Rule | None = None


OFFER_TAKEN, OFFER_PASSED = {FIRST: "active", SECOND: "waiting"}, {FIRST: "waiting", SECOND: "offered"}
WITH_AN_OFFER = [
    Both(joins(FIRST), EXPIRES, "done", OFFER_TAKEN),
    Both(EXPIRES, joins(FIRST), "InLine", OFFER_PASSED),
    Both(EXPIRES, EXPIRES, "done", OFFER_PASSED),
    Both(passes(FIRST), joins(FIRST), "InLine", OFFER_PASSED),
    Both(joins(FIRST), passes(FIRST), "NotInLine", OFFER_TAKEN),
    Both(joins(FIRST), joins(FIRST), "AlreadyMember", OFFER_TAKEN),
    Both(leaves_line(FIRST), joins(FIRST), "GroupFull", {SECOND: "offered"}),
    Both(joins(FIRST), leaves_line(FIRST), "NotInLine", OFFER_TAKEN),
    Both(removes(FIRST), joins(FIRST), "WasRemoved", {FIRST: "removed", SECOND: "offered"}),
    Both(looks_after_it(FIRST), joins(FIRST), "NotValid", {SECOND: "offered"}),
    Both(leaves_server(FIRST), EXPIRES, "done", OFFER_PASSED),
    Both(joins(FIRST), leaves_server(FIRST), "done", OFFER_TAKEN),
    Both(closes, joins(FIRST), "GroupClosed", {}),
    Both(closes, EXPIRES, "done", {}),
    Both(closes, passes(FIRST), "NotInLine", {}),
]
WITH_A_FREE_SEAT = [
    Both(OFFERS, OFFERS, "done", OFFERED),
    Both(OFFERS, joins(STRANGER), "GroupFull", OFFERED),
    Both(OFFERS, joins(SECOND), "InLine", OFFERED),
    Both(joins(FIRST), OFFERS, "done", OFFER_TAKEN),
    Both(leaves_line(FIRST), OFFERS, "done", {SECOND: "offered"}),
    Both(removes(FIRST), OFFERS, "done", {FIRST: "removed", SECOND: "offered"}),
    Both(leaves_server(FIRST), OFFERS, "done", OFFER_PASSED),
    Both(OFFERS, leaves_server(FIRST), "done", OFFER_PASSED),
    Both(has_seats(2), OFFERS, "done", {FIRST: "offered", SECOND: "offered"}),
    Both(closes, OFFERS, "done", {}),
]
WITH_A_SEAT = [
    Both(gives_up(HOLDER), joins(STRANGER), "GroupFull", OFFERED),
    Both(gives_up(HOLDER), gives_up(HOLDER), "NotMember", OFFERED),
    Both(gives_up(HOLDER), rests(HOLDER), "NotMember", OFFERED),
    Both(gives_up(HOLDER), removes(HOLDER), "NotMember", OFFERED),
    Both(gives_up(HOLDER), leaves_server(HOLDER), "done", OFFERED),
    Both(has_seats(2), joins(STRANGER), "GroupFull", {HOLDER: "active", FIRST: "offered", SECOND: "waiting"}),
    Both(leaves_line(FIRST), has_seats(2), "done", {HOLDER: "active", SECOND: "offered"}),
    Both(goes_on(HOLDER), PAUSE_ENDS, "done", FULL, before=rests(HOLDER)),
    Both(PAUSE_ENDS, goes_on(HOLDER), "NotMember", OFFERED, before=rests(HOLDER)),
    Both(LAPSES, gives_up(HOLDER), "NotMember", OFFERED, before=leaves_server(HOLDER)),
    Both(comes_back(HOLDER), LAPSES, "done", FULL, before=leaves_server(HOLDER)),
]


@pytest.fixture
def backend() -> str:
    return "postgres"


@pytest.fixture
async def other(db: Database, settings: Settings) -> AsyncIterator[Database]:
    """A second process."""
    made = connect(settings)
    yield made
    await made.close()


async def full(db: Database) -> Group:
    """Begin with nothing but a group of one seat, which somebody has, and two who wait for it."""
    async with db.begin() as session:
        await session.execute(delete(Guild))
        await make_guild(session, now=NOON)
        made = await make_group(session, now=NOON, capacity=1)
        await seat(session, made, HOLDER, now=NOON)
    await wait(db, made, FIRST, SECOND)
    return made


async def happens(db: Database, group: Group, rule: Rule) -> str:
    """Let one thing happen in a transaction of its own; return "done" or what was said."""
    try:
        async with db.begin(wait=10) as session:
            await rule(session, group.group_id)
    except PeerbotError as refusal:
        return type(refusal).__name__
    return "done"


async def in_turn(db: Database, other: Database, group: Group, both: Both) -> str:
    """Let the first happen, and the second while the first is not yet committed; return what became of the second."""
    async with db.begin(wait=10) as session:
        await both.first(session, group.group_id)
        later = await begun(session, happens(other, group, both.second))
        assert not later.done(), "it waits for whoever has the group"
    return await later


async def test_what_becomes_of_an_offer_is_decided_once(db: Database, other: Database) -> None:
    for number, both in enumerate(WITH_AN_OFFER):
        group = await full(db)
        await happens(db, group, gives_up(HOLDER))
        await run_due(db)
        assert await states(db, group) == OFFERED
        assert await in_turn(db, other, group, both) == both.said, number
        await run_due(db)
        assert await states(db, group) == both.found, number


async def test_a_seat_that_was_given_up_goes_to_one_person(db: Database, other: Database) -> None:
    for number, both in enumerate(WITH_A_FREE_SEAT):
        group = await full(db)
        await happens(db, group, gives_up(HOLDER))
        assert await states(db, group) == FREED
        assert await in_turn(db, other, group, both) == both.said, number
        await run_due(db)
        assert await states(db, group) == both.found, number


async def test_a_seat_is_given_up_or_kept_and_not_both(db: Database, other: Database) -> None:
    for number, both in enumerate(WITH_A_SEAT):
        group = await full(db)
        if both.before is not None:
            await happens(db, group, both.before)
        assert await in_turn(db, other, group, both) == both.said, number
        await run_due(db, LATER)
        assert await states(db, group) == both.found, number


@pytest.mark.parametrize(
    ("before", "rule"),
    [
        (None, leaves_server(FIRST)),
        (leaves_server(FIRST), comes_back(FIRST)),
        (leaves_server(FIRST), LAPSES),
    ],
    ids=["leaves", "comes back", "stays away"],
)
async def test_who_comes_and_goes_waits_for_their_groups_in_one_order_before_anything_else(
    db: Database, other: Database, before: Rule | None, rule: Rule
) -> None:
    group = await full(db)
    async with db.begin() as session:
        second = await make_group(session, now=NOON, name="Friday", room_id=78)
        await seat(session, second, FIRST, now=NOON)
        person = await members.find(session, GUILD, FIRST)
        assert person is not None
    if before is not None:
        await happens(db, group, before)
    async with db.begin(wait=10) as session:
        await session.get(Group, group.group_id, with_for_update=KEEPS_KEY)
        later = await begun(session, happens(other, group, rule))
        assert not later.done()
        for held, table in ((second.group_id, Group), (person.member_id, Member)):
            free = await session.get(table, held, with_for_update={"skip_locked": True}, populate_existing=True)
            assert free is not None, f"{table.__tablename__} are free for whoever holds the first group"
    assert await later == "done"


async def test_whoever_holds_the_group_keeps_nobody_from_writing_what_belongs_to_it(
    db: Database, other: Database
) -> None:
    group = await full(db)

    async def refers_to_it(session: AsyncSession, group_id: int) -> None:
        await deliveries.plan(session, "x", "x", guild_id=GUILD, group_id=group_id, now=NOON)

    for holds in (gives_up(HOLDER), OFFERS, leaves_server(FIRST)):
        async with db.begin(wait=10) as session:
            await holds(session, group.group_id)
            writing = await begun(session, happens(other, group, refers_to_it))
            assert writing.done(), "a row that refers to the group is no change of the group"
        assert await writing == "done"


@pytest.mark.parametrize(
    "rule", [gives_up(HOLDER), removes(HOLDER), has_seats(3), joins(STRANGER, waits=True), closes, leaves_line(SECOND)]
)
async def test_whoever_changes_the_line_waits_for_no_delivery_that_waits_for_the_line(
    db: Database, other: Database, rule: Rule
) -> None:
    group = await full(db)
    await happens(db, group, has_seats(2))
    async with db.begin(wait=10) as session:
        [delivery] = await session.scalars(select(Delivery).where(Delivery.kind == "seats.free").with_for_update())
        changing = await begun(session, happens(other, group, rule))
        assert changing.done(), "the delivery's row is held, and will ask for the group"
        await seats.offer(session, delivery, NOON)
    assert await changing == "done"
