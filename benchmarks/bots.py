"""Bots in processes of their own, started, asked and stopped from the process of the stand-in."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

LONGEST_LINE = 2**24
ROOT = Path(__file__).parent.parent
STARTS_WITHIN = 60.0
ANSWERS_WITHIN = 1800.0
ENDS_WITHIN = 15.0


class Bot:
    """One running bot."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, started_at: float) -> None:
        self._process = process
        self._folder = folder
        self._started_at = started_at
        self._asking = asyncio.Lock()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, question: str, **details: Any) -> Any:
        """Ask one question and return the answer."""
        async with self._asking:
            assert self._writer is not None and self._reader is not None, "it listens before it is asked"  # noqa: PT018
            self._writer.write(json.dumps([question, details]).encode() + b"\n")
            await self._writer.drain()
            line = await asyncio.wait_for(self._reader.readline(), ANSWERS_WITHIN)
        if not line:
            raise RuntimeError(f"the bot did not answer {question!r}. It said:\n{self.said}")
        return json.loads(line)

    async def ready(self) -> float:
        """Wait until it can be used; return the seconds since it was started."""
        return await self.ask("ready") - self._started_at

    @property
    def said(self) -> str:
        """What it has written."""
        return (self._folder / "output").read_text()

    @property
    def memory(self) -> int:
        """The bytes of memory that it holds now."""
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    async def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        if self._writer is not None:
            self._writer.close()
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), ENDS_WITHIN)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    async def listens(self) -> None:
        """Wait until it takes questions."""
        deadline = time.monotonic() + STARTS_WITHIN
        while self._process.returncode is None and time.monotonic() < deadline:
            with suppress(FileNotFoundError, ConnectionRefusedError):
                self._reader, self._writer = await asyncio.open_unix_connection(
                    self._folder / "control", limit=LONGEST_LINE
                )
                return
            await asyncio.sleep(0.01)
        raise RuntimeError(f"the bot did not start. It said:\n{self.said}")


@asynccontextmanager
async def running(
    which: str, url: str, token: str, folder: Path, *, unlimited: bool = False, **settings: str
) -> AsyncGenerator[Bot]:
    """Run "peerbot" or the "bare" bot against a stand-in; a setting is one of peerbot's."""
    folder = folder / f"{which}-{time.monotonic_ns()}"
    folder.mkdir(parents=True)
    named = {"DISCORD_URL": url, "DISCORD_TOKEN": token} | {name.upper(): value for name, value in settings.items()}
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    environment |= {f"PEERBOT_{name}": value for name, value in named.items()}
    environment |= {"BENCH_UNLIMITED": "1"} if unlimited else {}
    started_at = time.monotonic()
    with (folder / "output").open("w") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.child", which),
            cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    bot = Bot(process, folder, started_at)
    try:
        await bot.listens()
        yield bot
    finally:
        await bot.stop()
