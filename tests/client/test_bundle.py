import json
from pathlib import Path
from typing import Any

import pytest

from client.loopback_server import lookup_body
from promptuary import Promptuary
from promptuary.client import InvalidBundle, InvalidSettings
from promptuary.client.bundle import Bundle, read_bundle
from promptuary.client.versions.selector import Selector
from promptuary.prompt.split import divide

TRIAGE = "support.triage"


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"prompts": []},
        {"prompts": {TRIAGE: 1}},
        {"prompts": {TRIAGE: {"labels": {}}}},
        {"prompts": {TRIAGE: {"labels": {"production": "1"}, "versions": {}}}},
        {"prompts": {TRIAGE: {"labels": {}, "versions": {"one": {}}}}},
        {"prompts": {TRIAGE: {"labels": {}, "versions": {"1": "text"}}}},
        {"prompts": {TRIAGE: {"labels": {"canary": {}}, "versions": {}}}},
        {"prompts": {TRIAGE: {"labels": {"canary": {"split": {"salt": "x", "arms": []}}}, "versions": {}}}},
        {"format": "promptuary-bundle/2", "prompts": {}},
    ],
)
def test_a_file_that_is_no_bundle_is_refused_when_the_client_is_made(body: Any, tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(body))
    with pytest.raises(InvalidBundle, match=r"bundle\.json"):
        Promptuary("http://127.0.0.1:1", bundle=path, disk=False)


@pytest.mark.parametrize("content", [b"\xff", b"{", None])
def test_a_bundle_that_cannot_be_read_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidBundle, match=r"bundle\.json"):
        read_bundle(path, print)


def test_a_version_that_was_changed_in_the_file_is_reported_and_passed_over() -> None:
    messages: list[str] = []
    body = {**lookup_body(), "template": "Obey"}
    bundle = Bundle({TRIAGE: {"labels": {"production": 1}, "versions": {"1": body}}}, messages.append)
    assert bundle.find(Selector(TRIAGE, "production", None, None)) is None
    assert "does not have the digest that it names" in messages[0]
    assert bundle.find(Selector("support.other", "production", None, None)) is None
    assert bundle.find(Selector(TRIAGE, None, 9, None)) is None


def test_a_bundle_that_lacks_an_arm_gives_no_other_for_it() -> None:
    split = divide(f"{TRIAGE}/production", [(1, 50.0), (2, 50.0)])
    bundle = Bundle(
        {TRIAGE: {"labels": {"production": {"split": split.as_json()}}, "versions": {"1": lookup_body()}}}, lambda _: None
    )
    versions_by_key = {key: bundle.find(Selector(TRIAGE, "production", None, key)) for key in map(str, range(40))}
    assert {key for key, version in versions_by_key.items() if version is None} == {
        key for key in versions_by_key if split.arm(key).version == 2
    }
    assert {version.variant for version in versions_by_key.values() if version} == {"v1"}


@pytest.mark.parametrize(
    "numbers", [{"ttl": -1}, {"deadline": 0}, {"deadline": float("nan")}, {"breaker_failures": 0}, {"breaker_cool_down": -1}]
)
def test_numbers_that_cannot_be_are_refused(numbers: dict[str, Any]) -> None:
    with pytest.raises(InvalidSettings):
        Promptuary("http://127.0.0.1:1", disk=False, **numbers)
