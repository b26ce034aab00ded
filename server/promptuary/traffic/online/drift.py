"""How far the inputs of production are from those of a dataset: lengths of variables, and the nearest known case.

The figures are reported and judged by nobody: another distribution of lengths is no error. Pure, but for the embedding.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from promptuary.evaluation.case import Case
from promptuary.traffic.replay.sampled_call import SampledCall

CALLS_LIMIT, CASES_LIMIT = 300, 1000
"""The most calls and cases that are embedded."""
FARTHEST = 5
_PROBABILITIES = {"p10": 0.1, "p50": 0.5, "p90": 0.9, "largest": 1.0}
_SIMILARITIES = {"smallest": 0.0, "p10": 0.1, "p50": 0.5, "p90": 0.9}
Embed = Callable[[Sequence[str]], Any]
Quantiles = Mapping[str, float]


@dataclass(frozen=True)
class VariableLengths:
    """A variable in the calls of production and in the cases of a dataset.

    Attributes:
        name: of the variable.
        traffic_share: the share of all calls that have it.
        dataset_share: the share of the cases that have it.
        traffic: quantiles of its length in characters over all calls that have it; None where none has.
        dataset: over the cases.
    """

    name: str
    traffic_share: float
    dataset_share: float
    traffic: Quantiles | None
    dataset: Quantiles | None


@dataclass(frozen=True)
class FarCall:
    """A call whose nearest known case is far, with that case's id and their cosine similarity."""

    observation: str
    case: str
    similarity: float


@dataclass(frozen=True)
class InputDrift:
    """The inputs of sampled calls beside those of a dataset.

    Attributes:
        calls: how many sampled calls with variables there are.
        cases: of the dataset, how many were compared.
        variables: by name.
        nearest: quantiles of the similarity of a call to its nearest case, over all calls.
        nearest_in_dataset: of a case to the nearest other case; None for fewer than two cases.
        farthest: the calls that are the farthest from each case.
    """

    calls: int
    cases: int
    variables: Sequence[VariableLengths]
    nearest: Quantiles
    nearest_in_dataset: Quantiles | None
    farthest: Sequence[FarCall]


def input_drift(calls: Sequence[SampledCall], cases: Sequence[Case], embed: Embed) -> InputDrift:
    """Compare the variables of calls with those of cases.

    Args:
        calls: with variables, one at least; each stands for as many calls as it weighs.
        cases: one at least.
        embed: maps n texts to an n×d float array whose rows have unit length.
    """
    inputs = [dict(call.contents.variables or {}) if call.contents is not None else {} for call in calls]
    weights = np.array([call.weight for call in calls])
    known = [dict(case.vars) for case in cases]
    names = sorted({name for values in (*inputs, *known) for name in values})
    ones = np.ones(len(cases))
    variables = [
        VariableLengths(
            name,
            _share(name, inputs, weights),
            _share(name, known, ones),
            _lengths(name, inputs, weights),
            _lengths(name, known, ones),
        )
        for name in names
    ]
    rows, columns = np.asarray(embed([*map(_text, inputs)])), np.asarray(embed([*map(_text, known)]))
    similarities = rows @ columns.T
    best = similarities.argmax(axis=1)
    nearest = similarities[np.arange(len(calls)), best]
    within = columns @ columns.T
    np.fill_diagonal(within, -1.0)
    farthest = [
        FarCall(calls[place].id, cases[int(best[place])].id, float(nearest[place])) for place in np.argsort(nearest)[:FARTHEST]
    ]
    return InputDrift(
        len(calls),
        len(cases),
        variables,
        _quantiles(nearest, weights, _SIMILARITIES),
        _quantiles(within.max(axis=1), ones, _SIMILARITIES) if len(cases) > 1 else None,
        farthest,
    )


def _text(values: Mapping[str, Any]) -> str:
    return "\n".join(_value_text(values[name]) for name in sorted(values))


def _value_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _share(name: str, inputs: Sequence[Mapping[str, Any]], weights: Any) -> float:
    return float(sum(weight for values, weight in zip(inputs, weights, strict=True) if name in values) / weights.sum())


def _lengths(name: str, inputs: Sequence[Mapping[str, Any]], weights: Any) -> Quantiles | None:
    present = [
        (len(_value_text(values[name])), weight) for values, weight in zip(inputs, weights, strict=True) if name in values
    ]
    if not present:
        return None
    return _quantiles(np.array([length for length, _ in present]), np.array([each for _, each in present]), _PROBABILITIES)


def _quantiles(values: Any, weights: Any, probabilities: Mapping[str, float]) -> Quantiles:
    """Return the smallest values up to which at least each share of the weights lies."""
    order = np.argsort(values, kind="stable")
    shares = np.cumsum(weights[order]) / weights.sum()
    places = {name: min(int(np.searchsorted(shares, share - 1e-12)), len(order) - 1) for name, share in probabilities.items()}
    return {name: float(values[order][place]) for name, place in places.items()}
