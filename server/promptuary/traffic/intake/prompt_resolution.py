"""The prompt, version, label and variant that a report means: names as the imports fold them, versions by number or digest."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from promptuary.core.database import Session
from promptuary.prompt.name import fold_label, fold_name, is_name
from promptuary.registry.store import PromptHead, heads_by_name
from promptuary.registry.version_store import number_of_digest
from promptuary.traffic.calls.model_call import PromptMark

_NUMBER = re.compile(r"[0-9]{1,9}")
_NAME_LIMIT = 500


class MissingPrompt(StrEnum):
    """Why a call is counted without a prompt, or without a version of it."""

    NO_PROMPT = "no_prompt"  # neither the call nor a span around it names one, and no rule maps it
    UNKNOWN_PROMPT = "unknown_prompt"  # the registry has no prompt of that name
    NO_VERSION = "no_version"  # the prompt is named, and no version
    UNKNOWN_VERSION = "unknown_version"  # the prompt has no such version


@dataclass(frozen=True, slots=True)
class CountedPrompt:
    """What a call is counted for; `reason` is empty where prompt and version are known, else a `MissingPrompt`."""

    prompt_id: int | None
    version: int = 0
    label: str = ""
    variant: str = ""
    reason: str = ""


WITHOUT_PROMPT = CountedPrompt(None, reason=MissingPrompt.NO_PROMPT.value)


def resolve_marks(session: Session, project: int, marks: Collection[PromptMark]) -> dict[PromptMark, CountedPrompt]:
    """Return what each mark means in the registry of a project."""
    names = {mark.name for mark in marks if len(mark.name) <= _NAME_LIMIT}
    if not names:
        return dict.fromkeys(marks, CountedPrompt(None, reason=MissingPrompt.UNKNOWN_PROMPT.value))
    heads = heads_by_name(session, project, names | {fold_name(name) for name in names})
    by_given_name = {head.given_name: head for head in heads if head.given_name is not None}
    by_name = {head.name: head for head in heads}
    return {mark: _resolve(session, mark, _find(mark.name, by_given_name, by_name)) for mark in marks}


def _find(name: str, by_given_name: Mapping[str, PromptHead], by_name: Mapping[str, PromptHead]) -> PromptHead | None:
    """Return the prompt that was created under exactly this name, else the one onto whose name it folds."""
    return by_given_name.get(name) or by_name.get(fold_name(name))


def _resolve(session: Session, mark: PromptMark, head: PromptHead | None) -> CountedPrompt:
    if head is None:
        return CountedPrompt(None, reason=MissingPrompt.UNKNOWN_PROMPT.value)
    version = _version(session, mark, head)
    reason = ""
    if version == 0:
        named = mark.version is not None or mark.digest is not None
        reason = (MissingPrompt.UNKNOWN_VERSION if named else MissingPrompt.NO_VERSION).value
    return CountedPrompt(head.id, version, _named(mark.label), _named(mark.variant), reason)


def _version(session: Session, mark: PromptMark, head: PromptHead) -> int:
    """Return the number of the version that a mark names; 0 for none, or for one that the prompt does not have."""
    if mark.version is not None:
        text = mark.version.strip()
        number = int(text) if _NUMBER.fullmatch(text) else 0
        return number if 0 < number <= head.newest else 0
    return (number_of_digest(session, head.id, mark.digest) or 0) if mark.digest is not None else 0


def _named(text: str | None) -> str:
    """Return a label or the name of a variant as the registry has it; empty for a text that neither can be."""
    folded = fold_label(text.strip()) if text is not None else ""
    return folded if is_name(folded) else ""
