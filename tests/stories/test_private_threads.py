"""Private threads of hellos and the task thread: who reads them, and what deleted and archived ones become."""

from __future__ import annotations

from datetime import timedelta

from peerbot import tasks
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
)
from tests.stories.stage import Stage

__all__ = ["hello"]  # pytest finds fixtures by their names here

SEAT = "Welcome! You have a seat in **Tuesday meeting**."
GONE = "This is done already."


async def test_a_facilitator_taken_off_the_list_leaves_the_private_threads(hello: Stage) -> None:
    people = await hello.people_of()
    await (await hello.ana.press(people, "Add a facilitator")).send({"Who?": hello.joe})
    await hello.world.settle()
    assert hello.joe.can_see(thread_of(hello.maya)), "who is new on the list reads along"
    person = await hello.ana.choose(await hello.people_of(), "Choose a person", "Joe")
    await hello.ana.press(person, "Take off the list")
    await hello.world.settle()
    assert not hello.joe.can_see(thread_of(hello.maya))
    assert hello.ana.can_see(thread_of(hello.maya))


async def test_a_facilitator_taken_off_the_list_has_nothing_any_more_and_is_not_let_in_again(hello: Stage) -> None:
    await (await hello.ana.press(await hello.people_of(), "Add a facilitator")).send({"Who?": hello.joe})
    await hello.world.settle()
    assert "It's yours." in await hello.joe.press(task_card(hello), "I've got this")
    await hello.world.settle()
    person = await hello.ana.choose(await hello.people_of(), "Choose a person", "Joe")
    await hello.ana.press(person, "Take off the list")
    await hello.world.settle()
    hello.maya.leaves()
    await hello.world.settle()
    hello.maya.rejoins()
    await hello.later(seconds=5)
    assert not hello.joe.can_see(thread_of(hello.maya))
    assert "has this" not in task_card(hello)
    assert "It's yours." in await hello.ana.press(task_card(hello), "I've got this")


async def test_who_has_a_task_is_let_in_only_with_the_role_or_the_server_to_manage(hello: Stage) -> None:
    thread = thread_of(hello.maya)
    await hello.olive.press(task_card(hello), "I've got this")
    await hello.world.settle()
    assert hello.guild.thread_members[int(thread["id"])].keys() >= {hello.olive.user_id, hello.ana.user_id}
    await hello.later(days=2)
    await hello.ana.press(task_card(hello), "I've got this")
    await hello.world.settle()
    hello.guild.leave_thread(int(thread["id"]), hello.ana.user_id)
    hello.guild.take_role(hello.ana.user_id, int(hello.facilitators["id"]))
    hello.maya.leaves()
    await hello.world.settle()
    hello.maya.rejoins()
    await hello.later(seconds=5)
    assert hello.maya.can_see(thread)
    assert not hello.ana.can_see(thread)


async def test_who_lost_the_role_is_out_of_the_private_threads_once_the_server_is_compared(hello: Stage) -> None:
    thread = thread_of(hello.maya)
    await hello.ana.press(task_card(hello), "I've got this")
    hello.guild.take_role(hello.ana.user_id, int(hello.facilitators["id"]))
    await hello.restart()
    await hello.later(seconds=5)
    assert not hello.ana.can_see(thread)
    assert "has this" not in task_card(hello)
    with hello.requests() as made:
        await hello.restart()
        await hello.later(seconds=5)
    assert not [each for each in made if str(thread["id"]) in each], "nothing has changed since"
    hello.guild.give_role(hello.ana.user_id, int(hello.facilitators["id"]))
    assert "It's yours." in await hello.ana.press(task_card(hello), "I've got this")
    await hello.world.settle()
    assert hello.ana.can_see(thread)
    hello.guild.take_role(hello.ana.user_id, int(hello.facilitators["id"]))
    await hello.restart()
    await hello.later(seconds=5)
    assert not hello.ana.can_see(thread)
    hello.expected_mentions = ["Ana"]


async def test_who_manages_the_server_keeps_the_threads_of_the_tasks_they_have(hello: Stage) -> None:
    inside = hello.guild.thread_members[int(thread_of(hello.maya)["id"])]
    await hello.olive.press(task_card(hello), "I've got this")
    await hello.world.settle()
    await hello.restart()
    await hello.later(seconds=5)
    assert hello.olive.user_id in inside
    assert f"{hello.olive.mention} has this." in task_card(hello)


