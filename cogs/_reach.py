"""How a person is written to, as they see and choose it: *Messages* in /my, their time zone, the test message.

Choosing sends a test message at once, and the answer says what became of it. All of it works in a direct message too:
the buttons carry the server.
"""

from __future__ import annotations

from contextlib import suppress

from discord import ui

from cogs._help import help_now_button
from cogs._interactions import SERVER_ID, Answer, Card, Filled, PersistentButton, form, submits
from cogs._outbox import Post
from peerbot import reach, reminders
from peerbot import setup as settings_of
from peerbot.bot import PeerBot
from peerbot.database import BACKGROUND
from peerbot.dispatcher import Gone, NotNeeded, Outcome, Sent, TooLate
from peerbot.errors import DatabaseBusy, OutcomeUnknown
from peerbot.models import Delivery, Guild
from peerbot.reach import Habits
from peerbot.rights import guild_of
from peerbot.text import Reader, Text, Verbatim, _, channel_mention

WAYS = rf"{SERVER_ID}\.(?:{reach.DM}|{reach.THREAD}|{reach.NONE})"
WITHIN = 8.0
"""Seconds that the answer waits for the test message."""

OPEN_DMS = _(
    "To open them: tap the server's name, then *Privacy Settings*, and switch *Direct Messages* on. "
    "Did you block me? Then unblock me. After that, press *By DM* again."
)


class MessagesButton(PersistentButton, verb="reach:messages", label=_("Messages"), state=SERVER_ID):
    """Shows how the person is written to. Its state is the server, so that it works in a direct message."""

    async def press(self, answer: Answer) -> None:
        """Show the card."""
        await show_messages(answer, self.number, [])


class ChooseButton(
    PersistentButton,
    verb="reach:choose",
    label=_("By DM"),
    state=WAYS,
):
    """Chooses how to be written to."""

    async def press(self, answer: Answer) -> None:
        """Keep the choice, send a test message, and say what became of it."""
        server, by = self.state.split(".")
        await choose(answer, int(server), by)


class RemindersButton(PersistentButton, verb="reach:reminders", label=_("Change reminders"), state=SERVER_ID):
    """Shows how and how long before meetings the person is written to. Its state is the server."""

    async def press(self, answer: Answer) -> None:
        """Show the card."""
        await show_messages(answer, self.number, [])


class SwitchButton(
    PersistentButton, verb="reach:remind", label=_("One hour: on"), state=rf"{SERVER_ID}\.(?:1440|60|10)\.[01]"
):
    """Switches one reminder on or off."""

    async def press(self, answer: Answer) -> None:
        """Keep the choice, and show how things are now."""
        bot = answer.bot
        server, minutes, on = (int(part) for part in self.state.split("."))
        actor, is_here = answer.actor_in(server), answer.interaction.guild_id is not None
        async with bot.db.begin() as session:
            await reminders.switch(session, actor, minutes, on=on == 1, is_here=is_here, now=bot.clock.now())
        await show_messages(answer, server, [_("Saved.")])


class WelcomeButton(PersistentButton, verb="reach:welcome", label=_("By DM"), state=WAYS):
    """Answers the one question of the welcome: a reminder one hour before, and by which way."""

    async def press(self, answer: Answer) -> None:
        """Keep the choice, and say in a message of its own what became of the test message."""
        bot = answer.bot
        server, by = self.state.split(".")
        actor, is_here = answer.actor_in(int(server)), answer.interaction.guild_id is not None
        wanted = () if by == reach.NONE else (reminders.HOUR,)
        async with bot.db.begin() as session:
            await reminders.choose(session, actor, wanted, is_here=is_here, now=bot.clock.now())
        if by == reach.NONE:
            await show_messages(answer, int(server), [_("That is fine. I don't remind you.")], fresh=True)
        else:
            await choose(answer, int(server), by, fresh=True)


def welcome_buttons(guild_id: int, reader: Reader) -> list[WelcomeButton]:
    """Return the answers to "Want a reminder one hour before?"."""
    ways = {reach.DM: None, reach.THREAD: _("In a private thread"), reach.NONE: _("No thanks")}
    return [WelcomeButton(f"{guild_id}.{by}", reader, label=label) for by, label in ways.items()]


