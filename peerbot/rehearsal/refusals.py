"""Say no as Discord says it.

A refusal is raised wherever the stand-in finds that Discord would not do a thing, and becomes one HTTP answer with
Discord's own status, code and body (developers/topics/opcodes-and-status-codes.mdx, "JSON Error Codes").
"""

from __future__ import annotations

from typing import Any

CLIENT_GONE = 499  # what servers note when nobody is left to read the answer; no client ever sees it


class Refusal(Exception):
    """Discord's answer to a request that it does not carry out."""

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        errors: dict[str, Any] | None = None,
        *,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """Return the JSON body that Discord sends with it."""
        body: dict[str, Any] = {"message": self.message, "code": self.code}
        if self.errors:
            body["errors"] = self.errors
        if self.retry_after is not None:
            body |= {"retry_after": self.retry_after, "global": False}
        return body


def invalid_form(path: str, problem: str, *, kind: str = "BASE_TYPE_BAD_LENGTH") -> Refusal:
    """Return refusal 50035 for the field at a dotted path, in Discord's nested form."""
    errors: dict[str, Any] = {"_errors": [{"code": kind, "message": problem}]}
    for part in reversed([part for part in path.split(".") if part]):
        errors = {part: errors}
    return Refusal(400, 50035, "Invalid Form Body", errors)


def unknown(thing: str) -> Refusal:
    """Return the 404 refusal for a kind of thing ("Channel", "Message", ...)."""
    codes = {
        "Channel": 10003,
        "Guild": 10004,
        "Member": 10007,
        "Message": 10008,
        "Overwrite": 10009,
        "Role": 10011,
        "User": 10013,
        "Webhook": 10015,
        "Ban": 10026,
        "Interaction": 10062,
        "Guild Scheduled Event": 10070,
        "Application Command": 10063,
    }
    return Refusal(404, codes[thing], f"Unknown {thing}")


def missing_access() -> Refusal:
    """Return refusal 50001: the channel cannot be seen."""
    return Refusal(403, 50001, "Missing Access")


def missing_permissions() -> Refusal:
    """Return refusal 50013: the thing can be seen, but not done."""
    return Refusal(403, 50013, "Missing Permissions")
