"""A hello before a seat: asking first, being welcomed, and being told kindly that it is another group."""

from __future__ import annotations

import asyncio

from peerbot.rehearsal import wire
from peerbot.rehearsal.permissions import Bit
from tests.stories.conftest import NEEDED
from tests.stories.hellos import (
    WHO,
    asks,
    board,
    hello,
    hello_group,
    said,
    says_hello,
    task_card,
    tasks_shown,
    thread_of,
    threads_of,
)
from tests.stories.stage import Stage

__all__ = ["hello"]  # pytest finds fixtures by their names here

SEAT = "Welcome! You have a seat in **Tuesday meeting**."
GONE = "This is done already."


async def test_the_card_says_that_a_hello_comes_first(stage: Stage) -> None:
    await hello_group(stage)
    await stage.ana.slash("/group panel", group="Tuesday meeting")
    await stage.world.settle()
    card = stage.group_card()
    assert "Say hello first: a facilitator writes to you, then you join." in card
    assert card.labels == ["Join", "Ask first", "Help now"]


async def test_asking_first_opens_a_thread_for_the_person_and_the_groups_facilitators(stage: Stage) -> None:
    await stage.new_group()
    await stage.new_group("Owls", by=stage.joe)
    seen = await asks(stage, stage.maya)
    thread = thread_of(stage.maya)
    assert f"It is open: <#{thread['id']}>" in seen
    assert thread["type"] == wire.PRIVATE_THREAD
    assert stage.ana.can_see(thread)
    assert not stage.joe.can_see(thread), "another group's facilitator"
    assert not stage.sam.can_see(thread)
    (first,) = said(stage, thread)
    assert "You can ask the facilitators of **Tuesday meeting** here." in first
    assert WHO in first
    assert "A facilitator writes to you here." in first
    assert first.labels == ["Help now"]
    assert f"You asked **Tuesday meeting**: <#{thread['id']}>" in await stage.maya.slash("/my")
    stage.expected_mentions = ["Ana"]


async def test_staff_see_a_task_without_a_name_and_only_its_facilitators_are_called(stage: Stage) -> None:
    await stage.new_group()
    await stage.new_group("Owls", by=stage.joe)
    await asks(stage, stage.maya)
    card = task_card(stage)
    assert "**Question** for **Tuesday meeting**" in card
    assert f"<#{thread_of(stage.maya)['id']}>" in card
    assert f"On duty: {stage.ana.mention}" in card
    assert card.labels == ["I've got this", "Done"]
    everything = "\n".join(seen.text for seen in [*stage.posted(board(stage)), *stage.told()])
    assert "Maya" not in everything
    assert str(stage.maya.user_id) not in everything
    assert board(stage)["parent_id"] == stage.staff["id"]
    assert card.message_id in stage.ana.pings
    assert stage.joe.pings == []
    stage.expected_mentions = ["Ana"]


async def test_an_answered_question_is_closed_with_kind_words(stage: Stage) -> None:
    await stage.new_group()
    await asks(stage, stage.maya)
    assert "Done. Thank you." in await stage.ana.press(task_card(stage), "Done")
    await stage.world.settle()
    assert "You can ask again at any time" in said(stage, thread_of(stage.maya))[-1]
    assert "Done: answered." in task_card(stage)
    assert task_card(stage).labels == []
    assert "You asked" not in await stage.maya.slash("/my")
    await asks(stage, stage.maya)
    assert len(threads_of(stage.maya)) == 2
    stage.expected_mentions = ["Ana", "Ana"]


async def test_asking_twice_leads_to_the_same_thread(stage: Stage) -> None:
    await stage.new_group()
    await asks(stage, stage.maya)
    assert f"It is open: <#{thread_of(stage.maya)['id']}>" in await asks(stage, stage.maya)
    assert len(said(stage, thread_of(stage.maya))) == 1
    assert len(tasks_shown(stage)) == 1
    stage.expected_mentions = ["Ana"]


async def test_a_hello_is_claimed_and_welcomed_in(hello: Stage) -> None:
    thread = thread_of(hello.maya)
    assert not hello.maya.can_see(hello.room())
    card = task_card(hello)
    assert "**Hello** for **Tuesday meeting**" in card
    assert card.labels == ["I've got this", "Welcome in", "Not this group"]
    assert f"Please write to them in <#{thread['id']}>" in await hello.ana.press(card, "I've got this")
    await hello.world.settle()
    assert f"{hello.ana.mention} has this." in task_card(hello)
    assert "They have a seat in **Tuesday meeting** now" in await hello.ana.press(task_card(hello), "Welcome in")
    await hello.later(seconds=5)
    assert hello.maya.can_see(hello.room())
    assert SEAT in said(hello, thread)[-1]
    assert f"<#{hello.room()['id']}>" in said(hello, thread)[-1]
    assert "Done: welcomed in." in task_card(hello)
    assert task_card(hello).labels == []
    assert "You said hello" not in await hello.maya.slash("/my")
    assert "1 of 12 seats taken" in await hello.people_of()


