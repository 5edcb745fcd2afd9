"""What Discord takes and what it refuses, where its own document lets it pass."""

from __future__ import annotations

from typing import Any

import pytest

from peerbot.rehearsal import limits
from peerbot.rehearsal.refusals import Refusal

V2 = limits.SECOND_VERSION


def a_button(number: int = 0, **fields: Any) -> dict[str, Any]:
    return {"type": 2, "style": 1, "label": "Press", "custom_id": f"button:{number}"} | fields


def a_row(*components: dict[str, Any]) -> dict[str, Any]:
    return {"type": 1, "components": list(components)}


def a_select(**fields: Any) -> dict[str, Any]:
    return {"type": 3, "custom_id": "select", "options": [{"label": "A", "value": "a"}]} | fields


def a_text(content: str = "words") -> dict[str, Any]:
    return {"type": 10, "content": content}


def a_label(component: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": 18, "label": "Name", "component": component} | fields


def an_input(**fields: Any) -> dict[str, Any]:
    return {"type": 4, "style": 1, "custom_id": "name"} | fields


def codes_of(errors: dict[str, Any], path: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in errors.items():
        if key == "_errors":
            found[path] = value[0]["code"]
        else:
            found |= codes_of(value, f"{path}.{key}".lstrip("."))
    return found


MESSAGES_TAKEN: list[dict[str, Any]] = [
    {"content": "x" * 2000},
    {"embeds": [{"description": "x" * 4096}]},
    {"content": "hi", "components": [a_row(*(a_button(number) for number in range(5)))] * 1},
    {"content": "hi", "components": [a_row(a_select(disabled=True))]},
    {"flags": V2, "components": [{"type": 17, "components": [a_text(), a_row(a_button())]}]},
    {"flags": V2, "components": [{"type": 9, "components": [a_text()], "accessory": a_button()}]},
    {"content": "hi", "allowed_mentions": {"parse": ["roles"], "users": ["1"]}},
    {"attachments": [{"id": 0}]},
    {"content": "hi", "components": [a_row({"type": 2, "style": 5, "label": "Site", "url": "https://example.org"})]},
]

MESSAGES_REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"content": "x" * 2001}, "content", "BASE_TYPE_MAX_LENGTH"),
    ({"content": "x", "nonce": "n" * 26}, "nonce", "BASE_TYPE_MAX_LENGTH"),
    ({"embeds": [{"description": "x" * 4000}, {"description": "x" * 2001}]}, "embeds", "MAX_EMBED_SIZE_EXCEEDED"),
    ({"embeds": [{"fields": [{"name": "n", "value": ""}]}]}, "embeds.0.fields.0.value", "BASE_TYPE_REQUIRED"),
    ({"content": "x", "components": [a_row(a_button(n)) for n in range(6)]}, "components", "BASE_TYPE_MAX_LENGTH"),
    ({"content": "x", "components": [a_text()]}, "components.0.type", "UNION_TYPE_CHOICES"),
    ({"content": "x", "components": [a_row()]}, "components.0.components", "BASE_TYPE_REQUIRED"),
    (
        {"content": "x", "components": [a_row(a_button(), a_button())]},
        "components.0.components.1.custom_id",
        "COMPONENT_CUSTOM_ID_DUPLICATED",
    ),
    (
        {"content": "x", "components": [a_row(a_button(), a_select())]},
        "components.0.components.1",
        "COMPONENT_LAYOUT_WIDTH_EXCEEDED",
    ),
    (
        {"content": "x", "components": [a_row(a_button(label="x" * 81))]},
        "components.0.components.0.label",
        "BASE_TYPE_MAX_LENGTH",
    ),
    (
        {"content": "x", "components": [a_row(a_button(custom_id="x" * 101))]},
        "components.0.components.0.custom_id",
        "BASE_TYPE_BAD_LENGTH",
    ),
    (
        {"content": "x", "components": [a_row({"type": 2, "style": 5, "label": "x", "url": "javascript:1"})]},
        "components.0.components.0.url",
        "URL_TYPE_INVALID_SCHEME",
    ),
    (
        {"content": "x", "components": [a_row(a_select(max_values=2))]},
        "components.0.components.0.options",
        "BASE_TYPE_BAD_LENGTH",
    ),
    (
        {"content": "x", "components": [a_row(a_select(options=[{"label": "A", "value": "a"}] * 2))]},
        "components.0.components.0.options.1.value",
        "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
    ),
    (
        {"flags": V2, "content": "x", "components": [a_text()]},
        "content",
        "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
    ),
    ({"flags": V2, "components": [a_text()] * 41}, "components", "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED"),
    (
        {"flags": V2, "components": [{"type": 17, "components": [a_text()] * 40}]},
        "components",
        "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED",
    ),
    (
        {"flags": V2, "components": [a_text("x" * 2000), a_text("x" * 2001)]},
        "components",
        "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED",
    ),
    ({"flags": V2, "components": [a_label(an_input())]}, "components.0.type", "UNION_TYPE_CHOICES"),
    (
        {"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}},
        "allowed_mentions",
        "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
    ),
]


@pytest.mark.parametrize("body", MESSAGES_TAKEN)
def test_a_good_message_is_taken(body: dict[str, Any]) -> None:
    limits.check_message(body)


