"""The prompts of a promptfoo file, as contents of ours: a text, or the messages of a chat."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from promptuary.evaluation.promptfoo.files import SCHEME, PromptfooFolder, is_code
from promptuary.evaluation.promptfoo.raw import RawObject
from promptuary.evaluation.promptfoo.report import TranslationReport, Unsupported
from promptuary.evaluation.promptfoo.template import convert_template, is_plain, variable_paths
from promptuary.prompt.files.yaml_document import InvalidFile, parse_yaml
from promptuary.prompt.messages.message import Message
from promptuary.prompt.validation_errors import field_errors_from

PROMPT_SUFFIXES = (".txt", ".md", ".j2", ".json", ".jsonl", ".yaml", ".yml", ".csv")
REMOTE_SCHEMES = ("portkey://", "langfuse://", "helicone://", "package:")
_LIKE_A_FILE = re.compile(r"[*/\\]")


@dataclass(frozen=True)
class PromptfooPrompt:
    """A prompt as promptfoo has it: its template, what tests and providers may call it, its model's settings."""

    raw: str
    label: str
    id: str | None = None
    config: RawObject = field(default_factory=dict)

    def is_named(self, names: Any) -> bool:
        """Return whether a list of names, each with or without `*` or a group's prefix, means this prompt."""
        mine = [name for name in (self.label, self.id) if name]
        return any(_means(str(name), own) for name in (names if isinstance(names, list) else [names]) for own in mine)

    @property
    def summary(self) -> str:
        """A few words for a report."""
        text = " ".join((self.label or self.raw).split())
        return f"'{text[:40]}{'…' if len(text) > 40 else ''}'"


def _means(name: str, own: str) -> bool:
    return own == name or (name.endswith("*") and own.startswith(name[:-1])) or own.startswith(f"{name}:")


def read_prompts(value: Any, folder: PromptfooFolder, report: TranslationReport) -> list[PromptfooPrompt]:
    """Read the key `prompts`; what cannot be a prompt here is reported."""
    prompts: list[PromptfooPrompt] = []
    for number, entry in enumerate(_entries(value)):
        place = f"prompts[{number}]"
        try:
            prompts += _read(entry, folder)
        except Unsupported as error:
            report.refuse("prompt", str(entry.get("label") or entry.get("raw") or number)[:60], str(error), place)
    return prompts


def _entries(value: Any) -> Iterator[RawObject]:
    if value is None:
        yield {"raw": "{{prompt}}"}
    elif isinstance(value, str):
        yield {"raw": value}
    elif isinstance(value, dict):
        yield from ({"raw": raw, "label": label} for raw, label in value.items())
    else:
        for entry in value if isinstance(value, list) else [value]:
            yield entry | {"raw": entry.get("raw") or entry.get("id")} if isinstance(entry, dict) else {"raw": entry}


def _read(entry: RawObject, folder: PromptfooFolder) -> list[PromptfooPrompt]:
    raw, label, config = entry.get("raw"), entry.get("label"), entry.get("config") or {}
    if not isinstance(raw, str):
        raise Unsupported("must be a text, or an object with `raw` or `id`")
    if raw.startswith("exec:") or ("\n" not in raw and is_code(raw)):
        raise Unsupported("is made by code, which is not run here; write the prompt as a text")
    if raw.startswith(REMOTE_SCHEMES):
        raise Unsupported("is kept by another service; import it with `promptuary import`, or write it as a text")
    if "\n" not in raw and (raw.startswith(SCHEME) or raw.endswith(PROMPT_SUFFIXES) or _LIKE_A_FILE.search(raw)):
        try:
            files = folder.find(raw)
        except OSError:  # a name that is too long for a file: a text on one line
            pass
        except Unsupported:
            if raw.startswith(SCHEME) or raw.endswith(PROMPT_SUFFIXES):
                raise
        else:
            single = len(files) == 1
            return [prompt for path in files for prompt in _of_file(path, label if single else None, config, folder)]
    return [PromptfooPrompt(raw, label or raw, entry.get("id"), config)]


