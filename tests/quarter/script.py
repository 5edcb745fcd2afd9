"""A quarter drawn from a seed: who is in which group, what they do, and when peerbot or Discord are away.

Actions are drawn in the order of time, each from what is so by then; they fall at any hour, and a third of them near a
meeting or one of its reminders. Nobody can do anything while peerbot is stopped.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Literal

from tests.quarter.persons import Habits
from tests.quarter.truth import SEAT_KEPT, Action, Meeting, Truth, What
from tests.quarter.walls import Pattern, instant, nth_weekday, wall

PLACES = (("Europe/Berlin", datetime(2026, 2, 23)), ("America/New_York", datetime(2026, 9, 14)))
"""Zones of the server, with a day from which clocks change within 13 weeks."""
ZONES = ("America/New_York", "Europe/London", "Asia/Tokyo", "Australia/Sydney", "America/Los_Angeles")
ELSEWHERE = {
    "Europe/Berlin": ("Europe/London", "Europe/Helsinki"),
    "America/New_York": ("America/Chicago", "America/Halifax"),
}
"""Zones to which a server moves."""
CHOICES = ((1440,), (60,), (10,), (60, 10), (60, 10), (1440, 60), (1440, 60, 10), (1440, 60, 10), ())
WAYS = ("dm", "dm", "dm", "thread", "thread", "none")
ZERO, MINUTE, HOUR, DAY = timedelta(), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LISTED = timedelta(days=13)
"""Meetings within so many days can be chosen, whatever changed lately."""
LONG = 6
"""In so many weeks a server surely moves."""
QUIET = timedelta(minutes=30)
"""Between two downtimes, so that what was late comes before the next."""
Trouble = Literal["429", "503", "lost before", "lost after", "torn"]
"""What befalls a message; "torn": it arrives, but peerbot is stopped before it hears so."""
TROUBLES: tuple[Trouble, ...] = ("429", "503", "lost before", "lost after", "torn")


@dataclass(frozen=True)
class Downtime:
    """Peerbot is "stopped", or Discord is "away" for its messages."""

    begin: datetime
    end: datetime
    kind: Literal["stopped", "away"]


@dataclass
class Script:
    """Everything that is going to happen."""

    seed: int
    zone: str
    begin: datetime
    end: datetime
    groups: int
    people: dict[str, Habits] = field(default_factory=dict[str, Habits])
    facilitators: dict[int, str] = field(default_factory=dict[int, str])
    actions: list[Action] = field(default_factory=list[Action])
    downtimes: list[Downtime] = field(default_factory=list[Downtime])
    troubles: list[tuple[datetime, Trouble]] = field(default_factory=list[tuple[datetime, Trouble]])

    def figures(self) -> dict[str, int]:
        """Return how much of what happens."""
        counts: Counter[str] = Counter(each.what for each in self.actions)
        counts.update(f"peerbot {each.kind}" if each.kind == "stopped" else "Discord away" for each in self.downtimes)
        counts.update(name for _at, name in self.troubles)
        return dict(counts)


def group_name(number: int) -> str:
    """Return how a group is named."""
    return f"Circle {number:02}"


def write(seed: int, *, groups: int, weeks: int, place: int | None = None, begin: datetime | None = None) -> Script:
    """Draw a script of so many groups and weeks; `place` is an index of PLACES, `begin` a local day there."""
    drawn = random.Random(seed)  # noqa: S311 - it is to be drawn the same again
    zone, first = PLACES[seed % len(PLACES) if place is None else place]
    since = instant(begin or first, zone)
    script = Script(seed, zone, since, since + timedelta(weeks=weeks), groups)
    return _Writer(script, drawn).written()


class _Writer:
    def __init__(self, script: Script, drawn: random.Random) -> None:
        self.script = script
        self.drawn = drawn
        self.truth = Truth(script.zone, script.end, script.people)
        self.ahead: list[tuple[datetime, int, bool, Callable[[datetime], Action | None]]] = []

    def written(self) -> Script:
        self._draw_downtimes()
        self._draw_people()
        weeks = (self.script.end - self.script.begin) // timedelta(weeks=1)
        for group in range(self.script.groups):
            self._open(group)
            for _each in range(round(weeks * self.drawn.uniform(1.5, 3.0))):
                self._at(self._any_time(), lambda at, group=group: self._something(group, at))
                self._at(self._any_time(), lambda at, group=group: self._someone(group, at), asleep=True)
        if weeks >= LONG or self.drawn.random() < 0.5:
            self._at(self._any_time(), lambda at: self._go_by(at, self.drawn.choice(ELSEWHERE[self.script.zone])))
        while self.ahead:
            at, _number, asleep, draw = heapq.heappop(self.ahead)
            at = at if asleep else self._awake(at)
            if self.script.actions and at <= self.script.actions[-1].at:
                at = self.script.actions[-1].at + timedelta(seconds=3)
            is_possible = asleep or self._awake(at) == at
            action = draw(at) if is_possible and at < self.script.end - DAY else None
            if action is not None:
                self.truth.do(action)
                self.script.actions.append(action)
        return self.script

    # before anything happens

    def _draw_downtimes(self) -> None:
        script, drawn = self.script, self.drawn
        weeks = (script.end - script.begin) / timedelta(weeks=1)
        lengths = [drawn.uniform(2, 20) * MINUTE for _ in range(round(weeks))]
        lengths += [drawn.uniform(1, 9) * HOUR for _ in range(round(weeks))]
        lengths += [drawn.uniform(1, 2) * DAY for _ in range(max(1, round(weeks / 6)))]
        drawn.shuffle(lengths)
        free = script.begin + 2 * DAY
        room = script.end - DAY - free - sum(lengths, ZERO) - len(lengths) * QUIET
        cuts = sorted(drawn.random() for _ in lengths)
        passed = ZERO
        for length, cut in zip(lengths, cuts, strict=True):
            kind = "away" if length < 6 * HOUR and drawn.random() < 0.4 else "stopped"
            end = script.begin + 2 * DAY + room * cut + passed + length
            passed += length + QUIET
            if drawn.random() < 0.7:  # just when reminders of an evening's meeting would come
                evening = time(drawn.randint(16, 20), drawn.randint(0, 59))
                end = instant(datetime.combine(wall(end, script.zone).date(), evening), script.zone)
            if end - length >= free and end < script.end - DAY:
                script.downtimes.append(Downtime(end - length, end, kind))
                free = end + QUIET
        for _each in range(round(weeks * 6)):
            script.troubles.append((self._any_time(), drawn.choice(TROUBLES)))
        script.troubles.sort()

    def _draw_people(self) -> None:
        for number in range(self.script.groups * 4):
            zone = self.drawn.choice((None, None, None, *ZONES))
            name = f"Person {number:02}"
            self._know(name, self.drawn.choice(WAYS), zone)
        for group in range(self.script.groups):
            name = f"Host {group // 4:02}"
            self.script.facilitators[group] = name
            if name not in self.script.people:
                self._know(name, "dm", None)
                self.truth.lives[name].chosen.append((self.script.begin, ()))

    def _know(self, name: str, by: str, zone: str | None) -> None:
        self.script.people[name] = Habits(name, by, zone or "")

    def _open(self, group: int) -> None:
        host, begin = self.script.facilitators[group], self.script.begin
        self._at(begin + HOUR, lambda at: Action(at, "join", group, host, minutes=self.drawn.choice(CHOICES)))
        self._at(begin + self.drawn.uniform(1, 24) * HOUR, lambda at: self._begin_series(group, at))
        members = [name for name in self.script.people if not name.startswith("Host")]
        for name in self.drawn.sample(members, self.drawn.randint(4, 6)):
            self._at(begin + self.drawn.uniform(1, 40) * HOUR, lambda at, name=name: self._join(group, at, name))

    def _any_time(self) -> datetime:
        return self.script.begin + self.drawn.random() * (self.script.end - self.script.begin - DAY)

    def _at(self, at: datetime, draw: Callable[[datetime], Action | None], *, asleep: bool = False) -> None:
        """Have something drawn at a moment; `asleep`: also while peerbot is stopped."""
        number = len(self.ahead) + self.drawn.randrange(10**9)
        heapq.heappush(self.ahead, (at.replace(microsecond=0), number, asleep, draw))

    def _awake(self, at: datetime) -> datetime:
        """Return the moment, or one after the time in which peerbot is stopped."""
        for each in self.script.downtimes:
            if each.kind == "stopped" and each.begin - timedelta(seconds=2) <= at <= each.end + MINUTE:
                return (each.end + self.drawn.uniform(2, 40) * MINUTE).replace(microsecond=0)
        return at

    # what somebody does

    def _something(self, group: int, at: datetime) -> Action | None:
        host, series = self.script.facilitators[group], self.truth.active(group)
        if series is None:
            return self._begin_series(group, at) if self.drawn.random() < 0.5 else None
        coming = self._coming(group, at)
        if coming and self.drawn.random() < 0.35:
            near = self._near(coming[0])
            if near > at + MINUTE:  # it is drawn again, then
                self._at(near, lambda later: self._do_something(group, later, host))
                return None
        return self._do_something(group, at, host)

    def _near(self, meeting: Meeting) -> datetime:
        before = self.drawn.choice((1440, 1430, 120, 65, 61, 58, 31, 28, 11, 9, 4, 1)) * MINUTE
        return meeting.now.place - before - self.drawn.uniform(-50, 50) * timedelta(seconds=1)

    def _do_something(self, group: int, at: datetime, host: str) -> Action | None:
        doing: dict[What, int] = {
            "cancel": 4, "move": 4, "cant": 6, "going": 2, "join": 3, "leave": 2, "choose": 2, "skip": 1, "change": 1,
            "end": 1,
        }  # fmt: skip
        what = self.drawn.choices(list(doing), list(doing.values()))[0]
        coming = self._coming(group, at)
        match what:
            case "cancel" | "move":
                return self._disturb(what, self.drawn.choice(coming), at, host) if coming else None
            case "cant" | "going":
                return self._answer(what, group, at, coming)
            case "join":
                return self._join(group, at, self.drawn.choice(list(self.script.people)))
            case "leave" | "choose":
                who = self._member(group, at)
                wanted = self.drawn.choice(CHOICES) if what == "choose" else ()
                return Action(at, what, group, who, minutes=wanted) if who else None
            case "skip":
                return self._skip(group, at, host)
            case "change":
                return self._change(group, at, host)
            case _:
                if self.drawn.random() < 0.5:
                    self._at(at + self.drawn.uniform(0.2, 30) * HOUR, lambda later: self._go_on(group, later, host))
                return Action(at, "end", group, host) if self.drawn.random() < 0.5 and self._coming(group, at) else None

    def _coming(self, group: int, at: datetime) -> list[Meeting]:
        """Return the next two meetings, on or off, of the series that goes on; the second if it is surely listed."""
        series = self.truth.active(group)
        soon = at + timedelta(seconds=15)
        found = [each for each in series.meetings if each.usual > soon][:2] if series else []
        found = [each for number, each in enumerate(found) if number == 0 or each.usual < at + LISTED]
        return [each for each in found if each.now.place > soon]

    def _disturb(self, what: What, meeting: Meeting, at: datetime, host: str) -> Action | None:
        if what == "cancel" and meeting.now.why_off:
            return Action(at, "undo", meeting.group, host, original=meeting.original)
        back = self.drawn.random()
        if back < 0.55:
            wait = timedelta(seconds=self.drawn.randint(8, 50)) if back < 0.3 else self.drawn.uniform(0.05, 20) * HOUR
            self._at(at + wait, lambda later: self._undo(meeting, later, host))
        to = self._elsewhere(meeting, at) if what == "move" else None
        return Action(at, what, meeting.group, host, original=meeting.original, to=to)

    def _is_on(self, meeting: Meeting, at: datetime) -> bool:
        return not meeting.now.why_off and min(meeting.now.place, meeting.usual) > at + MINUTE

    def _elsewhere(self, meeting: Meeting, at: datetime) -> datetime:
        """Return another wall time, at which no series meets."""
        zone = self.truth.zone_at(at)
        if self.drawn.random() < 0.15:
            return wall(at + self.drawn.randint(18, 90) * MINUTE, zone).replace(second=0, microsecond=0)
        day = max(meeting.original.date() + self.drawn.randint(-2, 3) * DAY, wall(at, zone).date() + DAY)
        return datetime.combine(day, time(self.drawn.randint(7, 21), self.drawn.choice((5, 15, 45, 50))))

    def _undo(self, meeting: Meeting, at: datetime, host: str) -> Action | None:
        stands = meeting.now
        back = stands.place if stands.why_off else meeting.usual
        changed = stands.why_off == "one" or (not stands.why_off and stands.place != meeting.usual)
        going_on = not self.truth.series[meeting.group][meeting.series].ended
        if not (changed and going_on and min(back, stands.place) > at + timedelta(seconds=15)):
            return None
        return Action(at, "undo", meeting.group, host, original=meeting.original)

    def _answer(self, what: What, group: int, at: datetime, coming: list[Meeting]) -> Action | None:
        who, on = self._member(group, at), [each for each in coming if not each.now.why_off]
        if who and on and what == "cant" and self.drawn.random() < 0.5:  # then something becomes of that meeting
            then: What = self.drawn.choice(("cancel", "move"))
            wait, host = self.drawn.uniform(0.2, 20) * HOUR, self.script.facilitators[group]
            self._at(
                at + wait, lambda later: self._disturb(then, on[0], later, host) if self._is_on(on[0], later) else None
            )
        return Action(at, what, group, who, original=on[0].original) if who and on else None

    def _member(self, group: int, at: datetime) -> str | None:
        inside = [
            name
            for name in self.script.people
            if not name.startswith("Host") and self.truth.takes_part(group, name, at)
        ]
        return self.drawn.choice(inside) if inside else None

    # how people live

    def _someone(self, group: int, at: datetime) -> Action | None:
        """Let somebody of a group rest, leave the server, or change how they are written to; a third near a meeting."""
        coming = self._coming(group, at)
        if coming and self.drawn.random() < 0.35:
            near = self._near(coming[0])
            if near > at + MINUTE:
                self._at(near, lambda later: self._live(group, later), asleep=True)
                return None
        return self._live(group, at)

    def _live(self, group: int, at: datetime) -> Action | None:
        who = self._member(group, at)
        doing: dict[What, int] = {
            "pause": 3, "goes away": 3, "shuts DMs": 3, "way": 3, "zone": 3, "choose": 3,
        }  # fmt: skip
        what = self.drawn.choices(list(doing), list(doing.values()))[0]
        in_discord = what in ("goes away", "shuts DMs")
        if who is None or (self._awake(at) != at and not in_discord):
            return None
        short = self.drawn.uniform(0.2, 30) * HOUR if self.drawn.random() < 0.5 else self.drawn.uniform(1, 9) * DAY
        match what:
            case "pause":
                coming = self._coming(group, at)
                if coming and self.drawn.random() < 0.6:  # over a meeting
                    short = max(coming[0].now.place - at, ZERO) + self.drawn.uniform(0.5, 30) * HOUR
                self._at(at + short, lambda later: self._resume(group, later, who))
            case "goes away":
                # A seat that is lost while peerbot is stopped, and asked for by then, is a matter of chance.
                wait = self.drawn.uniform(0.02, 5) * DAY if self.drawn.random() < 0.8 else SEAT_KEPT + 4 * DAY
                self._at(at + wait, lambda later: Action(later, "comes back", group, who), asleep=True)
            case "shuts DMs":
                if self.truth.lives[who].is_shut(at, at):
                    return None
                self._at(at + short, lambda later: Action(later, "opens DMs", group, who), asleep=True)
            case "way":
                return Action(at, what, group, who, word=self.drawn.choice(WAYS))
            case "zone":
                return Action(at, what, group, who, word=self.drawn.choice(("", *ZONES)))
            case _:
                return Action(at, what, group, who, minutes=self.drawn.choice(CHOICES))
        return Action(at, what, group, who)

    def _resume(self, group: int, at: datetime, who: str) -> Action | None:
        truth = self.truth
        rests = truth.pauses[group, who] and truth.pauses[group, who][-1][1] > at
        is_away = any(first <= at < last for first, last in truth.lives[who].away)
        if not rests or not truth.has_seat(group, who, at):
            return None
        if is_away:  # in the server only
            self._at(at + DAY, lambda later: self._resume(group, later, who))
            return None
        return Action(at, "resume", group, who)

    def _go_by(self, at: datetime, zone: str) -> Action | None:
        """Let the owner choose another zone for the server, unless a meeting would be past by its clocks."""
        truth = self.truth
        if zone == truth.zone_at(at):
            return None
        for group in self.script.facilitators:
            for meeting in (each for series in truth.series[group] if not series.ended for each in series.meetings):
                place = meeting.now.place
                moved = instant(wall(place, truth.zone_at(at)), zone)
                if min(place, moved) - MINUTE <= at <= max(place, moved) + MINUTE:
                    self._at(at + HOUR, lambda later: self._go_by(later, zone))
                    return None
        back = truth.zone_at(at)
        if self.drawn.random() < 0.4:  # it was a mistake
            wait = 40 * timedelta(seconds=1) if self.drawn.random() < 0.3 else self.drawn.uniform(0.05, 30) * HOUR
            self._at(at + wait, lambda later: self._go_by(later, back))
        return Action(at, "server zone", 0, "Olive", word=zone)

    def _join(self, group: int, at: datetime, name: str) -> Action | None:
        is_away = any(first <= at < last for first, last in self.truth.lives[name].away)
        if name.startswith("Host") or is_away or self.truth.has_seat(group, name, at):
            return None
        # Somebody who is here for the first time is asked how they want to be reminded.
        is_new = not self.truth.lives[name].chosen
        return Action(at, "join", group, name, minutes=self.drawn.choice(CHOICES[:-1]) if is_new else ())

    def _skip(self, group: int, at: datetime, host: str) -> Action | None:
        first = wall(at, self.truth.zone_at(at)).replace(hour=0, minute=0, second=0) + self.drawn.randint(1, 6) * DAY
        last = first + 13 * DAY
        series = self.truth.active(group)
        meant = [each for each in series.meetings if not each.now.why_off] if series else []
        if not any(first.date() <= self.truth.day_of(each) <= last.date() for each in meant):
            return None
        back = Action(at, "unskip", group, host, original=first, to=last)
        if self.drawn.random() < 0.4:
            wait = 40 * timedelta(seconds=1) if self.drawn.random() < 0.3 else self.drawn.uniform(1, 30) * HOUR
            self._at(at + wait, lambda later: _moved_to(back, later) if self.truth.active(group) is series else None)
        return Action(at, "skip", group, host, original=first, to=last)

    def _change(self, group: int, at: datetime, host: str) -> Action | None:
        pattern, first = self._pattern(at)
        series = self.truth.active(group)
        if series is None or not self._coming(group, at) or first.time() == series.meetings[0].original.time():
            return None
        return Action(at, "change", group, host, to=first, pattern=pattern)

    def _go_on(self, group: int, at: datetime, host: str) -> Action | None:
        last = self.truth.series[group][-1]
        ahead = [each for each in last.meetings if each.now.why_off == "ended" and each.now.place > at]
        return Action(at, "go on", group, host) if last.ended and ahead else None

    def _begin_series(self, group: int, at: datetime) -> Action | None:
        if self.truth.active(group) is not None:
            return None
        pattern, first = self._pattern(at)
        return Action(at, "series", group, self.script.facilitators[group], to=first, pattern=pattern)

    def _pattern(self, at: datetime) -> tuple[Pattern, datetime]:
        """Return how a series is to repeat, and its first wall time."""
        hour, minute = self.drawn.choice((8, 9, 10, 12, 15, 17, 18, 18, 19, 20, 21)), self.drawn.choice((0, 20, 30))
        today = wall(at, self.truth.zone_at(at)).date()
        every = self.drawn.random()
        if every < 0.12:
            nth, weekday = self.drawn.choice((1, 2, 3, 4, -1)), self.drawn.randrange(7)
            days = [nth_weekday(year, month, weekday, nth) for year, month in _months(today.year, today.month)]
            first = next(day for day in days if day > today)
            return Pattern(0, nth), datetime.combine(first, time(hour, minute))
        first = today + self.drawn.randint(1, 7) * DAY
        return Pattern(1 if every < 0.8 else 2), datetime.combine(first, time(hour, minute))


def _months(year: int, month: int) -> Iterator[tuple[int, int]]:
    for number in range(3):
        yield year + (month - 1 + number) // 12, (month - 1 + number) % 12 + 1


def _moved_to(action: Action, at: datetime) -> Action:
    return Action(at, action.what, action.group, action.who, original=action.original, to=action.to)
