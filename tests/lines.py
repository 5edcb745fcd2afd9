"""People in line, and the deliveries of the line run at chosen times without Discord."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from builders import AGREED, GUILD, actor, details, facilitator
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import deliveries, departures, groups, members, pauses, seats, timetables
from peerbot.database import Database
from peerbot.groups import SeatChange
from peerbot.models import Delivery, Group, Meeting, Member, Membership
from peerbot.recurrence import Rule
from peerbot.seats import Offer, Place

STEPS = {
    "seats.free": seats.offer,
    "seats.expire": seats.expire,
    "seats.again": seats.offer_again,
    "groups.pause_over": pauses.end_pause,
    "groups.seat_lapses": departures.lapse,
}
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TWO_DAYS = timedelta(hours=48)
SAM, KIM, ANN = 5, 6, 7
NOON = datetime.fromisoformat("2026-03-04T12:00:00+00:00")
"""One in the afternoon in Berlin, where the made-up server is."""


async def wait(db: Database, group: Group, *user_ids: int, now: datetime = NOON) -> None:
    """Have people wait in line, one after the other."""
    for number, user_id in enumerate(user_ids):
        await ask(db, group, user_id, waits=True, now=now + timedelta(seconds=number))


async def ask(
    db: Database, group: Group, user_id: int, *, waits: bool = False, agreed: str | None = AGREED, now: datetime = NOON
) -> SeatChange | None:
    """Have somebody press *Join* or *Take it*, or *Wait in line*."""
    async with db.begin() as session:
        return await groups.sign_up(session, actor(user_id), group.group_id, agreed=agreed, waits=waits, now=now)


async def leave(db: Database, group: Group, user_id: int, *, now: datetime = NOON) -> None:
    """Have somebody give their seat up."""
    async with db.begin() as session:
        await groups.leave(session, actor(user_id), group.group_id, now=now)


async def run_next(db: Database, now: datetime, *, letters: bool = True) -> tuple[str, Offer | None] | None:
    """Run the first delivery of the line that is due; return its kind and what a letter says, None when none is due.

    Without `letters` nothing can be sent: offers are not told, as in an outage.
    """
    kinds = [*STEPS, *(["seats.offer", "seats.closed"] if letters else [])]
    async with db.begin(wait=10) as session:
        is_due = (Delivery.state == deliveries.PENDING, Delivery.next_at <= now, Delivery.kind.in_(kinds))
        order = (Delivery.priority, Delivery.next_at, Delivery.delivery_id)
        delivery = await session.scalar(select(Delivery).where(*is_due).order_by(*order).limit(1))
        if delivery is None:
            return None
        said = await seats.announce(session, delivery, now=now) if delivery.kind == "seats.offer" else None
        if delivery.kind in STEPS:
            await STEPS[delivery.kind](session, delivery, now)
        cancelled = delivery.kind == "seats.offer" and said is None
        delivery.state = deliveries.CANCELLED if cancelled else deliveries.DONE
        delivery.ended_at = now
        return delivery.kind, said


async def run_due(db: Database, now: datetime = NOON, *, letters: bool = True) -> list[Offer]:
    """Run what is due until nothing is; return what the letters say that were sent."""
    said: list[Offer] = []
    while (ran := await run_next(db, now, letters=letters)) is not None:
        said += [ran[1]] if ran[1] is not None else []
    return said


async def states(db: Database, group: Group) -> dict[int, str]:
    """Return the state of everyone whom a group knows, by user id."""
    async with db.read() as session:
        return await states_in(session, group.group_id)


async def states_in(session: AsyncSession, group_id: int) -> dict[int, str]:
    """Return the state of everyone whom a group knows, by user id."""
    found = await session.scalars(select(Membership).where(Membership.group_id == group_id))
    everyone = [(await session.get_one(Member, row.member_id), row.state) for row in found.all()]
    return {members.user_id(session, member): state for member, state in everyone}


async def place_of(db: Database, user_id: int) -> Place | None:
    """Return somebody's only place in line, as /my shows it."""
    async with db.read() as session:
        found = await seats.places(session, GUILD, user_id)
    assert len(found) <= 1
    return found[0] if found else None


async def planned(db: Database, kind: str) -> list[Delivery]:
    """Return the deliveries of a kind, the oldest first."""
    async with db.read() as session:
        found = select(Delivery).where(Delivery.kind == kind).order_by(Delivery.delivery_id)
        return list((await session.scalars(found)).all())


async def member_id(db: Database, user_id: int) -> int:
    """Return the id of somebody whom the server knows."""
    async with db.read() as session:
        member = await members.find(session, GUILD, user_id)
        assert member is not None
        return member.member_id


async def passes(db: Database, group: Group, user_id: int, now: datetime = NOON) -> seats.Place:
    """Have somebody say *Not now*."""
    async with db.begin() as session:
        return await seats.pass_on(session, actor(user_id), group.group_id, now=now)


async def leaves_line(db: Database, group: Group, user_id: int, now: datetime = NOON) -> None:
    """Have somebody leave the line."""
    async with db.begin() as session:
        await seats.leave_line(session, actor(user_id), group.group_id, now=now)


async def edit(db: Database, group: Group, capacity: int, now: datetime = NOON) -> None:
    """Have a facilitator change the number of seats."""
    async with db.begin() as session:
        await groups.edit(session, facilitator(), group.group_id, details(capacity=capacity), now=now)


async def leaves_server(db: Database, user_id: int, now: datetime = NOON) -> None:
    """Have somebody leave the server."""
    async with db.begin() as session:
        await departures.leave(session, GUILD, user_id, now=now)


async def row(db: Database, user_id: int) -> Membership:
    """Return what is kept of somebody in their only group."""
    mine = await member_id(db, user_id)
    async with db.read() as session:
        return (await session.scalars(select(Membership).where(Membership.member_id == mine))).one()


async def meets(db: Database, group: Group, starts_at: datetime) -> int:
    """Have a group meet once; return the meeting's id."""
    first = starts_at.astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None)
    plan = timetables.Plan.checked(group_id=group.group_id, first=first, rule=Rule("once"))
    async with db.begin() as session:
        made = await timetables.create(session, facilitator(), plan, now=NOON)
        return (await session.scalars(select(Meeting.meeting_id).where(Meeting.series_id == made.series_id))).one()
