"""Conversations: each turn gets the real answers before it, and they are scored by turn and as a whole."""

from collections.abc import Mapping, Sequence

import pytest

from factories.conversations import conversation, replies, reply, run_conversation, sent
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.models.calls import ModelReply
from promptuary.prompt.content import Content

CONTAINS_YES = {"type": "contains", "value": "yes", "name": "yes"}
CHAT = Content.model_validate(
    {
        "type": "chat",
        "template": [
            {"role": "system", "content": "Sort."},
            {"role": "user", "content": "Example"},
            {"role": "assistant", "content": "x"},
            {"role": "user", "content": "Ticket: {{ticket}}"},
        ],
    }
)
WITH_PLACEHOLDER = Content.model_validate(
    {
        "type": "chat",
        "template": [
            {"role": "system", "content": "Sort."},
            {"role": "placeholder", "name": "earlier"},
            {"role": "user", "content": "Ticket: {{ticket}}"},
        ],
    }
)


def test_each_turn_gets_the_history_with_the_models_real_answers() -> None:
    model = replies("first", "second", "third")

    result = run_conversation(conversation(turns=[{"user": "a"}, {"user": "b"}, {"user": "c"}]), model)

    assert sent(model)[2] == [
        ("system", "Be short."),
        ("user", "a"),
        ("assistant", "first"),
        ("user", "b"),
        ("assistant", "second"),
        ("user", "c"),
    ]
    assert (result.output, result.error) == ("third", None)


def test_turns_with_variables_render_the_prompt_again_around_the_history() -> None:
    model = replies("one", "two")

    run_conversation(conversation(turns=[{"vars": {"ticket": "a"}}, {"vars": {"ticket": "b"}}]), model, content=CHAT)

    assert sent(model)[1][3:] == [("user", "Ticket: a"), ("assistant", "one"), ("user", "Ticket: b")]


def test_a_placeholder_takes_the_history_after_the_cases_own_messages() -> None:
    model = replies("one", "two")
    own = [{"role": "user", "content": "before"}, {"role": "assistant", "content": "ok"}]

    case = conversation(vars={"earlier": own}, turns=[{"vars": {"ticket": "a"}}, {"vars": {"ticket": "b"}}])
    run_conversation(case, model, content=WITH_PLACEHOLDER)

    assert [text for _, text in sent(model)[1]] == ["Sort.", "before", "ok", "Ticket: a", "one", "Ticket: b"]


def test_a_text_prompt_with_a_variable_history_places_it_itself() -> None:
    model = replies("one", "two")
    content = Content.model_validate(
        {
            "type": "text",
            "template": "{{#history}}{{role}}: {{content}}\n{{/history}}user: {{q}}",
            "variables": {"history": {"type": "array"}, "q": {"type": "string"}},
        }
    )

    run_conversation(conversation(turns=[{"vars": {"q": "a"}}, {"vars": {"q": "b"}}]), model, content=content)

    assert sent(model)[1] == [("user", "user: user: a\nassistant: one\nuser: b")]


def test_a_turn_has_scorers_variables_and_an_expected_output_of_its_own() -> None:
    equals = {"type": "equals", "value": "{{expected}}", "name": "exact"}
    turns = [{"user": "a", "expected": "one", "assert": [equals]}, {"user": "b", "expected": "two", "assert": [equals]}]

    result = run_conversation(conversation(turns=turns), replies("one", "three"))

    first, second = result.detail["turns"]
    assert (first["passed"], second["passed"]) == (True, False)
    assert (result.passed, result.score, result.metrics) == (False, 0.5, {"exact": 0.5})
    assert result.detail["scores"]["turn 2"]["passed"] is False
    assert "exact" in str(result.detail["scores"]["turn 2"]["reason"])


def test_scorers_of_the_suite_score_the_last_answer_or_each_turn() -> None:
    each = {**CONTAINS_YES, "name": "each", "each_turn": True}

    result = run_conversation(
        conversation(turns=[{"user": "a"}, {"user": "b"}]), replies("no", "yes"), scorers=[CONTAINS_YES, each]
    )

    assert result.metrics == {"yes": 1.0, "each": 0.5}
    assert (result.passed, result.score) == (False, 0.75)
    assert [turn["passed"] for turn in result.detail["turns"]] == [False, True]
    assert str(result.detail["scores"]["each"]["reason"]).startswith("turn 1: ")


