"""Whether people know what became of their meetings, judged by the letters that they received.

The rules, as a facilitator would say them:

1. Of a meeting that is off, elsewhere, or on again, everyone is told who takes part, takes messages, and has not
   answered "can't" to it: a minute after the change (at once, if the meeting is within half an hour), or as soon as
   peerbot and Discord are back; in the night only if the meeting comes before the morning.
2. What is taken back within the minute is told to nobody.
3. A letter tells only what its reader does not know yet, and what is so when it is sent. It names the next date.
4. When a series has ended, or goes on at another time, one letter says so of all its meetings.

What somebody knows: at first, each meeting as its series has it; then what the letters said. Of a change shortly before
they joined, or of a meeting that they do not want to come to, they may know or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.quarter.oracle import MINUTE, Passage
from tests.quarter.play import Received
from tests.quarter.script import Script
from tests.quarter.truth import CLOSE, LENGTH, Meeting, Series, Truth
from tests.quarter.walls import moments, morning_after, wall

UNDO, NEAR = MINUTE, 30 * MINUTE
WAITS = timedelta(hours=40)
"""A letter waits for a morning, and perhaps for peerbot and for Discord, mostly not so long."""
OTHER_CLOCKS = "clocks it goes by have changed"
AHEAD = timedelta(days=14)
"""Of later meetings nobody need know yet."""
SEVERAL, OF_SERIES = "some things have changed", ("has a new time", "has new dates", "the meetings at this time")
ONE = ("is off on", "is now on", "is on, as usual", "was moved, and is over")
KNEW = "It was to be on"
SAID = re.compile(rf"\*\*(?P<group>[^*]+)\*\*:? ?(?P<what>{'|'.join((SEVERAL, *OF_SERIES, *ONE))})")
OFF, UNKNOWN = "off", "unknown"
Belief = datetime | str


def is_news(text: str) -> bool:
    """Say whether a message tells of changes."""
    return SAID.match(text) is not None


@dataclass
class Mind:
    """What one person knows of one group's meetings."""

    beliefs: dict[Meeting, Belief] = field(default_factory=dict[Meeting, Belief])

    def of(self, meeting: Meeting) -> Belief:
        """Return when somebody takes a meeting to begin, OFF, or UNKNOWN."""
        return self.beliefs.get(meeting, meeting.history[0].place)


