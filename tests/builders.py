"""Made-up servers, people and groups, built through the rules themselves."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import groups, setup
from peerbot.config import Secret, Settings
from peerbot.groups import Details
from peerbot.models import Group, Guild
from peerbot.rights import Actor

DATA_KEY = base64.urlsafe_b64encode(bytes(range(64))).decode()
OTHER_KEY = base64.urlsafe_b64encode(bytes(range(64, 128))).decode()

GUILD = 1_100_000_000_000_000_001
OTHER_GUILD = 1_100_000_000_000_000_002
ROLE = 1_100_000_000_000_000_010
PANEL = 1_100_000_000_000_000_020
STAFF = 1_100_000_000_000_000_021
ROOM = 1_100_000_000_000_000_030
OWNER = 1_200_000_000_000_000_001
FACILITATOR = 1_200_000_000_000_000_002
MAYA = 1_200_000_000_000_000_003
LEO = 1_200_000_000_000_000_004
AGREED = "1.1"


def settings_for(database_url: str) -> Settings:
    """Return settings with a database and made-up secrets."""
    return Settings(
        discord_token=Secret("made.up.token"),
        data_key=Secret(DATA_KEY),
        database_url=Secret(database_url),
    )


def actor(user_id: int = MAYA, **changes: Any) -> Actor:
    """Return a member who presses something."""
    usual: dict[str, Any] = {"guild_id": GUILD, "user_id": user_id, "locale": "en-US"}
    return Actor(**usual | changes)


def facilitator(user_id: int = FACILITATOR, **changes: Any) -> Actor:
    """Return somebody who holds the facilitator role."""
    return actor(user_id, **{"role_ids": frozenset({ROLE}), **changes})


def owner(**changes: Any) -> Actor:
    """Return somebody who manages the server."""
    return actor(OWNER, **{"manages": True, **changes})


async def make_guild(session: AsyncSession, *, now: datetime | None = None, guild_id: int = GUILD) -> Guild:
    """Set a server up."""
    return await setup.save(
        session,
        owner(guild_id=guild_id),
        facilitator_role_id=ROLE,
        panel_channel_id=PANEL,
        staff_channel_id=STAFF,
        time_zone="Europe/Berlin",
        locale="en-US",
        now=now or datetime.now(UTC),
    )


def details(**changes: Any) -> Details:
    """Return what a facilitator writes about a group."""
    words = {"name": "Tuesday", "about": "For adults.", "topic": "Rest", "meets_by": "voice", "capacity": "12"}
    return Details.checked(**{**words, **{name: str(value) for name, value in changes.items()}})


async def make_group(session: AsyncSession, *, now: datetime | None = None, **changes: Any) -> Group:
    """Create a group of the usual facilitator, with a room unless one is given."""
    by = changes.pop("by", None) or facilitator(guild_id=changes.pop("guild_id", GUILD))
    placed = {"room_id": changes.pop("room_id", ROOM), "role_id": changes.pop("role_id", None)}
    by = by if placed["role_id"] is None else replace(by, manages=True)
    made, _planned = await groups.create(session, by, details(**changes), **placed, now=now or datetime.now(UTC))
    return made


async def seat(session: AsyncSession, group: Group, *user_ids: int, now: datetime | None = None) -> None:
    """Give people a seat; they agree to the words as they are at first."""
    for user_id in user_ids:
        person = actor(user_id, guild_id=group.guild_id)
        await groups.sign_up(session, person, group.group_id, agreed=AGREED, now=now or datetime.now(UTC))
