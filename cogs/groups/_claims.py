"""Who presses a button that works in a direct message too, and in which server and group.

What its id says is a claim; the rule decides what is theirs there.
"""

from __future__ import annotations

import discord

from cogs import _threads as threads
from cogs._interactions import OLD_BUTTON, Answer
from peerbot.errors import PeerbotError
from peerbot.rights import Actor
from peerbot.text import _

LARGEST = 2**63 - 1
"""The largest id that both databases can count to."""


def in_server(answer: Answer) -> bool:
    """Return whether somebody presses in a server, not in a direct message."""
    return answer.interaction.guild_id is not None


def claimed(answer: Answer, key: str) -> tuple[Actor, int]:
    """Return who asks, and the group that the button names; the rule decides what is theirs there."""
    guild_id, group_id = (int(part) for part in key.split("."))
    if guild_id > LARGEST:
        raise PeerbotError(OLD_BUTTON)
    return answer.actor_in(guild_id), group_id


async def present(answer: Answer, key: str) -> tuple[Actor, int]:
    """Return the same for somebody who is in the server; raise PeerbotError for whoever is not."""
    actor, group_id = claimed(answer, key)
    if in_server(answer):
        return actor, group_id
    server = answer.bot.get_guild(actor.guild_id)
    if server is None or server.unavailable:
        raise PeerbotError(_("I can't see that server right now. Please try again in a minute."))
    try:
        is_here = await threads.present(answer.bot, server, {actor.user_id}, afresh=True)
    except (TimeoutError, discord.ClientException):
        raise PeerbotError(_("I can't see that server right now. Please try again in a minute.")) from None
    if not is_here:
        raise PeerbotError(_("You are not in that server right now. Come back to it, and press again."))
    return actor, group_id
