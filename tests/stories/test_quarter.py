"""Three weeks over a change of clocks, drawn from a seed, with outages; the long form is benchmarks/quarter.py.

What people received is held against what there should be, worked out from the script alone (tests/quarter).
"""

from __future__ import annotations

from datetime import datetime

import pytest

from peerbot.clock import Clock
from peerbot.rehearsal.server import serve
from peerbot.rehearsal.world import World
from tests.conftest import settings_for
from tests.quarter.compare import compare
from tests.quarter.play import Play, set_stage
from tests.quarter.script import write


@pytest.mark.timeout(180)  # some 16 s by itself
@pytest.mark.parametrize(("seed", "begin"), [(52, datetime(2026, 3, 16)), (327, datetime(2026, 10, 19))])
async def test_three_weeks_bring_what_they_should(seed: int, begin: datetime, sqlite_url: str) -> None:
    script = write(seed, groups=2, weeks=3, begin=begin)
    async with serve(World(Clock())) as discord:
        stage = set_stage(discord, settings_for(sqlite_url), script.begin)
        verdict = compare(*await Play(script, stage).run())
        assert not verdict.problems, str(verdict)
        assert verdict.counts["reminders that must come"] > 20, "enough happens to mean something"
        assert verdict.counts["letters of news"] > 15, "enough happens to mean something"
        assert discord.world.unknown_routes == []
        assert stage.during_transactions == []
