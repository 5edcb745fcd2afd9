"""The outbox: rows for everything that must happen, written in the transaction that causes it.

A row is planned, claimed with a lease, and acknowledged with the fencing number of its claim; whoever holds an older
number changes nothing. Expired leases are claimed before anything else, so that a resend falls into the time in which
Discord still recognises the nonce. A row holds no text and no user id: what it says is read when it is sent.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from functools import cache
from typing import Any
from zlib import crc32

from sqlalchemy import (
    ColumnElement,
    Executable,
    case,
    column,
    delete,
    false,
    func,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import many, owners
from peerbot.models import Delivery, Group
from peerbot.types import insert_for

LEASE = timedelta(seconds=45)
"""How long a claim holds: what a frozen process holds is taken over within a minute, and while Discord still recognises
the nonce, which it says to do for minutes."""
KEEP = timedelta(days=7)
"""How long a row stays after its end, to be looked at and to keep its key taken."""

# Rendered as literals: a partial index is not used for a bound parameter (measured on both engines).
PENDING, LEASED, DONE, EXPIRED, CANCELLED, DEAD = range(6)
_Which = tuple[ColumnElement[bool], ...]


class Priority(IntEnum):
    """Who goes first when there is more to send than Discord takes."""

    HELP = 0
    ACCESS = 1
    START = 2
    NOTE = 4
    CARD = 6


def _is(state: int) -> ColumnElement[bool]:
    return Delivery.state == literal_column(str(state))


def _pending(priority: Priority) -> _Which:
    return _is(PENDING), Delivery.priority == literal_column(str(int(priority)))


async def plan(
    session: AsyncSession,
    kind: str,
    key: str,
    *,
    guild_id: int,
    now: datetime,
    due_at: datetime | None = None,
    not_after: datetime | None = None,
    priority: Priority = Priority.NOTE,
    again: bool = False,
    at_once: bool = False,
    collapse: str | None = None,
    early: timedelta = timedelta(),
    channel_id: int | None = None,
    group_id: int | None = None,
    member_id: int | None = None,
    subject_id: int | None = None,
) -> int:
    """Plan a delivery and return its id; the same key is planned once.

    With `again` the row stands for a state to be reached (access, a card): planning it anew runs it anew, after the run
    that may be under way; with `at_once` too, somebody waits for it, and this process claims it in the same
    transaction. Of several due messages with the same `collapse`, only the latest is sent. What need not be exact may
    come up to `early` before it is due, at a moment of its own, so that not all of an hour is due at once.
    """
    due = (due_at or now) - early * (crc32(f"{guild_id}:{kind}:{key}".encode()) / 2**32)
    each = Planned(key, guild_id, due, group_id, subject_id, member_id, channel_id, not_after, collapse)
    values = _values(kind, each, priority, now)
    engine = session.get_bind().dialect.name
    if again and at_once and due <= now and session.info.get("claims_as") is not None:
        row = await _plan_claimed(session, engine, values, now)
        planned = row.delivery_id
        if not row.again:  # else it is being carried out, and runs once more after that
            session.info["claimed"].append(row)
            return planned
    else:
        planned = await session.scalar(_planning(engine, "again" if again else "once"), values)
    if planned is None:
        key_taken = select(Delivery.delivery_id).where(Delivery.dedupe_key == values["dedupe_key"])
        return (await session.scalars(key_taken)).one()
    if due <= now:
        session.info["planned"].append(planned)
    return planned


@dataclass(frozen=True)
class Planned:
    """One of many deliveries that are planned at once."""

    key: str
    guild_id: int
    due_at: datetime
    group_id: int | None = None
    subject_id: int | None = None
    member_id: int | None = None
    channel_id: int | None = None
    not_after: datetime | None = None
    collapse: str | None = None


async def plan_many(
    session: AsyncSession,
    kind: str,
    several: Sequence[Planned],
    *,
    now: datetime,
    priority: Priority = Priority.NOTE,
    again: bool = False,
) -> None:
    """Plan many deliveries of a kind in one statement; a key that is planned already is left as it is.

    With `again` it is planned anew, as `plan` does it.
    """
    if not several:
        return
    values = (_values(kind, each, priority, now) for each in several)
    rows = [*{row["dedupe_key"]: row for row in values}.values()]  # PostgreSQL changes no row twice in a statement
    unused = [name for name in rows[0] if all(row[name] is None for row in rows)]
    for row in rows:
        for name in unused:
            del row[name]
    engine, how = session.get_bind().dialect.name, "again" if again else "once"
    names = tuple(name for name in rows[0] if name != "next_at")
    if due := [row for row in rows if row["due_at"] <= now]:
        given = many.rows(engine, names, due, alike=_ALIKE)
        session.info["planned"] += await session.scalars(_planning(engine, how, names), given)
    # Nobody asks for the ids of what is due later, and without them a row takes half the time.
    if later := [row for row in rows if row["due_at"] > now]:
        given = many.rows(engine, names, later, alike=_ALIKE)
        await session.execute(_planning(engine, how, names, returns=False), given)


def _values(kind: str, each: Planned, priority: Priority, now: datetime) -> dict[str, Any]:
    return {
        "dedupe_key": f"{each.guild_id}:{kind}:{each.key}",
        "kind": kind,
        "guild_id": each.guild_id,
        "priority": int(priority),
        "due_at": each.due_at,
        "next_at": each.due_at,
        "not_after": each.not_after,
        "created_at": now,
        "channel_id": each.channel_id,
        "group_id": each.group_id,
        "member_id": each.member_id,
        "subject_id": each.subject_id,
        "collapse_key": each.collapse,
    }


_ALIKE = ("kind", "priority", "created_at")
"""What is the same for all that are planned at once."""


async def _plan_claimed(session: AsyncSession, engine: str, values: dict[str, Any], now: datetime) -> Delivery:
    """Plan a row that this process carries out, unless somebody carries it out already."""
    owner = session.info["claims_as"]
    values |= {"state": LEASED, "owner": owner, "claim_no": 1, "attempts": 1, "first_send_at": now}
    if engine == "postgresql":  # which uses its own clock
        del values["next_at"]
    else:
        values["next_at"] = datetime.now(UTC) + LEASE
    return Delivery(**(await session.execute(_planning(engine, "claimed"), values)).mappings().one())


@cache  # building it takes longer than running it
def _planning(engine: str, how: str, names: tuple[str, ...] = (), *, returns: bool = True) -> Executable:
    """Return the statement that plans a row: "once", or "again", or "claimed" by this process if nobody carries it.

    With the names of what is given of each, it plans many rows.
    """
    columns = Delivery.__table__.c
    row = insert_for(engine, Delivery.__table__)
    if how != "claimed":  # in the statement: what the model says would be worked out and sent for each row
        zero = literal_column("0")
        new = {"state": zero, "again": false(), "attempts": zero, "claim_no": zero}
        if names and engine == "postgresql":
            new["next_at"] = column("due_at")
        row = many.insert(engine, Delivery.__table__, names, alike=_ALIKE, **new) if names else row.values(**new)
    if how == "once":
        row = row.on_conflict_do_nothing(index_elements=["dedupe_key"])
        return row.returning(columns.delivery_id) if returns else row
    running = columns.state == literal_column(str(LEASED))
    changes: dict[str, Any] = {
        "state": case((running, literal_column("1")), else_=literal_column("0")),
        "again": running,
        "due_at": row.excluded.due_at,
        "next_at": case((running, columns.next_at), else_=row.excluded.next_at),
        "attempts": case((running, columns.attempts), else_=row.excluded.attempts),
        "channel_id": row.excluded.channel_id,
        "problem": null(),  # a parameter would make many rows as many statements
    }
    if how == "again":
        row = row.on_conflict_do_update(index_elements=["dedupe_key"], set_=changes)
        return row.returning(columns.delivery_id) if returns else row
    first_send_at = func.coalesce(columns.first_send_at, row.excluded.first_send_at)
    changes |= {
        "state": literal_column(str(LEASED)),
        "owner": case((running, columns.owner), else_=row.excluded.owner),
        "claim_no": case((running, columns.claim_no), else_=columns.claim_no + 1),
        "first_send_at": case((running, columns.first_send_at), else_=first_send_at),
    }
    if engine == "postgresql":
        row = row.values(next_at=func.clock_timestamp() + LEASE)
    return row.on_conflict_do_update(index_elements=["dedupe_key"], set_=changes).returning(*columns)


async def claim(
    session: AsyncSession,
    *,
    now: datetime,
    owner: str,
    limit: int,
    lease: timedelta = LEASE,
    carried: Collection[int] = (),
    most: Priority = Priority.CARD,
) -> list[Delivery]:
    """Claim up to `limit` rows: first those whose lease ran out, then what is due, the most urgent first.

    `carried` are rows that this process is carrying out: whatever the clock says, it does not take them from itself.
    Nothing is claimed that is less urgent than `most`.

    Of several due rows with one collapse key the latest is claimed, and the others are cancelled.
    """
    leased, first_due = await _look(session)
    each_due: list[_Which] = []
    if leased is not None:
        expired = (_is(LEASED), Delivery.next_at <= _machine_time(session), Delivery.delivery_id.not_in(carried))
        each_due.append(expired if most == max(Priority) else (*expired, Delivery.priority <= int(most)))
    for priority, first in first_due.items():
        # One statement for each priority: an index walk that stops at what is not due yet, on both engines.
        if priority <= most and first is not None and first <= now:
            each_due.append((*_pending(priority), Delivery.next_at <= now))
    rows: list[Delivery] = []
    for which in each_due:
        if (rest := limit - len(rows)) > 0:
            rows += await _claim(session, which, Delivery.next_at, now=now, owner=owner, limit=rest, lease=lease)
    return await _latest_only(session, rows, now)


async def claim_these(
    session: AsyncSession, delivery_ids: Sequence[int], *, now: datetime, owner: str, lease: timedelta = LEASE
) -> list[Delivery]:
    """Claim some rows that were just planned, as far as they are due and nobody else has claimed them."""
    if not delivery_ids:
        return []
    due = (_is(PENDING), Delivery.delivery_id.in_(delivery_ids), Delivery.next_at <= now)
    order, limit = (Delivery.priority, Delivery.next_at), len(delivery_ids)
    rows = await _claim(session, due, *order, now=now, owner=owner, limit=limit, lease=lease)
    return await _latest_only(session, list(rows), now)


async def _latest_only(session: AsyncSession, rows: list[Delivery], now: datetime) -> list[Delivery]:
    keys = {row.collapse_key for row in rows if row.collapse_key is not None}
    if not keys:
        return rows
    due = (_is(PENDING), Delivery.collapse_key.in_(keys), Delivery.due_at <= now)
    others = (await session.scalars(select(Delivery).where(*due).with_for_update(skip_locked=True))).all()
    latest: dict[str, Delivery] = {}
    for row in sorted([*rows, *others], key=lambda each: (each.due_at, each.delivery_id)):
        if row.collapse_key is not None:
            latest[row.collapse_key] = row
    chosen = {row.delivery_id for row in latest.values()}
    overtaken = [each.delivery_id for each in (*rows, *others) if each.collapse_key and each.delivery_id not in chosen]
    if overtaken:
        ended = {"state": CANCELLED, "ended_at": now, "problem": "overtaken"}
        await session.execute(
            update(Delivery).where(Delivery.delivery_id.in_(overtaken)).values(**ended),
            execution_options={"synchronize_session": False},
        )
    return [row for row in rows if row.delivery_id not in overtaken]


async def _claim(
    session: AsyncSession, which: _Which, *order: Any, now: datetime, owner: str, limit: int, lease: timedelta
) -> Sequence[Delivery]:
    chosen = (
        select(Delivery.delivery_id)
        .where(*which)
        .order_by(*order)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("chosen")
        .prefix_with("MATERIALIZED", dialect="postgresql")  # else LIMIT may be applied more than once
    )
    claimed = (
        update(Delivery)
        .where(Delivery.delivery_id.in_(select(chosen.c.delivery_id)))
        .values(
            state=LEASED,
            owner=owner,
            claim_no=Delivery.claim_no + 1,
            attempts=Delivery.attempts + 1,
            next_at=_machine_time(session) + lease,
            first_send_at=func.coalesce(Delivery.first_send_at, now),
        )
        .returning(Delivery)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return (await session.scalars(claimed)).all()


def _machine_time(session: AsyncSession) -> Any:
    # Leases are about processes, not about meetings: they follow real time, which nobody moves, and on PostgreSQL one
    # clock that all processes share.
    return func.clock_timestamp() if session.get_bind().dialect.name == "postgresql" else datetime.now(UTC)


async def hold_group(session: AsyncSession, delivery: Delivery) -> None:
    """Lock the group of a delivery, before its row is locked.

    Whoever holds the group may plan the row anew, and waits for it; whoever held the row would wait for the group.
    """
    if delivery.group_id is not None and session.get_bind().dialect.name == "postgresql":
        group = select(Group.group_id).where(Group.group_id == delivery.group_id)
        await session.execute(group.with_for_update(key_share=True))


async def finish(
    session: AsyncSession,
    delivery: Delivery,
    state: int,
    *,
    now: datetime,
    message_id: int | None = None,
    problem: str | None = None,
) -> int | None:
    """End a claimed row, or run it again if that was asked meanwhile.

    Return its state now: the one given, or PENDING if it runs again; None when the claim is no longer ours.
    """
    again = Delivery.again.is_(True)
    return await _acknowledge(
        session,
        delivery,
        state=case((again, literal_column("0")), else_=literal_column(str(state))),
        next_at=case((Delivery.due_at > now, Delivery.due_at), else_=now),
        ended_at=now,
        again=False,
        attempts=case((again, 0), else_=Delivery.attempts),
        message_id=message_id,
        problem=problem,
    )


async def postpone(session: AsyncSession, delivery: Delivery, *, until: datetime, problem: str) -> bool:
    """Put a claimed row back until a later moment; return whether the claim was still ours.

    When it was first tried stays written: an earlier try may have been sent although this one was not.
    """
    state = await _acknowledge(
        session, delivery, state=PENDING, next_at=until, problem=problem, again=False, owner=None
    )
    return state is not None


async def address(session: AsyncSession, delivery: Delivery, channel_id: int | None) -> bool:
    """Write down to which channel a claimed letter goes, before it is sent there; None: it is in none.

    Return whether the claim was still ours; if not, nothing may be sent.
    """
    if await _acknowledge(session, delivery, channel_id=channel_id) is None:
        return False
    delivery.channel_id = channel_id
    return True


async def _acknowledge(session: AsyncSession, delivery: Delivery, **changes: Any) -> int | None:
    fence = (Delivery.delivery_id == delivery.delivery_id, _is(LEASED), Delivery.claim_no == delivery.claim_no)
    statement = update(Delivery).where(*fence).values(**changes).returning(Delivery.state)
    return await session.scalar(statement.execution_options(synchronize_session=False))


async def ended(session: AsyncSession, delivery_ids: Sequence[int]) -> Sequence[Delivery]:
    """Return those of some deliveries that have ended, whoever carried them out."""
    which = (Delivery.delivery_id.in_(delivery_ids), Delivery.state > literal_column("1"))
    return (await session.scalars(select(Delivery).where(*which))).all()


async def next_due(session: AsyncSession) -> datetime | None:
    """Return when the next pending row is due, for whoever wakes."""
    _leased, first_due = await _look(session)
    return min((at for at in first_due.values() if at is not None), default=None)


async def is_drained(session: AsyncSession, *, now: datetime) -> bool:
    """Return whether nothing is due and nothing is under way."""
    leased, first_due = await _look(session)
    return leased is None and all(at is None or at > now for at in first_due.values())


async def _look(session: AsyncSession) -> tuple[datetime | None, dict[Priority, datetime | None]]:
    """Return when the first lease ends, and of each priority when the first row is due."""
    # One statement: between two, a row could move from one state to the other unseen.
    leased, *due = (await session.execute(_looking())).one()
    return leased, dict(zip(Priority, due, strict=True))


@cache
def _looking() -> Executable:
    first = select(func.min(Delivery.next_at))
    looks = [first.where(_is(LEASED)), *(first.where(*_pending(priority)) for priority in Priority)]
    return select(*(look.scalar_subquery() for look in looks))


async def release_dead(session: AsyncSession, *, lock: int) -> None:
    """Free the leases of processes that are gone: all on SQLite, on PostgreSQL those whose owner holds no lock."""
    gone = [_is(LEASED)]
    if session.get_bind().dialect.name == "postgresql":
        gone.append(owners.is_gone(Delivery.owner, lock=lock))
    await session.execute(
        update(Delivery).where(*gone).values(next_at=_machine_time(session)),
        execution_options={"synchronize_session": False},
    )


async def purge(session: AsyncSession, *, now: datetime, limit: int = 500) -> int:
    """Delete some rows that ended a week ago; return how many."""
    old = (Delivery.state > literal_column("1"), Delivery.ended_at < now - KEEP)
    some = select(Delivery.delivery_id).where(*old).limit(limit)
    # Asked twice: between the two, a row may have been planned anew.
    gone = delete(Delivery).where(Delivery.delivery_id.in_(some), *old).returning(Delivery.delivery_id)
    return len((await session.scalars(gone.execution_options(synchronize_session=False))).all())
