"""Say what time it is.

Every rule takes `now` as an argument; whoever calls a rule asks this clock. Wall time can be moved, so that a test or a
rehearsal can let a week pass. Real monotonic time (leases of three seconds, rate limits) is never taken from here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

FOLLOWS = 0.2
"""Seconds between two looks at a clock that another process moves."""


class Clock:
    """Give wall time in UTC, moved by an offset that a rehearsal may change.

    With `offset_file` the offset is read from that file (seconds, as text), so that a bot in another process follows
    the clock of the rehearsal that started it.
    """

    def __init__(self, offset_file: Path | None = None) -> None:
        self._offset = timedelta()
        self._offset_file = offset_file
        self._watchers: list[Callable[[], None]] = []

    def now(self) -> datetime:
        """Return the present moment, aware and in UTC."""
        return datetime.now(UTC) + self.offset

    @property
    def offset(self) -> timedelta:
        """How far this clock is ahead of the machine's."""
        if self._offset_file is None:
            return self._offset
        try:
            return timedelta(seconds=float(self._offset_file.read_text()))
        except (FileNotFoundError, ValueError):
            return timedelta()

    def move(self, by: timedelta) -> None:
        """Move wall time by a duration, and tell everyone who watches."""
        self._offset = self.offset + by
        if self._offset_file is not None:
            partial = self._offset_file.with_suffix(".part")
            partial.write_text(str(self._offset.total_seconds()))
            partial.replace(self._offset_file)
        self._tell()

    async def follow(self) -> None:
        """Tell everyone who watches when another process moves this clock, until cancelled."""
        known = self.offset
        while True:
            await asyncio.sleep(FOLLOWS)  # noqa: TID251 - the pause between two looks at the file
            if self.offset != known:
                known = self.offset
                self._tell()

    def _tell(self) -> None:
        for watcher in list(self._watchers):
            watcher()

    def watch(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Call `watcher` after each move; return a function that stops it."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)
