"""Calls of a request are counted, and those whose contents may be stored begin to wait."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from promptuary.traffic.calls.contents_codec import encode_contents
from promptuary.traffic.calls.model_call import CallContents, ModelCall
from promptuary.traffic.calls.user_hash import hash_user
from promptuary.traffic.counters.counts import CountedCall, SeriesKey
from promptuary.traffic.counters.store import SeriesHour, require_series
from promptuary.traffic.intake.attribution import AttributedCall
from promptuary.traffic.intake.prompt_resolution import CountedPrompt, MissingPrompt
from promptuary.traffic.intake.store import add_calls
from promptuary.traffic.intake.taking import Taking, hour_of
from promptuary.traffic.redaction.text import redact_text
from promptuary.traffic.sample.call_details import CallDetails
from promptuary.traffic.tables import Stratum

_MODEL_LIMIT = 200


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """A call, redacted, with its random number; `row` is None where nothing of it waits."""

    call: ModelCall
    key: SeriesKey
    counted: CountedCall
    row: dict[str, Any] | None


def count_calls(taking: Taking, calls: Sequence[AttributedCall], redacted: Mapping[str, int]) -> list[PreparedCall]:
    """Count calls, and store those that wait.

    Args:
        taking: the request.
        calls: with their prompts.
        redacted: the passages that were removed from a call's messages before, by its key.
    """
    prepared = [_prepare(taking, attributed, redacted.get(attributed.call.key)) for attributed in calls]
    ids = require_series(taking.session, taking.project, {each.key for each in prepared})
    rows = []
    for each in prepared:
        series = ids[each.key]
        taking.counts[SeriesHour(series, hour_of(taking.time_of(each.call.at)))].add(each.counted)
        if each.row is not None:
            each.row["series_id"] = series
            rows.append(each.row)
    add_calls(taking.session, rows)
    return prepared


def series_key(prompt: CountedPrompt, model: str | None) -> SeriesKey:
    """Return what a call of a model is counted by."""
    return SeriesKey(prompt.prompt_id, prompt.version, prompt.label, prompt.variant, model_name(model), prompt.reason)


@lru_cache(maxsize=1024)
def model_name(model: str | None) -> str:
    """Return the name under which a model is counted."""
    return redact_text(model[:_MODEL_LIMIT])[0] if model else ""


def redact(
    taking: Taking, call: ModelCall, prompt: CountedPrompt, *, is_partly_redacted: bool = False
) -> tuple[ModelCall, int]:
    """Return a call without people's data, and the number of passages removed; without contents where that is unsure.

    Args:
        taking: the request.
        call: with its contents.
        prompt: that the call is counted for; its version declares variables as sensitive.
        is_partly_redacted: whether messages waited, and are redacted by patterns already: the value of a sensitive variable
            stands in them as the patterns have left it.
    """
    names = taking.sensitive.of(taking.session, prompt.prompt_id, prompt.version)
    if names is None:
        withheld, removed = taking.redactor.redact(replace(call, contents=CallContents(is_complete=False)))
        return withheld, removed + 1
    variables, before = call.contents.variables, 0
    if is_partly_redacted and names and variables is not None:
        left = {name: _left_by_patterns(taking, value) for name, value in variables.items()}
        changed, before = taking.redactor.redact(replace(call, contents=replace(call.contents, variables=left)), names)
        before -= sum(variables.get(name) is not None for name in names)  # they are counted below
        call = replace(changed, contents=replace(changed.contents, variables=variables))
    redacted_call, removed = taking.redactor.redact(call, names)
    return redacted_call, before + removed


def _left_by_patterns(taking: Taking, value: Any) -> Any:
    return taking.redactor.redact_text(value)[0] if isinstance(value, str) else value


def _prepare(taking: Taking, attributed: AttributedCall, redacted: int | None) -> PreparedCall:
    call, prompt = attributed.call, attributed.prompt
    key = series_key(prompt, call.model or call.response_model)
    random = taking.draw()
    is_candidate = random < taking.share(call.status.value)
    may_stay = prompt.prompt_id is not None or taking.traffic.settings.keep == "all"
    if not (is_candidate and may_stay) and not _waits_for_prompt(call, prompt):
        return PreparedCall(call, key, CountedCall.of(call), None)
    redacted_call, removed = redact(taking, call, prompt, is_partly_redacted=redacted is not None)
    removed += redacted or 0
    contents = redacted_call.contents
    stored = encode_contents(contents) if is_candidate and contents.is_complete else None
    row = _row(taking, redacted_call, prompt, random) | {
        "contents": stored,
        "redacted": removed,
        "is_replayable": call.contents.variables is not None,
        "user_hash": hash_user(call.user, taking.traffic.user_key) if call.user else None,
    }
    return PreparedCall(redacted_call, key, CountedCall.of(call, removed), row)


def _waits_for_prompt(call: ModelCall, prompt: CountedPrompt) -> bool:
    """Return whether a call may get its prompt later: from a span around it, or from a second report with its response id."""
    has_parent = call.trace_id is not None and call.parent_span_id is not None
    return prompt.reason == MissingPrompt.NO_PROMPT and (has_parent or call.response_id is not None)


def _row(taking: Taking, call: ModelCall, prompt: CountedPrompt, random: float) -> dict[str, Any]:
    return {
        "id": f"{int(taking.now.timestamp() * 1000):012x}{os.urandom(8).hex()}",
        "project_id": taking.project,
        "key": call.key,
        "prompt_id": prompt.prompt_id,
        "version": prompt.version,
        "at": taking.time_of(call.at),
        "received_at": taking.now,
        "settle_at": taking.now + taking.traffic.settings.wait_time,
        "is_settled": False,
        "trace_id": call.trace_id,
        "span_id": call.span_id,
        "parent_span_id": call.parent_span_id,
        "response_id": call.response_id,
        "stratum": Stratum.RANDOM.value,
        "random": random,
        "probability": taking.share(call.status.value),
        "status": call.status.value,
        "details": CallDetails.of(call).to_json(),
    }
