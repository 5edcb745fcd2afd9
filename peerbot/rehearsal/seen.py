"""Say what a person sees: the text of a message, its buttons and its choices, as the client shows them.

A `Seen` is what was there at one moment; a message that is edited later has to be looked at again.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from peerbot.rehearsal import component_limits as kinds
from peerbot.rehearsal.wire import Wire

_WIDTH = 76
_EPHEMERAL, _LOADING = 1 << 6, 1 << 7


class NoAnswer(AssertionError):
    """The application did not respond."""


class Shown:
    """Something that appeared on a person's screen: a message or a form."""

    text: str
    labels: list[str]
    choices: list[str]
    disabled: list[str]
    ephemeral: bool = False

    def __contains__(self, words: str) -> bool:
        """Tell whether these words can be read in it."""
        return words in self.text

    @property
    def title(self) -> str:
        """The title of a form; a message has none."""
        raise AssertionError(f"this is a message, not a form:\n{self!r}")

    @property
    def message_id(self) -> int:
        """The id of a message; a form has none."""
        raise AssertionError(f"this is a form, not a message:\n{self!r}")

    async def send(self, answers: Mapping[str, Any] | None = None, *, unchecked: bool = False) -> Shown:
        """Fill a form and send it; a message cannot be sent."""
        raise AssertionError(f"this is a message, not a form: {answers} {unchecked}\n{self!r}")


class Seen(Shown):
    """A message as one person sees it.

    `text` is all that can be read, in order; `labels` the buttons, `choices` the options of all selects, `disabled` the
    names of what cannot be used, `links` the link buttons by label, `private_to` the only person who sees an ephemeral.
    """

    def __init__(self, message: Wire, private_to: int | None = None) -> None:
        self.current = message  # the stored message itself: what Discord has now
        self.wire = _copied(message)
        self.private_to = private_to
        self.ephemeral = bool(message["flags"] & _EPHEMERAL)
        self.loading = bool(message["flags"] & _LOADING)
        self.author_id = int(message["author"]["id"])
        self.channel_id = int(message["channel_id"])
        self.text = "\n".join(part for part in _texts(self.wire) if part)
        self.files = [each["filename"] for each in message["attachments"]]
        self._components = [component for _, component in kinds.walk(self.wire["components"])]
        self.labels = [name_of(each) for each in self._buttons()]
        self.choices = [option["label"] for each in self._selects() for option in each.get("options", ())]
        usable = [*self._buttons(), *self._selects()]
        self.disabled = [name_of(each) for each in usable if each.get("disabled")]
        self.links = {name_of(each): str(each["url"]) for each in self._buttons() if each.get("url")}

    @property
    def message_id(self) -> int:
        """The id of the message."""
        return int(self.wire["id"])

    @property
    def menus(self) -> list[str]:
        """The placeholders of the selects."""
        return [name_of(each) for each in self._selects()]

    def button(self, label: str) -> Wire:
        """Return the button with this label, or fail with the labels that there are."""
        for each in self._buttons():
            if label in {name_of(each), each.get("label")}:
                return each
        raise AssertionError(f"there is no button {label!r}; there are {self.labels}\n{self!r}")

    def select(self, name: str) -> Wire:
        """Return the select with this placeholder, or fail with those that there are."""
        for each in self._selects():
            if name == name_of(each):
                return each
        raise AssertionError(f"there is no select {name!r}; there are {self.menus}\n{self!r}")

    def __repr__(self) -> str:
        """Draw the card."""
        return draw(self._lines())

    def _buttons(self) -> list[Wire]:
        return [dict(each) for each in self._components if each["type"] == kinds.BUTTON]

    def _selects(self) -> list[Wire]:
        return [dict(each) for each in self._components if each["type"] in kinds.SELECTS]

    def _lines(self) -> Iterator[str]:
        if self.ephemeral:
            yield "(only you can see this)"
        if self.loading:
            yield "(is thinking...)"
        yield from self.text.splitlines()
        yield from (f"file: {name}" for name in self.files)
        buttons = " ".join(f"({name_of(b)})" if b.get("disabled") else f"[{name_of(b)}]" for b in self._buttons())
        if buttons:
            yield buttons
        for each in self._selects():
            options = " / ".join(option["label"] for option in each.get("options", ()))
            yield f"<v {name_of(each)}: {options}>" if options else f"<v {name_of(each)}>"


def name_of(component: Mapping[str, Any]) -> str:
    """Return what a person would call a button or select: its label, placeholder or emoji."""
    emoji: Mapping[str, Any] = component.get("emoji") or {}
    return component.get("label") or component.get("placeholder") or emoji.get("name") or ""


def draw(lines: Iterable[str]) -> str:
    """Put lines into a box of ASCII lines."""
    wrapped = [part for line in lines for part in textwrap.wrap(line, _WIDTH - 4) or [""]]
    edge = "+" + "-" * (_WIDTH - 2) + "+"
    return "\n".join([edge, *(f"| {line:<{_WIDTH - 4}} |" for line in wrapped), edge])


def _copied(value: Any) -> Any:
    """Copy what came as JSON, which copy.deepcopy does in four times as long."""
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value


def _texts(message: Wire) -> Iterator[str]:
    yield message["content"]
    for embed in message["embeds"]:
        yield from _embed_texts(embed)
    for _, component in kinds.walk(message["components"]):
        if component["type"] == kinds.TEXT_DISPLAY:
            yield component["content"]


def _embed_texts(embed: Wire) -> Iterator[str]:
    yield (embed.get("author") or {}).get("name", "")
    yield embed.get("title") or ""
    yield embed.get("description") or ""
    fields: Sequence[Wire] = embed.get("fields") or ()
    for field in fields:
        yield f"{field['name']}\n{field['value']}"
    yield (embed.get("footer") or {}).get("text", "")
