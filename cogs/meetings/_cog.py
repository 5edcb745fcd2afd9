"""The commands of meetings. What they do is said in the modules beside."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from cogs._interactions import Answer, answering, suggesting
from cogs.meetings import _planning as planning
from cogs.meetings import _singles as singles
from cogs.meetings._plan_cards import name_of
from peerbot import directory
from peerbot.bot import PeerBot
from peerbot.phrases import LONGEST

Anyone = discord.Interaction[Any]
LONGEST_CHOICE = 100
"""Characters of a suggestion that Discord shows."""


@suggesting
async def suggest_groups(interaction: Anyone, current: str) -> list[app_commands.Choice[str]]:
    """Return the groups that the person may change, by name."""
    answer = Answer(interaction)
    async with answer.bot.db.read() as session:
        found = await directory.choices(session, answer.actor, like=current)
    return [app_commands.Choice(name=name, value=str(group_id)) for name, group_id in found]


@suggesting
async def suggest_meetings(interaction: Anyone, current: str) -> list[app_commands.Choice[str]]:
    """Return the next meetings that the person may change, by name and date."""
    answer = Answer(interaction)
    found = await singles.suggested(answer, current)
    return [
        app_commands.Choice(name=name_of(view, answer.reader)[:LONGEST_CHOICE], value=str(view.meeting_id))
        for view in found
    ]


class Meetings(commands.Cog):
    """Planning meetings."""

    def __init__(self, bot: PeerBot) -> None:
        self.bot = bot

    meeting = app_commands.Group(
        name="meeting",
        description="Plan meetings",
        guild_only=True,
        # As in /group: Discord derives one from the other, and the group would look changed at each start.
        allowed_contexts=app_commands.AppCommandContext(guild=True),
        default_permissions=discord.Permissions(manage_events=True),
    )

    @meeting.command(name="new", description="Plan a group's meetings, or one meeting")
    @app_commands.describe(
        group="Which group?",
        when='Like "every tuesday 6:30 pm" or "dec 3 7 pm". Leave empty for a form.',
        channel="Where you meet. Leave empty for the group's own room.",
        link="If you meet outside Discord. I show it shortly before the start.",
    )
    @app_commands.autocomplete(group=suggest_groups)
    async def new(
        self,
        interaction: Anyone,
        group: str,
        when: str = "",
        channel: discord.VoiceChannel | discord.StageChannel | discord.TextChannel | None = None,
        link: str = "",
    ) -> None:
        """Show what a phrase comes to, or open the form."""
        async with answering(interaction, defers=bool(when.strip())) as answer:
            await planning.start(answer, group, when[: LONGEST + 1], channel, link)

    @meeting.command(name="list", description="See the next meetings, and change them (only you see it)")
    @app_commands.describe(group="Only one group")
    @app_commands.autocomplete(group=suggest_groups)
    async def list(self, interaction: Anyone, group: str = "") -> None:
        """Show the next meetings."""
        async with answering(interaction) as answer:
            await singles.show_list(answer, group)

    @meeting.command(name="cancel", description="Cancel one meeting, some weeks, or all from now on")
    @app_commands.describe(meeting="Which meeting? Type the group or the day.")
    @app_commands.autocomplete(meeting=suggest_meetings)
    async def cancel(self, interaction: Anyone, meeting: str) -> None:
        """Ask what is off."""
        async with answering(interaction) as answer:
            await singles.ask_cancel(answer, meeting)

    @meeting.command(name="change", description="Move one meeting, or change all from now on")
    @app_commands.describe(meeting="Which meeting? Type the group or the day.")
    @app_commands.autocomplete(meeting=suggest_meetings)
    async def change(self, interaction: Anyone, meeting: str) -> None:
        """Ask what is changed."""
        async with answering(interaction) as answer:
            await singles.ask_change(answer, meeting)
