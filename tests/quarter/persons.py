"""What somebody chose, and what became of them, in the course of time: ways, zones, reminders, absences, shut doors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Habits:
    """How somebody is written to at first: "dm", "thread" or "none"; `zone` is their own, or "": the server's."""

    name: str
    by: str
    zone: str


@dataclass
class Life:
    """What somebody chose since when; and from when to when they were not in the server, or took no direct messages."""

    chosen: list[tuple[datetime, tuple[int, ...]]] = field(default_factory=list[tuple[datetime, tuple[int, ...]]])
    ways: list[tuple[datetime, str]] = field(default_factory=list[tuple[datetime, str]])
    zones: list[tuple[datetime, str]] = field(default_factory=list[tuple[datetime, str]])
    away: list[list[datetime]] = field(default_factory=list[list[datetime]])
    shut: list[list[datetime]] = field(default_factory=list[list[datetime]])

    def edges(self) -> list[datetime]:
        """Return the moments at which something changed that decides whether something comes."""
        return [*(since for since, _way in self.ways), *(edge for each in self.away for edge in each)]

    def is_shut(self, first: datetime, last: datetime) -> bool:
        """Say whether they took no direct messages at some moment from one to another."""
        return any(since <= last and until > first for since, until in self.shut)

    def is_open(self, first: datetime, last: datetime) -> bool:
        """Say whether they took direct messages at some moment from one to another."""
        return not any(since <= first and last < until for since, until in self.shut)


def latest(kept: Sequence[tuple[datetime, T]], at: datetime, else_: T) -> T:
    """Return what was so at a moment, of what has been so since when."""
    return next((value for since, value in reversed(kept) if since <= at), else_)
