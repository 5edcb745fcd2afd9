"""Set the server up: five questions, what the bot lacks in permissions, and the server's own words."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import discord
from discord import app_commands, ui
from discord.ext import commands, tasks

from cogs._interactions import Answer, Card, Filled, PersistentButton, answering, form, submits
from cogs._outbox import Post
from cogs._threads import not_for_all, too_hidden
from peerbot import countries, native_events, permissions, staff
from peerbot import setup as rules
from peerbot.bot import PeerBot
from peerbot.database import BACKGROUND
from peerbot.errors import DatabaseBusy, NotAllowed
from peerbot.models import Delivery, Guild
from peerbot.rights import require_manager
from peerbot.text import Reader, Verbatim, _, channel_mention

log = logging.getLogger(__name__)

MOST_NAMED = 10
EMPTY_MEETINGS = {
    True: _(
        "No facilitator comes to a meeting? After 15 minutes I cancel it, with kind words and the next date. "
        "I leave meetings behind a link as they are: I can't see who is there."
    ),
    False: _("No facilitator comes to a meeting? I call others, and leave the meeting as it is."),
}


def basics_form(reader: Reader, guild: Guild | None) -> ui.Modal:
    """Return the form with the five questions, filled with what was chosen before."""
    role, panel, staff = (
        (guild.facilitator_role_id, guild.panel_channel_id, guild.staff_channel_id) if guild else (0, 0, 0)
    )
    return form(
        "setup:basics",
        0,
        reader.say(_("Set up this server")),
        ui.Label(
            text=reader.say(_("Who facilitates? (role)")),
            description=reader.say(_("People with this role can create groups.")),
            component=ui.RoleSelect(
                custom_id="role", required=True, default_values=_defaults(role, discord.SelectDefaultValueType.role)
            ),
        ),
        ui.Label(
            text=reader.say(_("Where should members find groups?")),
            description=reader.say(_("A channel that every member can read. I post a panel there.")),
            component=_text_channel("panel", panel),
        ),
        ui.Label(
            text=reader.say(_("Where do facilitators talk?")),
            description=reader.say(_("A channel that only facilitators can read.")),
            component=_text_channel("staff", staff),
        ),
        ui.Label(
            text=reader.say(_("Time zone")),
            description=reader.say(_("A big city in it, like New York or Berlin.")),
            component=ui.TextInput(
                custom_id="zone", required=True, max_length=60, default=guild.time_zone if guild else None
            ),
        ),
        ui.Label(
            text=reader.say(_("Where may I open private threads?")),
            description=reader.say(_("For members who want no DMs. All members need to see it. Empty: the panel's.")),
            component=_text_channel("threads", (guild.threads_channel_id or 0) if guild else 0, required=False),
        ),
    )


def words_form(reader: Reader, danger_policy: str = "", reading_hours: str = "") -> ui.Modal:
    """Return the form with the server's own words of the agreement."""
    return form(
        "setup:words",
        0,
        reader.say(_("Words of the agreement")),
        ui.Label(
            text=reader.say(_("What happens if someone is in danger?")),
            description=reader.say(_("Members read this before they join. Say only what you will do.")),
            component=ui.TextInput(
                custom_id="danger",
                style=discord.TextStyle.paragraph,
                required=False,
                max_length=rules.LONGEST_WORDS,
                default=danger_policy,
            ),
        ),
        ui.Label(
            text=reader.say(_("When do facilitators read messages?")),
            description=reader.say(_("For example: most evenings, 6 to 9 pm New York.")),
            component=ui.TextInput(custom_id="hours", required=False, max_length=120, default=reading_hours),
        ),
    )


def _text_channel(custom_id: str, chosen: int, *, required: bool = True) -> ui.ChannelSelect[Any]:
    return ui.ChannelSelect(
        custom_id=custom_id,
        required=required,
        min_values=1 if required else 0,
        channel_types=[discord.ChannelType.text],
        default_values=_defaults(chosen, discord.SelectDefaultValueType.channel),
    )


def _defaults(chosen: int, kind: discord.SelectDefaultValueType) -> list[discord.SelectDefaultValue]:
    return [discord.SelectDefaultValue(id=chosen, type=kind)] if chosen else []


