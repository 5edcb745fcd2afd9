"""What people do to get a seat: join, wait in line, take an offer, let it go, leave the line.

The buttons name the server, because an offer may be read and answered in a direct message. Who answers there is looked
for in the server first: a seat is for somebody who is here.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from discord import ui

from cogs._interactions import Answer
from cogs.groups import _buttons as buttons
from cogs.groups import _cards as cards
from cogs.groups import _line_cards as line_cards
from cogs.groups._agreement import show_agreement
from cogs.groups._claims import claimed, in_server, present
from cogs.groups._hello import show_hello
from peerbot import access, departures, directory, joining, seats
from peerbot.bot import PeerBot
from peerbot.dispatcher import Gone, Sent
from peerbot.errors import GroupFull, HelloFirst, InLine, PeerbotError
from peerbot.joining import Asked, CameBack, Joined, Waits
from peerbot.rights import Actor, guild_of
from peerbot.text import Text, _

MOST_OTHERS = 3
TOO_LATE = _("This seat is not free any more. That is fine. You keep your place in line.")
COMES_BACK = 2
"""How often somebody who presses is taken to be back: what Discord told of an earlier leave may be seen to in between,
and whoever is noted as away even after that has left."""
Agree = Callable[[str], ui.Item[Any]]


async def enter(
    answer: Answer,
    actor: Actor,
    group_id: int,
    *,
    agree: Agree,
    agreed: str | None = None,
    waits: bool = False,
    too_late: Text | None = None,
) -> None:
    """Give the person a seat and open the room, or a place in line; or show what stands between.

    `agree` makes the button under the agreement from its version. `too_late` is said to somebody whose place in line
    has no seat any more.
    """
    try:
        entered = await _entered(answer.bot, actor, group_id, agreed=agreed, waits=waits)
    except GroupFull:
        await _show_full(answer, actor, group_id)
    except HelloFirst:
        await show_hello(answer, group_id, agreed)
    except InLine:
        await show_place(answer, actor, group_id, too_late)
    else:
        match entered:
            case Asked():
                await show_agreement(answer, group_id, entered, agree(entered.words.version), waits=waits)
            case Waits():
                await show_place(answer, actor, group_id)
            case Joined():
                await _welcome(answer, entered)


async def _entered(bot: PeerBot, actor: Actor, group_id: int, **asked: Any) -> Joined | Waits | Asked:
    for _time in range(COMES_BACK):
        with suppress(CameBack):
            async with bot.db.begin() as session:
                return await joining.enter(session, actor, group_id, now=bot.clock.now(), **asked)
        async with bot.db.begin() as session:
            await departures.come_back(session, actor.guild_id, actor.user_id, now=bot.clock.now())
    try:
        async with bot.db.begin() as session:
            return await joining.enter(session, actor, group_id, now=bot.clock.now(), **asked)
    except CameBack:
        raise PeerbotError(_("You are not in that server right now. Come back to it, and press again.")) from None


async def _welcome(answer: Answer, joined: Joined) -> None:
    outcome = await answer.bot.dispatcher.outcome(joined.seat.access_id)
    is_open = isinstance(outcome, Sent) or outcome == Gone(access.ROLE_ABOVE)
    await answer.show(cards.welcome_card(joined, answer.reader, is_open=is_open))


async def _show_full(answer: Answer, actor: Actor, group_id: int) -> None:
    async with answer.bot.db.read() as session:
        guild = await guild_of(session, actor.guild_id)
        view = await directory.view(session, actor.guild_id, group_id)
        others = await directory.others(session, actor.guild_id, actor.user_id, size=MOST_OTHERS)
    ways = line_cards.ways(guild, answer.reader, in_server=in_server(answer))
    await answer.show(cards.full_card(view, others if in_server(answer) else None, guild, answer.reader, ways))


async def show_place(answer: Answer, actor: Actor, group_id: int, note: Text | None = None) -> None:
    """Answer with the person's place in line, which nobody else sees."""
    async with answer.bot.db.read() as session:
        guild = await guild_of(session, actor.guild_id)
        place = await seats.place(session, actor, group_id)
        others = await directory.others(session, actor.guild_id, actor.user_id, size=MOST_OTHERS)
    shown = others if in_server(answer) else None
    await answer.show(line_cards.place_card(place, shown, guild, answer.reader, note))


@buttons.WaitButton.pressed
async def wait(answer: Answer, state: str) -> None:
    """Wait in line, or show the agreement first."""
    await _wait(answer, state)


@buttons.AgreeToWaitButton.pressed
async def agree_to_wait(answer: Answer, state: str) -> None:
    """Agree to the version that was shown, and wait in line."""
    key, agreed = state.split("/")
    await _wait(answer, key, agreed=agreed)


async def _wait(answer: Answer, key: str, *, agreed: str | None = None) -> None:
    actor, group_id = await present(answer, key)

    def agree(version: str) -> ui.Item[Any]:
        return buttons.AgreeToWaitButton(f"{key}/{version}", answer.reader)

    await enter(answer, actor, group_id, agree=agree, agreed=agreed, waits=True)


@buttons.TakeButton.pressed
async def take(answer: Answer, state: str) -> None:
    """Take the seat, or show the agreement first where its words are new."""
    await _take(answer, state)


@buttons.AgreeToTakeButton.pressed
async def agree_to_take(answer: Answer, state: str) -> None:
    """Agree to the version that was shown, and take the seat."""
    key, agreed = state.split("/")
    await _take(answer, key, agreed=agreed)


async def _take(answer: Answer, key: str, *, agreed: str | None = None) -> None:
    actor, group_id = await present(answer, key)

    def agree(version: str) -> ui.Item[Any]:
        return buttons.AgreeToTakeButton(f"{key}/{version}", answer.reader)

    await enter(answer, actor, group_id, agree=agree, agreed=agreed, too_late=TOO_LATE)


@buttons.PassButton.pressed
async def pass_on(answer: Answer, state: str) -> None:
    """Let the seat go to the next person."""
    actor, group_id = claimed(answer, state)
    async with answer.bot.db.begin() as session:
        await seats.pass_on(session, actor, group_id, now=answer.bot.clock.now())
    await show_place(answer, actor, group_id, _("That is fine. You keep your place."))


@buttons.PlaceButton.pressed
async def press_place(answer: Answer, state: str) -> None:
    """Show the person's place."""
    actor, group_id = claimed(answer, state)
    await show_place(answer, actor, group_id)


@buttons.LeaveLineButton.pressed
async def ask_leave_line(answer: Answer, state: str) -> None:
    """Ask whether to leave the line."""
    actor, group_id = claimed(answer, state)
    async with answer.bot.db.read() as session:
        guild = await guild_of(session, actor.guild_id)
        place = await seats.place(session, actor, group_id)
    await answer.show(line_cards.leave_line_card(place, guild, answer.reader))


@buttons.LeaveLineSureButton.pressed
async def leave_line(answer: Answer, state: str) -> None:
    """Give the place up."""
    actor, group_id = claimed(answer, state)
    async with answer.bot.db.begin() as session:
        guild = await guild_of(session, actor.guild_id)
        left = await seats.leave_line(session, actor, group_id, now=answer.bot.clock.now())
    await answer.show(line_cards.left_line_card(left.name, guild, answer.reader, in_server=in_server(answer)))
