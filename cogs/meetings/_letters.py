"""What members are written about meetings: reminders, the start, news; and the buttons under them.

The buttons work in a direct message, so they name the server. Words stand on lock screens: they say a group's name and
a time, and never what a group is about.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import discord
from discord import ui

from cogs._help import help_now_button
from cogs._interactions import ROW_ID, SERVER_ID, Answer, Card, PersistentButton
from cogs._outbox import Post
from cogs._reach import MessagesButton, RemindersButton
from cogs.meetings import _hosting_cards as hosts
from cogs.meetings._words import repeats
from peerbot import arrivals, closings, meetings, news, reach, reminders, series
from peerbot import setup as settings_of
from peerbot.bot import PeerBot
from peerbot.database import BACKGROUND
from peerbot.errors import NotValid
from peerbot.hosting import Asking
from peerbot.meetings import CANT, GOING, MeetingView
from peerbot.models import Delivery, Guild
from peerbot.news import Change, News, Where
from peerbot.recurrence import instant
from peerbot.reminders import NEAR, Reminder
from peerbot.rights import guild_of
from peerbot.text import Reader, Text, Verbatim, _, channel_mention, n_
from peerbot.times import city, clock, length, short, when, words

SERVER_AND_ROW = rf"{SERVER_ID}\.{ROW_ID}"
MEETING = rf"{SERVER_AND_ROW}(?:\.\d{{1,9}})?"
"""A server, a meeting, the minute (since 1970) to which its reader answers: a letter stays as it is when the meeting
moves, and nobody says "can't" to a time of which they have not read."""
UNIX_MINUTE = 60


class CantTodayButton(PersistentButton, verb="meetings:cant-today", label=_("Can't today"), state=MEETING):
    """Answers that somebody cannot come."""

    async def press(self, answer: Answer) -> None:
        """Keep the answer, and say when the group meets next."""
        meeting, guild, asking = await respond(answer, self.state, CANT)
        lines = [answer.say(_("That is fine. No reason needed."))]
        lines += [answer.say(hosts.cover_asked(asking, _("I can come")))] if asking is not None else []
        if meeting.next_at is not None:
            after = when(meeting.next_at, meeting.zone, answer.reader)
            lines += [answer.say(_("Next time: {when}", when=after))]
        back = CanComeButton(self.state, answer.reader)
        await answer.show(_answered(lines, back, guild, answer.reader))


class CanComeButton(PersistentButton, verb="meetings:can-come", label=_("I can come"), state=MEETING):
    """Takes that back."""

    async def press(self, answer: Answer) -> None:
        """Keep the answer."""
        _meeting, guild, _asking = await respond(answer, self.state, GOING)
        lines = [answer.say(_("Good. Come as you are."))]
        back = CantTodayButton(self.state, answer.reader)
        await answer.show(_answered(lines, back, guild, answer.reader))


class NewHereButton(
    PersistentButton,
    verb="meetings:new-here",
    label=_("Tell facilitators I'm new"),
    state=rf"{SERVER_AND_ROW}\.[01]",
):
    """Lets facilitators see that somebody comes for the first time, or no longer."""

    async def press(self, answer: Answer) -> None:
        """Keep the choice, and show the way back."""
        server, group_id, on = self.state.split(".")
        actor = answer.actor_in(int(server))
        async with answer.bot.db.begin() as session:
            guild = await guild_of(session, actor.guild_id)
            await reminders.say_new(session, actor, int(group_id), on=on == "1")
        said = (
            _("The facilitators see that it is your first time. Only they do.")
            if on == "1"
            else _("The facilitators do not see that it is your first time.")
        )
        back = new_here_button(guild.guild_id, int(group_id), answer.reader, says_new=on == "1")
        await answer.show(_answered([answer.say(said)], back, guild, answer.reader))


def new_here_button(guild_id: int, group_id: int, reader: Reader, *, says_new: bool) -> NewHereButton:
    """Return the button that switches whether facilitators see that somebody is new."""
    label = _("Don't tell them") if says_new else None
    return NewHereButton(f"{guild_id}.{group_id}.{0 if says_new else 1}", reader, label=label)


async def respond(answer: Answer, state: str, word: str) -> tuple[MeetingView, Guild, Asking | None]:
    """Keep what somebody answers to a meeting, from a letter; return the meeting, its server, and if cover is asked.

    Raises like meetings.respond, or NotValid when the meeting is at another time than the letter says.
    """
    server, meeting_id, *minute = (int(part) for part in state.split("."))
    actor, now = answer.actor_in(server), answer.bot.clock.now()
    async with answer.bot.db.begin() as session:
        guild = await guild_of(session, actor.guild_id)
        await meetings.respond(session, actor, meeting_id, word, now=now)
        asking = await arrivals.answered(session, actor, meeting_id, word, now=now)
        meeting = await meetings.view(session, actor.guild_id, meeting_id)
        if minute and minute[0] != _minute(meeting):  # raised here, so that nothing is kept
            key = _key(guild, meeting)
            answer.ways = [CanComeButton(key, answer.reader), CantTodayButton(key, answer.reader, label=_("Can't"))]
            then = when(meeting.starts_at, meeting.zone, answer.reader)
            raise NotValid(_("This meeting is at another time now: {when}. Can you come then?", when=then))
        return meeting, guild, asking


def _key(guild: Guild, meeting: MeetingView) -> str:
    return f"{guild.guild_id}.{meeting.meeting_id}.{_minute(meeting)}"


def _minute(meeting: MeetingView) -> int:
    return int(meeting.starts_at.timestamp()) // UNIX_MINUTE


def _answered(lines: list[str], back: PersistentButton, guild: Guild, reader: Reader) -> Card:
    change = RemindersButton(guild.guild_id, reader)
    return Card().boxed().text("\n".join(lines)).row(back, change, help_now_button(guild.help_countries, reader))


# what is written


def reminder_words(reminder: Reminder, reader: Reader) -> str:
    """Return what a reminder says; to somebody who comes for the first time, what to expect."""
    meeting = reminder.meeting
    time = when(meeting.starts_at, meeting.zone, reader)
    words = [_("**{name}**: {when}.", name=meeting.group_name, when=time)]
    if reminder.is_first:
        minutes = (meeting.ends_at - meeting.starts_at) // timedelta(minutes=1)
        words += [
            _("It is your first time. Come and listen: that is enough."),
            _("Facilitators say hello and tell you how it goes. You can pass at any time."),
            _("It takes {length}.", length=length(minutes)),
            _("Late is fine. So is leaving early, or not coming."),
        ]
    else:
        words += [_("You can just listen. Late is fine. So is not coming.")]
    return " ".join(reader.say(each) for each in words)


def reminder_post(reminder: Reminder, guild: Guild, reader: Reader, now: datetime) -> Post:
    """Return a reminder."""
    meeting = reminder.meeting
    buttons: list[ui.Item[Any]] = []
    place = place_button(meeting, guild, reader, now)
    buttons += [place] if place is not None else []
    buttons += [CantTodayButton(_key(guild, meeting), reader)]
    if reminder.is_first:
        buttons += [new_here_button(guild.guild_id, meeting.group_id, reader, says_new=reminder.says_new)]
    buttons += [RemindersButton(guild.guild_id, reader), help_now_button(guild.help_countries, reader)]
    return Post(reminder_words(reminder, reader), buttons)


def start_post(meeting: MeetingView, guild: Guild, reader: Reader, now: datetime) -> Post:
    """Return what the group's room reads when it is time; it mentions nobody."""
    words = _("It is time. Come as you are. Camera off is fine, and listening is enough.")
    return Post(reader.say(words), start_buttons(meeting, guild, reader, now))


