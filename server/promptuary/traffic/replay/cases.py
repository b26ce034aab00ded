"""Cases made of sampled calls, and why some calls make none. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.case_schema import CaseIn
from promptuary.evaluation.targets.recorded_outputs import OUTPUT
from promptuary.review.queues.case_key import case_key
from promptuary.traffic.calls.contents_codec import tool_call_json
from promptuary.traffic.calls.model_call import CallStatus
from promptuary.traffic.replay.sampled_call import CallFeedback, SampledCall

EXAMPLES_LIMIT = 5
"""The most calls that are named for one reason."""
TAG = "traffic"
"""The tag of each case that is made of a call."""


class LeftOutReason(StrEnum):
    """Why a sampled call makes no case; a reason may be followed by the names of variables."""

    NO_VARIABLES = "without variables"
    """The report had none, or its contents may not be stored."""
    ERASED = "of an erased version"
    NO_ANSWER = "without an answer"
    """The call ended in an error or was left, so that there is nothing to compare with."""
    MISMATCH = "whose variables do not fit the candidate"
    NOT_STORABLE = "with values that no case can have"


@dataclass
class Dropped:
    """The calls that make no case, by the reason.

    Attributes:
        counts: by reason.
        examples: the ids of the first ones.
        weight: how many calls they stand for together.
    """

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    weight: float = 0.0

    def add(self, call: SampledCall, reason: str) -> None:
        """Count a call."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        self.weight += call.weight
        examples = self.examples.setdefault(reason, [])
        if len(examples) < EXAMPLES_LIMIT:
            examples.append(call.id)


@dataclass(frozen=True)
class ReplayCases:
    """Cases with what production answered.

    Attributes:
        cases: with their weights.
        outputs: of the same ids, as `recorded_outputs` reads them.
        replayed: how many calls are behind them.
        dropped: the others.
        dropped_share: the share of all calls that the dropped ones stand for.
    """

    cases: Sequence[Case]
    outputs: Sequence[Case]
    replayed: int
    dropped: Dropped
    dropped_share: float


def build_cases(
    calls: Iterable[SampledCall],
    erased: frozenset[int],
    mismatch: Callable[[Mapping[str, Any]], str | None] = lambda _: None,
    *,
    needs_answer: bool,
) -> ReplayCases:
    """Make one case of each call.

    Args:
        calls: of the sample.
        erased: the versions whose contents were erased; what they answered is not copied.
        mismatch: returns why variables do not fit a candidate; None where they do.
        needs_answer: whether a call without an answer is dropped.
    """
    dropped, cases, outputs, weight = Dropped(), list[Case](), list[Case](), 0.0
    for call in calls:
        weight += call.weight
        reason = _drop_reason(call, erased, mismatch, needs_answer=needs_answer)
        case = None if reason is not None else _case(call)
        if case is None:
            dropped.add(call, reason or LeftOutReason.NOT_STORABLE)
            continue
        cases.append(case)
        outputs.append(_output(call))
    share = dropped.weight / weight if weight else 0.0
    return ReplayCases(_with_shared_inputs(cases), outputs, len(cases), dropped, share)


def merge_inputs(cases: Sequence[Case]) -> list[Case]:
    """Return one case for each input, the latest of it, with the weights of all.

    A cluster that not all of an input's cases share is left out, since the case stands for several of them.
    """
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups[case_key(case)].append(case)
    merged = []
    for group in groups.values():
        clusters = {case.cluster for case in group}
        latest = group[-1]
        metadata = {**latest.metadata, "calls": len(group)}
        if len(clusters) > 1:  # so that the erasure of any of these users reaches the case
            metadata["users"] = sorted(cluster for cluster in clusters if cluster and cluster.startswith("user:"))
        weight = sum(case.weight for case in group)
        merged.append(replace(latest, weight=weight, metadata=metadata, cluster=latest.cluster if len(clusters) == 1 else None))
    return merged


def _drop_reason(
    call: SampledCall,
    erased: frozenset[int],
    mismatch: Callable[[Mapping[str, Any]], str | None],
    *,
    needs_answer: bool,
) -> str | None:
    contents = call.contents
    if call.version in erased:
        return LeftOutReason.ERASED
    if contents is None or contents.variables is None:
        return LeftOutReason.NO_VARIABLES
    answered = contents.output is not None or bool(contents.tool_calls)
    if needs_answer and (call.status is not CallStatus.OK or not answered):
        return LeftOutReason.NO_ANSWER
    unfitting = mismatch(contents.variables)
    return None if unfitting is None else f"{LeftOutReason.MISMATCH} ({unfitting})"


def _case(call: SampledCall) -> Case | None:
    """Return a call as a case; None for values that no case can have, such as an integer beyond what JSON keeps."""
    contents = call.contents
    assert contents is not None
    body = {
        "id": call.id,
        "vars": dict(contents.variables or {}),
        "cluster": call.cluster,
        "weight": call.weight,
        "tags": [TAG, call.stratum],
        "metadata": {
            "observation": call.id,
            "version": call.version,
            "label": call.label or None,
            "at": call.at.isoformat(),
            "probability": call.probability,
            "production_output": contents.output,
            "feedback": [_feedback(entry) for entry in call.feedback],
        },
    }
    try:
        return CaseIn.model_validate(body).case()
    except ValidationError:
        return None


def _output(call: SampledCall) -> Case:
    """Return what production answered, as a dataset of outputs has it."""
    contents, details = call.contents, call.details
    assert contents is not None
    tokens = {"input": details.tokens.input, "output": details.tokens.output}
    values: dict[str, Any] = {
        OUTPUT: contents.output or "",
        "version": f"version {call.version}",
        "latency_ms": details.latency_ms,
        "tokens": tokens if None not in tokens.values() else None,
        "cost": details.cost,
        "finish_reason": details.finish,
        "tool_calls": [tool_call_json(each) for each in contents.tool_calls] or None,
    }
    return Case(call.id, {name: value for name, value in values.items() if value is not None})


def _feedback(entry: CallFeedback) -> dict[str, Any]:
    return {name: value for name, value in vars(entry).items() if value not in (None, "")}


def _with_shared_inputs(cases: Sequence[Case]) -> list[Case]:
    """Return the cases, those without a cluster in one with others of the same input: a candidate answers them alike."""
    keys = [case_key(case) for case in cases]
    counts: dict[str, int] = defaultdict(int)
    for key in keys:
        counts[key] += 1
    return [
        replace(case, cluster=f"input:{key[7:39]}") if case.cluster is None and counts[key] > 1 else case
        for case, key in zip(cases, keys, strict=True)
    ]
