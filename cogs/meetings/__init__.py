"""Meetings: when they are, who comes, and what belongs to each one's time."""

from __future__ import annotations

from cogs.meetings import _answers, _debriefs, _hosting, _skipping
from cogs.meetings import _letters as letters
from cogs.meetings._cog import Meetings
from cogs.meetings._events import NativeEvents
from cogs.meetings._hosting_posts import HostingPosts
from cogs.meetings._looking import Looking
from cogs.meetings._looks import Looks
from cogs.meetings._posts import MeetingPosts
from peerbot import agenda, breaks, closings, handovers, series
from peerbot.bot import PeerBot

HANDLERS = (_answers, _debriefs, _hosting, _skipping)
"""Modules that say what buttons do: a button does nothing before its module is loaded."""


async def setup(bot: PeerBot) -> None:
    """Add the commands, cards and deliveries of meetings."""
    MeetingPosts(bot).register()
    NativeEvents(bot).register()
    bot.outbox.step(series.TURN, agenda.turn)
    bot.outbox.step(agenda.ACT, agenda.act_again)
    bot.outbox.step(series.EXTEND, series.extend)
    bot.outbox.step("meetings.group", series.look_at_group)
    bot.outbox.step("meetings.closed", closings.follow)
    bot.outbox.step(breaks.PUT_ON, handovers.remembered)
    letters.register(bot)
    await bot.add_cog(Looking(bot))
    await bot.add_cog(Meetings(bot))
    HostingPosts(bot).register()
    looks = Looks(bot)
    looks.register()
    await bot.add_cog(looks)
