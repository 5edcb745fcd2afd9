"""Which reminders and start posts there should be, worked out from a script alone.

The rules, as a facilitator would say them:

1. A reminder comes as long before the meeting as its reader chose: a day (or up to 15 minutes earlier), an hour (or up
   to 3 minutes earlier), ten minutes.
2. If it is night for the reader then (22:00 to 8:00 in their own zone, else the server's), it comes at 8:00, if that is
   at least five minutes before it is of no use; else in the evening before, from 21:45 to 21:55.
3. A day before is of use until two hours before the meeting, the others until it begins. Later it does not come.
4. It comes only to who takes part when it is due (has a seat, does not pause, is in the server), wanted it before, has
   not answered "can't" to this time of the meeting, and takes messages. Whoever leaves a group takes their answers with
   them. It does not come for a meeting that is off or elsewhere then, nor for a time to which
   the meeting was put only after it was due. Of one that is on again within a minute after that it may come.
5. While peerbot or Discord are away nothing comes. What was due meanwhile comes within minutes after that (not in the
   night), if it is of use then; of several reminders of one meeting that wait for somebody only the last one comes.
6. When a meeting begins its group's room is told once, within 15 minutes or not at all.

What changes within the minutes in which a reminder may come either way is not judged: such a reminder may come.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from tests.quarter.script import Downtime, Script
from tests.quarter.truth import CLOSE, Meeting, Truth
from tests.quarter.walls import evening_before, is_night, morning_after

MINUTE = timedelta(minutes=1)
EARLY = {1440: 15 * MINUTE, 60: 3 * MINUTE, 10: 0 * MINUTE}
USE = {1440: timedelta(hours=2), 60: 0 * MINUTE, 10: 0 * MINUTE}
ASKED = {1440: 16 * MINUTE, 60: 5 * MINUTE, 10: 2 * MINUTE}
"""Who joins so shortly before a reminder is due may go without it."""
LAG = {"stopped": 2 * MINUTE, "away": 7 * MINUTE}
"""After a downtime: until what waits is sent; while Discord is away it is tried every five minutes."""
BEFORE = timedelta(days=2)
"""So long before a meeting none of its reminders is due yet."""
USUAL_LAG = 1.5 * MINUTE
"""A refused or lost request is tried again some seconds later, and once more."""
START_USE = 15 * MINUTE
UNDO = MINUTE


@dataclass(frozen=True)
class Window:
    """Something that should come, once, from `first` to `last`; `must` is whether it has to."""

    first: datetime
    last: datetime
    must: bool
    name: str
    due: tuple[datetime, datetime]


class Passage:
    """When something that is due can come."""

    def __init__(self, downtimes: Iterable[Downtime]) -> None:
        self.downtimes = sorted(downtimes, key=lambda each: each.begin)

    def first(self, at: datetime, night_zone: str | None = None) -> datetime:
        """Return the first moment at or after one at which something can come."""
        while True:
            then = morning_after(at, night_zone) if night_zone else at
            for each in self.downtimes:
                if each.begin <= then < each.end:
                    then = each.end
            if then == at:
                return at
            at = then

    def last(self, at: datetime, night_zone: str | None = None) -> datetime:
        """Return the moment by which what is due has come."""
        while True:
            then = self.first(at, night_zone)
            over = [each for each in self.downtimes if each.begin < then and each.end > at - USUAL_LAG]
            last = then + max((LAG[each.kind] for each in over), default=USUAL_LAG)
            again = next((each for each in self.downtimes if then <= each.begin <= last), None)
            if again is None and not (night_zone and is_night(last, night_zone)):
                return last
            at = again.begin if again else last  # it may be late for that, and wait once more


def due_windows(starts_at: datetime, minutes: int, zone: str) -> list[tuple[datetime, datetime]]:
    """Return when a reminder may be due (rules 1 and 2): mostly one stretch of time, two at the edge of a night."""
    found: list[tuple[datetime, datetime]] = []
    for step in range(61):
        early = EARLY[minutes] * (step / 60)
        wanted = starts_at - minutes * MINUTE - early
        morning = morning_after(wanted, zone)
        if morning <= starts_at - USE[minutes] - 5 * MINUTE:
            first = last = morning
        else:
            first, last = evening_before(wanted, zone) - 15 * MINUTE, evening_before(wanted, zone) - 5 * MINUTE
        if found and first - found[-1][1] <= MINUTE and found[-1][0] - last <= MINUTE:
            found[-1] = (min(found[-1][0], first), max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


class Reminders:
    """The reminders of one script."""

    def __init__(self, script: Script, truth: Truth) -> None:
        self.script = script
        self.truth = truth
        self.passage = Passage(script.downtimes)

    def of(self, meeting: Meeting, who: str, starts_at: datetime) -> list[Window]:
        """Return the reminders that somebody should have of a time at which a meeting was to begin, the first first."""
        found: list[Window] = []
        for minutes in (1440, 60, 10):
            found += self._in_zones(meeting, who, starts_at, minutes)
        return _after_downtimes(sorted(found, key=lambda each: each.due))

    def _in_zones(self, meeting: Meeting, who: str, starts_at: datetime, minutes: int) -> list[Window]:
        """Return the reminders of so many minutes before by the clocks of each zone that somebody was in."""
        found: list[Window] = []
        zones = self.truth.zones_of(who, starts_at - BEFORE, starts_at)
        for each in zones:
            if any(window.must for window in found):
                break  # it has come, by the clocks of the zone before
            in_zone = self._one(meeting, who, starts_at, minutes, each)
            found += [replace(window, must=False) for window in in_zone] if found else in_zone
        if found:
            return found
        for (zone, since, _until), (later, _since, _end) in pairwise(zones):
            # Where the moment had passed by the clocks of the new zone, it may come at that of the old one.
            for window in self._one(meeting, who, starts_at, minutes, (zone, since, starts_at)):
                last = min(max(window.last, self.passage.last(window.last, later)), starts_at - USE[minutes])
                found.append(replace(window, must=False, last=last))
        return found

    def _one(
        self, meeting: Meeting, who: str, starts_at: datetime, minutes: int, zone_since: tuple[str, datetime, datetime]
    ) -> list[Window]:
        """Return the reminders of so many minutes before that are due while somebody is in a zone."""
        zone, since, until = zone_since
        windows = due_windows(starts_at, minutes, zone)
        of_use = starts_at - USE[minutes]
        found: list[Window] = []
        for first_due, last_due in windows:
            first, last = self.passage.first(first_due, zone), self.passage.last(last_due, zone)
            if first > of_use or last_due < since - CLOSE or first_due > until + CLOSE:
                continue
            moments = self._moments(meeting, who, first_due - CLOSE, last + CLOSE)
            true = [self._is_due(meeting, who, starts_at, minutes, at) for at in moments]
            if not any(ok for at, ok in zip(moments, true, strict=True) if at <= last_due + CLOSE + UNDO):
                continue
            known = self._known_since(meeting, first_due)
            asked = max(first_due - ASKED[minutes] - USUAL_LAG, known + CLOSE)
            is_sure = all(true) and known < first_due - CLOSE and last <= of_use and len(windows) == 1
            is_sure = is_sure and self._is_there(meeting, who, asked)
            is_sure = is_sure and self._is_due(meeting, who, starts_at, minutes, asked)
            is_sure = is_sure and since + CLOSE <= first_due and (last + CLOSE <= until or until == starts_at)
            if last > until:
                last = max(last, self.passage.last(until, self.truth.zone_of(who, until)))
            name = {1440: "a day", 60: "an hour", 10: "ten minutes"}[minutes]
            found.append(Window(first, min(last, of_use), is_sure, name, (first_due, last_due)))
        return found

    def _is_there(self, meeting: Meeting, who: str, at: datetime) -> bool:
        """Say whether peerbot knows by a moment that somebody is there; who came back meanwhile it sees later."""
        since = self.truth.there_since(meeting.group, who, at)
        return since is not None and self.passage.first(since) <= at

    def _moments(self, meeting: Meeting, who: str, first: datetime, last: datetime) -> list[datetime]:
        """Return moments between which nothing changes, in a stretch of time."""
        edges = [each.since for each in meeting.history]
        edges += self.truth.edges(meeting.group, who)
        edges += [since for since, _minutes in self.truth.lives[who].chosen]
        edges += [at for at, _answer in self.truth.answers[meeting, who]]
        return sorted([first, *(edge for edge in edges if first <= edge <= last), last])

    def _is_due(self, meeting: Meeting, who: str, starts_at: datetime, minutes: int, at: datetime) -> bool:
        return (
            meeting.standing(at).begins == starts_at
            and meeting.history[0].since <= at
            and self.truth.reads(meeting.group, who, at, at)
            and minutes in self.truth.wants(who, at)
            and not self.truth.cannot(meeting, who, at)
        )

    def _known_since(self, meeting: Meeting, due: datetime) -> datetime:
        """Return since when a meeting was where it was when this was due; whether it was on does not count."""
        since = meeting.history[0].since
        for before, after in pairwise(meeting.history):
            if after.place != before.place and after.since <= due:
                since = after.since
        return since


def _after_downtimes(windows: list[Window]) -> list[Window]:
    """Return what is left of reminders of one meeting that wait together (rule 5)."""
    left: list[Window] = []
    for number, window in enumerate(windows):
        later = [each for each in windows[number + 1 :] if each.due[0] <= window.last]
        if any(each.due[1] <= window.first and each.first <= window.last for each in later if each.must):
            continue
        left.append(window if not later else replace(window, must=False))
    return left


class Starts:
    """The posts with which meetings begin."""

    def __init__(self, script: Script) -> None:
        self.passage = Passage(script.downtimes)

    def of(self, meeting: Meeting) -> list[Window]:
        """Return the posts that there should be about a meeting."""
        found: list[Window] = []
        for starts_at in {each.place for each in meeting.history}:
            first, last = self.passage.first(starts_at), self.passage.last(starts_at)
            until = starts_at + START_USE
            before = meeting.standing(starts_at - CLOSE)
            if first > until or before.since > starts_at:
                continue
            true = [meeting.standing(at).begins == starts_at for at in (starts_at - CLOSE, starts_at, first, last)]
            if any(true):
                sure = all(true) and last <= until
                found.append(Window(first, min(last, until), sure, "start", (starts_at, starts_at)))
        return found
