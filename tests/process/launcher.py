"""Run the command line in a process that was forked ready, and die at a named point of a transaction.

Loading the program takes longer than most of what it does; a fork of a process that has loaded it starts at once. A
kill point is a question in SQL that is asked at the end of each transaction that writes: as soon as it has an answer,
the process kills itself, before that commit or right after it.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import event
from sqlalchemy.orm import Session

from peerbot.__main__ import main


@dataclass(frozen=True)
class KillPoint:
    """Die `when` the first transaction commits in which the question has an answer."""

    when: Literal["before", "after"]
    question: str


def launch(
    arguments: list[str],
    environment: dict[str, str],
    folder: Path,
    output: Connection,
    kill_point: KillPoint | None,
    *,
    times: dict[str, Any],
) -> None:
    """Be `peerbot` with these arguments, in this folder, with nothing but this environment.

    `times` are constants of modules ("peerbot.deliveries.LEASE") that are shorter here than a test can wait for.
    """
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    output.close()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["peerbot", *arguments]
    if kill_point is not None:
        die_at(kill_point)
    for name, value in times.items():
        module, _, constant = name.rpartition(".")
        setattr(import_module(module), constant, value)
    main()


def die_at(point: KillPoint) -> None:
    """Watch every commit of this process, and kill it at the point."""

    def before(session: Session) -> None:
        if session.connection().exec_driver_sql(point.question).first() is None:
            return
        if point.when == "before":
            die()
        session.info["dies"] = True

    def after(session: Session) -> None:
        if "dies" in session.info:
            die()

    event.listen(Session, "before_commit", before)
    event.listen(Session, "after_commit", after)


def die(*_: Any) -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)
