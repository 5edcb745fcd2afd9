"""What people see of groups: cards, the panel, the agreement, their own groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import discord
from discord import ui

from cogs._help import help_now_button
from cogs._interactions import Card
from cogs._reach import MessagesButton, welcome_buttons
from cogs.groups import _buttons as buttons
from cogs.groups import _places as places
from cogs.groups._ahead import Ahead, add_ahead
from peerbot.access import SEATED
from peerbot.directory import GroupView, Page, Person, Roster, Seat, Tended
from peerbot.joining import Asked, Joined
from peerbot.models import Guild
from peerbot.seats import Place
from peerbot.text import Reader, Text, Verbatim, _, channel_mention, mention, n_, timestamp

MOST_NAMED = 12
MOST_OWN = 5
"""Groups of one person on their card; with the rest of it, 40 components."""
LONGEST_LABEL = 32
WAITING = _("*Wait in line*, and I write to you when a seat is free.")
MEETS_BY = {
    "voice": _("Voice. Camera off is fine. You can just listen."),
    "text": _("Text. You can just read."),
    "both": _("Voice and text. You can just listen or read."),
}


@dataclass(frozen=True)
class Names:
    """Names of people in the server; None when Discord did not give them in time."""

    known: dict[int, str] | None

    def of(self, user_id: int, reader: Reader) -> str:
        """Return what to call somebody: their name, a mention, or that they left."""
        if self.known is None:
            return mention(user_id)
        return self.known.get(user_id) or reader.say(_("someone who left the server"))

    def label(self, user_id: int, reader: Reader) -> str:
        """Return what to call somebody where no mention is shown."""
        return reader.say(_("name not loaded")) if self.known is None else self.of(user_id, reader)


def seats(view: GroupView) -> Text:
    """Return how full a group is, as a sentence."""
    return (
        _("{taken}.", taken=places.taken(view))
        if view.free
        else _("{taken}. Full right now.", taken=places.taken(view))
    )


def shortened(name: str) -> Verbatim:
    """Return a group's name for a button, which shows no markdown; a long one would push the words aside on a phone."""
    return Verbatim(name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 1].rstrip()}…")


def room_link(guild_id: int, room_id: int, reader: Reader, *, label: Text | None = None) -> ui.Button[Any]:
    """Return a button that opens a channel."""
    url = f"https://discord.com/channels/{guild_id}/{room_id}"
    return ui.Button(style=discord.ButtonStyle.link, url=url, label=reader.say(label or _("Open the room")))


def group_card(view: GroupView, guild: Guild, reader: Reader, *, private: bool) -> Card:
    """Return a group's card; a private one leads back to the list."""
    lines = [reader.say(_("## {name}", name=view.name))]
    lines += [reader.say(_("{about}", about=view.about))] if view.about else []
    lines += [reader.say(_("About: {topic}", topic=view.topic))] if view.topic else []
    lines += [reader.say(MEETS_BY[view.meets_by])]
    if view.facilitator_ids:
        names = Verbatim(", ".join(mention(user_id) for user_id in view.facilitator_ids))
        lines += [reader.say(_("With {names}.", names=names))]
    lines += [reader.say(seats(view) if view.is_open else _("This group has closed."))]
    if view.hello_first and view.is_open:
        lines += [reader.say(_("Say hello first: a facilitator writes to you, then you join."))]
    join: list[ui.Item[Any]] = []
    if view.free and view.is_open:
        join += [buttons.JoinButton(view.group_id, reader)]
    else:
        if view.is_open:
            lines += [reader.say(WAITING)]
            join += [buttons.WaitButton(f"{guild.guild_id}.{view.group_id}", reader)]
        join += [buttons.BrowseButton("0.1.", reader, label=_("Groups with a free seat"))]
    join += [buttons.AskButton(view.group_id, reader)] if view.is_open else []
    back: list[ui.Item[Any]] = [buttons.BrowseButton("0.0.", reader, label=_("All groups"))] if private else []
    return Card().boxed().text("\n".join(lines)).row(*join, *back, help_now_button(guild.help_countries, reader))


