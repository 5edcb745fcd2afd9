"""Buttons that lead into another feature: their ids are known here, so that no cog needs another."""

from __future__ import annotations

from typing import Any

from discord import ui

from peerbot.text import Reader, Text, Verbatim, _

LONGEST_LABEL = 32


def look_button(group_id: int, name: str, reader: Reader) -> ui.Button[Any]:
    """Return the button that shows a group's card."""
    short = name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 1].rstrip()}…"
    return ui.Button(custom_id=f"groups:look:{group_id}", label=reader.say(_("{name}", name=Verbatim(short))))


def browse_button(reader: Reader, *, label: Text | None = None) -> ui.Button[Any]:
    """Return the button that shows all groups."""
    return ui.Button(custom_id="groups:browse:0.0.", label=reader.say(label or _("All groups")))


def mine_button(reader: Reader) -> ui.Button[Any]:
    """Return the button that shows somebody's own groups."""
    return ui.Button(custom_id="groups:mine:0", label=reader.say(_("My groups")))


def choices_button(guild_id: int, meeting_id: int, reader: Reader, *, label: Text) -> ui.Button[Any]:
    """Return the button that shows what somebody can choose about a meeting."""
    return ui.Button(custom_id=f"meetings:choices:{guild_id}.{meeting_id}", label=reader.say(label))


def calendar_button(reader: Reader) -> ui.Button[Any]:
    """Return the button that gives the meetings of all groups of somebody as a file."""
    return ui.Button(custom_id="meetings:all-files:0", label=reader.say(_("Calendar file")))
