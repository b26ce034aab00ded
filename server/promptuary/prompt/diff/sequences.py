"""The common subsequence of two sequences and the unified diff of two texts, in bounded time for any input.

Source: E. W. Myers, An O(ND) Difference Algorithm and Its Variations, Algorithmica 1 (1986). Python's `difflib` is not used:
for two texts with many repeated lines its time grows with the third power of their length.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import isqrt

EFFORT_LIMIT = 2_000_000
"""The approximate number of steps that one comparison may take; this many take well under a second."""
CONTEXT = 3
"""Unchanged lines before and after a change in a unified diff."""


@dataclass(frozen=True)
class Match:
    """A run of equal elements: its start in the old and in the new sequence, and its length."""

    before: int
    after: int
    size: int


@dataclass(frozen=True)
class Edit:
    """The difference between two matches: `after[new_start:new_end]` replaces `before[start:end]`."""

    start: int
    end: int
    new_start: int
    new_end: int


def common_runs(before: Sequence[Hashable], after: Sequence[Hashable], effort: int = EFFORT_LIMIT) -> list[Match]:
    """Return the elements that two sequences share, in order; the fewest edits lead from one to the other.

    Sequences that differ too much for the effort share only their common beginning and end.

    Args:
        before: the old sequence.
        after: the new sequence.
        effort: about how many steps the comparison may take.
    """
    numbers: dict[Hashable, int] = {}
    old, new = ([numbers.setdefault(item, len(numbers)) for item in items] for items in (before, after))
    head = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
    rest = zip(reversed(old[head:]), reversed(new[head:]), strict=False)
    tail = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], rest))
    middle = _shortest_edit_matches(old[head : len(old) - tail], new[head : len(new) - tail], effort)
    matches = [
        Match(0, 0, head),
        *(Match(head + match.before, head + match.after, match.size) for match in middle),
        Match(len(old) - tail, len(new) - tail, tail),
    ]
    return [match for match in matches if match.size]


def _shortest_edit_matches(old: list[int], new: list[int], effort: int) -> list[Match]:
    """Return the matches of the shortest edit path, or nothing where the path is too long for the effort.

    `levels[d]` contains, for each diagonal, the furthest position in `old` that `d` edits reach.
    """
    size, new_size = len(old), len(new)
    edit_limit = min(isqrt(effort), effort // (size + new_size + 1))
    levels: list[list[int]] = []
    for edits in range(min(size + new_size, edit_limit) + 1):
        level: list[int] = []
        for diagonal in range(edits + 1):
            position = _step(levels[-1], diagonal)[0] if levels else 0
            new_position = position - (2 * diagonal - edits)
            while position < size and new_position < new_size and old[position] == new[new_position]:
                position, new_position = position + 1, new_position + 1
            if position >= size and new_position >= new_size:
                return _path(levels, size, new_size)
            level.append(position)
        levels.append(level)
    return []


def _step(level: list[int], diagonal: int) -> tuple[int, int]:
    """Return the position that one more edit reaches on a diagonal, and the number of the diagonal that it comes from."""
    if diagonal == 0 or (diagonal < len(level) and level[diagonal - 1] < level[diagonal]):
        return level[diagonal], diagonal  # an element is added
    return level[diagonal - 1] + 1, diagonal - 1  # an element is removed


def _path(levels: list[list[int]], size: int, new_size: int) -> list[Match]:
    """Return the runs of equal elements on the path through the levels, traced back from the end."""
    matches: list[Match] = []
    position, new_position = size, new_size
    for edits in range(len(levels), 0, -1):
        level = levels[edits - 1]
        start, diagonal = _step(level, (position - new_position + edits) // 2)
        matches.append(Match(start, new_position - (position - start), position - start))
        position, new_position = level[diagonal], level[diagonal] - (2 * diagonal - edits + 1)
    matches.append(Match(0, 0, position))
    return [match for match in reversed(matches) if match.size]


def edits(before: Sequence[Hashable], after: Sequence[Hashable], effort: int = EFFORT_LIMIT) -> Iterator[Edit]:
    """Yield the edits that turn the old sequence into the new one, in order; `effort` as in `common_runs`."""
    start = new_start = 0
    for match in [*common_runs(before, after, effort), Match(len(before), len(after), 0)]:
        if match.before > start or match.after > new_start:
            yield Edit(start, match.before, new_start, match.after)
        start, new_start = match.before + match.size, match.after + match.size


def unified_diff(before: str, after: str, effort: int = EFFORT_LIMIT) -> str:
    r"""Return a unified diff without file names: hunks whose lines begin with a blank, `-` or `+`. Only `\n` ends a line."""
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
    position = start
    for edit in hunk:
        yield from (f" {line}" for line in old[position : edit.start])
        yield from (f"-{line}" for line in old[edit.start : edit.end])
        yield from (f"+{line}" for line in new[edit.new_start : edit.new_end])
        position = edit.end
    yield from (f" {line}" for line in old[position:end])


def _range(start: int, end: int) -> str:
    """Return a range in diff notation: its first line from 1 (the line before an empty range), and its length if not 1."""
    size = end - start
    return f"{start + 1 if size else start}" + ("" if size == 1 else f",{size}")
