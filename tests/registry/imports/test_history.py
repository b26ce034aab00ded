"""The validation of an import and its preview: what is refused, with which path, and what may come in pieces."""

from collections.abc import Callable
from typing import Any

import pytest

from factories.prompt_history import TEXT, bundled_prompts, export_bundle, import_fields, written_state
from promptuary.cli.connection import ApiClient, ApiRefused

Change = Callable[[dict[str, Any]], Any]
LATER = "2030-01-01T00:00:00Z"
ZEROS = "sha256:" + "0" * 64


def change(path: str, value: Any) -> Change:
    """Return a function that sets a value deep in a body; `...` deletes it."""

    def apply(body: dict[str, Any]) -> None:
        *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        parent: Any = body
        for part in parents:
            parent = parent[part]
        if value is ...:
            del parent[last]
        else:
            parent[last] = value

    return apply


@pytest.mark.usefixtures("sqlite")
@pytest.mark.parametrize(
    ("apply_change", "message"),
    [
        (change("versions.0.digest", ZEROS), "versions.1.digest: is not that of the content"),
        (change("versions.0.template", "changed"), "versions.1.digest: is not that of the content"),
        (change("versions.0.digest", "sha256:nonsense"), "versions.0.digest: String should match pattern"),
        (change("versions.1.version", 1), "versions: has a number twice"),
        (change("versions.1.version", 3), "version 2 is missing: numbers have no gap, and the newest here is 0"),
        (change("versions.0", ...), "version 1 is missing: numbers have no gap"),
        (change("versions.0.version", 0), "versions.0.version: Input should be greater than or equal to 1"),
        (change("versions.0.version", -1), "versions.0.version"),
        (change("versions.0.version", "1"), "versions.0.version: must be an integer"),
        (change("versions.0.version", True), "versions.0.version: must be an integer"),
        (change("versions.0.version", 2**31), "versions.0.version"),
        (change("versions.0.created_at", LATER), "versions.1.created_at: is in the future"),
        (change("versions.0.created_at", "2026-03-02T12:00:00"), "versions.0.created_at: Input should have timezone info"),
        (change("versions.0.created_at", 1700000000), "versions.0.created_at: must be a time as a text"),
        (change("versions.0.author", ""), "versions.0.author"),
        (change("versions.0.author", ...), "versions.0.author: is required"),
        (change("versions.0.labels", ["production"]), "versions.0.labels: is not a known field"),
        (change("versions.0.type", "chat"), "a text prompt has one string as its template"),
        (change("versions.0.includes", [{"reference": "x"}]), "versions.0.includes.0.name: is required"),
        (change("history.0.label", "latest"), "labels.latest: is set by the registry itself"),
        (change("history.0.label", "Not A Name"), "history.0.label"),
        (change("history.0.version", 7), "history.0: points at a version that does not exist; the newest is 2"),
        (change("history.1.previous", 2), "history.1.previous: is not the version of the move before it, which is 1"),
        (change("history.1.at", LATER), "history.1.at: is in the future"),
        (change("history.0.previous", 2), "the label 'production' of 'q' has another history here"),
        (change("history.2.split.salt", "other/production"), "history.2.split: is not a split of this label"),
        (change("history.2.version", 1), "history.2.split: is not a split of this label"),
        (change("history.2.split.arms.1.version", 2), "history.2.split: is not a split of this label"),
        (change("history.2.split.arms.1.weight", -1.0), "history.2.split: is not a split of this label"),
        (change("history.2.split.arms.1.version", 3), "history.2: points at a version that does not exist"),
        (change("history.2.split.arms.0.buckets", [[0, 1]]), "the split is incomplete"),
        (change("history.2.split.arms.0.buckets", [[0, 1, 2]]), "history.2.split.arms.0.buckets.0"),
        (change("history.2.split.arms", []), "history.2.split.arms"),
        (change("archivals.0.archived", False), "archivals: must alternate between archived and restored"),
        (change("archivals.0.at", LATER), "archivals.0.at: is in the future"),
        (change("archivals.0.at", None), "archivals.0.at"),
        (change("versions", []), "versions: is empty, and there are none here"),
        (change("is_admin", True), "is_admin: is not a known field"),
        (change("versions.0.author", "person:person_x"), "versions.0.author: has the form of an identity of this server"),
        (change("history.0.actor", "service:x"), "history.0.actor: has the form of an identity of this server"),
    ],
)
def test_an_invalid_import_is_refused_with_its_path_and_writes_nothing(
    valid_import: dict[str, Any], other: Any, apply_change: Change, message: str
) -> None:
    before = written_state(other)
    apply_change(valid_import)
    response = other.post("/v1/prompts/q/import", json=valid_import)
    assert response.status_code in (409, 422), response.text
    problem = response.json()
    field_errors = [f"{error['path']}: {error['message']}" for error in problem.get("errors", [])]
    assert any(message in text for text in [problem["detail"], *field_errors]), problem
    assert written_state(other) == before


