"""A stage for stories: the stand-in, a made-up server with people in it, and the real bot with a real database.

After each story: nothing that the stand-in did not know, nothing that Discord's document forbids, no request to
Discord that was made while a transaction was open, no message that mentions anybody but whom the story says.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from peerbot.clock import Clock
from peerbot.rehearsal import people
from peerbot.rehearsal.contract import Contract, document_path
from peerbot.rehearsal.ground import Happening
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.server import serve
from peerbot.rehearsal.wire import Wire
from peerbot.rehearsal.world import World
from tests.conftest import settings_for
from tests.stories.stage import DEFAULT, Stage

THREADS = Bit.CREATE_PRIVATE_THREADS | Bit.CREATE_PUBLIC_THREADS | Bit.SEND_MESSAGES_IN_THREADS
BASICS = Bit.VIEW_CHANNEL | Bit.SEND_MESSAGES | Bit.READ_MESSAGE_HISTORY
NEEDED = int(BASICS | Bit.MANAGE_CHANNELS | Bit.MANAGE_ROLES | THREADS)
USUAL = int(BASICS | Bit.USE_APPLICATION_COMMANDS | Bit.SEND_MESSAGES_IN_THREADS)


def mentioned(message: Wire) -> str:
    """Return whom a message mentions, by name: "Ana, Joe"."""
    users = sorted(user["global_name"] or user["username"] for user in message["mentions"])
    wide = ["@everyone"] if message["mention_everyone"] else []
    return ", ".join([*users, *(f"@role {role_id}" for role_id in message["mention_roles"]), *wide])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def discords_document() -> Contract | None:
    return Contract.load() if document_path() else None


@pytest.fixture
async def empty_stage(
    clock: Clock, database_url: str, discords_document: Contract | None, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Stage]:
    """The stage before anything happened, the bot not yet started."""
    world = World(clock, contract=discords_document)
    async with serve(world) as discord:
        guild = world.guild("Harbour", owner="Olive")
        guild.edit_role(guild.id, permissions=str(USUAL))
        application = world.application("peerbot")
        guild.install(application, NEEDED)
        facilitators = guild.add_role("Facilitators", int(Bit.MANAGE_EVENTS))
        hidden = {"id": str(guild.id), "type": 0, "allow": "0", "deny": str(int(Bit.VIEW_CHANNEL))}
        ours = {"id": str(application.bot_id), "type": 1, "allow": str(int(Bit.VIEW_CHANNEL)), "deny": "0"}
        theirs = {"id": facilitators["id"], "type": 0, "allow": str(int(Bit.VIEW_CHANNEL)), "deny": "0"}
        panel = guild.add_channel("find-a-group")
        staff = guild.add_channel("staff", overwrites=[hidden, theirs, ours])
        settings = replace(settings_for(database_url), discord_url=discord.url)
        ana, joe = (people.join(world, guild, name, facilitators) for name in ("Ana", "Joe"))
        maya, sam, lee, kim = (people.join(world, guild, name) for name in ("Maya", "Sam", "Lee", "Kim"))
        olive = people.owner(world, guild)
        server = (guild, facilitators, panel, staff)
        stage = Stage(discord, settings, clock, application, *server, olive, ana, joe, maya, sam, lee, kim)
        mentioning: list[str] = []

        def note(happening: Happening) -> None:
            if happening.kind == "message":
                message = happening.details["message"]
                if message["type"] == DEFAULT and (named := mentioned(message)):
                    mentioning.append(named)

        world.listen(note)
        yield stage
        await stage.stop()
        assert mentioning == stage.expected_mentions, "messages mention exactly whom the story says"
        errors = [record.getMessage() for record in caplog.get_records("call") if record.levelname == "ERROR"]
        assert len(errors) == len(stage.expected_errors), errors
        assert all(map(str.startswith, errors, stage.expected_errors)), errors
        assert world.unknown_routes == []
        assert world.violations == []
        assert stage.during_transactions == []


@pytest.fixture
async def stage(empty_stage: Stage) -> Stage:
    """The stage with the bot running and the server set up."""
    await empty_stage.start()
    await empty_stage.set_up()
    return empty_stage
