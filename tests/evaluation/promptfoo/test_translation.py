"""The translation of a promptfoo file, part by part, and the report on parts that are not supported."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptuary.evaluation.promptfoo.assertions import EMPTY_TEMPLATE, PASSING_WITHOUT_THRESHOLD
from promptuary.evaluation.promptfoo.report import PartOutcome, TranslationReport
from promptuary.evaluation.promptfoo.suite_files import suite_file_texts
from promptuary.evaluation.promptfoo.translation import Translation, UnsupportedParts, translate
from promptuary.evaluation.suites.suite import read_suite, suite_to_json
from promptuary.models.model_spec import parse_model
from promptuary.prompt.files.prompt_file import read_prompt_folder
from promptuary.prompt.files.yaml_document import InvalidFile
from promptuary.prompt.model_settings import model_settings

CONTAINS = {"type": "contains", "value": "a"}
TEST = {"vars": {"x": "a"}, "assert": [CONTAINS]}
FILE: dict[str, Any] = {"prompts": ["{{x}}"], "providers": ["echo"], "tests": [TEST]}
Read = Callable[..., Translation]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Translate a file with these changes, beside files of these texts: `read({"tests": …}, {"cases.csv": "…"})`."""

    def translation(changes: dict[str, Any] | None = None, files: dict[str, str] | None = None, **options: Any) -> Translation:
        for name, text in (files or {}).items():
            path = tmp_path / "desk" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        path = tmp_path / "desk" / "promptfooconfig.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({**FILE, **(changes or {})}), encoding="utf-8")
        return translate(path, **options)

    return translation


def why(report: TranslationReport, fate: PartOutcome, name: str) -> str:
    """Return the report's message on a part of the file."""
    (message,) = [entry.why for entry in report.of(fate) if entry.name == name]
    return message


def refusal(read: Read, name: str, changes: dict[str, Any], files: dict[str, str] | None = None, **options: Any) -> str:
    """Return the message with which a part is refused."""
    with pytest.raises(UnsupportedParts) as refused:
        read(changes, files, **options)
    return why(refused.value.report, PartOutcome.REFUSED, name)


def test_the_suite_is_named_by_the_description_else_by_the_file_or_its_folder(read: Read, tmp_path: Path) -> None:
    assert read({"description": "Süße Tickets, two!"}).suite.name == "susse-tickets-two-d97cb6daa0"
    assert read({"description": "Проверка §5"}).suite.name != read({"description": "Тест 5"}).suite.name
    translation = read()
    assert (translation.suite.name, translation.suite.prompt, translation.suite.dataset) == ("desk", "desk", "desk")
    other = tmp_path / "desk" / "Refunds.v2.yaml"
    other.write_text(json.dumps(FILE), encoding="utf-8")
    assert translate(other).suite.name == "refunds-v2"
    assert translate(other, name="mine").suite.name == "mine"


def test_every_case_must_pass_and_every_case_must_be_answered(read: Read) -> None:
    suite = read().suite
    assert [(gate.metric, gate.every) for gate in suite.gate] == [("pass", True)]
    assert suite.max_unrunnable == 0


def test_a_case_keeps_its_name_at_every_place_of_its_test(read: Read) -> None:
    tests = [{**TEST, "vars": {"x": f"a{number}"}} for number in range(3)]
    first = [case.id for case in read({"tests": tests}).cases]
    second = [case.id for case in read({"tests": tests[::-1]}).cases]
    assert second == first[::-1]
    described = read({"tests": [{**TEST, "description": "two\nlines"}, {**TEST, "description": "two lines"}, TEST, TEST]}).cases
    ids = [case.id for case in described]
    assert ids[0] == "two lines"
    assert ids[1].startswith("two lines ")
    assert ids[3] == f"{ids[2]} 2"
    assert described[0].metadata == {"description": "two\nlines"}


def test_values_are_filled_with_the_tests_variables_and_braces_stay_text(read: Read) -> None:
    asserts = [
        {"type": "contains", "value": "{{x}} {{missing}}{{ '{{y}}' }}"},
        {"type": "contains-any", "value": ["{{x | upper}}"]},
    ]
    (case,) = read({"tests": [{"vars": {"x": "a", "y": 1}, "assert": asserts}]}).cases
    from promptuary.evaluation.scorers.value_template import parse_value

    assert [parse_value(spec["value"]).fill(case) for spec in case.asserts] == ["a {{y}}", ["A"]]


