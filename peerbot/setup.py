"""What the owner chose for a server, and the words that its members agree to.

The server's own words (what happens in danger, when facilitators read) are part of the agreement: changing them makes a
new version, which is asked at the next join.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import cards, deliveries, helplines
from peerbot.deliveries import Priority
from peerbot.errors import NotSetUp, NotValid
from peerbot.models import Group, Guild
from peerbot.rights import Actor, guild_of, require_manager
from peerbot.text import _, clean
from peerbot.types import insert_into

OWN_WORDS = 1
"""The version of the words that peerbot itself brings to the agreement."""
LONGEST_WORDS = 300


@dataclass(frozen=True)
class Agreement:
    """What a person agrees to before joining."""

    version: str
    danger_policy: str
    reading_hours: str


async def save(
    session: AsyncSession,
    actor: Actor,
    *,
    facilitator_role_id: int,
    panel_channel_id: int,
    staff_channel_id: int,
    time_zone: str,
    locale: str,
    now: datetime,
    threads_channel_id: int | None = None,
) -> Guild:
    """Keep the five answers of a setup, new or changed, and place the panel; another staff channel is told what waits.

    Members' private threads stand under the threads channel, else under the panel's. Raises NotAllowed, or NotValid for
    an unknown time zone, or when the staff channel is one of the members' channels.
    """
    require_manager(actor)
    if panel_channel_id == staff_channel_id:
        raise NotValid(
            _("The panel is for everyone and the staff channel for facilitators. Please choose two channels.")
        )
    if threads_channel_id == staff_channel_id:
        raise NotValid(
            _("Members can't see the staff channel. Please choose another one for private threads, or none.")
        )
    if facilitator_role_id == actor.guild_id:
        raise NotValid(_("Everyone has that role. Please choose one that only facilitators have."))
    zone = find_zone(time_zone)
    channel_ids = (panel_channel_id, staff_channel_id, threads_channel_id or panel_channel_id)
    rooms = select(Group.name).where(Group.guild_id == actor.guild_id, Group.room_id.in_(channel_ids))
    name = await session.scalar(rooms)
    if name is not None:
        raise NotValid(_("One of these channels is the room of **{name}**. Please choose another one.", name=name))
    answers: dict[str, Any] = {
        "facilitator_role_id": facilitator_role_id,
        "panel_channel_id": panel_channel_id,
        "staff_channel_id": staff_channel_id,
        "threads_channel_id": threads_channel_id,
        "time_zone": zone,
        "locale": locale,
    }
    known = select(Guild.staff_channel_id, Guild.panel_channel_id, Guild.time_zone)
    before = (await session.execute(known.where(Guild.guild_id == actor.guild_id))).one_or_none()
    # Two who set up at once both succeed, one after the other: the row is locked from here to the commit.
    made = insert_into(session, Guild).values(guild_id=actor.guild_id, created_at=now, **answers)
    await session.execute(made.on_conflict_do_update(index_elements=["guild_id"], set_=answers))
    guild = await session.get_one(Guild, actor.guild_id, populate_existing=True)
    await cards.place(session, actor.guild_id, cards.PANEL, panel_channel_id, now=now)
    if before is not None:
        await _follow(session, guild, before, now=now)
    return guild


async def _follow(session: AsyncSession, guild: Guild, before: Row[int, int, str], *, now: datetime) -> None:
    """Have what depends on a server's answers follow those that are new."""
    staff_channel_id, panel_channel_id, time_zone = before
    if panel_channel_id != guild.panel_channel_id and await cards.stands(session, guild.guild_id, cards.BOARD):
        await cards.place(session, guild.guild_id, cards.BOARD, guild.panel_channel_id, now=now)
    if staff_channel_id != guild.staff_channel_id:
        await deliveries.plan(
            session, "staff.moved", str(guild.staff_channel_id), guild_id=guild.guild_id, now=now, again=True,
        )  # fmt: skip
    if time_zone != guild.time_zone:
        await deliveries.plan(
            session, "meetings.extend", "all", guild_id=guild.guild_id, now=now, again=True, priority=Priority.ACCESS,
        )  # fmt: skip


