"""Doing a run's items: render, ask the model, score; several at once, each within its time.

What goes wrong with one item is that item's result. Only a stop from outside, or a fault of this program, ends the whole.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from promptuary.base.clock import Clock
from promptuary.base.errors import PromptuaryError
from promptuary.evaluation.calls import Asks, CeilingReached, Reply, Request, private, storable, within
from promptuary.evaluation.plan import Item, Result
from promptuary.evaluation.scorers.of_case import CaseScorers, judged
from promptuary.evaluation.scorers.score import Sample, Score, Scorer, scored, told_discreetly
from promptuary.prompt.template import Passage, Prepared, Rendered

FIRST_BATCH, BATCH = 20, 320
BATCH_SECONDS = 0.5
WAITING = 2 * BATCH
_WORDS_LIMIT = 1000


class Renders(Protocol):
    """Renders a version with what its context asks for; safe to call from several threads."""

    def render(self, project: int, prepared: Prepared, values: Mapping[str, Any]) -> Rendered:
        """Give the messages or the text."""


@dataclass(frozen=True)
class _Answer:
    """What a model answered, and what it saw."""

    reply: Reply
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
    renderer: Renders
    calls: Asks
    scorers: CaseScorers
    prepared: Mapping[str, Prepared]
    concurrency: int
    timeout: float
    clock: Clock

    async def run(self, items: Iterable[Item]) -> AsyncGenerator[list[Result], None]:
        """Do the items, and give their results in batches as they come, not in order.

        Items are taken one by one when there is a hand free, and no more than `WAITING` results wait for the caller. A batch
        comes at least every half second, empty where nothing was done, so that the caller can look up and stop; the first
        are small and each is at most twice the one before. Closing the iterator stops what is under way.
        """
        todo = iter(items)
        done: asyncio.Queue[Result | None] = asyncio.Queue(WAITING)

        async def hand() -> None:
            try:
                for item in todo:
                    with private(self._discreet(item)):
                        await done.put(await self._result(item))
            except CeilingReached:
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
                batch, more = await _batch(done, most)
                yield batch
                most = min(BATCH, 2 * len(batch)) if len(batch) == most else most
            await together
        finally:
            for task in (together, *hands):
                task.cancel()
            await asyncio.gather(together, *hands, return_exceptions=True)

    async def _result(self, item: Item) -> Result:
        detail: dict[str, Any] = {}
        try:
            async with within(self.timeout):
                answer = await self._answered(item, detail)
        except TimeoutError:
            return self._unanswered(item, detail, f"no answer within {self.timeout:g} seconds")
        except Exception as error:
            return self._unanswered(item, detail, _words(error, discreet=self._discreet(item)))
        reply = answer.reply
        sample = Sample(
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
        found = await judged(self.scorers, sample, self._score)
        detail["scores"] = found.shown
        return self._of(item, reply, found.passed, found.score, found.metrics, None, detail)

    async def _answered(self, item: Item, detail: dict[str, Any]) -> _Answer:
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
            Request(
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

    def _discreet(self, item: Item) -> bool:
        """Tell whether a sensitive value went into the prompt, so that words of other programs may repeat it."""
        return not self._sensitive[item.variant.name].isdisjoint(item.case.vars)

    async def _score(self, scorer: Scorer, sample: Sample) -> Score:
        try:
            async with within(self.timeout):
                return await scored(scorer, sample, discreet=sample.discreet)
        except TimeoutError:
            return Score.failed(scorer.name, f"no score within {self.timeout:g} seconds")

    def _unanswered(self, item: Item, detail: dict[str, Any], error: str) -> Result:
        return self._of(item, None, None, None, dict.fromkeys(self.scorers.names_of(item.case)), error, detail)

    def _of(
        self,
        item: Item,
        reply: Reply | None,
        passed: bool | None,
        score: float | None,
        metrics: Mapping[str, float | None],
        error: str | None,
        detail: Mapping[str, Any],
    ) -> Result:
        tokens: Mapping[str, int] = (reply.tokens if reply else None) or {}
        return Result(
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


async def _batch(done: "asyncio.Queue[Result | None]", most: int) -> tuple[list[Result], bool]:
    """Gather what comes within the batch's time, and say whether more can come."""
    batch: list[Result] = []
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


def _words(error: Exception, *, discreet: bool) -> str:
    """Say what went wrong in a line; our own errors are sentences already, and repeat no value."""
    if discreet and not isinstance(error, PromptuaryError):
        return told_discreetly(error)
    text = " ".join(storable(str(error)).split())
    if not isinstance(error, PromptuaryError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text[:_WORDS_LIMIT]
