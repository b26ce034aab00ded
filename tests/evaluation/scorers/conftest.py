"""Fixtures of scorer tests: one that scores by a spec, and a judge behind the real client, whose server has fixed answers."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.score import Score, ScorerInput, run_scorer
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.models.calls import ModelClient, ModelReply, ModelRequest


async def no_pause(seconds: float) -> None:
    """Wait for nothing."""


class FakeJudge:
    """A judge that answers by the title of the required schema: with a value as JSON, or a function of the texts.

    `tasks` records each call: the title, the instruction and the texts.
    """

    def __init__(self, **outputs: Any) -> None:
        self.outputs: Mapping[str, Any] = outputs
        self.tasks: list[tuple[str, str, str]] = []
        self.finish_reason = "stop"

    async def ask(self, model: str, messages: Any, *, schema: Any = None, repeat: int = 0) -> ModelReply:
        return await ModelClient(self, pause=no_pause).ask(ModelRequest(model, messages, schema=schema, repeat=repeat))

    def answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        title = body["response_format"]["json_schema"]["name"]
        instruction, texts = (message["content"] for message in body["messages"])
        self.tasks.append((title, instruction, texts))
        reply = self.outputs[title]
        reply = reply(texts) if callable(reply) else reply
        message = {"role": "assistant", "content": reply if isinstance(reply, str) else json.dumps(reply)}
        choice = {"index": 0, "finish_reason": self.finish_reason, "message": message}
        return httpx.Response(
            200, json={"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        )

    def chat(self, name: str, config: Any) -> Any:
        client = httpx.AsyncClient(transport=httpx.MockTransport(self.answer))
        return ChatOpenAI(
            model=name, base_url="http://judge.invalid/v1", api_key=SecretStr("k"), max_retries=0, http_async_client=client
        )


def no_embedding(_: Any) -> Any:
    raise AssertionError("these scorers embed nothing")


async def no_judge(*_: Any, **__: Any) -> ModelReply:
    raise AssertionError("these scorers need no judge")


@pytest.fixture
def judge_of() -> Callable[..., FakeJudge]:
    """Create a judge from its answers by the titles of the tasks."""
    return FakeJudge


@pytest.fixture
def sample_of() -> Callable[..., ScorerInput]:
    """Create the input of a scorer: an output of a case with these variables."""

    def create(output: str = "Paris.", *, vars: Mapping[str, Any] | None = None, **more: Any) -> ScorerInput:  # noqa: A002
        messages = more.pop("messages", ({"role": "user", "content": "What is the capital of France?"},))
        return ScorerInput(Case("c", dict(vars or {})), output, messages, **more)

    return create


@pytest.fixture
def score_of(sample_of: Callable[..., ScorerInput]) -> Callable[..., Score]:
    """Score an output by a spec's fields, with these dependencies."""

    def score(
        sample: ScorerInput | None = None, *, judge: FakeJudge | None = None, embed: Any = no_embedding, **spec: Any
    ) -> Score:
        fields = {"model": "openai:judge", **spec} if judge else spec
        dependencies = ScorerDependencies(embed=embed, ask=judge.ask if judge else no_judge)
        scorer = build_scorer(ScorerSpec.model_validate(fields), dependencies)
        return asyncio.run(run_scorer(scorer, sample or sample_of()))

    return score
