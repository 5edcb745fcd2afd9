"""Calendar files: read by other programs, they give the same instants as the database has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid5

import pytest
from builders import GUILD, LEO, MAYA, actor, facilitator, make_group, seat
from dateutil import tz
from dateutil.rrule import rrulestr
from hypothesis import example, given, settings
from hypothesis import strategies as st
from icalendar import Calendar
from sqlalchemy import select

from peerbot import calendars, meetings, remains, series, timetables
from peerbot.calendars import OURS, Repeating
from peerbot.database import Database
from peerbot.errors import MeetingUnknown, NotMember, NotValid
from peerbot.models import Group, Guild, Meeting, Series
from peerbot.recurrence import Rule, kind_of, occurrences

TITLE = "Group meeting"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""A Monday; clocks in Berlin change on March 29."""
LATER = datetime(2026, 4, 20, tzinfo=UTC)
HOSTILE = "Tue;day, \\n meeting\\ " + "\N{FAMILY}" * 40
WALLS = datetime(2026, 1, 5)


def events(file: bytes) -> list[Any]:
    """Return the events of a file, parsed; fail where the file breaks RFC 5545."""
    text = file.decode()
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", ""), "every line ends with CR and LF (3.1)"
    assert max(len(line.encode()) for line in text.split("\r\n")) <= 75, "long lines are folded (3.1)"
    calendar = Calendar.from_ical(text)
    assert not calendar.errors
    assert (calendar["version"], bool(calendar["prodid"])) == ("2.0", True)
    found: list[Any] = list(calendar.walk("VEVENT"))
    zones = {str(each["tzid"]) for each in calendar.walk("VTIMEZONE")}
    named = set(re.findall(r";TZID=([^:;]+)", text.replace("\r\n ", "")))
    assert named <= zones, "each zone that is named is described (3.2.19)"
    for event in found:
        assert not event.errors
        assert {"UID", "DTSTAMP", "DTSTART", "SEQUENCE", "SUMMARY"} <= set(event)
        assert event["dtstamp"].to_ical().endswith(b"Z")
    keys = [(event["uid"], event["recurrence-id"].dt if "recurrence-id" in event else None) for event in found]
    assert len(keys) == len(set(keys))
    return found


def instants(file: bytes, until: datetime) -> list[datetime]:
    """Return when a file has meetings up to a moment; the rules of zones are read from the file alone."""
    return sorted(at for at in _instants(file, events(file), until) if at < until)


def _instants(file: bytes, found: list[Any], until: datetime) -> Iterator[datetime]:
    described = tz.tzical(StringIO(file.decode().replace("\r\n ", ""))) if b"VTIMEZONE" in file else None

    def local(value: Any) -> datetime:
        zone = described.get(value.params["TZID"]) if described and "TZID" in value.params else tz.UTC
        return value.dt.replace(tzinfo=zone)

    overridden = {(event["uid"], local(event["recurrence-id"])) for event in found if "recurrence-id" in event}
    for event in found:
        if event["status"] == "CANCELLED":
            continue
        start = local(event["dtstart"])
        if "rrule" not in event:
            yield start.astimezone(UTC)
            continue
        off = [local_of for part in _listed(event.get("exdate")) for local_of in _locals(part, local)]
        rule = rrulestr(event["rrule"].to_ical().decode(), dtstart=start)
        for each in rule:
            if each.astimezone(UTC) >= until:
                break
            if each not in off and (event["uid"], each) not in overridden:
                yield each.astimezone(UTC)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value is not None else []


def _locals(several: Any, local: Any) -> list[datetime]:
    zone = several.params.get("TZID")
    for each in several.dts:
        each.params = {"TZID": zone} if zone else {}
    return [local(each) for each in several.dts]


async def tuesdays(db: Database, *, weeks: int = 0, **changes: Any) -> Group:
    """Make a group with Maya in it, its Tuesdays (18:30 in Berlin) made some weeks ahead."""
    async with db.begin() as session:
        group = await make_group(session, now=NOW, name=changes.pop("name", "Tuesday"))
        await seat(session, group, MAYA, now=NOW)
        usual: dict[str, Any] = {
            "group_id": group.group_id,
            "first": datetime(2026, 3, 3, 18, 30),
            "rule": Rule("weekly", 1, (1,)),
        }
        made = await timetables.create(session, facilitator(), timetables.Plan.checked(**(usual | changes)), now=NOW)
        await series.make(session, [made], until=NOW + timedelta(weeks=weeks), now=NOW)
    return group


async def file_of(db: Database, group: Group | None = None, *, now: datetime = NOW) -> bytes:
    async with db.read() as session:
        which = group.group_id if group is not None else None
        return await calendars.of_groups(session, actor(), group_id=which, title=TITLE, now=now)


async def planned(db: Database, until: datetime) -> list[datetime]:
    async with db.read() as session:
        rows = select(Meeting.starts_at).where(Meeting.state == "planned", Meeting.starts_at < until)
        return list(await session.scalars(rows.order_by(Meeting.starts_at)))


