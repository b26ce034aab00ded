"""What a fork may not hand down: connections, locks and threads. A child makes its own."""

import os
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """Something that a fork must be told of."""

    def after_fork(self) -> None:
        """Let go of what belongs to the parent process."""


_living: WeakSet[Forkable] = WeakSet()


def remember(client: Forkable) -> None:
    """Have the client told after every fork, in the child, as long as it lives."""
    _living.add(client)


def _tell_all() -> None:
    for client in list(_living):
        client.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_tell_all)
