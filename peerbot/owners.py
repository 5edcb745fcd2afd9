"""Which processes are gone, of those that name themselves as owners of something on PostgreSQL.

An owner's name is the second key of an advisory lock, whose first key is the same for all.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, SQLColumnExpression, String, cast, column, exists, table


def is_gone(owner: SQLColumnExpression[Any], *, lock: int) -> ColumnElement[bool]:
    """Return the condition that the process of this name runs no more (PostgreSQL).

    `lock` is the first key of its lock, which PostgreSQL lets go with the connection, so with the process.
    """
    locks = table("pg_locks", column("locktype"), column("objsubid"), column("classid"), column("objid"))
    keys = (cast(locks.c.classid, BigInteger) == lock, cast(cast(locks.c.objid, BigInteger), String) == owner)
    return ~exists().where(locks.c.locktype == "advisory", locks.c.objsubid == 2, *keys)  # noqa: PLR2004 - of two keys
