"""An application over HTTP, asked on loopback: its output, its version, retries, refusals and limits."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from doubles.application import LoopbackApplication, as_events, as_json, as_page
from promptuary.core.allowed_hosts import AllowedHosts, HostRefused
from promptuary.evaluation.applications.answer import AnswerUnreadable
from promptuary.evaluation.applications.spec import TargetSpec
from promptuary.evaluation.case import Case
from promptuary.evaluation.javascript.engine import JavaScriptEngine
from promptuary.evaluation.plan import ApplicationDetail
from promptuary.evaluation.targets.application import ApplicationOutput, ApplicationQuestion
from promptuary.evaluation.targets.errors import ApplicationFailed, ApplicationUnreachable, ApplicationUnusable
from promptuary.evaluation.targets.http_target import HttpApplication
from promptuary.evaluation.targets.permissions import TargetPermissions
from promptuary.prompt.errors import Invalid

ANYWHERE = TargetPermissions(AllowedHosts(None), variables=None)


ENGINE = JavaScriptEngine(processes=1)


@pytest.fixture(scope="module", autouse=True)
def closed_engine() -> Iterator[None]:
    yield
    ENGINE.close()


async def no_pause(_seconds: float) -> None:
    """Wait for nothing."""


def application(
    loopback: LoopbackApplication, path: str = "/answer", permissions: TargetPermissions = ANYWHERE, **spec: Any
) -> HttpApplication:
    http = {"url": loopback.url + path, "body": {"question": "{{question}}"}, **spec}
    target = TargetSpec.model_validate({"http": http, "version": {"header": "X-App-Version"}})
    built = HttpApplication.build(target, permissions, 4, ENGINE)
    built.pause = no_pause
    return built


def ask(built: HttpApplication, *questions: str) -> list[ApplicationOutput | Exception]:
    async def run() -> list[Any]:
        results: list[Any] = []
        for text in questions or ("hi",):
            question = ApplicationQuestion(Case("c", {"question": text}), {"question": text}, None, 0)
            try:
                results.append(await built.ask(question, detail))
            except Exception as error:
                results.append(error)
        await built.close()
        return results

    detail: ApplicationDetail = {}
    results = asyncio.run(run())
    DETAILS.append(detail)
    return results


DETAILS: list[ApplicationDetail] = []


def failure(built: HttpApplication, kind: type[Exception]) -> str:
    (error,) = ask(built)
    assert isinstance(error, kind), error
    return str(error)


def test_the_output_and_the_version_are_those_of_the_answer(loopback: LoopbackApplication) -> None:
    loopback.version = "2.4"
    (output,) = ask(application(loopback, output="$.answer"))
    assert isinstance(output, ApplicationOutput)
    assert output.value == "You said: hi"
    assert output.latency_ms is not None
    assert DETAILS[-1] == {"address": f"{loopback.url}/answer", "status": 200, "version": "2.4"}


def test_secrets_reach_the_application_and_no_result(loopback: LoopbackApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_KEY", "sk-12345")
    (output,) = ask(application(loopback, "/echo", headers={"Authorization": "Bearer {{env.APP_KEY}}"}))
    assert isinstance(output, ApplicationOutput)
    assert loopback.requests[0]["headers"]["authorization"] == "Bearer sk-12345"
    assert output.value["headers"]["authorization"] == "Bearer ***"
    assert "sk-12345" not in str(output)


def test_a_variable_that_is_not_set_is_an_error_before_the_first_call(loopback: LoopbackApplication) -> None:
    with pytest.raises(Invalid, match="the variable NO_SUCH_KEY of the environment is not set"):
        application(loopback, headers={"X-Key": "{{env.NO_SUCH_KEY}}"})
    assert loopback.requests == []


def test_the_programs_own_variables_are_never_passed_on(loopback: LoopbackApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTUARY_API_KEY", "pmt_x")
    with pytest.raises(Invalid, match="PROMPTUARY_API_KEY is this program's own"):
        application(loopback, headers={"X-Key": "{{env.PROMPTUARY_API_KEY}}"})


def test_an_error_that_may_pass_is_tried_again(loopback: LoopbackApplication) -> None:
    busy = (503, {"Retry-After": "1"}, b"busy")
    loopback.fixed["/answer"] = [busy, (429, {}, b""), as_json({"answer": "done"})]
    (output,) = ask(application(loopback, output="$.answer"))
    assert isinstance(output, ApplicationOutput)
    assert (output.value, len(loopback.requests)) == ("done", 3)


def test_an_error_that_stays_has_the_status_and_the_beginning_of_the_answer(loopback: LoopbackApplication) -> None:
    loopback.fixed["/answer"] = [as_json({"detail": "no such user"}, 422)]
    message = failure(application(loopback), ApplicationFailed)
    assert message == f'{loopback.url}/answer answered with status 422 Unprocessable Entity: {{"detail": "no such user"}}'
    assert len(loopback.requests) == 1


def test_statuses_that_the_suite_accepts_are_answers(loopback: LoopbackApplication) -> None:
    loopback.fixed["/answer"] = [as_json({"error": "E404"}, 404)]
    for status in (404, ["4xx"], "any"):
        (output,) = ask(application(loopback, output="$.error", status=status))
        assert isinstance(output, ApplicationOutput)
        assert output.value == "E404"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (as_page(), "answered a page for browsers (HTML) with status 200: check the path"),
        (as_json({}, 401), "it does not accept the credentials: set the variable that the header names"),
        (as_json({}, 404), "there is nothing at this address: check the path"),
        ((302, {"Location": "https://login.example/"}, b""), "redirects to 'https://login.example', which is another host"),
    ],
)
def test_a_wrong_set_up_is_reported_with_a_remedy(loopback: LoopbackApplication, answer: Any, expected: str) -> None:
    loopback.fixed["/answer"] = [answer]
    assert expected in failure(application(loopback), ApplicationUnusable)
    assert len(loopback.requests) == 1


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("json.answer.toUpperCase()", "YOU SAID: HI"),
        ("json.parts.map(part => part.text)", ["a", "b"]),
        ("(json, text, context) => context.response.status + json.n", 203),
        ("text.length > 5", True),
    ],
)
def test_the_output_may_be_an_expression(loopback: LoopbackApplication, expression: str, expected: Any) -> None:
    (output,) = ask(application(loopback, output={"expression": expression}))
    assert isinstance(output, ApplicationOutput), output
    assert output.value == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("json.nope", "the expression found no output in the answer"),
        ("json.nope.deeper", "`output` failed: the JavaScript threw TypeError"),
        ("json => json", "the expression of the output returned a function"),
    ],
)
def test_an_expression_without_an_output_is_an_error(loopback: LoopbackApplication, expression: str, expected: str) -> None:
    assert expected in failure(application(loopback, output={"expression": expression}), AnswerUnreadable)


def test_an_expression_that_is_no_javascript_is_refused_before_the_first_call(loopback: LoopbackApplication) -> None:
    with pytest.raises(ApplicationUnusable, match="`output` is no JavaScript: SyntaxError"):
        application(loopback, output={"expression": "json.answer +"})
    assert loopback.requests == []


def test_statuses_may_be_an_expression(loopback: LoopbackApplication) -> None:
    loopback.fixed["/answer"] = [as_json({"answer": "partly"}, 422)]
    accepted, refused = ({"expression": f"status < {limit}"} for limit in (500, 400))
    (output,) = ask(application(loopback, output="$.answer", status=accepted))
    assert isinstance(output, ApplicationOutput)
    assert "status 422" in failure(application(loopback, status=refused), ApplicationFailed)


def test_a_page_is_an_output_where_the_suite_wants_the_text(loopback: LoopbackApplication) -> None:
    loopback.fixed["/answer"] = [as_page()]
    (output,) = ask(application(loopback, output="text"))
    assert isinstance(output, ApplicationOutput)
    assert "Sign in" in output.value


def test_a_redirect_within_the_host_is_followed_with_its_body(loopback: LoopbackApplication) -> None:
    loopback.fixed["/old"] = [(307, {"Location": "/answer"}, b"")]
    (output,) = ask(application(loopback, "/old", output="$.answer"))
    assert isinstance(output, ApplicationOutput)
    assert output.value == "You said: hi"


def test_a_redirect_that_never_ends_is_an_error(loopback: LoopbackApplication) -> None:
    loopback.fixed["/answer"] = [(302, {"Location": "/answer"}, b"")]
    assert "redirects more than 5 times" in failure(application(loopback), ApplicationUnusable)


def test_a_stream_of_events_is_one_output(loopback: LoopbackApplication) -> None:
    loopback.fixed["/answer"] = [as_events('{"delta": "Hel"}', '{"delta": "lo"}', "[DONE]")]
    (output,) = ask(application(loopback, output="$.delta"))
    assert isinstance(output, ApplicationOutput)
    assert output.value == "Hello"


def test_an_answer_over_the_limit_is_an_error(loopback: LoopbackApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptuary.evaluation.targets.http_connection.ANSWER_LIMIT", 100)
    loopback.fixed["/answer"] = [(200, {}, b"x" * 101)]
    assert "sent more than 100 bytes" in failure(application(loopback), ApplicationFailed)


def test_an_application_that_does_not_run_is_named_with_the_remedy(loopback: LoopbackApplication) -> None:
    built = application(LoopbackApplication("http://127.0.0.1:1"))
    message = failure(built, ApplicationUnreachable)
    assert message == "http://127.0.0.1:1/answer cannot be reached: nothing listens there; is the application running?"


def test_a_server_asks_only_hosts_that_are_listed(loopback: LoopbackApplication) -> None:
    nowhere = TargetPermissions(AllowedHosts(frozenset()))
    assert "an operator can list it in PROMPTUARY_TARGET_HOSTS" in failure(
        application(loopback, permissions=nowhere), HostRefused
    )
    listed = TargetPermissions(AllowedHosts(frozenset({"127.0.0.0/8"})))
    (output,) = ask(application(loopback, permissions=listed))
    assert isinstance(output, ApplicationOutput)


def test_a_name_that_resolves_to_a_private_address_is_not_asked(loopback: LoopbackApplication) -> None:
    permissions = TargetPermissions(AllowedHosts(frozenset({"localhost.example", "10.0.0.0/8"})))

    async def resolve(*_: Any) -> list[dict[str, Any]]:
        return [{"hostname": "localhost.example", "host": "127.0.0.1", "port": 80, "family": 2, "proto": 0, "flags": 0}]

    spec = {"url": "http://localhost.example/answer"}
    built = application(loopback, permissions=permissions, **spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aiohttp.ThreadedResolver.resolve", resolve)
        message = failure(built, HostRefused)
    assert "resolves to 127.0.0.1, which is not public" in message
    assert loopback.requests == []
