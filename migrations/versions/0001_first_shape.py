"""First shape: servers, members, groups, cards, deliveries, tasks, processes."""

import sqlalchemy as sa
from alembic import op

from peerbot.types import UTCDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _make_servers()
    _make_groups()
    _make_seats()
    _make_cards()
    _make_deliveries()
    _make_tasks()
    _make_processes()


def downgrade() -> None:
    seats = ("grants", "memberships", "facilitators")
    for table in ("processes", "tasks", "deliveries", "cards", *seats, "groups", "members", "guilds", "key_check"):
        op.drop_table(table)


def _row_id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _make_servers() -> None:
    op.create_table(
        "key_check",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_key_check_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_check")),
    )
    op.create_table(
        "guilds",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("facilitator_role_id", sa.BigInteger(), nullable=False),
        sa.Column("panel_channel_id", sa.BigInteger(), nullable=False),
        sa.Column("staff_channel_id", sa.BigInteger(), nullable=False),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("locale", sa.String(16), nullable=False),
        sa.Column("help_countries", sa.String(16), nullable=False),
        sa.Column("danger_policy", sa.Text(), nullable=False),
        sa.Column("reading_hours", sa.Text(), nullable=False),
        sa.Column("words_version", sa.Integer(), nullable=False),
        sa.Column("threads_channel_id", sa.BigInteger(), nullable=True),
        sa.Column("task_thread_id", sa.BigInteger(), nullable=True),
        sa.Column("cancels_empty", sa.Boolean(), nullable=False),
        sa.Column("native_events", sa.Boolean(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("guild_id", name=op.f("pk_guilds")),
    )
    op.create_table(
        "members",
        sa.Column("member_id", _row_id(), autoincrement=True, nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("sealed_user_id", sa.LargeBinary(), nullable=False),
        sa.Column("locale", sa.String(16), nullable=True),
        sa.Column("agreed", sa.String(16), nullable=True),
        sa.Column("agreed_at", UTCDateTime(), nullable=True),
        sa.Column("away_since", UTCDateTime(), nullable=True),
        sa.Column("reach", sa.String(8), nullable=True),
        sa.Column("reach_problem", sa.String(16), nullable=True),
        sa.Column("zone", sa.String(64), nullable=True),
        sa.Column("dm_channel_id", sa.BigInteger(), nullable=True),
        sa.Column("thread_id", sa.BigInteger(), nullable=True),
        sa.Column("reminders", sa.String(16), nullable=True),
        sa.Column("off_duty_until", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint("reach IN ('dm', 'thread', 'none')", name=op.f("ck_members_reach")),
        _cascade("members", "guild_id", "guilds"),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_members")),
        sa.UniqueConstraint("guild_id", "sealed_user_id", name=op.f("uq_members_guild_id_sealed_user_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_members_guild_id"), "members", ["guild_id"])


def _make_groups() -> None:
    op.create_table(
        "groups",
        sa.Column("group_id", _row_id(), autoincrement=True, nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("name_key", sa.String(180), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("topic", sa.String(60), nullable=False),
        sa.Column("meets_by", sa.String(8), nullable=False),
        sa.Column("capacity", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("hello_first", sa.Boolean(), nullable=False),
        sa.Column("room_id", sa.BigInteger(), nullable=True),
        sa.Column("role_id", sa.BigInteger(), nullable=True),
        sa.Column("card_days", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("closed_at", UTCDateTime(), nullable=True),
        sa.CheckConstraint("capacity BETWEEN 1 AND 15", name=op.f("ck_groups_capacity")),
        sa.CheckConstraint("state IN ('open', 'closed')", name=op.f("ck_groups_state")),
        _cascade("groups", "guild_id", "guilds"),
        sa.PrimaryKeyConstraint("group_id", name=op.f("pk_groups")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_groups_guild_id"), "groups", ["guild_id"])
    op.create_index(op.f("ix_groups_room_id"), "groups", ["room_id"])
    _partial("uq_groups_open_name", "groups", ["guild_id", "name_key"], "state = 'open'", unique=True)


def _make_seats() -> None:
    op.create_table(
        "facilitators",
        sa.Column("group_id", _row_id(), nullable=False),
        sa.Column("member_id", _row_id(), nullable=False),
        sa.Column("since", UTCDateTime(), nullable=False),
        _cascade("facilitators", "group_id", "groups"),
        _cascade("facilitators", "member_id", "members"),
        sa.PrimaryKeyConstraint("group_id", "member_id", name=op.f("pk_facilitators")),
    )
    op.create_index(op.f("ix_facilitators_member_id"), "facilitators", ["member_id"])
    op.create_table(
        "memberships",
        sa.Column("membership_id", _row_id(), autoincrement=True, nullable=False),
        sa.Column("group_id", _row_id(), nullable=False),
        sa.Column("member_id", _row_id(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("joined_at", UTCDateTime(), nullable=False),
        sa.Column("paused_until", UTCDateTime(), nullable=True),
        sa.Column("removed_for", sa.String(16), nullable=True),
        sa.Column("line_at", UTCDateTime(), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("offer_no", sa.Integer(), nullable=False),
        sa.Column("offered_until", UTCDateTime(), nullable=True),
        sa.Column("unanswered", sa.SmallInteger(), nullable=False),
        sa.Column("welcomed_at", UTCDateTime(), nullable=True),
        sa.Column("says_new", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "state IN ('active', 'paused', 'removed', 'hello', 'waiting', 'offered')",
            name=op.f("ck_memberships_state"),
        ),
        sa.CheckConstraint(
            "state <> 'offered' OR offered_until IS NOT NULL", name=op.f("ck_memberships_offered_until")
        ),
        _cascade("memberships", "group_id", "groups"),
        _cascade("memberships", "member_id", "members"),
        sa.PrimaryKeyConstraint("membership_id", name=op.f("pk_memberships")),
        sa.UniqueConstraint("group_id", "member_id", name=op.f("uq_memberships_group_id_member_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_memberships_member_id"), "memberships", ["member_id"])
    _partial("ix_memberships_line", "memberships", ["group_id", "line_at"], "state IN ('waiting', 'offered')")
    op.create_table(
        "grants",
        sa.Column("group_id", _row_id(), nullable=False),
        sa.Column("member_id", _row_id(), nullable=False),
        sa.Column("kind", sa.String(4), nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('room', 'role')", name=op.f("ck_grants_kind")),
        _cascade("grants", "group_id", "groups"),
        _cascade("grants", "member_id", "members"),
        sa.PrimaryKeyConstraint("group_id", "member_id", "kind", "target_id", name=op.f("pk_grants")),
    )
    op.create_index(op.f("ix_grants_member_id"), "grants", ["member_id"])


def _make_cards() -> None:
    op.create_table(
        "cards",
        sa.Column("card_id", _row_id(), autoincrement=True, nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.String(32), nullable=False),
        sa.Column("group_id", _row_id(), nullable=True),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("posts", sa.Integer(), nullable=False),
        sa.Column("drawn", sa.String(16), nullable=True),
        _cascade("cards", "guild_id", "guilds"),
        _cascade("cards", "group_id", "groups"),
        sa.PrimaryKeyConstraint("card_id", name=op.f("pk_cards")),
        sa.UniqueConstraint("guild_id", "subject", name=op.f("uq_cards_guild_id_subject")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_cards_group_id"), "cards", ["group_id"])


def _make_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("delivery_id", _row_id(), autoincrement=True, nullable=False),
        sa.Column("dedupe_key", sa.String(120), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=True),
        sa.Column("group_id", _row_id(), nullable=True),
        sa.Column("member_id", _row_id(), nullable=True),
        sa.Column("subject_id", sa.BigInteger(), nullable=True),
        sa.Column("collapse_key", sa.String(80), nullable=True),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("due_at", UTCDateTime(), nullable=False),
        sa.Column("next_at", UTCDateTime(), nullable=False),
        sa.Column("not_after", UTCDateTime(), nullable=True),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claim_no", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(40), nullable=True),
        sa.Column("first_send_at", UTCDateTime(), nullable=True),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("problem", sa.String(40), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint("state BETWEEN 0 AND 5", name=op.f("ck_deliveries_state")),
        _cascade("deliveries", "guild_id", "guilds"),
        _cascade("deliveries", "group_id", "groups"),
        _cascade("deliveries", "member_id", "members"),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_deliveries_dedupe_key")),
        sqlite_autoincrement=True,
    )
    for column in ("guild_id", "group_id", "member_id"):
        op.create_index(op.f(f"ix_deliveries_{column}"), "deliveries", [column])
    _partial("ix_deliveries_due", "deliveries", ["priority", "next_at"], "state = 0")
    where = "state = 0 AND collapse_key IS NOT NULL"
    _partial("ix_deliveries_collapse", "deliveries", ["collapse_key", "due_at"], where)
    _partial("ix_deliveries_leased", "deliveries", ["next_at"], "state = 1")
    _partial("ix_deliveries_ended", "deliveries", ["ended_at"], "state > 1")


def _make_tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("task_id", _row_id(), autoincrement=True, nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("group_id", _row_id(), nullable=False),
        sa.Column("member_id", _row_id(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("claimed_by", _row_id(), nullable=True),
        sa.Column("claimed_at", UTCDateTime(), nullable=True),
        sa.Column("done_at", UTCDateTime(), nullable=True),
        sa.Column("outcome", sa.String(16), nullable=True),
        sa.Column("thread_id", sa.BigInteger(), nullable=True),
        sa.Column("channel_id", sa.BigInteger(), nullable=True),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("kind IN ('hello', 'ask')", name=op.f("ck_tasks_kind")),
        _cascade("tasks", "guild_id", "guilds"),
        _cascade("tasks", "group_id", "groups"),
        _cascade("tasks", "member_id", "members"),
        sa.ForeignKeyConstraint(
            ["claimed_by"], ["members.member_id"], name=op.f("fk_tasks_claimed_by_members"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_tasks")),
        sqlite_autoincrement=True,
    )
    for column in ("guild_id", "group_id", "member_id", "claimed_by"):
        op.create_index(op.f(f"ix_tasks_{column}"), "tasks", [column])
    _partial("uq_tasks_open", "tasks", ["group_id", "member_id"], "done_at IS NULL", unique=True)


def _make_processes() -> None:
    op.create_table(
        "processes",
        sa.Column("process_id", _row_id(), autoincrement=True, nullable=False),
        sa.Column("owner", sa.String(40), nullable=False),
        sa.Column("alive_until", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("process_id", name=op.f("pk_processes")),
        sa.UniqueConstraint("owner", name=op.f("uq_processes_owner")),
        sqlite_autoincrement=True,
    )


def _cascade(table: str, column: str, parent: str) -> sa.ForeignKeyConstraint:
    key = {"guilds": "guild_id", "groups": "group_id", "members": "member_id"}[parent]
    name = op.f(f"fk_{table}_{column}_{parent}")
    return sa.ForeignKeyConstraint([column], [f"{parent}.{key}"], name=name, ondelete="CASCADE")


def _partial(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    only = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=only, postgresql_where=only)
