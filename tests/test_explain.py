"""How the engines find rows: with many deliveries ended and many not yet due, no look at them reads the whole table.

On PostgreSQL with the generic plan, which is what a prepared statement ends up with; a parameter in place of a literal
state would make it useless.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from builders import AGREED, GUILD, MAYA, actor, facilitator, make_group, seat
from sqlalchemy import event, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import (
    access,
    arrivals,
    cards,
    debriefs,
    deliveries,
    directory,
    groups,
    hosting,
    line,
    meetings,
    seats,
    timetables,
)
from peerbot.database import Database
from peerbot.deliveries import Priority
from peerbot.models import Group, Guild, Meeting
from peerbot.recurrence import Rule

pytestmark = pytest.mark.both_databases

ENDED, LATER = 70_000, 30_000
Statement = tuple[str, Any]
FILL = """
    INSERT INTO deliveries
        (dedupe_key, kind, guild_id, priority, due_at, next_at, state, again, attempts, claim_no, created_at, ended_at)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
    SELECT :key || i, 'x', :guild, i % 5 + i % 3, :at, :at, :state, :no, 1, 1, :at, :ended FROM n
"""


@pytest.fixture
async def group(db: Database, guild: Guild, now: datetime) -> Group:
    """A group with a seat taken, and a large outbox in which next to nothing is due: one of each priority."""
    async with db.begin() as session:
        made = await make_group(session, now=now)
        await seat(session, made, actor().user_id, now=now)
        await deliveries.plan(session, "note", "whose lease ended", guild_id=GUILD, now=now, priority=Priority.HELP)
        await deliveries.claim(session, now=now, owner="gone", limit=1, lease=timedelta())
        for priority in Priority:
            await deliveries.plan(session, "note", priority.name, guild_id=GUILD, now=now, priority=priority)
        await _fill(session, "ended", ENDED, 2, now, ended=True)
        await _fill(session, "later", LATER, 0, now + timedelta(days=1), ended=False)
    async with db.writer.connect() as connection:
        await connection.execute(text("ANALYZE"))
        await connection.commit()
    return made


async def _fill(session: AsyncSession, key: str, rows: int, state: int, at: datetime, *, ended: bool) -> None:
    written = str(at.replace(tzinfo=None)) if session.get_bind().dialect.name == "sqlite" else at
    values = {"key": f"{key} ", "rows": rows, "state": state, "at": written, "ended": written if ended else None}
    await session.execute(text(FILL).bindparams(guild=GUILD, no=False, **values))


@asynccontextmanager
async def statements(db: Database) -> AsyncGenerator[list[Statement]]:
    """Collect what is asked of the database meanwhile."""
    seen: list[Statement] = []

    def look(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        seen.append((statement, parameters))

    engines = {db.writer, db.reader}
    for engine in engines:
        event.listen(engine.sync_engine, "before_cursor_execute", look)
    yield seen
    for engine in engines:
        event.remove(engine.sync_engine, "before_cursor_execute", look)


async def explain(db: Database, statement: str, parameters: Any) -> str:
    """Return how the engine carries a statement out, whatever the parameters are."""
    async with db.writer.connect() as connection:
        if db.writer.dialect.name == "sqlite":
            rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            return "".join(f"{tuple(row)[3]}\n" for row in rows)
        await connection.execute(text("SET plan_cache_mode = force_generic_plan"))
        numbered, names = statement, list(parameters)
        for number, name in enumerate(names, start=1):
            for cast in ("", "::"):
                numbered = numbered.replace(f"%({name}){cast}s", f"${number}")
        await connection.exec_driver_sql(f"PREPARE looked AS {numbered}")
        values = ", ".join(_literal(parameters[name]) for name in names)
        rows = await connection.exec_driver_sql(f"EXPLAIN EXECUTE looked{f'({values})' if values else ''}")
        found = "\n".join(str(row[0]) for row in rows)
        await connection.exec_driver_sql("DEALLOCATE looked")
        return f"{found}\n"


def _literal(value: object) -> str:
    if isinstance(value, list):
        return f"'{{{','.join(map(str, cast('list[object]', value)))}}}'"
    if isinstance(value, datetime | timedelta | str):
        return f"'{value}'"
    return "NULL" if value is None else str(value)


async def reads_no_whole_outbox(db: Database, seen: list[Statement], *, at_least: int) -> None:
    """Check every statement about deliveries that was seen."""
    looks = [(statement, parameters) for statement, parameters in seen if "deliveries" in statement]
    assert len(looks) >= at_least, seen
    for statement, parameters in looks:
        if statement.startswith("INSERT") and db.writer.dialect.name == "postgresql":
            continue  # it says "Conflict Arbiter Indexes", and can do nothing else
        plan_text = await explain(db, statement, parameters)
        if not statement.startswith("DELETE"):  # for hundreds that were found by an index, a hash may be the better way
            assert "Seq Scan on deliveries" not in plan_text, (statement, plan_text)
        assert "SCAN deliveries\n" not in plan_text, (statement, plan_text)


CROWD = """
    INSERT INTO members (guild_id, sealed_user_id, created_at)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
    SELECT :guild, CAST('sealed ' || i AS {bytes}), :at FROM n
