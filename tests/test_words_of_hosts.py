"""What is said of who hosts, as things are: nobody is called late of whom that is not known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import FACILITATOR, GUILD
from hosted import OTHER, THIRD, meeting

from cogs.meetings import _hosting_cards as cards
from peerbot import hosting
from peerbot.database import Database
from peerbot.models import Meeting
from peerbot.text import Reader

__all__ = ["meeting"]  # pytest finds fixtures by their names here

READER = Reader("en-US", "Europe/Berlin")


@pytest.mark.parametrize(
    ("hosts", "called", "sees", "words"),
    [
        ([OTHER], [OTHER, THIRD], True, "Your facilitators are late. Please wait a moment. I have called others too."),
        ([OTHER], [OTHER], True, "Your facilitators are late. Please wait a moment. I have called them."),
        ([OTHER], [], True, "Your facilitators are late. I could not reach anybody yet."),
        ([], [THIRD], True, "No facilitator is here yet. Please wait a moment. I have called others too."),
        ([], [], True, "No facilitator is here yet. I could not reach anybody yet."),
        ([OTHER], [OTHER, THIRD], False, "I can't see who is here, so I have asked your facilitators."),
        ([OTHER], [], False, "I can't see who is here."),
        ([], [], False, "No facilitator is here yet. I could not reach anybody yet."),
    ],
)  # fmt: skip
async def test_members_read_only_what_is_so(
    db: Database, meeting: Meeting, hosts: list[int], called: list[int], words: str, *, sees: bool
) -> None:
    async with db.read() as session:
        known = replace(await hosting.hosts_of(session, GUILD, meeting.meeting_id), user_ids=tuple(hosts))
    on_duty = [one for one in called if one in hosts]
    first, more = cards.late_words(known, on_duty, called, sees=sees)
    assert READER.say(first) == words
    assert READER.say(more) == "You can talk, or just be here."


@pytest.mark.parametrize(
    ("others", "at_once", "left", "words"),
    [
        (1, False, [], ["others on duty in a minute"]),
        (1, True, [FACILITATOR], ["others on duty now", "Until then"]),
        (0, False, [FACILITATOR], ["I can call nobody", "Until then"]),
        (0, True, [], ["I can call nobody", "you can cancel it here"]),
    ],
)
def test_who_needs_cover_reads_who_is_asked(others: int, left: list[int], words: list[str], *, at_once: bool) -> None:
    lines = [READER.say(line) for line in cards.how_asked(hosting.Asking(others, at_once), left)]
    assert len(lines) == len(words)
    for line, part in zip(lines, words, strict=True):
        assert part in line
