"""Stepping back from a group: asked for on /my, without a reason; whoever is the last is told before."""

from __future__ import annotations

from cogs._help import help_now_button
from cogs._interactions import Answer, Card
from cogs._outbox import Post
from cogs.groups import _buttons as buttons
from peerbot import facilitators
from peerbot import setup as settings_of
from peerbot.bot import PeerBot
from peerbot.database import BACKGROUND
from peerbot.dispatcher import NotNeeded, Sent
from peerbot.facilitators import Leaving
from peerbot.models import Delivery, Guild
from peerbot.rights import guild_of
from peerbot.text import Reader, _


def sure_card(leaving: Leaving, guild: Guild, reader: Reader) -> Card:
    """Return the question before stepping back."""
    lines = [
        reader.say(_("## Step back from {name}?", name=leaving.name)),
        reader.say(_("That is fine. No reason needed. Thank you for all you gave.")),
    ]
    if leaving.is_last:
        lines += [reader.say(_("You are the only one who looks after it. I tell the people who run this server."))]
    lines += [reader.say(_("You no longer see its room. Someone can add you again later."))]
    row = (
        buttons.StepBackSureButton(leaving.group_id, reader),
        buttons.MineButton("0", reader, label=_("Stay")),
        help_now_button(guild.help_countries, reader),
    )
    return Card().boxed().text("\n".join(lines)).row(*row)


@buttons.StepBackButton.pressed
async def ask(answer: Answer, state: str) -> None:
    """Ask whether to stop looking after the group."""
    async with answer.bot.db.read() as session:
        leaving = await facilitators.may_step_back(session, answer.actor, int(state))
        guild = await guild_of(session, answer.actor.guild_id)
    await answer.show(sure_card(leaving, guild, answer.reader))


@buttons.StepBackSureButton.pressed
async def step_back(answer: Answer, state: str) -> None:
    """Let the person go."""
    bot, reader = answer.bot, answer.reader
    async with bot.db.begin() as session:
        left = await facilitators.step_back(session, answer.actor, int(state), now=bot.clock.now())
        guild = await guild_of(session, answer.actor.guild_id)
    outcome = await bot.dispatcher.outcome(left.access_id)
    lines = [reader.say(_("You no longer look after **{name}**. Thank you. Rest well.", name=left.name))]
    if not isinstance(outcome, Sent | NotNeeded):
        lines += [reader.say(_("You may still see the room. I keep trying to close it."))]
    row = (buttons.MineButton("0", reader), help_now_button(guild.help_countries, reader))
    await answer.show(Card().boxed().text("\n".join(lines)).row(*row))


def register(bot: PeerBot) -> None:
    """Tell the outbox what is said when a group has no facilitator any more."""

    async def render(delivery: Delivery) -> Post | None:
        async with bot.db.read(wait=BACKGROUND) as session:
            group = await facilitators.lacks(session, delivery.guild_id, delivery.group_id)
            guild = await settings_of.find(session, delivery.guild_id)
        if group is None or guild is None:
            return None
        reader = Reader(guild.locale, guild.time_zone)
        words = _(
            "Nobody looks after **{name}** now. Its people keep their seats. "
            "Someone who runs this server can add a facilitator: press *People*.",
            name=group.name,
        )
        return Post(reader.say(words), [buttons.PeopleButton(group.group_id, reader)])

    bot.outbox.message("staff.nobody_left", render)
