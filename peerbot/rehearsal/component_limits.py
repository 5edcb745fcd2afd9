"""Decide which trees of components Discord takes, in messages and in modals.

Every rule of developers/components/reference.mdx that concerns shape, length and number; the same tree may pass in one
place and fail in another (a select may be disabled in a message, never in a modal).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from peerbot.rehearsal.form_errors import FormErrors

ROW, BUTTON, STRING_SELECT, TEXT_INPUT = 1, 2, 3, 4
USER_SELECT, ROLE_SELECT, MENTIONABLE_SELECT, CHANNEL_SELECT = 5, 6, 7, 8
SECTION, TEXT_DISPLAY, THUMBNAIL, GALLERY, FILE, SEPARATOR, CONTAINER = 9, 10, 11, 12, 13, 14, 17
LABEL, FILE_UPLOAD, RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX = 18, 19, 21, 22, 23

TYPED_SELECTS = (USER_SELECT, ROLE_SELECT, MENTIONABLE_SELECT, CHANNEL_SELECT)
SELECTS = (STRING_SELECT, *TYPED_SELECTS)
LINK_STYLE, PREMIUM_STYLE = 5, 6

MOST_COMPONENTS = 40
MOST_DISPLAYED_TEXT = 4000
MOST_IN_MODAL = 5

_IN_CONTAINER = (ROW, SECTION, TEXT_DISPLAY, GALLERY, FILE, SEPARATOR)
_AT_TOP_V2 = (*_IN_CONTAINER, CONTAINER)
_IN_LABEL = (*SELECTS, TEXT_INPUT, FILE_UPLOAD, RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX)
_CUSTOM_ID = ("custom_id", 1, 100)
_TEXTS: dict[int, tuple[tuple[str, int, int], ...]] = {
    BUTTON: (("label", 0, 80), _CUSTOM_ID, ("url", 1, 512)),
    TEXT_INPUT: (_CUSTOM_ID, ("label", 1, 45), ("placeholder", 0, 100), ("value", 0, 4000)),
    TEXT_DISPLAY: (("content", 1, 4000),),
    THUMBNAIL: (("description", 0, 1024),),
    LABEL: (("label", 1, 45), ("description", 0, 100)),
    **dict.fromkeys(SELECTS, (_CUSTOM_ID, ("placeholder", 0, 150))),
    **dict.fromkeys((FILE_UPLOAD, RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX), (_CUSTOM_ID,)),
}
_OPTIONS = {STRING_SELECT: (1, 25), RADIO_GROUP: (2, 10), CHECKBOX_GROUP: (1, 10)}
_MOST_VALUES = {**dict.fromkeys(SELECTS, 25), CHECKBOX_GROUP: 10, FILE_UPLOAD: 10}

Component = Mapping[str, Any]


def walk(components: Sequence[Component], path: str = "components") -> Iterator[tuple[str, Component]]:
    """Yield every component of a tree with its dotted path, parents before children."""
    for index, component in enumerate(components):
        here = f"{path}.{index}"
        yield here, component
        yield from walk(component.get("components") or (), f"{here}.components")
        for slot in ("accessory", "component"):
            if component.get(slot):
                yield f"{here}.{slot}", component[slot]


def check_in_message(errors: FormErrors, components: Sequence[Component], *, second_version: bool) -> None:
    """Note what is wrong with the components of a message."""
    allowed = _AT_TOP_V2 if second_version else (ROW,)
    if not second_version:
        errors.count("components", components, 0, 5)
    for path, component in _typed(errors, components, "components", allowed):
        _check_shape(errors, path, component)
    everything = list(walk(components))
    if len(everything) > MOST_COMPONENTS:
        problem = f"The total number of components cannot exceed {MOST_COMPONENTS}"
        errors.add("components", "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", problem)
    shown = sum(len(str(each.get("content", ""))) for _, each in everything if each.get("type") == TEXT_DISPLAY)
    if shown > MOST_DISPLAYED_TEXT:
        problem = f"Components displayable text size exceeds maximum size of {MOST_DISPLAYED_TEXT}"
        errors.add("components", "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", problem)
    _check_each(errors, everything)


def check_in_modal(errors: FormErrors, components: Sequence[Component]) -> None:
    """Note what is wrong with the components of a modal."""
    errors.count("components", components, 1, MOST_IN_MODAL)
    for path, component in _typed(errors, components, "components", (ROW, TEXT_DISPLAY, LABEL)):
        if component["type"] == ROW:
            children = component.get("components") or ()
            errors.count(f"{path}.components", children, 1, 1)
            for inner_path, inner in _typed(errors, children, f"{path}.components", (TEXT_INPUT,)):
                errors.required(f"{inner_path}.label", inner.get("label"))
        elif component["type"] == LABEL and errors.required(f"{path}.component", component.get("component")):
            errors.required(f"{path}.label", component.get("label"))
            _check_type(errors, f"{path}.component", component["component"], _IN_LABEL)
    everything = list(walk(components))
    for path, component in everything:
        if component.get("disabled"):
            errors.add(f"{path}.disabled", "MODAL_COMPONENT_DISABLED", "Components in modals cannot be disabled")
        if component.get("min_values") == 0 and component.get("required") is not False:
            problem = "min_values must be at least 1 where an answer is required"
            errors.add(f"{path}.min_values", "COMPONENT_REQUIRED_MIN_VALUES", problem)
    _check_each(errors, everything)


def _typed(
    errors: FormErrors, components: Sequence[Component], path: str, allowed: Sequence[int]
) -> Iterator[tuple[str, Component]]:
    for index, component in enumerate(components):
        here = f"{path}.{index}"
        if _check_type(errors, here, component, allowed):
            yield here, component


def _check_type(errors: FormErrors, path: str, component: Component, allowed: Sequence[int]) -> bool:
    if component.get("type") in allowed:
        return True
    choices = ", ".join(map(str, sorted(allowed)))
    errors.add(f"{path}.type", "UNION_TYPE_CHOICES", f'Value of field "type" must be one of ({choices}).')
    return False


def _check_shape(errors: FormErrors, path: str, component: Component) -> None:
    children: Sequence[Component] = component.get("components") or ()
    below = f"{path}.components"
    if component["type"] == ROW:
        errors.count(below, children, 1, 5)
        kinds = [each["type"] for _, each in _typed(errors, children, below, (BUTTON, *SELECTS))]
        if len(kinds) > 1 and any(kind != BUTTON for kind in kinds):
            problem = "The specified component exceeds the maximum width"
            errors.add(f"{below}.1", "COMPONENT_LAYOUT_WIDTH_EXCEEDED", problem)
    elif component["type"] == SECTION:
        errors.count(below, children, 1, 3)
        list(_typed(errors, children, below, (TEXT_DISPLAY,)))
        if errors.required(f"{path}.accessory", component.get("accessory")):
            _check_type(errors, f"{path}.accessory", component["accessory"], (BUTTON, THUMBNAIL))
    elif component["type"] == CONTAINER:
        errors.count(below, children, 1, MOST_COMPONENTS)
        for inner_path, inner in _typed(errors, children, below, _IN_CONTAINER):
            _check_shape(errors, inner_path, inner)
    elif component["type"] == GALLERY:
        errors.count(f"{path}.items", component.get("items") or (), 1, 10)


def _check_each(errors: FormErrors, everything: Sequence[tuple[str, Component]]) -> None:
    seen: set[str] = set()
    for path, component in everything:
        kind = component.get("type", 0)
        for field, shortest, longest in _TEXTS.get(kind, ()):
            errors.text(f"{path}.{field}", component.get(field), shortest, longest)
        if kind == BUTTON:
            _check_button(errors, path, component)
        elif kind == TEXT_INPUT:
            errors.number(f"{path}.min_length", component.get("min_length"), 0, 4000)
            errors.number(f"{path}.max_length", component.get("max_length"), 1, 4000)
            _check_text_range(errors, path, component)
        elif kind == TEXT_DISPLAY:
            errors.required(f"{path}.content", component.get("content"))
        if _CUSTOM_ID in _TEXTS.get(kind, ()) and kind != BUTTON:
            errors.required(f"{path}.custom_id", component.get("custom_id"))
        _check_values(errors, path, component)
        custom_id = component.get("custom_id")
        if custom_id in seen:
            problem = "Component custom id cannot be duplicated"
            errors.add(f"{path}.custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED", problem)
        elif custom_id:
            seen.add(custom_id)


def _check_text_range(errors: FormErrors, path: str, component: Component) -> None:
    least, most = component.get("min_length") or 0, component.get("max_length") or 4000
    if least > most:
        problem = "min_length must not be greater than max_length"
        errors.add(f"{path}.min_length", "TEXT_INPUT_MIN_LENGTH_ABOVE_MAX", problem)
    if (value := component.get("value")) and not least <= len(value) <= most:
        errors.add(f"{path}.value", "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")


def _check_button(errors: FormErrors, path: str, button: Component) -> None:
    style = button.get("style")
    errors.number(f"{path}.style", style, 1, PREMIUM_STYLE)
    needed = {LINK_STYLE: "url", PREMIUM_STYLE: "sku_id"}.get(style or 0, "custom_id")
    if not button.get(needed):
        errors.add(path, f"BUTTON_COMPONENT_{needed.upper()}_REQUIRED", f"A {needed.replace('_', ' ')} is required")
    for other in {"url", "sku_id", "custom_id"} - {needed}:
        if button.get(other):
            errors.add(path, "BUTTON_COMPONENT_FIELDS_EXCLUSIVE", f"A {needed} and {other} cannot both be specified")
    if style != PREMIUM_STYLE and not button.get("label") and not button.get("emoji"):
        errors.add(path, "BUTTON_COMPONENT_INVALID_LABEL", "A button must have a label or an emoji")
    if button.get("url") and not str(button["url"]).startswith(("http://", "https://", "discord://")):
        errors.add(f"{path}.url", "URL_TYPE_INVALID_SCHEME", "Scheme must be one of ('http', 'https', 'discord').")


def _check_values(errors: FormErrors, path: str, component: Component) -> None:
    kind = component.get("type", 0)
    options: Sequence[Component] | None = component.get("options")
    if kind in _OPTIONS:
        errors.count(f"{path}.options", options or (), *_OPTIONS[kind])
        _check_options(errors, f"{path}.options", options or ())
    if kind not in _MOST_VALUES:
        return
    fewest, most = component.get("min_values"), component.get("max_values")
    errors.number(f"{path}.min_values", fewest, 0, _MOST_VALUES[kind])
    errors.number(f"{path}.max_values", most, 1, _MOST_VALUES[kind])
    if isinstance(fewest, int) and isinstance(most, int) and fewest > most:
        errors.add(
            f"{path}.min_values", "SELECT_MIN_VALUES_ABOVE_MAX", "min_values must not be greater than max_values"
        )
    asked = max(int(fewest or 0), int(most or 0))
    if options and asked > len(options):
        errors.add(f"{path}.options", "BASE_TYPE_BAD_LENGTH", f"Must be {asked} or more in length.")
    if options and sum(bool(each.get("default")) for each in options) > (most or 1):
        errors.add(f"{path}.options", "SELECT_TOO_MANY_DEFAULTS", "More options are default than may be selected")


def _check_options(errors: FormErrors, path: str, options: Sequence[Component]) -> None:
    values: set[object] = set()
    for index, option in enumerate(options):
        here = f"{path}.{index}"
        errors.required(f"{here}.label", option.get("label"))
        errors.required(f"{here}.value", option.get("value"))
        for field in ("label", "value", "description"):
            errors.text(f"{here}.{field}", option.get(field) or None, 0, 100)
        if option.get("value") in values:
            problem = "The specified option value is already used"
            errors.add(f"{here}.value", "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", problem)
        values.add(option.get("value"))
