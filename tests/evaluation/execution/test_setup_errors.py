"""Runs of which no call can succeed: they end before the first call, or once, with the reason; and what replies leave."""

from collections.abc import Callable
from typing import Any

import pytest

from doubles.stub_model import Reaction, StubModelServer, completion
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.store import Run, RunState
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry

Make = Callable[..., Any]
MODEL = "openai:stub"
RUBRIC = {"type": "llm-rubric", "value": "is polite", "model": MODEL, "name": "rubric"}


@pytest.mark.parametrize(
    ("reaction", "texts"),
    [
        (Reaction(status=401), ("the model 'openai:stub' at http://127.0.0.1:", "answers 401", "OPENAI_API_KEY")),
        (Reaction(body=b"<html>Sign in</html>", headers={"content-type": "text/html"}), ("answered 200", "Sign in")),
        (Reaction(body=b'{"object": "chat.completion", "choices": []}'), ("answered 200", "without `choices`")),
    ],
)
@pytest.mark.parametrize("changes", [{"models": [MODEL]}, {"scorers": [RUBRIC]}])
def test_a_run_ends_once_where_no_call_can_succeed(
    create_words_suite: Make,
    finish_run: Callable[..., Run],
    sqlite: Any,
    stub_model: StubModelServer,
    reaction: Reaction,
    texts: tuple[str, ...],
    changes: dict[str, Any],
) -> None:
    stub_model.react = lambda number, body: reaction
    create_words_suite(*["yes"] * 40, concurrency=4, **changes)
    run = finish_run()
    assert run.state is RunState.FAILED
    assert run.error is not None
    assert [text for text in texts if text not in run.error] == []
    assert stub_model.requests <= 5
    with sqlite.read() as session:
        assert store.count_errors(session, run.id) == 0


def test_a_missing_package_is_reported_before_any_model_is_called(
    create_words_suite: Make, finish_run: Callable[..., Run], stub_model: StubModelServer
) -> None:
    create_words_suite("yes", models=[MODEL, "fireworks:some-model"])
    run = finish_run()
    assert run.state is RunState.FAILED
    assert run.error is not None
    assert "pip install langchain-fireworks" in run.error
    assert stub_model.requests == 0


@pytest.mark.parametrize(("wrong", "state"), [(3, RunState.FAILED), (2, RunState.FINISHED)])
def test_variables_that_fit_no_case_are_reported_before_the_first_call(
    create_words_suite: Make,
    finish_run: Callable[..., Run],
    author: Any,
    stub_model: StubModelServer,
    wrong: int,
    state: RunState,
) -> None:
    create_words_suite(models=[MODEL])
    with author() as unit:
        content = {"type": "text", "template": "{{text}}", "variables": {"text": {"type": "string"}}}
        Registry(unit).register("word", Content.model_validate(content), labels=("production",))
        cases = [Case(f"c{number}", {"text": number if number < wrong else "yes"}, "yes") for number in range(3)]
        DatasetService(unit).put_version("words", cases)
    run = finish_run()
    assert run.state is state
    assert stub_model.requests == 3 - wrong
    if state is RunState.FAILED:
        assert run.error is not None
        assert "no case fits v2; the first, 'c0': the variables do not fit the prompt: text" in run.error


def test_a_result_has_refusal_reasoning_and_malformed_calls_beside_its_output(
    create_words_suite: Make, finish_run: Callable[..., Run], sqlite: Any, stub_model: StubModelServer
) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "find", "arguments": "{a"}}
    messages = [
        {"role": "assistant", "content": None, "refusal": "I can't."},
        {"role": "assistant", "content": "<think>It is asked.</think>yes"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
    ]
    stub_model.react = lambda number, body: Reaction(body=completion(messages[number]))
    scorers = [
        {"type": "is-refusal", "name": "refuses"},
        {"type": "equals", "value": "yes", "name": "exact"},
        {"type": "is-valid-openai-tools-call", "name": "valid"},
    ]
    create_words_suite("a", "b", "c", models=[MODEL], scorers=scorers, concurrency=1)
    run = finish_run()
    with sqlite.read() as session:
        refused, reasoned, called = store.list_results(session, run.id)
    assert (refused.output, refused.detail["refusal"], refused.metrics["refuses"]) == ("I can't.", "I can't.", 1.0)
    assert (reasoned.output, reasoned.detail["reasoning"]) == ("yes", "It is asked.")
    assert (reasoned.metrics["exact"], reasoned.metrics["refuses"]) == (1.0, 0.0)
    assert [invalid["args"] for invalid in called.detail["invalid_tool_calls"]] == ["{a"]
    assert called.detail["scores"]["valid"]["reason"] == "the arguments of the call of 'find' are no JSON object: {a"
    assert "refusal" not in reasoned.detail


def test_a_cached_answer_costs_what_it_cost_when_it_was_asked(
    create_words_suite: Make, finish_run: Callable[..., Run], sqlite: Any, stub_model: StubModelServer
) -> None:
    prices = {MODEL: {"input": 1000.0, "output": 1000.0}}
    scorers = [{"type": "cost", "threshold": 0.001, "name": "cheap"}]
    create_words_suite("one two three", models=[MODEL], scorers=scorers, prices=prices)
    runs = [finish_run(), finish_run()]
    with sqlite.read() as session:
        results = [store.list_results(session, run.id)[0] for run in runs]
    assert [result.cached for result in results] == [False, True]
    assert [result.metrics["cheap"] for result in results] == [0.0, 0.0]
    assert results[0].cost == results[1].cost == pytest.approx(0.006)
    assert [run.spent for run in runs] == [pytest.approx(0.006), 0.0]


def test_a_refused_call_names_address_status_and_the_providers_message(
    create_words_suite: Make, finish_run: Callable[..., Run], sqlite: Any, stub_model: StubModelServer
) -> None:
    stub_model.react = lambda number, body: Reaction(status=400)
    create_words_suite("a", models=[MODEL])
    refused = finish_run()
    create_words_suite("a", scorers=[RUBRIC])
    unscored = finish_run()
    with sqlite.read() as session:
        (result,), (scored,) = (store.list_results(session, run.id) for run in (refused, unscored))
    for error in (result.error, scored.detail["scores"]["rubric"]["error"]):
        assert isinstance(error, str)
        assert error.startswith("the endpoint http://127.0.0.1:")
        assert error.endswith("/v1/chat/completions answers 400: stub: 400")
