"""Export and import of prompts, and the responses and the state of a project."""

import io
from typing import Any

from promptuary.cli.connection import ApiClient
from promptuary.cli.transfer import bundle
from promptuary.prompt.files.bundle import IMPORTED_FIELDS, BundledPrompt, parse_bundle, parse_json

TEXT: dict[str, Any] = {"type": "text", "template": "one"}


def export_bundle(api: ApiClient, *names: str) -> str:
    """Return the exported prompts with all versions."""
    written = io.StringIO()
    bundle._export(api, written, names, (), whole=True)
    return written.getvalue()


def bundled_prompts(text: str) -> list[BundledPrompt]:
    """Return the prompts of an export."""
    return parse_bundle(parse_json(text, "b.json"), "b.json")


def import_bundle(api: ApiClient, text: str) -> list[str]:
    """Import an export; return the messages of the command."""
    return bundle.apply_import(api, bundle.plan_import(api, bundled_prompts(text)))


def response_of(client: Any, path: str, **query: Any) -> tuple[int, Any]:
    """Return a response's status and body, without the revisions, which each project counts by itself."""
    response = client.get(f"/v1{path}", params=query)

    def without_revisions(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without_revisions(item) for key, item in value.items() if key not in ("revision", "next_cursor")}
        return [without_revisions(item) for item in value] if isinstance(value, list) else value

    body = without_revisions(response.json())
    return response.status_code, body["items"] if "items" in body else body


def written_state(client: Any) -> Any:
    """Return what changes with every write."""
    return [client.get(f"/v1/{path}").json() for path in ("prompts", "prompts?archived=true", "audit?limit=200")]


def import_fields(prompt: BundledPrompt, number: int) -> dict[str, Any]:
    """Return one version as a request imports it."""
    return {part: prompt.versions[number][part] for part in IMPORTED_FIELDS}
