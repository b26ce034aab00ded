import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from promptuary.prompt.content import Content
from promptuary.prompt.errors import InvalidPrompt
from promptuary.prompt.foreign.langchain_export import to_langchain
from promptuary.prompt.messages.langchain_messages import openai_message
from promptuary.prompt.templates.preparation import prepare


def to_langchain_prompt(**body: Any) -> Any:
    return to_langchain(prepare(Content.model_validate(body), jinja2=True))


@pytest.mark.parametrize(
    ("template", "format_"),
    [
        ('Answer {"intent": "x", "n": {}} for {{ticket}}', "mustache"),
        ('Answer {"intent": "x", "n": {}} for {{ ticket }}', "simple"),
        ('Answer {{"intent": "x", "n": {{}}}} for {ticket}', "f-string"),
    ],
)
def test_a_text_becomes_a_prompt_template_that_keeps_json_braces(template: str, format_: str) -> None:
    prompt = to_langchain_prompt(type="text", template=template, format=format_)
    assert prompt.input_variables == ["ticket"]
    assert prompt.format(ticket="{a} {{b}}") == 'Answer {"intent": "x", "n": {}} for {a} {{b}}'


def test_a_chat_becomes_a_chat_prompt_template_with_placeholders() -> None:
    prompt = to_langchain_prompt(
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


@pytest.mark.parametrize("format_", ["mustache", "jinja2"])
def test_defaults_and_optional_variables_are_filled_in_as_promptuary_does(format_: str) -> None:
    variables = {"a": {"default": "d"}, "b": {"required": False}, "n": {"type": "integer", "default": 3}}
    body = {"template": "{{ a }}-{{ b }}-{{ n }}", "format": format_, "variables": variables}
    prompt = to_langchain_prompt(type="text", **body)
    assert prompt.input_variables == []
    assert (prompt.format(), prompt.format(a="x", b="y")) == ("d--3", "x-y-3")
    history = {
        "h": {"type": "array", "default": [{"role": "user", "content": "hey"}]},
        "g": {"type": "array", "required": False},
    }
    chat = to_langchain_prompt(
        type="chat",
        template=[
            {"role": "placeholder", "name": "h"},
            {"role": "placeholder", "name": "g"},
            {"role": "user", "content": "{{ a }}"},
        ],
        format=format_,
        variables={"a": variables["a"], **history},
    )
    assert [message.content for message in chat.format_messages()] == ["hey", "d"]
    assert [message.content for message in chat.format_messages(h=[], g=[("ai", "ho")], a="x")] == ["ho", "x"]


NAMES = ("a", "b_1", "input", "class", "kwargs")
pieces = st.lists(
    st.tuples(st.just("tag"), st.sampled_from(NAMES))
    | st.tuples(st.just("text"), st.text(alphabet='{}[]:!%"\\ aé\n', max_size=8)),
    max_size=8,
)
texts = st.fixed_dictionaries({name: st.text(alphabet="{}%a\n", max_size=5) for name in NAMES})


def build_template(pieces: list[tuple[str, str]], format_: str) -> str:
    """Return a template of tags and literal texts; a text that reads as a tag is escaped as its format requires."""
    parts = []
    for piece_type, text in pieces:
        if format_ == "f-string":
            parts.append("{" + text + "}" if piece_type == "tag" else text.replace("{", "{{").replace("}", "}}"))
        elif format_ == "simple":
            parts.append("{{" + text + "}}" if piece_type == "tag" else text)
        elif format_ == "mustache":
            parts.append(f"{{{{=<| |>=}}}}<|{text}|><|={{{{ }}}}=|>" if piece_type == "tag" else text.replace("{{", "{ {"))
        else:
            parts.append("{{ " + text + " }}" if piece_type == "tag" else "{{ '{' }}".join(text.split("{")))
    return "".join(parts)


@given(st.sampled_from(["f-string", "mustache", "simple", "jinja2"]), pieces, texts)
def test_langchain_renders_plain_tags_among_braces_as_promptuary_does(
    format_: str, pieces: list[tuple[str, str]], texts: dict[str, str]
) -> None:
    template = build_template(pieces, format_)
    try:
        prepared = prepare(Content.model_validate({"type": "text", "template": template, "format": format_}), jinja2=True)
        prompt = to_langchain(prepared)
    except InvalidPrompt:
        return
    values = {name: texts[name] for name in prepared.variables}
    assert sorted(prompt.input_variables) == sorted(values)
    assert prompt.format(**values) == prepared.render(values).text


@given(st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), pieces), min_size=1, max_size=3), texts)
def test_langchain_renders_a_chat_as_promptuary_does(
    turns: list[tuple[str, list[tuple[str, str]]]], texts: dict[str, str]
) -> None:
    messages = [{"role": role, "content": build_template(content, "f-string")} for role, content in turns]
    prepared = prepare(Content.model_validate({"type": "chat", "template": messages, "format": "f-string"}))
    values = {name: texts[name] for name in prepared.variables}
    expected = [(message["role"], message["content"]) for message in prepared.render(values).messages or ()]
    roles = {"human": "user", "ai": "assistant", "system": "system"}
    messages_of_langchain = to_langchain(prepared).format_messages(**values)  # type: ignore[union-attr] # a chat template has it
    assert [(roles[message.type], message.content) for message in messages_of_langchain] == expected


