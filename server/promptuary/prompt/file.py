"""Prompt files: `prompts/support/triage.yaml` is the prompt `support.triage`; a folder is a dot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from promptuary.prompt.check import check
from promptuary.prompt.content import Content
from promptuary.prompt.document import Document, InvalidFile, read
from promptuary.prompt.errors import Fault, InvalidPrompt
from promptuary.prompt.faults import faults_of
from promptuary.prompt.name import is_name

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

    def placed(self, fault: Fault) -> Fault:
        """Give a fault of the content its place in the file: the field as the file calls it, and the line."""
        called = "messages" if "messages" in self.lines else "template"
        return Document(None, dict(self.lines)).located(_named(fault, called))


def name_of(path: Path, root: Path) -> str:
    """Give the prompt name of a file under its root: folders and the stem, joined by dots.

    Raises:
        InvalidFile: when that is no name.
    """
    name = ".".join(path.relative_to(root).with_suffix("").parts)
    if not is_name(name):
        raise InvalidFile(f"{path} gives the prompt no valid name", [Fault("", f"'{name}' is not of a-z 0-9 _ . -")])
    return name


def read_prompt(path: Path, name: str) -> PromptFile:
    """Read one prompt file and check it whole, its templates too.

    Raises:
        InvalidFile: naming the file, and line and field of every fault.
    """
    return parse_prompt(read_text(path), path, name)


def parse_prompt(text: str, path: Path, name: str) -> PromptFile:
    """Read the text of a prompt file, as `read_prompt` does.

    Raises:
        InvalidFile: naming the file, and line and field of every fault.
    """
    document = read(text, str(path))
    body = document.value
    if not isinstance(body, dict):
        raise InvalidFile(f"{path} is not a prompt file", [Fault("", "must be a mapping that has `type`", 1)])
    faults: list[Fault] = []
    texts = {key: _texts(body, key, faults) for key in ("labels", "tags")}
    message = body.get("message", "")
    if not isinstance(message, str):
        faults.append(Fault("message", "must be a string"))
    content = _content(body, faults)
    if faults or content is None:
        raise InvalidFile(f"{path} cannot be used", [document.located(fault) for fault in faults])
    return PromptFile(name, path, content, texts["labels"], message, texts["tags"], document.lines)


def _content(body: dict[str, Any], faults: list[Fault]) -> Content | None:
    """Read the content: a chat file says `messages` where the wire says `template`, for it reads better."""
    field = "messages" if "messages" in body else "template"
    if "messages" in body and "template" in body:
        faults.append(Fault("template", "`messages` is the template of a chat; give one of the two"))
    if "partials" in body:
        faults.append(Fault("partials", "are put in by the registry; include a prompt by {{> its.name}}"))
    parts = {key: value for key, value in body.items() if key not in _NOT_CONTENT}
    if "messages" in body:
        parts["template"] = body["messages"]
    try:
        content = Content.model_validate(parts)
        check(content, resolved=False, jinja2=True)  # whether jinja2 is taken is for the server to say
    except ValidationError as error:
        faults += [_named(fault, field) for fault in faults_of(error)]
    except InvalidPrompt as error:
        faults += [_named(fault, field) for fault in error.faults]
    else:
        return content
    return None


def _named(fault: Fault, field: str) -> Fault:
    """Call the template as the file does."""
    head, dot, rest = fault.path.partition(".")
    return Fault(field + dot + rest if head == "template" else fault.path, fault.message)


def _texts(body: dict[str, Any], key: str, faults: list[Fault]) -> tuple[str, ...]:
    value = body.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        faults.append(Fault(key, "must be a list of strings"))
        return ()
    return tuple(value)


def read_document(path: Path) -> Document:
    """Read a YAML or JSON file of at most 4 MiB.

    Raises:
        InvalidFile: for one that is missing, too large, not UTF-8, or not well-formed.
    """
    return read(read_text(path), str(path))


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
        raise InvalidFile(f"{path} is not UTF-8", [Fault("", f"byte {error.start}")]) from None
    except OSError as error:
        raise InvalidFile(f"{path} cannot be read: {error.strerror}") from None


def find_prompts(root: Path) -> list[PromptFile]:
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
            prompts.append(read_prompt(path, name_of(path, root)))
            if (first := named.setdefault(prompts[-1].name, path)) != path:
                raise InvalidFile(f"{path} and {first} are both the prompt '{prompts[-1].name}'; keep one of the two")
        except InvalidFile as error:
            broken.append(error)
    if broken:
        raise together(broken, root)
    if not prompts:
        raise InvalidFile(f"{root} holds no prompt file (*.yaml)")
    return sorted(prompts, key=lambda prompt: prompt.name)


def together(broken: Sequence[InvalidFile], root: Path) -> InvalidFile:
    """Give the faults of several files as one error."""
    if len(broken) == 1:
        return broken[0]
    faults = [Fault(error.message, str(fault)) for error in broken for fault in (error.faults or [Fault("", "unreadable")])]
    return InvalidFile(f"{len(broken)} files under {root} cannot be used", faults)
