"""Who is in a group: its facilitators see, remove, and let back; who looks after it, and who steps back."""

from __future__ import annotations

import asyncio
from typing import Any

import discord
from discord import ui

from cogs._interactions import ROW_ID, Answer, Card, Filled, form, submits
from cogs._threads import present
from cogs.groups import _buttons as buttons
from cogs.groups import _cards as drawn
from cogs.groups import _effects as effects
from peerbot import access, directory, facilitators, groups
from peerbot.dispatcher import NotNeeded, Outcome, Retry, Sent
from peerbot.errors import NotValid
from peerbot.text import _

REASONS = {
    "none": _("I'd rather not say"),
    "agreement": _("The agreement was not kept"),
    "asked": _("They asked for it"),
    "other": _("Something else"),
}
NAME_WAIT = 1.5
"""Seconds that Discord gets to answer for names."""


async def show_people(answer: Answer, group_id: int, outcome: Outcome | None = None) -> None:
    """Answer with who is in a group, to its facilitators alone; after a change, say so if its room does not follow."""
    actor, server = answer.actor, answer.interaction.guild
    async with answer.bot.db.read() as session:
        roster = await directory.roster(session, actor, group_id)
        rooms = await access.rooms(session, actor.guild_id, group_id=group_id, now=answer.bot.clock.now())
    let_in = effects.people_let_in(server, rooms[0].room_id) if rooms and server is not None else None
    strange = [] if let_in is None else sorted(let_in - rooms[0].wanted.keys() - rooms[0].held.keys())
    people = [person.user_id for person in (*roster.facilitators, *roster.people)]
    names = await names_of(answer, [*people, *strange])
    # A permission stays behind when somebody leaves the server.
    strange = [user_id for user_id in strange if names.known is None or user_id in names.known]
    note = None if outcome is None or isinstance(outcome, Sent | NotNeeded) else ROOM_LATER
    await answer.show(drawn.people_card(roster, names, strange, answer.reader, note))


ROOM_LATER = _("**Saved. But the room has not followed yet.** If I can't do it, I write in the staff channel why.")


async def people(answer: Answer, words: str) -> None:
    """Answer with who is in the group of this name, which may have closed while its room is open."""
    since = answer.bot.clock.now() - access.FAREWELL
    async with answer.bot.db.read() as session:
        group_id = await directory.named(session, answer.actor.guild_id, words, closed_since=since)
    await show_people(answer, group_id)


async def names_of(answer: Answer, user_ids: list[int]) -> drawn.Names:
    """Return the names that people have in the server, as far as Discord answers in time."""
    server = answer.interaction.guild
    if server is None or not user_ids:
        return drawn.Names({})
    try:
        found = await asyncio.wait_for(present(answer.bot, server, user_ids), NAME_WAIT)
    except (TimeoutError, discord.ClientException):
        return drawn.Names(None)
    return drawn.Names({member.id: member.display_name for member in found})


@buttons.PeopleButton.pressed
async def press_people(answer: Answer, state: str) -> None:
    """Show who is in the group."""
    await show_people(answer, int(state))


@buttons.PersonSelect.chosen
async def show_person(answer: Answer, state: str, values: list[str]) -> None:
    """Show what can be done about one person."""
    _kind, member_id = values[0].split(".")
    async with answer.bot.db.read() as session:
        roster = await directory.roster(session, answer.actor, int(state))
    person = next((p for p in (*roster.facilitators, *roster.people) if p.member_id == int(member_id)), None)
    if person is None:
        raise NotValid(_("They are not in this group any more. Nothing was changed."))
    names = await names_of(answer, [person.user_id])
    name = names.of(person.user_id, answer.reader)
    key = f"{state}.{member_id}"
    choices: dict[str, type[Any]] = {"facilitator": buttons.DropFacilitatorButton, "removed": buttons.LetBackButton}
    button = choices.get(person.state, buttons.RemoveButton)
    lines = [answer.say(_("## {name} in {group}", name=name, group=roster.group.name))]
    if person.number is not None:
        lines += [answer.say(_("In line: number {number}.", number=person.number))]
    if person.state == "removed" and person.removed_for in REASONS and person.removed_for != "none":
        lines += [answer.say(_("Removed. Reason, for facilitators only: {reason}", reason=REASONS[person.removed_for]))]
    back = buttons.PeopleButton(state, answer.reader, label=_("Back"))
    await answer.show(Card().boxed().text("\n".join(lines)).row(button(key, answer.reader), back))


