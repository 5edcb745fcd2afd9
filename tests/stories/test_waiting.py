"""Waiting in line for a seat, being offered one, taking it or letting it go, as people live it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from peerbot.models import Delivery
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.seen import Seen, Shown
from tests.stories.stage import Stage

WELCOME = "You're in. Glad you are here."
OFFER = "A seat is free for you."
OLD_BUTTON = "This button is from an older time"
NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture
async def full(stage: Stage) -> Stage:
    """Kim has the only seat of a group. It is noon, and no quiet hour is near."""
    await stage.new_group("Tuesday meeting", Seats="1")
    await stage.new_group("Quiet hour")
    await stage.join(stage.kim)
    await until(stage, 12)
    return stage


async def until(stage: Stage, hour: int) -> None:
    """Let time pass until this hour of the day in New York."""
    here = stage.clock.now().astimezone(NEW_YORK)
    then = here.replace(hour=hour, minute=0, second=0, microsecond=0)
    then += timedelta(days=1) if then <= here else timedelta()
    await stage.later(seconds=(then.astimezone(UTC) - stage.clock.now()).total_seconds())


async def group_card(person: Person, name: str = "Tuesday meeting") -> Shown:
    return await person.press(await person.slash("/groups"), name)


async def wait(person: Person) -> Shown:
    """Have somebody wait in line; return their place."""
    seen = await person.press(await group_card(person), "Wait in line")
    return await person.press(seen, "I agree") if "I agree" in seen.labels else seen


async def leave(stage: Stage, person: Person) -> None:
    """Have somebody leave the group, and wait for what follows."""
    sure = await person.press(await person.slash("/my"), "Leave")
    await person.press(sure, "Leave")
    await stage.world.settle()


async def letters(stage: Stage) -> list[Delivery]:
    assert stage.db is not None
    async with stage.db.read() as session:
        found = select(Delivery).where(Delivery.kind.in_(("seats.offer", "seats.closed")))
        return list((await session.scalars(found.order_by(Delivery.delivery_id))).all())


async def test_a_full_group_offers_the_line_and_waiting_is_private(full: Stage) -> None:
    await full.ana.slash("/group panel", group="Tuesday meeting")
    card = await group_card(full.maya)
    assert "1 of 1 seats taken. Full right now." in card
    assert "Wait in line, and I write to you when a seat is free." in str(card).replace("*", "")
    assert "Groups with a free seat" in card.labels
    agreement = await full.maya.press(card, "Wait in line")
    assert "Before you wait for Tuesday meeting" in agreement
    assert "When a seat is free, the bot writes to me." in agreement
    place = await full.maya.press(agreement, "I agree")
    assert place.ephemeral
    assert "You are first in line. I will write to you in a direct message when a seat is free." in place
    assert "Quiet hour" in place.labels
    assert "You are second in line." in await wait(full.sam)
    await full.later(minutes=10)  # an old card is redrawn less often
    assert "1 of 1 seats taken, 2 waiting. Full right now." in full.group_card()
    assert "1 of 1 seats taken, 2 waiting" in full.panel_card()
    public = [seen for channel in full.guild.channels.values() for seen in full.posted(channel)]
    assert [seen for seen in public if "Maya" in seen or full.maya.mention in seen] == []
    assert not full.maya.can_see(full.room())


async def test_the_agreement_of_the_line_can_be_declined(full: Stage) -> None:
    agreement = await full.maya.press(await group_card(full.maya), "Wait in line")
    assert "Wait in line" in (await full.maya.press(agreement, "Not now")).labels
    assert "You are in no group right now" in await full.maya.slash("/my")


async def test_somebody_who_finds_a_full_group_at_the_last_moment_may_wait(full: Stage) -> None:
    card = await group_card(full.maya, "Quiet hour")
    await (await full.ana.slash("/group edit", group="Quiet hour")).send({"Seats": "1"})
    await full.join(full.sam, "Quiet hour")
    seen = await full.maya.press(card, "Join")
    assert "Quiet hour is full right now" in seen
    place = await full.maya.press(await full.maya.press(seen, "Wait in line"), "I agree")
    assert "You are first in line." in place


@pytest.mark.both_databases
async def test_a_seat_that_frees_is_offered_and_taken_from_my(full: Stage) -> None:
    await wait(full.maya)
    await wait(full.sam)
    await leave(full, full.kim)
    assert "Join" not in (await group_card(full.lee)).labels
    mine = await full.maya.slash("/my")
    assert OFFER in mine
    assert {"Take it", "Not now", "Leave the line"} <= set(mine.labels)
    assert OFFER not in await full.sam.slash("/my")
    welcome = await full.maya.press(mine, "Take it")
    assert WELCOME in welcome
    await full.world.settle()
    assert full.maya.can_see(full.room())
    assert "You are first in line." in await full.sam.slash("/my")
    assert len(await letters(full)) == len(full.maya.inbox) == 1


async def test_a_double_tap_on_an_offer_is_one_seat_and_kind_words(full: Stage) -> None:
    await wait(full.maya)
    await leave(full, full.kim)
    mine = await full.maya.slash("/my")
    await asyncio.gather(*(full.maya.tap(mine, "Take it") for _ in range(2)))
    await full.world.settle()
    texts = [seen.text for seen in full.maya.sees() if seen.ephemeral]
    assert any(WELCOME in text or "You are already in **Tuesday meeting**" in text for text in texts)
    assert not any("went wrong" in text for text in texts)
    assert "1 of 1 seats taken" in await full.people_of()


async def test_not_now_keeps_the_place_and_the_next_person_has_the_offer(full: Stage) -> None:
    await wait(full.maya)
    await wait(full.sam)
    await leave(full, full.kim)
    mine = await full.maya.slash("/my")
    old = await full.maya.slash("/my")
    kept = await full.maya.press(mine, "Not now")
    assert "That is fine. You keep your place." in kept
    assert "You are first in line." in kept
    assert OFFER in await full.sam.slash("/my")
    late = await full.maya.press(old, "Take it")
    assert "This seat is not free any more. That is fine. You keep your place in line." in late
    assert "You are first in line." in late
    assert "not free" not in await full.maya.slash("/my")
    await full.sam.press(await full.sam.slash("/my"), "Not now")
    assert "A seat is free right now. You can take it." in await full.maya.slash("/my")
    assert WELCOME in await full.join(full.lee)


async def test_no_answer_in_two_days_gives_the_offer_to_the_next(full: Stage) -> None:
    await wait(full.maya)
    await wait(full.sam)
    await leave(full, full.kim)
    await full.later(hours=48, minutes=1)
    assert "You are first in line." in await full.maya.slash("/my")
    mine = await full.sam.slash("/my")
    assert OFFER in mine
    assert WELCOME in await full.sam.press(mine, "Take it")


async def test_an_offer_made_at_night_stands_in_my_at_once_and_is_written_in_the_morning(full: Stage) -> None:
    await wait(full.maya)
    await until(full, 23)
    await leave(full, full.kim)
    assert OFFER in await full.maya.slash("/my")
    (letter,) = await letters(full)
    told: datetime = letter.due_at.astimezone(NEW_YORK)
    assert (told.hour, told.minute) == (8, 0)


async def test_leaving_the_line_asks_once_and_tells_nobody(full: Stage) -> None:
    await wait(full.maya)
    sure = await full.maya.press(await full.maya.slash("/my"), "Leave the line")
    assert "Leave the line for Tuesday meeting?" in sure
    place = await full.maya.press(sure, "Stay in line")
    assert "You are first in line." in place
    old = await full.maya.slash("/my")
    left = await full.maya.press(await full.maya.press(place, "Leave the line"), "Leave the line")
    assert "You have left the line for Tuesday meeting" in left
    assert "You are in no group right now" in await full.maya.slash("/my")
    assert "You are not in line for **Tuesday meeting** any more." in await full.maya.press(old, "Leave the line")


async def test_facilitators_see_the_line_and_can_take_somebody_out_of_it(full: Stage) -> None:
    await wait(full.maya)
    await wait(full.sam)
    await leave(full, full.kim)
    people = await full.people_of()
    assert "1: Maya (a seat is offered)" in people
    assert "2: Sam" in people
    person = await full.ana.choose(people, "Choose a person", "Maya")
    assert "In line: number 1." in person
    await (await full.ana.press(person, "Remove")).send({})
    await full.world.settle()
    assert OFFER in await full.sam.slash("/my")
    assert "Maya" in (await full.people_of()).text.split("Removed")[1]
    assert "You can't join **Tuesday meeting** right now." in await full.maya.press(
        await group_card(full.maya), "Wait in line"
    )


async def test_more_seats_are_offered_to_the_line(full: Stage) -> None:
    await wait(full.maya)
    await (await full.ana.slash("/group edit", group="Tuesday meeting")).send({"Seats": "2"})
    await full.world.settle()
    assert OFFER in await full.maya.slash("/my")


async def test_a_group_that_closes_ends_its_line_and_old_buttons_say_so(full: Stage) -> None:
    await wait(full.maya)
    await wait(full.sam)
    await leave(full, full.kim)
    mine = await full.maya.slash("/my")
    sure = await full.ana.slash("/group close", group="Tuesday meeting")
    assert "Its line ends. I write to everyone in it." in sure
    await full.ana.press(sure, "Close the group")
    await full.world.settle()
    assert "You are in no group right now" in await full.maya.slash("/my")
    assert "**Tuesday meeting** has closed." in await full.maya.press(mine, "Take it")
    assert [letter.kind for letter in await letters(full)].count("seats.closed") == 2


async def test_whoever_leaves_the_server_with_an_offer_keeps_the_place_and_not_the_seat(full: Stage) -> None:
    await wait(full.maya)
    await wait(full.sam)
    await leave(full, full.kim)
    full.maya.leaves()
    await full.world.settle()
    assert OFFER in await full.sam.slash("/my")
    full.maya.rejoins()
    await full.world.settle()
    assert "You are first in line." in await full.maya.slash("/my")


async def test_forged_presses_give_nobody_what_is_not_theirs(full: Stage) -> None:
    await wait(full.maya)
    await leave(full, full.kim)
    mine = await full.maya.slash("/my")
    assert isinstance(mine, Seen)
    here, group_id = full.guild.id, (await letters(full))[0].group_id
    for verb in ("take", "not-now", "leave-sure", "place", "wait", "leave"):
        for key in (f"{here + 1}.{group_id}", f"{2**63}.{group_id}", f"{10**19 - 1}.1", f"0.{group_id}"):
            assert OLD_BUTTON in await full.sam.forged(full.panel_card(), f"seats:{verb}:{key}"), (verb, key)
        for key in (f"{here}.999999", f"{here}.{10**18 - 1}"):
            assert "I can't find that group" in await full.sam.forged(full.panel_card(), f"seats:{verb}:{key}")
    for verb in ("not-now", "leave-sure", "place", "leave"):
        seen = await full.sam.forged(full.panel_card(), f"seats:{verb}:{here}.{group_id}")
        assert "I can't find that group" in seen, "whom the server does not know learns no group's name"
    assert "is full right now" in await full.sam.forged(full.panel_card(), f"seats:take:{here}.{group_id}")
    assert OFFER in await full.maya.slash("/my")


@pytest.mark.both_databases
async def test_an_offer_arrives_as_a_letter_and_is_taken_there(full: Stage) -> None:
    await wait(full.maya)
    await leave(full, full.kim)
    (letter,) = full.maya.inbox
    assert "A seat is free for you in **Tuesday meeting**." in letter
    assert letter.labels == ["Take it", "Not now", "Help now"]
    assert "depress" not in letter.text.lower()
    assert WELCOME in await full.maya.press(letter, "Take it")
    await full.world.settle()
    assert full.maya.can_see(full.room())
    assert "You are already in **Tuesday meeting**" in await full.maya.press(letter, "Take it")
    assert "You are not in line" in await full.maya.press(letter, "Not now")


async def test_not_now_in_the_letter_shows_the_place_there(full: Stage) -> None:
    await wait(full.maya)
    await leave(full, full.kim)
    (letter,) = full.maya.inbox
    kept = await full.maya.press(letter, "Not now")
    assert "You keep your place." in kept
    assert "Quiet hour" not in kept.labels, "buttons of the server do not work in a letter"
    assert "You have left the line" in await full.maya.press(
        await full.maya.press(kept, "Leave the line"), "Leave the line"
    )


async def test_an_offer_made_at_night_is_written_in_the_morning(full: Stage) -> None:
    await wait(full.maya)
    await until(full, 23)
    await leave(full, full.kim)
    await full.later(hours=8, minutes=30)
    assert full.maya.inbox == []
    await until(full, 8)
    await full.later(minutes=1)
    assert "A seat is free for you in **Tuesday meeting**." in full.maya.inbox[0]


async def test_a_letter_pressed_by_somebody_who_left_the_server_gives_no_seat(full: Stage) -> None:
    await wait(full.maya)
    await leave(full, full.kim)
    (letter,) = full.maya.inbox
    full.maya.leaves()
    await full.world.settle()
    assert "You are not in that server right now." in await full.maya.press(letter, "Take it")
    assert "1 of 1 seats taken" not in await full.people_of()


async def test_a_group_that_closes_writes_to_everyone_in_line(full: Stage) -> None:
    await wait(full.maya)
    await full.ana.press(await full.ana.slash("/group close", group="Tuesday meeting"), "Close the group")
    await full.world.settle()
    (letter,) = full.maya.inbox
    assert "**Tuesday meeting** has closed, so its line has ended." in letter
    assert "Find a group" in letter.links
