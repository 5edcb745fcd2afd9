"""Each answer says to which start of its meeting it was given; days without meetings are kept as such."""

import sqlalchemy as sa
from alembic import op

from peerbot.types import UTCDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("responses", sa.Column("starts_at", UTCDateTime(), nullable=True))
    # Until now, an answer was deleted when its meeting moved: all that there are count.
    op.execute(
        "UPDATE responses SET starts_at = "
        "(SELECT starts_at FROM meetings WHERE meetings.meeting_id = responses.meeting_id)"
    )
    with op.batch_alter_table("responses") as batch:
        batch.alter_column("starts_at", existing_type=UTCDateTime(), nullable=False)
    op.create_table(
        "breaks",
        sa.Column("break_id", _row_id(), autoincrement=True, nullable=False),
        sa.Column("series_id", _row_id(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_id"], ["series.series_id"], name=op.f("fk_breaks_series_id_series"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("break_id", name=op.f("pk_breaks")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_breaks_series_id"), "breaks", ["series_id"])


def downgrade() -> None:
    op.drop_table("breaks")
    with op.batch_alter_table("responses") as batch:
        batch.drop_column("starts_at")


def _row_id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