def start_buttons(meeting: MeetingView | None, guild: Guild, reader: Reader, now: datetime) -> list[ui.Item[Any]]:
    """Return the buttons of the post that a meeting has begun; None: it is over or off, and nothing leads there."""
    buttons: list[ui.Item[Any]] = []
    if meeting is not None and (meeting.link or meeting.place_id != meeting.room_id):
        place = place_button(meeting, guild, reader, now)
        buttons += [place] if place is not None else []
    return [*buttons, help_now_button(guild.help_countries, reader)]


def place_button(meeting: MeetingView, guild: Guild, reader: Reader, now: datetime) -> ui.Button[Any] | None:
    """Return the way to where a meeting takes place; a link to elsewhere only near its start."""
    url = meeting.link if meeting.link and now >= meeting.starts_at - NEAR else ""
    if not url and meeting.place_id is not None:
        url = f"https://discord.com/channels/{guild.guild_id}/{meeting.place_id}"
    if not url:
        return None
    return ui.Button(style=discord.ButtonStyle.link, url=url, label=reader.say(_("Open the room")))


def news_post(told: News, guild: Guild, reader: Reader, now: datetime) -> Post:
    """Return a letter of news, with the way to a new place: a letter that came before leads to the old one."""
    buttons: list[ui.Item[Any]] = []
    if told.where is not None and told.where.meeting is not None:
        place = place_button(told.where.meeting, guild, reader, now)
        buttons += [place] if place is not None else []
    buttons += [MessagesButton(guild.guild_id, reader), help_now_button(guild.help_countries, reader)]
    return Post(news_words(told, reader), buttons)


