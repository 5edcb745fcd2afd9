"""Migrations on both engines: the shape they make, and that nothing ends halfway."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from builders import GUILD, facilitator, make_guild, settings_for
from in_turn import WAITS_FOR_US
from sqlalchemy import URL, Connection, Engine, Inspector, delete, inspect, text
from timetabling import NOW, meetings_of, tuesdays

from peerbot import deliveries, meetings, schema
from peerbot.config import Secret, engine_url
from peerbot.database import connect
from peerbot.errors import SchemaWrong
from peerbot.models import Base, Delivery

pytestmark = pytest.mark.both_databases

ROOT = Path(__file__).parent.parent
KILL_AT_STATEMENT = """
import os, signal, sys
from sqlalchemy import Engine, event
from peerbot import schema
from peerbot.config import Secret, engine_url

seen = 0

def count(*_):
    global seen
    seen += 1
    if str(seen) == sys.argv[2]:
        die()

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

event.listen(Engine, "after_cursor_execute", count)
if sys.argv[2] == "commit":
    event.listen(Engine, "commit", die)
schema.bring_up(engine_url(Secret(sys.argv[1])))
"""


@pytest.fixture
def bare_url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The address of a database with nothing in it."""
    if backend == "sqlite":
        return f"sqlite:///{tmp_path / 'bare.db'}"
    return request.getfixturevalue("bare_postgres_url")


@pytest.fixture
def url(bare_url: str) -> URL:
    return engine_url(Secret(bare_url))


@pytest.fixture
def engine(url: URL) -> Iterator[Engine]:
    engine = schema._engine(url)
    yield engine
    engine.dispose()


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names()) - {"alembic_version"}


def test_a_new_database_gets_every_table(url: URL, engine: Engine) -> None:
    schema.bring_up(url)
    assert tables(engine) == set(Base.metadata.tables)


def test_the_newest_migration_is_the_one_that_the_code_names() -> None:
    assert ScriptDirectory.from_config(schema.config()).get_heads() == [schema.REVISION]


def test_a_bot_that_has_nothing_to_migrate_loads_no_library_that_it_does_not_need(sqlite_url: str) -> None:
    start = "import sys; import peerbot.__main__ as program; program.schema.bring_up(program.config.engine_url("
    start += "program.config.Secret(sys.argv[1]))); print(*sorted({*sys.argv[2:]} & sys.modules.keys()))"
    heavy = ["alembic", "pydantic", "rich", "sqlalchemy.dialects.postgresql", "typer"]
    asked = [sys.executable, "-c", start, sqlite_url, *heavy]
    assert subprocess.run(asked, check=True, cwd=ROOT, timeout=30, capture_output=True, text=True).stdout == "\n"


def test_bringing_up_twice_changes_nothing(url: URL, engine: Engine) -> None:
    schema.bring_up(url)
    before = shape(engine)
    schema.bring_up(url)
    assert shape(engine) == before


def test_up_down_and_up_again_ends_where_it_began(url: URL, engine: Engine) -> None:
    schema.bring_up(url)
    before = shape(engine)
    with engine.begin() as connection:
        schema.migrate(connection, "base")
    assert tables(engine) == set()
    with engine.begin() as connection:
        schema.migrate(connection, "head")
    assert shape(engine) == before


def test_the_migrations_say_all_that_the_models_say(url: URL, engine: Engine) -> None:
    schema.bring_up(url)
    settings = schema.config()
    with engine.begin() as connection:
        settings.attributes["connection"] = connection
        command.check(settings)


def test_the_migrations_make_what_the_models_would_make(url: URL, engine: Engine) -> None:
    schema.bring_up(url)
    migrated = shape(engine)
    with engine.begin() as connection:
        schema.migrate(connection, "base")
        Base.metadata.create_all(connection)
    assert shape(engine) == migrated


def test_a_newer_database_is_refused_in_words(url: URL, engine: Engine) -> None:
    schema.bring_up(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaWrong, match="newer peerbot"):
        schema.bring_up(url)


