"""Whoever steals the database, whole, learns neither who is in a group nor what a member wrote."""

from __future__ import annotations

import pytest
from dumps import dump, traces

from tests.stories.stage import Stage


@pytest.mark.both_databases
async def test_nothing_in_the_database_leads_to_a_person(stage: Stage) -> None:
    created = await stage.new_group()
    form = await stage.ana.press(await stage.ana.press(created, "People"), "Add a facilitator")
    await form.send({"Who?": stage.joe})
    for person in (stage.maya, stage.sam, stage.lee):
        await stage.join(person)
    await stage.maya.press(await stage.maya.slash("/my"), "Pause")
    person = await stage.ana.choose(await stage.people_of(), "Choose a person", "Sam")
    await (await stage.ana.press(person, "Remove")).send({})
    sure = await stage.lee.press(await stage.lee.slash("/my"), "Leave")
    await stage.lee.press(sure, "Leave")
    stage.maya.leaves()
    await stage.later(seconds=10)
    assert stage.db is not None
    async with stage.db.read() as session:
        content = await dump(session)
    assert b"Tuesday meeting" in content
    assert traces(content, [person.user_id for person in stage.people]) == []
    for person in stage.people:
        assert person.name.encode() not in content
