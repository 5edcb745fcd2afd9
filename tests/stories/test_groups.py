"""Looking after groups, as facilitators live it: creating, changing, showing and closing them."""

from __future__ import annotations

import pytest

from peerbot.rehearsal import posting
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.seen import Seen, Shown
from peerbot.rehearsal.wire import Wire
from tests.stories.stage import Stage

NOT_YOURS = "Only facilitators of **Tuesday meeting** can do this."
IN_ROOM = Bit.VIEW_CHANNEL | Bit.SEND_MESSAGES | Bit.READ_MESSAGE_HISTORY
FORM = {
    "Name": "Quiet hour",
    "What is it like?": "For quiet people.",
    "Topic": "Rest",
    "How do you meet?": "Text",
    "Seats": "8",
}


def permission(channel: Wire, target_id: int) -> tuple[Bit, Bit]:
    """Return what a channel allows and denies one role or member."""
    (found,) = [each for each in channel["permission_overwrites"] if int(each["id"]) == target_id]
    return Bit(int(found["allow"])), Bit(int(found["deny"]))


async def asked(stage: Stage, door: str) -> Shown:
    """Have Ana use a command for her group."""
    return await stage.ana.slash(door, group="Tuesday meeting")


def id_in(card: Shown, label: str) -> str:
    """Return the custom id of a button."""
    assert isinstance(card, Seen)
    return card.button(label)["custom_id"]


async def test_a_new_group_has_a_room_that_only_its_people_see(stage: Stage) -> None:
    seen = await stage.new_group()
    assert "Tuesday meeting is open" in seen
    assert seen.ephemeral
    room = stage.room()
    assert f"<#{room['id']}>" in seen
    assert permission(room, stage.guild.id) == (Bit(0), Bit.VIEW_CHANNEL)
    assert permission(room, stage.application.bot_id)[0] & IN_ROOM == IN_ROOM
    assert permission(room, stage.ana.user_id) == (IN_ROOM, Bit(0))
    assert len(room["permission_overwrites"]) == 3
    assert not stage.joe.can_see(room)


async def test_a_new_group_stands_on_the_panel_without_names(stage: Stage) -> None:
    await stage.new_group()
    await stage.later(seconds=6)
    assert "**Tuesday meeting**" in stage.panel_card()
    assert "12 seats free" in stage.panel_card()
    await stage.join(stage.maya)
    await stage.later(seconds=6)
    assert "11 seats free" in stage.panel_card()
    assert str(stage.maya.user_id) not in str(stage.panel_card().wire["components"])


def den_of(stage: Stage, *permissions: dict[str, str | int]) -> Wire:
    """Make a channel that only the bot sees, and whoever is given more."""
    hidden = {"id": str(stage.guild.id), "type": 0, "allow": "0", "deny": str(int(Bit.VIEW_CHANNEL))}
    ours = {"id": str(stage.application.bot_id), "type": 1, "allow": str(int(IN_ROOM)), "deny": "0"}
    return stage.guild.add_channel("den", overwrites=[hidden, ours, *permissions])


async def test_a_channel_that_is_there_already_becomes_the_room(stage: Stage) -> None:
    den = den_of(stage)
    form = await stage.olive.slash("/group new", room=den)
    assert f"<#{den['id']}>" in await form.send(FORM)
    await stage.join(stage.maya, "Quiet hour")
    assert stage.maya.can_see(den)
    assert stage.olive.can_see(den)
    assert not stage.sam.can_see(den)
    assert permission(den, stage.guild.id) == (Bit(0), Bit.VIEW_CHANNEL)


async def test_nobody_gives_a_channel_away_that_is_not_theirs_to_manage(stage: Stage) -> None:
    den = den_of(stage)
    assert "You need *Manage Channel*" in await stage.ana.slash("/group new", room=den)
    allowed = {"id": stage.facilitators["id"], "type": 0, "allow": str(int(IN_ROOM | Bit.MANAGE_CHANNELS)), "deny": "0"}
    theirs = stage.guild.add_channel("attic", overwrites=[*den["permission_overwrites"], allowed])
    form = await stage.ana.slash("/group new", room=theirs)
    stage.guild.remove_overwrite(int(theirs["id"]), int(stage.facilitators["id"]))
    await stage.world.settle()
    assert "You need *Manage Channel*" in await form.send(FORM), "the right was lost while the form was open"


