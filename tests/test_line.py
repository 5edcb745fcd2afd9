"""The line for a seat: who is offered one, until when, and what becomes of the offer."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from builders import (
    AGREED,
    FACILITATOR,
    GUILD,
    LEO,
    MAYA,
    OTHER_GUILD,
    actor,
    details,
    facilitator,
    make_group,
    make_guild,
    owner,
    seat,
)
from lines import (
    ANN,
    DAY,
    KIM,
    NOON,
    SAM,
    TWO_DAYS,
    ask,
    edit,
    leave,
    leaves_line,
    member_id,
    passes,
    place_of,
    planned,
    row,
    run_due,
    states,
    wait,
)

from peerbot import directory, groups, hello, seats, setup
from peerbot.database import Database
from peerbot.errors import (
    AgreementNeeded,
    AlreadyMember,
    GroupClosed,
    GroupFull,
    GroupUnknown,
    InLine,
    NotInLine,
    NotValid,
    WasRemoved,
)
from peerbot.models import Group, Guild


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


# waiting


async def test_whoever_waits_has_a_place_and_no_seat(db: Database, group: Group) -> None:
    async with db.begin() as session:
        other = await make_group(session, now=NOON, capacity=1, name="Friday", room_id=77)
        await seat(session, other, SAM, now=NOON)
    await wait(db, other, KIM, ANN, now=NOON - DAY)
    await wait(db, group, MAYA, LEO)
    assert await states(db, group) == {SAM: "active", KIM: "active", MAYA: "waiting", LEO: "waiting"}
    place = await place_of(db, LEO)
    assert place == seats.Place(group.group_id, "Tuesday", 2, offered_until=None, can_take=False, reach=None)
    async with db.read() as session:
        view = await directory.view(session, GUILD, group.group_id)
        assert await directory.seats(session, GUILD, LEO) == ()
    assert (view.taken, view.waiting, view.free) == (2, 2, 0)
    assert len([each for each in await planned(db, "groups.access") if each.member_id == await member_id(db, LEO)]) == 0


async def test_waiting_asks_for_the_agreement_first(db: Database, group: Group) -> None:
    with pytest.raises(AgreementNeeded):
        await ask(db, group, MAYA, waits=True, agreed=None)
    assert MAYA not in await states(db, group)


async def test_waiting_twice_keeps_the_first_place(db: Database, group: Group) -> None:
    await wait(db, group, MAYA, LEO)
    assert await ask(db, group, MAYA, waits=True, agreed=None, now=NOON + DAY) is None
    place = await place_of(db, MAYA)
    assert place is not None
    assert place.number == 1


async def test_whoever_wants_to_wait_where_a_seat_is_free_gets_it(db: Database, group: Group) -> None:
    await leave(db, group, SAM)
    assert await ask(db, group, MAYA, waits=True) is not None
    assert (await states(db, group))[MAYA] == "active"


@pytest.mark.both_databases
async def test_two_who_came_at_the_same_moment_stand_in_the_order_of_their_press(db: Database, group: Group) -> None:
    for user_id in (LEO, MAYA):
        await ask(db, group, user_id, waits=True)
    await leave(db, group, SAM)
    await run_due(db)
    assert (await states(db, group))[LEO] == "offered"


async def test_a_place_is_from_the_welcome_and_not_from_the_hello(db: Database, group: Group) -> None:
    async with db.begin() as session:
        await groups.edit(session, facilitator(), group.group_id, details(capacity=2, hello="yes"), now=NOON)
        said = [
            await hello.say(session, actor(user_id), group.group_id, agreed=AGREED, now=NOON) for user_id in (ANN, MAYA)
        ]
        for minutes, begun in enumerate(reversed(said)):
            await hello.welcome(session, facilitator(), begun.task_id, now=NOON + timedelta(minutes=minutes))
    places = [await place_of(db, user_id) for user_id in (MAYA, ANN)]
    assert [place.number for place in places if place is not None] == [1, 2]
    await leave(db, group, SAM)
    with pytest.raises(InLine):
        await ask(db, group, ANN)
    await run_due(db)
    assert await states(db, group) == {KIM: "active", MAYA: "offered", ANN: "waiting"}


@pytest.mark.parametrize("waits", [False, True])
async def test_nobody_waits_who_has_a_seat_looks_after_the_group_or_was_removed(
    db: Database, group: Group, *, waits: bool
) -> None:
    async with db.begin() as session:
        await groups.remove(session, facilitator(), group.group_id, await member_id(db, KIM), now=NOON)
    for user_id, error in ((SAM, AlreadyMember), (FACILITATOR, NotValid), (KIM, WasRemoved)):
        with pytest.raises(error):
            await ask(db, group, user_id, waits=waits)


async def test_nobody_waits_for_a_group_that_is_closed_or_elsewhere(db: Database, group: Group) -> None:
    async with db.begin() as session:
        await make_guild(session, now=NOON, guild_id=OTHER_GUILD)
        await groups.close(session, facilitator(), group.group_id, now=NOON)
    with pytest.raises(GroupClosed):
        await ask(db, group, MAYA, waits=True)
    for claim in (actor(guild_id=OTHER_GUILD), actor()):
        with pytest.raises(GroupUnknown):
            async with db.begin() as session:
                group_id = group.group_id if claim.guild_id == OTHER_GUILD else 2**62
                await groups.sign_up(session, claim, group_id, agreed=AGREED, waits=True, now=NOON)


# an offer


@pytest.mark.both_databases
async def test_a_seat_that_frees_is_offered_to_the_first_in_line(db: Database, group: Group) -> None:
    await wait(db, group, MAYA, LEO)
    await leave(db, group, SAM)
    [said] = await run_due(db)
    assert said == seats.Offer("Tuesday", NOON + TWO_DAYS, is_last=False, locale="en-US", zone=None)
    assert await states(db, group) == {KIM: "active", MAYA: "offered", LEO: "waiting"}
    place = await place_of(db, MAYA)
    assert place is not None
    assert (place.offered_until, place.can_take) == (NOON + TWO_DAYS, True)
    [letter] = await planned(db, "seats.offer")
    assert (letter.channel_id, letter.member_id) == (None, await member_id(db, MAYA))


async def test_an_offered_seat_is_a_taken_seat(db: Database, group: Group) -> None:
    await wait(db, group, MAYA)
    await leave(db, group, SAM)
    await run_due(db)
    with pytest.raises(GroupFull):
        await ask(db, group, ANN)
    with pytest.raises(NotValid, match="seats are taken"):
        await edit(db, group, 1)
    async with db.read() as session:
        view = await directory.view(session, GUILD, group.group_id)
    assert (view.taken, view.waiting, view.free) == (2, 0, 0)


async def test_taking_the_offer_gives_seat_access_and_welcome_and_ends_the_place(db: Database, group: Group) -> None:
    await wait(db, group, MAYA)
    await leave(db, group, SAM)
    await run_due(db)
    taken = await ask(db, group, MAYA, agreed=None, now=NOON + DAY)
    assert taken is not None
    assert (await states(db, group))[MAYA] == "active"
    assert await place_of(db, MAYA) is None
    mine = await member_id(db, MAYA)
    assert taken.access_id in {each.delivery_id for each in await planned(db, "groups.access")}
    assert mine in {each.member_id for each in await planned(db, "groups.welcome")}
    assert await run_due(db, NOON + 3 * DAY) == []
    assert (await states(db, group))[MAYA] == "active", "the step of the offer does not end the seat"


async def test_taking_twice_is_one_seat_and_kind_words(db: Database, group: Group) -> None:
    await wait(db, group, MAYA)
    await leave(db, group, SAM)
    await run_due(db)
    await ask(db, group, MAYA)
    with pytest.raises(AlreadyMember):
        await ask(db, group, MAYA)


async def test_an_offer_is_taken_under_the_words_of_today(db: Database, group: Group) -> None:
    await wait(db, group, MAYA)
    await leave(db, group, SAM)
    await run_due(db)
    async with db.begin() as session:
        await setup.save_words(session, owner(), danger_policy="We call.", reading_hours="", now=NOON)
    with pytest.raises(AgreementNeeded) as asked:
        await ask(db, group, MAYA, agreed=None)
    assert (await states(db, group))[MAYA] == "offered"
    assert await ask(db, group, MAYA, agreed=asked.value.version) is not None


async def test_asking_to_wait_again_takes_no_offer(db: Database, group: Group) -> None:
    await wait(db, group, MAYA)
    await leave(db, group, SAM)
    await run_due(db)
    assert await ask(db, group, MAYA, waits=True) is None
    assert (await states(db, group))[MAYA] == "offered"


@pytest.mark.both_databases
async def test_not_now_keeps_the_place_and_the_seat_goes_to_the_next(db: Database, group: Group) -> None:
    await wait(db, group, MAYA, LEO)
    await leave(db, group, SAM)
    await run_due(db)
    kept = await passes(db, group, MAYA)
    assert (kept.number, kept.offered_until, kept.can_take) == (1, None, False)
    assert await states(db, group) == {KIM: "active", MAYA: "waiting", LEO: "offered"}
    assert len(await run_due(db)) == 1
    assert (await passes(db, group, MAYA)).number == 1, "a second tap passes nothing on"
    assert (await states(db, group))[LEO] == "offered"


async def test_not_now_is_asked_again_when_another_seat_frees(db: Database, group: Group) -> None:
    await wait(db, group, MAYA, LEO)
    await leave(db, group, SAM)
    await run_due(db)
    await passes(db, group, MAYA)
    await leave(db, group, KIM)
    assert len(await run_due(db)) == 2, "one letter to Leo for the first seat, one to Maya for the second"
    assert await states(db, group) == {MAYA: "offered", LEO: "offered"}


async def test_a_seat_that_everyone_in_line_let_go_is_open_to_anyone(db: Database, group: Group) -> None:
    await wait(db, group, MAYA, LEO)
    await leave(db, group, SAM)
    await run_due(db)
    await passes(db, group, MAYA)
    await passes(db, group, LEO)
    async with db.read() as session:
        view = await directory.view(session, GUILD, group.group_id)
    assert (view.taken, view.waiting, view.free) == (1, 2, 1)
    place = await place_of(db, LEO)
    assert place is not None
    assert place.can_take, "whoever changes their mind may have it too"
    assert await ask(db, group, ANN) is not None
    with pytest.raises(InLine):
        await ask(db, group, LEO)


async def test_changing_ones_mind_takes_a_seat_that_nobody_wanted(db: Database, group: Group) -> None:
    await wait(db, group, MAYA)
    await leave(db, group, SAM)
    await run_due(db)
    await passes(db, group, MAYA)
    assert await ask(db, group, MAYA) is not None


async def test_nobody_jumps_the_line_between_leaving_and_offering(db: Database, group: Group) -> None:
    await wait(db, group, MAYA, LEO)
    await leave(db, group, SAM)
    async with db.read() as session:
        assert (await directory.view(session, GUILD, group.group_id)).free == 0
        assert (await directory.page(session, GUILD, free=True)).groups == ()
    with pytest.raises(GroupFull):
        await ask(db, group, ANN)
    with pytest.raises(InLine):
        await ask(db, group, LEO)
    assert await ask(db, group, MAYA) is not None, "she is the next to be offered"


@pytest.mark.both_databases
@pytest.mark.parametrize(("offers", "state"), [(1, "waiting"), (2, None)])
async def test_no_answer_keeps_the_place_once(db: Database, group: Group, offers: int, state: str | None) -> None:
    await wait(db, group, MAYA, LEO)
    moment = NOON
    for number, leaver in enumerate((SAM, KIM)[:offers]):
        await leave(db, group, leaver, now=moment)
        said = await run_due(db, moment)
        assert next(each.is_last for each in said if each.until == moment + TWO_DAYS) is bool(number)
        if number == 0:
            await run_due(db, moment + TWO_DAYS - timedelta(seconds=1))
            assert (await states(db, group))[MAYA] == "offered", "not before its end"
        moment += TWO_DAYS
        await run_due(db, moment)
        if number == 0:
            assert (await states(db, group))[LEO] == "offered"
            await ask(db, group, LEO, now=moment)
    assert (await states(db, group)).get(MAYA) == state


async def test_an_answer_begins_the_count_anew(db: Database, group: Group) -> None:
    await wait(db, group, MAYA)
    await leave(db, group, SAM)
    await run_due(db)
    await run_due(db, NOON + TWO_DAYS)
    assert (await row(db, MAYA)).unanswered == 1
    await leave(db, group, KIM, now=NOON + TWO_DAYS)
    await run_due(db, NOON + TWO_DAYS)
    await passes(db, group, MAYA, NOON + TWO_DAYS)
    assert (await row(db, MAYA)).unanswered == 0


async def test_a_late_take_is_met_kindly(db: Database, group: Group) -> None:
    await wait(db, group, MAYA, LEO)
    await leave(db, group, SAM)
    await run_due(db)
    late = NOON + TWO_DAYS
    await run_due(db, late)
    with pytest.raises(InLine):
        await ask(db, group, MAYA, now=late)
    await passes(db, group, LEO, late)
    assert await ask(db, group, MAYA, now=late) is not None, "the seat is open to anyone again"


async def test_leaving_the_line_with_an_offer_offers_the_seat_to_the_next(db: Database, group: Group) -> None:
    await wait(db, group, MAYA, LEO)
    await leave(db, group, SAM)
    await run_due(db)
    await leaves_line(db, group, MAYA)
    assert await states(db, group) == {KIM: "active", LEO: "offered"}
    with pytest.raises(NotInLine):
        await leaves_line(db, group, MAYA)
    with pytest.raises(NotInLine):
        await passes(db, group, MAYA)


@pytest.mark.both_databases
async def test_the_number_goes_down_and_never_up(db: Database, group: Group) -> None:
    await wait(db, group, MAYA, LEO, ANN)
    for happens, number in (
        (leave(db, group, SAM), 3),
        (run_due(db), 3),
        (passes(db, group, MAYA), 3),
        (leaves_line(db, group, MAYA), 2),
        (ask(db, group, LEO), 1),
    ):
        await happens
        place = await place_of(db, ANN)
        assert place is not None
        assert place.number == number
