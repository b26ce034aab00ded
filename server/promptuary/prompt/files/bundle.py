"""A bundle: prompts with their versions, labels and history in one JSON file.

    {"format": "promptuary-bundle/1",
     "exported_at": "2026-03-02T12:00:00Z",
     "prompts": {"support.triage": {
         "archived": false,
         "labels": {"production": 3, "canary": {"split": {"salt": "support.triage/canary", "arms": [...]}}},
         "versions": {"3": {...a version as the API returns it...}, "2": ..., "1": ...},
         "history": [{"label": ..., "version": ..., "split": ..., "previous": ..., "actor": ..., "reason": ..., "at": ...,
                      "rollback": ...}],
         "archivals": [{"archived": true, "reason": ..., "at": ...}]}}}

It has three uses: an application ships it to start without a server (`client.bundle` reads it, less strictly), it is a backup,
and it transfers prompts from one server to another. The last two need every version and the history of every label.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from promptuary.prompt.digest import ADDED_PARTS, DIGESTED_PARTS, content_json_digest, content_parts
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.yaml_document import InvalidFile
from promptuary.prompt.name import is_name

FORMAT = "promptuary-bundle/1"
IMPORTED_FIELDS = (*DIGESTED_PARTS, "version", "digest", "message", "tags", "author", "created_at", "includes")
"""The fields of a version, as the API returns it, that an import contains; the others do not apply to the new server.