class ZoneButton(PersistentButton, verb="reach:zone", label=_("My time zone"), state=SERVER_ID):
    """Asks for the person's time zone."""

    defers = False

    async def press(self, answer: Answer) -> None:
        """Open the form."""
        actor = answer.actor_in(self.number)
        async with answer.bot.db.read() as session:
            now = await reach.habits(session, actor.guild_id, actor.user_id)
        await answer.ask(zone_form(self.number, now, answer.reader))


WRONG = {
    reach.DM_CLOSED: _("I could not send you a direct message. I write in your private thread now."),
    reach.DM_LATE: _("Discord did not let me open a direct message in time. I wrote in your private thread."),
    reach.THREAD_GONE: _("Your private thread was deleted. I made a new one, or will when there is something to say."),
    reach.AWAY: _("While you were not in this server, I did not write to you. What there is for you stands here."),
    reach.UNREACHED: _("I could not write to you. What there is for you stands here. *Messages* shows other ways."),
}


async def finish_telling(answer: Answer, guild_id: int, problem: str | None) -> None:
    """Forget what went wrong, after the person has been shown it; if the database is busy, they read it again."""
    if problem is not None:
        with suppress(DatabaseBusy, OutcomeUnknown):
            async with answer.bot.db.begin() as session:
                await reach.told(session, guild_id, answer.interaction.user.id, problem)


async def show_messages(
    answer: Answer, guild_id: int, said: list[Text], *, fresh: bool = False, tried: bool = False
) -> None:
    """Show how the person is written to, with what there is to say first, and what went wrong.

    `fresh`: in a message of its own, so that the card that was pressed stays. `tried`: a message was just sent, and
    `said` tells what went wrong with it.
    """
    actor = answer.actor_in(guild_id)
    async with answer.bot.db.read() as session:
        guild = await guild_of(session, guild_id)
        habits = await reach.habits(session, guild_id, actor.user_id)
    if habits.problem is not None and (not tried or habits.problem == reach.THREAD_GONE):
        said = [WRONG[habits.problem], *said]
    card = messages_card(habits, guild, answer.reader, said)
    await (answer.reply(card) if fresh else answer.show(card))
    await finish_telling(answer, guild_id, habits.problem)


async def choose(answer: Answer, guild_id: int, by: str, *, fresh: bool = False) -> None:
    """Keep what the person chose, and say truthfully whether the test message arrived."""
    bot, actor = answer.bot, answer.actor_in(guild_id)
    is_here = answer.interaction.guild_id is not None
    async with bot.db.begin() as session:
        test_id = await reach.choose(session, actor, by, is_here=is_here, now=bot.clock.now())
        await reminders.follow(session, actor, now=bot.clock.now())
    if test_id is None:
        await show_messages(answer, guild_id, [_("Saved. You can change it here at any time.")], fresh=fresh)
        return
    outcome = await bot.dispatcher.outcome(test_id, within=WITHIN)
    async with bot.db.read() as session:
        habits = await reach.habits(session, guild_id, actor.user_id)
    await show_messages(answer, guild_id, what_happened(by, outcome, habits), fresh=fresh, tried=True)


def what_happened(by: str, outcome: Outcome | None, habits: Habits) -> list[Text]:
    """Return what became of a test message."""
    thread = channel_mention(habits.thread_id) if habits.thread_id is not None else Verbatim("")
    if by == reach.DM and habits.problem == reach.DM_CLOSED:
        closed = [_("**Your direct messages are closed for me.**"), OPEN_DMS]
        return [*closed, _("Until then I write here: {thread}", thread=thread)] if isinstance(outcome, Sent) else closed
    if by == reach.DM and habits.problem == reach.DM_LATE and isinstance(outcome, Sent):
        return [_("Discord does not let me open a direct message right now. This one is here: {thread}", thread=thread)]
    if isinstance(outcome, Sent):
        here = _("I've just sent you one. Did it arrive? If not, choose another way.")
        return [_("I've just written to you here: {thread}", thread=thread) if by == reach.THREAD else here]
    if isinstance(outcome, Gone | NotNeeded | TooLate):
        return [_("It did not work. You did nothing wrong. What there is for you always stands in /my.")]
    return [_("The test message is not there yet. I keep trying for some minutes.")]


