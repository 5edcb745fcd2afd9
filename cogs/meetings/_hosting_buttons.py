"""Buttons of who hosts a meeting, of its run sheet and of what comes after. Rights are checked in the rules."""

from __future__ import annotations

import discord

from cogs._interactions import ROW_ID, SERVER_ID, PersistentButton
from peerbot.text import _

PRIMARY, SUCCESS = discord.ButtonStyle.primary, discord.ButtonStyle.success
WORD = rf"{SERVER_ID}\.{ROW_ID}\.(?:fine|cover|talk|safety)"


class NeedCoverButton(PersistentButton, verb="meetings:away", label=_("I need cover")):
    """Ask others to host instead of oneself."""


class AfterAllButton(PersistentButton, verb="meetings:after-all", label=_("I can come after all")):
    """Host although one had asked for cover."""


class CanHostButton(
    PersistentButton, verb="meetings:cover", label=_("I can host"), state=rf"{ROW_ID}\.(?:ask|second|late)",
    style=SUCCESS,
):  # fmt: skip
    """Offer to host; the state says why others are wanted."""


class HereButton(PersistentButton, verb="meetings:here", label=_("I'm here"), style=PRIMARY):
    """Say that one is at the meeting as its facilitator."""


class BackButton(PersistentButton, verb="meetings:back", label=_("We are here after all"), style=PRIMARY):
    """Put a meeting on again that is off because nobody was there."""


class SheetButton(
    PersistentButton, verb="meetings:sheet", label=_("Run sheet"), state=rf"{ROW_ID}(?:\.\d{{1,6}}\.\d{{1,2}})?"
):
    """Show what one needs at hand. The state may hold the order of the round and whose turn it is."""


class WordButton(PersistentButton, verb="meetings:word", label=_("It went fine"), state=WORD):
    """Say how a meeting went, by one word."""


class TalkButton(
    PersistentButton, verb="meetings:talk", label=_("Yes, show my name"), state=rf"{SERVER_ID}\.{ROW_ID}", style=PRIMARY
):
    """Let other facilitators know that one wants to talk."""


class WordBackButton(PersistentButton, verb="meetings:unsay", label=_("Take it back"), state=WORD):
    """Take a word about a meeting back."""


class DebriefButton(
    PersistentButton, verb="meetings:debrief", label=_("How did it go?"), state=rf"{SERVER_ID}\.{ROW_ID}"
):
    """Show the words by which one can say how a meeting went."""
