"""What is so at each moment of a script: which meetings are on and when, who takes part, who answered what.

Follows from the script alone, by what a facilitator would say that each of the actions means.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

from tests.quarter.walls import Pattern, instant, wall

What = Literal[
    "series", "join", "leave", "choose", "cant", "going", "cancel", "move", "undo", "skip", "unskip", "change", "end",
    "go on",
]  # fmt: skip
LENGTH = timedelta(minutes=60)


@dataclass(frozen=True)
class Action:
    """What somebody does in a group at a moment. A meeting is named by the wall time at which its series has it.

    `to` is where it is moved, or (series, change) the first wall time, or (skip) the last day; `minutes` what somebody
    wants to be reminded of.
    """

    at: datetime
    what: What
    group: int
    who: str
    original: datetime | None = None
    to: datetime | None = None
    pattern: Pattern | None = None
    minutes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Habits:
    """How somebody is written to: "dm", "thread" or "none"; `zone` is their own, or the server's."""

    name: str
    by: str
    zone: str
    has_own_zone: bool


@dataclass(frozen=True)
class Standing:
    """How a meeting stands from a moment on; `place` is when it is, or would be if it were on."""

    since: datetime
    place: datetime
    why_off: str = ""

    @property
    def begins(self) -> datetime | None:
        """When it begins; None while it is off."""
        return None if self.why_off else self.place


@dataclass(eq=False)
class Meeting:
    """One occurrence of a series, and how it stood in the course of time."""

    group: int
    series: int
    original: datetime
    usual: datetime
    history: list[Standing]
    moved_at: list[datetime] = field(default_factory=list[datetime])

    def __repr__(self) -> str:
        """Name the meeting."""
        return f"{self.original:%a %b %d %H:%M}"

    @property
    def now(self) -> Standing:
        """How it stands after everything that was done."""
        return self.history[-1]

    def standing(self, at: datetime) -> Standing:
        """Return how it stood at a moment."""
        return next((each for each in reversed(self.history) if each.since <= at), self.history[0])


@dataclass
class Series:
    """A series: its number, its meetings, and whether it has ended."""

    number: int
    pattern: Pattern
    meetings: list[Meeting]
    created_at: datetime
    endings: list[tuple[datetime, bool]] = field(default_factory=list[tuple[datetime, bool]])

    @property
    def ended(self) -> bool:
        """Whether it has ended, after everything that was done."""
        return bool(self.endings) and self.endings[-1][1]

    def has_ended(self, at: datetime) -> bool:
        """Say whether it had ended at a moment."""
        return next((ended for since, ended in reversed(self.endings) if since <= at), False)


