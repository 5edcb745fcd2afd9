"""The forms in which facilitators plan meetings, and what is read out of them.

Day and time are typed in one line, as phrases.read takes them; the rest is chosen. What is typed is wall time in the
server's zone, and is never guessed: whoever typed it is shown what it means before anything is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from textwrap import shorten

import discord
from discord import ui

from cogs._interactions import Filled, form
from cogs.meetings import _words as words
from cogs.meetings._codes import Draft
from peerbot import phrases, times
from peerbot.errors import NotValid
from peerbot.phrases import PhraseRefused, SeriesNamed
from peerbot.recurrence import Rule, instant, occurrences
from peerbot.text import Reader, Text, _
from peerbot.timetables import LONGEST, Plan

MINUTES = (30, 45, 60, 75, 90, 120)
PLACES = [discord.ChannelType.voice, discord.ChannelType.stage_voice, discord.ChannelType.text]
KEEP = "as-now"
"""Chosen to keep a rule that the form has no choice for."""
OFTEN: Mapping[str, tuple[Text, Text]] = {
    "w1": (_("Every week"), _("On the weekday of the first one")),
    "w2": (_("Every two weeks"), _("Counted from the first one")),
    "m1": (_("Monthly, the first"), _("Like the first Tuesday of each month")),
    "m2": (_("Monthly, the second"), _("Like the second Tuesday of each month")),
    "m3": (_("Monthly, the third"), _("Like the third Tuesday of each month")),
    "m4": (_("Monthly, the fourth"), _("Like the fourth Tuesday of each month")),
    "m-1": (_("Monthly, the last"), _("Like the last Tuesday of each month")),
    "once": (_("Once"), _("It does not come again")),
}
DESCRIPTION = 100
"""Characters of a field's description (components/reference.mdx, "Label")."""
FIRST_EXAMPLE = "tuesday 6:30 pm, or dec 3 6:30 pm"

MOVE_EXAMPLE = "8 pm, or dec 3 8 pm"
ONE_DAY = _("Please write only one day and its time here, like **today 8 pm** or **dec 3 8 pm**.")


def plan_form(
    reader: Reader, draft: Draft, topic: str = "", link: str = "", *, typed: str = "", why: str = ""
) -> ui.Modal:
    """Return the form for a series, with what is known of it; `typed` is a time that was not taken, and `why`."""
    first = words.typed(draft.first) if draft.first else typed[: phrases.LONGEST]
    return form(
        "meetings:plan",
        draft.code(),
        reader.say(_("Change the meetings") if draft.instead_of else _("New meeting")),
        ui.Label(text=reader.say(_("How often?")), component=_often(reader, draft.rule)),
        ui.Label(
            text=reader.say(_("When is the first one?")),
            description=shorten(why, DESCRIPTION, placeholder="…")
            or reader.say(_("Day and time, as clocks in the group's zone show it.")),
            component=ui.TextInput(
                custom_id="first", placeholder=FIRST_EXAMPLE, max_length=phrases.LONGEST, default=first or None
            ),
        ),
        ui.Label(text=reader.say(_("How long?")), component=_length(reader, draft.minutes)),
        _topic(reader, topic),
        _link(reader, link),
    )


def details_form(reader: Reader, series_id: int, plan: Plan | None) -> ui.Modal:
    """Return the form for what does not concern the time of a series."""
    chosen = plan.channel_id if plan else None
    place = ui.ChannelSelect(
        custom_id="channel",
        required=False,
        min_values=0,
        channel_types=PLACES,
        default_values=[discord.SelectDefaultValue(id=chosen, type=discord.SelectDefaultValueType.channel)]
        if chosen
        else [],
    )
    return form(
        "meetings:details",
        series_id,
        reader.say(_("Length, place, topic")),
        ui.Label(text=reader.say(_("How long?")), component=_length(reader, plan.minutes if plan else 0)),
        ui.Label(
            text=reader.say(_("Where?")),
            description=reader.say(_("Leave it empty for the group's own room.")),
            component=place,
        ),
        _topic(reader, plan.topic if plan else ""),
        _link(reader, plan.link if plan else ""),
    )


def move_form(reader: Reader, meeting_id: int, local: datetime | None = None) -> ui.Modal:
    """Return the form for the new time of one meeting."""
    return form(
        "meetings:move",
        meeting_id,
        reader.say(_("Move this meeting")),
        ui.Label(
            text=reader.say(_("New day and time")),
            description=reader.say(_("As clocks in the group's zone show it. A time alone stays on the same day.")),
            component=ui.TextInput(
                custom_id="first",
                placeholder=MOVE_EXAMPLE,
                max_length=phrases.LONGEST,
                default=words.typed(local) if local else None,
            ),
        ),
    )


def skip_form(reader: Reader, state: str) -> ui.Modal:
    """Return the form for the first and last day without meetings, with what is known of them.

    Raises ValueError for a state that holds no day.
    """
    _series, *days = state.split(".")
    first, *last = (datetime.strptime(day, "%Y%m%d") for day in days)  # noqa: DTZ007 - wall time has no zone
    return form(
        "meetings:skip",
        state,
        reader.say(_("Days without meetings")),
        ui.Label(
            text=reader.say(_("First day")),
            component=ui.TextInput(custom_id="from", max_length=40, default=words.typed_day(first)),
        ),
        ui.Label(
            text=reader.say(_("Last day")),
            component=ui.TextInput(
                custom_id="to", max_length=40, placeholder="jan 4", default=words.typed_day(last[0]) if last else None
            ),
        ),
    )


