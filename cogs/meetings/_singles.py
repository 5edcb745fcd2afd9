"""What facilitators do with single meetings: list them, cancel one or all, move one, take it back.

A meeting is chosen by name and date, as somebody types it. Whoever cancels is asked "this one, or all?" first, and what
was done can be undone from the answer, and later from the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import discord

from cogs._interactions import ROW_ID, Answer, Filled, submits
from cogs.meetings import _forms as forms
from cogs.meetings import _plan_buttons as buttons
from cogs.meetings import _plan_cards as cards
from cogs.meetings import _words as words
from cogs.meetings._codes import parse_local
from peerbot import directory, meetings, times, timetables
from peerbot.directory import LONGEST_ID
from peerbot.errors import MeetingUnknown, NotValid
from peerbot.meetings import CHOICES, MeetingView
from peerbot.recurrence import Rule
from peerbot.rights import guild_of, require_facilitator
from peerbot.series import future
from peerbot.text import Reader, Text, _
from peerbot.timetables import Plan

SEARCHED = 200
"""Next meetings that are looked through for words of a name and date."""
LONGEST_TYPED = 100
"""Letters that are looked for; what is longer names no meeting, and would hold everyone up."""


async def suggested(answer: Answer, typed: str) -> list[MeetingView]:
    """Return the meetings that somebody may mean: by the group's name, or by words of name and date."""
    now, typed = answer.bot.clock.now(), typed[:LONGEST_TYPED]
    async with answer.bot.db.read() as session:
        found = await meetings.choices(session, answer.actor, like=typed, now=now)
        if found or not typed:
            return list(found)
        found = await meetings.choices(session, answer.actor, limit=SEARCHED, now=now)
    return fitting(found, typed, answer.reader)[:CHOICES]


def fitting(views: Sequence[MeetingView], typed: str, reader: Reader) -> list[MeetingView]:
    """Return those meetings whose name or date has words that begin with each word that was typed."""
    wanted = _words_in(typed[:LONGEST_TYPED])
    return [view for view in views if _has_all(_words_in(cards.name_of(view, reader)), wanted)]


def _words_in(text: str) -> set[str]:
    return set(text.lower().replace(",", " ").split())


def _has_all(parts: set[str], wanted: set[str]) -> bool:
    return all(any(part.startswith(word) for part in parts) for word in wanted)


async def _chosen(answer: Answer, typed: str) -> int:
    """Return the meeting that was chosen (its id), or the only one that fits what was typed. Raises NotValid."""
    if typed.isdecimal() and len(typed) <= LONGEST_ID:
        return int(typed)
    found = await suggested(answer, typed)
    if len(found) != 1:
        raise NotValid(_("Please choose one meeting from the list that I show while you type."))
    return found[0].meeting_id


async def _seen(answer: Answer, meeting_id: int) -> tuple[MeetingView, Rule]:
    """Return a meeting that the person may change, and how it repeats. Raises NotAllowed or MeetingUnknown."""
    now = answer.bot.clock.now()
    async with answer.bot.db.begin() as session:
        view = await meetings.view(session, answer.actor.guild_id, meeting_id)
        plan = await timetables.plan_of(session, answer.actor, view.series_id, now=now)
    if view.ends_at <= now or view.state == "over":
        raise MeetingUnknown
    return view, plan.rule


# cancel


async def ask_cancel(answer: Answer, typed: str) -> None:
    """Ask whether one meeting is off, or all."""
    await answer.reply(cards.cancel_card(*await _seen(answer, await _chosen(answer, typed)), answer.reader))


@buttons.AskCancelButton.pressed
async def press_ask_cancel(answer: Answer, state: str) -> None:
    """Ask whether this meeting is off, or all."""
    await answer.show(cards.cancel_card(*await _seen(answer, int(state)), answer.reader))


@buttons.CancelOneButton.pressed
async def cancel_one(answer: Answer, state: str) -> None:
    """Cancel one meeting."""
    now = answer.bot.clock.now()
    async with answer.bot.db.begin() as session:
        await meetings.cancel(session, answer.actor, int(state), now=now)
        view = await meetings.view(session, answer.actor.guild_id, int(state))
    lines = [
        _("**{group}** is off on {when}.", group=view.group_name, when=_words_of(view, answer.reader)),
        cards.told(view.starts_at, now),
    ]
    if view.next_at is not None:
        lines.append(_("The next one: {when}", when=times.when(view.next_at, view.zone, answer.reader)))
    await _done(answer, lines, cards.undo_button(view, answer.reader))


@buttons.CancelAllButton.pressed
async def cancel_all(answer: Answer, state: str) -> None:
    """End a series."""
    now = answer.bot.clock.now()
    async with answer.bot.db.begin() as session:
        series = await timetables.end(session, answer.actor, int(state), now=now)
        group = await directory.view(session, series.guild_id, series.group_id)
        off = await future(session, series, now, state="cancelled")
    rule = words.repeats(Rule.parse(series.rule), answer.reader)
    lines = [
        _("**{group}** is off from now on: {repeats}.", group=group.name, repeats=rule),
        *([cards.told(off[0].starts_at, now)] if off else []),
    ]
    await _done(answer, lines, buttons.GoOnButton(f"{series.series_id}.{series.version}", answer.reader))


@buttons.GoOnButton.pressed
async def go_on(answer: Answer, state: str) -> None:
    """Take the end of a series back."""
    now = answer.bot.clock.now()
    async with answer.bot.db.begin() as session:
        series_id, version = map(int, state.split("."))
        series = await timetables.go_on(session, answer.actor, series_id, version=version, now=now)
        group = await directory.view(session, series.guild_id, series.group_id)
    rule = words.repeats(Rule.parse(series.rule), answer.reader)
    await _done(answer, [_("**{group}** goes on: {repeats}.", group=group.name, repeats=rule)])


