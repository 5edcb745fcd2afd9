"""What a person filled in a form, and how a form that was refused comes back with it.

Invariant: it is kept in memory alone, of the newest few forms, and only where facilitators and owners wrote it; who
restarts peerbot loses it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, cast

import discord
from discord import ui

ROLE, CHANNEL = discord.SelectDefaultValueType.role, discord.SelectDefaultValueType.channel
MOST_KEPT = 50
WORD = "[0-9a-f]{16}"


class Filled:
    """What a person filled in a form, by the ids of its fields."""

    def __init__(self, interaction: discord.Interaction[Any]) -> None:
        submitted = cast("dict[str, Any]", interaction.data)
        self._values: dict[str, list[str]] = {}
        for label in submitted["components"]:
            field = label.get("component")
            if field is not None:
                value = field["values"] if "values" in field else field.get("value")
                self._values[field["custom_id"]] = value if isinstance(value, list) else [value] if value else []

    def text(self, field: str) -> str:
        """Return what was typed or chosen, or an empty text."""
        return next(iter(self._values.get(field, [])), "")

    def id(self, field: str) -> int:
        """Return the id of the role, channel or member that was chosen, or 0."""
        return int(self.text(field) or 0)


@dataclass(frozen=True)
class Refused:
    """A form that was not taken: whose it was, its name and state, and what was in it."""

    user_id: int
    name: str
    state: str
    filled: Filled


KEPT: dict[str, Refused] = {}


def keep(refused: Refused) -> str:
    """Keep a refused form and return the word by which it is found."""
    while len(KEPT) >= MOST_KEPT:
        del KEPT[next(iter(KEPT))]
    token = secrets.token_hex(8)
    KEPT[token] = refused
    return token


def find(token: str, user_id: int) -> Refused | None:
    """Return a form that was kept, to the person who filled it."""
    refused = KEPT.get(token)
    return refused if refused is not None and refused.user_id == user_id else None


def fill(form: ui.Modal, filled: Filled, server: discord.Guild | None) -> None:
    """Put what was filled in into a form; a role or channel that is gone is left out."""
    for label in form.children:
        field: Any = cast("ui.Label[Any]", label).component
        if isinstance(field, ui.TextInput):
            field.default = filled.text(field.custom_id)[: field.max_length] or None
        elif isinstance(field, ui.RadioGroup | ui.Select):
            for option in field.options:
                option.default = option.value == filled.text(field.custom_id)
        elif isinstance(field, ui.RoleSelect | ui.ChannelSelect):
            kind = ROLE if isinstance(field, ui.RoleSelect) else CHANNEL
            chosen = filled.id(field.custom_id)
            here = server is not None and _is_offered(field, server, chosen)
            field.default_values = [discord.SelectDefaultValue(id=chosen, type=kind)] if here else []


def _is_offered(field: ui.RoleSelect[Any] | ui.ChannelSelect[Any], server: discord.Guild, chosen: int) -> bool:
    if isinstance(field, ui.RoleSelect):
        return server.get_role(chosen) is not None
    channel = server.get_channel(chosen)
    return channel is not None and channel.type in field.channel_types
