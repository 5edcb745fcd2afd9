"""People who look at the clock: how long from a press until what comes of it can be seen."""

from __future__ import annotations

import time
from typing import Any

from peerbot.rehearsal.application import Application
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.interactions import Interaction
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.seen import Shown
from peerbot.rehearsal.wire import Wire
from peerbot.rehearsal.world import World


class TimedPerson(Person):
    """Somebody who uses one of two bots whose commands have the same names.

    `took` is the seconds from the last press or command until its final content was there, a deferral included.
    """

    def __init__(self, world: World, user_id: int, guild: Guild, uses: Application) -> None:
        super().__init__(world, user_id, guild)
        self.uses = uses
        self.took = 0.0
        self._began = 0.0

    def _offered(self, channel: Wire, *, force: bool) -> list[tuple[Application, Wire]]:
        return [each for each in super()._offered(channel, force=force) if each[0] is self.uses]

    def _open(self, *args: Any, **named: Any) -> Interaction:
        self._began = time.perf_counter()
        return super()._open(*args, **named)

    async def _answer(self, interaction: Interaction) -> Shown:
        await self.world.until(
            lambda: interaction.shown or interaction.modal or interaction.lapsed or interaction.refused, 15
        )
        self.took = time.perf_counter() - self._began
        return await super()._answer(interaction)
