"""Notification of clients after a fork: connections, locks and threads belong to one process, so a child makes its own."""

import os
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """Something that must know of a fork."""

    def after_fork(self) -> None:
        """Replace what belongs to the parent process."""


_clients: WeakSet[Forkable] = WeakSet()


def register(client: Forkable) -> None:
    """Register a client to be notified after every fork, in the child, for as long as the client lives."""
    _clients.add(client)


def _notify_all() -> None:
    for client in list(_clients):
        client.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_notify_all)
