"""An offer near a meeting: it ends in time for the seat to go on, but nobody is rushed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from builders import LEO, MAYA, facilitator, make_group, seat
from lines import (
    ANN,
    DAY,
    HOUR,
    KIM,
    NOON,
    SAM,
    TWO_DAYS,
    edit,
    leave,
    leaves_line,
    meets,
    passes,
    place_of,
    planned,
    row,
    run_due,
    states,
    wait,
)

from peerbot import meetings
from peerbot.database import Database
from peerbot.models import Group, Guild, Member

MINUTE = timedelta(minutes=1)
TEN = 10 * MINUTE
EVENING = datetime.fromisoformat("2026-03-04T21:30:00+00:00")
MORNING = datetime.fromisoformat("2026-03-05T07:00:00+00:00")


@pytest.fixture
def now() -> datetime:
    return NOON


@pytest.fixture
async def group(db: Database, guild: Guild) -> Group:
    """A group of two seats, both taken by Sam and Kim, for whose line Maya, Leo and Ann are."""
    async with db.begin() as session:
        made = await make_group(session, now=NOON, capacity=2)
        await seat(session, made, SAM, KIM, now=NOON)
    await wait(db, made, MAYA, LEO, ANN)
    return made


async def offered_until(db: Database, user_id: int) -> datetime | None:
    place = await place_of(db, user_id)
    assert place is not None
    return place.offered_until


@pytest.mark.parametrize(
    ("frees", "starts", "ends"),
    [
        (NOON, NOON + TWO_DAYS + TEN, NOON + TWO_DAYS),
        (NOON, NOON + TWO_DAYS + 9 * MINUTE, NOON + TWO_DAYS - MINUTE),
        (NOON, NOON + 5 * HOUR, NOON + 5 * HOUR - TEN),
        (NOON, NOON + HOUR + TEN, NOON + HOUR),
        (NOON, NOON + HOUR + 9 * MINUTE, NOON + TWO_DAYS),
        (EVENING, MORNING + 3 * HOUR, MORNING + 3 * HOUR - TEN),
        (EVENING, MORNING + HOUR, MORNING + TWO_DAYS),
    ],
    ids=["far", "just near", "near", "an hour", "too near", "after the night", "too near after the night"],
)
async def test_an_offer_ends_ten_minutes_before_a_meeting_but_leaves_an_hour_to_answer(
    db: Database, group: Group, frees: datetime, starts: datetime, ends: datetime
) -> None:
    await meets(db, group, starts)
    await leave(db, group, SAM, now=frees)
    await run_due(db, frees)
    assert await offered_until(db, MAYA) == ends
    [letter] = await planned(db, "seats.offer")
    [said] = await run_due(db, letter.due_at) if letter.ended_at is None else [None]
    assert said is None or said.until == ends, "the letter says what /my says"
    await run_due(db, ends - MINUTE)
    assert (await states(db, group))[MAYA] == "offered"
    await run_due(db, ends)
    assert (await states(db, group))[MAYA] == "waiting"
    assert (await states(db, group))[LEO] == "offered", "the seat goes on in time"


async def test_a_meeting_that_is_off_or_of_another_group_makes_no_offer_shorter(db: Database, group: Group) -> None:
    off = await meets(db, group, NOON + 5 * HOUR)
    async with db.begin() as session:
        await meetings.cancel(session, facilitator(), off, now=NOON)
        other = await make_group(session, now=NOON, name="Friday", room_id=77)
    await meets(db, other, NOON + 6 * HOUR)
    await leave(db, group, SAM)
    await run_due(db)
    assert await offered_until(db, MAYA) == NOON + TWO_DAYS
    await meets(db, group, NOON + 7 * HOUR)
    assert await offered_until(db, MAYA) == NOON + TWO_DAYS, "what was promised stands"


@pytest.mark.both_databases
async def test_no_answer_to_a_short_offer_is_not_counted(db: Database, group: Group) -> None:
    await edit(db, group, 3)
    await run_due(db)
    end = NOON + TWO_DAYS
    await run_due(db, end)
    assert (await row(db, MAYA)).unanswered == 1
    start = end + 5 * HOUR
    await meets(db, group, start)
    await leave(db, group, SAM, now=end)
    [said] = await run_due(db, end)
    assert (said.until, said.is_last) == (start - TEN, False)
    await run_due(db, start - TEN)
    assert (await row(db, MAYA)).unanswered == 1
    assert (await states(db, group))[MAYA] == "waiting"
    await leave(db, group, KIM, now=start + DAY)
    [said] = await run_due(db, start + DAY)
    assert (said.until, said.is_last) == (start + DAY + TWO_DAYS, True)
    await run_due(db, start + DAY + TWO_DAYS)
    assert MAYA not in await states(db, group)


@pytest.mark.parametrize(("hours", "asked"), [(5, 2), (13, 1)])
async def test_who_had_hardly_time_to_answer_is_asked_once_more_when_the_meeting_has_begun(
    db: Database, group: Group, hours: int, asked: int
) -> None:
    for other in (LEO, ANN):
        await leaves_line(db, group, other)
    start = NOON + hours * HOUR
    await meets(db, group, start)
    await leave(db, group, SAM)
    await run_due(db)
    await run_due(db, start - TEN)
    assert (await states(db, group))[MAYA] == "waiting"
    await run_due(db, start)
    assert (await states(db, group))[MAYA] == ("offered" if asked > 1 else "waiting")
    assert len(await planned(db, "seats.offer")) == asked
    await run_due(db, start + 2 * TWO_DAYS)
    assert (await states(db, group))[MAYA] == "waiting"
    assert len(await planned(db, "seats.offer")) == asked, "and then no more"


async def test_whose_group_meets_twice_a_day_is_not_asked_anew_at_each_meeting(db: Database, group: Group) -> None:
    for other in (LEO, ANN):
        await leaves_line(db, group, other)
    for hours in (5, 10, 29, 34):
        await meets(db, group, NOON + hours * HOUR)
    await leave(db, group, SAM)
    await run_due(db)
    for hours in range(60):
        await run_due(db, NOON + hours * HOUR)
    assert len(await planned(db, "seats.offer")) == 2


async def test_who_had_hardly_time_and_waits_again_takes_nothing_from_whom_it_went_on_to(
    db: Database, group: Group
) -> None:
    start = NOON + 5 * HOUR
    await meets(db, group, start)
    await leave(db, group, SAM)
    await run_due(db)
    await run_due(db, start - TEN)
    await run_due(db, start)
    assert await states(db, group) == {KIM: "active", MAYA: "waiting", LEO: "offered", ANN: "waiting"}
    await passes(db, group, LEO, now=start + HOUR)
    await run_due(db, start + HOUR)
    assert (await states(db, group))[MAYA] == "offered", "the next one who has not let it go"


async def test_a_letter_that_comes_when_the_meeting_is_near_or_over_leaves_time_to_answer(
    db: Database, group: Group
) -> None:
    await meets(db, group, NOON + 5 * HOUR)
    await leave(db, group, SAM)
    await run_due(db, letters=False)
    back = NOON + 4 * HOUR
    [said] = await run_due(db, back)
    assert said.until == back + TWO_DAYS == await offered_until(db, MAYA)
    await run_due(db, NOON + 5 * HOUR)
    assert (await states(db, group))[MAYA] == "offered", "the step of the shorter time does not end it"


async def test_an_offer_of_which_nobody_was_told_is_made_anew_with_the_next_meeting_in_mind(
    db: Database, group: Group
) -> None:
    for hours in (5, 29):
        await meets(db, group, NOON + hours * HOUR)
    await leave(db, group, SAM)
    await run_due(db, letters=False)
    assert await offered_until(db, MAYA) == NOON + 5 * HOUR - TEN
    await run_due(db, NOON + 5 * HOUR - TEN, letters=False)
    assert await offered_until(db, MAYA) == NOON + 29 * HOUR - TEN
    async with db.begin() as session:
        (await session.get_one(Member, (await row(db, MAYA)).member_id)).zone = "Asia/Tokyo"
    night = NOON + 29 * HOUR - TEN  # in Tokyo it is two in the morning
    await run_due(db, night, letters=False)
    assert await offered_until(db, MAYA) == datetime.fromisoformat("2026-03-05T23:00:00+00:00") + TWO_DAYS
