"""Who may do what, decided at the moment of the press.

An `Actor` is what Discord says of a person in the very interaction that is handled. A facilitator of a group is
somebody who holds the server's facilitator role now and is listed for the group; whoever manages the server may do the
same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import members
from peerbot.errors import GroupClosed, GroupUnknown, NotAllowed, NotSetUp
from peerbot.models import Facilitator, Group, Guild
from peerbot.text import _

GUILD = select(Guild).where(Guild.guild_id == bindparam("guild_id"))
ITSELF = (Group.group_id == bindparam("group_id"), Group.guild_id == bindparam("guild_id"))
LOCKED = select(Group).where(*ITSELF).with_for_update(key_share=True)
LOCKED_OF_GUILD = select(Group, Guild).join_from(Group, Guild).where(*ITSELF).with_for_update(key_share=True, of=Group)


@dataclass(frozen=True)
class Actor:
    """A person who asks for something, in one server, at one moment."""

    guild_id: int
    user_id: int
    role_ids: frozenset[int] = field(default_factory=frozenset[int])
    manages: bool = False
    locale: str | None = None


async def guild_of(session: AsyncSession, guild_id: int) -> Guild:
    """Return the server's settings; raise NotSetUp."""
    known = session.identity_map.get(Guild.__mapper__.identity_key_from_primary_key((guild_id,)))
    guild = known or await session.scalar(GUILD, {"guild_id": guild_id})  # `get` makes a statement each time
    if guild is None:
        raise NotSetUp
    return guild


def require_manager(actor: Actor) -> None:
    """Raise NotAllowed unless the actor manages the server."""
    if not actor.manages:
        raise NotAllowed(_("Only someone with the Manage Server permission can do this."))


def require_facilitator(guild: Guild, actor: Actor) -> None:
    """Raise NotAllowed unless the actor facilitates in this server, or manages it."""
    if not actor.manages and guild.facilitator_role_id not in actor.role_ids:
        raise NotAllowed(_("Only facilitators can do this."))


async def facilitates(session: AsyncSession, guild: Guild, group: Group, actor: Actor) -> bool:
    """Return whether the actor looks after this group, or manages the server."""
    if actor.manages:
        return True
    if guild.facilitator_role_id not in actor.role_ids:
        return False
    member = await members.find(session, actor.guild_id, actor.user_id)
    if member is None:
        return False
    listed = select(Facilitator).where(
        Facilitator.group_id == group.group_id, Facilitator.member_id == member.member_id
    )
    return await session.scalar(listed) is not None


async def require_group_facilitator(session: AsyncSession, guild: Guild, group: Group, actor: Actor) -> None:
    """Raise NotAllowed unless the actor looks after this group, or manages the server."""
    if not await facilitates(session, guild, group, actor):
        raise NotAllowed(_("Only facilitators of **{name}** can do this.", name=group.name))


async def locked(session: AsyncSession, guild_id: int, group_id: int) -> Group:
    """Return a group of a server, locked until the transaction ends; raise GroupUnknown."""
    group = await session.scalar(LOCKED, {"guild_id": guild_id, "group_id": group_id})
    if group is None:
        raise GroupUnknown
    return group


async def guild_and_locked(session: AsyncSession, guild_id: int, group_id: int) -> tuple[Guild, Group]:
    """Return a server's settings and a group of it, locked; raise NotSetUp or GroupUnknown."""
    found = (await session.execute(LOCKED_OF_GUILD, {"guild_id": guild_id, "group_id": group_id})).one_or_none()
    if found is None:
        await guild_of(session, guild_id)
        raise GroupUnknown
    group, guild = found
    return guild, group


async def locked_for(session: AsyncSession, actor: Actor, group_id: int, *, closed_too: bool = False) -> Group:
    """Return an open group of the actor's server, or a closed one where that is asked, locked, if they may change it.

    Raises NotAllowed, GroupUnknown or GroupClosed.
    """
    guild = await guild_of(session, actor.guild_id)
    group = await locked(session, actor.guild_id, group_id)
    await require_group_facilitator(session, guild, group, actor)
    if group.state != "open" and not closed_too:
        raise GroupClosed(group.name)
    return group


async def seen_by(session: AsyncSession, actor: Actor, group_id: int, *, closed_too: bool = False) -> Group:
    """Return a group like `locked_for`, for whoever only looks: not locked."""
    guild = await guild_of(session, actor.guild_id)
    group = await session.scalar(select(Group).where(Group.group_id == group_id, Group.guild_id == actor.guild_id))
    if group is None:
        raise GroupUnknown
    await require_group_facilitator(session, guild, group, actor)
    if group.state != "open" and not closed_too:
        raise GroupClosed(group.name)
    return group
