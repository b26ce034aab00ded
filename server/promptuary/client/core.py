"""The client's decisions, without I/O and without a clock of its own: which tier answers, and when the server is asked.

A lookup is a generator of steps. A shell (`sync`, `aio`) takes each step and sends back what came of it; so the order of the
tiers is written once. Everything here may be called from several threads.
"""

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

from promptuary.client.breaker import Breaker
from promptuary.client.bundle import Bundle
from promptuary.client.errors import PromptUnavailable, Reason
from promptuary.client.prompt import Prompt, Source
from promptuary.client.version import Version, fallback_version
from promptuary.client.wire import LATE, Failure, Outcome, Received, Refusal, Selector, Unchanged
from promptuary.prompt.errors import Invalid
from promptuary.prompt.name import is_name

DEFAULT_LABEL = "production"
SERVER_SHARE = 0.95
"""How much of the deadline the server may use up; the rest is for the disk and the bundle."""
Fallback = str | list[dict[str, Any]] | None


@dataclass(frozen=True)
class Policy:
    """How long things may take and how long they last, in seconds, and how many failures open the circuit."""

    ttl: float = 60.0
    deadline: float = 1.0
    failures: int = 3
    cool_down: float = 10.0
    entries: int = 10_000


@dataclass(frozen=True, slots=True)
class Entry:
    """What memory holds for a selector. A refresh makes a new entry."""

    selector: Selector
    version: Version
    etag: str | None
    prompt: Prompt
    fresh_until: float
    retry_at: float


@dataclass(frozen=True)
class Stored:
    """What the disk held: the version, its ETag, and how many seconds ago a server confirmed it."""

    version: Version
    etag: str | None
    age: float


@dataclass(frozen=True)
class Ask:
    """Step: ask the server, or wait for whoever is asking it the same. Send back what `settle` gave, or a failure."""

    selector: Selector
    seconds: float


@dataclass(frozen=True)
class Refresh:
    """Step: ask the server in the background, unless that is under way. Nothing is sent back."""

    selector: Selector
    entry: Entry


@dataclass(frozen=True)
class ReadDisk:
    """Step: read the last known good. Send back what was stored, or None."""

    selector: Selector


Step = Ask | Refresh | ReadDisk
Settled = Entry | Refusal | Failure
Steps = Generator[Step, Any, Prompt]


