"""The values of the client's memory: entries, their slots, and the fetches that are to be made. All are frozen."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from promptuary.client.freshness import DISTANT_PAST, Freshness
from promptuary.client.prompt import Prompt
from promptuary.client.versions.selector import Selector
from promptuary.client.versions.version import ResolvedVersion
from promptuary.prompt.split import Split, bucket

NOT_FRESH = DISTANT_PAST
"""For `fresh_until`: the server must be asked before the entry counts as fresh."""
AT_ONCE = DISTANT_PAST
"""For `retry_at`: the next lookup may start a background refresh."""


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One version in memory. A change makes a new entry. All times are monotonic seconds.

    Attributes:
        selector: the request that brought the version.
        version: the version.
        etag: the ETag of the server's response.
        prompt: what lookups return.
        freshness: shared with every prompt object that was returned for this version.
        fresh_until: until when the last answer counts as fresh; `NOT_FRESH` where the server must be asked again.
        retry_at: before this moment no lookup starts a background refresh; `AT_ONCE` where the next one may.
    """

    selector: Selector
    version: ResolvedVersion
    etag: str | None
    prompt: Prompt
    freshness: Freshness
    fresh_until: float
    retry_at: float = AT_ONCE

    @property
    def is_invalidated(self) -> bool:
        """Whether the server must confirm the entry before it counts as fresh again."""
        return self.fresh_until == NOT_FRESH

    def is_fresh(self, now: float) -> bool:
        """Return whether the server need not be asked: its last answer is recent, or a live stream covers the entry."""
        return now < self.fresh_until or self.freshness.is_live(now)

    def is_younger_than(self, max_age: float, now: float) -> bool:
        """Return whether a server confirmed the entry less than so many seconds ago, and no event invalidated it since."""
        confirmed_at = self.freshness.confirmed_at()
        return confirmed_at is not None and now - confirmed_at < max_age and not self.is_invalidated

    def is_older_than(self, revision: int | None) -> bool:
        """Return whether the version was read before its prompt had the revision; False where either is unknown."""
        known = self.version.revision
        return revision is not None and known is not None and known < revision

    def invalidated(self) -> "CacheEntry":
        """Return the entry as one that the server must confirm, and end the freshness of the prompts returned for it."""
        self.freshness.end()
        return replace(self, fresh_until=NOT_FRESH)

    def under_split(self, split: Split) -> "CacheEntry":
        """Return the entry as an arm of a new split. The server must confirm it under that split."""
        version = replace(self.version, variant=f"v{self.version.number}", split=split)
        return replace(self.invalidated(), version=version, prompt=self.prompt.with_version(version))


@dataclass(frozen=True, slots=True)
class CacheSlot:
    """What memory has for one label or number: the latest entry and, where the label is split, the arms by version number.

    `starts` and `owners` are the split's bucket ranges with the entries of their arms, so that a key is looked up in one step.
    """

    latest: CacheEntry
    split: Split | None = None
    arms: Mapping[int, CacheEntry] = field(default_factory=dict)
    starts: Sequence[int] = ()
    owners: Sequence[CacheEntry | None] = ()

    @classmethod
    def of_split(cls, latest: CacheEntry, split: Split, arms: Mapping[int, CacheEntry]) -> "CacheSlot":
        """Build the slot of a split label."""
        starts, owners = split.edges
        return cls(latest, split, arms, starts, [arms.get(arm.version) for arm in owners])

    @property
    def entries(self) -> Iterable[CacheEntry]:
        """Every entry of the slot."""
        return (self.latest,) if self.split is None else self.arms.values()

    def entry_for(self, targeting_key: str | None) -> CacheEntry | None:
        """Return the entry for a key; None where memory lacks the key's arm, or where the key cannot be one."""
        split = self.split
        if split is None:
            return self.latest
        if targeting_key is None:
            return self.arms.get(split.arms[0].version)
        if not isinstance(targeting_key, str):
            return None
        try:
            position = bucket(split.salt, targeting_key)
        except UnicodeEncodeError:
            return None
        return self.owners[bisect_right(self.starts, position) - 1]

    def map_entries(self, change: Callable[[CacheEntry], CacheEntry]) -> "CacheSlot":
        """Return the slot with every entry changed."""
        if self.split is None:
            return CacheSlot(change(self.latest))
        arms = {number: change(entry) for number, entry in self.arms.items()}
        return CacheSlot.of_split(arms[self.latest.version.number or 0], self.split, arms)

    def without_arm(self, targeting_key: str | None) -> "CacheSlot | None":
        """Return the slot of a split label without a key's arm; None where nothing remains, or where it is not split."""
        if self.split is None:
            return None
        number = self.split.arm(targeting_key).version
        arms = {arm: entry for arm, entry in self.arms.items() if arm != number}
        if not arms:
            return None
        latest = self.latest if self.latest.version.number in arms else next(iter(arms.values()))
        return CacheSlot.of_split(latest, self.split, arms)


@dataclass(frozen=True, slots=True)
class PendingFetch:
    """A request that is to be made to the server. Build it when the request starts: it names what memory has at that moment.

    Attributes:
        selector: the content of the request.
        key: the label or number, and for a split label the arm's number, without a targeting key. Callers whose fetches have
            the same key share one request.
        entry: what memory has; its ETag is sent along.
        requested_at: when, in monotonic seconds.
        attempt: how often the same was requested before because an event overtook the response.
        earliest: a request in flight may be joined only if it began at this moment or later.
    """

    selector: Selector
    key: Selector
    entry: CacheEntry | None
    requested_at: float
    attempt: int = 0
    earliest: float = DISTANT_PAST

    @property
    def may_join_any(self) -> bool:
        """Whether every request in flight with the same key will do."""
        return self.earliest == DISTANT_PAST


def slot_with(entry: CacheEntry, former: CacheSlot | None) -> CacheSlot:
    """Return the slot after an entry arrived. Arms that remain are kept; those of another split must be confirmed."""
    split = entry.version.split
    if split is None:
        return CacheSlot(entry)
    remaining_arms = {}
    if former is not None:
        arms = former.arms or {former.latest.version.number or 0: former.latest}
        remaining = {arm.version for arm in split.arms}
        unchanged = former.split == split
        remaining_arms = {
            number: arm if unchanged else arm.under_split(split) for number, arm in arms.items() if number in remaining
        }
    return CacheSlot.of_split(entry, split, {**remaining_arms, entry.version.number or 0: entry})