The parts that a later release added (`ADDED_PARTS`) are imported where they are in the bundle.
"""
_ERASED_FIELDS = ("version", "digest", "message", "tags", "author", "created_at", "includes", "erased_at")
"""The fields of a version that was erased: what identifies it, without its content."""
_MOVE_FIELDS = ("label", "version", "split", "previous", "actor", "reason", "at")
_OPTIONAL_MOVE_FIELDS = ("rollback",)
REQUIRED_FIELDS = ("archived", "labels", "versions", "history")
_EXPORT_HINT = "export it with --all-versions"


@dataclass(frozen=True)
class BundledPrompt:
    """A prompt of a bundle: its versions by ascending number, and the moves of its labels and its archivals, oldest first."""

    name: str
    versions: Mapping[int, Mapping[str, Any]]
    history: Sequence[Mapping[str, Any]]
    archivals: Sequence[Mapping[str, Any]]

    def digests(self) -> dict[str, str]:
        """Return the digests by number, in the form that the preview of an import takes."""
        return {str(number): body["digest"] for number, body in self.versions.items()}


def is_bundle(value: Any) -> bool:
    """Return whether a parsed file declares itself a bundle, of any release."""
    return isinstance(value, dict) and str(value.get("format", "")).startswith(FORMAT.rpartition("/")[0])


def parse_json(text: str, source: str) -> Any:
    """Parse JSON strictly: a duplicate key, NaN or an integer of more than 20 digits is an error.

    Raises:
        InvalidFile: the text is not such JSON; the message names the source, and the line if the syntax is wrong.
    """
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer)
    except json.JSONDecodeError as error:
        syntax_error = FieldError("", f"{error.msg} (column {error.colno}); is the file cut off?", error.lineno)
        raise InvalidFile(f"{source} is not JSON", [syntax_error]) from None
    except RecursionError:
        raise InvalidFile(f"{source} cannot be read", [FieldError("", "it is nested too deep")]) from None
    except ValueError as error:
        raise InvalidFile(f"{source} cannot be read", [FieldError("", str(error))]) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {key!a} occurs twice in one object")
        result[key] = value
    return result


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _integer(digits: str) -> int:
    if len(digits) > 20:
        raise ValueError("an integer has too many digits")
    return int(digits)


def parse_bundle(value: Any, source: str) -> list[BundledPrompt]:
    """Return the prompts of a bundle for an import; check that it is complete and that every version matches its digest.

    Raises:
        InvalidFile: with every error and its path; the message names the source.
    """
    if not is_bundle(value):
        raise InvalidFile(f"{source} is not a bundle", [FieldError("format", f"must be '{FORMAT}'")])
    if value["format"] != FORMAT:
        raise InvalidFile(
            f"{source} is of another release", [FieldError("format", f"is {value['format']!a}; this release reads '{FORMAT}'")]
        )
    prompts = value.get("prompts")
    if not isinstance(prompts, dict):
        raise InvalidFile(f"{source} is not a bundle", [FieldError("prompts", "must be an object of prompts by name")])
    field_errors: list[FieldError] = []
    parsed = [_prompt(name, body, value.get("exported_at"), field_errors) for name, body in prompts.items()]
    if field_errors:
        raise InvalidFile(f"{source} cannot be imported", field_errors)
    return [prompt for prompt in parsed if prompt is not None]


def _prompt(name: str, body: Any, exported_at: Any, field_errors: list[FieldError]) -> BundledPrompt | None:
    where = f"prompts.{name}"
    if not is_name(name):
        field_errors.append(FieldError(where, "is not a valid name of a prompt"))
        return None
    types = {"archived": bool, "labels": dict, "versions": dict, "history": list}
    wrong = [key for key in REQUIRED_FIELDS if not isinstance(body, dict) or not isinstance(body.get(key), types[key])]
    if wrong:
        field_errors.append(
            FieldError(where, f"must have {', '.join(REQUIRED_FIELDS)}; missing or of a wrong type: {', '.join(wrong)}")
        )
        return None
    before = len(field_errors)
    versions = _versions(name, body["versions"], f"{where}.versions", field_errors)
    history = _history(body["history"], f"{where}.history", field_errors)
    if len(field_errors) == before:
        _check_labels(body["labels"], history, where, field_errors)
    archivals = body.get("archivals")
    if archivals is None:
        archivals = [{"archived": True, "reason": "", "at": exported_at}] if body["archived"] else []
    if not isinstance(archivals, list) or not all(isinstance(archival, dict) for archival in archivals):
        field_errors.append(FieldError(f"{where}.archivals", "must be a list of objects"))
    elif (archivals[-1].get("archived") if archivals else False) is not body["archived"]:
        field_errors.append(FieldError(f"{where}.archived", "differs from the last of its archivals"))
    return BundledPrompt(name, versions, history, archivals)


def _versions(name: str, bodies: Mapping[str, Any], where: str, field_errors: list[FieldError]) -> dict[int, Mapping[str, Any]]:
    versions: dict[int, Mapping[str, Any]] = {}
    if not bodies:
        field_errors.append(FieldError(where, "must have at least one version"))
    for key, body in bodies.items():
        path = f"{where}.{key}"
        if not (key.isascii() and key.isdigit() and len(key) < 10 and key[0] != "0"):
            field_errors.append(FieldError(path, "is not a version number"))
        elif not isinstance(body, dict) or any(key not in body for key in _required_fields(body)):
            missing = ", ".join(key for key in _required_fields(body) if not isinstance(body, dict) or key not in body)
            field_errors.append(FieldError(path, f"is not a version as the API returns it; missing: {missing}"))
        elif type(body["version"]) is not int or body["version"] != int(key) or body.get("name") != name:
            field_errors.append(FieldError(path, f"contains version {body['version']!a} of {body.get('name')!a}"))
        elif not is_erased(body) and not _is_digest_of(body):
            field_errors.append(FieldError(path, "does not match its digest; the file was changed or is damaged"))
        elif not isinstance(body["includes"], list) or not all(_is_include(include) for include in body["includes"]):
            field_errors.append(
                FieldError(f"{path}.includes", "must be a list of objects with reference, name, version and digest")
            )
        else:
            versions[int(key)] = body
    ascending = dict(sorted(versions.items()))
    if ascending and len(ascending) != max(ascending) - min(ascending) + 1:
        gap = next(number for number in range(min(ascending), max(ascending)) if number not in ascending)
        if str(gap) not in bodies:
            field_errors.append(FieldError(where, f"has no version {gap}, but numbers are consecutive; {_EXPORT_HINT}"))
    return ascending


def is_erased(body: Any) -> bool:
    """Return whether a version, as the API returns it, was erased."""
    return isinstance(body, dict) and body.get("erased_at") is not None


def _required_fields(body: Any) -> tuple[str, ...]:
    return _ERASED_FIELDS if is_erased(body) else IMPORTED_FIELDS


def _is_digest_of(body: Mapping[str, Any]) -> bool:
    try:
        return content_json_digest(content_parts(body)) == str(body["digest"])
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
        FieldError(f"{where}.{index}", f"must be an object with {', '.join(_MOVE_FIELDS)}")
        for index, move in enumerate(moves)
        if not isinstance(move, dict) or not isinstance(move.get("label"), str) or any(key not in move for key in _MOVE_FIELDS)
    ]
    return list(moves)


def imported_move(move: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a move that an import contains; `rollback` only where it is known."""
    return {key: move[key] for key in (*_MOVE_FIELDS, *_OPTIONAL_MOVE_FIELDS) if key in _MOVE_FIELDS or key in move}