async def place_panel(session: AsyncSession, actor: Actor, *, now: datetime) -> Guild:
    """Make sure that the panel stands where it was chosen to stand. Raises NotAllowed or NotSetUp."""
    require_manager(actor)
    guild = await guild_of(session, actor.guild_id)
    await cards.place(session, actor.guild_id, cards.PANEL, guild.panel_channel_id, now=now)
    return guild


async def save_words(
    session: AsyncSession, actor: Actor, *, danger_policy: str, reading_hours: str, now: datetime
) -> Guild:
    """Keep the server's own words of the agreement; a change makes a new version. Raises NotAllowed or NotValid."""
    require_manager(actor)
    guild = await guild_of(session, actor.guild_id)
    danger_policy, reading_hours = clean(danger_policy, lines=True), clean(reading_hours)
    if max(len(danger_policy), len(reading_hours)) > LONGEST_WORDS:
        raise NotValid(_("That is too long. {limit} letters are the most.", limit=LONGEST_WORDS))
    if (danger_policy, reading_hours) != (guild.danger_policy, guild.reading_hours):
        guild.danger_policy, guild.reading_hours = danger_policy, reading_hours
        guild.words_version += 1
        await session.flush()
        await cards.mark(session, guild.guild_id, cards.PANEL, now=now)
    return guild


async def save_countries(session: AsyncSession, actor: Actor, *, names: str, now: datetime) -> Guild:
    """Keep up to three countries whose help lines are shown first, named and separated by commas.

    Raises NotAllowed, or NotValid for a name that is not certain.
    """
    require_manager(actor)
    guild = await guild_of(session, actor.guild_id)
    guild.help_countries = " ".join(helplines.match_all(names, locale=actor.locale or "en"))
    await session.flush()
    await cards.mark(session, guild.guild_id, cards.PANEL, now=now)
    return guild


async def cancel_empty(session: AsyncSession, actor: Actor, *, wanted: bool) -> Guild:
    """Choose whether a meeting without a facilitator is cancelled after a while. Raises NotAllowed or NotSetUp."""
    require_manager(actor)
    guild = await guild_of(session, actor.guild_id)
    guild.cancels_empty = wanted
    await session.flush()
    return guild


async def find(session: AsyncSession, guild_id: int) -> Guild | None:
    """Return what was chosen for a server, if anything was."""
    try:
        return await guild_of(session, guild_id)
    except NotSetUp:
        return None


async def all_countries(session: AsyncSession) -> dict[int, str]:
    """Return the help countries of every server that chose some."""
    chosen = await session.execute(select(Guild.guild_id, Guild.help_countries).where(Guild.help_countries != ""))
    return {row.guild_id: row.help_countries for row in chosen}


def agreement_of(guild: Guild) -> Agreement:
    """Return the words that a member of this server agrees to now."""
    return Agreement(
        version=f"{OWN_WORDS}.{guild.words_version}",
        danger_policy=guild.danger_policy,
        reading_hours=guild.reading_hours,
    )


def find_zone(words: str) -> str:
    """Return the IANA zone that somebody means by its name or its city; raise NotValid that suggests others."""
    asked = _zone_key(clean(words))
    zones = _zones()
    if asked in zones:
        return zones[asked]
    near = difflib.get_close_matches(asked, zones, n=3, cutoff=0.6)
    suggestions = ", ".join(dict.fromkeys(zones[key] for key in near)) or "America/New_York, Europe/Berlin"
    raise NotValid(
        _(
            "I don't know the time zone “{asked}”. Please write a big city in it, like New York. Close ones: {zones}",
            asked=clean(words)[:60],
            zones=suggestions,
        )
    )


@cache
def _zones() -> dict[str, str]:
    """Map each zone's name, and its city where only one zone has it, to the zone."""
    named = {zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "SystemV/"))}
    keys = {_zone_key(zone): zone for zone in named} | {"utc": "UTC"}
    cities: dict[str, list[str]] = {}
    for zone in sorted(named):
        cities.setdefault(_zone_key(zone.rsplit("/", 1)[-1]), []).append(zone)
    return {city: zones[0] for city, zones in cities.items() if len(zones) == 1} | keys


def _zone_key(words: str) -> str:
    return words.casefold().replace("_", " ").replace("-", " ").strip()
