"""What belongs to a meeting's time is seen to once, in its time, whatever happens to clocks, meetings and groups."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from builders import GUILD, ROOM, details, facilitator
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession
from timetabling import NOW, meetings_of, pending, plan, run_due, tuesdays

from peerbot import agenda, cards, deliveries, groups, handovers, meetings, rooms, series, staff, timetables
from peerbot.agenda import Moment
from peerbot.database import Database
from peerbot.errors import DatabaseBusy, NotValid
from peerbot.meetings import Scene
from peerbot.models import Card, Delivery, Group, Guild, Meeting, Response
from peerbot.recurrence import Rule

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
SEEN: list[tuple[str, datetime, int]] = []
"""What was seen to, when, for which change of the meeting."""


def moment(name: str, before: timedelta, of_use: timedelta, *, at_end: bool = False) -> Moment:
    async def act(_session: AsyncSession, scene: Scene) -> None:
        SEEN.append((name, scene.now, scene.meeting.rev))

    return Moment(name, act, before, of_use, at_end)


@pytest.fixture(autouse=True)
def moments(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day and an hour before, the start, and the end."""
    SEEN.clear()
    usual = (
        moment("day", 24 * HOUR, 12 * HOUR),
        moment("hour", HOUR, 40 * MINUTE),
        moment("start", timedelta(), 15 * MINUTE),
        moment("end", timedelta(), HOUR, at_end=True),
    )
    monkeypatch.setattr(agenda, "MOMENTS", usual)


@pytest.fixture
async def meeting(db: Database, guild: Guild) -> Meeting:
    """The first of a group's meetings, tomorrow at 17:30 UTC."""
    async with db.begin() as session:
        await tuesdays(session)
        return (await meetings_of(session))[0]


def names() -> list[str]:
    return [name for name, _at, _rev in SEEN]


async def pass_time(db: Database, begin: datetime, end: datetime, every: timedelta = 10 * MINUTE) -> None:
    """Let the steps of meetings run as time goes by."""
    at = begin
    while at < end:
        await run_due(db, at, series.TURN)
        at += every
    await run_due(db, end, series.TURN)


async def first_turn(db: Database, meeting: Meeting) -> Delivery | None:
    async with db.read() as session:
        turns = await pending(session, series.TURN)
        return next((turn for turn in turns if turn.subject_id == meeting.meeting_id), None)


@pytest.mark.both_databases
async def test_each_moment_is_seen_to_when_it_comes(db: Database, meeting: Meeting) -> None:
    start = meeting.starts_at
    due: list[datetime] = []
    await run_due(db, NOW, series.TURN)
    while (turn := await first_turn(db, meeting)) is not None:
        due.append(turn.next_at)
        await run_due(db, turn.next_at, series.TURN)
    assert due == [start - 24 * HOUR, start - HOUR, start, start + HOUR]
    assert [(name, at) for name, at, _rev in SEEN] == [
        ("day", start - 24 * HOUR), ("hour", start - HOUR), ("start", start), ("end", start + HOUR),
    ]  # fmt: skip
    async with db.read() as session:
        assert (await session.get_one(Meeting, meeting.meeting_id)).state == "over"


@pytest.mark.parametrize(
    ("back_at", "expected"),
    [
        (-30 * MINUTE, ["hour"]), (-10 * MINUTE, []), (14 * MINUTE, ["start"]), (16 * MINUTE, []),
        (90 * MINUTE, ["end"]), (3 * HOUR, []),
    ],
)  # fmt: skip
async def test_after_an_outage_what_is_of_no_use_any_more_is_left_out(
    db: Database, meeting: Meeting, back_at: timedelta, expected: list[str]
) -> None:
    await run_due(db, meeting.starts_at + back_at, series.TURN)
    await run_due(db, meeting.starts_at + back_at + MINUTE, series.TURN)
    assert names() == expected


async def test_a_clock_that_is_set_back_brings_nothing_twice(db: Database, meeting: Meeting) -> None:
    start = meeting.starts_at
    await pass_time(db, NOW, start - 55 * MINUTE)
    assert names() == ["day", "hour"]
    earlier = start - 2 * HOUR
    async with db.begin() as session:  # whatever asks for a look meanwhile
        await series.plan_turns(session, [meeting], now=earlier)
        await timetables.change(
            session, facilitator(), meeting.series_id, plan(meeting.group_id, topic="Sleep"), now=earlier
        )
        await meetings.cancel(session, facilitator(), meeting.meeting_id, now=earlier)
        await meetings.undo(session, facilitator(), meeting.meeting_id, now=earlier + MINUTE)
    await pass_time(db, earlier, start)
    assert names() == ["day", "hour", "start"]


