"""Turn a written command line into the interaction that Discord's client would send for it.

The client knows the command's definition: it refuses unknown options, missing ones, lengths and numbers out of range,
and what is no choice. A story that goes around it says `unchecked`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from peerbot.rehearsal.application import Application
from peerbot.rehearsal.chosen import CHANNEL, ROLE, USER, Chosen
from peerbot.rehearsal.commands import CHAT_INPUT
from peerbot.rehearsal.wire import Wire

SUBCOMMAND, GROUP, STRING, INTEGER, BOOLEAN = 1, 2, 3, 4, 5
USER_OPTION, CHANNEL_OPTION, ROLE_OPTION, MENTIONABLE_OPTION, NUMBER, ATTACHMENT = 6, 7, 8, 9, 10, 11
_TAKES = {
    USER_OPTION: (USER,),
    CHANNEL_OPTION: (CHANNEL,),
    ROLE_OPTION: (ROLE,),
    MENTIONABLE_OPTION: (USER, ROLE),
}


class Choice(str):
    """A suggestion of an autocompletion: reads as its name, sends its value."""

    __slots__ = ("value",)
    value: Any

    @classmethod
    def of(cls, choice: Wire) -> Choice:
        """Return the choice for Discord's object."""
        made = cls(choice["name"])
        made.value = choice["value"]
        return made


@dataclass(frozen=True)
class CommandLine:
    """A command as it was written: the top-level name, then subcommands, then options by name."""

    written: str
    given: Mapping[str, object]
    unchecked: bool = False

    @property
    def words(self) -> list[str]:
        """The names in it."""
        return self.written.removeprefix("/").split()

    def find(self, offered: Sequence[tuple[Application, Wire]]) -> tuple[Application, Wire]:
        """Return the command that is meant, or fail with those that are offered."""
        chat = [(owner, each) for owner, each in offered if each["type"] == CHAT_INPUT]
        for owner, command in chat:
            if command["name"] == self.words[0]:
                return owner, command
        raise AssertionError(f"{self.written!r} is not offered; there are {sorted(each['name'] for _, each in chat)}")

    def payload(self, command: Wire, chosen: Chosen, *, focused: str | None = None) -> Wire:
        """Return the `data` of the interaction; `focused` is the option that is being typed."""
        leaf, path = self._leaf(command)
        options = self._options(leaf, chosen, focused)
        for kind, name in reversed(path):
            options = [{"type": kind, "name": name, "options": options}]
        sent: Wire = {"id": command["id"], "name": command["name"], "type": command["type"], "options": options}
        if "guild_id" in command:
            sent["guild_id"] = command["guild_id"]
        if resolved := chosen.resolved():
            sent["resolved"] = resolved
        return sent

    def _leaf(self, command: Wire) -> tuple[Wire, list[tuple[int, str]]]:
        here, path = command, list[tuple[int, str]]()
        for word in self.words[1:]:
            inner = [each for each in here.get("options", ()) if each["type"] in {SUBCOMMAND, GROUP}]
            found = next((each for each in inner if each["name"] == word), None)
            if found is None:
                raise AssertionError(f"{self.written!r}: no {word!r}; there are {[each['name'] for each in inner]}")
            here = found
            path.append((found["type"], word))
        if any(each["type"] in {SUBCOMMAND, GROUP} for each in here.get("options", ())):
            names = [each["name"] for each in here["options"]]
            raise AssertionError(f"{self.written!r} cannot be used alone; it has {names}")
        return here, path

    def _options(self, leaf: Wire, chosen: Chosen, focused: str | None) -> list[Wire]:
        defined: dict[str, Wire] = {each["name"]: each for each in leaf.get("options", ())}
        given = {name if name in defined else name.replace("_", "-"): value for name, value in self.given.items()}
        if unknown := given.keys() - defined.keys():
            raise AssertionError(f"{self.written!r} has no option {sorted(unknown)}; it has {sorted(defined)}")
        missing = [name for name, each in defined.items() if each.get("required") and name not in given]
        if missing and focused is None and not self.unchecked:
            raise AssertionError(f"{self.written!r} needs {missing}")
        sent: list[Wire] = []
        for name, value in given.items():
            option = defined[name]
            typed: Wire = {"name": name, "type": option["type"]}
            if focused is not None and name == focused.replace("_", "-"):
                sent.append(typed | {"value": str(value), "focused": True})
            else:
                sent.append(typed | {"value": self._value(option, value, chosen)})
        return sent

    def _value(self, option: Wire, value: object, chosen: Chosen) -> Any:
        kind = option["type"]
        if kind == ATTACHMENT:
            return chosen.file(*cast("tuple[str, bytes]", value))
        if kind in _TAKES:
            self._check_channel(option, value)
            return chosen.thing(value, _TAKES[kind])
        if isinstance(value, Choice):
            return value.value
        choices: Sequence[Wire] = option.get("choices", ())
        for choice in choices:
            if value in {choice["name"], choice["value"]}:
                return choice["value"]
        if not self.unchecked:
            if choices:
                names = [each["name"] for each in choices]
                raise AssertionError(f"{option['name']!r}: {value!r} is no choice; there are {names}")
            _check_range(option, value)
        return value

    def _check_channel(self, option: Wire, value: object) -> None:
        allowed = option.get("channel_types")
        if allowed and not self.unchecked and cast("Wire", value).get("type") not in allowed:
            raise AssertionError(f"{option['name']!r} takes only channels of the types {allowed}")


def _check_range(option: Wire, value: object) -> None:
    name, kind = option["name"], option["type"]
    wanted = {STRING: str, INTEGER: int, BOOLEAN: bool, NUMBER: (int, float)}[kind]
    if not isinstance(value, wanted) or (kind != BOOLEAN and isinstance(value, bool)):
        raise AssertionError(f"{name!r} cannot be {value!r}")
    measured = len(value) if isinstance(value, str) else value
    least, most = ("min_length", "max_length") if kind == STRING else ("min_value", "max_value")
    low, high = option.get(least), option.get(most)
    if kind == STRING and high is None:
        high = 6000  # developers/interactions/application-commands.mdx: no longer string is sent
    if (low is not None and cast("float", measured) < low) or (high is not None and cast("float", measured) > high):
        raise AssertionError(f"{name!r} must be between {low} and {high}, not {measured}")
