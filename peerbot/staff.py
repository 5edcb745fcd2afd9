"""What facilitators are told in the staff channel: what could not be done, what is missing, what looks odd.

Each trouble is told once a day at most. A trouble in telling is only logged, so that no message is about itself.
Where a letter was to go is its member's own: those of one kind that fail for one reason are one trouble of the server.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, case, func, literal_column, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import deliveries
from peerbot.deliveries import Priority
from peerbot.models import Delivery, Grant, Group, Guild
from peerbot.outbox import TELLS
from peerbot.rights import Actor, guild_of, require_facilitator

DAY = timedelta(days=1)
UNMADE = (deliveries.PENDING, deliveries.LEASED, deliveries.DEAD)
"""States of what has not happened."""
CHANNEL_GONE = "not found 10003"
"""The problem of what was to happen in a channel that is there no more (opcodes-and-status-codes.mdx)."""


@dataclass(frozen=True)
class Trouble:
    """What could not be done: the kind of delivery, the word for why, and where."""

    delivery_id: int
    kind: str
    problem: str
    channel_id: int | None
    group_name: str
    is_letter: bool = False


async def tell_failure(
    session: AsyncSession, delivery: Delivery, now: datetime, *, letters: Collection[str] = ()
) -> None:
    """Tell facilitators of a delivery that cannot be carried out, once a day for each trouble.

    Ten people who cannot be let into one room for one reason are one trouble. `letters` are the kinds of letters.
    """
    if delivery.kind in TELLS or await _is_told_of_channel(session, delivery):
        return
    where = "letters" if delivery.kind in letters else delivery.group_id or delivery.channel_id or 0
    key = f"{delivery.kind}:{where}:{delivery.problem}:{now.date().isoformat()}"
    await _tell(session, "staff.failed", key, delivery.guild_id, now, subject_id=delivery.delivery_id)


async def give_up(session: AsyncSession, delivery: Delivery, *, now: datetime) -> None:
    """Write down, from the step itself, that what it was to do has not happened, and have facilitators told."""
    dead = {"state": deliveries.DEAD, "problem": "mistake", "ended_at": now}
    mine = update(Delivery).where(Delivery.delivery_id == delivery.delivery_id).values(**dead)
    await session.execute(mine, execution_options={"synchronize_session": False})
    delivery.problem = "mistake"
    await tell_failure(session, delivery, now)


async def tell_room_gone(session: AsyncSession, guild_id: int, room_id: int, *, now: datetime) -> None:
    """Tell facilitators that the channel of one of their groups was deleted."""
    lost = update(Group).where(Group.guild_id == guild_id, Group.room_id == room_id).values(room_id=None)
    for group_id, state in await session.execute(lost.returning(Group.group_id, Group.state)):
        if state == "open":
            await _tell(
                session,
                "staff.room_gone",
                f"{group_id}:{room_id}",
                guild_id,
                now,
                group_id=group_id,
                subject_id=room_id,
            )


async def tell_panel_gone(session: AsyncSession, guild_id: int, channel_id: int, *, now: datetime) -> None:
    """Tell facilitators that the panel's channel was deleted, if that is the one."""
    guild = await session.get(Guild, guild_id)
    if guild is not None and guild.panel_channel_id == channel_id:
        await _tell(session, "staff.panel_gone", str(channel_id), guild_id, now, subject_id=channel_id)


async def tell_rooms_missing(session: AsyncSession, guild_id: int, *, now: datetime) -> None:
    """Tell facilitators, once a day, of open groups that have no room and whose room is not on its way."""
    heard = (
        select(Delivery.delivery_id)
        .where(
            Delivery.group_id == Group.group_id,
            Delivery.kind.in_(("groups.room", "staff.room_gone")),
            or_(Delivery.state < literal_column(str(deliveries.DONE)), Delivery.ended_at > now - DAY),
        )
        .exists()
    )
    lacking = (Group.guild_id == guild_id, Group.state == "open", Group.room_id.is_(None), ~heard)
    for group_id in (await session.scalars(select(Group.group_id).where(*lacking))).all():
        key = f"{group_id}:{now.date().isoformat()}"
        await _tell(session, "staff.room_gone", key, guild_id, now, group_id=group_id)


