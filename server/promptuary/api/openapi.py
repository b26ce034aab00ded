"""The OpenAPI document, with errors as they are sent: `application/problem+json`, or in the format of another registry."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from promptuary.api.webhook_events import describe_webhooks
from promptuary.compat.error_format import LANGFUSE, LANGSMITH, MLFLOW, error_format_of

PROBLEM_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "RFC 9457: what is wrong, where, and the remedy. `code` is stable; `errors` has one entry a wrong field.",
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "message"],
                "properties": {"path": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}

_PROBLEM_RESPONSE = {
    "description": "a problem",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}

_SCHEMES = {LANGFUSE: ("key", "password"), MLFLOW: ("key", "password"), LANGSMITH: ("key", "header")}
"""The ways in which a key is sent to the routes of another registry's client; Bearer alone to any other route."""


def install_openapi(app: FastAPI) -> None:
    """Set the app's OpenAPI document; it is built at its first request."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            describe_webhooks(app)
            document = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                webhooks=app.webhooks.routes,
            )
            app.openapi_schema = _with_problems(document)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def _with_problems(document: dict[str, Any]) -> dict[str, Any]:
    """Replace FastAPI's own schema of a 422, which is never sent, by `Problem`, and add the security schemes."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for own in ("HTTPValidationError", "ValidationError"):
        schemas.pop(own, None)
    schemas["Problem"] = PROBLEM_SCHEMA
    document["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "an API key, pmt_…"},
        "header": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "an API key, pmt_…"},
        "password": {"type": "http", "scheme": "basic", "description": "any user, an API key as the password"},
    }
    for path, item in document["paths"].items():
        for operation in item.values():
            operation["responses"].pop("422", None)
            error_format = error_format_of(path)
            operation["responses"]["default"] = _foreign_error(error_format.fields) if error_format else _PROBLEM_RESPONSE
            if error_format or path.startswith("/v1/") or path in ("/metrics", "/mcp"):
                schemes = next((schemes for prefix, schemes in _SCHEMES.items() if path.startswith(prefix)), ("key",))
                operation["security"] = [{scheme: []} for scheme in schemes]
    return document


def _foreign_error(fields: tuple[str, ...]) -> dict[str, Any]:
    """Return the schema of an error in another registry's format: an object with these text fields."""
    texts = {field: {"type": "string"} for field in fields}
    schema = {"type": "object", "required": list(fields), "properties": texts, "additionalProperties": False}
    return {"description": "an error in that registry's format", "content": {"application/json": {"schema": schema}}}
