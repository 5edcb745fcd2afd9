"""Turn what a story names into what Discord's client would send.

People, roles and channels become ids and `resolved` objects, files become attachments, the label of an option becomes
its value. What the client would not let a person do fails with an AssertionError that says what there is to choose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast, runtime_checkable

from peerbot.rehearsal import component_limits as kinds
from peerbot.rehearsal import interaction_payloads
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.wire import Wire
from peerbot.rehearsal.world import World

USER, ROLE, CHANNEL = "user", "role", "channel"
_TAKES = {
    kinds.USER_SELECT: (USER,),
    kinds.ROLE_SELECT: (ROLE,),
    kinds.MENTIONABLE_SELECT: (USER, ROLE),
    kinds.CHANNEL_SELECT: (CHANNEL,),
}


@runtime_checkable
class Somebody(Protocol):
    """A person, by id."""

    user_id: int


@dataclass
class Chosen:
    """What one person chose in one interaction, with the objects that the application is told about."""

    world: World
    guild: Guild | None
    user_id: int
    _ids: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    _attachments: list[Wire] = field(default_factory=list[Wire])

    def thing(self, target: object, allowed: Sequence[str] = (USER, ROLE, CHANNEL)) -> str:
        """Note a person, role or channel and return its id."""
        sort, target_id = sort_of(target)
        if sort not in allowed:
            raise AssertionError(f"a {sort} cannot be chosen here, only {' or '.join(allowed)}: {target!r}")
        self._ids.setdefault(sort, []).append(target_id)
        return str(target_id)

    def preset(self, values: Sequence[Wire]) -> list[str]:
        """Note what the application had chosen beforehand (`default_values`) and return the ids."""
        for each in values:
            self._ids.setdefault(each["type"], []).append(int(each["id"]))
        return [str(each["id"]) for each in values]

    def file(self, filename: str, content: bytes, content_type: str = "application/octet-stream") -> str:
        """Note an uploaded file and return its id."""
        file_id = self.world.new_id()
        url = f"https://cdn.discordapp.com/ephemeral-attachments/{file_id}/{filename}"
        self.world.files[file_id] = content
        attachment: Wire = {"id": str(file_id), "filename": filename, "size": len(content), "url": url}
        attachment |= {"proxy_url": url, "content_type": content_type, "ephemeral": True}
        self._attachments.append(attachment)
        return str(file_id)

    def resolved(self, messages: Iterable[Wire] = ()) -> Wire:
        """Return the objects behind all ids that were noted."""
        return interaction_payloads.resolve(
            self.world,
            self.guild,
            self.user_id,
            users=self._ids.get(USER, ()),
            roles=self._ids.get(ROLE, ()),
            channels=self._ids.get(CHANNEL, ()),
            messages=messages,
            attachments=self._attachments,
        )

    def in_select(self, select: Wire, chosen: Sequence[object], *, unchecked: bool) -> list[str]:
        """Return the values of a select, radio group or checkbox group for what a person chose in it."""
        kind = select["type"]
        if kind in _TAKES:
            values = [self._typed(select, each, unchecked=unchecked) for each in chosen]
        elif kind == kinds.FILE_UPLOAD:
            values = [self.file(*cast("tuple[str, bytes]", each)) for each in chosen]
        else:
            values = [_value_of(select, str(each), unchecked=unchecked) for each in chosen]
        if not unchecked:
            check_count(select, len(values))
        return values

    def _typed(self, select: Wire, target: object, *, unchecked: bool) -> str:
        channel_types = select.get("channel_types")
        if channel_types and not unchecked:
            found = cast("Wire", target)
            if found.get("type") not in channel_types:
                raise AssertionError(f"{found.get('name')!r} is no channel of the types {channel_types}")
        return self.thing(target, _TAKES[select["type"]])


def sort_of(target: object) -> tuple[str, int]:
    """Return whether something is a user, a role or a channel, and its id."""
    if isinstance(target, Somebody):
        return USER, target.user_id
    if isinstance(target, Mapping):
        found = cast("Wire", target)
        if "user" in found:
            return USER, int(found["user"]["id"])
        if "username" in found:
            return USER, int(found["id"])
        return (ROLE if "permissions" in found else CHANNEL), int(found["id"])
    raise AssertionError(f"neither a person nor a role nor a channel: {target!r}")


def check_count(component: Wire, count: int) -> None:
    """Fail where the client would not let a person go on with so many chosen."""
    fewest, most = component.get("min_values"), component.get("max_values") or 1
    if component["type"] == kinds.CHECKBOX_GROUP:
        most = component.get("max_values") or len(component["options"])
    required = component.get("required")
    if count == 0 and required is False:
        return
    least = 1 if fewest is None or (required and fewest == 0) else fewest
    if not least <= count <= most:
        raise AssertionError(f"between {least} and {most} must be chosen, not {count}")


def _value_of(select: Wire, label: str, *, unchecked: bool) -> str:
    options: list[dict[str, Any]] = select["options"]
    for option in options:
        if option["label"] == label:
            return option["value"]
    if unchecked:
        return label
    raise AssertionError(f"there is no option {label!r}; there are {[each['label'] for each in options]}")
