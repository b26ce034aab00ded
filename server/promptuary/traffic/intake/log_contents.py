"""Messages that an emitter sends as log records: joined with their call, whichever comes first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from promptuary.traffic.calls.contents_codec import decode_contents, encode_contents
from promptuary.traffic.calls.model_call import CallContents, LogContents, ModelCall
from promptuary.traffic.counters.store import SeriesHour
from promptuary.traffic.intake.contents_join import join_contents
from promptuary.traffic.intake.digests import digest_of, key_digest, span_digest, span_key
from promptuary.traffic.intake.store import (
    WaitingCall,
    WaitingContents,
    add_contents,
    calls_by_span,
    change_calls,
    known_keys,
    take_contents,
)
from promptuary.traffic.intake.taking import Taking, hour_of


def contents_digest(project: int, contents: LogContents) -> int:
    """Return the digest by which messages that come twice are recognized."""
    whole = encode_contents(contents.contents).hex()
    return digest_of(project, "log", contents.trace_id, contents.span_id, whole, contents.finish or "")


@dataclass(frozen=True)
class JoinedCalls:
    """Calls with the messages that came before them; `redacted` has, by a call's key, the passages removed from those."""

    calls: Sequence[ModelCall]
    redacted: Mapping[str, int]


def with_waiting_contents(taking: Taking, calls: Sequence[ModelCall]) -> JoinedCalls:
    """Return calls with the messages that came before them; the messages do not wait any more."""
    spans = {
        call.key: span_digest(taking.project, call.trace_id, call.span_id)
        for call in calls
        if call.trace_id is not None and call.span_id is not None and _has_no_messages(call.contents)
    }
    waiting = take_contents(taking.session, spans.values())
    contents = {key: waiting[span] for key, span in spans.items() if span in waiting}
    joined = [_joined(call, contents[call.key]) if call.key in contents else call for call in calls]
    return JoinedCalls(joined, {key: each.redacted for key, each in contents.items()})


def join_log_contents(taking: Taking, contents: Sequence[LogContents]) -> None:
    """Join messages with the calls that wait for them, and let the others wait for their calls."""
    by_span: dict[tuple[str, str], LogContents] = {}
    for each in contents:
        span = (each.trace_id, each.span_id)
        before = by_span.get(span)
        by_span[span] = each if before is None else _combined(before, each)
    calls = {(call.trace_id, call.span_id): call for call in calls_by_span(taking.session, taking.project, by_span.keys())}
    changes = [_change(taking, calls[span], each) for span, each in by_span.items() if span in calls]
    change_calls(taking.session, [change for change in changes if change is not None])
    _wait(taking, _without_known_calls(taking, [each for span, each in by_span.items() if span not in calls]))


def _has_no_messages(contents: CallContents) -> bool:
    return contents.input is None and contents.output is None and not contents.tool_calls


def _joined(call: ModelCall, waiting: WaitingContents) -> ModelCall:
    return replace(
        call, contents=join_contents(call.contents, decode_contents(waiting.contents)), finish=call.finish or waiting.finish
    )


def _combined(first: LogContents, second: LogContents) -> LogContents:
    return replace(first, contents=join_contents(first.contents, second.contents), finish=first.finish or second.finish)


def _change(taking: Taking, call: WaitingCall, joining: LogContents) -> dict[str, object] | None:
    """Return what is stored of a call with more messages; None where its contents are not stored."""
    if call.contents is None:
        return None
    stored = decode_contents(call.contents)
    finish, in_finish = (None, 0) if joining.finish is None else taking.redactor.redact_text(joining.finish)
    if taking.sensitive.of(taking.session, call.prompt_id, call.version) == frozenset():
        added, removed = taking.redactor.redact(ModelCall(key="", at=call.at, contents=joining.contents))
        whole = join_contents(stored, added.contents)
    elif not _has_no_messages(stored):
        return None  # the values of its sensitive variables are not known any more: no further message is stored
    else:
        whole, removed = CallContents(is_complete=False), 1
    removed += in_finish
    taking.counts[SeriesHour(call.series_id, hour_of(call.at))].redacted += removed
    return {
        "of_id": call.id,
        "series_id": call.series_id,
        "prompt_id": call.prompt_id,
        "version": call.version,
        "details": call.details if finish is None else {"finish": finish} | call.details,
        "contents": encode_contents(whole) if whole.is_complete else None,
        "redacted": call.redacted + removed,
        "is_replayable": call.is_replayable,
        "user_hash": call.user_hash,
        "awaited": call.awaited,
    }


def _without_known_calls(taking: Taking, contents: Sequence[LogContents]) -> list[LogContents]:
    """Return messages whose call has not come: those of a call that came and does not wait are not stored."""
    keys = [key_digest(taking.project, span_key(each.trace_id, each.span_id)) for each in contents]
    known = known_keys(taking.session, keys)
    return [each for each, key in zip(contents, keys, strict=True) if key not in known]


def _wait(taking: Taking, contents: Sequence[LogContents]) -> None:
    """Store messages that wait for their calls, with those of the same span that wait already."""
    spans = {span_digest(taking.project, each.trace_id, each.span_id): each for each in contents}
    before = take_contents(taking.session, spans.keys())
    rows = []
    for span, each in spans.items():
        reported = ModelCall(key="", at=taking.now, finish=each.finish, contents=each.contents)
        cleaned, removed = taking.redactor.redact(reported)
        whole, finish = cleaned.contents, cleaned.finish
        if span in before:
            whole = join_contents(decode_contents(before[span].contents), whole)
            finish, removed = before[span].finish or finish, before[span].redacted + removed
        rows.append(WaitingContents(span, encode_contents(whole), finish, removed))
    add_contents(taking.session, taking.project, rows, taking.seconds)