def setup_card(
    reader: Reader, guild: Guild, lacking: list[str], asked: Sequence[str] = (), *, sees_commands: bool = False
) -> Card:
    """Return the card that says what is set up, what is missing, and what can be done next.

    `asked` are questions: what may be meant so. `sees_commands` says that the facilitator role has the permission by
    which Discord shows it the commands.
    """
    lines = [
        reader.say(_("## This server is set up")),
        reader.say(_("Facilitators: {role}", role=Verbatim(f"<@&{guild.facilitator_role_id}>"))),
        reader.say(_("Panel: {panel}", panel=channel_mention(guild.panel_channel_id))),
        reader.say(_("Staff: {staff}", staff=channel_mention(guild.staff_channel_id))),
        reader.say(_("Private threads: {channel}", channel=channel_mention(permissions.threads_channel(guild)))),
        reader.say(_("Time zone: {zone}", zone=guild.time_zone)),
    ]
    shown = _("on. Anyone can see who is interested in one.") if guild.native_events else _("off.")
    lines += [reader.say(_("Next meetings among Discord's events: {shown}", shown=shown))]
    if lacking:
        lines += [reader.say(_("**I still need something from you:**")), *lacking]
        lines += [reader.say(_("Then press *Check again*."))]
    else:
        lines += [reader.say(_("I have all the permissions that I need."))]
    if asked:
        lines += [reader.say(_("**Please have a look:**")), *asked]
    if not sees_commands:
        role = Verbatim(f"<@&{guild.facilitator_role_id}>")
        lines += [reader.say(_("Next: give {role} the *Manage Events* permission.", role=role))]
        lines += [reader.say(_("By it, Discord knows whom to show the commands for facilitators."))]
    if not guild.help_countries:
        lines += [reader.say(_("Next: press *Help lines*. The panel shows no number until you name countries."))]
    lines += [reader.say(_("Facilitators can start with /group new."))]
    switch = _("Events off") if guild.native_events else _("Events on")
    return (
        Card()
        .text("\n".join(lines))
        .row(
            CheckButton(0, reader),
            WordsButton(0, reader),
            CountriesButton(0, reader),
            ChangeButton(0, reader),
        )
        .text(reader.say(EMPTY_MEETINGS[guild.cancels_empty]))
        .row(
            EventsButton(0 if guild.native_events else 1, reader, label=switch),
            EmptyMeetingsButton(*(("off", reader) if guild.cancels_empty else ("on", reader))),
        )
    )


def what_is_lacking(reader: Reader, server: discord.Guild, guild: Guild) -> list[str]:
    """Return a sentence for each thing that the bot cannot do here, and how to change it."""
    lacking: list[str] = []
    me = server.me
    if server.get_role(guild.facilitator_role_id) is None:
        lacking.append(reader.say(_("- The role of facilitators is gone. Press *Change* and choose one.")))
    needed = permissions.in_server(guild)
    missing = permissions.lacking(me.guild_permissions, needed)
    if missing:
        wanted = ", ".join(map(reader.say, missing))
        lacking.append(reader.say(_("- Server Settings, Roles, my role: switch on **{wanted}**.", wanted=wanted)))
    for channel_id, needed in permissions.in_channels(guild).items():
        channel = server.get_channel(channel_id)
        here = Verbatim(channel_mention(channel_id))
        if channel is None:
            lacking.append(reader.say(_("- The channel {here} is gone, or I can't see it.", here=here)))
            continue
        missing = permissions.lacking(channel.permissions_for(me), needed)
        if missing:
            wanted = ", ".join(map(reader.say, missing))
            text = _("- {here}, Edit Channel, Permissions, my role: allow **{wanted}**.", here=here, wanted=wanted)
            lacking.append(reader.say(text))
    return lacking + too_hidden(reader, server, guild) + _too_open(reader, server, guild)


def _too_open(reader: Reader, server: discord.Guild, guild: Guild) -> list[str]:
    staff = server.get_channel(guild.staff_channel_id)
    if staff is None or not staff.permissions_for(server.default_role).view_channel:
        return []
    here = channel_mention(guild.staff_channel_id)
    text = _("- Everyone can read {here}. Facilitators write there about members. Please make it private.", here=here)
    return [reader.say(text)]


def _read_by_others(reader: Reader, server: discord.Guild, guild: Guild) -> list[str]:
    staff = server.get_channel(guild.staff_channel_id)
    if staff is None or staff.permissions_for(server.default_role).view_channel:
        return []
    here = channel_mention(guild.staff_channel_id)
    others = [
        role
        for role in server.roles
        if role.id not in (guild.facilitator_role_id, server.id)
        and not (role.managed or role.permissions.manage_guild or role.permissions.administrator)
        and staff.permissions_for(role).view_channel
    ]
    if not others:
        return []
    names = Verbatim(", ".join(role.mention for role in others[:MOST_NAMED]))
    text = _("- {roles} can read {here} too. Is that right? Facilitators write there.", roles=names, here=here)
    return [reader.say(text)]


