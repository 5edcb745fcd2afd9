"""A form that was refused: what a facilitator or owner typed comes back with one press."""

from __future__ import annotations

import pytest

from cogs import _typed as typed
from peerbot.rehearsal.forms import Form
from peerbot.rehearsal.seen import Shown
from tests.stories.stage import Stage

AGAIN = "Open the form again"
ABOUT = "For *quiet* people.\nWe meet by the sea, <@1>."
TYPED = {
    "Name": "Quiet hour",
    "What is it like?": ABOUT,
    "Topic": "Rest",
    "How do you meet?": "Text",
    "Seats": "20",
}


def values(form: Shown) -> dict[str, object]:
    """Return what stands in a form, by its labels."""
    assert isinstance(form, Form)
    return {label: field.value for label, field in form.fields.items()}


async def test_a_new_group_with_too_many_seats_is_not_typed_again(stage: Stage) -> None:
    refused = await (await stage.ana.slash("/group new", hello=True)).send(TYPED)
    assert "Please give a number of seats from 1 to 15." in refused
    form = await stage.ana.press(refused, AGAIN)
    assert values(form) == TYPED
    assert isinstance(form, Form)
    assert "Quiet hour is open" in await form.send({"Seats": "12"})
    await stage.world.settle()
    card = await stage.maya.press(await stage.maya.slash("/groups"), "Quiet hour")
    assert "Say hello first" in card, "what the command was given counts too"


async def test_a_group_that_takes_a_taken_name_keeps_what_was_changed(stage: Stage) -> None:
    await stage.new_group()
    await stage.new_group("Quiet hour")
    form = await stage.ana.slash("/group edit", group="Tuesday meeting")
    refused = await form.send({"Name": "Quiet hour", "Topic": "Grief", "How do you meet?": "Text", "Seats": "9"})
    assert "There is already a group named **Quiet hour**" in refused
    again = await stage.ana.press(refused, AGAIN)
    assert {"Topic": "Grief", "How do you meet?": "Text", "Seats": "9"}.items() <= values(again).items()
    assert isinstance(again, Form)
    assert "Changed. **Wednesday**" in await again.send({"Name": "Wednesday"})


async def test_a_wrong_zone_costs_no_other_answer_of_the_setup(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.start()
    refused = await stage.set_up(**{"Time zone": "Nwe York"})
    assert "I don't know the time zone" in refused
    form = await stage.olive.press(refused, AGAIN)
    assert isinstance(form, Form)
    assert form.fields["Time zone"].value == "Nwe York"
    assert "This server is set up" in await form.send({"Time zone": "New York"})
    await stage.world.settle()
    assert stage.panel_card()


async def test_what_cannot_be_chosen_any_more_is_chosen_anew(stage: Stage) -> None:
    plaza, voice = stage.guild.add_channel("plaza"), stage.guild.add_channel("Voice", 2)
    hosts = stage.guild.add_role("Hosts")
    answers = {
        "Who facilitates? (role)": hosts,
        "Where should members find groups?": plaza,
        "Where do facilitators talk?": voice,
    }
    refused = await (await stage.olive.slash("/setup")).send(answers, unchecked=True)
    assert "I can't see that role or channel" in refused
    stage.guild.remove_channel(int(plaza["id"]))
    stage.guild.remove_role(int(hosts["id"]))
    await stage.world.settle()
    again = await stage.olive.press(refused, AGAIN)
    assert isinstance(again, Form)
    chosen = [again.fields[label].component.get("default_values", []) for label in answers]
    assert chosen == [[], [], []]
    assert again.fields["Time zone"].value == "America/New_York"


@pytest.mark.parametrize(
    ("button", "label", "text"),
    [
        ("Agreement", "What happens if someone is in danger?", "x" * 301),
        ("Help lines", "Countries of most members (up to three)", "Ireland, Atlantis"),
    ],
)
async def test_the_owners_words_come_back(stage: Stage, button: str, label: str, text: str) -> None:
    card = await (await stage.olive.slash("/setup")).send({})
    refused = await (await stage.olive.press(card, button)).send({label: text}, unchecked=True)
    form = await stage.olive.press(refused, AGAIN)
    assert values(form)[label] == text[:300]


async def test_what_was_typed_is_for_who_typed_it_and_not_for_ever(stage: Stage) -> None:
    refused = await (await stage.ana.slash("/group new")).send(TYPED)
    button = refused.button(AGAIN)["custom_id"]  # type: ignore[attr-defined]
    assert "This form is from an older time" in await stage.joe.forged(stage.panel_card(), button)
    for _ in range(typed.MOST_KEPT + 3):
        typed.keep(next(iter(typed.KEPT.values())))
    assert len(typed.KEPT) == typed.MOST_KEPT
    typed.KEPT.clear()
    assert "This form is from an older time" in await stage.ana.press(refused, AGAIN)


async def test_a_busy_database_costs_nothing_that_was_typed(stage: Stage) -> None:
    form = await stage.ana.slash("/group new")
    assert stage.db is not None
    async with stage.db.begin():
        refused = await form.send(TYPED | {"Seats": "12"})
    assert "I'm busy right now. Nothing was changed." in refused
    again = await stage.ana.press(refused, AGAIN)
    assert values(again) == TYPED | {"Seats": "12"}
    assert isinstance(again, Form)
    assert "Quiet hour is open" in await again.send({})


async def test_of_a_members_form_nothing_is_kept(stage: Stage) -> None:
    typed.KEPT.clear()
    card = await stage.maya.press(await stage.maya.slash("/my"), "Find a group")
    help_card = await stage.maya.press(card, "Help now")
    other = await stage.maya.press(help_card, "Other country")
    assert isinstance(other, Form)
    await other.send(dict.fromkeys(other.labels, "Atlantis"))
    assert typed.KEPT == {}
