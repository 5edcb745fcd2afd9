"""Who is in a group, on one card: however many were removed, everyone with a seat is there and can be chosen."""

from __future__ import annotations

from datetime import datetime, timedelta

from builders import AGREED, FACILITATOR, GUILD, actor, facilitator, make_group, seat
from discord import ui

from cogs.groups import _cards as cards
from cogs.groups._people import ROOM_LATER
from peerbot import directory, groups, members
from peerbot.database import Database
from peerbot.directory import Roster
from peerbot.models import Guild
from peerbot.text import Reader

SEATED = range(3000, 3015)
REMOVED = range(2000, 2030)
WAITING = range(4000, 4020)
LONGEST_NAME = "*" * 32
"""The longest name that Discord takes, of letters that take two each when they are shown as they are."""


async def crowded(db: Database, now: datetime) -> Roster:
    """Return a group with fifteen seats taken and a long line, after thirty people had been removed."""
    async with db.begin() as session:
        group = await make_group(session, now=now, capacity=15)
        for user_id in REMOVED:
            await seat(session, group, user_id, now=now)
            removed = await members.find(session, GUILD, user_id)
            assert removed is not None
            await groups.remove(session, facilitator(), group.group_id, removed.member_id, now=now)
        await seat(session, group, *SEATED, now=now + timedelta(days=1))
        for user_id in WAITING:
            person = actor(user_id)
            await groups.sign_up(session, person, group.group_id, agreed=AGREED, waits=True, now=now)
        return await directory.roster(session, facilitator(), group.group_id)


async def test_who_has_a_seat_comes_before_who_was_removed(db: Database, guild: Guild, now: datetime) -> None:
    roster = await crowded(db, now)
    assert {person.user_id for person in roster.people[:15]} == set(SEATED)
    assert {person.state for person in roster.people[:15]} == {"active"}


async def test_a_crowded_card_keeps_discords_limits_and_offers_everyone_with_a_seat(
    db: Database, guild: Guild, now: datetime
) -> None:
    roster = await crowded(db, now)
    everyone = [FACILITATOR, *SEATED, *WAITING, *REMOVED]
    strange = list(range(5000, 5050))
    for names in (cards.Names(None), cards.Names(dict.fromkeys([*everyone, *strange], LONGEST_NAME))):
        card = cards.people_card(roster, names, strange, Reader(), ROOM_LATER)
        (menu,) = [item for item in card.walk_children() if isinstance(item, ui.Select)]
        assert len(menu.options) == 25
        offered = {option.value for option in menu.options}
        assert {f"active.{person.member_id}" for person in roster.people[:15]} < offered
        assert f"facilitator.{roster.facilitators[0].member_id}" in offered
        assert card.content_length() <= 4000
        assert card.total_children_count <= 40
