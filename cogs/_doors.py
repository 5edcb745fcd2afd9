"""Buttons that lead into another feature: their ids are known here, so that no cog needs another."""

from __future__ import annotations

from typing import Any

from discord import ui

from peerbot.text import Reader, Verbatim, _

LONGEST_LABEL = 32


def look_button(group_id: int, name: str, reader: Reader) -> ui.Button[Any]:
    """Return the button that shows a group's card."""
    short = name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 1].rstrip()}…"
    return ui.Button(custom_id=f"groups:look:{group_id}", label=reader.say(_("{name}", name=Verbatim(short))))


def browse_button(reader: Reader) -> ui.Button[Any]:
    """Return the button that shows all groups."""
    return ui.Button(custom_id="groups:browse:0.0.", label=reader.say(_("All groups")))
