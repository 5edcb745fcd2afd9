"""What `peerbot doctor` finds: one line for each check, in groups, each with a mark in words.

A line is printed as soon as it is found, so that whoever waits sees what is going on. Colour never says more than the
words do. Whatever goes wrong within a check becomes a line of it; the report always reaches its end.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from rich.console import Console
from rich.text import Text

from peerbot.text import clean


class Mark(Enum):
    """What a check came to, as it is printed, and its colour for those who see one."""

    OK = "ok", "green"
    LOOK = "look", "cyan"
    TO_DO = "to do", "bold red"
    SKIPPED = "skipped", "yellow"

    @property
    def word(self) -> str:
        return self.value[0]

    @property
    def colour(self) -> str:
        return self.value[1]


WIDEST = max(len(mark.word) for mark in Mark)


class Report:
    """The lines so far."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._counts: Counter[Mark] = Counter()

    def group(self, title: str) -> None:
        """Begin a group of checks."""
        self._print(Text(self._plain(title), style="bold"))

    def ok(self, check: str, state: str) -> None:
        """Say that something is as it should be."""
        self._line(Mark.OK, check, state)

    def look(self, check: str, state: str, remedy: str) -> None:
        """Say what may be meant so, as a question, and what to do if it is not."""
        self._line(Mark.LOOK, check, f"{state} Is that right? If not: {remedy}")

    def to_do(self, check: str, problem: str, remedy: str) -> None:
        """Say what is not right, and in one sentence what to do about it."""
        self._line(Mark.TO_DO, check, f"{problem} {remedy}")

    def skipped(self, check: str, why: str) -> None:
        """Say that something could not be checked, because of what was found before."""
        self._line(Mark.SKIPPED, check, f"not checked, because {why}.")

    @contextmanager
    def guarded(self, check: str) -> Generator[None]:
        """Turn a mistake of a check's own into a line that names the place, and none of the values, of it."""
        try:
            yield
        except Exception as mistake:  # noqa: BLE001 - a doctor that falls over helps nobody; the line says what it was
            place = traceback.extract_tb(mistake.__traceback__)[-1]
            where = f"{type(mistake).__name__} in {Path(place.filename).name}, line {place.lineno}"
            self.to_do(check, f"This check failed by a mistake of peerbot's own ({where}).", "Please report it.")

    def end(self) -> bool:
        """Print the sum, and return whether everything is as it should be."""
        ok, look, to_do, skipped = (self._counts[mark] for mark in Mark)
        is_well = bool(ok) and not to_do and not skipped
        asked = f"{look} to look at, " if look else ""
        found = f"{ok} ok, {asked}{to_do} to do, {skipped} skipped."
        self._print(Text(f"All {ok} checks are ok." if is_well and not look else found))
        return is_well

    def _line(self, mark: Mark, check: str, words: str) -> None:
        self._counts[mark] += 1
        words = self._plain(f"{check}: {words}")
        self._print(Text.assemble("  ", (f"{mark.word:<{WIDEST}}", mark.colour), f"  {words}"))

    def _plain(self, words: str) -> str:
        """Return words that a terminal can show: names of servers and channels are what other people wrote."""
        known = self._console.encoding
        return clean(words).encode(known, "replace").decode(known)

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)
