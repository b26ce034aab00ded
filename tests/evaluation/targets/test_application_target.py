"""The target of a suite of applications: what is asked, what judges read, and when a wrong set-up ends the run."""

import asyncio
from typing import Any

import pytest

from promptuary.evaluation.applications.spec import TargetSpec
from promptuary.evaluation.case import Case
from promptuary.evaluation.plan import ApplicationDetail, Variant
from promptuary.evaluation.summary_model import VariantRole
from promptuary.evaluation.targets.application import ApplicationOutput, ApplicationQuestion
from promptuary.evaluation.targets.application_target import (
    SETUP_ERRORS,
    ApplicationTarget,
    PreparedApplication,
    prepare_prompt,
)
from promptuary.evaluation.targets.errors import ApplicationUnusable
from promptuary.evaluation.targets.target import TargetTrace
from promptuary.models.calls import SetupFailed

VARIANT = Variant("app", VariantRole.CANDIDATE, "", None, None, "sha256:0", target="app")


class ScriptedApplication:
    """Returns outputs, and raises errors, in their order; implements `Application`."""

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)
        self.questions: list[ApplicationQuestion] = []
        self.closed = False
        self.waiting: asyncio.Event | None = None

    async def ask(self, question: ApplicationQuestion, detail: ApplicationDetail) -> ApplicationOutput:
        self.questions.append(question)
        detail["address"] = "app"
        outcome = self.outcomes.pop(0)
        if self.waiting is not None:
            await self.waiting.wait()
        if isinstance(outcome, Exception):
            raise outcome
        return ApplicationOutput(outcome)

    async def close(self) -> None:
        self.closed = True


def ask(prepared: PreparedApplication, variables: dict[str, Any]) -> tuple[str, TargetTrace]:
    trace = TargetTrace()
    reply = asyncio.run(ApplicationTarget({"app": prepared}).answer(Case("c", variables), VARIANT, 0, trace))
    return reply.reply.text, trace


@pytest.mark.parametrize(
    ("variables", "question"), [({"q": "hi"}, "hi"), ({"n": 5}, "5"), ({"a": "x", "b": [1]}, '{"a": "x", "b": [1]}')]
)
def test_judges_read_the_one_variable_or_all_of_them(variables: dict[str, Any], question: str) -> None:
    text, trace = ask(PreparedApplication(ScriptedApplication({"n": 1})), variables)
    assert text == '{"n":1}'
    assert trace.json_body() == {"messages": [{"role": "user", "content": question}], "application": {"address": "app"}}


def test_a_prompt_is_rendered_for_the_application() -> None:
    content = {"type": "text", "template": "Answer: {{q}}"}
    spec = TargetSpec.model_validate({"python": "a:b", "prompt": content})
    application = ScriptedApplication("x")
    ask(PreparedApplication(application, prepare_prompt(spec, jinja2=False)), {"q": "hi", "other": 1})
    assert application.questions[0].prompt == "Answer: hi"
    assert application.questions[0].values == {"q": "hi", "other": 1, "prompt": "Answer: hi"}


def test_an_output_without_a_time_has_no_latency() -> None:
    target = ApplicationTarget({"app": PreparedApplication(ScriptedApplication("x"))})
    assert asyncio.run(target.answer(Case("c", {}), VARIANT, 0, TargetTrace())).latency_ms is None


def test_a_set_up_that_never_works_ends_the_run_after_a_few_cases() -> None:
    prepared = PreparedApplication(ScriptedApplication(*[ApplicationUnusable("wrong path")] * SETUP_ERRORS))
    for _ in range(SETUP_ERRORS - 1):
        with pytest.raises(ApplicationUnusable):
            ask(prepared, {})
    with pytest.raises(SetupFailed, match="wrong path"):
        ask(prepared, {})


def test_an_application_that_has_answered_is_asked_for_every_case() -> None:
    prepared = PreparedApplication(ScriptedApplication("x", *[ApplicationUnusable("revoked")] * 5))
    ask(prepared, {})
    for _ in range(5):
        with pytest.raises(ApplicationUnusable):
            ask(prepared, {})


def test_an_application_that_another_task_is_asking_stays_open() -> None:
    application = ScriptedApplication("x")
    target = ApplicationTarget({"app": PreparedApplication(application)})

    async def run() -> tuple[bool, bool]:
        application.waiting = asyncio.Event()
        task = asyncio.create_task(target.answer(Case("c", {}), VARIANT, 0, TargetTrace()))
        while not application.questions:
            await asyncio.sleep(0)
        await target.close()
        while_asked = application.closed
        application.waiting.set()
        await task
        await target.close()
        return while_asked, application.closed

    assert asyncio.run(run()) == (False, True)
