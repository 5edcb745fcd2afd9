"""What people do who talk to facilitators first: ask something, or say hello where a group asks for it."""

from __future__ import annotations

from cogs._interactions import Answer
from cogs.groups import _buttons as buttons
from cogs.groups import _hello_cards as cards
from cogs.groups._agreement import show_agreement
from peerbot import departures, directory, hello, tasks
from peerbot.dispatcher import Gone
from peerbot.errors import AgreementNeeded
from peerbot.joining import Asked
from peerbot.rights import guild_of
from peerbot.setup import agreement_of
from peerbot.tasks import Begun


async def show_hello(answer: Answer, group_id: int, agreed: str | None) -> None:
    """Show what a hello is; or, when they have said it, open its thread again and lead there."""
    actor = answer.actor
    async with answer.bot.db.read() as session:
        guild = await guild_of(session, actor.guild_id)
        view = await directory.view(session, actor.guild_id, group_id)
        mine = await directory.seats(session, actor.guild_id, actor.user_id)
    if any(seat.group_id == group_id and seat.state == "hello" for seat in mine):
        await say_hello(answer, group_id)
        return
    version = agreed or agreement_of(guild).version
    await answer.show(cards.hello_card(view, version, guild, answer.reader))


@buttons.HelloButton.pressed
async def press_hello(answer: Answer, state: str) -> None:
    """Say hello, having agreed to the version that was shown."""
    group_id, version = state.split(".", 1)
    await say_hello(answer, int(group_id), agreed=version)


async def say_hello(answer: Answer, group_id: int, *, agreed: str | None = None) -> None:
    """Open the private thread in which a facilitator says welcome."""
    await _note_here(answer)
    try:
        async with answer.bot.db.begin() as session:
            begun = await hello.say(session, answer.actor, group_id, agreed=agreed, now=answer.bot.clock.now())
    except AgreementNeeded as needed:
        agree = buttons.AgreeButton(f"{group_id}.{needed.version}", answer.reader)
        async with answer.bot.db.read() as session:
            guild = await guild_of(session, answer.actor.guild_id)
        await show_agreement(answer, group_id, Asked(guild, needed.name, agreement_of(guild)), agree)
        return
    await _show_thread(answer, begun, is_hello=True)


@buttons.AskButton.pressed
async def ask(answer: Answer, state: str) -> None:
    """Say who reads along, before anything is opened."""
    guild_id = answer.actor.guild_id
    async with answer.bot.db.read() as session:
        guild = await guild_of(session, guild_id)
        view = await directory.view(session, guild_id, int(state))
    await answer.show(cards.ask_card(view, guild, answer.reader))


@buttons.AskSureButton.pressed
async def ask_sure(answer: Answer, state: str) -> None:
    """Open the private thread."""
    await _note_here(answer)
    async with answer.bot.db.begin() as session:
        begun = await hello.ask(session, answer.actor, int(state), now=answer.bot.clock.now())
    await _show_thread(answer, begun, is_hello=False)


async def _note_here(answer: Answer) -> None:
    """Note that somebody is in the server whom nobody saw come back: for who is away, no facilitator is called."""
    async with answer.bot.db.begin() as session:
        await departures.come_back(session, answer.actor.guild_id, answer.actor.user_id, now=answer.bot.clock.now())


async def _show_thread(answer: Answer, begun: Begun, *, is_hello: bool) -> None:
    outcome = await answer.bot.dispatcher.outcome(begun.planned)
    async with answer.bot.db.read() as session:
        guild = await guild_of(session, answer.actor.guild_id)
        thread_id = await tasks.thread_of(session, begun.task_id)
    failed = isinstance(outcome, Gone)
    await answer.show(cards.thread_card(thread_id, guild, answer.reader, failed=failed, is_hello=is_hello))