@buttons.RemoveButton.pressed
async def ask_remove(answer: Answer, state: str) -> None:
    """Ask for the reason, which may stay empty."""
    options = [
        discord.RadioGroupOption(label=answer.say(label), value=value, default=value == "none")
        for value, label in REASONS.items()
    ]
    await answer.ask(
        form(
            "groups:remove",
            state,
            answer.say(_("Remove from the group")),
            ui.Label(
                text=answer.say(_("Reason")),
                description=answer.say(_("Only this group's facilitators see it. You need not say.")),
                component=ui.RadioGroup(custom_id="reason", options=options, required=False),
            ),
        )
    )


@submits("groups:remove", state=buttons.GROUP_AND_MEMBER)
async def remove(answer: Answer, state: str, filled: Filled) -> None:
    """Remove the person, close the room to them, and show who is left."""
    bot = answer.bot
    group_id, member_id = (int(part) for part in state.split("."))
    async with bot.db.begin() as session:
        removed = await groups.remove(
            session, answer.actor, group_id, member_id, reason=filled.text("reason") or "none", now=bot.clock.now()
        )
    await show_people(answer, group_id, await bot.dispatcher.outcome(removed.access_id) or Retry("under way"))


@buttons.LetBackButton.pressed
async def let_back(answer: Answer, state: str) -> None:
    """Let the person join again."""
    group_id, member_id = (int(part) for part in state.split("."))
    async with answer.bot.db.begin() as session:
        await groups.let_back(session, answer.actor, group_id, member_id)
    await show_people(answer, group_id)


@buttons.AddFacilitatorButton.pressed
async def ask_facilitator(answer: Answer, state: str) -> None:
    """Ask who shall look after the group too."""
    await answer.ask(
        form(
            "groups:add-facilitator",
            state,
            answer.say(_("Add a facilitator")),
            ui.Label(
                text=answer.say(_("Who?")),
                description=answer.say(_("They need the facilitator role. They see the room and who is in it.")),
                component=ui.UserSelect(custom_id="who", required=True),
            ),
        )
    )


@submits("groups:add-facilitator", state=ROW_ID)
async def add_facilitator(answer: Answer, state: str, filled: Filled) -> None:
    """List the person as a facilitator, and let them in."""
    bot, actor, server = answer.bot, answer.actor, answer.interaction.guild
    user_id = filled.id("who")
    if server is None:
        raise NotValid(_("This works in the server only."))
    try:
        found = await asyncio.wait_for(present(bot, server, [user_id], afresh=True), NAME_WAIT)
    except TimeoutError:
        raise NotValid(_("Discord does not answer right now. Nothing was changed. Please try again.")) from None
    if not found or found[0].bot:
        raise NotValid(_("I can't find that person in this server."))
    role_ids = frozenset(role.id for role in found[0].roles)
    async with bot.db.begin() as session:
        planned = await facilitators.add(session, actor, int(state), user_id, role_ids, now=bot.clock.now())
    await show_people(answer, int(state), await bot.dispatcher.outcome(planned) or Retry("under way"))


@buttons.DropFacilitatorButton.pressed
async def drop_facilitator(answer: Answer, state: str) -> None:
    """Take the person off the list, and close the room to them."""
    bot = answer.bot
    group_id, member_id = (int(part) for part in state.split("."))
    async with bot.db.begin() as session:
        struck = await facilitators.remove(session, answer.actor, group_id, member_id, now=bot.clock.now())
    outcome = await bot.dispatcher.outcome(struck.access_id) or Retry("under way")
    if struck.sees_on:
        await show_people(answer, group_id, outcome)
        return
    lines = [answer.say(_("You no longer look after **{name}**.", name=struck.name))]
    if not isinstance(outcome, Sent | NotNeeded):
        lines += [answer.say(_("You may still see the room. I keep trying to close it."))]
    await answer.show(Card().boxed().text("\n".join(lines)))
