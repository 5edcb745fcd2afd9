"""The letter to somebody who has rested for four weeks, and what they can answer, also in a direct message."""

from __future__ import annotations

from typing import Any

from discord import ui

from cogs._help import help_now_button
from cogs._interactions import Answer, Card
from cogs._outbox import Post
from cogs.groups import _buttons as buttons
from cogs.groups import _cards as cards
from cogs.groups import _line_cards as line_cards
from cogs.groups._ahead import Ahead, add_ahead
from cogs.groups._claims import claimed, in_server, present
from peerbot import access, directory, groups, members, notices, pauses, reach
from peerbot import setup as settings_of
from peerbot.bot import PeerBot
from peerbot.database import BACKGROUND
from peerbot.directory import Seat
from peerbot.dispatcher import Gone, Sent
from peerbot.errors import GroupClosed, GroupUnknown, NotMember, NotValid
from peerbot.models import Delivery, Guild
from peerbot.pauses import Rest
from peerbot.rights import Actor, guild_of
from peerbot.text import Reader, _, timestamp


def letter(rest: Rest, reader: Reader) -> str:
    """Return the words of the letter; they show on a lock screen, so they say no more than a group's name."""
    lines = [
        _("You are resting from **{name}**. That is fine.", name=rest.name),
        _("Your seat is yours until {day}. After that, someone else may get it.", day=timestamp(rest.until, "D")),
        _("Would you like to come back, rest some more, or leave? You need not answer. I ask this once."),
    ]
    return " ".join(map(reader.say, lines))


def answers(key: str, reader: Reader) -> list[ui.Item[Any]]:
    """Return what somebody who rests can answer; the key is the server and the group."""
    kinds = (buttons.BackFromRestButton, buttons.KeepRestingButton, buttons.LeaveRestingButton)
    return [kind(key, reader) for kind in kinds]


def back_card(name: str, room_id: int | None, ahead: Ahead, guild: Guild, reader: Reader, *, is_here: bool) -> Card:
    """Return what somebody sees who is back, with the meetings that lie ahead as they are now."""
    lines = [_("## You are back in {name}", name=name), _("Good that you are here. Your seat is as it was.")]
    card = Card().boxed().text("\n".join(map(reader.say, lines)))
    if ahead:
        add_ahead(card, ahead, guild, reader, in_server=is_here)
    room = [cards.room_link(guild.guild_id, room_id, reader)] if room_id is not None else []
    mine = [buttons.MineButton("0", reader)] if is_here else []
    return card.row(*room, *mine, help_now_button(guild.help_countries, reader))


def rest_card(rest: Rest, guild: Guild, reader: Reader) -> Card:
    """Return until when the seat of somebody who rests on is kept."""
    lines = [
        _("## Rest well"),
        _("Your seat in **{name}** is yours until {day}.", name=rest.name, day=timestamp(rest.until, "D")),
        _("You can come back at any time: press *I'm back*, here or in /my."),
    ]
    back = buttons.BackFromRestButton(f"{guild.guild_id}.{rest.group_id}", reader)
    text = "\n".join(map(reader.say, lines))
    return Card().boxed().text(text).row(back, help_now_button(guild.help_countries, reader))


def sure_card(name: str, group_id: int, guild: Guild, reader: Reader) -> Card:
    """Return the question before leaving."""
    key = f"{guild.guild_id}.{group_id}"
    lines = [
        _("## Leave {name}?", name=name),
        _("Someone else may get your seat. You can come back when there is a free one."),
    ]
    row = (buttons.LeaveRestingSureButton(key, reader), buttons.KeepRestingButton(key, reader))
    text = "\n".join(map(reader.say, lines))
    return Card().boxed().text(text).row(*row, help_now_button(guild.help_countries, reader))


@buttons.BackFromRestButton.pressed
async def come_back(answer: Answer, state: str) -> None:
    """End the pause, and show what lies ahead."""
    actor, group_id = await present(answer, state)
    bot = answer.bot
    async with bot.db.begin() as session:
        group = await pauses.resume(session, actor, group_id)
        guild = await guild_of(session, actor.guild_id)
        ahead = await notices.mine(session, actor.guild_id, actor.user_id, group_id=group_id, now=bot.clock.now())
    card = back_card(group.name, group.room_id, ahead, guild, answer.reader, is_here=in_server(answer))
    await answer.show(card)


@buttons.KeepRestingButton.pressed
async def rest_on(answer: Answer, state: str) -> None:
    """Say until when the seat is kept."""
    guild, seat = await _own(answer, *await present(answer, state))
    if not seat.is_open:
        raise GroupClosed(seat.name)
    if seat.paused_until is None:
        words = _("You are in **{name}**, and not resting. *Pause* in /my starts a rest.", name=seat.name)
        raise NotValid(words)
    rest = Rest(seat.group_id, seat.name, seat.paused_until)
    await answer.show(rest_card(rest, guild, answer.reader))


@buttons.LeaveRestingButton.pressed
async def ask_leave(answer: Answer, state: str) -> None:
    """Ask whether to leave."""
    guild, seat = await _own(answer, *claimed(answer, state))
    await answer.show(sure_card(seat.name, seat.group_id, guild, answer.reader))


@buttons.LeaveRestingSureButton.pressed
async def leave(answer: Answer, state: str) -> None:
    """Give the seat up and close the room behind the person."""
    actor, group_id = claimed(answer, state)
    bot, reader = answer.bot, answer.reader
    async with bot.db.begin() as session:
        guild = await guild_of(session, actor.guild_id)
        left = await groups.leave(session, actor, group_id, now=bot.clock.now())
    outcome = await bot.dispatcher.outcome(left.access_id)
    is_closed = isinstance(outcome, Sent) or outcome == Gone(access.ROLE_ABOVE)
    ways = line_cards.ways(guild, reader, in_server=in_server(answer))
    await answer.show(cards.left_card(left.name, guild, reader, is_closed=is_closed, ways=ways))


async def _own(answer: Answer, actor: Actor, group_id: int) -> tuple[Guild, Seat]:
    """Return the server and what the person has in a group of it; raise NotMember or GroupUnknown."""
    async with answer.bot.db.read() as session:
        guild = await guild_of(session, actor.guild_id)
        if await members.find(session, actor.guild_id, actor.user_id) is None:
            raise GroupUnknown  # whoever the server does not know learns no group's name from a button's id
        view = await directory.view(session, actor.guild_id, group_id)
        mine = await directory.seats(session, actor.guild_id, actor.user_id)
    seat = next((seat for seat in mine if seat.group_id == group_id), None)
    if seat is None:
        raise NotMember(view.name)
    return guild, seat


def register(bot: PeerBot) -> None:
    """Tell the outbox what somebody who rests is asked."""

    async def render(delivery: Delivery) -> Post | None:
        async with bot.db.read(wait=BACKGROUND) as session:
            rest = await pauses.still(session, delivery, now=bot.clock.now())
            guild = await settings_of.find(session, delivery.guild_id)
            reader = await reach.reader_of(session, delivery)
        if rest is None or guild is None:
            return None
        row = answers(f"{guild.guild_id}.{rest.group_id}", reader)
        return Post(letter(rest, reader), [*row, help_now_button(guild.help_countries, reader)])

    bot.outbox.letter(pauses.ASKS, render)
