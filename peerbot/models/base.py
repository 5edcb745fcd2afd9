"""What all tables share: names for constraints, aware times, and the types of their ids."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import BigInteger, Connection, ForeignKey, Index, Integer, MetaData, event, text
from sqlalchemy.orm import DeclarativeBase, mapped_column

from peerbot.types import UTCDateTime

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


def index_where(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """Return an index of the rows for which something holds.

    sqlite_where and postgresql_where say the same, and load the dialects of both engines into every process: 2 MiB.
    """
    return Index(name, *columns, unique=unique, info={"where": where})


@event.listens_for(Base.metadata, "before_create")
def _say_where(schema: MetaData, connection: Connection, **_: Any) -> None:
    for table in schema.tables.values():
        for index in table.indexes:
            if "where" in index.info:
                index.dialect_options[connection.dialect.name]["where"] = text(index.info["where"])
