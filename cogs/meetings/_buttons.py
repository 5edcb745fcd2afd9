"""Buttons of meetings: what they say and what their ids carry. What they do is said where it is done.

The state of a member's buttons names the server too, so that they work in a direct message.
"""

from __future__ import annotations

import discord

from cogs._interactions import ROW_ID, SERVER_ID, PersistentButton
from peerbot.text import _

SUCCESS = discord.ButtonStyle.success
SERVER_AND_MEETING = rf"{SERVER_ID}\.{ROW_ID}"


class GoingButton(PersistentButton, verb="meetings:going", label=_("Going"), state=SERVER_AND_MEETING, style=SUCCESS):
    """Answer that one comes."""


class CantButton(PersistentButton, verb="meetings:cant", label=_("Can't"), state=SERVER_AND_MEETING):
    """Answer that one does not come; nobody asks why."""


class TakeBackButton(PersistentButton, verb="meetings:take-back", label=_("Take it back"), state=SERVER_AND_MEETING):
    """Take an answer back."""


class ChoicesButton(PersistentButton, verb="meetings:choices", label=_("My choices"), state=SERVER_AND_MEETING):
    """Show what one can choose about a meeting."""


class FileButton(PersistentButton, verb="meetings:file", label=_("Calendar file"), state=ROW_ID):
    """Give one meeting as a calendar file."""


class GroupFileButton(PersistentButton, verb="meetings:group-file", label=_("All dates as a file"), state=ROW_ID):
    """Give a group's meetings as a calendar file."""


class AllFilesButton(PersistentButton, verb="meetings:all-files", label=_("Calendar file"), state="0"):
    """Give the meetings of all one's groups as a calendar file."""


class AnsweredButton(PersistentButton, verb="meetings:answered", label=_("Who answered"), state=ROW_ID):
    """Show facilitators who answered what."""
