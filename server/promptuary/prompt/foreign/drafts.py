"""Prompts of other registries and libraries, read from their files as ours. A file is data: nothing in it is run or loaded.

What cannot be a prompt here is a fault, and then nothing of the file is taken. What a prompt can do without is a remark, so
that nothing is dropped in silence.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from promptuary.prompt.content import Content
from promptuary.prompt.errors import FieldError, InvalidPrompt
from promptuary.prompt.files.yaml_document import InvalidFile, YamlDocument
from promptuary.prompt.name import LATEST, is_name
from promptuary.prompt.templates.mustache import Literal, Node, Tag, parse
from promptuary.prompt.text import refused_character
from promptuary.prompt.validation import validate_content
from promptuary.prompt.validation_errors import field_errors_from

MESSAGE_LIMIT = 2000
TAG_LIMIT = 200
TAGS_LIMIT = 50
SETTINGS = {key: key for key in ("temperature", "max_tokens", "top_p", "seed", "stop")}
"""Settings of a model that a version keeps, by what others call them."""


@dataclass(frozen=True)
class ImportedPrompt:
    """A prompt in our form: which version of theirs it was, and what of that has no place here."""

    name: str
    version: int | None
    content: Content
    labels: tuple[str, ...]
    message: str
    tags: tuple[str, ...]
    remarks: tuple[FieldError, ...]


@dataclass
class ImportDraft:
    """A prompt on its way into our form. `places` says where a part of the content stands in the file."""

    path: str
    name: str
    parts: dict[str, Any]
    places: dict[str, str]
    version: int | None = None
    labels: list[Any] = field(default_factory=list)
    message: Any = None
    tags: list[Any] = field(default_factory=list)
    remarks: list[FieldError] = field(default_factory=list)
    field_errors: list[FieldError] = field(default_factory=list)

    def add_remark(self, path: str, message: str) -> None:
        """Note what is another way here."""
        self.remarks.append(FieldError(path, message))

    def lose(self, path: str, why: str) -> None:
        """Note what is not taken over; `why` goes on after its name."""
        self.add_remark(path, f"cannot be carried: {why}")

    def fault(self, path: str, message: str) -> None:
        """Note why this can be no prompt here."""
        self.field_errors.append(FieldError(path, message))


class FieldReader:
    """An object of a file, taken key by key, so that what nobody took can be told."""

    def __init__(self, value: Any, path: str, draft: ImportDraft) -> None:
        """Take an object; anything else is a fault."""
        if not isinstance(value, dict):
            draft.fault(path, "must be an object")
        self.left: dict[str, Any] = dict(value) if isinstance(value, dict) else {}
        self.path = path
        self.draft = draft

    def take(self, key: str, kind: type | tuple[type, ...] = object, default: Any = None) -> Any:
        """Give a value; of another kind than was meant, it is a fault. What is null was not said."""
        value = self.left.pop(key, None)
        if value is None:
            return default
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            names = {str: "a text", dict: "an object", list: "a list", int: "an integer", bool: "true or false"}
            kinds = kind if isinstance(kind, tuple) else (kind,)
            self.draft.fault(self.at(key), f"must be {' or '.join(names[one] for one in kinds)}")
            return default
        return value

    def drop(self, *keys: str) -> None:
        """Leave out what says nothing more: what follows from the rest, or what only the old place needs."""
        for key in keys:
            self.left.pop(key, None)

    def at(self, key: str) -> str:
        """Give the path of a key."""
        return f"{self.path}.{key}" if self.path else key

    def rest(self, why: str = "it has no place in a version") -> None:
        """Tell what nobody took; what is empty says nothing."""
        for key, value in self.left.items():
            if value not in (None, "", [], {}, False):
                self.draft.lose(self.at(key), why)
        self.left.clear()


def finish_draft(draft: ImportDraft) -> ImportedPrompt | None:
    """Check a draft whole; None where it has faults, which then are all in it."""
    name = _name(draft)
    labels, tags = _labels(draft), _tags(draft)
    message = _message(draft)
    content = None
    try:
        content = Content.model_validate(draft.parts)
        validate_content(content, resolved=False, jinja2=True)
        if content.format == "jinja2":
            draft.add_remark(draft.places.get("template", draft.path), "is jinja2, which not every server renders")
    except ValidationError as error:
        draft.field_errors += [_placed(draft, fault) for fault in field_errors_from(error)]
    except InvalidPrompt as error:
        draft.field_errors += [_placed(draft, fault) for fault in error.field_errors]
    if draft.field_errors or content is None:
        return None
    return ImportedPrompt(name, draft.version, content, labels, message, tags, tuple(draft.remarks))


def finish_drafts(drafts: Sequence[ImportDraft], document: YamlDocument, source: str) -> list[ImportedPrompt]:
    """Finish drafts; every fault of every draft is told at once, with its line.

    Raises:
        InvalidFile: naming the source.
    """
    imported = [finish_draft(draft) for draft in drafts]
    field_errors = [document.with_line(fault) for draft in drafts for fault in draft.field_errors]
    if field_errors:
        raise InvalidFile(f"{source} cannot be imported", sorted(field_errors, key=lambda fault: fault.line or 0))
    return [_located(one, document) for one in imported if one is not None]


def select_versions(imported: Sequence[ImportedPrompt], label: str | None = None) -> list[ImportedPrompt]:
    """Keep one version of each prompt, for a file holds one: the one under a label, else the highest; the others are told."""
    by_name: dict[str, list[ImportedPrompt]] = {}
    for one in imported:
        by_name.setdefault(one.name, []).append(one)
    kept = []
    for versions in by_name.values():
        best = max(versions, key=lambda one: (label is not None and label in one.labels, one.version or 0))
        others = [one for one in versions if one is not best]
        told = ", ".join(f"version {one.version}" if one.version else "another" for one in others)
        add_remark = [FieldError("", f"a file holds one version; left out: {told}")] if others else []
        kept.append(ImportedPrompt(**{**vars(best), "remarks": (*best.remarks, *add_remark)}))
    return sorted(kept, key=lambda one: one.name)


def check_same_reading(draft: ImportDraft, path: str, text: str, theirs: Sequence[Node], who: str) -> None:
    """See that a mustache text means here what it means where it comes from."""
    try:
        ours = parse(text, path)
    except InvalidPrompt:
        return  # told with all else that is wrong, when the draft is finished
    if _merged(ours) != _merged(theirs):
        draft.fault(path, f"has braces that {who} reads in another way; only {{{{name}}}} means the same in both")


def read_model(draft: ImportDraft, name: str | None, said: FieldReader, settings: Mapping[str, str]) -> None:
    """Take a model and its settings into a draft; settings without a model are told."""
    found = {ours: said.left.pop(theirs) for theirs, ours in settings.items() if said.left.get(theirs) is not None}
    if name:
        draft.parts["model"] = {"name": name, **found}
        draft.places |= {f"model.{ours}": said.at(theirs) for theirs, ours in settings.items()}
        draft.places.setdefault("model", said.path)
    else:
        for theirs, ours in settings.items():
            if ours in found:
                draft.lose(said.at(theirs), "it is the setting of a model that is not named")


def _merged(nodes: Sequence[Node]) -> list[Node]:
    merged: list[Node] = []
    for node in nodes:
        if isinstance(node, Literal) and merged and isinstance(merged[-1], Literal):
            merged[-1] = Literal(merged[-1].text + node.text)
        elif not isinstance(node, Literal) or node.text:
            merged.append(Tag(node.name) if isinstance(node, Tag) else node)
    return merged


def _placed(draft: ImportDraft, fault: FieldError) -> FieldError:
    """Say where a fault of the content stands in the file."""
    path, rest = fault.path, ""
    while path and path not in draft.places:
        path, _, last = path.rpartition(".")
        rest = f".{last}{rest}"
    if not path:
        return FieldError(draft.path, f"{fault.path}: {fault.message}" if fault.path else fault.message)
    return FieldError(draft.places[path] + rest, fault.message)


def _located(one: ImportedPrompt, document: YamlDocument) -> ImportedPrompt:
    return ImportedPrompt(**{**vars(one), "remarks": tuple(document.with_line(add_remark) for add_remark in one.remarks)})


def _name(draft: ImportDraft) -> str:
    name = re.sub(r"[^a-z0-9_.-]+", "-", draft.name.replace("/", ".").lower()).strip("-._")[:128].strip("-._")
    if not is_name(name):
        draft.fault(draft.path, f"its name {draft.name!a} cannot be one here, which is of a-z 0-9 _ . -; give one with --name")
    elif name != draft.name:
        draft.add_remark(draft.path, f"its name '{draft.name}' becomes '{name}'")
    return name


def _labels(draft: ImportDraft) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for label in draft.labels:
        if label == LATEST:
            continue  # which a newest version has by itself
        plain = label.lower() if isinstance(label, str) else ""
        if not is_name(plain) or plain == LATEST:
            draft.lose(draft.path, f"the label {label!a}, for labels here are of a-z 0-9 _ . -")
            continue
        if plain != label:
            draft.add_remark(draft.path, f"its label '{label}' becomes '{plain}'")
        found[plain] = None
    return tuple(found)


def _tags(draft: ImportDraft) -> tuple[str, ...]:
    fit = [tag for tag in dict.fromkeys(map(str, draft.tags)) if 0 < len(tag) <= TAG_LIMIT and refused_character(tag) is None]
    kept = fit[:TAGS_LIMIT]
    draft.remarks += [
        FieldError(draft.path, f"cannot be carried: the tag {str(tag)[:40]!a}, too long or one too many")
        for tag in draft.tags
        if str(tag) not in kept
    ]
    return tuple(kept)


def _message(draft: ImportDraft) -> str:
    message = draft.message if isinstance(draft.message, str) else ""
    if len(message) > MESSAGE_LIMIT:
        draft.add_remark(draft.path, f"its message is cut off after {MESSAGE_LIMIT} characters")
    return message[:MESSAGE_LIMIT]