def read_plan(filled: Filled, draft: Draft, *, now: datetime, zone: str) -> Plan:
    """Return the plan that a form says. Raises NotValid."""
    reading, often = read_phrase(filled.text("first"), now=now, zone=zone), filled.text("often")
    local = reading.first
    if reading.rule.freq == "once":
        rule = _rule(often, draft.rule, local)
    elif often == _choice(draft.rule):  # "every other thursday 6 pm", and nothing else was chosen
        rule = reading.rule
    else:
        raise NotValid(ONE_DAY)
    # "Monthly, the last" with a Tuesday that is not the last: what repeats begins with the next that is.
    just_before = instant(local, zone) - timedelta(seconds=1)
    fitting = occurrences(rule, local, zone, after=just_before, limit=1)
    return Plan.checked(
        group_id=draft.group_id,
        first=fitting[0].local if fitting else local,
        rule=rule,
        minutes=filled.text("minutes"),
        channel_id=draft.channel_id or None,
        topic=filled.text("topic"),
        link=filled.text("link"),
    )


def read_moment(text: str, *, now: datetime, zone: str, day: date) -> datetime:
    """Return the wall time that somebody typed; a time alone is on `day`.

    Raises NotValid for what is not one moment ahead.
    """
    try:
        reading = phrases.read(text, now=now, zone=zone, on=day)
    except SeriesNamed as problem:
        raise NotValid(ONE_DAY) from problem
    except PhraseRefused as problem:
        raise NotValid(problem.text) from problem
    if reading.rule.freq != "once":
        raise NotValid(ONE_DAY)
    return reading.first


def read_phrase(text: str, *, now: datetime, zone: str) -> phrases.Reading:
    """Return what a phrase means. Raises NotValid with what is not clear about it."""
    try:
        return phrases.read(text, now=now, zone=zone)
    except PhraseRefused as problem:
        raise NotValid(problem.text) from problem


def read_day(text: str, *, now: datetime, zone: str) -> date:
    """Return the one day that somebody typed, without a time. Raises NotValid."""
    refused = _("I can't read that day. Please write one that lies ahead, like **dec 21** or **dec 21 2026**.")
    try:
        reading = phrases.read(f"{text} 23:59", now=now, zone=zone)
    except PhraseRefused as problem:
        raise NotValid(refused) from problem
    if reading.rule.freq != "once":
        raise NotValid(refused)
    return reading.first.date()


def _rule(choice: str, kept: Rule | None, first: datetime) -> Rule:
    weekday = first.weekday()
    if choice == KEEP and kept is not None:
        return kept
    if choice not in OFTEN:
        raise NotValid(_("Please choose how often the group meets."))
    if choice == "once":
        return Rule("once")
    if choice[0] == "w":
        return Rule("weekly", int(choice[1]), (weekday,))
    return Rule("monthly", nth=int(choice[1:]), weekday=weekday)


def _choice(rule: Rule | None) -> str:
    """Return which choice of the form a rule is; KEEP for those that it has no choice for."""
    if rule is None:
        return "w1"
    simple = rule.until is None
    if simple and rule.freq == "weekly" and len(rule.weekdays) == 1 and f"w{rule.interval}" in OFTEN:
        return f"w{rule.interval}"
    if simple and rule.freq == "monthly" and rule.interval == 1:
        return f"m{rule.nth}"
    return "once" if rule.freq == "once" else KEEP


def _often(reader: Reader, rule: Rule | None) -> ui.Select:
    marked = _choice(rule)
    options = [
        discord.SelectOption(
            label=reader.say(label), value=value, description=reader.say(example), default=value == marked
        )
        for value, (label, example) in OFTEN.items()
    ]
    if marked == KEEP and rule is not None:
        label = reader.say(_("As now"))
        description = reader.say(words.repeats(rule, reader))[:100]
        options.insert(0, discord.SelectOption(label=label, value=KEEP, description=description, default=True))
    return ui.Select(custom_id="often", options=options, required=True)


def _length(reader: Reader, minutes: int) -> ui.Select:
    offered: set[int] = {*MINUTES, minutes} - {0}
    options = [
        discord.SelectOption(label=reader.say(times.length(each)), value=str(each), default=each == minutes)
        for each in sorted(offered)
    ]
    return ui.Select(custom_id="minutes", options=options, required=True)


def _topic(reader: Reader, topic: str) -> ui.Label:
    return ui.Label(
        text=reader.say(_("Topic")),
        description=reader.say(_("If you like. Members see it on the meeting's card.")),
        component=ui.TextInput(
            custom_id="topic", max_length=LONGEST["topic"], required=False, default=topic[: LONGEST["topic"]] or None
        ),
    )


def _link(reader: Reader, link: str) -> ui.Label:
    return ui.Label(
        text=reader.say(_("Link")),
        description=reader.say(_("If you meet outside Discord. I show it shortly before the start.")),
        component=ui.TextInput(
            custom_id="link",
            max_length=LONGEST["link"],
            required=False,
            placeholder="https://",
            default=link[: LONGEST["link"]] or None,
        ),
    )
