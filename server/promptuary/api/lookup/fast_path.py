"""The lookup's fast path: parse, find key and response in memory, confirm both against the change feed, send the bytes.

Each request checks the change feed, so a response is never older than the last acknowledged
write of any process. What memory lacks is read in a thread, once for all requests that wait for it. Everything unusual, and
everything that fails, goes to FastAPI's route (`registry.routes.look_up`), which answers the same bytes or an error.

While the database does not answer, lookups are still answered from memory, with responses that are at most as old as the
outage. A key is then valid while it is not known to have ended, and no key of its project is known to have changed.
"""

import time
from dataclasses import dataclass, field

import anyio
import structlog
from anyio import to_thread

from promptuary.api.asgi import Scope, Send
from promptuary.api.lookup.change_tracker import ChangeTracker
from promptuary.api.lookup.key_cache import CachedKey, KeyCache
from promptuary.api.lookup.prefetcher import Prefetcher
from promptuary.api.lookup.reader import READERS, LookupReader
from promptuary.api.lookup.request import LookupRequest, parse_lookup_request
from promptuary.api.lookup.response_cache import CachedResponse, ResponseCache
from promptuary.api.lookup.services import LookupServices
from promptuary.core.errors import NotAuthenticated
from promptuary.http_server.scope import trust_connection
from promptuary.prompt.name import is_name

log = structlog.get_logger(__name__)
SLOW_SECONDS = 0.1


@dataclass(slots=True)
class LookupCounts:
    """How many lookups were answered by the fast path: from memory, or after a read from the database; and of which version.

    `by_version` has the project's number, the prompt's name and the version's number as a key. Only existing versions are
    answered, so that it is as bounded as the registry is.
    """

    from_memory: int = 0
    from_database: int = 0
    by_version: dict[tuple[int, str, int], int] = field(default_factory=dict)

    def count(self, project: int, name: str, version: int) -> None:
        """Count a lookup of a version."""
        key = (project, name, version)
        self.by_version[key] = self.by_version.get(key, 0) + 1


