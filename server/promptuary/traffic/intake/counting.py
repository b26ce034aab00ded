"""Calls of a request are counted, and those whose contents may be stored begin to wait."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from promptuary.traffic.calls.contents_codec import encode_contents
from promptuary.traffic.calls.model_call import Attribution, CallContents, ModelCall
from promptuary.traffic.counters.counts import CountedCall, SeriesKey
from promptuary.traffic.counters.store import SeriesHour, require_series
from promptuary.traffic.intake.attribution import AttributedCall
from promptuary.traffic.intake.prompt_resolution import WITHOUT_PROMPT, CountedPrompt, MissingPrompt
from promptuary.traffic.intake.store import add_calls
from promptuary.traffic.intake.taking import Taking, hour_of
from promptuary.traffic.redaction.json_value import redact_json
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
    taking: Taking,
    call: ModelCall,
    prompt: CountedPrompt,
    removed_before: Mapping[str, int] | None = None,
    *,
    is_partly_redacted: bool = False,
) -> tuple[ModelCall, int]:
    """Return a call without people's data, and the number of passages removed; without contents where that is unsure.

    Args:
        taking: the request.
        call: with its contents.
        prompt: that the call is counted for; its version declares variables as sensitive.
        removed_before: for variables that waited, and are redacted by patterns already: the passages removed from each.
        is_partly_redacted: whether messages waited, and are redacted by patterns already: the value of a sensitive variable
            stands in them as the patterns have left it.
    """
    names = taking.sensitive.of(taking.session, prompt.prompt_id, prompt.version)
    if names is None:
        withheld, removed = taking.redactor.redact(replace(call, contents=CallContents(is_complete=False)))
        return withheld, removed + 1
    variables, before = call.contents.variables, sum(n for name, n in (removed_before or {}).items() if name not in names)
    if removed_before is not None and names and not is_partly_redacted:
        call, removed = taking.redactor.redact(call)
        before, is_partly_redacted = before + removed, True
    if is_partly_redacted and names and variables is not None:
        left = {name: _left_by_patterns(taking, value) for name, value in variables.items()}
        changed, removed = taking.redactor.redact(replace(call, contents=replace(call.contents, variables=left)), names)
        before += removed - sum(variables.get(name) is not None for name in names)  # these are counted below
        call = replace(changed, contents=replace(changed.contents, variables=variables))
    redacted_call, removed = taking.redactor.redact(call, names)
    return redacted_call, before + removed


def _left_by_patterns(taking: Taking, value: Any) -> Any:
    return redact_json(value, taking.redactor.redact_text)[0]


def _prepare(taking: Taking, attributed: AttributedCall, redacted: int | None) -> PreparedCall:
    call, prompt = attributed.call, attributed.prompt
    key = series_key(prompt, call.model or call.response_model)
    random = taking.draw()
    is_candidate = random < taking.share(call.status.value)
    if not (is_candidate and taking.may_store(prompt.prompt_id)) and not _may_be_counted_elsewhere(attributed):
        return PreparedCall(call, key, CountedCall.of(call), None)
    redacted_call, removed = _redact_first(taking, attributed, redacted)
    contents = redacted_call.contents
    stored = encode_contents(contents) if is_candidate and contents.is_complete else None
    row = _row(taking, redacted_call, prompt, random) | {
        "contents": stored,
        "redacted": removed,
        "is_replayable": call.contents.variables is not None,
        "user_hash": attributed.user_hash,
        "awaited": attributed.awaited,
    }
    return PreparedCall(redacted_call, key, CountedCall.of(call, removed), row)


def _redact_first(taking: Taking, attributed: AttributedCall, redacted: int | None) -> tuple[ModelCall, int]:
    """Return a call that just came, redacted, and the number of passages removed.

    Where the variables may still come, the messages wait as the patterns leave them: without the values of the sensitive ones,
    these could not be found, and nothing of the contents would be stored.
    """
    call, prompt = attributed.call, attributed.prompt
    if attributed.may_get_variables:
        prompt = WITHOUT_PROMPT
    redacted_call, removed = redact(taking, call, prompt, attributed.removed, is_partly_redacted=redacted is not None)
    return redacted_call, removed + (redacted or 0)


def _may_be_counted_elsewhere(attributed: AttributedCall) -> bool:
    """Return whether a span around a call, or a second report with its response id, may change where or how it is counted."""
    call, prompt = attributed.call, attributed.prompt
    is_named = prompt.reason != MissingPrompt.NO_PROMPT and call.attribution is not Attribution.RULE
    if not is_named and call.response_id is not None:
        return True
    is_whole = is_named and prompt.version > 0 and call.contents.variables is not None
    return attributed.awaited is not None and not is_whole


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
