"""How fast peerbot is, how much it holds, and what a kill at any instant leaves behind; measured, never asserted.

Every figure stands beside a floor of the same run: a bare discord.py bot against the same stand-in on the same machine.
"""
