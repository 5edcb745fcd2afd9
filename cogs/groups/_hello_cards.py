"""What people see who ask first, or say hello before they join."""

from __future__ import annotations

from typing import Any

from discord import ui

from cogs._help import help_now_button
from cogs._interactions import Card
from cogs._threads import WHO_READS
from cogs.groups import _buttons as buttons
from cogs.groups._cards import room_link
from peerbot.directory import GroupView, Seat
from peerbot.models import Guild
from peerbot.text import Reader, _, channel_mention


def ask_card(view: GroupView, guild: Guild, reader: Reader) -> Card:
    """Return what a person reads before they ask something."""
    lines = [
        reader.say(_("## Ask first: {name}", name=view.name)),
        reader.say(_("I open a private thread. You can ask anything there, or just say hi.")),
        reader.say(WHO_READS),
    ]
    return _before_thread(lines, buttons.AskSureButton(view.group_id, reader), view, guild, reader)


def hello_card(view: GroupView, version: str, guild: Guild, reader: Reader) -> Card:
    """Return what a person reads before they say hello to a group that asks for it."""
    lines = [
        reader.say(_("## Say hello to {name}", name=view.name)),
        reader.say(_("A facilitator writes to you, then you join. I open a private thread for it.")),
        reader.say(WHO_READS),
        reader.say(_("You need not explain anything.")),
    ]
    return _before_thread(lines, buttons.HelloButton(f"{view.group_id}.{version}", reader), view, guild, reader)


def _before_thread(lines: list[str], go: ui.Item[Any], view: GroupView, guild: Guild, reader: Reader) -> Card:
    not_now = buttons.NotNowButton(view.group_id, reader)
    return Card().boxed().text("\n".join(lines)).row(go, not_now, help_now_button(guild.help_countries, reader))


def thread_card(thread_id: int | None, guild: Guild, reader: Reader, *, failed: bool, is_hello: bool) -> Card:
    """Return where a person can talk with facilitators now, and what happens next."""
    if thread_id is not None and not failed:
        lines = [reader.say(_("## It is open: {thread}", thread=channel_mention(thread_id)))]
        lines += [reader.say(_("A facilitator writes to you there. You can write too, or just wait."))]
    elif failed:
        lines = [reader.say(_("## I can't open a thread right now"))]
        lines += [reader.say(_("You did nothing wrong. Facilitators see that you are here, and why it does not work."))]
    else:
        lines = [reader.say(_("## Your private thread is on the way"))]
        lines += [reader.say(_("It shows up in your channel list. A facilitator writes to you there."))]
    again = _("Find it again: /my")
    if is_hello:
        back = _("Find this again, or take it back: /my")
        again = back if failed else _("Then you join. Find this again, or take it back: /my")
    lines += [reader.say(again)]
    link = (
        [room_link(guild.guild_id, thread_id, reader, label=_("Open the thread"))]
        if thread_id is not None and not failed
        else []
    )
    return Card().boxed().text("\n".join(lines)).row(*link, help_now_button(guild.help_countries, reader))


def take_back_card(seat: Seat, guild: Guild, reader: Reader) -> Card:
    """Return the question before a hello is taken back."""
    lines = [
        reader.say(_("## Take your hello to {name} back?", name=seat.name)),
        reader.say(_("That is fine, and needs no reason. You can say hello again later.")),
    ]
    return (
        Card()
        .boxed()
        .text("\n".join(lines))
        .row(
            buttons.LeaveSureButton(seat.group_id, reader),
            buttons.MineButton("0", reader, label=_("Stay")),
            help_now_button(guild.help_countries, reader),
        )
    )
