"""The made-up server of the rehearsal, its people, and the bot in a process of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from peerbot.rehearsal import people
from peerbot.rehearsal.application import Application
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.server import Discord
from peerbot.rehearsal.sessions import Session
from peerbot.rehearsal.wire import Wire

THREADS = Bit.CREATE_PRIVATE_THREADS | Bit.CREATE_PUBLIC_THREADS | Bit.SEND_MESSAGES_IN_THREADS
BASICS = Bit.VIEW_CHANNEL | Bit.SEND_MESSAGES | Bit.READ_MESSAGE_HISTORY
BOT_NEEDS = BASICS | Bit.MANAGE_CHANNELS | Bit.MANAGE_ROLES | THREADS
EVERYONE_HAS = BASICS | Bit.USE_APPLICATION_COMMANDS | Bit.SEND_MESSAGES_IN_THREADS
READY_WITHIN = 30.0
PATIENCE = 20.0
"""Real seconds for what the bot does by itself."""
HERE = ZoneInfo("America/New_York")
BEFORE_CLOCKS_CHANGE = timedelta(weeks=4, days=19)
"""How long before clocks change where the server is, at noon, the tour begins: on a Tuesday. Six days later somebody
rests for four weeks, and then comes its part about meetings, which begins on the day before one."""
REDRAWN_AFTER = timedelta(seconds=6)
"""A public card is drawn again at most once in five seconds."""


def first_moment(now: datetime) -> datetime:
    """Return when the tour begins, so that clocks change in the middle of what it tells."""
    noon = now.astimezone(HERE).replace(hour=12, minute=0, second=0, microsecond=0) + BEFORE_CLOCKS_CHANGE
    while (noon + timedelta(days=1)).utcoffset() == noon.utcoffset():
        noon += timedelta(days=1)
    return (noon + timedelta(days=1) - BEFORE_CLOCKS_CHANGE).astimezone(UTC)


@dataclass(frozen=True)
class BotProcess:
    """How to start the bot against an address with a token, how to ask it to stop, how to kill it."""

    launch: Callable[[str, str], Awaitable[None]]
    stop: Callable[[], Awaitable[int]]
    kill: Callable[[], Awaitable[None]]


@dataclass
class Cast:
    """A small server: an owner, two facilitators, five patients, and the channels that they start with."""

    discord: Discord
    application: Application
    guild: Guild
    role: Wire
    panel: Wire
    staff: Wire
    olive: Person
    ana: Person
    joe: Person
    maya: Person
    sam: Person
    lee: Person
    kim: Person
    tom: Person

    @classmethod
    def assemble(cls, discord: Discord) -> Cast:
        """Make the server, with the bot installed."""
        world = discord.world
        guild = world.guild("Harbour", owner="Olive")
        guild.edit_role(guild.id, permissions=str(int(EVERYONE_HAS)))
        application = world.application("peerbot")
        guild.install(application, int(BOT_NEEDS))
        role = guild.add_role("Facilitators", int(Bit.MANAGE_EVENTS))
        sees = str(int(Bit.VIEW_CHANNEL))
        hidden = {"id": str(guild.id), "type": 0, "allow": "0", "deny": sees}
        for_role = {"id": role["id"], "type": 0, "allow": sees, "deny": "0"}
        for_bot = {"id": str(application.bot_id), "type": 1, "allow": sees, "deny": "0"}
        return cls(
            discord,
            application,
            guild,
            role,
            guild.add_channel("find-a-group"),
            guild.add_channel("staff", overwrites=[hidden, for_role, for_bot]),
            people.owner(world, guild),
            *(people.join(world, guild, name, role) for name in ("Ana", "Joe")),
            *(people.join(world, guild, name) for name in ("Maya", "Sam", "Lee", "Kim", "Tom")),
        )

    async def start(self, bot: BotProcess) -> None:
        """Start the bot and wait until it has read who and what is in the server."""
        await bot.launch(self.discord.url, self.application.token)
        await self.discord.world.until(self._is_ready, READY_WITHIN, what="the bot to come online")
        await self.discord.world.settle(READY_WITHIN)

    def move_to(self, hour: int, minute: int = 0, *, days: int = 0) -> None:
        """Let time pass until the clock shows this where the server is, the next time or some days after it."""
        clock = self.discord.world.clock
        here = clock.now().astimezone(HERE)
        then = datetime.combine(here.date(), here.time().replace(hour, minute, 0, 0), HERE)
        then += timedelta(days=1) if then <= here else timedelta()
        clock.move((then + timedelta(days=days)).astimezone(UTC) - clock.now())

    def let_cards_follow(self) -> None:
        """Let the seconds pass after which public cards show what changed."""
        self.discord.world.clock.move(REDRAWN_AFTER)

    def room(self, name: str) -> Wire:
        """Return the channel with this name."""
        return next(channel for channel in self.guild.channels.values() if channel["name"] == name)

    def _is_ready(self) -> bool:
        sessions = [one for one in self.discord.world.sessions if isinstance(one, Session)]
        return any(session.outgoing is not None and session.number > 1 for session in sessions)
