"""The import of prompts: another project has the same lookups, history, past and rollbacks; conflicts write nothing."""

import json
import re
from datetime import datetime
from typing import Any

import pytest

from factories.prompt_history import (
    TEXT,
    bundled_prompts,
    export_bundle,
    import_bundle,
    import_fields,
    response_of,
    written_state,
)
from promptuary.cli.connection import ApiClient, ApiRefused
from promptuary.cli.transfer import bundle
from promptuary.prompt.errors import Invalid


def all_responses(client: Any, moments: list[datetime]) -> list[Any]:
    """Return all responses of a project about the three prompts, now and as of each time."""
    responses = [
        response_of(client, "/prompts"),
        response_of(client, "/prompts", archived=True),
        response_of(client, "/prompts", tag="c"),
    ]
    for name in ("tone", "p", "word"):
        responses += [response_of(client, f"/prompts/{name}/{what}") for what in ("versions", "dependents")]
        status, events = response_of(client, f"/prompts/{name}/events")
        responses.append((status, sorted(events, key=lambda event: (event["at"], event["kind"]))))
        for label in ("production", "staging", "beta", "latest"):
            responses.append(response_of(client, f"/prompts/{name}", label=label))
            responses.append(response_of(client, f"/prompts/{name}", label=label, targeting_key="user-7"))
            responses += [response_of(client, f"/prompts/{name}", label=label, as_of=moment.isoformat()) for moment in moments]
            responses.append(response_of(client, f"/prompts/{name}/labels/{label}/history"))
    return responses


def without_local_names(responses: list[Any]) -> list[Any]:
    """Return responses without the project's name and without ids of people and keys, which each server has its own of."""
    text = json.dumps(responses).replace("'other'", "'default'")
    return json.loads(re.sub(r'"(author|actor)_id": "[^"]*"', r'"\1_id": ""', text))


def without_date(bundle: str) -> str:
    """Return a bundle without the time of its export."""
    return re.sub(r'"exported_at": "[^"]*"', "", bundle)


@pytest.mark.usefixtures("database")
def test_another_server_responds_as_the_first_now_and_as_of_any_time(
    moments: list[datetime], local: Any, other: Any, old: ApiClient, new: ApiClient
) -> None:
    text = export_bundle(old)
    assert import_bundle(new, text) == []
    expected = all_responses(local, moments)
    assert without_local_names(all_responses(other, moments)) == without_local_names(expected)
    assert {status for status, _ in expected} == {200, 404}
    for client in (local, other):
        client.post("/v1/prompts/p/labels/production/rollback", json={})
        nothing_further = client.post("/v1/prompts/p/labels/staging/rollback", json={})
        assert "nothing further back" in nothing_further.json()["detail"]
        assert client.post("/v1/prompts/tone/labels/beta/rollback", json={}).json()["version"] == 1
    assert response_of(other, "/prompts/p", targeting_key="user-7") == response_of(local, "/prompts/p", targeting_key="user-7")
    assert other.get("/v1/audit/verify").json()["broken_at"] is None


@pytest.mark.usefixtures("database")
def test_the_same_import_changes_nothing_and_a_later_one_continues(
    moments: list[datetime], local: Any, other: Any, old: ApiClient, new: ApiClient, clock: Any
) -> None:
    import_bundle(new, export_bundle(old))
    before = written_state(other)
    assert import_bundle(new, export_bundle(old)) == []
    assert written_state(other) == before
    assert without_date(export_bundle(new)) == without_date(export_bundle(old))

    old.post("/prompts/word/restore", {})
    old.post("/prompts/p/versions", {**TEXT, "template": "four", "labels": ["canary", "production"]})
    clock.move(hours=1)
    import_bundle(new, export_bundle(old))
    assert without_local_names(all_responses(other, moments)) == without_local_names(all_responses(local, moments))
    state = written_state(local)
    assert import_bundle(old, export_bundle(new)) == []
    assert written_state(local) == state


@pytest.mark.usefixtures("database")
def test_an_import_is_audited_and_makes_an_event_for_each_change(
    moments: list[datetime], local: Any, other: Any, old: ApiClient, new: ApiClient
) -> None:
    import_bundle(new, export_bundle(old))
    rows = other.get("/v1/audit?limit=200").json()["items"]
    assert {(row["action"], row["actor"]) for row in rows} == {("prompt.imported", "local")}
    p = [row for row in rows if row["subject"] == "p"]
    digests = {number: digest for row in p for number, digest in row["detail"]["versions"].items()}
    assert digests == {str(version["version"]): version["digest"] for version in response_of(local, "/prompts/p/versions")[1]}
    moves = [move for row in p for move in row["detail"]["moves"]]
    assert moves[0] == {"label": "production", "version": 1, "by": "local"}
    assert [row["detail"]["archived"] for row in rows if row["subject"] == "word"][-1] is True
    kinds = [event["kind"] for name in ("p", "tone", "word") for event in new.items(f"/prompts/{name}/events")]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "version.created": 7,
        "label.moved": 15,
        "label.removed": 2,
        "prompt.archived": 2,
        "prompt.restored": 1,
    }


