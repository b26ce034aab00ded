"""Providers of promptfoo files that are applications, in our form, and what of their settings is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptuary.evaluation.promptfoo.suite_files import suite_file_texts
from promptuary.evaluation.promptfoo.translation import Translation, UnsupportedParts, translate
from promptuary.evaluation.suites.suite import read_suite, suite_digest

Read = Callable[..., Translation]
TESTS = [{"vars": {"q": "hi"}, "assert": [{"type": "contains", "value": "hi"}]}]
URL = "https://app.example.com/answer"
BODY = {"prompt": "{{prompt}}"}


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Translate a file with these providers and prompts, beside files of these texts."""

    def translation(providers: Any, prompts: Any = "{{q}}", files: dict[str, str] | None = None) -> Translation:
        for name, text in (files or {}).items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        path = tmp_path / "promptfooconfig.yaml"
        path.write_text(json.dumps({"prompts": prompts, "providers": providers, "tests": TESTS}), encoding="utf-8")
        return translate(path, name="desk")

    return translation


def http(read: Read, config: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Return the request of a file with one HTTP provider."""
    (target,) = read([{"id": "http", "config": {"url": URL, **config}}], **options).suite.targets
    assert target.http is not None
    return target.http.model_dump(mode="json")


def refused(read: Read, *arguments: Any) -> str:
    with pytest.raises(UnsupportedParts) as error:
        read(*arguments)
    return "; ".join(map(str, error.value.field_errors))


def test_an_http_provider_becomes_a_request_with_promptfoos_semantics(read: Read) -> None:
    headers = {"Authorization": "Bearer {{env.APP_KEY}}", "X-Retries": 3}
    config = {"method": "post", "headers": headers, "body": BODY, "queryParams": {"lang": "{{lang}}"}}
    scripts = {"transformResponse": "json.answer", "validateStatus": "status < 500"}
    assert http(read, {**config, **scripts}) == {
        "url": URL,
        "method": "POST",
        "headers": {"Authorization": "Bearer {{env.APP_KEY}}", "X-Retries": "3"},
        "query": {"lang": "{{lang}}"},
        "body": BODY,
        "output": {"expression": "json.answer"},
        "status": {"expression": "status < 500"},
        "semantics": "promptfoo",
    }


def test_the_prompt_is_rendered_for_the_application(read: Read) -> None:
    suite = read([{"id": URL, "label": "mine", "config": {"method": "POST", "body": BODY}}], "Say {{q}}").suite
    (target,) = suite.targets
    assert (suite.prompt, suite.models, target.variant_name) == (None, [], "mine")
    assert target.prompt == {"type": "text", "template": "Say {{q}}", "variables": {"q": {"required": False}}}


def test_each_application_gets_each_prompt_under_a_name_of_its_own(read: Read) -> None:
    provider = {"id": "http", "config": {"url": URL, "method": "POST", "body": BODY}}
    targets = read([provider, {**provider, "label": "B"}], ["{{q}}", "Say {{q}}"]).suite.targets
    assert [target.variant_name for target in targets] == [
        "app.example.com/answer · 1",
        "app.example.com/answer · 2",
        "B · 1",
        "B · 2",
    ]


def test_a_request_as_text_is_taken_apart(read: Read) -> None:
    head = "POST /answer?l={{l}} HTTP/1.1\nHost: app.example.com\nX-Who: {{q}}\nContent-Type: application/json"
    request = head + '\n\n{"p": "{{prompt}}"}'
    suite = read([{"id": "https", "config": {"request": request, "useHttps": True}}]).suite
    (target,) = suite.targets
    assert target.http is not None
    assert (target.http.url, target.http.verb) == ("https://app.example.com/answer?l={{l}}", "POST")
    assert target.http.headers == {"X-Who": "{{q}}", "Content-Type": "application/json"}
    assert target.http.body == '{"p": "{{prompt}}"}'


def test_templates_with_filters_are_of_the_format_jinja2(read: Read) -> None:
    spec = http(read, {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": '{"p": {{ prompt | dump }}}'})
    assert (spec["format"], spec["body"]) == ("jinja2", '{"p": {{ prompt | tojson }}}')


@pytest.mark.parametrize("reference", ["file://p.py", "python:p.py", "file://p.py:call_api"])
def test_a_python_provider_becomes_its_function_with_the_whole_environment(read: Read, reference: str) -> None:
    code = "def call_api(prompt, options, context):\n    return {'output': prompt}\n"
    provider = {"id": reference, "config": {"tail": "!", "workers": 2, "timeout": 5000}}
    (target,) = read([provider], files={"p.py": code}).suite.targets
    assert target.python is not None
    assert target.python.source.code == code
    assert target.python.model_dump(mode="json", exclude={"function"}) == {
        "config": {"tail": "!"},
        "env": ["*"],
        "workers": 2,
        "timeout": 5.0,
        "semantics": "promptfoo",
    }


def test_a_command_is_taken_apart_without_a_shell(read: Read) -> None:
    (target,) = read(["exec:sh 'say it.sh' $HOME"]).suite.targets
    assert target.exec == ["sh", "say it.sh", "$HOME"]


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ({"id": "http", "config": {"url": URL, "method": "POST"}}, "has no `body`, which every method but GET needs"),
        ({"id": "http", "config": {"body": BODY}}, "has no `url`"),
        ({"id": "http", "config": {"url": URL, "body": BODY, "signatureAuth": {}}}, "has the setting `signatureAuth`"),
        ({"id": "http", "config": {"url": URL, "body": BODY, "transformResponse": "file://t.js"}}, "in a file of code"),
        ({"id": "http", "config": {"request": "hello"}}, "has a `request` whose first line is not as in `POST /path HTTP/1.1`"),
        ("python:../p.py", "is outside of the suite's folder"),
        ("exec:sh 'x", "has a command whose quotes are not closed"),
        ("exec:" + "sh " * 101, "at most 100 items"),
        ("python:broken.py", "'broken.py' is no Python"),
    ],
)
def test_what_an_application_cannot_have_is_refused_by_name(read: Read, provider: Any, expected: str) -> None:
    assert expected in refused(read, [provider], "{{q}}", {"broken.py": "def call_api(:\n"})


def test_a_model_beside_an_application_is_refused(read: Read) -> None:
    application = {"id": "http", "config": {"url": URL, "body": BODY, "method": "POST"}}
    assert "provider echo: is no application, and others of the providers are: split the file" in refused(
        read, [application, "echo"]
    )


def test_an_imported_file_is_a_suite_with_the_same_digest(read: Read, tmp_path: Path) -> None:
    translation = read([{"id": "http", "config": {"url": URL, "method": "POST", "body": BODY, "transformResponse": "json.a"}}])
    texts = suite_file_texts(translation)
    for path, text in texts.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    assert {str(path) for path in texts} == {"evals/desk.yaml", "evals/datasets/desk.jsonl"}
    imported = read_suite(tmp_path / "evals" / "desk.yaml").suite
    stored = imported.model_copy(update={"dataset": "desk"})
    assert suite_digest(stored) == suite_digest(translation.suite)
