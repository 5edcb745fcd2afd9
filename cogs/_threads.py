"""Private threads: for one member to be written to, or for a member and facilitators to talk.

Whoever manages threads in the channel above can read them too; the words that lead there say so.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import discord

from peerbot import permissions
from peerbot.bot import PeerBot
from peerbot.dispatcher import NotNeeded, Outcome, Retry
from peerbot.models import Guild
from peerbot.text import Reader, Verbatim, _, channel_mention

REASON = "peerbot: private thread"
"""What the audit log says; moderators read it, so it says nothing more."""
KEPT_OPEN = 10080
"""Minutes without a message after which Discord archives a thread: a week, the longest that there is."""
THREAD_ARCHIVED = 50083
PERSON_GONE = frozenset({10007, 10013})
WHO_READS = _(
    "Who can read it: you, this group's facilitators, people who manage this server and take this on, "
    "people who can manage threads here, and the bot."
)
NOT_IN_SIGHT = Retry("server not in sight")


async def open_thread(
    bot: PeerBot, guild_id: int, channel_id: int, name: str, user_ids: Sequence[int]
) -> discord.Thread | None:
    """Return the private thread of this name with these people in it, made unless an earlier try has made it.

    The name must be of one use only. Return None while the server is not in sight or the channel is no text channel;
    raises what discord.py raises when Discord refuses. Who has left the server, or cannot see the channel, is left out.
    """
    server = bot.get_guild(guild_id)
    channel = server.get_channel(channel_id) if server is not None else None
    if server is None or server.unavailable or not isinstance(channel, discord.TextChannel):
        return None
    thread = _made_before(server, channel, name)
    if thread is None:
        thread = await channel.create_thread(
            name=name,
            type=discord.ChannelType.private_thread,
            auto_archive_duration=KEPT_OPEN,
            invitable=False,
            reason=REASON,
        )
    for user_id in user_ids:
        await add_person(thread, user_id)
    return thread


async def add_person(thread: discord.Thread, user_id: int, *, needed: bool = False) -> bool:
    """Put a person into a thread, waking it if it sleeps; return False when they are not there to be put in.

    Somebody `needed` must see the channel above: raises Forbidden when they cannot.
    """
    try:
        await thread.add_user(discord.Object(user_id))
    except discord.NotFound as problem:
        if problem.code not in PERSON_GONE:
            raise
        return False
    except discord.Forbidden as problem:
        if needed or problem.code != 50001:  # noqa: PLR2004 - Missing Access: they cannot see the channel above
            raise
        return False
    except discord.HTTPException as problem:
        if problem.code != THREAD_ARCHIVED:
            raise
        await thread.edit(archived=False, reason=REASON)
        await thread.add_user(discord.Object(user_id))
    return True


def _made_before(server: discord.Guild, channel: discord.TextChannel, name: str) -> discord.Thread | None:
    mine = (
        thread
        for thread in server.threads
        if thread.parent_id == channel.id and thread.name == name and thread.owner_id == server.me.id
    )
    return next(mine, None)


async def open_public_thread(bot: PeerBot, guild_id: int, channel_id: int, name: str) -> discord.Thread | None:
    """Return the public thread of this name in a channel, made unless an earlier try has made it.

    Return None and raise like `open_thread`.
    """
    server = bot.get_guild(guild_id)
    channel = server.get_channel(channel_id) if server is not None else None
    if server is None or server.unavailable or not isinstance(channel, discord.TextChannel):
        return None
    made = _made_before(server, channel, name)
    if made is not None and made.type is discord.ChannelType.public_thread:
        return made
    return await channel.create_thread(
        name=name, type=discord.ChannelType.public_thread, auto_archive_duration=KEPT_OPEN, reason=REASON
    )


async def find_thread(server: discord.Guild, thread_id: int | None) -> discord.Thread | None:
    """Return a thread, archived or not, if it is there; raises what discord.py raises when Discord refuses."""
    if thread_id is None:
        return None
    known = server.get_thread(thread_id)
    if known is not None:
        return known
    try:
        found = await server.fetch_channel(thread_id)
    except discord.NotFound:
        return None
    return found if isinstance(found, discord.Thread) else None


async def remove_person(thread: discord.Thread, user_id: int) -> None:
    """Take a person out of a thread, waking it if it sleeps."""
    try:
        await thread.remove_user(discord.Object(user_id))
    except discord.NotFound:
        return
    except discord.HTTPException as problem:
        if problem.code != THREAD_ARCHIVED:
            raise
        await thread.edit(archived=False, reason=REASON)
        await thread.remove_user(discord.Object(user_id))


async def holders(bot: PeerBot, server: discord.Guild, role_id: int, user_ids: Collection[int]) -> set[int]:
    """Return those of some users who are in the server and hold a role, as seen within the last minute."""
    return {member.id for member in await present(bot, server, user_ids) if holds(member, role_id)}


async def present(
    bot: PeerBot, server: discord.Guild, user_ids: Collection[int], *, afresh: bool = False
) -> list[discord.Member]:
    """Return those of some users who are in the server.

    Who is in voice is known. Of others what Discord said may be some seconds old (`peerbot.roll`), which is right for
    whom to call or to name; what gives or takes anything asks `afresh`.
    """
    followed = [] if afresh else [member for each in user_ids if (member := server.get_member(each)) is not None]
    known = {member.id for member in followed}
    asked = [each for each in user_ids if each not in known]
    return followed + await bot.roll.present(server.id, asked, afresh=afresh)


def holds(member: discord.Member, role_id: int) -> bool:
    """Return whether somebody holds a role."""
    return any(role.id == role_id for role in member.roles)


def out_of_sight(bot: PeerBot, server: discord.Guild | None) -> Outcome:
    """Return what becomes of a delivery whose server is not in sight: nothing, if peerbot was sent away from it."""
    return NotNeeded() if server is None and bot.is_ready() else NOT_IN_SIGHT


async def is_in(bot: PeerBot, thread_id: int, user_id: int) -> bool | None:
    """Return whether somebody is in a thread; None when Discord does not say."""
    try:
        await bot.http.get_thread_member(thread_id, user_id)
    except discord.NotFound:
        return False
    except (discord.DiscordException, OSError, TimeoutError):
        return None
    return True


def too_hidden(reader: Reader, server: discord.Guild, guild: Guild) -> list[str]:
    """Return a sentence for each channel that is for members, and that none of them can use as they must."""
    found: list[str] = []
    for channel_id, needed in permissions.of_members(guild).items():
        channel = server.get_channel(channel_id)
        missing = permissions.lacking_to_all(channel, server.roles, guild, needed) if channel is not None else []
        if missing:
            wanted, here = ", ".join(map(reader.say, missing)), Verbatim(channel_mention(channel_id))
            text = _(
                "- {here} is for members too. Edit Channel, Permissions, everyone or their role: allow **{wanted}**.",
                here=here, wanted=wanted,
            )  # fmt: skip
            found.append(reader.say(text))
    return found


def not_for_all(reader: Reader, server: discord.Guild, guild: Guild) -> list[str]:
    """Return the question whether it is meant so that not everyone can have a private thread and answer there."""
    channel, everyone = server.get_channel(permissions.threads_channel(guild)), server.default_role
    missing = permissions.lacking_to_newcomers(channel, server.roles, everyone, guild) if channel is not None else None
    if channel is None or missing is None:
        return []
    here = Verbatim(channel_mention(channel.id))
    if channel.permissions_for(everyone).view_channel:
        text = _("- Not everyone may write in threads of {here}. Whoever may not can't answer in theirs.", here=here)
    else:
        text = _("- Not everyone can see {here}. Whoever can't gets no private thread.", here=here)
    remedy = _("Is that right? If not: Edit Channel, Permissions, @everyone: allow **{wanted}**.", wanted=missing)
    return [f"{reader.say(text)} {reader.say(remedy)}"]
