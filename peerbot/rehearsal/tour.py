"""Play the tour: a server is set up, people join groups, and trouble comes and goes.

Every step says what should be so and looks whether it is; one that is not so is printed as such, and the rehearsal ends
with exit code 1.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from rich.padding import Padding
from rich.text import Text

from peerbot.rehearsal.forms import Form
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.playing import BotProcess, Cast
from peerbot.rehearsal.printing import Printer
from peerbot.rehearsal.seen import Seen, Shown
from peerbot.rehearsal.tour_meetings import Meetings
from peerbot.rehearsal.tour_promises import Promises
from peerbot.rehearsal.wire import Wire

REDRAWN_WITHIN = 12.0
"""Real seconds in which a public card shows what changed: it is redrawn at most once in five."""
HOSTILE = "@everyone **free** \u202elived\u202c <@1>\n# Big"


@dataclass
class Tour:
    """The people, the bot, and the paper."""

    cast: Cast
    bot: BotProcess
    paper: Printer
    database: Path
    old_card: Seen | None = None
    old_form: Form | None = None

    async def play(self) -> None:
        """Play all steps."""
        self.paper.tell("A made-up Discord server runs on this machine, and the real bot has logged in to it.")
        self.paper.tell(
            "Its people: [bold]Olive[/] (owner), [bold]Ana[/] and [bold]Joe[/] (facilitators), and five patients: "
            "[bold]Maya[/], [bold]Sam[/], [bold]Lee[/], [bold]Kim[/], [bold]Tom[/]."
        )
        for step in (
            self.set_up,
            self.groups,
            self.join,
            self.last_seat,
            self.rest,
            self.hostile,
            self.help_now,
            self.kill,
            self.after_the_restart,
            Promises(self.cast, self.bot, self.paper).play,
            Meetings(self.cast, self.paper, self.database.parent).play,
            self.stolen_database,
        ):
            await step()

    async def set_up(self) -> None:
        """The owner answers five questions."""
        cast, paper = self.cast, self.paper
        paper.chapter("Olive sets the server up")
        form = await cast.olive.slash("/setup")
        paper.tell("[bold]Olive[/] types /setup.")
        paper.show("Olive", form)
        done = await form.send(
            {
                "Who facilitates? (role)": cast.role,
                "Where should members find groups?": cast.panel,
                "Where do facilitators talk?": cast.staff,
                "Time zone": "new york",
            }
        )
        paper.show("Olive", done)
        paper.check("The city was enough to know the time zone.", holds="New" in done and "York" in done)
        countries = await (await cast.olive.press(done, "Help lines")).send(
            {"Countries of most members (up to three)": "United States, UK"}
        )
        paper.check("Help lines of two countries come first from now on.", holds="set up" in countries)
        panel = await self._public(cast.panel, "988")
        paper.show("Everyone", panel)

    async def groups(self) -> None:
        """Two facilitators open two groups."""
        cast, paper = self.cast, self.paper
        paper.chapter("Ana and Joe open groups")
        form = await cast.ana.slash("/group new")
        paper.tell("[bold]Ana[/] types /group new.")
        paper.show("Ana", form)
        opened = await form.send(
            {
                "Name": "Tuesday meeting",
                "What is it like?": "For adults whose depression has not eased with treatment. No proof needed.",
                "Topic": "Rebuilding",
                "How do you meet?": "Voice",
            }
        )
        paper.show("Ana", opened)
        room = cast.room("tuesday-meeting")
        await cast.discord.world.until(lambda: cast.ana.can_see(room), what="Ana to see the room")
        paper.check("Ana sees the room.", holds=cast.ana.can_see(room))
        seen_by = [person.name for person in self._patients() if person.can_see(room)]
        paper.check("No patient sees it.", holds=not seen_by)
        form = await cast.joe.slash("/group new")
        await form.send({"Name": "Night owls", "Topic": "Sleep", "How do you meet?": "Text", "Seats": "1"})
        paper.tell("[bold]Joe[/] opens [bold]Night owls[/], with a single seat.")
        posted = await cast.ana.press(opened, "Post its card")
        paper.check("Ana has the card of her group posted too.", holds="find\\-a\\-group" in posted or "<#" in posted)
        panel = await self._public(cast.panel, "Night owls", "Tuesday meeting")
        paper.show("Everyone", panel)

    async def join(self) -> None:
        """A patient joins, and only she sees what changes."""
        cast, paper = self.cast, self.paper
        paper.chapter("Maya joins, and nobody is told her name")
        panel = await self._public(cast.panel, "Tuesday meeting")
        paper.tell("[bold]Maya[/] presses [bold]Tuesday meeting[/] on the panel.")
        card = await cast.maya.press(panel, "Tuesday meeting")
        paper.show("Maya", card)
        agreement = await cast.maya.press(card, "Join")
        paper.show("Maya", agreement)
        welcome = await cast.maya.press(agreement, "I agree")
        paper.show("Maya", welcome)
        room = cast.room("tuesday-meeting")
        paper.check("Maya sees the room.", holds=cast.maya.can_see(room))
        others = [person.name for person in self._patients() if person is not cast.maya and person.can_see(room)]
        paper.check("Sam, Lee, Kim and Tom do not.", holds=not others)
        greeting = await cast.discord.world.until(lambda: cast.maya.sees(room))
        paper.show("The room", greeting[-1])
        panel = await self._public(cast.panel, "11 seats free")
        named = any(name in seen for seen in cast.sam.sees(cast.panel) for name in ("Maya", cast.maya.mention))
        paper.check("The panel counts one seat less, and names nobody.", holds=not named and "11 seats" in panel)
        roster = await cast.ana.slash("/group people", group="Tuesday meeting")
        paper.tell("[bold]Ana[/] looks after the group, so she may see who is in it.")
        paper.show("Ana", roster)
        paper.check("Joe, who facilitates another group, may not.", holds=await self._is_refused_people(cast.joe))
        self.old_card = card_of(roster)

    async def last_seat(self) -> None:
        """Two people want the last seat; later one leaves and another gets in."""
        cast, paper = self.cast, self.paper
        paper.chapter("Two people press on the last seat at the same moment")
        agreements = [await self._agreement(person, "Night owls") for person in (cast.lee, cast.kim)]
        both = await asyncio.gather(cast.lee.press(agreements[0], "I agree"), cast.kim.press(agreements[1], "I agree"))
        got_it = [person for person, seen in zip((cast.lee, cast.kim), both, strict=True) if "You're in" in seen]
        paper.tell("[bold]Lee[/] and [bold]Kim[/] both press [bold]I agree[/].")
        for person, seen in zip((cast.lee, cast.kim), both, strict=True):
            paper.show(person.name, seen)
        paper.check("One of them has the seat.", holds=len(got_it) == 1)
        if len(got_it) != 1:
            return
        other = cast.kim if got_it[0] is cast.lee else cast.lee
        mine = await got_it[0].slash("/my")
        left = await got_it[0].press(await got_it[0].press(mine, "Leave"), "Leave")
        paper.tell(f"[bold]{got_it[0].name}[/] leaves again, without giving a reason.")
        paper.show(got_it[0].name, left)
        await cast.discord.world.until(lambda: not got_it[0].can_see(cast.room("night-owls")))
        agreed = await self._join(other, "Night owls")
        paper.tell(f"[bold]{other.name}[/] tries once more.")
        paper.check(f"{other.name} is in now.", holds="You're in" in agreed and other.can_see(cast.room("night-owls")))

    async def rest(self) -> None:
        """A pause keeps the seat."""
        cast, paper = self.cast, self.paper
        paper.chapter("Maya needs a rest")
        paused = await cast.maya.press(await cast.maya.slash("/my"), "Pause")
        paper.show("Maya", paused)
        paper.check("Her seat is kept.", holds="resting" in paused)
        back = await cast.maya.press(paused, "I'm back")
        paper.check("One tap, and she is back.", holds="resting" not in back)

    async def hostile(self) -> None:
        """Bad input is harmless, and rights are checked at the press."""
        cast, paper = self.cast, self.paper
        paper.chapter("Somebody tries to break things")
        before = len(cast.discord.world.pings)
        form = await cast.joe.slash("/group new")
        paper.tell("[bold]Joe[/] gives a group a name full of tricks: @everyone, bold, a mention, backward text.")
        made = await form.send({"Name": HOSTILE, "How do you meet?": "Text", "Seats": "3"}, unchecked=True)
        paper.show("Joe", made)
        await cast.discord.world.settle()
        paper.check("It is only text, and nobody was pinged.", holds=len(cast.discord.world.pings) == before)
        form = await cast.joe.slash("/group new")
        refused = await form.send({"Name": "x" * 4000, "How do you meet?": "Text", "Seats": "3"}, unchecked=True)
        paper.tell("He sends a name of 4,000 letters.")
        paper.show("Joe", refused)
        paper.check("It is refused in one sentence.", holds="too long" in refused)
        paper.tell("[bold]Sam[/] is no facilitator. He sends a command that he is not shown, and presses Ana's button.")
        people = await cast.sam.slash("/group people", group="Tuesday meeting", force=True)
        paper.show("Sam", people)
        assert self.old_card is not None, "an earlier step keeps it"  # noqa: S101
        forged = await cast.sam.forged(self.old_card, "groups:people:1")
        paper.check("Neither shows him a name.", holds=not any("Maya" in seen for seen in (people, forged)))

    async def help_now(self) -> None:
        """Help is there for everyone, at any time."""
        cast, paper = self.cast, self.paper
        paper.chapter("Tom needs help now")
        card = await cast.tom.slash("/help-now")
        paper.tell("[bold]Tom[/] is in no group. He types /help-now.")
        paper.show("Tom", card)
        paper.check("Only he sees it, and a number comes first.", holds=card.ephemeral and "988" in card)
        hard = await cast.tom.choose(card, "What would make it hard to call?", "I can't talk out loud")
        paper.show("Tom", hard)
        paper.check("Ways to write come first now.", holds="don't have to talk" in hard)
        dm = await cast.tom.slash("/help-now", in_=cast.tom.dm(cast.application))
        paper.check("It works in a direct message too.", holds="emergency number" in dm)

    async def kill(self) -> None:
        """The bot dies between saving a seat and opening the room."""
        cast, paper = self.cast, self.paper
        paper.chapter("The bot is killed in the middle of a sign-up")
        room = cast.room("tuesday-meeting")
        card = await cast.sam.press(await cast.sam.slash("/groups"), "Tuesday meeting")
        agreement = await self._agreement(cast.tom, "Tuesday meeting")
        form = await cast.ana.slash("/group edit", group="Tuesday meeting")
        assert isinstance(form, Form), "a command to edit opens a form"  # noqa: S101
        self.old_form, self.old_card = form, card_of(card)
        hold = cast.discord.faults.hold("PUT", "/channels/{}/permissions/{}")
        pressing = asyncio.ensure_future(cast.tom.press(agreement, "I agree"))
        await asyncio.wait_for(hold.arrived.wait(), 10)
        paper.tell("[bold]Tom[/] agrees. His seat is saved; the request to open the room is on its way...")
        await self.bot.kill()
        pressing.cancel()
        with contextlib.suppress(asyncio.CancelledError, AssertionError):
            await pressing
        paper.tell("[bold red]kill -9[/]. The bot is gone.")
        paper.check("Tom does not see the room.", holds=not cast.tom.can_see(room))
        hold.release()
        cast.discord.faults.clear()
        await cast.start(self.bot)
        paper.tell("The bot is started again.")
        await cast.discord.world.until(lambda: cast.tom.can_see(room), what="Tom to see the room")
        paper.check("Tom sees the room, without doing anything.", holds=cast.tom.can_see(room))
        mine = await cast.tom.slash("/my")
        paper.show("Tom", mine)
        paper.check("He has one seat.", holds="Tuesday meeting" in mine)

    async def after_the_restart(self) -> None:
        """What was opened before the kill works after it."""
        cast, paper = self.cast, self.paper
        paper.chapter("Old buttons and old forms still work")
        assert self.old_card is not None and self.old_form is not None, "an earlier step keeps them"  # noqa: S101, PT018
        card = await cast.sam.press(self.old_card, "Join")
        paper.tell("[bold]Sam[/] presses [bold]Join[/] on a card that was opened before the kill.")
        paper.check("The agreement comes up.", holds="I agree" in card.labels)
        changed = await self.old_form.send({"Topic": "Rebuilding trust"})
        paper.tell("[bold]Ana[/] sends a form that she opened before the kill.")
        paper.show("Ana", changed)
        panel = await self._public(cast.panel, "Rebuilding trust")
        paper.check("The panel shows her change.", holds="Rebuilding trust" in panel)

    async def stolen_database(self) -> None:
        """A copy of the database names nobody."""
        paper = self.paper
        paper.chapter("Somebody steals the database")
        with contextlib.closing(sqlite3.connect(self.database)) as copy:
            dump = "\n".join(copy.iterdump()).lower()
            seats = copy.execute("SELECT count(*) FROM memberships").fetchone()[0]
        paper.tell(f"It holds {seats} seats in its groups, and this is how it writes down who one of them is:")
        row = next(line for line in dump.splitlines() if 'into "members"' in line or "into members" in line)
        paper.console.print(Padding(Text(row), (0, 0, 1, 4)))
        everyone = [*self._patients(), self.cast.olive, self.cast.ana, self.cast.joe]
        found = [person.name for person in everyone if any(form in dump for form in _written(person.user_id))]
        paper.check("Nobody's id is in it, in any form.", holds=not found)

    def _patients(self) -> list[Person]:
        cast = self.cast
        return [cast.maya, cast.sam, cast.lee, cast.kim, cast.tom]

    async def _public(self, channel: Wire, *words: str) -> Seen:
        """Wait until a public card shows some words, and return it."""

        def shows() -> Seen | None:
            found = [seen for seen in self.cast.lee.sees(channel) if all(word in seen for word in words)]
            return found[0] if found else None

        self.cast.let_cards_follow()
        seen = await self.cast.discord.world.until(shows, REDRAWN_WITHIN, what=f"a card that shows {words}")
        assert seen is not None, "until() returns what is true"  # noqa: S101
        return seen

    async def _agreement(self, person: Person, name: str) -> Shown:
        card = await person.press(await person.slash("/groups"), name)
        return await person.press(card, "Join")

    async def _join(self, person: Person, name: str) -> Shown:
        answer = await self._agreement(person, name)
        return await person.press(answer, "I agree") if "I agree" in answer.labels else answer

    async def _is_refused_people(self, person: Person) -> bool:
        answer = await person.slash("/group people", group="Tuesday meeting")
        return "Maya" not in answer and "Only facilitators" in answer


def _written(user_id: int) -> list[str]:
    """Return the forms in which an id might stand in a dump: decimal, and hexadecimal from either end."""
    return [str(user_id), user_id.to_bytes(8, "big").hex(), user_id.to_bytes(8, "little").hex(), f"{user_id:x}"]


def card_of(shown: Shown) -> Seen:
    """Return a message, which is what was expected."""
    if not isinstance(shown, Seen):
        raise TypeError("a form came where a card was expected")
    return shown
