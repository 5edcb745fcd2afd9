"""Every table on one page.

A user id exists in `members.sealed_user_id` and nowhere else; every other table says `member_id`. No column holds text
that a member wrote. Whoever leaves a group leaves no row; whoever was removed keeps one, so that the removal holds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from peerbot.types import Snowflake, UTCDateTime

# SQLite counts rows only in a column that is INTEGER and nothing else.
RowId = Annotated[
    int, mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
]
GuildId = Annotated[int, mapped_column(BigInteger, ForeignKey("guilds.guild_id", ondelete="CASCADE"), index=True)]
MemberId = Annotated[int, mapped_column(ForeignKey("members.member_id", ondelete="CASCADE"))]
GroupId = Annotated[int, mapped_column(ForeignKey("groups.group_id", ondelete="CASCADE"))]

# SQLite gives the id of a deleted last row to the next one. An old button or delivery must never mean somebody else.
NEVER_REUSED = {"sqlite_autoincrement": True}


class Base(DeclarativeBase):
    """What all tables share: names for constraints (so that SQLite can change them) and aware times."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UTCDateTime}  # noqa: RUF012 - read by SQLAlchemy when the class is made


class KeyCheck(Base):
    """One sealed constant, which tells whether the key in use is the key of this database."""

    __tablename__ = "key_check"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class Guild(Base):
    """A server that has been set up, and what its owner chose."""

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
    task_thread_id: Mapped[Snowflake | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime]


class Member(Base):
    """A person in one server. Their user id is sealed with the server's id, so that two servers cannot be compared.

    `reach` is how they want to be written to (None: not chosen); `dm_channel_id` and `thread_id` are where that goes,
    once it was opened; `reach_problem` is what went wrong with it last, until `/my` has said so.
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
    off_duty_until: Mapped[datetime | None]
    created_at: Mapped[datetime]


class Group(Base):
    """A peer-support group: what members read about it, its seats and its room."""

    __tablename__ = "groups"
    __table_args__ = (
        CheckConstraint("capacity BETWEEN 1 AND 15", name="capacity"),
        CheckConstraint("state IN ('open', 'closed')", name="state"),
        Index(
            "uq_groups_open_name",
            "guild_id",
            "name_key",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
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
    facilitator said yes to a hello, so that it is asked once.
    """

    __tablename__ = "memberships"
    __table_args__ = (
        UniqueConstraint("group_id", "member_id"),
        CheckConstraint("state IN ('active', 'paused', 'removed', 'hello', 'waiting', 'offered')", name="state"),
        CheckConstraint("state <> 'offered' OR offered_until IS NOT NULL", name="offered_until"),
        Index(
            "ix_memberships_line",
            "group_id",
            "line_at",
            sqlite_where=text("state IN ('waiting', 'offered')"),
            postgresql_where=text("state IN ('waiting', 'offered')"),
        ),
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


class Task(Base):
    """Something that waits for a facilitator: a hello, or a question before joining. It holds no text.

    `thread_id` is the private thread in which they talk; `channel_id` and `message_id` are the card in the staff
    channel's task thread. A claim says who has it; `done_at` ends it.
    """

    __tablename__ = "tasks"
    __table_args__ = (
        CheckConstraint("kind IN ('hello', 'ask')", name="kind"),
        Index(
            "uq_tasks_open",
            "group_id",
            "member_id",
            unique=True,
            sqlite_where=text("done_at IS NULL"),
            postgresql_where=text("done_at IS NULL"),
        ),
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


class Card(Base):
    """A message in a channel that shows how things stand, and is redrawn when they change.

    `drawn` is a digest of what it shows, so that nothing is redrawn that did not change.
    """

    __tablename__ = "cards"
    __table_args__ = (
        Index(
            "uq_cards_panel",
            "guild_id",
            unique=True,
            sqlite_where=text("group_id IS NULL"),
            postgresql_where=text("group_id IS NULL"),
        ),
        NEVER_REUSED,
    )

    card_id: Mapped[RowId]
    guild_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("guilds.guild_id", ondelete="CASCADE"))
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.group_id", ondelete="CASCADE"), unique=True)
    channel_id: Mapped[Snowflake]
    message_id: Mapped[Snowflake | None] = mapped_column(BigInteger)
    posts: Mapped[int] = mapped_column(default=0)
    drawn: Mapped[str | None] = mapped_column(String(16))


class Delivery(Base):
    """One thing that must happen once: a message, an effect on Discord, or a step. No text, no user id.

    States: 0 pending, 1 leased, 2 done, 3 expired, 4 cancelled, 5 dead. `claim_no` fences: whoever holds an older
    number can no longer change the row. `first_send_at` is when it was first tried: from then on it may have been sent.
    `again` asks for another run after the one that is under way. Of several due messages with one `collapse_key`, the
    latest is sent.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("dedupe_key"),
        CheckConstraint("state BETWEEN 0 AND 5", name="state"),
        Index(
            "ix_deliveries_due",
            "priority",
            "next_at",
            sqlite_where=text("state = 0"),
            postgresql_where=text("state = 0"),
        ),
        Index(
            "ix_deliveries_collapse",
            "collapse_key",
            "due_at",
            sqlite_where=text("state = 0 AND collapse_key IS NOT NULL"),
            postgresql_where=text("state = 0 AND collapse_key IS NOT NULL"),
        ),
        Index("ix_deliveries_leased", "next_at", sqlite_where=text("state = 1"), postgresql_where=text("state = 1")),
        Index("ix_deliveries_ended", "ended_at", sqlite_where=text("state > 1"), postgresql_where=text("state > 1")),
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
