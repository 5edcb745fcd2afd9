"""What groups change on Discord: rooms, and who sees them.

Each effect makes Discord match the database as it is when it runs, so it may run twice. A grant is recorded before it
is given and struck out after it is taken.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import timedelta

import discord

from cogs._threads import out_of_sight, present
from peerbot import access, departures, groups, members, pauses, rooms
from peerbot import setup as settings_of
from peerbot.bot import PeerBot
from peerbot.database import BACKGROUND
from peerbot.dispatcher import Gone, NotNeeded, Outcome, Retry, Sent
from peerbot.models import Delivery, Group, Guild, Member
from peerbot.text import Reader, Verbatim, _

REASON = "peerbot: group membership"
"""What the audit log says; moderators read it, so it says nothing more."""
LOOK_AGAIN = Retry("server not in sight", timedelta(hours=1))
IN_ROOM = discord.Permissions(view_channel=True, send_messages=True, read_message_history=True)
FULL_CATEGORY = 50
FOR_MEMBER = 1
"""A permission for a member, not for a role (resources/channel.mdx, "Overwrite Object")."""
PERSON_GONE = frozenset({10007, 10009, 10013})
"""Discord's words for a permission or a role for somebody who is not in the server."""
ROLE_GONE = 10011


class GroupEffects:
    """The deliveries of groups."""

    def __init__(self, bot: PeerBot) -> None:
        self.bot = bot

    def register(self) -> None:
        """Tell the outbox what each kind does."""
        outbox = self.bot.outbox
        outbox.effect("groups.access", self.apply_access)
        outbox.effect("groups.room", self.make_room)
        outbox.effect("groups.seat_lapses", self.lapse)
        outbox.step("groups.farewell", groups.end_access)
        outbox.step(pauses.OVER, pauses.end_pause)

    async def apply_access(self, delivery: Delivery) -> Outcome:
        """Give and take what a person's seat says; record before giving, forget after taking."""
        decided: access.Wanted | None = delivery.decided
        if decided is None:
            async with self.bot.db.read(wait=BACKGROUND) as session:
                decided = await access.decide(session, delivery, now=self.bot.clock.now())
        if decided is None:
            return NotNeeded()
        server = self.bot.get_guild(delivery.guild_id)
        if server is None or server.unavailable:
            return out_of_sight(self.bot, server)
        # A role that was deleted is wanted no more; the room does not wait for it.
        wanted = {grant for grant in decided.wanted if grant[0] == "room" or server.get_role(grant[1]) is not None}
        if wanted - decided.held:
            async with self.bot.db.begin(wait=BACKGROUND) as session:
                await access.record(session, delivery, frozenset(wanted))
        try:
            given = [await self._give(server, *grant, decided.user_id) for grant in sorted(wanted, reverse=True)]
        except discord.NotFound as problem:
            if problem.code not in PERSON_GONE:
                raise
            return NotNeeded()  # they have left the server; coming back plans it anew
        # The room goes first: a role that is not for us to take must not keep it open.
        take = sorted(decided.held - wanted, reverse=True)
        taken = [grant for grant in take if await self._take(server, *grant, decided.user_id)]
        if taken:
            async with self.bot.db.begin(wait=BACKGROUND) as session:
                await access.forget(session, delivery, frozenset(taken))
        return Sent() if all(given) and len(taken) == len(take) else Gone(access.ROLE_ABOVE)

    async def _give(self, server: discord.Guild, kind: str, target_id: int, user_id: int) -> bool:
        """Give a room or a role; return False for a role that is not below ours."""
        if kind == "role":
            role = server.get_role(target_id)
            if role is None:
                return True  # deleted at this very moment, so wanted no more
            if role >= server.me.top_role:
                return False
            try:
                await self.bot.http.add_role(server.id, user_id, target_id, reason=REASON)
            except discord.NotFound as problem:
                if problem.code != ROLE_GONE:  # that is the same
                    raise
            except discord.Forbidden:
                if not server.me.guild_permissions.manage_roles:
                    raise
                return False  # moved above ours at this very moment
            return True
        allow, deny = _own_permissions(server, target_id, user_id)
        # What a moderator denied this person stays denied.
        await self._permit(target_id, user_id, allow | (IN_ROOM & ~deny), deny)
        return True

    async def _take(self, server: discord.Guild, kind: str, target_id: int, user_id: int) -> bool:
        """Take a room or a role; return False for a role that is not below ours."""
        try:
            if kind == "role":
                role = server.get_role(target_id)
                if role is not None and role >= server.me.top_role:
                    return False
                try:
                    await self.bot.http.remove_role(server.id, user_id, target_id, reason=REASON)
                except discord.Forbidden:
                    if not server.me.guild_permissions.manage_roles:
                        raise
                    return False
                return True
            allow, deny = _own_permissions(server, target_id, user_id)
            if (allow & ~IN_ROOM).value or deny.value:  # somebody else set more; that is theirs
                await self._permit(target_id, user_id, allow & ~IN_ROOM, deny)
            else:
                await self.bot.http.delete_channel_permissions(target_id, user_id, reason=REASON)
        except discord.NotFound:
            pass  # the channel, the person or the permission is gone: nothing is left to take
        return True

    async def _permit(
        self, channel_id: int, user_id: int, allow: discord.Permissions, deny: discord.Permissions
    ) -> None:
        await self.bot.http.edit_channel_permissions(
            channel_id, user_id, str(allow.value), str(deny.value), FOR_MEMBER, reason=REASON
        )

    async def make_room(self, delivery: Delivery) -> Outcome:
        """Make a group's private channel, or take the one that an earlier try made."""
        group, guild = await self._group_and_guild(delivery)
        if group is None or guild is None or group.state != "open":
            return NotNeeded()
        server = self.bot.get_guild(delivery.guild_id)
        if server is None or server.unavailable:
            return out_of_sight(self.bot, server)
        room = server.get_channel(group.room_id) if group.room_id else None
        room = room or _made_before(server, group)
        if room is None:
            panel = server.get_channel(guild.panel_channel_id)
            category = panel.category if panel is not None else None
            if category is not None and len(category.channels) >= FULL_CATEGORY:
                category = None  # the room stands beside the categories then; a full category takes no more
            reader = Reader(guild.locale)
            topic = reader.say(_("Room of {name}. What is said here stays here.", name=Verbatim(group.name)))
            hidden, shown = discord.PermissionOverwrite(view_channel=False), discord.PermissionOverwrite()
            shown.update(view_channel=True, send_messages=True, read_message_history=True)
            room = await server.create_text_channel(
                _channel_name(group),
                topic=f"{topic} {_mark(group)}",
                category=category,
                overwrites={server.default_role: hidden, server.me: shown},
                reason=REASON,
            )
        async with self.bot.db.begin(wait=BACKGROUND) as session:
            await rooms.room_made(session, group.group_id, room.id, now=self.bot.clock.now())
        return Sent()

    async def lapse(self, delivery: Delivery) -> Outcome:
        """Give the seats of somebody up who left seven days ago; who came back unseen meanwhile keeps them."""
        server = self.bot.get_guild(delivery.guild_id)
        if server is None or server.unavailable:
            return LOOK_AGAIN
        async with self.bot.db.read(wait=BACKGROUND) as session:
            member = await session.get(Member, delivery.member_id)
            user_id = members.user_id(session, member) if member is not None else 0
        is_back = await present(self.bot, server, {user_id}, afresh=True)
        async with self.bot.db.begin(wait=BACKGROUND) as session:
            if is_back:
                await departures.come_back(session, delivery.guild_id, user_id, now=self.bot.clock.now())
            else:
                await departures.lapse(session, delivery, self.bot.clock.now())
        return Sent()

    async def _group_and_guild(self, delivery: Delivery) -> tuple[Group | None, Guild | None]:
        async with self.bot.db.read(wait=BACKGROUND) as session:
            return await groups.find(session, delivery), await settings_of.find(session, delivery.guild_id)


