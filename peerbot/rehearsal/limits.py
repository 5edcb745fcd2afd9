"""Decide whether Discord takes a message, a modal or a command.

Holds what Discord enforces, also where its OpenAPI document lets more pass (content of 4000, empty messages, two custom
ids alike, ...). A body is refused whole, with every problem named.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from peerbot.rehearsal import component_limits
from peerbot.rehearsal.form_errors import FormErrors
from peerbot.rehearsal.refusals import Refusal

SECOND_VERSION = 1 << 15
CHAT_INPUT, USER_MENU, MESSAGE_MENU = 1, 2, 3
SUBCOMMAND, SUBCOMMAND_GROUP, STRING, INTEGER, NUMBER = 1, 2, 3, 4, 10

_EMBED_TEXTS = (("title", 256), ("description", 4096))
_MOST_COMMANDS = {CHAT_INPUT: 100, USER_MENU: 15, MESSAGE_MENU: 15}
_MOST_EMBED_TEXT = 6000
_MOST_COMMAND_TEXT = 8000
_DISCORD_SCRIPTS = re.compile("[\u0900-\u097f\ua8e0-\ua8ff\u0e00-\u0e7f]")

Body = Mapping[str, Any]


def check_message(body: Body) -> None:
    """Refuse a message that Discord does not take: 50035 for its form, 50006 when nothing is in it.

    For an edit the body is the whole message as it would become.
    """
    errors = FormErrors()
    second_version = bool(int(body.get("flags") or 0) & SECOND_VERSION)
    errors.text("content", body.get("content"), 0, 2000)
    errors.text("nonce", None if body.get("nonce") is None else str(body["nonce"]), 0, 25)
    _check_embeds(errors, body.get("embeds") or ())
    _check_mentions(errors, body.get("allowed_mentions") or {})
    errors.count("attachments", body.get("attachments"), 0, 10)
    component_limits.check_in_message(errors, body.get("components") or (), second_version=second_version)
    if second_version:
        _check_no_legacy_fields(errors, body)
    errors.refuse_any()
    held = ("embeds", "components", "attachments", "sticker_ids", "poll")
    if not str(body.get("content") or "").strip() and not any(body.get(key) for key in held):
        raise Refusal(400, 50006, "Cannot send an empty message")


def check_modal(body: Body) -> None:
    """Refuse a modal that Discord does not open: 50035."""
    errors = FormErrors()
    for field, longest in (("title", 45), ("custom_id", 100)):
        if errors.required(f"data.{field}", body.get(field)):
            errors.text(f"data.{field}", body[field], 1, longest)
    component_limits.check_in_modal(errors, body.get("components") or ())
    errors.refuse_any()


def check_command(body: Body) -> None:
    """Refuse an application command that Discord does not register: 50035."""
    errors = FormErrors()
    _check_command(errors, "", body)
    errors.refuse_any()


def check_commands(bodies: Sequence[Body]) -> None:
    """Refuse a list that would replace all commands: each on its own, their names and their number."""
    errors = FormErrors()
    for index, body in enumerate(bodies):
        _check_command(errors, str(index), body)
    names = Counter((int(body.get("type") or CHAT_INPUT), body.get("name")) for body in bodies)
    for index, body in enumerate(bodies):
        if names[int(body.get("type") or CHAT_INPUT), body.get("name")] > 1:
            problem = "Application command names must be unique"
            errors.add(f"{index}.name", "APPLICATION_COMMANDS_DUPLICATE_NAME", problem)
    errors.refuse_any()
    check_command_count(bodies)


def check_command_count(bodies: Sequence[Body]) -> None:
    """Refuse more commands of one kind than Discord keeps: 30032."""
    kinds = Counter(int(body.get("type") or CHAT_INPUT) for body in bodies)
    for kind, most in _MOST_COMMANDS.items():
        if kinds[kind] > most:
            raise Refusal(400, 30032, f"Maximum number of application commands reached ({most})")


def check_choices(choices: Sequence[Body], kind: int = STRING) -> None:
    """Refuse the answer to an autocompletion when Discord would: 50035; `kind` is the type of the option."""
    errors = FormErrors()
    wanted = {STRING: str, INTEGER: int, NUMBER: (int, float)}[kind]
    for index, choice in enumerate(choices):
        value = choice.get("value")
        if value is not None and (not isinstance(value, wanted) or isinstance(value, bool)):
            problem = f'Value "{value}" is not of the type of its option.'
            errors.add(f"data.choices.{index}.value", "APPLICATION_COMMAND_OPTIONS_CHOICE_VALUE_TYPE", problem)
    errors.count("data.choices", choices, 0, 25)
    _check_choices(errors, "data.choices", choices)
    errors.refuse_any()


def _check_embeds(errors: FormErrors, embeds: Sequence[Body]) -> None:
    errors.count("embeds", embeds, 0, 10)
    total = 0
    for index, embed in enumerate(embeds):
        here = f"embeds.{index}"
        fields: Sequence[Body] = embed.get("fields") or ()
        texts = [(f"{here}.{key}", embed.get(key), most) for key, most in _EMBED_TEXTS]
        for part, key, most in (("footer", "text", 2048), ("author", "name", 256)):
            within: Body = embed.get(part) or {}
            texts.append((f"{here}.{part}.{key}", within.get(key), most))
        errors.count(f"{here}.fields", fields, 0, 25)
        for number, field in enumerate(fields):
            for key, most in (("name", 256), ("value", 1024)):
                errors.required(f"{here}.fields.{number}.{key}", field.get(key))
                texts.append((f"{here}.fields.{number}.{key}", field.get(key), most))
        for path, text, most in texts:
            errors.text(path, text, 0, most)
            total += len(text or "")
    if total > _MOST_EMBED_TEXT:
        problem = f"Embed size exceeds maximum size of {_MOST_EMBED_TEXT}"
        errors.add("embeds", "MAX_EMBED_SIZE_EXCEEDED", problem)


def _check_mentions(errors: FormErrors, mentions: Body) -> None:
    parse = mentions.get("parse") or ()
    for kind in ("users", "roles"):
        named = mentions.get(kind) or ()
        errors.count(f"allowed_mentions.{kind}", named, 0, 100)
        if named and kind in parse:
            problem = f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.'
            errors.add("allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", problem)


def _check_no_legacy_fields(errors: FormErrors, body: Body) -> None:
    for field in ("content", "embeds", "poll", "sticker_ids"):
        if body.get(field):
            problem = f"The '{field}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
            errors.add(field, "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", problem)


def _check_command(errors: FormErrors, path: str, body: Body) -> None:
    at = f"{path}." if path else ""
    name, kind = body.get("name"), int(body.get("type") or CHAT_INPUT)
    if errors.required(f"{at}name", name):
        _check_name(errors, f"{at}name", str(name), any_text=kind != CHAT_INPUT)
    if kind != CHAT_INPUT:
        if body.get("description"):
            problem = "Context menu commands cannot have description"
            errors.add(f"{at}description", "APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION_CANNOT_BE_SET", problem)
        if body.get("options"):
            problem = "Context menu commands cannot have options"
            errors.add(f"{at}options", "APPLICATION_COMMAND_CONTEXT_MENU_OPTIONS_CANNOT_BE_SET", problem)
        return
    if errors.required(f"{at}description", body.get("description")):
        errors.text(f"{at}description", body["description"], 1, 100)
    _check_options(errors, f"{at}options", body.get("options") or (), depth=0)
    if _text_of(body) > _MOST_COMMAND_TEXT:
        problem = f"Command exceeds maximum size ({_MOST_COMMAND_TEXT})"
        errors.add(path, "APPLICATION_COMMAND_TOO_LARGE", problem)


def _check_name(errors: FormErrors, path: str, name: str, *, any_text: bool) -> None:
    errors.text(path, name, 1, 32)
    good = all(
        letter in "-_'" or unicodedata.category(letter)[0] in "LN" or _DISCORD_SCRIPTS.match(letter) for letter in name
    )
    if not any_text and not (good and name == name.lower()):
        errors.add(path, "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")


def _check_options(errors: FormErrors, path: str, options: Sequence[Body], *, depth: int) -> None:
    errors.count(path, options, 0, 25)
    names: set[object] = set()
    optional_seen = False
    nested = [int(option.get("type") or 0) in {SUBCOMMAND, SUBCOMMAND_GROUP} for option in options]
    if any(nested) and not all(nested):
        problem = "Sub-command and sub-command group option types are mutually exclusive to all other types"
        errors.add(path, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", problem)
    for index, option in enumerate(options):
        here = f"{path}.{index}"
        if option.get("name") in names:
            errors.add(f"{here}.name", "APPLICATION_COMMAND_OPTIONS_NAME_INVALID", "Option names must be unique")
        names.add(option.get("name"))
        if option.get("required") and optional_seen:
            problem = "Required options must be placed before non-required options"
            errors.add(here, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", problem)
        optional_seen = optional_seen or not option.get("required")
        _check_option(errors, here, option, depth=depth)


def _check_option(errors: FormErrors, path: str, option: Body, *, depth: int) -> None:
    kind, choices = int(option.get("type") or 0), option.get("choices") or ()
    if errors.required(f"{path}.name", option.get("name")):
        _check_name(errors, f"{path}.name", str(option["name"]), any_text=False)
    if errors.required(f"{path}.description", option.get("description")):
        errors.text(f"{path}.description", option["description"], 1, 100)
    errors.count(f"{path}.choices", choices, 0, 25)
    _check_choices(errors, f"{path}.choices", choices)
    if choices and option.get("autocomplete"):
        problem = "Autocomplete cannot be set to true if options are present"
        errors.add(path, "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_CHOICES", problem)
    if (choices or option.get("autocomplete")) and kind not in {STRING, INTEGER, NUMBER}:
        problem = "Choices are only for strings, integers and numbers"
        errors.add(f"{path}.type", "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", problem)
    if kind in {SUBCOMMAND, SUBCOMMAND_GROUP}:
        # A group stands at the top only, a subcommand at the top or in a group.
        if depth > (kind == SUBCOMMAND):
            errors.add(f"{path}.type", "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Sub-commands are nested too deep")
        inner: Sequence[Body] = option.get("options") or ()
        if kind == SUBCOMMAND_GROUP and not inner:
            errors.required(f"{path}.options", None)
        _check_options(errors, f"{path}.options", inner, depth=depth + 1)


def _check_choices(errors: FormErrors, path: str, choices: Sequence[Body]) -> None:
    for index, choice in enumerate(choices):
        here = f"{path}.{index}"
        if errors.required(f"{here}.name", choice.get("name")):
            errors.text(f"{here}.name", choice["name"], 1, 100)
        value = choice.get("value")
        if errors.required(f"{here}.value", value) and isinstance(value, str):
            errors.text(f"{here}.value", value, 1, 100)


def _text_of(body: Body) -> int:
    own = len(str(body.get("name") or "")) + len(str(body.get("description") or ""))
    own += sum(len(str(each.get("name", ""))) + len(str(each.get("value", ""))) for each in body.get("choices") or ())
    return own + sum(_text_of(option) for option in body.get("options") or ())
