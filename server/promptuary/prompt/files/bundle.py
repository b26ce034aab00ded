"""A bundle: prompts with their versions, labels and history in one JSON file.

    {"format": "promptuary-bundle/1",
     "exported_at": "2026-03-02T12:00:00Z",
     "prompts": {"support.triage": {
         "archived": false,
         "labels": {"production": 3, "canary": {"split": {"salt": "support.triage/canary", "arms": [...]}}},
         "versions": {"3": {...a version as the API gives it...}, "2": ..., "1": ...},
         "history": [{"label": ..., "version": ..., "split": ..., "previous": ..., "actor": ..., "reason": ..., "at": ...}],
         "archivals": [{"archived": true, "reason": ..., "at": ...}]}}}

It is what an application ships for a start without a server (`client.bundle` reads it, less strictly), a backup, and the way of
prompts from one server to another. For the last two it must be whole: every version, and the history of every label.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from promptuary.prompt.content import Content
from promptuary.prompt.digest import json_digest
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.yaml_document import InvalidFile
from promptuary.prompt.name import is_name

FORMAT = "promptuary-bundle/1"
IMPORTED_FIELDS = (*Content.model_fields, "version", "digest", "message", "tags", "author", "created_at", "includes")
"""What of a version as the API gives it goes into an import; the rest is this prompt's name, or only the old server's."""
_MOVE = ("label", "version", "split", "previous", "actor", "reason", "at")
REQUIRED_FIELDS = ("archived", "labels", "versions", "history")
_WHOLE = "export it with --all-versions"


@dataclass(frozen=True)
class BundledPrompt:
    """A prompt of a bundle: its versions by number, rising, and what happened to it, the oldest first."""

    name: str
    versions: Mapping[int, Mapping[str, Any]]
    history: Sequence[Mapping[str, Any]]
    archivals: Sequence[Mapping[str, Any]]

    def digests(self) -> dict[str, str]:
        """Give the digests by number, as an import's preview takes them."""
        return {str(number): body["digest"] for number, body in self.versions.items()}


def is_bundle(value: Any) -> bool:
    """Tell whether a file's value says that it is a bundle, of whatever release."""
    return isinstance(value, dict) and str(value.get("format", "")).startswith(FORMAT.rpartition("/")[0])


def parse_json(text: str, source: str) -> Any:
    """Read JSON with one meaning: no key twice, no NaN.

    Raises:
        InvalidFile: naming the source, and where it breaks off.
    """
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer)
    except json.JSONDecodeError as error:
        fault = FieldError("", f"{error.msg} (column {error.colno}); is the file cut off?", error.lineno)
        raise InvalidFile(f"{source} is not JSON", [fault]) from None
    except RecursionError:
        raise InvalidFile(f"{source} is not taken", [FieldError("", "it is nested too deep")]) from None
    except ValueError as error:
        raise InvalidFile(f"{source} is not taken", [FieldError("", str(error))]) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {key!a} is given twice in one object")
        result[key] = value
    return result


def _constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON number")


def _integer(digits: str) -> int:
    if len(digits) > 20:
        raise ValueError("an integer has too many digits")
    return int(digits)


def parse_bundle(value: Any, source: str) -> list[BundledPrompt]:
    """Read a bundle that is to be imported, and check that it is whole and that every version is what its digest says.

    Raises:
        InvalidFile: naming the source, and every fault by its path.
    """
    if not is_bundle(value):
        raise InvalidFile(f"{source} is no bundle", [FieldError("format", f"must be '{FORMAT}'")])
    if value["format"] != FORMAT:
        raise InvalidFile(
            f"{source} is of another release", [FieldError("format", f"is {value['format']!a}; this one reads '{FORMAT}'")]
        )
    prompts = value.get("prompts")
    if not isinstance(prompts, dict):
        raise InvalidFile(f"{source} is no bundle", [FieldError("prompts", "must be an object of prompts by name")])
    field_errors: list[FieldError] = []
    found = [_prompt(name, body, value.get("exported_at"), field_errors) for name, body in prompts.items()]
    if field_errors:
        raise InvalidFile(f"{source} cannot be imported", field_errors)
    return [prompt for prompt in found if prompt is not None]