async def tell_again(
    session: AsyncSession, delivery: Delivery, now: datetime, *, letters: Collection[str] = ()
) -> None:
    """Tell facilitators, in the staff channel that was just chosen, of everything that is still not mended."""
    moment = int(now.timestamp())
    place = case((Delivery.kind.in_(letters), None), else_=func.coalesce(Delivery.group_id, Delivery.channel_id))
    failed = (
        select(func.max(Delivery.delivery_id))
        .where(Delivery.guild_id == delivery.guild_id, Delivery.kind.not_in(TELLS))
        .where(Delivery.state == literal_column(str(deliveries.DEAD)))
        .group_by(Delivery.kind, place)
    )
    for failed_id in (await session.scalars(failed)).all():
        key = f"again:{failed_id}:{moment}"
        await _tell(session, "staff.failed", key, delivery.guild_id, now, subject_id=failed_id)
    lacking = (Group.guild_id == delivery.guild_id, Group.state == "open", Group.room_id.is_(None))
    for group_id in (await session.scalars(select(Group.group_id).where(*lacking, ~_room_is_failing()))).all():
        await _tell(session, "staff.room_gone", f"{group_id}:{moment}", delivery.guild_id, now, group_id=group_id)


async def tell_strangers(session: AsyncSession, guild_id: int, group_id: int, *, now: datetime) -> None:
    """Tell facilitators, once a day at most, that a room is open to people without a seat."""
    key = f"{group_id}:{now.date().isoformat()}"
    await _tell(session, "staff.strangers", key, guild_id, now, group_id=group_id)


async def trouble(
    session: AsyncSession, guild_id: int, delivery_id: int, *, letters: Collection[str] = ()
) -> Trouble | None:
    """Return the trouble of which a failed delivery is an example; None when all of it has been mended since."""
    example = await session.get(Delivery, delivery_id)
    if example is None or example.guild_id != guild_id:
        return None
    like = _like(example, letters)
    itself = case((Delivery.delivery_id == delivery_id, 0), else_=1)
    failed = await session.scalar(select(Delivery).where(*like).order_by(itself, Delivery.ended_at.desc()).limit(1))
    if failed is None:
        return None
    if failed.kind in letters:
        return Trouble(delivery_id, failed.kind, failed.problem or "", None, "", is_letter=True)
    group = await session.get(Group, failed.group_id) if failed.group_id else None
    channel_id = failed.channel_id or (group.room_id if group else None)
    if channel_id is None and failed.kind == "groups.access":
        # The farewell is over and the group has no room any more; what was given stands in the grants.
        given = (Grant.group_id == failed.group_id, Grant.member_id == failed.member_id, Grant.kind == "room")
        channel_id = await session.scalar(select(Grant.target_id).where(*given).limit(1))
    return Trouble(delivery_id, failed.kind, failed.problem or "", channel_id, group.name if group else "")


async def try_again(
    session: AsyncSession, actor: Actor, delivery_id: int, *, letters: Collection[str] = (), now: datetime
) -> list[int]:
    """Run everything again that failed like a delivery of the actor's server; return the deliveries, none if none.

    Raises NotAllowed unless the actor facilitates.
    """
    require_facilitator(await guild_of(session, actor.guild_id), actor)
    example = await session.get(Delivery, delivery_id)
    if example is None or example.guild_id != actor.guild_id:
        return []
    again = (
        update(Delivery)
        .where(*_like(example, letters))
        .values(state=deliveries.PENDING, next_at=now, attempts=1, ended_at=None)  # it may have been sent before
        .returning(Delivery.delivery_id)
        .execution_options(synchronize_session=False)
    )
    found = list((await session.scalars(again)).all())
    session.info["planned"].extend(found)
    return found


async def _is_told_of_channel(session: AsyncSession, delivery: Delivery) -> bool:
    """Return whether facilitators have heard that the channel was deleted in which a card cannot be any more."""
    if not delivery.kind.startswith("card.") or delivery.problem != CHANNEL_GONE:
        return False
    key = f"{delivery.guild_id}:staff.panel_gone:{delivery.channel_id}"
    return await session.scalar(select(Delivery.delivery_id).where(Delivery.dedupe_key == key)) is not None


def _room_is_failing() -> ColumnElement[bool]:
    """Return the condition that a group's room could not be made, or is on its way."""
    which = (Delivery.group_id == Group.group_id, Delivery.kind == "groups.room", Delivery.state.in_(UNMADE))
    return select(Delivery.delivery_id).where(*which).exists()


def _like(example: Delivery, letters: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    like = (
        Delivery.guild_id == example.guild_id,
        Delivery.kind == example.kind,
        Delivery.state == literal_column(str(deliveries.DEAD)),
    )
    if example.kind in letters:
        return like
    if example.group_id:
        return (*like, Delivery.group_id == example.group_id)
    return (*like, Delivery.channel_id == example.channel_id)


async def _tell(
    session: AsyncSession,
    kind: str,
    key: str,
    guild_id: int,
    now: datetime,
    *,
    group_id: int | None = None,
    subject_id: int | None = None,
) -> None:
    guild = await session.get(Guild, guild_id)
    if guild is not None:
        await deliveries.plan(
            session, kind, key, guild_id=guild_id, now=now, priority=Priority.NOTE,
            channel_id=guild.staff_channel_id, group_id=group_id,
            subject_id=subject_id,
        )  # fmt: skip
