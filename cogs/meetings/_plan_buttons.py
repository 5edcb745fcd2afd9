"""Buttons with which facilitators plan meetings: what they say and what their ids carry."""

from __future__ import annotations

import discord

from cogs._interactions import ROW_ID, PersistentButton
from cogs.meetings._codes import LOCAL_STATE, STATE
from peerbot.text import _

SUCCESS, DANGER = discord.ButtonStyle.success, discord.ButtonStyle.danger
DAY = r"\d{8}"
SKIP = rf"{ROW_ID}\.{DAY}(?:\.{DAY})?"
DETAILS = rf"{ROW_ID}\.\d{{1,3}}\.\d{{1,19}}\.\d{{1,9}}"
"""A series, minutes, a channel or 0, and which change of the series was seen; topic and link are in the card."""
CHANGE = rf"{ROW_ID}\.\d{{1,9}}"
"""A meeting or a series, and which change of it is meant: a second press finds another one."""
PAGE = rf"\d{{1,3}}\.{ROW_ID}"


class ScheduleButton(
    PersistentButton, verb="meetings:schedule", label=_("Yes, schedule it"), state=STATE, style=SUCCESS
):
    """Store the plan that the card shows."""


class ReplanButton(PersistentButton, verb="meetings:replan", label=_("Change"), state=STATE):
    """Open the form with the plan that the card shows."""

    defers = False


class DropButton(PersistentButton, verb="meetings:drop", label=_("No, leave it")):
    """Forget the plan that the card shows."""


class KeepButton(PersistentButton, verb="meetings:keep", label=_("Keep it")):
    """Leave a meeting as it is."""


class AskCancelButton(PersistentButton, verb="meetings:ask-cancel", label=_("Cancel a meeting")):
    """Ask whether this meeting is off, or all."""


class CancelOneButton(PersistentButton, verb="meetings:cancel-one", label=_("Only this one")):
    """Cancel one meeting."""


class CancelAllButton(PersistentButton, verb="meetings:cancel-all", label=_("All from now on"), style=DANGER):
    """End a series."""


class SkipButton(PersistentButton, verb="meetings:skip", label=_("Several weeks"), state=SKIP):
    """Ask from when to when there are no meetings; the state is the series and the days that stand in the form."""

    defers = False


class SkipSureButton(
    PersistentButton,
    verb="meetings:skip-sure",
    label=_("Yes, take a break"),
    state=rf"{ROW_ID}\.{DAY}\.{DAY}\.[\w-]{{4}}",
    style=SUCCESS,
):
    """Skip the days that the card shows; the state is the series, both days, and a code of what falls out of them."""


class UndoButton(PersistentButton, verb="meetings:undo", label=_("Undo"), state=CHANGE, style=SUCCESS):
    """Put one meeting back to how it was; where the series has ended, it goes on."""


class GoOnButton(PersistentButton, verb="meetings:go-on", label=_("Undo"), state=CHANGE, style=SUCCESS):
    """Take the end of a series back."""


class UnskipButton(PersistentButton, verb="meetings:unskip", label=_("Undo"), style=SUCCESS):
    """Take a break back, whichever series has it by now."""


class MoveButton(PersistentButton, verb="meetings:move", label=_("Move only this one")):
    """Ask where to one meeting is moved."""

    defers = False


class MoveSureButton(
    PersistentButton,
    verb="meetings:move-sure",
    label=_("Yes, move it"),
    state=rf"{ROW_ID}\.{LOCAL_STATE}\.\d{{1,9}}",
    style=SUCCESS,
):
    """Move one meeting; the state is the meeting, its new wall time, and which change of it the card showed."""


class ChangeAllButton(PersistentButton, verb="meetings:change-all", label=_("Change all from now on")):
    """Open the form with a series."""

    defers = False


class DetailsButton(PersistentButton, verb="meetings:details", label=_("Length, place, topic")):
    """Open the form with what does not concern the time of a series."""

    defers = False


class DetailsSureButton(
    PersistentButton, verb="meetings:details-sure", label=_("Yes, change it"), state=DETAILS, style=SUCCESS
):
    """Change length, place and topic to what the card shows."""


class RedetailButton(PersistentButton, verb="meetings:redetail", label=_("Change"), state=DETAILS):
    """Open the form with the length, place and topic that the card shows."""

    defers = False


class ManageButton(PersistentButton, verb="meetings:manage", label=_("Change")):
    """Show what can be done with one meeting."""


class MeetingsButton(PersistentButton, verb="meetings:list", label=_("All meetings"), state=PAGE):
    """Show the next meetings; the state is the page, and a group or 0."""
