"""Hold requests and responses against Discord's own OpenAPI document.

A violation means that the stand-in or a client strays from the published form. The document lets more pass than Discord
does; what it misses is in `limits`. jsonschema-rs is needed only where a contract is loaded.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

Node = dict[str, Any]
Pointer = tuple[str, ...]

_DOCUMENT = "urn:discord"
_MOST_PROBLEMS = 5
# A body is required by the document, but not by Discord: discord.py sends these requests without one.
_BODY_IS_SPARED = {(method, "/guilds/{guild_id}/bans/{user_id}") for method in ("PUT", "DELETE")}
_METHODS = ("get", "put", "post", "patch", "delete")


class ContractViolation(AssertionError):
    """A request or response that Discord's document does not know."""


def document_path() -> Path | None:
    """Return where Discord's document is (PEERBOT_DISCORD_SPEC, else beside the repository), None where it is not."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "reference" / "discord-openapi.json"
    path = Path(os.environ.get("PEERBOT_DISCORD_SPEC") or beside)
    return path if path.is_file() else None


class Contract:
    """Discord's document, ready to check with; schemas are compiled when they are first needed."""

    def __init__(self, document: Node) -> None:
        self._document = document
        self._validators: dict[Pointer, Any] = {}

    @classmethod
    def load(cls, path: Path | None = None) -> Contract:
        """Read the document from a path, else from where `document_path` finds it; raises FileNotFoundError."""
        found = path or document_path()
        if found is None:
            raise FileNotFoundError("discord-openapi.json: set PEERBOT_DISCORD_SPEC to its path")
        return cls(json.loads(found.read_text(encoding="utf-8")))

    def request(self, method: str, path: str, body: object) -> None:
        """Check a request body; `path` is a template or a real path below /api/v10. Raises ContractViolation."""
        operation = self._operation(method, path)
        form: Node = self._at(operation).get("requestBody", {})
        schema = (*operation, "requestBody", "content", "application/json", "schema")
        if body is None:
            if form.get("required") and "application/json" in form["content"] and (method, path) not in _BODY_IS_SPARED:
                raise ContractViolation(f"{method} {path}: a body is required")
        elif "application/json" in form.get("content", {}):
            self._check(schema, body, f"request {method} {path}")
        elif not form:
            raise ContractViolation(f"{method} {path}: takes no body, got {body!r}")

    def response(self, method: str, path: str, status: int, body: object) -> None:
        """Check a response by its status; server errors have no form. Raises ContractViolation."""
        operation = self._operation(method, path)
        known: Node = self._at(operation)["responses"]
        key = next((each for each in (str(status), f"{status // 100}XX") if each in known), None)
        what = f"response {status} to {method} {path}"
        if key is None:
            if status < 500:  # noqa: PLR2004
                raise ContractViolation(f"{what}: only {sorted(known)} are known")
            return
        place = self._followed((*operation, "responses", key))
        if "application/json" in self._at(place).get("content", {}):
            self._check((*place, "content", "application/json", "schema"), body, what)
        elif body is not None:
            raise ContractViolation(f"{what}: has no body, got {body!r}")

    @cached_property
    def _registry(self) -> Any:
        import jsonschema_rs

        return jsonschema_rs.Registry([(_DOCUMENT, self._document)])

    @cached_property
    def _operations(self) -> dict[tuple[str, int], list[tuple[list[str], Pointer]]]:
        """What can be asked for, by its method and the number of parts that its path has."""
        found: dict[tuple[str, int], list[tuple[list[str], Pointer]]] = defaultdict(list)
        for path, methods in self._document["paths"].items():
            parts = path.split("/")
            for method in methods:
                if method in _METHODS:
                    found[method, len(parts)].append((parts, ("paths", path, method)))
        # Literal parts come before named ones: /applications/@me is not /applications/{application_id}.
        for several in found.values():
            several.sort(key=lambda each: [part.startswith("{") for part in each[0]])
        return found

    def _operation(self, method: str, path: str) -> Pointer:
        parts = path.split("/")
        for known, pointer in self._operations.get((method.lower(), len(parts)), ()):
            if all(map(_fits, known, parts)):
                return pointer
        raise ContractViolation(f"{method} {path} is not in Discord's document")

    def _at(self, pointer: Pointer) -> Node:
        node: Any = self._document
        for part in pointer:
            node = node[int(part)] if isinstance(node, list) else node[part]
        return node

    def _followed(self, pointer: Pointer) -> Pointer:
        while "$ref" in self._at(pointer):
            pointer = tuple(self._at(pointer)["$ref"].removeprefix("#/").split("/"))
        return pointer

    def _validator(self, pointer: Pointer) -> Any:
        if pointer not in self._validators:
            import jsonschema_rs

            path = "/".join(part.replace("~", "~0").replace("/", "~1") for part in pointer)
            schema = {"$ref": f"{_DOCUMENT}#/{quote(path)}"}
            self._validators[pointer] = jsonschema_rs.Draft202012Validator(schema, registry=self._registry)
        return self._validators[pointer]

    def _check(self, pointer: Pointer, body: object, what: str) -> None:
        if self._validator(pointer).is_valid(body):
            return
        problems = list(self._problems(pointer, body, ""))[:_MOST_PROBLEMS]
        raise ContractViolation("\n  ".join([f"{what}:", *problems]))

    def _problems(self, pointer: Pointer, value: object, where: str) -> Iterator[str]:
        """Name what is wrong where it is wrong: a union says only that no branch fits."""
        pointer = self._followed(pointer)
        schema = self._at(pointer)
        for union in ("oneOf", "anyOf"):
            if union in schema:
                branch = self._branch((*pointer, union), value)
                yield from self._problems(branch, value, where)
                return
        inner = list(self._inner(pointer, schema, value, where))
        if inner:
            yield from inner
            return
        for error in self._validator(pointer).iter_errors(value):
            yield f"{where or '(body)'}: {error.message}"

    def _inner(self, pointer: Pointer, schema: Node, value: object, where: str) -> Iterator[str]:
        if isinstance(value, dict):
            properties: Node = schema.get("properties", {})
            for key, each in cast("Node", value).items():
                below = (*pointer, "properties", key)
                if key in properties and not self._validator(below).is_valid(each):
                    yield from self._problems(below, each, f"{where}.{key}".lstrip("."))
        elif isinstance(value, list) and "items" in schema:
            below = (*pointer, "items")
            for index, each in enumerate(cast("list[object]", value)):
                if not self._validator(below).is_valid(each):
                    yield from self._problems(below, each, f"{where}[{index}]")

    def _branch(self, pointer: Pointer, value: object) -> Pointer:
        """Return the branch of a union that the value was most likely meant for."""
        branches = [self._followed((*pointer, str(index))) for index in range(len(self._at(pointer)))]
        return max(branches, key=lambda each: self._likeness(self._at(each), value))

    def _likeness(self, schema: Node, value: object) -> tuple[bool, int]:
        if not isinstance(value, dict):
            return schema.get("type") == _JSON_TYPES.get(type(value)), 0
        found = cast("Node", value)
        properties: Node = schema.get("properties", {})
        same_kind = found.get("type") in properties.get("type", {}).get("enum", ())
        return same_kind, len(properties.keys() & found.keys())


_JSON_TYPES: dict[type, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "array",
    type(None): "null",
}


def _fits(known: str, part: str) -> bool:
    return known == part or (known.startswith("{") and not part.startswith("@"))
