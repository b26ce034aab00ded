"""Conversations with a model for each test: cases with turns, and their results."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from langchain_core.messages import AIMessage

from doubles.fake_model import FakeModel, Messages
from doubles.renderers import PlainRenderer
from factories.scorers import NO_MODELS
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.case_schema import CaseIn
from promptuary.evaluation.execution.runner import Runner
from promptuary.evaluation.execution.work import WorkItem
from promptuary.evaluation.plan import CaseResult, Variant
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.per_case import CaseScorers
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.evaluation.scorers.transforms.run_transforms import RunTransforms
from promptuary.evaluation.summary_model import VariantRole
from promptuary.evaluation.targets.prompt_target import PromptTarget
from promptuary.evaluation.targets.target import Target
from promptuary.models.calls import ModelClient
from promptuary.prompt.content import Content
from promptuary.prompt.templates.preparation import prepare

USAGE = {"input_tokens": 10, "output_tokens": 2, "total_tokens": 12}
VARIANT = Variant("v1", VariantRole.CANDIDATE, "fake:model", "p", 1, "sha256:0")
SYSTEM_ONLY = Content.model_validate({"type": "chat", "template": [{"role": "system", "content": "Be short."}]})


def conversation(**fields: Any) -> Case:
    """Return a case as a file has it."""
    return CaseIn.model_validate({"id": "c1", **fields}).case()


def reply(text: str = "", **calls: Mapping[str, Any]) -> AIMessage:
    """Return a message of a model: a text, or a call of each named tool with its arguments."""
    tool_calls = [{"name": name, "args": dict(args), "id": f"id-{name}", "type": "tool_call"} for name, args in calls.items()]
    return AIMessage(content=text, tool_calls=tool_calls, usage_metadata=USAGE)


def replies(*messages: AIMessage | str | Exception) -> FakeModel:
    """Return a model that replies with these, one after another."""
    remaining = iter(messages)

    async def respond(_: Messages) -> AIMessage:
        message = next(remaining)
        if isinstance(message, Exception):
            raise message
        return reply(message) if isinstance(message, str) else message

    return FakeModel(respond)


def run_conversation(
    case: Case,
    model: FakeModel | Callable[..., Any],
    *,
    content: Content = SYSTEM_ONLY,
    scorers: Iterable[Mapping[str, Any]] = (),
    target: Target | None = None,
    **more: Any,
) -> CaseResult:
    """Run a case with a model, and return its result."""
    dependencies: ScorerDependencies = more.pop("dependencies", NO_MODELS)
    specs = [ScorerSpec.model_validate(spec) for spec in scorers]
    client = ModelClient(model, jitter=lambda: 0.0, pause=_no_pause)  # type: ignore[arg-type]
    runner = Runner(
        target=target or PromptTarget(1, PlainRenderer(), client, {"v1": prepare(content)}),
        scorers=CaseScorers.build(specs, dependencies),
        concurrency=1,
        timeout=30.0,
        clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        transforms=RunTransforms.build(more.pop("transform", None), {}, dependencies),
    )

    async def gather() -> list[CaseResult]:
        items = [WorkItem(0, case, VARIANT, 0)]
        return [result async for batch in runner.run(items) for result in batch]

    (result,) = asyncio.run(gather())
    return result


def sent(model: FakeModel) -> list[list[tuple[str, str]]]:
    """Return the messages of each call of a model, as role and text."""
    return [[_role_and_text(message) for message in messages] for messages in model.received]


def _role_and_text(message: Any) -> tuple[str, str]:
    if isinstance(message, Mapping):
        return str(message["role"]), str(message["content"])
    return str(message.type), str(message.content)


async def _no_pause(_: float) -> None:
    return None