class Core:
    """Memory, the breaker, and the order of the tiers."""

    def __init__(self, policy: Policy, bundle: Bundle | None, clock: Callable[[], float], tell: Callable[[str], None]) -> None:
        """Take the clock (monotonic, in seconds) and where to tell what an operator should know."""
        self.policy = policy
        self._bundle = bundle
        self._clock = clock
        self._tell = tell
        self._breaker = Breaker(policy.failures, policy.cool_down)
        self._entries: dict[tuple[str, str | None, int | None, str | None], Entry] = {}
        self._last: dict[tuple[str, str | None, int | None, str | None], Entry] = {}
        self._told: set[tuple[Selector, str]] = set()
        self._lock = threading.Lock()

    def after_fork(self) -> None:
        """Take a new lock: the old one may be held by a thread that this process does not have."""
        self._lock = threading.Lock()

    def fresh(self, name: str, label: str | None, version: int | None, targeting_key: str | None) -> Prompt | None:
        """Give what memory holds, if the server need not be asked. This is the whole way of a warm `get`."""
        if label is None and version is None:
            label = DEFAULT_LABEL
        entry = self._entries.get((name, label, version, targeting_key))
        if entry is None and targeting_key is not None:
            entry = self._unsplit(name, label, version)
        return entry.prompt if entry is not None and self._clock() < entry.fresh_until else None

    def entry(self, selector: Selector) -> Entry | None:
        """Give what memory holds for the selector, fresh or not."""
        entry = self._entries.get(selector)
        return self._unsplit(*selector[:3]) if entry is None and selector.targeting_key is not None else entry

    def _unsplit(self, name: str, label: str | None, version: int | None) -> Entry | None:
        """Give the one entry that stands for all targeting keys, as long as the label is not split."""
        entry = self._entries.get((name, label, version, None))
        return entry if entry is not None and entry.version.variant is None else None

    def lookup(self, name: str, label: str | None, version: int | None, targeting_key: str | None, fallback: Fallback) -> Steps:
        """Go through the tiers: memory, server, other memory, disk, bundle, fallback.

        Raises:
            Invalid: for a name, a label or a version that cannot be one, or for both of the last.
            InvalidPrompt: for a fallback that does not parse.
            Refused: when the server said no, and there is no fallback.
            PromptUnavailable: when no tier has it.
        """
        selector = select(name, label, version, targeting_key)
        entry = self.entry(selector)
        if entry is not None:
            if entry.fresh_until <= self._clock() and entry.retry_at <= self._clock():
                yield Refresh(selector, entry)
            return entry.prompt
        spare = None if fallback is None else fallback_version(name, fallback)
        settled: Settled = yield Ask(selector, self.policy.deadline * SERVER_SHARE)
        if isinstance(settled, Entry):
            prompt = settled.prompt
            return prompt.seen_as(Source.SERVER) if prompt.source is Source.MEMORY else prompt
        why = settled.detail if isinstance(settled, Failure) else settled.error.message
        found = self._last.get(selector.untargeted())
        if found is None and isinstance(settled, Failure):
            stored: Stored | None = yield ReadDisk(selector)
            found = self._without_server(selector, stored)
        if found is not None:
            self._tell_once(selector, f"{why}; going on with what came from {found.prompt.source}")
            return found.prompt
        if spare is not None:
            self._tell_once(selector, f"{why}; going on with the fallback")
            return Prompt(spare, Source.FALLBACK, None, self.policy.ttl, self._clock)
        if isinstance(settled, Refusal):
            raise settled.error
        raise PromptUnavailable(f"{selector}: {why}; no copy, bundle or fallback has it", settled.reason)

    def _without_server(self, selector: Selector, stored: Stored | None) -> Entry | None:
        """Keep what the disk or else the bundle has, to be confirmed by the server as soon as it answers."""
        if stored is not None:
            return self._hold(selector, stored.version, stored.etag, Source.DISK, self._clock() - stored.age)
        version = self._bundle.find(selector) if self._bundle else None
        return None if version is None else self._hold(selector, version, None, Source.BUNDLE, None)

    def refusal(self) -> Failure | None:
        """Say why the server may not be asked now; None gives leave to ask once."""
        with self._lock:
            return self._breaker.refusal(self._clock())

    def overdue(self) -> Failure:
        """Count a request that did not end in time as failed; what it brings later is still taken."""
        with self._lock:
            self._breaker.failed(self._clock(), None)
        return LATE

    def settle(self, selector: Selector, entry: Entry | None, outcome: Outcome, *, counted: bool = False) -> Settled:
        """Take in what a request brought.

        Args:
            selector: what was asked for.
            entry: what memory held when it was asked, whose ETag went along.
            outcome: what came.
            counted: whether `overdue` has counted this request already.
        """
        now = self._clock()
        if isinstance(outcome, Unchanged) and entry is None:
            outcome = Failure(Reason.UNUSABLE, "the server answered 304 to a request without an ETag")
        with self._lock:
            if isinstance(outcome, Failure):
                if not counted:
                    self._breaker.failed(now, outcome.retry_after)
            else:
                self._breaker.succeeded()
                if self._told and not isinstance(outcome, Refusal):
                    self._told = {told for told in self._told if told[0] != selector.untargeted()}
        if isinstance(outcome, Received):
            return self._hold(selector, outcome.version, outcome.etag, Source.MEMORY, now)
        if isinstance(outcome, Unchanged):
            assert entry is not None
            return self._hold(entry.selector, entry.version, entry.etag, Source.MEMORY, now)
        if entry is not None:
            why = outcome.detail if isinstance(outcome, Failure) else outcome.error.message
            self._tell_once(entry.selector, f"{why}; going on with what came from {entry.prompt.source}")
            if isinstance(outcome, Refusal):
                self._put_off(entry, now + self.policy.ttl)
        return outcome

    def _hold(self, selector: Selector, version: Version, etag: str | None, source: Source, confirmed: float | None) -> Entry:
        """Keep a version. Without a variant it holds for every targeting key; only the server's word makes it fresh."""
        base = selector.untargeted()
        key = base if version.variant is None else selector
        prompt = Prompt(version, source, confirmed, self.policy.ttl, self._clock)
        served = source is Source.MEMORY and confirmed is not None
        fresh_until = confirmed + self.policy.ttl if served and confirmed is not None else float("-inf")
        entry = Entry(key, version, etag, prompt, fresh_until, float("-inf"))
        with self._lock:
            newer = self._entries.get(key)
            if not served and newer is not None:
                return newer
            if key != selector:
                self._entries.pop(selector, None)
            elif key != base and (shared := self._entries.get(base)) and shared.version.variant is None:
                del self._entries[base]
            for kept, at in ((self._entries, key), (self._last, base)):
                kept.pop(at, None)
                kept[at] = entry
                if len(kept) > self.policy.entries:
                    del kept[next(iter(kept))]
        return entry

    def _put_off(self, entry: Entry, until: float) -> None:
        """Go on with an entry that the server no longer gives; it was good, and its readers must not break."""
        with self._lock:
            if self._entries.get(entry.selector) is entry:
                self._entries[entry.selector] = replace(entry, retry_at=until)

    def _tell_once(self, selector: Selector, message: str) -> None:
        told = (selector.untargeted(), message)
        with self._lock:
            new = told not in self._told and len(self._told) < self.policy.entries
            if new:
                self._told.add(told)
        if new:
            self._tell(f"{selector}: {message}")


def select(name: str, label: str | None, version: int | None, targeting_key: str | None = None) -> Selector:
    """Check what a caller asks for, and fill the default label in.

    Raises:
        Invalid: for what cannot be a name, a label or a version.
    """
    if not isinstance(name, str) or not is_name(name):
        raise Invalid(f"{name!a} is no prompt name: use 1 to 128 of a-z 0-9 _ . -")
    if version is not None:
        if label is not None:
            raise Invalid("give a label or a version, not both")
        if type(version) is not int or version < 1:
            raise Invalid(f"{version!a} is no version: the first is 1")
        return Selector(name, None, version, None)
    label = DEFAULT_LABEL if label is None else label
    if not isinstance(label, str) or not is_name(label):
        raise Invalid(f"{label!a} is no label: use 1 to 128 of a-z 0-9 _ . -")
    if targeting_key is not None and not isinstance(targeting_key, str):
        raise Invalid("a targeting key is a text, such as a user's id")
    return Selector(name, label, None, targeting_key)
