"""Killed and frozen at random instants while deliveries go out: none is lost, none is seen twice.

The short form of `python -m benchmarks.crashes`, whose result stands in docs/crashes.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from peerbot.clock import Clock
from peerbot.config import Settings
from peerbot.rehearsal.server import serve
from peerbot.rehearsal.world import World
from tests.process.killing import Result, Yard, freeze_again_and_again, kill_again_and_again

DELIVERIES, KILLS = 100, 10


@pytest.fixture
async def yard(settings: Settings, tmp_path: Path, backend: str) -> AsyncIterator[Yard]:
    """A server with channels, and no process yet."""
    async with serve(World(Clock())) as discord:
        made = Yard(discord, settings, tmp_path, seed=f"{backend} 1")
        yield made
        await made.close()
        assert discord.world.violations == []
        assert discord.world.unknown_routes == []


def nothing_is_lost_or_seen_twice(result: Result) -> None:
    assert (result.lost, result.twice) == ([], []), result.last_words


@pytest.mark.timeout(180)
@pytest.mark.both_databases
async def test_whatever_instant_a_process_is_killed_at_each_delivery_is_seen_once(yard: Yard, backend: str) -> None:
    processes = 2 if backend == "postgres" else 1
    result = await kill_again_and_again(yard, count=DELIVERIES, processes=processes, kills=KILLS)
    nothing_is_lost_or_seen_twice(result)
    assert result.ends > KILLS / 2
    assert result.taken_up, "no kill fell between a claim and its acknowledgement, so this has shown nothing"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
async def test_a_process_that_wakes_up_when_its_nonces_are_forgotten_repeats_nothing(yard: Yard) -> None:
    nothing_is_lost_or_seen_twice(await freeze_again_and_again(yard, count=40, freezes=1, past_nonce=True))
