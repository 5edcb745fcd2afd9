"""News: who is told of which change, once, and nobody of what was taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from builders import FACILITATOR, GUILD, LEO, MAYA, actor, facilitator, make_group, seat
from passing import Came, Passing
from sqlalchemy import select

from peerbot import breaks, closings, deliveries, groups, meetings, news, notices, pauses, reach, series, timetables
from peerbot.database import Database
from peerbot.models import Delivery, Group, Guild, Meeting, Series
from peerbot.recurrence import Rule

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""A Monday, one in the afternoon in Berlin."""
TUESDAYS = Rule("weekly", weekdays=(1,))
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
THURSDAY = datetime(2026, 3, 5, 19)


class Tuesdays:
    """A group that meets on Tuesdays, and its time."""

    def __init__(self, db: Database, group: Group, series: Series, ids: Sequence[int]) -> None:
        self.db, self.group, self.series, self.ids = db, group, series, ids
        self.passing = Passing(db, NOW)

    async def do(self, rule: Any, *what: Any, by: Any = None, **how: Any) -> Any:
        async with self.db.begin() as session:
            return await rule(session, by or facilitator(), *what, now=self.passing.now, **how)

    async def told(self, after: timedelta = 2 * MINUTE) -> list[Came]:
        """Return the news that came within some time."""
        came = await self.passing.until(self.passing.now + after)
        return [each for each in came if each.kind in {news.NEWS, news.NEWS_NOW}]


def plan(group_id: int, **changes: Any) -> timetables.Plan:
    usual: dict[str, Any] = {"group_id": group_id, "first": datetime(2026, 3, 3, 18, 30), "rule": TUESDAYS}
    return timetables.Plan.checked(**usual | changes)


@pytest.fixture
async def tuesdays(db: Database, guild: Guild) -> Tuesdays:
    return await meet(db)


async def meet(db: Database) -> Tuesdays:
    """Create a group with Maya and Leo that meets on Tuesdays."""
    async with db.begin() as session:
        group = await make_group(session, now=NOW)
        await seat(session, group, MAYA, LEO, now=NOW)
        made = await timetables.create(session, facilitator(), plan(group.group_id), now=NOW)
        ids = (await session.scalars(select(Meeting.meeting_id).order_by(Meeting.starts_at))).all()
    return Tuesdays(db, group, made, ids)


def who(told: list[Came]) -> list[int]:
    return sorted(each.user_id for each in told)


def said(told: list[Came], user_id: int = MAYA) -> list[tuple[str, str, str]]:
    """Return what one person reads of each meeting: the day that its series puts it, how it is, what they knew."""
    (one,) = (each.what for each in told if each.user_id == user_id)
    return [
        (f"{change.meeting.original:%m-%d}", "moved" if change.meeting.was_moved else change.meeting.state, change.knew)
        for change in one.changes
    ]


@pytest.mark.both_databases
async def test_everyone_in_the_group_and_who_looks_after_it_is_told_once_that_a_meeting_is_off(
    tuesdays: Tuesdays,
) -> None:
    await tuesdays.do(meetings.cancel, tuesdays.ids[0])
    assert await tuesdays.told(timedelta(seconds=59)) == []
    told = await tuesdays.told()
    assert who(told) == [FACILITATOR, MAYA, LEO]
    assert said(told) == [("03-03", "cancelled", news.AS_USUAL)]
    assert told[0].what.next_at == datetime(2026, 3, 10, 17, 30, tzinfo=UTC)
    assert await tuesdays.told(DAY) == []


async def test_what_is_taken_back_within_a_minute_is_told_to_nobody(tuesdays: Tuesdays) -> None:
    await tuesdays.do(meetings.cancel, tuesdays.ids[0])
    await tuesdays.told(timedelta(seconds=30))
    await tuesdays.do(meetings.undo, tuesdays.ids[0])
    await tuesdays.do(meetings.move, tuesdays.ids[1], THURSDAY)
    await tuesdays.do(meetings.undo, tuesdays.ids[1])
    assert await tuesdays.told(DAY) == []


