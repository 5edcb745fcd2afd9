"""A bot in a process of its own that can be asked how it is doing: `python -m benchmarks.child peerbot|bare`.

It listens on a socket in its folder. Each line that arrives names a question and its details in JSON; each line that
goes back is the answer. Nothing of the product knows about it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.measured import Counts

TICK = 0.005
"""Seconds between two looks at whether the loop is held up."""
LONGEST_LINE = 2**24
Question = Callable[..., Awaitable[Any]]


class Control:
    """Answer questions about this process; `counts` is what peerbot asks of its database."""

    counts: Counts

    def __init__(self) -> None:
        self.questions: dict[str, Question] = {
            "ready": self._ready,
            "spent": self._spent,
            "watch": self._watch,
            "block": self._block,
        }
        self.ready_at: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._ticking: asyncio.TimerHandle | None = None
        self._longest = 0.0
        self._expected = 0.0

    async def serve(self, path: Path) -> None:
        """Take questions until the process ends."""
        server = await asyncio.start_unix_server(self._converse, path, limit=LONGEST_LINE)
        async with server:
            await server.serve_forever()

    def is_ready(self) -> None:
        """Note that the bot is ready, the first time."""
        if not self.ready_at.done():
            self.ready_at.set_result(time.monotonic())

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.set_name("control")
        while line := await reader.readline():
            name, details = json.loads(line)
            answer = await self.questions[name](**details)
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def _ready(self) -> float:
        return await asyncio.shield(self.ready_at)

    async def _spent(self) -> float:
        """Return the seconds of a core that this process has used."""
        return time.process_time()

    async def _watch(self) -> None:
        """Begin to look for how long the loop is held up."""
        self._longest = 0.0
        self._expected = asyncio.get_running_loop().time()
        self._tick()

    async def _block(self) -> float:
        """End looking, and return for how long the loop was held up at worst."""
        assert self._ticking is not None, "watch is asked first"
        self._ticking.cancel()
        return self._longest

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._longest = max(self._longest, loop.time() - self._expected)
        self._expected = loop.time() + TICK
        self._ticking = loop.call_at(self._expected, self._tick)


def outlive_nobody(parent: int) -> None:
    """End this process when the one that started it is gone, however that ended."""
    if os.getppid() != parent:
        os._exit(1)
    asyncio.get_running_loop().call_later(1, outlive_nobody, parent)


async def main(which: str) -> None:
    """Run one of the bots with its control beside it."""
    outlive_nobody(os.getppid())
    control = Control()
    serving = asyncio.create_task(control.serve(Path("control")), name="control")
    # Loaded here, so that one bot does not carry what only the other needs.
    if which == "bare":
        from benchmarks.bare import run
    else:
        from benchmarks.measured import run
    try:
        await run(control)
    finally:
        serving.cancel()


if __name__ == "__main__":
    os.umask(0o077)
    asyncio.run(main(sys.argv[1]))
