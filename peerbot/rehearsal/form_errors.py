"""Collect what is wrong with a form, and refuse it whole.

Discord reports every problem of a request body at once, in one tree that has the shape of the body. Nothing is changed
when the tree is not empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peerbot.rehearsal.refusals import Refusal


class FormErrors:
    """The problems found so far in one request body."""

    def __init__(self) -> None:
        self._tree: dict[str, Any] = {}

    def add(self, path: str, code: str, problem: str) -> None:
        """Note one problem of the field at a dotted path."""
        node = self._tree
        for part in filter(None, path.split(".")):
            node = node.setdefault(part, {})
        node.setdefault("_errors", []).append({"code": code, "message": problem})

    def text(self, path: str, value: object, shortest: int, longest: int) -> None:
        """Check the length of a text; None is a field that is not there."""
        if value is None:
            return
        if not isinstance(value, str):
            self.add(path, "STRING_TYPE_CONVERT", "Could not interpret value as string.")
        else:
            self._size(path, len(value), shortest, longest, "in length")

    def count(self, path: str, items: Sequence[object] | None, fewest: int, most: int) -> None:
        """Check how many items a list has; None is a field that is not there."""
        if items is not None:
            self._size(path, len(items), fewest, most, "in length")

    def number(self, path: str, value: object, lowest: int, highest: int) -> None:
        """Check the size of a whole number; None is a field that is not there."""
        if value is None:
            return
        if not isinstance(value, int) or isinstance(value, bool):
            self.add(path, "NUMBER_TYPE_COERCE", f'Value "{value}" is not int.')
        elif value < lowest:
            self.add(path, "NUMBER_TYPE_MIN", f"int value should be greater than or equal to {lowest}.")
        elif value > highest:
            self.add(path, "NUMBER_TYPE_MAX", f"int value should be less than or equal to {highest}.")

    def required(self, path: str, value: object) -> bool:
        """Note a field that is missing; return whether it is there."""
        if value is None or value == "":
            self.add(path, "BASE_TYPE_REQUIRED", "This field is required")
            return False
        return True

    def refuse_any(self) -> None:
        """Raise refusal 50035 when a problem was noted."""
        if self._tree:
            raise Refusal(400, 50035, "Invalid Form Body", self._tree)

    def _size(self, path: str, size: int, fewest: int, most: int, unit: str) -> None:
        if fewest <= size <= most:
            return
        if size == 0:
            self.add(path, "BASE_TYPE_REQUIRED", "This field is required")
        elif fewest > 0:
            self.add(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {fewest} and {most} {unit}.")
        else:
            self.add(path, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer {unit}.")