class LookupFastPath:
    """Answers plain lookups; see the module's docstring. It belongs to one event loop."""

    def __init__(self, services: LookupServices) -> None:
        """Keep the services; nothing is opened before the first lookup."""
        self.counts = LookupCounts()
        self.keys = KeyCache()
        self.responses = ResponseCache(services.settings.lookup_memory)
        self.reader = LookupReader(services.database, services.clock, services.settings)
        self.prefetcher = Prefetcher(self.reader, self.responses)
        self._threads = anyio.CapacityLimiter(READERS - 1)
        self._thread_beside_prefetcher = anyio.CapacityLimiter(1)
        self._change_feed = services.change_feed
        self.changes = ChangeTracker(
            self._change_feed, self.reader, self.responses, self._threads, on_cleared=self.prefetcher.forget
        )
        self._clock = services.clock
        self._hosts = services.hosts
        self._request_ids = services.request_ids
        self._rate_limits = services.rate_limits
        self._limits_lookups = services.rate_limits.limits_lookups
        self._reads: dict[object, anyio.Event] = {}
        self.logs_all = services.settings.log_level == "DEBUG"

    async def __call__(self, scope: Scope, send: Send) -> bool:
        """Answer a request, if it is a plain lookup; False leaves it untouched for FastAPI."""
        request = parse_lookup_request(scope, self._hosts)
        if request is None:
            return False
        started_at = None
        key_digest = KeyCache.digest(request.authorization)
        if self._limits_lookups and self._is_over_limit(key_digest):
            return False  # FastAPI's route refuses it
        cached = self._find_in_memory(request, key_digest)
        if cached is not None:
            self.counts.from_memory += 1
        else:
            if key_digest not in self.keys and self._rate_limits.is_suspicious(_address(scope)):
                return False  # FastAPI's route counts wrong keys
            started_at = time.perf_counter()
            cached = await self._read(request, key_digest)
            if cached is None:
                return False
            self.counts.from_database += 1
        self._count(key_digest, request.name, cached.version)
        trust_connection(scope)
        request_id = self._request_ids()
        status = await _send(cached, request.if_none_match, request_id, send)
        if self.logs_all or started_at is not None:
            self._log(request_id, scope["path"], status, started_at)
        return True

    def _is_over_limit(self, key_digest: bytes) -> bool:
        """Return whether a known key may have no further lookup now."""
        key = self.keys.get(key_digest)
        return key is not None and not self._rate_limits.allows_lookup(key.caller.credential_id)

    def _count(self, key_digest: bytes, name: str, version: int) -> None:
        """Count a lookup that is answered here; FastAPI's route counts those that it answers."""
        key = self.keys.get(key_digest)
        if key is None:
            return
        self.counts.count(key.caller.project, name, version)
        if self._limits_lookups:
            self._rate_limits.take_lookup(key.caller.credential_id)

    def _find_in_memory(self, request: LookupRequest, key_digest: bytes) -> CachedResponse | None:
        """Return the response if key and response are in memory, and nothing has changed that could concern them."""
        key = self.keys.get(key_digest)
        if key is None:
            return None
        project = key.caller.project
        revisions = self._change_feed.revisions(project)
        if revisions is None or not key.is_valid(revisions.access_revision, self._clock):
            return None
        if self.changes.is_behind(project, revisions):
            return None
        return self.responses.get(project, request)

    async def _read(self, request: LookupRequest, key_digest: bytes) -> CachedResponse | None:
        """Apply changes, look into memory again, then read from the database; None leaves the request to FastAPI."""
        if not is_name(request.name):
            return None
        key = await self._catch_up(key_digest)
        if key is not None:
            cached = self._find_in_memory(request, key_digest)
            if cached is not None:
                return cached
            if request.label is not None and await self.prefetcher.wait_for(key.caller.project, request.label, request.name):
                cached = self._find_in_memory(request, key_digest)
                if cached is not None:
                    return cached
        read_key = (key.caller.project if key else key_digest, request.name, request.selector)
        read = self._reads.get(read_key)
        if read is not None:
            await read.wait()
            return self._find_in_memory(request, key_digest)
        done = self._reads[read_key] = anyio.Event()
        try:
            return await self._read_from_database(request, key_digest, key)
        except Exception as error:  # FastAPI's route raises the same error, and returns it as a problem response
            if key is None or isinstance(error, NotAuthenticated):
                self.keys.discard(key_digest)
            return None
        finally:
            del self._reads[read_key]
            done.set()

    async def _catch_up(self, key_digest: bytes) -> CachedKey | None:
        """Return a valid cached key after its project's changes are applied; None where there is no such key."""
        key = self.keys.get(key_digest)
        if key is None:
            return None
        revisions = self._change_feed.revisions(key.caller.project)
        if revisions is None or not key.is_valid(revisions.access_revision, self._clock):
            return None
        await self.changes.catch_up(key.caller.project, revisions)
        return key

    async def _read_from_database(self, request: LookupRequest, key_digest: bytes, key: CachedKey | None) -> CachedResponse:
        threads = self._thread_beside_prefetcher if self.prefetcher.running else self._threads
        lookup = await to_thread.run_sync(self.reader.read, request, key, limiter=threads)
        self._change_feed.observe(lookup.caller.project, lookup.revisions)
        self.keys.put(key_digest, CachedKey(lookup.caller, lookup.revisions.access_revision))
        self.responses.put(lookup.entry)
        if request.label is not None:
            self.prefetcher.start(lookup.caller, request.label)
        return lookup.entry.response

    def _log(self, request_id: str, path: str, status: int, started_at: float | None) -> None:
        """Log a slow lookup like any request, others only where everything is logged."""
        seconds = 0.0 if started_at is None else time.perf_counter() - started_at
        is_slow = seconds > SLOW_SECONDS
        if self.logs_all or is_slow:
            write = log.info if is_slow else log.debug
            milliseconds = round(seconds * 1000, 1)
            write("request", request=request_id, method="GET", path=path, status=status, milliseconds=milliseconds)

    async def stop(self) -> None:
        """End prefetching; a thread that reads is waited for."""
        await self.prefetcher.stop()

    def close(self) -> None:
        """Close the connections."""
        self.reader.close()


def _address(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None


async def _send(cached: CachedResponse, if_none_match: bytes | None, request_id: str, send: Send) -> int:
    """Send the response, or a 304 where the client has it already; return the status."""
    if if_none_match is not None and cached.response.matches(if_none_match.decode("latin-1")):
        status, headers, body = 304, cached.not_modified_headers, b""
    else:
        status, headers, body = 200, cached.headers, cached.response.body
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"x-request-id", request_id.encode())]})
    await send({"type": "http.response.body", "body": body})
    return status