def _prompt(name: str, body: Any, exported_at: Any, field_errors: list[FieldError]) -> BundledPrompt | None:
    where = f"prompts.{name}"
    if not is_name(name):
        field_errors.append(FieldError(where, "is no name of a prompt"))
        return None
    kinds = {"archived": bool, "labels": dict, "versions": dict, "history": list}
    wrong = [part for part in REQUIRED_FIELDS if not isinstance(body, dict) or not isinstance(body.get(part), kinds[part])]
    if wrong:
        field_errors.append(FieldError(where, f"must have {', '.join(REQUIRED_FIELDS)}; what is wrong: {', '.join(wrong)}"))
        return None
    before = len(field_errors)
    versions = _versions(name, body["versions"], f"{where}.versions", field_errors)
    history = _history(body["history"], f"{where}.history", field_errors)
    if len(field_errors) == before:
        _check_labels(body["labels"], history, where, field_errors)
    archivals = body.get("archivals")
    if archivals is None:
        archivals = [{"archived": True, "reason": "", "at": exported_at}] if body["archived"] else []
    if not isinstance(archivals, list) or not all(isinstance(turn, dict) for turn in archivals):
        field_errors.append(FieldError(f"{where}.archivals", "must be a list of objects"))
    elif (archivals[-1].get("archived") if archivals else False) is not body["archived"]:
        field_errors.append(FieldError(f"{where}.archived", "is not what the last of its archivals says"))
    return BundledPrompt(name, versions, history, archivals)


def _versions(name: str, bodies: Mapping[str, Any], where: str, field_errors: list[FieldError]) -> dict[int, Mapping[str, Any]]:
    versions: dict[int, Mapping[str, Any]] = {}
    if not bodies:
        field_errors.append(FieldError(where, "has none"))
    for key, body in bodies.items():
        at = f"{where}.{key}"
        if not (key.isascii() and key.isdigit() and len(key) < 10 and key[0] != "0"):
            field_errors.append(FieldError(at, "is no version's number"))
        elif not isinstance(body, dict) or [part for part in IMPORTED_FIELDS if part not in body]:
            missing = ", ".join(part for part in IMPORTED_FIELDS if not isinstance(body, dict) or part not in body)
            field_errors.append(FieldError(at, f"is no version as the API gives it; it lacks {missing}"))
        elif type(body["version"]) is not int or body["version"] != int(key) or body.get("name") != name:
            field_errors.append(FieldError(at, f"says that it is version {body['version']!a} of {body.get('name')!a}"))
        elif not _is_digest_of(body):
            field_errors.append(FieldError(at, "is not what its digest says; the file was changed, or is damaged"))
        elif not isinstance(body["includes"], list) or not all(_is_include(include) for include in body["includes"]):
            field_errors.append(
                FieldError(f"{at}.includes", "must be a list of objects with reference, name, version and digest")
            )
        else:
            versions[int(key)] = body
    rising = dict(sorted(versions.items()))
    if rising and len(rising) != max(rising) - min(rising) + 1:
        gap = next(number for number in range(min(rising), max(rising)) if number not in rising)
        if str(gap) not in bodies:
            field_errors.append(FieldError(where, f"lacks version {gap}, and numbers have no gap; {_WHOLE}"))
    return rising


def _is_digest_of(body: Mapping[str, Any]) -> bool:
    try:
        return json_digest({part: body[part] for part in Content.model_fields}) == str(body["digest"])
    except (Invalid, RecursionError):
        return False


def _is_include(include: Any) -> bool:
    texts = ("reference", "name", "digest")
    return (
        isinstance(include, dict)
        and all(isinstance(include.get(key), str) for key in texts)
        and type(include.get("version")) is int
    )


