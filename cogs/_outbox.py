"""The courier: carry deliveries to Discord, and say what became of them.

A message is sent with the nonce of its row and carries the row's marker, a component id, by which it is found again
when nobody knows whether it was sent. What Discord answers is sorted: it happened, it cannot, later, or nobody knows.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import aiohttp
import discord
from discord import ui

from cogs._interactions import Answer, PersistentButton
from cogs._letters import LOCKED, Letters
from peerbot import access, staff
from peerbot import setup as settings_of
from peerbot.bot import PeerBot
from peerbot.dispatcher import Gone, Mistake, NotNeeded, Outcome, Retry, Sent, TooLate, Uncertain
from peerbot.models import Delivery
from peerbot.text import Reader, Text, Verbatim, _, channel_mention

log = logging.getLogger(__name__)

MARKER = 1_000_000_000
"""Where our markers begin; the ids that Discord gives to components begin at 1 (components/reference.mdx)."""
MARKERS = 1_000_000_000
BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
CLOCKS_APART = timedelta(hours=2)
"""How far this machine's clock may have been ahead of Discord's when something was sent."""
HISTORY = 500
"""Messages that are looked through for a marker."""
MESSAGE_DELETED = 10008
EDITED_TOO_OFTEN = 30046
"""Edits of a message that is older than an hour (opcodes-and-status-codes.mdx)."""
SERVER_ERROR = 500
TRY_ONCE_MORE = _("Please try once more.")
ROOM_GONE = _("The room is gone. /group people shows *Make a new room*.")
CHANNELS_GONE = {
    "groups.access": ROOM_GONE,
    "groups.welcome": ROOM_GONE,
    "meetings.start": ROOM_GONE,
    "groups.closed": _("The room is gone, so there is nothing left to do."),
}
"""What to do where the channel that is gone was not one of the setup."""
LETTERS = {
    "meetings.reminder": _("reminders of meetings"),
    "meetings.news": _("news of meetings"),
    "meetings.news_now": _("news of meetings"),
    "meetings.group_closed": _("news that a group closed"),
    "meetings.not_found": _("calls for a facilitator"),
    "meetings.hosts_anew": _("questions about who hosts"),
    "meetings.debrief": _("questions after a meeting"),
    "seats.offer": _("offers of a seat"),
    "seats.closed": _("news that a group closed"),
    "groups.still_resting": _("questions to people who rest"),
    "reach.test": _("test messages"),
}
"""What letters are called to facilitators; what is kept between the bot and one person has no name."""


@dataclass(frozen=True)
class Post:
    """A message: plain words with buttons, which notify well, or a card, which is looked at."""

    words: str = ""
    buttons: list[ui.Item[Any]] = field(default_factory=list[Any])
    card: ui.LayoutView | None = None
    mentions: discord.AllowedMentions = field(default_factory=discord.AllowedMentions.none)


class DiscordCourier:
    """Carry deliveries to Discord."""

    def __init__(self, bot: PeerBot) -> None:
        self.bot = bot
        self.letters = Letters(bot, self._post, self.find)

    async def send(self, delivery: Delivery) -> Outcome:
        """Send a message or a letter, or apply an effect."""
        outcome = await self._sorted(delivery)
        if isinstance(outcome, Gone) and delivery.kind in self.bot.outbox.letters:
            await self.letters.give_up(delivery)
        return outcome

    async def _sorted(self, delivery: Delivery) -> Outcome:
        try:
            apply = self.bot.outbox.effects.get(delivery.kind)
            if apply is not None:
                return await apply(delivery)
            if delivery.kind in self.bot.outbox.letters:
                return await self.letters.send(delivery)
            return await self._post(delivery)
        except discord.NotFound as problem:
            # Our own message with this nonce, deleted meanwhile (resources/message.mdx): it was sent.
            return Sent() if problem.code == MESSAGE_DELETED else Gone(f"not found {problem.code}")
        except discord.Forbidden as problem:
            return Gone(f"forbidden {problem.code}")
        except discord.RateLimited as problem:
            return Retry("rate limit", timedelta(seconds=problem.retry_after))
        except discord.HTTPException as problem:
            return _sort(problem)
        except aiohttp.ClientConnectorError:
            return Retry("no connection")
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            return Uncertain(type(problem).__name__)

    async def find(self, delivery: Delivery) -> int | None:
        """Return the id of the message that carries the delivery's marker, if the channel shows one.

        Raises OSError when Discord cannot be asked.
        """
        if delivery.channel_id is None or delivery.first_send_at is None:
            return None
        channel = self.bot.get_partial_messageable(delivery.channel_id, guild_id=delivery.guild_id)
        try:
            async for message in channel.history(limit=HISTORY):  # the newest first
                if message.created_at < delivery.first_send_at - CLOCKS_APART:
                    return None
                if any(component.id == marker(delivery) for component in _walk(message.components)):
                    return message.id
        except (discord.Forbidden, discord.NotFound):
            return None
        except (discord.HTTPException, discord.RateLimited, aiohttp.ClientError) as problem:
            raise OSError("history not read") from problem
        return None

    async def _post(self, delivery: Delivery) -> Outcome:
        if delivery.channel_id is None:
            return NotNeeded()
        post: Post | None = await self.bot.outbox.messages[delivery.kind](delivery)
        if post is None:
            return NotNeeded()
        channel = self.bot.get_partial_messageable(delivery.channel_id, guild_id=delivery.guild_id)
        view = marked(post, delivery)
        view.stop()  # our buttons are found by their ids; the library need not remember the message
        words: dict[str, Any] = {"content": post.words} if post.words else {}
        message = await channel.send(
            view=view, nonce=nonce(delivery), allowed_mentions=post.mentions, suppress_embeds=False, **words
        )
        return Sent(message.id)


def marked(post: Post, delivery: Delivery) -> ui.View | ui.LayoutView:
    """Return the components of a message, the first button carrying the marker."""
    if post.card is not None:
        view: ui.View | ui.LayoutView = post.card
    else:
        view = ui.View(timeout=None)
        for button in post.buttons:
            view.add_item(button)
    for item in view.walk_children():
        if isinstance(item, ui.Button):
            item.id = marker(delivery)
            return view
    raise ValueError(f"a message of kind {delivery.kind} has no button to carry its marker")


def marker(delivery: Delivery) -> int:
    """Return the component id that marks a delivery's message."""
    return MARKER + delivery.delivery_id % MARKERS


