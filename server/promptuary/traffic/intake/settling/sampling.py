"""Which calls stay in the sample, each with its inclusion probability. Pure.

A call has one random number. It stays where that is below the probability of its stratum, times the threshold of its
reservoir. When a reservoir has more calls than its size, the threshold falls to the (size + 1)-th smallest ratio of random
number and probability, and calls at or above it leave: the inclusion probability of those that stay is their probability times
the threshold, for which the Horvitz-Thompson estimator is unbiased (adaptive threshold sampling; Ting, 2022).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from promptuary.traffic.calls.model_call import CallStatus
from promptuary.traffic.tables import Stratum

_ORDER = tuple(Stratum)
SECONDS_OF_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Reservoir:
    """The calls of a version, a day and a stratum; `prompt_id` is None for calls without a prompt, `day` is since 1970."""

    prompt_id: int | None
    version: int
    day: int
    stratum: Stratum


@dataclass(frozen=True, slots=True)
class Placement:
    """The stratum of a call, and the probability with which it stays before its reservoir is full."""

    stratum: Stratum
    probability: float


def place_call(probabilities: Mapping[Stratum, float], status: str, *, has_low_feedback: bool, limit: float) -> Placement:
    """Return the stratum of a call: of those that it belongs to, the one with the largest probability.

    Args:
        probabilities: of the strata.
        status: how the call ended.
        has_low_feedback: whether low feedback on the call has come.
        limit: the largest probability that the call could have when it came; a call that was not below it did not wait.
    """
    strata = {Stratum.RANDOM}
    if status == CallStatus.ERROR:
        strata.add(Stratum.ERROR)
    if has_low_feedback:
        strata.add(Stratum.LOW_FEEDBACK)
    stratum = max(strata, key=lambda each: (probabilities[each], _ORDER.index(each)))
    return Placement(stratum, min(probabilities[stratum], limit))


def stays(random: float, probability: float, threshold: float) -> bool:
    """Return whether a call stays in the sample."""
    return probability > 0 and random / probability < threshold
