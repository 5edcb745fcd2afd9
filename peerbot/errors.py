"""What can go wrong, as facts.

PeerbotError                    a sentence for the person who asked
├── NotAllowed                  the right is missing, now
├── NotSetUp                    the server has not been set up
├── NotKnown                    nothing is kept of the person in this server
├── GroupUnknown                no such open group in this server
├── GroupFull
├── GroupClosed
├── NameTaken
├── AlreadyMember
├── NotMember
├── InLine                      they wait already, and no seat is theirs yet
├── NotInLine
├── WasRemoved
├── AgreementNeeded             the words to agree to come with it
├── HelloFirst                  a facilitator says welcome before there is a seat
├── MeetingUnknown              no such meeting ahead in this server
├── MeetingOff                  it is off, so there is nothing to answer
├── CalledOff                   nobody was there, so the meeting is off
├── TaskUnknown
├── TaskDone
├── TaskTaken                   by another facilitator
├── NotValid                    one field of a form, and what would be right
├── DatabaseBusy                nothing was changed
└── OutcomeUnknown              the database went away while it was saving

StartRefused                    a sentence for whoever starts the program
├── ConfigurationWrong
├── KeyWrong
├── SchemaWrong
├── DatabaseUnreachable
├── DiscordRefuses
└── AlreadyRunning
"""

from __future__ import annotations

from peerbot.text import Text, _, mention


class PeerbotError(Exception):
    """Something that the person who asked should read; nothing was changed unless the sentence says so."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.message)
        self.text = text


class NotAllowed(PeerbotError):
    """The right is missing at this moment."""


class NotSetUp(PeerbotError):
    """The server has not been set up."""

    def __init__(self) -> None:
        super().__init__(_("This server isn't set up yet. Someone who runs it can start with /setup."))


class NotKnown(PeerbotError):
    """Nothing is kept of the person in this server, and they did not ask inside it."""

    def __init__(self) -> None:
        super().__init__(_("I can't find you there. In the server, /my shows what there is."))


class GroupUnknown(PeerbotError):
    """There is no such open group in this server."""

    def __init__(self) -> None:
        super().__init__(_("I can't find that group. It may have closed. /groups shows what is open."))


class GroupFull(PeerbotError):
    """The last seat is taken."""

    def __init__(self, name: str) -> None:
        super().__init__(_("**{name}** is full right now. You did nothing wrong.", name=name))


class GroupClosed(PeerbotError):
    """The group takes nobody any more."""

    def __init__(self, name: str) -> None:
        super().__init__(_("**{name}** has closed. /groups shows what is open.", name=name))


class NameTaken(PeerbotError):
    """Another open group in this server has the name."""

    def __init__(self, name: str) -> None:
        super().__init__(_("There is already a group named **{name}**. Please choose another name.", name=name))


class AlreadyMember(PeerbotError):
    """The person has a seat in this group."""

    def __init__(self, name: str) -> None:
        super().__init__(_("You are already in **{name}**. /my shows your groups.", name=name))


class NotMember(PeerbotError):
    """The person has no seat in this group."""

    def __init__(self, name: str) -> None:
        super().__init__(_("You are not in **{name}** any more. Nothing was changed.", name=name))


class InLine(PeerbotError):
    """The person has a place in line, and no seat can be theirs yet."""

    def __init__(self, name: str) -> None:
        super().__init__(_("You are in line for **{name}**. I write to you when a seat is free.", name=name))


class NotInLine(PeerbotError):
    """The person has no place in line for this group."""

    def __init__(self, name: str) -> None:
        super().__init__(_("You are not in line for **{name}** any more. Nothing was changed.", name=name))


class WasRemoved(PeerbotError):
    """Facilitators removed the person, and only they can change that."""

    def __init__(self, name: str) -> None:
        super().__init__(
            _("You can't join **{name}** right now. You can talk to a facilitator about it.", name=name),
        )


class AgreementNeeded(PeerbotError):
    """The words of the agreement are new to the person; `name` is the group's."""

    def __init__(self, version: str, name: str) -> None:
        super().__init__(_("Please read the agreement first."))
        self.version = version
        self.name = name


class HelloFirst(PeerbotError):
    """The group asks for a hello before there is a seat."""

    def __init__(self, name: str) -> None:
        super().__init__(_("**{name}** starts with a hello. A facilitator writes to you, then you join.", name=name))


class MeetingUnknown(PeerbotError):
    """There is no such meeting in this server any more."""

    def __init__(self) -> None:
        super().__init__(_("This meeting is not there any more. Nothing was changed. /my shows what is next."))


class MeetingOff(PeerbotError):
    """The meeting is off, so nobody need answer."""

    def __init__(self) -> None:
        super().__init__(_("This meeting is off. You need not do anything. /my shows what is next."))


class CalledOff(PeerbotError):
    """A meeting is off because nobody was there, and its hosts may put it on again until its end."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "I saw no facilitator there, so I told members that this one is off. Is a host there after all? "
                "*We are here after all* on its card in the task thread puts it on again."
            )
        )


class CoverTaken(PeerbotError):
    """Nobody is wanted any more to host a meeting, because somebody was faster."""

    def __init__(self, user_id: int | None) -> None:
        who = _("{who} hosts this one already.", who=mention(user_id)) if user_id else _("Someone is there already.")
        super().__init__(_("{who} Thank you for offering. It is good to know that you would.", who=who))


class TaskUnknown(PeerbotError):
    """There is no such task in this server any more."""

    def __init__(self) -> None:
        super().__init__(_("This is not there any more. Nothing was changed. /desk shows what waits."))


class TaskDone(PeerbotError):
    """The task has ended, in one way or another."""

    def __init__(self, outcome: str) -> None:
        how = {
            "welcomed": _("Someone has welcomed them in."),
            "fit": _("Someone has said: not this group."),
            "done": _("Someone has answered."),
            "left": _("They took it back, or left."),
            "joined": _("They have joined meanwhile."),
            "closed": _("The group has closed."),
        }.get(outcome, _("It has ended."))
        super().__init__(_("This is done already. {how} Nothing was changed.", how=how))


class TaskTaken(PeerbotError):
    """Another facilitator has the task."""

    def __init__(self, user_id: int) -> None:
        super().__init__(_("{who} has this already. Thank you for looking.", who=mention(user_id)))


class NotValid(PeerbotError):
    """A field of a form cannot be taken as it is."""


class DatabaseBusy(PeerbotError):
    """The database did not answer in time; the transaction was not carried out."""

    def __init__(self) -> None:
        super().__init__(_("I'm busy right now. Nothing was changed. Please try again in a minute."))


class OutcomeUnknown(PeerbotError):
    """The database went away while it was saving."""

    def __init__(self) -> None:
        super().__init__(_("I lost my connection while saving. Please look in /my to see if it worked."))


class StartRefused(Exception):
    """The program cannot start; the message is one line for whoever starts it, without a secret in it."""


class ConfigurationWrong(StartRefused):
    """A setting is missing or wrong."""


class KeyWrong(StartRefused):
    """The key does not open this database."""


class SchemaWrong(StartRefused):
    """The database has another shape than this version needs."""


class DatabaseUnreachable(StartRefused):
    """The database does not answer."""


class DiscordRefuses(StartRefused):
    """Discord has closed the connection and asks not to come back."""


class AlreadyRunning(StartRefused):
    """Another process holds the database."""
