"""What both engines store and take: aware UTC times, ids that Discord gives, an INSERT that may meet a row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, cast

from sqlalchemy import BigInteger, DateTime, Dialect
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine


class UTCDateTime(TypeDecorator[datetime]):
    """Keep aware times in UTC; a naive one raises TypeError, because nobody can know what it meant."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(DateTime(timezone=True))

    def bind_processor(self, dialect: Dialect) -> Any:
        # What SQLAlchemy makes of it, in a third of the time: there are six to a meeting that is made.
        return self._as_text if dialect.name == "sqlite" else self._as_it_is

    def _as_it_is(self, value: datetime | None) -> datetime | None:
        return value if value is None or value.tzinfo is UTC else _in_utc(value)

    def _as_text(self, value: datetime | None) -> str | None:
        return None if value is None else _in_utc(value).replace(tzinfo=None).isoformat(" ", "microseconds")

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = _in_utc(value)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise TypeError("a naive datetime cannot be stored")
    return value if value.tzinfo is UTC else value.astimezone(UTC)


def insert_into(session: AsyncSession, table: Any) -> sqlite.Insert:
    """Return an INSERT that takes ON CONFLICT, in the words of the session's engine; both engines share them."""
    return insert_for(session.get_bind().dialect.name, table)


def insert_for(engine: str, table: Any) -> sqlite.Insert:
    """Return the same for an engine of this name."""
    if engine != "postgresql":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # 2 MiB, in a process that has it already

    return cast("sqlite.Insert", postgresql.insert(table))


Snowflake = Annotated[int, mapped_column(BigInteger)]
"""An id that Discord gave."""

KEEPS_KEY: dict[str, bool] = {"key_share": True}
"""How a group is locked: only one rule at a time, but a row elsewhere that names the group may be written meanwhile.

PostgreSQL calls it FOR NO KEY UPDATE. With FOR UPDATE, each row that names a group would wait for it, and two rules
that lock in different orders for each other. SQLite has one writer.
"""