def _history(moves: Sequence[Any], where: str, field_errors: list[FieldError]) -> list[Mapping[str, Any]]:
    field_errors += [
        FieldError(f"{where}.{place}", f"must be an object with {', '.join(_MOVE)}")
        for place, move in enumerate(moves)
        if not isinstance(move, dict) or not isinstance(move.get("label"), str) or any(key not in move for key in _MOVE)
    ]
    return list(moves)


def _check_labels(
    labels: Mapping[str, Any], history: Sequence[Mapping[str, Any]], where: str, field_errors: list[FieldError]
) -> None:
    """See that every label is where its last move led."""
    last = {move["label"]: move for move in history}
    for label in {**labels, **last}:
        move = last.get(label)
        if move is None:
            field_errors.append(FieldError(f"{where}.labels.{label}", f"has no history; {_WHOLE}"))
        elif labels.get(label) != (move["version"] if move["split"] is None else {"split": move["split"]}):
            field_errors.append(FieldError(f"{where}.labels.{label}", "is not where its last move in the history led"))


def dependency_order(prompts: Sequence[BundledPrompt]) -> list[tuple[BundledPrompt, list[int]]]:
    """Put versions in an order in which each comes after those before it and those that it includes.

    What a bundle does not have is not waited for. Versions of one prompt stay together as far as can be.

    Raises:
        Invalid: when versions include each other, which no server has let happen.
    """
    left = {prompt.name: list(prompt.versions) for prompt in prompts}
    named = {prompt.name: prompt for prompt in prompts}
    placed: set[tuple[str, int]] = set()
    ordered: list[tuple[str, int]] = []

    def ready(name: str, number: int) -> bool:
        needs = ((include["name"], include["version"]) for include in named[name].versions[number]["includes"])
        return all(need in placed or need[1] not in named[need[0]].versions for need in needs if need[0] in named)

    while any(left.values()):
        before = len(ordered)
        for name, numbers in left.items():
            while numbers and ready(name, numbers[0]):
                placed.add((name, numbers[0]))
                ordered.append((name, numbers.pop(0)))
        if len(ordered) == before:
            field_errors = [
                FieldError(f"prompts.{name}.versions.{numbers[0]}", "waits") for name, numbers in left.items() if numbers
            ]
            raise Invalid("versions of the bundle include each other", field_errors)
    return [(named[name], [number for _, number in run]) for name, run in groupby(ordered, key=lambda step: step[0])]


def import_requests(prompts: Sequence[BundledPrompt], limit: int) -> Iterator[tuple[str, dict[str, list[Any]]]]:
    """Give the requests that import a bundle: each prompt's name and a body of about `limit` bytes at most.

    A prompt that fits goes in one request, which is done whole or not at all; what happened to it comes with its last versions.

    Raises:
        Invalid: when versions include each other.
    """
    ordered = dependency_order(prompts)
    last = {prompt.name: place for place, (prompt, _) in enumerate(ordered)}
    for place, (prompt, numbers) in enumerate(ordered):
        parts = [("versions", [{part: prompt.versions[number][part] for part in IMPORTED_FIELDS}]) for number in numbers]
        if last[prompt.name] == place:
            parts += [("history", [{key: move[key] for key in _MOVE}]) for move in prompt.history]
            if prompt.archivals:  # which go together, for they are compared with what is there from the first on
                parts.append(("archivals", [dict(turn) for turn in prompt.archivals]))
        yield from ((prompt.name, body) for body in _bodies(parts, limit))


def _bodies(parts: Sequence[tuple[str, list[dict[str, Any]]]], limit: int) -> Iterator[dict[str, list[Any]]]:
    body: dict[str, list[Any]] = {}
    size = 0
    for key, part in parts:
        own = len(json.dumps(part, ensure_ascii=False, separators=(",", ":")).encode())
        if body and size + own > limit:
            yield body
            body, size = {}, 0
        body.setdefault(key, []).extend(part)
        size += own
    if body:
        yield body
