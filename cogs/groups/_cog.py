"""The commands of groups, and what happens on the server by itself. What they do is said in the modules beside."""

from __future__ import annotations

import logging
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands, tasks

from cogs import _threads as threads
from cogs._interactions import Answer, answering, suggesting
from cogs.groups import _effects as effects
from cogs.groups import _joining as joining
from cogs.groups import _people as people_of
from cogs.groups import _tending as tending
from peerbot import access, cards, departures, directory, readers, staff
from peerbot import setup as settings_of
from peerbot.bot import PeerBot
from peerbot.database import BACKGROUND
from peerbot.errors import DatabaseBusy, OutcomeUnknown
from peerbot.groups import CARD_DAYS
from peerbot.models import Guild
from peerbot.readers import ReaderOf
from peerbot.roll import AT_ONCE

log = logging.getLogger(__name__)

CARDS = [
    app_commands.Choice(name=name, value=days)
    for days, name in zip(
        CARD_DAYS, ("1 day before", "2 days before", "3 days before", "5 days before", "A week before"), strict=True
    )
]
Anyone = discord.Interaction[Any]


@suggesting
async def suggest_topics(interaction: Anyone, current: str) -> list[app_commands.Choice[str]]:
    """Return topics that fit what was typed."""
    bot: PeerBot = interaction.client  # pyright: ignore[reportAssignmentType] - there is one kind of client
    async with bot.db.read() as session:
        topics = await directory.topics(session, interaction.guild_id or 0, like=current)
    return [app_commands.Choice(name=topic, value=topic) for topic in topics]


@suggesting
async def suggest_groups(interaction: Anyone, current: str) -> list[app_commands.Choice[str]]:
    """Return the groups that the person may change, by name."""
    answer = Answer(interaction)
    async with answer.bot.db.read() as session:
        found = await directory.choices(session, answer.actor, like=current)
    return [app_commands.Choice(name=name, value=str(group_id)) for name, group_id in found]


@suggesting
async def suggest_rooms(interaction: Anyone, current: str) -> list[app_commands.Choice[str]]:
    """Return the groups that the person may change, and those that have closed while their room is still open."""
    answer = Answer(interaction)
    since = answer.bot.clock.now() - access.FAREWELL
    async with answer.bot.db.read() as session:
        found = await directory.choices(session, answer.actor, like=current, closed_since=since)
    return [app_commands.Choice(name=name, value=str(group_id)) for name, group_id in found]


