"""Applications in conversations: the messages so far are among the variables, and calls of tools are stated or not known."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from doubles.application import as_json, serve_application
from factories.conversations import conversation, replies, run_conversation
from promptuary.core.allowed_hosts import AllowedHosts
from promptuary.evaluation.applications.spec import TargetSpec
from promptuary.evaluation.case import Case
from promptuary.evaluation.plan import ApplicationDetail, CaseResult
from promptuary.evaluation.targets.application import Application, ApplicationOutput, ApplicationQuestion, StatedToolCall
from promptuary.evaluation.targets.application_target import ApplicationTarget, PreparedApplication
from promptuary.evaluation.targets.http_target import HttpApplication
from promptuary.evaluation.targets.permissions import TargetPermissions
from promptuary.evaluation.targets.provider_response import provider_response
from promptuary.evaluation.targets.recorded_outputs import OutputColumn

USED = {"type": "trajectory:tool-used", "value": "find", "name": "used"}
NOT_USED = {"type": "not-trajectory:tool-used", "value": "find", "name": "used"}


@dataclass
class Chat:
    """An application that answers with the number of messages that it got; implements `Application`."""

    outputs: list[ApplicationOutput] = field(default_factory=list)
    questions: list[ApplicationQuestion] = field(default_factory=list)

    async def ask(self, question: ApplicationQuestion, detail: ApplicationDetail) -> ApplicationOutput:
        self.questions.append(question)
        return self.outputs.pop(0) if self.outputs else ApplicationOutput(f"got {len(question.values['messages'])}", 5.0)

    async def close(self) -> None:
        """Release nothing."""


def run_with(application: Application, case: Case, *scorers: dict[str, Any]) -> CaseResult:
    target = ApplicationTarget({"v1": PreparedApplication(application)})
    return run_conversation(case, replies(), target=target, scorers=scorers)


def test_each_turn_has_the_messages_so_far_among_its_variables() -> None:
    chat = Chat()

    result = run_with(chat, conversation(vars={"shop": "Acme"}, turns=[{"user": "a"}, {"vars": {"q": "b"}}]))

    first, second = (dict(question.values) for question in chat.questions)
    assert (first["shop"], first["message"], first["history"]) == ("Acme", "a", [])
    assert (second["q"], second["message"]) == ("b", "b")
    assert second["history"] == [{"role": "user", "content": "a"}, {"role": "assistant", "content": "got 1"}]
    assert second["messages"] == [*second["history"], {"role": "user", "content": "b"}]
    assert first["conversation"] == second["conversation"]
    assert (result.output, result.latency_ms) == ("got 3", 10.0)


def test_each_conversation_has_an_id_of_its_own() -> None:
    chat = Chat()

    for _ in range(2):
        run_with(chat, conversation(turns=[{"user": "a"}]))

    assert len({question.values["conversation"] for question in chat.questions}) == 2


def test_the_cases_own_history_comes_first() -> None:
    chat = Chat()
    own = [{"role": "user", "content": "before"}]

    run_with(chat, conversation(vars={"history": own}, turns=[{"user": "a"}]))

    assert chat.questions[0].values["messages"] == [*own, {"role": "user", "content": "a"}]


@pytest.mark.parametrize("name", ["message", "messages", "conversation"])
def test_a_variable_of_the_conversations_name_is_a_clear_error(name: str) -> None:
    result = run_with(Chat(), conversation(vars={name: "x"}, turns=[{"user": "a"}]))

    assert f"the case has a variable '{name}'" in str(result.error)


def test_outputs_that_are_there_answer_no_turns() -> None:
    result = run_with(OutputColumn("reply"), conversation(vars={"reply": "x"}, turns=[{"user": "a"}]))

    assert "answer no turns" in str(result.error)


def test_stated_calls_are_the_trajectory_of_all_turns() -> None:
    outputs = [ApplicationOutput("one", tool_calls=[StatedToolCall("find", {})]), ApplicationOutput("two", tool_calls=[])]

    result = run_with(Chat(outputs), conversation(turns=[{"user": "a"}, {"user": "b"}]), USED)

    assert result.metrics == {"used": 1.0}


def test_calls_that_one_turn_does_not_state_leave_the_whole_without_a_verdict() -> None:
    outputs = [ApplicationOutput("one", tool_calls=[]), ApplicationOutput("two")]

    result = run_with(Chat(outputs), conversation(turns=[{"user": "a"}, {"user": "b"}]), NOT_USED)

    assert (result.passed, result.metrics) == (None, {"used": None})


@pytest.mark.parametrize(
    ("calls", "stated"),
    [
        ([], ()),
        ([{"name": "f", "args": {"a": 1}, "id": "1"}], (StatedToolCall("f", {"a": 1}, "1"),)),
        ([{"function": {"name": "f", "arguments": '{"a": 1}'}}], (StatedToolCall("f", {"a": 1}),)),
        ([{"name": "f"}, {"nme": "g"}], None),
        ([{"function": {"name": "f", "arguments": "{a"}}], None),
        ("f", None),
        (None, None),
    ],
)
def test_calls_are_known_as_a_whole_or_not_at_all(calls: Any, stated: Any) -> None:
    assert provider_response({"output": "x", "tool_calls": calls}, 1.0, "app", strict=False).tool_calls == stated


def test_an_application_over_http_states_its_calls_at_a_path() -> None:
    target = TargetSpec.model_validate(
        {"http": {"url": "{{url}}/x", "body": {"q": "{{message}}"}, "output": "$.answer", "tool_calls": "$.calls"}}
    )
    application = HttpApplication.build(target, TargetPermissions(AllowedHosts(None)), 1)
    with serve_application() as app:
        app.fixed["/x"] = [as_json({"answer": "y", "calls": [{"name": "find", "args": {}}]}), as_json({"answer": "z"})]
        case = conversation(vars={"url": app.url}, turns=[{"user": "a", "assert": [USED]}])
        stated, not_stated = run_with(application, case), run_with(application, case)

    assert (stated.passed, stated.metrics) == (True, {"used": 1.0})
    assert (not_stated.passed, not_stated.metrics) == (None, {"used": None})
    asyncio.run(application.close())
