"""What people see of meetings: the card in the group's room, the board for everyone, somebody's own choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import discord
from discord import ui

from cogs._doors import browse_button, look_button, mine_button
from cogs._help import help_now_button
from cogs._interactions import Card
from cogs._reach import RemindersButton
from cogs.meetings import _buttons as buttons
from peerbot import meetings, times
from peerbot.meetings import MeetingView
from peerbot.models import Guild
from peerbot.notices import ON_BOARD, Choices, Line, Notice
from peerbot.recurrence import instant
from peerbot.text import Reader, Text, Verbatim, _, channel_mention, mention, n_

MOST_NAMED = 30
GENTLE = _("You can just listen. Late is fine. So is not coming.")
CHANGE = _("You can change it here or in /my.")


def meeting_card(notice: Notice, guild: Guild, reader: Reader) -> Card:
    """Return the card of a meeting in its group's room: counts, never the names of members."""
    meeting = notice.meeting
    help_now = help_now_button(guild.help_countries, reader)
    if meeting.state == "cancelled":
        return Card().boxed().text("\n".join(_cancelled_lines(notice, reader))).row(help_now)
    if meeting.state == "over":
        lines = [reader.say(_("## {name}", name=meeting.group_name)), _when(meeting, reader)]
        lines += [reader.say(_("This meeting is over. Thank you for being here.")), *_next(meeting, reader)]
        return Card().boxed().text("\n".join(lines)).row(help_now)
    lines = [reader.say(_("## {name}", name=meeting.group_name))]
    lines += [reader.say(_("{topic}", topic=meeting.topic))] if meeting.topic else []
    lines += [_when(meeting, reader)]
    if meeting.was_moved:
        moved_from = times.words(instant(meeting.original, meeting.zone), meeting.zone, reader)
        lines += [reader.say(_("**Moved from** {when}.", when=moved_from))]
    minutes = times.minutes_between(meeting.starts_at, meeting.ends_at)
    lines += [reader.say(_("{length}. {place}", length=times.length(minutes), place=_place(notice)))]
    if notice.host_ids:
        lines += [reader.say(_("With {names}.", names=_people(notice.host_ids, reader)))]
    lines += [reader.say(GENTLE)]
    lines += [reader.say(counts(meeting))] if meeting.going or meeting.cant else []
    lines += _next(meeting, reader) if meeting.was_moved else []
    key = f"{guild.guild_id}.{meeting.meeting_id}"
    answers: list[ui.Item[Any]] = [buttons.GoingButton(key, reader), buttons.CantButton(key, reader)]
    row = [*answers, buttons.ChoicesButton(key, reader), *_ways(notice, guild.guild_id, reader), help_now]
    return Card().boxed().text("\n".join(lines)).row(*row)


def _cancelled_lines(notice: Notice, reader: Reader) -> list[str]:
    meeting = notice.meeting
    was = times.words(meeting.starts_at, meeting.zone, reader)
    lines = [
        reader.say(_("## CANCELLED: ~~{name}~~", name=meeting.group_name)),
        reader.say(_("~~{when}~~", when=was)),
        reader.say(_("This meeting is off. You need not do anything.")),
    ]
    if notice.is_last:
        return [*lines, reader.say(_("The group has closed. Its meetings have ended."))]
    return lines + (_next(meeting, reader) or [reader.say(_("There is no next date yet."))])


def counts(meeting: MeetingView) -> Text:
    """Return how many people come and how many do not, of which one at least is not zero."""
    if not meeting.cant:
        return n_("{n} going", "{n} going", meeting.going)
    if not meeting.going:
        return _cant(meeting.cant)
    return _("{going}, {cant}", going=n_("{n} going", "{n} going", meeting.going), cant=_cant(meeting.cant))


def _cant(many: int) -> Text:
    return n_("{n} can't", "{n} can't", many)


def _when(meeting: MeetingView, reader: Reader) -> str:
    return times.when(meeting.starts_at, meeting.zone, reader)


def _next(meeting: MeetingView, reader: Reader) -> list[str]:
    if meeting.next_at is None:
        return []
    return [reader.say(_("Next: {when}", when=times.when(meeting.next_at, meeting.zone, reader)))]


def _place(notice: Notice) -> Text:
    """Return where a meeting is, in words."""
    if notice.link:
        return _("The link is here now.")
    if notice.has_link:
        return _("The link comes here 15 minutes before.")
    if notice.meeting.channel_id is not None:
        return _("In {channel}.", channel=channel_mention(notice.meeting.channel_id))
    return _("Here in this room.")


def _ways(notice: Notice, guild_id: int, reader: Reader) -> list[ui.Item[Any]]:
    """Return the link to where a meeting is, unless it is where the card stands."""
    if notice.link:
        return [_link(notice.link, _("Open the link"), reader)]
    channel_id = notice.meeting.channel_id
    if notice.has_link or channel_id is None or channel_id == notice.meeting.room_id:
        return []
    return [_link(f"https://discord.com/channels/{guild_id}/{channel_id}", _("Open the room"), reader)]