async def test_who_agreed_before_reads_who_reads_along_before_the_thread_opens(stage: Stage) -> None:
    await stage.new_group("Owls")
    await stage.join(stage.maya, "Owls")
    await hello_group(stage)
    assert "It is open" in await says_hello(stage, stage.maya)
    stage.expected_mentions = ["Ana"]


async def test_joining_again_leads_to_the_open_hello(hello: Stage) -> None:
    seen = await hello.join(hello.maya)
    assert f"It is open: <#{thread_of(hello.maya)['id']}>" in seen
    assert len(tasks_shown(hello)) == 1


async def test_a_question_becomes_a_hello_in_the_same_thread(stage: Stage) -> None:
    await hello_group(stage)
    await asks(stage, stage.maya)
    await says_hello(stage, stage.maya)
    await stage.later(seconds=5)
    assert task_card(stage).labels == ["I've got this", "Welcome in", "Not this group"]
    assert "before you join" in said(stage, thread_of(stage.maya))[-1]
    stage.expected_mentions = ["Ana"]


async def test_not_this_group_is_asked_twice_and_told_kindly_with_other_groups(hello: Stage) -> None:
    await hello.new_group("Owls")
    sure = await hello.ana.press(task_card(hello), "Not this group")
    assert "Not Tuesday meeting?" in sure
    assert task_card(hello).labels != []
    assert "I tell them kindly" in await hello.ana.press(sure, "Not this group")
    await hello.world.settle()
    told = said(hello, thread_of(hello.maya))[-1]
    assert "That says nothing about you. You are welcome here." in told
    assert told.labels == ["Owls", "All groups", "Help now"]
    assert "Owls" in await hello.maya.press(told, "Owls")
    assert "You can't join **Tuesday meeting** right now" in await hello.join(hello.maya)
    assert "Done: not this group." in task_card(hello)
    assert "You are in no group right now" in await hello.maya.slash("/my")
    people = await hello.people_of()
    person = await hello.ana.choose(people, "Choose a person", "Maya")
    assert "Reason" not in person
    await hello.ana.press(person, "Let them back")
    assert "It is open" in await says_hello(hello, hello.maya)
    hello.expected_mentions = ["Ana", "Ana"]


async def test_a_group_that_said_no_is_not_shown_as_another_one(hello: Stage) -> None:
    await hello_group(hello, "Alpha")
    await says_hello(hello, hello.maya, "Alpha")
    for name in ("Alpha", "Tuesday meeting"):
        (card,) = [seen for seen in tasks_shown(hello) if name in seen]
        await hello.ana.press(await hello.ana.press(card, "Not this group"), "Not this group")
        await hello.world.settle()
    told = [said(hello, thread)[-1] for thread in threads_of(hello.maya)]
    assert [seen.labels for seen in told] == [["All groups", "Help now"]] * 2
    assert all("Other groups: /groups." in seen for seen in told)
    hello.expected_mentions = ["Ana", "Ana"]


async def test_a_hello_can_be_taken_back(hello: Stage) -> None:
    mine = await hello.maya.slash("/my")
    assert f"A facilitator writes to you in <#{thread_of(hello.maya)['id']}>, then you join." in mine
    assert "Pause" not in mine.labels
    sure = await hello.maya.press(mine, "Leave")
    assert "needs no reason" in sure
    assert "You have left Tuesday meeting" in await hello.maya.press(sure, "Leave")
    old = task_card(hello)
    await hello.world.settle()
    assert "Nothing to do: they took it back, or left." in task_card(hello)
    assert GONE in await hello.ana.forged(old, "desk:welcome:1")


async def test_two_who_press_at_once_are_one_claim(stage: Stage) -> None:
    await hello_group(stage)
    people = await stage.people_of()
    await (await stage.ana.press(people, "Add a facilitator")).send({"Who?": stage.joe})
    await says_hello(stage, stage.maya)
    card = task_card(stage)
    answers = await asyncio.gather(*(who.press(card, "I've got this") for who in (stage.ana, stage.joe)))
    await stage.world.settle()
    assert sorted(["It's yours" in answers[0], "It's yours" in answers[1]]) == [False, True]
    assert sorted(["has this already" in answers[0], "has this already" in answers[1]]) == [False, True]
    welcomes = await asyncio.gather(*(who.press(card, "Welcome in") for who in (stage.ana, stage.joe)))
    await stage.world.settle()
    assert sorted(["They have a seat" in welcomes[0], "They have a seat" in welcomes[1]]) == [False, True]
    assert sorted([GONE in welcomes[0], GONE in welcomes[1]]) == [False, True]
    assert [SEAT in seen for seen in said(stage, thread_of(stage.maya))] == [False, True]
    stage.expected_mentions = ["Ana, Joe"]


