"""A made-up Discord of many servers, and a database that agrees with it to the last permission.

What is seeded is what peerbot would have written itself, so that it finds nothing to mend when it compares.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import members
from peerbot.config import Settings
from peerbot.database import BACKGROUND, connect
from peerbot.models import Base, Card, Facilitator, Grant, Group, Guild, Member, Membership
from peerbot.rehearsal import people, permissions, posting, wire
from peerbot.rehearsal.application import Application
from peerbot.rehearsal.guild import Guild as Server
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.wire import Wire
from peerbot.rehearsal.world import World

NEEDED = int(Bit.VIEW_CHANNEL | Bit.SEND_MESSAGES | Bit.READ_MESSAGE_HISTORY | Bit.MANAGE_CHANNELS | Bit.MANAGE_ROLES)
IN_ROOM = int(Bit.VIEW_CHANNEL | Bit.SEND_MESSAGES | Bit.READ_MESSAGE_HISTORY)
SEES = int(Bit.VIEW_CHANNEL)
AGREED = "1.1"
SEATS = 15
TOPICS = ("Rest", "Rebuilding", "Work", "Family", "Sleep")
ROWS_AT_ONCE = 2000
NOTE, LETTER = "bench.note", "bench.letter"
FIRST_DIRECT = 1_000_000
"""The first id of a member who holds no seat."""


@dataclass
class Place:
    """One server: its channels, the members who hold seats (by the room), and its one facilitator."""

    server: Server
    role: Wire
    panel: Wire
    panel_message: Wire
    staff: Wire
    facilitator: int
    rooms: list[Wire] = field(default_factory=list[Wire])
    seated: list[list[int]] = field(default_factory=list[list[int]])


@dataclass
class Town:
    """All servers of a run, with peerbot and the bare bot installed in each."""

    world: World
    peerbot: Application
    bare: Application
    places: list[Place]
    groups: dict[int, int] = field(default_factory=dict[int, int])
    member_ids: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])

    @classmethod
    def build(cls, world: World, *, servers: int, groups: int, seated: int) -> Town:
        """Make so many servers of so many groups of so many different people each."""
        town = cls(world, world.application("peerbot"), world.application("bare"), [])
        for number in range(servers):
            town.places.append(town._place(f"Server {number}", groups, seated))
        return town

    def newcomer(self, place: Place) -> int:
        """Let somebody join a server; return their user id."""
        return people.join(self.world, place.server, f"Guest {len(self.world.users)}").user_id

    def _place(self, name: str, groups: int, seated: int) -> Place:
        world = self.world
        server = world.guild(name, owner="Olive")
        server.edit_role(server.id, permissions=str(permissions.EVERYONE_AT_FIRST | int(Bit.USE_APPLICATION_COMMANDS)))
        server.install(self.peerbot, NEEDED)
        server.install(self.bare, int(Bit.ADMINISTRATOR))  # so that it holds the same channels in memory
        role = server.add_role("Facilitators", int(Bit.MANAGE_EVENTS))
        hidden = [wire.overwrite(server.id, 0, 0, SEES), wire.overwrite(self.peerbot.bot_id, 1, IN_ROOM, 0)]
        panel = server.add_channel("find-a-group")
        staff = server.add_channel("staff", overwrites=[*hidden, wire.overwrite(int(role["id"]), 0, SEES, 0)])
        card = {"flags": posting.COMPONENTS_V2, "components": [{"type": 10, "content": "Find a group"}]}
        message = posting.post(world, panel, self.peerbot.bot, posting.Draft(card))
        facilitator = people.join(world, server, "Ana", role).user_id
        place = Place(server, role, panel, message, staff, facilitator)
        for number in range(groups):
            ids = [self.newcomer(place) for _ in range(seated)]
            let_in = [wire.overwrite(user_id, 1, IN_ROOM, 0) for user_id in (facilitator, *ids)]
            place.rooms.append(server.add_channel(f"group-{number}", overwrites=[*hidden, *let_in]))
            place.seated.append(ids)
        return place

    async def seed(self, settings: Settings, now: datetime) -> None:
        """Write everything down in a migrated database."""
        db = connect(settings)
        try:
            async with db.begin(wait=BACKGROUND) as session:
                await members.check_key(session)
                await self._seed_servers(session, now)
                await self._seed_people(session, now)
                await _count_on(session)
        finally:
            await db.close()

    async def _seed_servers(self, session: AsyncSession, now: datetime) -> None:
        servers: list[Wire] = []
        groups: list[Wire] = []
        cards: list[Wire] = []
        for place in self.places:
            guild_id = place.server.id
            servers.append(
                {
                    "guild_id": guild_id,
                    "facilitator_role_id": int(place.role["id"]),
                    "panel_channel_id": int(place.panel["id"]),
                    "staff_channel_id": int(place.staff["id"]),
                    "time_zone": "Europe/Berlin",
                    "locale": "en-US",
                    "help_countries": "DE US",
                    "created_at": now,
                }
            )
            shown = {"channel_id": int(place.panel["id"]), "message_id": int(place.panel_message["id"]), "posts": 1}
            cards.append({"guild_id": guild_id, "subject": "panel", "group_id": None, **shown})
            for number, room in enumerate(place.rooms):
                self.groups[int(room["id"])] = len(groups) + 1
                name = f"Group {number:02}"
                groups.append(
                    {
                        "group_id": len(groups) + 1,
                        "guild_id": guild_id,
                        "name": name,
                        "name_key": name.casefold(),
                        "about": "For adults whose depression has not eased with treatment. No proof needed.",
                        "topic": TOPICS[number % len(TOPICS)],
                        "meets_by": "voice",
                        "capacity": SEATS,
                        "state": "open",
                        "room_id": int(room["id"]),
                        "created_at": now,
                    }
                )
        for table, rows in ((Guild, servers), (Card, cards), (Group, groups)):
            await _insert(session, table, rows)

    async def _seed_people(self, session: AsyncSession, now: datetime) -> None:
        seal = members.seal_of(session)
        known: list[Wire] = []
        seats: list[Wire] = []
        listed: list[Wire] = []
        grants: list[Wire] = []

        def know(guild_id: int, user_id: int) -> int:
            sealed = seal.close(guild_id, user_id)
            person = {"member_id": len(known) + 1, "guild_id": guild_id, "sealed_user_id": sealed, "locale": "en-US"}
            known.append(person | {"agreed": AGREED, "agreed_at": now, "created_at": now})
            self.member_ids[guild_id, user_id] = len(known)
            return len(known)

        for place in self.places:
            looks_after = know(place.server.id, place.facilitator)
            for room, seated in zip(place.rooms, place.seated, strict=True):
                group_id = self.groups[int(room["id"])]
                listed.append({"group_id": group_id, "member_id": looks_after, "since": now})
                ids = [know(place.server.id, user_id) for user_id in seated]
                seats += [{"group_id": group_id, "member_id": one, "state": "active", "joined_at": now} for one in ids]
                given = {"group_id": group_id, "kind": "room", "target_id": int(room["id"])}
                grants += [{**given, "member_id": one} for one in (looks_after, *ids)]
        for table, rows in ((Member, known), (Membership, seats), (Facilitator, listed), (Grant, grants)):
            await _insert(session, table, rows)


async def _insert(session: AsyncSession, table: type[Base], rows: list[Wire]) -> None:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        await session.execute(insert(table), rows[start : start + ROWS_AT_ONCE])


async def _count_on(session: AsyncSession) -> None:
    """Let PostgreSQL count on from the ids that were given here."""
    if session.get_bind().dialect.name != "postgresql":
        return
    for table, column in (("groups", "group_id"), ("members", "member_id")):
        last = f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), max({column})) FROM {table}"  # noqa: S608
        await session.execute(text(last))


@dataclass(frozen=True)
class Target:
    """Where a message goes: a channel of a server, or a member of it whose direct channel is known."""

    guild_id: int
    channel_id: int
    member_id: int | None = None


async def know_direct(town: Town, settings: Settings, count: int, now: datetime) -> list[Target]:
    """Let so many people be known with a direct channel that was opened before."""
    db = connect(settings)
    found: list[Target] = []
    async with db.begin(wait=BACKGROUND) as session:
        seal = members.seal_of(session)
        rows: list[Wire] = []
        for number in range(count):
            place = town.places[number % len(town.places)]
            user_id, guild_id = town.newcomer(place), place.server.id
            channel_id = int(town.world.dm(town.peerbot, user_id)["id"])
            found.append(Target(guild_id, channel_id, FIRST_DIRECT + number))
            ids = {"member_id": FIRST_DIRECT + number, "guild_id": guild_id, "dm_channel_id": channel_id}
            rows.append(ids | {"sealed_user_id": seal.close(guild_id, user_id), "reach": "dm", "created_at": now})
        await _insert(session, Member, rows)
    await db.close()
    return found


def rows_for(targets: Iterable[Target], due: Iterable[datetime], now: datetime, *, key: str) -> list[Wire]:
    """Return rows of the outbox, one for each target and moment."""
    rows: list[Wire] = []
    for number, (target, due_at) in enumerate(zip(targets, due, strict=True)):
        kind = NOTE if target.member_id is None else LETTER
        rows.append(
            {
                "dedupe_key": f"{target.guild_id}:{kind}:{key}-{number}",
                "kind": kind,
                "guild_id": target.guild_id,
                "channel_id": target.channel_id if target.member_id is None else None,
                "member_id": target.member_id,
                "priority": 4,
                "due_at": due_at,
                "next_at": due_at,
                "created_at": now,
            }
        )
    return rows
