"""What facilitators do with several weeks of a series: skip them, once they have seen what falls out, and take it back.

Nothing is kept before it was shown and confirmed, as with a plan; what falls out is looked at again at that moment.
"""

from __future__ import annotations

from datetime import date, datetime, time

from cogs._interactions import OLD_BUTTON, Answer, Card, Filled, submits
from cogs.meetings import _dates as dates
from cogs.meetings import _forms as forms
from cogs.meetings import _plan_buttons as buttons
from cogs.meetings import _plan_cards as cards
from peerbot import breaks, echoes, meetings, times
from peerbot.breaks import Dated, Foreseen
from peerbot.echoes import Hearing
from peerbot.errors import PeerbotError
from peerbot.recurrence import instant
from peerbot.rights import guild_of
from peerbot.text import Reader, Text, _, n_


@buttons.SkipButton.pressed
async def ask(answer: Answer, state: str) -> None:
    """Ask from when to when there are no meetings."""
    try:
        opened = forms.skip_form(answer.reader, state)
    except ValueError as problem:
        raise PeerbotError(OLD_BUTTON) from problem
    await answer.ask(opened)


@submits("meetings:skip", state=buttons.SKIP, opens=forms.skip_form)
async def show(answer: Answer, state: str, filled: Filled) -> None:
    """Show what falls out from one day to another."""
    bot, actor, now = answer.bot, answer.actor, answer.bot.clock.now()
    series_id = int(state.partition(".")[0])
    async with bot.db.begin() as session:
        zone = (await guild_of(session, actor.guild_id)).time_zone
        first = forms.read_day(filled.text("from"), now=now, zone=zone)
        last = forms.read_day(filled.text("to"), now=now, zone=zone)
        seen = await breaks.look(session, actor, series_id, first, last, now=now)
        heard = await echoes.hearing_break(session, actor, series_id, seen, now=now)
    await answer.show(break_card(series_id, seen, heard, answer.reader))


def break_card(series_id: int, seen: Foreseen, heard: Hearing, reader: Reader) -> Card:
    """Return what a break comes to, to be confirmed or changed."""
    zone, off = seen.zone, seen.falls_out
    a, b = (_day(day, zone, reader) for day in (seen.first, seen.last))
    lines = [
        _("## {group}: a break?", group=seen.group_name),
        _("From {a} to {b}.", a=a, b=b) if seen.first != seen.last else _("On {a}.", a=a),
        n_("{n} meeting will be off: {days}.", "{n} meetings will be off: {days}.", len(off),
           days=dates.days(off, zone, reader)),
        *(_("One of them was moved there: {when}.", when=_when(each, zone, reader)) for each in off if each.was_moved),
    ]  # fmt: skip
    if seen.off_already:
        lines.append(_("Off already: {days}.", days=dates.days(seen.off_already, zone, reader)))
    lines += [_("Stays on, because you moved it: {when}.", when=_when(each, zone, reader)) for each in seen.stays_on]
    if seen.goes_on is not None:
        lines.append(_("Then it goes on: {when}", when=times.when(seen.goes_on, zone, reader)))
    lines += [cards.hearing(heard), _("Nothing is changed yet. Is this right?")]
    days = f"{series_id}.{seen.first:%Y%m%d}.{seen.last:%Y%m%d}"
    card = Card().boxed().text("\n".join(reader.say(line) for line in lines))
    return card.row(
        buttons.SkipSureButton(f"{days}.{seen.code}", reader),
        buttons.SkipButton(days, reader, label=_("Change")),
        buttons.DropButton(0, reader),
    )


@buttons.SkipSureButton.pressed
async def skip(answer: Answer, state: str) -> None:
    """Cancel the meetings from one day to another, if those fall out that the card showed."""
    bot, actor, now = answer.bot, answer.actor, answer.bot.clock.now()
    series_id, a, b, code = state.split(".")
    first, last = _read(a), _read(b)
    async with bot.db.begin() as session:
        kept = await breaks.skip(session, actor, int(series_id), first, last, code=code, now=now)
        views = await meetings.several(session, actor.guild_id, [each.meeting_id for each in kept.meetings])
    zone, group = views[0].zone, views[0].group_name
    off = [Dated(each.starts_at, each.starts_at, each.local) for each in views]
    lines: list[Text] = [
        n_("**{group}**: {n} meeting is off.", "**{group}**: {n} meetings are off.", len(off), group=group),
        _("{days}", days=dates.days(off, zone, answer.reader)),
        cards.told(off[0].at, now),
    ]
    if kept.goes_on is not None:
        lines.append(_("Then it goes on: {when}", when=times.when(kept.goes_on, zone, answer.reader)))
    await _done(answer, lines, buttons.UnskipButton(kept.break_id, answer.reader))


@buttons.UnskipButton.pressed
async def unskip(answer: Answer, state: str) -> None:
    """Take a break back."""
    async with answer.bot.db.begin() as session:
        back = await breaks.unskip(session, answer.actor, int(state), now=answer.bot.clock.now())
    text = n_("{n} meeting is on again.", "{n} meetings are on again.", len(back))
    await _done(answer, [text if back else _("These weeks are on already.")])


def _read(day: str) -> date:
    try:
        return datetime.strptime(day, "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError as problem:
        raise PeerbotError(OLD_BUTTON) from problem


def _day(day: date, zone: str, reader: Reader) -> Text:
    at = instant(datetime.combine(day, time(12)), zone)
    return _("{day}, {year}", day=times.day(at, zone, reader), year=str(day.year))


def _when(each: Dated, zone: str, reader: Reader) -> str:
    return times.words(each.at, zone, reader)


async def _done(answer: Answer, lines: list[Text], *ways: buttons.UnskipButton) -> None:
    await answer.show(cards.done_card([answer.say(line) for line in lines], answer.reader, *ways))
