"""What a benchmark hands back: a table with its notes, for a terminal or to be pasted into a page."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

import rich.table
from rich.console import Console, Group
from rich.text import Text


@dataclass
class Table:
    """One table: its title, its columns, its rows, and sentences beneath it."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list[Sequence[str]])
    notes: list[str] = field(default_factory=list[str])

    def add(self, *cells: object) -> None:
        """Add a row."""
        self.rows.append([str(cell) for cell in cells])

    def markdown(self) -> str:
        """Return the table as Markdown."""
        lines = [f"### {self.title}", "", _line(self.columns), _line(["---", *["--:"] * (len(self.columns) - 1)])]
        lines += [_line(row) for row in self.rows]
        lines += [""] + [f"{note}\n" for note in self.notes]
        return "\n".join(lines)

    def show(self, console: Console) -> None:
        """Draw the table in a terminal."""
        drawn = rich.table.Table(title=self.title, title_justify="left")
        for number, column in enumerate(self.columns):
            drawn.add_column(column, justify="right" if number else "left")
        for row in self.rows:
            drawn.add_row(*map(Text, row))
        console.print(Group(drawn, *map(Text, self.notes), Text("")))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def median(values: Sequence[float]) -> float:
    """Return the value that half of them do not exceed."""
    return statistics.median(values)


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value that so many of a hundred do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def ms(seconds: float) -> str:
    """Write seconds as milliseconds."""
    return f"{seconds * 1000:.2f} ms"


def mib(size: float) -> str:
    """Write bytes as mebibytes."""
    return f"{size / 2**20:.1f} MiB"


def aimed(value: float, aim: float, *, at_least: bool = False) -> str:
    """Say whether a value keeps to an aim."""
    return "yes" if (value >= aim if at_least else value <= aim) else "NO"