async def test_a_channel_that_everyone_sees_is_no_room(stage: Stage) -> None:
    assert "Everyone can see that channel" in await stage.olive.slash("/group new", room=stage.panel)


async def test_a_channel_with_another_use_is_no_room(stage: Stage) -> None:
    form = await stage.olive.slash("/group new", room=stage.staff)
    assert "That channel has another use here" in await form.send(FORM)


async def test_two_groups_do_not_share_a_room(stage: Stage) -> None:
    den = den_of(stage)
    await (await stage.olive.slash("/group new", room=den)).send(FORM)
    form = await stage.olive.slash("/group new", room=den)
    assert "That channel is the room of **Quiet hour**" in await form.send(FORM | {"Name": "Other"})


async def test_a_room_that_is_deleted_while_the_form_is_open_is_refused(stage: Stage) -> None:
    den = den_of(stage)
    form = await stage.olive.slash("/group new", room=den)
    stage.guild.remove_channel(int(den["id"]))
    await stage.world.settle()
    assert "I can't see that channel" in await form.send(FORM)


async def test_a_role_is_given_and_taken_where_it_was_asked_for(stage: Stage) -> None:
    quiet = stage.guild.add_role("Quiet")
    form = await stage.olive.slash("/group new", role=quiet)
    await form.send(FORM)
    await stage.world.settle()
    assert str(quiet["id"]) in stage.guild.members[stage.olive.user_id]["roles"]
    await stage.join(stage.maya, "Quiet hour")
    assert str(quiet["id"]) in stage.guild.members[stage.maya.user_id]["roles"]
    sure = await stage.maya.press(await stage.maya.slash("/my"), "Leave")
    await stage.maya.press(sure, "Leave")
    assert str(quiet["id"]) not in stage.guild.members[stage.maya.user_id]["roles"]


async def test_no_role_is_touched_where_none_was_asked_for(stage: Stage) -> None:
    await stage.new_group()
    with stage.requests() as made:
        await stage.join(stage.maya)
    assert [each for each in made if "/roles/" in each] == []


async def test_a_role_above_the_bots_own_is_refused_at_once(stage: Stage) -> None:
    high = stage.guild.add_role("High")
    stage.guild.move_role(int(high["id"]), 99)
    await stage.world.settle()
    for role in (high, stage.bot_role, stage.guild.roles[stage.guild.id]):
        assert "I can't give that role" in await stage.olive.slash("/group new", role=role)


async def test_no_group_hands_permissions_out(stage: Stage) -> None:
    admins = stage.guild.add_role("Admins", int(Bit.ADMINISTRATOR))
    assert "brings permissions with it" in await stage.olive.slash("/group new", role=admins)
    assert "Only someone with the Manage Server permission" in await stage.ana.slash("/group new", role=admins)


async def test_a_taken_name_is_refused_however_it_is_written(stage: Stage) -> None:
    await stage.new_group("Tuesday meeting")
    seen = await stage.new_group("  tuesday   MEETING ", by=stage.joe)
    assert "There is already a group named" in seen
    assert len([c for c in stage.guild.channels.values() if "tuesday" in c["name"]]) == 1


async def test_somebody_without_the_role_creates_nothing(stage: Stage) -> None:
    assert "group" not in stage.maya.offered()
    assert "Only facilitators can do this." in await stage.maya.slash("/group new", force=True)


async def test_a_role_that_is_lost_while_the_form_is_open_counts(stage: Stage) -> None:
    form = await stage.ana.slash("/group new")
    stage.guild.take_role(stage.ana.user_id, int(stage.facilitators["id"]))
    assert "Only facilitators can do this." in await form.send(FORM)
    assert "No group is open yet" in stage.panel_card()


async def test_changed_details_show_everywhere(stage: Stage) -> None:
    await stage.new_group()
    await stage.ana.slash("/group panel", group="Tuesday meeting")
    form = await stage.ana.slash("/group edit", group="Tuesday meeting", card=7)
    changed = await form.send({"Name": "Wednesday meeting", "Topic": "Grief", "Seats": "9"})
    assert "Changed." in changed
    assert "The card of a meeting comes 7 days before it." in changed
    await stage.later(seconds=6)
    assert "**Wednesday meeting**" in stage.panel_card()
    assert "0 of 9 seats taken" in stage.group_card("Wednesday meeting")
    assert "Grief" in await stage.maya.slash("/groups")