async def test_a_clock_that_is_set_forward_leaves_out_what_is_late(db: Database, meeting: Meeting) -> None:
    await pass_time(db, NOW, meeting.starts_at - 23 * HOUR)
    await run_due(db, meeting.starts_at + 5 * MINUTE, series.TURN)
    assert names() == ["day", "start"]


async def test_a_meeting_that_is_moved_has_its_moments_anew(db: Database, meeting: Meeting) -> None:
    at = meeting.starts_at - 50 * MINUTE
    await pass_time(db, NOW, at)
    async with db.begin() as session:
        later = datetime(2026, 3, 4, 12)
        await meetings.move(session, facilitator(), meeting.meeting_id, later, now=at)
    await pass_time(db, at, at + 20 * HOUR)
    assert SEEN[2:] == [
        ("hour", datetime.fromisoformat("2026-03-04T10:00:00+00:00"), 2),
        ("start", datetime.fromisoformat("2026-03-04T11:00:00+00:00"), 2),
        ("end", datetime.fromisoformat("2026-03-04T12:00:00+00:00"), 2),
    ]


async def test_a_meeting_that_is_moved_before_its_moments_is_not_late(db: Database, meeting: Meeting) -> None:
    at = meeting.starts_at - 3 * HOUR
    await pass_time(db, NOW, at)
    async with db.begin() as session:
        soon = datetime(2026, 3, 3, 15, 50)  # in twenty minutes; an hour before would have been just now
        moved = await meetings.move(session, facilitator(), meeting.meeting_id, soon, now=at)
    await pass_time(db, at, moved.ends_at)
    assert names() == ["day", "start", "end"]


