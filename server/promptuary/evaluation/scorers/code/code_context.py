"""What a suite's own code gets beside the output, under promptfoo's names where it has one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pydantic import JsonValue

from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.score import ScorerInput
from promptuary.evaluation.scorers.scorer_type import ScorerConfig


@dataclass(frozen=True)
class CodeConfig(ScorerConfig):
    """Free settings, which the code gets as `context['config']`; None where there are none."""

    values: Mapping[str, JsonValue] | None = None

    @classmethod
    def parse(cls, config: Mapping[str, JsonValue]) -> Self:
        """Accept any settings."""
        return cls(config)


def code_context(sample: ScorerInput, config: CodeConfig) -> JsonObject:
    """Return what Python gets as `context`."""
    case = sample.case
    context = {
        "prompt": sample.prompt_text,
        "vars": case.vars,
        "test": {"id": case.id, "vars": case.vars, "expected": case.expected, "metadata": case.metadata},
        "metadata": case.metadata,
        "messages": [dict(message) for message in sample.messages],
        "passages": [{"text": passage.text, "document": passage.document} for passage in sample.passages],
        "logProbs": None if sample.logprobs is None else list(sample.logprobs),
        "providerResponse": _provider_response(sample),
    }
    return context if config.values is None else {**context, "config": config.values}


def javascript_context(sample: ScorerInput, config: CodeConfig) -> JsonObject:
    """Return what JavaScript gets as `context`; what is not known is left out, so that it is undefined.

    As in promptfoo, `metadata` is the provider's and not the case's, and `provider.id` becomes a function.
    """
    case, context = sample.case, dict(code_context(sample, config))
    context["metadata"] = dict(sample.metadata)
    context["test"] = {
        "id": case.id,
        "vars": case.vars,
        "expected": case.expected,
        "metadata": case.metadata,
        "assert": list(case.asserts),
        "options": {},
        **({} if case.threshold is None else {"threshold": case.threshold}),
        **case.source,
    }
    context["provider"] = {"id": "echo" if sample.model == "echo:" else sample.model}
    context["providerResponse"] = {name: value for name, value in context["providerResponse"].items() if value is not None}
    if context["logProbs"] is None:
        del context["logProbs"]
    return context


def _provider_response(sample: ScorerInput) -> JsonObject:
    stages = sample.stages
    return {
        "output": sample.output if stages is None else stages.case,
        "providerTransformedOutput": sample.output if stages is None else stages.provider,
        "finishReason": sample.finish_reason,
        "toolCalls": [dict(call) for call in sample.tool_calls],
        "tokenUsage": None if sample.tokens is None else dict(sample.tokens),
        "cost": sample.cost,
        "latencyMs": sample.latency_ms,
    }