def test_a_value_that_is_empty_for_a_test_is_an_error_of_that_test_alone(read: Read) -> None:
    asserts = [{"type": "contains", "value": "{{gone}}"}, {"type": "contains-any", "value": ["{{gone}}", "b"]}]
    translation = read({"tests": [{**TEST, "assert": asserts}]})
    assert [spec["value"] for spec in translation.cases[0].asserts] == [EMPTY_TEMPLATE, [EMPTY_TEMPLATE, "b"]]
    assert "is empty for some test" in why(translation.report, PartOutcome.CHANGED, "contains")


@pytest.mark.parametrize("text", ["{{", "\n{{x}}\n", "<% {{x}} %>", "{{#a}}b{{/a}}"])
def test_a_text_with_braces_means_itself(text: str) -> None:
    from promptuary.evaluation.case import Case
    from promptuary.evaluation.promptfoo.template import escape_mustache
    from promptuary.evaluation.scorers.value_template import parse_value

    assert parse_value(escape_mustache(text)).fill(Case("c", {"x": 1, "a": True})) == text


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("echo", "echo:"),
        ("openai:gpt-4.1", "openai:gpt-4.1"),
        ("openai:chat:gpt-4.1", "openai:gpt-4.1"),
        ("openai:chat:ft:gpt-4.1:me", "openai:ft:gpt-4.1:me"),
        ("anthropic:messages:claude-sonnet-4-5", "anthropic:claude-sonnet-4-5"),
        ("ollama:chat:llama3.2:1b", "ollama:llama3.2:1b"),
        ("ollama:llama3.2:1b", "ollama:llama3.2:1b"),
        ("azure:chat:mine", "azure_openai:mine"),
        ("google:gemini-2.5-pro", "google_genai:gemini-2.5-pro"),
        ("vertex:gemini-2.5-pro", "google_vertexai:gemini-2.5-pro"),
        ("mistral:mistral-small-latest", "mistralai:mistral-small-latest"),
        ("bedrock:anthropic.claude-v2:1", "bedrock_converse:anthropic.claude-v2:1"),
        ("bedrock:converse:amazon.nova-lite-v1:0", "bedrock_converse:amazon.nova-lite-v1:0"),
        ("togetherai:meta/llama", "together:meta/llama"),
    ],
)
def test_providers_have_langchains_names(read: Read, provider: str, model: str) -> None:
    assert read({"providers": provider}).suite.models == [model]
    assert read({"providers": [{provider: {"config": {}}}]}).suite.models == [model]


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ("openai:embedding:text-embedding-3-small", "no chat model"),
        ("file://provider.js", "is code"),
        ("python:provider.py", "names a file that cannot be used: 'provider.py' is not there"),
        ("https://example.com/answer", "has no `body`, which every method but GET needs"),
        ("ws://example.com/answer", "is an address"),
        ("huggingface:text-generation:gpt2", "no chat model"),
        ("openai:", "no chat model"),
    ],
)
def test_a_provider_that_is_no_chat_model_is_refused_unless_another_model_is_named(
    read: Read, provider: str, words: str
) -> None:
    assert words in refusal(read, provider, {"providers": [provider]})
    assert read({"providers": [provider]}, models=["echo:"]).suite.models == ["echo:"]


def test_settings_that_all_models_share_are_kept_with_the_version(read: Read) -> None:
    config = {"temperature": 0, "max_tokens": 20, "stop": "END", "apiKey": "secret", "region": "eu"}
    translation = read({"providers": [{"id": "openai:gpt-4.1", "label": "four", "config": config}]})
    model = translation.contents[0].model
    assert model is not None
    assert model.model_dump(exclude_none=True) == {
        "name": "openai:gpt-4.1",
        "temperature": 0.0,
        "max_tokens": 20,
        "stop": ["END"],
    }
    assert "environment" in why(translation.report, PartOutcome.LEFT, "apiKey")
    assert "environment" in why(translation.report, PartOutcome.CHANGED, "region")
    assert "label" in why(translation.report, PartOutcome.CHANGED, "openai:gpt-4.1")
    assert not any("secret" in str(entry) for entry in translation.report.entries)


