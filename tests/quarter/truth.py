"""What is so at each moment of a script: which meetings are on and when, who takes part, who answered what.

Follows from the script alone, by what a facilitator would say that each of the actions means.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Literal

from tests.quarter.persons import Habits, Life, latest
from tests.quarter.walls import Pattern, instant, is_night, wall

What = Literal[
    "series", "join", "leave", "choose", "cant", "going", "cancel", "move", "undo", "skip", "unskip", "change", "end",
    "go on", "pause", "resume", "goes away", "comes back", "shuts DMs", "opens DMs", "way", "zone", "server zone",
]  # fmt: skip
LENGTH = timedelta(minutes=60)
CLOSE = timedelta(seconds=15)
"""What happens so close to another moment may count as before or after it."""
RECENT = timedelta(days=2)
AT_NO_TIME = datetime.max.replace(tzinfo=UTC)
SEAT_KEPT = timedelta(days=7)
"""So long a seat waits for somebody who has left the server."""


@dataclass(frozen=True)
class Action:
    """What somebody does in a group at a moment. A meeting is named by the wall time at which its series has it.

    `to` is where it is moved, or (series, change) the first wall time, or (skip) the last day; `minutes` what somebody
    wants to be reminded of; `word` the way or the zone that they choose ("": the server's).
    """

    at: datetime
    what: What
    group: int
    who: str
    original: datetime | None = None
    to: datetime | None = None
    pattern: Pattern | None = None
    minutes: tuple[int, ...] = ()
    word: str = ""


@dataclass(frozen=True)
class Standing:
    """How a meeting stands from a moment on; `place` is when it is, or would be if it were on.

    `usual` is when its series has it; `was_off` why it was off before it was moved.
    """

    since: datetime
    place: datetime
    usual: datetime
    why_off: str = ""
    was_off: str = ""

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
    history: list[Standing]

    def __repr__(self) -> str:
        """Name the meeting."""
        return f"{self.original:%a %b %d %H:%M}"

    @property
    def now(self) -> Standing:
        """How it stands after everything that was done."""
        return self.history[-1]

    @property
    def usual(self) -> datetime:
        """When its series has it, after everything that was done."""
        return self.history[-1].usual

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
    zone: str
    breaks: set[tuple[date, date]] = field(default_factory=set[tuple[date, date]])
    put_on: set[tuple[tuple[date, date], date]] = field(default_factory=set[tuple[tuple[date, date], date]])
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
    people: dict[str, Habits]
    zones: list[tuple[datetime, str]] = field(default_factory=list[tuple[datetime, str]])
    lives: dict[str, Life] = field(default_factory=lambda: defaultdict(Life))
    pauses: dict[tuple[int, str], list[list[datetime]]] = field(
        default_factory=lambda: defaultdict(list[list[datetime]])
    )
    series: dict[int, list[Series]] = field(default_factory=lambda: defaultdict(list[Series]))
    seats: dict[tuple[int, str], list[list[datetime]]] = field(
        default_factory=lambda: defaultdict(list[list[datetime]])
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

    def zone_at(self, at: datetime) -> str:
        """Return the zone of the server at a moment."""
        return latest(self.zones, at, self.zone)

    def zone_of(self, who: str, at: datetime) -> str:
        """Return the zone of somebody at a moment: their own, or the server's."""
        return latest(self.lives[who].zones, at, self.people[who].zone) or self.zone_at(at)

    def zones_of(self, who: str, first: datetime, last: datetime) -> list[tuple[str, datetime, datetime]]:
        """Return the zones that somebody had from one moment to another, each with its first and last moment there."""
        changes = [since for since, _zone in (*self.zones, *self.lives[who].zones) if first < since <= last]
        edges = [first, *sorted(changes), last]
        found: list[tuple[str, datetime, datetime]] = []
        for since, until in pairwise(edges):
            zone = self.zone_of(who, since)
            if found and found[-1][0] == zone:
                found[-1] = (zone, found[-1][1], until)
            else:
                found.append((zone, since, until))
        return found

    def clocks(self, at: datetime) -> set[str]:
        """Return the zones by whose clocks a letter may write moments: of a series that has ended it keeps the old."""
        return {
            self.zone_at(at),
            *(self.zone_at(since - CLOSE) for since, _z in self.zones if at - RECENT < since <= at),
        }

    def is_in_the_night(self, who: str, at: datetime) -> bool:
        """Say whether something came in somebody's night, with some seconds for what was under way at 22:00."""
        return all(is_night(when, self.zone_of(who, then)) for when in (at, at - CLOSE) for then in (at, at - CLOSE))

    def way(self, who: str, at: datetime) -> str:
        """Return how somebody wants to be written to at a moment."""
        return latest(self.lives[who].ways, at, self.people[who].by)

    def wants(self, who: str, at: datetime) -> tuple[int, ...]:
        """Return of what somebody wants to be reminded."""
        return latest(self.lives[who].chosen, at, ())

    def has_seat(self, group: int, who: str, at: datetime) -> bool:
        """Say whether somebody has a seat in a group, or looks after it."""
        return _is_within(self.seats[group, who], at)

    def takes_part(self, group: int, who: str, at: datetime) -> bool:
        """Say whether somebody has a seat in a group (or looks after it), does not pause, and is in the server."""
        rests = _is_within(self.pauses[group, who], at) or _is_within(self.lives[who].away, at)
        return self.has_seat(group, who, at) and not rests

    def reads(self, group: int, who: str, first: datetime, last: datetime) -> bool:
        """Say whether somebody takes part in a group and takes messages from one moment to another."""
        moments = [first, *(each for each in self.edges(group, who) if first <= each <= last), last]
        return all(self.takes_part(group, who, at) and self.way(who, at) != "none" for at in moments)

    def edges(self, group: int, who: str) -> list[datetime]:
        """Return the moments at which something about somebody's place in a group, or about them, changes."""
        stretches = [*self.seats[group, who], *self.pauses[group, who]]
        return sorted([*(edge for each in stretches for edge in each), *self.lives[who].edges()])

    def there_since(self, group: int, who: str, at: datetime) -> datetime | None:
        """Return when somebody began, the last time before a moment, to take part and take messages, if they do."""
        now = timedelta(microseconds=1)
        begun = [
            edge
            for edge in self.edges(group, who)
            if edge <= at and not self.reads(group, who, edge - now, edge - now) and self.reads(group, who, edge, edge)
        ]
        return max(begun, default=None)

    def cannot(self, meeting: Meeting, who: str, at: datetime) -> bool:
        """Say whether somebody has answered that they cannot come, to the time that the meeting has."""
        given = [(when, answer) for when, answer in self.answers[meeting, who] if when <= at]
        if not given or given[-1][1] != "cant":
            return False
        return meeting.standing(given[-1][0]).place == meeting.standing(at).place

    def next_of(self, group: int, at: datetime) -> datetime | None:
        """Return when a group meets next."""
        begins = [each.standing(at).begins for each in self.meetings(group) if each.history[0].since <= at]
        return min((when for when in begins if when is not None and when > at), default=None)

    # what is done

    def do(self, action: Action) -> None:
        """Let an action take its effect."""
        match action.what:
            case "join" | "leave" | "pause" | "resume":
                self._takes_seat(action)
            case "goes away" | "comes back" | "shuts DMs" | "opens DMs" | "choose" | "way" | "zone":
                self._lives(action, self.lives[action.who])
            case "cant" | "going":
                self.answers[self._named(action), action.who].append((action.at, action.what))
            case "cancel" | "move" | "undo":
                self._do_to_one(action, self._named(action))
            case "series":
                self._begin(action)
            case "change":
                self._change(action)
            case "server zone":
                self._go_by(action)
            case _:
                self._do_to_series(action, self.series[action.group][-1])

    def _takes_seat(self, action: Action) -> None:
        at, place = action.at, (action.group, action.who)
        match action.what:
            case "join":
                self.seats[place].append([at, AT_NO_TIME])
                if action.minutes:
                    self.lives[action.who].chosen.append((at, action.minutes))
            case "leave":
                self._goes_out(*place, at)
            case "pause":
                self.pauses[place].append([at, AT_NO_TIME])
            case _:
                self.pauses[place][-1][1] = at

    def _lives(self, action: Action, life: Life) -> None:
        at = action.at
        match action.what:
            case "goes away":
                life.away.append([at, AT_NO_TIME])
            case "comes back":
                life.away[-1][1] = at
                lost_at = life.away[-1][0] + SEAT_KEPT
                for group, who in list(self.seats) if lost_at <= at else []:
                    if who == action.who and self.has_seat(group, who, lost_at):
                        self._goes_out(group, who, lost_at)
            case "shuts DMs":
                life.shut.append([at, AT_NO_TIME])
            case "opens DMs":
                life.shut[-1][1] = at
            case "choose":
                life.chosen.append((at, action.minutes))
            case "way":
                life.ways.append((at, action.word))
            case _:
                life.zones.append((at, action.word))

    def _goes_out(self, group: int, who: str, at: datetime) -> None:
        self.seats[group, who][-1][1] = at
        if self.pauses[group, who] and self.pauses[group, who][-1][1] == AT_NO_TIME:
            self.pauses[group, who][-1][1] = at
        for meeting in self.meetings(group):
            if self.answers[meeting, who]:
                self.answers[meeting, who].append((at, "forgotten"))

    def _go_by(self, action: Action) -> None:
        """Let the server go by the clocks of another zone."""
        self.zones.append((action.at, action.word))
        for several in self.series.values():
            for series in several:
                if not series.ended:
                    self._put_into(series, action.at)

    def _put_into(self, series: Series, at: datetime) -> None:
        """Let a series go by the server's clocks: what its meetings' clocks show stays what it is."""
        old, series.zone = series.zone, self.zone_at(at)
        if old == series.zone:
            return
        ahead = [each for each in series.meetings if each.now.place > at]
        for each in ahead:
            place, usual = (instant(wall(one, old), series.zone) for one in (each.now.place, each.now.usual))
            each.history.append(replace(each.now, since=at, place=place, usual=usual))
        if any(not each.now.why_off for each in ahead):
            self.changes.append((at, series, ahead))

    def _do_to_one(self, action: Action, meeting: Meeting) -> None:
        at, stands = action.at, meeting.now
        if action.what == "cancel":
            self._set(at, [meeting], "one")
            return
        if action.what == "move":
            assert action.to is not None
            place = instant(action.to, self.zone_at(at))
            becomes = Standing(at, place, stands.usual, was_off=stands.why_off or stands.was_off)
        elif stands.why_off:
            becomes = Standing(at, stands.place, stands.usual)
        else:  # what was off before it was moved is off again
            becomes = Standing(at, stands.usual, stands.usual, stands.was_off)
        meeting.history.append(becomes)
        self.changes.append((at, self.series[meeting.group][meeting.series], [meeting]))

    def _do_to_series(self, action: Action, series: Series) -> None:
        at = action.at
        if action.what == "end":
            series.endings.append((at, True))
            self._set(at, self._ahead(series, at, ""), "ended")
        elif action.what == "go on":
            self._put_into(series, at)
            series.endings.append((at, False))
            self._set(at, self._ahead(series, at, "ended"), "")
        else:
            assert action.original is not None
            assert action.to is not None
            days = (action.original.date(), action.to.date())
            if action.what == "skip":
                series.breaks.add(days)
                off = [each for each in self._ahead(series, at, "") if self._is_in(each, [days])]
                for day in map(self.day_of, off):  # what is on in another break was put on by hand in it
                    series.put_on |= {(each, day) for each in series.breaks if each[0] <= day <= each[1]}
                    series.put_on.discard((days, day))
                self._set(at, off, "skipped")
            else:
                self._unskip(series, days, at)

    def _unskip(self, series: Series, days: tuple[date, date], at: datetime) -> None:
        """Take a break back: what is in no other one is on again, and does not go back into it when it was moved."""
        series.breaks -= {days}
        mine = [each for each in self._ahead(series, at, "skipped") if self._is_in(each, [days])]
        out = [each for each in self._ahead(series, at, "") if each.now.was_off == "skipped"]
        self._set(at, [each for each in mine if not self._holds(series, self.day_of(each))], "")
        for each in out:
            if days[0] <= each.original.date() <= days[1] and not self._holds(series, each.original.date()):
                each.history[-1] = replace(each.now, was_off="")

    def _holds(self, series: Series, day: date) -> bool:
        """Return whether a break lies over a day on which nobody has put the meeting on by hand."""
        return any(each[0] <= day <= each[1] and (each, day) not in series.put_on for each in series.breaks)

    def _is_in(self, meeting: Meeting, breaks: Iterable[tuple[date, date]]) -> bool:
        return any(first <= self.day_of(meeting) <= last for first, last in breaks)

    def day_of(self, meeting: Meeting) -> date:
        """Return the day on which a meeting is, or would be."""
        return wall(meeting.now.place, self.series[meeting.group][meeting.series].zone).date()

    def _ahead(self, series: Series, at: datetime, why_off: str) -> list[Meeting]:
        return [each for each in series.meetings if each.now.why_off == why_off and each.now.place > at]

    def _named(self, action: Action) -> Meeting:
        several = [each for series in reversed(self.series[action.group]) for each in series.meetings]
        return next(each for each in several if each.original == action.original)

    def _set(self, at: datetime, several: list[Meeting], why_off: str) -> None:
        for meeting in several:
            meeting.history.append(replace(meeting.now, since=at, why_off=why_off, was_off=""))
        if several:
            series = self.series[several[0].group][several[0].series]
            self.changes.append((at, series, several))

    def _begin(self, action: Action) -> Series:
        assert action.pattern is not None
        assert action.to is not None
        several = self.series[action.group]
        zone = self.zone_at(action.at)
        made = Series(len(several), action.pattern, [], action.at, zone)
        for day in action.pattern.days(action.to.date(), self.end.date() + timedelta(days=200)):
            local = datetime.combine(day, action.to.time())
            at = instant(local, zone)
            made.meetings.append(Meeting(action.group, made.number, local, [Standing(action.at, at, at)]))
        several.append(made)
        return made

    def _change(self, action: Action) -> None:
        old = self.active(action.group)
        assert old is not None
        off = {
            day: why
            for why in ("skipped", "one")
            for each in self._ahead(old, action.at, why)
            for day in (self.day_of(each), each.original.date())
        }
        on = {self.day_of(each) for each in self._ahead(old, action.at, "")}
        old.endings.append((action.at, True))
        self._set(action.at, self._ahead(old, action.at, ""), "ended")
        new = self._begin(action)
        new.put_on = set(old.put_on)
        new.breaks = {each for each in old.breaks if each[1] >= (action.at - timedelta(days=1)).date()}
        for why in ("skipped", "one"):
            days = [each for each in new.meetings if off.get(each.original.date()) == why]
            if why == "skipped":  # a break is one for the new series too, on all of its days but those put on by hand
                held = [each for each in new.meetings if self._is_in(each, new.breaks) and self.day_of(each) not in on]
                days += [each for each in held if each not in days]
                days = [each for each in days if off.get(each.original.date()) != "one"]
            self._set(action.at, days, why)


def _is_within(stretches: list[list[datetime]], at: datetime) -> bool:
    return any(first <= at < last for first, last in stretches)