def test_a_turns_threshold_decides_its_verdict() -> None:
    asserts = [{"type": "contains", "value": "a"}, {"type": "contains", "value": "b"}]

    result = run_conversation(conversation(turns=[{"user": "q", "assert": asserts, "threshold": 0.5}]), replies("only a"))

    assert (result.passed, result.score) == (True, 0.5)


def test_tokens_and_latencies_are_summed_over_the_turns() -> None:
    result = run_conversation(conversation(turns=[{"user": "a"}, {"user": "b"}]), replies("one", "two"))

    assert (result.tokens_input, result.tokens_output) == (20, 4)
    assert [turn["tokens_input"] for turn in result.detail["turns"]] == [10, 10]
    latencies = [turn["latency_ms"] for turn in result.detail["turns"]]
    assert result.latency_ms == pytest.approx(sum(latency or 0 for latency in latencies), abs=0.2)


def test_a_conversation_that_stops_half_way_is_an_error_and_never_half_scored() -> None:
    turns = [{"user": "a", "assert": [CONTAINS_YES]}, {"user": "b"}]

    result = run_conversation(conversation(turns=turns), replies("yes", ValueError("no")))

    assert (result.passed, result.score, result.metrics, result.output) == (None, None, {"yes": None}, None)
    assert result.error == "turn 2: ValueError: no"
    assert [turn["output"] for turn in result.detail["turns"]] == ["yes"]
    assert "scores" not in result.detail["turns"][0]
    assert result.tokens_input == 10


def test_the_history_has_the_real_answer_and_scorers_the_transformed_one() -> None:
    model = replies("```\none\n```", "two")
    turns = [{"user": "a", "assert": [{"type": "equals", "value": "one"}]}, {"user": "b"}]

    result = run_conversation(conversation(turns=turns), model, transform="strip-fences")

    assert result.passed is True
    assert sent(model)[1][2] == ("assistant", "```\none\n```")


def test_tools_are_answered_from_the_case_until_the_model_answers() -> None:
    model = replies(reply(get_order={"id": 7}), "It is on its way.")
    case = conversation(
        turns=[{"user": "Where is 7?"}], tool_results={"get_order": [{"args": {"id": 7}, "result": {"status": "shipped"}}]}
    )

    result = run_conversation(case, model, scorers=[{"type": "tool-call-f1", "value": ["get_order"]}])

    assert sent(model)[1][-2:] == [("ai", ""), ("tool", '{"status": "shipped"}')]
    assert (result.output, result.passed) == ("It is on its way.", True)
    assert [message["role"] for message in result.detail["turns"][0]["messages"]] == ["user", "assistant", "tool", "assistant"]
    assert (result.tokens_input, result.tokens_output) == (20, 4)


def test_a_case_without_turns_may_have_results_of_tools() -> None:
    content = Content(type="text", template="Where is {{id}}?")
    case = conversation(vars={"id": 7}, tool_results={"get_order": "shipped"}, **{"assert": [CONTAINS_YES]})

    result = run_conversation(case, replies(reply(get_order={"id": 7}), "yes"), content=content)

    assert (result.passed, result.metrics) == (True, {"yes": 1.0})
    assert "turn 1" not in result.detail["scores"]


def test_a_call_without_a_result_in_the_case_is_a_clear_error() -> None:
    case = conversation(turns=[{"user": "q"}], tool_results={"get_order": "shipped"})

    result = run_conversation(case, replies(reply(refund={"id": 7})))

    assert result.error == (
        "turn 1: the model called the tool 'refund', which has no result in the case: add it to `tool_results`"
    )


def test_the_steps_of_a_turn_are_bounded() -> None:
    case = conversation(turns=[{"user": "q"}], tool_results={"t": "again"}, max_steps=3)
    model = replies(*[reply(t={})] * 5)

    result = run_conversation(case, model)

    assert result.error is not None
    assert "not answered after 3 calls of the model" in result.error
    assert len(model.received) == 3
    assert result.tokens_input == 30


def test_a_call_in_the_last_turn_is_the_answer_where_the_case_has_no_results() -> None:
    turns = [{"user": "a"}, {"user": "b"}]

    last = run_conversation(conversation(turns=turns), replies("one", reply(t={})))
    earlier = run_conversation(conversation(turns=turns), replies(reply(t={}), "two"))

    assert last.error is None
    assert '"name":"t"' in str(last.output)
    assert earlier.error is not None
    assert "another turn follows: write the tool's result" in earlier.error