@pytest.mark.parametrize(("body", "path", "code"), MESSAGES_REFUSED)
def test_a_bad_message_is_refused_where_it_is_bad(body: dict[str, Any], path: str, code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        limits.check_message(body)

    assert refusal.value.code == 50035
    assert codes_of(refusal.value.errors or {})[path] == code


@pytest.mark.parametrize("body", [{}, {"content": "  \n"}, {"content": None, "embeds": []}, {"flags": V2}])
def test_an_empty_message_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refusal:
        limits.check_message(body)

    assert refusal.value.code == 50006


def a_modal(*components: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"title": "A form", "custom_id": "form", "components": list(components)} | fields


MODALS_REFUSED: list[tuple[dict[str, Any], str, str]] = [
    (a_modal(), "components", "BASE_TYPE_REQUIRED"),
    (a_modal(a_label(an_input()), title="x" * 46), "data.title", "BASE_TYPE_BAD_LENGTH"),
    (a_modal(*(a_label(an_input(custom_id=str(n))) for n in range(6))), "components", "BASE_TYPE_BAD_LENGTH"),
    (a_modal(a_label(an_input(), label="x" * 46)), "components.0.label", "BASE_TYPE_BAD_LENGTH"),
    (a_modal(a_label(a_button())), "components.0.component.type", "UNION_TYPE_CHOICES"),
    (a_modal(a_label(a_select(disabled=True))), "components.0.component.disabled", "MODAL_COMPONENT_DISABLED"),
    (a_modal(a_row(a_button())), "components.0.components.0.type", "UNION_TYPE_CHOICES"),
    (
        a_modal(a_label({"type": 21, "custom_id": "r", "options": [{"label": "A", "value": "a"}]})),
        "components.0.component.options",
        "BASE_TYPE_BAD_LENGTH",
    ),
    (a_modal(a_label(an_input(max_length=4001))), "components.0.component.max_length", "NUMBER_TYPE_MAX"),
    (
        a_modal(a_label(an_input(min_length=9, max_length=8))),
        "components.0.component.min_length",
        "TEXT_INPUT_MIN_LENGTH_ABOVE_MAX",
    ),
    (
        a_modal(a_label(an_input(max_length=3, value="four"))),
        "components.0.component.value",
        "BASE_TYPE_BAD_LENGTH",
    ),
    (a_modal(a_label(a_select(min_values=0))), "components.0.component.min_values", "COMPONENT_REQUIRED_MIN_VALUES"),
]


@pytest.mark.parametrize(("body", "path", "code"), MODALS_REFUSED)
def test_a_bad_modal_is_refused_where_it_is_bad(body: dict[str, Any], path: str, code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        limits.check_modal(body)

    assert codes_of(refusal.value.errors or {})[path] == code


def test_a_modal_may_hold_every_kind_of_input() -> None:
    options = [{"label": "A", "value": "a"}, {"label": "B", "value": "b"}]
    limits.check_modal(
        a_modal(
            a_text(),
            a_label({"type": 21, "custom_id": "r", "options": options}),
            a_label({"type": 22, "custom_id": "g", "options": options, "min_values": 0, "required": False}),
            a_label({"type": 23, "custom_id": "c"}),
            a_label({"type": 19, "custom_id": "f", "max_values": 3}),
        )
    )


def a_command(**fields: Any) -> dict[str, Any]:
    return {"name": "groups", "description": "Find a group"} | fields


def an_option(**fields: Any) -> dict[str, Any]:
    return {"type": 3, "name": "topic", "description": "What about"} | fields


COMMANDS_REFUSED: list[tuple[dict[str, Any], str]] = [
    (a_command(name="Groups"), "name"),
    (a_command(name="my groups"), "name"),
    (a_command(name="x" * 33), "name"),
    (a_command(description=""), "description"),
    (a_command(options=[an_option(), an_option(name="other", required=True)]), "options.1"),
    (a_command(options=[an_option(), an_option()]), "options.1.name"),
    (a_command(options=[an_option(), {"type": 1, "name": "new", "description": "New"}]), "options"),
    (a_command(options=[an_option(autocomplete=True, choices=[{"name": "A", "value": "a"}])]), "options.0"),
    (a_command(options=[an_option(type=5, choices=[{"name": "A", "value": "a"}])]), "options.0.type"),
    (a_command(options=[an_option(choices=[{"name": "A", "value": "x" * 101}])]), "options.0.choices.0.value"),
    (a_command(type=3, name="Report", description="words"), "description"),
]


@pytest.mark.parametrize(("body", "path"), COMMANDS_REFUSED)
def test_a_bad_command_is_refused_where_it_is_bad(body: dict[str, Any], path: str) -> None:
    with pytest.raises(Refusal) as refusal:
        limits.check_command(body)

    assert path in codes_of(refusal.value.errors or {})


@pytest.mark.parametrize("name", ["help-now", "gruppen_ä", "समूह", "กลุ่ม"])
def test_names_in_other_scripts_are_taken(name: str) -> None:
    limits.check_command(a_command(name=name))


def test_two_commands_of_one_name_are_refused_and_a_menu_beside_them_is_not() -> None:
    menu = {"type": 3, "name": "groups", "description": ""}
    limits.check_commands([a_command(), menu])

    with pytest.raises(Refusal):
        limits.check_commands([a_command(), a_command()])


def test_more_than_a_hundred_commands_are_refused() -> None:
    with pytest.raises(Refusal) as refusal:
        limits.check_commands([a_command(name=f"c{number}") for number in range(101)])

    assert refusal.value.code == 30032


def test_at_most_twenty_five_choices_are_suggested() -> None:
    choices = [{"name": str(number), "value": str(number)} for number in range(26)]
    limits.check_choices(choices[:25])

    with pytest.raises(Refusal):
        limits.check_choices(choices)
