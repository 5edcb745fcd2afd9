"""Signing up to a group, resting, coming back and leaving, as members and facilitators live it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from peerbot import directory
from peerbot.rehearsal.forms import Form
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.seen import Seen, Shown
from tests.stories.stage import Stage

WELCOME = "You're in. Glad you are here."
FULL = "Tuesday meeting is full right now"
REST = "You are resting. Your seat is kept until"
NO_LONGER = "You are not in **Tuesday meeting** any more. Nothing was changed."


async def group_card(person: Person, name: str = "Tuesday meeting") -> Shown:
    """Have somebody look at a group."""
    return await person.press(await person.slash("/groups"), name)


async def leave(person: Person) -> Shown:
    """Have somebody leave their first group."""
    return await person.press(await person.press(await person.slash("/my"), "Leave"), "Leave")


async def chosen(stage: Stage, name: str) -> Shown:
    """Have Ana choose a person of her group."""
    return await stage.ana.choose(await stage.people_of(), "Choose a person", name)


async def removed(stage: Stage, name: str, **answers: object) -> Shown:
    """Have Ana remove a person."""
    form = await stage.ana.press(await chosen(stage, name), "Remove")
    return await form.send(answers)


@pytest.mark.both_databases
async def test_a_member_finds_a_group_agrees_and_gets_into_its_room(stage: Stage) -> None:
    await stage.new_group()
    assert not stage.maya.can_see(stage.room())
    welcome = await stage.join(stage.maya)
    assert WELCOME in welcome
    assert welcome.ephemeral
    assert isinstance(welcome, Seen)
    assert welcome.links["Open the room"].endswith(str(stage.room()["id"]))
    assert stage.maya.can_see(stage.room())
    assert not stage.sam.can_see(stage.room())


async def test_one_card_tells_the_story_from_the_list_to_the_welcome(stage: Stage) -> None:
    await stage.new_group()
    await stage.join(stage.maya)
    assert len([seen for seen in stage.maya.sees() if seen.ephemeral]) == 1


async def test_the_panel_leads_in_and_stays_as_it_is(stage: Stage) -> None:
    await stage.new_group()
    await stage.later(seconds=6)
    panel = stage.panel_card()
    agreement = await stage.maya.press(await stage.maya.press(panel, "Tuesday meeting"), "Join")
    assert agreement.ephemeral
    assert WELCOME in await stage.maya.press(agreement, "I agree")
    await stage.later(seconds=6)
    assert stage.panel_card().message_id == panel.message_id
    assert "You are in no group right now" in await stage.sam.press(panel, "My groups")
    assert "Groups" in await stage.sam.press(panel, "All groups")


async def test_nobody_else_learns_who_joined(stage: Stage) -> None:
    await stage.new_group()
    await stage.ana.slash("/group panel", group="Tuesday meeting")
    seen_before = {seen.message_id for seen in stage.sam.sees()}
    await stage.join(stage.maya)
    await stage.later(seconds=6)
    public = [seen for channel in stage.guild.channels.values() for seen in stage.posted(channel)]
    assert public
    for seen in public:
        assert "Maya" not in seen
        assert str(stage.maya.user_id) not in str(seen.wire["components"]) + seen.text
    assert {seen.message_id for seen in stage.sam.sees()} == seen_before
    for who in (stage.sam, stage.joe):
        assert "Maya" not in await group_card(who)


async def test_a_roster_that_takes_long_is_private_from_its_first_sign_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.new_group()
    await stage.join(stage.maya)
    stage.ana.go_to(stage.panel)
    before = [{seen.message_id for seen in who.sees(stage.panel)} for who in (stage.sam, stage.joe, stage.olive)]
    look, deferred = directory.roster, asyncio.Event()
    stop = stage.world.listen(lambda happening: deferred.set() if "callback" in str(happening.details) else None)

    async def slow(*args: Any) -> directory.Roster:
        await asyncio.wait_for(deferred.wait(), 5)  # until the library has said that an answer is coming
        return await look(*args)

    monkeypatch.setattr(directory, "roster", slow)
    roster = await stage.people_of()
    stop()
    assert "Maya" in roster
    assert roster.ephemeral
    after = [{seen.message_id for seen in who.sees(stage.panel)} for who in (stage.sam, stage.joe, stage.olive)]
    assert after == before


async def test_only_the_facilitator_who_asks_sees_the_roster(stage: Stage) -> None:
    await stage.new_group()
    await stage.join(stage.maya)
    stage.ana.go_to(stage.panel)
    before = [{seen.message_id for seen in who.sees(stage.panel)} for who in (stage.sam, stage.joe, stage.olive)]
    roster = await stage.people_of()
    assert "Maya" in roster
    assert "1 of 12 seats taken" in roster
    assert roster.ephemeral
    person = await chosen(stage, "Maya")
    assert person.ephemeral
    after = [{seen.message_id for seen in who.sees(stage.panel)} for who in (stage.sam, stage.joe, stage.olive)]
    assert after == before


async def test_the_room_is_greeted_without_a_name(stage: Stage) -> None:
    await stage.new_group()
    await stage.join(stage.maya)
    (greeting,) = stage.posted(stage.room())
    assert "Someone new is here. Welcome!" in greeting
    assert greeting.labels == ["Help now"]
    assert stage.world.pings == []


async def test_the_agreement_is_shown_once(stage: Stage) -> None:
    await stage.new_group()
    await stage.new_group("Quiet hour")
    await stage.join(stage.maya)
    assert WELCOME in await stage.maya.press(await group_card(stage.maya, "Quiet hour"), "Join")


async def test_a_changed_agreement_is_asked_at_the_next_join_and_blocks_nothing_else(stage: Stage) -> None:
    await stage.new_group()
    await stage.new_group("Quiet hour")
    await stage.join(stage.maya)
    setup = await (await stage.olive.slash("/setup")).send({})
    form = await stage.olive.press(setup, "Agreement")
    await form.send({form.labels[0]: "We call an ambulance."})
    rested = await stage.maya.press(await stage.maya.slash("/my"), "Pause")
    assert REST in rested
    assert "You have left" in await leave(stage.maya)
    agreement = await stage.maya.press(await group_card(stage.maya, "Quiet hour"), "Join")
    assert "We call an ambulance." in agreement
    assert WELCOME in await stage.maya.press(agreement, "I agree")


async def test_words_that_changed_while_one_reads_are_shown_before_one_is_in(stage: Stage) -> None:
    await stage.new_group()
    agreement = await stage.maya.press(await group_card(stage.maya), "Join")
    setup = await (await stage.olive.slash("/setup")).send({})
    form = await stage.olive.press(setup, "Agreement")
    await form.send({form.labels[0]: "We call an ambulance."})
    again = await stage.maya.press(agreement, "I agree")
    assert "We call an ambulance." in again
    assert not stage.maya.can_see(stage.room())
    assert WELCOME in await stage.maya.press(again, "I agree")


async def test_a_form_that_changes_no_words_asks_nobody_again(stage: Stage) -> None:
    await stage.new_group()
    await stage.join(stage.maya)
    await leave(stage.maya)
    setup = await (await stage.olive.slash("/setup")).send({})
    await (await stage.olive.press(setup, "Agreement")).send({})
    assert WELCOME in await stage.maya.press(await group_card(stage.maya), "Join")


async def test_not_now_leads_back_without_a_seat(stage: Stage) -> None:
    await stage.new_group()
    agreement = await stage.maya.press(await group_card(stage.maya), "Join")
    card = await stage.maya.press(agreement, "Not now")
    assert "0 of 12 seats taken" in card
    assert "Join" in card.labels
    assert not stage.maya.can_see(stage.room())


@pytest.mark.both_databases
async def test_a_double_tap_is_one_seat_and_kind_words(stage: Stage) -> None:
    await stage.new_group()
    agreement = await stage.maya.press(await group_card(stage.maya), "Join")
    await asyncio.gather(*(stage.maya.tap(agreement, "I agree") for _ in range(2)))
    await stage.world.settle()
    texts = [seen.text for seen in stage.maya.sees() if seen.ephemeral]
    assert any(WELCOME in text for text in texts)
    assert any("You are already in **Tuesday meeting**" in text for text in texts)
    assert not any("went wrong" in text for text in texts)
    assert "1 of 12 seats taken" in await stage.people_of()


@pytest.mark.both_databases
async def test_of_two_people_on_the_last_seat_one_gets_in_and_one_reads_kind_words(stage: Stage) -> None:
    await stage.new_group("Tuesday meeting", Seats="1")
    both = (stage.maya, stage.sam)
    for who in both:
        await stage.join(who)
        await leave(who)
    for _ in range(4):
        cards = [await group_card(who) for who in both]
        answers = await asyncio.gather(*(who.press(card, "Join") for who, card in zip(both, cards, strict=True)))
        await stage.world.settle()
        assert sorted([WELCOME in answers[0], WELCOME in answers[1]]) == [False, True]
        assert sorted([FULL in answers[0], FULL in answers[1]]) == [False, True]
        winner = both[WELCOME in answers[1]]
        assert [who.can_see(stage.room()) for who in both] == [who is winner for who in both]
        await leave(winner)


async def test_a_full_group_says_so_kindly_and_offers_others(stage: Stage) -> None:
    await stage.new_group("Tuesday meeting", Seats="1")
    await stage.new_group("Quiet hour")
    await stage.new_group("Full house", Seats="1")
    await stage.join(stage.lee, "Full house")
    card = await group_card(stage.sam)
    await stage.join(stage.maya)
    full = await stage.sam.press(card, "Join")
    assert FULL in full
    assert "You did nothing wrong." in full
    assert "Quiet hour" in full.labels
    assert "Full house" not in full.labels
    agreement = await stage.sam.press(await stage.sam.press(full, "Quiet hour"), "Join")
    assert WELCOME in await stage.sam.press(agreement, "I agree")


async def test_nobody_reads_an_agreement_for_a_group_that_is_full(stage: Stage) -> None:
    await stage.new_group("Tuesday meeting", Seats="1")
    card = await group_card(stage.sam)
    await stage.join(stage.maya)
    assert "I agree" not in (await stage.sam.press(card, "Join")).labels
    assert "Join" not in (await group_card(stage.sam)).labels


@pytest.mark.both_databases
async def test_whoever_leaves_is_out_and_their_seat_is_free(stage: Stage) -> None:
    await stage.new_group("Tuesday meeting", Seats="1")
    await stage.join(stage.maya)
    mine = await stage.maya.slash("/my")
    assert "Tuesday meeting" in mine
    sure = await stage.maya.press(mine, "Leave")
    assert "Leave Tuesday meeting?" in sure
    assert stage.maya.can_see(stage.room())
    assert "You have left Tuesday meeting" in await stage.maya.press(sure, "Leave")
    assert not stage.maya.can_see(stage.room())
    assert "You are in no group right now" in await stage.maya.slash("/my")
    assert WELCOME in await stage.join(stage.sam)


async def test_leaving_says_nothing_to_anybody(stage: Stage) -> None:
    await stage.new_group()
    await stage.join(stage.maya)
    before = [len(stage.posted(channel)) for channel in stage.guild.channels.values()]
    await leave(stage.maya)
    await stage.later(seconds=6)
    assert [len(stage.posted(channel)) for channel in stage.guild.channels.values()] == before


async def test_staying_after_the_question_changes_nothing(stage: Stage) -> None:
    await stage.new_group()
    await stage.join(stage.maya)
    sure = await stage.maya.press(await stage.maya.slash("/my"), "Leave")
    assert "Tuesday meeting" in await stage.maya.press(sure, "Stay")
    assert stage.maya.can_see(stage.room())


async def test_old_buttons_of_somebody_who_left_change_nothing(stage: Stage) -> None:
    await stage.new_group()
    await stage.join(stage.maya)
    sure = await stage.maya.press(await stage.maya.slash("/my"), "Leave")
    old = [await stage.maya.slash("/my") for _ in range(2)]
    await stage.maya.press(sure, "Leave")
    assert NO_LONGER in await stage.maya.press(old[0], "Leave")
    assert NO_LONGER in await stage.maya.press(old[1], "Pause")


async def test_a_pause_keeps_the_seat_and_the_room(stage: Stage) -> None:
    await stage.new_group("Tuesday meeting", Seats="1")
    await stage.join(stage.maya)
    rested = await stage.maya.press(await stage.maya.slash("/my"), "Pause")
    assert REST in rested
    assert "I'm back" in rested.labels
    assert stage.maya.can_see(stage.room())
    assert "(resting)" in await stage.people_of()
    assert "Full right now" in await group_card(stage.sam)
    back = await stage.maya.press(rested, "I'm back")
    assert REST not in back
    assert "Pause" in back.labels
    await stage.later(weeks=13)
    assert stage.maya.can_see(stage.room())


@pytest.mark.both_databases
async def test_a_pause_of_twelve_weeks_gives_the_seat_to_somebody_else(stage: Stage) -> None:
    await stage.new_group("Tuesday meeting", Seats="1")
    await stage.join(stage.maya)
    await stage.maya.press(await stage.maya.slash("/my"), "Pause")
    await stage.later(weeks=12, seconds=-60)
    assert stage.maya.can_see(stage.room())
    await stage.later(seconds=120)
    assert not stage.maya.can_see(stage.room())
    assert WELCOME in await stage.join(stage.sam)


async def test_my_card_shows_every_group_and_only_ones_own(stage: Stage) -> None:
    for name in ("Tuesday meeting", "Quiet hour", "Third room"):
        await stage.new_group(name)
    await stage.join(stage.maya, "Tuesday meeting")
    await stage.join(stage.maya, "Third room")
    mine = await stage.maya.slash("/my")
    assert mine.ephemeral
    assert "Tuesday meeting" in mine
    assert "Third room" in mine
    assert "Quiet hour" not in mine
    assert mine.labels.count("Leave") == 2


async def test_somebody_who_was_removed_is_out_and_reads_no_reason(stage: Stage) -> None:
    await stage.new_group()
    await stage.join(stage.maya)
    roster = await removed(stage, "Maya", Reason="The agreement was not kept")
    assert "**Removed**" in roster
    await stage.world.settle()
    assert not stage.maya.can_see(stage.room())
    again = await stage.maya.press(await group_card(stage.maya), "Join")
    assert "You can't join **Tuesday meeting** right now." in again
    assert "agreement" not in again
    assert "Reason, for facilitators only: The agreement was not kept" in await chosen(stage, "Maya")
    assert [seen for seen in stage.told() if "Maya" in seen] == []
    assert "You are in no group right now" in await stage.maya.slash("/my")


async def test_no_reason_is_a_fine_reason(stage: Stage) -> None:
    await stage.new_group()
    await stage.join(stage.maya)
    form = await stage.ana.press(await chosen(stage, "Maya"), "Remove")
    assert isinstance(form, Form)
    assert form.fields["Reason"].value == "I'd rather not say"
    assert "**Removed**" in await form.send({"Reason": None})
    assert "Reason" not in await chosen(stage, "Maya")


async def test_somebody_who_was_let_back_can_join_again(stage: Stage) -> None:
    await stage.new_group()
    await stage.join(stage.maya)
    await removed(stage, "Maya")
    roster = await stage.ana.press(await chosen(stage, "Maya"), "Let them back")
    assert "**Removed**" not in roster
    assert WELCOME in await stage.maya.press(await group_card(stage.maya), "Join")
    await stage.world.settle()
    assert stage.maya.can_see(stage.room())


async def test_somebody_who_left_meanwhile_cannot_be_removed(stage: Stage) -> None:
    await stage.new_group()
    await stage.join(stage.maya)
    roster = await stage.people_of()
    form = await stage.ana.press(await chosen(stage, "Maya"), "Remove")
    await leave(stage.maya)
    assert "not in" in await form.send({})
    assert "They are not in this group any more" in await stage.ana.choose(roster, "Choose a person", "Maya")


async def test_a_second_facilitator_sees_the_room_and_the_roster(stage: Stage) -> None:
    created = await stage.new_group()
    form = await stage.ana.press(await stage.ana.press(created, "People"), "Add a facilitator")
    roster = await form.send({"Who?": stage.joe})
    assert "Joe" in roster
    await stage.world.settle()
    assert stage.joe.can_see(stage.room())
    assert "Ana" in await stage.people_of(by=stage.joe)
    assert stage.joe.mention in await group_card(stage.maya)


async def test_a_facilitator_who_is_taken_off_the_list_is_out(stage: Stage) -> None:
    await stage.new_group()
    form = await stage.ana.press(await stage.people_of(), "Add a facilitator")
    await form.send({"Who?": stage.joe})
    roster = await stage.ana.press(await chosen(stage, "Joe"), "Take off the list")
    assert "Joe" not in roster
    await stage.world.settle()
    assert not stage.joe.can_see(stage.room())
    assert "Only facilitators of" in await stage.people_of(by=stage.joe)


@pytest.mark.parametrize("who", ["Maya", "peerbot"])
async def test_somebody_without_the_role_becomes_no_facilitator(stage: Stage, who: str) -> None:
    await stage.new_group()
    form = await stage.ana.press(await stage.people_of(), "Add a facilitator")
    target = stage.maya if who == "Maya" else stage.guild.members[stage.application.bot_id]
    answer = await form.send({"Who?": target})
    assert ("They need the facilitator role first" if who == "Maya" else "I can't find that person") in answer
    assert not stage.maya.can_see(stage.room())


async def test_a_member_who_becomes_facilitator_gives_the_seat_free(stage: Stage) -> None:
    await stage.new_group("Tuesday meeting", Seats="1")
    await stage.join(stage.joe)
    form = await stage.ana.press(await stage.people_of(), "Add a facilitator")
    assert "0 of 1 seats taken" in await form.send({"Who?": stage.joe})
    await stage.world.settle()
    assert stage.joe.can_see(stage.room())
    assert "so you are in already" in await stage.joe.press(await group_card(stage.joe), "Join")


async def test_groups_are_found_by_topic_and_by_free_seat(stage: Stage) -> None:
    await stage.new_group("Tuesday meeting", Seats="1")
    await stage.new_group("Quiet hour", Topic="Rest")
    await stage.new_group("Loud hour", Topic="Rest", Seats="1")
    await stage.join(stage.maya)
    await stage.join(stage.maya, "Loud hour")
    by_topic = await stage.sam.slash("/groups", topic="rest")
    assert [name for name in by_topic.labels if "hour" in name or "meeting" in name] == ["Loud hour", "Quiet hour"]
    free = await stage.sam.slash("/groups", free=True)
    assert [name for name in free.labels if "hour" in name or "meeting" in name] == ["Quiet hour"]
    both = await stage.sam.press(by_topic, "With a free seat")
    assert [name for name in both.labels if "hour" in name or "meeting" in name] == ["Quiet hour"]
    every = await stage.sam.press(both, "Show all")
    assert "Loud hour" in every.labels
    chosen_topic = await stage.sam.choose(every, "Choose a topic", "Rebuilding")
    assert "Tuesday meeting" in chosen_topic.labels
    assert "Quiet hour" not in chosen_topic.labels


async def test_twenty_groups_are_read_page_by_page(stage: Stage) -> None:
    names = [f"Group {number:02d}" for number in range(20)]
    await stage.groups_without_rooms(*names)
    page = await stage.maya.slash("/groups")
    read = [label for label in page.labels if label.startswith("Group ")]
    assert "Back" not in page.labels
    while "More" in page.labels:
        page = await stage.maya.press(page, "More")
        read += [label for label in page.labels if label.startswith("Group ")]
    assert read == names
    back = await stage.maya.press(page, "Back")
    assert "Group 12" in back.labels
