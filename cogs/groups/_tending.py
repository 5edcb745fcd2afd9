"""What facilitators do with a group: create it, change it, post its card, close it, give it a new room."""

from __future__ import annotations

import discord
from discord import ui

from cogs._interactions import ROW_ID, Answer, Card, Filled, form, submits
from cogs._outbox import told_staff
from cogs.groups import _buttons as buttons
from cogs.groups import _effects as effects
from peerbot import cards, directory, groups, rooms
from peerbot.dispatcher import Gone, Sent
from peerbot.errors import NotAllowed, NotValid
from peerbot.groups import LONGEST, MOST_SEATS, Details
from peerbot.models import Guild
from peerbot.rights import guild_of, require_facilitator
from peerbot.text import Reader, Text, _, channel_mention, n_

SEATS = "12"
"""Seats of a new group; DBSA's groups hold 10 to 12 people."""


def details_form(name: str, state: str, title: Text, reader: Reader, view: directory.GroupView | None) -> ui.Modal:
    """Return the form with a group's details, filled when there is a group."""
    meets_by = view.meets_by if view else "voice"
    kinds = {"voice": _("Voice"), "text": _("Text"), "both": _("Both")}
    options = [
        discord.RadioGroupOption(label=reader.say(label), value=value, default=value == meets_by)
        for value, label in kinds.items()
    ]
    return form(
        name,
        state,
        reader.say(title),
        ui.Label(
            text=reader.say(_("Name")),
            description=reader.say(_("A neutral name is kind: it can show on a phone.")),
            component=ui.TextInput(custom_id="name", max_length=LONGEST["name"], default=view.name if view else None),
        ),
        ui.Label(
            text=reader.say(_("What is it like?")),
            description=reader.say(_("Who is it for? What happens? When do you meet?")),
            component=ui.TextInput(
                custom_id="about",
                style=discord.TextStyle.paragraph,
                max_length=LONGEST["about"],
                required=False,
                default=view.about if view else None,
            ),
        ),
        ui.Label(
            text=reader.say(_("Topic")),
            description=reader.say(_("One or two words. People can filter by it.")),
            component=ui.TextInput(
                custom_id="topic", max_length=LONGEST["topic"], required=False, default=view.topic if view else None
            ),
        ),
        ui.Label(
            text=reader.say(_("How do you meet?")),
            component=ui.RadioGroup(custom_id="meets_by", options=options, required=True),
        ),
        ui.Label(
            text=reader.say(_("Seats")),
            description=reader.say(_("From 1 to {most}. 12 is a good number.", most=MOST_SEATS)),
            component=ui.TextInput(custom_id="seats", max_length=2, default=str(view.capacity) if view else SEATS),
        ),
    )


def _new_form(reader: Reader, state: str) -> ui.Modal:
    return details_form("groups:new", state, _("New group"), reader, None)


def _edit_form(reader: Reader, state: str) -> ui.Modal:
    return details_form("groups:edit", state, _("Change the group"), reader, None)


def _details(filled: Filled, hello: str, card: str = "") -> Details:
    return Details.checked(
        name=filled.text("name"),
        about=filled.text("about"),
        topic=filled.text("topic"),
        meets_by=filled.text("meets_by"),
        capacity=filled.text("seats"),
        hello="yes" if hello == "1" else "",
        card=card,
    )


async def ask_new(answer: Answer, *, room: discord.TextChannel | None, role: discord.Role | None, hello: bool) -> None:
    """Open the form for a new group; say at once what would not work."""
    actor = answer.actor
    async with answer.bot.db.read() as session:
        require_facilitator(await guild_of(session, actor.guild_id), actor)
    _require_usable(answer, room.id if room else 0, role.id if role else 0)
    state = f"{room.id if room else 0}-{role.id if role else 0}-{int(hello)}"
    await answer.ask(_new_form(answer.reader, state))


