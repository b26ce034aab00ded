"""What the results of items share: what scorers get of a response, what is shown of it, and the texts of errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from promptuary.core.errors import PromptuaryError
from promptuary.evaluation.execution.work import WorkItem
from promptuary.evaluation.plan import CaseResult, ResultDetail
from promptuary.evaluation.scorers.score import OutputStages, ScorerInput, redacted_error_text
from promptuary.evaluation.scorers.transforms.run_transforms import Answer
from promptuary.evaluation.scorers.transforms.transform import value_text
from promptuary.evaluation.targets.target import TargetReply
from promptuary.models.calls import ModelReply
from promptuary.models.calls.setup.errors import provider_error_text
from promptuary.prompt.text import replace_refused

ERROR_TEXT_LIMIT = 1000


def scorer_input(item: WorkItem, response: TargetReply, stages: OutputStages | None, *, sensitive: bool) -> ScorerInput:
    """Return what scorers get of a response after its transforms."""
    reply = response.reply
    return ScorerInput(
        case=item.case,
        output=response_output(response, stages),
        messages=response.messages,
        latency_ms=response.latency_ms,
        passages=response.passages,
        repeat=item.repeat,
        tool_calls=reply.tool_calls,
        invalid_tool_calls=reply.invalid_tool_calls,
        refusal=reply.refusal,
        finish_reason=reply.finish_reason,
        logprobs=reply.logprobs,
        tokens=reply.tokens,
        cost=reply.cost,
        tools=response.tools,
        model=item.variant.model,
        stages=stages,
        metadata=response.metadata,
        sensitive=sensitive,
        trajectory=response.trajectory,
    )


def answer_of(item: WorkItem, response: TargetReply) -> Answer:
    """Return what transforms read of a response."""
    source = item.variant.target or item.variant.model
    return Answer(response.output, source, response.template, response.metadata)


def answer_detail(reply: ModelReply, output: str | None) -> ResultDetail:
    """Return the text that was answered, where the output is another."""
    return ResultDetail() if reply.text == output else ResultDetail(answer=reply.text)


def reply_detail(reply: ModelReply) -> ResultDetail:
    """Return what a reply has beside its output."""
    detail = ResultDetail()
    if reply.refusal is not None:
        detail["refusal"] = reply.refusal
    if reply.reasoning:
        detail["reasoning"] = reply.reasoning
    if reply.invalid_tool_calls:
        detail["invalid_tool_calls"] = [dict(call) for call in reply.invalid_tool_calls]
    return detail


@dataclass(frozen=True)
class ItemOutcome:
    """What an item came to, beside what its response took and cost.

    Attributes:
        detail: what people look at.
        metrics: each scorer's score; None where it is not known.
        output: that was scored; None where there is none.
        passed: the verdict; None where it is not known.
        score: the weighted mean of the scores; None where it is not known.
        error: why there is no output.
    """

    detail: ResultDetail
    metrics: Mapping[str, float | None]
    output: str | None = None
    passed: bool | None = None
    score: float | None = None
    error: str | None = None


def item_result(item: WorkItem, outcome: ItemOutcome, response: TargetReply | None, at: datetime) -> CaseResult:
    """Return the result of an item that was answered once, or not at all."""
    tokens: Mapping[str, int] = (response and response.reply.tokens) or {}
    latency = response.latency_ms if response else None
    return CaseResult(
        ordinal=item.ordinal,
        case=item.case.id,
        variant=item.variant.name,
        repeat=item.repeat,
        output=outcome.output,
        passed=outcome.passed,
        score=outcome.score,
        metrics=outcome.metrics,
        error=outcome.error,
        detail=outcome.detail,
        at=at,
        latency_ms=None if latency is None else round(latency, 1),
        tokens_input=tokens.get("input"),
        tokens_output=tokens.get("output"),
        cost=response.reply.cost if response else None,
        cached=response.reply.cached if response else False,
    )


def response_output(response: TargetReply, stages: OutputStages | None) -> str:
    """Return the output that is scored: what the transforms made of the answer, where there are some."""
    return response.reply.text if stages is None else value_text(stages.value)


def item_error_text(error: Exception, *, redacted: bool) -> str:
    """Return an error in one line. The product's own errors are sentences already, and repeat no value.

    Args:
        error: of an item.
        redacted: whether to leave out the texts of other programs, since they may repeat a sensitive value.
    """
    own = isinstance(error, PromptuaryError)
    if redacted and not own:
        return redacted_error_text(error)
    refused = provider_error_text(error)
    text = " ".join(replace_refused(refused or str(error)).split())
    if not own and refused is None:
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text[:ERROR_TEXT_LIMIT]