def test_settings_that_only_some_models_have_are_kept_in_the_config(read: Read) -> None:
    config = {"reasoning_effort": "low", "max_completion_tokens": 9, "top_k": 5, "temperature": 1}
    content = read({"providers": [{"id": "openai:gpt-4.1", "config": config}]}).contents[0]
    assert content.config == {"reasoning_effort": "low", "max_completion_tokens": 9, "top_k": 5}
    assert model_settings(content).values == {"reasoning_effort": "low", "max_tokens": 9, "top_k": 5, "temperature": 1}


@pytest.mark.parametrize(
    ("name", "providers", "words"),
    [
        ("logit_bias", [{"id": "openai:a", "config": {"logit_bias": {}}}], "is called with"),
        ("openai:a", [{"id": "openai:a", "config": {"top_k": "1"}}], "another type: top_k"),
        ("openai:a", [{"id": "openai:a", "config": {"temperature": 9}}], "beyond"),
        ("settings", ["openai:a", {"id": "openai:b", "config": {"response_format": {"type": "text"}}}], "different tools"),
        ("openai:a", [{"id": "openai:a", "config": {"passthrough": {"model": "b"}}}], "extra_body: cannot have `model`"),
        ("openai:a", [{"id": "openai:a", "config": {"apiBaseUrl": "gpu"}}], "base_url: must be the base URL"),
        ("openai:chat:a", ["openai:a", "openai:chat:a"], "again"),
    ],
)
def test_settings_that_no_version_keeps_are_refused(read: Read, name: str, providers: list[Any], words: str) -> None:
    assert words in refusal(read, name, {"providers": providers})


def test_settings_that_differ_are_those_of_the_suites_models(read: Read) -> None:
    providers = [
        {"id": "openai:gpt-5", "label": "short", "config": {"max_tokens": 20, "reasoning_effort": "low"}},
        {"id": "openai:gpt-5", "config": {"max_completion_tokens": 400, "stop": "END"}},
        "openai:gpt-4.1",
    ]
    translation = read({"providers": providers})
    assert [parse_model(entry).model_dump(mode="json") for entry in suite_to_json(translation.suite)["models"]] == [
        {"name": "openai:gpt-5", "label": "short", "max_tokens": 20, "reasoning_effort": "low"},
        {"name": "openai:gpt-5", "label": "openai:gpt-5", "max_tokens": 400, "stop": ["END"]},
        {"name": "openai:gpt-4.1"},
    ]
    assert translation.contents[0].model is None


def test_addresses_keys_and_thinking_are_those_of_a_suites_model(read: Read) -> None:
    vllm: dict[str, Any] = {"apiBaseUrl": "http://gpu:8000/v1", "apiKeyEnvar": "VLLM_KEY", "max_tokens": 16}
    vllm |= {"passthrough": {"min_p": 0.1}}
    thinking = {"type": "enabled", "budget_tokens": 2000}
    other = {"apiHost": "host", "apiKey": "{{env.OTHER_KEY}}", "max_tokens": 16, "thinking": thinking}
    providers = [{"id": "openai:chat:Qwen", "config": vllm}, {"id": "anthropic:claude", "config": other}]
    grader = {"id": "openai:gpt-5", "config": {"reasoning_effort": "high", "temperature": 0}}
    tests = [{"vars": {"x": "1"}, "assert": [{"type": "llm-rubric", "value": "is kind", "provider": grader}]}]
    translation = read({"providers": providers, "tests": tests})
    assert suite_to_json(translation.suite)["models"] == [
        {"name": "openai:Qwen", "base_url": vllm["apiBaseUrl"], "api_key_env": "VLLM_KEY", "extra_body": {"min_p": 0.1}},
        {"name": "anthropic:claude", "base_url": "https://host/v1", "api_key_env": "OTHER_KEY", "thinking": thinking},
    ]
    assert model_settings(translation.contents[0]).values == {"max_tokens": 16}
    assert [dict(spec)["model"] for spec in translation.cases[0].asserts] == [
        {"name": "openai:gpt-5", "reasoning_effort": "high", "temperature": 0}
    ]


