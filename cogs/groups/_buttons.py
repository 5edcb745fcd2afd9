"""Buttons and menus of groups: what they say and what their ids carry. What they do is said where it is done."""

from __future__ import annotations

from collections.abc import Sequence

import discord

from cogs._interactions import ROW_ID, PersistentButton, PersistentSelect
from peerbot.directory import Person
from peerbot.text import Reader, _

MOST_OPTIONS = 25
PRIMARY, SUCCESS, DANGER = discord.ButtonStyle.primary, discord.ButtonStyle.success, discord.ButtonStyle.danger
GROUP_AND_MEMBER = rf"{ROW_ID}\.{ROW_ID}"
SERVER_AND_GROUP = rf"\d{{1,19}}\.{ROW_ID}"
"""The state of buttons that work in a direct message too."""
AND_VERSION = r"/\d{1,6}\.\d{1,9}"


class LookButton(PersistentButton, verb="groups:look", label=_("Look")):
    """Show a group's card."""


class BrowseButton(PersistentButton, verb="groups:browse", label=_("All groups"), state=r"\d{1,3}\.[01]\.[^\n]{0,40}"):
    """Show a page of groups; the state is the page, whether only free seats count, and a topic."""


class JoinButton(PersistentButton, verb="groups:join", label=_("Join"), style=PRIMARY):
    """Join a group, or read the agreement first."""


class AgreeButton(
    PersistentButton, verb="groups:agree", label=_("I agree"), state=rf"{ROW_ID}\.\d{{1,6}}\.\d{{1,9}}", style=SUCCESS
):
    """Agree to the words of one version, and join."""


class NotNowButton(PersistentButton, verb="groups:not-now", label=_("Not now")):
    """Go back to the group without joining."""


class WaitButton(PersistentButton, verb="seats:wait", label=_("Wait in line"), state=SERVER_AND_GROUP, style=PRIMARY):
    """Wait in line for a seat, or read the agreement first."""


class AgreeToWaitButton(
    PersistentButton, verb="seats:agree-wait", label=_("I agree"), state=SERVER_AND_GROUP + AND_VERSION, style=SUCCESS
):
    """Agree to the words of one version, and wait in line."""


class TakeButton(PersistentButton, verb="seats:take", label=_("Take it"), state=SERVER_AND_GROUP, style=SUCCESS):
    """Take a seat that is offered."""


class AgreeToTakeButton(
    PersistentButton, verb="seats:agree-take", label=_("I agree"), state=SERVER_AND_GROUP + AND_VERSION, style=SUCCESS
):
    """Agree to the words of one version, and take the seat."""


class PassButton(PersistentButton, verb="seats:not-now", label=_("Not now"), state=SERVER_AND_GROUP):
    """Let an offered seat go to the next person, and stay in line."""


class PlaceButton(PersistentButton, verb="seats:place", label=_("My place in line"), state=SERVER_AND_GROUP):
    """Show the person's place in line."""


class LeaveLineButton(PersistentButton, verb="seats:leave", label=_("Leave the line"), state=SERVER_AND_GROUP):
    """Ask whether to leave the line."""


class LeaveLineSureButton(
    PersistentButton, verb="seats:leave-sure", label=_("Leave the line"), state=SERVER_AND_GROUP, style=DANGER
):
    """Leave the line."""


class AskButton(PersistentButton, verb="groups:ask", label=_("Ask first")):
    """Say what asking first means."""


class AskSureButton(PersistentButton, verb="groups:ask-sure", label=_("Open a private thread"), style=PRIMARY):
    """Open a private thread with a group's facilitators."""


class HelloButton(
    PersistentButton, verb="groups:hello", label=_("Say hello"), state=rf"{ROW_ID}\.\d{{1,6}}\.\d{{1,9}}", style=PRIMARY
):
    """Say hello to a group; the state carries the version of the agreement, as with AgreeButton."""


class MineButton(PersistentButton, verb="groups:mine", label=_("My groups")):
    """Show the person's own groups."""


class PauseButton(PersistentButton, verb="groups:pause", label=_("Pause")):
    """Keep the seat and rest."""