"""
OTHER_GROUPS = """
    INSERT INTO groups
        (guild_id, name, name_key, about, topic, meets_by, capacity, state, hello_first, card_days, created_at)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
    SELECT :guild, 'Group ' || i, 'group ' || i, '', '', 'text', 15, 'open', :no, 3, :at FROM n
"""
OTHER_SEATS = """
    INSERT INTO memberships (group_id, member_id, state, joined_at, line_at, passed, offer_no, unanswered, says_new)
    SELECT group_id, member_id, CASE WHEN member_id % 4 = 0 THEN 'waiting' ELSE 'active' END, :at, :at, :no, 0, 0, :no
    FROM members JOIN groups ON groups.group_id % :groups = members.member_id % :groups
    WHERE group_id <> :mine
"""
OTHERS, PEOPLE = 1_000, 8_000


@pytest.fixture
async def full(db: Database, guild: Guild, now: datetime) -> Group:
    """A full group with three people in line, among very many others with lines of their own."""
    async with db.begin() as session:
        made = await make_group(session, now=now, capacity=1)
        at = str(now.replace(tzinfo=None)) if session.get_bind().dialect.name == "sqlite" else now
        kind = "BLOB" if session.get_bind().dialect.name == "sqlite" else "bytea"
        await session.execute(text(CROWD.format(bytes=kind)).bindparams(guild=GUILD, rows=PEOPLE, at=at))
        await session.execute(text(OTHER_GROUPS).bindparams(guild=GUILD, rows=OTHERS, at=at, no=False))
        others = {"groups": OTHERS, "mine": made.group_id, "at": at, "no": False}
        await session.execute(text(OTHER_SEATS).bindparams(**others))
        for number in range(4):
            person = actor(MAYA + number)
            await groups.sign_up(session, person, made.group_id, agreed=AGREED, waits=True, now=now)
    async with db.writer.connect() as connection:
        await connection.execute(text("ANALYZE"))
        await connection.commit()
    return made


async def _come_and_go(session: AsyncSession, group: Group, now: datetime) -> None:
    """Everything that a line is asked: numbers, places, who is next, a seat that frees, an offer that is let go."""
    first, second, third = (actor(MAYA + number) for number in (1, 2, 3))
    for person in (first, second, third):
        await seats.place(session, person, group.group_id)
        await seats.places(session, GUILD, person.user_id)
    await session.execute(line.numbers(group.group_id))
    await groups.leave(session, actor(MAYA), group.group_id, now=now)
    await seats.offer_free(session, group, now=now)
    await seats.pass_on(session, first, group.group_id, now=now)
    await seats.leave_line(session, third, group.group_id, now=now)
    await line.end(session, group, now=now)


async def test_no_look_at_a_line_reads_the_lines_of_others(db: Database, full: Group, now: datetime) -> None:
    async with statements(db) as seen, db.begin() as session:
        await _come_and_go(session, full, now)
    looks = [(statement, parameters) for statement, parameters in seen if re.search(r"\bmemberships\b", statement)]
    assert len(looks) >= 15
    for statement, parameters in looks:
        plan_text = await explain(db, statement, parameters)
        assert not re.search(r"Seq Scan on members|SCAN members(hips)?( AS \w+)?\n", plan_text), (statement, plan_text)


Looks = Callable[[AsyncSession, Group, datetime], Awaitable[object]]


async def _claim(session: AsyncSession, _group: Group, now: datetime) -> None:
    await deliveries.claim(session, now=now, owner="me", limit=99)


async def _next_due(session: AsyncSession, _group: Group, _now: datetime) -> None:
    await deliveries.next_due(session)


async def _is_drained(session: AsyncSession, _group: Group, now: datetime) -> None:
    await deliveries.is_drained(session, now=now)


async def _purge(session: AsyncSession, _group: Group, now: datetime) -> None:
    await deliveries.purge(session, now=now - timedelta(days=1))


async def _release_dead(session: AsyncSession, _group: Group, _now: datetime) -> None:
    await deliveries.release_dead(session, lock=1)


async def _acknowledge(session: AsyncSession, group: Group, now: datetime) -> None:
    await deliveries.plan(session, "note", "mine", guild_id=GUILD, now=now, group_id=group.group_id)
    for row in await deliveries.claim(session, now=now, owner="me", limit=99):
        await deliveries.finish(session, row, deliveries.DONE, now=now)


async def _collapse(session: AsyncSession, group: Group, now: datetime) -> None:
    for number in range(3):
        await deliveries.plan(
            session, "note", str(number), guild_id=GUILD, now=now, group_id=group.group_id, collapse="one"
        )
    await deliveries.claim(session, now=now, owner="me", limit=99)


async def _my_seats(session: AsyncSession, _group: Group, _now: datetime) -> None:
    await directory.seats(session, GUILD, actor().user_id)


async def _leave(session: AsyncSession, group: Group, now: datetime) -> None:
    await cards.place(session, GUILD, cards.of_group(group.group_id), 5, group_id=group.group_id, now=now)
    await groups.leave(session, actor(), group.group_id, now=now)


async def _follow_all(session: AsyncSession, group: Group, now: datetime) -> None:
    await access.follow_all(session, group, now=now)


async def _hosts(session: AsyncSession, group: Group, now: datetime) -> None:
    plan = timetables.Plan(group.group_id, (now + timedelta(days=1)).replace(tzinfo=None), Rule("once"))
    made = await timetables.create(session, facilitator(), plan, now=now)
    meeting = (await session.scalars(select(Meeting).where(Meeting.series_id == made.series_id).limit(1))).one()
    await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=now)
    await hosting.accept(session, facilitator(MAYA + 9), meeting.meeting_id, hosting.ASK, now=now)
    await arrivals.here(session, facilitator(), meeting.meeting_id, now=meeting.starts_at)
    await debriefs.ask(session, meetings.Scene(meeting, made, group, meeting.ends_at, meeting.ends_at, now))


RULES: dict[str, tuple[Looks, int]] = {
    "a claim": (_claim, 7),
    "when the next one is due": (_next_due, 1),
    "whether all is done": (_is_drained, 1),
    "the purge": (_purge, 1),
    "leases of the dead": (_release_dead, 1),
    "an acknowledgement": (_acknowledge, 5),
    "several that collapse to one": (_collapse, 7),
    "my seats": (_my_seats, 1),
    "leaving": (_leave, 2),
    "access of all": (_follow_all, 1),
    "who hosts": (_hosts, 6),
}


@pytest.mark.usefixtures("guild")
async def test_no_look_at_the_outbox_reads_all_of_it(db: Database, group: Group, now: datetime) -> None:
    for name, (rule, at_least) in RULES.items():
        async with statements(db) as seen, db.begin() as session:
            await rule(session, group, now)
        try:
            await reads_no_whole_outbox(db, seen, at_least=at_least)
        except AssertionError as problem:
            raise AssertionError(f"{name}: {problem}") from None


async def test_claims_use_the_partial_indexes(db: Database, group: Group, now: datetime) -> None:
    async with statements(db) as seen, db.begin() as session:
        for rule in (_claim, _next_due, _purge, _release_dead):
            await rule(session, group, now)
    looks = [(statement, parameters) for statement, parameters in seen if "deliveries" in statement]
    for statement, parameters in looks:
        assert "ix_deliveries_" in await explain(db, statement, parameters), statement
