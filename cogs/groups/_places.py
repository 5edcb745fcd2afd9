"""A place in line: what is said of it, and its buttons."""

from __future__ import annotations

from typing import Any

from discord import ui

from cogs.groups import _buttons as buttons
from peerbot.directory import GroupView
from peerbot.seats import Place
from peerbot.text import Reader, Text, _, timestamp

NUMBERS = (
    _("You are first in line."),
    _("You are second in line."),
    _("You are third in line."),
    _("You are fourth in line."),
    _("You are fifth in line."),
)
WRITES = {
    "dm": _("I will write to you in a direct message when a seat is free."),
    "thread": _("I will write to you in your private thread when a seat is free."),
    "none": _("You chose to get no messages. /my shows when a seat is free."),
}
"""How somebody is told, by how they want to be written to; who has not chosen is written to directly."""


def number(place: Place) -> Text:
    """Return somebody's place in line, as a sentence."""
    if place.number <= len(NUMBERS):
        return NUMBERS[place.number - 1]
    return _("You are number {number} in line.", number=place.number)


def offer(place: Place) -> Text:
    """Return what there is for somebody in line: the offer and its end, a seat that nobody wanted, or nothing yet."""
    if place.offered_until is not None:
        until, left = timestamp(place.offered_until, "f"), timestamp(place.offered_until, "R")
        return _("A seat is free for you. It is yours until {until} ({left}).", until=until, left=left)
    if place.can_take:
        return _("A seat is free right now. You can take it.")
    return number(place)


def row(place: Place, guild_id: int, reader: Reader) -> list[ui.Item[Any]]:
    """Return what somebody can do with their place."""
    key = f"{guild_id}.{place.group_id}"
    items: list[ui.Item[Any]] = [buttons.TakeButton(key, reader)] if place.can_take else []
    if place.offered_until is not None:
        items.append(buttons.PassButton(key, reader))
    return [*items, buttons.LeaveLineButton(key, reader)]


def taken(view: GroupView) -> Text:
    """Return how many seats are taken and how many people wait."""
    counts = {"taken": view.taken, "capacity": view.capacity}
    if view.waiting:
        return _("{taken} of {capacity} seats taken, {waiting} waiting", waiting=view.waiting, **counts)
    return _("{taken} of {capacity} seats taken", **counts)