@pytest.mark.both_databases
async def test_what_is_taken_back_later_is_told_to_who_knows_of_it(tuesdays: Tuesdays) -> None:
    await tuesdays.do(meetings.move, tuesdays.ids[0], THURSDAY)
    assert said(await tuesdays.told()) == [("03-03", "moved", news.AS_USUAL)]
    await tuesdays.do(meetings.cancel, tuesdays.ids[0])
    assert said(await tuesdays.told()) == [("03-03", "moved", news.MOVED)]
    await tuesdays.do(meetings.undo, tuesdays.ids[0])
    await tuesdays.do(meetings.undo, tuesdays.ids[0])
    assert said(await tuesdays.told()) == [("03-03", "planned", news.OFF)]


async def test_nothing_comes_to_whoever_cannot_come_anyway_rests_is_away_or_wants_no_messages(
    tuesdays: Tuesdays, db: Database
) -> None:
    cant, paused, silent, half = range(LEO + 10, LEO + 14)
    async with db.begin() as session:
        await seat(session, tuesdays.group, cant, paused, silent, half, now=NOW)
        for meeting_id in tuesdays.ids:
            await meetings.respond(session, actor(cant), meeting_id, "cant", now=NOW)
        await meetings.respond(session, actor(half), tuesdays.ids[0], "cant", now=NOW)
        await pauses.pause(session, actor(paused), tuesdays.group.group_id, now=NOW)
        await reach.choose(session, actor(silent), "none", is_here=True, now=NOW)
    for meeting_id in tuesdays.ids:
        await tuesdays.do(meetings.cancel, meeting_id)
    told = await tuesdays.told()
    assert who(told) == [FACILITATOR, MAYA, LEO, half]
    assert len(said(told)) == 2


async def test_skipped_weeks_are_one_letter_that_lists_five(tuesdays: Tuesdays) -> None:
    await tuesdays.do(breaks.skip, tuesdays.series.series_id, date(2026, 3, 3), date(2026, 4, 20))
    told = await tuesdays.told()
    assert who(told) == [FACILITATOR, MAYA, LEO]
    assert [day for day, _state, _knew in said(told)] == ["03-03", "03-10", "03-17", "03-24", "03-31"]
    assert told[0].what.more == 2
    assert told[0].what.next_at == datetime(2026, 4, 21, 16, 30, tzinfo=UTC)


async def test_a_new_time_for_good_is_told_as_that(tuesdays: Tuesdays) -> None:
    new = plan(tuesdays.group.group_id, first=THURSDAY, rule=Rule("weekly", weekdays=(3,)))
    await tuesdays.do(timetables.change, tuesdays.series.series_id, new)
    told = await tuesdays.told()
    assert who(told) == [FACILITATOR, MAYA, LEO]
    letter = told[0].what
    assert (letter.has_ended, letter.rule, letter.goes_on.original) == (True, new.rule, THURSDAY)
    assert (letter.keeps_time, letter.off_at) == (False, datetime(2026, 3, 3, 17, 30, tzinfo=UTC))
    assert await tuesdays.told(DAY) == []


@pytest.mark.parametrize(
    ("rule", "off_at"),
    [
        (Rule("weekly", 2, (1,)), datetime(2026, 3, 10, 17, 30, tzinfo=UTC)),
        (Rule("weekly", weekdays=(1, 3)), None),
    ],
)
async def test_another_rhythm_is_told_with_its_rule_and_what_is_off(
    tuesdays: Tuesdays, rule: Rule, off_at: datetime | None
) -> None:
    await tuesdays.do(timetables.change, tuesdays.series.series_id, plan(tuesdays.group.group_id, rule=rule))
    letter = (await tuesdays.told())[0].what
    assert (letter.has_ended, letter.rule, letter.keeps_time, letter.off_at) == (True, rule, True, off_at)
    assert letter.goes_on.original == datetime(2026, 3, 3, 18, 30)


