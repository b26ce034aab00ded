"""The definition of an application: what it may be, what reports call it, and its digest."""

from typing import Any

import pytest
from pydantic import ValidationError

from promptuary.evaluation.applications.spec import ApplicationType, TargetSpec
from promptuary.prompt.validation_errors import field_errors_from

HTTP: dict[str, Any] = {"http": {"url": "https://app.example.com/answer?lang=en", "body": {"q": "{{q}}"}}}


def parse(body: dict[str, Any]) -> TargetSpec:
    return TargetSpec.model_validate(body)


def errors(body: dict[str, Any]) -> list[str]:
    with pytest.raises(ValidationError) as refused:
        parse(body)
    return [str(error) for error in field_errors_from(refused.value)]


@pytest.mark.parametrize(
    ("body", "label", "kind"),
    [
        (HTTP, "app.example.com/answer", ApplicationType.HTTP),
        ({**HTTP, "name": "desk"}, "desk", ApplicationType.HTTP),
        ({"python": "shop.bot:answer"}, "shop.bot:answer", ApplicationType.PYTHON),
        ({"exec": ["sh", "say.sh"]}, "sh say.sh", ApplicationType.COMMAND),
        ({"outputs": "runs/monday.jsonl"}, "monday", ApplicationType.OUTPUTS),
        ({"outputs": "desk.outputs.monday"}, "monday", ApplicationType.OUTPUTS),
        ({"outputs": {"column": "reply"}}, "reply", ApplicationType.OUTPUTS),
    ],
)
def test_an_application_has_a_name_and_a_type(body: dict[str, Any], label: str, kind: ApplicationType) -> None:
    assert (parse(body).label, parse(body).type) == (label, kind)


def test_a_stated_version_is_part_of_the_variants_name() -> None:
    assert parse({**HTTP, "name": "desk", "version": "2.4"}).variant_name == "desk 2.4"
    assert parse({**HTTP, "name": "desk", "version": {"header": "X-App-Version"}}).variant_name == "desk"


def test_the_definition_is_written_without_defaults_and_read_back() -> None:
    spec = parse({**HTTP, "version": "2"})
    assert spec.model_dump(mode="json") == {**HTTP, "version": "2"}
    assert parse(spec.model_dump(mode="json")) == spec


def test_the_digest_changes_with_the_version_and_the_request() -> None:
    other = {"http": {**HTTP["http"], "method": "PUT"}}
    digests = {parse(HTTP).digest, parse({**HTTP, "version": "2"}).digest, parse(other).digest}
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "takes one of http, python, exec and outputs"),
        ({**HTTP, "exec": ["true"]}, "takes one of http, python, exec and outputs"),
        ({"http": {"url": "ftp://app"}}, "http: the address must begin with http:// or https://"),
        ({"http": {"url": "https://app", "output": "answer"}}, "http.output: must be a JSONPath that begins with $"),
        ({"http": {"url": "https://app", "output": "$.a["}}, "http.output: is no JSONPath"),
        ({"http": {"url": "https://app", "output": "$.a[?search(@, '(a+)+$')]"}}, "http.output: is no JSONPath"),
        ({"http": {"url": "https://app", "status": "ok"}}, "http.status: lists statuses that are accepted"),
        ({"http": {"url": "https://app", "headers": {"Host": "x"}}}, "http: the header 'Host' is set by the connection"),
        ({"http": {"url": "https://app/{{a"}}, "http: the template does not parse"),
        ({"python": "answer"}, "python.function: must be `module:function` or `file.py:function`"),
        ({"python": "app.py:answer"}, "python.function: names a file; only a suite's file can do that"),
        ({"python": "a:b", "version": {"header": "X"}}, "only an application over HTTP states its version in a header"),
        ({"python": {"function": {"file": "a.py", "function": "f", "code": "def"}}}, "python.function: 'a.py' is no Python"),
        ({**HTTP, "prompt": {"type": "text"}}, "has a prompt that cannot be used: template: is required"),
    ],
)
def test_what_is_wrong_in_an_application_is_named(body: dict[str, Any], expected: str) -> None:
    assert any(error.startswith(expected) for error in errors(body)), errors(body)


def test_secrets_are_the_variables_outside_of_scheme_and_host() -> None:
    url, headers = "{{env.BASE}}/answer?key={{env.QUERY}}", {"Authorization": "Bearer {{ env.TOKEN }}"}
    http = parse({"http": {"url": url, "headers": headers, "body": {"k": "{{env['BODY']}}"}}}).http
    assert http is not None
    assert http.environment_names() == {"BASE", "QUERY", "TOKEN", "BODY"}
    assert http.secret_names() == {"QUERY", "TOKEN", "BODY"}
