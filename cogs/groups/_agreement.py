"""The agreement before a seat, a place in line or a hello."""

from __future__ import annotations

from typing import Any

from discord import ui

from cogs._interactions import Answer
from cogs.groups import _buttons as buttons
from cogs.groups import _cards as cards
from cogs.groups._claims import in_server
from peerbot.joining import Asked


async def show_agreement(
    answer: Answer, group_id: int, asked: Asked, agree: ui.Item[Any], *, waits: bool = False
) -> None:
    """Show what a person agrees to first; `agree` is the button under it."""
    back = buttons.NotNowButton(group_id, answer.reader) if in_server(answer) else None
    await answer.show(cards.agreement_card(asked, answer.reader, agree=agree, back=back, waits=waits))
