"""How the engines find meetings: no look at them reads those of all servers, or all series."""

from __future__ import annotations

import re

import pytest
from builders import GUILD, MAYA, actor, facilitator, owner, seat
from sqlalchemy import text
from test_explain import explain, statements
from timetabling import NOW, tuesdays

from peerbot import meetings, remains, series
from peerbot.database import Database
from peerbot.models import Group, Guild

pytestmark = pytest.mark.both_databases

SERVERS = """
    INSERT INTO guilds (guild_id, facilitator_role_id, panel_channel_id, staff_channel_id, time_zone, locale,
        help_countries, danger_policy, reading_hours, words_version, cancels_empty, native_events, created_at)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
    SELECT i, 1, 2, 3, 'UTC', 'en-US', '', '', '', 1, :yes, :no, :at FROM n
"""
GROUPS = """
    INSERT INTO groups
        (guild_id, name, name_key, about, topic, meets_by, capacity, state, hello_first, card_days, created_at)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
    SELECT i % 100 + 1, 'Group ' || i, 'group ' || i, '', '', 'text', 15, 'open', :no, 3, :at FROM n
"""
SERIES = """
    INSERT INTO series (guild_id, group_id, state, rule, first_local, zone, minutes, link, topic, version, made_until,
        tz_version, created_at)
    SELECT guild_id, group_id, 'active', '', '2026-03-03T18:30', 'UTC', 60, '', '', 1, :later, '', :at
    FROM groups WHERE guild_id <= 100
"""
MEETINGS = """
    INSERT INTO meetings
        (series_id, guild_id, group_id, original_local, starts_at, ends_at, state, rev, told, turned_at)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10)
    SELECT series_id, guild_id, group_id, 'x' || i, :later, :later, 'planned', 1, '', :at FROM series, n
    WHERE guild_id <= 100
"""
WHOLE = re.compile(r"Seq Scan on (meetings|series)|SCAN (meetings|series)(_\d+)?( AS \w+)?\n")


@pytest.mark.usefixtures("guild")
async def test_no_look_at_meetings_reads_those_of_others(db: Database, guild: Guild) -> None:
    is_sqlite = db.writer.dialect.name == "sqlite"
    later = NOW + series.AHEAD
    at, after = (str(each.replace(tzinfo=None)) if is_sqlite else each for each in (NOW, later))
    async with db.begin() as session:
        made = await tuesdays(session)
        group = await session.get_one(Group, made.group_id)
        await seat(session, group, MAYA, now=NOW)
        made.made_until = NOW
        given = {"yes": True, "no": False, "at": at, "later": after}
        for fill in (SERVERS, GROUPS, SERIES, MEETINGS):
            used = {name: value for name, value in given.items() if f":{name}" in fill}
            await session.execute(text(fill).bindparams(**used))
    async with db.writer.connect() as connection:
        await connection.execute(text("ANALYZE"))
        await connection.commit()
    ids = await meetings_of_guild(db)
    async with statements(db) as seen, db.begin() as session:
        (first, *_rest) = ids
        await meetings.coming(session, GUILD, now=NOW)
        await meetings.mine(session, GUILD, MAYA, now=NOW, limit=3)
        await meetings.choices(session, owner(), like="tues", now=NOW)
        await meetings.choices(session, facilitator(), like="", now=NOW)
        await meetings.view(session, GUILD, first)
        await meetings.next_of(session, made.group_id, after=NOW)
        await meetings.respond(session, actor(), first, meetings.GOING, now=NOW)
        await series.materialise(session, now=NOW)
        await series.materialise(session, now=NOW, guild_id=GUILD)
        await remains.purge(session, GUILD, now=NOW)
    looks = [(sql, given) for sql, given in seen if re.search(r"\b(meetings|series)\b", sql)]
    assert len(looks) >= 10
    for statement, parameters in looks:
        if statement.startswith("INSERT") and not is_sqlite:
            continue
        plan = await explain(db, statement, parameters)
        assert not WHOLE.search(plan), (statement, plan)
    behind = next(sql for sql in looks if "made_until <" in sql[0] and "guild_id =" not in sql[0])
    assert "ix_series_made" in await explain(db, *behind)


async def meetings_of_guild(db: Database) -> list[int]:
    async with db.read() as session:
        return [each.meeting_id for each in await meetings.coming(session, GUILD, now=NOW)]
