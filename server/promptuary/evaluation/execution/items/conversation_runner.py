"""The run of one conversation: its turns are answered one after the other, and scored when all of them are.

A conversation of which a turn cannot be answered is an error as a whole: no turn of it is scored. What was answered before is
shown with the error, and what it cost is counted.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from promptuary.core.clock import Clock
from promptuary.evaluation.conversations.conversation import (
    TurnContext,
    summed_cost,
    summed_reply,
    summed_tokens,
)
from promptuary.evaluation.conversations.tool_results import ToolAnswers
from promptuary.evaluation.conversations.transcript import transcript
from promptuary.evaluation.conversations.turn import Turn
from promptuary.evaluation.execution.items.conversation_score import ConversationScore, score_conversation
from promptuary.evaluation.execution.items.response import (
    ItemOutcome,
    answer_detail,
    answer_of,
    item_error_text,
    item_result,
    reply_detail,
    response_output,
    scorer_input,
)
from promptuary.evaluation.execution.work import WorkItem
from promptuary.evaluation.plan import CaseResult, ResultDetail, TurnDetail
from promptuary.evaluation.scorers.per_case import CaseScorers, CombinedScore, score_output
from promptuary.evaluation.scorers.score import OutputStages, Score, Scorer, ScorerInput
from promptuary.evaluation.scorers.transforms.run_transforms import RunTransforms
from promptuary.evaluation.targets.target import Target, TargetReply, TargetTrace
from promptuary.models.calls import ModelReply, time_limit


@dataclass(frozen=True)
class _AnsweredTurn:
    """A turn with its response, and the output after the transforms."""

    turn: Turn
    response: TargetReply
    stages: OutputStages | None

    @property
    def output(self) -> str:
        return response_output(self.response, self.stages)


class _TurnFailed(Exception):
    """A turn is not answered; the text is the result's error."""


@dataclass
class _Progress:
    """What one conversation has come to so far: its answered turns, and the trace of the one in flight."""

    turns: list[_AnsweredTurn] = field(default_factory=list)
    trace: TargetTrace = field(default_factory=TargetTrace)

    @property
    def replies(self) -> list[ModelReply]:
        """The replies of answered turns, and those of an unfinished one."""
        return [turn.response.reply for turn in self.turns] + self.trace.replies