async def test_a_meeting_that_is_made_shortly_before_has_no_old_reminders(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        await tuesdays(session, first=(NOW + 80 * MINUTE).replace(tzinfo=None), rule=Rule("once"))
        (meeting,) = await meetings_of(session)
    assert meeting.starts_at == NOW + 20 * MINUTE, "Berlin is an hour ahead"
    await pass_time(db, NOW, meeting.starts_at)
    assert [name for name in names() if name != "day"] == ["start"]


@pytest.mark.both_databases
async def test_what_is_cancelled_a_minute_before_does_not_start(db: Database, meeting: Meeting) -> None:
    at = meeting.starts_at - MINUTE
    await pass_time(db, NOW, at)
    async with db.begin() as session:
        await meetings.cancel(session, facilitator(), meeting.meeting_id, now=at)
        assert [row.due_at for row in await pending(session, series.TELL)] == [at], "people are told at once"
    await pass_time(db, at, at + 2 * HOUR)
    assert names() == ["day", "hour"]
    async with db.read() as session:
        assert (await session.get_one(Meeting, meeting.meeting_id)).state == "cancelled"


async def test_a_slip_of_the_finger_loses_no_reminder(db: Database, meeting: Meeting) -> None:
    at = meeting.starts_at - HOUR - MINUTE / 2
    await pass_time(db, NOW, at)
    async with db.begin() as session:
        await meetings.cancel(session, facilitator(), meeting.meeting_id, now=at)
    await run_due(db, at + MINUTE / 2, series.TURN)
    assert names() == ["day"]
    async with db.begin() as session:
        await meetings.undo(session, facilitator(), meeting.meeting_id, now=at + MINUTE * 0.9)
    await run_due(db, at + MINUTE, series.TURN)
    assert names() == ["day", "hour"]


async def test_a_moment_that_cancels_the_meeting_is_the_last(
    db: Database, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def give_up(session: AsyncSession, scene: Scene) -> None:
        await series.cancelled(session, scene.meeting, "nobody", now=scene.now)

    gives_up = Moment("nobody", give_up, -15 * MINUTE, 5 * MINUTE)
    monkeypatch.setattr(agenda, "MOMENTS", (*agenda.MOMENTS, gives_up, moment("late", -16 * MINUTE, HOUR)))
    await pass_time(db, NOW, meeting.starts_at + 2 * HOUR, 17 * MINUTE)
    assert "late" not in names()
    assert "end" not in names()
    async with db.read() as session:
        row = await session.get_one(Meeting, meeting.meeting_id)
        assert (row.state, row.why) == ("cancelled", "nobody")


async def test_nothing_of_a_closed_group_is_seen_to(db: Database, meeting: Meeting) -> None:
    await pass_time(db, NOW, meeting.starts_at - 2 * HOUR)
    async with db.begin() as session:
        await groups.close(session, facilitator(), meeting.group_id, now=meeting.starts_at - 2 * HOUR)
    await pass_time(db, meeting.starts_at - 2 * HOUR, meeting.ends_at)
    assert names() == ["day"]


async def card_of(db: Database, meeting: Meeting) -> Card | None:
    async with db.read() as session:
        return await session.scalar(select(Card).where(Card.subject == cards.of_meeting(meeting.meeting_id)))


@pytest.mark.both_databases
async def test_the_card_follows_the_room(db: Database, meeting: Meeting) -> None:
    await run_due(db, NOW)
    card = await card_of(db, meeting)
    assert card is not None
    assert (card.channel_id, card.group_id) == (ROOM, meeting.group_id)
    async with db.begin() as session:
        await staff.tell_room_gone(session, GUILD, ROOM, now=NOW)
    await run_due(db, NOW)
    async with db.begin() as session:
        await rooms.room_made(session, meeting.group_id, ROOM + 5, now=NOW)
    await run_due(db, NOW)
    card = await card_of(db, meeting)
    assert card is not None
    assert card.channel_id == ROOM + 5


async def test_a_card_comes_when_there_is_a_room_and_the_meeting_is_near(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        group = await session.get_one(Group, meeting.group_id)
        group.room_id, group.card_days = None, 1
    early = meeting.starts_at - 25 * HOUR
    await run_due(db, early)
    async with db.begin() as session:
        await rooms.room_made(session, meeting.group_id, ROOM, now=early)
    await run_due(db, early)
    assert await card_of(db, meeting) is None
    await run_due(db, early + HOUR)
    assert await card_of(db, meeting) is not None


@pytest.mark.parametrize("days", [1, 7])
async def test_how_many_days_before_the_card_comes_is_chosen_for_each_group(
    db: Database, meeting: Meeting, days: int
) -> None:
    async with db.begin() as session:
        (_first, second, *_more) = await meetings_of(session)
        await groups.edit(session, facilitator(), meeting.group_id, details(card=days), now=NOW)
        with pytest.raises(NotValid):
            details(card=8)
    at = second.starts_at - timedelta(days=7)
    await run_due(db, at)
    assert (await card_of(db, second) is not None) == (days == 7)
    async with db.begin() as session:
        await groups.edit(session, facilitator(), meeting.group_id, details(), now=at)
        assert (await session.get_one(Group, meeting.group_id)).card_days == days, "not asked, not changed"
        await groups.edit(session, facilitator(), meeting.group_id, details(card=7), now=at)
    await run_due(db, at)
    assert await card_of(db, second) is not None, "it is looked at anew at once"


async def test_another_name_is_shown_where_meetings_are(db: Database, meeting: Meeting) -> None:
    await run_due(db, NOW)
    async with db.begin() as session:
        for card in await session.scalars(select(Card).where(Card.message_id.is_(None))):
            card.message_id, card.drawn = 5, "old"
    async with db.begin() as session:
        await groups.edit(session, facilitator(), meeting.group_id, details(name="Wednesday"), now=NOW)
    await run_due(db, NOW)
    async with db.read() as session:
        drawn = {row.subject_id for row in await pending(session, "card.draw")}
        shown = {cards.BOARD, cards.of_meeting(meeting.meeting_id)}
        expected = set(await session.scalars(select(Card.card_id).where(Card.subject.in_(shown))))
        assert len(expected) == 2
        assert expected <= drawn


# one thing that goes wrong


def failing(times: int, *, writes: bool = False) -> Moment:
    """Return a moment that fails some times before it works, an hour before a meeting.

    The first failure only has everything done apart, the second is its own.
    """
    left = [times]

    async def act(session: AsyncSession, scene: Scene) -> None:
        given: dict[str, Any] = {"guild_id": GUILD, "now": scene.now, "subject_id": scene.meeting.meeting_id}
        await deliveries.plan(session, "test.failing", str(scene.meeting.meeting_id), **given)
        scene.meeting.here_at = scene.now
        if left[0]:
            left[0] -= 1
            if writes:
                session.add(Response(meeting_id=0, member_id=0, answer="going", at=scene.now))
                await session.flush()
            raise ZeroDivisionError
        SEEN.append(("failing", scene.now, int(scene.since.timestamp())))

    return Moment("failing", act, HOUR, 30 * MINUTE)


@pytest.mark.both_databases
@pytest.mark.parametrize("writes", [False, True], ids=["a mistake", "what the database refuses"])
async def test_what_goes_wrong_stops_nothing_else_and_is_tried_again_by_itself(
    db: Database, meeting: Meeting, monkeypatch: pytest.MonkeyPatch, *, writes: bool
) -> None:
    moments = (failing(2, writes=writes), *agenda.MOMENTS)
    monkeypatch.setattr(agenda, "MOMENTS", moments)
    await pass_time(db, NOW, meeting.starts_at - 2 * HOUR)
    async with db.read() as session:
        since = (await session.get_one(Meeting, meeting.meeting_id)).turned_at
    at = meeting.starts_at - HOUR
    await run_due(db, at, series.TURN)
    assert names() == ["day", "hour"], "the other thing of that moment is done"
    async with db.read() as session:
        row = await session.get_one(Meeting, meeting.meeting_id)
        assert (row.turned_at, row.here_at) == (at, None), "nothing is left of what failed"
        assert await pending(session, "test.failing") == []
        (again,) = await pending(session, agenda.ACT)
        assert again.due_at == at + agenda.AGAIN
    await run_due(db, at + MINUTE)
    assert SEEN[2:] == [("failing", at + MINUTE, int(since.timestamp()))]
    async with db.read() as session:
        assert len(await pending(session, "test.failing")) == 1
        assert (await session.get_one(Meeting, meeting.meeting_id)).here_at == at + MINUTE
    await pass_time(db, at + MINUTE, meeting.ends_at)
    assert names() == ["day", "hour", "failing", "start", "end"]


@pytest.mark.both_databases
async def test_what_was_planned_and_taken_back_is_not_waited_for(
    db: Database, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agenda, "MOMENTS", (failing(2), *agenda.MOMENTS))
    async with db.begin() as session:
        (turn, *_later) = await pending(session, series.TURN)
        begun = len(session.info["planned"])
        await agenda.turn(session, turn, meeting.starts_at - HOUR)
        planned = session.info["planned"][begun:]
        assert planned
        there = (await session.scalars(select(Delivery.delivery_id).where(Delivery.delivery_id.in_(planned)))).all()
        assert sorted(planned) == sorted(there)


async def test_what_never_works_is_given_up_by_itself_and_told(
    db: Database, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agenda, "MOMENTS", (failing(99), *agenda.MOMENTS))
    await pass_time(db, NOW, meeting.starts_at - HOUR)
    with pytest.raises(ZeroDivisionError):
        await run_due(db, meeting.starts_at - HOUR + MINUTE, agenda.ACT)
    async with db.begin() as session:
        await session.execute(update(Delivery).where(Delivery.kind == agenda.ACT).values(state=0, next_at=NOW))
    await run_due(db, meeting.starts_at - 29 * MINUTE)
    async with db.read() as session:
        (told,) = await pending(session, "staff.failed")
        trouble = await staff.trouble(session, GUILD, told.subject_id or 0)
        assert trouble is not None
        assert (trouble.kind, trouble.problem, trouble.group_name) == (agenda.ACT, "mistake", "Tuesday")
    await pass_time(db, meeting.starts_at - 29 * MINUTE, meeting.ends_at)
    assert names() == ["day", "hour", "start", "end"]


async def test_what_went_wrong_is_not_done_for_a_meeting_that_is_off_or_elsewhere_by_then(
    db: Database, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agenda, "MOMENTS", (failing(2), *agenda.MOMENTS))
    at = meeting.starts_at - HOUR
    await pass_time(db, NOW, at)
    async with db.begin() as session:
        await meetings.move(session, facilitator(), meeting.meeting_id, datetime(2026, 3, 4, 18, 30), now=at)
    await run_due(db, at + MINUTE)
    assert "failing" not in names()


async def test_a_card_that_cannot_be_placed_stops_no_moment(
    db: Database, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_given: Any, **_more: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(cards, "place", fail)
        broken.setattr(handovers, "look_after", fail)
        await pass_time(db, NOW, meeting.starts_at)
    assert names() == ["day", "hour", "start"]
    async with db.read() as session:
        tried = [row.dedupe_key.split(":")[2:5:2] for row in await pending(session, agenda.ACT)]
        assert sorted(tried) == [["1", "card"], ["1", "hosts"], ["2", "hosts"]], "once for each"
    await run_due(db, meeting.starts_at + MINUTE)
    assert await card_of(db, meeting) is not None, "it is tried again"


async def test_an_outage_of_the_database_is_no_mistake_of_a_single_thing(
    db: Database, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_session: AsyncSession, _scene: Scene) -> None:
        raise OperationalError("SELECT 1", None, OSError("gone"))

    monkeypatch.setattr(agenda, "MOMENTS", (Moment("away", away, HOUR, HOUR),))
    with pytest.raises(DatabaseBusy):
        await pass_time(db, NOW, meeting.starts_at - HOUR)
