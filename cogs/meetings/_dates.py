"""Dates on cards that facilitators confirm: a few as words, of many as many as can be read, and the last one."""

from __future__ import annotations

from collections.abc import Sequence

from peerbot.breaks import Dated
from peerbot.text import Reader, Verbatim, _, n_
from peerbot.times import day

MOST = 12


def days(several: Sequence[Dated], zone: str, reader: Reader) -> Verbatim:
    """Return the days of some meetings: "Tuesday, March 23; Tuesday, March 30"."""
    shown = several if len(several) <= MOST else several[: MOST - 1]
    words = reader.say(_("; ")).join(day(each.at, zone, reader) for each in shown)
    left = len(several) - len(shown)
    if left:
        last = day(several[-1].at, zone, reader)
        words = reader.say(
            n_("{days}; and {n} more, on {last}", "{days}; and {n} more, the last on {last}", left,
               days=Verbatim(words), last=last)
        )  # fmt: skip
    return Verbatim(words)
