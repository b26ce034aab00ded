"""The prompts of a promptfoo file as prompts of the registry, each with the model and the settings of its provider.

OpenAI's dashboard exports its hosted prompts as such files. Tests and assertions are the matter of `translation`.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.promptfoo.config import read_config
from promptuary.evaluation.promptfoo.files import PromptfooFolder
from promptuary.evaluation.promptfoo.prompts import PROMPT_SUFFIXES, PromptfooPrompt, convert_prompt, read_prompts
from promptuary.evaluation.promptfoo.providers import CREDENTIAL_SETTINGS, Provider, model_name, read_providers
from promptuary.evaluation.promptfoo.raw import RawObject
from promptuary.evaluation.promptfoo.report import PartOutcome, ReportEntry, TranslationReport, Unsupported
from promptuary.prompt.content import ModelConfig
from promptuary.prompt.files.prompt_file import read_text
from promptuary.prompt.files.yaml_document import parse_yaml
from promptuary.prompt.foreign.drafts import ImportChoice, ImportDraft
from promptuary.prompt.foreign.selection import ImportSelection, select_prompts
from promptuary.prompt.foreign.source_names import SourceNames
from promptuary.prompt.model_settings import openai_response_format, text_format

_NAME_LIMIT = 100
_NOT_PROMPTS = ("tests", "scenarios", "defaultTest")


def read_promptfoo_prompts(path: Path, names: SourceNames, choice: ImportChoice) -> ImportSelection:
    """Read the prompts of a promptfoo file; nothing of it is run, and no file outside its folder is read.

    Args:
        path: of the file.
        names: how names become names here, with the fallback for prompts without a label.
        choice: what the caller takes from the file.

    Raises:
        InvalidFile: for what is no promptfoo file, and with every prompt that cannot be imported, unless these are skipped.
    """
    report = TranslationReport()
    config = read_config(path, report)
    folder = PromptfooFolder(path.parent)
    prompts = read_prompts(_with_chats_as_texts(config.get("prompts")), folder, report)
    providers = read_providers(config.get("providers", config.get("targets", [])) or [], folder, report)
    source_names = _source_names(prompts, names.fallback)
    drafts = [
        _draft(prompt, name, number, providers, folder)
        for number, (prompt, name) in enumerate(zip(prompts, source_names, strict=True))
    ]
    refused = report.of(PartOutcome.REFUSED)
    for entry in refused:
        if drafts and entry.kind != "prompt":
            drafts[0].add_omission("", f"{entry.kind} {entry.name} {entry.why}")
    if drafts and any(config.get(key) for key in _NOT_PROMPTS):
        drafts[0].add_omission("tests", "it is no prompt; promptuary eval import reads the tests")
    drafts += [_refused_draft(entry) for entry in refused if entry.kind == "prompt"]
    return select_prompts(drafts, parse_yaml(read_text(path), str(path), core=True), str(path), names, choice)


def _refused_draft(entry: ReportEntry) -> ImportDraft:
    """Return a prompt that cannot be read as a draft with its error."""
    draft = ImportDraft(entry.places[0], entry.name, {}, {})
    draft.add_error(draft.path, entry.why)
    return draft


def _with_chats_as_texts(value: Any) -> Any:
    """Return the key `prompts` with each chat that is written as a list as the JSON text that promptfoo has."""
    if not isinstance(value, list):
        return value
    if value and all(isinstance(entry, dict) and "role" in entry for entry in value):
        return [json.dumps(value, ensure_ascii=False)]  # one chat
    entries = []
    for entry in value:
        messages = entry
        if isinstance(entry, dict):
            messages = next((entry[key] for key in ("raw", "messages") if isinstance(entry.get(key), list)), None)
        if isinstance(messages, list):
            label = {key: item for key, item in entry.items() if key != "messages"} if isinstance(entry, dict) else {}
            entries.append({**label, "raw": json.dumps(messages, ensure_ascii=False)})
        else:
            entries.append(entry)
    return entries


def _source_names(prompts: Sequence[PromptfooPrompt], fallback: str) -> list[str]:
    """Return a name for each prompt: its id or label, else the fallback; the second of a name gets the number 2."""
    used: dict[str, int] = {}
    names = []
    for prompt in prompts:
        name = prompt.id or prompt.label
        if prompt.raw in name and name != prompt.raw:
            name = name.partition(": ")[0]  # `file: text`, a text of several in one file
        if name == prompt.raw or "\n" in name or len(name) > _NAME_LIMIT:
            name = fallback
        if name.endswith(PROMPT_SUFFIXES):
            name = str(Path(name).with_suffix(""))
        used[name] = used.get(name, 0) + 1
        names.append(name if used[name] == 1 else f"{name} {used[name]}")
    return names


def _draft(
    prompt: PromptfooPrompt, name: str, number: int, providers: Sequence[Provider], folder: PromptfooFolder
) -> ImportDraft:
    draft = ImportDraft(f"prompts.{number}", name, {}, {})
    try:
        draft.content_fields |= convert_prompt(prompt).parts
    except Unsupported as error:
        draft.add_error(draft.path, str(error))
        return draft
    own = [provider for provider in providers if provider.prompts is None or prompt.is_named(provider.prompts)]
    for other in own[1:]:
        draft.add_omission("providers", f"a version names one model, and {other.id} is another")
    provider = own[0] if own else Provider("")
    try:
        settings = {key: folder.inline(value) for key, value in {**provider.config, **prompt.config}.items()}
    except Unsupported as error:
        draft.add_error("providers", str(error))
        return draft
    _add_settings(draft, provider, settings)
    return draft


def _add_settings(draft: ImportDraft, provider: Provider, settings: RawObject) -> None:
    """Add a provider's model and settings: what a version has no field for is kept in its `config`."""
    model: RawObject = {}
    if provider.id:
        try:
            model = {"name": model_name(provider.id)}
        except Unsupported as error:
            draft.add_omission("providers", f"{provider.id} {error}")
    rest: RawObject = {}
    for key, value in settings.items():
        if key in CREDENTIAL_SETTINGS:
            draft.add_omission(f"providers.config.{key}", "keys are set in the environment of the program")
        elif key in ModelConfig.model_fields and key != "name" and model:
            model[key] = [value] if key == "stop" and isinstance(value, str) else value
        elif key == "response_format" and isinstance(value, dict):
            draft.content_fields[key] = _response_format(draft, value, f"providers.config.{key}")
        elif key == "text" and "response_format" not in settings and (output_format := text_format(value)) is not None:
            draft.content_fields["response_format"] = _response_format(draft, output_format, "providers.config.text.format")
            if others := {name: item for name, item in value.items() if name != "format"}:
                rest[key] = others
        elif key == "tools" and isinstance(value, list):
            draft.content_fields[key] = value
        else:
            rest[key] = value
            draft.add_remark(f"providers.config.{key}", "is kept in the version's config")
    if model:
        draft.content_fields["model"] = model
    if rest:
        draft.content_fields["config"] = rest
    draft.source_paths |= {part: "providers" for part in ("model", "tools", "response_format", "config")}


def _response_format(draft: ImportDraft, value: JsonObject, path: str) -> RawObject:
    """Return a response format in the form of chat completions; that of OpenAI's Responses API has the schema unwrapped."""
    if value.get("type") == "json_schema" and "json_schema" not in value:
        draft.add_remark(path, "is written in the form of chat completions, under json_schema")
        return dict(openai_response_format(value) or {})
    return dict(value)