@pytest.mark.parametrize("template", ["{{ a|upper }}", "{% if a %}x{% endif %}", "{% for a in b %}{% endfor %}", "{{ a.b }}"])
def test_jinja_that_is_more_than_plain_names_is_refused(template: str) -> None:
    with pytest.raises(InvalidPrompt, match="an expression, an if or a for is more than a plain name"):
        to_langchain_prompt(type="text", template=template, format="jinja2")


@pytest.mark.parametrize("name", ["self", "stop"])
def test_a_name_that_langchain_reserves_is_refused(name: str) -> None:
    with pytest.raises(InvalidPrompt, match=f"{name}: is a name that LangChain reserves"):
        to_langchain_prompt(type="text", template=f"{{{{{name}}}}}")


@pytest.mark.parametrize(
    "template", ["{{#a}}x{{/a}}", "{{^a}}x{{/a}}", "{{a.b}}", "{{.}}", "{{a[0]}}", "{{x!r:>9999}}", "{{x:>9999}}", "{{> p}}"]
)
def test_a_template_that_the_f_string_format_cannot_express_is_refused(template: str) -> None:
    with pytest.raises(InvalidPrompt, match="LangChain's f-string format cannot express this prompt"):
        to_langchain_prompt(type="text", template=template, partials={"p": ""})


def test_a_role_that_langchain_does_not_have_is_refused_with_its_path() -> None:
    with pytest.raises(InvalidPrompt, match=r"template\.0\.role: 'tool' is not a role of LangChain"):
        to_langchain_prompt(type="chat", template=[{"role": "tool", "content": "x"}])


CALL = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"order": {"id": 7}}'}}
AGENT = [
    {"role": "developer", "content": "Be {{tone}}. {x}"},
    {"role": "system", "content": "Sort.", "name": "policy"},
    {"role": "user", "content": "{{question}}", "name": "ana"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "content": "{found}", "tool_call_id": "call_1", "name": "find"},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "{{question}} {x}", "cache_control": {"type": "ephemeral", "note": "{x}"}},
            {"type": "text", "text": "{{empty}}"},
            {"type": "image_url", "image_url": {"url": "https://{{url}}/{x}.png", "detail": "low"}},
            {"type": "input_audio", "input_audio": {"data": "{{audio}}", "format": "wav"}},
            {"type": "file", "file": {"filename": "{{name}}.pdf", "file_data": "{{pdf}}"}},
        ],
    },
]


def test_langchain_renders_messages_of_agents_and_parts_as_promptuary_does() -> None:
    prepared = prepare(Content.model_validate({"type": "chat", "template": AGENT}))
    values = {name: f"a {{{name}}}" for name in prepared.variables} | {"empty": "", "url": "img.example"}
    template = to_langchain(prepared)
    assert sorted(template.input_variables) == sorted(values)
    messages = template.format_messages(**values)  # type: ignore[union-attr] # a chat template has it
    assert [openai_message(message) for message in messages] == list(prepared.render(values).messages or ())


def test_langchains_openai_model_would_send_what_promptuary_renders() -> None:
    prepared = prepare(Content.model_validate({"type": "chat", "template": AGENT}))
    values = dict.fromkeys(prepared.variables, "x")
    template = to_langchain(prepared)
    model = ChatOpenAI(model="gpt-x", api_key=SecretStr("none"))
    messages = template.format_messages(**values)  # type: ignore[union-attr] # a chat template has it
    payload = model._get_request_payload(messages)["messages"]
    for message in payload:
        for call in message.get("tool_calls", ()):
            call["function"]["arguments"] = json.dumps(json.loads(call["function"]["arguments"]))
    expected = [dict(message) for message in prepared.render(values).messages or ()]
    expected[4].pop("name")  # which LangChain does not send with the result of a tool
    assert payload == expected


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (
            {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "find", "arguments": '{"a": "{{a}}"}'}}]},
            r"template\.0\.tool_calls: LangChain has no template for tool calls with variables; render it with Promptuary",
        ),
        (
            {"role": "assistant", "content": "{{a}}", "tool_calls": [CALL]},
            r"template\.0\.tool_calls: LangChain has no template",
        ),
        ({"role": "tool", "content": "{{a}}", "tool_call_id": "c"}, r"template\.0\.content: LangChain has no template"),
        (
            {"role": "user", "content": [{"type": "text", "text": "{{#a}}x{{/a}}"}]},
            r"template\.0\.content\.0\.text: 'a' is more than a plain name",
        ),
    ],
)
def test_what_langchain_has_no_template_for_is_refused_with_its_path(message: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidPrompt, match=path):
        to_langchain_prompt(type="chat", template=[message])


def test_arguments_that_are_no_json_object_become_an_invalid_tool_call() -> None:
    call = {**CALL, "function": {"name": "find", "arguments": "{cut off"}}
    chat = to_langchain_prompt(type="chat", template=[{"role": "assistant", "content": None, "tool_calls": [call]}])
    (message,) = chat.format_messages()
    assert openai_message(message) == {"role": "assistant", "content": None, "tool_calls": [call]}