def _check_labels(
    labels: Mapping[str, Any], history: Sequence[Mapping[str, Any]], where: str, field_errors: list[FieldError]
) -> None:
    """Check that every label points where its last move put it."""
    last = {move["label"]: move for move in history}
    for label in {**labels, **last}:
        move = last.get(label)
        if move is None:
            field_errors.append(FieldError(f"{where}.labels.{label}", f"has no history; {_EXPORT_HINT}"))
        elif labels.get(label) != (move["version"] if move["split"] is None else {"split": move["split"]}):
            field_errors.append(FieldError(f"{where}.labels.{label}", "is not where its last move in the history put it"))


def dependency_order(prompts: Sequence[BundledPrompt]) -> list[tuple[BundledPrompt, list[int]]]:
    """Return an order of import: each version comes after the lower versions of its prompt and after those that it includes.

    Includes that are not in the bundle are ignored. Versions of one prompt stay together where possible.

    Returns:
        prompts with version numbers; a prompt occurs several times if its versions cannot stay together.

    Raises:
        Invalid: versions include each other, which no server allows.
    """
    remaining = {prompt.name: list(prompt.versions) for prompt in prompts}
    by_name = {prompt.name: prompt for prompt in prompts}
    done: set[tuple[str, int]] = set()
    ordered: list[tuple[str, int]] = []

    def is_ready(name: str, number: int) -> bool:
        included = ((include["name"], include["version"]) for include in by_name[name].versions[number]["includes"])
        return all(
            (other, other_number) in done or other_number not in by_name[other].versions
            for other, other_number in included
            if other in by_name
        )

    while any(remaining.values()):
        count = len(ordered)
        for name, numbers in remaining.items():
            while numbers and is_ready(name, numbers[0]):
                done.add((name, numbers[0]))
                ordered.append((name, numbers.pop(0)))
        if len(ordered) == count:
            field_errors = [
                FieldError(f"prompts.{name}.versions.{numbers[0]}", "waits for another of them")
                for name, numbers in remaining.items()
                if numbers
            ]
            raise Invalid("versions of the bundle include each other", field_errors)
    return [(by_name[name], [number for _, number in group]) for name, group in groupby(ordered, key=lambda item: item[0])]


def import_requests(prompts: Sequence[BundledPrompt], limit: int) -> Iterator[tuple[str, dict[str, list[Any]]]]:
    """Yield the requests that import a bundle: a prompt's name and a body of about `limit` bytes at most.

    A prompt that fits is one request, which the server applies completely or not at all. History and archivals come with the
    last versions.

    Raises:
        Invalid: versions include each other.
    """
    ordered = dependency_order(prompts)
    last_index = {prompt.name: index for index, (prompt, _) in enumerate(ordered)}
    for index, (prompt, numbers) in enumerate(ordered):
        parts = [_imported_version(prompt.versions[number]) for number in numbers]
        if last_index[prompt.name] == index:
            parts += [("history", [imported_move(move)]) for move in prompt.history]
            parts += [("naming", [naming])] if (naming := _naming(prompt)) else []
            if prompt.archivals:  # all in one request: the server compares them with its own from the first on
                parts.append(("archivals", [dict(archival) for archival in prompt.archivals]))
        yield from ((prompt.name, body) for body in _bodies(parts, limit))


def _naming(prompt: BundledPrompt) -> dict[str, Any]:
    """Return the name and the tags of a prompt itself, as its versions have them.

    A prompt without tags of its own has those of its newest version, which need no import.
    """
    newest = prompt.versions[max(prompt.versions)]
    naming = {"given_name": newest["given_name"]} if newest.get("given_name") else {}
    if newest.get("prompt_tags") is not None and newest["prompt_tags"] != sorted(set(newest["tags"])):
        naming["prompt_tags"] = newest["prompt_tags"]
    return naming


def _imported_version(version: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """Return the member of the request that a version belongs to, with the version."""
    if is_erased(version):
        return "erased", [{key: version[key] for key in _ERASED_FIELDS}]
    fields = (*IMPORTED_FIELDS, *ADDED_PARTS)
    return "versions", [{key: version[key] for key in fields if key in IMPORTED_FIELDS or version.get(key) is not None}]


def _bodies(parts: Sequence[tuple[str, list[dict[str, Any]]]], limit: int) -> Iterator[dict[str, list[Any]]]:
    body: dict[str, list[Any]] = {}
    size = 0
    for key, part in parts:
        part_size = len(json.dumps(part, ensure_ascii=False, separators=(",", ":")).encode())
        if body and size + part_size > limit:
            yield body
            body, size = {}, 0
        body.setdefault(key, []).extend(part)
        size += part_size
    if body:
        yield body
