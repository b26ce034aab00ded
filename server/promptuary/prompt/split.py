"""Split labels: which arm a targeting key is in. Server and client share it, so both give the same answer.

A key falls into one of 10,000 buckets: the first eight bytes of SHA-256 over `salt:key`, big-endian, modulo 10,000. Arms own
buckets, and the ranges they own are part of every answer. When weights change, only as many buckets change hands as must: an
arm that grows keeps all it had, an arm that shrinks gives up its highest ones. `docs/split-labels.md` has test vectors.
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
    """A split cannot be made, or is not whole; the faults name the arms."""

    code = "invalid_split"


@dataclass(frozen=True)
class Arm:
    """One arm: a version, its weight as it was given, and the buckets it owns as half-open ranges."""

    version: int
    weight: float
    buckets: tuple[tuple[int, int], ...]

    @property
    def variant(self) -> str:
        """The arm's name in answers and traces: `v3` for version 3."""
        return f"v{self.version}"


@dataclass(frozen=True)
class Split:
    """The arms of a split label, which together own every bucket once."""

    salt: str
    arms: tuple[Arm, ...]

    def arm(self, targeting_key: str | None) -> Arm:
        """Give the arm that a key is in; without a key, the first."""
        return self.arms[0] if targeting_key is None else self.arm_of(bucket(self.salt, targeting_key))

    def arm_of(self, at: int) -> Arm:
        """Give the arm that owns a bucket."""
        starts, owners = self.edges
        return owners[bisect_right(starts, at) - 1]

    @cached_property
    def edges(self) -> tuple[list[int], list[Arm]]:
        """Give where ranges start, in order, and who owns each: an arm may own hundreds after many moves."""
        edges = sorted(((start, arm) for arm in self.arms for start, _ in arm.buckets), key=itemgetter(0))
        return [start for start, _ in edges], [arm for _, arm in edges]

    def as_json(self) -> dict[str, Any]:
        """Give it as answers and the ledger hold it."""
        return {
            "salt": self.salt,
            "arms": [
                {"version": arm.version, "weight": arm.weight, "buckets": [list(owned) for owned in arm.buckets]}
                for arm in self.arms
            ],
        }


def bucket(salt: str, targeting_key: str) -> int:
    """Give the bucket of a key, from 0 to 9,999."""
    return int.from_bytes(hashlib.sha256(f"{salt}:{targeting_key}".encode()).digest()[:8], "big") % BUCKETS


def divide(salt: str, weights: Sequence[tuple[int, float]], before: Split | int | None = None) -> Split:
    """Give each version its share of the buckets, moving as few as can be.

    Args:
        salt: what keeps the buckets of two labels independent.
        weights: versions with their weights, which count relative to their sum.
        before: what the label was until now: a split, one version that had every bucket, or nothing.

    Raises:
        InvalidSplit: for fewer than two arms or too many, a version twice, or a weight that is not a positive number or is
            less than one bucket's share.
    """
    _check(weights)
    quotas = _quotas([weight for _, weight in weights])
    wanted = {version: quota for (version, _), quota in zip(weights, quotas, strict=True)}
    owners = _owners(before)
    held = dict.fromkeys(wanted, 0)
    for at, owner in enumerate(owners):
        if owner in held and held[owner] < wanted[owner]:
            held[owner] += 1
        else:
            owners[at] = None
    needy = [version for version in wanted for _ in range(wanted[version] - held[version])]
    free = (at for at, owner in enumerate(owners) if owner is None)
    for at, version in zip(free, needy, strict=True):
        owners[at] = version
    return Split(salt, tuple(Arm(version, weight, _ranges(owners, version)) for version, weight in weights))


def split_from_json(value: Any) -> Split:
    """Read a split back, and check that its arms own every bucket once.

    Raises:
        InvalidSplit: when it is not whole.
    """
    broken = InvalidSplit("the split is not whole: its arms must own every bucket once")
    try:
        arms = tuple(
            Arm(int(arm["version"]), float(arm["weight"]), tuple((int(start), int(end)) for start, end in arm["buckets"]))
            for arm in value["arms"]
        )
        split = Split(str(value["salt"]), arms)
    except (KeyError, TypeError, ValueError):
        raise broken from None
    end = 0
    for start, stop in sorted(owned for arm in arms for owned in arm.buckets):
        if start != end or stop <= start:
            raise broken
        end = stop
    if end != BUCKETS:
        raise broken
    return split


def _check(weights: Sequence[tuple[int, float]]) -> None:
    field_errors = []
    if not 2 <= len(weights) <= ARMS_LIMIT:
        field_errors.append(FieldError("split", f"must have 2 to {ARMS_LIMIT} arms"))
    if len({version for version, _ in weights}) != len(weights):
        field_errors.append(FieldError("split", "has a version in two arms"))
    total = math.fsum(weight for _, weight in weights if weight > 0)
    for number, (_, weight) in enumerate(weights):
        if not 0 < weight < math.inf:
            field_errors.append(FieldError(f"split.{number}.weight", "must be a positive number"))
        elif weight / total * BUCKETS < 1:
            field_errors.append(FieldError(f"split.{number}.weight", f"is less than one part in {BUCKETS:,}"))
    if field_errors:
        raise InvalidSplit("the label cannot be split so", field_errors)


def _quotas(weights: Sequence[float]) -> list[int]:
    """Share the buckets out by largest remainder; equal remainders go to the arm that stands first."""
    total = math.fsum(weights)
    exact = [weight / total * BUCKETS for weight in weights]
    quotas = [int(share) for share in exact]
    by_remainder = sorted(range(len(weights)), key=lambda number: (quotas[number] - exact[number], number))
    for number in by_remainder[: BUCKETS - sum(quotas)]:
        quotas[number] += 1
    return quotas


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
