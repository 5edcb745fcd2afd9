"""Print the tour so that a person enjoys reading it: who does what, what they see, what nobody else sees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from rich import box
from rich.console import Console, Group
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from peerbot.rehearsal import component_limits as kinds
from peerbot.rehearsal.forms import Form
from peerbot.rehearsal.seen import Seen, Shown, name_of
from peerbot.rehearsal.wire import Wire
from peerbot.rehearsal.world import World

WIDTH = 72
_ESCAPED = re.compile(r"\\([^0-9A-Za-z\s])")
_BOLD = re.compile(r"\*\*(.+?)\*\*")
_ITALIC = re.compile(r"(?<!\w)\*([^*\s][^*]*)\*(?!\w)")
_STRUCK = re.compile(r"~~(.+?)~~")
_MENTION = re.compile(r"<(@&|@|#)(\d+)>")
_TIME = re.compile(r"<t:(\d+)(?::(\w))?>")
_KEPT = "\ue000"  # stands for an escaped sign while markdown is read


class Printer:
    """Write the tour to a terminal, and remember what did not go as told."""

    def __init__(self, console: Console, world: World) -> None:
        self.console = console
        self.world = world
        self.chapters = 0
        self.failed: list[str] = []

    def chapter(self, title: str) -> None:
        """Begin a part of the tour."""
        self.chapters += 1
        self.console.print()
        self.console.rule(f"[bold]{self.chapters}. {escape(title)}[/]", align="left", style="cyan")

    def tell(self, words: str) -> None:
        """Say what somebody does, or what happens."""
        self.console.print(Padding(words, (1, 0, 0, 2)))

    def show(self, who: str, shown: Shown) -> None:
        """Draw what somebody sees."""
        if isinstance(shown, Form):
            lines, where = [Text(line) for line in _form_lines(shown)], f"{who} gets a form"
        elif isinstance(shown, Seen):
            lines = [self.text(line) for line in _lines(shown.wire)]
            where = f"only {who} sees this" if shown.ephemeral else f"{who} sees"
        else:
            raise TypeError(f"nobody can see a {type(shown).__name__}")
        panel = Panel(Group(*lines), title=where, title_align="left", width=WIDTH, box=box.ROUNDED, border_style="blue")
        self.console.print(panel, new_line_start=True)

    def check(self, words: str, *, holds: bool) -> None:
        """Say whether something is as it should be."""
        mark = "[green]✓[/]" if holds else "[bold red]✗ not so:[/]"
        self.console.print(Padding(f"{mark} {words}", (0, 0, 0, 2)))
        if not holds:
            self.failed.append(words)

    def text(self, line: str) -> Text:
        """Return a line as the client shows it: names for mentions, bold for bold."""
        if line.startswith(_BUTTONS):
            return Text.from_markup(line.removeprefix(_BUTTONS))
        kept: list[str] = []

        def keep(found: re.Match[str]) -> str:
            kept.append(found[1])
            return _KEPT

        line = _ESCAPED.sub(keep, line)
        line = _TIME.sub(self._time, line)
        line = escape(_MENTION.sub(self._name, line))
        for mark, style in (("## ", "bold"), ("### ", "bold"), ("-# ", "dim")):
            if line.startswith(mark):
                line = f"[{style}]{line.removeprefix(mark)}[/]"
        line = _STRUCK.sub(r"[strike]\1[/]", _ITALIC.sub(r"[italic]\1[/]", _BOLD.sub(r"[bold]\1[/]", line)))
        for sign in kept:
            line = line.replace(_KEPT, escape(sign), 1)
        return Text.from_markup(line)

    def _time(self, time: re.Match[str]) -> str:
        """Return a timestamp as a client shows it to somebody in UTC (reference.mdx, "Message Formatting")."""
        at, style = datetime.fromtimestamp(int(time[1]), UTC), time[2] or "f"
        if style == "R":
            return _away((at - self.world.clock.now()).total_seconds())
        return at.strftime(_STYLES.get(style, "%d %B %Y %H:%M"))

    def _name(self, mention: re.Match[str]) -> str:
        kind, thing_id = mention[1], int(mention[2])
        if kind == "@":
            user = self.world.users.get(thing_id, {})
            return f"@{user.get('global_name') or user.get('username') or 'somebody'}"
        if kind == "@&":
            roles = [guild.roles[thing_id] for guild in self.world.guilds.values() if thing_id in guild.roles]
            return f"@{roles[0]['name'] if roles else 'role'}"
        channel = self.world.find_channel(thing_id)
        return f"#{channel['name'] if channel else 'gone'}"


_STYLES = {"F": "%A, %d %B %Y %H:%M", "D": "%d %B %Y", "d": "%d/%m/%Y", "t": "%H:%M"}
_UNITS = (("day", 24 * 3600.0), ("hour", 3600.0), ("minute", 60.0))


def _away(seconds: float) -> str:
    """Return how far away a moment is, as a client says it."""
    for unit, length in _UNITS:
        number = round(abs(seconds) / length)
        if abs(seconds) >= length * 0.9:
            many = f"{number} {unit}{'s' if number != 1 else ''}"
            return f"in {many}" if seconds > 0 else f"{many} ago"
    return "just now"


_BUTTONS = "\ue001"  # begins a line that is made of buttons


def _lines(message: Wire) -> list[str]:
    return [*message["content"].splitlines(), *_component_lines(message["components"])]


def _component_lines(components: list[Wire]) -> Iterator[str]:
    for component in components:
        kind = component["type"]
        if kind == kinds.TEXT_DISPLAY:
            yield from component["content"].splitlines()
        elif kind == kinds.SECTION:
            yield from _component_lines(component["components"])
            yield f"{_BUTTONS}  {_button(component['accessory'])}"
        elif kind == kinds.ROW:
            yield _BUTTONS + "  ".join(_button(each) for each in component["components"])
        elif "components" in component:
            yield from _component_lines(component["components"])


def _button(component: Wire) -> str:
    name = escape(name_of(component)).replace(" ", "\u00a0")  # a button is not broken into two lines
    if component["type"] in kinds.SELECTS:
        return f"[reverse] {name} ▾ [/]"
    return f"[dim reverse] {name} [/]" if component.get("disabled") else f"[reverse] {name} [/]"


def _form_lines(form: Form) -> list[str]:
    return [form.title, *(f"  {label}: ____" for label in form.labels)]