@pytest.mark.both_databases
async def test_the_end_of_one_series_is_told_as_that_and_stays_in_the_list_though_the_group_has_a_newer_one(
    tuesdays: Tuesdays, db: Database
) -> None:
    saturday = plan(tuesdays.group.group_id, first=datetime(2026, 3, 7, 18, 30), rule=Rule("once"))
    await tuesdays.do(timetables.create, saturday)
    await tuesdays.passing.until(NOW + MINUTE)
    ended = tuesdays.series.series_id
    await tuesdays.do(timetables.end, ended)
    letter = (await tuesdays.told())[0].what
    assert (letter.has_ended, letter.goes_on, letter.off_at) == (True, None, None)
    assert letter.next_at == datetime(2026, 3, 7, 17, 30, tzinfo=UTC)
    listed = await tuesdays.do(meetings.choices, ended_too=True)
    assert [view.meeting_id for view in listed if view.series_id == ended] == list(tuesdays.ids)
    await tuesdays.do(timetables.go_on, ended)
    await tuesdays.told()
    instead = plan(tuesdays.group.group_id, first=THURSDAY, rule=Rule("weekly", weekdays=(3,)))
    made = await tuesdays.do(timetables.change, ended, instead)
    listed = await tuesdays.do(meetings.choices, ended_too=True)
    assert made.series_id in {view.series_id for view in listed}
    assert ended not in {view.series_id for view in listed}, "what came instead is shown"


async def test_the_end_of_a_series_is_told_and_a_closed_group_is_told_nothing_more(tuesdays: Tuesdays) -> None:
    await tuesdays.do(timetables.end, tuesdays.series.series_id)
    letter = (await tuesdays.told())[0].what
    assert (letter.has_ended, letter.goes_on, letter.next_at) == (True, None, None)
    await tuesdays.do(timetables.go_on, tuesdays.series.series_id)
    assert len(said(await tuesdays.told())) == 2
    await tuesdays.do(meetings.cancel, tuesdays.ids[0])
    await tuesdays.do(groups.close, tuesdays.group.group_id)
    assert await tuesdays.told() == []


@pytest.mark.both_databases
async def test_a_group_that_closes_with_meetings_ahead_tells_everyone_once_in_the_morning(
    tuesdays: Tuesdays, db: Database
) -> None:
    saturday = plan(tuesdays.group.group_id, first=datetime(2026, 3, 7, 18, 30), rule=Rule("once"))
    await tuesdays.do(timetables.create, saturday)
    silent, paused = LEO + 10, LEO + 11
    async with db.begin() as session:
        await seat(session, tuesdays.group, silent, paused, now=NOW)
        await reach.choose(session, actor(silent), "none", is_here=True, now=NOW)
        await pauses.pause(session, actor(paused), tuesdays.group.group_id, now=NOW)
    await tuesdays.passing.until(datetime(2026, 3, 2, 21, 30, tzinfo=UTC))  # half past ten in the evening
    await tuesdays.do(groups.close, tuesdays.group.group_id)
    came = await tuesdays.passing.until(datetime(2026, 3, 4, 12, tzinfo=UTC))
    told = [each for each in came if each.user_id]
    assert who(told) == [FACILITATOR, MAYA, LEO], "one letter to each"
    assert {each.kind for each in told} == {closings.CLOSED}
    assert {each.at for each in told} == {datetime(2026, 3, 3, 7, tzinfo=UTC)}
    async with db.begin() as session:
        shown = await notices.notice(session, GUILD, tuesdays.ids[0], now=tuesdays.passing.now)
        assert shown.is_last


