"""Coordinate peer-support groups in a Discord server."""

__version__ = "0.1.0"
