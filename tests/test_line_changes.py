"""The line when things around it change: nights, outages, seats, people who go, claims that are not true."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from builders import (
    GUILD,
    LEO,
    MAYA,
    OTHER_GUILD,
    actor,
    facilitator,
    make_group,
    make_guild,
    seat,
)
from lines import (
    ANN,
    DAY,
    HOUR,
    KIM,
    NOON,
    SAM,
    TWO_DAYS,
    ask,
    edit,
    leave,
    leaves_line,
    leaves_server,
    member_id,
    passes,
    place_of,
    planned,
    row,
    run_due,
    states,
    wait,
)
from sqlalchemy import select

from peerbot import deliveries, departures, directory, facilitators, groups, pauses, seats
from peerbot.database import Database
from peerbot.errors import (
    GroupClosed,
    GroupUnknown,
    NotInLine,
    NotMember,
    PeerbotError,
    WasRemoved,
)
from peerbot.models import Delivery, Group, Guild, Member


@pytest.fixture
def now() -> datetime:
    return NOON


@pytest.fixture
async def group(db: Database, guild: Guild) -> Group:
    """A group of two seats, both taken by Sam and Kim."""
    async with db.begin() as session:
        made = await make_group(session, now=NOON, capacity=2)
        await seat(session, made, SAM, KIM, now=NOON)
        return made


# quiet hours, outages


@pytest.mark.parametrize(
    ("zone", "at", "told"),
    [
        (None, "2026-03-04T20:59:00+00:00", "2026-03-04T20:59:00+00:00"),
        (None, "2026-03-04T21:00:00+00:00", "2026-03-05T07:00:00+00:00"),
        (None, "2026-03-05T06:59:00+00:00", "2026-03-05T07:00:00+00:00"),
        ("America/New_York", "2026-03-04T21:00:00+00:00", "2026-03-04T21:00:00+00:00"),
        ("America/New_York", "2026-03-05T04:00:00+00:00", "2026-03-05T13:00:00+00:00"),
        (None, "2026-03-28T22:30:00+00:00", "2026-03-29T06:00:00+00:00"),  # the night in which the clocks change
    ],
)
async def test_an_offer_made_at_night_is_told_in_the_morning_and_stands_from_there(
    db: Database, group: Group, zone: str | None, at: str, told: str
) -> None:
    moment, morning = datetime.fromisoformat(at), datetime.fromisoformat(told)
    await wait(db, group, MAYA)
    async with db.begin() as session:
        (await session.get_one(Member, await member_id(db, MAYA))).zone = zone
    await leave(db, group, SAM, now=moment)
    said = await run_due(db, moment)
    assert len(said) == (moment == morning)
    place = await place_of(db, MAYA)
    assert place is not None
    assert place.offered_until == morning + TWO_DAYS, "/my shows it from the moment at which it is made"
    assert [each.next_at for each in await planned(db, "seats.offer")] == [morning]
    said = said or await run_due(db, morning)
    assert [each.until for each in said] == [morning + TWO_DAYS]


@pytest.mark.both_databases
async def test_after_a_two_day_outage_there_is_one_letter_with_two_days_to_answer(db: Database, group: Group) -> None:
    await wait(db, group, MAYA, LEO)
    await leave(db, group, SAM)
    await run_due(db, letters=False)
    await run_due(db, NOON + TWO_DAYS, letters=False)
    assert (await states(db, group))[MAYA] == "offered", "nobody was told, so the offer is hers still"
    assert (await row(db, MAYA)).unanswered == 0
    back = NOON + TWO_DAYS + 3 * HOUR
    [said] = await run_due(db, back)
    assert said.until == back + TWO_DAYS
    assert len(await planned(db, "seats.offer")) == 1
    await run_due(db, back + TWO_DAYS)
    assert await states(db, group) == {KIM: "active", MAYA: "waiting", LEO: "offered"}


async def test_a_letter_that_goes_out_before_the_late_step_makes_the_offer_longer(db: Database, group: Group) -> None:
    await wait(db, group, MAYA)
    await leave(db, group, SAM)
    await run_due(db, letters=False)
    back = NOON + 3 * DAY
    async with db.begin() as session:
        [letter] = await session.scalars(select(Delivery).where(Delivery.kind == "seats.offer"))
        said = await seats.announce(session, letter, now=back)
        letter.state = deliveries.DONE
    assert said is not None
    assert said.until == back + TWO_DAYS
    await run_due(db, back)
    assert (await states(db, group))[MAYA] == "offered"


@pytest.mark.parametrize("became", [deliveries.DEAD, deliveries.CANCELLED])
async def test_an_offer_whose_letter_cannot_arrive_or_is_not_wanted_goes_on_and_is_not_counted(
    db: Database, group: Group, became: int
) -> None:
    await wait(db, group, MAYA, LEO)
    await leave(db, group, SAM)
    await run_due(db, letters=False)
    async with db.begin() as session:
        [letter] = await session.scalars(select(Delivery).where(Delivery.kind == "seats.offer"))
        letter.state = became
    await run_due(db, NOON + TWO_DAYS)
    assert await states(db, group) == {KIM: "active", MAYA: "waiting", LEO: "offered"}
    assert (await row(db, MAYA)).unanswered == 0


async def test_the_letter_of_an_offer_that_is_over_says_nothing(db: Database, group: Group) -> None:
    await wait(db, group, MAYA)
    await leave(db, group, SAM)
    await run_due(db, letters=False)
    await passes(db, group, MAYA)
    assert await run_due(db) == []
    await leave(db, group, KIM)
    await run_due(db, letters=False)
    async with db.begin() as session:
        old, new = await session.scalars(
            select(Delivery).where(Delivery.kind == "seats.offer").order_by(Delivery.delivery_id)
        )
        assert await seats.announce(session, old, now=NOON) is None, "it is of the offer before"
        assert await seats.announce(session, new, now=NOON) is not None
        await make_guild(session, now=NOON, guild_id=OTHER_GUILD)
        new.guild_id = OTHER_GUILD
        assert await seats.announce(session, new, now=NOON) is None


# capacity, facilitators, closing


async def test_more_seats_are_offered_to_the_line_first(db: Database, group: Group) -> None:
    await wait(db, group, MAYA, LEO, ANN)
    await edit(db, group, 4)
    await run_due(db)
    assert {MAYA: "offered", LEO: "offered", ANN: "waiting"}.items() <= (await states(db, group)).items()


async def test_fewer_seats_between_freeing_and_offering_offer_nothing(db: Database, group: Group) -> None:
    await wait(db, group, MAYA)
    await leave(db, group, SAM)
    await edit(db, group, 1)
    await run_due(db)
    assert await states(db, group) == {KIM: "active", MAYA: "waiting"}
    await edit(db, group, 2)
    await run_due(db)
    assert (await states(db, group))[MAYA] == "offered"


@pytest.mark.parametrize("state", ["waiting", "offered"])
async def test_whoever_is_removed_is_out_of_the_line_and_the_seat_goes_on(
    db: Database, group: Group, state: str
) -> None:
    await wait(db, group, *((MAYA, LEO) if state == "offered" else (LEO, MAYA)))
    await leave(db, group, SAM)
    await run_due(db)
    assert (await states(db, group))[MAYA] == state
    async with db.begin() as session:
        await groups.remove(session, facilitator(), group.group_id, await member_id(db, MAYA), now=NOON)
    await run_due(db)
    assert await states(db, group) == {KIM: "active", LEO: "offered", MAYA: "removed"}
    for waits in (False, True):
        with pytest.raises(WasRemoved):
            await ask(db, group, MAYA, waits=waits)
    for rule in (passes, leaves_line):
        with pytest.raises(NotInLine):
            await rule(db, group, MAYA)
    await run_due(db, NOON + TWO_DAYS)
    assert (await states(db, group))[MAYA] == "removed", "the step of the old offer changes nothing"


@pytest.mark.both_databases
async def test_whoever_becomes_a_facilitator_gives_place_and_offer_up(db: Database, group: Group) -> None:
    await wait(db, group, MAYA, LEO)
    await leave(db, group, SAM)
    await run_due(db)
    async with db.begin() as session:
        roles = facilitator().role_ids
        await facilitators.add(session, facilitator(), group.group_id, MAYA, roles, now=NOON)
    await run_due(db)
    assert await states(db, group) == {KIM: "active", LEO: "offered"}


@pytest.mark.both_databases
async def test_a_group_that_closes_ends_its_line_and_tells_each_person_once(db: Database, group: Group) -> None:
    await wait(db, group, MAYA, LEO)
    await leave(db, group, SAM)
    await run_due(db)
    async with db.begin() as session:
        await groups.close(session, facilitator(), group.group_id, now=NOON)
    assert await states(db, group) == {KIM: "active"}
    told = await planned(db, "seats.closed")
    assert {each.member_id for each in told} == {await member_id(db, MAYA), await member_id(db, LEO)}
    assert {each.channel_id for each in told} == {None}
    await run_due(db, NOON + 3 * DAY)
    assert await states(db, group) == {KIM: "active"}
    with pytest.raises(GroupClosed):
        await ask(db, group, MAYA)
    assert await place_of(db, MAYA) is None


@pytest.mark.both_databases
async def test_facilitators_see_the_line_in_order(db: Database, group: Group) -> None:
    await wait(db, group, MAYA, LEO)
    await leave(db, group, SAM)
    await run_due(db)
    async with db.read() as session:
        roster = await directory.roster(session, facilitator(), group.group_id)
    assert [(person.user_id, person.state, person.number) for person in roster.people] == [
        (KIM, "active", None),
        (MAYA, "offered", 1),
        (LEO, "waiting", 2),
    ]


# who is away


async def test_the_offer_of_somebody_who_left_the_server_goes_on_and_their_place_is_kept(
    db: Database, group: Group
) -> None:
    await wait(db, group, MAYA, LEO)
    await leave(db, group, SAM)
    await run_due(db, letters=False)
    await leaves_server(db, MAYA)
    assert len(await run_due(db)) == 1, "only Leo is written to"
    assert await states(db, group) == {KIM: "active", MAYA: "waiting", LEO: "offered"}
    assert (await row(db, MAYA)).unanswered == 0


async def test_whoever_comes_back_is_offered_the_seat_that_nobody_took(db: Database, group: Group) -> None:
    await wait(db, group, MAYA)
    await leaves_server(db, MAYA)
    await leave(db, group, SAM)
    assert await run_due(db) == []
    async with db.read() as session:
        assert (await directory.view(session, GUILD, group.group_id)).free == 1, "nobody waits who could take it"
    async with db.begin() as session:
        await departures.come_back(session, GUILD, MAYA, now=NOON + DAY)
    assert len(await run_due(db, NOON + DAY)) == 1
    assert (await states(db, group))[MAYA] == "offered"


async def test_whoever_left_with_an_offer_and_comes_back_is_offered_the_seat_anew(db: Database, group: Group) -> None:
    await wait(db, group, MAYA)
    await leave(db, group, SAM)
    await run_due(db)
    await leaves_server(db, MAYA)
    await run_due(db)
    async with db.begin() as session:
        await departures.come_back(session, GUILD, MAYA, now=NOON + HOUR)
    [said] = await run_due(db, NOON + HOUR)
    assert said.until == NOON + HOUR + TWO_DAYS, "leaving was no answer"


@pytest.mark.both_databases
async def test_a_place_in_line_lapses_with_everything_else_after_seven_days(db: Database, group: Group) -> None:
    await wait(db, group, MAYA, LEO)
    await leaves_server(db, MAYA)
    await leaves_server(db, SAM)
    await run_due(db, NOON + 7 * DAY - HOUR)
    assert (await states(db, group))[MAYA] == "waiting"
    await run_due(db, NOON + 7 * DAY)
    assert await states(db, group) == {KIM: "active", LEO: "offered"}


@pytest.mark.both_databases
async def test_the_end_of_a_pause_offers_the_seat(db: Database, group: Group) -> None:
    await wait(db, group, MAYA)
    async with db.begin() as session:
        until = await pauses.pause(session, actor(SAM), group.group_id, now=NOON)
    await run_due(db, until, letters=False)
    assert await states(db, group) == {KIM: "active", MAYA: "offered"}


# claims that are not true


@pytest.mark.parametrize("rule", [seats.pass_on, seats.leave_line])
async def test_an_id_of_another_server_or_of_nothing_changes_nothing(db: Database, group: Group, rule: Any) -> None:
    await wait(db, group, MAYA)
    await leave(db, group, SAM)
    await run_due(db)
    async with db.begin() as session:
        await make_guild(session, now=NOON, guild_id=OTHER_GUILD)
    claims: list[tuple[Any, int, type[PeerbotError]]] = [
        (actor(guild_id=OTHER_GUILD), group.group_id, GroupUnknown),
        (actor(guild_id=99), group.group_id, GroupUnknown),
        (actor(), 0, GroupUnknown),
        (actor(), 2**62, GroupUnknown),
        (actor(424_242), group.group_id, GroupUnknown),  # a stranger learns no name of a group
        (facilitator(), group.group_id, NotInLine),
    ]
    for claim, group_id, error in claims:
        with pytest.raises(error):
            async with db.begin() as session:
                await rule(session, claim, group_id, now=NOON)
        with pytest.raises(error):
            async with db.read() as session:
                await seats.place(session, claim, group_id)
    assert (await states(db, group))[MAYA] == "offered"


async def test_a_seat_is_not_left_by_somebody_who_only_waits(db: Database, group: Group) -> None:
    await wait(db, group, MAYA)
    with pytest.raises(NotMember):
        await leave(db, group, MAYA)
    assert (await states(db, group))[MAYA] == "waiting"


async def test_steps_of_another_server_or_a_deleted_place_do_nothing(db: Database, group: Group) -> None:
    await wait(db, group, MAYA)
    await leave(db, group, SAM)
    async with db.begin() as session:
        await make_guild(session, now=NOON, guild_id=OTHER_GUILD)
        [free] = await session.scalars(select(Delivery).where(Delivery.kind == "seats.free"))
        free.guild_id = OTHER_GUILD
        await seats.offer(session, free, NOON)
        free.guild_id = GUILD
    assert (await states(db, group))[MAYA] == "waiting"
    await run_due(db)
    await leaves_line(db, group, MAYA)
    await run_due(db, NOON + TWO_DAYS)
    assert await states(db, group) == {KIM: "active"}
