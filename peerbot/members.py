"""Who somebody is: the only place where a user id meets the database.

A user id is sealed with AES-SIV, bound to its server. Sealing the same id twice gives the same bytes, so that a member
can be found; without the key nobody can tell whose bytes they are, nor that two servers share a member.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from sqlalchemy import Executable, Select, bindparam, delete, exists, func, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot.errors import KeyWrong
from peerbot.models import Debrief, Delivery, Facilitator, Grant, Host, KeyCheck, Member, Membership, Task
from peerbot.types import insert_for, insert_into

_CHECK = b"peerbot"
IDLE = timedelta(days=1)
"""How long somebody of whom nothing is kept is still known, such as between reading an agreement and joining."""

MOST_FORGOTTEN = 500
"""Members who are forgotten in one transaction."""

# Written once, like whatever is asked at each press: making a statement takes longer than the database does.
FOUND = select(Member).where(Member.guild_id == bindparam("guild_id"), Member.sealed_user_id == bindparam("sealed"))


class Seal:
    """Seal and open user ids with one key of 64 bytes."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)

    def close(self, guild_id: int, user_id: int) -> bytes:
        """Return the sealed id, the same each time."""
        return self._cipher.encrypt(user_id.to_bytes(8, "big"), [guild_id.to_bytes(8, "big")])

    def open(self, guild_id: int, sealed: bytes) -> int:
        """Return the user id; raise KeyWrong for another key or another server."""
        try:
            return int.from_bytes(self._cipher.decrypt(sealed, [guild_id.to_bytes(8, "big")]), "big")
        except InvalidTag:
            raise KeyWrong("PEERBOT_DATA_KEY does not open the ids in this database.") from None

    def check(self) -> bytes:
        """Return the constant that a database keeps to recognise this key."""
        return self._cipher.encrypt(_CHECK, [b"check"])


def new_key() -> str:
    """Return a fresh key as text, for PEERBOT_DATA_KEY."""
    return base64.urlsafe_b64encode(AESSIV.generate_key(512)).decode()


def seal_of(session: AsyncSession) -> Seal:
    """Return the seal that came with the session."""
    return session.info["seal"]


async def of(session: AsyncSession, guild_id: int, user_id: int, *, now: datetime, locale: str | None = None) -> Member:
    """Return the member, made if this is the first time; remember the language when one is given."""
    sealed = seal_of(session).close(guild_id, user_id)
    values = {"guild_id": guild_id, "sealed_user_id": sealed, "locale": locale, "created_at": now}
    known = _sealed(guild_id, sealed).with_for_update(read=True, key_share=True)  # nobody forgets them meanwhile
    member = await session.scalar(known)
    while member is None:  # once more, if they were just being forgotten
        made = insert_into(session, Member).values(values)
        await session.execute(made.on_conflict_do_nothing(index_elements=["guild_id", "sealed_user_id"]))
        member = await session.scalar(known)
    if locale is not None:
        member.locale = locale
    return member


async def agreeing(
    session: AsyncSession, guild_id: int, user_id: int, *, version: str, locale: str | None, now: datetime
) -> Member:
    """Return the member, made if this is the first time, who agrees to a version now."""
    values = {
        "guild_id": guild_id,
        "sealed_user_id": seal_of(session).close(guild_id, user_id),
        "locale": locale,
        "agreed": version,
        "agreed_at": now,
        "created_at": now,
    }
    kept = _kept(session.get_bind().dialect.name)
    return (await session.scalars(kept, values, execution_options={"populate_existing": True})).one()


@cache
def _kept(engine: str) -> Executable:
    table = Member.__table__
    row = insert_for(engine, table)  # of the table, not of the model: that takes half as long again
    locale = func.coalesce(row.excluded.locale, table.c.locale)
    changes = {"agreed": row.excluded.agreed, "agreed_at": row.excluded.agreed_at, "locale": locale}
    found = row.on_conflict_do_update(index_elements=["guild_id", "sealed_user_id"], set_=changes)
    return select(Member).from_statement(found.returning(*table.c))


async def find(session: AsyncSession, guild_id: int, user_id: int) -> Member | None:
    """Return the member if the database knows them."""
    found: dict[tuple[int, int], Member] = session.info.setdefault("members", {})
    known = found.get((guild_id, user_id))  # what a card shows is read by several rules, all of which ask who it is for
    if known is not None and not inspect(known).expired:  # as it is when a savepoint took something back
        return known
    sealed = seal_of(session).close(guild_id, user_id)
    member = await session.scalar(FOUND, {"guild_id": guild_id, "sealed": sealed})
    if member is not None and not session.in_nested_transaction():  # which may be taken back, and who was made with it
        found[guild_id, user_id] = member
    return member


async def find_all(session: AsyncSession, guild_id: int, user_ids: Collection[int]) -> Sequence[Member]:
    """Return those members of a server whom the database knows, out of at most some hundreds."""
    sealed = [seal_of(session).close(guild_id, user_id) for user_id in user_ids]
    found = await session.scalars(select(Member).where(Member.guild_id == guild_id, Member.sealed_user_id.in_(sealed)))
    return found.all()


def user_id(session: AsyncSession, member: Member) -> int:
    """Return the member's user id."""
    return seal_of(session).open(member.guild_id, member.sealed_user_id)


async def check_key(session: AsyncSession) -> None:
    """Raise KeyWrong unless the session's key is the key of this database; a new database takes it as its own."""
    row = await session.get(KeyCheck, 1)
    check = seal_of(session).check()
    if row is None:
        session.add(KeyCheck(id=1, sealed=check))
        await session.flush()
    elif row.sealed != check:
        raise KeyWrong(
            "PEERBOT_DATA_KEY is not the key of this database. Nothing was read or changed. "
            "Use the key that it was made with; `peerbot db rekey` changes it."
        )


async def rekey(session: AsyncSession, new: Seal) -> int:
    """Seal every user id anew and return how many; the caller's transaction makes it all or nothing.

    Raises KeyWrong, also for a database that no bot has used yet: it is hardly the one that was meant.
    """
    if await session.get(KeyCheck, 1) is None:
        raise KeyWrong("PEERBOT_DATABASE_URL names a database that no peerbot has used. No key was changed.")
    await check_key(session)
    old = seal_of(session)
    count = 0
    for member in await session.scalars(select(Member)):
        member.sealed_user_id = new.close(member.guild_id, old.open(member.guild_id, member.sealed_user_id))
        count += 1
    row = await session.get_one(KeyCheck, 1)
    row.sealed = new.check()
    await session.flush()
    return count


def _sealed(guild_id: int, sealed: bytes) -> Select[Member]:
    return select(Member).where(Member.guild_id == guild_id, Member.sealed_user_id == sealed)


async def forget_idle(session: AsyncSession, *, now: datetime) -> int:
    """Delete members of whom nothing else is kept any more; return how many. They may come back as if new."""
    kept = [table.member_id for table in (Membership, Facilitator, Grant, Delivery, Task, Host, Debrief)]
    idle = (Member.created_at < now - IDLE, *(~exists().where(column == Member.member_id) for column in kept))
    # Locked first and then looked at anew: somebody may be joining a group at this moment.
    candidates = select(Member.member_id).where(*idle).limit(MOST_FORGOTTEN).with_for_update(skip_locked=True)
    chosen = (await session.scalars(candidates)).all()
    gone = delete(Member).where(Member.member_id.in_(chosen), *idle).returning(Member.member_id)
    session.info.pop("members", None)
    return len((await session.scalars(gone.execution_options(synchronize_session=False))).all())
