"""The part of the tour about meetings: planned once, over a change of clocks, told in time, looked after by people.

Whoever waits for a public message takes the latest that fits, of those that are newer than `since`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.padding import Padding
from rich.text import Text

from peerbot.rehearsal.people import Person
from peerbot.rehearsal.playing import PATIENCE, Cast
from peerbot.rehearsal.printing import Printer
from peerbot.rehearsal.seen import Seen
from peerbot.rehearsal.wire import PRIVATE_THREAD, VOICE, Wire

GROUP, ROOM = "Tuesday meeting", "tuesday-meeting"
TEST, CHANGED, FIRST = "This is a test.", "is off on", "It is your first time"
FILE = "group-meeting.ics"
MAIN_LINES = ("DTSTART", "SUMMARY", "UID", "SEQUENCE", "RECURRENCE-ID", "STATUS", "RRULE", "EXDATE", "TZID")


@dataclass
class Meetings:
    """A facilitator says "tuesdays 6:30 pm" once, and the right people hear of it at the right moment."""

    cast: Cast
    paper: Printer
    folder: Path
    since: int = 0
    hour_of_first: int = 0

    async def play(self) -> None:
        """Play all steps."""
        for step in (
            self.planned,
            self.seen,
            self.answered,
            self.off_and_back,
            self.first_timer,
            self.cover,
            self.reminded,
            self.held,
            self.nobody_there,
            self.calendar,
        ):
            await step()

    async def planned(self) -> None:
        """A series over a change of clocks is planned in three words."""
        cast, paper = self.cast, self.paper
        paper.chapter("Ana plans meetings in three words")
        paper.tell(
            '[bold]Ana[/] types /meeting new, chooses her group and a voice channel, and writes "tuesdays 6:30 pm".'
        )
        voice = cast.guild.add_channel("tuesday-voice", VOICE)
        echo = await cast.ana.slash("/meeting new", group=GROUP, when="tuesdays 6:30 pm", channel=voice)
        paper.show("Ana", echo)
        paper.tell(
            'Words in brackets name the clock that all go by. What stands before "for you" is each reader\'s own time; '
            "the reader of this page is taken to live by UTC."
        )
        paper.check("She reads the next three dates, and that clocks change among them.", holds="Clocks change" in echo)
        paper.check("Nothing is kept before she says so.", holds="Nothing is kept yet" in echo)
        unsure = await cast.ana.slash("/meeting new", group=GROUP, when="tuesdays 6:30")
        paper.check(
            'Had she written "6:30" alone, it would have asked: morning or evening?', holds="6:30 pm**" in unsure
        )
        done = await cast.ana.press(echo, "Yes, schedule it")
        paper.show("Ana", done)
        paper.check("That is all that she ever has to do.", holds="It is scheduled" in done)

    async def seen(self) -> None:
        """The board is for everyone, the card for the group."""
        cast, paper = self.cast, self.paper
        paper.chapter("What everyone sees, and what the group sees")
        board = await self._until_seen(cast.joe, cast.panel, "## Next meetings", "6:30 pm")
        paper.show("Everyone", board)
        names = [person.name for person in self._people() if person.mention in board or person.name in board]
        paper.check("The board has times and seats, and names nobody.", holds=not names and "seats free" in board)
        card = await self._until_seen(cast.maya, cast.room(ROOM), "Going", "6:30 pm")
        paper.show("The group", card)
        paper.check("It tells that just listening is fine.", holds="You can just listen" in card)
        self.hour_of_first = _hour(card)

    async def answered(self) -> None:
        """Counts for all, names for facilitators only."""
        cast, paper = self.cast, self.paper
        paper.chapter("One tap each")
        room = cast.room(ROOM)
        card = await self._until_seen(cast.maya, room, "My choices")
        await cast.maya.press(card, "Going")
        cant = await cast.kim.press(card, "Can't")
        paper.tell("[bold]Maya[/] presses [bold]Going[/], [bold]Kim[/] presses [bold]Can't[/].")
        paper.show("Kim", cant)
        cast.let_cards_follow()
        paper.check("No reason is asked.", holds="That is fine" in cant)
        counted = await self._until_seen(cast.tom, room, "1 going, 1 can't")
        named = cast.maya.mention in counted or cast.kim.mention in counted
        paper.check("The card counts them for all, and names none of them.", holds=not named)
        choices = await cast.ana.press(counted, "My choices")
        people = await cast.ana.press(choices, "Who answered")
        paper.show("Ana", people)
        paper.check("Ana, who looks after the group, sees names.", holds=cast.maya.mention in people)
        own = await cast.maya.press(counted, "My choices")
        paper.check("Maya is not even offered them.", holds="Who answered" not in own.labels)

    async def off_and_back(self) -> None:
        """One meeting is cancelled and told; one is moved and put back, and told to nobody."""
        cast, paper = self.cast, self.paper
        paper.chapter("One meeting is off, and a slip is told to nobody")
        first, second, *_ = await cast.ana.autocomplete("/meeting cancel", meeting="")
        asked = await cast.ana.slash("/meeting cancel", meeting=first)
        paper.tell("[bold]Ana[/] is ill tomorrow. She types /meeting cancel.")
        paper.show("Ana", asked)
        off = await cast.ana.press(asked, "Only this one")
        paper.show("Ana", off)
        form = await cast.ana.press(await cast.ana.slash("/meeting change", meeting=second), "Move only this one")
        sure = await form.send({"New day and time": "tomorrow 8 pm"})
        moved = await cast.ana.press(sure, "Yes, move it")
        back = await cast.ana.press(moved, "Undo")
        paper.tell("Then she moves the [bold]next[/] one by mistake, and presses [bold]Undo[/] at once.")
        paper.check("It is where it was.", holds="is moved" in moved and "is on again" in back)
        cast.discord.world.clock.move(timedelta(seconds=61))
        (letter,) = await self._mail(cast.maya, CHANGED)
        paper.tell("A minute later:")
        paper.show("Maya", letter)
        paper.check("Maya hears that it is off and when the group meets next.", holds="Next:" in letter)
        paper.check("She hears nothing of the slip.", holds="is now on" not in letter and "as usual" not in letter)
        thread = await self._in_thread(cast.tom, CHANGED)
        paper.check("Tom, who takes no direct messages, reads it in his private thread.", holds="is off" in thread)
        await cast.discord.world.settle(PATIENCE)
        paper.check("Kim, who had said that she can't, is left in peace.", holds=not self._letters(cast.kim, CHANGED))
        card = await self._until_seen(cast.maya, cast.room(ROOM), "CANCELLED")
        paper.show("The group", card)
        paper.check("The card stays, marked, with the next date.", holds="Next:" in card)

    async def first_timer(self) -> None:
        """Somebody joins and says how they want to be reminded; others change it."""
        cast, paper = self.cast, self.paper
        paper.chapter("Lee comes for the first time")
        card = await cast.lee.press(await cast.lee.slash("/groups"), GROUP)
        welcome = await cast.lee.press(card, "Join")
        welcome = await cast.lee.press(welcome, "I agree") if "I agree" in welcome.labels else welcome
        paper.tell("[bold]Lee[/] joins. One question is asked, once.")
        paper.show("Lee", welcome)
        chosen = await cast.lee.press(welcome, "By DM")
        tests = await self._mail(cast.lee, TEST)
        paper.check("A test message shows at once that it works.", holds=bool(tests) and "Did it arrive?" in chosen)
        mine = await cast.tom.press(await cast.tom.slash("/my"), "Messages")
        mine = await cast.tom.press(mine, "One hour: off")
        paper.tell("[bold]Tom[/] switches reminders on too, in /my.")
        paper.show("Tom", mine)
        paper.check("He is told how, when, and who can read it.", holds="one hour before" in mine)

    async def cover(self) -> None:
        """A facilitator needs cover, and another one has it found in one tap."""
        cast, paper = self.cast, self.paper
        paper.chapter("Ana needs cover, and Joe has time")
        cast.move_to(12, days=7)
        room = cast.room(ROOM)
        hosts = await self._until_task(f"## {GROUP}", "I need cover")
        paper.tell("A week later, on the day of the meeting, [bold]Ana[/] has no strength to host.")
        paper.show("Every facilitator", hosts)
        said = await cast.ana.press(hosts, "I need cover")
        paper.show("Ana", said)
        cast.discord.world.clock.move(timedelta(seconds=61))
        call = await self._until_task("Can you host?")
        paper.show("Joe", call)
        paper.check("Only who is on duty is called.", holds=call.message_id in cast.joe.pings)
        thanks = await cast.joe.press(call, "I can host")
        paper.show("Joe", thanks)
        await self._until(lambda: cast.joe.can_see(room), "Joe to see the room")
        paper.check("For this meeting he sees the group's room.", holds=cast.joe.can_see(room))
        cast.let_cards_follow()
        card = await self._until_seen(cast.maya, room, "Going", f"With {cast.joe.mention}")
        paper.check("The group's card says who hosts, and no word of why.", holds=cast.ana.mention not in card)

    async def reminded(self) -> None:
        """An hour before, whoever wants it is reminded by their own way, and nobody else is."""
        cast, paper = self.cast, self.paper
        paper.chapter("One hour before")
        cast.move_to(17, 30)
        (letter,) = await self._mail(cast.lee, FIRST)
        paper.show("Lee", letter)
        paper.check("Lee reads what to expect; listening is enough.", holds="listen" in letter)
        new = await cast.lee.press(letter, "Tell facilitators I'm new")
        paper.check("If she likes, facilitators know that she is new. Only they do.", holds="Only they do" in new)
        thread = await self._in_thread(cast.tom, FIRST)
        paper.tell("And in [bold]Tom[/]'s private thread:")
        paper.show("Tom", thread)
        await cast.discord.world.settle(PATIENCE)
        others = [each.name for each in (cast.maya, cast.kim) if self._letters(each, FIRST)]
        paper.check("Maya and Kim asked for no reminder, and get none.", holds=not others)
        card = await self._until_seen(cast.maya, cast.room(ROOM), "My choices")
        for person in (cast.maya, cast.lee):
            await person.press(card, "Going")

    async def held(self) -> None:
        """The meeting itself: the run sheet, the start, and the one question after it."""
        cast, paper = self.cast, self.paper
        paper.chapter("Joe hosts")
        cast.move_to(18, 20)
        soon = await self._until_task("begins in 10 minutes")
        sheet = await cast.joe.press(soon, "Run sheet")
        paper.tell("Ten minutes before, [bold]Joe[/] is called, and opens the run sheet.")
        paper.show("Joe", sheet)
        paper.check("Lee let him know that she is new.", holds=cast.lee.mention in sheet and sheet.ephemeral)
        cast.move_to(18, 30)
        start = await self._until_seen(cast.maya, cast.room(ROOM), "It is time.")
        paper.show("The group", start)
        paper.check("It calls nobody by name.", holds=start.message_id not in cast.maya.pings + cast.lee.pings)
        here = await cast.joe.press(soon, "I'm here")
        paper.check("One tap says that he is there.", holds="Good that you are here" in here)
        cast.move_to(19, 36)
        (letter,) = await self._mail(cast.joe, "is over. Thank you")
        paper.tell("An hour later:")
        paper.show("Joe", letter)
        fine = await cast.joe.press(letter, "It went fine")
        paper.show("Joe", fine)
        paper.check("One word is enough, and none is needed.", holds="Good to hear" in fine)

    async def nobody_there(self) -> None:
        """Clocks have changed, and nobody comes to host."""
        cast, paper = self.cast, self.paper
        paper.chapter("Clocks have changed, and nobody is there")
        self.since, room = cast.discord.world.new_id(), cast.room(ROOM)
        cast.move_to(18, 20, days=6)
        card = await self._until_seen(cast.maya, room, "My choices", "6:30 pm")
        paper.tell("The week after. Clocks were changed on Sunday.")
        paper.show("The group", card)
        paper.check("It is at 6:30 pm in New York, as ever.", holds="6:30 pm (New York)" in card)
        by = _hour(card) - self.hour_of_first
        words = f"For whoever lives by UTC it is an hour {'later' if by > 0 else 'earlier'} now."
        paper.check(words, holds=abs(by) == 1)
        await self._until_task("begins in 10 minutes")
        cast.move_to(18, 35)
        late = await self._until_seen(cast.maya, room, "Your facilitators are late.")
        call = await self._until_task("I see no facilitator there")
        paper.tell("Five minutes after the start, no facilitator is there.")
        paper.show("Joe", call)
        paper.show("The group", late)
        paper.check("Joe is called.", holds=call.message_id in cast.joe.pings)
        cast.move_to(18, 45)
        off = await self._until_seen(cast.maya, room, "this meeting is off")
        paper.tell("Ten more minutes, and nobody could come.")
        paper.show("The group", off)
        paper.check(
            "Nobody waits in an empty room, and nobody thinks it was because of them.",
            holds="not because of you" in off and "You meet next:" in off,
        )

    async def calendar(self) -> None:
        """Somebody takes all dates into their calendar."""
        cast, paper = self.cast, self.paper
        paper.chapter("Maya takes the dates into her calendar")
        given = await cast.maya.press(await cast.maya.slash("/my"), "Calendar file")
        paper.show("Maya", given)
        if not isinstance(given, Seen):
            raise TypeError("a form came where a file was expected")
        content = cast.maya.opens(given, FILE)
        (self.folder / FILE).write_bytes(content)
        text = content.decode()
        lines = text.replace("\r\n ", "").splitlines()
        events = lines[lines.index("BEGIN:VEVENT") :]
        kept = [line for line in events if line.startswith(MAIN_LINES)]
        paper.tell("Its main lines:")
        paper.console.print(Padding(Text("\n".join(kept)), (0, 0, 1, 4)))
        paper.check("Its hour is that of New York, over changes of clocks.", holds="TZID=America/New_York" in text)
        paper.check("It says “Group meeting”, and not which.", holds=GROUP not in text and "Group meeting" in text)

    # what there is

    def _people(self) -> list[Person]:
        cast = self.cast
        return [cast.olive, cast.ana, cast.joe, cast.maya, cast.sam, cast.lee, cast.kim, cast.tom]

    def _letters(self, person: Person, words: str) -> list[Seen]:
        return [seen for seen in person.inbox if words in seen and not seen.ephemeral]

    async def _mail(self, person: Person, words: str) -> list[Seen]:
        """Wait until somebody has a direct message that says something, and return all such."""
        await self._until(lambda: self._letters(person, words), f"a message for {person}: {words}")
        return self._letters(person, words)

    async def _in_thread(self, person: Person, words: str) -> Seen:
        """Wait until somebody's private thread says something, and return that."""
        threads = [each for each in person.channels() if each["type"] == PRIVATE_THREAD and "For you" in each["name"]]
        return await self._latest(lambda: [seen for each in threads for seen in person.sees(each)], words)

    async def _until_task(self, *words: str) -> Seen:
        """Wait until the facilitators' thread says something, and return what says it last."""
        joe = self.cast.joe
        return await self._latest(
            lambda: [seen for each in joe.channels() if each["name"] == "Tasks" for seen in joe.sees(each)], *words
        )

    async def _until_seen(self, person: Person, channel: Wire, *words: str) -> Seen:
        """Wait until somebody sees a public message that says something or has such a button; return the last such."""
        return await self._latest(lambda: [seen for seen in person.sees(channel) if not seen.ephemeral], *words)

    async def _latest(self, there: Callable[[], list[Seen]], *words: str) -> Seen:
        def fitting() -> list[Seen]:
            new = [seen for seen in there() if seen.message_id > self.since]
            return [seen for seen in new if all(word in seen or word in seen.labels for word in words)]

        await self._until(fitting, f"a message that says {words}")
        return fitting()[-1]

    async def _until(self, what: Callable[[], object], words: str) -> None:
        await self.cast.discord.world.until(what, PATIENCE, what=words)


def _hour(card: Seen) -> int:
    """Return the hour in UTC at which a card says that a meeting begins."""
    found = re.search(r"<t:(\d+):F>", card.text)
    return datetime.fromtimestamp(int(found[1]), UTC).hour if found else -1
