"""Cards on which facilitators see a plan before it is kept, what they can do with a meeting, and what is next.

A plan's topic and link are in the card itself, each in a paragraph of its own that is found by its mark: the card is
ours and private, and comes back from Discord with each press on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import discord

from cogs._interactions import Card
from cogs.meetings import _dates as dates
from cogs.meetings import _plan_buttons as buttons
from cogs.meetings import _words as words
from cogs.meetings._codes import Draft, local_code
from peerbot import times
from peerbot.echoes import Hearing, Outcome
from peerbot.meetings import MeetingView
from peerbot.models import Series
from peerbot.recurrence import Rule, clock_change_between, day_of_change, instant, kind_of
from peerbot.series import AT_ONCE
from peerbot.text import Reader, Text, Verbatim, _, channel_mention, harmless, n_, timestamp
from peerbot.timetables import Plan, Preview

TOPIC, LINK, TYPED, REASON = 901, 902, 903, 904
PAGE = 6
"""Meetings on one page of the list: each has a button of its own, and Discord takes 40 components."""
HIDDEN = _("Look: not everyone here can see that channel. Members of this group may not find it.")


def echo_card(
    plan: Plan,
    preview: Preview,
    instead_of: int,
    reader: Reader,
    *,
    outcome: Outcome | None = None,
    place_gone: bool = False,
    place_hidden: bool = False,
) -> Card:
    """Return what a plan would come to, to be confirmed or changed; its channel may be gone, or hidden from members.

    `outcome` says what becomes of the dates of another whose place it takes, and who would be told.
    """
    say, zone = reader.say, preview.zone
    first, *later = preview.next
    lines = [
        say(_("## {group}", group=preview.group_name)),
        say(_("**{repeats}**, {length}", repeats=words.repeats(plan.rule, reader), length=times.length(plan.minutes))),
        say(_("First: {when}", when=times.when(first.at, zone, reader))),
    ]
    if later:
        days = say(_("; ")).join(times.day(each.at, zone, reader) for each in later)
        lines.append(say(_("Then: {days}", days=Verbatim(days))))
    lines += _about_clocks(preview, reader)
    lines += _about_clashes(preview, reader)
    lines += dates.changed(outcome, zone, reader) if outcome is not None else []
    if place_gone:
        lines.append(say(_("Look: the channel that it had is gone.")))
    card = Card().boxed().text("\n".join(lines))
    _add_place(card, plan, reader)
    if place_hidden:
        card.text(say(HIDDEN))
    ask = _("Nothing is kept yet. Is this right?")
    if instead_of:
        ask = _("Nothing is changed yet. These take the place of the old ones. Is this right?")
    if outcome is not None:
        card.text(say(hearing(outcome.heard)))
    state = Draft.of(plan, instead_of).code()
    label = _("Yes, change it") if instead_of else None
    return card.text(say(ask)).row(
        buttons.ScheduleButton(state, reader, label=label),
        buttons.ReplanButton(state, reader),
        buttons.DropButton(0, reader),
    )


def details_card(
    series: Series, group_name: str, plan: Plan, heard: Hearing, reader: Reader, *, place_hidden: bool = False
) -> Card:
    """Return what another length, place or topic of a series comes to, to be confirmed or changed."""
    say = reader.say
    lines = [say(_("## Change {group}?", group=group_name))]
    if plan.minutes != series.minutes:
        new, old = times.length(plan.minutes), times.length(series.minutes)
        lines.append(say(_("Length: {new} (now {old})", new=new, old=old)))
    where, place = (series.channel_id, series.link != ""), (plan.channel_id, plan.link != "")
    if where != place or series.link != plan.link:
        lines.append(say(_("Where: {new} (now {old})", new=_place(*place), old=_place(*where, before=True))))
    if plan.topic != series.topic:
        old = _("{topic}", topic=series.topic) if series.topic else _("none")
        lines.append(
            say(_("Topic: the one below (now {old})", old=old) if plan.topic else _("No topic (now {old})", old=old))
        )
    lines += [say(HIDDEN)] if place_hidden else []
    card = Card().boxed().text("\n".join(lines))
    if plan.link:
        card.text(say(_("Link. Members see it shortly before the start:"))).text(harmless(plan.link), mark=LINK)
    if plan.topic:
        card.text(say(_("Topic:"))).text(harmless(plan.topic), mark=TOPIC)
    ask = _("The times stay. Nothing is changed yet. Is this right?")
    state = f"{series.series_id}.{plan.minutes}.{plan.channel_id or 0}.{series.version}"
    return card.text(f"{say(hearing(heard))}\n{say(ask)}").row(
        buttons.DetailsSureButton(state, reader), buttons.RedetailButton(state, reader), buttons.DropButton(0, reader)
    )


def _place(channel_id: int | None, has_link: bool, *, before: bool = False) -> Text:  # noqa: FBT001 - of one pair
    if has_link:
        return _("a link") if before else _("the link below")
    if channel_id is not None:
        return _("{channel}", channel=channel_mention(channel_id))
    return _("the group's room")


def hearing(heard: Hearing) -> Text:
    """Say whether and how many people are told of a change."""
    if not heard.people:
        return _("Nobody gets a message about it. The cards show it.")
    return n_("I tell {n} person what changes.", "I tell {n} people what changes.", heard.people)


def refused_card(problem: Text, draft: Draft, typed: str, link: str, reader: Reader) -> Card:
    """Return why a phrase was not taken, with the form, which begins with it, as another way."""
    card = Card().boxed().text(reader.say(problem), mark=REASON)
    card.text(reader.say(_("You wrote:"))).text(harmless(typed), mark=TYPED)
    if link:
        card.text(reader.say(_("Your link:"))).text(harmless(link), mark=LINK)
    return card.row(buttons.ReplanButton(draft.code(), reader, label=_("Open the form")))


def carried(message: discord.Message | None) -> tuple[str, str]:
    """Return topic and link of the plan on a card."""
    found = _marked(message)
    return unharmed(found.get(TOPIC, "")), unharmed(found.get(LINK, ""))


def refused(message: discord.Message | None) -> tuple[str, str]:
    """Return the phrase on a card that was not taken, and why, in plain letters; two empty texts if there is none."""
    found = _marked(message)
    return unharmed(found.get(TYPED, "")), found.get(REASON, "").replace("*", "")


def _marked(message: discord.Message | None) -> dict[int, str]:
    every = _every(message.components if message is not None else ())
    return {each.id or 0: each.content for each in every if isinstance(each, discord.TextDisplay)}


def unharmed(shown: str) -> str:
    """Return the clean text of which text.harmless made this."""
    return re.sub(r"\\(.)", r"\1", shown).replace("@\u200b", "@")


def scheduled_card(
    opening: Text,
    group_name: str,
    rule: Rule,
    reader: Reader,
    *,
    first: datetime | None,
    series_id: int,
    zone: str,
    heard: Hearing | None = None,
) -> Card:
    """Return what is scheduled now; `heard` says who is told that it has changed."""
    lines = [
        reader.say(opening),
        reader.say(_("**{group}**: {repeats}", group=group_name, repeats=words.repeats(rule, reader))),
    ]
    if first is not None:
        lines.append(reader.say(_("Next: {when}", when=times.when(first, zone, reader))))
    lines.append(reader.say(_("Members see it in the group's room. I remind those who want it.")))
    if heard is not None and heard.people:
        soon = _("I tell its members in a minute. If you change it back before, nobody hears of it.")
        lines.append(reader.say(_("I tell its members now.") if heard.at_once else soon))
    card = Card().boxed().text("\n".join(lines))
    return card.row(buttons.DetailsButton(series_id, reader), buttons.MeetingsButton("0.0", reader))


def cancel_card(view: MeetingView, rule: Rule, reader: Reader) -> Card:
    """Ask which meetings are off."""
    repeats = rule.freq != "once"
    lines = [
        reader.say(_("## Cancel {group}?", group=view.group_name)),
        _line_of(view, reader),
        *([reader.say(_("This one, or all? {repeats}.", repeats=words.repeats(rule, reader)))] if repeats else []),
    ]
    card = Card().boxed().text("\n".join(lines))
    one = buttons.CancelOneButton(view.meeting_id, reader, label=None if repeats else _("Cancel this meeting"))
    ways: list[Any] = [] if view.state == "cancelled" else [one]
    if repeats:
        state = f"{view.series_id}.{view.local:%Y%m%d}"
        ways += [buttons.CancelAllButton(view.series_id, reader), buttons.SkipButton(state, reader)]
    ways += _way_back(view, reader)
    return card.row(*ways, buttons.KeepButton(view.meeting_id, reader))


def change_card(view: MeetingView, rule: Rule, reader: Reader) -> Card:
    """Ask what is changed."""
    lines = [
        reader.say(_("## {group}", group=view.group_name)),
        _line_of(view, reader),
        reader.say(_("{repeats}. What do you want to change?", repeats=words.repeats(rule, reader))),
    ]
    every = None if rule.freq != "once" else _("Change the plan")
    card = Card().boxed().text("\n".join(lines))
    card.row(
        buttons.MoveButton(view.meeting_id, reader),
        buttons.ChangeAllButton(view.series_id, reader, label=every),
        buttons.DetailsButton(view.series_id, reader),
    )
    ways = [*_way_back(view, reader), buttons.AskCancelButton(view.meeting_id, reader)]
    return card.row(*ways, buttons.KeepButton(view.meeting_id, reader))


def move_card(view: MeetingView, to: datetime, preview: Preview, reader: Reader) -> Card:
    """Return what a move would come to, to be confirmed."""
    at = preview.next[0].at
    lines = [
        reader.say(_("## Move {group}?", group=view.group_name)),
        reader.say(_("From: {when}", when=times.words(view.starts_at, view.zone, reader))),
        reader.say(_("To: {when}", when=times.when(at, view.zone, reader))),
        *_about_clocks(preview, reader),
        *_about_clashes(preview, reader),
        *([reader.say(_("It is off now. This puts it on again."))] if view.state == "cancelled" else []),
        reader.say(_("Only this one moves. Answers to the old time do not count then. Is this right?")),
    ]
    state = f"{view.meeting_id}.{local_code(to)}.{view.rev}"
    return (
        Card()
        .boxed()
        .text("\n".join(lines))
        .row(
            buttons.MoveSureButton(state, reader),
            buttons.MoveButton(view.meeting_id, reader, label=_("Change")),
            buttons.DropButton(0, reader),
        )
    )


def told(starts_at: datetime, now: datetime) -> Text:
    """Say when members hear of a change."""
    if starts_at - now < AT_ONCE:
        return _("I tell its members now.")
    return _("I tell its members in a minute. If you undo it before, nobody hears of it.")


def done_card(lines: Iterable[str], reader: Reader, *ways: Any) -> Card:
    """Return what was done, with the way back."""
    return Card().boxed().text("\n".join(lines)).row(*ways, buttons.MeetingsButton("0.0", reader))


def list_card(
    views: Sequence[MeetingView], reader: Reader, *, page: int = 0, group_id: int = 0, has_more: bool = False
) -> Card:
    """Return the next meetings of the groups that somebody looks after."""
    card = Card().boxed().text(reader.say(_("## Next meetings")))
    if not views:
        card.text(reader.say(_("There are none ahead. /meeting new plans one.")))
    for view in views:
        ways = _way_back(view, reader)
        if not ways or view.state == "planned":
            ways.insert(0, buttons.ManageButton(view.meeting_id, reader))
        line = f"{reader.say(_('**{group}**', group=view.group_name))}\n{_line_of(view, reader, briefly=True)}"
        card = card.text(line).row(*ways) if len(ways) > 1 else card.section(line, ways[0])
    pages: list[Any] = []
    if page:
        pages.append(buttons.MeetingsButton(f"{page - 1}.{group_id}", reader, label=_("Back")))
    if has_more:
        pages.append(buttons.MeetingsButton(f"{page + 1}.{group_id}", reader, label=_("More")))
    return card.row(*pages) if pages else card


def name_of(view: MeetingView, reader: Reader) -> str:
    """Return how a meeting is called where it is chosen, which shows plain text: "Tuesday, Tue, Dec 1, 6:30 pm"."""
    name = f"{view.group_name}, {times.short(view.starts_at, view.zone, reader)}"
    return name if view.state != "cancelled" else f"{name} {reader.say(_('(off)'))}"


def _line_of(view: MeetingView, reader: Reader, *, briefly: bool = False) -> str:
    """Return when a meeting is, how it stands, and how many answered."""
    if briefly:
        at, soon = times.words(view.starts_at, view.zone, reader), timestamp(view.starts_at, "R")
        lines = [reader.say(_("{at}, {soon}", at=at, soon=soon))]
    else:
        lines = [str(times.when(view.starts_at, view.zone, reader))]
    if view.state == "cancelled":
        lines.append(reader.say(_("It is off.")))
    elif view.was_moved:
        usual = instant(view.original, view.zone)
        lines.append(reader.say(_("Moved from {day}.", day=times.short(usual, view.zone, reader))))
    if view.state != "cancelled" and view.going + view.cant:
        coming = n_("{n} is coming", "{n} are coming", view.going)
        lines.append(reader.say(_("{coming}, {cant} can't.", coming=coming, cant=view.cant)))
    return "\n".join(lines)


def _way_back(view: MeetingView, reader: Reader) -> list[Any]:
    changed = view.state == "cancelled" or view.was_moved
    return [undo_button(view, reader)] if changed else []


def undo_button(view: MeetingView, reader: Reader) -> buttons.UndoButton:
    """Return the way back from how a meeting is now."""
    return buttons.UndoButton(f"{view.meeting_id}.{view.rev}", reader)


def _add_place(card: Card, plan: Plan, reader: Reader) -> None:
    place = channel_mention(plan.channel_id) if plan.channel_id else None
    if place is not None:
        card.text(reader.say(_("Where: {place}", place=place)))
    elif not plan.link:
        card.text(
            reader.say(_("Where: in the group's room. Only in a voice channel can I see if a facilitator comes."))
        )
    if plan.link:
        card.text(reader.say(_("Where: behind this link. Members see it shortly before the start.")))
        card.text(harmless(plan.link), mark=LINK)
    if plan.topic:
        card.text(reader.say(_("Topic:"))).text(harmless(plan.topic), mark=TOPIC)


def _about_clocks(preview: Preview, reader: Reader) -> list[str]:
    """Point out what a change of clocks does to the next meetings."""
    zone, lines = preview.zone, list[str]()
    for each in preview.next:
        kind, day, time = (
            kind_of(each.local, zone),
            times.day(each.at, zone, reader),
            times.wall_clock(each.local, reader),
        )
        if kind == "gap":
            then = times.clock(each.at, zone, reader)
            text = _("On {day}, clocks jump over {time}. That one begins at {then}.", day=day, time=time, then=then)
            lines.append(reader.say(text))
        elif kind == "fold":
            lines.append(reader.say(_("On {day}, {time} comes twice. I take the first one.", day=day, time=time)))
    for before, after in pairwise(preview.next):
        if clock_change_between(zone, before.at, after.at):
            day = times.day(day_of_change(zone, before.at, after.at), zone, reader)
            time = times.wall_clock(after.local, reader)
            text = _("Clocks change on {day}. The meeting stays at {time} ({city}).", day=day, time=time,
                     city=times.city(zone, reader))  # fmt: skip
            lines.append(reader.say(text))
    return lines


def _about_clashes(preview: Preview, reader: Reader) -> list[str]:
    """Point out what is at the same time."""
    lines: list[str] = []
    for clash in preview.clashes:
        at = times.words(clash.starts_at, preview.zone, reader)
        if clash.same_group:
            text = _("Look: this group meets already on {at}.", at=at)
        else:
            text = _(
                "Look: **{group}** meets on {at}, with a facilitator of this group.", group=clash.group_name, at=at
            )
        lines.append(reader.say(text))
    return lines


def _every(components: Iterable[Any]) -> Iterable[Any]:
    for each in components:
        yield each
        yield from _every(getattr(each, "children", ()))
