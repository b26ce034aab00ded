"""The prompt of each call: named by its own report, by the nearest span around it, or by a rule of the project."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from promptuary.registry.label_store import LabelTarget, target_history
from promptuary.registry.store import find_prompt
from promptuary.traffic.calls.model_call import Attribution, ModelCall, PromptMark
from promptuary.traffic.calls.user_hash import hash_user
from promptuary.traffic.intake.prompt_resolution import WITHOUT_PROMPT, CountedPrompt, resolve_marks
from promptuary.traffic.intake.spans.graph import NOTHING, SpanGraph, Surroundings
from promptuary.traffic.intake.spans.waiting_span import SpanVariables, mark_json
from promptuary.traffic.intake.taking import Taking
from promptuary.traffic.otlp.prompt_marks import complete_mark
from promptuary.traffic.settings.rule import find_rule


@dataclass(frozen=True, slots=True)
class AttributedCall:
    """A call with what it is counted for.

    Attributes:
        call: with what the spans around it state of it.
        prompt: that it is counted for.
        user_hash: of the end user.
        removed: the passages that were removed before from the variables of a span, see `SpanVariables`; None where the
            variables are as they were reported.
        awaited: what `ObservationRow` has of a call of which a span may still state more; None where that is not possible.
        may_get_variables: whether a span may still bring the variables of its prompt.
    """

    call: ModelCall
    prompt: CountedPrompt
    user_hash: str | None = None
    removed: Mapping[str, int] | None = None
    awaited: dict[str, Any] | None = None
    may_get_variables: bool = False


@dataclass(frozen=True, slots=True)
class StatedPrompt:
    """The prompt of a call and its variables: of its own report, completed by the nearest span around it that names one."""

    mark: PromptMark | None
    attribution: Attribution | None
    variables: SpanVariables | None = None


def state_prompt(own: PromptMark | None, around: Surroundings) -> StatedPrompt:
    """Return what a call's own report and the spans around it state of its prompt.

    A span that names another prompt than the call does states nothing of it.

    Args:
        own: that the report names.
        around: what the spans around the call state.
    """
    outer = around.prompt
    if own is None:
        return StatedPrompt(outer, None if outer is None else Attribution.ANCESTOR, around.variables)
    if outer is None or outer.name != own.name:
        return StatedPrompt(own, Attribution.SPAN)
    return StatedPrompt(complete_mark(own, outer), Attribution.SPAN, around.variables)


def attribute(taking: Taking, calls: Sequence[ModelCall], graph: SpanGraph) -> list[AttributedCall]:
    """Return each call with its prompt, in the same order."""
    around = _find_surroundings(calls, graph)
    stated = [_with_surroundings(taking, call, around.get(call.key, NOTHING)) for call in calls]
    rules = taking.traffic.rules
    if rules:
        labels = LabelHistories()
        stated = [
            replace(each, call=_with_rule(taking, each.call, labels)) if each.call.prompt is None else each for each in stated
        ]
    prompts = resolve_marks(
        taking.session, taking.project, {each.call.prompt for each in stated if each.call.prompt is not None}
    )
    return [each if each.call.prompt is None else replace(each, prompt=prompts[each.call.prompt]) for each in stated]


def with_ancestors(calls: Sequence[ModelCall], graph: SpanGraph) -> list[ModelCall]:
    """Return calls with the prompts and the variables that the spans around them state, in the same order."""
    around = _find_surroundings(calls, graph)
    return [_with_prompt(call, state_prompt(call.prompt, around[call.key])) if call.key in around else call for call in calls]


def _find_surroundings(calls: Sequence[ModelCall], graph: SpanGraph) -> dict[str, Surroundings]:
    starts = {
        call.key: (call.trace_id, call.parent_span_id)
        for call in calls
        if call.trace_id is not None and call.parent_span_id is not None and not _has_all(call)
    }
    return graph.find(starts) if starts else {}


def _has_all(call: ModelCall) -> bool:
    """Return whether no span around a call can state more of it."""
    has_version = call.prompt is not None and (call.prompt.version is not None or call.prompt.digest is not None)
    return has_version and None not in (call.contents.variables, call.user, call.conversation)


def _with_surroundings(taking: Taking, call: ModelCall, around: Surroundings) -> AttributedCall:
    stated = state_prompt(call.prompt, around)
    removed = stated.variables.removed if call.contents.variables is None and stated.variables is not None else None
    may_wait = call.trace_id is not None and call.parent_span_id is not None and not (around.is_whole or _has_all(call))
    own = call.prompt if call.attribution is not Attribution.ANCESTOR else None
    user_hash = hash_user(call.user, taking.traffic.user_key) if call.user else around.user_hash
    changed = _with_prompt(call, stated)
    if call.conversation is None and around.conversation is not None:
        changed = replace(changed, conversation=around.conversation)
    awaited = {"mark": None if own is None else mark_json(own)} if may_wait else None
    may_get_variables = may_wait and around.prompt is None and call.contents.variables is None
    return AttributedCall(changed, WITHOUT_PROMPT, user_hash, removed, awaited, may_get_variables)


def _with_prompt(call: ModelCall, stated: StatedPrompt) -> ModelCall:
    contents = call.contents
    if contents.variables is None and stated.variables is not None:
        contents = replace(contents, variables=stated.variables.values)
    attribution = stated.attribution if call.prompt is None and call.attribution is None else call.attribution
    if (stated.mark, attribution) == (call.prompt, call.attribution) and contents is call.contents:
        return call
    return replace(call, prompt=stated.mark, attribution=attribution, contents=contents)


@dataclass
class LabelHistories:
    """The histories of the labels that rules name, each read once in a request."""

    _histories: dict[tuple[str, str], Sequence[tuple[datetime, LabelTarget | None]]] = field(default_factory=dict)

    def version_at(self, taking: Taking, prompt: str, label: str, at: datetime) -> int | None:
        """Return the version at which a label pointed at a time; None for a split, and where the label was not set."""
        if (prompt, label) not in self._histories:
            record = find_prompt(taking.session, taking.project, prompt)
            self._histories[prompt, label] = [] if record is None else target_history(taking.session, record, label)
        targets = [target for since, target in self._histories[prompt, label] if since <= at]
        last = targets[-1] if targets else None
        return None if last is None or last.split is not None else last.version


def _with_rule(taking: Taking, call: ModelCall, labels: LabelHistories) -> ModelCall:
    rule = find_rule(taking.traffic.rules, call)
    if rule is None:
        return call
    version = rule.version if rule.label is None else labels.version_at(taking, rule.prompt, rule.label, call.at)
    mark = PromptMark(rule.prompt, None if version is None else str(version), rule.label)
    return replace(call, prompt=mark, attribution=Attribution.RULE)