def _of_file(path: Path, label: str | None, config: RawObject, folder: PromptfooFolder) -> Iterator[PromptfooPrompt]:
    """Parse a file by its suffix. Labels are promptfoo's, because tests may name them, but with relative paths."""
    name = str(path.relative_to(folder.root))
    if is_code(path.name):
        raise Unsupported("is made by code, which is not run here; write the prompt as a text")
    text = folder.text(path)
    if path.suffix == ".txt":
        parts = [part.strip() for part in re.split(r"(?m)^[^\S\n]*---[^\S\n]*$", text.replace("\r\n", "\n"))]
        for part in filter(None, parts):
            yield PromptfooPrompt(part, f"{label}: {name}: {part}" if label else f"{name}: {part}")
    elif path.suffix == ".jsonl":
        lines = [line for line in re.split(r"\r?\n", text) if line]
        for line in lines:
            called = label or name
            yield PromptfooPrompt(line, f"{called}: {line}" if len(lines) > 1 else called, config=config)
    elif path.suffix in (".json", ".yaml", ".yml"):
        value = folder.inline(folder.value(path))
        yield PromptfooPrompt(json.dumps(value, ensure_ascii=False), label or name, config=config)
    elif path.suffix == ".csv":
        yield from _of_table(text, label, config)
    elif path.suffix in (".md", ".j2"):
        yield PromptfooPrompt(text, label or name, config=config)
    else:
        raise Unsupported(f"'{name}' is no kind of file with prompts; known are {', '.join(PROMPT_SUFFIXES)}")


def _of_table(text: str, label: str | None, config: RawObject) -> Iterator[PromptfooPrompt]:
    if "," not in text:
        lines = [line for line in text.splitlines() if line.strip()]
        rows = [{"prompt": line} for line in lines[lines[:1] != [] and lines[0].strip().lower() == "prompt" :]]
    else:
        rows = [
            {key.strip(): (cell or "").strip() for key, cell in row.items() if isinstance(key, str)}
            for row in csv.DictReader(io.StringIO(text, newline=""))
        ]
    for row in rows:
        if row.get("prompt"):
            yield PromptfooPrompt(row["prompt"], row.get("label") or label or row["prompt"], config=config)


@dataclass(frozen=True)
class ConvertedPrompt:
    """A prompt in our form: the parts of a content, and how its variables are used."""

    prompt: PromptfooPrompt
    parts: RawObject
    chat: bool
    whole: frozenset[str]
    """Variables that are only ever shown, as they are; a list or an object is shown as JavaScript does."""
    used: frozenset[str]


def convert_prompt(prompt: PromptfooPrompt, before: str = "", after: str = "") -> ConvertedPrompt:
    """Convert a prompt to the parts of a content, with its prefix and suffix.

    Raises:
        Unsupported: for a template or messages that cannot be taken.
    """
    messages = None if before or after else _messages(prompt.raw)
    if messages is None:
        sources = [before + prompt.raw + after]
    else:
        sources = [field.source for message in messages for field in message.fields()]
    if any("_conversation" in source for source in sources):
        raise Unsupported(
            "uses `_conversation`, the earlier tests with the same `conversationId`, each with a verdict of its own; "
            "write the conversation as one case with `turns`, as docs/conversations.md describes"
        )
    if all(map(is_plain, sources)):
        form, texts = "mustache", sources
        used_paths = [path.split(".") for source in sources for path in variable_paths(source)]
        whole = {path[0] for path in used_paths if len(path) == 1} - {path[0] for path in used_paths if len(path) > 1}
        used = {path[0] for path in used_paths}
    else:
        conversions = [convert_template(source) for source in sources]
        form = "jinja2" if any(converted_form == "jinja2" for converted_form, _ in conversions) else "mustache"
        texts = [text for converted_form, text in conversions if converted_form == form or is_plain(text)]
        if len(texts) < len(conversions):
            raise Unsupported("has a message whose braces are not closed beside one with filters or blocks")
        whole, used = set(), set()
    remaining = iter(texts)
    template: Any = texts[0] if messages is None else [message.with_sources(remaining) for message in messages]
    kind = "text" if messages is None else "chat"
    return ConvertedPrompt(
        prompt, {"type": kind, "template": template, "format": form}, messages is not None, frozenset(whole), frozenset(used)
    )


def _messages(raw: str) -> list[Message] | None:
    """Parse the messages of a prompt that is a list of them, in JSON or YAML; None for a text.

    Raises:
        Unsupported: for messages that are not in OpenAI's form, with the place of what is not.
    """
    begins = raw.lstrip()
    if not begins.startswith(("[", "- role:")):
        return None
    try:
        value = json.loads(raw) if begins.startswith("[") else parse_yaml(raw, "the prompt", core=True).value
    except (ValueError, RecursionError, InvalidFile):
        return None
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(message, dict) and "role" in message for message in value)
    ):
        return None
    messages = []
    for number, message in enumerate(value):
        try:
            messages.append(Message.model_validate(message))
        except ValidationError as error:
            place = field_errors_from(error, f"messages.{number}")[0]
            raise Unsupported(f"has a message that is not in OpenAI's form: {place}") from None
    return messages