def stands_outside(server: discord.Guild | None, panel_id: int, room_id: int) -> bool:
    """Return whether a room had to be made outside the panel's category, because that is full."""
    panel = server.get_channel(panel_id) if server is not None else None
    category = panel.category if panel is not None else None
    if category is None or len(category.channels) < FULL_CATEGORY:
        return False
    return all(channel.id != room_id for channel in category.channels)


def people_let_in(server: discord.Guild, room_id: int) -> set[int] | None:
    """Return the users whom a channel lets in by a permission of their own; None when the channel is gone."""
    channel = server.get_channel(room_id)
    if channel is None:
        return None
    roles = {role.id for role in server.roles}
    return {
        target.id
        for target, overwrite in channel.overwrites.items()
        if target.id not in roles and target.id != server.me.id and overwrite.view_channel
    }


def people_kept_out(server: discord.Guild, room_id: int) -> set[int]:
    """Return the users to whom somebody denied the channel by a permission of their own."""
    channel = server.get_channel(room_id)
    denied = channel.overwrites.items() if channel is not None else ()
    return {target.id for target, overwrite in denied if overwrite.view_channel is False}


async def strangers(bot: PeerBot, server: discord.Guild, room: access.Room) -> set[int]:
    """Return people of the server who are let into a room, have no seat, and were not let in by peerbot."""
    found = (people_let_in(server, room.room_id) or set()) - room.wanted.keys() - room.held.keys()
    # Permissions stay behind when somebody leaves the server.
    return {member.id for member in await present(bot, server, found, afresh=True)}


def _own_permissions(
    server: discord.Guild, channel_id: int, user_id: int
) -> tuple[discord.Permissions, discord.Permissions]:
    channel = server.get_channel(channel_id)
    if channel is None:
        return discord.Permissions(), discord.Permissions()
    # Not `overwrites`: to make objects of all of them takes 2 ms, and somebody waits.
    return channel.overwrites_for(discord.Object(user_id)).pair()


def _made_before(server: discord.Guild, group: Group) -> discord.TextChannel | None:
    """Return the one hidden channel that an earlier try made for this very group."""
    everyone = server.default_role
    found = [
        channel
        for channel in server.text_channels
        if _mark(group) in (channel.topic or "") and not channel.permissions_for(everyone).view_channel
    ]
    return found[0] if len(found) == 1 else None


def _mark(group: Group) -> str:
    # The moment too: in a restored or a new database, ids begin anew, and an old channel is somebody else's.
    return f"[peerbot {group.group_id}-{group.created_at:%Y%m%d%H%M%S}]"


def _channel_name(group: Group) -> str:
    plain = unicodedata.normalize("NFKC", group.name).casefold()
    name = re.sub(r"[^\w]+", "-", plain).strip("-")
    return name[:90] or f"group-{group.group_id}"
