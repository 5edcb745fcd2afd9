"""Whether a facilitator is at a meeting, and what is done when nobody is."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from builders import FACILITATOR, GUILD, MAYA, OTHER_GUILD, ROOM, actor, facilitator, seat
from hosted import NOW, OTHER, START, THIRD, VOICE, done, meeting, planned, turn_at
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import (
    arrivals,
    hosting,
    meetings,
    news,
)
from peerbot import setup as settings_of
from peerbot.database import Database
from peerbot.errors import CalledOff, CoverTaken, MeetingUnknown, NotAllowed, NotValid, PeerbotError
from peerbot.models import Delivery, Group, Host, Meeting, Series

__all__ = ["meeting"]  # pytest finds fixtures by their names here


# whether somebody is there


async def test_saying_that_one_is_there_is_kept_without_a_name(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        with pytest.raises(NotValid):
            await arrivals.here(session, facilitator(), meeting.meeting_id, now=START - timedelta(hours=1))
        at = START - timedelta(minutes=3)
        seen = await arrivals.here(session, facilitator(), meeting.meeting_id, now=at)
        assert seen.here_at == at
        await arrivals.here(session, facilitator(OTHER), meeting.meeting_id, now=START)
        assert (await meetings.view(session, GUILD, meeting.meeting_id)).here_at == at
        assert (await session.scalars(select(Host))).all() == []


async def test_only_hosts_are_seen_in_the_voice_channel(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        assert await arrivals.in_channel(session, GUILD, VOICE, now=START) == [meeting.meeting_id]
        assert await arrivals.in_channel(session, GUILD, VOICE + 1, now=START) == []
        assert await arrivals.in_channel(session, OTHER_GUILD, VOICE, now=START) == []
        assert await arrivals.in_channel(session, GUILD, VOICE, now=START - timedelta(hours=1)) == []
        await seat(session, await session.get_one(Group, meeting.group_id), MAYA, now=NOW)
        assert not await arrivals.seen(session, GUILD, meeting.meeting_id, [MAYA, THIRD], now=START)
        assert not await arrivals.seen(session, OTHER_GUILD, meeting.meeting_id, [OTHER], now=START)
        assert (await meetings.view(session, GUILD, meeting.meeting_id)).here_at is None
        assert await arrivals.seen(session, GUILD, meeting.meeting_id, [MAYA, OTHER], now=START)
        assert await arrivals.in_channel(session, GUILD, VOICE, now=START) == []


async def late(session: AsyncSession, meeting: Meeting, *, at: datetime | None = None) -> Delivery:
    """Let five minutes pass with nobody there."""
    at = at or START + arrivals.LATE
    await turn_at(session, meeting, at)
    (look,) = await planned(session, "meetings.look_late")
    assert await arrivals.nobody_yet(session, look, now=at)
    await done(session, "meetings.call")
    await done(session, "meetings.late", message_id=9)
    return look


async def empty(session: AsyncSession, meeting: Meeting, *, by_voice: bool = True, **changes: datetime) -> bool:
    """Let a quarter of an hour pass with nobody there; return whether the meeting is off."""
    at = changes.get("at", START + arrivals.EMPTY)
    await turn_at(session, meeting, at)
    looks = await planned(session, "meetings.look_empty")
    since = changes.get("since", NOW)
    return bool(looks) and await arrivals.nobody_came(
        session, looks[-1], looking_since=since, by_voice=by_voice, now=at
    )


@pytest.mark.both_databases
async def test_nobody_there_calls_others_then_cancels_and_tells(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await late(session, meeting)
        assert [row.channel_id for row in await planned(session, "meetings.late")] == [ROOM]
        assert await empty(session, meeting)
        seen = await meetings.view(session, GUILD, meeting.meeting_id)
        assert (seen.state, seen.why) == ("cancelled", "nobody")
        assert len(await planned(session, "meetings.tell")) == 1
        assert len(await planned(session, "meetings.nobody")) == 1


@pytest.mark.both_databases
async def test_somebody_who_comes_ends_the_wait_and_members_are_told(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await late(session, meeting)
        await arrivals.here(session, facilitator(), meeting.meeting_id, now=START + timedelta(minutes=9))
        (told,) = await planned(session, "meetings.arrived")
        assert await arrivals.was_told(session, told)
        assert not await empty(session, meeting)
        assert (await meetings.view(session, GUILD, meeting.meeting_id)).state == "planned"


async def test_somebody_who_comes_at_the_last_moment_keeps_the_meeting(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await late(session, meeting)
        at = START + arrivals.EMPTY
        await turn_at(session, meeting, at)
        (look,) = await planned(session, "meetings.look_empty")
        await arrivals.here(session, facilitator(), meeting.meeting_id, now=at)
        assert not await arrivals.nobody_came(session, look, looking_since=NOW, by_voice=True, now=at)
        assert (await meetings.view(session, GUILD, meeting.meeting_id)).state == "planned"


async def test_somebody_on_time_is_told_to_nobody(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await arrivals.here(session, facilitator(), meeting.meeting_id, now=START)
        await turn_at(session, meeting, START + arrivals.LATE)
        for kind in ("meetings.arrived", "meetings.look_late", "meetings.late", "meetings.call"):
            assert await planned(session, kind) == []


async def on_the_way(session: AsyncSession, meeting: Meeting, minutes: int) -> datetime | None:
    """Have somebody say, so many minutes after the start, that they come; return until when they are waited for."""
    at = START + timedelta(minutes=minutes)
    await hosting.accept(session, facilitator(THIRD), meeting.meeting_id, hosting.LATE, now=at)
    return await arrivals.on_the_way(session, GUILD, meeting.meeting_id, now=at)


@pytest.mark.both_databases
@pytest.mark.parametrize(("pressed", "until"), [(5, 20), (7, 20), (14, 24), (15, 25)])
async def test_who_says_that_they_come_gives_the_meeting_ten_minutes(
    db: Database, meeting: Meeting, pressed: int, until: int
) -> None:
    async with db.begin() as session:
        await late(session, meeting)
        again = START + timedelta(minutes=until)
        assert await on_the_way(session, meeting, pressed) == again
        (told,) = await planned(session, "meetings.on_way")
        assert await arrivals.is_on_the_way(session, told, now=again - timedelta(seconds=1))
        assert not await arrivals.is_on_the_way(session, told, now=again)
        with pytest.raises(CoverTaken):
            await hosting.accept(session, facilitator(), meeting.meeting_id, hosting.LATE, now=again)
        assert not await empty(session, meeting)
        _first, second = await planned(session, "meetings.look_empty")
        assert (second.due_at, second.not_after) == (again, again + arrivals.ON_TIME)
        assert await arrivals.nobody_came(session, second, looking_since=NOW, by_voice=True, now=again)
        seen = await meetings.view(session, GUILD, meeting.meeting_id)
        assert (seen.state, seen.why) == ("cancelled", "nobody")


async def test_who_comes_while_they_are_waited_for_keeps_the_meeting(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await late(session, meeting)
        until = await on_the_way(session, meeting, 7)
        assert until is not None
        assert not await empty(session, meeting)
        _first, second = await planned(session, "meetings.look_empty")
        assert await arrivals.seen(session, GUILD, meeting.meeting_id, [THIRD], now=until)
        assert await arrivals.waited_for(session, second) is None
        assert not await arrivals.nobody_came(session, second, looking_since=NOW, by_voice=True, now=until)


async def test_nobody_is_waited_for_longer_than_twenty_five_minutes(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await late(session, meeting)
        for pressed, until in ((9, 20), (14, 24), (20, 25), (24, 25)):  # again and again
            assert await on_the_way(session, meeting, pressed) == START + timedelta(minutes=until)
            assert not await empty(session, meeting, at=START + max(timedelta(minutes=pressed), arrivals.EMPTY))
        last = (await planned(session, "meetings.look_empty"))[-1]
        assert last.due_at == START + arrivals.LONGEST_WAIT
        assert await arrivals.nobody_came(session, last, looking_since=NOW, by_voice=True, now=last.due_at)


async def test_who_takes_their_word_back_is_waited_for_no_longer(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await late(session, meeting)
        await on_the_way(session, meeting, 7)
        at = START + timedelta(minutes=9)
        await hosting.need_cover(session, facilitator(THIRD), meeting.meeting_id, now=at)
        (told,) = await planned(session, "meetings.on_way")
        assert not await arrivals.is_on_the_way(session, told, now=at)
        assert await empty(session, meeting)


async def test_who_looks_after_the_group_gives_it_time_by_any_door(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await late(session, meeting)
        at = START + timedelta(minutes=7)
        await hosting.accept(session, facilitator(OTHER), meeting.meeting_id, hosting.SECOND, now=at)
        assert await arrivals.on_the_way(session, GUILD, meeting.meeting_id, now=at) == START + arrivals.SHORTEST_WAIT
        assert not await empty(session, meeting)


async def test_where_nobody_can_be_seen_whoever_is_on_the_way_keeps_the_meeting(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await late(session, meeting)
        await on_the_way(session, meeting, 7)
        assert not await empty(session, meeting, by_voice=False)
        assert len(await planned(session, "meetings.look_empty")) == 1


@pytest.mark.parametrize(
    ("person", "press"),
    [(FACILITATOR, "after all"), (FACILITATOR, "ask"), (OTHER, "ask"), (OTHER, "second"), (THIRD, "second")],
)
async def test_who_hosts_and_says_after_the_start_that_they_come_is_waited_for(
    db: Database, meeting: Meeting, person: int, press: str
) -> None:
    """One had asked for cover, one looks after the group too, the third covers; each presses what is there to press."""
    before = START - timedelta(minutes=2)
    async with db.begin() as session:
        await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=before)
        await hosting.accept(session, facilitator(THIRD), meeting.meeting_id, hosting.ASK, now=before)
        await late(session, meeting)
        at = START + timedelta(minutes=6)
        if press == "after all":
            hosts = await hosting.come_after_all(session, facilitator(person), meeting.meeting_id, now=at)
        else:
            hosts, _access = await hosting.accept(session, facilitator(person), meeting.meeting_id, press, now=at)
        assert hosts.on_the_way == person
        assert person in hosts.user_ids
        until = START + arrivals.SHORTEST_WAIT
        assert await arrivals.on_the_way(session, GUILD, meeting.meeting_id, now=at) == until
        assert not await empty(session, meeting)


@pytest.mark.both_databases
async def test_a_host_who_answers_that_they_cannot_come_asks_for_cover(db: Database, meeting: Meeting) -> None:
    async def answers(person: int, word: str | None) -> hosting.Asking | None:
        who = actor(person)  # in a direct message nobody has a role
        async with db.begin() as session:
            await meetings.respond(session, who, meeting.meeting_id, word, now=NOW)
            return await arrivals.answered(session, who, meeting.meeting_id, word, now=NOW)

    async with db.begin() as session:
        await seat(session, await session.get_one(Group, meeting.group_id), MAYA, now=NOW)
    assert await answers(MAYA, meetings.CANT) is None
    assert await answers(FACILITATOR, meetings.CANT) == hosting.Asking(0, at_once=False)
    assert await answers(FACILITATOR, meetings.CANT) == hosting.Asking(0, at_once=False)
    async with db.begin() as session:
        hosts = await hosting.hosts_of(session, GUILD, meeting.meeting_id)
        assert (hosts.user_ids, hosts.wanted, hosts.meeting.cant) == ((OTHER,), True, 2)
        assert len(await planned(session, "meetings.cover")) == 1
        hosts = await hosting.come_after_all(session, facilitator(), meeting.meeting_id, now=NOW)
        assert (hosts.user_ids, hosts.meeting.cant) == ((FACILITATOR, OTHER), 1), "one who hosts is not who can't come"
    for word in (meetings.GOING, None):
        await answers(FACILITATOR, meetings.CANT)
        assert await answers(FACILITATOR, word) is None
        async with db.read() as session:
            assert (await hosting.hosts_of(session, GUILD, meeting.meeting_id)).user_ids == (FACILITATOR, OTHER)


async def test_when_the_last_host_goes_nobody_is_there_and_members_are_told(db: Database, meeting: Meeting) -> None:
    at = START + timedelta(minutes=1)
    async with db.begin() as session:
        await arrivals.here(session, facilitator(), meeting.meeting_id, now=START)
        for person in (FACILITATOR, OTHER):
            await hosting.need_cover(session, facilitator(person), meeting.meeting_id, now=at)
            await arrivals.left(session, GUILD, meeting.meeting_id, now=at)
            is_left = person == FACILITATOR  # one of two
            assert ((await meetings.view(session, GUILD, meeting.meeting_id)).here_at is not None) == is_left
        (told,) = await planned(session, "meetings.left")
        assert told.channel_id == ROOM
        assert not await arrivals.seen(session, GUILD, meeting.meeting_id, [FACILITATOR, OTHER], now=at), "they go"
        await done(session, "meetings.left", message_id=8)
        await late(session, meeting)
        await arrivals.here(session, facilitator(), meeting.meeting_id, now=START + timedelta(minutes=9))
        (back,) = await planned(session, "meetings.arrived")
        assert await arrivals.was_told(session, back)


async def test_where_nobody_can_be_seen_others_are_asked_to_look_in_and_nothing_is_cancelled(
    db: Database, meeting: Meeting
) -> None:
    async with db.begin() as session:
        await late(session, meeting)
        assert not await empty(session, meeting, by_voice=False)
        _hosts, others = await planned(session, "meetings.call")
        assert others.dedupe_key.endswith(arrivals.OTHERS)
        assert await hosting.still(session, others) is not None
        assert (await meetings.view(session, GUILD, meeting.meeting_id)).state == "planned"


async def test_a_switch_of_the_owner_keeps_empty_meetings(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        with pytest.raises(PeerbotError):
            await settings_of.cancel_empty(session, facilitator(), wanted=False)
        await settings_of.cancel_empty(session, actor(1, manages=True), wanted=False)
        await late(session, meeting)
        assert not await empty(session, meeting)


async def test_a_meeting_elsewhere_goes_on_because_nobody_here_sees_who_is_there(
    db: Database, meeting: Meeting
) -> None:
    async with db.begin() as session:
        (await session.get_one(Series, meeting.series_id)).link = "https://a.org/room"
        await session.flush()
        await late(session, meeting)
        assert not await empty(session, meeting)


@pytest.mark.parametrize(
    ("called", "at", "since"),
    [
        (False, START + arrivals.EMPTY, NOW),
        (True, START + arrivals.EMPTY + timedelta(minutes=3), NOW),
        (True, START + arrivals.EMPTY, START + timedelta(minutes=8)),
    ],
    ids=["nobody was called", "it is found empty too late", "the bot came back after the call"],
)
async def test_an_outage_never_cancels_a_meeting(
    db: Database, meeting: Meeting, *, called: bool, at: datetime, since: datetime
) -> None:
    async with db.begin() as session:
        if called:
            await late(session, meeting)
        assert not await empty(session, meeting, at=at, since=since)
        assert (await meetings.view(session, GUILD, meeting.meeting_id)).state == "planned"


async def test_after_a_long_outage_nobody_is_called_any_more(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await turn_at(session, meeting, START + timedelta(minutes=12))
        assert await planned(session, "meetings.look_late") == []


async def test_a_meeting_that_was_moved_meanwhile_is_waited_for_at_no_one(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await turn_at(session, meeting, START + arrivals.LATE)
        (look,) = await planned(session, "meetings.look_late")
        moved = datetime(2026, 3, 4, 18, 30)
        await meetings.move(session, facilitator(), meeting.meeting_id, moved, now=START + arrivals.LATE)
        assert await arrivals.waited_for(session, look) is None
        assert not await arrivals.nobody_yet(session, look, now=START + arrivals.LATE)


# late, and there after all


async def called_off(session: AsyncSession, meeting: Meeting) -> datetime:
    """Let a meeting be called off because nobody came, and its members be told; return a moment after that."""
    await late(session, meeting)
    assert await empty(session, meeting)
    (tell,) = await planned(session, "meetings.tell")
    await news.tell(session, tell, START + arrivals.EMPTY)
    return START + arrivals.EMPTY + timedelta(minutes=2)


@pytest.mark.both_databases
async def test_a_host_who_is_there_after_all_puts_the_meeting_on_again_and_members_are_told_once(
    db: Database, meeting: Meeting
) -> None:
    async with db.begin() as session:
        await seat(session, await session.get_one(Group, meeting.group_id), MAYA, now=NOW)
        at = await called_off(session, meeting)
        await done(session, "meetings.news", message_id=7)
        off = len(await planned(session, "meetings.news"))
        for _press in range(2):
            seen = await arrivals.here_after_all(session, facilitator(OTHER), meeting.meeting_id, now=at)
            assert (seen.state, seen.why, seen.here_at) == ("planned", None, at)
        (back,) = await planned(session, "meetings.on_again")
        assert (back.channel_id, back.not_after) == (ROOM, meeting.ends_at)
        assert await hosting.still(session, back) is not None
        (tell,) = await planned(session, "meetings.tell")
        assert tell.due_at == at
        await news.tell(session, tell, at)
        await news.tell(session, tell, at)
        assert len(await planned(session, "meetings.news")) == 2 * off
        await turn_at(session, meeting, meeting.ends_at)
        assert (await session.get_one(Meeting, meeting.meeting_id)).state == "over"
        assert len(await planned(session, "meetings.debrief")) == 2
        assert len(await planned(session, "meetings.look_empty")) == 1


async def test_only_a_host_of_the_meeting_puts_it_on_again_and_only_until_its_end(
    db: Database, meeting: Meeting
) -> None:
    async with db.begin() as session:
        at = await called_off(session, meeting)
        for who in (facilitator(THIRD), actor(MAYA), facilitator(OTHER, role_ids=frozenset())):
            with pytest.raises(NotAllowed):
                await arrivals.here_after_all(session, who, meeting.meeting_id, now=at)
        for when in (meeting.ends_at, meeting.ends_at + timedelta(hours=1)):
            with pytest.raises(MeetingUnknown):
                await arrivals.here_after_all(session, facilitator(), meeting.meeting_id, now=when)
        assert (await meetings.view(session, GUILD, meeting.meeting_id)).state == "cancelled"


async def test_what_a_facilitator_has_cancelled_is_not_put_on_by_who_is_there(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await meetings.cancel(session, facilitator(), meeting.meeting_id, now=START + timedelta(minutes=1))
        with pytest.raises(MeetingUnknown):
            await arrivals.here_after_all(session, facilitator(), meeting.meeting_id, now=START + arrivals.LATE)


async def test_what_is_pressed_after_it_was_called_off_says_what_is_so(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        at = await called_off(session, meeting)
        with pytest.raises(CalledOff):
            await meetings.undo(session, facilitator(), meeting.meeting_id, now=at)
        with pytest.raises(CalledOff):
            await arrivals.here(session, facilitator(), meeting.meeting_id, now=at)
        with pytest.raises(CalledOff):
            await hosting.accept(session, facilitator(THIRD), meeting.meeting_id, hosting.LATE, now=at)
        with pytest.raises(NotValid):
            await meetings.undo(session, facilitator(), meeting.meeting_id, now=meeting.ends_at)
