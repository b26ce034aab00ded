"""Templates and variables over REST: what is refused at registering, at rendering, and what is turned on or off."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from promptuary.prompt.templates.render_budget import WORK_LIMIT

NAME = "/v1/prompts/support.triage"
JINJA = {"type": "text", "format": "jinja2", "labels": ["production"]}
LOOP = "{% for ticket in tickets if ticket.open %}{{ loop.index }}. {{ ticket.title|upper }}\n{% else %}none{% endfor %}"


@pytest.fixture
def with_jinja(opened_database: Any, settings: Any, clock: Any) -> Iterator[Any]:
    """An HTTP client of a server whose operator has turned jinja2 on."""
    from starlette.testclient import TestClient

    from promptuary.access.auth.request import LOCAL_PROJECT
    from promptuary.api.app import create_app

    app = create_app(settings.model_copy(update={"jinja2": True}), database=opened_database, clock=clock)

    async def as_operator(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, LOCAL_PROJECT: "default"}, receive, send)

    with TestClient(as_operator, base_url="http://127.0.0.1") as client:
        yield client
    app.close()


def register(client: Any, body: Any) -> None:
    answer = client.post(f"{NAME}/versions", json=body)
    assert answer.status_code == 201, answer.text


def field_errors(answer: Any, code: str) -> list[tuple[str, str]]:
    body = answer.json()
    assert (answer.status_code, body["code"]) == (422, code), answer.text
    return [(error["path"], error["message"]) for error in body["errors"]]


# --- jinja2 -------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("sqlite")
def test_jinja2_is_registered_and_rendered_where_it_is_turned_on(with_jinja: Any) -> None:
    register(with_jinja, {**JINJA, "template": LOOP})
    tickets = [{"title": "card", "open": True}, {"title": "pin", "open": False}, {"title": "{{ 7 }}", "open": True}]
    answer = with_jinja.post(f"{NAME}/render", json={"variables": {"tickets": tickets}})
    assert answer.json()["text"] == "1. CARD\n2. {{ 7 }}\n"
    assert with_jinja.post(f"{NAME}/render", json={}).json()["text"] == "none"


@pytest.mark.usefixtures("sqlite")
def test_where_jinja2_is_off_a_stored_version_is_returned_but_not_rendered(with_jinja: Any, local: Any) -> None:
    register(with_jinja, {**JINJA, "template": LOOP})
    off = [("format", "jinja2 is off here; use mustache, simple or f-string, or have the operator set PROMPTUARY_JINJA2=true")]
    assert field_errors(local.post(f"{NAME}/versions", json={**JINJA, "template": "{{ a }}"}), "invalid_prompt") == off
    assert field_errors(local.post(f"{NAME}/versions", json={**JINJA, "template": "{{ a }}"}), "invalid_prompt") == off
    assert field_errors(local.post(f"{NAME}/render", json={"variables": {"tickets": []}}), "invalid_prompt") == off
    register(with_jinja, {**JINJA, "template": LOOP + "{{ sign }}"})
    compared = with_jinja.get(f"{NAME}/diff?from=1&to=2").json()
    assert (compared["breaking"], compared["reasons"]) == (True, ["the variable 'sign' is new and must be given"])
    assert field_errors(local.get(f"{NAME}/diff?from=1&to=2"), "invalid_prompt") == off
    response = local.get(f"{NAME}?version=1")
    assert (response.status_code, response.json()["format"], response.json()["template"]) == (200, "jinja2", LOOP)
    assert local.get(f"{NAME}/versions/1").json()["version"] == 1


@pytest.mark.usefixtures("sqlite")
@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{% for i in range(10**9) %}x{% endfor %}", "a call is not supported"),
        ('{{ "x" * 10**9 }}', "'*' computes with numbers only"),
        ("{{ 9 ** 9 ** 9 }}", "'**' is not supported"),
        ("{{ a|center(1000000000) }}", "the filter 'center' is not supported"),
        ("{{ '%1000000000s'|format(a) }}", "the filter 'format' is not supported"),
        ("{{ ''.__class__.__mro__ }}", "begins with '_'"),
        ("{{ a['__class__'] }}", "begins with '_'"),
        ("{{ lipsum.__globals__['os'].popen('id').read() }}", "a call is not supported"),
        ("{% include 'x' %}", "'include' is not supported"),
        ("{% import 'x' as x %}", "'import' is not supported"),
        ("{% extends 'x' %}", "'extends' is not supported"),
        ("{% macro m() %}{% endmacro %}", "'macro' is not supported"),
        ("{% set a = 1 %}", "'set' is not supported"),
        ("{% if a %}", "(line 1 of the template)"),
        ("{{ " + "(" * 100_000 + ")" * 100_000 + " }}", "nested too deep"),
    ],
    ids=lambda text: text[:50],
)
def test_jinja_that_could_do_harm_is_refused_when_it_is_registered(with_jinja: Any, template: str, words: str) -> None:
    ((path, message),) = field_errors(
        with_jinja.post(f"{NAME}/versions", json={**JINJA, "template": template}), "invalid_prompt"
    )
    assert (path, words in message) == ("template", True), message
    assert with_jinja.get("/v1/prompts").json()["items"] == []


@pytest.mark.usefixtures("sqlite")
@pytest.mark.parametrize(
    ("template", "variables", "code", "words"),
    [
        ("{{ a * 1000000000 }}", {"a": "x"}, "invalid_variables", "'*' needs two numbers"),
        ("{% for x in l %}" * 4 + "{% endfor %}" * 4, {"l": [0] * 1000}, "render_too_large", f"more than {WORK_LIMIT} steps"),
        ("{{ a|replace('', b) }}", {"a": "x" * 200_000, "b": "x" * 200_000}, "render_too_large", "over the limit of 1048576"),
        ("{{ a|indent(99999999) }}", {"a": "x"}, "invalid_variables", "an integer from 0 to 100"),
        ("{% for x in l %}{{ a }}{% endfor %}", {"l": [0] * 50, "a": "x" * 99_999}, "render_too_large", "limit of 1048576"),
    ],
    ids=["repeated text", "nested loops", "a huge text on the way", "a huge margin", "a huge output"],
)
def test_jinja_that_would_take_forever_ends_in_a_clear_answer(
    with_jinja: Any, template: str, variables: Any, code: str, words: str
) -> None:
    register(with_jinja, {**JINJA, "template": template})
    answer = with_jinja.post(f"{NAME}/render", json={"variables": variables})
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert words in answer.text


# --- values -------------------------------------------------------------------------------------------------------------

TYPED = {
    "type": "text",
    "template": "{{name}} {{tone}} {{#order}}{{id}}{{/order}}",
    "variables": {
        "name": {"type": "string", "minLength": 2, "maxLength": 5},
        "tone": {"enum": ["kind", "dry"], "default": "kind"},
        "order": {"type": "object", "properties": {"id": {"type": "integer", "minimum": 1}}, "required": False},
    },
    "labels": ["production"],
}


@pytest.mark.usefixtures("sqlite")
def test_defaults_are_filled_in_and_what_need_not_be_given_may_be_left_out(local: Any) -> None:
    register(local, TYPED)
    assert local.post(f"{NAME}/render", json={"variables": {"name": "Ana"}}).json()["text"] == "Ana kind "
    full = {"variables": {"name": "Ana", "tone": "dry", "order": {"id": 7}}}
    assert local.post(f"{NAME}/render", json=full).json()["text"] == "Ana dry 7"


@pytest.mark.usefixtures("sqlite")
@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, [("name", "is required and has no value")]),
        ({"name": "Ana", "more": 1}, [("more", "is not a variable of this prompt")]),
        ({"name": 7}, [("name", "must be of type string")]),
        ({"name": None}, [("name", "must be of type string")]),
        ({"name": "A"}, [("name", "must have at least 2 characters")]),
        ({"name": "Anastasia"}, [("name", "must have at most 5 characters")]),
        ({"name": "Ana", "tone": "rude"}, [("tone", 'must be one of ["kind", "dry"]')]),
        ({"name": "Ana", "order": {"id": 0}}, [("order.id", "must be at least 1")]),
        ({"name": "Ana", "order": {}}, [("order.id", "is required and has no value")]),
        ({"name": "Ana", "order": {"id": 1, "x": 1}}, [("order", "has a property that is not in its schema")]),
        (
            {"tone": 1, "x": 1},
            [
                ("x", "is not a variable of this prompt"),
                ("name", "is required and has no value"),
                ("tone", 'must be one of ["kind", "dry"]'),
            ],
        ),
    ],
)
def test_values_that_do_not_fit_are_422_and_every_variable_is_named(
    local: Any, variables: Any, expected: list[tuple[str, str]]
) -> None:
    register(local, TYPED)
    assert field_errors(local.post(f"{NAME}/render", json={"variables": variables}), "invalid_variables") == expected


@pytest.mark.usefixtures("sqlite")
def test_output_over_the_cap_is_422(local: Any) -> None:
    register(local, {"type": "text", "template": "{{#l}}{{a}}{{/l}}", "variables": {"a": {}}, "labels": ["production"]})
    answer = local.post(f"{NAME}/render", json={"variables": {"l": [0] * 20, "a": "x" * 100_000}})
    assert (answer.status_code, answer.json()["code"]) == (422, "render_too_large")
    assert "over the limit of 1048576 characters" in answer.json()["detail"]


@pytest.mark.usefixtures("sqlite")
def test_a_loop_over_nothing_that_would_never_end_is_422(local: Any) -> None:
    register(local, {"type": "text", "template": "{{#l}}" * 9 + "{{/l}}" * 9, "labels": ["production"]})
    answer = local.post(f"{NAME}/render", json={"variables": {"l": [[0] * 9] * 9999}})
    assert (answer.status_code, answer.json()["code"]) == (422, "render_too_large")


# --- sensitive values ---------------------------------------------------------------------------------------------------

SECRET = "hunter2-4111111111111111"
CARD = {"type": "string", "maxLength": 30, "sensitive": True}


@pytest.mark.usefixtures("sqlite")
@pytest.mark.parametrize(
    ("template", "more", "values"),
    [
        ("{{card}}", {}, {"card": SECRET}),
        ("{{card}}", {}, {"card": [SECRET]}),
        ("{{card}}", {}, {"card": SECRET * 3}),
        ("{{card}}", {"card": {**CARD, "enum": ["a"]}}, {"card": SECRET}),
        ("{{card}}", {"card": {"type": "object", "properties": {}, "sensitive": True}}, {"card": {SECRET: SECRET}}),
        ("{{card}}{{more}}", {}, {"card": SECRET}),
        ("{{card}}", {}, {"card": SECRET, "unknown": SECRET}),
        ("{% if card + 1 %}{% endif %}", {}, {"card": SECRET}),
        ("{{ card|int + card[card]|length }}{% for x in card %}{% endfor %}", {}, {"card": SECRET}),
        ("{% for x in l %}{{ card }}{% endfor %}", {}, {"card": SECRET, "l": [0] * 100_000}),
    ],
    ids=["fits", "mistyped", "too long", "not listed", "as a key", "missing", "unknown", "sum", "loop", "too large"],
)
def test_a_sensitive_value_is_in_no_log_no_error_and_no_audit_row(
    with_jinja: Any, log_lines: Callable[[str], Callable[[], str]], template: str, more: Any, values: Any
) -> None:
    read = log_lines("DEBUG")
    form = "jinja2" if "%" in template or "{{ " in template else "mustache"
    variables = {"card": CARD, **more}
    register(
        with_jinja,
        {"type": "text", "format": form, "template": template, "variables": variables, "labels": ["production"]},
    )
    answer = with_jinja.post(f"{NAME}/render", json={"variables": values})
    if answer.status_code == 200:
        assert answer.json()["text"] == SECRET
    else:
        assert answer.status_code == 422
        assert SECRET not in answer.text
    lines = read()
    assert "/render" in lines
    assert SECRET not in lines
    assert SECRET not in with_jinja.get("/v1/audit").text


def test_not_even_an_unexpected_error_logs_a_sensitive_value(
    sqlite: Any, with_jinja: Any, log_lines: Callable[[str], Callable[[], str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed statement's error comes without its parameters; the trace shows lines of code and no values."""
    from sqlalchemy import text

    from promptuary.context import rendering

    read = log_lines("DEBUG")

    def fail(self: Any, project: int, prepared: Any, values: Any, query: Any = None) -> Any:
        with sqlite.read() as session:
            session.execute(text("SELECT :card FROM nowhere"), {"card": values["card"]})

    monkeypatch.setattr(rendering.ContextRenderer, "render", fail)
    body = {"type": "text", "template": "{{card}}", "variables": {"card": CARD}, "labels": ["production"]}
    register(with_jinja, body)
    with pytest.raises(Exception, match="no such table") as raised:
        with_jinja.post(f"{NAME}/render", json={"variables": {"card": SECRET}})
    assert SECRET not in str(raised.value)
    assert "unexpected error" in read()
    assert "no such table" in read()
    assert SECRET not in read()
