"""Four weeks after somebody began to rest they are asked once, and each answer is one press."""

from __future__ import annotations

from peerbot.rehearsal.people import Person
from peerbot.rehearsal.seen import Seen
from tests.stories.correspondence import choose, noon, threads_of, until
from tests.stories.meets import schedule
from tests.stories.stage import Stage

__all__ = ["noon"]  # pytest finds fixtures by their names here

ASKS = "You are resting from **Tuesday meeting**. That is fine."


async def rests(person: Person) -> None:
    """Have somebody rest."""
    assert "You are resting." in await person.press(await person.slash("/my"), "Pause")


def asked(stage: Stage, *people: Person) -> dict[str, list[Seen]]:
    """Return the letters that ask, of each who has one."""
    found = {
        person.name: [
            *(seen for seen in person.inbox if ASKS in seen),
            *(seen for thread in threads_of(stage, person) for seen in person.sees(thread) if ASKS in seen),
        ]
        for person in people
    }
    return {name: letters for name, letters in found.items() if letters}


async def test_whoever_rests_is_asked_once_and_can_come_back_rest_on_or_leave(noon: Stage) -> None:
    await noon.new_group()
    tom = noon.newcomer("Tom")
    everyone = (noon.maya, noon.sam, noon.lee, tom)
    for person in everyone:
        await noon.join(person)
    await schedule(noon)
    await choose(noon.sam, "In a private thread")
    await choose(noon.lee, "No messages")
    await until(noon, 23)
    for person in everyone:
        await rests(person)
    await noon.later(weeks=3, days=6)
    tom.leaves()
    await noon.later(days=1, minutes=5)
    assert asked(noon, *everyone) == {}, "it is night"
    await until(noon, 8, 1)
    letters = asked(noon, *everyone)
    assert {name: len(found) for name, found in letters.items()} == {"Maya": 1, "Sam": 1}
    (letter,) = letters["Maya"]
    assert letter.labels == ["I'm back", "Keep resting", "Leave", "Help now"]
    assert "Your seat is yours until" in letter

    kept = await noon.maya.press(letter, "Keep resting")
    assert "Rest well" in kept
    sure = await noon.maya.press(letter, "Leave")
    assert sure.labels == ["Leave", "Keep resting", "Help now"]
    assert "Rest well" in await noon.maya.press(sure, "Keep resting")
    here = await noon.maya.press(letter, "I'm back")
    assert "You are back in Tuesday meeting" in here
    assert "Open the room" in here.labels
    assert "My groups" not in here.labels, "what works in the server only is not offered in a direct message"
    assert "and not resting" in await noon.maya.press(letter, "Keep resting")

    (in_thread,) = letters["Sam"]
    assert "My groups" in (await noon.sam.press(in_thread, "I'm back")).labels
    sure = await noon.sam.press(in_thread, "Leave")
    assert "You have left Tuesday meeting" in await noon.sam.press(sure, "Leave")
    await noon.world.settle()
    assert not noon.sam.can_see(noon.room())
    assert "You are not in **Tuesday meeting** any more." in await noon.sam.press(in_thread, "Keep resting")
    assert "and not resting" in await noon.maya.press(letter, "Keep resting")
    await noon.later(weeks=4)
    assert {name: len(found) for name, found in asked(noon, *everyone).items()} == {"Maya": 1, "Sam": 1}