@dataclass
class Truth:
    """Everything that is so, from what was done until now."""

    zone: str
    end: datetime
    series: dict[int, list[Series]] = field(default_factory=lambda: defaultdict(list[Series]))
    seats: dict[tuple[int, str], list[list[datetime]]] = field(
        default_factory=lambda: defaultdict(list[list[datetime]])
    )
    chosen: dict[str, list[tuple[datetime, tuple[int, ...]]]] = field(
        default_factory=lambda: defaultdict(list[tuple[datetime, tuple[int, ...]]])
    )
    answers: dict[tuple[Meeting, str], list[tuple[datetime, str]]] = field(
        default_factory=lambda: defaultdict(list[tuple[datetime, str]])
    )
    changes: list[tuple[datetime, Series, list[Meeting]]] = field(
        default_factory=list[tuple[datetime, Series, list[Meeting]]]
    )

    # what is so

    def meetings(self, group: int) -> Iterator[Meeting]:
        """Yield all meetings of a group."""
        for series in self.series[group]:
            yield from series.meetings

    def active(self, group: int) -> Series | None:
        """Return the series of a group that goes on."""
        return next((each for each in reversed(self.series[group]) if not each.ended), None)

    def takes_part(self, group: int, who: str, at: datetime) -> bool:
        """Say whether somebody has a seat in a group, or looks after it."""
        return any(joined <= at < left for joined, left in self.seats[group, who])

    def wants(self, who: str, at: datetime) -> tuple[int, ...]:
        """Return of what somebody wants to be reminded."""
        return next((minutes for since, minutes in reversed(self.chosen[who]) if since <= at), ())

    def cannot(self, meeting: Meeting, who: str, at: datetime) -> bool:
        """Say whether somebody has answered that they cannot come, to the time that the meeting has."""
        given = [(when, answer) for when, answer in self.answers[meeting, who] if when <= at]
        moved = max((when for when in meeting.moved_at if when <= at), default=None)
        return bool(given) and given[-1][1] == "cant" and (moved is None or given[-1][0] > moved)

    def next_of(self, group: int, at: datetime) -> datetime | None:
        """Return when a group meets next."""
        begins = [each.standing(at).begins for each in self.meetings(group) if each.history[0].since <= at]
        return min((when for when in begins if when is not None and when > at), default=None)

    # what is done

    def do(self, action: Action) -> None:
        """Let an action take its effect."""
        at, group = action.at, action.group
        match action.what:
            case "join":
                self.seats[group, action.who].append([at, datetime.max.replace(tzinfo=at.tzinfo)])
                if action.minutes:
                    self.chosen[action.who].append((at, action.minutes))
            case "leave":
                self.seats[group, action.who][-1][1] = at
            case "choose":
                self.chosen[action.who].append((at, action.minutes))
            case "cant" | "going":
                self.answers[self._named(action), action.who].append((at, action.what))
            case "cancel" | "move" | "undo":
                self._do_to_one(action, self._named(action))
            case "series":
                self._begin(action)
            case "change":
                self._change(action)
            case _:
                self._do_to_series(action, self.series[group][-1])

    def _do_to_one(self, action: Action, meeting: Meeting) -> None:
        at, was_off = action.at, bool(meeting.now.why_off)
        if action.what == "cancel":
            self._set(at, [meeting], "one")
            return
        place = meeting.now.place if was_off else meeting.usual
        if action.what == "move":
            assert action.to is not None
            place = instant(action.to, self.zone)
        if action.what == "move" or not was_off:
            meeting.moved_at.append(at)
        meeting.history.append(Standing(at, place))
        self.changes.append((at, self.series[meeting.group][meeting.series], [meeting]))

    def _do_to_series(self, action: Action, series: Series) -> None:
        at = action.at
        if action.what == "end":
            series.endings.append((at, True))
            self._set(at, self._ahead(series, at, ""), "ended")
        elif action.what == "go on":
            series.endings.append((at, False))
            self._set(at, self._ahead(series, at, "ended"), "")
        else:
            assert action.original is not None
            assert action.to is not None
            first, last = action.original.date(), action.to.date()
            was, becomes = ("", "skipped") if action.what == "skip" else ("skipped", "")
            days = [each for each in self._ahead(series, at, was) if first <= self.day_of(each) <= last]
            self._set(at, days, becomes)

    def day_of(self, meeting: Meeting) -> date:
        """Return the day on which a meeting is, or would be."""
        return wall(meeting.now.place, self.zone).date()

    def _ahead(self, series: Series, at: datetime, why_off: str) -> list[Meeting]:
        return [each for each in series.meetings if each.now.why_off == why_off and each.now.place > at]

    def _named(self, action: Action) -> Meeting:
        several = [each for series in reversed(self.series[action.group]) for each in series.meetings]
        return next(each for each in several if each.original == action.original)

    def _set(self, at: datetime, several: list[Meeting], why_off: str) -> None:
        for meeting in several:
            meeting.history.append(Standing(at, meeting.now.place, why_off))
        if several:
            series = self.series[several[0].group][several[0].series]
            self.changes.append((at, series, several))

    def _begin(self, action: Action) -> Series:
        assert action.pattern is not None
        assert action.to is not None
        several = self.series[action.group]
        made = Series(len(several), action.pattern, [], action.at)
        for day in action.pattern.days(action.to.date(), self.end.date() + timedelta(days=200)):
            local = datetime.combine(day, action.to.time())
            at = instant(local, self.zone)
            made.meetings.append(Meeting(action.group, made.number, local, at, [Standing(action.at, at)]))
        several.append(made)
        return made

    def _change(self, action: Action) -> None:
        old = self.active(action.group)
        assert old is not None
        skipped = {self.day_of(each) for each in self._ahead(old, action.at, "skipped")}
        old.endings.append((action.at, True))
        self._set(action.at, self._ahead(old, action.at, ""), "ended")
        new = self._begin(action)
        self._set(action.at, [each for each in new.meetings if each.original.date() in skipped], "skipped")
