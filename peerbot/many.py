"""Many rows in one statement, in the way in which each engine takes them.

SQLite takes a statement again for each row, without a way to a server. PostgreSQL takes an array for each column: a
thousand parameters take it longer than the rows that they are for, and a statement for each row longer still.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, TableValuedAlias, bindparam, column, func, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import TypeEngine

from peerbot.types import insert_for


def insert(
    engine: str, table: Any, names: Sequence[str], *, alike: Collection[str] = (), **same: ColumnElement[Any]
) -> sqlite.Insert:
    """Return an INSERT of many rows that takes ON CONFLICT, to be executed with what `rows` makes of them.

    `alike` are names whose value is the same in all rows of one call, `same` what is the same in every call.
    """
    if engine != "postgresql":
        return insert_for(engine, table).values(**same)
    new = given(**{name: table.c[name].type for name in names if name not in alike})
    once = {name: bindparam(f"all_{name}", type_=table.c[name].type) for name in names if name in alike}
    values = select(*new.c, *once.values(), *same.values())
    return insert_for(engine, table).from_select([*new.c.keys(), *once, *same], values, include_defaults=False)


def given(**types: TypeEngine[Any]) -> TableValuedAlias:
    """Return many rows as PostgreSQL takes them, to be executed with what `rows` makes of them."""
    columns = [bindparam(f"all_{name}", type_=ARRAY(kind)) for name, kind in types.items()]
    derived = func.unnest(*columns).table_valued(*(column(name, kind) for name, kind in types.items()), name="given")
    return derived.render_derived()


def rows(engine: str, names: Sequence[str], each: Sequence[dict[str, Any]], *, alike: Collection[str] = ()) -> Any:
    """Return rows, of which these names are needed, in the way in which an engine takes many."""
    if engine != "postgresql":
        return each
    return {f"all_{name}": each[0][name] if name in alike else [row[name] for row in each] for name in names}


def is_among(engine: str, what: Any, name: str) -> ColumnElement[bool]:
    """Return the condition that a column has one of many values, which are given under a name when it is asked."""
    if engine == "postgresql":
        return what == func.any(bindparam(name, type_=ARRAY(what.type)))
    return what.in_(bindparam(name, expanding=True))