async def test_a_group_that_closes_without_meetings_ahead_tells_nobody_of_any(tuesdays: Tuesdays) -> None:
    await tuesdays.do(timetables.end, tuesdays.series.series_id)
    await tuesdays.told(HOUR)
    await tuesdays.do(groups.close, tuesdays.group.group_id)
    assert [each for each in await tuesdays.passing.until(NOW + DAY) if each.user_id] == []


@pytest.mark.both_databases
async def test_at_night_news_waits_and_nothing_is_left_of_it_if_all_is_as_it_was(tuesdays: Tuesdays) -> None:
    await tuesdays.passing.until(datetime(2026, 3, 3, 21, 30, tzinfo=UTC))  # half past ten in the evening
    await tuesdays.do(meetings.cancel, tuesdays.ids[1])
    assert await tuesdays.told() == []
    await tuesdays.do(meetings.move, tuesdays.ids[1], datetime(2026, 3, 12, 19))
    assert await tuesdays.told() == []
    for _change in range(2):  # it is off again, and then on
        await tuesdays.do(meetings.undo, tuesdays.ids[1])
    assert await tuesdays.told() == []
    assert await tuesdays.told(12 * HOUR) == []
    await tuesdays.passing.until(datetime(2026, 3, 4, 21, 30, tzinfo=UTC))
    await tuesdays.do(meetings.cancel, tuesdays.ids[1])
    await tuesdays.told()
    await tuesdays.do(meetings.move, tuesdays.ids[1], datetime(2026, 3, 12, 19))
    told = await tuesdays.told(12 * HOUR)
    assert {each.at for each in told} == {datetime(2026, 3, 5, 7, tzinfo=UTC)}
    assert said(told) == [("03-10", "moved", news.AS_USUAL)], "of what nobody read, nothing is said"


async def test_who_read_in_the_evening_that_a_meeting_was_moved_is_not_told_so_again_in_the_morning(
    tuesdays: Tuesdays,
) -> None:
    await tuesdays.passing.until(datetime(2026, 3, 2, 20, 55, tzinfo=UTC))
    await tuesdays.do(meetings.move, tuesdays.ids[1], datetime(2026, 3, 11, 19))
    assert who(await tuesdays.told()) == [FACILITATOR, MAYA, LEO]
    await tuesdays.passing.until(datetime(2026, 3, 2, 22, tzinfo=UTC))
    await tuesdays.do(meetings.cancel, tuesdays.ids[1])
    assert await tuesdays.told(timedelta(hours=1)) == []
    await tuesdays.do(meetings.undo, tuesdays.ids[1])
    assert await tuesdays.told(timedelta(hours=8)) == [], "it is where they know it to be"
    await tuesdays.do(meetings.cancel, tuesdays.ids[1])
    await tuesdays.do(meetings.move, tuesdays.ids[1], datetime(2026, 3, 11, 20))
    assert said(await tuesdays.told(timedelta(hours=30))) == [("03-10", "moved", news.MOVED)], "an hour later is news"


async def test_news_of_a_meeting_that_begins_in_the_night_is_told_in_the_night(
    tuesdays: Tuesdays, db: Database
) -> None:
    async with db.begin() as session:
        (await meetings.members.of(session, GUILD, LEO, now=NOW)).zone = "Asia/Tokyo"
    await tuesdays.passing.until(
        datetime(2026, 3, 3, 16, tzinfo=UTC)
    )  # one in the night in Tokyo; it begins at half past two
    await tuesdays.do(meetings.cancel, tuesdays.ids[0])
    told = await tuesdays.told()
    assert {each.user_id: each.kind for each in told} == {
        FACILITATOR: news.NEWS, MAYA: news.NEWS, LEO: news.NEWS_NOW,
    }  # fmt: skip


