"""Reviewers who claim, decide, release, defer and undo at the same time, and the record of who had which item."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class ClaimedItem:
    """A live claim: its id, its nonce and the item's id."""

    id: str
    nonce: str
    item: str


class Reviewer(Protocol):
    """The calls of one reviewer at one queue; each is a transaction of its own."""

    def claim(self, beside: str | None) -> ClaimedItem | None: ...

    def submit(self, claim: ClaimedItem) -> int: ...

    def end(self, claim: ClaimedItem, action: str) -> None: ...

    def undo(self, decision: int) -> ClaimedItem: ...


@dataclass
class SlotRecord:
    """Who has which item, live or decided: within the time in which the server counts it."""

    slots: int
    violations: list[str] = field(default_factory=list)
    claims: int = 0
    undone: int = 0
    _slots_used: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, item: str, reviewer: str, had: bool) -> None:
        """Record a new claim, which must be in a free slot of an item that the reviewer does not have."""
        with self._lock:
            self.claims += 1
            self._slots_used[item] += 1
            if self._slots_used[item] > self.slots:
                self.violations.append(f"{reviewer} has slot {self._slots_used[item]} of the item {item}")
            if had:
                self.violations.append(f"{reviewer} has the item {item} twice")

    def leave(self, item: str) -> None:
        """Record the end of a claim or decision; before the request for it."""
        with self._lock:
            self._slots_used[item] -= 1

    @property
    def slots_used(self) -> dict[str, int]:
        """How many have each item."""
        return {item: count for item, count in self._slots_used.items() if count}


def review_at_once(reviewers: dict[str, Reviewer], slots: int) -> SlotRecord:
    """Run the reviewers until no item is left for anybody, each in a thread and with two items at a time."""
    record = SlotRecord(slots)
    start = threading.Barrier(len(reviewers))
    with ThreadPoolExecutor(len(reviewers)) as pool:
        futures = [pool.submit(_Work(name, reviewer, record, start).run) for name, reviewer in reviewers.items()]
        for future in futures:
            future.result()
    return record


@dataclass
class _Work:
    name: str
    reviewer: Reviewer
    record: SlotRecord
    start: threading.Barrier
    live: list[ClaimedItem] = field(default_factory=list)
    decided: set[str] = field(default_factory=set)

    def run(self) -> None:
        choose = random.Random(self.name)
        self.start.wait()
        while self._fill():
            self._act(self.live.pop(0), choose.choices(("submit", "undo", "release", "defer"), (80, 10, 5, 5))[0])

    def _fill(self) -> bool:
        """Claim until there are two items, or no more; return whether there is one."""
        while len(self.live) < 2:
            claim = self.reviewer.claim(self.live[0].id if self.live else None)
            if claim is None:
                break
            self._take(claim)
        return bool(self.live)

    def _take(self, claim: ClaimedItem) -> None:
        had = claim.item in self.decided or any(claim.item == other.item for other in self.live)
        self.record.take(claim.item, self.name, had)
        self.live.append(claim)

    def _act(self, claim: ClaimedItem, action: str) -> None:
        if action in ("release", "defer"):
            self.record.leave(claim.item)
            self.reviewer.end(claim, action)
            return
        decision = self.reviewer.submit(claim)
        self.decided.add(claim.item)
        if action == "undo":
            self.record.undone += 1
            self.record.leave(claim.item)
            self.decided.remove(claim.item)
            self._take(self.reviewer.undo(decision))


def named(count: int, make: Callable[[str], Reviewer]) -> dict[str, Reviewer]:
    """Make reviewers by name."""
    names: Sequence[str] = [f"reviewer-{number}" for number in range(count)]
    return {name: make(name) for name in names}