class Minds:
    """The news of one person in one group, held against what was so."""

    def __init__(self, script: Script, truth: Truth, group: int, who: str) -> None:
        self.script = script
        self.truth = truth
        self.group = group
        self.who = who
        self.passage = Passage(script.downtimes)
        self.mind = Mind()
        self.aside: dict[Meeting, Belief] = {}
        """What a letter tells beside its lines: "and 3 more", or other clocks for all of a series."""

    def judge(self, letters: list[Received]) -> Iterator[tuple[datetime, str]]:
        """Yield what is wrong, with its moment."""
        events: list[tuple[datetime, int, object]] = [(each.at, 1, each) for each in letters]
        mine = [each for each in self.truth.changes if each[1] in self.truth.series[self.group]]
        for at, series, changed in mine:
            events.append((at, 0, (series, changed)))
            events.append((self._told_by(at, changed), 2, (at, series)))
        events += [(edge, 3, None) for edge in self.truth.edges(self.group, self.who) if self._begins_at(edge)]
        for at, order, what in sorted(events, key=lambda each: each[:2]):
            match order, what:
                case 0, (series, changed):
                    self._changes(at, series, changed)
                case 1, Received():
                    yield from ((at, problem) for problem in self._letter(what))
                case 2, (since, series):
                    yield from ((at, problem) for problem in self._knows(at, since, series))
                case _:
                    self._joins(at)

    # what somebody should know by when

    def _begins_at(self, at: datetime) -> bool:
        """Say whether somebody begins to take part, or to take messages, at a moment (first, or again)."""
        before = at - timedelta(seconds=1)
        reads = self.truth.reads
        return reads(self.group, self.who, at, at) and not reads(self.group, self.who, before, before)

    def _told_by(self, at: datetime, changed: list[Meeting]) -> datetime:
        """Return when a change is known at the latest, whichever of their zones counts."""
        told_by = first = at + UNDO
        for zone, since, _until in self.truth.zones_of(self.who, at, at + WAITS):
            if since > told_by:
                break
            night_zone = None if self._is_urgent(at, changed, zone) else zone
            told_by = max(told_by, self.passage.last(max(first, since), night_zone))
        return told_by

    def _is_urgent(self, at: datetime, changed: list[Meeting], zone: str) -> bool:
        """Say whether one of these comes before the end of the night, as it is or as it was known."""
        morning = morning_after(self.passage.first(at + UNDO), zone)
        return any(place < morning for each in changed for place in _places(each, at))

    def _knows(self, at: datetime, since: datetime, series: Series) -> Iterator[str]:
        """Yield what somebody should know at a moment after a change, if nothing else has changed by then."""
        later = [when for when, other, _each in self.truth.changes if other is series and since < when <= at]
        truth = self.truth
        if later or at > self.script.end or not truth.reads(self.group, self.who, since - CLOSE, at):
            return
        for meeting in series.meetings:
            place, belief = meeting.standing(at).place, self.mind.of(meeting)
            known = [place] if isinstance(belief, str) else [place, belief]
            if (
                belief == UNKNOWN
                or min(known) <= at + CLOSE
                or place > at + AHEAD
                or truth.cannot(meeting, self.who, at)
            ):
                continue
            so = meeting.standing(at).begins or OFF
            if belief != so:
                yield f"MISSING: does not know that {meeting} is {_say(so)}, but takes it to be {_say(belief)}"

    def _changes(self, at: datetime, series: Series, changed: list[Meeting]) -> None:
        if not self.truth.takes_part(self.group, self.who, at - CLOSE):
            return
        for meeting in changed:
            if self.truth.cannot(meeting, self.who, at - CLOSE) or self.truth.cannot(meeting, self.who, at + 2 * CLOSE):
                self.mind.beliefs[meeting] = UNKNOWN
        if series.created_at == at:  # days that were skipped in the series before are skipped in this one, as is known
            old = self.truth.series[self.group][series.number - 1]
            days = {
                each: {each.original.date(), wall(each.standing(at).place, old.zone).date()} for each in old.meetings
            }
            off = {day for each, its in days.items() if self.mind.of(each) == OFF for day in its}
            for meeting in changed:
                if meeting.original.date() in off:
                    self.mind.beliefs[meeting] = OFF
                elif not any(meeting.original.date() in its for its in days.values()):
                    self.mind.beliefs[meeting] = UNKNOWN  # of a day in a break on which the group did not meet before

    def _joins(self, at: datetime) -> None:
        """Whoever joins or comes back sees what is so; of what changed just before that they may be told or not."""
        for meeting in self.truth.meetings(self.group):
            stands = meeting.standing(at + UNDO * 3)
            is_new = len(meeting.history) > 1 and stands.since > at - UNDO * 3
            self.mind.beliefs[meeting] = UNKNOWN if is_new else stands.begins or OFF

    # what a letter says

    def _letter(self, letter: Received) -> Iterator[str]:
        at = letter.at
        if not any(self.truth.takes_part(self.group, self.who, when) for when in (at, at - CLOSE)):
            yield "UNWANTED: takes no part"
        if all(self.truth.way(self.who, when) == "none" for when in (at, at - CLOSE)):
            yield "UNWANTED: takes no messages"
        told: list[tuple[Meeting, Belief]] = []
        self.aside = {}
        try:
            yield from self._words(letter, told)
        except ValueError as problem:
            yield f"WRONG: {problem}"
        meant = [meeting for meeting, _said in told]
        if told and all(self.mind.of(meeting) == said for meeting, said in told):
            yield "TWICE: all of it was known"
        if self._could_wait(at, meant):
            yield "NIGHT: it could have waited"
        if meant and all(self._does_not_come(each, at) for each in meant):
            yield "UNWANTED: answered that they cannot come"
        self.mind.beliefs |= self.aside | dict(told)

    def _words(self, letter: Received, told: list[tuple[Meeting, Belief]]) -> Iterator[str]:
        at = letter.at
        first, *lines = letter.text.split("\n")
        said = SAID.match(first)
        what = said["what"] if said is not None else ""
        if what in OF_SERIES:
            is_new = what != OF_SERIES[-1] and not moments(first, *self.truth.clocks(at))
            next_at = [line for line in lines if is_new and line.startswith("Next:")]
            yield from self._of_series(" ".join([first, *next_at]), at, told)
        elif what in ONE:
            known = [line for line in lines if line.startswith(KNEW)]
            yield from self._line(" ".join([*known, first]), at, told)
        for line in lines:
            if line.startswith("- and "):
                self.aside |= self._all(at)
            elif line.startswith("- "):
                yield from self._line(line, at, told)
            elif line.startswith("Next:"):
                (next_at,) = moments(line, *self.truth.clocks(at))
                if next_at not in {self.truth.next_of(self.group, when) for when in (at, at - CLOSE)}:
                    yield f"STALE: the next date is not {_say(next_at)}"
            elif "no next date" in line and self.truth.next_of(self.group, at) is not None:
                yield "STALE: there is a next date"
        if OTHER_CLOCKS in letter.text and told:  # whoever reads it knows it of all of the series
            number = told[0][0].series
            self.aside |= {each: so for each, so in self._all(at).items() if each.series == number}

    def _could_wait(self, at: datetime, meant: list[Meeting]) -> bool:
        morning = min(morning_after(at, self.truth.zone_of(self.who, when)) for when in (at, at - CLOSE))
        places = [one.place for each in meant for one in each.history if one.since <= at]
        near = any(at - LENGTH < place < morning for place in places)
        return self.truth.is_in_the_night(self.who, at) and not near

    def _does_not_come(self, meeting: Meeting, at: datetime) -> bool:
        changed_at = meeting.standing(at).since
        return all(self.truth.cannot(meeting, self.who, when) for when in (changed_at - CLOSE, at))

    def _of_series(self, first: str, at: datetime, told: list[tuple[Meeting, Belief]]) -> Iterator[str]:
        """Read that a series has ended, or goes on at another time."""
        several = [each for each in self.truth.series[self.group] if each.created_at <= at]
        known = [each for each in several if any(self.mind.of(meeting) != OFF for meeting in _after(each, at))]
        said = moments(first, *self.truth.clocks(at))
        over = known[:-1] if said else known
        if said:
            ahead = [each.standing(at).begins for each in several[-1].meetings]
            expected = min((when for when in ahead if when is not None and when > at), default=None)
            if expected != said[0] or len(several) == 1:
                yield f"STALE: the new time is {_say(expected)}"
        elif not any(several[-1].has_ended(when) for when in (at, at - CLOSE)):
            yield "STALE: the series has not ended"
        told += [(meeting, OFF) for each in over for meeting in _after(each, at)]

    def _line(self, line: str, at: datetime, told: list[tuple[Meeting, Belief]]) -> Iterator[str]:
        said = moments(line, *self.truth.clocks(at))
        meeting = self._meant(said[0], at) if said else None
        if meeting is None:
            yield f"WRONG: no such meeting: {line}"
            return
        claim: Belief = OFF if "off." in line or "is off on" in line else said[-1]
        so = {meeting.standing(when).begins or OFF for when in (at, at - CLOSE)}
        if claim not in so:
            yield f"STALE: {meeting} is {_say(meeting.standing(at).begins or OFF)}, not {_say(claim)}"
        since = meeting.standing(at).since
        near = any(
            place is not None and place - when < NEAR + CLOSE
            for when, _series, several in self.truth.changes
            for each in several
            if at - UNDO <= when <= at and each.group == self.group
            for place in (each.standing(when - timedelta(seconds=1)).begins, each.standing(when).begins)
        )
        if at < since + UNDO - timedelta(seconds=2) and not near:
            yield f"EARLY: {meeting} was changed only at {since:%H:%M:%S}"
        told.append((meeting, claim))
        self._goes_on(meeting, at, claim)

    def _all(self, at: datetime) -> dict[Meeting, Belief]:
        """Return how all meetings of the group stand that lie ahead."""
        ahead = [each for each in self.truth.meetings(self.group) if each.history[0].since <= at]
        return {each: each.standing(at).begins or OFF for each in ahead if each.standing(at).place > at}

    def _goes_on(self, meeting: Meeting, at: datetime, claim: Belief) -> None:
        """Take a series that was known to have ended to go on, when one of its meetings is on again."""
        series = self.truth.series[self.group][meeting.series]
        if claim != OFF and all(self.mind.of(each) in (OFF, UNKNOWN) for each in _after(series, at + AHEAD * 3)):
            for each in _after(series, at):
                if each.standing(at).why_off != "skipped":
                    self.mind.beliefs[each] = UNKNOWN

    def _meant(self, said: datetime, at: datetime) -> Meeting | None:
        """Return the meeting that a letter names by its usual time, or by the time that its reader knows."""
        known = [each for each in self.truth.meetings(self.group) if each.history[0].since <= at]
        by_usual = [each for each in reversed(known) if each.standing(at).usual == said]
        by_place = [each for each in reversed(known) if said in {one.place for one in each.history if one.since <= at}]
        return next(iter(by_usual + by_place), None)


def _after(series: Series, at: datetime) -> list[Meeting]:
    return [each for each in series.meetings if each.standing(at).place > at]


def _places(meeting: Meeting, at: datetime) -> list[datetime]:
    """Return when a meeting was to begin a minute before a moment, as far as it was on, and is then."""
    stood = (meeting.standing(at - UNDO - timedelta(seconds=1)), meeting.standing(at))
    return [each.begins for each in stood if each.begins is not None]


def _say(belief: Belief | None) -> str:
    return f"{belief:%a %b %d %H:%M} UTC" if isinstance(belief, datetime) else str(belief)


def group_of(text: str) -> str:
    """Return the name of the group of which a letter tells."""
    said = SAID.match(text)
    return said["group"] if said else ""
