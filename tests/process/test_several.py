"""Several processes of one bot on one PostgreSQL: each press is answered by one, each delivery sent by one.

What takes half a minute in earnest takes two seconds here.
"""

from __future__ import annotations

import signal
from datetime import timedelta
from typing import Any

import pytest

from peerbot.rehearsal.ground import Happening
from tests.process.conftest import Harbour
from tests.process.crashing import GROUP, agreement, welcomes
from tests.process.programs import PATIENCE, Program

TIMES: dict[str, Any] = {
    "peerbot.processes.ALIVE": timedelta(seconds=2),
    "peerbot.processes.BEAT": 0.2,
    "peerbot.deliveries.LEASE": timedelta(seconds=2),
    "peerbot.dispatcher.SWEEP": 0.5,
}
FIRST, OTHER = "1 processes are alive; this one answers people.", "2 processes are alive; another one answers people."


@pytest.fixture
def backend() -> str:
    """SQLite takes one process."""
    return "postgres"


@pytest.fixture
async def pair(harbour: Harbour) -> tuple[Program, Program]:
    """Two processes, the first of which answers."""
    first = await harbour.start(times=TIMES)
    await first.says(FIRST)
    second = await harbour.start(times=TIMES)
    await second.says(OTHER)
    await first.says("Ready")
    await second.says("Ready")
    return first, second


@pytest.fixture
def answered(harbour: Harbour) -> list[int]:
    """The status of each answer that was given to an interaction."""
    statuses: list[int] = []

    def note(happening: Happening) -> None:
        if happening.kind == "request" and happening.details["path"].endswith("/callback"):
            statuses.append(happening.details["status"])

    harbour.world.listen(note)
    return statuses


@pytest.mark.usefixtures("pair")
async def test_each_press_is_answered_by_one(harbour: Harbour, answered: list[int]) -> None:
    await harbour.stage.set_up()
    await harbour.stage.new_group(GROUP)
    await harbour.stage.join(harbour.stage.maya)
    await harbour.settle()
    assert set(answered) == {200}
    assert len(welcomes(harbour)) == 1
    assert harbour.stage.maya.can_see(harbour.stage.room())


async def test_when_the_one_that_answers_is_killed_the_other_does(
    harbour: Harbour, pair: tuple[Program, Program]
) -> None:
    first, second = pair
    await harbour.stage.set_up()
    await first.kill()
    await second.says(FIRST)
    await harbour.stage.new_group(GROUP)
    await harbour.stage.join(harbour.stage.maya)
    await harbour.settle()
    assert harbour.stage.maya.can_see(harbour.stage.room())


async def test_when_the_one_that_answers_stops_the_other_does_at_once(
    harbour: Harbour, pair: tuple[Program, Program]
) -> None:
    first, second = pair
    await harbour.stop(first)
    await second.says(FIRST)
    await harbour.stage.set_up()


async def test_one_that_was_frozen_answers_nothing_twice_when_it_wakes(
    harbour: Harbour, pair: tuple[Program, Program], answered: list[int]
) -> None:
    first, second = pair
    await harbour.stage.set_up()
    first.tell(signal.SIGSTOP)
    await second.says(FIRST)
    form = await harbour.stage.olive.slash("/setup")
    assert "Time zone" in str(form)
    first.tell(signal.SIGCONT)
    await first.says(OTHER)
    await harbour.stage.new_group(GROUP)
    await harbour.stage.join(harbour.stage.maya)
    await harbour.settle()
    assert set(answered) == {200}
    assert len(welcomes(harbour)) == 1


async def test_what_a_frozen_process_holds_is_carried_out_by_the_other_and_seen_once(
    harbour: Harbour, pair: tuple[Program, Program]
) -> None:
    first, _second = pair
    await harbour.stage.set_up()
    await harbour.stage.new_group(GROUP)
    hold = harbour.stage.discord.faults.hold("POST", f"/channels/{harbour.stage.room()['id']}/messages")
    await harbour.stage.maya.press(await agreement(harbour.stage.maya), "I agree")
    await harbour.world.until(hold.arrived.is_set, PATIENCE)
    first.tell(signal.SIGSTOP)
    await harbour.world.until(lambda: welcomes(harbour), PATIENCE, what="the greeting by the other process")
    hold.release()
    first.tell(signal.SIGCONT)
    await harbour.settle()
    assert len(welcomes(harbour)) == 1