async def show_setup(answer: Answer) -> None:
    """Answer with the state of the setup, and post the panel if it could not be posted before."""
    async with answer.bot.db.begin() as session:
        guild = await rules.place_panel(session, answer.actor, now=answer.bot.clock.now())
    await answer.show(_card(answer, guild))


def _card(answer: Answer, guild: Guild) -> Card:
    server = answer.interaction.guild
    lacking, asked = list[str](), list[str]()
    if server is not None:
        lacking = what_is_lacking(answer.reader, server, guild)
        asked = not_for_all(answer.reader, server, guild) + _read_by_others(answer.reader, server, guild)
    role = server.get_role(guild.facilitator_role_id) if server is not None else None
    # A role that is gone needs no permission; what is lacking says that it is gone.
    sees_commands = role is None or role.permissions.manage_events or role.permissions.administrator
    return setup_card(answer.reader, guild, lacking, asked, sees_commands=sees_commands)


async def ask_basics(answer: Answer) -> None:
    """Answer with the five questions."""
    actor = answer.actor
    require_manager(actor)
    async with answer.bot.db.read() as session:
        guild = await rules.find(session, actor.guild_id)
    await answer.ask(basics_form(answer.reader, guild))


async def _managed(answer: Answer) -> Guild:
    """Return what was chosen for the server, to somebody who manages it."""
    actor = answer.actor
    require_manager(actor)
    async with answer.bot.db.read() as session:
        return await rules.guild_of(session, actor.guild_id)


class CheckButton(PersistentButton, verb="setup:check", label=_("Check again")):
    """Look at the permissions again."""

    async def press(self, answer: Answer) -> None:
        await show_setup(answer)


class ChangeButton(PersistentButton, verb="setup:change", label=_("Change")):
    """Ask the five questions again."""

    defers = False

    async def press(self, answer: Answer) -> None:
        await ask_basics(answer)


class WordsButton(PersistentButton, verb="setup:words", label=_("Agreement")):
    """Ask for the server's own words of the agreement."""

    defers = False

    async def press(self, answer: Answer) -> None:
        guild = await _managed(answer)
        await answer.ask(words_form(answer.reader, guild.danger_policy, guild.reading_hours))


class EventsButton(PersistentButton, verb="setup:events", label=_("Events on"), state="[01]"):
    """Switch on or off that the next meetings stand among Discord's events."""

    async def press(self, answer: Answer) -> None:
        async with answer.bot.db.begin() as session:
            now = answer.bot.clock.now()
            guild = await native_events.switch(session, answer.actor, on=self.state == "1", now=now)
        await answer.show(_card(answer, guild))


class CountriesButton(PersistentButton, verb="setup:countries", label=_("Help lines")):
    """Ask for the countries whose help lines are shown first."""

    defers = False

    async def press(self, answer: Answer) -> None:
        guild = await _managed(answer)
        names = ", ".join(countries.country_name(code, answer.reader.locale) for code in guild.help_countries.split())
        await answer.ask(countries_form(answer.reader, names))


class EmptyMeetingsButton(PersistentButton, verb="setup:empty", label=_("Empty meetings"), state="on|off"):
    """Choose whether a meeting without a facilitator is cancelled."""

    def __init__(self, state: int | str, reader: Reader) -> None:
        super().__init__(state, reader, label=_("Cancel it") if state == "on" else _("Don't cancel it"))

    async def press(self, answer: Answer) -> None:
        async with answer.bot.db.begin() as session:
            guild = await rules.cancel_empty(session, answer.actor, wanted=self.state == "on")
        await answer.show(_card(answer, guild))


def countries_form(reader: Reader, names: str) -> ui.Modal:
    """Return the form with the countries whose help lines are shown first."""
    return form(
        "setup:countries",
        0,
        reader.say(_("Help lines")),
        ui.Label(
            text=reader.say(_("Countries of most members (up to three)")),
            description=reader.say(_("For example: United States, Canada. Their help lines come first.")),
            component=ui.TextInput(custom_id="countries", required=False, max_length=120, default=names),
        ),
    )


