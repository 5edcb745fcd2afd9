"""A script played: the real bot with a real database against the stand-in, and what was received in the end.

Time goes from one moment at which something is due to the next, as it does where nobody moves a clock; while the bot is
stopped it is moved on at once.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select

from peerbot import arrivals, breaks, deliveries, groups, meetings, pauses, reach, reminders, timetables
from peerbot import setup as settings_of
from peerbot.config import Settings
from peerbot.database import BACKGROUND
from peerbot.errors import MeetingUnknown
from peerbot.making import LOCAL
from peerbot.models import Break, Meeting
from peerbot.recurrence import Rule
from peerbot.rehearsal import people
from peerbot.rehearsal.faults import Fault
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.server import Discord
from peerbot.rehearsal.wire import PRIVATE_THREAD
from peerbot.rights import Actor
from tests.quarter import truth
from tests.quarter.script import Downtime, Script, Trouble, group_name
from tests.quarter.truth import Action
from tests.quarter.walls import Pattern
from tests.stories.stage import Stage

BASICS = Bit.VIEW_CHANNEL | Bit.SEND_MESSAGES | Bit.READ_MESSAGE_HISTORY
THREADS = Bit.CREATE_PRIVATE_THREADS | Bit.CREATE_PUBLIC_THREADS | Bit.SEND_MESSAGES_IN_THREADS
NEEDED = int(BASICS | Bit.MANAGE_CHANNELS | Bit.MANAGE_ROLES | THREADS)
USUAL = int(BASICS | Bit.USE_APPLICATION_COMMANDS | Bit.SEND_MESSAGES_IN_THREADS)
AGREED = "1.1"
TOGETHER = timedelta(seconds=12)
"""What is due within so short a time is let go at once, to play faster."""
ROUTES = (
    ("POST", "/channels/{}/messages"), ("GET", "/channels/{}/messages"), ("PATCH", "/channels/{}/messages/{}"),
    ("POST", "/users/@me/channels"), ("POST", "/channels/{}/threads"), ("PUT", "/channels/{}/thread-members/{}"),
    ("PATCH", "/channels/{}"), ("PUT", "/channels/{}/permissions/{}"), ("DELETE", "/channels/{}/permissions/{}"),
)  # fmt: skip
"""What fails while Discord is away."""
IN_DISCORD = ("goes away", "comes back", "shuts DMs", "opens DMs")
FAULTS: dict[Trouble, dict[str, Any]] = {
    "429": {"status": 429, "retry_after": 0.01},
    "503": {"status": 503},
    "lost before": {"drop": "before"},
    "lost after": {"drop": "after"},
    "torn": {"drop": "after"},
}
TORN = timedelta(minutes=9)
"""So long peerbot is stopped when it has not heard what became of a message: Discord forgets its nonce."""


@dataclass(frozen=True)
class Received:
    """A message as somebody reads it: to a person, by direct message or in their thread, or (None) in a room."""

    at: datetime
    who: str | None
    group: int | None
    by: str
    text: str


def set_stage(discord: Discord, settings: Settings, begin: datetime) -> Stage:
    """Return a stage with a server and nobody on it but whom a stage needs, at this moment, the bot not yet started."""
    world = discord.world
    world.clock.move(begin - world.clock.now())  # before anything has an id, which tells when it was made
    guild = world.guild("Harbour", owner="Olive")
    guild.edit_role(guild.id, permissions=str(USUAL))
    application = world.application("peerbot")
    guild.install(application, NEEDED)
    role = guild.add_role("Facilitators", int(Bit.MANAGE_EVENTS))
    panel, staff = guild.add_channel("find-a-group"), guild.add_channel("staff")
    olive = people.owner(world, guild)
    given = replace(settings, discord_url=discord.url)
    server = (guild, role, panel, staff)
    return Stage(discord, given, world.clock, application, *server, olive, olive, olive, olive, olive, olive, olive)


class Play:
    """One script on one stage."""

    def __init__(self, script: Script, stage: Stage) -> None:
        self.script = script
        self.stage = stage
        self.persons: dict[str, Person] = {}
        self.group_ids: dict[int, int] = {}
        self.threads: dict[str, set[int]] = defaultdict(set)
        self.away = False
        self.stops: list[Downtime] = []
        self.tears: Fault | None = None

    async def run(self) -> tuple[Script, list[Received]]:
        """Play the script to its end; return it, with all times in which peerbot was stopped, and what was received."""
        try:
            await self._play()
            downtimes = sorted([*self.script.downtimes, *self.stops], key=lambda each: each.begin)
            return replace(self.script, downtimes=downtimes), self._read()
        finally:
            await self.stage.stop()

    async def _play(self) -> None:
        script, stage = self.script, self.stage
        await stage.start()
        await self._open()
        events: list[tuple[datetime, int, Any]] = [(each.at, 1, each) for each in script.actions]
        events += [(each.begin, 2, each) for each in script.downtimes]
        events += [(each.end, 3, each) for each in script.downtimes]
        events += [(at, 4, trouble) for at, trouble in script.troubles]
        events += [(at, 5, meeting) for at, meeting in self._arrivals()]
        for at, order, event in sorted(events, key=lambda each: each[:2]):
            await self._until(at)
            if isinstance(event, Action):
                await self._do(event)
            elif isinstance(event, Downtime):
                await (self._goes(event) if order == 2 else self._comes_back(event))
            elif isinstance(event, truth.Meeting):
                await self._is_here(event)
            elif not self.away:
                stage.discord.faults.next("POST", "/channels/{}/messages", **FAULTS[event])
                self.tears = stage.discord.faults.waiting[-1] if event == "torn" else self.tears
        await self._until(script.end)

    def _arrivals(self) -> list[tuple[datetime, truth.Meeting]]:
        """Return when the facilitator of each meeting says that they are there, as soon as they can."""
        found: list[tuple[datetime, truth.Meeting]] = []
        so = truth.Truth(self.script.zone, self.script.end, self.script.people)
        for action in self.script.actions:
            so.do(action)
        for meeting in (each for group in self.script.facilitators for each in so.meetings(group)):
            for begins in {each.place for each in meeting.history}:
                at = begins - timedelta(minutes=1)
                for each in self.script.downtimes:
                    if each.kind == "stopped" and each.begin <= at <= each.end:
                        at = each.end + timedelta(seconds=1)
                if meeting.standing(at).begins == begins and at < min(begins + truth.LENGTH, self.script.end):
                    found.append((at, meeting))
        return found

    async def _is_here(self, meeting: truth.Meeting) -> None:
        async with self._begin() as session:
            host = self._actor(self.script.facilitators[meeting.group])
            found = await self._meeting(session, meeting.group, meeting.original)
            with suppress(MeetingUnknown):  # should it not be on, its start post is missing
                await arrivals.here(session, host, found.meeting_id, now=self.stage.clock.now())
        await self.stage.world.settle(30)

    async def _open(self) -> None:
        script, stage = self.script, self.stage
        for name in script.people:
            roles = [stage.facilitators] if name.startswith("Host") else []
            self.persons[name] = people.join(stage.world, stage.guild, name, *roles)
        async with self._begin() as session:
            await self._set_up(session, script.zone)
        details = {"about": "For adults.", "topic": "Rest", "meets_by": "text", "capacity": "15"}
        for group, host in script.facilitators.items():
            async with self._begin() as session:
                words = groups.Details.checked(name=group_name(group), **details)
                made, _room = await groups.create(session, self._actor(host), words, now=stage.clock.now())
                self.group_ids[group] = made.group_id
            await stage.world.settle()
        for name, habits in script.people.items():
            await self._settle_habits(name, habits.by, habits.zone)

    async def _set_up(self, session: Any, zone: str) -> None:
        stage = self.stage
        await settings_of.save(
            session, self._actor("Olive"), facilitator_role_id=int(stage.facilitators["id"]), locale="en-US",
            panel_channel_id=int(stage.panel["id"]), staff_channel_id=int(stage.staff["id"]),
            time_zone=zone, now=stage.clock.now(),
        )  # fmt: skip

    async def _settle_habits(self, name: str, by: str, zone: str) -> None:
        async with self._begin() as session:
            now = self.stage.clock.now()
            await reach.choose(session, self._actor(name), by, is_here=True, now=now)
            await reach.set_zone(session, self._actor(name), zone, is_here=True, now=now)
        await self.stage.world.settle()

    def _begin(self) -> Any:
        assert self.stage.db is not None
        return self.stage.db.begin(wait=BACKGROUND)

    def _actor(self, name: str) -> Actor:
        roles = frozenset({int(self.stage.facilitators["id"])}) if name.startswith("Host") else frozenset[int]()
        if name not in self.persons:
            return Actor(self.stage.guild.id, self.stage.olive.user_id, locale="en-US", manages=True)
        return Actor(self.stage.guild.id, self.persons[name].user_id, locale="en-US", role_ids=roles)

    # time

    async def _until(self, then: datetime) -> None:
        """Let time pass, stopping where something is due."""
        stage = self.stage
        while stage.db is not None:
            async with stage.db.read(wait=BACKGROUND) as session:
                due = await deliveries.next_due(session)
            now = stage.clock.now()
            if due is None or due + TOGETHER >= then:
                break
            stage.clock.move(max(due + TOGETHER - now, timedelta(seconds=1)))
            await stage.world.settle(30)
            if self.tears is not None and self.tears not in stage.discord.faults.waiting:
                await self._tear(then)
        if then > stage.clock.now():
            stage.clock.move(then - stage.clock.now())
        if stage.db is not None:
            await stage.world.settle(30)

    async def _tear(self, then: datetime) -> None:
        """Stop peerbot for some minutes, unless something else happens in them."""
        self.tears, now = None, self.stage.clock.now()
        if now + 2 * TORN < then:
            downtime = Downtime(now, now + TORN, "stopped")
            self.stops.append(downtime)
            await self._goes(downtime)
            self.stage.clock.move(TORN)
            await self._comes_back(downtime)

    async def _goes(self, downtime: Downtime) -> None:
        if downtime.kind == "stopped":
            await self.stage.stop()
            return
        self.away = True
        for method, path in ROUTES:
            self.stage.discord.faults.next(method, path, status=503, times=10**9)

    async def _comes_back(self, downtime: Downtime) -> None:
        if downtime.kind == "stopped":
            await self.stage.start()
            await self.stage.world.settle(30)
            return
        self.away, self.tears = False, None
        self.stage.discord.faults.clear()

    # what people do

    async def _do(self, action: Action) -> None:
        try:
            if action.what in IN_DISCORD:
                self._in_discord(action)
            else:
                async with self._begin() as session:
                    await self._rule(session, action, self._actor(action.who), self.stage.clock.now())
        except Exception as problem:
            raise AssertionError(f"seed {self.script.seed}: could not be done: {action}") from problem
        if self.stage.db is not None:
            await self.stage.world.settle(30)

    def _in_discord(self, action: Action) -> None:
        """Do what somebody does in Discord alone, whether peerbot looks or not."""
        person, world = self.persons[action.who], self.stage.world
        match action.what:
            case "goes away":
                self._note_threads(action.who)  # Discord takes them out of these
                person.leaves()
            case "comes back":
                person.rejoins()
            case "shuts DMs":
                world.close_dms(person.user_id)
            case _:
                world.open_dms(person.user_id)

    def _note_threads(self, who: str) -> None:
        """Remember in which private threads somebody is: they have read what stands there."""
        for thread_id, thread in self.stage.guild.threads.items():
            inside = self.stage.guild.thread_members[thread_id]
            if thread["type"] == PRIVATE_THREAD and self.persons[who].user_id in inside:
                self.threads[who].add(thread_id)

    async def _rule(self, session: Any, action: Action, actor: Actor, now: datetime) -> None:
        match action.what:
            case "join" | "leave" | "pause" | "resume":
                await self._rule_of_seat(session, action, actor, now)
            case "way" | "zone" | "choose":
                await self._rule_of_habits(session, action, actor, now)
            case "server zone":
                await self._set_up(session, action.word)
            case "cant" | "going" | "cancel" | "move" | "undo":
                await self._rule_of_meeting(session, action, actor, now)
            case _:
                await self._rule_of_series(session, action, actor, now)

    async def _rule_of_seat(self, session: Any, action: Action, actor: Actor, now: datetime) -> None:
        group_id = self.group_ids[action.group]
        match action.what:
            case "leave":
                await groups.leave(session, actor, group_id, now=now)
            case "pause":
                await pauses.pause(session, actor, group_id, now=now)
            case "resume":
                await pauses.resume(session, actor, group_id)
            case _:
                if not action.who.startswith("Host"):
                    await groups.sign_up(session, actor, group_id, agreed=AGREED, now=now)
                    await reminders.follow(session, actor, now=now)  # as the button does it
                if action.minutes:
                    await reminders.choose(session, actor, action.minutes, is_here=True, now=now)

    async def _rule_of_habits(self, session: Any, action: Action, actor: Actor, now: datetime) -> None:
        match action.what:
            case "way":
                await reach.choose(session, actor, action.word, is_here=True, now=now)
                await reminders.follow(session, actor, now=now)  # as the button does it
            case "zone":
                await reach.set_zone(session, actor, action.word, is_here=True, now=now)
                await reminders.follow(session, actor, now=now)  # as the form does it
            case _:
                await reminders.choose(session, actor, action.minutes, is_here=True, now=now)

    async def _rule_of_meeting(self, session: Any, action: Action, actor: Actor, now: datetime) -> None:
        meeting = await self._meeting(session, action.group, action.original)
        match action.what:
            case "cancel":
                await meetings.cancel(session, actor, meeting.meeting_id, now=now)
            case "undo":
                await meetings.undo(session, actor, meeting.meeting_id, now=now)
            case "move":
                assert action.to is not None
                await meetings.move(session, actor, meeting.meeting_id, action.to, now=now)
            case _:
                await meetings.respond(session, actor, meeting.meeting_id, action.what, now=now)

    async def _rule_of_series(self, session: Any, action: Action, actor: Actor, now: datetime) -> None:
        group_id = self.group_ids[action.group]
        if action.what == "series":
            await timetables.create(session, actor, self._plan(action), now=now)
            return
        newest = select(Meeting.series_id).where(Meeting.group_id == group_id).order_by(Meeting.series_id.desc())
        series_id = (await session.scalars(newest.limit(1))).one()
        if action.what == "change":
            await timetables.change(session, actor, series_id, self._plan(action), now=now)
        elif action.what == "end":
            await timetables.end(session, actor, series_id, now=now)
        elif action.what == "go on":
            await timetables.go_on(session, actor, series_id, now=now)
        else:
            first, last = _day(action.original), _day(action.to)
            if action.what == "skip":
                await breaks.skip(session, actor, series_id, first, last, now=now)
                return
            meant = (Break.series_id == series_id, Break.first_day == first, Break.last_day == last)
            for break_id in await session.scalars(select(Break.break_id).where(*meant)):
                await breaks.unskip(session, actor, break_id, now=now)

    def _plan(self, action: Action) -> timetables.Plan:
        assert action.pattern is not None
        assert action.to is not None
        rule = _rule(action.pattern, action.to.weekday())
        return timetables.Plan.checked(group_id=self.group_ids[action.group], first=action.to, rule=rule)

    async def _meeting(self, session: Any, group: int, original: datetime | None) -> Meeting:
        """Return the meeting that somebody means, as they would choose it from a list."""
        assert original is not None
        meant = (Meeting.group_id == self.group_ids[group], Meeting.original_local == f"{original:{LOCAL}}")
        found = await session.scalars(select(Meeting).where(*meant).order_by(Meeting.series_id.desc()).limit(1))
        return found.one()

    # what was received

    def _read(self) -> list[Received]:
        stage, world = self.stage, self.stage.world
        received: list[Received] = []
        for name, person in self.persons.items():
            mine = [(channel, "dm") for channel in world.dms.values() if person.can_see(channel)]
            self._note_threads(name)
            mine += [(stage.guild.threads[thread_id], "thread") for thread_id in sorted(self.threads[name])]
            for channel, by in mine:
                received += self._in(channel, who=name, by=by)
        for number in self.script.facilitators:
            room = stage.room(group_name(number).lower().replace(" ", "-"))
            received += self._in(room, group=number)
        return sorted(received, key=lambda each: each.at)

    def _in(
        self, channel: Any, *, who: str | None = None, group: int | None = None, by: str = "room"
    ) -> list[Received]:
        world, bot_id = self.stage.world, self.stage.application.bot_id
        return [
            Received(world.moment_of(message_id), who, group, by, people.Seen(message).text)
            for message_id, message in world.messages.get(int(channel["id"]), {}).items()
            if int(message["author"]["id"]) == bot_id
        ]


def _rule(pattern: Pattern, weekday: int) -> Rule:
    if pattern.weeks:
        return Rule("weekly", interval=pattern.weeks, weekdays=(weekday,))
    return Rule("monthly", nth=pattern.nth, weekday=weekday)


def _day(at: datetime | None) -> date:
    assert at is not None
    return at.date()
