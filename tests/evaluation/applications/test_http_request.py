"""The request of a case: values in address, headers and body, and names in place of the environment's values."""

from typing import Any

import pytest

from promptuary.evaluation.applications.http_request import HttpRequest, RequestTemplate
from promptuary.evaluation.applications.spec import HttpSpec
from promptuary.prompt.errors import Invalid

ENVIRONMENT = {"BASE": "https://app.example.com", "KEY": "sk-12345"}


def build(spec: dict[str, Any], **values: Any) -> HttpRequest:
    return RequestTemplate.of(HttpSpec.model_validate({"url": "https://app.example.com", **spec})).build(values, ENVIRONMENT)


def test_values_in_path_and_query_are_percent_encoded() -> None:
    request = build({"url": "{{env.BASE}}/ask/{{topic}}?q={{q}}", "query": {"page": 2, "q2": "{{q}}"}}, topic="a/b", q="x & ü")
    assert request.url == "https://app.example.com/ask/a%2Fb?q=x%20%26%20%C3%BC&page=2&q2=x%20%26%20%C3%BC"


def test_results_show_names_in_place_of_the_environments_values() -> None:
    request = build({"url": "{{env.BASE}}/ask?key={{env.KEY}}"})
    assert request.url.endswith("?key=sk-12345")
    assert request.address == "$BASE/ask?key=$KEY"
    assert "sk-12345" not in repr(request)


def test_a_tag_alone_in_the_body_keeps_the_type_of_its_value() -> None:
    body = {"n": "{{n}}", "on": "{{on}}", "list": "{{list}}", "five": "{{five}}", "text": "n is {{n}}"}
    request = build({"body": body}, n=3, on=True, list=[{"role": "user"}], five="5")
    expected = b'{"n": 3, "on": true, "list": [{"role": "user"}], "five": "5", "text": "n is 3"}'
    assert (request.method, request.content) == ("POST", expected)
    assert request.headers == {"Content-Type": "application/json"}


def test_a_json_body_that_is_one_text_stays_json_whatever_the_values_contain() -> None:
    spec = {"headers": {"content-type": "application/json"}, "body": '{"q": "{{q}}", "n": {{n}}}'}
    assert build(spec, q='say "hi"\n', n=2).content == b'{"q": "say \\"hi\\"\\n", "n": 2}'


def test_a_text_body_is_sent_as_it_is() -> None:
    request = build({"body": "T={{q}}"}, q='"x"')
    assert (request.content, request.headers) == (b'T="x"', {"Content-Type": "text/plain; charset=utf-8"})


def test_a_request_without_a_body_is_a_get() -> None:
    request = build({})
    assert (request.method, request.content, request.headers) == ("GET", None, {})


@pytest.mark.parametrize(
    ("spec", "values", "expected"),
    [
        ({"body": {"q": "{{question}}"}}, {}, "question: has no value"),
        ({"headers": {"X-Q": "{{q}}"}}, {"q": "a\r\nX-Admin: 1"}, "the header 'X-Q' would contain a line break"),
        (
            {"headers": {"content-type": "application/json"}, "body": "{{q}}"},
            {"q": "no"},
            "with these values, it is not JSON",
        ),
    ],
)
def test_a_request_that_cannot_be_built_is_an_error(spec: dict[str, Any], values: dict[str, Any], expected: str) -> None:
    with pytest.raises(Invalid, match=expected):
        build(spec, **values)


def test_promptfoos_bodies_read_texts_that_are_json() -> None:
    spec = {"semantics": "promptfoo", "body": {"messages": "{{prompt}}", "other": "{{missing}}"}}
    assert build(spec, prompt='[{"role": "user"}]').content == b'{"messages": [{"role": "user"}], "other": ""}'
