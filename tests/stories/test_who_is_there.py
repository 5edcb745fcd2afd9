"""Who is in the server is asked of Discord once, for all that is due at one time; who changed is asked about anew."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import select

from cogs import _threads as threads
from peerbot import facilitators, hosting
from peerbot.bot import FEW
from peerbot.models import Group
from peerbot.rehearsal.ground import Happening
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.refusals import Refusal
from peerbot.rehearsal.seen import Seen
from peerbot.rights import Actor
from tests.stories.hellos import board, said
from tests.stories.meets import change, meeting_ids, schedule
from tests.stories.stage import Stage

GROUPS = 8


@contextmanager
def questions(stage: Stage) -> Generator[list[int]]:
    """Collect of each question who is in the server about how many people it is."""
    made: list[int] = []

    def note(happening: Happening) -> None:
        if happening.kind == "members":
            made.append(happening.details["asked"])

    stop = stage.world.listen(note)
    try:
        yield made
    finally:
        stop()


def in_thread(stage: Stage, words: str) -> list[Seen]:
    """Return what stands in the task thread and says something."""
    return [seen for seen in said(stage, board(stage)) if words in seen]


async def many_groups(stage: Stage, kit: Person) -> None:
    """Let Ana look after groups that all meet at one minute, and Joe and Kit after one that does not meet."""
    names = [f"Group {number}" for number in range(GROUPS)]
    await stage.groups_without_rooms(*names, "Owls")
    assert stage.db is not None
    olive = Actor(guild_id=stage.guild.id, user_id=stage.olive.user_id, manages=True)
    role = frozenset({int(stage.facilitators["id"])})
    async with stage.db.begin() as session:
        group_ids = (await session.scalars(select(Group.group_id).order_by(Group.group_id))).all()
        tended = [(group_id, stage.ana) for group_id in group_ids[:-1]]
        for group_id, person in [*tended, (group_ids[-1], stage.joe), (group_ids[-1], kit)]:
            await facilitators.add(session, olive, group_id, person.user_id, role, now=stage.clock.now())
    for name in names:
        await schedule(stage, name, after=timedelta(hours=3))


async def test_meetings_of_one_minute_ask_once_and_who_lost_the_role_since_is_not_called(stage: Stage) -> None:
    kit = stage.newcomer("Kit", stage.facilitators)
    await many_groups(stage, kit)
    assert stage.bot is not None
    assert stage.db is not None
    first = (await meeting_ids(stage))[0]
    await stage.later(hours=2, minutes=45)
    with questions(stage) as made:
        await stage.later(minutes=6)
    assert len(in_thread(stage, "begins in")) == GROUPS
    assert 1 <= len(made) <= 3, made

    with questions(stage) as made:
        people = [stage.ana.user_id, stage.joe.user_id, *range(1, 150)]
        there = await threads.present(stage.bot, stage.bot.guilds[0], people)
        assert {member.id for member in there} == {stage.ana.user_id, stage.joe.user_id}
    assert made == [100, 49], "more than a hundred, besides two who are remembered"

    stage.guild.take_role(stage.joe.user_id, int(stage.facilitators["id"]))
    await stage.world.settle()
    with questions(stage) as made:
        await change(stage, hosting.need_cover, first)
    (asks,) = in_thread(stage, "Can you host?")
    assert kit.mention in asks
    assert stage.joe.mention not in asks
    assert made == [1], "only about who changed"

    stage.discord.gateway.invalidate(resumable=False)
    with questions(stage) as made:
        await stage.world.until(lambda: made)  # it compares its own members anew
        await stage.world.settle()
        made.clear()
        await threads.present(stage.bot, stage.bot.guilds[0], people)
    assert made == [100, 51], "nothing is known of what was before a new session"
    stage.expected_mentions = [*["Ana"] * GROUPS, "Kit"]


async def test_when_the_gateway_takes_no_more_questions_a_few_people_are_asked_about_without_it(stage: Stage) -> None:
    assert stage.bot is not None
    server = stage.bot.guilds[0]
    shard = stage.bot.get_shard(0)
    assert shard is not None
    stage.sam.leaves()
    await stage.world.settle()
    while not shard.is_ws_ratelimited():
        await shard._parent.ws._rate_limiter.block()
    people = [stage.joe.user_id, stage.sam.user_id, 1]
    with questions(stage) as made, stage.requests() as requests:
        there = await threads.present(stage.bot, server, people, afresh=True)
        role_id = int(stage.facilitators["id"])
        assert await threads.holders(stage.bot, server, role_id, people) == {stage.joe.user_id}, "what is known is"
    assert {member.id for member in there} == {stage.joe.user_id}
    assert made == [], "none of them went through the gateway"
    assert sorted(requests) == sorted(f"GET /guilds/{server.id}/members/{user_id}" for user_id in people)
    for refusal in (Refusal(403, 50001, "Missing Access"), Refusal(404, 10004, "Unknown Guild")):
        stage.discord.faults.next("GET", "/guilds/{}/members/{}", refusal=refusal)
        with pytest.raises(TimeoutError, match="does not say"):  # and nobody is taken to be gone
            await threads.present(stage.bot, server, [stage.joe.user_id], afresh=True)
    stage.discord.faults.next("GET", "/guilds/{}/members/{}", drop="before", times=2)  # aiohttp asks twice
    with pytest.raises(TimeoutError, match="does not say"):  # and whoever waits is not told of a mistake on our side
        await threads.present(stage.bot, server, [stage.joe.user_id], afresh=True)
    stage.discord.faults.clear()
    many = asyncio.create_task(threads.present(stage.bot, server, range(2, 2 + FEW + 1), afresh=True))
    await stage.world.settle()
    assert not many.done(), "so many would take the send budget from all else"
    many.cancel()
    await asyncio.wait([many])
