"""Be a person in front of Discord: write commands, press buttons, fill forms, read what can be seen.

A person can do only what the client would let them do; what the client prevents fails with an AssertionError. Whoever
wants to send what no client sends uses `forged`. What a person sees is only ever what Discord would show them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from peerbot.rehearsal import commands, permissions, posting, wire
from peerbot.rehearsal import component_limits as kinds
from peerbot.rehearsal.application import Application
from peerbot.rehearsal.chosen import Chosen
from peerbot.rehearsal.forms import Form
from peerbot.rehearsal.ground import StillBusy
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.interactions import FIRST_ANSWER_SECONDS, Interaction, Kind, Reply
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.seen import NoAnswer, Seen, Shown
from peerbot.rehearsal.slash import Choice, CommandLine
from peerbot.rehearsal.wire import Wire
from peerbot.rehearsal.world import World

DEFERRED_SECONDS = 10.0


class Person:
    """Somebody with Discord open, at home in one guild or in none.

    Actions take place in `home` (the first text channel that they see, until they `go_to` another) unless a channel is
    given.
    """

    def __init__(self, world: World, user_id: int, guild: Guild | None = None) -> None:
        self.world = world
        self.user_id = user_id
        self.guild = guild
        self._home: Wire | None = None
        self._dismissed: set[int] = set()

    def __repr__(self) -> str:
        """Name the person."""
        return self.name

    @property
    def user(self) -> Wire:
        """Their user object."""
        return self.world.users[self.user_id]

    @property
    def name(self) -> str:
        """Their display name."""
        return self.user["global_name"] or self.user["username"]

    @property
    def mention(self) -> str:
        """What mentions them in a text."""
        return f"<@{self.user_id}>"

    @property
    def pings(self) -> list[int]:
        """The ids of the messages that notified them, in order."""
        return [message_id for message_id, user_id in self.world.pings if user_id == self.user_id]

    def speaks(self, locale: str) -> None:
        """Set the language of their client, such as "en-US" or "de"."""
        self.world.interactions.locales[self.user_id] = locale

    # where they are

    @property
    def home(self) -> Wire:
        """The channel in which they act when none is named."""
        if self._home is not None:
            return self._home
        texts = [each for each in self.channels() if each["type"] == wire.TEXT]
        if not texts:
            raise AssertionError(f"{self} sees no text channel")
        return texts[0]

    def go_to(self, channel: Wire) -> None:
        """Act in this channel from now on."""
        self._home = channel

    def dm(self, application: Application) -> Wire:
        """Return the direct channel between them and an application's bot."""
        return self.world.dm(application, self.user_id)

    def channels(self) -> list[Wire]:
        """Return every channel and thread of their guild that they see."""
        if self.guild is None:
            return []
        return [each for each in (self.guild.channels | self.guild.threads).values() if self.can_see(each)]

    def can_see(self, channel: Wire) -> bool:
        """Tell whether they see a channel, a thread or a direct channel."""
        guild = self.world.guild_of(channel)
        if guild is None:
            return channel["recipients"][0]["id"] == str(self.user_id)
        return int(channel["id"]) in guild.channels | guild.threads and guild.can_see(self.user_id, channel)

    def says(self, channel: Wire, text: str) -> Seen:
        """Write a message; fails where they may not."""
        guild = self.world.guild_of(channel)
        needed = Bit.SEND_MESSAGES_IN_THREADS if channel["type"] in wire.THREADS else Bit.SEND_MESSAGES
        if not self.can_see(channel) or (guild and not guild.permissions_of(self.user_id, channel) & needed):
            raise AssertionError(f"{self} cannot write in {channel.get('name')!r}")
        if channel["type"] in wire.THREADS and channel["thread_metadata"]["locked"] and not self._manages(channel):
            raise AssertionError(f"{self} cannot write in {channel['name']!r}, which is locked")
        if wait := self._slowed_down_for(channel):
            raise AssertionError(f"{self} must wait {wait} s in {channel.get('name')!r}, which is in slow mode")
        return Seen(posting.post(self.world, channel, self.user, posting.Draft({"content": text})))

    def leaves(self) -> None:
        """Leave the guild."""
        self._guild().remove_member(self.user_id)

    def rejoins(self) -> None:
        """Come back into the guild, without the roles of before; fails for who is banned."""
        if self.user_id in self._guild().bans:
            raise AssertionError(f"{self} is banned from {self._guild().name}")
        self._guild().add_member(self.user)

    def speaks_in(self, channel: Wire) -> None:
        """Go into a voice channel; fails where they do not see it."""
        if not self.can_see(channel) or channel["type"] != wire.VOICE:
            raise AssertionError(f"{self} cannot speak in {channel.get('name')!r}")
        self._guild().speak(self.user_id, int(channel["id"]))

    def hangs_up(self) -> None:
        """Leave the voice channel that they are in."""
        self._guild().speak(self.user_id, None)

    def closes_dms(self) -> None:
        """Refuse direct messages from bots."""
        self.world.close_dms(self.user_id)

    def opens_dms(self) -> None:
        """Take direct messages again."""
        self.world.open_dms(self.user_id)

    # what they see

    def sees(self, channel: Wire | None = None) -> list[Seen]:
        """Return the messages that they see in a channel, oldest first, their own ephemerals among them."""
        place = channel or self.home
        channel_id = int(place["id"])
        visible: dict[int, Seen] = {}
        if self.can_see(place) and self._reads_history(place):
            visible = {each: Seen(found) for each, found in self.world.messages.get(channel_id, {}).items()}
        if self.can_see(place):
            for message in self.world.interactions.private_to(self.user_id, channel_id):
                visible[int(message["id"])] = Seen(message, private_to=self.user_id)
        return [visible[each] for each in sorted(visible) if each not in self._dismissed]

    @property
    def inbox(self) -> list[Seen]:
        """The messages in their direct channels, oldest first."""
        mine = [each for each in self.world.dms.values() if self.can_see(each)]
        return sorted((each for channel in mine for each in self.sees(channel)), key=lambda each: each.message_id)

    def look(self, seen: Shown) -> Seen:
        """Return a message as it is now; fails when it is gone or hidden from them."""
        if not isinstance(seen, Seen):
            raise AssertionError(f"this is no message:\n{seen!r}")
        channel = self.world.find_channel(seen.channel_id)
        for each in self.sees(channel) if channel else ():
            if each.message_id == seen.message_id:
                return each
        raise AssertionError(f"{self} no longer sees this message:\n{seen!r}")

    def opens(self, seen: Shown, filename: str) -> bytes:
        """Return what is in a file of a message that they see."""
        attached = self.look(seen).current["attachments"]
        for each in attached:
            if each["filename"] == filename:
                return self.world.files[int(each["id"])]
        raise AssertionError(f"there is no file {filename!r}; there are {[each['filename'] for each in attached]}")

    def dismiss(self, seen: Seen) -> None:
        """Put an ephemeral message away."""
        self._dismissed.add(self.look(seen).message_id)

    def restarts_client(self) -> None:
        """Start the client again, which loses all ephemeral messages."""
        mine = self.world.interactions.ephemerals.items()
        self._dismissed |= {message_id for message_id, each in mine if each.user_id == self.user_id}

    def offered(self, channel: Wire | None = None) -> list[str]:
        """Return the names of the commands and menus that they are shown in a channel."""
        return sorted(command["name"] for _, command in self._offered(channel or self.home, force=False))

    # what they do

    async def slash(
        self, written: str, /, *, in_: Wire | None = None, force: bool = False, unchecked: bool = False, **options: Any
    ) -> Shown:
        """Send a slash command such as "/group new" and return what they see of it first.

        `force` sends a command that they are not shown. Raises NoAnswer when nothing comes in time.
        """
        line, channel = CommandLine(written, options, unchecked), in_ or self.home
        owner, command = line.find(self._offered(channel, force=force))
        data = line.payload(command, self._chosen(channel))
        return await self._answer(self._open(owner, Kind.COMMAND, channel, data))

    async def autocomplete(
        self, written: str, /, *, in_: Wire | None = None, force: bool = False, **options: Any
    ) -> list[Choice]:
        """Type into the last option named, and return what is suggested.

        Raises NoAnswer when no suggestion comes in time.
        """
        line, channel = CommandLine(written, options), in_ or self.home
        owner, command = line.find(self._offered(channel, force=force))
        data = line.payload(command, self._chosen(channel), focused=list(options)[-1])
        interaction = self._open(owner, Kind.AUTOCOMPLETE, channel, data)
        await self._acknowledged(interaction)
        return [Choice.of(each) for each in interaction.choices or ()]

    async def menu(self, name: str, target: Seen | Person, *, in_: Wire | None = None, force: bool = False) -> Shown:
        """Choose an application's entry in the menu of a message or of a person."""
        on_message = isinstance(target, Seen)
        channel = in_ or (self.world.channel(target.channel_id) if on_message else self.home)
        kind = commands.MESSAGE_MENU if on_message else commands.USER_MENU
        entries = [each for each in self._offered(channel, force=force) if each[1]["type"] == kind]
        found = next((each for each in entries if each[1]["name"] == name), None)
        if found is None:
            raise AssertionError(f"there is no entry {name!r}; there are {[each['name'] for _, each in entries]}")
        owner, command = found
        chosen = self._chosen(channel)
        if isinstance(target, Seen):
            target_id, resolved = target.message_id, chosen.resolved([self.look(target).current])
        else:
            target_id = int(chosen.thing(target))
            resolved = chosen.resolved()
        data = {key: command[key] for key in ("id", "name", "type", "guild_id") if key in command}
        data |= {"target_id": str(target_id), "resolved": resolved}
        return await self._answer(self._open(owner, Kind.COMMAND, channel, data))

    async def press(self, seen: Shown, label: str) -> Shown:
        """Press the button with this label, and return what they see next: a message or a form."""
        return await self._answer(self._pressed(seen, label))

    async def tap(self, seen: Shown, label: str) -> None:
        """Press a button and wait only until the application has taken notice."""
        await self._acknowledged(self._pressed(seen, label))

    async def choose(self, seen: Shown, menu: str, *chosen: object, unchecked: bool = False) -> Shown:
        """Choose in the select with this placeholder: labels of options, or people, roles, channels."""
        now = self.look(seen)
        select = now.select(menu)
        if select.get("disabled"):
            raise AssertionError(f"{menu!r} is disabled\n{now!r}")
        channel = self.world.channel(now.channel_id)
        picked = self._chosen(channel)
        data: Wire = {"custom_id": select["custom_id"], "component_type": select["type"], "id": select["id"]}
        data["values"] = picked.in_select(select, chosen, unchecked=unchecked)
        if select["type"] != kinds.STRING_SELECT:
            data["resolved"] = picked.resolved()
        return await self._answer(self._on_component(now, data))

    async def forged(
        self, seen: Seen, custom_id: str, *, kind: int = kinds.BUTTON, values: Sequence[str] = ()
    ) -> Shown:
        """Send a press that no client would send: any custom id, on any message, seen or not."""
        data: Wire = {"custom_id": custom_id, "component_type": kind, "id": 1}
        if kind != kinds.BUTTON:
            data["values"] = list(values)
        return await self._answer(self._on_component(seen, data))

    # below

    def _guild(self) -> Guild:
        if self.guild is None:
            raise AssertionError(f"{self} is in no guild")
        return self.guild

    def _manages(self, thread: Wire) -> bool:
        return bool(self._guild().permissions_of(self.user_id, thread) & Bit.MANAGE_THREADS)

    def _slowed_down_for(self, channel: Wire) -> int:
        """Return how many seconds they must wait before they write again."""
        guild, seconds = self.world.guild_of(channel), int(channel.get("rate_limit_per_user") or 0)
        exempt = int(Bit.BYPASS_SLOWMODE)
        if guild is None or not seconds or guild.permissions_of(self.user_id, channel) & exempt:
            return 0
        written = self.world.messages.get(int(channel["id"]), {})
        own = [one for one, found in written.items() if found["author"]["id"] == str(self.user_id)]
        if not own:
            return 0
        passed = (self.world.clock.now() - self.world.moment_of(max(own))).total_seconds()
        return max(0, math.ceil(seconds - passed))

    def _reads_history(self, channel: Wire) -> bool:
        guild = self.world.guild_of(channel)
        return guild is None or bool(guild.permissions_of(self.user_id, channel) & Bit.READ_MESSAGE_HISTORY)

    def _chosen(self, channel: Wire) -> Chosen:
        return Chosen(self.world, self.world.guild_of(channel), self.user_id)

    def _offered(self, channel: Wire, *, force: bool) -> list[tuple[Application, Wire]]:
        guild = self.world.guild_of(channel)
        if force:
            return commands.offered_in(self.world, guild, channel)
        if not self.can_see(channel):
            raise AssertionError(f"{self} does not see {channel.get('name')!r}")
        return commands.shown_to(self.world, guild, self.user_id, channel)

    def _pressed(self, seen: Shown, label: str) -> Interaction:
        now = self.look(seen)
        button = now.button(label)
        if button.get("disabled"):
            raise AssertionError(f"{label!r} is disabled\n{now!r}")
        if button.get("url"):
            raise AssertionError(f"{label!r} is a link to {button['url']}\n{now!r}")
        data: Wire = {"custom_id": button["custom_id"], "component_type": kinds.BUTTON, "id": button["id"]}
        return self._on_component(now, data)

    def _on_component(self, seen: Seen, data: Wire) -> Interaction:
        channel = self.world.channel(seen.channel_id)
        owner = next((each for each in self.world.applications.values() if each.bot_id == seen.author_id), None)
        if owner is None:
            raise AssertionError(f"no application wrote this:\n{seen!r}")
        return self._open(owner, Kind.COMPONENT, channel, data, message=seen.current)

    def _open(
        self,
        owner: Application,
        kind: Kind,
        channel: Wire,
        data: Wire,
        *,
        message: Wire | None = None,
        trigger: Interaction | None = None,
    ) -> Interaction:
        guild = self.world.guild_of(channel)
        if guild is not None and self.user_id not in guild.members:
            raise AssertionError(f"{self} is not in {guild.name}")
        if guild is not None and permissions.timed_out(guild.members[self.user_id], self.world.clock.now()):
            raise AssertionError(f"{self} is in a timeout, in which nothing can be used")
        if channel["type"] in wire.THREADS and channel["thread_metadata"]["archived"]:
            raise AssertionError(f"{channel['name']!r} is archived: nothing can be used in it")
        interaction = Interaction(owner, kind, self.user_id, channel, guild, data, message, trigger)
        return self.world.interactions.open(interaction)

    async def _submit(self, opened_by: Interaction, data: Wire) -> Shown:
        interaction = self._open(
            opened_by.application,
            Kind.MODAL,
            opened_by.channel,
            data,
            message=opened_by.message,
            trigger=opened_by,
        )
        return await self._answer(interaction)

    async def _acknowledged(self, interaction: Interaction) -> None:
        await self.world.until(
            lambda: interaction.reply is not None or interaction.lapsed,
            FIRST_ANSWER_SECONDS + 2,
            what=f"an answer to {interaction}",
        )
        if interaction.reply is None:
            refused = [f"; Discord refused its answer with {each}" for each in interaction.refused]
            raise NoAnswer(f"The application did not respond to {interaction}{''.join(refused)}")

    async def _answer(self, interaction: Interaction) -> Shown:
        await self._acknowledged(interaction)
        if interaction.reply is Reply.MODAL:
            return Form(interaction, self._chosen(interaction.channel), self._submit)
        try:
            await self.world.until(lambda: interaction.shown, DEFERRED_SECONDS, what=f"content for {interaction}")
        except StillBusy:
            if interaction.reply is Reply.DEFERRED_UPDATE and interaction.message is not None:
                # Nothing was promised: the person goes on looking at what was there.
                return Seen(interaction.message)
            raise NoAnswer(f"{interaction} was put off, and then nothing came") from None
        finally:
            self.world.interactions.close(interaction)
        message = interaction.shown[0]
        private = int(message["id"]) in self.world.interactions.ephemerals
        return Seen(message, private_to=self.user_id if private else None)


def join(world: World, guild: Guild, name: str, *roles: Wire) -> Person:
    """Let a new person join a guild, and return them."""
    user = world.person(name)
    guild.add_member(user, *(int(role["id"]) for role in roles))
    return Person(world, int(user["id"]), guild)


def owner(world: World, guild: Guild) -> Person:
    """Return a guild's owner as a person."""
    return Person(world, guild.owner_id, guild)