def _require_usable(answer: Answer, room_id: int, role_id: int) -> None:
    """Raise NotValid unless the person may give this channel away, and this role gives nothing but itself."""
    server, person = answer.interaction.guild, answer.interaction.user
    if room_id:
        room = server.get_channel(room_id) if server is not None else None
        if server is None or not isinstance(room, discord.TextChannel) or not isinstance(person, discord.Member):
            raise NotValid(_("I can't see that channel in this server. Please choose another one."))
        if not room.permissions_for(person).manage_channels:
            raise NotValid(_("You need *Manage Channel* in that channel to make it a group's room."))
        if room.permissions_for(server.default_role).view_channel:
            raise NotValid(_("Everyone can see that channel. Please make it private first, or leave it to me."))
    if role_id and not answer.actor.manages:
        raise NotAllowed(_("Only someone with the Manage Server permission can tie a role to a group."))
    if role_id:
        role = server.get_role(role_id) if server is not None else None
        if server is None or role is None:
            raise NotValid(_("I can't see that role in this server. Please choose another one."))
        if role.is_default() or role.managed or role >= server.me.top_role:
            raise NotValid(_("I can't give that role. Please choose one that stands below my own role."))
        if not role.permissions.is_subset(server.default_role.permissions):
            raise NotValid(_("That role brings permissions with it. Please choose one that brings none."))


@submits("groups:new", state=r"\d{1,19}-\d{1,19}-[01]", opens=_new_form)
async def create(answer: Answer, state: str, filled: Filled) -> None:
    """Create the group, make its room, and say what there is now."""
    bot, actor = answer.bot, answer.actor
    room, role, hello = state.split("-")
    room_id, role_id = int(room), int(role)
    _require_usable(answer, room_id, role_id)
    async with bot.db.begin() as session:
        created, planned = await groups.create(
            session,
            actor,
            _details(filled, hello),
            room_id=room_id or None,
            role_id=role_id or None,
            now=bot.clock.now(),
        )
    outcome = await bot.dispatcher.outcome(planned)
    async with bot.db.read() as session:
        made_id = await directory.room_of(session, actor.guild_id, created.group_id)
        guild = await guild_of(session, actor.guild_id)
    lines = [answer.say(_("## {name} is open", name=created.name))]
    if isinstance(outcome, Gone):
        why = told_staff(answer, guild.staff_channel_id)
        lines += [answer.say(_("I could not prepare its room. {why}", why=why))]
    elif made_id is None or not isinstance(outcome, Sent):
        lines += [answer.say(_("Its room is on the way."))]
    elif room_id:
        room = channel_mention(made_id)
        lines += [answer.say(_("Its room: {room}. I let its members in. Who saw it before still does.", room=room))]
    else:
        room = channel_mention(made_id)
        lines += [answer.say(_("Its room: {room}. Only its members and facilitators see it.", room=room))]
        lines += _category_lines(answer, guild, made_id)
    lines += [
        answer.say(_("Members find it with /groups now. You look after it. To add someone who helps, press *People*."))
    ]
    card = Card().boxed().text("\n".join(lines))
    post, people = buttons.PostCardButton, buttons.PeopleButton
    await answer.reply(card.row(post(created.group_id, answer.reader), people(created.group_id, answer.reader)))


def _category_lines(answer: Answer, guild: Guild, room_id: int | None) -> list[str]:
    if room_id is None or not effects.stands_outside(answer.interaction.guild, guild.panel_channel_id, room_id):
        return []
    most = effects.FULL_CATEGORY
    return [answer.say(_("It stands outside the panel's category, which is full: Discord allows {most}.", most=most))]


async def ask_edit(answer: Answer, words: str, *, hello: bool | None, card: int | None) -> None:
    """Open the form with a group's details."""
    actor = answer.actor
    async with answer.bot.db.read() as session:
        group_id = await directory.named(session, actor.guild_id, words)
        roster = await directory.roster(session, actor, group_id)
    state = f"{group_id}-{int(roster.group.hello_first if hello is None else hello)}"
    state += f"-{card}" if card is not None else ""
    await answer.ask(details_form("groups:edit", state, _("Change the group"), answer.reader, roster.group))


