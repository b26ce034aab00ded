"""Reading of prompt files. The path is the name: `prompts/support/triage.yaml` contains the prompt `support.triage`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from promptuary.prompt.content import Content
from promptuary.prompt.errors import FieldError, InvalidPrompt
from promptuary.prompt.files.yaml_document import InvalidFile, YamlDocument, parse_yaml
from promptuary.prompt.files.yaml_quoting import quoting_errors, with_quoting_hint
from promptuary.prompt.name import is_name
from promptuary.prompt.registration.validation import validate_content
from promptuary.prompt.validation_errors import field_errors_from

FILE_LIMIT = 4 * 1024 * 1024
GIVEN_NAME_LIMIT = 255
SUFFIXES = (".yaml", ".yml")
_OTHER_FIELDS = ("labels", "message", "tags", "given_name", "messages", "partials")


@dataclass(frozen=True)
class PromptFile:
    """A prompt of a file: its content, and the labels, message and tags for its registration.

    `given_name` is its name in the registry from which it was imported, where that is not its name here.
    """

    name: str
    path: Path
    content: Content
    labels: tuple[str, ...]
    message: str
    tags: tuple[str, ...]
    lines: Mapping[str, int] = field(default_factory=dict, repr=False, compare=False)
    given_name: str | None = None

    def with_line(self, error: FieldError) -> FieldError:
        """Return an error of the content with its line and with the field's name in the file."""
        template_field = "messages" if "messages" in self.lines else "template"
        return YamlDocument(None, dict(self.lines)).with_line(_with_file_field(error, template_field))


def prompt_name(path: Path, root: Path) -> str:
    """Return the prompt name of a file below the root: its folders and its stem, joined by dots.

    Raises:
        InvalidFile: the result is not a valid name.
    """
    name = ".".join(path.relative_to(root).with_suffix("").parts)
    if not is_name(name):
        raise InvalidFile(
            f"{path} is not a valid name of a prompt", [FieldError("", f"'{name}' must consist of a-z 0-9 _ . -")]
        )
    return name


def path_of(folder: Path, name: str) -> Path:
    """Return the file for a prompt of this name: a dot starts a folder, if that path gives the name again."""
    nested = folder.joinpath(*name.split(".")).with_name(name.rpartition(".")[2] + SUFFIXES[0])
    return nested if all(name.split(".")) else folder / f"{name}{SUFFIXES[0]}"


def prompt_paths(root: Path) -> dict[str, Path]:
    """Return the prompt files below a folder by the name of their prompt; a missing folder has none.

    A file that has no valid name is left out.

    Raises:
        InvalidFile: for two files that contain the same prompt.
    """
    paths: dict[str, Path] = {}
    for path in _files(root):
        try:
            name = prompt_name(path, root)
        except InvalidFile:
            continue
        if (first := paths.setdefault(name, path)) != path:
            raise _same_prompt(path, first, name)
    return paths


