"""The runner of items: the target responds to each, then the scorers score the response; several at once, with a time limit.

An error in one item is that item's result. Only an interruption from outside or a defect of this program ends the whole run.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property

from promptuary.core.clock import Clock
from promptuary.evaluation.execution.items.conversation_runner import ConversationRunner
from promptuary.evaluation.execution.items.pages import ItemPages, LookUp, look_up_nothing
from promptuary.evaluation.execution.items.response import (
    ItemOutcome,
    answer_detail,
    answer_of,
    item_error_text,
    item_result,
    reply_detail,
    scorer_input,
)
from promptuary.evaluation.execution.result_batches import ResultBatches
from promptuary.evaluation.execution.work import WorkItem
from promptuary.evaluation.plan import CaseResult, ResultDetail
from promptuary.evaluation.scorers.per_case import CaseScorers, score_output
from promptuary.evaluation.scorers.score import OutputStages, Score, Scorer, ScorerInput, run_scorer
from promptuary.evaluation.scorers.transforms.run_transforms import RunTransforms
from promptuary.evaluation.targets.target import Target, TargetReply, TargetTrace
from promptuary.models.calls import CostLimitReached, sensitive_calls, time_limit


@dataclass(frozen=True)
class Runner:
    """Runs items of one run.

    Attributes:
        target: responds to the items.
        scorers: those of the suite, and those of its cases.
        concurrency: how many items are in flight at once.
        timeout: seconds for the response to one item with its retries, and again for each scorer; without waits
            for capacity.
        clock: returns the current time.
        transforms: make the output that is scored of what was answered.
        look_up: looks up what is cached for the items that will run next.
    """

    target: Target
    scorers: CaseScorers
    concurrency: int
    timeout: float
    clock: Clock
    transforms: RunTransforms = field(default_factory=RunTransforms)
    look_up: LookUp = look_up_nothing

    async def run(
        self, items: Iterable[WorkItem], is_stopping: Callable[[], bool] = lambda: False
    ) -> AsyncGenerator[list[CaseResult], None]:
        """Run the items, and yield their results in batches as they come, in any order.

        An item is started when a worker is free, and only so many results wait for the caller. There is a
        batch at least every half second, an empty one if no result has come, so that the caller can stop. The first batches
        are small, and each is at most twice as large as the one before. Closing the iterator cancels the items in flight.

        Args:
            items: in their order; two pages of them may be read before they are started.
            is_stopping: whether no item may be started any more.
        """
        results = ResultBatches()
        pages = ItemPages(items, self.look_up, self.concurrency)
        workers = [asyncio.create_task(self._work(pages, results, is_stopping)) for _ in range(self.concurrency)]
        finished = asyncio.create_task(_finish(workers, results))
        try:
            more = True
            while more:
                batch, more = await results.collect()
                yield batch
            await finished
        finally:
            for task in (finished, *workers):
                task.cancel()
            await asyncio.gather(finished, *workers, return_exceptions=True)
            await pages.close()
            await self.target.close()

    async def _work(self, pages: ItemPages, results: ResultBatches, is_stopping: Callable[[], bool]) -> None:
        """Run items until none remains or the cost limit is reached; items that were not run have no result."""
        try:
            while (item := await pages.take()) is not None and not is_stopping():
                with sensitive_calls(self._is_sensitive(item)):
                    await results.put(await self._run_item(item))
                await asyncio.sleep(0)  # an item that waits for nothing must not delay those of the other workers
        except CostLimitReached:
            return

    async def _run_item(self, item: WorkItem) -> CaseResult:
        if item.case.is_conversation:
            return await self._conversations.run(item)
        trace = TargetTrace()
        try:
            async with time_limit(self.timeout):
                response = await self.target.answer(item.case, item.variant, item.repeat, trace)
        except TimeoutError:
            return self._failed(item, trace, f"no response within {self.timeout:g} seconds")
        except Exception as error:
            return self._failed(item, trace, item_error_text(error, redacted=self._is_sensitive(item)))
        try:
            stages = await self.transforms.apply(item.case, answer_of(item, response))
        except Exception as error:
            return self._failed(item, trace, item_error_text(error, redacted=self._is_sensitive(item)), response)
        return await self._scored(item, trace, response, stages)

    async def _scored(
        self, item: WorkItem, trace: TargetTrace, response: TargetReply, stages: OutputStages | None
    ) -> CaseResult:
        """Score a response after its transforms, and build the result."""
        reply, sample = response.reply, scorer_input(item, response, stages, sensitive=self._is_sensitive(item))
        combined = await score_output(self.scorers, sample, self._score)
        detail: ResultDetail = {
            **trace.json_body(),
            **reply_detail(reply),
            **answer_detail(reply, sample.output),
            "scores": combined.labelled_scores,
        }
        outcome = ItemOutcome(detail, combined.metrics, sample.output, combined.passed, combined.score)
        return item_result(item, outcome, response, self.clock())

    def _failed(self, item: WorkItem, trace: TargetTrace, error: str, response: TargetReply | None = None) -> CaseResult:
        """Build the result of an item without a response, or without an output after the transforms.

        Where there is a response, what was answered is shown, and what it cost is counted.
        """
        detail = trace.json_body()
        if response is not None:
            detail = {**detail, **reply_detail(response.reply), **answer_detail(response.reply, None)}
        outcome = ItemOutcome(detail, dict.fromkeys(self.scorers.metric_names_of(item.case)), error=error)
        return item_result(item, outcome, response, self.clock())

    def _is_sensitive(self, item: WorkItem) -> bool:
        return self.target.is_sensitive(item.case, item.variant.name)

    @cached_property
    def _conversations(self) -> ConversationRunner:
        return ConversationRunner(self.target, self.scorers, self.transforms, self.timeout, self.clock, self._score)

    async def _score(self, scorer: Scorer, scorer_input: ScorerInput) -> Score:
        try:
            async with time_limit(self.timeout):
                return await run_scorer(scorer, scorer_input)
        except TimeoutError:
            return Score.from_error(scorer.name, f"no score within {self.timeout:g} seconds")


async def _finish(workers: Iterable["asyncio.Task[None]"], results: ResultBatches) -> None:
    """Wait for the workers, and mark the end of the results; raise the error of a worker."""
    try:
        await asyncio.gather(*workers)
    finally:
        results.end()
