"""The next meetings on somebody's own card; what can be done about them is a matter of meetings."""

from __future__ import annotations

from collections.abc import Sequence

from cogs._doors import calendar_button, choices_button
from cogs._interactions import Card
from peerbot import meetings, times
from peerbot.meetings import MeetingView
from peerbot.models import Guild
from peerbot.recurrence import instant
from peerbot.text import Reader, Verbatim, _, channel_mention

Ahead = Sequence[tuple[MeetingView, str | None]]
"""Meetings, the soonest first, with what the person answered."""
ANSWERED = {meetings.GOING: _("Your answer: going"), meetings.CANT: _("Your answer: can't")}


def add_ahead(card: Card, ahead: Ahead, guild: Guild, reader: Reader, *, in_server: bool = True) -> None:
    """Add the next meetings as they are now, with a button for what the person chooses about each.

    The calendar file is given in the server only.
    """
    lines = [line for meeting, answer in ahead for line in _lines(meeting, answer, reader)]
    off = [meeting for meeting, _answer in ahead if meeting.state == "cancelled"]
    on = {meeting.group_id for meeting, _answer in ahead if meeting.state == "planned"}
    # Where all that is shown of a group is off: when it meets after that.
    after = {each.group_id: each for each in off if each.group_id not in on and each.next_at is not None}
    lines += [
        reader.say(
            _("**{name}**, next: {when}", name=each.group_name, when=times.when(each.next_at, each.zone, reader))
        )
        for each in after.values()
        if each.next_at is not None
    ]
    card.text("\n".join(lines))
    planned = [meeting for meeting, _answer in ahead if meeting.state == "planned"]
    choices = [
        choices_button(guild.guild_id, meeting.meeting_id, reader, label=_("{day}", day=_day(meeting, reader)))
        for meeting in planned
    ]
    if row := [*choices, *([calendar_button(reader)] if in_server else [])]:
        card.row(*row)


def _lines(meeting: MeetingView, answer: str | None, reader: Reader) -> list[str]:
    name = meeting.group_name
    if meeting.state == "cancelled":
        return [reader.say(_("**{name}**: {day} is off.", name=name, day=_day(meeting, reader)))]
    lines = [reader.say(_("**{name}**", name=name)), times.when(meeting.starts_at, meeting.zone, reader)]
    if meeting.was_moved:
        usual = times.short(instant(meeting.original, meeting.zone), meeting.zone, reader)
        lines += [reader.say(_("Moved from {day}.", day=usual))]
    if meeting.link:
        lines += [reader.say(_("Where: behind a link. You see it shortly before the start."))]
    elif meeting.channel_id is not None:
        lines += [reader.say(_("Where: {place}", place=channel_mention(meeting.channel_id)))]
    return [*lines, reader.say(ANSWERED[answer])] if answer is not None else lines


def _day(meeting: MeetingView, reader: Reader) -> Verbatim:
    return times.short(meeting.starts_at, meeting.zone, reader)
