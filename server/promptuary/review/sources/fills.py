"""How a queue was filled, as it is recorded at the queue: every selection with its random slice. Pure.

The record is what inclusion probabilities are computed from, also of items that come later: an item that an earlier slice could
have brought, and did not, had a chance there too.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from promptuary.review.sources.candidates import Candidate
from promptuary.review.sources.random_slice import SliceDraw, union_probability
from promptuary.review.sources.selection import ResultSelection, RunSelection, SampleRequest


@dataclass(frozen=True)
class Fill:
    """One filling of a queue from a run.

    Attributes:
        selection: what was requested.
        population_size: how many results or pairs could have come.
        added: how many items were new in the queue.
        gold: how many could not come, since their case is gold.
        by: the identity of who did it.
        at: when, in ISO 8601.
    """

    selection: RunSelection
    population_size: int
    added: int
    gold: int
    by: str
    at: str

    @property
    def draw(self) -> SliceDraw | None:
        """The draw of the random slice; None without one."""
        sample = self.selection.sample
        if sample is None:
            return None
        return SliceDraw(population_name(self.selection), sample.seed, sample.size, self.population_size)

    def could_bring(self, candidate: Candidate) -> bool:
        """Return whether a result or a pair belonged to the population."""
        selection = self.selection
        is_same_run = candidate.source.startswith(f"{selection.run}/")
        is_same_type = (selection.pairs is not None) == (candidate.variant is None)
        has_variant = selection.pairs is not None or selection.variant in (None, candidate.variant)
        return is_same_run and is_same_type and has_variant and (selection.cases is None or candidate.case in selection.cases)


def population_name(selection: RunSelection) -> str:
    """Return the name of the population that a slice of a selection is drawn from."""
    cases = None if selection.cases is None else sorted(selection.cases)
    parts = json.dumps([selection.run, selection.variant, selection.pairs, cases], sort_keys=True)
    return f"{selection.run} {hashlib.sha256(parts.encode()).hexdigest()[:16]}"


def slice_probability(fills: Iterable[Fill], candidate: Candidate) -> float:
    """Return the probability that at least one random slice of the fills brings an item; see `random_slice`."""
    return union_probability(fill.draw for fill in fills if fill.draw is not None and fill.could_bring(candidate))


def fill_to_json(fill: Fill) -> dict[str, Any]:
    """Return the JSON of a fill as the queue stores and answers it; of a random slice with its probability."""
    selection, draw = fill.selection, fill.draw
    sample = None
    if draw is not None:
        sample = {"size": draw.size, "seed": draw.seed, "population": draw.population_size, "probability": draw.probability}
    return {
        "run": selection.run,
        "only": selection.only,
        "variant": selection.variant,
        "cases": None if selection.cases is None else list(selection.cases),
        "pairs": None if selection.pairs is None else list(selection.pairs),
        "sample": sample,
        "population": fill.population_size,
        "added": fill.added,
        "gold": fill.gold,
        "by": fill.by,
        "at": fill.at,
    }


def fill_from_json(body: dict[str, Any]) -> Fill:
    """Build a fill from its stored JSON."""
    sample, pairs = body["sample"], body["pairs"]
    selection = RunSelection(
        run=body["run"],
        only=None if body["only"] is None else ResultSelection(body["only"]),
        variant=body["variant"],
        cases=None if body["cases"] is None else tuple(body["cases"]),
        pairs=None if pairs is None else (pairs[0], pairs[1]),
        sample=None if sample is None else SampleRequest(sample["size"], sample["seed"]),
    )
    return Fill(selection, body["population"], body["added"], body["gold"], body["by"], body["at"])


def read_fills(source: dict[str, Any] | None) -> Sequence[Fill]:
    """Return the fills that a queue's `source` records, in their order."""
    return [fill_from_json(body) for body in (source or {}).get("fills", [])]
