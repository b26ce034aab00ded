"""Prompt files: `prompts/support/triage.yaml` is the prompt `support.triage`; a folder is a dot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from promptuary.prompt.content import Content
from promptuary.prompt.errors import FieldError, InvalidPrompt
from promptuary.prompt.files.yaml_document import InvalidFile, YamlDocument, parse_yaml
from promptuary.prompt.name import is_name
from promptuary.prompt.validation import validate_content
from promptuary.prompt.validation_errors import field_errors_from

SUFFIXES = (".yaml", ".yml")
_NOT_CONTENT = ("labels", "message", "tags", "messages", "partials")


@dataclass(frozen=True)
class PromptFile:
    """A prompt as a file says it: the content, and what registering it should do."""

    name: str
    path: Path
    content: Content
    labels: tuple[str, ...]
    message: str
    tags: tuple[str, ...]
    lines: Mapping[str, int] = field(default_factory=dict, repr=False, compare=False)

    def placed(self, fault: FieldError) -> FieldError:
        """Give a fault of the content its place in the file: the field as the file calls it, and the line."""
        called = "messages" if "messages" in self.lines else "template"
        return YamlDocument(None, dict(self.lines)).with_line(_named(fault, called))


def prompt_name(path: Path, root: Path) -> str:
    """Give the prompt name of a file under its root: folders and the stem, joined by dots.

    Raises:
        InvalidFile: when that is no name.
    """
    name = ".".join(path.relative_to(root).with_suffix("").parts)
    if not is_name(name):
        raise InvalidFile(f"{path} gives the prompt no valid name", [FieldError("", f"'{name}' is not of a-z 0-9 _ . -")])
    return name


def read_prompt_file(path: Path, name: str) -> PromptFile:
    """Read one prompt file and check it whole, its templates too.

    Raises:
        InvalidFile: naming the file, and line and field of every fault.
    """
    return parse_prompt_file(read_text(path), path, name)


def parse_prompt_file(text: str, path: Path, name: str) -> PromptFile:
    """Read the text of a prompt file, as `read_prompt_file` does.

    Raises:
        InvalidFile: naming the file, and line and field of every fault.
    """
    document = parse_yaml(text, str(path))
    body = document.value
    if not isinstance(body, dict):
        raise InvalidFile(f"{path} is not a prompt file", [FieldError("", "must be a mapping that has `type`", 1)])
    field_errors: list[FieldError] = []
    texts = {key: _texts(body, key, field_errors) for key in ("labels", "tags")}
    message = body.get("message", "")
    if not isinstance(message, str):
        field_errors.append(FieldError("message", "must be a string"))
    content = _content(body, field_errors)
    if field_errors or content is None:
        raise InvalidFile(f"{path} cannot be used", [document.with_line(fault) for fault in field_errors])
    return PromptFile(name, path, content, texts["labels"], message, texts["tags"], document.lines)


def _content(body: dict[str, Any], field_errors: list[FieldError]) -> Content | None:
    """Read the content: a chat file says `messages` where the wire says `template`, for it reads better."""
    field = "messages" if "messages" in body else "template"
    if "messages" in body and "template" in body:
        field_errors.append(FieldError("template", "`messages` is the template of a chat; give one of the two"))
    if "partials" in body:
        field_errors.append(FieldError("partials", "are put in by the registry; include a prompt by {{> its.name}}"))
    parts = {key: value for key, value in body.items() if key not in _NOT_CONTENT}
    if "messages" in body:
        parts["template"] = body["messages"]
    try:
        content = Content.model_validate(parts)
        validate_content(content, resolved=False, jinja2=True)  # whether jinja2 is taken is for the server to say
    except ValidationError as error:
        field_errors += [_named(fault, field) for fault in field_errors_from(error)]
    except InvalidPrompt as error:
        field_errors += [_named(fault, field) for fault in error.field_errors]
    else:
        return content
    return None


def _named(fault: FieldError, field: str) -> FieldError:
    """Call the template as the file does."""
    head, dot, rest = fault.path.partition(".")
    return FieldError(field + dot + rest if head == "template" else fault.path, fault.message)


def _texts(body: dict[str, Any], key: str, field_errors: list[FieldError]) -> tuple[str, ...]:
    value = body.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        field_errors.append(FieldError(key, "must be a list of strings"))
        return ()
    return tuple(value)


def read_yaml_file(path: Path) -> YamlDocument:
    """Read a YAML or JSON file of at most 4 MiB.

    Raises:
        InvalidFile: for one that is missing, too large, not UTF-8, or not well-formed.
    """
    return parse_yaml(read_text(path), str(path))


def read_text(path: Path, limit: int = 4 * 1024 * 1024) -> str:
    """Read a UTF-8 text file of at most `limit` bytes, or say why not.

    Raises:
        InvalidFile: naming the file.
    """
    try:
        if path.stat().st_size > limit:
            raise InvalidFile(f"{path} is over the limit of {limit} bytes")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InvalidFile(f"{path} does not exist") from None
    except UnicodeDecodeError as error:
        raise InvalidFile(f"{path} is not UTF-8", [FieldError("", f"byte {error.start}")]) from None
    except OSError as error:
        raise InvalidFile(f"{path} cannot be read: {error.strerror}") from None


def read_prompt_folder(root: Path) -> list[PromptFile]:
    """Read every prompt file under a folder, in the order of their names; all faults of all files are told at once.

    Raises:
        InvalidFile: when the folder is missing or holds no prompt, or for what is wrong in any file.
    """
    if not root.is_dir():
        raise InvalidFile(f"{root} is not a folder")
    prompts: list[PromptFile] = []
    broken: list[InvalidFile] = []
    named: dict[str, Path] = {}
    for path in sorted(path for path in root.rglob("*") if path.suffix in SUFFIXES and path.is_file()):
        try:
            prompts.append(read_prompt_file(path, prompt_name(path, root)))
            if (first := named.setdefault(prompts[-1].name, path)) != path:
                raise InvalidFile(f"{path} and {first} are both the prompt '{prompts[-1].name}'; keep one of the two")
        except InvalidFile as error:
            broken.append(error)
    if broken:
        raise combined_error(broken, root)
    if not prompts:
        raise InvalidFile(f"{root} holds no prompt file (*.yaml)")
    return sorted(prompts, key=lambda prompt: prompt.name)


def combined_error(broken: Sequence[InvalidFile], root: Path) -> InvalidFile:
    """Give the faults of several files as one error."""
    if len(broken) == 1:
        return broken[0]
    field_errors = [
        FieldError(error.message, str(fault))
        for error in broken
        for fault in (error.field_errors or [FieldError("", "unreadable")])
    ]
    return InvalidFile(f"{len(broken)} files under {root} cannot be used", field_errors)
