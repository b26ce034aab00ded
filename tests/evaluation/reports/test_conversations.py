"""Conversations in every report: turn by turn, with each turn's verdict and reasons."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from promptuary.evaluation.reports.html.conversations import CONVERSATIONS_LIMIT
from promptuary.evaluation.reports.html.html_report import html_report
from promptuary.evaluation.reports.json_report import json_report
from promptuary.evaluation.reports.junit import junit_report
from promptuary.evaluation.reports.markdown import markdown_report
from promptuary.evaluation.reports.reported_result import ReportedResult
from promptuary.evaluation.reports.reported_run import ReportedRun
from promptuary.evaluation.reports.result_spool import spool_results

Values = dict[str, Any]
Make = Callable[..., ReportedResult]
CALL = {"id": "1", "type": "function", "function": {"name": "get_order", "arguments": '{"id": 7}'}}
TURNS = [
    {
        "messages": [
            {"role": "user", "content": "Where is <7>?"},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "1", "content": "shipped"},
            {"role": "assistant", "content": "On its way."},
        ],
        "output": "On its way.",
        "passed": True,
        "score": 1.0,
        "scores": {"polite": {"passed": True, "score": 1.0, "reason": "fine", "error": None}},
        "latency_ms": 1200.0,
        "tokens_input": 20,
        "tokens_output": 4,
        "cost": 0.5,
        "cached": False,
    },
    {
        "messages": [{"role": "user", "content": "And now?"}, {"role": "assistant", "content": "No."}],
        "output": "No.",
        "passed": False,
        "score": 0.0,
        "scores": {"polite": {"passed": False, "score": 0.0, "reason": "too short", "error": None}},
        "latency_ms": None,
        "tokens_input": None,
        "tokens_output": None,
        "cost": None,
        "cached": False,
    },
]
SCORES = {"turn 2": {"passed": False, "score": 0.0, "reason": "polite: too short", "error": None}}


def conversation(result_of: Make, name: str = "v2", **changes: Any) -> ReportedResult:
    return result_of("talk", name, passed=False, output="No.", detail={"turns": TURNS, "scores": SCORES}, **changes)


def test_the_json_report_has_each_turn_with_its_scores_and_what_it_took(run: Values, result_of: Make) -> None:
    text = "".join(json_report(ReportedRun.from_json(run), [conversation(result_of), result_of("c2")]))

    talk, plain = json.loads(text)["results"]
    assert [turn["pass"] for turn in talk["turns"]] == [True, False]
    assert talk["turns"][0]["messages"] == TURNS[0]["messages"]
    assert talk["turns"][0]["scores"]["polite"]["reason"] == "fine"
    assert (talk["turns"][0]["tokens_input"], talk["turns"][0]["cost"]) == (20, 0.5)
    assert "turns" not in plain


def test_a_spool_keeps_the_turns(result_of: Make) -> None:
    with spool_results([conversation(result_of)]) as read:
        (result,) = read()

    assert result == conversation(result_of)


def test_the_html_report_has_each_conversation_turn_by_turn(run: Values, result_of: Make) -> None:
    page = "".join(html_report(ReportedRun.from_json(run), [conversation(result_of)]))

    assert "<h2>Conversations</h2>" in page
    for text in (
        "Where is &lt;7&gt;?",
        "calls get_order with {&quot;id&quot;: 7}",
        "[tool]",
        "polite: too short",
        "1.2\u202fs"[:3],
    ):
        assert text in page
    assert "<7>" not in page


def test_the_html_report_without_conversations_has_no_such_section(run: Values, result_of: Make) -> None:
    assert "Conversations" not in "".join(html_report(ReportedRun.from_json(run), [result_of("c1")]))


def test_the_html_report_shows_a_bounded_number_of_conversations(run: Values, result_of: Make) -> None:
    page = "".join(html_report(ReportedRun.from_json(run), [conversation(result_of)] * (CONVERSATIONS_LIMIT + 1)))

    assert page.count("<details><summary><bdi>talk") == CONVERSATIONS_LIMIT
    assert f"The first {CONVERSATIONS_LIMIT} of {CONVERSATIONS_LIMIT + 1}" in page


def test_junit_has_the_conversation_in_a_failure(run: Values, result_of: Make) -> None:
    def read_results() -> Iterator[ReportedResult]:
        yield conversation(result_of)

    text = "".join(junit_report([(ReportedRun.from_json(run), read_results)]))

    assert "Turn 2: fail, score 0.000; polite: too short" in text
    assert "[user]\nAnd now?" in text


def test_markdown_shows_a_conversation_that_got_worse_turn_by_turn(run: Values, result_of: Make) -> None:
    text = markdown_report(
        ReportedRun.from_json(run), [conversation(result_of, "v1", score=1.0, metrics={"exact": 1.0}), conversation(result_of)]
    )

    assert "Turn 1: pass, score 1.000" in text
    assert "turn 2: polite: too short" in text


def test_an_unfinished_conversation_shows_what_was_answered_and_why_it_ended(result_of: Make) -> None:
    turn = {name: value for name, value in TURNS[1].items() if name not in ("passed", "score", "scores")}

    result = result_of("talk", passed=None, error="turn 2: no response", detail={"turns": [turn]})

    assert result.shown_output.startswith("Turn 1: not scored")
    assert result.shown_output.endswith("(no answer: turn 2: no response)")
