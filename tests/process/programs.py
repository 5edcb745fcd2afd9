"""Programs under test: `peerbot` as a process of its own, what it says, and how it ends."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.process.launcher import KillPoint, launch

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 20.0
"""Seconds that a test waits for what must come; it mostly comes in a fraction of one."""

forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload(["tests.process.loaded"])


class Program:
    """One running process."""

    def __init__(self, pid: int, reading: int, exit_code: Callable[[], int | None]) -> None:
        self.pid = pid
        self._reading = reading
        self._exit_code = exit_code
        self._said = b""
        self._ended = False
        self._more = asyncio.Event()
        os.set_blocking(reading, False)
        asyncio.get_running_loop().add_reader(reading, self._read)

    @property
    def said(self) -> str:
        """Everything that it has written so far."""
        return self._said.decode()

    @property
    def lines(self) -> list[str]:
        return self.said.splitlines()

    async def says(self, words: str, *, within: float = PATIENCE) -> None:
        """Wait until it has written these words; fails when it ends without."""
        await self._until(lambda: words in self.said or self._ended, within, f"{words!r}")
        assert words in self.said, f"it ended without saying {words!r}:\n{self.said}"

    async def ends(self, *, within: float = PATIENCE) -> int:
        """Wait until it is gone, and return its exit code (the negative number of the signal that killed it)."""
        await self._until(lambda: self._ended, within, "its end")
        code = self._exit_code()
        assert code is not None
        return code

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    async def kill(self) -> None:
        """Kill it, if it is still there, as a power cut would."""
        if not self._ended:
            with suppress(ProcessLookupError):  # it is gone, and its last words have not been read yet
                self.tell(signal.SIGKILL)
        await self.ends()

    def _read(self) -> None:
        if part := os.read(self._reading, 65536):
            self._said += part
        else:
            asyncio.get_running_loop().remove_reader(self._reading)
            os.close(self._reading)
            self._ended = True
        self._more.set()

    async def _until(self, happened: Callable[[], bool], seconds: float, what: str) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not happened():
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise AssertionError(f"not within {seconds} s: {what}. It said:\n{self.said}") from None


def fork(
    arguments: list[str],
    environment: dict[str, str],
    folder: Path,
    *,
    kill_point: KillPoint | None = None,
    times: dict[str, Any] | None = None,
) -> Program:
    """Run the command line in a fork of a process that has loaded it."""
    reading, writing = forks.Pipe(duplex=False)
    given = (arguments, environment, folder, writing, kill_point)
    process = forks.Process(target=launch, args=given, kwargs={"times": times or {}})
    process.start()
    writing.close()

    def exit_code() -> int | None:
        process.join(PATIENCE)
        return process.exitcode

    assert process.pid is not None
    return Program(process.pid, _own(reading), exit_code)


def run(arguments: list[str], environment: dict[str, str], folder: Path) -> Program:
    """Run the command line as anybody would."""
    reading, writing = os.pipe()
    path = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "peerbot", *arguments],
        cwd=folder, env=path | environment, stdin=subprocess.DEVNULL, stdout=writing, stderr=writing,
    )  # fmt: skip
    os.close(writing)
    return Program(process.pid, reading, lambda: process.wait(PATIENCE))


def _own(connection: Connection) -> int:
    descriptor = os.dup(connection.fileno())
    connection.close()
    return descriptor
