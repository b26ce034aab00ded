"""What a client holds in memory: an entry for every label and number that was asked for, and for a split label one per arm.

Which arm a targeting key is in is worked out here, by the split that came last. An arm's content is found by its version's
number, which never changes; so an arm that was kept under an earlier split still has the right content, but it is fresh
only once the server has confirmed it under the present one.
"""

import threading
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from promptuary.client.freshness import NEVER, Freshness, StreamCoverage
from promptuary.client.prompt import Prompt, Source
from promptuary.client.versions.selector import DEFAULT_LABEL, Selector
from promptuary.client.versions.version import ResolvedVersion
from promptuary.prompt.split import Split, bucket

SERVER_LAG = 1.0
"""Seconds by which the server's processes may be behind each other."""


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One version as it was found. A refresh makes a new entry."""

    asked: Selector
    version: ResolvedVersion
    etag: str | None
    prompt: Prompt
    standing: Freshness
    fresh_until: float
    retry_at: float = NEVER

    def fresh(self, now: float) -> bool:
        """Tell whether the server need not be asked: its last answer is young, or a stream vouches for it."""
        return now < self.fresh_until or self.standing.live(now)

    def invalidated(self) -> "CacheEntry":
        """Give the entry for which the server must be asked again."""
        self.standing.end()
        return replace(self, fresh_until=NEVER)

    def under(self, split: Split) -> "CacheEntry":
        """Give the entry as an arm of another split than it was found under, for which the server must be asked again."""
        version = replace(self.version, variant=f"v{self.version.number}", split=split)
        return replace(self.invalidated(), version=version, prompt=self.prompt.with_version(version))


@dataclass(frozen=True, slots=True)
class CacheSlot:
    """What is held for a label or a number: the entry that came last, and where the label is split, the arms by version.

    `starts` and `owners` are the split's ranges with the arms' entries, for a key to find its own in one step.
    """

    entry: CacheEntry
    split: Split | None = None
    arms: Mapping[int, CacheEntry] = field(default_factory=dict)
    starts: Sequence[int] = ()
    owners: Sequence[CacheEntry | None] = ()

    @classmethod
    def of(cls, entry: CacheEntry, split: Split, arms: Mapping[int, CacheEntry]) -> "CacheSlot":
        """Make the place of a split label."""
        starts, owners = split.edges
        return cls(entry, split, arms, starts, [arms.get(arm.version) for arm in owners])

    def find(self, targeting_key: str | None) -> CacheEntry | None:
        """Give the entry for a key; None when its arm is not held, or when it is no key."""
        split = self.split
        if split is None:
            return self.entry
        if targeting_key is None:
            return self.arms.get(split.arms[0].version)
        if not isinstance(targeting_key, str):
            return None
        try:
            at = bucket(split.salt, targeting_key)
        except UnicodeEncodeError:
            return None
        return self.owners[bisect_right(self.starts, at) - 1]

    def change(self, change: Callable[[CacheEntry], CacheEntry]) -> "CacheSlot":
        """Give the place with every entry changed."""
        if self.split is None:
            return CacheSlot(change(self.entry))
        arms = {number: change(entry) for number, entry in self.arms.items()}
        return CacheSlot.of(arms[self.entry.version.number or 0], self.split, arms)


@dataclass(frozen=True, slots=True)
class PendingFetch:
    """Something to ask the server. Who would ask `about` the same meanwhile waits for this one's answer.

    Args:
        selector: what the request says.
        about: the label or number, and for a split label the arm's number, without a targeting key.
        entry: what memory holds, whose ETag goes along.
        asked: when.
        tries: how often it was asked before, because an event overtook the answer.
    """

    selector: Selector
    about: Selector
    entry: CacheEntry | None
    asked: float
    tries: int = 0


class PromptCache:
    """All entries, up to a number of places. Several threads may use it."""

    def __init__(
        self, ttl: float, limit: int, clock: Callable[[], float], watch: Callable[[], StreamCoverage | None] = lambda: None
    ) -> None:
        """Take how long an answer is fresh, in seconds, how many labels and numbers to hold, and what stream is followed."""
        self._ttl = ttl
        self._limit = limit
        self._clock = clock
        self._watch = watch
        self._places: dict[tuple[str, str | None, int | None], CacheSlot] = {}
        self._events: dict[str, int] = {}  # the revision of each prompt's last event
        self._lock = threading.Lock()

    def after_fork(self) -> None:
        """Take a new lock: the old one may be held by a thread that this process does not have."""
        self._lock = threading.Lock()

    def fresh(self, name: str, label: str | None, version: int | None, targeting_key: str | None) -> Prompt | None:
        """Give what memory holds, if the server need not be asked. This is the whole way of a warm `get`."""
        if label is None and version is None:
            label = DEFAULT_LABEL
        place = self._places.get((name, label, version))
        if place is None:
            return None
        entry = place.entry if place.split is None else place.find(targeting_key)
        if entry is None:
            return None
        now = self._clock()
        return entry.prompt if now < entry.fresh_until or entry.standing.live(now) else None

    def entry(self, selector: Selector) -> CacheEntry | None:
        """Give what memory holds for the selector, fresh or not."""
        place = self._places.get(selector[:3])
        return None if place is None else place.find(selector.targeting_key)

    def latest_entry(self, selector: Selector) -> CacheEntry | None:
        """Give what came last for the label, whatever arm it is."""
        place = self._places.get(selector[:3])
        return None if place is None else place.entry

    def matches(self, version: ResolvedVersion, selector: Selector) -> bool:
        """Tell whether a version is the one for the selector: for a split label, whether it is the key's arm."""
        place = self._places.get(selector[:3])
        split = version.split if place is None or place.split is None else place.split
        return split is None or split.arm(selector.targeting_key).version == version.number

    def question(self, selector: Selector, tries: int = 0) -> PendingFetch:
        """Give what to ask the server for the selector."""
        place = self._places.get(selector[:3])
        about = selector.without_targeting_key()
        if place is not None and place.split is not None:
            about = about._replace(version=place.split.arm(selector.targeting_key).version)
        return PendingFetch(selector, about, self.entry(selector), self._clock(), tries)

    def answered(self, selector: Selector, version: ResolvedVersion, etag: str | None, asked: float) -> CacheEntry:
        """Keep what the server answered, and give it: fresh, unless an event or a later answer is ahead of it.

        Args:
            selector: what was asked for.
            version: what came.
            etag: the answer's.
            asked: when the question was put.
        """
        now = self._clock()
        if version.split is None:
            selector = selector.without_targeting_key()
        with self._lock:
            watch = self._watch()
            standing = Freshness(now, watch if watch is not None and asked >= watch.covers_from else None)
            prompt = Prompt(version, Source.MEMORY, standing, self._ttl, self._clock)
            entry = CacheEntry(selector, version, etag, prompt, standing, now + self._ttl)
            place = self._places.get(selector[:3])
            if place is not None and _is_older(version, place.entry.version.revision) and place.entry.fresh(now):
                return entry
            begun = NEVER if watch is None else watch.begun
            if selector.label is not None and (asked <= begun or _is_older(version, self._events.get(selector.name))):
                entry = replace(entry.invalidated(), retry_at=now + SERVER_LAG)
            self._put(selector[:3], _slot_with(entry, place))
        return entry

    def found(
        self, selector: Selector, version: ResolvedVersion, etag: str | None, source: Source, confirmed: float | None
    ) -> CacheEntry:
        """Keep what the disk or the bundle has, to be confirmed by the server; what memory holds goes before it."""
        standing = Freshness(confirmed)
        prompt = Prompt(version, source, standing, self._ttl, self._clock)
        entry = CacheEntry(selector, version, etag, prompt, standing, NEVER)
        with self._lock:
            place = self._places.get(selector[:3])
            if place is None:
                self._put(selector[:3], _slot_with(entry, None))
                return entry
            number = version.number or 0
            if place.split is None:
                return place.entry
            if number not in place.arms and any(arm.version == number for arm in place.split.arms):
                self._places[selector[:3]] = CacheSlot.of(place.entry, place.split, {**place.arms, number: entry})
            return place.arms.get(number, entry)

    def put_off(self, entry: CacheEntry, until: float) -> None:
        """Go on with an entry that the server no longer gives; it was good, and its readers must not break."""
        with self._lock:
            place = self._places.get(entry.asked[:3])
            if place is not None:
                later = replace(entry, retry_at=until)
                self._places[entry.asked[:3]] = place.change(lambda held: later if held is entry else held)

    def invalidate(self, name: str | None, revision: int) -> dict[Selector, PendingFetch]:
        """Heed an event of a prompt, and give what to ask again. Without a name, everything but numbers is to be asked."""
        with self._lock:
            if name is None:
                self._events.clear()
            elif self._events.get(name, 0) < revision:
                self._events.pop(name, None)
                self._events[name] = revision
                if len(self._events) > self._limit:
                    del self._events[next(iter(self._events))]
            selectors = []
            for key, place in list(self._places.items()):
                if key[1] is None or name not in (None, key[0]):
                    continue

                def heed(entry: CacheEntry) -> CacheEntry:
                    known = entry.version.revision
                    if name is not None and known is not None and known >= revision:
                        return entry
                    selectors.append(entry.asked)
                    return entry.invalidated()

                self._places[key] = place.change(heed)
        questions = (self.question(selector) for selector in selectors)
        return {question.about: question for question in questions}

    def overtaken(self, question: PendingFetch) -> bool:
        """Tell whether something happened to what the question was about while its answer was on the way."""
        entry = self.entry(question.selector)
        return entry is not None and entry.fresh_until == NEVER

    def _put(self, key: tuple[str, str | None, int | None], place: CacheSlot) -> None:
        self._places.pop(key, None)
        self._places[key] = place
        if len(self._places) > self._limit:
            del self._places[next(iter(self._places))]


def _is_older(version: ResolvedVersion, revision: int | None) -> bool:
    """Tell whether a version was read before its prompt had the revision."""
    return revision is not None and version.revision is not None and version.revision < revision


def _slot_with(entry: CacheEntry, before: CacheSlot | None) -> CacheSlot:
    """Put an entry in its place. The arms that stay are kept; those of another split must be confirmed under this one."""
    split = entry.version.split
    if split is None:
        return CacheSlot(entry)
    held = {}
    if before is not None:
        former = before.arms or {before.entry.version.number or 0: before.entry}
        stay = {arm.version for arm in split.arms}
        same = before.split == split
        held = {number: arm if same else arm.under(split) for number, arm in former.items() if number in stay}
    return CacheSlot.of(entry, split, {**held, entry.version.number or 0: entry})
