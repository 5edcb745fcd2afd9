"""Keep an application: its token, its bot user, its privileged intents and its commands.

The token names the application's id as Discord's does; only the exact string logs in.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field

from peerbot.rehearsal.wire import Wire

# Flags by which the developer portal shows that an unverified application may use a privileged intent
# (developers/resources/application.mdx, "Application Flags", the LIMITED ones), by intent bit.
PRIVILEGED = {1 << 8: 1 << 13, 1 << 1: 1 << 15, 1 << 15: 1 << 19}
MEMBERS_INTENT, PRESENCES_INTENT, CONTENT_INTENT = 1 << 1, 1 << 8, 1 << 15


@dataclass
class Application:
    """One application of the developer portal, with its bot."""

    id: int
    name: str
    bot: Wire
    owner: Wire
    token: str
    privileged: int = MEMBERS_INTENT
    public_key: str = field(default_factory=lambda: secrets.token_hex(32))
    commands: dict[int, Wire] = field(default_factory=dict[int, Wire])
    guild_commands: dict[int, dict[int, Wire]] = field(default_factory=dict[int, dict[int, Wire]])
    dms_closed_by: set[int] = field(default_factory=set[int])

    @property
    def bot_id(self) -> int:
        """The bot's user id."""
        return int(self.bot["id"])

    @property
    def flags(self) -> int:
        """The portal's flags, from the privileged intents that are switched on."""
        return sum(flag for intent, flag in PRIVILEGED.items() if self.privileged & intent)

    def wire(self) -> Wire:
        """Return the application as its own bot sees it."""
        return {
            "id": str(self.id),
            "name": self.name,
            "icon": None,
            "description": "",
            "type": None,
            "bot": self.bot,
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": self.public_key,
            "flags": self.flags,
            "flags_new": str(self.flags),
            "redirect_uris": [],
            "interactions_endpoint_url": None,
            "role_connections_verification_url": None,
            "owner": self.owner,
            "approximate_guild_count": 1,
            "approximate_user_install_count": 0,
            "approximate_user_authorization_count": 0,
            "explicit_content_filter": 0,
            "team": None,
            "eligible_oauth2_scopes": [],
            "integration_types_config": {"0": {}},
        }


def new_token(application_id: int) -> str:
    """Make a bot token of the shape that Discord gives out."""
    name = base64.urlsafe_b64encode(str(application_id).encode()).decode().rstrip("=")
    return f"{name}.{secrets.token_urlsafe(4)}.{secrets.token_urlsafe(27)}"
