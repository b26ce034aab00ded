"""One call that several spans of a request report is one call."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields, replace

from promptuary.traffic.calls.model_call import CallContents, CallStatus, ModelCall, TokenCounts
from promptuary.traffic.otlp.attribution import SpanTree


def merge_repeated(calls: Sequence[ModelCall], tree: SpanTree) -> list[ModelCall]:
    """Return each call once, in the order of the request, and without sums.

    Two instrumentations report a call with the same response id, often in different traces. A span of a call inside of
    another one is a second report, too; where several are inside, the outer one is their sum.
    """
    once = list({call.key: call for call in calls}.values())  # an exporter that repeats a batch may repeat a span in it
    return _merge_same_response(_merge_nested(once, tree))


def _merge_nested(calls: Sequence[ModelCall], tree: SpanTree) -> list[ModelCall]:
    by_span = {(call.trace_id, call.span_id): call for call in calls}
    if len(by_span) < 2:
        return list(calls)
    inner: dict[str, list[ModelCall]] = defaultdict(list)
    for call in calls:
        for span in tree.ancestors(call) if call.parent_span_id is not None else ():
            outer = by_span.get((span.trace_id, span.span_id))
            if outer is not None:
                if not _differ(outer, call):
                    inner[outer.key].append(call)
                break
    if not inner:
        return list(calls)
    removed: set[str] = set()
    merged: dict[str, ModelCall] = {}
    for call in reversed(calls):  # the innermost mostly comes first
        nested = [merged.get(item.key, item) for item in inner.get(call.key, ())]
        if len(nested) == 1:
            merged[call.key] = _merge(call, nested[0])
            removed.add(nested[0].key)
        elif nested:
            removed.add(call.key)
    return [merged.get(call.key, call) for call in calls if call.key not in removed]


def _differ(outer: ModelCall, call: ModelCall) -> bool:
    return None not in (outer.response_id, call.response_id) and outer.response_id != call.response_id


def _merge_same_response(calls: list[ModelCall]) -> list[ModelCall]:
    by_response: dict[str, list[ModelCall]] = defaultdict(list)
    for call in calls:
        if call.response_id is not None:
            by_response[call.response_id].append(call)
    if len(by_response) == len(calls):
        return calls
    retained: dict[str, ModelCall] = {}
    removed: set[str] = set()
    for reports in by_response.values():
        if len(reports) > 1:
            first, *others = sorted(reports, key=lambda call: (call.prompt is None, call.at))
            for other in others:
                first = _merge(first, other)
                removed.add(other.key)
            retained[first.key] = first
    return [retained.get(call.key, call) for call in calls if call.key not in removed]


def _merge(call: ModelCall, other: ModelCall) -> ModelCall:
    """Return a call with what only the other report of it has."""
    changes = {
        item.name: getattr(other, item.name)
        for item in fields(ModelCall)
        if getattr(call, item.name) is None and getattr(other, item.name) is not None
    }
    status = call.status
    if status is CallStatus.INCOMPLETE and other.status is not CallStatus.INCOMPLETE:
        status = other.status
    return replace(
        call,
        **changes,
        status=status,
        tokens=TokenCounts(
            *(
                getattr(other.tokens, item.name) if getattr(call.tokens, item.name) is None else getattr(call.tokens, item.name)
                for item in fields(TokenCounts)
            )
        ),
        contents=_merge_contents(call.contents, other.contents),
    )


def _merge_contents(contents: CallContents, other: CallContents) -> CallContents:
    if contents.is_complete or not other.is_complete:
        return contents if contents.variables is not None else replace(contents, variables=other.variables)
    return replace(other, variables=other.variables if contents.variables is None else contents.variables)