class Groups(commands.Cog):
    """Sign-up to groups."""

    def __init__(self, bot: PeerBot) -> None:
        self.bot = bot

    group = app_commands.Group(
        name="group",
        description="Look after groups",
        guild_only=True,
        # As the decorator does it: Discord derives one from the other, and the group would look changed at each start.
        allowed_contexts=app_commands.AppCommandContext(guild=True),
        default_permissions=discord.Permissions(manage_events=True),
    )

    @app_commands.command(name="groups", description="Find a group")
    @app_commands.guild_only()
    @app_commands.describe(topic="Only groups about this", free="Only groups with a free seat")
    @app_commands.autocomplete(topic=suggest_topics)
    async def groups(self, interaction: Anyone, topic: str = "", free: bool = False) -> None:  # noqa: FBT001, FBT002 - an option of the command
        """Show the groups of this server."""
        async with answering(interaction) as answer:
            await joining.show_groups(answer, free=free, topic=topic[:40])

    @app_commands.command(name="my", description="My groups: rest, come back, leave")
    @app_commands.guild_only()
    async def my(self, interaction: Anyone) -> None:
        """Show the person's own groups."""
        async with answering(interaction) as answer:
            await joining.show_mine(answer)

    @group.command(name="new", description="Create a group")
    @app_commands.describe(
        room="A channel that you already have. Leave empty, and I make a private one.",
        role="Everyone can see roles on a profile. Leave empty to keep membership private.",
        hello="A facilitator says welcome before somebody gets a seat",
    )
    async def new(
        self,
        interaction: Anyone,
        room: discord.TextChannel | None = None,
        role: discord.Role | None = None,
        hello: bool = False,  # noqa: FBT001, FBT002 - an option of the command
    ) -> None:
        """Open the form for a new group."""
        async with answering(interaction, defers=False) as answer:
            await tending.ask_new(answer, room=room, role=role, hello=hello)

    @group.command(name="edit", description="Change a group's name, words, topic or seats")
    @app_commands.describe(
        group="Which group?",
        hello="A facilitator says welcome before somebody gets a seat",
        card="How long before a meeting its card comes into the group's room",
    )
    @app_commands.autocomplete(group=suggest_groups)
    @app_commands.choices(card=CARDS)
    async def edit(self, interaction: Anyone, group: str, hello: bool | None = None, card: int | None = None) -> None:  # noqa: FBT001 - an option of the command
        """Open the form with a group's details."""
        async with answering(interaction, defers=False) as answer:
            await tending.ask_edit(answer, group, hello=hello, card=card)

    @group.command(name="people", description="See who is in a group (only you see it)")
    @app_commands.describe(group="Which group?")
    @app_commands.autocomplete(group=suggest_rooms)
    async def people(self, interaction: Anyone, group: str) -> None:
        """Show who is in a group."""
        async with answering(interaction) as answer:
            await people_of.people(answer, group)

    @group.command(name="panel", description="Post a group's card, or the panel again, where members find groups")
    @app_commands.describe(group="Which group? Leave empty for the panel.")
    @app_commands.autocomplete(group=suggest_groups)
    async def panel(self, interaction: Anyone, group: str = "") -> None:
        """Post a card."""
        async with answering(interaction) as answer:
            await tending.post_card(answer, group)

    @group.command(name="close", description="Close a group")
    @app_commands.describe(group="Which group?")
    @app_commands.autocomplete(group=suggest_groups)
    async def close(self, interaction: Anyone, group: str) -> None:
        """Ask whether to close a group."""
        async with answering(interaction) as answer:
            await tending.ask_close(answer, group)

    @commands.Cog.listener()
    async def on_lead(self) -> None:
        """Catch up with what another process did not see to its end."""
        await self.on_ready()

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Catch up with what happened while peerbot was away; once an hour after that."""
        if self.catch_up.is_running():
            self.catch_up.restart()
        else:
            self.catch_up.start()

    async def cog_unload(self) -> None:
        """Stop looking."""
        self.catch_up.cancel()

    @tasks.loop(hours=1)
    async def catch_up(self) -> None:
        """Compare every server with the database; one that fails does not stop the others."""
        if not self.bot.presence.leads:
            return
        for server in list(self.bot.guilds):
            try:
                await self.reconcile(server)
            except (DatabaseBusy, OutcomeUnknown, TimeoutError, discord.ClientException):
                log.warning("A server could not be compared; it is tried again in an hour.")
            except Exception:  # one server's trouble must not end the loop for all
                log.exception("A server could not be compared.")

    async def reconcile(self, server: discord.Guild) -> None:
        """Note who left or came back, mend access that drifted, tell of what is not ours.

        It asks the gateway about our own members, a hundred at a time, and makes no request when nothing drifted.
        """
        after = 0
        roles: dict[int, set[int]] = {}
        while True:
            async with self.bot.db.read(wait=BACKGROUND) as session:
                ours = await departures.known(session, server.id, after=after)
            if not ours:
                break
            after = ours[-1][0]
            asked = [user_id for _member_id, user_id in ours]
            present = await server.query_members(user_ids=asked, limit=AT_ONCE, cache=False)
            roles |= {member.id: {role.id for role in member.roles} for member in present}
            async with self.bot.db.begin(wait=BACKGROUND) as session:
                ids = [member.id for member in present]
                await departures.compare(session, server.id, asked, ids, now=self.bot.clock.now())
        await self._compare_rooms(server, roles)
        await self._compare_readers(server)

    async def _compare_rooms(self, server: discord.Guild, roles: dict[int, set[int]]) -> None:
        now = self.bot.clock.now()
        async with self.bot.db.begin(wait=BACKGROUND) as session:
            await cards.look_after(session, server.id, now=now)
            await staff.tell_rooms_missing(session, server.id, now=now)
        async with self.bot.db.read(wait=BACKGROUND) as session:
            rooms = await access.rooms(session, server.id, now=now)
        for room in rooms:
            let_in = effects.people_let_in(server, room.room_id)
            found = await effects.strangers(self.bot, server, room)
            drifted = _drifted(server, room, let_in or set(), roles)
            if let_in is not None and not drifted and not found:
                continue
            async with self.bot.db.begin(wait=BACKGROUND) as session:
                if let_in is None:
                    await staff.tell_room_gone(session, server.id, room.room_id, now=now)
                    continue
                members = room.held | room.wanted
                await access.mend(session, room.group_id, [members[user_id] for user_id in drifted], now=now)
                if found:
                    await staff.tell_strangers(session, server.id, room.group_id, now=now)

    async def _compare_readers(self, server: discord.Guild) -> None:
        """Have whoever lost the facilitator role taken out of private threads.

        Discord tells of a lost role only for members whom the library keeps, and it keeps none.
        """
        async with self.bot.db.read(wait=BACKGROUND) as session:
            guild = await settings_of.find(session, server.id)
            found = await readers.to_compare(session, server.id)
        for first in range(0, len(found) if guild is not None else 0, AT_ONCE):
            some = found[first : first + AT_ONCE]
            asked = sorted({each.user_id for each in some})
            here = {each.id: each for each in await server.query_members(user_ids=asked, limit=len(asked), cache=False)}
            lost = [
                each
                for each in some
                if each.user_id in here and guild is not None and not _reads(here[each.user_id], each, guild)
            ]
            if lost:
                async with self.bot.db.begin(wait=BACKGROUND) as session:
                    await readers.shut_out_all(session, server.id, lost, now=self.bot.clock.now())

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Catch up with a server that peerbot comes back to."""
        if not self.bot.presence.leads:
            return
        await self.reconcile(guild)

    @commands.Cog.listener()
    async def on_raw_member_remove(self, payload: discord.RawMemberRemoveEvent) -> None:
        """Keep the seats of somebody who left the server."""
        if not self.bot.presence.leads:
            return
        async with self.bot.db.begin(wait=BACKGROUND) as session:
            await departures.leave(session, payload.guild_id, payload.user.id, now=self.bot.clock.now())

    @commands.Cog.listener()
    async def on_member_join(self, member: discord.Member) -> None:
        """Give somebody who came back in time what was theirs."""
        if not self.bot.presence.leads:
            return
        async with self.bot.db.begin(wait=BACKGROUND) as session:
            await departures.come_back(session, member.guild.id, member.id, now=self.bot.clock.now())

    @commands.Cog.listener()
    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """Tell facilitators when a group's room was deleted."""
        if not self.bot.presence.leads:
            return
        async with self.bot.db.begin(wait=BACKGROUND) as session:
            await staff.tell_room_gone(session, channel.guild.id, channel.id, now=self.bot.clock.now())


def _reads(member: discord.Member, reader: ReaderOf, guild: Guild) -> bool:
    """Return whether somebody may be in private threads now: as a facilitator, or who manages the server."""
    is_facilitator = reader.is_listed and threads.holds(member, guild.facilitator_role_id)
    return is_facilitator or member.guild_permissions.manage_guild


def _drifted(server: discord.Guild, room: access.Room, let_in: set[int], roles: dict[int, set[int]]) -> set[int]:
    """Return people of a room to whom something is missing, or who still have what is no longer theirs.

    What a moderator denied somebody is no drift, and who is away gets nothing now.
    """
    here = room.wanted.keys() - room.away
    missing = here - let_in - effects.people_kept_out(server, room.room_id)
    if room.role_id is not None and server.get_role(room.role_id) is not None:
        missing |= {user_id for user_id in here if room.role_id not in roles.get(user_id, {room.role_id})}
    return missing | ((room.held.keys() & let_in) - room.wanted.keys())
