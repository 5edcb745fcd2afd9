"""What the log may say: ids of our own rows, never an id of a person, a token, or words that somebody wrote.

Our own lines are written so. Lines and tracebacks of libraries are not, so every Discord id and every interaction token
in them is struck out on the way; and libraries never log below INFO, because discord.py and aiosqlite would write down
whole events and rows, with names and words in them.
"""

from __future__ import annotations

import logging
import re

import aiohttp

OURS = ("peerbot", "cogs")
TALKATIVE = ("alembic", "apscheduler")
"""Libraries whose INFO tells an owner nothing."""

_TOKEN = re.compile(r"(/(?:webhooks|interactions)/\d+/)[^/\s?'\"]+")
_DISCORD_ID = re.compile(r"(?<!\d)\d{17,20}(?!\d)")


class Discreet(logging.Formatter):
    """Format a record, with ids and tokens of Discord struck out."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, its traceback included."""
        return discreet(super().format(record))


def discreet(text: str) -> str:
    """Return text without ids and tokens of Discord."""
    return _DISCORD_ID.sub("(id)", _TOKEN.sub(r"\1(token)", text))


def set_up_logging(level: str) -> None:
    """Log to standard error from this level on."""
    output = logging.StreamHandler()
    output.setFormatter(Discreet("{asctime} {levelname:<7} {name}: {message}", style="{"))
    output.addFilter(_say_lost_connections_in_one_line)
    root = logging.getLogger()
    root.handlers = [output]
    root.setLevel(max(logging.INFO, logging.getLevelNamesMapping()[level]))
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _say_lost_connections_in_one_line(record: logging.LogRecord) -> bool:
    # discord.py logs each connection that it could not make or keep with a traceback, and then tries again by itself.
    problem = record.exc_info[1] if record.exc_info else None
    lost = isinstance(problem, OSError | aiohttp.ClientError) or type(problem).__module__.startswith("discord.")
    if record.name.startswith("discord.") and lost:
        record.msg, record.args = f"{record.getMessage()} ({type(problem).__name__})", ()
        record.exc_info, record.levelno, record.levelname = None, logging.WARNING, "WARNING"
    return True