def agreement_card(
    asked: Asked,
    reader: Reader,
    *,
    agree: ui.Item[Any],
    back: ui.Item[Any] | None,
    waits: bool = False,
) -> Card:
    """Return what a person reads before joining, or before waiting in line."""
    name, words = asked.group_name, asked.words
    title = _("## Before you wait for {name}", name=name) if waits else _("## Before you join {name}", name=name)
    lines = [
        reader.say(title),
        reader.say(_("- I am 18 or older.")),
        reader.say(_("- What is said here stays here, unless someone is in danger.")),
        reader.say(_("- Then: {policy}", policy=words.danger_policy))
        if words.danger_policy
        else reader.say(_("- Then a facilitator may share what is needed to get help.")),
        reader.say(_("- No medical advice, no doses, no ways to get hurt.")),
        reader.say(_("- I may pass, pause or leave. No reason needed.")),
        reader.say(_("- This is not a crisis service.")),
    ]
    if words.reading_hours:
        lines += [reader.say(_("- Facilitators read: {hours}", hours=words.reading_hours))]
    lines += [
        reader.say(_("- The group and the people who run this server can see my Discord name.")),
        reader.say(_("- While I am in a group, the bot saves that, my language and what I choose.")),
    ]
    if waits:
        lines += [reader.say(_("- When a seat is free, the bot writes to me. /my says how, and lets me change it."))]
    leave = [back] if back is not None else []
    return Card().boxed().text("\n".join(lines)).row(agree, *leave, help_now_button(asked.guild.help_countries, reader))


def welcome_card(joined: Joined, reader: Reader, *, is_open: bool) -> Card:
    """Return what a person sees who has just joined; `is_open` says that the room lets them in already."""
    guild, name, room_id, next_at = joined.guild, joined.seat.name, joined.seat.room_id, joined.next_at
    lines = [reader.say(_("## You're in. Glad you are here."))]
    link: list[ui.Item[Any]] = []
    if is_open and room_id is not None:
        text = _("Your group: **{name}**. Your room: {room}.", name=name, room=channel_mention(room_id))
        lines += [reader.say(text)]
        link = [room_link(guild.guild_id, room_id, reader)]
    else:
        lines += [
            reader.say(_("Your group: **{name}**. Your seat is safe.", name=name)),
            reader.say(_("Your room is not open yet. I keep trying, and /my will show it.")),
        ]
    if next_at is not None:
        lines += [reader.say(_("Next meeting: {when}.", when=timestamp(next_at, "F")))]
    lines += [
        reader.say(_("First time? Come and read. Leave when you like.")),
        reader.say(_("Find this again, pause or leave: /my")),
    ]
    card = Card().boxed().text("\n".join(lines))
    if joined.asks:
        card.text(reader.say(_("Want a reminder one hour before a meeting?")))
        card.row(*welcome_buttons(guild.guild_id, reader))
    return card.row(*link, help_now_button(guild.help_countries, reader))


def full_card(
    view: GroupView, others: Page | None, guild: Guild, reader: Reader, ways: Sequence[ui.Item[Any]] = ()
) -> Card:
    """Return what a person sees when a group is full: kind words, the line, and groups with seats.

    In a direct message (None) no other groups are shown; their buttons work in the server.
    """
    lines = [
        reader.say(_("## {name} is full right now", name=view.name)),
        reader.say(_("You did nothing wrong. Seats do get free.")),
        reader.say(WAITING),
    ]
    if others is not None and others.groups:
        lines += [reader.say(_("These groups have a seat today:"))]
    card = Card().boxed().text("\n".join(lines))
    if others is not None:
        list_groups(card, others, reader)
    wait = buttons.WaitButton(f"{guild.guild_id}.{view.group_id}", reader)
    return card.row(wait, *ways, help_now_button(guild.help_countries, reader))


def browse_card(page: Page, guild: Guild, reader: Reader, *, topics: list[str], free: bool, topic: str) -> Card:
    """Return one page of groups, with ways to see fewer or others."""
    card = Card().boxed()
    title = _("## Groups about {topic}", topic=topic) if topic else _("## Groups")
    empty = _("No group fits right now. Please look again later.")
    if page.groups:
        card.text(reader.say(title))
    else:
        card.text(f"{reader.say(title)}\n{reader.say(empty)}")
    list_groups(card, page, reader)
    if len(topics) > 1:
        card.row(buttons.TopicSelect.offering(topics, free=free, reader=reader))
    flag = "1" if free else "0"
    moves: list[ui.Item[Any]] = []
    if page.number:
        moves.append(buttons.BrowseButton(f"{page.number - 1}.{flag}.{topic}", reader, label=_("Back")))
    if page.has_more:
        moves.append(buttons.BrowseButton(f"{page.number + 1}.{flag}.{topic}", reader, label=_("More")))
    if free or topic:
        moves.append(buttons.BrowseButton("0.0.", reader, label=_("Show all")))
    if not free:
        moves.append(buttons.BrowseButton(f"0.1.{topic}", reader, label=_("With a free seat")))
    return card.row(*moves, help_now_button(guild.help_countries, reader))


def panel_card(page: Page, guild: Guild, reader: Reader, words: str) -> Card:
    """Return the server's panel: what this is, some groups, and help, in words and as a button."""
    card = Card().boxed()
    intro = _("People here know depression that does not lift easily. You can look first, and leave at any time.")
    card.text(f"{reader.say(_('## Find a group'))}\n{reader.say(intro)}")
    if not page.groups:
        card.text(reader.say(_("No group is open yet. Please look again soon.")))
    list_groups(card, page, reader)
    card.row(
        buttons.BrowseButton("0.0.", reader, label=_("All groups")),
        buttons.MineButton("0", reader),
        help_now_button(guild.help_countries, reader),
    )
    return card.text(words)


