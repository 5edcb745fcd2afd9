"""Buttons of tasks and of the desk. What they do is said in the handlers; their rights are checked in the rules."""

from __future__ import annotations

import discord

from cogs._interactions import PersistentButton
from peerbot.text import _

PRIMARY, SUCCESS, DANGER = discord.ButtonStyle.primary, discord.ButtonStyle.success, discord.ButtonStyle.danger


class GotThisButton(PersistentButton, verb="desk:claim", label=_("I've got this"), style=PRIMARY):
    """Say that one looks after a task."""


class WelcomeButton(PersistentButton, verb="desk:welcome", label=_("Welcome in"), style=SUCCESS):
    """Let the person of a hello in."""


class NotThisGroupButton(PersistentButton, verb="desk:decline", label=_("Not this group")):
    """Ask whether this is not the group for somebody."""


class NotThisGroupSureButton(PersistentButton, verb="desk:decline-sure", label=_("Not this group"), style=DANGER):
    """Say that this is not the group for somebody."""


class DoneButton(PersistentButton, verb="desk:done", label=_("Done")):
    """Say that a question was answered."""


class DeskButton(PersistentButton, verb="desk:open", label=_("My desk"), state="0"):
    """Show what waits."""


class OffDutyButton(PersistentButton, verb="desk:off", label=_("Off duty"), state="morning|week"):
    """Keep the phone quiet, until tomorrow or for a week."""


class OnDutyButton(PersistentButton, verb="desk:on", label=_("I'm back"), state="0", style=PRIMARY):
    """Be on duty again."""


class PractiseButton(PersistentButton, verb="desk:practise", label=_("Practise"), state="[a-z]{1,8}"):
    """Show a step of the practice; nothing is stored, nobody hears of it."""