async def meeting_on(db: Database, local: str) -> int:
    async with db.read() as session:
        return (await session.scalars(select(Meeting.meeting_id).where(Meeting.original_local == local))).one()


@pytest.mark.both_databases
async def test_a_file_gives_the_same_instants_as_the_database(db: Database, guild: Guild) -> None:
    group = await tuesdays(db, weeks=9)
    before = await file_of(db, group)
    async with db.begin() as session:
        await meetings.cancel(session, facilitator(), await meeting_on(db, "2026-03-17T18:30"), now=NOW)
        await meetings.move(
            session, facilitator(), await meeting_on(db, "2026-03-31T18:30"), datetime(2026, 4, 1, 19), now=NOW
        )
    file = await file_of(db, group)
    expected = await planned(db, LATER)
    assert len(expected) == 6
    assert {at.hour for at in expected} == {16, 17}, "clocks change on the way"
    assert instants(file, LATER) == expected
    assert datetime(2026, 3, 17, 17, 30, tzinfo=UTC) in instants(before, LATER)
    async with db.begin() as session:
        await meetings.cancel(session, facilitator(), await meeting_on(db, "2026-03-03T18:30"), now=NOW)
    later = await file_of(db, group)
    assert events(later)[0]["dtstart"].dt.date() == datetime(2026, 3, 10).date(), "it begins with one that is on"
    assert instants(later, LATER) == expected[1:]
    old, new = events(before)[0], events(file)[0]
    assert old["uid"] == new["uid"]
    assert new["sequence"] > old["sequence"]


@pytest.mark.both_databases
async def test_a_sequence_never_falls_when_old_meetings_are_deleted(db: Database, guild: Guild) -> None:
    group = await tuesdays(db)
    async with db.begin() as session:
        await meetings.cancel(session, facilitator(), await meeting_on(db, "2026-03-03T18:30"), now=NOW)
    now = NOW + remains.KEEP + timedelta(days=3)
    before = events(await file_of(db, group, now=now))[0]["sequence"]
    async with db.begin() as session:
        assert await remains.purge(session, GUILD, now=now)
    assert events(await file_of(db, group, now=now))[0]["sequence"] == before


@pytest.mark.both_databases
async def test_a_file_of_all_groups_begins_with_what_is_not_over(db: Database, guild: Guild) -> None:
    group = await tuesdays(db, weeks=9)
    async with db.begin() as session:
        first, third = await meeting_on(db, "2026-03-03T18:30"), await meeting_on(db, "2026-03-17T18:30")
        await meetings.move(session, facilitator(), first, datetime(2026, 3, 19, 9), now=NOW)
        await meetings.cancel(session, facilitator(), third, now=NOW)
        first_at = datetime(2026, 3, 20, 9)
        plan = timetables.Plan.checked(group_id=group.group_id, rule=Rule("once"), first=first_at)
        await timetables.create(session, facilitator(), plan, now=NOW)
    now = datetime(2026, 3, 18, tzinfo=UTC)
    file = await file_of(db, now=now)
    ahead = [at for at in instants(file, LATER) if at > now]
    assert ahead == [at for at in await planned(db, LATER) if at > now]
    assert len(events(file)) == 3


async def test_a_meeting_has_a_file_of_its_own_that_says_when_it_is_off(db: Database, guild: Guild) -> None:
    await tuesdays(db)
    first = await meeting_on(db, "2026-03-03T18:30")

    async def file() -> bytes:
        async with db.read() as session:
            return await calendars.of_meeting(session, actor(), first, title=TITLE, now=NOW)

    (event,) = events(await file())
    assert instants(await file(), LATER) == [datetime(2026, 3, 3, 17, 30, tzinfo=UTC)]
    async with db.begin() as session:
        await meetings.move(session, facilitator(), first, datetime(2026, 3, 4, 18), now=NOW)
    (moved,) = events(await file())
    assert instants(await file(), LATER) == [datetime(2026, 3, 4, 17, tzinfo=UTC)]
    async with db.begin() as session:
        await meetings.cancel(session, facilitator(), first, now=NOW)
    (off,) = events(await file())
    assert off["status"] == "CANCELLED"
    assert event["uid"] == moved["uid"] == off["uid"]
    assert event["sequence"] < moved["sequence"] < off["sequence"]


async def test_an_ended_series_is_cancelled_as_long_as_its_meetings_would_lie_ahead(db: Database, guild: Guild) -> None:
    group = await tuesdays(db)
    async with db.begin() as session:
        series_id = (await session.scalars(select(Series.series_id))).one()
        await timetables.end(session, facilitator(), series_id, now=NOW)
    (event,) = events(await file_of(db, group))
    assert event["status"] == "CANCELLED"
    with pytest.raises(NotValid):
        await file_of(db, group, now=LATER)


async def test_a_file_names_nobody_no_group_and_no_link(db: Database, guild: Guild) -> None:
    hostile = "Depression;\u200d X:Y, \N{FAMILY}" + "\N{FAMILY}" * 40
    group = await tuesdays(db, name=hostile, topic="Medication", link="https://meet.example/secret")
    file = await file_of(db, group)
    assert {str(event["summary"]) for event in events(file)} == {TITLE}
    for secret in ("Depression", "\N{FAMILY}", "Medication", "meet.example", str(MAYA)):
        assert secret not in file.decode().replace("\r\n ", "")


