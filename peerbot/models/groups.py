"""Groups, who is what to them, and what was given to whom."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from peerbot.models.base import NEVER_REUSED, Base, GroupId, GuildId, MemberId, RowId, index_where
from peerbot.types import Snowflake


class Group(Base):
    """A peer-support group: what members read about it, its seats and its room.

    `card_days` is how many days before a meeting its card is posted in the room.
    """

    __tablename__ = "groups"
    __table_args__ = (
        CheckConstraint("capacity BETWEEN 1 AND 15", name="capacity"),
        CheckConstraint("state IN ('open', 'closed')", name="state"),
        index_where("uq_groups_open_name", "guild_id", "name_key", unique=True, where="state = 'open'"),
        NEVER_REUSED,
    )

    group_id: Mapped[RowId]
    guild_id: Mapped[GuildId]
    name: Mapped[str] = mapped_column(String(80))
    name_key: Mapped[str] = mapped_column(String(180))  # folding case makes up to three letters of one
    about: Mapped[str] = mapped_column(Text)
    topic: Mapped[str] = mapped_column(String(60))
    meets_by: Mapped[str] = mapped_column(String(8))
    capacity: Mapped[int] = mapped_column(SmallInteger)
    state: Mapped[str] = mapped_column(String(8), default="open")
    hello_first: Mapped[bool] = mapped_column(default=False)
    room_id: Mapped[Snowflake | None] = mapped_column(BigInteger, index=True)
    role_id: Mapped[Snowflake | None] = mapped_column(BigInteger)
    card_days: Mapped[int] = mapped_column(SmallInteger, default=3)
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class Facilitator(Base):
    """Who looks after a group. The right itself needs the server's facilitator role as well, at that moment."""

    __tablename__ = "facilitators"

    group_id: Mapped[GroupId] = mapped_column(primary_key=True)
    member_id: Mapped[MemberId] = mapped_column(primary_key=True, index=True)
    since: Mapped[datetime]


class Membership(Base):
    """What somebody is to a group: seated (active or paused), in line, saying hello, or removed so that it holds.

    States: active and paused hold a seat; offered holds one until `offered_until`; waiting and hello hold none;
    removed keeps them out. `line_at` is the place in line. `passed` says that they let the seat go that is free now, so
    that it goes to the next; `unanswered` counts offers that they did not answer in a row. `welcomed_at` is when a
    facilitator said yes to a hello, so that it is asked once. `says_new`: facilitators may see that a
    meeting is their first one.
    """

    __tablename__ = "memberships"
    __table_args__ = (
        UniqueConstraint("group_id", "member_id"),
        CheckConstraint("state IN ('active', 'paused', 'removed', 'hello', 'waiting', 'offered')", name="state"),
        CheckConstraint("state <> 'offered' OR offered_until IS NOT NULL", name="offered_until"),
        index_where("ix_memberships_line", "group_id", "line_at", where="state IN ('waiting', 'offered')"),
        NEVER_REUSED,
    )

    membership_id: Mapped[RowId]
    group_id: Mapped[GroupId]
    member_id: Mapped[MemberId] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(String(8), default="active")
    joined_at: Mapped[datetime]
    paused_until: Mapped[datetime | None]
    removed_for: Mapped[str | None] = mapped_column(String(16))
    line_at: Mapped[datetime | None]
    passed: Mapped[bool] = mapped_column(default=False)
    offer_no: Mapped[int] = mapped_column(default=0)
    offered_until: Mapped[datetime | None]
    unanswered: Mapped[int] = mapped_column(SmallInteger, default=0)
    welcomed_at: Mapped[datetime | None]
    says_new: Mapped[bool] = mapped_column(default=False)


class Task(Base):
    """Something that waits for a facilitator: a hello, or a question before joining. It holds no text.

    `thread_id` is the private thread in which they talk; `channel_id` and `message_id` are the card in the staff
    channel's task thread. A claim says who has it; `done_at` ends it.
    """

    __tablename__ = "tasks"
    __table_args__ = (
        CheckConstraint("kind IN ('hello', 'ask')", name="kind"),
        index_where("uq_tasks_open", "group_id", "member_id", unique=True, where="done_at IS NULL"),
        NEVER_REUSED,
    )

    task_id: Mapped[RowId]
    guild_id: Mapped[GuildId]
    group_id: Mapped[GroupId] = mapped_column(index=True)
    member_id: Mapped[MemberId] = mapped_column(index=True)
    kind: Mapped[str] = mapped_column(String(8))
    created_at: Mapped[datetime]
    claimed_by: Mapped[int | None] = mapped_column(ForeignKey("members.member_id", ondelete="SET NULL"), index=True)
    claimed_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(16))
    thread_id: Mapped[Snowflake | None] = mapped_column(BigInteger)
    channel_id: Mapped[Snowflake | None] = mapped_column(BigInteger)
    message_id: Mapped[Snowflake | None] = mapped_column(BigInteger)


class Grant(Base):
    """Access that peerbot gave. Only what stands here is ever taken away by it."""

    __tablename__ = "grants"
    __table_args__ = (CheckConstraint("kind IN ('room', 'role')", name="kind"),)

    group_id: Mapped[GroupId] = mapped_column(primary_key=True)
    member_id: Mapped[MemberId] = mapped_column(primary_key=True, index=True)
    kind: Mapped[str] = mapped_column(String(4), primary_key=True)
    target_id: Mapped[Snowflake] = mapped_column(BigInteger, primary_key=True)
