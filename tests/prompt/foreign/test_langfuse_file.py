"""Import of Langfuse prompts in the JSON of its API and SDK; both render the same text."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langfuse.api.prompts.types import ChatMessage, PlaceholderMessage, Prompt_Chat, Prompt_Text
from langfuse.model import ChatPromptClient, TextPromptClient

from factories.foreign_files import finished_prompts
from promptuary.prompt.files.yaml_document import InvalidFile, parse_yaml
from promptuary.prompt.foreign.drafts import ImportChoice, ImportedPrompt
from promptuary.prompt.foreign.langfuse_file import is_langfuse, read_langfuse
from promptuary.prompt.foreign.selection import ImportSelection, select_prompts
from promptuary.prompt.foreign.source_names import SourceNames
from promptuary.prompt.model_settings import model_settings
from promptuary.prompt.templates.preparation import prepare


def import_value(value: Any) -> list[ImportedPrompt]:
    document = parse_yaml(json.dumps(value, indent=1), "lf.json")
    assert is_langfuse(document.value)
    names = SourceNames("lf")
    return finished_prompts(read_langfuse(document.value, names), document, "lf.json", names)


def selected(value: Any, **choice: Any) -> ImportSelection:
    document = parse_yaml(json.dumps(value, indent=1), "lf.json")
    names = SourceNames("lf")
    return select_prompts(read_langfuse(document.value, names), document, "lf.json", names, ImportChoice(**choice))


def text_prompt(prompt: Any, **more: Any) -> dict[str, Any]:
    prompt_type = "chat" if isinstance(prompt, list) else "text"
    return {"name": "a", "version": 1, "type": prompt_type, "prompt": prompt, "config": {}, "labels": [], "tags": [], **more}


def remarks(prompt: ImportedPrompt) -> list[str]:
    return [f"{remark.path}: {remark.message}" for remark in prompt.remarks]


def test_a_text_prompt_of_the_sdk_renders_as_in_langfuse() -> None:
    langfuse_prompt = Prompt_Text(
        name="folder/greet",
        version=3,
        prompt="Hi {{ name }}, {json} and {{name}}\n",
        config={},
        labels=["production", "latest"],
        tags=["support"],
        commit_message="why",
    )
    (prompt,) = import_value(json.loads(langfuse_prompt.json(by_alias=True)))
    assert (prompt.name, prompt.version, prompt.labels, prompt.tags, prompt.message) == (
        "folder.greet",
        3,
        ("production",),
        ("support",),
        "why",
    )
    assert prepare(prompt.content).render({"name": "Ada"}).text == TextPromptClient(langfuse_prompt).compile(name="Ada")
    assert remarks(prompt) == [": its name 'folder/greet' becomes 'folder.greet'"]


def test_a_chat_prompt_of_the_sdk_is_imported_with_its_placeholders() -> None:
    langfuse_prompt = Prompt_Chat(
        name="chat",
        version=1,
        prompt=[
            ChatMessage(role="system", content="You are {{who}}.", type="chatmessage"),
            PlaceholderMessage(name="history", type="placeholder"),
            ChatMessage(role="user", content="{{question}}"),
        ],
        config={"model": "openai:gpt", "temperature": 0, "max_tokens": 9, "top_p": 1, "stop": ["x"], "seed": 4},
        labels=[],
        tags=[],
    )
    (prompt,) = import_value(json.loads(langfuse_prompt.json(by_alias=True)))
    history = [{"role": "user", "content": "h"}]
    compiled = ChatPromptClient(langfuse_prompt).compile(who="X", question="Q", history=history)
    rendered = prepare(prompt.content).render({"who": "X", "question": "Q", "history": history}).messages
    expected = [(message["role"], message["content"]) for message in compiled]
    assert [(message["role"], message["content"]) for message in rendered or ()] == expected
    assert prompt.content.config == langfuse_prompt.config
    assert dict(model_settings(prompt.content).values) == {
        "temperature": 0,
        "max_tokens": 9,
        "top_p": 1,
        "stop": ["x"],
        "seed": 4,
    }
    assert remarks(prompt) == []


PIECES = st.sampled_from(
    ["{{name}}", "{{ name }}", "{", "}", "{name}", " ", "\n", "text", "#", "^", "/name", "!", ">", "&", "=", "name"]
)


@given(st.lists(PIECES, max_size=8).map("".join))
def test_a_text_renders_as_in_langfuse_or_is_refused(source: str) -> None:
    try:
        (prompt,) = import_value(text_prompt(source))
    except InvalidFile:
        return
    langfuse_prompt = Prompt_Text(name="a", version=1, prompt=source, config={}, labels=[], tags=[])
    values = {"name": "A{{d}}a"} if prepare(prompt.content).variables else {}
    assert prepare(prompt.content).render(values).text == TextPromptClient(langfuse_prompt).compile(**values)


@pytest.mark.parametrize(
    "source",
    ["{{a.b}}", "{{a", "}} {{ }}", "{{#a}}x{{/a}}", "{{> a}}", '{{"key": "value"}} {{a}}', "{{x|upper}} {% if %}", "{{else}}"],
)
def test_a_text_that_mustache_reads_otherwise_is_imported_in_the_simple_format(source: str) -> None:
    (prompt,) = import_value(text_prompt(source))
    assert (prompt.content.format, remarks(prompt)) == ("simple", [])
    values = {name: "x" for name in prepare(prompt.content).variables}
    langfuse_prompt = Prompt_Text(name="a", version=1, prompt=source, config={}, labels=[], tags=[])
    assert prepare(prompt.content).render(values).text == TextPromptClient(langfuse_prompt).compile(**values)


def test_words_in_braces_that_become_text_have_a_remark() -> None:
    (prompt,) = import_value(text_prompt("{{user name}} {{a}}"))
    assert (prompt.content.format, set(prepare(prompt.content).variables)) == ("simple", {"a"})
    assert remarks(prompt) == ["prompt: '{{user name}}' is text here; Langfuse fills it in where a program passes 'user name'"]


def test_a_dotted_name_beside_a_reference_has_a_remark() -> None:
    (prompt,) = import_value(text_prompt("@@@langfusePrompt:name=b@@@{{a.b}}"))
    assert prompt.content.format == "mustache"
    assert remarks(prompt) == ["prompt: 'a.b' is one variable in Langfuse; here it is looked up inside the variable 'a'"]


def test_references_to_other_prompts_become_includes_that_keep_their_lines() -> None:
    source = (
        "@@@langfusePrompt:name=folder/tone|label=production@@@ {{q}}\n"
        "@@@langfusePrompt:name=b|version=3@@@\n"
        "  @@@langfusePrompt:name=c|label=staging@@@  \n"
        "end"
    )
    (prompt,) = import_value(text_prompt(source))
    assert prompt.content.template == "{{> folder.tone}} {{q}}\n{{> b@3}}{{! }}\n  {{> c@staging}}{{! }}  \nend"
    resolved = prompt.content.model_copy(update={"partials": {"folder.tone": "T", "b@3": "B", "c@staging": "C"}})
    assert prepare(resolved).render({"q": "Q"}).text == "T Q\nB\n  C  \nend"


@pytest.mark.parametrize(
    "config",
    [
        {"z": {"b": 1, "a": [None, {}, [], 1.0, 1e-5]}, "model": "gpt-4o", "empty": None, "list": [], "temperature": 9},
        {"tools": "all", "variables": ["a"], "model": 7},
        ["a", None],
        "a text",
        0,
        False,
    ],
)
def test_a_config_is_imported_whole_and_in_its_order(config: Any) -> None:
    (prompt,) = import_value(text_prompt("x", config=config))
    assert json.dumps(prompt.content.config) == json.dumps(config)
    assert (prompt.content.model, remarks(prompt)) == (None, [])


def test_variables_that_a_config_declares_are_the_prompts_and_stay_in_it() -> None:
    config = {"variables": {"q": {"type": "string", "maxLength": 9}}, "a": 1}
    (prompt,) = import_value(text_prompt("x {{q}}", config=config))
    assert prompt.content.variables["q"].maxLength == 9
    assert prompt.content.config == config
    for own in ({"other": {}}, {"q": "the question"}, ["q"], {"q": {"minLength": 2, "maxLength": 1}}):
        (prompt,) = import_value(text_prompt("x {{q}}", config={"variables": own}))
        assert (prompt.content.variables, prompt.content.config) == ({}, {"variables": own})


def test_variables_of_a_config_that_no_value_meets_stay_in_it_with_a_remark() -> None:
    (prompt,) = import_value(text_prompt("x {{q}}", config={"variables": {"q": {"minLength": 2, "maxLength": 1}}}))
    (remark,) = prompt.remarks
    assert remark.path == "config.variables.q.minLength"
    assert remark.message == (
        "is 2, over maxLength, which is 1: no value meets both; so the config keeps its `variables`, which declare nothing here"
    )


@pytest.mark.parametrize("config", [None, {}])
def test_an_empty_config_is_none(config: Any) -> None:
    (prompt,) = import_value(text_prompt("x", config=config, isActive=True, extra="y"))
    assert prompt.content.config is None
    assert remarks(prompt) == ["extra: is not imported: it has no place in a version"]


def test_names_labels_and_tags_that_are_not_valid_have_remarks() -> None:
    (prompt,) = import_value(
        text_prompt(
            "x", name="My Folder/A prompt!", labels=["Production", "Team A", 7], tags=["t" * 201, "ok", *map(str, range(60))]
        )
    )
    assert (prompt.name, prompt.labels) == ("my-folder.a-prompt", ("production",))
    assert len(prompt.tags) == 50
    import_remarks = remarks(prompt)
    assert import_remarks[:4] == [
        ": its name 'My Folder/A prompt!' becomes 'my-folder.a-prompt'",
        ": its label 'Production' becomes 'production'",
        ": is not imported: the label 'Team A'; labels consist of a-z 0-9 _ . -",
        ": is not imported: the label 7; labels consist of a-z 0-9 _ . -",
    ]
    assert len(import_remarks) == 4 + 1 + 11


def test_a_message_cut_off_has_a_remark() -> None:
    (prompt,) = import_value(text_prompt("x", commitMessage="w" * 2001))
    assert remarks(prompt) == [": its message is cut off after 2000 characters"]


def test_messages_of_agents_and_content_parts_are_imported() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"order": "{{order}}"}'}}
    messages = [
        {"role": "developer", "content": "@@@langfusePrompt:name=rules|label=production@@@!"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "{{result}}", "tool_call_id": "call_1"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "{{picture}}"}}], "name": "ana", "meta": 1},
    ]
    (prompt,) = import_value(text_prompt(messages))
    template = prompt.content.model_dump()["template"]
    assert template[0] == {"role": "developer", "content": "{{> rules}}!"}
    assert template[1:3] == messages[1:3]
    assert template[3] == {key: value for key, value in messages[3].items() if key != "meta"}
    assert remarks(prompt) == ["prompt.3.meta: is not imported: it has no place in a message"]


def test_a_file_gets_the_highest_or_the_labelled_version_and_a_remark() -> None:
    value = {
        "data": [
            text_prompt("one", labels=["production"]),
            text_prompt("three", version=3),
            text_prompt("two", version=2),
            text_prompt("x", name="b"),
        ]
    }
    first, second = selected(value).prompts
    assert (first.content.template, second.name) == ("three", "b")
    assert remarks(first)[-1] == ": a file contains one version; left out: version 1, version 2"
    labelled = selected(value, label="production")
    assert [(prompt.name, prompt.content.template) for prompt in labelled.prompts] == [("a", "one")]
    assert [(prompt.name, prompt.reason) for prompt in labelled.omitted] == [("b", "has no label production")]


def test_a_prompt_whose_selected_version_is_not_valid_is_left_out_whole() -> None:
    value = [text_prompt(7, version=3), text_prompt("two", version=2, labels=["production"]), text_prompt("x", name="b")]
    with pytest.raises(InvalidFile) as error:
        selected(value)
    assert "--skip-invalid" in error.value.message
    assert [str(field_error) for field_error in error.value.field_errors] == [
        "line 6: 0.prompt: must be a text or a list (prompt 'a', version 3)"
    ]
    chosen = selected(value, skip_invalid=True)
    assert [prompt.name for prompt in chosen.prompts] == ["b"]
    assert [(prompt.name, prompt.version, prompt.reason) for prompt in chosen.omitted] == [("a", 3, "version 3 is not valid")]
    assert chosen.omitted[0].field_errors[0].line is not None
    by_label = selected(value, label="production", skip_invalid=True)
    assert [prompt.content.template for prompt in by_label.prompts] == ["two"]
    assert [prompt.name for prompt in selected(value, prompts=("b",)).prompts] == ["b"]
    with pytest.raises(InvalidFile, match="--prompt names 'c', which the file does not have; it has 'a', 'b'"):
        selected(value, prompts=("c",))
    with pytest.raises(InvalidFile, match=r"no prompt that can be imported: .*prompt 'a', version 3"):
        selected(value[:1], skip_invalid=True)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (text_prompt("{{{name}}}"), "prompt: has braces that Langfuse reads in another way"),
        (text_prompt("{{#a}}@@@langfusePrompt:name=b@@@{{/a}}"), "prompt: has braces that Langfuse reads in another way"),
        (text_prompt("@@@langfusePrompt:name=b@@@ {{a"), "a tag opened with {{ is never closed"),
        (text_prompt("@@@langfusePrompt:name=!!!@@@"), "refers to another prompt in a way that cannot be read"),
        (text_prompt("@@@langfusePrompt:nonsense@@@"), "refers to another prompt in a way that cannot be read"),
        (text_prompt([{"role": "critic", "content": "x"}]), "line 7: prompt.0.role: is 'critic'; the roles here are system"),
        (
            text_prompt([{"role": "user", "content": [{"type": "image"}]}]),
            "prompt.0.content.0: needs a `type`: text, image_url",
        ),
        (text_prompt([{"role": "user", "content": 7}]), "prompt.0.content: must be a text"),
        (
            text_prompt([{"type": "tool_call", "name": "x"}]),
            "prompt.0.type: is 'tool_call'; must be a message or a placeholder",
        ),
        (text_prompt([{"type": "placeholder", "name": "a b"}]), "prompt.0.name: "),
        (text_prompt([7]), "prompt.0: must be an object"),
        (text_prompt("x", type="chat"), "a text prompt has one string as its template"),
        (text_prompt("x", version="three"), "version: must be an integer"),
        (text_prompt("x", labels="production"), "labels: must be a list"),
        ({"data": [text_prompt("x"), 7]}, "data.1: must be an object"),
        ({"data": [text_prompt("x"), {"name": "b"}]}, "data.1: has no `prompt`"),
        (
            {"data": [{"name": "a", "versions": [1], "labels": [], "lastUpdatedAt": "…"}], "meta": {"page": 1}},
            "data.0: is an entry of a prompt list, which has no text; fetch each prompt by its name",
        ),
    ],
)
def test_what_cannot_be_imported_is_an_error_with_its_path(value: Any, message: str) -> None:
    with pytest.raises(InvalidFile) as error_info:
        import_value(value)
    assert message in str(error_info.value)