def test_prompts_come_from_texts_and_from_files_of_every_kind(read: Read) -> None:
    files = {
        "a.txt": "one {{x}}\n---\ntwo\n{{x}}\n",
        "b.json": '[{"role": "system", "content": "be brief"}, {"role": "user", "content": "{{x}}"}]',
        "c.yaml": "- role: user\n  content: 'yaml {{x}}'\n",
        "d.jsonl": '[{"role": "user", "content": "line {{x}}"}]\n',
        "e.md": "# {{x}}\n",
        "f.csv": "prompt,label\nfrom a table {{x}},t\n",
        "more/g.j2": "{{x}}!",
    }
    file_value = [
        "a.txt",
        "file://b.json",
        "c.yaml",
        "d.jsonl",
        "file://e.md",
        {"id": "f.csv"},
        "file://more/*.j2",
        "and/or {{x}}",
    ]
    translation = read({"prompts": file_value, "providers": ["openai:gpt-4.1"]}, files)
    templates = [
        content.template if isinstance(content.template, str) else [part.model_dump() for part in content.template]
        for content in translation.contents
    ]
    assert templates == [
        "one {{x}}",
        "two\n{{x}}",
        [{"role": "system", "content": "be brief"}, {"role": "user", "content": "{{x}}"}],
        [{"role": "user", "content": "yaml {{x}}"}],
        [{"role": "user", "content": "line {{x}}"}],
        "# {{x}}\n",
        "from a table {{x}}",
        "{{x}}!",
        "and/or {{x}}",
    ]
    assert all(not variable.required for content in translation.contents for variable in content.variables.values())


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("file://prompt.py", "made by code"),
        ("prompt.js:build", "made by code"),
        ("exec:./prompt.sh", "made by code"),
        ("langfuse://mine", "another service"),
        ("file://missing.txt", "does not exist"),
        ("file://../outside.txt", "outside the folder"),
        ("file:///etc/hostname", "outside the folder"),
        ("file://../**/*.txt", "outside the folder"),
        ("{{ x | nothing_of_ours }}", "cannot be read here"),
        ("{% set y = 1 %}{{ y }}", "cannot be read here"),
        ("{{ x.length }}", "JavaScript's"),
        ("{% for one in _conversation %}{{ one }}{% endfor %}", "the earlier messages"),
        ('[{"role": "user", "content": [{"type": "image_url"}]}]', "messages.0.content.0.image_url: is required"),
        ('[{"role": "user", "content": [{"type": "image", "source": {}}]}]', "messages.0.content.0: needs a `type`"),
        ('[{"role": "user", "content": "x", "parts": []}]', "messages.0.parts: is not a known field"),
    ],
)
def test_a_prompt_that_cannot_be_carried_is_refused_with_the_reason(read: Read, prompt: str, words: str) -> None:
    with pytest.raises(UnsupportedParts) as refused:
        read({"prompts": [prompt, "{{x}}"]})
    (entry,) = refused.value.report.of(PartOutcome.REFUSED)
    assert entry.kind == "prompt"
    assert words in entry.why
    translation = read({"prompts": [prompt, "{{x}}"]}, partial=True)
    assert [content.template for content in translation.contents] == ["{{x}}"]


def test_a_link_out_of_the_folder_is_outside(read: Read, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "link.txt").symlink_to(tmp_path / "secret.txt")
    assert "outside the folder" in refusal(read, "file://link.txt", {"prompts": ["file://link.txt", "{{x}}"]})


def test_a_chat_keeps_its_parts_and_tool_calls(read: Read) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "find", "arguments": '{"order": "{{x}}"}'}}
    image = {"type": "image_url", "image_url": {"url": "{{image}}", "detail": "low"}}
    messages = [
        {"role": "developer", "content": "be brief"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "{{result}}", "tool_call_id": "c"},
        {"role": "user", "content": [{"type": "text", "text": "{{x}} {% if y %}z{% endif %}"}, image]},
    ]
    test = {"vars": {"x": "1", "image": "https://a.example/1.png"}, "assert": [{"type": "equals", "value": "1"}]}
    translation = read({"prompts": [json.dumps(messages)], "tests": [test]})
    (content,) = translation.contents
    assert (content.format, content.model_dump()["template"]) == ("jinja2", messages)


def test_equal_prompts_are_tried_once(read: Read) -> None:
    translation = read({"prompts": ["{{x}}", {"raw": "{{x}}", "label": "again"}]})
    assert len(translation.contents) == 1
    assert "earlier" in why(translation.report, PartOutcome.CHANGED, "'again'")


