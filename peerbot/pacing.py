"""How many of the places under way one channel may have.

Discord takes five messages in five seconds for a channel. Messages beyond that wait for their turn, and whoever waits
keeps a place: forty cards for one thread would hold up everything else for most of a minute. Those that find no place
go back into the outbox, one second apart, and count as not tried.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import Executable, bindparam, case, literal_column, null, update
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot.deliveries import PENDING, Priority
from peerbot.models import Delivery

PLACES = 8
"""Messages under way at once for one channel: as many as it takes at once, and some that are next."""
APART = timedelta(seconds=1)


async def share_out(
    session: AsyncSession,
    claimed: Sequence[Delivery],
    under_way: Collection[Delivery],
    kinds: Collection[str],
    *,
    now: datetime,
) -> list[Delivery]:
    """Return which of some rows that were just claimed go now, and put the others back.

    It is about messages, which are of some kinds. A call for help always goes.
    """
    taken = Counter(row.channel_id for row in under_way if row.kind in kinds)
    going: list[Delivery] = []
    back: list[dict[str, object]] = []
    for row in sorted(claimed, key=lambda each: (each.priority, each.due_at, each.delivery_id)):
        if row.kind in kinds and row.channel_id is not None:
            taken[row.channel_id] += 1
            over = taken[row.channel_id] - PLACES
            if over > 0 and row.priority != Priority.HELP:
                back.append({"of": row.delivery_id, "until": now + APART * over})
                continue
        going.append(row)
    if back:
        await session.execute(_putting_back(), back)
    return going


@cache
def _putting_back() -> Executable:
    columns = Delivery.__table__.c
    these = update(Delivery.metadata.tables["deliveries"]).where(columns.delivery_id == bindparam("of"))
    first = columns.attempts <= literal_column("1")
    return these.values(
        state=literal_column(str(PENDING)),
        owner=null(),
        next_at=bindparam("until"),
        attempts=columns.attempts - literal_column("1"),
        first_send_at=case((first, null()), else_=columns.first_send_at),
    )
