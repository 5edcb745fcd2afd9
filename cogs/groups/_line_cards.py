"""What people see of the line: their place, an offer, what became of it."""

from __future__ import annotations

from typing import Any

import discord
from discord import ui

from cogs._help import help_now_button
from cogs._interactions import Card
from cogs.groups import _buttons as buttons
from cogs.groups import _places as words
from cogs.groups._cards import list_groups
from peerbot.directory import Page
from peerbot.models import Guild
from peerbot.seats import Offer, Place
from peerbot.text import Reader, Text, _, timestamp


def place_card(place: Place, others: Page | None, guild: Guild, reader: Reader, note: Text | None = None) -> Card:
    """Return somebody's own place in line, with groups that have a seat; none of them in a direct message (None)."""
    lines = [reader.say(_("## Your place in line for {name}", name=place.name))]
    lines += [reader.say(note)] if note is not None else []
    if place.offered_until is None and not place.can_take:
        write = words.WRITES[place.reach or "dm"]
        lines += [
            f"{reader.say(words.number(place))} {reader.say(write)}",
            reader.say(_("Only you and the people who look after the group see this.")),
            reader.say(_("You get 48 hours to answer, or less if a meeting is near.")),
            reader.say(_("I don't write between 10 at night and 8 in the morning.")),
        ]
    else:
        lines += [reader.say(words.offer(place)), reader.say(_("No is a fine answer. You keep your place in line."))]
    lines += [reader.say(_("Find this again: /my"))]
    card = Card().boxed().text("\n".join(lines)).row(*words.row(place, guild.guild_id, reader))
    if others is not None and others.groups and not place.can_take:
        card.text(reader.say(_("These groups have a seat today:")))
        list_groups(card, others, reader)
    return card.row(*ways(guild, reader, in_server=others is not None), help_now_button(guild.help_countries, reader))


def leave_line_card(place: Place, guild: Guild, reader: Reader) -> Card:
    """Return the question before leaving the line."""
    lines = [
        reader.say(_("## Leave the line for {name}?", name=place.name)),
        reader.say(_("Your place goes to the next person. You can wait in line again at any time.")),
    ]
    key = f"{guild.guild_id}.{place.group_id}"
    return (
        Card()
        .boxed()
        .text("\n".join(lines))
        .row(
            buttons.LeaveLineSureButton(key, reader),
            buttons.PlaceButton(key, reader, label=_("Stay in line")),
            help_now_button(guild.help_countries, reader),
        )
    )


def left_line_card(name: str, guild: Guild, reader: Reader, *, in_server: bool) -> Card:
    """Return what somebody sees who has just left the line."""
    lines = [
        reader.say(_("## You have left the line for {name}", name=name)),
        reader.say(_("That is fine. You can wait in line again at any time.")),
    ]
    items = [*ways(guild, reader, in_server=in_server), help_now_button(guild.help_countries, reader)]
    return Card().boxed().text("\n".join(lines)).row(*items)


def ways(guild: Guild, reader: Reader, *, in_server: bool) -> list[ui.Item[Any]]:
    """Return ways to one's own groups and to others; in a direct message, a link to where groups are found."""
    if in_server:
        return [buttons.MineButton("0", reader), buttons.BrowseButton("0.0.", reader, label=_("All groups"))]
    return [panel_link(guild, reader)]


def panel_link(guild: Guild, reader: Reader) -> ui.Button[Any]:
    """Return a button that opens the channel in which groups are found."""
    url = f"https://discord.com/channels/{guild.guild_id}/{guild.panel_channel_id}"
    return ui.Button(style=discord.ButtonStyle.link, url=url, label=reader.say(_("Find a group")))


def offer_letter(offer: Offer, reader: Reader) -> str:
    """Return the words of an offer; they show on a lock screen, so they say no more than a group's name."""
    until, left = timestamp(offer.until, "f"), timestamp(offer.until, "R")
    kept = _("No is a fine answer, and you keep your place in line.")
    ends = _("With no answer this time, your place in line ends. You can always come back.")
    return " ".join(
        [
            reader.say(_("A seat is free for you in **{name}**.", name=offer.name)),
            reader.say(_("It is yours until {until} ({left}).", until=until, left=left)),
            reader.say(kept),
            *([reader.say(ends)] if offer.is_last else []),
        ]
    )
