"""Count requests as Discord's rate limits do, when a test asks for it.

Real monotonic time. A bucket is a route with its first id (developers/topics/rate-limits.mdx): `limit` requests in each
window of `per` seconds that starts with the first of them. The global limit leaves interaction routes out.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256


@dataclass
class Window:
    """Requests counted since a window opened."""

    opened: float
    used: int = 0


@dataclass(frozen=True)
class Verdict:
    """Whether a request may pass, and the headers that tell the client."""

    headers: dict[str, str]
    retry_after: float | None = None
    shared_by_all: bool = False


@dataclass
class RateLimits:
    """Switched off (no headers, no refusals) until `limit` or `overall` is set."""

    limit: int | None = None
    per: float = 5.0
    overall: int | None = None
    refused: int = 0
    _windows: dict[tuple[str, ...], Window] = field(default_factory=dict[tuple[str, ...], Window])

    def count(self, application_id: int, method: str, template: str, path: Mapping[str, str]) -> Verdict:
        """Count a request and say whether it may pass."""
        now = time.monotonic()
        if self.overall is not None and not template.startswith(("/interactions", "/webhooks")):
            window = self._window(("global", str(application_id)), now, 1.0)
            if window.used >= self.overall:
                self.refused += 1
                return Verdict({}, max(0.001, window.opened + 1.0 - now), shared_by_all=True)
            window.used += 1
        if self.limit is None:
            return Verdict({})
        first = next((path[key] for key in ("channel_id", "guild_id", "webhook_id") if key in path), "")
        window = self._window((str(application_id), method, template, first), now, self.per)
        left = max(0.001, window.opened + self.per - now)
        allowed = window.used < self.limit
        if allowed:
            window.used += 1
        else:
            self.refused += 1
        headers = self._headers(f"{method} {template}", self.limit - window.used, left)
        return Verdict(headers, None if allowed else left)

    def _window(self, key: tuple[str, ...], now: float, length: float) -> Window:
        window = self._windows.get(key)
        if window is None or now - window.opened >= length:
            window = self._windows[key] = Window(now)
        return window

    def _headers(self, route: str, remaining: int, left: float) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": f"{time.time() + left:.3f}",
            "X-RateLimit-Reset-After": f"{left:.3f}",
            "X-RateLimit-Bucket": sha256(route.encode()).hexdigest()[:32],
        }
