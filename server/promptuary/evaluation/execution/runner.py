"""Doing a run's items: render, ask the model, score; several at once, each within its time.

What goes wrong with one item is that item's result. Only a stop from outside, or a fault of this program, ends the whole.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from promptuary.core.clock import Clock
from promptuary.core.errors import PromptuaryError
from promptuary.evaluation.plan import CaseResult, WorkItem
from promptuary.evaluation.scorers.per_case import CaseScorers, score_output
from promptuary.evaluation.scorers.score import Score, Scorer, ScorerInput, redacted_error_text, run_scorer
from promptuary.models.calls import (
    CostLimitReached,
    ModelCaller,
    ModelReply,
    ModelRequest,
    sensitive_calls,
    time_limit,
)
from promptuary.prompt.templates.prepared import Passage, PreparedPrompt, RenderedPrompt
from promptuary.prompt.text import replace_refused

FIRST_BATCH, MAX_BATCH = 20, 320
BATCH_SECONDS = 0.5
MAX_WAITING_RESULTS = 2 * MAX_BATCH
_ERROR_TEXT_LIMIT = 1000


class PromptRenderer(Protocol):
    """Renders a version with what its context asks for; safe to call from several threads."""

    def render(self, project: int, prepared: PreparedPrompt, values: Mapping[str, Any]) -> RenderedPrompt:
        """Give the messages or the text."""


@dataclass(frozen=True)
class _Answer:
    """What a model answered, and what it saw."""

    reply: ModelReply
    messages: tuple[Mapping[str, str], ...]
    passages: tuple[Passage, ...]


@dataclass(frozen=True)
class Runner:
    """Does items of one run.

    Attributes:
        project: whose collections the prompts read.
        renderer: renders.
        calls: asks models.
        scorers: the suite's, and those of its cases.
        prepared: the parsed content of each variant, by its name.
        concurrency: how many items are under way at once.
        timeout: seconds for one item's answer with its retries, and again for each of its scorers; waiting in line left out.
        clock: gives the present moment.
    """

    project: int
    renderer: PromptRenderer
    calls: ModelCaller
    scorers: CaseScorers
    prepared: Mapping[str, PreparedPrompt]
    concurrency: int
    timeout: float
    clock: Clock

    async def run(self, items: Iterable[WorkItem]) -> AsyncGenerator[list[CaseResult], None]:
        """Do the items, and give their results in batches as they come, not in order.

        Items are taken one by one when a worker is free, and no more than `MAX_WAITING_RESULTS` results wait for the caller.
        A batch
        comes at least every half second, empty where nothing was done, so that the caller can look up and stop; the first
        are small and each is at most twice the one before. Closing the iterator stops what is under way.
        """
        todo = iter(items)
        done: asyncio.Queue[CaseResult | None] = asyncio.Queue(MAX_WAITING_RESULTS)

        async def hand() -> None:
            try:
                for item in todo:
                    with sensitive_calls(self._discreet(item)):
                        await done.put(await self._result(item))
            except CostLimitReached:
                return  # what is not done has no result: with a higher ceiling the run goes on there

        hands = [asyncio.create_task(hand()) for _ in range(self.concurrency)]

        async def all_hands() -> None:
            try:
                await asyncio.gather(*hands)
            finally:
                await done.put(None)

        together = asyncio.create_task(all_hands())
        try:
            more, most = True, FIRST_BATCH
            while more:
                batch, more = await _collect_batch(done, most)
                yield batch
                most = min(MAX_BATCH, 2 * len(batch)) if len(batch) == most else most
            await together
        finally:
            for task in (together, *hands):
                task.cancel()
            await asyncio.gather(together, *hands, return_exceptions=True)

    async def _result(self, item: WorkItem) -> CaseResult:
        detail: dict[str, Any] = {}
        try:
            async with time_limit(self.timeout):
                answer = await self._answered(item, detail)
        except TimeoutError:
            return self._unanswered(item, detail, f"no answer within {self.timeout:g} seconds")
        except Exception as error:
            return self._unanswered(item, detail, _error_text(error, discreet=self._discreet(item)))
        reply = answer.reply
        sample = ScorerInput(
            item.case,
            reply.text,
            answer.messages,
            reply.latency_ms,
            answer.passages,
            item.repeat,
            reply.tool_calls,
            reply.finish_reason,
            reply.logprobs,
            reply.tokens,
            reply.cost,
            tuple(self.prepared[item.variant.name].content.tools or ()),
            self._discreet(item),
        )
        found = await score_output(self.scorers, sample, self._score)
        detail["scores"] = found.shown
        return self._of(item, reply, found.passed, found.score, found.metrics, None, detail)

    async def _answered(self, item: WorkItem, detail: dict[str, Any]) -> _Answer:
        prepared = self.prepared[item.variant.name]
        content = prepared.content
        values = {name: value for name, value in item.case.vars.items() if name in prepared.variables}
        if content.context is None and content.format != "jinja2":
            rendered = self.renderer.render(self.project, prepared, values)
        else:  # embeds and searches, or runs a loop of the template's author
            rendered = await asyncio.to_thread(self.renderer.render, self.project, prepared, values)
        messages = rendered.messages or ({"role": "user", "content": rendered.text or ""},)
        detail["messages"] = [dict(message) for message in messages]
        detail["passages"] = [
            {"document": one.document, "chunk": one.chunk, "digest": one.digest, "score": one.score}
            for one in rendered.passages
        ]
        reply = await self.calls.ask(
            ModelRequest(
                item.variant.model,
                detail["messages"],
                self._configs[item.variant.name],
                tools=content.tools,
                response_format=content.response_format,
                repeat=item.repeat,
            )
        )
        return _Answer(reply, tuple(messages), rendered.passages)

    @cached_property
    def _configs(self) -> Mapping[str, dict[str, Any]]:
        """The model's settings of each variant."""
        models = {name: prepared.content.model for name, prepared in self.prepared.items()}
        return {name: model.model_dump(exclude_none=True, exclude={"name"}) if model else {} for name, model in models.items()}

    @cached_property
    def _sensitive(self) -> Mapping[str, frozenset[str]]:
        """The sensitive variables of each variant."""
        return {
            name: frozenset(variable for variable, about in prepared.variables.items() if about.sensitive)
            for name, prepared in self.prepared.items()
        }

    def _discreet(self, item: WorkItem) -> bool:
        """Tell whether a sensitive value went into the prompt, so that words of other programs may repeat it."""
        return not self._sensitive[item.variant.name].isdisjoint(item.case.vars)

    async def _score(self, scorer: Scorer, sample: ScorerInput) -> Score:
        try:
            async with time_limit(self.timeout):
                return await run_scorer(scorer, sample)
        except TimeoutError:
            return Score.from_error(scorer.name, f"no score within {self.timeout:g} seconds")

    def _unanswered(self, item: WorkItem, detail: dict[str, Any], error: str) -> CaseResult:
        return self._of(item, None, None, None, dict.fromkeys(self.scorers.metric_names_of(item.case)), error, detail)

    def _of(
        self,
        item: WorkItem,
        reply: ModelReply | None,
        passed: bool | None,
        score: float | None,
        metrics: Mapping[str, float | None],
        error: str | None,
        detail: Mapping[str, Any],
    ) -> CaseResult:
        tokens: Mapping[str, int] = (reply.tokens if reply else None) or {}
        return CaseResult(
            ordinal=item.ordinal,
            case=item.case.id,
            variant=item.variant.name,
            repeat=item.repeat,
            output=None if reply is None else reply.text,
            passed=passed,
            score=score,
            metrics=metrics,
            error=error,
            detail=detail,
            at=self.clock(),
            latency_ms=None if reply is None else round(reply.latency_ms, 1),
            tokens_input=tokens.get("input"),
            tokens_output=tokens.get("output"),
            cost=None if reply is None else reply.cost,
            cached=reply is not None and reply.cached,
        )


async def _collect_batch(done: "asyncio.Queue[CaseResult | None]", most: int) -> tuple[list[CaseResult], bool]:
    """Gather what comes within the batch's time, and say whether more can come."""
    batch: list[CaseResult] = []
    try:
        async with asyncio.timeout(BATCH_SECONDS):
            while len(batch) < most:
                result = await done.get()
                if result is None:
                    return batch, False
                batch.append(result)
    except TimeoutError:
        pass
    return batch, True


def _error_text(error: Exception, *, discreet: bool) -> str:
    """Say what went wrong in a line; our own errors are sentences already, and repeat no value."""
    if discreet and not isinstance(error, PromptuaryError):
        return redacted_error_text(error)
    text = " ".join(replace_refused(str(error)).split())
    if not isinstance(error, PromptuaryError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text[:_ERROR_TEXT_LIMIT]
