"""Dates on cards that facilitators confirm: a few as words, of many as many as can be read, and the last one."""

from __future__ import annotations

from collections.abc import Sequence

from peerbot.breaks import Dated
from peerbot.echoes import Outcome
from peerbot.text import Reader, Text, Verbatim, _, n_
from peerbot.times import day, short

MOST = 12


def days(several: Sequence[Dated], zone: str, reader: Reader) -> Verbatim:
    """Return the days of some meetings: "Tuesday, March 23; Tuesday, March 30"."""
    return _joined([day(each.at, zone, reader) for each in several], reader)


def moments(several: Sequence[Dated], zone: str, reader: Reader) -> Verbatim:
    """Return when some meetings begin: "Tue, Mar 23, 6:30 pm; Tue, Mar 30, 6:30 pm"."""
    return _joined([short(each.at, zone, reader) for each in several], reader)


def changed(outcome: Outcome, zone: str, reader: Reader) -> list[str]:
    """Say what becomes of dates when a series is changed."""
    off, moved, new_off, on = (
        moments(each, zone, reader) for each in (outcome.falls_out, outcome.moved, outcome.stays_off, outcome.on_again)
    )
    lines: list[Text] = []
    if off:
        lines.append(
            n_(
                "This date will be off: {dates}.",
                "These dates will be off: {dates}.",
                len(outcome.falls_out),
                dates=off,
            )
        )
    if moved:
        lines.append(
            n_("The date that was moved will be off too: {dates}.",
               "The dates that were moved will be off too: {dates}.", len(outcome.moved), dates=moved)
        )  # fmt: skip
    lines += [_("Stays off: {dates}.", dates=new_off)] if new_off else []
    lines += [_("On again: {dates}.", dates=on)] if on else []
    return [reader.say(line) for line in lines]


def _joined(several: Sequence[Verbatim], reader: Reader) -> Verbatim:
    shown = several if len(several) <= MOST else several[: MOST - 1]
    words = reader.say(_("; ")).join(shown)
    left = len(several) - len(shown)
    if left:
        last = several[-1]
        words = reader.say(
            n_("{days}; and {n} more, on {last}", "{days}; and {n} more, the last on {last}", left,
               days=Verbatim(words), last=last)
        )  # fmt: skip
    return Verbatim(words)
