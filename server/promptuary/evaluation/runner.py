"""Doing a run's items: render, ask the model, score; several at once, each within its time.

What goes wrong with one item is that item's result. Only a stop from outside, or a fault of this program, ends the whole.
"""

import asyncio
import json
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from promptuary.base.clock import Clock
from promptuary.base.errors import PromptuaryError, Unavailable
from promptuary.evaluation.plan import Item, Result
from promptuary.evaluation.scorers.score import Sample, Score, Scorer, scored, told_discreetly
from promptuary.prompt.content import Content
from promptuary.prompt.template import Passage, Prepared, Rendered

ATTEMPTS = 3
FIRST_WAIT = 0.5
BATCH = 20
BATCH_SECONDS = 0.5
_WORDS_LIMIT = 1000
_TRANSIENT = (408, 409, 425, 429)


class Renders(Protocol):
    """Renders a version with what its context asks for; safe to call from several threads."""

    def render(self, project: int, prepared: Prepared, values: Mapping[str, Any]) -> Rendered:
        """Give the messages or the text."""


class Chats(Protocol):
    """Gives LangChain chat models by name; safe to call from several threads."""

    def chat(self, name: str, config: Mapping[str, Any]) -> Any:
        """Give the model with these settings; may start a local server."""


@dataclass(frozen=True)
class _Answer:
    """What a model answered, and what it saw."""

    output: str
    messages: tuple[Mapping[str, str], ...]
    passages: tuple[Passage, ...]
    latency_ms: float
    tokens: Mapping[str, int] | None


@dataclass(frozen=True)
class Runner:
    """Does items of one run.

    Attributes:
        project: whose collections the prompts read.
        renderer: renders.
        models: gives chat models.
        scorers: in the suite's order.
        prepared: the parsed content of each variant, by its name.
        concurrency: how many items are under way at once.
        timeout: seconds for one item's answer with its retries, and again for each of its scorers.
        clock: gives the present moment.
        pause: waits between attempts.
        jitter: in [0, 1); spreads the waits.
    """

    project: int
    renderer: Renders
    models: Chats
    scorers: Sequence[Scorer]
    prepared: Mapping[str, Prepared]
    concurrency: int
    timeout: float
    clock: Clock
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    _chats: dict[str, Any] = field(default_factory=dict, init=False, repr=False)
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)

    async def run(self, items: Iterable[Item]) -> AsyncGenerator[list[Result], None]:
        """Do the items, and give their results in batches as they come, not in order.

        A batch comes at least every half second, empty where nothing was done, so that the caller can look up and stop;
        closing the iterator stops what is under way.
        """
        todo = iter(items)
        done: asyncio.Queue[Result | None] = asyncio.Queue()

        async def hand() -> None:
            for item in todo:
                done.put_nowait(await self._result(item))

        hands = [asyncio.create_task(hand()) for _ in range(self.concurrency)]
        together = asyncio.gather(*hands)
        together.add_done_callback(lambda _: done.put_nowait(None))
        try:
            more = True
            while more:
                batch, more = await _batch(done)
                yield batch
            await together
        finally:
            for task in hands:
                task.cancel()
            await asyncio.gather(*hands, return_exceptions=True)

    async def _result(self, item: Item) -> Result:
        detail: dict[str, Any] = {}
        try:
            async with asyncio.timeout(self.timeout):
                answer = await self._answered(item, detail)
        except TimeoutError:
            return self._unanswered(item, detail, f"no answer within {self.timeout:g} seconds")
        except Exception as error:
            return self._unanswered(item, detail, _words(error, discreet=self._discreet(item)))
        sample = Sample(item.case, answer.output, answer.messages, answer.latency_ms, answer.passages)
        scores = await asyncio.gather(*(self._score(scorer, sample, discreet=self._discreet(item)) for scorer in self.scorers))
        passed, score = _together(self.scorers, scores)
        detail["latency_ms"], detail["tokens"] = round(answer.latency_ms, 1), answer.tokens
        detail["scores"] = {one.name: {"passed": one.passed, "reason": one.reason, "error": one.error} for one in scores}
        metrics = {one.name: one.score for one in scores}
        return self._of(item, answer.output, passed, score, metrics, None, detail)

    async def _answered(self, item: Item, detail: dict[str, Any]) -> _Answer:
        """Ask, and ask again after what may pass: a lost connection, an overloaded server."""
        for attempt in range(1, ATTEMPTS):
            try:
                return await self._answer(item, detail)
            except Exception as error:
                if not transient(error):
                    raise
            await self.pause(FIRST_WAIT * 2 ** (attempt - 1) * (0.5 + self.jitter()))
        return await self._answer(item, detail)

    async def _answer(self, item: Item, detail: dict[str, Any]) -> _Answer:
        prepared = self.prepared[item.variant.name]
        values = {name: value for name, value in item.case.vars.items() if name in prepared.variables}
        rendered = await asyncio.to_thread(self.renderer.render, self.project, prepared, values)
        messages = rendered.messages or ({"role": "user", "content": rendered.text or ""},)
        detail["messages"] = [dict(message) for message in messages]
        detail["passages"] = [
            {"document": one.document, "chunk": one.chunk, "digest": one.digest, "score": one.score}
            for one in rendered.passages
        ]
        chat = await self._chat(item.variant.name, item.variant.model, prepared.content)
        started = time.perf_counter()
        message = await chat.ainvoke(detail["messages"])
        elapsed = (time.perf_counter() - started) * 1000
        return _Answer(_output(message), tuple(messages), rendered.passages, elapsed, _tokens(message))

    async def _chat(self, variant: str, model: str, content: Content) -> Any:
        async with self._opening:
            if variant not in self._chats:
                config = content.model.model_dump(exclude_none=True, exclude={"name"}) if content.model else {}
                chat = await asyncio.to_thread(self.models.chat, model, config)
                if content.tools:
                    chat = chat.bind_tools(content.tools)
                if content.response_format:
                    chat = chat.bind(response_format=content.response_format)
                self._chats[variant] = chat
            return self._chats[variant]

    def _discreet(self, item: Item) -> bool:
        """Tell whether a sensitive value went into the prompt, so that words of other programs may repeat it."""
        variables = self.prepared[item.variant.name].variables
        return any(variables[name].sensitive for name in item.case.vars if name in variables)

    async def _score(self, scorer: Scorer, sample: Sample, *, discreet: bool) -> Score:
        try:
            async with asyncio.timeout(self.timeout):
                return await scored(scorer, sample, discreet=discreet)
        except TimeoutError:
            return Score.failed(scorer.name, f"no score within {self.timeout:g} seconds")

    def _unanswered(self, item: Item, detail: dict[str, Any], error: str) -> Result:
        return self._of(item, None, None, None, {scorer.name: None for scorer in self.scorers}, error, detail)

    def _of(
        self,
        item: Item,
        output: str | None,
        passed: bool | None,
        score: float | None,
        metrics: Mapping[str, float | None],
        error: str | None,
        detail: Mapping[str, Any],
    ) -> Result:
        return Result(
            ordinal=item.ordinal,
            case=item.case.id,
            variant=item.variant.name,
            repeat=item.repeat,
            output=output,
            passed=passed,
            score=score,
            metrics=metrics,
            error=error,
            detail=detail,
            at=self.clock(),
        )


