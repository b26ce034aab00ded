"""Calls whose prompt becomes known after they were counted: by a span around them, or by a second report of the call."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from promptuary.traffic.calls.contents_codec import decode_contents, encode_contents
from promptuary.traffic.calls.model_call import Attribution, ModelCall, TokenCounts
from promptuary.traffic.counters.counts import CountedCall
from promptuary.traffic.counters.store import SeriesHour, require_series
from promptuary.traffic.intake.counting import redact, series_key
from promptuary.traffic.intake.prompt_resolution import CountedPrompt, MissingPrompt, resolve_marks
from promptuary.traffic.intake.span_graph import NamedPrompt, SpanGraph
from promptuary.traffic.intake.store import WaitingCall, calls_by_response, calls_without_prompt, change_calls
from promptuary.traffic.intake.taking import Taking, hour_of


def move_by_spans(taking: Taking, traces: set[str], graph: SpanGraph) -> int:
    """Move the waiting calls of some traces to the prompt that a span around them names; return how many were moved."""
    waiting = calls_without_prompt(taking.session, taking.project, traces, MissingPrompt.NO_PROMPT.value)
    starts = {
        call.id: (call.trace_id, call.parent_span_id)
        for call in waiting
        if call.trace_id is not None and call.parent_span_id is not None
    }
    marks = graph.find_marks(starts) if starts else {}
    return _move(taking, {call.id: call for call in waiting}, marks, Attribution.ANCESTOR)


def move_by_second_reports(taking: Taking, calls: Sequence[ModelCall]) -> int:
    """Move waiting calls without a prompt that a second report, with the same response id, attributes to one."""
    marks = {
        call.response_id: NamedPrompt(call.prompt, call.contents.variables)
        for call in calls
        if call.prompt is not None and call.response_id is not None
    }
    waiting = {
        call.id: call
        for call in calls_by_response(taking.session, taking.project, marks.keys())
        if call.prompt_id is None and call.series_reason == MissingPrompt.NO_PROMPT
    }
    return _move(taking, waiting, {number: marks[call.response_id or ""] for number, call in waiting.items()}, Attribution.SPAN)


def _move(
    taking: Taking, waiting: Mapping[str, WaitingCall], marks: Mapping[str, NamedPrompt], attribution: Attribution
) -> int:
    prompts = resolve_marks(taking.session, taking.project, {named.mark for named in marks.values()}) if marks else {}
    known = {number: prompt for number, named in marks.items() if (prompt := prompts[named.mark]).prompt_id is not None}
    if not known:
        return 0
    keys = {number: series_key(prompt, _model(waiting[number])) for number, prompt in known.items()}
    ids = require_series(taking.session, taking.project, set(keys.values()))
    changes = []
    for number, prompt in known.items():
        call, series = waiting[number], ids[keys[number]]
        changed = _changed(taking, call, prompt, marks[number].variables)
        hour, before = hour_of(call.at), _counted(call)
        taking.counts[SeriesHour(call.series_id, hour)].add(before, -1)
        after = replace(before, redacted=changed["redacted"], is_replayable=changed["is_replayable"])
        taking.counts[SeriesHour(series, hour)].add(after)
        details = call.details | {"attribution": attribution.value}
        changes.append(changed | {"series_id": series, "details": details})
    change_calls(taking.session, changes)
    taking.moved += known
    return len(changes)


def _changed(taking: Taking, call: WaitingCall, prompt: CountedPrompt, variables: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what is stored of a call with its prompt; its contents are redacted again, by what the version declares."""
    contents, redacted = call.contents, call.redacted
    if contents is not None:
        before = decode_contents(contents)
        if before.variables is None:
            before = replace(before, variables=variables)
        cleaned, removed = redact(taking, ModelCall(key="", at=call.at, contents=before), prompt, is_partly_redacted=True)
        contents = encode_contents(cleaned.contents) if cleaned.contents.is_complete else None
        redacted += removed
    return {
        "of_id": call.id,
        "prompt_id": prompt.prompt_id,
        "version": prompt.version,
        "contents": contents,
        "redacted": redacted,
        "is_replayable": call.is_replayable or variables is not None,
    }


def _counted(call: WaitingCall) -> CountedCall:
    details = call.details
    tokens = TokenCounts(**details.get("tokens", {}))
    latency, cost = details.get("latency_ms"), details.get("cost")
    return CountedCall(call.status, latency, tokens, cost, call.is_replayable, call.redacted)


def _model(call: WaitingCall) -> str | None:
    return call.details.get("model") or call.details.get("response_model")