async def test_others_may_not_decide(hello: Stage) -> None:
    await hello.new_group("Owls", by=hello.joe)
    card = task_card(hello)
    for label in card.labels:
        assert "Only facilitators of **Tuesday meeting** can do this." in await hello.joe.press(card, label)
    hello.guild.take_role(hello.ana.user_id, int(hello.facilitators["id"]))
    for state in ("claim", "welcome", "decline", "decline-sure", "done"):
        answer = await hello.ana.forged(card, f"desk:{state}:1")
        assert "Only facilitators of **Tuesday meeting** can do this." in answer
    assert "This is not there any more." in await hello.olive.forged(card, "desk:welcome:99")
    assert "They have a seat" in await hello.olive.press(card, "Welcome in")


async def test_who_lost_the_role_is_not_let_in_and_not_called(stage: Stage) -> None:
    await stage.new_group()
    stage.guild.take_role(stage.ana.user_id, int(stage.facilitators["id"]))
    await asks(stage, stage.maya)
    thread = thread_of(stage.maya)
    assert not stage.ana.can_see(thread)
    assert "No facilitator is on duty right now. They read this when they are back." in said(stage, thread)[-1]
    assert "Nobody of this group is on duty, so I called nobody." in task_card(stage)


async def test_the_person_left_the_server_meanwhile(hello: Stage) -> None:
    hello.maya.leaves()
    await hello.world.settle()
    assert "They have left the server." in task_card(hello)
    assert "They have left the server." in await hello.ana.press(task_card(hello), "Welcome in")
    hello.maya.rejoins()
    await hello.later(seconds=5)
    assert "They have left the server." not in task_card(hello)
    assert hello.maya.can_see(thread_of(hello.ana)), "they are in their thread again"
    assert "They have a seat" in await hello.ana.press(task_card(hello), "Welcome in")
    await hello.world.settle()
    assert hello.maya.can_see(hello.room())


async def test_after_a_week_away_the_hello_has_ended(hello: Stage) -> None:
    hello.maya.leaves()
    await hello.world.settle()
    await hello.later(days=7, seconds=1)
    assert "Nothing to do: they took it back, or left." in tasks_shown(hello)[-1]


async def test_the_group_closed_meanwhile(hello: Stage) -> None:
    old = task_card(hello)
    await hello.ana.press(await hello.ana.slash("/group close", group="Tuesday meeting"), "Close the group")
    await hello.world.settle()
    told = said(hello, thread_of(hello.maya))[-1]
    assert "**Tuesday meeting** has closed. You did nothing wrong." in told
    assert "All groups" in told.labels
    assert "Nothing to do: the group has closed." in task_card(hello)
    assert "The group has closed." in await hello.ana.forged(old, "desk:welcome:1")
    assert "You are in no group right now" in await hello.maya.slash("/my")


async def test_setup_says_which_permissions_threads_need(stage: Stage) -> None:
    stage.allow(Bit(NEEDED) & ~Bit.CREATE_PRIVATE_THREADS & ~Bit.CREATE_PUBLIC_THREADS)
    await stage.world.settle()
    assert "**Create Public Threads, Create Private Threads**" in await stage.set_up()


async def test_edit_keeps_the_hello_unless_it_is_named(stage: Stage) -> None:
    await hello_group(stage)
    await (await stage.ana.slash("/group edit", group="Tuesday meeting")).send({"Seats": "9"})
    card = await stage.maya.press(await stage.maya.slash("/groups"), "Tuesday meeting")
    assert "Say hello first" in card
    await (await stage.ana.slash("/group edit", group="Tuesday meeting", hello=False)).send({})
    card = await stage.maya.press(await stage.maya.slash("/groups"), "Tuesday meeting")
    assert "Say hello first" not in card
    assert "You're in. Glad you are here." in await stage.join(stage.maya)


async def test_a_kill_between_opening_and_noting_opens_no_second_thread(stage: Stage) -> None:
    await hello_group(stage)
    faults = stage.discord.faults
    faults.next("POST", f"/channels/{stage.panel['id']}/threads", drop="after")
    await says_hello(stage, stage.maya)
    await stage.later(minutes=1)
    assert len(threads_of(stage.maya)) == 1
    assert len([one for one in stage.guild.threads.values() if one["name"].startswith("Hello ")]) == 1
    stage.expected_mentions = ["Ana"]
