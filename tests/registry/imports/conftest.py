"""Prompts with a history in one project, and their import into another, which stands for another server."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from factories.prompt_history import TEXT, bundled_prompts, export_bundle, import_fields
from promptuary.access.auth.request import LOCAL_PROJECT
from promptuary.cli.connection import ApiClient


@pytest.fixture
def old(local: Any) -> ApiClient:
    """The project that exports."""
    return ApiClient(local)


@pytest.fixture
def other(app: Any) -> Iterator[Any]:
    """An HTTP client of another project, which stands for another server, with the operator's rights."""
    from starlette.testclient import TestClient

    async def elsewhere(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, LOCAL_PROJECT: "other"}, receive, send)

    with TestClient(elsewhere, base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def new(other: Any) -> ApiClient:
    """The project that imports."""
    return ApiClient(other)


@pytest.fixture
def moments(old: ApiClient, clock: Any, api: Any, bearer: Callable[..., dict[str, str]]) -> list[datetime]:
    """The times between the changes of three prompts in the old project."""
    times = []

    def register(name: str, template: Any, *labels: str, **more: Any) -> Any:
        kind = "text" if isinstance(template, str) else "chat"
        return old.post(f"/prompts/{name}/versions", {"type": kind, "template": template, "labels": list(labels), **more})

    def label(name: str, **body: Any) -> Any:
        return old.put(f"/prompts/{name}/labels/production", body)

    changes: list[Callable[[], Any]] = [
        lambda: register("tone", "Be {{how}}.", "production", variables={"how": {"type": "string"}}),
        lambda: register("p", "{{> tone}} one", "production", message="first", tags=["a", "b"]),
        lambda: register("tone", "Be {{how}}, {{> word@latest}}"[:12], "production"),
        lambda: register("word", "please", "production"),
        lambda: register("tone", "{{> word}}, be {{how}}.", "production"),
        lambda: register("p", "{{> tone}} two {{> tone@1}}", "staging", tags=["c"]),
        lambda: label("p", split=[{"version": 1, "weight": 90}, {"version": 2, "weight": 10}], reason="careful"),
        lambda: label("p", split=[{"version": 1, "weight": 50}, {"version": 2, "weight": 50}], reason="bolder"),
        lambda: old.post("/prompts/word/archive", {"reason": "for now"}),
        lambda: label("p", version=2, reason="good"),
        lambda: api.post("/v1/prompts/p/versions", json={**TEXT, "labels": ["staging"]}, headers=bearer("author")),
        lambda: old.post("/prompts/word/restore", {"reason": "after all"}),
        lambda: label("p", version=2, reason="confirmed"),
        lambda: old.post("/prompts/p/labels/staging/rollback", {"reason": "worse"}),
        lambda: old.put("/prompts/tone/labels/beta", {"version": 1}),
        lambda: old.delete("/prompts/tone/labels/beta", reason="over"),
        lambda: old.put("/prompts/tone/labels/staging", {"version": 1}),
        lambda: old.delete("/prompts/tone/labels/staging"),
        lambda: old.put("/prompts/tone/labels/staging", {"version": 2}),
        lambda: old.post("/prompts/word/archive", {"reason": "for good"}),
    ]
    for change_prompt in changes:
        change_prompt()
        clock.move(seconds=1)
        times.append(clock())
        clock.move(seconds=1)
    return times


@pytest.fixture
def valid_import(old: ApiClient, clock: Any) -> dict[str, Any]:
    """A valid import: two versions, a label that was moved and split, and an archival."""
    for text in ("one", "two"):
        old.post("/prompts/q/versions", {**TEXT, "template": text, "labels": ["production"]})
        clock.move(seconds=1)
    old.put("/prompts/q/labels/production", {"split": [{"version": 2, "weight": 1}, {"version": 1, "weight": 1}]})
    old.post("/prompts/q/archive", {})
    clock.move(seconds=1)
    (q,) = bundled_prompts(export_bundle(old, "q"))
    return {
        "versions": [import_fields(q, 1), import_fields(q, 2)],
        "history": [dict(move) for move in q.history],
        "archivals": [dict(archival) for archival in q.archivals],
    }
