"""Bundles before their import: every error has its path, and included versions come first in the order of import."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_digest, content_json
from promptuary.prompt.errors import Invalid
from promptuary.prompt.files.bundle import BundledPrompt, dependency_order, import_requests, is_bundle, parse_bundle, parse_json
from promptuary.prompt.files.yaml_document import InvalidFile

TIMESTAMP = "2026-03-02T12:00:00Z"
Change = Callable[[dict[str, Any]], Any]


def version(name: str, number: int, *included: tuple[str, int], template: str = "x") -> dict[str, Any]:
    content = Content(type="text", template=template)
    includes = [
        {"reference": f"{other}@{other_number}", "name": other, "version": other_number, "digest": "sha256:…"}
        for other, other_number in included
    ]
    return {
        "name": name,
        "version": number,
        "digest": content_digest(content),
        **content_json(content),
        "labels": [],
        "message": "",
        "tags": [],
        "author": "key:a",
        "created_at": TIMESTAMP,
        "includes": includes,
    }


def move(label: str, to: int, previous: int | None = None, split: Any = None) -> dict[str, Any]:
    return {"label": label, "version": to, "split": split, "previous": previous, "actor": "a", "reason": "", "at": TIMESTAMP}


def complete_bundle() -> dict[str, Any]:
    split = {"salt": "a/canary", "arms": []}
    return {
        "format": "promptuary-bundle/1",
        "exported_at": TIMESTAMP,
        "prompts": {
            "a": {
                "archived": False,
                "labels": {"production": 2, "canary": {"split": split}},
                "versions": {"2": version("a", 2), "1": version("a", 1)},
                "history": [move("production", 1), move("production", 2, 1), move("canary", 1, None, split)],
            }
        },
    }


def test_a_bundle_is_read_with_its_versions_in_ascending_order() -> None:
    (prompt,) = parse_bundle(complete_bundle(), "b.json")
    assert (prompt.name, list(prompt.versions), len(prompt.history), list(prompt.archivals)) == ("a", [1, 2], 3, [])
    assert prompt.digests() == {"1": version("a", 1)["digest"], "2": version("a", 2)["digest"]}


def test_an_archived_prompt_without_archivals_is_archived_at_the_export() -> None:
    body = complete_bundle()
    body["prompts"]["a"]["archived"] = True
    (prompt,) = parse_bundle(body, "b.json")
    assert prompt.archivals == [{"archived": True, "reason": "", "at": TIMESTAMP}]


def change(path: str, value: Any) -> Change:
    def apply(body: dict[str, Any]) -> None:
        *parents, last = [
            int(part) if part.isdigit() and len(part) == 1 and "versions" not in path else part for part in path.split(".")
        ]
        target: Any = body
        for part in parents:
            target = target[part]
        if value is ...:
            del target[last]
        else:
            target[last] = value

    return apply


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change("format", ...), "b.json is not a bundle: format: must be 'promptuary-bundle/1'"),
        (change("format", 1), "b.json is not a bundle"),
        (
            change("format", "promptuary-bundle/2"),
            "is of another release: format: is 'promptuary-bundle/2'; this release reads",
        ),
        (change("prompts", []), "prompts: must be an object"),
        (change("prompts.A", {}), "prompts.A: is not a valid name of a prompt"),
        (change("prompts.a", 7), "prompts.a: must have archived, labels, versions, history"),
        (change("prompts.a.history", ...), "missing or of a wrong type: history"),
        (change("prompts.a.archived", "no"), "missing or of a wrong type: archived"),
        (change("prompts.a.versions", {}), "prompts.a.versions: must have at least one version"),
        (change("prompts.a.versions.1.template", "y"), "prompts.a.versions.1: does not match its digest"),
        (change("prompts.a.versions.1.digest", "sha256:0"), "prompts.a.versions.1: does not match its digest"),
        (change("prompts.a.versions.1.response_format", {"a": 2**60}), "prompts.a.versions.1: does not match its digest"),
        (
            change("prompts.a.versions.1.tools", ...),
            "prompts.a.versions.1: is not a version as the API returns it; missing: tools",
        ),
        (change("prompts.a.versions.1.author", ...), "missing: author"),
        (change("prompts.a.versions.1", "text"), "prompts.a.versions.1: is not a version as"),
        (change("prompts.a.versions.1.version", 3), "contains version 3 of 'a'"),
        (change("prompts.a.versions.1.version", True), "contains version True of 'a'"),
        (change("prompts.a.versions.1.name", "b"), "contains version 1 of 'b'"),
        (change("prompts.a.versions.1.includes", [{"name": "b"}]), "prompts.a.versions.1.includes: must be a list"),
        (change("prompts.a.versions.01", {}), "prompts.a.versions.01: is not a version number"),
        (change("prompts.a.versions.0", {}), "prompts.a.versions.0: is not a version number"),
        (change("prompts.a.versions.-1", {}), "prompts.a.versions.-1: is not a version number"),
        (change("prompts.a.versions.9999999999", {}), "prompts.a.versions.9999999999: is not a version number"),
        (change("prompts.a.versions.4", version("a", 4)), "prompts.a.versions: has no version 3"),
        (change("prompts.a.labels.production", 1), "prompts.a.labels.production: is not where its last move"),
        (change("prompts.a.labels.production", ...), "prompts.a.labels.production: is not where its last move"),
        (change("prompts.a.labels.canary", 1), "prompts.a.labels.canary: is not where its last move"),
        (change("prompts.a.labels.staging", 1), "prompts.a.labels.staging: has no history; export it with --all-versions"),
        (change("prompts.a.history.0.actor", ...), "prompts.a.history.0: must be an object with label, version"),
        (change("prompts.a.history.0", 1), "prompts.a.history.0: must be an object"),
        (change("prompts.a.archivals", 1), "prompts.a.archivals: must be a list"),
        (change("prompts.a.archivals", [{"archived": True}]), "prompts.a.archived: differs from the last of its archivals"),
    ],
)
def test_an_error_in_a_bundle_has_its_path(damage: Change, message: str) -> None:
    body = complete_bundle()
    damage(body)
    with pytest.raises(InvalidFile) as error_info:
        parse_bundle(body, "b.json")
    assert message in str(error_info.value)


def test_all_errors_of_a_bundle_are_reported_together() -> None:
    body = complete_bundle()
    body["prompts"] |= {"b": 1, "C": {}}
    body["prompts"]["a"]["versions"]["1"]["template"] = "y"
    with pytest.raises(InvalidFile) as error_info:
        parse_bundle(body, "b.json")
    assert [error.path for error in error_info.value.field_errors] == ["prompts.a.versions.1", "prompts.b", "prompts.C"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "b.json is not JSON: line 1"),
        (
            json.dumps(complete_bundle(), indent=1)[:200],
            "is not JSON: line 11: Unterminated string starting at (column 7); is the file cut off?",
        ),
        ('{"a": 1, "a": 2}', "the key 'a' occurs twice"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ('{"a": ' * 100_000, "it is nested too deep"),
        ('{"a": ' + "9" * 5000 + "}", "an integer has too many digits"),
    ],
)
def test_json_that_is_not_strict_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidFile) as error_info:
        parse_json(text, "b.json")
    assert message in str(error_info.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(complete_bundle(), True), ({"format": "promptuary-bundle/9"}, True), ({"format": "x"}, False), ([], False)],
)
def test_a_bundle_is_recognised_by_its_format(value: Any, expected: bool) -> None:
    assert is_bundle(value) is expected


def bundled_prompt(name: str, *versions: dict[str, Any], history: int = 0, archivals: int = 0) -> BundledPrompt:
    archival_events = [{"archived": number % 2 == 0} for number in range(archivals)]
    return BundledPrompt(name, {body["version"]: body for body in versions}, [move("l", 1)] * history, archival_events)


def test_included_versions_come_first_and_prompts_stay_together() -> None:
    a = bundled_prompt("a", version("a", 1, ("b", 1)), version("a", 2), version("a", 3, ("gone", 4)))
    b = bundled_prompt("b", version("b", 1), version("b", 2, ("a", 2), ("b", 9)))
    assert [(prompt.name, numbers) for prompt, numbers in dependency_order([a, b])] == [
        ("b", [1]),
        ("a", [1, 2, 3]),
        ("b", [2]),
    ]


def test_versions_that_include_each_other_are_refused() -> None:
    a, b = bundled_prompt("a", version("a", 1, ("b", 1))), bundled_prompt("b", version("b", 1, ("a", 1)))
    with pytest.raises(Invalid, match="versions of the bundle include each other"):
        dependency_order([a, b])


def test_a_small_prompt_is_one_request_and_a_large_one_is_several() -> None:
    a = bundled_prompt("a", version("a", 1), version("a", 2), history=3, archivals=2)
    ((name, body),) = import_requests([a], 100_000)
    assert (name, {key: len(items) for key, items in body.items()}) == ("a", {"versions": 2, "history": 3, "archivals": 2})
    contents = [(list(body), [len(items) for items in body.values()]) for _, body in import_requests([a], 1)]
    assert contents == [(["versions"], [1])] * 2 + [(["history"], [1])] * 3 + [(["archivals"], [2])]
    assert "name" not in body["versions"][0]
    assert "labels" not in body["versions"][0]
