"""The key of the database, servers, and the people in them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from peerbot.models.base import NEVER_REUSED, Base, GuildId, RowId
from peerbot.types import Snowflake


class KeyCheck(Base):
    """One sealed constant, which tells whether the key in use is the key of this database."""

    __tablename__ = "key_check"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class Guild(Base):
    """A server that has been set up, and what its owner chose.

    `cancels_empty`: a meeting without a facilitator is cancelled after a quarter of an hour. `native_events`: the next
    meeting stands among Discord's own events.
    """

    __tablename__ = "guilds"

    guild_id: Mapped[Snowflake] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    facilitator_role_id: Mapped[Snowflake]
    panel_channel_id: Mapped[Snowflake]
    staff_channel_id: Mapped[Snowflake]
    time_zone: Mapped[str] = mapped_column(String(64))
    locale: Mapped[str] = mapped_column(String(16))
    help_countries: Mapped[str] = mapped_column(String(16), default="")
    danger_policy: Mapped[str] = mapped_column(Text, default="")
    reading_hours: Mapped[str] = mapped_column(Text, default="")
    words_version: Mapped[int] = mapped_column(default=1)
    threads_channel_id: Mapped[Snowflake | None] = mapped_column(BigInteger)
    cancels_empty: Mapped[bool] = mapped_column(default=True)
    native_events: Mapped[bool] = mapped_column(default=False)
    task_thread_id: Mapped[Snowflake | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime]


class Member(Base):
    """A person in one server. Their user id is sealed with the server's id, so that two servers cannot be compared.

    `reach` is how they want to be written to (None: not chosen); `dm_channel_id` and `thread_id` are where that goes,
    once it was opened; `reach_problem` is what went wrong with it last, until `/my` has said so. `reminders` are the
    minutes before a meeting at which they are reminded ("1440 60"; empty: never; None: not asked yet).
    """

    __tablename__ = "members"
    __table_args__ = (
        UniqueConstraint("guild_id", "sealed_user_id"),
        CheckConstraint("reach IN ('dm', 'thread', 'none')", name="reach"),
        NEVER_REUSED,
    )

    member_id: Mapped[RowId]
    guild_id: Mapped[GuildId]
    sealed_user_id: Mapped[bytes] = mapped_column(LargeBinary)
    locale: Mapped[str | None] = mapped_column(String(16))
    agreed: Mapped[str | None] = mapped_column(String(16))
    agreed_at: Mapped[datetime | None]
    away_since: Mapped[datetime | None]
    reach: Mapped[str | None] = mapped_column(String(8))
    reach_problem: Mapped[str | None] = mapped_column(String(16))
    zone: Mapped[str | None] = mapped_column(String(64))
    dm_channel_id: Mapped[Snowflake | None] = mapped_column(BigInteger)
    thread_id: Mapped[Snowflake | None] = mapped_column(BigInteger)
    reminders: Mapped[str | None] = mapped_column(String(16))
    off_duty_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
