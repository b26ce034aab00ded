"""Import of LangChain files as the installed LangChain writes them, and of files written by hand."""

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

from factories.foreign_files import finished_prompts
from factories.prompt_contents import TEXT
from promptuary.prompt.errors import InvalidVariables
from promptuary.prompt.files.yaml_document import InvalidFile, parse_yaml
from promptuary.prompt.foreign.drafts import ImportedPrompt
from promptuary.prompt.foreign.langchain_file import is_langchain, read_langchain
from promptuary.prompt.foreign.source_names import SourceNames
from promptuary.prompt.templates.preparation import prepare


def import_value(value: Any) -> ImportedPrompt:
    """Return the prompt of a file that contains the value."""
    document = parse_yaml(json.dumps(value, indent=1), "p.json")
    assert is_langchain(document.value)
    names = SourceNames("p")
    (imported,) = finished_prompts(read_langchain(document.value, names), document, "p.json", names)
    return imported


def import_error(value: Any) -> str:
    with pytest.raises(InvalidFile) as error:
        import_value(value)
    return str(error.value)


def import_saved(prompt: Any, path: Path) -> ImportedPrompt:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # LangChain deprecates `save`; files written by it remain
        prompt.save(path)
    document = parse_yaml(path.read_text(), str(path))
    assert is_langchain(document.value)
    names = SourceNames(path.stem)
    (imported,) = finished_prompts(read_langchain(document.value, names), document, str(path), names)
    return imported


def rendered(imported: ImportedPrompt, **values: Any) -> Any:
    prompt = prepare(imported.content).render(values)
    if prompt.messages is None:
        return prompt.text
    return [(message["role"], message["content"]) for message in prompt.messages]


def remarks(imported: ImportedPrompt) -> list[str]:
    return [f"{remark.path}: {remark.message}" for remark in imported.remarks]


@pytest.mark.parametrize("suffix", ["json", "yaml"])
@pytest.mark.parametrize(
    ("template", "form"),
    [("Hi {name} 😀 {{json}}\n  {name}\n", "f-string"), ("Hi {{{name}}} 😀 {json}\n", "mustache")],
)
def test_a_saved_prompt_renders_as_in_langchain(tmp_path: Path, template: str, form: Any, suffix: str) -> None:
    prompt = PromptTemplate.from_template(template, template_format=form)
    imported = import_saved(prompt, tmp_path / f"greet.{suffix}")
    assert (imported.name, imported.content.format, imported.remarks) == ("greet", form, ())
    assert rendered(imported, name="Ada") == prompt.format(name="Ada")


HTML = 'LangChain writes & < > " in the value of a {{name}} as HTML, such as &amp;; here they stay as they are'
SECTION = "the section 'a' over 0 or an empty object is not rendered in LangChain; here it is"
DOTTED = (
    "'b.c' in a section is looked up further out in LangChain where the item has only its first part; here that is an error"
)


def missing(name: str) -> str:
    here = "here that is an error, unless it is declared with required: false"
    return f"'{name}' is empty in LangChain where it has no value; {here}"


@pytest.mark.parametrize(
    ("template", "values", "langchain", "here", "expected"),
    [
        ("Hi {{a}}", {"a": "<b>"}, "Hi &lt;b&gt;", "Hi <b>", [HTML]),
        ("{{#a}}x{{/a}}", {"a": 0}, "", "x", [SECTION]),
        ("{{#a}}x{{/a}}", {"a": {}}, "", "x", [SECTION]),
        ("{{#a}}{{{b.c}}}{{/a}}", {"a": {"b": {}}, "b": {"c": "x"}}, "x", None, [SECTION, DOTTED, missing("b.c")]),
        ("{{{a.b}}}", {"a": {}}, "", None, [missing("a.b")]),
        ("{{#a}}{{{b}}}{{/a}}", {"a": True}, "", None, [SECTION, missing("b")]),
        ("{{{a.0}}}", {"a": ["x"]}, "x", "x", [missing("a.0")]),
    ],
)
def test_what_means_something_else_in_langchain_has_a_remark(
    template: str, values: dict[str, Any], langchain: str, here: str | None, expected: list[str]
) -> None:
    from langchain_core.utils.mustache import render as langchain_render

    imported = import_value(dumpd(PromptTemplate.from_template(template, template_format="mustache")))
    assert remarks(imported) == [f"kwargs.template: {remark}" for remark in expected]
    assert langchain_render(template, values) == langchain
    if here is None:
        with pytest.raises(InvalidVariables):
            rendered(imported, **values)
    else:
        assert rendered(imported, **values) == here