def test_prefix_and_suffix_stand_in_the_prompt_or_are_filled_by_each_test(read: Read) -> None:
    same = read({"defaultTest": {"options": {"prefix": "Now: ", "suffix": "."}}})
    assert same.contents[0].template == "Now: {{x}}."
    tests = [{**TEST, "options": {"prefix": "{{x}}> "}}, TEST]
    differs = read({"tests": tests})
    assert differs.contents[0].template == "{{prompt_prefix}}{{x}}{{prompt_suffix}}"
    assert [case.vars for case in differs.cases] == [
        {"x": "a", "prompt_prefix": "a> ", "prompt_suffix": ""},
        {"x": "a", "prompt_prefix": "", "prompt_suffix": ""},
    ]


def test_filters_of_tests_and_providers_are_carried_where_all_name_the_same(read: Read) -> None:
    prompts = [{"raw": "one {{x}}", "label": "g:1"}, {"raw": "two {{x}}", "label": "g:2"}, {"raw": "three {{x}}", "id": "h"}]
    chosen = read({"prompts": prompts, "tests": [{**TEST, "prompts": ["g"]}, {**TEST, "prompts": ["g:*"]}]})
    assert [content.template for content in chosen.contents] == ["one {{x}}", "two {{x}}"]
    assert "split the file" in refusal(read, "prompts", {"prompts": prompts, "tests": [{**TEST, "prompts": ["h"]}, TEST]})
    named = read({"prompts": prompts, "providers": [{"id": "echo", "prompts": ["h"]}]})
    assert [content.template for content in named.contents] == ["three {{x}}"]
    providers = ["openai:a", {"id": "openai:b", "label": "bee"}]
    assert read({"providers": providers, "tests": [{**TEST, "providers": ["bee"]}]}).suite.models == ["openai:b"]


def test_options_of_the_run_are_adopted_or_reported(read: Read) -> None:
    translation = read(
        {
            "evaluateOptions": {"repeat": 3, "maxConcurrency": 2, "delay": 100, "cache": False},
            "commandLineOptions": {"repeat": 4, "var": {"y": "from the line"}},
            "outputPath": "out.html",
            "derivedMetrics": [{"name": "m", "value": "a / b"}],
            "unknownKey": 1,
            "prompts": ["{{x}} {{y}}"],
        }
    )
    assert (translation.suite.repeats, translation.suite.concurrency) == (4, 2)
    assert translation.cases[0].vars["y"] == "from the line"
    assert {entry.name for entry in translation.report.of(PartOutcome.LEFT)} == {
        "delay",
        "cache",
        "outputPath",
        "derivedMetrics",
        "unknownKey",
    }


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("extensions", {"extensions": ["file://hook.js:before"]}),
        ("nunjucksFilters", {"nunjucksFilters": {"shout": "file://shout.js"}}),
        ("filterFirstN", {"commandLineOptions": {"filterFirstN": 1}}),
        ("storeOutputAs", {"defaultTest": {"options": {"storeOutputAs": "answer"}}}),
        ("providerOutput", {"tests": [{**TEST, "providerOutput": "given"}]}),
        ("provider", {"tests": [{**TEST, "provider": "echo"}]}),
        ("assertScoringFunction", {"defaultTest": {"assertScoringFunction": "file://score.js"}}),
        ("HOME", {"prompts": ["{{env.HOME}} {{x}}"]}),
        ("file://tests.py", {"tests": ["file://tests.py", TEST]}),
        ("https://example.com/tests.csv", {"tests": ["https://example.com/tests.csv", TEST]}),
    ],
)
def test_what_would_change_verdicts_is_refused_by_name(read: Read, name: str, changes: dict[str, Any]) -> None:
    assert refusal(read, name, changes)
    assert read(changes, partial=True).cases