@pytest.mark.usefixtures("sqlite")
def test_many_small_requests_have_the_same_result(
    moments: list[datetime], local: Any, other: Any, old: ApiClient, new: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "REQUEST_BYTES", 1)
    import_bundle(new, export_bundle(old))
    assert without_local_names(all_responses(other, moments)) == without_local_names(all_responses(local, moments))
    before = written_state(other)
    import_bundle(new, export_bundle(old))
    assert written_state(other) == before


@pytest.mark.usefixtures("sqlite", "moments")
def test_an_unknown_include_is_reported_and_its_text_is_imported(
    local: Any, other: Any, old: ApiClient, new: ApiClient
) -> None:
    assert import_bundle(new, export_bundle(old, "p")) == [
        "p  version 1 has the text of tone@1, which does not exist here",
        "p  version 2 has the text of tone@3, which does not exist here",
        "p  version 2 has the text of tone@1, which does not exist here",
    ]
    version = response_of(other, "/prompts/p", version=2)[1]
    assert version["includes"] == []
    assert {**version, "includes": None} == {**response_of(local, "/prompts/p", version=2)[1], "includes": None}


@pytest.mark.usefixtures("sqlite", "moments")
def test_a_prompt_archived_only_here_stays_archived_as_it_was(other: Any, old: ApiClient, new: ApiClient) -> None:
    import_bundle(new, export_bundle(old))
    new.post("/prompts/p/archive", {"reason": "here"})
    old.post("/prompts/p/versions", {**TEXT, "template": "four"})
    old.post("/prompts/p/archive", {"reason": "there"})
    import_bundle(new, export_bundle(old))
    assert response_of(other, "/prompts/p", version=4)[0] == 200
    assert response_of(other, "/prompts/p/events", kind="prompt.archived")[1][0]["detail"] == {"reason": "here"}


@pytest.mark.usefixtures("database")
def test_another_content_under_a_number_is_a_conflict_and_writes_nothing(
    moments: list[datetime], other: Any, old: ApiClient, new: ApiClient
) -> None:
    new.post("/prompts/p/versions", {**TEXT, "template": "mine", "labels": ["production"]})
    new.post("/prompts/p/versions", {**TEXT, "template": "mine too"})
    before = written_state(other)
    text = export_bundle(old)
    with pytest.raises(Invalid, match="nothing was imported: p: 'p' has another content under the same number: version 1, 2"):
        import_bundle(new, text)
    p = next(prompt for prompt in bundled_prompts(text) if prompt.name == "p")
    with pytest.raises(ApiRefused, match="version 1, 2") as refused:
        new.post("/prompts/p/import", {"versions": [import_fields(p, number) for number in p.versions]})
    assert refused.value.code == "conflict"
    assert written_state(other) == before


@pytest.mark.usefixtures("database")
def test_another_label_history_is_a_conflict_and_writes_nothing(
    moments: list[datetime], other: Any, old: ApiClient, new: ApiClient, clock: Any
) -> None:
    import_bundle(new, export_bundle(old))
    clock.move(seconds=1)
    new.put("/prompts/p/labels/production", {"version": 1, "reason": "here"})
    clock.move(seconds=1)
    old.put("/prompts/p/labels/production", {"version": 3, "reason": "there"})
    old.post("/prompts/p/versions", {**TEXT, "template": "four"})
    old.post("/prompts/tone/versions", {**TEXT, "template": "four"})
    before = written_state(other)
    with pytest.raises(Invalid, match="p: the label 'production' of 'p' has another history here"):
        import_bundle(new, export_bundle(old))
    assert written_state(other) == before


@pytest.mark.usefixtures("sqlite")
def test_lists_select_by_the_tags_of_the_newest_imported_version(old: ApiClient, new: ApiClient) -> None:
    for tags in (["a"], ["b"], []):
        old.post("/prompts/q/versions", {**TEXT, "template": f"with {tags}", "tags": tags})
    import_bundle(new, export_bundle(old))
    assert [list(new.items("/prompts", tag=tag)) for tag in ("a", "b")] == [[], []]
    assert [version["tags"] for version in new.items("/prompts/q/versions")] == [[], ["b"], ["a"]]
