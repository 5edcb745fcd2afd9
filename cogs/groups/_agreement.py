"""The agreement before a seat, a place in line or a hello."""

from __future__ import annotations

from typing import Any

from discord import ui

from cogs._interactions import Answer
from cogs.groups import _buttons as buttons
from cogs.groups import _cards as cards
from peerbot import directory
from peerbot.rights import Actor, guild_of
from peerbot.setup import agreement_of


async def show_agreement(answer: Answer, actor: Actor, group_id: int, agree: ui.Item[Any], *, waits: bool) -> None:
    """Show what a person agrees to first; `agree` is the button under it."""
    async with answer.bot.db.read() as session:
        guild = await guild_of(session, actor.guild_id)
        view = await directory.view(session, actor.guild_id, group_id)
    back = buttons.NotNowButton(group_id, answer.reader) if in_server(answer) else None
    words = agreement_of(guild)
    await answer.show(cards.agreement_card(view, words, guild, answer.reader, agree=agree, back=back, waits=waits))


def in_server(answer: Answer) -> bool:
    """Return whether somebody presses in a server, not in a direct message."""
    return answer.interaction.guild_id is not None