class ResumeButton(PersistentButton, verb="groups:resume", label=_("I'm back"), style=PRIMARY):
    """End a pause."""


class BackFromRestButton(
    PersistentButton, verb="groups:back", label=_("I'm back"), state=SERVER_AND_GROUP, style=PRIMARY
):
    """End a pause, from the letter that asks."""


class KeepRestingButton(PersistentButton, verb="groups:rest-on", label=_("Keep resting"), state=SERVER_AND_GROUP):
    """Say until when the seat is kept."""


class LeaveRestingButton(PersistentButton, verb="groups:rest-leave", label=_("Leave"), state=SERVER_AND_GROUP):
    """Ask whether to leave, from the letter that asks."""


class LeaveRestingSureButton(
    PersistentButton, verb="groups:rest-leave-sure", label=_("Leave"), state=SERVER_AND_GROUP, style=DANGER
):
    """Leave."""


class LeaveButton(PersistentButton, verb="groups:leave", label=_("Leave")):
    """Ask whether to leave."""


class LeaveSureButton(PersistentButton, verb="groups:leave-sure", label=_("Leave"), style=DANGER):
    """Leave."""


class CloseSureButton(PersistentButton, verb="groups:close-sure", label=_("Close the group"), style=DANGER):
    """Close a group."""


class PostCardButton(PersistentButton, verb="groups:post-card", label=_("Post its card")):
    """Post a group's card in the panel channel."""


class NewRoomButton(PersistentButton, verb="groups:new-room", label=_("Make a new room")):
    """Make a room for a group whose channel is gone."""


class PeopleButton(PersistentButton, verb="groups:people", label=_("People")):
    """Show who is in a group."""


class RemoveButton(PersistentButton, verb="groups:remove", label=_("Remove"), state=GROUP_AND_MEMBER, style=DANGER):
    """Ask why somebody is removed; no reason is a fine answer."""

    defers = False


class LetBackButton(PersistentButton, verb="groups:let-back", label=_("Let them back"), state=GROUP_AND_MEMBER):
    """Let a removed person join again."""


class AddFacilitatorButton(PersistentButton, verb="groups:add-facilitator", label=_("Add a facilitator")):
    """Ask whom to add."""

    defers = False


class DropFacilitatorButton(
    PersistentButton, verb="groups:drop-facilitator", label=_("Take off the list"), state=GROUP_AND_MEMBER
):
    """Take somebody off the list of facilitators."""


class StepBackButton(PersistentButton, verb="groups:step-back", label=_("Step back")):
    """Ask whether to stop looking after a group."""


class StepBackSureButton(PersistentButton, verb="groups:step-back-sure", label=_("Step back"), style=PRIMARY):
    """Stop looking after a group."""


class TopicSelect(PersistentSelect, verb="groups:topic", state="[01]", value=r"[^\n]{1,40}"):
    """Show groups of one topic; the state is whether only free seats count."""

    @classmethod
    def offering(cls, topics: list[str], *, free: bool, reader: Reader) -> TopicSelect:
        """Return the menu with these topics."""
        options = [discord.SelectOption(label=topic, value=topic) for topic in topics[:MOST_OPTIONS]]
        return cls("1" if free else "0", reader.say(_("Choose a topic")), options)


class PersonSelect(PersistentSelect, verb="groups:person", value=rf"[a-z]{{1,20}}\.{ROW_ID}"):
    """Show what can be done about one person of a group."""

    @classmethod
    def offering(cls, group_id: int, people: Sequence[Person], labels: dict[int, str], reader: Reader) -> PersonSelect:
        """Return the menu with these people, the first of them if they are too many for a menu."""
        kinds = {
            "active": _("member"),
            "paused": _("resting"),
            "waiting": _("in line"),
            "offered": _("in line, has an offer"),
            "removed": _("removed"),
            "facilitator": _("facilitator"),
        }
        options = [
            discord.SelectOption(
                label=labels[person.user_id][:100],
                description=reader.say(kinds.get(person.state, _("not in yet"))),
                value=f"{person.state}.{person.member_id}",
            )
            for person in people[:MOST_OPTIONS]
        ]
        return cls(group_id, reader.say(_("Choose a person")), options)
