"""Carry out what an application answers to an interaction: messages, edits, forms, choices, followups.

The first answer decides what "the original" is, and whether it is ephemeral; neither changes afterwards
(developers/interactions/receiving-and-responding.mdx). No permission in the channel is asked for: an answer is the
person's own doing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from peerbot.rehearsal import commands, interaction_payloads, limits, posting, stored_components, wire
from peerbot.rehearsal.interactions import Ephemeral, Interaction, Kind, Reply
from peerbot.rehearsal.posting import EPHEMERAL, Draft
from peerbot.rehearsal.refusals import Refusal, unknown
from peerbot.rehearsal.routing import Upload
from peerbot.rehearsal.wire import Wire
from peerbot.rehearsal.world import World

LOADING = 1 << 7
_COMMAND_MESSAGE, _MENU_MESSAGE = 20, 23
# Roles and everyone are mentioned by an answer only where it says so (developers/resources/message.mdx).
_MENTIONING = ("users",)


@dataclass(frozen=True)
class Answering:
    """An interaction whose application is answering now."""

    world: World
    interaction: Interaction
    files: Mapping[int, Upload] = field(default_factory=dict[int, Upload])

    def first(self, body: Wire) -> Wire | None:
        """Carry out the first answer, and return the message that it made or changed.

        Raises Refusal 50035 for an answer of a kind that is not possible here.
        """
        reply = self._permitted(body.get("type"))
        content: Wire = body.get("data") or {}
        message: Wire | None = None
        if reply is Reply.MESSAGE:
            message = self._post(content)
        elif reply is Reply.DEFERRED_MESSAGE:
            self._promise(int(content.get("flags") or 0))
        elif reply is Reply.UPDATE:
            message = self._change(self._stored(self._source_id()), content)
        elif reply is Reply.DEFERRED_UPDATE:
            # Also where the message has been deleted meanwhile: nothing is looked up before it is changed.
            self.interaction.original_id = self._source_id()
        elif reply is Reply.MODAL:
            limits.check_modal(content)
            components = stored_components.stored(content["components"], lambda url: {"url": url})
            self.interaction.modal = content | {"components": components}
        else:
            limits.check_choices(content.get("choices") or (), _focused_type(self.interaction.data))
            self.interaction.choices = list(content.get("choices") or ())
        if message is not None:
            self.interaction.original_id = int(message["id"])
            self._show(message)
        self.interaction.reply = reply
        if reply is not Reply.DEFERRED_MESSAGE:
            self.world.interactions.close(self.interaction)
        self.world.changed()
        return message

    def follow_up(self, body: Wire) -> Wire:
        """Post one more message; after a deferral the first one fills the placeholder."""
        if (waiting := self._placeholder()) is not None:
            return self._fill(waiting, body)
        message = self._post(body)
        self.interaction.message_ids.add(int(message["id"]))
        self._show(message)
        return message

    def get(self, which: str) -> Wire:
        """Return a message of this interaction by id or "@original"; 10008 when it is gone or not its own."""
        message_id = self.interaction.original_id if which == "@original" else int(which)
        if message_id not in self._own():
            raise unknown("Message")
        return self._stored(message_id)

    def edit(self, which: str, body: Wire) -> Wire:
        """Change a message of this interaction; a placeholder is filled."""
        message = self.get(which)
        if message["flags"] & LOADING:
            return self._fill(message, body)
        self._change(message, body)
        self._show(message)
        return message

    def delete(self, which: str) -> None:
        """Remove a message of this interaction."""
        message = self.get(which)
        if self.world.interactions.ephemerals.pop(int(message["id"]), None) is None:
            posting.delete(self.world, self.interaction.channel, [int(message["id"])])
        self.world.interactions.close(self.interaction)

    def _permitted(self, kind: object) -> Reply:
        permitted = self.interaction.permitted_replies
        if kind not in permitted:
            choices = ", ".join(str(int(each)) for each in permitted)
            problem = {"code": "BASE_TYPE_CHOICES", "message": f"Value must be one of {{{choices}}}."}
            raise Refusal(400, 50035, "Invalid Form Body", {"type": {"_errors": [problem]}})
        return Reply(int(str(kind)))

    def _source_id(self) -> int | None:
        return int(self.interaction.message["id"]) if self.interaction.message else None

    def _stored(self, message_id: int | None) -> Wire:
        if message_id is None:
            raise unknown("Message")
        private = self.world.interactions.ephemerals.get(message_id)
        return private.message if private else self.world.message(int(self.interaction.channel["id"]), message_id)

    def _own(self) -> set[int | None]:
        return {*self.interaction.message_ids, self._source_id(), self.interaction.original_id}

    def _draft(self, body: Wire) -> Draft:
        extra: Wire = {
            "application_id": str(self.interaction.application.id),
            "webhook_id": str(self.interaction.application.id),
            "interaction_metadata": metadata(self.world, self.interaction),
        }
        if self.interaction.kind is Kind.COMMAND:
            name, person = self.interaction.data["name"], self.world.users[self.interaction.user_id]
            extra["interaction"] = {"id": str(self.interaction.id), "type": 2, "name": name, "user": person}
        if self.interaction.kind is Kind.COMMAND and self.interaction.original_id is None:
            chat = self.interaction.data["type"] == commands.CHAT_INPUT
            extra["type"] = _COMMAND_MESSAGE if chat else _MENU_MESSAGE
        return Draft(body, self.files, _MENTIONING, extra)

    def _post(self, body: Wire) -> Wire:
        draft = self._draft(body)
        author, channel = self.interaction.application.bot, self.interaction.channel
        message = posting.build(self.world, channel, author, draft)
        return self._keep(message, draft)

    def _keep(self, message: Wire, draft: Draft) -> Wire:
        if message["flags"] & EPHEMERAL:
            self.world.interactions.ephemerals[int(message["id"])] = Ephemeral(self.interaction.user_id, message)
            self.world.note("message", message=message, channel=self.interaction.channel)
            return message
        return posting.publish(self.world, self.interaction.channel, message, draft)

    def _promise(self, flags: int) -> None:
        # Nothing but the flag of an ephemeral counts here; the words are wanted by `build` alone and taken out at once.
        draft = self._draft({"content": "...", "flags": flags & EPHEMERAL})
        message = posting.build(self.world, self.interaction.channel, self.interaction.application.bot, draft)
        message |= {"content": "", "flags": message["flags"] | LOADING}
        self.interaction.original_id = int(self._keep(message, draft)["id"])

    def _placeholder(self) -> Wire | None:
        if self.interaction.reply is not Reply.DEFERRED_MESSAGE:
            return None
        try:
            original = self.get("@original")
        except Refusal:
            return None
        return original if original["flags"] & LOADING else None

    def _fill(self, message: Wire, body: Wire) -> Wire:
        message["flags"] &= ~LOADING
        try:
            self._change(message, body)
        except Refusal:
            message["flags"] |= LOADING
            raise
        self._show(message)
        self.world.interactions.close(self.interaction)
        return message

    def _change(self, message: Wire, body: Wire) -> Wire:
        draft = Draft(body, self.files, _MENTIONING)
        if int(message["id"]) in self.world.interactions.ephemerals:
            posting.revise(self.world, self.interaction.channel, message, draft)
            self.world.note("message", message=message, channel=self.interaction.channel)
        else:
            if self._archived():
                raise Refusal(400, 50083, "Thread is archived")
            posting.edit(self.world, self.interaction.channel, message, draft)
        return message

    def _archived(self) -> bool:
        channel = self.interaction.channel
        return channel["type"] in wire.THREADS and channel["thread_metadata"]["archived"]

    def _show(self, message: Wire) -> None:
        self.interaction.shown.append(message)
        self.world.changed()


def _focused_type(data: Wire) -> int:
    """Return the type of the option that is being typed."""
    for option in data.get("options", ()):
        if option.get("focused"):
            return option["type"]
        if "options" in option:
            return _focused_type(option)
    return limits.STRING


def metadata(world: World, interaction: Interaction) -> Wire:
    """Return what a message says about the interaction that brought it forth."""
    told: Wire = {
        "id": str(interaction.id),
        "type": int(interaction.kind),
        "user": world.users[interaction.user_id],
        "authorizing_integration_owners": interaction_payloads.owners(interaction.guild),
    }
    if interaction.original_id is not None and interaction.reply not in {Reply.UPDATE, Reply.DEFERRED_UPDATE}:
        told["original_response_message_id"] = str(interaction.original_id)
    if interaction.kind is Kind.COMPONENT and interaction.message is not None:
        told["interacted_message_id"] = interaction.message["id"]
    elif interaction.kind is Kind.MODAL and interaction.trigger is not None:
        told["triggering_interaction_metadata"] = metadata(world, interaction.trigger)
    elif interaction.data.get("type") == commands.USER_MENU:
        told["target_user"] = world.users[int(interaction.data["target_id"])]
    elif interaction.data.get("type") == commands.MESSAGE_MENU:
        told["target_message_id"] = interaction.data["target_id"]
    return told


def acknowledgement(interaction: Interaction, message: Wire | None, private: set[int]) -> dict[str, Any]:
    """Return the body of a first answer that asked for one (`with_response`)."""
    told: Wire = {"id": str(interaction.id), "type": int(interaction.kind)}
    if interaction.original_id is not None:
        told |= {
            "response_message_id": str(interaction.original_id),
            "response_message_loading": interaction.reply is Reply.DEFERRED_MESSAGE,
            "response_message_ephemeral": interaction.original_id in private,
        }
    if message is None or interaction.reply is None:
        return {"interaction": told}
    return {"interaction": told, "resource": {"type": int(interaction.reply), "message": message}}
