"""Keep every interaction: who opened it, how it was answered, what of it can be seen by whom.

An interaction lives three lives at once: the person waits three real seconds for its first answer; its token works for
fifteen minutes of world time; what it brought forth (messages, a form, choices) stays. An ephemeral message is kept
here, never among the channel's messages, so that nobody else can come across it.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import TYPE_CHECKING

from peerbot.rehearsal import interaction_payloads
from peerbot.rehearsal.application import Application
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.refusals import Refusal, unknown
from peerbot.rehearsal.wire import Wire

if TYPE_CHECKING:
    from peerbot.rehearsal.world import World

# developers/interactions/receiving-and-responding.mdx, "Followup Messages"
FIRST_ANSWER_SECONDS = 3.0
TOKEN_LIFE = timedelta(minutes=15)


class Kind(IntEnum):
    """What a person did."""

    COMMAND = 2
    COMPONENT = 3
    AUTOCOMPLETE = 4
    MODAL = 5


class Reply(IntEnum):
    """How an application answered first."""

    PONG = 1
    MESSAGE = 4
    DEFERRED_MESSAGE = 5
    DEFERRED_UPDATE = 6
    UPDATE = 7
    CHOICES = 8
    MODAL = 9


@dataclass(eq=False)
class Interaction:
    """One thing that a person did with an application.

    `trigger` is the interaction that opened the form which is sent here. `shown` collects what the person came to see,
    in order; `refused` what the application was told when it answered wrongly.
    """

    application: Application
    kind: Kind
    user_id: int
    channel: Wire
    guild: Guild | None
    data: Wire
    message: Wire | None = None
    trigger: Interaction | None = None
    id: int = 0
    token: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    opened_at: datetime = field(default=datetime.min)  # noqa: DTZ901 - replaced as soon as it is opened
    reply: Reply | None = None
    lapsed: bool = False
    modal: Wire | None = None
    choices: list[Wire] | None = None
    original_id: int | None = None
    message_ids: set[int] = field(default_factory=set[int])
    shown: list[Wire] = field(default_factory=list[Wire])
    refused: list[Refusal] = field(default_factory=list[Refusal])

    def __repr__(self) -> str:
        """Name it for whoever waits for it."""
        what = self.data.get("name") or self.data.get("custom_id")
        return f"{self.kind.name.lower()} {what!r} by {self.user_id}"

    @property
    def permitted_replies(self) -> tuple[Reply, ...]:
        """The first answers that Discord takes for this kind."""
        if self.kind is Kind.AUTOCOMPLETE:
            return (Reply.CHOICES,)
        replies = [Reply.MESSAGE, Reply.DEFERRED_MESSAGE]
        if self.message is not None:
            replies += [Reply.DEFERRED_UPDATE, Reply.UPDATE]
        if self.kind is not Kind.MODAL:
            replies.append(Reply.MODAL)
        return tuple(replies)


@dataclass(frozen=True)
class Ephemeral:
    """A message that one person sees."""

    user_id: int
    message: Wire


class Interactions:
    """The interactions of a world, and what belongs to no channel: ephemeral messages, overrides of commands."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._by_token: dict[str, Interaction] = {}
        self.ephemerals: dict[int, Ephemeral] = {}
        self.command_permissions: dict[tuple[int, int], list[Wire]] = {}
        self.locales: dict[int, str] = {}

    def open(self, interaction: Interaction) -> Interaction:
        """Send an interaction to its application, and start the three seconds."""
        interaction.id = self._world.new_id()
        interaction.opened_at = self._world.clock.now()
        self._by_token[interaction.token] = interaction
        self._world.open_interactions.add(interaction)
        asyncio.get_running_loop().call_later(FIRST_ANSWER_SECONDS, self._lapse, interaction)
        payload = interaction_payloads.build(self._world, interaction)
        guild_id = interaction.guild.id if interaction.guild else None
        self._world.emit("INTERACTION_CREATE", payload, guild_id=guild_id, application_id=interaction.application.id)
        return interaction

    def unanswered(self, interaction_id: int, token: str) -> Interaction:
        """Return the interaction that a callback is for: 10062 when unknown or late, 40060 at the second one."""
        interaction = self._by_token.get(token)
        if interaction is None or interaction.id != interaction_id:
            raise unknown("Interaction")
        if interaction.reply is not None:
            raise Refusal(400, 40060, "Interaction has already been acknowledged.")
        if interaction.lapsed:
            raise unknown("Interaction")
        return interaction

    def answered(self, application_id: int, token: str) -> Interaction:
        """Return the interaction that a token speaks for: 10015 when there is none, 50027 after fifteen minutes."""
        interaction = self._by_token.get(token)
        if interaction is None or interaction.application.id != application_id or interaction.reply is None:
            raise unknown("Webhook")
        if self._world.clock.now() - interaction.opened_at > TOKEN_LIFE:
            raise Refusal(401, 50027, "Invalid Webhook Token")
        return interaction

    def close(self, interaction: Interaction) -> None:
        """Note that nobody waits for this interaction any more."""
        self._world.open_interactions.discard(interaction)
        self._world.changed()

    def private_to(self, user_id: int, channel_id: int) -> list[Wire]:
        """Return the ephemeral messages that a person has in a channel."""
        found = (each.message for each in self.ephemerals.values() if each.user_id == user_id)
        return [message for message in found if message["channel_id"] == str(channel_id)]

    def _lapse(self, interaction: Interaction) -> None:
        if interaction.reply is None:
            interaction.lapsed = True
            self.close(interaction)