@given(st.lists(TEXT.map(lambda text: text.replace("{", "{{").replace("}", "}}")) | st.just("{name}"), max_size=5).map("".join))
def test_any_f_string_of_names_renders_as_in_langchain(template: str) -> None:
    prompt = PromptTemplate.from_template(template)
    values = {"name": "A{d}a"} if prompt.input_variables else {}
    assert rendered(import_value(dumpd(prompt)), **values) == prompt.format(**values)


def test_a_chat_is_imported_message_by_message() -> None:
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
    imported = import_value(dumpd(prompt))
    assert (imported.content.type, imported.content.format, imported.content.placeholders()) == (
        "chat",
        "f-string",
        ["history", "examples"],
    )
    assert remarks(imported) == []
    assert rendered(imported, who="X", question="Q", examples=[{"role": "user", "content": "e"}]) == [
        ("system", "You are X."),
        ("user", "e"),
        ("user", "Q {literal}"),
        ("assistant", "Yes."),
        ("system", "a {text}, no template"),
        ("user", "h"),
        ("assistant", "a"),
        ("assistant", "as X"),
    ]


def test_other_ways_to_write_a_chat_are_imported_too() -> None:
    imported = import_value(
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
    assert imported.name == "my-chat"
    assert remarks(imported) == [": its name 'My chat' becomes 'my-chat'"]
    assert rendered(imported, who="X", question="Q") == [("system", "You are X."), ("user", "Q"), ("assistant", "X")]


def test_partial_variables_become_defaults_and_computed_ones_a_remark() -> None:
    prompt = PromptTemplate(
        template="{a} {b} {c}",
        input_variables=["c"],
        partial_variables={"a": "x", "b": lambda: "now"},
        tags=["t"],
        metadata={"owner": "me"},
    )
    imported = import_value(dumpd(prompt))
    assert imported.tags == ("t",)
    assert {name: variable.default for name, variable in imported.content.variables.items()} == {"a": "x"}
    assert rendered(imported, b="y", c="z") == "x y z"
    assert remarks(imported) == [
        "kwargs.partial_variables.b: is not imported: it is computed by code; here the caller passes its value",
        "kwargs.metadata: is not imported: it has no place in a version",
    ]


def test_everything_that_is_left_out_has_a_remark() -> None:
    value = dumpd(ChatPromptTemplate([MessagesPlaceholder("h", n_messages=3), ("human", "{q}")]))
    value["kwargs"]["messages"][1]["kwargs"] |= {"additional_kwargs": {"x": 1}, "extra": 7}
    value["kwargs"] |= {"output_parser": {"_type": "default"}, "partial_variables": {"never": "used"}, "colour": "red"}
    assert remarks(import_value(value)) == [
        "kwargs.messages.0.kwargs.n_messages: is not imported: it has no place in a placeholder",
        "kwargs.messages.1.kwargs.additional_kwargs: is not imported: it has no place in a message",
        "kwargs.messages.1.kwargs.extra: is not imported: it has no place in a message",
        "kwargs.partial_variables.never: is not imported: it is a value for a variable that the prompt never uses",
        "kwargs.output_parser: is not imported: it parses a model's response, which is the application's task",
        "kwargs.colour: is not imported: it has no place in a version",
    ]


def test_a_structured_prompt_is_imported_with_its_schema() -> None:
    schema = {"title": "Intent", "type": "object", "properties": {"intent": {"type": "string"}}}
    imported = import_value(dumpd(StructuredPrompt.from_messages_and_schema([("human", "{q}")], schema)))
    assert imported.content.response_format == {"type": "json_schema", "json_schema": {"name": "Intent", "schema": schema}}
    assert remarks(imported) == []


def test_jinja2_stays_jinja2_with_a_remark() -> None:
    imported = import_value(dumpd(PromptTemplate.from_template("Hi {% if x %}{{x}}{% endif %}", template_format="jinja2")))
    assert (imported.content.format, imported.content.template) == ("jinja2", "Hi {% if x %}{{x}}{% endif %}")
    assert remarks(imported) == ["kwargs.template: is jinja2, which not every server renders"]


def test_a_mustache_partial_that_langchain_leaves_empty_has_a_remark() -> None:
    imported = import_value({"_type": "prompt", "template": "a {{> tone}}", "template_format": "mustache"})
    assert remarks(imported) == ["template: '{{> tone}}' is empty in LangChain; here it includes that prompt"]


def chat_of(*messages: Any) -> dict[str, Any]:
    return {"_type": "chat", "messages": list(messages)}


def constructor(name: str, **kwargs: Any) -> dict[str, Any]:
    return {"lc": 1, "type": "constructor", "id": ["langchain", name], "kwargs": kwargs}


TEMPLATE = constructor("PromptTemplate", template="{x}", input_variables=["x"])
IMAGE = constructor("ImagePromptTemplate", template={"url": "{x}"})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"_type": "prompt", "template": "{a.__class__}"},
            "line 3: template: '{a.__class__}' is not a name (line 1, column 1 of the template)",
        ),
        (
            {"_type": "prompt", "template": "x\n{a[0]}"},
            "line 3: template: '{a[0]}' is not a name (line 2, column 1 of the template)",
        ),
        ({"_type": "prompt", "template": "{x!r:>9999}"}, "'{x!r:>9999}' is not a name"),
        ({"_type": "prompt", "template": "{}"}, "'{}' is not a name"),
        ({"_type": "prompt", "template": "{{#a}}", "template_format": "mustache"}, "section 'a' is never closed"),
        ({"_type": "prompt", "template": 7}, "template: must be a text"),
        (
            {"_type": "prompt", "template": "x", "template_format": "python"},
            "template_format: must be f-string, mustache or jinja2",
        ),
        ({"_type": "prompt", "template_path": "/etc/passwd"}, "template_path: names another file, which is not read"),
        (
            {"_type": "few_shot", "suffix": "x"},
            "is 'few_shot'; only a prompt template or a chat prompt template can be imported",
        ),
        (constructor("OpenAI", model="x"), "is 'OpenAI'; only a prompt template"),
        (
            {"lc": 1, "type": "secret", "id": ["OPENAI_API_KEY"]},
            "is 'OPENAI_API_KEY', which LangChain did not write completely (secret)",
        ),
        (
            {"lc": 1, "type": "not_implemented", "id": []},
            "is an object without a name, which LangChain did not write completely",
        ),
        ({"lc": 1, "type": "constructor", "id": ["PromptTemplate"], "kwargs": 7}, "kwargs: must be an object"),
        (chat_of({}), "messages.0: is an object without a role; write the prompt with dumpd"),
        (chat_of(7), "messages.0: must be an object"),
        (chat_of(["critic", "x"]), "messages.0: is 'critic'; the roles here are system, user, assistant and tool"),
        (chat_of({"role": "user", "content": [{"type": "image"}]}), "messages.0.content: must be a text; images"),
        (chat_of(), "messages: List should have at least 1 item"),
        (chat_of(constructor("HumanMessagePromptTemplate", prompt=[TEMPLATE, IMAGE])), "has several parts"),
        (
            chat_of(constructor("HumanMessagePromptTemplate", prompt=[IMAGE])),
            "is 'ImagePromptTemplate'; a message here is one text",
        ),
        (chat_of(constructor("FunctionMessage", content="x")), "messages.0: is 'FunctionMessage', without a role"),
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
            "messages.0.kwargs.content: is a literal text with braces; among mustache templates",
        ),
        (chat_of({"variable_name": "not a name"}), "messages.0.name: "),
        ({"_type": "prompt", "name": "!!!", "template": "x"}, "its name '!!!' is not valid here"),
    ],
)
def test_what_cannot_be_imported_is_an_error_with_its_path(value: Any, message: str) -> None:
    assert message in import_error(value)


def test_few_shot_prompts_are_refused_as_langchain_saves_them(tmp_path: Path) -> None:
    few_shot = FewShotPromptTemplate(
        examples=[{"a": "b"}], example_prompt=PromptTemplate.from_template("{a}"), suffix="x {q}", input_variables=["q"]
    )
    with pytest.raises(InvalidFile, match="is 'few_shot'"):
        import_saved(few_shot, tmp_path / "few.json")
    assert "is 'FewShotPromptTemplate', which LangChain did not write completely" in import_error(dumpd(few_shot))


def test_no_code_that_a_file_names_is_imported_or_executed() -> None:
    """As in CVE-2025-68664: a constructor in place of a value, and a secret that reads the environment."""
    malicious = {"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {"command": "exit 1"}}
    secret = {"lc": 1, "type": "secret", "id": ["HOME"]}
    imported = import_value(
        {"_type": "prompt", "template": "{a} {b}", "partial_variables": {"a": malicious, "b": secret}, "metadata": malicious}
    )
    assert imported.content.variables == {}
    assert [remark.path for remark in imported.remarks] == ["partial_variables.a", "partial_variables.b", "metadata"]
    assert "is 'system'; " in import_error(malicious)
