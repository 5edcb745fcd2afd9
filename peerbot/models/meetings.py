"""Meetings: how they repeat, each single one, and who said what about it."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from peerbot.models.base import NEVER_REUSED, Base, GroupId, GuildId, MemberId, RowId, index_where
from peerbot.types import Snowflake

LOCAL = String(16)
"""A wall time without a zone, "2026-12-01T18:30": it means the same for years, whatever becomes of clocks."""


class Series(Base):
    """When a group meets: a wall time in a zone, and how it repeats. UTC is derived from it.

    `rule` is empty for a single meeting (recurrence.Rule.text). It takes place in `channel_id`, in the group's room if
    there is none, or behind `link`, which is shown only near the start. Meetings were made up to `made_until`,
    where somebody ended it: then; `tz_version` says by which rules of time zones. `version` counts changes.
    """

    __tablename__ = "series"
    __table_args__ = (
        CheckConstraint("state IN ('active', 'ended')", name="state"),
        CheckConstraint("minutes BETWEEN 5 AND 480", name="minutes"),
        index_where("ix_series_made", "made_until", where="state = 'active'"),
        NEVER_REUSED,
    )

    series_id: Mapped[RowId]
    guild_id: Mapped[GuildId]
    group_id: Mapped[GroupId] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(String(8), default="active")
    rule: Mapped[str] = mapped_column(String(80), default="")
    first_local: Mapped[str] = mapped_column(LOCAL)
    zone: Mapped[str] = mapped_column(String(64))
    minutes: Mapped[int] = mapped_column(SmallInteger, default=60)
    channel_id: Mapped[Snowflake | None] = mapped_column(BigInteger)
    link: Mapped[str] = mapped_column(String(300), default="")
    topic: Mapped[str] = mapped_column(String(100), default="")
    version: Mapped[int] = mapped_column(default=1)
    made_until: Mapped[datetime]
    tz_version: Mapped[str] = mapped_column(String(16))
    event_id: Mapped[Snowflake | None] = mapped_column(BigInteger)
    event_for: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime]


class Meeting(Base):
    """One meeting of a series, known by the wall time at which the series puts it (`original_local`), moved or not.

    States: planned, cancelled, over. `rev` counts its changes: what was planned for an older one is no longer true.
    `why` says how it was cancelled, also while it is planned elsewhere since. Up to `turned_at`, what belongs to its
    time (card, reminders, start) was seen to. `told` is what members were last told of it ("": that it is as the series
    says; after "@", a place where it is no longer). `here_at` is when a facilitator was seen there.
    """

    __tablename__ = "meetings"
    __table_args__ = (
        UniqueConstraint("series_id", "original_local"),
        CheckConstraint("state IN ('planned', 'cancelled', 'over')", name="state"),
        CheckConstraint("why IN ('one', 'skipped', 'ended', 'nobody')", name="why"),
        Index("ix_meetings_group_starts", "group_id", "starts_at"),
        Index("ix_meetings_guild_starts", "guild_id", "starts_at"),
        NEVER_REUSED,
    )

    meeting_id: Mapped[RowId]
    series_id: Mapped[int] = mapped_column(ForeignKey("series.series_id", ondelete="CASCADE"))
    guild_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("guilds.guild_id", ondelete="CASCADE"))
    group_id: Mapped[GroupId]
    original_local: Mapped[str] = mapped_column(LOCAL)
    moved_local: Mapped[str | None] = mapped_column(LOCAL)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(10), default="planned")
    why: Mapped[str | None] = mapped_column(String(8))
    rev: Mapped[int] = mapped_column(default=1)
    told: Mapped[str] = mapped_column(String(20), default="")
    turned_at: Mapped[datetime]
    here_at: Mapped[datetime | None]


class Break(Base):
    """Days, the first and the last among them, on which a series does not meet; whoever takes it back deletes it."""

    __tablename__ = "breaks"
    __table_args__ = (NEVER_REUSED,)

    break_id: Mapped[RowId]
    series_id: Mapped[int] = mapped_column(ForeignKey("series.series_id", ondelete="CASCADE"), index=True)
    first_day: Mapped[date]
    last_day: Mapped[date]


class Response(Base):
    """What a member answered to one meeting, and to which start of it; no row is no answer.

    It counts for as long as the meeting starts then: not while it is moved, and again when it is moved back.
    """

    __tablename__ = "responses"
    __table_args__ = (CheckConstraint("answer IN ('going', 'cant')", name="answer"),)

    meeting_id: Mapped[int] = mapped_column(ForeignKey("meetings.meeting_id", ondelete="CASCADE"), primary_key=True)
    member_id: Mapped[MemberId] = mapped_column(primary_key=True, index=True)
    answer: Mapped[str] = mapped_column(String(8))
    at: Mapped[datetime]
    starts_at: Mapped[datetime]


class Host(Base):
    """A facilitator for whom one meeting is not as usual: they need cover, or they cover for somebody."""

    __tablename__ = "hosts"
    __table_args__ = (CheckConstraint("part IN ('away', 'cover')", name="part"),)

    meeting_id: Mapped[int] = mapped_column(ForeignKey("meetings.meeting_id", ondelete="CASCADE"), primary_key=True)
    member_id: Mapped[MemberId] = mapped_column(primary_key=True, index=True)
    part: Mapped[str] = mapped_column(String(8))
    at: Mapped[datetime]


class Debrief(Base):
    """How a facilitator found a meeting, by fixed words; kept for thirty days."""

    __tablename__ = "debriefs"
    __table_args__ = (CheckConstraint("word IN ('fine', 'cover', 'talk', 'safety')", name="word"),)

    meeting_id: Mapped[int] = mapped_column(ForeignKey("meetings.meeting_id", ondelete="CASCADE"), primary_key=True)
    member_id: Mapped[MemberId] = mapped_column(primary_key=True, index=True)
    word: Mapped[str] = mapped_column(String(8), primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
