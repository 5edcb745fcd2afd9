"""The next meetings on somebody's own card; what can be done about them is a matter of meetings."""

from __future__ import annotations

from collections.abc import Sequence

from cogs._doors import calendar_button, choices_button
from cogs._interactions import Card
from peerbot import meetings, times
from peerbot.meetings import MeetingView
from peerbot.models import Guild
from peerbot.text import Reader, Verbatim, _

Ahead = Sequence[tuple[MeetingView, str | None]]
"""Meetings, the soonest first, with what the person answered."""
ANSWERED = {meetings.GOING: _("Your answer: going"), meetings.CANT: _("Your answer: can't")}


def add_ahead(card: Card, ahead: Ahead, guild: Guild, reader: Reader) -> None:
    """Add the next meetings, with a button for what the person chooses about each."""
    lines: list[str] = []
    for meeting, answer in ahead:
        when = times.when(meeting.starts_at, meeting.zone, reader)
        if meeting.state == "cancelled":
            was = times.words(meeting.starts_at, meeting.zone, reader)
            lines += [reader.say(_("**{name}** is off: ~~{when}~~", name=meeting.group_name, when=was))]
        else:
            lines += [reader.say(_("**{name}**", name=meeting.group_name)), when]
            lines += [reader.say(ANSWERED[answer])] if answer is not None else []
    card.text("\n".join(lines))
    planned = [meeting for meeting, _answer in ahead if meeting.state == "planned"]
    choices = [
        choices_button(guild.guild_id, meeting.meeting_id, reader, label=_("{day}", day=_day(meeting, reader)))
        for meeting in planned
    ]
    card.row(*choices, calendar_button(reader))


def _day(meeting: MeetingView, reader: Reader) -> Verbatim:
    return times.short(meeting.starts_at, meeting.zone, reader)
