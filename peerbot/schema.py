"""Bring the database to the shape that this version needs.

The migrations are a package of their own, found wherever it is installed. An upgrade is one transaction per migration
on both engines, under a lock, so that a killed one leaves the shape before or the shape after.
"""

from __future__ import annotations

from enum import Enum, auto
from importlib.resources import files
from typing import TYPE_CHECKING

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, text

from peerbot.errors import SchemaWrong

if TYPE_CHECKING:
    from alembic.config import Config

REVISION = "0003"
"""The newest migration. Written here too, because Alembic holds twelve MiB for as long as the bot runs, and is loaded
only where there is something to migrate; a test compares."""
MIGRATION_LOCK = 0x7065_6573
"""The advisory lock that makes processes migrate one after the other on PostgreSQL."""


class Shape(Enum):
    """How the shape of a database stands to the one that this version needs."""

    NONE = auto()
    OLDER = auto()
    NEWEST = auto()
    NEWER = auto()


def shape_of(connection: Connection) -> Shape:
    """Return how the database's shape stands to ours; nothing is changed."""
    if not inspect(connection).has_table("alembic_version"):
        return Shape.NONE
    current = connection.scalars(text("SELECT version_num FROM alembic_version")).one_or_none()
    if current is None:
        return Shape.NONE
    if current == REVISION:
        return Shape.NEWEST
    from alembic.script import ScriptDirectory

    known = {revision.revision for revision in ScriptDirectory.from_config(config()).walk_revisions()}
    return Shape.OLDER if current in known else Shape.NEWER


def bring_up(url: URL) -> None:
    """Upgrade the database to the newest shape; raise SchemaWrong when it is newer than this version."""
    engine = _engine(url)
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            shape = shape_of(connection)
            if shape is Shape.NEWEST:
                return
            if shape is Shape.NEWER:
                raise SchemaWrong(
                    "The database was made by a newer peerbot. Install that version, or restore a backup."
                )
            migrate(connection, "head")
    finally:
        engine.dispose()


def migrate(connection: Connection, revision: str) -> None:
    """Move the database up or down to a revision, in the transaction of the connection."""
    from alembic import command

    settings = config()
    settings.attributes["connection"] = connection
    if revision == "base" or revision.startswith("-"):
        command.downgrade(settings, revision)
    else:
        command.upgrade(settings, revision)
    if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise SchemaWrong("A migration left rows that point nowhere; it was undone.")


def config() -> Config:
    """Return Alembic's configuration, built here so that no file has to be found."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(files("migrations")))
    return settings


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url)
    # Foreign keys are off here: changing a table in SQLite drops the old one, which would empty its children.
    engine = create_engine(url.set(drivername="sqlite+pysqlite"))
    event.listen(engine, "connect", _leave_begin_to_us)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _leave_begin_to_us(connection: object, _record: object) -> None:
    connection.isolation_level = None  # pyright: ignore[reportAttributeAccessIssue]


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
