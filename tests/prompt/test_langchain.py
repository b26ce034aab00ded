from typing import Any

import pytest

from promptuary.prompt.content import Content
from promptuary.prompt.errors import InvalidPrompt
from promptuary.prompt.langchain import to_langchain
from promptuary.prompt.template import prepare

pytest.importorskip("langchain_core")


def converted(**body: Any) -> Any:
    return to_langchain(prepare(Content.model_validate(body)))


@pytest.mark.parametrize(
    ("template", "format_"),
    [
        ('Answer {"intent": "x", "n": {}} for {{ticket}}', "mustache"),
        ('Answer {{"intent": "x", "n": {{}}}} for {ticket}', "f-string"),
    ],
)
def test_a_text_becomes_a_prompt_template_that_keeps_json_braces(template: str, format_: str) -> None:
    prompt = converted(type="text", template=template, format=format_)
    assert prompt.input_variables == ["ticket"]
    assert prompt.format(ticket="{a} {{b}}") == 'Answer {"intent": "x", "n": {}} for {a} {{b}}'


def test_a_chat_becomes_a_chat_prompt_template_with_placeholders() -> None:
    prompt = converted(
        type="chat",
        template=[
            {"role": "system", "content": 'Give {"a": 1}.'},
            {"role": "placeholder", "name": "history"},
            {"role": "user", "content": "{{ticket}}"},
            {"role": "assistant", "content": "Well:"},
        ],
        variables={"history": {"type": "array", "required": False}},
    )
    messages = prompt.format_messages(ticket="{x}", history=[("human", "before")])
    assert [(message.type, message.content) for message in messages] == [
        ("system", 'Give {"a": 1}.'),
        ("human", "before"),
        ("human", "{x}"),
        ("ai", "Well:"),
    ]
    assert len(prompt.format_messages(ticket="x")) == 3


@pytest.mark.parametrize(
    "template", ["{{#a}}x{{/a}}", "{{^a}}x{{/a}}", "{{a.b}}", "{{.}}", "{{a[0]}}", "{{x!r:>9999}}", "{{x:>9999}}", "{{> p}}"]
)
def test_what_langchains_form_cannot_say_or_would_read_otherwise_is_refused(template: str) -> None:
    with pytest.raises(InvalidPrompt, match="LangChain's f-string form cannot say this prompt"):
        converted(type="text", template=template, partials={"p": ""})


def test_a_role_that_langchain_does_not_have_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidPrompt, match=r"template\.0\.role: 'tool' has no form"):
        converted(type="chat", template=[{"role": "tool", "content": "x"}])
