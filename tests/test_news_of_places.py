"""News of places: who is told that meetings take place elsewhere, once, and nobody of what was taken back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from builders import FACILITATOR, GUILD, LEO, MAYA, ROOM, actor
from sqlalchemy import select
from test_news import HOUR, THURSDAY, Tuesdays, meet, plan, said, who

from peerbot import echoes, meetings, news, series, timetables
from peerbot.database import Database
from peerbot.errors import NotAllowed
from peerbot.models import Guild, Meeting, Response, Series
from peerbot.recurrence import Rule

CHANNEL, LINK = 77, "https://meet.example/x"
EVERYONE = [FACILITATOR, MAYA, LEO]


@pytest.fixture
async def tuesdays(db: Database, guild: Guild) -> Tuesdays:
    return await meet(db)


async def put(tuesdays: Tuesdays, **changes: Any) -> None:
    """Have a facilitator change the series."""
    new = plan(tuesdays.group.group_id, **changes)
    await tuesdays.do(timetables.change, tuesdays.series.series_id, new)


def places(told: list[Any]) -> list[tuple[int | None, bool] | None]:
    """Return the new place of each letter: its channel, and whether there is a link."""
    wheres = [each.what.where for each in told]
    return [(where.channel_id, where.has_link) if where is not None else None for where in wheres]


@pytest.mark.both_databases
async def test_another_place_is_told_once_to_whoever_is_told_of_a_move_and_answers_stay(
    tuesdays: Tuesdays,
    db: Database,
) -> None:
    cant, half = LEO, MAYA
    for meeting_id in tuesdays.ids:
        await tuesdays.do(meetings.respond, meeting_id, "cant", by=actor(cant))
    await tuesdays.do(meetings.respond, tuesdays.ids[0], "cant", by=actor(half))
    await put(tuesdays, channel_id=CHANNEL)
    assert await tuesdays.told(timedelta(seconds=59)) == []
    told = await tuesdays.told()
    assert who(told) == [FACILITATOR, half]
    assert places(told) == [(CHANNEL, False)] * 2
    letter = told[0].what
    assert (letter.changes, letter.is_one, letter.where.meeting.channel_id) == ((), True, CHANNEL)
    assert await tuesdays.told(3 * HOUR) == []
    async with db.read() as session:
        assert len((await session.scalars(select(Response))).all()) == 3
        assert {(each.rev, each.told) for each in await session.scalars(select(Meeting))} == {(2, "")}
    await put(tuesdays, link=LINK)
    assert places(await tuesdays.told()) == [(None, True)] * 2
    await put(tuesdays)
    assert places(await tuesdays.told()) == [(None, False)] * 2


async def test_another_place_that_is_taken_back_within_a_minute_is_told_to_nobody(
    tuesdays: Tuesdays,
    db: Database,
) -> None:
    await put(tuesdays, channel_id=CHANNEL)
    await put(tuesdays, link=LINK)
    await tuesdays.told(timedelta(seconds=30))
    await put(tuesdays)
    assert await tuesdays.told(12 * HOUR) == []
    async with db.read() as session:
        assert {each.told for each in await session.scalars(select(Meeting))} == {""}


async def test_another_length_or_topic_is_told_to_nobody_nor_the_groups_room_by_its_name(
    tuesdays: Tuesdays,
) -> None:
    await put(tuesdays, minutes="90", topic="Sleep", channel_id=ROOM)
    assert await tuesdays.told(12 * HOUR) == []


@pytest.mark.both_databases
async def test_several_changes_at_once_are_one_letter(tuesdays: Tuesdays, db: Database) -> None:
    await tuesdays.do(meetings.move, tuesdays.ids[0], THURSDAY)
    await put(tuesdays, channel_id=CHANNEL)
    await tuesdays.do(meetings.cancel, tuesdays.ids[1])
    async with db.begin() as session:
        (await session.get_one(Guild, GUILD)).time_zone = "Europe/London"
        await series.look_again(session, GUILD, now=tuesdays.passing.now)
    told = await tuesdays.told()
    assert who(told) == EVERYONE
    assert places(told) == [(CHANNEL, False)] * 3
    assert said(told)[:2] == [("03-03", "moved", news.AS_USUAL), ("03-10", "cancelled", news.AS_USUAL)]
    assert await tuesdays.told(12 * HOUR) == []


@pytest.mark.both_databases
async def test_a_zone_and_a_place_that_change_together_are_both_told(
    tuesdays: Tuesdays,
    db: Database,
) -> None:
    await put(tuesdays, channel_id=CHANNEL)
    async with db.begin() as session:
        (await session.get_one(Guild, GUILD)).time_zone = "Europe/London"
        await series.look_again(session, GUILD, now=tuesdays.passing.now)
    told = await tuesdays.told()
    assert said(told)[0] == ("03-03", "planned", news.OTHER_ZONE)
    assert places(told) == [(CHANNEL, False)] * 3


async def test_at_night_a_new_place_waits_and_nothing_is_left_of_it_if_it_was_taken_back(
    tuesdays: Tuesdays,
) -> None:
    await tuesdays.passing.until(datetime(2026, 3, 3, 21, 30, tzinfo=UTC))
    await put(tuesdays, channel_id=CHANNEL)
    assert await tuesdays.told() == []
    await put(tuesdays)
    assert await tuesdays.told(12 * HOUR) == []
    await tuesdays.passing.until(datetime(2026, 3, 4, 21, 30, tzinfo=UTC))
    await put(tuesdays, channel_id=CHANNEL)
    assert await tuesdays.told() == []
    await put(tuesdays, link=LINK)
    assert await tuesdays.told() == []
    await tuesdays.do(meetings.cancel, tuesdays.ids[1])
    told = await tuesdays.told(12 * HOUR)
    assert {each.at for each in told} == {datetime(2026, 3, 5, 7, tzinfo=UTC)}
    assert (who(told), places(told)) == (EVERYONE, [(None, True)] * 3)
    assert said(told) == [("03-10", "cancelled", news.AS_USUAL)]


async def test_of_another_place_nobody_is_told_who_comes_to_nothing_that_is_on(tuesdays: Tuesdays) -> None:
    await tuesdays.do(meetings.cancel, tuesdays.ids[0])
    assert who(await tuesdays.told()) == EVERYONE
    for view in await tuesdays.do(meetings.choices):
        if view.state == "planned":
            await tuesdays.do(meetings.respond, view.meeting_id, "cant", by=actor(LEO))
    await put(tuesdays, channel_id=CHANNEL)
    assert who(await tuesdays.told()) == [FACILITATOR, MAYA]


async def test_of_another_place_of_what_has_begun_people_are_told_at_once(tuesdays: Tuesdays) -> None:
    await tuesdays.passing.until(datetime(2026, 3, 3, 17, 40, tzinfo=UTC))
    await put(tuesdays, first=datetime(2026, 3, 10, 18, 30), channel_id=CHANNEL)
    told = await tuesdays.told(timedelta(seconds=1))
    assert places(told) == [(CHANNEL, False)] * 3
    assert told[0].what.where.meeting.meeting_id == tuesdays.ids[0]
    assert told[0].what.next_at == datetime(2026, 3, 10, 17, 30, tzinfo=UTC)


@pytest.mark.parametrize("changes", [{}, {"channel_id": CHANNEL}])
async def test_a_new_time_for_good_says_the_place_where_that_is_new_too(
    tuesdays: Tuesdays,
    changes: dict[str, Any],
) -> None:
    await put(tuesdays, first=THURSDAY, rule=Rule("weekly", weekdays=(3,)), **changes)
    told = await tuesdays.told()
    assert (who(told), told[0].what.has_ended) == (EVERYONE, True)
    assert places(told) == [(CHANNEL, False) if changes else None] * 3


@pytest.mark.both_databases
async def test_when_a_channel_is_deleted_people_are_told_that_they_meet_in_their_room(
    tuesdays: Tuesdays,
    db: Database,
) -> None:
    await put(tuesdays, channel_id=CHANNEL)
    assert places(await tuesdays.told()) == [(CHANNEL, False)] * 3
    await tuesdays.do(meetings.cancel, tuesdays.ids[0])
    await tuesdays.do(meetings.cancel, tuesdays.ids[1])
    assert who(await tuesdays.told()) == EVERYONE
    async with db.begin() as session:
        await series.place_gone(session, GUILD, CHANNEL, now=tuesdays.passing.now)
    told = await tuesdays.told()
    assert (who(told), places(told)) == (EVERYONE, [(None, False)] * 3), "although all that are made are off"


@pytest.mark.parametrize(
    ("changes", "people", "at_once"),
    [
        ({"channel_id": CHANNEL}, 2, False),
        ({"minutes": "90", "topic": "Sleep"}, 0, False),
        ({"first": THURSDAY, "rule": Rule("weekly", weekdays=(3,))}, 3, False),
        ({"rule": Rule("weekly", weekdays=(1,), until=date(2026, 3, 9))}, 2, False),
        ({"rule": Rule("weekly", weekdays=(1,), until=date(2026, 12, 9))}, 0, False),
        ({"first": datetime(2026, 3, 10, 18, 30), "channel_id": CHANNEL}, 2, True),
    ],
)
async def test_as_many_are_told_as_was_said_before(
    tuesdays: Tuesdays,
    changes: dict[str, Any],
    people: int,
    at_once: bool,  # noqa: FBT001 - a case
) -> None:
    for meeting_id in tuesdays.ids:
        await tuesdays.do(meetings.respond, meeting_id, "cant", by=actor(LEO))
    if at_once:
        await tuesdays.passing.until(datetime(2026, 3, 3, 17, 40, tzinfo=UTC))
    new = plan(tuesdays.group.group_id, **changes)
    heard = await tuesdays.do(echoes.hearing, tuesdays.series.series_id, new)
    assert (heard.people, heard.at_once) == (people, at_once)
    with pytest.raises(NotAllowed):
        await tuesdays.do(echoes.hearing, tuesdays.series.series_id, new, by=actor(MAYA))
    await put(tuesdays, **changes)
    assert len(await tuesdays.told(timedelta(seconds=1) if at_once else timedelta(minutes=2))) == people


def test_a_place_is_known_by_three_letters_that_tell_nothing_of_it() -> None:
    several = [Series(channel_id=None, link=""), Series(channel_id=CHANNEL, link=""), Series(link=LINK)]
    known = {series.place_of(each) for each in several}
    assert len(known) == 3
    assert all(len(each) == 3 and series.PLACE not in each and "." not in each for each in known)
