"""The prompt of each call: named by its own report, by the nearest span around it, or by a rule of the project."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from promptuary.traffic.calls.model_call import Attribution, ModelCall, PromptMark
from promptuary.traffic.intake.prompt_resolution import WITHOUT_PROMPT, CountedPrompt, resolve_marks
from promptuary.traffic.intake.span_graph import NamedPrompt, SpanGraph
from promptuary.traffic.intake.taking import Taking
from promptuary.traffic.settings.rule import find_rule


@dataclass(frozen=True, slots=True)
class AttributedCall:
    """A call with what it is counted for."""

    call: ModelCall
    prompt: CountedPrompt


def attribute(taking: Taking, calls: Sequence[ModelCall], graph: SpanGraph) -> list[AttributedCall]:
    """Return each call with its prompt, in the same order."""
    marked = with_ancestors(calls, graph)
    rules = taking.traffic.rules
    if rules:
        marked = [_with_rule(taking, call) if call.prompt is None else call for call in marked]
    prompts = resolve_marks(taking.session, taking.project, {call.prompt for call in marked if call.prompt is not None})
    return [AttributedCall(call, WITHOUT_PROMPT if call.prompt is None else prompts[call.prompt]) for call in marked]


def with_ancestors(calls: Sequence[ModelCall], graph: SpanGraph) -> list[ModelCall]:
    """Return calls that name no prompt with the one that the nearest span around them names, in the same order."""
    starts = {
        call.key: (call.trace_id, call.parent_span_id)
        for call in calls
        if call.prompt is None and call.trace_id is not None and call.parent_span_id is not None
    }
    marks = graph.find_marks(starts) if starts else {}
    return [_with_prompt(call, marks[call.key]) if call.prompt is None and call.key in marks else call for call in calls]


def _with_prompt(call: ModelCall, named: NamedPrompt) -> ModelCall:
    contents = call.contents
    if contents.variables is None:
        contents = replace(contents, variables=named.variables)
    return replace(call, prompt=named.mark, attribution=Attribution.ANCESTOR, contents=contents)


def _with_rule(taking: Taking, call: ModelCall) -> ModelCall:
    rule = find_rule(taking.traffic.rules, call)
    return call if rule is None else replace(call, prompt=PromptMark(rule.prompt), attribution=Attribution.RULE)
