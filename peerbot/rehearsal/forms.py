"""Show a form as a person sees it, and send what they filled in.

Fields are found by their labels and options by theirs. The form starts with what the application put into it, and is
checked as Discord's client checks it before it is sent, unless the story goes around the client.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from peerbot.rehearsal import component_limits as kinds
from peerbot.rehearsal.chosen import Chosen
from peerbot.rehearsal.interactions import Interaction
from peerbot.rehearsal.seen import Shown, draw
from peerbot.rehearsal.wire import Wire

_LONGEST_TEXT = 4000
_ONE = (kinds.RADIO_GROUP,)

Submit = Callable[[Interaction, Wire], Awaitable[Shown]]


@dataclass(frozen=True)
class Field:
    """One thing to fill in: the label over it and the component itself."""

    label: str
    description: str
    component: Wire

    @property
    def choices(self) -> list[str]:
        """The labels of its options."""
        return [option["label"] for option in self.component.get("options", ())]

    @property
    def value(self) -> Any:
        """What the application put into it."""
        kind = self.component["type"]
        if kind == kinds.TEXT_INPUT:
            return self.component.get("value", "")
        if kind == kinds.CHECKBOX:
            return self.component.get("default", False)
        marked = [option["label"] for option in self.component.get("options", ()) if option.get("default")]
        return (marked or [None])[0] if kind in _ONE else marked


class Form(Shown):
    """A form that an application opened; `labels` are its fields, `text` all that can be read in it."""

    def __init__(self, opened_by: Interaction, chosen: Chosen, submit: Submit) -> None:
        self.wire: Wire = opened_by.modal or {}
        self.custom_id = str(self.wire["custom_id"])
        self.fields = {each.label: each for each in _fields(self.wire["components"])}
        self.labels = list(self.fields)
        self.choices = [choice for each in self.fields.values() for choice in each.choices]
        self.disabled = []
        self.text = "\n".join([self.title, *_texts(self.wire["components"])])
        self._opened_by, self._chosen, self._submit = opened_by, chosen, submit

    @property
    def title(self) -> str:
        """The title over the form."""
        return self.wire["title"]

    async def send(self, answers: Mapping[str, Any] | None = None, *, unchecked: bool = False) -> Shown:
        """Fill the form by labels, send it and return what comes of it.

        Raises AssertionError where the client would not let a person send it.
        """
        given = dict(answers or {})
        if unknown := given.keys() - self.fields.keys():
            raise AssertionError(f"there is no {sorted(unknown)}; there are {self.labels}\n{self!r}")
        filled = {label: given.get(label, field.value) for label, field in self.fields.items()}
        components = [self._filled(each, filled, unchecked=unchecked) for each in self.wire["components"]]
        sent: Wire = {"custom_id": self.custom_id, "components": components}
        if resolved := self._chosen.resolved():
            sent["resolved"] = resolved
        return await self._submit(self._opened_by, sent)

    def __repr__(self) -> str:
        """Draw the form."""
        return draw(_lines(self))

    def _filled(self, component: Wire, filled: Mapping[str, Any], *, unchecked: bool) -> Wire:
        shell: Wire = {"type": component["type"], "id": component["id"]}
        if component["type"] == kinds.TEXT_DISPLAY:
            return shell
        if component["type"] == kinds.ROW:
            inner = component["components"][0]
            return shell | {"components": [self._answer(inner, filled[inner["label"]], unchecked=unchecked)]}
        value = filled[component["label"]]
        try:
            return shell | {"component": self._answer(component["component"], value, unchecked=unchecked)}
        except AssertionError as problem:
            raise AssertionError(f"{component['label']!r}: {problem}") from None

    def _answer(self, component: Wire, value: Any, *, unchecked: bool) -> Wire:
        kind = component["type"]
        answer: Wire = {"type": kind, "id": component["id"], "custom_id": component["custom_id"]}
        if kind == kinds.TEXT_INPUT:
            if not unchecked:
                _check_text(component, value)
            return answer | {"value": value}
        if kind == kinds.CHECKBOX:
            return answer | {"value": bool(value)}
        if kind in _ONE:
            chosen = [] if value is None else [value]
            values = self._chosen.in_select(component, chosen, unchecked=unchecked)
            return answer | {"value": values[0] if values else None}
        several: Sequence[Any] = cast("Sequence[Any]", value) if isinstance(value, list) else [value]
        preset = component.get("default_values", ())
        if not several and preset:
            return answer | {"values": self._chosen.preset(preset)}
        return answer | {"values": self._chosen.in_select(component, several, unchecked=unchecked)}


def _check_text(component: Wire, value: str) -> None:
    if not value:
        if component.get("required", True):
            raise AssertionError("must be filled in")
        return
    least, most = component.get("min_length") or 0, component.get("max_length") or _LONGEST_TEXT
    if not least <= len(value) <= most:
        raise AssertionError(f"must have between {least} and {most} letters, not {len(value)}")


def _fields(components: Sequence[Wire]) -> Iterator[Field]:
    for each in components:
        if each["type"] == kinds.ROW:
            inner = each["components"][0]
            yield Field(inner["label"], "", inner)
        elif each["type"] == kinds.LABEL:
            yield Field(each["label"], each.get("description", ""), each["component"])


def _texts(components: Sequence[Wire]) -> Iterator[str]:
    for each in components:
        if each["type"] == kinds.TEXT_DISPLAY:
            yield each["content"]
        else:
            for field in _fields([each]):
                yield from filter(None, (field.label, field.description, field.component.get("placeholder")))


def _lines(form: Form) -> Iterator[str]:
    yield f"FORM: {form.title}"
    for each in form.wire["components"]:
        if each["type"] == kinds.TEXT_DISPLAY:
            yield each["content"]
        for field in _fields([each]):
            star = "" if field.component.get("required", True) is False else " *"
            yield f"{field.label}{star}: {' / '.join(field.choices) or field.value or '____'}"
            if field.description:
                yield f"  {field.description}"
    yield "[Cancel] [Submit]"