def _files(root: Path) -> list[Path]:
    """Return the YAML files below a folder, except in hidden folders, which belong to tools."""
    files = (path for path in root.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    return sorted(path for path in files if not any(part.startswith(".") for part in path.relative_to(root).parts[:-1]))


def _same_prompt(path: Path, first: Path, name: str) -> InvalidFile:
    return InvalidFile(f"{path} and {first} both contain the prompt '{name}'; keep one of the two")


def read_prompt_file(path: Path, name: str) -> PromptFile:
    """Read a prompt file and check all of it, including its templates.

    Raises:
        InvalidFile: with line and field of every error; the message names the file.
    """
    return parse_prompt_file(read_text(path), path, name)


def parse_prompt_file(text: str, path: Path, name: str) -> PromptFile:
    """Parse the text of a prompt file, as `read_prompt_file` does.

    Raises:
        InvalidFile: with line and field of every error; the message names the file.
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
    given_name = body.get("given_name")
    if given_name is not None and not (isinstance(given_name, str) and 1 <= len(given_name) <= GIVEN_NAME_LIMIT):
        field_errors.append(FieldError("given_name", f"must be a string of 1 to {GIVEN_NAME_LIMIT} characters"))
    content = _content(body, field_errors)
    quoting = quoting_errors(document)
    quoted = {error.path for error in quoting}
    field_errors = [*quoting, *(with_quoting_hint(error, document) for error in field_errors if error.path not in quoted)]
    if field_errors or content is None:
        raise InvalidFile(f"{path} cannot be used", [document.with_line(error) for error in field_errors])
    return PromptFile(name, path, content, texts["labels"], message, texts["tags"], document.lines, given_name)


def _content(body: dict[str, Any], field_errors: list[FieldError]) -> Content | None:
    """Return the content, or None with its errors in `field_errors`; a chat's template is under `messages` in a file."""
    template_field = "messages" if "messages" in body else "template"
    if "messages" in body and "template" in body:
        field_errors.append(FieldError("template", "`messages` is the template of a chat; use one of the two"))
    if "partials" in body:
        field_errors.append(FieldError("partials", "are added by the registry; include a prompt by {{> its.name}}"))
    parts = {key: value for key, value in body.items() if key not in _OTHER_FIELDS}
    if "messages" in body:
        parts["template"] = body["messages"]
    try:
        content = Content.model_validate(parts)
        # The server decides whether jinja2 is enabled, and how large a config may be.
        validate_content(content, resolved=False, jinja2=True, config_limit=FILE_LIMIT)
    except ValidationError as error:
        field_errors += [_with_file_field(field_error, template_field) for field_error in field_errors_from(error)]
    except InvalidPrompt as error:
        field_errors += [_with_file_field(field_error, template_field) for field_error in error.field_errors]
    else:
        return content
    return None


def _with_file_field(error: FieldError, template_field: str) -> FieldError:
    """Return an error of the content with the field's name in the file, which may call the template `messages`."""
    head, dot, rest = error.path.partition(".")
    return FieldError(template_field + dot + rest if head == "template" else error.path, error.message)


def _texts(body: dict[str, Any], key: str, field_errors: list[FieldError]) -> tuple[str, ...]:
    value = body.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        field_errors.append(FieldError(key, "must be a list of strings"))
        return ()
    return tuple(value)


def read_yaml_file(path: Path) -> YamlDocument:
    """Read a YAML or JSON file of at most 4 MiB.

    Raises:
        InvalidFile: the file is missing, too large, not UTF-8, or not well-formed.
    """
    return parse_yaml(read_text(path), str(path))


def read_text(path: Path, limit: int = FILE_LIMIT) -> str:
    """Read a UTF-8 text file of at most `limit` bytes, without its byte order mark.

    Raises:
        InvalidFile: the file is missing, too large, not UTF-8, or not readable; the message names it.
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
    """Read every prompt file below a folder, sorted by prompt name.

    Raises:
        InvalidFile: the folder is missing or contains no prompt, or files are not valid; with all errors of all files.
    """
    if not root.is_dir():
        raise InvalidFile(f"{root} is not a folder")
    prompts: list[PromptFile] = []
    errors: list[InvalidFile] = []
    paths: dict[str, Path] = {}
    for path in _files(root):
        try:
            prompts.append(read_prompt_file(path, prompt_name(path, root)))
            if (first := paths.setdefault(prompts[-1].name, path)) != path:
                raise _same_prompt(path, first, prompts[-1].name)
        except InvalidFile as error:
            errors.append(error)
    if errors:
        raise combined_error(errors, root)
    if not prompts:
        raise InvalidFile(f"{root} contains no prompt file (*.yaml)")
    return sorted(prompts, key=lambda prompt: prompt.name)


def combined_error(errors: Sequence[InvalidFile], root: Path) -> InvalidFile:
    """Return the errors of several files as one error; a single error is returned as it is."""
    if len(errors) == 1:
        return errors[0]
    field_errors = [
        FieldError(error.message, str(field_error))
        for error in errors
        for field_error in (error.field_errors or [FieldError("", "unreadable")])
    ]
    return InvalidFile(f"{len(errors)} files under {root} cannot be used", field_errors)
