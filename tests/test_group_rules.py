"""Groups: who may create, change and close one, what can be written, and who looks after it."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from builders import (
    FACILITATOR,
    GUILD,
    LEO,
    MAYA,
    OTHER_GUILD,
    PANEL,
    ROLE,
    ROOM,
    STAFF,
    actor,
    details,
    facilitator,
    make_group,
    make_guild,
    owner,
    seat,
)
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import directory, facilitators, groups, members, pauses, rooms
from peerbot.database import Database
from peerbot.errors import (
    GroupClosed,
    GroupUnknown,
    NameTaken,
    NotAllowed,
    NotMember,
    NotSetUp,
    NotValid,
    PeerbotError,
)
from peerbot.groups import LONGEST, MOST_SEATS, Details
from peerbot.models import Delivery, Facilitator, Group, Guild
from peerbot.rights import Actor

Rule = Callable[[AsyncSession, Actor, int, datetime], Awaitable[Any]]


@pytest.fixture
async def group(db: Database, guild: Guild, now: datetime) -> Group:
    async with db.begin() as session:
        return await make_group(session, now=now)


async def refused(db: Database, error: type[PeerbotError], rule: Callable[[AsyncSession], Awaitable[Any]]) -> str:
    with pytest.raises(error) as refusal:
        async with db.begin() as session:
            await rule(session)
    return str(refusal.value)


# What facilitators may do with a group; each is a door that must be shut for everybody else.
FOR_FACILITATORS: dict[str, Rule] = {
    "edit": lambda s, a, g, now: groups.edit(s, a, g, details(), now=now),
    "close": lambda s, a, g, now: groups.close(s, a, g, now=now),
    "remove": lambda s, a, g, now: groups.remove(s, a, g, 1, now=now),
    "let back": lambda s, a, g, _: groups.let_back(s, a, g, 1),
    "new room": lambda s, a, g, now: rooms.new_room(s, a, g, now=now),
    "add": lambda s, a, g, now: facilitators.add(s, a, g, LEO, frozenset({ROLE}), now=now),
    "strike off": lambda s, a, g, now: facilitators.remove(s, a, g, 1, now=now),
    "roster": lambda s, a, g, _: directory.roster(s, a, g),
}
FOR_EVERYONE: dict[str, Rule] = {
    "sign up": lambda s, a, g, now: groups.sign_up(s, a, g, agreed="1.1", now=now),
    "leave": lambda s, a, g, now: groups.leave(s, a, g, now=now),
    "pause": lambda s, a, g, now: pauses.pause(s, a, g, now=now),
    "resume": lambda s, a, g, _: pauses.resume(s, a, g),
    "view": lambda s, a, g, _: directory.view(s, a.guild_id, g),
    "chosen by id": lambda s, a, g, _: directory.named(s, a.guild_id, str(g)),
}
EVERY_RULE = FOR_FACILITATORS | FOR_EVERYONE


async def test_only_those_who_look_after_a_group_may_change_it_or_see_who_is_in_it(
    db: Database, group: Group, now: datetime
) -> None:
    async with db.begin() as session:
        await make_group(session, now=now, by=facilitator(LEO), name="Thursday", room_id=ROOM + 1)
        await seat(session, group, MAYA, now=now)
    others = {
        "a member": actor(),
        "a stranger": actor(404),
        "a facilitator of another group": facilitator(LEO),
        "a facilitator of no group": facilitator(405),
        "one who has lost the role": actor(FACILITATOR),
    }
    for somebody, rule in itertools.product(others.values(), FOR_FACILITATORS.values()):
        await refused(db, NotAllowed, lambda s, a=somebody, do=rule: do(s, a, group.group_id, now))


@pytest.mark.parametrize("somebody", [facilitator(), owner()], ids=["its facilitator", "the owner"])
async def test_its_facilitators_and_the_owner_see_who_is_in_it(
    db: Database, group: Group, now: datetime, somebody: Actor
) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, LEO, now=now)
        await pauses.pause(session, actor(LEO), group.group_id, now=now)
    async with db.read() as session:
        roster = await directory.roster(session, somebody, group.group_id)
    assert [(person.user_id, person.state) for person in roster.people] == [(MAYA, "active"), (LEO, "paused")]
    assert [person.user_id for person in roster.facilitators] == [FACILITATOR]
    assert roster.group.taken == 2


async def test_a_group_of_another_server_is_unknown_to_every_rule(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await make_guild(session, guild_id=OTHER_GUILD, now=now)
        await seat(session, group, MAYA, now=now)
    people = [make(guild_id=OTHER_GUILD) for make in (owner, facilitator, actor)]
    for somebody, rule in itertools.product(people, EVERY_RULE.values()):
        await refused(db, GroupUnknown, lambda s, a=somebody, do=rule: do(s, a, group.group_id, now))


async def test_a_forged_id_is_unknown_to_every_rule(db: Database, group: Group, now: datetime) -> None:
    for forged, rule in itertools.product((0, -1, 10**18, 2**63 - 1), EVERY_RULE.values()):
        await refused(db, GroupUnknown, lambda s, g=forged, do=rule: do(s, owner(), g, now))


async def test_a_closed_group_changes_no_more_but_people_go(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await groups.close(session, facilitator(), group.group_id, now=now)
    for name, rule in FOR_FACILITATORS.items():
        if name not in {"roster", "remove", "strike off"}:
            await refused(db, GroupClosed, lambda s, do=rule: do(s, facilitator(), group.group_id, now))


async def test_nothing_happens_where_nothing_is_set_up(db: Database, now: datetime) -> None:
    await refused(db, NotSetUp, lambda s: groups.create(s, facilitator(), details(), now=now))
    await refused(db, NotSetUp, lambda s: directory.roster(s, owner(), 1))


async def test_a_new_group_has_its_maker_as_facilitator_and_a_room_is_made(
    db: Database, guild: Guild, now: datetime
) -> None:
    async with db.begin() as session:
        made, _planned = await groups.create(session, facilitator(), details(), now=now)
        kinds = list(await session.scalars(select(Delivery.kind).where(Delivery.group_id == made.group_id)))
        roster = await directory.roster(session, facilitator(), made.group_id)
    assert kinds == ["groups.room"]
    assert [person.user_id for person in roster.facilitators] == [FACILITATOR]
    async with db.begin() as session:
        await rooms.room_made(session, made.group_id, ROOM, now=now)
        access = await session.scalars(select(Delivery.member_id).where(Delivery.kind == "groups.access"))
        assert list(access) == [roster.facilitators[0].member_id]


async def test_a_room_that_was_chosen_is_not_made(db: Database, group: Group) -> None:
    async with db.read() as session:
        kinds = list(await session.scalars(select(Delivery.kind).where(Delivery.group_id == group.group_id)))
    assert kinds == ["groups.access"]


@pytest.mark.parametrize("somebody", [actor(), actor(FACILITATOR), facilitator(role_ids=frozenset({ROLE + 1}))])
async def test_only_facilitators_create_groups(db: Database, guild: Guild, now: datetime, somebody: Actor) -> None:
    await refused(db, NotAllowed, lambda s: groups.create(s, somebody, details(), now=now))


@pytest.mark.parametrize("room_id", [PANEL, STAFF, ROOM])
async def test_a_channel_with_another_use_is_no_room(db: Database, group: Group, now: datetime, room_id: int) -> None:
    await refused(
        db, NotValid, lambda s: groups.create(s, facilitator(), details(name="New"), room_id=room_id, now=now)
    )


@pytest.mark.both_databases
async def test_the_room_of_a_closed_group_can_be_used_again_when_nobody_is_let_in_any_more(
    db: Database, group: Group, now: datetime
) -> None:
    async with db.begin() as session:
        await groups.close(session, facilitator(), group.group_id, now=now)
    await refused(db, NotValid, lambda s: make_group(s, name="New", now=now))
    async with db.begin() as session:
        await groups.end_access(session, Delivery(group_id=group.group_id), now)
        await make_group(session, now=now)


async def test_a_role_is_tied_to_a_group_only_by_who_manages_the_server(
    db: Database, guild: Guild, now: datetime
) -> None:
    await refused(db, NotAllowed, lambda s: groups.create(s, facilitator(), details(), role_id=77, now=now))
    async with db.begin() as session:
        await groups.create(session, owner(), details(), role_id=77, now=now)
    other = details(name="Other")
    for used in (ROLE, GUILD, 77):
        await refused(db, NotValid, lambda s, used=used: groups.create(s, owner(), other, role_id=used, now=now))


@pytest.mark.both_databases
@pytest.mark.parametrize("name", ["Tuesday", "tuesday", "TUESDAY", " Tues\u200bday ", "Tuesday\u202e"])
async def test_two_open_groups_never_have_one_name(db: Database, group: Group, now: datetime, name: str) -> None:
    said = await refused(db, NameTaken, lambda s: make_group(s, now=now, name=name, room_id=None))
    assert "{name}" in said
    async with db.begin() as session:
        other = await make_group(session, now=now, name="Thursday", room_id=ROOM + 1)
    await refused(db, NameTaken, lambda s: groups.edit(s, facilitator(), other.group_id, details(name=name), now=now))


async def test_the_name_of_a_closed_group_is_free(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await groups.close(session, facilitator(), group.group_id, now=now)
        await make_group(session, room_id=ROOM + 1, now=now)
    async with db.begin() as session:
        await make_guild(session, guild_id=OTHER_GUILD, now=now)
        await make_group(session, guild_id=OTHER_GUILD, now=now)


async def test_a_group_may_keep_its_name_when_it_is_edited(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        edited = await groups.edit(
            session, facilitator(), group.group_id, details(about="New words", capacity=3), now=now
        )
    assert (edited.about, edited.capacity) == ("New words", 3)


@pytest.mark.both_databases
async def test_a_group_never_gets_fewer_seats_than_are_taken(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, LEO, now=now)
        await pauses.pause(session, actor(), group.group_id, now=now)
    await refused(db, NotValid, lambda s: groups.edit(s, facilitator(), group.group_id, details(capacity=1), now=now))
    async with db.begin() as session:
        await groups.edit(session, facilitator(), group.group_id, details(capacity=2), now=now)


@pytest.mark.both_databases
async def test_closing_tells_the_room_and_ends_access_a_week_later(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await groups.close(session, facilitator(), group.group_id, now=now)
        planned = await session.execute(
            select(Delivery.kind, Delivery.next_at).where(Delivery.group_id == group.group_id)
        )
        when = {kind: at - now for kind, at in planned}
    assert when["groups.closed"] == timedelta()
    assert when["groups.farewell"] == timedelta(days=7)


async def test_the_step_of_a_group_that_is_open_again_takes_nothing(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, now=now)
        await groups.end_access(session, Delivery(group_id=group.group_id), now)
        await groups.end_access(session, Delivery(group_id=404), now)
        assert await groups.seats_taken(session, group.group_id) == 1


AT_THE_LIMIT = {label: "x" * longest for label, longest in LONGEST.items()}


async def test_texts_at_their_limits_are_kept_whole(db: Database, guild: Guild, now: datetime) -> None:
    widest = {label: "ΐ" * longest for label, longest in LONGEST.items()}
    for number, words in enumerate((AT_THE_LIMIT, widest)):
        async with db.begin() as session:
            made = await make_group(session, now=now, room_id=ROOM + number, **words)
        async with db.read() as session:
            view = await directory.view(session, GUILD, made.group_id)
            assert (view.name, view.about, view.topic) == tuple(words.values())
            assert await directory.named(session, GUILD, view.name) == made.group_id


@pytest.mark.parametrize("label", LONGEST)
def test_texts_beyond_their_limits_are_refused_with_the_limit(label: str) -> None:
    with pytest.raises(NotValid) as refusal:
        details(**{label: "x" * (LONGEST[label] + 1)})
    assert refusal.value.text.params == {"limit": LONGEST[label]}


@pytest.mark.parametrize("capacity", ["0", "16", "-1", "1.5", "", "twelve", "99999999999999999999", "१६", "²", "1_0"])
def test_a_number_of_seats_is_from_one_to_fifteen(capacity: str) -> None:
    with pytest.raises(NotValid, match="number of seats"):
        details(capacity=capacity)


@pytest.mark.parametrize(("capacity", "seats"), [("1", 1), ("15", MOST_SEATS), (" 7 ", 7), ("007", 7)])
def test_a_number_of_seats_may_be_written_with_care_or_without(capacity: str, seats: int) -> None:
    assert details(capacity=capacity).capacity == seats


@pytest.mark.parametrize(
    "name", ["", " ", "x", "\u200b\u200b\u200b", "\u3164\u3164", "\u2800\u2800", "\u200d\u200d", "\x00\x01", "..", "🌙"]
)
def test_a_name_needs_two_letters_that_can_be_seen(name: str) -> None:
    with pytest.raises(NotValid, match="two letters"):
        details(name=name)


def test_how_a_group_meets_is_one_of_three() -> None:
    with pytest.raises(NotValid, match="how the group meets"):
        details(meets_by="by candlelight")


def test_what_cannot_be_seen_is_taken_out_of_names() -> None:
    written = Details.checked(
        name="Tues\x00day\u202e\u2066\n group ",
        about="one\r\n\n\n\ntwo\u200b",
        topic="rest\x1b[31m",
        meets_by="text",
        capacity="3",
    )
    assert (written.name, written.about, written.topic) == ("Tuesday group", "one\n\ntwo", "rest[31m")


# Who looks after a group.


async def test_a_facilitator_is_added_with_the_role_only(db: Database, group: Group, now: datetime) -> None:
    for roles in (frozenset[int](), frozenset({ROLE + 1})):
        await refused(
            db, NotValid, lambda s, r=roles: facilitators.add(s, facilitator(), group.group_id, MAYA, r, now=now)
        )
    async with db.begin() as session:
        for _ in range(2):
            await facilitators.add(session, facilitator(), group.group_id, MAYA, frozenset({ROLE}), now=now)
        roster = await directory.roster(session, facilitator(MAYA), group.group_id)
    assert [person.user_id for person in roster.facilitators] == [FACILITATOR, MAYA]


async def test_a_facilitator_who_is_struck_off_sees_nobody_any_more(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        me = await members.of(session, GUILD, FACILITATOR, now=now)
        await facilitators.remove(session, owner(), group.group_id, me.member_id, now=now)
    await refused(db, NotAllowed, lambda s: directory.roster(s, facilitator(), group.group_id))
    await refused(db, NotValid, lambda s: facilitators.remove(s, owner(), group.group_id, me.member_id, now=now))
    async with db.read() as session:
        assert await session.scalar(select(func.count()).select_from(Facilitator)) == 0


async def test_a_removed_member_who_becomes_a_facilitator_is_no_longer_removed(
    db: Database, group: Group, now: datetime
) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, now=now)
        maya = await members.of(session, GUILD, MAYA, now=now)
        await groups.remove(session, facilitator(), group.group_id, maya.member_id, now=now)
        await facilitators.add(session, facilitator(), group.group_id, MAYA, frozenset({ROLE}), now=now)
        roster = await directory.roster(session, facilitator(), group.group_id)
    assert roster.people == ()


async def test_a_member_of_another_group_cannot_be_removed_from_this_one(
    db: Database, group: Group, now: datetime
) -> None:
    async with db.begin() as session:
        other = await make_group(session, now=now, by=facilitator(LEO), name="Thursday", room_id=ROOM + 1)
        await seat(session, other, MAYA, now=now)
        maya = await members.of(session, GUILD, MAYA, now=now)
    await refused(db, NotMember, lambda s: groups.remove(s, facilitator(), group.group_id, maya.member_id, now=now))
    async with db.read() as session:
        assert await groups.seats_taken(session, other.group_id) == 1