async def test_shortly_before_the_meeting_news_does_not_wait_a_minute(tuesdays: Tuesdays) -> None:
    await tuesdays.passing.until(datetime(2026, 3, 3, 17, 29, tzinfo=UTC))
    await tuesdays.do(meetings.cancel, tuesdays.ids[0])
    assert who(await tuesdays.told(timedelta(seconds=1))) == [FACILITATOR, MAYA, LEO]


async def test_one_that_was_off_is_moved_at_its_time_and_a_minute_is_left_to_take_it_back(tuesdays: Tuesdays) -> None:
    await tuesdays.do(meetings.cancel, tuesdays.ids[0])
    assert who(await tuesdays.told()) == [FACILITATOR, MAYA, LEO]
    await tuesdays.passing.until(datetime(2026, 3, 3, 17, 29, tzinfo=UTC))
    await tuesdays.do(meetings.move, tuesdays.ids[0], datetime(2026, 3, 4, 19))
    assert await tuesdays.told(timedelta(seconds=50)) == []
    await tuesdays.do(meetings.cancel, tuesdays.ids[0])
    assert await tuesdays.told() == []


async def test_what_changed_before_a_letter_is_sent_is_told_as_it_is_then(tuesdays: Tuesdays, db: Database) -> None:
    await tuesdays.do(meetings.cancel, tuesdays.ids[0])
    await tuesdays.do(groups.leave, tuesdays.group.group_id, by=actor(LEO))
    assert who(await tuesdays.told()) == [FACILITATOR, MAYA]
    async with db.read() as session:
        assert [m.told for m in await session.scalars(select(Meeting).order_by(Meeting.starts_at).limit(2))] == [
            "cancelled", "",
        ]  # fmt: skip


@pytest.mark.both_databases
async def test_another_time_zone_of_the_server_is_told_once_where_it_changes_the_moment_and_old_answers_do_not_count(
    tuesdays: Tuesdays, db: Database
) -> None:
    async def move_to(zone: str) -> list[str]:
        async with db.begin() as session:
            (await session.get_one(Guild, GUILD)).time_zone = zone
            await series.look_again(session, GUILD, now=tuesdays.passing.now)
        await tuesdays.passing.until(tuesdays.passing.now + timedelta(seconds=1))
        async with db.read() as session:
            given = await meetings.answers_of(session, GUILD, LEO, tuesdays.ids)
            return list(given.values())

    for meeting_id in tuesdays.ids:  # Leo cannot come to any of them
        await tuesdays.do(meetings.respond, meeting_id, "cant", by=actor(LEO))
    assert await move_to("Europe/Paris") == ["cant"] * 2, "the same moments"
    assert await tuesdays.told() == []
    assert await move_to("Europe/London") == []
    told = await tuesdays.told()
    assert who(told) == [FACILITATOR, MAYA, LEO], "to the new time Leo has not answered"
    assert said(told)[0] == ("03-03", "planned", news.OTHER_ZONE)
    assert await tuesdays.told(timedelta(hours=12)) == []


async def test_a_letter_that_may_be_sent_already_is_not_overtaken_by_what_changes_next(
    tuesdays: Tuesdays, db: Database
) -> None:
    told: list[set[str]] = []
    for number, meeting_id in enumerate(tuesdays.ids[:2]):
        at = NOW + number * 5 * MINUTE
        async with db.begin() as session:
            await meetings.cancel(session, facilitator(), meeting_id, now=at)
            tell = await session.scalar(select(Delivery).where(Delivery.kind == series.TELL))
            assert tell is not None
            await news.tell(session, tell, at + MINUTE)
            for letter in await session.scalars(select(Delivery).where(Delivery.kind == news.NEWS)):
                letter.channel_id = 5  # it was addressed, and Discord did not say what became of it
    async with db.begin() as session:
        sent = await deliveries.claim(session, now=NOW + HOUR, owner="1", limit=99)
    for each in (row for row in sent if row.kind == news.NEWS):
        async with db.read() as session:
            letter = await news.letter(session, each, now=NOW + HOUR)
            assert letter is not None
            told.append({f"{each.member_id} {change.meeting.meeting_id}" for change in letter.changes})
    assert len(set().union(*told)) == 2 * 3
    assert sum(map(len, told)) == 2 * 3