def closed_post(name: str, guild: Guild, reader: Reader) -> Post:
    """Return the letter that a group has closed."""
    lines = [
        _("**{name}** has closed. Its meetings have ended.", name=name),
        _("Thank you for being part of it. You did nothing wrong."),
        _("You find other groups in the server with /groups."),
    ]
    words = "\n".join(reader.say(each) for each in lines)
    return Post(words, [MessagesButton(guild.guild_id, reader), help_now_button(guild.help_countries, reader)])


def news_words(told: News, reader: Reader) -> str:
    """Return what changed, and when the group meets next: one change as such, several as a list with more dates."""
    name = told.group_name
    lines: list[Text]
    if told.has_ended and told.goes_on is not None:
        lines = instead(told, told.goes_on, reader)
        lines += [_("New place: {place}.", place=place_words(told.where))] if told.where is not None else []
    elif told.has_ended:
        lines = [_("**{name}**: the meetings at this time have ended.", name=name)]
    elif told.is_one and told.where is not None:
        lines = [
            _("**{name}** has a new place: {place}.", name=name, place=place_words(told.where)),
            _("The time stays the same."),
        ]
    elif told.is_one:
        lines = one_change(told.changes[0], name, reader)
    else:
        lines = [
            _("**{name}**: some things have changed.", name=name),
            *([_("New place: {place}.", place=place_words(told.where))] if told.where is not None else []),
            *(change_line(each, reader) for each in told.changes),
        ]
        if told.more:
            lines += [n_("- and {n} more meeting.", "- and {n} more meetings.", told.more)]
    return "\n".join(reader.say(each) for each in [*lines, *_dates(told, reader)])


def _dates(told: News, reader: Reader) -> list[Text]:
    """Return when the group meets next; after several changes, more than once."""
    if told.next_at is None:
        return [_("There is no next date yet.")]
    said_already = told.changes[0].meeting if told.is_one and told.changes else None
    if told.goes_on is not None:
        said_already = told.goes_on if told.rule is None else None
    if said_already is not None and said_already.state == "planned" and said_already.starts_at == told.next_at:
        return []
    lines = [_("Next: {when}.", when=when(told.next_at, told.zone, reader))]
    is_brief = told.rule is None if told.has_ended else told.is_one
    later = [] if is_brief else told.dates[1:]
    if later:
        dates = reader.say(_("; ")).join(short(each, told.zone, reader) for each in later)
        lines += [_("Then: {dates}.", dates=Verbatim(dates))]
    return lines


def instead(told: News, first: MeetingView, reader: Reader) -> list[Text]:
    """Return what came instead of a series: how it repeats, or when it is; and which expected meeting is off."""
    name = told.group_name
    if told.rule is None:
        lines = [_("**{name}** has a new time: {when}.", name=name, when=when(first.starts_at, first.zone, reader))]
    else:
        usual = instant(first.original, first.zone)
        rhythm = _(
            "{repeats}, {time} ({city})",
            repeats=repeats(told.rule, reader),
            time=clock(usual, first.zone, reader),
            city=city(first.zone, reader),
        )
        lines = [
            _("**{name}** has new dates. From now on: {rhythm}.", name=name, rhythm=rhythm)
            if told.keeps_time
            else _("**{name}** has a new time. From now on: {rhythm}.", name=name, rhythm=rhythm)
        ]
    if told.off_at is not None:
        lines += [_("The one on {when} is off.", when=words(told.off_at, told.zone, reader))]
    return lines


def place_words(where: Where) -> Text:
    """Return where a group meets now, in words; a link itself is shown only near the start."""
    if where.has_link:
        return _("a new link. You see it shortly before the start")
    if where.channel_id is not None:
        return _("{channel}", channel=channel_mention(where.channel_id))
    return _("the group's own room")


