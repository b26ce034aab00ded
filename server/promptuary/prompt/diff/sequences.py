"""Line by line, what two texts share and a unified diff of them, at a cost that has a bound whatever the texts are.

Source: E. W. Myers, An O(ND) Difference Algorithm and Its Variations, Algorithmica 1 (1986). Python's `difflib` does the same
for friendly texts; for two that repeat their lines its time grows with the third power of their length.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import isqrt

EFFORT_LIMIT = 2_000_000
"""About how many steps one comparison may take in all: well under a second."""
CONTEXT = 3


@dataclass(frozen=True)
class Match:
    """A run of equal elements: where it begins before and after, and how long it is."""

    before: int
    after: int
    size: int


@dataclass(frozen=True)
class Edit:
    """What stands between two matches: `before[start:end]` is replaced by `after[new_start:new_end]`."""

    start: int
    end: int
    new_start: int
    new_end: int


def common_runs(before: Sequence[Hashable], after: Sequence[Hashable], effort: int = EFFORT_LIMIT) -> list[Match]:
    """List what two sequences share, in order. Where they differ too much for the effort, only a common head and tail."""
    numbers: dict[Hashable, int] = {}
    old, new = ([numbers.setdefault(item, len(numbers)) for item in items] for items in (before, after))
    head = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
    rest = zip(reversed(old[head:]), reversed(new[head:]), strict=False)
    tail = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], rest))
    middle = _walk(old[head : len(old) - tail], new[head : len(new) - tail], effort)
    found = [Match(0, 0, head), *(Match(head + one.before, head + one.after, one.size) for one in middle)]
    return [one for one in [*found, Match(len(old) - tail, len(new) - tail, tail)] if one.size]


def _walk(old: list[int], new: list[int], effort: int) -> list[Match]:
    """Find the fewest edits that lead from one to the other. `levels[d]` is how far `d` edits come on each diagonal."""
    size, new_size = len(old), len(new)
    most = min(isqrt(effort), effort // (size + new_size + 1))
    levels: list[list[int]] = []
    for edits in range(min(size + new_size, most) + 1):
        level: list[int] = []
        for number in range(edits + 1):
            at = _step(levels[-1], number)[0] if levels else 0
            other = at - (2 * number - edits)
            while at < size and other < new_size and old[at] == new[other]:
                at, other = at + 1, other + 1
            if at >= size and other >= new_size:
                return _path(levels, size, new_size)
            level.append(at)
        levels.append(level)
    return []


def _step(level: list[int], number: int) -> tuple[int, int]:
    """Give where one more edit leads to on the diagonal of that number, and the diagonal of the level that it comes from."""
    if number == 0 or (number < len(level) and level[number - 1] < level[number]):
        return level[number], number  # an element is added
    return level[number - 1] + 1, number - 1  # an element is removed


def _path(levels: list[list[int]], size: int, new_size: int) -> list[Match]:
    """Walk back from the end, and give the runs of equal elements on the way."""
    found: list[Match] = []
    at, other = size, new_size
    for edits in range(len(levels), 0, -1):
        level = levels[edits - 1]
        start, number = _step(level, (at - other + edits) // 2)
        found.append(Match(start, other - (at - start), at - start))
        at, other = level[number], level[number] - (2 * number - edits + 1)
    found.append(Match(0, 0, at))
    return [one for one in reversed(found) if one.size]


def edits(before: Sequence[Hashable], after: Sequence[Hashable], effort: int = EFFORT_LIMIT) -> Iterator[Edit]:
    """List what is replaced by what."""
    start = new_start = 0
    for match in [*common_runs(before, after, effort), Match(len(before), len(after), 0)]:
        if match.before > start or match.after > new_start:
            yield Edit(start, match.before, new_start, match.after)
        start, new_start = match.before + match.size, match.after + match.size


def unified_diff(before: str, after: str, effort: int = EFFORT_LIMIT) -> str:
    """Give a unified diff without file names: hunks of lines after a blank, `-` or `+`. Only a newline ends a line."""
    old, new = before.split("\n"), after.split("\n")
    hunks: list[list[Edit]] = []
    for edit in edits(old, new, effort):
        if hunks and edit.start - hunks[-1][-1].end <= 2 * CONTEXT:
            hunks[-1].append(edit)
        else:
            hunks.append([edit])
    return "\n".join(line for hunk in hunks for line in _hunk(hunk, old, new))


def _hunk(hunk: list[Edit], old: list[str], new: list[str]) -> Iterator[str]:
    start, end = max(hunk[0].start - CONTEXT, 0), min(hunk[-1].end + CONTEXT, len(old))
    new_start, new_end = hunk[0].new_start - (hunk[0].start - start), hunk[-1].new_end + (end - hunk[-1].end)
    yield f"@@ -{_range(start, end)} +{_range(new_start, new_end)} @@"
    at = start
    for edit in hunk:
        yield from (f" {line}" for line in old[at : edit.start])
        yield from (f"-{line}" for line in old[edit.start : edit.end])
        yield from (f"+{line}" for line in new[edit.new_start : edit.new_end])
        at = edit.end
    yield from (f" {line}" for line in old[at:end])


def _range(start: int, end: int) -> str:
    """Give a range as diffs write it: its first line from 1 (the one before where it is empty), and its length if not 1."""
    size = end - start
    return f"{start + 1 if size else start}" + ("" if size == 1 else f",{size}")
