"""Which calls of the sample are meant. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from promptuary.traffic.replay.sampled_call import SampledCall
from promptuary.traffic.tables import Stratum


@dataclass(frozen=True)
class CallSelection:
    """Calls of a prompt in the sample.

    Attributes:
        since: from when on they began.
        until: before when they began.
        version: of the prompt; None for all versions that answered.
        label: by which the application looked the version up; None for any.
        stratum: None for all.
        limit: the most calls, chosen at random; None for all.
        seed: of that choice.
    """

    since: datetime
    until: datetime
    version: int | None = None
    label: str | None = None
    stratum: Stratum | None = None
    limit: int | None = None
    seed: int = 0


def choose_calls(calls: Sequence[SampledCall], selection: CallSelection) -> list[SampledCall]:
    """Return a random choice of the calls, in their order, with the probability of both draws.

    Each call has a permanent number by the seed and its id, so that a larger limit extends the choice.
    """
    limit = selection.limit
    if limit is None or len(calls) <= limit:
        return list(calls)
    numbers = {call.id: hashlib.sha256(f"{selection.seed}\n{call.id}".encode()).digest() for call in calls}
    chosen = set(sorted(numbers, key=lambda each: numbers[each])[:limit])
    share = limit / len(calls)
    return [replace(call, probability=call.probability * share) for call in calls if call.id in chosen]
