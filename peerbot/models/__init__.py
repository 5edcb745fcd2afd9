"""Every table.

A user id exists in `members.sealed_user_id` and nowhere else; every other table says `member_id`. No column holds text
that a member wrote. Whoever leaves a group leaves no row; whoever was removed keeps one, so that the removal holds.
"""

from __future__ import annotations

from peerbot.models.base import Base
from peerbot.models.groups import Facilitator, Grant, Group, Membership, Task
from peerbot.models.meetings import Break, Debrief, Host, Meeting, Response, Series
from peerbot.models.outbox import Card, Delivery, Process
from peerbot.models.people import Guild, KeyCheck, Member

__all__ = [
    "Base",
    "Break",
    "Card",
    "Debrief",
    "Delivery",
    "Facilitator",
    "Grant",
    "Group",
    "Guild",
    "Host",
    "KeyCheck",
    "Meeting",
    "Member",
    "Membership",
    "Process",
    "Response",
    "Series",
    "Task",
]