Asks = list[tuple[int, str, int | None]]


def mine_card(
    mine: Sequence[Seat | Place | Tended],
    guild: Guild,
    reader: Reader,
    *,
    page: int = 0,
    asks: Asks | None = None,
    ahead: Ahead = (),
    is_back: bool = False,
) -> Card:
    """Return a page of a person's groups, places in line and groups that they look after, with what they can do there.

    It is the last page when there are not so many. The first one begins with the meetings that lie `ahead`, and so does
    any that is shown to somebody who `is_back` from a rest.
    """
    if not mine:
        words = [reader.say(_("## My groups")), reader.say(_("You are in no group right now. That is fine."))]
        words += _ask_lines(asks or [], reader)
        return (
            Card()
            .boxed()
            .text("\n".join(words))
            .row(
                buttons.BrowseButton("0.0.", reader, label=_("Find a group")),
                MessagesButton(guild.guild_id, reader),
                help_now_button(guild.help_countries, reader),
            )
        )
    card = Card().boxed().text("\n".join([reader.say(_("## My groups")), *_ask_lines(asks or [], reader)]))
    page = min(page, (len(mine) - 1) // MOST_OWN)
    first = page * MOST_OWN
    if ahead and (is_back or not page):
        add_ahead(card, ahead, guild, reader)
    for seat in mine[first : first + MOST_OWN]:
        if isinstance(seat, Place):
            card.text(f"{reader.say(_('**{name}**', name=seat.name))}\n{reader.say(places.offer(seat))}")
            card.row(*places.row(seat, guild.guild_id, reader))
            continue
        if isinstance(seat, Tended):
            _add_tended(card, seat, guild, reader)
            continue
        card.text(_own_line(seat, reader))
        row: list[ui.Item[Any]] = []
        if seat.room_id is not None and seat.is_let_in:
            row.append(room_link(guild.guild_id, seat.room_id, reader))
        if seat.is_open and seat.state in SEATED:
            row.append((buttons.ResumeButton if seat.paused_until else buttons.PauseButton)(seat.group_id, reader))
        card.row(*row, buttons.LeaveButton(seat.group_id, reader))
    moves: list[ui.Item[Any]] = []
    if page:
        moves.append(buttons.MineButton(page - 1, reader, label=_("Back")))
    if len(mine) > first + MOST_OWN:
        moves.append(buttons.MineButton(page + 1, reader, label=_("More")))
    find = buttons.BrowseButton("0.0.", reader, label=_("Find a group"))
    messages = MessagesButton(guild.guild_id, reader)
    return card.row(*moves, find, messages, help_now_button(guild.help_countries, reader))


def _add_tended(card: Card, group: Tended, guild: Guild, reader: Reader) -> None:
    about = _("You look after this group.") if group.is_open else _("You look after this group. It has closed.")
    card.text(f"{reader.say(_('**{name}**', name=group.name))}\n{reader.say(about)}")
    row = [room_link(guild.guild_id, group.room_id, reader)] if group.room_id is not None else []
    row += [buttons.PeopleButton(group.group_id, reader)] if group.may_act else []
    card.row(*row, buttons.StepBackButton(group.group_id, reader))


def _ask_lines(asks: Asks, reader: Reader) -> list[str]:
    return [
        reader.say(_("You asked **{name}**: {thread}", name=name, thread=channel_mention(thread_id)))
        for _group_id, name, thread_id in asks
        if thread_id is not None
    ]


def sure_card(seat_name: str, group_id: int, guild: Guild, reader: Reader) -> Card:
    """Return the question before leaving."""
    lines = [
        reader.say(_("## Leave {name}?", name=seat_name)),
        reader.say(_("Someone else may get your seat. You can come back when there is a free one.")),
        reader.say(_("Need a rest? *Pause* keeps your seat for 12 weeks.")),
    ]
    return (
        Card()
        .boxed()
        .text("\n".join(lines))
        .row(
            buttons.LeaveSureButton(group_id, reader),
            buttons.PauseButton(group_id, reader),
            buttons.MineButton("0", reader, label=_("Stay")),
            help_now_button(guild.help_countries, reader),
        )
    )


def people_card(roster: Roster, names: Names, strange: list[int], reader: Reader, note: Text | None = None) -> Card:
    """Return who is in a group, for its facilitators; `strange` are people in its room without a seat."""
    view = roster.group
    seated = [person for person in roster.people if person.state in SEATED]
    waiting = [person for person in roster.people if person.number is not None]
    removed = [person for person in roster.people if person.state == "removed"]
    closed = _("This group has closed. Its room stays open for a week, and you can still remove people.")
    lines = [reader.say(_("## People in {name}", name=view.name)), reader.say(seats(view) if view.is_open else closed)]
    lines += [reader.say(note)] if note is not None else []
    lacks_room = view.is_open and not roster.has_room
    lines += [reader.say(_("**This group has no room.** Its members keep their seats."))] if lacks_room else []
    lines += [reader.say(_("**Facilitators**")), *_names(roster.facilitators, names, reader)]
    lines += [reader.say(_("**Members**")), *_names(seated, names, reader)]
    if waiting:
        lines += [reader.say(_("**In line**")), *_names(waiting[:MOST_NAMED], names, reader)]
    if strange:
        lines += [reader.say(_("**In the room without a seat** (somebody else let them in)"))]
        lines += [reader.say(_("- {name}", name=names.of(user_id, reader))) for user_id in strange[:MOST_NAMED]]
    if removed:
        lines += [reader.say(_("**Removed** (they can't join until you let them back)"))]
        lines += _names(removed[:MOST_NAMED], names, reader)
    card = Card().boxed().text("\n".join(lines))
    people = (*roster.facilitators, *roster.people)
    if people:
        labels = {person.user_id: names.label(person.user_id, reader) for person in people}
        card.row(buttons.PersonSelect.offering(view.group_id, people, labels, reader))
    ways: list[ui.Item[Any]] = [buttons.NewRoomButton(view.group_id, reader)] if lacks_room else []
    return card.row(*ways, buttons.AddFacilitatorButton(view.group_id, reader)) if view.is_open else card


def _names(people: Sequence[Person], names: Names, reader: Reader) -> list[str]:
    if not people:
        return [reader.say(_("- nobody yet"))]
    lines: list[str] = []
    for person in people:
        name = names.of(person.user_id, reader)
        about = {
            "paused": _("- {name} (resting)", name=name),
            "waiting": _("- {number}: {name}", number=person.number, name=name),
            "offered": _("- {number}: {name} (a seat is offered)", number=person.number, name=name),
        }
        lines.append(reader.say(about.get(person.state, _("- {name}", name=name))))
    return lines


def list_groups(card: Card, page: Page, reader: Reader) -> None:
    """Add a line for each group, with a button that opens it."""
    for view in page.groups:
        name = _("{name}", name=shortened(view.name))
        card.section(_line(view, reader), buttons.LookButton(view.group_id, reader, label=name))


def _line(view: GroupView, reader: Reader) -> str:
    free = n_("{n} seat free", "{n} seats free", view.free) if view.free else _("full right now")
    free = places.taken(view) if view.waiting else free
    kind = {"voice": _("voice"), "text": _("text"), "both": _("voice and text")}[view.meets_by]
    parts = _("{kind}, {seats}", kind=kind, seats=free)
    if view.topic:
        parts = _("{topic}, {kind}, {seats}", topic=view.topic, kind=kind, seats=free)
    return f"{reader.say(_('**{name}**', name=view.name))}\n{reader.say(parts)}"


def _own_line(seat: Seat, reader: Reader) -> str:
    lines = [reader.say(_("**{name}**", name=seat.name))]
    if not seat.is_open:
        lines += [reader.say(_("This group has closed. You can still read there for a few days."))]
    elif seat.state == "hello" and seat.thread_id is not None:
        thread = channel_mention(seat.thread_id)
        lines += [
            reader.say(_("You said hello. A facilitator writes to you in {thread}, then you join.", thread=thread))
        ]
    elif seat.state == "hello":
        lines += [
            reader.say(_("You said hello. Your private thread is not open. *Join* on the group's card opens it."))
        ]
    elif seat.paused_until is not None:
        until = timestamp(seat.paused_until, "D")
        lines += [reader.say(_("You are resting. Your seat is kept until {day}, then it may go.", day=until))]
    elif not seat.is_let_in:
        lines += [reader.say(_("Your room is not open yet. Your seat is safe."))]
    return "\n".join(lines)


def left_card(
    name: str, guild: Guild, reader: Reader, *, is_closed: bool, ways: Sequence[ui.Item[Any]] | None = None
) -> Card:
    """Return what a person sees who has just left, with `ways` on, those of the server if none are given.

    `is_closed` says that the room is closed behind them already.
    """
    mine, find = buttons.MineButton("0", reader), buttons.BrowseButton("0.0.", reader, label=_("Find a group"))
    lines = [reader.say(_("## You have left {name}", name=name))]
    if not is_closed:
        lines += [reader.say(_("You may still see the room. I keep trying to close it."))]
    lines += [reader.say(_("Take care. You are welcome back when there is a free seat."))]
    row = [*([mine, find] if ways is None else ways), help_now_button(guild.help_countries, reader)]
    return Card().boxed().text("\n".join(lines)).row(*row)
