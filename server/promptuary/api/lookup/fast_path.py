"""The lookup's fast path, plain ASGI in front of FastAPI: key known, answer encoded, both in memory and both confirmed.

Each request asks `base.changes` whether anything has changed, so what is answered is never older than the last acknowledged
write of any process. What memory lacks is read once in a thread, whoever else asks for it meanwhile. Everything unusual, and
everything that fails, is left to FastAPI's way (`registry.routes.look_up`): it answers the same bytes, or says what is wrong.

Where the database does not answer, what memory holds is answered all the same: lookups stay up, as old as the outage at most.
A key is then taken as long as it is not known to have ended, and its project's keys are not known to have changed.
"""

import asyncio
import hashlib
import time
from dataclasses import dataclass

import anyio
import structlog
from anyio import to_thread

from promptuary.access.unit_of_work import Caller
from promptuary.api.asgi import HostAllowList, RequestIds, Scope, Send
from promptuary.api.lookup.reader import READERS, LookupReader
from promptuary.api.lookup.request import LookupRequest, parse_lookup_request
from promptuary.api.lookup.response_cache import CachedResponse, ResponseCache, build_cached_response
from promptuary.api.services import Services
from promptuary.core.change_feed import ProjectRevisions
from promptuary.core.errors import PromptuaryError, Unavailable
from promptuary.prompt.name import is_name

log = structlog.get_logger(__name__)
KEY_LIMIT = 4096
SLOW_SECONDS = 0.1
CHANGES_TIMEOUT_SECONDS = 1.0
CHANGES_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _CachedKey:
    """Who holds a key, as of a count of its project's changes of keys."""

    caller: Caller
    access_revision: int


@dataclass(slots=True)
class LookupCounts:
    """How many lookups were answered here: from memory, or read first."""

    remembered: int = 0
    read: int = 0


