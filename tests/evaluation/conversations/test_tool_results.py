"""The results of tools in a case: by arguments, in order, for any tool."""

from typing import Any

import pytest

from promptuary.evaluation.conversations.tool_results import ToolAnswers
from promptuary.prompt.errors import Invalid


def test_one_value_answers_every_call() -> None:
    tools = ToolAnswers({"t": {"a": [1, "ä"]}})

    assert [tools.answer("t", {}), tools.answer("t", {"x": 1})] == ['{"a": [1, "ä"]}'] * 2


def test_a_text_is_answered_as_it_is() -> None:
    assert ToolAnswers({"t": "plain"}).answer("t", {}) == "plain"


def test_an_entry_with_arguments_answers_every_call_that_has_them() -> None:
    tools = ToolAnswers({"t": [{"args": {"id": 1}, "result": "one"}, {"args": {"id": 2, "deep": {"x": 1}}, "result": "two"}]})

    assert tools.answer("t", {"id": 1, "more": True}) == "one"
    assert tools.answer("t", {"id": 2, "deep": {"x": 1.0, "y": 2}}) == "two"
    assert tools.answer("t", {"id": 1}) == "one"


@pytest.mark.parametrize("arguments", [{"id": True}, {"id": "1"}, {}, {"id": [1]}])
def test_other_arguments_have_no_result(arguments: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="no entry of its `tool_results` in the case has these `args`"):
        ToolAnswers({"t": [{"args": {"id": 1}, "result": "one"}]}).answer("t", arguments)


def test_entries_without_arguments_answer_in_order_one_call_each() -> None:
    tools = ToolAnswers({"t": [{"result": "first"}, {"args": {"id": 1}, "result": "one"}, {"result": "second"}]})

    results = [tools.answer("t", {}), tools.answer("t", {"id": 1}), tools.answer("t", {})]

    assert results == ["first", "one", "second"]
    with pytest.raises(Invalid, match="more often than the case has results for it: 2"):
        tools.answer("t", {})


def test_a_star_answers_tools_without_results_of_their_own() -> None:
    tools = ToolAnswers({"t": "own", "*": "any"})

    assert [tools.answer("t", {}), tools.answer("u", {})] == ["own", "any"]


def test_errors_repeat_no_sensitive_arguments() -> None:
    entries: Any = {"t": [{"args": {"id": 1}, "result": "one"}]}

    with pytest.raises(Invalid, match="secret"):
        ToolAnswers(entries).answer("t", {"id": "secret"})
    with pytest.raises(Invalid) as raised:
        ToolAnswers(entries, shows_arguments=False).answer("t", {"id": "secret"})
    assert "secret" not in str(raised.value)