@submits("groups:edit", state=rf"{ROW_ID}-[01](?:-[0-9])?", opens=_edit_form)
async def edit(answer: Answer, state: str, filled: Filled) -> None:
    """Change the group."""
    group_id, hello, *card = state.split("-")
    changed = _details(filled, hello, *card)
    async with answer.bot.db.begin() as session:
        group = await groups.edit(session, answer.actor, int(group_id), changed, now=answer.bot.clock.now())
    lines = [
        _("Changed. **{name}** shows the new details everywhere in a moment.", name=group.name),
        n_(
            "The card of a meeting comes {n} day before it. /group edit with *card* changes that.",
            "The card of a meeting comes {n} days before it. /group edit with *card* changes that.",
            group.card_days,
        ),
    ]
    await answer.reply(Card().text("\n".join(answer.say(line) for line in lines)))


async def post_card(answer: Answer, words: str) -> None:
    """Post a group's card in the panel channel; without a group, place the panel again."""
    bot, actor = answer.bot, answer.actor
    async with bot.db.begin() as session:
        guild = await guild_of(session, actor.guild_id)
        require_facilitator(guild, actor)
        group_id = None
        if words:
            group_id = await directory.named(session, actor.guild_id, words)
            await groups.locked_for(session, actor, group_id)
        subject = cards.PANEL if group_id is None else cards.of_group(group_id)
        place = guild.panel_channel_id
        await cards.place(session, actor.guild_id, subject, place, group_id=group_id, now=bot.clock.now())
        planned = list(session.info["planned"])
    outcome = await bot.dispatcher.outcome(planned[-1]) if planned else None
    where = channel_mention(guild.panel_channel_id)
    if isinstance(outcome, Sent):
        await answer.reply(_("It stands in {where} now, and I keep it up to date.", where=where))
    elif isinstance(outcome, Gone):
        why = told_staff(answer, guild.staff_channel_id)
        await answer.reply(_("I could not post in {where}. {why}", where=where, why=why))
    else:
        await answer.reply(_("It is on its way to {where}.", where=where))


@buttons.PostCardButton.pressed
async def press_post_card(answer: Answer, state: str) -> None:
    """Post the card of the group that was just created."""
    await post_card(answer, state)


async def ask_close(answer: Answer, words: str) -> None:
    """Ask whether to close a group."""
    actor = answer.actor
    async with answer.bot.db.read() as session:
        group_id = await directory.named(session, actor.guild_id, words)
        roster = await directory.roster(session, actor, group_id)
    has_line = any(person.number for person in roster.people)
    lines = [
        answer.say(_("## Close {name}?", name=roster.group.name)),
        answer.say(_("Nobody can join any more. I tell its room. Its members can read there for a week.")),
        *([answer.say(_("Its line ends. I write to everyone in it."))] if has_line else []),
        answer.say(_("Nothing that people wrote is deleted. This can't be undone.")),
    ]
    await answer.reply(Card().boxed().text("\n".join(lines)).row(buttons.CloseSureButton(group_id, answer.reader)))


@buttons.CloseSureButton.pressed
async def close(answer: Answer, state: str) -> None:
    """Close the group."""
    async with answer.bot.db.begin() as session:
        group = await groups.close(session, answer.actor, int(state), now=answer.bot.clock.now())
    await answer.show(_("**{name}** is closed. Nobody can join it any more.", name=group.name))


@buttons.NewRoomButton.pressed
async def new_room(answer: Answer, state: str) -> None:
    """Make a room for a group whose channel was deleted."""
    bot = answer.bot
    async with bot.db.begin() as session:
        planned = await rooms.new_room(session, answer.actor, int(state), now=bot.clock.now())
        guild = await guild_of(session, answer.actor.guild_id)
    outcome = await bot.dispatcher.outcome(planned)
    if isinstance(outcome, Sent):
        async with bot.db.read() as session:
            made_id = await directory.room_of(session, guild.guild_id, int(state))
        lines = [answer.say(_("There is a new room. Everyone with a seat is being let in."))]
        await answer.reply(Card().text("\n".join([*lines, *_category_lines(answer, guild, made_id)])))
    elif isinstance(outcome, Gone):
        why = told_staff(answer, guild.staff_channel_id)
        await answer.reply(_("I could not make a room. {why}", why=why))
    else:
        await answer.reply(_("I'm making it. If I can't, I write in the staff channel why."))
