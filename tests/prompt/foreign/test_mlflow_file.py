"""MLflow's prompts, in the shapes of its SDK and its REST API, as files of ours."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.prompt.files.yaml_document import InvalidFile, parse_yaml
from promptuary.prompt.foreign.drafts import ImportedPrompt, finish_drafts
from promptuary.prompt.foreign.mlflow_file import is_mlflow, read_mlflow
from promptuary.prompt.templates.preparation import prepare


def imported(value: Any) -> list[ImportedPrompt]:
    document = parse_yaml(json.dumps(value, indent=1, default=list), "ml.json")
    assert is_mlflow(document.value)
    return finish_drafts(read_mlflow(document.value, "ml"), document, "ml.json")


def version(template: Any, **more: Any) -> Any:
    from mlflow.entities.model_registry import PromptVersion

    return PromptVersion(**{"name": "a", "version": 1, "template": template, **more})


def remarks(one: ImportedPrompt) -> list[str]:
    return [f"{said.path}: {said.message}" for said in one.remarks]


def test_a_prompt_version_of_the_sdk_is_taken_whole() -> None:
    theirs = version(
        [{"role": "system", "content": "You are {{ who }}."}, {"role": "user", "content": "{{question}} {json}"}],
        name="support.triage",
        version=7,
        commit_message="why",
        creation_timestamp=1700000000000,
        tags={"team": "support", "urgent": ""},
        aliases=["production", "Champion"],
        user_id="me",
        model_config={
            "provider": "openai",
            "model_name": "gpt",
            "temperature": 0.5,
            "max_tokens": 9,
            "top_p": 1.0,
            "stop_sequences": ["x"],
            "top_k": 3,
            "vendor": 1,
        },
        response_format={"type": "object"},
    )
    (one,) = imported(dict(theirs))
    assert (one.name, one.version, one.message, one.labels) == ("support.triage", 7, "why", ("production", "champion"))
    assert one.tags == ("team=support", "urgent")
    assert one.content.response_format == {"type": "object"}
    assert one.content.model is not None
    assert one.content.model.model_dump(exclude_none=True) == {
        "name": "openai:gpt",
        "temperature": 0.5,
        "max_tokens": 9,
        "top_p": 1.0,
        "stop": ["x"],
    }
    messages = prepare(one.content).render({"who": "X", "question": "Q"}).messages
    assert [dict(message) for message in messages or ()] == theirs.format(who="X", question="Q")
    assert remarks(one) == [
        "model_config.top_k: cannot be carried: it has no place in a version",
        "model_config.vendor: cannot be carried: it has no place in a version",
        ": its label 'Champion' becomes 'champion'",
    ]


def rest(text: str, kind: str = "text", **tags: str) -> dict[str, Any]:
    said = {"mlflow.prompt.is_prompt": "true", "mlflow.prompt.text": text, "_mlflow_prompt_type": kind, **tags}
    pairs = [{"key": key, "value": value} for key, value in said.items()]
    return {
        "name": "a",
        "version": "7",
        "description": "why",
        "source": "dummy-source",
        "status": "READY",
        "aliases": [],
        "tags": pairs,
    }


def test_model_versions_of_the_rest_api_are_taken_alone_and_in_lists() -> None:
    messages = [{"role": "user", "content": "{{q}}"}]
    chat = rest(
        json.dumps(messages),
        "chat",
        _mlflow_prompt_response_format='{"type": "text"}',
        _mlflow_prompt_model_config='{"model_name": "m"}',
    )
    (one,) = imported({"model_version": chat})
    assert (one.version, one.message, one.content.type, one.content.response_format) == (7, "why", "chat", {"type": "text"})
    assert one.content.model is not None
    assert one.content.model.name == "m"
    assert (remarks(one), one.tags) == ([], ())
    both = imported({"model_versions": [rest("Hi {{name}}", team="x"), rest("two") | {"aliases": [{"alias": "staging"}]}]})
    assert [(one.content.template, one.tags, one.labels) for one in both] == [
        ("Hi {{name}}", ("team=x",), ()),
        ("two", (), ("staging",)),
    ]
    assert len(imported([dict(version("x")), dict(version("y"))])) == 2


PIECES = st.sampled_from(
    ["{{name}}", "{{ name }}", "{{\nname\n}}", "{", "}", "{name}", " ", "text", "#", "^", "/name", "!", "name", "1"]
)


@given(st.lists(PIECES, max_size=8).map("".join))
def test_a_text_means_the_same_here_or_is_refused(source: str) -> None:
    try:
        (one,) = imported(dict(version(source)))
    except InvalidFile:
        return
    values = {"name": "A{{d}}a"} if prepare(one.content).variables else {}
    assert prepare(one.content).render(values).text == version(source).format(**values)


def test_parts_that_our_own_routes_say_in_tags_are_taken_back() -> None:
    tags = {"promptuary.tools": '[{"name": "t"}]', "promptuary.variables": '{"q": {"type": "string"}}'}
    (one,) = imported({"model_version": rest("{{q}}", **tags)})
    assert (one.content.tools, one.content.variables["q"].type, one.tags) == ([{"name": "t"}], "string", ())


def test_a_dotted_name_is_looked_up_inside_here() -> None:
    (one,) = imported(dict(version("{{a.b}}")))
    assert remarks(one) == ["template: 'a.b' is one variable there; here it is looked up inside the variable 'a'"]


def test_control_flow_is_jinja2_with_a_remark() -> None:
    (one,) = imported(dict(version("{% if x %}{{x}}{% endif %}")))
    assert one.content.format == "jinja2"
    assert remarks(one) == ["template: is jinja2, which not every server renders"]


def test_settings_of_a_model_that_is_not_named_are_told() -> None:
    (one,) = imported({"name": "a", "template": "x", "aliases": [], "model_config": {"provider": "openai", "temperature": 1}})
    assert one.content.model is None
    assert remarks(one) == [
        "model_config.provider: cannot be carried: it is the provider of a model that is not named",
        "model_config.temperature: cannot be carried: it is the setting of a model that is not named",
    ]
    extra = {"model_name": "m", "extra_params": {"x": 1}}
    (one,) = imported({"name": "a", "template": "x", "aliases": [], "model_config": extra})
    assert remarks(one) == ["model_config.extra_params.x: cannot be carried: it has no place in a version"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"template": "{{1x}}", "aliases": []}, "line 2: template: has braces that MLflow reads in another way"),
        ({"template": "{{#a}}{{/a}}", "aliases": []}, "template: has braces that MLflow reads in another way"),
        ({"template": "{{a", "aliases": []}, "a tag opened with {{ is never closed"),
        ({"template": 7, "aliases": []}, "template: must be a text or a list"),
        ({"template": None, "aliases": []}, "has no `template`"),
        ({"template": [{"role": "critic", "content": "x"}], "uri": ""}, "line 4: template.0.role: "),
        ({"template": [{"role": "user", "content": 7}], "uri": ""}, "template.0.content: must be a text"),
        ({"template": [7], "uri": ""}, "template.0: must be an object"),
        ({"template": "x", "aliases": [], "version": "seven"}, "version: must be a number"),
        ({"model_version": rest("not json", "chat")}, "model_version.tags: has a tag that is no JSON"),
        ({"model_version": rest("x", _mlflow_prompt_model_config="{")}, "model_version.tags: has a tag that is no JSON"),
        (
            {"template": "x", "aliases": [], "model_config": {"model_name": "m", "max_tokens": 0}},
            "model_config.max_tokens: should be greater than or equal to 1",
        ),
    ],
)
def test_what_can_be_no_prompt_here_is_refused_with_its_place(value: Any, said: str) -> None:
    with pytest.raises(InvalidFile) as refused:
        imported(value)
    assert said in str(refused.value)