@pytest.mark.parametrize(
    ("kind", "name", "changes", "words"),
    [
        ("setting", "redteam", {"redteam": {"plugins": ["harmful"], "numTests": 5}}, "`promptfoo eval` does not read it"),
        ("setting", "notes", {"notes": "of ours"}, "no key of promptfoo"),
        ("setting", "colour", {"evaluateOptions": {"colour": True}}, "no setting of promptfoo"),
        ("test option", "timeout", {"defaultTest": {"options": {"timeout": 9000}}}, "PROMPTUARY_CASE_TIMEOUT"),
        ("test option", "label", {"tests": [{**TEST, "options": {"label": "x"}}]}, "for people"),
        ("test option", "colour", {"tests": [{**TEST, "options": {"colour": "red"}}]}, "no option that promptfoo reads"),
        ("test", "label", {"tests": [{**TEST, "label": "x", "id": 7}]}, "no part of a test that promptfoo reads"),
        ("assertion", "contains", {"tests": [{**TEST, "assert": [{**CONTAINS, "description": "d"}]}]}, "no `description`"),
        ("assertion", "contains", {"tests": [{**TEST, "assert": [{**CONTAINS, "metadata": {}}]}]}, "no `metadata`"),
        (
            "provider config",
            "timeout",
            {"providers": [{"id": "openai:a", "config": {"timeout": 9000, "label": "x"}}]},
            "PROMPTUARY_CASE_TIMEOUT",
        ),
    ],
)
def test_keys_that_change_no_verdict_are_left_out_with_a_remark(
    read: Read, kind: str, name: str, changes: dict[str, Any], words: str
) -> None:
    plain = {"providers": ["openai:a"]} if "providers" in changes else {}
    translation = read(changes)
    (entry,) = [each for each in translation.report.of(PartOutcome.LEFT) if (each.kind, each.name) == (kind, name)]
    assert words in entry.why
    assert translation.report.of(PartOutcome.REFUSED) == []
    assert translation.cases == read(plain).cases


@pytest.mark.parametrize("name", ["temperature", "response_format", "tools", "max_output_tokens", "storeOutputAs"])
def test_test_options_that_change_a_call_are_refused(read: Read, name: str) -> None:
    assert "how this one test is asked" in refusal(read, name, {"tests": [{**TEST, "options": {name: "x"}}]})


@pytest.mark.parametrize(
    ("name", "assertion", "words"),
    [
        ("human", {"type": "human"}, "no scorer here"),
        ("containz", {"type": "containz", "value": "a"}, "no type that is known"),
        ("moderation", {"type": "moderation"}, "no scorer here"),
        ("contains", {"type": "contains", "value": "a", "transform": "fetch(output)"}, "`fetch` reaches the network"),
        ("contains", {"type": "contains", "value": "a", "transform": "file://none.js"}, "does not exist"),
        ("contains", {"type": "contains", "value": "file://value.js"}, "made by code"),
        ("contains", {"type": "contains"}, "value is required"),
        ("contains", {"type": "contains", "value": "a", "weight": -1}, "weight"),
        ("equals", {"type": "equals", "value": "file://missing.json"}, "does not exist"),
        ("llm-rubric", {"type": "llm-rubric", "value": "is kind"}, "--judge"),
        ("llm-rubric", {"type": "llm-rubric", "value": "is kind", "provider": "exec:./grade"}, "is code"),
    ],
)
def test_an_unsupported_assertion_is_refused_and_never_dropped(
    read: Read, name: str, assertion: dict[str, Any], words: str
) -> None:
    changes = {"tests": [{**TEST, "assert": [assertion]}, TEST]}
    with pytest.raises(UnsupportedParts) as refused:
        read(changes)
    kinds = {entry.kind: entry.why for entry in refused.value.report.of(PartOutcome.REFUSED)}
    assert words in kinds["assertion"]
    assert "every output would pass" in kinds["test"]
    assert len(read(changes, partial=True).cases) == 1  # a test that lost all its assertions is omitted, not passed


def test_the_grader_is_the_files_or_the_judge_that_is_named(read: Read) -> None:
    rubric = {"type": "llm-rubric", "value": "is kind"}
    options = {"provider": "openai:chat:gpt-4.1"}
    tests = [{**TEST, "assert": [rubric, {**rubric, "provider": {"id": "mine"}}]}]
    changes = {
        "defaultTest": {"options": options},
        "tests": tests,
        "providers": [{"id": "anthropic:messages:claude", "label": "mine"}],
    }
    assert [spec["model"] for spec in read(changes).cases[0].asserts] == ["openai:gpt-4.1", "anthropic:claude"]
    assert [spec["model"] for spec in read(changes, judge="local:smollm2").cases[0].asserts] == ["local:smollm2"] * 2


