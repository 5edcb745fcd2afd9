"""The facilitators' desk: tasks, hellos, who is on duty."""

from __future__ import annotations

from cogs.desk._cog import Desk
from cogs.desk._effects import DeskEffects
from cogs.desk._posts import DeskPosts
from peerbot.bot import PeerBot


async def setup(bot: PeerBot) -> None:
    """Add the command and the deliveries of tasks."""
    DeskEffects(bot).register()
    DeskPosts(bot).register()
    await bot.add_cog(Desk(bot))
