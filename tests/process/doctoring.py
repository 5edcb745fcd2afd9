"""A set-up that is right in everything, to be broken in one place, and `peerbot doctor` to say what that is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from builders import actor, details
from sqlalchemy import make_url, text

from peerbot import groups, members, setup
from peerbot.database import BACKGROUND
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.wire import Wire
from tests.process import programs

if TYPE_CHECKING:
    from tests.process.conftest import Harbour

BEFORE = ("  ok       ", "  look     ", "  to do    ", "  skipped  ")


@dataclass
class Diagnosis:
    """What the doctor said, and its exit code."""

    code: int
    said: str

    def lines(self, mark: str) -> list[str]:
        """Return the lines with this mark."""
        return [line[11:] for line in self.said.splitlines() if line.startswith(f"  {mark:<7}  ")]

    def only_to_do(self, *words: str) -> None:
        """Expect one line of what is to be done, with all these words in it, and an exit code that says so."""
        (line,) = self.lines("to do")
        assert all(word in line for word in words), line
        assert self.code == 1, self.said

    def each_line_has_a_mark(self) -> bool:
        """Return whether every line but titles and the sum begins with a mark in words."""
        indented = [line for line in self.said.splitlines() if line.startswith(" ")]
        return bool(indented) and all(line.startswith(BEFORE) for line in indented)


@dataclass
class Patient:
    """The set-up; `environment` is what the doctor is started with."""

    harbour: Harbour
    room: Wire
    environment: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def guild(self) -> Guild:
        return self.harbour.stage.guild

    @property
    def file(self) -> Path:
        """The database, where it is a file."""
        return Path(str(make_url(self.environment["PEERBOT_DATABASE_URL"]).database))

    async def consult(self, *, real: bool = False, **settings: str | None) -> Diagnosis:
        """Run `peerbot doctor`; a setting of None is left out."""
        named = self.environment | {f"PEERBOT_{name.upper()}": value for name, value in settings.items()}
        environment = {name: value for name, value in named.items() if value is not None}
        how = programs.run if real else programs.fork
        program = how(["doctor"], environment, self.harbour.folder)
        self.harbour.programs.append(program)  # what it says is looked through for secrets and names after the test
        code = await program.ends()
        assert "Traceback" not in program.said, program.said
        assert "mistake of peerbot's own" not in program.said, program.said
        return Diagnosis(code, program.said)

    async def change(self, statement: str, **values: object) -> None:
        """Change what the database holds."""
        async with self.harbour.db.begin(wait=BACKGROUND) as session:
            await session.execute(text(statement), values)


async def in_order(harbour: Harbour) -> Patient:
    """Set a server up, with one group and its room, and a database that is private; no bot is running."""
    stage, clock = harbour.stage, harbour.stage.clock
    hidden = {"id": str(stage.guild.id), "type": 0, "allow": "0", "deny": str(int(Bit.VIEW_CHANNEL))}
    ours = {"id": str(stage.application.bot_id), "type": 1, "allow": str(int(Bit.VIEW_CHANNEL)), "deny": "0"}
    room = stage.guild.add_channel("tuesday", overwrites=[hidden, ours])
    olive = actor(stage.olive.user_id, guild_id=stage.guild.id, manages=True)
    async with harbour.db.begin(wait=BACKGROUND) as session:
        await members.check_key(session)
        guild = await setup.save(
            session,
            olive,
            facilitator_role_id=int(stage.facilitators["id"]),
            panel_channel_id=int(stage.panel["id"]),
            staff_channel_id=int(stage.staff["id"]),
            time_zone="New York",
            locale="en-US",
            now=clock.now(),
        )
        guild.help_countries = "US CA"
        await groups.create(session, olive, details(), room_id=int(room["id"]), role_id=None, now=clock.now())
    patient = Patient(harbour, room, dict(harbour.environment))
    if harbour.db.writer.dialect.name == "sqlite":
        await harbour.db.close()  # the last connection takes the files beside the database away
        patient.file.chmod(0o600)
    return patient
