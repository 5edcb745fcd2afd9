"""Meetings: how they repeat, each single one, what people answered, who hosts, how it went."""

import sqlalchemy as sa
from alembic import op

from peerbot.types import UTCDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _make_series()
    _make_meetings()
    _make_answers("responses", "answer", "answer IN ('going', 'cant')")
    _make_answers("hosts", "part", "part IN ('away', 'cover')")
    _make_answers("debriefs", "word", "word IN ('fine', 'cover', 'talk', 'safety')", several=True)
    op.create_index(op.f("ix_debriefs_at"), "debriefs", ["at"])


def downgrade() -> None:
    for table in ("debriefs", "hosts", "responses", "meetings", "series"):
        op.drop_table(table)


def _row_id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _make_series() -> None:
    op.create_table(
        "series",
        sa.Column("series_id", _row_id(), autoincrement=True, nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("group_id", _row_id(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("rule", sa.String(80), nullable=False),
        sa.Column("first_local", sa.String(16), nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("minutes", sa.SmallInteger(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=True),
        sa.Column("link", sa.String(300), nullable=False),
        sa.Column("topic", sa.String(100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("made_until", UTCDateTime(), nullable=False),
        sa.Column("tz_version", sa.String(16), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column("event_for", sa.BigInteger(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint("state IN ('active', 'ended')", name=op.f("ck_series_state")),
        sa.CheckConstraint("minutes BETWEEN 5 AND 480", name=op.f("ck_series_minutes")),
        _cascade("series", "guild_id", "guilds"),
        _cascade("series", "group_id", "groups"),
        sa.PrimaryKeyConstraint("series_id", name=op.f("pk_series")),
        sqlite_autoincrement=True,
    )
    for column in ("guild_id", "group_id"):
        op.create_index(op.f(f"ix_series_{column}"), "series", [column])
    only = sa.text("state = 'active'")
    op.create_index("ix_series_made", "series", ["made_until"], sqlite_where=only, postgresql_where=only)


def _make_meetings() -> None:
    op.create_table(
        "meetings",
        sa.Column("meeting_id", _row_id(), autoincrement=True, nullable=False),
        sa.Column("series_id", _row_id(), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("group_id", _row_id(), nullable=False),
        sa.Column("original_local", sa.String(16), nullable=False),
        sa.Column("moved_local", sa.String(16), nullable=True),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("why", sa.String(8), nullable=True),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("told", sa.String(20), nullable=False),
        sa.Column("turned_at", UTCDateTime(), nullable=False),
        sa.Column("here_at", UTCDateTime(), nullable=True),
        sa.CheckConstraint("state IN ('planned', 'cancelled', 'over')", name=op.f("ck_meetings_state")),
        sa.CheckConstraint("why IN ('one', 'skipped', 'ended', 'nobody')", name=op.f("ck_meetings_why")),
        _cascade("meetings", "series_id", "series"),
        _cascade("meetings", "guild_id", "guilds"),
        _cascade("meetings", "group_id", "groups"),
        sa.PrimaryKeyConstraint("meeting_id", name=op.f("pk_meetings")),
        sa.UniqueConstraint("series_id", "original_local", name=op.f("uq_meetings_series_id_original_local")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_meetings_group_starts", "meetings", ["group_id", "starts_at"])
    op.create_index("ix_meetings_guild_starts", "meetings", ["guild_id", "starts_at"])


def _make_answers(table: str, column: str, allowed: str, *, several: bool = False) -> None:
    op.create_table(
        table,
        sa.Column("meeting_id", _row_id(), nullable=False),
        sa.Column("member_id", _row_id(), nullable=False),
        sa.Column(column, sa.String(8), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.CheckConstraint(allowed, name=op.f(f"ck_{table}_{column}")),
        _cascade(table, "meeting_id", "meetings"),
        _cascade(table, "member_id", "members"),
        sa.PrimaryKeyConstraint("meeting_id", "member_id", *([column] if several else []), name=op.f(f"pk_{table}")),
    )
    op.create_index(op.f(f"ix_{table}_member_id"), table, ["member_id"])


def _cascade(table: str, column: str, parent: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{parent}")
    return sa.ForeignKeyConstraint([column], [f"{parent}.{column}"], name=name, ondelete="CASCADE")