@pytest.mark.parametrize(("became", "knows"), [(deliveries.DONE, True), (deliveries.CANCELLED, False)])
async def test_the_way_back_is_told_to_who_was_sent_what_was_on_its_way(
    tuesdays: Tuesdays, db: Database, became: int, *, knows: bool
) -> None:
    for number, rule in enumerate((meetings.cancel, meetings.undo)):
        at = NOW + number * 5 * MINUTE
        async with db.begin() as session:
            await rule(session, facilitator(), tuesdays.ids[0], now=at)
            tell = (await session.scalars(select(Delivery).where(Delivery.kind == series.TELL))).one()
            await news.tell(session, tell, at + MINUTE)
            for letter in await session.scalars(select(Delivery).where(Delivery.kind == news.NEWS)):
                letter.channel_id = 5  # it was addressed, and Discord did not say what became of it
    async with db.begin() as session:
        sent = await deliveries.claim(session, now=NOW + HOUR, owner="1", limit=99)
        letters = sorted((each for each in sent if each.kind == news.NEWS), key=lambda each: each.delivery_id)
        assert len(letters) == 2 * 3
        for first in letters[:3]:
            assert await news.letter(session, first, now=NOW + HOUR) is None
            await deliveries.finish(session, first, became, now=NOW + HOUR)
        told = [await news.letter(session, each, now=NOW + HOUR) for each in letters[3:]]
    assert [each is not None for each in told] == [knows] * 3


async def test_who_was_not_told_in_time_that_a_meeting_came_earlier_is_told_that_it_is_over(
    tuesdays: Tuesdays, db: Database
) -> None:
    await tuesdays.do(meetings.move, tuesdays.ids[0], datetime(2026, 3, 2, 13, 10))
    after = NOW + 2 * HOUR  # nobody could tell anyone until then, and people would come on Tuesday
    async with db.begin() as session:
        (await session.get_one(Meeting, tuesdays.ids[0])).state = "over"
        tell = (await session.scalars(select(Delivery).where(Delivery.kind == series.TELL))).one()
        await news.tell(session, tell, after)
        letters = (await session.scalars(select(Delivery).where(Delivery.kind == news.NEWS))).all()
        assert len(letters) == 3
        assert letters[0].not_after == datetime(2026, 3, 3, 17, 30, tzinfo=UTC), "until when they would have come"
        letter = await news.letter(session, letters[0], now=after)
        assert letter is not None
        assert [(each.meeting.meeting_id, each.knew) for each in letter.changes] == [(tuesdays.ids[0], news.AS_USUAL)]
        assert await news.letter(session, letters[0], now=NOW + 2 * DAY) is None
        await news.tell(session, tell, after + MINUTE)
        assert len((await session.scalars(select(Delivery).where(Delivery.kind == news.NEWS))).all()) == 3


async def test_a_letter_that_takes_another_in_is_of_use_for_as_long_as_that_was(
    tuesdays: Tuesdays, db: Database
) -> None:
    for number, meeting_id in enumerate(reversed(tuesdays.ids[:2])):
        at = NOW + number * 5 * MINUTE
        async with db.begin() as session:
            await meetings.cancel(session, facilitator(), meeting_id, now=at)
            tell = (await session.scalars(select(Delivery).where(Delivery.kind == series.TELL))).one()
            await news.tell(session, tell, at + MINUTE)
    async with db.read() as session:
        waiting = (Delivery.kind == news.NEWS, Delivery.state == deliveries.PENDING)
        letters = (await session.scalars(select(Delivery).where(*waiting))).all()
        assert [each.not_after for each in letters] == 3 * [datetime(2026, 3, 10, 18, 30, tzinfo=UTC)]
