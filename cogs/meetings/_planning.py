"""What facilitators do with a timetable: plan it, see what it comes to, confirm it, change it.

Nothing is stored before it was shown and confirmed. Rights, the group and the time are looked at again at that moment,
and a second press finds that it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import discord

from cogs._interactions import OLD_BUTTON, ROW_ID, Answer, Filled, submits
from cogs.meetings import _forms as forms
from cogs.meetings import _plan_buttons as buttons
from cogs.meetings import _plan_cards as cards
from cogs.meetings._codes import STATE, CodeRefused, Draft
from peerbot import directory, echoes, phrases, timetables
from peerbot.echoes import Hearing
from peerbot.errors import MeetingUnknown, NotValid, PeerbotError
from peerbot.models import Meeting, Series
from peerbot.phrases import PhraseRefused
from peerbot.recurrence import Rule
from peerbot.rights import Actor, guild_of
from peerbot.series import future
from peerbot.text import Reader, Text, _
from peerbot.timetables import Plan

Place = discord.VoiceChannel | discord.StageChannel | discord.TextChannel


async def start(answer: Answer, group: str, when: str, channel: Place | None, link: str) -> None:
    """Show what a phrase comes to; without one, open the form."""
    bot, actor = answer.bot, answer.actor
    async with bot.db.read() as session:
        group_id = await directory.named(session, actor.guild_id, group)
        await directory.roster(session, actor, group_id)
        zone = (await guild_of(session, actor.guild_id)).time_zone
    _require_place(answer, channel.id if channel else 0)
    draft = Draft(group_id, channel_id=channel.id if channel else 0)
    if not when.strip():
        await answer.ask(forms.plan_form(answer.reader, draft, link=link))
        return
    try:
        reading = phrases.read(when, now=bot.clock.now(), zone=zone)
    except PhraseRefused as problem:
        await answer.reply(cards.refused_card(problem.text, draft, when, link, answer.reader))
        return
    await _echo(answer, replace(draft, first=reading.first, rule=reading.rule).plan("", link), 0)


def _open_plan_form(reader: Reader, state: str) -> discord.ui.Modal:
    return forms.plan_form(reader, Draft.parse(state))


@buttons.ReplanButton.pressed
async def ask_again(answer: Answer, state: str) -> None:
    """Open the form with the plan that the card shows."""
    topic, link = cards.carried(answer.interaction.message)
    typed, why = cards.refused(answer.interaction.message)
    draft = _placed(answer, _draft(state))
    await answer.ask(forms.plan_form(answer.reader, draft, topic, link, typed=typed, why=why))


@submits("meetings:plan", state=STATE, opens=_open_plan_form)
async def read_form(answer: Answer, state: str, filled: Filled) -> None:
    """Show what the form comes to; a channel that is gone is left out, as the form has no field for it."""
    known = _draft(state)
    draft = _placed(answer, known)
    async with answer.bot.db.read() as session:
        zone = (await guild_of(session, answer.actor.guild_id)).time_zone
    plan = forms.read_plan(filled, draft, now=answer.bot.clock.now(), zone=zone)
    await _echo(answer, plan, draft.instead_of, place_gone=draft != known)


async def _echo(answer: Answer, plan: Plan, instead_of: int, *, place_gone: bool = False) -> None:
    bot = answer.bot
    now, outcome = bot.clock.now(), None
    async with bot.db.begin() as session:
        preview = await timetables.look(session, answer.actor, plan, now=now, instead_of=instead_of)
        if instead_of:
            outcome = await echoes.change(session, answer.actor, instead_of, plan, now=now)
    is_hidden = plan.channel_id != preview.room_id and _is_hidden(answer, plan.channel_id)
    await answer.show(
        cards.echo_card(
            plan, preview, instead_of, answer.reader, outcome=outcome, place_gone=place_gone, place_hidden=is_hidden
        )
    )


@buttons.ScheduleButton.pressed
async def schedule(answer: Answer, state: str) -> None:
    """Store the plan, or put it in the place of the old one."""
    bot, actor, now = answer.bot, answer.actor, answer.bot.clock.now()
    draft = _draft(state)
    topic, link = cards.carried(answer.interaction.message)
    plan = _whole(draft, topic, link)
    if not _is_place(answer, draft.channel_id):
        raise NotValid(_("The channel is gone. Nothing was changed. Press *Change* to go on without it."))
    heard = None
    async with bot.db.begin() as session:
        if draft.instead_of:
            series, heard = await _changed(session, actor, draft.instead_of, plan, now)
            opening = _("## It is changed")
        else:
            series = await timetables.create(session, actor, plan, now=now)
            opening = _("## It is scheduled")
        group = await directory.view(session, actor.guild_id, plan.group_id)
        ahead = await future(session, series, now)
        if not draft.instead_of and series.created_at != now:
            _series, tended = await timetables.locked_series(session, actor, series.series_id)
            opening = _stands(plan, series, timetables.channel_of(plan, tended))
    await _show_series(answer, opening, group.name, series, ahead=ahead, heard=heard)


def _stands(plan: Plan, series: Series, channel_id: int | None) -> Text:
    """Say that a series stands already, and that nothing else of what was planned is taken over."""
    if (channel_id, plan.link, plan.topic) == (series.channel_id, series.link, series.topic):
        return _("## It stands already")
    return _("## It stands already\nIts place, link and topic stay as they were. Below you can change them.")


async def _changed(
    session: Any, actor: Actor, series_id: int, plan: Plan, now: datetime
) -> tuple[Series, Hearing | None]:
    """Change a series, with who is told; where that was done already, as by the first of two presses, what stands."""
    try:
        heard = await echoes.hearing(session, actor, series_id, plan, now=now)
        return await timetables.change(session, actor, series_id, plan, now=now), heard
    except MeetingUnknown:
        series = await timetables.standing(session, actor, plan)
        if series is None:
            raise
        return series, None


@buttons.DropButton.pressed
async def drop(answer: Answer, _state: str) -> None:
    """Forget the plan."""
    await answer.show(_("Nothing was changed."))


@buttons.ChangeAllButton.pressed
async def ask_change(answer: Answer, state: str) -> None:
    """Open the form with a series as it is."""
    bot = answer.bot
    async with bot.db.begin() as session:
        plan = await timetables.plan_of(session, answer.actor, int(state), now=bot.clock.now())
    draft = _placed(answer, Draft.of(plan, instead_of=int(state)))
    await answer.ask(forms.plan_form(answer.reader, draft, plan.topic, plan.link))


def _open_details_form(reader: Reader, state: str) -> discord.ui.Modal:
    return forms.details_form(reader, int(state), None)


@buttons.DetailsButton.pressed
async def ask_details(answer: Answer, state: str) -> None:
    """Open the form with length, place and topic."""
    bot = answer.bot
    async with bot.db.begin() as session:
        plan = await timetables.plan_of(session, answer.actor, int(state), now=bot.clock.now())
    if not _is_place(answer, plan.channel_id or 0):
        plan = replace(plan, channel_id=None)
    await answer.ask(forms.details_form(answer.reader, int(state), plan))


@submits("meetings:details", state=ROW_ID, opens=_open_details_form)
async def show_details(answer: Answer, state: str, filled: Filled) -> None:
    """Show what another length, place, link and topic come to."""
    bot, actor, now = answer.bot, answer.actor, answer.bot.clock.now()
    channel_id = filled.id("channel")
    _require_place(answer, channel_id)
    async with bot.db.begin() as session:
        plan = await timetables.plan_of(session, actor, int(state), now=now)
        new = _detailed(plan, filled.text("minutes"), channel_id, filled.text("topic"), filled.text("link"))
        series, group = await timetables.locked_series(session, actor, int(state))
        new = replace(new, channel_id=timetables.channel_of(new, group))
        heard = await echoes.hearing(session, actor, int(state), new, now=now)
    if new == plan:
        same = answer.say(_("It is like that already. Nothing was changed."))
        await answer.show(cards.done_card([same], answer.reader, buttons.DetailsButton(state, answer.reader)))
        return
    is_hidden = new.channel_id != series.channel_id and _is_hidden(answer, new.channel_id)
    await answer.show(cards.details_card(series, group.name, new, heard, answer.reader, place_hidden=is_hidden))


@buttons.RedetailButton.pressed
async def ask_details_again(answer: Answer, state: str) -> None:
    """Open the form with what the card shows."""
    series_id, minutes, channel_id, _version = map(int, state.split("."))
    topic, link = cards.carried(answer.interaction.message)
    async with answer.bot.db.begin() as session:
        plan = await timetables.plan_of(session, answer.actor, series_id, now=answer.bot.clock.now())
    channel_id = channel_id if _is_place(answer, channel_id) else 0
    await answer.ask(
        forms.details_form(answer.reader, series_id, _detailed(plan, str(minutes), channel_id, topic, link))
    )


@buttons.DetailsSureButton.pressed
async def change_details(answer: Answer, state: str) -> None:
    """Change length, place, link and topic, if nobody else has changed the series; the times stay."""
    bot, actor, now = answer.bot, answer.actor, answer.bot.clock.now()
    series_id, minutes, channel_id, version = map(int, state.split("."))
    topic, link = cards.carried(answer.interaction.message)
    _require_place(answer, channel_id)
    async with bot.db.begin() as session:
        plan = await timetables.plan_of(session, actor, series_id, now=now)
        new = _detailed(plan, str(minutes), channel_id, topic, link)
        heard = await echoes.hearing(session, actor, series_id, new, now=now)
        series = await timetables.change(session, actor, series_id, new, version=version, now=now)
        group = await directory.view(session, actor.guild_id, plan.group_id)
        ahead = await future(session, series, now)
    await _show_series(answer, _("## It is changed"), group.name, series, ahead=ahead, heard=heard)


def _detailed(plan: Plan, minutes: str, channel_id: int, topic: str, link: str) -> Plan:
    """Return a plan with another length, place and topic. Raises NotValid."""
    return Plan.checked(
        group_id=plan.group_id, first=plan.first, rule=plan.rule, minutes=minutes, channel_id=channel_id or None,
        link=link, topic=topic,
    )  # fmt: skip


async def _show_series(
    answer: Answer, opening: Text, group_name: str, series: Series, *, ahead: Sequence[Meeting], heard: Hearing | None
) -> None:
    first = ahead[0].starts_at if ahead else None  # the first days may be off
    await answer.show(
        cards.scheduled_card(
            opening,
            group_name,
            Rule.parse(series.rule),
            answer.reader,
            first=first,
            series_id=series.series_id,
            zone=series.zone,
            heard=heard,
        )
    )


def _draft(state: str) -> Draft:
    try:
        return Draft.parse(state)
    except CodeRefused as problem:
        raise PeerbotError(OLD_BUTTON) from problem


def _whole(draft: Draft, topic: str, link: str) -> Plan:
    try:
        return draft.plan(topic, link)
    except CodeRefused as problem:
        raise PeerbotError(OLD_BUTTON) from problem


def _placed(answer: Answer, draft: Draft) -> Draft:
    """Return a draft without its channel where that cannot be chosen any more."""
    return draft if _is_place(answer, draft.channel_id) else replace(draft, channel_id=0)


def _require_place(answer: Answer, channel_id: int) -> None:
    """Raise NotValid unless the channel is one of this server in which people can meet, and the person sees it."""
    if not _is_place(answer, channel_id):
        raise NotValid(_("I can't see that channel in this server. Please choose another place."))


def _is_place(answer: Answer, channel_id: int) -> bool:
    if not channel_id:
        return True
    server, person = answer.interaction.guild, answer.interaction.user
    channel = server.get_channel(channel_id) if server is not None else None
    if not isinstance(channel, Place) or not isinstance(person, discord.Member):
        return False
    return channel.permissions_for(person).view_channel


def _is_hidden(answer: Answer, channel_id: int | None) -> bool:
    """Return whether a channel is one that not everyone in the server sees."""
    server = answer.interaction.guild
    channel = server.get_channel(channel_id or 0) if server is not None else None
    return channel is not None and not channel.permissions_for(channel.guild.default_role).view_channel
