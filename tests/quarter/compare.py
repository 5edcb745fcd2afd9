"""What was received, held against what there should be: nothing missing, twice, stale, or in the night."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.quarter import news
from tests.quarter.oracle import LAG, USUAL_LAG, Reminders, Starts, Window
from tests.quarter.play import Received
from tests.quarter.script import Script, group_name
from tests.quarter.truth import CLOSE, Truth
from tests.quarter.walls import moments

REMINDS = re.compile(r"\*\*(?P<group>[^*]+)\*\*: (?=[A-Z][a-z]+day, )")
DAY = timedelta(hours=26)
"""A reminder comes at most so long before the meeting; later ones are not looked for after the end."""
START = "It is time."


@dataclass
class Verdict:
    """What was found: problems in words, and how much was held against what."""

    seed: int
    problems: list[str] = field(default_factory=list[str])
    counts: Counter[str] = field(default_factory=Counter[str])

    def __str__(self) -> str:
        """Write it to be read by people."""
        return "\n".join([f"seed {self.seed}: {len(self.problems)} differences, {dict(self.counts)}", *self.problems])


class Comparison:
    """One script and what came of it."""

    def __init__(self, script: Script, received: list[Received]) -> None:
        self.script = script
        self.received = received
        self.truth = Truth(script.zone, script.end, script.people)
        for action in script.actions:
            self.truth.do(action)
        self.groups = {group_name(number): number for number in script.facilitators}
        self.verdict = Verdict(script.seed)

    def verdict_of_all(self) -> Verdict:
        """Compare everything."""
        reminders: dict[tuple[int, str, datetime], list[Received]] = defaultdict(list)
        letters: dict[tuple[int, str], list[Received]] = defaultdict(list)
        starts: dict[int, list[Received]] = defaultdict(list)
        for each in self.received:
            reminds = REMINDS.match(each.text)
            if START in each.text and each.group is not None:
                starts[each.group].append(each)
            elif each.who is not None and news.is_news(each.text):
                letters[self.groups[news.group_of(each.text)], each.who].append(each)
            elif each.who is not None and reminds:
                try:
                    about = moments(each.text, *self.truth.clocks(each.at))[0]
                except (ValueError, IndexError) as problem:
                    self._problem(each.at, f"{each.who}: WRONG: {problem}: {each.text}")
                else:
                    reminders[self.groups[reminds["group"]], each.who, about].append(each)
        self._reminders(reminders)
        self._starts(starts)
        self._news(letters)
        self._ways()
        self.verdict.problems.sort()
        return self.verdict

    def _problem(self, at: datetime, words: str) -> None:
        self.verdict.problems.append(f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} {words}")

    # reminders

    def _reminders(self, received: dict[tuple[int, str, datetime], list[Received]]) -> None:
        oracle = Reminders(self.script, self.truth)
        for group in self.script.facilitators:
            people = {who for number, who in self.truth.seats if number == group}
            for meeting in self.truth.meetings(group):
                for starts_at in {each.place for each in meeting.history if each.place < self.script.end + DAY}:
                    for who in sorted(people):
                        came = received.pop((group, who, starts_at), [])
                        windows = oracle.of(meeting, who, starts_at)
                        self._match(f"{group_name(group)} {meeting}, {who}", windows, came, "reminder")
        for (group, who, starts_at), came in received.items():
            for each in came:
                self._problem(each.at, f"{who}: STALE: {group_name(group)} never meets at {starts_at:%b %d %H:%M} UTC")

    def _match(self, about: str, windows: list[Window], came: list[Received], kind: str) -> None:
        left = list(came)
        for window in sorted(windows, key=lambda each: (not each.must, each.first)):
            self.verdict.counts[f"{kind}s that must come" if window.must else f"{kind}s that may come"] += 1
            fits = [each for each in left if window.first - CLOSE <= each.at <= window.last + CLOSE]
            if fits:
                left.remove(fits[0])
                self.verdict.counts[f"{kind}s that came"] += 1
            elif window.must and window.last < self.script.end:
                name = "start post" if kind == "start" else f"reminder of {window.name}"
                self._problem(
                    window.first, f"MISSING: {name} ({window.first:%H:%M:%S} to {window.last:%H:%M:%S}): {about}"
                )
        for each in left:
            others = [one.at for one in came if one is not each]
            expected = ", ".join(f"{one.name} {one.first:%b %d %H:%M:%S} to {one.last:%H:%M:%S}" for one in windows)
            what = "TWICE" if any(abs((each.at - at).total_seconds()) < 300 for at in others) else "STALE"
            self._problem(each.at, f"{what}: {kind}, which should come [{expected}]: {about}")
        for each in came:
            if each.who is not None and self.truth.is_in_the_night(each.who, each.at):
                self._problem(each.at, f"NIGHT: {kind}: {about}")

    def _starts(self, received: dict[int, list[Received]]) -> None:
        oracle = Starts(self.script)
        for group in self.script.facilitators:
            left = received[group]
            for meeting in self.truth.meetings(group):
                if meeting.usual > self.script.end and len(meeting.history) == 1:
                    continue
                windows = [each for each in oracle.of(meeting) if each.last < self.script.end]
                came = [
                    each for each in left if any(one.first - CLOSE <= each.at <= one.last + CLOSE for one in windows)
                ]
                left = [each for each in left if each not in came]
                self._match(f"{group_name(group)} {meeting}", windows, came, "start")
            for each in left:
                self._problem(each.at, f"STALE: start of {group_name(group)}")

    def _news(self, letters: dict[tuple[int, str], list[Received]]) -> None:
        for group, who in sorted({*self.truth.seats, *letters}):
            came = letters[group, who]
            self.verdict.counts["letters of news"] += len(came)
            for at, problem in news.Minds(self.script, self.truth, group, who).judge(came):
                self._problem(at, f"{who}, {group_name(group)}: {problem}")

    def _ways(self) -> None:
        """Hold the way that each letter came against the one that its reader chose.

        Where they chose direct messages, and those are shut, it comes in their thread; so do the letters after that,
        until they choose again.
        """
        for who, life in self.truth.lives.items():
            was_refused_at: datetime | None = None
            for each in (one for one in self.received if one.who == who):
                chosen = {self.truth.way(who, when) for when in (each.at, each.at - CLOSE)} - {"none"}
                chosen_at = max((since for since, _way in life.ways if since <= each.at), default=self.script.begin)
                if was_refused_at is not None and was_refused_at >= chosen_at:
                    chosen = {"thread"} if chosen_at < was_refused_at - CLOSE else {"dm", "thread"}
                elif "dm" in chosen and life.is_shut(tried_at := self._tried_since(each.at), each.at):
                    chosen = {"dm", "thread"} if life.is_open(tried_at, each.at) else {"thread"}
                if chosen and each.by not in chosen:
                    self._problem(each.at, f"{who}: WRONG: came by {each.by}, not {', '.join(sorted(chosen))}")
                if each.by == "thread" and self.truth.way(who, each.at) == "dm":
                    was_refused_at = each.at

    def _tried_since(self, at: datetime) -> datetime:
        """Return since when something that has come may have been tried."""
        lasting = [each.begin for each in self.script.downtimes if each.begin <= at and at - LAG[each.kind] <= each.end]
        return min([*lasting, at - USUAL_LAG])


def compare(script: Script, received: list[Received]) -> Verdict:
    """Hold what was received against what a script says that there should be."""
    return Comparison(script, received).verdict_of_all()
