"""The limits of connections, and how many of them the process's file descriptors allow."""

import resource
from dataclasses import dataclass, replace

REFUSAL_ROOM = 32
"""The connections beyond the limit that are open at once while they receive their refusal."""
RESERVED_DESCRIPTORS = 128
"""The file descriptors that are reserved for databases, logs, models and refusals."""
LEAST_CONNECTIONS = 16
_DESCRIPTORS = 65_536


@dataclass(frozen=True)
class ConnectionLimits:
    """What connections may send, and how long they may take.

    Attributes:
        header_bytes: of a request line with its header, in all; of trailers and of one chunk's extensions, too.
        header_count: header fields of a request.
        header_seconds: until a request's header is complete, from its first byte or from the connection's begin.
        body_seconds: until a request's body is complete; each 4 KiB of it adds a second.
        keep_alive_seconds: between a response and the next request.
        send_seconds: until a client has read a response; each 4 KiB of it adds a second.
        connections: open at once.
    """

    header_bytes: int = 64 * 1024
    header_count: int = 100
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    keep_alive_seconds: float = 30.0
    send_seconds: float = 30.0
    connections: int = 2000

    def within_descriptors(self) -> "ConnectionLimits":
        """Return the limits with no more connections than this process may have file descriptors for."""
        return replace(
            self, connections=min(self.connections, max(LEAST_CONNECTIONS, descriptor_limit() - RESERVED_DESCRIPTORS))
        )


def raise_descriptor_limit() -> None:
    """Raise the soft limit of file descriptors to the hard one; many systems start processes with a soft limit of 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    raised = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < raised:
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))


def descriptor_limit(*, hard: bool = False) -> int:
    """Return how many file descriptors this process may have; with `hard`, how many it may raise that to."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[int(hard)]
    return _DESCRIPTORS if limit == resource.RLIM_INFINITY else limit
