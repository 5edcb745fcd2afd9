"""The part of the tour about promises: the line, offers, hellos, closed direct messages, kills, outages and rests."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from peerbot.rehearsal.people import Person
from peerbot.rehearsal.playing import PATIENCE, BotProcess, Cast
from peerbot.rehearsal.printing import Printer
from peerbot.rehearsal.seen import Seen, Shown
from peerbot.rehearsal.wire import PRIVATE_THREAD, Wire

WALK, GARDEN = "Morning walk", "Quiet garden"
OFFER = "A seat is free for you"


@dataclass
class Promises:
    """What was promised happens, once, at a time of day at which it is welcome."""

    cast: Cast
    bot: BotProcess
    paper: Printer

    async def play(self) -> None:
        """Play all steps."""
        for step in (
            self.line,
            self.night,
            self.no_answer,
            self.hello,
            self.killed_in_between,
            self.two_days,
            self.four_weeks,
        ):
            await step()

    async def line(self) -> None:
        """A full group has a line."""
        cast, paper = self.cast, self.paper
        paper.chapter("A full group has a line")
        await (await cast.ana.slash("/group new")).send(
            {"Name": WALK, "Topic": "Walking", "How do you meet?": "Voice", "Seats": "1"}
        )
        paper.tell(f"[bold]Ana[/] opens [bold]{WALK}[/], with a single seat. [bold]Kim[/] takes it.")
        await self._through(cast.kim, "Join")
        card = await self._card(cast.sam, WALK)
        paper.tell("[bold]Sam[/] finds it full.")
        paper.show("Sam", card)
        place = await self._through(cast.sam, "Wait in line")
        paper.show("Sam", place)
        paper.check("Sam knows his place, and nobody else does.", holds="first in line" in place and place.ephemeral)
        second = await self._through(cast.lee, "Wait in line")
        paper.check("Lee is second, and does not learn who is first.", holds="second" in second and "Sam" not in second)

    async def night(self) -> None:
        """A seat frees at night: it is kept, and told in the morning."""
        cast, paper = self.cast, self.paper
        paper.chapter("A seat gets free at eleven at night")
        self.cast.move_to(23)
        await self._leave(cast.kim)
        paper.tell("[bold]Kim[/] leaves. Sam is asleep.")
        mine = await self._until_my(cast.sam, OFFER)
        paper.show("Sam", mine)
        paper.check("The seat is kept for Sam: /my shows it.", holds=OFFER in mine)
        paper.check("No message woke him.", holds=not self._offers(cast.sam.inbox))
        self.cast.move_to(8)
        paper.tell("Eight in the morning.")
        (letter,) = await self._arrived(cast.sam)
        paper.show("Sam", letter)
        welcome = await cast.sam.press(letter, "Take it")
        paper.tell("He presses [bold]Take it[/], right in the message.")
        room = cast.room("morning-walk")
        await self._happens(lambda: cast.sam.can_see(room), "Sam to see the room")
        paper.check("He is in.", holds="You're in" in welcome and cast.sam.can_see(room))

    async def no_answer(self) -> None:
        """An offer that nobody answers goes on; closed direct messages are no obstacle."""
        cast, paper = self.cast, self.paper
        paper.chapter("Nobody answers, and somebody takes no direct messages")
        cast.tom.closes_dms()
        await self._through(cast.tom, "Wait in line")
        paper.tell("[bold]Tom[/] waits behind Lee. He takes no direct messages from bots.")
        self.cast.move_to(12)
        await self._leave(cast.sam)
        (letter,) = await self._arrived(cast.lee)
        paper.tell("[bold]Sam[/] leaves. [bold]Lee[/] is asked, and has no strength to answer for two days.")
        cast.discord.world.clock.move(timedelta(hours=49))
        await self._happens(lambda: self._threads(cast.tom), "Tom's private thread")
        thread = self._threads(cast.tom)[0]
        await self._happens(lambda: self._offers(cast.tom.sees(thread)), "the offer in Tom's thread")
        paper.show("Tom", self._offers(cast.tom.sees(thread))[0])
        paper.check("The offer goes on to Tom, in a private thread.", holds=not self._offers(cast.tom.inbox))
        paper.check(
            "Nobody else sees that thread.", holds=not any(each.can_see(thread) for each in (cast.lee, cast.kim))
        )
        mine = await cast.tom.slash("/my")
        paper.show("Tom", mine)
        late = await cast.lee.press(letter, "Take it")
        paper.tell("[bold]Lee[/] presses [bold]Take it[/] after all.")
        paper.show("Lee", late)
        paper.check("No word of blame, and the place in line is kept.", holds="You keep your place in line." in late)
        await cast.tom.press(self._offers(cast.tom.sees(thread))[0], "Take it")
        await self._happens(lambda: cast.tom.can_see(cast.room("morning-walk")), "Tom to see the room")
        paper.check("Tom is in.", holds=cast.tom.can_see(cast.room("morning-walk")))

    async def hello(self) -> None:
        """A group that asks for a hello."""
        cast, paper = self.cast, self.paper
        paper.chapter("Hello first")
        await (await cast.joe.slash("/group new", hello=True)).send(
            {"Name": GARDEN, "Topic": "Rest", "How do you meet?": "Text", "Seats": "5"}
        )
        paper.tell(
            f"[bold]Joe[/] opens [bold]{GARDEN}[/], which asks for a hello first. [bold]Maya[/] would like to join."
        )
        asked = await self._through(cast.maya, "Join", name=GARDEN)
        paper.show("Maya", asked)
        said = await cast.maya.press(asked, "Say hello")
        paper.show("Maya", said)
        await self._happens(lambda: self._tasks(cast.joe), "the task for facilitators")
        task = self._tasks(cast.joe)[0]
        paper.show("Joe", task)
        paper.check("The staff channel is told, without her name.", holds="Maya" not in task)
        thread = next(each for each in cast.maya.channels() if each["name"].startswith("Hello "))
        others = [each.name for each in (cast.ana, cast.sam, cast.lee, cast.tom) if each.can_see(thread)]
        paper.check("Only she and Joe are in the private thread.", holds=not others and cast.joe.can_see(thread))
        await cast.joe.press(task, "I've got this")
        await cast.joe.press(cast.joe.look(task), "Welcome in")
        await self._happens(lambda: cast.maya.can_see(cast.room("quiet-garden")), "Maya to see the room")
        await self._happens(lambda: "Welcome!" in cast.maya.sees(thread)[-1], "the answer in the thread")
        paper.tell("[bold]Joe[/] takes it, talks with her, and presses [bold]Welcome in[/].")
        paper.show("Maya", cast.maya.sees(thread)[-1])
        paper.check("She is in.", holds=cast.maya.can_see(cast.room("quiet-garden")))

    async def killed_in_between(self) -> None:
        """The bot dies after Discord has posted a message and before it noted that."""
        cast, paper = self.cast, self.paper
        paper.chapter("The bot is killed between sending and noting it")
        room = cast.room("tuesday-meeting")
        before = self._greetings(room)
        cast.discord.faults.next("POST", f"/channels/{room['id']}/messages", drop="after")
        await self._through(cast.kim, "Join", name="Tuesday meeting")
        await self._happens(lambda: self._greetings(room) > before, "the greeting")
        await self.bot.kill()
        paper.tell("[bold]Kim[/] joins. Discord has posted the greeting, and the connection is lost before it says so.")
        paper.tell("[bold red]kill -9[/]. The bot is started again, and does not know whether it has greeted her.")
        await cast.start(self.bot)
        cast.discord.world.clock.move(timedelta(seconds=30))
        mine = await self._until_my(cast.kim, "Tuesday meeting")
        await cast.discord.world.settle(PATIENCE)
        paper.check("Kim has her seat.", holds="Tuesday meeting" in mine)
        paper.check("The room was greeted once.", holds=self._greetings(room) == before + 1)

    async def two_days(self) -> None:
        """The bot is away for two days, and says one sensible thing after it."""
        cast, paper = self.cast, self.paper
        paper.chapter("Two days without the bot")
        before = len(self._offers(cast.lee.inbox))
        self.cast.move_to(23)
        await self._leave(cast.tom)
        paper.tell(
            "At eleven at night [bold]Tom[/] leaves. The seat is Lee's to take; the message waits for the morning."
        )
        await self._until_my(cast.lee, OFFER)
        await self.bot.stop()
        cast.discord.world.clock.move(timedelta(days=2))
        self.cast.move_to(12)
        paper.tell("The machine that the bot runs on is out of order for two days and a half.")
        await cast.start(self.bot)
        letters = await self._arrived(cast.lee, before + 1)
        await cast.discord.world.settle(PATIENCE)
        paper.show("Lee", letters[-1])
        paper.check("Lee reads one message.", holds=len(self._offers(cast.lee.inbox)) == before + 1)
        welcome = await cast.lee.press(letters[-1], "Take it")
        paper.check("The seat is still hers to take: nobody was told before.", holds="You're in" in welcome)

    async def four_weeks(self) -> None:
        """Whoever rests for four weeks is asked once; no meetings are planned yet that would pass meanwhile."""
        cast, paper = self.cast, self.paper
        paper.chapter("Tom has rested for four weeks")
        (thread,) = self._threads(cast.tom)
        paused = await cast.tom.press(await cast.tom.slash("/my"), "Pause")
        cast.discord.world.clock.move(timedelta(weeks=4))
        await self._happens(lambda: self._asked(cast.tom, thread), "the letter to Tom")
        paper.tell("[bold]Tom[/] pressed [bold]Pause[/], and four weeks have passed. In his private thread:")
        await cast.discord.world.settle(PATIENCE)
        (letter, *more) = self._asked(cast.tom, thread)
        paper.show("Tom", letter)
        paper.check("He is asked once, and need not answer.", holds=not more and "You need not answer" in letter)
        resting_on = await cast.tom.press(letter, "Keep resting")
        until = re.search(r"<t:\d+:D>", letter.text)
        is_kept = "resting" in paused and until is not None and until[0] in resting_on
        paper.check("If he rests on, his seat is kept until the same day.", holds=is_kept)
        back = await cast.tom.press(letter, "I'm back")
        paper.show("Tom", back)
        paper.check("One tap, and he is back.", holds="You are back in Tuesday meeting" in back)

    # how people do things

    async def _card(self, person: Person, name: str) -> Shown:
        return await person.press(await person.slash("/groups"), name)

    async def _through(self, person: Person, label: str, *, name: str = WALK) -> Shown:
        """Have somebody press a button on a group's card, and agree if they are asked to."""
        seen = await person.press(await self._card(person, name), label)
        return await person.press(seen, "I agree") if "I agree" in seen.labels else seen

    async def _leave(self, person: Person) -> None:
        """Have somebody leave the group of this part, which stands first among theirs."""
        sure = await person.press(await person.slash("/my"), "Leave")
        if WALK not in sure:
            raise AssertionError(f"this is not about {WALK}:\n{sure!r}")
        await person.press(sure, "Leave")

    async def _until_my(self, person: Person, words: str) -> Shown:
        """Have somebody look into /my until it shows some words."""
        mine = await person.slash("/my")
        for _ in range(20):
            if words in mine:
                break
            await self.cast.discord.world.settle(PATIENCE)
            mine = await person.slash("/my")
        return mine

    # what there is

    def _offers(self, seen: Sequence[Seen]) -> list[Seen]:
        return [each for each in seen if "Take it" in each.labels]

    async def _arrived(self, person: Person, number: int = 1) -> list[Seen]:
        """Wait until somebody has had so many offers by direct message, and return them."""
        await self._happens(lambda: len(self._offers(person.inbox)) >= number, f"an offer for {person}")
        return self._offers(person.inbox)

    async def _happens(self, what: Callable[[], object], words: str) -> None:
        await self.cast.discord.world.until(what, PATIENCE, what=words)

    def _threads(self, person: Person) -> list[Wire]:
        return [each for each in person.channels() if each["type"] == PRIVATE_THREAD and "For you" in each["name"]]

    def _tasks(self, person: Person) -> list[Seen]:
        threads = [each for each in person.channels() if each["name"] == "Tasks"]
        return [seen for each in threads for seen in person.sees(each) if "I've got this" in seen.labels]

    def _asked(self, person: Person, thread: Wire) -> list[Seen]:
        return [seen for seen in person.sees(thread) if "Keep resting" in seen.labels]

    def _greetings(self, room: Wire) -> int:
        return sum("Someone new is here" in seen for seen in self.cast.ana.sees(room))