def test_a_turn_without_a_users_message_is_a_clear_error() -> None:
    result = run_conversation(conversation(turns=[{"user": "a"}, {"vars": {"x": "1"}}]), replies("one", "two"))

    assert result.error is not None
    assert "turn 2 has no message of the user" in result.error


@pytest.mark.parametrize("first", [{}, {"vars": {"ticket": "a"}}])
def test_the_prompts_question_is_sent_once_before_turns_with_messages(first: dict[str, object]) -> None:
    model = replies("one", "two", "three")
    case = conversation(vars={"ticket": "a"}, turns=[first, {"user": "b"}, {"user": "c"}])

    run_conversation(case, model, content=CHAT)

    assert sent(model)[2] == [
        *[("system", "Sort."), ("user", "Example"), ("assistant", "x"), ("user", "Ticket: a")],
        *[("assistant", "one"), ("user", "b"), ("assistant", "two"), ("user", "c")],
    ]


def test_a_first_message_stands_behind_the_prompts_question() -> None:
    model = replies("one", "two")

    run_conversation(conversation(vars={"ticket": "a"}, turns=[{"user": "b"}, {"user": "c"}]), model, content=WITH_PLACEHOLDER)

    assert [text for _, text in sent(model)[0]] == ["Sort.", "Ticket: a", "b"]
    assert [text for _, text in sent(model)[1]] == ["Sort.", "Ticket: a", "b", "one", "c"]


def test_a_turn_with_a_message_keeps_the_variables_of_earlier_turns() -> None:
    model = replies("one", "two", "three")
    equals = {"type": "equals", "value": "{{ticket}}"}
    turns = [{"vars": {"ticket": "a"}}, {"user": "b", "assert": [equals]}, {"vars": {"ticket": "three"}, "assert": [equals]}]

    result = run_conversation(conversation(turns=turns), model, content=CHAT)

    assert result.error is None
    assert [turn["passed"] for turn in result.detail["turns"]] == [None, False, True]
    assert sent(model)[2][-1] == ("user", "Ticket: three")


def test_a_prompt_that_writes_the_conversation_itself_takes_no_messages() -> None:
    content = Content.model_validate(
        {"type": "text", "template": "{{#history}}{{content}}{{/history}}", "variables": {"history": {"type": "array"}}}
    )

    result = run_conversation(conversation(turns=[{"user": "a"}]), replies("one"), content=content)

    assert "turn 1 needs `vars` and no `user`" in str(result.error)


def test_a_judge_of_the_whole_reads_the_conversation_and_that_of_a_turn_the_answer() -> None:
    texts: list[str] = []

    async def ask(model: object, messages: Sequence[Mapping[str, str]], **_: object) -> ModelReply:
        texts.append(messages[-1]["content"])
        return ModelReply("", parsed={"reason": "", "pass": True, "score": 1.0})

    rubric = {"type": "llm-rubric", "value": "is polite", "model": "local:smollm2"}
    case = conversation(turns=[{"user": "a"}, {"user": "b", "assert": [rubric]}])
    dependencies = ScorerDependencies(embed=lambda texts: [], ask=ask)

    run_conversation(case, replies("one", "two"), scorers=[rubric], dependencies=dependencies)

    whole, turn = sorted(texts, key=len, reverse=True)
    assert "[user]\na\n\n[assistant]\none\n\n[user]\nb\n\n[assistant]\ntwo" in whole
    assert "<output>\ntwo\n</output>" in turn


def test_of_several_placeholders_the_history_has_its_own_name() -> None:
    names = [{"role": "placeholder", "name": name} for name in ("examples", "notes")]
    content = Content.model_validate({"type": "chat", "template": [*names, {"role": "user", "content": "Go"}]})
    notes = {"examples": [], "notes": []}

    once = run_conversation(conversation(vars=notes, tool_results={"t": 1}), replies("one"), content=content)
    twice = run_conversation(conversation(vars=notes, turns=[{}, {"user": "b"}]), replies("one", "two"), content=content)

    assert (once.output, once.error) == ("one", None)
    assert "call the one for the conversation so far 'history'" in str(twice.error)