async def test_a_month_after_its_end_a_private_thread_is_its_persons_alone(hello: Stage) -> None:
    thread = thread_of(hello.maya)
    await hello.ana.press(task_card(hello), "Welcome in")
    await hello.world.settle()
    assert hello.ana.can_see(thread)
    assert hello.db is not None
    async with hello.db.begin() as session:
        await tasks.purge(session, now=hello.clock.now() + timedelta(days=31))
    await hello.later(days=31, seconds=5)
    inside = hello.guild.thread_members[int(thread["id"])]
    assert inside.keys() == {hello.maya.user_id, hello.application.bot_id}
    assert hello.guild.threads[int(thread["id"])]["thread_metadata"]["archived"]


async def test_a_private_thread_deleted_by_hand_opens_again_when_it_is_needed(hello: Stage) -> None:
    old = thread_of(hello.maya)
    hello.guild.remove_thread(int(old["id"]))
    await hello.world.settle()
    assert "It has no private thread right now." in task_card(hello)
    assert "Your private thread is not open." in await hello.maya.slash("/my")
    answer = await hello.ana.press(task_card(hello), "I've got this")
    await hello.later(seconds=5)
    thread = thread_of(hello.maya)
    assert f"<#{thread['id']}>" in answer
    assert WHO in said(hello, thread)[0]
    assert f"<#{thread['id']}>" in task_card(hello)


async def test_a_private_thread_deleted_while_peerbot_was_away_opens_again_for_the_answer(hello: Stage) -> None:
    card = task_card(hello)
    await hello.stop()
    hello.guild.remove_thread(int(thread_of(hello.maya)["id"]))
    await hello.start()
    await hello.ana.press(card, "Welcome in")
    await hello.later(seconds=5)
    assert SEAT in said(hello, thread_of(hello.maya))[-1]


async def test_a_task_thread_deleted_by_hand_is_made_again_with_its_open_tasks(hello: Stage) -> None:
    hello.guild.remove_thread(int(board(hello)["id"]))
    await hello.world.settle()
    assert task_card(hello).labels == ["I've got this", "Welcome in", "Not this group"]
    hello.expected_mentions = ["Ana", "Ana"]


async def test_a_task_thread_deleted_while_peerbot_was_away_is_made_again(hello: Stage) -> None:
    await hello.stop()
    hello.guild.remove_thread(int(board(hello)["id"]))
    await hello.start()
    await asks(hello, hello.sam)
    assert len(tasks_shown(hello)) == 2
    hello.expected_mentions = ["Ana", "Ana", "Ana"]


async def test_a_task_that_is_claimed_on_the_desk_brings_a_task_thread_back_that_was_deleted_unseen(
    hello: Stage,
) -> None:
    await hello.stop()
    hello.guild.remove_thread(int(board(hello)["id"]))
    await hello.start()
    await hello.ana.press(await hello.ana.slash("/desk", in_=hello.staff), "I've got this")
    await hello.world.settle()
    assert f"{hello.ana.mention} has this." in task_card(hello)


async def test_tasks_move_to_a_new_staff_channel(hello: Stage) -> None:
    old = board(hello)
    office = hello.guild.add_channel("office")
    await hello.set_up(**{"Where do facilitators talk?": office})
    await asks(hello, hello.sam)
    boards = [each for each in hello.guild.threads.values() if each["name"] == "Tasks"]
    assert [each["parent_id"] for each in boards] == [hello.staff["id"], office["id"]]
    assert len(said(hello, old)) == 1
    assert len(said(hello, boards[1])) == 2
    hello.expected_mentions = ["Ana", "Ana", "Ana"]


async def test_a_deleted_card_comes_back_while_its_task_is_open(hello: Stage) -> None:
    card = task_card(hello)
    del hello.world.messages[card.channel_id][card.message_id]
    await hello.ana.forged(card, "desk:claim:1")
    await hello.world.settle()
    assert f"{hello.ana.mention} has this." in task_card(hello)


async def test_archived_threads_are_woken(hello: Stage) -> None:
    private, tasks = thread_of(hello.maya), board(hello)
    for thread in (private, tasks):
        hello.guild.set_archived(int(thread["id"]), archived=True)
    await hello.world.settle()
    card = await hello.ana.slash("/desk", in_=hello.staff)
    await hello.ana.press(card, "Welcome in")
    await hello.later(seconds=5)
    assert SEAT in said(hello, private)[-1]
    assert "Done: welcomed in." in task_card(hello)
    for thread in (private, tasks):
        assert not hello.guild.threads[int(thread["id"])]["thread_metadata"]["archived"]


async def test_an_archived_task_thread_takes_the_next_task(hello: Stage) -> None:
    hello.guild.set_archived(int(board(hello)["id"]), archived=True)
    await hello.world.settle()
    await asks(hello, hello.sam)
    assert len(tasks_shown(hello)) == 2
    hello.expected_mentions = ["Ana", "Ana"]