def test_scorers_of_code_and_of_instructions_are_carried_as_ours(read: Read) -> None:
    asserts: list[dict[str, Any]] = [
        {"type": "python", "value": "file://check.py:polite"},
        {"type": "python", "value": "len(output) > {{ x | length }}"},
        {"type": "not-llm-rubric", "value": "is rude to {{x}}", "rubricPrompt": "Be strict."},
        {"type": "factuality", "value": "five days"},
        {"type": "webhook", "value": "https://hooks.example.com/check"},
        {"type": "is-json", "value": {"pattern": "{{x}}"}},
        {"type": "is-refusal", "value": "what is not looked at"},
    ]
    options = {"provider": "openai:gpt-4.1", "factuality": {"subset": 0.5}}
    code = "def polite(output, context):\n    return True\n"
    translation = read({"tests": [{**TEST, "assert": asserts, "options": options}]}, {"check.py": code})
    assert list(translation.cases[0].asserts) == [
        {"type": "python", "value": {"file": "check.py", "function": "polite", "code": code}},
        {"type": "python", "value": "len(output) > 1"},
        {"type": "not-llm-rubric", "value": "is rude to a", "model": "openai:gpt-4.1", "config": {"prompt": "Be strict."}},
        {"type": "factuality", "value": "five days", "model": "openai:gpt-4.1", "config": {"subset": 0.5}},
        {"type": "webhook", "value": "https://hooks.example.com/check"},
        {"type": "is-json", "value": {"pattern": "{{x}}"}, "config": {"dialect": "ajv-draft-07"}},
        {"type": "is-refusal"},
    ]
    assert "PROMPTUARY_CODE_SCORERS" in why(translation.report, PartOutcome.CHANGED, "python")
    assert "PROMPTUARY_WEBHOOK_HOSTS" in why(translation.report, PartOutcome.CHANGED, "webhook")
    assert "means nothing" in why(translation.report, PartOutcome.LEFT, "is-refusal")


@pytest.mark.parametrize(
    ("assertion", "words"),
    [
        ({"type": "javascript", "value": "require('fs') && true"}, "`require` loads a module"),
        ({"type": "javascript", "value": "fetch('http://x')"}, "`fetch` reaches the network"),
        ({"type": "javascript", "value": "process.env.KEY === output"}, "`process.env` reaches the system"),
        ({"type": "llm-rubric", "value": "x", "provider": "openai:a", "rubricPrompt": "{{output}}"}, "a whole prompt"),
        ({"type": "assert-set", "assert": [{"type": "assert-set", "assert": [CONTAINS]}]}, "in another set"),
        ({"type": "python", "value": "file://../check.py"}, "outside the folder"),
    ],
)
def test_scorers_that_others_could_misread_are_refused(read: Read, assertion: dict[str, Any], words: str) -> None:
    assert words in refusal(read, assertion["type"], {"tests": [{**TEST, "assert": [CONTAINS, assertion]}]})


def test_outputs_that_are_compared_are_not_run_apart(read: Read) -> None:
    best = {"type": "select-best", "value": "is shorter", "provider": "openai:gpt-4.1"}
    changes = {"prompts": ["{{x}}", "Two: {{x}}"], "tests": [{**TEST, "assert": [best]}]}
    assert read(changes).cases
    assert "run apart" in refusal(read, "select-best", changes, apart=True)
    assert read({**changes, "prompts": ["{{x}}"]}, apart=True).cases


def test_a_threshold_may_be_any_number_as_scores_of_javascript_may(read: Read) -> None:
    assert [read({"tests": [{**TEST, "threshold": at}]}).cases[0].threshold for at in (-1, 0.5, 1.5)] == [-1, 0.5, 1.5]
    assert "no number" in refusal(read, "over", {"tests": [{**TEST, "threshold": "much", "description": "over"}]})


def test_a_file_without_any_assertion_is_refused_for_it_would_always_pass(read: Read) -> None:
    assert "every output would pass" in refusal(read, "promptfooconfig.yaml", {"tests": [{"vars": {"x": 1}}]})