async def test_only_who_has_a_part_in_a_group_gets_its_file(db: Database, guild: Guild) -> None:
    group = await tuesdays(db)
    first = await meeting_on(db, "2026-03-03T18:30")
    async with db.read() as session:
        for person in (actor(LEO), actor(LEO, guild_id=GUILD + 1)):
            with pytest.raises((NotMember, MeetingUnknown)):
                await calendars.of_groups(session, person, group_id=group.group_id, title=TITLE, now=NOW)
            with pytest.raises((NotMember, MeetingUnknown)):
                await calendars.of_meeting(session, person, first, title=TITLE, now=NOW)
        with pytest.raises(NotValid):
            await calendars.of_groups(session, actor(LEO), title=TITLE, now=NOW)
        mine = await calendars.of_groups(session, facilitator(), group_id=group.group_id, title=TITLE, now=NOW)
    assert len(events(mine)) == 1


@pytest.mark.parametrize(
    "title", [HOSTILE, "\N{FAMILY}" * 80, "a\nEND:VEVENT\nb", 'x"y:z;', "\u202e\u05d8\u05b6\u05e7"]
)
def test_hostile_titles_come_out_as_they_went_in(title: str) -> None:
    one = Repeating(uuid5(OURS, "1"), 1, "Asia/Kathmandu", Rule("once"), datetime(2026, 5, 1, 9), 60)
    (event,) = events(calendars.write([one], title=title, now=NOW))
    assert str(event["summary"]) == title


ZONES = (
    "America/New_York", "Europe/Berlin", "Europe/Dublin", "Australia/Lord_Howe", "Africa/Cairo", "Africa/Casablanca",
    "America/Santiago", "Asia/Jerusalem", "Asia/Kathmandu", "Pacific/Chatham", "UTC",
)  # fmt: skip
RULES = (
    st.builds(lambda interval: Rule("daily", interval), st.integers(1, 5))
    | st.builds(
        lambda interval, days: Rule("weekly", interval, tuple(sorted(days))),
        st.integers(1, 4),
        st.sets(st.integers(0, 6), min_size=1, max_size=3),
    )
    | st.builds(
        lambda interval, nth, day: Rule("monthly", interval, nth=nth, weekday=day),
        st.integers(1, 3),
        st.sampled_from((1, 2, 3, 4, -1)),
        st.integers(0, 6),
    )
)


def test_clocks_change_at_the_wall_time_of_before() -> None:
    one = Repeating(uuid5(OURS, "1"), 1, "America/New_York", Rule("once"), datetime(2026, 5, 1, 9), 60)
    text = calendars.write([one], title=TITLE, now=NOW).decode()
    assert re.findall(r"DTSTART:(\w+)\r\nRRULE:(\S+)", text) == [
        ("20250309T020000", "FREQ=YEARLY;BYDAY=2SU;BYMONTH=3"),
        ("20251102T020000", "FREQ=YEARLY;BYDAY=1SU;BYMONTH=11"),
    ]


LISTED_UNTIL = datetime(2035, 9, 1, tzinfo=UTC)
"""A file lists changes of clocks that follow no plain rule for ten years; a quarterly series of 40 goes beyond."""


@settings(max_examples=60)
@example("America/Santiago", Rule("monthly", 3, nth=1, weekday=0), datetime(2026, 5, 5), None)
@example("Europe/Dublin", Rule("monthly", 1, nth=4, weekday=6), datetime(2026, 1, 5, 1), None)
@given(
    zone=st.sampled_from(ZONES),
    rule=RULES,
    start=st.integers(0, 400 * 24 * 4).map(lambda quarters: WALLS + timedelta(minutes=15 * quarters)),
    ends=st.none() | st.integers(0, 300),
)
def test_any_rule_in_any_zone_is_read_back_as_it_is(zone: str, rule: Rule, start: datetime, ends: int | None) -> None:
    until = start.date() + timedelta(days=ends) if ends is not None else None
    rule = Rule(rule.freq, rule.interval, rule.weekdays, rule.nth, rule.weekday, until)
    coming = occurrences(rule, start, zone, after=WALLS.replace(tzinfo=UTC) - timedelta(days=2), limit=40)
    # python-dateutil reads a time that clocks skip in its own way, not in that of RFC 5545, 3.3.5.
    coming = [each for each in coming if each.at < LISTED_UNTIL]
    all_of_them = len(coming)
    coming = [each for each in coming if kind_of(each.local, zone) == "plain"]
    if not coming:
        return
    one = Repeating(uuid5(OURS, "1"), 1, zone, rule, coming[0].local, 60)
    file = calendars.write([one], title=TITLE, now=NOW)
    read = set(instants(file, coming[-1].at + timedelta(seconds=1)))
    assert read >= {each.at for each in coming}
    assert len(read) <= all_of_them
