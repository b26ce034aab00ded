"""Erased versions go from server to server as erased ones: numbers, digests, labels and history stay."""

from typing import Any

import pytest

from factories.prompt_history import bundled_prompts, export_bundle, import_bundle
from promptuary.cli.connection import ApiClient

TEXT: dict[str, Any] = {"type": "text"}


@pytest.mark.usefixtures("database")
def test_a_bundle_with_an_erased_version_is_imported_as_it_is(local: Any, other: Any, old: ApiClient, new: ApiClient) -> None:
    for number in range(3):
        old.post("/prompts/p/versions", {**TEXT, "template": f"text {number}", "labels": ["production"]})
    old.post("/prompts/p/versions/2/erase", {"reason": "a key"})
    bundle = export_bundle(old)
    assert "text 1" not in bundle
    assert import_bundle(new, bundle) == []
    for path in ("/v1/prompts/p/versions", "/v1/prompts/p", "/v1/prompts/p/labels/production/history"):
        local_body, other_body = local.get(path).json(), other.get(path).json()
        for body in (local_body, other_body):
            for entry in body.get("items", [body]):
                entry.pop("revision", None)
        assert local_body == other_body, path
    assert other.get("/v1/prompts/p/versions/2").status_code == 410
    assert import_bundle(new, bundle) == []
    assert export_bundle(new).splitlines()[3:] == bundle.splitlines()[3:]


@pytest.mark.usefixtures("database")
def test_a_version_that_was_erased_here_stays_erased_in_an_import(other: Any, old: ApiClient, new: ApiClient) -> None:
    old.post("/prompts/p/versions", {**TEXT, "template": "one"})
    bundle = export_bundle(old)
    import_bundle(new, bundle)
    new.post("/prompts/p/versions/1/erase", {"reason": "a key"})
    assert import_bundle(new, bundle) == []
    assert other.get("/v1/prompts/p/versions/1").status_code == 410


def test_an_export_for_clients_leaves_an_erased_version_out(old: ApiClient, capsys: pytest.CaptureFixture[str]) -> None:
    from promptuary.cli.registry.state import RegistryState
    from promptuary.cli.transfer.bundle import _versions

    old.post("/prompts/p/versions", {**TEXT, "template": "one", "labels": ["production"]})
    old.post("/prompts/p/versions", {**TEXT, "template": "two"})
    old.post("/prompts/p/versions/1/erase", {"reason": "a key", "labelled": True})
    state = RegistryState(old).prompts["p"]
    assert [version["version"] for version in _versions(old, "p", state, (), whole=False)] == [2]
    assert "left out: the content of version 1 of 'p' was erased" in capsys.readouterr().err


@pytest.mark.usefixtures("database")
def test_an_erased_version_keeps_its_includes_from_server_to_server(old: ApiClient, new: ApiClient) -> None:
    old.post("/prompts/base/versions", {**TEXT, "template": "secret"})
    old.post("/prompts/middle/versions", {**TEXT, "template": "{{> base@1}} m"})
    old.post("/prompts/outer/versions", {**TEXT, "template": "{{> middle@1}} and {{> base@1}}"})
    old.post("/prompts/base/versions/1/erase", {"reason": "a key", "including": True})
    bundle = export_bundle(old)
    assert [len(prompt.versions[1]["includes"]) for prompt in bundled_prompts(bundle)] == [0, 1, 2]
    assert import_bundle(new, bundle) == []
    assert export_bundle(new).splitlines()[3:] == bundle.splitlines()[3:]