async def _batch(done: "asyncio.Queue[Result | None]") -> tuple[list[Result], bool]:
    """Gather what comes within the batch's time, and say whether more can come."""
    batch: list[Result] = []
    deadline = asyncio.get_running_loop().time() + BATCH_SECONDS
    while len(batch) < BATCH:
        try:
            async with asyncio.timeout_at(deadline):
                result = await done.get()
        except TimeoutError:
            return batch, True
        if result is None:
            return batch, False
        batch.append(result)
    return batch, True


def _together(scorers: Sequence[Scorer], scores: Sequence[Score]) -> tuple[bool | None, float | None]:
    """Give verdict and score of a result: all that count must pass, the mean is weighted; not known where one is not.

    Scorers of weight 0 are only shown. Where nothing counts the result passes, with a score of 0, as promptfoo has it.
    """
    counting = [(scorer.weight, score) for scorer, score in zip(scorers, scores, strict=True) if scorer.weight > 0]
    known = [(weight, score.score) for weight, score in counting if score.score is not None]
    if len(known) < len(counting):
        return None, None
    whole = sum(weight for weight, _ in known)
    mean = sum(weight * score for weight, score in known) / whole if whole else 0.0
    return all(score.passed for _, score in counting), min(1.0, max(0.0, mean))


def transient(error: BaseException | None) -> bool:
    """Tell whether the same call may succeed a little later: by what it raised, or what that was raised from."""
    while error is not None:
        status = getattr(error, "status_code", None)
        if isinstance(status, int):
            return status in _TRANSIENT or status >= 500
        if isinstance(error, (ConnectionError, TimeoutError, httpx.TransportError, Unavailable)):
            return True
        error = error.__cause__
    return False


def _output(message: Any) -> str:
    """Give the answer's text; where there is none, the calls of tools that it asks for, in OpenAI's form."""
    text = storable(str(message.text)).strip()
    calls = getattr(message, "tool_calls", None)
    if text or not calls:
        return text
    return storable(
        json.dumps(
            [
                {
                    "id": call.get("id"),
                    "type": "function",
                    "function": {"name": call["name"], "arguments": json.dumps(call["args"], ensure_ascii=False)},
                }
                for call in calls
            ],
            ensure_ascii=False,
        )
    )


def storable(text: str) -> str:
    """Put a replacement character where a model wrote what no database takes: a NUL, or half of a surrogate pair."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _tokens(message: Any) -> dict[str, int] | None:
    usage = getattr(message, "usage_metadata", None)
    return {"input": usage["input_tokens"], "output": usage["output_tokens"]} if usage else None


def _words(error: Exception, *, discreet: bool) -> str:
    """Say what went wrong in a line; our own errors are sentences already, and repeat no value."""
    if discreet and not isinstance(error, PromptuaryError):
        return told_discreetly(error)
    text = " ".join(storable(str(error)).split())
    if not isinstance(error, PromptuaryError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text[:_WORDS_LIMIT]