def messages_card(habits: Habits, guild: Guild, reader: Reader, said: list[Text]) -> Card:
    """Return the card that says how a person is written to, who can read it, and when it is quiet."""
    place = channel_mention(habits.thread_id) if habits.thread_id is not None else None
    now = {
        reach.DM: _("I write to you by direct message. Only you and I can read it."),
        reach.THREAD: _("I write to you in a private thread: {thread}", thread=place)
        if place
        else _("I write to you in a private thread."),
        reach.NONE: _("I don't write to you. Seat offers and all else are then only in /my."),
    }[habits.by]
    city = (habits.zone or habits.server_zone).rsplit("/", 1)[-1].replace("_", " ")
    lines = [reader.say(_("## Messages")), *(reader.say(each) for each in said), reader.say(now)]
    if habits.by != reach.NONE:
        lines += [
            reader.say(_("Nothing comes from 10 in the evening to 8 in the morning, {city} time.", city=city)),
            reader.say(_("Only if a meeting in that time is off or moved, I tell you at once.")),
            reader.say(reminding(habits)),
        ]
    lines += [
        reader.say(_("A private thread can be read by you, by me, and by people who can manage threads here.")),
        reader.say(_("Choose a way, and I send you a test message.")),
    ]
    ways = {reach.DM: _("By DM"), reach.THREAD: _("In a private thread"), reach.NONE: _("No messages")}
    card = Card().boxed().text("\n".join(lines))
    card.row(*(ChooseButton(f"{guild.guild_id}.{by}", reader, label=label) for by, label in ways.items()))
    if habits.by != reach.NONE:
        card.row(*switches(habits, guild, reader))
    return card.row(ZoneButton(guild.guild_id, reader), help_now_button(guild.help_countries, reader))


BEFORE = {reminders.DAY: _("one day"), reminders.HOUR: _("one hour"), reminders.TEN: _("10 minutes")}


def reminding(habits: Habits) -> Text:
    """Return how long before meetings a person is reminded, as a sentence."""
    words = [BEFORE[minutes] for minutes in reminders.chosen(habits.reminders)]
    match words:
        case []:
            return _("I don't remind you of meetings.")
        case [one]:
            return _("I remind you of a meeting {a} before.", a=one)
        case [one, two]:
            return _("I remind you of a meeting {a} and {b} before.", a=one, b=two)
        case _:
            return _("I remind you of a meeting one day, one hour and 10 minutes before.")


def switches(habits: Habits, guild: Guild, reader: Reader) -> list[SwitchButton]:
    """Return a button for each reminder, which switches it and says how it is."""
    chosen = reminders.chosen(habits.reminders)
    labels = {
        reminders.DAY: (_("One day: off"), _("One day: on")),
        reminders.HOUR: (_("One hour: off"), _("One hour: on")),
        reminders.TEN: (_("10 minutes: off"), _("10 minutes: on")),
    }
    return [
        SwitchButton(f"{guild.guild_id}.{minutes}.{int(minutes not in chosen)}", reader, label=label[minutes in chosen])
        for minutes, label in labels.items()
    ]


def zone_form(guild_id: int, habits: Habits, reader: Reader) -> ui.Modal:
    """Return the form with the person's time zone."""
    return form(
        "reach:zone",
        guild_id,
        reader.say(_("My time zone")),
        ui.Label(
            text=reader.say(_("Time zone")),
            description=reader.say(_("A big city in it, like New York. Empty: the time of this server.")),
            component=ui.TextInput(custom_id="zone", required=False, max_length=60, default=habits.zone),
        ),
    )


@submits("reach:zone", state=SERVER_ID)
async def save_zone(answer: Answer, state: str, filled: Filled) -> None:
    """Keep the person's time zone."""
    bot, actor = answer.bot, answer.actor_in(int(state))
    is_here = answer.interaction.guild_id is not None
    async with bot.db.begin() as session:
        await reach.set_zone(session, actor, filled.text("zone"), is_here=is_here, now=bot.clock.now())
        await reminders.follow(session, actor, now=bot.clock.now())
    await show_messages(answer, int(state), [_("Saved.")])


async def setup(bot: PeerBot) -> None:
    """Tell the outbox what a test message says."""

    async def render_test(delivery: Delivery) -> Post | None:
        async with bot.db.read(wait=BACKGROUND) as session:
            guild = await settings_of.find(session, delivery.guild_id)
            reader = await reach.reader_of(session, delivery)
        if guild is None:
            return None
        words = _("Hello! This is a test. It worked: messages for you can come here.")
        buttons = [MessagesButton(guild.guild_id, reader), help_now_button(guild.help_countries, reader)]
        return Post(reader.say(words), [*buttons])

    bot.outbox.letter(reach.TEST, render_test, waits_for_morning=False)
