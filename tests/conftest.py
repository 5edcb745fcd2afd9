"""Databases for tests: a real one for each, on both engines, brought up by the migrations.

A test runs on SQLite, and on PostgreSQL as well if it or its file is marked `both_databases`. SQLite copies a migrated
file; PostgreSQL has a database for each worker, emptied after each test. Without a PostgreSQL those tests are skipped,
or fail where PEERBOT_REQUIRE_PG is set.
"""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import hypothesis
import postgres_server
import psycopg
import pytest
from builders import make_guild, settings_for
from psycopg import sql
from sqlalchemy import Engine, event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from peerbot import database, schema
from peerbot.clock import Clock
from peerbot.config import Secret, Settings, engine_url
from peerbot.database import Database, connect
from peerbot.members import Seal
from peerbot.models import Guild

TEMPLATE = "peerbot_template"
BACKENDS = ["sqlite", "postgres"]
MEMORY = Path("/dev/shm")  # noqa: S108 - each test makes a folder of its own in it
PLENTY = 1 << 30
"""Bytes that must be free there."""


# A busy machine is slow now and then; what an example does is judged by its result.
hypothesis.settings.register_profile("peerbot", deadline=None)
hypothesis.settings.load_profile("peerbot")


# What a test leaves is small; to look through it ten times as often takes a twentieth of all.
gc.set_threshold(10_000, 20, 20)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "both_databases: run on SQLite and on PostgreSQL")


ENGINES: dict[str, Engine] = {}
"""The first engine of each kind; later ones take over what it has compiled, which would cost each test anew."""


def create_engine(*args: Any, **options: Any) -> AsyncEngine:
    """Make an engine that shares its dialect, and with it its compiled statements, with all others of its kind."""
    made = create_async_engine(*args, **options)
    engine = made.sync_engine
    first = ENGINES.setdefault(engine.dialect.name, engine)
    own, shared = engine.dialect, first.dialect

    def learn(*_: object) -> None:
        if shared.server_version_info is None:  # the first engine of all was never used; this one has asked
            vars(shared).update(vars(own))

    event.listen(engine, "connect", learn)
    engine.dialect, engine._compiled_cache = shared, first._compiled_cache  # pyright: ignore[reportAttributeAccessIssue]
    return made


database.create_async_engine = create_engine


def pytest_collection_finish() -> None:
    # What is loaded by now stays to the end; the collector need not look through it again and again.
    gc.collect()
    gc.freeze()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames and metafunc.definition.get_closest_marker("both_databases") is not None:
        metafunc.parametrize("backend", BACKENDS, indirect=True)


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """The database engine of this test."""
    return getattr(request, "param", "sqlite")


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest) -> str:
    """The address of a fresh, migrated database, as PEERBOT_DATABASE_URL takes it."""
    return request.getfixturevalue(f"{backend}_url")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, made once for each worker."""
    file = tmp_path_factory.mktemp("template") / "template.db"
    schema.bring_up(engine_url(Secret(f"sqlite:///{file}")))
    return file


@pytest.fixture
def sqlite_url(sqlite_template: Path) -> Iterator[str]:
    """The address of a fresh SQLite file, in memory where there is much: no test is about a disk."""
    place = MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > PLENTY else None
    with tempfile.TemporaryDirectory(prefix="peerbot-", dir=place, ignore_cleanup_errors=True) as folder:
        shutil.copyfile(sqlite_template, f"{folder}/peerbot.db")
        yield f"sqlite:///{folder}/peerbot.db"


@pytest.fixture
def postgres_url(postgres_database: str) -> Iterator[str]:
    """The address of a migrated PostgreSQL database without rows; emptying one takes a tenth of making one."""
    yield postgres_database
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid != pg_backend_pid()"
        )
        connection.execute("DELETE FROM guilds")  # all else belongs to one, and goes with it
        connection.execute("DELETE FROM key_check")
        connection.execute("DELETE FROM processes")


@pytest.fixture(scope="session")
def postgres_database(postgres_server_url: str) -> Iterator[str]:
    """The address of the migrated database of this worker."""
    with _new_postgres(postgres_server_url, TEMPLATE) as url:
        yield url


@pytest.fixture
def bare_postgres_url(postgres_server_url: str) -> Iterator[str]:
    """The address of a PostgreSQL database with nothing in it."""
    with _new_postgres(postgres_server_url, "template0") as url:
        yield url


@pytest.fixture(scope="session")
def postgres_server_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The server that all workers share, as an address with a place for the database's name."""
    in_worker = "PYTEST_XDIST_WORKER" in os.environ
    run_folder = tmp_path_factory.getbasetemp().parent if in_worker else tmp_path_factory.getbasetemp()
    with _one_at_a_time(run_folder / "postgres.lock"):
        noted = run_folder / "postgres.url"
        if not noted.exists():
            url = _given_server() or _private_server(os.getppid() if in_worker else os.getpid())
            with _administrator(url) as connection:
                connection.execute("DROP DATABASE IF EXISTS peerbot_template WITH (FORCE)")
                connection.execute("CREATE DATABASE peerbot_template")
            schema.bring_up(engine_url(Secret(url.format(name=TEMPLATE))))
            noted.write_text(url)
        return noted.read_text()


def _given_server() -> str | None:
    given = os.environ.get("PEERBOT_TEST_PG_URL")
    if given is None:
        return None
    return make_url(given).set(database="PLACE").render_as_string(hide_password=False).replace("/PLACE", "/{name}")


def _private_server(watched_pid: int) -> str:
    folder = postgres_server.binaries()
    if folder is not None:
        return postgres_server.start(folder, watched_pid)
    reason = "no PostgreSQL: PEERBOT_TEST_PG_URL is not set, and initdb is not on this machine"
    if os.environ.get("PEERBOT_REQUIRE_PG") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def _new_postgres(server_url: str, template: str) -> Generator[str]:
    name = f"test_{uuid.uuid4().hex}"
    with _administrator(server_url) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (name, template))))
    yield server_url.format(name=name)
    with _administrator(server_url) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def _administrator(server_url: str) -> Generator[psycopg.Connection]:
    with psycopg.connect(server_url.format(name="postgres"), autocommit=True) as connection:
        yield connection


@contextmanager
def _one_at_a_time(lock: Path) -> Generator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture
def settings(database_url: str) -> Settings:
    """What the bot is told in this test."""
    return settings_for(database_url)


@pytest.fixture
async def db(backend: str, settings: Settings) -> AsyncIterator[Database]:
    """A database with the shape of this version and nothing in it."""
    made = connect(settings)
    yield made
    await made.close()


@pytest.fixture
def seal(settings: Settings) -> Seal:
    return Seal(settings.key)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def now(clock: Clock) -> datetime:
    return clock.now()


@pytest.fixture
async def guild(db: Database, now: datetime) -> Guild:
    """A server that has been set up."""
    async with db.begin() as session:
        return await make_guild(session, now=now)
