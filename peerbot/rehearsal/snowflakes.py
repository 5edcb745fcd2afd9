"""Read ids and permission bits of a request, whichever way they were written.

Discord takes both as numbers and as text, and clients send them either way. In this stand-in ids are text; the document
that requests are held against has ids as text and bits as numbers.
"""

from __future__ import annotations

from typing import Any

_ID_LISTS = ("messages", "users", "roles", "user_ids", "applied_tags", "sticker_ids")
_BITS = ("allow", "deny", "permissions", "default_member_permissions")
# The ids of components are small numbers, and stay what they are.
_LEAST_ID = 1 << 31


def ids_as_text(value: Any, key: str = "", inside: str = "") -> Any:
    """Return a body in which every snowflake is text."""
    if isinstance(value, dict):
        return {name: ids_as_text(part, name, inside=key) for name, part in value.items()}
    if isinstance(value, list):
        return [ids_as_text(part, key, inside=key) for part in value]
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    named = key == "id" or key.endswith("_id") or key in _ID_LISTS
    attachment = key == "id" and inside == "attachments"
    return str(value) if attachment or (named and value >= _LEAST_ID) else value


def bits_as_numbers(value: Any, key: str = "") -> Any:
    """Return a body in which permission bits are numbers, as Discord's document has them."""
    if isinstance(value, dict):
        return {name: bits_as_numbers(part, name) for name, part in value.items()}
    if isinstance(value, list):
        return [bits_as_numbers(part) for part in value]
    return int(value) if key in _BITS and isinstance(value, str) and value.isdecimal() else value
