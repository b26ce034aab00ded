"""Import of MLflow prompts in the JSON of its SDK and its REST API; both render the same text."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories.foreign_files import finished_prompts
from promptuary.prompt.files.yaml_document import InvalidFile, parse_yaml
from promptuary.prompt.foreign.drafts import ImportedPrompt
from promptuary.prompt.foreign.mlflow_file import is_mlflow, read_mlflow
from promptuary.prompt.foreign.source_names import SourceNames
from promptuary.prompt.model_settings import model_settings
from promptuary.prompt.templates.preparation import prepare


def import_value(value: Any) -> list[ImportedPrompt]:
    document = parse_yaml(json.dumps(value, indent=1, default=list), "ml.json")
    assert is_mlflow(document.value)
    names = SourceNames("ml")
    return finished_prompts(read_mlflow(document.value, names), document, "ml.json", names)


def prompt_version(template: Any, **more: Any) -> Any:
    from mlflow.entities.model_registry import PromptVersion

    return PromptVersion(**{"name": "a", "version": 1, "template": template, **more})


def remarks(prompt: ImportedPrompt) -> list[str]:
    return [f"{remark.path}: {remark.message}" for remark in prompt.remarks]


def test_a_prompt_version_of_the_sdk_is_imported_completely() -> None:
    mlflow_prompt = prompt_version(
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
    (prompt,) = import_value(dict(mlflow_prompt))
    assert (prompt.name, prompt.version, prompt.message, prompt.labels) == (
        "support.triage",
        7,
        "why",
        ("production", "champion"),
    )
    assert prompt.tags == ("team=support", "urgent")
    assert prompt.content.response_format == {"type": "object"}
    assert json.dumps(prompt.content.config) == json.dumps(mlflow_prompt.model_config)
    settings = model_settings(prompt.content)
    assert (settings.name, dict(settings.values)) == (
        "openai:gpt",
        {"temperature": 0.5, "max_tokens": 9, "top_p": 1.0, "stop": ["x"], "top_k": 3},
    )
    messages = prepare(prompt.content).render({"who": "X", "question": "Q"}).messages
    assert [dict(message) for message in messages or ()] == mlflow_prompt.format(who="X", question="Q")
    assert remarks(prompt) == [
        ": its label 'Champion' becomes 'champion'",
    ]


def rest_version(text: str, prompt_type: str = "text", **tags: str) -> dict[str, Any]:
    all_tags = {"mlflow.prompt.is_prompt": "true", "mlflow.prompt.text": text, "_mlflow_prompt_type": prompt_type, **tags}
    pairs = [{"key": key, "value": value} for key, value in all_tags.items()]
    return {
        "name": "a",
        "version": "7",
        "description": "why",
        "source": "dummy-source",
        "status": "READY",
        "aliases": [],
        "tags": pairs,
    }


def test_model_versions_of_the_rest_api_are_imported_alone_and_in_lists() -> None:
    messages = [{"role": "user", "content": "{{q}}"}]
    chat = rest_version(
        json.dumps(messages),
        "chat",
        _mlflow_prompt_response_format='{"type": "text"}',
        _mlflow_prompt_model_config='{"model_name": "m"}',
    )
    (prompt,) = import_value({"model_version": chat})
    assert (prompt.version, prompt.message, prompt.content.type, prompt.content.response_format) == (
        7,
        "why",
        "chat",
        {"type": "text"},
    )
    assert prompt.content.config == {"model_name": "m"}
    assert (remarks(prompt), prompt.tags) == ([], ())
    prompts = import_value(
        {
            "model_versions": [
                rest_version("Hi {{name}}", team="x"),
                rest_version("two") | {"version": "8", "aliases": [{"alias": "staging"}]},
            ]
        }
    )
    assert [(prompt.content.template, prompt.tags, prompt.labels) for prompt in prompts] == [
        ("Hi {{name}}", ("team=x",), ()),
        ("two", (), ("staging",)),
    ]
    assert len(import_value([dict(prompt_version("x")), dict(prompt_version("y", name="other"))])) == 2


PIECES = st.sampled_from(
    ["{{name}}", "{{ name }}", "{{\nname\n}}", "{", "}", "{name}", " ", "text", "#", "^", "/name", "!", "name", "1"]
)


@given(st.lists(PIECES, max_size=8).map("".join))
def test_a_text_renders_as_in_mlflow_or_is_refused(source: str) -> None:
    try:
        (prompt,) = import_value(dict(prompt_version(source)))
    except InvalidFile:
        return
    values = {"name": "A{{d}}a"} if prepare(prompt.content).variables else {}
    assert prepare(prompt.content).render(values).text == prompt_version(source).format(**values)


def test_fields_that_promptuarys_routes_write_as_tags_are_imported() -> None:
    tags = {"promptuary.tools": '[{"name": "t"}]', "promptuary.variables": '{"q": {"type": "string"}}'}
    (prompt,) = import_value({"model_version": rest_version("{{q}}", **tags)})
    assert (prompt.content.tools, prompt.content.variables["q"].type, prompt.tags) == ([{"name": "t"}], "string", ())


@pytest.mark.parametrize(
    "source",
    ["{{a.b}}", "{{a", "{{1x}}", "{{#a}}{{/a}}", '{{"key": "{{a}}"}}', "{{{a}}}", "{single}", "{{x|y}}", "{{> a}}"],
)
def test_a_text_that_mustache_reads_otherwise_is_imported_in_the_simple_format(source: str) -> None:
    (prompt,) = import_value(dict(prompt_version(source)))
    assert prompt.content.format == ("mustache" if source == "{single}" else "simple")
    assert remarks(prompt) == []
    values = {name: "x" for name in prepare(prompt.content).variables}
    assert prepare(prompt.content).render(values).text == prompt_version(source).format(**values)


def test_all_messages_of_a_chat_get_one_format() -> None:
    messages = [{"role": "system", "content": "{{"}, {"role": "user", "content": "{{q}}"}]
    (prompt,) = import_value(dict(prompt_version(messages)))
    assert (prompt.content.format, set(prepare(prompt.content).variables)) == ("simple", {"q"})


def test_control_flow_makes_the_format_jinja2_with_a_remark() -> None:
    (prompt,) = import_value(dict(prompt_version("{% if x %}{{x}}{% endif %}")))
    assert prompt.content.format == "jinja2"
    assert remarks(prompt) == ["template: is jinja2, which not every server renders"]


def test_a_model_config_is_imported_whole() -> None:
    config = {"temperature": 1, "provider": "openai", "extra_params": {"x": 1, "a": None}, "stop_sequences": []}
    (prompt,) = import_value({"name": "a", "template": "x", "aliases": [], "model_config": config})
    assert json.dumps(prompt.content.config) == json.dumps(config)
    assert (prompt.content.model, remarks(prompt)) == (None, [])
    (prompt,) = import_value({"model_version": rest_version("x", _mlflow_prompt_model_config=json.dumps(config))})
    assert json.dumps(prompt.content.config) == json.dumps(config)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"template": 7, "aliases": []}, "template: must be a text or a list"),
        ({"template": None, "aliases": []}, "has no `template`"),
        ({"template": [{"role": "critic", "content": "x"}], "uri": ""}, "line 4: template.0.role: "),
        ({"template": [{"role": "user", "content": 7}], "uri": ""}, "template.0.content: must be a text"),
        ({"template": [7], "uri": ""}, "template.0: must be an object"),
        ({"template": "x", "aliases": [], "version": "seven"}, "version: must be a number"),
        ({"model_version": rest_version("not json", "chat")}, "model_version.tags: has a tag that is not valid JSON"),
        (
            {"model_version": rest_version("x", _mlflow_prompt_model_config="{")},
            "model_version.tags: has a tag that is not valid JSON",
        ),
    ],
)
def test_what_cannot_be_imported_is_an_error_with_its_path(value: Any, message: str) -> None:
    with pytest.raises(InvalidFile) as error_info:
        import_value(value)
    assert message in str(error_info.value)
