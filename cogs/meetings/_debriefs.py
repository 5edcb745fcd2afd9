"""After a meeting: what a host presses in the letter that asks how it went."""

from __future__ import annotations

from cogs._help import help_words, today_of
from cogs._interactions import Answer
from cogs.meetings import _hosting_buttons as buttons
from cogs.meetings import _hosting_cards as drawn
from peerbot import debriefs
from peerbot.debriefs import SAFETY, TALK
from peerbot.rights import guild_of
from peerbot.text import _


@buttons.DebriefButton.pressed
async def show_words(answer: Answer, state: str) -> None:
    """Show what can be said of the meeting, and what was."""
    guild_id, meeting_id = (int(part) for part in state.split("."))
    async with answer.bot.db.begin() as session:
        said = await debriefs.said(session, answer.actor_in(guild_id), meeting_id, now=answer.bot.clock.now())
        guild = await guild_of(session, guild_id)
    await answer.show(drawn.debrief_card(said, guild, answer.reader))


@buttons.WordButton.pressed
async def say(answer: Answer, state: str) -> None:
    """Keep a word, and answer to it; who wants to talk is asked first whether others may know."""
    guild_id, meeting_id, word = state.split(".")
    actor, now = answer.actor_in(int(guild_id)), answer.bot.clock.now()
    async with answer.bot.db.begin() as session:
        if word == TALK:
            said = await debriefs.said(session, actor, int(meeting_id), now=now)
        else:
            said = await debriefs.say(session, actor, int(meeting_id), word, now=now)
        guild = await guild_of(session, int(guild_id))
    if word == TALK and TALK not in said.words:
        await answer.show(drawn.talk_card(said, guild, answer.reader))
        return
    more = [help_words(guild.help_countries, answer.reader, today_of(answer))] if word == SAFETY else []
    await answer.show(
        drawn.debrief_card(said, guild, answer.reader, drawn.answers_to(word, said, answer.reader), *more)
    )


@buttons.TalkButton.pressed
async def let_know(answer: Answer, state: str) -> None:
    """Let others know that the person would like to talk."""
    guild_id, meeting_id = (int(part) for part in state.split("."))
    async with answer.bot.db.begin() as session:
        actor = answer.actor_in(guild_id)
        said = await debriefs.say(session, actor, meeting_id, TALK, now=answer.bot.clock.now())
        guild = await guild_of(session, guild_id)
    await answer.show(drawn.debrief_card(said, guild, answer.reader, drawn.answers_to(TALK, said, answer.reader)))


@buttons.WordBackButton.pressed
async def take_back(answer: Answer, state: str) -> None:
    """Forget a word."""
    guild_id, meeting_id, word = state.split(".")
    async with answer.bot.db.begin() as session:
        actor = answer.actor_in(int(guild_id))
        said = await debriefs.take_back(session, actor, int(meeting_id), word, now=answer.bot.clock.now())
        guild = await guild_of(session, int(guild_id))
    await answer.show(drawn.debrief_card(said, guild, answer.reader, [_("Taken back. Nothing is kept of it.")]))
