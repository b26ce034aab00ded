"""Langfuse's prompts, in the shapes of its SDK, as files of ours."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langfuse.api.prompts.types import ChatMessage, PlaceholderMessage, Prompt_Chat, Prompt_Text
from langfuse.model import ChatPromptClient, TextPromptClient

from promptuary.prompt.files.yaml_document import InvalidFile, parse_yaml
from promptuary.prompt.foreign.drafts import ImportedPrompt, finish_drafts, select_versions
from promptuary.prompt.foreign.langfuse_file import is_langfuse, read_langfuse
from promptuary.prompt.templates.preparation import prepare


def imported(value: Any) -> list[ImportedPrompt]:
    document = parse_yaml(json.dumps(value, indent=1), "lf.json")
    assert is_langfuse(document.value)
    return finish_drafts(read_langfuse(document.value, "lf"), document, "lf.json")


def text(prompt: Any, **more: Any) -> dict[str, Any]:
    kind = "chat" if isinstance(prompt, list) else "text"
    return {"name": "a", "version": 1, "type": kind, "prompt": prompt, "config": {}, "labels": [], "tags": [], **more}


def remarks(one: ImportedPrompt) -> list[str]:
    return [f"{said.path}: {said.message}" for said in one.remarks]


def test_a_text_prompt_of_the_sdk_renders_as_it_does_there() -> None:
    theirs = Prompt_Text(
        name="folder/greet",
        version=3,
        prompt="Hi {{ name }}, {json} and {{name}}\n",
        config={},
        labels=["production", "latest"],
        tags=["support"],
        commit_message="why",
    )
    (one,) = imported(json.loads(theirs.json(by_alias=True)))
    assert (one.name, one.version, one.labels, one.tags, one.message) == (
        "folder.greet",
        3,
        ("production",),
        ("support",),
        "why",
    )
    assert prepare(one.content).render({"name": "Ada"}).text == TextPromptClient(theirs).compile(name="Ada")
    assert remarks(one) == [": its name 'folder/greet' becomes 'folder.greet'"]


def test_a_chat_prompt_of_the_sdk_is_taken_with_its_placeholders() -> None:
    theirs = Prompt_Chat(
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
    (one,) = imported(json.loads(theirs.json(by_alias=True)))
    history = [{"role": "user", "content": "h"}]
    compiled = ChatPromptClient(theirs).compile(who="X", question="Q", history=history)
    ours = prepare(one.content).render({"who": "X", "question": "Q", "history": history}).messages
    assert [(said["role"], said["content"]) for said in ours or ()] == [(said["role"], said["content"]) for said in compiled]
    assert one.content.model is not None
    assert one.content.model.model_dump() == {
        "name": "openai:gpt",
        "temperature": 0,
        "max_tokens": 9,
        "top_p": 1,
        "stop": ["x"],
        "seed": 4,
    }
    assert remarks(one) == []


PIECES = st.sampled_from(
    ["{{name}}", "{{ name }}", "{", "}", "{name}", " ", "\n", "text", "#", "^", "/name", "!", ">", "&", "=", "name"]
)


@given(st.lists(PIECES, max_size=8).map("".join))
def test_a_text_means_the_same_here_or_is_refused(source: str) -> None:
    try:
        (one,) = imported(text(source))
    except InvalidFile:
        return
    theirs = Prompt_Text(name="a", version=1, prompt=source, config={}, labels=[], tags=[])
    values = {"name": "A{{d}}a"} if prepare(one.content).variables else {}
    assert prepare(one.content).render(values).text == TextPromptClient(theirs).compile(**values)


def test_references_to_other_prompts_become_inclusions_that_keep_their_lines() -> None:
    source = (
        "@@@langfusePrompt:name=folder/tone|label=production@@@ {{q}}\n"
        "@@@langfusePrompt:name=b|version=3@@@\n"
        "  @@@langfusePrompt:name=c|label=staging@@@  \n"
        "end"
    )
    (one,) = imported(text(source))
    assert one.content.template == "{{> folder.tone}} {{q}}\n{{> b@3}}{{! }}\n  {{> c@staging}}{{! }}  \nend"
    whole = one.content.model_copy(update={"partials": {"folder.tone": "T", "b@3": "B", "c@staging": "C"}})
    assert prepare(whole).render({"q": "Q"}).text == "T Q\nB\n  C  \nend"


def test_a_config_is_taken_as_far_as_a_version_has_places() -> None:
    config = {
        "model": "m",
        "response_format": {"type": "json_object"},
        "tools": [{"name": "a"}],
        "variables": {"q": {"type": "string"}},
        "foo": {"x": 1},
        "empty": None,
    }
    (one,) = imported(text("x {{q}}", config=config))
    assert one.content.variables["q"].type == "string"
    assert (one.content.response_format, one.content.tools) == ({"type": "json_object"}, [{"name": "a"}])
    assert remarks(one) == ["config.foo: cannot be carried: it has no place in a version"]
    (one,) = imported(text("x", config={"temperature": 0.5, "tools": "all"}, isActive=True, extra="y"))
    assert one.content.model is None
    assert remarks(one) == [
        "config.temperature: cannot be carried: it is the setting of a model that is not named",
        "config.tools: cannot be carried: it has no place in a version",
        "extra: cannot be carried: it has no place in a version",
    ]


def test_names_labels_and_tags_that_cannot_be_here_are_told() -> None:
    (one,) = imported(
        text("x", name="My Folder/A prompt!", labels=["Production", "Team A", 7], tags=["t" * 201, "ok", *map(str, range(60))])
    )
    assert (one.name, one.labels) == ("my-folder.a-prompt", ("production",))
    assert len(one.tags) == 50
    told = remarks(one)
    assert told[:4] == [
        ": its name 'My Folder/A prompt!' becomes 'my-folder.a-prompt'",
        ": its label 'Production' becomes 'production'",
        ": cannot be carried: the label 'Team A', for labels here are of a-z 0-9 _ . -",
        ": cannot be carried: the label 7, for labels here are of a-z 0-9 _ . -",
    ]
    assert len(told) == 4 + 1 + 11


def test_a_role_of_another_name_and_a_message_too_long_are_told() -> None:
    (one,) = imported(text([{"role": "developer", "content": "x"}], commitMessage="w" * 2001))
    assert remarks(one) == ["prompt.0.role: 'developer' becomes 'system'", ": its message is cut off after 2000 characters"]


def test_of_several_versions_a_file_takes_the_highest_or_the_labelled_one_and_tells_the_others() -> None:
    value = {
        "data": [text("one", labels=["production"]), text("three", version=3), text("two", version=2), text("x", name="b")]
    }
    first, second = select_versions(imported(value))
    assert (first.content.template, second.name) == ("three", "b")
    assert remarks(first)[-1] == ": a file holds one version; left out: version 1, version 2"
    assert select_versions(imported(value), "production")[0].content.template == "one"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (text("{{user name}}"), "line 5: prompt: 'user name' is not a name (line 1 of the template)"),
        (text("{{{name}}}"), "prompt: has braces that Langfuse reads in another way"),
        (text("{{#a}}x{{/a}}"), "prompt: has braces that Langfuse reads in another way"),
        (text("{{> a}}"), "prompt: has braces that Langfuse reads in another way"),
        (text("{{a"), "a tag opened with {{ is never closed"),
        (text("@@@langfusePrompt:name=A B@@@"), "refers to another prompt in a way that cannot be read"),
        (text("@@@langfusePrompt:nonsense@@@"), "refers to another prompt in a way that cannot be read"),
        (text([{"role": "critic", "content": "x"}]), "line 7: prompt.0.role: is 'critic'; a message here is of system"),
        (text([{"role": "user", "content": [{"type": "image"}]}]), "prompt.0.content: must be a text"),
        (text([{"type": "tool_call", "name": "x"}]), "prompt.0.type: is 'tool_call'; a message, or a placeholder, is taken"),
        (text([{"type": "placeholder", "name": "a b"}]), "prompt.0.name: "),
        (text([7]), "prompt.0: must be an object"),
        (text("x", type="chat"), "a text prompt has one string as its template"),
        (text("x", version="three"), "version: must be an integer"),
        (text("x", labels="production"), "labels: must be a list"),
        (text("x", config={"model": "m", "temperature": 9}), "config.temperature: should be less than or equal to 2"),
        (text("x", config={"model": 7}), "config.model: must be a text"),
        ({"data": [text("x"), 7]}, "data.1: must be an object"),
        ({"data": [text("x"), {"name": "b"}]}, "data.1: has no `prompt`"),
        (
            {"data": [{"name": "a", "versions": [1], "labels": [], "lastUpdatedAt": "…"}], "meta": {"page": 1}},
            "data.0: is an entry of a list, which has no text; fetch each prompt by its name",
        ),
    ],
)
def test_what_can_be_no_prompt_here_is_refused_with_its_place(value: Any, said: str) -> None:
    with pytest.raises(InvalidFile) as refused:
        imported(value)
    assert said in str(refused.value)