def nonce(delivery: Delivery) -> str:
    """Return the delivery's nonce, the same at each try; Discord takes 25 characters."""
    number, digits = delivery.delivery_id, ""
    while number:
        number, digit = divmod(number, 36)
        digits = BASE36[digit] + digits
    return f"pb{digits}"


def _sort(problem: discord.HTTPException) -> Outcome:
    if problem.status >= SERVER_ERROR:
        return Uncertain(f"status {problem.status}")
    if problem.code == EDITED_TOO_OFTEN:
        return Retry("edited too often", timedelta(minutes=1))
    if problem.status in {401, 408, 429}:
        return Retry(f"status {problem.status}")
    log.error("Discord refused a request as wrong: code %s.", problem.code)
    return Gone(f"refused {problem.code}")


def _walk(components: Any) -> list[Any]:
    found: list[Any] = []
    for component in components:
        found.append(component)
        found += _walk(getattr(component, "children", []))
        accessory = getattr(component, "accessory", None)
        found += [accessory] if accessory is not None else []
    return found


class TryAgainButton(PersistentButton, verb="outbox:again", label=_("Try again")):
    """Run what could not be done once more."""

    async def press(self, answer: Answer) -> None:
        """Say what came of it, and if it failed again, why."""
        bot, actor = answer.bot, answer.actor
        async with bot.db.begin() as session:
            planned = await staff.try_again(
                session, actor, self.number, letters=bot.outbox.letters, now=bot.clock.now()
            )
        outcomes = await bot.dispatcher.outcomes(planned)
        if all(isinstance(outcome, TooLate) for outcome in outcomes):  # or there is none
            await answer.reply(_("There is nothing left to do here."))
        elif all(isinstance(outcome, Sent | NotNeeded) for outcome in outcomes):
            await answer.reply(_("Done. All of it is as it should be now."))
        elif not any(isinstance(outcome, Gone) for outcome in outcomes):
            await answer.reply(_("I'm still trying."))
        else:
            async with bot.db.read() as session:
                trouble = await staff.trouble(session, actor.guild_id, self.number, letters=bot.outbox.letters)
            why = what_to_do(trouble) if trouble else TRY_ONCE_MORE
            await answer.reply(_("It still does not work. {why}", why=why))


def told_staff(answer: Answer, staff_channel_id: int) -> Text:
    """Return whether facilitators can read in the staff channel what is missing, or that there is none any more."""
    server = answer.interaction.guild
    if server is not None and server.get_channel(staff_channel_id) is None:
        return _("I can't say why: the staff channel is gone. /setup can name another one, and I write there.")
    return _("I've written in the staff channel what is missing.")


