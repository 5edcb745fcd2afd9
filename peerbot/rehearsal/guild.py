"""Keep one server: its roles, channels, members and threads.

Each method changes the stored objects and tells the gateway, as when a person does it by hand. Whether somebody may do
it is not asked here: the routes ask before they call. An event that only some may see is emitted with its channel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from peerbot.rehearsal import permissions, wire
from peerbot.rehearsal.application import Application
from peerbot.rehearsal.ground import Ground
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.wire import CATEGORY, TEXT, Wire


def _objects() -> dict[int, Wire]:
    return {}


@dataclass
class Guild:
    """A server."""

    ground: Ground
    id: int
    fields: Wire
    roles: dict[int, Wire] = field(default_factory=_objects)
    members: dict[int, Wire] = field(default_factory=_objects)
    channels: dict[int, Wire] = field(default_factory=_objects)
    threads: dict[int, Wire] = field(default_factory=_objects)
    thread_members: dict[int, dict[int, Wire]] = field(default_factory=dict[int, dict[int, Wire]])
    applications: dict[int, Application] = field(default_factory=dict[int, Application])
    bans: dict[int, Wire] = field(default_factory=_objects)
    events: dict[int, Wire] = field(default_factory=_objects)
    voice: dict[int, Wire] = field(default_factory=_objects)

    @property
    def name(self) -> str:
        """The server's name."""
        return self.fields["name"]

    @property
    def owner_id(self) -> int:
        """The owner's user id."""
        return int(self.fields["owner_id"])

    def wire(self) -> Wire:
        """Return the guild as REST gives it, with its roles."""
        return self.fields | {"roles": list(self.roles.values())}

    def edit(self, **changes: Any) -> Wire:
        """Change the server's own fields."""
        self.fields.update(changes)
        self._emit("GUILD_UPDATE", self.wire())
        return self.wire()

    def _emit(self, name: str, payload: Wire, channel: Wire | None = None) -> None:
        self.ground.emit(name, payload, guild_id=self.id, channel=channel)

    # what somebody may do

    def parent_of(self, channel: Wire) -> Wire:
        """Return the channel whose overwrites count: a thread's parent, else the channel itself."""
        return self.channels[int(channel["parent_id"])] if channel["type"] in wire.THREADS else channel

    def permissions_of(self, user_id: int, channel: Wire | None = None) -> int:
        """Return what a member may do, here or in a channel; nothing for who is not a member."""
        if (member := self.members.get(user_id)) is None:
            return 0
        parent = channel and self.parent_of(channel)
        return permissions.of(self.wire(), member, channel, parent=parent, now=self.ground.clock.now())

    def can_see(self, user_id: int, channel: Wire) -> bool:
        """Say whether a member sees a channel; a private thread is for its members and who manages threads."""
        allowed = self.permissions_of(user_id, channel)
        if not allowed & Bit.VIEW_CHANNEL:
            return False
        if channel["type"] != wire.PRIVATE_THREAD:
            return True
        inside = user_id in self.thread_members.get(int(channel["id"]), {})
        return inside or bool(allowed & Bit.MANAGE_THREADS)

    # scheduled events

    def keep_event(self, event: Wire) -> Wire:
        """Store a scheduled event, new or changed; one that is completed or cancelled is no longer kept."""
        event_id = int(event["id"])
        name = "GUILD_SCHEDULED_EVENT_UPDATE" if event_id in self.events else "GUILD_SCHEDULED_EVENT_CREATE"
        self.events[event_id] = event
        self._emit(name, event, self.channels.get(int(event["channel_id"] or 0)))
        if event["status"] in (3, 4):
            del self.events[event_id]
        return event

    def remove_event(self, event_id: int) -> None:
        """Delete a scheduled event."""
        event = self.events.pop(event_id)
        self._emit("GUILD_SCHEDULED_EVENT_DELETE", event, self.channels.get(int(event["channel_id"] or 0)))

    # roles

    def add_role(self, name: str, permissions: int = 0, **fields: Any) -> Wire:
        """Make a role at the bottom of the list, above @everyone."""
        above = [other for other in self.roles.values() if other["position"] > 0]
        role = wire.role(self.ground.new_id(), name, permissions, 1) | fields
        self.roles[int(role["id"])] = role
        self._emit("GUILD_ROLE_CREATE", {"guild_id": str(self.id), "role": role})
        for other in above:
            self.edit_role(int(other["id"]), position=other["position"] + 1)
        return role

    def edit_role(self, role_id: int, **changes: Any) -> Wire:
        """Change a role's fields."""
        role = self.roles[role_id]
        role.update(changes)
        self._emit("GUILD_ROLE_UPDATE", {"guild_id": str(self.id), "role": role})
        return role

    def move_role(self, role_id: int, position: int) -> None:
        """Put a role at a position; the others close up."""
        order = [role for role in sorted(self.roles.values(), key=_role_order) if int(role["id"]) != role_id]
        order.insert(max(1, position), self.roles[role_id])
        for place, role in enumerate(order):
            if role["position"] != place:
                self.edit_role(int(role["id"]), position=place)

    def remove_role(self, role_id: int) -> None:
        """Delete a role; members and overwrites lose it."""
        del self.roles[role_id]
        for member in self.members.values():
            if str(role_id) in member["roles"]:
                member["roles"].remove(str(role_id))
        for channel in self.channels.values():
            kept = [entry for entry in channel["permission_overwrites"] if entry["id"] != str(role_id)]
            channel["permission_overwrites"] = kept
        self._emit("GUILD_ROLE_DELETE", {"guild_id": str(self.id), "role_id": str(role_id)})

    # members

    def add_member(self, user: Wire, *roles: int) -> Wire:
        """Let a person (or a bot) join."""
        member = wire.member(user, self.ground.clock.now(), list(roles))
        self.members[int(user["id"])] = member
        self._emit("GUILD_MEMBER_ADD", member | {"guild_id": str(self.id)})
        return member

    def edit_member(self, user_id: int, **changes: Any) -> Wire:
        """Change a member's fields."""
        member = self.members[user_id]
        member.update(changes)
        self._emit("GUILD_MEMBER_UPDATE", member | {"guild_id": str(self.id)})
        return member

    def give_role(self, user_id: int, role_id: int) -> None:
        """Give a member a role; nothing happens if they have it."""
        roles: list[str] = self.members[user_id]["roles"]
        if str(role_id) not in roles:
            self.edit_member(user_id, roles=[*roles, str(role_id)])

    def take_role(self, user_id: int, role_id: int) -> None:
        """Take a role from a member; nothing happens if they have it not."""
        roles: list[str] = self.members[user_id]["roles"]
        if str(role_id) in roles:
            self.edit_member(user_id, roles=[held for held in roles if held != str(role_id)])

    def remove_member(self, user_id: int) -> None:
        """Let a member go, by themselves or kicked; overwrites for them stay, as on Discord."""
        member = self.members.pop(user_id)
        self.voice.pop(user_id, None)
        for inside in self.thread_members.values():
            inside.pop(user_id, None)
        self._emit("GUILD_MEMBER_REMOVE", {"guild_id": str(self.id), "user": member["user"]})

    def speak(self, user_id: int, channel_id: int | None) -> None:
        """Put a member into a voice channel, or out of the one that they are in (resources/voice.mdx)."""
        state: Wire = dict.fromkeys(("deaf", "mute", "self_deaf", "self_mute", "self_video", "suppress"), False)
        state |= {"user_id": str(user_id), "session_id": f"{user_id:x}", "request_to_speak_timestamp": None}
        state |= {"channel_id": str(channel_id) if channel_id is not None else None}
        self.voice.pop(user_id, None)
        if channel_id is not None:
            self.voice[user_id] = state
        self._emit("VOICE_STATE_UPDATE", state | {"guild_id": str(self.id), "member": self.members[user_id]})

    def ban(self, user: Wire, reason: str | None = None) -> None:
        """Put somebody out for good, whether they are a member or not; nothing happens if they are banned."""
        if int(user["id"]) in self.bans:
            return
        self.bans[int(user["id"])] = {"user": user, "reason": reason}
        if int(user["id"]) in self.members:
            self.remove_member(int(user["id"]))
        self._emit("GUILD_BAN_ADD", {"guild_id": str(self.id), "user": user})

    def unban(self, user_id: int) -> None:
        """Let somebody come back who was banned."""
        user = self.bans.pop(user_id)["user"]
        self._emit("GUILD_BAN_REMOVE", {"guild_id": str(self.id), "user": user})

    # applications

    def install(self, application: Application, permissions: int) -> Wire:
        """Add an application's bot, with the role that Discord manages for it."""
        tags = {"bot_id": application.bot["id"]}
        role = self.add_role(application.name, permissions, managed=True, tags=tags)
        member = self.add_member(application.bot, int(role["id"]))
        self.applications[application.id] = application
        self.ground.emit("GUILD_CREATE", {"id": str(self.id)}, guild_id=self.id, application_id=application.id)
        return member

    def uninstall(self, application: Application) -> None:
        """Remove an application's bot and its role."""
        self.ground.emit("GUILD_DELETE", {"id": str(self.id)}, guild_id=self.id, application_id=application.id)
        del self.applications[application.id]
        self.remove_member(application.bot_id)
        for role in list(self.roles.values()):
            if role.get("tags", {}).get("bot_id") == application.bot["id"]:
                self.remove_role(int(role["id"]))

    # channels

    def add_channel(
        self,
        name: str,
        kind: int = TEXT,
        *,
        parent_id: int | None = None,
        overwrites: list[Wire] | None = None,
        **fields: Any,
    ) -> Wire:
        """Make a channel; without overwrites of its own it takes those of its category."""
        channel = wire.channel(self.ground.new_id(), self.id, name, kind, len(self.channels)) | fields
        if parent_id is not None:
            channel["parent_id"] = str(parent_id)
            overwrites = overwrites or [dict(entry) for entry in self.channels[parent_id]["permission_overwrites"]]
        channel["permission_overwrites"] = overwrites or []
        self.channels[int(channel["id"])] = channel
        self._emit("CHANNEL_CREATE", channel)
        return channel

    def edit_channel(self, channel_id: int, **changes: Any) -> Wire:
        """Change a channel's fields; channels with the overwrites of their category keep step with it."""
        channel = self.channels[channel_id]
        before = _by_target(channel["permission_overwrites"])
        channel.update(changes)
        self._emit("CHANNEL_UPDATE", channel)
        if channel["type"] == CATEGORY and "permission_overwrites" in changes:
            for child in self.channels.values():
                if child.get("parent_id") == channel["id"] and _by_target(child["permission_overwrites"]) == before:
                    copied = [dict(entry) for entry in channel["permission_overwrites"]]
                    self.edit_channel(int(child["id"]), permission_overwrites=copied)
        return channel

    def remove_channel(self, channel_id: int) -> Wire:
        """Delete a channel with its threads; channels of a deleted category stay, without one."""
        for thread in [one for one in self.threads.values() if one["parent_id"] == str(channel_id)]:
            self.remove_thread(int(thread["id"]))
        channel = self.channels.pop(channel_id)
        for child in self.channels.values():
            if child.get("parent_id") == str(channel_id):
                self.edit_channel(int(child["id"]), parent_id=None)
        self._emit("CHANNEL_DELETE", channel)
        return channel

    def set_overwrite(self, channel_id: int, target_id: int, kind: int, allow: int, deny: int) -> None:
        """Set what a role (kind 0) or a member (kind 1) may and may not do in a channel."""
        entries: list[Wire] = self.channels[channel_id]["permission_overwrites"]
        kept = [entry for entry in entries if entry["id"] != str(target_id)]
        changed = [*kept, wire.overwrite(target_id, kind, allow, deny)]
        self.edit_channel(channel_id, permission_overwrites=changed)

    def remove_overwrite(self, channel_id: int, target_id: int) -> None:
        """Remove the overwrite of a role or member from a channel."""
        entries: list[Wire] = self.channels[channel_id]["permission_overwrites"]
        kept = [entry for entry in entries if entry["id"] != str(target_id)]
        self.edit_channel(channel_id, permission_overwrites=kept)

    # threads

    def add_thread(
        self, parent_id: int, name: str, owner_id: int, kind: int, *, thread_id: int | None = None, **metadata: Any
    ) -> Wire:
        """Open a thread with its owner in it; `thread_id` is the message that it starts from, if any."""
        parent, now = self.channels[parent_id], self.ground.clock.now()
        thread = wire.thread(thread_id or self.ground.new_id(), parent, name, kind, owner_id=owner_id, at=now)
        known = thread["thread_metadata"]
        known.update({key: value for key, value in metadata.items() if key in known})
        self.threads[int(thread["id"])] = thread
        self.thread_members[int(thread["id"])] = {}
        self.join_thread(int(thread["id"]), owner_id, quietly=True)
        self._emit("THREAD_CREATE", thread | {"newly_created": True}, channel=thread)
        return thread

    def edit_thread(self, thread_id: int, **changes: Any) -> Wire:
        """Change a thread's fields."""
        thread = self.threads[thread_id]
        thread.update(changes)
        self._emit("THREAD_UPDATE", thread, channel=thread)
        return thread

    def set_archived(self, thread_id: int, *, archived: bool) -> None:
        """Archive a thread or open it again."""
        told = {"archived": archived, "archive_timestamp": wire.moment(self.ground.clock.now())}
        self.edit_thread(thread_id, thread_metadata=self.threads[thread_id]["thread_metadata"] | told)

    def archive_quiet_threads(self) -> None:
        """Archive the threads in which nothing has happened for as long as they allow."""
        now = self.ground.clock.now()
        for thread_id, thread in self.threads.items():
            known = thread["thread_metadata"]
            quiet_for = now - datetime.fromisoformat(known["archive_timestamp"])
            if thread["last_message_id"]:
                quiet_for = min(quiet_for, now - self.ground.moment_of(int(thread["last_message_id"])))
            if not known["archived"] and quiet_for >= timedelta(minutes=known["auto_archive_duration"]):
                self.set_archived(thread_id, archived=True)

    def remove_thread(self, thread_id: int) -> Wire:
        """Delete a thread."""
        thread = self.threads[thread_id]
        keys = ("id", "guild_id", "parent_id", "type")
        self._emit("THREAD_DELETE", {key: thread[key] for key in keys}, channel=thread)
        del self.threads[thread_id], self.thread_members[thread_id]
        return thread

    def join_thread(self, thread_id: int, user_id: int, *, quietly: bool = False) -> None:
        """Put a member into a thread; nothing happens if they are in it."""
        thread, inside = self.threads[thread_id], self.thread_members[thread_id]
        if user_id in inside:
            return
        inside[user_id] = wire.thread_member(thread_id, user_id, self.ground.clock.now())
        thread["member_count"] = len(inside)
        if quietly:
            return
        self._thread_members_changed(thread, added=[inside[user_id]])
        for application in self.applications.values():
            if application.bot_id == user_id:
                own = thread | {"member": inside[user_id]}
                self.ground.emit("THREAD_CREATE", own, guild_id=self.id, channel=thread, application_id=application.id)

    def leave_thread(self, thread_id: int, user_id: int) -> None:
        """Take a member out of a thread."""
        thread, inside = self.threads[thread_id], self.thread_members[thread_id]
        if user_id not in inside:
            return
        # Told before it is done: who is taken out of a private thread learns it too.
        thread["member_count"] = len(inside) - 1
        self._thread_members_changed(thread, removed=[str(user_id)])
        del inside[user_id]

    def _thread_members_changed(
        self, thread: Wire, added: list[Wire] | None = None, removed: list[str] | None = None
    ) -> None:
        payload: Wire = {"id": thread["id"], "guild_id": thread["guild_id"], "member_count": thread["member_count"]}
        if added:
            payload["added_members"] = [
                entry | {"member": self.members[int(entry["user_id"])], "presence": None} for entry in added
            ]
        if removed:
            payload["removed_member_ids"] = removed
        self._emit("THREAD_MEMBERS_UPDATE", payload, channel=thread)


def _by_target(overwrites: list[Wire]) -> dict[str, tuple[str, str]]:
    return {entry["id"]: (entry["allow"], entry["deny"]) for entry in overwrites}


def _role_order(role: Wire) -> tuple[int, int]:
    return role["position"], -int(role["id"])
