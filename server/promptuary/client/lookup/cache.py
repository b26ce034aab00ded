"""The client's memory: an entry for every label and number that was looked up, and for a split label one per arm.

The client itself computes the arm of a targeting key, by the split that came last. A version number identifies an arm's
content, which never changes. So an arm from an earlier split still has the right content, but it is fresh only after the
server has confirmed it under the present split.
"""

import threading
from collections.abc import Callable
from dataclasses import replace

from promptuary.client.freshness import DISTANT_PAST, Freshness, StreamCoverage
from promptuary.client.lookup.entry import AT_ONCE, NOT_FRESH, CacheEntry, CacheSlot, PendingFetch, slot_with
from promptuary.client.prompt import Prompt, Source
from promptuary.client.versions.selector import DEFAULT_LABEL, Selector
from promptuary.client.versions.version import ResolvedVersion

SERVER_LAG = 1.0
"""Seconds by which the server's processes may be behind each other."""
SlotKey = tuple[str, str | None, int | None]


class PromptCache:
    """All entries, up to a number of slots. It is safe to use from several threads."""

    def __init__(
        self, ttl: float, limit: int, clock: Callable[[], float], coverage: Callable[[], StreamCoverage | None] = lambda: None
    ) -> None:
        """Store the settings.

        Args:
            ttl: seconds for which an answer is fresh.
            limit: how many labels and numbers to keep.
            clock: a monotonic clock in seconds.
            coverage: returns what the present stream of changes covers; None without one.
        """
        self._ttl = ttl
        self._limit = limit
        self._clock = clock
        self._coverage = coverage
        self._slots: dict[SlotKey, CacheSlot] = {}
        self._events: dict[str, int] = {}  # the revision of each prompt's last event
        self._lock = threading.Lock()

    def after_fork(self) -> None:
        """Replace the lock: a thread that this process does not have may own the old one."""
        self._lock = threading.Lock()

    # --- reading --------------------------------------------------------------------------------------------------------

    def fresh_prompt(self, name: str, label: str | None, version: int | None, targeting_key: str | None) -> Prompt | None:
        """Return what memory has, if the server need not be asked. A warm `get` does nothing else."""
        if label is None and version is None:
            label = DEFAULT_LABEL
        slot = self._slots.get((name, label, version))
        if slot is None:
            return None
        entry = slot.latest if slot.split is None else slot.entry_for(targeting_key)
        if entry is None:
            return None
        now = self._clock()
        return entry.prompt if now < entry.fresh_until or entry.freshness.is_live(now) else None

    def entry(self, selector: Selector) -> CacheEntry | None:
        """Return what memory has for the selector, fresh or not."""
        slot = self._slots.get(selector.slot_key)
        return None if slot is None else slot.entry_for(selector.targeting_key)

    def latest_entry(self, selector: Selector) -> CacheEntry | None:
        """Return what came last for the label, whatever arm it is."""
        slot = self._slots.get(selector.slot_key)
        return None if slot is None else slot.latest

    def matches(self, version: ResolvedVersion, selector: Selector) -> bool:
        """Return whether a version is the one for the selector: for a split label, whether it is the key's arm."""
        slot = self._slots.get(selector.slot_key)
        split = version.split if slot is None or slot.split is None else slot.split
        return split is None or split.arm(selector.targeting_key).version == version.number

    def pending_fetch(self, selector: Selector, attempt: int = 0) -> PendingFetch:
        """Build the request for a selector from what memory has now."""
        slot = self._slots.get(selector.slot_key)
        entry = None if slot is None else slot.entry_for(selector.targeting_key)
        return PendingFetch(selector, _fetch_key(selector, slot), entry, self._clock(), attempt)

    def confirmation(self, selector: Selector, attempt: int = 0) -> PendingFetch | None:
        """Build the request that confirms an invalidated entry; None where there is none any more."""
        fetch = self.pending_fetch(selector, attempt)
        return fetch if fetch.entry is not None and fetch.entry.is_invalidated else None

    def is_superseded(self, entry: CacheEntry) -> bool:
        """Return whether memory has a later answer that contradicts the entry: another version, or another split."""
        slot = self._slots.get(entry.selector.slot_key)
        if slot is None or not entry.is_older_than(slot.latest.version.revision):
            return False
        if slot.split is None and entry.version.split is None:
            return slot.latest.version.number != entry.version.number
        return slot.split != entry.version.split

    # --- writing --------------------------------------------------------------------------------------------------------

    def store_response(self, fetch: PendingFetch, version: ResolvedVersion, etag: str | None) -> CacheEntry:
        """Store the server's answer and return it. It is fresh, unless an event or a later answer overtook it."""
        selector = fetch.selector if version.split is not None else fetch.selector.without_targeting_key()
        with self._lock:
            now, coverage = self._clock(), self._coverage()
            covered = coverage if coverage is not None and fetch.requested_at >= coverage.covers_from else None
            entry = self._entry(selector, version, etag, Source.MEMORY, Freshness(now, covered))
            slot = self._slots.get(selector.slot_key)
            if slot is not None and entry.is_older_than(slot.latest.version.revision) and slot.latest.is_fresh(now):
                return entry  # for those who wait for this response; memory has a later one
            if self._overtaken_by_event(entry, fetch.requested_at, coverage):
                entry = replace(entry.invalidated(), retry_at=now + SERVER_LAG)
            self._put(selector.slot_key, slot_with(entry, slot))
        return entry

    def store_copy(
        self, selector: Selector, version: ResolvedVersion, etag: str | None, source: Source, confirmed_at: float | None
    ) -> CacheEntry:
        """Store a version from the disk or the bundle, to be confirmed by the server; what memory has takes precedence."""
        entry = self._entry(selector, version, etag, source, Freshness(confirmed_at))
        key, number = selector.slot_key, version.number or 0
        with self._lock:
            slot = self._slots.get(key)
            if slot is None:
                self._put(key, slot_with(entry, None))
                return entry
            if slot.split is None:
                return slot.latest
            if number not in slot.arms and any(arm.version == number for arm in slot.split.arms):
                self._slots[key] = CacheSlot.of_split(slot.latest, slot.split, {**slot.arms, number: entry})
            return slot.arms.get(number, entry)

    def postpone_retry(self, entry: CacheEntry, until: float) -> None:
        """Keep an entry that the server no longer returns: its readers must not fail. No refresh starts before `until`."""
        key = entry.selector.slot_key
        with self._lock:
            slot = self._slots.get(key)
            if slot is not None:
                postponed = replace(entry, retry_at=until)
                self._slots[key] = slot.map_entries(lambda current: postponed if current is entry else current)

    def drop_etag(self, selector: Selector) -> None:
        """Drop the ETag of an entry, so that the next response has the whole version."""
        with self._lock:
            slot = self._slots.get(selector.slot_key)
            entry = None if slot is None else slot.entry_for(selector.targeting_key)
            if slot is not None and entry is not None:
                changed = replace(entry, etag=None)
                self._slots[selector.slot_key] = slot.map_entries(lambda current: changed if current is entry else current)

    def remove(self, fetch: PendingFetch, *, arm_only: bool) -> bool:
        """Remove what memory has for a request's label or number, which the server no longer has.

        A response that another request brought meanwhile may be the later one: it stays, and the server must confirm it.

        Args:
            fetch: the request.
            arm_only: whether the server still has the other arms of a split label.

        Returns:
            Whether nothing of a later response is left.
        """
        key = fetch.selector.slot_key
        with self._lock:
            slot = self._slots.get(key)
            if slot is None:
                return True
            answered_at = slot.latest.freshness.answered_at
            is_later = slot.latest is not fetch.entry and answered_at is not None and answered_at > fetch.requested_at
            invalidated = slot.map_entries(CacheEntry.invalidated)
            remaining = invalidated if is_later else slot.without_arm(fetch.selector.targeting_key) if arm_only else None
            if remaining is None:
                del self._slots[key]
            else:
                self._slots[key] = remaining
            return not is_later

    def invalidate(self, name: str | None, revision: int, *, versions: bool = False) -> dict[Selector, Selector]:
        """Apply an event: every older entry of the prompt's labels must be confirmed.

        Args:
            name: the prompt; None where every prompt may have changed.
            revision: the prompt's revision after the event.
            versions: whether entries of version numbers must be confirmed, too: a version's content may have been erased.

        Returns:
            What to confirm now: for each request's key, a selector.
        """
        outdated: list[Selector] = []

        def check(entry: CacheEntry) -> CacheEntry:
            if name is not None and entry.version.revision is not None and not entry.is_older_than(revision):
                return entry
            outdated.append(entry.selector)
            return entry.invalidated()

        with self._lock:
            self._record_event(name, revision)
            for key, slot in list(self._slots.items()):
                if (versions or key[1] is not None) and name in (None, key[0]):
                    self._slots[key] = slot.map_entries(check)
            return {_fetch_key(selector, self._slots.get(selector.slot_key)): selector for selector in outdated}

    def expire_labels(self) -> None:
        """Expire every label: its next lookup is answered from memory, and asks the server in the background."""
        with self._lock:
            now = self._clock()
            for key, slot in self._slots.items():
                if key[1] is not None:
                    self._slots[key] = slot.map_entries(
                        lambda entry: replace(entry, fresh_until=min(entry.fresh_until, now), retry_at=AT_ONCE)
                    )

    def _entry(
        self, selector: Selector, version: ResolvedVersion, etag: str | None, source: Source, freshness: Freshness
    ) -> CacheEntry:
        prompt = Prompt(version, source, freshness, self._ttl, self._clock)
        answered_at = freshness.answered_at if source is Source.MEMORY else None
        fresh_until = NOT_FRESH if answered_at is None else answered_at + self._ttl
        return CacheEntry(selector, version, etag, prompt, freshness, fresh_until)

    def _overtaken_by_event(self, entry: CacheEntry, requested_at: float, coverage: StreamCoverage | None) -> bool:
        """Return whether a label changed, or may have changed, after the server read it for this response."""
        if entry.selector.label is None:
            return False
        started_at = DISTANT_PAST if coverage is None else coverage.started_at
        return requested_at <= started_at or entry.is_older_than(self._events.get(entry.selector.name))

    def _record_event(self, name: str | None, revision: int) -> None:
        if name is None:
            self._events.clear()
        elif self._events.get(name, 0) < revision:
            self._events.pop(name, None)
            self._events[name] = revision
            if len(self._events) > self._limit:
                del self._events[next(iter(self._events))]

    def _put(self, key: SlotKey, slot: CacheSlot) -> None:
        """Store a slot as the newest; over the limit the oldest is dropped."""
        self._slots.pop(key, None)
        self._slots[key] = slot
        if len(self._slots) > self._limit:
            del self._slots[next(iter(self._slots))]


def _fetch_key(selector: Selector, slot: CacheSlot | None) -> Selector:
    """Return what identifies a request: the selector without its targeting key, with the arm's number on a split label."""
    key = selector.without_targeting_key()
    if slot is None or slot.split is None:
        return key
    return key._replace(version=slot.split.arm(selector.targeting_key).version)