def test_a_migration_that_leaves_rows_that_point_nowhere_is_undone(url: URL, engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL checks each row itself")
    with engine.begin() as connection:
        schema.migrate(connection, "head")
    with engine.connect() as connection, connection.begin():
        connection.execute(text("INSERT INTO facilitators VALUES (1, 1, '2026-01-01 00:00:00.000000')"))
        with pytest.raises(SchemaWrong, match="undone"):
            schema.migrate(connection, "head")
        connection.rollback()
    with engine.begin() as connection:
        assert connection.execute(text("SELECT * FROM facilitators")).all() == []


def test_what_was_leased_before_an_upgrade_is_taken_up_after_it(bare_url: str, url: URL, engine: Engine) -> None:
    schema.bring_up(url)

    async def claim(owner: str, *, plans: bool = False) -> list[tuple[str | None, int]]:
        db, now = connect(settings_for(bare_url)), datetime.now(UTC)
        async with db.begin() as session:
            if plans:
                await make_guild(session, now=now)
                await session.execute(delete(Delivery))
                await deliveries.plan(session, "x", "x", guild_id=GUILD, now=now)
            claimed = await deliveries.claim(session, now=now, owner=owner, limit=5, lease=timedelta())
        await db.close()
        return [(each.owner, each.claim_no) for each in claimed]

    assert asyncio.run(claim("killed", plans=True)) == [("killed", 1)]
    with engine.begin() as connection:
        schema.migrate(connection, "-1")
    schema.bring_up(url)
    assert asyncio.run(claim("new")) == [("new", 2)]


def test_answers_from_before_they_said_to_which_start_still_count(bare_url: str, url: URL, engine: Engine) -> None:
    schema.bring_up(url)

    async def going(*, answers: bool) -> list[int]:
        db = connect(settings_for(bare_url))
        async with db.begin() as session:
            if answers:
                await make_guild(session, now=NOW)
                await tuesdays(session)
            meeting = (await meetings_of(session))[0]
            if answers:
                await meetings.respond(session, facilitator(), meeting.meeting_id, "going", now=NOW)
            view = await meetings.view(session, GUILD, meeting.meeting_id)
        await db.close()
        return [view.going, view.cant]

    assert asyncio.run(going(answers=True)) == [1, 0]
    with engine.begin() as connection:
        schema.migrate(connection, "-1")
    schema.bring_up(url)
    assert asyncio.run(going(answers=False)) == [1, 0]


@pytest.mark.parametrize("statement", ["3", "15", "commit"])
def test_a_killed_upgrade_leaves_the_shape_before(statement: str, bare_url: str, url: URL, engine: Engine) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILL_AT_STATEMENT, bare_url, statement],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert killed.returncode == -9, killed.stderr
    assert inspect(engine).get_table_names() == []
    schema.bring_up(url)
    assert tables(engine) == set(Base.metadata.tables)


def test_two_processes_that_start_at_once_both_find_the_newest_shape(bare_url: str, engine: Engine) -> None:
    script = KILL_AT_STATEMENT.partition("seen =")[0] + "schema.bring_up(engine_url(Secret(sys.argv[1])))"
    both = [
        subprocess.Popen([sys.executable, "-c", script, bare_url], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=30)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert tables(engine) == set(Base.metadata.tables)


def test_an_upgrade_waits_until_another_has_ended(url: URL, engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer")
    with engine.connect() as other, other.begin():
        other.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": schema.MIGRATION_LOCK})
        upgrade = threading.Thread(target=schema.bring_up, args=(url,))
        upgrade.start()
        while upgrade.is_alive() and not other.scalar(text(WAITS_FOR_US)):
            upgrade.join(0.02)
        assert upgrade.is_alive(), "it went on while another upgrade was under way"
        assert tables(engine) == set()
    upgrade.join(20)
    assert tables(engine) == set(Base.metadata.tables)


def shape(engine: Engine) -> set[tuple[str, ...]]:
    """Return all that the engine knows of the tables, in a form that can be compared."""
    with engine.connect() as connection:
        seen = inspect(connection)
        found = _sqlite_sql(connection) if engine.dialect.name == "sqlite" else _postgres_definitions(connection)
        return found | {entry for table in seen.get_table_names() for entry in _columns(seen, table)}


def _columns(seen: Inspector, table: str) -> set[tuple[str, ...]]:
    return {
        (table, column["name"], str(column["type"]), str(column["nullable"]), str(column["default"]))
        for column in seen.get_columns(table)
        if table != "alembic_version"
    }


def _sqlite_sql(connection: Connection) -> set[tuple[str, ...]]:
    rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE tbl_name != 'alembic_version'"))
    return {
        (name, line.strip().rstrip(",").strip())
        for name, sql in rows
        if sql
        for line in sql.replace("\t", "").replace('TABLE "', "TABLE ").replace('" (\n', " (\n").split("\n")
    }


def _postgres_definitions(connection: Connection) -> set[tuple[str, ...]]:
    indexes = connection.execute(text("SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'"))
    constraints = connection.execute(
        text(
            "SELECT conrelid::regclass::text, conname || ' ' || pg_get_constraintdef(oid)"
            " FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
        )
    )
    rows = [*indexes, *constraints]
    return {(str(table), str(words)) for table, words in rows if table != "alembic_version"}