def test_a_metrics_name_is_written_as_ours_are(read: Read) -> None:
    translation = read({"tests": [{**TEST, "assert": [{**CONTAINS, "metric": "Ton & Stil: {{x}}"}]}]})
    assert translation.cases[0].asserts[0]["name"] == "Ton _ Stil_ a"
    assert "is called" in why(translation.report, PartOutcome.CHANGED, "Ton & Stil: a")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1", "not valid YAML"),
        ("prompts: [x]\nproviders: *a\n", "found undefined alias 'a'"),
        ("description: nothing else\n", "not a promptfoo file"),
        ("providers: [echo]\ntargets: [echo]\n", "give one"),
        ('prompts: ["{{x}}"]\nproviders: [echo]\ntests: [{$ref: "#/tests/0"}]\n', "leads into itself"),
        ('prompts: ["{{x}}"]\nproviders: [echo]\ntests: [{$ref: "https://example.com/x"}]\n', "in another file"),
        ('prompts: ["{{x}}"]\nproviders: [echo]\ntests: [{$ref: "#/nowhere"}]\n', "there is no"),
        ("prompts: [x]\nproviders: []\ntests: [{vars: {x: 1}, assert: [{type: equals, value: x}]}]\n", "there is no model"),
    ],
)
def test_what_cannot_be_read_at_all_is_reported_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidFile) as broken:
        translate(path)
    assert words in str(broken.value)


def test_references_that_grow_are_stopped(tmp_path: Path) -> None:
    parts = {"a0": ["x"] * 10} | {f"a{number}": [{"$ref": f"#/parts/a{number - 1}"}] * 10 for number in range(1, 9)}
    path = tmp_path / "promptfooconfig.yaml"
    body = {**FILE, "parts": parts, "tests": [{"$ref": "#/parts/a8"}]}
    path.write_text(json.dumps(body), encoding="utf-8")
    with pytest.raises(InvalidFile, match="references make more than"):
        translate(path)


def test_combinations_that_grow_are_refused(read: Read) -> None:
    many = {f"v{number}": [str(value) for value in range(10)] for number in range(6)}
    assert "combinations" in refusal(read, "tests[0]", {"tests": [{**TEST, "vars": {**many, "x": "a"}}, TEST]})


def test_variables_that_grow_by_each_other_are_refused(read: Read) -> None:
    file_value = {"whole": "a" * 600_000, "twice": "{{whole}}{{whole}}", "x": "a"}
    assert "grows over" in refusal(read, "tests[0]", {"tests": [{**TEST, "vars": file_value}, TEST]})


def test_a_pattern_with_many_braces_ends(read: Read) -> None:
    with pytest.raises(UnsupportedParts, match="no file is named"):
        read({"prompts": [f"file://{'{a,b}' * 40}.txt", "{{x}}"]})


def test_yaml_is_read_as_javascript_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "promptfooconfig.yaml"
    file_value = "{x: yes, y: 1:30, z: Really?}"
    test = f"{{vars: {file_value}, assert: [{{type: equals, value: on}}]}}"
    text = f"prompts: ['{{{{x}}}} {{{{y}}}} {{{{z}}}}']\nproviders: [echo]\ntests: [{test}]\n"
    path.write_text(text, encoding="utf-8")
    (case,) = translate(path).cases
    assert case.vars == {"x": "yes", "y": "1:30", "z": "Really?"}
    assert case.asserts[0]["value"] == "on"


def test_what_is_written_is_read_back_as_the_same_cases_and_contents(read: Read, tmp_path: Path) -> None:
    translation = read(
        {"prompts": ["{{x}}", "Two: {{x}}"], "tests": [{**TEST, "threshold": 0.5}, {**TEST, "vars": {"x": "b"}}]}
    )
    for path, text in suite_file_texts(translation).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    first, second = (read_suite(tmp_path / "evals" / f"desk.{number}.yaml") for number in (1, 2))
    assert tuple(first.cases) == tuple(second.cases) == translation.cases
    assert (first.suite.gate, second.suite.prompt) == (translation.suite.gate, "desk.2")
    assert [prompt.content for prompt in read_prompt_folder(tmp_path / "prompts")] == list(translation.contents)


@pytest.mark.parametrize("name", PASSING_WITHOUT_THRESHOLD)
def test_an_assertion_that_passes_every_score_is_reported(read: Read, name: str) -> None:
    assertion = {"type": name, "value": "x", "provider": "openai:a"}

    def remarks(**fields: Any) -> list[str]:
        translation = read({"tests": [{**TEST, "assert": [CONTAINS, {**assertion, **fields}]}]})
        return [entry.why for entry in translation.report.of(PartOutcome.CHANGED) if "passes with any score" in entry.why]

    assert len(remarks()) == 1
    assert remarks(threshold=0.5) == []
