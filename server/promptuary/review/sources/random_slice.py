"""Random slices of a population with their inclusion probabilities. Pure.

Each item has a permanent random number u, uniform on [0, 1), that depends on the seed, the population and the item's source
alone. A slice of size n consists of the n items with the smallest u: a simple random sample without replacement. The same seed
with a larger size extends the slice; another seed draws independently.

Inclusion probabilities. One slice of n of N items has π = min(1, n/N) for every item of the population, drawn or not. An item
that can come into a queue by several independent draws d has the probability of their union:

    π = 1 - Π_d (1 - π_d)

where slices of one population and one seed count as one draw, the largest of them, since the smaller ones lie inside it.
Selection by priority, such as that of all failures, is a draw with π_d = 1 for every item that it selects, and 0 for the
others: so a selected item has π = 1 whether it is in a slice or not, and an item that only a slice could bring has the slice's.
Estimates weight each item by 1/π (Horvitz and Thompson, JASA 47 (1952) 663-685).
Sources: permanent random numbers: Ohlsson, Coordination of Samples using Permanent Random Numbers, in Cox et al., Business
Survey Methods (1995), chapter 9; the union of independent samples: Bankier, Estimators Based on Several Stratified Samples with
Applications to Multiple Frame Surveys, JASA 81 (1986) 1074-1079.
"""

import hashlib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True)
class SliceDraw:
    """One draw of a random slice.

    Attributes:
        population: names the population, so that equal names mean equal populations.
        seed: of the draw.
        size: the number of items that were requested.
        population_size: N, how many items the population had.
    """

    population: str
    seed: int
    size: int
    population_size: int

    @property
    def probability(self) -> float:
        """The inclusion probability of every item of the population."""
        return min(1.0, self.size / self.population_size) if self.population_size else 1.0

    @property
    def key(self) -> Hashable:
        """What draws share that lie inside each other."""
        return self.population, self.seed


def permanent_number(draw: SliceDraw, source: str) -> float:
    """Return the item's uniform number in [0, 1) under the draw's population and seed."""
    digest = hashlib.sha256(f"{draw.seed}\n{draw.population}\n{source}".encode()).digest()
    return int.from_bytes(digest[:7]) / 2**56


def draw_slice(draw: SliceDraw, sources: Iterable[str]) -> list[str]:
    """Return the sources in the slice, in the random order of their numbers: a beginning of it is a smaller random slice."""
    return sorted(sources, key=lambda source: (permanent_number(draw, source), source))[: draw.size]


def union_probability(draws: Iterable[SliceDraw], *, certain: bool = False) -> float:
    """Return the probability that at least one of the draws includes an item that all of their populations contain.

    Args:
        draws: of random slices; those of one population and seed count once, by the largest.
        certain: whether the item is selected by priority as well, which makes it certain.
    """
    if certain:
        return 1.0
    largest: dict[Hashable, float] = {}
    for draw in draws:
        largest[draw.key] = max(largest.get(draw.key, 0.0), draw.probability)
    missed = 1.0
    for probability in largest.values():
        missed *= 1 - probability
    return 1 - missed


def interleave(first: Sequence[Value], second: Sequence[Value]) -> list[Value]:
    """Return both sequences as one, each in its order and spread evenly: a beginning has the same share of each."""
    places = [((number + 0.5) / len(first), 0, value) for number, value in enumerate(first)]
    places += [((number + 0.5) / len(second), 1, value) for number, value in enumerate(second)]
    return [value for _, _, value in sorted(places, key=lambda place: place[:2])]
