"""What must happen once, the messages that show how things stand, and the processes that see to both."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    SmallInteger,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from peerbot.models.base import NEVER_REUSED, Base, GuildId, RowId, index_where
from peerbot.types import Snowflake


class Card(Base):
    """A message in a channel that shows how things stand, and is redrawn when they change.

    `subject` says what it shows: "panel", "board", "group:7", "meeting:12". `drawn` is a digest of what it shows, so
    that nothing is redrawn that did not change.
    """

    __tablename__ = "cards"
    __table_args__ = (UniqueConstraint("guild_id", "subject"), NEVER_REUSED)

    card_id: Mapped[RowId]
    guild_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("guilds.guild_id", ondelete="CASCADE"))
    subject: Mapped[str] = mapped_column(String(32))
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.group_id", ondelete="CASCADE"), index=True)
    channel_id: Mapped[Snowflake]
    message_id: Mapped[Snowflake | None] = mapped_column(BigInteger)
    posts: Mapped[int] = mapped_column(default=0)
    drawn: Mapped[str | None] = mapped_column(String(16))


class Delivery(Base):
    """One thing that must happen once: a message, an effect on Discord, or a step. No text, no user id.

    States: 0 pending, 1 leased, 2 done, 3 expired, 4 cancelled, 5 dead. `claim_no` fences: whoever holds an older
    number can no longer change the row. `first_send_at` is when it was first tried: from then on it may have been sent.
    `again` asks for another run after the one that is under way. Of several due messages with one `collapse_key`, the
    latest is sent. `decided` is in memory alone: what a run is to do, where the transaction that claimed it knew.
    """

    if TYPE_CHECKING:
        decided: Any
    else:  # without its type, which would make a column of it
        decided = None

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("dedupe_key"),
        CheckConstraint("state BETWEEN 0 AND 5", name="state"),
        index_where("ix_deliveries_due", "priority", "next_at", where="state = 0"),
        index_where("ix_deliveries_collapse", "collapse_key", "due_at", where="state = 0 AND collapse_key IS NOT NULL"),
        index_where("ix_deliveries_leased", "next_at", where="state = 1"),
        index_where("ix_deliveries_ended", "ended_at", where="state > 1"),
        NEVER_REUSED,
    )

    delivery_id: Mapped[RowId]
    dedupe_key: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(32))
    guild_id: Mapped[GuildId]
    channel_id: Mapped[Snowflake | None] = mapped_column(BigInteger)
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.group_id", ondelete="CASCADE"), index=True)
    member_id: Mapped[int | None] = mapped_column(ForeignKey("members.member_id", ondelete="CASCADE"), index=True)
    subject_id: Mapped[int | None] = mapped_column(BigInteger)
    collapse_key: Mapped[str | None] = mapped_column(String(80))
    priority: Mapped[int] = mapped_column(SmallInteger)
    due_at: Mapped[datetime]
    next_at: Mapped[datetime]
    not_after: Mapped[datetime | None]
    state: Mapped[int] = mapped_column(SmallInteger, default=0)
    again: Mapped[bool] = mapped_column(default=False)
    attempts: Mapped[int] = mapped_column(default=0)
    claim_no: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str | None] = mapped_column(String(40))
    first_send_at: Mapped[datetime | None]
    message_id: Mapped[Snowflake | None] = mapped_column(BigInteger)
    ended_at: Mapped[datetime | None]
    problem: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[datetime]


class Process(Base):
    """A process that runs on this PostgreSQL, and until when it is taken to be alive.

    The living one with the lowest number answers people; all of them deliver.
    """

    __tablename__ = "processes"
    __table_args__ = (UniqueConstraint("owner"), NEVER_REUSED)

    process_id: Mapped[RowId]
    owner: Mapped[str] = mapped_column(String(40))
    alive_until: Mapped[datetime]