class LookupFastPath:
    """Answers the lookups that it can; see the module's docstring. It belongs to one event loop."""

    def __init__(self, parts: Services, ids: RequestIds, hosts: HostAllowList) -> None:
        """Keep the parts; nothing is opened before the first lookup."""
        self.counts = LookupCounts()
        self.answers = ResponseCache(parts.settings.lookup_memory)
        self._ids = ids
        self._hosts = hosts
        self._changes = parts.changes
        self._clock = parts.clock
        self._reader = LookupReader(parts)
        # By the SHA-256 of the header (0.6 µs), so that memory holds no key in clear for longer than its request.
        self._keys: dict[bytes, _CachedKey] = {}
        self._going: dict[object, anyio.Event] = {}
        self._threads = anyio.CapacityLimiter(READERS - 1)
        self._thread_ahead, self._thread_beside = anyio.CapacityLimiter(1), anyio.CapacityLimiter(1)
        self._ahead: set[tuple[int, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._pause_until = 0.0
        self._logs_all = parts.settings.log_level == "DEBUG"

    async def __call__(self, scope: Scope, send: Send) -> bool:
        """Answer a request, if it is a lookup that can be answered here; False leaves it untouched to FastAPI."""
        question = parse_lookup_request(scope, self._hosts)
        if question is None:
            return False
        digest = hashlib.sha256(question.authorization).digest()
        found, started = self._remembered(question, digest), None
        if found is not None:
            self.counts.remembered += 1
        else:
            started = time.perf_counter()
            found = await self._read(question, digest)
            if found is None:
                return False
            self.counts.read += 1
        request_id = self._ids()
        condition = question.if_none_match
        if condition is not None and found.answer.is_held(condition.decode("latin-1")):
            status, headers, body = 304, found.unchanged, b""
        else:
            status, headers, body = 200, found.found, found.answer.body
        headers = [*headers, (b"x-request-id", request_id.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        if self._logs_all or started is not None:
            self._log(request_id, scope["path"], status, started)
        return True

    async def stop(self) -> None:
        """End what is read ahead; a thread that reads is waited for."""
        self._stopping = True
        await asyncio.gather(*self._tasks)

    def close(self) -> None:
        """Close the connections."""
        self._reader.close()

    def _log(self, request_id: str, path: str, status: int, started: float | None) -> None:
        """Log a lookup that took its time as any request, others only where everything is logged."""
        seconds = 0.0 if started is None else time.perf_counter() - started
        if self._logs_all or seconds > SLOW_SECONDS:
            say = log.info if seconds > SLOW_SECONDS else log.debug
            milliseconds = round(seconds * 1000, 1)
            say("request", request=request_id, method="GET", path=path, status=status, milliseconds=milliseconds)

    # --- memory ---------------------------------------------------------------------------------------------------------

    def _remembered(self, question: LookupRequest, digest: bytes) -> CachedResponse | None:
        """Give the answer if key and answer are in memory, and nothing has changed that could concern them."""
        key = self._keys.get(digest)
        if key is None:
            return None
        project = key.caller.project
        counters = self._changes.now(project)
        if counters is None or not self._is_live(key, counters) or self._is_behind(project, counters):
            return None
        return self.answers.get(project, question)

    def _is_live(self, key: _CachedKey, counters: ProjectRevisions) -> bool:
        ends = key.caller.expires_at
        return key.access_revision == counters.access_revision and (ends is None or self._clock() < ends)

    def _is_behind(self, project: int, counters: ProjectRevisions) -> bool:
        """Tell whether changes are to be taken in first; not for a while after the database has not told which."""
        taken_in = self.answers.revision(project)
        return taken_in not in (None, counters.revision) and time.monotonic() >= self._pause_until

    # --- what memory lacks ----------------------------------------------------------------------------------------------

    async def _read(self, question: LookupRequest, digest: bytes) -> CachedResponse | None:
        """Take changes in, then look again, then read; None where FastAPI is to answer."""
        if not is_name(question.name):
            return None
        key, caller = self._keys.get(digest), None
        counters = self._changes.now(key.caller.project) if key else None
        if key is not None and counters is not None and self._is_live(key, counters):
            caller = key.caller
            await self._take_in(caller.project, counters)
            found = self._remembered(question, digest)
            if found is not None:
                return found
        asked = (caller.project if caller else digest, question.name, question.wanted)
        going = self._going.get(asked)
        if going is not None:
            await going.wait()
            return self._remembered(question, digest)
        done = self._going[asked] = anyio.Event()
        try:
            return await self._read_now(question, digest, caller)
        except Exception:  # FastAPI's way comes upon the same, and says what is wrong
            if caller is None:
                self._keys.pop(digest, None)
            return None
        finally:
            del self._going[asked]
            done.set()

    async def _read_now(self, question: LookupRequest, digest: bytes, known: Caller | None) -> CachedResponse:
        threads = self._thread_beside if self._tasks else self._threads  # what is read ahead serves all who wait here
        caller, counters, read = await to_thread.run_sync(self._reader.read, question, known, limiter=threads)
        self._changes.hear(caller.project, counters)
        self._keys[digest] = _CachedKey(caller, counters.access_revision)
        if len(self._keys) > KEY_LIMIT:
            del self._keys[next(iter(self._keys))]
        found = build_cached_response(read.answer, counters.revision)
        self.answers.keep(caller.project, question.name, question.wanted, found, read.split, read.version)
        if question.label is not None and (caller.project, question.label) not in self._ahead:
            self._ahead.add((caller.project, question.label))
            task = asyncio.create_task(self._read_ahead(caller, question.label))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return found

    async def _read_ahead(self, caller: Caller, label: str) -> None:
        """Read what a label gives for every prompt of the project, while half of the memory lasts: a start is soon over."""
        after = None
        while self.answers.bytes < self.answers.limit / 2 and not self._stopping:
            try:
                counters, batch = await to_thread.run_sync(self._reader.ahead, caller, label, after, limiter=self._thread_ahead)
            except Exception as error:  # also one of ours: reading one by one is no worse than before
                log.warning("answers are not read ahead, only one by one", label=label, error=str(error))
                return
            for read in batch:
                found = build_cached_response(read.answer, counters.revision)
                self.answers.keep(caller.project, read.name, label, found, read.split, read.version)
            if not batch:
                return
            after = batch[-1].name

    async def _take_in(self, project: int, counters: ProjectRevisions) -> None:
        """Drop what has changed; where the database does not tell what that is, leave it all for a while."""
        if not self._is_behind(project, counters):
            return
        going = self._going.get(project)
        if going is not None:
            await going.wait()
            return
        done = self._going[project] = anyio.Event()
        try:
            with anyio.move_on_after(CHANGES_TIMEOUT_SECONDS) as patience:
                since = self.answers.revision(project) or 0
                read, changed = await to_thread.run_sync(
                    self._reader.changed, project, since, limiter=self._threads, abandon_on_cancel=True
                )
                self._changes.hear(project, read)
                self.answers.take_in(project, read.revision, changed)
                if changed is None:
                    self._ahead = {place for place in self._ahead if place[0] != project}
            if patience.cancelled_caught:
                raise Unavailable(f"no answer for {CHANGES_TIMEOUT_SECONDS} s")
        except PromptuaryError as error:
            self._pause_until = time.monotonic() + CHANGES_PAUSE_SECONDS
            log.warning("changes cannot be read; what memory holds is answered", error=error.message)
        finally:
            del self._going[project]
            done.set()
