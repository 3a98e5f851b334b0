"""How much of a lobby one room, one link or one socket may take up."""

from __future__ import annotations

import msgspec

__all__ = ["LobbyLimits"]


class LobbyLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one room or one socket may take up."""

    max_rooms: int = 1000
    max_members: int = 2000
    """People in one room."""
    max_per_link: int = 500
    """Of them, those who came by one link. Many may share it, each with a phone, a tablet and several tabs; but whoever
    has a link cannot fill the room with it, and shut out those who have another."""
    spare: int = 200
    """Sockets beyond either number: of those who come back on another network while their old socket seems to live,
    and of those who are told that there is no place."""
    message_rate: float = 100.0
    """Messages per second and socket, twice that in a burst: a call begins with dozens of candidates. Of a large
    one each kibibyte counts: descriptions have several, and nobody is to be flooded with them."""
    chat_rate: float = 2.0
    """Messages to the whole room and names claimed per second and socket, five times that in a burst."""
    offer_rate: float = 2.0
    """Offers per second and socket, five times that in a burst. Whoever is in a call answers each offer of another
    with a hang-up: a flood of them would use up what that one may send, and in the end cost it its socket."""
    list_interval: float = 0.4
    """Seconds between two lists of a room, at the least."""
    list_bytes: float = 2_000_000.0
    """Bytes per second that a room's lists take, about."""
    naming: float = 60.0
    """Seconds in which a socket must claim a name."""
