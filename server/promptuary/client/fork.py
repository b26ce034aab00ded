"""What a fork may not hand down: connections, locks and threads. A child makes its own."""

import os
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """Something that a fork must be told of."""

    def after_fork(self) -> None:
        """Let go of what belongs to the parent process."""


_clients: WeakSet[Forkable] = WeakSet()


def register(client: Forkable) -> None:
    """Have the client told after every fork, in the child, as long as it lives."""
    _clients.add(client)


def _notify_all() -> None:
    for client in list(_clients):
        client.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_notify_all)
