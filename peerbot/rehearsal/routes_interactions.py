"""Answer the routes that carry an interaction's token instead of a bot's."""

from __future__ import annotations

from typing import Any

from peerbot.rehearsal.interaction_replies import Answering, acknowledgement
from peerbot.rehearsal.refusals import Refusal
from peerbot.rehearsal.routing import Answer, Call, Routes

routes = Routes()

WEBHOOK = "/webhooks/{webhook_id}/{webhook_token}"


@routes("POST", "/interactions/{interaction_id}/{interaction_token}/callback", authorized=False)
async def callback(call: Call) -> Any:
    """Take the first answer to an interaction."""
    world = call.world
    interaction = world.interactions.unanswered(call.number("interaction_id"), call.path["interaction_token"])
    try:
        message = Answering(world, interaction, call.files).first(call.body)
    except Refusal as refusal:
        interaction.refused.append(refusal)
        raise
    if call.query.get("with_response", "").lower() not in {"1", "true"}:
        return None
    return Answer(200, acknowledgement(interaction, message, set(world.interactions.ephemerals)))


@routes("POST", WEBHOOK, authorized=False)
async def follow_up(call: Call) -> Any:
    """Post a followup; it is always waited for."""
    return _answering(call).follow_up(call.body)


@routes("GET", f"{WEBHOOK}/messages/@original", authorized=False)
@routes("GET", f"{WEBHOOK}/messages/{{message_id}}", authorized=False)
async def get(call: Call) -> Any:
    """Return a message of an interaction."""
    return _answering(call).get(_which(call))


@routes("PATCH", f"{WEBHOOK}/messages/@original", authorized=False)
@routes("PATCH", f"{WEBHOOK}/messages/{{message_id}}", authorized=False)
async def edit(call: Call) -> Any:
    """Change a message of an interaction."""
    return _answering(call).edit(_which(call), call.body)


@routes("DELETE", f"{WEBHOOK}/messages/@original", authorized=False)
@routes("DELETE", f"{WEBHOOK}/messages/{{message_id}}", authorized=False)
async def delete(call: Call) -> None:
    """Remove a message of an interaction."""
    _answering(call).delete(_which(call))


def _answering(call: Call) -> Answering:
    interactions = call.world.interactions
    return Answering(
        call.world, interactions.answered(call.number("webhook_id"), call.path["webhook_token"]), call.files
    )


def _which(call: Call) -> str:
    if "message_id" not in call.path or call.path["message_id"] == "@original":
        return "@original"
    return str(call.number("message_id"))
