"""The facilitators' desk: what waits, off duty, and practising."""

from __future__ import annotations

from tests.stories.hellos import (
    asks,
    board,
    hello_group,
    said,
    says_hello,
    task_card,
    tasks_shown,
    thread_of,
    threads_of,
)
from tests.stories.stage import Stage


async def test_an_empty_desk_says_so(stage: Stage) -> None:
    await stage.new_group()
    desk = await stage.ana.slash("/desk")
    assert desk.ephemeral
    assert "Nothing waits for you. Thank you for being here." in desk
    assert "You are on duty." in desk
    assert "0 other facilitators are on duty." in desk
    assert desk.labels == ["Off duty until tomorrow 8:00", "Off duty for a week", "Practise"]


async def test_members_are_not_shown_it_and_not_let_in(stage: Stage) -> None:
    assert "desk" not in stage.maya.offered()
    assert "Only facilitators can do this." in await stage.maya.slash("/desk", force=True)
    for custom_id in ("desk:open:0", "desk:off:week", "desk:on:0"):
        assert "Only facilitators can do this." in await stage.maya.forged(stage.panel_card(), custom_id)


async def test_the_desk_shows_ones_own_tasks_oldest_first_and_how_many_more(stage: Stage) -> None:
    await hello_group(stage)
    await stage.new_group("Owls", by=stage.joe)
    people = [stage.maya, stage.sam, stage.lee, stage.kim, *map(stage.newcomer, ("Ada", "Bo"))]
    for person in people:
        await asks(stage, person)
        await stage.later(minutes=1)
    await asks(stage, stage.maya, "Owls")
    desk = await stage.ana.slash("/desk")
    assert "Owls" not in desk
    shown = [int(thread["id"]) for person in people for thread in threads_of(person) if stage.ana.can_see(thread)]
    places = [desk.text.index(f"<#{thread_id}>") for thread_id in sorted(set(shown))[:5]]
    assert places == sorted(places)
    assert "And 1 more. The oldest come first." in desk
    assert "1 other facilitator is on duty." in desk
    for name in ("Maya", "Sam", "Ada"):
        assert name not in desk
    stage.expected_mentions = ["Ana"] * 6 + ["Joe"]


async def test_a_hello_is_dealt_with_on_the_desk(stage: Stage) -> None:
    await hello_group(stage)
    await says_hello(stage, stage.maya)
    desk = await stage.ana.slash("/desk")
    yours = await stage.ana.press(desk, "I've got this")
    assert "It's yours." in yours
    desk = await stage.ana.press(yours, "My desk")
    assert f"{stage.ana.mention} has this." in desk
    assert "They have a seat" in await stage.ana.press(desk, "Welcome in")
    await stage.later(seconds=5)
    assert stage.maya.can_see(stage.room())
    assert "Done: welcomed in." in task_card(stage)
    stage.expected_mentions = ["Ana"]


async def test_off_duty_nobody_is_called_and_the_person_is_told_the_truth(stage: Stage) -> None:
    await hello_group(stage)
    off = await stage.ana.press(await stage.ana.slash("/desk"), "Off duty until tomorrow 8:00")
    assert "You are off duty until" in off
    assert off.labels == ["I'm back", "Practise"]
    quiet = list(stage.ana.pings)
    await says_hello(stage, stage.maya)
    thread = thread_of(stage.maya)
    assert "No facilitator is on duty right now. They read this when they are back." in said(stage, thread)[0]
    assert "Nobody of this group is on duty, so I called nobody." in task_card(stage)
    assert stage.ana.pings == quiet
    assert not stage.ana.can_see(thread), "Discord calls whoever it puts into a thread"
    back = await stage.ana.press(await stage.ana.slash("/desk"), "I'm back")
    assert "Good to see you." in back
    await stage.world.settle()
    assert stage.ana.can_see(thread)


async def test_off_duty_ends_in_the_morning_by_itself(stage: Stage) -> None:
    await hello_group(stage)
    await stage.ana.press(await stage.ana.slash("/desk"), "Off duty until tomorrow 8:00")
    await says_hello(stage, stage.maya)
    thread = thread_of(stage.maya)
    assert not stage.ana.can_see(thread)
    await stage.later(days=2)
    assert stage.ana.can_see(thread)
    assert "You are on duty." in await stage.ana.slash("/desk")


async def test_off_duty_one_may_still_take_a_task(stage: Stage) -> None:
    await hello_group(stage)
    await stage.ana.press(await stage.ana.slash("/desk"), "Off duty for a week")
    await says_hello(stage, stage.maya)
    assert "It's yours." in await stage.ana.press(await stage.ana.slash("/desk"), "I've got this")
    await stage.world.settle()
    assert stage.ana.can_see(thread_of(stage.maya))


async def test_only_those_on_duty_are_called(stage: Stage) -> None:
    await hello_group(stage)
    await (await stage.ana.press(await stage.people_of(), "Add a facilitator")).send({"Who?": stage.joe})
    await stage.ana.press(await stage.ana.slash("/desk"), "Off duty for a week")
    await says_hello(stage, stage.maya)
    assert f"On duty: {stage.joe.mention}" in task_card(stage)
    stage.expected_mentions = ["Joe"]


async def test_practising_stores_nothing_and_calls_nobody(stage: Stage) -> None:
    await hello_group(stage)
    before = {person.name: list(person.pings) for person in stage.people}
    practice = await stage.ana.press(await stage.ana.slash("/desk"), "Practise")
    assert practice.ephemeral
    assert "TEST" in practice
    with stage.requests() as made:
        practice = await stage.ana.press(practice, "I've got this")
        assert "Others would see that you have it." in practice
        practice = await stage.ana.press(practice, "Welcome in")
        assert "They would get a seat, or a place in line." in practice
        practice = await stage.ana.press(practice, "Not this group")
        assert "They would read kind words" in practice
        assert "TEST" in practice
        desk = await stage.ana.press(practice, "My desk")
    assert "Nothing waits for you." in desk
    assert [request for request in made if "/interactions/" not in request and "/webhooks/" not in request] == []
    assert {person.name: list(person.pings) for person in stage.people} == before
    assert not stage.guild.threads


async def test_the_desk_survives_a_restart(stage: Stage) -> None:
    await hello_group(stage)
    await says_hello(stage, stage.maya)
    desk = await stage.ana.slash("/desk")
    await stage.restart()
    assert "It's yours." in await stage.ana.press(desk, "I've got this")
    assert "They have a seat" in await stage.ana.press(tasks_shown(stage)[0], "Welcome in")
    await stage.later(seconds=5)
    assert board(stage)["name"] == "Tasks"
    assert "Welcome!" in said(stage, thread_of(stage.maya))[-1]
    stage.expected_mentions = ["Ana"]