@dataclass(frozen=True)
class ConversationRunner:
    """Runs conversations.

    Attributes:
        target: answers the turns.
        scorers: those of the suite, the cases and their turns.
        transforms: make the output that is scored of each answer.
        timeout: seconds for each call of a model with its retries, without waits for capacity.
        clock: returns the current time.
        score: runs one scorer; it never raises.
    """

    target: Target
    scorers: CaseScorers
    transforms: RunTransforms
    timeout: float
    clock: Clock
    score: Callable[[Scorer, ScorerInput], Awaitable[Score]]

    async def run(self, item: WorkItem) -> CaseResult:
        """Answer all turns, score them and the whole, and return the result."""
        progress = _Progress()
        try:
            await self._answer_turns(item, progress)
        except _TurnFailed as error:
            return self._failed(item, progress, str(error))
        return await self._scored(item, progress)

    async def _answer_turns(self, item: WorkItem, progress: _Progress) -> None:
        """Answer one turn after the other.

        Raises:
            _TurnFailed: for the first that is not answered.
        """
        case, turns = item.case, item.case.all_turns
        tools = ToolAnswers(case.tool_results, shows_arguments=not self._is_sensitive(item)) if case.tool_results else None
        steps = case.max_steps if tools is not None else 1
        context = TurnContext(turns[0], 1, is_last=len(turns) == 1, tools=tools, max_steps=steps)
        for number, turn in enumerate(turns, 1):
            if number > 1:
                added = progress.turns[-1].response.added
                context = context.following(turn, added, is_last=number == len(turns))
            progress.trace = TargetTrace()
            answered = await self._answer_turn(replace(item, case=case.of_turn(number)), context, progress.trace)
            progress.trace.replies.clear()
            progress.turns.append(answered)

    async def _answer_turn(self, item: WorkItem, context: TurnContext, trace: TargetTrace) -> _AnsweredTurn:
        place = f"turn {context.number}: " if item.case.turns else ""
        seconds = self.timeout * context.max_steps
        try:
            async with time_limit(seconds):
                response = await self.target.answer(item.case, item.variant, item.repeat, trace, context)
            return _AnsweredTurn(context.turn, response, await self.transforms.apply(item.case, answer_of(item, response)))
        except TimeoutError:
            raise _TurnFailed(f"{place}no response within {seconds:g} seconds") from None
        except Exception as error:
            raise _TurnFailed(place + item_error_text(error, redacted=self._is_sensitive(item))) from error

    async def _scored(self, item: WorkItem, progress: _Progress) -> CaseResult:
        sensitive = self._is_sensitive(item)
        samples = [
            scorer_input(replace(item, case=item.case.of_turn(number)), answered.response, answered.stages, sensitive=sensitive)
            for number, answered in enumerate(progress.turns, 1)
        ]
        whole = self._whole_input(item, progress, samples)
        if item.case.turns:
            turns = [(answered.turn, sample) for answered, sample in zip(progress.turns, samples, strict=True)]
            outcome = await score_conversation(self.scorers, whole, turns, self.score)
        else:
            single = await score_output(self.scorers, whole, self.score)
            outcome = ConversationScore(single, (single,))
        reply = progress.turns[-1].response.reply
        scores = outcome.whole.labelled_scores
        return replace(
            self._result(item, progress, outcome.turns),
            output=whole.output,
            passed=outcome.whole.passed,
            score=outcome.whole.score,
            metrics=outcome.whole.metrics,
            detail={
                **self._detail(progress, outcome.turns),
                **reply_detail(reply),
                **answer_detail(reply, whole.output),
                "scores": scores,
            },
        )

    def _whole_input(self, item: WorkItem, progress: _Progress, samples: Sequence[ScorerInput]) -> ScorerInput:
        """Return the conversation as scorers of the whole get it: the last answer, with the sums and the steps of all turns."""
        last, reply = samples[-1], summed_reply(progress.replies)
        steps = [sample.trajectory for sample in samples]
        known = [trajectory for trajectory in steps if trajectory is not None]
        messages = [message for answered in progress.turns for message in answered.response.added]
        return replace(
            last,
            case=item.case,
            latency_ms=_latency(progress),
            passages=tuple(passage for sample in samples for passage in sample.passages),
            tool_calls=reply.tool_calls,
            invalid_tool_calls=reply.invalid_tool_calls,
            tokens=reply.tokens,
            cost=reply.cost,
            trajectory=tuple(step for trajectory in known for step in trajectory) if len(known) == len(steps) else None,
            transcript=transcript(messages) if len(samples) > 1 else None,
        )

    def _failed(self, item: WorkItem, progress: _Progress, error: str) -> CaseResult:
        return replace(
            self._result(item, progress, ()),
            error=error,
            metrics=dict.fromkeys(self.scorers.metric_names_of(item.case)),
        )

    def _result(self, item: WorkItem, progress: _Progress, scores: Sequence[CombinedScore]) -> CaseResult:
        """Build a result without a verdict, with what all calls took and cost."""
        replies = progress.replies
        tokens: Mapping[str, int] = summed_tokens(replies) or {}
        return replace(
            item_result(item, ItemOutcome(self._detail(progress, scores), metrics={}), None, self.clock()),
            latency_ms=_latency(progress),
            tokens_input=tokens.get("input"),
            tokens_output=tokens.get("output"),
            cost=summed_cost(replies),
            cached=bool(replies) and all(reply.cached for reply in replies),
        )

    def _detail(self, progress: _Progress, scores: Sequence[CombinedScore]) -> ResultDetail:
        outcomes: Sequence[CombinedScore | None] = scores or [None] * len(progress.turns)
        turns = [_turn_detail(turn, outcome) for turn, outcome in zip(progress.turns, outcomes, strict=True)]
        detail = progress.trace.json_body()
        return {**detail, "turns": turns} if turns else detail

    def _is_sensitive(self, item: WorkItem) -> bool:
        return self.target.is_sensitive(item.case, item.variant.name)


def _latency(progress: _Progress) -> float | None:
    """Return the milliseconds of all answered turns together; None where those of one were not measured, or there is none."""
    latencies = [latency for turn in progress.turns if (latency := turn.response.latency_ms) is not None]
    return round(sum(latencies), 1) if latencies and len(latencies) == len(progress.turns) else None


def _turn_detail(answered: _AnsweredTurn, outcome: CombinedScore | None) -> TurnDetail:
    reply, latency = answered.response.reply, answered.response.latency_ms
    tokens: Mapping[str, int] = reply.tokens or {}
    detail = TurnDetail(
        messages=[dict(message) for message in answered.response.added],
        output=answered.output,
        latency_ms=None if latency is None else round(latency, 1),
        tokens_input=tokens.get("input"),
        tokens_output=tokens.get("output"),
        cost=reply.cost,
        cached=reply.cached,
    )
    if outcome is None:
        return detail
    return {**detail, "passed": outcome.passed, "score": outcome.score, "scores": outcome.labelled_scores}
