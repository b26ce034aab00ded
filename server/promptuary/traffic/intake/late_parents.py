"""Calls of which more becomes known after they were counted: by a span around them, or by a second report of the call."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from promptuary.traffic.calls.contents_codec import decode_contents, encode_contents
from promptuary.traffic.calls.model_call import Attribution, ModelCall, PromptMark, TokenCounts
from promptuary.traffic.counters.counts import CountedCall
from promptuary.traffic.counters.store import SeriesHour, require_series
from promptuary.traffic.intake.attribution import state_prompt
from promptuary.traffic.intake.counting import redact, series_key
from promptuary.traffic.intake.prompt_resolution import CountedPrompt, MissingPrompt, resolve_marks
from promptuary.traffic.intake.spans.graph import NOTHING, SpanGraph, Surroundings
from promptuary.traffic.intake.spans.waiting_span import SpanVariables
from promptuary.traffic.intake.store import WaitingCall, calls_by_response, change_calls, open_calls, open_calls_by_id
from promptuary.traffic.intake.taking import Taking, hour_of


@dataclass(frozen=True, slots=True)
class _News:
    """What became known of a waiting call; None where nothing did, or it was known before."""

    mark: PromptMark | None = None
    attribution: Attribution | None = None
    variables: SpanVariables | None = None
    user_hash: str | None = None
    conversation: str | None = None
    may_get_variables: bool = False
    is_last: bool = False

    def is_empty_for(self, call: WaitingCall) -> bool:
        """Return whether nothing of a call changes."""
        is_silent = self.mark is None and self.variables is None and self.user_hash is None and self.conversation is None
        return is_silent and not (self.is_last and call.awaited is not None)


def move_by_spans(taking: Taking, traces: set[str], graph: SpanGraph) -> int:
    """Take what the spans around the waiting calls of some traces state; return how many calls are counted elsewhere by it."""
    return _move_by_spans(taking, open_calls(taking.session, taking.project, traces), graph, is_last=False)


def move_settling_calls(taking: Taking, ids: Collection[str]) -> None:
    """Take what the spans around calls state whose wait is over: a span may have come in the moment in which its call came."""
    waiting = open_calls_by_id(taking.session, taking.project, ids)
    _move_by_spans(taking, waiting, SpanGraph(taking.session, taking.project), is_last=True)


def _move_by_spans(taking: Taking, waiting: Sequence[WaitingCall], graph: SpanGraph, *, is_last: bool) -> int:
    starts = {
        call.id: (call.trace_id, call.parent_span_id)
        for call in waiting
        if call.trace_id is not None and call.parent_span_id is not None
    }
    around = graph.find(starts) if starts else {}
    news = [(call, _news_of_spans(call, around.get(call.id, NOTHING), is_last=is_last)) for call in waiting]
    return _change(taking, [(call, each) for call, each in news if not each.is_empty_for(call)])


def move_by_second_reports(taking: Taking, calls: Sequence[ModelCall]) -> int:
    """Move waiting calls that name no prompt, and that a second report, with the same response id, attributes to one."""
    reports = {call.response_id: call for call in calls if call.prompt is not None and call.response_id is not None}
    changes = []
    for call in calls_by_response(taking.session, taking.project, reports.keys()):
        report = reports[call.response_id or ""]
        if call.details.get("attribution") in (None, Attribution.RULE.value):
            variables = report.contents.variables
            added = SpanVariables(variables) if variables is not None and not call.is_replayable else None
            changes.append((call, _News(report.prompt, Attribution.SPAN, added, is_last=True)))
    return _change(taking, changes)


def _news_of_spans(call: WaitingCall, around: Surroundings, *, is_last: bool) -> _News:
    own = _own_mark(call)
    stated = state_prompt(own, around)
    is_named_first = own is None and call.details.get("attribution") != Attribution.ANCESTOR.value
    is_completed = own is not None and stated.mark != own and not call.version
    return _News(
        mark=stated.mark if is_named_first or is_completed else None,
        attribution=stated.attribution,
        variables=None if call.is_replayable else stated.variables,
        user_hash=around.user_hash if call.user_hash is None else None,
        conversation=around.conversation if call.details.get("conversation") is None else None,
        may_get_variables=not is_last and not around.is_whole and around.prompt is None,
        is_last=is_last or around.is_whole,
    )


def _change(taking: Taking, changes: Sequence[tuple[WaitingCall, _News]]) -> int:
    """Store what became known of calls, and count them by it; return how many are counted elsewhere now."""
    if not changes:
        return 0
    marks = {news.mark for _, news in changes if news.mark is not None}
    prompts = resolve_marks(taking.session, taking.project, marks) if marks else {}
    keys = {call.id: series_key(prompts[news.mark], _model(call)) for call, news in changes if news.mark is not None}
    ids = require_series(taking.session, taking.project, set(keys.values())) if keys else {}
    rows, moved = [], []
    for call, news in changes:
        series = ids[keys[call.id]] if call.id in keys else call.series_id
        row = _changed(taking, call, news, prompts[news.mark] if news.mark is not None else None)
        hour, before = hour_of(call.at), _counted(call)
        after = replace(before, redacted=row["redacted"], is_replayable=row["is_replayable"])
        if (series, after) != (call.series_id, before):
            taking.counts[SeriesHour(call.series_id, hour)].add(before, -1)
            taking.counts[SeriesHour(series, hour)].add(after)
        if series != call.series_id:
            moved.append(call.id)
        rows.append(row | {"series_id": series})
    change_calls(taking.session, rows)
    taking.moved += moved
    return len(moved)


def _changed(taking: Taking, call: WaitingCall, news: _News, prompt: CountedPrompt | None) -> dict[str, Any]:
    """Return what is stored of a call; its contents are redacted again, by what the version declares."""
    counted = prompt or CountedPrompt(call.prompt_id, call.version, reason=call.series_reason)
    is_replayable = call.is_replayable or news.variables is not None
    contents, redacted = _redacted_again(taking, call, news, counted, is_changed=prompt is not None)
    details = dict(call.details)
    if news.mark is not None and news.attribution is not None:
        details["attribution"] = news.attribution.value
    if news.conversation is not None:
        details["conversation"] = taking.redactor.redact_text(news.conversation)[0]
    return {
        "of_id": call.id,
        "prompt_id": counted.prompt_id,
        "version": counted.version,
        "details": details,
        "contents": contents,
        "redacted": redacted,
        "is_replayable": is_replayable,
        "user_hash": call.user_hash or news.user_hash,
        "awaited": None if news.is_last else call.awaited,
    }


def _redacted_again(
    taking: Taking, call: WaitingCall, news: _News, prompt: CountedPrompt, *, is_changed: bool
) -> tuple[bytes | None, int]:
    """Return the contents of a call as they are stored, and the passages that were removed from them in all."""
    waits_for_report = call.response_id is not None and prompt.reason == MissingPrompt.NO_PROMPT
    if news.is_last and not waits_for_report and not taking.may_store(prompt.prompt_id):
        return None, 0
    is_replayable = call.is_replayable or news.variables is not None
    lacks_variables = not is_replayable and not news.may_get_variables and _is_sensitive(taking, prompt)
    if call.contents is None or not (is_changed or news.variables is not None or lacks_variables):
        return call.contents, call.redacted
    contents, removed_before = decode_contents(call.contents), None
    if contents.variables is None and news.variables is not None:
        contents, removed_before = replace(contents, variables=news.variables.values), news.variables.removed
    again = ModelCall(key="", at=call.at, contents=contents)
    cleaned, removed = redact(taking, again, prompt, removed_before, is_partly_redacted=True)
    return encode_contents(cleaned.contents) if cleaned.contents.is_complete else None, call.redacted + removed


def _is_sensitive(taking: Taking, prompt: CountedPrompt) -> bool:
    return taking.sensitive.of(taking.session, prompt.prompt_id, prompt.version) != frozenset()


def _own_mark(call: WaitingCall) -> PromptMark | None:
    mark = (call.awaited or {}).get("mark")
    return None if mark is None else PromptMark(**mark)


def _counted(call: WaitingCall) -> CountedCall:
    details = call.details
    tokens = TokenCounts(**details.get("tokens", {}))
    latency, cost = details.get("latency_ms"), details.get("cost")
    return CountedCall(call.status, latency, tokens, cost, call.is_replayable, call.redacted)


def _model(call: WaitingCall) -> str | None:
    return call.details.get("model") or call.details.get("response_model")
