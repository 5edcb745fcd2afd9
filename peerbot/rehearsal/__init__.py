"""A Discord on loopback, for tests and for showing peerbot without an account.

`World` holds what exists, `serve` puts it on a port of 127.0.0.1, and any client of REST v10 and Gateway v10 logs in::

    world = World()
    guild = world.guild("Harbour", owner="Olga")
    application = world.application("peerbot")
    guild.install(application, permissions)
    async with serve(world) as discord:
        ...  # discord.url, discord.gateway.url, application.token

It is strict where Discord is strict, and knows nothing of the bot that uses it.
"""