@buttons.KeepButton.pressed
async def keep(answer: Answer, _state: str) -> None:
    """Leave all as it is."""
    await _done(answer, [_("It stays as it is. Nothing was changed.")])


# move and change


async def ask_change(answer: Answer, typed: str) -> None:
    """Ask what is changed about a meeting."""
    await answer.reply(cards.change_card(*await _seen(answer, await _chosen(answer, typed)), answer.reader))


@buttons.ManageButton.pressed
async def manage(answer: Answer, state: str) -> None:
    """Show what can be done with a meeting of the list."""
    await answer.show(cards.change_card(*await _seen(answer, int(state)), answer.reader))


def _open_move_form(reader: Reader, state: str) -> discord.ui.Modal:
    return forms.move_form(reader, int(state))


@buttons.MoveButton.pressed
async def ask_move(answer: Answer, state: str) -> None:
    """Ask where to one meeting is moved."""
    view, _rule = await _seen(answer, int(state))
    await answer.ask(forms.move_form(answer.reader, view.meeting_id, view.local))


@submits("meetings:move", state=ROW_ID, opens=_open_move_form)
async def show_move(answer: Answer, state: str, filled: Filled) -> None:
    """Show what the move comes to."""
    bot, actor, now = answer.bot, answer.actor, answer.bot.clock.now()
    async with bot.db.begin() as session:
        view = await meetings.view(session, actor.guild_id, int(state))
        local = forms.read_moment(filled.text("first"), now=now, zone=view.zone, day=view.local.date())
        minutes = int((view.ends_at - view.starts_at).total_seconds() // 60)
        single = Plan(view.group_id, local, Rule("once"), minutes)
        preview = await timetables.look(session, actor, single, now=now)
    others = [clash for clash in preview.clashes if not (clash.same_group and clash.starts_at == view.starts_at)]
    preview = replace(preview, clashes=tuple(others))
    await answer.show(cards.move_card(view, local, preview, answer.reader))


@buttons.MoveSureButton.pressed
async def move(answer: Answer, state: str) -> None:
    """Move one meeting, if it is still as the card showed it."""
    bot, actor, now = answer.bot, answer.actor, answer.bot.clock.now()
    meeting, code, rev = state.split(".")
    meeting_id, local = int(meeting), parse_local(code)
    async with bot.db.begin() as session:
        before = (await meetings.view(session, actor.guild_id, meeting_id)).starts_at
        await meetings.move(session, actor, meeting_id, local, rev=int(rev), now=now)
        view = await meetings.view(session, actor.guild_id, meeting_id)
    lines = [
        _("**{group}** is moved.", group=view.group_name),
        _("Now: {when}", when=times.when(view.starts_at, view.zone, answer.reader)),
        cards.told(min(before, view.starts_at), now),
    ]
    await _done(answer, lines, cards.undo_button(view, answer.reader))


@buttons.UndoButton.pressed
async def undo(answer: Answer, state: str) -> None:
    """Put one meeting back, if nothing has changed since; where its series has ended, all of it goes on."""
    bot, actor, now = answer.bot, answer.actor, answer.bot.clock.now()
    meeting_id, rev = map(int, state.split("."))
    async with bot.db.begin() as session:
        view = await meetings.view(session, actor.guild_id, meeting_id)
        if view.state == "cancelled" and view.why == "ended":
            await timetables.locked_series(session, actor, view.series_id, ended_too=True)
            meetings.require_rev(await meetings.view(session, actor.guild_id, meeting_id), rev)
            await timetables.go_on(session, actor, view.series_id, now=now)
        else:
            await meetings.undo(session, actor, meeting_id, rev=rev, now=now)
        view = await meetings.view(session, actor.guild_id, meeting_id)
    is_off = view.state == "cancelled"
    lines = [
        _("**{group}** is off again.", group=view.group_name)
        if is_off
        else _("**{group}** is on again.", group=view.group_name),
        _("When: {when}", when=times.when(view.starts_at, view.zone, answer.reader)),
    ]
    await _done(answer, lines)


# the list


async def show_list(answer: Answer, group: str) -> None:
    """Show the next meetings of the groups that somebody looks after, or of one."""
    group_id = 0
    if group:
        async with answer.bot.db.read() as session:
            group_id = await directory.named(session, answer.actor.guild_id, group)
            await directory.roster(session, answer.actor, group_id)
    await answer.reply(await _page(answer, 0, group_id))


@buttons.MeetingsButton.pressed
async def turn_page(answer: Answer, state: str) -> None:
    """Show another page of the list."""
    page, group_id = map(int, state.split("."))
    await answer.show(await _page(answer, page, group_id))


async def _page(answer: Answer, page: int, group_id: int) -> discord.ui.LayoutView:
    async with answer.bot.db.read() as session:
        require_facilitator(await guild_of(session, answer.actor.guild_id), answer.actor)
        found = await meetings.choices(
            session, answer.actor, group_id=group_id or None, ended_too=True, offset=page * cards.PAGE,
            limit=cards.PAGE + 1, now=answer.bot.clock.now(),
        )  # fmt: skip
    more = len(found) > cards.PAGE
    return cards.list_card(found[: cards.PAGE], answer.reader, page=page, group_id=group_id, has_more=more)


def _words_of(view: MeetingView, reader: Reader) -> str:
    return times.words(view.starts_at, view.zone, reader)


async def _done(answer: Answer, lines: list[Text], *ways: discord.ui.Item[Any]) -> None:
    await answer.show(cards.done_card([answer.say(line) for line in lines], answer.reader, *ways))
