"""The OpenAPI document, with errors as they really come: `application/problem+json`, or in another registry's shape."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from promptuary.compat.error_format import error_format_of

PROBLEM_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "RFC 9457: what is wrong, where, and what to do. `code` is stable; `errors` has an entry for each fault.",
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

_REFUSED = {
    "description": "a problem",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def install_openapi(app: FastAPI) -> None:
    """Have the app describe itself this way; the document is made when it is first asked for."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            app.openapi_schema = _with_problems(made)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def _with_problems(made: dict[str, Any]) -> dict[str, Any]:
    """Put our problem in the place of FastAPI's own form of a 422, which is never answered."""
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    for own in ("HTTPValidationError", "ValidationError"):
        schemas.pop(own, None)
    schemas["Problem"] = PROBLEM_SCHEMA
    made["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "an API key, pmt_…"},
        "password": {"type": "http", "scheme": "basic", "description": "any user, an API key as the password"},
    }
    for path, item in made["paths"].items():
        for operation in item.values():
            operation["responses"].pop("422", None)
            shape = error_format_of(path)
            operation["responses"]["default"] = _foreign(shape.fields) if shape else _REFUSED
            if shape or path.startswith("/v1/") or path == "/metrics":
                operation["security"] = [{"key": []}, {"password": []}] if shape else [{"key": []}]
    return made


def _foreign(fields: tuple[str, ...]) -> dict[str, Any]:
    """Describe an error in another registry's shape: texts by these names."""
    texts = {field: {"type": "string"} for field in fields}
    schema = {"type": "object", "required": list(fields), "properties": texts, "additionalProperties": False}
    return {"description": "an error as that registry tells it", "content": {"application/json": {"schema": schema}}}