@pytest.mark.usefixtures("sqlite")
def test_an_import_does_once_what_its_preview_reported(valid_import: dict[str, Any], other: Any) -> None:
    digests = {str(version["version"]): version["digest"] for version in valid_import["versions"]}
    request = {"digests": digests, "history": valid_import["history"], "archivals": valid_import["archivals"]}
    before = written_state(other)
    preview = other.post("/v1/prompts/q/import/preview", json=request).json()
    assert written_state(other) == before
    assert (preview["newest"], preview["versions"], len(preview["moves"]), preview["archivals"]) == (2, [1, 2], 3, 1)
    response = other.post("/v1/prompts/q/import", json=valid_import)
    assert (response.status_code, response.json()) == (200, preview)
    unchanged = {**preview, "versions": [], "moves": [], "archivals": 0}
    assert other.post("/v1/prompts/q/import", json=valid_import).json() == unchanged
    assert other.post("/v1/prompts/q/import/preview", json=request).json() == unchanged


@pytest.mark.usefixtures("sqlite")
@pytest.mark.parametrize(
    ("digests", "status", "message"),
    [
        ({"1": ZEROS}, 409, "version 1"),
        ({"3": ZEROS}, 200, ""),
        ({"4": ZEROS}, 422, "version 3 is missing"),
        ({"one": ZEROS}, 422, "digests.one"),
        ({"03": ZEROS}, 422, "digests.03"),
        ({"0": ZEROS}, 422, "digests.0"),
        ({"9999999999": ZEROS}, 422, "digests.9999999999"),
        ({"3": "x"}, 422, "digests.3"),
    ],
)
def test_a_preview_names_the_conflict(
    valid_import: dict[str, Any], other: Any, digests: dict[str, str], status: int, message: str
) -> None:
    other.post("/v1/prompts/q/import", json=valid_import)
    response = other.post("/v1/prompts/q/import/preview", json={"digests": digests})
    assert response.status_code == status
    assert message in response.text


@pytest.mark.usefixtures("sqlite")
def test_an_include_is_pinned_only_if_its_text_is_in_the_content(old: ApiClient, new: ApiClient) -> None:
    for text in ("kind", "short"):
        old.post("/prompts/tone/versions", {**TEXT, "template": text, "labels": ["production"]})
    old.post("/prompts/p/versions", {**TEXT, "template": "{{> tone}}"})
    old.post("/prompts/talk/versions", {"type": "chat", "template": [{"role": "user", "content": "x"}]})
    by_name = {prompt.name: prompt for prompt in bundled_prompts(export_bundle(old))}
    for name in ("tone", "talk"):
        new.post(
            f"/prompts/{name}/import", {"versions": [import_fields(by_name[name], number) for number in by_name[name].versions]}
        )
    version = import_fields(by_name["p"], 1)
    for forged in (
        {"version": 1, "digest": by_name["tone"].versions[1]["digest"]},
        {"name": "talk", "version": 1, "digest": by_name["talk"].versions[1]["digest"]},
    ):
        body = {"versions": [{**version, "includes": [{**version["includes"][0], **forged}]}]}
        with pytest.raises(ApiRefused, match="'tone' is not the text that the content has under it"):
            new.post("/prompts/p/import", body)
    result = new.post("/prompts/p/import", {"versions": [version]})
    assert result["unpinned"] == []
    assert new.get("/prompts/tone/dependents")["dependents"][0]["pinned"] == 2


@pytest.mark.usefixtures("sqlite")
def test_a_content_that_cannot_be_rendered_here_is_not_imported(other: Any, valid_import: dict[str, Any]) -> None:
    from promptuary.prompt.content import Content
    from promptuary.prompt.digest import content_digest

    content = Content(type="text", template="{{#open}}")
    valid_import["versions"][0] |= {"template": content.template, "digest": content_digest(content)}
    problem = other.post("/v1/prompts/q/import", json=valid_import).json()
    assert problem["code"] == "invalid_prompt"
    assert problem["errors"][0]["path"] == "versions.1.template"


@pytest.mark.usefixtures("sqlite")
def test_a_history_may_come_in_pieces_but_not_begin_in_the_middle(other: Any, valid_import: dict[str, Any]) -> None:
    assert other.post("/v1/prompts/q/import", json={"versions": valid_import["versions"]}).status_code == 200
    late = other.post("/v1/prompts/q/import", json={"history": valid_import["history"][1:]})
    assert late.status_code == 409
    for start, end in ((0, 1), (1, 2), (1, 3), (0, 3)):
        assert other.post("/v1/prompts/q/import", json={"history": valid_import["history"][start:end]}).status_code == 200
    assert len(other.get("/v1/prompts/q/labels/production/history").json()["items"]) == 3


@pytest.mark.usefixtures("sqlite")
def test_only_an_admin_imports(api: Any, bearer: Callable[..., dict[str, str]], valid_import: dict[str, Any]) -> None:
    assert api.post("/v1/prompts/q/import", json=valid_import, headers=bearer("author", "other")).status_code == 403
    assert api.post("/v1/prompts/q/import", json=valid_import, headers=bearer("admin", "other")).status_code == 200
