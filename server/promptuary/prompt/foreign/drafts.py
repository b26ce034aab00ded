"""Import of prompts from the files of other registries and libraries. A file is data: none of its code is executed.

What makes an import impossible is an error, and a file with an error is not imported at all, unless the caller skips what is
not valid. What is left out or changed is a remark, so that nothing disappears silently.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from promptuary.prompt.content import Content
from promptuary.prompt.errors import FieldError, InvalidPrompt
from promptuary.prompt.files.prompt_file import FILE_LIMIT
from promptuary.prompt.files.yaml_document import InvalidFile, YamlDocument
from promptuary.prompt.foreign.config_declarations import with_config_declarations
from promptuary.prompt.foreign.source_names import SourceNames
from promptuary.prompt.name import LATEST, fold_label, is_name
from promptuary.prompt.registration.validation import validate_content
from promptuary.prompt.text import refused_character
from promptuary.prompt.validation_errors import field_errors_from

MESSAGE_LIMIT = 2000
TAG_LIMIT = 200
TAGS_LIMIT = 50

_JSON_TYPES = {str: "a text", dict: "an object", list: "a list", int: "an integer", bool: "true or false"}


@dataclass(frozen=True)
class ImportedPrompt:
    """A prompt read from a foreign file: its content, its version number there, and remarks on what was changed or left out.

    `given_name` is its name there, where it does not fold onto the name here.
    """

    name: str
    version: int | None
    content: Content
    labels: tuple[str, ...]
    message: str
    tags: tuple[str, ...]
    remarks: tuple[FieldError, ...]
    given_name: str | None = None


@dataclass
class ImportDraft:
    """An imported prompt before its check; `source_paths` maps a path in the content to its path in the file."""

    path: str
    name: str
    content_fields: dict[str, Any]
    source_paths: dict[str, str]
    version: int | None = None
    labels: list[Any] = field(default_factory=list)
    message: Any = None
    tags: list[Any] = field(default_factory=list)
    remarks: list[FieldError] = field(default_factory=list)
    field_errors: list[FieldError] = field(default_factory=list)

    def add_remark(self, path: str, message: str) -> None:
        """Record what differs after the import."""
        self.remarks.append(FieldError(path, message))

    def add_omission(self, path: str, reason: str) -> None:
        """Record what is left out and the reason."""
        self.add_remark(path, f"is not imported: {reason}")

    def add_error(self, path: str, message: str) -> None:
        """Record why the prompt cannot be imported."""
        self.field_errors.append(FieldError(path, message))


class FieldReader:
    """Reads an object of a file key by key and reports the keys that nobody read."""

    def __init__(self, value: Any, path: str, draft: ImportDraft) -> None:
        """Wrap an object; record an error for any other value, which then reads as an empty object."""
        if not isinstance(value, dict):
            draft.add_error(path, "must be an object")
        self.unread: dict[str, Any] = dict(value) if isinstance(value, dict) else {}
        self.path = path
        self.draft = draft

    def take(self, key: str, expected: type | tuple[type, ...] = object, default: Any = None) -> Any:
        """Return and remove a value; return the default where it is null or absent, or (with an error) of another type."""
        value = self.unread.pop(key, None)
        if value is None:
            return default
        if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
            types = expected if isinstance(expected, tuple) else (expected,)
            self.draft.add_error(self.path_of(key), f"must be {' or '.join(_JSON_TYPES[type_] for type_ in types)}")
            return default
        return value

    def discard(self, *keys: str) -> None:
        """Remove keys without a remark: values that follow from other fields, or that only the source system needs."""
        for key in keys:
            self.unread.pop(key, None)

    def path_of(self, key: str) -> str:
        """Return the path of a key in the file."""
        return f"{self.path}.{key}" if self.path else key

    def report_unread(self, reason: str = "it has no place in a version") -> None:
        """Record an omission for every key that was not read; empty values are ignored."""
        for key, value in self.unread.items():
            if value not in (None, "", [], {}, False):
                self.draft.add_omission(self.path_of(key), reason)
        self.unread.clear()


@dataclass(frozen=True)
class ImportChoice:
    """What the caller takes from a file.

    Attributes:
        prompts: names of prompts, as the file has them or as they become here; empty for all.
        label: the label whose version of each prompt is taken; None for the highest version.
        skip_invalid: whether prompts with errors are left out, instead of stopping the import.
    """

    prompts: tuple[str, ...] = ()
    label: str | None = None
    skip_invalid: bool = False


@dataclass(frozen=True)
class SourceVersion:
    """A version of a foreign file after its check.

    Attributes:
        source_name: the prompt's name in the file.
        name: its name here, which is not valid where no name can be made of it.
        number: the version's number in the file.
        labels: its labels, by their names here.
        prompt: what is imported; None where the version has errors.
        field_errors: the errors, with their lines and the prompt's name.
    """

    source_name: str
    name: str
    number: int | None
    labels: tuple[str, ...]
    prompt: ImportedPrompt | None
    field_errors: tuple[FieldError, ...] = ()


def finish_drafts(
    drafts: Sequence[ImportDraft],
    document: YamlDocument,
    source: str,
    names: SourceNames,
    choice: ImportChoice = ImportChoice(),
) -> list[SourceVersion]:
    """Check all drafts of a file.

    Args:
        drafts: every prompt and version that was read.
        document: the file, for the lines of the errors.
        source: the file's name, for the errors.
        names: how the names of the file become names here.
        choice: which prompts are checked, and whether those with errors are returned.

    Raises:
        InvalidFile: with every error of every draft, its line and its prompt, unless the caller skips these; also where two
            prompts would get one name, or a name was chosen that the file does not have.
    """
    conflicts = _unknown_names(drafts, names, choice)
    drafts = [draft for draft in drafts if not choice.prompts or {draft.name, names.name_of(draft.name)} & {*choice.prompts}]
    conflicts += _name_conflicts(drafts, names)
    if conflicts:
        raise InvalidFile(f"{source} cannot be imported", [document.with_line(conflict) for conflict in conflicts])
    imported = [_finish_draft(draft, names) for draft in drafts]
    _add_version_conflicts(drafts, imported)
    versions = [_source_version(draft, prompt, document, names) for draft, prompt in zip(drafts, imported, strict=True)]
    field_errors = [field_error for version in versions for field_error in version.field_errors]
    if field_errors and not choice.skip_invalid:
        remedy = "; --skip-invalid imports what is valid" if any(version.prompt for version in versions) else ""
        raise InvalidFile(
            f"{source} cannot be imported{remedy}", sorted(field_errors, key=lambda field_error: field_error.line or 0)
        )
    return versions


def _finish_draft(draft: ImportDraft, names: SourceNames) -> ImportedPrompt | None:
    """Check a whole draft; return None where it has errors, with all of them in `draft.field_errors`."""
    name = _name(draft, names)
    labels, tags = _labels(draft), _tags(draft)
    message = _message(draft)
    content = None
    if draft.field_errors and not {"type", "template"} <= draft.content_fields.keys():
        return None  # what could not be read would be reported a second time, as missing
    try:
        content, contradictions = with_config_declarations(Content.model_validate(draft.content_fields))
        for contradiction in contradictions:
            place = _at_source(draft, contradiction)
            draft.add_remark(place.path, f"{place.message}; so the config keeps its `variables`, which declare nothing here")
        validate_content(content, resolved=False, jinja2=True, config_limit=FILE_LIMIT)
        if content.format == "jinja2":
            draft.add_remark(draft.source_paths.get("template", draft.path), "is jinja2, which not every server renders")
    except ValidationError as error:
        draft.field_errors += [_at_source(draft, field_error) for field_error in field_errors_from(error)]
    except InvalidPrompt as error:
        draft.field_errors += [_at_source(draft, field_error) for field_error in error.field_errors]
    if draft.field_errors or content is None:
        return None
    return ImportedPrompt(
        name, draft.version, content, labels, message, tags, tuple(draft.remarks), names.given_name_of(draft.name)
    )


def _source_version(
    draft: ImportDraft, prompt: ImportedPrompt | None, document: YamlDocument, names: SourceNames
) -> SourceVersion:
    """Return a draft after its check, with lines in the file; the errors name the prompt."""
    number = "" if draft.version is None else f", version {draft.version}"
    field_errors = tuple(
        replace(document.with_line(field_error), message=f"{field_error.message} (prompt {draft.name!a}{number})")
        for field_error in draft.field_errors
    )
    if prompt is not None:
        prompt = replace(prompt, remarks=tuple(document.with_line(remark) for remark in prompt.remarks))
    labels = prompt.labels if prompt else _labels(draft)
    return SourceVersion(
        draft.name, names.name_of(draft.name), draft.version, labels, None if field_errors else prompt, field_errors
    )


def read_config(draft: ImportDraft, fields: FieldReader, key: str) -> None:
    """Read a free configuration into a draft, as it is; an empty object, which such systems send for none, is none."""
    config = fields.take(key)
    if config is not None and config != {}:
        draft.content_fields["config"] = config
        draft.source_paths["config"] = fields.path_of(key)


def _at_source(draft: ImportDraft, field_error: FieldError) -> FieldError:
    """Return an error of the content with its path in the file."""
    path, rest = field_error.path, ""
    while path and path not in draft.source_paths:
        path, _, last = path.rpartition(".")
        rest = f".{last}{rest}"
    if not path:
        message = f"{field_error.path}: {field_error.message}" if field_error.path else field_error.message
        return FieldError(draft.path, message)
    return FieldError(draft.source_paths[path] + rest, field_error.message)


def _name(draft: ImportDraft, names: SourceNames) -> str:
    name = names.name_of(draft.name)
    if not is_name(name):
        draft.add_error(
            draft.path, f"its name {draft.name!a} is not valid here: names consist of a-z 0-9 _ . -; choose one with --rename"
        )
    elif name != draft.name:
        draft.add_remark(draft.path, f"its name '{draft.name}' becomes '{name}'")
    return name


def _name_conflicts(drafts: Sequence[ImportDraft], names: SourceNames) -> list[FieldError]:
    """Return an error for each name that several prompts of the file would get."""
    source_names: dict[str, dict[str, str]] = {}
    for draft in drafts:
        source_names.setdefault(names.name_of(draft.name), {}).setdefault(draft.name, draft.path)
    return [
        FieldError(
            list(paths.values())[-1],
            f"{' and '.join(map(repr, paths))} both become '{name}'; rename one of them, as in "
            f"--rename {list(paths)[-1]!r}={name}-2",
        )
        for name, paths in source_names.items()
        if is_name(name) and len(paths) > 1
    ]


def _unknown_names(drafts: Sequence[ImportDraft], names: SourceNames, choice: ImportChoice) -> list[FieldError]:
    """Return an error for each rename and each chosen prompt that the file does not have."""
    known = {draft.name for draft in drafts}
    names_here = {names.name_of(name) for name in known}
    unknown = [("--rename", old) for old in names.renames if old not in known]
    unknown += [("--prompt", name) for name in choice.prompts if name not in known | names_here]
    return [
        FieldError("", f"{option} names {name!r}, which the file does not have; it has {', '.join(sorted(map(repr, known)))}")
        for option, name in unknown
    ]


def _add_version_conflicts(drafts: Sequence[ImportDraft], imported: Sequence[ImportedPrompt | None]) -> None:
    """Record an error for each version of a prompt that occurs several times in the file, and not with the same content."""
    versions: dict[tuple[str, int | None], tuple[ImportDraft, ImportedPrompt]] = {}
    for draft, prompt in zip(drafts, imported, strict=True):
        if prompt is None:
            continue
        first_draft, first = versions.setdefault((prompt.name, prompt.version), (draft, prompt))
        if replace(first, remarks=()) != replace(prompt, remarks=()):
            number = "without a version number" if prompt.version is None else f"as version {prompt.version}"
            for each in {id(first_draft): first_draft, id(draft): draft}.values():
                each.add_error(each.path, f"'{draft.name}' occurs twice {number}, and differs; keep one of the two")


def _labels(draft: ImportDraft) -> tuple[str, ...]:
    labels: dict[str, None] = {}
    for label in draft.labels:
        if label == LATEST:
            continue  # virtual here: the newest version has it
        name = fold_label(label) if isinstance(label, str) else ""
        if not is_name(name) or name == LATEST:
            draft.add_omission(draft.path, f"the label {label!a}; labels consist of a-z 0-9 _ . -")
            continue
        if name != label:
            draft.add_remark(draft.path, f"its label '{label}' becomes '{name}'")
        labels[name] = None
    return tuple(labels)


def _tags(draft: ImportDraft) -> tuple[str, ...]:
    valid = [tag for tag in dict.fromkeys(map(str, draft.tags)) if 0 < len(tag) <= TAG_LIMIT and refused_character(tag) is None]
    tags = tuple(valid[:TAGS_LIMIT])
    for tag in draft.tags:
        if str(tag) not in tags:
            limits = f"a version has at most {TAGS_LIMIT} tags of 1 to {TAG_LIMIT} valid characters"
            draft.add_omission(draft.path, f"the tag {str(tag)[:40]!a}; {limits}")
    return tags


def _message(draft: ImportDraft) -> str:
    message = draft.message if isinstance(draft.message, str) else ""
    if len(message) > MESSAGE_LIMIT:
        draft.add_remark(draft.path, f"its message is cut off after {MESSAGE_LIMIT} characters")
    return message[:MESSAGE_LIMIT]
