"""The OpenAPI document, and requests generated from it: every response is one that it describes."""

import re
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

TAGS = (
    "access",
    "registry",
    "context",
    "evaluation",
    "schedules",
    "review",
    "traffic",
    "langfuse",
    "mlflow",
    "langsmith",
    "phoenix",
    "mcp",
    "webhooks",
    "operations",
    "health",
)
ENDLESS = ("/v1/stream",)


def test_every_error_is_described_and_every_call_needs_a_key(app: Any) -> None:
    described = app.app.openapi()
    assert "HTTPValidationError" not in described["components"]["schemas"]
    for path, item in described["paths"].items():
        for method, operation in item.items():
            foreign = path.startswith(("/api/", "/langsmith/", "/phoenix/"))
            media_types = {"application/json"} if foreign else {"application/problem+json"}
            assert set(operation["responses"]["default"]["content"]) == media_types, (method, path)
            assert "422" not in operation["responses"], (method, path)
            assert ("security" in operation) is (foreign or path.startswith("/v1/") or path in ("/metrics", "/mcp")), (
                method,
                path,
            )
            assert ({"password": []} in operation.get("security", ())) is path.startswith("/api/"), (method, path)
            assert ({"header": []} in operation.get("security", ())) is path.startswith("/langsmith/"), (method, path)
            assert operation["tags"][0] in TAGS, (method, path)


UNDESCRIBED = {
    "AuditEntryOut.detail": "an action of any part, with the part's own fields",
    "CaseIn.assert[]": "a scorer of any type, also of a plugin",
    "TurnIn.assert[]": "a scorer of any type, also of a plugin",
    "ChangeOut.after": "any part of a content",
    "ChangeOut.before": "any part of a content",
    "ClaimedItem.payload": "the item as its source built it",
    "DocumentOut.metadata": "the user's own fields",
    "EventOut.detail": "an event of any kind, with the kind's own fields",
    "ExportedDecision.payload": "the item as its source built it",
    "ObservationOut.input[]": "a message as it was sent to the model",
    "ObservationOut.variables": "the application's own values",
    "ObservedToolCall.arguments": "JSON of the model's, or a text",
    "ParkedMessageOut.payload": "a message to any receiver",
    "JsonValue": "any JSON value of the user's",
    "LookupOut.config": "the application's own JSON",
    "LookupOut.response_format": "the provider's format",
    "LookupOut.tools[]": "the provider's format",
    "PassageOut.metadata": "the user's own fields",
    "RegisteredOut.config": "the application's own JSON",
    "RegisteredOut.response_format": "the provider's format",
    "RegisteredOut.tools[]": "the provider's format",
    "ResultDetailOut.messages[]": "the messages as they were sent to the model",
    "TurnDetailOut.messages[]": "the messages as they were sent to the model",
    "ResultOut.expected": "any JSON value of the user's",
    "ResultOut.vars": "the user's own fields",
    "AdjudicationOut.value": "the value of a field of the queue's own",
    "ClaimedItem.sides": "the item as its source built it",
    "CorrectionOut.expected": "any JSON value of the user's",
    "CorrectionOut.input": "the item as its source built it",
    "CorrectionOut.output": "the item as its source built it",
    "DisagreementOut.gold": "values of fields of the queue's own",
    "DisagreementOut.payload": "the item as its source built it",
    "DraftOut.labels": "values of fields of the queue's own",
    "ExportedDecision.labels": "values of fields of the queue's own",
    "OthersLabelsOut.labels": "values of fields of the queue's own",
    "OwnDecisionOut.labels": "values of fields of the queue's own",
    "OwnDecisionOut.revealed": "parts of the item as its source built it",
    "QueueOut.source": "how each source filled the queue",
    "ReviewOut.labels": "values of fields of the queue's own",
    "SchemaOut.examples[]": "an item and its labels, as its author wrote it",
    "SchemaOut.fields[]": "a field of any type, with the type's own settings",
    "TrafficRuleOut.scorers[]": "a scorer of any type, also of a plugin",
    "ScorerSpec": "a scorer of any type, also of a plugin",
    "VersionOut.config": "the application's own JSON",
    "VersionOut.response_format": "the provider's format",
    "VersionOut.tools[]": "the provider's format",
}
"""The places in responses that are described as any value or any object, with the reason."""


def undescribed(schemas: Any, schema: Any, place: str, visited: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the places below a schema that are described as any value or as an object without properties."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name not in visited:
            yield from undescribed(schemas, schemas[name], re.sub("-(Input|Output)$", "", name), visited | {name})
        return
    branches = [schema[word] for word in ("anyOf", "oneOf", "allOf") if word in schema]
    values = schema.get("additionalProperties")
    patterns = schema.get("patternProperties", {})
    if not branches and "type" not in schema and "enum" not in schema and "const" not in schema:
        yield place
    elif schema.get("type") == "object" and not schema.get("properties") and not patterns and (values is True or not values):
        yield place
    for branch in (branch for group in branches for branch in group):
        yield from undescribed(schemas, branch, place, visited)
    for name, property_ in schema.get("properties", {}).items():
        yield from undescribed(schemas, property_, f"{place}.{name}", visited)
    for inner in (schema.get("items"), values, *patterns.values()):
        if isinstance(inner, dict) and inner:
            yield from undescribed(schemas, inner, f"{place}[]", visited)


def test_every_response_of_the_api_is_described_but_for_these_places(app: Any) -> None:
    described = app.app.openapi()
    schemas = described["components"]["schemas"]
    places = set()
    for path, item in described["paths"].items():
        for method, operation in item.items():
            for status, response in operation["responses"].items():
                content = response.get("content", {}).get("application/json")
                if path.startswith("/v1/") and status.startswith("2") and content is not None:
                    assert "$ref" in content["schema"], f"{method} {path} answers {content['schema']}"
                    places |= set(undescribed(schemas, content["schema"], f"{method} {path}"))
    assert places == UNDESCRIBED.keys()


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
