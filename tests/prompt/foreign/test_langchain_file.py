"""LangChain's files, as the installed LangChain writes them, read as data."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.load import dumpd
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.prompts import (
    ChatMessagePromptTemplate,
    ChatPromptTemplate,
    FewShotPromptTemplate,
    MessagesPlaceholder,
    PromptTemplate,
)
from langchain_core.prompts.structured import StructuredPrompt

from factories.prompt_contents import TEXT
from promptuary.prompt.files.yaml_document import InvalidFile, parse_yaml
from promptuary.prompt.foreign.drafts import ImportedPrompt, finish_drafts
from promptuary.prompt.foreign.langchain_file import is_langchain, read_langchain
from promptuary.prompt.templates.preparation import prepare


def imported(value: Any) -> ImportedPrompt:
    """Read what a file of this value would hold."""
    document = parse_yaml(json.dumps(value, indent=1), "p.json")
    assert is_langchain(document.value)
    (one,) = finish_drafts(read_langchain(document.value, "p"), document, "p.json")
    return one


def refused(value: Any) -> str:
    with pytest.raises(InvalidFile) as error:
        imported(value)
    return str(error.value)


def saved(prompt: Any, path: Path) -> ImportedPrompt:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # LangChain is about to take `save` away; its files stay
        prompt.save(path)
    document = parse_yaml(path.read_text(), str(path))
    assert is_langchain(document.value)
    (one,) = finish_drafts(read_langchain(document.value, path.stem), document, str(path))
    return one


def rendered(one: ImportedPrompt, **values: Any) -> Any:
    done = prepare(one.content).render(values)
    return done.text if done.messages is None else [(message["role"], message["content"]) for message in done.messages]


def remarks(one: ImportedPrompt) -> list[str]:
    return [f"{said.path}: {said.message}" for said in one.remarks]


@pytest.mark.parametrize("suffix", ["json", "yaml"])
@pytest.mark.parametrize(
    ("template", "form"),
    [("Hi {name} 😀 {{json}}\n  {name}\n", "f-string"), ("Hi {{name}} 😀 {json}\n{{#name}}!{{/name}}", "mustache")],
)
def test_a_saved_prompt_renders_as_it_does_there(tmp_path: Path, template: str, form: Any, suffix: str) -> None:
    prompt = PromptTemplate.from_template(template, template_format=form)
    one = saved(prompt, tmp_path / f"greet.{suffix}")
    assert (one.name, one.content.format, one.remarks) == ("greet", form, ())
    assert rendered(one, name="Ada") == prompt.format(name="Ada")


@given(st.lists(TEXT.map(lambda text: text.replace("{", "{{").replace("}", "}}")) | st.just("{name}"), max_size=5).map("".join))
def test_any_f_string_of_names_renders_as_it_does_there(template: str) -> None:
    prompt = PromptTemplate.from_template(template)
    values = {"name": "A{d}a"} if prompt.input_variables else {}
    assert rendered(imported(dumpd(prompt)), **values) == prompt.format(**values)


def test_a_chat_is_taken_message_by_message() -> None:
    prompt = ChatPromptTemplate(
        [
            ("system", "You are {who}."),
            ("placeholder", "{history}"),
            MessagesPlaceholder("examples"),
            ("human", "{question} {{literal}}"),
            ("ai", "Yes."),
            SystemMessage("a {text}, no template"),
            HumanMessage("h"),
            AIMessage("a"),
            ChatMessagePromptTemplate.from_template("as {who}", role="assistant"),
        ]
    )
    one = imported(dumpd(prompt))
    assert (one.content.type, one.content.format, one.content.placeholders()) == ("chat", "f-string", ["history", "examples"])
    assert remarks(one) == []
    assert rendered(one, who="X", question="Q", examples=[{"role": "user", "content": "e"}]) == [
        ("system", "You are X."),
        ("user", "e"),
        ("user", "Q {literal}"),
        ("assistant", "Yes."),
        ("system", "a {text}, no template"),
        ("user", "h"),
        ("assistant", "a"),
        ("assistant", "as X"),
    ]


def test_other_ways_to_write_a_chat_are_taken_too() -> None:
    one = imported(
        {
            "_type": "chat",
            "name": "My chat",
            "messages": [
                ["system", "You are {who}."],
                {"role": "human", "content": "{question}"},
                {"variable_name": "history", "optional": True},
                {"role": "ai", "prompt": {"_type": "prompt", "template": "{who}", "input_variables": ["who"]}},
            ],
        }
    )
    assert one.name == "my-chat"
    assert remarks(one) == [": its name 'My chat' becomes 'my-chat'"]
    assert rendered(one, who="X", question="Q") == [("system", "You are X."), ("user", "Q"), ("assistant", "X")]


def test_partial_variables_are_defaults_and_what_code_computes_is_told() -> None:
    prompt = PromptTemplate(
        template="{a} {b} {c}",
        input_variables=["c"],
        partial_variables={"a": "x", "b": lambda: "now"},
        tags=["t"],
        metadata={"owner": "me"},
    )
    one = imported(dumpd(prompt))
    assert one.tags == ("t",)
    assert {name: said.default for name, said in one.content.variables.items()} == {"a": "x"}
    assert rendered(one, b="y", c="z") == "x y z"
    assert remarks(one) == [
        "kwargs.partial_variables.b: cannot be carried: it is computed by code; here it must be given",
        "kwargs.metadata: cannot be carried: it has no place in a version",
    ]


def test_what_a_prompt_does_without_is_told_and_not_dropped_in_silence() -> None:
    value = dumpd(ChatPromptTemplate([MessagesPlaceholder("h", n_messages=3), ("human", "{q}")]))
    value["kwargs"]["messages"][1]["kwargs"] |= {"additional_kwargs": {"x": 1}, "extra": 7}
    value["kwargs"] |= {"output_parser": {"_type": "default"}, "partial_variables": {"never": "used"}, "colour": "red"}
    assert remarks(imported(value)) == [
        "kwargs.messages.0.kwargs.n_messages: cannot be carried: it has no place in a placeholder",
        "kwargs.messages.1.kwargs.additional_kwargs: cannot be carried: it has no place in a message",
        "kwargs.messages.1.kwargs.extra: cannot be carried: it has no place in a message",
        "kwargs.partial_variables.never: cannot be carried: it is a value for a variable that the prompt never uses",
        "kwargs.output_parser: cannot be carried: it reads a model's answer, which is the application's to do",
        "kwargs.colour: cannot be carried: it has no place in a version",
    ]


def test_a_structured_prompt_brings_its_schema() -> None:
    schema = {"title": "Intent", "type": "object", "properties": {"intent": {"type": "string"}}}
    one = imported(dumpd(StructuredPrompt.from_messages_and_schema([("human", "{q}")], schema)))
    assert one.content.response_format == {"type": "json_schema", "json_schema": {"name": "Intent", "schema": schema}}
    assert remarks(one) == []


def test_jinja2_stays_jinja2_with_a_remark() -> None:
    one = imported(dumpd(PromptTemplate.from_template("Hi {% if x %}{{x}}{% endif %}", template_format="jinja2")))
    assert (one.content.format, one.content.template) == ("jinja2", "Hi {% if x %}{{x}}{% endif %}")
    assert remarks(one) == ["kwargs.template: is jinja2, which not every server renders"]


def test_a_mustache_partial_that_langchain_leaves_empty_is_told() -> None:
    one = imported({"_type": "prompt", "template": "a {{> tone}}", "template_format": "mustache"})
    assert remarks(one) == ["template: '{{> tone}}' is nothing there; here it includes that prompt"]


def chat_of(*messages: Any) -> dict[str, Any]:
    return {"_type": "chat", "messages": list(messages)}


def constructor(name: str, **kwargs: Any) -> dict[str, Any]:
    return {"lc": 1, "type": "constructor", "id": ["langchain", name], "kwargs": kwargs}


TEMPLATE = constructor("PromptTemplate", template="{x}", input_variables=["x"])
IMAGE = constructor("ImagePromptTemplate", template={"url": "{x}"})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            {"_type": "prompt", "template": "{a.__class__}"},
            "line 3: template: '{a.__class__}' is not a name (line 1 of the template)",
        ),
        ({"_type": "prompt", "template": "x\n{a[0]}"}, "line 3: template: '{a[0]}' is not a name (line 2 of the template)"),
        ({"_type": "prompt", "template": "{x!r:>9999}"}, "'{x!r:>9999}' is not a name"),
        ({"_type": "prompt", "template": "{}"}, "'{}' is not a name"),
        ({"_type": "prompt", "template": "{{#a}}", "template_format": "mustache"}, "section 'a' is never closed"),
        ({"_type": "prompt", "template": 7}, "template: must be a text"),
        (
            {"_type": "prompt", "template": "x", "template_format": "python"},
            "template_format: must be f-string, mustache or jinja2",
        ),
        ({"_type": "prompt", "template_path": "/etc/passwd"}, "template_path: names another file, which is not read"),
        ({"_type": "few_shot", "suffix": "x"}, "is a few_shot; a prompt template or a chat prompt template is taken"),
        (constructor("OpenAI", model="x"), "is a OpenAI; a prompt template"),
        (
            {"lc": 1, "type": "secret", "id": ["OPENAI_API_KEY"]},
            "is a OPENAI_API_KEY that LangChain did not write whole (secret)",
        ),
        ({"lc": 1, "type": "not_implemented", "id": []}, "is a object without a name that LangChain did not write whole"),
        ({"lc": 1, "type": "constructor", "id": ["PromptTemplate"], "kwargs": 7}, "kwargs: must be an object"),
        (chat_of({}), "messages.0: is nothing that says not who speaks; write the prompt with dumpd"),
        (chat_of(7), "messages.0: must be an object"),
        (chat_of(["critic", "x"]), "messages.0: is 'critic'; a message here is of system, user, assistant or tool"),
        (chat_of({"role": "user", "content": [{"type": "image"}]}), "messages.0.content: must be a text; images"),
        (chat_of(), "messages: List should have at least 1 item"),
        (chat_of(constructor("HumanMessagePromptTemplate", prompt=[TEMPLATE, IMAGE])), "has several parts"),
        (
            chat_of(constructor("HumanMessagePromptTemplate", prompt=[IMAGE])),
            "is a ImagePromptTemplate; a message here is one text",
        ),
        (chat_of(constructor("FunctionMessage", content="x")), "messages.0: is a FunctionMessage that says not who speaks"),
        (
            chat_of(
                ["user", "{x}"],
                constructor(
                    "HumanMessagePromptTemplate", prompt={"_type": "prompt", "template": "{{x}}", "template_format": "mustache"}
                ),
            ),
            "messages.1.kwargs.prompt.template: is mustache and another message is f-string; a prompt here has one format",
        ),
        (
            chat_of(
                constructor("SystemMessage", content="{{x}}"),
                constructor(
                    "HumanMessagePromptTemplate", prompt={"_type": "prompt", "template": "{{x}}", "template_format": "mustache"}
                ),
            ),
            "messages.0.kwargs.content: is a text with braces among mustache templates",
        ),
        (chat_of({"variable_name": "not a name"}), "messages.0.name: "),
        ({"_type": "prompt", "name": "💥", "template": "x"}, "its name '\\U0001f4a5' cannot be one here"),
    ],
)
def test_what_can_be_no_prompt_here_is_refused_with_its_place(value: Any, said: str) -> None:
    assert said in refused(value)


def test_few_shot_prompts_are_refused_as_langchain_saves_them(tmp_path: Path) -> None:
    few = FewShotPromptTemplate(
        examples=[{"a": "b"}], example_prompt=PromptTemplate.from_template("{a}"), suffix="x {q}", input_variables=["q"]
    )
    with pytest.raises(InvalidFile, match="is a few_shot"):
        saved(few, tmp_path / "few.json")
    assert "is a FewShotPromptTemplate that LangChain did not write whole" in refused(dumpd(few))


def test_nothing_that_a_file_names_is_imported_or_run() -> None:
    """As CVE-2025-68664 did it: a constructor in the place of a value, and one that reads the environment."""
    evil = {"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {"command": "exit 1"}}
    secret = {"lc": 1, "type": "secret", "id": ["HOME"]}
    one = imported({"_type": "prompt", "template": "{a} {b}", "partial_variables": {"a": evil, "b": secret}, "metadata": evil})
    assert one.content.variables == {}
    assert [said.path for said in one.remarks] == ["partial_variables.a", "partial_variables.b", "metadata"]
    assert "is a system; " in refused(evil)
