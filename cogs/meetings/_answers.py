"""What members do about a meeting: answer, take it back, take its date along; and who may see who answered."""

from __future__ import annotations

from cogs._interactions import Answer
from cogs.meetings import _buttons as buttons
from cogs.meetings import _cards as cards
from cogs.meetings import _hosting_cards as hosts
from peerbot import arrivals, calendars, meetings, notices
from peerbot.rights import guild_of
from peerbot.text import Text, _

TITLE = _("Group meeting")
"""What a calendar shows, also to whoever shares it or looks at a locked screen; a group's name would say too much."""


@buttons.GoingButton.pressed
async def going(answer: Answer, state: str) -> None:
    """Answer that the person comes."""
    await _answered(answer, state, meetings.GOING, _("You're down as going. {change}", change=cards.CHANGE))


@buttons.CantButton.pressed
async def cant(answer: Answer, state: str) -> None:
    """Answer that the person does not come."""
    await _answered(answer, state, meetings.CANT, _("Thank you for saying so. {change}", change=cards.CHANGE))


@buttons.TakeBackButton.pressed
async def take_back(answer: Answer, state: str) -> None:
    """Take the person's answer back."""
    await _answered(answer, state, None, _("Taken back. You can still come, and answer later."))


async def _answered(answer: Answer, state: str, what: str | None, said: Text) -> None:
    guild_id, meeting_id = map(int, state.split("."))
    async with answer.bot.db.begin() as session:
        actor, now = answer.actor_in(guild_id), answer.bot.clock.now()
        await meetings.respond(session, actor, meeting_id, what, now=now)
        asking = await arrivals.answered(session, actor, meeting_id, what, now=now)
    said = said if asking is None else hosts.cover_asked(asking, _("Going"))
    await show_choices(answer, guild_id, meeting_id, said)


@buttons.ChoicesButton.pressed
async def press_choices(answer: Answer, state: str) -> None:
    """Show what the person can choose."""
    guild_id, meeting_id = map(int, state.split("."))
    await show_choices(answer, guild_id, meeting_id)


async def show_choices(answer: Answer, guild_id: int, meeting_id: int, said: Text | None = None) -> None:
    """Show what the person can choose about a meeting."""
    actor = answer.actor_in(guild_id)
    async with answer.bot.db.read() as session:
        guild = await guild_of(session, guild_id)
        choices = await notices.choices(session, actor, meeting_id, now=answer.bot.clock.now())
    await answer.show(cards.choices_card(choices, guild, answer.reader, said))


@buttons.FileButton.pressed
async def give_file(answer: Answer, state: str) -> None:
    """Give one meeting as a file."""
    actor, title = answer.actor, answer.say(TITLE)
    async with answer.bot.db.read() as session:
        guild = await guild_of(session, actor.guild_id)
        now = answer.bot.clock.now()
        content = await calendars.of_meeting(session, actor, int(state), title=title, now=now)
    await answer.reply(cards.file_card(content, guild, answer.reader))


@buttons.GroupFileButton.pressed
@buttons.AllFilesButton.pressed
async def give_files(answer: Answer, state: str) -> None:
    """Give the meetings of a group, or of all the person's groups, as a file."""
    actor, title = answer.actor, answer.say(TITLE)
    async with answer.bot.db.read() as session:
        guild = await guild_of(session, actor.guild_id)
        now = answer.bot.clock.now()
        content = await calendars.of_groups(session, actor, group_id=int(state) or None, title=title, now=now)
    await answer.reply(cards.file_card(content, guild, answer.reader))


@buttons.AnsweredButton.pressed
async def show_answered(answer: Answer, state: str) -> None:
    """Show facilitators who answered what."""
    async with answer.bot.db.begin() as session:  # the rule locks the group
        guild = await guild_of(session, answer.actor.guild_id)
        people = await meetings.answered(session, answer.actor, int(state))
        meeting = await meetings.view(session, guild.guild_id, int(state))
    await answer.reply(cards.answered_card(meeting, people, guild, answer.reader))
