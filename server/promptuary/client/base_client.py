"""What the client for threads and the one for asyncio share: how they are built, and what a fork does to them."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from promptuary.client import fork
from promptuary.client.settings import ClientOptions, build_components
from promptuary.client.telemetry import Lookup
from promptuary.client.traffic.queue import TrafficOptions, TrafficQueue
from promptuary.client.traffic.reports import TrafficReports
from promptuary.client.traffic.server import TrafficServer
from promptuary.client.transport.connection import build_tls_context

if TYPE_CHECKING:
    import httpx

BACKGROUND_LIMIT = 16
"""Requests in flight beyond which a refresh waits for the next `get`."""
Transport = TypeVar("Transport", "httpx.BaseTransport", "httpx.AsyncBaseTransport")


class BaseClient(TrafficReports, ABC, Generic[Transport]):
    """A client without its I/O. `Promptuary` describes the arguments."""

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        ttl: float = 60.0,
        deadline: float = 1.0,
        follow: bool = True,
        bundle: str | Path | None = None,
        cache_dir: str | Path | None = None,
        disk: bool = True,
        keep_on_missing: bool = False,
        breaker_failures: int = 3,
        breaker_cool_down: float = 10.0,
        on_lookup: Callable[[Lookup], object] | None = None,
        contents: bool = True,
        exit_deadline: float = 2.0,
        transport: Transport | None = None,
    ) -> None:
        options = self._options = ClientOptions(
            url=url,
            api_key=api_key,
            ttl=ttl,
            deadline=deadline,
            follow=follow,
            bundle=bundle,
            cache_dir=cache_dir,
            disk=disk,
            keep_on_missing=keep_on_missing,
            breaker_failures=breaker_failures,
            breaker_cool_down=breaker_cool_down,
            on_lookup=on_lookup,
            contents=contents,
            exit_deadline=exit_deadline,
        )
        self._clock = time.monotonic
        self._components = build_components(options, self._clock)
        self._core = self._components.core
        self._fresh_prompt = self._core.fresh_prompt
        self._tls = build_tls_context(self._components.endpoint)
        self._transport: Transport | None = transport
        self._inherited: Mapping[str, object] = {}
        self._traffic = self._begin_traffic(is_closed=False)
        self._begin()
        fork.register(self)

    @property
    def following(self) -> bool:
        """Whether the server reports changes to this client now, so that no answer is renewed when its `ttl` is over."""
        return self._core.following is not None and self._core.following.live

    def after_fork(self) -> None:
        """Replace the parent's connections, locks, threads and tasks, in the child.

        The old ones stay referenced: closing them would end connections that the parent still uses.
        """
        self._core.after_fork()
        if self._components.disk is not None:
            self._components.disk.after_fork()
        self._inherited = dict(vars(self))
        self._traffic = self._begin_traffic(is_closed=self._traffic.is_closed)
        self._begin()

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what builds the same client in another process: its settings, as they were given.

        Memory and connections are not part of it. A URL and a key from the environment are read again there, so that a pickle
        contains a key only if the application passed one.

        Raises:
            TypeError: for a client with a transport, which belongs to its process.
        """
        if self._transport is not None:
            raise TypeError("a client with a transport cannot be pickled: build it in the other process")
        return partial(type(self), **vars(self._options)), ()

    def __repr__(self) -> str:
        """Return a text that names the server, without the key."""
        return f"<{type(self).__name__} at {self._components}>"

    def _begin_traffic(self, *, is_closed: bool) -> TrafficQueue:
        """Build the queue of this process's reports."""
        options = TrafficOptions(contents=self._options.contents, exit_deadline=self._options.exit_deadline)
        server = TrafficServer(self._components.endpoint, self._tls, self._transport)
        return TrafficQueue(options, server, self._clock, is_closed=is_closed)

    @abstractmethod
    def _begin(self) -> None:
        """Build what belongs to one process; called again after a fork."""
