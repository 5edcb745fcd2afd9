"""What a member may do, as Discord computes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from peerbot.rehearsal import permissions
from peerbot.rehearsal.permissions import Bit

EVERYONE, HELPERS, GUESTS = "1", "2", "3"
OWNER, MAYA = "8", "9"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def a_role(role_id: str, bits: int, position: int = 0) -> dict[str, Any]:
    return {"id": role_id, "permissions": str(int(bits)), "position": position}


def a_guild(everyone: int = Bit.VIEW_CHANNEL | Bit.SEND_MESSAGES, helpers: int = 0, guests: int = 0) -> dict[str, Any]:
    roles = [a_role(EVERYONE, everyone), a_role(HELPERS, helpers, 2), a_role(GUESTS, guests, 1)]
    return {"id": EVERYONE, "owner_id": OWNER, "roles": roles}


def a_member(*roles: str, user_id: str = MAYA, **fields: Any) -> dict[str, Any]:
    return {"user": {"id": user_id}, "roles": list(roles), **fields}


def a_channel(*overwrites: tuple[str, int, int], kind: int = 0) -> dict[str, Any]:
    entries = [{"id": who, "allow": str(int(allow)), "deny": str(int(deny))} for who, allow, deny in overwrites]
    return {"id": "50", "type": kind, "permission_overwrites": entries}


def test_the_owner_may_do_everything() -> None:
    assert permissions.of(a_guild(everyone=0), a_member(user_id=OWNER), a_channel((OWNER, 0, Bit.VIEW_CHANNEL))) == (
        permissions.ALL
    )


def test_an_administrator_is_stopped_by_no_overwrite() -> None:
    guild = a_guild(helpers=Bit.ADMINISTRATOR)

    assert permissions.of(guild, a_member(HELPERS), a_channel((HELPERS, 0, Bit.VIEW_CHANNEL))) == permissions.ALL


def test_roles_add_up() -> None:
    guild = a_guild(everyone=Bit.VIEW_CHANNEL, helpers=Bit.MANAGE_ROLES, guests=Bit.MANAGE_THREADS)

    granted = permissions.of(guild, a_member(HELPERS, GUESTS))

    assert granted == Bit.VIEW_CHANNEL | Bit.MANAGE_ROLES | Bit.MANAGE_THREADS


def test_an_overwrite_of_everyone_comes_before_those_of_roles() -> None:
    channel = a_channel((EVERYONE, 0, Bit.VIEW_CHANNEL), (HELPERS, Bit.VIEW_CHANNEL, 0))

    assert permissions.of(a_guild(), a_member(), channel) == 0
    assert permissions.of(a_guild(), a_member(HELPERS), channel) & Bit.VIEW_CHANNEL


def test_one_role_that_allows_outweighs_another_that_denies() -> None:
    channel = a_channel((HELPERS, Bit.SEND_MESSAGES, 0), (GUESTS, 0, Bit.SEND_MESSAGES))

    assert permissions.of(a_guild(), a_member(HELPERS, GUESTS), channel) & Bit.SEND_MESSAGES


def test_an_overwrite_of_the_member_has_the_last_word() -> None:
    channel = a_channel((HELPERS, 0, Bit.VIEW_CHANNEL), (MAYA, Bit.VIEW_CHANNEL, 0))
    closed = a_channel((HELPERS, Bit.VIEW_CHANNEL, 0), (MAYA, 0, Bit.VIEW_CHANNEL))

    assert permissions.of(a_guild(), a_member(HELPERS), channel) & Bit.VIEW_CHANNEL
    assert permissions.of(a_guild(), a_member(HELPERS), closed) == 0


def test_a_hidden_channel_grants_nothing_at_all() -> None:
    guild = a_guild(helpers=Bit.MANAGE_CHANNELS | Bit.MANAGE_MESSAGES)

    assert permissions.of(guild, a_member(HELPERS), a_channel((EVERYONE, 0, Bit.VIEW_CHANNEL))) == 0


def test_who_cannot_send_can_neither_embed_nor_attach() -> None:
    guild = a_guild(everyone=Bit.VIEW_CHANNEL | Bit.SEND_MESSAGES | Bit.EMBED_LINKS | Bit.ATTACH_FILES)

    granted = permissions.of(guild, a_member(), a_channel((EVERYONE, 0, Bit.SEND_MESSAGES)))

    assert granted == Bit.VIEW_CHANNEL


def test_a_thread_takes_its_parents_overwrites_and_its_own_bit_for_sending() -> None:
    guild = a_guild(everyone=Bit.VIEW_CHANNEL | Bit.SEND_MESSAGES_IN_THREADS | Bit.EMBED_LINKS)
    thread = {"id": "60", "type": 12, "parent_id": "50"}

    assert permissions.of(guild, a_member(), thread, parent=a_channel()) & Bit.EMBED_LINKS
    assert permissions.of(guild, a_member(), thread, parent=a_channel((EVERYONE, 0, Bit.VIEW_CHANNEL))) == 0
    with pytest.raises(ValueError, match="parent"):
        permissions.of(guild, a_member(), thread)


def test_a_member_in_timeout_keeps_reading_until_it_is_over() -> None:
    member = a_member(communication_disabled_until=(NOW + timedelta(minutes=5)).isoformat())

    assert permissions.of(a_guild(), member, a_channel(), now=NOW) == Bit.VIEW_CHANNEL
    assert permissions.of(a_guild(), member, a_channel(), now=NOW + timedelta(minutes=6)) & Bit.SEND_MESSAGES


@pytest.mark.parametrize(("roles", "may"), [((HELPERS,), True), ((GUESTS,), False), ((), False)])
def test_a_role_is_managed_from_above_only(roles: tuple[str, ...], may: bool) -> None:  # noqa: FBT001
    guild = a_guild(helpers=Bit.MANAGE_ROLES, guests=Bit.MANAGE_ROLES)

    assert permissions.may_manage_role(guild, a_member(*roles), guild["roles"][2]) is may


def test_without_manage_roles_rank_helps_nothing() -> None:
    guild = a_guild()

    assert not permissions.may_manage_role(guild, a_member(HELPERS), guild["roles"][2])
    assert permissions.may_manage_role(guild, a_member(user_id=OWNER), guild["roles"][1])


def test_of_two_roles_at_one_position_the_older_stands_higher() -> None:
    guild = a_guild(helpers=Bit.MANAGE_ROLES)
    guild["roles"][2]["position"] = 2

    assert permissions.may_manage_role(guild, a_member(HELPERS), guild["roles"][2])
    assert permissions.top_role_position(guild, a_member(GUESTS)) == 2


def test_nobody_outranks_the_owner() -> None:
    guild = a_guild()

    assert not permissions.outranks(guild, a_member(HELPERS), a_member(user_id=OWNER))
    assert permissions.outranks(guild, a_member(user_id=OWNER), a_member(HELPERS))
    assert permissions.outranks(guild, a_member(HELPERS), a_member(GUESTS))
