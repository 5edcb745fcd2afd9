"""The next meeting among Discord's own events: only where the owner wants it, one for each series, never twice."""

from __future__ import annotations

from datetime import datetime, timedelta

from peerbot import meetings
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.wire import VOICE, Wire
from tests.stories.conftest import NEEDED
from tests.stories.meets import AHEAD, change, first_of, meeting_ids, meets, schedule
from tests.stories.stage import Stage

__all__ = ["meets"]  # pytest finds fixtures by their names here

WEEK = timedelta(days=7)


async def switch(stage: Stage, label: str = "Events on") -> str:
    """Have the owner switch events on or off; return what the setup says then."""
    seen = await stage.olive.press(await stage.set_up(), label)
    await stage.world.settle()
    return str(seen)


def starts(stage: Stage) -> list[datetime]:
    """Return when the events of the server begin."""
    return sorted(datetime.fromisoformat(each["scheduled_start_time"]) for each in stage.guild.events.values())


def event(stage: Stage) -> Wire:
    """Return the one event of the server."""
    (found,) = stage.guild.events.values()
    return found


def of_events(requests: list[str]) -> list[str]:
    """Return the requests that are about events."""
    return [each for each in requests if "scheduled-events" in each]


def about(at: datetime, expected: datetime) -> bool:
    """Return whether a moment is the expected one, which was cut down to a whole minute."""
    return abs(at - expected) < timedelta(minutes=2)


async def test_a_series_has_the_event_of_its_next_meeting_and_no_other(meets: Stage) -> None:
    assert meets.guild.events == {}, "off by default"
    first_at = meets.clock.now() + AHEAD
    meets.allow(Bit(NEEDED) | Bit.CREATE_EVENTS)
    await switch(meets)
    made = event(meets)
    assert about(starts(meets)[0], first_at)
    assert made["name"] == "Tuesday meeting"
    assert made["entity_metadata"] == {"location": "In the group's room"}
    for word in ("depress", "treatment", meets.maya.name, meets.ana.name):
        assert word not in str(made["description"])
    (first, *_between, last) = await meeting_ids(meets)
    with meets.requests() as requests:
        await change(meets, meetings.cancel, last)
        await change(meets, meetings.undo, last)
    assert not of_events(requests), "nothing changed for the next one"
    await change(meets, meetings.move, first, first_of(meets, after=timedelta(days=4)))
    assert event(meets)["id"] == made["id"], "the same meeting keeps its event"
    assert about(starts(meets)[0], first_at - timedelta(days=1))
    await change(meets, meetings.cancel, first)
    assert about(starts(meets)[0], first_at + WEEK)
    assert event(meets)["id"] != made["id"]
    with meets.requests() as requests:
        await meets.later(days=12, minutes=30)
        (*_between, last) = await meeting_ids(meets)
        await change(meets, meetings.cancel, last)
        await change(meets, meetings.undo, last)
    assert about(starts(meets)[0], first_at + WEEK), "one that has begun stays to its end"
    assert not of_events(requests)
    await meets.later(hours=1)
    assert about(starts(meets)[0], first_at + WEEK + WEEK)
    await switch(meets, "Events off")
    assert meets.guild.events == {}


async def test_what_is_lacking_is_said_once_and_an_event_is_never_made_twice(stage: Stage) -> None:
    await stage.new_group()
    voice = stage.guild.add_channel("talk", VOICE)
    assert "**Create Events**" in await switch(stage)
    await schedule(stage, channel_id=int(voice["id"]))
    (first, *_later) = await meeting_ids(stage)
    await change(stage, meetings.move, first, first_of(stage, after=timedelta(days=4)))
    (told,) = [seen for seen in stage.told() if "among Discord's events" in seen]
    assert "My role needs *Create Events*" in told
    stage.allow(Bit(NEEDED) | Bit.CREATE_EVENTS | Bit.CONNECT)
    stage.discord.faults.next("POST", f"/guilds/{stage.guild.id}/scheduled-events", drop="after")
    await stage.ana.press(told, "Try again")
    await stage.later(minutes=5)
    assert event(stage)["channel_id"] == voice["id"]
    assert event(stage)["entity_type"] == 2
    stage.guild.remove_event(int(event(stage)["id"]))
    await change(stage, meetings.undo, first)
    assert about(starts(stage)[0], stage.clock.now() + AHEAD - timedelta(minutes=5)), "a deleted one is made anew"