def one_change(change: Change, name: str, reader: Reader) -> list[Text]:
    """Return what became of one meeting of a group, when it is all that there is to say."""
    meeting = change.meeting
    usual = when(instant(meeting.original, meeting.zone), meeting.zone, reader)
    now = when(meeting.starts_at, meeting.zone, reader)
    if meeting.state == "cancelled":
        at = now if change.knew == news.MOVED else usual
        lines = [_("**{name}** is off on {when}.", name=name, when=at)]
        return [*lines, _("No facilitator could come. I am sorry.")] if meeting.why == "nobody" else lines
    if change.knew == news.OTHER_ZONE:
        return [
            _("**{name}** is now on {when}.", name=name, when=now),
            _("The clocks it goes by have changed."),
        ]
    if meeting.state == "over":
        return [
            _("**{name}** was moved, and is over. It was on {when}.", name=name, when=now),
            _("It was to be on {old}. I am sorry that I say it late.", old=usual),
        ]
    if meeting.was_moved:
        return [
            _("**{name}** is now on {when}.", name=name, when=now),
            _("It was to be on {old}.", old=usual),
        ]
    return [_("**{name}** is on, as usual: {when}.", name=name, when=now)]


def change_line(change: Change, reader: Reader) -> Text:
    """Return what became of one meeting."""
    meeting = change.meeting
    usual = when(instant(meeting.original, meeting.zone), meeting.zone, reader)
    now = when(meeting.starts_at, meeting.zone, reader)
    if meeting.state == "cancelled" and meeting.why == "nobody":
        return _("- {when}: no facilitator could come, so it is off. I am sorry.", when=now)
    if meeting.state == "cancelled":
        return _("- {when}: this one is off.", when=now if change.knew == news.MOVED else usual)
    if change.knew == news.OTHER_ZONE:
        return _("- The clocks it goes by have changed. This one is on {when}.", when=now)
    if meeting.state == "over":
        return _(
            "- {old}: this one was moved, and is over. It was on {when}. I am sorry that I say it late.",
            old=usual,
            when=now,
        )
    if meeting.was_moved:
        return _("- {old}: this one is now on {when}.", old=usual, when=now)
    if meeting.here_at is not None and change.knew == news.OFF:
        return _("- {when}: this one is on after all. A facilitator is there.", when=now)
    return _("- {when}: this one is on, as usual.", when=now)


def register(bot: PeerBot) -> None:
    """Tell the outbox what reminders, the start post and news say."""

    async def render_reminder(delivery: Delivery) -> Post | None:
        async with bot.db.read(wait=BACKGROUND) as session:
            guild = await settings_of.find(session, delivery.guild_id)
            reminder = await reminders.letter(session, delivery)
            reader = await reach.reader_of(session, delivery)
        if guild is None or reminder is None:
            return None
        return reminder_post(reminder, guild, reader, bot.clock.now())

    async def render_start(delivery: Delivery) -> Post | None:
        async with bot.db.read(wait=BACKGROUND) as session:
            guild = await settings_of.find(session, delivery.guild_id)
            meeting = await reminders.starting(session, delivery)
        if guild is None or meeting is None:
            return None
        return start_post(meeting, guild, Reader(guild.locale, guild.time_zone), bot.clock.now())

    async def render_news(delivery: Delivery) -> Post | None:
        async with bot.db.read(wait=BACKGROUND) as session:
            guild = await settings_of.find(session, delivery.guild_id)
            told = await news.letter(session, delivery, now=bot.clock.now())
            reader = await reach.reader_of(session, delivery)
        if guild is None or told is None:
            return None
        return news_post(told, guild, reader, bot.clock.now())

    async def render_closed(delivery: Delivery) -> Post | None:
        async with bot.db.read(wait=BACKGROUND) as session:
            guild = await settings_of.find(session, delivery.guild_id)
            group = await closings.letter(session, delivery)
            reader = await reach.reader_of(session, delivery)
        return closed_post(group.name, guild, reader) if guild is not None and group is not None else None

    bot.outbox.letter(closings.CLOSED, render_closed)
    bot.outbox.letter(reminders.REMINDER, render_reminder)
    bot.outbox.message(reminders.START, render_start)
    bot.outbox.letter(news.NEWS, render_news)
    bot.outbox.letter(news.NEWS_NOW, render_news, waits_for_morning=False)
    bot.outbox.step(series.TELL, news.tell)
    bot.outbox.step("meetings.back", reminders.come_back)
