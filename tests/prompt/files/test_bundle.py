"""Bundles read before they are imported: every fault told with its place, and an order in which pins can be put again."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_digest, content_json
from promptuary.prompt.errors import Invalid
from promptuary.prompt.files.bundle import BundledPrompt, dependency_order, import_requests, is_bundle, parse_bundle, parse_json
from promptuary.prompt.files.yaml_document import InvalidFile

AT = "2026-03-02T12:00:00Z"
Change = Callable[[dict[str, Any]], Any]


def version(name: str, number: int, *included: tuple[str, int], template: str = "x") -> dict[str, Any]:
    content = Content(type="text", template=template)
    includes = [{"reference": f"{one}@{at}", "name": one, "version": at, "digest": "sha256:…"} for one, at in included]
    return {
        "name": name,
        "version": number,
        "digest": content_digest(content),
        **content_json(content),
        "labels": [],
        "message": "",
        "tags": [],
        "author": "key:a",
        "created_at": AT,
        "includes": includes,
    }


def move(label: str, to: int, previous: int | None = None, split: Any = None) -> dict[str, Any]:
    return {"label": label, "version": to, "split": split, "previous": previous, "actor": "a", "reason": "", "at": AT}


def whole() -> dict[str, Any]:
    split = {"salt": "a/canary", "arms": []}
    return {
        "format": "promptuary-bundle/1",
        "exported_at": AT,
        "prompts": {
            "a": {
                "archived": False,
                "labels": {"production": 2, "canary": {"split": split}},
                "versions": {"2": version("a", 2), "1": version("a", 1)},
                "history": [move("production", 1), move("production", 2, 1), move("canary", 1, None, split)],
            }
        },
    }


def test_a_whole_bundle_is_read_with_its_versions_rising() -> None:
    (prompt,) = parse_bundle(whole(), "b.json")
    assert (prompt.name, list(prompt.versions), len(prompt.history), list(prompt.archivals)) == ("a", [1, 2], 3, [])
    assert prompt.digests() == {"1": version("a", 1)["digest"], "2": version("a", 2)["digest"]}


def test_a_prompt_that_is_archived_and_does_not_say_since_when_was_so_when_it_was_exported() -> None:
    body = whole()
    body["prompts"]["a"]["archived"] = True
    (prompt,) = parse_bundle(body, "b.json")
    assert prompt.archivals == [{"archived": True, "reason": "", "at": AT}]


def change(path: str, value: Any) -> Change:
    def changed(body: dict[str, Any]) -> None:
        *way, last = [
            int(part) if part.isdigit() and len(part) == 1 and "versions" not in path else part for part in path.split(".")
        ]
        at: Any = body
        for part in way:
            at = at[part]
        if value is ...:
            del at[last]
        else:
            at[last] = value

    return changed


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (change("format", ...), "b.json is no bundle: format: must be 'promptuary-bundle/1'"),
        (change("format", 1), "b.json is no bundle"),
        (change("format", "promptuary-bundle/2"), "is of another release: format: is 'promptuary-bundle/2'; this one reads"),
        (change("prompts", []), "prompts: must be an object"),
        (change("prompts.A", {}), "prompts.A: is no name of a prompt"),
        (change("prompts.a", 7), "prompts.a: must have archived, labels, versions, history"),
        (change("prompts.a.history", ...), "what is wrong: history"),
        (change("prompts.a.archived", "no"), "what is wrong: archived"),
        (change("prompts.a.versions", {}), "prompts.a.versions: has none"),
        (change("prompts.a.versions.1.template", "y"), "prompts.a.versions.1: is not what its digest says"),
        (change("prompts.a.versions.1.digest", "sha256:0"), "prompts.a.versions.1: is not what its digest says"),
        (change("prompts.a.versions.1.response_format", {"a": 2**60}), "prompts.a.versions.1: is not what its digest says"),
        (change("prompts.a.versions.1.tools", ...), "prompts.a.versions.1: is no version as the API gives it; it lacks tools"),
        (change("prompts.a.versions.1.author", ...), "it lacks author"),
        (change("prompts.a.versions.1", "text"), "prompts.a.versions.1: is no version"),
        (change("prompts.a.versions.1.version", 3), "says that it is version 3 of 'a'"),
        (change("prompts.a.versions.1.version", True), "says that it is version True of 'a'"),
        (change("prompts.a.versions.1.name", "b"), "says that it is version 1 of 'b'"),
        (change("prompts.a.versions.1.includes", [{"name": "b"}]), "prompts.a.versions.1.includes: must be a list"),
        (change("prompts.a.versions.01", {}), "prompts.a.versions.01: is no version's number"),
        (change("prompts.a.versions.0", {}), "prompts.a.versions.0: is no version's number"),
        (change("prompts.a.versions.-1", {}), "prompts.a.versions.-1: is no version's number"),
        (change("prompts.a.versions.9999999999", {}), "prompts.a.versions.9999999999: is no version's number"),
        (change("prompts.a.versions.4", version("a", 4)), "prompts.a.versions: lacks version 3"),
        (change("prompts.a.labels.production", 1), "prompts.a.labels.production: is not where its last move"),
        (change("prompts.a.labels.production", ...), "prompts.a.labels.production: is not where its last move"),
        (change("prompts.a.labels.canary", 1), "prompts.a.labels.canary: is not where its last move"),
        (change("prompts.a.labels.staging", 1), "prompts.a.labels.staging: has no history; export it with --all-versions"),
        (change("prompts.a.history.0.actor", ...), "prompts.a.history.0: must be an object with label, version"),
        (change("prompts.a.history.0", 1), "prompts.a.history.0: must be an object"),
        (change("prompts.a.archivals", 1), "prompts.a.archivals: must be a list"),
        (change("prompts.a.archivals", [{"archived": True}]), "prompts.a.archived: is not what the last of its archivals says"),
    ],
)
def test_what_is_wrong_in_a_bundle_is_told_with_its_place(wrong: Change, said: str) -> None:
    body = whole()
    wrong(body)
    with pytest.raises(InvalidFile) as refused:
        parse_bundle(body, "b.json")
    assert said in str(refused.value)


def test_every_fault_is_told_at_once() -> None:
    body = whole()
    body["prompts"] |= {"b": 1, "C": {}}
    body["prompts"]["a"]["versions"]["1"]["template"] = "y"
    with pytest.raises(InvalidFile) as refused:
        parse_bundle(body, "b.json")
    assert [fault.path for fault in refused.value.field_errors] == ["prompts.a.versions.1", "prompts.b", "prompts.C"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "b.json is not JSON: line 1"),
        (
            json.dumps(whole(), indent=1)[:200],
            "is not JSON: line 11: Unterminated string starting at (column 7); is the file cut off?",
        ),
        ('{"a": 1, "a": 2}', "the key 'a' is given twice"),
        ('{"a": NaN}', "NaN is no JSON number"),
        ('{"a": ' * 100_000, "it is nested too deep"),
        ('{"a": ' + "9" * 5000 + "}", "an integer has too many digits"),
    ],
)
def test_json_of_no_or_several_meanings_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidFile) as refused:
        parse_json(text, "b.json")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("value", "is_one"), [(whole(), True), ({"format": "promptuary-bundle/9"}, True), ({"format": "x"}, False), ([], False)]
)
def test_a_bundle_says_that_it_is_one(value: Any, is_one: bool) -> None:
    assert is_bundle(value) is is_one


def bundled(name: str, *versions: dict[str, Any], history: int = 0, archivals: int = 0) -> BundledPrompt:
    turns = [{"archived": number % 2 == 0} for number in range(archivals)]
    return BundledPrompt(name, {one["version"]: one for one in versions}, [move("l", 1)] * history, turns)


def test_what_is_included_comes_first_and_prompts_stay_together_as_far_as_can_be() -> None:
    a = bundled("a", version("a", 1, ("b", 1)), version("a", 2), version("a", 3, ("gone", 4)))
    b = bundled("b", version("b", 1), version("b", 2, ("a", 2), ("b", 9)))
    assert [(prompt.name, numbers) for prompt, numbers in dependency_order([a, b])] == [
        ("b", [1]),
        ("a", [1, 2, 3]),
        ("b", [2]),
    ]


def test_versions_that_include_each_other_are_no_bundle() -> None:
    a, b = bundled("a", version("a", 1, ("b", 1))), bundled("b", version("b", 1, ("a", 1)))
    with pytest.raises(Invalid, match="versions of the bundle include each other"):
        dependency_order([a, b])


def test_a_prompt_that_fits_goes_in_one_request_and_a_large_one_in_several_with_its_history_last() -> None:
    a = bundled("a", version("a", 1), version("a", 2), history=3, archivals=2)
    ((name, body),) = import_requests([a], 100_000)
    assert (name, {key: len(items) for key, items in body.items()}) == ("a", {"versions": 2, "history": 3, "archivals": 2})
    several = [(list(body), [len(items) for items in body.values()]) for _, body in import_requests([a], 1)]
    assert several == [(["versions"], [1])] * 2 + [(["history"], [1])] * 3 + [(["archivals"], [2])]
    assert "name" not in body["versions"][0]
    assert "labels" not in body["versions"][0]
