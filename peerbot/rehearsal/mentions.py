"""Decide whom a message mentions, and who is really notified.

The rules are those of developers/resources/message.mdx ("Allowed Mentions Object"): what the text names, allowed by the
sender, by the permission to mention, and by whether the person can see the channel. Embeds notify nobody.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass, field

from peerbot.rehearsal import stored_components
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.wire import Wire

_USER, _ROLE, _EVERYONE = re.compile(r"<@!?(\d+)>"), re.compile(r"<@&(\d+)>"), re.compile(r"@(?:everyone|here)\b")

EVERY_KIND = ("users", "roles", "everyone")


@dataclass(frozen=True)
class Mentions:
    """Whom a message mentions, in Discord's order, and who hears of it."""

    users: list[int] = field(default_factory=list[int])
    roles: list[int] = field(default_factory=list[int])
    everyone: bool = False
    notified: set[int] = field(default_factory=set[int])


def readable_text(content: str, components: list[Wire]) -> str:
    """Return the text of a message in which mentions count: its content and its text displays."""
    shown = [part["content"] for part in stored_components.every(components) if "content" in part]
    return "\n".join([content, *shown])


def resolve(text: str, allowed: Wire | None, default: tuple[str, ...], known: Container[int]) -> Mentions:
    """Return what a text mentions as far as the sender allows it; `known` are the ids of users that exist."""
    rules = {"parse": list(default)} if allowed is None else allowed
    parse, only_users, only_roles = rules.get("parse") or [], rules.get("users") or [], rules.get("roles") or []
    users = [int(one) for one in dict.fromkeys(_USER.findall(text)) if int(one) in known]
    roles = [int(one) for one in dict.fromkeys(_ROLE.findall(text))]
    return Mentions(
        [one for one in users if "users" in parse or str(one) in map(str, only_users)],
        [one for one in roles if "roles" in parse or str(one) in map(str, only_roles)],
        everyone="everyone" in parse and bool(_EVERYONE.search(text)),
    )


def in_guild(found: Mentions, guild: Guild, channel: Wire, author_id: int) -> Mentions:
    """Keep what the author may mention in a guild's channel, and add who is notified by it."""
    may_mention_all = bool(guild.permissions_of(author_id, channel) & Bit.MENTION_EVERYONE)
    roles = [one for one in found.roles if one in guild.roles and (may_mention_all or guild.roles[one]["mentionable"])]
    everyone = found.everyone and may_mention_all
    named = {str(one) for one in roles}
    # A server has many members, and most messages mention none of them.
    meant = guild.members if everyone or named else [user_id for user_id in found.users if user_id in guild.members]
    notified = {
        user_id
        for user_id in meant
        if (everyone or user_id in found.users or named & set(guild.members[user_id]["roles"]))
        and guild.can_see(user_id, channel)
    }
    return Mentions(found.users, [one for one in found.roles if one in guild.roles], everyone, notified - {author_id})
