import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from promptuary.core.outbound_http import DestinationRefused
from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.score import Score, ScorerInput, run_scorer
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.models.calls import ModelReply
from promptuary.prompt.errors import Invalid

SAMPLE = ScorerInput(Case("c", {"city": "Paris"}), "Paris.", ({"role": "user", "content": "Where?"},))


class Service(ThreadingHTTPServer):
    """A service with a fixed response, which records its requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, Any]] = []
        self.status, self.answer = 200, b"{}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        self.server.requests.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[Service]:
    with Service() as service:
        thread = threading.Thread(target=service.serve_forever, name="service")
        thread.start()
        yield service
        service.shutdown()
        thread.join()


@pytest.fixture
def service(server: Service) -> Service:
    server.requests.clear()
    server.status, server.answer = 200, b"{}"
    return server


async def no_judge(*_: Any, **__: Any) -> ModelReply:
    raise AssertionError("no judge is to be asked")


def score(service: Service, answer: Any, kind: str = "webhook", path: str = "/score", status: int = 200) -> Score:
    service.answer = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    service.status = status
    spec = ScorerSpec.model_validate({"type": kind, "value": service.url + path})
    parts = ScorerDependencies(embed=list, ask=no_judge, webhook_hosts=frozenset({"127.0.0.1"}))
    return asyncio.run(run_scorer(build_scorer(spec, parts), SAMPLE))


@pytest.mark.parametrize(
    ("answer", "passed", "points"),
    [
        ({"pass": True}, True, 1.0),
        ({"pass": False, "reason": "no"}, False, 0.0),
        ({"pass": True, "score": 0.75, "reason": "mostly"}, True, 0.75),
        ({"pass": False, "score": 0.25, "more": [1]}, False, 0.25),
    ],
)
def test_the_service_decides_and_not_turns_it(service: Service, answer: Any, passed: bool, points: float) -> None:
    plain, inverted = (score(service, answer, kind) for kind in ("webhook", "not-webhook"))
    assert (plain.passed, plain.score) == (passed, points)
    assert (inverted.passed, inverted.score) == (not passed, 1 - points)


def test_it_gets_the_output_and_its_context_at_the_address_of_the_case(service: Service) -> None:
    score(service, {"pass": True}, path="/{{city}}")
    assert service.requests == [("/Paris", {"output": "Paris.", "context": {"prompt": "Where?", "vars": {"city": "Paris"}}})]


@pytest.mark.parametrize("kind", ["webhook", "not-webhook"])
@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"", 200),
        (b"yes", 200),
        (b'{"pass": true, "pass": false}', 200),
        (b'{"pass": true, "score": NaN}', 200),
        ({"pass": "true"}, 200),
        ({"score": 1}, 200),
        ({"pass": True, "score": 2}, 200),
        ({"pass": True}, 500),
        ({"pass": True}, 302),
    ],
)
def test_what_is_no_verdict_is_an_error_and_is_not_turned(service: Service, kind: str, answer: Any, status: int) -> None:
    result = score(service, answer, kind, status=status)
    assert (result.passed, result.score) == (None, None)
    assert result.error


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    answer=st.binary(max_size=40) | st.dictionaries(st.sampled_from(["pass", "score"]), st.booleans() | st.floats(), max_size=2)
)
def test_whatever_it_answers_not_turns_the_verdict_or_both_are_errors(service: Service, answer: Any) -> None:
    plain, inverted = (score(service, answer, kind) for kind in ("webhook", "not-webhook"))
    assert inverted.passed is (None if plain.passed is None else not plain.passed)


def test_an_address_that_a_case_fills_is_looked_at_when_it_is_known() -> None:
    parts = ScorerDependencies(embed=list, ask=no_judge, webhook_hosts=frozenset({"127.0.0.1"}))
    spec = ScorerSpec.model_validate({"type": "webhook", "value": "https://{{city}}.example/"})
    result = asyncio.run(run_scorer(build_scorer(spec, parts), SAMPLE))
    assert "may not go to 'paris.example'" in str(result.error)


@pytest.mark.parametrize("value", ["https://hooks.example.com/", "https://{{city}}.example/"])
def test_nothing_is_sent_anywhere_where_no_host_is_listed(value: str) -> None:
    spec = ScorerSpec.model_validate({"type": "webhook", "value": value})
    with pytest.raises(Invalid, match="PROMPTUARY_WEBHOOK_HOSTS"):
        build_scorer(spec, ScorerDependencies(embed=list, ask=no_judge))


@pytest.mark.parametrize("value", [None, "", 3, "x" * 3000])
def test_it_needs_an_address(value: Any) -> None:
    with pytest.raises(ValidationError, match="webhook's address"):
        ScorerSpec.model_validate({"type": "webhook", "value": value})


def test_an_address_that_is_none_is_refused_when_it_is_built() -> None:
    spec = ScorerSpec.model_validate({"type": "webhook", "value": "hooks"})
    with pytest.raises(DestinationRefused):
        build_scorer(spec, ScorerDependencies(embed=list, ask=no_judge, webhook_hosts=frozenset({"hooks"})))