async def test_fewer_seats_than_are_taken_are_refused(stage: Stage) -> None:
    await stage.new_group()
    await stage.join(stage.maya)
    await stage.join(stage.sam)
    form = await asked(stage, "/group edit")
    assert "2 seats are taken. Please give that many or more." in await form.send({"Seats": "1"})


async def test_a_group_cannot_take_the_name_of_another(stage: Stage) -> None:
    await stage.new_group()
    await stage.new_group("Quiet hour")
    form = await asked(stage, "/group edit")
    assert "There is already a group named **quiet HOUR**" in await form.send({"Name": "quiet HOUR"})


async def test_a_group_that_nobody_knows_is_answered_kindly(stage: Stage) -> None:
    for words in ("Nothing", "999999", "9" * 30, "-1", "@everyone", "²"):
        for door in ("/group edit", "/group people", "/group close", "/group panel"):
            assert "I can't find that group" in await stage.ana.slash(door, group=words)


@pytest.mark.parametrize("door", ["edit", "people", "close", "panel"])
@pytest.mark.parametrize("listed", [True, False])
async def test_a_facilitator_of_another_group_may_not(stage: Stage, door: str, *, listed: bool) -> None:
    await stage.new_group()
    if listed:
        await stage.new_group("Quiet hour", by=stage.joe)
    seen = await stage.joe.slash(f"/group {door}", group="Tuesday meeting")
    assert NOT_YOURS in seen
    assert seen.ephemeral


async def test_every_button_of_a_group_refuses_who_has_no_right(stage: Stage) -> None:
    created = await stage.new_group()
    group_id = id_in(created, "People").rsplit(":", 1)[1]
    await stage.join(stage.maya)
    person = (await stage.people_of()).select("Choose a person")["options"][1]["value"]  # type: ignore[attr-defined]
    member_id = person.split(".")[1]
    panel = stage.panel_card()
    verbs = ["people", "post-card", "close-sure", "new-room"]
    ids = [f"groups:{verb}:{group_id}" for verb in verbs]
    ids += [f"groups:{verb}:{group_id}.{member_id}" for verb in ("let-back", "drop-facilitator")]
    for custom_id in ids:
        for who in (stage.joe, stage.sam, stage.maya):
            refused = await who.forged(panel, custom_id)
            assert "Only facilitators" in refused, custom_id
            assert refused.ephemeral
    refused = await stage.joe.forged(panel, f"groups:person:{group_id}", kind=3, values=[person])
    assert NOT_YOURS in refused
    assert NOT_YOURS in await (await stage.sam.forged(panel, f"groups:remove:{group_id}.{member_id}")).send({})
    form = await stage.sam.forged(panel, f"groups:add-facilitator:{group_id}")
    assert "Only facilitators" in await form.send({"Who?": stage.joe})
    assert stage.maya.can_see(stage.room())
    assert "Maya" in await stage.people_of()


async def test_the_owner_may_do_what_a_facilitator_may(stage: Stage) -> None:
    await stage.new_group()
    assert "Ana" in await stage.people_of(by=stage.olive)


async def test_who_lost_the_role_loses_the_group(stage: Stage) -> None:
    await stage.new_group()
    people = await stage.people_of()
    stage.guild.take_role(stage.ana.user_id, int(stage.facilitators["id"]))
    form = await stage.ana.press(people, "Add a facilitator")
    assert NOT_YOURS in await form.send({"Who?": stage.joe})


async def test_suggestions_are_the_groups_that_one_may_change(stage: Stage) -> None:
    await stage.new_group()
    await stage.new_group("Quiet hour", by=stage.joe)
    assert await stage.ana.autocomplete("/group edit", group="") == ["Tuesday meeting"]
    assert await stage.joe.autocomplete("/group edit", group="") == ["Quiet hour"]
    assert await stage.olive.autocomplete("/group edit", group="") == ["Quiet hour", "Tuesday meeting"]
    assert await stage.maya.autocomplete("/group edit", group="", force=True) == []
    (choice,) = await stage.ana.autocomplete("/group people", group="tues")
    assert "People in Tuesday meeting" in await stage.ana.slash("/group people", group=choice)


@pytest.mark.parametrize("typed", ["%", "_", "\\", "'; --", "@everyone", "\u202e", "x" * 6000, "9" * 400])
async def test_whatever_is_typed_suggestions_come_back(stage: Stage, typed: str) -> None:
    await stage.new_group()
    assert await stage.ana.autocomplete("/group edit", group=typed) == []
    assert await stage.maya.autocomplete("/groups", topic=typed) == []


