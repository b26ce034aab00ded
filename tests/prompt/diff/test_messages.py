"""The comparison of messages of agents: by message, part, tool call and field."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories.prompt_contents import messages
from promptuary.prompt.content import Content
from promptuary.prompt.diff.contents import compare_contents
from promptuary.prompt.digest import content_digest

WITHOUT_TEXT = "the content of a message is a list of parts or null, and a program that reads it as a text fails"
USER = {"role": "user", "content": "hi"}


def chat(*template: dict[str, Any]) -> Content:
    return Content.model_validate({"type": "chat", "template": list(template)})


def call(arguments: str = '{"a": 1}', name: str = "find", call_id: str = "call_1") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def calling(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def text(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **more}


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def asking(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def content_changes(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, Any, Any]]:
    changes = compare_contents(chat(USER, before), chat(USER, after)).changes
    return [(change.path.removeprefix("template.1."), change.kind, change.before, change.after) for change in changes]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({**USER, "name": "a"}, {**USER, "name": "b"}, [("name", "changed", "a", "b")]),
        (USER, {**USER, "name": "b"}, [("name", "added", None, "b")]),
        (
            {"role": "system", "content": "Sort."},
            {"role": "developer", "content": "Sort."},
            [("role", "changed", "system", "developer")],
        ),
        (
            calling(call('{"a": 1}')),
            calling(call('{"a": 2}')),
            [("tool_calls.0.function.arguments", "changed", '{"a": 1}', '{"a": 2}')],
        ),
        (calling(call()), calling(call(), call(call_id="call_2")), [("tool_calls.1", "added", None, call(call_id="call_2"))]),
        (
            calling(call(), call(name="drop")),
            calling(call(name="drop")),
            [("tool_calls.0", "removed", call(), None)],
        ),
        (calling(call()), {"role": "assistant", "tool_calls": [call()]}, [("content", "removed", None, None)]),
        (
            {"role": "tool", "content": "x", "tool_call_id": "a"},
            {"role": "tool", "content": "x", "tool_call_id": "b"},
            [("tool_call_id", "changed", "a", "b")],
        ),
        (
            asking(text("a"), image("https://a.example/1.png")),
            asking(text("b"), image("https://a.example/2.png")),
            [
                ("content.0.text", "changed", "a", "b"),
                ("content.1.image_url.url", "changed", "https://a.example/1.png", "https://a.example/2.png"),
            ],
        ),
        (asking(text("a")), asking(image("https://a.example/1.png"), text("a")), [("content.0", "added", None, image("https://a.example/1.png"))]),
        (
            asking(text("a")),
            asking(text("a", cache_control={"type": "ephemeral"})),
            [("content.0.cache_control", "added", None, {"type": "ephemeral"})],
        ),
        (USER, asking(text("hi")), [("content", "changed", "hi", [text("hi")])]),
    ],
)  # fmt: skip
def test_a_change_is_named_by_its_place(before: dict[str, Any], after: dict[str, Any], expected: list[Any]) -> None:
    assert content_changes(before, after) == expected


def test_texts_and_arguments_have_a_line_diff_and_urls_have_none() -> None:
    before = chat(asking(text("one\ntwo"), image("https://a.example/1.png")), calling(call("[1,\n2]")))
    after = chat(asking(text("one\n2"), image("https://a.example/2.png")), calling(call("[1,\n3]")))
    diffs = {change.path: change.diff for change in compare_contents(before, after).changes}
    assert diffs == {
        "template.0.content.0.text": "@@ -1,2 +1,2 @@\n one\n-two\n+2",
        "template.0.content.1.image_url.url": None,
        "template.1.tool_calls.0.function.arguments": "@@ -1,2 +1,2 @@\n [1,\n-2]\n+3]",
    }


def test_a_content_that_is_no_text_breaks_only_where_all_were_texts() -> None:
    assert compare_contents(chat(USER), chat(USER, calling(call()))).reasons == (WITHOUT_TEXT,)
    assert compare_contents(chat(USER), chat(asking(text("hi")))).reasons == (WITHOUT_TEXT,)
    assert not compare_contents(chat(asking(text("hi"))), chat(asking(text("ho")), calling(call()))).breaking
    assert not compare_contents(chat(asking(text("hi"))), chat(USER)).breaking


@given(*[st.lists(messages(st.sampled_from(["a", "b\nc"])), min_size=1, max_size=3)] * 2)
def test_there_is_a_change_exactly_where_the_digests_differ(before: list[Any], after: list[Any]) -> None:
    old, new = chat(*before), chat(*after)
    assert bool(compare_contents(old, new).changes) == (content_digest(old) != content_digest(new))