async def test_a_missing_permission_is_told_and_mended(stage: Stage) -> None:
    await hello_group(stage)
    stage.allow(Bit(NEEDED) & ~Bit.CREATE_PRIVATE_THREADS)
    seen = await says_hello(stage, stage.maya)
    assert "I can't open a thread right now" in seen
    assert "You did nothing wrong." in seen
    assert "It has no private thread right now." in task_card(stage)
    (told,) = [one for one in stage.told() if "I could not open a private thread" in one]
    assert f"<#{stage.panel['id']}>" in told
    stage.allow(Bit(NEEDED))
    assert "Done." in await stage.ana.press(told, "Try again")
    await stage.later(seconds=5)
    assert WHO in said(stage, thread_of(stage.maya))[0]
    assert f"<#{thread_of(stage.maya)['id']}>" in task_card(stage)
    stage.expected_mentions = ["Ana"]


async def test_who_cannot_see_the_channel_above_is_not_told_that_a_thread_is_open(stage: Stage) -> None:
    await hello_group(stage)
    before = await stage.join(stage.maya)
    stage.guild.set_overwrite(int(stage.panel["id"]), stage.maya.user_id, 1, 0, int(Bit.VIEW_CHANNEL))
    await stage.world.settle()
    seen = await stage.maya.press(before, "Say hello")
    await stage.world.settle()
    assert "I can't open a thread right now" in seen
    assert "It has no private thread right now." in task_card(stage)
    (told,) = [one for one in stage.told() if "I could not open a private thread" in one]
    assert f"Members need to see <#{stage.panel['id']}>" in told
    stage.guild.remove_overwrite(int(stage.panel["id"]), stage.maya.user_id)
    await stage.world.settle()
    assert "Done." in await stage.ana.press(told, "Try again")
    await stage.world.settle()
    assert WHO in said(stage, thread_of(stage.maya))[0]
    assert stage.ana.can_see(thread_of(stage.maya))
    assert sum(each["name"].startswith("Hello ") for each in stage.guild.threads.values()) == 1
    stage.expected_mentions = ["Ana"]


async def test_a_thread_that_could_not_be_opened_opens_in_the_channel_that_was_chosen_since(stage: Stage) -> None:
    await hello_group(stage)
    before = await stage.join(stage.maya)
    stage.guild.set_overwrite(int(stage.panel["id"]), stage.maya.user_id, 1, 0, int(Bit.VIEW_CHANNEL))
    await stage.world.settle()
    await stage.maya.press(before, "Say hello")
    await stage.world.settle()
    quiet = stage.guild.add_channel("quiet")
    await stage.set_up(**{"Where may I open private threads?": quiet})
    (told,) = [one for one in stage.told() if "I could not open a private thread" in one]
    assert "Done." in await stage.ana.press(told, "Try again")
    await stage.world.settle()
    assert thread_of(stage.maya)["parent_id"] == quiet["id"]
    assert WHO in said(stage, thread_of(stage.maya))[0]
    stage.expected_mentions = ["Ana"]


async def test_who_cannot_be_let_into_the_thread_is_told_so(hello: Stage) -> None:
    thread = thread_of(hello.maya)
    hello.guild.leave_thread(int(thread["id"]), hello.ana.user_id)
    hello.guild.set_overwrite(int(hello.panel["id"]), hello.ana.user_id, 1, 0, int(Bit.VIEW_CHANNEL))
    await hello.world.settle()
    answer = await hello.ana.press(task_card(hello), "I've got this")
    assert f"It's yours. But I can't let you into <#{thread['id']}>." in answer
    assert "Please write to them" not in answer


async def test_a_thread_that_cannot_be_opened_again_is_not_said_to_be_open(hello: Stage) -> None:
    hello.forbid_in(hello.panel, Bit.SEND_MESSAGES_IN_THREADS)
    await hello.world.settle()
    seen = await hello.join(hello.maya)
    assert "I can't open a thread right now" in seen
    assert "It is open" not in seen
    assert "Then you join" not in seen, "nothing was said that comes before"
    assert "Find this again, or take it back: /my" in seen
    assert "Open the thread" not in seen.labels


async def test_without_a_task_thread_the_desk_still_shows_the_task(stage: Stage) -> None:
    await hello_group(stage)
    stage.allow(Bit(NEEDED) & ~Bit.CREATE_PUBLIC_THREADS)
    await says_hello(stage, stage.maya)
    assert any("I could not make the thread that shows your tasks." in one for one in stage.told())
    card = await stage.ana.slash("/desk", in_=stage.staff)
    await stage.ana.press(card, "Welcome in")
    await stage.world.settle()
    assert SEAT in said(stage, thread_of(stage.maya))[-1]
