"""What facilitators press about a meeting: I need cover, I can host, I'm here, the run sheet."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from cogs._interactions import Answer
from cogs.meetings import _hosting_buttons as buttons
from cogs.meetings import _hosting_cards as drawn
from cogs.meetings._plan_buttons import AskCancelButton
from peerbot import arrivals, handovers, hosting, sheets
from peerbot.dispatcher import NotNeeded, Sent
from peerbot.errors import CalledOff
from peerbot.hosting import Hosts
from peerbot.rights import guild_of
from peerbot.text import Text, _, channel_mention, mention, timestamp

SEEDS = 999_983


@buttons.NeedCoverButton.pressed
async def need_cover(answer: Answer, state: str) -> None:
    """Write down that the person does not host, and say who is asked."""
    actor, now = answer.actor, answer.bot.clock.now()
    async with answer.bot.db.begin() as session:
        hosts = await hosting.need_cover(session, actor, int(state), now=now)
        await arrivals.left(session, actor.guild_id, int(state), now=now)
        asking = await hosting.asking(session, actor.guild_id, int(state), now=now)
    words = [
        _("That is fine. No reason needed. You are off for {when}.", when=drawn.when(hosts.meeting, answer.reader)),
        *drawn.how_asked(asking, hosts.user_ids),
    ]
    ways: list[Any] = [buttons.AfterAllButton(hosts.meeting.meeting_id, answer.reader)]
    if not asking.others and not hosts.user_ids:
        ways += [AskCancelButton(hosts.meeting.meeting_id, answer.reader)]
    await answer.reply(drawn.said_card(words, answer.reader, *ways))


@buttons.AfterAllButton.pressed
async def come_after_all(answer: Answer, state: str) -> None:
    """Write down that the person hosts after all."""
    actor, now = answer.actor, answer.bot.clock.now()
    async with answer.bot.db.begin() as session:
        hosts = await hosting.come_after_all(session, actor, int(state), now=now)
        until = await arrivals.on_the_way(session, actor.guild_id, int(state), now=now)
    words = [_hosts_now(hosts, actor.user_id), *_waited_for(until)]
    ways = [buttons.HereButton(state, answer.reader)] if until is not None else []
    await answer.show(drawn.said_card(words, answer.reader, *ways))


def _waited_for(until: datetime | None) -> list[Text]:
    if until is None:
        return []
    return [_("They wait for you until {at}. When you are there, press *I'm here*.", at=timestamp(until, "t"))]


def _hosts_now(hosts: Hosts, user_id: int) -> Text:
    if user_id not in hosts.user_ids:
        return _("Nothing was changed.")
    others = [each for each in hosts.user_ids if each != user_id]
    if others:
        return _("Thank you. You host this meeting, with {people}.", people=drawn.names(others))
    return _("Thank you. You host this meeting.")


@buttons.CanHostButton.pressed
async def can_host(answer: Answer, state: str) -> None:
    """Let the person host, and lead them to the room."""
    bot, reader = answer.bot, answer.reader
    number, why = state.split(".")
    async with bot.db.begin() as session:
        hosts, access_id = await hosting.accept(session, answer.actor, int(number), why, now=bot.clock.now())
        until = await arrivals.on_the_way(session, answer.actor.guild_id, int(number), now=bot.clock.now())
        elsewhere = await handovers.elsewhere(session, answer.actor, int(number))
    words = [_hosts_now(hosts, answer.actor.user_id), *_waited_for(until)]
    words += [_("Look: you also host **{name}** at that time.", name=name) for name in elsewhere]
    place_id = hosts.meeting.place_id
    outcome = await bot.dispatcher.outcome(access_id) if access_id else NotNeeded()
    if not isinstance(outcome, Sent | NotNeeded):
        words += [_("I could not let you into its room yet. If I can't, I write in the staff channel why.")]
    elif place_id is not None:
        words += [_("It is in {channel}.", channel=channel_mention(place_id))]
    meeting_id = hosts.meeting.meeting_id
    row = (
        buttons.SheetButton(meeting_id, reader),
        buttons.HereButton(meeting_id, reader),
        buttons.NeedCoverButton(meeting_id, reader),
    )
    await answer.reply(drawn.said_card(words, reader, *row))


@buttons.HereButton.pressed
async def here(answer: Answer, state: str) -> None:
    """Note that a facilitator is there."""
    try:
        async with answer.bot.db.begin() as session:
            await arrivals.here(session, answer.actor, int(state), now=answer.bot.clock.now())
    except CalledOff:
        answer.ways = [buttons.BackButton(state, answer.reader)]
        raise
    words = [_("Good that you are here, {who}. Have a good meeting.", who=mention(answer.actor.user_id))]
    await answer.reply(drawn.said_card(words, answer.reader, buttons.SheetButton(state, answer.reader)))


@buttons.BackButton.pressed
async def here_after_all(answer: Answer, state: str) -> None:
    """Put a meeting on again to which its hosts have come late."""
    async with answer.bot.db.begin() as session:
        await arrivals.here_after_all(session, answer.actor, int(state), now=answer.bot.clock.now())
    words = [
        _("Good that you are here, {who}. The meeting is on again.", who=mention(answer.actor.user_id)),
        _("I write so in its room, and to everyone who has read that it is off."),
    ]
    await answer.reply(drawn.said_card(words, answer.reader, buttons.SheetButton(state, answer.reader)))


@buttons.SheetButton.pressed
async def show_sheet(answer: Answer, state: str) -> None:
    """Show the run sheet, with the round in an order of chance."""
    number, seed, turn = [int(part) for part in state.split(".")] if "." in state else [int(state), -1, 0]
    if seed < 0:
        seed = secrets.randbelow(SEEDS)
    async with answer.bot.db.read() as session:
        sheet = await sheets.sheet(session, answer.actor, number, now=answer.bot.clock.now())
        guild = await guild_of(session, answer.actor.guild_id)
    await answer.show(drawn.sheet_card(sheet, guild, answer.reader, seed=seed, turn=turn))