def _link(url: str, label: Text, reader: Reader) -> ui.Button[Any]:
    return ui.Button(style=discord.ButtonStyle.link, url=url, label=reader.say(label))


def _people(user_ids: Sequence[int], reader: Reader) -> Verbatim:
    *first, last = [mention(user_id) for user_id in user_ids[:MOST_NAMED]]
    if not first:
        return last
    return Verbatim(reader.say(_("{some} and {last}", some=Verbatim(", ".join(first)), last=last)))


def board_card(lines: Sequence[Line], guild: Guild, reader: Reader) -> Card:
    """Return the board of a server: when its groups meet next, and free seats; it names nobody."""
    card = Card().boxed()
    if lines:
        card.text(reader.say(_("## Next meetings")))
    else:
        none = _("No meeting is planned right now. Please look again soon.")
        card.text(f"{reader.say(_('## Next meetings'))}\n{reader.say(none)}")
    for line in lines[:ON_BOARD]:
        name = reader.say(_("**{name}**", name=line.name))
        when = times.when(line.starts_at, guild.time_zone, reader)
        free = n_("{n} seat free", "{n} seats free", line.free) if line.free else _("full right now")
        card.section(f"{name}\n{when}\n{reader.say(free)}", look_button(line.group_id, line.name, reader))
    if len(lines) > ON_BOARD:
        card.text(reader.say(_("More groups meet later. *Find a group* shows them all.")))
    find = browse_button(reader, label=_("Find a group"))
    return card.row(find, mine_button(reader), help_now_button(guild.help_countries, reader))


ANSWERS = {
    meetings.GOING: _("Your answer: **going**."),
    meetings.CANT: _("Your answer: **can't**. That is fine."),
    None: _("You have not answered. You need not."),
}


def choices_card(choices: Choices, guild: Guild, reader: Reader, said: Text | None = None) -> Card:
    """Return what somebody can choose about a meeting, with what there is to say first."""
    meeting = choices.meeting
    lines = [reader.say(said)] if said is not None else []
    lines += [reader.say(_("**{name}**", name=meeting.group_name)), _when(meeting, reader)]
    help_now, mine = help_now_button(guild.help_countries, reader), mine_button(reader)
    file = buttons.FileButton(meeting.meeting_id, reader)
    if choices.is_over or meeting.state == "cancelled":
        over = _("This meeting is over.") if choices.is_over else _("**This meeting is off.**")
        lines += [reader.say(over), *_next(meeting, reader)]
        return Card().boxed().text("\n".join(lines)).row(mine, help_now)
    key = f"{guild.guild_id}.{meeting.meeting_id}"
    lines += [reader.say(ANSWERS[choices.answer])]
    answers: list[ui.Item[Any]] = [buttons.GoingButton(key, reader)] if choices.answer != meetings.GOING else []
    answers += [buttons.CantButton(key, reader)] if choices.answer != meetings.CANT else []
    answers += [buttons.TakeBackButton(key, reader)] if choices.answer is not None else []
    more: list[ui.Item[Any]] = [file, buttons.GroupFileButton(meeting.group_id, reader)]
    more += [RemindersButton(guild.guild_id, reader)]
    more += [buttons.AnsweredButton(meeting.meeting_id, reader)] if choices.may_see else []
    return Card().boxed().text("\n".join(lines)).row(*answers).row(*more).row(mine, help_now)


def answered_card(meeting: MeetingView, people: dict[str, list[int]], guild: Guild, reader: Reader) -> Card:
    """Return who answered what, for facilitators."""
    lines = [reader.say(_("**{name}**", name=meeting.group_name)), _when(meeting, reader)]
    titles = {meetings.GOING: _("**Going**"), meetings.CANT: _("**Can't**")}
    for answer, title in titles.items():
        some = people[answer]
        lines += [reader.say(title)]
        lines += [reader.say(_("- {name}", name=mention(user_id))) for user_id in some[:MOST_NAMED]]
        lines += [reader.say(_("- nobody yet"))] if not some else []
    lines += [reader.say(_("Only facilitators of this group see names. Who did not answer may still come."))]
    return Card().boxed().text("\n".join(lines)).row(help_now_button(guild.help_countries, reader))


def file_card(content: bytes, guild: Guild, reader: Reader) -> Card:
    """Return a calendar file with what to do with it."""
    words = _("Open this file, and your calendar takes the dates. It says “Group meeting”, no more.")
    later = _("A file does not change by itself. After a change, /my gives you a new one.")
    card = Card().boxed().text(f"{reader.say(words)}\n{reader.say(later)}").file("group-meeting.ics", content)
    return card.row(help_now_button(guild.help_countries, reader))
