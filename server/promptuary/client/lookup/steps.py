"""The steps of a lookup, which the core yields and a client carries out, and what is sent back to the core."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from promptuary.client.lookup.entry import CacheEntry, PendingFetch
from promptuary.client.prompt import Prompt
from promptuary.client.transport.wire import FetchFailure, ServerRefusal
from promptuary.client.versions.selector import Selector
from promptuary.client.versions.version import ResolvedVersion

FetchResult = CacheEntry | ServerRefusal | FetchFailure


@dataclass(frozen=True)
class FetchStep:
    """Ask the server, or wait for a request in flight with the same key. Send back a `FetchResult` within `seconds`.

    Where half of the time is over without a result, begin to read the disk, so that its copy is there in time.
    """

    fetch: PendingFetch
    seconds: float


@dataclass(frozen=True)
class RefreshStep:
    """Ask the server in the background, unless a request with the same key is in flight. Nothing is sent back."""

    fetch: PendingFetch


@dataclass(frozen=True)
class ReadDiskStep:
    """Read the last copy from the disk. Send back a `DiskCopy` within `seconds`, or None."""

    selector: Selector
    seconds: float


@dataclass(frozen=True)
class DiskCopy:
    """A copy from the disk: the version, its ETag, and how many seconds ago a server confirmed it."""

    version: ResolvedVersion
    etag: str | None
    age: float


@dataclass(frozen=True)
class Refetch:
    """A response that an event overtook is to be requested again, after so many seconds."""

    delay: float
    selector: Selector
    attempt: int


@dataclass(frozen=True)
class CallFallbackStep:
    """Call the application's fallback. Send back what it returned, or the exception that it raised."""

    call: Callable[[], Any]


LookupStep = FetchStep | RefreshStep | ReadDiskStep | CallFallbackStep
LookupSteps = Generator[LookupStep, Any, Prompt]