async def test_topics_are_suggested_to_everyone(stage: Stage) -> None:
    await stage.new_group()
    await stage.new_group("Quiet hour", Topic="Rest")
    assert await stage.maya.autocomplete("/groups", topic="re") == ["Rebuilding", "Rest"]


async def test_a_groups_card_shows_counts_and_never_members(stage: Stage) -> None:
    await stage.new_group()
    assert "It stands in" in await asked(stage, "/group panel")
    await stage.join(stage.maya)
    await stage.later(seconds=6)
    card = stage.group_card()
    assert "1 of 12 seats taken" in card
    assert stage.ana.mention in card
    assert stage.maya.mention not in card
    assert "Maya" not in card
    assert "I agree" in (await stage.sam.press(card, "Join")).labels


async def test_a_card_that_is_posted_twice_stands_once(stage: Stage) -> None:
    await stage.new_group()
    for _ in range(2):
        await asked(stage, "/group panel")
    await stage.later(seconds=6)
    assert stage.group_card()
    assert len(stage.posted(stage.panel)) == 2


async def test_a_card_is_drawn_at_most_once_in_five_seconds(stage: Stage) -> None:
    panel = f"PATCH /channels/{stage.panel['id']}/messages/{stage.panel_card().message_id}"
    await stage.later(seconds=6)
    await stage.later(seconds=6)
    with stage.requests() as made:
        for name in ("One group", "Two group", "Three group"):
            await stage.new_group(name)
        assert made.count(panel) == 1
        await stage.later(seconds=6)
        assert made.count(panel) == 2
        await stage.later(seconds=60)
        assert made.count(panel) == 2
    assert all(name in stage.panel_card() for name in ("One group", "Two group", "Three group"))


async def test_a_panel_that_somebody_deleted_is_posted_again(stage: Stage) -> None:
    posting.delete(stage.world, stage.panel, [stage.panel_card().message_id])
    await stage.later(seconds=6)
    await stage.new_group()
    await stage.later(seconds=6)
    assert "Tuesday meeting" in stage.panel_card()


async def test_a_facilitator_brings_a_deleted_panel_back(stage: Stage) -> None:
    posting.delete(stage.world, stage.panel, [stage.panel_card().message_id])
    await stage.ana.slash("/group panel")
    await stage.later(seconds=6)
    assert stage.panel_card()


async def test_a_groups_card_that_somebody_deleted_is_posted_again(stage: Stage) -> None:
    await stage.new_group()
    await asked(stage, "/group panel")
    posting.delete(stage.world, stage.panel, [stage.group_card().message_id])
    await stage.join(stage.maya)
    await stage.later(seconds=6)
    await stage.later(seconds=6)
    assert "1 of 12 seats taken" in stage.group_card()


@pytest.mark.both_databases
async def test_a_group_closes_after_a_question_and_its_room_a_week_later(stage: Stage) -> None:
    await stage.new_group()
    await asked(stage, "/group panel")
    await stage.join(stage.maya)
    card = await stage.sam.press(await stage.sam.slash("/groups"), "Tuesday meeting")
    sure = await asked(stage, "/group close")
    assert "Close Tuesday meeting?" in sure
    assert "is closed" in await stage.ana.press(sure, "Close the group")
    await stage.later(seconds=6)
    assert len(stage.posted(stage.panel)) == 1
    assert "No group is open yet" in stage.panel_card()
    assert "has closed. Thank you for being here" in stage.maya.sees(stage.room())[-1]
    assert "has closed" in await stage.sam.press(card, "Join")
    assert "has closed" in await stage.maya.slash("/my")
    await stage.later(days=6)
    assert stage.maya.can_see(stage.room())
    await stage.later(days=1, seconds=1)
    assert not stage.maya.can_see(stage.room())
    assert not stage.ana.can_see(stage.room())
    assert "You are in no group right now" in await stage.maya.slash("/my")


async def test_a_closed_group_is_changed_by_nobody_and_its_name_is_free(stage: Stage) -> None:
    created = await stage.new_group()
    sure = await asked(stage, "/group close")
    form = await asked(stage, "/group edit")
    await stage.ana.press(sure, "Close the group")
    assert "has closed" in await form.send({"Seats": "3"})
    assert "has closed" in await stage.ana.forged(stage.panel_card(), id_in(sure, "Close the group"))
    assert "I can't find that group" in await stage.ana.press(created, "Post its card")
    assert "Tuesday meeting is open" in await stage.new_group()
