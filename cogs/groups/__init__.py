"""Groups: finding one, joining, resting, leaving, and looking after them."""

from __future__ import annotations

from cogs.groups import _resting as resting
from cogs.groups import _stepping as stepping
from cogs.groups._cog import Groups
from cogs.groups._effects import GroupEffects
from cogs.groups._posts import GroupPosts
from peerbot.bot import PeerBot


async def setup(bot: PeerBot) -> None:
    """Add the commands and the deliveries of groups."""
    GroupEffects(bot).register()
    GroupPosts(bot).register()
    resting.register(bot)
    stepping.register(bot)
    await bot.add_cog(Groups(bot))
