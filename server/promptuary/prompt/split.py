"""Split labels: which arm a targeting key is in. Server and client share this module, so both choose the same arm.

A key falls into one of 10,000 buckets: the first eight bytes of SHA-256 over `salt:key`, big-endian, modulo 10,000. Arms own
buckets, and their ranges are part of every response. When weights change, as few buckets as possible change their owner: an
arm that grows keeps all its buckets, an arm that shrinks loses its highest ones. `docs/split-labels.md` has test vectors.
"""

import hashlib
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any

from promptuary.prompt.errors import FieldError, Invalid

BUCKETS = 10_000
ARMS_LIMIT = 16


class InvalidSplit(Invalid):
    """A split cannot be created, or is incomplete; the errors name the arms."""

    code = "invalid_split"


@dataclass(frozen=True)
class Arm:
    """One arm: a version, its weight as it was sent, and its buckets as half-open ranges."""

    version: int
    weight: float
    buckets: tuple[tuple[int, int], ...]

    @property
    def variant(self) -> str:
        """The arm's name in responses and traces: `v3` for version 3."""
        return f"v{self.version}"


@dataclass(frozen=True)
class Split:
    """The arms of a split label. Together they own every bucket once."""

    salt: str
    arms: tuple[Arm, ...]

    def arm(self, targeting_key: str | None) -> Arm:
        """Return the arm of a key; without a key, the first arm."""
        return self.arms[0] if targeting_key is None else self.arm_of(bucket(self.salt, targeting_key))

    def arm_of(self, bucket_number: int) -> Arm:
        """Return the arm that owns a bucket, from 0 to 9,999."""
        starts, owners = self.edges
        return owners[bisect_right(starts, bucket_number) - 1]

    @cached_property
    def edges(self) -> tuple[list[int], list[Arm]]:
        """The starts of all ranges in order, and the owner of each; after many changes an arm can own hundreds of ranges."""
        edges = sorted(((start, arm) for arm in self.arms for start, _ in arm.buckets), key=itemgetter(0))
        return [start for start, _ in edges], [arm for _, arm in edges]

    def as_json(self) -> dict[str, Any]:
        """Return the split as responses and the label history contain it."""
        return {
            "salt": self.salt,
            "arms": [
                {"version": arm.version, "weight": arm.weight, "buckets": [list(bounds) for bounds in arm.buckets]}
                for arm in self.arms
            ],
        }


def bucket(salt: str, targeting_key: str) -> int:
    """Return the bucket of a key, from 0 to 9,999."""
    return int.from_bytes(hashlib.sha256(f"{salt}:{targeting_key}".encode()).digest()[:8], "big") % BUCKETS


def divide(salt: str, weights: Sequence[tuple[int, float]], before: Split | int | None = None) -> Split:
    """Share the buckets among versions by weight; as few buckets as possible change their owner.

    Args:
        salt: makes the buckets of two labels independent.
        weights: versions with their weights, which count relative to their sum.
        before: the label's target until now: a split, one version that had every bucket, or None.

    Raises:
        InvalidSplit: fewer than two arms or too many, a version twice, a weight that is not a positive number, or one that
            is less than one bucket's share.
    """
    _check(weights)
    quotas = _quotas([weight for _, weight in weights])
    targets = {version: quota for (version, _), quota in zip(weights, quotas, strict=True)}
    owners = _owners(before)
    kept_counts = dict.fromkeys(targets, 0)
    for number, owner in enumerate(owners):
        if owner in kept_counts and kept_counts[owner] < targets[owner]:
            kept_counts[owner] += 1
        else:
            owners[number] = None
    growing = [version for version in targets for _ in range(targets[version] - kept_counts[version])]
    free = (number for number, owner in enumerate(owners) if owner is None)
    for number, version in zip(free, growing, strict=True):
        owners[number] = version
    return Split(salt, tuple(Arm(version, weight, _ranges(owners, version)) for version, weight in weights))


def split_from_json(value: Any) -> Split:
    """Parse a split, and check that its arms own every bucket once.

    Raises:
        InvalidSplit: the split is incomplete.
    """
    incomplete = InvalidSplit("the split is incomplete: its arms must own every bucket once")
    try:
        arms = tuple(
            Arm(int(arm["version"]), float(arm["weight"]), tuple((int(start), int(end)) for start, end in arm["buckets"]))
            for arm in value["arms"]
        )
        split = Split(str(value["salt"]), arms)
    except (KeyError, TypeError, ValueError):
        raise incomplete from None
    end = 0
    for start, stop in sorted(bounds for arm in arms for bounds in arm.buckets):
        if start != end or stop <= start:
            raise incomplete
        end = stop
    if end != BUCKETS:
        raise incomplete
    return split


def _check(weights: Sequence[tuple[int, float]]) -> None:
    field_errors = []
    if not 2 <= len(weights) <= ARMS_LIMIT:
        remedy = "; for one version, point the label at it without a split" if len(weights) == 1 else ""
        field_errors.append(FieldError("split", f"must have 2 to {ARMS_LIMIT} arms, and has {len(weights)}{remedy}"))
    if len({version for version, _ in weights}) != len(weights):
        field_errors.append(FieldError("split", "has a version in two arms"))
    shares = _shares([weight if 0 < weight < math.inf else 0.0 for _, weight in weights])
    for number, ((_, weight), share) in enumerate(zip(weights, shares, strict=True)):
        if not 0 < weight < math.inf:
            field_errors.append(FieldError(f"split.{number}.weight", "must be a positive number"))
        elif share * BUCKETS < 1:
            field_errors.append(FieldError(f"split.{number}.weight", f"is less than one part in {BUCKETS:,}"))
    if field_errors:
        raise InvalidSplit("the label cannot be split like this", field_errors)


def _quotas(weights: Sequence[float]) -> list[int]:
    """Return the number of buckets of each weight, by the largest remainder; of equal remainders the first arm is preferred."""
    exact = [share * BUCKETS for share in _shares(weights)]
    quotas = [int(share) for share in exact]
    by_remainder = sorted(range(len(weights)), key=lambda number: (quotas[number] - exact[number], number))
    for number in by_remainder[: BUCKETS - sum(quotas)]:
        quotas[number] += 1
    return quotas


def _shares(weights: Sequence[float]) -> list[float]:
    """Return each weight's share of the sum; a sum beyond the range of a double is computed from smaller weights."""
    try:
        total = math.fsum(weights)
    except OverflowError:
        return _shares([weight / (2 * ARMS_LIMIT) for weight in weights])
    return [weight / total if total else 0.0 for weight in weights]


def _owners(before: Split | int | None) -> list[int | None]:
    if not isinstance(before, Split):
        return [before] * BUCKETS
    owners: list[int | None] = [None] * BUCKETS
    for arm in before.arms:
        for start, end in arm.buckets:
            owners[start:end] = [arm.version] * (end - start)
    return owners


def _ranges(owners: Sequence[int | None], version: int) -> tuple[tuple[int, int], ...]:
    edges = [
        at for at in range(BUCKETS + 1) if (at < BUCKETS and owners[at] == version) != (at > 0 and owners[at - 1] == version)
    ]
    return tuple(zip(edges[::2], edges[1::2], strict=True))
