"""The stage of the stories, with the bot in a process of its own.

What the bot in that process writes is kept, and looked through for what no log may say when the test is over.
"""

from __future__ import annotations

import re
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import DATA_KEY
from sqlalchemy import and_, or_, select, text

from peerbot import deliveries
from peerbot.clock import Clock
from peerbot.database import BACKGROUND, Database, connect
from peerbot.models import Delivery
from peerbot.rehearsal.sessions import Session
from peerbot.rehearsal.world import World
from tests.process import programs
from tests.process.doctoring import Patient, in_order
from tests.process.launcher import KillPoint
from tests.process.programs import PATIENCE, Program
from tests.stories.conftest import discords_document, empty_stage
from tests.stories.stage import Stage

__all__ = ["discords_document", "empty_stage"]  # pytest finds fixtures by their names here

RETRIES = timedelta(minutes=1)
"""What is due within this time is a retry, not a plan for later; cards are drawn late on purpose."""


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """World time, which a bot in another process reads from a file."""
    return Clock(tmp_path / "clock-offset")


@dataclass
class Harbour:
    """A server with its people, and `peerbot run` in processes that can be stopped, killed and started."""

    stage: Stage
    environment: dict[str, str]
    folder: Path
    db: Database
    programs: list[Program] = field(default_factory=list[Program])

    @property
    def world(self) -> World:
        return self.stage.world

    def launch(
        self,
        *,
        kill_point: KillPoint | None = None,
        real: bool = False,
        times: dict[str, Any] | None = None,
        **settings: str | None,
    ) -> Program:
        """Start the bot; a setting of None is left out."""
        named = {f"PEERBOT_{name.upper()}": value for name, value in settings.items()}
        environment = {name: value for name, value in (self.environment | named).items() if value is not None}
        if real:
            program = programs.run(["run"], environment, self.folder)
        else:
            program = programs.fork(["run"], environment, self.folder, kill_point=kill_point, times=times)
        self.programs.append(program)
        return program

    async def start(self, **how: Any) -> Program:
        """Start the bot and wait until it can be used."""
        before = self.identified
        program = self.launch(**how)
        await self.world.until(lambda: self.identified > before, PATIENCE, what=f"a bot. {program.said}")
        return program

    async def stop(self, program: Program) -> None:
        """Stop the bot as a supervisor does."""
        program.tell(signal.SIGTERM)
        assert await program.ends() == 0, program.said

    @property
    def identified(self) -> int:
        """How often a bot has logged in to the gateway."""
        return self.stage.discord.gateway.identified

    @property
    def online(self) -> int:
        """How many bots are connected."""
        return sum(isinstance(each, Session) and each.outgoing is not None for each in self.world.sessions)

    async def rows(self, question: str, **values: Any) -> list[tuple[Any, ...]]:
        """Ask the database."""
        async with self.db.read(wait=BACKGROUND) as session:
            return [tuple(row) for row in await session.execute(text(question), values)]

    async def is_done(self) -> bool:
        """Return whether nothing is under way and nothing waits but what is planned for later."""
        soon = self.stage.clock.now() + RETRIES
        now_or_retried = or_(Delivery.next_at <= self.stage.clock.now(), Delivery.kind != "card.draw")
        waits = and_(Delivery.state == deliveries.PENDING, Delivery.next_at <= soon, now_or_retried)
        async with self.db.read(wait=BACKGROUND) as session:
            busy = select(Delivery.delivery_id).where(or_(Delivery.state == deliveries.LEASED, waits))
            return await session.scalar(busy.limit(1)) is None

    async def settle(self) -> None:
        """Wait until the bot has done what it had to do."""
        await self.world.settle(PATIENCE)


@pytest.fixture
async def harbour(empty_stage: Stage, clock: Clock, database_url: str, tmp_path: Path) -> AsyncIterator[Harbour]:
    """The stage before anything happened, the bot not yet started."""
    folder = tmp_path / "home"
    folder.mkdir()
    environment = {
        "PEERBOT_DISCORD_URL": empty_stage.discord.url,
        "PEERBOT_DISCORD_TOKEN": empty_stage.application.token,
        "PEERBOT_DATA_KEY": DATA_KEY,
        "PEERBOT_DATABASE_URL": database_url,
        "PEERBOT_CLOCK_OFFSET_FILE": str(tmp_path / "clock-offset"),
    }
    db = connect(empty_stage.settings)
    made = Harbour(empty_stage, environment, folder, db)
    empty_stage.world.idle_checks.append(made.is_done)
    yield made
    empty_stage.world.idle_checks.clear()
    for program in made.programs:
        await program.kill()
    await db.close()
    said = "".join(program.said for program in made.programs)
    for secret in (empty_stage.application.token, DATA_KEY, *secrets_of(empty_stage)):
        assert re.search(rf"\b{re.escape(secret)}\b", said) is None


@pytest.fixture
async def patient(harbour: Harbour) -> Patient:
    """A set-up that is right in everything, with no bot running."""
    return await in_order(harbour)


def secrets_of(stage: Stage) -> list[str]:
    """Return what no log may say: who the people are."""
    people = (stage.olive, stage.ana, stage.joe, stage.maya, stage.sam, stage.lee, stage.kim)
    return [word for person in people for word in (str(person.user_id), person.name)]
