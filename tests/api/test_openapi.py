"""The OpenAPI document, and requests generated from it: every response is one that it describes."""

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from factories.word_embedder import word_embedding_backend
from promptuary.access.auth.request import LOCAL_PROJECT
from promptuary.api.app import create_app
from promptuary.context.retrieval import PassageRetrieval
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry

TAGS = ("access", "registry", "context", "evaluation", "schedules", "review", "langfuse", "mlflow", "health")
ENDLESS = ("/v1/stream",)


def test_every_error_is_described_and_every_call_needs_a_key(app: Any) -> None:
    described = app.app.openapi()
    assert "HTTPValidationError" not in described["components"]["schemas"]
    for path, item in described["paths"].items():
        for method, operation in item.items():
            foreign = path.startswith("/api/")
            media_types = {"application/json"} if foreign else {"application/problem+json"}
            assert set(operation["responses"]["default"]["content"]) == media_types, (method, path)
            assert "422" not in operation["responses"], (method, path)
            assert ("security" in operation) is (foreign or path.startswith("/v1/") or path == "/metrics"), (method, path)
            assert ({"password": []} in operation.get("security", ())) is foreign, (method, path)
            assert operation["tags"][0] in TAGS, (method, path)


@pytest.fixture
def quick(sqlite: Any, settings: Any, clock: Any) -> Iterator[Any]:
    """The app with an embedder and an index that are quick: a request that waits for a model would be none of hundreds."""
    retrieval = PassageRetrieval(sqlite, clock, word_embedding_backend(sqlite, settings))
    app = create_app(settings, database=sqlite, clock=clock, retrieval=retrieval)
    yield app
    app.close()


@pytest.mark.parametrize("tag", TAGS)
def test_every_response_to_a_generated_request_is_described(quick: Any, unit_as: Any, tag: str) -> None:
    async def as_operator(scope: Any, receive: Any, send: Any) -> None:
        headers = [(name, b"localhost" if name == b"host" else value) for name, value in scope.get("headers", ())]
        await quick({**scope, "headers": headers, LOCAL_PROJECT: "default"}, receive, send)

    schema = schemathesis.openapi.from_asgi("/openapi.json", as_operator)
    settings = hypothesis.settings(
        max_examples=15, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    checks = [
        schemathesis.checks.not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    with unit_as("author") as unit:
        Registry(unit).register("known", Content(type="text", template="Hi {{name}}"), labels=("production",))
    for result in schema.include(tag=tag).get_all_operations():
        operation = result.ok()
        if operation.path in ENDLESS:
            continue

        @settings
        @hypothesis.given(case=operation.as_strategy(), known=hypothesis.strategies.booleans())
        def attempt(case: Any, known: bool) -> None:
            if known and case.path_parameters:
                there = {"name": "known", "label": "production", "number": 1}
                case.path_parameters.update({name: there.get(name, value) for name, value in case.path_parameters.items()})
            case.call_and_validate(checks=checks, timeout=60)

        attempt()