@submits("setup:basics", opens=lambda reader, _state: basics_form(reader, None))
async def save_basics(answer: Answer, _state: str, filled: Filled) -> None:
    """Keep the five answers and say what is missing."""
    actor, server = answer.actor, answer.interaction.guild
    require_manager(actor)
    threads = filled.id("threads")
    channel_ids = [filled.id("panel"), filled.id("staff"), *([threads] if threads else [])]
    if server is None or not _are_of(server, filled.id("role"), *channel_ids):
        raise NotAllowed(_("I can't see that role or channel in this server. Please choose another one."))
    async with answer.bot.db.begin() as session:
        guild = await rules.save(
            session,
            actor,
            facilitator_role_id=filled.id("role"),
            panel_channel_id=filled.id("panel"),
            staff_channel_id=filled.id("staff"),
            threads_channel_id=threads or None,
            time_zone=filled.text("zone"),
            locale=str(server.preferred_locale),
            now=answer.bot.clock.now(),
        )
    await answer.show(_card(answer, guild))


@submits("setup:words", opens=lambda reader, _state: words_form(reader))
async def save_words(answer: Answer, _state: str, filled: Filled) -> None:
    """Keep the server's own words."""
    async with answer.bot.db.begin() as session:
        guild = await rules.save_words(
            session,
            answer.actor,
            danger_policy=filled.text("danger"),
            reading_hours=filled.text("hours"),
            now=answer.bot.clock.now(),
        )
    await answer.show(_card(answer, guild))


@submits("setup:countries", opens=lambda reader, _state: countries_form(reader, ""))
async def save_countries(answer: Answer, _state: str, filled: Filled) -> None:
    """Keep the countries, by name."""
    async with answer.bot.db.begin() as session:
        guild = await rules.save_countries(
            session, answer.actor, names=filled.text("countries"), now=answer.bot.clock.now()
        )
    answer.bot.help_countries[guild.guild_id] = guild.help_countries
    await answer.show(_card(answer, guild))


def _are_of(server: discord.Guild, role_id: int, *channel_ids: int) -> bool:
    return server.get_role(role_id) is not None and all(
        isinstance(server.get_channel(channel_id), discord.TextChannel) for channel_id in channel_ids
    )


class Setup(commands.Cog):
    """The owner's command."""

    def __init__(self, bot: PeerBot) -> None:
        self.bot = bot

    @app_commands.command(name="setup", description="Set peerbot up for this server")
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_guild=True)
    async def setup(self, interaction: discord.Interaction[Any]) -> None:
        """Ask the five questions."""
        async with answering(interaction, defers=False) as answer:
            await ask_basics(answer)

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Learn the countries that help lines are shown for, so that help never needs the database."""
        if not self.learn_countries.is_running():
            self.learn_countries.start()

    @commands.Cog.listener()
    async def on_lead(self) -> None:
        """Learn what was chosen while another process answered."""
        await self.on_ready()

    @commands.Cog.listener()
    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """Tell facilitators when the panel's channel was deleted."""
        if not self.bot.presence.leads:
            return
        async with self.bot.db.begin(wait=BACKGROUND) as session:
            await staff.tell_panel_gone(session, channel.guild.id, channel.id, now=self.bot.clock.now())

    async def render_panel_gone(self, delivery: Delivery) -> Post | None:
        """Return the news that the panel's channel was deleted; nothing when another one was chosen since."""
        async with self.bot.db.read(wait=BACKGROUND) as session:
            guild = await rules.find(session, delivery.guild_id)
        if guild is None or guild.panel_channel_id != delivery.subject_id:
            return None
        reader = Reader(guild.locale, guild.time_zone)
        words = _(
            "The panel's channel was deleted, so members can't find groups there. "
            "Someone who runs this server can choose another one: press *Change*, or use /setup."
        )
        return Post(reader.say(words), [ChangeButton(0, reader)])

    async def cog_unload(self) -> None:
        """Stop learning."""
        self.learn_countries.cancel()

    @tasks.loop(minutes=1)
    async def learn_countries(self) -> None:
        """Read the countries of every server once; while the database is away, try again each minute."""
        try:
            async with self.bot.db.read(wait=BACKGROUND) as session:
                self.bot.help_countries.update(await rules.all_countries(session))
        except DatabaseBusy:
            log.warning("The database does not answer; help lines ask for the country until it does.")
        else:
            self.learn_countries.stop()


async def setup(bot: PeerBot) -> None:
    """Add the command."""
    cog = Setup(bot)
    bot.outbox.message("staff.panel_gone", cog.render_panel_gone)
    await bot.add_cog(cog)
