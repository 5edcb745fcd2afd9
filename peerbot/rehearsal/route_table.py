"""Find the route for a request: literal parts before `{named}` ones, as Discord does."""

from __future__ import annotations

from itertools import chain
from urllib.parse import unquote

from peerbot.rehearsal import (
    routes_channels,
    routes_commands,
    routes_guilds,
    routes_interactions,
    routes_members,
    routes_messages,
    routes_roles,
    routes_scheduled_events,
    routes_threads,
    routes_users,
)
from peerbot.rehearsal.routing import Route

_MODULES = (
    routes_users,
    routes_guilds,
    routes_members,
    routes_roles,
    routes_channels,
    routes_threads,
    routes_messages,
    routes_commands,
    routes_interactions,
    routes_scheduled_events,
)


def _openness(route: Route) -> tuple[bool, ...]:
    return tuple(part.startswith("{") for part in route.template.split("/"))


_BY_SHAPE: dict[tuple[str, int], list[Route]] = {}
for _route in sorted(chain.from_iterable(module.routes.all for module in _MODULES), key=_openness):
    _BY_SHAPE.setdefault((_route.method, _route.template.count("/")), []).append(_route)


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """Return the route of a request and the named parts of its path."""
    for route in _BY_SHAPE.get((method, path.count("/")), []):
        parts = _matched(route.template, path)
        if parts is not None:
            return route, parts
    return None


def has_another_method(path: str) -> bool:
    """Say whether a path is known, only not with the method that was asked for."""
    return any(find(method, path) for method in ("GET", "POST", "PUT", "PATCH", "DELETE"))


def _matched(template: str, path: str) -> dict[str, str] | None:
    parts: dict[str, str] = {}
    for wanted, actual in zip(template.split("/"), path.split("/"), strict=True):
        if wanted.startswith("{"):
            parts[wanted[1:-1]] = unquote(actual)
        elif wanted != actual:
            return None
    return parts
