"""Look for user ids in everything that a database holds, in every form in which a number could stand there."""

from __future__ import annotations

import base64
from collections.abc import Collection

from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession


async def dump(connection: AsyncSession | AsyncConnection) -> bytes:
    """Return every value of every table, tables that no model knows included."""
    if isinstance(connection, AsyncSession):
        connection = await connection.connection()
    tables = MetaData()
    await connection.run_sync(tables.reflect)
    values: list[bytes] = []
    for table in tables.sorted_tables:
        for row in await connection.execute(table.select()):
            values += [_bytes(value) for value in row]
    return b"\n".join(values)


def traces(content: bytes, user_ids: Collection[int]) -> list[str]:
    """Return in which forms any of the user ids stands in the content; empty is what we want."""
    found: list[str] = []
    for user_id in user_ids:
        found += [f"{user_id} as {form}" for form, form_bytes in forms(user_id) if form_bytes in content]
        found += [f"{user_id} as hex" for form_bytes in _hex(user_id) if form_bytes in content.lower()]
    return found


def forms(user_id: int) -> list[tuple[str, bytes]]:
    """Return a user id as decimal, as bytes and as base64 of either at any alignment."""
    decimal, big, little = str(user_id).encode(), user_id.to_bytes(8, "big"), user_id.to_bytes(8, "little")
    plain = [("decimal", decimal), ("big endian", big), ("little endian", little)]
    encoded = [(f"base64 of {form}", part) for form, value in plain for part in _base64(value)]
    return plain + encoded


def _hex(user_id: int) -> set[bytes]:
    big, little = user_id.to_bytes(8, "big"), user_id.to_bytes(8, "little")
    return {f"{user_id:x}".encode(), big.hex().encode(), little.hex().encode(), str(user_id).encode().hex().encode()}


def _base64(value: bytes) -> set[bytes]:
    """Return what of the value's base64 does not depend on what stands around it, at each of three alignments."""
    parts: set[bytes] = set()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + value)
        first = {0: 0, 1: 2, 2: 3}[before]
        last = (before + len(value)) * 8 // 6
        parts |= {encoded[first:last], encoded[first:last].translate(bytes.maketrans(b"+/", b"-_"))}
    return parts


def _bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