def what_failed(trouble: staff.Trouble) -> Text:
    """Return a sentence about what could not be done; who could not be written to is nobody's to know."""
    if trouble.is_letter and trouble.problem == Mistake.problem:
        what = LETTERS.get(trouble.kind, _("messages to members"))
        return _("I could not send some messages: {what}. Each stands in its member's /my.", what=what)
    if trouble.is_letter:  # what it was about may say whose way is closed
        return _("I could not write to a member. It stands in their /my.")
    texts = {
        "groups.access": _("I could not change who can see the room of **{group}**.", group=trouble.group_name),
        "groups.room": _("I could not make a room for **{group}**.", group=trouble.group_name),
        "groups.welcome": _("I could not greet someone new in the room of **{group}**.", group=trouble.group_name),
        "groups.closed": _("I could not tell the room of **{group}** that it closed.", group=trouble.group_name),
        "desk.thread": _(
            "I could not open a private thread for someone who asks about **{group}**.", group=trouble.group_name
        ),
        "desk.board": _("I could not make the thread that shows your tasks. /desk shows them."),
        "desk.post": _("I could not post a task of **{group}**. /desk shows it.", group=trouble.group_name),
        "desk.draw": _("I could not update a task of **{group}**. /desk shows it.", group=trouble.group_name),
        "desk.hello": _("I could not write in a private thread of **{group}**.", group=trouble.group_name),
        "desk.answer": _("I could not write in a private thread of **{group}**.", group=trouble.group_name),
        "desk.shut_out": _(
            "I could not take someone out of a private thread of **{group}**.", group=trouble.group_name
        ),
        "desk.let_go": _("I could not close an old private thread of **{group}**.", group=trouble.group_name),
        "meetings.event": _(
            "I could not show the next meeting of **{group}** among Discord's events.", group=trouble.group_name
        ),
        "meetings.start": _(
            "I could not write in the room of **{group}** that a meeting began.", group=trouble.group_name
        ),
        "meetings.act": _(
            "Something that belongs to a meeting of **{group}** did not happen. Please look there yourself.",
            group=trouble.group_name,
        ),
        "meetings.turn": _(
            "I could not look after a meeting of **{group}**. Please look there yourself.", group=trouble.group_name
        ),
        "meetings.start_draw": _(
            "I could not take the link out of an old message in the room of **{group}**.", group=trouble.group_name
        ),
        "meetings.cover": _("I could not ask others to host a meeting of **{group}**.", group=trouble.group_name),
        "meetings.call": _("I could not call others to a meeting of **{group}**.", group=trouble.group_name),
        "meetings.late": _("I could not write in the room of **{group}**.", group=trouble.group_name),
        "meetings.nobody": _("I could not write in the room of **{group}**.", group=trouble.group_name),
        "card.post": _("I could not post the card that shows your groups."),
        "card.draw": _("I could not update the card that shows your groups."),
    }
    return texts.get(trouble.kind, _("Something that I promised did not happen."))


def what_to_do(trouble: staff.Trouble) -> Text:
    """Return a sentence about how to mend it."""
    if trouble.is_letter and trouble.problem in {"forbidden 50013", "forbidden 50001"}:
        return _(
            "Please look with /setup, *Check again*, whether I may make and use private threads, "
            "and whether members can see the channel above them."
        )
    if trouble.problem == LOCKED:
        return _("Their private thread is locked. Whoever manages threads can unlock it, or delete it.")
    where = channel_mention(trouble.channel_id) if trouble.channel_id else _("that channel")
    if trouble.problem in {"forbidden 50013", "forbidden 50001", access.ROLE_ABOVE}:
        if trouble.kind == "groups.room":
            return _("My role needs more permissions. /setup, then *Check again*, says which ones and where.")
        if trouble.kind == "meetings.event":
            return _("My role needs *Create Events*, and *Connect* in a voice channel (Server Settings, Roles).")
        if trouble.problem == access.ROLE_ABOVE:
            return _("Please move my role above the group's role (Server Settings, Roles).")
        if trouble.kind == "groups.access":
            return _(
                "Please let me *View Channel* and *Manage Permissions* in {where} (channel settings). "
                "My role also needs *Manage Roles* (Server Settings, Roles).",
                where=where,
            )
        if trouble.kind.startswith("desk."):
            return _for_tasks(trouble, where)
        return _("Please let me *View Channel* and *Send Messages* in {where} (channel settings).", where=where)
    if trouble.problem == staff.CHANNEL_GONE:
        return CHANNELS_GONE.get(trouble.kind, _("The channel is gone. /setup can name another one."))
    return _("This looks like a mistake of mine. Please tell whoever runs me. The log says more.")


def _for_tasks(trouble: staff.Trouble, where: Text | Verbatim) -> Text:
    """Return how to mend what keeps tasks from having their threads."""
    if trouble.kind == "desk.thread" and trouble.problem == "forbidden 50001":
        return _(
            "Members need to see {where}, and so do I (channel settings, *View Channel*). "
            "Or /setup, *Change*, names another channel for private threads.",
            where=where,
        )
    return _(
        "In {where} (channel settings), I need *View Channel* and *Send Messages in Threads* there. "
        "I also create threads there, private and public.",
        where=where,
    )


async def setup(bot: PeerBot) -> None:
    """Give the dispatcher its courier, and tell facilitators of what fails."""
    bot.courier = DiscordCourier(bot)
    letters = bot.outbox.letters
    bot.outbox.failed = partial(staff.tell_failure, letters=letters)

    async def render_failure(delivery: Delivery) -> Post | None:
        async with bot.db.read() as session:
            trouble = await staff.trouble(session, delivery.guild_id, delivery.subject_id or 0, letters=letters)
            guild = await settings_of.find(session, delivery.guild_id)
        if trouble is None or guild is None:
            return None
        reader = Reader(guild.locale, guild.time_zone)
        words = f"{reader.say(what_failed(trouble))} {reader.say(what_to_do(trouble))}"
        return Post(words, [TryAgainButton(trouble.delivery_id, reader)])

    bot.outbox.message("staff.failed", render_failure)
    bot.outbox.step("staff.moved", partial(staff.tell_again, letters=letters))
