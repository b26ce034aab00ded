"""The client's core on a stage: a shell without I/O, a clock moved by hand, and a registry that answers as the server does."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from client.loopback_server import lookup_body
from promptuary.client import Prompt, Reason
from promptuary.client.bundle import Bundle
from promptuary.client.lookup.core import LookupCore, LookupPolicy
from promptuary.client.lookup.entry import PendingFetch
from promptuary.client.lookup.steps import DiskCopy, FetchStep, ReadDiskStep, RefreshStep
from promptuary.client.stream.change_stream import StreamAttempt
from promptuary.client.transport.wire import (
    FetchFailure,
    FetchOutcome,
    HttpResponse,
    NotModified,
    ReceivedVersion,
    StreamEnd,
    read_lookup_response,
)
from promptuary.client.versions.selector import Selector
from promptuary.client.versions.version import read_version
from promptuary.prompt.split import Split, divide

TRIAGE = "support.triage"
DOWN = FetchFailure(Reason.CONNECTION, "the server cannot be reached (ConnectError)")


def received(version: int = 1, split: Split | None = None, revision: int | None = None) -> ReceivedVersion:
    """Return the server's response for a version, whose text contains its number."""
    variant = None if split is None else f"v{version}"
    rule = None if split is None else split.as_json()
    body = lookup_body(f"{version}: {{{{ticket}}}}", version=version, variant=variant, split=rule, revision=revision)
    return ReceivedVersion(read_version(body, TRIAGE), f'"{version}"', b"{}")


def sse(kind: str, revision: int, **data: Any) -> bytes:
    """Return an event as the server sends it."""
    body = json.dumps({"revision": revision, **data})
    return f"id: {revision}\nevent: {kind}\ndata: {body}\n\n".encode()


def ready(revision: int, *, resumed: bool = True) -> bytes:
    """Return the first event of a stream."""
    return b"retry: 1000\n\n" + sse("ready", revision, resumed=resumed)


ALIVE = b": alive\n\n"


class FakeRegistry:
    """One prompt's labels, and the answers that a server gives for them; `revision` counts what happened."""

    def __init__(self) -> None:
        self.labels: dict[str, int | Split] = {}
        self.revision = 0
        self.events: list[tuple[int, bytes]] = []
        self.label_moved("production", 1)

    def label_moved(self, label: str, to: int | list[tuple[int, float]]) -> int:
        """Move a label to a version or split it, and return the event's revision."""
        self.revision += 1
        before = self.labels.get(label)
        self.labels[label] = to if isinstance(to, int) else divide(f"{TRIAGE}/{label}", to, before)
        self.events.append((self.revision, sse("label.moved", self.revision, prompt=TRIAGE, label=label)))
        return self.revision

    def stream(self, last: int | None, *, remembers: bool = True) -> list[bytes]:
        """Return the first events of a new stream: `ready`, and the events since the last one."""
        if last is None or not remembers:
            return [ready(self.revision, resumed=last is None)]
        return [ready(self.revision), *(event for revision, event in self.events if revision > last)]

    def version_for(self, label: str, targeting_key: str | None) -> int:
        """Return the version that a label selects for a key, as the server computes it."""
        aim = self.labels[label]
        return aim if isinstance(aim, int) else aim.arm(targeting_key).version

    def look_up(self, selector: Selector) -> HttpResponse:
        """Answer a lookup."""
        if selector.label is not None and selector.label not in self.labels:
            return HttpResponse(404, {}, b'{"code": "not_found"}')
        aim = None if selector.label is None else self.labels[selector.label]
        number = selector.version or self.version_for(str(selector.label), selector.targeting_key)
        split = aim if isinstance(aim, Split) else None
        body = lookup_body(
            f"{number}: {{{{ticket}}}}",
            version=number,
            label=selector.label,
            variant=None if split is None else f"v{number}",
            split=None if split is None else split.as_json(),
            revision=self.revision,
        )
        data = json.dumps(body).encode()
        return HttpResponse(200, {"etag": f'"{hashlib.sha256(data).hexdigest()}"'}, data)

    def outcome(self, selector: Selector, etag: str | None) -> FetchOutcome:
        """Return what a lookup with this ETag brings, as the client reads it off the wire."""
        response = self.look_up(selector)
        return (
            NotModified() if etag and etag == response.headers.get("etag") else read_lookup_response(response, selector, etag)
        )


class CoreDriver:
    """Drives the core as the real clients do, without I/O. The server's outcomes come from `respond` or from a registry."""

    def __init__(
        self,
        policy: LookupPolicy | None = None,
        bundle: Bundle | None = None,
        disk_copy: DiskCopy | None = None,
        registry: FakeRegistry | None = None,
        **options: Any,
    ) -> None:
        self.now = 1000.0
        self.warnings: list[str] = []
        self.core = LookupCore(policy or LookupPolicy(), bundle, lambda: self.now, self.warnings.append, **options)
        self.respond: Callable[[], FetchOutcome] = lambda: DOWN
        self.registry = registry
        self.requests: list[tuple[Selector, str | None]] = []
        self.disk_copy = disk_copy
        self.steps: list[type] = []
        self.attempt = StreamAttempt(0, None)

    def get(self, name: str = TRIAGE, *, fallback: Any = None, **arguments: Any) -> Prompt:
        label, version, key = arguments.get("label"), arguments.get("version"), arguments.get("targeting_key")
        max_age = arguments.get("max_age")
        prompt = self.core.fresh_prompt(name, label, version, key) if max_age is None else None
        if prompt is not None:
            return prompt
        steps, reply = self.core.lookup(name, label, version, key, fallback, max_age), None
        try:
            while True:
                step = steps.send(reply)
                self.steps.append(type(step))
                reply = None
                if isinstance(step, FetchStep):
                    reply = self.fetch(step.fetch)
                elif isinstance(step, RefreshStep):
                    self.fetch(step.fetch)
                else:
                    assert isinstance(step, ReadDiskStep)
                    reply = self.disk_copy
        except StopIteration as end:
            return end.value

    def fetch(self, fetch: PendingFetch) -> Any:
        failure = self.core.refusal()
        if failure is not None:
            return failure
        return self.core.settle(fetch, self.outcome(fetch))

    def outcome(self, fetch: PendingFetch) -> FetchOutcome:
        """Make the server answer now; the outcome may be settled later."""
        etag = fetch.entry.etag if fetch.entry else None
        self.requests.append((fetch.selector, etag))
        return self.respond() if self.registry is None else self.registry.outcome(fetch.selector, etag)

    def connect(self) -> int | None:
        """Begin a connection of the stream; return the id after which the server is to resume."""
        assert self.core.following is not None
        self.attempt = self.core.following.begin()
        return self.attempt.resume_after

    def disconnect(self, end: StreamEnd) -> float:
        """End the connection of the stream; return the seconds to wait before the next."""
        return self.core.on_stream_end(self.attempt, end)

    def receive(self, *chunks: bytes) -> list[Selector]:
        """Receive bytes of the stream and confirm what they invalidate; return what was requested."""
        before = len(self.requests)
        for chunk in chunks:
            for selector in self.core.on_stream_chunk(self.attempt, chunk):
                fetch = self.core.confirmation(selector)
                if fetch is not None:
                    self.fetch(fetch)
        return [selector for selector, _ in self.requests[before:]]
